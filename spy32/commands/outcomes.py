"""`outcomes`: what came of every candidate of every menu."""

from typing import Annotated

import typer

from spy32.commands.common import Json, get_app, parse_since
from spy32.errors import ExitCode


def refresh(
    ctx: typer.Context,
    since: Annotated[
        str | None, typer.Option(metavar="DATE", help="Only runs from this New York date on, YYYY-MM-DD.")
    ] = None,
    json: Json = False,
) -> None:
    """Compute what came of the candidates of every open run; `manage` does it by itself once a session has closed.

    Ends 74 naming each run whose records cannot be read.
    """
    from spy32.review.outcomes import refresh_outcomes
    from spy32.wiring.outcomes import build_outcome_context

    app, first = get_app(ctx), parse_since(since)
    app.check_store_exists()
    found = refresh_outcomes(build_outcome_context(app, app.store(), app.market_registry), since=first, is_forced=True)
    if json:
        from spy32.render.documents import print_document
        from spy32.render.outcome_pages import OUTCOMES

        print_document(app.out, OUTCOMES, found)
    else:
        from spy32.render.outcome_pages import refresh_page
        from spy32.render.output import print_page

        print_page(app.out, refresh_page(found))
    for run in found.errors:
        app.warn(f"R{run.run_id}: {run.reason}")
    if found.errors:
        raise typer.Exit(ExitCode.STORE_TROUBLE)
