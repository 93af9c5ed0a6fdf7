"""What SQLite's errors mean to a person: the one place where they become ours."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from spy32.errors import CannotCreate, Refused, Spy32Error, StoreTrouble, Unavailable

PRIMARY = 0xFF
"""The low byte of an extended result code is the primary one (sqlite.org/rescode.html)."""


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Run a block on the database at `path`; whatever SQLite raises leaves as one of our exceptions."""
    try:
        yield
    except sqlite3.Error as error:
        raise meaning(error, path) from error
    except UnicodeDecodeError as error:
        # SQLite's own message quotes a name out of a damaged schema.
        raise damage(path, f"a name in it is not text ({error})") from error


def meaning(error: sqlite3.Error, path: Path) -> Spy32Error:  # noqa: PLR0911 - one return a kind reads best
    """Our exception for SQLite's. Errors without a result code are misuse by our own code and come back as a bug, but
    for the one that Python's module raises by itself: a text that is not UTF-8."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        if isinstance(error, sqlite3.OperationalError):
            return damage(path, printable(str(error)))
        raise error
    match code & PRIMARY:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return Unavailable(f"{path} is locked by {holder(path)}; try again")
        case sqlite3.SQLITE_FULL:
            return StoreTrouble(f"the disk of {path} is full; nothing was written and nothing is lost")
        case sqlite3.SQLITE_READONLY:
            return StoreTrouble(f"{path} is read-only; nothing was written")
        case sqlite3.SQLITE_CANTOPEN:
            return CannotCreate(f"{path}, or the files that SQLite needs beside it, cannot be opened or made")
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return damage(path, printable(str(error)))
        case sqlite3.SQLITE_ERROR:
            # Our statements are fixed, so it is the schema that they no longer fit.
            return damage(path, printable(str(error)))
        case sqlite3.SQLITE_CONSTRAINT:
            return Refused(f"the rules of the store say no: {error}")
        case _:
            return StoreTrouble(f"{path} cannot be used: {error}")


def damage(path: Path, what: str) -> StoreTrouble:
    """A damaged, emptied or lost database, with the way back."""
    from spy32.records.upkeep import last_good_backup

    backup = last_good_backup(path)
    if backup is None:
        way = f"there is no good backup in {backups_of(path)}; `spy32 db restore FILE` takes one from elsewhere"
    else:
        way = f"last good backup: {backup}; to put it in place: spy32 db restore {backup}"
    return StoreTrouble(f"{path} is damaged: {what}. {way}")


def printable(text: str) -> str:
    """Words that may quote damaged bytes, as they can be shown and stored."""
    return text.encode("utf-8", "backslashreplace").decode()


def backups_of(path: Path) -> Path:
    """The folder of the backups of the database at `path`."""
    return path.parent / "backups"


def holder(path: Path) -> str:
    """Who holds SQLite's locks on the database, from the kernel's table where there is one."""
    try:
        inodes = {str(os.stat(name).st_ino) for name in (path, f"{path}-shm") if os.path.exists(name)}
        with open("/proc/locks") as table:
            rows = [line.split() for line in table]
    except OSError:
        return "another process"
    mine = str(os.getpid())
    pids = {row[4] for row in rows if len(row) > 5 and row[3] == "WRITE" and row[5].rpartition(":")[2] in inodes}
    others = sorted(pids - {mine, "0", "-1"})
    return f"process {', '.join(others)}" if others else "another process"
