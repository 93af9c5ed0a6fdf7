"""Which reasoning efforts each Grok takes, and what a request costs. The service changes monthly: `xai.accepts` wins.

Prices are ticks a token, which is the same number as cents per 100 million tokens, the unit of the service's own list.
Sources: docs.x.ai "Models and Pricing" and "Reasoning"; the prices of grok-4.3 reproduce published bills to the tick.
"""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from spy32.domain.value import value
from spy32.errors import BadSettings

TICKS_PER_DOLLAR = 10**10
"""Ticks in a dollar."""
LONG_PROMPT_TOKENS = 200_000
"""From so many input tokens on, every token of a request costs double."""
PREAMBLE_TOKENS = 400
"""Tokens that the service adds to a prompt of its own: some 200 were billed for a question of 15."""
MAX_TOKENS, MAX_TICKS = 10**9, 10**15
"""Counts beyond these are no counts; they would not fit into a column either."""
GATEWAY_TIMEOUTS = frozenset({408, 504, 524})
"""Statuses after which the model may have worked all that time, and be billed."""
MODEL_DEFAULT_EFFORT = "model"
"""The setting of `xai.effort` that sends no effort."""


@value
class ModelSpec:
    """A model. `efforts` is () when the parameter itself is refused, None when it is not known."""

    efforts: tuple[str, ...] | None
    input: int
    cached: int
    output: int
    """Reasoning tokens count as output."""


_COMMON_EFFORTS = ("low", "medium", "high")
_SMALL_PRICES = {"input": 12_500, "cached": 2_000, "output": 25_000}
_FLAGSHIP_PRICES = {"input": 20_000, "cached": 5_000, "output": 60_000}

MODELS = {
    "grok-4.7": ModelSpec(efforts=_COMMON_EFFORTS, **_FLAGSHIP_PRICES),
    "grok-4.6": ModelSpec(efforts=(*_COMMON_EFFORTS, "xhigh"), **_FLAGSHIP_PRICES),
    "grok-4.5": ModelSpec(efforts=_COMMON_EFFORTS, **_FLAGSHIP_PRICES),
    "grok-4.3": ModelSpec(efforts=("none", *_COMMON_EFFORTS), **_SMALL_PRICES),
    "grok-4.20": ModelSpec(efforts=(), **_SMALL_PRICES),
    "grok-4.20-multi-agent": ModelSpec(efforts=None, **_SMALL_PRICES),
    "grok-3-mini": ModelSpec(efforts=("low", "high"), **_FLAGSHIP_PRICES),
}
"""By the name of the family: `grok-4.3` also stands for `grok-4.3-latest` and `grok-4.3-0410`."""

UNKNOWN_MODEL = ModelSpec(efforts=None, **_FLAGSHIP_PRICES)
"""A model outside the table: priced as the dearest; the service decides about its efforts."""


def find_model(name: str) -> ModelSpec:
    """The entry of a model or of its family, the longest name that fits; `UNKNOWN_MODEL` without one."""
    fits = [family for family in MODELS if name == family or name.startswith(f"{family}-")]
    return MODELS[max(fits, key=len)] if fits else UNKNOWN_MODEL


def check_effort(model: str, effort: str, accepts: Sequence[str]) -> None:
    """`BadSettings` when the model is known not to take this effort; `accepts` replaces the table when it is given."""
    known = tuple(accepts) or find_model(model).efforts
    if effort == MODEL_DEFAULT_EFFORT or known is None or effort in known:
        return
    allowed = " or ".join((*known, MODEL_DEFAULT_EFFORT))
    raise BadSettings(
        f"{model} takes no reasoning effort {effort!r}: set xai.effort to {allowed}; xai.accepts replaces this list"
    )


def estimate_ticks(model: str, input_tokens: int, output_tokens: int, *, cached_tokens: int = 0) -> int:
    """What so many tokens cost. `input_tokens` includes the cached ones, `output_tokens` the reasoning."""
    price = find_model(model)
    ticks = (input_tokens - cached_tokens) * price.input + cached_tokens * price.cached + output_tokens * price.output
    return ticks * 2 if input_tokens >= LONG_PROMPT_TOKENS else ticks


def format_cost(ticks: int) -> str:
    """An amount for a person, to a hundredth of a cent: `$0.0412`."""
    return f"${Decimal(ticks) / TICKS_PER_DOLLAR:.4f}"


@value
class CostEstimate:
    """What a request says of its own price, in ticks. Figures take some 2.5 bytes a token, words more: 2 is safe."""

    model: str
    input_ticks: int
    max_ticks: int

    @classmethod
    def parse_request(cls, body: str) -> "CostEstimate":
        request = json.loads(body)
        model, tokens = str(request["model"]), len(body) // 2 + PREAMBLE_TOKENS
        return cls(
            model=model,
            input_ticks=estimate_ticks(model, tokens, 0),
            max_ticks=estimate_ticks(model, tokens, request["max_output_tokens"]),
        )


def max_ticks(body: str) -> int:
    """The most that a request may cost: all its input, and an answer as long as it allows."""
    return CostEstimate.parse_request(body).max_ticks


def billed_usage(estimate: CostEstimate, status: int, document: Mapping[str, Any]) -> dict[str, Any]:
    """Tokens and cost of an answer: the service's own bill, else the price of its tokens, else what it may have been.

    A request that a status refused counts with its input; one that the model may have worked on, with all of it.
    """

    def count(*names: str) -> int:
        found = nested_value(document, "usage", *names)
        is_count = isinstance(found, int) and not isinstance(found, bool) and 0 <= found <= MAX_TOKENS
        return found if is_count else 0

    input_tokens, output_tokens = count("input_tokens"), count("output_tokens")
    cached = min(count("input_tokens_details", "cached_tokens"), input_tokens)
    ticks = nested_value(document, "usage", "cost_in_usd_ticks")
    is_billed = isinstance(ticks, int) and not isinstance(ticks, bool) and 0 <= ticks <= MAX_TICKS
    if is_billed:
        cost = ticks
    elif input_tokens or output_tokens:
        cost = estimate_ticks(estimate.model, input_tokens, output_tokens, cached_tokens=cached)
    else:
        was_at_work = 200 <= status < 300 or status in GATEWAY_TIMEOUTS
        cost = estimate.max_ticks if was_at_work else estimate.input_ticks
    return {
        "input_tokens": input_tokens,
        "cached_tokens": cached,
        "output_tokens": output_tokens,
        "reasoning_tokens": count("output_tokens_details", "reasoning_tokens"),
        "cost_ticks": cost,
        "is_estimate": not is_billed,
    }


def nested_value(document: Any, *names: str) -> Any:
    """What stands under these names, each in the object of the one before; None where there is no such object."""
    for name in names:
        document = document.get(name) if isinstance(document, dict) else None
    return document
