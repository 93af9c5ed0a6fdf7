"""A stand-in for Cboe's delayed quotes, in the wire format of the real one.

    server = CboeServer.at_clock(datetime(2025, 8, 25, 14, 0, tzinfo=UTC))   # a Monday, 10:00 New York
    with server.running():
        environment = {"SPY32_CBOE_URL": server.url, "SPY32_CLOCK": "2025-08-25T14:00:00Z", ...}

`at` is the instant that the quotes are of, `at_clock(now)` sets it a quarter of an hour before `now`; a document's
timestamp is `at` plus the quarter of an hour. It can be set while the server runs: an old one makes stale quotes.

The options are those of a recorded chain, by default the shipped one of 2025-08-29, brought to the date of `at`:

* every expiration moves by the days between the two dates, so days to expiration stay as recorded; one that lands on
  a closed or taken day goes to the nearest session within two days that keeps the order, else it is left out. From a
  Friday's chain to a Monday, the recorded 32 days land on a Friday again;
* where the move takes an expiration over an ex-date of the shipped table, or back over one, each quote moves by its
  delta times the dividend, so that put-call parity still gives the spot;
* `lie` moves `current_price` alone, by that share: a spot that its own options contradict. `shift` moves everything,
  spot and strikes, by about that share in whole dollars: a market that agrees with itself, not with another source.

Every ticker of `tickers` has the same options under its own root. Quotes are there for `levels`, a mapping from ticker
to (price, change in percent) that a test may write to; the VIX family stands at its last shipped close before `at`, and
VIX_History.csv ends with that session. Daily bars are the shipped ones up to the session before `at`; when these do
not reach so far, or are of another price than the chain, those before the recorded chain are dated anew, session by
session. Whatever else is asked for is answered with 403.

Faults go by a piece of the path: `server.faults["options/SPY"] = [status(503)]`, `server.always["quotes/_VIX"] = hang`,
and `edited(change)` for a document whose JSON is changed.
"""

import copy
import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any

from spy32.domain.market import DailyBar, Metric, OptionQuote
from spy32.markets import bundled_history
from spy32.markets.recorded import RecordedMarket
from spy32.sessions import closure_reason, market_date, new_york_time, previous_session
from tests.servers.web import Fault, Reply, Request, StandIn, changed

DELAY = timedelta(minutes=15)
QUOTES = "/api/global/delayed_quotes/"
VIX_HISTORY = "/api/global/us_indices/daily_prices/VIX_History.csv"
INDEXES = ("SPX", "VIX", "XSP", "RUT", "NDX", "VIX9D", "VIX3M")
MOVES = {
    "QQQ": (570.4, -1.16), "TLT": (86.55, -0.43), "GLD": (318.07, 0.93), "AAPL": (232.14, -0.18),
    "MSFT": (506.69, -0.58), "NVDA": (174.18, -3.32), "AMZN": (229.0, -1.12), "META": (738.7, -1.65),
    "GOOGL": (212.91, 0.6), "AVGO": (297.39, -3.65), "TSLA": (333.87, -3.5),
}  # fmt: skip
FOREIGN = 0.05
"""Bars that end further than this from the spot, a share of it, are of another time than the chain."""
BARS = 800
FIRST = date(2014, 1, 1)
GZIPPED = {"Content-Encoding": "gzip"}
_MADE: dict[object, bytes] = {}
"""Documents that were made once, for every server of a test run."""


class CboeServer(StandIn):
    """Serves options, quotes, daily bars and the VIX history as of `at`."""

    def __init__(
        self,
        at: datetime,
        *,
        market: RecordedMarket | None = None,
        tickers: Sequence[str] = ("SPY",),
        lie: float = 0.0,
        shift: float = 0.0,
    ) -> None:
        super().__init__()
        self.at = at
        self.market = market or _shipped()
        self.tickers = tuple(tickers)
        self.lie = lie
        self.shift = shift
        self.levels: dict[str, tuple[float, float]] = dict(MOVES)

    @classmethod
    def at_clock(cls, now: datetime, **more: Any) -> "CboeServer":
        """The server whose documents are of `now`."""
        return cls(now - DELAY, **more)

    def answer(self, request: Request) -> Reply:
        if request.path == VIX_HISTORY:
            return Reply(body=self._vix_history(), headers={"Content-Type": "text/csv"})
        kind, _, name = request.path.removeprefix(QUOTES).rpartition("/")
        ticker = name.removesuffix(".json").removeprefix("_")
        if not request.path.startswith(QUOTES) or name != f"{written(ticker, '_')}.json":
            return Reply(body="<Error>AccessDenied</Error>", status=403)
        if kind == "options" and ticker in self.tickers:
            return self._packed(ticker, lambda: self.option_document(ticker))
        if kind == "quotes" and ticker in (*self.tickers, *self._fetch_levels()):
            price, percent = self._fetch_levels().get(ticker, (self.spot, 0.25))
            return Reply(body=self._document(ticker, self._head(ticker, price, percent)))
        if kind == "charts/historical" and ticker in self.tickers:
            return Reply(body={"symbol": written(ticker, "_"), "data": self._chart()})
        return Reply(body="<Error>AccessDenied</Error>", status=403)

    @property
    def spot(self) -> float:
        """The price of the underlying as the documents tell it."""
        return round(self._true_spot() * (1 + self.lie), 2)

    def option_document(self, ticker: str = "SPY") -> dict[str, Any]:
        """What `options/TICKER.json` answers."""
        rows = [self._option(quote, place, ticker) for place, quote in enumerate(self._fetch_quotes())]
        return self._document(ticker, {"options": rows, **self._head(ticker, self.spot, 0.25)})

    def expirations(self) -> dict[date, date]:
        """From each recorded expiration to the one that is served for it."""
        days = market_date(self.at) - market_date(self.market.as_of)
        steps = [timedelta(days=step) for step in (0, -1, 1, -2, 2)] if days else [timedelta(0)]
        served: dict[date, date] = {}
        last = market_date(self.at) - timedelta(days=1)
        for listed in self.market.expirations(self.market.underlying):
            near = [listed + days + step for step in steps]
            found = next((day for day in near if day > last and closure_reason(day) is None), None)
            if found is not None:
                served[listed] = last = found
        return served

    # Options.

    def _packed(self, ticker: str, make: Callable[[], dict[str, Any]]) -> Reply:
        key = (self.market.name, ticker, self.at, self.lie, self.shift)
        if key not in _MADE:
            _MADE[key] = gzip.compress(json.dumps(make()).encode(), 1)
        return Reply(body=_MADE[key], headers=GZIPPED)

    def _true_spot(self) -> float:
        return self._recorded_spot() + self._dollars()

    def _recorded_spot(self) -> float:
        first = self.market.expirations(self.market.underlying)[:1]
        return self.market.chain(self.market.underlying, first).spot

    def _dollars(self) -> int:
        return round(self._recorded_spot() * self.shift)

    def _fetch_quotes(self) -> list[OptionQuote]:
        days = self.expirations()
        chain = self.market.chain(self.market.underlying, tuple(days))
        less = {
            listed: self._dividends(self.market.as_of, listed) - self._dividends(self.at, day)
            for listed, day in days.items()
        }
        more = self._dollars()
        return [
            replace(
                quote,
                expiration=days[quote.expiration],
                strike=quote.strike + more,
                bid=_cents(quote.bid, less[quote.expiration] * (quote.feed_delta or 0.0)),
                ask=_cents(quote.ask, less[quote.expiration] * (quote.feed_delta or 0.0)),
            )
            for quote in chain.quotes
            if quote.strike + more > 0
        ]

    def _dividends(self, since: datetime, until: date) -> float:
        """Dollars that SPY pays from the day after `since` to `until`."""
        if self.market.underlying != bundled_history.UNDERLYING:
            return 0.0
        paid = bundled_history.dividends(since)
        return sum(float(one.amount) for one in paid if market_date(since) < one.ex_date <= until)

    def _option(self, quote: OptionQuote, place: int, ticker: str) -> dict[str, Any]:
        """One contract with all the fields of the real document; sizes and counts are floats there too."""
        root = ticker if quote.root == self.market.underlying else quote.root
        bid, ask = quote.bid or 0.0, quote.ask or 0.0
        symbol = f"{root}{quote.expiration:%y%m%d}{quote.right}{int(quote.strike * 1000):08d}"
        return {
            "option": symbol, "bid": bid, "bid_size": 10.0 if bid else 0.0, "ask": ask, "ask_size": 12.0,
            "iv": quote.feed_iv or 0.0, "open_interest": float(quote.open_interest or 0),
            "volume": float(quote.volume or 0), "delta": quote.feed_delta or 0.0, "gamma": 0.0, "vega": 0.0,
            "theta": 0.0, "rho": 0.0, "theo": round((bid + ask) / 2, 4), "change": 0.0, "open": 0.0, "high": 0.0,
            "low": 0.0, "tick": "no_change", "last_trade_price": quote.last or 0.0,
            "last_trade_time": self._traded(quote, place), "percent_change": 0.0,
            "prev_day_close": round((bid + ask) / 2, 4) + 1.5e-9,
        }  # fmt: skip

    def _traded(self, quote: OptionQuote, place: int) -> str | None:
        """New York's clock without a zone: within ten minutes for a contract with volume, else the day before."""
        if quote.volume:
            return local(self.at - timedelta(seconds=place * 7 % 600))
        return local(previous_session(market_date(self.at)).close - timedelta(minutes=1)) if quote.last else None

    # The rest.

    def _document(self, ticker: str, data: Mapping[str, Any]) -> dict[str, Any]:
        stamp = (self.at + DELAY).astimezone(UTC)
        return {"timestamp": f"{stamp:%Y-%m-%d %H:%M:%S}", "data": dict(data), "symbol": written(ticker, "_")}

    def _head(self, ticker: str, price: float, percent: float) -> dict[str, Any]:
        before = round(price / (1 + percent / 100), 2)
        is_index = ticker in INDEXES
        return {
            "symbol": written(ticker, "^"), "security_type": "index" if is_index else "stock", "exchange_id": 5,
            "current_price": price, "price_change": round(price - before, 4), "price_change_percent": percent,
            "bid": 0.0 if is_index else round(price - 0.01, 2), "ask": 0.0 if is_index else round(price + 0.01, 2),
            "bid_size": 100, "ask_size": 200, "open": before, "high": max(price, before), "low": min(price, before),
            "close": price, "prev_day_close": before, "volume": 0 if is_index else 21_345_678, "iv30": 14.2,
            "iv30_change": 0.0, "iv30_change_percent": 0.0, "seqno": 26291315129,
            "last_trade_time": local(self.at), "tick": "up",
        }  # fmt: skip

    def _fetch_levels(self) -> dict[str, tuple[float, float]]:
        family = {
            **bundled_history.volatility(self.market.as_of),
            **_known(bundled_history.volatility(past_close(self.at))),
        }
        levels = {name.upper(): (level.value or 0.0, -2.1) for name, level in family.items()}
        return {**levels, **self.levels}

    def _vix_history(self) -> str:
        rows = bundled_history.volatility_history(past_close(self.at), FIRST)
        if rows[-1][0] != previous_session(market_date(self.at)).day:
            rows = bundled_history.volatility_history(self.market.as_of, FIRST)[-BARS:]
            rows = tuple(zip(self._days(len(rows)), (close for _, close in rows), strict=True))
        lines = [f"{day:%m/%d/%Y},{close:.6f},{close:.6f},{close:.6f},{close:.6f}" for day, close in rows]
        return "\n".join(["DATE,OPEN,HIGH,LOW,CLOSE", *lines, ""])

    def _chart(self) -> list[dict[str, str]]:
        """Daily bars, oldest first, numbers as text; the day of `at` is not there."""
        more = self._dollars()
        return [
            {
                "date": bar.day.isoformat(),
                **{
                    name: f"{price + more:.4f}" if price is not None else ""
                    for name, price in (("open", bar.open), ("high", bar.high), ("low", bar.low), ("close", bar.close))
                },
                "volume": str(60_000_000 + place * 1000),
            }
            for place, bar in enumerate(self._bars())
        ]

    def _bars(self) -> list[DailyBar]:
        bars = list(bundled_history.daily_bars(past_close(self.at), FIRST))
        whole = bars and bars[-1].day == previous_session(market_date(self.at)).day
        if whole and abs(bars[-1].close / self._recorded_spot() - 1) < FOREIGN:
            return bars
        bars = list(bundled_history.daily_bars(past_close(self.market.as_of), FIRST))[-BARS:]
        return [replace(bar, day=day) for bar, day in zip(bars, self._days(len(bars)), strict=True)]

    def _days(self, count: int) -> list[date]:
        """So many sessions, the last one before the date of `at`."""
        days = [market_date(self.at)]
        while len(days) <= count:
            days.append(previous_session(days[-1]).day)
        return days[:0:-1]


def edited(change: Callable[[Any], Any]) -> Fault:
    """The good document after `change`, which alters it in place, or gives another one (also text)."""

    def edit(reply: Reply) -> Reply:
        body = reply.body
        if isinstance(body, bytes):
            body = json.loads(gzip.decompress(body))
        body = copy.deepcopy(body)
        other = change(body)
        headers = {name: text for name, text in reply.headers.items() if name != "Content-Encoding"}
        return replace(reply, body=body if other is None else other, headers=headers)

    return changed(edit)


@cache
def _shipped() -> RecordedMarket:
    return RecordedMarket.load_shipped()


def written(ticker: str, mark: str) -> str:
    """How Cboe writes it: indices after a mark, `_` in a path and `^` in a document's head."""
    return f"{mark}{ticker}" if ticker in INDEXES else ticker


def local(at: datetime) -> str:
    """New York's clock without its zone."""
    return f"{new_york_time(at):%Y-%m-%dT%H:%M:%S}"


def past_close(at: datetime) -> datetime:
    """The instant by which the session before that of `at` is whole, and no later one is."""
    return previous_session(market_date(at)).option_close


def _known(family: Mapping[str, Metric]) -> dict[str, Metric]:
    return {name: level for name, level in family.items() if level.value is not None}


def _cents(price: float | None, by: float) -> float | None:
    return None if price is None else max(round(price + by, 2), 0.0) if price > 0 else price
