"""One run with its results, as `show`, `approve` and JSON need it. Read-only: it is built from the store."""

from collections.abc import Mapping
from dataclasses import field
from datetime import date, datetime
from typing import TYPE_CHECKING

from spy32.domain.findings import RiskDecision
from spy32.domain.market import QualityReport
from spy32.domain.marks import Mark
from spy32.domain.orders import Fill, Order, Trade
from spy32.domain.proposals import Approval, Proposal, Recommendation
from spy32.domain.runs import Run
from spy32.domain.spreads import Menu
from spy32.domain.units import ModelDollars, QuotedPrice
from spy32.domain.value import value

if TYPE_CHECKING:  # read only where a model was asked
    from spy32.domain.briefing import Briefing
    from spy32.domain.model_calls import UsageSummary
    from spy32.domain.outcomes import CandidateOutcome


@value
class MarketSummary:
    """The market of a run in one line. The full snapshot stays compressed in the store until it is needed."""

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
    """A run with its market, menu, recommendations, proposal, orders and trade."""

    run: Run
    market: MarketSummary | None = None
    quality: QualityReport | None = None
    menu: Menu | None = None
    """Without the rejected spreads unless they were requested."""
    recommendation: Recommendation | None = None
    shadows: tuple[Recommendation, ...] = ()
    """What others chose. Without other models while a person has not decided on the proposal."""
    hides_models: bool = False
    """Whether answers of other models would be left out, since nobody has decided yet."""
    ruling: RiskDecision | None = None
    proposal: Proposal | None = None
    body: str = ""
    """The proposal's order body, exactly as stored."""
    approval: Approval | None = None
    orders: tuple[Order, ...] = ()
    fills: tuple[Fill, ...] = field(default=())
    trade: Trade | None = None
    marks: tuple[Mark, ...] = ()
    """Of the trade, oldest first: only the newest unless all were asked for."""
    closes: tuple[Proposal, ...] = ()
    """Of the trade, oldest first, when its life was asked for."""
    outcomes: "Mapping[str, CandidateOutcome]" = field(default_factory=dict)
    """What came of the candidates, by id; empty before the first refresh."""
    briefing: "Briefing | None" = None
    """The figures that were sent to the analyst."""
    attempts_summary: "tuple[UsageSummary, ...]" = ()
    """Model requests by role and prompt, in request order; empty when none was made."""
    decided_by: Mapping[str, Mapping[str, object]] | None = None
    """The settings that the run used, section -> name -> value, as stored."""


@value
class DocumentSummary:
    """One row of `show --raw`."""

    source: str
    name: str
    at: datetime
    size: int
    """Size of the body as the source sent it, bytes."""
