"""Runs, their steps and outcomes, and the records that follow from them: attention items."""

from datetime import date, datetime
from enum import StrEnum

from spy32.domain.proposals import ExitReason
from spy32.domain.spreads import Mode
from spy32.domain.units import Dollars, ProposalId, RunId, TradeId
from spy32.domain.value import value
from spy32.errors import ExitCode


class Trigger(StrEnum):
    """Who started a run. The value is stored and appears in JSON."""

    CRON = "cron"
    MANUAL = "manual"
    FORCED = "forced"


class Outcome(StrEnum):
    """How a run ended. The value is stored and appears in JSON."""

    PROPOSED = "proposed"
    NO_TRADE = "no_trade"
    SKIPPED = "skipped"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


class Cause(StrEnum):
    """Why a run ended without a proposal. The value is stored and appears in JSON."""

    ABSTAINED = "abstained"
    """The analyst saw the menu and chose to stay out."""
    VETOED = "vetoed"
    """Our own checks refused the analyst's choice."""
    CONDITION = "condition"
    """The state of the market forbids an entry."""
    LIMITS = "limits"
    """The account's limits leave no room."""
    EMPTY_MENU = "empty_menu"
    """No spread passed the rules."""
    BROKER = "broker"
    """The broker's dry run refused the order."""
    ANALYST_FAILED = "analyst_failed"
    DATA = "data"
    ACCOUNT = "account"
    """The account's facts could not be had."""
    SETTINGS = "settings"
    DEADLINE = "deadline"
    """The run took too long."""
    HOLIDAY = "holiday"
    CLOSED = "closed"
    """A weekend, or after the close of an early one."""
    PAUSED = "paused"
    MISSED = "missed"
    """No run finished in the slot and its grace."""
    STOPPED = "stopped"
    """A signal ended the run."""


class StepState(StrEnum):
    """How a step ended. The value is stored and appears in JSON."""

    OK = "ok"
    DEGRADED = "degraded"
    REFUSED = "refused"
    FAILED = "failed"
    SKIPPED = "skipped"


STEPS = ("authenticate", "collect", "screen", "consult", "vet", "prepare", "notify")


@value
class Step:
    """One finished step of a run, with its duration in milliseconds."""

    name: str
    state: StepState
    ms: int
    """Milliseconds."""
    detail: str = ""


@value
class Run:
    """One start of `analyze` that wrote a row. `outcome` is None while it runs."""

    id: RunId
    trigger: Trigger
    """Who started it."""
    mode: Mode
    profile: str
    started_at: datetime
    slot: date | None = None
    """The schedule slot that the run belongs to; None for a run outside every slot."""
    ended_at: datetime | None = None
    outcome: Outcome | None = None
    cause: str | None = None
    """Why there is no proposal, in one word; an open list."""
    # A `Cause`, or the word of another version of the program, which is shown as it is.
    reasons: tuple[str, ...] = ()
    """Every reason, in words."""
    forced_from: RunId | None = None
    """The finished run beside which this one was forced."""
    late: bool = False
    """It started late in its slot."""
    is_recorded: bool = False
    """It was started on a recorded market, so it stands for no live one."""
    exit_code: int = ExitCode.OK
    """What `analyze` ended with."""
    steps: tuple[Step, ...] = ()
    step_running: str | None = None
    """The step of an unfinished run that has begun and not ended."""


@value
class RunSummary:
    id: RunId
    started_at: datetime
    outcome: Outcome | None
    cause: str | None
    profile: str
    proposal_id: ProposalId | None
    trade_id: TradeId | None
    headline: str = ""
    """The result in one line."""
    result: Dollars | None = None
    """Profit or loss of the trade after fees; None while it is open, and without a trade."""
    exit_reason: ExitReason | None = None
    """Why the trade was closed, or how it ended."""
    slot: date | None = None
    """The schedule slot that the run belongs to."""


@value
class AttentionItem:
    """Something that needs a person. `status` shows it until it is acknowledged."""

    id: int
    at: datetime
    subject: str
    """`R31`, `P31`, `T31`."""
    kind: str
    """A short key. A subject has at most one open item of each kind."""
    message: str
