"""Scores against second implementations and identities."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spy32.review.scores import brier_parts, brier_scores, isotonic_fit, log_scores

pairs = st.lists(st.tuples(st.sampled_from([n / 10 for n in range(11)]), st.booleans()), min_size=1, max_size=25)


def columns(cases: list[tuple[float, bool]]) -> tuple[np.ndarray, np.ndarray]:
    stated, outcomes = zip(*cases, strict=True)
    return np.array(stated), np.array(outcomes, dtype=float)


def minimax_fit(stated: np.ndarray, outcomes: np.ndarray) -> np.ndarray:
    """Isotonic regression by its formula, max over a <= i of min over b >= i of the mean from a to b (Barlow 1972)."""
    levels = sorted(set(stated))

    def mean(first: float, last: float) -> float:
        return float(outcomes[(stated >= first) & (stated <= last)].mean())

    return np.array([max(min(mean(a, b) for b in levels if b >= p) for a in levels if a <= p) for p in stated])


@given(pairs)
def test_pooling_adjacent_violators_is_the_isotonic_regression(cases: list[tuple[float, bool]]) -> None:
    stated, outcomes = columns(cases)
    np.testing.assert_allclose(isotonic_fit(stated, outcomes), minimax_fit(stated, outcomes), atol=1e-12)


def test_the_isotonic_regression_of_a_small_table() -> None:
    stated = np.array([0.9, 0.1, 0.5, 0.5, 0.7])
    fit = isotonic_fit(stated, np.array([1.0, 0.0, 1.0, 1.0, 0.0]))
    np.testing.assert_allclose(fit, [1, 0, 2 / 3, 2 / 3, 2 / 3])


@given(pairs)
def test_the_parts_of_a_brier_score_are_its_sum_and_none_is_negative(cases: list[tuple[float, bool]]) -> None:
    stated, outcomes = columns(cases)
    parts = brier_parts(stated, outcomes)
    assert parts.brier == pytest.approx(brier_scores(stated, outcomes).mean(), abs=1e-14)
    assert min(parts.miscalibration, parts.discrimination, parts.uncertainty) >= -1e-15


def test_a_constant_forecast_discriminates_nothing_and_is_miscalibrated_by_its_squared_error() -> None:
    outcomes = np.array([1.0, 1.0, 1.0, 0.0])
    parts = brier_parts(np.full(4, 0.5), outcomes)
    assert (parts.miscalibration, parts.discrimination, parts.uncertainty) == pytest.approx((1 / 16, 0, 3 / 16))


def test_a_log_score_is_that_of_what_happened_and_never_infinite() -> None:
    scores = log_scores(np.array([0.8, 0.8, 0.0, 1.0]), np.array([1.0, 0.0, 1.0, 0.0]))
    np.testing.assert_allclose(scores, -np.log([0.8, 0.2, 0.001, 0.001]))
