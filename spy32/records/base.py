"""Reading, and the one way of writing: a transaction whose event tells of every row that it touched."""

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
from spy32.records.encoding import format_instant
from spy32.records.errors import store_errors
from spy32.records.row_digests import changed_row_error, check_row, current_digest, row_key


class WriteTransaction:
    """One write transaction. Its event holds the digest of each touched row before and after it.

    A row that is not as the history left it is not written to: an edit by hand is never covered up.
    """

    def __init__(self, db: sqlite3.Connection, path: Path, at: datetime, kind: str, subject: str) -> None:
        self._db = db
        self._path = path
        self._touched: dict[tuple[str, int], str | None] = {}
        """Each row with its digest before; None for a new one."""
        self.at = format_instant(at)
        self.kind = kind
        self.subject = subject
        self.details: dict[str, Any] = {}
        """More that the event says, as JSON values."""

    def insert(self, table: str, **columns: Any) -> int:
        """The id of the new row."""
        names, marks = ", ".join(columns), ", ".join("?" * len(columns))
        cursor = self._db.execute(f"insert into {table} ({names}) values ({marks})", tuple(columns.values()))
        assert cursor.lastrowid is not None
        self._touched[table, cursor.lastrowid] = None
        return cursor.lastrowid

    def update(self, table: str, row_id: int, **columns: Any) -> None:
        """Change a row; `StoreDamaged` when somebody else has changed it since it was last written."""
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
    """An open database and whose it is."""

    def __init__(self, db: sqlite3.Connection, path: Path, *, mode: Mode, account: str) -> None:
        self.db = db
        self.path = path
        self.mode = mode
        self.account = account

    def rows(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        with store_errors(self.path):
            return self.db.execute(sql, values).fetchall()

    def row(self, sql: str, *values: Any) -> sqlite3.Row | None:
        """The first row, or None."""
        with store_errors(self.path):
            first: sqlite3.Row | None = self.db.execute(sql, values).fetchone()
            return first

    @contextmanager
    def read_transaction(self) -> Iterator[None]:
        """Several reads of one state of the database; inside a transaction it is one already."""
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
        """A write transaction: committed with its event when the block ends well, undone otherwise.

        It begins IMMEDIATE: a transaction that reads first and then writes fails at once when another one wrote in
        between, whatever the time-out.
        """
        with store_errors(self.path):
            self.db.execute("begin immediate")
            try:
                change = WriteTransaction(self.db, self.path, at, kind, subject)
                yield change
                change.seal()
                self.db.execute("commit")
            finally:
                # After a full disk SQLite has rolled back by itself, and a second rollback would fail.
                if self.db.in_transaction:
                    self.db.execute("rollback")

    def require_mode(self, mode: Mode) -> None:
        """`BadSettings` unless `mode` is the one that this database is stamped with."""
        if mode is not self.mode:
            raise BadSettings(f"{self.path} is of mode {self.mode}; nothing of mode {mode} may be written to it")
