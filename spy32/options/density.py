"""The distribution at expiration that the option prices imply.

Breeden and Litzenberger (1978), "Prices of state-contingent claims implicit in option prices": the density of the
underlying at expiration is the second derivative of the undiscounted call price to the strike. The smile is smoothed
first, since a second difference of raw quotes is mostly their rounding.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from spy32.errors import Unusable
from spy32.options.european import contracts, price
from spy32.options.normal import Floats
from spy32.options.surface import Smile

POINTS = 2001
REACH = 8.0
"""Half-width of the grid in at-the-money standard deviations."""
DEGREE = 4
LEAST = DEGREE + 3
"""Fewer strikes than this carry no smile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Density:
    """Probability mass on a fine grid of prices; it adds up to 1 and its mean is the forward."""

    at: Floats
    mass: Floats

    def below(self, x: float) -> float:
        """Probability of ending below `x`."""
        edges = (self.at[1:] + self.at[:-1]) / 2
        total = np.concatenate(([0.0], np.cumsum(self.mass)))
        return float(np.interp(x, np.concatenate(([self.at[0]], edges, [self.at[-1]])), total))

    def above(self, x: float) -> float:
        return 1.0 - self.below(x)

    def expect(self, payoff: Callable[[Floats], Floats]) -> float:
        """Mean of a function of the price at expiration, undiscounted."""
        return float(np.sum(self.mass * payoff(self.at)))


def density(smile: Smile) -> Density:
    """The market's density of one expiration; `Unusable` when there are too few strikes for a smile."""
    vol_at, atm = smoothed(smile)
    deviation = atm * np.sqrt(smile.years)
    low, high = smile.forward * np.exp(-REACH * deviation), smile.forward * np.exp(REACH * deviation)
    grid = np.linspace(low, min(high, 4 * smile.forward), POINTS)
    them = contracts(is_call=True, strike=grid, forward=smile.forward, years=smile.years)
    calls = price(them, vol_at(grid))
    mass = np.zeros_like(grid)
    mass[1:-1] = np.maximum(np.diff(calls, 2), 0.0) / (grid[1] - grid[0])
    mass /= mass.sum()
    # Clipping what noise made negative moves the mean a little; the grid is moved back so that the mean is the forward.
    return Density(at=grid + (smile.forward - float(np.sum(mass * grid))), mass=mass)


def smoothed(smile: Smile) -> tuple[Callable[[Floats], Floats], float]:
    """Volatility as a smooth function of the strike, and its value at the forward.

    A polynomial in standardised log-moneyness, weighted by vega, flat beyond the quoted strikes.
    """
    used = smile.is_out_of_the_money & np.isfinite(smile.iv) & (smile.bid > 0)
    order = np.argsort(smile.strike[used], kind="stable")
    strikes, vols = smile.strike[used][order], smile.iv[used][order]
    if len(strikes) < LEAST:
        raise Unusable(f"only {len(strikes)} strikes out of the money have a volatility; {LEAST} are needed")
    atm = float(np.interp(smile.forward, strikes, vols))
    scale = atm * np.sqrt(smile.years)
    moneyness = np.log(strikes / smile.forward) / scale
    # Quotes beyond four standard deviations are pennies whose volatility is their rounding.
    used = np.abs(moneyness) <= 4.0
    if used.sum() < LEAST:
        raise Unusable(f"only {int(used.sum())} strikes near the money have a volatility; {LEAST} are needed")
    moneyness, vols = moneyness[used], vols[used]
    weight = np.exp(-0.25 * moneyness * moneyness) + 0.08
    fit = np.polynomial.Polynomial.fit(moneyness, vols, DEGREE, w=weight)
    least, most = float(moneyness.min()), float(moneyness.max())
    floor = float(vols.min()) * 0.5

    def vol_at(prices: Floats) -> Floats:
        place = np.clip(np.log(np.maximum(prices, 1e-9) / smile.forward) / scale, least, most)
        return np.asarray(np.maximum(fit(place), floor))

    return vol_at, atm
