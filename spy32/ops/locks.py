"""Kernel locks of a home, one file a name. They fall with their holder: a killed process never blocks the next one."""

import fcntl
import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from spy32.errors import CannotCreate, StoreTrouble, Unavailable
from spy32.ports import Clock, Sleep

POLL_SECONDS = 0.1
# `is_free` holds a lock for an instant; a `hold` that will not wait outlasts that.
PROBE_SECONDS = 0.05

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who held a lock last, as it wrote itself down."""

    pid: int
    since: datetime

    def __str__(self) -> str:
        return f"pid {self.pid}, since {self.since:%Y-%m-%d %H:%M:%S} UTC"


class FileLocks:
    """Satisfies `ports.Locks` with flock(2) on files in one folder. The files stay: removing one splits the lock."""

    def __init__(self, folder: Path, *, clock: Clock, sleep: Sleep, monotonic: Callable[[], float]) -> None:
        self._folder = folder
        self._clock = clock
        self._sleep = sleep
        self._monotonic = monotonic

    @contextmanager
    def hold(self, name: str, *, wait_seconds: float = 0) -> Iterator[None]:
        """Have the lock while the block runs; `Unavailable` names the holder when it cannot be had in time."""
        handle = self._acquire(name, wait_seconds)
        try:
            _sign(handle, self._clock())
            yield
        finally:
            # Closing frees the lock; an empty file tells that nobody holds it.
            with suppress(OSError):
                os.ftruncate(handle, 0)
            os.close(handle)

    def is_free(self, name: str) -> bool:
        """Whether no living process holds the lock; a file that may not be read counts as held."""
        try:
            handle = os.open(self._path(name), os.O_RDONLY)
        except FileNotFoundError:
            return True
        except OSError:
            return False
        try:
            # Shared, so that two who look do not take each other for the holder.
            return _locked(handle, self._folder, fcntl.LOCK_SH)
        finally:
            os.close(handle)

    def holder(self, name: str) -> Holder | None:
        """Who holds the lock, or None when it is free or the holder has not signed yet."""
        return None if self.is_free(name) else _signature(self._path(name))

    def _path(self, name: str) -> Path:
        if NAME.fullmatch(name) is None:
            raise ValueError(f"{name!r} cannot name a lock")
        return self._folder / f"{name}.lock"

    def _acquire(self, name: str, wait_seconds: float) -> int:
        path = self._path(name)
        deadline = self._monotonic() + max(wait_seconds, PROBE_SECONDS)
        while True:
            handle = self._open(path)
            if self._take(handle, path):
                return handle
            left = deadline - self._monotonic()
            if left <= 0:
                raise Unavailable(_busy(name, _signature(path), wait_seconds))
            self._sleep(min(POLL_SECONDS, left))

    def _open(self, path: Path) -> int:
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as trouble:
            raise CannotCreate(
                f"the lock file {path} cannot be made ({trouble.strerror}); make {self._folder} writable for this user"
            ) from None

    def _take(self, handle: int, path: Path) -> bool:
        """Whether the lock was had; the handle is closed when not."""
        taken = False
        try:
            # A file removed by hand while we waited would give us a lock that nobody else sees.
            taken = _locked(handle, self._folder, fcntl.LOCK_EX) and _is_the_file(handle, path)
        finally:
            if not taken:
                os.close(handle)
        return taken


def _locked(handle: int, folder: Path, kind: int) -> bool:
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as trouble:
        raise StoreTrouble(f"{folder} is on a file system without locks ({trouble.strerror})") from None
    return True


def _is_the_file(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def _sign(handle: int, at: datetime) -> None:
    text = json.dumps({"pid": os.getpid(), "since": at.isoformat()})
    # The signature only serves the loser's message: a full disk does not take the lock away.
    with suppress(OSError):
        os.ftruncate(handle, 0)
        os.pwrite(handle, text.encode(), 0)


def _signature(path: Path) -> Holder | None:
    try:
        said = json.loads(path.read_text())
        return Holder(pid=int(said["pid"]), since=datetime.fromisoformat(said["since"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _busy(name: str, holder: Holder | None, waited: float) -> str:
    who = f"another spy32 ({holder})" if holder is not None else "another spy32"
    patience = f"; waited {waited:g} s" if waited > 0 else ""
    return f"{who} is at work on {name}{patience}; try again when it has ended"
