"""Pause and halt. A pause stops scheduled runs and is a flag in the store. A halt stops every submit and is a file."""

import os
import stat
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from spy32.errors import CannotCreate, StoreError

if TYPE_CHECKING:
    from spy32.records.home import Flags

PAUSED = "paused"
MAX_REASON_BYTES = 4096
"""Bytes of a halt file that are read as its reason: more than a note needs, and a huge file must not fill memory."""


def pause(flags: "Flags", reason: str, at: datetime, home: Path) -> str:
    """Pause scheduled runs until `resume` and return the message. A second pause keeps the first one's values."""
    current = flags.get(PAUSED)
    if current is None:
        flags.record(PAUSED, _one_line(reason), at)
        return f"paused{_reason_suffix(_one_line(reason))}: scheduled runs of {home} are skipped until `spy32 resume`"
    was, since = _reason_suffix(current[0]), _format_time(current[1])
    return f"{home} was paused already, since {since}{was}; `spy32 resume` lifts it"


def lift_pause(flags: "Flags", at: datetime) -> bool:
    """Lift the pause. Returns whether there was one."""
    if flags.get(PAUSED) is None:
        return False
    flags.clear(PAUSED, at)
    return True


def halt(path: Path, reason: str, at: datetime | None) -> str:
    """Stop every submit in every mode and return the message. A second halt keeps the first one's time and reason.

    `at` is None when there is no clock, because unreadable settings must not prevent a halt. Raises `CannotCreate` when
    the file cannot be written.
    """
    since = f", since {_format_time(at)}" if at is not None else ""
    if _create_file(path, f"{_one_line(reason) or 'no reason given'}{since}\n"):
        return f"halted: no order is sent while {path} is there; `spy32 resume` removes it"
    return f"halted already ({halt_reason(path)}): no order is sent while {path} is there; `spy32 resume` removes it"


def halt_reason(path: Path) -> str | None:
    """Return the reason of the halt, or None when not halted.

    Anything with this name halts, even if it cannot be read: a dangling link, a folder, a pipe, another user's file. A
    pipe is never opened, because opening would wait for a writer.
    """
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
    """Lift the halt. Returns whether there was one. Raises `StoreError` when the file cannot be removed."""
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        remedy = f"`rmdir {path}`" if path.is_dir() else "remove it by hand"
        raise StoreError(f"{path} cannot be removed ({error.strerror}); {remedy}; still halted") from None
    return True


def _create_file(path: Path, text: str) -> bool:
    """Create the file unless something has its name. Returns whether it is new; by then it is synced to the disk.

    Raises `CannotCreate` on failure.
    """
    from spy32.records.connection import sync_folder

    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        if os.path.lexists(path):
            return False
        raise CannotCreate(f"{path} cannot be made ({error.strerror}), so nothing is halted; make it by hand") from None
    # A full disk may have room for an empty file only, and the file's existence is what halts.
    with suppress(OSError):
        os.write(descriptor, text.encode(errors="replace"))
        os.fsync(descriptor)
    os.close(descriptor)
    sync_folder(path.parent)
    return True


def _one_line(reason: str) -> str:
    return " ".join(reason.split())


def _reason_suffix(reason: str) -> str:
    return f" ({reason})" if reason else ""


def _format_time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
