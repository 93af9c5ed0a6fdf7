"""`outcomes`: what came of every candidate of every menu."""

import typer

from spy32.commands.common import SinceOption, get_app, print_answer
from spy32.errors import ExitCode


def refresh(ctx: typer.Context, since: SinceOption = None) -> None:
    """Compute what came of the candidates of every open run; `manage` does it by itself once a session has closed.

    With --since only of runs from that date on. Ends 74 naming each run whose records cannot be read.
    """
    from spy32.render.outcome_pages import OUTCOMES, refresh_page
    from spy32.review.outcomes import refresh_outcomes
    from spy32.wiring.outcomes import build_outcome_context

    app = get_app(ctx)
    app.check_store_exists()
    found = refresh_outcomes(build_outcome_context(app, app.store(), app.market_registry), since=since, is_forced=True)
    print_answer(app, OUTCOMES, found, refresh_page(found))
    for run in found.errors:
        app.warn(f"R{run.run_id}: {run.reason}")
    if found.errors:
        raise typer.Exit(ExitCode.STORE_ERROR)
