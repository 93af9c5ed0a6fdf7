"""Create and open databases: check mode, account and soundness; read from a read-only folder."""

import os
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from spy32.domain.spreads import Mode
from spy32.errors import BadSettings, CannotCreate, StoreDamaged, StoreError
from spy32.records.base import Database, backup_folder, store_errors
from spy32.records.encoding import dollars_to_e4, format_instant
from spy32.records.home import location_columns, new_home_id
from spy32.schema import APPLICATION_ID, MIGRATIONS, Migration, migrate, schema_version

MAGIC = b"SQLite format 3\x00"
HEADER_BYTES = 100
WAL_HEADER_BYTES = 32
"""Header size in bytes: a write-ahead log of at most this size has no frames (sqlite.org/walformat.html)."""
BUSY_SECONDS = 5.0
MIN_FREE_BYTES = 16 * 2**20
"""Free bytes required before a run starts: enough for the run, its orders and a backup."""


def marker_path(path: Path) -> Path:
    """Return the path of the marker file, which tells a deleted database from a first run."""
    return path.with_name(f"{path.name}.stamp")


def was_created(path: Path) -> bool:
    """Return whether there is a database at `path`, or ever was one."""
    return path.exists() or marker_path(path).exists() or any(backup_folder(path).glob(f"{path.stem}-*.db"))


def write_marker(path: Path, at: datetime) -> None:
    if not marker_path(path).exists():
        text = (
            f"{path.name} exists since {format_instant(at)}. When it is missing, it was deleted: see `spy32 db "
            "restore`.\n"
        )
        try:
            handle = os.open(marker_path(path), os.O_CREAT | os.O_WRONLY, 0o600)
            os.write(handle, text.encode())
            os.close(handle)
        except OSError as error:
            raise CannotCreate(f"{marker_path(path)} cannot be made: {error.strerror}") from None


def sync_folder(folder: Path) -> None:
    """Sync a folder: new file names survive a power cut only then."""
    with suppress(OSError):  # not every file system can open a folder
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextmanager
def drafting(path: Path) -> Iterator[Path]:
    """Yield an empty private file beside `path`, which the block fills and puts in its place; what is left goes."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft.unlink(missing_ok=True)
        os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except OSError as error:
        raise CannotCreate(f"{path} cannot be made: {error.strerror}") from None
    try:
        yield draft
    finally:
        # SQLite may have left files beside it.
        for suffix in ("", "-wal", "-shm", "-journal"):
            draft.with_name(draft.name + suffix).unlink(missing_ok=True)


@contextmanager
def creating(path: Path) -> Iterator[Path]:
    """Yield a draft that the block fills and that then gets the name `path`; `CannotCreate` if that exists."""
    if os.path.lexists(path):
        raise CannotCreate(f"{path} is there already; it is never overwritten")
    with drafting(path) as draft:
        yield draft
        try:
            os.link(draft, path)
        except FileExistsError:
            raise CannotCreate(f"{path} is there already; it is never overwritten") from None
        except OSError as error:
            raise CannotCreate(f"{path} cannot be made: {error.strerror}") from None
    sync_folder(path.parent)


def connect(path: Path, query: str) -> sqlite3.Connection:
    """Connect without ever creating a file. `query` is SQLite's `mode=...`."""
    uri = f"{path.absolute().as_uri()}?{query}"
    db = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=BUSY_SECONDS)
    db.row_factory = sqlite3.Row
    return db


def configure_durability(db: sqlite3.Connection) -> None:
    db.execute("pragma journal_mode = wal")
    db.execute("pragma synchronous = full")
    db.execute("pragma foreign_keys = on")


def create_database(path: Path, *, mode: Mode, account: str, at: datetime, opening_cash: Decimal | None = None) -> None:
    """Create a database, complete before it gets its name; `CannotCreate` if there is one."""
    with creating(path) as draft, store_errors(path), closing(connect(draft, "mode=rw")) as db:
        configure_durability(db)
        migrate(db)
        with Database(db, path, mode=mode, account=account).write_transaction(at, "made") as change:
            home = {"home_id": new_home_id(), **location_columns(path)}
            change.insert("stamp", id=1, mode=mode, account=account, created_at=change.at, **home)
            if opening_cash is not None:
                change.insert_cash("paper", {"opening": dollars_to_e4(opening_cash)})
    write_marker(path, at)


def check_header(path: Path, newest: int) -> None:
    """Check a file by its header only, so that a foreign or newer database stays unchanged byte for byte."""
    try:
        with path.open("rb") as file:
            header = file.read(HEADER_BYTES)
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}") from None
    if not header:
        raise StoreDamaged("the file is empty", path)
    if len(header) < HEADER_BYTES or not header.startswith(MAGIC):
        raise StoreDamaged("it does not begin as a database does", path)
    _check_version(path, int.from_bytes(header[68:72], "big"), int.from_bytes(header[60:64], "big"), newest)


def _check_open(db: sqlite3.Connection, path: Path, newest: int) -> None:
    application: int = db.execute("pragma application_id").fetchone()[0]
    _check_version(path, application, schema_version(db), newest)


def _check_version(path: Path, application: int, version: int, newest: int) -> None:
    if application != APPLICATION_ID:
        raise BadSettings(f"{path} is a database of another program; it was not touched")
    if version > newest:
        raise BadSettings(f"{path} has version {version}, this spy32 knows {newest}: install the newer spy32 again")


def has_wal_frames(path: Path) -> bool:
    """Return whether committed rows are still in the write-ahead log."""
    wal = path.with_name(f"{path.name}-wal")
    return wal.exists() and wal.stat().st_size > WAL_HEADER_BYTES


def open_read_write(path: Path, newest: int = len(MIGRATIONS)) -> sqlite3.Connection:
    """Open the database for reading and writing, checked but not yet migrated."""
    check_header(path, newest)
    for location in (path, path.parent):
        if not os.access(location, os.W_OK, effective_ids=os.access in os.supports_effective_ids):
            raise StoreError(f"{location} is read-only; `spy32 show` and `spy32 status` still work")
    if shutil.disk_usage(path.parent).free < MIN_FREE_BYTES:
        raise StoreError(f"less than {MIN_FREE_BYTES >> 20} MB are free for {path}; nothing was begun")
    with store_errors(path):
        if has_wal_frames(path):
            # The log may hold a newer version than the header shows; a reader does not change the log.
            with closing(connect(path, "mode=ro")) as reader:
                _check_open(reader, path, newest)
        db = connect(path, "mode=rw")
        try:
            configure_durability(db)
            _check_open(db, path, newest)
        except BaseException:
            db.close()
            raise
        return db


def open_read_only(path: Path, migrations: Sequence[Migration] = MIGRATIONS) -> sqlite3.Connection:
    """Open the database for reading, also in a read-only folder; an older one is read through a migrated copy."""
    check_header(path, len(migrations))
    with store_errors(path):
        db = _open_readable(path)
        try:
            _check_open(db, path, len(migrations))
            if schema_version(db) < len(migrations):
                db = _load_into_memory(db)
                migrate(db, migrations)
            db.execute("pragma query_only = on")
        except BaseException:
            db.close()
            raise
        return db


def _open_readable(path: Path) -> sqlite3.Connection:
    db = connect(path, "mode=ro")
    try:
        db.execute("select count(*) from sqlite_master").fetchone()
    except sqlite3.OperationalError as error:
        db.close()
        # A write-ahead log needs a shared-memory file, which cannot be created in a read-only folder.
        if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
            raise
        return _open_copy(path) if has_wal_frames(path) else connect(path, "mode=ro&immutable=1")
    except BaseException:
        db.close()
        raise
    return db


def _open_copy(path: Path) -> sqlite3.Connection:
    """Open a copy of the database with its log in a writable folder."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="spy32-") as folder:
        copy = Path(folder) / path.name
        shutil.copyfile(path, copy)
        shutil.copyfile(f"{path}-wal", f"{copy}-wal")
        return _load_into_memory(connect(copy, "mode=rw"))


def _load_into_memory(source: sqlite3.Connection) -> sqlite3.Connection:
    """Copy all of `source` into memory and close it."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.row_factory = sqlite3.Row
    with closing(source):
        source.backup(db)
    return db
