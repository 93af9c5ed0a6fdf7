"""Technical indicators on daily bars: averages, ranges, momentum and realised volatility, by their published formulas.

Prices are oldest first, and each is one (`is_price`). An indicator of a window uses all that it is given; `ema`, `rsi`
and `atr` run over everything from its beginning.
"""

from collections.abc import Sequence
from itertools import pairwise
from math import log, sqrt

MAX_PRICE = 1e9
"""Dollars; no share price is higher."""
SESSIONS_A_YEAR = 252
WILDER_SPAN = 14
"""Sessions of the relative strength index and the average true range."""


def is_price(number: float | None) -> bool:
    """Return whether the number can be a share price: above 0 and below `MAX_PRICE`."""
    return number is not None and 0 < number < MAX_PRICE


# Averages.


def mean(numbers: Sequence[float]) -> float:
    return sum(numbers) / len(numbers)


def ema(closes: Sequence[float], span: int) -> float:
    """Return the exponential moving average, dollars: weight 2 / (span + 1) on the newest close.

    It starts with the mean of the first `span` closes (StockCharts, ChartSchool).
    """
    level = mean(closes[:span])
    for close in closes[span:]:
        level += (close - level) * 2 / (span + 1)
    return level


def bollinger(closes: Sequence[float], width: float = 2.0) -> tuple[float, float, float]:
    """Return the mean of the closes less and plus `width` population standard deviations, and the mean between them
    (Bollinger 2001): low, mid, high."""
    mid = mean(closes)
    reach = width * sqrt(mean([(close - mid) * (close - mid) for close in closes]))
    return mid - reach, mid, mid + reach


def rsi(closes: Sequence[float]) -> float | None:
    """Return the relative strength index, 0-100 (Wilder 1978); 100 without a loss, None when all closes are equal."""
    changes = [after - before for before, after in pairwise(closes)]
    gain = _wilder_average([max(change, 0.0) for change in changes])
    loss = _wilder_average([max(-change, 0.0) for change in changes])
    return 100 * gain / (gain + loss) if gain + loss > 0 else None


def atr(ranges: Sequence[tuple[float, float, float]]) -> float:
    """Return the average true range, dollars (Wilder 1978), of high, low and close of sessions.

    The first true range is high less low.
    """
    ranges_after = [
        max(high - low, abs(high - before), abs(low - before)) for (_, _, before), (high, low, _) in pairwise(ranges)
    ]
    return _wilder_average([ranges[0][0] - ranges[0][1], *ranges_after])


def _wilder_average(numbers: Sequence[float]) -> float:
    """Return Wilder's smoothing: the mean of the first `WILDER_SPAN`, then ((span - 1) x old + new) / span."""
    level = mean(numbers[:WILDER_SPAN])
    for number in numbers[WILDER_SPAN:]:
        level = (level * (WILDER_SPAN - 1) + number) / WILDER_SPAN
    return level


# Moves.


def momentum(closes: Sequence[float]) -> float:
    """Return the newest close less the oldest, dollars."""
    return closes[-1] - closes[0]


def simple_return(closes: Sequence[float]) -> float:
    """Return the newest close over the oldest, less 1: a fraction."""
    return closes[-1] / closes[0] - 1


def realised_volatility(closes: Sequence[float], a_year: int = SESSIONS_A_YEAR) -> float:
    """Return the annualised close-to-close volatility, a fraction.

    It is the sample standard deviation (divisor n - 1) of the log returns times sqrt(`a_year`) (Hull, Options, Futures
    and Other Derivatives, chapter "The Black-Scholes-Merton model", on estimating volatility from historical data).
    """
    moves = [log(after / before) for before, after in pairwise(closes)]
    average = mean(moves)
    variance = sum((move - average) * (move - average) for move in moves) / (len(moves) - 1)
    return sqrt(variance * a_year)


def ratio_to_average(volumes: Sequence[float]) -> float | None:
    """Return the newest volume over the mean of those before it; None when one of them is none."""
    if not all(is_price(volume / MAX_PRICE) for volume in volumes):
        return None
    return volumes[-1] * (len(volumes) - 1) / sum(volumes[:-1])


# Where a level stands among past ones.


def percentile_rank(level: float, past: Sequence[float]) -> float:
    """Return the share of past levels below this one, 0 to 1 (the IV percentile of brokers)."""
    return sum(each < level for each in past) / len(past)


def range_rank(level: float, past: Sequence[float]) -> float | None:
    """Return the level's position between the lowest and the highest level, itself included, 0 to 1 (the IV rank of
    brokers); None when all are the same."""
    low, high = min((level, *past)), max((level, *past))
    return (level - low) / (high - low) if high > low else None
