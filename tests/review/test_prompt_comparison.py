"""What two prompts said of the same snapshots: agreement, violations, cost, scores, and their experiment."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from spy32.domain.answer_role import AnswerRole
from spy32.domain.outcomes import CandidateOutcome
from spy32.domain.proposals import Decision, NumberCheck, Recommendation
from spy32.errors import BadUsage
from spy32.lifecycle import ProposalState
from spy32.review.experiments import load_experiments
from spy32.review.prompt_comparison import AGREEMENTS, PromptComparison, compare_prompts
from spy32.store import Store
from tests.support.builders import NOW, candidate, experiment_terms, later, menu, outcome, recommendation
from tests.support.stores import begun, opened, proposed

FIRST, SECOND = "v1", "v2"
PUT, OTHER_PUT, CALL = candidate(), candidate("635", "630"), candidate("695", "700")


class KnownOutcomes:
    """Both puts expired worthless in every run."""

    def select(self, run_id: int) -> tuple[CandidateOutcome, ...]:
        over = {"run_id": run_id, "is_worthless": True, "worthless_market": PUT.p_worthless}
        return tuple(outcome(*strikes, **over) for strikes in (("640", "635"), ("635", "630")))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with opened(tmp_path / "paper.db") as found:
        found.outcomes = KnownOutcomes()  # type: ignore[assignment]
        yield found


def answered(store: Store, *answers: Recommendation) -> int:
    """A run with a menu and these answers, the first of which counts."""
    run = begun(store, at=later(60))
    store.decisions.save_menu(run.id, menu(), NOW)
    for number, answer in enumerate(answers):
        store.decisions.save_answer(run.id, answer, role=AnswerRole.SHADOW if number else AnswerRole.CHOSEN, at=NOW)
    return run.id


def pick(version: str, candidate_id: str | None, **over: object) -> Recommendation:
    decision = Decision.ABSTAIN if candidate_id is None else Decision.TRADE
    return recommendation(prompt=version, decision=decision, candidate_id=candidate_id, **over)


def compared(store: Store, run_id: int | None = None) -> PromptComparison:
    return compare_prompts(store, FIRST, SECOND, NOW, run_id=run_id)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (PUT.id, PUT.id, "the same spread"),
        (PUT.id, OTHER_PUT.id, "another spread of that side"),
        (PUT.id, CALL.id, "the other side"),
        (PUT.id, None, "only the first trades"),
        (None, CALL.id, "only the second trades"),
        (None, None, "neither trades"),
    ],
)
def test_each_run_is_counted_by_how_the_two_choices_stand(
    store: Store, first: str | None, second: str | None, expected: str
) -> None:
    run = answered(store, pick(FIRST, first), pick(SECOND, second))
    found = compared(store)
    assert found.runs == (run,)
    assert found.agreement == {name: int(name == expected) for name in AGREEMENTS}


def test_a_vetoed_pick_trades_nothing_and_counts_as_vetoed(store: Store) -> None:
    answered(store, pick(FIRST, PUT.id, vetoes=("odd",)), pick(SECOND, PUT.id))
    found = compared(store)
    assert found.agreement["only the second trades"] == 1
    assert [each.vetoed for each in found.records] == [1, 0]


def test_each_prompt_has_its_decisions_violations_cost_and_scores(store: Store) -> None:
    numbers = NumberCheck(matched=3, unmatched=("1", "2"))
    answered(store, pick(FIRST, PUT.id, probability=0.9, numbers=numbers, cost_ticks=10**9), pick(SECOND, None))
    failed = recommendation(prompt=SECOND, decision=Decision.FAILED)
    answered(store, pick(FIRST, PUT.id, probability=0.7, cost_ticks=10**9), failed)
    answered(store, pick(FIRST, CALL.id), pick(SECOND, CALL.id))  # its outcome is not known
    answered(store, pick(FIRST, PUT.id))  # the other was not asked
    first, second = compared(store).records
    assert (first.traded, first.abstained, first.failed, first.unmatched) == (3, 0, 0, 2)
    assert (second.traded, second.abstained, second.failed) == (1, 1, 1)
    assert first.cost == pytest.approx(0.2, abs=1e-6)
    assert (first.scored, first.score) == (2, pytest.approx((0.01 + 0.09) / 2))
    assert first.market_score == pytest.approx((1 - PUT.p_worthless) ** 2)
    assert (second.scored, second.score, second.market_score) == (0, None, None)


def test_what_was_asked_again_later_does_not_replace_what_the_run_heard(store: Store) -> None:
    run = answered(store, pick(FIRST, PUT.id), pick(SECOND, PUT.id))
    store.decisions.save_answer(run, pick(SECOND, None), role=AnswerRole.AGAIN, at=later(99))
    assert compared(store).agreement["the same spread"] == 1


def test_a_run_whose_proposal_waits_is_left_out_until_a_person_has_decided(store: Store) -> None:
    run = answered(store, pick(FIRST, PUT.id), pick(SECOND, CALL.id))
    made = proposed(store, run_id=run)
    assert compared(store).runs == ()
    with pytest.raises(BadUsage, match=f"what other prompts said of R{run} is shown once P{made.id} is decided"):
        compared(store, run)
    store.proposals.move(made.id, was=ProposalState.PROPOSED, now=ProposalState.DECLINED, at=later(9))
    assert compared(store).runs == (run,)
    found = compared(store, run)
    assert [(each.answer.prompt, each.answer.candidate_id) for each in found.choices] == [
        (FIRST, PUT.id),
        (SECOND, CALL.id),
    ]
    assert found.menu is not None and found.menu.find(CALL.id) is not None


def test_one_run_is_compared_alone(store: Store) -> None:
    answered(store, pick(FIRST, PUT.id), pick(SECOND, PUT.id))
    run = answered(store, pick(FIRST, PUT.id), pick(SECOND, None))
    assert compared(store, run).runs == (run,)
    assert len(compared(store).runs) == 2
    assert compared(store).choices == ()


def test_their_experiment_has_its_state_from_the_store_alone(store: Store) -> None:
    assert compared(store).experiment is None
    terms = experiment_terms(champion=f"grok {FIRST}", challenger=f"grok {SECOND}")
    store.experiments.register(terms, NOW)
    answered(store, pick(FIRST, PUT.id), pick(SECOND, None))
    found = compared(store).experiment
    assert found is not None
    assert (found.known, found.words) == (1, "collecting: 1 outcome of about 444 needed to see 0.3 standard deviations")
    assert load_experiments(store, NOW) == (found,)
    assert found.interval is not None
    assert (found.interval.mean, found.interval.hits, found.interval.count) == (None, 0, 1)
