"""The history as evidence: a chain of hashes, and the digest of every row as the history last saw it."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from spy32.domain.running import Event
from spy32.records.base import Base
from spy32.records.known import EVENT
from spy32.records.trouble import damage, translated
from spy32.records.values import GENESIS, event_hash, reads_row, row_digest, when
from spy32.schema import RECORDED


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """`head` is the hash of the newest event; `broken` names the first thing that is not as it was written."""

    head: str
    events: int
    broken: str | None


@dataclass(slots=True)
class _Spoken:
    """What the history says of a row so far: its digest, and the event that said it."""

    digest: str
    event_id: int


ACTED_ON = (
    "stamp", "run", "answer", "proposal", "approval", "broker_order", "fill", "trade", "adoption", "attention",
)  # fmt: skip
"""What decides whether an order may be sent, and which: the account, the choice, the yes to it, and what counts against
the limits."""


class Audit(Base):
    """Reading the history, and holding the rows against it."""

    def verify(self, *, head: str | None = None) -> AuditReport:
        """The chain recomputed and every row compared with its newest digest.

        A tail that was cut off leaves a whole chain behind: only a `head` noted elsewhere shows it.
        """
        return self._verified(head, RECORDED)

    def check_acted_on(self) -> None:
        """`StoreTrouble` unless the history is whole, and every row that an order rests on is as it last saw it."""
        broken = self._verified(None, ACTED_ON).broken
        if broken is not None:
            raise damage(self.path, f"{broken}; nothing was sent")

    def _verified(self, head: str | None, tables: Sequence[str]) -> AuditReport:
        with self.consistent(), _any_text(self.db):
            known: dict[str, _Spoken] = {}
            report = self._chain(known)
            broken: str | None
            if report.broken is None and head is not None and not self._has(head):
                broken = f"the history does not hold {head}: its end was cut off, or it was written anew"
                report = AuditReport(head=report.head, events=report.events, broken=broken)
            if report.broken is None:
                broken = self._misled(known) or self._first_changed(known, tables)
                report = AuditReport(head=report.head, events=report.events, broken=broken)
        return report

    def first_recent_fault(self, events: int) -> str | None:
        """The first thing that is wrong with so many of the newest events and the rows that they speak of."""
        with self.consistent(), _any_text(self.db):
            known: dict[str, _Spoken] = {}
            return self._chain(known, newest=events).broken or self._first_changed_of(known)

    def events(self) -> Iterator[Event]:
        """Every event, oldest first."""
        with translated(self.path):
            for row in self.db.execute(f"{EVENT} order by id"):
                yield _event(row)

    def head(self) -> str:
        """The hash of the newest event."""
        row = self.row("select hash from event order by id desc limit 1")
        return row["hash"] if row is not None else GENESIS

    def _has(self, head: str) -> bool:
        return head == GENESIS or self.row("select 1 from event where hash = ?", head) is not None

    def _chain(self, known: dict[str, _Spoken], *, newest: int | None = None) -> AuditReport:
        """Follow the chain, or its newest events, and gather the newest digest of each row into `known`."""
        previous, count = GENESIS, 0
        first = self.row("select max(id) - ? from event", newest) if newest is not None else None
        for row in self.db.execute(f"{EVENT} where id > ? order by id", (first[0] or 0 if first is not None else 0,)):
            fields = dict(row)
            link = fields.pop("hash")
            if count == 0 and newest is not None and fields["id"] > 1:
                previous, count = fields["previous"], fields["id"] - 1
            if fields["id"] != count + 1 or fields["previous"] != previous or event_hash(previous, fields) != link:
                return AuditReport(
                    head=previous, events=count, broken=f"event {fields['id']} was changed or is out of place"
                )
            covered = _learn(known, fields, is_whole=newest is None)
            if covered is not None:
                return AuditReport(head=previous, events=count, broken=covered)
            previous, count = link, count + 1
        return AuditReport(head=previous, events=count, broken=None if count else "there is no history")

    def _misled(self, known: dict[str, _Spoken]) -> str | None:
        """A row whose entry in `last_event` does not name its newest event."""
        found = {row["row"]: row["event_id"] for row in self.db.execute("select row, event_id from last_event")}
        for key, spoken in known.items():
            if found.pop(key, None) != spoken.event_id:
                return f"the entry of {key} in last_event was changed by hand"
        return f"the entry of {min(found)} in last_event was put in by hand" if found else None

    def _first_changed(self, known: dict[str, _Spoken], tables: Sequence[str]) -> str | None:
        for table in tables:
            for row in self.db.execute(f"select * from {table} order by id"):
                then = known.pop(f"{table}:{row['id']}", None)
                if then is None:
                    return f"row {row['id']} of {table} was put in by hand"
                if then.digest != row_digest(dict(row)):
                    return f"row {row['id']} of {table} was changed by hand"
        return _deleted({key: spoken for key, spoken in known.items() if _place(key)[0] in tables})

    def _first_changed_of(self, known: dict[str, _Spoken]) -> str | None:
        for key in sorted(known, key=_place):
            table, number = _place(key)
            row = self.db.execute(f"select * from {table} where id = ?", (number,)).fetchone()
            if row is None:
                return _deleted({key: known[key]})
            if known[key].digest != row_digest(dict(row)):
                return f"row {number} of {table} was changed by hand"
            entry = self.db.execute("select event_id from last_event where row = ?", (key,)).fetchone()
            if entry is None or entry["event_id"] != known[key].event_id:
                return f"the entry of {key} in last_event was changed by hand"
        return None


def _learn(known: dict[str, _Spoken], fields: dict[str, Any], *, is_whole: bool) -> str | None:
    """Take in what an event says of rows; what is wrong when it found one otherwise than it was left.

    Events of before layout 5 do not say how they found a row.
    """
    data = json.loads(fields["data"])
    before = data.get("before")
    for key, digest in data["rows"].items():
        then = known.get(key)
        if before is not None and (then is not None or is_whole) and before.get(key) != (then and then.digest):
            return f"event {fields['id']} found {key} changed by hand, and covered it up"
        known[key] = _Spoken(digest, fields["id"])
    return None


def _deleted(known: dict[str, _Spoken]) -> str | None:
    if not known:
        return None
    table, number = _place(min(known, key=_place))
    return f"row {number} of {table} was deleted by hand"


def _place(key: str) -> tuple[str, int]:
    table, _, number = key.partition(":")
    return table, int(number)


@reads_row("event")
def _event(row: sqlite3.Row) -> Event:
    fields = dict(row)
    return Event(**{**fields, "at": when(fields["at"])})


@contextmanager
def _any_text(db: sqlite3.Connection) -> Iterator[None]:
    """Read what is no UTF-8 as well, so that its row is named: its digest is another one than the history's."""
    db.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
    try:
        yield
    finally:
        db.text_factory = str
