"""Ex-dividend dates from the table that ships with the package, and the ones that are expected after its end."""

from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta

from spy32.domain.market import Dividend
from spy32.markets import bundled_history
from spy32.markets.base import BaseMarket
from spy32.sessions import FRIDAY, last_trading_day, market_date

HORIZON = timedelta(days=400)
EX_DATE_MONTHS = (3, 6, 9, 12)


class DividendTableMarket(BaseMarket):
    """Serves SPY's ex-dates and nothing else; the expected ones say that they are."""

    name = "table"

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock

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
            day = last_trading_day(first + timedelta(days=(FRIDAY - first.weekday()) % 7 + 14))
            if after < day <= until:
                yield day
