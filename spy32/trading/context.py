"""What a trading use case works with."""

from collections.abc import Callable

from spy32.domain.market import Dividend
from spy32.domain.value import value
from spy32.errors import NotPermitted
from spy32.ports import AccountGateway, Clock, Locks, Market, OrderGateway, Sleep
from spy32.settings import Settings
from spy32.store import Store


def _no_dividends(_ticker: str) -> None:
    """The dividends of a context without sources of them: unknown."""


@value
class TradingContext:
    """Store, broker, market and time for acting on a proposal. Paper and live differ in `orders` and `account` only."""

    store: Store
    market: Market | None
    orders: OrderGateway
    account: AccountGateway
    locks: Locks
    settings: Settings
    clock: Clock
    sleep: Sleep
    halt_reason: Callable[[], str | None]
    """The reason in the halt file, or None."""
    report: Callable[[str], None]
    """Prints a line for the person."""
    show_progress: Callable[[tuple[str, ...]], None]
    """Shows the parts of a progress line, which the next one replaces on a terminal; the first part may be left out."""
    dividends: Callable[[str], tuple[Dividend, ...] | None] = _no_dividends
    """Returns past and coming ex-dates of a ticker; None when no source serves them."""

    def stop_if_halted(self) -> None:
        """Raise `NotPermitted` while the halt file exists."""
        reason = self.halt_reason()
        if reason is not None:
            raise NotPermitted(f"halted: {reason}; `spy32 resume` lifts it")


def proposal_lock_name(proposal_id: int) -> str:
    """Return the name of the kernel lock that is held while this process may have a live order of the proposal."""
    return f"proposal-{proposal_id}"
