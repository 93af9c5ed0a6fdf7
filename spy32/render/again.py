"""What `replay --prompt` answers: another prompt's choice beside the run's own."""

from typing import TYPE_CHECKING

from spy32.clients.xai_models import dollars
from spy32.domain.deciding import Decision, Recommendation
from spy32.render.desk import say
from spy32.render.documents import emit
from spy32.render.words import flat

if TYPE_CHECKING:
    from rich.console import Console

    from spy32.console import Plain
    from spy32.pipeline.again import Question

    Screen = Console | Plain


def asked_again(out: "Screen", question: "Question", answer: Recommendation, *, json: bool) -> None:
    """The model's answer to another prompt beside the run's own."""
    then = question.then
    if json:
        document = {"schema": "spy32.again", "version": 1, "run": f"R{question.run_id}", "prompt": answer.prompt}
        emit(out, {**document, "then": _decided(then), "again": _decided(answer)})
        return
    lines = [f"again with {answer.prompt}: {_told(answer)}"]
    if then is not None:
        lines.append(f"the run's own choice, {then.analyst} {then.prompt or ''}: {_told(then)}".replace(" :", ":"))
        lines.append(_compared(then, answer))
    lines += [f"look at: {flat(mark)}" for mark in answer.marks]
    say(out, [*lines, f"cost {dollars(answer.cost_ticks)}; the run stays as it is"])


def _compared(then: Recommendation, answer: Recommendation) -> str:
    """A failure is no choice, so nothing can be said of it."""
    if Decision.FAILED in (then.decision, answer.decision):
        return "nothing to compare: one of them gave no answer that can be used"
    same = not (answer.vetoes or then.vetoes) and (then.decision, then.candidate_id) == (
        answer.decision,
        answer.candidate_id,
    )
    return "the same choice" if same else "ANOTHER choice"


def _told(answer: Recommendation) -> str:
    if answer.vetoes:
        return flat(f"VETOED {answer.candidate_id}: {'; '.join(answer.vetoes)}")
    what = f"{answer.decision} {answer.candidate_id}" if answer.candidate_id is not None else answer.decision.value
    return flat(f"{what}: {answer.reason}")


def _decided(answer: Recommendation | None) -> dict[str, object] | None:
    if answer is None:
        return None
    return {
        "analyst": answer.analyst,
        "model": answer.model,
        "prompt": answer.prompt,
        "decision": answer.decision.value,
        "candidate_id": answer.candidate_id,
        "reason": answer.reason,
        "vetoes": list(answer.vetoes),
        "marks": list(answer.marks),
        "votes": dict(answer.votes),
        "failure": answer.failure or None,
        "cost_usd": dollars(answer.cost_ticks).removeprefix("$"),
    }
