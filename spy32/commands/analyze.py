"""`analyze`: the weekly run, started by cron or by a person."""

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from spy32.commands.common import Json, get_app
from spy32.domain.value import value
from spy32.errors import BadSettings, BadUsage, Spy32Error

if TYPE_CHECKING:
    from datetime import datetime

    from spy32.domain.runs import Run, Trigger
    from spy32.ops.schedule import ScheduleDecision, ScheduleInput, SkipSlot, StartRun
    from spy32.pipeline.sources import Sources
    from spy32.settings import Settings
    from spy32.store import Store
    from spy32.wiring import App

RUN_LOCK = "analyze"
MAX_MISSED_SLOTS = 60
"""How many older slots one start accounts for."""


@value
class AnalyzeOptions:
    """The options that were typed."""

    scheduled: bool
    force: bool
    profile: str
    dte: int | None
    market: str | None
    analyst: str | None


def analyze(
    ctx: typer.Context,
    scheduled: Annotated[
        bool, typer.Option("--scheduled", help="Started by cron: decides itself whether now is the slot.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="A new run, linked to the one that is there; still sends nothing.")
    ] = False,
    profile: Annotated[str, typer.Option(help="Settings profile.")] = "default",
    dte: Annotated[int | None, typer.Option(help="Days to expiration to aim at.")] = None,
    market: Annotated[
        str | None, typer.Option(help="Source of the chain: tastytrade, cboe, yahoo, recorded or recorded:FILE.")
    ] = None,
    analyst: Annotated[str | None, typer.Option(help="Who chooses: grok or rules.")] = None,
    prompt_only: Annotated[
        bool, typer.Option("--prompt-only", help="Print exactly what would be sent to the model; no run, nothing sent.")
    ] = False,
    json: Json = False,
) -> None:
    """The weekly run: collect, screen, choose, check and prepare an order. It never sends one."""
    if scheduled and force:
        raise BadUsage("--scheduled and --force exclude each other")
    if prompt_only and (scheduled or force):
        raise BadUsage("--prompt-only makes no run, so neither --scheduled nor --force goes with it")
    from spy32.settings.services import ANALYSTS
    from spy32.wiring.markets import chain_source_names

    check_known("--market", market, chain_source_names())
    check_known("--analyst", analyst, ANALYSTS)
    app = get_app(ctx)
    options = AnalyzeOptions(scheduled=scheduled, force=force, profile=profile, dte=dte, market=market, analyst=analyst)
    settings = _load_settings(app, options)
    if prompt_only:
        from spy32.commands.prompt_only import print_prompt

        print_prompt(app, settings, profile=profile, market=market, json=json)
        return
    app.mark_set_up()
    if scheduled and _is_idle(app):
        return
    with app.locks.hold(RUN_LOCK, wait_seconds=app.settings.schedule.lock_wait_seconds):
        run, is_new = _start_run(app, options, settings)
    if run is not None and (is_new or json):
        _print_result(app, options, run, json=json, is_new=is_new)


def check_known(option: str, typed: str | None, names: tuple[str, ...]) -> None:
    """`BadUsage` for a word that names nothing."""
    if typed is not None and typed.partition(":")[0] not in names:
        raise BadUsage(f"{option} {typed} is not known; it takes {', '.join(names)}")


def _load_settings(app: "App", options: AnalyzeOptions) -> "Settings":
    """The settings of the profile, with `--dte` on top."""
    from spy32.settings.profiles import check_root, for_profile
    from spy32.wiring.markets import is_recorded

    settings = for_profile(app.settings, options.profile)
    if not is_recorded(options.market or settings.market.chain[0]):
        check_root(settings, options.profile)
    if options.dte is None:
        return settings
    if options.dte not in settings.dte.available:
        choices = ", ".join(map(str, settings.dte.available))
        raise BadUsage(f"--dte {options.dte} is not among dte.available: {choices}")
    return replace(settings, dte=replace(settings.dte, default=options.dte))


def _is_idle(app: "App") -> bool:
    """A scheduled start outside every window, in a home that has no slot to account for: nothing is opened for it."""
    from spy32.sessions import last_slot

    if app.database.exists():
        return False
    slot, since = last_slot(app.clock(), app.settings.schedule, app.settings.environment), app.set_up_at()
    return not slot.contains(app.clock()) and (since is None or slot.opens < since)


def _start_run(app: "App", options: AnalyzeOptions, settings: "Settings") -> "tuple[Run | None, bool]":
    """The run that this start made, or the one that is there already; whether it is new."""
    from spy32.ops.schedule import AlreadyRun, NoAction, SkipSlot

    now = app.clock()
    store = app.store()
    store.runs.interrupt_unfinished(now)
    sources = None if options.scheduled else _load_sources(app, options)
    if options.scheduled:
        _catch_up(app, options, store)
    decision = _decide(app, options, store, sources)
    if isinstance(decision, NoAction | AlreadyRun):
        # Nothing happened, so cron's -q has nothing to mail.
        if decision.message is not None and app.verbosity >= 0:
            app.warn(decision.message)
        return store.runs.get(decision.run_id) if isinstance(decision, AlreadyRun) else None, False
    if isinstance(decision, SkipSlot):
        app.warn(decision.message)
        return _skip_run(app, options, store, decision, _trigger(options)), True
    return _run_pipeline(app, options, settings, store, decision, sources or _load_sources(app, options)), True


def _catch_up(app: "App", options: AnalyzeOptions, store: "Store") -> None:
    """Record a skipped run for each older slot without a start: the machine may have been off for weeks."""
    from spy32.domain.runs import Trigger
    from spy32.ops.schedule import SkipSlot, due_slot, scheduled_decision
    from spy32.sessions import last_slot

    now = app.clock()
    slot = due_slot(now, app.settings.schedule, app.settings.environment)
    missed: list[SkipSlot] = []
    while len(missed) < MAX_MISSED_SLOTS:
        slot = last_slot(slot.opens - timedelta(minutes=1), app.settings.schedule, app.settings.environment)
        runs = store.runs.select_by_slot(options.profile, slot.day, is_recorded=_is_recorded(app, options))
        decision = scheduled_decision(_schedule_input(app, store, slot.closes), runs)
        if runs or not isinstance(decision, SkipSlot):
            break
        missed.append(decision)
    for skip in reversed(missed):
        app.warn(skip.message)
        _skip_run(app, options, store, skip, Trigger.CRON)


def _is_recorded(app: "App", options: AnalyzeOptions) -> bool:
    """Whether the chain is a recorded one, also where its file cannot be read."""
    from spy32.wiring.markets import is_recorded

    return is_recorded(options.market or app.settings.market.chain[0])


def _load_sources(app: "App", options: AnalyzeOptions) -> "Sources | Spy32Error":
    """The sources, or why they cannot be had, which then fails the run. A recorded market sets the clock."""
    try:
        return app.load_sources(options.market)
    except Spy32Error as error:
        return error


def _skip_run(app: "App", options: AnalyzeOptions, store: "Store", skip: "SkipSlot", trigger: "Trigger") -> "Run":
    """Record the skipped run of a slot or of a closed day."""
    return store.runs.skip(
        trigger=trigger,
        mode=app.settings.mode,
        profile=options.profile,
        at=app.clock(),
        slot=skip.slot.day if skip.slot is not None else None,
        cause=skip.cause,
        reasons=(skip.message,),
        is_recorded=_is_recorded(app, options),
    )


def _schedule_input(app: "App", store: "Store", now: "datetime") -> "ScheduleInput":
    from spy32.ops.schedule import ScheduleInput

    created_at = store.location.created_at()
    return ScheduleInput(
        now=now,
        schedule=app.settings.schedule,
        environment=app.settings.environment,
        enable_automation=app.settings.enable_automation,
        paused=store.flags.get("paused"),
        created_at=min(app.set_up_at() or created_at, created_at),
    )


def _trigger(options: AnalyzeOptions) -> "Trigger":
    from spy32.domain.runs import Trigger

    return Trigger.CRON if options.scheduled else Trigger.MANUAL


def _decide(
    app: "App", options: AnalyzeOptions, store: "Store", sources: "Sources | Spy32Error | None"
) -> "ScheduleDecision":
    """The decision from clock, switches and the runs of the slot; a scheduled start has no `sources`."""
    from spy32.ops.schedule import due_slot, manual_decision, scheduled_decision, unscheduled_start

    inputs = _schedule_input(app, store, app.clock())
    slot = due_slot(inputs.now, inputs.schedule, inputs.environment)
    runs = store.runs.select_by_slot(options.profile, slot.day, is_recorded=_is_recorded(app, options))
    if sources is None:
        return scheduled_decision(inputs, runs)
    latest = store.runs.latest()
    if options.force and not runs and latest is not None and latest.profile == options.profile:
        # A run by hand outside the window has no slot, and is still what `--force` repeats.
        runs = (latest,)
    if isinstance(sources, Spy32Error) or sources.is_recorded:
        # What a person named is judged first, whatever the day: a file by reading it, its clock by the session gate.
        return unscheduled_start(runs, force=options.force)
    return manual_decision(inputs, runs, force=options.force, is_slots_market=sources.uses_first_source)


def _run_pipeline(
    app: "App",
    options: AnalyzeOptions,
    settings: "Settings",
    store: "Store",
    start: "StartRun",
    sources: "Sources | Spy32Error",
) -> "Run":
    """The finished run; a market or analyst that cannot be had leaves a failed one."""
    from spy32.domain.runs import Outcome
    from spy32.pipeline.run import run

    store.integrity.refuse_damage()
    new_run = store.runs.begin(
        trigger=start.trigger,
        mode=app.settings.mode,
        profile=options.profile,
        at=app.clock(),
        slot=start.slot.day if start.slot is not None else None,
        late=start.late,
        forced_from=start.forced_from,
        is_recorded=_is_recorded(app, options),
    )
    try:
        if isinstance(sources, Spy32Error):
            raise sources
        name = options.analyst or settings.analyst.name
        context = app.run_context(store, sources=sources, analyst=name, settings=settings, run=new_run)
    except Spy32Error as error:
        return store.runs.finish(
            new_run.id,
            outcome=Outcome.FAILED,
            cause="settings" if isinstance(error, BadSettings) else "data",
            reasons=(error.message,),
            exit_code=error.code,
            at=app.clock(),
        )
    return run(context)


def _print_result(app: "App", options: AnalyzeOptions, run: "Run", *, json: bool, is_new: bool) -> None:
    """The run for a person or a script; silence under cron when all is well; the exit code."""
    from spy32.domain.runs import Outcome
    from spy32.render.documents import emit, run_document

    view = app.open_for_reading().history.view(run.id)
    if json:
        emit(app.out, run_document(view))
    elif run.outcome is not Outcome.FAILED and (not options.scheduled or app.out.is_terminal):
        from spy32.render.trading import print_run

        print_run(app.out, view)
    if is_new and run.outcome is not Outcome.FAILED and view.recommendation is not None and view.recommendation.failure:
        recommendation = view.recommendation
        app.warn(
            f"R{run.id}: {recommendation.analyst} gave no answer that can be used "
            f"({recommendation.failure}): {recommendation.reason}"
        )
    if run.outcome is Outcome.FAILED and is_new:
        app.warn(f"R{run.id} failed ({run.cause}): {'; '.join(run.reasons)}; `spy32 show R{run.id}` shows it")
        raise typer.Exit(run.exit_code)
