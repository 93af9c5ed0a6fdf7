"""Runs the steps of a weekly run in order. Each step's outcome and timing is committed when the step ends."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from spy32.domain.proposals import Proposal
from spy32.domain.runs import STEPS, Cause, Outcome, Run, Step, StepState
from spy32.domain.spreads import Menu
from spy32.errors import TERMINATIONS, ExitCode, Spy32Error
from spy32.pipeline.authenticate import authenticate
from spy32.pipeline.collect import collect
from spy32.pipeline.consult import ask_shadow_models, consult
from spy32.pipeline.context import CheckedMarket, RunContext, RunEnd, StepResult
from spy32.pipeline.notify import notify
from spy32.pipeline.prepare import prepare
from spy32.pipeline.screen import screen
from spy32.pipeline.vet import vet

T = TypeVar("T")


class _EndOfRun(Exception):
    """Carries a `RunEnd` out of the steps. It never leaves this module."""

    def __init__(self, run_end: RunEnd) -> None:
        super().__init__(run_end.cause)
        self.run_end = run_end


@dataclass(slots=True)
class StepRunner:
    """Runs one step after the other and commits how each one ended."""

    run_context: RunContext
    steps_done: int = 0
    question: tuple[CheckedMarket, Menu] | None = None
    """Market and menu as given to the analysts; None until there is a menu."""

    def run_step(self, name: str, step: Callable[[], StepResult[T] | RunEnd]) -> T:
        """Return the value of a step. A step that ends the run or fails is committed first, then raises."""
        self.run_context.store.runs.start_step(self.run_context.run_id, name, self.run_context.clock())
        started = self.run_context.monotonic()
        try:
            result = self._overdue(name) or step()
        except Spy32Error as error:
            self._commit(name, StepState.FAILED, started, error.message)
            raise
        if isinstance(result, RunEnd):
            state = StepState.FAILED if result.outcome is Outcome.FAILED else StepState.REFUSED
            self._commit(name, state, started, "; ".join(result.reasons))
            raise _EndOfRun(result)
        self._commit(name, result.state, started, result.detail)
        return result.value

    def _overdue(self, name: str) -> RunEnd | None:
        """The end of a run that has used its time up. Its notice is written all the same."""
        if name == "notify" or self.run_context.seconds_left > 0:
            return None
        most = self.run_context.settings.schedule.run_deadline_seconds
        words = f"the run took longer than {most} s (schedule.run_deadline_seconds); it ended before {name}"
        return RunEnd(outcome=Outcome.FAILED, cause=Cause.DEADLINE, reasons=(words,), code=ExitCode.UNAVAILABLE)

    def skip_to(self, name: str) -> None:
        """Commit the remaining steps before `name` as skipped."""
        for skipped in STEPS[self.steps_done : STEPS.index(name)]:
            self._commit(skipped, StepState.SKIPPED, self.run_context.monotonic(), "")

    def _commit(self, name: str, state: StepState, started: float, detail: str) -> None:
        ms = round((self.run_context.monotonic() - started) * 1000)
        step = Step(name=name, state=state, ms=ms, detail=detail)
        self.run_context.store.runs.end_step(self.run_context.run_id, step, self.run_context.clock())
        self.steps_done = STEPS.index(name) + 1
        if state is not StepState.SKIPPED:
            self.run_context.report_step(step)


def run(context: RunContext) -> Run:
    """Run all steps and return the finished run.

    Every error of `spy32.errors` ends in the run's row. Only signals and program bugs raise.
    """
    runner = StepRunner(context)
    try:
        ending = _run_steps(runner)
        runner.skip_to("notify")
        runner.run_step("notify", lambda: notify(context, ending))
    except TERMINATIONS:
        end = RunEnd(
            outcome=Outcome.INTERRUPTED,
            cause=Cause.STOPPED,
            reasons=("stopped by a signal",),
            code=ExitCode.INTERRUPTED,
        )
        _finish_run(context, end)
        notify(context, end)
        raise
    finished = _finish_run(context, ending)
    if runner.question is not None:
        # The run has ended, so an interruption here does not change it.
        ask_shadow_models(context, *runner.question)
    return finished


def _run_steps(runner: StepRunner) -> Proposal | RunEnd:
    try:
        return _weekly_steps(runner)
    except _EndOfRun as end:
        return end.run_end
    except Spy32Error as error:
        cause = Cause.DATA if runner.steps_done > 1 else Cause.ACCOUNT
        return RunEnd(outcome=Outcome.FAILED, cause=cause, reasons=(error.message,), code=error.code)


def _weekly_steps(runner: StepRunner) -> Proposal:
    context = runner.run_context
    account_status = runner.run_step("authenticate", lambda: authenticate(context))
    market = runner.run_step("collect", lambda: collect(context, account_status.account))
    menu = runner.run_step("screen", lambda: screen(context, market, account_status.usable))
    runner.question = (market, menu)
    chosen = runner.run_step("consult", lambda: consult(context, market, menu, account_status.usable))
    ruling = runner.run_step("vet", lambda: vet(context, market, menu, chosen, account_status))
    candidate = menu.find(chosen.candidate_id)
    assert candidate is not None
    return runner.run_step("prepare", lambda: prepare(context, market, candidate, ruling, chosen))


def _finish_run(context: RunContext, ending: Proposal | RunEnd) -> Run:
    runs, run_id, now = context.store.runs, context.run_id, context.clock()
    if isinstance(ending, Proposal):
        return runs.finish(run_id, outcome=Outcome.PROPOSED, at=now)
    return runs.finish(
        run_id, outcome=ending.outcome, cause=ending.cause, reasons=ending.reasons, exit_code=ending.code, at=now
    )
