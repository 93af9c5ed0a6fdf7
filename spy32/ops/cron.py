"""Crontab text: the line for this machine, what an existing one says, and when its lines start.

The five fields are read as Debian's cron and cronie read them. Starts follow the machine's wall clock minute by minute;
the help that cron gives to fixed times inside a clock change is left out, since clocks change at night on a Sunday.
"""

import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from spy32.domain.value import value
from spy32.errors import BadSettings
from spy32.ops.schedule import LATE_AFTER
from spy32.sessions import Slot, slots_after
from spy32.settings.model import Environment, Schedule

RUN_FIELDS = "*/15 * * * *"
"""Every quarter of an hour of every day: New York's Monday morning is Monday night or Tuesday elsewhere, and its hour
moves against zones that change their clocks on other dates or never. A start outside the window ends in silence."""

CHECK_FIELDS = "20 */3 * * *"
"""Every three hours: a proposal of Monday 10:00 waits until 16:00 New York, so that one check always falls between."""

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
    """One line that starts a command."""

    text: str
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    """Sunday is 0."""
    either_day: bool
    """Both day fields are restricted: cron then starts when either of them fits."""
    command: str

    def fits_day(self, local: datetime) -> bool:
        fits_month_day, fits_weekday = local.day in self.days, local.isoweekday() % 7 in self.weekdays
        return local.month in self.months and (
            fits_month_day or fits_weekday if self.either_day else fits_month_day and fits_weekday
        )

    @property
    def is_weekly_run(self) -> bool:
        return "spy32" in self.command and re.search(r"\banalyze\b", self.command) is not None


@value
class Crontab:
    jobs: tuple[CronJob, ...]
    variables: Mapping[str, str]
    warnings: tuple[str, ...]
    """One line each, with the number of the line that it speaks of."""

    @property
    def weekly_jobs(self) -> tuple[CronJob, ...]:
        return tuple(job for job in self.jobs if job.is_weekly_run)


def parse_job(text: str) -> CronJob:
    """One crontab line of five fields, or an @ shorthand, and a command."""
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
    """A whole user crontab, with warnings about what does not do what it seems to do."""
    jobs: list[CronJob] = []
    variables: dict[str, str] = {}
    warnings: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#") or line.lstrip().lower().startswith("@reboot"):
            continue
        variable = VARIABLE.fullmatch(line)
        try:
            if variable is not None:
                variables[variable[1]] = variable[2].strip("\"'")
                messages = _variable_warnings(variable[1], variables[variable[1]])
            else:
                jobs.append(parse_job(line))
                messages = _job_warnings(jobs[-1])
        except BadSettings as error:
            messages = (error.message,)
        warnings += [f"line {number}: {message}" for message in messages]
    if text and not text.endswith("\n"):
        warnings.append("the last line has no line end; some crons ignore it")
    return Crontab(jobs=tuple(jobs), variables=variables, warnings=tuple(warnings))


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
    if job.is_weekly_run and "--scheduled" not in job.command:
        warnings.append("`analyze` without --scheduled makes a run at every start outside the slot; add --scheduled")
    return tuple(warnings)


# When.


@value
class SlotStart:
    """The first start that falls into a slot's window, None when no line has one there."""

    slot: Slot
    start: datetime | None

    @property
    def is_late(self) -> bool:
        return self.start is not None and self.start - self.slot.opens > LATE_AFTER


def start_times(job: CronJob, zone: tzinfo, first: datetime, until: datetime) -> Iterator[datetime]:
    """Every instant in [first, until) at which cron starts `job` on a machine in `zone`, UTC."""
    at = first.astimezone(UTC)
    if at.second or at.microsecond:
        at = at.replace(second=0, microsecond=0) + ONE_MINUTE
    while at < until:
        local = at.astimezone(zone)
        if not job.fits_day(local) or local.hour not in job.hours:
            # No clock change skips a whole hour's end, so the next full hour is never passed over.
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
    """What `jobs` do for the next `count` slots on session days."""
    slots = islice(slots_after(now, schedule, environment), count)
    return tuple(SlotStart(slot=slot, start=_first_start(jobs, zone, slot)) for slot in slots)


def _first_start(jobs: Sequence[CronJob], zone: tzinfo, slot: Slot) -> datetime | None:
    firsts = (next(start_times(job, zone, slot.opens, slot.closes), None) for job in jobs)
    return min((start for start in firsts if start is not None), default=None)


# The machine.


@value
class MachineZone:
    name: str
    zone: tzinfo
    warning: str | None = None


def machine_zone(tz: str | None, localtime: Path = Path("/etc/localtime")) -> MachineZone:
    """The zone of this machine's clock: TZ if it names one, else the system's. A machine without one is on UTC."""
    system_name, system = _system_zone(localtime)
    wanted = (tz or "").removeprefix(":")
    try:
        zone = ZoneInfo(wanted) if wanted else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        zone = None
    if zone is None or wanted == system_name:
        return MachineZone(name=system_name, zone=system)
    warning = f"TZ is {wanted} in this shell, the system's zone is {system_name}; cron goes by the system's"
    return MachineZone(name=wanted, zone=zone, warning=warning)


def _system_zone(localtime: Path) -> tuple[str, tzinfo]:
    try:
        _, _, name = str(localtime.resolve(strict=True)).partition("zoneinfo/")
        with localtime.open("rb") as file:
            zone = ZoneInfo.from_file(file, key=name or "local time")
    except (OSError, ValueError):
        return "UTC", UTC
    return name or "local time", zone


def program_command(argv0: str, executable: str, which: Callable[[str], str | None]) -> str:
    """How a shell starts this program from any folder, with an absolute path."""
    if Path(argv0).name == "__main__.py":
        return f"{shlex.quote(executable)} -m spy32"
    return shlex.quote(which(argv0) or str(Path(argv0).absolute()))


def job_line(start: str, *, home: Path | None = None, mode: str | None = None) -> str:
    """The line of the weekly run. -q keeps the later starts of a window from mailing that its run is there."""
    return _crontab_line(RUN_FIELDS, [start, *_global_options(home, mode), "analyze", "--scheduled", "-q"])


def check_line(start: str, *, home: Path | None = None, mode: str | None = None) -> str:
    """The line that lets cron mail what needs a person; it prints nothing while nothing does."""
    return _crontab_line(CHECK_FIELDS, [start, *_global_options(home, mode), "status", "--check"])


def _global_options(home: Path | None, mode: str | None) -> list[str]:
    words = ["--home", shlex.quote(str(home))] if home is not None else []
    return [*words, "--mode", shlex.quote(mode)] if mode is not None else words


def _crontab_line(fields: str, words: Sequence[str]) -> str:
    return f"{fields} {' '.join(words)}".replace("%", "\\%")


def crontab_text(line: str, check: str, *, zone: str, user: str) -> str:
    """A piece of crontab that is complete in itself, to be put at the end of an existing one."""
    return f"""\
# spy32, for a machine whose clock is on {zone}; the line is right in every other zone too. The program decides
# itself, by New York's clock and the exchange calendar, whether now is its slot, and otherwise ends in silence.
PATH=/usr/local/bin:/usr/bin:/bin
# Cron mails what is printed, and that is only what went wrong. A machine without a mail program drops it.
MAILTO={user}
{line}
# Mails what needs a person, every three hours for as long as it does; silent otherwise.
{check}
"""
