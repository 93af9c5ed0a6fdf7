"""Verification of the history: its hash chain, and the digest of every row as last written."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

from spy32.domain.codec import GENESIS, event_hash, row_digest
from spy32.domain.value import value
from spy32.errors import StoreDamaged
from spy32.records.base import EVENT_QUERY, Records, current_digest, row_key, split_key
from spy32.records.encoding import parse_instant
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
            report, last_digests = follow_chain(self._events("true"), is_whole=True)
            if report.broken is not None:
                return report
            return replace(report, broken=next(self._faults(head, last_digests, tables), None))

    def _faults(self, head: str | None, last_digests: dict[str, LastDigest], tables: Sequence[str]) -> Iterator[str]:
        """Yield what is wrong beside a chain that is whole."""
        if head not in (None, GENESIS) and not self._core.has("select 1 from event where hash = ?", head):
            yield f"the history does not hold {head}: its end was cut off, or it was written anew"
        yield from self._stale_entries(last_digests)
        yield from self._changed_rows(last_digests, tables)

    def first_recent_fault(self, events: int) -> str | None:
        """Return the first fault among so many of the newest events and their rows; None if there is none."""
        with self._core.read_transaction(), _lenient_text(self._core.db):
            recent = self._events("id > (select max(id) - ? from event)", events)
            report, last_digests = follow_chain(recent, is_whole=False)
            return report.broken or next(self._changed_known_rows(last_digests), None)

    def row_faults(self, tables: Sequence[str], most: int) -> RowFaults:
        """Return every row of these tables that was deleted, changed or put in by hand, and what is out of place in the
        history. Only the events about these tables are recomputed, so it is quicker and says less than `verify`.

        The tables are compared in their order. One with which it would be more than `most` rows is left out.
        """
        with self._core.read_transaction(), _lenient_text(self._core.db):
            checked = []
            for table in tables:
                count = self._core.total(f"select count(*) from {table}")
                if count <= most:
                    checked.append(table)
                    most -= count
            unchecked = tuple(table for table in tables if table not in checked)
            about = " or ".join(f"""instr(data, '"{table}:') > 0""" for table in checked) if unchecked else "true"
            last_digests: dict[str, LastDigest] = {}
            faults = [f"event {row[0]} is missing or out of place" for row in self._core.rows(_BROKEN_LINKS)]
            for fields in self._events(about):
                if fields.pop("hash") != event_hash(fields["previous"], fields):
                    faults.append(f"event {fields['id']} was changed")
                    continue
                fault = _record_digests(last_digests, fields, is_whole=True, tables=checked)
                faults += [fault] if fault is not None else []
            faults += self._changed_rows(last_digests, checked)
        return RowFaults(tuple(faults), unchecked)

    def head(self) -> str:
        """Return the hash of the newest event."""
        row = self._core.row("select hash from event order by id desc limit 1")
        return row["hash"] if row is not None else GENESIS

    def last_write_before_restore(self) -> tuple[datetime, datetime] | None:
        """Return when the newest restored backup was last written to, and when it was restored; None without one."""
        return self._core.find(
            lambda row: (parse_instant(row["written"]), parse_instant(row["restored"])),
            """select before.at as written, event.at as restored from event
                join event as before on before.id = event.id - 1
                where event.kind = 'restored' order by event.id desc limit 1""",
        )

    def _events(self, condition: str, *values: object) -> Iterator[dict[str, Any]]:
        return map(dict, self._core.db.execute(f"{EVENT_QUERY} where {condition} order by id", values))

    def _stale_entries(self, last_digests: dict[str, LastDigest]) -> Iterator[str]:
        """Yield the rows whose entry in `last_event` is not their newest event."""
        entries = dict(self._core.db.execute("select row, event_id from last_event").fetchall())
        for key, last in last_digests.items():
            if entries.pop(key, None) != last.event_id:
                yield f"the entry of {key} in last_event was changed by hand"
        for key in sorted(entries):
            yield f"the entry of {key} in last_event was put in by hand"

    def _changed_rows(self, last_digests: dict[str, LastDigest], tables: Sequence[str]) -> Iterator[str]:
        """Yield every row that is not as its newest digest, then every deleted one."""
        for table in tables:
            rows = self._core.db.execute(f"select * from {table} order by id")
            names = [column[0] for column in rows.description]
            for row in rows:
                columns = dict(zip(names, row, strict=True))  # `dict(row)` looks each name up, which takes longer
                last = last_digests.pop(row_key(table, columns["id"]), None)
                if last is None:
                    yield f"row {columns['id']} of {table} was put in by hand"
                elif last.digest != row_digest(columns):
                    yield f"row {columns['id']} of {table} was changed by hand"
        for table, number in sorted(map(split_key, last_digests)):
            if table in tables:
                yield f"row {number} of {table} was deleted by hand"

    def _changed_known_rows(self, last_digests: dict[str, LastDigest]) -> Iterator[str]:
        """Yield those of the known rows that are not as their newest digest."""
        for key in sorted(last_digests, key=split_key):
            (table, number), last = split_key(key), last_digests[key]
            digest = current_digest(self._core.db, key)
            if digest != last.digest:
                yield f"row {number} of {table} was {'deleted' if digest is None else 'changed'} by hand"
            if not self._core.has("select 1 from last_event where row = ? and event_id = ?", key, last.event_id):
                yield f"the entry of {key} in last_event was changed by hand"


def follow_chain(events: Iterable[dict[str, Any]], *, is_whole: bool) -> tuple[AuditReport, dict[str, LastDigest]]:
    """Follow events in their order; return how far they are whole, and the newest digest of each row.

    Unless the history `is_whole`, it may begin at any event, which is taken to follow on what it names as `previous`.
    """
    previous, count, broken = GENESIS, 0, None
    last_digests: dict[str, LastDigest] = {}
    for fields in events:
        link = fields.pop("hash")
        if count == 0 and not is_whole and fields["id"] > 1:
            previous, count = fields["previous"], fields["id"] - 1
        if fields["id"] != count + 1 or fields["previous"] != previous or event_hash(previous, fields) != link:
            broken = f"event {fields['id']} was changed or is out of place"
        else:
            broken = _record_digests(last_digests, fields, is_whole=is_whole)
        if broken is not None:
            break
        previous, count = link, count + 1
    if count == 0 and broken is None:
        broken = "there is no history"
    return AuditReport(head=previous, events=count, broken=broken), last_digests


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


@contextmanager
def _lenient_text(db: sqlite3.Connection) -> Iterator[None]:
    """Decode text that is not UTF-8 as well, so that the digest differs and the row is named."""
    db.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
    try:
        yield
    finally:
        db.text_factory = str
