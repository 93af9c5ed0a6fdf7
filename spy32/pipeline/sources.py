"""Who is asked for what, in which order, and the questions themselves: side by side, with one deadline for all.

A source that does not serve a datum is passed over; one that fails is on record with its reason, and the next is asked.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from spy32.domain.market import Tried
from spy32.errors import Spy32Error, Unavailable
from spy32.ports import Market

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
    absent: tuple[Tried, ...] = ()
    """Sources that are set but cannot be asked at all, and why."""

    @classmethod
    def alone(cls, market: Market) -> "Sources":
        """One source of everything: a recorded market."""
        only = (market,)
        return cls(chain=only, history=only, vix=only, dividends=only, rate=only, broker=only)

    @property
    def is_recorded(self) -> bool:
        return self.chain[0].is_recorded

    @property
    def are_the_first(self) -> bool:
        """The chain is asked of whom the settings name first, so a run by hand is the run of its slot."""
        return bool(self.checks) and self.chain[0] is self.checks[0]


@dataclass(slots=True, kw_only=True)
class Inquiry(Generic[T]):
    """One datum, asked of its sources in order until `wanted` of them have served, as many at a time."""

    datum: str
    sources: Sequence[Market]
    ask: Callable[[Market], T | None]
    """The datum, or None when the source does not serve it."""
    wanted: int = 1
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


class Round:
    """Inquiries that run side by side. Each is a few requests; what is late is left behind and said to be late."""

    def __init__(self, seconds: float, tell: Callable[[str], None]) -> None:
        self._seconds = seconds
        self._until = time.monotonic() + seconds
        self._tell = tell
        self._lock = threading.Lock()
        self.tried: list[Tried] = []

    def run(self, inquiries: Sequence[Inquiry[Any]]) -> None:
        """Until all have ended or the time is over. A recorded source is asked in turn: it answers at once."""
        workers = []
        for inquiry in inquiries:
            if all(source.is_recorded for source in inquiry.sources):
                self._work(inquiry)
                continue
            for _ in range(inquiry.wanted):
                worker = threading.Thread(target=self._work, args=(inquiry,), daemon=True, name=inquiry.datum)
                worker.start()
                workers.append(worker)
        for worker in workers:
            worker.join(max(0.0, self._until - time.monotonic()))
        for inquiry in inquiries:
            self._close(inquiry)

    def _work(self, inquiry: Inquiry[Any]) -> None:
        """One source after the other until one of them serves this worker."""
        while (place := self._taken(inquiry)) is not None:
            source, begun = inquiry.sources[place], time.monotonic()
            found, error = None, None
            try:
                found = inquiry.ask(source)
            except Spy32Error as trouble:
                error = trouble
            except Exception as bug:  # noqa: BLE001 - a defect is raised again in the thread that waits
                inquiry.bug = bug
                return
            with self._lock:
                if inquiry.asked.pop(place, None) is None:
                    return
                if error is not None:
                    inquiry.errors.append(error)
                    self._note(inquiry, source, begun, ok=False, detail=error.message)
                elif found is not None:
                    inquiry.answers[place] = found
                    self._note(inquiry, source, begun, ok=True, detail="")
                    return

    def _taken(self, inquiry: Inquiry[Any]) -> int | None:
        """The place of the next source to ask, if there is one and time for it."""
        with self._lock:
            place = inquiry._next
            if place >= len(inquiry.sources):
                return None
            if time.monotonic() >= self._until and not inquiry.sources[place].is_recorded:
                return None
            inquiry._next += 1
            inquiry.asked[place] = time.monotonic()
            return place

    def _close(self, inquiry: Inquiry[Any]) -> None:
        """What has not answered by now never will."""
        if inquiry.bug is not None:
            raise inquiry.bug
        with self._lock:
            for place, begun in sorted(inquiry.asked.items()):
                late = f"no answer within the {self._seconds:.0f} s for collecting"
                inquiry.errors.append(Unavailable(f"{inquiry.sources[place].name}: {late}"))
                self._note(inquiry, inquiry.sources[place], begun, ok=False, detail=late)
            inquiry.asked.clear()

    def _note(self, inquiry: Inquiry[Any], source: Market, begun: float, *, ok: bool, detail: str) -> None:
        ms = round((time.monotonic() - begun) * 1000)
        self.tried.append(Tried(datum=inquiry.datum, source=source.name, ok=ok, detail=detail, ms=ms))
        if not source.is_recorded:
            self._tell(f"  {inquiry.datum:<10} {source.name:<11} {'ok' if ok else 'no'} {ms:>6} ms  {detail}".rstrip())
