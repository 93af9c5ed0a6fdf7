"""The calendar that ships, against what the agencies published, and the user's own file beside it."""

from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from spy32.domain.events import EventCalendar, EventKind, ScheduledEvent
from spy32.errors import BadSettings
from spy32.markets.events import load_event_book


def whole(
    user_file: Path | None = None, earnings: tuple[ScheduledEvent, ...] | None = None, underlying: str = "SPY"
) -> EventCalendar:
    return load_event_book(user_file, earnings, underlying)


def days(kind: str, first: str, last: str, of: EventCalendar | None = None) -> list[str]:
    found = (of or whole()).events_between(date.fromisoformat(first), date.fromisoformat(last))
    return [event.day.isoformat() for event in found if event.kind == kind]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "events.toml"


# What ships, against the agencies' own pages.

# federalreserve.gov, "Federal Open Market Committee announces its tentative meeting schedule", 2024-08-09 and
# 2025-09-05; the statement comes at 14:00 of the second day.
FED = {
    2025: ("01-29", "03-19", "05-07", "06-18", "07-30", "09-17", "10-29", "12-10"),
    2026: ("01-28", "03-18", "04-29", "06-17", "07-29", "09-16", "10-28", "12-09"),
    2027: ("01-27", "03-17", "04-28", "06-09", "07-28", "09-15", "10-27", "12-08"),
}
# bls.gov, "Schedule of Releases for the Employment Situation", as it stood in autumn 2021.
BLS_JOBS = (
    "2021-11-05", "2021-12-03", "2022-01-07", "2022-02-04", "2022-03-04", "2022-04-01", "2022-05-06", "2022-06-03",
    "2022-07-08", "2022-08-05", "2022-09-02", "2022-10-07", "2022-11-04", "2022-12-02",
)  # fmt: skip


@pytest.mark.parametrize("year", FED)
def test_the_statements_are_those_of_the_feds_schedule(year: int) -> None:
    assert days("fomc", f"{year}-01-01", f"{year}-12-31") == [f"{year}-{day}" for day in FED[year]]


def test_the_jobs_reports_are_those_of_the_bls_schedule() -> None:
    assert days("jobs", "2021-11-01", "2022-12-31") == list(BLS_JOBS)


def test_what_the_shutdowns_of_2025_and_2026_moved_has_moved() -> None:
    # bls.gov, notices of 2025-10-10 and 2026-02-04, and "2025 lapse revised release dates".
    assert days("cpi", "2025-09-01", "2026-03-01") == [
        "2025-09-11", "2025-10-24", "2025-12-18", "2026-01-13", "2026-02-13"
    ]  # fmt: skip
    assert days("jobs", "2025-09-01", "2026-03-01") == [
        "2025-09-05", "2025-11-20", "2025-12-16", "2026-01-09", "2026-02-11"
    ]  # fmt: skip


def test_every_year_is_whole_and_every_day_a_weekday() -> None:
    events = whole().events
    counts = Counter((event.kind.value, event.day.year) for event in events if event.day.year < 2028)
    odd = {("fomc", 2020): 7, ("cpi", 2025): 11, ("jobs", 2025): 11}  # March 2020 fell out; a shutdown took a month
    expected = {(kind, year): 12 for kind in ("cpi", "jobs") for year in range(2015, 2027)}
    expected |= {("fomc", year): 8 for year in range(2015, 2028)}
    assert counts == expected | odd
    assert len({(event.kind, event.day) for event in events}) == len(events)
    assert [event for event in events if event.day.weekday() > 4] == []
    assert list(events) == sorted(events, key=lambda event: (event.day, event.kind.value))


def test_times_are_those_of_new_york_and_what_is_tentative_says_so() -> None:
    events = whole().events
    assert {(event.kind.value, event.time) for event in events} == {
        ("fomc", "14:00"), ("cpi", "08:30"), ("jobs", "08:30")
    }  # fmt: skip
    assert {event.day.year for event in events if not event.is_confirmed} == {2027, 2028}
    assert all(event.source for event in events)


# How far it is known.


def test_each_kind_is_known_to_the_last_day_of_its_table() -> None:
    ends = {"fomc": date(2028, 1, 26), "cpi": date(2026, 12, 10), "jobs": date(2026, 12, 4)}
    assert whole().known_to == ends
    assert whole().unknown_kinds(date(2026, 12, 24)) == {
        "cpi": "unknown after 2026-12-10",
        "jobs": "unknown after 2026-12-04",
    }
    assert whole().unknown_kinds(date(2026, 12, 4)) == {}


def test_a_fund_has_no_earnings_and_a_company_unknown_ones_until_somebody_serves_them() -> None:
    assert "earnings" not in whole().asked
    silent = whole(underlying="AAPL")
    assert silent.unknown_kinds(date(2026, 12, 1)) == {"earnings": "unknown"}
    due = ScheduledEvent(kind=EventKind.EARNINGS, day=date(2026, 11, 30), time=None, source="tastytrade")
    told = whole(earnings=(due,), underlying="AAPL")
    assert days("earnings", "2026-11-01", "2026-12-31", told) == ["2026-11-30"]
    assert told.unknown_kinds(date(2026, 12, 1)) == {"earnings": "unknown after 2026-11-30"}
    assert whole(earnings=(), underlying="AAPL").unknown_kinds(date(2026, 12, 1)) == {"earnings": "unknown"}


# The user's file.


def test_without_a_file_or_with_an_empty_one_it_is_what_ships(file: Path) -> None:
    assert whole(file) == whole()
    file.write_text("# nothing yet\n")
    assert whole(file) == whole()


def test_the_file_adds_strikes_and_extends(file: Path) -> None:
    file.write_text(
        "[[event]]\nday = 2027-01-08\nkind = 'jobs'\ntime = '08:30'\nnote = 'my own'\n"
        "[[event]]\nday = 2026-12-01\nkind = 'other'\n"
        "[[strike]]\nday = 2026-12-10\nkind = 'cpi'\n"
        "[known_to]\njobs = 2027-01-31\n"
    )
    found = whole(file)
    assert days("jobs", "2026-12-01", "2027-12-31", found) == ["2026-12-04", "2027-01-08"]
    assert days("cpi", "2026-12-01", "2026-12-31", found) == []
    added = found.events_between(date(2027, 1, 8), date(2027, 1, 8))[0]
    assert (added.note, added.source, added.time) == ("my own", "events.toml", "08:30")
    assert found.events_between(date(2026, 12, 1), date(2026, 12, 1))[0].time is None
    assert found.unknown_kinds(date(2027, 1, 20)) == {"cpi": "unknown after 2026-12-10"}


def test_an_entry_for_a_day_of_the_table_replaces_it(file: Path) -> None:
    file.write_text("[[event]]\nday = 2026-12-09\nkind = 'fomc'\ntime = '15:00'\n")
    found = whole(file).events_between(date(2026, 12, 9), date(2026, 12, 9))
    assert [(event.time, event.source) for event in found] == [("15:00", "events.toml")]


WRONG = {
    "[[event]]\nday = '2027-01-08'\nkind = 'jobs'\n": (
        "event 1: day must be a date, such as 2027-01-08, without quotes"
    ),
    "[[event]]\nday = 2027-01-08T08:30:00\nkind = 'jobs'\n": "event 1: day must be a date",
    "[[event]]\nkind = 'jobs'\n": "event 1: day must be a date",
    "[[event]]\nday = 2027-01-08\nkind = 'job'\n": ("event 1: kind must be one of fomc, cpi, jobs, earnings, other"),
    "[[event]]\nday = 2027-01-08\nkind = 3\n": "kind must be one of fomc, cpi, jobs, earnings, other",
    "\n[[event]]\nday = 2027-01-08\nkind = 'cpi'\n\n[[event]]\nday = 2027-01-08\nkind = 'cpi'\ntime = '8:30'\n": (
        'event 2: time must be a time of day in New York, such as "08:30", in quotes'
    ),
    "[[event]]\nday = 2027-01-08\nkind = 'cpi'\ntime = 08:30:00\n": "time must be a time of day",
    "[[event]]\nday = 2027-01-08\nkind = 'cpi'\ntime = '24:00'\n": "time must be a time of day",
    "[[event]]\nday = 2027-01-08\nkind = 'cpi'\nnotes = ''\n": (
        "event 1: unknown key 'notes'; known are day, kind, time, note"
    ),
    f"[[event]]\nday = 2027-01-08\nkind = 'cpi'\nnote = '{'x' * 201}'\n": "note must be a text of at most 200",
    "[[strike]]\nday = 2026-12-11\nkind = 'cpi'\n": (
        "strike 1: the shipped table has no cpi on 2026-12-11; its nearest is 2026-12-10"
    ),
    "[[strike]]\nday = 2026-12-11\nkind = 'other'\n": "the shipped table has no other on 2026-12-11",
    "[[strike]]\nday = 2026-12-10\nkind = 'cpi'\ntime = '08:30'\n": "strike 1: unknown key 'time'",
    "[known_to]\njob = 2027-03-31\n": "known_to: unknown key 'job'; known are fomc, cpi, jobs, earnings, other",
    "[known_to]\njobs = 'March'\n": "known_to: jobs must be a date",
    "known_to = 3\n": "known_to must be a table",
    "[event]\nday = 2027-01-08\n": "event must be entries, each under a line [[event]]",
    "event = [1]\n": "event must be entries",
    "[[events]]\nday = 2027-01-08\n": "unknown key 'events'; known are event, strike, known_to",
    "[[event]\n": "this is not TOML",
    "x = " + "[" * 5000: "this is not TOML",
}


@pytest.mark.parametrize("text", WRONG, ids=range(len(WRONG)))
def test_a_wrong_file_says_where_and_what_is_allowed(file: Path, text: str) -> None:
    file.write_text(text)
    with pytest.raises(BadSettings) as caught:
        whole(file)
    assert caught.value.message.startswith(f"{file}: ")
    assert WRONG[text] in caught.value.message
    assert "\n" not in caught.value.message


def test_what_is_no_text_file_is_refused(file: Path) -> None:
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(BadSettings, match="not UTF-8"):
        whole(file)
    file.write_bytes(b"#" * 1_000_001)
    with pytest.raises(BadSettings, match="no file of events"):
        whole(file)
    with pytest.raises(BadSettings, match="not a file"):
        whole(file.parent)
