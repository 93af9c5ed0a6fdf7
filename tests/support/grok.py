"""A Grok analyst with everything around it that a test can hold: a stand-in service, a journal in memory, its clock."""

import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from spy32.analysts.grok import GrokAnalyst
from spy32.analysts.rendered_prompt import RenderedPrompt
from spy32.clients.http import HttpClient
from spy32.clients.xai import XaiClient
from spy32.domain.answer_role import AnswerRole
from spy32.domain.briefing import Briefing
from spy32.domain.model_calls import ModelRequest, ModelResponse, ResponseCheck
from spy32.domain.proposals import Decision, Recommendation
from spy32.domain.spreads import Menu
from spy32.settings.knob import Secret
from spy32.settings.services import AnalystKnobs
from spy32.settings.services import Xai as XaiKnobs
from tests.servers.xai import XaiServer
from tests.support import builders
from tests.support.fakes import ManualClock

KEY = "xai-test-MARKERkey7f3a9c2e51d0gA"
MENU = builders.menu()
IDS = tuple(candidate.id for candidate in MENU.candidates)
BRIEFING = Briefing(underlying="SPY", as_of=builders.NOW, target=builders.EXPIRATION, dte=32)
ABSTENTION = {"decision": "abstain", "candidate_id": None, "p_max_profit": None}


@dataclass(frozen=True)
class Refusal:
    """As `analysts.answer.RejectedAnswer`."""

    check: str
    words: str
    is_form: bool


def render(menu: Menu, briefing: Briefing, shuffle: int) -> RenderedPrompt:
    """A prompt whose order turns with the seed."""
    ids = tuple(candidate.id for candidate in menu.candidates)
    order = ids[shuffle % len(ids) :] + ids[: shuffle % len(ids)]
    properties = {
        "decision": {"type": "string", "enum": ["trade", "abstain"]},
        "candidate_id": {"type": ["string", "null"], "enum": [*order, None]},
        "p_max_profit": {"type": ["number", "null"], "minimum": 0, "maximum": 1},
    }
    return RenderedPrompt(
        version="v1-simplified",
        prompt_hash="p" * 64,
        input_hash=f"{shuffle:064d}",
        as_of=briefing.as_of.isoformat(),
        system="Choose one or none.",
        user=f"MENU {' '.join(order)}",
        schema={
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        },
        fields={},
        ids=order,
        tokens=300,
    )


def judge(text: str, rendered: RenderedPrompt, menu: Menu, knobs: AnalystKnobs) -> Any:
    """A small ladder: JSON, then the menu."""
    try:
        said = json.loads(text)
    except ValueError:
        return Refusal("not_json", "the text is not one JSON object", True)
    if said["decision"] == "trade" and said["candidate_id"] not in rendered.ids:
        return Refusal("off_menu", "the id is not on this menu", False)
    return Recommendation(
        analyst="grok",
        decision=Decision(said["decision"]),
        candidate_id=said["candidate_id"],
        reason="as the model says",
        prompt=rendered.version,
        probability=said["p_max_profit"],
        marks=tuple(said.get("marks", ())),
        vetoes=tuple(said.get("vetoes", ())),
    )


@dataclass
class FakeJournal:
    """Rows in memory: (attempt, heard or None). `before` and `trouble` set what was spent, and break it."""

    rows: list[list[Any]] = field(default_factory=list)
    spent_before: int = 0
    spent_of_this_run: int = 0
    trouble: Exception | None = None
    checked: dict[int, list[ResponseCheck]] = field(default_factory=dict)
    since: list[datetime] = field(default_factory=list)

    def begin(self, run_id: int, attempt: ModelRequest, at: datetime) -> int:
        if self.trouble is not None:
            raise self.trouble
        self.rows.append([attempt, None])
        return len(self.rows) - 1

    def end(self, attempt_id: int, heard: ModelResponse, at: datetime) -> None:
        self.rows[attempt_id][1] = heard

    def record_check(self, attempt_id: int, checked: ResponseCheck, at: datetime) -> None:
        assert self.rows[attempt_id][1] is not None
        self.checked.setdefault(attempt_id, []).append(checked)

    def _sum_ticks(self) -> int:
        return sum(attempt.estimate_ticks if heard is None else heard.cost_ticks for attempt, heard in self.rows)

    def ticks_since(self, since: datetime) -> int:
        self.since.append(since)
        return self.spent_before + self._sum_ticks()

    def run_ticks(self, run_id: int) -> int:
        return self.spent_of_this_run + self._sum_ticks()


@dataclass
class GrokDesk:
    """Everything around the analyst."""

    server: XaiServer
    journal: FakeJournal = field(default_factory=FakeJournal)
    clock: ManualClock = field(default_factory=ManualClock)
    told: list[str] = field(default_factory=list)
    client: Any = None
    until: float = math.inf

    def analyst(self, xai: Mapping[str, Any] | None = None, **knobs: Any) -> GrokAnalyst:
        http = HttpClient(
            service="xAI",
            base=f"{self.server.url}/v1",
            clock=self.clock,
            sleep=self.clock.sleep,
            monotonic=self.monotonic,
        )
        return GrokAnalyst(
            client=self.client or XaiClient(http, Secret(KEY)),
            render=render,
            judge=judge,
            xai=XaiKnobs(**{"deadline_seconds": 60, "max_output_tokens": 4_000, **(xai or {})}),
            knobs=AnalystKnobs(**knobs),
            journal=self.journal,
            run_id=31,
            role=AnswerRole.CHOSEN,
            seed=100,
            clock=self.clock,
            sleep=self.clock.sleep,
            monotonic=self.monotonic,
            tell=self.told.append,
            until=self.until,
        )

    def monotonic(self) -> float:
        """Real time, and the waits that were not slept."""
        return time.monotonic() + sum(self.clock.waits)

    def choose(self, xai: Mapping[str, Any] | None = None, menu: Menu = MENU, **knobs: Any) -> Recommendation:
        return self.analyst(xai, **knobs).choose(builders.snapshot(), menu, BRIEFING)

    @property
    def heard(self) -> list[ModelResponse]:
        return [heard for _, heard in self.journal.rows]

    @property
    def attempts(self) -> list[tuple[int, int]]:
        return [(attempt.sample, attempt.attempt) for attempt, _ in self.journal.rows]


def answer(choice: str | None, probability: float = 0.8, **more: Any) -> str:
    said = {"decision": "trade", "candidate_id": choice, "p_max_profit": probability}
    return json.dumps((ABSTENTION if choice is None else said) | more)
