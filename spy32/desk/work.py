"""Work the price of a living order along its plan: never beyond the floor, never past the deadline."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from spy32.desk import settle
from spy32.desk.bench import Bench
from spy32.desk.doubles import Outranked, look_after_placing, look_again
from spy32.desk.finding import UNREADABLE
from spy32.domain.acting import BrokerOrder, Order
from spy32.domain.codec import digest
from spy32.domain.deciding import Proposal
from spy32.errors import Refused, Spy32Error, Unresolved
from spy32.lifecycle import FINAL, IN_FLIGHT, OrderState
from spy32.rules import plan, references

POLL_SECONDS = 5.0


@dataclass(slots=True)
class Timer:
    """The time that a plan has left: to its deadline by the clock, and never more than was to be waited, should the
    clock be set back."""

    bench: Bench
    deadline: datetime
    seconds: float

    @property
    def left(self) -> float:
        return max(min((self.deadline - self.bench.clock()).total_seconds(), self.seconds), 0)

    @property
    def is_over(self) -> bool:
        """No time is left, or a halt was set: nothing more is priced."""
        return self.left <= 0 or self.bench.halted() is not None

    def pause(self, seconds: float) -> None:
        self.bench.sleep(seconds)
        self.seconds -= seconds


def work(bench: Bench, proposal: Proposal, order: Order) -> Order:
    """The last order of the approval, final: filled, or cancelled and confirmed at the deadline or at a halt."""
    first = next(known for known in settle.mine(bench, order.proposal_id) if known.approval_id == order.approval_id)
    seconds = proposal.plan.deadline_seconds
    timer = Timer(bench, first.created_at + timedelta(seconds=seconds), seconds)
    try:
        order = _stepped(bench, proposal, order, timer)
    except Outranked:
        raise
    except Spy32Error as error:
        # Nothing is left alive knowingly, also when an outcome is unknown or the book cannot be written.
        bench.tell(f"{order.reference}: {error.message}; what works of it is asked to be cancelled")
        with suppress(Spy32Error):
            stop(bench, order.proposal_id)
        raise
    assert order.id is not None
    stop(bench, order.proposal_id)
    return bench.store.order(order.id)


def stop(bench: Bench, proposal_id: int) -> None:
    """Cancel what works and confirm it; everything is asked before what would not end is raised."""
    troubles: list[Unresolved] = []
    for order in settle.mine(bench, proposal_id):
        if order.state is OrderState.WORKING:
            try:
                settle.cancelled(bench, order)
            except Unresolved as trouble:
                troubles.append(trouble)
    if troubles:
        raise troubles[0]


def wind_down(bench: Bench, proposal_id: int) -> None:
    """Leave nothing alive: ask the broker to cancel whatever works, confirm it, and tell what was filled.

    `Unresolved` when something may still be alive. A second interruption leaves what is committed, for `reconcile`.
    """
    bench.tell("stopping: asking the broker to cancel what works")
    for trouble in settle.recover(bench, proposal_id):
        bench.tell(trouble.message)
    stop(bench, proposal_id)
    alive = [order for order in settle.mine(bench, proposal_id) if order.state in IN_FLIGHT]
    if alive:
        raise Unresolved(f"order {alive[-1].reference} is {alive[-1].state}; run `spy32 reconcile`")
    filled = settle.conclude(bench, proposal_id, reason="stopped by the person")
    state = bench.store.proposal(proposal_id).state
    bench.tell(f"P{proposal_id}: {filled} filled, nothing works any more, the proposal is {state}")


def _stepped(bench: Bench, proposal: Proposal, order: Order, timer: Timer) -> Order:
    """Step down to the floor, resting at each price; at the floor, or once a part is filled, rest to the deadline."""
    for price in [price for price in proposal.plan.prices if price < order.limit]:
        order = _rest(bench, order, timer, proposal.plan.step_seconds, price)
        if order.state in FINAL or timer.is_over:
            return order
        order, is_alone = _looked_at(bench, order)
        if order.state in FINAL:
            return order
        if is_alone and _may_be_repriced(bench, order):
            order = _repriced(bench, proposal, order, price, timer)
            if order.state is not OrderState.WORKING:
                return order
    return _rest(bench, order, timer, timer.left, None)


def _looked_at(bench: Bench, order: Order) -> tuple[Order, bool]:
    """The order, and whether today's orders could be read: no price is changed before they show that it is alone."""
    try:
        return look_again(bench, order), True
    except Unresolved:
        raise
    except UNREADABLE as trouble:
        bench.tell(f"{order.reference}: the price stays, since today's orders cannot be read ({trouble.message})")
        return order, False


def _may_be_repriced(bench: Bench, order: Order) -> bool:
    """Nothing of the proposal is filled, not even one leg; the order is as we placed it, and the only one alive."""
    if order.is_adopted or order.reason or settle.fills_of(bench, order.proposal_id):
        return False
    others = [known for known in settle.mine(bench, order.proposal_id) if known.id != order.id]
    seen = [settle.last_seen(bench, known) for known in others if known.state is OrderState.WORKING]
    return not any(known.state in IN_FLIGHT for known in seen) and not settle.fills_of(bench, order.proposal_id)


def _rest(bench: Bench, order: Order, timer: Timer, seconds: float, then: Decimal | None) -> Order:
    """Watch the order for so many seconds, until it is final, or until the plan is over."""
    until = bench.clock() + timedelta(seconds=seconds)
    while True:
        order = settle.last_seen(bench, order)
        left = max(min((until - bench.clock()).total_seconds(), seconds, timer.left), 0)
        bench.watch(_line(order, left, timer.left, then))
        if order.state in FINAL or left <= 0 or timer.is_over:
            return order
        pause = min(POLL_SECONDS, left)
        timer.pause(pause)
        seconds -= pause


def _line(order: Order, left: float, deadline: float, then: Decimal | None) -> str:
    step = f"{then} in {_clock(left)}" if then is not None else "last price"
    filled = f"{order.filled} of {order.quantity} filled"
    word = order.broker_status or order.state
    return f"{order.reference} | {word} | {order.limit} | {filled} | {step} | ends in {_clock(deadline)}"


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def _repriced(bench: Bench, proposal: Proposal, order: Order, price: Decimal, timer: Timer) -> Order:
    """The order at its next price: a replacement, committed before it is asked for, with the next running number.

    A replacement that never arrived or did not live leaves the old order as the broker shows it. Where the broker
    refuses to replace what still works, that is cancelled first.
    """
    after = _sent(bench, proposal, order, price, lambda body: bench.orders.replace(str(order.broker_id), body))
    if after is None:
        return order
    if after.state in FINAL and after.state is not OrderState.FILLED:
        order = settle.last_seen(bench, order)
        if settle.was_refused(after) and order.state is OrderState.WORKING:
            return _anew(bench, proposal, order, price, timer)
        return order
    order = settle.at_rest(bench, order)
    assert order.id is not None
    if bench.store.fills(order.id) and after.state not in FINAL:
        # The old order filled while it was being replaced: what it left open must not be sold twice.
        return settle.cancelled(bench, after)
    return after


def _anew(bench: Bench, proposal: Proposal, order: Order, price: Decimal, timer: Timer) -> Order:
    """A new order at the next price, once the old one is confirmed as cancelled with nothing filled."""
    if not _may_be_repriced(bench, order) or timer.is_over:
        return order
    bench.tell(f"{order.reference}: the broker does not replace it; it is cancelled first")
    order = settle.cancelled(bench, order)
    if order.state is not OrderState.CANCELLED or settle.fills_of(bench, order.proposal_id) or timer.is_over:
        return order
    placed = _sent(bench, proposal, order, price, bench.orders.submit)
    return look_after_placing(bench, placed) if placed is not None else order


def _sent(
    bench: Bench, proposal: Proposal, order: Order, price: Decimal, request: Callable[[str], BrokerOrder]
) -> Order | None:
    """The order that takes the place of `order`: committed, one request, and settled when its answer was lost.

    None where it may not be sent, which is told: `order` stays as it is.
    """
    try:
        committed = bench.store.begin_order(_next(bench, proposal, order, price), at=bench.clock())
    except Refused as no:
        bench.tell(f"{order.reference}: no next price is sent: {no.message}")
        return None
    after = settle.send(bench, committed, lambda: request(committed.body))
    if after.state is OrderState.UNKNOWN:
        after = settle.resolve(bench, after)
    bench.tell(f"{after.reference}: {after.state} at {after.limit}")
    return after


def _next(bench: Bench, proposal: Proposal, order: Order, price: Decimal) -> Order:
    """The order at another price, not yet committed; `Refused` when it would be more than was approved."""
    # Counted on from the newest order, since a replacement that never arrived has used its number up.
    own = [known for known in settle.mine(bench, order.proposal_id) if not known.is_adopted]
    reference = references.next_reference(own[-1].reference)
    left = settle.room(bench, order.proposal_id, but=order.id)
    if not order.quantity <= left:
        raise Refused(f"order {reference} would be for {order.quantity}, only {left} may still be sent")
    body = plan.order_body(proposal.legs, order.quantity, price, reference, kind=order.kind)
    return replace(
        order,
        id=None,
        reference=reference,
        body=body,
        body_hash=digest(body),
        limit=price,
        state=OrderState.SUBMITTING,
        created_at=bench.clock(),
        broker_id=None,
        broker_status="",
        replaces=order.id,
        filled=0,
        reason="",
    )
