"""One request to a model, as it is written down before it leaves and after it was answered."""

from datetime import datetime

from spy32.domain.units import RunId
from spy32.domain.value import value


@value
class ModelRequest:
    """What is about to be asked."""

    role: str
    """`chosen`, `shadow` or `again`."""
    sample: int
    """From 1 on; several when the same question is asked more than once."""
    attempt: int
    """From 1 on within a sample: a retry after a failure, or the one repair."""
    prompt: str
    """Version of the prompt."""
    prompt_hash: str
    input_hash: str
    model: str
    effort: str
    request: str
    """The body exactly as sent."""
    estimate_ticks: int
    """What it may cost, 10^10 ticks a dollar; counts against the budgets until the bill is there."""


@value
class ModelResponse:
    """What came of an attempt. Tokens as the service counts them: output includes reasoning."""

    outcome: str
    """`answered`, or the word of the failure: `rate_limit`, `timeout`, `refused`, `cut`, `billing` ..."""
    detail: str = ""
    """One line for a person."""
    status: int | None = None
    """HTTP status, if one came."""
    response: str = ""
    """The body exactly as received, up to the cap."""
    text: str | None = None
    """The words of the answer; None unless the service completed it."""
    model: str | None = None
    """As the answer names it."""
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
    """The service named no cost, or none can be known; `cost_ticks` is then our own estimate."""


@value
class ResponseCheck:
    """What the checks made of the words of an attempt."""

    parser: int
    """Version of the checks; another one may judge the same words otherwise."""
    decision: str
    """`trade`, `abstain`, or `failed`."""
    candidate_id: str | None = None
    check: str = ""
    """The step of the ladder that ended it, in one word; empty when all were passed."""
    words: str = ""
    """One line on that step."""
    marks: tuple[str, ...] = ()
    vetoes: tuple[str, ...] = ()


@value
class ModelCall:
    """An attempt as it was written down.

    `heard` is None while no answer has come, and may stay so; `checked` is None when there were no words to check.
    """

    id: int
    at: datetime
    """When it was about to leave."""
    attempt: ModelRequest
    heard: ModelResponse | None = None
    checked: ResponseCheck | None = None


@value
class UsageSummary:
    """What the attempts of one role and prompt came to in a run."""

    role: str
    prompt: str
    attempts: int
    unanswered: int
    """Begun and never ended: their estimates are in `cost_ticks`."""
    ms: int
    input_tokens: int
    """With the cached ones."""
    cached_tokens: int
    output_tokens: int
    """With those of reasoning."""
    reasoning_tokens: int
    cost_ticks: int
    is_estimate: bool
    """Some of the cost is our own estimate."""
    asked: tuple[str, ...] = ()
    """Models as asked."""
    answered: tuple[str, ...] = ()
    """Models as the answers name them."""
    asked_before: tuple[RunId, ...] = ()
    """Runs of the week before with the very same prompt and input: this one is no second opinion beside them."""
