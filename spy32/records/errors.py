"""What SQLite's errors mean to a person: the one place where they become ours."""

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
    """Run a block on the database at `path`; whatever SQLite raises leaves as one of our exceptions."""
    try:
        yield
    except sqlite3.Error as error:
        raise translate_error(error, path) from error
    except UnicodeDecodeError as error:
        # SQLite's own message quotes a name out of a damaged schema.
        raise StoreDamaged(f"a name in it is not text ({error})", path) from error


def translate_error(error: sqlite3.Error, path: Path) -> Spy32Error:  # noqa: PLR0911 - one return a kind reads best
    """Our exception for SQLite's. Errors without a result code are misuse by our own code and come back as a bug, but
    for the one that Python's module raises by itself: a text that is not UTF-8."""
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
            # Our statements are fixed, so it is the schema that they no longer fit.
            return StoreDamaged(printable(str(error)), path)
        case sqlite3.SQLITE_CONSTRAINT:
            return Refused(f"the rules of the store say no: {error}")
        case _:
            return StoreError(f"{path} cannot be used: {error}")


def printable(text: str) -> str:
    """Words that may quote damaged bytes, as they can be shown and stored."""
    return text.encode("utf-8", "backslashreplace").decode()


def backup_folder(path: Path) -> Path:
    """The folder of the backups of the database at `path`."""
    return path.parent / "backups"


def lock_holder(path: Path) -> str:
    """Who holds SQLite's locks on the database, from the kernel's table where there is one."""
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
