"""systemd user units that start what the crontab starts."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from spy32.cli import app as spy32_app
from spy32.ops.systemd import units_text, user_units
from spy32.settings.model import Schedule
from tests.support.paths import ROOT

ODD = ("/opt/my tools/spy32", "--home", '/a "b"\\c/100%/$x', "analyze", "--scheduled", "-q")


def units(program: str = "/bin/true") -> dict[str, str]:
    words = {"analyze": ("analyze", "--scheduled", "-q"), "manage": ("manage",), "check": ("status", "--check")}
    return user_units({name: (program, *rest) for name, rest in words.items()}, Schedule())


def test_a_service_and_a_timer_for_each_start() -> None:
    names = ("analyze", "check", "manage")
    assert sorted(units()) == [f"spy32-{name}.{kind}" for name in names for kind in ("service", "timer")]
    for name, fields in (("analyze", "*:0/15"), ("manage", "*:0/15"), ("check", "0/3:20")):
        timer = units()[f"spy32-{name}.timer"].splitlines()
        assert f"OnCalendar={fields}" in timer
        assert "Persistent=true" in timer
        assert "WantedBy=timers.target" in timer
        assert "Type=oneshot" in units()[f"spy32-{name}.service"].splitlines()


def test_a_start_may_take_as_long_as_a_run_and_its_end() -> None:
    service = user_units({"analyze": ("/x",)}, Schedule(run_deadline_seconds=1200))["spy32-analyze.service"]
    assert "TimeoutStartSec=1500\n" in service


def test_words_that_systemd_would_change_are_quoted() -> None:
    service = user_units({"analyze": ODD}, Schedule())["spy32-analyze.service"]
    line = 'ExecStart="/opt/my tools/spy32" --home "/a \\"b\\"\\\\c/100%%/$$x" analyze --scheduled -q'
    assert line in service.splitlines()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze on this machine")
@pytest.mark.parametrize("folder", ["desk", "my desk 100%"])
def test_systemd_takes_every_unit(tmp_path: Path, folder: str) -> None:
    program = tmp_path / folder / "spy32"
    program.parent.mkdir()
    program.symlink_to("/bin/true")
    commands = {name: (str(program), *ODD[1:]) for name in ("analyze", "manage", "check")}
    files = []
    for name, text in user_units(commands, Schedule()).items():
        files.append(tmp_path / name)
        files[-1].write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--user", "--man=no", *files],
        env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_printed_units_say_where_they_go_and_how_they_run_without_a_log_in() -> None:
    text = units_text(units(), "anna")
    assert all(f"\n# ~/.config/systemd/user/{name}\n{unit}" in text for name, unit in units().items())
    assert "loginctl enable-linger anna\n" in text
    assert "enable --now spy32-analyze.timer spy32-manage.timer spy32-check.timer\n" in text


def test_show_prints_the_units_of_this_home(tmp_path: Path) -> None:
    shown = CliRunner().invoke(spy32_app, ["--home", str(tmp_path / "my home"), "schedule", "show", "--systemd"])
    assert shown.exit_code == 0
    for words in ("analyze --scheduled -q", "manage --scheduled -q", "status --check"):
        assert f'--home "{tmp_path / "my home"}" {words}\n' in shown.stdout
    assert "*/15 * * * *" not in shown.stdout


def test_the_documented_line_writes_every_unit_to_its_file(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "scheduling.md").read_text()
    block = re.search(r"<!-- units -->\n```\n(.*?)```", text, re.DOTALL)
    assert block is not None
    program = tmp_path / "spy32"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m spy32 "$@"\n')
    program.chmod(0o755)
    bare = {"PATH": f"{tmp_path}:/usr/bin:/bin", "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    subprocess.run(["sh", "-c", block[1]], env=bare, cwd=tmp_path, check=True)
    folder = tmp_path / ".config" / "systemd" / "user"
    assert sorted(path.name for path in folder.iterdir()) == sorted(units())
    assert (folder / "spy32-check.timer").read_text().rstrip().endswith(units()["spy32-check.timer"].rstrip())
