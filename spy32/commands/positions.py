"""`positions`: our view beside the broker's."""

import typer

from spy32.commands.common import Json, app_of


def positions(ctx: typer.Context, json: Json = False) -> None:
    """Every contract that our book or the broker holds, side by side."""
    from spy32.desk.reconcile import holdings
    from spy32.render.desk import positions as show

    app = app_of(ctx)
    store = app.reading()
    bench = app.bench(store, None)
    show(app.out, holdings(bench), store.trades(), bench.account.facts(), json=json)
