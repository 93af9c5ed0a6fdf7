"""The program settles what has expired before it answers, wherever that can be written, and says it where not."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from spy32.domain.spreads import Mode
from spy32.lifecycle import TradeState
from tests.servers.tastytrade_orders import TastytradeBrokerServer
from tests.support import builders
from tests.support.broker_desk import AFTER_EXPIRATION
from tests.support.fakes import FakeMarket, FakeOrders, ManualClock
from tests.support.live_home import LiveHome
from tests.support.open_trades import LONG, SHORT, entered
from tests.support.trading import TradingDesk

pytestmark = pytest.mark.slow

EVENING = f"{AFTER_EXPIRATION:%Y-%m-%dT%H:%M:%SZ}"


@pytest.fixture
def broker() -> Iterator[TastytradeBrokerServer]:
    with TastytradeBrokerServer(at=builders.later(minutes=6)).running() as running:
        assert isinstance(running, TastytradeBrokerServer)
        yield running


@pytest.fixture
def home(tmp_path: Path, broker: TastytradeBrokerServer) -> LiveHome:
    """A live home with one open trade of two put spreads, which the broker shows as well."""
    folder = tmp_path / "home"
    folder.mkdir()
    made = LiveHome(home=folder, url=broker.url)
    with made.store() as store:
        entered(TradingDesk(store=store, clock=ManualClock(), market=FakeMarket(), orders=FakeOrders()))
    broker.by_hand_hold(SHORT, -2)
    broker.by_hand_hold(LONG, 2)
    return made


def expire(broker: TastytradeBrokerServer, spot: float) -> None:
    broker.at = AFTER_EXPIRATION
    broker.expire(builders.EXPIRATION, spot)


def answer(home: LiveHome, *words: str, at: str = EVENING) -> tuple[dict[str, Any], str]:
    done = home.spy32(*words, "--json", SPY32_CLOCK=at)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr


def state(home: LiveHome) -> TradeState:
    with home.store() as store:
        return store.trades.get(1).state


def test_before_the_last_session_is_over_status_asks_no_broker(home: LiveHome, broker: TastytradeBrokerServer) -> None:
    answer(home, "status", at="2025-11-07T21:14:00Z")
    assert broker.requests == []


@pytest.mark.parametrize("words", [("status",), ("show", "T1"), ("positions",), ("reconcile",)])
def test_what_has_expired_is_settled_first(
    home: LiveHome, broker: TastytradeBrokerServer, words: tuple[str, ...]
) -> None:
    expire(broker, 650)
    document, said = answer(home, *words)
    assert "T1" not in said
    assert state(home) is TradeState.EXPIRED
    assert document.get("open_trades", []) == []


def test_an_assignment_is_in_status_with_its_ticket_and_ends_20(home: LiveHome, broker: TastytradeBrokerServer) -> None:
    expire(broker, 637)
    done = home.spy32("status", "--check", SPY32_CLOCK=EVENING)
    assert done.returncode == 20
    assert "T1 was assigned and holds +200 SPY shares" in done.stderr
    assert "ticket, not sent: Sell to Close 200 SPY (one order)" in done.stderr


def test_a_broker_without_credentials_stops_no_answer(home: LiveHome, broker: TastytradeBrokerServer) -> None:
    expire(broker, 650)
    done = home.spy32("status", SPY32_CLOCK=EVENING, TASTYTRADE_REFRESH_TOKEN="")
    assert done.returncode == 0
    assert "trades that have ended are not settled" in done.stderr
    assert state(home) is TradeState.OPEN


def test_a_history_that_lags_is_said_and_settled_by_the_next_start(
    home: LiveHome, broker: TastytradeBrokerServer
) -> None:
    broker.at = AFTER_EXPIRATION
    done = home.spy32("status", SPY32_CLOCK=EVENING)
    assert "T1 expired on 2025-11-07 and is not settled yet: the broker still shows its contracts" in done.stderr
    expire(broker, 650)
    answer(home, "status")
    assert state(home) is TradeState.EXPIRED


def test_a_folder_in_which_nothing_can_be_written_says_it(home: LiveHome, broker: TastytradeBrokerServer) -> None:
    expire(broker, 650)
    database = home.home / f"{Mode.LIVE}.db"
    before = database.read_bytes()
    (home.home / "locks").write_text("a file where the folder of the locks would be")
    done = home.spy32("status", SPY32_CLOCK=EVENING)
    assert done.returncode == 0, done.stderr
    assert "T1 expired on 2025-11-07 and cannot be settled here" in done.stderr
    assert database.read_bytes() == before
