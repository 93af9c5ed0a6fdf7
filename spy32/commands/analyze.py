"""`analyze`: the weekly run, started by cron or by a person."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from spy32.commands.common import Json, app_of
from spy32.errors import BadSettings, Spy32Error, Usage

if TYPE_CHECKING:
    from datetime import datetime

    from spy32.domain.running import Run, Trigger
    from spy32.ops.schedule import Decision, Situation, Skip, Start
    from spy32.pipeline.sources import Sources
    from spy32.settings import Settings
    from spy32.store import Store
    from spy32.wiring import App

LOCK = "analyze"
MOST_MISSED = 60
"""How many older slots one start accounts for."""
MARKETS = ("tastytrade", "cboe", "yahoo", "recorded")
ANALYSTS = ("grok", "rules")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What was typed."""

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
        raise Usage("--scheduled and --force exclude each other")
    if prompt_only and (scheduled or force):
        raise Usage("--prompt-only makes no run, so neither --scheduled nor --force goes with it")
    known("--market", market, MARKETS)
    known("--analyst", analyst, ANALYSTS)
    app = app_of(ctx)
    asked = Request(scheduled=scheduled, force=force, profile=profile, dte=dte, market=market, analyst=analyst)
    settings = _settings(app, asked)
    if prompt_only:
        from spy32.commands.prompt_only import print_prompt

        print_prompt(app, settings, profile=profile, market=market, json=json)
        return
    app.mark_set_up()
    if scheduled and _is_idle(app):
        return
    with app.locks.hold(LOCK, wait_seconds=app.settings.schedule.lock_wait_seconds):
        run, is_new = _started(app, asked, settings)
    if run is not None and (is_new or json):
        _answer(app, asked, run, json=json, is_new=is_new)


def known(option: str, typed: str | None, names: tuple[str, ...]) -> None:
    """`Usage` for a word that names nothing."""
    if typed is not None and typed.partition(":")[0] not in names:
        raise Usage(f"{option} {typed} is not known; it takes {', '.join(names)}")


def _settings(app: "App", asked: Request) -> "Settings":
    """The settings of the profile, with `--dte` on top."""
    from spy32.settings.profiles import check_root, for_profile
    from spy32.wiring.markets import is_recorded

    settings = for_profile(app.settings, asked.profile)
    if not is_recorded(asked.market or settings.market.chain[0]):
        check_root(settings, asked.profile)
    if asked.dte is None:
        return settings
    if asked.dte not in settings.dte.available:
        listed = ", ".join(map(str, settings.dte.available))
        raise Usage(f"--dte {asked.dte} is not among dte.available: {listed}")
    return replace(settings, dte=replace(settings.dte, default=asked.dte))


def _is_idle(app: "App") -> bool:
    """A scheduled start outside every window, in a home that has no slot to account for: nothing is opened for it."""
    from spy32.sessions import last_slot

    if app.database.exists():
        return False
    slot, since = last_slot(app.clock(), app.settings.schedule, app.settings.environment), app.set_up_at()
    return not slot.holds(app.clock()) and (since is None or slot.opens < since)


def _started(app: "App", asked: Request, settings: "Settings") -> "tuple[Run | None, bool]":
    """The run that this start made, or the one that is there already; whether it is new."""
    from spy32.ops.schedule import Already, Nothing, Skip

    now = app.clock()
    store = app.store()
    store.interrupt_runs(now)
    sources = None if asked.scheduled else _sources(app, asked)
    if asked.scheduled:
        _catch_up(app, asked, store)
    decision = _decision(app, asked, store, sources)
    if isinstance(decision, Nothing | Already):
        # Nothing happened, so cron's -q has nothing to mail.
        if decision.message and app.verbosity >= 0:
            app.warn(decision.message)
        return store.run(decision.run_id) if isinstance(decision, Already) else None, False
    if isinstance(decision, Skip):
        app.warn(decision.message)
        return _skipped(app, asked, store, decision, _trigger(asked)), True
    return _run(app, asked, settings, store, decision, sources or _sources(app, asked)), True


def _catch_up(app: "App", asked: Request, store: "Store") -> None:
    """One skipped row for each older slot that nothing was started in: the machine may have been off for weeks."""
    from spy32.domain.running import Trigger
    from spy32.ops.schedule import Skip, due, scheduled_decision
    from spy32.sessions import last_slot

    now = app.clock()
    slot = due(now, app.settings.schedule, app.settings.environment)
    missed: list[Skip] = []
    while len(missed) < MOST_MISSED:
        slot = last_slot(slot.opens - timedelta(minutes=1), app.settings.schedule, app.settings.environment)
        runs = store.runs_of_slot(asked.profile, slot.day, is_recorded=_is_recorded(app, asked))
        decision = scheduled_decision(_situation(app, store, slot.closes), runs)
        if runs or not isinstance(decision, Skip):
            break
        missed.append(decision)
    for skip in reversed(missed):
        app.warn(skip.message)
        _skipped(app, asked, store, skip, Trigger.CRON)


def _is_recorded(app: "App", asked: Request) -> bool:
    """Whether the chain is a recorded one, also where its file cannot be read."""
    from spy32.wiring.markets import is_recorded

    return is_recorded(asked.market or app.settings.market.chain[0])


def _sources(app: "App", asked: Request) -> "Sources | Spy32Error":
    """A recorded market brings the clock by which a start by hand is judged; one that cannot be had is why it fails."""
    try:
        return app.sources_of_market(asked.market)
    except Spy32Error as error:
        return error


def _skipped(app: "App", asked: Request, store: "Store", skip: "Skip", trigger: "Trigger") -> "Run":
    """The row of a slot, or of a closed day, on which nothing was started."""
    return store.skip_run(
        trigger=trigger,
        mode=app.settings.mode,
        profile=asked.profile,
        at=app.clock(),
        slot=skip.slot.day if skip.slot is not None else None,
        cause=skip.cause,
        reasons=(skip.message,),
        is_recorded=_is_recorded(app, asked),
    )


def _situation(app: "App", store: "Store", now: "datetime") -> "Situation":
    from spy32.ops.schedule import Situation

    made = store.created_at()
    return Situation(
        now=now,
        schedule=app.settings.schedule,
        environment=app.settings.environment,
        enable_automation=app.settings.enable_automation,
        paused=store.flag("paused"),
        created_at=min(app.set_up_at() or made, made),
    )


def _trigger(asked: Request) -> "Trigger":
    from spy32.domain.running import Trigger

    return Trigger.CRON if asked.scheduled else Trigger.MANUAL


def _decision(app: "App", asked: Request, store: "Store", sources: "Sources | Spy32Error | None") -> "Decision":
    """What the clock, the switches and the runs of the slot say; the schedule's start brings no `sources`."""
    from spy32.ops.schedule import due, manual_decision, rehearsal, scheduled_decision

    situation = _situation(app, store, app.clock())
    slot = due(situation.now, situation.schedule, situation.environment)
    runs = store.runs_of_slot(asked.profile, slot.day, is_recorded=_is_recorded(app, asked))
    if sources is None:
        return scheduled_decision(situation, runs)
    latest = store.latest_run()
    if asked.force and not runs and latest is not None and latest.profile == asked.profile:
        # A run by hand outside the window has no slot, and is still what `--force` repeats.
        runs = (latest,)
    if isinstance(sources, Spy32Error) or sources.is_recorded:
        # What a person named is judged first, whatever the day: a file by reading it, its clock by the session gate.
        return rehearsal(runs, force=asked.force)
    return manual_decision(situation, runs, force=asked.force, is_slots_market=sources.are_the_first)


def _run(
    app: "App",
    asked: Request,
    settings: "Settings",
    store: "Store",
    start: "Start",
    found: "Sources | Spy32Error",
) -> "Run":
    """The finished run; a market or analyst that cannot be had leaves a failed one."""
    from spy32.domain.running import Outcome
    from spy32.pipeline.run import run

    store.refuse_damage()
    begun = store.begin_run(
        trigger=start.trigger,
        mode=app.settings.mode,
        profile=asked.profile,
        at=app.clock(),
        slot=start.slot.day if start.slot is not None else None,
        late=start.late,
        forced_from=start.forced_from,
        is_recorded=_is_recorded(app, asked),
    )
    try:
        if isinstance(found, Spy32Error):
            raise found
        name = asked.analyst or settings.analyst.name
        kit = app.kit(store, sources=found, analyst=name, settings=settings, run=begun)
    except Spy32Error as error:
        return store.finish_run(
            begun.id,
            outcome=Outcome.FAILED,
            cause="settings" if isinstance(error, BadSettings) else "data",
            reasons=(error.message,),
            exit_code=error.code,
            at=app.clock(),
        )
    return run(kit)


def _answer(app: "App", asked: Request, run: "Run", *, json: bool, is_new: bool) -> None:
    """The run for a person or a script; silence under cron when all is well; the exit code."""
    from spy32.domain.running import Outcome
    from spy32.render.documents import emit, run_document

    view = app.reading().view(run.id)
    if json:
        emit(app.out, run_document(view))
    elif run.outcome is not Outcome.FAILED and (not asked.scheduled or app.out.is_terminal):
        from spy32.render.desk import analyzed

        analyzed(app.out, view)
    if is_new and run.outcome is not Outcome.FAILED and view.recommendation is not None and view.recommendation.failure:
        said = view.recommendation
        app.warn(f"R{run.id}: {said.analyst} gave no answer that can be used ({said.failure}): {said.reason}")
    if run.outcome is Outcome.FAILED and is_new:
        app.warn(f"R{run.id} failed ({run.cause}): {'; '.join(run.reasons)}; `spy32 show R{run.id}` shows it")
        raise typer.Exit(run.exit_code)
