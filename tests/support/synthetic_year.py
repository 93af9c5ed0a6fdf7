"""Mondays on the synthetic market: scheduled starts every 15 minutes of every session, in simulated time, on paper.

Each Monday's proposal is approved and executed at once. The closes of most trades are sent by the approved plan; for
some nobody approves one, so that they run into expiration and settlement.
"""

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random

from spy32.analysts.rules import RulesAnalyst
from spy32.brokers.paper import PaperBroker
from spy32.domain.events import EventCalendar
from spy32.domain.market import DailyBar
from spy32.domain.orders import Trade
from spy32.domain.runs import Outcome, Run
from spy32.domain.spreads import MULTIPLIER, ExitAuthority, Mode
from spy32.errors import Spy32Error
from spy32.lifecycle import TradeState
from spy32.markets.bundled_history import total_returns
from spy32.pipeline.context import RunContext
from spy32.pipeline.sources import Sources
from spy32.pipeline.start import StartContext, StartRequest, start_run
from spy32.sessions import Session, session, week_start
from spy32.settings import Settings
from spy32.store import Store
from spy32.trading import settle
from spy32.trading.approve import approve
from spy32.trading.context import TradingContext
from spy32.trading.execute import execute
from spy32.trading.manage import manage
from spy32.trading.review import review_proposal
from tests.support import builders
from tests.support.fakes import FakeLocks, ManualClock
from tests.support.synthetic_market import SyntheticMarket

STEP = timedelta(minutes=15)
OPENING_CASH = Decimal(100_000)
OPEN_STATES = (TradeState.OPEN, TradeState.CLOSING, TradeState.ASSIGNED)
LONGEST_LIFE = timedelta(days=45)
"""After the last Monday: the longest expiration on the menu, and the sessions in which assigned shares are sold."""


@dataclass
class YearReport:
    """What came of the Mondays."""

    runs: Counter[str] = field(default_factory=Counter)
    """Outcomes and causes."""
    exits: Counter[str] = field(default_factory=Counter)
    starts: int = 0
    most_open: int = 0
    faults: list[str] = field(default_factory=list)
    trades: tuple[Trade, ...] = ()

    @property
    def result(self) -> Decimal:
        return sum((trade.result or Decimal(0) for trade in self.trades), Decimal(0))


class SyntheticYear:
    """A paper home in a folder, and the world around it."""

    def __init__(self, folder: Path, first: date, *, seed: int = 1, unattended_share: float = 0.3) -> None:
        self.clock = ManualClock(at=_hours(first).open)
        self.market = SyntheticMarket(self.clock)
        self.store = Store.create(
            folder / "paper.db",
            mode=Mode.PAPER,
            account=builders.ACCOUNT,
            at=self.clock(),
            opening_cash=OPENING_CASH,
        )
        self.locks = FakeLocks()
        self.settings = Settings()
        self.said: list[str] = []
        self.report = YearReport()
        self._random, self._unattended_share = Random(seed), unattended_share

    # The contexts that wiring makes in a real home.

    def broker(self) -> PaperBroker:
        return PaperBroker(
            ledger=self.store.paper,
            market=self.market,
            clock=self.clock,
            settings=self.settings,
            number=builders.ACCOUNT,
            find_bar=self._find_bar,
        )

    def _find_bar(self, underlying: str, day: date) -> DailyBar | None:
        """The bar of a session that has been over for a while."""
        return next((bar for bar in self.market.history(underlying, day) if bar.day == day), None)

    def trading_context(self, _proposal_id: int | None = None) -> TradingContext:
        broker = self.broker()
        return TradingContext(
            store=self.store,
            market=self.market,
            orders=broker,
            account=broker,
            locks=self.locks,
            settings=self.settings,
            clock=self.clock,
            sleep=self.clock.sleep,
            halt_reason=lambda: None,
            report=self.said.append,
            show_progress=lambda line: None,
            dividends=self.market.dividends,
        )

    def _run_context(self, store: Store, sources: Sources, run: Run) -> RunContext:
        broker = self.broker()
        return RunContext(
            store=store,
            sources=sources,
            events=lambda earnings: EventCalendar(),
            documents=lambda: (),
            find_history=total_returns,
            analyst=RulesAnalyst(self.settings),
            shadows=(),
            account=broker,
            orders=broker,
            settings=self.settings,
            profile="default",
            run_id=run.id,
            clock=self.clock,
            monotonic=lambda: 0.0,
            until=1000.0,
            seed=run.id,
            report=self.said.append,
            report_step=lambda step: self.said.append(step.detail),
        )

    def _start_context(self) -> StartContext:
        return StartContext(
            open_store=lambda: self.store,
            has_database=True,
            locks=self.locks,
            settings=self.settings,
            set_up_at=lambda: None,
            clock=self.clock,
            load_sources=lambda: Sources.single_source(self.market),
            is_recorded=False,
            build_run_context=self._run_context,
            settle_ended=lambda _store, _sources: self._settle(),
            warn=self.said.append,
        )

    def _settle(self) -> None:
        settle.settle_ended(self.trading_context)

    # Time.

    def run(self, weeks: int) -> YearReport:
        """Trade so many weeks, then only manage until every trade has ended."""
        first = week_start(self.clock().date())
        last = first + timedelta(weeks=weeks)
        day = first
        while day < last or (self.store.trades.select(*OPEN_STATES) and day < last + LONGEST_LIFE):
            hours = session(day)
            if hours is not None:
                self._trade_day(hours, opens=day < last)
            day += timedelta(days=1)
        self.report.trades = self.store.trades.select()
        self.report.exits = Counter(str(trade.exit_reason or trade.state) for trade in self.report.trades)
        return self.report

    def _trade_day(self, hours: Session, *, opens: bool) -> None:
        at = hours.open
        while at <= hours.option_close:
            self.clock.at = max(self.clock.at, at)
            self.report.starts += 1
            if opens and week_start(hours.day) == hours.day:
                self._analyze()
            self._manage()
            self._check_cash()
            at += STEP

    def _analyze(self) -> None:
        before = self.store.runs.latest()
        result = start_run(StartRequest(is_scheduled=True), self._start_context())
        if result.run is None or not result.is_new or (before is not None and result.run.id == before.id):
            return
        run = result.run
        self.report.runs[f"{run.outcome}{f' {run.cause}' if run.cause else ''}"] += 1
        if run.outcome is Outcome.FAILED:
            self.report.faults.append(f"{self.clock():%Y-%m-%d %H:%M} R{run.id} failed: {'; '.join(run.reasons)}")
        proposal = self.store.proposals.find_by_run(run.id)
        if proposal is None:
            return
        context = self.trading_context()
        try:
            approve(context, review_proposal(context, proposal.id), by="anna")
            execute(context, proposal.id)
        except Spy32Error as error:
            self.report.runs[f"not opened: {type(error).__name__}"] += 1

    def _manage(self) -> None:
        for managed in manage(self.trading_context):
            if managed.error is not None:
                self.report.runs[f"manage: {type(managed.error).__name__}"] += 1
        # Who approves the closes of the next opening.
        is_unattended = self._random.random() < self._unattended_share
        authority = ExitAuthority.ASK if is_unattended else ExitAuthority.PLAN
        self.settings = replace(self.settings, exit=replace(self.settings.exit, authorise=authority))

    # What must hold at every step.

    def _check_cash(self) -> None:
        """The paper broker's cash and that of our book are the opening cash and what every trade has brought so far."""
        trades = self.store.trades.select()
        self.report.most_open = max(self.report.most_open, sum(trade.state in OPEN_STATES for trade in trades))
        ended = sum((trade.result for trade in trades if trade.result is not None), Decimal(0))
        running = sum((_cash_so_far(trade) for trade in trades if trade.result is None), Decimal(0))
        cash = self.store.paper.cash()
        has_shares = any(trade.state is TradeState.ASSIGNED for trade in trades)
        if cash != OPENING_CASH + ended + running and not has_shares:
            self.report.faults.append(
                f"{self.clock():%Y-%m-%d %H:%M} cash {cash}, not {OPENING_CASH + ended + running}"
            )


def _cash_so_far(trade: Trade) -> Decimal:
    paid = (trade.debit or Decimal(0)) * trade.closed_quantity
    return (trade.credit * trade.quantity - paid) * MULTIPLIER - trade.fees


def _hours(day: date) -> Session:
    found = session(day)
    assert found is not None, f"{day} is no session"
    return found


def first_instant(day: str) -> datetime:
    """The open of that day."""
    return _hours(date.fromisoformat(day)).open
