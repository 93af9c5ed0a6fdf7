"""Bootstrap intervals against a direct loop over the same draws and against theory; shortfalls by their definition."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spy32.options.bootstrap import (
    BLOCK_STARTS,
    RESAMPLES,
    Resamples,
    remove_drift_error,
    shortfall_values,
)
from spy32.options.history import random_shares


def normals(count: int, seed: int = 1) -> np.ndarray:
    """Box and Muller (1958)."""
    first, second = random_shares(2 * count, seed).reshape(2, count)
    return np.sqrt(-2 * np.log(1 - first)) * np.cos(2 * np.pi * second)


def test_intervals_are_those_of_resampled_observations() -> None:
    """Every block copied out, one resample after the other."""
    values, weights = normals(400).reshape(2, 200) + 3, random_shares(200, 5) + 0.5
    draws = Resamples.draw(200, 20, 7)
    means = []
    for counts in draws.counts:
        rows = [
            start * draws.step + place
            for start, times in enumerate(counts)
            for _ in range(int(times))
            for place in range(draws.step * BLOCK_STARTS)
        ]
        means.append(values[:, rows] @ weights[rows] / weights[rows].sum())
    centred = np.sort(np.array(means) - np.mean(means, axis=0) + values @ weights / weights.sum(), axis=0)
    low, high = draws.intervals(values, weights)
    np.testing.assert_allclose(low, centred[round(RESAMPLES * 0.05) - 1], atol=1e-12)
    np.testing.assert_allclose(high, centred[-round(RESAMPLES * 0.05)], atol=1e-12)


def test_of_independent_observations_the_interval_is_that_of_the_normal() -> None:
    """Mean +- 1.645 sd / sqrt(n), within what 500 resamples of 200 blocks allow."""
    count = 8000
    values = normals(count)
    low, high = Resamples.draw(count, 40, 3).intervals(values[None, :], np.full(count, 1 / count))
    wanted = 1.645 * values.std() / np.sqrt(count)
    assert (high - low)[0] / 2 == pytest.approx(wanted, rel=0.15)


def test_blocks_keep_the_dependence_of_overlapping_windows() -> None:
    """Sums of 20 neighbours vary 20 times as much in the mean as independent values of their spread."""
    count, window = 8000, 20
    values = np.convolve(normals(count + window - 1), np.ones(window) / np.sqrt(window), mode="valid")
    weights = np.full(count, 1 / count)
    blocked = Resamples.draw(count, 60, 3).intervals(values[None, :], weights)
    single = Resamples.draw(count, 5, 3).intervals(values[None, :], weights)
    ratio = float((blocked[1] - blocked[0])[0] / (1.645 * 2 / np.sqrt(count)))
    assert ratio == pytest.approx(np.sqrt(window), rel=0.25)
    assert (blocked[1] - blocked[0])[0] > 1.5 * (single[1] - single[0])[0]


def autoregression(rng: np.random.Generator, rows: int) -> np.ndarray:
    """A row whose neighbours correlate with 0.7 and whose true mean is 0."""
    noise = rng.standard_normal(rows + 50)
    for place in range(1, len(noise)):
        noise[place] += 0.7 * noise[place - 1]
    return noise[50:]


def coverage(block: int) -> float:
    """The share of 200 histories whose 95 % interval holds the true mean."""
    rng, weights = np.random.default_rng(7), np.ones(600)
    ends = [
        Resamples.draw(600, block, seed, 400).intervals(autoregression(rng, 600)[None, :], weights, tail=0.025)
        for seed in range(200)
    ]
    return float(np.mean([low[0] <= 0 <= high[0] for low, high in ends]))


def test_an_interval_by_blocks_covers_the_mean_of_dependent_outcomes_and_one_by_short_blocks_does_not() -> None:
    """Independent rows would understate the deviation by the root of (1 + 0.7)/(1 - 0.7): 0.6 instead of 0.95."""
    assert coverage(25) >= 0.88
    assert coverage(1) <= 0.80


def test_the_same_seed_gives_the_same_bytes() -> None:
    first, again, other = (Resamples.draw(500, 40, seed).counts for seed in (1, 1, 2))
    assert first.tobytes() == again.tobytes()
    assert first.tobytes() != other.tobytes()


@given(st.lists(st.floats(-500, 100), min_size=20, max_size=200), st.integers(0, 1000))
def test_a_shortfall_is_the_mean_of_the_worst_twentieth(profits: list[float], seed: int) -> None:
    values, weights = np.array([profits]), random_shares(len(profits), seed) + 0.1
    weights /= weights.sum()
    found = shortfall_values(values, np.argsort(values, axis=1), weights) @ weights
    left, total = 0.05, 0.0
    for profit, weight in sorted(zip(profits, weights, strict=True)):
        used = min(weight, left)
        total, left = total + used * profit, left - used
    assert found[0] == pytest.approx(total / 0.05, abs=1e-7)


def test_removing_the_error_of_the_drift_keeps_means_and_narrows_what_follows_the_market() -> None:
    growth = 1 + 0.05 * normals(2000)
    weights = np.exp(-0.3 * growth)
    weights /= weights.sum()
    growth += 1 - weights @ growth
    values = np.stack((100 * growth, normals(2000, 9)))
    found = remove_drift_error(values, weights, growth)
    np.testing.assert_allclose(found @ weights, values @ weights, atol=1e-9)
    np.testing.assert_allclose(found[0], 100, atol=1e-9)
    assert abs(weights @ (found[1] * (growth - 1))) < 1e-12
