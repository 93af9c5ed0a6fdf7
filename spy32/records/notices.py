"""The outbox of notices."""

import sqlite3
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from spy32.domain.notices import NOTICE_LIFE, Notice, NoticeKind, NoticeText
from spy32.domain.orders import Trade
from spy32.domain.spreads import Mode
from spy32.errors import BadUsage
from spy32.records.base import Database, WriteTransaction
from spy32.records.encoding import format_instant, parse_instant, parse_optional_instant, row_decoder

if TYPE_CHECKING:
    from spy32.records.proposals import Proposals

MASK = "****"
"""What stands in a notice where somebody's message named the account."""


class Notices:
    """A notice stays in the outbox until every address that wants it has taken it."""

    def __init__(self, core: Database) -> None:
        self._core = core

    # Reading

    def get(self, notice_id: int) -> Notice:
        return _notice(self._notice_row(notice_id))

    def select_pending(self, now: datetime) -> tuple[Notice, ...]:
        """Return the notices that are not sent yet and not given up, oldest first."""
        rows = self._core.rows(
            "select * from notice where sent_at is null and created_at >= ? order by id",
            format_instant(now - NOTICE_LIFE),
        )
        return tuple(_notice(row) for row in rows)

    def select_newest(self, count: int) -> tuple[Notice, ...]:
        """Return the newest notices, sent or not, newest first."""
        return tuple(_notice(row) for row in self._core.rows("select * from notice order by id desc limit ?", count))

    def find_given_up(self, now: datetime, *, tried_only: bool = False) -> Notice | None:
        """Return the newest notice that was not sent until it was too old, tried or not; None if there is none.

        `tried_only` leaves out those that were never tried, as where there is no address.
        """
        row = self._core.row(
            "select * from notice where sent_at is null and tries >= ? and created_at < ? order by id desc limit 1",
            int(tried_only),
            format_instant(now - NOTICE_LIFE),
        )
        return _notice(row) if row is not None else None

    def find_latest(self, kind: NoticeKind, about: str) -> Notice | None:
        """Return the newest notice of a kind about something; None if there is none."""
        row = self._core.row(
            "select * from notice where about = ? and kind = ? order by id desc limit 1", about, kind.value
        )
        return _notice(row) if row is not None else None

    def labels_served(self, notice_id: int) -> frozenset[str]:
        """Return the labels of the addresses that have taken a notice."""
        return frozenset(
            row["label"] for row in self._core.rows("select label from delivery where notice_id = ?", notice_id)
        )

    # Writing

    def add(self, text: NoticeText, at: datetime, *, run_id: int | None = None) -> int:
        """Add a notice and return its id."""
        with self._core.write_transaction(at, "notice queued", f"R{run_id}" if run_id is not None else "") as change:
            return add_notice(self._core, change, text, run_id=run_id)

    def add_reminder(self, text: NoticeText, at: datetime, *, repeat_after: timedelta | None = None) -> bool:
        """Add a notice unless one of its kind about the same is there already, or is younger than `repeat_after`.

        Checked and added in one transaction, since several processes may remind of the same; return whether it was
        added.
        """
        with self._core.write_transaction(at, "notice queued") as change:
            latest = self.find_latest(text.kind, text.about)
            if latest is not None and (repeat_after is None or at - latest.created_at < repeat_after):
                return False
            add_notice(self._core, change, text)
        return True

    def record_delivery(self, notice_id: int, label: str, at: datetime) -> None:
        """Record that an address has taken a notice; a second time changes nothing."""
        with self._core.write_transaction(at, "notice delivered") as change:
            if label not in self.labels_served(notice_id):
                change.insert("delivery", notice_id=notice_id, label=label, at=change.at)

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
            raise BadUsage(f"there is no notice N{notice_id}; `spy32 notify list` shows them")
        return row


def add_notice(store: Database, change: WriteTransaction, text: NoticeText, *, run_id: int | None = None) -> int:
    """Add a notice inside an open transaction, so that it is committed with its cause; return its id.

    It is as old as the process says, since a recorded market stops the clock of its run in the past.
    """

    is_secret = store.mode is not Mode.PAPER and store.account

    def mask_account(words: str) -> str:
        return words.replace(store.account, MASK) if is_secret else words

    created_at = format_instant(store.process_clock()) if store.process_clock is not None else change.at
    return change.insert(
        "notice",
        run_id=run_id,
        subject=mask_account(text.subject),
        body=mask_account(text.body),
        created_at=created_at,
        kind=text.kind.value,
        short=mask_account(text.short),
        about=text.about or None,
    )


def add_end_notice(store: Database, change: WriteTransaction, trade: Trade, proposals: "Proposals") -> None:
    """Add the notice of a trade that has just ended, inside the transaction of its end."""
    from spy32.rules.trade_notices import ended_notice

    underlying = proposals.get(trade.proposal_id).underlying
    add_notice(store, change, ended_notice(trade, underlying), run_id=trade.run_id)


@row_decoder("notice")
def _notice(row: sqlite3.Row) -> Notice:
    """Return the notice of a row; one of an older layout has neither kind nor one-line form."""
    return Notice(
        id=row["id"],
        run_id=row["run_id"],
        kind=NoticeKind(row["kind"]) if row["kind"] is not None else NoticeKind.NO_TRADE,
        subject=row["subject"],
        short=row["short"] if row["short"] is not None else row["subject"],
        body=row["body"],
        about=row["about"] or "",
        created_at=parse_instant(row["created_at"]),
        sent_at=parse_optional_instant(row["sent_at"]),
        tries=row["tries"],
        error=row["error"],
    )
