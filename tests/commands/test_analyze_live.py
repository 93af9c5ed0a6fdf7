"""The weekly run of live and sandbox mode through the real program: whose quotes and account, and what is refused."""

import base64
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.servers.tastytrade import CLIENT_SECRET, REFRESH_TOKEN, TOKEN
from tests.servers.web import status
from tests.support.live_home import NUMBER, AccountServer
from tests.support.live_monday import MONDAY, LiveMonday, live_monday

pytestmark = pytest.mark.slow

RULES = ("--analyst", "rules")


@pytest.fixture
def broker() -> Iterator[AccountServer]:
    made = AccountServer(MONDAY)
    with made.running():
        yield made


@pytest.fixture
def monday(tmp_path: Path, broker: AccountServer) -> Iterator[LiveMonday]:
    with live_monday(tmp_path / "home") as made:
        made.env |= {
            "SPY32_TASTYTRADE_URL": broker.url,
            "TASTYTRADE_CLIENT_SECRET": CLIENT_SECRET,
            "TASTYTRADE_REFRESH_TOKEN": REFRESH_TOKEN,
        }
        yield made


def ran(monday: LiveMonday, mode: str, **env: str) -> dict[str, Any]:
    """The document of a run that ended without an error."""
    code, run = monday.analyze(*RULES, SPY32_MODE=mode, **env)
    assert code == 0, run["run"]
    assert not {path.name for path in monday.home.glob("*.db")} - {f"{mode}.db"}
    return run


def no_trade_for_the_account(run: dict[str, Any], words: str) -> None:
    assert (run["run"]["outcome"], run["run"]["cause"], run["proposal"]) == ("no_trade", "account", None)
    assert words in run["run"]["reasons"][0]
    assert run["menu"]
    assert run["recommendation"]["decision"] == "trade"


@pytest.mark.parametrize("mode", ["live", "sandbox"])
def test_an_account_that_may_only_close_makes_no_proposal(monday: LiveMonday, broker: AccountServer, mode: str) -> None:
    broker.is_sandbox = mode == "sandbox"
    broker.status = {"options-level": "No Restrictions", "is-closing-only": True}
    run = ran(monday, mode)
    no_trade_for_the_account(run, "…1234 open no spread: closing only")
    assert run["market"]["source"] == ("tastytrade" if mode == "live" else "cboe")
    assert broker.log_ins == 1


def test_refused_credentials_leave_menu_and_choice_from_another_source(
    monday: LiveMonday, broker: AccountServer
) -> None:
    run = ran(monday, "live", TASTYTRADE_REFRESH_TOKEN="revoked-token")
    no_trade_for_the_account(run, "Grant revoked")
    assert run["market"]["source"] == "cboe"
    assert broker.calls("/oauth/token") == 1


def test_a_broker_out_of_reach_leaves_menu_and_choice(monday: LiveMonday, broker: AccountServer) -> None:
    broker.always["/accounts/"] = status(503)
    no_trade_for_the_account(ran(monday, "live"), "503")


def test_several_accounts_and_none_chosen_is_for_a_person_at_once(monday: LiveMonday, broker: AccountServer) -> None:
    broker.accounts = [NUMBER, "5WX05678"]
    code, run = monday.analyze(*RULES, SPY32_MODE="live")
    assert (code, run["run"]["outcome"], run["run"]["cause"]) == (78, "failed", "account")
    assert "several accounts are open" in run["run"]["reasons"][0]


def test_the_account_of_the_first_run_is_the_database_s_for_good(monday: LiveMonday, broker: AccountServer) -> None:
    broker.status = {"options-level": "No Restrictions", "is-closing-only": True}
    ran(monday, "live")
    broker.accounts = ["5WX05678"]
    done = monday.spy32("analyze", "--force", "--json", *RULES, SPY32_MODE="live", TASTYTRADE_ACCOUNT="5WX05678")
    assert done.returncode == 78
    assert "is of the account …1234, not …5678" in done.stderr


def test_missing_credentials_fail_the_run(monday: LiveMonday, broker: AccountServer) -> None:
    code, run = monday.analyze(*RULES, SPY32_MODE="live", TASTYTRADE_REFRESH_TOKEN="")
    assert (code, run["run"]["cause"]) == (78, "settings")
    assert broker.requests == []


def test_the_clock_needs_loopback_addresses_in_live_mode(monday: LiveMonday) -> None:
    done = monday.spy32("status", SPY32_MODE="live", SPY32_YAHOO_URL="https://query1.finance.yahoo.com")
    assert (done.returncode, "clock is refused in live mode" in done.stderr) == (78, True)


@pytest.mark.parametrize(
    ("mode", "badge"), [("paper", "PAPER: simulated"), ("sandbox", "SANDBOX: the broker"), ("live", "LIVE: real money")]
)
def test_status_says_the_mode_in_capitals(monday: LiveMonday, mode: str, badge: str) -> None:
    done = monday.spy32("status", SPY32_MODE=mode)
    assert (done.returncode, badge in done.stdout) == (0, True)


def test_no_secret_and_no_whole_account_number_is_written(monday: LiveMonday, broker: AccountServer) -> None:
    broker.status = {"options-level": "No Restrictions", "is-closing-only": True}
    done = monday.spy32("analyze", "-v", *RULES, SPY32_MODE="live")
    assert done.returncode == 0, done.stderr
    seen = done.stdout + done.stderr + monday.spy32("show", "--raw", "--json", SPY32_MODE="live").stdout
    for marker in (CLIENT_SECRET, REFRESH_TOKEN, TOKEN, NUMBER):
        assert marker not in seen
    for path in monday.home.rglob("*"):
        if path.is_file():
            body = path.read_bytes()
            assert not any(marker.encode() in body for marker in (CLIENT_SECRET, REFRESH_TOKEN, TOKEN)), path


def test_no_secret_is_in_an_exported_file(monday: LiveMonday, broker: AccountServer) -> None:
    broker.status = {"options-level": "No Restrictions", "is-closing-only": True}
    ran(monday, "live")
    file = monday.home / "all.json"
    assert monday.spy32("audit", "export", str(file), SPY32_MODE="live").returncode == 0
    values = [item for rows in json.loads(file.read_text())["rows"].values() for row in rows for item in row.values()]
    streams = [zlib.decompress(base64.b64decode(item["base64"])) for item in values if isinstance(item, dict)]
    assert streams
    body = b"".join([file.read_bytes(), *streams])
    assert NUMBER.encode() in body
    assert not any(marker.encode() in body for marker in (CLIENT_SECRET, REFRESH_TOKEN, TOKEN))
