"""What the paper broker did without an order, in its book."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from spy32.brokers.paper import parse_order_body
from spy32.domain.orders import Fill, OrderKind
from spy32.domain.spreads import Position
from spy32.domain.transactions import TransactionKind
from spy32.rules import plan
from spy32.store import Store
from tests.support import builders
from tests.support.builders import NOW, later, paper_event
from tests.support.stores import opened

D = Decimal
DELIVERY = paper_event(
    kind=TransactionKind.OTHER,
    symbol="SPY",
    quantity=200,
    price=D(640),
    cash=D(-128_000),
    fees=D(5),
    description="shares of the assignment",
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with opened(tmp_path / "paper.db", opening_cash=D(100_000)) as made:
        yield made


def test_events_come_back_as_they_were_with_their_cash_and_fees(store: Store) -> None:
    removal = paper_event(kind=TransactionKind.ASSIGNMENT)
    settled = paper_event(symbol="XSP   251107P00640000", price=D(640), cash=D("-576.50"), fees=D(5))
    assert store.paper.record_events((removal, DELIVERY, settled), later(days=33), known=0)
    assert store.paper.events() == (removal, DELIVERY, settled)
    assert store.paper.cash() == D(100_000) - 128_000 - 5 - D("576.50") - 5
    rows = store.core.rows("select kind, amount_e4 from cash where paper_event_id is not null order by id")
    assert [(row["kind"], row["amount_e4"]) for row in rows] == [
        ("shares", -1_280_000_000),
        ("fees", -50_000),
        ("premium", -5_765_000),
        ("fees", -50_000),
    ]
    assert store.audit.verify().broken is None


def test_events_that_were_computed_from_an_older_book_are_not_stored(store: Store) -> None:
    assert store.paper.record_events((DELIVERY,), later(days=33), known=0)
    assert not store.paper.record_events((DELIVERY,), later(days=33), known=0)
    assert store.paper.events() == (DELIVERY,)
    assert store.paper.record_events((DELIVERY,), later(days=34), known=1)
    assert store.paper.positions() == (Position(symbol="SPY", quantity=400, average_price=D(640)),)


def test_only_orders_that_have_not_ended_work(store: Store) -> None:
    placed = [_place(store, name) for name in ("A", "B")]
    store.paper.update_status(placed[0].broker_id, was="Live", status="Cancelled")
    assert store.paper.working_orders() == (placed[1],)


def test_working_orders_are_told_apart_by_their_market(store: Store) -> None:
    real, recorded = _place(store, "A"), _place(store, "B", is_recorded=True)
    assert store.paper.working_orders() == (real, recorded)
    assert store.paper.working_orders(is_recorded=False) == (real,)
    assert store.paper.working_orders(is_recorded=True) == (recorded,)


def test_the_same_contract_is_held_apart_on_recorded_and_other_markets(store: Store) -> None:
    short, long = (leg.symbol for leg in builders.spread().legs)
    _fill(store, "A", quantity=3, is_recorded=True)
    _fill(store, "B", quantity=2)
    assert _lots(store) == {True: {short: -3, long: 3}, False: {short: -2, long: 2}}
    gone = replace(DELIVERY, symbol=short, quantity=3)
    assert store.paper.record_events((gone,), later(days=33), known=0, is_recorded=True)
    assert _lots(store) == {True: {long: 3}, False: {short: -2, long: 2}}
    assert store.paper.events(is_recorded=False) == ()
    assert store.paper.events(is_recorded=True) == store.paper.events() == (gone,)


def test_a_close_takes_from_its_own_market_first(store: Store) -> None:
    short, long = (leg.symbol for leg in builders.spread().legs)
    _fill(store, "A", quantity=3, is_recorded=True)
    _fill(store, "B", quantity=2)
    _fill(store, "C", quantity=4, closes=True)
    assert _lots(store) == {True: {short: -1, long: 1}, False: {}}


def _lots(store: Store) -> dict[bool, dict[str, int]]:
    return {kind: {lot.symbol: lot.quantity for lot in store.paper.lots(is_recorded=kind)} for kind in (True, False)}


def _fill(store: Store, reference: str, *, quantity: int, closes: bool = False, is_recorded: bool = False) -> None:
    placed = _place(store, reference, quantity=quantity, closes=closes, is_recorded=is_recorded)
    fills = tuple(
        Fill(fill_id=f"{reference}{leg.symbol}", symbol=leg.symbol, action=leg.action, quantity=quantity, price=D(1),
             at=NOW)
        for leg in placed.legs
    )  # fmt: skip
    assert store.paper.fill(placed.broker_id, fills, D(0), D(0))


def _place(  # type: ignore[no-untyped-def]
    store: Store, reference: str, *, quantity: int = 2, closes: bool = False, is_recorded: bool = False
):
    legs = builders.spread().legs
    if closes:
        legs = tuple(replace(leg, action=leg.action.closing) for leg in legs)
    kind, limit = (OrderKind.EXIT, D(-1)) if closes else (OrderKind.ENTRY, D(1))
    body = plan.order_body(legs, quantity, limit, reference, kind=kind)
    return store.paper.place(parse_order_body(body), NOW, is_recorded=is_recorded)
