"""The resting profit target: one closing order, good till cancelled, left with the broker while the trade is open."""

from dataclasses import replace

from spy32.desk import settle
from spy32.desk.bench import Bench
from spy32.domain.acting import Order, OrderKind, Trade
from spy32.domain.codec import digest
from spy32.domain.deciding import Proposal
from spy32.errors import NotPermitted, Refused, Spy32Error
from spy32.lifecycle import IN_FLIGHT, OrderState, ProposalState, TradeState
from spy32.rules import plan

NO_TARGET = "no target"
"""Kind of the item for a person."""
AGAIN = (OrderState.REFUSED,)
"""A target that ended so never was at the broker, and may be left there by a later start. One that was not found may
still arrive, and a second one beside it would buy back more than is held."""


def rest_target(bench: Bench, proposal_id: int) -> Order | None:
    """The target of an opening that has filled, left with the broker; None where none is to be left.

    It is part of what was approved, and goes by the same protocol: committed, one request, unknown settled only by
    reading. Nothing here is fatal, since the trade is open: what was refused or is unknown is told and on record. One
    that was cancelled, by hand or by the broker, is not left again. Call it with the proposal's lock held.
    """
    proposal = bench.store.proposal(proposal_id)
    trade = bench.store.trade_of_proposal(proposal_id)
    if proposal.kind != "open" or not proposal.exit.rests_target or proposal.state is not ProposalState.DONE:
        return None
    if trade is None or trade.state is not TradeState.OPEN:
        return None
    earlier = bench.store.targets(proposal_id)
    if earlier and earlier[-1].state not in AGAIN:
        message = f"the target of T{trade.id} is not left again: {earlier[-1].reference} is {earlier[-1].state}"
        bench.tell(message)
        subject = f"T{trade.id}"
        if earlier[-1].state is OrderState.ABSENT and not bench.store.was_raised(subject, NO_TARGET):
            bench.store.raise_attention(subject, NO_TARGET, f"{message}; no profit target rests", bench.clock())
        return earlier[-1]
    try:
        order = bench.store.begin_order(_target(bench, proposal, trade, len(earlier) + 1), at=bench.clock())
    except (Refused, NotPermitted) as refusal:
        bench.tell(f"no target is left for T{trade.id}: {refusal.message}")
        return None
    after = _sent(bench, order)
    why = f": {after.reason}" if after.reason else ""
    bench.tell(f"{after.reference}: target of T{trade.id} {after.state} at {-after.limit}{why}")
    return after


def cancel_target(bench: Bench, trade_id: int) -> Order | None:
    """The target of a trade, final, before anything else may close it; None when none was in flight.

    A fill may still have won, and is recorded then. `Unresolved` or `Unavailable` when its end cannot be confirmed:
    nothing else may be sent for the trade. Call it with the lock of the opening proposal held.
    """
    trade = bench.store.trade(trade_id)
    alive = living(bench, trade.proposal_id)
    if alive is None:
        return None
    order = settle.settled(bench, alive)
    if order.state is OrderState.WORKING:
        order = settle.cancelled(bench, order)
    bench.tell(f"{order.reference}: target of T{trade_id} {order.state}, {order.filled} of {order.quantity} filled")
    return order


def follow(bench: Bench, proposal_id: int) -> list[Spy32Error]:
    """Every target of a proposal that is in flight, read at the broker; one that ended is told.

    It may work for weeks: while the broker shows it, by its id or by our reference, it works. Returns what could not
    be read. Call it with the proposal's lock held.
    """
    alive = living(bench, proposal_id)
    if alive is None:
        return []
    try:
        after = settle.settled(bench, alive)
    except Spy32Error as trouble:
        return [trouble]
    if after.state not in IN_FLIGHT:
        trade = bench.store.trade_of_proposal(proposal_id)
        assert trade is not None
        left = f"; T{trade.id} is {trade.state}" + ("" if trade.state is not TradeState.OPEN else " without a target")
        why = f" ({after.reason})" if after.reason else ""
        bench.tell(f"{after.reference}: {after.state}{why}, {after.filled} of {after.quantity} filled{left}")
    return []


def living(bench: Bench, proposal_id: int) -> Order | None:
    """The target that may still fill; there is one at most."""
    return next((order for order in bench.store.targets(proposal_id) if order.state in IN_FLIGHT), None)


def _sent(bench: Bench, order: Order) -> Order:
    """The target after its one request; what could not be settled stays as it is on record, and is told."""
    assert order.id is not None
    try:
        after = settle.send(bench, order, lambda: bench.orders.submit(order.body))
        return settle.resolve(bench, after) if after.state is OrderState.UNKNOWN else after
    except Spy32Error as trouble:
        bench.tell(f"{order.reference}: {trouble.message}")
        return bench.store.order(order.id)


def _target(bench: Bench, proposal: Proposal, trade: Trade, number: int) -> Order:
    """The order at the approved target for what is held, not yet committed; it has the entry's approval and stem."""
    assert proposal.id is not None
    entry = [order for order in bench.store.orders(proposal.id) if order.kind is OrderKind.ENTRY][-1]
    stem, _, _ = entry.reference.rpartition("-")
    reference = f"{stem}-t{number}"
    legs = tuple(replace(leg, action=leg.action.closing) for leg in trade.legs)
    limit = -(trade.exits or proposal.exit).profit_target
    body = plan.order_body(legs, trade.remaining, limit, reference, kind=OrderKind.TARGET)
    return Order(
        id=None,
        proposal_id=proposal.id,
        approval_id=entry.approval_id,
        reference=reference,
        kind=OrderKind.TARGET,
        mode=proposal.mode,
        account=proposal.account,
        body=body,
        body_hash=digest(body),
        limit=limit,
        quantity=trade.remaining,
        state=OrderState.SUBMITTING,
        created_at=bench.clock(),
    )
