"""The one boundary: where options may stand, and how every ending becomes a line and an exit code."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from spy32 import __version__, cli, errors
from spy32.cli import app, move_global_options_first, run_command
from tests.support.locks import locks_in
from tests.support.timeouts import PATIENCE


@pytest.mark.parametrize(
    ("typed", "ordered"),
    [
        (["show", "--home", "x"], ["--home", "x", "show"]),
        (["show", "--home=x", "R1"], ["--home=x", "show", "R1"]),
        (["--mode", "paper", "show", "-v"], ["--mode", "paper", "-v", "show"]),
        (["approve", "--", "--home", "x"], ["approve", "--", "--home", "x"]),
        (["show", "--home"], ["--home", "show"]),
        (["--json", "status"], ["status", "--json"]),
    ],
)
def test_global_options_may_stand_before_or_after_the_command(typed: list[str], ordered: list[str]) -> None:
    assert move_global_options_first(typed) == ordered


def test_version_is_printed() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, result.output.strip()) == (0, f"spy32 {__version__}")


def leaves() -> list[type[errors.Spy32Error]]:
    return sorted(errors.Spy32Error.__subclasses__(), key=lambda kind: kind.code)


@pytest.mark.parametrize("kind", leaves(), ids=lambda kind: kind.__name__)
def test_each_error_ends_with_its_own_code_and_its_words(
    kind: type[errors.Spy32Error], capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise kind("what is wrong; what to do")

    assert run_command(fail, ["show", "--json"]) == kind.code
    out, err = capsys.readouterr()
    assert err == "spy32: what is wrong; what to do\n"
    assert json.loads(out) == {
        "schema": "spy32.error", "version": 1, "code": kind.code, "message": "what is wrong; what to do",
    }  # fmt: skip


def test_no_two_errors_share_a_code() -> None:
    codes = [kind.code for kind in leaves()]
    assert len(set(codes)) == len(codes)


def test_a_defect_is_one_line_and_a_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise ZeroDivisionError("inside")

    assert run_command(fail, ["--home", str(tmp_path), "show"]) == 70
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1 and "defect" in err
    report = next((tmp_path / "logs").glob("bug-*.txt"))
    assert str(report) in err
    assert "ZeroDivisionError: inside" in report.read_text()


def test_ctrl_c_is_130_and_a_termination_143(capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    def terminate() -> None:
        raise cli.TerminationSignal(signal.SIGTERM)

    assert run_command(interrupt, []) == 130
    assert run_command(terminate, []) == 143
    assert capsys.readouterr().err.count("what was committed is kept") == 2


def test_a_termination_while_the_words_are_read_ends_143(monkeypatch: pytest.MonkeyPatch) -> None:
    """Typer calls a KeyboardInterrupt there 130, before any handler of ours."""

    def stop(*_: object, **__: object) -> None:
        raise cli.TerminationSignal(signal.SIGTERM)

    monkeypatch.setattr(cli.ErrorBoundary, "make_context", stop)
    assert CliRunner().invoke(cli.app, ["status"]).exit_code == 143


def test_a_termination_while_a_class_is_made_ends_143(capsys: pytest.CaptureFixture[str]) -> None:
    """Python 3.11 raises a RuntimeError from whatever `__set_name__` raised; imports make classes all the time."""

    class Stopping:
        def __set_name__(self, owner: type, name: str) -> None:
            raise cli.TerminationSignal(signal.SIGTERM)

    def import_late() -> None:
        type("Late", (), {"field": Stopping()})

    assert run_command(import_late, []) == 143
    assert capsys.readouterr().err == "spy32: stopped; what was committed is kept\n"


def test_an_exit_code_of_a_command_is_kept() -> None:
    def leave() -> None:
        raise typer.Exit(20)

    assert run_command(leave, []) == 20


def _wait_for_handler(process: int, number: int) -> None:
    """Until the process handles this signal: before that it would die of it."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        caught = next(line for line in Path(f"/proc/{process}/status").read_text().splitlines() if "SigCgt" in line)
        if int(caught.split()[1], 16) >> (number - 1) & 1:
            return
        time.sleep(0.02)
    raise AssertionError("it never handled the signal")


def test_a_terminated_process_ends_143_within_seconds(tmp_path: Path) -> None:
    with locks_in(tmp_path).hold("analyze"):
        env = {"PATH": os.environ["PATH"], "SPY32_HOME": str(tmp_path), "HOME": str(tmp_path)}
        words = [sys.executable, "-m", "spy32", "analyze", "--market", "recorded", "--analyst", "rules"]
        child = subprocess.Popen(words, env=env, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        _wait_for_handler(child.pid, signal.SIGTERM)
        child.send_signal(signal.SIGTERM)
        _, err = child.communicate(timeout=PATIENCE)
    assert child.returncode == 143, err
    assert "Traceback" not in err


HEAVY = ("numpy", "pandas", "yfinance", "requests", "pydantic", "holidays", "dotenv")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "allowed"),
    [
        (["--help"], ()),
        (["show"], ()),
        (["show", "--history"], ()),
        (["status"], ()),
        (["analyze", "--scheduled"], ()),
        (["analyze", "--market", "recorded", "--analyst", "rules"], ("numpy",)),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, list) else "",
)
def test_a_command_imports_only_what_it_needs(tmp_path: Path, words: list[str], allowed: tuple[str, ...]) -> None:
    env = {"PATH": os.environ["PATH"], "SPY32_HOME": str(tmp_path), "HOME": str(tmp_path)}
    env["SPY32_CLOCK"] = "2026-11-24T20:00:00Z"
    first = [sys.executable, "-m", "spy32", "analyze", "--market", "recorded", "--analyst", "rules"]
    if words[0] != "--help" and "--scheduled" not in words:
        subprocess.run(first, env=env, check=True, capture_output=True)
    script = (
        "import sys\nfrom spy32.cli import app\n"
        "try:\n    app(sys.argv[1:])\n"
        "except SystemExit:\n    pass\n"
        f"print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script, *words], env=env, capture_output=True, text=True)
    loaded = set(json.loads(done.stderr.splitlines()[-1].replace("'", '"')))
    assert loaded <= set(allowed), loaded


def test_a_bare_call_prints_the_help() -> None:
    for words in ([], ["db"]):
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 2
        assert "Usage:" in result.output and "Commands:" in result.output


def scheduled(home: Path, clock: str, *more: str) -> str:
    env = {"PATH": os.environ["PATH"], "SPY32_HOME": str(home), "HOME": str(home), "SPY32_CLOCK": clock}
    words = [sys.executable, "-m", "spy32", "analyze", "--scheduled", "--market", "recorded", "--analyst", "rules"]
    return subprocess.run([*words, *more], env=env, capture_output=True, text=True, check=True).stdout


def history(home: Path) -> list[dict[str, str]]:
    env = {"PATH": os.environ["PATH"], "SPY32_HOME": str(home), "HOME": str(home)}
    words = [sys.executable, "-m", "spy32", "show", "--history", "--json"]
    found = subprocess.run(words, env=env, capture_output=True, text=True, check=True)
    runs: list[dict[str, str]] = json.loads(found.stdout)["runs"]
    return runs


@pytest.mark.slow
def test_each_week_that_the_machine_was_off_gets_its_row(tmp_path: Path) -> None:
    scheduled(tmp_path, "2026-11-30T15:00:00Z")
    scheduled(tmp_path, "2026-12-24T19:01:00Z")
    scheduled(tmp_path, "2026-12-24T19:16:00Z")
    assert [(run["outcome"], run["cause"]) for run in history(tmp_path)] == [("skipped", "missed")] * 3 + [
        ("proposed", None)
    ]


@pytest.mark.slow
def test_a_second_scheduled_start_shows_the_run_that_is_there_when_asked_for_json(tmp_path: Path) -> None:
    scheduled(tmp_path, "2026-11-30T15:00:00Z")
    assert scheduled(tmp_path, "2026-11-30T15:15:00Z") == ""
    again = json.loads(scheduled(tmp_path, "2026-11-30T15:30:00Z", "--json"))
    assert again["run"]["id"] == "R1"
    assert len(history(tmp_path)) == 1


@pytest.mark.slow
def test_starts_by_hand_on_a_recorded_market_leave_the_slot_its_tries(tmp_path: Path) -> None:
    clock = "2026-11-30T15:05:00Z"
    env = {"PATH": os.environ["PATH"], "SPY32_HOME": str(tmp_path), "HOME": str(tmp_path), "SPY32_CLOCK": clock}
    mistyped = [sys.executable, "-m", "spy32", "analyze", "--market", f"recorded:{tmp_path}/none.csv"]
    for _ in range(3):
        assert subprocess.run(mistyped, env=env, capture_output=True).returncode == 65
    fine = [*mistyped[:-1], "recorded", "--analyst", "rules"]
    assert subprocess.run(fine, env=env, capture_output=True).returncode == 0
    scheduled(tmp_path, clock)
    newest = history(tmp_path)[0]
    assert (newest["id"], newest["outcome"]) == ("R5", "proposed")
