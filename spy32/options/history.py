"""Past sessions of an underlying as scenarios for today: real windows of daily returns, scaled by the VIX.

A scenario starts at the close of a past session and follows the real sessions after it, so that the clustering of
volatility and the fat tails stay as they were. Its log returns are multiplied by the VIX of today over the VIX at its
start. A further kernel on the level of the VIX made call spreads worse and puts no better, so there is none.

All laws share the scenarios and differ in their weights: equal for the history as it was, tilted to the forward for a
history without drift, and matched to the density for the market.
"""

from collections.abc import Callable
from dataclasses import fields
from datetime import date

import numpy as np
from numpy.typing import NDArray

from spy32.domain.value import value
from spy32.options.normal import Floats

Ints = NDArray[np.int64]


@value
class DailyHistory:
    """Past sessions, oldest first, as columns of shape (n,).

    `close`, `open`, `high` and `low` are logarithms of a total-return index: an ex-date leaves no gap in it.
    """

    days: NDArray[np.datetime64]
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    vix: Floats
    """Percent, at the close."""

    def until(self, last: date) -> "DailyHistory":
        """Return the sessions up to and including a day."""
        end = int(np.searchsorted(self.days, np.datetime64(last), side="right"))
        return DailyHistory(**{column.name: getattr(self, column.name)[:end] for column in fields(self)})


def build_history(days: NDArray[np.datetime64], prices: Floats, vix: Floats, dividends: Floats) -> DailyHistory:
    """Return the history of unadjusted `prices`, shape (4, n): open, high, low and close, dollars.

    `dividends` are dollars per share on their ex-dates, else 0, shape (n,). Sessions without a close or a VIX are
    left out; a missing open, high or low is the close.
    """
    used = np.isfinite(prices[3]) & np.isfinite(vix)
    days, prices, vix, dividends = days[used], prices[:, used], vix[used], dividends[used]
    closes = prices[3]
    returns = np.log((closes[1:] + dividends[1:]) / closes[:-1])
    close = np.concatenate(([0.0], np.cumsum(returns)))
    gaps = np.where(np.isfinite(prices[:3]), np.log(prices[:3] / closes), 0.0)
    opens, highs, lows = close + gaps
    return DailyHistory(
        days=days,
        open=opens,
        high=np.maximum(np.maximum(highs, close), opens),
        low=np.minimum(np.minimum(lows, close), opens),
        close=close,
        vix=vix,
    )


@value
class Horizon:
    """The sessions from now to expiration."""

    years: float
    """From now to expiration."""
    left: Floats
    """Years from the close of each session to expiration, shape (sessions,); the last is 0."""
    share: float | None
    """The share of the first session that is left, above 0; None when the first session has not opened."""

    @property
    def sessions(self) -> int:
        return len(self.left)


@value
class Scenarios:
    """Past windows scaled to today. Columns have the shape (windows, sessions) and are log moves since now."""

    starts: Ints
    """Row of the session at whose close each window starts, ascending."""
    close: Floats
    high: Floats
    low: Floats
    vix: Floats
    """VIX at each close over that at the start, a ratio and not a log."""

    def first_sessions(self, count: int) -> "Scenarios":
        """Return the windows cut to their first sessions."""
        columns = {name: getattr(self, name)[:, :count] for name in ("close", "high", "low", "vix")}
        return Scenarios(starts=self.starts, **columns)


def count_windows(history: DailyHistory, horizon: Horizon) -> int:
    """Return how many windows of the horizon have closed within the history."""
    return max(len(history.days) - horizon.sessions - 1, 0)


def build_scenarios(history: DailyHistory, horizon: Horizon, *, vix: float, starts: Ints) -> Scenarios:
    """Return the windows that begin at `starts`, scaled to the VIX of today (percent).

    Of a session that is under way only the move from its open counts, times the square root of the share that is
    left, since variance grows with time.
    """
    first = starts[:, None] + 1
    rows = first + np.arange(horizon.sessions)
    share = np.sqrt(horizon.share) if horizon.share is not None else 1.0
    base = history.open[first] if horizon.share is not None else history.close[first - 1]
    # What the part of the first session that is already over takes off every later level.
    shift = base + (1.0 - share) * (history.close[first] - base)
    scale = vix / history.vix[starts][:, None]
    columns = []
    for column in (history.close, history.high, history.low):
        moves = column[rows] - shift
        moves[:, 0] = share * (column[first] - base)[:, 0]
        columns.append(moves * scale)
    ratio = history.vix[rows] / history.vix[first] * (history.vix[first] / history.vix[first - 1]) ** share
    close, high, low = columns
    return Scenarios(starts=starts, close=close, high=high, low=low, vix=ratio)


def random_shares(count: int, seed: int) -> Floats:
    """Return `count` numbers in [0, 1) of the generator splitmix64, shape (count,).

    Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (2014). Unlike numpy's generators, its
    numbers can never change with a version of numpy.
    """
    with np.errstate(over="ignore"):
        state = np.uint64(seed) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        state ^= state >> np.uint64(31)
    return (state >> np.uint64(11)).astype(np.float64) * 2.0**-53


def tilt_weights(growth: Floats, base: Floats | None = None) -> Floats:
    """Return weights proportional to `base` x exp(t x growth) with a weighted mean growth of 1, of sum 1, shape of
    `growth`; without `base` all are equal before.

    `growth` is the forward at expiration over the forward now. The Esscher transform is the smallest change of the
    weights (in relative entropy) that gives that mean. It is solved by Newton's method. The weights stay as they were
    where all growths lie on one side of 1, which no weights can repair.
    """
    distance = growth - 1.0
    before = np.full(len(growth), 1.0 / len(growth)) if base is None else base
    weights = before
    if not distance.min() < 0.0 < distance.max():
        return weights
    tilt = 0.0
    for _ in range(100):
        exponent = tilt * distance
        weights = before * np.exp(exponent - exponent.max())
        weights /= weights.sum()
        mean = float(weights @ distance)
        if abs(mean) < 1e-13:
            break
        # A full step may overshoot where the tilt is large, so it is bounded to a few deviations.
        variance = float(weights @ (distance - mean) ** 2)
        tilt -= float(np.clip(mean / variance, -3.0 / np.sqrt(variance), 3.0 / np.sqrt(variance)))
    return weights


def matched_weights(prices: Floats, cdf: Callable[[Floats], Floats]) -> Floats:
    """Return weights that give the windows' final prices a given distribution, shape (windows,), of sum 1.

    Each price gets the probability between the middles of the gaps to its neighbours.
    """
    order = np.argsort(prices, kind="stable")
    ordered = prices[order]
    middles = (ordered[1:] + ordered[:-1]) / 2
    below = np.concatenate(([0.0], cdf(middles), [1.0]))
    weights = np.empty(len(prices))
    weights[order] = np.maximum(np.diff(below), 0.0)
    return np.asarray(weights / weights.sum())
