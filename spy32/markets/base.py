"""The common part of all market sources. What a source does not serve is empty or None; without options it refuses."""

import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import date
from typing import Generic, TypeVar

from spy32.domain.events import ScheduledEvent
from spy32.domain.market import Chain, DailyBar, Dividend, LegQuotes, Metric, OptionQuote
from spy32.domain.spreads import Leg
from spy32.errors import Spy32Error, Unavailable, Unusable
from spy32.ports import Clock, Market
from spy32.sessions import market_date

T = TypeVar("T")


class BaseMarket:
    """Serves nothing. A source gives its `name` and overrides what it serves; with chains it quotes legs as well."""

    name = ""
    is_recorded = False
    _clock: Clock

    @property
    def _today(self) -> date:
        """The market's date of a source that has a clock."""
        return market_date(self._clock())

    def expirations(self, underlying: str) -> tuple[date, ...]:
        raise Unavailable(f"{self.name} serves no options")

    def chain(self, underlying: str, expirations: Sequence[date]) -> Chain:
        raise Unavailable(f"{self.name} serves no options")

    def quotes(self, underlying: str, legs: Sequence[Leg]) -> LegQuotes:
        """The legs' quotes out of their chain; one that is not listed, or stands there with two prices, is left out."""
        return leg_quotes(self.chain(underlying, sorted({leg.expiration for leg in legs})), legs)

    def history(self, underlying: str, since: date) -> tuple[DailyBar, ...]:
        return ()

    def volatility(self) -> dict[str, Metric]:
        return {}

    def volatility_history(self, since: date) -> tuple[tuple[date, float], ...]:
        return ()

    def rate(self) -> Metric:
        return Metric(value=None, unit="fraction", source="", missing="not served")

    def dividends(self, underlying: str) -> tuple[Dividend, ...] | None:
        return None

    def moves(self, tickers: Sequence[str]) -> dict[str, Metric]:
        return {}

    def metrics(self, underlying: str) -> dict[str, Metric]:
        return {}

    def earnings(self, underlying: str) -> tuple[ScheduledEvent, ...] | None:
        return None


class FallbackMarket(BaseMarket):
    """Asks its sources in order; the error of the first one is raised when none answers."""

    def __init__(self, sources: Sequence[Market]) -> None:
        self._sources = tuple(sources)
        self.name = self._sources[0].name

    def quotes(self, underlying: str, legs: Sequence[Leg]) -> LegQuotes:
        errors: list[Spy32Error] = []
        for source in self._sources:
            try:
                return source.quotes(underlying, legs)
            except Spy32Error as error:
                errors.append(error)
        raise errors[0]


def find_listing(
    source: str,
    underlying: str,
    wanted: Collection[date],
    fetch: Callable[[float], T],
    listed: Callable[[T], Collection[date]],
    *,
    oldest: float,
) -> T:
    """The listing with all `wanted` expirations, and any at all; one that lacks them is fetched anew once.

    `fetch` takes how old a listing may be, seconds: `oldest`, then 0.
    """
    absent: list[str] = []
    for age in (oldest, 0.0):
        listing = fetch(age)
        days = listed(listing)
        absent = [day.isoformat() for day in sorted(wanted) if day not in days]
        if days and not absent:
            return listing
    days_text = f" {', '.join(absent)}" if absent else ""
    raise Unusable(f"{source} lists no expiration{days_text} of {underlying}", gate="expiration")


def collect_metrics(
    source: str,
    unit: str,
    requests: Mapping[str, str],
    ask: Callable[[str], Metric],
    *,
    run: Callable[[Callable[[str], Metric], Iterable[str]], Iterable[Metric]] = map,
) -> dict[str, Metric]:
    """What `ask` gives for the symbol of each key, or why it is missing; when all are missing that is an error."""
    errors: list[Unavailable | Unusable] = []

    def attempt(symbol: str) -> Metric:
        try:
            return ask(symbol)
        except (Unavailable, Unusable) as error:
            errors.append(error)
            return Metric(value=None, unit=unit, source=source, missing=error.message)

    found = dict(zip(requests, run(attempt, requests.values()), strict=True))
    if errors and len(errors) == len(found):
        raise next((error for error in errors if isinstance(error, Unavailable)), errors[0])
    return found


def leg_quotes(chain: Chain, legs: Sequence[Leg]) -> LegQuotes:
    """The legs' quotes in a chain, with its spot, instant and delay."""
    return LegQuotes(
        spot=chain.spot,
        as_of=chain.as_of,
        source=chain.source,
        quotes=select_leg_quotes(chain.quotes, legs),
        delay_seconds=chain.delay_seconds,
    )


def select_leg_quotes(quotes: Iterable[OptionQuote], legs: Sequence[Leg]) -> dict[str, OptionQuote]:
    """The quote of each leg by symbol. A contract that stands there twice with different prices has no price."""
    wanted = {(leg.root, leg.expiration, leg.strike, leg.right) for leg in legs}
    found: dict[str, OptionQuote] = {}
    doubtful: set[str] = set()
    for quote in quotes:
        if (quote.root, quote.expiration, quote.strike, quote.right) not in wanted:
            continue
        first = found.setdefault(quote.symbol, quote)
        if (first.bid, first.ask) != (quote.bid, quote.ask):
            doubtful.add(quote.symbol)
    return {symbol: quote for symbol, quote in found.items() if symbol not in doubtful}


class Memo(Generic[T]):
    """Recent answers by name; threads that ask for the same share one request. `now` counts seconds."""

    def __init__(self, source: str, now: Callable[[], float]) -> None:
        self._source = source
        self._now = now
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[float, T]] = {}

    def get(self, name: str, ask: Callable[[], T], *, oldest: float, seconds: float) -> T:
        """The answer, asked for anew when it is `oldest` seconds old; `Unavailable` after waiting `seconds`."""
        if not self._lock.acquire(timeout=max(seconds, 0.0)):
            raise Unavailable(f"{self._source} was busy with another question for {seconds:.0f} s")
        try:
            kept = self._kept.get(name)
            if kept is None or not 0 <= self._now() - kept[0] < oldest:
                kept = self._kept[name] = (self._now(), ask())
            return kept[1]
        finally:
            self._lock.release()
