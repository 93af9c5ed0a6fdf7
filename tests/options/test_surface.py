"""Prices, greeks and implied volatilities against published numbers, a second implementation and properties."""

import csv
import math
from decimal import Decimal
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spy32.errors import Unusable
from spy32.options.density import implied_density
from spy32.options.european import build_contracts, greeks, implied_vol, price
from spy32.options.normal import normal_cdf
from spy32.options.spreads import breakevens, exact_payoff, max_loss
from spy32.options.surface import Smile, build_smile
from tests.support import builders
from tests.support.paths import DATA

GOLDEN = DATA / "golden"


def table(name: str) -> list[dict[str, str]]:
    with (GOLDEN / f"{name}.csv").open() as file:
        return list(csv.DictReader(file))


def column(rows: list[dict[str, str]], name: str) -> np.ndarray:
    return np.array([float(row[name]) for row in rows])


def calls(rows: list[dict[str, str]]) -> np.ndarray:
    return np.array([row["option_type"] == "C" for row in rows])


def with_spot(rows: list[dict[str, str]]) -> tuple[object, np.ndarray]:
    """Contracts of a table that states spot, yield and rate, and the spot."""
    spot, q, r, years = (column(rows, name) for name in ("spot", "q", "r", "t_years"))
    them = build_contracts(
        is_call=calls(rows),
        strike=column(rows, "strike"),
        forward=spot * np.exp((r - q) * years),
        years=years,
        discount=np.exp(-r * years),
    )
    return them, spot


def test_prices_are_those_of_haug() -> None:
    rows = table("european_haug")
    them, _ = with_spot(rows)
    np.testing.assert_allclose(price(them, column(rows, "vol")), column(rows, "value"), atol=1e-4)


def test_prices_and_greeks_agree_with_sixty_digits() -> None:
    rows = table("european_bsm_high_precision")
    them, spot = with_spot(rows)
    vol = column(rows, "vol")
    found = greeks(them, vol, spot)
    np.testing.assert_allclose(price(them, vol), column(rows, "price"), rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(found.delta, column(rows, "delta"), rtol=1e-11, atol=1e-14)
    np.testing.assert_allclose(found.gamma, column(rows, "gamma"), rtol=1e-11, atol=1e-14)
    np.testing.assert_allclose(found.vega * 100, column(rows, "vega"), rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(found.theta * 365, column(rows, "theta_year"), rtol=1e-10, atol=1e-10)


def test_greeks_are_those_of_haug() -> None:
    rows = [row for row in table("european_greeks_haug") if row["greek"] in ("delta", "gamma", "vega", "theta")]
    assert rows
    them, spot = with_spot(rows)
    found = greeks(them, column(rows, "vol"), spot)
    scale = {"delta": 1.0, "gamma": 1.0, "vega": 100.0, "theta": 365.0}
    for place, row in enumerate(rows):
        figure = float(getattr(found, row["greek"])[place]) * scale[row["greek"]]
        assert figure == pytest.approx(float(row["value"]), abs=float(row["tolerance"]))


@pytest.mark.parametrize("side", ["call", "put"])
def test_prices_far_from_the_money_are_those_of_py_vollib(side: str) -> None:
    rows = table("european_greeks_py_vollib")
    spot, r, years = (column(rows, name) for name in ("spot", "r", "t_years"))
    them = build_contracts(
        is_call=side == "call",
        strike=column(rows, "strike"),
        forward=spot * np.exp(r * years),
        years=years,
        discount=np.exp(-r * years),
    )
    found = greeks(them, column(rows, "vol"), spot)
    np.testing.assert_allclose(price(them, column(rows, "vol")), column(rows, side), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(found.delta, column(rows, f"{side}_delta"), rtol=1e-5, atol=1e-6)


def hard(rows: list[dict[str, str]]) -> np.ndarray:
    them = build_contracts(
        is_call=calls(rows),
        strike=column(rows, "strike"),
        forward=column(rows, "forward"),
        years=column(rows, "t_years"),
        discount=column(rows, "discount"),
    )
    return np.asarray(implied_vol(them, column(rows, "price")))


def test_hard_volatilities_are_found_to_what_the_price_itself_allows() -> None:
    rows = [row for row in table("implied_vol_hard_cases") if "not identified" not in row["category"]]
    found = hard(rows)
    for row, vol in zip(rows, found, strict=True):
        true = float(row["vol_of_this_double_price"])
        slack = 64 * float(row["vol_error_per_half_ulp_of_price"]) + 1e-13 * true
        if "huge" in row["category"] and not math.isfinite(vol):
            continue  # the price is within rounding of its upper bound
        assert vol == pytest.approx(true, abs=slack), row


def test_a_price_without_a_volatility_gives_none() -> None:
    assert np.isnan(hard(table("implied_vol_no_solution"))).all()


def scalar(is_call: bool, forward: float, strike: float, years: float, vol: float, discount: float) -> float:
    """A second implementation, by the standard library."""
    spread = vol * math.sqrt(years)
    d1 = math.log(forward / strike) / spread + spread / 2
    n, sign = NormalDist().cdf, 1 if is_call else -1
    return discount * sign * (forward * n(sign * d1) - strike * n(sign * (d1 - spread)))


terms = {
    "forward": st.floats(50, 1000),
    "moneyness": st.floats(-0.4, 0.4),
    "years": st.floats(0.01, 1.0),
    "vol": st.floats(0.05, 1.0),
    "is_call": st.booleans(),
}


@given(**terms)
def test_the_price_is_that_of_a_second_implementation(
    forward: float, moneyness: float, years: float, vol: float, is_call: bool
) -> None:
    strike = forward * math.exp(moneyness)
    them = build_contracts(is_call=is_call, strike=strike, forward=forward, years=years, discount=0.99)
    expected = scalar(is_call, forward, strike, years, vol, 0.99)
    assert float(price(them, vol)[0]) == pytest.approx(expected, abs=1e-10 * forward)


@given(**terms)
def test_puts_and_calls_are_in_parity_and_within_their_bounds(
    forward: float, moneyness: float, years: float, vol: float, is_call: bool
) -> None:
    strike = forward * math.exp(moneyness)
    call, put = (
        float(price(build_contracts(is_call=side, strike=strike, forward=forward, years=years, discount=0.99), vol)[0])
        for side in (True, False)
    )
    assert call - put == pytest.approx(0.99 * (forward - strike), abs=1e-9 * forward)
    assert max(0.0, 0.99 * (forward - strike)) <= call <= 0.99 * forward
    assert max(0.0, 0.99 * (strike - forward)) <= put <= 0.99 * strike


@given(**terms)
def test_the_volatility_of_a_price_gives_the_price_again(
    forward: float, moneyness: float, years: float, vol: float, is_call: bool
) -> None:
    them = build_contracts(
        is_call=is_call, strike=forward * math.exp(moneyness), forward=forward, years=years, discount=0.99
    )
    paid = price(them, vol)
    found = implied_vol(them, paid)
    if math.isfinite(found[0]):
        np.testing.assert_allclose(price(them, found), paid, rtol=1e-9, atol=1e-11)


@given(**terms)
def test_delta_is_the_slope_of_the_price_to_the_spot(
    forward: float, moneyness: float, years: float, vol: float, is_call: bool
) -> None:
    strike, step = forward * math.exp(moneyness), forward * 1e-5
    up, down = (
        float(
            price(
                build_contracts(is_call=is_call, strike=strike, forward=forward + move, years=years, discount=0.99), vol
            )[0]
        )
        for move in (step, -step)
    )
    them = build_contracts(is_call=is_call, strike=strike, forward=forward, years=years, discount=0.99)
    # With dividends of known amount a dollar of spot is 1/discount dollars of forward.
    assert float(greeks(them, vol).delta[0]) == pytest.approx((up - down) / (2 * step) / 0.99, abs=1e-5)


def test_the_normal_distribution_is_that_of_the_standard_library() -> None:
    points = np.linspace(-8, 8, 401)
    np.testing.assert_allclose(normal_cdf(points), [0.5 * math.erfc(-x / math.sqrt(2)) for x in points], rtol=1e-13)


# A whole expiration.


def valued() -> Smile:
    chain = builders.chain()
    years = (builders.EXPIRATION - builders.TODAY).days / 365
    return build_smile(chain.quotes, spot=chain.spot, years=years, rate=builders.RATE, expiration=builders.EXPIRATION)


def test_the_forward_of_parity_is_the_one_that_made_the_quotes() -> None:
    years = (builders.EXPIRATION - builders.TODAY).days / 365
    expected = builders.SPOT * math.exp((builders.RATE - builders.DIVIDEND_YIELD) * years)
    assert valued().forward == pytest.approx(expected, abs=0.05)


def test_each_volatility_is_the_one_that_made_its_quote() -> None:
    found = valued()
    for quote, vol in zip(found.quotes, found.iv, strict=True):
        if 620 <= quote.strike <= 710 and math.isfinite(vol):
            assert vol == pytest.approx(builders.sigma(float(quote.strike)), abs=0.01)


def test_too_few_pairs_give_no_forward() -> None:
    chain = builders.chain()
    with pytest.raises(Unusable):
        build_smile(chain.quotes[:4], spot=chain.spot, years=0.09, rate=0.04, expiration=builders.EXPIRATION)


def test_the_greeks_and_the_vol_at_the_money_are_those_of_the_curve() -> None:
    found = valued()
    curve = found.curve
    assert curve is not None
    known = np.isfinite(found.quote_iv)
    np.testing.assert_array_equal(np.isfinite(found.iv), known)
    np.testing.assert_allclose(found.iv[known], curve.vol(found.strike[known]), rtol=1e-14)
    assert found.atm_iv() == float(curve.vol(np.array([found.forward]))[0])
    contracts = build_contracts(
        is_call=found.is_call, strike=found.strike, forward=found.forward, years=found.years, discount=found.discount
    )
    np.testing.assert_allclose(found.delta, greeks(contracts, found.iv).delta, rtol=1e-14)
    np.testing.assert_allclose(price(contracts, found.quote_iv)[known], found.mid[known], rtol=1e-9)


def test_with_few_strikes_each_quote_keeps_its_own_vol() -> None:
    chain = builders.chain()
    quotes = [quote for quote in chain.quotes if quote.strike in {665, 668, 670, 672, 675}]
    found = build_smile(quotes, spot=chain.spot, years=0.09, rate=0.04, expiration=builders.EXPIRATION)
    assert found.curve is None
    np.testing.assert_array_equal(found.iv, found.quote_iv)
    with pytest.raises(Unusable):
        implied_density(found)


# Spreads.


@given(st.integers(0, 2000).map(Decimal), st.integers(1, 499))
def test_a_put_credit_spread_loses_at_most_width_less_credit(at: Decimal, cents: int) -> None:
    spread, credit = builders.spread(), Decimal(cents) / 100
    worst = max_loss(spread, credit, Decimal(0))
    assert worst == (spread.width - credit) * 100
    assert -worst <= (exact_payoff(spread, at) + credit) * 100 <= credit * 100


@given(st.integers(1, 499))
def test_the_breakeven_is_where_nothing_is_made(cents: int) -> None:
    spread, credit = builders.spread(), Decimal(cents) / 100
    (at,) = breakevens(spread, credit)
    assert exact_payoff(spread, at) + credit == 0
    assert spread.long.strike < at < spread.short.strike
