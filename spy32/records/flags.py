"""Flags such as `paused`, which outlive a command."""

from datetime import datetime

from spy32.domain.market import SYNTHETIC
from spy32.records.base import Records
from spy32.records.encoding import parse_instant, reading


class Flags(Records):
    """A flag has a value and the time at which it was set."""

    def get(self, name: str) -> tuple[str, datetime] | None:
        """Return value and time of a flag; None if it is not set."""
        row = self._core.row("select value, at from flag where name = ? and value is not null", name)
        if row is None:
            return None
        with reading(f"flag {name}"):
            return row["value"], parse_instant(row["at"])

    @property
    def is_synthetic(self) -> bool:
        """Whether everything in this database comes from a simulated market."""
        return self.get(SYNTHETIC) is not None

    def set(self, name: str, value: str, at: datetime) -> None:
        with self._core.write_transaction(at, "flag set", name) as change:
            row = self._core.row("select id from flag where name = ?", name)
            if row is None:
                change.insert("flag", name=name, value=value, at=change.at)
            else:
                change.update("flag", row["id"], value=value, at=change.at)

    def clear(self, name: str, at: datetime) -> None:
        """Clear a flag; nothing happens if it is not set."""
        with self._core.write_transaction(at, "flag cleared", name) as change:
            row = self._core.row("select id from flag where name = ? and value is not null", name)
            if row is not None:
                change.update("flag", row["id"], value=None, at=change.at)
