"""Means of overlapping trades with intervals that hold whenever one looks, by the test of experiments."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

import numpy as np

from spy32.domain.report import Bounds
from spy32.options.history import Ints
from spy32.options.normal import Floats
from spy32.review.betting import LEVEL, MIN_OUTCOMES, confidence_intervals


def week_numbers(days: Sequence[date]) -> Ints:
    """Return the number of the week of each day, shape (n,)."""
    return np.array([(day.toordinal() - 1) // 7 for day in days], dtype=np.int64)


def weekly_means(values: Floats, weeks: Ints) -> Floats:
    """Return the mean of each week's values from the first week to the last, shape (weeks,); NaN of one without any.

    `values` and `weeks` have the shape (n,), n at least 1.
    """
    places = weeks - weeks.min()
    counts, sums = np.bincount(places), np.bincount(places, weights=values)
    return np.asarray(np.divide(sums, counts, out=np.full(len(counts), np.nan), where=counts > 0))


def mean_bounds(values: Floats, weeks: Ints, streams: int, lowest: float = -1.0, level: float = LEVEL) -> Bounds | None:
    """Return the mean with its interval; of fewer weeks than `MIN_OUTCOMES` the counts alone; None without values.

    `values` and `weeks` have the shape (n,). What is of one week counts once, as its mean. A trade lasts at most
    `streams` weeks, and all values lie between `lowest` and 1; the closer these are, the narrower is the interval. It
    has a part `level` of histories beyond each end.
    """
    if not len(values):
        return None
    means, hits = weekly_means(values, weeks), int(np.sum(values > 0))
    found = Bounds(mean=None, low=None, high=None, count=len(values), hits=hits, level=1 - 2 * level)
    if np.isfinite(means).sum() < MIN_OUTCOMES:
        return found
    unit = (1.0 - lowest) / 2
    ends = confidence_intervals(((means - lowest) / unit - 1.0)[None, :], streams, 2 * level)
    low, high = ((float(end[0]) + 1.0) * unit + lowest for end in ends)
    return replace(found, mean=float(np.nanmean(means)), low=low, high=high)


def share_bounds(came_true: Floats, weeks: Ints, streams: int) -> Bounds | None:
    """Return the share of the ones among ones and zeros, as `mean_bounds` does."""
    return mean_bounds(came_true, weeks, streams, lowest=0.0)
