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

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from statistics import median

from spy32.domain.proposals import Decision, Recommendation
from spy32.domain.spreads import Candidate, Menu, Strategy
from spy32.errors import ExitCode

ABSTAIN = Decision.ABSTAIN.value
CONFLICT = "conflicting_evidence"


def winner(votes: Mapping[str, int], menu: Menu, quorum: float) -> str | None:
    """The id that the votes agree on, `abstain`, or None when they do not agree."""
    voted = {candidate: votes[candidate.id] for candidate in menu.candidates if votes.get(candidate.id, 0) > 0}
    if _reaches(votes.get(ABSTAIN, 0), votes, quorum):
        return None if _reaches(sum(voted.values()), votes, quorum) else ABSTAIN
    side = _winning_side(voted)
    if not side:
        return None
    majorities = [candidate for candidate, count in side.items() if _reaches(count, votes, quorum)]
    if len(majorities) == 1:
        return majorities[0].id
    nearest = _median_candidate(side)
    near = _neighbours(nearest, menu)
    return nearest.id if _reaches(sum(votes.get(name, 0) for name in near), votes, quorum) else None


def _reaches(count: int, votes: Mapping[str, int], quorum: float) -> bool:
    """Whether the share of all votes reaches the quorum: 3 of 5 reach 0.6, whatever their last binary digit."""
    return count >= (quorum - 1e-9) * sum(votes.values())


def _winning_side(voted: Mapping[Candidate, int]) -> dict[Candidate, int]:
    """The votes of the side that has most; none when the other side has as many, or more than one stray vote."""
    counts = Counter[Strategy]()
    for candidate, count in voted.items():
        counts[candidate.spread.strategy] += count
    if not counts:
        return {}
    side, most = counts.most_common(1)[0]
    others = counts.total() - most
    if others > 1 or others >= most:
        return {}
    return {candidate: count for candidate, count in voted.items() if candidate.spread.strategy is side}


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


def _neighbours(chosen: Candidate, menu: Menu) -> frozenset[str]:
    """The ids of its side of the menu that have its short strike, or the next one up or down."""
    side = menu.side(chosen.spread.strategy)
    strikes = sorted({_short_strike(candidate) for candidate in side})
    place = strikes.index(_short_strike(chosen))
    near = strikes[max(0, place - 1) : place + 2]
    return frozenset(candidate.id for candidate in side if _short_strike(candidate) in near)


def _short_strike(candidate: Candidate) -> Decimal:
    return candidate.spread.short.strike


def combine_samples(samples: Sequence[Recommendation], menu: Menu, quorum: float) -> Recommendation:
    """One recommendation for all samples, with the votes on it; see the top of this module for the rule.

    The words are those of the sample whose probability is nearest the median of the winner's samples; marks and
    vetoes are those of all samples whose votes made up its quorum, so that asking again never talks a veto away.
    """
    samples = [_reject_off_menu(sample, menu) for sample in samples]
    counts = Counter(map(_vote, samples))
    votes = dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))
    chosen = winner(votes, menu, quorum)
    if chosen is None:
        return _disagreement(samples, votes, quorum)
    winning_samples = [sample for sample in samples if _vote(sample) == chosen]
    quorum_votes = {chosen}
    entry = menu.find(chosen)
    if entry is not None and not _reaches(votes[chosen], votes, quorum):
        quorum_votes |= _neighbours(entry, menu)
    carriers = [sample for sample in samples if _vote(sample) in quorum_votes]
    stated = [sample.probability for sample in winning_samples if sample.probability is not None]
    middle = median(stated) if stated else None
    speaker = min(winning_samples, key=lambda item: abs((item.probability or 0) - (middle or 0)))
    split = [f"the samples were split: {_format_votes(votes)}"] if len(votes) > 1 else []
    return replace(
        speaker,
        probability=middle,
        votes=votes,
        marks=(*dict.fromkeys(mark for sample in carriers for mark in sample.marks), *split),
        vetoes=tuple(dict.fromkeys(veto for sample in carriers for veto in sample.vetoes)),
    )


def _reject_off_menu(sample: Recommendation, menu: Menu) -> Recommendation:
    """The sample, turned into a failure when its id is not on the menu: that is no abstention."""
    if sample.decision is not Decision.TRADE or menu.find(sample.candidate_id) is not None:
        return sample
    return replace(
        sample,
        decision=Decision.FAILED,
        candidate_id=None,
        reason="the id is not on this menu",
        failure="off_menu",
        exit_code=ExitCode.UNUSABLE,
    )


def _vote(sample: Recommendation) -> str:
    return sample.candidate_id or sample.decision.value


def _disagreement(samples: Sequence[Recommendation], votes: Mapping[str, int], quorum: float) -> Recommendation:
    """The result without a winner: a failure when too few samples answered to reach the quorum, else an abstention."""
    failed = [sample for sample in samples if sample.decision is Decision.FAILED]
    answered = [sample for sample in samples if sample.decision is not Decision.FAILED]
    total = len(samples)
    if not _reaches(len(answered), votes, quorum):
        first = failed[0]
        reason = f"{len(failed)} of {total} samples gave no answer that can be used; the first: {first.reason}"
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
        marks=tuple(dict.fromkeys(mark for sample in answered for mark in sample.marks)),
    )


def _format_votes(votes: Mapping[str, int]) -> str:
    return ", ".join(f"{choice} {count}" for choice, count in votes.items())
