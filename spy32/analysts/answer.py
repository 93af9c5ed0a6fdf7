"""From the text of a model to a recommendation, or to the check that it failed at.

The ladder, in this order (the first step that fails ends it):

    form      too_long, empty, fence, not_json, nested, two_objects, trailing, duplicate_key, number, schema
    meaning   version, stale, contradiction, off_menu, evidence

Form may be asked for once more, meaning may not: an answer that contradicts itself or names what is not on the menu is
information. Nothing is repaired here, and no text of the model becomes a strike, a price or a quantity. What a reviewer
must see (marks) and what code refuses (vetoes) is judged after that and leaves the recommendation readable.
"""

import re
from dataclasses import dataclass
from typing import Any

from spy32.analysts.answer_schema import ANALYSIS, CASE, MIND, AnswerV1, shaped
from spy32.analysts.clean import clean, excerpt
from spy32.analysts.numbers import Grounds, check
from spy32.analysts.rendered import Rendered
from spy32.clients.http import strict_json
from spy32.domain.deciding import Cited, Decision, NumberCheck, Recommendation
from spy32.domain.trading import Candidate, Menu
from spy32.settings.services import AnalystKnobs

NAME = "grok"
CAP = 64 * 1024
"""Bytes of an answer; the longest that the schema allows has some 16,000."""
DEEPEST = 8
"""Levels of brackets; the schema has two."""
WORDS = 300
"""Characters of a reason."""
BLANK = " \t\r\n"
STRINGS = re.compile(r'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
OPENING, CLOSING = "[{", "]}"

SAID = (
    ("stands twice", "duplicate_key"),
    ("is nested too deep", "nested"),
    ("is not a number", "number"),
    ("is too large", "number"),
    ("integer string conversion", "number"),
)
"""What `strict_json` says, and the check that it stands for; anything else is `not_json`."""
EXTRA = re.compile(r"Extra data at (\d+)")

REASONS = {
    "no_edge": "no edge",
    "event_risk": "event risk",
    "data_quality": "quality of the data",
    "poor_pricing": "poor pricing",
    "conflicting_evidence": "conflicting evidence",
    "other": "another reason",
}


UNREASONED = "it abstains and gives no abstain_reason"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """An answer that is none."""

    check: str
    """The step of the ladder, one word."""
    words: str
    """One line, for a person and for asking again; it holds short cleaned excerpts of the answer at the most."""
    is_form: bool
    """Whether only its form is wrong, so that it may be asked for once more."""


class _No(Exception):
    """The end of the ladder; never leaves this module."""

    def __init__(self, check: str, words: str, *, is_form: bool = False) -> None:
        super().__init__(words)
        self.rejected = Rejected(check=check, words=excerpt(words, WORDS), is_form=is_form)


def judge(text: str, rendered: Rendered, menu: Menu, knobs: AnalystKnobs) -> Recommendation | Rejected:
    """The recommendation in `text`, an answer to `rendered`; it points at an entry of `menu` or abstains.

    `Unusable` only when `rendered` is of a prompt version that this program has no answers for.
    """
    try:
        answer = _formed(text, rendered.version)
        _check_echoes(answer, rendered)
        _check_decision(answer)
        candidate = _chosen(answer, rendered, menu)
        _check_paths(answer, rendered)
    except _No as end:
        return end.rejected
    return _recommendation(answer, candidate, rendered, knobs)


# Form.


def _formed(text: str, version: str) -> AnswerV1:
    value = _object(text)
    try:
        return shaped(value, version)
    except ValueError as trouble:
        raise _No("schema", str(trouble), is_form=True) from None


def _object(text: str) -> dict[str, Any]:
    """The one JSON object that the whole text is."""
    # No text is shorter in bytes than in characters, so megabytes are never encoded.
    if len(text) > CAP or len(text.encode("utf-8", "surrogatepass")) > CAP:
        raise _form("too_long", f"the answer has more than {CAP} bytes")
    body = text.strip(BLANK)
    if not body:
        raise _form("empty", "the answer is empty")
    if not body.startswith("{"):
        check = "fence" if "```" in body else "not_json"
        raise _form(check, f"the answer must be one JSON object and nothing else; it begins with: {excerpt(body)}")
    if _depth(body) > DEEPEST:
        raise _form("nested", f"the answer is nested more than {DEEPEST} levels deep")
    try:
        value = strict_json(body)
    except ValueError as trouble:
        raise _unread(body, str(trouble)) from None
    assert isinstance(value, dict)  # it begins with a brace
    return value


def _form(check: str, words: str) -> _No:
    return _No(check, words, is_form=True)


def _depth(body: str) -> int:
    """The most brackets open at once, outside of strings: counted, since recursion would be what it guards against."""
    deepest = depth = 0
    for mark in STRINGS.sub("", body):
        depth += (mark in OPENING) - (mark in CLOSING)
        deepest = max(deepest, depth)
    return deepest


def _unread(body: str, said: str) -> _No:
    extra = EXTRA.search(said)
    if extra is not None:
        rest = body[int(extra[1]) :].lstrip(BLANK)
        check = "fence" if rest.startswith("```") else "two_objects" if rest.startswith("{") else "trailing"
        return _form(check, f"after the JSON object comes more: {excerpt(rest)}")
    check = next((check for words, check in SAID if words in said), "not_json")
    if "integer string conversion" in said:
        said = "a number has thousands of digits"
    return _form(check, f"the answer cannot be read: {said}")


# Meaning.


def _check_echoes(answer: AnswerV1, rendered: Rendered) -> None:
    if answer.schema_version != rendered.version:
        raise _No("version", f"it answers the prompt {excerpt(answer.schema_version)}, not {rendered.version}")
    if answer.as_of_echo != rendered.as_of:
        raise _No("stale", f"it answers data of {excerpt(answer.as_of_echo)}, not of {rendered.as_of}")


def _check_decision(answer: AnswerV1) -> None:
    trades, names = answer.decision == "trade", answer.candidate_id is not None
    if trades != names:
        raise _No("contradiction", f"it says {answer.decision} and names {'a' if names else 'no'} candidate")
    if trades and answer.abstain_reason is not None:
        raise _No("contradiction", f"it says trade with abstain_reason {answer.abstain_reason}")
    if trades and answer.p_max_profit is None:
        raise _No("contradiction", "it says trade and gives no p_max_profit")


def _chosen(answer: AnswerV1, rendered: Rendered, menu: Menu) -> Candidate | None:
    """The candidate whose id is exactly the one given; None for an abstention."""
    if answer.candidate_id is None:
        return None
    candidate = menu.find(answer.candidate_id)
    if candidate is None or answer.candidate_id not in rendered.ids:
        # In ASCII, so that a look-alike letter can be told from the letter.
        raise _No("off_menu", f"it names {answer.candidate_id[:20]!a}, which is not on this menu")
    return candidate


def _check_paths(answer: AnswerV1, rendered: Rendered) -> None:
    for path in (*answer.evidence, *answer.data_problems):
        if path not in rendered.fields:
            raise _No("evidence", f"it cites {path[:60]!a}, a field that was not sent")
    for path in answer.evidence:
        if rendered.fields[path].is_missing:
            raise _No("evidence", f"it relies on {path}, which was sent as missing")


# What it says.


def _recommendation(
    answer: AnswerV1, candidate: Candidate | None, rendered: Rendered, knobs: AnalystKnobs
) -> Recommendation:
    bull, bear = clean(answer.bull_case, CASE), clean(answer.bear_case, CASE)
    analysis, mind = clean(answer.analysis, ANALYSIS), clean(answer.would_change_my_mind, MIND)
    stated = answer.p_max_profit if candidate is not None else None
    evidence = tuple(dict.fromkeys(answer.evidence))
    grounds = Grounds(rendered=rendered, chosen=answer.candidate_id, cited=evidence, stated=answer.p_max_profit)
    checked = check((bull, bear, analysis, mind), grounds)
    # What would change its mind has not happened yet, so its levels need not be there.
    claimed = check((bull, bear, analysis), grounds)
    marks, vetoes = _judged(stated, candidate, checked, len(claimed.unmatched), knobs)
    if candidate is None and answer.abstain_reason is None:
        # The decision itself is clear, and an abstention sends nothing.
        marks = (UNREASONED, *marks)
    return Recommendation(
        analyst=NAME,
        decision=Decision.ABSTAIN if candidate is None else Decision.TRADE,
        candidate_id=candidate.id if candidate is not None else None,
        reason=_reason(answer, candidate),
        analysis=analysis,
        evidence=evidence,
        probability=stated,
        prompt=rendered.version,
        cited=tuple(_cited(path, rendered) for path in evidence),
        numbers=checked,
        bull_case=bull,
        bear_case=bear,
        market_bias=answer.market_bias,
        would_change_my_mind=mind,
        data_problems=tuple(dict.fromkeys(answer.data_problems)),
        marks=marks,
        vetoes=vetoes,
    )


def _cited(path: str, rendered: Rendered) -> Cited:
    sent = rendered.fields[path]
    return Cited(path=path, value=sent.text, unit=sent.unit, note=sent.note)


def _reason(answer: AnswerV1, candidate: Candidate | None) -> str:
    if candidate is None:
        why = REASONS[answer.abstain_reason] if answer.abstain_reason is not None else "no reason given"
        told = f"{why}: {' '.join(answer.analysis.split())}"
        return clean(told, WORDS).rstrip(": ")
    spread = candidate.spread
    side = spread.strategy.value.replace("_credit_spread", "")
    return (
        f"the {spread.short.strike}/{spread.long.strike} {side} spread: {answer.market_bias} on the market, a "
        f"{answer.p_max_profit:.0%} chance that it expires worthless ({candidate.p_worthless:.0%} by the option prices)"
    )


def _judged(
    stated: float | None, candidate: Candidate | None, checked: NumberCheck, claimed: int, knobs: AnalystKnobs
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Marks and vetoes. An abstention has nothing that could be refused, so it has marks only.

    `claimed` of the unmatched numbers stand where something is said to be so.
    """
    marks, vetoes = [], []
    if candidate is not None and stated is not None:
        market = candidate.p_worthless
        apart = round(abs(stated - market), 9)  # 0.95 - 0.80 is a little more than 0.15
        told = f"it states a probability of {stated:.2f}, the market's is {market:.2f}"
        # Said as what passes, so that a NaN does not.
        if not apart <= knobs.probability_veto:
            vetoes.append(f"{told}: more than {knobs.probability_veto:.2f} apart")
        elif not apart <= knobs.probability_mark:
            marks.append(f"{told}: more than {knobs.probability_mark:.2f} apart")
    if checked.unmatched:
        count = len(checked.unmatched)
        words = f"{count} of its numbers {'match' if count > 1 else 'matches'} nothing that was sent"
        if candidate is not None and claimed >= knobs.unmatched_veto:
            vetoes.append(f"{words}; {knobs.unmatched_veto} are refused")
        else:
            marks.append(words)
    return tuple(marks), tuple(vetoes)
