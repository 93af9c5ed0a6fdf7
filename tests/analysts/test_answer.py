"""The ladder of checks on an answer: each wrong one ends at its check, and what passes is what the menu bears out."""

import json
import math
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import spy32.analysts
from spy32.analysts import answer
from spy32.analysts.answer import RejectedAnswer
from spy32.domain.codec import canonical_json
from spy32.domain.proposals import Decision, Recommendation
from tests.support import good_answers, outlooks
from tests.support.good_answers import (
    HOSTILE,
    IDS,
    KNOBS,
    abstaining,
    broken_promise,
    good,
    menu,
    outcome,
    rendered,
    text,
    verdict_of,
)
from tests.support.wrong_answers import files, mutated, wrong

FORM = {
    "too_long", "empty", "fence", "not_json", "nested", "two_objects", "trailing", "duplicate_key", "number", "schema",
}  # fmt: skip
MEANING = {"version", "stale", "contradiction", "off_menu", "evidence"}
PROMPTS = Path(spy32.analysts.__file__).parent / "prompts"


def accepted(answer_text: str) -> Recommendation:
    verdict = verdict_of(answer_text)
    assert isinstance(verdict, Recommendation), verdict
    return verdict


def rejected(answer_text: str) -> RejectedAnswer:
    verdict = verdict_of(answer_text)
    assert isinstance(verdict, RejectedAnswer), verdict
    return verdict


# What is refused.


@pytest.mark.parametrize(("body", "check"), [pytest.param(body, check, id=name) for name, body, check in wrong()])
def test_a_wrong_answer_ends_at_its_check(body: str, check: str) -> None:
    verdict = rejected(body)
    assert (verdict.check, verdict.is_form) == (check, check in FORM)
    assert broken_promise(verdict) is None


@pytest.mark.parametrize(("body", "word"), [pytest.param(body, word, id=name) for name, body, word in files()])
def test_an_answer_of_the_corpus_ends_as_its_file_is_named(body: str, word: str) -> None:
    verdict = verdict_of(body)
    assert outcome(verdict) == word
    assert broken_promise(verdict) is None


def test_every_check_is_provoked() -> None:
    provoked = {check for _, _, check in wrong()}
    assert provoked == FORM | MEANING


def test_the_first_check_that_fails_is_the_one_that_is_told() -> None:
    everything = good(schema_version="v0", as_of_echo="never", candidate_id="NONE", evidence=["nothing"])
    assert rejected(text(everything)).check == "version"
    assert rejected(text({**everything, "schema_version": good_answers.VERSION})).check == "stale"


def test_a_rejection_says_which_field_and_holds_none_of_its_text() -> None:
    verdict = rejected(text(good(p_max_profit="SECRET-0.62", quantity=100)))
    assert "p_max_profit" in verdict.words
    assert "quantity" in verdict.words
    assert "SECRET" not in verdict.words


def test_many_errors_are_counted() -> None:
    assert rejected("{}").words.endswith("and 10 more")


def test_a_look_alike_letter_is_shown_as_what_it_is() -> None:
    assert "\\u041a7Q2" in rejected(text(good(candidate_id="\u041a7Q2"))).words


def test_an_excerpt_of_prose_is_short_and_on_one_line() -> None:
    words = rejected("I think\n\x1b[31mthat\u202e " + "very " * 1000).words
    assert len(words) < 150
    assert "I think [31mthat very" in words


def test_an_id_that_is_on_the_menu_but_was_not_sent_is_off_the_menu() -> None:
    fewer = replace(rendered(), ids=IDS[1:])
    verdict = answer.parse_answer(text(good()), fewer, menu(), KNOBS)
    assert isinstance(verdict, RejectedAnswer)
    assert verdict.check == "off_menu"


def test_an_id_that_was_sent_but_is_not_on_the_menu_is_off_the_menu() -> None:
    other = replace(menu(), candidates=menu().candidates[1:])
    verdict = answer.parse_answer(text(good()), rendered(), other, KNOBS)
    assert isinstance(verdict, RejectedAnswer)
    assert verdict.check == "off_menu"


def test_a_range_check_holds_against_nan() -> None:
    # JSON with a NaN is refused before; this is what stands behind that.
    for number in (math.nan, math.inf, -math.inf, 1.0000001, -1e-9):
        with pytest.raises(ValueError, match="p_max_profit"):
            answer.Answer.model_validate(good(p_max_profit=number))


# What is accepted.


def test_a_good_answer_is_told_whole() -> None:
    found = accepted(text(good()))
    assert (found.analyst, found.decision, found.candidate_id) == ("grok", Decision.TRADE, "K7Q2")
    assert (found.probability, found.market_bias, found.prompt) == (0.8, "bullish", "v1-comprehensive")
    assert found.analysis == good()["analysis"]
    assert (found.bull_case, found.bear_case) == (good()["bull_case"], good()["bear_case"])
    assert found.would_change_my_mind == good()["would_change_my_mind"]
    assert found.data_problems == ("market.iv_percentile",)
    assert found.numbers is not None
    assert found.numbers.unmatched == ()
    assert found.numbers.matched > 20
    assert (found.marks, found.vetoes, found.failure) == ((), (), "")
    assert "640/635 put spread" in found.reason
    assert "80%" in found.reason


def test_what_it_cites_stands_as_it_was_sent() -> None:
    cited = accepted(text(good())).cited
    assert [one.path for one in cited] == good()["evidence"]
    assert (cited[1].value, cited[1].unit, cited[1].note) == ("648.13", "USD", "4 min, cboe")


def test_a_field_cited_twice_is_told_once() -> None:
    assert accepted(text(good(evidence=["market.vix", "market.vix"]))).evidence == ("market.vix",)


def test_an_abstention_is_an_answer() -> None:
    found = accepted(text(abstaining(abstain_reason="event_risk", analysis="The FOMC\nmeets on October 29.")))
    assert (found.decision, found.candidate_id, found.probability) == (Decision.ABSTAIN, None, None)
    assert found.reason == "event risk: The FOMC meets on October 29."
    assert found.vetoes == ()


def test_an_abstention_without_words_still_has_its_reason() -> None:
    assert accepted(text(abstaining(analysis="", abstain_reason="poor_pricing"))).reason == "poor pricing"


def test_an_abstention_without_a_reason_is_one_with_a_mark() -> None:
    found = accepted(text(abstaining(abstain_reason=None)))
    assert found.decision is Decision.ABSTAIN
    assert found.reason.startswith("no reason given")
    assert "it abstains and gives no abstain_reason" in found.marks
    assert accepted(text(abstaining())).marks == ()


def test_an_abstention_may_state_a_probability_of_no_trade_and_it_is_dropped() -> None:
    assert accepted(text(abstaining(p_max_profit=0.5))).probability is None


def test_one_is_a_probability_as_json_writes_it() -> None:
    assert accepted(text(good(p_max_profit=1))).probability == 1.0


def test_blanks_around_the_object_are_no_text_around_it() -> None:
    assert accepted(f"\n  {text(good())}\r\n\t").candidate_id == "K7Q2"


def test_brackets_in_words_are_not_nesting() -> None:
    assert accepted(text(good(analysis='[[[[[[[[[[ {{{{{{{{{{ "\\" [[[['))).candidate_id == "K7Q2"


@pytest.mark.parametrize("field", ["bull_case", "bear_case", "analysis", "would_change_my_mind"])
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_words_change_nothing_and_lose_what_a_terminal_would_act_on(field: str, name: str) -> None:
    found = accepted(text(good(**{field: HOSTILE[name]})))
    assert (found.candidate_id, found.probability) == ("K7Q2", 0.8)
    assert broken_promise(found) is None


def test_the_longest_words_that_the_schema_allows_are_kept() -> None:
    found = accepted(text(good(analysis="x" * 1500, bull_case="y" * 600, would_change_my_mind="z" * 300)))
    assert [len(words) for words in (found.analysis, found.bull_case, found.would_change_my_mind)] == [1500, 600, 300]


# The probability against the market's.


@pytest.mark.parametrize(
    ("apart", "word"),
    [
        (0.0, "accepted"), (0.15, "accepted"), (-0.15, "accepted"), (0.151, "marked"), (-0.151, "marked"),
        (-0.30, "marked"), (-0.301, "vetoed"), (-0.6, "vetoed"),
    ],
)  # fmt: skip
def test_a_probability_far_from_the_markets_is_marked_then_vetoed(apart: float, word: str) -> None:
    market = menu().candidates[0].p_max_profit
    assert outcome(accepted(text(good(p_max_profit=round(market + apart, 9))))) == word


def test_the_market_s_probability_is_that_of_its_density_and_not_of_the_delta() -> None:
    old = replace(menu().candidates[0], outlook=None)
    assert old.p_worthless == 1 - old.short_delta  # of a run that kept no density
    assert replace(old, worthless_market=0.6).p_worthless == 0.6
    made = outlooks.outlook()
    likely = replace(made.expiry.market.probabilities, max_profit=0.55)
    market = replace(made.expiry, market=replace(made.expiry.market, probabilities=likely))
    now = replace(old, worthless_market=0.6, outlook=replace(made, expiry=market))
    found = answer.parse_answer(text(good(p_max_profit=0.80)), rendered(), replace(menu(), candidates=(now,)), KNOBS)
    assert isinstance(found, Recommendation)
    assert "the market's is 0.55: more than 0.15 apart" in found.marks[0]
    assert "(55% by the option prices)" in found.reason


def test_a_delta_that_is_no_number_is_a_veto() -> None:
    first = menu().candidates[0]
    broken = replace(first, short=replace(first.short, delta=math.nan), outlook=None)
    found = answer.parse_answer(text(good()), rendered(), replace(menu(), candidates=(broken,)), KNOBS)
    assert isinstance(found, Recommendation)
    assert "probability" in found.vetoes[0]


# The numbers in its words.


def invented(count: int) -> str:
    return ", ".join(f"{601.37 + 1.13 * number:.2f}" for number in range(count))


@pytest.mark.parametrize(("count", "word"), [(0, "accepted"), (1, "marked"), (5, "marked"), (6, "vetoed")])
def test_numbers_that_nothing_bears_out_are_marked_then_vetoed(count: int, word: str) -> None:
    found = accepted(text(good(analysis=f"Levels: {invented(count)}")))
    assert found.numbers is not None
    assert found.numbers.unmatched == tuple(invented(count).split(", ")[:count])
    assert outcome(found) == word


def test_levels_that_would_change_its_mind_are_marked_and_refuse_nothing() -> None:
    found = accepted(text(good(would_change_my_mind=f"Closes at {invented(9)}")))
    assert found.vetoes == ()
    assert found.numbers is not None and len(found.numbers.unmatched) == 9
    assert "9 of its numbers" in found.marks[0]


def test_an_abstention_is_never_vetoed() -> None:
    found = accepted(text(abstaining(analysis=f"Levels: {invented(9)}")))
    assert found.vetoes == ()
    assert "9 of its numbers" in found.marks[0]


# The shape, against the schema that is sent: a second reading of the same contract.


def schemas() -> Iterator[Any]:
    for path in sorted(PROMPTS.glob("v1-*/schema.json")):
        schema = json.loads(path.read_text())
        ask = schema["properties"]
        ask["schema_version"]["const"], ask["as_of_echo"]["const"] = good_answers.VERSION, good_answers.AS_OF
        ask["candidate_id"]["enum"] = [*IDS, None]
        sent = rendered().fields.values()
        schema["$defs"]["present"]["enum"] = [one.path for one in sent if not one.is_missing]
        schema["$defs"]["missing"]["enum"] = [one.path for one in sent if one.is_missing]
        yield pytest.param(schema, id=path.parent.name)


@pytest.mark.parametrize("schema", list(schemas()))
def test_the_shape_is_the_one_that_is_asked_for(schema: Any) -> None:
    fields = answer.Answer.model_fields
    assert list(fields) == list(schema["properties"]) == schema["required"]
    ours = answer.Answer.model_json_schema()["properties"]
    for name in ("bull_case", "bear_case", "analysis", "would_change_my_mind"):
        assert ours[name]["maxLength"] == schema["properties"][name]["maxLength"]
    assert ours["market_bias"]["enum"] == schema["properties"]["market_bias"]["enum"]


@pytest.mark.slow
@pytest.mark.parametrize("schema", list(schemas()))
def test_what_is_accepted_satisfies_the_schema_that_was_sent(schema: Any) -> None:
    validator = jsonschema.Draft202012Validator(schema)
    assert validator.is_valid(good())
    assert validator.is_valid(abstaining())
    seen = 0
    for seed in range(150):
        body = mutated(random.Random(seed))
        if isinstance(verdict_of(body), Recommendation):
            seen += 1
            assert validator.is_valid(json.loads(body)), seed
    assert seen > 20
    for name, body, check in wrong():
        if check in ("schema", "off_menu", "evidence", "version", "stale") and "surrogate" not in name:
            assert not validator.is_valid(json.loads(body)), name


# At random.


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(name=st.sampled_from(list(good())), value=JSON)
def test_any_value_of_any_field_ends_in_a_verdict(name: str, value: Any) -> None:
    assert broken_promise(verdict_of(json.dumps(good(**{name: value})))) is None


@settings(max_examples=100, deadline=None)
@given(body=st.text(st.characters(), max_size=60) | st.binary(max_size=60).map(lambda raw: raw.decode("latin-1")))
def test_any_text_ends_in_a_verdict(body: str) -> None:
    for whole in (body, "{" + body, text(good()) + body, json.dumps(good(analysis=body)), text(good(analysis=body))):
        verdict = verdict_of(whole)
        assert broken_promise(verdict) is None
        if isinstance(verdict, Recommendation):
            canonical_json(verdict)  # can be stored: no NaN anywhere
