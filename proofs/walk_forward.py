"""Eight credit spreads on every Monday since 1998, with the probabilities that were known then and what came of them.

Four short deltas a side, 32 days, `WIDTH` of the spot wide, sold at the mid on the Monday's close. No chain of the
1990s ships, so strikes and mids come from a synthetic smile: VIX times `RATIOS`. An outcome is known when its
expiration has closed; a Monday knows only outcomes from before it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from statistics import NormalDist

import numpy as np

from spy32.domain.market import Right
from spy32.markets import bundled_history
from spy32.options.european import build_contracts, price
from spy32.options.normal import ROOT_2PI, Floats, normal_cdf
from spy32.sessions import NEW_YORK

DTE = 32
YEARS = DTE / 365
WIDTH = 5 / 600
"""Of the spot: 5 dollars at 600."""
START = datetime(1993, 1, 29, 16, tzinfo=NEW_YORK)
"""SPY's first close."""
FIRST = date(1998, 1, 1)
"""Five years after the first bar, so that the history's numbers rest on some 1,250 windows from the start."""
DELTAS = (0.10, 0.16, 0.20, 0.30)
ATM_RATIO = 0.844
RATIOS: Mapping[Right, tuple[float, ...]] = {
    Right.PUT: (1.253, 1.130, 1.083, 0.979),
    Right.CALL: (0.673, 0.688, 0.698, 0.732),
}
"""Vol of the contract with each of `DELTAS`, and at the forward, over the VIX of the day: medians of 30 chains of
2015 to 2026, with a standard deviation of about 0.05."""
BILL_DISCOUNTS = {1993: 3.02, 1994: 4.29, 1995: 5.51, 1996: 5.02, 1997: 5.07, 1998: 4.81, 1999: 4.66, 2000: 5.85}
"""Percent, year's mean of the 13-week bill: the shipped rates begin on 2000-01-03 (Economic Report of the President,
table of bond yields and interest rates). A whole point more moves a forward of 32 days by 0.09 %."""
LAWS = ("delta", "lognormal VIX", "market", "history", "no drift", "base")


@dataclass(frozen=True)
class History:
    """SPY's sessions as columns of shape (n,): day (ordinal), close (dollars), VIX (percent), logarithm of the
    total-return index, and the row of the last session within `DTE` days, -1 where it had not come yet."""

    day: np.ndarray
    close: Floats
    vix: Floats
    growth: Floats
    end: np.ndarray


@dataclass(frozen=True)
class Mondays:
    """Entries whose outcome is known, as columns of shape (n,); `row` is the session's row of the history."""

    row: np.ndarray
    spot: Floats
    vix: Floats
    """A fraction a year."""
    forward: Floats
    discount: Floats
    settlement: Floats


@dataclass(frozen=True)
class Cell:
    """One spread on every Monday since `FIRST`: probabilities of profit by law, outcomes, profit over width, (n,)."""

    right: Right
    delta: float
    stated: Mapping[str, Floats]
    outcomes: Floats
    profit: Floats
    vix: Floats
    years: np.ndarray


def build_history(day: np.ndarray, close: Floats, vix: Floats) -> History:
    """Return the history with SPY's dividends and the end of each expiration."""
    end = np.searchsorted(day, day + DTE, side="right") - 1
    paid = {each.ex_date.toordinal(): float(each.amount) for each in bundled_history.dividends(START)}
    dividends = np.array([paid.get(int(each), 0.0) for each in day])
    growth = np.concatenate(([0.0], np.cumsum(np.log((close[1:] + dividends[1:]) / close[:-1]))))
    return History(day=day, close=close, vix=vix, growth=growth, end=np.where(day + DTE <= day[-1], end, -1))


@cache
def read_history() -> History:
    """Return the shipped bars that have a VIX close."""
    now = datetime(2099, 1, 1, tzinfo=UTC)
    vix = dict(bundled_history.volatility_history(now, START.date()))
    bars = [bar for bar in bundled_history.daily_bars(now, START.date()) if bar.day in vix]
    return build_history(
        np.array([bar.day.toordinal() for bar in bars]),
        np.array([bar.close for bar in bars]),
        np.array([vix[bar.day] for bar in bars]),
    )


def build_mondays(history: History) -> Mondays:
    """Return every Monday of the history whose expiration it holds; forwards by rate and dividends of the time."""
    row = np.flatnonzero((history.day % 7 == 1) & (history.end >= 0))
    days = [date.fromordinal(int(day)) for day in history.day[row]]
    spot = history.close[row]
    rates = np.array([_rate(day) for day in days])
    discount = np.exp(-rates * YEARS)
    dividends = np.array([_dividends(day) for day in days])
    return Mondays(
        row=row,
        spot=spot,
        vix=history.vix[row] / 100,
        forward=spot / discount - dividends,
        discount=discount,
        settlement=history.close[history.end[row]],
    )


def _rate(day: date) -> float:
    """Return the continuous one-month rate that the day before knew, a fraction a year."""
    found = bundled_history.rate(datetime.combine(day, time(16), NEW_YORK)).value
    return bundled_history.continuous_bill_rate(BILL_DISCOUNTS[day.year]) if found is None else found


def _dividends(day: date) -> float:
    """Return the dollars per share that go ex after the day, up to the expiration."""
    known = bundled_history.dividends(datetime.combine(day, time(16), NEW_YORK))
    return float(sum(each.amount for each in known if day < each.ex_date <= day + timedelta(days=DTE)))


def walk_forward(history: History, skew: float = 1.0) -> list[Cell]:
    """Return the eight cells, puts first. `skew` multiplies every ratio of the smile."""
    mondays = build_mondays(history)
    is_used = history.day[mondays.row] >= FIRST.toordinal()
    years = np.array([date.fromordinal(int(day)).year for day in history.day[mondays.row][is_used]])
    smile = SyntheticSmile(mondays, skew)
    spreads = [Spread(smile, right, delta) for right in RATIOS for delta in DELTAS]
    past = _past_frequencies(history, mondays, [each.breakeven / mondays.forward for each in spreads], is_used)
    cells = []
    for spread, (hist, no_drift) in zip(spreads, past, strict=True):
        stated = {
            "delta": np.full(len(mondays.row), 1 - spread.delta),
            "lognormal VIX": spread.lognormal(mondays.vix),
            "market": spread.market(),
            "base": _base_rate(history, mondays, spread.outcomes),
        }
        used = {law: column[is_used] for law, column in stated.items()} | {"history": hist, "no drift": no_drift}
        cells.append(
            Cell(
                right=spread.right,
                delta=spread.delta,
                stated={law: used[law] for law in LAWS},
                outcomes=spread.outcomes[is_used],
                profit=spread.profit[is_used],
                vix=mondays.vix[is_used],
                years=years,
            )
        )
    return cells


class SyntheticSmile:
    """The smile of each Monday: a natural cubic spline through nine nodes in log-moneyness, beyond them linear.

    The unit of moneyness is the VIX times the root of the time, that of vol is the VIX.
    """

    def __init__(self, mondays: Mondays, skew: float, years: float | Floats = YEARS) -> None:
        self.mondays, self.years = mondays, years
        self.scale = mondays.vix * np.sqrt(years)
        puts, calls = (np.array(RATIOS[right]) * skew for right in (Right.PUT, Right.CALL))
        self._levels = np.concatenate((puts, [ATM_RATIO * skew], calls[::-1]))
        quantiles = np.array([NormalDist().inv_cdf(delta) for delta in DELTAS])
        d1 = np.concatenate((-quantiles, [0.0], quantiles[::-1]))
        total = self._levels * self.scale[:, None]
        self._nodes = -d1 * self._levels + total * self._levels / 2
        self._nodes[:, len(DELTAS)] = 0.0
        self._bends = self._second_derivatives()

    def strike(self, right: Right, delta: float) -> Floats:
        """Return the strikes whose |delta| on the forward is `delta`, one of `DELTAS`."""
        place = DELTAS.index(delta)
        node = self._nodes[:, place if right is Right.PUT else 2 * len(DELTAS) - place]
        return np.asarray(self.mondays.forward * np.exp(node * self.scale))

    def price(self, right: Right, strike: Floats) -> Floats:
        """Return the mids of a side's contracts at these strikes, dollars per share."""
        contracts = build_contracts(
            is_call=right is Right.CALL,
            strike=strike,
            forward=self.mondays.forward,
            years=self.years,
            discount=self.mondays.discount,
        )
        return price(contracts, self.vol_and_slope(strike)[0])

    def vol_and_slope(self, strike: Floats) -> tuple[Floats, Floats]:
        """Return each Monday's vol at its strike, and the slope of vol in the strike, a dollar."""
        at = np.log(strike / self.mondays.forward) / self.scale
        inside = np.clip(at, self._nodes[:, 0], self._nodes[:, -1])
        rows = np.arange(len(at))
        left = np.clip((self._nodes < inside[:, None]).sum(axis=1) - 1, 0, len(self._levels) - 2)
        low, high = self._nodes[rows, left], self._nodes[rows, left + 1]
        step = high - low
        a, b = (high - inside) / step, (inside - low) / step
        bend, next_bend = self._bends[rows, left], self._bends[rows, left + 1]
        rise = self._levels[left + 1] - self._levels[left]
        level = a * self._levels[left] + b * self._levels[left + 1]
        level += ((a**3 - a) * bend + (b**3 - b) * next_bend) * step**2 / 6
        slope = rise / step + ((3 * b**2 - 1) * next_bend - (3 * a**2 - 1) * bend) * step / 6
        vol = (level + slope * (at - inside)) * self.mondays.vix
        return vol, slope * self.mondays.vix / (strike * self.scale)

    def _second_derivatives(self) -> Floats:
        """Return those of the spline at its nodes; zero at both ends."""
        step = np.diff(self._nodes)
        count = len(self._levels)
        matrix = np.zeros((len(step), count, count))
        right_side = np.zeros((len(step), count))
        matrix[:, 0, 0] = matrix[:, -1, -1] = 1.0
        for at in range(1, count - 1):
            matrix[:, at, at - 1], matrix[:, at, at + 1] = step[:, at - 1] / 6, step[:, at] / 6
            matrix[:, at, at] = (step[:, at - 1] + step[:, at]) / 3
            slopes = np.diff(self._levels)[at - 1 : at + 1] / step[:, at - 1 : at + 1]
            right_side[:, at] = slopes[:, 1] - slopes[:, 0]
        return np.asarray(np.linalg.solve(matrix, right_side[:, :, None])[:, :, 0])


class Spread:
    """One cell's credit spread on every Monday, sold at the mid, without costs."""

    def __init__(self, smile: SyntheticSmile, right: Right, delta: float) -> None:
        mondays = smile.mondays
        self.right, self.delta, self._smile = right, delta, smile
        self._sign = 1.0 if right is Right.PUT else -1.0
        width = WIDTH * mondays.spot
        self.short = smile.strike(right, delta)
        self.long = self.short - self._sign * width
        self.credit = self.mid(smile)
        self.breakeven = self.short - self._sign * self.credit
        loss = np.clip(self._sign * (self.short - mondays.settlement), 0.0, width)
        self.profit = (self.credit - loss) / width
        self.outcomes = (self.profit > 0.0).astype(np.float64)

    def mid(self, smile: SyntheticSmile) -> Floats:
        """Return what the spread costs on a smile of the same Mondays' trades, dollars per share."""
        return smile.price(self.right, self.short) - smile.price(self.right, self.long)

    def lognormal(self, vol: Floats) -> Floats:
        """Return the probability of profit when the log-price at expiration is normal with this vol."""
        total = vol * np.sqrt(YEARS)
        d2 = np.log(self._smile.mondays.forward / self.breakeven) / total - total / 2
        return normal_cdf(self._sign * d2)

    def market(self) -> Floats:
        """Return the probability of profit by the smile's own digital at the breakeven.

        Breeden and Litzenberger (1978): minus the slope of the undiscounted call price in the strike, N(d2) - vega
        times the slope of vol, is the probability of ending above it.
        """
        vol, slope = self._smile.vol_and_slope(self.breakeven)
        total = vol * np.sqrt(YEARS)
        d1 = np.log(self._smile.mondays.forward / self.breakeven) / total + total / 2
        vega = self._smile.mondays.forward * np.exp(-d1 * d1 / 2) / ROOT_2PI * np.sqrt(YEARS)
        return self.lognormal(vol) - self._sign * vega * slope


def _base_rate(history: History, mondays: Mondays, outcomes: Floats) -> Floats:
    """Return the share of earlier Mondays' spreads of the cell that came true, of those known before each Monday."""
    known = np.searchsorted(history.end[mondays.row], mondays.row)
    running = np.concatenate(([0.0], np.cumsum(outcomes)))
    return np.asarray(running[known] / np.maximum(known, 1))


def _past_frequencies(
    history: History, mondays: Mondays, breakevens: list[Floats], is_used: np.ndarray
) -> list[tuple[Floats, Floats]]:
    """Return, for each cell, how often past windows ended in profit, as they were and without drift.

    A window is as many sessions as the Monday has to expiration, and ended before it. Its log total return is scaled
    by the VIX of the Monday over that of its start; less the interest it moves the forward. Without drift the windows
    are weighted so that the mean price is the forward. `breakevens` are over the forward.
    """
    limits = np.array(breakevens)
    used = np.flatnonzero(is_used)
    plain, tilted = (np.zeros((len(breakevens), len(used))) for _ in range(2))
    for column, monday in enumerate(used):
        row = mondays.row[monday]
        sessions = history.end[row] - row
        returns = history.growth[sessions:row] - history.growth[: row - sessions]
        scaled = returns * (history.vix[row] / history.vix[: row - sessions])
        growth = np.sort(np.exp(scaled) * mondays.discount[monday])
        below = np.searchsorted(growth, limits[:, monday])
        weights = np.concatenate(([0.0], np.cumsum(driftless_weights(growth))))
        plain[:, column], tilted[:, column] = below / len(growth), weights[below]
    is_call = np.arange(len(breakevens)) >= len(DELTAS)
    for shares in (plain, tilted):
        shares[~is_call] = 1.0 - shares[~is_call]
    return list(zip(plain, tilted, strict=True))


def driftless_weights(growth: Floats) -> Floats:
    """Return weights proportional to exp(t x growth) that sum to 1, with the t under which the mean growth is 1.

    Growth is the price at expiration over the forward (Esscher transform, solved by Newton's method).
    """
    tilt = 0.0
    for _ in range(50):
        weights = np.exp(tilt * (growth - 1.0))
        weights /= weights.sum()
        mean = float(weights @ growth)
        if abs(mean - 1.0) < 1e-12:
            return np.asarray(weights)
        tilt -= (mean - 1.0) / float(weights @ (growth - mean) ** 2)
    raise AssertionError("the tilt did not converge")
