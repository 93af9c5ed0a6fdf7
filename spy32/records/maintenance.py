"""Backup, restore and check. Nothing is ever copied as a file, and nothing that was there is deleted."""

import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from spy32.domain.spreads import Mode
from spy32.errors import BadSettings, BadUsage, CannotCreate, Spy32Error, StoreDamaged, StoreError
from spy32.records.audit import Audit
from spy32.records.base import Database
from spy32.records.connection import (
    connect,
    create_draft,
    discard_draft,
    open_read_only,
    open_read_write,
    publish_draft,
    sync_folder,
    write_marker,
)
from spy32.records.encoding import DECODE_ERRORS
from spy32.records.errors import backup_folder, printable, store_errors
from spy32.schema import MIGRATIONS, VERSION, Migration, migrate, schema_faults, schema_version

RECENT_EVENTS = 100
"""Some weekly runs and what came of them; about 10 ms."""
FULL_CHECK_BYTES = 16 * 2**20
"""Years of weekly runs; SQLite looks through them in about 10 ms."""


def backup_path(path: Path, at: datetime, *, note: str = "") -> Path:
    """A free name for a backup of the database at `path`; names sort by time."""
    stem = f"{path.stem}-{at.astimezone(UTC):%Y%m%dT%H%M%SZ}{note}"
    names = (backup_folder(path) / f"{stem}{'' if number == 1 else f'-{number}'}.db" for number in range(1, 1000))
    return next(name for name in names if not name.exists())


def integrity_faults(db: sqlite3.Connection) -> tuple[str, ...]:
    """What SQLite's own checks find."""
    pages = [row[0] for row in db.execute("pragma integrity_check") if row[0] != "ok"]
    keys = [f"row {row[1]} of {row[0]} points to a row of {row[2]} that is not there" for row in _orphans(db)]
    return tuple(pages + keys)


def _orphans(db: sqlite3.Connection) -> list[tuple[str, int, str]]:
    return [(row[0], row[1], row[2]) for row in db.execute("pragma foreign_key_check")]


def last_good_backup(path: Path) -> Path | None:
    """The newest backup of the database at `path` that could be restored."""
    backups = sorted(backup_folder(path).glob(f"{path.stem}-*.db"), reverse=True)
    return next((backup for backup in backups if is_sound(backup)), None)


def damage_with_remedy(path: Path, fault: str) -> StoreError:
    """A damaged, emptied or lost database, with the way back. Opens the backups to find a good one."""
    backup = last_good_backup(path)
    if backup is None:
        remedy = f"there is no good backup in {backup_folder(path)}; `spy32 db restore FILE` takes one from elsewhere"
    else:
        remedy = f"last good backup: {backup}; to put it in place: spy32 db restore {backup}"
    return StoreError(f"{path} is damaged: {fault}. {remedy}")


class Integrity:
    """Whether the database is as it was written."""

    def __init__(self, core: Database, audit: Audit) -> None:
        self._core = core
        self._audit = audit

    def check(self) -> tuple[str, ...]:
        """Every problem found: pages, references, version, layout, and the chain of the history."""
        with store_errors(self._core.path):
            problems = list(integrity_faults(self._core.db))
            version = schema_version(self._core.db)
            problems += (
                schema_faults(self._core.db) if version == VERSION else [f"version {version}, {VERSION} was expected"]
            )
        broken = self._audit.verify().broken
        return (*problems, broken) if broken is not None else tuple(problems)

    def first_fault(self) -> str | None:
        """The first problem of a look that takes no longer as the history grows: the newest events with their rows,
        and the pages while they are few."""
        with store_errors(self._core.path):
            pages, size = (
                self._core.db.execute(f"pragma {name}").fetchone()[0] for name in ("page_count", "page_size")
            )
            if pages * size <= FULL_CHECK_BYTES:
                message = self._core.db.execute("pragma integrity_check(1)").fetchone()[0]
                if message != "ok":
                    return printable(message)
        return self._audit.first_recent_fault(RECENT_EVENTS)

    def refuse_damage(self) -> None:
        """`StoreDamaged` when a short look finds something wrong."""
        fault = self.first_fault()
        if fault is not None:
            raise StoreDamaged(fault, self._core.path)


class Backups:
    """Copies of the database beside it."""

    def __init__(self, core: Database) -> None:
        self._core = core

    def create(self, target: Path) -> Path:
        """A checked copy at `target`, made while others may go on writing."""
        return _write_backup(self._core, target)


def _write_backup(source: Database, target: Path) -> Path:
    if target.exists():
        raise CannotCreate(f"{target} is there already; a backup never overwrites")
    draft = create_draft(target)
    try:
        _fill_backup(draft, source, target)
        publish_draft(draft, target)
    except FileExistsError:
        raise CannotCreate(f"{target} is there already; a backup never overwrites") from None
    finally:
        discard_draft(draft)
    return target


def _fill_backup(draft: Path, source: Database, target: Path) -> None:
    with store_errors(target), closing(connect(draft, "mode=rw")) as db:
        source.db.backup(db)
        # One plain file: it can be read from a read-only folder, and nothing beside it can be forgotten.
        db.execute("pragma journal_mode = delete")
        problems = integrity_faults(db)
    if problems:
        raise StoreError(f"the copy of {source.path} is not sound ({problems[0]}); {target} was not made")


def upgrade(store: Database, at: datetime, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Bring an older database to the newest layout, after a backup beside it."""
    with store_errors(store.path):
        version = schema_version(store.db)
        if version < len(migrations):
            _write_backup(store, backup_path(store.path, at, note=f"-v{version}"))
            migrate(store.db, migrations)


def restore(backup: Path, target: Path, *, mode: Mode | None = None, at: datetime | None = None) -> Path | None:
    """Put a checked copy of `backup` in the place of `target`; returns where the old file was moved, if there was one.

    `mode` is what the backup must be of. With `at` the history says when this was done.
    """
    if not backup.exists():
        raise BadUsage(f"there is no file {backup}")
    source = _open_backup(backup)
    with closing(source.db):
        if mode is not None and source.mode is not mode:
            raise BadSettings(f"{backup} is of mode {source.mode} and cannot become {target}")
        _require_unused(target)
        draft = create_draft(target)
        try:
            _fill_backup(draft, source, target)
            aside = _move_aside(target)
            os.replace(draft, target)
        finally:
            discard_draft(draft)
    sync_folder(target.parent)
    write_marker(target, at or datetime.fromtimestamp(0, UTC))
    if at is not None:
        _record_restore(target, source, backup, at)
    return aside


def _open_backup(backup: Path) -> Database:
    """The backup, open and judged."""
    try:
        db = open_read_only(backup)
        try:
            return _verify_database(db, backup)
        except BaseException:
            db.close()
            raise
    except StoreError as error:
        raise StoreError(f"nothing was changed, since {error.message}") from error


def _verify_database(db: sqlite3.Connection, path: Path) -> Database:
    """A database that is sound and unedited; `StoreError` says what is wrong with any other."""
    with store_errors(path):
        problems = integrity_faults(db)
        stamp = db.execute("select mode, account from stamp").fetchone() if not problems else None
    if stamp is None or stamp["mode"] not in set(Mode):
        raise StoreError(f"{path} is not sound: {next(iter(problems), 'it does not say whose it is')}")
    source = Database(db, path, mode=Mode(stamp["mode"]), account=stamp["account"])
    broken = Audit(source).verify().broken
    if broken is not None:
        raise StoreError(f"{path} was edited: {broken}")
    with store_errors(path):
        for fault in schema_faults(db):
            raise StoreError(f"{path} is not sound: {fault}")
    return source


def _require_unused(target: Path) -> None:
    """`Unavailable` while another process writes to a database that still works.

    A damaged one is only read: opened for writing, SQLite would throw away its log, which may be all that is left.
    """
    try:
        with closing(open_read_only(target)) as db, store_errors(target):
            works = not integrity_faults(db)
    except Spy32Error:
        works = False
    if works:
        with store_errors(target), closing(connect(target, "mode=rw")) as db:
            db.execute("pragma busy_timeout = 0")
            db.execute("begin exclusive")
            db.execute("rollback")


def _move_aside(target: Path) -> Path | None:
    """Move a database and its log out of the way; an old log beside a new file would damage it."""
    if not target.exists() and not target.with_name(f"{target.name}-wal").exists():
        return None
    numbers = range(1, 10_000)
    name = next(name for n in numbers if not (name := target.with_name(f"{target.name}.damaged-{n}")).exists())
    for suffix in ("-wal", "-shm", ""):
        source = target.with_name(target.name + suffix)
        if source.exists():
            os.replace(source, name.with_name(name.name + suffix))
    return name


def _record_restore(target: Path, source: Database, backup: Path, at: datetime) -> None:
    with closing(open_read_write(target)) as db:
        base = Database(db, target, mode=source.mode, account=source.account)
        with base.write_transaction(at, "restored") as change:
            change.details["backup"] = backup.name
            change.update("stamp", 1, mode=source.mode)


def is_sound(path: Path) -> bool:
    """True for a database that opens, passes SQLite's checks and holds what its history says."""
    try:
        with closing(open_read_only(path)) as db:
            _verify_database(db, path)
    except (Spy32Error, *DECODE_ERRORS):
        return False
    return True
