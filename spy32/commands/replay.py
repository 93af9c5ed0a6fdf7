"""`replay`: the decision of a run again, from what was stored; or the model asked again, when that is asked for."""

from typing import TYPE_CHECKING, Annotated

import typer

from spy32.commands.common import Json, get_app, parse_run_id
from spy32.commands.completion import complete_ids
from spy32.domain.answer_role import AnswerRole
from spy32.errors import BadUsage

if TYPE_CHECKING:
    from spy32.wiring import App


def replay(
    ctx: typer.Context,
    run: Annotated[str, typer.Argument(metavar="R", help="Run, such as R31.", autocompletion=complete_ids("R"))],
    prompt: Annotated[
        str | None, typer.Option(help="Ask the model again on the stored snapshot, with this prompt version.")
    ] = None,
    approval: Annotated[
        bool, typer.Option("--yes", help="Pay for the answer without being asked; with --prompt.")
    ] = False,
    json: Json = False,
) -> None:
    """Recompute menu, checks and order of a run from its stored snapshot, and report any difference."""
    if approval and prompt is None:
        raise BadUsage("--yes is about the cost of --prompt; without it a replay costs nothing")
    app, run_number = get_app(ctx), parse_run_id(run)
    if prompt is not None:
        _ask_again(app, run_number, prompt, approval=approval, json=json)
        return
    from spy32.errors import StoreError
    from spy32.pipeline.replay import ReplayContext
    from spy32.pipeline.replay import replay as again
    from spy32.render.replay import print_replay
    from spy32.wiring.analysts import build_recorded_lookup
    from spy32.wiring.markets import find_history

    store = app.open_for_reading()
    context = ReplayContext(
        store=store,
        run_id=run_number,
        find_history=find_history,
        build_rule_analyst=app.rule,
        find_recorded_analyst=build_recorded_lookup(store, run_number, app.clock, app.monotonic),
    )
    result = again(context)
    print_replay(app.out, result, json=json)
    if result.differences:
        raise StoreError(f"{result.name} does not replay: {result.differences[0]}")


def _ask_again(app: "App", run_id: int, version: str, *, approval: bool, json: bool) -> None:
    """The model's answer to another prompt on the same snapshot and menu; it changes nothing of the run."""
    from dataclasses import replace

    from spy32.analysts.grok import build_request
    from spy32.clients.xai_models import format_cost, max_ticks
    from spy32.commands.prompts import load_template
    from spy32.pipeline.replay import StoredQuestion, ask_model_again
    from spy32.render.replay import print_re_ask
    from spy32.wiring import analysts

    question = StoredQuestion.load(app.open_for_reading(), run_id)
    settings = replace(question.settings, xai=app.settings.xai, environment=app.settings.environment)
    load_template(version)
    rendered = analysts.build_renderer(version, question.settings)(
        question.menu, question.briefing, question.menu.seed + 1
    )
    cost = max_ticks(build_request(rendered, settings.xai))
    store = app.store()
    analyst = app.build_model_analyst(
        settings, store, run_id, version=version, role=AnswerRole.AGAIN, seed=question.menu.seed
    )
    requests = settings.analyst.samples * settings.xai.attempts
    price = f"R{run_id} again with {version}: about {rendered.tokens:,} tokens to {settings.xai.model}, "
    app.warn(f"{price}at most {format_cost(cost)} a request and {requests} requests")
    if not approval and not _confirm_cost(app):
        raise BadUsage("nothing was asked; --yes asks without this question")
    answer = ask_model_again(store, run_id, question, analyst, app.clock)
    print_re_ask(app.out, question, answer, json=json)
    if answer.exit_code:
        raise typer.Exit(answer.exit_code)


def _confirm_cost(app: "App") -> bool:
    """Whether `yes` is typed on a terminal; anything else, and no terminal at all, is a no."""
    from spy32.commands.confirmation import prompt_line

    return app.is_interactive and prompt_line("ask? type yes: ") == "yes"
