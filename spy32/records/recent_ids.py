"""The newest ids of a database, for completion at a prompt: by sqlite3 alone, which loads in a tenth of the time of the
whole store.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

COLUMNS = {"R": ("run", "outcome"), "P": ("proposal", "state"), "T": ("trade", "state"), "N": ("notice", "kind")}
"""Letter of an id -> its table, and the column that says how it stands."""


def recent_ids(path: Path, letters: str, states: Sequence[str] = (), *, limit: int = 20) -> tuple[tuple[str, str], ...]:
    """The newest ids of each letter, such as `P31`, with how each stands; only those in `states` where some are given.

    Nothing where there is no database, or where it cannot be read: a prompt is no place to say so.
    """
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=0)) as db:
            return tuple(row for letter in letters for row in _newest(db, letter, states, limit))
    except sqlite3.Error:
        return ()


def _newest(db: sqlite3.Connection, letter: str, states: Sequence[str], limit: int) -> list[tuple[str, str]]:
    table, column = COLUMNS[letter]
    marks = ", ".join("?" * len(states))
    condition = f"where {column} in ({marks})" if states else ""
    sql = f"select ? || id, ifnull({column}, 'at work') from {table} {condition} order by id desc limit ?"
    return list(db.execute(sql, (letter, *states, limit)))
