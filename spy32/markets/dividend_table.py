"""Ex-dividend dates from the table that ships with the package, and the ones that are expected after its end."""

from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, timedelta

from spy32.domain.market import Chain, Dividend, LegQuotes
from spy32.domain.spreads import Leg
from spy32.errors import Unavailable
from spy32.markets import bundled_history
from spy32.markets.base import BaseMarket
from spy32.sessions import market_date, previous_session, session

HORIZON = timedelta(days=400)
EX_DATE_MONTHS = (3, 6, 9, 12)
FRIDAY = 4


class DividendTableMarket(BaseMarket):
    """Serves SPY's ex-dates and nothing else; the expected ones say that they are."""

    name = "table"

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock

    def expirations(self, underlying: str) -> tuple[date, ...]:
        raise Unavailable("the table holds dividends only")

    def chain(self, underlying: str, expirations: Sequence[date]) -> Chain:
        raise Unavailable("the table holds dividends only")

    def quotes(self, underlying: str, legs: Sequence[Leg]) -> LegQuotes:
        raise Unavailable("the table holds dividends only")

    def dividends(self, underlying: str) -> tuple[Dividend, ...] | None:
        """SPY's from the last one before now on; None for another underlying."""
        if underlying != bundled_history.UNDERLYING:
            return None
        now = self._clock()
        known = bundled_history.dividends(now)
        last = known[-1]
        until = market_date(now) + HORIZON
        coming = (
            Dividend(ex_date=day, amount=last.amount, is_expected=True)
            for day in expected_ex_dates(last.ex_date, until)
            if day > market_date(now)
        )
        return (*known, *coming)


def expected_ex_dates(after: date, until: date) -> Iterator[date]:
    """SPY's usual ex-dates: the third Friday of the quarter's last month, or the session before when that is closed.

    So it was at every ex-date from 2023-03-17 on; State Street publishes the exact ones.
    """
    for year in range(after.year, until.year + 1):
        for month in EX_DATE_MONTHS:
            first = date(year, month, 1)
            day = first + timedelta(days=(FRIDAY - first.weekday()) % 7 + 14)
            if session(day) is None:
                day = previous_session(day).day
            if after < day <= until:
                yield day
