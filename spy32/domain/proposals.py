"""What was decided: the analyst's recommendation, the verdict, the plans, the proposal."""

from collections.abc import Mapping
from dataclasses import field
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from spy32.domain.market import Right
from spy32.domain.spreads import Account, Exposure, Leg, Mode, Strategy
from spy32.domain.value import value
from spy32.errors import ExitCode
from spy32.lifecycle import ProposalState

CLOCK_TOLERANCE = timedelta(seconds=120)
"""How far two clocks may be apart: ours and the broker's, or ours at the approval and now."""


class Decision(StrEnum):
    TRADE = "trade"
    ABSTAIN = "abstain"
    FAILED = "failed"


@value
class Citation:
    """A field that an answer relied on, as it was sent."""

    path: str
    value: str
    unit: str = ""
    note: str = ""
    """Source and age, or why it is missing."""


@value
class NumberCheck:
    """The numbers in the words of an answer, held against everything that was sent."""

    matched: int
    unmatched: tuple[str, ...] = ()
    """As written; no datum that was sent, nor a simple function of two, bears them out."""


@value
class Recommendation:
    """Who chose what, or why not. An analyst can only point at a menu id."""

    analyst: str
    decision: Decision
    candidate_id: str | None
    reason: str
    analysis: str = ""
    evidence: tuple[str, ...] = ()
    """Paths into the snapshot or menu, such as `menu.K7Q2.short_delta`."""
    probability: float | None = None
    model: str | None = None
    prompt: str | None = None
    cost_ticks: int = 0
    cited: tuple[Citation, ...] = ()
    numbers: NumberCheck | None = None
    bull_case: str = ""
    bear_case: str = ""
    market_bias: str = ""
    """`bullish`, `neutral` or `bearish`."""
    would_change_my_mind: str = ""
    data_problems: tuple[str, ...] = ()
    """Paths of data that the analyst doubts."""
    marks: tuple[str, ...] = ()
    """What a reviewer must look at: an odd probability, another model's name, a split vote."""
    vetoes: tuple[str, ...] = ()
    """Why code refuses this choice, whatever the rules of the trade say; it is then never sent."""
    failure: str = ""
    """When it failed: the word of the check that it failed at, such as `fence` or `off_menu`."""
    votes: Mapping[str, int] = field(default_factory=dict)
    """Samples by what they chose: a candidate id, `abstain` or `failed`; empty when one was asked."""
    model_asked: str | None = None
    exit_code: int = ExitCode.OK
    """When it failed: the code that the run ends with."""

    def __post_init__(self) -> None:
        if (self.decision is Decision.TRADE) != (self.candidate_id is not None):
            raise ValueError("a recommendation names a candidate exactly when it says trade")


@value
class Finding:
    """One thing a rule has to say. `blocks` refuses the trade; otherwise it is a note for the reviewer."""

    rule: str
    message: str
    figure: str = ""
    limit: str = ""
    blocks: bool = True


@value
class Sizing:
    """How many contracts, and every bound that was looked at: name -> contracts it would allow."""

    quantity: int
    bounds: Mapping[str, int]
    binding: str
    halved: bool
    account_needed: Decimal | None
    """When quantity is 0: the net liquidation value that would allow one contract."""
    swing_loss: Decimal
    """One-sigma daily loss of a contract, dollars."""
    swing_budget: Decimal


@value
class RiskDecision:
    """The vet step's word on a candidate: accepted with a quantity, or refused with all reasons."""

    quantity: int
    findings: tuple[Finding, ...]
    sizing: Sizing | None
    account: Account | None = None
    """The facts that it was judged on, so that a replay can judge again."""
    exposure: Exposure | None = None
    at: datetime | None = None

    @property
    def is_accepted(self) -> bool:
        return self.quantity > 0 and not any(finding.blocks for finding in self.findings)

    @property
    def reasons(self) -> tuple[str, ...]:
        return tuple(finding.message for finding in self.findings if finding.blocks)


@value
class PricePlan:
    """How a limit is worked. Credits per share for an opening; a closing uses debits (negative credits) alike."""

    start: Decimal
    limit: Decimal
    """The floor of an opening, the ceiling of a closing: never beyond it."""
    tick: Decimal
    step_seconds: int
    deadline_seconds: int

    @property
    def prices(self) -> tuple[Decimal, ...]:
        """Each limit in turn, from start to floor inclusive; the last step is shortened if need be."""
        steps = [self.start]
        while steps[-1] - self.tick > self.limit:
            steps.append(steps[-1] - self.tick)
        if steps[-1] > self.limit:
            steps.append(self.limit)
        return tuple(steps)


@value
class ExitPlan:
    """When and at what price the trade is left. Prices are debits per share, positive."""

    profit_target: Decimal
    stop: Decimal
    time_exit: date | None
    last_exit: date
    """The session before expiration: always out by its end."""
    note: str
    rests_target: bool = False
    """A closing order at the profit target is left with the broker once the trade is open."""


def spread_description(underlying: str, legs: tuple[Leg, ...]) -> str:
    """The contracts as a person would say them, such as `SPY 30 Sep 621/616 put spread`."""
    kinds = {leg.right for leg in legs}
    kind = "iron condor" if len(kinds) > 1 else "put spread" if Right.PUT in kinds else "call spread"
    strikes = "/".join(f"{leg.strike.normalize():f}" for leg in legs)
    return f"{underlying} {legs[0].expiration.day} {legs[0].expiration:%b} {strikes} {kind}"


@value
class Proposal:
    """What a person approves. `hash` covers everything that `digest_of` names; a change of any makes a new one."""

    id: int | None
    run_id: int
    kind: str
    """`open` or `close`."""
    state: ProposalState
    mode: Mode
    account: str
    profile: str
    underlying: str
    strategy: Strategy
    legs: tuple[Leg, ...]
    quantity: int
    plan: PricePlan
    exit: ExitPlan
    max_loss: Decimal
    """Whole quantity, dollars: ((width - floor) x 100 + costs) x quantity."""
    max_profit: Decimal
    breakevens: tuple[Decimal, ...]
    """At the limit price."""
    assignment_value: Decimal
    """Dollars of stock that the short legs would move on assignment."""
    candidate_id: str | None
    chosen_by: str
    quoted_at: datetime
    lapses_at: datetime
    market: str
    """The source of the quotes; a recorded one keeps its market for approve and execute."""
    hash: str = ""
    trade_id: int | None = None
    """The trade that a `close` would close."""

    @property
    def expiration(self) -> date:
        return self.legs[0].expiration

    @property
    def limit_price(self) -> Decimal:
        return self.plan.start

    @property
    def floor_price(self) -> Decimal:
        return self.plan.limit

    @property
    def is_recorded(self) -> bool:
        return self.market.startswith("recorded")

    @property
    def trade_text(self) -> str:
        """The trade as a person would say it, such as `sell 2 SPY 30 Sep 621/616 put spread for 0.56`."""
        verb = {("open", True): "sell", ("open", False): "buy", ("close", False): "buy back"}.get(
            (self.kind, self.limit_price > 0), "sell off"
        )
        return f"{verb} {self.quantity} {spread_description(self.underlying, self.legs)} for {abs(self.limit_price)}"

    def is_over(self, now: datetime) -> bool:
        """Its session has ended. A recorded market has its own clock, so there it never has."""
        return not self.is_recorded and not now <= self.lapses_at


@value
class Draft:
    """A proposal as a person has changed it on the screen. It is on record only once it is approved."""

    proposal: Proposal
    """Its id is None where nothing is on record yet: a choice over the analyst's abstention."""
    body: str
    """The order body that goes with it."""
    was_hash: str
    """Hash of the proposal on record that it would change; empty where there is none."""


@value
class Approval:
    """A person's yes to one hash, at the quotes of one moment, until a time."""

    id: int | None
    proposal_id: int
    hash: str
    by: str
    at: datetime
    until: datetime
    spot: float
    mid: Decimal
    natural: Decimal
    short_delta: float
    note: str = ""

    def invalid_reason(self, now: datetime) -> str:
        """Why it does not hold at this moment, for behind its name; empty when it does."""
        if not now <= self.until:
            return f"ended at {self.until:%H:%M} UTC"
        if not self.at - CLOCK_TOLERANCE <= now:
            return f"was given at {self.at:%H:%M} UTC, and it is {now:%H:%M} UTC: a clock was or is wrong"
        return ""
