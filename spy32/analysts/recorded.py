"""The model as a run heard it: its stored answers again, to the same requests, without a network."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from spy32.analysts.answer import judge
from spy32.analysts.grok import GrokAnalyst, Render
from spy32.clients.xai import Told
from spy32.domain.asking import Asked, Attempt, Checked, Heard
from spy32.domain.deciding import Recommendation
from spy32.settings import Settings
from spy32.settings.services import Xai

NO_LIMIT = 10**6
UNASKED = frozenset({"budget", "effort"})
"""Failures before anything was asked: there is no answer to hear again."""


class RecordedModel:
    """Answers the requests of one choice in the order of then; `differences` names each that is not the same."""

    def __init__(self, asked: Sequence[Asked]) -> None:
        self._asked = list(asked)
        self._last: Asked | None = None
        self.differences: list[str] = []

    def tell(self, body: str, seconds: float) -> Told:
        """What was heard then; the time is not used."""
        if not self._asked:
            self.differences.append("one more request than then")
            return Told(heard=Heard(outcome="unreachable", detail="nothing more is on record"), wait=None)
        then = self._last = self._asked.pop(0)
        if then.attempt.request != body:
            self.differences.append(f"request {then.id} is another one now")
        heard = then.heard or Heard(outcome="unreachable", detail="it was never answered")
        return Told(heard=heard, wait=0.0)

    def compare(self, checked: Checked) -> None:
        """What the checks make of the last answer now, beside what they made of it then, if that is on record."""
        then = self._last.checked if self._last is not None else None
        if self._last is not None and then not in (None, checked):
            self.differences.append(f"the checks of request {self._last.id} said {_told(then)}, now {_told(checked)}")


def _told(checked: Checked | None) -> str:
    assert checked is not None
    at = f"at {checked.check}" if checked.check else ""
    parts = (checked.decision, checked.candidate_id, at, f"(parser {checked.parser})", *checked.vetoes, *checked.marks)
    return " ".join(part for part in parts if part)


class Unwritten:
    """A journal that keeps nothing: what is heard again costs nothing."""

    def __init__(self, model: RecordedModel) -> None:
        self._model = model

    def begin_attempt(self, run_id: int, attempt: Attempt, at: datetime) -> int:
        return 0

    def end_attempt(self, attempt_id: int, heard: Heard, at: datetime) -> None:
        """Nothing."""

    def check_attempt(self, attempt_id: int, checked: Checked, at: datetime) -> None:
        self._model.compare(checked)

    def spent_since(self, since: datetime) -> int:
        return 0

    def spent_of_run(self, run_id: int) -> int:
        return 0


def analyst_of_then(  # noqa: PLR0913 - the parts of an analyst
    answer: Recommendation,
    asked: Sequence[Asked],
    render: Render,
    settings: Settings,
    *,
    seed: int,
    at: datetime,
    monotonic: Callable[[], float],
) -> tuple[GrokAnalyst, RecordedModel]:
    """The analyst that gave `answer`, as it was set, hearing `asked` again."""
    model = RecordedModel(asked)
    first = asked[0].attempt
    limit = int(json.loads(first.request)["max_output_tokens"])
    xai = replace(
        Xai(),
        model=first.model,
        effort=first.effort,
        accepts=(first.effort,) if first.effort != "model" else (),
        attempts=max(one.attempt.attempt for one in asked),
        max_output_tokens=limit,
        strict_model=answer.failure == "other_model",
    )
    analyst = GrokAnalyst(
        client=model,
        render=render,
        judge=judge,
        xai=replace(xai, run_budget=xai.run_budget * NO_LIMIT, month_budget=xai.month_budget * NO_LIMIT),
        knobs=settings.analyst,
        journal=Unwritten(model),
        run_id=0,
        role=first.role,
        seed=seed,
        clock=lambda: at,
        sleep=lambda seconds: None,
        monotonic=monotonic,
        tell=lambda line: None,
    )
    return analyst, model
