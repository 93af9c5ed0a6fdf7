"""The curve of vols: against smiles that are known, against noise, and against recorded chains."""

import math
from collections.abc import Callable, Iterator
from datetime import date
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spy32.errors import Unusable
from spy32.markets.recorded import SHIPPED_CHAIN, RecordedMarket
from spy32.options import smile_fit
from spy32.options.european import build_contracts, greeks
from spy32.options.smile_fit import QuotedVols, SmileCurve, fit_curve
from spy32.options.surface import Smile, build_smile
from spy32.sessions import market_date
from tests.support.paths import DATA
from tests.support.smile_checks import calendar_shortfall, misses, quoted_strikes, steepest_fall
from tests.support.snapshots import recorded_smile

FORWARD = 600.0
CHAINS = [SHIPPED_CHAIN, *sorted((DATA / "chains").glob("SP[XY]_*.csv.gz"))]


def quoted(vol_of: Callable[[np.ndarray], np.ndarray], years: float, half_spread: float = 0.01) -> QuotedVols:
    """Quotes of 90 strikes from 6 deviations below the forward to 3 above."""
    atm = float(vol_of(np.zeros(1))[0])
    moneyness = np.linspace(-6, 3, 90) * atm * math.sqrt(years)
    strike, vol = FORWARD * np.exp(moneyness), vol_of(moneyness)
    contracts = build_contracts(is_call=strike >= FORWARD, strike=strike, forward=FORWARD, years=years)
    return QuotedVols(strike=strike, vol=vol, weight=greeks(contracts, vol).vega * 100 / half_spread)


def ssvi(atm: float, years: float, lean: float, bend: float) -> Callable[[np.ndarray], np.ndarray]:
    """Gatheral and Jacquier's surface SVI, equation 4.1; `bend` 0 to 1 is the share of the largest curvature that
    theorem 4.2 shows to be free of butterfly arbitrage."""
    theta = atm * atm * years
    phi = bend * min(4 / (theta * (1 + abs(lean))), math.sqrt(4 / (theta * (1 + abs(lean)))))

    def vol_of(k: np.ndarray) -> np.ndarray:
        w = theta / 2 * (1 + lean * phi * k + np.sqrt((phi * k + lean) ** 2 + 1 - lean**2))
        return np.asarray(np.sqrt(w / years))

    return vol_of


def put_price(curve: SmileCurve, strike: float) -> float:
    """A second implementation, by the standard library, undiscounted."""
    total = float(curve.vol(np.array([strike]))[0]) * math.sqrt(curve.years)
    d1 = math.log(curve.forward / strike) / total + total / 2
    n = NormalDist().cdf
    return strike * n(total - d1) - curve.forward * n(-d1)


def recorded(days: range = range(25, 46)) -> Iterator[tuple[str, Smile]]:
    """The smiles of every expiration of every recorded chain, each above the one before it."""
    for path in CHAINS:
        market = RecordedMarket.load(path)
        earlier = None
        for day in market.expirations(market.underlying):
            if (day - market_date(market.as_of)).days in days:
                smile = recorded_smile(market, day, earlier)
                earlier = smile.curve
                yield f"{path.name} {day}", smile


@given(vol=st.floats(0.05, 1.0), years=st.floats(0.005, 1.0))
@settings(deadline=None, max_examples=60)
def test_a_flat_smile_is_reproduced_also_beyond_its_quotes(vol: float, years: float) -> None:
    curve = fit_curve(quoted(lambda k: np.full(len(k), vol), years), FORWARD, years)
    strikes = FORWARD * np.exp(np.linspace(-8, 8, 50) * vol * math.sqrt(years))
    np.testing.assert_allclose(curve.vol(strikes), vol, rtol=1e-7)
    exact = [
        NormalDist().cdf(math.log(k / FORWARD) / (vol * math.sqrt(years)) + vol * math.sqrt(years) / 2) for k in strikes
    ]
    np.testing.assert_allclose(curve.probability_below(strikes), exact, atol=1e-6)


@given(atm=st.floats(0.08, 0.8), years=st.floats(0.02, 0.5), lean=st.floats(-0.8, 0.3), bend=st.floats(0.05, 0.4))
@settings(deadline=None, max_examples=60)
def test_a_smile_without_arbitrage_is_recovered(atm: float, years: float, lean: float, bend: float) -> None:
    vol_of = ssvi(atm, years, lean, bend)
    quotes = quoted(vol_of, years)
    curve = fit_curve(quotes, FORWARD, years)
    assert np.abs(quotes.weight * (curve.vol(quotes.strike) - quotes.vol)).max() < 1
    strikes = quoted_strikes(curve)
    assert steepest_fall(curve) >= -1e-12
    middle = np.abs(np.log(strikes / FORWARD)) < 2 * curve.scale
    np.testing.assert_allclose(
        curve.vol(strikes)[middle], vol_of(np.log(strikes / FORWARD))[middle], atol=0.003 * max(1, atm / 0.2)
    )


@given(seed=st.integers(0, 10**6), size=st.floats(0.1, 10), lean=st.floats(-0.9, 0.3), bend=st.floats(0.05, 0.9))
@settings(deadline=None, max_examples=60)
def test_noise_never_makes_a_butterfly(seed: int, size: float, lean: float, bend: float) -> None:
    """Noise of up to 10 half-spreads of a cent."""
    quotes = quoted(ssvi(0.18, 32 / 365, lean, bend), 32 / 365)
    noise = np.random.default_rng(seed).uniform(-size, size, len(quotes.vol)) / quotes.weight
    vol = np.maximum(quotes.vol + noise, quotes.vol / 3)
    curve = fit_curve(QuotedVols(strike=quotes.strike, vol=vol, weight=quotes.weight), FORWARD, 32 / 365)
    assert steepest_fall(curve) >= -1e-9
    assert (curve.vol(quoted_strikes(curve)) > 0).all()


def test_one_stale_quote_does_not_bend_the_curve() -> None:
    quotes = quoted(ssvi(0.18, 32 / 365, -0.7, 0.5), 32 / 365)
    vol = quotes.vol.copy()
    vol[50] += 30 / quotes.weight[50]
    clean, bent = (
        fit_curve(QuotedVols(strike=quotes.strike, vol=each, weight=quotes.weight), FORWARD, 32 / 365)
        for each in (quotes.vol, vol)
    )
    moved = np.abs(quotes.weight * (bent.vol(quotes.strike) - clean.vol(quotes.strike)))
    assert moved.max() < 1


def test_the_probability_is_the_slope_of_the_put_price() -> None:
    for name, smile in recorded(range(28, 33)):
        curve = smile.curve
        assert curve is not None
        for x in np.linspace(curve.low - 1, curve.high + 1, 60):
            strike = float(curve.forward * np.exp(x * curve.scale))
            step = strike * 1e-5
            slope = (put_price(curve, strike + step) - put_price(curve, strike - step)) / (2 * step)
            assert float(curve.probability_below(np.array([strike]))[0]) == pytest.approx(slope, abs=2e-5), name


def test_recorded_quotes_are_repriced_inside_their_bid_ask_without_arbitrage() -> None:
    last = ""
    curve: SmileCurve | None = None
    for name, smile in recorded():
        assert smile.curve is not None
        assert (misses(smile) == 0).mean() >= (0.75 if name.startswith("SPX_2020-03-20.csv.gz 2020-04-17") else 0.98), (
            name
        )
        assert steepest_fall(smile.curve) >= -1e-12, name
        if curve is not None and last == name.split()[0]:
            assert calendar_shortfall(curve, smile.curve) <= 1e-5, name
        last, curve = name.split()[0], smile.curve


def test_the_total_variance_of_an_earlier_expiration_is_a_floor() -> None:
    earlier = fit_curve(quoted(lambda k: np.full(len(k), 0.3), 25 / 365), FORWARD, 25 / 365)
    later = fit_curve(quoted(lambda k: 0.27 - 0.3 * k, 32 / 365), FORWARD, 32 / 365, earlier)
    free = fit_curve(quoted(lambda k: 0.27 - 0.3 * k, 32 / 365), FORWARD, 32 / 365)
    assert calendar_shortfall(earlier, free) > 0.01
    assert calendar_shortfall(earlier, later) <= 1e-6
    assert steepest_fall(later) >= -1e-12


def test_a_fit_without_the_bound_on_the_density_has_butterflies(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound is what keeps them out: without it the same noise makes them."""
    monkeypatch.setattr(smile_fit, "BOUND_WEIGHT", 0.0)
    monkeypatch.setattr(smile_fit, "ROUGHNESS_LADDER", (1.0,))
    with pytest.raises(AssertionError):
        test_noise_never_makes_a_butterfly.hypothesis.inner_test(6, 10, -0.5, 0.9)  # type: ignore[attr-defined]


def test_quotes_without_a_forward_have_no_curve() -> None:
    with pytest.raises(Unusable):
        build_smile([], spot=600, years=0.1, rate=0.04, expiration=date(2026, 1, 16))
