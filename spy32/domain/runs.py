"""The run and its steps: what was started, how each step ended and why."""

from datetime import date, datetime
from enum import StrEnum

from spy32.domain.spreads import Mode
from spy32.domain.value import value
from spy32.errors import ExitCode


class Trigger(StrEnum):
    CRON = "cron"
    MANUAL = "manual"
    FORCED = "forced"


class Outcome(StrEnum):
    PROPOSED = "proposed"
    NO_TRADE = "no_trade"
    SKIPPED = "skipped"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


class StepState(StrEnum):
    OK = "ok"
    DEGRADED = "degraded"
    REFUSED = "refused"
    FAILED = "failed"
    SKIPPED = "skipped"


STEPS = ("authenticate", "collect", "screen", "consult", "vet", "prepare", "notify")


@value
class Step:
    name: str
    state: StepState
    ms: int
    detail: str = ""


@value
class Run:
    """One start of `analyze` that did something. `outcome` is None while it runs."""

    id: int
    trigger: Trigger
    mode: Mode
    profile: str
    started_at: datetime
    slot: date | None = None
    """The slot that this run uses up, or tried to."""
    ended_at: datetime | None = None
    outcome: Outcome | None = None
    cause: str | None = None
    reasons: tuple[str, ...] = ()
    forced_from: int | None = None
    late: bool = False
    is_recorded: bool = False
    """It was started on a recorded market, so it stands for no live one."""
    exit_code: int = ExitCode.OK
    steps: tuple[Step, ...] = ()
    step_running: str | None = None


@value
class RunSummary:
    id: int
    started_at: datetime
    outcome: Outcome | None
    cause: str | None
    profile: str
    proposal_id: int | None
    trade_id: int | None
    headline: str = ""
    """One line of what came of it."""


@value
class AuditEvent:
    """One line of the append-only, hash-chained history."""

    id: int
    at: datetime
    kind: str
    subject: str
    """`R31`, `P31`, `O31`, `T31`."""
    data: str
    """Canonical JSON, with the hashes of the rows it speaks of."""
    previous: str
    hash: str


@value
class Notice:
    """A message in the outbox; it waits until `sent_at` is set."""

    id: int
    run_id: int | None
    subject: str
    body: str
    created_at: datetime
    sent_at: datetime | None = None
    tries: int = 0
    error: str = ""
    """Why the last try failed."""


@value
class AttentionItem:
    """Something that a person must look at; it stands in `status` until it is acknowledged."""

    id: int
    at: datetime
    subject: str
    """`R31`, `P31`, `T31`."""
    kind: str
    """A short key: the same subject has at most one open item of a kind."""
    message: str
