"""The facts that `doctor` gathers: of this machine, and from services within one deadline."""

import threading
import time
from pathlib import Path

import pytest

from spy32.errors import NotPermitted, Spy32Error, StoreError, Unavailable
from spy32.wiring import App, doctor
from spy32.wiring.cron import read_installed_crontab
from spy32.wiring.doctor import ask_all, doctor_context
from tests.support.crontab_program import fake_crontab
from tests.support.timeouts import NEVER


def make_app(home: Path, monkeypatch: pytest.MonkeyPatch, **env: str) -> App:
    monkeypatch.setenv("SPY32_HOME", str(home))
    for name, text in env.items():
        monkeypatch.setenv(name, text)
    return App.create(home=str(home), mode=None, verbosity=0)


def test_probes_run_at_once_and_a_late_one_is_left_behind() -> None:
    gate, stop = threading.Barrier(2), threading.Event()

    def meet() -> int:
        return gate.wait(NEVER)

    def refuse() -> None:
        raise NotPermitted("no")

    begun = time.monotonic()
    found = ask_all({"a": meet, "b": meet, "late": lambda: stop.wait(NEVER), "no": refuse}, 0.5)
    stop.set()
    assert {found["a"], found["b"]} == {0, 1}
    assert isinstance(found["late"], Unavailable)
    assert isinstance(found["no"], NotPermitted)
    assert time.monotonic() - begun < NEVER / 2


def test_a_bug_of_a_probe_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        ask_all({"bug": lambda: 1 // 0}, 5)


def test_the_facts_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    timers = tmp_path / "config" / "systemd" / "user"
    timers.mkdir(parents=True)
    (timers / "spy32-analyze.timer").touch()
    (timers / "other.timer").touch()
    app = make_app(tmp_path / "home", monkeypatch, XDG_CONFIG_HOME=str(tmp_path / "config"))
    with doctor_context(app, is_online=False) as context:
        machine = context.machine
    assert machine.timers == ("spy32-analyze.timer",)
    assert machine.free_bytes
    assert [day.isoweekday() for day in machine.clock_changes] == [7, 7]
    assert [line.split()[-1] for line in machine.cron_lines] == ["-q", "-q", "--check"]
    assert machine.program.is_absolute()
    assert context.answers.reason


def test_a_crontab_is_read_and_none_is_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "crontab"
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    for script, text in (("echo '0 1 * * * true'", "0 1 * * * true\n"), ("echo no crontab >&2; exit 1", "")):
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        assert read_installed_crontab() == text
    monkeypatch.setenv("PATH", "/nonexistent")
    assert read_installed_crontab() is None


def test_a_crontab_that_is_refused_is_not_an_empty_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_crontab(tmp_path, before_list="echo 'You (anna) are not allowed to use this program' >&2; exit 1")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    refused = read_installed_crontab()
    assert isinstance(refused, StoreError)
    assert "You (anna) are not allowed" in refused.message


def test_the_mount_with_the_longest_name_tells_the_file_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = [
        "1 0 8:1 / / rw - ext4 /dev/a rw",
        f"2 1 0:9 / {tmp_path} rw shared:1 - nfs4 server:/x rw",
        f"3 1 0:9 / {tmp_path}-other rw - tmpfs t rw",
    ]
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "mountinfo").write_text("\n".join(mounts))
    monkeypatch.setattr(doctor, "PROCESSES", tmp_path)
    assert doctor._file_system(tmp_path / "home" / "deep") == "nfs4"
    assert doctor._file_system(Path("/")) == "ext4"
    assert doctor._is_cron_running() is None
    for number, name in ((7, "bash"), (8, "crond")):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "comm").write_text(f"{name}\n")
        assert doctor._is_cron_running() is (name == "crond")


def test_wrong_settings_leave_the_rest_to_be_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.toml").write_text("nonsense")
    app = make_app(tmp_path, monkeypatch, SPY32_MODE="sandbox")
    with doctor_context(app, is_online=True) as context:
        assert isinstance(context.settings_error, Spy32Error)
        assert context.mode == "sandbox"
        assert context.answers.reason == doctor.NO_SECRETS_USED
