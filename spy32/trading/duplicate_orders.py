"""Duplicate check after an entry is placed: another copy of this home may have sent an order for the same approval."""

from collections.abc import Iterator
from contextlib import suppress

from spy32.domain.orders import Order, OrderKind
from spy32.domain.proposals import CLOCK_TOLERANCE
from spy32.errors import Spy32Error, Unresolved
from spy32.lifecycle import FINAL, NEVER_AT_BROKER, OrderState
from spy32.trading import order_adoption, order_state
from spy32.trading.context import TradingContext
from spy32.trading.order_book import order_legs
from spy32.trading.order_chains import OrderChain, arrival_key, build_order_chains
from spy32.trading.order_lookup import READ_ERRORS


class DuplicateCancelled(Unresolved):
    """Our order was the younger of two and was cancelled. The older one, which another home works, was left alone."""


def check_duplicates_with_retry(context: TradingContext, order: Order) -> Order:
    """`check_duplicates`, repeated with pauses while today's orders cannot be read; then the order as stored."""
    for wait in order_state.FILL_WAITS:
        try:
            return check_duplicates(context, order)
        except READ_ERRORS as error:
            if isinstance(error, Unresolved):
                raise
            context.report(f"{order.reference}: today's orders cannot be read yet ({error.message})")
            context.sleep(wait)
    return context.store.orders.get(order.id)


def check_duplicates(context: TradingContext, order: Order) -> Order:
    """Return the order once today's orders show no other one for its approval.

    A second order with the approval's reference is adopted, and the younger of the two is cancelled and confirmed. An
    order with the same legs that is not in our book is left alone; ours is cancelled if it is the younger. Raises
    `DuplicateCancelled` when ours was cancelled, `Unresolved` when that cannot be confirmed.
    """
    if not context.orders.is_shared or order.kind is not OrderKind.ENTRY or order.state in NEVER_AT_BROKER:
        return order
    was_working = order.state not in FINAL
    chains = build_order_chains(context.orders.todays_orders())
    order_adoption.adopt_orders(context, chains, locked_proposal_id=order.proposal_id)
    _cancel_if_younger(context, order, chains)
    order = context.store.orders.get(order.id)
    unreviewed = order_adoption.find_unreviewed_error(context, order.proposal_id)
    if was_working and order.state is OrderState.CANCELLED and not order.filled and unreviewed is not None:
        with suppress(Spy32Error):
            order_state.conclude_proposal(context, order.proposal_id, reason="the younger of two orders was cancelled")
        raise DuplicateCancelled(unreviewed.message)
    return order


def _cancel_if_younger(context: TradingContext, order: Order, chains: tuple[OrderChain, ...]) -> None:
    """Report orders with the same legs that are not in our book, and cancel ours when one of them is older."""
    arrival = next(
        (chain.arrival for chain in chains if order.broker_id in chain.ids), arrival_key(str(order.broker_id))
    )
    for rival in _rival_chains(context, order, chains):
        broker_order = rival.last_order
        message = (
            f"order {broker_order.broker_id} at the broker ({broker_order.status}) has the same legs and is not "
            "in this book"
        )
        context.report(f"LOOK AT THIS: {message}")
        context.store.attention.raise_item(
            f"P{order.proposal_id}", order_adoption.SECOND_ORDER, message, context.clock()
        )
        if rival.arrival < arrival and context.store.orders.get(order.id).state is OrderState.WORKING:
            order_state.cancel_order(context, context.store.orders.get(order.id))


def _rival_chains(context: TradingContext, order: Order, chains: tuple[OrderChain, ...]) -> Iterator[OrderChain]:
    """Yield chains with our legs that are not in our book, and that are alive or filled after ours was created."""
    legs = {(leg.symbol, leg.action) for leg in order_legs(context.store.proposals.get(order.proposal_id), order.kind)}
    for chain in chains:
        placed_at = chain.first_order.placed_at
        is_recent = placed_at is None or placed_at >= order.created_at - CLOCK_TOLERANCE
        may_have_filled = chain.is_alive or (is_recent and any(broker_order.fills for broker_order in chain.orders))
        has_same_legs = {(leg.symbol, leg.action) for leg in chain.last_order.legs} == legs
        if may_have_filled and has_same_legs and order_adoption.is_foreign(context, chain):
            yield chain
