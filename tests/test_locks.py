"""Kernel locks: one holder, named to the loser, free at once when the holder dies."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from spy32.errors import CannotCreate, StoreTrouble, Unavailable
from spy32.ops import locks as module
from spy32.ops.locks import FileLocks
from spy32.ports import Locks

NOW = datetime(2026, 11, 23, 15, tzinfo=UTC)

HOLD = """
import sys, time
from datetime import UTC, datetime
from pathlib import Path
from spy32.ops.locks import FileLocks
locks = FileLocks(Path(sys.argv[1]), clock=lambda: datetime(2026, 11, 23, 15, tzinfo=UTC), sleep=time.sleep,
                  monotonic=time.monotonic)
with locks.hold("run"):
    print("held", flush=True)
    sys.stdin.readline()
"""


class Patience:
    """A monotonic clock that only waiting moves."""

    def __init__(self) -> None:
        self.waited = 0.0

    def sleep(self, seconds: float) -> None:
        self.waited += seconds

    def monotonic(self) -> float:
        return self.waited


def locks_in(folder: Path, patience: Patience | None = None) -> FileLocks:
    waiting = patience or Patience()
    return FileLocks(folder, clock=lambda: NOW, sleep=waiting.sleep, monotonic=waiting.monotonic)


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
    locks = locks_in(tmp_path / "state" / "locks")
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
    with locks.hold("run"), pytest.raises(Unavailable), locks.hold("run"):
        pass


def test_the_loser_is_told_pid_and_start_of_the_holder(tmp_path: Path) -> None:
    with another_process_holding(tmp_path) as other:
        with pytest.raises(Unavailable) as refused, locks_in(tmp_path).hold("run"):
            pass
        assert f"pid {other.pid}, since 2026-11-23 15:00:00 UTC" in refused.value.message
        assert refused.value.code == 75
        holder = locks_in(tmp_path).holder("run")
        assert holder is not None
        assert (holder.pid, holder.since) == (other.pid, NOW)


def test_a_killed_holder_frees_the_lock_at_once(tmp_path: Path) -> None:
    with another_process_holding(tmp_path) as other:
        assert not locks_in(tmp_path).is_free("run")
        other.send_signal(signal.SIGKILL)
        other.wait()
        assert locks_in(tmp_path).is_free("run")
        assert locks_in(tmp_path).holder("run") is None
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

        locks = FileLocks(tmp_path, clock=lambda: NOW, sleep=sleep, monotonic=patience.monotonic)
        with locks.hold("run", wait_seconds=30):
            assert patience.waited < 2


def test_a_hold_outlasts_one_who_only_looks(tmp_path: Path) -> None:
    path = tmp_path / "run.lock"
    path.touch()
    looking = os.open(path, os.O_RDONLY)
    module.fcntl.flock(looking, module.fcntl.LOCK_SH)
    waited = Patience()

    def sleep(seconds: float) -> None:
        waited.sleep(seconds)
        os.close(looking)

    locks = FileLocks(tmp_path, clock=lambda: NOW, sleep=sleep, monotonic=waited.monotonic)
    with locks.hold("run"):
        assert 0 < waited.waited < 1


def test_the_file_stays_and_is_empty_afterwards(tmp_path: Path) -> None:
    with locks_in(tmp_path).hold("run"):
        assert (tmp_path / "run.lock").read_text() == f'{{"pid": {os.getpid()}, "since": "2026-11-23T15:00:00+00:00"}}'
    assert (tmp_path / "run.lock").read_text() == ""


def test_a_lock_file_removed_by_hand_between_opening_and_locking_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, really = tmp_path / "run.lock", module.fcntl.flock
    removed: list[bool] = []

    def flock(handle: int, kind: int) -> None:
        if not removed:
            removed.append(True)
            path.unlink()
        really(handle, kind)

    monkeypatch.setattr(module.fcntl, "flock", flock)
    with locks_in(tmp_path).hold("run"):
        assert not locks_in(tmp_path).is_free("run")


def test_a_signature_that_cannot_be_read_leaves_the_holder_unnamed(tmp_path: Path) -> None:
    locks = locks_in(tmp_path)
    with locks.hold("run"):
        (tmp_path / "run.lock").write_text("{half")
        with pytest.raises(Unavailable, match="another spy32 is at work on run"), locks.hold("run"):
            pass
        assert locks.holder("run") is None


def test_a_folder_that_cannot_be_made_ends_73_and_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file in the way")
    with pytest.raises(CannotCreate, match=r"run\.lock") as refused, locks_in(tmp_path / "state" / "locks").hold("run"):
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
    with pytest.raises(StoreTrouble, match="No locks available"), locks_in(tmp_path).hold("run"):
        pass


@pytest.mark.parametrize("name", ["", "../run", "a/b", ".hidden", "two words"])
def test_a_name_cannot_leave_the_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="cannot name a lock"):
        locks_in(tmp_path).is_free(name)
