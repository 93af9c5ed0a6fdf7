"""What each model and prompt did."""

from spy32.domain.proposals import Decision
from spy32.records.report import Request
from spy32.review.model_use import model_use
from tests.support.report_stores import stated_answer


def asked(**over: object) -> Request:
    base = {"model": "grok-4", "prompt": "v2", "ms": 8_000, "tokens": 7_000, "cost_ticks": 200_000_000}
    return Request(**{**base, **over})  # type: ignore[arg-type]


def test_choices_agreement_time_and_cost_of_a_model() -> None:
    rule = [stated_answer(week, analyst="rules", prompt=None, model=None, candidate_id="a") for week in range(4)]
    said = [
        stated_answer(0, unmatched=2),
        stated_answer(1, candidate_id="b", vetoes=1),
        stated_answer(2, decision=Decision.ABSTAIN, candidate_id=None),
        stated_answer(3, decision=Decision.FAILED, candidate_id=None),
    ]
    (found,) = model_use([*rule, *said], [asked(), asked(ms=20_000), asked(ms=None, cost_ticks=400_000_000)])
    assert (found.name, found.asked, found.traded, found.abstained, found.failed) == ("grok-4 v2", 4, 2, 1, 1)
    assert (found.vetoed, found.agreed, found.unmatched) == (1, 1, 2)
    assert (found.latency_seconds, found.tokens) == (14.0, 21_000)
    assert (found.cost, found.cost_per_decision) == (0.08, 0.02)


def test_both_staying_out_is_agreement_and_a_failure_is_none() -> None:
    rule = [stated_answer(0, analyst="rules", prompt=None, decision=Decision.ABSTAIN, candidate_id=None)]
    out = stated_answer(0, decision=Decision.ABSTAIN, candidate_id=None)
    assert model_use([*rule, out], ())[0].agreed == 1
    assert model_use([*rule, stated_answer(0, decision=Decision.FAILED, candidate_id=None)], ())[0].agreed == 0
    assert model_use([out], ())[0].agreed == 0


def test_two_prompts_are_two_and_requests_without_an_answer_count() -> None:
    found = model_use([stated_answer(0)], [asked(prompt="v3")])
    assert [(each.name, each.asked, each.tokens) for each in found] == [("grok-4 v2", 1, 0), ("grok-4 v3", 0, 7_000)]
    assert found[1].cost_per_decision is None
    assert model_use((), ()) == ()
