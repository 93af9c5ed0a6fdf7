"""Official daily bars for the paper broker, at one request a ticker."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple, TypeVar

from spy32.domain.market import DailyBar
from spy32.errors import Spy32Error, Unavailable
from spy32.ports import Clock, Market
from spy32.rules.settlement import is_final

T = TypeVar("T")

RETRY_AFTER = timedelta(minutes=15)
"""A missing bar is asked for again after this long, in a process that lives so long."""

BarRequest = Callable[[str, date], Sequence[DailyBar]]
"""Returns the daily bars of a ticker since a day, which it may lack."""


class _Answer(NamedTuple):
    """What the sources said about one ticker."""

    since: date
    at: datetime
    bars: Mapping[date, DailyBar]
    error: Spy32Error | None


class DailyBarMemo:
    """Finds daily bars and remembers what was served; it is a `ports.DailyBarLookup`.

    A bar that was served before it was final is no bar: it is asked for again.
    """

    def __init__(self, request_bars: BarRequest, clock: Clock) -> None:
        self._request_bars = request_bars
        self._clock = clock
        self._answers: dict[str, _Answer] = {}

    def __call__(self, ticker: str, day: date) -> DailyBar | None:
        """Return the bar of the session; None while no source has it. Raises the error of the last request."""
        answer = self._answers.get(ticker)
        if answer is None or not self._covers(answer, day):
            answer = self._answers[ticker] = self._ask(ticker, min(day, answer.since) if answer is not None else day)
        bar = answer.bars.get(day)
        if bar is None and answer.error is not None:
            raise answer.error
        return bar

    def _covers(self, answer: _Answer, day: date) -> bool:
        return day in answer.bars or (answer.since <= day and self._clock() < answer.at + RETRY_AFTER)

    def _ask(self, ticker: str, since: date) -> _Answer:
        bars: Sequence[DailyBar] = ()
        error: Spy32Error | None = None
        at = self._clock()
        try:
            bars = self._request_bars(ticker, since)
        except Spy32Error as raised:
            error = raised
        return _Answer(since, at, {bar.day: bar for bar in bars if is_final(bar.day, at)}, error)


def request_history(sources: Iterable[Market], ticker: str, since: date) -> tuple[DailyBar, ...]:
    """Return the bars of the first source that has the day, completed by those that were asked before it."""
    found = _request_days(sources, lambda source: ((bar.day, bar) for bar in source.history(ticker, since)), since)
    return tuple(found.values())


def request_vix_closes(sources: Iterable[Market], since: date) -> dict[date, float]:
    """Return the VIX closes since a day, percent, of the first source that has it, completed as above."""
    return _request_days(sources, lambda source: source.volatility_history(since), since)


def _request_days(
    sources: Iterable[Market], ask: Callable[[Market], Iterable[tuple[date, T]]], since: date
) -> dict[date, T]:
    """Ask one source after the other until one has the day. Raises `Unavailable` when none answers."""
    found: dict[date, T] = {}
    errors: list[str] = []
    for source in sources:
        try:
            found = dict(ask(source)) | found
        except Spy32Error as error:
            errors.append(error.message)
        if since in found:
            break
    if not found and errors:
        raise Unavailable("; ".join(errors))
    return found
