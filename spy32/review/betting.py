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

from collections.abc import Sequence
from math import ceil, log

import numpy as np

from spy32.domain.value import value
from spy32.options.normal import Bools, Floats

LEVEL = 0.05
"""A claim is false in at most this share of histories: evidence of 20."""
BETS = np.array([0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.95])
"""Shares of the wealth that are bet. The average over fixed bets is valid and needs no tuning."""
MIN_OUTCOMES = 31
"""Fewest known outcomes with which anything is claimed. A month's luck fills thirty weeks of overlapping trades."""
MEAN_STEP = 0.002
"""Step of the confidence sequence's grid, as a share of the maximum loss."""
EFFECT = 0.3
"""Standard deviations. A smaller mean difference is of no note: weekly trades would need ten years to show it."""
MIXTURE_COST = 1.0
"""Natural log of the wealth that betting at fixed shares costs against the best bet, about (measured at 0.3 to 0.8
standard deviations)."""


@value
class Claims:
    """What may be said of h histories, columns of shape (h,); nothing below `MIN_OUTCOMES` known outcomes."""

    is_better: Bools
    """The mean is above 0."""
    is_worse: Bools
    """The mean is below 0."""
    is_alike: Bools
    """The mean is within `EFFECT` standard deviations of 0."""


def evidence(differences: Floats, streams: int, mean: float | Floats = 0.0) -> Floats:
    """Return the e-values of h histories against "the mean difference is at most `mean`", shape (h,).

    `differences` has the shape (h, n), one a week, oldest first, each in [-1, 1], NaN where the outcome is not known
    yet; consecutive ones go to different streams. `mean` is one number or one a history. 1 without any difference.
    Raises ValueError for one outside or fewer than one stream.
    """
    if streams < 1:
        raise ValueError("there is at least one stream")
    if np.any(np.abs(differences) > 1.0):
        raise ValueError("a difference lies between -1 and 1")
    means = np.maximum(np.reshape(mean, (-1, 1)), MEAN_STEP - 1.0)
    gains = np.nan_to_num((differences - means) / (1.0 + means), nan=0.0)
    wealths = [_stream_wealth(gains[:, start::streams]) for start in range(streams)]
    return np.asarray(np.mean(wealths, axis=0))


def _stream_wealth(gains: Floats) -> Floats:
    """Return the mean wealth over all bets, shape (h,). A gain is at least -1, so no bet loses everything.

    Ten years of gains against a mean near -1 pass the largest float; infinite wealth contradicts it as well.
    """
    with np.errstate(over="ignore"):
        return np.asarray(np.mean([np.prod(1.0 + bet * gains, axis=1) for bet in BETS], axis=0))


def claims(differences: Floats, streams: int, level: float = LEVEL) -> Claims:
    """Return what may be said of each of h histories of shape (h, n). Each claim is wrong in at most a share `level`
    of histories, however often one looks."""
    is_enough = np.isfinite(differences).sum(axis=1) >= MIN_OUTCOMES
    threshold = 1.0 / level
    margin = -EFFECT * deviations(differences)
    sides = (differences, -differences)
    better, worse = (is_enough & (evidence(side, streams) >= threshold) for side in sides)
    above, below = (evidence(side, streams, margin) >= threshold for side in sides)
    return Claims(is_better=better, is_worse=worse & ~better, is_alike=is_enough & above & below & ~better & ~worse)


def deviations(differences: Floats) -> Floats:
    """Return the standard deviation of each history's known differences, shape (h,); 0 without any."""
    is_known = np.isfinite(differences)
    counts = np.maximum(is_known.sum(axis=1), 1)
    known = np.where(is_known, differences, 0.0)
    variances = (known**2).sum(axis=1) / counts - (known.sum(axis=1) / counts) ** 2
    return np.asarray(np.sqrt(np.maximum(variances, 0.0)))


def confidence_intervals(differences: Floats, streams: int, level: float = LEVEL) -> tuple[Floats, Floats]:
    """Return the ends of the intervals of h histories of shape (h, n), each of shape (h,).

    An interval has all means that neither one-sided test at `level`/2 contradicts; it may be looked at any time.
    """
    return _lowest_means(differences, streams, level / 2), -_lowest_means(-differences, streams, level / 2)


def _lowest_means(differences: Floats, streams: int, level: float) -> Floats:
    """Return the lowest means not contradicted from below; bisection, since evidence falls as the mean grows."""
    low, high = np.full(len(differences), -1.0), np.full(len(differences), 1.0)
    while np.any(high - low > MEAN_STEP):
        middle = (low + high) / 2
        is_contradicted = evidence(differences, streams, middle) >= 1.0 / level
        low, high = np.where(is_contradicted, middle, low), np.where(is_contradicted, high, middle)
    return low


def needed_outcomes(effect: float, streams: int, level: float = LEVEL, deviation: float | None = None) -> int:
    """Return about how many outcomes show a mean of `effect` standard deviations.

    Wealth grows by effect^2/2 an outcome at the best bet; the outcomes are shared by the streams. Where the standard
    `deviation` of the differences is so small that the best bet would be more than the wealth, it grows more slowly.
    """
    growth = effect**2 / 2
    if deviation is not None:
        mean = effect * deviation
        growth = max(bet * mean - bet**2 * (deviation**2 + mean**2) / 2 for bet in BETS.tolist())
    return ceil(streams * (log(1.0 / level) + MIXTURE_COST) / growth)


def closed_evidence(values: Sequence[float]) -> list[float]:
    """Return the evidence for each of several challengers that allows for their number.

    The average of e-values tests "none of these is better" (Vovk and Wang 2021, Annals of Statistics 49(3)); a
    challenger counts by the least average of any set that holds it, so that one false claim among all has the level.
    """
    least = []
    for place, own in enumerate(values):
        others = np.sort(np.delete(values, place))
        sums = own + np.concatenate(([0.0], np.cumsum(others)))
        least.append(float(np.min(sums / np.arange(1, len(sums) + 1))))
    return least
