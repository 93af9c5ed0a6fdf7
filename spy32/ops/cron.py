"""Crontab text: writes the lines for this machine, parses an existing crontab, and computes when its jobs start.

The five fields are parsed as Debian's cron and cronie do. Start times follow the machine's wall clock minute by minute.
Cron's special handling of fixed times inside a clock change is left out, because clocks change on Sunday nights.
"""

import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import islice
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from spy32.domain.value import value
from spy32.errors import BadSettings
from spy32.rules.schedule import LATE_AFTER
from spy32.sessions import Session, Slot, market_date, next_session, session, slots_after
from spy32.settings.model import Environment, Schedule


class ScheduledCommand(NamedTuple):
    """A command that the machine starts again and again."""

    fields: str
    """When, as a crontab has it."""
    calendar: str
    """The same as OnCalendar= of systemd.time(7)."""
    words: tuple[str, ...]
    purpose: str


SCHEDULED: Mapping[str, ScheduledCommand] = {
    # Every 15 minutes of every day. Monday morning in New York is Monday night or Tuesday elsewhere, and its hour
    # shifts against zones that change their clocks on other dates or never. A start outside the window exits silently;
    # with -q, later starts in the same window send no mail.
    "analyze": ScheduledCommand("*/15 * * * *", "*:0/15", ("analyze", "--scheduled", "-q"), "the weekly run"),
    # A stop needs two readings in two starts, so it takes a quarter of an hour. A start while no options trade exits
    # silently.
    "manage": ScheduledCommand("*/15 * * * *", "*:0/15", ("manage", "--scheduled", "-q"), "the open trades"),
    # Every three hours: a proposal of Monday 10:00 lapses at 16:00 New York, so a check always falls between.
    "check": ScheduledCommand("20 */3 * * *", "0/3:20", ("status", "--check"), "what needs a person"),
}

SHORTHANDS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")

VARIABLE = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*")
FIELD_PART = re.compile(r"(?:\*|(\w+)(?:-(\w+))?)(?:/(\d+))?", re.ASCII)
ONE_MINUTE = timedelta(minutes=1)


# Reading.


@value
class CronJob:
    """One crontab line that starts a command. The sets hold the allowed values of each field."""

    text: str
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    """0 is Sunday."""
    either_day: bool
    """True when both day fields are restricted. Cron then starts when either matches (crontab(5))."""
    command: str

    def fits_day(self, local: datetime) -> bool:
        """Return whether the job may start on the date of `local`, the machine's local time."""
        fits_month_day, fits_weekday = local.day in self.days, local.isoweekday() % 7 in self.weekdays
        return local.month in self.months and (
            fits_month_day or fits_weekday if self.either_day else fits_month_day and fits_weekday
        )

    def starts(self, name: str) -> bool:
        """Return whether the job runs this command of spy32; a folder of that name is no command."""
        return (
            "spy32" in self.command and re.search(rf"(?<=[\s'\"]){name}(?=[\s'\";&|)<>]|$)", self.command) is not None
        )


@value
class Crontab:
    """A parsed crontab."""

    jobs: tuple[CronJob, ...]
    warnings: tuple[str, ...]
    """One message each, with the line number that it concerns."""

    def jobs_of(self, name: str) -> tuple[CronJob, ...]:
        """Return the jobs that run this command of spy32."""
        return tuple(job for job in self.jobs if job.starts(name))


def parse_job(text: str) -> CronJob:
    """Parse a crontab line: five fields or an @ shorthand, then a command. Raises `BadSettings` for anything else."""
    parts = text.split(None, 1)
    if parts and parts[0].lower() in SHORTHANDS:
        parts = [*SHORTHANDS[parts[0].lower()].split(), *parts[1:]]
    else:
        parts = text.split(None, 5)
    if len(parts) != 6:
        raise BadSettings(f"{text.strip()!r} is not a crontab line: five fields and a command")
    minute, hour, day, month, weekday, command = parts
    return CronJob(
        text=text.strip(),
        minutes=_parse_field(minute, 0, 59),
        hours=_parse_field(hour, 0, 23),
        days=_parse_field(day, 1, 31),
        months=_parse_field(month, 1, 12, MONTHS),
        weekdays=frozenset(number % 7 for number in _parse_field(weekday, 0, 7, DAYS)),
        either_day=not day.startswith("*") and not weekday.startswith("*"),
        command=command.strip(),
    )


def parse_crontab(text: str) -> Crontab:
    """Parse a whole user crontab. Warnings name lines that are invalid or do not do what they seem to do."""
    jobs: list[CronJob] = []
    warnings: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#") or line.lstrip().lower().startswith("@reboot"):
            continue
        variable = VARIABLE.fullmatch(line)
        try:
            if variable is not None:
                messages = _variable_warnings(variable[1], variable[2].strip("\"'"))
            else:
                jobs.append(parse_job(line))
                messages = _job_warnings(jobs[-1])
        except BadSettings as error:
            messages = (error.message,)
        warnings += [f"line {number}: {message}" for message in messages]
    if text and not text.endswith("\n"):
        warnings.append("the last line has no line end; some crons ignore it")
    return Crontab(jobs=tuple(jobs), warnings=tuple(warnings))


def _parse_field(text: str, low: int, high: int, names: tuple[str, ...] = ()) -> frozenset[int]:
    return frozenset(number for part in text.split(",") for number in _parse_range(part, low, high, names))


def _parse_range(text: str, low: int, high: int, names: tuple[str, ...]) -> range:
    match = FIELD_PART.fullmatch(text)
    if match is None:
        raise BadSettings(f"{text!r} is not a crontab field")
    first, last, step = match.groups()
    if step is not None and ((first is not None and last is None) or int(step) < 1):
        raise BadSettings(f"{text!r} is not a crontab field: a step goes with * or a range")
    start = _parse_number(first, low, names) if first is not None else low
    end = high if first is None else _parse_number(last, low, names) if last is not None else start
    if not low <= start <= end <= high:
        raise BadSettings(f"{text!r} is outside {low} to {high} or backwards")
    return range(start, end + 1, int(step or 1))


def _parse_number(text: str, low: int, names: tuple[str, ...]) -> int:
    if text.isdecimal():
        return int(text)
    if text.lower() in names:
        return names.index(text.lower()) + low
    raise BadSettings(f"{text!r} is neither a number nor a name that cron knows here")


def _variable_warnings(name: str, value: str) -> tuple[str, ...]:
    if name == "TZ":
        return ("TZ= moves the clock of the job, never the schedule; spy32 needs none, so remove it",)
    if name == "CRON_TZ":
        return ("CRON_TZ= works in cronie only; Debian's and Ubuntu's cron ignores it. spy32 needs none, so remove it",)
    if name == "PATH" and "$" in value:
        return ("cron does not expand $ in PATH=",)
    if name == "MAILTO" and not value:
        return ("an empty MAILTO= drops every message",)
    return ()


def _job_warnings(job: CronJob) -> tuple[str, ...]:
    warnings = []
    if re.search(r"(?<!\\)%", job.command) is not None:
        warnings.append("an unescaped % ends the command there; write \\%")
    if job.starts("analyze") and "--scheduled" not in job.command:
        warnings.append("`analyze` without --scheduled makes a run at every start outside the slot; add --scheduled")
    if job.starts("manage") and "--scheduled" not in job.command:
        warnings.append("`manage` without --scheduled prints every trade at every start; add --scheduled")
    return tuple(warnings)


# When.


@value
class SlotStart:
    """A slot and the first cron start inside its window; None when no job starts there."""

    slot: Slot
    start: datetime | None

    @property
    def is_late(self) -> bool:
        """Whether the start is more than `LATE_AFTER` after the slot opens."""
        return self.start is not None and self.start - self.slot.opens > LATE_AFTER


def start_times(job: CronJob, zone: tzinfo, first: datetime, until: datetime) -> Iterator[datetime]:
    """Yield every time in [first, until) at which cron starts `job` on a machine in `zone`, UTC."""
    at = first.astimezone(UTC)
    if at.second or at.microsecond:
        at = at.replace(second=0, microsecond=0) + ONE_MINUTE
    while at < until:
        local = at.astimezone(zone)
        if not job.fits_day(local) or local.hour not in job.hours:
            # Jump to the next full hour. No clock change skips the end of an hour, so no start is missed.
            at += ONE_MINUTE * (60 - local.minute)
            continue
        if local.minute in job.minutes:
            yield at
        at += ONE_MINUTE


def next_starts(
    jobs: Sequence[CronJob],
    zone: tzinfo,
    now: datetime,
    schedule: Schedule,
    environment: Environment,
    *,
    count: int = 10,
) -> tuple[SlotStart, ...]:
    """Return the first start of `jobs` in each of the next `count` slots on session days."""
    found = []
    for slot in islice(slots_after(now, schedule, environment), count):
        firsts = (next(start_times(job, zone, slot.opens, slot.closes), None) for job in jobs)
        first = min((start for start in firsts if start is not None), default=None)
        found.append(SlotStart(slot=slot, start=first))
    return tuple(found)


@value
class ManageStarts:
    """The starts of `manage` in the next session."""

    session: Session
    starts: tuple[datetime, ...]
    """While options trade, UTC; empty when no job starts then."""


def next_manage_starts(jobs: Sequence[CronJob], zone: tzinfo, now: datetime) -> ManageStarts:
    """Return when `jobs` start in the next session, or in the rest of the present one."""
    today = session(market_date(now))
    hours = today if today is not None and now <= today.option_close else next_session(market_date(now))
    first, until = max(now, hours.open), hours.option_close
    starts = {start for job in jobs for start in start_times(job, zone, first, until)}
    return ManageStarts(session=hours, starts=tuple(sorted(starts)))


# The machine.


@value
class MachineZone:
    """The time zone of this machine's clock, and a warning if TZ and the system disagree."""

    name: str
    zone: tzinfo
    warning: str | None = None


def machine_zone(tz: str | None, localtime: Path = Path("/etc/localtime")) -> MachineZone:
    """Return the zone of this machine's clock: `tz` (the variable TZ) if valid, else the system's, else UTC."""
    system_name, system = _system_zone(localtime)
    zone_name = (tz or "").removeprefix(":")
    try:
        zone = ZoneInfo(zone_name) if zone_name else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        zone = None
    if zone is None or zone_name == system_name:
        return MachineZone(name=system_name, zone=system)
    warning = f"TZ is {zone_name} in this shell, the system's zone is {system_name}; cron goes by the system's"
    return MachineZone(name=zone_name, zone=zone, warning=warning)


def _system_zone(localtime: Path) -> tuple[str, tzinfo]:
    try:
        _, _, name = str(localtime.resolve(strict=True)).partition("zoneinfo/")
        with localtime.open("rb") as file:
            zone = ZoneInfo.from_file(file, key=name or "local time")
    except (OSError, ValueError):
        return "UTC", UTC
    return name or "local time", zone


def program_arguments(argv0: str, executable: str, which: Callable[[str], str | None]) -> tuple[str, ...]:
    """Return the words that start this program from any folder, with an absolute path."""
    if Path(argv0).name == "__main__.py":
        return (executable, "-m", "spy32")
    # For an argument with a folder, and a relative folder in PATH, `which` gives a relative path.
    return (str(Path(which(argv0) or argv0).absolute()),)


def start_commands(program: Sequence[str], *, home: Path | None, mode: str | None) -> dict[str, tuple[str, ...]]:
    """Return the whole command of each of `SCHEDULED`, for this home and mode."""
    start = (*program, *global_options(home, mode))
    return {name: (*start, *scheduled.words) for name, scheduled in SCHEDULED.items()}


def global_options(home: Path | None, mode: str | None) -> tuple[str, ...]:
    """Return the options that name this home and mode."""
    options = ("--home", str(home)) if home is not None else ()
    return (*options, "--mode", mode) if mode is not None else options


def crontab_lines(commands: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Return a crontab line for each of `start_commands`. What a line prints cron mails."""
    return tuple(
        f"{SCHEDULED[name].fields} {shlex.join(command)}".replace("%", "\\%") for name, command in commands.items()
    )


def crontab_text(lines: Sequence[str], *, zone: str, user: str) -> str:
    """Return a complete section to append to an existing crontab."""
    run, manage, check = lines
    return f"""\
# spy32, for a machine whose clock is on {zone}; the line is right in every other zone too. The program decides
# itself, by New York's clock and the exchange calendar, whether now is its slot, and otherwise ends in silence.
PATH=/usr/local/bin:/usr/bin:/bin
# Cron mails what is printed, and that is only what went wrong. A machine without a mail program drops it.
MAILTO={user}
{run}
# Marks the open trades while options trade, and proposes the closes that are due; mails those, and what went wrong.
{manage}
# Mails what needs a person, every three hours for as long as it does; silent otherwise.
{check}
"""
