"""Decisions: the analyst's recommendation, price and exit plans, the proposal, the approval."""

from collections.abc import Mapping
from dataclasses import field, fields, replace
from datetime import date, datetime, timedelta
from enum import StrEnum

from spy32.domain.market import Right, is_recorded_source
from spy32.domain.spreads import MULTIPLIER, ExitAuthority, Leg, Mode, Strategy, value_bounds
from spy32.domain.units import Dollars, Price, ProposalId, QuotedPrice, RunId, TradeId
from spy32.domain.value import value
from spy32.errors import ExitCode
from spy32.lifecycle import ProposalState

CLOCK_TOLERANCE = timedelta(seconds=120)
"""Accepted difference between two clocks: ours and the broker's, or ours at the approval and now. An NTP-synchronised
machine is within a second, so two minutes means that a clock is wrong."""


class ProposalKind(StrEnum):
    """What a proposal does. The value is stored and appears in JSON."""

    OPEN = "open"
    CLOSE = "close"


class Decision(StrEnum):
    """The decision of an analyst. The value is stored and appears in JSON."""

    TRADE = "trade"
    ABSTAIN = "abstain"
    FAILED = "failed"


@value
class Citation:
    """A data field that an answer cites, with the value that was sent to the model."""

    path: str
    value: str
    """The text of the prompt."""
    unit: str = ""
    note: str = ""
    """Source and age of the value, or why it is missing."""


@value
class NumberCheck:
    """The comparison of the numbers in an answer's text with the data that was sent."""

    matched: int
    """Found in what was sent."""
    unmatched: tuple[str, ...] = ()
    """Numbers, as written, that match no datum that was sent and no simple function of two data."""


@value
class Recommendation:
    """An analyst's answer: a candidate id of the menu, an abstention, or a failure. It carries no price or size.

    Raises ValueError unless `candidate_id` is given exactly when `decision` is `trade`.
    """

    analyst: str
    decision: Decision
    candidate_id: str | None
    """Set exactly when the decision is trade."""
    reason: str
    analysis: str = ""
    evidence: tuple[str, ...] = ()
    """Paths into the snapshot or menu, such as `menu.K7Q2.short_delta`."""
    probability: float | None = None
    """The analyst's own probability, 0 to 1: that a credit spread expires worthless, or a debit spread ends with its
    largest profit. A rule states none of its own and repeats the market's probability of profit."""
    model: str | None = None
    """As the answer names it."""
    prompt: str | None = None
    """Version of the prompt."""
    cost_ticks: int = 0
    """10^10 a dollar."""
    cited: tuple[Citation, ...] = ()
    """What the answer relies on, as it was sent."""
    numbers: NumberCheck | None = None
    bull_case: str = ""
    bear_case: str = ""
    market_bias: str = ""
    """`bullish`, `neutral` or `bearish`."""
    would_change_my_mind: str = ""
    data_problems: tuple[str, ...] = ()
    """Paths of data that the analyst considers doubtful."""
    marks: tuple[str, ...] = ()
    """Warnings for the reviewer: an implausible probability, an unexpected model name, a split vote."""
    vetoes: tuple[str, ...] = ()
    """Reasons why the answer itself is refused, independent of the risk rules. A vetoed choice is never sent."""
    failure: str = ""
    """For a failure: the name of the failed check, such as `fence` or `off_menu`."""
    votes: Mapping[str, int] = field(default_factory=dict)
    """Number of samples by choice: a candidate id, `abstain` or `failed`. Empty when only one sample was asked."""
    model_asked: str | None = None
    """As asked."""
    exit_code: int = ExitCode.OK
    """When it failed: the code that the run ends with."""

    @property
    def is_of_rule(self) -> bool:
        """Whether a fixed rule made it, not a model."""
        return self.analyst in ("rules", "trend")

    def __post_init__(self) -> None:
        if (self.decision is Decision.TRADE) != (self.candidate_id is not None):
            raise ValueError("a recommendation names a candidate exactly when it says trade")


@value
class PricePlan:
    """The price walk of an order. Prices are credits, dollars per share; an order that pays has negative ones."""

    start: Price
    """First limit."""
    limit: Price
    """The floor of an opening, the ceiling of a closing: never beyond it."""
    tick: Price
    """One step."""
    step_seconds: int
    deadline_seconds: int

    @property
    def prices(self) -> tuple[Price, ...]:
        """Each limit in turn, from start to floor inclusive; the last step is shortened if need be."""
        steps = [self.start]
        while steps[-1] - self.tick > self.limit:
            steps.append(steps[-1] - self.tick)
        if steps[-1] > self.limit:
            steps.append(self.limit)
        return tuple(steps)


class ExitReason(StrEnum):
    """Why a trade is to be closed, or how it ended. The value is stored and appears in JSON.

    Closing proposals have the first six, most urgent first; a trade that ended without an order of ours has the others.
    """

    LAST_EXIT = "last_exit"
    """The session before the last trading day, or later."""
    EX_DIVIDEND = "ex_dividend"
    """Early exercise of the short call pays tonight."""
    STOP = "stop"
    TARGET = "target"
    TIME = "time"
    PERSON = "person"
    EXPIRED = "expired"
    """Worthless."""
    ASSIGNED = "assigned"
    """Shares were delivered, whether they are sold yet or not."""
    CASH_SETTLED = "cash_settled"
    BY_HAND = "by_hand"
    """Closed at the broker by a person."""

    @property
    def words(self) -> str:
        """As a trader says it."""
        return EXIT_WORDS.get(self, self.value.replace("_", " "))


EXIT_WORDS: Mapping[ExitReason, str] = {
    ExitReason.EX_DIVIDEND: "ex-dividend",
    ExitReason.TARGET: "profit target",
    ExitReason.TIME: "time exit",
    ExitReason.PERSON: "asked for by a person",
    ExitReason.CASH_SETTLED: "settled in cash",
    ExitReason.BY_HAND: "closed by hand at the broker",
}


@value
class ExitPlan:
    """When and at what price to close the trade. Prices are debits, dollars per share; that of a debit spread, whose
    closing receives a credit, is negative."""

    profit_target: Price
    """Enough profit."""
    stop: Price
    """Too much loss: a close is proposed. 0 for a debit spread, which has none."""
    time_exit: date | None
    last_exit: date
    """The session before the last trading day. The trade is closed by its end at the latest."""
    note: str
    rests_target: bool = False
    """True to leave a GTC closing order at the profit target with the broker once the trade is open."""
    authority: ExitAuthority = ExitAuthority.ASK
    """Who approves the closing orders."""

    def planned_exit(self, today: date) -> tuple[ExitReason, date]:
        """The next exit by the calendar: the time exit, or the last exit once the time exit has passed."""
        if self.time_exit is not None and today <= self.time_exit:
            return ExitReason.TIME, self.time_exit
        return ExitReason.LAST_EXIT, self.last_exit


def spread_description(underlying: str, legs: tuple[Leg, ...]) -> str:
    """Return the contracts as a trader says them, such as `SPY 30 Sep 621/616 put spread`."""
    kinds = {leg.right for leg in legs}
    kind = "iron condor" if len(kinds) > 1 else "put spread" if Right.PUT in kinds else "call spread"
    strikes = "/".join(f"{leg.strike.normalize():f}" for leg in legs)
    return f"{underlying} {legs[0].expiration.day} {legs[0].expiration:%b} {strikes} {kind}"


@value
class ProposalTerms:
    """What a person approves, also before it is stored. `hash` covers `rules.plan.HASHED_FIELDS`, so any change of them
    needs a new approval."""

    run_id: RunId
    kind: ProposalKind
    """`open` or `close`."""
    mode: Mode
    account: str
    profile: str
    underlying: str
    strategy: Strategy
    legs: tuple[Leg, ...]
    quantity: int
    """Contracts."""
    plan: PricePlan
    exit: ExitPlan
    max_loss: Dollars
    """Whole quantity, dollars: ((width - floor) x 100 + costs) x quantity, of a debit spread the debit and costs."""
    max_profit: Dollars
    """Whole quantity, at the limit, after costs to open."""
    breakevens: tuple[Price, ...]
    """At the limit price."""
    assignment_value: Dollars
    """Dollars of stock that assignment would move: of an iron condor one side, that with the higher strike."""
    candidate_id: str | None
    """Entry of the menu."""
    chosen_by: str
    quoted_at: datetime
    lapses_at: datetime
    market: str
    """The source of the quotes. A proposal from a recorded market keeps that market in `approve` and `execute`."""
    hash: str = ""
    """SHA-256 of everything that is approved; its first 8 digits confirm."""
    trade_id: TradeId | None = None
    """The trade that a `close` would close."""
    reason: ExitReason | None = None
    """Why a `close` was proposed; None of an opening."""

    @property
    def expiration(self) -> date:
        return self.legs[0].expiration

    @property
    def limit_price(self) -> Price:
        """First limit, credit a share; a debit is negative."""
        return self.plan.start

    @property
    def floor_price(self) -> Price:
        """The floor of an opening, the ceiling of a closing."""
        return self.plan.limit

    @property
    def is_recorded(self) -> bool:
        """Whether it was made on a recorded market."""
        return is_recorded_source(self.market)

    @property
    def opening_costs(self) -> Dollars:
        """Costs to open of an opening, whole quantity: what `max_profit` lacks of the profit at the first limit."""
        best = self.plan.start + value_bounds(self.legs)[1]
        return best * MULTIPLIER * self.quantity - self.max_profit

    @property
    def trade_text(self) -> str:
        """The trade as a trader says it, such as `sell 2 SPY 30 Sep 621/616 put spread for 0.56`."""
        opening, closing = ProposalKind.OPEN, ProposalKind.CLOSE
        verb = {(opening, True): "sell", (opening, False): "buy", (closing, False): "buy back"}.get(
            (self.kind, self.limit_price > 0), "sell off"
        )
        return f"{verb} {self.quantity} {spread_description(self.underlying, self.legs)} for {abs(self.limit_price)}"

    @property
    def successor_text(self) -> str:
        """What makes another proposal in its place."""
        return f"`spy32 close T{self.trade_id}` proposes a new one" if self.trade_id else "a new run makes a new one"

    def is_over(self, now: datetime) -> bool:
        """Return whether the proposal's session has ended; always False on a recorded market, which has its own
        clock."""
        return not self.is_recorded and not now <= self.lapses_at


@value
class Proposal(ProposalTerms):
    """A stored proposal: terms with an id and a state."""

    id: ProposalId
    state: ProposalState

    def replace_terms(self, terms: ProposalTerms) -> "Proposal":
        """Return this proposal with other terms, as a person drafts it."""
        return replace(self, **{item.name: getattr(terms, item.name) for item in fields(ProposalTerms)})


@value
class Draft:
    """A proposal with the changes that a person made on the screen. It is stored only when it is approved."""

    proposal: ProposalTerms
    """A `Proposal`, except when the run has none stored, as when a person chooses after the analyst abstained."""
    body: str
    """The order body of the changed proposal."""
    was_hash: str
    """Hash of the stored proposal that it changes; empty when there is none."""


@value
class ApprovalTerms:
    """An approval that a person gives now; it is not stored yet."""

    proposal_id: int
    hash: str
    by: str
    at: datetime
    until: datetime
    spot: QuotedPrice
    mid: Price
    natural: Price
    """The quotes as they were shown."""
    short_delta: float
    note: str = ""


@value
class Approval(ApprovalTerms):
    """A person's approval of one proposal hash, with the quotes shown at the time and an end time."""

    id: int

    def is_valid(self, now: datetime) -> bool:
        """Whether the approval has begun and has not ended."""
        return self.at - CLOCK_TOLERANCE <= now <= self.until

    def invalidity_text(self, now: datetime) -> str:
        """Why the approval is not valid at `now`, as the end of a sentence; only for one that is not."""
        if now > self.until:
            return f"ended at {self.until:%H:%M} UTC"
        return f"was given at {self.at:%H:%M} UTC, and it is {now:%H:%M} UTC: a clock was or is wrong"
