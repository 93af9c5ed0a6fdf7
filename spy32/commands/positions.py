"""`positions`: our view beside the broker's."""

import typer

from spy32.commands.common import get_app
from spy32.sessions import market_date


def positions(ctx: typer.Context) -> None:
    """Every contract that our book or the broker holds, side by side, with what explains a difference.

    Reads only. Ends 0 whatever differs; 75 when the broker's positions cannot be read.
    """
    from spy32.trading.position_diff import compare_with_broker

    app = get_app(ctx)
    store = app.open_for_reading()
    context = app.trading_context(store, None)
    diff = compare_with_broker(context)
    trades, account = store.trades.select(), context.account.facts()
    totals = store.results.totals(market_date(context.clock()))
    if app.wants_json:
        from spy32.render.documents import emit
        from spy32.render.trading_documents import positions_document

        marks = {trade.id: store.marks.latest(trade.id) for trade in trades}
        emit(app.out, positions_document(diff, trades, account, totals, marks))
    else:
        from spy32.ops.open_trades import load_open_trades
        from spy32.render.output import print_wrapped
        from spy32.render.trading import positions_lines

        open_trades = tuple(load_open_trades(store, context.clock()))
        print_wrapped(app.out, positions_lines(diff, trades, account, totals, open_trades))
