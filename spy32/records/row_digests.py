"""Digests of rows in the history, found through `last_event` without searching the history."""

import json
import sqlite3
from pathlib import Path

from spy32.domain.hash_chain import event_hash, row_digest
from spy32.errors import StoreDamaged
from spy32.records.encoding import DECODE_ERRORS

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
