"""Which reasoning efforts each Grok takes, and what a request costs. The service changes monthly: `xai.accepts` wins.

Prices are ticks a token, which is the same number as cents per 100 million tokens, the unit of the service's own list.
Sources: docs.x.ai "Models and Pricing" and "Reasoning"; the prices of grok-4.3 reproduce published bills to the tick.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from spy32.errors import BadSettings

TICKS = 10**10
"""Ticks in a dollar."""
LONG_PROMPT = 200_000
"""From so many input tokens on, every token of a request costs double."""
PREAMBLE = 400
"""Tokens that the service adds to a prompt of its own: some 200 were billed for a question of 15."""
MOST_TOKENS, MOST_TICKS = 10**9, 10**15
"""Counts beyond these are no counts; they would not fit into a column either."""
GATEWAY_TIMEOUTS = frozenset({408, 504, 524})
"""Statuses after which the model may have worked all that time, and be billed."""
LEFT_TO_MODEL = "model"
"""The setting of `xai.effort` that sends no effort."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """`efforts` is () when the parameter itself is refused, None when nobody has said."""

    efforts: tuple[str, ...] | None
    input: int
    cached: int
    output: int
    """Reasoning tokens count as output."""


_THREE = ("low", "medium", "high")
_SMALL = {"input": 12_500, "cached": 2_000, "output": 25_000}
_FLAGSHIP = {"input": 20_000, "cached": 5_000, "output": 60_000}

MODELS = {
    "grok-4.7": Model(efforts=_THREE, **_FLAGSHIP),
    "grok-4.6": Model(efforts=(*_THREE, "xhigh"), **_FLAGSHIP),
    "grok-4.5": Model(efforts=_THREE, **_FLAGSHIP),
    "grok-4.3": Model(efforts=("none", *_THREE), **_SMALL),
    "grok-4.20": Model(efforts=(), **_SMALL),
    "grok-4.20-multi-agent": Model(efforts=None, **_SMALL),
    "grok-3-mini": Model(efforts=("low", "high"), **_FLAGSHIP),
}
"""By the name of the family: `grok-4.3` also stands for `grok-4.3-latest` and `grok-4.3-0410`."""

UNKNOWN = Model(efforts=None, **_FLAGSHIP)
"""A model that the table lacks counts as dear, and takes what the service says it takes."""


def model_of(name: str) -> Model:
    """The entry of a model or of its family, the longest name that fits; `UNKNOWN` without one."""
    fits = [family for family in MODELS if name == family or name.startswith(f"{family}-")]
    return MODELS[max(fits, key=len)] if fits else UNKNOWN


def check_effort(model: str, effort: str, accepts: Sequence[str]) -> None:
    """`BadSettings` when the model is known not to take this effort; `accepts` replaces the table when it is given."""
    known = tuple(accepts) or model_of(model).efforts
    if effort == LEFT_TO_MODEL or known is None or effort in known:
        return
    if not known:
        raise BadSettings(f"{model} takes no reasoning effort: set xai.effort to `{LEFT_TO_MODEL}`")
    raise BadSettings(
        f"{model} takes no reasoning effort {effort!r}: set xai.effort to one of {', '.join(known)}, or to "
        f"`{LEFT_TO_MODEL}`; xai.accepts replaces this list"
    )


def estimate_ticks(model: str, input_tokens: int, output_tokens: int, *, cached_tokens: int = 0) -> int:
    """What so many tokens cost. `input_tokens` includes the cached ones, `output_tokens` the reasoning."""
    price = model_of(model)
    ticks = (input_tokens - cached_tokens) * price.input + cached_tokens * price.cached + output_tokens * price.output
    return ticks * 2 if input_tokens >= LONG_PROMPT else ticks


def dollars(ticks: int) -> str:
    """An amount for a person, to a hundredth of a cent: `$0.0412`."""
    return f"${Decimal(ticks) / TICKS:.4f}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a request says of its own price, in ticks. Figures take some 2.5 bytes a token, words more: 2 is safe."""

    model: str
    input_ticks: int
    most_ticks: int

    @classmethod
    def of(cls, body: str) -> "Asked":
        said = json.loads(body)
        model, tokens = str(said["model"]), len(body) // 2 + PREAMBLE
        return cls(
            model=model,
            input_ticks=estimate_ticks(model, tokens, 0),
            most_ticks=estimate_ticks(model, tokens, said["max_output_tokens"]),
        )


def most_ticks(body: str) -> int:
    """The most that a request may cost: all its input, and an answer as long as it allows."""
    return Asked.of(body).most_ticks


def bill(asked: Asked, status: int, said: Mapping[str, Any]) -> dict[str, Any]:
    """Tokens and cost of an answer: the service's own bill, else the price of its tokens, else what it may have been.

    A request that a status refused counts with its input; one that the model may have worked on, with all of it.
    """
    usage = said.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    sent, got = _count(usage.get("input_tokens")), _count(usage.get("output_tokens"))
    cached = min(_count(_inside(usage, "input_tokens_details", "cached_tokens")), sent)
    reasoning = _count(_inside(usage, "output_tokens_details", "reasoning_tokens"))
    ticks = usage.get("cost_in_usd_ticks")
    is_billed = isinstance(ticks, int) and not isinstance(ticks, bool) and 0 <= ticks <= MOST_TICKS
    if is_billed:
        cost = ticks
    elif sent or got:
        cost = estimate_ticks(asked.model, sent, got, cached_tokens=cached)
    else:
        was_at_work = 200 <= status < 300 or status in GATEWAY_TIMEOUTS
        cost = asked.most_ticks if was_at_work else asked.input_ticks
    return {
        "input_tokens": sent,
        "cached_tokens": cached,
        "output_tokens": got,
        "reasoning_tokens": reasoning,
        "cost_ticks": cost,
        "is_estimate": not is_billed,
    }


def _count(said: Any) -> int:
    is_count = isinstance(said, int) and not isinstance(said, bool) and 0 <= said <= MOST_TOKENS
    return said if is_count else 0


def _inside(said: Mapping[str, Any], name: str, key: str) -> Any:
    inner = said.get(name)
    return inner.get(key) if isinstance(inner, dict) else None
