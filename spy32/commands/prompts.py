"""`prompts`: the versions there are, what one of them says or what was sent, how two differ, and what both said."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from spy32.commands.common import App, complete_ids, get_app, parse_run_id, print_document, print_page, write_text
from spy32.errors import BadSettings, BadUsage

if TYPE_CHECKING:
    from spy32.analysts.prompt import Template

VersionArgument = Annotated[
    str | None, typer.Argument(help="As `prompts list` names it; the one that is used by default.", show_default=False)
]
FirstVersion = Annotated[str | None, typer.Argument(metavar="A", help="A version.", show_default=False)]
SecondVersion = Annotated[str | None, typer.Argument(metavar="B", help="Another one.", show_default=False)]
SentRun = Annotated[
    int | None,
    typer.Option(
        "--run", metavar="R31", parser=parse_run_id, help="What was sent for this run, exactly as it was sent.",
        autocompletion=complete_ids("R"),
    ),
]  # fmt: skip
ComparedRun = Annotated[
    int | None,
    typer.Option(
        "--run", metavar="R31", parser=parse_run_id, help="What both said of this run only.",
        autocompletion=complete_ids("R"),
    ),
]  # fmt: skip


def versions(ctx: typer.Context) -> None:
    """The versions there are, each with its hash, its size, and whether the settings use it."""
    from spy32.analysts import prompt
    from spy32.render.prompt_pages import PromptRow, prompt_list_page
    from spy32.wiring.analysts import prompt_version

    app = get_app(ctx)
    version_in_use = prompt_version(app.settings)
    templates = [prompt.read_template(version) for version in prompt.LAYOUTS]
    tokens = {version: layout.typical_tokens for version, layout in prompt.LAYOUTS.items()}
    rows = tuple(
        PromptRow(each.version, each.variant, each.hash, tokens[each.version], each.version == version_in_use)
        for each in templates
    )
    if app.wants_json:
        _print_document(app, "list", prompts=rows)
    else:
        print_page(app, prompt_list_page(rows))


def show(ctx: typer.Context, version: VersionArgument = None, run: SentRun = None) -> None:
    """One template with its blanks; with --run what was sent, word for word."""
    app = get_app(ctx)
    if run is not None:
        _print_requests(app, run, version)
        return
    from spy32.render.prompt_pages import template_text
    from spy32.wiring.analysts import prompt_version

    template = load_template(version if version is not None else prompt_version(app.settings))
    if app.wants_json:
        _print_document(app, "show", template=template)
    else:
        write_text(app, template_text(template))


def compare(
    ctx: typer.Context,
    first: FirstVersion = None,
    second: SecondVersion = None,
    run: ComparedRun = None,
) -> None:
    """How the templates of two versions differ, line by line, and what both said of the same snapshots."""
    from spy32.render.prompt_pages import comparison_page, diff_text

    if first is None or second is None:
        raise BadUsage("two versions are compared; `spy32 prompts list` names them")
    app = get_app(ctx)
    first_template, second_template = load_template(first), load_template(second)
    said = None
    if run is not None or app.has_store:
        from spy32.review.prompt_comparison import compare_prompts

        said = compare_prompts(app.open_for_reading(), first, second, app.clock(), run_id=run)
    if app.wants_json:
        from spy32.render.prompt_documents import compare_templates

        _print_document(app, "compare", compared=compare_templates(first_template, second_template, said))
        return
    write_text(app, diff_text(first_template, second_template))
    if said is not None:
        print_page(app, comparison_page(said))


def _print_requests(app: App, run_id: int, version: str | None) -> None:
    from spy32.render.prompt_pages import requests_text

    requests = app.open_for_reading().model_calls.select_by_run(run_id)
    matching = tuple(request for request in requests if version is None or request.attempt.prompt == version)
    if not matching:
        suffix = f" with the prompt {version}" if version is not None else ""
        raise BadUsage(f"no model was asked in R{run_id}{suffix}")
    if app.wants_json:
        _print_document(app, "show", sent=matching)
    else:
        write_text(app, requests_text(matching))


def _print_document(app: App, action: str, **found: Any) -> None:
    """The document of each command of the group; keys of the others are empty or null."""
    from spy32.render.prompt_documents import PROMPTS, Prompts

    print_document(app, PROMPTS, Prompts(action=action, **found))


def load_template(version: str) -> "Template":
    """A version that was typed: an unknown one is a usage error here, not one of the settings."""
    from spy32.analysts.prompt import read_template

    try:
        return read_template(version)
    except BadSettings as error:
        raise BadUsage(error.message) from None
