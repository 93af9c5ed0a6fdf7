"""`replay`: the decision of a run again, from what was stored; or the model asked again, when that is asked for."""

from dataclasses import replace
from typing import Annotated

import typer

from spy32.commands.common import App, complete_ids, get_app, parse_run_id
from spy32.commands.confirmation import prompt_line
from spy32.domain.answer_role import AnswerRole
from spy32.errors import BadUsage, StoreError


def replay(
    ctx: typer.Context,
    run: Annotated[
        int,
        typer.Argument(metavar="R", parser=parse_run_id, help="Run, such as R31.", autocompletion=complete_ids("R")),
    ],
    prompt: Annotated[
        str | None, typer.Option(help="Ask the model again on the stored snapshot, with this prompt version.")
    ] = None,
    approval: Annotated[
        bool, typer.Option("--yes", help="Pay for the answer without being asked; with --prompt.")
    ] = False,
) -> None:
    """Recompute menu, checks and order of a run from its stored snapshot, and report any difference."""
    if approval and prompt is None:
        raise BadUsage("--yes is about the cost of --prompt; without it a replay costs nothing")
    app = get_app(ctx)
    if prompt is not None:
        _ask_again(app, run, prompt, approval=approval)
        return
    from spy32.pipeline.replay import ReplayContext
    from spy32.pipeline.replay import replay as again
    from spy32.render.replay import print_replay
    from spy32.wiring.analysts import build_recorded_lookup
    from spy32.wiring.markets import find_history

    store = app.open_for_reading()
    context = ReplayContext(
        store=store,
        run_id=run,
        find_history=find_history,
        build_rule_analyst=app.rule,
        find_recorded_analyst=build_recorded_lookup(store, run, app.clock, app.monotonic),
    )
    result = again(context)
    print_replay(app.out, result, json=app.wants_json)
    if result.differences:
        raise StoreError(f"{result.name} does not replay: {result.differences[0]}")


def _ask_again(app: App, run_id: int, version: str, *, approval: bool) -> None:
    """The model's answer to another prompt on the same snapshot and menu; it changes nothing of the run."""
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
    analyst = analysts.build_model_analyst(
        app, settings, store, run_id, version=version, role=AnswerRole.AGAIN, seed=question.menu.seed
    )
    requests = settings.analyst.samples * settings.xai.attempts
    price = f"R{run_id} again with {version}: about {rendered.tokens:,} tokens to {settings.xai.model}, "
    app.warn(f"{price}at most {format_cost(cost)} a request and {requests} requests")
    if not approval and not (app.is_interactive and prompt_line("ask? type yes: ") == "yes"):
        raise BadUsage("nothing was asked; --yes asks without this question")
    answer = ask_model_again(store, run_id, question, analyst, app.clock)
    print_re_ask(app.out, question, answer, json=app.wants_json)
    if answer.exit_code:
        raise typer.Exit(answer.exit_code)
