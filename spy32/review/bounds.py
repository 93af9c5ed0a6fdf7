"""Means with intervals for trades that overlap in time."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

import numpy as np

from spy32.domain.report import MIN_GROUP, Bounds
from spy32.options.bootstrap import INTERVAL_TAIL, Resamples
from spy32.options.history import Ints
from spy32.options.normal import Floats

BLOCK_WEEKS = 8
"""Trades of 32 days overlap in four or five Mondays; volatility lasts longer. As in `proofs/calibration.py`."""
SEED = 32


def week_numbers(days: Sequence[date]) -> Ints:
    """Return the number of the week of each day, shape (n,)."""
    return np.array([(day.toordinal() - 1) // 7 for day in days], dtype=np.int64)


def mean_bounds(values: Floats, weeks: Ints, low: float = -np.inf, high: float = np.inf) -> Bounds | None:
    """Return the mean of the values with its 90 % interval by blocks of weeks; None without values.

    `values` and `weeks` have the shape (n,). What is of one week is drawn together. No end lies beyond `low` or `high`.
    """
    if not len(values):
        return None
    _, places = np.unique(weeks, return_inverse=True)
    counts = np.bincount(places).astype(np.float64)
    ends: tuple[float | None, float | None] = (None, None)
    if len(counts) >= MIN_GROUP:
        means = np.bincount(places, weights=values) / counts
        found = Resamples.draw(len(counts), BLOCK_WEEKS, SEED).intervals(means[None, :], counts)
        ends = (max(float(found[0][0]), low), min(float(found[1][0]), high))
    return Bounds(mean=float(values.mean()), low=ends[0], high=ends[1], count=len(values))


def share_bounds(came_true: Floats, weeks: Ints) -> Bounds | None:
    """Return the share of the ones among ones and zeros, as `mean_bounds` does.

    Resamples of ones alone would have no width. Of k blocks that all came true, the share that does so with 5 % is the
    k-th root of that; zeros alike.
    """
    found = mean_bounds(came_true, weeks, 0.0, 1.0)
    if found is None or found.low is None or 0.0 < found.mean < 1.0:
        return found
    reach = INTERVAL_TAIL ** (1.0 / max(len(np.unique(weeks)) // BLOCK_WEEKS, 1))
    return replace(found, low=reach) if found.mean == 1.0 else replace(found, high=1.0 - reach)
