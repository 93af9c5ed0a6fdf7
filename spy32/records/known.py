"""What the history last said of a row: its digest, found through `last_event` and not by searching the history."""

import json
import sqlite3
from pathlib import Path

from spy32.errors import StoreTrouble
from spy32.records.trouble import damage
from spy32.records.values import UNREADABLE, event_hash, row_digest

EVENT = "select id, at, kind, subject, data, previous, hash from event"


def row_key(table: str, row_id: int) -> str:
    """The name of a row in the history."""
    return f"{table}:{row_id}"


def known_digest(db: sqlite3.Connection, key: str) -> str | None:
    """The digest of a row as the newest event that touched it left it; None when no sound event is known."""
    row = db.execute(f"{EVENT} where id = (select event_id from last_event where row = ?)", (key,)).fetchone()
    if row is None:
        return None
    fields = dict(row)
    link = fields.pop("hash")
    try:
        is_sound = event_hash(fields["previous"], fields) == link
        digest: str | None = json.loads(fields["data"])["rows"].get(key) if is_sound else None
    except UNREADABLE:
        return None
    return digest


def current_digest(db: sqlite3.Connection, table: str, row_id: int) -> str | None:
    """The digest of a row as it is; None when it is not there."""
    row = db.execute(f"select * from {table} where id = ?", (row_id,)).fetchone()
    return row_digest(dict(row)) if row is not None else None


def check_row(db: sqlite3.Connection, path: Path, table: str, row_id: int) -> str:
    """The digest of a row that is as the history left it; `StoreTrouble` for one that is not."""
    digest = current_digest(db, table, row_id)
    if digest is None or digest != known_digest(db, row_key(table, row_id)):
        raise changed(path, table, row_id)
    return digest


def changed(path: Path, table: str, row_id: int) -> StoreTrouble:
    return damage(path, f"row {row_id} of {table} is not as the history left it")
