"""Underlyings that are not SPY at tastytrade: what a local broker that knows their symbols and price steps is sent."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from tests.servers.tastytrade_chain import ChainBrokerServer
from tests.servers.tastytrade_orders import ACCOUNT
from tests.support.live_home import LiveHome
from tests.support.underlyings import FIRST, UNDERLYINGS, Underlying

pytestmark = pytest.mark.slow

D = Decimal
AT = "2026-12-07T15:00:05Z"
AFTER = datetime(2027, 1, 11, 15, tzinfo=UTC)


def prepare_home(underlying: Underlying, folder: Path) -> tuple[LiveHome, ChainBrokerServer]:
    """A home in live mode, and its broker, which does not run yet."""
    underlying.write_config(folder / "home")
    broker = ChainBrokerServer(Path(underlying.write_chain(folder, FIRST).removeprefix("recorded:")))
    broker.account().cash = D(5_000_000)
    env = {"SPY32_MARKET_CHAIN": "tastytrade", "SPY32_CLOCK": AT, "SPY32_EXECUTION_STEP_SECONDS": "1"}
    return LiveHome(home=folder / "home", url="", env=env), broker


# One of each kind: the way of the others differs in nothing here.
@pytest.mark.parametrize(
    "underlying", [each for each in UNDERLYINGS if each.ticker in ("SPX", "SOFI", "BRK.B")], ids=str
)
def test_its_order_has_the_symbols_and_ticks_of_its_class_and_ends_in_the_brokers_history(
    underlying: Underlying, tmp_path: Path
) -> None:
    home, broker = prepare_home(underlying, tmp_path)
    with broker.running():
        home.url = broker.url
        assert home.spy32("analyze", "--profile", "other").returncode == 0
        made = json.loads(home.spy32("show", "--json").stdout)["proposal"]
        assert home.spy32("approve", "--yes", "--confirm", made["hash"][:8]).returncode == 0
        confirm = f"{ACCOUNT[-4:]}:{underlying.ticker}:{made['quantity']}"
        done = home.spy32("execute", "--live", "--confirm", confirm)
        assert done.returncode == 0, done.stderr
        entry = broker.submits[0].body
        assert {leg["symbol"][:6].rstrip() for leg in entry["legs"]} == {underlying.root}
        assert {leg["instrument-type"] for leg in entry["legs"]} == {"Equity Option"}
        assert all(underlying.is_on_tick(write.body["price"]) for write in broker.submits)
        assert home.spy32("positions").stdout.count("agree") == 2
        check_end(underlying, home, broker)


def check_end(underlying: Underlying, home: LiveHome, broker: ChainBrokerServer) -> None:
    """Expire the trade with a whole loss, and let the account's history close it."""
    broker.at = AFTER
    broker.expire(datetime(2027, 1, 8).date(), underlying.spot * 0.7)
    home.env["SPY32_CLOCK"] = f"{AFTER:%Y-%m-%dT%H:%M:%SZ}"
    assert home.spy32("manage").returncode == 0
    trade = json.loads(home.spy32("show", "T1", "--json").stdout)["trade"]
    reason = "cash_settled" if underlying.settles_in_cash else "assigned"
    assert (trade["state"], trade["exit_reason"]) == ("closed", reason)
    short, long = (D(leg["strike"]) for leg in trade["legs"])
    assert D(trade["result"]) == (D(trade["credit"]) - abs(short - long)) * 100 * trade["quantity"] - D(trade["fees"])
