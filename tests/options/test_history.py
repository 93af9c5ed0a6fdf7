"""Past windows against a direct loop, weights by their properties, random numbers against published ones."""

import math
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spy32.options.history import (
    DailyHistory,
    Horizon,
    build_history,
    build_scenarios,
    count_windows,
    matched_weights,
    random_shares,
    tilt_weights,
)

DAYS = np.arange(np.datetime64("2025-01-01"), np.datetime64("2025-01-09"))
OPEN = np.array([100, 101, 103, 102, 104, 103, 105, 106.0])
HIGH = OPEN + 2
LOW = OPEN - 3
CLOSE = np.array([101, 102, 101, 104, 103, 105, 106, 104.0])
VIX = np.array([15, 16, 20, 18, 17, 16, 19, 21.0])
PAID = np.array([0, 0, 0, 1.5, 0, 0, 0, 0])
HISTORY = build_history(DAYS, np.stack((OPEN, HIGH, LOW, CLOSE)), VIX, PAID)


def horizon(sessions: int = 3, share: float | None = None) -> Horizon:
    return Horizon(years=sessions / 252, left=np.arange(sessions)[::-1] / 252, share=share)


def move(row: int, start: int, prices: np.ndarray) -> float:
    """The log total return from the close of `start` to a price of session `row`, dividends reinvested."""
    paid = [math.log((CLOSE[at] + PAID[at]) / CLOSE[at]) for at in range(start + 1, row + 1)]
    # On an ex-date the shares are bought with the dividend at the close: it counts at that price.
    gaps = sum(math.log((CLOSE[at] + PAID[at]) / CLOSE[at - 1]) for at in range(start + 1, row)) + math.log(
        (CLOSE[row] + PAID[row]) / CLOSE[row - 1]
    )
    assert gaps == pytest.approx(math.log(CLOSE[row] / CLOSE[start]) + sum(paid))
    return gaps + math.log(prices[row] / CLOSE[row])


@pytest.mark.parametrize("prices", ["close", "high", "low"])
def test_windows_of_whole_sessions_are_those_of_a_direct_loop(prices: str) -> None:
    column = {"close": CLOSE, "high": HIGH, "low": LOW}[prices]
    found = build_scenarios(HISTORY, horizon(), vix=30.0, starts=np.arange(5))
    for start in range(5):
        for session in range(3):
            wanted = move(start + 1 + session, start, column) * 30.0 / VIX[start]
            assert getattr(found, prices)[start, session] == pytest.approx(wanted, abs=1e-12)
            assert found.vix[start, session] == pytest.approx(VIX[start + 1 + session] / VIX[start])


def test_of_a_session_under_way_only_the_rest_counts() -> None:
    """From the open, times the root of the share that is left; what came before the open is over."""
    found = build_scenarios(HISTORY, horizon(share=0.25), vix=15.0, starts=np.array([0]))
    first = 0.5 * math.log(CLOSE[1] / OPEN[1])
    assert found.close[0, 0] == pytest.approx(first)
    assert found.high[0, 0] == pytest.approx(0.5 * math.log(HIGH[1] / OPEN[1]))
    assert found.close[0, 1] == pytest.approx(first + math.log(CLOSE[2] / CLOSE[1]))
    assert found.low[0, 2] == pytest.approx(first + move(3, 1, LOW))
    assert found.vix[0, 2] == pytest.approx((16 / 15) ** 0.5 * 18 / 16)


def test_a_range_holds_open_and_close() -> None:
    """Some sources' highs and lows miss the closing auction."""
    narrow = build_history(DAYS, np.stack((OPEN, OPEN, OPEN, CLOSE)), VIX, PAID)
    assert (narrow.low <= np.minimum(narrow.open, narrow.close)).all()
    assert (narrow.high >= np.maximum(narrow.open, narrow.close)).all()


def test_a_session_without_close_or_vix_is_left_out_and_its_return_is_in_the_next() -> None:
    vix = np.where(np.arange(8) == 2, np.nan, VIX)
    found = build_history(DAYS, np.stack((OPEN, HIGH, LOW, CLOSE)), vix, np.zeros(8))
    assert len(found.days) == 7
    assert found.close[-1] == pytest.approx(math.log(CLOSE[-1] / CLOSE[0]))


def test_windows_have_closed_within_the_history() -> None:
    assert count_windows(HISTORY, horizon(3)) == 4
    assert count_windows(HISTORY, horizon(20)) == 0
    assert count_windows(HISTORY.until(date(2025, 1, 6)), horizon(3)) == 2
    assert isinstance(HISTORY.until(date(1990, 1, 1)), DailyHistory)


def test_random_numbers_are_those_of_splitmix64() -> None:
    """The published first outputs for the seed 1234567 (rosettacode.org, "Pseudo-random numbers/Splitmix64")."""
    published = (6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431)
    assert random_shares(4, 1234567).tolist() == [number / 2**64 for number in map(_first_53_bits, published)]


def _first_53_bits(number: int) -> int:
    return number >> 11 << 11


growths = st.lists(st.floats(0.5, 2.0), min_size=2, max_size=60).filter(
    lambda numbers: min(numbers) < 0.98 and max(numbers) > 1.02
)


@given(growths)
def test_a_tilt_gives_the_forward_its_mean_and_every_window_a_weight(values: list[float]) -> None:
    growth = np.array(values)
    weights = tilt_weights(growth)
    assert weights.sum() == pytest.approx(1.0)
    assert weights @ growth == pytest.approx(1.0, abs=1e-9)
    assert (weights >= 0).all()


@given(growths)
def test_a_tilt_moves_weight_one_way_only(values: list[float]) -> None:
    """The ratio of two weights is exponential in the growth: log weights are linear."""
    growth = np.sort(np.array(values))
    logs = np.log(np.maximum(tilt_weights(growth), 1e-300)) * (1 if growth.mean() < 1 else -1)
    assert (np.diff(logs) >= -1e-9).all()


def test_without_windows_on_both_sides_of_the_forward_weights_stay_equal() -> None:
    assert tilt_weights(np.array([1.1, 1.2])).tolist() == [0.5, 0.5]


@given(st.lists(st.integers(300, 900).map(float), min_size=2, max_size=50, unique=True))
def test_matched_weights_have_the_distribution_between_any_two_windows(values: list[float]) -> None:
    prices = np.array(values)

    def cdf(at: np.ndarray) -> np.ndarray:
        return np.clip((at - 200) / 800, 0, 1)

    weights = matched_weights(prices, cdf)
    assert weights.sum() == pytest.approx(1.0)
    ordered = np.sort(prices)
    for middle in (ordered[1:] + ordered[:-1]) / 2:
        assert weights[prices < middle].sum() == pytest.approx(cdf(middle), abs=1e-9)
