"""`prompts`: the versions there are, what one of them says or what was sent, and how two differ."""

from typing import TYPE_CHECKING, Annotated

import typer

from spy32.commands.common import Json, app_of, run_id
from spy32.errors import BadSettings, Usage

if TYPE_CHECKING:
    from spy32.analysts.prompt import Template
    from spy32.wiring import App

Version = Annotated[
    str | None, typer.Argument(help="As `prompts list` names it; the one that is used by default.", show_default=False)
]
First = Annotated[str, typer.Argument(metavar="A", help="A version.", show_default=False)]
Second = Annotated[str, typer.Argument(metavar="B", help="Another one.", show_default=False)]
OfRun = Annotated[
    str | None, typer.Option("--run", metavar="R31", help="What was sent for this run, exactly as it was sent.")
]


def versions(ctx: typer.Context, json: Json = False) -> None:
    """The versions there are, each with its hash, its size, and whether the settings use it."""
    from spy32.analysts import prompt
    from spy32.render.documents import emit
    from spy32.render.out import show as show_page
    from spy32.render.prompt_pages import Listed, list_page, prompts_document

    app = app_of(ctx)
    used = _used(app)
    made = [prompt.template(version) for version in prompt.versions()]
    rows = tuple(
        Listed(each.version, each.variant, each.hash, prompt.TYPICAL[each.version], each.version == used)
        for each in made
    )
    if json:
        emit(app.out, prompts_document("list", prompts=rows))
    else:
        show_page(app.out, list_page(rows))


def show(ctx: typer.Context, version: Version = None, run: OfRun = None, json: Json = False) -> None:
    """One template with its blanks; with --run what was sent, word for word."""
    app = app_of(ctx)
    if run is not None:
        _show_sent(app, run_id(run), version, json=json)
        return
    from spy32.render.documents import emit
    from spy32.render.out import put
    from spy32.render.prompt_pages import prompts_document, template_text

    made = known_version(version) if version is not None else known_version(_used(app))
    if json:
        emit(app.out, prompts_document("show", template=made))
    else:
        put(app.out, template_text(made))


def compare(ctx: typer.Context, first: First, second: Second, json: Json = False) -> None:
    """How the templates of two versions differ, line by line."""
    from spy32.render.documents import emit
    from spy32.render.out import put
    from spy32.render.prompt_pages import compare_text, prompts_document

    app = app_of(ctx)
    one, other = known_version(first), known_version(second)
    if json:
        emit(app.out, prompts_document("compare", compared=(one, other)))
    else:
        put(app.out, compare_text(one, other))


def _show_sent(app: "App", number: int, version: str | None, *, json: bool) -> None:
    from spy32.render.documents import emit
    from spy32.render.out import put
    from spy32.render.prompt_pages import prompts_document, sent_text

    asked = app.reading().attempts(number)
    sent = tuple(each for each in asked if version is None or each.attempt.prompt == version)
    if not sent:
        with_it = f" with the prompt {version}" if version is not None else ""
        raise Usage(f"no model was asked in R{number}{with_it}")
    if json:
        emit(app.out, prompts_document("show", sent=sent))
    else:
        put(app.out, sent_text(sent))


def _used(app: "App") -> str:
    from spy32.analysts.prompt import chosen_version

    return chosen_version(app.settings.analyst.prompt, app.settings.environment)


def known_version(version: str) -> "Template":
    """A version that was typed: an unknown one is a usage error here, not one of the settings."""
    from spy32.analysts.prompt import template

    try:
        return template(version)
    except BadSettings as unknown:
        raise Usage(unknown.message) from None
