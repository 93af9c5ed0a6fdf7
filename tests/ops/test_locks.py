"""Kernel locks: one holder, named to the loser, free at once when the holder dies."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from spy32.errors import CannotCreate, LockHeld, StoreError, Unavailable
from spy32.ops import locks as module
from spy32.ops.locks import FileLocks
from spy32.ports import Locks
from tests.support.locks import NOW, Patience, locks_in

HOLD = """
import sys, time
from datetime import UTC, datetime
from pathlib import Path
from spy32.ops.locks import FileLocks
home = Path(sys.argv[1])
locks = FileLocks(home / "locks", home=home, clock=lambda: datetime(2026, 11, 23, 15, tzinfo=UTC), sleep=time.sleep,
                  monotonic=time.monotonic)
with locks.hold("run"):
    print("held", flush=True)
    sys.stdin.readline()
"""


@contextmanager
def another_process_holding(folder: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", HOLD, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_the_class_satisfies_the_port(tmp_path: Path) -> None:
    port: Locks = locks_in(tmp_path)
    with port.hold("run"):
        assert not port.is_free("run")


def test_a_lock_is_free_before_and_after_and_not_while_held(tmp_path: Path) -> None:
    locks = locks_in(tmp_path / "state")
    assert locks.is_free("run")
    with locks.hold("run"):
        assert not locks.is_free("run")
    assert locks.is_free("run")


def test_two_names_do_not_hinder_each_other(tmp_path: Path) -> None:
    locks = locks_in(tmp_path)
    with locks.hold("proposal-1"), locks.hold("proposal-2"):
        assert not locks.is_free("proposal-1")
        assert not locks.is_free("proposal-2")


def test_looking_at_a_lock_makes_no_file(tmp_path: Path) -> None:
    assert locks_in(tmp_path).is_free("run")
    assert list(tmp_path.iterdir()) == []


def test_a_second_holder_of_the_same_process_is_refused_too(tmp_path: Path) -> None:
    locks = locks_in(tmp_path)
    with locks.hold("run"), pytest.raises(LockHeld), locks.hold("run"):
        pass


def test_the_loser_is_told_pid_and_start_of_the_holder(tmp_path: Path) -> None:
    with another_process_holding(tmp_path) as other:
        with pytest.raises(Unavailable) as refused, locks_in(tmp_path).hold("run"):
            pass
        assert f"pid {other.pid}, since 2026-11-23 15:00:00 UTC" in refused.value.message
        assert refused.value.code == 75


def test_a_killed_holder_frees_the_lock_at_once(tmp_path: Path) -> None:
    with another_process_holding(tmp_path) as other:
        assert not locks_in(tmp_path).is_free("run")
        other.send_signal(signal.SIGKILL)
        other.wait()
        assert locks_in(tmp_path).is_free("run")
        with locks_in(tmp_path).hold("run"):
            pass


def test_an_exception_inside_frees_the_lock(tmp_path: Path) -> None:
    locks = locks_in(tmp_path)
    with pytest.raises(RuntimeError), locks.hold("run"):
        raise RuntimeError
    assert locks.is_free("run")


def test_waiting_gives_up_after_its_seconds_and_says_how_long_it_waited(tmp_path: Path) -> None:
    patience = Patience()
    loser = locks_in(tmp_path, patience)
    with (
        locks_in(tmp_path).hold("run"),
        pytest.raises(Unavailable, match="waited 30 s"),
        loser.hold("run", wait_seconds=30),
    ):
        pass
    assert patience.waited == pytest.approx(30)


def test_waiting_ends_as_soon_as_the_lock_is_free(tmp_path: Path) -> None:
    patience = Patience()
    with another_process_holding(tmp_path) as other:

        def sleep(seconds: float) -> None:
            patience.sleep(seconds)
            if patience.waited >= 1:
                other.kill()
                other.wait()

        locks = FileLocks(
            tmp_path / "locks", home=tmp_path, clock=lambda: NOW, sleep=sleep, monotonic=patience.monotonic
        )
        with locks.hold("run", wait_seconds=30):
            assert patience.waited < 2


def test_a_start_outlasts_one_who_only_looks(tmp_path: Path) -> None:
    looking = os.open(tmp_path, os.O_RDONLY)
    module.fcntl.flock(looking, module.fcntl.LOCK_EX)
    waited = Patience()

    def sleep(seconds: float) -> None:
        waited.sleep(seconds)
        os.close(looking)

    locks = FileLocks(tmp_path / "locks", home=tmp_path, clock=lambda: NOW, sleep=sleep, monotonic=waited.monotonic)
    with locks.hold("run"):
        assert 0 < waited.waited < 1


def test_the_note_stays_and_is_empty_afterwards(tmp_path: Path) -> None:
    note = tmp_path / "locks" / "run.lock"
    with locks_in(tmp_path).hold("run"):
        assert note.read_text() == f"pid {os.getpid()}, since 2026-11-23 15:00:00 UTC"
    assert note.read_text() == ""


def remove_note(home: Path) -> None:
    (home / "locks" / "run.lock").unlink()


def remove_files(home: Path) -> None:
    for path in (home / "locks").iterdir():
        path.unlink()


def remove_folder(home: Path) -> None:
    shutil.rmtree(home / "locks")


def move_folder(home: Path) -> None:
    (home / "locks").rename(home / "old")


def replace_by_copy(home: Path) -> None:
    move_folder(home)
    shutil.copytree(home / "old", home / "locks")


def replace_by_empty_files(home: Path) -> None:
    remove_files(home)
    for name in (".ranges", "run.lock"):
        (home / "locks" / name).touch()


REMOVALS = (remove_note, remove_files, remove_folder, move_folder, replace_by_copy, replace_by_empty_files)


@pytest.mark.parametrize("remove", REMOVALS)
def test_a_lock_whose_files_are_removed_stays_held_until_its_holder_ends(
    tmp_path: Path, remove: Callable[[Path], None]
) -> None:
    with another_process_holding(tmp_path) as other:
        remove(tmp_path)
        assert not locks_in(tmp_path).is_free("run")
        with pytest.raises(Unavailable), locks_in(tmp_path).hold("run"):
            pass
        other.kill()
        other.wait()
        assert locks_in(tmp_path).is_free("run")
        with locks_in(tmp_path).hold("run"), pytest.raises(Unavailable), locks_in(tmp_path).hold("run"):
            pass


def test_who_finds_the_files_removed_is_told_which_process_works(tmp_path: Path) -> None:
    with another_process_holding(tmp_path) as other:
        remove_folder(tmp_path)
        with pytest.raises(Unavailable, match=rf"removed or replaced while spy32 \(pid {other.pid}\) works") as refused:
            locks_in(tmp_path).hold("run").__enter__()
        assert refused.value.code == 75


def test_a_process_whose_own_lock_files_are_removed_takes_no_second_lock(tmp_path: Path) -> None:
    locks = locks_in(tmp_path)
    with locks.enter_home():
        remove_folder(tmp_path)
        assert not locks.is_free("run")
        with pytest.raises(Unavailable, match="removed or replaced"), locks.hold("run"):
            pass


def test_a_file_removed_between_opening_and_locking_gives_no_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = module.fcntl.fcntl

    def fcntl(handle: int, what: int, range_: bytes) -> bytes:
        if what == module.fcntl.F_OFD_SETLK:
            (tmp_path / "locks" / ".ranges").unlink(missing_ok=True)
        return really(handle, what, range_)

    monkeypatch.setattr(module.fcntl, "fcntl", fcntl)
    with pytest.raises(Unavailable), locks_in(tmp_path).hold("run"):
        pass


def test_the_whole_home_cannot_be_had_while_anything_of_it_is_held_and_says_by_whom(tmp_path: Path) -> None:
    with another_process_holding(tmp_path) as other:
        with (
            pytest.raises(Unavailable, match=rf"at work on run \(pid {other.pid}, since 2026") as refused,
            locks_in(tmp_path).hold_all(),
        ):
            pass
        assert refused.value.code == 75
    with locks_in(tmp_path).hold_all():
        pass


def test_who_is_at_work_without_a_note_is_named_by_the_kernel(tmp_path: Path) -> None:
    with another_process_holding(tmp_path) as other:
        (tmp_path / "locks" / "run.lock").write_text("")
        with pytest.raises(Unavailable, match=rf"\(pid {other.pid}\) is at work in"), locks_in(tmp_path).hold_all():
            pass


def test_no_lock_of_a_home_that_somebody_has_alone_can_be_had(tmp_path: Path) -> None:
    with locks_in(tmp_path).hold_all():
        for name in ("run", "proposal-7"):
            with pytest.raises(Unavailable, match=f"pid {os.getpid()}.*has .* for itself"):
                locks_in(tmp_path).hold(name).__enter__()
        with pytest.raises(Unavailable), locks_in(tmp_path).enter_home():
            pass
    with locks_in(tmp_path).hold("run"):
        pass


def test_many_first_starts_at_once_give_the_lock_to_one(tmp_path: Path) -> None:
    children = [
        subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdin=-1, stdout=-1, stderr=-1, text=True)
        for _ in range(8)
    ]
    winners = []
    for child in children:
        assert child.stdout is not None
        winners += [child] if child.stdout.readline() == "held\n" else []
    for child in children:
        child.communicate()
    assert len(winners) == 1


def test_a_signature_that_cannot_be_read_leaves_the_holder_unnamed(tmp_path: Path) -> None:
    locks = locks_in(tmp_path)
    with locks.hold("run"):
        (tmp_path / "locks" / "run.lock").write_text("{half")
        with pytest.raises(Unavailable, match="another spy32 is at work on run"), locks.hold("run"):
            pass


def test_a_folder_that_cannot_be_made_ends_73_and_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "locks").write_text("a file in the way")
    with pytest.raises(CannotCreate, match=r"locks/\.ranges") as refused, locks_in(tmp_path).hold("run"):
        pass
    assert refused.value.code == 73


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_ends_73(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(CannotCreate, match="writable"), locks_in(tmp_path).hold("run"):
        pass


def test_a_file_system_that_says_read_only_ends_73(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(CannotCreate, match="Read-only file system"), locks_in(tmp_path).hold("run"):
        pass
    assert not locks_in(tmp_path).is_free("run")


def test_a_file_system_without_locks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(module.fcntl, "flock", refuse)
    with pytest.raises(StoreError, match="No locks available"), locks_in(tmp_path).hold("run"):
        pass


@pytest.mark.parametrize("name", ["", "../run", "a/b", ".hidden", "two words"])
def test_a_name_cannot_leave_the_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="cannot name a lock"):
        locks_in(tmp_path).is_free(name)
