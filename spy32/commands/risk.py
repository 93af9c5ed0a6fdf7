"""`risk`: what the whole book may lose, what its limits leave, and what a gap would cost."""

from typing import TYPE_CHECKING

import typer

from spy32.commands.common import Json, get_app

if TYPE_CHECKING:
    from spy32.domain.spreads import Account
    from spy32.store import Store
    from spy32.wiring import App


def risk(ctx: typer.Context, json: Json = False) -> None:
    """Open maximum loss, room under each limit, greeks, gaps and slides, and the ladder by expiration.

    Reads only; the figures are shown and limit nothing. Trades are valued at their newest marks.
    """
    from spy32.ops.risk import load_risk

    app = get_app(ctx)
    store = app.open_for_reading()
    account, note = _load_account(app, store)
    report = load_risk(store, account, app.settings, app.clock(), account_note=note)
    if json:
        from spy32.render.documents import print_document
        from spy32.render.risk_documents import RISK

        print_document(app.out, RISK, report)
        return
    from spy32.console import PlainConsole
    from spy32.render.output import is_full_terminal, print_page
    from spy32.render.risk import risk_page

    height = None if isinstance(app.out, PlainConsole) or not is_full_terminal(app.out) else app.out.size.height
    print_page(app.out, risk_page(report, height=height))


def _load_account(app: "App", store: "Store") -> "tuple[Account, str]":
    """The account as the broker states it now, or else that of the newest run, and a line that says so."""
    from spy32.errors import Spy32Error
    from spy32.ops.last_account import last_known_account

    try:
        return app.broker(store, None).facts(), ""
    except Spy32Error as error:
        known = last_known_account(store)
        if known is None:
            raise
        account, at = known
        return account, f"the account is that of {at:%Y-%m-%d %H:%M} UTC: {error.message}"
