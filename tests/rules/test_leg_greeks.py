"""Implied vol and greeks of single legs against a textbook price, a second implementation and the builders' world."""

from datetime import datetime, timedelta
from math import erfc, exp, inf, log, nan, pi, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spy32.domain.market import LegQuotes, Right
from spy32.domain.spreads import Leg
from spy32.rules.pricing import DIVIDEND_YIELD, LegGreeks, leg_greeks
from spy32.sessions import session
from tests.support import builders
from tests.support.trades import CALL, PUT, Sides, with_quote

_hours = session(builders.EXPIRATION)
assert _hours is not None
EXPIRES = _hours.close


def found(
    leg: Leg, sides: Sides | None, *, spot: float = builders.SPOT, rate: float = 0.04, now: datetime = builders.NOW
) -> LegGreeks | None:
    quotes = LegQuotes(spot=spot, as_of=now, source="cboe", quotes={})
    if sides is not None:
        quotes = with_quote(quotes, leg, sides)
    return leg_greeks(leg, quotes, rate, now)


def black(right: Right, strike: float, spot: float, rate: float, years: float, vol: float) -> dict[str, float]:
    """Second implementation, by Black's formula: the forward is the spot less dividends, carried at the rate."""
    base = spot * exp(-DIVIDEND_YIELD * years)

    def value(base: float, years: float, vol: float) -> float:
        total = vol * sqrt(years)
        d1 = log(base / strike) / total + rate * years / total + total / 2
        sign = 1 if right is CALL else -1
        late = strike * exp(-rate * years)
        return sign * (base * normal(sign * d1) - late * normal(sign * (d1 - total)))

    def normal(x: float) -> float:
        return erfc(-x / sqrt(2)) / 2

    step, day = base * 1e-4, 1e-5
    up, here, down = (value(base + shift, years, vol) for shift in (step, 0.0, -step))
    return {
        "price": here,
        "delta": (up - down) / (2 * step),
        "gamma": (up - 2 * here + down) / step**2,
        "theta": (value(base, years - day, vol) - value(base, years + day, vol)) / (2 * day * 365),
        "vega": (value(base, years, vol + 1e-4) - value(base, years, vol - 1e-4)) / 2e-4 / 100,
    }


def test_a_put_on_a_future_of_the_textbook_has_its_volatility() -> None:
    """Hull, Options, Futures and Other Derivatives, chapter 18.8: futures at 60, strike 60, four months, 9 % interest,
    25 % volatility: the put is worth 3.35."""
    now = EXPIRES - timedelta(days=365) / 3
    spot = 60 / exp((0.09 - DIVIDEND_YIELD) / 3)
    seen = found(builders.leg("60"), (3.35, 3.35), spot=spot, rate=0.09, now=now)
    assert seen is not None
    assert seen.iv == pytest.approx(0.25, abs=0.0005)
    d1 = 0.25 * sqrt(1 / 3) / 2
    assert seen.greeks.delta == pytest.approx(-erfc(d1 / sqrt(2)) / 2, abs=1e-3)
    assert seen.greeks.vega == pytest.approx(60 * exp(-0.03) * exp(-d1 * d1 / 2) / sqrt(2 * pi) * sqrt(1 / 3) / 100, rel=1e-3)  # fmt: skip # noqa: E501


@pytest.mark.parametrize("right", [PUT, CALL])
@pytest.mark.parametrize("strike", ["600", "635", "670", "700"])
def test_the_greeks_agree_with_a_second_implementation(right: Right, strike: str) -> None:
    years = (EXPIRES - builders.NOW) / timedelta(days=365)
    own = black(right, float(strike), builders.SPOT, 0.04, years, 0.18)
    seen = found(builders.leg(strike, right=right), (own["price"] - 0.01, own["price"] + 0.01))
    assert seen is not None
    assert seen.iv == pytest.approx(0.18, abs=1e-6)
    for name in ("delta", "gamma", "theta", "vega"):
        assert getattr(seen.greeks, name) == pytest.approx(own[name], rel=2e-4, abs=1e-7)


@pytest.mark.parametrize("strike", ["610", "640", "670"])
def test_the_smile_of_the_builders_is_found_again(strike: str) -> None:
    quote = builders.quote(strike=strike)
    seen = found(builders.leg(strike), (quote.bid, quote.ask))
    assert seen is not None
    assert quote.feed_delta is not None
    assert seen.iv == pytest.approx(builders.sigma(float(strike)), abs=0.002)  # of quotes in whole cents
    assert seen.greeks.delta == pytest.approx(quote.feed_delta, abs=0.003)


@pytest.mark.parametrize(
    "sides", [None, (None, 4.85), (4.81, None), (4.85, 4.81), (nan, 4.85), (4.81, inf), (-1.0, 4.0)]
)
def test_without_a_two_sided_quote_there_are_none(sides: Sides | None) -> None:
    assert found(builders.leg(), sides) is None


def test_a_price_without_a_volatility_has_none() -> None:
    assert found(builders.leg("700"), (20.0, 20.1)) is None  # below what exercise is worth
    assert found(builders.leg(), (700.0, 700.2)) is None  # above the strike
    assert found(builders.leg(), (4.81, 4.85)) is not None


@pytest.mark.parametrize("spot", [0.0, -1.0, nan, inf])
def test_a_spot_that_is_no_price_gives_none(spot: float) -> None:
    assert found(builders.leg(), (4.81, 4.85), spot=spot) is None


def test_at_the_close_of_the_last_day_no_time_is_left() -> None:
    assert found(builders.leg(), (4.81, 4.85), spot=637.0, now=EXPIRES - timedelta(seconds=60)) is not None
    assert found(builders.leg(), (4.81, 4.85), spot=637.0, now=EXPIRES) is None


@given(st.integers(600, 730), st.floats(0.08, 0.6), st.sampled_from([PUT, CALL]))
def test_a_put_has_a_delta_below_zero_a_call_above_and_both_lose_by_time_near_the_money(
    strike: int, vol: float, right: Right
) -> None:
    years = (EXPIRES - builders.NOW) / timedelta(days=365)
    price = black(right, strike, builders.SPOT, 0.04, years, vol)["price"]
    seen = found(builders.leg(str(strike), right=right), (price * 0.999, price * 1.001))
    if seen is None:
        assert price < 1e-3 or abs(strike - builders.SPOT) > 40
        return
    low, high = (-1, 0) if right is PUT else (0, 1)
    assert low <= seen.greeks.delta <= high
    assert seen.greeks.gamma >= 0
    assert seen.greeks.vega >= 0
