"""Tables that refuse what they must, and migrations that happen wholly or not at all."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest

from spy32.domain.market import RawDocument
from spy32.domain.model_calls import ResponseCheck
from spy32.domain.transactions import Adoption, Disposal, Transaction, TransactionKind
from spy32.errors import StoreError
from spy32.lifecycle import TradeState
from spy32.schema import (
    APPEND_ONLY,
    APPLICATION_ID,
    AUDITED_TABLES,
    MIGRATIONS,
    NO_DELETE,
    VERSION,
    Migration,
    migrate,
    schema_version,
)
from spy32.store import Store
from tests.support import builders, outcomes
from tests.support.builders import NOW, broker_order, later, notice_text, order
from tests.support.stores import asking, filled, heard, opened, sent, whole_run


def fresh() -> sqlite3.Connection:
    db = sqlite3.connect(":memory:", isolation_level=None)
    migrate(db)
    return db


def layout(db: sqlite3.Connection) -> list[tuple[str, ...]]:
    return db.execute("select type, name, sql from sqlite_master order by type, name").fetchall()


def add_colour(db: sqlite3.Connection) -> None:
    db.execute("alter table run add column colour text")


def fail_half_way(db: sqlite3.Connection) -> None:
    db.execute("create table half (id integer primary key) strict")
    db.execute("insert into nowhere values (1)")


def test_a_new_database_carries_our_id_and_the_newest_version() -> None:
    db = fresh()
    assert db.execute("pragma application_id").fetchone()[0] == APPLICATION_ID
    assert schema_version(db) == VERSION == len(MIGRATIONS)


def test_every_table_is_strict() -> None:
    tables = fresh().execute("select name, strict from pragma_table_list where schema = 'main' and type = 'table'")
    loose = {name for name, strict in tables if not strict}
    assert loose == {"sqlite_schema"}


def test_every_table_is_either_append_only_or_kept_and_all_but_the_history_are_recorded() -> None:
    found = {row[0] for row in fresh().execute("select name from sqlite_master where type = 'table'")}
    assert found == {*APPEND_ONLY, *NO_DELETE}
    assert not {*APPEND_ONLY} & {*NO_DELETE}
    assert {*AUDITED_TABLES} == found - {"event", "last_event"}


@pytest.mark.parametrize("value", [1.5, "1.50", "half"])
def test_money_that_is_not_whole_ten_thousandths_is_refused(value: object) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        fresh().execute("insert into cash (book, kind, amount_e4, at) values ('paper', 'x', ?, 'now')", (value,))


@pytest.mark.slow
@pytest.mark.parametrize("table", APPEND_ONLY)
def test_a_row_of_an_append_only_table_cannot_be_changed(table: str, tmp_path: Path) -> None:
    with opened(tmp_path / "paper.db", opening_cash=None) as store:
        _one_of_everything(store)
        with pytest.raises(sqlite3.IntegrityError, match="never changed"):
            store.core.db.execute(f"update {table} set id = id + 1000")


@pytest.mark.slow
@pytest.mark.parametrize("table", [*APPEND_ONLY, *NO_DELETE])
def test_no_row_can_be_deleted(table: str, tmp_path: Path) -> None:
    with opened(tmp_path / "paper.db", opening_cash=None) as store:
        _one_of_everything(store)
        with pytest.raises(sqlite3.IntegrityError, match="never deleted"):
            store.core.db.execute(f"delete from {table}")


def _one_of_everything(store: Store) -> None:
    """A row in every table."""
    whole_run(store)
    store.experiments.register(builders.experiment_terms(), NOW)
    _, trade = filled(store)
    made, yes, _ = sent(store)
    store.proposals.record_viewing(made.id, "anna", NOW)
    store.attention.raise_item("T1", "below_floor", "look", NOW)
    store.paper.place(broker_order(order(made, yes)), NOW)
    store.flags.record("paused", "yes", NOW)
    store.notices.record_delivery(store.notices.add(notice_text(), NOW), "phone", NOW)
    number = store.model_calls.begin(1, asking(), NOW)
    store.model_calls.end(number, heard(), NOW)
    store.model_calls.record_check(number, ResponseCheck(parser=1, decision="abstain"), NOW)
    store.documents.save(1, (RawDocument(source="cboe", name="chain", at=NOW, body=b"{}"),), NOW)
    line = Transaction(id="1", kind=TransactionKind.TRADE, at=later(900), symbol=trade.legs[0].symbol)
    gone = Adoption(trade_id=trade.id, state=TradeState.CLOSED, spreads=1, transactions=(line,), reason="by hand")
    store.adoptions.adopt(gone, was=TradeState.OPEN, held=2, at=later(900))
    store.marks.add(builders.mark(trade.id, at=later(900)))
    store.paper.record_events((builders.paper_event(),), later(900), known=0)
    _, other = filled(store)
    assigned = Adoption(
        trade_id=other.id, state=TradeState.ASSIGNED, spreads=2, transactions=(line,), reason="assigned"
    )
    store.adoptions.adopt(assigned, was=TradeState.OPEN, held=2, at=later(900))
    store.outcomes.closes.save([outcomes.close()], NOW)
    store.outcomes.save([outcomes.outcome()], NOW)
    store.adoptions.dispose(Disposal(trade_id=other.id, transactions=(line,)), known=0, at=later(901))


def test_an_older_database_ends_equal_to_a_fresh_one() -> None:
    steps = (MIGRATIONS[0], add_colour)
    old = sqlite3.connect(":memory:", isolation_level=None)
    migrate(old, steps[:1])
    assert schema_version(old) == 1
    assert migrate(old, steps) == 1
    new = sqlite3.connect(":memory:", isolation_level=None)
    migrate(new, steps)
    assert layout(old) == layout(new)
    assert schema_version(old) == schema_version(new) == 2


def test_migrating_twice_changes_nothing() -> None:
    db = fresh()
    before = layout(db)
    assert migrate(db) == VERSION
    assert layout(db) == before


@pytest.mark.parametrize("steps", [(*MIGRATIONS, fail_half_way), (*MIGRATIONS, add_colour, fail_half_way)])
def test_a_migration_that_fails_half_way_leaves_nothing(steps: Sequence[Migration]) -> None:
    db = fresh()
    before = layout(db)
    with pytest.raises(sqlite3.OperationalError):
        migrate(db, steps)
    assert layout(db) == before
    assert schema_version(db) == VERSION
    assert db.execute("pragma foreign_keys").fetchone()[0] == 1
    assert not db.in_transaction


def test_a_migration_that_would_break_a_reference_leaves_nothing() -> None:
    def orphan(db: sqlite3.Connection) -> None:
        db.execute("insert into step (run_id, name, state, ms, detail, ended_at) values (99, 'a', 'ok', 1, '', 'now')")

    db = fresh()
    with pytest.raises(StoreError, match="step"):
        migrate(db, (*MIGRATIONS, orphan))
    assert db.execute("select count(*) from step").fetchone()[0] == 0
    assert schema_version(db) == VERSION
