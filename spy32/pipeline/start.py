"""Starts the weekly run: settles what became of older slots, decides about the present one, and runs the steps."""

from datetime import timedelta
from typing import TYPE_CHECKING

from spy32.domain.notices import NoticeKind
from spy32.domain.runs import Cause, Outcome, Trigger
from spy32.domain.value import value
from spy32.errors import BadSettings, Spy32Error
from spy32.rules.schedule import (
    FINISHED_OUTCOMES,
    RUN_LOCK,
    NoAction,
    ScheduleInput,
    SkipSlot,
    StartRun,
    is_idle_start,
    manual_decision,
    scheduled_decision,
    unscheduled_start,
)
from spy32.sessions import last_slot

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from spy32.domain.runs import Run
    from spy32.pipeline.context import RunContext
    from spy32.pipeline.sources import Sources
    from spy32.ports import Clock, Locks
    from spy32.rules.schedule import ScheduleDecision
    from spy32.sessions import Slot
    from spy32.settings import Settings
    from spy32.store import Store

MAX_MISSED_SLOTS = 60
"""Older slots that one start accounts for: more than a year of Mondays."""


@value
class StartRequest:
    """What a start asks for."""

    profile: str = "default"
    is_scheduled: bool = False
    """Cron started it: the schedule decides whether there is a run."""
    is_forced: bool = False
    """Make a new run, linked to the finished one."""


@value
class StartContext:
    """Everything that a start needs from outside."""

    open_store: "Callable[[], Store]"
    has_database: bool
    """Whether this home had a database before the start."""
    locks: "Locks"
    settings: "Settings"
    """The settings without a profile, as the schedule is the same for all of them."""
    set_up_at: "Callable[[], datetime | None]"
    """Returns when the home was set up; None when only its database knows."""
    clock: "Clock"
    load_sources: "Callable[[], Sources]"
    """Returns the sources of market data. A recorded one sets `clock` to the time of its quotes."""
    settle_ended: "Callable[[Store, Sources], None]"
    """Settles trades that have ended, so that they do not count in the limits of a new run."""
    is_recorded: bool
    """Whether the chain is a recorded one, also where its file cannot be read."""
    build_run_context: "Callable[[Store, Sources, Run], RunContext]"
    warn: "Callable[[str], None]"
    ping_start: "Callable[[str], None]"
    """Tells the monitor, with the `rid` of the run, that a run of the slot has begun; it never waits or raises."""


@value
class StartResult:
    """The run that was made, or the one of the slot that is there already; None when nothing was due."""

    run: "Run | None" = None
    is_new: bool = False
    message: str | None = None
    """Why nothing was started; None when something was, and outside the window, where there is nothing to say."""


def start_run(request: StartRequest, context: StartContext) -> StartResult:
    """Make the run that is due, or the row that says why there is none.

    Raises `Unavailable` while another start holds the lock, and `StoreDamaged` before a run in a damaged store.
    """
    schedule, environment = context.settings.schedule, context.settings.environment
    is_first = request.is_scheduled and not context.has_database
    if is_first and is_idle_start(context.clock(), schedule, environment, context.set_up_at()):
        # A home that has never run stays without a database until a slot is due.
        return StartResult()
    with context.locks.hold(RUN_LOCK, wait_seconds=schedule.lock_wait_seconds):
        store = context.open_store()
        for run_id in store.runs.interrupt_unfinished(context.clock()):
            _queue_failure(context, store, store.runs.get(run_id))
        sources = None if request.is_scheduled else _load_sources(context)
        skipped = _skip_missed_slots(request, context, store) if request.is_scheduled else []
        decision = _decide(request, context, store, sources)
        if isinstance(decision, SkipSlot):
            skipped.append(_skip_slot(request, context, store, decision))
        _queue_skipped(context, store, skipped)
        if isinstance(decision, NoAction):
            run = store.runs.get(decision.run_id) if decision.run_id is not None else None
            return StartResult(run=run, message=decision.message)
        if isinstance(decision, SkipSlot):
            return StartResult(run=skipped[-1], is_new=True)
        run = _run_steps(request, context, store, decision, sources or _load_sources(context))
        return StartResult(run=run, is_new=True)


def _load_sources(context: StartContext) -> "Sources | Spy32Error":
    """Return the sources, or the error for which a run must fail. A manual start is judged by a recorded clock."""
    try:
        return context.load_sources()
    except Spy32Error as error:
        return error


def _skip_missed_slots(request: StartRequest, context: StartContext, store: "Store") -> "list[Run]":
    """Write a skipped row for each older slot without a run: the machine may have been off for weeks. Returns
    them, oldest first.
    """
    schedule, environment = context.settings.schedule, context.settings.environment
    slot = last_slot(context.clock(), schedule, environment)
    missed: list[SkipSlot] = []
    while len(missed) < MAX_MISSED_SLOTS:
        slot = last_slot(slot.opens - timedelta(minutes=1), schedule, environment)
        runs = _slot_runs(request, context, store, slot)
        decision = scheduled_decision(_schedule_input(context, store, slot.closes), runs)
        if runs or not isinstance(decision, SkipSlot):
            break
        missed.append(decision)
    return [_skip_slot(request, context, store, skip) for skip in reversed(missed)]


def _slot_runs(request: StartRequest, context: StartContext, store: "Store", slot: "Slot") -> "tuple[Run, ...]":
    """Return the runs of the slot. Once it is over, the row of a holiday that it would have moved from counts too:
    the setting that moves slots may have changed after the holiday.
    """
    days = (slot.day, *(slot.moved_from if context.clock() >= slot.closes else ()))
    select = store.runs.select_by_slot
    return tuple(run for day in days for run in select(request.profile, day, is_recorded=context.is_recorded))


def _skip_slot(request: StartRequest, context: StartContext, store: "Store", skip: SkipSlot) -> "Run":
    """Write the row of a slot, or of a closed day, on which nothing was started."""
    context.warn(skip.message)
    return store.runs.begin(
        trigger=Trigger.CRON if request.is_scheduled else Trigger.MANUAL,
        mode=context.settings.mode,
        profile=request.profile,
        at=context.clock(),
        slot=skip.slot.day if skip.slot is not None else None,
        skipped=(skip.cause, (skip.message,)),
        is_recorded=context.is_recorded,
    )


def _queue_skipped(context: StartContext, store: "Store", skipped: "Sequence[Run]") -> None:
    """Queue one notice of all slots that were missed, and the ping of the newest row: a long downtime is told once."""
    missed = [run for run in skipped if run.cause == Cause.MISSED]
    if missed:
        from spy32.rules.notices import missed_notice

        store.notices.add(missed_notice(missed), context.clock(), run_id=missed[-1].id)
    of_slots = [run for run in skipped if run.slot is not None]
    if of_slots:
        _queue_ping(context, store, of_slots[-1])


def _queue_failure(context: StartContext, store: "Store", run: "Run") -> None:
    """Queue the notice of a run that came to no notify step of its own."""
    from spy32.rules.notices import ending_notice

    text = ending_notice(NoticeKind.FAILED, run.id, run.mode, run.outcome or "", run.cause or "", run.reasons)
    store.notices.add(text, context.clock(), run_id=run.id)


def _queue_ping(context: StartContext, store: "Store", run: "Run") -> None:
    """Queue the ping of a slot that has its run or is lost; a failed run may still be repeated, so it has none."""
    if run.slot is None or run.outcome not in FINISHED_OUTCOMES or not context.settings.ping.is_set:
        return
    from spy32.rules.notices import ping_notice

    kind = NoticeKind.PING_FAIL if run.cause == Cause.MISSED else NoticeKind.PING_OK
    store.notices.add(ping_notice(kind, run), context.clock(), run_id=run.id)


def _schedule_input(context: StartContext, store: "Store", now: "datetime") -> ScheduleInput:
    created_at = store.location.created_at()
    return ScheduleInput(
        now=now,
        schedule=context.settings.schedule,
        environment=context.settings.environment,
        enable_automation=context.settings.enable_automation,
        paused=store.flags.get("paused"),
        created_at=min(context.set_up_at() or created_at, created_at),
    )


def _decide(
    request: StartRequest, context: StartContext, store: "Store", sources: "Sources | Spy32Error | None"
) -> "ScheduleDecision":
    """Return the decision by the clock, the switches and the slot's runs. A scheduled start passes no `sources`."""
    inputs = _schedule_input(context, store, context.clock())
    slot = last_slot(inputs.now, inputs.schedule, inputs.environment)
    runs = _slot_runs(request, context, store, slot)
    if sources is None:
        return scheduled_decision(inputs, runs)
    latest = store.runs.latest()
    if request.is_forced and not runs and latest is not None and latest.profile == request.profile:
        # A manual run outside the window has no slot, and is still the one that a forced start repeats.
        runs = (latest,)
    if isinstance(sources, Spy32Error) or sources.is_recorded:
        # A market that a person named is tried whatever the day: reading checks a file, the session gate its clock.
        return unscheduled_start(inputs, runs, force=request.is_forced)
    return manual_decision(inputs, runs, force=request.is_forced, is_slots_market=sources.uses_first_source)


def _run_steps(
    request: StartRequest, context: StartContext, store: "Store", start: StartRun, sources: "Sources | Spy32Error"
) -> "Run":
    """Return the finished run. A market or analyst that cannot be had leaves a failed one."""
    from spy32.pipeline.run import run

    store.integrity.refuse_damage()
    if not isinstance(sources, Spy32Error):
        context.settle_ended(store, sources)
    new_run = store.runs.begin(
        trigger=start.trigger,
        mode=context.settings.mode,
        profile=request.profile,
        at=context.clock(),
        slot=start.slot.day if start.slot is not None else None,
        late=start.late,
        forced_from=start.forced_from,
        is_recorded=context.is_recorded,
    )
    if new_run.slot is not None:
        from spy32.rules.notices import ping_id

        context.ping_start(ping_id(new_run))
    try:
        if isinstance(sources, Spy32Error):
            raise sources
        run_context = context.build_run_context(store, sources, new_run)
    except Spy32Error as error:
        failed = store.runs.finish(
            new_run.id,
            outcome=Outcome.FAILED,
            cause=Cause.SETTINGS if isinstance(error, BadSettings) else Cause.DATA,
            reasons=(error.message,),
            exit_code=error.code,
            at=context.clock(),
        )
        _queue_failure(context, store, failed)
        return failed
    finished = run(run_context)
    _queue_ping(context, store, finished)
    return finished
