"""`manage` marks open trades and makes the closes that are due, `close` proposes one, `exits` explains the plan."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from spy32.commands.common import Json, get_app, notices_sent, parse_id, parse_price
from spy32.commands.completion import complete_ids

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spy32.domain.proposals import Proposal
    from spy32.markets.recorded import RecordedMarket
    from spy32.store import Store
    from spy32.trading.context import TradingContext
    from spy32.trading.managed_trade import ManagedTrade
    from spy32.wiring import App

complete_trades = complete_ids("T", "open", "closing")
TradeArgument = Annotated[str, typer.Argument(metavar="T", help="Trade, such as T1.", autocompletion=complete_trades)]


def manage(
    ctx: typer.Context,
    trade: Annotated[
        str | None,
        typer.Argument(
            metavar="[T]", help="Trade, such as T1; every open one by default.", autocompletion=complete_trades
        ),
    ] = None,
    scheduled: Annotated[
        bool, typer.Option("--scheduled", help="Started by cron: silent unless a person must know; idle when closed.")
    ] = False,
    market: Annotated[
        str | None,
        typer.Option(metavar="M", help="recorded:FILE, a later chain for trades made on a recorded market (paper)."),
    ] = None,
    json: Json = False,
) -> None:
    """Settle, mark and judge open trades, and propose the close that is due.

    Ends 0 when all is done or nothing is to do, else with the worst code of a trade.
    """
    from spy32.errors import BadUsage

    app = get_app(ctx)
    if scheduled and market is not None:
        raise BadUsage("--market goes with a start by hand, not with --scheduled")
    number = parse_id(trade, "T", "trade") if trade is not None else None
    if scheduled and _is_idle(app):
        return
    app.check_store_exists()
    with notices_sent(app):
        _manage(app, number, market, scheduled=scheduled, json=json)


def _manage(app: "App", number: int | None, market: str | None, *, scheduled: bool, json: bool) -> None:
    """Manage the trades and print them; a scheduled start beside another one that manages does nothing."""
    from spy32.errors import LockHeld
    from spy32.trading.manage import manage as manage_trades
    from spy32.wiring.outcomes import refresh_due_outcomes

    store = app.store()
    later = _load_later_market(app, store, market, number) if market is not None else None

    def context_for(proposal_id: int | None) -> "TradingContext":
        proposal = store.proposals.get(proposal_id) if proposal_id is not None else None
        return app.trading_context(store, proposal, later=later)

    try:
        found = manage_trades(context_for, number)
    except LockHeld:
        if not scheduled:
            raise
        return
    refresh_due_outcomes(app, store, lambda: app.market_registry)
    _print_managed(app, found, scheduled=scheduled, json=json)


def close(
    ctx: typer.Context,
    trade: TradeArgument,
    at: Annotated[
        str | None, typer.Option(metavar="PRICE", help="The ceiling: the most to pay a share, such as 0.30.")
    ] = None,
    json: Json = False,
) -> None:
    """Propose a close by hand, from the mid to the natural or to your own ceiling; `approve` decides about it."""
    from spy32.trading.manage import propose_close

    app = get_app(ctx)
    number, price = parse_id(trade, "T", "trade"), parse_price(at) if at is not None else None
    app.check_store_exists()
    with notices_sent(app):
        store = app.store()
        earlier = store.proposals.find_live_close(number)
        found = propose_close(_load_context(app, store, number), number, price)
        _print_close(app, store, found, earlier, json=json)


def _print_close(app: "App", store: "Store", found: "ManagedTrade", earlier: "Proposal | None", *, json: bool) -> None:
    """The close that was proposed, and which earlier one it takes the place of."""
    assert found.proposal is not None
    if json:
        from spy32.commands.common import view_with_proposal
        from spy32.render.documents import emit
        from spy32.render.run_documents import approval_document

        view = view_with_proposal(store, store.history.view(found.trade.run_id), found.proposal)
        emit(app.out, approval_document(view, found.proposal))
        return
    from spy32.render.manage_pages import managed_page
    from spy32.render.output import print_page

    if earlier is not None:
        found = replace(found, warnings=(*found.warnings, f"P{found.proposal.id} takes the place of P{earlier.id}"))
    print_page(app.out, managed_page([found]))


def exits(ctx: typer.Context, trade: TradeArgument, json: Json = False) -> None:
    """Every rule of a trade's exit plan: when or at what price it fires, how far away that is, and what is due.

    Looks only: nothing is stored. Without quotes it says so and goes by the newest mark on record.
    """
    from spy32.trading.manage import judge_trade

    app = get_app(ctx)
    number = parse_id(trade, "T", "trade")
    store = app.open_for_reading()
    found = judge_trade(_load_context(app, store, number), number)
    newest = found.mark or store.marks.latest(number)
    if json:
        from spy32.render.documents import print_document
        from spy32.render.manage_documents import EXITS, explained_exits

        print_document(app.out, EXITS, explained_exits(found, newest))
        return
    from spy32.render.manage_pages import exits_page
    from spy32.render.output import print_page

    print_page(app.out, exits_page(found, newest))


def _is_idle(app: "App") -> bool:
    """Whether a scheduled start has nothing to do: no options trade now, or this home has no database."""
    from spy32.sessions import is_option_session

    return not is_option_session(app.clock()) or not app.has_store


def _load_later_market(app: "App", store: "Store", name: str, number: int | None) -> "RecordedMarket":
    """The recorded market that was named, on which the trades of an earlier one are managed."""
    from spy32.lifecycle import TradeState
    from spy32.wiring.markets import load_later_market

    trades = (
        [store.trades.get(number)]
        if number is not None
        else store.trades.select(TradeState.OPEN, TradeState.CLOSING, TradeState.ASSIGNED)
    )
    proposals = [store.proposals.get(trade.proposal_id) for trade in trades]
    return load_later_market(name, app.settings.mode, proposals)


def _load_context(app: "App", store: "Store", number: int) -> "TradingContext":
    return app.trading_context(store, store.proposals.get(store.trades.get(number).proposal_id))


def _print_managed(app: "App", found: "Sequence[ManagedTrade]", *, scheduled: bool, json: bool) -> None:
    """The trades for a person or a script; under cron only those that a person must hear of; then the worst code."""
    from spy32.errors import worst_error

    told = [state for state in found if state.is_news] if scheduled else found
    if json:
        from spy32.render.documents import print_document
        from spy32.render.manage_documents import MANAGED, Management

        print_document(app.out, MANAGED, Management(trades=tuple(found)))
    elif told or not scheduled:
        from spy32.render.manage_pages import managed_page
        from spy32.render.output import print_page

        print_page(app.out, managed_page(told))
    errors = [(state, state.error) for state in found if state.error is not None]
    for state, error in errors:
        app.warn(f"T{state.trade.id}: {error.message}")
    if errors:
        raise typer.Exit(worst_error([error for _, error in errors]).code)
