"""The tables, and how an older database becomes a newer one: plain functions, applied in order, in one transaction.

`tables` has their statements. Nothing is ever deleted; what must not change either is guarded by triggers.
"""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from itertools import chain

from spy32.domain.codec import canonical_json, event_hash, row_digest
from spy32.errors import StoreError
from spy32.lifecycle import EndedBy, OrderState
from spy32.tables import LAYOUT_1, LAYOUT_2, LAYOUT_3, LAYOUT_4
from spy32.tables_0_4 import LAYOUT_5, LAYOUT_6

APPLICATION_ID = 0x53503332
"""`SP32` in the file's header, so that `file` and we can tell whose database it is."""

Migration = Callable[[sqlite3.Connection], None]

_APPEND_ONLY = (
    ("event", "step", "snapshot", "menu", "candidate", "answer", "approval", "fill", "mark", "cash"),
    ("document",),
    ("adoption",),
    ("verdict",),
    ("viewing",),
    ("disposal", "paper_event", "delivery"),
)
_NO_DELETE = (
    ("stamp", "run", "proposal", "broker_order", "trade", "paper_order", "notice", "flag"),
    ("attempt",),
    (),
    (),
    ("attention", "last_event"),
    ("daily_close", "outcome", "experiment"),
)
"""The tables of each layout whose rows live: they may change, but never go. An attempt changes once, when it is
answered."""

APPEND_ONLY = tuple(chain.from_iterable(_APPEND_ONLY))
NO_DELETE = tuple(chain.from_iterable(_NO_DELETE))
EVENT_TABLES = ("event", "last_event")
AUDITED_TABLES = tuple(table for table in (*APPEND_ONLY, *NO_DELETE) if table not in EVENT_TABLES)
"""Tables whose rows the history speaks of."""

_ASKED = (
    "id", "run_id", "role", "sample", "attempt", "prompt", "prompt_hash", "input_hash", "model", "effort",
    "estimate_ticks", "begun_at", "request",
)  # fmt: skip
"""What an attempt asks; none of it changes once it is written."""
_REQUEST_CHANGED = " or ".join(f"new.{column} is not old.{column}" for column in _ASKED)
_ANSWER_ONCE_TRIGGER = f"""create trigger attempt_answered_once before update on attempt
    when old.ended_at is not null or new.ended_at is null or {_REQUEST_CHANGED}
    begin select raise(abort, 'attempt is answered once and never changed'); end"""

_FILL_LAST_EVENT = """insert into last_event (row, event_id)
    select spoken.key, max(event.id) from event, json_each(event.data, '$.rows') as spoken group by spoken.key"""
"""An older database tells by its history which event of a row was the newest."""


def _make_layout(number: int, *statements: str) -> Migration:
    """Return the migration that runs the statements of a layout and guards its new tables."""
    append_only, no_delete = _APPEND_ONLY[number - 1], _NO_DELETE[number - 1]

    def bring(db: sqlite3.Connection) -> None:
        for statement in statements:
            db.execute(statement)
        for table in append_only:
            db.execute(_guard_trigger(table, "update", "is never changed"))
        for table in (*append_only, *no_delete):
            db.execute(_guard_trigger(table, "delete", "is never deleted from"))

    return bring


def _guard_trigger(table: str, verb: str, reason: str) -> str:
    return (
        f"create trigger {table}_no_{verb} before {verb} on {table} begin select raise(abort, '{table} {reason}'); end"
    )


def _version_5(db: sqlite3.Connection) -> None:
    _make_layout(5, *LAYOUT_5, _FILL_LAST_EVENT)(db)
    _classify_orders(db)


def _classify_orders(db: sqlite3.Connection) -> None:
    """Read from the words of older orders what has columns now, with an event as for any other change of a row.

    A row that is not as the history left it stays as it is, so that the edit is still found.
    """
    before, after = {}, {}
    cursor = db.execute("select * from broker_order where reason <> '' or state = ? order by id", (OrderState.REFUSED,))
    names = [column[0] for column in cursor.description]
    for values in cursor.fetchall():
        row = dict(zip(names, values, strict=True))
        key, columns = f"broker_order:{row['id']}", columns_of_words(row["state"], row["reason"])
        digest = row_digest(row)
        if columns and digest == _known_digest(db, key):
            sets = ", ".join(f"{name} = ?" for name in columns)
            db.execute(f"update broker_order set {sets} where id = ?", (*columns.values(), row["id"]))
            before[key], after[key] = digest, row_digest({**row, **columns})
    if after:
        _add_event(db, canonical_json({"before": before, "rows": after}), after)


def _known_digest(db: sqlite3.Connection, key: str) -> str | None:
    found = db.execute(
        """select spoken.value from event, json_each(event.data, '$.rows') as spoken
            where event.id = (select event_id from last_event where row = ?1) and spoken.key = ?1""",
        (key,),
    ).fetchone()
    return found[0] if found is not None else None


def columns_of_words(state: str, reason: str) -> dict[str, object]:
    """The columns that the words of an order before layout 5 stand for."""
    if state == OrderState.REFUSED:
        by = next((by for start, by in _STARTS_4.items() if reason.startswith(start)), EndedBy.BROKER)
        return {"ended_by": by}
    if reason.startswith("replaced at the broker"):
        return {"replaced_by_hand": 1}
    if state == OrderState.ABSENT and reason.startswith("absent: "):
        return {"ended_by": EndedBy.PERSON}
    return {"unclear": 1} if state == OrderState.WORKING else {}


def _add_event(db: sqlite3.Connection, data: str, keys: Iterable[str]) -> None:
    """At the time of the event before it, so that a copy that is migrated to be read has the same history."""
    number, at, previous = db.execute("select id + 1, at, hash from event order by id desc limit 1").fetchone()
    fields = {"id": number, "at": at, "kind": "orders classified", "subject": "", "data": data, "previous": previous}
    db.execute("insert into event values (?, ?, ?, ?, ?, ?, ?)", (*fields.values(), event_hash(previous, fields)))
    db.executemany("update last_event set event_id = ? where row = ?", [(number, key) for key in keys])


_STARTS_4 = {"halted: ": EndedBy.HALT, "not sent: ": EndedBy.NOT_SENT, "too late: ": EndedBy.TOO_LATE}
"""How the reason of a refused order began until layout 4 when it was not the broker that refused."""


MIGRATIONS: Sequence[Migration] = (
    # Everything of 0.1.
    _make_layout(1, *LAYOUT_1),
    # Requests to a model, raw documents, and the figures that were put before the analyst.
    _make_layout(2, *LAYOUT_2, _ANSWER_ONCE_TRIGGER),
    # Resting profit targets, final fees, and what was adopted from the broker's history.
    _make_layout(3, *LAYOUT_3),
    # What the checks made of each answer of a model.
    _make_layout(4, *LAYOUT_4),
    # The home of a database, what a person must look at and has seen, and the newest event of each row.
    _version_5,
    # The end of a trade (one close at a time, its reason, assigned shares, what the paper broker does itself), which
    # address took which notice, and what came of each decision.
    _make_layout(6, *LAYOUT_6),
)
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
