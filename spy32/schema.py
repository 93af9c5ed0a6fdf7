"""The tables, and how an older database becomes a newer one: plain functions, applied in order, in one transaction.

`tables` has their statements. Nothing is ever deleted; what must not change either is guarded by triggers.
"""

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing

from spy32.errors import StoreError
from spy32.tables import (
    BACKFILL_5,
    INDEXES_1,
    INDEXES_2,
    INDEXES_3,
    INDEXES_5,
    REQUEST_COLUMNS,
    TABLES_1,
    TABLES_2,
    TABLES_3,
    TABLES_4,
    TABLES_5,
)

APPLICATION_ID = 0x53503332
"""`SP32` in the file's header, so that `file` and we can tell whose database it is."""

Migration = Callable[[sqlite3.Connection], None]

_APPEND_ONLY_1 = ("event", "step", "snapshot", "menu", "candidate", "answer", "approval", "fill", "mark", "cash")
_NO_DELETE_1 = ("stamp", "run", "proposal", "broker_order", "trade", "paper_order", "notice", "flag")

APPEND_ONLY = (*_APPEND_ONLY_1, "document", "adoption", "verdict", "viewing")
NO_DELETE = (*_NO_DELETE_1, "attempt", "attention", "last_event")
"""Rows that live: they may change, but never go. An attempt changes once, when it is answered."""
EVENT_TABLES = ("event", "last_event")
AUDITED_TABLES = tuple(table for table in (*APPEND_ONLY, *NO_DELETE) if table not in EVENT_TABLES)
"""Tables whose rows the history speaks of."""


def version_1(db: sqlite3.Connection) -> None:
    """The first layout."""
    for statement in (*TABLES_1, *INDEXES_1):
        db.execute(statement)
    for table in _APPEND_ONLY_1:
        db.execute(_guard_trigger(table, "update", "is never changed"))
    for table in (*_APPEND_ONLY_1, *_NO_DELETE_1):
        db.execute(_guard_trigger(table, "delete", "is never deleted from"))


def version_2(db: sqlite3.Connection) -> None:
    """Requests to a model, raw documents, and the figures that were put before the analyst."""
    for statement in (*TABLES_2, *INDEXES_2):
        db.execute(statement)
    db.execute(_guard_trigger("document", "update", "is never changed"))
    db.execute(_guard_trigger("document", "delete", "is never deleted from"))
    db.execute(_guard_trigger("attempt", "delete", "is never deleted from"))
    db.execute(_ANSWER_ONCE_TRIGGER)


def version_3(db: sqlite3.Connection) -> None:
    """Resting profit targets, final fees, and what was adopted from the broker's history."""
    for statement in (*TABLES_3, *INDEXES_3):
        db.execute(statement)
    db.execute(_guard_trigger("adoption", "update", "is never changed"))
    db.execute(_guard_trigger("adoption", "delete", "is never deleted from"))


def version_4(db: sqlite3.Connection) -> None:
    """What the checks made of each answer of a model."""
    for statement in TABLES_4:
        db.execute(statement)
    db.execute(_guard_trigger("verdict", "update", "is never changed"))
    db.execute(_guard_trigger("verdict", "delete", "is never deleted from"))


def version_5(db: sqlite3.Connection) -> None:
    """The home of a database, what a person must look at and has seen, and the newest event of each row."""
    for statement in (*TABLES_5, *INDEXES_5, BACKFILL_5):
        db.execute(statement)
    db.execute(_guard_trigger("viewing", "update", "is never changed"))
    db.execute(_guard_trigger("viewing", "delete", "is never deleted from"))
    db.execute(_guard_trigger("attention", "delete", "is never deleted from"))
    db.execute(_guard_trigger("last_event", "delete", "is never deleted from"))


def _guard_trigger(table: str, verb: str, reason: str) -> str:
    return (
        f"create trigger {table}_no_{verb} before {verb} on {table} begin select raise(abort, '{table} {reason}'); end"
    )


_REQUEST_CHANGED = " or ".join(f"new.{column} is not old.{column}" for column in REQUEST_COLUMNS)
_ANSWER_ONCE_TRIGGER = f"""create trigger attempt_answered_once before update on attempt
    when old.ended_at is not null or new.ended_at is null or {_REQUEST_CHANGED}
    begin select raise(abort, 'attempt is answered once and never changed'); end"""

MIGRATIONS: Sequence[Migration] = (version_1, version_2, version_3, version_4, version_5)
"""Migration n (from 1) takes a database of version n - 1 to version n. Only ever append."""
VERSION = len(MIGRATIONS)


def schema_faults(db: sqlite3.Connection) -> list[str]:
    """Tables, indexes and triggers that are not as this layout has them."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as reference:
        migrate(reference)
        expected, actual = _layout(reference), _layout(db)
    return [
        f"{kind} {name} is {'missing' if (kind, name) not in actual else 'not as spy32 makes it'}"
        for kind, name in sorted({**expected, **actual})
        if expected.get((kind, name)) != actual.get((kind, name))
    ]


def _layout(db: sqlite3.Connection) -> dict[tuple[str, str], str]:
    """What SQLite keeps of the layout; its own indexes have no text."""
    rows = db.execute("select type, name, sql from sqlite_master where sql is not null")
    return {(row[0], row[1]): " ".join(row[2].split()) for row in rows}


def schema_version(db: sqlite3.Connection) -> int:
    """`user_version`: 0 in a new file, else how many migrations made it."""
    return int(db.execute("pragma user_version").fetchone()[0])


def migrate(db: sqlite3.Connection, migrations: Sequence[Migration] = MIGRATIONS) -> int:
    """Bring the database to the newest version, wholly or not at all; returns the version that it had.

    `executescript` is never used: it would commit the open transaction first. Foreign keys rest meanwhile, so that a
    table can be rebuilt, and are checked before the commit.
    """
    db.execute("pragma foreign_keys = off")
    db.execute("begin immediate")
    try:
        version = schema_version(db)
        for migration in migrations[version:]:
            migration(db)
        if version < len(migrations):
            broken = db.execute("pragma foreign_key_check").fetchone()
            if broken is not None:
                raise StoreError(f"the migration from version {version} would break a reference of table {broken[0]}")
            db.execute(f"pragma application_id = {APPLICATION_ID}")
            db.execute(f"pragma user_version = {len(migrations)}")
        db.execute("commit")
    finally:
        if db.in_transaction:
            db.execute("rollback")
        db.execute("pragma foreign_keys = on")
    return version
