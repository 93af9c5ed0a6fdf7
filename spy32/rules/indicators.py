"""Plain arithmetic on daily bars: averages, ranges, momentum and realised volatility, as they are published.

Prices are oldest first. A close that is not a price (NaN, zero, below zero, without bounds) is never used: what is
computed is computed from the bars after the last such close. Every function gives the value with the number of bars it
came from, or None when there are too few. Nothing is filled in.
"""

from collections.abc import Sequence
from itertools import pairwise
from math import log, sqrt
from typing import NamedTuple

MAX_PRICE = 1e9
"""Dollars. More is no price of a share."""
SESSIONS_A_YEAR = 252


class Reading(NamedTuple):
    value: float
    used: int
    """How many bars, or levels, it was computed from."""


class Bands(NamedTuple):
    low: float
    mid: float
    high: float
    used: int


class SessionRange(NamedTuple):
    """One session, dollars."""

    high: float
    low: float
    close: float


def is_price(number: float | None) -> bool:
    return number is not None and 0 < number < MAX_PRICE


def trailing_prices(closes: Sequence[float]) -> list[float]:
    """The closes after the last one that is no price."""
    start = next((index for index in range(len(closes), 0, -1) if not is_price(closes[index - 1])), 0)
    return list(closes[start:])


# Averages.


def sma(closes: Sequence[float], span: int) -> Reading | None:
    """The mean of the last `span` closes."""
    last = trailing_prices(closes)[-span:]
    return Reading(sum(last) / span, span) if len(last) == span else None


def ema(closes: Sequence[float], span: int) -> Reading | None:
    """Weight 2 / (span + 1) on the newest close; begun with the mean of the first `span` (StockCharts, ChartSchool)."""
    closes_used = trailing_prices(closes)
    if len(closes_used) < span:
        return None
    level = sum(closes_used[:span]) / span
    for close in closes_used[span:]:
        level += (close - level) * 2 / (span + 1)
    return Reading(level, len(closes_used))


def bollinger(closes: Sequence[float], span: int = 20, width: float = 2.0) -> Bands | None:
    """The mean of `span` closes and `width` population standard deviations to either side (Bollinger 2001)."""
    last = trailing_prices(closes)[-span:]
    if len(last) < span:
        return None
    mid = sum(last) / span
    reach = width * sqrt(sum((close - mid) * (close - mid) for close in last) / span)
    return Bands(mid - reach, mid, mid + reach, span)


# Wilder's smoothing: the mean of the first `span`, then span - 1 parts of the old and one of the new.


def rsi(closes: Sequence[float], span: int = 14) -> Reading | None:
    """0 to 100 (Wilder 1978); 100 without any loss. None when no close differs: there is no strength to relate."""
    closes_used = trailing_prices(closes)
    changes = [after - before for before, after in pairwise(closes_used)]
    gain = _wilder_average([max(change, 0.0) for change in changes], span)
    loss = _wilder_average([max(-change, 0.0) for change in changes], span)
    if gain is None or loss is None or gain + loss == 0:
        return None
    return Reading(100 * gain / (gain + loss), len(closes_used))


def atr(ranges: Sequence[SessionRange], span: int = 14) -> Reading | None:
    """The average true range, dollars (Wilder 1978). The first session has only its own high and low."""
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
    """The newest close less the one `span` sessions before, dollars."""
    closes_used = trailing_prices(closes)[-span - 1 :]
    return Reading(closes_used[-1] - closes_used[0], span + 1) if len(closes_used) == span + 1 else None


def simple_return(closes: Sequence[float], span: int) -> Reading | None:
    """The newest close over the one `span` sessions before, less 1."""
    closes_used = trailing_prices(closes)[-span - 1 :]
    return Reading(closes_used[-1] / closes_used[0] - 1, span + 1) if len(closes_used) == span + 1 else None


def realised_volatility(closes: Sequence[float], span: int, a_year: int = SESSIONS_A_YEAR) -> Reading | None:
    """The yearly volatility of `span` log returns, close to close, as a fraction.

    The sample standard deviation about the mean, n - 1 below, times the root of the periods of a year (Hull, Options,
    Futures and Other Derivatives, chapter "The Black-Scholes-Merton model", on estimating volatility from history).
    """
    closes_used = trailing_prices(closes)[-span - 1 :]
    if len(closes_used) < span + 1 or span < 2:
        return None
    moves = [log(after / before) for before, after in pairwise(closes_used)]
    mean = sum(moves) / span
    variance = sum((move - mean) * (move - mean) for move in moves) / (span - 1)
    return Reading(sqrt(variance * a_year), span + 1)


def ratio_to_average(volumes: Sequence[float], span: int) -> Reading | None:
    """The newest over the mean of the `span` before it."""
    last = volumes[-span - 1 :]
    if len(last) < span + 1 or not all(is_price(volume / MAX_PRICE) for volume in last):
        return None
    return Reading(last[-1] * span / sum(last[:-1]), span + 1)


# Where a level stands among past ones.


def percentile_rank(level: float, past: Sequence[float]) -> Reading | None:
    """The share of past levels that lie below this one."""
    return Reading(sum(each < level for each in past) / len(past), len(past)) if past else None


def range_rank(level: float, past: Sequence[float]) -> Reading | None:
    """Where the level stands between the lowest and the highest, itself included: 0 to 1 (the "IV rank" of brokers)."""
    low, high = min((level, *past)), max((level, *past))
    return Reading((level - low) / (high - low), len(past)) if past and high > low else None
