"""`doctor` as a program: exit codes, real faults of a home, services with one log-in, and no secret in its words."""

import json
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from spy32.cli import app
from spy32.domain.spreads import Mode
from spy32.errors import ExitCode
from spy32.ops.doctor import CHECKS, ONLINE_GROUPS
from spy32.wiring import PAPER_ACCOUNT
from tests.servers.cboe import CboeServer
from tests.servers.tastytrade import CLIENT_SECRET, REFRESH_TOKEN, TOKEN
from tests.servers.web import hang, status
from tests.servers.xai import KEY, XaiServer
from tests.support import builders, stores
from tests.support.live_home import NUMBER, AccountServer, LiveHome, leaks
from tests.support.schemas import check

RULES = {"SPY32_ANALYST_NAME": "rules", "SPY32_CLOCK": "2025-10-06T15:00:00Z", "SPY32_MODE": "paper"}
STORED = (".env", "live.db", "live.db-wal")
"""The database knows its account."""
SECRETS = (CLIENT_SECRET, REFRESH_TOKEN, TOKEN, NUMBER, KEY)


def spy32(home: Path, *words: str, **env: str) -> Any:
    return CliRunner().invoke(app, ["--home", str(home), "doctor", *words], env=RULES | env)


def found(home: Path, *words: str, **env: str) -> dict[str, dict[str, Any]]:
    """The checks by id, of a document that fits its schema and its exit code."""
    result = spy32(home, *words, "--json", **env)
    document = json.loads(result.stdout)
    check(document)
    is_broken = any(each["status"] == "fail" for each in document["checks"])
    assert (result.exit_code, document["ok"]) == (ExitCode.BAD_SETTINGS if is_broken else 0, not is_broken)
    return {each["id"]: each for each in document["checks"]}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A paper home with a database."""
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    with stores.opened(folder / "paper.db", account=PAPER_ACCOUNT, opening_cash=Decimal(100_000)):
        pass
    return folder


# Offline, with real faults.


def test_every_check_is_told_and_offline_asks_nobody(home: Path) -> None:
    checks = found(home, "--offline", SPY32_XAI_URL="http://127.0.0.1:9/v1")
    assert list(checks) == list(CHECKS)
    assert {each["group"] for each in checks.values() if each["detail"] == "left out by --offline"} == ONLINE_GROUPS
    assert {each["status"] for each in checks.values() if each["group"] in ("files", "db", "install")} == {"pass"}


def test_a_home_that_is_not_there_yet_is_not_broken(tmp_path: Path) -> None:
    checks = found(tmp_path / "new", "--offline")
    assert checks["db.open"]["status"] == "skip"
    assert not (tmp_path / "new").exists()


def test_bad_settings_are_told_and_the_rest_is_checked(home: Path) -> None:
    (home / "config.toml").write_text("[xai]\nmodle = 'grok'\n")
    checks = found(home, "--offline")
    assert checks["config.settings"]["status"] == "fail"
    assert "config.toml:2" in checks["config.settings"]["detail"]
    assert checks["db.integrity"]["status"] == "pass"


def test_an_open_home_is_told_with_the_command(home: Path) -> None:
    home.chmod(0o777)
    fault = found(home, "--offline")["files.access"]
    assert (fault["status"], fault["fix"]) == ("warn", f"chmod go-w {home}")


def test_readable_secrets_are_told(home: Path) -> None:
    (home / ".env").write_text("XAI_API_KEY=planted-key-of-the-test\n")
    (home / ".env").chmod(0o644)
    result = spy32(home, "--offline", "--only", "files.access")
    assert f"fix: chmod 600 {home / '.env'}" in result.stdout
    assert "planted-key" not in result.output


def test_a_damaged_database_is_told_with_its_backup(home: Path) -> None:
    with stores.opened(home / "paper.db", account=PAPER_ACCOUNT) as store:
        backup = store.backup.create(home / "backups" / "paper-20251001T000000Z.db")
    body = bytearray((home / "paper.db").read_bytes())
    body[:16] = b"x" * 16
    (home / "paper.db").write_bytes(body)
    fault = found(home, "--offline")["db.open"]
    assert (fault["status"], fault["fix"]) == ("fail", f"spy32 db restore {backup}")


def test_a_changed_row_is_told(home: Path) -> None:
    with stores.opened(home / "paper.db", account=PAPER_ACCOUNT) as store:
        stores.begun(store)
        store.core.db.execute("pragma ignore_check_constraints = on")
        store.core.db.execute("update run set profile = 'other'")
    checks = found(home, "--offline")
    assert checks["db.integrity"]["status"] == "fail"
    assert checks["state.runs"]["status"] == "skip"


def test_a_halt_is_a_warning_and_ends_0(home: Path) -> None:
    (home / "halt").write_text("storm\n")
    result = spy32(home, "--only", "state")
    assert result.exit_code == 0
    assert "warn state.halt: halted: storm; nothing is sent\n  fix: spy32 resume" in result.stdout


def test_only_asks_for_nothing_else(home: Path) -> None:
    assert list(found(home, "--only", "db.open", "--only", "state.halt")) == ["db.open", "state.halt"]
    wrong = spy32(home, "--only", "db.opne")
    assert (wrong.exit_code, "db.open" in wrong.output) == (ExitCode.USAGE, True)


def test_looking_changes_nothing(home: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in home.rglob("*") if path.suffix == ".db"}
    found(home, "--offline")
    assert {path: path.stat().st_mtime_ns for path in home.rglob("*") if path.suffix == ".db"} == before


# Online.


class QuietBroker(AccountServer):
    """A broker without any order."""

    def routes(self) -> Any:
        empty = r"GET /accounts/([^/]+)/orders/live"
        return super().routes() | {empty: lambda request, _number: self.envelope(request, {"items": []})}


@pytest.fixture
def broker() -> Iterator[AccountServer]:
    made = QuietBroker()
    with made.running():
        yield made


@pytest.fixture
def live(tmp_path: Path, broker: AccountServer) -> Iterator[tuple[LiveHome, CboeServer, XaiServer]]:
    """A live home whose broker, market and model answer."""
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    with CboeServer(builders.NOW).running() as cboe, XaiServer(key=KEY).running() as xai:
        env = {
            "SPY32_CBOE_URL": cboe.url,
            "SPY32_XAI_URL": f"{xai.url}/v1",
            "XAI_API_KEY": KEY,
            "SPY32_ANALYST_NAME": "grok",
            "SPY32_MARKET_HISTORY": "cboe",
            "SPY32_MARKET_VIX": "cboe",
        }
        home = LiveHome(home=folder, url=broker.url, env=env)
        with home.store():
            pass
        yield home, cboe, xai


def online(home: LiveHome, **env: str) -> tuple[dict[str, dict[str, Any]], float]:
    """The checks of the services, and the seconds that they took."""
    begun = time.monotonic()
    done = home.spy32("doctor", "--json", "--only", "broker", "--only", "service", **env)
    seconds = time.monotonic() - begun
    return {each["id"]: each for each in json.loads(done.stdout)["checks"]}, seconds


@pytest.mark.slow
def test_services_are_asked_with_one_log_in(
    live: tuple[LiveHome, CboeServer, XaiServer], broker: AccountServer
) -> None:
    home, _, xai = live
    checks, _ = online(home)
    states = {name: each["status"] for name, each in checks.items() if name != "broker.clock"}
    assert states.pop("service.yahoo") == "skip"
    assert set(states.values()) == {"pass"}, checks
    assert broker.log_ins == 1
    assert xai.asked == []
    assert leaks(home, *SECRETS, but=STORED) == []


@pytest.mark.slow
def test_a_refused_log_in_is_tried_once_and_said_once(
    live: tuple[LiveHome, CboeServer, XaiServer], broker: AccountServer
) -> None:
    home, _, _ = live
    checks, _ = online(home, TASTYTRADE_REFRESH_TOKEN="planted-wrong-token")
    assert checks["broker.login"]["status"] == "fail"
    assert checks["broker.login"]["fix"] == "spy32 auth login"
    assert checks["broker.level"]["status"] == "skip"
    assert broker.log_ins <= 1
    assert len([request for request in broker.requests if request.path == "/oauth/token"]) == 1
    assert leaks(home, *SECRETS, "planted-wrong-token", but=STORED) == []


@pytest.mark.slow
def test_a_wrong_key_and_a_withdrawn_model_are_told(live: tuple[LiveHome, CboeServer, XaiServer]) -> None:
    home, _, _ = live
    checks, _ = online(home, XAI_API_KEY="xai-planted-wrong-key")
    assert (checks["service.xai"]["status"], checks["service.model"]["status"]) == ("fail", "skip")
    checks, _ = online(home, SPY32_XAI_MODEL="grok-2", SPY32_XAI_EFFORT="model")
    assert (checks["service.xai"]["status"], checks["service.model"]["status"]) == ("pass", "warn")
    assert leaks(home, *SECRETS, "xai-planted-wrong-key", but=STORED) == []


@pytest.mark.slow
def test_silent_services_hold_nobody(live: tuple[LiveHome, CboeServer, XaiServer], broker: AccountServer) -> None:
    home, cboe, xai = live
    for server in (broker, cboe, xai):
        server.always["/"] = hang
    checks, seconds = online(home)
    assert {checks[name]["status"] for name in ("broker.login", "service.xai", "service.cboe")} == {"fail"}
    # Three seconds of waiting; a whole start on a loaded machine takes some more.
    assert seconds < 20


@pytest.mark.slow
def test_a_service_in_trouble_fails_alone(live: tuple[LiveHome, CboeServer, XaiServer]) -> None:
    home, cboe, _ = live
    cboe.always["/"] = status(503)
    checks, _ = online(home)
    assert checks["service.cboe"]["status"] == "fail"
    assert checks["broker.login"]["status"] == "pass"


@pytest.mark.slow
def test_live_secrets_that_others_may_change_are_not_used(
    live: tuple[LiveHome, CboeServer, XaiServer], broker: AccountServer
) -> None:
    home, _, _ = live
    home.home.chmod(0o777)
    done = home.spy32("doctor", "--json")
    checks = {each["id"]: each for each in json.loads(done.stdout)["checks"]}
    assert done.returncode == ExitCode.BAD_SETTINGS
    assert checks["files.access"]["status"] == "fail"
    assert checks["broker.login"]["status"] == "skip"
    assert broker.log_ins == 0


def test_the_mode_of_the_flag_decides(home: Path) -> None:
    document = json.loads(spy32(home, "--mode", "sandbox", "--offline", "--json").stdout)
    assert document["mode"] == Mode.SANDBOX
