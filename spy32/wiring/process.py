"""The environment of the process: files and who else may change them, streams, and connections."""

import os
import stat
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from spy32.console import PlainConsole
from spy32.errors import BadSettings, BadUsage, CannotCreate, Refused

if TYPE_CHECKING:
    from rich.console import Console

    from spy32.clients.http import HttpClient
    from spy32.ports import Clock
    from spy32.settings.paths import AccessFault
    from spy32.settings.resolve import SettingsFile


_OTHERS = 0o077
"""Every permission of group and others."""
_WRITES = 0o022
"""Write permission of group and others."""


def absolute_home(home: str | None) -> str | None:
    """`--home` is the one path that is relative to where the command was typed."""
    if home is not None and not home.strip():
        raise BadUsage("--home needs the name of a folder")
    return str(Path(home).expanduser().absolute()) if home is not None else None


def read_text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BadSettings(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        # The error's own words may hold a byte of a secret.
        raise BadSettings(f"{path} is not UTF-8 text") from None


def write_file(path: Path, text: str, *, replaces: bool = True) -> None:
    """Write `text`, readable by its owner alone from the first byte on, and whole or not at all; a link stays a link.

    `Refused` when the file is there already and nothing `replaces` it, `CannotCreate` when it cannot be written.
    """
    if not replaces and os.path.lexists(path):
        raise Refused(f"{path} is there already; --force overwrites it")
    target = path.resolve()
    draft = target.with_name(f"{target.name}.{os.getpid()}.new")
    try:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
    except OSError as error:
        raise CannotCreate(f"{path} cannot be written: {error.strerror}") from None
    finally:
        with suppress(OSError):
            draft.unlink()


def load_dotenv(path: Path) -> "SettingsFile":
    import logging
    from io import StringIO

    from dotenv import dotenv_values

    from spy32.settings.resolve import SettingsFile

    # It would warn about a line by itself; `resolve` refuses such a line with its number.
    logging.getLogger("dotenv").setLevel(logging.CRITICAL)
    text = read_text(path) or ""
    return SettingsFile(values=dict(dotenv_values(stream=StringIO(text), interpolate=False)), text=text, path=str(path))


def open_secrets(path: Path) -> "AccessFault | None":
    """What is wrong with a file of secrets that others may read; None when all is well, or there is none."""
    try:
        bits = path.stat().st_mode
    except OSError:
        return None
    if not bits & _OTHERS:
        return None
    from shlex import quote

    from spy32.settings.paths import AccessFault

    problem = f"{path} holds secrets and is open to others (mode {bits & 0o777:03o})"
    return AccessFault(problem, f"chmod 600 {quote(str(path))}")


def others_access(paths: Iterable[Path], user: int) -> "AccessFault | None":
    """What is wrong with the first path that others than `user` (its id) may change; None when all is well.

    Links are followed. Who can put another folder in the place of a parent counts too; a sticky parent, such as /tmp,
    prevents that, since only the owner of a file may rename it there. What root owns is root's to change anyway.
    """
    from shlex import quote

    from spy32.settings.paths import AccessFault

    own_paths = tuple(paths)
    parents = {folder for path in own_paths for real in (path, path.resolve()) for folder in real.parents}
    for path in (*own_paths, *sorted(parents.difference(own_paths))):
        try:
            status = os.stat(path)
        except OSError:
            continue
        if status.st_uid not in (user, 0):
            problem = f"{path} belongs to another user (id {status.st_uid})"
            return AccessFault(problem, f"sudo chown {user} {quote(str(path))}")
        is_kept = status.st_mode & stat.S_ISVTX and path not in own_paths
        if status.st_mode & _WRITES and not is_kept:
            problem = f"{path} can be written by others (mode {status.st_mode & 0o777:03o})"
            return AccessFault(problem, f"chmod go-w {quote(str(path))}")
    return None


def build_console(stream: TextIO, env: Mapping[str, str]) -> "Console | PlainConsole":
    """Rich's console on a terminal; without one, plain text that nothing wraps or cuts, and rich is not imported."""
    if not stream.isatty() and not env.get("FORCE_COLOR"):
        return PlainConsole(stream)
    from rich.console import Console

    plain = bool(env.get("NO_COLOR")) or env.get("TERM") == "dumb"
    return Console(file=stream, no_color=plain or None, highlight=False, soft_wrap=False, emoji=False, markup=False)


def build_http(
    service: str, base: str, clock: "Clock", keep: "Callable[[str, bytes], None] | None" = None
) -> "HttpClient":
    """The client of a service at `base`. `keep` gets every document."""
    from spy32.clients.http import HttpClient

    return HttpClient(service=service, base=base, clock=clock, sleep=time.sleep, monotonic=time.monotonic, keep=keep)
