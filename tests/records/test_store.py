"""Opening the store: whose it is, whether it is whole, and every way in which it may not be."""

import multiprocessing
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from spy32.domain.spreads import Mode
from spy32.errors import BadSettings, BadUsage, CannotCreate, Spy32Error, StoreDamaged, StoreError, Unavailable
from spy32.records import base, connection, maintenance
from spy32.records.base import lock_holder, translate_error
from spy32.records.maintenance import damage_with_remedy
from spy32.schema import MIGRATIONS, VERSION
from tests.support.builders import ACCOUNT, NOW, later
from tests.support.paths import ROOT
from tests.support.stores import begun, opened, whole_run
from tests.support.timeouts import PATIENCE


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "paper.db"


@pytest.fixture
def made(path: Path) -> Path:
    """A store with one run in it."""
    with opened(path, opening_cash=Decimal(100_000)) as store:
        begun(store)
    return path


def bits(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file that holds something; a reader may leave an empty log behind."""
    found = {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file() and "-shm" not in file.name}
    return {name: data for name, data in found.items() if data}


def change_header(path: Path, at: int, value: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(value)


# A new home.


def test_the_first_start_makes_a_private_folder_with_private_files(path: Path) -> None:
    old = os.umask(0)
    try:
        with opened(path) as store:
            begun(store)
            assert bits(path.parent) == 0o700
            assert {bits(file) for file in path.parent.iterdir()} == {0o600}
    finally:
        os.umask(old)


def test_a_new_store_knows_when_it_was_made_and_whose_it_is(path: Path) -> None:
    with opened(path) as store:
        assert store.location.created_at() == NOW
        assert (store.core.mode, store.core.account) == (Mode.PAPER, ACCOUNT)


def test_a_store_is_written_durably(path: Path) -> None:
    with opened(path) as store:
        settings = {
            name: store.core.db.execute(f"pragma {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 5000}


def test_a_home_that_cannot_be_made_is_73(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file, not a folder")
    with pytest.raises(CannotCreate):
        opened(tmp_path / "home" / "paper.db")


def test_a_store_that_fails_while_it_is_made_leaves_nothing(path: Path) -> None:
    with pytest.raises(Spy32Error):
        opened(path, opening_cash=Decimal("0.00001"))
    assert list(path.parent.iterdir()) == []


def test_a_marker_that_cannot_be_written_is_73(made: Path) -> None:
    marker = connection.marker_path(made)
    marker.unlink()
    marker.symlink_to(made.parent / "nowhere" / "at-all")
    with pytest.raises(CannotCreate, match="stamp"):
        opened(made)


def test_a_marker_that_was_lost_is_made_again(made: Path) -> None:
    connection.marker_path(made).unlink()
    opened(made).close()
    assert connection.marker_path(made).exists()


def test_a_place_without_hard_links_is_73(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(CannotCreate, match="Operation not permitted"):
        opened(path)
    assert not any(path.parent.iterdir())


def test_a_folder_that_cannot_be_flushed_is_no_reason_to_fail(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: int) -> None:
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(os, "fsync", refuse)
    opened(path).close()


def _start(path: Path) -> int:
    with opened(path, opening_cash=Decimal(100_000)) as store:
        return begun(store).id


@pytest.mark.slow
def test_first_starts_at_the_same_moment_share_one_store(path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        ids = pool.map(_start, [path] * 12)
    assert sorted(ids) == list(range(1, 13))
    with opened(path) as store:
        assert store.paper.cash() == Decimal(100_000)
        assert store.integrity.check() == ()


def test_a_store_that_appears_while_it_is_looked_for_is_not_taken_for_a_lost_one(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def another_process(_: Path) -> bool:
        connection.create_database(path, mode=Mode.PAPER, account=ACCOUNT, at=NOW)
        return True

    monkeypatch.setattr(connection, "was_created", another_process)
    with opened(path) as store:
        assert store.location.created_at() == NOW


# Whose it is.


@pytest.mark.parametrize("mode", [Mode.SANDBOX, Mode.LIVE])
@pytest.mark.parametrize("read_only", [False, True])
def test_a_store_of_another_mode_is_78(made: Path, mode: Mode, read_only: bool) -> None:
    with pytest.raises(BadSettings, match="mode paper"):
        opened(made, mode=mode, read_only=read_only)


def test_a_store_of_another_account_is_78_and_shows_only_its_ending(tmp_path: Path) -> None:
    path = tmp_path / "live.db"
    opened(path, mode=Mode.LIVE, account="5WX00001").close()
    with pytest.raises(BadSettings, match="…0001, not …2222") as refusal:
        opened(path, mode=Mode.LIVE, account="5WX02222")
    assert "5WX" not in str(refusal.value)


def test_any_account_may_read_when_none_is_named(made: Path) -> None:
    with opened(made, account=None, read_only=True) as store:
        assert store.core.account == ACCOUNT


def test_an_account_that_was_not_known_at_first_is_learned_once(tmp_path: Path) -> None:
    path = tmp_path / "live.db"
    opened(path, mode=Mode.LIVE, account=None).close()
    with opened(path, mode=Mode.LIVE, account="5WX00001") as store:
        assert store.audit.verify().broken is None
    with pytest.raises(BadSettings):
        opened(path, mode=Mode.LIVE, account="5WX02222")


def test_a_store_that_does_not_say_whose_it_is_is_damaged(made: Path) -> None:
    with closing(sqlite3.connect(made)) as db:
        db.execute("drop trigger stamp_no_delete")
        db.execute("delete from stamp")
        db.commit()
    with pytest.raises(StoreError, match="whose it is"):
        opened(made)


def test_a_database_of_another_program_is_78_and_untouched(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as db:
        db.execute("create table theirs (x)")
        db.commit()
    before = contents(path.parent)
    for read_only in (False, True):
        with pytest.raises(BadSettings, match="another program"):
            opened(path, read_only=read_only)
    assert contents(path.parent) == before


def test_a_newer_store_is_78_and_untouched(made: Path) -> None:
    with closing(sqlite3.connect(made)) as db:
        db.execute(f"pragma user_version = {VERSION + 1}")
    before = contents(made.parent)
    for read_only in (False, True):
        with pytest.raises(BadSettings, match=f"version {VERSION + 1}"):
            opened(made, read_only=read_only)
    assert contents(made.parent) == before


def test_a_newer_version_that_is_only_in_the_log_is_seen_and_untouched(made: Path, tmp_path: Path) -> None:
    home = tmp_path / "crashed"
    home.mkdir()
    with closing(sqlite3.connect(made)) as db:
        db.execute(f"pragma user_version = {VERSION + 1}")
        for name in (made.name, f"{made.name}-wal"):
            shutil.copy(made.parent / name, home / name)
    before = contents(home)
    assert int.from_bytes(before[made.name][60:64], "big") == VERSION
    for read_only in (False, True):
        with pytest.raises(BadSettings, match=f"version {VERSION + 1}"):
            opened(home / made.name, read_only=read_only)
    assert contents(home) == before


# Older ones.


def add_colour(db: sqlite3.Connection) -> None:
    db.execute("alter table run add column colour text")


def test_an_older_store_is_migrated_after_a_backup_and_keeps_its_history_whole(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer = (*MIGRATIONS, add_colour)
    with opened(made) as store:
        maintenance.upgrade(store.core, NOW, newer)
        assert "colour" in dict(store.core.db.execute("select * from run").fetchone())
        assert store.audit.verify().broken is None
    backup = made.parent / "backups" / f"paper-20251006T140000Z-v{VERSION}.db"
    with closing(sqlite3.connect(backup)) as db:
        assert db.execute("pragma user_version").fetchone()[0] == VERSION
        assert db.execute("select count(*) from run").fetchone()[0] == 1
    assert bits(backup) == 0o600


def test_a_migration_that_fails_is_74_and_leaves_the_store_as_it_was(made: Path) -> None:
    def fail(db: sqlite3.Connection) -> None:
        add_colour(db)
        db.execute("insert into nowhere values (1)")

    with opened(made) as store:
        with pytest.raises(StoreError):
            maintenance.upgrade(store.core, NOW, (*MIGRATIONS, fail))
        assert "colour" not in dict(store.core.db.execute("select * from run").fetchone())
        assert begun(store).id == 2
    with opened(made) as store:
        assert store.integrity.check() == ()


def test_an_older_store_is_read_without_being_changed(made: Path) -> None:
    before = contents(made.parent)
    with closing(connection.open_read_only(made, (*MIGRATIONS, add_colour))) as db:
        assert db.execute("select id, colour from run").fetchone()["colour"] is None
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            db.execute("delete from run")
    assert contents(made.parent) == before


# Lost, emptied, damaged.


def test_reading_where_nothing_is_yet_says_what_makes_the_first_run(path: Path) -> None:
    assert not connection.was_created(path)
    with pytest.raises(BadUsage, match="spy32 analyze"):
        opened(path, read_only=True)
    assert not path.parent.exists()


@pytest.mark.parametrize("read_only", [False, True])
def test_a_deleted_store_is_damage_and_not_a_first_run(made: Path, read_only: bool) -> None:
    made.unlink()
    assert connection.was_created(made)
    with pytest.raises(StoreError, match="the file is gone"):
        opened(made, read_only=read_only)
    assert not made.exists()


def test_a_store_that_is_gone_with_its_marker_is_still_known_by_its_backups(made: Path) -> None:
    with opened(made) as store:
        backup = store.backup.create(maintenance.backup_path(made, NOW))
    made.unlink()
    connection.marker_path(made).unlink()
    with pytest.raises(StoreDamaged) as loss:
        opened(made)
    assert f"spy32 db restore {backup}" in damage_with_remedy(made, loss.value.fault).message


@pytest.mark.parametrize("read_only", [False, True])
def test_an_emptied_store_is_damage_naming_the_last_good_backup(made: Path, read_only: bool) -> None:
    with opened(made) as store:
        good = store.backup.create(maintenance.backup_path(made, NOW))
        bad = store.backup.create(maintenance.backup_path(made, later(hours=1)))
        worse = store.backup.create(maintenance.backup_path(made, later(hours=2)))
    change_header(bad, 4096, b"\xff" * 2000)
    worse.write_bytes(b"")
    made.write_bytes(b"")
    with pytest.raises(StoreDamaged) as loss:
        opened(made, read_only=read_only)
    assert loss.value.path == made
    assert f"spy32 db restore {good}" in damage_with_remedy(made, loss.value.fault).message
    assert made.read_bytes() == b""


def test_an_error_of_a_damaged_store_opens_no_backup(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(made) as store:
        store.backup.create(maintenance.backup_path(made, NOW))
    made.write_bytes(b"")
    monkeypatch.setattr(maintenance, "open_read_only", lambda path: pytest.fail(f"{path} was opened"))
    with pytest.raises(StoreDamaged, match="is damaged: the file is empty"):
        opened(made)


@pytest.mark.parametrize("content", [b"SQLite", b"not a database at all" * 100, b"\x00" * 8192])
@pytest.mark.parametrize("read_only", [False, True])
def test_a_damaged_header_is_74_and_nothing_is_written(made: Path, content: bytes, read_only: bool) -> None:
    made.write_bytes(content)
    with pytest.raises(StoreDamaged) as damage:
        opened(made, read_only=read_only)
    assert "no good backup" in damage_with_remedy(made, damage.value.fault).message
    assert made.read_bytes() == content


def test_damaged_pages_are_74(made: Path) -> None:
    with opened(made) as store:
        whole_run(store)
    size = made.stat().st_size
    change_header(made, 4096, b"\xa5" * (size - 4096))
    with pytest.raises(StoreError, match="is damaged"):
        opened(made).close()
    with pytest.raises(StoreError, match="is damaged"):
        opened(made, read_only=True).close()


def test_a_store_that_may_not_be_read_is_74(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(StoreError, match="Permission denied"):
        opened(made)


# Locked.


HOLD = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("begin immediate")
print("held", flush=True)
input()
"""


def test_a_locked_store_is_75_naming_the_holder(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "BUSY_SECONDS", 0.05)
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(made)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with opened(made) as store:
            with pytest.raises(Unavailable) as busy:
                begun(store)
            assert store.runs.latest() is not None
        if sys.platform == "linux":
            assert f"process {other.pid}" in str(busy.value) or "another process" in str(busy.value)
        other.communicate("\n")
    with opened(made) as store:
        assert begun(store).id == 2


def test_a_writer_waits_for_another_one(made: Path) -> None:
    with opened(made) as store, closing(sqlite3.connect(made, isolation_level=None, check_same_thread=False)) as other:
        import threading

        other.execute("begin immediate")
        timer = threading.Timer(0.2, lambda: other.execute("rollback"))
        timer.start()
        assert begun(store).id == 2
        timer.join()


def test_reading_and_then_writing_cannot_lose_to_a_writer_in_between(made: Path) -> None:
    with opened(made) as first, opened(made) as second:
        with first.core.read_transaction():
            first.runs.latest()
            begun(second)
        assert begun(first).id == 3


def test_the_holder_is_another_process_where_the_kernel_has_no_table(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert lock_holder(made) == "another process"

    def refuse(*_: object) -> None:
        raise FileNotFoundError

    monkeypatch.setattr("builtins.open", refuse)
    assert lock_holder(made) == "another process"


# Full disks.

FULL = """
import resource, signal, sys
from pathlib import Path
from tests.support.builders import *
from tests.support.stores import *
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
path = Path(sys.argv[1])
store = opened(path)
count = 0
size = (path.with_name(path.name + "-wal")).stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 300_000, size + 300_000))
try:
    while True:
        begun(store)
        count += 1
except Exception as error:
    print(type(error).__name__, getattr(error, "code", None), count, store.core.db.in_transaction)
"""


def test_a_file_that_cannot_grow_is_74_and_loses_nothing(made: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", FULL, str(made)],
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE,
        cwd=ROOT,
    )
    kind, code, count, open_ = done.stdout.split()
    assert (kind, code, open_) == ("StoreError", "74", "False")
    with opened(made) as store:
        latest = store.runs.latest()
        assert latest is not None
        assert latest.id == int(count) + 1 > 2
        assert store.integrity.check() == ()


def test_a_full_disk_is_74_and_the_store_goes_on_once_there_is_room(made: Path) -> None:
    with opened(made) as store:
        pages = store.core.db.execute("pragma page_count").fetchone()[0]
        store.core.db.execute(f"pragma max_page_count = {pages}")
        with pytest.raises(StoreError, match="full"):
            whole_run(store)
        assert not store.core.db.in_transaction
        store.core.db.execute("pragma max_page_count = 1000000")
        before = store.audit.verify()
        assert before.broken is None
        whole_run(store)
        assert store.integrity.check() == ()


def test_too_little_free_space_is_74_before_anything_begins(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 1000))
    with pytest.raises(StoreError, match="MB are free"):
        opened(made)
    opened(made, read_only=True).close()


# Read-only places.


@pytest.fixture
def shared() -> Iterator[Path]:
    """A home that another user may look into, but not change."""
    folder = Path(tempfile.mkdtemp(prefix="spy32-test-"))
    folder.chmod(0o755)
    yield folder / "paper.db"
    shutil.rmtree(folder)


GUEST = """
import hashlib, tempfile  # imported on use, and a guest may not reach the interpreter's own folder
import os, sys
from pathlib import Path
from tests.support.stores import *
import spy32.records.maintenance, spy32.sessions
if os.geteuid() == 0:
    os.setegid(65534)
    os.seteuid(65534)
path = Path(sys.argv[1])
try:
    with opened(path, read_only=sys.argv[2] == "reading") as store:
        print(len(store.history.summaries()), store.integrity.check())
except Exception as error:
    print(type(error).__name__, error)
"""


def as_a_guest(path: Path, how: str) -> str:
    """What comes of opening the store as a user who may not write there."""
    words = [sys.executable, "-W", "error", "-c", GUEST, str(path), how]
    return subprocess.run(words, capture_output=True, text=True, check=True, timeout=PATIENCE, cwd=ROOT).stdout.strip()


def for_looking_only(path: Path) -> None:
    for file in path.parent.iterdir():
        file.chmod(0o444)
    path.parent.chmod(0o555)


def test_a_store_in_a_read_only_folder_can_be_read(shared: Path) -> None:
    with opened(shared) as store:
        begun(store)
    for_looking_only(shared)
    before = contents(shared.parent)
    assert as_a_guest(shared, "reading") == "1 ()"
    assert contents(shared.parent) == before


def test_rows_that_are_still_in_the_log_are_read_in_a_read_only_folder(shared: Path, tmp_path: Path) -> None:
    with opened(tmp_path / "paper.db") as store:
        begun(store)
        begun(store)
        for suffix in ("", "-wal"):
            shutil.copy(f"{tmp_path / 'paper.db'}{suffix}", f"{shared}{suffix}")
    for_looking_only(shared)
    before = contents(shared.parent)
    assert as_a_guest(shared, "reading") == "2 ()"
    assert contents(shared.parent) == before


class Refusing:
    """A connection whose first question fails as SQLite does without shared memory, or otherwise."""

    def __init__(self, error: sqlite3.Error) -> None:
        self.error = error

    def execute(self, _: str) -> None:
        raise self.error

    def close(self) -> None:
        pass


@pytest.mark.parametrize("code", [sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY_CANTINIT])
@pytest.mark.parametrize("is_copied", [False, True])
def test_a_reader_without_shared_memory_reads_the_file_or_a_copy(
    made: Path, monkeypatch: pytest.MonkeyPatch, code: int, is_copied: bool
) -> None:
    real = connection.connect
    monkeypatch.setattr(
        connection, "connect", lambda path, how: Refusing(raised(code)) if how == "mode=ro" else real(path, how)
    )
    if is_copied:
        with closing(sqlite3.connect(made)) as other:
            other.execute("update run set cause = 'mine'")
            other.commit()
            with opened(made, read_only=True) as store:
                assert store.runs.get(1).cause == "mine"
    else:
        with opened(made, read_only=True) as store:
            assert store.runs.get(1).cause is None


@pytest.mark.parametrize(("code", "kind"), [(sqlite3.SQLITE_BUSY, Unavailable), (sqlite3.SQLITE_IOERR, StoreError)])
def test_a_reader_that_fails_otherwise_says_so(
    made: Path, monkeypatch: pytest.MonkeyPatch, code: int, kind: type[Spy32Error]
) -> None:
    monkeypatch.setattr(connection, "connect", lambda *_: Refusing(raised(code)))
    with pytest.raises(kind):
        opened(made, read_only=True)
    damaged = sqlite3.DatabaseError("malformed")
    damaged.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    monkeypatch.setattr(connection, "connect", lambda *_: Refusing(damaged))
    with pytest.raises(StoreError, match="is damaged"):
        opened(made, read_only=True)


def test_writing_in_a_read_only_folder_is_74(shared: Path) -> None:
    opened(shared).close()
    for_looking_only(shared)
    said = as_a_guest(shared, "writing")
    assert said.startswith("StoreError")
    assert "read-only" in said


def test_a_first_run_in_a_read_only_folder_is_73(shared: Path) -> None:
    shared.parent.chmod(0o555)
    assert as_a_guest(shared, "writing").startswith("CannotCreate")


def test_a_store_opened_for_reading_does_not_write(made: Path) -> None:
    with opened(made, read_only=True) as store, pytest.raises(StoreError, match="read-only"):
        begun(store)


# What SQLite's words mean.


def raised(code: int) -> sqlite3.Error:
    error = sqlite3.OperationalError("words")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (sqlite3.SQLITE_BUSY, Unavailable),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, Unavailable),
        (sqlite3.SQLITE_LOCKED, Unavailable),
        (sqlite3.SQLITE_FULL, StoreError),
        (sqlite3.SQLITE_IOERR_WRITE, StoreError),
        (sqlite3.SQLITE_READONLY_DBMOVED, StoreError),
        (sqlite3.SQLITE_CANTOPEN, CannotCreate),
        (sqlite3.SQLITE_CORRUPT, StoreDamaged),
        (sqlite3.SQLITE_NOTADB, StoreDamaged),
        (sqlite3.SQLITE_CORRUPT_VTAB, StoreDamaged),
    ],
)
def test_an_error_of_sqlite_becomes_one_of_ours(path: Path, code: int, kind: type[Spy32Error]) -> None:
    found = translate_error(raised(code), path)
    assert type(found) is kind
    assert str(path) in found.message


def test_misuse_by_our_own_code_stays_a_bug(made: Path) -> None:
    store = opened(made)
    store.close()
    with pytest.raises(sqlite3.ProgrammingError):
        store.runs.latest()


def test_an_error_of_the_person_inside_a_transaction_undoes_it(made: Path) -> None:
    with opened(made) as store:
        before = store.audit.head()
        with pytest.raises(KeyboardInterrupt), store.core.write_transaction(NOW, "half") as change:
            change.insert("flag", name="a", value="b", at=change.at)
            raise KeyboardInterrupt
        assert store.flags.get("a") is None
        assert store.audit.head() == before


def test_backups_are_looked_for_beside_the_database(path: Path) -> None:
    assert base.backup_folder(path) == path.parent / "backups"


def test_a_naive_instant_is_refused(made: Path) -> None:
    with opened(made) as store, pytest.raises(ValueError, match="naive"):
        begun(store, at=datetime(2025, 1, 1))
    assert datetime(2025, 1, 1, tzinfo=UTC) < NOW
