"""Cboe's delayed quotes: no key, a quarter of an hour late, one document with every option of an underlying.

The pages are for personal use; a run asks for a handful of documents. Quotes and options have no time of their own, so
a chain is of the instant that its document names, less the delay.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any
from urllib.parse import quote

from spy32.clients.http import HttpClient
from spy32.domain.market import Chain, DailyBar, LegQuotes, Metric
from spy32.domain.option_class import option_roots
from spy32.domain.spreads import Leg
from spy32.errors import NotPermitted, ServiceGone, Spy32Error, Unavailable, Unusable
from spy32.markets.base import BaseMarket, leg_quotes
from spy32.markets.cboe_parser import (
    SOURCE,
    QuotedValue,
    document_name,
    parse_bars,
    parse_chain,
    parse_level,
    parse_vix_closes,
)
from spy32.markets.memo import Memo
from spy32.sessions import market_date

QUOTES_PATH = "/api/global/delayed_quotes"
VIX_HISTORY_PATH = "/api/global/us_indices/daily_prices/VIX_History.csv"
CHAIN_MAX_AGE, LEG_QUOTE_MAX_AGE = 60.0, 15.0
"""Seconds for which one option document answers questions."""
MAX_PARALLEL_REQUESTS = 4
"""Requests side by side, so that one index that hangs does not take the others' time."""
VIX_TICKERS = {"vix": "VIX", "vix9d": "VIX9D", "vix3m": "VIX3M"}
MAX_VIX = 200
MAX_DAILY_MOVE = 10
"""Of a day, fraction; a price cannot fall by more than all of itself."""


class CboeMarket(BaseMarket):
    """Chains, daily bars, the VIX family and the moves of the day. Each question takes at most `seconds`."""

    name = SOURCE

    def __init__(self, http: HttpClient, *, clock: Callable[[], datetime], seconds: float) -> None:
        self._http = http
        self._clock = clock
        self._seconds = seconds
        self._documents = Memo[Chain](SOURCE, lambda: clock().timestamp())

    def expirations(self, underlying: str) -> tuple[date, ...]:
        """Every expiration of a standard contract from today on."""
        deadline, today = self._deadline(), market_date(self._clock())
        for oldest in (CHAIN_MAX_AGE, 0):
            chain = self._fetch_chain(underlying, oldest, deadline)
            listed = tuple(day for day in _standard_expirations(chain) if day >= today)
            if listed:
                return listed
        raise Unusable(f"cboe lists no expiration of {underlying}", gate="expiration")

    def chain(self, underlying: str, expirations: Sequence[date]) -> Chain:
        """The contracts of these expirations, of every root."""
        deadline, absent = self._deadline(), list[str]()
        for oldest in (CHAIN_MAX_AGE, 0):
            chain = self._fetch_chain(underlying, oldest, deadline)
            listed = _standard_expirations(chain)
            absent = [day.isoformat() for day in expirations if day not in listed]
            if not absent:
                return chain.select_expirations(*expirations)
        raise Unusable(f"cboe has no expiration {', '.join(absent)} of {underlying}", gate="expiration")

    def quotes(self, underlying: str, legs: Sequence[Leg]) -> LegQuotes:
        """The legs' quotes of the last quarter of a minute; one that is not listed is left out."""
        chain = self._fetch_chain(underlying, LEG_QUOTE_MAX_AGE, self._deadline())
        return leg_quotes(chain, legs)

    def history(self, underlying: str, since: date) -> tuple[DailyBar, ...]:
        """Daily bars up to yesterday, without adjustment for dividends."""
        found = self._fetch_json(f"charts/historical/{quote(document_name(underlying))}", underlying, self._deadline())
        return parse_bars(found, underlying, since, self._clock())

    def volatility(self) -> dict[str, Metric]:
        """The VIX family; an index that fails is missing with its reason, and an error when all of them do."""
        levels = self._fetch_levels(tuple(VIX_TICKERS.values()), "current_price")
        found = {
            name: _build_metric(levels[ticker], ticker, "percent", 0, MAX_VIX) for name, ticker in VIX_TICKERS.items()
        }
        if all(metric.value is None for metric in found.values()):
            errors = [level for level in levels.values() if isinstance(level, Spy32Error)]
            no_level = Unusable(f"cboe has no level of the VIX family: {found['vix'].missing}")
            raise next((error for error in errors if isinstance(error, Unavailable)), no_level)
        return found

    def volatility_history(self, since: date) -> tuple[tuple[date, float], ...]:
        """Official VIX closes up to yesterday."""
        with _translate_not_found("VIX_History.csv"):
            text = self._http.text(VIX_HISTORY_PATH, seconds=self._seconds)
        return parse_vix_closes(text, since, self._clock())

    def moves(self, tickers: Sequence[str]) -> dict[str, Metric]:
        """The change since the close before, of each ticker; one that fails is missing with its reason."""
        levels = self._fetch_levels(tickers, "price_change_percent")
        return {
            ticker: _build_metric(level, ticker, "fraction", -1, MAX_DAILY_MOVE) for ticker, level in levels.items()
        }

    def _fetch_chain(self, underlying: str, oldest: float, deadline: float) -> Chain:
        """The option document, fetched unless the one at hand is younger than `oldest` seconds."""

        def ask() -> Chain:
            found = self._fetch_json(f"options/{quote(document_name(underlying))}", underlying, deadline)
            return parse_chain(found, underlying, self._clock())

        return self._documents.get(underlying, ask, oldest=oldest, seconds=deadline - self._http.monotonic())

    def _deadline(self) -> float:
        return self._http.monotonic() + self._seconds

    def _fetch_json(self, path: str, ticker: str, deadline: float) -> Any:
        with _translate_not_found(ticker):
            return self._http.json(f"{QUOTES_PATH}/{path}", seconds=deadline - self._http.monotonic())

    def _fetch_levels(self, tickers: Sequence[str], field: str) -> dict[str, QuotedValue | Spy32Error]:
        """One figure of each ticker's quote, or why there is none; all of them within `seconds`."""
        deadline = self._deadline()

        def ask(ticker: str) -> QuotedValue | Spy32Error:
            try:
                found = self._fetch_json(f"quotes/{quote(document_name(ticker))}", ticker, deadline)
                return parse_level(found, ticker, field, self._clock())
            except Spy32Error as error:
                return error

        wanted = tuple(dict.fromkeys(tickers))
        with ThreadPoolExecutor(MAX_PARALLEL_REQUESTS, thread_name_prefix=SOURCE) as pool:
            return dict(zip(wanted, pool.map(ask, wanted), strict=True))


@contextmanager
def _translate_not_found(subject: str) -> Iterator[None]:
    """Cboe answers 403 or 404 for what it does not have; 403 may also be its word for being asked too much."""
    try:
        yield
    except (NotPermitted, ServiceGone):
        raise Unusable(f"cboe does not know {subject}") from None


def _standard_expirations(chain: Chain) -> tuple[date, ...]:
    roots = option_roots(chain.underlying)
    return tuple(sorted({quote.expiration for quote in chain.quotes if quote.root in roots}))


def _build_metric(level: QuotedValue | Spy32Error, ticker: str, unit: str, low: float, high: float) -> Metric:
    """A figure that was sent in percent, as a metric in `unit`; missing unless it lies between `low` and `high`."""
    source = f"{SOURCE} {document_name(ticker).removesuffix('.json')}"
    if isinstance(level, Spy32Error):
        return Metric(value=None, unit=unit, source=source, missing=level.message)
    value = level.value / 100 if unit == "fraction" else level.value
    is_valid = low < value < high
    missing = None if is_valid else f"{level.value:g} is no figure for {ticker}"
    return Metric(value=value if is_valid else None, unit=unit, source=source, as_of=level.as_of, missing=missing)
