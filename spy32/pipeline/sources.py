"""Who is asked for what, in which order, and the questions themselves: side by side, with one deadline for all.

A source that does not serve a datum is passed over; one that fails is on record with its reason, and the next is asked.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from spy32.domain.market import SourceAttempt
from spy32.errors import Spy32Error, Unavailable
from spy32.ports import Market, Monotonic

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """The order of sources by kind of datum."""

    chain: tuple[Market, ...]
    """Those that may be traded on."""
    checks: tuple[Market, ...] = ()
    """Those that may check it; one that is in `chain` as well is asked once."""
    history: tuple[Market, ...] = ()
    vix: tuple[Market, ...] = ()
    """Also of related tickers."""
    dividends: tuple[Market, ...] = ()
    rate: tuple[Market, ...] = ()
    broker: tuple[Market, ...] = ()
    """Of what only a broker computes, and of earnings."""
    unavailable: tuple[SourceAttempt, ...] = ()
    """Sources that are set but cannot be asked at all, and why."""

    @classmethod
    def single_source(cls, market: Market) -> "Sources":
        """One source of everything: a recorded market."""
        sources = (market,)
        return cls(chain=sources, history=sources, vix=sources, dividends=sources, rate=sources, broker=sources)

    @property
    def is_recorded(self) -> bool:
        return self.chain[0].is_recorded

    @property
    def uses_first_source(self) -> bool:
        """The chain is asked of whom the settings name first, so a run by hand is the run of its slot."""
        return bool(self.checks) and self.chain[0] is self.checks[0]


@dataclass(slots=True, kw_only=True)
class Inquiry(Generic[T]):
    """One datum, asked of its sources in order until `wanted` of them have served, as many at a time."""

    datum: str
    sources: Sequence[Market]
    ask: Callable[[Market], T | None]
    """The datum, or None when the source does not serve it."""
    answers_needed: int = 1
    answers: dict[int, T] = field(default_factory=dict)
    """By the place of the source in the order."""
    errors: list[Spy32Error] = field(default_factory=list)
    asked: dict[int, float] = field(default_factory=dict)
    """When each source was asked that has not answered yet, by its place."""
    bug: Exception | None = None
    _next: int = 0

    @property
    def answer(self) -> T | None:
        """Of the first source in the order that served."""
        return self.answers[min(self.answers)] if self.answers else None


class InquiryRound:
    """Inquiries that run side by side. Each is a few requests; what is late is left behind and said to be late."""

    def __init__(self, seconds: float, monotonic: Monotonic, report: Callable[[str], None]) -> None:
        self._seconds = seconds
        self._monotonic = monotonic
        self._deadline = self._monotonic() + seconds
        self._report = report
        self._lock = threading.Lock()
        self.attempts: list[SourceAttempt] = []

    def run(self, inquiries: Sequence[Inquiry[Any]]) -> None:
        """Until all have ended or the time is over. A recorded source is asked in turn: it answers at once."""
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
        """One source after the other until one of them serves this worker."""
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
        """The place of the next source to ask, if there is one and time for it."""
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
        """What has not answered by now never will."""
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
