"""What a start of `analyze` should do: pure decisions by the clock, the switches and the runs that the slot has.

A slot is used up by one *finished* run: proposed, no_trade or skipped. Failed and interrupted runs may be repeated
while its window is open, up to `attempts` tries; what a person tries by hand costs the schedule none of its own. A
window that closes without a finished run leaves one skipped row.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from spy32.domain.running import Outcome, Run, Trigger
from spy32.sessions import (
    WEEKDAYS,
    Slot,
    closure,
    last_slot,
    market_date,
    new_york,
    next_session,
    next_slot,
    obstacle,
    slot_at,
)
from spy32.settings.model import Environment, Schedule

LATE_AFTER = timedelta(minutes=5)
"""A start this long after the slot's opening is marked late; cron itself needs only seconds."""

FINISHED = frozenset({Outcome.PROPOSED, Outcome.NO_TRADE, Outcome.SKIPPED})

HOLIDAY, CLOSED, PAUSED, MISSED = "holiday", "closed", "paused", "missed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What a decision looks at besides the slot's runs."""

    now: datetime
    schedule: Schedule
    environment: Environment
    enable_automation: bool = True
    paused: tuple[str, datetime] | None = None
    """Reason and start of the pause, as `Store.flag("paused")` gives it."""
    created_at: datetime | None = None
    """When the home was set up; None when there is none yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Nothing:
    """Write nothing and end 0. `message` is empty outside the window: there the program is silent."""

    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Make a run. `slot` is None outside every window; such a run uses no slot up."""

    slot: Slot | None
    late: bool
    trigger: Trigger
    forced_from: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Skip:
    """Write one `skipped` row, say `message` on stderr, end 0."""

    slot: Slot | None
    cause: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Already:
    """Write nothing, say `message`, end 0: the slot has its run, or its last try."""

    slot: Slot
    run_id: int
    message: str


Decision = Nothing | Start | Skip | Already


def due(now: datetime, schedule: Schedule, environment: Environment) -> Slot:
    """The slot that a scheduled start is about: the open one, or the last one that was open."""
    return last_slot(now, schedule, environment)


def scheduled_decision(case: Situation, runs: tuple[Run, ...]) -> Decision:
    """What `analyze --scheduled` does; `runs` are those of the `due` slot and the profile."""
    slot = due(case.now, case.schedule, case.environment)
    if not slot.holds(case.now):
        return _after(case, slot, runs)
    over = _over(case, slot, runs, tuple(run for run in _tries(runs) if run.trigger is Trigger.CRON))
    if over is not None:
        return over
    if obstacle(slot) is not None:
        return _closed(case, slot)
    if _is_held(case):
        # Nothing is written yet, so that `resume` inside the window still gets its run.
        return Nothing(message=f"{_hold(case)}; a run starts if that ends by {_clock(slot.closes)}")
    return _start(case, slot, Trigger.CRON)


def manual_decision(
    case: Situation, runs: tuple[Run, ...], *, force: bool = False, is_slots_market: bool = True
) -> Decision:
    """What `analyze` by hand does; `runs` are those of the open slot and the profile.

    Outside every window `runs` only matter to `force`, which links the new run to the newest finished one of them.
    A start on another market than the slot's own never uses the slot up, whatever the time.
    """
    slot = slot_at(case.now, case.schedule, case.environment) if is_slots_market else None
    if force:
        return _start(case, slot, Trigger.FORCED, _newest_finished(runs))
    over = _over(case, slot, runs, _tries(runs)) if slot is not None else None
    if over is not None:
        return over
    is_closed = obstacle(slot) is not None if slot is not None else closure(market_date(case.now)) is not None
    return _closed(case, slot) if is_closed else _start(case, slot, Trigger.MANUAL)


def rehearsal(runs: tuple[Run, ...], *, force: bool = False) -> Start:
    """A start by hand that no clock judges: its market is recorded, or what was named for it cannot be had."""
    origin = _newest_finished(runs) if force else None
    trigger = Trigger.FORCED if force else Trigger.MANUAL
    return Start(slot=None, late=False, trigger=trigger, forced_from=origin.id if origin is not None else None)


def _start(case: Situation, slot: Slot | None, trigger: Trigger, origin: Run | None = None) -> Start:
    late = slot is not None and case.now - slot.opens > LATE_AFTER
    return Start(slot=slot, late=late, trigger=trigger, forced_from=origin.id if origin is not None else None)


def _newest_finished(runs: tuple[Run, ...]) -> Run | None:
    finished = [run for run in runs if run.outcome in FINISHED]
    return max(finished, key=lambda run: run.id, default=None)


def _tries(runs: tuple[Run, ...]) -> tuple[Run, ...]:
    return tuple(run for run in runs if run.outcome not in FINISHED)


def _over(case: Situation, slot: Slot, runs: tuple[Run, ...], tries: tuple[Run, ...]) -> Already | None:
    """Why an open slot takes no further run; `tries` are those that count for this start."""
    done = _newest_finished(runs)
    if done is not None:
        message = f"the run of {_slot(slot)} is already there: R{done.id} ({done.outcome}); `--force` makes a new one"
        return Already(slot=slot, run_id=done.id, message=message)
    if len(tries) < case.schedule.attempts:
        return None
    last = max(tries, key=lambda run: run.id)
    message = f"{_slot(slot)} had its {case.schedule.attempts} tries, the last is R{last.id}; `--force` makes a new one"
    return Already(slot=slot, run_id=last.id, message=message)


def _after(case: Situation, slot: Slot, runs: tuple[Run, ...]) -> Decision:
    """What is left to do for a slot whose window has closed."""
    if _newest_finished(runs) is not None or not _was_ours(case, slot, runs):
        return Nothing()
    if obstacle(slot) is not None:
        return _closed(case, slot)
    if _is_held(case, since=slot.closes):
        return Skip(slot=slot, cause=PAUSED, message=f"{_slot(slot)} was skipped: {_hold(case)}; {_onward(case)}")
    tries = _tries(runs)
    why = f"none of its {len(tries)} tries finished" if tries else f"nothing was started by {_clock(slot.closes)}"
    return Skip(slot=slot, cause=MISSED, message=f"{_slot(slot)} was missed: {why}; {_onward(case)}")


def _was_ours(case: Situation, slot: Slot, runs: tuple[Run, ...]) -> bool:
    """A slot that opened before the home was made concerns it only if a run was tried in it all the same."""
    return bool(runs) or (case.created_at is not None and slot.opens >= case.created_at)


def _is_held(case: Situation, *, since: datetime | None = None) -> bool:
    """Whether scheduled runs are held; with `since`, whether they were held at that instant already."""
    paused = case.paused is not None and (since is None or case.paused[1] < since)
    return paused or not case.enable_automation


def _hold(case: Situation) -> str:
    if case.paused is None:
        return "ENABLE_AUTOMATION is false"
    reason, at = case.paused
    return f"paused since {at.astimezone(UTC):%Y-%m-%d %H:%M} UTC{f' ({reason})' if reason else ''}"


def _closed(case: Situation, slot: Slot | None) -> Skip:
    """A weekend or an early close is `closed`, a day of the exchange's list is a `holiday`."""
    day = slot.day if slot is not None else market_date(case.now)
    why = closure(day)
    if slot is not None and why is None:
        return Skip(slot=slot, cause=CLOSED, message=f"{_slot(slot)} opens after {obstacle(slot)}; {_onward(case)}")
    following = next_session(day).day
    is_weekend = why == _day_name(day)
    named = "" if is_weekend else f" ({why})"
    message = (
        f"the exchange is closed on {_day_name(day)} {day}{named}; "
        f"the next session is {_day_name(following)} {following}; {_onward(case)}"
    )
    return Skip(slot=slot, cause=CLOSED if is_weekend else HOLIDAY, message=message)


def _onward(case: Situation) -> str:
    return f"the next slot is {_slot(next_slot(case.now, case.schedule, case.environment), bare=True)}"


def _slot(slot: Slot, *, bare: bool = False) -> str:
    text = f"{_day_name(slot.day)} {slot.day} {_clock(slot.opens)}"
    return text if bare else f"the slot of {text}"


def _clock(instant: datetime) -> str:
    return f"{new_york(instant):%H:%M} New York"


def _day_name(day: date) -> str:
    return WEEKDAYS[day.weekday()]
