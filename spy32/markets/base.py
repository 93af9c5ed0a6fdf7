"""The common part of all market sources. What a source does not serve is empty or None; without options it refuses."""

from collections.abc import Iterable, Sequence
from datetime import date

from spy32.domain.events import ScheduledEvent
from spy32.domain.market import Chain, DailyBar, Dividend, LegQuotes, Metric, OptionQuote
from spy32.domain.spreads import Leg
from spy32.errors import Unavailable


class BaseMarket:
    """Serves nothing. A source gives its `name` and overrides what it serves; with chains it quotes legs as well."""

    name = ""
    is_recorded = False

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
