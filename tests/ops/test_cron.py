"""The shipped crontab, the reader of crontab lines, and `schedule show` and `check`."""

import json
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from spy32.cli import app as spy32_app
from spy32.errors import BadSettings
from spy32.ops.cron import (
    SCHEDULED,
    VARIABLE,
    CronJob,
    crontab_lines,
    crontab_text,
    machine_zone,
    next_starts,
    parse_crontab,
    parse_job,
    program_arguments,
    start_commands,
    start_times,
)
from spy32.sessions import NEW_YORK, slot_of_day
from spy32.settings.model import Environment, Schedule
from tests.support import crontab
from tests.support.crontab_program import fake_crontab
from tests.support.schemas import check as fits_schema

EXAMPLE = crontab.CRONTAB.read_text()
RULES, PRODUCTION = Schedule(), Environment.PRODUCTION
ZONES = [
    *crontab.ZONES,
    "Pacific/Auckland",
    "Pacific/Kiritimati",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Etc/GMT+12",
]
NOON = datetime(2026, 11, 23, 17, tzinfo=UTC)


def times(fields: str, zone: tzinfo, first: datetime, **span: float) -> list[datetime]:
    """The wall-clock times at which a job starts, within a span."""
    job = parse_job(f"{fields} x")
    return [at.astimezone(zone) for at in start_times(job, zone, first, first + timedelta(**span))]


# The shipped file.


def test_the_example_holds_the_scheduled_run_and_the_check_that_cron_mails() -> None:
    run, manage, check = parse_crontab(EXAMPLE).jobs
    assert run.starts("analyze") and not run.starts("manage")
    assert manage.starts("manage") and not manage.starts("analyze")
    assert manage.command == 'PATH="$HOME/.local/bin:$PATH" spy32 manage --scheduled -q'
    assert run.command == 'PATH="$HOME/.local/bin:$PATH" spy32 analyze --scheduled -q'
    assert not check.starts("analyze") and not check.starts("manage")
    assert check.command == 'PATH="$HOME/.local/bin:$PATH" spy32 status --check'


@pytest.mark.parametrize(
    "command",
    [
        "spy32 'analyze' --scheduled", "bash -lc 'spy32 analyze'", 'sh -c "cd /x; spy32 analyze"',
        "spy32 analyze; true", "(spy32 analyze)", "spy32 analyze>>log 2>&1",
    ],
)  # fmt: skip
def test_a_command_is_found_in_every_shell_that_holds_it(command: str) -> None:
    assert parse_job(f"0 10 * * 1 {command}").starts("analyze")


def test_a_folder_of_that_name_is_no_command() -> None:
    assert not parse_job("0 10 * * 1 cd /home/analyze/x; spy32 status").starts("analyze")


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Kolkata", "Australia/Sydney", "UTC"])
def test_a_check_always_falls_between_the_run_and_the_end_of_its_session(zone: str) -> None:
    *_, check = parse_crontab(EXAMPLE).jobs
    for monday in ("2026-03-09", "2026-07-06", "2026-11-30"):
        opened = datetime.fromisoformat(f"{monday}T10:15").replace(tzinfo=ZoneInfo("America/New_York"))
        assert any(start_times(check, ZoneInfo(zone), opened, opened + timedelta(hours=5, minutes=30)))


def test_the_example_sets_what_a_job_needs_and_no_zone() -> None:
    variables = [line for line in EXAMPLE.splitlines() if VARIABLE.fullmatch(line)]
    assert variables == ["SHELL=/bin/sh", "PATH=/usr/local/bin:/usr/bin:/bin", "MAILTO=root"]


def test_the_example_has_no_trap_and_ends_with_a_line_end() -> None:
    assert parse_crontab(EXAMPLE).warnings == ()
    assert EXAMPLE.endswith("\n")
    assert "%" not in EXAMPLE


def test_the_command_of_the_example_is_found_in_the_bare_environment_of_cron(tmp_path: Path) -> None:
    folder = tmp_path / ".local" / "bin"
    folder.mkdir(parents=True)
    fake = folder / "spy32"
    fake.write_text('#!/bin/sh\necho "$@"\n')
    fake.chmod(0o755)
    bare = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(tmp_path), "SHELL": "/bin/sh", "LOGNAME": "someone"}
    done = subprocess.run(["/bin/sh", "-c", crontab.example_job().command], env=bare, capture_output=True, check=True)
    assert done.stdout == b"analyze --scheduled -q\n"


@pytest.mark.parametrize("zone", ZONES)
def test_the_example_starts_at_the_opening_of_every_slot_in_every_zone(zone: str) -> None:
    found = next_starts([crontab.example_job()], ZoneInfo(zone), NOON, RULES, PRODUCTION, count=60)
    assert [one.start for one in found] == [one.slot.opens for one in found]
    assert not any(one.is_late for one in found)
    assert {one.start.astimezone(NEW_YORK).time() for one in found if one.start is not None} == {time(10)}


# Reading one line.


@pytest.mark.parametrize(
    ("fields", "minutes", "hours", "weekdays"),
    [
        ("*/15 * * * *", {0, 15, 30, 45}, set(range(24)), set(range(7))),
        ("0,30 9-17/4 * * mon-fri", {0, 30}, {9, 13, 17}, {1, 2, 3, 4, 5}),
        ("5-10/2 0 * * 0,7", {5, 7, 9}, {0}, {0}),
        ("@hourly", {0}, set(range(24)), set(range(7))),
        ("@weekly", {0}, {0}, {0}),
    ],
)
def test_fields_are_lists_ranges_steps_and_names(
    fields: str, minutes: set[int], hours: set[int], weekdays: set[int]
) -> None:
    job = parse_job(f"{fields} /bin/x  --y 'a b'")
    assert (job.minutes, job.hours, job.weekdays) == (minutes, hours, weekdays)
    assert job.command == "/bin/x  --y 'a b'"


def test_months_may_have_names() -> None:
    assert parse_job("0 0 1 jan,OCT-dec * x").months == {1, 10, 11, 12}


@pytest.mark.parametrize(
    "line",
    [
        "",
        "* * * *",
        "* * * * *",
        "@hourly",
        "@sometimes x",
        "60 * * * * x",
        "* 24 * * * x",
        "* * 0 * * x",
        "* * * 13 * x",
        "* * * * 8 x",
        "*/0 * * * * x",
        "5/15 * * * * x",
        "9-8 * * * * x",
        "1, * * * * x",
        "a * * * * x",
        "* * * * monday x",
        "-1 * * * * x",
        "٣ * * * * x",
    ],
)
def test_a_line_that_cron_would_not_take_is_refused(line: str) -> None:
    with pytest.raises(BadSettings):
        parse_job(line)


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused_in_words(text: str) -> None:
    parse_crontab(text)
    with suppress(BadSettings):
        parse_job(text)


def test_either_day_field_is_enough_when_both_are_restricted() -> None:
    job = parse_job("0 0 13 * 5 x")
    fits = [day for day in range(1, 31) if job.fits_day(datetime(2026, 11, day))]
    assert fits == [6, 13, 20, 27]
    job = parse_job("0 0 14 * 5 x")
    assert [day for day in range(1, 31) if job.fits_day(datetime(2026, 11, day))] == [6, 13, 14, 20, 27]


def test_both_day_fields_must_fit_when_one_of_them_is_a_star() -> None:
    job = parse_job("0 0 */2 * 5 x")
    assert [day for day in range(1, 31) if job.fits_day(datetime(2026, 11, day))] == [13, 27]


# Starts.


def test_a_year_of_quarter_hours_has_all_of_them() -> None:
    found = list(start_times(parse_job(f"{SCHEDULED['analyze'].fields} x"), NEW_YORK, *_year(2026)))
    assert len(found) == 365 * 24 * 4
    assert {after - before for before, after in pairwise(found)} == {timedelta(minutes=15)}


def test_a_year_of_mondays_at_ten_keeps_to_the_wall_clock_in_both_seasons() -> None:
    found = [at.astimezone(NEW_YORK) for at in start_times(parse_job("0 10 * * 1 x"), NEW_YORK, *_year(2026))]
    assert [(at.weekday(), at.time()) for at in found] == [(0, time(10))] * 52
    assert len({at.utcoffset() for at in found}) == 2


def _year(year: int) -> tuple[datetime, datetime]:
    """New York's year."""
    first, last = (datetime(at, 1, 1, tzinfo=NEW_YORK).astimezone(UTC) for at in (year, year + 1))
    return first, last


def test_an_hour_that_the_clock_skips_has_no_starts() -> None:
    found = times("30 * * * *", NEW_YORK, datetime(2026, 3, 8, 5, tzinfo=UTC), hours=4)
    assert [at.hour for at in found] == [0, 1, 3, 4]


def test_an_hour_that_the_clock_repeats_has_its_starts_twice() -> None:
    found = times("30 * * * *", NEW_YORK, datetime(2026, 11, 1, 4, tzinfo=UTC), hours=4)
    assert [at.hour for at in found] == [0, 1, 1, 2]


def test_a_clock_change_of_half_an_hour_loses_no_start() -> None:
    lord_howe = ZoneInfo("Australia/Lord_Howe")
    autumn = times("45 1 * * *", lord_howe, datetime(2026, 4, 4, 0, tzinfo=UTC), hours=24)
    assert [(at.day, at.hour, at.minute) for at in autumn] == [(5, 1, 45), (5, 1, 45)]


@given(
    st.datetimes(datetime(2024, 1, 1), datetime(2034, 1, 1), timezones=st.just(UTC)),
    st.sampled_from(ZONES),
    st.sampled_from([SCHEDULED["analyze"].fields, "7 3,14 * * *", "0 10 * * 1", "30 22 * * 0,6"]),
)
def test_starts_are_the_minutes_that_fit_one_by_one(first: datetime, name: str, fields: str) -> None:
    zone, job, until = ZoneInfo(name), parse_job(f"{fields} x"), first + timedelta(hours=30)
    minute = first.replace(second=0, microsecond=0)
    walk = [at for step in range(1801) if first <= (at := minute + timedelta(minutes=step)) < until]
    assert list(start_times(job, zone, first, until)) == [at for at in walk if _fits(job, at.astimezone(zone))]


def _fits(job: CronJob, local: datetime) -> bool:
    return job.fits_day(local) and local.hour in job.hours and local.minute in job.minutes


def test_a_slot_that_a_line_misses_or_reaches_late_is_said() -> None:
    summer_only, late = parse_job("0 14 * * 1 x"), parse_job("20 14,15 * * 1 x")
    (missed, *_) = next_starts([summer_only], UTC, NOON, RULES, PRODUCTION)
    assert missed.start is None
    (found, *_) = next_starts([late], UTC, NOON, RULES, PRODUCTION)
    assert found.slot == slot_of_day(date(2026, 11, 30), RULES, PRODUCTION)
    assert found.start == datetime(2026, 11, 30, 15, 20, tzinfo=UTC)
    assert found.is_late
    (both, *_) = next_starts([late, parse_job("0 15 * * * x")], UTC, NOON, RULES, PRODUCTION)
    assert both.start == both.slot.opens


# A whole crontab.


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("CRON_TZ=America/New_York\n", "line 1: CRON_TZ= works in cronie only"),
        ("# zone\n TZ = 'America/New_York'\n", "line 2: TZ= moves the clock of the job, never the schedule"),
        ("PATH=$PATH:/opt/bin\n", "line 1: cron does not expand $"),
        ('MAILTO=""\n', "line 1: an empty MAILTO= drops every message"),
        ("0 10 * * 1 date +%H\n", "line 1: an unescaped % ends the command"),
        ("0 10 * * 1 spy32 analyze\n", "line 1: `analyze` without --scheduled"),
        ("0 10 * * 1 spy32 analyze --scheduled", "no line end"),
        ("0 25 * * 1 x\n", "line 1: '25' is outside 0 to 23"),
    ],
)
def test_each_trap_is_named_with_its_line(text: str, words: str) -> None:
    (warning,) = parse_crontab(text).warnings
    assert words in warning


def test_what_is_right_gets_no_warning() -> None:
    text = "MAILTO=me\n\n# TZ=UTC\n@reboot x\n0 10 * * 1 date +\\%H\n*/15 * * * * /opt/spy32 analyze --scheduled\n"
    table = parse_crontab(text)
    assert table.warnings == ()
    assert [job.command for job in table.jobs_of("analyze")] == ["/opt/spy32 analyze --scheduled"]


# The machine.


def test_the_machines_zone_is_the_one_that_localtime_points_to(tmp_path: Path) -> None:
    zones = Path("/usr/share/zoneinfo")
    if not zones.exists():
        pytest.skip("no zone files on this machine")
    link = tmp_path / "localtime"
    link.symlink_to(zones / "Asia" / "Tokyo")
    found = machine_zone(None, link)
    assert (found.name, found.warning) == ("Asia/Tokyo", None)
    assert NOON.astimezone(found.zone).hour == 2


def test_a_machine_without_a_zone_is_on_utc(tmp_path: Path) -> None:
    assert machine_zone(None, tmp_path / "localtime").name == "UTC"
    (tmp_path / "localtime").write_text("no zone file")
    assert machine_zone(None, tmp_path / "localtime").name == "UTC"


def test_another_zone_of_the_shell_is_used_and_said(tmp_path: Path) -> None:
    found = machine_zone(":Europe/Berlin", tmp_path / "localtime")
    assert found.name == "Europe/Berlin"
    assert found.warning is not None and "cron goes by the system's" in found.warning


@pytest.mark.parametrize("tz", ["", "UTC", "Nowhere/Town", "../../etc/passwd", "UTC0"])
def test_a_zone_of_the_shell_that_says_nothing_new_is_passed_over(tz: str, tmp_path: Path) -> None:
    found = machine_zone(tz, tmp_path / "localtime")
    assert (found.name, found.warning) == ("UTC", None)


def test_the_program_is_named_by_an_absolute_path() -> None:
    assert program_arguments("spy32", "/py", {"spy32": "/opt/bin/spy32"}.get) == ("/opt/bin/spy32",)
    assert program_arguments("/x y/spy32", "/py", lambda _: None) == ("/x y/spy32",)
    assert program_arguments("spy32", "/py", lambda _: None)[0].startswith("/")
    relative = ".venv/bin/spy32"
    assert program_arguments(relative, "/py", {relative: relative}.get) == (str(Path.cwd() / relative),)
    found = program_arguments("/lib/spy32/__main__.py", "/py/bin/python", lambda _: None)
    assert found == ("/py/bin/python", "-m", "spy32")


def lines(program: str, home: Path | None = None, mode: str | None = None) -> tuple[str, ...]:
    return crontab_lines(start_commands((program,), home=home, mode=mode))


def test_the_line_keeps_home_and_mode_and_escapes_what_cron_would_eat() -> None:
    line = lines("/my bin/spy32", Path("/my homes/100%"), "live")[0]
    assert line == "*/15 * * * * '/my bin/spy32' --home '/my homes/100\\%' --mode live analyze --scheduled -q"
    assert parse_crontab(f"{line}\n").warnings == ()


def test_the_printed_piece_is_a_whole_crontab() -> None:
    text = crontab_text(lines("/bin/spy32"), zone="UTC", user="someone")
    table = parse_crontab(text)
    assert table.warnings == ()
    assert "\nMAILTO=someone\n" in text
    assert [job.text for job in table.jobs_of("analyze")] == ["*/15 * * * * /bin/spy32 analyze --scheduled -q"]
    assert [job.text for job in table.jobs_of("manage")] == ["*/15 * * * * /bin/spy32 manage --scheduled -q"]


# The commands.


@pytest.fixture
def invoke(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`spy32 WORDS` in a fresh home, at noon on Monday 2026-11-23."""
    for name in ("TZ", "SPY32_HOME", "ENABLE_AUTOMATION", "XAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))  # no crontab program of this machine
    monkeypatch.setenv("LOGNAME", "someone")
    monkeypatch.setenv("SPY32_CLOCK", "2026-11-23T17:00:00Z")
    home = tmp_path / "home"
    return lambda *words, **more: CliRunner().invoke(spy32_app, ["--home", str(home), *words], **more)


def test_show_prints_a_crontab_with_an_absolute_path_and_the_home(
    invoke: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A parallel test runner starts its workers under another name.
    monkeypatch.setattr(sys, "argv", ["/opt/desk/bin/spy32"])
    shown = invoke("schedule", "show")
    assert shown.exit_code == 0
    (job,) = parse_crontab(shown.stdout).jobs_of("analyze")
    assert job.command.startswith("/")
    assert f"--home {tmp_path / 'home'} analyze --scheduled -q" in job.command
    assert "MAILTO=someone" in shown.stdout


def test_show_warns_about_settings_that_cron_will_not_have(invoke: Any) -> None:
    assert "cron does not have this shell's SPY32_CLOCK" in invoke("schedule", "show").stderr


def test_show_and_check_leave_nothing_behind(invoke: Any, tmp_path: Path) -> None:
    invoke("schedule", "show")
    invoke("schedule", "check")
    assert not (tmp_path / "home").exists()


def test_show_as_a_document(invoke: Any) -> None:
    document = json.loads(invoke("schedule", "show", "--json").stdout)
    fits_schema(document)
    assert document["line"] in document["crontab"].splitlines()


def test_check_lists_ten_starts_in_both_zones(invoke: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    lines = invoke("schedule", "check").stdout.splitlines()
    assert "Mon 2026-11-30 10:00 New York = Tue 2026-12-01 00:00 Asia/Tokyo" in lines
    assert sum("New York =" in line for line in lines) == 10
    assert any("no crontab line starts" in line for line in lines)


def test_check_without_a_line_that_starts_the_run_ends_20(invoke: Any) -> None:
    for text in ("", "20 * * * * spy32 status --check\n", "0 10 * * 2 spy32 analyze --scheduled\n"):
        done = invoke("schedule", "check", "--crontab", "-", input=text)
        assert done.exit_code == 20
        assert "`spy32 schedule install`" in done.stderr
        assert invoke("schedule", "check", "--crontab", "-", "--json", input=text).exit_code == 20
    kept = invoke("schedule", "check", "--crontab", "-", input="*/15 * * * * spy32 analyze --scheduled\n")
    assert kept.exit_code == 0


def test_check_judges_a_crontab_that_is_handed_in(invoke: Any) -> None:
    text = "CRON_TZ=America/New_York\n0 10 * * 1 spy32 analyze --scheduled\n"
    said = invoke("schedule", "check", "--crontab", "-", input=text).stdout
    assert "NO START in this slot" in said
    assert "WARNING line 1: CRON_TZ=" in said
    assert "WARNING 10 of these slots get no start at all" in said


def test_check_as_a_document(invoke: Any, tmp_path: Path) -> None:
    file = tmp_path / "crontab"
    file.write_text("20 14,15 * * 1 spy32 analyze --scheduled\n")
    document = json.loads(invoke("schedule", "check", "--crontab", str(file), "--json").stdout)
    fits_schema(document)
    assert document["found"] is True
    assert document["starts"][0] == {
        "slot": "2026-11-30",
        "opens": "2026-11-30T15:00:00Z",
        "start": "2026-11-30T15:20:00Z",
        "new_york": "2026-11-30T10:20:00-05:00",
        "machine": "2026-11-30T15:20:00+00:00",
        "late": True,
    }
    assert "10 of these starts are late in their slot" in document["warnings"]


def test_check_reads_the_installed_crontab(invoke: Any, tmp_path: Path) -> None:
    fake = tmp_path / "crontab"
    lines = ("*/15 * * * * spy32 analyze --scheduled", "*/15 * * * * spy32 manage --scheduled")
    fake.write_text("#!/bin/sh\n" + "".join(f"echo '{line}'\n" for line in lines))
    fake.chmod(0o755)
    said = invoke("schedule", "check").stdout
    assert "line: */15 * * * * spy32 analyze --scheduled" in said
    assert "manage: 16 starts on Mon 2026-11-23, 12:15 to 16:00 New York" in said
    assert "WARNING" not in said


@pytest.mark.parametrize(
    ("line", "warning"),
    [
        ("", "no crontab line starts `spy32 manage`"),
        ("0 22 * * * spy32 manage --scheduled\n", "is not started while options trade on 2026-11-23"),
        ("*/15 * * * * spy32 manage\n", "`manage` without --scheduled prints every trade"),
        ("*/15 * * * * spy32 --home /desk/manage status\n", "no crontab line starts `spy32 manage`"),
    ],
)
def test_check_warns_when_open_trades_are_not_managed(invoke: Any, line: str, warning: str) -> None:
    text = f"*/15 * * * * spy32 analyze --scheduled\n{line}"
    done = invoke("schedule", "check", "--crontab", "-", input=text)
    assert done.exit_code == 0
    assert warning in done.stdout


def test_a_crontab_that_is_refused_is_said_to_be_unread_not_to_be_empty(
    invoke: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_crontab(tmp_path, before_list='echo "someone is not allowed to use this program" >&2; exit 1;')
    monkeypatch.setenv("PATH", str(tmp_path))
    done = invoke("schedule", "check")
    said = done.stdout + done.stderr
    assert done.exit_code == 20
    assert "the crontab cannot be read: `crontab` ended 1, someone is not allowed to use this program" in said
    assert "no crontab line" not in said and "nothing starts" not in said


def test_a_crontab_file_that_is_missing_ends_2(invoke: Any) -> None:
    assert invoke("schedule", "check", "--crontab", "nowhere").exit_code == 2
