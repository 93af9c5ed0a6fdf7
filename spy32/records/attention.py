"""Attention items, which a person must acknowledge."""

import sqlite3
from datetime import datetime

from spy32.domain.runs import AttentionItem
from spy32.records.base import Database, WriteTransaction
from spy32.records.encoding import parse_instant, row_decoder


class AttentionList:
    """Items that `status` lists, and its check ends with 20 for, until a person acknowledges them."""

    def __init__(self, core: Database) -> None:
        self._core = core

    def raise_item(self, subject: str, kind: str, message: str, at: datetime) -> None:
        """Record an item; the same subject and kind is not recorded twice while the first one is open."""
        with self._core.write_transaction(at, "attention raised", subject) as change:
            add_attention(self._core, change, subject, kind, message)

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
        return self._core.row("select 1 from attention where subject = ? and kind = ?", subject, kind) is not None

    def open_items(self) -> tuple[AttentionItem, ...]:
        """Return the items that are not acknowledged yet, oldest first."""
        rows = self._core.rows("select * from attention where acknowledged_at is null order by id")
        return tuple(_attention_item(row) for row in rows)

    def acknowledge(self, subject: str, by: str, at: datetime) -> int:
        """Close every open item of a subject; return their number."""
        with self._core.write_transaction(at, "attention acknowledged", subject) as change:
            rows = self._core.rows("select id from attention where subject = ? and acknowledged_at is null", subject)
            for row in rows:
                change.update("attention", row["id"], acknowledged_at=change.at, acknowledged_by=by)
        return len(rows)


@row_decoder("attention item")
def _attention_item(row: sqlite3.Row) -> AttentionItem:
    return AttentionItem(
        id=row["id"], at=parse_instant(row["at"]), subject=row["subject"], kind=row["kind"], message=row["message"]
    )


def add_attention(store: Database, change: WriteTransaction, subject: str, kind: str, message: str) -> None:
    """Record an item inside an open transaction, so that cause and item are committed together."""
    open_item = store.row(
        "select 1 from attention where subject = ? and kind = ? and acknowledged_at is null", subject, kind
    )
    if open_item is None:
        change.insert("attention", at=change.at, subject=subject, kind=kind, message=message)
