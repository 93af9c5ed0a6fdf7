"""A synthetic market: the real daily path of SPY and VIX with made option prices that no arbitrage can profit from.

Days, opens, closes, VIX and ex-dates are those of the shipped history. Between open and close the price follows a
seeded bridge. Options are European on the forward with cash dividends, by Black 76 on a smile that depends on standard
deviations only, so puts and calls of one strike agree and prices are convex in the strike
(`tests/markets/test_synthetic.py` checks both). Quotes are rounded outwards to cents.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from spy32.domain.events import ScheduledEvent
from spy32.domain.market import SYNTHETIC, Chain, DailyBar, Dividend, LegQuotes, Metric, OptionQuote, Right
from spy32.domain.spreads import Leg
from spy32.errors import Unusable
from spy32.markets import bundled_history
from spy32.markets.base import BaseMarket
from spy32.options.european import build_contracts, price
from spy32.ports import Clock
from spy32.sessions import DAY, closure_reason, market_date, session, years_to_expiration

T = TypeVar("T")

RATE = 0.02
"""Continuous, a fraction a year."""
ATM_SHARE = 0.85
"""At-the-money vol of a month as a share of VIX, which also holds the wings."""
SKEW, CURVATURE, WINGS = -0.09, 0.012, 3.0
"""Change of the vol a standard deviation, its change, and the distance at which the smile flattens."""
HALF_SPREAD, HALF_SPREAD_SHARE = 0.005, 0.01
"""Half of the quoted spread: dollars, and a share of the price, before rounding outwards to the cent."""
DAYS_LISTED = 50
REACH = 0.25
"""Strikes are listed within this share of the spot, a dollar apart."""
STEP_MINUTES = 15
SEED = 32
FIRST_DAY, LAST_INSTANT = date(2014, 1, 2), datetime.fromisoformat("2026-08-01T00:00:00+00:00")
"""What is read of the shipped history."""


class SyntheticMarket(BaseMarket):
    """Implements `ports.Market`. Its time is the clock's."""

    name = SYNTHETIC

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def spot(self) -> float:
        """The price of the underlying now, dollars."""
        now = self._clock()
        day = market_date(now)
        hours = session(day)
        if hours is None or now < hours.open:
            return _latest(_all_bars(), day - DAY).close
        step = min(int((now - hours.open).total_seconds() // (60 * STEP_MINUTES)), _steps(day))
        return float(_bridge(day)[step])

    def expirations(self, underlying: str) -> tuple[date, ...]:
        """Mondays, Wednesdays and Fridays that are sessions, and the Thursday before a Friday that is none."""
        _check_underlying(underlying)
        today = market_date(self._clock())
        days = [today + number * DAY for number in range(DAYS_LISTED)]
        return tuple(day for day in days if closure_reason(day) is None and _is_listed(day))

    def chain(self, underlying: str, expirations: Sequence[date]) -> Chain:
        unlisted = set(expirations) - set(self.expirations(underlying))
        if unlisted:
            raise Unusable(f"{SYNTHETIC} lists no {underlying} options of {min(unlisted)}")
        spot, now = self.spot(), self._clock()
        strikes = np.arange(math.ceil(spot * (1 - REACH)), math.floor(spot * (1 + REACH)) + 1, dtype=np.float64)
        quotes = [
            quote
            for expiration in expirations
            for right in Right
            for quote in self._quotes(expiration, right, strikes, spot, now)
        ]
        return Chain(underlying=underlying, spot=spot, as_of=now, source=SYNTHETIC, quotes=tuple(quotes))

    def quotes(self, underlying: str, legs: Sequence[Leg]) -> LegQuotes:
        """Quotes of whole strikes, however far from the spot."""
        _check_underlying(underlying)
        spot, now = self.spot(), self._clock()
        found = {
            leg.symbol: self._quotes(leg.expiration, leg.right, np.array([float(leg.strike)]), spot, now)[0]
            for leg in legs
            if leg.strike == leg.strike.to_integral_value()
        }
        return LegQuotes(spot=spot, as_of=now, source=SYNTHETIC, quotes=found)

    def history(self, underlying: str, since: date) -> tuple[DailyBar, ...]:
        return bundled_history.daily_bars(self._clock(), since)

    def volatility(self) -> dict[str, Metric]:
        """The levels of the last close that was known, now: option prices are made of them all day."""
        now = self._clock()
        return {name: replace(level, as_of=now) for name, level in bundled_history.volatility(now).items()}

    def volatility_history(self, since: date) -> tuple[tuple[date, float], ...]:
        return bundled_history.volatility_history(self._clock(), since)

    def rate(self) -> Metric:
        return Metric(value=RATE, unit="fraction", source=SYNTHETIC, as_of=self._clock())

    def dividends(self, underlying: str) -> tuple[Dividend, ...] | None:
        return bundled_history.dividends(self._clock())

    def earnings(self, underlying: str) -> tuple[ScheduledEvent, ...] | None:
        return ()

    def _quotes(
        self, expiration: date, right: Right, strikes: NDArray[np.float64], spot: float, now: datetime
    ) -> list[OptionQuote]:
        prices = self._prices(expiration, right, strikes, spot, now)
        half = HALF_SPREAD + HALF_SPREAD_SHARE * prices
        bids, asks = np.floor((prices - half) * 100) / 100, np.ceil((prices + half) * 100) / 100
        return [
            OptionQuote(
                root=bundled_history.UNDERLYING,
                expiration=expiration,
                strike=Decimal(int(strike)),
                right=right,
                bid=max(float(bid), 0.0),
                ask=max(float(ask), 0.01),
                volume=500,
                open_interest=1000,
            )
            for strike, bid, ask in zip(strikes, bids, asks, strict=True)
        ]

    def _prices(
        self, expiration: date, right: Right, strikes: NDArray[np.float64], spot: float, now: datetime
    ) -> NDArray[np.float64]:
        today, years = market_date(now), max(years_to_expiration(now, expiration), 1e-6)
        forward = (spot - _dividends_between(today, expiration)) * math.exp(RATE * years)
        contracts = build_contracts(
            is_call=right is Right.CALL, strike=strikes, forward=forward, years=years, discount=math.exp(-RATE * years)
        )
        return np.asarray(price(contracts, _smile(strikes, forward, years, today)), dtype=np.float64)


def _check_underlying(underlying: str) -> None:
    if underlying != bundled_history.UNDERLYING:
        raise Unusable(f"{SYNTHETIC} has no {underlying}")


def _smile(strikes: NDArray[np.float64], forward: float, years: float, day: date) -> NDArray[np.float64]:
    atm = ATM_SHARE * _vix_before(day) / 100
    # Flattens smoothly: a corner in the smile would be a price that is not convex.
    deviations = WINGS * np.tanh(np.log(strikes / forward) / (atm * math.sqrt(years)) / WINGS)
    return np.asarray(atm * (1 + SKEW * deviations + CURVATURE * deviations**2), dtype=np.float64)


def _is_listed(day: date) -> bool:
    weekday = day.weekday()
    return weekday in (0, 2, 4) or (weekday == 3 and closure_reason(day + DAY) is not None)


@cache
def _all_bars() -> dict[date, DailyBar]:
    return {bar.day: bar for bar in bundled_history.daily_bars(LAST_INSTANT, FIRST_DAY)}


@cache
def _all_vix() -> dict[date, float]:
    return dict(bundled_history.volatility_history(LAST_INSTANT, FIRST_DAY))


def _latest(history: Mapping[date, T], day: date) -> T:
    """What the history has of the day, or of the last one before that it has."""
    while day not in history:
        day -= DAY
    return history[day]


def _vix_before(day: date) -> float:
    """The VIX close of the session before: what a quote of the day can know."""
    return _latest(_all_vix(), day - DAY)


@cache
def _dividends_between(today: date, expiration: date) -> float:
    known = bundled_history.dividends(datetime.combine(FIRST_DAY, time(), UTC))
    return float(sum((each.amount for each in known if today < each.ex_date <= expiration), Decimal(0)))


def _steps(day: date) -> int:
    hours = session(day)
    assert hours is not None
    return int((hours.close - hours.open).total_seconds() // (60 * STEP_MINUTES))


@cache
def _bridge(day: date) -> NDArray[np.float64]:
    """The price at every quarter of an hour, from the day's open to its close."""
    bar, steps = _all_bars()[day], _steps(day)
    first = bar.open if bar.open is not None else bar.close
    daily = _vix_before(day) / 100 / math.sqrt(252) / 2
    noise = np.random.default_rng([SEED, day.toordinal()]).normal(0, daily / math.sqrt(steps), steps)
    walk = np.concatenate(([0.0], np.cumsum(noise)))
    share = np.linspace(0.0, 1.0, steps + 1)
    return np.asarray(np.exp(np.log(first) + share * math.log(bar.close / first) + walk - share * walk[-1]))
