"""The transaction core: reads, and writes whose event holds the digest of every touched row."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from spy32.domain.codec import canonical_json
from spy32.domain.hash_chain import GENESIS, event_hash
from spy32.domain.spreads import Mode
from spy32.errors import BadSettings
from spy32.ports import Clock
from spy32.records.encoding import format_instant
from spy32.records.errors import store_errors
from spy32.records.row_digests import changed_row_error, check_row, current_digest, row_key


class WriteTransaction:
    """One write transaction. Its event holds the digest of each touched row before and after it.

    A row that was edited outside the program is not written to, so that the edit stays visible.
    """

    def __init__(self, db: sqlite3.Connection, path: Path, at: datetime, kind: str, subject: str) -> None:
        self._db = db
        self._path = path
        self._touched: dict[tuple[str, int], str | None] = {}
        """Digest of each touched row before the transaction; None for a new row."""
        self.at = format_instant(at)
        self.kind = kind
        self.subject = subject
        self.details: dict[str, Any] = {}
        """Further values of the event, JSON."""

    def insert(self, table: str, **columns: Any) -> int:
        """Insert a row and return its id."""
        names, marks = ", ".join(columns), ", ".join("?" * len(columns))
        cursor = self._db.execute(f"insert into {table} ({names}) values ({marks})", tuple(columns.values()))
        assert cursor.lastrowid is not None
        self._touched[table, cursor.lastrowid] = None
        return cursor.lastrowid

    def update(self, table: str, row_id: int, **columns: Any) -> None:
        """Change a row; `StoreDamaged` if it was edited outside the program."""
        if (table, row_id) not in self._touched:
            self._touched[table, row_id] = check_row(self._db, self._path, table, row_id)
        sets = ", ".join(f"{name} = ?" for name in columns)
        self._db.execute(f"update {table} set {sets} where id = ?", (*columns.values(), row_id))

    def seal(self) -> None:
        """Write the event, unless nothing was touched."""
        if not self._touched:
            return
        last = self._db.execute("select id, hash from event order by id desc limit 1").fetchone()
        number, previous = (last[0] + 1, last[1]) if last is not None else (1, GENESIS)
        after = {row_key(*row): self._digest(*row) for row in self._touched}
        before = {row_key(*row): digest for row, digest in self._touched.items() if digest is not None}
        fields = {
            "id": number,
            "at": self.at,
            "kind": self.kind,
            "subject": self.subject,
            "data": canonical_json({**self.details, "before": before, "rows": after}),
            "previous": previous,
        }
        self._db.execute(
            "insert into event (id, at, kind, subject, data, previous, hash) values (?, ?, ?, ?, ?, ?, ?)",
            (*fields.values(), event_hash(previous, fields)),
        )
        self._db.executemany(
            "insert into last_event (row, event_id) values (?, ?) on conflict (row) do update set event_id = ?2",
            [(key, number) for key in after],
        )

    def _digest(self, table: str, row_id: int) -> str:
        digest = current_digest(self._db, table, row_id)
        if digest is None:
            raise changed_row_error(self._path, table, row_id)
        return digest


class Database:
    """An open database with its mode and account."""

    def __init__(self, db: sqlite3.Connection, path: Path, *, mode: Mode, account: str) -> None:
        self.db = db
        self.path = path
        self.mode = mode
        self.account = account
        self.process_clock: Clock | None = None
        """The clock of the process, whatever market it works on; None where that is the clock of every write."""

    def rows(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        with store_errors(self.path):
            return self.db.execute(sql, values).fetchall()

    def row(self, sql: str, *values: Any) -> sqlite3.Row | None:
        """Return the first row, or None."""
        with store_errors(self.path):
            first: sqlite3.Row | None = self.db.execute(sql, values).fetchone()
            return first

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
    def write_transaction(self, at: datetime, kind: str, subject: str = "") -> Iterator[WriteTransaction]:
        """Open a write transaction: committed with its event when the block succeeds, rolled back otherwise.

        It begins IMMEDIATE, because a transaction that reads first and then writes fails at once if another process
        wrote in between, whatever the time-out.
        """
        with store_errors(self.path):
            self.db.execute("begin immediate")
            try:
                change = WriteTransaction(self.db, self.path, at, kind, subject)
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
