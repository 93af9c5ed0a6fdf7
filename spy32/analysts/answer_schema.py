"""The shape of an answer, strict: no text that passes for a number, no `true` for 1, no key that was not asked for."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from spy32.analysts.clean import excerpt
from spy32.errors import Unusable

CASE, ANALYSIS, MIND, PATH = 600, 1500, 300, 120
"""Most characters of a case, of the analysis, of what would change its mind, and of anything that names something."""
MOST_CITED = 8
TOLD = 3
"""Errors of one answer that are named."""


def _share(number: float | None) -> float | None:
    # Written as what is accepted: both `number < 0` and `number > 1` are false for NaN.
    if number is not None and not (0 <= number <= 1):
        raise ValueError("it is not between 0 and 1")
    return number


Name = Annotated[str, Field(max_length=PATH)]


class AnswerV1(BaseModel):
    """An answer to a prompt of version 1, comprehensive or simplified. Whether it makes sense is judged elsewhere."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, frozen=True)

    schema_version: Name
    as_of_echo: Name
    evidence: Annotated[list[Name], Field(min_length=1, max_length=MOST_CITED)]
    data_problems: Annotated[list[Name], Field(max_length=MOST_CITED)]
    bull_case: Annotated[str, Field(max_length=CASE)]
    bear_case: Annotated[str, Field(max_length=CASE)]
    analysis: Annotated[str, Field(max_length=ANALYSIS)]
    market_bias: Literal["bullish", "neutral", "bearish"]
    decision: Literal["trade", "abstain"]
    candidate_id: Name | None
    abstain_reason: (
        Literal["no_edge", "event_risk", "data_quality", "poor_pricing", "conflicting_evidence", "other"] | None
    )
    p_max_profit: Annotated[float | None, AfterValidator(_share)]
    would_change_my_mind: Annotated[str, Field(max_length=MIND)]


SHAPES: Mapping[str, type[AnswerV1]] = {"v1": AnswerV1, "v2": AnswerV1}
"""By the first part of a prompt version."""


def shape_of(version: str) -> type[AnswerV1]:
    """The shape of answers to prompts of this version, such as `v1-simplified`; `Unusable` when there is none."""
    shape = SHAPES.get(version.split("-", 1)[0])
    if shape is None:
        raise Unusable(f"answers to the prompt {excerpt(version)} cannot be read by this version of spy32")
    return shape


def shaped(value: Mapping[str, Any], version: str) -> AnswerV1:
    """The answer; ValueError, in words for a person and for the model, when it has another shape."""
    shape = shape_of(version)
    try:
        return shape.model_validate(value)
    except ValidationError as trouble:
        raise ValueError(_words(trouble)) from None


def _words(trouble: ValidationError) -> str:
    found = trouble.errors(include_url=False, include_context=False, include_input=False)
    said = [
        f"{excerpt('.'.join(map(str, one['loc'])), 40)}: {excerpt(one['msg'].removeprefix('Value error, '), 120)}"
        for one in found[:TOLD]
    ]
    more = [f"and {len(found) - TOLD} more"] if len(found) > TOLD else []
    return "; ".join([*said, *more])
