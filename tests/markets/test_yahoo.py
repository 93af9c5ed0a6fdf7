"""Yahoo through the real yfinance, unchanged, against a stand-in: every silence of it becomes a clear error in time."""

import math
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from spy32.domain.market import Right
from spy32.domain.spreads import Action, Leg
from spy32.errors import Unusable
from spy32.markets import bundled_history
from spy32.markets.yahoo import YahooMarket, parse_timestamp
from tests.contract.test_market import MarketContract
from tests.servers.web import status
from tests.servers.yahoo import CHART, CRUMB, OPTIONS, YahooServer, edited, stamp_of
from tests.support.timeouts import PATIENCE
from tests.support.yahoo_market import AT, SINCE, TARGET, made, whole


@pytest.fixture
def server() -> Iterator[YahooServer]:
    with YahooServer(AT).running() as running:
        assert isinstance(running, YahooServer)
        yield running


@pytest.fixture
def market(server: YahooServer) -> YahooMarket:
    return made(server)


class TestContract(MarketContract):
    @pytest.fixture(autouse=True)
    def _served(self, server: YahooServer) -> None:
        server.unknown_kinds.add("NOPE")
        self._market = made(server)

    def make(self) -> YahooMarket:
        return self._market

    def test_dividends_are_those_of_the_last_year(self) -> None:
        """Yahoo has past ones only; the coming ones are taken from the table."""
        days = [one.ex_date for one in self._market.dividends("SPY")]
        assert days == sorted(set(days))
        assert all(AT.date() - timedelta(days=366) < day <= AT.date() for day in days)


# A healthy Yahoo.


def test_a_chain_is_what_the_server_has_with_its_spot_and_instant(server: YahooServer, market: YahooMarket) -> None:
    chain = whole(market)
    assert (chain.spot, chain.as_of, chain.delay_seconds, chain.source) == (server.spot, AT, 900, "yahoo")
    rows = {row["option"]: row for row in server._rows() if row["option"][3:9] == "250926"}
    assert len(chain.quotes) == len(rows) > 300
    for quote in chain.quotes:
        row = rows[quote.symbol.replace(" ", "")]
        assert (quote.bid, quote.ask, quote.open_interest) == (row["bid"], row["ask"], row["open_interest"])
        assert quote.volume == (row["volume"] or None)
        assert quote.feed_iv == (row["iv"] or None)
        assert quote.feed_delta is None
        assert quote.traded_at is not None and quote.traded_at.tzinfo is UTC


def test_a_monday_costs_seven_requests_with_one_cookie_and_crumb(server: YahooServer, market: YahooMarket) -> None:
    market.expirations("SPY")
    whole(market)
    market.history("SPY", SINCE)
    market.dividends("SPY")
    market.earnings("SPY")
    assert server.documents() == [f"{OPTIONS}SPY"] * 2 + [f"{CHART}SPY"] * 3
    assert server.paths()[:2] == ["/", "/v1/test/getcrumb"]
    assert len(server.requests) == 7


def test_a_zone_is_asked_for_once_a_process(server: YahooServer, market: YahooMarket) -> None:
    for count in (2, 3):
        market.history("SPY", SINCE - timedelta(days=count))
        assert len(server.documents()) == count


def test_bars_are_the_prices_that_traded_with_the_adjusted_close_beside(market: YahooMarket) -> None:
    bars = market.history("SPY", SINCE)
    shipped = bundled_history.daily_bars(AT, SINCE)
    assert [bar.day for bar in bars] == [bar.day for bar in shipped]
    for bar, other in zip(bars, shipped, strict=True):
        assert (bar.open, bar.high, bar.low, bar.close) == (other.open, other.high, other.low, other.close)
    assert bars[-1].adjusted == bars[-1].close
    assert bars[0].adjusted is not None and 0.96 < bars[0].adjusted / bars[0].close < 0.99  # five dividends later
    assert bars[0].volume is not None and bars[0].volume > 0


def test_an_early_since_gives_the_whole_history(market: YahooMarket) -> None:
    assert len(market.history("SPY", date(1993, 1, 1))) == len(bundled_history.daily_bars(AT, date(2014, 1, 1)))


def test_dividends_are_those_of_the_last_year(server: YahooServer, market: YahooMarket) -> None:
    paid = market.dividends("SPY")
    assert [(one.ex_date.isoformat(), one.amount) for one in paid] == [
        ("2024-09-20", Decimal("1.745531")),
        ("2024-12-20", Decimal("1.965548")),
        ("2025-03-21", Decimal("1.695528")),
        ("2025-06-20", Decimal("1.761117")),
    ]
    assert market.dividends("AAPL") == ()


def test_the_volatility_family_and_its_history(market: YahooMarket) -> None:
    levels = market.volatility()
    assert {key: level.value for key, level in levels.items()} == {
        key: level.value for key, level in bundled_history.volatility(AT).items()
    }
    assert {(level.unit, level.as_of) for level in levels.values()} == {("percent", AT)}
    assert market.volatility_history(SINCE) == bundled_history.volatility_history(AT, SINCE)


def test_an_unfinished_session_is_no_close_of_the_vix(server: YahooServer, market: YahooMarket) -> None:
    def add_today(body: Any) -> None:
        first = body["chart"]["result"][0]
        first["timestamp"].append(int(AT.timestamp()))
        for column in (*first["indicators"]["quote"][0].values(), first["indicators"]["adjclose"][0]["adjclose"]):
            column.append(15.5)

    server.always[f"{CHART}^VIX"] = edited(add_today)
    assert market.volatility_history(SINCE)[-1] == (date(2025, 8, 22), 14.22)
    server.at = AT + timedelta(hours=7)
    assert market.volatility_history(SINCE)[-1] == (date(2025, 8, 25), 15.5)


def test_the_rate_is_the_continuous_one_of_the_bill(market: YahooMarket) -> None:
    rate = market.rate()
    assert rate.value == pytest.approx(-math.log(1 - 0.04085 * 91 / 360) * 365 / 91, abs=2e-4)
    assert rate.source == "13-week bill discount, yahoo"


def test_moves_are_of_the_last_two_closes_and_of_today_in_session(server: YahooServer, market: YahooMarket) -> None:
    friday = market.moves(("SPY", "QQQ"))
    assert friday["SPY"].value == pytest.approx(645.31 / 635.55 - 1)
    assert friday["SPY"].as_of == datetime(2025, 8, 22, 20, 0, tzinfo=UTC)
    server.today = 640.0
    monday = market.moves(("SPY",))["SPY"]
    assert (monday.value, monday.as_of) == (pytest.approx(640 / 645.31 - 1), AT)
    assert market.history("SPY", SINCE)[-1].day == date(2025, 8, 25)


def test_legs_are_quoted_and_an_unlisted_one_is_left_out(market: YahooMarket) -> None:
    legs = [
        Leg(root="SPY", expiration=TARGET, strike=Decimal(strike), right=Right.PUT, action=Action.SELL_TO_OPEN)
        for strike in ("600", "601.37")
    ]
    quotes = market.quotes("SPY", legs)
    assert set(quotes.quotes) == {"SPY   250926P00600000"}
    assert (quotes.as_of, quotes.delay_seconds) == (AT, 900)


def test_good_documents_are_kept_as_sent_and_no_cookie_or_crumb_is(server: YahooServer) -> None:
    kept: list[tuple[str, bytes]] = []
    market = made(server, keep=lambda name, body: kept.append((name, body)))
    whole(market)
    assert [name for name, _ in kept] == ["options_SPY.json", f"options_SPY_{stamp_of(TARGET)}.json"]
    assert all(body.startswith(b'{"optionChain"') and CRUMB.encode() not in body for _, body in kept)


# Earnings, whatever zone the machine is in.


def test_what_is_no_company_has_no_earnings(server: YahooServer, market: YahooMarket) -> None:
    assert market.earnings("SPY") == ()
    assert not [path for path in server.documents() if "quoteSummary" in path]


@pytest.mark.parametrize(
    ("stamps", "said"),
    [
        ([datetime(2025, 10, 30, 20, tzinfo=UTC)], [("2025-10-30", True)]),
        ([datetime(2025, 10, 31, 1, tzinfo=UTC)], [("2025-10-30", True)]),  # 21:00 New York
        ([datetime(2025, 12, 18, tzinfo=UTC)], [("2025-12-18", True)]),  # a date without a time
        ([datetime(2025, 10, 28, tzinfo=UTC), datetime(2025, 11, 3, tzinfo=UTC)],
         [("2025-10-28", False), ("2025-11-03", False)]),
        ([datetime(2025, 7, 31, 20, tzinfo=UTC)], None),  # past
        ([], None),
    ],
)  # fmt: skip
def test_earnings_are_the_coming_dates(
    server: YahooServer, market: YahooMarket, stamps: list[datetime], said: list[tuple[str, bool]] | None
) -> None:
    server.calendars["AAPL"] = [int(stamp.timestamp()) for stamp in stamps]
    events = market.earnings("AAPL")
    assert (events and [(event.day.isoformat(), event.is_confirmed) for event in events]) == said


ELSEWHERE = """
import logging
import time
from datetime import UTC, date, datetime
import sys
from spy32.markets.yahoo import YahooMarket

logging.basicConfig()
at = datetime(2025, 8, 25, 14, 0, tzinfo=UTC)
market = YahooMarket(address=sys.argv[1], clock=lambda: at, monotonic=time.monotonic, seconds=15)
print([event.day.isoformat() for event in market.earnings("AAPL") or ()])
print(market.expirations("SPY")[-1], market.chain("SPY", market.expirations("SPY")[:1]).as_of)
print(market.history("SPY", date(2025, 8, 1))[-1].day, market.dividends("SPY")[-1].ex_date)
print(sorted(market.volatility()), market.rate().as_of)
try:
    market.earnings("NONE")
except Exception as trouble:
    print(type(trouble).__name__)
"""


def elsewhere(server: YahooServer, zone: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TZ": zone, "PYTHONWARNINGS": "default"}
    call = [sys.executable, "-c", ELSEWHERE, server.url]
    return subprocess.run(call, env=environment, capture_output=True, text=True, timeout=PATIENCE)


@pytest.mark.slow
@pytest.mark.parametrize("zone", ["America/Los_Angeles", "Pacific/Kiritimati"])
def test_another_zone_of_the_machine_changes_nothing_and_nothing_is_said_on_stderr(
    server: YahooServer, zone: str
) -> None:
    server.calendars["AAPL"] = [
        stamp_of(date(2025, 12, 18)),
        int(datetime(2025, 12, 19, 21, 30, tzinfo=UTC).timestamp()),
    ]
    server.unknown_kinds.add("NONE")
    server.faults["getcrumb"] = [status(429, "Too Many Requests")]  # yfinance warns of it
    done = elsewhere(server, zone)
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "['2025-12-18', '2025-12-19']",
        f"{server.expirations()[-1]} 2025-08-25 14:00:00+00:00",
        "2025-08-22 2025-06-20",
        "['vix', 'vix3m', 'vix9d'] 2025-08-25 14:00:00+00:00",
        "Unusable",
    ]


def test_yfinance_and_pandas_are_imported_on_use() -> None:
    code = "import sys, spy32.markets.yahoo; sys.exit(any(name in sys.modules for name in ('yfinance', 'pandas')))"
    assert subprocess.run([sys.executable, "-c", code], timeout=PATIENCE).returncode == 0


def test_an_instant_is_a_stamp_of_seconds() -> None:
    assert parse_timestamp({"regularMarketTime": int(AT.timestamp())}) == AT
    for bad in (None, True, "1756130400", 1756130400.5, -1, 10**12):
        with pytest.raises(Unusable):
            parse_timestamp({"regularMarketTime": bad})
