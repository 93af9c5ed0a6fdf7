"""Mondays of 2024 to 2034 in six machine zones, started by `crontab.example` as cron does, by a simulated clock.

Counts runs per trading Monday (goal: exactly 1, inside the window, on time) and skipped rows per closed Monday (goal:
exactly 1, cause holiday). The trading days come from a second calendar, not from the one that the decision asks.
"""

import sys
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from spy32.domain.runs import Outcome, Run, Trigger
from spy32.domain.spreads import Mode
from spy32.ops.cron import CronJob, start_times
from spy32.rules.schedule import NoAction, ScheduleInput, SkipSlot, StartRun, scheduled_decision
from spy32.sessions import last_slot
from spy32.settings import Environment
from spy32.settings.model import Schedule
from tests.support.crontab import ZONES, example_job

NEW_YORK = ZoneInfo("America/New_York")
RULES, PRODUCTION = Schedule(), Environment.PRODUCTION


@dataclass
class Figures:
    starts: int
    runs: int
    skipped: int
    faults: list[str]

    def __str__(self) -> str:
        return f"{self.starts} starts, {self.runs} runs, {self.skipped} skipped, {len(self.faults)} faults"


class Home:
    """The rows of a home, of which each start sees those of its slot."""

    def __init__(self, created_at: datetime) -> None:
        self.created_at = created_at
        self.runs: list[Run] = []
        self.spoken = 0
        """Starts that were not silent and wrote no row."""

    def start(self, now: datetime) -> None:
        """What `analyze --scheduled` does at this instant."""
        case = ScheduleInput(now=now, schedule=RULES, environment=PRODUCTION, created_at=self.created_at)
        slot = last_slot(now, RULES, PRODUCTION)
        decision = scheduled_decision(case, tuple(run for run in self.runs[-4:] if run.slot == slot.day))
        if isinstance(decision, StartRun):
            assert decision.slot is not None
            self._add(now, decision.slot.day, Outcome.NO_TRADE, late=decision.late)
        elif isinstance(decision, SkipSlot):
            assert decision.slot is not None
            self._add(now, decision.slot.day, Outcome.SKIPPED, cause=decision.cause)
        else:
            assert isinstance(decision, NoAction)
            self.spoken += bool(decision.message)

    def _add(self, at: datetime, slot: date, outcome: Outcome, *, cause: str | None = None, late: bool = False) -> None:
        run = Run(
            id=len(self.runs) + 1, trigger=Trigger.CRON, mode=Mode.PAPER, profile="default", started_at=at, slot=slot,
            ended_at=at, outcome=outcome, cause=cause, late=late,
        )  # fmt: skip
        self.runs.append(run)


def simulate(zone: str, first: date, last: date, job: CronJob | None = None) -> Figures:
    """A home on a machine in `zone`, from New York's midnight of `first` to that of `last`."""
    begin, end = _midnight(first), _midnight(last)
    home = Home(begin)
    count = 0
    for now in start_times(job or example_job(), ZoneInfo(zone), begin, end):
        home.start(now)
        count += 1
    outcomes = Counter(run.outcome for run in home.runs)
    wrong = list(faults(home.runs, trading_days(first, last), first, last))
    return Figures(starts=count, runs=outcomes[Outcome.NO_TRADE], skipped=outcomes[Outcome.SKIPPED], faults=wrong)


def mondays(first: date, last: date) -> list[date]:
    """The Mondays from `first` to the day before `last`."""
    days = (first + timedelta(days=step) for step in range((last - first).days))
    return [day for day in days if day.weekday() == 0]


def trading_days(first: date, last: date) -> frozenset[date]:
    """The sessions of the New York Stock Exchange as `exchange_calendars` has them."""
    import exchange_calendars

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it uses what newer releases of pandas will drop
        calendar = exchange_calendars.get_calendar("XNYS", start=f"{first:%Y-%m-%d}", end=f"{last:%Y-%m-%d}")
        return frozenset(stamp.date() for stamp in calendar.sessions)


def faults(runs: Sequence[Run], trading: frozenset[date], first: date, last: date) -> Iterator[str]:
    """Every Monday that did not get exactly what it should have, and every row that should not be."""
    rows = Counter((run.slot, run.outcome, run.cause) for run in runs)
    for day in mondays(first, last):
        expected = (day, Outcome.NO_TRADE, None) if day in trading else (day, Outcome.SKIPPED, "holiday")
        if rows.pop(expected, 0) != 1:
            yield f"{day}: not exactly one {expected[1]}"
    yield from (f"{slot}: {count} x {outcome} {cause} too many" for (slot, outcome, cause), count in rows.items())
    for run in runs:
        local = run.started_at.astimezone(NEW_YORK)
        if (local.date(), local.hour, local.minute, run.late) != (run.slot, 10, 0, False):
            yield f"{run.slot}: started at {local}"


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=NEW_YORK).astimezone(UTC)


def main(first: date = date(2024, 1, 1), last: date = date(2035, 1, 1), zones: Sequence[str] = ZONES) -> bool:
    """Print the figures; whether all of them are as they should be."""
    good = True
    for zone in zones:
        figures = simulate(zone, first, last)
        print(f"slots, {zone}: {figures}", *figures.faults[:10], sep="\n  ")
        good = good and not figures.faults
    return good


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
