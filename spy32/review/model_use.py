"""How each model and prompt behaved: choices, agreement with the rule, vetoes, numbers, time, tokens, cost."""

from collections.abc import Sequence
from statistics import median

from spy32.clients.xai_models import TICKS_PER_DOLLAR
from spy32.domain.proposals import Decision
from spy32.domain.report import ModelUse
from spy32.records.report import Request, StatedAnswer


def model_use(answers: Sequence[StatedAnswer], requests: Sequence[Request]) -> tuple[ModelUse, ...]:
    """Return what is on record of each model and prompt that was asked, in the order first asked."""
    rule = {each.run_id: each.candidate_id for each in answers if each.analyst == "rules"}
    named: dict[str, tuple[list[StatedAnswer], list[Request]]] = {}
    for answer in answers:
        if answer.prompt is not None:
            named.setdefault(f"{answer.model or answer.analyst} {answer.prompt}", ([], []))[0].append(answer)
    for request in requests:
        named.setdefault(f"{request.model} {request.prompt}", ([], []))[1].append(request)
    return tuple(_use(name, said, asked, rule) for name, (said, asked) in named.items())


def _use(
    name: str, answers: Sequence[StatedAnswer], requests: Sequence[Request], rule: dict[int, str | None]
) -> ModelUse:
    decisions = [answer.decision for answer in answers]
    times = [request.ms for request in requests if request.ms is not None]
    cost = sum(request.cost_ticks for request in requests) / TICKS_PER_DOLLAR
    return ModelUse(
        name=name,
        asked=len(answers),
        traded=decisions.count(Decision.TRADE),
        abstained=decisions.count(Decision.ABSTAIN),
        failed=decisions.count(Decision.FAILED),
        vetoed=sum(answer.vetoes > 0 for answer in answers),
        agreed=sum(
            answer.decision != Decision.FAILED and rule.get(answer.run_id, "") == answer.candidate_id
            for answer in answers
        ),
        unmatched=sum(answer.unmatched for answer in answers),
        latency_seconds=median(times) / 1000 if times else None,
        tokens=sum(request.tokens for request in requests),
        cost=cost,
        cost_per_decision=cost / len(answers) if answers else None,
    )
