"""The crontab line: what to write, what a line means, when it starts next, and what in a crontab is a trap."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from spy32.errors import Unusable

EVERY = "*/15 * * * *"
"""Every quarter of an hour: right in every zone and for every slot, since the program judges the time itself."""
BOUNDS = (("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 7))
SETTING = re.compile(r"^\s*([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class CronLine:
    """One job of a crontab(5)."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    """0 to 6, Sunday is 0."""
    any_day: bool
    any_weekday: bool
    command: str

    def holds(self, at: datetime) -> bool:
        """Whether cron starts the job in this minute of the machine's own time.

        crontab(5): when both the day and the weekday are restricted, either may match.
        """
        if at.minute not in self.minutes or at.hour not in self.hours or at.month not in self.months:
            return False
        day, weekday = at.day in self.days, at.isoweekday() % 7 in self.weekdays
        return (day and weekday) if self.any_day or self.any_weekday else (day or weekday)


def parse(line: str) -> CronLine:
    """The five fields and the command; `Unusable` names the field that is wrong."""
    parts = line.split(None, len(BOUNDS))
    if len(parts) != len(BOUNDS) + 1:
        raise Unusable(f"not a crontab line (five fields and a command): {line!r}")
    sets = [_field(text, *bound) for text, bound in zip(parts, BOUNDS, strict=False)]
    return CronLine(
        minutes=sets[0],
        hours=sets[1],
        days=sets[2],
        months=sets[3],
        weekdays=frozenset(day % 7 for day in sets[4]),
        any_day=parts[2].startswith("*"),
        any_weekday=parts[4].startswith("*"),
        command=parts[5],
    )


def _field(text: str, name: str, low: int, high: int) -> frozenset[int]:
    """A list of numbers, ranges and steps, as crontab(5) writes them."""
    found: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"(?:(\*)|(\d+)(?:-(\d+))?)(?:/(\d+))?", part)
        if match is None:
            raise Unusable(f"the {name} field {text!r} is not one of a crontab")
        first = low if match[1] else int(match[2])
        last = high if match[1] else int(match[3] or match[2])
        step = int(match[4] or 1)
        if not (low <= first <= last <= high and step >= 1):
            raise Unusable(f"the {name} field {text!r} is outside {low} to {high}")
        found |= set(range(first, last + 1, step))
    return frozenset(found)


def jobs(crontab: str) -> tuple[CronLine, ...]:
    """Every job line of a crontab; comments and settings are passed over."""
    lines = (line.strip() for line in crontab.splitlines())
    return tuple(parse(line) for line in lines if line and not line.startswith("#") and not SETTING.match(line))


def starts(job: CronLine, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    """The instants, UTC, at which a machine in `zone` starts the job, after an instant.

    Walks real minutes, so an hour that a clock change skips has no start and one that it repeats has two.
    """
    at = after.astimezone(UTC).replace(second=0, microsecond=0)
    while True:
        at += timedelta(minutes=1)
        if job.holds(at.astimezone(zone)):
            yield at


def line_for(program: str) -> str:
    """The line to put into a crontab."""
    return f"{EVERY} {program} analyze --scheduled"


def traps(crontab: str) -> tuple[str, ...]:
    """What in a crontab does not do what it seems to."""
    found = []
    for number, line in enumerate(crontab.splitlines(), 1):
        setting = SETTING.match(line)
        if setting and setting[1] == "CRON_TZ":
            found.append(f"line {number}: CRON_TZ works only in cronie; Debian's cron ignores it, and spy32 needs none")
        if setting and setting[1] == "TZ":
            found.append(f"line {number}: TZ moves the job's clock, never the schedule; spy32 needs none")
        if setting and setting[1] == "PATH" and "$" in setting[2]:
            found.append(f"line {number}: cron does not expand {setting[2]!r}")
        if not setting and not line.lstrip().startswith("#") and "%" in line.replace("\\%", ""):
            found.append(f"line {number}: an unescaped % ends the command")
    if crontab and not crontab.endswith("\n"):
        found.append("the last line has no line end, and cron may drop it")
    return tuple(found)
