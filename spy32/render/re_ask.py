"""What `replay --prompt` answers: another prompt's choice beside the run's own."""

from typing import TYPE_CHECKING

from spy32.clients.xai_models import format_cost
from spy32.domain.proposals import Decision, Recommendation
from spy32.render.documents import print_document
from spy32.render.formatting import single_line
from spy32.render.output import print_lines

if TYPE_CHECKING:
    from spy32.console import AnyConsole
    from spy32.pipeline.replay import StoredQuestion


def print_re_ask(out: "AnyConsole", question: "StoredQuestion", answer: Recommendation, *, json: bool) -> None:
    """The model's answer to another prompt beside the run's own."""
    original = question.then
    if json:
        from spy32.render.replay_documents import AGAIN, ReAskResult

        print_document(out, AGAIN, ReAskResult(run=question.run_id, then=original, again=answer))
        return
    lines = [f"again with {answer.prompt}: {_describe_choice(answer)}"]
    if original is not None:
        lines.append(
            f"the run's own choice, {original.analyst} {original.prompt or ''}: {_describe_choice(original)}".replace(
                " :", ":"
            )
        )
        lines.append(_compare_choices(original, answer))
    lines += [f"look at: {single_line(mark)}" for mark in answer.marks]
    print_lines(out, [*lines, f"cost {format_cost(answer.cost_ticks)}; the run stays as it is"])


def _compare_choices(original: Recommendation, answer: Recommendation) -> str:
    """A failure is no choice, so nothing can be said of it."""
    if Decision.FAILED in (original.decision, answer.decision):
        return "nothing to compare: one of them gave no answer that can be used"
    same = not (answer.vetoes or original.vetoes) and (original.decision, original.candidate_id) == (
        answer.decision,
        answer.candidate_id,
    )
    return "the same choice" if same else "ANOTHER choice"


def _describe_choice(answer: Recommendation) -> str:
    if answer.vetoes:
        return single_line(f"VETOED {answer.candidate_id}: {'; '.join(answer.vetoes)}")
    what = f"{answer.decision} {answer.candidate_id}" if answer.candidate_id is not None else answer.decision.value
    return single_line(f"{what}: {answer.reason}")
