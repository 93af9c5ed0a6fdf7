"""The versions that matter when something is reported, and where this start would work."""

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
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
        yield f"{package} {_installed_version(package)}"
    yield f"store layout {VERSION}"
    try:
        app = AppBase.create(home=home, mode=mode, verbosity=-1)
        yield f"home {app.locations.home or app.locations.data}"
        yield f"mode {app.settings.mode}"
        yield f"database {app.database.name}, {_describe_layout(app.database)}"
    except Spy32Error as error:
        yield f"settings: {error.message}"


def _installed_version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


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
