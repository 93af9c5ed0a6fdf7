"""The reliability of each source against the scores that it is made of."""

import numpy as np
import pytest

from spy32.domain.report import Reliability
from spy32.records.report import StatedCandidate
from spy32.review.reliability import source_reliability
from spy32.review.scores import brier_scores
from tests.support.report_stores import stated_answer, week_day

STREAMS = 5


def menus(weeks: int, error: float = 0.0) -> list[StatedCandidate]:
    """Ten candidates a week whose probabilities come true; the history states `error` more."""
    rng = np.random.default_rng(5)
    return [
        StatedCandidate(day=week_day(week), worthless=int(rng.random() < p), market=p, history=p + error)
        for week in range(weeks)
        for p in np.linspace(0.6, 0.95, 10).tolist()
    ]


def sources(found: tuple[Reliability, ...]) -> dict[str, Reliability]:
    return {each.source: each for each in found}


def test_the_parts_of_each_source_sum_to_its_mean_score() -> None:
    given = menus(104, error=0.04)
    found = sources(source_reliability(given, (), STREAMS))
    assert list(found) == ["market", "history"]
    outcomes = np.array([each.worthless for each in given], dtype=float)
    for name, stated in (("market", [x.market for x in given]), ("history", [x.history for x in given])):
        each = found[name]
        assert each.brier == pytest.approx(brier_scores(np.array(stated), outcomes).mean())
        assert each.brier == pytest.approx(each.miscalibration - each.discrimination + each.uncertainty)
        assert (each.count, each.weeks) == (1040, 104)
    assert found["history"].stated - found["market"].stated == pytest.approx(0.04)


def test_the_steps_rise_hold_enough_and_cover_every_outcome() -> None:
    (market, _) = source_reliability(menus(104), (), STREAMS)
    assert 3 <= len(market.points) <= 10
    assert sum(point.count for point in market.points) == market.count
    for before, after in zip(market.points, market.points[1:], strict=False):
        assert before.stated < after.stated
        assert before.came_true < after.came_true
    for point in market.points:
        assert point.count >= 104
        assert 0 <= point.low <= point.came_true <= point.high <= 1
    assert np.mean([point.low <= point.stated <= point.high for point in market.points]) >= 0.7


def test_a_model_is_judged_by_its_picks_alone_and_a_rule_states_nothing() -> None:
    said = [stated_answer(week) for week in range(3)]
    said += [
        stated_answer(3, worthless=None),
        stated_answer(4, stated=None),
        stated_answer(5, prompt=None, analyst="rules"),
    ]
    found = sources(source_reliability((), said, STREAMS))
    assert list(found) == ["grok v2"]
    assert (found["grok v2"].count, found["grok v2"].points) == (3, ())
    assert found["grok v2"].came_true.low is None


def test_what_came_true_is_by_weeks_and_the_band_is_none_of_its_interval() -> None:
    """A menu of 20 in the last week has no more weight than its week."""
    given = menus(60)
    day = week_day(60)
    given += [StatedCandidate(day=day, worthless=0, market=0.9, history=0.9) for _ in range(20)]
    market = sources(source_reliability(given, (), STREAMS))["market"]
    by_week = [np.mean([each.worthless for each in given if each.day == week_day(week)]) for week in range(61)]
    assert market.came_true.mean == pytest.approx(np.mean(by_week))
    assert market.stated == pytest.approx((60 * 0.775 + 0.9) / 61)
    assert market.came_true.low is not None and market.came_true.high is not None
    assert market.came_true.hits == sum(each.worthless for each in given)
    assert market.came_true.high - market.came_true.low > max(point.high - point.low for point in market.points)
    few = sources(source_reliability(menus(30), (), STREAMS))["market"]
    assert (few.came_true.mean, few.came_true.low, few.came_true.count) == (None, None, 300)
    assert few.points


def test_a_source_that_stated_nothing_is_left_out() -> None:
    given = [StatedCandidate(day=week_day(0), worthless=1, market=0.9, history=None)]
    assert [each.source for each in source_reliability(given, (), STREAMS)] == ["market"]
    assert source_reliability((), (), STREAMS) == ()
