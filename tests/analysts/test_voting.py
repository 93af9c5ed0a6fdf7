"""The vote of several samples: quorum, directions, near-ties, and what is taken over from whom."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spy32.analysts.voting import combine_samples, winner
from spy32.domain.proposals import Decision, Recommendation
from spy32.domain.spreads import Strategy
from tests.support import builders

PUTS = [builders.candidate(str(short), str(short - 5)) for short in (630, 635, 640, 645, 650)]
WIDE = builders.candidate("640", "630")
CALLS = [builders.candidate(str(short), str(short + 5)) for short in (690, 695)]
MENU = builders.menu(candidates=(*PUTS, WIDE, *CALLS))
P630, P635, P640, P645, P650 = (put.id for put in PUTS)
C690, C695 = (call.id for call in CALLS)
CHOICES = [*(candidate.id for candidate in MENU.candidates), "abstain", "failed"]


def sample(choice: str, probability: float = 0.8, **over: object) -> Recommendation:
    decision = {"abstain": Decision.ABSTAIN, "failed": Decision.FAILED}.get(choice, Decision.TRADE)
    made = builders.recommendation(
        analyst="grok",
        decision=decision,
        candidate_id=choice if decision is Decision.TRADE else None,
        reason=f"because of {choice}",
        probability=probability if decision is Decision.TRADE else None,
        failure="cut" if decision is Decision.FAILED else "",
        exit_code=65 if decision is Decision.FAILED else 0,
        marks=(),
        vetoes=(),
    )
    return replace(made, **over)  # type: ignore[arg-type]


def samples(votes: Mapping[str, int]) -> list[Recommendation]:
    return [sample(choice) for choice, count in votes.items() for _ in range(count)]


@pytest.mark.parametrize(
    ("votes", "quorum", "chosen"),
    [
        ({P640: 3, P630: 1, "abstain": 1}, 0.6, P640),
        ({P640: 2, "abstain": 2, P630: 1}, 0.6, None),
        ({P640: 3, "failed": 2}, 0.6, P640),
        ({P640: 2, "failed": 3}, 0.6, None),
        ({"abstain": 3, P640: 2}, 0.6, "abstain"),
        ({"abstain": 2, "failed": 3}, 0.6, None),
        # One stray vote for the other direction is borne, two are not.
        ({P640: 4, C690: 1}, 0.6, P640),
        ({P640: 5, C690: 2}, 0.6, None),
        ({P640: 6, C690: 1, C695: 1}, 0.6, None),
        ({P640: 1, C690: 1}, 0.5, None),
        ({P640: 1, "abstain": 1}, 0.5, None),
        # Near-ties: strikes side by side add up, the median's entry is taken.
        ({P635: 2, P640: 2, P645: 1}, 0.6, P640),
        ({P635: 2, P640: 1, "abstain": 2}, 0.6, P635),
        ({P640: 1, WIDE.id: 1, P645: 1, "abstain": 1, "failed": 1}, 0.6, P640),
        ({P630: 2, P650: 2, P640: 1}, 0.6, None),
        ({P630: 2, P650: 3}, 0.6, P650),
        ({P635: 1, P640: 1}, 0.5, P635),
        ({"ZZZZ": 3}, 0.6, None),
        ({P640: 1}, 1, P640),
        ({}, 0.6, None),
    ],
)
def test_the_rule(votes: dict[str, int], quorum: float, chosen: str | None) -> None:
    assert winner(votes, MENU, quorum) == chosen


def second_opinion(votes: Mapping[str, int], quorum: float) -> str | None:
    """The rule once more, written from its words and over a list of single votes."""
    ballots = list(Counter(votes).elements())
    needed = quorum * len(ballots) - 1e-6
    by_id = {candidate.id: candidate for candidate in MENU.candidates}
    trades = [by_id[ballot] for ballot in ballots if ballot in by_id]
    if not ballots:
        return None
    if ballots.count("abstain") >= needed:
        return "abstain" if len(trades) < needed else None
    puts = [one for one in trades if one.spread.strategy is Strategy.PUT_CREDIT]
    calls = [one for one in trades if one.spread.strategy is Strategy.CALL_CREDIT]
    ours, others = (puts, calls) if len(puts) >= len(calls) else (calls, puts)
    if len(ours) == len(others) or len(others) > 1:
        return None
    full = {one.id for one in ours if ballots.count(one.id) >= needed}
    if len(full) == 1:
        return full.pop()
    middle = median(one.spread.short.strike for one in ours)
    ranked = sorted(
        ours,
        key=lambda one: (
            abs(one.spread.short.strike - middle),
            -ballots.count(one.id),
            one.short_delta,
            one.spread.width,
            one.id,
        ),
    )
    taken = ranked[0]
    ladder = sorted({one.spread.short.strike for one in by_id.values() if one.spread.strategy is taken.spread.strategy})
    rungs = {strike: rung for rung, strike in enumerate(ladder)}
    here = rungs[taken.spread.short.strike]
    close = [one for one in ours if abs(rungs[one.spread.short.strike] - here) <= 1]
    return taken.id if len(close) >= needed else None


@given(
    votes=st.dictionaries(st.sampled_from(CHOICES), st.integers(1, 5), max_size=6),
    quorum=st.sampled_from([0.5, 0.51, 0.6, 2 / 3, 0.75, 0.8, 1.0]),
)
def test_two_readings_of_the_rule_agree_and_no_winner_lacks_a_quorum(votes: dict[str, int], quorum: float) -> None:
    found = winner(votes, MENU, quorum)
    assert found == second_opinion(votes, quorum)
    total = sum(votes.values())
    if found == "abstain":
        assert votes["abstain"] / total >= quorum - 1e-9
    if found is not None and found != "abstain":
        chosen = MENU.find(found)
        assert chosen is not None
        side = {one.id for one in MENU.side(chosen.spread.strategy)}
        assert sum(count for choice, count in votes.items() if choice in side) / total >= quorum - 1e-9
        assert sum(votes.get(choice, 0) for choice in {one.id for one in MENU.candidates} - side) <= 1
        assert votes[found] > 0


@given(st.permutations(samples({P640: 3, P635: 1, "failed": 1})))
def test_the_order_of_the_samples_decides_nothing(order: list[Recommendation]) -> None:
    found = combine_samples(order, MENU, 0.6)
    assert (found.candidate_id, found.votes) == (P640, {P640: 3, P635: 1, "failed": 1})


@given(st.lists(st.sampled_from(CHOICES), min_size=1, max_size=15), st.sampled_from([0.5, 0.6, 1.0]))
def test_every_vote_is_counted_and_every_outcome_is_whole(choices: list[str], quorum: float) -> None:
    asked = [sample(choice) for choice in choices]
    found = combine_samples(asked, MENU, quorum)
    assert sum(found.votes.values()) == len(choices)
    assert dict(found.votes) == dict(Counter(choices))
    assert (found.exit_code != 0) == (found.decision is Decision.FAILED)
    if found.decision is Decision.FAILED:
        assert choices.count("failed") > 0
        assert (len(choices) - choices.count("failed")) / len(choices) < quorum


def test_the_probability_is_the_median_of_the_winners_samples() -> None:
    asked = [sample(P640, p) for p in (0.70, 0.90, 0.75)] + [sample(P635, 0.10), sample("failed")]
    found = combine_samples(asked, MENU, 0.6)
    assert (found.candidate_id, found.probability) == (P640, 0.75)


def test_the_words_are_those_of_the_sample_nearest_the_median() -> None:
    asked = [sample(P640, p, analysis=f"said {p}") for p in (0.70, 0.90, 0.75)]
    assert combine_samples(asked, MENU, 0.6).analysis == "said 0.75"


def test_no_veto_and_no_mark_of_the_winners_samples_is_lost() -> None:
    asked = [
        sample(P640, 0.80, marks=("odd",)),
        sample(P640, 0.80),
        sample(P640, 0.30, vetoes=("far from the market",), marks=("odd", "far")),
        sample(P635, 0.80, vetoes=("of another choice",)),
    ]
    found = combine_samples(asked, MENU, 0.6)
    assert found.vetoes == ("far from the market",)
    assert found.marks == ("odd", "far", f"the samples were split: {P640} 3, {P635} 1")


def test_too_few_answers_are_a_failure_and_never_an_abstention() -> None:
    found = combine_samples(samples({"abstain": 2, "failed": 3}), MENU, 0.6)
    assert (found.decision, found.failure, found.exit_code) == (Decision.FAILED, "cut", 65)
    assert found.reason == "3 of 5 samples gave no answer that can be used; the first: because of failed"


def test_an_id_that_is_not_on_the_menu_is_a_failure_and_never_an_abstention() -> None:
    found = combine_samples([sample("ZZZZ"), sample("ZZZZ")], MENU, 0.6)
    assert (found.decision, found.candidate_id, found.votes) == (Decision.FAILED, None, {"failed": 2})
    assert (found.failure, found.exit_code) == ("off_menu", 65)
