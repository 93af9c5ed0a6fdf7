"""The synthetic market has no arbitrage, and is the shipped history at every open and close."""

from datetime import date, datetime, timedelta

import numpy as np
import pytest
from numpy.typing import NDArray

from spy32.domain.market import Right
from spy32.markets import bundled_history
from spy32.markets.synthetic import SyntheticMarket
from spy32.ports import Market
from spy32.sessions import session
from tests.contract.test_market import MarketContract
from tests.support.fakes import ManualClock

DAYS = ["2020-03-16", "2022-01-24", "2022-06-13", "2017-11-06"]


class TestSyntheticMarket(MarketContract):
    def make(self) -> Market:
        return market_at("2022-01-24")


def market_at(day: str, clock_time: str = "15:00") -> SyntheticMarket:
    return SyntheticMarket(ManualClock(at=datetime.fromisoformat(f"{day}T{clock_time}:00+00:00")))


def fair_prices(
    market: SyntheticMarket, expiration: date, right: Right, strikes: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The prices before they are rounded to quotes."""
    return market._prices(expiration, right, strikes, market.spot(), market._clock())


@pytest.mark.parametrize("day", DAYS)
def test_prices_are_monotone_and_convex_in_the_strike_and_puts_match_calls(day: str) -> None:
    market = market_at(day)
    spot = market.spot()
    strikes = np.arange(round(spot * 0.75), round(spot * 1.25), dtype=np.float64)
    for expiration in market.expirations("SPY")[1:]:
        puts, calls = (fair_prices(market, expiration, right, strikes) for right in (Right.PUT, Right.CALL))
        tolerance = 1e-9 * spot
        assert (np.diff(puts) >= -tolerance).all() and (np.diff(calls) <= tolerance).all()
        assert (np.diff(puts, 2) >= -tolerance).all() and (np.diff(calls, 2) >= -tolerance).all()
        assert np.ptp(np.diff(calls - puts)) < tolerance


@pytest.mark.parametrize("day", DAYS)
def test_the_path_begins_at_the_open_and_ends_at_the_close(day: str) -> None:
    market = market_at(day)
    clock = market._clock
    assert isinstance(clock, ManualClock)
    hours = session(clock.at.date())
    assert hours is not None
    (bar,) = bundled_history.daily_bars(hours.option_close + timedelta(hours=1), hours.day)
    clock.at = hours.open
    assert market.spot() == pytest.approx(bar.open)
    clock.at = hours.option_close
    assert market.spot() == pytest.approx(bar.close)


def test_every_quote_holds_its_price() -> None:
    market = market_at("2022-01-24")
    expiration = market.expirations("SPY")[-1]
    chain = market.chain("SPY", [expiration])
    assert len(chain.quotes) > 200
    for right in Right:
        quotes = [quote for quote in chain.quotes if quote.right is right]
        mids = fair_prices(market, expiration, right, np.array([float(quote.strike) for quote in quotes]))
        assert all(
            quote.bid is not None and quote.ask is not None and quote.bid <= mid <= quote.ask and quote.bid < quote.ask
            for quote, mid in zip(quotes, mids, strict=True)
        )
