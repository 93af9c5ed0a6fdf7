"""Look up an order at the broker: with its replacements, or by its reference when we have no broker id."""

from collections.abc import Iterator
from dataclasses import replace

from spy32.domain.orders import BrokerOrder, Fill, Order, limit_text, spreads_filled
from spy32.domain.proposals import CLOCK_TOLERANCE
from spy32.domain.spreads import Leg
from spy32.errors import BrokerRefused, NotPermitted, ServiceGone, Unavailable, Unresolved, Unusable
from spy32.lifecycle import FINAL, IN_FLIGHT, NEVER_AT_BROKER, OrderState, TradeState
from spy32.sessions import market_date
from spy32.trading.context import TradingContext
from spy32.trading.order_book import order_legs
from spy32.trading.order_chains import arrival_key

READ_ERRORS = (Unavailable, Unresolved, Unusable, ServiceGone, NotPermitted, BrokerRefused)
"""Errors of a read. None of them proves that an order is not at the broker."""
REPLACEABLE_STATES = frozenset({OrderState.CANCELLED, OrderState.REPLACED})


def has_unlisted_fills(broker_order: BrokerOrder, legs: tuple[Leg, ...]) -> bool:
    """Return whether the order has ended and the broker has not listed all of its fills yet."""
    if broker_order.state not in FINAL:
        return False
    expected = max(broker_order.quantity, 1) if broker_order.state is OrderState.FILLED else 0
    return broker_order.unlisted_quantity > 0 or spreads_filled(broker_order.fills, legs) < expected


# An order with a broker id.


def load_broker_order(context: TradingContext, order: Order) -> BrokerOrder:
    """Return the order with its replacements as the broker shows it now; `BrokerRefused` for an unknown id."""
    return follow_replacements(context, order, context.orders.order(str(order.broker_id)))


def follow_replacements(context: TradingContext, order: Order, broker_order: BrokerOrder) -> BrokerOrder:
    """Return the order merged with every replacement that we did not request: it is alive while any of them is.

    A replacement that we requested has its own row and is not merged.
    """
    other_orders = _other_orders(context, order)
    chain = [*_predecessors(context, broker_order, other_orders), broker_order]
    while (successor := _successor(context, order, chain[-1], other_orders)) is not None:
        if any(successor.broker_id == link.broker_id for link in chain):
            raise Unresolved(f"the broker shows order {successor.broker_id} as its own successor")
        chain.append(successor)
    return _merge_chain(chain, order_legs(context.store.proposals.get(order.proposal_id), order.kind))


def _other_orders(context: TradingContext, order: Order) -> tuple[Order, ...]:
    """All other stored orders of the same proposal."""
    rows = context.store.orders.select_by_proposal(order.proposal_id)
    return tuple(stored for stored in rows if stored.id != order.id)


def _predecessors(
    context: TradingContext, broker_order: BrokerOrder, other_orders: tuple[Order, ...]
) -> list[BrokerOrder]:
    """Return the orders that this one replaced at the broker, oldest first, without those of other rows of ours."""
    predecessors: list[BrokerOrder] = []
    our_ids = {stored.broker_id for stored in other_orders}
    visited = {broker_order.broker_id}
    previous_id = broker_order.replaces
    while previous_id is not None and previous_id not in our_ids and previous_id not in visited:
        visited.add(previous_id)
        predecessors.insert(0, _load_linked_order(context, previous_id))
        previous_id = predecessors[0].replaces
    return predecessors


def _successor(
    context: TradingContext, order: Order, replaced: BrokerOrder, other_orders: tuple[Order, ...]
) -> BrokerOrder | None:
    """Return the order that replaced `replaced` at the broker, if it belongs to no other row of ours; else None.

    `Unresolved` when the broker says that it was replaced and not by what: that order may be alive.
    """
    if any(
        stored.replaces == order.id and stored.state in IN_FLIGHT and stored.broker_id is None
        for stored in other_orders
    ):
        # The answer to our own replacement never came: the successor belongs to that row.
        return None
    successor_id = replaced.replaced_by
    if successor_id is None and replaced.state in REPLACEABLE_STATES:
        # The broker may link the old order a moment after it ended, so the new order's link counts as well.
        todays_orders = context.orders.todays_orders()
        successor_id = next(
            (broker_order.broker_id for broker_order in todays_orders if broker_order.replaces == replaced.broker_id),
            None,
        )
    replacements = [
        stored for stored in other_orders if stored.replaces == order.id and stored.state not in NEVER_AT_BROKER
    ]
    if successor_id is None:
        if replaced.state is OrderState.REPLACED and not replacements:
            raise Unresolved(f"order {replaced.broker_id} was replaced, and the broker does not show by what")
        return None
    if any(stored.broker_id is not None for stored in replacements) or any(
        stored.broker_id == successor_id for stored in other_orders
    ):
        # An order is replaced once: the successor is our own replacement, or one of its successors.
        return None
    broker_order = _load_linked_order(context, successor_id)
    # A reference counts only for rows that replace this one; a broker may carry older references on.
    return None if any(stored.reference == broker_order.reference for stored in replacements) else broker_order


def _load_linked_order(context: TradingContext, broker_id: str) -> BrokerOrder:
    """Return an order that a link names. `Unresolved` if the broker does not show it, since it may still exist."""
    try:
        return context.orders.order(broker_id)
    except BrokerRefused as refusal:
        raise Unresolved(f"the broker names order {broker_id} and does not show it ({refusal.message})") from refusal


def _merge_chain(chain: list[BrokerOrder], legs: tuple[Leg, ...]) -> BrokerOrder:
    last = chain[-1]
    if len(chain) == 1:
        return last
    is_working = any(
        broker_order.state not in FINAL or has_unlisted_fills(broker_order, legs) for broker_order in chain
    )
    was_filled = any(broker_order.state is OrderState.FILLED for broker_order in chain)
    end_state = OrderState.FILLED if was_filled else last.state
    fees = [broker_order.fees for broker_order in chain if broker_order.fees is not None]
    return replace(
        last,
        state=OrderState.WORKING if is_working else end_state,
        fills=tuple(_chain_fills(chain)),
        fees=sum(fees[1:], fees[0]) if fees else None,
        is_replaced_by_hand=True,
        reason=_words_by_hand(
            f"{chain[0].broker_id} gave way to {last.broker_id}, for {last.quantity} at {limit_text(last.limit)}"
        ),
    )


def _words_by_hand(how: str) -> str:
    return f"replaced at the broker: {how}"


def _chain_fills(chain: list[BrokerOrder]) -> Iterator[Fill]:
    for broker_order in chain:
        yield from broker_order.fills


# An order without a broker id.


def find_order(context: TradingContext, order: Order) -> BrokerOrder | None:
    """Return the order with our reference among today's orders, then among all since its day; None if there is none.

    A replacement is also recognised by the order that it replaced, since a broker may drop the new reference. Raises
    one of `READ_ERRORS` when the broker cannot be read or two orders match.
    """
    for listing in (context.orders.todays_orders, lambda: context.orders.search(market_date(order.created_at))):
        matches = _matching_orders(context, order, listing())
        for broker_order in matches:
            if broker_order.is_unread:
                raise Unusable(
                    f"order {broker_order.broker_id} looks like {order.reference} and cannot be read: "
                    f"{broker_order.unread}"
                )
        if len(matches) > 1 and all(broker_order.reference == order.reference for broker_order in matches):
            # Two homes sent for one approval: the older belongs to this row, and the other is adopted beside it.
            matches = sorted(matches, key=lambda broker_order: arrival_key(broker_order.broker_id))[:1]
        if len(matches) > 1:
            raise Unresolved(
                f"orders {' and '.join(broker_order.broker_id for broker_order in matches)} at the broker "
                "both look like "
                f"{order.reference}; look at them there"
            )
        if matches:
            return _mark_manual_edit(order, follow_replacements(context, order, matches[0]))
    return None


def _mark_manual_edit(order: Order, broker_order: BrokerOrder) -> BrokerOrder:
    """A successor at a different price was edited manually; do not reprice it."""
    if (
        broker_order.reference == order.reference
        or broker_order.limit == order.limit
        or broker_order.is_replaced_by_hand
    ):
        return broker_order
    words = _words_by_hand(
        f"{broker_order.broker_id} stands at {limit_text(broker_order.limit)}, not at {limit_text(order.limit)}"
    )
    return replace(broker_order, is_replaced_by_hand=True, reason=words)


def _matching_orders(
    context: TradingContext, order: Order, broker_orders: tuple[BrokerOrder, ...]
) -> list[BrokerOrder]:
    """Return the orders with our reference or that replaced our original, only the last of each chain."""
    other_orders = _other_orders(context, order)
    other_ids = {stored.broker_id for stored in other_orders}
    original = next((stored for stored in other_orders if stored.id == order.replaces), None)
    # A broker may carry the first reference through all replacements of a chain, or drop it.
    references = {"", *(stored.reference for stored in other_orders)}
    matches = [
        broker_order
        for broker_order in broker_orders
        if broker_order.broker_id not in other_ids
        and (broker_order.reference == order.reference or _is_successor(broker_order, original, references))
    ]
    replaced_ids = {broker_order.replaces for broker_order in matches}
    return [broker_order for broker_order in matches if broker_order.broker_id not in replaced_ids]


def _is_successor(broker_order: BrokerOrder, original: Order | None, references: set[str]) -> bool:
    if original is None or original.broker_id is None:
        return False
    return broker_order.replaces == original.broker_id and broker_order.reference in references


def find_traces(context: TradingContext, order: Order) -> tuple[str, ...]:
    """Return why an unlisted order may exist all the same: an order just like it, or positions beyond our book."""
    legs = order_legs(context.store.proposals.get(order.proposal_id), order.kind)
    return (*_lookalike_orders(context, order, legs), *_unexplained_positions(context, legs))


def _lookalike_orders(context: TradingContext, order: Order, legs: tuple[Leg, ...]) -> Iterator[str]:
    sides = {(leg.symbol, leg.action) for leg in legs}
    for broker_order in context.orders.search(market_date(order.created_at)):
        is_alive = broker_order.state not in FINAL or bool(broker_order.fills) or broker_order.is_unread
        is_later = broker_order.placed_at is None or broker_order.placed_at >= order.created_at - CLOCK_TOLERANCE
        may_match = {(leg.symbol, leg.action) for leg in broker_order.legs} == sides or (
            broker_order.is_unread and not broker_order.legs
        )
        if not (is_alive and is_later and may_match):
            continue
        if context.store.orders.find(broker_id=broker_order.broker_id, reference=broker_order.reference) is None:
            verb, terms = (
                ("may have", broker_order.unread)
                if broker_order.is_unread
                else ("has", f"{broker_order.quantity} at {limit_text(broker_order.limit)}")
            )
            yield f"order {broker_order.broker_id} {verb} the same legs ({broker_order.status}, {terms})"


def _unexplained_positions(context: TradingContext, legs: tuple[Leg, ...]) -> Iterator[str]:
    """Yield each leg that the broker holds beyond our book, in the direction in which this order would move it."""
    book_quantities: dict[str, int] = {}
    for trade in context.store.trades.select(TradeState.OPEN, TradeState.CLOSING):
        for leg in trade.legs:
            book_quantities[leg.symbol] = (
                book_quantities.get(leg.symbol, 0) - leg.action.sign * leg.quantity * trade.remaining
            )
    broker_quantities = {position.symbol: position.quantity for position in context.account.positions()}
    for leg in legs:
        broker_quantity, book_quantity = broker_quantities.get(leg.symbol, 0), book_quantities.get(leg.symbol, 0)
        if (broker_quantity - book_quantity) * -leg.action.sign > 0:
            yield f"the broker holds {broker_quantity} of {leg.symbol}, our book {book_quantity}"
