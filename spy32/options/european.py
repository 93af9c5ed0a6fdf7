"""European options on a forward (Black 1976): price, greeks, implied vol.

Every function takes whole columns. In normalised form (P. Jaeckel, Let's be rational, Wilmott 2015) the price of an
out-of-the-money option with x = -|ln(F/K)|, total volatility s = vol sqrt(T), h = x/s and t = s/2 is

    b(x, s) = exp(-(h^2 + t^2)/2) / sqrt(2 pi) * (Y(h + t) - Y(h - t)),    Y(z) = Phi(z) / phi(z)

in units of D sqrt(F K). Its slope in s is the factor before the bracket, so b / b' is the bracket, the span.
Prices and implied vols both come from the span; time value is never computed as a difference of large numbers.
"""

from math import log, sqrt

import numpy as np
from numpy.typing import ArrayLike

from spy32.domain.value import value
from spy32.options.normal import ROOT_2PI, Bools, Floats, gaussian_kernel, horner, mills_ratio, normal_cdf

DAYS_A_YEAR = 365.0
"""Theta is per calendar day."""
POINT = 0.01
"""One volatility point."""

_LOG_ROOT_2PI = log(ROOT_2PI)
_TINY = 1e-300
_ROUNDING = 4 * float(np.finfo(np.float64).eps)
_NARROW_S, _NARROW_X = 0.4, -2.0
"""For s below and x above these, the series for the span is at least as accurate as the direct difference."""
_SERIES_TERMS = 7
"""Odd terms of that series. For s < 0.4 seven are exact to 1e-16 against twelve; six err by 3e-14 (measured)."""


@value
class Contracts:
    """Columns of shape (n,): right, strike and forward (dollars), years to expiration, discount factor."""

    is_call: Bools
    strike: Floats
    forward: Floats
    years: Floats
    discount: Floats


@value
class GreekColumns:
    """Greeks per share, shape (n,), with respect to the spot.

    Theta is dollars a calendar day, vega dollars per volatility point (0.01).
    """

    delta: Floats
    gamma: Floats
    theta: Floats
    vega: Floats


def build_contracts(
    *, is_call: ArrayLike, strike: ArrayLike, forward: ArrayLike, years: ArrayLike, discount: ArrayLike = 1.0
) -> Contracts:
    """Return contracts from numbers and columns, broadcast to one dimension. Raises ValueError for unequal lengths."""
    numbers = (np.asarray(column, dtype=np.float64) for column in (strike, forward, years, discount))
    right, *rest = np.broadcast_arrays(np.atleast_1d(np.asarray(is_call, dtype=np.bool_)), *numbers)
    return Contracts(is_call=right, strike=rest[0], forward=rest[1], years=rest[2], discount=rest[3])


def price(contracts: Contracts, vol: ArrayLike) -> Floats:
    """Return prices, dollars per share, shape (n,). NaN where forward or strike <= 0, or vol or time is negative."""
    with np.errstate(all="ignore"):
        sigma = np.asarray(vol, dtype=np.float64)
        x, scale = _normalise(contracts)
        total = np.maximum(sigma * np.sqrt(contracts.years), _TINY)
        value = scale * _normalised_price(x, total) + _intrinsic(contracts)
        return np.where(sigma >= 0.0, value, np.nan)


def implied_vol(contracts: Contracts, prices: ArrayLike) -> Floats:
    """Return the implied vol of each price, fractions a year, shape (n,), as accurate as the price itself.

    NaN where no vol exists: the price is at or outside the no-arbitrage bounds (or so near that its rounding hides the
    time value), no time is left, or an input is not positive and finite.
    """
    with np.errstate(all="ignore"):
        target_prices = np.asarray(prices, dtype=np.float64)
        x, scale = _normalise(contracts)
        inner = _intrinsic(contracts)
        bound = contracts.discount * np.where(contracts.is_call, contracts.forward, contracts.strike)
        time_value, missing = target_prices - inner, bound - target_prices
        solvable = (
            (time_value > _ROUNDING * inner)
            & (missing > _ROUNDING * bound)
            & (contracts.years > 0.0)
            & (bound < np.inf)
        )
        total = _total_vol(x, np.where(solvable, time_value / scale, np.nan), missing / scale)
        return total / np.sqrt(contracts.years)


def greeks(contracts: Contracts, vol: ArrayLike, spot: ArrayLike | None = None) -> GreekColumns:
    """Return the greeks with respect to the spot, shape (n,). NaN where the vol is NaN.

    The rate is -ln(discount)/years; the dividend yield is the one that carries the spot to the forward. Without `spot`,
    it is discount x forward, the spot less the dividends paid before expiration. A dollar more of spot is then
    1/discount more of forward, as with dividends of known amount (Hull, Options, Futures and Other Derivatives,
    chapter 15.12). Formulas: Hull, chapters 17 and 19.
    """
    with np.errstate(all="ignore"):
        sigma = np.asarray(vol, dtype=np.float64)
        root = np.sqrt(contracts.years)
        carried_spot = contracts.discount * contracts.forward
        base = carried_spot if spot is None else np.asarray(spot, dtype=np.float64)
        d1 = np.log(contracts.forward / contracts.strike) / (sigma * root) + 0.5 * sigma * root
        sign = np.where(contracts.is_call, 1.0, -1.0)
        asset_leg = sign * carried_spot * normal_cdf(sign * d1)
        cash_leg = sign * contracts.strike * contracts.discount * normal_cdf(sign * (d1 - sigma * root))
        kernel = carried_spot * gaussian_kernel(d1) / ROOT_2PI
        rate = -np.log(contracts.discount) / contracts.years
        dividend_yield = rate - np.log(contracts.forward / base) / contracts.years
        decay = -0.5 * kernel * sigma / root + dividend_yield * asset_leg - rate * cash_leg
        return GreekColumns(
            delta=asset_leg / base,
            gamma=kernel / (base * base * sigma * root),
            theta=decay / DAYS_A_YEAR,
            vega=kernel * root * POINT,
        )


def _normalise(contracts: Contracts) -> tuple[Floats, Floats]:
    """Return x = -|ln(F/K)|, with full relative accuracy near the money, and the unit D sqrt(F K).

    x is NaN for impossible terms.
    """
    smaller = np.minimum(contracts.forward, contracts.strike)
    x = -np.log1p(np.abs(contracts.forward - contracts.strike) / smaller)
    possible = (smaller > 0.0) & (contracts.years >= 0.0) & (contracts.discount > 0.0)
    return np.where(possible, x, np.nan), contracts.discount * np.sqrt(contracts.forward) * np.sqrt(contracts.strike)


def _intrinsic(contracts: Contracts) -> Floats:
    gap = np.where(contracts.is_call, contracts.forward - contracts.strike, contracts.strike - contracts.forward)
    return contracts.discount * np.maximum(gap, 0.0)


def _normalised_price(x: Floats, s: Floats) -> Floats:
    """Return b(x, s), in units of D sqrt(F K)."""
    h, t = np.maximum(x / s, -100.0), 0.5 * s
    slope = np.exp(-0.5 * (h * h + t * t)) / ROOT_2PI
    near, far = mills_ratio(np.abs(h + t)), mills_ratio(t - h)
    direct = np.where(h + t < 0.0, slope * (near - far), np.exp(0.5 * x) - slope * (near + far))
    return np.where(_is_narrow(x, s), slope * _series_span(h, np.minimum(t, _NARROW_S)), direct)


def _is_narrow(x: Floats, s: Floats) -> Bools:
    return (s < _NARROW_S) & (x > _NARROW_X)


def _series_span(h: Floats, t: Floats) -> Floats:
    """Return Y(h + t) - Y(h - t) by its Taylor series in t, which loses no digits where t is small.

    The terms c(n) = Y(n) t^(n-1) / n! follow from Y(n+1) = h Y(n) + n Y(n-1), Y' = 1 + h Y. Only odd n contribute.
    """
    y = mills_ratio(-h)
    before = 1.0 + h * y
    now = 0.5 * t * (h * before + y)
    half_x, square = h * t, t * t
    total = before.copy()
    for n in range(3, 2 * _SERIES_TERMS):
        before, now = now, (half_x * now + square * before) / n
        if n % 2:
            total += now
    total *= 2.0 * t
    return total


def _total_vol(x: Floats, time_value: Floats, missing: Floats) -> Floats:
    """Return s with b(x, s) = time_value, where missing = exp(x/2) - time_value. NaN for a NaN time_value.

    One fourth-order step from the initial guess is enough in the narrow region, which is nearly the whole of a chain.
    """
    guess = _initial_total_vol(x, time_value)
    total = _narrow_step(x, np.log(time_value), guess)
    wide = np.flatnonzero(~_is_narrow(x, guess) & (time_value > 0.0))
    if wide.size > 0:
        total[wide] = _wide_total_vol(x[wide], time_value[wide], missing[wide], guess[wide])
    return total


_NORMAL_P = (
    3.994961687345134e-1,
    2.100960795068497e1,
    4.980340217855084e1,
    5.988761102690991e2,
    1.848489695437094e3,
    6.106322407867059e3,
    2.493415285349361e4,
    1.266458051348246e4,
)
_NORMAL_Q = (
    1.0,
    4.990534153589422e1,
    3.093573936743112e1,
    1.495105008310999e3,
    1.323614537899738e3,
    1.598919697679745e4,
    2.392008891720782e4,
    3.608817108375034e3,
    -2.067719486400926e2,
    1.174240599306013e1,
)


def _initial_total_vol(x: Floats, time_value: Floats) -> Floats:
    """Return a first guess of the total vol, within 3e-4 of the true one in the narrow region.

    First comes the vol of the normal model from the straddle (J. Choi, K. Kim, M. Kwak, Numerical approximation of the
    implied volatility under arithmetic Brownian motion, Applied Mathematical Finance 16, 2009), the source of the
    coefficients `_NORMAL_P` and `_NORMAL_Q`. Then comes the lognormal vol: the ratio of the two is
    |K - F| / (sqrt(F K) |x|), corrected by the inverse of the series 1 - s^2/24 + s^4/640 of the at-the-money price.
    """
    distance = np.maximum(-x, 1e-30)
    gap = 2.0 * np.sinh(0.5 * distance)
    straddle = gap + 2.0 * time_value
    eta = 2.0 * (gap / straddle) / np.log1p(gap / time_value)
    normal = sqrt(0.5 * np.pi) * straddle * np.sqrt(eta) * horner(_NORMAL_P, eta) / horner(_NORMAL_Q, eta)
    s = normal * distance / gap
    square = s * s
    return s * (1.0 + square * (1.0 / 24.0 + square * (7.0 / 1920.0)))


def _narrow_step(x: Floats, log_time_value: Floats, s: Floats) -> Floats:
    h, t = x / s, 0.5 * s
    span = _series_span(h, t)
    excess = np.log(span) - 0.5 * (h * h + t * t) - _LOG_ROOT_2PI - log_time_value
    return s + _householder_step(h, s, excess, 1.0 / span)


def _wide_total_vol(x: Floats, time_value: Floats, missing: Floats, guess: Floats) -> Floats:
    """Solve outside the narrow region: three steps on ln b, or on ln(bound - b) where b exceeds half of its bound.

    In the second case the guess is s = -2 Phi^-1(missing/2), which is exact at the money, with approximation 26.2.23 of
    Abramowitz and Stegun for Phi^-1, and h^2 subtracted from (s/2)^2.
    """
    is_low = time_value < missing
    u = np.sqrt(-2.0 * np.log(0.5 * np.minimum(missing, 1.0)))
    z = u - horner((2.515517, 0.802853, 0.010328), u) / horner((1.0, 1.432788, 0.189269, 0.001308), u)
    high = 2.0 * z * np.sqrt(np.maximum(1.0 - 0.25 * (x / (z * z)) ** 2, 0.25))
    s = np.where(is_low, guess, high)
    target = np.log(np.where(is_low, time_value, missing))
    for _ in range(3):
        h, t = x / s, 0.5 * s
        tail, far = mills_ratio(np.abs(h + t)), mills_ratio(t - h)
        whole = ROOT_2PI * np.exp(0.5 * np.minimum((h + t) ** 2, 1400.0))
        below = np.where(h + t < 0.0, tail, whole - tail)
        span = np.where(is_low, below - far, whole - below + far)
        excess = np.log(span) - 0.5 * (h * h + t * t) - _LOG_ROOT_2PI - target
        s = s + _householder_step(h, s, excess, np.where(is_low, 1.0, -1.0) / span)
    return s


def _householder_step(h: Floats, s: Floats, excess: Floats, slope: Floats) -> Floats:
    """Return the fourth-order Householder step that removes the excess of ln b (or of its complement) over the target.

    b''/b' = h^2/s - s/4 holds for the complement too, so one formula serves both.
    """
    second = h * h / s - 0.25 * s
    third = second * second - 3.0 * (h / s) ** 2 - 0.25
    newton = -excess / slope
    bend = second - slope
    twist = third - slope * (3.0 * second - 2.0 * slope)
    return newton * (1.0 + 0.5 * bend * newton) / (1.0 + newton * (bend + twist * newton / 6.0))
