"""What was left open around one approval, one order: older backups, edits while it works, absences."""

import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from spy32.errors import Refused, StoreError, Unresolved
from spy32.lifecycle import FINAL, OrderState
from spy32.trading.execute import execute
from spy32.trading.reconcile import reconcile
from tests.support import builders
from tests.support.copied_homes import live_desk, restored
from tests.support.fakes import TIMED_OUT
from tests.support.trading import TradingDesk


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[TradingDesk]:
    made = live_desk(tmp_path / "home")
    yield made
    made.store.close()


def edit(path: Path, statement: str) -> None:
    db = sqlite3.connect(path)
    db.execute(statement)
    db.commit()
    db.close()


def test_a_backup_older_than_the_approval_sends_nothing_over_what_the_lost_book_sent(
    desk: TradingDesk, tmp_path: Path
) -> None:
    made = desk.proposed()
    backup = desk.store.backup.create(tmp_path / "early.db")
    desk.store.proposals.approve(builders.approval(made))
    desk.clock.at = builders.later(minutes=6)
    desk.orders.fills_at = Decimal(9)
    execute(desk.trading_context, made.id)
    again = restored(desk, backup)
    again.clock.at = builders.later(minutes=12)
    at = again.clock()
    again.store.proposals.approve(
        builders.approval(again.store.proposals.get(made.id), at=at, until=at + timedelta(minutes=60))
    )
    with pytest.raises(Unresolved, match="does not have"):
        execute(again.trading_context, made.id)
    assert sum(order.quantity for order in again.orders.book.values()) == made.quantity
    (item,) = again.store.attention.open_items()
    again.store.attention.acknowledge(item.subject, "anna", again.clock())
    again.orders.fills_at = Decimal(9)
    execute(again.trading_context, made.id)
    desk.store = again.store


def test_a_row_that_is_edited_while_its_order_works_leaves_nothing_alive(desk: TradingDesk) -> None:
    proposal = desk.approved()
    slept, path = desk.clock.sleep, desk.store.core.path
    edits = ["update broker_order set broker_status = 'x' where id = 1"]

    def sleep(seconds: float) -> None:
        slept(seconds)
        if edits:
            edit(path, edits.pop())

    desk.clock.sleep = sleep  # type: ignore[method-assign]
    with pytest.raises(StoreError):
        execute(desk.trading_context, proposal)
    assert all(order.state in FINAL for order in desk.orders.book.values())


def test_an_acknowledgement_that_was_put_in_by_hand_is_not_acted_on(desk: TradingDesk) -> None:
    proposal = desk.approved()
    desk.store.attention.raise_item(f"P{proposal}", "late order", "look", desk.clock())
    edit(desk.store.core.path, "update attention set acknowledged_at = '2026-01-01T00:00:00Z', acknowledged_by = 'x'")
    with pytest.raises(StoreError, match="attention"):
        desk.store.audit.verify_order_basis()


def test_an_absent_entry_of_today_holds_back_every_opening_until_a_person_has_looked(desk: TradingDesk) -> None:
    first = desk.approved()
    take, lost = desk.orders._add_root, [True]

    def once(*words: object, **more: object) -> object:
        if lost:
            lost.pop()
            raise TIMED_OUT
        return take(*words, **more)  # type: ignore[arg-type]

    desk.orders._add_root = once  # type: ignore[method-assign, assignment]
    with pytest.raises(Unresolved):
        execute(desk.trading_context, first)
    desk.clock.sleep(700)
    reconcile(lambda _: desk.trading_context)
    assert desk.order_states(first) == [OrderState.ABSENT]
    made = desk.proposed()
    at = desk.clock()
    desk.store.proposals.approve(builders.approval(made, at=at, until=at + timedelta(minutes=60)))
    with pytest.raises(Refused, match="could still arrive"):
        execute(desk.trading_context, made.id)
    assert desk.orders.book == {}
