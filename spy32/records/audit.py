"""Verification of the history: its hash chain, and the digest of every row as last written."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, NamedTuple

from spy32.domain.hash_chain import GENESIS, event_hash, row_digest
from spy32.domain.runs import AuditEvent
from spy32.domain.value import value
from spy32.errors import StoreDamaged
from spy32.records.base import Records
from spy32.records.encoding import decode_row, parse_instant
from spy32.records.errors import store_errors
from spy32.records.row_digests import EVENT_QUERY
from spy32.schema import AUDITED_TABLES


@value
class AuditReport:
    """The result of recomputing the hash chain."""

    head: str
    """The hash of the newest event."""
    events: int
    broken: str | None
    """The first fault found; None when there is none."""


class LastDigest(NamedTuple):
    """The newest digest of a row in the history, and the event that holds it."""

    digest: str
    event_id: int


class RowFaults(NamedTuple):
    """What is wrong with some tables, and which of them were not looked at."""

    faults: tuple[str, ...]
    unchecked: tuple[str, ...]


_BROKEN_LINKS = """select event.id from event left join event as before on before.id = event.id - 1
    where event.id > 1 and before.hash is not event.previous"""
ORDER_BASIS_TABLES = (
    "stamp", "run", "answer", "proposal", "approval", "broker_order", "fill", "trade", "adoption", "attention",
)  # fmt: skip
"""Tables that decide whether an order may be sent, and which: account, choice, approval, and what counts against the
limits."""


class Audit(Records):
    """Reads the history and compares the rows with it."""

    def verify(self, *, head: str | None = None) -> AuditReport:
        """Recompute the chain and compare every row with its newest digest.

        A chain whose tail was cut off is still whole; only a `head` that was noted elsewhere shows it.
        """
        return self._audit(head, AUDITED_TABLES)

    def verify_order_basis(self) -> None:
        """Raise `StoreDamaged` unless the history is whole and every row that an order rests on is as last written."""
        broken = self._audit(None, ORDER_BASIS_TABLES).broken
        if broken is not None:
            raise StoreDamaged(f"{broken}; nothing was sent", self._core.path)

    def _audit(self, head: str | None, tables: Sequence[str]) -> AuditReport:
        with self._core.read_transaction(), _lenient_text(self._core.db):
            last_digests: dict[str, LastDigest] = {}
            report = self._follow_chain(last_digests)
            broken: str | None
            if report.broken is None and head is not None and not self._has_event(head):
                broken = f"the history does not hold {head}: its end was cut off, or it was written anew"
                report = AuditReport(head=report.head, events=report.events, broken=broken)
            if report.broken is None:
                broken = self._first_stale_entry(last_digests) or next(self._changed_rows(last_digests, tables), None)
                report = AuditReport(head=report.head, events=report.events, broken=broken)
        return report

    def first_recent_fault(self, events: int) -> str | None:
        """Return the first fault among so many of the newest events and their rows; None if there is none."""
        with self._core.read_transaction(), _lenient_text(self._core.db):
            last_digests: dict[str, LastDigest] = {}
            return self._follow_chain(last_digests, newest=events).broken or self._first_changed_known_row(last_digests)

    def row_faults(self, tables: Sequence[str], most: int) -> RowFaults:
        """Return every row of these tables that was deleted, changed or put in by hand, and what is out of place in the
        history. Only the events about these tables are recomputed, so it is quicker and says less than `verify`.

        The tables are compared in their order. One with which it would be more than `most` rows is left out.
        """
        with self._core.read_transaction(), _lenient_text(self._core.db):
            unchecked = self._tables_beyond(tables, most)
            tables = [table for table in tables if table not in unchecked]
            about = " or ".join(f"""instr(data, '"{table}:') > 0""" for table in tables) if unchecked else "true"
            last_digests: dict[str, LastDigest] = {}
            faults = [f"event {row[0]} is missing or out of place" for row in self._core.rows(_BROKEN_LINKS)]
            for row in self._core.db.execute(f"{EVENT_QUERY} where {about} order by id"):
                fields = dict(row)
                if fields.pop("hash") != event_hash(fields["previous"], fields):
                    faults.append(f"event {fields['id']} was changed")
                    continue
                fault = _record_digests(last_digests, fields, is_whole=True, tables=tables)
                faults += [fault] if fault is not None else []
            faults += self._changed_rows(last_digests, tables)
        return RowFaults(tuple(faults), unchecked)

    def _tables_beyond(self, tables: Sequence[str], most: int) -> tuple[str, ...]:
        """Return the tables that do not fit into so many rows, when each that does is taken in its turn."""
        beyond = []
        for table in tables:
            row = self._core.row(f"select count(*) from {table}")
            count: int = row[0] if row is not None else 0
            if count > most:
                beyond.append(table)
            else:
                most -= count
        return tuple(beyond)

    def events(self) -> Iterator[AuditEvent]:
        """Return every event, oldest first."""
        with store_errors(self._core.path):
            for row in self._core.db.execute(f"{EVENT_QUERY} order by id"):
                yield _audit_event(row)

    def head(self) -> str:
        """Return the hash of the newest event."""
        row = self._core.row("select hash from event order by id desc limit 1")
        return row["hash"] if row is not None else GENESIS

    def last_write_before_restore(self) -> tuple[datetime, datetime] | None:
        """Return when the newest restored backup was last written to, and when it was restored; None without one."""
        row = self._core.row("select id, at from event where kind = 'restored' order by id desc limit 1")
        last_event = self._core.row(
            "select at from event where id < ? order by id desc limit 1", row["id"] if row else 0
        )
        return (
            (parse_instant(last_event["at"]), parse_instant(row["at"]))
            if row is not None and last_event is not None
            else None
        )

    def _has_event(self, head: str) -> bool:
        return head == GENESIS or self._core.row("select 1 from event where hash = ?", head) is not None

    def _follow_chain(self, last_digests: dict[str, LastDigest], *, newest: int | None = None) -> AuditReport:
        """Follow the chain, or its newest events, and collect the newest digest of each row in `last_digests`."""
        first = self._core.row("select max(id) - ? from event", newest) if newest is not None else None
        events = self._core.db.execute(
            f"{EVENT_QUERY} where id > ? order by id", (first[0] or 0 if first is not None else 0,)
        )
        return follow_chain(map(dict, events), last_digests, is_whole=newest is None)

    def _first_stale_entry(self, last_digests: dict[str, LastDigest]) -> str | None:
        """Return a row whose entry in `last_event` is not its newest event; None if there is none."""
        pointers = {
            row["row"]: row["event_id"] for row in self._core.db.execute("select row, event_id from last_event")
        }
        for key, last in last_digests.items():
            if pointers.pop(key, None) != last.event_id:
                return f"the entry of {key} in last_event was changed by hand"
        return f"the entry of {min(pointers)} in last_event was put in by hand" if pointers else None

    def _changed_rows(self, last_digests: dict[str, LastDigest], tables: Sequence[str]) -> Iterator[str]:
        """Yield every row that is not as its newest digest, then every deleted one."""
        for table in tables:
            rows = self._core.db.execute(f"select * from {table} order by id")
            names = [column[0] for column in rows.description]
            for row in rows:
                columns = dict(zip(names, row, strict=True))
                last = last_digests.pop(f"{table}:{columns['id']}", None)
                if last is None:
                    yield f"row {columns['id']} of {table} was put in by hand"
                elif last.digest != row_digest(columns):
                    yield f"row {columns['id']} of {table} was changed by hand"
        for table, number in sorted(map(_split_key, last_digests)):
            if table in tables:
                yield f"row {number} of {table} was deleted by hand"

    def _first_changed_known_row(self, last_digests: dict[str, LastDigest]) -> str | None:
        for key in sorted(last_digests, key=_split_key):
            table, number = _split_key(key)
            row = self._core.db.execute(f"select * from {table} where id = ?", (number,)).fetchone()
            if row is None:
                return f"row {number} of {table} was deleted by hand"
            if last_digests[key].digest != row_digest(dict(row)):
                return f"row {number} of {table} was changed by hand"
            entry = self._core.db.execute("select event_id from last_event where row = ?", (key,)).fetchone()
            if entry is None or entry["event_id"] != last_digests[key].event_id:
                return f"the entry of {key} in last_event was changed by hand"
        return None


def follow_chain(
    events: Iterable[dict[str, Any]], last_digests: dict[str, LastDigest], *, is_whole: bool
) -> AuditReport:
    """Follow events in their order and collect the newest digest of each row in `last_digests`.

    Unless the history `is_whole`, it may begin at any event, which is taken to follow on what it names as `previous`.
    """
    previous, count = GENESIS, 0
    for event in events:
        fields = dict(event)
        link = fields.pop("hash")
        if count == 0 and not is_whole and fields["id"] > 1:
            previous, count = fields["previous"], fields["id"] - 1
        if fields["id"] != count + 1 or fields["previous"] != previous or event_hash(previous, fields) != link:
            return AuditReport(
                head=previous, events=count, broken=f"event {fields['id']} was changed or is out of place"
            )
        fault = _record_digests(last_digests, fields, is_whole=is_whole)
        if fault is not None:
            return AuditReport(head=previous, events=count, broken=fault)
        previous, count = link, count + 1
    return AuditReport(head=previous, events=count, broken=None if count else "there is no history")


def _record_digests(
    last_digests: dict[str, LastDigest],
    fields: dict[str, Any],
    *,
    is_whole: bool,
    tables: Sequence[str] | None = None,
) -> str | None:
    """Store the digests of an event for rows of these tables; return a fault if a row was not as the event before had
    left it.

    Events from before layout 5 do not have the digest before the change.
    """
    data = json.loads(fields["data"])
    before = data.get("before")
    for key, digest in data["rows"].items():
        if tables is not None and key.partition(":")[0] not in tables:
            continue
        last = last_digests.get(key)
        if before is not None and (last is not None or is_whole) and before.get(key) != (last and last.digest):
            return f"event {fields['id']} found {key} changed by hand, and covered it up"
        last_digests[key] = LastDigest(digest, fields["id"])
    return None


def _split_key(key: str) -> tuple[str, int]:
    table, _, number = key.partition(":")
    return table, int(number)


def _audit_event(row: sqlite3.Row) -> AuditEvent:
    return decode_row(AuditEvent, row, "event")


@contextmanager
def _lenient_text(db: sqlite3.Connection) -> Iterator[None]:
    """Decode text that is not UTF-8 as well, so that the digest differs and the row is named."""
    db.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
    try:
        yield
    finally:
        db.text_factory = str
