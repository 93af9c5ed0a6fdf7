"""Translation of SQLite's errors into ours; the only place that does it."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from spy32.errors import CannotCreate, Refused, Spy32Error, StoreDamaged, StoreError, Unavailable

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
    if code is None:
        if isinstance(error, sqlite3.OperationalError):
            return StoreDamaged(printable(str(error)), path)
        raise error
    match code & PRIMARY_CODE:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return Unavailable(f"{path} is locked by {lock_holder(path)}; try again")
        case sqlite3.SQLITE_FULL:
            return StoreError(f"the disk of {path} is full; nothing was written and nothing is lost")
        case sqlite3.SQLITE_READONLY:
            return StoreError(f"{path} is read-only; nothing was written")
        case sqlite3.SQLITE_CANTOPEN:
            return CannotCreate(f"{path}, or the files that SQLite needs beside it, cannot be opened or made")
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return StoreDamaged(printable(str(error)), path)
        case sqlite3.SQLITE_ERROR:
            # Our statements are fixed, so the schema is damaged.
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
