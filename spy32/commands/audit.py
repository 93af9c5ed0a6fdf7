"""`audit`: the history as evidence."""

from typing import Annotated

import typer

from spy32.commands.common import Json, get_app

Head = Annotated[str | None, typer.Option(help="A head noted earlier: shows whether the end was cut off since.")]


def verify(ctx: typer.Context, head: Head = None, json: Json = False) -> None:
    """Recompute the hash chain and compare every row with it; ends 74 naming the first that was changed."""
    from spy32.errors import ExitCode
    from spy32.render.output import write_text
    from spy32.store import damage_with_remedy

    app = get_app(ctx)
    result = app.open_for_reading(lapses=False).audit.verify(head=head)
    if json:
        from spy32.render.documents import print_document
        from spy32.render.home_documents import AUDIT

        print_document(app.out, AUDIT, result)
    else:
        write_text(app.out, f"events: {result.events}\nhead: {result.head}\n")
    if result.broken is not None:
        app.warn(damage_with_remedy(app.database, result.broken).message)
        raise typer.Exit(ExitCode.STORE_TROUBLE)
