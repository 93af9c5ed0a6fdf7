"""Kernel locks of a home. The kernel releases them when their process ends, so a killed process never blocks another.

Each lock name is one byte of the file `locks/.ranges`, locked with an open file description lock. The file
`locks/NAME.lock` only notes who holds it. Every process that works in a home also holds a shared flock(2) on the home's
folder. A missing or replaced `.ranges` file is recreated only under an exclusive flock on the folder, so deleting the
file cannot release a lock that is held. The exclusive flock is also the lock of the whole home.
"""

import fcntl
import json
import os
import re
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from spy32.domain.sha256 import sha256_hex
from spy32.domain.value import value
from spy32.errors import CannotCreate, LockHeld, StoreError, Unavailable
from spy32.ports import Clock, Sleep

POLL_SECONDS = 0.1
"""Time between two tries, seconds: short against a person's patience, and cheap."""
ENTRY_SECONDS = 2.0
"""Longest wait for the folder, seconds. Another process may hold it exclusively for a moment: in `is_free`, or while it
creates the file at a first start. Both take milliseconds."""

LOCK_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
WHOLE_HOME = "home"
"""The note's name for the holder of the whole home."""


@value
class Holder:
    """The process that noted itself as the holder of a lock."""

    pid: int
    since: datetime

    def __str__(self) -> str:
        return f"pid {self.pid}, since {self.since:%Y-%m-%d %H:%M:%S} UTC"


class FileLocks:
    """Implements `ports.Locks`. `folder` contains the lock files; `home` is the folder of the databases."""

    def __init__(self, folder: Path, *, home: Path, clock: Clock, sleep: Sleep, monotonic: Callable[[], float]) -> None:
        self._folder = folder
        self._home = home
        self._ranges = folder / ".ranges"
        self._clock = clock
        self._sleep = sleep
        self._monotonic = monotonic
        self._entered = 0
        self._presence = -1
        """File descriptor of the home's folder while `_entered` is not 0."""

    @contextmanager
    def hold(self, name: str, *, wait_seconds: float = 0) -> Iterator[None]:
        """Hold the lock while the block runs. Raises `Unavailable`, naming the holder, after `wait_seconds`."""
        note = self._note_path(name)
        with self.enter_home():
            handle = self._acquire(name, wait_seconds)
            try:
                with _holder_note(note, self._clock()):
                    yield
            finally:
                os.close(handle)

    @contextmanager
    def enter_home(self) -> Iterator[None]:
        """Hold the folder shared while the block runs, so that nobody can lock the whole home."""
        if self._entered == 0:
            self._presence = self._enter()
        self._entered += 1
        try:
            yield
        finally:
            self._entered -= 1
            if self._entered == 0:
                os.close(self._presence)

    @contextmanager
    def hold_all(self) -> Iterator[None]:
        """Hold every lock of the home while the block runs, including those that were never used.

        Raises `Unavailable`, naming the processes that work there.
        """
        handle = self._poll(lambda: self._lock_folder(fcntl.LOCK_EX), ENTRY_SECONDS)
        if handle is None:
            raise Unavailable(f"{self._describe_holders()} in {self._home}; try again when it has ended")
        try:
            if not self._has_ranges():
                self._make_ranges()
            with _holder_note(self._note_path(WHOLE_HOME), self._clock()):
                yield
        finally:
            os.close(handle)

    def is_free(self, name: str) -> bool:
        """Return whether no process holds the lock. A lock file that cannot be read counts as held."""
        byte = _lock_byte(self._note_path(name).stem)
        try:
            handle = self._open_ranges(os.O_RDONLY)
            if handle is None:
                return self._is_unused()
        except OSError:
            return False
        try:
            return _is_byte_free(handle, byte)
        finally:
            os.close(handle)

    def holder(self, name: str) -> Holder | None:
        """Return the holder of the lock; None when it is free or the holder has not written its note yet."""
        return None if self.is_free(name) else _read_holder(self._note_path(name))

    def _note_path(self, name: str) -> Path:
        if LOCK_NAME.fullmatch(name) is None:
            raise ValueError(f"{name!r} cannot name a lock")
        return self._folder / f"{name}.lock"

    # The folder

    def _enter(self) -> int:
        """Return the descriptor of the folder, locked shared, after making sure that `.ranges` exists."""
        handle = self._poll(self._try_enter, ENTRY_SECONDS)
        if handle is not None:
            return handle
        owner = _read_holder(self._note_path(WHOLE_HOME))
        if owner is not None:
            raise Unavailable(f"another spy32 ({owner}) has {self._home} for itself; try again when it has ended")
        raise self._removed_error()

    def _try_enter(self) -> int | None:
        is_whole = self._has_ranges()
        handle = self._lock_folder(fcntl.LOCK_SH if is_whole else fcntl.LOCK_EX)
        if handle is None or is_whole:
            return handle
        try:
            self._make_ranges()
        finally:
            os.close(handle)
        return self._lock_folder(fcntl.LOCK_SH)

    def _lock_folder(self, kind: int) -> int | None:
        """Return the descriptor of the folder with the flock `kind`; None when another process prevents it."""
        try:
            self._home.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle = os.open(self._home, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise CannotCreate(f"the folder {self._home} cannot be made or read ({error.strerror})") from None
        is_locked = False
        try:
            is_locked = _try_lock_folder(handle, self._home, kind) and _is_same_file(handle, self._home)
        finally:
            if not is_locked:
                os.close(handle)
        return handle if is_locked else None

    def _is_unused(self) -> bool:
        """Return whether no process works in the home, so that none of its locks is held."""
        if not self._home.exists():
            return True
        handle = os.open(self._home, os.O_RDONLY | os.O_DIRECTORY)
        try:
            return _try_lock_folder(handle, self._home, fcntl.LOCK_EX)
        finally:
            os.close(handle)

    def _describe_holders(self) -> str:
        """Return who works in the home, from the holders' notes or else from /proc/locks."""
        holders = []
        for note in sorted(self._folder.glob("*.lock")):
            holder = _read_holder(note)
            if holder is not None and not self.is_free(note.stem):
                holders.append(f"{note.stem} ({holder})")
        if holders:
            return f"another spy32 is at work on {', '.join(holders)}"
        pids = _holder_pids(self._home)
        return f"another spy32 (pid {', '.join(pids)}) is at work" if pids else "another spy32 is at work"

    # The file of the ranges

    def _has_ranges(self) -> bool:
        try:
            handle = self._open_ranges(os.O_RDONLY)
        except OSError:
            return True  # it exists; taking a lock reports what is wrong with it
        if handle is not None:
            os.close(handle)
        return handle is not None

    def _open_ranges(self, flags: int) -> int | None:
        """Open `.ranges`; None when it is missing or is not the file that was created here."""
        try:
            handle = os.open(self._ranges, flags)
        except (FileNotFoundError, NotADirectoryError):
            return None
        if os.pread(handle, 100, 0) == _file_identity(handle):
            return handle
        os.close(handle)
        return None

    def _make_ranges(self) -> None:
        """Create `.ranges`. It contains its own inode number, so that a copy in its place is recognised."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._ranges.unlink(missing_ok=True)
            handle = os.open(self._ranges, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                os.pwrite(handle, _file_identity(handle), 0)
            finally:
                os.close(handle)
        except OSError as error:
            raise CannotCreate(
                f"the lock file {self._ranges} cannot be made ({error.strerror}); make {self._folder} writable for "
                "this user"
            ) from None

    def _acquire(self, name: str, wait_seconds: float) -> int:
        handle = self._poll(lambda: self._try_lock(name), wait_seconds)
        if handle is None:
            raise LockHeld(_busy_message(name, _read_holder(self._note_path(name)), wait_seconds))
        return handle

    def _try_lock(self, name: str) -> int | None:
        try:
            handle = self._open_ranges(os.O_RDWR)
        except OSError as error:
            raise CannotCreate(f"the lock file {self._ranges} cannot be opened ({error.strerror})") from None
        if handle is None:
            raise self._removed_error()
        is_locked = False
        try:
            # If the file was removed between opening and locking, no other process would see our lock.
            is_locked = _try_lock_byte(handle, self._folder, _lock_byte(name)) and _is_same_file(handle, self._ranges)
        finally:
            if not is_locked:
                os.close(handle)
        return handle if is_locked else None

    def _removed_error(self) -> Unavailable:
        pids = ", ".join(_holder_pids(self._home))
        holder_name = f"spy32 (pid {pids})" if pids else "spy32"
        return Unavailable(
            f"the lock file {self._ranges} was removed or replaced while {holder_name} works in {self._home}; "
            "try again when it has ended"
        )

    def _poll(self, attempt: Callable[[], int | None], seconds: float) -> int | None:
        deadline = self._monotonic() + seconds
        while True:
            handle = attempt()
            seconds_left = deadline - self._monotonic()
            if handle is not None or seconds_left <= 0:
                return handle
            self._sleep(min(POLL_SECONDS, seconds_left))


# Kernel calls. `struct flock` (fcntl.h) has the lock type first on Linux, last on macOS.

_LINUX, _MACOS = "hhqqi0q", "qqihh0q"


def _lock_byte(name: str) -> int:
    return int(sha256_hex(name.encode())[:14], 16)


def _flock_struct(kind: int, byte: int) -> bytes:
    if sys.platform == "darwin":
        return struct.pack(_MACOS, byte, 1, 0, kind, os.SEEK_SET)
    return struct.pack(_LINUX, kind, os.SEEK_SET, byte, 1, 0)


def _try_lock_byte(handle: int, folder: Path, byte: int) -> bool:
    try:
        fcntl.fcntl(handle, fcntl.F_OFD_SETLK, _flock_struct(fcntl.F_WRLCK, byte))
    except (BlockingIOError, PermissionError):  # EAGAIN or EACCES, by fcntl(2)
        return False
    except OSError as error:
        raise _no_locks_error(folder, error) from None
    return True


def _is_byte_free(handle: int, byte: int) -> bool:
    lock = fcntl.fcntl(handle, fcntl.F_OFD_GETLK, _flock_struct(fcntl.F_WRLCK, byte))
    kind = struct.unpack(_MACOS, lock)[3] if sys.platform == "darwin" else struct.unpack(_LINUX, lock)[0]
    return bool(kind == fcntl.F_UNLCK)


def _try_lock_folder(handle: int, folder: Path, kind: int) -> bool:
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise _no_locks_error(folder, error) from None
    return True


def _no_locks_error(folder: Path, error: OSError) -> StoreError:
    return StoreError(f"{folder} is on a file system without locks ({error.strerror})")


def _is_same_file(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def _file_identity(handle: int) -> bytes:
    """Return the content of `.ranges`: the device and inode of the file itself."""
    stat = os.fstat(handle)
    return f"locks of this home; file {stat.st_dev}:{stat.st_ino}\n".encode()


# The note of who holds a lock. It is used only in the message to a process that cannot get it.


@contextmanager
def _holder_note(note: Path, at: datetime) -> Iterator[None]:
    """Write this process into `note`, and empty it afterwards. A failed write is ignored: the lock is held anyway."""
    _write_note(note, json.dumps({"pid": os.getpid(), "since": at.isoformat()}))
    try:
        yield
    finally:
        _write_note(note, "")


def _write_note(note: Path, text: str) -> None:
    with suppress(OSError):
        handle = os.open(note, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            os.write(handle, text.encode())
        finally:
            os.close(handle)


def _read_holder(path: Path) -> Holder | None:
    try:
        document = json.loads(path.read_text())
        return Holder(pid=int(document["pid"]), since=datetime.fromisoformat(document["since"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _holder_pids(home: Path) -> list[str]:
    """Return the ids of other processes that hold the folder, from /proc/locks; [] where that does not exist."""
    try:
        inode = str(home.stat().st_ino)
        rows = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    except OSError:
        return []
    pids = {row[4] for row in rows if len(row) > 5 and row[1] == "FLOCK" and row[5].rpartition(":")[2] == inode}
    return sorted(pids - {str(os.getpid()), "0", "-1"}, key=int)


def _busy_message(name: str, holder: Holder | None, waited_seconds: float) -> str:
    holder_name = f"another spy32 ({holder})" if holder is not None else "another spy32"
    suffix = f"; waited {waited_seconds:g} s" if waited_seconds > 0 else ""
    return f"{holder_name} is at work on {name}{suffix}; try again when it has ended"
