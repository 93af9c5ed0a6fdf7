"""Look up orders at the broker: one with its replacements or by its reference, or all of them as chains."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

from spy32.domain.orders import BrokerOrder, Order, limit_text, spreads_filled
from spy32.domain.proposals import CLOCK_TOLERANCE
from spy32.domain.spreads import Leg
from spy32.errors import BrokerRefused, NotPermitted, ServiceGone, Unavailable, Unresolved, Unusable
from spy32.lifecycle import FINAL, NEVER_AT_BROKER, OPEN_TRADES, OrderState
from spy32.sessions import market_date
from spy32.trading.context import TradingContext
from spy32.trading.order_book import load_order_legs

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
    return _merge_chain(chain, load_order_legs(context, order))


def _other_orders(context: TradingContext, order: Order) -> tuple[Order, ...]:
    """All other stored orders of the same proposal."""
    rows = context.store.orders.select_by_proposal(order.proposal_id)
    return tuple(stored for stored in rows if stored.id != order.id)


def _predecessors(
    context: TradingContext, broker_order: BrokerOrder, other_orders: tuple[Order, ...]
) -> list[BrokerOrder]:
    """Return the orders that this one replaced at the broker, oldest first, without those of other rows of ours."""
    predecessors: list[BrokerOrder] = []
    known_ids = {broker_order.broker_id, *(stored.broker_id for stored in other_orders)}
    previous_id = broker_order.replaces
    while previous_id is not None and previous_id not in known_ids:
        known_ids.add(previous_id)
        predecessors.insert(0, _load_linked_order(context, previous_id))
        previous_id = predecessors[0].replaces
    return predecessors


def _successor(
    context: TradingContext, order: Order, replaced: BrokerOrder, other_orders: tuple[Order, ...]
) -> BrokerOrder | None:
    """Return the order that replaced `replaced` at the broker, if it belongs to no other row of ours; else None.

    `Unresolved` when the broker says that it was replaced and not by what: that order may be alive.
    """
    if any(stored.replaces == order.id and stored.state not in NEVER_AT_BROKER for stored in other_orders):
        # An order is replaced once: the successor is our own replacement, or one of its successors.
        return None
    successor_id = replaced.replaced_by
    if successor_id is None and replaced.state in REPLACEABLE_STATES:
        # The broker may link the old order a moment after it ended, so the new order's link counts as well.
        todays_orders = context.orders.todays_orders()
        successor_id = next(
            (broker_order.broker_id for broker_order in todays_orders if broker_order.replaces == replaced.broker_id),
            None,
        )
    if successor_id is None and replaced.state is OrderState.REPLACED:
        raise Unresolved(f"order {replaced.broker_id} was replaced, and the broker does not show by what")
    if successor_id is None or any(stored.broker_id == successor_id for stored in other_orders):
        return None
    return _load_linked_order(context, successor_id)


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
        fills=tuple(fill for broker_order in chain for fill in broker_order.fills),
        fees=sum(fees[1:], fees[0]) if fees else None,
        is_replaced_by_hand=True,
        reason=f"replaced at the broker: {chain[0].broker_id} gave way to {last.broker_id}, for {last.quantity} at "
        f"{limit_text(last.limit)}",
    )


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
            matches = [min(matches, key=lambda broker_order: arrival_key(broker_order.broker_id))]
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
    prices = f"at {limit_text(broker_order.limit)}, not at {limit_text(order.limit)}"
    words = f"replaced at the broker: {broker_order.broker_id} stands {prices}"
    return replace(broker_order, is_replaced_by_hand=True, reason=words)


def _matching_orders(
    context: TradingContext, order: Order, broker_orders: tuple[BrokerOrder, ...]
) -> list[BrokerOrder]:
    """Return the orders with our reference or that replaced our original, only the last of each chain."""
    other_orders = _other_orders(context, order)
    other_ids = {stored.broker_id for stored in other_orders}
    original_ids = {stored.broker_id for stored in other_orders if stored.id == order.replaces} - {None}
    # A broker may carry the first reference through all replacements of a chain, or drop it.
    references = {"", *(stored.reference for stored in other_orders)}
    matches = [
        broker_order
        for broker_order in broker_orders
        if broker_order.broker_id not in other_ids
        and (
            broker_order.reference == order.reference
            or (broker_order.replaces in original_ids and broker_order.reference in references)
        )
    ]
    replaced_ids = {broker_order.replaces for broker_order in matches}
    return [broker_order for broker_order in matches if broker_order.broker_id not in replaced_ids]


def find_traces(context: TradingContext, order: Order) -> Iterator[str]:
    """Yield why an unlisted order may exist all the same: an order just like it, or positions beyond our book."""
    legs = load_order_legs(context, order)
    for broker_order in context.orders.search(market_date(order.created_at)):
        is_alive = broker_order.state not in FINAL or bool(broker_order.fills) or broker_order.is_unread
        is_later = broker_order.placed_at is None or broker_order.placed_at >= order.created_at - CLOCK_TOLERANCE
        may_match = broker_order.has_sides_of(legs) or (broker_order.is_unread and not broker_order.legs)
        if not (is_alive and is_later and may_match):
            continue
        if context.store.orders.find(broker_id=broker_order.broker_id, reference=broker_order.reference) is None:
            terms = broker_order.unread or f"{broker_order.quantity} at {limit_text(broker_order.limit)}"
            verb = "may have" if broker_order.is_unread else "has"
            yield f"order {broker_order.broker_id} {verb} the same legs ({broker_order.status}, {terms})"
    # Each leg that the broker holds beyond our book, in the direction in which this order would move it.
    book = book_positions(context)
    held = Counter({position.symbol: position.quantity for position in context.account.positions()})
    for leg in legs:
        if (held[leg.symbol] - book[leg.symbol]) * -leg.action.sign > 0:
            yield f"the broker holds {held[leg.symbol]} of {leg.symbol}, our book {book[leg.symbol]}"


def book_positions(context: TradingContext) -> Counter[str]:
    """Return the contracts of our open trades by symbol, negative when short."""
    book = Counter[str]()
    for trade in context.store.trades.select(*OPEN_TRADES):
        for leg in trade.legs:
            book[leg.symbol] -= leg.action.sign * leg.quantity * trade.remaining
    return book


# Chains: an order and its replacements. The broker lists each of them as a separate order.

ArrivalKey = tuple[int, str]


def arrival_key(broker_id: str) -> ArrivalKey:
    """Return a sort key that orders broker ids by number, oldest first: a broker numbers orders as they arrive."""
    return len(broker_id), broker_id


class OrderChain(NamedTuple):
    """An order at the broker with its replacements, oldest first."""

    orders: tuple[BrokerOrder, ...]
    """The orders of the chain that the broker listed."""
    ids: frozenset[str]
    """All broker ids of the chain, with those that are only named by a link."""

    @property
    def first_order(self) -> BrokerOrder:
        return self.orders[0]

    @property
    def last_order(self) -> BrokerOrder:
        return self.orders[-1]

    @property
    def arrival(self) -> ArrivalKey:
        """Arrival of the first order, so a new price does not make a chain younger."""
        return min(arrival_key(broker_id) for broker_id in self.ids)

    @property
    def is_alive(self) -> bool:
        return any(broker_order.state not in FINAL for broker_order in self.orders)

    @property
    def may_have_filled(self) -> bool:
        return self.is_alive or any(broker_order.fills for broker_order in self.orders)


def build_order_chains(broker_orders: Iterable[BrokerOrder]) -> tuple[OrderChain, ...]:
    """Return the chains that the listed orders form, oldest first."""
    orders = {broker_order.broker_id: broker_order for broker_order in broker_orders}
    groups: dict[str, frozenset[str]] = {}
    for broker_order in orders.values():
        linked_ids = set(filter(None, (broker_order.broker_id, broker_order.replaces, broker_order.replaced_by)))
        merged_ids = frozenset(linked_ids.union(*(groups.get(broker_id, ()) for broker_id in linked_ids)))
        groups.update(dict.fromkeys(merged_ids, merged_ids))
    chains = (
        OrderChain(tuple(orders[broker_id] for broker_id in sorted(ids & orders.keys(), key=arrival_key)), ids)
        for ids in set(groups.values())
    )
    return tuple(sorted(chains, key=lambda chain: chain.arrival))
