"""The home that `demo --year` makes says what it is, to whatever opens it."""

import json
import tempfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from spy32.cli import app
from spy32.domain.market import SYNTHETIC_NOTE
from spy32.errors import Spy32Error
from spy32.wiring import demo_year

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demo year of three weeks."""
    folder = tmp_path_factory.mktemp("year")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo_year, "WEEKS", 3)
        months: list[tuple[str, ...]] = []
        demo_year.make_demo_year(folder, months.append)
    assert (months[0], months[-1]) == (("synthetic year: January 2022",), ())
    return folder


def test_every_command_says_so_on_stderr_and_the_screens_above_all(home: Path) -> None:
    for words, mark in (
        (("status",), f"note: {SYNTHETIC_NOTE}"),
        (("show", "R1"), "SYNTHETIC MARKET"),
        (("show", "--history"), ""),
        (("audit", "verify"), ""),
    ):
        result = CliRunner().invoke(app, ["--home", str(home), *words])
        assert result.exit_code == 0, result.output
        assert f"spy32: {SYNTHETIC_NOTE}\n" in result.stderr, words
        assert mark in result.stdout


def test_the_documents_say_so(home: Path) -> None:
    document = json.loads(CliRunner().invoke(app, ["--home", str(home), "status", "--json"]).stdout)
    assert document["synthetic"] is True


def test_the_clock_of_the_home_stays_at_the_end_of_its_year(home: Path) -> None:
    document = json.loads(CliRunner().invoke(app, ["--home", str(home), "status", "--json"]).stdout)
    assert document["now"].startswith("2022-0")
    assert document["attention"] == []
    assert document["open_trades"] == []


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("exits", "T1"), 0, "T1 2 SPY"),
        (("manage", "T1"), 0, "T1: closed"),
        (("close", "T1"), 10, "T1 is closed; there is nothing to close"),
        (("execute", "P1"), 0, "P1 is done"),
        (("cancel", "P1"), 10, "nothing of P1 is working"),
    ],
)
def test_what_was_traded_in_it_is_over_and_asks_no_market(
    home: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    result = CliRunner().invoke(app, ["--home", str(home), *words])
    assert (result.exit_code, said in result.output) == (code, True), result.output


def test_the_demo_leaves_its_page_and_no_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(demo_year, "WEEKS", 1)
    result = CliRunner().invoke(app, ["demo", "--year"])
    assert result.exit_code == 0, result.output
    (page,) = tmp_path.iterdir()
    assert page.suffix == ".html" and SYNTHETIC_NOTE in page.read_text()
    assert "collecting: 0 outcomes" in capfd.readouterr().out


def test_what_goes_wrong_leaves_the_home_to_look_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(home: Path, **_: object) -> None:
        raise Spy32Error("no year")

    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(demo_year, "make_demo_year", fail)
    assert CliRunner().invoke(app, ["demo", "--year"]).exit_code != 0
    assert [path.is_dir() for path in tmp_path.iterdir()] == [True]


def test_another_home_is_not_synthetic(tmp_path: Path) -> None:
    words = ["--home", str(tmp_path), "analyze", "--market", "recorded", "--analyst", "rules"]
    assert "SYNTHETIC" not in CliRunner().invoke(app, words).output
    result = CliRunner().invoke(app, ["--home", str(tmp_path), "status", "--json"])
    assert (json.loads(result.stdout)["synthetic"], "SYNTHETIC" in result.output) == (False, False)
