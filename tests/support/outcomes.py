"""Outcomes, and the closes that they are computed from: those that ship, as a source of the day would serve them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from spy32.domain.market import DailyBar
from spy32.domain.outcomes import CandidateOutcome, DailyClose, PlanOutcome
from spy32.domain.proposals import ExitReason
from spy32.domain.spreads import Strategy
from spy32.errors import Unavailable
from spy32.markets import bundled_history
from spy32.review.outcomes import CloseSources, OutcomeContext
from spy32.settings import Settings
from spy32.settings.profiles import decision_settings
from spy32.store import Store
from spy32.wiring.outcomes import find_smile
from tests.support import builders, stores

D = Decimal


def outcome(**over: Any) -> CandidateOutcome:
    """The default candidate, held to expiration, with all that can be known of it."""
    base: dict[str, Any] = {
        "run_id": 1,
        "candidate_id": builders.candidate().id,
        "strategy": Strategy.PUT_CREDIT,
        "expiration": builders.EXPIRATION,
        "max_loss": D("448.26"),
        "settlement": D("670.97"),
        "expiry": D("51.74"),
        "plan": PlanOutcome(day=date(2025, 10, 24), reason=ExitReason.TARGET, result=D("24.48"), is_modelled=True),
        "is_final": True,
    }
    return CandidateOutcome(**{**base, **over})


def close(day: str = "2025-10-06", price: str = "671.61", **over: Any) -> DailyClose:
    base: dict[str, Any] = {"ticker": "SPY", "day": date.fromisoformat(day), "close": D(price), "source": "cboe"}
    return DailyClose(**{**base, **over})


@dataclass
class FakeCloses:
    """A source of closes that can lack some, serve others, or be away."""

    clock: Any
    missing: set[date] = field(default_factory=set)
    without_vix: set[date] = field(default_factory=set)
    scaled: dict[date, float] = field(default_factory=dict)
    """Factors of closes, as after a split."""
    is_away: bool = False
    asked: list[date] = field(default_factory=list)

    def find_bar(self, ticker: str, day: date) -> DailyBar | None:
        self.asked.append(day)
        if self.is_away:
            raise Unavailable("cboe does not answer")
        found = (bar for bar in bundled_history.daily_bars(self.clock(), day) if bar.day == day)
        bar = next(found, None) if day not in self.missing else None
        factor = next((factor for first, factor in self.scaled.items() if first <= day), 1.0)
        return DailyBar(day=day, close=bar.close * factor, open=bar.open) if bar is not None else None

    def vix_closes(self, since: date) -> Mapping[date, float]:
        levels = dict(bundled_history.volatility_history(self.clock(), since))
        return {day: level for day, level in levels.items() if day not in self.without_vix}


@dataclass
class OutcomeDesk:
    """A store with runs, a clock that a test sets, and the closes as they were then."""

    store: Store
    now: datetime
    closes: FakeCloses = field(init=False)

    def __post_init__(self) -> None:
        self.closes = FakeCloses(clock=lambda: self.now)

    def context(self, **over: Any) -> OutcomeContext:
        sources = CloseSources(name="cboe", find_bar=self.closes.find_bar, vix_closes=self.closes.vix_closes)
        base: dict[str, Any] = {
            "store": self.store, "clock": lambda: self.now, "sources": lambda _: sources, "find_smile": find_smile,
        }  # fmt: skip
        return OutcomeContext(**{**base, **over})

    def decide(self, **snapshot: Any) -> int:
        """A run with a menu that has not been refreshed; returns its id."""
        run = stores.begun(self.store, slot=None)
        seen = builders.snapshot(**snapshot)
        line = builders.market_line(underlying=seen.underlying, is_recorded=seen.is_recorded, as_of=seen.as_of)
        deciding = decision_settings(Settings(), "default")
        self.store.decisions.save_snapshot(run.id, seen, builders.quality(), line, builders.NOW, deciding=deciding)
        self.store.decisions.save_menu(run.id, builders.menu(), builders.NOW)
        return run.id
