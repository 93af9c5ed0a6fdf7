"""Technical indicators on daily bars: averages, ranges, momentum and realised volatility, by their published formulas.

Prices are oldest first. A close that is not a price (NaN, zero, negative, infinite) is never used: only the bars after
the last such close count. Every function returns the value with the number of bars used, or None when there are too
few. Missing values are not filled in.
"""

from collections.abc import Sequence
from itertools import pairwise
from math import log, sqrt
from typing import NamedTuple

MAX_PRICE = 1e9
"""Dollars; no share price is higher."""
SESSIONS_A_YEAR = 252


class Reading(NamedTuple):
    """The value of an indicator."""

    value: float
    used: int
    """Number of bars, or levels, that it was computed from."""


class Bands(NamedTuple):
    """Bollinger bands, dollars."""

    low: float
    mid: float
    high: float
    used: int


class SessionRange(NamedTuple):
    """High, low and close of one session, dollars."""

    high: float
    low: float
    close: float


def is_price(number: float | None) -> bool:
    """Return whether the number can be a share price: above 0 and below `MAX_PRICE`."""
    return number is not None and 0 < number < MAX_PRICE


def trailing_prices(closes: Sequence[float]) -> list[float]:
    """Return the closes after the last one that is not a price."""
    start = next((index for index in range(len(closes), 0, -1) if not is_price(closes[index - 1])), 0)
    return list(closes[start:])


# Averages.


def sma(closes: Sequence[float], span: int) -> Reading | None:
    """Return the simple moving average: the mean of the last `span` closes, dollars."""
    last = trailing_prices(closes)[-span:]
    return Reading(sum(last) / span, span) if len(last) == span else None


def ema(closes: Sequence[float], span: int) -> Reading | None:
    """Return the exponential moving average, dollars: weight 2 / (span + 1) on the newest close.

    It starts with the mean of the first `span` closes (StockCharts, ChartSchool).
    """
    closes_used = trailing_prices(closes)
    if len(closes_used) < span:
        return None
    level = sum(closes_used[:span]) / span
    for close in closes_used[span:]:
        level += (close - level) * 2 / (span + 1)
    return Reading(level, len(closes_used))


def bollinger(closes: Sequence[float], span: int = 20, width: float = 2.0) -> Bands | None:
    """Return the mean of `span` closes and `width` population standard deviations to either side (Bollinger 2001)."""
    last = trailing_prices(closes)[-span:]
    if len(last) < span:
        return None
    mid = sum(last) / span
    reach = width * sqrt(sum((close - mid) * (close - mid) for close in last) / span)
    return Bands(mid - reach, mid, mid + reach, span)


# Wilder's smoothing: the mean of the first `span`, then ((span - 1) x old + new) / span.


def rsi(closes: Sequence[float], span: int = 14) -> Reading | None:
    """Return the relative strength index, 0-100 (Wilder 1978); 100 without a loss, None when all closes are equal."""
    closes_used = trailing_prices(closes)
    changes = [after - before for before, after in pairwise(closes_used)]
    gain = _wilder_average([max(change, 0.0) for change in changes], span)
    loss = _wilder_average([max(-change, 0.0) for change in changes], span)
    if gain is None or loss is None or gain + loss == 0:
        return None
    return Reading(100 * gain / (gain + loss), len(closes_used))


def atr(ranges: Sequence[SessionRange], span: int = 14) -> Reading | None:
    """Return the average true range, dollars (Wilder 1978). The first true range is high less low."""
    true = [
        max(day.high - day.low, abs(day.high - before.close), abs(day.low - before.close))
        for before, day in pairwise(ranges)
    ]
    level = _wilder_average([ranges[0].high - ranges[0].low, *true] if ranges else [], span)
    return Reading(level, len(ranges)) if level is not None else None


def _wilder_average(numbers: Sequence[float], span: int) -> float | None:
    if len(numbers) < span:
        return None
    level = sum(numbers[:span]) / span
    for number in numbers[span:]:
        level = (level * (span - 1) + number) / span
    return level


# Moves.


def momentum(closes: Sequence[float], span: int) -> Reading | None:
    """Return the newest close less the close `span` sessions before, dollars."""
    closes_used = trailing_prices(closes)[-span - 1 :]
    return Reading(closes_used[-1] - closes_used[0], span + 1) if len(closes_used) == span + 1 else None


def simple_return(closes: Sequence[float], span: int) -> Reading | None:
    """Return the newest close over the close `span` sessions before, less 1: a fraction."""
    closes_used = trailing_prices(closes)[-span - 1 :]
    return Reading(closes_used[-1] / closes_used[0] - 1, span + 1) if len(closes_used) == span + 1 else None


def realised_volatility(closes: Sequence[float], span: int, a_year: int = SESSIONS_A_YEAR) -> Reading | None:
    """Return the annualised close-to-close volatility of `span` log returns, a fraction.

    It is the sample standard deviation (divisor n - 1) times sqrt(`a_year`) (Hull, Options, Futures and Other
    Derivatives, chapter "The Black-Scholes-Merton model", on estimating volatility from historical data).
    """
    closes_used = trailing_prices(closes)[-span - 1 :]
    if len(closes_used) < span + 1 or span < 2:
        return None
    moves = [log(after / before) for before, after in pairwise(closes_used)]
    mean = sum(moves) / span
    variance = sum((move - mean) * (move - mean) for move in moves) / (span - 1)
    return Reading(sqrt(variance * a_year), span + 1)


def ratio_to_average(volumes: Sequence[float], span: int) -> Reading | None:
    """Return the newest volume over the mean of the `span` volumes before it."""
    last = volumes[-span - 1 :]
    if len(last) < span + 1 or not all(is_price(volume / MAX_PRICE) for volume in last):
        return None
    return Reading(last[-1] * span / sum(last[:-1]), span + 1)


# Where a level stands among past ones.


def percentile_rank(level: float, past: Sequence[float]) -> Reading | None:
    """Return the share of past levels below this one, 0 to 1 (the IV percentile of brokers)."""
    return Reading(sum(each < level for each in past) / len(past), len(past)) if past else None


def range_rank(level: float, past: Sequence[float]) -> Reading | None:
    """Return the level's position between the lowest and the highest level, itself included, 0 to 1 (the IV rank of
    brokers)."""
    low, high = min((level, *past)), max((level, *past))
    return Reading((level - low) / (high - low), len(past)) if past and high > low else None
