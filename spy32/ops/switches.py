"""Hold and release: a pause of scheduled runs is a flag in the store, a halt of every submit is a file in the home."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from spy32.errors import CannotCreate, StoreError

PAUSED = "paused"
MAX_REASON_BYTES = 4096
"""Bytes of a halt file that are shown as its reason."""


class FlagStore(Protocol):
    """The part of the store that holds flags; `halt` must work without any store."""

    def get(self, name: str) -> tuple[str, datetime] | None: ...
    def set(self, name: str, value: str, at: datetime) -> None: ...
    def clear(self, name: str, at: datetime) -> None: ...


def pause(flags: FlagStore, reason: str, at: datetime, home: Path) -> str:
    """Hold scheduled runs until `resume`; what is said of it. A second pause keeps the first one's time."""
    current = flags.get(PAUSED)
    if current is None:
        flags.set(PAUSED, _one_line(reason), at)
        return f"paused{_reason_suffix(_one_line(reason))}: scheduled runs of {home} are skipped until `spy32 resume`"
    return (
        f"{home} was paused already, since {_format_time(current[1])}{_reason_suffix(current[0])}; `spy32 "
        "resume` lifts it"
    )


def lift_pause(flags: FlagStore, at: datetime) -> bool:
    """Whether there was a pause to lift."""
    if flags.get(PAUSED) is None:
        return False
    flags.clear(PAUSED, at)
    return True


def halt(path: Path, reason: str, at: datetime | None) -> str:
    """Stop every submit in every mode; what is said of it. A second halt keeps the first one's time and reason.

    `at` is None when no clock can be had: settings that cannot be read must not keep anyone from halting.
    """
    since = f", since {_format_time(at)}" if at is not None else ""
    if _create_file(path, f"{_one_line(reason) or 'no reason given'}{since}\n"):
        return f"halted: no order is sent while {path} is there; `spy32 resume` removes it"
    return f"halted already ({halt_reason(path)}): no order is sent while {path} is there; `spy32 resume` removes it"


def halt_reason(path: Path) -> str | None:
    """Why everything is halted, or None. Whatever has this name halts, also what cannot be read: a link that leads
    nowhere, a folder, a pipe, a file of somebody else. A pipe is never opened, since that would wait for a writer."""
    try:
        kind = path.lstat().st_mode
    except FileNotFoundError:
        return None
    except OSError as error:
        return f"{path} cannot be looked at ({error.strerror})"
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return f"{path} is there, and is no plain file"
        with path.open("rb") as file:
            return file.read(MAX_REASON_BYTES).decode(errors="replace").strip() or "no reason given"
    except OSError as error:
        problem = "is a link that leads nowhere" if stat.S_ISLNK(kind) else f"cannot be read ({error.strerror})"
        return f"{path} {problem}"


def lift_halt(path: Path) -> bool:
    """Whether there was a halt to lift."""
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        remedy = f"`rmdir {path}`" if path.is_dir() else "remove it by hand"
        raise StoreError(f"{path} cannot be removed ({error.strerror}); {remedy}; still halted") from None
    return True


def _create_file(path: Path, text: str) -> bool:
    """Whether the file is new; when this returns, it is there and on the disk."""
    if os.path.lexists(path):
        return False
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            with _temporary_file(path) as draft:
                draft.write_text(text, encoding="utf-8")
                _sync_to_disk(draft)
                draft.replace(path)
        except OSError:
            # A full disk may still take an empty file, and being there is all that halts.
            path.touch(mode=0o600)
        _sync_to_disk(path.parent)
    except OSError as error:
        raise CannotCreate(f"{path} cannot be made ({error.strerror}), so nothing is halted; make it by hand") from None
    return True


@contextmanager
def _temporary_file(path: Path) -> Iterator[Path]:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield draft
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


def _sync_to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _one_line(reason: str) -> str:
    return " ".join(reason.split())


def _reason_suffix(reason: str) -> str:
    return f" ({reason})" if reason else ""


def _format_time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
