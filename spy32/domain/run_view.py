"""One run with all that came of it, as `show`, `approve` and JSON need it: read from the store, never written to it."""

from collections.abc import Mapping
from dataclasses import field
from datetime import date, datetime
from typing import TYPE_CHECKING

from spy32.domain.market import QualityReport
from spy32.domain.orders import Fill, Order, Trade
from spy32.domain.proposals import Approval, Proposal, Recommendation, RiskDecision
from spy32.domain.runs import Run
from spy32.domain.spreads import Menu
from spy32.domain.units import ModelDollars, QuotedPrice
from spy32.domain.value import value

if TYPE_CHECKING:  # read only where a model was asked
    from spy32.domain.briefing import Briefing
    from spy32.domain.model_calls import UsageSummary


@value
class MarketSummary:
    """The market of a run in one line; the whole snapshot stays compressed until it is asked for."""

    underlying: str
    spot: QuotedPrice
    as_of: datetime
    source: str
    is_recorded: bool
    expiration: date
    dte: int
    """Calendar days."""
    atm_iv: float | None = None
    """At-the-money implied volatility of the expiration, fraction."""
    expected_move: ModelDollars | None = None
    """One standard deviation to expiration, dollars."""
    vix: float | None = None
    """Percent points."""


@value
class RunView:
    run: Run
    market: MarketSummary | None = None
    quality: QualityReport | None = None
    menu: Menu | None = None
    """Without its dropped spreads unless they were asked for."""
    recommendation: Recommendation | None = None
    shadows: tuple[Recommendation, ...] = ()
    ruling: RiskDecision | None = None
    proposal: Proposal | None = None
    body: str = ""
    """The order body of the proposal, exactly as stored."""
    approval: Approval | None = None
    orders: tuple[Order, ...] = ()
    fills: tuple[Fill, ...] = field(default=())
    trade: Trade | None = None
    briefing: "Briefing | None" = None
    """The figures that were put before the analyst."""
    attempts_summary: "tuple[UsageSummary, ...]" = ()
    """Requests to models by role and prompt, in the order asked; empty when none was asked."""
    decided_by: Mapping[str, Mapping[str, object]] | None = None
    """The settings that the run decided by, section -> knob, as they were stored."""
