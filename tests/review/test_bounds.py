"""Means with intervals for trades that overlap."""

from datetime import date, timedelta

import numpy as np
import pytest

from spy32.review.bounds import mean_bounds, share_bounds, week_numbers


def test_a_week_begins_on_monday() -> None:
    monday = date(2025, 10, 6)
    found = week_numbers([monday - timedelta(days=1), monday, monday + timedelta(days=6), monday + timedelta(days=7)])
    assert (found - found[1]).tolist() == [-1, 0, 0, 1]


def test_without_values_there_is_nothing_and_of_few_weeks_no_interval() -> None:
    assert mean_bounds(np.array([]), np.array([], dtype=np.int64)) is None
    nine = mean_bounds(np.arange(18.0), np.arange(18) // 2)
    assert nine is not None
    assert (nine.mean, nine.low, nine.high, nine.count) == (8.5, None, None, 18)
    ten = mean_bounds(np.arange(20.0), np.arange(20) // 2)
    assert ten is not None
    assert ten.low is not None


def test_what_is_of_one_week_counts_once_for_the_width() -> None:
    """Ten copies of each week say nothing new; as weeks of their own they would narrow it by the root of ten."""
    rng = np.random.default_rng(3)
    weekly = rng.standard_normal(200)
    single = mean_bounds(weekly, np.arange(200))
    copies = mean_bounds(np.repeat(weekly, 10), np.repeat(np.arange(200), 10))
    apart = mean_bounds(np.repeat(weekly, 10), np.arange(2000))
    assert single is not None and copies is not None and apart is not None
    assert (copies.low, copies.high) == pytest.approx((single.low, single.high))
    assert copies.count == 2000


def test_a_share_never_leaves_its_range() -> None:
    found = share_bounds(np.array([1.0] * 39 + [0.0]), np.arange(40))
    assert found is not None
    assert found.low is not None and found.high is not None
    assert 0 <= found.low < found.mean < found.high <= 1


def test_a_share_of_all_or_none_is_not_certain() -> None:
    """Three blocks that came true say no more than a share of 0.37: 0.37^3 is 5 %."""
    every, none = share_bounds(np.ones(24), np.arange(24)), share_bounds(np.zeros(24), np.arange(24))
    assert every is not None and none is not None
    assert every.low == pytest.approx(0.05 ** (1 / 3))
    assert every.high == 1.0
    assert (none.low, none.high) == (0.0, pytest.approx(1 - 0.05 ** (1 / 3)))
    few = share_bounds(np.ones(9), np.arange(9))
    assert few is not None and few.low is None
