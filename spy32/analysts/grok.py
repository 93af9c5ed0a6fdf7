"""Asks Grok to point at an entry of the menu, or to abstain; every request is in the journal before it leaves.

One deadline bounds all samples and attempts of a choice, two budgets its cost. A sample has at most `xai.attempts`
requests: the first, and one more after a failure that may pass or an answer whose form was wrong. What is wrong in
substance (an id that is not on the menu, a contradiction) is never asked again.
"""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import time
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from spy32.analysts.rendered_prompt import RenderedPrompt
from spy32.analysts.voting import combine_samples
from spy32.clients.retry import Retry, retry_read
from spy32.clients.xai import OUTCOME_CODES, ModelReply
from spy32.clients.xai_models import MODEL_DEFAULT_EFFORT, TICKS_PER_DOLLAR, format_cost, max_ticks
from spy32.domain.answer_role import AnswerRole
from spy32.domain.briefing import Briefing
from spy32.domain.market import MarketSnapshot
from spy32.domain.model_calls import ModelRequest, ModelResponse, ResponseCheck
from spy32.domain.proposals import Decision, Recommendation
from spy32.domain.spreads import Menu
from spy32.errors import HOPELESS, ExitCode
from spy32.ports import Clock, ModelRequestLog, Monotonic, Sleep
from spy32.sessions import market_date, new_york_instant
from spy32.settings.services import AnalystKnobs, Xai

if TYPE_CHECKING:
    from spy32.analysts.answer import RejectedAnswer

Render = Callable[[Menu, Briefing, int], RenderedPrompt]
"""The prompt, with the menu in the order of this seed."""

FIRST_WAIT, LONGEST_WAIT = 2.0, 20.0
"""Seconds; the wait before another request is somewhere between none and the first, unless the service names one."""
PARSER_VERSION = 3
"""Version of the checks in `answer`, raised when the same answer may get another verdict."""
NAMELESS_MODEL = "a model without a name"
MAX_QUOTED_ANSWER = 4_000
"""Characters of a bad answer that go into the request to repair it."""


@dataclass(slots=True, kw_only=True)
class _Sample:
    """One question, and what is added to it for its repair."""

    number: int
    rendered: RenderedPrompt
    menu: Menu
    until: float
    """On the monotonic clock."""
    responses: list[ModelResponse]
    """All of the choice so far, of every sample."""
    attempt: int = 0
    row: int = 0
    """Of the last attempt in the journal."""
    repair: tuple[tuple[str, str], ...] = ()


def build_request(rendered: RenderedPrompt, xai: Xai, repair: tuple[tuple[str, str], ...] = ()) -> str:
    """The request of a prompt exactly as it leaves, JSON in ASCII; `repair` are the (role, words) that ask for another
    form."""
    messages = [("system", rendered.system), ("user", rendered.user), *repair]
    name = f"spy32_{rendered.version.replace('-', '_')}"
    body: dict[str, Any] = {
        "model": xai.model,
        "input": [{"role": role, "content": words} for role, words in messages],
        "text": {"format": {"type": "json_schema", "name": name, "strict": True, "schema": rendered.schema}},
        "max_output_tokens": xai.max_output_tokens,
        "prompt_cache_key": f"spy32-{rendered.version}",
        # The service would keep prompt and answer for 30 days.
        "store": False,
    }
    if xai.effort != MODEL_DEFAULT_EFFORT:
        body["reasoning"] = {"effort": xai.effort}
    return json.dumps(body)


class ModelClient(Protocol):
    """Answers a request: the service itself, or the record of an earlier run."""

    def ask_model(self, body: str, seconds: float) -> ModelReply: ...


@dataclass(kw_only=True, repr=False, eq=False)
class GrokAnalyst:
    """Satisfies `ports.Analyst`. Sample n shows the menu in the order of `seed` + n; `tell` gets the story by lines."""

    client: ModelClient
    render: Render
    judge: "Callable[[str, RenderedPrompt, Menu, AnalystKnobs], Recommendation | RejectedAnswer]"
    xai: Xai
    knobs: AnalystKnobs
    journal: ModelRequestLog
    run_id: int
    role: AnswerRole
    seed: int
    clock: Clock
    sleep: Sleep
    monotonic: Monotonic
    tell: Callable[[str], None]
    until: float = math.inf
    """The reading of `monotonic` after which nothing is asked."""
    name: str = "grok"

    def choose(self, snapshot: MarketSnapshot, menu: Menu, briefing: Briefing) -> Recommendation:
        """The model's choice, its abstention, or FAILED with cause, message and exit code.

        Raises only what the request log raises (nothing is sent then) and what interrupts the process. A request that
        was in flight then stays unanswered in the log and counts with its estimated cost.
        """
        if not menu.candidates:
            reason = "the menu is empty, so nothing was asked"
            return Recommendation(analyst=self.name, decision=Decision.ABSTAIN, candidate_id=None, reason=reason)
        deadline = min(self.monotonic() + self.xai.deadline_seconds, self.until)
        responses, samples = list[ModelResponse](), list[Recommendation]()
        for number in range(1, self.knobs.samples + 1):
            if samples and samples[-1].exit_code in HOPELESS:
                samples.append(samples[-1])
                continue
            rendered = self.render(menu, briefing, self.seed + number)
            sample = _Sample(number=number, rendered=rendered, menu=menu, until=deadline, responses=responses)
            found = retry_read(
                partial(self._run_attempt, sample),
                until=deadline,
                monotonic=self.monotonic,
                sleep=self.sleep,
                tries=self.xai.attempts,
                first_wait=FIRST_WAIT,
                longest_wait=LONGEST_WAIT,
            )
            samples.append(found)
        result = samples[0] if len(samples) == 1 else combine_samples(samples, menu, self.knobs.quorum)
        ticks = sum(response.cost_ticks for response in responses)
        return replace(result, cost_ticks=ticks, marks=(*result.marks, *_response_marks(responses, self.xai.model)))

    def _run_attempt(self, sample: _Sample) -> Recommendation | Retry[Recommendation]:
        """Sends one request and checks its answer; `Retry` when another request may follow."""
        sample.attempt += 1
        body = build_request(sample.rendered, self.xai, sample.repair)
        estimate = max_ticks(body)
        refusal = self._budget_refusal(estimate)
        if refusal is not None:
            return self._build_failure("budget", ExitCode.REFUSED, refusal)
        seconds = sample.until - self.monotonic()
        if seconds <= 0:
            most = self.xai.deadline_seconds
            words = f"no time was left to ask: the {most} s of xai.deadline_seconds, or those of the run, were used up"
            return self._build_failure("timeout", ExitCode.UNAVAILABLE, words)
        reply = self._send_and_record(sample, body, estimate, seconds)
        response = reply.response
        if response.text is None:
            code, may_repeat = OUTCOME_CODES[response.outcome]
            failed = self._build_failure(response.outcome, code, response.detail, sample, response)
            is_busy = code == ExitCode.UNAVAILABLE
            return Retry(outcome=failed, wait=reply.wait, is_busy=is_busy) if may_repeat else failed
        if self.xai.strict_model and response.model != self.xai.model:
            answered = response.model or NAMELESS_MODEL
            words = f"{self.xai.model} was asked, {answered} answered (xai.strict_model)"
            self._record_check(sample, Decision.FAILED, check="other_model", words=words)
            return self._build_failure("other_model", ExitCode.GONE, words, sample, response)
        return self._evaluate_text(sample, response, response.text)

    def _evaluate_text(
        self, sample: _Sample, response: ModelResponse, text: str
    ) -> Recommendation | Retry[Recommendation]:
        result = self.judge(text, sample.rendered, sample.menu, self.knobs)
        if isinstance(result, Recommendation):
            self._record_check(sample, result.decision, result.candidate_id, marks=result.marks, vetoes=result.vetoes)
            return replace(result, model=response.model, model_asked=self.xai.model)
        self._record_check(sample, Decision.FAILED, check=result.check, words=result.words)
        reason = f"the answer cannot be used: {result.words}"
        failed = self._build_failure(result.check, ExitCode.UNUSABLE, reason, sample, response)
        if not result.is_form:
            return failed
        sample.repair = (
            ("assistant", text if len(text) <= MAX_QUOTED_ANSWER else text[:MAX_QUOTED_ANSWER] + " [cut]"),
            ("user", f"That answer was not accepted: {result.words}. Answer again, in the form that was asked for."),
        )
        return Retry(outcome=failed, is_busy=False)

    def _record_check(self, sample: _Sample, decision: Decision, candidate_id: str | None = None, **more: Any) -> None:
        checked = ResponseCheck(parser=PARSER_VERSION, decision=decision.value, candidate_id=candidate_id, **more)
        self.journal.record_check(sample.row, checked, self.clock())

    def _send_and_record(self, sample: _Sample, body: str, estimate: int, seconds: float) -> ModelReply:
        """One request between its two entries in the journal."""
        rendered = sample.rendered
        attempt = ModelRequest(
            role=self.role,
            sample=sample.number,
            attempt=sample.attempt,
            prompt=rendered.version,
            prompt_hash=rendered.prompt_hash,
            input_hash=rendered.input_hash,
            model=self.xai.model,
            effort=self.xai.effort,
            request=body,
            estimate_ticks=estimate,
        )
        self.tell(self._progress_line(sample, f"at most {format_cost(estimate)} and {seconds:.0f} s"))
        sample.row = self.journal.begin(self.run_id, attempt, self.clock())
        reply = self.client.ask_model(body, seconds)
        self.journal.end(sample.row, reply.response, self.clock())
        response = reply.response
        sample.responses.append(response)
        done = f"answered after {response.ms / 1000:.0f} s, {format_cost(response.cost_ticks)}"
        self.tell(self._progress_line(sample, done if response.is_answered else response.detail))
        return reply

    def _progress_line(self, sample: _Sample, words: str) -> str:
        which = f", sample {sample.number} of {self.knobs.samples}" if self.knobs.samples > 1 else ""
        attempt_text = f", attempt {sample.attempt}" if sample.attempt > 1 else ""
        return f"{self.xai.model}{which}{attempt_text}: {words}"

    def _budget_refusal(self, estimate: int) -> str | None:
        """Why a request of this estimate may not be made, in dollars; None when it may."""
        month = market_date(self.clock()).replace(day=1)
        start = new_york_instant(month, time(0))
        spans = (
            ("this run", self.journal.run_ticks(self.run_id), self.xai.run_budget, "xai.run_budget"),
            (f"{month:%B}", self.journal.ticks_since(start), self.xai.month_budget, "xai.month_budget"),
        )
        for span, spent, budget, key in spans:
            if spent + estimate > int(budget * TICKS_PER_DOLLAR):
                return (
                    f"asking {self.xai.model} may cost {format_cost(estimate)}; {span} has spent "
                    f"{format_cost(spent)} of ${budget} ({key})"
                )
        return None

    def _build_failure(
        self,
        failure: str,
        code: int,
        reason: str,
        sample: _Sample | None = None,
        response: ModelResponse | None = None,
    ) -> Recommendation:
        tries = f" (after {sample.attempt} attempts)" if sample is not None and sample.attempt > 1 else ""
        return Recommendation(
            analyst=self.name,
            decision=Decision.FAILED,
            candidate_id=None,
            reason=reason + tries,
            failure=failure,
            exit_code=code,
            model=response.model if response is not None else None,
            model_asked=self.xai.model,
            prompt=sample.rendered.version if sample is not None else None,
        )


def _response_marks(responses: Sequence[ModelResponse], requested_model: str) -> list[str]:
    """Warnings for the reviewer about who answered and what it cost."""
    answered = [response for response in responses if response.is_answered]
    names = dict.fromkeys(each.model or NAMELESS_MODEL for each in answered if each.model != requested_model)
    versions = dict.fromkeys(each.fingerprint for each in answered if each.fingerprint is not None)
    marks = [f"{requested_model} was asked, {name} answered" for name in names]
    if len(versions) > 1:
        marks.append(f"different versions of the model answered: {', '.join(versions)}")
    if any(response.is_estimate for response in responses):
        cost = format_cost(sum(response.cost_ticks for response in responses))
        marks.append(f"the cost of {cost} is partly our own estimate: the service sent no bill")
    return marks
