"""The betting test: valid under the null, powerful enough, and equal to a plain second computation."""

from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spy32.review import betting

DIFFERENCES = st.lists(st.floats(-1.0, 1.0), max_size=40).map(np.array)


def evidence(differences: np.ndarray, streams: int, mean: float = 0.0) -> float:
    """Of one history."""
    return float(betting.evidence(differences[None, :], streams, mean)[0])


def confidence_interval(differences: np.ndarray, streams: int) -> tuple[float, float]:
    """Of one history."""
    (low,), (high,) = betting.confidence_intervals(differences[None, :], streams)
    return float(low), float(high)


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
    assert evidence(differences, streams, mean) == pytest.approx(
        plain_evidence(differences.tolist(), streams, mean), rel=1e-9
    )


@given(differences=DIFFERENCES, streams=st.integers(1, 6))
def test_the_evidence_falls_as_the_mean_in_question_grows(differences: np.ndarray, streams: int) -> None:
    values = [evidence(differences, streams, mean) for mean in np.linspace(-0.9, 0.9, 19)]
    assert all(later <= earlier * (1 + 1e-12) for earlier, later in pairwise(values))


@given(differences=DIFFERENCES, streams=st.integers(1, 4))
def test_the_interval_holds_the_mean_of_the_sample_and_mirrors(differences: np.ndarray, streams: int) -> None:
    interval = confidence_interval(differences, streams)
    mirrored = confidence_interval(-differences, streams)
    assert (mirrored[0], mirrored[1]) == (-interval[1], -interval[0])
    if len(differences):
        # With several streams the average wealth is not of the pooled sample, so only one stream is this strict.
        assert streams > 1 or interval[0] - 1e-9 <= differences.mean() <= interval[1] + 1e-9


def test_without_outcomes_nothing_is_known() -> None:
    assert evidence(np.array([]), 2) == 1.0
    assert confidence_interval(np.array([]), 2) == (-1.0, 1.0)


@pytest.mark.parametrize(("differences", "streams"), [([1.5], 1), ([float("-inf")], 1), ([0.0], 0)])
def test_what_is_not_bounded_is_refused(differences: list[float], streams: int) -> None:
    with pytest.raises(ValueError, match=r"between -1 and 1|at least one stream"):
        evidence(np.array(differences), streams)


@given(differences=DIFFERENCES, streams=st.integers(1, 4), mean=st.floats(-0.9, 0.9), data=st.data())
def test_what_is_not_known_yet_is_no_bet_and_moves_nothing_to_another_stream(
    differences: np.ndarray, streams: int, mean: float, data: st.DataObject
) -> None:
    is_known = np.array([data.draw(st.booleans()) for _ in differences], dtype=bool)
    gaps = np.where(is_known, differences, np.nan)
    wealths = [
        [np.prod(1 + bet * (stream - mean) / (1 + mean)) for bet in betting.BETS]
        for start in range(streams)
        for stream in [differences[start::streams][is_known[start::streams]]]
    ]
    assert evidence(gaps, streams, mean) == pytest.approx(np.mean(wealths), rel=1e-9)


@pytest.mark.parametrize("difference", [1.0, -1.0])
def test_thirty_outcomes_claim_nothing_whatever_they_are(difference: float) -> None:
    for count, is_claimed in ((30, False), (31, True)):
        found = betting.claims(np.full((1, count), difference), 1)
        assert (found.is_better[0] or found.is_worse[0]) == is_claimed
        assert not found.is_alike[0]
    gaps = np.full((1, 60), np.nan)
    gaps[0, ::2] = difference
    assert not betting.claims(gaps, 1).is_better[0]


def test_a_claim_is_made_exactly_where_the_interval_leaves_zero_out() -> None:
    rng = np.random.default_rng(3)
    for effect in (-0.6, 0.0, 0.6):
        differences = np.clip(rng.normal(effect * 0.3, 0.3, (40, 120)), -1, 1)
        found = betting.claims(differences, 2)
        low, high = betting.confidence_intervals(differences, 2, 2 * betting.LEVEL)
        assert found.is_better.tolist() == (low > 0).tolist()
        assert found.is_worse.tolist() == (high < 0).tolist()


def test_two_that_are_alike_are_said_to_be_when_enough_is_known() -> None:
    differences = np.random.default_rng(4).choice([-0.3, 0.3], (1, 1500))
    assert betting.claims(differences, 2).is_alike[0]
    assert not betting.claims(differences[:, :60], 2).is_alike[0]
    assert not betting.claims(np.zeros((1, 100)), 2).is_alike[0]


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=6))
def test_the_evidence_for_one_of_several_is_the_least_average_of_the_sets_that_hold_it(values: list[float]) -> None:
    places = range(len(values))
    sets = [chosen for size in places for chosen in combinations(places, size + 1)]
    expected = [min(np.mean([values[each] for each in chosen]) for chosen in sets if own in chosen) for own in places]
    assert betting.closed_evidence(values) == pytest.approx(expected)


def test_a_small_deviation_needs_more_outcomes() -> None:
    needed = [betting.needed_outcomes(0.3, 2, deviation=deviation) for deviation in (0.3, 0.13, 0.03)]
    assert needed[0] == pytest.approx(betting.needed_outcomes(0.3, 2), rel=0.1)
    assert needed[1] < 400
    assert needed[2] > 900


def test_without_an_effect_few_histories_ever_reach_the_threshold() -> None:
    rng = np.random.default_rng(1)
    histories = rng.choice([-0.3, 0.3], size=(500, 260))
    alarmed = np.zeros(500, dtype=bool)
    for week in range(1, 261):
        alarmed |= betting.evidence(histories[:, :week], 2) >= 1 / betting.LEVEL
    assert alarmed.mean() <= betting.LEVEL


def test_a_planted_effect_is_found_about_when_expected() -> None:
    rng = np.random.default_rng(2)
    deviation, effect = 0.26, 0.5
    needed = betting.needed_outcomes(effect, 2)
    histories = np.clip(rng.normal(effect * deviation, deviation, (500, 2 * needed)), -1, 1)
    found = betting.evidence(histories, 2) >= 1 / betting.LEVEL
    early = betting.evidence(histories[:, : needed // 3], 2) >= 1 / betting.LEVEL
    assert found.mean() >= 0.75
    assert early.mean() <= 0.25


def test_about_180_outcomes_show_0_3_deviations() -> None:
    assert 170 <= betting.needed_outcomes(0.3, 2) <= 190
