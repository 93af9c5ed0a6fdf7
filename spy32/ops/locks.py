"""Kernel locks of a home. The kernel releases them when their process ends, so a killed process never blocks another.

Each lock name is one byte of the file `locks/.ranges`, locked with an open file description lock. The file
`locks/NAME.lock` only notes who holds it. Every process that works in a home also holds a shared flock(2) on the home's
folder. A missing or replaced `.ranges` file is recreated only under an exclusive flock on the folder, so deleting the
file cannot release a lock that is held. The exclusive flock is also the lock of the whole home.
"""

import fcntl
import os
import re
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from pathlib import Path

from spy32.domain.codec import sha256_hex
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
TRY_AGAIN = "try again when it has ended"


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
        """Hold the lock while the block runs. Raises `LockHeld`, naming the holder, after `wait_seconds`."""
        note = self._note(name)
        with self.enter_home():
            handle = self._poll(lambda: self._try_lock(name), wait_seconds)
            if handle is None:
                waited = f"; waited {wait_seconds:g} s" if wait_seconds > 0 else ""
                raise LockHeld(f"{_another(_read_note(note))} is at work on {name}{waited}; {TRY_AGAIN}")
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
            raise Unavailable(f"{self._describe_work()} in {self._home}; {TRY_AGAIN}")
        try:
            self._ensure_ranges()
            with _holder_note(self._note(WHOLE_HOME), self._clock()):
                yield
        finally:
            os.close(handle)

    def is_free(self, name: str) -> bool:
        """Return whether no process holds the lock. A lock file that cannot be read counts as held."""
        byte = _lock_byte(name)
        try:
            handle = self._open_ranges(os.O_RDONLY)
            if handle is None:
                return self._is_unused()
        except (OSError, CannotCreate):
            return False
        try:
            return _is_byte_free(handle, byte)
        finally:
            os.close(handle)

    def _note(self, name: str) -> Path:
        return self._folder / f"{name}.lock"

    def _describe_work(self) -> str:
        """Return who works in the home, and on what: by the holders' notes, or else the process ids by the kernel."""
        notes = {note.stem: _read_note(note) for note in sorted(self._folder.glob("*.lock"))}
        held = [f"{name} ({holder})" for name, holder in notes.items() if holder is not None and not self.is_free(name)]
        if held:
            return f"another spy32 is at work on {', '.join(held)}"
        return f"{_another(_holder_pids(self._home))} is at work"

    # The folder

    def _enter(self) -> int:
        """Return the descriptor of the folder, locked shared, after making sure that `.ranges` exists."""
        handle = self._poll(self._try_enter, ENTRY_SECONDS)
        if handle is not None:
            return handle
        owner = _read_note(self._note(WHOLE_HOME))
        if owner is not None:
            raise Unavailable(f"{_another(owner)} has {self._home} for itself; {TRY_AGAIN}")
        raise self._removed_error()

    def _try_enter(self) -> int | None:
        if not self._has_ranges():
            handle = self._lock_folder(fcntl.LOCK_EX)
            if handle is None:
                return None
            try:
                self._ensure_ranges()
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
        return _lock(handle, self._home, lambda: fcntl.flock(handle, kind | fcntl.LOCK_NB))

    def _is_unused(self) -> bool:
        """Return whether no process works in the home, so that none of its locks is held."""
        if not self._home.exists():
            return True
        handle = self._lock_folder(fcntl.LOCK_EX)
        if handle is not None:
            os.close(handle)
        return handle is not None

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
        if os.pread(handle, 100, 0) == _file_identity(os.fstat(handle)):
            return handle
        os.close(handle)
        return None

    def _ensure_ranges(self) -> None:
        """Create `.ranges` unless it is there. It contains its own inode number, so that a copy of it is recognised."""
        if self._has_ranges():
            return
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._ranges.unlink(missing_ok=True)
            self._ranges.touch(mode=0o600, exist_ok=False)
            self._ranges.write_bytes(_file_identity(self._ranges.stat()))
        except OSError as error:
            raise CannotCreate(
                f"the lock file {self._ranges} cannot be made ({error.strerror}); make {self._folder} writable for "
                "this user"
            ) from None

    def _try_lock(self, name: str) -> int | None:
        request = _flock_struct(fcntl.F_WRLCK, _lock_byte(name))
        try:
            handle = self._open_ranges(os.O_RDWR)
        except OSError as error:
            raise CannotCreate(f"the lock file {self._ranges} cannot be opened ({error.strerror})") from None
        if handle is None:
            raise self._removed_error()
        return _lock(handle, self._ranges, lambda: fcntl.fcntl(handle, fcntl.F_OFD_SETLK, request))

    def _removed_error(self) -> Unavailable:
        pids = _holder_pids(self._home)
        worker = f"spy32 ({pids})" if pids is not None else "spy32"
        return Unavailable(
            f"the lock file {self._ranges} was removed or replaced while {worker} works in {self._home}; {TRY_AGAIN}"
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
    if LOCK_NAME.fullmatch(name) is None:
        raise ValueError(f"{name!r} cannot name a lock")
    return int(sha256_hex(name.encode())[:14], 16)


def _flock_struct(kind: int, byte: int) -> bytes:
    if sys.platform == "darwin":
        return struct.pack(_MACOS, byte, 1, 0, kind, os.SEEK_SET)
    return struct.pack(_LINUX, kind, os.SEEK_SET, byte, 1, 0)


def _is_byte_free(handle: int, byte: int) -> bool:
    lock = fcntl.fcntl(handle, fcntl.F_OFD_GETLK, _flock_struct(fcntl.F_WRLCK, byte))
    kind = struct.unpack(_MACOS, lock)[3] if sys.platform == "darwin" else struct.unpack(_LINUX, lock)[0]
    return bool(kind == fcntl.F_UNLCK)


def _lock(handle: int, path: Path, request: Callable[[], object]) -> int | None:
    """Return `handle` when the kernel grants the lock that is requested; close it and return None otherwise."""
    with ExitStack() as stack:
        stack.callback(os.close, handle)
        try:
            request()
            # If the file was removed between opening and locking, no other process would see our lock.
            is_granted = os.path.samestat(os.fstat(handle), path.stat())
        except (BlockingIOError, PermissionError, FileNotFoundError):  # EAGAIN or EACCES, by fcntl(2); or removed
            is_granted = False
        except OSError as error:
            raise StoreError(f"{path} is on a file system without locks ({error.strerror})") from None
        if is_granted:
            stack.pop_all()
    return handle if is_granted else None


def _file_identity(stat: os.stat_result) -> bytes:
    """Return the content of `.ranges`: the device and inode of the file itself."""
    return f"locks of this home; file {stat.st_dev}:{stat.st_ino}\n".encode()


# The note of who holds a lock. It is used only in the message to a process that cannot get it.


@contextmanager
def _holder_note(note: Path, at: datetime) -> Iterator[None]:
    """Write this process into `note`, and empty it afterwards. A failed write is ignored: the lock is held anyway."""
    _write_note(note, f"pid {os.getpid()}, since {at:%Y-%m-%d %H:%M:%S} UTC")
    try:
        yield
    finally:
        _write_note(note, "")


def _write_note(note: Path, text: str) -> None:
    with suppress(OSError):
        note.touch(mode=0o600)
        note.write_text(text)


def _read_note(note: Path) -> str | None:
    """Return who holds the lock; None when nobody has written it, or when it cannot be read."""
    with suppress(OSError, ValueError):
        text = note.read_text()
        return text if text.startswith("pid ") else None
    return None


def _another(holder: str | None) -> str:
    return f"another spy32 ({holder})" if holder is not None else "another spy32"


def _holder_pids(home: Path) -> str | None:
    """Return the ids of other processes that hold the folder, from /proc/locks; None where that does not exist."""
    try:
        inode = str(home.stat().st_ino)
        rows = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    except OSError:
        return None
    pids = {row[4] for row in rows if len(row) > 5 and row[1] == "FLOCK" and row[5].rpartition(":")[2] == inode}
    pids -= {str(os.getpid()), "0", "-1"}
    return f"pid {', '.join(sorted(pids, key=int))}" if pids else None
