"""The report: what came of trades and decisions. Every figure of its screens and its HTML page is a field here."""

from collections.abc import Mapping, Sequence
from dataclasses import field, fields
from datetime import date, datetime
from decimal import Decimal

from spy32.domain.experiments import Experiment
from spy32.domain.results import ResultTotals
from spy32.domain.spreads import Mode
from spy32.domain.units import Dollars, ModelDollars, Price, RunId, TradeId, sum_amounts
from spy32.domain.value import value


@value
class Bounds:
    """A share or a mean of overlapping trades with the interval of its mean in the long run; weeks count alike.

    None of too few weeks: then `hits` and `count` are all that may be said.
    """

    mean: float | None
    low: float | None
    high: float | None
    count: int
    hits: int
    """How many of them are above zero: wins, better exits, better picks, what came true."""
    level: float = 0.9
    """Least share of histories in which the interval holds the mean at every look; half of the rest is on each side."""


@value
class ReportTrade:
    """One trade of the report. Dollars are for all its spreads, after fees."""

    id: TradeId
    run_id: RunId | None
    strategy: str
    opened: date
    closed: date | None
    quantity: int
    credit: Price
    max_loss: Dollars
    result: Dollars | None
    """None while it is open."""
    unrealized: Dollars | None
    days_held: int | None
    credit_kept: float | None
    slippage: Dollars | None
    """Against the mid at the decision, both ways; negative when the fills were better."""
    exit_reason: str | None
    stated: float | None
    """Probability of profit under the plan by history, when it was decided."""
    holding: Dollars | None
    """What holding it to expiration would have brought; None before its expiration has closed."""


@value
class EquityPoint:
    """The account's result at the end of one session, dollars since the start of the report."""

    day: date
    realized: Dollars
    unrealized: Dollars
    total: Dollars
    drawdown: Dollars
    """Below the highest total so far, zero or negative; by daily marks, since closings hide open losses."""


@value
class GroupResult:
    """Trades that share one property, such as their exit reason."""

    name: str
    count: int
    wins: int
    result: Dollars
    mean: Dollars | None
    """None of too few trades."""
    share: Bounds | None
    """Share of wins. None of too few weeks, and of a group that its result defines: a profit target wins always."""


@value
class ReliabilityPoint:
    """A step of the CORP reliability line: what came true where this probability was stated.

    The band from `low` to `high` shows how sure the shape is, by resampling blocks of weeks. It claims nothing.
    """

    stated: float
    came_true: float
    low: float
    high: float
    count: int


@value
class Reliability:
    """How good one source's probabilities were: Brier score = miscalibration - discrimination + uncertainty."""

    source: str
    """`market`, `history`, or the model's prompt."""
    event: str
    """Which event the probability is of."""
    count: int
    """Known outcomes."""
    weeks: int
    """Mondays they come from, by which they are clustered."""
    brier: float
    miscalibration: float
    discrimination: float
    uncertainty: float
    stated: float
    """Mean probability stated; weeks count alike, as they do in `came_true`."""
    came_true: Bounds
    points: tuple[ReliabilityPoint, ...]


@value
class AttributionParts:
    """The parts of a change of marks by cause, dollars."""

    time: Dollars
    spot: Dollars
    vol: Dollars
    smile: Dollars
    rest: Dollars
    """Quotes that differ from the smile."""
    fees: Dollars
    """Fees and slippage of fills."""

    @classmethod
    def add_up(cls, parts: Sequence["AttributionParts"]) -> "AttributionParts":
        """Return each part of several changes together."""
        return cls(**{item.name: sum_amounts(getattr(each, item.name) for each in parts) for item in fields(cls)})

    @property
    def amounts(self) -> dict[str, Dollars]:
        """Each part by its name."""
        return {item.name: getattr(self, item.name) for item in fields(self)}

    @property
    def total(self) -> Dollars:
        """The change, which the parts sum to exactly."""
        return sum_amounts(self.amounts.values())


@value
class Attribution:
    """The parts of a trade's change of mark over one interval."""

    trade_id: TradeId
    start: date
    end: date
    parts: AttributionParts


@value
class ModelUse:
    """How one model and prompt behaved."""

    name: str
    asked: int
    traded: int
    abstained: int
    failed: int
    vetoed: int
    agreed: int
    """Times that its choice was the fixed rule's."""
    unmatched: int
    """Numbers in its words that match nothing it was sent."""
    latency_seconds: float | None
    """Median of an answer."""
    tokens: int
    cost: ModelDollars
    """All its questions together."""
    cost_per_decision: ModelDollars | None = None


@value
class Money:
    """Where the result of the ended trades came from, dollars: premium - closing cost - fees = result."""

    premium: Dollars
    closing_cost: Dollars
    fees: Dollars
    result: Dollars


@value
class SharpeRatio:
    """The Sharpe ratio of the ended trades' results, and how little it says. The trades overlap, so it says less still.

    Bailey and Lopez de Prado, "The Sharpe Ratio Efficient Frontier" (2012).
    """

    count: int
    ratio: float
    """Per trade, not annualised: mean over standard deviation of the results as shares of the maximum loss."""
    skew: float
    kurtosis: float
    """Plain: 3 of a normal distribution."""
    probabilistic: float
    """PSR: probability that the ratio of the long run is above zero, if the trades were independent."""
    needed: int | None
    """Minimum track record length: independent trades that show so with 95 %. None for a ratio of zero or below."""


@value
class OpenExpiration:
    """What is open of one expiration: one step of the ladder."""

    expiration: date
    trades: int
    contracts: int
    max_loss: Dollars


@value
class ExperimentPoint:
    """An experiment as it stood when one more pair was known."""

    day: date
    difference: float
    """Of this pair: challenger less champion, a share of the maximum loss."""
    evidence: float
    low: float
    high: float


@value
class ExperimentState:
    """A registered comparison as it stands."""

    experiment: Experiment
    known: int
    """Pairs whose outcomes are both known."""
    pending: int
    needed: int
    """About how many show an effect of 0.3 standard deviations."""
    evidence: float | None
    """e-value that the challenger is better; None below the least number of outcomes."""
    evidence_against: float | None
    """e-value that the champion is better."""
    interval: Bounds | None
    """Mean paired difference, challenger less champion, shares of the maximum loss."""
    words: str
    """The state in words: collecting, evidence for one of the two, or no difference of note."""
    path: tuple[ExperimentPoint, ...] = ()
    """Empty below the least number of outcomes."""
    same: int = 0
    """Pairs, known or not, in which both took the same."""
    deviation: float | None = None
    """Standard deviation of the paired differences; null below the least number of outcomes."""

    @property
    def evidence_needed(self) -> float:
        """e-value that allows a claim: 1 over the level of the experiment, whose default is 5 %."""
        return 1.0 / self.experiment.terms.level

    @property
    def sides(self) -> tuple[str, str]:
        """Challenger and champion."""
        return self.experiment.terms.challenger, self.experiment.terms.champion


@value
class Report:
    """The whole of it."""

    mode: Mode
    is_synthetic: bool
    """Made by `demo --year`: no real market."""
    since: date | None
    until: datetime
    runs: int
    outcomes: Mapping[str, int]
    """Menu candidates by what is known of their expiration: `known`, `open` while it is ahead, `missing`."""
    totals: ResultTotals
    trades: tuple[ReportTrade, ...]
    equity: tuple[EquityPoint, ...]
    groups: Mapping[str, tuple[GroupResult, ...]]
    """By property: exit, side, delta, vix, dte, analyst, prompt, profile, weekday."""
    win_rate: Bounds | None
    """Share of ended trades with a profit."""
    stated_profit: float | None
    """Mean of the probabilities of profit under the plan that these trades were decided on; weeks count alike."""
    per_session: Dollars | None
    """Result of the ended trades per session that each was held; None with too few trades."""
    best: TradeId | None
    worst: TradeId | None
    win_streak: int
    loss_streak: int
    slippage: Dollars
    exit_less_holding: Bounds | None
    """Mean of a trade's result less what holding would have brought, shares of the maximum loss."""
    reliability: tuple[Reliability, ...]
    attribution: tuple[Attribution, ...]
    """Of the newest 52 trades."""
    models: tuple[ModelUse, ...]
    selection: Bounds | None
    """Mean of the pick's result at expiration less the mean of its menu, shares of the maximum loss."""
    experiments: tuple[ExperimentState, ...]
    deletions: tuple[str, ...] = ()
    """What the hash chain says is missing, edited or put in by hand; the figures are of what the tables hold now."""
    notes: tuple[str, ...] = ()
    money: Money | None = None
    """None before a trade has ended."""
    sharpe: SharpeRatio | None = None
    """None of too few ended trades."""
    ladder: tuple[OpenExpiration, ...] = ()
    open_max_loss: Dollars = Decimal(0)
    """The most that the ladder can lose together."""
    attribution_sum: AttributionParts | None = None
    """None while no trade has two marks."""
    run_outcomes: Mapping[str, int] = field(default_factory=dict)
    """Runs by the cause of their outcome, such as `holiday`, or by the outcome where it has none; most first."""
    account: Dollars | None = None
    """Net liquidation at the first run that read it."""
    account_return: float | None = None
    """Realised result of these trades as a share of it."""
    mean_result: Dollars | None = None
    """Of an ended trade; None with too few trades."""
    average_win: Dollars | None = None
    """Of the ended trades with a profit; None without one, and with too few trades."""
    average_loss: Dollars | None = None
    """Of the other ended trades, zero or negative."""
