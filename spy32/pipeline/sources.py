"""The order of sources for each datum, and the requests to them: in parallel, with one deadline for all.

A source that does not offer a datum is skipped. A source that fails is recorded with its reason, and the next is asked.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from spy32.domain.market import SourceAttempt
from spy32.domain.value import value
from spy32.errors import Spy32Error, Unavailable
from spy32.ports import Market, Monotonic

T = TypeVar("T")


@value
class Sources:
    """The sources of each kind of datum, in the order in which they are asked."""

    chain: tuple[Market, ...]
    """Sources whose chain may be traded on."""
    checks: tuple[Market, ...] = ()
    """Sources for the cross-check. A source that is also in `chain` is asked once."""
    history: tuple[Market, ...] = ()
    vix: tuple[Market, ...] = ()
    """Sources of the VIX family and of related tickers."""
    dividends: tuple[Market, ...] = ()
    rate: tuple[Market, ...] = ()
    broker: tuple[Market, ...] = ()
    """Sources of the broker's own metrics and of earnings."""
    unavailable: tuple[SourceAttempt, ...] = ()
    """Configured sources that cannot be asked at all, with the reason."""

    @classmethod
    def single_source(cls, market: Market) -> "Sources":
        """Return a set with one source for everything, such as a recorded market."""
        sources = (market,)
        return cls(chain=sources, history=sources, vix=sources, dividends=sources, rate=sources, broker=sources)

    @property
    def is_recorded(self) -> bool:
        """Whether the chain comes from a recorded market."""
        return self.chain[0].is_recorded

    @property
    def uses_first_source(self) -> bool:
        """Whether the chain comes from the first source of the settings. Only then a manual run can use up its slot."""
        return bool(self.checks) and self.chain[0] is self.checks[0]


@dataclass(slots=True)
class Inquiry(Generic[T]):
    """The requests for one datum. Sources are asked in order, `answers_needed` at a time, until that many answer."""

    datum: str
    sources: Sequence[Market]
    ask: Callable[[Market], T | None]
    """Returns the datum, or None when the source does not offer it."""
    answers_needed: int = 1
    answers: dict[int, T] = field(default_factory=dict)
    """Answers by the position of the source."""
    errors: list[Spy32Error] = field(default_factory=list)
    asked: dict[int, float] = field(default_factory=dict)
    """Start time (monotonic seconds) of each pending request, by the position of the source."""
    bug: Exception | None = None
    _next: int = 0

    @property
    def answer(self) -> T | None:
        """The answer of the first source in order that answered; None without one."""
        return self.answers[min(self.answers)] if self.answers else None


class InquiryRound:
    """Runs inquiries in parallel until a deadline. A late request is abandoned and recorded as late."""

    def __init__(self, seconds: float, monotonic: Monotonic, report: Callable[[str], None]) -> None:
        self._seconds = seconds
        self._monotonic = monotonic
        self._deadline = self._monotonic() + seconds
        self._report = report
        self._lock = threading.Lock()
        self.attempts: list[SourceAttempt] = []

    def run(self, inquiries: Sequence[Inquiry[Any]]) -> None:
        """Run until all inquiries have ended or the deadline has passed.

        Recorded sources are asked in this thread, because they answer at once. A bug in a worker is raised here.
        """
        workers = []
        for inquiry in inquiries:
            if all(source.is_recorded for source in inquiry.sources):
                self._ask_sources(inquiry)
                continue
            for _ in range(inquiry.answers_needed):
                worker = threading.Thread(target=self._ask_sources, args=(inquiry,), daemon=True, name=inquiry.datum)
                worker.start()
                workers.append(worker)
        for worker in workers:
            worker.join(max(0.0, self._deadline - self._monotonic()))
        for inquiry in inquiries:
            self._close_inquiry(inquiry)

    def _ask_sources(self, inquiry: Inquiry[Any]) -> None:
        """Ask one source after the other until one answers."""
        while (place := self._next_source(inquiry)) is not None:
            source, started = inquiry.sources[place], self._monotonic()
            answer, error = None, None
            try:
                answer = inquiry.ask(source)
            except Spy32Error as failure:
                error = failure
            except Exception as bug:  # noqa: BLE001 - a defect is raised again in the thread that waits
                inquiry.bug = bug
                return
            with self._lock:
                if inquiry.asked.pop(place, None) is None:
                    return
                if error is not None:
                    inquiry.errors.append(error)
                    self._record_attempt(inquiry, source, started, ok=False, detail=error.message)
                elif answer is not None:
                    inquiry.answers[place] = answer
                    self._record_attempt(inquiry, source, started, ok=True, detail="")
                    return

    def _next_source(self, inquiry: Inquiry[Any]) -> int | None:
        """Return the position of the next source to ask; None when there is none or the deadline has passed."""
        with self._lock:
            place = inquiry._next
            if place >= len(inquiry.sources):
                return None
            if self._monotonic() >= self._deadline and not inquiry.sources[place].is_recorded:
                return None
            inquiry._next += 1
            inquiry.asked[place] = self._monotonic()
            return place

    def _close_inquiry(self, inquiry: Inquiry[Any]) -> None:
        """Record pending requests as late and stop waiting for them. Raises a worker's bug."""
        if inquiry.bug is not None:
            raise inquiry.bug
        with self._lock:
            for place, started in sorted(inquiry.asked.items()):
                detail = f"no answer within the {self._seconds:.0f} s for collecting"
                inquiry.errors.append(Unavailable(f"{inquiry.sources[place].name}: {detail}"))
                self._record_attempt(inquiry, inquiry.sources[place], started, ok=False, detail=detail)
            inquiry.asked.clear()

    def _record_attempt(self, inquiry: Inquiry[Any], source: Market, started: float, *, ok: bool, detail: str) -> None:
        ms = round((self._monotonic() - started) * 1000)
        self.attempts.append(SourceAttempt(datum=inquiry.datum, source=source.name, ok=ok, detail=detail, ms=ms))
        if not source.is_recorded:
            self._report(
                f"  {inquiry.datum:<10} {source.name:<11} {'ok' if ok else 'no'} {ms:>6} ms  {detail}".rstrip()
            )
