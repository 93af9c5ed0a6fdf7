"""What came of a candidate: settled at expiration, and under the exit plan."""

from datetime import date, datetime

from spy32.domain.experiments import PairMetric
from spy32.domain.proposals import ExitReason
from spy32.domain.spreads import Strategy
from spy32.domain.units import Dollars, Price, RunId
from spy32.domain.value import value


@value
class DailyClose:
    """One session of the underlying, as far as outcomes need it. Dollars per share, unadjusted; VIX in percent."""

    ticker: str
    day: date
    close: Price
    source: str
    open: Price | None = None
    low: Price | None = None
    high: Price | None = None
    vix: float | None = None
    """At the close; None while it is not known."""


@value
class PlanOutcome:
    """The end of a candidate under its exit plan, dollars per contract after fees and slippage."""

    day: date
    reason: ExitReason | None
    """None when it was held to expiration."""
    result: Dollars
    is_modelled: bool
    """Quotes were missing, so that marks were computed from the close, the VIX and the smile of the run."""


@value
class CandidateOutcome:
    """What came of one candidate of a run's menu. Amounts are dollars per contract after fees and slippage."""

    run_id: RunId
    candidate_id: str
    strategy: Strategy
    expiration: date
    max_loss: Dollars
    settlement: Price | None = None
    """The official close at expiration; None while it is not known."""
    expiry: Dollars | None = None
    """Held to expiration. None while the settlement is not known."""
    plan: PlanOutcome | None = None
    """Under the exit plan; None while it is open."""
    pending: str | None = None
    """Why something is not known: the expiration is ahead, a close is missing, or the run saw too little for a plan."""
    is_final: bool = False
    """Nothing can change any more."""
    is_worthless: bool | None = None
    """Every leg expired worthless. None while the settlement is not known."""
    worthless_market: float | None = None
    """Probability of that when it was decided, by the density."""
    worthless_history: float | None = None
    """The same by history, with its drift; None in runs before 0.4, which stored none."""

    def result(self, metric: PairMetric) -> Dollars | None:
        """Return the result at expiration or under the exit plan; None while it is not known."""
        if metric is PairMetric.PLAN:
            return self.plan.result if self.plan is not None else None
        return self.expiry

    def share(self, metric: PairMetric) -> float | None:
        """Return that result as a share of the maximum loss."""
        result = self.result(metric)
        return float(result / self.max_loss) if result is not None and self.max_loss > 0 else None

    @property
    def expiry_share(self) -> float | None:
        return self.share(PairMetric.EXPIRY)


@value
class MenuChoice:
    """One choice on a run's menu."""

    run_id: RunId
    at: datetime
    chooser: str
    """A rule, or analyst and prompt, such as `grok v2-comprehensive`."""
    candidate_id: str | None
    """None for no trade."""
    stated: float | None = None
    """Probability of expiring worthless that the chooser stated, 0 to 1."""
