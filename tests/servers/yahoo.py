"""A stand-in for Yahoo as yfinance asks it: cookie, crumb, charts, options and the calendar of a company.

    server = YahooServer(datetime(2025, 8, 25, 14, 0, tzinfo=UTC))      # a Monday, 10:00 New York
    with server.running():
        environment = {"SPY32_YAHOO_URL": server.url, "SPY32_CLOCK": "2025-08-25T14:00:00Z", ...}

`at` is the instant of every document (`regularMarketTime`), so the clock of the run is the one to give; it can be set
while the server runs. Options, spot and bars are those of a `CboeServer` of the same instant (its docstring says how a
recorded chain is brought to another date), so two sources agree unless a test makes one lie: `lie` moves the spot
that Yahoo tells, `shift` moves everything. Bars end with the session before `at`; `today` adds the row of the day so
far. Any ticker has bars; `^VIX`, `^VIX9D`, `^VIX3M` and `^IRX` their own levels, the others those of SPY times a
factor. `kinds` says what a ticker is (ETF when it is not there, INDEX with a caret), `calendars` holds the stamps of
coming earnings. `unknown` tickers answer 404. Dividends are the shipped ones for every ETF.

Faults go by a piece of the path: `/v7/finance/options`, `/v8/finance/chart/SPY`, `/v10/`, `getcrumb`; the cookie's
path is `/` alone: `server.cookie_fault = hang`. A wrong crumb is answered as Yahoo does, with 401. Charts need none.
"""

import copy
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Any, TypeVar
from urllib.parse import unquote

from spy32.domain.market import Right
from spy32.markets import bundled_history
from spy32.markets.recorded import RecordedMarket
from spy32.sessions import NEW_YORK, market_date, session
from tests.servers.cboe import CboeServer
from tests.servers.web import Fault, Reply, Request, StandIn, changed

CRUMB = "8q.Lw/4xQ2z"
OPTIONS, CHART, SUMMARY = "/v7/finance/options/", "/v8/finance/chart/", "/v10/finance/quoteSummary/"
COLUMNS = {"^VIX": "vix", "^VIX9D": "vix9d", "^VIX3M": "vix3m", "^IRX": "irx"}
FACTORS = {"QQQ": 0.885, "TLT": 0.134, "GLD": 0.493, "AAPL": 0.36}
BAR = ("open", "high", "low", "close", "volume")
RANGES = ["1d", "5d", "1mo", "3mo", "6mo", "1y", "2y", "5y", "10y", "ytd", "max"]
LONG_AGO = date(1993, 1, 1)
INVALID = {"code": "Unauthorized", "description": "Invalid Crumb"}

T = TypeVar("T")
_MADE: dict[object, Any] = {}
SHIPPED = cache(RecordedMarket.load_shipped)


class YahooServer(StandIn):
    """Serves cookie, crumb, charts, options and calendars as of `at`."""

    def __init__(
        self, at: datetime, *, market: RecordedMarket | None = None, lie: float = 0.0, shift: float = 0.0
    ) -> None:
        super().__init__()
        self.at = at
        self.lie, self.shift = lie, shift
        self.market = market or SHIPPED()
        self.kinds: dict[str, str] = {"AAPL": "EQUITY"}
        self.calendars: dict[str, list[int]] = {}
        self.unknown_kinds: set[str] = set()
        self.today: float | None = None
        """The price of the day so far, SPY's; None serves no row of today."""
        self.crumb = CRUMB
        self.cookie_fault: Fault | None = None

    def answer(self, request: Request) -> Reply:
        path = unquote(request.path)
        if path == "/":
            cookie = "A3=d=AQABBE; Max-Age=31557600; Path=/; HttpOnly"
            return Reply(body="", status=404, headers={"Set-Cookie": cookie, "Content-Type": "text/html"})
        if path.endswith("/getcrumb"):
            return Reply(body=self.crumb, headers={"Content-Type": "text/plain"})
        for start, answer in ((CHART, self._chart), (OPTIONS, self._fetch_expirations), (SUMMARY, self._summary)):
            if path.startswith(start):
                return self._document(path.removeprefix(start), answer, request)
        return Reply(body="<html><body>no page of ours</body></html>", headers={"Content-Type": "text/html"})

    def fault_for(self, request: Request) -> Fault | None:
        if request.path == "/" and self.cookie_fault is not None:
            return self.cookie_fault
        return super().fault_for(replace(request, path=unquote(request.path)))

    def documents(self) -> list[str]:
        """The paths asked for, without cookie, crumb and consent."""
        return [unquote(path) for path in self.paths() if path.startswith((CHART, OPTIONS, SUMMARY))]

    def expirations(self) -> tuple[date, ...]:
        return self._once("expirations", lambda: tuple(sorted(self._twin().expirations().values())))

    def _document(self, symbol: str, answer: Callable[[str, Request], Any], request: Request) -> Reply:
        if symbol in self.unknown_kinds:
            told = {"code": "Not Found", "description": "No data found, symbol may be delisted"}
            return Reply(body={"chart": {"result": None, "error": told}}, status=404)
        if not request.path.startswith("/v8/") and request.query.get("crumb") != CRUMB:
            return Reply(body={"finance": {"result": None, "error": INVALID}}, status=401)
        return Reply(body=answer(symbol, request))

    def _twin(self) -> CboeServer:
        return self._once("twin", lambda: CboeServer(self.at, market=self.market, shift=self.shift))

    def _once(self, name: str, make: Callable[[], T]) -> T:
        """What `make` gives for this market and instant; made once for all servers, because it takes its time."""
        key = (name, self.market.name, self.at, self.shift)
        if key not in _MADE:
            _MADE[key] = make()
        made: T = _MADE[key]
        return made

    # Options.

    def _fetch_expirations(self, symbol: str, request: Request) -> dict[str, Any]:
        listed = self.expirations() if self._parse_kind(symbol) != "INDEX" else ()
        if not listed:
            return {"optionChain": {"result": [], "error": None}}
        asked = int(request.query.get("date", stamp_of(listed[0])))
        day = datetime.fromtimestamp(asked, UTC).date()
        rows = [self._contract(row, symbol) for row in self._rows() if row["option"][-15:-9] == f"{day:%y%m%d}"]
        sides = {right: [row for row in rows if row["contractSymbol"][-9] == right] for right in Right}
        chain = {"expirationDate": asked, "hasMiniOptions": False, "calls": sides[Right.CALL], "puts": sides[Right.PUT]}
        body = {
            "underlyingSymbol": symbol,
            "expirationDates": [stamp_of(one) for one in listed],
            "strikes": sorted({row["strike"] for row in rows}),
            "hasMiniOptions": False,
            "quote": self._quote(symbol),
            "options": [chain] if rows else [],
        }
        return {"optionChain": {"result": [body], "error": None}}

    def _rows(self) -> list[dict[str, Any]]:
        return self._once("rows", lambda: list(self._twin().option_document()["data"]["options"]))

    def _contract(self, row: Mapping[str, Any], symbol: str) -> dict[str, Any]:
        """One contract as Yahoo writes it; `volume` is absent where nothing traded."""
        tail = row["option"][-15:]
        strike, traded = int(tail[-8:]) / 1000, row["last_trade_time"]
        when = datetime.fromisoformat(traded).replace(tzinfo=NEW_YORK) if traded else self.at - timedelta(days=3)
        contract = {
            "contractSymbol": symbol + tail, "strike": strike, "currency": "USD", "lastPrice": row["last_trade_price"],
            "change": 0.0, "percentChange": 0.0, "volume": int(row["volume"]),
            "openInterest": int(row["open_interest"]), "bid": row["bid"], "ask": row["ask"], "contractSize": "REGULAR",
            "expiration": stamp_of(datetime.strptime(tail[:6], "%y%m%d").date()),
            "lastTradeDate": int(when.timestamp()),
            "impliedVolatility": row["iv"] or 1e-05,
            "inTheMoney": (tail[6] == "C") == (strike < self.spot),
        }  # fmt: skip
        if not contract["volume"]:
            del contract["volume"]
        return contract

    @property
    def spot(self) -> float:
        """SPY's price as Yahoo tells it."""
        return round(self._once("spot", lambda: self._twin().spot) * (1 + self.lie), 2)

    def _quote(self, symbol: str) -> dict[str, Any]:
        return {
            "language": "en-US", "quoteType": self._parse_kind(symbol), "symbol": symbol, "currency": "USD",
            "marketState": "REGULAR", "regularMarketPrice": self.spot, "regularMarketTime": int(self.at.timestamp()),
            "bid": round(self.spot - 0.01, 2), "ask": round(self.spot + 0.01, 2), "exchange": "PCX",
        }  # fmt: skip

    def _parse_kind(self, symbol: str) -> str:
        return self.kinds.get(symbol, "INDEX" if symbol.startswith("^") else "ETF")

    # Charts.

    def _chart(self, symbol: str, request: Request) -> dict[str, Any]:
        bars = self._bars(symbol)
        wanted = request.query.get("range")
        if wanted is not None:
            bars = bars[-{"1d": 1, "5d": 5}.get(wanted, len(bars)) :]
        else:
            first, last = int(request.query["period1"]), int(request.query["period2"])
            bars = [bar for bar in bars if first <= bar[0] < last]
        stamps = [bar[0] for bar in bars]
        columns = {name: [bar[1][place] for bar in bars] for place, name in enumerate(BAR)} if bars else {}
        body: dict[str, Any] = {"meta": self._meta(symbol), "indicators": {"quote": [columns]}}
        if stamps:
            closes = columns["close"]
            adjusted = adjusted_closes(stamps, closes, self._dividends(symbol))
            body |= {"timestamp": stamps, "events": self._events(symbol, stamps)}
            body["indicators"]["adjclose"] = [{"adjclose": adjusted}]
        return {"chart": {"result": [body], "error": None}}

    def _meta(self, symbol: str) -> dict[str, Any]:
        day = market_date(self.at)
        hours = session(day)
        opens, closes = (hours.open, hours.close) if hours else (self.at, self.at)
        period = {"timezone": "EDT", "start": stamp(opens), "end": stamp(closes), "gmtoffset": -14400}
        price = self._bars(symbol)[-1][1][3] if symbol.startswith("^") else round(self.spot * factor(symbol), 2)
        return {
            "currency": "USD", "symbol": symbol, "exchangeName": "PCX", "instrumentType": self._parse_kind(symbol),
            "firstTradeDate": 728317800, "regularMarketTime": stamp(self.at), "hasPrePostMarketData": True,
            "gmtoffset": -14400, "timezone": "EDT", "regularMarketPrice": price, "priceHint": 2,
            "exchangeTimezoneName": "America/Chicago" if symbol.startswith("^VIX") else "America/New_York",
            "currentTradingPeriod": {name: dict(period) for name in ("pre", "regular", "post")},
            "dataGranularity": "1d", "range": "", "validRanges": RANGES,
        }  # fmt: skip

    def _bars(self, symbol: str) -> list[tuple[int, tuple[float | None, ...]]]:
        """Stamp of the opening, then open, high, low, close, volume."""
        levels = COLUMNS.get(symbol)
        return self._fetch_levels(levels) if levels else self._prices(symbol)

    def _prices(self, symbol: str) -> list[tuple[int, tuple[float | None, ...]]]:
        asked = Request("GET", "/api/global/delayed_quotes/charts/historical/SPY.json", {}, {}, b"")
        rows = self._once("bars", lambda: list(self._twin().answer(asked).body["data"]))
        by, found = factor(symbol), []
        for row in rows:
            prices = [
                round(float(row[name]) * by, 4) if row[name] else None for name in ("open", "high", "low", "close")
            ]
            found.append((opening(date.fromisoformat(row["date"])), (*prices, int(row["volume"]))))
        if self.today is not None:
            live = round(self.today * by, 4)
            found.append((stamp(self.at), (live, live, live, live, 1_000_000)))
        return found

    def _fetch_levels(self, name: str) -> list[tuple[int, tuple[float | None, ...]]]:
        """From the shipped history, whose rates and volatilities stand beside the bars."""
        lines = bundled_history._read_lines()
        place, until = lines[0].split(",").index(name), market_date(self.at).isoformat()
        rows = ((line[:10], line.split(",")[place]) for line in lines[1:] if line[:10] < until)
        return [(opening(date.fromisoformat(day)), (*[float(text)] * 4, 0)) for day, text in rows if text]

    def _dividends(self, symbol: str) -> list[tuple[int, float]]:
        if self._parse_kind(symbol) != "ETF":
            return []
        paid = bundled_history._read_dividends()
        return [(opening(one.ex_date), float(one.amount)) for one in paid if one.ex_date <= market_date(self.at)]

    def _events(self, symbol: str, stamps: list[int]) -> dict[str, Any]:
        paid = [pair for pair in self._dividends(symbol) if stamps[0] <= pair[0] <= stamps[-1]]
        return {"dividends": {str(day): {"amount": amount, "date": day} for day, amount in paid}} if paid else {}

    # Calendar.

    def _summary(self, symbol: str, request: Request) -> dict[str, Any]:
        stamps = self.calendars.get(symbol, [])
        events = {
            "maxAge": 1,
            "earnings": {"earningsDate": stamps, "earningsAverage": 1.77},
            "exDividendDate": 1754870400,
        }
        return {"quoteSummary": {"result": [{"calendarEvents": events}], "error": None}}


def edited(change: Callable[[Any], Any]) -> Fault:
    """The good document after `change`, which alters it in place, or gives another one (also text)."""

    def edit(reply: Reply) -> Reply:
        body = copy.deepcopy(reply.body)
        other = change(body)
        return replace(reply, body=json.dumps(body).encode() if other is None else other)

    return changed(edit)


def each_contract(change: Callable[[dict[str, Any]], object]) -> Fault:
    """The document with every contract changed."""

    def edit(body: dict[str, Any]) -> None:
        for chain in body["optionChain"]["result"][0]["options"]:
            for row in (*chain["calls"], *chain["puts"]):
                change(row)

    return edited(edit)


def without(*path: str | int) -> Fault:
    """The document without what stands at `path`."""

    def edit(body: Any) -> None:
        for part in path[:-1]:
            body = body[part]
        del body[path[-1]]

    return edited(edit)


def having(value: object, *path: str | int) -> Fault:
    """The document with `value` at `path`."""

    def edit(body: Any) -> None:
        for part in path[:-1]:
            body = body[part]
        body[path[-1]] = value

    return edited(edit)


def adjusted_closes(stamps: list[int], closes: Any, dividends: list[tuple[int, float]]) -> list[float | None]:
    """Each close less what was paid later, by the usual factor 1 - dividend / close before the ex-date."""
    paid, by, found = dict(dividends), 1.0, []
    for place in range(len(stamps) - 1, -1, -1):
        found.append(None if closes[place] is None else closes[place] * by)
        if stamps[place] in paid and place and closes[place - 1]:
            by *= 1 - paid[stamps[place]] / closes[place - 1]
    return found[::-1]


def factor(symbol: str) -> float:
    return FACTORS.get(symbol, 1.0)


def stamp(at: datetime) -> int:
    return int(at.timestamp())


def stamp_of(day: date) -> int:
    """Midnight UTC, as Yahoo writes an expiration."""
    return stamp(datetime.combine(day, time(), UTC))


def opening(day: date) -> int:
    return stamp(datetime.combine(day, time(9, 30), NEW_YORK))
