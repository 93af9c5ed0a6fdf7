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
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any

from spy32.domain.events import EventCalendar, EventKind, ScheduledEvent
from spy32.errors import BadSettings
from spy32.sessions import clock_time
from spy32.settings.keys import nearest_name

SHIPPED_TABLE = Path(__file__).parent.parent / "data" / "events.csv"
FUNDS = frozenset({
    "SPY", "VOO", "IVV", "SPX", "XSP", "QQQ", "NDX", "IWM", "RUT", "DIA", "DJX", "VIX", "TLT", "IEF", "HYG", "LQD",
    "GLD", "SLV", "USO", "IBIT", "EEM", "EFA", "FXI", "SMH", "KRE", "TQQQ", "SQQQ",
    "XLB", "XLC", "XLE", "XLF", "XLI", "XLK", "XLP", "XLRE", "XLU", "XLV", "XLY",
})  # fmt: skip
"""Funds and indices that report no earnings. A ticker that is not here is taken for a company."""
MAX_NOTE_LENGTH = 200
MAX_FILE_BYTES = 1_000_000
"""Bytes of an events file: more is some other file."""
ENTRY_KEYS = ("day", "kind", "time", "note")
KINDS = tuple(kind.value for kind in EventKind)


def load_event_book(
    kinds: Sequence[str], user_file: Path | None, earnings: tuple[ScheduledEvent, ...] | None, underlying: str
) -> EventCalendar:
    """What is scheduled for this underlying, of these kinds and of all that the user's file adds.

    `earnings` are the coming ones of a company; None when nobody serves them. `BadSettings` for a wrong file.
    """
    wanted_kinds = tuple(kind for kind in kinds if kind != EventKind.EARNINGS or underlying not in FUNDS)
    user_file_events = _EventsFile.load(user_file)
    events = {(event.day, event.kind): event for event in _shipped_events() if event.kind.value in wanted_kinds}
    known_until = {kind.value: day for day, kind in events}  # the last day of each kind in the shipped table
    if EventKind.EARNINGS.value in wanted_kinds and earnings:
        events |= {(event.day, event.kind): event for event in earnings}
        known_until[EventKind.EARNINGS.value] = max(event.day for event in earnings)
    for removed in user_file_events.strikes:
        events.pop(removed, None)
    events |= {(event.day, event.kind): event for event in user_file_events.events}
    ordered = sorted(events.values(), key=lambda event: (event.day, event.kind.value))
    return EventCalendar(
        events=tuple(ordered), known_to={**known_until, **user_file_events.known_to}, asked=wanted_kinds
    )


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


class _EventsFile:
    """The checked content of `events.toml`; empty when there is no file."""

    def __init__(self, path: Path, document: Mapping[str, Any], lines: Mapping[tuple[str, int], int]) -> None:
        self.path, self.lines = path, lines
        self.check_keys(document, ("event", "strike", "known_to"), "")
        self.events = tuple(self._parse_event(place, entry) for place, entry in self._parse_entries(document, "event"))
        self.strikes = tuple(
            self._parse_removal(place, entry) for place, entry in self._parse_entries(document, "strike")
        )
        self.known_to = self._parse_known_to(document.get("known_to", {}))

    @classmethod
    def load(cls, path: Path | None) -> "_EventsFile":
        text = _read_text(path) if path is not None else ""
        return cls(path or Path("events.toml"), _parse_toml(text, path), _entry_lines(text))

    def _parse_entries(self, document: Mapping[str, Any], name: str) -> Iterable[tuple[str, Mapping[str, Any]]]:
        entries = document.get(name, [])
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise self.build_error("", f"{name} must be entries, each under a line [[{name}]]")
        for number, entry in enumerate(entries, 1):
            line = self.lines.get((name, number))
            place = f"{name} {number}" + (f" (line {line})" if line else "")
            self.check_keys(entry, ENTRY_KEYS if name == "event" else ENTRY_KEYS[:2], place)
            yield place, entry

    def _parse_event(self, place: str, entry: Mapping[str, Any]) -> ScheduledEvent:
        note = entry.get("note", "")
        if not isinstance(note, str) or len(note) > MAX_NOTE_LENGTH:
            raise self.build_error(place, f"note must be a text of at most {MAX_NOTE_LENGTH} characters")
        kind, day, at = (
            self._parse_kind(place, entry),
            self._parse_day(place, entry.get("day"), "day"),
            entry.get("time"),
        )
        if at is not None:
            at = self._parse_time(place, at)
        return ScheduledEvent(kind=kind, day=day, time=at, source=self.path.name, note=note)

    def _parse_removal(self, place: str, entry: Mapping[str, Any]) -> tuple[date, EventKind]:
        kind, day = self._parse_kind(place, entry), self._parse_day(place, entry.get("day"), "day")
        days = [event.day for event in _shipped_events() if event.kind is kind]
        if day in days:
            return day, kind
        near = min(days, key=lambda other: abs((other - day).days), default=None)
        words = f"; its nearest is {near}" if near is not None else ""
        raise self.build_error(place, f"the shipped table has no {kind} on {day}{words}")

    def _parse_known_to(self, table: object) -> dict[str, date]:
        if not isinstance(table, dict):
            raise self.build_error("", "known_to must be a table, under a line [known_to]")
        self.check_keys(table, KINDS, "known_to")
        return {kind: self._parse_day("known_to", day, kind) for kind, day in table.items()}

    def _parse_kind(self, place: str, entry: Mapping[str, Any]) -> EventKind:
        kind = entry.get("kind")
        if isinstance(kind, str) and kind in KINDS:
            return EventKind(kind)
        meant = (
            f"; {kind[:20]!r} is most like {nearest_name(kind[:20], KINDS)!r}" if isinstance(kind, str) and kind else ""
        )
        raise self.build_error(place, f"kind must be one of {', '.join(KINDS)}{meant}")

    def _parse_day(self, place: str, day: object, name: str) -> date:
        if isinstance(day, date) and not isinstance(day, datetime):
            return day
        raise self.build_error(place, f"{name} must be a date, such as 2027-01-08, without quotes")

    def _parse_time(self, place: str, at: object) -> str:
        try:
            if isinstance(at, str):
                clock_time(at)
                return at
        except BadSettings:
            pass
        raise self.build_error(place, 'time must be a time of day in New York, such as "08:30", in quotes')

    def check_keys(self, table: Mapping[str, Any], allowed: Sequence[str], place: str) -> None:
        for key in table:
            if key not in allowed:
                raise self.build_error(
                    place, f"unknown key {key[:40]!r}; the nearest known one is {nearest_name(key[:40], allowed)!r}"
                )

    def build_error(self, place: str, words: str) -> BadSettings:
        return BadSettings(f"{self.path}: {place}: {words}" if place else f"{self.path}: {words}")


def _read_text(path: Path) -> str:
    """The file's text; nothing when there is no file."""
    try:
        if path.exists() and not path.is_file():
            raise BadSettings(f"{path}: not a file")
        if path.exists() and path.stat().st_size > MAX_FILE_BYTES:
            raise BadSettings(f"{path}: larger than {MAX_FILE_BYTES} bytes, so this is no file of events")
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError:
        raise BadSettings(f"{path}: not UTF-8") from None
    except OSError as error:
        raise BadSettings(f"{path}: cannot be read ({error.strerror})") from error


def _parse_toml(text: str, path: Path | None) -> Mapping[str, Any]:
    import tomllib

    try:
        return tomllib.loads(text)
    except RecursionError:
        raise BadSettings(f"{path}: this is not TOML: nested too deeply") from None
    except ValueError as error:
        raise BadSettings(f"{path}: this is not TOML: {error}") from None


def _entry_lines(text: str) -> dict[tuple[str, int], int]:
    """(table, number of the entry) -> the line on which the entry begins."""
    found: dict[tuple[str, int], int] = {}
    counts = {"event": 0, "strike": 0}
    for number, line in enumerate(text.splitlines(), 1):
        name = line.partition("#")[0].strip().removeprefix("[[").removesuffix("]]").strip()
        if line.lstrip().startswith("[[") and name in counts:
            counts[name] += 1
            found[name, counts[name]] = number
    return found
