"""A desk to test on: a real store in a temporary folder, one approved proposal, fakes for the rest of the world."""

from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path

from spy32.domain.orders import Order
from spy32.domain.proposals import Proposal
from spy32.domain.spreads import Mode
from spy32.lifecycle import OrderState, ProposalState
from spy32.rules import plan
from spy32.settings import Settings
from spy32.store import Store
from spy32.trading.context import TradingContext
from tests.support import builders
from tests.support.fakes import FakeAccount, FakeLocks, FakeMarket, FakeOrders, ManualClock


@dataclass
class TradingDesk:
    store: Store
    clock: ManualClock
    market: FakeMarket
    orders: FakeOrders
    account: FakeAccount = field(default_factory=FakeAccount)
    locks: FakeLocks = field(default_factory=FakeLocks)
    settings: Settings = field(default_factory=Settings)
    said: list[str] = field(default_factory=list)
    halt: str | None = None

    @property
    def trading_context(self) -> TradingContext:
        return TradingContext(
            store=self.store,
            market=self.market,
            orders=self.orders,
            account=self.account,
            locks=self.locks,
            settings=self.settings,
            clock=self.clock,
            sleep=self.clock.sleep,
            halt_reason=lambda: self.halt,
            report=self.said.append,
            show_progress=lambda line: None,
            dividends=lambda ticker: None,
        )

    def proposed(self, **over: object) -> Proposal:
        """A proposal waiting for a person, hashed as the rules hash it."""
        mode = self.store.core.mode
        run = self.store.runs.begin(trigger=builders.run().trigger, mode=mode, profile="default", at=builders.NOW)
        made = builders.proposal_terms(run_id=run.id, mode=mode, **over)
        made = replace(made, hash=plan.proposal_digest(made))
        return self.store.proposals.add(made, body="{}", at=builders.NOW)

    def approved(self, **over: object) -> int:
        """The id of a proposal that anna approved at the quotes of the market as it is."""
        made = self.proposed(**over)
        self.store.proposals.approve(builders.approval(made))
        self.clock.at = builders.later(minutes=6)
        return made.id

    def state(self, proposal_id: int) -> ProposalState:
        return self.store.proposals.get(proposal_id).state

    def order_states(self, proposal_id: int) -> list[OrderState]:
        return [order.state for order in self.store.orders.select_by_proposal(proposal_id)]

    def last_order(self, proposal_id: int) -> Order:
        return self.store.orders.select_by_proposal(proposal_id)[-1]


def trading_desk(folder: Path, **over: object) -> TradingDesk:
    """A desk at ten on a Monday in New York, with a market that stands still and a broker that fills nothing."""
    clock = ManualClock()
    store = Store.open(
        folder / "paper.db", mode=Mode.PAPER, account=builders.ACCOUNT, at=builders.NOW, opening_cash=Decimal(100_000)
    )
    made = TradingDesk(store=store, clock=clock, market=FakeMarket(), orders=FakeOrders(clock=clock))
    for name, value in over.items():
        setattr(made, name, value)
    return made
