"""The risk-neutral distribution of the underlying at expiration, implied by the option prices.

Breeden and Litzenberger (1978), "Prices of state-contingent claims implicit in option prices": the probability of an
end below a strike is the slope of the put price in the strike, taken on the curve of the smile.
"""

from math import log

import numpy as np

from spy32.domain.value import value
from spy32.errors import Unusable
from spy32.options.history import tilt_weights
from spy32.options.normal import Floats
from spy32.options.smile_fit import stretched_grid
from spy32.options.surface import MIN_STRIKES, Smile

GRID_POINTS = 2001
"""Edges, spaced as the knots of the curve: about 150 to a standard deviation near the forward."""
LOWEST_PRICE = 0.01
"""Lower end of the grid, a fraction of the forward."""
HIGHEST_DEVIATIONS = 8.0
"""Upper end, at-the-money standard deviations, or the highest quoted strike. A normal tail beyond has 1e-15."""


@value
class Density:
    """Probability mass in fine cells of prices. The mass sums to 1; its mean is the forward.

    Cell i lies between `edges[i - 1]` and `edges[i]`, its mass at `prices[i]`; the outer two cells have no far edge.
    """

    edges: Floats
    """Dollars, shape (n - 1,)."""
    prices: Floats
    """Dollars, shape (n,)."""
    mass: Floats
    """Shape (n,)."""

    def cdf(self, prices: Floats) -> Floats:
        """Return the probabilities that the underlying ends below `prices` (dollars), elementwise."""
        return np.asarray(np.interp(prices, self.edges, np.cumsum(self.mass)[:-1], left=0.0, right=1.0))

    def probability_below(self, x: float) -> float:
        """Return the probability that the underlying ends below `x` dollars."""
        return float(self.cdf(np.array([x]))[0])


def implied_density(smile: Smile) -> Density:
    """Return the market's density of one expiration. Raises `Unusable` when the smile has too few strikes."""
    if smile.curve is None:
        raise Unusable(
            f"only {int(smile.is_otm.sum())} strikes out of the money have a volatility; {MIN_STRIKES} are needed"
        )
    scale = smile.curve.scale
    highest = max(HIGHEST_DEVIATIONS, smile.curve.high)
    edges = smile.forward * np.exp(scale * stretched_grid(log(LOWEST_PRICE) / scale, highest, GRID_POINTS))
    # Noise beyond the quoted strikes must not make the probability fall.
    below = np.maximum.accumulate(np.clip(smile.curve.probability_below(edges), 0.0, 1.0))
    mass = np.diff(np.concatenate(([0.0], below, [1.0])))
    prices = np.concatenate((edges[:1], (edges[1:] + edges[:-1]) / 2, edges[-1:]))
    # The cells and the ends of the grid move the mean a little. An exponential tilt restores it.
    return Density(edges=edges, prices=prices, mass=tilt_weights(prices / smile.forward, mass))
