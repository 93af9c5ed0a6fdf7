"""What the paper broker did without an order, in its book."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from spy32.brokers.paper import parse_order_body
from spy32.domain.orders import OrderKind, TransactionKind
from spy32.domain.spreads import Position
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


def test_the_contracts_of_recorded_markets_are_known(store: Store) -> None:
    _place(store, "A")
    assert store.paper.recorded_symbols() == frozenset()
    _place(store, "B", is_recorded=True)
    assert store.paper.recorded_symbols() == {leg.symbol for leg in builders.spread().legs}


def _place(store: Store, reference: str, *, is_recorded: bool = False):  # type: ignore[no-untyped-def]
    body = plan.order_body(builders.spread().legs, 2, D(1), reference, kind=OrderKind.ENTRY)
    return store.paper.place(parse_order_body(body), NOW, is_recorded=is_recorded)
