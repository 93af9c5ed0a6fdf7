"""A weekly run in process, with a fake of everything but the store."""

from dataclasses import dataclass, field
from typing import Any

from spy32.analysts.rules import RulesAnalyst
from spy32.domain.events import EventCalendar
from spy32.domain.runs import Run, Trigger
from spy32.domain.spreads import Menu
from spy32.markets.bundled_history import total_returns
from spy32.pipeline.context import RunContext
from spy32.pipeline.run import run
from spy32.pipeline.sources import Sources
from spy32.settings import Settings
from spy32.store import Store
from tests.support.fakes import FakeAccount, FakeAnalyst, FakeMarket, FakeOrders, ManualClock


@dataclass
class Monday:
    store: Store
    market: FakeMarket = field(default_factory=FakeMarket)
    analyst: Any = field(default_factory=FakeAnalyst)
    account: FakeAccount = field(default_factory=FakeAccount)
    orders: FakeOrders = field(default_factory=FakeOrders)
    settings: Settings = field(default_factory=Settings)
    clock: ManualClock = field(default_factory=ManualClock)
    said: list[str] = field(default_factory=list)
    seconds: float = 0.0
    """The reading of the monotonic clock."""

    def run_context(self, begun: Run | None = None) -> RunContext:
        """The context of a run that has begun, or of a new one."""
        begun = begun or self.store.runs.begin(
            trigger=Trigger.MANUAL, mode=self.settings.mode, profile="default", at=self.clock()
        )
        return RunContext(
            store=self.store,
            sources=Sources.single_source(self.market),
            events=lambda earnings: EventCalendar(),
            documents=lambda: (),
            find_history=total_returns,
            analyst=self.analyst,
            shadows=(RulesAnalyst(self.settings),),
            account=self.account,
            orders=self.orders,
            settings=self.settings,
            profile="default",
            run_id=begun.id,
            clock=self.clock,
            monotonic=lambda: self.seconds,
            until=self.seconds + self.settings.schedule.run_deadline_seconds,
            seed=7,
            report=self.said.append,
            report_step=lambda step: self.said.append(step.detail),
        )

    def run(self) -> Run:
        return run(self.run_context())

    def menu(self, done: Run) -> Menu:
        found = self.store.decisions.menu(done.id)
        assert found is not None
        return found
