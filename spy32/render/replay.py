"""What `replay` answers: the differences from the record, or another prompt's choice beside the run's own."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from spy32.clients.xai_models import format_cost
from spy32.domain.proposals import Decision, Recommendation
from spy32.render.documents import print_document
from spy32.render.formatting import single_line
from spy32.render.output import print_lines
from spy32.render.replay_documents import AGAIN, REPLAY, ReAskResult

if TYPE_CHECKING:
    from spy32.console import AnyConsole
    from spy32.pipeline.replay import ReplayResult, StoredQuestion


def print_replay(out: "AnyConsole", found: "ReplayResult", *, json: bool) -> None:
    """What was recomputed from the record, and every difference."""
    if json:
        print_document(out, REPLAY, found)
        return
    differences = [f"DIFFERENT {line}" for line in found.differences] or ["no difference from the record"]
    print_lines(out, [f"{found.name}: recomputed {', '.join(found.checked)}", *differences])


def print_re_ask(out: "AnyConsole", question: "StoredQuestion", answer: Recommendation, *, json: bool) -> None:
    """The model's answer to another prompt beside the run's own."""
    if json:
        print_document(out, AGAIN, ReAskResult(run=question.run_id, then=question.then, again=answer))
    else:
        print_lines(out, map(single_line, _re_ask_lines(question.then, answer)))


def _re_ask_lines(original: Recommendation | None, answer: Recommendation) -> Iterator[str]:
    yield f"again with {answer.prompt}: {_describe_choice(answer)}"
    if original is not None:
        prompt = f" {original.prompt}" if original.prompt else ""
        yield f"the run's own choice, {original.analyst}{prompt}: {_describe_choice(original)}"
        yield _compare_choices(original, answer)
    yield from (f"look at: {mark}" for mark in answer.marks)
    yield f"cost {format_cost(answer.cost_ticks)}; the run stays as it is"


def _compare_choices(original: Recommendation, answer: Recommendation) -> str:
    """A failure is no choice, so nothing can be said of it."""
    if Decision.FAILED in (original.decision, answer.decision):
        return "nothing to compare: one of them gave no answer that can be used"
    is_same = not (answer.vetoes or original.vetoes) and original.candidate_id == answer.candidate_id
    return "the same choice" if is_same else "ANOTHER choice"


def _describe_choice(answer: Recommendation) -> str:
    if answer.vetoes:
        return f"VETOED {answer.candidate_id}: {'; '.join(answer.vetoes)}"
    what = f"{answer.decision} {answer.candidate_id}" if answer.candidate_id is not None else answer.decision.value
    return f"{what}: {answer.reason}"
