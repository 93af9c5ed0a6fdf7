"""The transaction core: reads, and writes whose event holds the digest of every touched row.

SQLite's errors become ours here and nowhere else.
"""

import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, TypeVar

from spy32.domain.codec import GENESIS, canonical_json, event_hash, row_digest
from spy32.domain.spreads import Mode
from spy32.errors import BadSettings, BadUsage, CannotCreate, Refused, Spy32Error, StoreDamaged, StoreError, Unavailable
from spy32.ports import Clock
from spy32.records.encoding import DECODE_ERRORS, as_column, format_instant, storable_text

PRIMARY_CODE = 0xFF
"""The low byte of an extended result code is the primary one (sqlite.org/rescode.html)."""


@contextmanager
def store_errors(path: Path) -> Iterator[None]:
    """Run a block on the database at `path`; SQLite's errors leave it as ours."""
    try:
        yield
    except sqlite3.Error as error:
        raise translate_error(error, path) from error
    except UnicodeDecodeError as error:
        # SQLite's message may quote a name from a damaged schema.
        raise StoreDamaged(f"a name in it is not text ({error})", path) from error


def translate_error(error: sqlite3.Error, path: Path) -> Spy32Error:  # noqa: PLR0911 - one return a kind reads best
    """Return our exception for SQLite's. An error without a result code is a bug of ours, except the one that Python's
    module raises for text that is not UTF-8."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None and not isinstance(error, sqlite3.OperationalError):
        raise error
    match code and code & PRIMARY_CODE:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return Unavailable(f"{path} is locked by {lock_holder(path)}; try again")
        case sqlite3.SQLITE_FULL:
            return StoreError(f"the disk of {path} is full; nothing was written and nothing is lost")
        case sqlite3.SQLITE_READONLY:
            return StoreError(f"{path} is read-only; nothing was written")
        case sqlite3.SQLITE_CANTOPEN:
            return CannotCreate(f"{path}, or the files that SQLite needs beside it, cannot be opened or made")
        case None | sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB | sqlite3.SQLITE_ERROR:
            # Our statements are fixed, so that one that SQLite does not understand has a damaged schema before it.
            return StoreDamaged(printable(str(error)), path)
        case sqlite3.SQLITE_CONSTRAINT:
            return Refused(f"the rules of the store say no: {error}")
        case _:
            return StoreError(f"{path} cannot be used: {error}")


def printable(text: str) -> str:
    """Return text that may quote damaged bytes in a form that can be shown and stored."""
    return text.encode("utf-8", "backslashreplace").decode()


def backup_folder(path: Path) -> Path:
    """Return the folder of the backups of a database."""
    return path.parent / "backups"


def lock_holder(path: Path) -> str:
    """Return who holds SQLite's locks on the database, from the kernel's lock table if there is one."""
    try:
        inodes = {str(os.stat(name).st_ino) for name in (path, f"{path}-shm") if os.path.exists(name)}
        with open("/proc/locks") as table:
            rows = [line.split() for line in table]
    except OSError:
        return "another process"
    own_pid = str(os.getpid())
    pids = {row[4] for row in rows if len(row) > 5 and row[3] == "WRITE" and row[5].rpartition(":")[2] in inodes}
    others = sorted(pids - {own_pid, "0", "-1"})
    return f"process {', '.join(others)}" if others else "another process"


EVENT_QUERY = "select id, at, kind, subject, data, previous, hash from event"


def row_key(table: str, row_id: int) -> str:
    """Return the key of a row in the history."""
    return f"{table}:{row_id}"


def split_key(key: str) -> tuple[str, int]:
    """Return table and id of a row's key."""
    table, _, number = key.partition(":")
    return table, int(number)


def recorded_digest(db: sqlite3.Connection, key: str) -> str | None:
    """Return the digest that the row's newest event holds; None if there is no sound event."""
    row = db.execute(f"{EVENT_QUERY} where id = (select event_id from last_event where row = ?)", (key,)).fetchone()
    if row is None:
        return None
    fields = dict(row)
    link = fields.pop("hash")
    try:
        is_sound = event_hash(fields["previous"], fields) == link
        digest: str | None = json.loads(fields["data"])["rows"].get(key) if is_sound else None
    except DECODE_ERRORS:
        return None
    return digest


def current_digest(db: sqlite3.Connection, key: str) -> str | None:
    """Return the digest of a row as it is now; None if it is missing."""
    table, number = split_key(key)
    row = db.execute(f"select * from {table} where id = ?", (number,)).fetchone()
    return row_digest(dict(row)) if row is not None else None


def check_row(db: sqlite3.Connection, path: Path, key: str) -> str:
    """Return the digest of a row that is as last written; `StoreDamaged` if it was edited."""
    digest = current_digest(db, key)
    if digest is None or digest != recorded_digest(db, key):
        table, number = split_key(key)
        raise StoreDamaged(f"row {number} of {table} is not as the history left it", path)
    return digest


T = TypeVar("T")

LISTED_BY = {
    "run": ("run R", "`spy32 show --history` lists them"),
    "proposal": ("proposal P", "`spy32 show --history` lists them"),
    "broker_order": ("order O", "`spy32 show` lists those of a run"),
    "trade": ("trade T", "`spy32 positions` lists them"),
    "notice": ("notice N", "`spy32 notify list` shows them"),
}
"""Table -> how a person calls a row of it, and how to find the right one."""


class Database:
    """An open database with its mode and account. The values of a query are given as for `as_column`."""

    def __init__(self, db: sqlite3.Connection, path: Path, *, mode: Mode, account: str) -> None:
        self.db = db
        self.path = path
        self.mode = mode
        self.account = account
        self.process_clock: Clock | None = None
        """The clock of the process, whatever market it works on; None where that is the clock of every write."""

    def rows(self, sql: str, *values: object) -> list[sqlite3.Row]:
        with store_errors(self.path):
            return self.db.execute(sql, tuple(map(as_column, values))).fetchall()

    def row(self, sql: str, *values: object) -> sqlite3.Row | None:
        """Return the first row, or None."""
        with store_errors(self.path):
            first: sqlite3.Row | None = self.db.execute(sql, tuple(map(as_column, values))).fetchone()
            return first

    def select(self, decode: Callable[[sqlite3.Row], T], sql: str, *values: object) -> tuple[T, ...]:
        """Return what every row stands for."""
        return tuple(map(decode, self.rows(sql, *values)))

    def find(self, decode: Callable[[sqlite3.Row], T], sql: str, *values: object) -> T | None:
        """Return what the first row stands for; None without a row."""
        row = self.row(sql, *values)
        return decode(row) if row is not None else None

    def has(self, sql: str, *values: object) -> bool:
        """Return whether there is such a row."""
        return self.row(sql, *values) is not None

    def total(self, sql: str, *values: object) -> int:
        """Return the number that a query of one column gives; 0 without one."""
        row = self.row(sql, *values)
        return row[0] or 0 if row is not None else 0

    def get_row(self, table: str, row_id: int) -> sqlite3.Row:
        """Return the row of a table with this id; `BadUsage` without one."""
        row = self.row(f"select * from {table} where id = ?", row_id)
        if row is None:
            name, remedy = LISTED_BY[table]
            raise BadUsage(f"there is no {name}{row_id}; {remedy}")
        return row

    @contextmanager
    def read_transaction(self) -> Iterator[None]:
        """Make several reads see one state of the database; inside a transaction they already do."""
        if self.db.in_transaction:
            yield
            return
        with store_errors(self.path):
            self.db.execute("begin")
            try:
                yield
            finally:
                if self.db.in_transaction:
                    self.db.execute("rollback")

    @contextmanager
    def write_transaction(self, at: datetime, kind: str, subject: str = "") -> "Iterator[WriteTransaction]":
        """Open a write transaction: committed with its event when the block succeeds, rolled back otherwise.

        It begins IMMEDIATE, because a transaction that reads first and then writes fails at once if another process
        wrote in between, whatever the time-out.
        """
        with store_errors(self.path):
            self.db.execute("begin immediate")
            try:
                change = WriteTransaction(self, at, kind, subject)
                yield change
                change.seal()
                self.db.execute("commit")
            finally:
                # After a full disk SQLite has already rolled back, and a second rollback would fail.
                if self.db.in_transaction:
                    self.db.execute("rollback")

    def require_mode(self, mode: Mode) -> None:
        """Raise `BadSettings` unless `mode` is the mode of this database."""
        if mode is not self.mode:
            raise BadSettings(f"{self.path} is of mode {self.mode}; nothing of mode {mode} may be written to it")


class WriteTransaction:
    """One write transaction. Its event holds the digest of each touched row before and after it.

    A row that was edited outside the program is not written to, so that the edit stays visible. Columns are given as
    for `as_column`.
    """

    def __init__(self, core: Database, at: datetime, kind: str, subject: str) -> None:
        self.core = core
        self._touched: dict[str, str | None] = {}
        """Digest of each touched row before the transaction; None for a new row."""
        self.at = format_instant(at)
        self.kind = storable_text(kind)
        self.subject = subject
        self.details: dict[str, Any] = {}
        """Further values of the event, JSON."""

    def insert(self, table: str, **columns: object) -> int:
        """Insert a row and return its id."""
        names, marks = ", ".join(columns), ", ".join("?" * len(columns))
        values = tuple(map(as_column, columns.values()))
        cursor = self.core.db.execute(f"insert into {table} ({names}) values ({marks})", values)
        assert cursor.lastrowid is not None
        self._touched[row_key(table, cursor.lastrowid)] = None
        return cursor.lastrowid

    def update(self, table: str, row_id: int, **columns: object) -> None:
        """Change a row; `StoreDamaged` if it was edited outside the program."""
        key = row_key(table, row_id)
        if key not in self._touched:
            self._touched[key] = check_row(self.core.db, self.core.path, key)
        sets = ", ".join(f"{name} = ?" for name in columns)
        self.core.db.execute(f"update {table} set {sets} where id = ?", (*map(as_column, columns.values()), row_id))

    def insert_cash(self, book: Literal["account", "paper"], amounts: dict[str, int], **source: int) -> None:
        """Insert amounts by their kind, in ten-thousandths of a dollar; `source` is the column of what moved them."""
        for kind, amount in amounts.items():
            if amount:
                self.insert("cash", book=book, kind=kind, amount_e4=amount, at=self.at, **source)

    def seal(self) -> None:
        """Write the event, unless nothing was touched."""
        if not self._touched:
            return
        db = self.core.db
        last = db.execute("select id, hash from event order by id desc limit 1").fetchone()
        number, previous = (last[0] + 1, last[1]) if last is not None else (1, GENESIS)
        after = {key: current_digest(db, key) for key in self._touched}
        before = {key: digest for key, digest in self._touched.items() if digest is not None}
        fields = {
            "id": number,
            "at": self.at,
            "kind": self.kind,
            "subject": self.subject,
            "data": canonical_json({**self.details, "before": before, "rows": after}),
            "previous": previous,
        }
        db.execute(
            "insert into event (id, at, kind, subject, data, previous, hash) values (?, ?, ?, ?, ?, ?, ?)",
            (*fields.values(), event_hash(previous, fields)),
        )
        db.executemany(
            "insert into last_event (row, event_id) values (?, ?) on conflict (row) do update set event_id = ?2",
            [(key, number) for key in after],
        )


class Records:
    """The rows of one noun, over the transaction core."""

    def __init__(self, core: Database) -> None:
        self._core = core
