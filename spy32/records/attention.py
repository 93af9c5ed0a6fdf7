"""Attention items, which a person must acknowledge."""

from datetime import datetime

from spy32.domain.runs import AttentionItem
from spy32.records.base import Records, WriteTransaction
from spy32.records.encoding import row_decoder


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
