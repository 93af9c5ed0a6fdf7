"""What a database knows of its home: the place of it, so that two copies never both send orders, and its flags."""

import os
import sqlite3
from datetime import datetime
from pathlib import Path

from spy32.domain.codec import sha256_hex
from spy32.domain.market import SYNTHETIC
from spy32.errors import NotPermitted
from spy32.records.base import Records
from spy32.records.encoding import parse_instant, reading

MACHINE_FILES = (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id"))


UNRECORDED_LOCATION = "a place that its older spy32 did not record"


def machine_name() -> str:
    """Return a hash of the machine id; empty where there is none, so that only the path tells places apart.

    machine-id(5) asks not to expose the id itself.
    """
    for path in MACHINE_FILES:
        try:
            return sha256_hex(f"spy32 {path.read_text().strip()}".encode())[:16]
        except (OSError, UnicodeDecodeError):
            continue
    return ""


def location_columns(path: Path) -> dict[str, str]:
    """Return the stamp columns with the location of the database, links resolved."""
    return {"machine": machine_name(), "place": os.path.realpath(path)}


def new_home_id() -> str:
    return os.urandom(8).hex()


class HomeLocation(Records):
    """The home of a database, and the place where it was last confirmed as the only copy."""

    def created_at(self) -> datetime:
        """Return when this database was created."""
        with reading("the stamp"):
            return parse_instant(self._stamp()["created_at"])

    def home_id(self) -> str:
        """Return the home's id, given at creation or adoption; empty before the first write."""
        return self._stamp()["home_id"] or ""

    def _stamp(self) -> sqlite3.Row:
        return self._core.rows("select * from stamp")[0]

    def has_sent_orders(self) -> bool:
        """Return whether an order was ever stored in this database."""
        return self._core.has("select 1 from broker_order")

    def former_place(self) -> str | None:
        """Return the confirmed place of this database if it is another one; None if it has not moved."""
        row = self._stamp()
        if row["place"] is None:
            # Only a person knows which copy of an older home that sent orders is to go on.
            return UNRECORDED_LOCATION if self.has_sent_orders() else None
        current = location_columns(self._core.path)
        is_here = row["place"] == current["place"]
        is_this_machine = not row["machine"] or not current["machine"] or row["machine"] == current["machine"]
        if is_here and is_this_machine:
            return None
        return str(row["place"]) if is_this_machine else f"{row['place']} on another machine"

    def require_unmoved(self) -> None:
        """Raise `NotPermitted` if this database was copied, moved or restored and nobody has confirmed that yet."""
        former = self.former_place()
        if former is not None:
            raise NotPermitted(
                f"this home was at {former} and is now at {os.path.realpath(self._core.path)}; two copies must not "
                "both send: when the other one sends no more, `spy32 db adopt` makes this the one that does"
            )

    def claim(self, at: datetime, by: str = "") -> str:
        """Give the home a new id and this place; return the id."""
        home_id = new_home_id()
        with self._core.write_transaction(at, f"home adopted by {by}" if by else "home known") as change:
            change.update("stamp", 1, home_id=home_id, **location_columns(self._core.path))
        return home_id


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

    def record(self, name: str, value: str, at: datetime) -> None:
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
