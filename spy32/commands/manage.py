"""`manage` marks open trades and makes the closes that are due, `close` proposes one, `exits` explains the plan."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import typer

from spy32.commands.common import (
    App,
    TradeArgument,
    complete_ids,
    get_app,
    notices_sent,
    parse_price,
    parse_trade_id,
    print_answer,
    print_document,
    print_page,
    view_with_proposal,
)
from spy32.domain.proposals import Proposal
from spy32.errors import BadUsage, LockHeld, worst_error
from spy32.lifecycle import TradeState
from spy32.sessions import is_option_session

if TYPE_CHECKING:
    from spy32.markets.recorded import RecordedMarket
    from spy32.store import Store
    from spy32.trading.context import TradingContext
    from spy32.trading.managed_trade import ManagedTrade


def manage(
    ctx: typer.Context,
    trade: Annotated[
        int | None,
        typer.Argument(
            metavar="[T]",
            parser=parse_trade_id,
            help="Trade, such as T1; every open one by default.",
            autocompletion=complete_ids("T", "open", "closing"),
        ),
    ] = None,
    scheduled: Annotated[
        bool, typer.Option("--scheduled", help="Started by cron: silent unless a person must know; idle when closed.")
    ] = False,
    market: Annotated[
        str | None,
        typer.Option(metavar="M", help="recorded:FILE, a later chain for trades made on a recorded market (paper)."),
    ] = None,
) -> None:
    """Settle, mark and judge open trades, and propose the close that is due.

    Ends 0 when all is done or nothing is to do, else with the worst code of a trade.
    """
    app = get_app(ctx)
    if scheduled and market is not None:
        raise BadUsage("--market goes with a start by hand, not with --scheduled")
    if scheduled and (not is_option_session(app.clock()) or not app.has_store):
        return
    app.check_store_exists()
    with notices_sent(app):
        _manage(app, trade, market, scheduled=scheduled)


def _manage(app: App, number: int | None, market: str | None, *, scheduled: bool) -> None:
    """Manage the trades and print them; a scheduled start beside another one that manages does nothing."""
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
    _print_managed(app, found, scheduled=scheduled)


def close(
    ctx: typer.Context,
    trade: TradeArgument,
    at: Annotated[
        Decimal | None,
        typer.Option(metavar="PRICE", parser=parse_price, help="The ceiling: the most to pay a share, such as 0.30."),
    ] = None,
) -> None:
    """Propose a close by hand, from the mid to the natural or to your own ceiling; `approve` decides about it."""
    from spy32.trading.manage import propose_close

    app = get_app(ctx)
    app.check_store_exists()
    with notices_sent(app):
        store = app.store()
        earlier = store.proposals.find_live_close(trade)
        context = app.trading_context(store, store.proposals.get(store.trades.get(trade).proposal_id))
        found = propose_close(context, trade, at)
        _print_close(app, store, found, earlier)


def _print_close(app: App, store: "Store", found: "ManagedTrade", earlier: "Proposal | None") -> None:
    """The close that was proposed, and which earlier one it takes the place of."""
    assert found.proposal is not None
    if app.wants_json:
        from spy32.render.documents import emit
        from spy32.render.run_documents import approval_document

        view = view_with_proposal(store, store.history.view(found.trade.run_id), found.proposal)
        emit(app.out, approval_document(view, found.proposal))
        return
    from spy32.render.manage_pages import managed_page

    if earlier is not None:
        found = replace(found, warnings=(*found.warnings, f"P{found.proposal.id} takes the place of P{earlier.id}"))
    print_page(app, managed_page([found]))


def exits(ctx: typer.Context, trade: TradeArgument) -> None:
    """Every rule of a trade's exit plan: when or at what price it fires, how far away that is, and what is due.

    Looks only: nothing is stored. Without quotes it says so and goes by the newest mark on record.
    """
    from spy32.render.manage_documents import EXITS, explained_exits
    from spy32.render.manage_pages import exits_page
    from spy32.trading.manage import judge_trade

    app = get_app(ctx)
    store = app.open_for_reading()
    context = app.trading_context(store, store.proposals.get(store.trades.get(trade).proposal_id))
    found = judge_trade(context, trade)
    newest = found.mark or store.marks.latest(trade)
    print_answer(app, EXITS, explained_exits(found, newest), exits_page(found, newest))


def _load_later_market(app: App, store: "Store", name: str, number: int | None) -> "RecordedMarket":
    """The recorded market that was named, on which the trades of an earlier one are managed."""
    from spy32.wiring.markets import load_later_market

    trades = (
        [store.trades.get(number)]
        if number is not None
        else store.trades.select(TradeState.OPEN, TradeState.CLOSING, TradeState.ASSIGNED)
    )
    proposals = [store.proposals.get(trade.proposal_id) for trade in trades]
    return load_later_market(name, app.settings.mode, proposals)


def _print_managed(app: App, found: "Sequence[ManagedTrade]", *, scheduled: bool) -> None:
    """The trades for a person or a script; under cron only those that a person must hear of; then the worst code."""
    told = [state for state in found if state.is_news] if scheduled else found
    if app.wants_json:
        from spy32.render.manage_documents import MANAGED, Management

        print_document(app, MANAGED, Management(trades=tuple(found)))
    elif told or not scheduled:
        from spy32.render.manage_pages import managed_page

        print_page(app, managed_page(told))
    errors = []
    for state in found:
        if state.error is not None:
            app.warn(f"T{state.trade.id}: {state.error.message}")
            errors.append(state.error)
    if errors:
        raise typer.Exit(worst_error(errors).code)
