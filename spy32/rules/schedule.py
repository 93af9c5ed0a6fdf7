"""Decides what a start of `analyze` does, from the clock, the switches and the slot's runs, without input or output.

One *finished* run (proposed, no_trade or skipped) uses up a slot. Failed and interrupted runs may be repeated while the
window is open, up to `schedule.attempts`; manual tries do not count against the scheduled ones. A window that closes
without a finished run gets one `skipped` row.
"""

from datetime import UTC, date, datetime, timedelta

from spy32.domain.runs import Cause, Outcome, Run, Trigger
from spy32.domain.value import value
from spy32.sessions import (
    WEEKDAYS,
    Slot,
    closure_reason,
    last_slot,
    market_date,
    new_york_time,
    next_session,
    next_slot,
    open_slot,
    slot_obstacle,
)
from spy32.settings.model import Environment, Schedule

LATE_AFTER = timedelta(minutes=5)
"""A start later than this after the slot opens is marked late. Cron itself starts within seconds."""

FINISHED_OUTCOMES = frozenset({Outcome.PROPOSED, Outcome.NO_TRADE, Outcome.SKIPPED})

RUN_LOCK = "analyze"
"""The kernel lock that one start holds while it decides and runs."""


@value
class ScheduleInput:
    """The inputs of a decision besides the slot's runs."""

    now: datetime
    schedule: Schedule
    environment: Environment
    enable_automation: bool = True
    paused: tuple[str, datetime] | None = None
    """Reason and start of the pause, as `Store.flag("paused")` returns them; None when not paused."""
    created_at: datetime | None = None
    """When the home was set up; None when it does not exist yet."""


@value
class NoAction:
    """Write nothing and exit 0. `message` is empty outside the window, where the program prints nothing."""

    message: str | None = None
    run_id: int | None = None
    """The run that the slot has, or the last of all its tries; None when there is another reason."""


@value
class StartRun:
    """Start a run. `slot` is None outside every window; such a run uses up no slot."""

    slot: Slot | None
    late: bool
    trigger: Trigger
    forced_from: int | None = None


@value
class SkipSlot:
    """Write one `skipped` row, print `message` to stderr, exit 0."""

    slot: Slot | None
    cause: Cause
    message: str


ScheduleDecision = NoAction | StartRun | SkipSlot


def is_idle_start(now: datetime, schedule: Schedule, environment: Environment, set_up_at: datetime | None) -> bool:
    """Return whether a scheduled start has nothing to do in a home without a database.

    That is outside every window, while no slot has opened since the home was set up.
    """
    slot = last_slot(now, schedule, environment)
    return not slot.contains(now) and (set_up_at is None or slot.opens < set_up_at)


def scheduled_decision(inputs: ScheduleInput, runs: tuple[Run, ...]) -> ScheduleDecision:
    """Return what `analyze --scheduled` does. `runs` are those of `last_slot` and the profile."""
    slot = last_slot(inputs.now, inputs.schedule, inputs.environment)
    if not slot.contains(inputs.now):
        return _closed_window_decision(inputs, slot, runs)
    scheduled_runs = tuple(run for run in runs if run.trigger is Trigger.CRON)
    completed = _already_run(inputs, slot, runs, _unfinished_runs(scheduled_runs))
    if completed is not None:
        return completed
    if slot_obstacle(slot) is not None:
        return _skip_closed_day(inputs, slot)
    if _is_paused(inputs):
        # Write nothing yet, so that the slot can still have its run after a `resume` inside the window.
        return NoAction(message=f"{_pause_message(inputs)}; a run starts if that ends by {_format_time(slot.closes)}")
    return _start_run(inputs, slot, Trigger.CRON, runs)


def manual_decision(
    inputs: ScheduleInput, runs: tuple[Run, ...], *, force: bool = False, is_slots_market: bool = True
) -> ScheduleDecision:
    """Return what a manual `analyze` does. `runs` are those of the open slot and the profile.

    Outside every window, `runs` matter only with `force`, which links the new run to the newest finished one. A start
    on another market than the scheduled one (`is_slots_market` False) never uses up the slot.
    """
    slot = open_slot(inputs.now, inputs.schedule, inputs.environment) if is_slots_market else None
    if force:
        return _start_run(inputs, slot, Trigger.FORCED, runs)
    completed = _already_run(inputs, slot, runs, _unfinished_runs(runs)) if slot is not None else None
    if completed is not None:
        return completed
    is_closed = (
        slot_obstacle(slot) is not None if slot is not None else closure_reason(market_date(inputs.now)) is not None
    )
    return _skip_closed_day(inputs, slot) if is_closed else _start_run(inputs, slot, Trigger.MANUAL, runs)


def unscheduled_start(inputs: ScheduleInput, runs: tuple[Run, ...], *, force: bool = False) -> StartRun:
    """Return a manual start without a schedule check, for a recorded market or one that cannot be built."""
    return _start_run(inputs, None, Trigger.FORCED if force else Trigger.MANUAL, runs)


def _start_run(inputs: ScheduleInput, slot: Slot | None, trigger: Trigger, runs: tuple[Run, ...]) -> StartRun:
    """Return the start; a forced one is linked to the newest finished run."""
    origin = _newest_finished_run(runs) if trigger is Trigger.FORCED else None
    late = slot is not None and inputs.now - slot.opens > LATE_AFTER
    return StartRun(slot=slot, late=late, trigger=trigger, forced_from=origin.id if origin is not None else None)


def _newest_finished_run(runs: tuple[Run, ...]) -> Run | None:
    finished = [run for run in runs if run.outcome in FINISHED_OUTCOMES]
    return max(finished, key=lambda run: run.id, default=None)


def _unfinished_runs(runs: tuple[Run, ...]) -> tuple[Run, ...]:
    return tuple(run for run in runs if run.outcome not in FINISHED_OUTCOMES)


def _already_run(
    inputs: ScheduleInput, slot: Slot, runs: tuple[Run, ...], attempts: tuple[Run, ...]
) -> NoAction | None:
    """Return why an open slot gets no further run, or None. `attempts` are the tries that count for this start."""
    last = _newest_finished_run(runs)
    if last is not None:
        reason = f"the run of {_format_slot(slot)} is already there: R{last.id} ({last.outcome})"
    elif len(attempts) >= inputs.schedule.attempts:
        last = max(attempts, key=lambda run: run.id)
        reason = f"{_format_slot(slot)} had its {inputs.schedule.attempts} tries, the last is R{last.id}"
    else:
        return None
    return NoAction(message=f"{reason}; `--force` makes a new one", run_id=last.id)


def _closed_window_decision(inputs: ScheduleInput, slot: Slot, runs: tuple[Run, ...]) -> ScheduleDecision:
    """Return what remains to be done for a slot whose window has closed."""
    # A slot counts when it opened after the setup of this home, or when a run was tried in it anyway.
    counts = bool(runs) or (inputs.created_at is not None and slot.opens >= inputs.created_at)
    if _newest_finished_run(runs) is not None or not counts:
        return NoAction()
    if slot_obstacle(slot) is not None:
        return _skip_closed_day(inputs, slot)
    attempts, cause = _unfinished_runs(runs), Cause.MISSED
    if _is_paused(inputs, since=slot.closes):
        cause, reason = Cause.PAUSED, f"was skipped: {_pause_message(inputs)}"
    elif attempts:
        reason = f"was missed: none of its {len(attempts)} tries finished"
    else:
        reason = f"was missed: nothing was started by {_format_time(slot.closes)}"
    return SkipSlot(slot=slot, cause=cause, message=f"{_format_slot(slot)} {reason}; {_next_slot_message(inputs)}")


def _is_paused(inputs: ScheduleInput, *, since: datetime | None = None) -> bool:
    """Return whether scheduled runs are paused; with `since`, whether the pause began before that time."""
    paused = inputs.paused is not None and (since is None or inputs.paused[1] < since)
    return paused or not inputs.enable_automation


def _pause_message(inputs: ScheduleInput) -> str:
    if inputs.paused is None:
        return "ENABLE_AUTOMATION is false"
    reason, since = inputs.paused
    return f"paused since {since.astimezone(UTC):%Y-%m-%d %H:%M} UTC{f' ({reason})' if reason else ''}"


def _skip_closed_day(inputs: ScheduleInput, slot: Slot | None) -> SkipSlot:
    """Return the skip of a closed day: cause `closed` for a weekend or early close, `holiday` for a holiday."""
    day = slot.day if slot is not None else market_date(inputs.now)
    reason, next_day = closure_reason(day), next_session(day).day
    cause = Cause.CLOSED if reason in (None, _day_name(day)) else Cause.HOLIDAY
    if slot is not None and reason is None:
        message = f"{_format_slot(slot)} opens after {slot_obstacle(slot)}"
    else:
        suffix = f" ({reason})" if cause is Cause.HOLIDAY else ""
        message = (
            f"the exchange is closed on {_day_name(day)} {day}{suffix}; "
            f"the next session is {_day_name(next_day)} {next_day}"
        )
    return SkipSlot(slot=slot, cause=cause, message=f"{message}; {_next_slot_message(inputs)}")


def _next_slot_message(inputs: ScheduleInput) -> str:
    return f"the next slot is {_format_slot(next_slot(inputs.now, inputs.schedule, inputs.environment), bare=True)}"


def _format_slot(slot: Slot, *, bare: bool = False) -> str:
    text = f"{_day_name(slot.day)} {slot.day} {_format_time(slot.opens)}"
    return text if bare else f"the slot of {text}"


def _format_time(instant: datetime) -> str:
    return f"{new_york_time(instant):%H:%M} New York"


def _day_name(day: date) -> str:
    return WEEKDAYS[day.weekday()]
