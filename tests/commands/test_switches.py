"""`pause`, `halt` and `resume`: what they leave, and that a halt works when nothing else does."""

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from spy32.cli import app as spy32_app
from spy32.errors import CannotCreate, StoreError
from spy32.ops import switches
from spy32.ops.switches import PAUSED, halt, halt_reason, lift_halt, lift_pause, pause
from tests.support.schemas import check as fits_schema

NOW = datetime(2026, 11, 23, 15, tzinfo=UTC)
LATER = datetime(2026, 11, 23, 18, tzinfo=UTC)
HOME = Path("/home/anna/spy32")


class Flags:
    """The store's flags, in memory."""

    def __init__(self) -> None:
        self.values: dict[str, tuple[str, datetime]] = {}

    def get(self, name: str) -> tuple[str, datetime] | None:
        return self.values.get(name)

    def record(self, name: str, value: str, at: datetime) -> None:
        self.values[name] = (value, at)

    def clear(self, name: str, at: datetime) -> None:
        self.values.pop(name, None)


# Pause.


def test_a_pause_keeps_reason_and_time() -> None:
    flags = Flags()
    assert "(on leave)" in pause(flags, " on\n leave ", NOW, HOME)
    assert flags.get(PAUSED) == ("on leave", NOW)


def test_a_second_pause_says_since_when_and_changes_nothing() -> None:
    flags = Flags()
    pause(flags, "on leave", NOW, HOME)
    assert "was paused already, since 2026-11-23 15:00 UTC (on leave)" in pause(flags, "again", LATER, HOME)
    assert flags.get(PAUSED) == ("on leave", NOW)


def test_a_pause_without_a_reason_is_a_pause() -> None:
    flags = Flags()
    pause(flags, "", NOW, HOME)
    assert flags.get(PAUSED) == ("", NOW)


def test_a_pause_is_lifted_once() -> None:
    flags = Flags()
    pause(flags, "", NOW, HOME)
    assert lift_pause(flags, LATER) is True
    assert lift_pause(flags, LATER) is False


# Halt.


def test_a_halt_is_a_file_with_reason_and_time(tmp_path: Path) -> None:
    path = tmp_path / "state" / "halt"
    assert str(path) in halt(path, "fat finger", NOW)
    assert path.read_text() == "fat finger, since 2026-11-23 15:00 UTC\n"
    assert [file.name for file in path.parent.iterdir()] == ["halt"]


def test_a_halt_without_reason_or_clock_is_a_halt(tmp_path: Path) -> None:
    halt(tmp_path / "halt", "", None)
    assert (tmp_path / "halt").read_text() == "no reason given\n"


def test_a_second_halt_keeps_the_first_ones_reason(tmp_path: Path) -> None:
    halt(tmp_path / "halt", "first", NOW)
    assert "halted already" in halt(tmp_path / "halt", "second", LATER)
    assert (tmp_path / "halt").read_text().startswith("first")


def test_a_halt_is_lifted_once(tmp_path: Path) -> None:
    halt(tmp_path / "halt", "", NOW)
    assert lift_halt(tmp_path / "halt") is True
    assert lift_halt(tmp_path / "halt") is False


def test_a_full_disk_still_gets_an_empty_halt_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(switches.os, "write", full)
    halt(tmp_path / "halt", "fat finger", NOW)
    assert [file.name for file in tmp_path.iterdir()] == ["halt"]


def test_a_halt_that_cannot_be_made_says_that_nothing_is_halted(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file in the way")
    with pytest.raises(CannotCreate, match="nothing is halted") as refused:
        halt(tmp_path / "state" / "halt", "", NOW)
    assert refused.value.code == 73


def test_a_halt_that_cannot_be_lifted_says_that_it_still_holds(tmp_path: Path) -> None:
    (tmp_path / "halt").mkdir()
    with pytest.raises(StoreError, match="still halted"):
        lift_halt(tmp_path / "halt")


def test_a_halt_reaches_the_disk_before_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    monkeypatch.setattr(switches.os, "fsync", lambda handle: synced.append(os.readlink(f"/proc/self/fd/{handle}")))
    halt(tmp_path / "halt", "", NOW)
    assert [Path(name).name for name in synced] == ["halt", tmp_path.name]


def _dangling(path: Path) -> None:
    path.symlink_to(path.with_name("nowhere"))


def _loop(path: Path) -> None:
    path.symlink_to(path)


def _unreadable(path: Path) -> None:
    path.symlink_to("/proc/self/mem")  # readable by no one at its beginning, root included


@pytest.mark.parametrize("make", [_dangling, _loop, _unreadable, Path.mkdir, os.mkfifo, Path.touch])
def test_whatever_has_the_name_of_the_halt_file_halts(make: Callable[[Path], None], tmp_path: Path) -> None:
    path = tmp_path / "halt"
    assert halt_reason(path) is None
    make(path)
    assert halt_reason(path)
    assert "halted already" in halt(path, "again", NOW)


def test_a_halt_that_cannot_be_looked_at_halts(tmp_path: Path) -> None:
    name = tmp_path / ("x" * 300)  # longer than any file name may be
    assert "cannot be looked at" in (halt_reason(name) or "")


def test_a_long_halt_file_is_read_to_its_beginning_only(tmp_path: Path) -> None:
    (tmp_path / "halt").write_text("why" * 10_000)
    assert len(halt_reason(tmp_path / "halt") or "") == switches.MAX_REASON_BYTES


# The commands.


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def invoke(home: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`spy32 WORDS` in a fresh home, at 10:00 New York on Monday 2026-11-23."""
    monkeypatch.setenv("SPY32_CLOCK", "2026-11-23T15:00:00Z")
    return lambda *words: CliRunner().invoke(spy32_app, ["--home", str(home), *words])


def document(result: Any) -> dict[str, Any]:
    assert result.exit_code == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    fits_schema(found)
    return found


def test_pause_then_resume(invoke: Any, home: Path) -> None:
    assert document(invoke("pause", "--reason", "on leave", "--json"))["paused"] == "on leave"
    resumed = invoke("resume")
    assert (resumed.exit_code, resumed.stdout) == (0, f"lifted the pause of {home}\n")


def test_halt_then_resume(invoke: Any, home: Path) -> None:
    assert document(invoke("halt", "--reason", "fat finger", "--json"))["halted"].startswith("fat finger")
    assert (home / "halt").exists()
    assert invoke("resume").stdout == f"lifted the halt of {home}\n"
    assert not (home / "halt").exists()


def test_pause_and_halt_say_which_home_they_hold(invoke: Any, home: Path) -> None:
    assert f"runs of {home} are skipped" in invoke("pause").stdout
    assert str(home) in invoke("pause").stdout
    assert str(home) in invoke("halt").stdout
    assert str(home) in invoke("halt").stdout


def test_a_halt_link_that_leads_nowhere_is_halted_in_every_command_and_can_be_lifted(invoke: Any, home: Path) -> None:
    home.mkdir()
    (home / "halt").symlink_to("nowhere")
    assert "leads nowhere" in document(invoke("halt", "--json"))["halted"]
    assert invoke("status", "--check").exit_code == 20
    assert invoke("resume").stdout == f"lifted the halt of {home}\n"
    assert invoke("status", "--check").exit_code == 0


def test_resume_lifts_both_and_may_be_repeated(invoke: Any, home: Path) -> None:
    invoke("pause")
    invoke("halt")
    assert document(invoke("resume", "--json")) == {
        "schema": "spy32.switches",
        "version": 1,
        "message": f"lifted the pause and the halt of {home}",
        "halted": None,
        "paused": None,
    }
    again = invoke("resume")
    assert (again.exit_code, again.stdout) == (0, f"nothing was held in {home}\n")


def test_resume_and_halt_make_no_database(invoke: Any, home: Path) -> None:
    invoke("halt")
    invoke("resume")
    assert [file.name for file in home.iterdir()] == []


def test_a_halt_works_on_a_damaged_store(invoke: Any, home: Path) -> None:
    home.mkdir()
    (home / "paper.db").write_bytes(b"not a database" * 100)
    assert invoke("halt", "--json").exit_code == 0
    assert (home / "halt").exists()
    assert (home / "paper.db").read_bytes() == b"not a database" * 100


def test_a_halt_works_with_settings_that_are_wrong(invoke: Any, home: Path) -> None:
    home.mkdir()
    (home / "config.toml").write_text("no such = [")
    assert invoke("halt", "--reason", "now").exit_code == 0
    assert (home / "halt").read_text() == "now\n"


def test_a_resume_that_cannot_reach_the_store_keeps_the_halt(invoke: Any, home: Path) -> None:
    home.mkdir()
    (home / "paper.db").write_bytes(b"not a database" * 100)
    invoke("halt")
    assert invoke("resume").exit_code == 74
    assert (home / "halt").exists()


def test_each_switch_says_one_line(invoke: Any) -> None:
    for words in (("pause",), ("pause",), ("halt",), ("halt",), ("resume",), ("resume",)):
        assert invoke(*words).stdout.count("\n") == 1
