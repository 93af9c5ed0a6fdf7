"""One request to a language model, as stored before it is sent and after it is answered."""

from datetime import datetime

from spy32.domain.answer_role import AnswerRole
from spy32.domain.units import RunId
from spy32.domain.value import value

ANSWERED = "answered"
"""Outcome of a request that the service completed; every other outcome is a failure code."""


@value
class ModelRequest:
    """The request, stored before it is sent."""

    role: AnswerRole
    """`chosen` (decides the run), `shadow` (for comparison) or `again` (asked later by `replay`)."""
    sample: int
    """From 1; higher when one question is asked several times (`analyst.samples`)."""
    attempt: int
    """From 1 within a sample; higher for a retry after a failure or for the one repair request."""
    prompt: str
    """Prompt version, such as `v2`."""
    prompt_hash: str
    input_hash: str
    model: str
    effort: str
    request: str
    """The request body exactly as sent."""
    estimate_ticks: int
    """Upper estimate of the cost, in ticks (10^10 a dollar). It counts against the budgets until the cost is known."""


@value
class ModelResponse:
    """The response to a request. Tokens are as the service counts them: output includes reasoning."""

    outcome: str
    """`answered`, or the failure code: `rate_limit`, `timeout`, `refused`, `cut`, `billing` ..."""
    detail: str = ""
    """One line for a person."""
    status: int | None = None
    """HTTP status; None when no response arrived."""
    response: str = ""
    """The response body exactly as received, cut at the size limit."""
    text: str | None = None
    """The text of the answer; None unless the service completed it."""
    model: str | None = None
    """The model name in the response."""
    fingerprint: str | None = None
    request_id: str | None = None
    ms: int = 0
    """Milliseconds."""
    input_tokens: int = 0
    """With the cached ones."""
    cached_tokens: int = 0
    output_tokens: int = 0
    """With those of reasoning."""
    reasoning_tokens: int = 0
    cost_ticks: int = 0
    is_estimate: bool = False
    """True when the service reported no cost; `cost_ticks` is then our own estimate."""

    @property
    def is_answered(self) -> bool:
        return self.outcome == ANSWERED


@value
class ResponseCheck:
    """The result of checking an answer's text."""

    parser: int
    """Version of the checks. A later version may judge the same text differently."""
    decision: str
    """`trade`, `abstain`, or `failed`."""
    candidate_id: str | None = None
    check: str = ""
    """The name of the check that failed, such as `fence`; empty when all passed."""
    words: str = ""
    """The failed check's message, one line."""
    marks: tuple[str, ...] = ()
    """As `Recommendation.marks`."""
    vetoes: tuple[str, ...] = ()
    """As `Recommendation.vetoes`."""


@value
class ModelCall:
    """A stored request with its response.

    `heard` is None until a response arrives, and stays None if none ever does. `checked` is None when there was no
    text to check.
    """

    id: int
    at: datetime
    """When it was about to leave."""
    attempt: ModelRequest
    heard: ModelResponse | None = None
    checked: ResponseCheck | None = None


@value
class UsageSummary:
    """Totals over the requests of one role and prompt in one run."""

    role: AnswerRole
    prompt: str
    attempts: int
    unanswered: int
    """Requests that never got a response. `cost_ticks` includes their estimates."""
    ms: int
    input_tokens: int
    """With the cached ones."""
    cached_tokens: int
    output_tokens: int
    """Including reasoning tokens."""
    reasoning_tokens: int
    cost_ticks: int
    is_estimate: bool
    """True when part of the cost is our own estimate."""
    asked: tuple[str, ...] = ()
    """Model names as requested."""
    answered: tuple[str, ...] = ()
    """Models as the answers name them."""
    asked_before: tuple[RunId, ...] = ()
    """Runs of the week before with the very same prompt and input: this one is no second opinion beside them."""
