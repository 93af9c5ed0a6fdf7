"""Cboe over the wire: what is asked for and how often, every fault, and what the port asks of a market."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from spy32.clients.http import HttpClient
from spy32.errors import Spy32Error, Unavailable, Unusable
from spy32.markets.cboe import CboeMarket
from spy32.markets.recorded import RecordedMarket
from spy32.ports import Market
from tests.contract.test_market import MarketContract, leg
from tests.servers.cboe import CboeServer, edited
from tests.servers.web import Fault, Handler, Reply, bad_gzip, cut, drip, drip_head, hang, html, reset, status
from tests.support.paths import DATA
from tests.support.timeouts import SOON

pytestmark = pytest.mark.slow

NOW = datetime(2025, 8, 25, 14, 0, tzinfo=UTC)
"""A Monday, 10:00 New York."""
TARGET = date(2025, 9, 26)
LONG_AGO = date(2000, 1, 1)
OPTIONS = "options/SPY"


class Time:
    """A clock that stands until it is moved."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def server() -> Iterator[CboeServer]:
    with CboeServer.at_clock(NOW).running() as running:
        assert isinstance(running, CboeServer)
        yield running


@pytest.fixture
def clock() -> Time:
    return Time()


@pytest.fixture
def market(server: CboeServer, clock: Time) -> CboeMarket:
    return market_at(server.url, clock)


def market_at(url: str, clock: Callable[[], datetime], seconds: float = 5) -> CboeMarket:
    http = HttpClient(service="cboe", base=url, clock=clock, sleep=lambda _: None, monotonic=time.monotonic)
    return CboeMarket(http, clock=clock, seconds=seconds)


def asked(server: CboeServer, piece: str = OPTIONS) -> int:
    return sum(piece in path for path in server.paths())


def every_option(field: str, value: Any) -> Fault:
    return edited(lambda found: [row.update({field: value}) for row in found["data"]["options"]] and None)


def one_option(field: str, value: Any, place: int = 5) -> Fault:
    return edited(lambda found: found["data"]["options"][place].update({field: value}))


def in_head(field: str, value: Any) -> Fault:
    return edited(lambda found: found["data"].update({field: value}))


# Chains.


def test_the_chain_is_that_of_the_recorded_file(server: CboeServer, market: CboeMarket) -> None:
    """The same contracts come back that the stand-in was given, at another date; a second reading of the same file."""
    shipped = RecordedMarket.load_shipped()
    days = server.expirations()
    given_quotes = {
        (days[quote.expiration], quote.strike, quote.right): quote for quote in shipped.chain("SPY", tuple(days)).quotes
    }
    chain = market.chain("SPY", market.expirations("SPY"))
    assert len(chain.quotes) == len(given_quotes) > 2000
    for quote in chain.quotes:
        was = given_quotes[quote.expiration, quote.strike, quote.right]
        assert quote.root == "SPY"
        assert (quote.volume, quote.open_interest) == (was.volume, was.open_interest)
        assert quote.feed_iv == (was.feed_iv or None)
        assert quote.feed_delta == was.feed_delta
        if quote.expiration == TARGET:  # the 32 days of both hold the ex-date of 19 September
            assert (quote.bid, quote.ask) == (was.bid, was.ask)
    assert any(quote.bid == 0.0 for quote in chain.quotes)
    assert chain.spot == 645.05
    assert chain.as_of == NOW - timedelta(minutes=15)


def test_thirty_two_days_from_a_monday_are_listed_and_on_a_friday(market: CboeMarket) -> None:
    listed = market.expirations("SPY")
    assert TARGET in listed
    assert (TARGET - NOW.date()).days == 32


def test_an_adjusted_contract_keeps_its_root_and_makes_no_expiration_of_its_own(
    server: CboeServer, market: CboeMarket
) -> None:
    server.always[OPTIONS] = one_option("option", "SPY7250930C00400000")
    assert date(2025, 9, 30) not in market.expirations("SPY")
    with pytest.raises(Unusable, match="2025-09-30"):
        market.chain("SPY", [date(2025, 9, 30)])


def test_an_index_has_its_underscore_in_the_address_and_both_roots(clock: Time) -> None:
    recorded = RecordedMarket.load(DATA / "chains" / "SPX_2020-03-20.csv.gz")
    now = recorded.as_of + timedelta(minutes=15)
    with CboeServer(recorded.as_of, market=recorded, tickers=("SPX",)).running() as server:
        market = market_at(server.url, lambda: now)
        listed = market.expirations("SPX")
        chain = market.chain("SPX", listed)
        assert server.paths() == ["/api/global/delayed_quotes/options/_SPX.json"]
    assert listed == recorded.expirations("SPX")
    assert {quote.root for quote in chain.quotes} == {"SPX", "SPXW"}


# Expirations and the one fresh reload.


def test_an_empty_list_is_read_once_more(server: CboeServer, market: CboeMarket) -> None:
    server.faults[OPTIONS] = [in_head("options", [])]
    assert TARGET in market.expirations("SPY")
    assert asked(server) == 2


def test_a_list_that_stays_empty_is_refused(server: CboeServer, market: CboeMarket) -> None:
    server.always[OPTIONS] = in_head("options", [])
    with pytest.raises(Unusable, match="no expiration of SPY"):
        market.expirations("SPY")
    assert asked(server) == 2


def test_past_expirations_are_not_listed_and_today_is(server: CboeServer, clock: Time) -> None:
    market = market_at(server.url, clock)
    first, second = market.expirations("SPY")[:2]
    clock.now = datetime(first.year, first.month, first.day, 23, tzinfo=UTC)  # 19:00 New York of that day
    assert market.expirations("SPY")[0] == first
    clock.pass_by(6 * 3600)  # 01:00 of the next day there
    assert market.expirations("SPY")[0] == second


def test_an_expiration_that_was_listed_a_moment_ago_is_looked_for_once_more(
    server: CboeServer, market: CboeMarket
) -> None:
    server.faults[OPTIONS] = [every_option("option", "SPY250829C00600000")]
    assert market.expirations("SPY") == (date(2025, 8, 29),)
    assert market.chain("SPY", [TARGET]).expirations == (TARGET,)
    assert asked(server) == 2


# The document is kept.


def test_one_document_answers_for_a_minute(server: CboeServer, market: CboeMarket, clock: Time) -> None:
    listed = market.expirations("SPY")
    market.chain("SPY", listed[:2])
    clock.pass_by(59)
    market.chain("SPY", listed[2:3])
    assert asked(server) == 1
    clock.pass_by(1)
    market.chain("SPY", listed[:1])
    assert asked(server) == 2


def test_legs_are_asked_for_afresh_after_a_quarter_of_a_minute(
    server: CboeServer, market: CboeMarket, clock: Time
) -> None:
    quote = market.chain("SPY", [TARGET]).quotes[10]
    wanted = [leg(quote.root, quote.expiration, quote.strike, quote.right)]
    clock.pass_by(14)
    assert market.quotes("SPY", wanted).quotes == {quote.symbol: quote}
    assert asked(server) == 1
    clock.pass_by(1)
    server.at += timedelta(seconds=15)
    found = market.quotes("SPY", wanted)
    assert asked(server) == 2
    assert (found.as_of, found.spot, found.delay_seconds) == (server.at, 645.05, 900)


def test_a_clock_that_goes_back_trusts_no_document(server: CboeServer, market: CboeMarket, clock: Time) -> None:
    market.expirations("SPY")
    clock.pass_by(-30)
    market.expirations("SPY")
    assert asked(server) == 2


def test_a_document_that_failed_is_not_kept(server: CboeServer, market: CboeMarket) -> None:
    server.faults[OPTIONS] = [in_head("current_price", None)]
    with pytest.raises(Unusable):
        market.expirations("SPY")
    assert TARGET in market.expirations("SPY")


def test_each_underlying_has_its_document(clock: Time) -> None:
    with CboeServer.at_clock(NOW, tickers=("SPY", "QQQ")).running() as server:
        market = market_at(server.url, clock)
        for ticker in ("SPY", "QQQ"):
            chain = market.chain(ticker, market.expirations(ticker)[:1])
            assert (chain.underlying, {quote.root for quote in chain.quotes}) == (ticker, {ticker})
        assert len(server.paths()) == 2


def test_questions_side_by_side_share_one_document(server: CboeServer, market: CboeMarket) -> None:
    start = threading.Barrier(8)

    def ask(number: int) -> object:
        start.wait()
        return market.quotes("SPY", []).spot if number % 2 else market.expirations("SPY")

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(ask, range(8)))
    assert set(found[1::2]) == {645.05}
    assert len(set(found[::2])) == 1
    assert asked(server) == 1


def test_a_question_waits_for_another_no_longer_than_it_may_take(server: CboeServer, clock: Time) -> None:
    server.always[OPTIONS] = hang
    market = market_at(server.url, clock, seconds=0.4)
    begun = time.monotonic()

    def ask(_: int) -> str:
        with pytest.raises(Unavailable) as told:
            market.expirations("SPY")
        return told.value.message

    with ThreadPoolExecutor(4) as pool:
        words = list(pool.map(ask, range(4)))
    assert time.monotonic() - begun < SOON
    assert all(word.startswith("cboe") for word in words)


def test_a_question_does_not_wait_behind_one_that_never_ends(server: CboeServer, clock: Time) -> None:
    market = market_at(server.url, clock, seconds=0.2)
    told: list[Spy32Error] = []

    def ask() -> None:
        try:
            market.expirations("SPY")
        except Spy32Error as trouble:
            told.append(trouble)

    waiting = threading.Thread(target=ask, daemon=True)
    with market._documents._lock:
        waiting.start()
        waiting.join(2)
        assert [str(trouble) for trouble in told] == ["cboe was busy with another question for 0 s"]
    assert TARGET in market_at(server.url, clock).expirations("SPY")


# Faults on the way.

PASSING: dict[str, tuple[Fault, type[Spy32Error]]] = {
    "page": (html, Unusable),
    "cut": (cut, Unavailable),
    "gzip": (bad_gzip, Unavailable),
    "reset": (reset, Unavailable),
    "limited": (status(429), Unavailable),
    "trouble": (status(500), Unavailable),
    "down": (status(503, "<html>", {"Retry-After": "1"}), Unavailable),
    "half": (edited(lambda _: '{"timestamp": "2025-08-25 14:00:00", "data": {'), Unusable),
    "empty": (edited(lambda _: b""), Unusable),
    "not text": (edited(lambda _: b"\xff\xfe\x00"), Unusable),
    "key twice": (edited(lambda _: '{"symbol": "SPY", "symbol": "SPY"}'), Unusable),
    "NaN": (edited(lambda found: json.dumps(found).replace("645.05", "NaN")), Unusable),
    "deep": (edited(lambda _: "[" * 100_000), Unusable),
}
FINAL: dict[str, tuple[Fault, str]] = {
    "redirect": (status(302, headers={"Location": "https://example.com/"}), "302"),
    "teapot": (status(418), "418"),
    "unknown": (status(404), "does not know SPY"),
    "forbidden": (status(403), "does not know SPY"),
    "other ticker": (edited(lambda found: json.loads(json.dumps(found).replace("SPY", "QQQ"))), "symbol"),
    "tomorrow": (edited(lambda found: found.update(timestamp="2025-08-26 14:00:00")), "timestamp"),
    "renamed": (
        edited(lambda found: [row.update(bidPrice=row.pop("bid")) for row in found["data"]["options"]][:0] or None),
        "bid",
    ),
    "text": (every_option("ask", "1.25"), "ask"),
    "empty": (every_option("bid", None), "bid"),
    "no spot": (in_head("current_price", None), "current_price"),
}


@pytest.mark.parametrize("name", PASSING)
def test_a_bad_answer_is_read_once_more(server: CboeServer, market: CboeMarket, name: str) -> None:
    server.faults[OPTIONS] = [PASSING[name][0]]
    assert TARGET in market.expirations("SPY")
    assert asked(server) == 2


@pytest.mark.parametrize("name", PASSING)
def test_a_bad_answer_that_stays_is_one_line(server: CboeServer, market: CboeMarket, name: str) -> None:
    fault, kind = PASSING[name]
    server.always[OPTIONS] = fault
    with pytest.raises(kind, match="cboe") as told:
        market.expirations("SPY")
    assert asked(server) == 2
    assert told.value.message.isprintable()
    assert told.value.__cause__ is None


@pytest.mark.parametrize("name", FINAL)
def test_an_answer_that_will_not_change_is_not_asked_for_again(
    server: CboeServer, market: CboeMarket, name: str
) -> None:
    fault, word = FINAL[name]
    server.always[OPTIONS] = fault
    with pytest.raises(Unusable, match=word):
        market.quotes("SPY", [])
    assert asked(server) == 1


def wrong_length(handler: Handler, reply: Reply) -> None:
    """Announces a hundred bytes and sends all of them."""
    handler.head(reply, 100)
    handler.wfile.write(reply.encoded())


def test_an_answer_longer_than_it_says_is_not_half_believed(server: CboeServer, market: CboeMarket) -> None:
    server.faults[OPTIONS] = [wrong_length]
    assert TARGET in market.expirations("SPY")
    assert asked(server) == 2
    server.always["quotes/"] = wrong_length
    with pytest.raises(Unusable, match="cboe"):
        market.moves(["QQQ"])


def test_a_plain_answer_is_read_like_a_compressed_one(server: CboeServer, market: CboeMarket) -> None:
    server.always[OPTIONS] = edited(lambda _: None)
    assert TARGET in market.expirations("SPY")


@pytest.mark.parametrize("fault", [hang, drip, drip_head])
def test_a_question_ends_in_time(server: CboeServer, clock: Time, fault: Fault) -> None:
    server.always["/"] = fault
    market = market_at(server.url, clock, seconds=0.2)
    questions: tuple[Callable[[], object], ...] = (
        lambda: market.expirations("SPY"),
        lambda: market.history("SPY", LONG_AGO),
        market.volatility,
        lambda: market.volatility_history(LONG_AGO),
        lambda: market.moves([f"T{number}" for number in range(12)]),
    )
    for question in questions:
        begun = time.monotonic()
        with pytest.raises(Unavailable, match="cboe"):
            question()
        assert time.monotonic() - begun < SOON


def test_a_wait_that_is_asked_for_is_kept_when_there_is_time(server: CboeServer) -> None:
    for asked_for, waited in (("3", [3.0]), ("3600", [])):
        slept: list[float] = []
        http = HttpClient(
            service="cboe", base=server.url, clock=lambda: NOW, sleep=slept.append, monotonic=time.monotonic
        )
        server.faults[OPTIONS] = [status(429, headers={"Retry-After": asked_for})]
        market = CboeMarket(http, clock=lambda: NOW, seconds=5)
        if waited:
            assert TARGET in market.expirations("SPY")
        else:
            with pytest.raises(Unavailable, match="429"):
                market.expirations("SPY")
        assert slept == waited


def test_nobody_there_is_unavailable(clock: Time) -> None:
    with pytest.raises(Unavailable, match=r"cboe cannot be reached at 127\.0\.0\.1:9"):
        market_at("http://127.0.0.1:9", clock).expirations("SPY")


def test_a_ticker_cannot_lead_to_another_address(server: CboeServer, market: CboeMarket) -> None:
    with pytest.raises(Unusable):
        market.expirations("../../SPY?x=")
    assert "/.." not in server.paths()[0]


def test_a_spot_that_lies_and_a_market_that_is_moved(clock: Time) -> None:
    """What the stand-in offers to tests of whole runs."""
    for how, spot, lowest in (({"lie": 0.03}, 664.4, 345), ({"shift": 0.03}, 664.05, 364)):
        with CboeServer.at_clock(NOW, **how).running() as server:
            chain = market_at(server.url, clock).chain("SPY", [TARGET])
        assert chain.spot == spot
        assert min(quote.strike for quote in chain.quotes) == lowest


# The VIX family, moves and histories.


def test_the_family_comes_with_source_and_time(server: CboeServer, market: CboeMarket) -> None:
    server.levels["VIX"] = (16.45, 2.0)
    found = market.volatility()
    assert [(name, datum.value, datum.source, datum.unit) for name, datum in found.items()] == [
        ("vix", 16.45, "cboe _VIX", "percent"),
        ("vix9d", 11.85, "cboe _VIX9D", "percent"),
        ("vix3m", 17.76, "cboe _VIX3M", "percent"),
    ]
    assert {datum.as_of for datum in found.values()} == {NOW - timedelta(minutes=15)}
    assert sorted(server.paths()) == [
        f"/api/global/delayed_quotes/quotes/_{name}.json" for name in ("VIX", "VIX3M", "VIX9D")
    ]


@pytest.mark.parametrize("fault", [status(404), status(503), html, in_head("current_price", "16")])
def test_one_index_that_fails_is_missing_with_its_reason(server: CboeServer, market: CboeMarket, fault: Fault) -> None:
    server.always["_VIX9D"] = fault
    found = market.volatility()
    assert found["vix9d"].value is None
    assert "cboe" in (found["vix9d"].missing or "")
    assert (found["vix"].value, found["vix3m"].value) == (14.22, 17.76)


def test_one_index_that_hangs_does_not_take_the_others_along(server: CboeServer, clock: Time) -> None:
    server.always["_VIX.json"] = hang
    found = market_at(server.url, clock, seconds=0.2).volatility()
    assert "within" in (found["vix"].missing or "")
    assert found["vix3m"].value == 17.76


@pytest.mark.parametrize("level", [0.0, -3.0, 200.0, 1e6])
def test_a_vix_that_no_market_had_is_missing(server: CboeServer, market: CboeMarket, level: float) -> None:
    server.levels["VIX"] = (level, 0.0)
    found = market.volatility()["vix"]
    assert found.value is None
    assert "no figure for VIX" in (found.missing or "")


def test_no_index_at_all_is_an_error(server: CboeServer, market: CboeMarket) -> None:
    server.always["quotes/_VIX"] = status(404)
    with pytest.raises(Unusable, match="does not know VIX"):
        market.volatility()
    server.always["quotes/_VIX.json"] = server.always["quotes/_VIX3M"] = status(404)
    server.always = {"quotes/_VIX9D": status(503), "quotes/_VIX": status(404)}
    with pytest.raises(Unavailable, match="503"):
        market.volatility()
    server.always.clear()
    server.levels.update(dict.fromkeys(("VIX", "VIX9D", "VIX3M"), (0.0, 0.0)))
    with pytest.raises(Unusable, match="no figure for VIX"):
        market.volatility()


def test_moves_are_fractions_and_each_failure_is_its_own(server: CboeServer, market: CboeMarket) -> None:
    server.always["GLD"] = status(503)
    server.levels["DEAD"] = (1.0, -101.0)
    found = market.moves(["QQQ", "TLT", "GLD", "NOPE", "DEAD", "QQQ"])
    assert list(found) == ["QQQ", "TLT", "GLD", "NOPE", "DEAD"]
    assert found["QQQ"].value == pytest.approx(-0.0116)
    assert (found["QQQ"].unit, found["QQQ"].source) == ("fraction", "cboe QQQ")
    assert "503" in (found["GLD"].missing or "")
    assert found["NOPE"].missing == "cboe does not know NOPE"
    assert "no figure for DEAD" in (found["DEAD"].missing or "")
    assert asked(server, "quotes/QQQ") == 1
    assert market.moves([]) == {}


def test_moves_that_all_fail_are_an_error(server: CboeServer, market: CboeMarket) -> None:
    server.always["quotes/"] = reset
    with pytest.raises(Unavailable):
        market.moves(["QQQ", "TLT"])


def test_the_histories_are_the_shipped_ones(market: CboeMarket) -> None:
    shipped = RecordedMarket.load_shipped()
    closes = {bar.day: bar.close for bar in shipped.history("SPY", LONG_AGO)}
    bars = market.history("SPY", date(2024, 8, 1))
    assert (bars[0].day, bars[-1].day) == (date(2024, 8, 1), date(2025, 8, 22))
    assert all(bar.close == pytest.approx(closes[bar.day], abs=1e-4) and bar.adjusted is None for bar in bars)
    vix = market.volatility_history(date(2024, 8, 1))
    assert vix == tuple(pair for pair in shipped.volatility_history(date(2024, 8, 1)) if pair[0] < NOW.date())


def test_a_bad_history_is_told(server: CboeServer, market: CboeMarket) -> None:
    server.always["charts"] = edited(lambda found: found.update(symbol="QQQ"))
    with pytest.raises(Unusable, match="symbol"):
        market.history("SPY", LONG_AGO)
    server.always["VIX_History"] = html
    with pytest.raises(Unusable, match="page"):
        market.volatility_history(LONG_AGO)
    server.always["VIX_History"] = status(403)
    with pytest.raises(Unusable, match="does not know VIX_History"):
        market.volatility_history(LONG_AGO)
    server.always.clear()
    with pytest.raises(Unusable, match="does not know NOPE"):
        market.history("NOPE", LONG_AGO)


def test_what_cboe_does_not_have_is_not_served(market: CboeMarket) -> None:
    assert market.rate().missing == "not served"
    assert (market.dividends("SPY"), market.metrics("SPY"), market.earnings("SPY")) == (None, {}, None)
    assert (market.name, market.is_recorded) == ("cboe", False)


def test_every_good_document_is_kept_under_a_name_of_its_own(server: CboeServer) -> None:
    kept: dict[str, bytes] = {}
    http = HttpClient(
        service="cboe", base=server.url, clock=lambda: NOW, sleep=lambda _: None, monotonic=time.monotonic,
        keep=kept.__setitem__,
    )  # fmt: skip
    market = CboeMarket(http, clock=lambda: NOW, seconds=5)
    market.expirations("SPY")
    market.history("SPY", LONG_AGO)
    market.moves(["SPY"])
    market.volatility_history(LONG_AGO)
    assert set(kept) == {"options/SPY.json", "historical/SPY.json", "quotes/SPY.json", "daily_prices/VIX_History.csv"}
    assert json.loads(kept["options/SPY.json"]) == server.option_document()


# The port.


class TestCboeMarket(MarketContract):
    @pytest.fixture(autouse=True)
    def _served(self) -> Iterator[None]:
        with CboeServer.at_clock(NOW).running() as server:
            self.url = server.url
            yield

    def make(self) -> Market:
        return market_at(self.url, Time())


class TestCboeMarketOfALaterYear(MarketContract):
    """Beyond the shipped history: bars, VIX and expirations are dated anew, and holidays are kept clear of."""

    now = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)

    @pytest.fixture(autouse=True)
    def _served(self) -> Iterator[None]:
        with CboeServer.at_clock(self.now).running() as server:
            self.url = server.url
            yield

    def make(self) -> Market:
        return market_at(self.url, Time(self.now))
