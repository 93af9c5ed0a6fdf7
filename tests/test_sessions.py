"""New York market time, checked against a table of the exchange's days and against a second calendar."""

import csv
import warnings
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cache

import exchange_calendars
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spy32.errors import BadSettings, Unusable
from spy32.sessions import (
    NEW_YORK,
    WEEKDAYS,
    clock_time,
    closure_reason,
    days_to_expiration,
    is_option_session,
    last_slot,
    last_trading_day,
    market_date,
    near_expirations,
    new_york_time,
    next_session,
    next_slot,
    open_slot,
    previous_session,
    session,
    sessions_between,
    slot_obstacle,
    slot_of_day,
    week_start,
    years_to_expiration,
)
from spy32.settings.model import Environment, Schedule
from tests.support import make_calendar
from tests.support.paths import DATA

TABLE = DATA / "calendar" / "nyse_holidays_2015_2027.csv"
PRODUCTION, DEVELOPMENT = Environment.PRODUCTION, Environment.DEVELOPMENT
RULES = Schedule()

instants = st.datetimes(datetime(1993, 2, 1), datetime(2090, 1, 1), timezones=st.just(UTC))
days = st.dates(date(1993, 2, 1), date(2090, 1, 1))
environments = st.sampled_from([PRODUCTION, DEVELOPMENT])
schedules = st.builds(
    Schedule,
    weekday=st.sampled_from([name.lower() for name in WEEKDAYS[:5]]),
    time=st.times().map(lambda clock: f"{clock:%H:%M}"),
    grace_minutes=st.integers(1, 360),
    on_holiday=st.sampled_from(["skip", "next_session"]),
)


def every_day(first: date, last: date) -> Iterator[date]:
    return (first + timedelta(days=step) for step in range((last - first).days + 1))


def rows(kind: str) -> dict[date, dict[str, str]]:
    with TABLE.open(newline="") as lines:
        return {date.fromisoformat(row["date"]): row for row in csv.DictReader(lines) if row["kind"] == kind}


@cache
def second_calendar() -> dict[date, tuple[datetime, datetime]]:
    """Open and close of every session of 1993 to 2034 as `exchange_calendars` has them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it uses what newer releases of pandas will drop
        table = exchange_calendars.get_calendar("XNYS", start="1993-01-29", end="2034-12-29").schedule
        times = zip(table.index, table["open"], table["close"], strict=True)
        return {day.date(): (opens.to_pydatetime(), closes.to_pydatetime()) for day, opens, closes in times}


def ny(text: str) -> datetime:
    """An instant from New York's wall clock."""
    return datetime.fromisoformat(text).replace(tzinfo=NEW_YORK).astimezone(UTC)


# Sessions.


def test_the_table_has_its_150_rows() -> None:
    assert (len(rows("closed")), len(rows("early_close"))) == (124, 26)


def test_every_closed_day_of_the_table_and_no_other_weekday_is_closed() -> None:
    table = rows("closed")
    weekdays = (day for day in every_day(date(2015, 1, 1), date(2027, 12, 31)) if day.weekday() < 5)
    assert {day for day in weekdays if closure_reason(day) is not None} == set(table)


def test_every_early_close_of_the_table_and_no_other_day_closes_at_13() -> None:
    found = {day: session(day) for day in every_day(date(2015, 1, 1), date(2027, 12, 31))}
    early = {day: found_one for day, found_one in found.items() if found_one is not None and found_one.is_early}
    assert set(early) == set(rows("early_close"))
    assert {new_york_time(one.close).time() for one in early.values()} == {time(13)}


@pytest.mark.slow
def test_a_second_calendar_agrees_on_every_session_from_1993_to_2034() -> None:
    ours = {day for day in every_day(date(1993, 1, 29), date(2034, 12, 29)) if closure_reason(day) is None}
    assert ours == set(second_calendar())


def test_a_second_calendar_agrees_on_every_open_and_close_but_the_snowstorm_of_1994() -> None:
    # It does not hold the 14:30 close of 1994-02-11, which is in the exchange's own list of special closes.
    ours = {day: (found.open, found.close) for day in second_calendar() if (found := session(day)) is not None}
    assert {day for day, times in second_calendar().items() if ours[day] != times} == {date(1994, 2, 11)}


def test_the_snowstorm_of_1994_closed_the_exchange_at_half_past_two() -> None:
    found = session(date(1994, 2, 11))
    assert found is not None
    assert new_york_time(found.close).time() == time(14, 30)


@pytest.mark.parametrize(
    ("day", "name"),
    [
        (date(2026, 9, 5), "Saturday"),
        (date(2026, 9, 6), "Sunday"),
        (date(2026, 9, 7), "Labor Day"),
        (date(2025, 1, 9), "National Day of Mourning for former President Jimmy Carter"),
        (date(2027, 3, 26), "Good Friday"),
        (date(2026, 9, 8), None),
    ],
)
def test_a_closed_day_is_named(day: date, name: str | None) -> None:
    assert closure_reason(day) == name


def test_options_trade_until_a_quarter_past_four() -> None:
    found = session(date(2026, 11, 23))
    assert found is not None
    assert [new_york_time(at).time() for at in (found.open, found.close, found.option_close)] == [
        time(9, 30),
        time(16),
        time(16, 15),
    ]


def test_options_trade_until_a_quarter_past_one_on_the_day_after_thanksgiving() -> None:
    found = session(date(2026, 11, 27))
    assert found is not None
    assert found.is_early
    assert new_york_time(found.option_close).time() == time(13, 15)


@pytest.mark.parametrize(
    ("at", "is_open"),
    [
        ("2026-11-23T14:29:59", False),
        ("2026-11-23T14:30:00", True),
        ("2026-11-23T21:15:00", True),
        ("2026-11-23T21:15:01", False),
        ("2026-11-26T17:00:00", False),
        ("2026-11-27T18:15:00", True),
        ("2026-11-27T18:15:01", False),
        ("2026-11-28T17:00:00", False),
    ],
)
def test_an_option_session_is_from_the_open_to_a_quarter_past_the_close(at: str, is_open: bool) -> None:
    assert is_option_session(datetime.fromisoformat(at).replace(tzinfo=UTC)) is is_open


def test_a_year_outside_the_calendar_is_refused_by_name() -> None:
    with pytest.raises(Unusable, match="1990 to 2100; 1989"):
        closure_reason(date(1989, 6, 1))


def test_the_sessions_around_a_long_weekend() -> None:
    assert next_session(date(2026, 9, 4)).day == date(2026, 9, 8)
    assert previous_session(date(2026, 9, 8)).day == date(2026, 9, 4)


@given(days)
def test_next_and_previous_session_undo_each_other(day: date) -> None:
    after = next_session(day).day
    assert after > day
    assert previous_session(after).day == (day if closure_reason(day) is None else previous_session(day).day)


@pytest.mark.parametrize(
    ("first", "last", "count"),
    [
        (date(2026, 9, 4), date(2026, 9, 8), 1),
        (date(2026, 9, 4), date(2026, 9, 7), 0),
        (date(2026, 9, 7), date(2026, 9, 11), 4),
        (date(2026, 9, 8), date(2026, 9, 8), 0),
        (date(2026, 9, 9), date(2026, 9, 8), 0),
    ],
)
def test_sessions_are_counted_after_the_first_day_up_to_the_last(first: date, last: date, count: int) -> None:
    assert sessions_between(first, last) == count


def test_the_sessions_of_a_year_are_those_of_the_second_calendar() -> None:
    theirs = sum(day.year == 2026 for day in second_calendar())
    assert sessions_between(date(2025, 12, 31), date(2026, 12, 31)) == theirs == 251


def test_a_week_starts_on_its_monday() -> None:
    assert {week_start(date(2026, 11, 23) + timedelta(days=step)) for step in range(7)} == {date(2026, 11, 23)}


def test_a_naive_instant_is_refused() -> None:
    naive = datetime(2026, 11, 23, 10)
    with pytest.raises(ValueError, match="without a zone"):
        new_york_time(naive)
    with pytest.raises(TypeError, match="offset-naive"):
        years_to_expiration(naive, date(2026, 12, 24))


def test_the_market_date_is_new_yorks() -> None:
    assert market_date(datetime(2026, 11, 24, 4, 59, tzinfo=UTC)) == date(2026, 11, 23)
    assert market_date(datetime(2026, 11, 24, 5, tzinfo=UTC)) == date(2026, 11, 24)


# Expirations.


def nearest_expiration(listed: list[date], today: date, target_dte: int, tolerance: int) -> date | None:
    return next(iter(near_expirations(listed, today, target_dte, tolerance)), None)


def test_the_nearest_expiration_to_a_christmas_target_is_the_day_before() -> None:
    listed = [date(2026, 12, 18), date(2026, 12, 24), date(2026, 12, 31)]
    assert nearest_expiration(listed, date(2026, 11, 23), 32, 3) == date(2026, 12, 24)


@pytest.mark.parametrize(
    ("dated", "last"),
    [
        (date(2027, 3, 26), date(2027, 3, 25)),  # Good Friday
        (date(2026, 12, 25), date(2026, 12, 24)),
        (date(2027, 1, 1), date(2026, 12, 31)),
        (date(2027, 6, 18), date(2027, 6, 17)),
        (date(2027, 3, 25), date(2027, 3, 25)),
        (date(2026, 6, 19), date(2026, 6, 18)),  # Juneteenth
        (date(2014, 11, 22), date(2014, 11, 21)),  # a Saturday, as monthly options were dated until 2015
    ],
)
def test_days_to_expiration_end_with_the_last_trading_day(dated: date, last: date) -> None:
    assert last_trading_day(dated) == last
    assert days_to_expiration(dated, last - timedelta(days=32)) == 32
    assert nearest_expiration([dated], last - timedelta(days=32), 32, 0) == dated
    assert nearest_expiration([dated], last + timedelta(days=1), 0, 3) is None


def test_of_two_expirations_equally_far_off_the_earlier_is_taken() -> None:
    today = date(2026, 11, 23)
    listed = [today + timedelta(days=30), today + timedelta(days=28)]
    assert nearest_expiration(listed, today, 29, 3) == today + timedelta(days=28)


def test_an_expiration_beyond_the_tolerance_is_not_taken() -> None:
    today = date(2026, 11, 23)
    assert nearest_expiration([today + timedelta(days=36)], today, 32, 3) is None
    assert nearest_expiration([], today, 32, 3) is None


def test_a_past_expiration_is_not_taken() -> None:
    today = date(2026, 11, 23)
    assert nearest_expiration([today - timedelta(days=1)], today, 0, 3) is None


@given(st.lists(st.integers(0, 60)), st.integers(0, 60), st.integers(0, 10))
def test_the_nearest_expiration_is_listed_near_and_unbeaten(offs: list[int], target: int, tolerance: int) -> None:
    today = date(2026, 11, 23)
    listed = [today + timedelta(days=off) for off in offs]
    found = nearest_expiration(listed, today, target, tolerance)
    left = [days_to_expiration(day, today) for day in listed]
    distances = [abs(days - target) for days in left if days >= 0]
    if found is None:
        assert all(distance > tolerance for distance in distances)
    else:
        assert found in listed
        assert abs(days_to_expiration(found, today) - target) == min(distances) <= tolerance


@pytest.mark.parametrize(
    ("now", "expiration", "hours"),
    [
        ("2026-11-23T10:00", date(2026, 11, 23), 6),
        ("2026-11-23T10:00", date(2026, 12, 24), 31 * 24 + 3),  # Christmas Eve closes at 13:00
        ("2026-10-26T10:00", date(2026, 11, 27), 32 * 24 + 3 + 1),  # and one hour more by the autumn clock change
        ("2026-02-23T10:00", date(2026, 3, 27), 32 * 24 + 6 - 1),  # one hour less by the spring one
        ("2015-01-05T10:00", date(2015, 1, 17), 11 * 24 + 6),  # a Saturday expiration ends on its Friday
        ("2026-11-23T16:01", date(2026, 11, 23), 0),
    ],
)
def test_time_to_expiration_ends_at_the_close_of_its_session(now: str, expiration: date, hours: float) -> None:
    assert years_to_expiration(ny(now), expiration) == pytest.approx(hours / (24 * 365), abs=1e-15)


@given(instants, st.timedeltas(timedelta(0), timedelta(days=60)), days, st.integers(0, 60))
def test_time_to_expiration_falls_with_now_and_grows_with_the_expiration(
    now: datetime, passed: timedelta, expiration: date, more: int
) -> None:
    here = years_to_expiration(now, expiration)
    assert 0 <= years_to_expiration(now + passed, expiration) <= here
    assert here <= years_to_expiration(now, expiration + timedelta(days=more))


# Slots.


def test_the_production_slot_is_monday_at_ten_in_both_seasons() -> None:
    winter, summer = (
        slot_of_day(date(2026, 11, 23), RULES, PRODUCTION),
        slot_of_day(date(2026, 7, 6), RULES, PRODUCTION),
    )
    assert winter is not None and summer is not None
    assert (winter.opens, winter.closes) == (
        datetime(2026, 11, 23, 15, tzinfo=UTC),
        datetime(2026, 11, 23, 18, tzinfo=UTC),
    )
    assert (summer.opens, summer.closes) == (
        datetime(2026, 7, 6, 14, tzinfo=UTC),
        datetime(2026, 7, 6, 17, tzinfo=UTC),
    )


def test_the_slot_is_right_on_the_mondays_after_both_clock_changes() -> None:
    for day in (date(2026, 3, 9), date(2026, 11, 2)):
        slot = slot_of_day(day, RULES, PRODUCTION)
        assert slot is not None
        assert new_york_time(slot.opens).time() == time(10)


def test_the_development_slot_is_every_weekday_at_two() -> None:
    week = [slot_of_day(date(2026, 11, 23) + timedelta(days=step), RULES, DEVELOPMENT) for step in range(7)]
    assert [slot is not None for slot in week] == [True] * 5 + [False] * 2
    assert {new_york_time(slot.opens).time() for slot in week if slot is not None} == {time(14)}


def test_a_holiday_is_still_a_slot() -> None:
    assert slot_of_day(date(2026, 9, 7), RULES, PRODUCTION) is not None


def test_the_window_holds_its_opening_and_not_its_end() -> None:
    assert open_slot(ny("2026-11-23T09:59:59"), RULES, PRODUCTION) is None
    assert open_slot(ny("2026-11-23T10:00"), RULES, PRODUCTION) is not None
    assert open_slot(ny("2026-11-23T12:59:59"), RULES, PRODUCTION) is not None
    assert open_slot(ny("2026-11-23T13:00"), RULES, PRODUCTION) is None


def test_a_window_ends_with_the_session_of_a_half_day() -> None:
    at_noon = replace(RULES, development_time="12:00")
    for day, end in ((date(2026, 11, 27), time(13)), (date(2026, 11, 30), time(15))):
        slot = slot_of_day(day, at_noon, DEVELOPMENT)
        assert slot is not None
        assert new_york_time(slot.closes).time() == end
    after_close = slot_of_day(date(2026, 11, 27), RULES, DEVELOPMENT)
    assert after_close is not None and after_close.closes - after_close.opens == timedelta(hours=3)


def test_a_window_may_reach_past_midnight() -> None:
    late = Schedule(time="22:00", grace_minutes=360)
    slot = open_slot(ny("2026-11-24T03:59"), late, PRODUCTION)
    assert slot is not None
    assert slot.day == date(2026, 11, 23)


def test_the_last_slot_may_still_be_open_or_be_a_holiday() -> None:
    assert last_slot(ny("2026-11-23T10:00"), RULES, PRODUCTION).day == date(2026, 11, 23)
    assert last_slot(ny("2026-11-23T09:59"), RULES, PRODUCTION).day == date(2026, 11, 16)
    assert last_slot(ny("2026-09-10T12:00"), RULES, PRODUCTION).day == date(2026, 9, 7)


def test_the_next_slot_leaves_a_holiday_and_an_early_close_out() -> None:
    assert next_slot(ny("2026-08-31T10:00"), RULES, PRODUCTION).day == date(2026, 9, 14)
    # Thanksgiving on Thursday, and on Friday the exchange closes at 13:00, before the slot.
    assert next_slot(ny("2026-11-25T14:00"), RULES, DEVELOPMENT).day == date(2026, 11, 30)
    at_noon = replace(RULES, development_time="12:00")
    assert next_slot(ny("2026-11-25T14:00"), at_noon, DEVELOPMENT).day == date(2026, 11, 27)


MOVED = Schedule(on_holiday="next_session")


@pytest.mark.parametrize(
    ("weekday", "holiday", "day"),
    [
        ("monday", date(2026, 9, 7), date(2026, 9, 8)),  # Labor Day
        ("monday", date(2012, 10, 29), date(2012, 10, 31)),  # two days of a hurricane
        ("friday", date(2027, 3, 26), date(2027, 3, 29)),  # Good Friday, and a weekend
        ("thursday", date(2026, 11, 26), date(2026, 11, 27)),  # Thanksgiving, and a session until 13:00
        ("tuesday", date(2001, 9, 11), date(2001, 9, 17)),
    ],
)
def test_a_weekly_slot_on_a_holiday_moves_to_the_next_session_when_that_is_set(
    weekday: str, holiday: date, day: date
) -> None:
    moved = replace(MOVED, weekday=weekday)
    assert slot_of_day(holiday, moved, PRODUCTION) is None
    slot = slot_of_day(day, moved, PRODUCTION)
    assert slot is not None and new_york_time(slot.opens).time() == time(10)
    assert next_slot(slot.opens - timedelta(minutes=1), moved, PRODUCTION) == slot
    assert last_slot(slot.closes, moved, PRODUCTION) == slot
    before, after = (
        last_slot(slot.opens - timedelta(minutes=1), moved, PRODUCTION),
        next_slot(slot.opens, moved, PRODUCTION),
    )
    assert before.day == holiday - timedelta(days=7)
    assert after.day == holiday + timedelta(days=7)
    assert slot_of_day(holiday, replace(moved, on_holiday="skip"), PRODUCTION) is not None


def test_the_daily_slots_of_development_move_nowhere() -> None:
    labor_day = date(2026, 9, 7)
    assert slot_of_day(labor_day, MOVED, DEVELOPMENT) == slot_of_day(labor_day, RULES, DEVELOPMENT)


def test_every_week_of_the_calendar_has_one_slot_whether_it_moves_or_not() -> None:
    every = list(every_day(date(2001, 1, 1), date(2040, 12, 31)))
    for name in WEEKDAYS[:5]:
        rules = replace(MOVED, weekday=name.lower())
        moved = [day for day in every if slot_of_day(day, rules, PRODUCTION) is not None]
        own = [day for day in every if WEEKDAYS[day.weekday()] == name]
        sessions = [day if closure_reason(day) is None else next_session(day).day for day in own]
        assert moved == [day for day in sessions if day <= every[-1]]


@given(instants, schedules, environments)
def test_the_next_slot_opens_later_on_a_session_day(now: datetime, rules: Schedule, environment: Environment) -> None:
    slot = next_slot(now, rules, environment)
    assert slot.opens > now
    assert closure_reason(slot.day) is None
    assert slot_of_day(slot.day, rules, environment) == slot


@given(instants, schedules, environments)
def test_the_slot_of_an_instant_is_the_last_one_and_holds_it(
    now: datetime, rules: Schedule, environment: Environment
) -> None:
    last, here = last_slot(now, rules, environment), open_slot(now, rules, environment)
    assert last.opens <= now
    assert here == (last if now < last.closes else None)
    assert open_slot(last.opens, rules, environment) == last
    assert open_slot(last.closes, rules, environment) != last


@given(instants, schedules, environments)
def test_no_slot_opens_between_the_last_one_and_the_next(
    now: datetime, rules: Schedule, environment: Environment
) -> None:
    last, following = last_slot(now, rules, environment), next_slot(now, rules, environment)
    between = every_day(last.day + timedelta(days=1), following.day - timedelta(days=1))
    slots = (slot_of_day(day, rules, environment) for day in between)
    assert all(slot is None or slot_obstacle(slot) is not None for slot in slots)


@given(instants, schedules, environments)
def test_a_slot_stands_in_the_way_of_a_run_only_on_closed_days_and_after_early_closes(
    now: datetime, rules: Schedule, environment: Environment
) -> None:
    slot = last_slot(now, rules, environment)
    hours = session(slot.day)
    late = hours is not None and hours.is_early and slot.opens >= hours.close
    assert (slot_obstacle(slot) is not None) == (hours is None or late)


@pytest.mark.parametrize("text", ["", "10", "10:0", "1:00", "24:00", "10:60", "10:00:00", "ten", "10.00", "+1:00"])
def test_a_time_that_is_not_a_time_is_named(text: str) -> None:
    with pytest.raises(BadSettings, match="HH:MM"):
        clock_time(text)


def test_the_shipped_table_is_what_the_holidays_package_says() -> None:
    assert make_calendar.TARGET.read_text() == make_calendar.calendar_text()
