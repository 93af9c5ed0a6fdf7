"""The environment of the process: files, streams, and the log of defects."""

import os
import stat
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from spy32.errors import BadSettings, BadUsage, Spy32Error

if TYPE_CHECKING:
    from rich.console import Console

    from spy32.console import PlainConsole
    from spy32.settings import Locations, Settings
    from spy32.settings.paths import Access
    from spy32.settings.resolve import SettingsFile


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


def load_dotenv(path: Path) -> "SettingsFile":
    import logging
    from io import StringIO

    from dotenv import dotenv_values

    from spy32.settings.resolve import SettingsFile

    # It would warn about a line by itself; `resolve` refuses such a line with its number.
    logging.getLogger("dotenv").setLevel(logging.CRITICAL)
    text = read_text(path) or ""
    return SettingsFile(values=dict(dotenv_values(stream=StringIO(text), interpolate=False)), text=text, path=str(path))


def mode_bits(path: Path) -> int | None:
    try:
        return path.stat().st_mode & 0o777
    except OSError:
        return None


def path_access(paths: Iterable[Path]) -> "dict[Path, Access]":
    """Who may change each path that is there, links followed."""
    from spy32.settings.paths import Access

    accesses = {}
    for path in paths:
        with suppress(OSError):
            status = path.stat()
            is_sticky = stat.S_ISDIR(status.st_mode) and bool(status.st_mode & stat.S_ISVTX)
            accesses[path] = Access(bits=stat.S_IMODE(status.st_mode), owner=status.st_uid, is_sticky=is_sticky)
    return accesses


def parent_folders(paths: Iterable[Path]) -> set[Path]:
    """Every folder above these paths, and above what they lead to where they are links."""
    return {folder for path in paths for real in (path, path.resolve()) for folder in real.parents}


def build_console(stream: TextIO, env: Mapping[str, str]) -> "Console | PlainConsole":
    """Rich's console on a terminal; without one, plain text that nothing wraps or cuts, and rich is not imported."""
    if not stream.isatty() and not env.get("FORCE_COLOR"):
        from spy32.console import PlainConsole

        return PlainConsole(stream)
    from rich.console import Console

    plain = bool(env.get("NO_COLOR")) or env.get("TERM") == "dumb"
    return Console(file=stream, no_color=plain or None, highlight=False, soft_wrap=False, emoji=False, markup=False)


def log_traceback(bug: BaseException, home: str | None) -> str:
    """Keep the traceback where it can be found; says where, or that it could not."""
    import traceback

    from spy32.ops.logs import hide_secrets, write_report
    from spy32.settings.describe import secret_texts
    from spy32.settings.paths import locations

    stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{os.getpid()}"
    with suppress(Exception):
        places = locations(os.environ, absolute_home(home))
        secrets = secret_texts(os.environ, _settings_or_none(places))
        text = hide_secrets("".join(traceback.format_exception(bug)), secrets)
        return f"report {write_report(places.logs, stamp, text)}"
    return "the report could not be written"


def _settings_or_none(places: "Locations") -> "Settings | None":
    """The settings of the environment and the files there, without a warning; None where they are wrong."""
    from spy32.settings.resolve import SettingsFile, resolve

    try:
        toml = SettingsFile(text=read_text(places.config) or "", path=str(places.config))
        return resolve({}, os.environ, load_dotenv(places.dotenv), toml).settings
    except Spy32Error:
        return None
