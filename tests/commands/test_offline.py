"""Commands that need no service, in this process: the quick look that everything is wired."""

import json
import runpy
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from spy32.cli import app

ANALYZE = ("analyze", "--market", "recorded", "--analyst", "rules")


def run(home: Path, *words: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["--home", str(home), *words])
    assert result.exit_code == code, result.output
    return result.stdout


def test_a_recorded_run_replays(tmp_path: Path) -> None:
    run(tmp_path, *ANALYZE)
    assert json.loads(run(tmp_path, "replay", "R1", "--json"))["schema"] == "spy32.replay"


@pytest.mark.parametrize("words", [("market",), ("expirations",), ("analyze", "--prompt-only")], ids=" ".join)
def test_a_look_at_a_recorded_market_makes_no_run(tmp_path: Path, words: tuple[str, ...]) -> None:
    document = json.loads(run(tmp_path, *words, "--market", "recorded", "--json"))
    assert document["schema"].startswith("spy32.")
    assert not (tmp_path / "paper.db").exists()


@pytest.mark.slow
def test_the_demo_plays_the_whole_cycle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    said = run(tmp_path, "demo") + capsys.readouterr().out
    assert "T1" in said


def test_the_package_is_the_program(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["spy32", "--version"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("spy32", run_name="__main__")
    assert (ended.value.code, capsys.readouterr().out[:6]) == (0, "spy32 ")
