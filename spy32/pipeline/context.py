"""What a run is given, and how a step says what came of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from spy32.domain.briefing import Briefing
from spy32.domain.events import EventCalendar, ScheduledEvent
from spy32.domain.market import Chain, MarketSnapshot, QualityReport, RawDocument
from spy32.domain.runs import Outcome, StepState
from spy32.errors import ExitCode
from spy32.options.surface import Smile
from spy32.pipeline.sources import Sources
from spy32.ports import AccountGateway, Analyst, Clock, Market, Monotonic, OrderGateway
from spy32.settings import Settings
from spy32.store import Store

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContext:
    """Everything that one weekly run needs of the world."""

    store: Store
    sources: Sources
    events: Callable[[tuple[ScheduledEvent, ...] | None], EventCalendar]
    """The calendar for this underlying, given a company's earnings if they are known."""
    documents: Callable[[], tuple[RawDocument, ...]]
    """What the sources have sent so far, as they sent it."""
    analyst: Analyst
    shadows: tuple[Analyst, ...]
    account: AccountGateway
    orders: OrderGateway
    settings: Settings
    """With the profile merged."""
    profile: str
    run_id: int
    clock: Clock
    monotonic: Monotonic
    until: float
    """The reading of `monotonic` by which the run must be over."""
    seed: int
    """Seeds menu ids and their order; stored with the menu."""
    report: Callable[[str], None]

    def source(self, name: str) -> Market:
        """The source of the chain of record, to quote its legs again."""
        return next(market for market in self.sources.chain if market.name == name)

    @property
    def seconds_left(self) -> float:
        """Until the run must be over; never negative."""
        return max(self.until - self.monotonic(), 0.0)

    @property
    def underlying(self) -> str:
        return self.settings.profiles[self.profile].underlying


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult(Generic[T]):
    """A step that ended well: its value, and one line for the record."""

    value: T
    detail: str
    state: StepState = StepState.OK


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnd:
    """A step that rightly ends the run without a trade."""

    outcome: Outcome
    cause: str
    reasons: tuple[str, ...]
    code: int = ExitCode.OK
    """What the run ends with; set only when it failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedMarket:
    """What collect hands on: the snapshot, its judged chain, the valued expiration and the report."""

    snapshot: MarketSnapshot
    chain: Chain
    smile: Smile
    quality: QualityReport
    briefing: Briefing | None = None
