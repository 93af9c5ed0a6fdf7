"""Intervals of means and of expected shortfalls over overlapping windows of the past, by a moving-block bootstrap."""

import numpy as np

from spy32.domain.value import value
from spy32.options.history import Ints, random_shares
from spy32.options.normal import Floats

BLOCK_SESSIONS = 40
"""Sessions in a block: 8 weeks, longer than windows of 32 days overlap. Blocks of 5, 13 and 26 weeks gave the same
intervals for probabilities of 1998 to 2026."""
BLOCK_STARTS = 2
"""Blocks start at every half of their length: a start at every session would cost twenty times as much and give the
same intervals within the error of the resamples."""
RESAMPLES = 500
"""The standard error of a 5 % quantile of 500 normals is 0.09 deviations."""
INTERVAL_TAIL = 0.05
"""Probability beyond each end of an interval, which thus holds 90 %."""
SHORTFALL_SHARE = 0.05
"""Expected shortfall is the mean of the worst twentieth."""


@value
class Resamples:
    """Moving blocks (Kunsch (1989), "The jackknife and the bootstrap for general stationary observations").

    The observations are in the order of time, and blocks of them are drawn with replacement. Only the sums of blocks
    are needed, so no observation is copied.
    """

    step: int
    """Observations from one possible start of a block to the next; a block is `BLOCK_STARTS` steps."""
    counts: Floats
    """How often each block was drawn, shape (resamples, starts)."""

    @classmethod
    def draw(cls, observations: int, block: int, seed: int, resamples: int = RESAMPLES) -> "Resamples":
        """Return resamples of so many observations, with blocks of at least `block` of them as far as they reach."""
        step = max(min(-(-block // BLOCK_STARTS), observations // BLOCK_STARTS), 1)
        starts = max(-(-observations // step) - BLOCK_STARTS + 1, 1)
        draws = max(round(observations / (step * BLOCK_STARTS)), 1)
        picks = (random_shares(resamples * draws, seed) * starts).astype(np.int64)
        places = picks + np.repeat(np.arange(resamples) * starts, draws)
        counts = np.bincount(places, minlength=resamples * starts).reshape(resamples, starts)
        return cls(step=step, counts=counts.astype(np.float64))

    def intervals(self, values: Floats, weights: Floats, tail: float = INTERVAL_TAIL) -> tuple[Floats, Floats]:
        """Return the ends of the intervals of the weighted means of rows, shape (rows,) each.

        `values` has the shape (rows, observations). The resampled means are centred on the estimate, since blocks
        reach the first and last observations less often.
        """
        weighted = np.concatenate((values * weights, weights[None, :]))
        steps = np.add.reduceat(weighted, np.arange(0, len(weights), self.step), axis=1)
        blocks = np.lib.stride_tricks.sliding_window_view(steps, min(BLOCK_STARTS, steps.shape[1]), axis=1).sum(axis=2)
        resampled = blocks @ self.counts.T
        means = resampled[:-1] / resampled[-1]
        means += (values @ weights / weights.sum() - means.mean(axis=1))[:, None]
        means.sort(axis=1)
        cut = round(len(self.counts) * tail)
        return means[:, cut - 1], means[:, -cut]


def shortfall_values(profits: Floats, order: Ints, weights: Floats) -> Floats:
    """Return rows whose weighted means are the expected shortfalls of the profits, shape (candidates, scenarios).

    `order` has the columns of each row by rising profit. Rockafellar and Uryasev (2000): the shortfall is
    q - E[(q - profit)+] / 5 % at the 5 % quantile q. To first order its sampling error is that of this mean, since its
    derivative in q is zero.
    """
    first = np.argmax(np.cumsum(weights[order], axis=1) >= SHORTFALL_SHARE, axis=1)
    rows = np.arange(len(profits))
    quantile = profits[rows, order[rows, first]][:, None]
    return np.asarray(quantile - np.maximum(quantile - profits, 0.0) / SHORTFALL_SHARE)


def remove_drift_error(values: Floats, weights: Floats, growth: Floats) -> Floats:
    """Return the rows less their weighted regression on the growth, which has a known weighted mean of 1.

    The means stay. Their spread in a bootstrap becomes that of samples that are each tilted to the forward again: a
    law without drift has no uncertainty of the drift.
    """
    distance = growth - 1.0
    weighted = weights * distance
    variance = float(weighted @ distance)
    if not variance > 0.0:
        return values
    slope = (values @ weighted - (values @ weights) * weighted.sum()) / variance
    return np.asarray(values - slope[:, None] * distance)
