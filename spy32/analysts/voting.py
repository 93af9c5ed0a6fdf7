"""What several answers to one question come to. The rule, fixed beforehand:

1. Every sample asked for counts, the failed ones too. `q` is the quorum, a share of all of them.
2. Abstain, when abstentions alone reach `q` and the trades do not.
3. Direction: the side (puts or calls) with more votes. No trade when the other side has as many, or more than one.
4. The one id that reaches `q`.
5. Else near-ties: take the median short strike of that side's votes and the voted entry nearest to it (of two: more
   votes, then the smaller delta, the narrower width, the id). Its votes together with those for the same and the next
   short strikes of the menu on that side must reach `q`.
6. No winner: when fewer than `q` answered at all, the question failed; else abstain with `conflicting_evidence`.

Every answer in between is no trade: agreement is the measure of certainty, and a failed sample agrees with nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from statistics import median

from spy32.domain.proposals import Decision, Recommendation
from spy32.domain.spreads import Candidate, Menu, Strategy
from spy32.errors import ExitCode

ABSTAIN, FAILED = "abstain", "failed"
CONFLICT = "conflicting_evidence"


def count_votes(samples: Sequence[Recommendation], menu: Menu) -> dict[str, int]:
    """Samples by what they chose, most first. An id that is not on the menu is no choice."""
    counts: dict[str, int] = {}
    for sample in samples:
        counts[_vote(sample, menu)] = counts.get(_vote(sample, menu), 0) + 1
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))


def _vote(sample: Recommendation, menu: Menu) -> str:
    if sample.decision is Decision.ABSTAIN:
        return ABSTAIN
    found = menu.find(sample.candidate_id)
    return FAILED if found is None else found.id


def winner(votes: Mapping[str, int], menu: Menu, quorum: float) -> str | None:
    """The id that the votes agree on, `abstain`, or None when they do not agree."""
    total = sum(votes.values())

    def reaches(count: int) -> bool:
        return _reaches(count, total, quorum)

    voted = {candidate: votes[candidate.id] for candidate in menu.candidates if votes.get(candidate.id, 0) > 0}
    trades, abstentions = sum(voted.values()), votes.get(ABSTAIN, 0)
    if total and reaches(abstentions):
        return None if reaches(trades) else ABSTAIN
    side = _winning_side(voted)
    if side is None:
        return None
    side_votes = {candidate: count for candidate, count in voted.items() if candidate.spread.strategy is side}
    majorities = [candidate for candidate, count in side_votes.items() if reaches(count)]
    if len(majorities) == 1:
        return majorities[0].id
    nearest = _median_candidate(side_votes)
    near = _neighbour_strikes(nearest, menu)
    return (
        nearest.id if reaches(sum(count for item, count in side_votes.items() if _short_strike(item) in near)) else None
    )


def _reaches(count: int, total: int, quorum: float) -> bool:
    """Shares such as 3 of 5 must reach 0.6, whatever their last binary digit."""
    return count / total >= quorum - 1e-9


def _winning_side(voted: Mapping[Candidate, int]) -> Strategy | None:
    """The side with the votes; None when there is none, or when the other side has more than one stray vote."""
    counts: dict[Strategy, int] = {}
    for candidate, count in voted.items():
        counts[candidate.spread.strategy] = counts.get(candidate.spread.strategy, 0) + count
    ranked = sorted(counts.items(), key=lambda pair: -pair[1])
    if not ranked:
        return None
    others = sum(count for _, count in ranked[1:])
    return ranked[0][0] if others <= 1 and others < ranked[0][1] else None


def _median_candidate(side_votes: Mapping[Candidate, int]) -> Candidate:
    """The voted entry nearest the median short strike of the votes."""
    middle = median(_short_strike(candidate) for candidate, count in side_votes.items() for _ in range(count))
    return min(
        side_votes,
        key=lambda entry: (
            abs(_short_strike(entry) - middle),
            -side_votes[entry],
            entry.short_delta,
            entry.spread.width,
            entry.id,
        ),
    )


def _neighbour_strikes(chosen: Candidate, menu: Menu) -> frozenset[Decimal]:
    """The short strike of this entry and the next ones up and down on its side of the menu."""
    strikes = sorted({_short_strike(candidate) for candidate in menu.side(chosen.spread.strategy)})
    place = strikes.index(_short_strike(chosen))
    return frozenset(strikes[max(0, place - 1) : place + 2])


def _short_strike(candidate: Candidate) -> Decimal:
    return candidate.spread.short.strike


def combine_samples(samples: Sequence[Recommendation], menu: Menu, quorum: float) -> Recommendation:
    """One recommendation for all samples, with the votes on it; see the top of this module for the rule.

    The words are those of the sample whose probability is nearest the median of the winner's samples; marks and
    vetoes are those of all samples whose votes made up its quorum, so that asking again never talks a veto away.
    """
    samples = [_reject_off_menu(sample, menu) for sample in samples]
    votes = count_votes(samples, menu)
    chosen = winner(votes, menu, quorum)
    split = (f"the samples were split: {_format_votes(votes)}",) if len(votes) > 1 else ()
    if chosen is None:
        return _disagreement(samples, votes, menu, quorum)
    winning_samples = [sample for sample in samples if _vote(sample, menu) == chosen]
    quorum_votes = _quorum_votes(chosen, votes, menu, quorum)
    carriers = [sample for sample in samples if _vote(sample, menu) in quorum_votes]
    stated = [sample.probability for sample in winning_samples if sample.probability is not None]
    middle = median(stated) if stated else None
    speaker = (
        min(winning_samples, key=lambda item: abs((item.probability or 0) - middle))
        if middle is not None
        else winning_samples[0]
    )
    return replace(
        speaker,
        probability=middle,
        votes=votes,
        marks=_unique(mark for sample in carriers for mark in sample.marks) + split,
        vetoes=_unique(veto for sample in carriers for veto in sample.vetoes),
    )


def _quorum_votes(chosen: str, votes: Mapping[str, int], menu: Menu, quorum: float) -> frozenset[str]:
    """The votes that made up the quorum: those for the winner, and its neighbours' where they were needed."""
    winning = menu.find(chosen)
    if winning is None or _reaches(votes[chosen], sum(votes.values()), quorum):
        return frozenset({chosen})
    near, side = _neighbour_strikes(winning, menu), winning.spread.strategy
    return frozenset(candidate.id for candidate in menu.side(side) if _short_strike(candidate) in near)


def _reject_off_menu(sample: Recommendation, menu: Menu) -> Recommendation:
    """The sample, turned into a failure when its id is not on the menu."""
    if sample.decision is not Decision.TRADE or menu.find(sample.candidate_id) is not None:
        return sample
    reason = "the id is not on this menu"
    return replace(
        sample,
        decision=Decision.FAILED,
        candidate_id=None,
        reason=reason,
        failure="off_menu",
        exit_code=ExitCode.UNUSABLE,
    )


def _disagreement(
    samples: Sequence[Recommendation], votes: Mapping[str, int], menu: Menu, quorum: float
) -> Recommendation:
    """The result without a winner: a failure when too few samples answered to reach the quorum, else an abstention."""
    answered = [sample for sample in samples if _vote(sample, menu) != FAILED]
    total = len(samples)
    if not _reaches(len(answered), total, quorum):
        first = next(sample for sample in samples if _vote(sample, menu) == FAILED)
        reason = (
            f"{total - len(answered)} of {total} samples gave no answer that can be used; the first: {first.reason}"
        )
        return replace(first, reason=reason, votes=votes)
    return Recommendation(
        analyst=answered[0].analyst,
        decision=Decision.ABSTAIN,
        candidate_id=None,
        reason=f"{CONFLICT}: {total} samples gave {_format_votes(votes)}; a share of {quorum:.0%} must agree",
        model=answered[0].model,
        model_asked=answered[0].model_asked,
        prompt=answered[0].prompt,
        votes=votes,
        marks=_unique(mark for sample in answered for mark in sample.marks),
    )


def _format_votes(votes: Mapping[str, int]) -> str:
    return ", ".join(f"{choice} {count}" for choice, count in votes.items())


def _unique(words: Iterable[str]) -> tuple[str, ...]:
    """The items without repetitions, in order."""
    return tuple(dict.fromkeys(words))
