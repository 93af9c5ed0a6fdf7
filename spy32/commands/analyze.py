"""`analyze`: the weekly run, started by cron or by a person."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from spy32.commands.common import App, ProfileOption, get_app, notices_sent
from spy32.commands.providers import AnalystOption, MarketOption
from spy32.errors import BadUsage
from spy32.settings import Settings

if TYPE_CHECKING:
    from spy32.domain.runs import Run


def analyze(
    ctx: typer.Context,
    scheduled: Annotated[
        bool, typer.Option("--scheduled", help="Started by cron: decides itself whether now is the slot.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="A new run, linked to the one that is there; still sends nothing.")
    ] = False,
    profile: ProfileOption = "default",
    dte: Annotated[int | None, typer.Option(help="Days to expiration to aim at.")] = None,
    market: MarketOption = None,
    analyst: AnalystOption = None,
    prompt_only: Annotated[
        bool, typer.Option("--prompt-only", help="Print exactly what would be sent to the model; no run, nothing sent.")
    ] = False,
) -> None:
    """The weekly run: collect, screen, choose, check and prepare an order. It never sends one."""
    if scheduled and force:
        raise BadUsage("--scheduled and --force exclude each other")
    if prompt_only and (scheduled or force):
        raise BadUsage("--prompt-only makes no run, so neither --scheduled nor --force goes with it")
    app = get_app(ctx)
    settings = _load_settings(app, profile, dte)
    if prompt_only:
        from spy32.commands.prompt_only import print_prompt

        print_prompt(app, settings, profile=profile, market=market)
        return
    from spy32.pipeline.start import StartRequest, start_run

    app.mark_set_up()
    request = StartRequest(profile=profile, is_scheduled=scheduled, is_forced=force)
    with notices_sent(app):
        result = start_run(request, app.start_context(settings, market=market, analyst=analyst))
        if result.message is not None and app.verbosity >= 0:
            # Nothing happened, so cron's -q has nothing to mail.
            app.warn(result.message)
        if result.run is not None and (result.is_new or app.wants_json):
            _print_result(app, result.run, scheduled=scheduled, is_new=result.is_new)


def _load_settings(app: App, profile: str, dte: int | None) -> Settings:
    """The settings of the profile, with `--dte` on top."""
    from spy32.settings.profiles import for_profile

    settings = for_profile(app.settings, profile)
    if dte is None:
        return settings
    if dte not in settings.dte.available:
        choices = ", ".join(map(str, settings.dte.available))
        raise BadUsage(f"--dte {dte} is not among dte.available: {choices}")
    return replace(settings, dte=replace(settings.dte, default=dte))


def _print_result(app: App, run: "Run", *, scheduled: bool, is_new: bool) -> None:
    """The run for a person or a script; silence under cron when all is well; the exit code."""
    from spy32.domain.runs import Outcome
    from spy32.render.documents import emit
    from spy32.render.run_documents import run_document

    view = app.open_for_reading().history.view(run.id)
    is_failed = run.outcome is Outcome.FAILED
    if app.wants_json:
        emit(app.out, run_document(view))
    elif not is_failed and (not scheduled or app.out.is_terminal):
        from spy32.render.trading import print_run

        print_run(app.out, view)
    if is_new and is_failed:
        app.warn(f"R{run.id} failed ({run.cause}): {'; '.join(run.reasons)}; `spy32 show R{run.id}` shows it")
        raise typer.Exit(run.exit_code)
    answer = view.recommendation
    if is_new and answer is not None and answer.failure:
        # A run may end well although its analyst failed, as the settings say; that is still told.
        reason = f"({answer.failure}): {answer.reason}"
        app.warn(f"R{run.id}: {answer.analyst} gave no answer that can be used {reason}")
