"""Settles what has ended before a command answers or acts; nothing of a broker is loaded while nothing can have."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from spy32.errors import Spy32Error
from spy32.lifecycle import TradeState
from spy32.store import Store

if TYPE_CHECKING:
    from spy32.domain.orders import Trade
    from spy32.trading.context import TradingContext
    from spy32.wiring.base import AppBase


def settle_ended(app: "AppBase", store: Store, build_context: "Callable[[], TradingContext]") -> None:
    """Settle trades that have expired, and what became of assigned ones; warn of what cannot be settled yet."""
    if not store.trades.select_expired(app.clock()) and not store.trades.select(TradeState.ASSIGNED):
        return
    from spy32.trading import reconcile

    try:
        settled = reconcile.settle_ended(build_context())
    except Spy32Error as error:
        app.warn(f"trades that have ended are not settled: {error.message}")
        return
    for message in (message for messages in settled.warnings.values() for message in messages):
        app.warn(message)


def settle_expired(app: "AppBase", read_store: Store, settle: "Callable[[Store], None]") -> bool:
    """Whether trades that have expired were settled, in an opening of its own; a store that only reads cannot."""
    expired: tuple[Trade, ...] = ()
    try:
        expired = read_store.trades.select_expired(app.clock())
        if expired:
            mode, path = app.settings.mode, app.database
            with app.locks.enter_home(), Store.open(path, mode=mode, account=None, at=app.clock()) as store:
                settle(store)
    except Spy32Error as error:
        # Rows that cannot be read are for the command itself.
        for trade in expired:
            app.warn(f"T{trade.id} expired on {trade.expiration} and cannot be settled here: {error.message}")
        return False
    return bool(expired)
