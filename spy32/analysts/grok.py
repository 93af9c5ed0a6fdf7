"""Asks Grok to point at an entry of the menu, or to abstain; every request is in the journal before it leaves.

One deadline bounds all samples and attempts of a choice, two budgets its cost. A sample has at most `xai.attempts`
requests: the first, and one more after a failure that may pass or an answer whose form was wrong. What is wrong in
substance (an id that is not on the menu, a contradiction) is never asked again.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, time
from typing import TYPE_CHECKING, Any, Protocol

import tenacity

from spy32.analysts.rendered_prompt import RenderedPrompt
from spy32.analysts.voting import combine_samples
from spy32.clients.xai import OUTCOME_CODES, ModelReply, build_request_body, check_effort, format_cost, max_ticks
from spy32.clients.xai_models import TICKS_PER_DOLLAR
from spy32.domain import model_calls
from spy32.domain.briefing import Briefing
from spy32.domain.market import MarketSnapshot
from spy32.domain.proposals import Decision, Recommendation
from spy32.domain.spreads import Menu
from spy32.errors import BadSettings
from spy32.ports import Clock, ModelRequestLog, Sleep
from spy32.sessions import market_date, new_york_instant
from spy32.settings import services

if TYPE_CHECKING:
    from spy32.analysts.answer import RejectedAnswer

Render = Callable[[Menu, Briefing, int], RenderedPrompt]
"""The prompt, with the menu in the order of this seed."""

FIRST_WAIT, LONGEST_WAIT = 2.0, 20.0
"""Seconds; the wait before another request is somewhere between none and the first, unless the service names one."""
PARSER_VERSION = 2
"""Version of the checks in `answer`; counts up when the same words may come to another verdict."""
MAX_QUOTED_ANSWER = 4_000
"""Characters of a bad answer that go into the request to repair it."""
HOPELESS = frozenset({10, 69, 70, 77, 78})
"""Exit codes of what would fail the next sample as well."""


class _RetryableSample(Exception):
    """A sample that failed, and may be asked once more; never leaves this module."""

    def __init__(self, failed: Recommendation, *, wait: float | None = None, is_busy: bool = False) -> None:
        super().__init__(failed.reason)
        self.failed = failed
        self.wait = wait
        """Seconds that the service asks for."""
        self.is_busy = is_busy
        """It is the service that is in trouble: do not ask at once."""


@dataclass(slots=True, kw_only=True)
class _ChoiceUsage:
    """What one choice has cost so far, and who answered."""

    ticks: int = 0
    is_estimate: bool = False
    models: list[str | None] = field(default_factory=list)
    fingerprints: list[str] = field(default_factory=list)

    def add(self, response: model_calls.ModelResponse) -> None:
        self.ticks += response.cost_ticks
        self.is_estimate = self.is_estimate or response.is_estimate
        if response.outcome == "answered":
            self.models.append(response.model)
            self.fingerprints += [response.fingerprint] if response.fingerprint is not None else []

    def marks(self, requested_model: str) -> tuple[str, ...]:
        """What a reviewer must look at."""
        strangers = dict.fromkeys(name or "a model without a name" for name in self.models if name != requested_model)
        versions = dict.fromkeys(self.fingerprints)
        found = [f"{requested_model} was asked, {name} answered" for name in strangers]
        if len(versions) > 1:
            found.append(f"different versions of the model answered: {', '.join(versions)}")
        if self.is_estimate:
            found.append(f"the cost of {format_cost(self.ticks)} is partly our own estimate: the service sent no bill")
        return tuple(found)


@dataclass(slots=True, kw_only=True)
class _Sample:
    """One question, and what is added to it for its repair."""

    number: int
    rendered: RenderedPrompt
    menu: Menu
    until: float
    """On the monotonic clock."""
    bill: _ChoiceUsage
    attempt: int = 0
    row: int = 0
    """Of the last attempt in the journal."""
    repair: tuple[tuple[str, str], ...] = ()


def build_request(rendered: RenderedPrompt, xai: services.Xai, repair: tuple[tuple[str, str], ...] = ()) -> str:
    """The request of a prompt exactly as it leaves; `repair` are the messages that ask for another form."""
    return build_request_body(
        model=xai.model,
        effort=xai.effort,
        system=rendered.system,
        user=rendered.user,
        schema=rendered.schema,
        schema_name=f"spy32_{rendered.version.replace('-', '_')}",
        max_output_tokens=xai.max_output_tokens,
        cache_key=f"spy32-{rendered.version}",
        more=repair,
    )


class ModelClient(Protocol):
    """What answers a request: the service, or the record of it."""

    def ask_model(self, body: str, seconds: float) -> ModelReply: ...


class GrokAnalyst:
    """Satisfies `ports.Analyst`. Sample n shows the menu in the order of `seed` + n; `tell` gets the story by lines."""

    name = "grok"

    def __init__(  # noqa: PLR0913 - what it needs from the world
        self,
        *,
        client: ModelClient,
        render: Render,
        judge: "Callable[[str, RenderedPrompt, Menu, services.AnalystKnobs], Recommendation | RejectedAnswer]",
        xai: services.Xai,
        knobs: services.AnalystKnobs,
        journal: ModelRequestLog,
        run_id: int,
        role: str,
        seed: int,
        clock: Clock,
        sleep: Sleep,
        monotonic: Callable[[], float],
        tell: Callable[[str], None],
    ) -> None:
        self._client = client
        self._render = render
        self._judge = judge
        self._xai = xai
        self._knobs = knobs
        self._journal = journal
        self._run_id = run_id
        self._role = role
        self._seed = seed
        self._clock = clock
        self._sleep = sleep
        self._monotonic = monotonic
        self._tell = tell

    def choose(self, snapshot: MarketSnapshot, menu: Menu, briefing: Briefing) -> Recommendation:
        """The model's choice, its abstention, or FAILED with the word, the line and the exit code of what went wrong.

        Raises only what the journal raises (nothing is asked then) and what interrupts the process; the row of the
        request that was on its way stays unanswered and counts with its estimate.
        """
        if not menu.candidates:
            reason = "the menu is empty, so nothing was asked"
            return Recommendation(analyst=self.name, decision=Decision.ABSTAIN, candidate_id=None, reason=reason)
        try:
            check_effort(self._xai.model, self._xai.effort, self._xai.accepts)
        except BadSettings as error:
            return self._build_failure("effort", error.code, error.message)
        usage, deadline = _ChoiceUsage(), self._monotonic() + self._xai.deadline_seconds
        wanted, samples = self._knobs.samples, list[Recommendation]()
        for number in range(1, wanted + 1):
            if samples and samples[-1].exit_code in HOPELESS:
                samples.append(samples[-1])
                continue
            rendered = self._render(menu, briefing, self._seed + number)
            samples.append(
                self._run_sample(_Sample(number=number, rendered=rendered, menu=menu, until=deadline, bill=usage))
            )
        found = samples[0] if wanted == 1 else combine_samples(samples, menu, self._knobs.quorum)
        return replace(found, cost_ticks=usage.ticks, marks=found.marks + usage.marks(self._xai.model))

    def _run_sample(self, sample: _Sample) -> Recommendation:
        """The sample's answer, or its last failure, within its attempts and the deadline."""
        jitter = tenacity.wait_random_exponential(multiplier=FIRST_WAIT, max=LONGEST_WAIT)

        def wait(state: tenacity.RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome is not None else None
            assert isinstance(error, _RetryableSample)
            return max(error.wait or 0, jitter(state) if error.is_busy else 0)

        def is_over(state: tenacity.RetryCallState) -> bool:
            late = self._monotonic() + state.upcoming_sleep >= sample.until
            return state.attempt_number >= self._xai.attempts or late

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_RetryableSample),
            wait=wait,
            stop=is_over,
            sleep=self._sleep,
            reraise=True,
        )
        try:
            return retrying(self._run_attempt, sample)
        except _RetryableSample as last:
            return last.failed

    def _run_attempt(self, sample: _Sample) -> Recommendation:
        """One request and what it comes to; `_Again` when another may follow."""
        sample.attempt += 1
        body = build_request(sample.rendered, self._xai, sample.repair)
        estimate = max_ticks(body)
        refusal = self._budget_refusal(estimate)
        if refusal is not None:
            return self._build_failure("budget", 10, refusal)
        seconds = sample.until - self._monotonic()
        if seconds <= 0:
            return self._build_failure(
                "timeout", 75, f"no time was left to ask: {self._xai.deadline_seconds} s were used up"
            )
        reply = self._send_and_record(sample, body, estimate, seconds)
        response = reply.response
        if response.text is None:
            code, may_repeat = OUTCOME_CODES[response.outcome]
            failed = self._build_failure(response.outcome, code, response.detail, sample, response)
            if may_repeat:
                raise _RetryableSample(failed, wait=reply.wait, is_busy=code == 75)
            return failed
        if self._xai.strict_model and response.model != self._xai.model:
            words = (
                f"{self._xai.model} was asked, {response.model or 'a model without a name'} answered (xai.strict_model)"
            )
            return self._fail_check(sample, response, "other_model", 69, words)
        return self._evaluate_response(sample, response, response.text)

    def _evaluate_response(self, sample: _Sample, response: model_calls.ModelResponse, text: str) -> Recommendation:
        result = self._judge(text, sample.rendered, sample.menu, self._knobs)
        if isinstance(result, Recommendation):
            self._record_check(sample, result.decision, result.candidate_id, marks=result.marks, vetoes=result.vetoes)
            return replace(
                result,
                analyst=self.name,
                model=response.model,
                model_asked=self._xai.model,
                prompt=sample.rendered.version,
            )
        failed = self._fail_check(sample, response, result.check, 65, result.words, lead="the answer cannot be used: ")
        if not result.is_form:
            return failed
        sample.repair = (
            ("assistant", text if len(text) <= MAX_QUOTED_ANSWER else text[:MAX_QUOTED_ANSWER] + " [cut]"),
            ("user", f"That answer was not accepted: {result.words}. Answer again, in the form that was asked for."),
        )
        raise _RetryableSample(failed)

    def _fail_check(
        self, sample: _Sample, response: model_calls.ModelResponse, check: str, code: int, words: str, *, lead: str = ""
    ) -> Recommendation:
        """The failure of an answer at one of its checks, which is on record."""
        self._record_check(sample, Decision.FAILED, check=check, words=words)
        return self._build_failure(check, code, lead + words, sample, response)

    def _record_check(self, sample: _Sample, decision: Decision, candidate_id: str | None = None, **more: Any) -> None:
        checked = model_calls.ResponseCheck(
            parser=PARSER_VERSION, decision=decision.value, candidate_id=candidate_id, **more
        )
        self._journal.record_check(sample.row, checked, self._clock())

    def _send_and_record(self, sample: _Sample, body: str, estimate: int, seconds: float) -> ModelReply:
        """One request between its two entries in the journal."""
        rendered = sample.rendered
        attempt = model_calls.ModelRequest(
            role=self._role,
            sample=sample.number,
            attempt=sample.attempt,
            prompt=rendered.version,
            prompt_hash=rendered.prompt_hash,
            input_hash=rendered.input_hash,
            model=self._xai.model,
            effort=self._xai.effort,
            request=body,
            estimate_ticks=estimate,
        )
        self._tell(self._progress_line(sample, f"at most {format_cost(estimate)} and {seconds:.0f} s"))
        sample.row = self._journal.begin(self._run_id, attempt, self._clock())
        reply = self._client.ask_model(body, seconds)
        self._journal.end(sample.row, reply.response, self._clock())
        sample.bill.add(reply.response)
        response = reply.response
        self._tell(
            self._progress_line(
                sample,
                response.detail or f"answered after {response.ms / 1000:.0f} s, {format_cost(response.cost_ticks)}",
            )
        )
        return reply

    def _progress_line(self, sample: _Sample, words: str) -> str:
        which = f", sample {sample.number} of {self._knobs.samples}" if self._knobs.samples > 1 else ""
        attempt_text = f", attempt {sample.attempt}" if sample.attempt > 1 else ""
        return f"{self._xai.model}{which}{attempt_text}: {words}"

    def _budget_refusal(self, estimate: int) -> str | None:
        """Why a request of this estimate may not be made, in dollars; None when it may."""
        month = market_date(self._clock()).replace(day=1)
        start: datetime = new_york_instant(month, time(0))
        spans = (
            ("this run", self._journal.run_ticks(self._run_id), self._xai.run_budget, "xai.run_budget"),
            (f"{month:%B}", self._journal.ticks_since(start), self._xai.month_budget, "xai.month_budget"),
        )
        for span, spent, budget, key in spans:
            if spent + estimate > int(budget * TICKS_PER_DOLLAR):
                return (
                    f"asking {self._xai.model} may cost {format_cost(estimate)}; {span} has spent "
                    f"{format_cost(spent)} of "
                    f"${budget} ({key})"
                )
        return None

    def _build_failure(
        self,
        failure: str,
        code: int,
        reason: str,
        sample: _Sample | None = None,
        response: model_calls.ModelResponse | None = None,
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
            model_asked=self._xai.model,
            prompt=sample.rendered.version if sample is not None else None,
        )
