"""A source of market data says what it serves; for all else the base class answers."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

import pytest

from spy32.domain.market import Chain, OptionQuote, Right
from spy32.domain.spreads import Action, Leg
from spy32.errors import Unavailable
from spy32.markets.base import BaseMarket, select_leg_quotes
from spy32.ports import Market
from tests.support import builders

TARGET = builders.EXPIRATION


class Toy(BaseMarket):
    """All that a new source of chains has to write."""

    name = "toy"

    def expirations(self, underlying: str) -> tuple[date, ...]:
        return (TARGET,)

    def chain(self, underlying: str, expirations: Sequence[date]) -> Chain:
        quotes = tuple(quoted(strike, 1.0, day) for day in expirations for strike in ("630", "640"))
        return Chain(underlying=underlying, spot=670.0, as_of=builders.NOW, source=self.name, quotes=quotes)


def quoted(strike: str, bid: float, day: date = TARGET) -> OptionQuote:
    return OptionQuote(
        root="SPY", expiration=day, strike=Decimal(strike), right=Right.PUT, bid=bid, ask=bid + 0.1, last=None
    )


def leg(strike: str) -> Leg:
    return Leg(root="SPY", expiration=TARGET, strike=Decimal(strike), right=Right.PUT, action=Action.SELL_TO_OPEN)


def test_a_source_of_chains_quotes_legs_as_well() -> None:
    market: Market = Toy()
    found = market.quotes("SPY", [leg("640"), leg("641")])
    assert found.quotes == {leg("640").symbol: quoted("640", 1.0)}
    assert (found.spot, found.as_of, found.source) == (670.0, builders.NOW, "toy")


def test_what_a_source_does_not_serve_is_none_or_empty() -> None:
    market: Market = Toy()
    served = (market.history("SPY", TARGET), market.volatility(), market.volatility_history(TARGET))
    assert served == ((), {}, ())
    assert (market.moves(["QQQ"]), market.metrics("SPY")) == ({}, {})
    assert (market.dividends("SPY"), market.earnings("SPY"), market.rate().value) == (None, None, None)
    assert not market.is_recorded


def test_a_source_without_options_says_so() -> None:
    class Bare(BaseMarket):
        name = "bare"

    for ask in (lambda: Bare().expirations("SPY"), lambda: Bare().quotes("SPY", [leg("640")])):
        with pytest.raises(Unavailable, match="bare serves no options"):
            ask()


def test_a_leg_that_stands_there_with_two_prices_has_none() -> None:
    assert set(select_leg_quotes([quoted("640", 1.0), quoted("640", 1.0)], [leg("640")])) == {leg("640").symbol}
    assert select_leg_quotes([quoted("640", 1.0), quoted("640", 1.2)], [leg("640")]) == {}
