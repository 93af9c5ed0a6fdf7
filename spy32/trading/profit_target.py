"""The resting profit target: one closing GTC order at the broker while the trade is open."""

from spy32.domain.orders import Order, Trade
from spy32.domain.proposals import ProposalKind
from spy32.errors import NotPermitted, Refused, Spy32Error, Unresolved
from spy32.lifecycle import IN_FLIGHT, OrderState, ProposalState, TradeState
from spy32.trading import order_adoption, order_state
from spy32.trading.context import TradingContext
from spy32.trading.order_book import load_order_book
from spy32.trading.order_lookup import READ_ERRORS

NO_TARGET = "no target"
"""Kind of the attention item."""


def place_target(context: TradingContext, proposal_id: int) -> Order | None:
    """Place the profit target of a filled opening and return it; None if its plan has none.

    The target was approved with the opening and is sent like any order: stored, one request, an unknown outcome settled
    only by reading. Errors are reported and not raised, since the trade is open. A target that was cancelled, by a
    person or by the broker, is not placed again. The caller holds the proposal's lock.
    """
    trade, earlier = _find_trade(context, proposal_id), _last_target(context, proposal_id)
    if trade is not None and earlier is None:
        try:
            _adopt_forgotten(context, proposal_id)
        except READ_ERRORS as error:
            hint = f"`spy32 execute P{proposal_id}` tries again"
            context.report(f"no target is left for T{trade.id}: {error.message}; {hint}")
            return None
        trade, earlier = _find_trade(context, proposal_id), _last_target(context, proposal_id)
    if trade is None:
        return None
    if earlier is not None:
        subject = f"T{trade.id}"
        message = f"the target of {subject} is not left again: {earlier.reference} is {earlier.state}"
        context.report(message)
        if earlier.state is OrderState.ABSENT and not context.store.attention.was_raised(subject, NO_TARGET):
            message += "; no profit target rests"
            context.store.attention.raise_item(subject, NO_TARGET, message, context.clock())
        return earlier
    try:
        ticket = load_order_book(context, proposal_id).target_ticket(trade)
        order = context.store.orders.begin(ticket, at=context.clock())
    except (Refused, NotPermitted) as refusal:
        context.report(f"no target is left for T{trade.id}: {refusal.message}")
        return None
    try:
        order = order_state.send_order(context, order, lambda: context.orders.submit(order.body))
    except Spy32Error as error:
        context.report(f"{order.reference}: {error.message}")
        order = context.store.orders.get(order.id)
    reason = f": {order.reason}" if order.reason else ""
    context.report(f"{order.reference}: target of T{trade.id} {order.state} at {-order.limit}{reason}")
    return order


def _find_trade(context: TradingContext, proposal_id: int) -> Trade | None:
    """Return the open trade of a filled opening whose plan has a resting target; None if there is none."""
    proposal, trade = context.store.proposals.get(proposal_id), context.store.trades.find_by_proposal(proposal_id)
    is_filled_opening = proposal.kind is ProposalKind.OPEN and proposal.state is ProposalState.DONE
    has_open_trade = trade is not None and trade.state is TradeState.OPEN
    return trade if is_filled_opening and has_open_trade and proposal.exit.rests_target else None


def _last_target(context: TradingContext, proposal_id: int) -> Order | None:
    """Return the newest target that is or was at the broker, or may be.

    A refused one never was, so a later start may place it again. An absent one may still arrive, and a second one
    beside it would buy back more than is held.
    """
    targets = load_order_book(context, proposal_id).targets
    return targets[-1] if targets and targets[-1].state is not OrderState.REFUSED else None


def _adopt_forgotten(context: TradingContext, proposal_id: int) -> None:
    """Adopt a target that a restored book has forgotten, or that a copy of it left.

    One of `READ_ERRORS` while it is not known whether there is one, or it cannot be adopted.
    """
    chains = order_adoption.load_chains(context, proposal_id)
    order_adoption.adopt_orders(context, chains, locked_proposal_id=proposal_id)
    for claim in order_adoption.find_claims(context, chains):
        if claim.proposal_id == proposal_id:
            raise Unresolved(f"order {claim.chain.last_order.broker_id} at the broker could not be adopted")


def cancel_target(context: TradingContext, trade_id: int) -> Order | None:
    """Cancel the target of a trade and return it once it is final; None when none is in flight.

    It may have filled instead, which is recorded. `Unresolved` or `Unavailable` when its end cannot be confirmed; then
    nothing else may be sent for the trade. The caller holds the lock of the opening proposal.
    """
    trade = context.store.trades.get(trade_id)
    live_order = load_order_book(context, trade.proposal_id).live_target
    if live_order is None:
        return None
    order = order_state.settle_order(context, live_order)
    if order.state is OrderState.WORKING:
        order = order_state.cancel_order(context, order)
    context.report(f"{order.reference}: target of T{trade_id} {order.state}, {order.filled} of {order.quantity} filled")
    return order


def refresh_targets(context: TradingContext, proposal_id: int) -> list[Spy32Error]:
    """Read the live target of a proposal at the broker and report it if it has ended; return the errors of reading.

    A target may work for weeks. The caller holds the proposal's lock.
    """
    live_order = load_order_book(context, proposal_id).live_target
    if live_order is None:
        return []
    try:
        target = order_state.settle_order(context, live_order)
    except Spy32Error as error:
        return [error]
    if target.state not in IN_FLIGHT:
        trade = context.store.trades.find_by_proposal(proposal_id)
        assert trade is not None
        state = "open without a target" if trade.state is TradeState.OPEN else trade.state
        reason = f" ({target.reason})" if target.reason else ""
        filled = f"{target.filled} of {target.quantity} filled"
        context.report(f"{target.reference}: {target.state}{reason}, {filled}; T{trade.id} is {state}")
    return []


def settle_proposal(context: TradingContext, proposal_id: int) -> list[Spy32Error]:
    """Settle the orders of a proposal that no process works, then its target; return what could not be settled.

    The caller holds the proposal's lock.
    """
    return [*order_state.recover_orders(context, proposal_id), *refresh_targets(context, proposal_id)]
