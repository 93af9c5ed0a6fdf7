"""What the report of a defect needs: the versions that matter, where this start would work, and the traceback."""

import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from urllib.parse import quote

from spy32.errors import Spy32Error
from spy32.wiring.base import AppBase

PACKAGES = ("typer", "rich", "numpy", "pandas", "yfinance", "requests", "pydantic", "tzdata", "apprise")
"""What decides how spy32 starts, computes, asks and tells; apprise is an extra."""


def describe_versions(home: str | None, mode: str | None) -> Iterator[str]:
    """A line each, name first. Nothing is imported for it, nothing asked, and settings that are wrong are only said."""
    from spy32.schema import VERSION

    yield f"python {'.'.join(map(str, sys.version_info[:3]))} ({sys.executable})"
    yield f"sqlite {sqlite3.sqlite_version}"
    for package in PACKAGES:
        yield f"{package} {installed_version(package) or 'not installed'}"
    yield f"store layout {VERSION}"
    try:
        app = AppBase.create(home=home, mode=mode, verbosity=-1)
        yield f"home {app.locations.home or app.locations.data}"
        yield f"mode {app.settings.mode}"
        yield f"database {app.database.name}, {_describe_layout(app.database)}"
    except Spy32Error as error:
        yield f"settings: {error.message}"


def installed_version(package: str) -> str | None:
    """The version of a package; None when it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _describe_layout(path: Path) -> str:
    """The layout of the database at `path`, in words."""
    from spy32.schema import schema_version

    if not path.exists():
        return "none yet"
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=0)) as db:
            return f"layout {schema_version(db)}"
    except sqlite3.Error as error:
        return f"unreadable ({error})"


def log_traceback(bug: BaseException, home: str | None) -> str:
    """Keep the traceback where it can be found; says where, or that it could not."""
    import traceback

    from spy32.ops.logs import hide_secrets, write_report
    from spy32.settings.describe import secret_texts

    stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{os.getpid()}"
    with suppress(Exception):
        app, settings = AppBase.create(home=home, mode=None, verbosity=-1), None
        with suppress(Spy32Error):  # settings that are wrong have been told
            settings = app.load_settings().settings
        text = hide_secrets("".join(traceback.format_exception(bug)), secret_texts(os.environ, settings))
        return f"report {write_report(app.locations.logs, stamp, text)}"
    return "the report could not be written"
