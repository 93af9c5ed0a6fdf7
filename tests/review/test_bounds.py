"""Means with intervals for trades that overlap."""

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spy32.options.normal import Floats
from spy32.review.betting import MEAN_STEP, MIN_OUTCOMES, claims, evidence
from spy32.review.bounds import mean_bounds, share_bounds, week_numbers, weekly_means

STREAMS = 5
HISTORIES = 200


def test_a_week_begins_on_monday() -> None:
    monday = date(2025, 10, 6)
    found = week_numbers([monday - timedelta(days=1), monday, monday + timedelta(days=6), monday + timedelta(days=7)])
    assert (found - found[1]).tolist() == [-1, 0, 0, 1]


def test_a_week_without_values_has_no_mean() -> None:
    found = weekly_means(np.array([0.2, 0.4, 1.0]), np.array([7, 7, 9]))
    assert found == pytest.approx([0.3, np.nan, 1.0], nan_ok=True)


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=MIN_OUTCOMES - 1))
def test_of_thirty_weeks_there_are_the_counts_alone(values: list[float]) -> None:
    found = mean_bounds(np.array(values), np.arange(len(values)), STREAMS)
    assert found is not None
    assert (found.mean, found.low, found.high) == (None, None, None)
    assert (found.count, found.hits) == (len(values), sum(value > 0 for value in values))


def test_without_values_there_is_nothing() -> None:
    assert mean_bounds(np.array([]), np.array([], dtype=np.int64), STREAMS) is None


def test_what_is_of_one_week_counts_once() -> None:
    """Ten copies of each week say nothing new, and thirty weeks of ten trades are thirty outcomes."""
    weekly = np.random.default_rng(3).uniform(-0.5, 0.7, 200)
    single = mean_bounds(weekly, np.arange(200), STREAMS)
    copies = mean_bounds(np.repeat(weekly, 10), np.repeat(np.arange(200), 10), STREAMS)
    assert single is not None and copies is not None
    assert (copies.mean, copies.low, copies.high) == pytest.approx((single.mean, single.low, single.high))
    assert (copies.count, copies.hits) == (2000, 10 * single.hits)
    few = mean_bounds(np.ones(300), np.repeat(np.arange(30), 10), STREAMS)
    assert few is not None and few.mean is None


@pytest.mark.parametrize("share", [0.0, 0.3, 0.85, 1.0])
def test_the_ends_of_a_share_are_where_five_per_cent_a_side_contradict(share: float) -> None:
    outcomes = (np.random.default_rng(2).random(104) < share).astype(float)
    found = share_bounds(outcomes, np.arange(104), STREAMS)
    assert found is not None and found.low is not None and found.high is not None
    assert found.level == pytest.approx(0.9)
    assert found.mean == outcomes.mean()
    assert 0 <= found.low <= found.mean <= found.high <= 1
    assert found.high - found.low > 0.1
    for side, end in ((2 * outcomes - 1, found.low), (1 - 2 * outcomes, 1 - found.high)):
        if end > MEAN_STEP:
            assert evidence(side[None, :], STREAMS, 2 * end - 1)[0] >= 20
            assert evidence(side[None, :], STREAMS, 2 * (end + MEAN_STEP) - 1)[0] < 20


def _overlapping(rng: np.random.Generator) -> Floats:
    """Means over five weeks of independent signs, as trades of five weeks have: the mean in the long run is 0."""
    signs = np.sign(rng.random((HISTORIES, 104 + STREAMS - 1)) - 0.5)
    return np.asarray(np.lib.stride_tricks.sliding_window_view(signs, STREAMS, axis=1).mean(axis=2))


def test_looking_every_week_for_two_years_leaves_the_truth_out_seldom() -> None:
    """Resampled blocks of weeks left it out at some look in 91 % of such histories."""
    series, is_out = _overlapping(np.random.default_rng(11)), np.zeros(HISTORIES, dtype=bool)
    for weeks in range(MIN_OUTCOMES, 105):
        found = claims(series[:, :weeks], STREAMS)
        is_out |= found.is_better | found.is_worse
    assert is_out.mean() <= 0.1
    last = mean_bounds(series[0], np.arange(104), STREAMS)
    assert last is not None and last.low is not None and last.high is not None
    assert last.low < 0 < last.high


def test_ten_years_of_wins_pass_no_limit_of_numbers() -> None:
    found = share_bounds(np.ones(4000), np.arange(4000), STREAMS)
    assert found is not None and found.low is not None
    assert 0.98 < found.low < found.mean == found.high == 1  # type: ignore[operator]
