"""What two prompts said of the same snapshots, from the record alone."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from spy32.clients.xai_models import TICKS_PER_DOLLAR
from spy32.domain.experiments import model_chooser
from spy32.domain.proposals import Decision, Recommendation
from spy32.domain.report import ExperimentState
from spy32.domain.spreads import Menu
from spy32.domain.units import ModelDollars, RunId
from spy32.domain.value import value
from spy32.errors import BadUsage
from spy32.lifecycle import ProposalState
from spy32.review.experiments import load_experiments

if TYPE_CHECKING:
    from spy32.store import Store

AGREEMENTS = (
    "the same spread", "another spread of that side", "the other side", "only the first trades",
    "only the second trades", "neither trades",
)  # fmt: skip
"""How two choices stand to each other. A vetoed or failed answer trades nothing."""


@value
class PromptRecord:
    """One prompt over the runs that both were asked about."""

    version: str
    traded: int
    abstained: int
    failed: int
    vetoed: int
    unmatched: int
    """Numbers in its words that match nothing it was sent."""
    cost: ModelDollars
    scored: int
    """Picks with a stated probability whose expiration has closed."""
    score: float | None
    """Mean squared error (Brier score) of its stated probabilities; smaller is better."""
    market_score: float | None
    """Brier score of the market's probabilities of the same picks."""


@value
class PromptChoice:
    """What one prompt chose in one run."""

    run_id: RunId
    answer: Recommendation


@value
class PromptComparison:
    """What two prompts said of the same snapshots."""

    runs: tuple[RunId, ...]
    """Runs that both answered; without those whose proposal nobody has decided on yet."""
    agreement: Mapping[str, int]
    """How their choices stand to each other -> runs."""
    records: tuple[PromptRecord, ...]
    choices: tuple[PromptChoice, ...]
    """Of one run, when it was asked for."""
    experiment: ExperimentState | None
    """The newest that compares the two."""
    menu: Menu | None = None
    """Of the one run."""


def compare_prompts(
    store: "Store", first: str, second: str, now: datetime, *, run_id: int | None = None
) -> PromptComparison:
    """Return the comparison over all runs, or over one; `BadUsage` while the proposal of that one is not decided."""
    if run_id is not None:
        proposal = store.proposals.find_by_run(run_id)
        if proposal is not None and proposal.state is ProposalState.PROPOSED:
            raise BadUsage(f"what other prompts said of R{run_id} is shown once P{proposal.id} is decided")
    by_run: dict[int, dict[str, Recommendation]] = {}
    for number, answer in store.decisions.answers_of_prompts((first, second)):
        if run_id in (None, number) and answer.prompt is not None:
            by_run.setdefault(number, {}).setdefault(answer.prompt, answer)
    shared = {number: answers for number, answers in by_run.items() if len(answers) == 2}
    agreement = Counter(
        _agreement(store, number, answers[first], answers[second]) for number, answers in shared.items()
    )
    names = {model_chooser(first), model_chooser(second)}
    states = load_experiments(store, now)
    return PromptComparison(
        runs=tuple(shared),
        agreement={name: agreement[name] for name in AGREEMENTS},
        records=tuple(
            _record(store, version, {number: answers[version] for number, answers in shared.items()})
            for version in dict.fromkeys((first, second))
        ),
        choices=tuple(PromptChoice(run_id=run_id, answer=answer) for answer in shared.get(run_id, {}).values())
        if run_id is not None
        else (),
        menu=store.decisions.menu(run_id, rejected=False) if run_id is not None else None,
        experiment=next((each for each in reversed(states) if set(each.sides) == names), None),
    )


def _agreement(store: "Store", run_id: int, first: Recommendation, second: Recommendation) -> str:
    same, side, other, only_first, only_second, neither = AGREEMENTS
    one, two = (None if answer.vetoes else answer.candidate_id for answer in (first, second))
    if one is None or two is None:
        return neither if one == two else only_second if one is None else only_first
    if one == two:
        return same
    found = (store.decisions.candidate(run_id, pick) for pick in (one, two))
    strategies = {each.spread.strategy for each in found if each is not None}
    return side if len(strategies) == 1 else other


def _record(store: "Store", version: str, answers: Mapping[int, Recommendation]) -> PromptRecord:
    decisions = Counter(answer.decision for answer in answers.values())
    errors = [found for number, answer in answers.items() if (found := _errors(store, number, answer)) is not None]
    own, market = (sum(each) / len(errors) for each in zip(*errors, strict=True)) if errors else (None, None)
    return PromptRecord(
        version=version,
        traded=decisions[Decision.TRADE],
        abstained=decisions[Decision.ABSTAIN],
        failed=decisions[Decision.FAILED],
        vetoed=sum(bool(answer.vetoes) for answer in answers.values()),
        unmatched=sum(len(answer.numbers.unmatched) for answer in answers.values() if answer.numbers is not None),
        cost=sum(answer.cost_ticks for answer in answers.values()) / TICKS_PER_DOLLAR,
        scored=len(errors),
        score=own,
        market_score=market,
    )


def _errors(store: "Store", run_id: int, answer: Recommendation) -> tuple[float, float] | None:
    """Return the squared errors of the stated and of the market's probability; None before the pick has expired,
    and of a debit spread."""
    if answer.candidate_id is None or answer.probability is None:
        return None
    outcomes = {each.candidate_id: each for each in store.outcomes.select(run_id)}
    outcome = outcomes.get(answer.candidate_id)
    if outcome is None or outcome.is_worthless is None or outcome.worthless_market is None:
        return None
    if outcome.strategy.is_debit:
        return None  # what is stated of a debit spread is another event
    return (answer.probability - outcome.is_worthless) ** 2, (outcome.worthless_market - outcome.is_worthless) ** 2
