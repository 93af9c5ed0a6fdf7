"""What a broker's answer means for our rows: the one place where an order and its proposal come to rest."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal

from spy32.desk import finding
from spy32.desk.bench import Bench
from spy32.desk.finding import UNREADABLE
from spy32.domain.acting import BrokerOrder, Fill, Order, OrderKind, spreads_filled
from spy32.domain.deciding import ExitPlan
from spy32.domain.trading import Mode
from spy32.errors import BrokerRefused, Refused, Spy32Error, Unavailable, Unresolved
from spy32.lifecycle import FINAL, IN_FLIGHT, ORDER, OrderState, ProposalState
from spy32.rules import plan
from spy32.store import PRICE

READS = 3
"""A fresh order may be late in a broker's lists, so absence needs this many reads ..."""
READS_SECONDS = 60.0
"""... over at least this long, waited out and not read off a clock, which jumps when the machine slept."""
WAITS = (1.0, 2.0, 3.0, 5.0, 8.0, 13.0)
"""Growing pauses, seconds, while an order that should end is watched."""
FILL_WAITS = (1.0, 2.0, 3.0, 5.0)
"""The same for fills that are not listed yet."""
BEYOND = "beyond approval"
"""Kind of the item for a person."""
HALTED, NOT_SENT, TOO_LATE = "halted: ", "not sent: ", "too late: "

# Requests and their answers.


def send(bench: Bench, order: Order, request: Callable[[], BrokerOrder]) -> Order:
    """One request for an order that is committed as `submitting`, and its outcome: taken, refused or unknown."""
    halt = bench.halted()
    if halt is not None:
        # Asked last of all before the request leaves; nothing was sent.
        return _moved(bench, order, OrderState.REFUSED, reason=f"{HALTED}{halt}")
    try:
        answer = request()
    except BrokerRefused as refusal:
        return _moved(bench, order, OrderState.REFUSED, reason=refusal.message)
    except Refused as late:
        return _moved(bench, order, OrderState.REFUSED, reason=f"{TOO_LATE}{late.message}")
    except Unavailable as trouble:
        # Nothing left this machine: as good as a refusal, and a person may approve again.
        return _moved(bench, order, OrderState.REFUSED, reason=f"{NOT_SENT}{trouble.message}")
    except Unresolved as doubt:
        return _moved(bench, order, OrderState.UNKNOWN, reason=doubt.message)
    return absorb(bench, order, answer)


def never_left(order: Order) -> bool:
    """The request did not reach the broker."""
    return order.state is OrderState.REFUSED and order.reason.startswith(NOT_SENT)


def came_too_late(order: Order) -> bool:
    """It was committed, and then so much time went by that it was not sent."""
    return order.state is OrderState.REFUSED and order.reason.startswith(TOO_LATE)


def was_refused(order: Order) -> bool:
    """The broker itself said no, and not we."""
    return order.state is OrderState.REFUSED and not order.reason.startswith((HALTED, NOT_SENT, TOO_LATE))


def absorb(bench: Bench, order: Order, seen: BrokerOrder) -> Order:
    """Our row after the broker's view of the order: fills first, so that a crash in between is read again.

    `Unresolved` when the view cannot be of this order; the row stays in flight then, and says why.
    """
    number = _id(order)
    order = bench.store.order(number)
    _record(bench, order, seen)
    if order.state in FINAL:
        return bench.store.order(number)
    legs = finding.legs_of(bench, order)
    now, why = seen.state, seen.reason
    if finding.lacks(seen, legs):
        now = OrderState.WORKING
        why = f"filled at the broker, which lists {spreads_filled(seen.fills, legs)} of {seen.quantity} so far"
    elif now in FINAL and (odd := finding.uneven(bench.store.fills(number), legs)):
        why = odd
        bench.tell(f"LOOK AT THIS: {order.reference} is {seen.status} with an {odd}")
    if why.startswith(finding.BY_HAND) and why != order.reason:
        bench.tell(f"{order.reference}: {why}; its price is not worked any more")
    if (now, seen.broker_id, seen.status) == (order.state, order.broker_id, order.broker_status):
        return bench.store.order(number)
    if now not in ORDER[order.state] and now is not order.state:
        if OrderState.UNKNOWN not in ORDER[order.state]:
            raise _odd(bench, order, seen, f"the broker calls it {seen.status} ({now})")
        order = _moved(bench, order, OrderState.UNKNOWN, broker=seen, reason=why)
    return _moved(bench, bench.store.order(number), now, broker=seen, reason=why)


def _record(bench: Bench, order: Order, seen: BrokerOrder) -> None:
    if not seen.fills:
        return
    assumption = getattr(bench.orders, "assumption", "")
    proposal = bench.store.proposal(order.proposal_id)

    def exits(credit: Decimal) -> ExitPlan:
        return plan.exits_by_credit(proposal.exit, plan.spread_of(proposal), credit, bench.settings)

    try:
        bench.store.record_fills(
            _id(order), seen.fills, fees=seen.fees, at=bench.clock(), assumption=assumption, exits=exits
        )
    except Refused as odd:
        raise _odd(bench, order, seen, odd.message) from odd


def price_trouble(bench: Bench, proposal_id: int) -> Unresolved | None:
    """What to end with while nobody has looked at a price of this proposal's trade that was never approved."""
    trade = bench.store.trade_of_proposal(proposal_id)
    for item in bench.store.open_attention():
        if trade is not None and (item.subject, item.kind) == (f"T{trade.id}", PRICE):
            return Unresolved(
                f"LOOK AT THIS: {item.message}; compare with the broker, then `spy32 status --ack {item.subject}`"
            )
    return None


def _odd(bench: Bench, order: Order, seen: BrokerOrder, why: str) -> Unresolved:
    """What the broker shows contradicts what was sent: nothing of it is recorded, and nothing else is sent."""
    words = f"what the broker shows of order {order.reference} cannot be recorded: {why}"
    now = OrderState.WORKING if order.state in (OrderState.SUBMITTING, OrderState.UNKNOWN) else order.state
    if (now, words) != (order.state, order.reason):
        _moved(bench, order, now, broker=seen, reason=words)
    return Unresolved(f"{words}; compare with the broker's own view and `spy32 positions`")


def _moved(
    bench: Bench, order: Order, now: OrderState, *, broker: BrokerOrder | None = None, reason: str = ""
) -> Order:
    return bench.store.move_order(_id(order), was=order.state, now=now, at=bench.clock(), broker=broker, reason=reason)


def _id(order: Order) -> int:
    assert order.id is not None
    return order.id


# Reading.


def reread(bench: Bench, order: Order) -> Order:
    """The order as the broker shows it now; one whose id the broker does not know is looked for by its reference."""
    assert order.broker_id is not None
    try:
        seen = finding.view(bench, order)
        for wait in FILL_WAITS:
            if not _is_incomplete(bench, order, seen):
                break
            bench.sleep(wait)
            seen = finding.view(bench, order)
    except BrokerRefused:
        return resolve(bench, order)
    return absorb(bench, order, seen)


def _is_incomplete(bench: Bench, order: Order, seen: BrokerOrder) -> bool:
    """It has ended and not every fill is listed, or not of every leg."""
    legs = finding.legs_of(bench, order)
    return finding.lacks(seen, legs) or (seen.state in FINAL and bool(finding.uneven(seen.fills, legs)))


def last_seen(bench: Bench, order: Order) -> Order:
    """The order as it is, or as it was last seen while the broker cannot be read: one failed read ends nothing."""
    try:
        return reread(bench, order)
    except UNREADABLE as trouble:
        bench.tell(f"{order.reference}: the broker cannot be read ({trouble.message})")
        return bench.store.order(_id(order))


def at_rest(bench: Bench, order: Order, waits: tuple[float, ...] = WAITS) -> Order:
    """The order once it is final, read with growing pauses; as last seen when it will not end."""
    for wait in waits:
        order = last_seen(bench, order)
        if order.state in FINAL:
            return order
        bench.sleep(wait)
    return last_seen(bench, order)


def resolve(bench: Bench, order: Order) -> Order:
    """An `unknown` order settled by reading at the broker: adopted when found, `absent` after enough reads without it.

    `Unresolved` when the broker could not be read, since a failed read is not an absence, and when something there
    looks as if the order had been taken after all.
    """
    reads = failures = 0
    while True:
        try:
            seen = finding.find(bench, order)
        except UNREADABLE as trouble:
            failures += 1
            if failures == READS:
                raise _unread(order, trouble) from trouble
        else:
            if seen is not None:
                return absorb(bench, order, seen)
            reads += 1
            if reads == READS:
                break
        bench.sleep(READS_SECONDS / (READS - 1))
    return _absent(bench, order)


def _unread(order: Order, trouble: Spy32Error) -> Unresolved:
    return Unresolved(
        f"order {order.reference} may or may not exist and the broker cannot be read ({trouble.message}); "
        "run `spy32 reconcile` when it answers again"
    )


def _absent(bench: Bench, order: Order) -> Order:
    """In no list: `absent`, unless its legs are there all the same."""
    old = bench.store.order(order.replaces) if order.replaces is not None else None
    try:
        if old is not None and old.state is OrderState.WORKING:
            # What the old order filled is no trace of the new one.
            reread(bench, old)
        traces = finding.traces(bench, order)
    except UNREADABLE as trouble:
        raise _unread(order, trouble) from trouble
    if traces:
        raise Unresolved(
            f"order {order.reference} is in no list at the broker, and still: {'; '.join(traces)}; look at the "
            "account there, since it may have filled; nothing is sent before it is settled"
        )
    _not_too_early(bench, order, old)
    return _moved(bench, order, OrderState.ABSENT, reason=f"not at the broker in {READS} reads")


def _not_too_early(bench: Bench, order: Order, old: Order | None) -> None:
    """`Unresolved` while a live entry may still be on its way: longer than the broker's own time-outs may take.

    A late edit of an order that is gone comes to nothing at the broker, so a replacement need not wait.
    """
    is_edit = old is not None and old.state not in FINAL
    if order.mode is not Mode.LIVE or order.kind is not OrderKind.ENTRY or is_edit:
        return
    until = order.created_at + timedelta(minutes=bench.settings.execution.absent_minutes)
    if not bench.clock() >= until:
        raise Unresolved(
            f"order {order.reference} is not at the broker, and may still be on its way until {until:%H:%M} UTC "
            "(execution.absent_minutes); then `spy32 reconcile` settles it; nothing is sent before"
        )


def orphaned(bench: Bench, order: Order) -> Order:
    """A `submitting` row of a process that died: from here on it is a question."""
    return _moved(bench, order, OrderState.UNKNOWN, reason="the process that sent it ended before the answer")


def cancelled(bench: Bench, order: Order) -> Order:
    """The order after the broker was asked to cancel it and confirmed how it ended; a fill may still have won."""
    assert order.broker_id is not None
    for wait in WAITS:
        # A refusal usually means that it has just filled, a lost answer means nothing: the broker's own view decides.
        # A request that got lost on its way is made again, since a second cancel of one id cannot do harm.
        with suppress(*UNREADABLE):
            bench.orders.cancel(order.broker_id)
        order = last_seen(bench, order)
        if order.state in FINAL or "cancel" in order.broker_status.lower() or order.broker_id is None:
            break
        bench.sleep(wait)
    order = at_rest(bench, order)
    if order.state in FINAL:
        return order
    why = f": {order.reason}" if order.reason else ""
    raise Unresolved(f"order {order.reference} was asked to be cancelled and is still {order.broker_status}{why}")


def stop_working(bench: Bench, proposal_id: int) -> None:
    """Ask to cancel everything of the proposal that works, each one whatever becomes of the others."""
    for order in bench.store.orders(proposal_id):
        if order.state is OrderState.WORKING:
            try:
                cancelled(bench, order)
            except Spy32Error as trouble:
                bench.tell(trouble.message)


# The proposal.


def mine(bench: Bench, proposal_id: int) -> tuple[Order, ...]:
    """The orders that open or close a proposal, oldest first; its profit target has a life of its own."""
    return tuple(order for order in bench.store.orders(proposal_id) if order.kind is not OrderKind.TARGET)


def fills_of(bench: Bench, proposal_id: int) -> tuple[Fill, ...]:
    """Everything filled of these orders, whatever state an order ended in."""
    return tuple(fill for order in mine(bench, proposal_id) for fill in bench.store.fills(_id(order)))


def filled_of(bench: Bench, proposal_id: int) -> int:
    """Whole spreads filled over all orders of the proposal."""
    return spreads_filled(fills_of(bench, proposal_id), bench.store.proposal(proposal_id).legs)


def room(bench: Bench, proposal_id: int, *, but: int | None = None) -> int:
    """Spreads that may still be sent: approved, less filled by its fullest leg, less alive. `but` is to be replaced."""
    proposal, fills = bench.store.proposal(proposal_id), fills_of(bench, proposal_id)
    done = [
        -(-sum(fill.quantity for fill in fills if fill.symbol == leg.symbol) // leg.quantity) for leg in proposal.legs
    ]
    alive = [order for order in mine(bench, proposal_id) if order.state in IN_FLIGHT and order.id != but]
    return proposal.quantity - max(done) - sum(order.quantity - order.filled for order in alive)


def conclude(bench: Bench, proposal_id: int, *, reason: str = "") -> int:
    """Bring the proposal to rest once all its orders have; the number of spreads that were filled.

    `Unresolved` when the legs filled unevenly: the proposal then stays `sent`, so that it counts as exposure and
    nothing new is sent for it, until a person has settled it.
    """
    proposal = bench.store.proposal(proposal_id)
    filled = filled_of(bench, proposal_id)
    if proposal.state is not ProposalState.SENT or any(order.state in IN_FLIGHT for order in mine(bench, proposal_id)):
        return filled
    odd = finding.uneven(fills_of(bench, proposal_id), proposal.legs)
    if odd:
        raise Unresolved(
            f"P{proposal_id} has an {odd}; the rest is a position without its other side, which only a person can "
            "settle at the broker; nothing more is sent for it"
        )
    reason = tell_beyond(bench, proposal_id) or reason
    now = ProposalState.DONE if filled > 0 else ProposalState.PROPOSED
    bench.store.finish_proposal(proposal_id, now=now, at=bench.clock(), reason=reason)
    return filled


def tell_beyond(bench: Bench, proposal_id: int) -> str:
    """An item for a person when more was filled than approved, and its words; empty when all is well."""
    filled, approved = filled_of(bench, proposal_id), bench.store.proposal(proposal_id).quantity
    if filled <= approved:
        return ""
    words = f"{filled} spreads were filled and {approved} approved: look at the broker's own view"
    bench.tell(f"LOOK AT THIS: P{proposal_id}: {words}")
    bench.store.raise_attention(f"P{proposal_id}", BEYOND, words, bench.clock())
    return words


def settled(bench: Bench, order: Order) -> Order:
    """One order found in flight while nobody works it: settled by reading, or still working."""
    if order.state is OrderState.SUBMITTING:
        order = orphaned(bench, order)
    if order.state is OrderState.UNKNOWN:
        order = resolve(bench, order)
    elif order.state is OrderState.WORKING:
        order = reread(bench, order)
    return order


def recover(bench: Bench, proposal_id: int) -> list[Spy32Error]:
    """Everything of this proposal that a dead process left in flight, settled; call it with the proposal's lock held.

    The newest comes first: a replacement must have claimed its order before the one that it replaced is read.
    Returns what could not be settled.
    """
    troubles: list[Spy32Error] = []
    for order in reversed(mine(bench, proposal_id)):
        before = bench.store.order(_id(order))
        if before.state not in IN_FLIGHT:
            continue
        try:
            after = settled(bench, before)
            bench.tell(f"order {order.reference}: {before.state} before, {after.state} now")
        except Spy32Error as trouble:
            troubles.append(trouble)
    if not troubles:
        try:
            conclude(bench, proposal_id, reason="settled by reading at the broker")
        except Unresolved as trouble:
            troubles.append(trouble)
    return troubles
