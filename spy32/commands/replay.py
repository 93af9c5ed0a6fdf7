"""`replay`: the decision of a run again, from what was stored."""

from typing import Annotated

import typer

from spy32.commands.common import Json, app_of, run_id


def replay(
    ctx: typer.Context, run: Annotated[str, typer.Argument(metavar="R", help="Run, such as R31.")], json: Json = False
) -> None:
    """Recompute menu, checks and order of a run from its stored snapshot, and report any difference."""
    from spy32.errors import StoreTrouble
    from spy32.pipeline.replay import replay as again
    from spy32.render.desk import replayed

    app = app_of(ctx)
    store = app.reading()
    found = again(store, run_id(run), analyst_of=app.analyst)
    replayed(app.out, found, json=json)
    if found.differences:
        raise StoreTrouble(f"{found.name} does not replay: {found.differences[0]}")
