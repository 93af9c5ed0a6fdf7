"""An entry of the log in one line."""

from typing import TYPE_CHECKING

from spy32.render.formatting import format_known, format_milliseconds, single_line
from spy32.sessions import NEW_YORK

if TYPE_CHECKING:
    from spy32.ops.logs import LogEntry


def format_entry(entry: "LogEntry") -> str:
    """`2025-10-06 10:00:03 New York  info     analyze  R31  collect  149 ms  SPY 645.05, …`."""
    return f"{entry.ts.astimezone(NEW_YORK):%Y-%m-%d %H:%M:%S} New York  {entry.level:<7}  {entry_words(entry)}"


def entry_words(entry: "LogEntry") -> str:
    """Where it comes from and what it says; what is missing is left out."""
    words = (
        entry.command,
        format_known("R{}".format, entry.run),
        entry.step or ("" if entry.event == "progress" else entry.event),
        format_known("code {}".format, entry.code),
        format_known(format_milliseconds, entry.ms),
        entry.message,
    )
    return "  ".join(single_line(word) for word in words if word)
