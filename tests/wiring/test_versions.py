"""`--version -v`: what to put into a report, also where the settings are wrong."""

import sqlite3
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from typer.testing import CliRunner

from spy32 import __version__
from spy32.cli import app
from spy32.schema import VERSION
from tests.support.program import ANALYZE, spy32


def printed(*words: str) -> dict[str, str]:
    result = CliRunner().invoke(app, [*words])
    assert result.exit_code == 0, result.output
    return dict(line.split(" ", 1) for line in result.output.splitlines())


@pytest.mark.parametrize("words", [("--version", "-v"), ("-v", "--version"), ("--verbose", "--version")])
def test_the_versions_that_matter_are_printed(tmp_path: Path, words: tuple[str, ...]) -> None:
    found = printed(*words, "--home", str(tmp_path))
    assert found["spy32"] == __version__
    assert found["python"].startswith(".".join(map(str, sys.version_info[:3])))
    assert found["sqlite"] == sqlite3.sqlite_version
    assert {name: found[name] for name in ("typer", "numpy", "rich", "yfinance")} == {
        name: version(name) for name in ("typer", "numpy", "rich", "yfinance")
    }
    assert (found["store"], found["home"], found["mode"]) == (f"layout {VERSION}", str(tmp_path), "paper")
    assert found["database"] == "paper.db, none yet"
    assert list(tmp_path.iterdir()) == []


def test_the_layout_of_the_database_is_said(tmp_path: Path) -> None:
    (tmp_path / "live.db").write_bytes(b"no database" * 100)
    spy32(tmp_path, *ANALYZE)
    assert printed("--version", "-v", "--home", str(tmp_path))["database"] == f"paper.db, layout {VERSION}"
    assert "unreadable" in printed("--version", "-v", "--home", str(tmp_path), "--mode", "live")["database"]


def test_settings_that_are_wrong_are_said_and_hide_nothing_else(tmp_path: Path) -> None:
    found = printed("--version", "-v", "--home", str(tmp_path), "--mode", "nonsense")
    assert "takes one of" in found["settings:"]
    assert found["spy32"] == __version__
