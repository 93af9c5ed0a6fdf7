"""A synthetic year: weeks on the synthetic market in simulated time, traded on paper as cron and a person would."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from spy32.domain.market import SYNTHETIC
from spy32.domain.proposals import Proposal
from spy32.domain.runs import Run
from spy32.domain.spreads import Mode
from spy32.errors import NotFilled, Refused
from spy32.lifecycle import HELD_TRADES
from spy32.markets.synthetic import SyntheticMarket
from spy32.pipeline.sources import Sources
from spy32.pipeline.start import StartRequest, start_run
from spy32.review.outcomes import refresh_outcomes
from spy32.sessions import Session, market_date, session, week_start
from spy32.settings.paths import locations
from spy32.store import Store
from spy32.trading.approve import approve
from spy32.trading.execute import execute
from spy32.trading.manage import manage
from spy32.trading.review import review_proposal
from spy32.wiring import App
from spy32.wiring.clockwork import Clockwork
from spy32.wiring.markets import MarketRegistry
from spy32.wiring.outcomes import build_outcome_context

if TYPE_CHECKING:
    from spy32.pipeline.context import RunContext
    from spy32.ports import Market
    from spy32.trading.context import TradingContext
    from spy32.trading.managed_trade import ManagedTrade

LONGEST_LIFE = timedelta(days=45)
"""After the last Monday: the longest expiration on the menu, and the sessions in which assigned shares are sold."""
DECIDER = "simulation"
"""Who approves."""

StartTimes = Callable[[Session], Iterable[datetime]]
"""Session -> when cron and the person start the program."""


class SyntheticMarkets(MarketRegistry):
    """Every source is the synthetic market."""

    @cached_property
    def _synthetic(self) -> SyntheticMarket:
        return SyntheticMarket(self.clock)

    def get_market(self, name: str) -> "Market":
        return self._synthetic

    def quote_market(self, first: str) -> "Market":
        return self._synthetic

    def sources(self, requested: str | None) -> Sources:
        return Sources.single_source(self._synthetic)


class SyntheticApp(App):
    """The program in a paper home of its own, silent, with a clock that is moved from outside."""

    def __init__(self, home: Path, first: date) -> None:
        super().__init__(flags={"mode": Mode.PAPER}, env={}, locations=locations({}, str(home)))
        self._first = first

    @cached_property
    def process_clock(self) -> Clockwork:
        hours = session(self._first)
        assert hours is not None, f"{self._first} is no session"
        return Clockwork(hours.open, frozen=True)

    def move_clock(self, at: datetime) -> None:
        """Let it be `at`, unless it is later already."""
        self.process_clock.sleep(max((at - self.clock()).total_seconds(), 0.0))

    @cached_property
    def market_registry(self) -> SyntheticMarkets:
        return SyntheticMarkets(self.settings, self.clock, self.tastytrade)

    def store(self) -> Store:
        """The database, opened once and marked as synthetic."""
        return self._store

    @cached_property
    def _store(self) -> Store:
        store = super().store()
        # It need not outlive a power cut, and waiting for the disk would take half of the time.
        store.core.db.execute("pragma synchronous = off")
        store.flags.record(SYNTHETIC, f"days, SPY and VIX from {self._first} on; option prices are made", self.clock())
        return store

    def compute_outcomes(self) -> None:
        """Compute what came of every run, by the closes that ship, which the market has too.

        Once at the end: a refresh after every session takes minutes.
        """
        context = build_outcome_context(self, self.store(), self.market_registry)
        refresh_outcomes(replace(context, sources=lambda _is_recorded: context.sources(True)), is_forced=True)

    def _write_stderr(self, text: str, *, is_status_line: bool = False) -> None:
        """Write nothing: the log of the home has it."""


class SyntheticYear:
    """Weeks of runs, approvals, executions and closes."""

    def __init__(self, app: SyntheticApp, start_times: StartTimes) -> None:
        self.app, self._start_times = app, start_times

    def run(self, weeks: int, show_day: Callable[[date], None] = lambda day: None) -> None:
        """Trade so many weeks, then only manage until every trade has ended. `show_day` is told each session."""
        first = week_start(market_date(self.app.clock()))
        last = first + timedelta(weeks=weeks)
        trades = self.app.store().trades
        day = first
        while day < last or (trades.select(*HELD_TRADES) and day < last + LONGEST_LIFE):
            hours = session(day)
            if hours is not None:
                show_day(day)
                for at in self._start_times(hours):
                    self.app.move_clock(at)
                    self.start_programs(is_opening=day < last and day == week_start(day))
            day += timedelta(days=1)

    def start_programs(self, *, is_opening: bool) -> None:
        """What cron starts at one instant, and what a person does about it."""
        if is_opening:
            self.analyze()
        self.manage()

    def analyze(self) -> Run | None:
        """Start the scheduled run, and approve and execute its proposal. Return the run that this start made."""
        app = self.app
        context = app.start_context(app.settings, market=None, analyst="rules")
        seeded = replace(context, build_run_context=self._build_run_context)
        result = start_run(StartRequest(is_scheduled=True), seeded)
        if result.run is None or not result.is_new:
            return None
        store = app.store()
        proposal = store.proposals.find_by_run(result.run.id)
        if proposal is not None:
            trading = app.trading_context(store, proposal)
            try:
                approve(trading, review_proposal(trading, proposal.id), by=DECIDER)
                execute(trading, proposal.id)
            except (NotFilled, Refused) as error:
                self.report_unopened(proposal, error)
        return result.run

    def report_unopened(self, proposal: Proposal, error: NotFilled | Refused) -> None:
        """A proposal that became no trade, which is a good ending too."""
        self.app.warn(f"P{proposal.id} was not opened: {error.message}")

    def _build_run_context(self, store: Store, sources: Sources, run: Run) -> "RunContext":
        """The context that the app makes, with a seed that makes every year of the same days the same."""
        app = self.app
        context = app.run_context(store, sources=sources, analyst="rules", settings=app.settings, run=run)
        return replace(context, seed=run.id)

    def manage(self) -> "tuple[ManagedTrade, ...]":
        """Manage every open trade."""
        store = self.app.store()

        def context_for(proposal_id: int | None) -> "TradingContext":
            proposal = store.proposals.get(proposal_id) if proposal_id is not None else None
            return self.app.trading_context(store, proposal)

        return manage(context_for)
