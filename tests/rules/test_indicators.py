"""The arithmetic on bars, against published worked examples, pandas as a second implementation, and what must hold."""

import math
from collections.abc import Callable

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spy32.rules import indicators as i

# StockCharts ChartSchool, "Relative Strength Index": QQQQ closes 2009-12-14 to 2010-02-01 and the RSI from the 15th on.
RSI_CLOSES = (
    44.3389, 44.0902, 44.1497, 43.6124, 44.3278, 44.8264, 45.0955, 45.4245, 45.8433, 46.0826, 45.8931,
    46.0328, 45.6140, 46.2820, 46.2820, 46.0028, 46.0328, 46.4116, 46.2222, 45.6439, 46.2122, 46.2521,
    45.7137, 46.4515, 45.7835, 45.3548, 44.0288, 44.1783, 44.2181, 44.5672, 43.4205, 42.6628, 43.1314,
)  # fmt: skip
RSI_PUBLISHED = (
    70.53, 66.32, 66.55, 69.41, 66.36, 57.97, 62.93, 63.26, 56.06, 62.38, 54.71, 50.42, 39.99, 41.46, 41.87, 45.46,
    37.30, 33.08, 37.77,
)  # fmt: skip

# The same, "Moving Averages": Intel closes, and the exponential average of 10 from the tenth on.
EMA_CLOSES = (
    22.27, 22.19, 22.08, 22.17, 22.18, 22.13, 22.23, 22.43, 22.24, 22.29, 22.15, 22.39, 22.38, 22.61, 23.36, 24.05,
    23.75, 23.83, 23.95, 23.63, 23.82, 23.87, 23.65, 23.19, 23.10, 23.33, 22.68, 23.10, 22.40, 22.17,
)  # fmt: skip
EMA_PUBLISHED = (
    22.22, 22.21, 22.24, 22.27, 22.33, 22.52, 22.80, 22.97, 23.13, 23.28, 23.34, 23.43, 23.51, 23.54, 23.47, 23.40,
    23.39, 23.26, 23.23, 23.08, 22.92,
)  # fmt: skip

# The same, "Average True Range": QQQQ 2010-04-01 to 2010-05-13, and the ATR 14 from the 14th on.
HIGHS = (
    48.70, 48.72, 48.90, 48.87, 48.82, 49.05, 49.20, 49.35, 49.92, 50.19, 50.12, 49.66, 49.88, 50.19, 50.36, 50.57,
    50.65, 50.43, 49.63, 50.33, 50.29, 50.17, 49.32, 48.50, 48.32, 46.80, 47.80, 48.39, 48.66, 48.79,
)  # fmt: skip
LOWS = (
    47.79, 48.14, 48.39, 48.37, 48.24, 48.64, 48.94, 48.86, 49.50, 49.87, 49.20, 48.90, 49.43, 49.73, 49.26, 50.09,
    50.30, 49.21, 48.98, 49.61, 49.20, 49.43, 48.08, 47.64, 41.55, 44.28, 47.31, 47.20, 47.90, 47.73,
)  # fmt: skip
CLOSES = (
    48.16, 48.61, 48.75, 48.63, 48.74, 49.03, 49.07, 49.32, 49.91, 50.13, 49.53, 49.50, 49.75, 50.03, 50.31, 50.52,
    50.41, 49.43, 49.37, 50.23, 49.24, 49.93, 48.43, 48.18, 46.57, 45.41, 47.77, 47.72, 48.62, 47.85,
)  # fmt: skip
ATR_PUBLISHED = (
    0.55, 0.59, 0.59, 0.57, 0.61, 0.62, 0.64, 0.67, 0.69, 0.77, 0.78, 1.21, 1.30, 1.38, 1.37, 1.34, 1.32,
)  # fmt: skip

# The same, "Bollinger Bands": the first three of the bands of 20 closes.
BOLLINGER_CLOSES = (
    86.16, 89.09, 88.78, 90.32, 89.07, 91.15, 89.44, 89.18, 86.93, 87.68, 86.96, 89.43, 89.32, 88.72, 87.45, 87.26,
    89.50, 87.90, 89.13, 90.70, 92.90, 92.98,
)  # fmt: skip
BOLLINGER_PUBLISHED = ((86.12, 88.71, 91.29), (86.14, 89.05, 91.95), (85.87, 89.24, 92.61))

PRICES = st.lists(st.floats(1, 2000), min_size=30, max_size=80)


@pytest.mark.parametrize(("upto", "published"), list(enumerate(RSI_PUBLISHED, 15)))
def test_rsi_is_the_published_one(upto: int, published: float) -> None:
    assert i.rsi(RSI_CLOSES[:upto]) == pytest.approx(published, abs=0.006)


@pytest.mark.parametrize(("upto", "published"), list(enumerate(EMA_PUBLISHED, 10)))
def test_ema_is_the_published_one(upto: int, published: float) -> None:
    # The sheet computes from closes of four decimals and prints two.
    assert i.ema(EMA_CLOSES[:upto], 10) == pytest.approx(published, abs=0.011)


def test_sma_is_the_published_one() -> None:
    # The ten-day simple averages beside the exponential ones on the same sheet.
    published = (22.22, 22.21, 22.23, 22.26, 22.31, 22.42, 22.61, 22.77, 22.91)
    found = [i.mean(EMA_CLOSES[upto - 10 : upto]) for upto in range(10, 19)]
    assert [round(each, 2) for each in found] == pytest.approx(published, abs=0.011)


@pytest.mark.parametrize(("upto", "published"), list(enumerate(ATR_PUBLISHED, 14)))
def test_atr_is_the_published_one(upto: int, published: float) -> None:
    ranges = list(zip(HIGHS, LOWS, CLOSES, strict=True))
    assert i.atr(ranges[:upto]) == pytest.approx(published, abs=0.011)


@pytest.mark.parametrize(("upto", "published"), list(enumerate(BOLLINGER_PUBLISHED, 20)))
def test_bollinger_bands_are_the_published_ones(upto: int, published: tuple[float, float, float]) -> None:
    assert i.bollinger(BOLLINGER_CLOSES[upto - 20 : upto]) == pytest.approx(published, abs=0.006)


def test_realised_volatility_is_hulls() -> None:
    # Hull, practice question on monthly prices 35, 38, 41, 37, 33, 32: 32.6 % a year.
    assert i.realised_volatility((35, 38, 41, 37, 33, 32), a_year=12) == pytest.approx(0.326, abs=0.0005)


# A second implementation.


@given(closes=PRICES)
def test_averages_and_volatility_agree_with_pandas(closes: list[float]) -> None:
    series = pd.Series(closes)
    low, mid, high = i.bollinger(closes[-20:])
    assert mid == i.mean(closes[-20:]) == pytest.approx(series.tail(20).mean(), rel=1e-9)
    assert high - mid == pytest.approx(2 * series.tail(20).std(ddof=0), rel=1e-6, abs=1e-6)
    assert mid - low == pytest.approx(high - mid, rel=1e-6, abs=1e-6)
    moves = (series / series.shift(1)).map(math.log).tail(20)
    found = i.realised_volatility(closes[-21:])
    assert found == pytest.approx(moves.std(ddof=1) * math.sqrt(252), rel=1e-9, abs=1e-9)


@given(closes=PRICES)
def test_ema_agrees_with_pandas(closes: list[float]) -> None:
    begun = pd.Series([sum(closes[:10]) / 10, *closes[10:]])
    assert i.ema(closes, 10) == pytest.approx(begun.ewm(span=10, adjust=False).mean().iloc[-1], rel=1e-9)


@given(closes=PRICES)
def test_rsi_agrees_with_pandas(closes: list[float]) -> None:
    change = pd.Series(closes).diff().dropna()
    if not change.abs().sum():
        assert i.rsi(closes) is None
        return
    up, down = (_smoothed(side) for side in (change.clip(lower=0), -change.clip(upper=0)))
    assert i.rsi(closes) == pytest.approx(100 * up / (up + down), rel=1e-6, abs=1e-6)


def _smoothed(side: pd.Series) -> float:
    """Wilder's smoothing is an exponential one of weight 1/14, begun with the mean of fourteen."""
    begun = pd.Series([side.iloc[:14].mean(), *side.iloc[14:]])
    return float(begun.ewm(alpha=1 / 14, adjust=False).mean().iloc[-1])


# What must hold.


@given(closes=PRICES)
def test_rsi_stays_between_0_and_100(closes: list[float]) -> None:
    found = i.rsi(closes)
    assert found is None or 0 <= found <= 100


SCALED: list[tuple[bool, Callable[[list[float]], float | None]]] = [
    (False, i.rsi),
    (False, i.realised_volatility),
    (False, i.simple_return),
    (True, i.mean),
    (True, lambda closes: i.ema(closes, 20)),
    (True, i.momentum),
]


@given(closes=PRICES, scale=st.floats(0.01, 100))
def test_scale_changes_no_share_and_scales_every_price(closes: list[float], scale: float) -> None:
    scaled = [close * scale for close in closes]
    for factor, compute in SCALED:
        before, after = compute(closes), compute(scaled)
        if before is None or after is None:
            assert before == after
        else:
            assert after == pytest.approx(before * (scale if factor else 1), rel=1e-6, abs=1e-6)


def test_a_constant_price_moves_nothing() -> None:
    closes = [670.0] * 60
    assert i.mean(closes) == 670.0
    assert i.ema(closes, 20) == 670.0
    assert i.bollinger(closes) == (670.0, 670.0, 670.0)
    assert i.realised_volatility(closes) == 0.0
    assert i.momentum(closes) == 0.0
    assert i.rsi(closes) is None, "no gain and no loss have no relation"


def test_only_gains_are_100_and_only_losses_0() -> None:
    rising = [float(day) for day in range(1, 40)]
    assert i.rsi(rising) == 100.0
    assert i.rsi(rising[::-1]) == 0.0


@given(level=st.floats(5, 90), past=st.lists(st.floats(5, 90), min_size=1, max_size=300))
def test_ranks_are_shares(level: float, past: list[float]) -> None:
    below, between = i.percentile_rank(level, past), i.range_rank(level, past)
    assert 0 <= below <= 1
    assert below == sum(1 for each in past if each < level) / len(past)
    assert between is None or 0 <= between <= 1


def test_ranks_of_known_levels() -> None:
    past = [10.0, 20.0, 30.0, 20.0]
    assert i.percentile_rank(20, past) == 0.25
    assert i.range_rank(15, past) == 0.25
    assert i.range_rank(40, past) == 1.0
    assert i.range_rank(5, past) == 0.0
    assert i.range_rank(5, [5.0]) is None


def test_volume_is_compared_with_the_sessions_before() -> None:
    assert i.ratio_to_average([100.0] * 20 + [150.0]) == 1.5
    assert i.ratio_to_average([100.0] * 20 + [0.0]) is None
    assert i.ratio_to_average([0.0] + [100.0] * 20) is None
