"""Experiments on record: registered in the hash chain, renewed in one transaction; the choices they compare."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from spy32.domain.answer_role import AnswerRole
from spy32.domain.experiments import PairMetric
from spy32.domain.proposals import Decision
from spy32.errors import Refused
from spy32.store import Store
from tests.support import builders
from tests.support.builders import NOW, experiment_terms, later, recommendation
from tests.support.stores import approved, audit_events, begun, opened, proposed


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with opened(tmp_path / "paper.db") as found:
        yield found


def test_a_registration_is_an_event_of_the_chain_that_holds_its_terms(store: Store) -> None:
    found = store.experiments.register(experiment_terms(), NOW)
    assert (found.id, found.at, found.terms, found.ended_at) == (1, NOW, experiment_terms(), None)
    *_, event = audit_events(store)
    assert (event.kind, event.subject) == ("experiment registered", "E1")
    assert store.audit.verify().broken is None
    store.core.db.execute("update experiment set body = replace(body, '\"streams\":5', '\"streams\":1')")
    assert store.audit.verify().broken == "row 1 of experiment was changed by hand"


@pytest.mark.parametrize("over", [{}, {"champion": "grok comprehensive", "challenger": "rules"}, {"weeks": 52}])
def test_a_second_one_of_the_same_pair_is_refused_while_the_first_runs(store: Store, over: dict[str, object]) -> None:
    store.experiments.register(experiment_terms(), NOW)
    with pytest.raises(Refused, match="E1 compares rules and grok comprehensive since 2025-10-06"):
        store.experiments.register(experiment_terms(**over), later(9))
    assert len(store.experiments.select()) == 1
    store.experiments.register(experiment_terms(**over), NOW + timedelta(weeks=260))


@pytest.mark.parametrize("over", [{"metric": PairMetric.PLAN}, {"profile": "other"}, {"challenger": "trend"}])
def test_another_pair_metric_or_profile_is_another_experiment(store: Store, over: dict[str, object]) -> None:
    store.experiments.register(experiment_terms(), NOW)
    assert store.experiments.register(experiment_terms(**over), NOW).id == 2


def test_a_renewal_ends_the_old_one_and_begins_the_new_one_at_once(store: Store) -> None:
    old = store.experiments.register(experiment_terms(), NOW)
    new = store.experiments.renew(old, experiment_terms(streams=2), later(9))
    assert [each.ended_at for each in store.experiments.select()] == [later(9), None]
    assert (new.id, new.at, new.terms.streams) == (2, later(9), 2)
    assert not store.experiments.select()[0].is_running(later(10))
    assert new.is_running(later(10))
    assert store.audit.verify().broken is None


def test_the_choices_are_of_the_profile_since_then_and_name_who_chose(store: Store) -> None:
    early = begun(store, at=NOW)
    other = begun(store, at=later(60), profile="other")
    run = begun(store, at=later(120))
    for number in (early.id, other.id, run.id):
        store.decisions.save_answer(number, recommendation(), role=AnswerRole.CHOSEN, at=later(200))
    rule = recommendation(analyst="rules", prompt=None, decision=Decision.ABSTAIN)
    store.decisions.save_answer(run.id, rule, role=AnswerRole.SHADOW, at=later(200))
    store.decisions.save_answer(run.id, recommendation(prompt="again"), role=AnswerRole.AGAIN, at=later(300))
    found = store.experiments.choices("default", later(60))
    assert [(each.run_id, each.chooser, each.candidate_id, each.stated) for each in found] == [
        (run.id, "grok comprehensive", builders.candidate().id, 0.8),
        (run.id, "rules", None, 0.8),
    ]
    assert {each.at for each in found} == {later(120)}


@pytest.mark.parametrize("over", [{"vetoes": ("a strange probability",)}, {"decision": Decision.FAILED}])
def test_an_answer_that_failed_or_was_vetoed_trades_nothing(store: Store, over: dict[str, object]) -> None:
    run = begun(store)
    store.decisions.save_answer(run.id, recommendation(**over), role=AnswerRole.CHOSEN, at=NOW)
    (found,) = store.experiments.choices("default", NOW)
    assert found.candidate_id is None


def test_what_other_prompts_chose_is_left_out_until_a_person_has_decided(store: Store) -> None:
    run = begun(store)
    rule = recommendation(analyst="rules", prompt=None, probability=None)
    for answer, role in ((recommendation(), "chosen"), (rule, "shadow"), (recommendation(prompt="other"), "shadow")):
        store.decisions.save_answer(run.id, answer, role=role, at=NOW)
    proposal = proposed(store, run_id=run.id)
    shown = ["grok comprehensive", "rules"]
    assert [each.chooser for each in store.experiments.choices("default", NOW)] == shown
    approved(store, proposal)
    assert [each.chooser for each in store.experiments.choices("default", NOW)] == [*shown, "grok other"]
