"""Cboe's delayed quotes: no key, a quarter of an hour late, one document with every option of an underlying.

The pages are for personal use; a run asks for a handful of documents. Quotes and options have no time of their own, so
a chain is of the instant that its document names, less the delay.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import quote

from spy32.clients.http import Http
from spy32.domain.market import Chain, DailyBar, Datum, LegQuotes, roots_of
from spy32.domain.trading import Leg
from spy32.errors import Gone, NotPermitted, Spy32Error, Unavailable, Unusable
from spy32.markets.base import Unserved
from spy32.markets.cboe_parts import NAME, Level, bars_of, chain_of, file_of, level_of, vix_closes
from spy32.markets.recorded import of_legs
from spy32.sessions import market_date

QUOTES = "/api/global/delayed_quotes"
VIX_HISTORY = "/api/global/us_indices/daily_prices/VIX_History.csv"
KEPT = timedelta(minutes=1)
"""How long one option document answers questions."""
KEPT_FOR_LEGS = timedelta(seconds=15)
NOW = timedelta(0)
AT_ONCE = 4
"""Requests side by side, so that one index that hangs does not take the others' time."""
FAMILY = {"vix": "VIX", "vix9d": "VIX9D", "vix3m": "VIX3M"}
HIGHEST_VIX = 200
LARGEST_MOVE = 10
"""Of a day, fraction; a price cannot fall by more than all of itself."""


@dataclass(frozen=True, slots=True)
class _Memo:
    at: datetime
    chain: Chain


class CboeMarket(Unserved):
    """Chains, daily bars, the VIX family and the moves of the day. Each question takes at most `seconds`."""

    name = NAME

    def __init__(self, http: Http, *, clock: Callable[[], datetime], seconds: float) -> None:
        self._http = http
        self._clock = clock
        self._seconds = seconds
        self._memo: dict[str, _Memo] = {}
        self._lock = threading.Lock()

    def expirations(self, underlying: str) -> tuple[date, ...]:
        """Every expiration of a standard contract from today on."""
        with self._turn() as until:
            listed = self._listed(self._document(underlying, KEPT, until))
            listed = listed or self._listed(self._document(underlying, NOW, until))
        if not listed:
            raise Unusable(f"cboe lists no expiration of {underlying}", gate="expiration")
        return listed

    def chain(self, underlying: str, expirations: Sequence[date]) -> Chain:
        """The contracts of these expirations, of every root."""
        with self._turn() as until:
            chain = self._document(underlying, KEPT, until)
            if self._absent(chain, expirations):
                chain = self._document(underlying, NOW, until)
        absent = self._absent(chain, expirations)
        if absent:
            raise Unusable(f"cboe has no expiration {', '.join(absent)} of {underlying}", gate="expiration")
        return chain.at(*expirations)

    def quotes(self, underlying: str, legs: Sequence[Leg]) -> LegQuotes:
        """The legs' quotes of the last quarter of a minute; one that is not listed is left out."""
        with self._turn() as until:
            chain = self._document(underlying, KEPT_FOR_LEGS, until)
        return LegQuotes(
            spot=chain.spot,
            as_of=chain.as_of,
            source=NAME,
            quotes=of_legs(chain.quotes, legs),
            delay_seconds=chain.delay_seconds,
        )

    def history(self, underlying: str, since: date) -> tuple[DailyBar, ...]:
        """Daily bars up to yesterday, without adjustment for dividends."""
        found = self._json(f"charts/historical/{quote(file_of(underlying))}", underlying, self._until())
        return bars_of(found, underlying, since, self._clock())

    def volatility(self) -> dict[str, Datum]:
        """The VIX family; an index that fails is missing with its reason, and an error when all of them do."""
        levels = self._levels(tuple(FAMILY.values()), "current_price")
        found = {name: _datum(levels[ticker], ticker, "percent", _as_vix) for name, ticker in FAMILY.items()}
        if all(datum.value is None for datum in found.values()):
            troubles = [level for level in levels.values() if isinstance(level, Spy32Error)]
            nothing = Unusable(f"cboe has no level of the VIX family: {found['vix'].missing}")
            raise next((trouble for trouble in troubles if isinstance(trouble, Unavailable)), nothing)
        return found

    def volatility_history(self, since: date) -> tuple[tuple[date, float], ...]:
        """Official VIX closes up to yesterday."""
        with _known("VIX_History.csv"):
            text = self._http.text(VIX_HISTORY, seconds=self._seconds)
        return vix_closes(text, since, self._clock())

    def moves(self, tickers: Sequence[str]) -> dict[str, Datum]:
        """The change since the close before, of each ticker; one that fails is missing with its reason."""
        levels = self._levels(tickers, "price_change_percent")
        return {ticker: _datum(level, ticker, "fraction", _as_move) for ticker, level in levels.items()}

    # Option documents.

    @contextmanager
    def _turn(self) -> Iterator[float]:
        """One question about options at a time; gives the reading of `monotonic` by which it must be answered."""
        until = self._until()
        if not self._lock.acquire(timeout=self._seconds):
            raise Unavailable(f"cboe was busy with another question for {self._seconds:.0f} s")
        try:
            yield until
        finally:
            self._lock.release()

    def _document(self, underlying: str, oldest: timedelta, until: float) -> Chain:
        """The option document, fetched unless the one at hand is younger than `oldest`."""
        now = self._clock()
        memo = self._memo.get(underlying)
        if memo is not None and NOW <= now - memo.at < oldest:
            return memo.chain
        found = self._json(f"options/{quote(file_of(underlying))}", underlying, until)
        chain = chain_of(found, underlying, self._clock())
        self._memo[underlying] = _Memo(now, chain)
        return chain

    def _listed(self, chain: Chain) -> tuple[date, ...]:
        return tuple(day for day in _standard(chain) if day >= market_date(self._clock()))

    @staticmethod
    def _absent(chain: Chain, expirations: Sequence[date]) -> list[str]:
        listed = _standard(chain)
        return [day.isoformat() for day in expirations if day not in listed]

    # Requests.

    def _until(self) -> float:
        return self._http.monotonic() + self._seconds

    def _json(self, path: str, ticker: str, until: float) -> Any:
        with _known(ticker):
            return self._http.json(f"{QUOTES}/{path}", seconds=until - self._http.monotonic())

    def _levels(self, tickers: Sequence[str], field: str) -> dict[str, Level | Spy32Error]:
        """One figure of each ticker's quote, or why there is none; all of them within `seconds`."""
        until = self._until()

        def ask(ticker: str) -> Level | Spy32Error:
            try:
                found = self._json(f"quotes/{quote(file_of(ticker))}", ticker, until)
                return level_of(found, ticker, field, self._clock())
            except Spy32Error as trouble:
                return trouble

        wanted = tuple(dict.fromkeys(tickers))
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix=NAME) as pool:
            return dict(zip(wanted, pool.map(ask, wanted), strict=True))


@contextmanager
def _known(what: str) -> Iterator[None]:
    """Cboe answers 403 or 404 for what it does not have; 403 may also be its word for being asked too much."""
    try:
        yield
    except (NotPermitted, Gone):
        raise Unusable(f"cboe does not know {what}") from None


def _standard(chain: Chain) -> tuple[date, ...]:
    roots = roots_of(chain.underlying)
    return tuple(sorted({quote.expiration for quote in chain.quotes if quote.root in roots}))


def _as_vix(value: float) -> float | None:
    return value if 0 < value < HIGHEST_VIX else None


def _as_move(value: float) -> float | None:
    share = value / 100
    return share if -1 < share < LARGEST_MOVE else None


def _datum(level: Level | Spy32Error, ticker: str, unit: str, use: Callable[[float], float | None]) -> Datum:
    source = f"{NAME} {file_of(ticker).removesuffix('.json')}"
    if isinstance(level, Spy32Error):
        return Datum(value=None, unit=unit, source=source, missing=level.message)
    value = use(level.value)
    missing = None if value is not None else f"{level.value:g} is no figure for {ticker}"
    return Datum(value=value, unit=unit, source=source, as_of=level.as_of, missing=missing)
