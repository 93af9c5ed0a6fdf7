"""The pairs of an experiment, and the one sentence that is said of them."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spy32.domain.experiments import Experiment, PairMetric
from spy32.domain.outcomes import CandidateOutcome, MenuChoice
from spy32.domain.report import ExperimentState
from spy32.domain.spreads import Candidate, Strategy
from spy32.review import betting
from spy32.review.experiments import (
    Pair,
    experiment_states,
    pairs,
)
from tests.support.builders import EXPIRATION, NOW, TODAY, candidate, experiment, experiment_terms, outcome

PUT, CALL = candidate(), candidate("695", "700")
GROK = "grok comprehensive"
LATER = NOW + timedelta(minutes=1)


def choice(
    chooser: str, picked: Candidate | None, *, week: int = 0, run_id: int | None = None, **over: object
) -> MenuChoice:
    base = {
        "run_id": week + 1 if run_id is None else run_id,
        "at": LATER + timedelta(weeks=week),
        "chooser": chooser,
        "candidate_id": picked.id if picked is not None else None,
        "stated": 0.9,
    }
    return MenuChoice(**{**base, **over})


def paired(of: Experiment, choices: Sequence[MenuChoice], *outcomes: CandidateOutcome) -> list[Pair]:
    return list(pairs(of, choices, lambda _: outcomes))


WON = outcome(expiry=Decimal(100), max_loss=Decimal(400))
LOST = outcome("695", "700", expiry=Decimal(-300), max_loss=Decimal(300), plan=None)

# Pairs.


def test_a_difference_is_a_share_of_the_larger_maximum_loss() -> None:
    (found,) = paired(experiment(), [choice("rules", CALL), choice(GROK, PUT)], WON, LOST)
    assert found.difference == 1.0  # (100 + 300) / 400, the bound
    assert (found.week, found.known, found.is_same) == (0, EXPIRATION, False)
    (mirrored,) = paired(experiment(), [choice("rules", PUT), choice(GROK, CALL)], WON, LOST)
    assert mirrored.difference == -1.0


def test_no_trade_brings_nothing_and_costs_nothing() -> None:
    (found,) = paired(experiment(), [choice("rules", PUT), choice(GROK, None)], WON)
    assert found.difference == pytest.approx(-0.25)
    (both,) = paired(experiment(), [choice("rules", None), choice(GROK, None)])
    assert (both.difference, both.is_same, both.known) == (0.0, True, TODAY)
    against_nothing = experiment(terms=experiment_terms(champion="no_trade"))
    (alone,) = paired(against_nothing, [choice(GROK, PUT)], WON)
    assert alone.difference == pytest.approx(0.25)


def test_under_the_exit_plan_its_result_counts_and_an_open_one_is_pending() -> None:
    planned = experiment(terms=experiment_terms(metric=PairMetric.PLAN))
    (found,) = paired(planned, [choice("rules", None), choice(GROK, PUT)], WON)
    assert WON.plan is not None
    assert (found.difference, found.known) == (pytest.approx(0.1), WON.plan.day)
    (pending,) = paired(planned, [choice("rules", CALL), choice(GROK, PUT)], WON, LOST)
    assert (pending.difference, pending.known) == (None, TODAY)


@pytest.mark.parametrize("known", [(), (WON,)])
def test_a_pair_waits_for_both_outcomes(known: tuple[CandidateOutcome, ...]) -> None:
    (found,) = paired(experiment(), [choice("rules", CALL), choice(GROK, PUT)], *known)
    assert found.difference is None


def test_selection_is_the_pick_less_the_mean_of_a_menu_that_is_known_whole() -> None:
    of_menu = experiment(terms=experiment_terms(champion="menu"))
    (found,) = paired(of_menu, [choice(GROK, PUT)], WON, LOST)
    assert found.difference == pytest.approx(0.25 - (0.25 - 1.0) / 2)
    assert not found.is_same
    (pending,) = paired(of_menu, [choice(GROK, PUT)], WON, outcome("695", "700", expiry=None))
    assert pending.difference is None
    assert paired(of_menu, [choice(GROK, None)], WON, LOST) == []
    planned = experiment(terms=experiment_terms(champion="menu", metric=PairMetric.PLAN))
    (alone,) = paired(planned, [choice(GROK, PUT)], WON, LOST)  # the call has expired without an end of its plan
    assert alone.difference == 0.0


@pytest.mark.parametrize("is_worthless", [True, False])
@pytest.mark.parametrize(("reference", "stated"), [("market", 0.85), ("history", 0.9)])
def test_a_score_is_the_reference_s_squared_error_less_the_stated_one(
    reference: str, stated: float, is_worthless: bool
) -> None:
    scored = experiment(terms=experiment_terms(champion=reference, metric=PairMetric.SCORE))
    over = {"is_worthless": is_worthless, "worthless_market": 0.85, "worthless_history": 0.9}
    (found,) = paired(scored, [choice(GROK, PUT, stated=0.7)], outcome(**over))
    assert found.difference == pytest.approx((stated - is_worthless) ** 2 - (0.7 - is_worthless) ** 2)
    assert paired(scored, [choice(GROK, PUT, stated=None)], WON) == []
    (pending,) = paired(scored, [choice(GROK, PUT)], outcome(settlement=None, is_worthless=None))
    assert pending.difference is None


def test_the_pick_of_a_debit_spread_is_not_scored_since_another_event_is_stated_of_it() -> None:
    scored = experiment(terms=experiment_terms(champion="market", metric=PairMetric.SCORE))
    known = outcome(strategy=Strategy.PUT_DEBIT, is_worthless=True, worthless_market=0.85)
    assert paired(scored, [choice(GROK, PUT)], known) == []


def test_history_is_no_reference_for_a_run_that_did_not_know_it() -> None:
    scored = experiment(terms=experiment_terms(champion="history", metric=PairMetric.SCORE))
    (found,) = paired(scored, [choice(GROK, PUT)], outcome(is_worthless=True, worthless_market=0.8))
    assert found.difference is None


def test_only_runs_after_the_registration_until_the_end_and_within_the_horizon_count() -> None:
    terms = experiment_terms(weeks=3)
    weeks = [choice(who, PUT, week=week) for week in range(5) for who in ("rules", GROK)]
    before = [choice(who, PUT, run_id=0, at=NOW) for who in ("rules", GROK)]
    assert paired(experiment(terms=terms), before, WON) == []
    assert [each.week for each in paired(experiment(terms=terms), [*before, *weeks], WON)] == [0, 1, 2]
    ended = experiment(terms=terms, ended_at=NOW + timedelta(weeks=2))
    assert [each.week for each in paired(ended, weeks, WON)] == [0, 1]


def test_of_several_runs_in_a_week_the_first_in_which_both_chose_counts() -> None:
    alone = [choice("rules", PUT, run_id=1)]
    both = [choice(who, PUT, run_id=2, at=LATER + timedelta(days=1)) for who in ("rules", GROK)]
    again = [choice(GROK, CALL, run_id=3, at=LATER + timedelta(days=2)), choice("rules", PUT, run_id=3)]
    (found,) = paired(experiment(), [*again, *both, *alone], WON, LOST)
    assert found.is_same


# Words.


def state(
    differences: Sequence[float | None], *, same: int = 0, of: Experiment | None = None, weeks_later: int = 0
) -> ExperimentState:
    return states([(of or experiment(), known(differences, same))], weeks_later)[0]


def states(found: Sequence[tuple[Experiment, list[Pair]]], weeks_later: int = 0) -> tuple[ExperimentState, ...]:
    return experiment_states(found, NOW + timedelta(weeks=weeks_later))


def known(differences: Sequence[float | None], same: int = 0) -> list[Pair]:
    return [
        Pair(week=week, known=TODAY + timedelta(weeks=week), difference=difference, is_same=week < same)
        for week, difference in enumerate(differences)
    ]


def test_without_an_outcome_it_is_collecting() -> None:
    found = state([])
    assert found.words == "collecting: 0 outcomes of about 444 needed to see 0.3 standard deviations"
    assert (found.interval, found.evidence, found.path) == (None, None, ())


@given(st.lists(st.floats(-1, 1), max_size=30), st.integers(1, 5))
def test_at_thirty_outcomes_nothing_is_claimed_whatever_they_are(differences: list[float], streams: int) -> None:
    found = state([*differences, None], of=experiment(terms=experiment_terms(streams=streams)))
    assert found.words.startswith(f"collecting: {len(differences)} outcome")
    assert (found.evidence, found.evidence_against, found.deviation, found.path) == (None, None, None, ())
    assert found.interval is None or (found.interval.low, found.interval.high) == (None, None)
    assert (found.known, found.pending) == (len(differences), 1)


@pytest.mark.parametrize(("sign", "better"), [(1, GROK), (-1, "rules")])
def test_evidence_names_the_better_one_its_e_value_and_the_registration(sign: int, better: str) -> None:
    rng = np.random.default_rng(5)
    differences = sign * np.clip(rng.normal(0.4, 0.2, 100), -1, 1)
    found = state(differences.tolist())
    value = found.evidence if sign > 0 else found.evidence_against
    assert value is not None and value >= 20
    assert found.words == f"evidence for {better}, e = {value:.0f} (registered 2025-10-06)"
    assert found.interval is not None and found.interval.low is not None and found.interval.high is not None
    assert (found.interval.low > 0) == (sign > 0) and (found.interval.high < 0) == (sign < 0)
    (low,), (high,) = betting.confidence_intervals(differences[None, :], 5, 0.10)
    assert (found.interval.low, found.interval.high) == (low, high)


def test_no_difference_of_note_gives_its_interval() -> None:
    terms = experiment_terms(streams=1, weeks=5000)
    found = state(np.random.default_rng(4).choice([-0.3, 0.3], 800).tolist(), of=experiment(terms=terms))
    assert found.interval is not None and found.interval.low is not None and found.interval.high is not None
    assert found.words == (
        "no difference of 0.3 standard deviations or more "
        f"(90% interval {found.interval.low:+.2f} ... {found.interval.high:+.2f})"
    )


def test_two_that_take_nearly_the_same_are_sent_to_agreement() -> None:
    found = state([0.03, -0.03] * 20, same=30)
    assert found.words == (
        "too alike for results to tell: 40 outcomes differ by 0.03 of the maximum loss; the same choice in 30 of 40; "
        "compare agreement, scores and cost"
    )
    assert state([0.0] * 40, same=40).words.startswith("too alike for results to tell: 40 outcomes differ by 0.00")
    assert state([0.5, -0.5] * 20).words == (
        "undecided: neither is ahead after 40 weeks; about 444 needed to see 0.3 standard deviations"
    )
    assert state([0.5, -0.3] * 20).words.startswith("undecided: grok comprehensive ahead by 10.0% of max loss after 40")
    assert state([0.3, -0.5] * 20).words.startswith("undecided: rules ahead by 10.0% of max loss after 40 weeks;")


def test_one_that_has_ended_or_used_its_weeks_up_is_undecided() -> None:
    ended = experiment(ended_at=NOW + timedelta(weeks=9))
    assert state([0.1], of=ended).words == "ended undecided, 1 outcome"
    short = experiment(terms=experiment_terms(weeks=4))
    assert state([0.1, -0.1], of=short, weeks_later=3).words.startswith("collecting")
    assert state([0.1, None], of=short, weeks_later=4).words.startswith("collecting")
    assert state([0.1, -0.1], of=short, weeks_later=4).words == "ended undecided, 2 outcomes"
    assert state([0.1, None], of=short, weeks_later=10).words == "ended undecided, 1 outcome"


def test_the_path_has_each_outcome_in_the_order_in_which_it_became_known_and_ends_where_it_stands() -> None:
    rng = np.random.default_rng(6)
    differences: list[float | None] = rng.uniform(-0.5, 0.6, 50).tolist()
    differences[7] = differences[20] = None
    found = state(differences)
    assert [point.difference for point in found.path] == [each for each in differences if each is not None]
    last = found.path[-1]
    assert found.interval is not None
    assert (last.low, last.high) == (found.interval.low, found.interval.high)
    assert last.evidence == pytest.approx(found.evidence)
    early = np.array([np.nan if each is None else each for each in differences[:10]])
    assert found.path[8].evidence == pytest.approx(betting.evidence(early[None, :], 5)[0])
    late = known(differences)
    moved = [*late[:30], Pair(week=30, known=TODAY + timedelta(weeks=99), difference=0.5, is_same=False), *late[31:]]
    (other,) = states([(experiment(), moved)])
    assert (other.path[-1].difference, other.path[-1].day) == (0.5, TODAY + timedelta(weeks=99))


def test_several_challengers_of_one_champion_are_judged_together() -> None:
    rng = np.random.default_rng(5)
    good = known([float(each) for each in np.clip(rng.normal(0.4, 0.2, 100), -1, 1)])
    flat = known([0.5, -0.5] * 50)
    other = experiment(id=2, terms=experiment_terms(challenger="trend"))
    (alone,) = states([(experiment(), good)])
    first, second = states([(experiment(), good), (other, flat)])
    assert alone.evidence is not None and first.evidence is not None and second.evidence is not None
    assert first.evidence == pytest.approx((alone.evidence + second.evidence) / 2)
    assert first.words == f"evidence for {GROK}, of 2 compared, e = {first.evidence:.0f} (registered 2025-10-06)"
    elsewhere = experiment(id=2, terms=experiment_terms(challenger="trend", metric=PairMetric.PLAN))
    assert states([(experiment(), good), (elsewhere, flat)])[0] == alone
    ended = experiment(id=2, terms=other.terms, ended_at=NOW)
    assert states([(experiment(), good), (ended, flat)])[0] == alone
