"""The outbox of notices."""

import sqlite3
from datetime import datetime

from spy32.domain.runs import Notice
from spy32.errors import BadUsage
from spy32.records.base import Database
from spy32.records.encoding import parse_instant, parse_optional_instant, row_decoder


class Notices:
    """A notice stays in the outbox until it is sent."""

    def __init__(self, core: Database) -> None:
        self._core = core

    def add(self, run_id: int | None, subject: str, body: str, at: datetime) -> int:
        """Add a notice and return its id."""
        with self._core.write_transaction(at, "notice queued", f"R{run_id}" if run_id is not None else "") as change:
            return change.insert("notice", run_id=run_id, subject=subject, body=body, created_at=change.at)

    def select_pending(self) -> tuple[Notice, ...]:
        """Return the notices that are not sent yet, oldest first."""
        return tuple(_notice(row) for row in self._core.rows("select * from notice where sent_at is null order by id"))

    def mark_sent(self, notice_id: int, at: datetime) -> None:
        with self._core.write_transaction(at, "notice sent") as change:
            row = self._notice_row(notice_id)
            change.update("notice", notice_id, sent_at=change.at, tries=row["tries"] + 1, error="")

    def record_failure(self, notice_id: int, error: str, at: datetime) -> None:
        """Record why sending failed; the notice stays in the outbox."""
        with self._core.write_transaction(at, "notice failed") as change:
            row = self._notice_row(notice_id)
            change.update("notice", notice_id, tries=row["tries"] + 1, error=error)

    def _notice_row(self, notice_id: int) -> sqlite3.Row:
        row = self._core.row("select * from notice where id = ?", notice_id)
        if row is None:
            raise BadUsage(f"there is no notice {notice_id}")
        return row


@row_decoder("notice")
def _notice(row: sqlite3.Row) -> Notice:
    return Notice(
        id=row["id"],
        run_id=row["run_id"],
        subject=row["subject"],
        body=row["body"],
        created_at=parse_instant(row["created_at"]),
        sent_at=parse_optional_instant(row["sent_at"]),
        tries=row["tries"],
        error=row["error"],
    )
