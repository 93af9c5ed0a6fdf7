"""What Yahoo does wrong and yfinance hides: each silence becomes a clear error, in time, and leaves nothing behind."""

import threading
import time
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from spy32.errors import Spy32Error, Unavailable, Unusable
from spy32.markets.yahoo import YahooMarket
from tests.servers.web import Fault, bad_gzip, cut, drip, elapsed, hang, html, reset, status
from tests.servers.yahoo import CHART, CRUMB, OPTIONS, YahooServer, each_contract, edited, having, without
from tests.support.timeouts import NEVER, SOON
from tests.support.yahoo_market import AT, SINCE, TARGET, made, trouble, whole

pytestmark = pytest.mark.slow

CONTRACTS = ("optionChain", "result", 0, "options", 0)


@pytest.fixture
def server() -> Iterator[YahooServer]:
    with YahooServer(AT).running() as running:
        assert isinstance(running, YahooServer)
        yield running


@pytest.fixture
def market(server: YahooServer, tmp_path: Path) -> YahooMarket:
    return made(server)


BOTH: list[tuple[str, Fault, type[Spy32Error], str]] = [
    ("429", status(429, "Too Many Requests\r\n"), Unavailable, "HTTP 429 for /v"),
    ("401", status(401, {"finance": {"error": {"description": "Invalid Cookie"}}}), Unavailable, "HTTP 401 for /v"),
    ("html", html, Unavailable, "sent no document for /v"),
    ("999", status(999, "<html>no</html>"), Unavailable, "HTTP 999 for /v"),
    ("cut json", edited(lambda body: b'{"optionChain": {"result": [{"und'), Unavailable, "sent no document"),
    ("empty", status(200, b""), Unavailable, "sent no document"),
    ("null", status(200, b"null"), Unusable, "cannot read the document for /v"),
    ("list", status(200, b"[]"), Unusable, "cannot read the document for /v"),
    ("503", status(503, "<html>busy</html>"), Unavailable, "HTTP 503 for /v"),
    ("500 with json", status(500, {"error": "internal"}), Unavailable, "HTTP 500 for /v"),
    ("404", status(404, {"chart": {"result": None}}), Unusable, "does not know SPY"),
    ("redirect", status(302, headers={"Location": "https://consent.yahoo.com/"}), Unavailable, "HTTP 302"),
    ("cut", cut, Unavailable, "for /v"),
    ("reset", reset, Unavailable, "gave no whole answer"),
    ("gzip", bad_gzip, Unavailable, "for /v"),
    ("other shape", status(200, b'{"chart": {"result": [7]}, "optionChain": {"result": [7]}}'), Unusable, "cannot "),
]  # fmt: skip


@pytest.mark.parametrize(("fault", "kind", "words"), [row[1:] for row in BOTH], ids=[row[0] for row in BOTH])
def test_a_sick_service_is_a_clear_error_for_options_and_bars(
    server: YahooServer, fault: Fault, kind: type[Spy32Error], words: str
) -> None:
    server.always["/v7/"] = server.always["/v8/"] = fault
    for act in (lambda market: market.expirations("SPY"), lambda market: market.history("SPY", SINCE)):
        said = trouble(lambda act=act: act(made(server)))  # type: ignore[misc]
        assert type(said) is kind
        assert words in said.message
    server.always.clear()
    assert whole(made(server)).quotes


OPTIONS_ONLY: list[tuple[str, Fault, str]] = [
    ("no result", having(None, "optionChain", "result"), "cannot read the document for /v7/finance/options/SPY"),
    ("no contracts", having([], *CONTRACTS[:-1]), "no contracts of SPY for 2025-09-26"),
    ("no rows", each_contract(lambda row: row.clear()), "'contractSymbol'"),
    ("another symbol", having("QQQ", "optionChain", "result", 0, "quote", "symbol"), "answered for 'QQQ'"),
    ("another root",
     each_contract(lambda row: row.update(contractSymbol="QQQ" + row["contractSymbol"][3:])), "answered with QQQ2509"),
    ("a row of another day",
     each_contract(lambda row: row.update(contractSymbol="SPY250919" + row["contractSymbol"][9:])), "among the calls"),
    ("strike differs", each_contract(lambda row: row.update(strike=row["strike"] + 1)), "'strike'"),
    ("no quote", without("optionChain", "result", 0, "quote"), "answered for None"),
    ("quote as text", having("SPY", "optionChain", "result", 0, "quote"), "answered for None"),
    ("no price", without("optionChain", "result", 0, "quote", "regularMarketPrice"), "regularMarketPrice"),
    ("no time", without("optionChain", "result", 0, "quote", "regularMarketTime"), "regularMarketTime of SPY is None"),
    ("huge price", having(10**400, "optionChain", "result", 0, "quote", "regularMarketPrice"), "not a number"),
    ("price as text", having("645", "optionChain", "result", 0, "quote", "regularMarketPrice"), "'645', not a number"),
    ("puts renamed", without(*CONTRACTS, "puts"), "at the field 'puts'"),
    ("dates renamed", without("optionChain", "result", 0, "expirationDates"), "expirationDates"),
    *((f"no {name}", each_contract(lambda row, name=name: row.pop(name)), f"'{name}'")  # type: ignore[misc]
      for name in ("bid", "ask", "strike", "contractSize", "lastTradeDate", "contractSymbol")),
    *((f"{name} as text", each_contract(lambda row, name=name: row.update({name: "1.5"})), f"'{name}'")  # type: ignore[misc]
      for name in ("bid", "ask", "strike", "openInterest", "impliedVolatility")),
    ("traded as text", each_contract(lambda row: row.update(lastTradeDate="1.5")), "/v7/finance/options/SPY"),
]  # fmt: skip


@pytest.mark.parametrize(("fault", "words"), [row[1:] for row in OPTIONS_ONLY], ids=[row[0] for row in OPTIONS_ONLY])
def test_options_of_another_shape_symbol_or_date_name_the_field(
    server: YahooServer, market: YahooMarket, fault: Fault, words: str
) -> None:
    market.expirations("SPY")
    server.always["/v7/"] = fault
    said = trouble(lambda: whole(market))
    assert type(said) is Unusable
    assert words in said.message


CHART_ONLY: list[tuple[str, Fault, str]] = [
    ("no result", having(None, "chart", "result"), "cannot read the document for /v8/finance/chart/SPY"),
    ("empty result", having([], "chart", "result"), "cannot read the document for /v8/finance/chart/SPY"),
    ("another symbol", having("IVV", "chart", "result", 0, "meta", "symbol"), "answered for 'IVV'"),
    ("no kind", without("chart", "result", 0, "meta", "instrumentType"), "instrumentType"),
    ("no zone", without("chart", "result", 0, "meta", "exchangeTimezoneName"), "exchangeTimezoneName"),
    ("no stamps", without("chart", "result", 0, "timestamp"), "timestamp"),
    ("no close", without("chart", "result", 0, "indicators", "quote", 0, "close"), "at the field 'close'"),
    ("text", having("n/a", "chart", "result", 0, "indicators", "quote", 0, "close", -1), "/v8/finance/chart/SPY"),
    (
        "shorter",
        without("chart", "result", 0, "indicators", "quote", 0, "close", -1),
        "cannot read the document for /v8/finance/chart/SPY",
    ),
]


@pytest.mark.parametrize(("fault", "words"), [row[1:] for row in CHART_ONLY], ids=[row[0] for row in CHART_ONLY])
def test_bars_of_another_shape_name_the_field(
    server: YahooServer, market: YahooMarket, fault: Fault, words: str
) -> None:
    server.always["/v8/"] = fault
    said = trouble(lambda: market.history("SPY", SINCE))
    assert type(said) is Unusable
    assert words in said.message


def test_no_bars_at_all_is_an_error_and_not_an_empty_history(server: YahooServer, market: YahooMarket) -> None:
    server.always["/v8/"] = edited(lambda body: [column.clear() for column in columns_of(body)])
    assert type(trouble(lambda: market.history("SPY", SINCE))) is Unusable


def columns_of(body: Any) -> list[list[Any]]:
    first = body["chart"]["result"][0]
    quote = first["indicators"]["quote"][0]
    return [first["timestamp"], *quote.values(), first["indicators"]["adjclose"][0]["adjclose"]]


def test_a_row_without_a_close_is_dropped(server: YahooServer, market: YahooMarket) -> None:
    server.always["/v8/"] = having(None, "chart", "result", 0, "indicators", "quote", 0, "close", -1)
    assert market.history("SPY", SINCE)[-1].day == date(2025, 8, 21)


def test_dead_quotes_missing_figures_and_absurd_volatility_are_none(server: YahooServer, market: YahooMarket) -> None:
    def kill(row: dict[str, Any]) -> None:
        row.update(openInterest=0, impliedVolatility=1.0000000000000003e-05, bid=-1)
        row.pop("ask" if row["strike"] == 600 else "volume", None)

    server.always["/v7/"] = each_contract(kill)
    for quote in whole(market).quotes:
        assert (quote.open_interest, quote.feed_iv, quote.bid) == (None, None, None)
        assert (quote.ask is None) == (quote.strike == 600)


def test_an_adjusted_contract_never_looks_like_a_standard_one(server: YahooServer, market: YahooMarket) -> None:
    def adjust(row: dict[str, Any]) -> None:
        if row["strike"] == 600:
            row["contractSize"] = "10"
        if row["strike"] == 610:
            row["contractSymbol"] = "SPY1" + row["contractSymbol"][3:]

    server.always["/v7/"] = each_contract(adjust)
    roots = {quote.strike: quote.root for quote in whole(market).quotes}
    assert Decimal(600) not in roots
    assert (roots[Decimal(610)], roots[Decimal(620)]) == ("SPY1", "SPY")


def test_an_empty_list_of_expirations_is_asked_for_once_more(server: YahooServer, market: YahooMarket) -> None:
    empty = having([], "optionChain", "result")
    server.faults["/v7/"] = [empty]
    assert market.expirations("SPY")
    assert server.documents() == [f"{OPTIONS}SPY"] * 2
    assert server.paths().count("/v1/test/getcrumb") == 2
    server.always["/v7/"] = empty
    said = trouble(lambda: made(server).expirations("SPY"))
    assert type(said) is Unusable
    assert len(server.documents()) == 4


def test_an_expiration_that_is_not_listed_is_refused_after_one_fresh_reload(
    server: YahooServer, market: YahooMarket
) -> None:
    said = trouble(lambda: market.chain("SPY", (TARGET, date(2025, 9, 27))))
    assert (type(said), getattr(said, "gate", None)) == (Unusable, "expiration")
    assert "2025-09-27" in said.message
    assert server.documents() == [f"{OPTIONS}SPY"] * 2


def test_one_missing_index_is_a_missing_datum_and_all_of_them_an_error(
    server: YahooServer, market: YahooMarket
) -> None:
    server.always["^VIX9D"] = status(500)
    levels = market.volatility()
    assert (levels["vix9d"].value, levels["vix9d"].missing) == (None, f"yahoo: HTTP 500 for {CHART}^VIX9D")
    assert levels["vix"].value is not None and levels["vix3m"].value is not None
    server.always["/v8/"] = status(500)
    assert type(trouble(market.volatility)) is Unavailable


# Crumbs and limits.


@pytest.mark.parametrize(
    "fault",
    [status(429, "Too Many Requests\r\n"), status(500, {"error": 1}), status(200, "<!doctype html>"), reset],
    ids=["429", "json", "page", "reset"],
)
def test_bars_need_no_crumb_and_a_bad_crumb_does_not_outlive_the_question(
    server: YahooServer, market: YahooMarket, fault: Fault
) -> None:
    server.always["getcrumb"] = fault
    assert market.history("SPY", SINCE)
    server.always.clear()
    assert whole(market).quotes
    assert server.documents().count(f"{OPTIONS}SPY") == 2  # not one refused for its crumb


@pytest.mark.parametrize(("fault", "why"), [(status(429, "Too Many Requests\r\n"), "429"), (status(503, ""), "503")])
def test_without_a_crumb_there_are_no_options_and_the_error_says_why(
    server: YahooServer, market: YahooMarket, fault: Fault, why: str
) -> None:
    server.always["getcrumb"] = fault
    said = trouble(lambda: whole(market)).message
    assert said == f"yahoo: HTTP 401 for /v7/finance/options/SPY, after HTTP {why} for /v1/test/getcrumb"


def test_a_refused_document_is_asked_for_twice_and_nothing_else_instead(
    server: YahooServer, market: YahooMarket
) -> None:
    server.always["/v8/"] = status(500, {"chart": {"result": None, "error": {"code": "x", "description": "y"}}})
    trouble(lambda: market.history("SPY", SINCE))
    assert server.documents() == [f"{CHART}SPY"] * 2  # left alone, yfinance asks five other documents for the zone


def test_a_crumb_that_yahoo_no_longer_takes_is_dropped(server: YahooServer, market: YahooMarket) -> None:
    server.crumb = "old.crumb"
    assert "HTTP 401" in trouble(lambda: whole(market)).message
    server.crumb = CRUMB
    assert whole(market).quotes


def test_after_too_many_requests_nothing_is_sent_for_two_minutes(server: YahooServer) -> None:
    now = [1000.0]
    market = YahooMarket(address=server.url, clock=lambda: AT, monotonic=lambda: now[0], seconds=15)
    server.always["/v8/"] = status(429, "Too Many Requests")
    assert "HTTP 429" in trouble(lambda: market.moves(("QQQ", "TLT", "GLD"))).message
    assert server.documents() == [f"{CHART}QQQ"] * 2  # yfinance repeats once; three tries would be the most
    sent = len(server.requests)
    server.always.clear()
    now[0] += 119
    assert "429" in trouble(lambda: whole(market)).message
    assert len(server.requests) == sent
    now[0] += 2
    assert whole(market).quotes


def test_questions_run_one_after_another(server: YahooServer) -> None:
    at_once, most = [0], [0]
    lock = threading.Lock()

    def counted(handler: Any, reply: Any) -> None:
        with lock:
            at_once[0] += 1
            most[0] = max(most[0], at_once[0])
        time.sleep(0.05)
        with lock:
            at_once[0] -= 1
        handler.say(reply)

    server.always["/v"] = counted
    asked = [
        threading.Thread(target=made(server).history, args=("SPY", SINCE - timedelta(days=count))) for count in range(4)
    ]
    for thread in asked:
        thread.start()
    for thread in asked:
        thread.join()
    assert most == [1]
    assert len(server.documents()) >= 5


def test_every_request_goes_to_the_address_that_was_set(server: YahooServer, market: YahooMarket) -> None:
    server.always["/v7/"] = status(401, "{}")  # brings out the consent pages too
    trouble(lambda: whole(market))
    home = urlsplit(server.url).netloc
    assert {request.headers["host"] for request in server.requests} == {home}
    assert {"/consent", "/"} <= set(server.paths())
    for other in (
        "https://query1.finance.yahoo.com/v7/finance/quote?symbols=SPY",
        "https://a.net/v8/finance/chart/SPY",
    ):
        with pytest.raises(Unusable, match="no address that spy32 asks"):
            market._client._get_session_and_ticker("SPY")[0].get(other)


# Time.


@pytest.mark.parametrize("fault", [hang, drip], ids=["hang", "drip"])
@pytest.mark.parametrize("dead", ["", "/v7/", "getcrumb"], ids=["every host", "options", "crumb"])
def test_a_dead_end_is_over_within_the_budget(server: YahooServer, fault: Fault, dead: str) -> None:
    market = made(server, seconds=0.6)
    server.always[dead] = fault
    if not dead:
        server.cookie_fault = fault
    assert elapsed(lambda: trouble(lambda: whole(market))) < SOON
    server.always.clear()
    server.cookie_fault = None
    assert made(server).history("SPY", SINCE)


def test_a_question_that_nothing_else_ends_is_left_behind(server: YahooServer) -> None:
    market = made(server, seconds=0.3)
    market._client.run_bounded(lambda: None)  # the import is not part of the time
    held = threading.Event()
    try:
        assert elapsed(lambda: trouble(lambda: market._client.run_bounded(lambda: held.wait(NEVER)))) < SOON
        # On a loaded machine the time may be over before the open question is seen.
        said = trouble(lambda: market.history("SPY", SINCE)).message
        assert "earlier question is still open" in said or "within 0.3 s" in said
    finally:
        held.set()


def test_a_dead_cookie_host_costs_its_time_and_no_more(
    server: YahooServer, market: YahooMarket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spy32.markets.yahoo_session.MAX_REQUEST_SECONDS", 0.3)
    server.cookie_fault = hang
    assert elapsed(lambda: market.history("SPY", SINCE)) < 3
    assert market.history("SPY", SINCE)


# Files.


def test_yfinance_stores_nothing_in_the_home_of_its_user(
    server: YahooServer, market: YahooMarket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert market.history("SPY", SINCE) and whole(market).quotes
    assert list(tmp_path.rglob("*")) == []
