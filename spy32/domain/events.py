"""Scheduled events, and how far ahead they are known."""

from collections.abc import Mapping
from dataclasses import field
from datetime import date
from enum import StrEnum

from spy32.domain.value import value


class EventKind(StrEnum):
    FOMC = "fomc"
    CPI = "cpi"
    JOBS = "jobs"
    EARNINGS = "earnings"
    OTHER = "other"


@value
class ScheduledEvent:
    kind: EventKind
    day: date
    time: str | None
    """New York time, HH:MM; None when only the day is known."""
    source: str
    note: str = ""
    is_confirmed: bool = True


@value
class EventCalendar:
    """What is scheduled, and up to which day each kind is known. Where that ends there may be more."""

    events: tuple[ScheduledEvent, ...] = ()
    """By day, then kind."""
    known_to: Mapping[str, date] = field(default_factory=dict)
    """By kind; a kind that is not here is not known at all."""
    asked: tuple[str, ...] = ()
    """The kinds that matter for this underlying."""

    def events_between(self, first: date, last: date) -> tuple[ScheduledEvent, ...]:
        """Those of the days from `first` to `last`, both included."""
        return tuple(event for event in self.events if first <= event.day <= last)

    def unknown_kinds(self, until: date) -> Mapping[str, str]:
        """Kind -> "unknown after DATE", or "unknown", for each kind whose table ends before `until`."""
        ends = {kind: self.known_to.get(kind) for kind in self.asked}
        return {
            kind: f"unknown after {end}" if end is not None else "unknown"
            for kind, end in ends.items()
            if end is None or end < until
        }
