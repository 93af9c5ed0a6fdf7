"""A trade opened on the recorded market of 2025-04-30, and the later chains that it can be managed on."""

import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from spy32.cli import app
from tests.support.paths import DATA
from tests.support.schemas import check

OPENED, NEXT, LATER, LAST = (
    f"recorded:{DATA / 'chains' / f'SPY_{day}.csv.gz'}"
    for day in ("2025-04-30", "2025-05-02", "2025-05-07", "2025-05-16")
)
"""The trade is 2 SPY 30 May 525/520 put spread at 0.70; target 0.36, time exit 9 May, last exit 29 May."""


def run(home: Path, *words: str, code: int = 0) -> str:
    """What the program writes on stdout; it must end with `code`. What it writes on stderr follows an error."""
    result = CliRunner().invoke(app, ["--home", str(home), *words])
    assert result.exit_code == code, f"{result.exit_code}: {result.stdout}{result.stderr}"
    return result.stdout if code == 0 else f"{result.stdout}{result.stderr}"


def document(home: Path, *words: str) -> dict[str, Any]:
    """The JSON document of a command, which fits its schema."""
    found: dict[str, Any] = json.loads(run(home, *words, "--json"))
    check(found)
    return found


def open_trade(home: Path) -> None:
    """Make the trade T1 in this home."""
    run(home, "analyze", "--market", OPENED, "--analyst", "rules")
    run(home, "approve", "--yes")
    run(home, "execute")
