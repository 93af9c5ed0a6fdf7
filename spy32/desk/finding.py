"""Reading at the broker: an order with whatever took its place there, and one whose id never reached us."""

from collections.abc import Iterator
from dataclasses import replace

from spy32.desk.bench import Bench
from spy32.desk.lines import age_of
from spy32.domain.acting import BrokerOrder, Fill, Order, OrderKind, spreads_filled
from spy32.domain.deciding import CLOCK_TOLERANCE
from spy32.domain.trading import Leg
from spy32.errors import BrokerRefused, Gone, NotPermitted, Unavailable, Unresolved, Unusable
from spy32.lifecycle import FINAL, IN_FLIGHT, NEVER_THERE, OrderState, TradeState
from spy32.sessions import market_date

UNREADABLE = (Unavailable, Unresolved, Unusable, Gone, NotPermitted, BrokerRefused)
"""What a read may end with. None of it says that an order is not there."""
BY_HAND = "replaced at the broker"
MAY_BE_REPLACED = frozenset({OrderState.CANCELLED, OrderState.REPLACED})


def legs_of(bench: Bench, order: Order) -> tuple[Leg, ...]:
    """The legs as this order trades them: a profit target closes what its proposal opens."""
    legs = bench.store.proposal(order.proposal_id).legs
    if order.kind is OrderKind.TARGET:
        return tuple(replace(leg, action=leg.action.closing) for leg in legs)
    return legs


def lacks(seen: BrokerOrder, legs: tuple[Leg, ...]) -> bool:
    """An order may be seen to have ended before every fill is listed: a filled one, and a cancelled one with a part."""
    if seen.state not in FINAL:
        return False
    least = max(seen.quantity, 1) if seen.state is OrderState.FILLED else 0
    return seen.unlisted > 0 or spreads_filled(seen.fills, legs) < least


def uneven(fills: tuple[Fill, ...], legs: tuple[Leg, ...]) -> str:
    """The count of each leg in words when they do not make whole spreads; empty when they do."""
    done = {leg.symbol: sum(fill.quantity for fill in fills if fill.symbol == leg.symbol) for leg in legs}
    whole = spreads_filled(fills, legs)
    if all(done[leg.symbol] == whole * leg.quantity for leg in legs):
        return ""
    parts = ", ".join(f"{done[leg.symbol]} x {leg.action} {leg.symbol}" for leg in legs)
    return f"uneven fill: {parts}; {whole} whole spreads of it"


# An order with its id.


def view(bench: Bench, order: Order) -> BrokerOrder:
    """The order as the broker shows it now; `BrokerRefused` when it does not know the id."""
    return followed(bench, order, bench.orders.order(str(order.broker_id)))


def followed(bench: Bench, order: Order, seen: BrokerOrder) -> BrokerOrder:
    """The order with everything that replaced it without a request of ours, as one: it lives while any of them does.

    A replacement that we asked for has a row of its own and is left to it.
    """
    others = tuple(row for row in bench.store.orders(order.proposal_id) if row.id != order.id)
    chain = [*_before(bench, seen, others), seen]
    while (after := _successor(bench, order, chain[-1], others)) is not None:
        if any(after.broker_id == known.broker_id for known in chain):
            raise Unresolved(f"the broker shows order {after.broker_id} as its own successor")
        chain.append(after)
    return _folded(chain, legs_of(bench, order))


def _before(bench: Bench, seen: BrokerOrder, others: tuple[Order, ...]) -> list[BrokerOrder]:
    """What the order replaced at the broker, oldest first, as far as it is of this row."""
    found: list[BrokerOrder] = []
    ours = {row.broker_id for row in others}
    known = {seen.broker_id}
    back = seen.replaces
    while back is not None and back not in ours and back not in known:
        known.add(back)
        found.insert(0, _known(bench, back))
        back = found[0].replaces
    return found


def _successor(bench: Bench, order: Order, last: BrokerOrder, others: tuple[Order, ...]) -> BrokerOrder | None:
    """What replaced `last` at the broker and belongs to no other row of ours; None where nothing did.

    `Unresolved` when it says that it was replaced and does not show by what: that one may be alive.
    """
    if any(row.replaces == order.id and row.state in IN_FLIGHT and row.broker_id is None for row in others):
        # A replacement of ours whose answer never came: whatever is there is that one's.
        return None
    number = last.replaced_by
    if number is None and last.state in MAY_BE_REPLACED:
        # The link may be set a moment after the old order has ended, so the new one's own word counts as well.
        listed = bench.orders.todays_orders()
        number = next((seen.broker_id for seen in listed if seen.replaces == last.broker_id), None)
    heirs = [row for row in others if row.replaces == order.id and row.state not in NEVER_THERE]
    if number is None:
        if last.state is OrderState.REPLACED and not heirs:
            raise Unresolved(f"order {last.broker_id} was replaced, and the broker does not show by what")
        return None
    if any(row.broker_id is not None for row in heirs) or any(row.broker_id == number for row in others):
        # An order gives way once: what took its place is our own replacement, wherever that has gone since.
        return None
    seen = _known(bench, number)
    # Only a row that replaces this one can be meant by its name; a broker may carry the names of earlier ones on.
    return None if any(row.reference == seen.reference for row in heirs) else seen


def _known(bench: Bench, broker_id: str) -> BrokerOrder:
    """An order that another one names. One that cannot be read is no order that does not exist."""
    try:
        return bench.orders.order(broker_id)
    except BrokerRefused as refusal:
        raise Unresolved(f"the broker names order {broker_id} and does not show it ({refusal.message})") from refusal


def _folded(chain: list[BrokerOrder], legs: tuple[Leg, ...]) -> BrokerOrder:
    last = chain[-1]
    if len(chain) == 1:
        return last
    alive = any(seen.state not in FINAL or lacks(seen, legs) for seen in chain)
    won = any(seen.state is OrderState.FILLED for seen in chain)
    ended = OrderState.FILLED if won else last.state
    fees = [seen.fees for seen in chain if seen.fees is not None]
    return replace(
        last,
        state=OrderState.WORKING if alive else ended,
        fills=tuple(_fills(chain)),
        fees=sum(fees[1:], fees[0]) if fees else None,
        reason=f"{BY_HAND}: {chain[0].broker_id} gave way to {last.broker_id}, for {last.quantity} at {last.limit}",
    )


def _fills(chain: list[BrokerOrder]) -> Iterator[Fill]:
    for seen in chain:
        yield from seen.fills


# An order without one.


def find(bench: Bench, order: Order) -> BrokerOrder | None:
    """The order by our reference among today's, then among all since it was made; raises one of `UNREADABLE`.

    A replacement is known by the order that it replaced as well: whether a broker keeps a new reference is not sure.
    """
    for listing in (bench.orders.todays_orders, lambda: bench.orders.search(market_date(order.created_at))):
        found = _matches(bench, order, listing())
        for seen in found:
            if seen.unread:
                raise Unusable(f"order {seen.broker_id} looks like {order.reference} and cannot be read: {seen.unread}")
        if len(found) > 1 and all(seen.reference == order.reference for seen in found):
            # Two homes sent for one approval: the older is this row's, and the other is adopted beside it.
            found = sorted(found, key=lambda seen: age_of(seen.broker_id))[:1]
        if len(found) > 1:
            raise Unresolved(
                f"orders {' and '.join(seen.broker_id for seen in found)} at the broker both look like "
                f"{order.reference}; look at them there"
            )
        if found:
            return _by_whom(order, followed(bench, order, found[0]))
    return None


def _by_whom(order: Order, seen: BrokerOrder) -> BrokerOrder:
    """An heir at another price than ours was made by hand, and its price is not ours to work."""
    if seen.reference == order.reference or seen.limit == order.limit or seen.reason:
        return seen
    return replace(seen, reason=f"{BY_HAND}: {seen.broker_id} stands at {seen.limit}, not at {order.limit}")


def _matches(bench: Bench, order: Order, listed: tuple[BrokerOrder, ...]) -> list[BrokerOrder]:
    """Those with our reference, or that took the place of what this order replaces; the last of each line only."""
    others = [row for row in bench.store.orders(order.proposal_id) if row.id != order.id]
    theirs = {row.broker_id for row in others}
    old = next((row for row in others if row.id == order.replaces), None)
    # A broker may carry the first name of a line on through all its replacements, or drop it.
    names = {"", *(row.reference for row in others)}
    found = [
        seen
        for seen in listed
        if seen.broker_id not in theirs and (seen.reference == order.reference or _is_heir(seen, old, names))
    ]
    replaced = {seen.replaces for seen in found}
    return [seen for seen in found if seen.broker_id not in replaced]


def _is_heir(seen: BrokerOrder, old: Order | None, names: set[str]) -> bool:
    if old is None or old.broker_id is None:
        return False
    return seen.replaces == old.broker_id and seen.reference in names


def traces(bench: Bench, order: Order) -> tuple[str, ...]:
    """Why an order in no list may still be there: a nameless one just like it, or positions beyond our book."""
    return (*_twins(bench, order), *_beyond(bench, order))


def _twins(bench: Bench, order: Order) -> Iterator[str]:
    legs = {(leg.symbol, leg.action) for leg in legs_of(bench, order)}
    for seen in bench.orders.search(market_date(order.created_at)):
        is_alive = seen.state not in FINAL or bool(seen.fills or seen.unread)
        is_later = seen.placed_at is None or seen.placed_at >= order.created_at - CLOCK_TOLERANCE
        could_be = {(leg.symbol, leg.action) for leg in seen.legs} == legs or (bool(seen.unread) and not seen.legs)
        if not (is_alive and is_later and could_be):
            continue
        if bench.store.known_order(seen.broker_id, seen.reference) is None:
            has, terms = ("may have", seen.unread) if seen.unread else ("has", f"{seen.quantity} at {seen.limit}")
            yield f"order {seen.broker_id} {has} the same legs ({seen.status}, {terms})"


def _beyond(bench: Bench, order: Order) -> Iterator[str]:
    """Each leg that the broker's positions show beyond our book, on the side that this order would have moved it."""
    book: dict[str, int] = {}
    for trade in bench.store.trades(TradeState.OPEN, TradeState.CLOSING):
        for leg in trade.legs:
            book[leg.symbol] = book.get(leg.symbol, 0) - leg.action.sign * leg.quantity * trade.remaining
    held = {position.symbol: position.quantity for position in bench.account.positions()}
    for leg in legs_of(bench, order):
        there, ours = held.get(leg.symbol, 0), book.get(leg.symbol, 0)
        if (there - ours) * -leg.action.sign > 0:
            yield f"the broker holds {there} of {leg.symbol}, our book {ours}"
