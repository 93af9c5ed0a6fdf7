"""`audit`: the history as evidence."""

from typing import Annotated

import typer

from spy32.commands.common import Json, app_of

Head = Annotated[str | None, typer.Option(help="A head noted earlier: shows whether the end was cut off since.")]


def verify(ctx: typer.Context, head: Head = None, json: Json = False) -> None:
    """Recompute the hash chain and compare every row with it; ends 74 naming the first that was changed."""
    from spy32.errors import StoreTrouble
    from spy32.render.documents import emit
    from spy32.render.out import put
    from spy32.store import damage_of

    app = app_of(ctx)
    found = app.reading(lapses=False).verify(head=head)
    if json:
        facts = {"head": found.head, "events": found.events, "broken": found.broken}
        emit(app.out, {"schema": "spy32.audit", "version": 1, **facts})
    else:
        put(app.out, f"events: {found.events}\nhead: {found.head}\n")
    if found.broken is not None:
        app.warn(damage_of(app.database, found.broken).message)
        raise typer.Exit(StoreTrouble.code)
