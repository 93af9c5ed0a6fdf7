"""What a desk command is given of the world."""

from collections.abc import Callable

from spy32.domain.value import value
from spy32.errors import NotPermitted
from spy32.ports import AccountGateway, Clock, Locks, Market, OrderGateway, Sleep
from spy32.settings import Settings
from spy32.store import Store


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
    """A line of the story, for good."""
    show_progress: Callable[[str], None]
    """A line that the next one replaces, where there is a terminal."""

    def stop_if_halted(self) -> None:
        """`NotPermitted` while the halt file is there."""
        reason = self.halt_reason()
        if reason is not None:
            raise NotPermitted(f"halted: {reason}; `spy32 resume` lifts it")


def proposal_lock_name(proposal_id: int) -> str:
    """The kernel lock that is held while an order of this proposal may be alive in this process."""
    return f"proposal-{proposal_id}"
