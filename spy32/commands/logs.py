"""`logs`: what commands did, from the log of the home."""

from datetime import time
from typing import Annotated

import typer

from spy32.commands.common import Json, get_app, parse_run_id, parse_since
from spy32.commands.completion import complete_ids
from spy32.errors import StoreError

DEFAULT_LIMIT = 100


def logs(
    ctx: typer.Context,
    run: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Only what belongs to a run: R31.", autocompletion=complete_ids("R")),
    ] = None,
    since: Annotated[str | None, typer.Option(metavar="DATE", help="From this New York date on, YYYY-MM-DD.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many lines, the newest.")] = DEFAULT_LIMIT,
    json: Json = False,
) -> None:
    """What commands did, a line each, oldest first; works with settings that are wrong."""
    from spy32.ops.logs import LogFilter, load_entries
    from spy32.render.output import print_lines
    from spy32.sessions import new_york_instant

    app = get_app(ctx)
    first_day = parse_since(since)
    wanted = LogFilter(
        run=None if run is None else parse_run_id(run),
        mode=None if run is None else str(app.settings.mode),
        since=None if first_day is None else new_york_instant(first_day, time()),
    )
    try:
        entries = load_entries(app.locations.logs, wanted, limit)
    except OSError as error:
        raise StoreError(f"the log in {app.locations.logs} cannot be read: {error.strerror}") from None
    if json:
        from spy32.render.documents import print_document
        from spy32.render.home_documents import LOGS, Log

        print_document(app.out, LOGS, Log(entries=entries))
    else:
        from spy32.render.logs import format_entry

        print_lines(app.out, map(format_entry, entries))
