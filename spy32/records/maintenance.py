"""Backup, restore and check. Databases are copied through SQLite, never as files, and nothing is deleted."""

import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from spy32.domain.spreads import Mode
from spy32.errors import BadSettings, BadUsage, Spy32Error, StoreDamaged, StoreError
from spy32.records.audit import Audit
from spy32.records.base import Database, Records, backup_folder, printable, store_errors
from spy32.records.connection import (
    connect,
    creating,
    drafting,
    open_read_only,
    open_read_write,
    sync_folder,
    write_marker,
)
from spy32.records.encoding import DECODE_ERRORS
from spy32.schema import MIGRATIONS, VERSION, Migration, migrate, schema_faults, schema_version

RECENT_EVENTS = 100
"""Events of some weekly runs; checking them takes about 10 ms."""
FULL_CHECK_BYTES = 16 * 2**20
"""Pages of years of weekly runs; SQLite checks them in about 10 ms."""


def backup_path(path: Path, at: datetime, *, note: str = "") -> Path:
    """Return an unused path for a backup of the database; names sort by time."""
    stem = f"{path.stem}-{at.astimezone(UTC):%Y%m%dT%H%M%SZ}{note}"
    names = (backup_folder(path) / f"{stem}{'' if number == 1 else f'-{number}'}.db" for number in range(1, 1000))
    return next(name for name in names if not name.exists())


def integrity_faults(db: sqlite3.Connection) -> tuple[str, ...]:
    """Return the faults that SQLite's own checks find."""
    pages = [row[0] for row in db.execute("pragma integrity_check") if row[0] != "ok"]
    orphans = db.execute("pragma foreign_key_check")
    keys = [f"row {row[1]} of {row[0]} points to a row of {row[2]} that is not there" for row in orphans]
    return tuple(pages + keys)


def last_good_backup(path: Path) -> Path | None:
    """Return the newest backup of the database that can be restored; None if there is none."""
    backups = sorted(backup_folder(path).glob(f"{path.stem}-*.db"), reverse=True)
    return next((backup for backup in backups if is_sound(backup)), None)


def damage_with_remedy(path: Path, fault: str) -> StoreError:
    """Return the error with the command that restores a good backup. Opens the backups to find one."""
    backup = last_good_backup(path)
    if backup is None:
        remedy = f"there is no good backup in {backup_folder(path)}; `spy32 db restore FILE` takes one from elsewhere"
    else:
        remedy = f"last good backup: {backup}; to put it in place: spy32 db restore {backup}"
    return StoreError(f"{path} is damaged: {fault}. {remedy}")


class Integrity(Records):
    """Checks that the database is as it was written."""

    def check(self) -> tuple[str, ...]:
        """Return every fault of pages, references, version, layout and the history's hash chain."""
        with store_errors(self._core.path):
            version = schema_version(self._core.db)
            is_newest = version == VERSION
            layout = schema_faults(self._core.db) if is_newest else [f"version {version}, {VERSION} was expected"]
            problems = (*integrity_faults(self._core.db), *layout)
        broken = Audit(self._core).verify().broken
        return (*problems, broken) if broken is not None else problems

    def first_fault(self) -> str | None:
        """Return the first fault of a check whose time does not grow with the history: the newest events with their
        rows, and the pages while they are few."""
        with store_errors(self._core.path):
            size = self._core.total("pragma page_count") * self._core.total("pragma page_size")
            if size <= FULL_CHECK_BYTES:
                message = self._core.db.execute("pragma integrity_check(1)").fetchone()[0]
                if message != "ok":
                    return printable(message)
        return Audit(self._core).first_recent_fault(RECENT_EVENTS)

    def refuse_damage(self) -> None:
        """Raise `StoreDamaged` if `first_fault` finds one."""
        fault = self.first_fault()
        if fault is not None:
            raise StoreDamaged(fault, self._core.path)


class Backups(Records):
    """Backups of the database."""

    def create(self, target: Path) -> Path:
        """Write a checked copy to `target`; other processes may go on writing."""
        with creating(target) as draft:
            _fill_backup(draft, self._core, target)
        return target


def _fill_backup(draft: Path, source: Database, target: Path) -> None:
    with store_errors(target), closing(connect(draft, "mode=rw")) as db:
        source.db.backup(db)
        # One file without a log: it can be read from a read-only folder, and no second file can be forgotten.
        db.execute("pragma journal_mode = delete")
        problems = integrity_faults(db)
    if problems:
        raise StoreError(f"the copy of {source.path} is not sound ({problems[0]}); {target} was not made")


def upgrade(store: Database, at: datetime, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Migrate an older database to the newest layout, after a backup."""
    with store_errors(store.path):
        version = schema_version(store.db)
        if version < len(migrations):
            Backups(store).create(backup_path(store.path, at, note=f"-v{version}"))
            migrate(store.db, migrations)


def restore(backup: Path, target: Path, *, mode: Mode, at: datetime) -> Path | None:
    """Replace `target` with a checked copy of `backup`, which must be of `mode`; the history records it.

    Return where the old file was moved; None without one.
    """
    if not backup.exists():
        raise BadUsage(f"there is no file {backup}")
    source = _open_backup(backup)
    with closing(source.db):
        if source.mode is not mode:
            raise BadSettings(f"{backup} is of mode {source.mode} and cannot become {target}")
        _require_unused(target)
        with drafting(target) as draft:
            _fill_backup(draft, source, target)
            aside = _move_aside(target)
            os.replace(draft, target)
    sync_folder(target.parent)
    write_marker(target, at)
    with closing(open_read_write(target)) as db:
        base = Database(db, target, mode=mode, account=source.account)
        with base.write_transaction(at, "restored") as change:
            change.details["backup"] = backup.name
            change.update("stamp", 1, mode=mode)
    return aside


def _open_backup(backup: Path) -> Database:
    """Open and check the backup."""
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
    """Raise `StoreError` with the fault unless the database is sound and unedited."""
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
    """Raise `Unavailable` while another process writes to a sound database.

    A damaged one is only read: if it were opened for writing, SQLite would discard its log, perhaps the only data left.
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
    """Move a database and its log away; an old log beside a new file would damage it."""
    if not target.exists() and not target.with_name(f"{target.name}-wal").exists():
        return None
    numbers = range(1, 10_000)
    name = next(name for n in numbers if not (name := target.with_name(f"{target.name}.damaged-{n}")).exists())
    for suffix in ("-wal", "-shm", ""):
        source = target.with_name(target.name + suffix)
        if source.exists():
            os.replace(source, name.with_name(name.name + suffix))
    return name


def is_sound(path: Path) -> bool:
    """Return whether a database opens, passes SQLite's checks and agrees with its history."""
    try:
        with closing(open_read_only(path)) as db:
            _verify_database(db, path)
    except (Spy32Error, *DECODE_ERRORS):
        return False
    return True
