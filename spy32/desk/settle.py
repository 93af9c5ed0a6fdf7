"""What a broker's answer means for our rows: the one place where an order and its proposal come to rest."""

from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal

from spy32.desk.bench import Bench
from spy32.domain.acting import BrokerOrder, Order, spreads_filled
from spy32.errors import BrokerRefused, Spy32Error, Unavailable, Unresolved
from spy32.lifecycle import FINAL, IN_FLIGHT, OrderState, ProposalState
from spy32.sessions import market_date

READS = 3
"""A fresh order may be late in a broker's lists, so absence needs this many reads ..."""
READS_SECONDS = 60.0
"""... over at least this long."""
WAITS = (1.0, 2.0, 3.0, 5.0, 8.0, 13.0)
"""Growing pauses, seconds, while an order that should end is watched."""


def send(bench: Bench, order: Order, request: Callable[[], BrokerOrder]) -> Order:
    """One request for an order that is committed as `submitting`, and its outcome: taken, refused or unknown."""
    halt = bench.halted()
    if halt is not None:
        # Asked last of all before the request leaves; nothing was sent.
        return _moved(bench, order, OrderState.REFUSED, reason=f"halted: {halt}")
    try:
        answer = request()
    except BrokerRefused as refusal:
        return _moved(bench, order, OrderState.REFUSED, reason=refusal.message)
    except Unavailable as trouble:
        # Nothing left this machine: as good as a refusal, and a person may approve again.
        return _moved(bench, order, OrderState.REFUSED, reason=f"not sent: {trouble.message}")
    except Unresolved as doubt:
        return _moved(bench, order, OrderState.UNKNOWN, reason=doubt.message)
    return absorb(bench, order, answer)


def absorb(bench: Bench, order: Order, seen: BrokerOrder) -> Order:
    """Our row after the broker's view of the order: fills first, so that a crash in between is read again."""
    assert order.id is not None
    if seen.fills:
        assumption = getattr(bench.orders, "assumption", "")
        fees = seen.fees if seen.fees is not None else Decimal(0)
        bench.store.record_fills(order.id, seen.fills, fees=fees, at=bench.clock(), assumption=assumption)
    if (seen.state, seen.broker_id, seen.status) == (order.state, order.broker_id, order.broker_status):
        return bench.store.order(order.id)
    return _moved(bench, bench.store.order(order.id), seen.state, broker=seen, reason=seen.reason)


def _moved(
    bench: Bench, order: Order, now: OrderState, *, broker: BrokerOrder | None = None, reason: str = ""
) -> Order:
    assert order.id is not None
    return bench.store.move_order(order.id, was=order.state, now=now, at=bench.clock(), broker=broker, reason=reason)


def reread(bench: Bench, order: Order) -> Order:
    """The order as the broker shows it now; one whose id the broker does not know is looked for by its reference."""
    assert order.broker_id is not None
    try:
        seen = bench.orders.order(order.broker_id)
    except BrokerRefused:
        return resolve(bench, order)
    return absorb(bench, order, seen)


def last_seen(bench: Bench, order: Order) -> Order:
    """The order as it is, or as it was last seen while the broker cannot be read: one failed read ends nothing."""
    try:
        return reread(bench, order)
    except (Unavailable, Unresolved) as trouble:
        bench.tell(f"{order.reference}: the broker cannot be read ({trouble.message})")
        return order


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

    `Unresolved` when the broker could not be read: a failed read is not an absence.
    """
    for read in range(READS):
        if read:
            bench.sleep(READS_SECONDS / (READS - 1))
        found = _find(bench, order)
        if found is not None:
            return absorb(bench, order, found)
    return _moved(bench, order, OrderState.ABSENT, reason=f"not at the broker in {READS} reads")


def _find(bench: Bench, order: Order) -> BrokerOrder | None:
    """The broker's order with our reference, among today's and then among all since it was made."""
    try:
        for listing in (bench.orders.todays_orders, lambda: bench.orders.search(market_date(order.created_at))):
            for seen in listing():
                if seen.reference == order.reference:
                    return seen
    except (Unavailable, Unresolved) as trouble:
        raise Unresolved(
            f"order {order.reference} may or may not exist and the broker cannot be read ({trouble.message}); "
            "run `spy32 reconcile` when it answers again"
        ) from trouble
    return None


def orphaned(bench: Bench, order: Order) -> Order:
    """A `submitting` row of a process that died: from here on it is a question."""
    return _moved(bench, order, OrderState.UNKNOWN, reason="the process that sent it ended before the answer")


def cancelled(bench: Bench, order: Order) -> Order:
    """The order after the broker was asked to cancel it and confirmed how it ended; a fill may still have won."""
    assert order.broker_id is not None
    # A refusal usually means that it has just filled, a lost answer means nothing: the broker's own view decides.
    with suppress(BrokerRefused, Unavailable, Unresolved):
        bench.orders.cancel(order.broker_id)
    order = at_rest(bench, order)
    if order.state in FINAL:
        return order
    raise Unresolved(f"order {order.reference} was asked to be cancelled and is still {order.broker_status}")


def conclude(bench: Bench, proposal_id: int, *, reason: str = "") -> int:
    """Bring the proposal to rest once all its orders have; the number of spreads that were filled."""
    proposal = bench.store.proposal(proposal_id)
    orders = bench.store.orders(proposal_id)
    if proposal.state is not ProposalState.SENT or any(order.state in IN_FLIGHT for order in orders):
        return filled_of(bench, proposal_id)
    filled = filled_of(bench, proposal_id)
    now = ProposalState.DONE if filled > 0 else ProposalState.PROPOSED
    bench.store.finish_proposal(proposal_id, now=now, at=bench.clock(), reason=reason)
    return filled


def filled_of(bench: Bench, proposal_id: int) -> int:
    """Spreads filled over all orders of the proposal; fills count, whatever state an order ended in."""
    legs = bench.store.proposal(proposal_id).legs
    ids = [order.id for order in bench.store.orders(proposal_id) if order.id is not None]
    fills = tuple(fill for number in ids for fill in bench.store.fills(number))
    return spreads_filled(fills, legs)


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

    Returns what could not be settled.
    """
    troubles: list[Spy32Error] = []
    for order in bench.store.orders(proposal_id):
        if order.state not in IN_FLIGHT:
            continue
        try:
            after = settled(bench, order)
            bench.tell(f"order {order.reference}: {order.state} before, {after.state} now")
        except Spy32Error as trouble:
            troubles.append(trouble)
    if not troubles:
        conclude(bench, proposal_id, reason="settled by reading at the broker")
    return troubles
