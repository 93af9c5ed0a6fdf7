"""`positions`: our view beside the broker's."""

import typer

from spy32.commands.common import Json, app_of


def positions(ctx: typer.Context, json: Json = False) -> None:
    """Every contract that our book or the broker holds, side by side, with what explains a difference.

    Reads only. Ends 0 whatever differs; 75 when the broker's positions cannot be read.
    """
    from spy32.desk.beside import beside
    from spy32.render import desk_pages

    app = app_of(ctx)
    store = app.reading()
    bench = app.bench(store, None)
    view, trades, account = beside(bench), store.trades(), bench.account.facts()
    if json:
        desk_pages.put(app.out, desk_pages.positions_document(view, trades, account))
    else:
        desk_pages.positions(app.out, view, trades, account)
