"""The log of a home: one JSON object a line, one file a month; the reports of defects lie beside it.

Every process appends its own lines. Nothing here raises for a file that cannot be written: a log changes no outcome.
"""

import json
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from enum import StrEnum
from itertools import islice
from pathlib import Path

from spy32.domain.codec import decode, encode, field_types
from spy32.domain.units import RunId
from spy32.domain.value import value

KEPT_MONTHS = 12
"""Months of the log that are kept: a year of weekly runs, about 5 MB."""
KEPT_REPORTS = 20
"""Reports of defects that are kept; one has the size of a traceback."""
MAX_MESSAGE = 2000
"""Characters of a message that are kept. Longer ones only repeat what the store has."""
MIN_SECRET = 4
"""A shorter text is no secret, and would hide parts of ordinary words."""
ONLY_OURS = 0o600

MONTH_FILES = "spy32-[0-9][0-9][0-9][0-9]-[0-9][0-9].jsonl"
REPORT_FILES = "bug-*.txt"
LINE_START = '{"ts": '
"""In a message the quotes would be escaped, so this only stands where a line begins."""
PATH_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
"""A link is not followed, and a pipe that nobody reads does not block. One write with O_APPEND keeps a line whole on a
local file system, whatever other processes append."""


class Level(StrEnum):
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogEvent(StrEnum):
    RUN = "run"
    """A run has begun."""
    STEP = "step"
    """A step of a run has ended."""
    PROGRESS = "progress"
    """What a terminal shows while a command works."""
    WARNING = "warning"
    """A line on stderr that ended nothing."""
    ENDED = "ended"
    """A command has ended with `code`."""


@value
class LogEntry:
    """One line of the log."""

    ts: datetime
    level: str
    event: str
    mode: str | None
    """None while the settings are not read, or cannot be."""
    command: str
    pid: int
    run: RunId | None
    step: str | None
    ms: int | None
    """Milliseconds: of the step, or of the whole command."""
    code: int | None
    """The exit code of a command that has ended."""
    message: str


@value
class LogFilter:
    """Which entries are asked for; None asks for all."""

    run: int | None = None
    mode: str | None = None
    """Each mode counts its runs by itself."""
    since: datetime | None = None

    def matches(self, entry: LogEntry) -> bool:
        return (
            self.run in (None, entry.run)
            and self.mode in (None, entry.mode)
            and (self.since is None or entry.ts >= self.since)
        )


def append_entry(folder: Path, entry: LogEntry) -> None:
    """Append the line of `entry` to the file of its month, in UTC. A home that is not there is not made for it."""
    path = folder / f"spy32-{entry.ts:%Y-%m}.jsonl"
    # A read-only home or a full disk must not change what comes of the command, so a line is lost instead.
    with suppress(OSError):
        if not path.exists():
            folder.mkdir(exist_ok=True, mode=0o700)
            _remove_oldest(folder, MONTH_FILES, KEPT_MONTHS - 1)
        handle = os.open(path, PATH_FLAGS, ONLY_OURS)
        try:
            os.write(handle, _line(entry))
        finally:
            os.close(handle)


def write_report(folder: Path, name: str, text: str) -> Path:
    """Write the report of a defect and return its path. Raises `OSError`."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    _remove_oldest(folder, REPORT_FILES, KEPT_REPORTS - 1)
    path = folder / f"bug-{name}.txt"
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, ONLY_OURS), "w") as report:
        report.write(text)
    return path


def load_entries(folder: Path, wanted: LogFilter, limit: int) -> tuple[LogEntry, ...]:
    """The newest `limit` entries that are wanted, oldest first. Raises `OSError` for a file that cannot be read.

    A line that was cut off by a full disk is left out.
    """
    found: list[LogEntry] = []
    for path in sorted(folder.glob(MONTH_FILES), reverse=True):
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
        matching = (entry for entry in _parse_lines(reversed(lines)) if wanted.matches(entry))
        found += islice(matching, limit - len(found))
        if len(found) >= limit:
            break
    return tuple(reversed(found))


def hide_secrets(text: str, secrets: Iterable[str]) -> str:
    """`text` with stars for each of `secrets`, as it stands and as an address would hold it."""
    from urllib.parse import quote

    forms = {form for secret in secrets for form in (secret, quote(secret, safe="")) if len(form) >= MIN_SECRET}
    if not forms:
        return text
    # The longest first, since one secret may begin with another.
    return re.sub("|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True)), "****", text)


def _line(entry: LogEntry) -> bytes:
    document = encode(entry) | {
        "ts": f"{entry.ts:%Y-%m-%dT%H:%M:%S}.{entry.ts.microsecond // 1000:03d}Z",
        "run": None if entry.run is None else f"R{entry.run}",
        "message": entry.message[:MAX_MESSAGE],
    }
    # What is no character, such as a byte of a file's name, becomes the escape that JSON has for it.
    return (json.dumps(document, ensure_ascii=False) + "\n").encode(errors="backslashreplace")


def _parse_lines(lines: Iterable[str]) -> Iterator[LogEntry]:
    for line in lines:
        # Behind a line that was cut off the next one stands on the same line.
        start = line.rfind(LINE_START)
        with suppress(ValueError, KeyError, TypeError, AttributeError):
            document = json.loads(line[start:])
            run = document["run"]
            known = {name: document[name] for name in field_types(LogEntry)} | {
                name: str(document[name]) for name in ("level", "event", "command", "message")
            }
            yield decode(LogEntry, known | {"run": None if run is None else int(run[1:])})


def _remove_oldest(folder: Path, pattern: str, kept: int) -> None:
    """Remove all but the newest `kept` files; their names begin with their dates."""
    for path in sorted(folder.glob(pattern))[: -kept or None]:
        path.unlink(missing_ok=True)
