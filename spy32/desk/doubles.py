"""After an entry was placed, today's orders are read again: another copy of this home may have sent one as well."""

from collections.abc import Iterator
from contextlib import suppress

from spy32.desk import finding, own_orders, settle
from spy32.desk.bench import Bench
from spy32.desk.finding import UNREADABLE
from spy32.desk.lines import Line, age_of, lines_of
from spy32.domain.acting import Order, OrderKind
from spy32.domain.deciding import CLOCK_TOLERANCE
from spy32.errors import Spy32Error, Unresolved
from spy32.lifecycle import FINAL, NEVER_THERE, OrderState


class Outranked(Unresolved):
    """Our order was the younger of two and was cancelled; the older one, which another home works, is left alone."""


def look_after_placing(bench: Bench, order: Order) -> Order:
    """The same with patience: what cannot be read now is read again before the price is worked."""
    for wait in settle.FILL_WAITS:
        try:
            return look_again(bench, order)
        except UNREADABLE as trouble:
            if isinstance(trouble, Unresolved):
                raise
            bench.tell(f"{order.reference}: today's orders cannot be read yet ({trouble.message})")
            bench.sleep(wait)
    return _row(bench, order)


def look_again(bench: Bench, order: Order) -> Order:
    """The order, alone for its approval as far as today's orders show.

    A second one with the name of the approval is adopted, and the younger of both is cancelled and confirmed. Another
    one with the same legs that our book does not have is left alone; ours is cancelled when it is the younger.
    `Outranked` when ours was cancelled, `Unresolved` when that cannot be confirmed.
    """
    if not bench.orders.is_shared or order.kind is not OrderKind.ENTRY or order.state in NEVER_THERE:
        return order
    was_alive = order.state not in FINAL
    lines = lines_of(bench.orders.todays_orders())
    own_orders.adopt_listed(bench, lines, held=order.proposal_id)
    _give_way(bench, order, lines)
    order = _row(bench, order)
    if was_alive and order.state is OrderState.CANCELLED and not order.filled and _unseen(bench, order):
        with suppress(Spy32Error):
            settle.conclude(bench, order.proposal_id, reason="the younger of two orders was cancelled")
        raise Outranked(_unseen(bench, order))
    return order


def _row(bench: Bench, order: Order) -> Order:
    assert order.id is not None
    return bench.store.order(order.id)


def _unseen(bench: Bench, order: Order) -> str:
    """Why a person must look, empty when there is nothing."""
    try:
        own_orders.stop_if_unseen(bench, order.proposal_id)
    except Unresolved as trouble:
        return trouble.message
    return ""


def _give_way(bench: Bench, order: Order, lines: tuple[Line, ...]) -> None:
    """Tell of orders with the same legs that are not in our book; cancel ours when one of them is older."""
    age = next((line.age for line in lines if order.broker_id in line.ids), age_of(str(order.broker_id)))
    for rival in _rivals(bench, order, lines):
        last = rival.last
        message = f"order {last.broker_id} at the broker ({last.status}) has the same legs and is not in this book"
        bench.tell(f"LOOK AT THIS: {message}")
        bench.store.raise_attention(f"P{order.proposal_id}", own_orders.SECOND, message, bench.clock())
        if rival.age < age and _row(bench, order).state is OrderState.WORKING:
            settle.cancelled(bench, _row(bench, order))


def _rivals(bench: Bench, order: Order, lines: tuple[Line, ...]) -> Iterator[Line]:
    """Lines with our legs that our book does not have, and that live or filled while ours was sent."""
    legs = {(leg.symbol, leg.action) for leg in finding.legs_of(bench, order)}
    for line in lines:
        placed = line.root.placed_at
        is_recent = placed is None or placed >= order.created_at - CLOCK_TOLERANCE
        may_count = line.is_alive or (is_recent and any(seen.fills for seen in line.orders))
        has_our_legs = {(leg.symbol, leg.action) for leg in line.last.legs} == legs
        if may_count and has_our_legs and own_orders.is_not_ours(bench, line):
            yield line
