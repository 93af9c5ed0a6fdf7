"""An entry of the log as one line."""

from typing import TYPE_CHECKING

from spy32.render.formatting import format_milliseconds, single_line
from spy32.sessions import NEW_YORK

if TYPE_CHECKING:
    from spy32.ops.logs import LogEntry


def format_entry(entry: "LogEntry") -> str:
    """`2025-10-06 10:00:03 New York  info     analyze  R31  collect  149 ms  SPY 645.05, …`; what is missing is left
    out.
    """
    words = (
        f"{entry.ts.astimezone(NEW_YORK):%Y-%m-%d %H:%M:%S} New York",
        f"{entry.level:<7}",
        entry.command,
        "" if entry.run is None else f"R{entry.run}",
        entry.step or ("" if entry.event == "progress" else entry.event),
        "" if entry.code is None else f"code {entry.code}",
        "" if entry.ms is None else format_milliseconds(entry.ms),
        entry.message,
    )
    return "  ".join(single_line(word) for word in words if word)
