"""The history as evidence: a chain of hashes, and the digest of every row as the history last saw it."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from spy32.domain.running import Event
from spy32.errors import StoreTrouble
from spy32.records.base import Base
from spy32.records.trouble import translated
from spy32.records.values import GENESIS, event_hash, row_digest, when
from spy32.schema import RECORDED


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """`head` is the hash of the newest event; `broken` names the first thing that is not as it was written."""

    head: str
    events: int
    broken: str | None


ACTED_ON = ("stamp", "run", "answer", "proposal", "approval", "broker_order", "fill", "trade", "adoption")
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
            raise StoreTrouble(
                f"the history of {self.path} is broken: {broken}; nothing was sent; `spy32 db restore` takes a backup, "
                "`spy32 cancel` and `spy32 reconcile` still work"
            )

    def _verified(self, head: str | None, tables: Sequence[str]) -> AuditReport:
        with self.consistent():
            known: dict[str, str] = {}
            report = self._chain(known)
            if report.broken is None and head is not None and not self._has(head):
                broken = f"the history does not hold {head}: its end was cut off, or it was written anew"
                report = AuditReport(head=report.head, events=report.events, broken=broken)
            if report.broken is None:
                report = AuditReport(head=report.head, events=report.events, broken=self._first_changed(known, tables))
        return report

    def events(self) -> Iterator[Event]:
        """Every event, oldest first."""
        with translated(self.path):
            for row in self.db.execute("select id, at, kind, subject, data, previous, hash from event order by id"):
                fields = dict(row)
                yield Event(**{**fields, "at": when(fields["at"])})

    def head(self) -> str:
        """The hash of the newest event."""
        row = self.row("select hash from event order by id desc limit 1")
        return row["hash"] if row is not None else GENESIS

    def _has(self, head: str) -> bool:
        return head == GENESIS or self.row("select 1 from event where hash = ?", head) is not None

    def _chain(self, known: dict[str, str]) -> AuditReport:
        """Follow the chain, and gather the newest digest of each row into `known`."""
        previous, count = GENESIS, 0
        for row in self.db.execute("select id, at, kind, subject, data, previous, hash from event order by id"):
            fields = dict(row)
            link = fields.pop("hash")
            if fields["id"] != count + 1 or fields["previous"] != previous or event_hash(previous, fields) != link:
                return AuditReport(
                    head=previous, events=count, broken=f"event {fields['id']} was changed or is out of place"
                )
            known.update(json.loads(fields["data"])["rows"])
            previous, count = link, count + 1
        return AuditReport(head=previous, events=count, broken=None if count else "there is no history")

    def _first_changed(self, known: dict[str, str], tables: Sequence[str]) -> str | None:
        for table in tables:
            for row in self.db.execute(f"select * from {table} order by id"):
                then = known.pop(f"{table}:{row['id']}", None)
                if then is None:
                    return f"row {row['id']} of {table} was put in by hand"
                if then != row_digest(dict(row)):
                    return f"row {row['id']} of {table} was changed by hand"
        gone = [key for key in known if key.partition(":")[0] in tables]
        if gone:
            table, _, number = min(gone, key=_place).partition(":")
            return f"row {number} of {table} was deleted by hand"
        return None


def _place(key: str) -> tuple[str, int]:
    table, _, number = key.partition(":")
    return table, int(number)
