"""`logs`: what commands did, from the log of the home."""

from datetime import time
from typing import Annotated

import typer

from spy32.commands.common import (
    SinceOption,
    complete_ids,
    get_app,
    parse_run_id,
    print_answer,
)
from spy32.errors import StoreError
from spy32.sessions import new_york_instant

DEFAULT_LIMIT = 100


def logs(
    ctx: typer.Context,
    run: Annotated[
        int | None,
        typer.Option(
            metavar="ID", parser=parse_run_id, help="Only what belongs to a run: R31.",
            autocompletion=complete_ids("R"),
        ),
    ] = None,
    since: SinceOption = None,
    limit: Annotated[int, typer.Option(min=1, help="How many lines, the newest.")] = DEFAULT_LIMIT,
) -> None:  # fmt: skip
    """What commands did, a line each, oldest first; works with settings that are wrong."""
    from spy32.ops.logs import LogFilter, load_entries
    from spy32.render.home_documents import LOGS, Log
    from spy32.render.logs import format_entry

    app = get_app(ctx)
    wanted = LogFilter(
        run=run,
        mode=None if run is None else str(app.settings.mode),
        since=None if since is None else new_york_instant(since, time()),
    )
    try:
        entries = load_entries(app.locations.logs, wanted, limit)
    except OSError as error:
        raise StoreError(f"the log in {app.locations.logs} cannot be read: {error.strerror}") from None
    print_answer(app, LOGS, Log(entries=entries), map(format_entry, entries))
