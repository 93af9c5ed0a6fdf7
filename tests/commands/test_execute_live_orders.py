"""Live orders through the real program and a local broker: one that is sent, and what refuses it at the last moment."""

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.servers.tastytrade import TOKEN
from tests.servers.tastytrade_orders import TastytradeBrokerServer
from tests.servers.web import status
from tests.support.live_home import NUMBER, SECRETS, LiveHome, leaks
from tests.support.live_monday import MONDAY, live_monday

pytestmark = pytest.mark.slow

ENVIRONMENT = {
    "SPY32_MARKET_CHAIN": "",
    "SPY32_CLOCK": f"{MONDAY:%Y-%m-%dT%H:%M:%SZ}",
    "SPY32_EXECUTION_STEP_SECONDS": "1",
}


@dataclass
class LiveOrders:
    """One approved proposal of a mode, and its broker."""

    home: LiveHome
    broker: TastytradeBrokerServer
    confirm: str

    def execute(self, *words: str, **more: str) -> tuple[int, str, str]:
        done = self.home.spy32("execute", "P1", "--live", "--confirm", self.confirm, *words, **more)
        return done.returncode, done.stdout, done.stderr


def documents(home: LiveHome, *words: str, mode: str) -> dict[str, Any]:
    done = home.spy32(*words, "--json", mode=mode)
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def prepared(folder: Path, mode: str) -> tuple[Path, str]:
    """A home in which a run of this mode was made and approved, and the words that confirm it."""
    broker = TastytradeBrokerServer(MONDAY)
    broker.is_sandbox = mode == "sandbox"
    with live_monday(folder / "home") as monday, broker.running():
        # The addresses differ from start to start, so they come from the environment alone.
        env = {**ENVIRONMENT, "SPY32_CBOE_URL": monday.cboe.url, "SPY32_YAHOO_URL": monday.yahoo.url}
        monday.home.mkdir(exist_ok=True)
        home = LiveHome(home=monday.home, url=broker.url, env=env)
        made = documents(home, "analyze", mode=mode)["proposal"]
        assert made is not None
        documents(home, "approve", "P1", "--yes", "--confirm", made["hash"][:8], mode=mode)
        assert broker.submits == []
        return home.home, f"{NUMBER[-4:]}:SPY:{made['quantity']}"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    return prepared(tmp_path_factory.mktemp("live"), "live")


@pytest.fixture
def desk(template: tuple[Path, str], tmp_path: Path) -> Iterator[LiveOrders]:
    broker = TastytradeBrokerServer(MONDAY)
    with broker.running():
        home = LiveHome(home=Path(shutil.copytree(template[0], tmp_path / "home")), url=broker.url, env=ENVIRONMENT)
        home.adopt()
        yield LiveOrders(home=home, broker=broker, confirm=template[1])
        assert leaks(home, *SECRETS, TOKEN) == []


def test_a_confirmed_live_order_is_sent_once_and_says_that_it_is_live(desk: LiveOrders) -> None:
    code, said, story = desk.execute()
    assert code == 0, story
    assert said.startswith("LIVE: real money\n")
    assert "filled" in said
    entries = [write for write in desk.broker.submits if write.kind == "submit"]
    assert len(entries) == 1
    assert entries[0].path == f"/accounts/{NUMBER}/orders"
    sent = len(desk.broker.submits)
    assert desk.execute()[0] == 0
    assert len(desk.broker.submits) == sent


def test_a_rehearsal_needs_no_confirmation_and_sends_nothing(desk: LiveOrders) -> None:
    done = desk.home.spy32("execute", "P1", "--dry-run")
    assert (done.returncode, desk.broker.submits) == (0, []), done.stderr
    assert done.stdout.startswith("LIVE: real money\n")


def test_a_fill_below_the_floor_is_11_and_20_until_a_person_has_looked(desk: LiveOrders) -> None:
    desk.broker.policy.improvement = Decimal("-0.40")
    code, _, said = desk.execute()
    assert (code, "LOOK AT THIS: T1 was opened at" in said, "below the approved floor" in said) == (11, True, True), (
        said
    )
    trade = documents(desk.home, "show", mode="live")["trade"]
    assert Decimal(trade["exit"]["stop"]) == 3 * Decimal(trade["credit"])
    check = desk.home.spy32("status", "--check")
    assert (check.returncode, "below the approved floor" in check.stderr) == (20, True)
    assert desk.home.spy32("status", "--ack", "T1").returncode == 0
    assert desk.execute()[0] == 0
    assert (
        len([write for write in desk.broker.submits if write.kind == "submit" and write.path.endswith("/orders")]) == 1
    )


def row(**over: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda found: {**found, **over}


def moved(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The underlying stands two per cent higher."""
    names = ("bid", "ask", "mid", "mark", "last")
    return [
        {**each, **{name: str(float(each[name]) * 1.02) for name in names if name in each}}
        if each["instrument-type"] == "Equity"
        else each
        for each in rows
    ]


def aged(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every quote is a minute old."""
    then = f"{MONDAY - timedelta(minutes=1):%Y-%m-%dT%H:%M:%S.000Z}"
    return [{**each, "updated-at": then} for each in rows]


def stubs(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every option is quoted 0.01 x 13."""
    wide = {"bid": "0.01", "ask": "13.0", "mid": "6.505", "mark": "6.505"}
    return [each if each["instrument-type"] == "Equity" else {**each, **wide} for each in rows]


Change = Callable[[TastytradeBrokerServer], object]


def told(key: str, value: object) -> Change:
    """The trading status of the account says so."""
    return lambda broker: broker.edits.update({"trading-status": row(**{key: value})})


LATE = {"SPY32_CLOCK": f"{MONDAY + timedelta(hours=2):%Y-%m-%dT%H:%M:%SZ}"}
GATES: dict[str, tuple[int, str, Change]] = {
    "closing only": (10, "closing only", told("is-closing-only", True)),
    "margin call": (10, "margin call", told("is-in-margin-call", True)),
    "options level": (10, "options level", told("options-level", "Covered And Cash Secured")),
    "buying power": (
        10,
        "buying power",
        lambda b: b.edits.update({"balances": row(**{"derivative-buying-power": "10.0"})}),
    ),
    "clock": (10, "clock is ahead of ours", lambda b: setattr(b, "date_ahead", 300)),
    "drift": (10, "underlying", lambda b: setattr(b, "edit", moved)),
    "age": (10, "s old", lambda b: setattr(b, "edit", aged)),
    "wide": (10, "quoted 0.01 x 13.0, 12.99 wide", lambda b: setattr(b, "edit", stubs)),
    "no quotes": (75, "HTTP 503", lambda b: b.always.update({"/market-data": status(503)})),
    "no account": (77, "not_permitted", lambda b: b.always.update(
        {"/customers/me/accounts": status(403, {"error": {"code": "not_permitted", "message": "User not permitted"}})}
    )),
    "dry run": (12, "margin_check_failed", lambda b: b.always.update(
        {"/orders/dry-run": status(422, {"error": {"code": "margin_check_failed", "message": "Too little"}})}
    )),
}  # fmt: skip


@pytest.mark.parametrize(("code", "words", "change"), GATES.values(), ids=GATES)
def test_each_gate_refuses_a_confirmed_order_and_nothing_is_sent(
    desk: LiveOrders, code: int, words: str, change: Change
) -> None:
    change(desk.broker)
    ended, _, said = desk.execute()
    assert (ended, words in said) == (code, True), said
    assert desk.broker.submits == []


def test_the_last_quotes_are_asked_between_the_dry_run_and_the_order(desk: LiveOrders) -> None:
    assert desk.execute()[0] == 0
    asked = [(request.method, request.path) for request in desk.broker.requests]
    sent = asked.index(("POST", f"/accounts/{NUMBER}/orders"))
    tried = asked.index(("POST", f"/accounts/{NUMBER}/orders/dry-run"))
    between = [path for _, path in asked[tried + 1 : sent]]
    assert between[0] == f"/accounts/{NUMBER}/orders/live", "has another home sent meanwhile?"
    assert set(between[1:]) == {"/market-data/by-type"}


def test_a_clock_that_differs_from_the_broker_s_approves_nothing(desk: LiveOrders) -> None:
    done = desk.home.spy32("show", "--json", **LATE)
    digits = json.loads(done.stdout)["proposal"]["hash"][:8]
    done = desk.home.spy32("approve", "P1", "--yes", "--confirm", digits, **LATE)
    assert (done.returncode, "the broker's clock is ahead of ours by -7" in done.stderr) == (10, True), done.stderr


def test_an_approval_from_the_future_sends_nothing(desk: LiveOrders) -> None:
    early = f"{MONDAY - timedelta(minutes=4):%Y-%m-%dT%H:%M:%SZ}"
    code, _, said = desk.execute(SPY32_CLOCK=early)
    assert (code, "a clock was or is wrong" in said) == (10, True), said
    assert desk.broker.submits == []


EDITS = {
    "profile": "update proposal set profile = 'other'",
    "quantity": "update proposal set quantity = 1",
    "an approval": "update approval set until = '2026-01-01T00:00:00Z'",
    "who approved": "update approval set approved_by = 'bob'",
    "the choice": "update answer set analyst = 'grok' where role = 'chosen'",
    "the account": "update stamp set created_at = '2020-01-01T00:00:00Z'",
    "a row that is gone": "delete from approval",
    "the history": "update event set at = '2020-01-01T00:00:00Z' where id = 3",
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_rows_that_were_changed_behind_the_history_send_nothing(desk: LiveOrders, edit: str) -> None:
    with closing(sqlite3.connect(desk.home.home / "live.db")) as db:
        for (name,) in db.execute("select name from sqlite_master where type = 'trigger'").fetchall():
            db.execute(f"drop trigger {name}")
        db.execute(edit)
        db.commit()
    code, _, said = desk.execute()
    assert (code, "nothing was sent" in said, "is damaged: " in said) == (74, True, True), said
    assert desk.broker.requests == []
    assert desk.home.spy32("execute", "P1", "--dry-run").returncode == 74


def test_an_approval_that_is_over_sends_nothing(desk: LiveOrders) -> None:
    code, _, said = desk.execute(**LATE)
    assert (code, "approv" in said, desk.broker.submits) == (10, True, [])


def test_another_account_behind_the_credentials_sends_nothing(desk: LiveOrders) -> None:
    with desk.broker.gate:
        desk.broker.book.accounts.clear()
    desk.broker.add_account("5WX05678")
    code, _, said = desk.execute()
    assert (code, desk.broker.submits) == (77, [])
    assert "…1234 is not one of this log-in" in said


def test_a_sandbox_order_needs_no_live_and_says_sandbox(tmp_path: Path) -> None:
    folder, _ = prepared(tmp_path, "sandbox")
    broker = TastytradeBrokerServer(MONDAY)
    broker.is_sandbox = True
    with live_monday(tmp_path / "other") as monday, broker.running():
        env = {**ENVIRONMENT, "SPY32_CBOE_URL": monday.cboe.url, "SPY32_YAHOO_URL": monday.yahoo.url}
        home = LiveHome(home=folder, url=broker.url, env=env)
        done = home.spy32("execute", "P1", mode="sandbox")
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("SANDBOX: the broker's test system, no real money\n")
        assert len([write for write in broker.submits if write.kind == "submit"]) == 1
        assert broker.calls("/market-data") == 0
