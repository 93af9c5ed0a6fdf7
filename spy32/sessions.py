"""New York market time: sessions, early closes, expirations, and the slots of the schedule.

`exchange_days` holds the holidays and early closes as a table. A year is parsed on first use.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from spy32.domain.value import value
from spy32.errors import BadSettings, Unusable
from spy32.exchange_days import CLOSED, EARLY, NAMES

try:
    NEW_YORK = ZoneInfo("America/New_York")
except ZoneInfoNotFoundError:  # a container without zone data, and the tzdata package was removed
    raise BadSettings("there is no zone data for America/New_York; `pip install tzdata` brings it") from None

OPEN = time(9, 30)
CLOSE = time(16)
EARLY_CLOSE = time(13)
OPTIONS_AFTER_CLOSE = timedelta(minutes=15)
"""SPY options trade until 16:15 New York, 15 minutes longer than the shares, and on early closes until 13:15 (Cboe
trading hours of options on broad ETFs)."""

UNUSUAL_CLOSES: Mapping[date, time] = {
    date(1994, 2, 11): time(14, 30),  # a snowstorm; every other early close since 1990 was at 13:00
}

# The first year that was checked against a second calendar, and the last one that `holidays` computes.
FIRST_YEAR, LAST_YEAR = min(CLOSED), max(CLOSED)

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
FRIDAY = 4
DAY = timedelta(days=1)
LONGEST_GAP_DAYS = 14
"""At least the days from one weekly slot to the next. The most since 1990 are 13: in September 2001 a slot of Tuesday
would have moved to the Monday after."""
YEAR = timedelta(days=365)


def new_york_time(instant: datetime) -> datetime:
    """Return the instant in New York time. Raises ValueError for a naive datetime."""
    if instant.tzinfo is None:
        raise ValueError("an instant without a zone has no New York time")
    return instant.astimezone(NEW_YORK)


def market_date(instant: datetime) -> date:
    """Return the New York date of an instant. Raises ValueError for a naive datetime."""
    return new_york_time(instant).date()


def new_york_instant(day: date, clock: time) -> datetime:
    """Return the UTC instant of the New York time `clock` on `day`."""
    return datetime.combine(day, clock, NEW_YORK).astimezone(UTC)


def week_start(day: date) -> date:
    """Return the Monday of the week. Weekly losses are counted from there."""
    return day - DAY * day.weekday()


# Sessions.


@value
class Session:
    """One trading day; instants are UTC."""

    day: date
    open: datetime
    close: datetime
    option_close: datetime
    is_early: bool


def closure_reason(day: date) -> str | None:
    """Return why the exchange is closed on `day` (a weekday or holiday name), or None for a session.

    Raises `Unusable` for a year outside the calendar.
    """
    if day.weekday() > FRIDAY:
        return WEEKDAYS[day.weekday()]
    return _calendar(day.year)[0].get(day)


def session(day: date) -> Session | None:
    """Return the session of `day`, or None when the exchange is closed."""
    if closure_reason(day) is not None:
        return None
    early = _calendar(day.year)[1].get(day)
    close = new_york_instant(day, early or CLOSE)
    return Session(
        day=day,
        open=new_york_instant(day, OPEN),
        close=close,
        option_close=close + OPTIONS_AFTER_CLOSE,
        is_early=early is not None,
    )


def is_option_session(now: datetime) -> bool:
    """Return whether options trade at `now`: from the open to a quarter of an hour after the close, both inclusive."""
    hours = session(market_date(now))
    return hours is not None and hours.open <= now <= hours.option_close


def next_session(after: date) -> Session:
    """Return the first session later than `after`."""
    return _first_session(after, DAY)


def previous_session(before: date) -> Session:
    """Return the last session earlier than `before`."""
    return _first_session(before, -DAY)


def sessions_between(first: date, last: date) -> int:
    """Return the number of sessions after `first`, up to and including `last`; 0 when `last` is not later."""
    days = (first + DAY * step for step in range(1, (last - first).days + 1))
    return sum(closure_reason(day) is None for day in days)


def _first_session(day: date, step: timedelta) -> Session:
    while True:
        day += step
        hours = session(day)
        if hours is not None:
            return hours


@cache
def _calendar(year: int) -> tuple[Mapping[date, str], Mapping[date, time]]:
    """Return the year's closed weekdays with their names, and its early closes with their New York times."""
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise Unusable(f"the exchange calendar reaches from {FIRST_YEAR} to {LAST_YEAR}; {year} is outside")
    closed = {_calendar_day(year, entry): NAMES[entry[4:]] for entry in CLOSED[year].split()}
    early = (_calendar_day(year, entry) for entry in EARLY[year].split())
    return closed, {day: UNUSUAL_CLOSES.get(day, EARLY_CLOSE) for day in early}


def _calendar_day(year: int, entry: str) -> date:
    return date(year, int(entry[:2]), int(entry[2:4]))


# Expirations.


def last_trading_day(expiration: date) -> date:
    """Return the last session in which options of that expiration trade: the date itself, or the session before a
    closed day.

    Until 2015 monthly options expired on a Saturday, and some feeds date weekly options on Good Friday.
    """
    return expiration if closure_reason(expiration) is None else previous_session(expiration).day


def days_to_expiration(expiration: date, today: date) -> int:
    """Return the DTE: calendar days from `today` to the last trading day; negative once it has passed."""
    return (last_trading_day(expiration) - today).days


def near_expirations(listed: Iterable[date], today: date, target_dte: int, tolerance: int) -> tuple[date, ...]:
    """Return the listed expirations whose DTE is at most `tolerance` days off `target_dte`, nearest first.

    Of two equally near, the earlier is first. Past expirations are ignored.
    """
    days_left = {day: days_to_expiration(day, today) for day in listed}
    near = (day for day, days in days_left.items() if days >= 0 and abs(days - target_dte) <= tolerance)
    return tuple(sorted(near, key=lambda day: (abs(days_left[day] - target_dte), day)))


def years_to_expiration(now: datetime, expiration: date) -> float:
    """Return the years (of 365 days) until the close of the last trading day; 0 once it has passed."""
    last = session(expiration) or previous_session(expiration)
    years: float = (last.close - now) / YEAR
    return max(0.0, years)


# Slots.


class SlotRule(Protocol):
    """The part of `settings.Schedule` that defines the slots. A Protocol, because this module must not import
    `settings`."""

    @property
    def weekday(self) -> str: ...
    @property
    def time(self) -> str: ...
    @property
    def development_time(self) -> str: ...
    @property
    def grace_minutes(self) -> int: ...
    @property
    def on_holiday(self) -> str: ...


@value
class Slot:
    """The time window of one scheduled run: [opens, closes), UTC. `day` is the New York date of `opens`."""

    day: date
    opens: datetime
    closes: datetime
    moved_from: tuple[date, ...] = ()
    """The closed days before it whose slot it is, when `schedule.on_holiday` moves the weekly slot."""

    def contains(self, instant: datetime) -> bool:
        """Return whether the instant is inside the window."""
        return self.opens <= instant < self.closes


def slot_of_day(day: date, schedule: SlotRule, environment: str) -> Slot | None:
    """Return the slot that opens on `day`, or None on a day without one.

    A holiday has its slot too, unless `schedule.on_holiday` moves the weekly slot to the next session.
    """
    daily = environment == "development"
    days = [day] if daily else _scheduled_days(day, schedule)
    if day.weekday() > FRIDAY or not days:
        return None
    opens = new_york_instant(day, clock_time(schedule.development_time if daily else schedule.time))
    closes, hours = opens + timedelta(minutes=schedule.grace_minutes), session(day)
    if hours is not None and hours.is_early and opens < hours.close:
        # A run after the close of a half day would fail for want of fresh quotes.
        closes = min(closes, hours.close)
    return Slot(day=day, opens=opens, closes=closes, moved_from=tuple(each for each in days if each != day))


def _scheduled_days(day: date, schedule: SlotRule) -> list[date]:
    """Return the days of the schedule's weekday whose slot is on `day`: itself, or closed days just before it."""
    days = [day]
    if schedule.on_holiday != "skip":
        if closure_reason(day) is not None:
            return []
        days += (day - DAY * back for back in range(1, (day - previous_session(day).day).days))
    return [each for each in days if WEEKDAYS[each.weekday()].lower() == schedule.weekday]


def open_slot(now: datetime, schedule: SlotRule, environment: str) -> Slot | None:
    """Return the slot whose window contains `now`, or None."""
    last = last_slot(now, schedule, environment)
    return last if last.contains(now) else None


def last_slot(now: datetime, schedule: SlotRule, environment: str) -> Slot:
    """Return the newest slot that has opened by `now`; its window may still be open."""
    back = (market_date(now) - DAY * step for step in range(LONGEST_GAP_DAYS + 1))
    slots = (slot_of_day(day, schedule, environment) for day in back)
    return next(slot for slot in slots if slot is not None and slot.opens <= now)


def slot_obstacle(slot: Slot) -> str | None:
    """Return why the slot cannot have a run, or None: a closed day, or an early close before the slot opens."""
    hours = session(slot.day)
    if hours is None:
        return closure_reason(slot.day)
    is_too_late = hours.is_early and slot.opens >= hours.close
    return f"the early close at {new_york_time(hours.close):%H:%M} New York" if is_too_late else None


def next_slot(now: datetime, schedule: SlotRule, environment: str) -> Slot:
    """Return the first slot after `now` that can have a run."""
    return next(slots_after(now, schedule, environment))


def slots_after(now: datetime, schedule: SlotRule, environment: str) -> Iterator[Slot]:
    """Yield every slot after `now` that can have a run, in order."""
    day = market_date(now)
    while True:
        slot = slot_of_day(day, schedule, environment)
        if slot is not None and slot.opens > now and slot_obstacle(slot) is None:
            yield slot
        day += DAY


@cache
def clock_time(text: str) -> time:
    """Parse `HH:MM`. Raises `BadSettings` for any other text."""
    with suppress(ValueError):
        if len(text) == 5 and text[2] == ":" and text < "24":  # newer Pythons read 24:00 as midnight
            return time.fromisoformat(text)
    raise BadSettings(f"{text!r} is not a time of day; write it as HH:MM, such as 10:00")
