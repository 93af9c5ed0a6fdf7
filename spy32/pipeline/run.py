"""The one recipe of a weekly run. Each step's outcome and timing is committed as the step ends."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from spy32.domain.deciding import Proposal
from spy32.domain.running import STEPS, Outcome, Run, Step, StepState
from spy32.domain.trading import Menu
from spy32.errors import STOPS, Spy32Error
from spy32.pipeline.authenticate import authenticate
from spy32.pipeline.collect import collect
from spy32.pipeline.consult import ask_beside, consult
from spy32.pipeline.kit import Done, Ended, Kit, Seen
from spy32.pipeline.notify import notify
from spy32.pipeline.prepare import prepare
from spy32.pipeline.screen import screen
from spy32.pipeline.vet import vet

T = TypeVar("T")


class _Over(Exception):
    """Carries an `Ended` out of the recipe; never leaves this module."""

    def __init__(self, ended: Ended) -> None:
        super().__init__(ended.cause)
        self.ended = ended


@dataclass(slots=True)
class Recorder:
    """Runs one step after the other and commits how each ended."""

    kit: Kit
    done: int = 0
    question: tuple[Seen, Menu] | None = None
    """What the analysts were shown, once there is a menu."""

    def do(self, name: str, act: Callable[[], Done[T] | Ended]) -> T:
        """The value of a step; a step that ends the run, or fails, is committed first and leaves as an exception."""
        self.kit.store.start_step(self.kit.run_id, name, self.kit.clock())
        begun = time.perf_counter()
        try:
            result = act()
        except Spy32Error as error:
            self._commit(name, StepState.FAILED, begun, error.message)
            raise
        if isinstance(result, Ended):
            state = StepState.FAILED if result.outcome is Outcome.FAILED else StepState.REFUSED
            self._commit(name, state, begun, "; ".join(result.reasons))
            raise _Over(result)
        self._commit(name, result.state, begun, result.detail)
        return result.value

    def skip_to(self, name: str) -> None:
        """Commit the steps that are left before `name` as skipped."""
        for left in STEPS[self.done : STEPS.index(name)]:
            self._commit(left, StepState.SKIPPED, time.perf_counter(), "")

    def _commit(self, name: str, state: StepState, begun: float, detail: str) -> None:
        ms = round((time.perf_counter() - begun) * 1000)
        self.kit.store.end_step(self.kit.run_id, Step(name=name, state=state, ms=ms, detail=detail), self.kit.clock())
        self.done = STEPS.index(name) + 1
        if state is not StepState.SKIPPED:
            self.kit.tell(f"{name:<12} {state:<8} {ms:>5} ms  {detail}")


def run(kit: Kit) -> Run:
    """The finished run. Whatever happens on the way, its row says so; only a defect leaves as an exception."""
    steps = Recorder(kit)
    try:
        ending, code = _weekly(steps)
        steps.skip_to("notify")
        steps.do("notify", lambda: notify(kit, ending))
    except STOPS:
        _finish(kit, Ended(outcome=Outcome.INTERRUPTED, cause="stopped", reasons=("stopped by a signal",)), 130)
        raise
    finished = _finish(kit, ending, code)
    if steps.question is not None:
        # The run is over by now: a stop here leaves it as it ended.
        ask_beside(kit, *steps.question)
    return finished


def _weekly(steps: Recorder) -> tuple[Proposal | Ended, int]:
    """What the recipe came to, and the exit code."""
    try:
        return _recipe(steps), 0
    except _Over as over:
        # No trade is a good ending; an analyst without a usable answer is not.
        return over.ended, over.ended.code
    except Spy32Error as error:
        cause = "data" if steps.done > 1 else "account"
        return Ended(outcome=Outcome.FAILED, cause=cause, reasons=(error.message,)), error.code


def _recipe(steps: Recorder) -> Proposal:
    kit = steps.kit
    trader = steps.do("authenticate", lambda: authenticate(kit))
    seen = steps.do("collect", lambda: collect(kit, trader.account))
    menu = steps.do("screen", lambda: screen(kit, seen, None if trader.troubles else trader.account))
    steps.question = (seen, menu)
    chosen = steps.do("consult", lambda: consult(kit, seen, menu, None if trader.troubles else trader.account))
    ruling = steps.do("vet", lambda: vet(kit, seen, menu, chosen, trader))
    candidate = menu.find(chosen.candidate_id)
    assert candidate is not None
    return steps.do("prepare", lambda: prepare(kit, seen, candidate, ruling, chosen))


def _finish(kit: Kit, ending: Proposal | Ended, code: int) -> Run:
    ended = ending if isinstance(ending, Ended) else None
    return kit.store.finish_run(
        kit.run_id,
        outcome=ended.outcome if ended is not None else Outcome.PROPOSED,
        cause=ended.cause if ended is not None else None,
        reasons=ended.reasons if ended is not None else (),
        exit_code=code,
        at=kit.clock(),
    )
