"""What a person must look at, until it is acknowledged; and which proposals a person has had on the screen."""

import sqlite3
from datetime import datetime

from spy32.domain.running import Attention
from spy32.records.base import Base, Change
from spy32.records.values import reads_row, when


class AttentionItems(Base):
    """Items that stay in `status`, and end its check with 20, until a person acknowledges them."""

    def raise_attention(self, subject: str, kind: str, message: str, at: datetime) -> None:
        """Record an item; the same subject and kind is not recorded twice while the first one is open."""
        with self.changing(at, "attention raised", subject) as change:
            add_attention(self, change, subject, kind, message)

    def was_raised(self, subject: str, kind: str) -> bool:
        """True when such an item was ever recorded, acknowledged or not."""
        return self.row("select 1 from attention where subject = ? and kind = ?", subject, kind) is not None

    def open_attention(self) -> tuple[Attention, ...]:
        """Items that nobody has acknowledged yet, oldest first."""
        found = self.rows("select * from attention where acknowledged_at is null order by id")
        return tuple(_item(row) for row in found)

    def acknowledge(self, subject: str, by: str, at: datetime) -> int:
        """Close every open item of a subject; how many there were."""
        with self.changing(at, "attention acknowledged", subject) as change:
            rows = self.rows("select id from attention where subject = ? and acknowledged_at is null", subject)
            for row in rows:
                change.update("attention", row["id"], acknowledged_at=change.at, acknowledged_by=by)
        return len(rows)

    def record_viewing(self, proposal_id: int, by: str, at: datetime) -> None:
        """A person has this proposal on the screen of `approve`. It leaves the proposal itself untouched."""
        with self.changing(at, "viewed", f"P{proposal_id}") as change:
            change.insert("viewing", proposal_id=proposal_id, at=change.at, viewed_by=by)

    def was_viewed(self, proposal_id: int) -> bool:
        """True when a person has had the proposal on the screen of `approve`."""
        return self.row("select 1 from viewing where proposal_id = ?", proposal_id) is not None


@reads_row("attention item")
def _item(row: sqlite3.Row) -> Attention:
    return Attention(id=row["id"], at=when(row["at"]), subject=row["subject"], kind=row["kind"], message=row["message"])


def add_attention(store: Base, change: Change, subject: str, kind: str, message: str) -> None:
    """The same inside a transaction that is open already, so that the cause and the item are kept or lost together."""
    known = store.row(
        "select 1 from attention where subject = ? and kind = ? and acknowledged_at is null", subject, kind
    )
    if known is None:
        change.insert("attention", at=change.at, subject=subject, kind=kind, message=message)
