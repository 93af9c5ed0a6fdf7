"""A model client for replays: the stored answers of a run to the same requests, without a network."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from spy32.analysts.answer import parse_answer
from spy32.analysts.grok import GrokAnalyst, Render
from spy32.clients.xai import ModelReply
from spy32.domain.model_calls import ModelCall, ModelRequest, ModelResponse, ResponseCheck
from spy32.domain.proposals import Recommendation
from spy32.settings import Settings
from spy32.settings.services import Xai

BUDGET_FACTOR = 10**6
FAILURES_WITHOUT_REQUEST = frozenset({"budget", "effort"})
"""Failures before any request was sent: there is no answer to replay."""


class RecordedModel:
    """Model and request log of a replay, which sends, stores and costs nothing.

    The stored answers come in order; `differences` names each request and check that is not the recorded one.
    """

    def __init__(self, calls: Sequence[ModelCall]) -> None:
        self._asked = list(calls)
        self._last: ModelCall | None = None
        self.differences: list[str] = []

    def ask_model(self, body: str, seconds: float) -> ModelReply:
        """The recorded answer; `seconds` is not used."""
        if not self._asked:
            self.differences.append("one more request than then")
            return ModelReply(response=ModelResponse(outcome="unreachable", detail="nothing more is on record"))
        call = self._last = self._asked.pop(0)
        if call.attempt.request != body:
            self.differences.append(f"request {call.id} is another one now")
        response = call.heard or ModelResponse(outcome="unreachable", detail="it was never answered")
        return ModelReply(response=response, wait=0.0)

    def begin(self, run_id: int, attempt: ModelRequest, at: datetime) -> int:
        return 0

    def end(self, attempt_id: int, response: ModelResponse, at: datetime) -> None:
        """Does nothing."""

    def ticks_since(self, since: datetime) -> int:
        return 0

    def run_ticks(self, run_id: int) -> int:
        return 0

    def record_check(self, attempt_id: int, checked: ResponseCheck, at: datetime) -> None:
        """Compares the verdict on the last answer with the recorded one, if there is one."""
        call = self._last
        if call is not None and call.checked is not None and call.checked != checked:
            earlier, now = map(_describe_check, (call.checked, checked))
            self.differences.append(f"the checks of request {call.id} said {earlier}, now {now}")


def _describe_check(checked: ResponseCheck) -> str:
    at = f"at {checked.check}" if checked.check else ""
    parts = (checked.decision, checked.candidate_id, at, f"(parser {checked.parser})", *checked.vetoes, *checked.marks)
    return " ".join(part for part in parts if part)


def build_replay_analyst(  # noqa: PLR0913 - the parts of an analyst
    answer: Recommendation,
    calls: Sequence[ModelCall],
    render: Render,
    settings: Settings,
    *,
    seed: int,
    at: datetime,
    monotonic: Callable[[], float],
) -> tuple[GrokAnalyst, RecordedModel]:
    """The analyst that gave `answer`, with its settings of then, on the recorded `calls`."""
    model = RecordedModel(calls)
    first, defaults = calls[0].attempt, Xai()
    xai = replace(
        defaults,
        model=first.model,
        effort=first.effort,
        accepts=(first.effort,) if first.effort != "model" else (),
        attempts=max(call.attempt.attempt for call in calls),
        max_output_tokens=int(json.loads(first.request)["max_output_tokens"]),
        strict_model=answer.failure == "other_model",
        run_budget=defaults.run_budget * BUDGET_FACTOR,
        month_budget=defaults.month_budget * BUDGET_FACTOR,
    )
    analyst = GrokAnalyst(
        client=model,
        render=render,
        judge=parse_answer,
        xai=xai,
        knobs=settings.analyst,
        journal=model,
        run_id=0,
        role=first.role,
        seed=seed,
        clock=lambda: at,
        sleep=lambda seconds: None,
        monotonic=monotonic,
        tell=lambda line: None,
    )
    return analyst, model
