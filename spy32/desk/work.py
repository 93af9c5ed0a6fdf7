"""Work the price of a living order along its plan: never beyond the floor, never past the deadline."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal

from spy32.desk import settle
from spy32.desk.bench import Bench
from spy32.domain.acting import Order
from spy32.domain.codec import digest
from spy32.domain.deciding import Proposal
from spy32.lifecycle import FINAL, OrderState
from spy32.rules import plan

POLL_SECONDS = 5.0


def work(bench: Bench, proposal: Proposal, order: Order) -> Order:
    """The last order of the approval, final: filled, or cancelled and confirmed at the deadline or at a halt."""
    first = next(known for known in bench.store.orders(order.proposal_id) if known.approval_id == order.approval_id)
    deadline = first.created_at + timedelta(seconds=proposal.plan.deadline_seconds)
    order = _stepped(bench, proposal, order, deadline)
    if order.state is OrderState.UNKNOWN:
        return order
    return order if order.state in FINAL else settle.cancelled(bench, order)


def wind_down(bench: Bench, proposal_id: int) -> None:
    """Leave nothing alive: ask the broker to cancel whatever works, confirm it, and tell what was filled."""
    bench.tell("stopping: asking the broker to cancel what works")
    settle.recover(bench, proposal_id)
    for order in bench.store.orders(proposal_id):
        if order.state is OrderState.WORKING:
            settle.cancelled(bench, order)
    filled = settle.conclude(bench, proposal_id, reason="stopped by the person")
    state = bench.store.proposal(proposal_id).state
    bench.tell(f"P{proposal_id}: {filled} filled, nothing works any more, the proposal is {state}")


def _stepped(bench: Bench, proposal: Proposal, order: Order, deadline: datetime) -> Order:
    """Step down to the floor, resting at each price; at the floor, or once a part is filled, rest to the deadline."""
    for price in _prices_below(order.limit, proposal):
        order = _rest(bench, order, min(bench.clock() + timedelta(seconds=proposal.plan.step_seconds), deadline))
        if order.state in FINAL or bench.clock() >= deadline or bench.halted() is not None:
            return order
        if settle.filled_of(bench, order.proposal_id) == 0:
            order = _repriced(bench, proposal, order, price)
            if order.state is not OrderState.WORKING:
                return order
    return _rest(bench, order, deadline)


def _prices_below(limit: Decimal, proposal: Proposal) -> Iterator[Decimal]:
    return (price for price in proposal.plan.prices if price < limit)


def _rest(bench: Bench, order: Order, until: datetime) -> Order:
    """Watch the order until it is final, `until` has come or a halt is set."""
    while True:
        order = settle.last_seen(bench, order)
        left = (until - bench.clock()).total_seconds()
        seen = f"{order.reference}: {order.state} at {order.limit}, {order.filled} of {order.quantity} filled"
        bench.watch(f"{seen}, {max(left, 0):.0f} s to the next step")
        if order.state in FINAL or left <= 0 or bench.halted() is not None:
            return order
        bench.sleep(min(POLL_SECONDS, left))


def _repriced(bench: Bench, proposal: Proposal, order: Order, price: Decimal) -> Order:
    """The order at its next price: a replacement, committed before it is asked for, with the next running number.

    A replacement that the broker refused, or that never arrived, leaves the old order as the broker shows it.
    """
    assert order.broker_id is not None and order.id is not None
    # Counted on from the newest order, since a replacement that never arrived has used its number up.
    reference = plan.next_reference(bench.store.orders(order.proposal_id)[-1].reference)
    body = plan.order_body(proposal.legs, order.quantity, price, reference, kind=order.kind)
    wanted = Order(
        id=None,
        proposal_id=order.proposal_id,
        approval_id=order.approval_id,
        reference=reference,
        kind=order.kind,
        mode=order.mode,
        account=order.account,
        body=body,
        body_hash=digest(body),
        limit=price,
        quantity=order.quantity,
        state=OrderState.SUBMITTING,
        created_at=bench.clock(),
        replaces=order.id,
    )
    committed = bench.store.begin_order(wanted, at=bench.clock())
    after = settle.send(bench, committed, lambda: bench.orders.replace(str(order.broker_id), body))
    if after.state is OrderState.UNKNOWN:
        after = settle.resolve(bench, after)
    bench.tell(f"{after.reference}: {after.state} at {after.limit}")
    if after.state is OrderState.UNKNOWN:
        return after
    if after.state in FINAL and after.state is not OrderState.FILLED:
        return settle.reread(bench, order)
    old = settle.at_rest(bench, order)
    if old.filled > 0 and after.state not in FINAL:
        # The old order filled while it was being replaced: what it left open must not be sold twice.
        return settle.cancelled(bench, after)
    return after
