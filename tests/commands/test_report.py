"""`report` on a terminal, as lines, JSON, CSV and a page; on paths that cannot be written."""

import csv
import errno
import json
import os
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from spy32.cli import app
from spy32.commands.report import Property
from spy32.errors import ExitCode
from spy32.review.betting import MIN_OUTCOMES
from spy32.review.trade_results import PROPERTIES
from spy32.wiring import PAPER_ACCOUNT
from tests.support import stores
from tests.support.report_stores import lived_weeks
from tests.support.schemas import check
from tests.support.terminal import ESCAPES, Terminal

CLOCK = {"SPY32_CLOCK": "2026-12-07T15:00:00Z"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a year of weeks."""
    folder = tmp_path_factory.mktemp("year")
    with stores.opened(folder / "paper.db", account=PAPER_ACCOUNT, opening_cash=Decimal(100_000)) as store:
        lived_weeks(store, 52)
    return folder


def spy32(home: Path, *words: str) -> Any:
    return CliRunner().invoke(app, ["--home", str(home), "report", *words], env=CLOCK)


def shown(home: Path, *words: str, **size: int) -> list[str]:
    with Terminal(home, "report", *words, **size, **CLOCK) as terminal:
        assert terminal.code() == 0
        return ESCAPES.sub("", terminal.checked).splitlines()


def test_one_screen_of_80_by_24(home: Path) -> None:
    lines = shown(home)
    assert len(lines) <= 23
    assert max(map(len, lines)) <= 80
    text = "\n".join(lines)
    for words in ("PAPER", "realised", "deepest drawdown", "win rate", "; stated ", "slippage", "managing",
                  "against the menu's average", "52 asked", "target", "expires worthless",
                  "grok comprehensive"):  # fmt: skip
        assert words in text, words


@pytest.mark.parametrize(("columns", "rows"), [(60, 24), (200, 50), (80, 12)])
def test_other_sizes(home: Path, columns: int, rows: int) -> None:
    lines = shown(home, columns=columns, rows=rows)
    assert max(map(len, lines)) <= columns
    assert any("win rate" in line for line in lines)
    assert ("expires worthless" in "\n".join(lines)) == (columns >= 80 and rows >= 24)


def test_nothing_on_the_first_screen_claims_more_than_is_known(home: Path) -> None:
    screens = [*shown(home), *shown(home, "--by", "vix", columns=200, rows=50)]
    for word in ("sharpe", "winner", "*", "p =", "p-value", "significant", "annual"):
        assert word not in "\n".join(screens).lower()


def test_more_has_the_ratio_with_its_limits(home: Path) -> None:
    found = spy32(home, "--more").stdout
    for words in (
        "overlapping",
        "n = 52",
        "PSR",
        "minimum track record",
        "premium",
        "T52",
        "unmatched numbers",
        "Brier",
        "uncertainty",
        "90% interval",
        "contracts 2",
        "alike in all",
    ):
        assert words in found, words
    assert "annual" not in found


@pytest.mark.parametrize("by", Property)
def test_every_property_groups_the_trades(home: Path, by: Property) -> None:
    assert "trades 52" in spy32(home, "--by", by).stdout
    (row,) = csv.DictReader(StringIO(spy32(home, "--by", by, "--csv").stdout))
    assert (row["count"], row["wins"]) == ("52", "42")


def test_the_help_says_what_too_few_is() -> None:
    text = " ".join(CliRunner().invoke(app, ["report", "--help"]).output.split())
    assert f'Of fewer than {MIN_OUTCOMES} weeks "too few" stands' in text


def test_the_properties_are_those_of_the_report() -> None:
    assert [*Property] == [*PROPERTIES]


def test_the_document_has_its_schema(home: Path) -> None:
    document = json.loads(spy32(home, "--json").stdout)
    check(document)
    assert document["schema"] == "spy32.report"
    assert [*document["groups"]] == [*Property]
    assert document["totals"]["total"] == document["money"]["result"] == document["equity"][-1]["realized"]


def test_the_trades_as_csv(home: Path) -> None:
    rows = list(csv.DictReader(StringIO(spy32(home, "--csv").stdout)))
    assert len(rows) == 52
    assert (rows[2]["id"], rows[2]["result"], rows[2]["exit_reason"]) == ("T3", "-44.52", "target")
    assert len(list(csv.DictReader(StringIO(spy32(home, "--csv", "--since", "2026-01-05").stdout)))) == 39


def test_the_page_is_whole_or_not_there(home: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    page.write_text("older")
    assert spy32(home, "--html", str(page)).stdout == ""
    first = page.read_bytes()
    assert first.startswith(b"<!doctype html>")
    assert json.loads(spy32(home, "--html", str(page), "--json").stdout)["runs"] == 52
    assert page.read_bytes() == first
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_no_folder_is_made_for_a_page(home: Path, tmp_path: Path) -> None:
    found = spy32(home, "--html", str(tmp_path / "none" / "page.html"))
    assert (found.exit_code, found.stdout) == (ExitCode.CANNOT_CREATE, "")
    assert found.stderr == (f"spy32: {tmp_path}/none/page.html cannot be made: there is no folder {tmp_path}/none\n")
    assert [*tmp_path.iterdir()] == []


def test_a_folder_that_takes_no_file_is_one_clear_line(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr("spy32.records.connection.os.open", refuse)
    found = spy32(home, "--html", str(tmp_path / "page.html"))
    assert found.exit_code == ExitCode.CANNOT_CREATE
    assert found.stderr == f"spy32: {tmp_path}/page.html cannot be written: Read-only file system\n"


def test_a_path_that_cannot_be_written_is_one_clear_line_and_loses_nothing(home: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "file" / "page.html", tmp_path / "folder"):
        found = spy32(home, "--html", str(path))
        assert found.exit_code == ExitCode.CANNOT_CREATE
        assert found.stdout == ""
        assert found.stderr.startswith(f"spy32: {path} cannot be ")
        assert found.stderr.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]
    assert (tmp_path / "file").read_text() == "kept"


@pytest.mark.parametrize(
    ("words", "said"),
    [(["--csv", "--json"], "exclude each other"), (["--since", "soon"], "is not a date"), (["--by", "luck"], "luck")],
)
def test_words_that_are_off(home: Path, words: list[str], said: str) -> None:
    found = spy32(home, *words)
    assert found.exit_code == ExitCode.USAGE
    assert said in found.stderr


def test_without_a_database_there_is_nothing_to_report(tmp_path: Path) -> None:
    assert spy32(tmp_path).exit_code == ExitCode.USAGE


def test_before_the_first_trade(tmp_path: Path) -> None:
    with stores.opened(tmp_path / "paper.db", account=PAPER_ACCOUNT):
        pass
    found = spy32(tmp_path)
    assert found.exit_code == 0
    assert "no trade yet in 0 runs" in found.stdout
    assert spy32(tmp_path, "--more").exit_code == 0
    assert spy32(tmp_path, "--html", str(tmp_path / "page.html")).exit_code == 0


def test_looking_changes_nothing(home: Path) -> None:
    before = (home / "paper.db").read_bytes()
    assert spy32(home).exit_code == 0
    assert (home / "paper.db").read_bytes() == before
