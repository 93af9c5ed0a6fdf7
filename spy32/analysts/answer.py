"""From the text of a model to a recommendation, or to the check that it failed at.

The ladder, in this order (the first step that fails ends it):

    form      too_long, empty, fence, not_json, nested, two_objects, trailing, duplicate_key, number, schema
    meaning   version, stale, contradiction, off_menu, evidence

Form may be asked for once more, meaning may not: an answer that contradicts itself or names what is not on the menu is
information. Nothing is repaired here, and no text of the model becomes a strike, a price or a quantity. What a reviewer
must see (marks) and what code refuses (vetoes) is judged after that and leaves the recommendation readable.
"""

from functools import partial
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from spy32.analysts.number_check import check_numbers
from spy32.analysts.prompt_format import format_strategy
from spy32.analysts.rendered_prompt import RenderedPrompt
from spy32.clients.http import JsonFault, NotJson, parse_strict_json
from spy32.domain.proposals import Citation, Decision, NumberCheck, Recommendation
from spy32.domain.sanitize import cap_text, excerpt, strip_controls
from spy32.domain.spreads import Candidate, Menu
from spy32.domain.value import value
from spy32.settings.services import AnalystKnobs

NAME = "grok"
MAX_ANSWER_BYTES = 64 * 1024
"""Bytes of an answer; the longest that the schema allows has some 16,000."""
MAX_REASON_LENGTH = 300
"""Characters of a reason."""
BLANK = " \t\r\n"
MEANING_CHECKS = frozenset({"version", "stale", "contradiction", "off_menu", "evidence"})

ABSTAIN_REASONS = {"data_quality": "quality of the data", "other": "another reason"}
"""Reasons that a person reads in other words."""
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


class Answer(BaseModel):
    """The strict shape of an answer: no text that passes for a number, no `true` for 1, no unknown key."""

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


@value
class RejectedAnswer:
    """An answer that failed a check."""

    check: str
    """Name of the check that failed, such as `off_menu`."""
    words: str
    """One line for a person and for the repair request. It quotes the answer only in short, sanitised excerpts."""

    @property
    def is_form(self) -> bool:
        """Whether only the form is wrong, so that the model may be asked once more."""
        return self.check not in MEANING_CHECKS


class _CheckFailed(Exception):
    """Raised by the check that fails, with its name and the words; `parse_answer` catches it."""


def parse_answer(
    text: str, rendered: RenderedPrompt, menu: Menu, knobs: AnalystKnobs
) -> Recommendation | RejectedAnswer:
    """The recommendation in `text`, an answer to `rendered`; it points at an entry of `menu` or abstains."""
    try:
        answer = _parse_form(text)
        _check_meaning(answer, rendered)
        candidate = _find_candidate(answer, rendered, menu)
        _check_paths(answer, rendered)
    except _CheckFailed as failed:
        check, words = failed.args
        return RejectedAnswer(check=check, words=excerpt(words, MAX_REASON_LENGTH))
    return _build_recommendation(answer, candidate, rendered, knobs)


# Form.


def _parse_form(text: str) -> Answer:
    """The one JSON object that the whole text is."""
    # No text is shorter in bytes than in characters, so megabytes are never encoded.
    if len(text) > MAX_ANSWER_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_ANSWER_BYTES:
        raise _CheckFailed("too_long", f"the answer has more than {MAX_ANSWER_BYTES} bytes")
    body = text.strip(BLANK)
    if not body:
        raise _CheckFailed("empty", "the answer is empty")
    if not body.startswith("{"):
        check = "fence" if "```" in body else "not_json"
        begins = f"it begins with: {excerpt(body)}"
        raise _CheckFailed(check, f"the answer must be one JSON object and nothing else; {begins}")
    try:
        return Answer.model_validate(parse_strict_json(body))
    except NotJson as error:
        if error.fault is not JsonFault.MORE:
            raise _CheckFailed(error.fault.value, f"the answer cannot be read: {error}") from None
        rest = body[error.end :].lstrip(BLANK)
        check = "fence" if rest.startswith("```") else "two_objects" if rest.startswith("{") else "trailing"
        raise _CheckFailed(check, f"after the JSON object comes more: {excerpt(rest)}") from None
    except ValidationError as error:
        raise _CheckFailed("schema", _describe_errors(error)) from None


def _describe_errors(error: ValidationError) -> str:
    found = error.errors(include_url=False, include_context=False, include_input=False)
    messages = [
        f"{excerpt('.'.join(map(str, item['loc'])), 40)}: {excerpt(item['msg'].removeprefix('Value error, '), 120)}"
        for item in found[:MAX_NAMED_ERRORS]
    ]
    more = [f"and {len(found) - MAX_NAMED_ERRORS} more"] if len(found) > MAX_NAMED_ERRORS else []
    return "; ".join([*messages, *more])


# Meaning.


def _check_meaning(answer: Answer, rendered: RenderedPrompt) -> None:
    if answer.schema_version != rendered.version:
        raise _CheckFailed("version", f"it answers the prompt {excerpt(answer.schema_version)}, not {rendered.version}")
    if answer.as_of_echo != rendered.as_of:
        raise _CheckFailed("stale", f"it answers data of {excerpt(answer.as_of_echo)}, not of {rendered.as_of}")
    trades, names = Decision(answer.decision) is Decision.TRADE, answer.candidate_id is not None
    if trades != names:
        raise _CheckFailed("contradiction", f"it says {answer.decision} and names {'a' if names else 'no'} candidate")
    if trades and answer.abstain_reason is not None:
        raise _CheckFailed("contradiction", f"it says trade with abstain_reason {answer.abstain_reason}")
    if trades and answer.p_max_profit is None:
        raise _CheckFailed("contradiction", "it says trade and gives no p_max_profit")


def _find_candidate(answer: Answer, rendered: RenderedPrompt, menu: Menu) -> Candidate | None:
    """The candidate whose id is exactly the one given; None for an abstention."""
    if answer.candidate_id is None:
        return None
    candidate = menu.find(answer.candidate_id)
    if candidate is None or answer.candidate_id not in rendered.ids:
        # In ASCII, so that a look-alike letter can be told from the letter.
        raise _CheckFailed("off_menu", f"it names {answer.candidate_id[:20]!a}, which is not on this menu")
    return candidate


def _check_paths(answer: Answer, rendered: RenderedPrompt) -> None:
    for path in (*answer.evidence, *answer.data_problems):
        if path not in rendered.fields:
            raise _CheckFailed("evidence", f"it cites {path[:60]!a}, a field that was not sent")
    for path in answer.evidence:
        if rendered.fields[path].is_missing:
            raise _CheckFailed("evidence", f"it relies on {path}, which was sent as missing")


# What it says.


def _build_recommendation(
    answer: Answer, candidate: Candidate | None, rendered: RenderedPrompt, knobs: AnalystKnobs
) -> Recommendation:
    bull, bear = _clean(answer.bull_case, MAX_CASE), _clean(answer.bear_case, MAX_CASE)
    analysis, mind = _clean(answer.analysis, MAX_ANALYSIS), _clean(answer.would_change_my_mind, MAX_CHANGE_OF_MIND)
    stated = answer.p_max_profit if candidate is not None else None
    evidence = tuple(dict.fromkeys(answer.evidence))
    sent = [rendered.fields[path] for path in evidence]
    check = partial(
        check_numbers, rendered=rendered, chosen=answer.candidate_id, cited=evidence, stated=answer.p_max_profit
    )
    checked = check((bull, bear, analysis, mind))
    # What would change its mind has not happened yet, so its numbers need not be in the data.
    claimed = check((bull, bear, analysis))
    marks, vetoes = _marks_and_vetoes(stated, candidate, checked, len(claimed.unmatched), knobs)
    if candidate is None and answer.abstain_reason is None:
        # The decision itself is clear, and an abstention sends nothing.
        marks = ("it abstains and gives no abstain_reason", *marks)
    return Recommendation(
        analyst=NAME,
        decision=Decision.ABSTAIN if candidate is None else Decision.TRADE,
        candidate_id=candidate.id if candidate is not None else None,
        reason=_reason_text(answer, candidate),
        analysis=analysis,
        evidence=evidence,
        probability=stated,
        prompt=rendered.version,
        cited=tuple(Citation(path=each.path, value=each.text, unit=each.unit, note=each.note) for each in sent),
        numbers=checked,
        bull_case=bull,
        bear_case=bear,
        market_bias=answer.market_bias,
        would_change_my_mind=mind,
        data_problems=tuple(dict.fromkeys(answer.data_problems)),
        marks=marks,
        vetoes=vetoes,
    )


def _clean(text: str, most: int) -> str:
    return cap_text(strip_controls(text).strip(), most)


def _reason_text(answer: Answer, candidate: Candidate | None) -> str:
    if candidate is None:
        name = answer.abstain_reason or "no_reason_given"
        why = ABSTAIN_REASONS.get(name, name.replace("_", " "))
        text = f"{why}: {' '.join(answer.analysis.split())}"
        return _clean(text, MAX_REASON_LENGTH).rstrip(": ")
    spread = candidate.spread
    side = format_strategy(spread.strategy)
    strikes = "/".join(f"{leg.strike}" for leg in spread.legs)
    ending = "ends with the largest profit" if spread.strategy.is_debit else "expires worthless"
    return (
        f"the {strikes} {side} spread: {answer.market_bias} on the market, a "
        f"{answer.p_max_profit:.0%} chance that it {ending} ({candidate.p_max_profit:.0%} by the option prices)"
    )


def _marks_and_vetoes(
    stated: float | None, candidate: Candidate | None, checked: NumberCheck, claimed_count: int, knobs: AnalystKnobs
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Marks for the reviewer and vetoes that refuse the choice; an abstention has marks only.

    `claimed_count` counts the unmatched numbers in sentences that assert something.
    """
    marks, vetoes = [], []
    if candidate is not None and stated is not None:
        market = candidate.p_max_profit
        gap = round(abs(stated - market), 9)  # 0.95 - 0.80 is a little more than 0.15
        comparison = f"it states a probability of {stated:.2f}, the market's is {market:.2f}"
        # Written as what is accepted, so that a NaN is not.
        if not gap <= knobs.probability_veto:
            vetoes.append(f"{comparison}: more than {knobs.probability_veto:.2f} apart")
        elif not gap <= knobs.probability_mark:
            marks.append(f"{comparison}: more than {knobs.probability_mark:.2f} apart")
    if checked.unmatched:
        count = len(checked.unmatched)
        words = f"{count} of its numbers {'match' if count > 1 else 'matches'} nothing that was sent"
        if candidate is not None and claimed_count >= knobs.unmatched_veto:
            vetoes.append(f"{words}; {knobs.unmatched_veto} are refused")
        else:
            marks.append(words)
    return tuple(marks), tuple(vetoes)
