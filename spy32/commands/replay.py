"""`replay`: the decision of a run again, from what was stored; or the model asked again, when that is asked for."""

from typing import TYPE_CHECKING, Annotated

import typer

from spy32.commands.common import Json, app_of, run_id
from spy32.errors import Usage

if TYPE_CHECKING:
    from spy32.wiring import App


def replay(
    ctx: typer.Context,
    run: Annotated[str, typer.Argument(metavar="R", help="Run, such as R31.")],
    prompt: Annotated[
        str | None, typer.Option(help="Ask the model again on the stored snapshot, with this prompt version.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Pay for the answer without being asked; with --prompt.")] = False,
    json: Json = False,
) -> None:
    """Recompute menu, checks and order of a run from its stored snapshot, and report any difference."""
    if yes and prompt is None:
        raise Usage("--yes is about the cost of --prompt; without it a replay costs nothing")
    app, number = app_of(ctx), run_id(run)
    if prompt is not None:
        _ask_again(app, number, prompt, yes=yes, json=json)
        return
    from spy32.errors import StoreTrouble
    from spy32.pipeline.replay import replay as again
    from spy32.render.desk import replayed

    store = app.reading()
    found = again(store, number, analyst_of=app.rule, heard=app.heard_by(store, number))
    replayed(app.out, found, json=json)
    if found.differences:
        raise StoreTrouble(f"{found.name} does not replay: {found.differences[0]}")


def _ask_again(app: "App", number: int, version: str, *, yes: bool, json: bool) -> None:
    """The model's answer to another prompt on the same snapshot and menu; it changes nothing of the run."""
    from dataclasses import replace

    from spy32.analysts.grok import body_of
    from spy32.clients.xai import dollars, most_ticks
    from spy32.commands.prompts import known_version
    from spy32.pipeline.again import Question, ask_again
    from spy32.render.again import asked_again
    from spy32.wiring import analysts

    question = Question.of(app.reading(), number)
    settings = replace(question.settings, xai=app.settings.xai, environment=app.settings.environment)
    known_version(version)
    sent = analysts.renderer(version, question.settings)(question.menu, question.briefing, question.menu.seed + 1)
    cost = most_ticks(body_of(sent, settings.xai))
    store = app.store()
    asker = app.asker(settings, store, number, version=version, role="again", seed=question.menu.seed)
    requests = settings.analyst.samples * settings.xai.attempts
    price = f"R{number} again with {version}: about {sent.tokens:,} tokens to {settings.xai.model}, "
    app.warn(f"{price}at most {dollars(cost)} a request and {requests} requests")
    if not yes and not _agreed(app):
        raise Usage("nothing was asked; --yes asks without this question")
    answer = ask_again(store, number, question, asker, app.clock)
    asked_again(app.out, question, answer, json=json)
    if answer.exit_code:
        raise typer.Exit(answer.exit_code)


def _agreed(app: "App") -> bool:
    """A typed yes, from a terminal; anything else, and no terminal at all, is no."""
    if not app.is_interactive:
        return False
    try:
        return input("ask? type yes: ").strip() == "yes"
    except EOFError:
        return False
