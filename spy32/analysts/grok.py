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

from spy32.analysts.rendered import Rendered
from spy32.analysts.voting import agreed
from spy32.clients.xai import VERDICTS, Told, check_effort, dollars, most_ticks, request_body
from spy32.clients.xai_models import TICKS
from spy32.domain import asking
from spy32.domain.briefing import Briefing
from spy32.domain.deciding import Decision, Recommendation
from spy32.domain.market import MarketSnapshot
from spy32.domain.trading import Menu
from spy32.errors import BadSettings
from spy32.ports import Clock, Journal, Sleep
from spy32.sessions import at_new_york, market_date
from spy32.settings import services

if TYPE_CHECKING:
    from spy32.analysts.answer import Rejected

Render = Callable[[Menu, Briefing, int], Rendered]
"""The prompt, with the menu in the order of this seed."""

FIRST_WAIT, LONGEST_WAIT = 2.0, 20.0
"""Seconds; the wait before another request is somewhere between none and the first, unless the service names one."""
PARSER = 2
"""Version of the checks in `answer`; counts up when the same words may come to another verdict."""
QUOTED = 4_000
"""Characters of a bad answer that go into the request to repair it."""
HOPELESS = frozenset({10, 69, 70, 77, 78})
"""Exit codes of what would fail the next sample as well."""


class _Again(Exception):
    """A sample that failed, and may be asked once more; never leaves this module."""

    def __init__(self, failed: Recommendation, *, wait: float | None = None, is_busy: bool = False) -> None:
        super().__init__(failed.reason)
        self.failed = failed
        self.wait = wait
        """Seconds that the service asks for."""
        self.is_busy = is_busy
        """It is the service that is in trouble: do not ask at once."""


@dataclass(slots=True, kw_only=True)
class _Bill:
    """What one choice has cost so far, and who answered."""

    ticks: int = 0
    is_estimate: bool = False
    models: list[str | None] = field(default_factory=list)
    fingerprints: list[str] = field(default_factory=list)

    def add(self, heard: asking.Heard) -> None:
        self.ticks += heard.cost_ticks
        self.is_estimate = self.is_estimate or heard.is_estimate
        if heard.outcome == "answered":
            self.models.append(heard.model)
            self.fingerprints += [heard.fingerprint] if heard.fingerprint is not None else []

    def marks(self, asked: str) -> tuple[str, ...]:
        """What a reviewer must look at."""
        strangers = dict.fromkeys(name or "a model without a name" for name in self.models if name != asked)
        versions = dict.fromkeys(self.fingerprints)
        found = [f"{asked} was asked, {name} answered" for name in strangers]
        if len(versions) > 1:
            found.append(f"different versions of the model answered: {', '.join(versions)}")
        if self.is_estimate:
            found.append(f"the cost of {dollars(self.ticks)} is partly our own estimate: the service sent no bill")
        return tuple(found)


@dataclass(slots=True, kw_only=True)
class _Sample:
    """One question, and what is added to it for its repair."""

    number: int
    rendered: Rendered
    menu: Menu
    until: float
    """On the monotonic clock."""
    bill: _Bill
    attempt: int = 0
    row: int = 0
    """Of the last attempt in the journal."""
    repair: tuple[tuple[str, str], ...] = ()


def body_of(rendered: Rendered, xai: services.Xai, repair: tuple[tuple[str, str], ...] = ()) -> str:
    """The request of a prompt exactly as it leaves; `repair` are the messages that ask for another form."""
    return request_body(
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


class Model(Protocol):
    """What answers a request: the service, or the record of it."""

    def tell(self, body: str, seconds: float) -> Told: ...


class GrokAnalyst:
    """Satisfies `ports.Analyst`. Sample n shows the menu in the order of `seed` + n; `tell` gets the story by lines."""

    name = "grok"

    def __init__(  # noqa: PLR0913 - what it needs from the world
        self,
        *,
        client: Model,
        render: Render,
        judge: "Callable[[str, Rendered, Menu, services.AnalystKnobs], Recommendation | Rejected]",
        xai: services.Xai,
        knobs: services.AnalystKnobs,
        journal: Journal,
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
        except BadSettings as trouble:
            return self._failed("effort", trouble.code, trouble.message)
        bill, until = _Bill(), self._monotonic() + self._xai.deadline_seconds
        wanted, samples = self._knobs.samples, list[Recommendation]()
        for number in range(1, wanted + 1):
            if samples and samples[-1].exit_code in HOPELESS:
                samples.append(samples[-1])
                continue
            rendered = self._render(menu, briefing, self._seed + number)
            samples.append(self._asked(_Sample(number=number, rendered=rendered, menu=menu, until=until, bill=bill)))
        found = samples[0] if wanted == 1 else agreed(samples, menu, self._knobs.quorum)
        return replace(found, cost_ticks=bill.ticks, marks=found.marks + bill.marks(self._xai.model))

    def _asked(self, sample: _Sample) -> Recommendation:
        """The sample's answer, or its last failure, within its attempts and the deadline."""
        jitter = tenacity.wait_random_exponential(multiplier=FIRST_WAIT, max=LONGEST_WAIT)

        def wait(state: tenacity.RetryCallState) -> float:
            trouble = state.outcome.exception() if state.outcome is not None else None
            assert isinstance(trouble, _Again)
            return max(trouble.wait or 0, jitter(state) if trouble.is_busy else 0)

        def is_over(state: tenacity.RetryCallState) -> bool:
            late = self._monotonic() + state.upcoming_sleep >= sample.until
            return state.attempt_number >= self._xai.attempts or late

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_Again), wait=wait, stop=is_over, sleep=self._sleep, reraise=True
        )
        try:
            return retrying(self._attempt, sample)
        except _Again as last:
            return last.failed

    def _attempt(self, sample: _Sample) -> Recommendation:
        """One request and what it comes to; `_Again` when another may follow."""
        sample.attempt += 1
        body = body_of(sample.rendered, self._xai, sample.repair)
        estimate = most_ticks(body)
        over = self._over_budget(estimate)
        if over is not None:
            return self._failed("budget", 10, over)
        seconds = sample.until - self._monotonic()
        if seconds <= 0:
            return self._failed("timeout", 75, f"no time was left to ask: {self._xai.deadline_seconds} s were used up")
        told = self._recorded(sample, body, estimate, seconds)
        heard = told.heard
        if heard.text is None:
            code, may_repeat = VERDICTS[heard.outcome]
            failed = self._failed(heard.outcome, code, heard.detail, sample, heard)
            if may_repeat:
                raise _Again(failed, wait=told.wait, is_busy=code == 75)
            return failed
        if self._xai.strict_model and heard.model != self._xai.model:
            words = (
                f"{self._xai.model} was asked, {heard.model or 'a model without a name'} answered (xai.strict_model)"
            )
            return self._ended(sample, heard, "other_model", 69, words)
        return self._judged(sample, heard, heard.text)

    def _judged(self, sample: _Sample, heard: asking.Heard, text: str) -> Recommendation:
        judged = self._judge(text, sample.rendered, sample.menu, self._knobs)
        if isinstance(judged, Recommendation):
            self._check(sample, judged.decision, judged.candidate_id, marks=judged.marks, vetoes=judged.vetoes)
            return replace(
                judged,
                analyst=self.name,
                model=heard.model,
                model_asked=self._xai.model,
                prompt=sample.rendered.version,
            )
        failed = self._ended(sample, heard, judged.check, 65, judged.words, lead="the answer cannot be used: ")
        if not judged.is_form:
            return failed
        sample.repair = (
            ("assistant", text if len(text) <= QUOTED else text[:QUOTED] + " [cut]"),
            ("user", f"That answer was not accepted: {judged.words}. Answer again, in the form that was asked for."),
        )
        raise _Again(failed)

    def _ended(
        self, sample: _Sample, heard: asking.Heard, check: str, code: int, words: str, *, lead: str = ""
    ) -> Recommendation:
        """The failure of an answer at one of its checks, which is on record."""
        self._check(sample, Decision.FAILED, check=check, words=words)
        return self._failed(check, code, lead + words, sample, heard)

    def _check(self, sample: _Sample, decision: Decision, candidate_id: str | None = None, **more: Any) -> None:
        checked = asking.Checked(parser=PARSER, decision=decision.value, candidate_id=candidate_id, **more)
        self._journal.check_attempt(sample.row, checked, self._clock())

    def _recorded(self, sample: _Sample, body: str, estimate: int, seconds: float) -> Told:
        """One request between its two entries in the journal."""
        rendered = sample.rendered
        attempt = asking.Attempt(
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
        self._tell(self._line(sample, f"at most {dollars(estimate)} and {seconds:.0f} s"))
        sample.row = self._journal.begin_attempt(self._run_id, attempt, self._clock())
        told = self._client.tell(body, seconds)
        self._journal.end_attempt(sample.row, told.heard, self._clock())
        sample.bill.add(told.heard)
        heard = told.heard
        self._tell(
            self._line(sample, heard.detail or f"answered after {heard.ms / 1000:.0f} s, {dollars(heard.cost_ticks)}")
        )
        return told

    def _line(self, sample: _Sample, words: str) -> str:
        which = f", sample {sample.number} of {self._knobs.samples}" if self._knobs.samples > 1 else ""
        again = f", attempt {sample.attempt}" if sample.attempt > 1 else ""
        return f"{self._xai.model}{which}{again}: {words}"

    def _over_budget(self, estimate: int) -> str | None:
        """Why a request of this estimate may not be made, in dollars; None when it may."""
        month = market_date(self._clock()).replace(day=1)
        start: datetime = at_new_york(month, time(0))
        spans = (
            ("this run", self._journal.spent_of_run(self._run_id), self._xai.run_budget, "xai.run_budget"),
            (f"{month:%B}", self._journal.spent_since(start), self._xai.month_budget, "xai.month_budget"),
        )
        for span, spent, budget, key in spans:
            if spent + estimate > int(budget * TICKS):
                return (
                    f"asking {self._xai.model} may cost {dollars(estimate)}; {span} has spent {dollars(spent)} of "
                    f"${budget} ({key})"
                )
        return None

    def _failed(
        self,
        word: str,
        code: int,
        reason: str,
        sample: _Sample | None = None,
        heard: asking.Heard | None = None,
    ) -> Recommendation:
        tries = f" (after {sample.attempt} attempts)" if sample is not None and sample.attempt > 1 else ""
        return Recommendation(
            analyst=self.name,
            decision=Decision.FAILED,
            candidate_id=None,
            reason=reason + tries,
            failure=word,
            exit_code=code,
            model=heard.model if heard is not None else None,
            model_asked=self._xai.model,
            prompt=sample.rendered.version if sample is not None else None,
        )
