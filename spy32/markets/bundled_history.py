"""Daily history and dividends that ship with the package, for the days before a recorded chain, and SPY's ex-dates.

Nothing from after the given instant is served. A day's SPY bar exists from the close of the shares on, its VIX close
from the close of the options a quarter of an hour later, and its interest rate on the day after.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from spy32.domain.market import DailyBar, Dividend, Metric
from spy32.domain.option_class import VIX_UNDERLYINGS
from spy32.markets.base import BaseMarket
from spy32.sessions import FRIDAY, last_trading_day, market_date, previous_session, session

if TYPE_CHECKING:
    from spy32.options.history import DailyHistory

DATA_FOLDER = Path(__file__).parent.parent / "data"
UNDERLYING = "SPY"
"""The only underlying whose bars and dividends ship."""
VIX_FAMILY = ("vix", "vix9d", "vix3m")
MAX_RATE_AGE = timedelta(days=7)
"""A rate moves slowly: the last of a week still describes a month."""
SOURCE = "shipped history"
HORIZON = timedelta(days=400)
"""How far ahead ex-dates are expected."""
EX_DATE_MONTHS = (3, 6, 9, 12)

Row = Mapping[str, str]


def daily_bars(now: datetime, since: date) -> tuple[DailyBar, ...]:
    """SPY sessions from `since` to the last one that had closed by `now`, unadjusted."""
    return tuple(
        DailyBar(
            day=date.fromisoformat(row["date"]),
            close=float(row["close"]),
            open=_parse_number(row["open"]),
            high=_parse_number(row["high"]),
            low=_parse_number(row["low"]),
        )
        for row in _read_rows(since, _last_closed_day(now))
        if row["close"]
    )


def volatility(now: datetime) -> dict[str, Metric]:
    """The VIX family at the newest close that `now` could know; an older one is missing, not stale."""
    day = _last_closed_day(now, of_options=True)
    rows = _read_rows(day, day)
    return {name: _vix_close(name, rows, day) for name in VIX_FAMILY}


def volatility_history(now: datetime, since: date) -> tuple[tuple[date, float], ...]:
    """VIX closes from `since` to the newest that `now` could know, oldest first."""
    rows = _read_rows(since, _last_closed_day(now, of_options=True))
    return tuple((date.fromisoformat(row["date"]), float(row["vix"])) for row in rows if row["vix"])


def total_returns(underlying: str, now: datetime) -> "DailyHistory | None":
    """Return every session since 1993 that had closed by `now`, with its VIX; None for a ticker of other returns."""
    if underlying not in VIX_UNDERLYINGS:  # those have the total returns of SPY
        return None
    return _load_total_returns().until(_last_closed_day(now, of_options=True))


@cache
def _load_total_returns() -> "DailyHistory":
    import numpy as np

    from spy32.options.history import build_history

    heading, *lines = _read_lines()
    days = np.array([line[:10] for line in lines], dtype="datetime64[D]")
    # One text of all numbers is read ten times faster than a cell at a time; an empty cell lies between two commas.
    text = ",".join(line[11:] for line in lines).replace(",,", ",nan,").replace(",,", ",nan,")
    cells = np.fromstring(text + "nan" * text.endswith(","), sep=",").reshape(len(lines), -1).T
    names = heading.split(",")[1:]
    open_, high, low, close, vix = (cells[names.index(name)] for name in ("open", "high", "low", "close", "vix"))
    paid = np.zeros(len(days))
    for dividend in _read_dividends():
        paid[days == np.datetime64(dividend.ex_date)] = float(dividend.amount)
    return build_history(days, np.stack((open_, high, low, close)), vix, paid)


def rate(now: datetime) -> Metric:
    """The continuous one-month rate of the last day before `now` that has one, else that of the 13-week bill."""
    today = market_date(now)
    for row in reversed(_read_rows(today - MAX_RATE_AGE, today - timedelta(days=1))):
        day = date.fromisoformat(row["date"])
        for name, continuous, what in (
            ("dgs1mo", continuous_bond_yield, "1-month Treasury yield"),
            ("irx", continuous_bill_rate, "13-week bill discount"),
        ):
            if row[name]:
                value, source = continuous(float(row[name])), f"{what} of {day}, {SOURCE}"
                return Metric(value=value, unit="fraction", source=source, as_of=_option_close(day))
    return Metric(value=None, unit="fraction", source=SOURCE, missing=f"no rate within a week before {today}")


def dividends(now: datetime) -> tuple[Dividend, ...]:
    """SPY's ex-dates from the last one up to `now` on, as far as they are known."""
    known = _read_dividends()
    start = bisect_right(known, market_date(now), key=lambda dividend: dividend.ex_date)
    return known[max(start - 1, 0) :]


def continuous_bond_yield(percent: float) -> float:
    """Continuous rate of a yield on the semi-annual bond basis, as the Treasury states its constant maturities."""
    return 2 * math.log1p(percent / 200)


def continuous_bill_rate(percent: float) -> float:
    """Continuous rate of a 13-week bill quoted at a discount (91 days, a year of 360 in the quote, 365 in ours)."""
    return -math.log(1 - percent / 100 * 91 / 360) * 365 / 91


def _vix_close(name: str, rows: Sequence[Row], day: date) -> Metric:
    text = rows[0][name] if rows else ""
    if not text:
        lines = _read_lines()
        reach = f"it reaches from {lines[1][:10]} to {lines[-1][:10]}"
        missing = f"the shipped history has no {name.upper()} close of {day}; {reach}"
        return Metric(value=None, unit="percent", source=SOURCE, missing=missing)
    return Metric(value=float(text), unit="percent", source=f"close of {day}, {SOURCE}", as_of=_option_close(day))


def _last_closed_day(now: datetime, *, of_options: bool = False) -> date:
    """The newest session whose shares, or whose options, had closed by `now`."""
    today = market_date(now)
    current = session(today)
    if current is not None and now >= (current.option_close if of_options else current.close):
        return today
    return previous_session(today).day


def _option_close(day: date) -> datetime | None:
    closed = session(day)
    return closed.option_close if closed is not None else None


def _read_rows(since: date, until: date) -> list[Row]:
    lines = _read_lines()
    first = bisect_left(lines, since.isoformat(), lo=1)
    # A line begins with its date and a comma; a dash sorts after the comma and before every digit.
    after = bisect_left(lines, until.isoformat() + "-", lo=1)
    heading = lines[0].split(",")
    return [dict(zip(heading, line.split(","), strict=True)) for line in lines[first:after]]


@cache
def _read_lines() -> list[str]:
    import gzip

    return gzip.decompress((DATA_FOLDER / "spy_daily.csv.gz").read_bytes()).decode("ascii").splitlines()


@cache
def _read_dividends() -> tuple[Dividend, ...]:
    lines = (DATA_FOLDER / "spy_dividends.csv").read_text(encoding="ascii").splitlines()[1:]
    pairs = (line.split(",") for line in lines)
    return tuple(Dividend(ex_date=date.fromisoformat(day), amount=Decimal(amount)) for day, amount in pairs)


def _parse_number(text: str) -> float | None:
    return float(text) if text else None


class DividendTableMarket(BaseMarket):
    """Serves SPY's ex-dates and nothing else; the expected ones say that they are."""

    name = "table"

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock

    def dividends(self, underlying: str) -> tuple[Dividend, ...] | None:
        """SPY's from the last one before now on; None for another underlying."""
        if underlying != UNDERLYING:
            return None
        now = self._clock()
        known = dividends(now)
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
