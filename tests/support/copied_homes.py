"""Live desks on one account: a home with an approved proposal, and copies of it that are put elsewhere or put back."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from spy32.domain.market import Chain
from spy32.domain.orders import BrokerOrder
from spy32.domain.spreads import Mode
from spy32.records import maintenance
from spy32.settings import Settings
from spy32.store import Store
from tests.support import builders
from tests.support.fakes import FakeAccount, FakeMarket, FakeOrders, ManualClock
from tests.support.trading import TradingDesk


@dataclass(eq=False)
class FreshMarket(FakeMarket):
    """Quotes that are always of now."""

    clock: ManualClock = field(default_factory=ManualClock)

    def _serve(self) -> Chain:
        return replace(super()._serve(), as_of=self.clock())


def live_desk(folder: Path, *, beside: TradingDesk | None = None) -> TradingDesk:
    """A live desk with an empty book, at the broker and in the time of another one if `beside` is given."""
    folder.mkdir(parents=True, exist_ok=True)
    store = Store.open(folder / "live.db", mode=Mode.LIVE, account=builders.ACCOUNT, at=builders.NOW)
    return at_broker(store, beside)


def at_broker(store: Store, beside: TradingDesk | None = None) -> TradingDesk:
    clock = beside.clock if beside is not None else ManualClock()
    orders = beside.orders if beside is not None else FakeOrders(clock=clock)
    return TradingDesk(
        store=store,
        clock=clock,
        market=FreshMarket(clock=clock),
        orders=orders,
        account=FakeAccount(account=builders.account(mode=Mode.LIVE)),
        settings=Settings(mode=Mode.LIVE),
    )


def copied(desk: TradingDesk, folder: Path) -> TradingDesk:
    """The same book in another folder, at the same broker, with locks of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    target = desk.store.backup.create(folder / "live.db")
    return at_broker(Store.open(target, mode=Mode.LIVE, account=builders.ACCOUNT, at=desk.clock()), desk)


def restored(desk: TradingDesk, backup: Path) -> TradingDesk:
    """The book as it was at the backup, put back in its place."""
    path = desk.store.core.path
    desk.store.close()
    maintenance.restore(backup, path, mode=Mode.LIVE, at=desk.clock())
    return at_broker(Store.open(path, mode=Mode.LIVE, account=builders.ACCOUNT, at=desk.clock()), desk)


def just_before_the_order(desk: TradingDesk, meanwhile: Callable[[], object]) -> None:
    """This happens once the next order of the broker has left and before it arrives there."""
    take = desk.orders.submit

    def submit(body: str) -> BrokerOrder:
        desk.orders.submit = take  # type: ignore[method-assign]
        meanwhile()
        return take(body)

    desk.orders.submit = submit  # type: ignore[method-assign]
