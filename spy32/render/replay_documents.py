"""The documents of a run looked at again: recomputed from its record, or the model asked with another prompt."""

from typing import Annotated

from spy32.clients.xai_models import format_cost
from spy32.domain.proposals import Recommendation
from spy32.domain.units import RunId
from spy32.domain.value import value
from spy32.pipeline.replay import ReplayResult
from spy32.render.encoder import Key, Part


@value
class ReAskResult:
    """The model asked again about a run that is over."""

    run: RunId
    then: Recommendation | None
    again: Recommendation


REPLAY = Part(ReplayResult, "run checked differences", called="spy32.replay", run=Key(RunId, "run_id"))
ANSWER = Part(
    Recommendation,
    "analyst model prompt decision candidate_id reason vetoes marks votes failure cost_usd",
    called="AnswerInShort",
    failure=Key(str | None, lambda answer: answer.failure or None),
    cost_usd=Key(str, lambda answer: format_cost(answer.cost_ticks).removeprefix("$")),
)
AGAIN = Part(
    ReAskResult,
    "run prompt=again.prompt then again",
    called="spy32.again",
    then=Key(Annotated[Recommendation, ANSWER] | None),
    again=Key(Annotated[Recommendation, ANSWER] | None),
)
