"""Tests the mean of bounded paired differences by betting; the result may be looked at every week.

The wealth of a gambler who bets against "the mean is at most m" is a nonnegative supermartingale when that is true, so
it ever reaches 1/alpha with a probability of at most alpha (Ville's inequality). Waudby-Smith and Ramdas, "Estimating
means of bounded random variables by betting", Journal of the Royal Statistical Society B 86 (2024), arXiv 2010.09686.

Trades entered in consecutive weeks are open at the same time, so their results depend on each other. The outcomes are
therefore dealt into as many interleaved streams as a trade lasts weeks; within a stream no two trades overlap. Each
stream is a valid test, and the average of their wealths is what counts. The average over overlapping streams is not
itself a supermartingale (Henzi and Ziegel, Biometrika 109 (2022), erratum); `proofs.null_histories` measures how often
it alarms falsely.
"""

from math import ceil, log

import numpy as np

from spy32.domain.value import value
from spy32.options.normal import Floats

LEVEL = 0.05
"""A claim is false in at most this share of histories: evidence of 20."""
BETS = np.array([0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.95])
"""Shares of the wealth that are bet. The average over fixed bets is valid and needs no tuning."""
MIN_OUTCOMES = 31
"""Fewest known outcomes with which anything is claimed. A month's luck fills thirty weeks of overlapping trades."""
MEAN_STEP = 0.002
"""Step of the confidence sequence's grid, as a share of the maximum loss."""
MIXTURE_COST = 1.0
"""Natural log of the wealth that betting at fixed shares costs against the best bet, about (measured at 0.3 to 0.8
standard deviations)."""


@value
class Interval:
    """All means that the outcomes do not contradict, whenever one looks; a share of the maximum loss, or of 1."""

    low: float
    high: float


def evidence(differences: Floats, streams: int, mean: float = 0.0) -> float:
    """Return the e-value against "the mean difference is at most `mean`".

    `differences` has shape (n,), oldest first, each in [-1, 1]; consecutive ones go to different streams. 1 without
    any. Raises ValueError for a difference outside or fewer than one stream.
    """
    return float(evidence_paths(differences[None, :], streams, mean)[0])


def evidence_paths(differences: Floats, streams: int, mean: float = 0.0) -> Floats:
    """Return the e-value of each of h histories of shape (h, n), shape (h,)."""
    if streams < 1:
        raise ValueError("there is at least one stream")
    if not np.all(np.abs(differences) <= 1.0):
        raise ValueError("a difference lies between -1 and 1")
    gains = (differences - mean) / (1.0 + mean) if mean > -1.0 else np.ones_like(differences)
    wealths = [_stream_wealth(gains[:, start::streams]) for start in range(streams)]
    return np.asarray(np.mean(wealths, axis=0))


def _stream_wealth(gains: Floats) -> Floats:
    """Return the mean wealth over all bets, shape (h,). A gain is at least -1, so no bet loses everything."""
    return np.asarray(np.mean([np.prod(1.0 + bet * gains, axis=1) for bet in BETS], axis=0))


def confidence_interval(differences: Floats, streams: int, level: float = LEVEL) -> Interval:
    """Return the interval of means that neither one-sided test at level/2 contradicts; it may be looked at any time."""
    low = _lowest_mean(differences, streams, level / 2)
    high = -_lowest_mean(-differences, streams, level / 2)
    return Interval(low=low, high=high)


def _lowest_mean(differences: Floats, streams: int, level: float) -> float:
    """Return the lowest mean that is not contradicted from below; bisection, since evidence falls as the mean grows."""
    low, high = -1.0, 1.0
    if not len(differences):
        return low
    while high - low > MEAN_STEP:
        middle = (low + high) / 2
        if evidence(differences, streams, middle) >= 1.0 / level:
            low = middle
        else:
            high = middle
    return low


def needed_outcomes(effect: float, streams: int, level: float = LEVEL) -> int:
    """Return about how many outcomes show a mean of `effect` standard deviations.

    Wealth grows by effect^2/2 an outcome at the best bet; the outcomes are shared by the streams.
    """
    return ceil(streams * (log(1.0 / level) + MIXTURE_COST) / (effect**2 / 2))


def average_evidence(values: list[float]) -> float:
    """Return the evidence that one of several challengers is better: the average of theirs."""
    return float(np.mean(values)) if values else 1.0
