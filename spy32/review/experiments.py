"""The state of registered experiments, from the choices and outcomes on record alone."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from itertools import groupby
from math import nan
from typing import TYPE_CHECKING

import numpy as np

from spy32.domain.experiments import PROBABILITY_SOURCES, Experiment, ExperimentTerms, PairMetric, Reference
from spy32.domain.outcomes import CandidateOutcome, MenuChoice
from spy32.domain.report import Bounds, ExperimentPoint, ExperimentState
from spy32.domain.value import value
from spy32.review import betting
from spy32.review.bounds import mean_bounds
from spy32.sessions import market_date, week_start

if TYPE_CHECKING:
    from spy32.store import Store

MAX_NEEDED = 800
"""Outcomes, some fifteen years of weeks. What would need more is not to be told by results."""
EFFECT_WORDS = f"{betting.EFFECT} standard deviations"
LAG = 6
"""Weeks after its last run in which an experiment still waits for outcomes; the longest trades last 40 days."""


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


def load_experiments(store: "Store", now: datetime) -> tuple[ExperimentState, ...]:
    """Return every experiment as it stands, oldest first."""
    with store.core.read_transaction():
        paired = [
            (each, tuple(pairs(each, store.experiments.choices(each.terms.profile, each.at), store.outcomes.select)))
            for each in store.experiments.select()
        ]
    return experiment_states(paired, now)


# Pairs.


def pairs(
    experiment: Experiment, choices: Iterable[MenuChoice], find_outcomes: Callable[[int], Sequence[CandidateOutcome]]
) -> Iterator[Pair]:
    """Yield the pairs of an experiment, one a week: of several runs in a week the first in which both chose counts.

    `find_outcomes` gives those of a run's menu.
    """
    terms, start = experiment.terms, week_start(market_date(experiment.at))
    names = {terms.champion, terms.challenger} - set(Reference)
    seen: set[int] = set()
    for run_id, answers in groupby(sorted(choices, key=lambda each: each.run_id), lambda each: each.run_id):
        by_name = {each.chooser: each for each in answers}
        if not names <= by_name.keys():
            continue
        at = by_name[terms.challenger].at
        week = (market_date(at) - start).days // 7
        is_counted = at > experiment.at and (experiment.ended_at is None or at < experiment.ended_at)
        if is_counted and week < terms.weeks and week not in seen:
            pair = _pair(terms, week, by_name, find_outcomes(run_id))
            if pair is not None:
                seen.add(week)
                yield pair


def _pair(
    terms: ExperimentTerms, week: int, choices: Mapping[str, MenuChoice], outcomes: Sequence[CandidateOutcome]
) -> Pair | None:
    """Return the pair; None where the week does not count, since there is no pick to select or to judge."""
    challenger, champion = choices[terms.challenger], choices.get(terms.champion)
    pick, other = challenger.candidate_id, champion.candidate_id if champion is not None else None
    is_of_pick = terms.champion in (Reference.MENU, *PROBABILITY_SOURCES)
    if is_of_pick and (pick is None or (terms.metric is PairMetric.SCORE and challenger.stated is None)):
        return None
    found = {each.candidate_id: each for each in outcomes}
    if terms.metric is PairMetric.SCORE and pick in found and found[pick].strategy.is_debit:
        return None  # what is stated of a debit spread is another event
    if terms.metric is PairMetric.SCORE:
        difference = _score_difference(terms, challenger, found)
    elif terms.champion == Reference.MENU:
        difference = _selection(terms, pick, outcomes)
    else:
        difference = _result_difference(terms, pick, other, found)
    day = market_date(challenger.at)
    ends = [found[each] for each in (pick, other) if each in found]
    is_plan = terms.metric is PairMetric.PLAN
    known = [each.plan.day if is_plan and each.plan is not None else each.expiration for each in ends]
    return Pair(
        week=week,
        known=day if difference is None else max(known, default=day),
        difference=None if difference is None else min(max(difference, -1.0), 1.0),
        is_same=not is_of_pick and pick == other,
    )


def _result_difference(
    terms: ExperimentTerms, pick: str | None, other: str | None, outcomes: Mapping[str, CandidateOutcome]
) -> float | None:
    """Return the difference of the results over the larger maximum loss; no trade has 0 and no loss."""
    results, losses = [], [Decimal(0)]
    for candidate_id in (pick, other):
        outcome = outcomes.get(candidate_id) if candidate_id is not None else None
        result = outcome.result(terms.metric) if outcome is not None else None
        if result is None and candidate_id is not None:
            return None
        results.append(result or Decimal(0))
        losses.append(outcome.max_loss if outcome is not None else Decimal(0))
    return float((results[0] - results[1]) / max(losses)) if max(losses) > 0 else 0.0


def _selection(terms: ExperimentTerms, pick: str | None, outcomes: Sequence[CandidateOutcome]) -> float | None:
    """Return the pick's share of its maximum loss less the mean of the menu's.

    A candidate that has expired without a known end of its plan never gets one and is left out of the mean.
    """
    shares = {each.candidate_id: each.share(terms.metric) for each in outcomes}
    known = [share for share in shares.values() if share is not None]
    is_complete = all(shares[each.candidate_id] is not None or each.expiry is not None for each in outcomes)
    own = shares.get(pick) if pick is not None else None
    return own - sum(known) / len(known) if own is not None and is_complete else None


def _score_difference(
    terms: ExperimentTerms, choice: MenuChoice, outcomes: Mapping[str, CandidateOutcome]
) -> float | None:
    """Return the reference's squared error less the challenger's, both of the challenger's pick expiring worthless."""
    outcome = outcomes.get(choice.candidate_id or "")
    if outcome is None or outcome.is_worthless is None or choice.stated is None:
        return None
    is_market = terms.champion == Reference.MARKET
    reference = outcome.worthless_market if is_market else outcome.worthless_history
    if reference is None:
        return None
    return (reference - outcome.is_worthless) ** 2 - (choice.stated - outcome.is_worthless) ** 2


# States.


def experiment_states(
    paired: Sequence[tuple[Experiment, Sequence[Pair]]], now: datetime
) -> tuple[ExperimentState, ...]:
    """Return the states of experiments, in their order.

    Several challengers that run against one champion by one metric are judged together, so that the level holds for
    all of them.
    """
    tallies = [_ExperimentSummary(experiment, found) for experiment, found in paired]
    families: dict[object, list[_ExperimentSummary]] = {}
    for each in tallies:
        alone = each.experiment.id if each.experiment.ended_at is not None else None
        families.setdefault((each.terms.champion, each.terms.metric, each.terms.profile, alone), []).append(each)
    for family in families.values():
        evidence, against = zip(*(each.evidence for each in family), strict=True)
        adjusted = zip(betting.closed_evidence(evidence), betting.closed_evidence(against), strict=True)
        for each, values in zip(family, adjusted, strict=True):
            each.evidence, each.rivals = values, len(family)
    return tuple(each.state(now) for each in tallies)


class _ExperimentSummary:
    """What the pairs of one experiment say."""

    def __init__(self, experiment: Experiment, found: Sequence[Pair]) -> None:
        self.experiment, self.terms, self.pairs = experiment, experiment.terms, found
        self.known = [each for each in found if each.difference is not None]
        self.count = len(self.known)
        self.same = sum(each.is_same for each in found)
        self.differences = np.full(max((each.week + 1 for each in found), default=0), nan)
        """By week, NaN where none is known."""
        for each in self.known:
            self.differences[each.week] = each.difference
        self.is_enough = self.count >= betting.MIN_OUTCOMES
        self.deviation = float(betting.deviations(self.differences[None, :])[0])
        sides = np.array([self.differences, -self.differences])
        self.evidence: tuple[float, float] = tuple(betting.evidence(sides, self.terms.streams).tolist())
        """For the challenger and for the champion."""
        self.rivals = 1
        """Experiments that are judged together."""
        self.needed = self._needed_outcomes()

    def _needed_outcomes(self, deviation: float | None = None) -> int:
        return betting.needed_outcomes(betting.EFFECT, self.terms.streams, self.terms.level, deviation)

    def state(self, now: datetime) -> ExperimentState:
        evidence, against = self.evidence if self.is_enough else (None, None)
        interval = self._interval()
        return ExperimentState(
            experiment=self.experiment,
            known=self.count,
            pending=len(self.pairs) - self.count,
            needed=self.needed,
            evidence=evidence,
            evidence_against=against,
            interval=interval,
            words=self._words(interval, now),
            path=self._path() if self.is_enough else (),
            same=self.same,
            deviation=self.deviation if self.is_enough else None,
        )

    def _interval(self) -> Bounds | None:
        """Return the mean difference; its interval contradicts 0 exactly where evidence for one of the two is
        claimed."""
        weeks = np.array([each.week for each in self.known], dtype=np.int64)
        return mean_bounds(self.differences[weeks], weeks, self.terms.streams, level=self.terms.level)

    def _words(self, interval: Bounds | None, now: datetime) -> str:
        """Return the claim, that there is no difference of note, or how far the collection is."""
        terms = self.terms
        claims = betting.claims(self.differences[None, :], terms.streams, terms.level)
        compared = f", of {self.rivals} compared" if self.rivals > 1 else ""
        sides = zip((terms.challenger, terms.champion), (claims.is_better, claims.is_worse), self.evidence, strict=True)
        for side, is_claimed, evidence in sides:
            if is_claimed[0] and evidence >= 1.0 / terms.level:
                since = f"registered {market_date(self.experiment.at)}"
                return f"evidence for {side}{compared}, e = {evidence:.0f} ({since})"
        bounds = ""
        if interval is not None and interval.low is not None and interval.high is not None:
            bounds = f" ({interval.level:.0%} interval {interval.low:+.2f} ... {interval.high:+.2f})"
        if claims.is_alike[0]:
            return f"no difference of {EFFECT_WORDS} or more{bounds}"
        known = f"{self.count} outcome{'' if self.count == 1 else 's'}"
        weeks = (market_date(now) - week_start(market_date(self.experiment.at))).days // 7
        is_over = weeks >= terms.weeks + LAG or (weeks >= terms.weeks and self.count == len(self.pairs))
        if self.experiment.ended_at is not None or is_over:
            return f"ended undecided, {known}{bounds}"
        if not self.is_enough:
            return f"collecting: {known} of about {self.needed} needed to see {EFFECT_WORDS}"
        return self._undecided_words()

    def _undecided_words(self) -> str:
        """Return who is ahead, which says nothing yet, or that the two differ by too little for results to tell."""
        is_score, mean = self.terms.metric is PairMetric.SCORE, float(np.nanmean(self.differences))
        if self.deviation == 0 or self._needed_outcomes(self.deviation) > MAX_NEEDED:
            unit = "" if is_score else " of the maximum loss"
            return (
                f"too alike for results to tell: {self.count} outcomes differ by {self.deviation:.2f}{unit}; the same "
                f"choice in {self.same} of {len(self.pairs)}; compare agreement, scores and cost"
            )
        size = f"{abs(mean):.3f}" if is_score else f"{abs(mean):.1%} of max loss"
        leader = self.terms.challenger if mean > 0 else self.terms.champion
        lead = f"{leader} ahead by {size}" if mean else "neither is ahead"
        return f"undecided: {lead} after {self.count} weeks; about {self.needed} needed to see {EFFECT_WORDS}"

    def _path(self) -> tuple[ExperimentPoint, ...]:
        """Return the experiment as it stood after each outcome, in the order in which they became known."""
        order = sorted(self.known, key=lambda each: (each.known, each.week))
        rank = np.full(len(self.differences), len(order))
        rank[[each.week for each in order]] = np.arange(len(order))
        looks = np.where(rank <= np.arange(len(order))[:, None], self.differences, nan)
        evidence = betting.evidence(looks, self.terms.streams)
        low, high = betting.confidence_intervals(looks, self.terms.streams, 2 * self.terms.level)
        return tuple(
            ExperimentPoint(
                day=each.known,
                difference=float(self.differences[each.week]),
                evidence=float(evidence[place]),
                low=float(low[place]),
                high=float(high[place]),
            )
            for place, each in enumerate(order)
        )
