"""Scheduled events without internet: the table that ships, what the user's file adds and strikes, and where they end.

`events.toml` stands beside `config.toml`:

    [[event]]                 # a day that the table does not have, or has with another time
    day = 2027-01-08
    kind = "jobs"
    time = "08:30"            # New York; may be left out
    note = ""

    [[strike]]                # a day of the shipped table that is off
    day = 2026-12-10
    kind = "cpi"

    [known_to]                # up to which day your entries make a kind complete
    jobs = 2027-03-31
"""

import csv
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from spy32.domain.events import EventCalendar, EventKind, ScheduledEvent
from spy32.domain.option_class import INDEX_TICKERS
from spy32.errors import BadSettings
from spy32.sessions import clock_time

T = TypeVar("T")

SHIPPED_TABLE = Path(__file__).parent.parent / "data" / "events.csv"
FUNDS = INDEX_TICKERS | {
    "SPY", "VOO", "IVV", "QQQ", "IWM", "DIA", "TLT", "IEF", "HYG", "LQD",
    "GLD", "SLV", "USO", "IBIT", "EEM", "EFA", "FXI", "SMH", "KRE", "TQQQ", "SQQQ",
    "XLB", "XLC", "XLE", "XLF", "XLI", "XLK", "XLP", "XLRE", "XLU", "XLV", "XLY",
}  # fmt: skip
"""Funds and indices that report no earnings. A ticker that is not here is taken for a company."""
MAX_NOTE_LENGTH = 200
MAX_FILE_BYTES = 1_000_000
"""Bytes of an events file: more is some other file."""
Entry = Mapping[str, Any]
KINDS = tuple(kind.value for kind in EventKind)
ENTRY_KINDS = tuple(kind for kind in KINDS if kind != EventKind.OTHER)
"""What is looked at before an entry; a file may add other events."""


def load_event_book(
    user_file: Path | None, earnings: tuple[ScheduledEvent, ...] | None, underlying: str
) -> EventCalendar:
    """What is scheduled for this underlying, and what the user's file adds.

    `earnings` are the coming ones of a company; None when nobody serves them. `BadSettings` for a wrong file.
    """
    wanted_kinds = tuple(kind for kind in ENTRY_KINDS if kind != EventKind.EARNINGS or underlying not in FUNDS)
    own = _load_user_events(user_file)
    events = {(event.day, event.kind): event for event in _shipped_events() if event.kind.value in wanted_kinds}
    known_until = {kind.value: day for day, kind in events}  # the last day of each kind in the shipped table
    if EventKind.EARNINGS.value in wanted_kinds and earnings:
        events |= {(event.day, event.kind): event for event in earnings}
        known_until[EventKind.EARNINGS.value] = max(event.day for event in earnings)
    kept = {key: event for key, event in events.items() if key not in own.strikes}
    kept |= {(event.day, event.kind): event for event in own.events}
    ordered = sorted(kept.values(), key=lambda event: (event.day, event.kind.value))
    return EventCalendar(events=tuple(ordered), known_to={**known_until, **own.known_to}, asked=wanted_kinds)


# The shipped table.


@cache
def _shipped_events() -> tuple[ScheduledEvent, ...]:
    with SHIPPED_TABLE.open(encoding="ascii", newline="") as file:
        return tuple(
            ScheduledEvent(
                kind=EventKind(row["kind"]),
                day=date.fromisoformat(row["day"]),
                time=row["time"] or None,
                source=row["source"],
                is_confirmed=row["is_confirmed"] == "yes",
            )
            for row in csv.DictReader(file)
        )


# The user's file.


class _UserEvents(NamedTuple):
    """The checked content of `events.toml`."""

    events: tuple[ScheduledEvent, ...] = ()
    strikes: tuple[tuple[date, EventKind], ...] = ()
    known_to: Mapping[str, date] = {}


def _load_user_events(path: Path | None) -> _UserEvents:
    """Empty without a file; `BadSettings` says what is wrong, and in which entry."""
    if path is None:
        return _UserEvents()
    try:
        document = tomllib.loads(_read_text(path))
    except RecursionError:
        raise BadSettings(f"{path}: this is not TOML: nested too deeply") from None
    except ValueError as error:
        raise BadSettings(f"{path}: this is not TOML: {error}") from None
    try:
        _check_keys(document, ("event", "strike", "known_to"))
        return _UserEvents(
            events=tuple(_parse_entries(document, "event", partial(_parse_event, path.name))),
            strikes=tuple(_parse_entries(document, "strike", _parse_removal)),
            known_to=_parse_known_to(document.get("known_to", {})),
        )
    except ValueError as error:
        raise BadSettings(f"{path}: {error}") from None


def _parse_entries(document: Entry, name: str, parse: Callable[[Entry], T]) -> Iterator[T]:
    entries = document.get(name, [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ValueError(f"{name} must be entries, each under a line [[{name}]]")
    for number, entry in enumerate(entries, 1):
        try:
            yield parse(entry)
        except ValueError as error:
            raise ValueError(f"{name} {number}: {error}") from None


def _parse_event(source: str, entry: Entry) -> ScheduledEvent:
    _check_keys(entry, ("day", "kind", "time", "note"))
    note, at = entry.get("note", ""), entry.get("time")
    if not isinstance(note, str) or len(note) > MAX_NOTE_LENGTH:
        raise ValueError(f"note must be a text of at most {MAX_NOTE_LENGTH} characters")
    try:
        clock_time(at if at is not None else "00:00")
    except (BadSettings, AttributeError, TypeError):
        raise ValueError('time must be a time of day in New York, such as "08:30", in quotes') from None
    return ScheduledEvent(kind=_parse_kind(entry), day=_parse_day(entry, "day"), time=at, source=source, note=note)


def _parse_removal(entry: Entry) -> tuple[date, EventKind]:
    _check_keys(entry, ("day", "kind"))
    kind, day = _parse_kind(entry), _parse_day(entry, "day")
    days = [event.day for event in _shipped_events() if event.kind is kind]
    if day not in days:
        near = min(days, key=lambda other: abs((other - day).days), default=None)
        words = f"; its nearest is {near}" if near is not None else ""
        raise ValueError(f"the shipped table has no {kind} on {day}{words}")
    return day, kind


def _parse_known_to(table: Any) -> dict[str, date]:
    if not isinstance(table, dict):
        raise ValueError("known_to must be a table, under a line [known_to]")
    try:
        _check_keys(table, KINDS)
        return {kind: _parse_day(table, kind) for kind in table}
    except ValueError as error:
        raise ValueError(f"known_to: {error}") from None


def _parse_kind(entry: Entry) -> EventKind:
    kind = entry.get("kind")
    if kind in KINDS:
        return EventKind(kind)
    raise ValueError(f"kind must be one of {', '.join(KINDS)}")


def _parse_day(entry: Entry, name: str) -> date:
    day = entry.get(name)
    if isinstance(day, date) and not isinstance(day, datetime):
        return day
    raise ValueError(f"{name} must be a date, such as 2027-01-08, without quotes")


def _check_keys(table: Entry, allowed: Sequence[str]) -> None:
    unknown = next((key[:40] for key in table if key not in allowed), None)
    if unknown is not None:
        raise ValueError(f"unknown key {unknown!r}; known are {', '.join(allowed)}")


def _read_text(path: Path) -> str:
    """The file's text; nothing when there is no file."""
    try:
        if not path.exists():
            return ""
        if not path.is_file():
            raise BadSettings(f"{path}: not a file")
        if path.stat().st_size > MAX_FILE_BYTES:
            raise BadSettings(f"{path}: larger than {MAX_FILE_BYTES} bytes, so this is no file of events")
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise BadSettings(f"{path}: not UTF-8") from None
    except OSError as error:
        raise BadSettings(f"{path}: cannot be read ({error.strerror})") from error
