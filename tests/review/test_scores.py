"""Scores against second implementations, identities, and a process whose true mean is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spy32.review.scores import brier_parts, brier_scores, interval, isotonic_fit, log_scores, resampled_means

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


def autoregression(rng: np.random.Generator, rows: int) -> np.ndarray:
    """A column whose neighbours correlate with 0.7 and whose true mean is 0."""
    noise = rng.standard_normal(rows + 50)
    for row in range(1, len(noise)):
        noise[row] += 0.7 * noise[row - 1]
    return noise[50:, None]


def coverage(block: int) -> float:
    """The share of 200 histories whose 95 % interval holds the true mean."""
    rng = np.random.default_rng(7)
    ends = [interval(resampled_means(autoregression(rng, 600), block, seed, 400)[:, 0]) for seed in range(200)]
    return float(np.mean([low <= 0 <= high for low, high in ends]))


def test_an_interval_by_blocks_covers_the_mean_of_dependent_outcomes_and_one_by_single_rows_does_not() -> None:
    """Independent rows would understate the deviation by the root of (1 + 0.7)/(1 - 0.7): 0.6 instead of 0.95."""
    assert coverage(25) >= 0.88
    assert coverage(1) <= 0.70


def test_single_rows_are_the_ordinary_bootstrap() -> None:
    column = np.arange(50.0)[:, None]
    found = resampled_means(column, 1, 3, 20_000)[:, 0]
    assert found.mean() == pytest.approx(column.mean(), abs=0.05)
    assert found.std() == pytest.approx(column.std() / 50**0.5, rel=0.02)
    assert interval(found) == pytest.approx((24.5 - 4.0, 24.5 + 4.0), abs=0.15)


def test_a_block_of_all_rows_gives_the_mean_itself_and_a_last_block_is_cut() -> None:
    column = np.arange(7.0)[:, None]
    np.testing.assert_allclose(resampled_means(column, 7, 1, 5), 3.0)
    # Two blocks of three of seven rows and one single row: seven rows, whatever was drawn.
    np.testing.assert_allclose(resampled_means(np.ones((7, 1)), 3, 1, 5), 1.0)


def test_columns_are_resampled_together_and_a_seed_gives_the_same_bytes() -> None:
    rows = np.random.default_rng(1).standard_normal((40, 1))
    found = resampled_means(np.hstack((rows, rows + 2)), 4, 9)
    np.testing.assert_allclose(found[:, 1] - found[:, 0], 2)
    assert found.tobytes() == resampled_means(np.hstack((rows, rows + 2)), 4, 9).tobytes()


@pytest.mark.parametrize("block", [0, 6])
def test_a_block_longer_than_the_history_or_empty_is_refused(block: int) -> None:
    with pytest.raises(ValueError, match=f"a block of {block} rows of 5"):
        resampled_means(np.ones((5, 1)), block, 1)
