"""Cboe's delayed quotes: no key, a quarter of an hour late, one document with every option of an underlying.

The pages are for personal use; a run asks for a handful of documents. Quotes and options have no time of their own, so
a chain is of the instant that its document names, less the delay.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from functools import partial
from typing import Any, TypeVar
from urllib.parse import quote

from spy32.clients.http import HttpClient
from spy32.domain.market import Chain, DailyBar, LegQuotes, Metric
from spy32.domain.option_class import option_roots
from spy32.domain.spreads import Leg
from spy32.errors import NotPermitted, ServiceGone, Unusable
from spy32.markets.base import BaseMarket, Memo, collect_metrics, find_listing, leg_quotes
from spy32.markets.cboe_parser import SOURCE, document_name, parse_bars, parse_chain, parse_level, parse_vix_closes
from spy32.sessions import market_date

T = TypeVar("T")

QUOTES_PATH = "/api/global/delayed_quotes"
VIX_HISTORY_PATH = "/api/global/us_indices/daily_prices/VIX_History.csv"
CHAIN_MAX_AGE, LEG_QUOTE_MAX_AGE = 60.0, 15.0
"""Seconds for which one option document answers questions."""
MAX_PARALLEL_REQUESTS = 4
"""Requests side by side, so that one index that hangs does not take the others' time."""
VIX_TICKERS = {"vix": "VIX", "vix9d": "VIX9D", "vix3m": "VIX3M"}


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
        return self._listed(self._find_chain(underlying, ()))

    def chain(self, underlying: str, expirations: Sequence[date]) -> Chain:
        """The contracts of these expirations, of every root."""
        return self._find_chain(underlying, expirations).select_expirations(*expirations)

    def quotes(self, underlying: str, legs: Sequence[Leg]) -> LegQuotes:
        """The legs' quotes of the last quarter of a minute; one that is not listed is left out."""
        return leg_quotes(self._fetch_chain(underlying, self._deadline(), LEG_QUOTE_MAX_AGE), legs)

    def history(self, underlying: str, since: date) -> tuple[DailyBar, ...]:
        """Daily bars up to yesterday, without adjustment for dividends."""
        found = self._fetch_json("charts/historical", underlying, self._deadline())
        return parse_bars(found, underlying, since, self._clock())

    def volatility(self) -> dict[str, Metric]:
        """The VIX family; an index that fails is missing with its reason, and an error when all of them do."""
        return self._fetch_metrics(VIX_TICKERS, "current_price", "percent")

    def volatility_history(self, since: date) -> tuple[tuple[date, float], ...]:
        """Official VIX closes up to yesterday."""
        text = self._fetch(self._http.text, VIX_HISTORY_PATH, "VIX_History.csv", self._deadline())
        return parse_vix_closes(text, since, self._clock())

    def moves(self, tickers: Sequence[str]) -> dict[str, Metric]:
        """The change since the close before, of each ticker; one that fails is missing with its reason."""
        return self._fetch_metrics({ticker: ticker for ticker in tickers}, "price_change_percent", "fraction")

    def _find_chain(self, underlying: str, wanted: Sequence[date]) -> Chain:
        fetch = partial(self._fetch_chain, underlying, self._deadline())
        return find_listing(SOURCE, underlying, wanted, fetch, self._listed, oldest=CHAIN_MAX_AGE)

    def _listed(self, chain: Chain) -> tuple[date, ...]:
        today, roots = market_date(self._clock()), option_roots(chain.underlying)
        days = {quote.expiration for quote in chain.quotes if quote.root in roots}
        return tuple(sorted(day for day in days if day >= today))

    def _fetch_chain(self, underlying: str, deadline: float, oldest: float) -> Chain:
        """The option document, fetched unless the one at hand is younger than `oldest` seconds."""

        def ask() -> Chain:
            found = self._fetch_json("options", underlying, deadline)
            return parse_chain(found, underlying, self._clock())

        return self._documents.get(underlying, ask, oldest=oldest, seconds=deadline - self._http.monotonic())

    def _deadline(self) -> float:
        return self._http.monotonic() + self._seconds

    def _fetch_json(self, kind: str, ticker: str, deadline: float) -> Any:
        path = f"{QUOTES_PATH}/{kind}/{quote(document_name(ticker))}"
        return self._fetch(self._http.json, path, ticker, deadline)

    def _fetch(self, read: Callable[..., T], path: str, subject: str, deadline: float) -> T:
        try:
            return read(path, seconds=deadline - self._http.monotonic())
        except (NotPermitted, ServiceGone):
            # 403 or 404 for what Cboe does not have; 403 may also be its word for being asked too much.
            raise Unusable(f"cboe does not know {subject}") from None

    def _fetch_metrics(self, requests: Mapping[str, str], field: str, unit: str) -> dict[str, Metric]:
        """One figure of each ticker's quote, all of them within `seconds`."""
        deadline = self._deadline()

        def ask(ticker: str) -> Metric:
            return parse_level(self._fetch_json("quotes", ticker, deadline), ticker, field, self._clock())

        with ThreadPoolExecutor(MAX_PARALLEL_REQUESTS, thread_name_prefix=SOURCE) as pool:
            return collect_metrics(SOURCE, unit, requests, ask, run=pool.map)
