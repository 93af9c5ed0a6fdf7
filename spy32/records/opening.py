"""Opening a database: whose it is, whether it is whole, and how it is read where nothing may be written."""

import os
import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing, suppress
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from spy32.domain.trading import Mode
from spy32.errors import BadSettings, CannotCreate, StoreTrouble
from spy32.records.base import Base
from spy32.records.place import new_home_id, place_of
from spy32.records.trouble import backups_of, damage, translated
from spy32.records.values import instant, to_e4
from spy32.schema import APPLICATION_ID, MIGRATIONS, Migration, migrate, version_of

MAGIC = b"SQLite format 3\x00"
HEADER = 100
WAL_HEADER = 32
"""A write-ahead log of this size or less holds no frames (sqlite.org/walformat.html)."""
BUSY_SECONDS = 5.0
LEAST_FREE = 16 * 2**20
"""Bytes that must be free before anything is begun: a run, its orders and a backup fit in them."""


def marker_of(path: Path) -> Path:
    """The file beside a database that says that it exists, so that a deleted one is not taken for a first run."""
    return path.with_name(f"{path.name}.stamp")


def was_made(path: Path) -> bool:
    """True when a database was once made at `path`, whether or not it is still there."""
    return marker_of(path).exists() or any(backups_of(path).glob(f"{path.stem}-*.db"))


def mark(path: Path, at: datetime) -> None:
    if not marker_of(path).exists():
        text = f"{path.name} exists since {instant(at)}. When it is missing, it was deleted: see `spy32 db restore`.\n"
        try:
            handle = os.open(marker_of(path), os.O_CREAT | os.O_WRONLY, 0o600)
            os.write(handle, text.encode())
            os.close(handle)
        except OSError as trouble:
            raise CannotCreate(f"{marker_of(path)} cannot be made: {trouble.strerror}") from None


def sync_folder(folder: Path) -> None:
    """Names of new files survive a power cut only when their folder is on the disk."""
    with suppress(OSError):  # not every file system lets a folder be opened
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def draft_of(path: Path) -> Path:
    """An empty private file beside `path`, to be filled and then given that name."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft.unlink(missing_ok=True)
        os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except OSError as trouble:
        raise CannotCreate(f"{path} cannot be made: {trouble.strerror}") from None
    return draft


def place(draft: Path, path: Path) -> None:
    """Give a finished draft its name; `FileExistsError` when the name is taken."""
    try:
        os.link(draft, path)
    except FileExistsError:
        raise
    except OSError as trouble:
        raise CannotCreate(f"{path} cannot be made: {trouble.strerror}") from None
    finally:
        discard(draft)
    sync_folder(path.parent)


def discard(draft: Path) -> None:
    """Remove a draft and what SQLite made beside it."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        draft.with_name(draft.name + suffix).unlink(missing_ok=True)


def connect(path: Path, how: str) -> sqlite3.Connection:
    """A connection that never makes a file by itself. `how` is SQLite's `mode=...`."""
    uri = f"{path.absolute().as_uri()}?{how}"
    db = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=BUSY_SECONDS)
    db.row_factory = sqlite3.Row
    return db


def harden(db: sqlite3.Connection) -> None:
    db.execute("pragma journal_mode = wal")
    db.execute("pragma synchronous = full")
    db.execute("pragma foreign_keys = on")


def make(path: Path, *, mode: Mode, account: str, at: datetime, opening_cash: Decimal | None = None) -> None:
    """A new database, whole before it has its name; `FileExistsError` when another process was first."""
    draft = draft_of(path)
    try:
        with translated(path), closing(connect(draft, "mode=rw")) as db:
            harden(db)
            migrate(db)
            with Base(db, path, mode=mode, account=account).changing(at, "made") as change:
                change.insert(
                    "stamp",
                    id=1,
                    mode=mode,
                    account=account,
                    created_at=change.at,
                    home_id=new_home_id(),
                    **place_of(path),
                )
                if opening_cash is not None:
                    change.insert("cash", book="paper", kind="opening", amount_e4=to_e4(opening_cash), at=change.at)
    except BaseException:
        discard(draft)
        raise
    place(draft, path)
    mark(path, at)


def look(path: Path, newest: int) -> None:
    """Judge a file by its header alone, so that a foreign or newer one is left as it is, byte for byte."""
    try:
        with path.open("rb") as file:
            header = file.read(HEADER)
    except OSError as trouble:
        raise StoreTrouble(f"{path} cannot be read: {trouble.strerror}") from None
    if not header:
        raise damage(path, "the file is empty")
    if len(header) < HEADER or not header.startswith(MAGIC):
        raise damage(path, "it does not begin as a database does")
    _judge(path, int.from_bytes(header[68:72], "big"), int.from_bytes(header[60:64], "big"), newest)


def _judge(path: Path, application: int, version: int, newest: int) -> None:
    if application != APPLICATION_ID:
        raise BadSettings(f"{path} is a database of another program; it was not touched")
    if version > newest:
        raise BadSettings(f"{path} has version {version}, this spy32 knows {newest}: install the newer spy32 again")


def frames_wait(path: Path) -> bool:
    """True when committed rows are still in the write-ahead log."""
    wal = path.with_name(f"{path.name}-wal")
    return wal.exists() and wal.stat().st_size > WAL_HEADER


def read_write(path: Path, newest: int = len(MIGRATIONS)) -> sqlite3.Connection:
    """The database at `path` for reading and writing, judged but not yet migrated."""
    look(path, newest)
    for place_ in (path, path.parent):
        if not os.access(place_, os.W_OK, effective_ids=os.access in os.supports_effective_ids):
            raise StoreTrouble(f"{place_} is read-only; `spy32 show` and `spy32 status` still work")
    if shutil.disk_usage(path.parent).free < LEAST_FREE:
        raise StoreTrouble(f"less than {LEAST_FREE >> 20} MB are free for {path}; nothing was begun")
    with translated(path):
        if frames_wait(path):
            # The log may hold a newer version than the header shows; a reader looks without moving it.
            with closing(connect(path, "mode=ro")) as reader:
                _judge(path, _application(reader), version_of(reader), newest)
        db = connect(path, "mode=rw")
        try:
            harden(db)
            _judge(path, _application(db), version_of(db), newest)
        except BaseException:
            db.close()
            raise
        return db


def _application(db: sqlite3.Connection) -> int:
    return int(db.execute("pragma application_id").fetchone()[0])


def read_only(path: Path, migrations: Sequence[Migration] = MIGRATIONS) -> sqlite3.Connection:
    """The database at `path` for reading, whatever the folder allows; an older one is read through a migrated copy."""
    look(path, len(migrations))
    with translated(path):
        db = _readable(path)
        try:
            _judge(path, _application(db), version_of(db), len(migrations))
            if version_of(db) < len(migrations):
                db = _in_memory(db)
                migrate(db, migrations)
            db.execute("pragma query_only = on")
        except BaseException:
            db.close()
            raise
        return db


def _readable(path: Path) -> sqlite3.Connection:
    db = connect(path, "mode=ro")
    try:
        db.execute("select count(*) from sqlite_master").fetchone()
    except sqlite3.OperationalError as error:
        db.close()
        # A write-ahead log needs shared memory beside it, which a read-only folder cannot get.
        if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
            raise
        return _copied(path) if frames_wait(path) else connect(path, "mode=ro&immutable=1")
    except BaseException:
        db.close()
        raise
    return db


def _copied(path: Path) -> sqlite3.Connection:
    """The database with its log, read where writing is allowed."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="spy32-") as folder:
        copy = Path(folder) / path.name
        shutil.copyfile(path, copy)
        shutil.copyfile(f"{path}-wal", f"{copy}-wal")
        return _in_memory(connect(copy, "mode=rw"))


def _in_memory(source: sqlite3.Connection) -> sqlite3.Connection:
    """All of `source`, which is closed, in memory."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.row_factory = sqlite3.Row
    with closing(source):
        source.backup(db)
    return db
