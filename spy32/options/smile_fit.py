"""One smooth curve of implied vol over the strikes of an expiration, free of arbitrage between them.

The curve is a cubic spline, fitted by penalised least squares (P-splines: Eilers and Marx, "Flexible smoothing with
B-splines and penalties", Statistical Science 11, 1996). Its argument is y = asinh(x / STRETCH) of the standardised
log-moneyness x = ln(K/F) / (at-the-money vol x sqrt T), so that the knots are dense where the strikes are. A miss is
measured in half-spreads of the quote, and counts linearly beyond one, so that a stale quote does not bend the curve
(Huber, "Robust estimation of a location parameter", 1964). Two one-sided penalties make it free of arbitrage: on a
density below `MIN_DENSITY`, and on a total variance below that of an earlier expiration at equal log-moneyness.
"""

from math import sqrt

import numpy as np
from numpy.typing import NDArray

from spy32.domain.value import value
from spy32.options.normal import ROOT_2PI, Floats, gaussian_kernel, normal_cdf

INTERVALS = 80
"""Spline intervals between the outermost strikes. Fewer than a chain has strikes, so that one quote makes no bump."""
STRETCH = 2.0
"""Standard deviations within which the knots are equally spaced in x. Beyond, they spread as the strikes do."""
ROUGHNESS_LADDER = (1.0, 1e2, 1e4, 1e6)
"""Weight of the squared third derivative against a squared miss of one half-spread. The first was chosen on recorded
chains: they are followed inside their bid-ask, and half a tick of noise leaves the ranking of a menu as it is
(`docs/numbers.md`). None of them needs the others, which end at a curve without bends."""
LOWEST_VOL = 0.5
"""Lowest vol of the curve, a fraction of the lowest quoted one."""
MIN_HALF_SPREAD = 0.005
"""Half of the narrowest possible bid-ask spread, dollars: no quote gets more weight than that spread gives."""
MIN_DENSITY = 0.02
"""Smallest density where the penalty begins, as a fraction of the lognormal density with the local vol. Above zero,
because a penalty holds its bound only nearly, and because it is checked at points."""
BOUND_WEIGHT = 1e7
"""Weight of a squared shortfall of the density factor: 0.01 costs as much as a miss of 30 half-spreads."""
CALENDAR_WEIGHT = 1e10
"""Weight of a squared shortfall in vol: 0.001 points cost one half-spread. An at-the-money quote weighs 1e8."""
CALENDAR_MARGIN = 1e-5
"""Vol above the floor that the penalty aims at, 0.001 points, because it holds a bound only nearly."""
TINY = 1e-300
"""Keeps a division by zero away where its result is not used."""
MAX_STEPS = 30
"""Most Gauss-Newton steps. Recorded chains take 0 to 10; the curve is the best one found in any case."""
MIN_GAIN = 1e-3
"""Relative gain of a step below which the search ends: less than a thousandth of the remaining misses."""


@value
class QuotedVols:
    """The out-of-the-money quotes of one expiration by rising strike, columns of shape (n,)."""

    strike: Floats
    vol: Floats
    """Of the mid, fractions a year."""
    weight: Floats
    """Half-spreads of miss per unit of vol."""


@value
class SmileCurve:
    """Vol as a function of the strike, also beyond the quoted ones."""

    forward: float
    years: float
    scale: float
    """At-the-money vol times sqrt(years): one unit of x."""
    low: float
    high: float
    """The outermost quoted strikes, in x."""
    coefficients: Floats
    """Of the B-splines, fractions a year, shape (INTERVALS + 3,)."""

    def vol(self, strikes: Floats) -> Floats:
        """Return the vol at each strike (dollars), fractions a year, shape of `strikes`."""
        return self._vol_and_slope(strikes)[0]

    def probability_below(self, strikes: Floats) -> Floats:
        """Return the risk-neutral probability of an end below each strike (dollars), shape of `strikes`.

        It is the slope of the undiscounted put price in the strike (Breeden and Litzenberger, 1978):
        N(-d2) + n(d2) x ds/dlnK with the total vol s.
        """
        vols, slope = self._vol_and_slope(strikes)
        total = vols * sqrt(self.years)
        d2 = -np.log(strikes / self.forward) / total - 0.5 * total
        skew = slope * sqrt(self.years) / self.scale
        return np.asarray(normal_cdf(-d2) + gaussian_kernel(d2) / ROOT_2PI * skew)

    def _vol_and_slope(self, strikes: Floats) -> tuple[Floats, Floats]:
        """Return the vols and their slopes in x.

        Beyond the quotes a rising variance goes on rising in a line. A falling one levels off within a standard
        deviation, and so that it loses at most half: without a kink, which would be a lump of probability.
        """
        x = np.log(np.maximum(strikes, 1e-9) / self.forward) / self.scale
        inside = np.clip(x, self.low, self.high)
        place, rate, _ = _spline_places(inside, self.low, self.high)
        left, (values, slopes, _) = _spline_parts(place)
        near = self.coefficients[left + np.arange(4)[:, None]]
        vols, slope = (values * near).sum(axis=0), (slopes * near).sum(axis=0) * rate
        distance, side = np.abs(x - inside), np.sign(x - inside)
        rise = 2 * vols * slope * side
        falls = rise < 0.0
        reach = np.where(falls, np.minimum(1.0, vols * vols / np.maximum(-2 * rise, TINY)), 1.0)
        lasting = np.where(falls, np.exp(-distance / reach), 1.0)
        beyond = np.sqrt(vols * vols + rise * np.where(falls, reach * (1 - lasting), distance))
        return np.where(side == 0, vols, beyond), np.where(side == 0, slope, rise * lasting * side / (2 * beyond))


def fit_curve(quoted: QuotedVols, forward: float, years: float, earlier: SmileCurve | None = None) -> SmileCurve:
    """Return the curve nearest to the quotes; `earlier` is that of an earlier expiration, a floor for the variance.

    Where noise is so strong that the search ends with a negative density, it is repeated with more smoothing.
    """
    scale = float(np.interp(forward, quoted.strike, quoted.vol)) * sqrt(years)
    for roughness in ROUGHNESS_LADDER:
        problem = _Problem(quoted, forward, years, scale, earlier, roughness)
        best = _search(problem)
        if problem.density_factor(best)[0].min() > 0.0:
            break
    return SmileCurve(forward=forward, years=years, scale=scale, low=problem.low, high=problem.high, coefficients=best)


def _search(problem: "_Problem") -> Floats:
    """Return the coefficients of least cost, by Gauss-Newton steps that are halved until the cost falls."""
    best = problem.first_guess()
    cost = problem.cost(best)
    for _ in range(MAX_STEPS):
        step, share = problem.step(best), 1.0
        while not (new_cost := problem.cost(best + share * step)) <= cost and share > MIN_GAIN:
            share /= 2
        if not new_cost <= cost * (1 - MIN_GAIN):
            break
        best, cost = best + share * step, new_cost
    return best


class _Problem:
    """The cost of a curve's coefficients c, and the Gauss-Newton step that lowers it."""

    def __init__(
        self,
        quoted: QuotedVols,
        forward: float,
        years: float,
        scale: float,
        earlier: SmileCurve | None,
        roughness: float,
    ) -> None:
        x = np.log(quoted.strike / forward) / scale
        self.years, self.scale, self.low, self.high = years, scale, float(x[0]), float(x[-1])
        self.quoted = quoted
        self.data = _curve_rows(x, self.low, self.high)[0]
        # Two points to an interval: the density of a cubic spline is nearly linear between them.
        self.x = stretched_grid(self.low, self.high, 2 * INTERVALS + 1)
        self.rows = _curve_rows(self.x, self.low, self.high)
        step = (np.arcsinh(self.high / STRETCH) - np.arcsinh(self.low / STRETCH)) / INTERVALS
        rough = np.diff(np.eye(INTERVALS + 3), 3, axis=0) / step**2.5
        self.penalty = roughness * rough.T @ rough
        self.floor = np.maximum(_vol_floor(self.x * scale, years, earlier), LOWEST_VOL * quoted.vol.min())

    def first_guess(self) -> Floats:
        """Return the coefficients of the fit without robust weights and bounds."""
        weighted = self.data * self.quoted.weight[:, None]
        return np.asarray(
            np.linalg.solve(weighted.T @ weighted + self.penalty, weighted.T @ (self.quoted.weight * self.quoted.vol))
        )

    def cost(self, c: Floats) -> float:
        """Return the penalised sum of squares."""
        miss = np.abs(self._misses(c))
        robust = np.where(miss < 1, miss * miss, 2 * miss - 1)
        factor = self.density_factor(c)[0]
        return float(
            robust.sum()
            + c @ self.penalty @ c
            + BOUND_WEIGHT * (np.maximum(MIN_DENSITY - factor, 0.0) ** 2).sum()
            + CALENDAR_WEIGHT * (np.maximum(self.floor - self.rows[0] @ c, 0.0) ** 2).sum()
        )

    def step(self, c: Floats) -> Floats:
        """Return the change of c that minimises the cost with the bounds linearised and only the broken ones kept."""
        miss = self._misses(c)
        robust = 1 / np.maximum(np.abs(miss), 1.0)
        weighted = self.data * self.quoted.weight[:, None]
        factor, factor_rows = self.density_factor(c)
        thin, gap = factor < MIN_DENSITY, self.floor - self.rows[0] @ c
        bound, floor = factor_rows[thin], self.rows[0][gap > 0]
        matrix = (
            weighted.T @ (weighted * robust[:, None])
            + self.penalty
            + BOUND_WEIGHT * bound.T @ bound
            + CALENDAR_WEIGHT * floor.T @ floor
        )
        right = (
            BOUND_WEIGHT * bound.T @ (MIN_DENSITY - factor[thin])
            + CALENDAR_WEIGHT * floor.T @ gap[gap > 0]
            - weighted.T @ (robust * miss)
            - self.penalty @ c
        )
        return np.asarray(np.linalg.solve(matrix, right))

    def _misses(self, c: Floats) -> Floats:
        return np.asarray(self.quoted.weight * (self.data @ c - self.quoted.vol))

    def density_factor(self, c: Floats) -> tuple[Floats, Floats]:
        """Return the density at each point over the lognormal one, and its derivatives in c.

        With the total vol s(k) it is (1 - k s'/s)^2 - (s s'/2)^2 + s s'' (Gatheral and Jacquier, "Arbitrage-free SVI
        volatility surfaces", 2014, equation 2.1, written for s instead of the variance).
        """
        vol, slope, bend = (rows @ c for rows in self.rows)
        atm_squared = self.scale**2 / self.years
        lean_unit = self.years / (2 * self.scale)
        steep, lean = 1 - self.x * slope / vol, lean_unit * vol * slope
        by_vol = 2 * steep * self.x * slope / vol**2 - 2 * lean * lean_unit * slope + bend / atm_squared
        by_slope = -2 * steep * self.x / vol - 2 * lean * lean_unit * vol
        value_rows, slope_rows, bend_rows = self.rows
        derivatives = (
            value_rows * by_vol[:, None] + slope_rows * by_slope[:, None] + bend_rows * (vol / atm_squared)[:, None]
        )
        return steep**2 - lean**2 + vol * bend / atm_squared, derivatives


def stretched_grid(low: float, high: float, points: int) -> Floats:
    """Return points from `low` to `high`, in x, spaced as the knots of a curve are."""
    first, last = np.arcsinh(low / STRETCH), np.arcsinh(high / STRETCH)
    return np.clip(STRETCH * np.sinh(np.linspace(first, last, points)), low, high)


def _vol_floor(moneyness: Floats, years: float, earlier: SmileCurve | None) -> Floats:
    """Return the vol with the total variance of `earlier` at each rising ln(K/F); minus infinity beyond its quotes.

    One point to each side of the quotes is bounded too, so that the curve is bounded up to the last quote.
    """
    floor = np.full(len(moneyness), -np.inf)
    if earlier is None:
        return floor
    first, last = np.searchsorted(moneyness, np.array((earlier.low, earlier.high)) * earlier.scale)
    bounded = slice(max(int(first) - 1, 0), int(last) + 1)
    strikes = earlier.forward * np.exp(moneyness[bounded])
    floor[bounded] = earlier.vol(strikes) * sqrt(earlier.years / years) + CALENDAR_MARGIN
    return floor


def _curve_rows(x: Floats, low: float, high: float) -> tuple[Floats, Floats, Floats]:
    """Return the matrices, each (n, INTERVALS + 3), that give value, slope and second derivative in x at points `x`."""
    place, rate, rate_slope = _spline_places(x, low, high)
    left, parts = _spline_parts(place)
    matrices = np.zeros((3, len(x), INTERVALS + 3))
    matrices[:, np.arange(len(x)), left + np.arange(4)[:, None]] = parts
    value, slope, bend = matrices
    return value, slope * rate[:, None], bend * (rate**2)[:, None] + slope * rate_slope[:, None]


def _spline_places(x: Floats, low: float, high: float) -> tuple[Floats, Floats, Floats]:
    """Return the place of each x among the knots, 0 to INTERVALS, and its first and second derivative in x."""
    first, last = np.arcsinh(low / STRETCH), np.arcsinh(high / STRETCH)
    root = np.sqrt(x * x + STRETCH**2)
    rate = INTERVALS / (last - first) / root
    return (np.arcsinh(x / STRETCH) - first) / (last - first) * INTERVALS, rate, -rate * x / root**2


def _spline_parts(place: Floats) -> tuple[NDArray[np.int_], Floats]:
    """Return the first of the four B-splines that are not zero at each place, shape (n,), and all four as values,
    slopes and second derivatives, shape (3, 4, n), for unit distances of the knots."""
    left = np.clip(place.astype(int), 0, INTERVALS - 1)
    u = place - left
    v = 1 - u
    parts = (
        (v**3 / 6, (3 * u**3 - 6 * u**2 + 4) / 6, (3 * v**3 - 6 * v**2 + 4) / 6, u**3 / 6),
        (-(v**2) / 2, (3 * u**2 - 4 * u) / 2, (4 * v - 3 * v**2) / 2, u**2 / 2),
        (v, 3 * u - 2, 3 * v - 2, u),
    )
    return left, np.array(parts)
