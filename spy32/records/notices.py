"""What a person is told: notices in the outbox, and items that `status` shows until somebody acknowledges them."""

import sqlite3
from datetime import datetime, timedelta

from spy32.domain.notices import NOTICE_LIFE, Notice, NoticeKind, NoticeText
from spy32.domain.orders import Trade
from spy32.domain.runs import AttentionItem
from spy32.domain.spreads import Mode
from spy32.records.base import Records, WriteTransaction
from spy32.records.encoding import decode_row, row_decoder


class AttentionList(Records):
    """Items that `status` lists, and its check ends with 20 for, until a person acknowledges them."""

    def raise_item(self, subject: str, kind: str, message: str, at: datetime) -> None:
        """Record an item; the same subject and kind is not recorded twice while the first one is open."""
        with self._core.write_transaction(at, "attention raised", subject) as change:
            add_attention(change, subject, kind, message)

    def raise_change(self, subject: str, kind: str, message: str, at: datetime) -> bool:
        """Record an item unless the newest of its subject and kind is open or says the same; return whether it was
        recorded."""
        newest = self._core.row(
            "select message, acknowledged_at from attention where subject = ? and kind = ? order by id desc limit 1",
            subject,
            kind,
        )
        if newest is not None and (newest["acknowledged_at"] is None or newest["message"] == message):
            return False
        self.raise_item(subject, kind, message, at)
        return True

    def was_raised(self, subject: str, kind: str) -> bool:
        """Return whether such an item was ever recorded, acknowledged or not."""
        return self._core.has("select 1 from attention where subject = ? and kind = ?", subject, kind)

    def open_items(self) -> tuple[AttentionItem, ...]:
        """Return the items that are not acknowledged yet, oldest first."""
        decode = row_decoder(AttentionItem, "attention item")
        return self._core.select(decode, "select * from attention where acknowledged_at is null order by id")

    def acknowledge(self, subject: str, by: str, at: datetime) -> int:
        """Close every open item of a subject; return their number."""
        with self._core.write_transaction(at, "attention acknowledged", subject) as change:
            rows = self._core.rows("select id from attention where subject = ? and acknowledged_at is null", subject)
            for row in rows:
                change.update("attention", row["id"], acknowledged_at=change.at, acknowledged_by=by)
        return len(rows)


def add_attention(change: WriteTransaction, subject: str, kind: str, message: str, *, renews: bool = False) -> None:
    """Record an item inside an open transaction, so that cause and item are committed together. An open one of the same
    subject and kind stays as it is, unless this one `renews` its message."""
    open_item = change.core.row(
        "select id from attention where subject = ? and kind = ? and acknowledged_at is null", subject, kind
    )
    if open_item is None:
        change.insert("attention", at=change.at, subject=subject, kind=kind, message=message)
    elif renews:
        change.update("attention", open_item["id"], message=message)


MASK = "****"
"""What stands in a notice where somebody's message named the account."""


class Notices(Records):
    """A notice stays in the outbox until every address that wants it has taken it."""

    # Reading

    def get(self, notice_id: int) -> Notice:
        return _notice(self._core.get_row("notice", notice_id))

    def select_pending(self, now: datetime) -> tuple[Notice, ...]:
        """Return the notices that are not sent yet and not given up, oldest first."""
        query = "select * from notice where sent_at is null and created_at >= ? order by id"
        return self._core.select(_notice, query, now - NOTICE_LIFE)

    def select_newest(self, count: int) -> tuple[Notice, ...]:
        """Return the newest notices, sent or not, newest first."""
        return self._core.select(_notice, "select * from notice order by id desc limit ?", count)

    def find_given_up(self, now: datetime, *, tried_only: bool = False) -> Notice | None:
        """Return the newest notice that was not sent until it was too old, tried or not; None if there is none.

        `tried_only` leaves out those that were never tried, as where there is no address.
        """
        query = "select * from notice where sent_at is null and tries >= ? and created_at < ? order by id desc limit 1"
        return self._core.find(_notice, query, tried_only, now - NOTICE_LIFE)

    def find_latest(self, kind: NoticeKind, about: str) -> Notice | None:
        """Return the newest notice of a kind about something; None if there is none."""
        query = "select * from notice where about = ? and kind = ? order by id desc limit 1"
        return self._core.find(_notice, query, about, kind)

    def labels_served(self, notice_id: int) -> frozenset[str]:
        """Return the labels of the addresses that have taken a notice."""
        rows = self._core.rows("select label from delivery where notice_id = ?", notice_id)
        return frozenset(row["label"] for row in rows)

    # Writing

    def add(self, text: NoticeText, at: datetime, *, run_id: int | None = None) -> int:
        """Add a notice and return its id."""
        with self._core.write_transaction(at, "notice queued", f"R{run_id}" if run_id is not None else "") as change:
            return add_notice(change, text, run_id=run_id)

    def add_reminder(self, text: NoticeText, at: datetime, *, repeat_after: timedelta | None = None) -> bool:
        """Add a notice unless one of its kind about the same is there already, or is younger than `repeat_after`.

        Checked and added in one transaction, since several processes may remind of the same; return whether it was
        added.
        """
        with self._core.write_transaction(at, "notice queued") as change:
            latest = self.find_latest(text.kind, text.about)
            if latest is not None and (repeat_after is None or at - latest.created_at < repeat_after):
                return False
            add_notice(change, text)
        return True

    def record_delivery(self, notice_id: int, label: str, at: datetime) -> None:
        """Record that an address has taken a notice; a second time changes nothing."""
        with self._core.write_transaction(at, "notice delivered") as change:
            if label not in self.labels_served(notice_id):
                change.insert("delivery", notice_id=notice_id, label=label, at=change.at)

    def mark_sent(self, notice_id: int, at: datetime) -> None:
        with self._core.write_transaction(at, "notice sent") as change:
            row = self._core.get_row("notice", notice_id)
            change.update("notice", notice_id, sent_at=change.at, tries=row["tries"] + 1, error="")

    def record_failure(self, notice_id: int, error: str, at: datetime) -> None:
        """Record why sending failed; the notice stays in the outbox."""
        with self._core.write_transaction(at, "notice failed") as change:
            row = self._core.get_row("notice", notice_id)
            change.update("notice", notice_id, tries=row["tries"] + 1, error=error)


def add_notice(change: WriteTransaction, text: NoticeText, *, run_id: int | None = None) -> int:
    """Add a notice inside an open transaction, so that it is committed with its cause; return its id.

    It is as old as the process says, since a recorded market stops the clock of its run in the past.
    """
    core = change.core
    is_secret = core.mode is not Mode.PAPER and core.account

    def mask_account(words: str) -> str:
        return words.replace(core.account, MASK) if is_secret else words

    return change.insert(
        "notice",
        run_id=run_id,
        subject=mask_account(text.subject),
        body=mask_account(text.body),
        created_at=core.process_clock() if core.process_clock is not None else change.at,
        kind=text.kind,
        short=mask_account(text.short),
        about=text.about or None,
    )


def add_end_notice(change: WriteTransaction, trade: Trade, underlying: str) -> None:
    """Add the notice of a trade that has just ended, inside the transaction of its end."""
    from spy32.rules.trade_notices import ended_notice

    add_notice(change, ended_notice(trade, underlying), run_id=trade.run_id)


def _notice(row: sqlite3.Row) -> Notice:
    """Return the notice of a row; one of an older layout has neither kind nor one-line form."""
    kind, short = row["kind"] or NoticeKind.NO_TRADE, row["short"] if row["short"] is not None else row["subject"]
    return decode_row(Notice, row, "notice", kind=kind, short=short, about=row["about"] or "")
