"""Mondays of 2024 to 2034 in six machine zones, started every quarter of an hour as cron does, by a simulated clock.

Counts runs per trading Monday (goal: exactly 1, inside the window) and skipped rows per closed Monday (goal: 1).
"""

import sys
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from spy32.domain.running import Outcome, Run, Trigger
from spy32.domain.trading import Mode
from spy32.ops.cron import CronLine, jobs
from spy32.ops.schedule import Situation, Skip, Start, due, scheduled_decision
from spy32.sessions import closure
from spy32.settings import Environment, Settings

ZONES = ("UTC", "America/New_York", "America/Los_Angeles", "Europe/Berlin", "Asia/Tokyo", "Australia/Sydney")
QUARTER = timedelta(minutes=15)


def simulate(zone: ZoneInfo, job: CronLine, first: date, last: date) -> list[Run]:
    """The rows of a home that cron on a machine in `zone` starts from `first` to `last`."""
    schedule = Settings().schedule
    now = datetime(first.year, first.month, first.day, tzinfo=UTC)
    end = datetime(last.year, last.month, last.day, tzinfo=UTC)
    made = now - timedelta(days=1)
    runs: list[Run] = []
    while now < end:
        if job.holds(now.astimezone(zone)):
            slot = due(now, schedule, Environment.PRODUCTION)
            mine = tuple(run for run in runs[-4:] if run.slot == slot.day)
            case = Situation(now=now, schedule=schedule, environment=Environment.PRODUCTION, created_at=made)
            decision = scheduled_decision(case, mine)
            if isinstance(decision, Start):
                runs.append(_run(len(runs) + 1, now, slot.day, Outcome.NO_TRADE, None))
            elif isinstance(decision, Skip):
                runs.append(_run(len(runs) + 1, now, slot.day, Outcome.SKIPPED, decision.cause))
        now += QUARTER
    return runs


def _run(number: int, at: datetime, slot: date, outcome: Outcome, cause: str | None) -> Run:
    return Run(
        id=number, trigger=Trigger.CRON, mode=Mode.PAPER, profile="default", started_at=at, slot=slot,
        ended_at=at, outcome=outcome, cause=cause,
    )  # fmt: skip


def mondays(first: date, last: date) -> list[date]:
    day = first + timedelta(days=-first.weekday() % 7)
    return [
        day + timedelta(days=7 * week)
        for week in range((last - day).days // 7 + 1)
        if day + timedelta(days=7 * week) < last
    ]


def faults(runs: Sequence[Run], first: date, last: date) -> list[str]:
    """Every Monday that did not get exactly what it should have."""
    found = []
    by_slot = Counter((run.slot, run.outcome, run.cause) for run in runs)
    for day in mondays(first, last):
        expected = (day, Outcome.NO_TRADE, None) if closure(day) is None else (day, Outcome.SKIPPED, "holiday")
        if by_slot.pop(expected, 0) != 1:
            found.append(f"{day}: not exactly one {expected[1]}")
    found += [f"{slot}: {count} x {outcome} {cause} too many" for (slot, outcome, cause), count in by_slot.items()]
    for run in runs:
        local = run.started_at.astimezone(ZoneInfo("America/New_York"))
        if run.outcome is Outcome.NO_TRADE and (local.date(), local.hour, local.minute) != (run.slot, 10, 0):
            found.append(f"{run.slot}: started at {local}")
    return found


def main(first: date = date(2024, 1, 1), last: date = date(2035, 1, 1), zones: Sequence[str] = ZONES) -> bool:
    job = jobs((Path(__file__).parent.parent / "crontab.example").read_text())[0]
    good = True
    for name in zones:
        runs = simulate(ZoneInfo(name), job, first, last)
        wrong = faults(runs, first, last)
        counts = Counter(run.outcome for run in runs)
        print(f"{name}: {counts[Outcome.NO_TRADE]} runs, {counts[Outcome.SKIPPED]} skipped, {len(wrong)} faults")
        good = good and not wrong
    return good


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
