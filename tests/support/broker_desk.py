"""A live desk whose broker is the local tastytrade server, reached through the real client."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from spy32.domain.orders import Trade
from spy32.trading.context import TradingContext
from tests.servers.tastytrade import Rig
from tests.servers.tastytrade_orders import START, TastytradeBrokerServer
from tests.support import builders
from tests.support.open_trades import entered, live_desk
from tests.support.tastytrade_broker import made
from tests.support.trading import TradingDesk

AFTER_EXPIRATION = builders.later(days=32, hours=8)
"""17:00 in New York on the expiration day, in winter time."""


@dataclass
class BrokerDesk:
    """A desk and the server behind it, on one clock."""

    desk: TradingDesk
    server: TastytradeBrokerServer

    def context_for(self, _proposal_id: int | None = None) -> TradingContext:
        return self.desk.trading_context

    def go(self, at: datetime) -> None:
        """Both clocks go on to an instant."""
        self.server.at = self.desk.clock.at = at

    def trade(self, number: int = 1) -> Trade:
        return self.desk.store.trades.get(number)

    @property
    def cash(self) -> Decimal:
        """What our book says that the account's cash changed by."""
        row = self.desk.store.core.row("select sum(amount_e4) from cash where book = 'account'")
        assert row is not None
        return Decimal(row[0] or 0) / 10_000

    @property
    def broker_cash(self) -> Decimal:
        """What the account's cash changed by."""
        return self.server.account().cash - START

    def entered(self, **over: Any) -> Trade:
        self.server.at = builders.later(minutes=6)
        return entered(self.desk, **over)


@contextmanager
def broker_desk(folder: Path) -> Iterator[BrokerDesk]:
    """A desk with an empty account, whose orders fill only by hand and whose assignments cost $5."""
    with TastytradeBrokerServer(at=builders.NOW).running() as server:
        assert isinstance(server, TastytradeBrokerServer)
        server.knows_every_symbol = True
        server.policy.fills_at, server.policy.debit_fills_at = Decimal(0), Decimal(1000)
        server.lifecycle.fee = Decimal(5)
        desk = live_desk(folder)
        broker: Any = made(Rig(server))
        broker.fill = lambda broker_id, spreads: server.fill(int(broker_id), spreads)
        desk.orders = desk.account = broker
        yield BrokerDesk(desk=desk, server=server)
        desk.store.close()
