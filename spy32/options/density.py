"""The risk-neutral distribution of the underlying at expiration, implied by the option prices.

Breeden and Litzenberger (1978), "Prices of state-contingent claims implicit in option prices": the density is the
second derivative of the undiscounted call price with respect to the strike. The smile is smoothed first, because a
second difference of raw quotes consists mostly of their rounding to cents.
"""

from collections.abc import Callable

import numpy as np

from spy32.domain.value import value
from spy32.errors import Unusable
from spy32.options.european import build_contracts, price
from spy32.options.normal import Floats
from spy32.options.surface import Smile

GRID_POINTS = 2001
"""Grid edges: at 8 deviations to each side, 125 to a standard deviation, finer than any strike grid."""
GRID_DEVIATIONS = 8.0
"""Half-width of the grid, at-the-money standard deviations. A normal tail beyond has a probability of 1e-15."""
MIN_STRIKES = 8
"""Fewest out-of-the-money strikes with a vol; fewer do not determine the shape of a smile."""
NODES = 121
"""Nodes of the smoothed smile, chosen to lie at least as densely as the strikes of a chain."""
HALF_CENT = 0.005
"""Half of the narrowest possible bid-ask spread, dollars: no quote gets more weight than that spread gives."""
ROUGHNESS = 10.0
"""Weight of the squared third derivative against a squared miss of one half-spread. Chosen so that a clean chain is
followed to the cent and a noisy one is smoothed."""


@value
class Density:
    """Probability mass on a fine grid of prices, shape (n,) each. The mass sums to 1; its mean is the forward."""

    prices: Floats
    mass: Floats

    def cdf(self, prices: Floats) -> Floats:
        """Return the probabilities that the underlying ends below `prices` (dollars), elementwise."""
        edges = (self.prices[1:] + self.prices[:-1]) / 2
        total = np.concatenate(([0.0], np.cumsum(self.mass)))
        return np.asarray(np.interp(prices, np.concatenate(([self.prices[0]], edges, [self.prices[-1]])), total))

    def probability_below(self, x: float) -> float:
        """Return the probability that the underlying ends below `x` dollars."""
        return float(self.cdf(np.array([x]))[0])

    def probability_above(self, x: float) -> float:
        """Return the probability that the underlying ends above `x` dollars."""
        return 1.0 - self.probability_below(x)

    def expect(self, payoff: Callable[[Floats], Floats]) -> float:
        """Return the expected value of a function of the price at expiration, undiscounted."""
        return float(np.sum(self.mass * payoff(self.prices)))


def implied_density(smile: Smile) -> Density:
    """Return the market's density of one expiration. Raises `Unusable` when the smile has too few strikes."""
    vol_at, atm = smooth_smile(smile)
    deviation = atm * np.sqrt(smile.years)
    low, high = (
        smile.forward * np.exp(-GRID_DEVIATIONS * deviation),
        smile.forward * np.exp(GRID_DEVIATIONS * deviation),
    )
    edges = np.linspace(low, min(high, 4 * smile.forward), GRID_POINTS)
    contracts = build_contracts(is_call=True, strike=edges, forward=smile.forward, years=smile.years)
    calls = price(contracts, vol_at(edges))
    middles = (edges[1:] + edges[:-1]) / 2
    # 1 + the slope of the call price in the strike is the probability of ending below. Noise must not make it fall.
    below = np.clip(1 + np.diff(calls) / np.diff(edges), 0.0, 1.0)
    below = np.maximum.accumulate(below)
    mass = np.diff(np.concatenate(([0.0], below, [1.0])))
    at = np.concatenate(([middles[0]], (middles[1:] + middles[:-1]) / 2, [middles[-1]]))
    # The correction moves the mean. An exponential tilt restores it and hardly changes the middle.
    return Density(prices=at, mass=_match_mean(at, mass, smile.forward))


def _match_mean(at: Floats, mass: Floats, mean: float) -> Floats:
    """Return the mass times exp(t x), with the t that gives the mean (Esscher transform), solved by Newton's method."""
    distance = (at - mean) / mean
    tilt = 0.0
    for _ in range(50):
        weight = mass * np.exp(tilt * distance)
        weight /= weight.sum()
        miss = float(weight @ distance)
        if abs(miss) < 1e-14:
            break
        tilt -= miss / float(weight @ (distance - miss) ** 2)
    return np.asarray(weight)


def smooth_smile(smile: Smile) -> tuple[Callable[[Floats], Floats], float]:
    """Return vol as a smooth function of the strike, and its value at the forward. Beyond the quotes it is linear.

    Penalised least squares over nodes in standardised log-moneyness (Whittaker (1923), "On a new method of graduation";
    Eilers (2003), "A perfect smoother"). A miss is measured in half-spreads of the quote, roughness as the third
    difference. Raises `Unusable` with fewer than `MIN_STRIKES` out-of-the-money vols.
    """
    used = smile.is_otm & np.isfinite(smile.iv) & (smile.bid > 0)
    order = np.argsort(smile.strike[used], kind="stable")
    strikes, vols, vega, half = (
        part[used][order] for part in (smile.strike, smile.iv, smile.vega, (smile.ask - smile.bid) / 2)
    )
    if len(strikes) < MIN_STRIKES:
        raise Unusable(f"only {len(strikes)} strikes out of the money have a volatility; {MIN_STRIKES} are needed")
    atm = float(np.interp(smile.forward, strikes, vols))
    scale = atm * np.sqrt(smile.years)
    moneyness = np.log(strikes / smile.forward) / scale
    nodes = np.linspace(moneyness[0], moneyness[-1], NODES)
    weight = (vega * 100 / np.maximum(half, HALF_CENT)) ** 2
    levels = _fit_levels(nodes, moneyness, vols, weight)
    # Continue with the slope at the ends. A flat wing would have a kink, and a kink is negative probability.
    ends = (levels[1] - levels[0]) / (nodes[1] - nodes[0]), (levels[-1] - levels[-2]) / (nodes[1] - nodes[0])
    min_vol = float(levels.min()) / 2

    def vol_at(prices: Floats) -> Floats:
        place = np.log(np.maximum(prices, 1e-9) / smile.forward) / scale
        inside = np.clip(place, nodes[0], nodes[-1])
        slope = np.where(place < nodes[0], ends[0], ends[1])
        return np.asarray(np.maximum(_interpolate(nodes, levels, inside) + slope * (place - inside), min_vol))

    return vol_at, atm


def _fit_levels(nodes: Floats, at: Floats, vols: Floats, weight: Floats) -> Floats:
    """Return the node levels of the penalised least-squares fit to the weighted vols, shape (NODES,)."""
    step = nodes[1] - nodes[0]
    left = np.clip(((at - nodes[0]) / step).astype(int), 0, NODES - 2)
    share = (at - nodes[left]) / step
    design = np.zeros((len(at), NODES))
    rows = np.arange(len(at))
    design[rows, left], design[rows, left + 1] = 1 - share, share
    rough = np.diff(np.eye(NODES), 3, axis=0) / step**2.5
    normal = design.T @ (design * weight[:, None]) + ROUGHNESS * rough.T @ rough
    return np.asarray(np.linalg.solve(normal, design.T @ (vols * weight)))


def _interpolate(nodes: Floats, levels: Floats, at: Floats) -> Floats:
    """Interpolate the node levels with a Catmull-Rom cubic. Its slope is continuous, so the density has no spikes."""
    step = nodes[1] - nodes[0]
    left = np.clip(((at - nodes[0]) / step).astype(int), 0, len(nodes) - 2)
    u = (at - nodes[left]) / step
    padded = np.concatenate(([2 * levels[0] - levels[1]], levels, [2 * levels[-1] - levels[-2]]))
    before, item, two, after = (padded[left + shift] for shift in range(4))
    curve = (2 * before - 5 * item + 4 * two - after) + u * (3 * (item - two) + after - before)
    return np.asarray(item + 0.5 * u * (two - before + u * curve))
