"""The context of a run, and the result types of its steps."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Generic, TypeVar

from spy32.domain.briefing import Briefing
from spy32.domain.events import EventCalendar, ScheduledEvent
from spy32.domain.findings import RiskDecision
from spy32.domain.market import Chain, MarketSnapshot, QualityReport, RawDocument
from spy32.domain.runs import Cause, Outcome, Step, StepState
from spy32.domain.spreads import Account, Candidate
from spy32.domain.value import value
from spy32.errors import ExitCode
from spy32.options.history import DailyHistory
from spy32.options.surface import Smile
from spy32.pipeline.sources import Sources
from spy32.ports import AccountGateway, Analyst, Clock, Monotonic, OrderGateway
from spy32.rules.limits import assess_risk
from spy32.sessions import market_date, week_start
from spy32.settings import Settings
from spy32.store import Store

T = TypeVar("T")

HistoryLookup = Callable[[str, datetime], DailyHistory | None]
"""Underlying and instant -> its long daily history until then; None where there is none."""
RULE_ANALYSTS = frozenset({"rules", "trend"})
"""The fixed rules: they cost nothing to ask, and a replay computes their answers again."""


@value
class RunContext:
    """Everything that a weekly run needs from outside."""

    store: Store
    sources: Sources
    events: Callable[[tuple[ScheduledEvent, ...] | None], EventCalendar]
    """Returns the event calendar of the underlying, given a company's earnings if they are known."""
    documents: Callable[[], tuple[RawDocument, ...]]
    """Returns the raw documents that the sources have sent so far."""
    find_history: HistoryLookup
    analyst: Analyst
    shadows: tuple[Analyst, ...]
    account: AccountGateway
    orders: OrderGateway
    settings: Settings
    """The settings with the profile merged in."""
    profile: str
    run_id: int
    clock: Clock
    monotonic: Monotonic
    until: float
    """The reading of `monotonic` by which the run must be over."""
    seed: int
    """Seeds menu ids and their order; stored with the menu."""
    report: Callable[[str], None]
    report_step: Callable[[Step], None]

    @property
    def seconds_left(self) -> float:
        """Until the run must be over; never negative."""
        return max(self.until - self.monotonic(), 0.0)

    @property
    def underlying(self) -> str:
        """The ticker of the profile."""
        return self.settings.profiles[self.profile].underlying

    def assess_risk(
        self, candidates: Sequence[Candidate], snapshot: MarketSnapshot, account: Account, now: datetime
    ) -> tuple[RiskDecision, ...]:
        """The risk decision on each candidate, beside what our own book and the account have open."""
        today = market_date(now)
        exposure = self.store.risk.exposure(
            run_id=self.run_id, today=today, week_start=week_start(today), account=account
        )
        return tuple(
            assess_risk(candidate, snapshot, account, exposure, settings=self.settings, now=now)
            for candidate in candidates
        )


@value
class StepResult(Generic[T]):
    """A completed step: its value, and one line for the record."""

    value: T
    detail: str
    state: StepState = StepState.OK


@value
class RunEnd:
    """The end of a run without a trade."""

    outcome: Outcome
    cause: Cause
    reasons: tuple[str, ...]
    code: int = ExitCode.OK
    """What the run ends with; set only when it failed."""

    @classmethod
    def no_trade(cls, cause: Cause, *reasons: str) -> "RunEnd":
        return cls(outcome=Outcome.NO_TRADE, cause=cause, reasons=reasons)


@value
class CheckedMarket:
    """The result of collect: the snapshot, the usable chain, the smile of the target expiration, and the report."""

    snapshot: MarketSnapshot
    chain: Chain
    smile: Smile
    quality: QualityReport
    briefing: Briefing | None = None
