"""`spy32 logs`, and what the real program leaves in the log under cron."""

import json
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from spy32.cli import app
from spy32.wiring import App
from tests.support.program import ANALYZE, one_line, spy32
from tests.support.schemas import check
from tests.support.timeouts import PATIENCE

pytestmark = pytest.mark.slow

MARK = "PLANTEDmarker0123456789"
SECRETS = {"XAI_API_KEY": f"xai-{MARK}", "TASTYTRADE_CLIENT_SECRET": f"tt-{MARK}", "TASTYTRADE_REFRESH_TOKEN": MARK}
KEYS = {"ts", "level", "event", "run", "step", "ms", "code"}
IN_SLOT = {"SPY32_CLOCK": "2026-11-30T15:05:00Z"}
"""Monday 10:05 in New York."""


def lines(home: Path) -> list[dict[str, Any]]:
    return [
        json.loads(line) for path in sorted((home / "logs").glob("*.jsonl")) for line in path.read_text().splitlines()
    ]


def test_a_run_leaves_a_line_a_step_and_its_end(tmp_path: Path) -> None:
    assert spy32(tmp_path, *ANALYZE).returncode == 0
    found = lines(tmp_path)
    assert all(set(line) >= KEYS for line in found)
    assert {line["run"] for line in found} == {"R1"}
    assert [line["step"] for line in found if line["event"] == "step"] == [
        "authenticate", "collect", "screen", "consult", "vet", "prepare", "notify",
    ]  # fmt: skip
    assert (found[0]["event"], found[-1]["event"], found[-1]["code"]) == ("run", "ended", 0)
    assert found[-1]["ms"] > 0
    (log,) = (tmp_path / "logs").iterdir()
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_logs_shows_them_for_a_run_since_a_day_and_as_a_document(tmp_path: Path) -> None:
    spy32(tmp_path, *ANALYZE, env={"SPY32_CLOCK": "2026-11-24T20:00:00Z"})
    one_line(spy32(tmp_path, "execute", "P1", env={"SPY32_CLOCK": "2026-11-25T20:00:00Z"}), 10)
    shown = spy32(tmp_path, "logs").stdout.splitlines()
    assert shown[0].startswith("2026-11-24 15:00:0") and "R1" in shown[0]
    assert "execute" in shown[-1] and "ended  code 10" in shown[-1] and "P1" in shown[-1]
    assert all("R1" in line for line in spy32(tmp_path, "logs", "--run", "r1").stdout.splitlines())
    assert len(spy32(tmp_path, "logs", "--limit", "2").stdout.splitlines()) == 2
    document = json.loads(spy32(tmp_path, "logs", "--since", "2026-11-25", "--json").stdout)
    check(document)
    assert [(entry["command"], entry["code"], entry["run"]) for entry in document["entries"]][-1:] == [
        ("execute", 10, "R1"),
    ]
    one_line(spy32(tmp_path, "logs", "--since", "monday"), 2, "YYYY-MM-DD")
    one_line(spy32(tmp_path, "logs", "--run", "T1"), 2, "R31")


def test_a_home_without_a_log_has_an_empty_one(tmp_path: Path) -> None:
    assert (spy32(tmp_path, "logs").stdout, spy32(tmp_path, "logs").returncode) == ("", 0)
    assert list(tmp_path.iterdir()) == []


def test_logs_works_with_settings_that_are_wrong_and_holds_that_they_are(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("nonsense = 1\n")
    one_line(spy32(tmp_path, "status"), 78)
    shown = spy32(tmp_path, "logs")
    assert shown.returncode == 0
    assert "error" in shown.stdout and "code 78" in shown.stdout and "nonsense" in shown.stdout


def test_cron_hears_nothing_when_all_is_well_and_one_line_when_not(tmp_path: Path) -> None:
    words = ("analyze", "--scheduled", "-q", "--analyst", "rules", "--market")
    idle = spy32(tmp_path, *words, "recorded", env={"SPY32_CLOCK": "2026-11-27T15:05:00Z"})
    assert (idle.returncode, idle.stdout, idle.stderr) == (0, "", "")
    assert not (tmp_path / "logs").exists()
    well = spy32(tmp_path, *words, "recorded", env=IN_SLOT)
    assert (well.returncode, well.stdout, well.stderr) == (0, "", "")
    before = lines(tmp_path)
    assert before[-1]["code"] == 0
    again = spy32(tmp_path, *words, "recorded", env=IN_SLOT)
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    assert lines(tmp_path) == before
    failing = tmp_path / "failing"
    failing.mkdir()
    missing = spy32(failing, *words, f"recorded:{tmp_path}/missing.csv", env=IN_SLOT)
    one_line(missing, 65, "R1 failed", "missing.csv")
    assert [line["code"] for line in lines(failing)][-1] == 65
    assert missing.stderr.strip().removeprefix("spy32: ") in [line["message"] for line in lines(failing)]


def test_a_log_that_cannot_be_written_changes_no_outcome(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("not a folder")
    done = spy32(tmp_path, *ANALYZE)
    assert (done.returncode, done.stderr) == (0, "")
    assert "R1 proposed" in done.stdout
    one_line(spy32(tmp_path, "show", "R9"), 2, "no run R9")
    assert (tmp_path / "logs").read_text() == "not a folder"


def in_mount(home: Path, mount: str, *words: str) -> subprocess.CompletedProcess[str]:
    """The program where `mount` has been mounted, which needs a kernel that lets a user have mounts of his own."""
    script = f'{mount} || exit 99; exec "$0" -m spy32 "$@"'
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, sys.executable, *words]
    if shutil.which("unshare") is None:
        pytest.skip("there is no unshare")
    env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(home), "SPY32_HOME": str(home)}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=PATIENCE)
    if done.returncode in (1, 99) and "spy32" not in done.stderr:
        pytest.skip(f"no mounts here: {done.stderr}")
    return done


def test_a_full_disk_under_the_log_changes_no_outcome(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    fill = f"mount -t tmpfs -o size=64k tmpfs {logs} && {{ head -c 1M /dev/zero > {logs}/fill 2> /dev/null; true; }}"
    done = in_mount(tmp_path, fill, *ANALYZE)
    assert (done.returncode, done.stderr) == (0, "")
    assert "R1 proposed" in done.stdout
    assert list(logs.iterdir()) == []


def test_a_read_only_home_is_shown_as_ever_and_fails_as_ever(tmp_path: Path) -> None:
    spy32(tmp_path, *ANALYZE)
    read_only = f"mount --bind {tmp_path} {tmp_path} && mount -o remount,ro,bind {tmp_path}"
    before = lines(tmp_path)
    shown = in_mount(tmp_path, read_only, "show")
    assert (shown.returncode, "R1" in shown.stdout) == (0, True)
    one_line(in_mount(tmp_path, read_only, "approve", "--yes"), 74, "read-only")
    assert lines(tmp_path) == before


def test_a_pause_and_a_backup_are_in_the_log(tmp_path: Path) -> None:
    spy32(tmp_path, *ANALYZE)
    for words in (("pause",), ("resume",), ("db", "backup"), ("db", "check"), ("status",)):
        assert spy32(tmp_path, *words).returncode == 0
    found = [line for line in lines(tmp_path) if line["command"] != "analyze"]
    assert [line["command"] for line in found] == ["pause", "resume", "db", "db"]
    assert "backup: " in found[2]["message"]


def test_a_log_that_cannot_be_read_ends_74(tmp_path: Path) -> None:
    (tmp_path / "logs" / "spy32-2026-11.jsonl").mkdir(parents=True)
    one_line(spy32(tmp_path, "logs"), 74, "cannot be read")


@pytest.mark.parametrize("place", ["environment", ".env", "config.toml"])
def test_planted_secrets_are_in_no_line(tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a message holds one, which none of ours does: the log hides what the settings know."""
    secrets = SECRETS | {"TASTYTRADE_ACCOUNT": "5WX98765"}
    monkeypatch.setenv("SPY32_HOME", str(tmp_path))
    if place == ".env":
        (tmp_path / ".env").write_text("".join(f"{name}={text}\n" for name, text in secrets.items()))
        (tmp_path / ".env").chmod(0o600)
    if place == "config.toml":
        keys = [("xai", "api_key"), ("tastytrade", "client_secret"), ("tastytrade", "refresh_token")]
        tables = [f'{section}.{key} = "{text}"' for (section, key), text in zip(keys, SECRETS.values(), strict=True)]
        (tmp_path / "config.toml").write_text("\n".join([*tables, 'tastytrade.account = "5WX98765"', ""]))
        (tmp_path / "config.toml").chmod(0o600)
    for name, text in secrets.items():
        monkeypatch.setenv(name, text) if place == "environment" else monkeypatch.delenv(name, raising=False)
    told = " ".join(secrets.values())

    def fail(app: App) -> None:
        assert app.settings.tastytrade.account
        app.warn(told)
        app.report(told)
        raise ZeroDivisionError(told)

    monkeypatch.setattr("spy32.commands.status._load_status", fail)
    assert CliRunner().invoke(app, ["status"]).exit_code == 70
    nobody = {"SPY32_TASTYTRADE_URL": "http://127.0.0.1:9"}
    done = spy32(tmp_path, "auth", "status", env=nobody | (secrets if place == "environment" else {}))
    assert done.returncode == 75
    written = "".join(path.read_text() for path in (tmp_path / "logs").iterdir())
    assert "****" in written and "ZeroDivisionError" in written
    assert MARK[:8] not in written and "98765" not in written
