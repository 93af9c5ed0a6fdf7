"""Kills, lost answers and crowds against the local broker: the small counts of `make proofs`."""

import pytest

from proofs import crowd, live_kill, lost_answers, one_order, restores

PATIENCE = 1.0
"""Seconds; enough for a request to leave on a busy machine."""


def test_a_kill_at_any_commit_of_a_live_execute_doubles_loses_and_leaves_nothing() -> None:
    tally = live_kill.prove(1)
    assert tally.points >= 10
    assert tally.killed == tally.rounds == tally.points * 2
    assert tally.faults == []


@pytest.mark.parametrize("name", lost_answers.LOSSES)
def test_an_order_whose_answer_is_lost_is_never_doubled_and_settled_by_reading(name: str) -> None:
    rounds = len(lost_answers.LOSSES[name].kinds) * len(lost_answers.LOSSES[name].after)
    tally = lost_answers.prove(rounds, (name,), PATIENCE)[name]
    assert tally.rounds == rounds * len(lost_answers.WRITES)
    assert (tally.doubled, tally.unsettled) == ([], [])


def test_a_restore_under_a_living_execute_is_refused_and_loses_no_trade() -> None:
    tally = restores.prove(2)
    assert (tally.rounds, tally.refused) == (2, 6)
    assert tally.faults == []


def test_a_crowd_of_live_executes_sends_one_order() -> None:
    found = crowd.executes(12)
    assert (found.posts, found.orders, found.trades) == (1, 1, 1)
    assert found.odd == set()
    assert sum(found.codes.values()) == found.count


@pytest.mark.parametrize("kind", one_order.KINDS)
def test_no_copy_no_restore_and_no_late_arrival_fills_more_than_was_approved(kind: str) -> None:
    rounds = len(one_order.KINDS[kind])
    tally = one_order.prove(rounds, (kind,))[kind]
    assert (tally.rounds, tally.beyond, tally.build_error) == (rounds, 0, [])


def test_of_two_terminals_that_approve_one_wins() -> None:
    found = crowd.duels(2)
    assert found.rounds == 2
    assert found.build_error == []
