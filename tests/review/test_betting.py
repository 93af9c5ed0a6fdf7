"""The betting test: valid under the null, powerful enough, and equal to a plain second computation."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spy32.review import betting

DIFFERENCES = st.lists(st.floats(-1.0, 1.0), max_size=40).map(np.array)


def plain_evidence(differences: list[float], streams: int, mean: float) -> float:
    """The definition, one bet and one outcome after the other."""
    total = 0.0
    for start in range(streams):
        for bet in betting.BETS:
            wealth = 1.0
            for difference in differences[start::streams]:
                wealth *= 1.0 + bet * (difference - mean) / (1.0 + mean)
            total += wealth / len(betting.BETS)
    return total / streams


@given(differences=DIFFERENCES, streams=st.integers(1, 6), mean=st.floats(-0.9, 0.9))
def test_the_evidence_is_the_average_wealth_of_all_bets_and_streams(
    differences: np.ndarray, streams: int, mean: float
) -> None:
    assert betting.evidence(differences, streams, mean) == pytest.approx(
        plain_evidence(differences.tolist(), streams, mean), rel=1e-9
    )


@given(differences=DIFFERENCES, streams=st.integers(1, 6))
def test_the_evidence_falls_as_the_mean_in_question_grows(differences: np.ndarray, streams: int) -> None:
    values = [betting.evidence(differences, streams, mean) for mean in np.linspace(-0.9, 0.9, 19)]
    assert all(later <= earlier * (1 + 1e-12) for earlier, later in pairwise(values))


@given(differences=DIFFERENCES, streams=st.integers(1, 4))
def test_the_interval_holds_the_mean_of_the_sample_and_mirrors(differences: np.ndarray, streams: int) -> None:
    interval = betting.confidence_interval(differences, streams)
    mirrored = betting.confidence_interval(-differences, streams)
    assert (mirrored.low, mirrored.high) == (-interval.high, -interval.low)
    if len(differences):
        # With several streams the average wealth is not of the pooled sample, so only one stream is this strict.
        assert streams > 1 or interval.low - 1e-9 <= differences.mean() <= interval.high + 1e-9


def test_without_outcomes_nothing_is_known() -> None:
    assert betting.evidence(np.array([]), 2) == 1.0
    assert betting.confidence_interval(np.array([]), 2) == betting.Interval(low=-1.0, high=1.0)


@pytest.mark.parametrize(("differences", "streams"), [([1.5], 1), ([float("nan")], 1), ([0.0], 0)])
def test_what_is_not_bounded_is_refused(differences: list[float], streams: int) -> None:
    with pytest.raises(ValueError, match=r"between -1 and 1|at least one stream"):
        betting.evidence(np.array(differences), streams)


def test_without_an_effect_few_histories_ever_reach_the_threshold() -> None:
    rng = np.random.default_rng(1)
    histories = rng.choice([-0.3, 0.3], size=(500, 260))
    alarmed = np.zeros(500, dtype=bool)
    for week in range(1, 261):
        alarmed |= betting.evidence_paths(histories[:, :week], 2) >= 1 / betting.LEVEL
    assert alarmed.mean() <= betting.LEVEL


def test_a_planted_effect_is_found_about_when_expected() -> None:
    rng = np.random.default_rng(2)
    deviation, effect = 0.26, 0.5
    needed = betting.needed_outcomes(effect, 2)
    histories = np.clip(rng.normal(effect * deviation, deviation, (500, 2 * needed)), -1, 1)
    found = betting.evidence_paths(histories, 2) >= 1 / betting.LEVEL
    early = betting.evidence_paths(histories[:, : needed // 3], 2) >= 1 / betting.LEVEL
    assert found.mean() >= 0.75
    assert early.mean() <= 0.25


def test_about_180_outcomes_show_0_3_deviations() -> None:
    assert 170 <= betting.needed_outcomes(0.3, 2) <= 190
