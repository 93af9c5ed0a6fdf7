"""Scheduled events (FOMC, CPI, jobs, earnings), and the last day up to which each kind is known."""

from collections.abc import Mapping
from dataclasses import field
from datetime import date
from enum import StrEnum

from spy32.domain.value import value


class EventKind(StrEnum):
    """The kind of event. The value is stored and appears in JSON."""

    FOMC = "fomc"
    CPI = "cpi"
    JOBS = "jobs"
    EARNINGS = "earnings"
    OTHER = "other"


@value
class ScheduledEvent:
    """One event on one New York date."""

    kind: EventKind
    day: date
    time: str | None
    """New York time as HH:MM; None when only the day is known."""
    source: str
    note: str = ""
    is_confirmed: bool = True


@value
class EventCalendar:
    """The known events, with the last day that each kind's table covers. After that day there may be more events."""

    events: tuple[ScheduledEvent, ...] = ()
    """Sorted by day, then kind."""
    known_to: Mapping[str, date] = field(default_factory=dict)
    """Kind -> last covered day. A kind without an entry is not known at all."""
    asked: tuple[str, ...] = ()
    """The kinds that matter for this underlying."""

    def events_between(self, first: date, last: date) -> tuple[ScheduledEvent, ...]:
        """Return the events from `first` to `last`, both included."""
        return tuple(event for event in self.events if first <= event.day <= last)

    def unknown_kinds(self, until: date) -> Mapping[str, str]:
        """Return kind -> "unknown after DATE" or "unknown", for each kind whose table ends before `until`."""
        ends = {kind: self.known_to.get(kind) for kind in self.asked}
        return {
            kind: f"unknown after {end}" if end is not None else "unknown"
            for kind, end in ends.items()
            if end is None or end < until
        }
