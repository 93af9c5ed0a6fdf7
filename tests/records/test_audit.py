"""The history as evidence: any edit of a row or of the chain is found, and the first one named."""

import json
import random
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from spy32.domain.codec import GENESIS, event_hash, row_digest
from spy32.errors import StoreError
from spy32.schema import AUDITED_TABLES
from spy32.store import Store
from tests.support.audit_files import lived_history
from tests.support.builders import NOW, notice_text
from tests.support.stores import audit_events, begun, filled, opened, whole_run


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with opened(tmp_path / "paper.db", opening_cash=Decimal(100_000)) as found:
        whole_run(found)
        filled(found)
        found.flags.record("paused", "yes", NOW)
        yield found


def unguarded(store: Store) -> None:
    """What somebody with a database tool would do first."""
    for row in store.core.db.execute("select name from sqlite_master where type = 'trigger'").fetchall():
        store.core.db.execute(f"drop trigger {row['name']}")
    store.core.db.execute("pragma foreign_keys = off")


def broken(store: Store) -> str:
    found = store.audit.verify().broken
    assert found is not None
    return found


def test_an_untouched_history_is_whole(store: Store) -> None:
    report = store.audit.verify()
    assert (report.head, report.broken) == (store.audit.head(), None)
    assert report.events == store.core.db.execute("select count(*) from event").fetchone()[0] > 15


@pytest.mark.parametrize(
    ("edit", "found"),
    [
        ("update trade set quantity = 9", "row 1 of trade was changed by hand"),
        ("delete from fill where id = 2", "row 2 of fill was deleted by hand"),
        ("update event set at = '2020-01-01T00:00:00Z' where id = 4", "event 4 was changed"),
        ("update candidate set body = '{}' where id = 1", None),
    ],
)
def test_what_an_order_rests_on_is_checked_and_nothing_else(store: Store, edit: str, found: str | None) -> None:
    store.audit.verify_order_basis()
    unguarded(store)
    store.core.db.execute(edit)
    assert store.audit.verify().broken is not None
    if found is None:
        store.audit.verify_order_basis()
        return
    with pytest.raises(StoreError, match=found):
        store.audit.verify_order_basis()


def test_every_write_makes_exactly_one_event(tmp_path: Path) -> None:
    with opened(tmp_path / "paper.db") as store:
        assert store.audit.verify().events == 1
        begun(store)
        assert store.audit.verify().events == 2


def test_every_row_of_every_table_is_spoken_of(store: Store) -> None:
    spoken = {key for event in audit_events(store) for key in json.loads(event.data)["rows"]}
    rows = {
        f"{table}:{row['id']}"
        for table in AUDITED_TABLES
        for row in store.core.db.execute(f"select id from {table}").fetchall()
    }
    assert spoken == rows


def test_events_come_back_in_order_with_their_links(store: Store) -> None:
    previous = GENESIS
    for place, event in enumerate(audit_events(store), 1):
        assert event.id == place
        assert event.previous == previous
        previous = event.hash
    assert previous == store.audit.head()


def test_the_hash_of_an_event_covers_all_that_it_says() -> None:
    fields = {"id": 1, "at": "a", "kind": "k", "subject": "s", "data": "{}", "previous": GENESIS}
    hashes = {event_hash(GENESIS, fields), *(event_hash(GENESIS, {**fields, name: "other"}) for name in fields)}
    assert len(hashes | {event_hash("1" * 64, fields)}) == len(fields) + 2


def test_the_digest_of_a_row_covers_every_column_and_leaves_out_what_is_empty() -> None:
    row = {"id": 1, "a": "x", "b": None, "c": b"\x00"}
    assert row_digest(row) == row_digest({**row, "new": None})
    assert row_digest(row) != row_digest({**row, "b": ""})
    assert row_digest(row) != row_digest({**row, "c": b"\x01"})
    assert row_digest(row) != row_digest({**row, "a": "y"})


@pytest.mark.slow
@pytest.mark.parametrize(
    "sql",
    [
        "update run set cause = 'other' where id = 1",
        "update answer set response = 'what it never said' where id = 1",
        "update fill set price_e4 = price_e4 + 100 where id = 1",
        "update snapshot set data = x'00' where id = 1",
        "update approval set approved_by = 'bert' where id = 1",
        "update trade set state = 'closed' where id = 1",
        "update cash set amount_e4 = 1 where id = 1",
        "update stamp set account = 'other' where id = 1",
        "update flag set value = 'no' where id = 1",
    ],
)
def test_a_changed_row_is_named(store: Store, sql: str) -> None:
    unguarded(store)
    store.core.db.execute(sql)
    assert broken(store) == f"row 1 of {sql.split()[1]} was changed by hand"


def test_a_row_put_in_by_hand_is_named(store: Store) -> None:
    store.core.db.execute("insert into flag (name, value, at) values ('halt', 'no', 'now')")
    assert broken(store) == "row 2 of flag was put in by hand"


@pytest.mark.parametrize("table", ["step", "fill", "candidate", "notice"])
def test_a_deleted_row_is_named(store: Store, table: str) -> None:
    store.notices.add(notice_text(), NOW)
    unguarded(store)
    store.core.db.execute(f"delete from {table}")
    assert broken(store) == f"row 1 of {table} was deleted by hand"


def test_a_losing_trade_deleted_with_all_that_names_it_is_named(tmp_path: Path) -> None:
    with lived_history(tmp_path / "lost.db") as store:
        unguarded(store)
        for condition in ("mark where trade_id = 1", "cash where order_id in (1, 2)", "fill where order_id in (1, 2)",
            "broker_order where id in (1, 2)", "approval where proposal_id in (1, 2)", "attention where subject = 'T1'",
            "proposal where id in (1, 2)", "trade where id = 1"):  # fmt: skip
            store.core.db.execute(f"delete from {condition}")
        assert broken(store) == "row 1 of approval was deleted by hand"
        with pytest.raises(StoreError, match="row 1 of approval was deleted by hand"):
            store.audit.verify_order_basis()
        store.core.db.execute("delete from last_event where row in ('trade:1', 'approval:1')")
        assert "in last_event was changed by hand" in broken(store)


@pytest.mark.parametrize("column", ["at", "kind", "subject", "data", "previous", "hash"])
def test_a_changed_event_is_named(store: Store, column: str) -> None:
    unguarded(store)
    store.core.db.execute(f"update event set {column} = '{{}}' where id = 7")
    assert broken(store) == "event 7 was changed or is out of place"


def test_an_event_taken_out_of_the_middle_is_named(store: Store) -> None:
    unguarded(store)
    store.core.db.execute("delete from event where id = 5")
    assert broken(store) == "event 6 was changed or is out of place"


def test_a_changed_row_with_a_forged_digest_breaks_the_chain(store: Store) -> None:
    unguarded(store)
    store.core.db.execute("update fill set price_e4 = 1 where id = 1")
    row = dict(store.core.db.execute("select * from fill where id = 1").fetchone())
    for event in audit_events(store):
        data = json.loads(event.data)
        if "fill:1" in data["rows"]:
            data["rows"]["fill:1"] = row_digest(row)
            store.core.db.execute("update event set data = ? where id = ?", (json.dumps(data), event.id))
            assert broken(store) == f"event {event.id} was changed or is out of place"


def test_a_cut_tail_is_seen_by_a_head_that_was_noted(store: Store) -> None:
    whole, head = store.audit.verify(), store.audit.head()
    run = begun(store)
    noted = store.audit.head()
    assert store.audit.verify(head=head).broken is None
    assert store.audit.verify(head=noted).broken is None
    unguarded(store)
    store.core.db.execute("delete from event where id > ?", (whole.events,))
    store.core.db.execute("delete from run where id = ?", (run.id,))
    store.core.db.execute("delete from last_event where event_id > ?", (whole.events,))
    assert store.audit.verify() == whole
    assert f"does not hold {noted}" in (store.audit.verify(head=noted).broken or "")
    assert store.audit.verify(head=GENESIS).broken is None


def test_a_store_without_any_history_is_broken(store: Store) -> None:
    unguarded(store)
    store.core.db.execute("delete from event")
    assert broken(store) == "there is no history"
    assert store.audit.head() == GENESIS


def test_a_failed_write_leaves_no_event(store: Store) -> None:
    head = store.audit.head()
    with pytest.raises(ValueError, match="naive"):
        begun(store, at=NOW.replace(tzinfo=None))
    assert store.audit.head() == head


def test_any_single_edit_is_found(store: Store) -> None:
    """A hundred edits at random places, each undone again."""
    unguarded(store)
    rng = random.Random(32)
    with closing(store.core.db.cursor()) as cursor:
        for _ in range(100):
            table = rng.choice([name for name in AUDITED_TABLES if _count(store, name)])
            row = dict(rng.choice(store.core.db.execute(f"select * from {table}").fetchall()))
            column = rng.choice([name for name in row if name != "id"])
            cursor.execute("begin")
            try:
                cursor.execute(f"update {table} set {column} = ? where id = ?", (_other(row[column]), row["id"]))
            except Exception:  # noqa: BLE001 - a type or a constraint refused the edit
                cursor.execute("rollback")
                continue
            assert broken(store) == f"row {row['id']} of {table} was changed by hand"
            cursor.execute("rollback")
    assert store.audit.verify().broken is None


def _count(store: Store, table: str) -> int:
    return int(store.core.db.execute(f"select count(*) from {table}").fetchone()[0])


def _other(value: object) -> object:
    if isinstance(value, bytes):
        return value + b"!"
    return value + 1 if isinstance(value, int) else f"{value}!"
