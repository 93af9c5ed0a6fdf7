"""`crontab.example` and the reader of crontab lines."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from proofs import slots
from spy32.errors import Unusable
from spy32.ops.cron import jobs, line_for, parse, starts, traps

EXAMPLE = (Path(__file__).parent.parent / "crontab.example").read_text()


def test_the_example_holds_one_job_that_is_the_scheduled_run() -> None:
    (job,) = jobs(EXAMPLE)
    assert job.command == "spy32 analyze --scheduled"


def test_the_example_has_no_trap() -> None:
    assert traps(EXAMPLE) == ()
    assert EXAMPLE.endswith("\n")


def test_the_printed_line_is_the_one_of_the_example() -> None:
    assert line_for("spy32") == EXAMPLE.splitlines()[-1]


@pytest.mark.parametrize("zone", ["UTC", "Australia/Sydney"])
def test_cron_with_the_example_makes_one_run_a_trading_monday(zone: str) -> None:
    first, last = date(2024, 1, 1), date(2025, 4, 1)
    runs = slots.simulate(ZoneInfo(zone), jobs(EXAMPLE)[0], first, last)
    assert slots.faults(runs, first, last) == []
    assert len(runs) == len(slots.mondays(first, last)) == 66


def test_a_naive_line_misses_new_york_in_one_of_the_seasons() -> None:
    """Why the guard is in the program: 14:00 UTC is ten o'clock in New York in summer only."""
    job = parse("0 14 * * 1 spy32 analyze --scheduled")
    summer = next(starts(job, ZoneInfo("UTC"), datetime(2026, 7, 1, tzinfo=UTC)))
    winter = next(starts(job, ZoneInfo("UTC"), datetime(2026, 12, 1, tzinfo=UTC)))
    new_york = ZoneInfo("America/New_York")
    assert (summer.astimezone(new_york).hour, winter.astimezone(new_york).hour) == (10, 9)


def test_either_day_or_weekday_may_match_when_both_are_restricted() -> None:
    job = parse("0 0 13 * 5 x")
    assert job.holds(datetime(2026, 11, 13))
    assert job.holds(datetime(2026, 11, 20))
    assert job.holds(datetime(2026, 10, 13))
    assert not job.holds(datetime(2026, 11, 14))


def test_an_hour_that_the_clock_skips_has_no_start() -> None:
    job = parse("30 2 * * * x")
    berlin = ZoneInfo("Europe/Berlin")
    first = next(starts(job, berlin, datetime(2026, 3, 29, 0, 0, tzinfo=UTC)))
    assert first.astimezone(berlin).date() == date(2026, 3, 30)
    assert first - datetime(2026, 3, 29, tzinfo=UTC) > timedelta(hours=23)


@pytest.mark.parametrize("line", ["* * * *", "61 * * * * x", "a * * * * x", "*/0 * * * * x", "5-1 * * * * x", ""])
def test_a_line_that_is_none_is_refused(line: str) -> None:
    with pytest.raises(Unusable):
        parse(line)


@pytest.mark.parametrize(
    ("crontab", "word"),
    [
        ("CRON_TZ=America/New_York\n0 10 * * 1 x\n", "CRON_TZ"),
        ("TZ=America/New_York\n0 10 * * 1 x\n", "never the schedule"),
        ("PATH=$PATH:/opt\n", "expand"),
        ("0 10 * * 1 date +%s\n", "%"),
        ("0 10 * * 1 x", "line end"),
    ],
)
def test_each_trap_of_cron_is_named(crontab: str, word: str) -> None:
    assert any(word in warning for warning in traps(crontab))
