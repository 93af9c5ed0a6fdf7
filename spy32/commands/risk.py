"""`risk`: what the whole book may lose, what its limits leave, and what a gap would cost."""

import typer

from spy32.commands.common import get_app, print_answer
from spy32.errors import Spy32Error


def risk(ctx: typer.Context) -> None:
    """Open maximum loss, room under each limit, greeks, gaps and slides, and the ladder by expiration.

    Reads only; the figures are shown and limit nothing. Trades are valued at their newest marks.
    """
    from spy32.ops.last_account import last_known_account
    from spy32.ops.risk import load_risk
    from spy32.render.output import is_full_terminal
    from spy32.render.risk import risk_page
    from spy32.render.risk_documents import RISK

    app, note = get_app(ctx), ""
    store = app.open_for_reading()
    try:
        account = app.broker(store, None).facts()
    except Spy32Error as error:
        # As the newest run saw it, where the broker does not state it now.
        known = last_known_account(store)
        if known is None:
            raise
        account, at = known
        note = f"the account is that of {at:%Y-%m-%d %H:%M} UTC: {error.message}"
    report = load_risk(store, account, app.settings, app.clock(), account_note=note)
    height = app.out.size.height if is_full_terminal(app.out) else None
    print_answer(app, RISK, report, risk_page(report, height=height))
