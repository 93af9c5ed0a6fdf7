"""The strict shape of an answer: no text that passes for a number, no `true` for 1, no unknown key."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from spy32.domain.sanitize import excerpt
from spy32.errors import Unusable

MAX_CASE, MAX_ANALYSIS, MAX_CHANGE_OF_MIND, MAX_PATH = 600, 1500, 300, 120
"""Most characters of a case, of the analysis, of what would change its mind, and of anything that names something."""
MAX_CITED = 8
MAX_NAMED_ERRORS = 3
"""Errors of one answer that are named."""


def _check_probability(number: float | None) -> float | None:
    # Written as what is accepted: both `number < 0` and `number > 1` are false for NaN.
    if number is not None and not (0 <= number <= 1):
        raise ValueError("it is not between 0 and 1")
    return number


ShortText = Annotated[str, Field(max_length=MAX_PATH)]


class AnswerV1(BaseModel):
    """An answer to a prompt of version 1, comprehensive or simplified. `answer` checks whether it makes sense."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, frozen=True)

    schema_version: ShortText
    as_of_echo: ShortText
    evidence: Annotated[list[ShortText], Field(min_length=1, max_length=MAX_CITED)]
    data_problems: Annotated[list[ShortText], Field(max_length=MAX_CITED)]
    bull_case: Annotated[str, Field(max_length=MAX_CASE)]
    bear_case: Annotated[str, Field(max_length=MAX_CASE)]
    analysis: Annotated[str, Field(max_length=MAX_ANALYSIS)]
    market_bias: Literal["bullish", "neutral", "bearish"]
    decision: Literal["trade", "abstain"]
    candidate_id: ShortText | None
    abstain_reason: (
        Literal["no_edge", "event_risk", "data_quality", "poor_pricing", "conflicting_evidence", "other"] | None
    )
    p_max_profit: Annotated[float | None, AfterValidator(_check_probability)]
    would_change_my_mind: Annotated[str, Field(max_length=MAX_CHANGE_OF_MIND)]


ANSWER_MODELS: Mapping[str, type[AnswerV1]] = {"v1": AnswerV1, "v2": AnswerV1}
"""By the first part of a prompt version."""


def find_answer_model(version: str) -> type[AnswerV1]:
    """The shape of answers to prompts of this version, such as `v1-simplified`; `Unusable` when there is none."""
    answer_model = ANSWER_MODELS.get(version.split("-", 1)[0])
    if answer_model is None:
        raise Unusable(f"answers to the prompt {excerpt(version)} cannot be read by this version of spy32")
    return answer_model


def validate_answer(value: Mapping[str, Any], version: str) -> AnswerV1:
    """The answer; ValueError, in words for a person and for the model, when it has another shape."""
    answer_model = find_answer_model(version)
    try:
        return answer_model.model_validate(value)
    except ValidationError as error:
        raise ValueError(_describe_errors(error)) from None


def _describe_errors(error: ValidationError) -> str:
    found = error.errors(include_url=False, include_context=False, include_input=False)
    messages = [
        f"{excerpt('.'.join(map(str, item['loc'])), 40)}: {excerpt(item['msg'].removeprefix('Value error, '), 120)}"
        for item in found[:MAX_NAMED_ERRORS]
    ]
    more = [f"and {len(found) - MAX_NAMED_ERRORS} more"] if len(found) > MAX_NAMED_ERRORS else []
    return "; ".join([*messages, *more])
