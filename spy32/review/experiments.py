"""The state of registered experiments, from the choices and outcomes on record alone."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from math import nan
from typing import TYPE_CHECKING

import numpy as np

from spy32.domain.experiments import PROBABILITY_SOURCES, Experiment, ExperimentTerms, PairMetric, Reference
from spy32.domain.market import Right
from spy32.domain.outcomes import MenuChoice, Outcome
from spy32.domain.report import Bounds, ExperimentPoint, ExperimentState
from spy32.domain.value import value
from spy32.options.normal import Floats
from spy32.review import betting
from spy32.sessions import market_date

if TYPE_CHECKING:
    from spy32.domain.spreads import Candidate
    from spy32.store import Store

MAX_NEEDED = 800
"""Outcomes, some fifteen years of weeks. What would need more is not to be told by results."""
EFFECT_WORDS = f"{betting.EFFECT} standard deviations"
LAG = 6
"""Weeks after its last run in which an experiment still waits for outcomes; the longest trades last 40 days."""
VIRTUAL = frozenset(Reference)


@value
class ExperimentReport:
    """An experiment and its state."""

    experiment: Experiment
    state: ExperimentState


@value
class Pair:
    """What champion and challenger chose in one week."""

    week: int
    """From 0, since the week of the registration."""
    known: date
    """When its outcome became known; the day of the run where it is not yet."""
    difference: float | None
    """Challenger less champion, -1 to 1; None while an outcome is not known."""
    is_same: bool


@value
class RunFacts:
    """What is on record of the menu of a run."""

    outcomes: Mapping[str, Outcome]
    find_candidate: "Callable[[str], Candidate | None]"


Facts = Callable[[int], RunFacts]
"""Run id -> what is on record of its menu."""


def load_experiments(store: "Store", now: datetime) -> tuple[ExperimentReport, ...]:
    """Return every experiment with its state, oldest first."""

    def facts(run_id: int) -> RunFacts:
        return RunFacts(
            outcomes={each.candidate_id: each for each in store.outcomes.select(run_id)},
            find_candidate=lambda candidate_id: store.decisions.candidate(run_id, candidate_id),
        )

    with store.core.read_transaction():
        found = store.experiments.select()
        paired = [tuple(pairs(each, store.experiments.choices(each.terms.profile, each.at), facts)) for each in found]
    states = experiment_states(list(zip(found, paired, strict=True)), now)
    return tuple(ExperimentReport(experiment=each, state=state) for each, state in zip(found, states, strict=True))


# Pairs.


def pairs(experiment: Experiment, choices: Iterable[MenuChoice], facts: Facts) -> Iterator[Pair]:
    """Yield the pairs of an experiment, one a week: of several runs in a week the first in which both chose counts."""
    terms, start = experiment.terms, _monday(experiment.at)
    names = {terms.champion, terms.challenger} - VIRTUAL
    seen: set[int] = set()
    for run_id, answers in groupby(sorted(choices, key=lambda each: each.run_id), lambda each: each.run_id):
        by_name = {each.chooser: each for each in answers}
        if not names <= by_name.keys():
            continue
        at = by_name[terms.challenger].at
        week = (market_date(at) - start).days // 7
        is_counted = at > experiment.at and (experiment.ended_at is None or at < experiment.ended_at)
        if is_counted and week < terms.weeks and week not in seen:
            pair = _pair(terms, week, by_name, facts(run_id))
            if pair is not None:
                seen.add(week)
                yield pair


def _monday(at: datetime) -> date:
    day = market_date(at)
    return day - timedelta(days=day.weekday())


def _pair(terms: ExperimentTerms, week: int, choices: Mapping[str, MenuChoice], facts: RunFacts) -> Pair | None:
    """Return the pair; None where the week does not count, since there is no pick to select or to judge."""
    challenger, champion = choices[terms.challenger], choices.get(terms.champion)
    pick, other = challenger.candidate_id, champion.candidate_id if champion is not None else None
    is_of_pick = terms.champion in (Reference.MENU, *PROBABILITY_SOURCES)
    if is_of_pick and (pick is None or (terms.metric is PairMetric.SCORE and challenger.stated is None)):
        return None
    if terms.metric is PairMetric.SCORE:
        difference = _score_difference(terms, challenger, facts)
    elif terms.champion == Reference.MENU:
        difference = _selection(terms, pick, facts)
    else:
        difference = _result_difference(terms, pick, other, facts)
    day = market_date(challenger.at)
    known = [_known_day(terms, each) for each in facts.outcomes.values() if each.candidate_id in (pick, other)]
    return Pair(
        week=week,
        known=day if difference is None else max(known, default=day),
        difference=None if difference is None else min(max(difference, -1.0), 1.0),
        is_same=not is_of_pick and pick == other,
    )


def _known_day(terms: ExperimentTerms, outcome: Outcome) -> date:
    return outcome.plan.day if terms.metric is PairMetric.PLAN and outcome.plan is not None else outcome.expiration


def _result(terms: ExperimentTerms, outcome: Outcome) -> Decimal | None:
    if terms.metric is PairMetric.PLAN:
        return outcome.plan.result if outcome.plan is not None else None
    return outcome.expiry


def _result_difference(terms: ExperimentTerms, pick: str | None, other: str | None, facts: RunFacts) -> float | None:
    """Return the difference of the results over the larger maximum loss; no trade has 0 and no loss."""
    results, losses = [], [Decimal(0)]
    for candidate_id in (pick, other):
        outcome = facts.outcomes.get(candidate_id) if candidate_id is not None else None
        result = Decimal(0) if candidate_id is None else _result(terms, outcome) if outcome is not None else None
        if result is None:
            return None
        results.append(result)
        losses.append(outcome.max_loss if outcome is not None else Decimal(0))
    return float((results[0] - results[1]) / max(losses)) if max(losses) > 0 else 0.0


def _selection(terms: ExperimentTerms, pick: str | None, facts: RunFacts) -> float | None:
    """Return the pick's share of its maximum loss less the mean of the menu's.

    A candidate that has expired without a known end of its plan never gets one and is left out of the mean.
    """
    shares = {
        each.candidate_id: each.plan_share if terms.metric is PairMetric.PLAN else each.expiry_share
        for each in facts.outcomes.values()
    }
    known = [share for share in shares.values() if share is not None]
    is_complete = all(
        shares[each.candidate_id] is not None or each.expiry is not None for each in facts.outcomes.values()
    )
    own = shares.get(pick) if pick is not None else None
    return own - sum(known) / len(known) if own is not None and is_complete else None


def _score_difference(terms: ExperimentTerms, choice: MenuChoice, facts: RunFacts) -> float | None:
    """Return the reference's squared error less the challenger's, both of the challenger's pick expiring worthless."""
    assert choice.candidate_id is not None
    outcome, candidate = facts.outcomes.get(choice.candidate_id), facts.find_candidate(choice.candidate_id)
    if outcome is None or outcome.settlement is None or candidate is None or choice.stated is None:
        return None
    reference = reference_probability(candidate, terms.champion)
    if reference is None:
        return None
    came_true = float(expired_worthless(candidate, outcome.settlement))
    return (reference - came_true) ** 2 - (choice.stated - came_true) ** 2


def reference_probability(candidate: "Candidate", source: str) -> float | None:
    """Return the market's or history's probability that a candidate expires worthless; None in runs before 0.4."""
    if source == Reference.MARKET:
        return candidate.p_worthless
    if candidate.outlook is None or candidate.outlook.expiry.history is None:
        return None
    return candidate.outlook.expiry.history.probabilities.worthless


def expired_worthless(candidate: "Candidate", settlement: Decimal) -> bool:
    """Return whether every short strike ended at or out of the money."""
    return all(
        settlement >= leg.strike if leg.right is Right.PUT else settlement <= leg.strike
        for leg in candidate.spread.legs
        if leg.action.sign > 0
    )


# States.


@value
class _Tally:
    """The differences of one experiment by week, shape (1, weeks), NaN where none is known, and what they say."""

    experiment: Experiment
    pairs: tuple[Pair, ...]
    known: tuple[Pair, ...]
    differences: Floats
    claims: betting.Claims
    evidence: float
    against: float


def experiment_states(paired: Sequence[tuple[Experiment, Sequence[Pair]]], now: datetime) -> list[ExperimentState]:
    """Return the states of experiments, in their order.

    Several challengers that run against one champion by one metric are judged together, so that the level holds for
    all of them.
    """
    tallies = [_tally(experiment, tuple(found)) for experiment, found in paired]
    families: dict[object, list[_Tally]] = {}
    for each in tallies:
        terms = each.experiment.terms
        alone = each.experiment.id if each.experiment.ended_at is not None else None
        families.setdefault((terms.champion, terms.metric, terms.profile, alone), []).append(each)
    states = {}
    for family in families.values():
        adjusted = (
            betting.closed_evidence([getattr(each, name) for each in family]) for name in ("evidence", "against")
        )
        for each, evidence, against in zip(family, *adjusted, strict=True):
            states[each.experiment.id] = _state(each, evidence, against, len(family), now)
    return [states[each.experiment.id] for each in tallies]


def _tally(experiment: Experiment, found: tuple[Pair, ...]) -> _Tally:
    terms = experiment.terms
    differences = np.full(max((each.week + 1 for each in found), default=0), nan)
    for each in found:
        if each.difference is not None:
            differences[each.week] = each.difference
    return _Tally(
        experiment=experiment,
        pairs=found,
        known=tuple(each for each in found if each.difference is not None),
        differences=differences[None, :],
        claims=betting.claims(differences[None, :], terms.streams, terms.level),
        evidence=betting.evidence(differences, terms.streams),
        against=betting.evidence(-differences, terms.streams),
    )


def _state(tally: _Tally, evidence: float, against: float, rivals: int, now: datetime) -> ExperimentState:
    experiment, terms, known = tally.experiment, tally.experiment.terms, len(tally.known)
    is_enough = known >= betting.MIN_OUTCOMES
    deviation = float(betting.deviations(tally.differences)[0]) if is_enough else None
    interval = _interval(tally) if known else None
    return ExperimentState(
        id=experiment.id,
        champion=terms.champion,
        challenger=terms.challenger,
        metric=terms.metric,
        registered=experiment.at,
        known=known,
        pending=len(tally.pairs) - known,
        needed=betting.needed_outcomes(betting.EFFECT, terms.streams, terms.level),
        streams=terms.streams,
        evidence=evidence if is_enough else None,
        evidence_against=against if is_enough else None,
        interval=interval,
        words=_claim(tally, evidence, against, rivals) or _progress(tally, interval, now),
        path=_path(tally) if is_enough else (),
        same=sum(each.is_same for each in tally.pairs),
        deviation=deviation,
        ended=experiment.ended_at,
    )


def _interval(tally: _Tally) -> Bounds:
    """Return the mean difference; its interval contradicts 0 exactly where evidence for one of the two is claimed."""
    terms, known = tally.experiment.terms, len(tally.known)
    hits, level = int(np.sum(tally.differences > 0)), 1 - 2 * terms.level
    if known < betting.MIN_OUTCOMES:
        return Bounds(mean=None, low=None, high=None, count=known, hits=hits, level=level)
    found = betting.confidence_interval(tally.differences[0], terms.streams, 2 * terms.level)
    mean = float(np.nanmean(tally.differences))
    return Bounds(mean=mean, low=found.low, high=found.high, count=known, hits=hits, level=level)


def _claim(tally: _Tally, evidence: float, against: float, rivals: int) -> str:
    """Return the sentence that claims evidence for one of the two; empty without it."""
    terms, threshold = tally.experiment.terms, 1.0 / tally.experiment.terms.level
    sides = (
        (terms.challenger, tally.claims.is_better, evidence),
        (terms.champion, tally.claims.is_worse, against),
    )
    compared = f", of {rivals} compared" if rivals > 1 else ""
    since = f"registered {market_date(tally.experiment.at)}"
    found = [
        f"evidence for {side}{compared}, e = {value:.0f} ({since})"
        for side, is_claimed, value in sides
        if is_claimed[0] and value >= threshold
    ]
    return found[0] if found else ""


def _progress(tally: _Tally, interval: Bounds | None, now: datetime) -> str:
    """Return that there is no difference of note, or how far the collection is."""
    terms, count = tally.experiment.terms, len(tally.known)
    bounds = ""
    if interval is not None and interval.low is not None and interval.high is not None:
        bounds = f" ({interval.level:.0%} interval {interval.low:+.2f} ... {interval.high:+.2f})"
    if tally.claims.is_alike[0]:
        return f"no difference of {EFFECT_WORDS} or more{bounds}"
    known = f"{count} outcome{'' if count == 1 else 's'}"
    weeks = (market_date(now) - _monday(tally.experiment.at)).days // 7
    is_over = weeks >= terms.weeks + LAG or (weeks >= terms.weeks and count == len(tally.pairs))
    if tally.experiment.ended_at is not None or is_over:
        return f"ended undecided, {known}{bounds}"
    needed = betting.needed_outcomes(betting.EFFECT, terms.streams, terms.level)
    return _small_difference(tally) or _undecided_words(tally, needed)


def _undecided_words(tally: _Tally, needed: int) -> str:
    """Return how far the collection is and, of enough outcomes, who is ahead, which says nothing yet."""
    terms, count = tally.experiment.terms, len(tally.known)
    if count < betting.MIN_OUTCOMES:
        return f"collecting: {count} outcome{'' if count == 1 else 's'} of about {needed} needed to see {EFFECT_WORDS}"
    mean = float(np.nanmean(tally.differences))
    size = f"{abs(mean):.3f}" if terms.metric is PairMetric.SCORE else f"{abs(mean):.1%} of max loss"
    leader = terms.challenger if mean > 0 else terms.champion
    lead = f"{leader} ahead by {size}" if mean else "neither is ahead"
    return f"undecided: {lead} after {count} weeks; about {needed} needed to see {EFFECT_WORDS}"


def _small_difference(tally: _Tally) -> str:
    """Return the words about two that differ by too little for results to tell; empty where they differ enough."""
    terms, known = tally.experiment.terms, len(tally.known)
    if known < betting.MIN_OUTCOMES:
        return ""
    deviation = float(betting.deviations(tally.differences)[0])
    if deviation > 0:
        needed = betting.needed_outcomes(betting.EFFECT, terms.streams, terms.level, deviation)
        if needed <= MAX_NEEDED:
            return ""
    same = sum(each.is_same for each in tally.pairs)
    unit = "" if terms.metric is PairMetric.SCORE else " of the maximum loss"
    return (
        f"too alike for results to tell: {known} outcomes differ by {deviation:.2f}{unit}; "
        f"the same choice in {same} of {len(tally.pairs)}; compare agreement, scores and cost"
    )


def _path(tally: _Tally) -> tuple[ExperimentPoint, ...]:
    """Return the experiment as it stood after each outcome, in the order in which they became known."""
    terms, order = tally.experiment.terms, sorted(tally.known, key=lambda each: (each.known, each.week))
    rank = np.full(tally.differences.shape[1], len(order))
    rank[[each.week for each in order]] = np.arange(len(order))
    looks = np.where(rank <= np.arange(len(order))[:, None], tally.differences, nan)
    evidence = betting.evidence_paths(looks, terms.streams)
    low, high = betting.confidence_intervals(looks, terms.streams, 2 * terms.level)
    return tuple(
        ExperimentPoint(
            day=each.known,
            difference=float(tally.differences[0, each.week]),
            evidence=float(evidence[place]),
            low=float(low[place]),
            high=float(high[place]),
        )
        for place, each in enumerate(order)
    )
