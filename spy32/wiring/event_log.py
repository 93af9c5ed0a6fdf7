"""What this process writes into the log of its home. A start that has nothing to write loads nothing for it."""

import os
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from spy32.errors import SIGNALLED, ExitCode
from spy32.settings import Settings
from spy32.wiring.clockwork import Clockwork

if TYPE_CHECKING:
    from spy32.domain.runs import Step

MILD_CODES = frozenset(
    {
        ExitCode.USAGE, ExitCode.REFUSED, ExitCode.BROKER_REFUSED, ExitCode.NOT_FILLED, ExitCode.ATTENTION,
        ExitCode.UNAVAILABLE,
    }
)  # fmt: skip
"""Codes of what may well happen: a warning. Signals are too; every other code but 0 is an error."""


class EventLog:
    """Appends entries with what is the same for the whole process: command, mode, run, process id."""

    def __init__(
        self, folder: Path, env: Mapping[str, str], find_settings: Callable[[], tuple[Settings, Clockwork] | None]
    ) -> None:
        """`find_settings` returns settings and clock of the process once they have been read."""
        self._folder, self._env, self._find_settings = folder, env, find_settings
        self._started = time.monotonic()
        self._has_entries = False
        self.command = ""
        self.run_id: int | None = None
        """The run that this process works on."""

    def begin_run(self, run_id: int) -> None:
        """What follows belongs to this run."""
        self.run_id = run_id
        self.write("run", "")

    def write_step(self, step: "Step") -> None:
        """How a step of the run ended."""
        from spy32.domain.runs import StepState

        mild = (StepState.REFUSED, StepState.DEGRADED)
        level = "error" if step.state is StepState.FAILED else "warning" if step.state in mild else "info"
        self.write("step", step.detail, level=level, step=step.name, ms=step.ms)

    def write_end(self, code: int, message: str, *, has_changed_store: bool) -> None:
        """The end of the command. A start that did nothing, a look that went well, and a mistyped one leave no line."""
        if code in (ExitCode.OK, ExitCode.USAGE) and not self._has_entries and not has_changed_store:
            return
        is_mild = code in MILD_CODES or code > SIGNALLED
        level = "info" if code == ExitCode.OK else "warning" if is_mild else "error"
        self.write("ended", message, level=level, ms=round((time.monotonic() - self._started) * 1000), code=code)

    def write(
        self,
        event: str,
        message: str,
        *,
        level: str = "info",
        step: str | None = None,
        ms: int | None = None,
        code: int | None = None,
    ) -> None:
        """Append an entry of this `LogEvent`, secrets hidden. It never raises for a file that cannot be written."""
        from spy32.ops.logs import Level, LogEntry, LogEvent, append_entry, hide_secrets
        from spy32.settings.describe import secret_texts

        found = self._find_settings()
        settings, now = (None, datetime.now(UTC)) if found is None else (found[0], found[1].now().astimezone(UTC))
        self._has_entries = True
        entry = LogEntry(
            ts=now,
            level=Level(level),
            event=LogEvent(event),
            mode=None if settings is None else str(settings.mode),
            command=self.command,
            pid=os.getpid(),
            run=self.run_id,
            step=step,
            ms=ms,
            code=code,
            message=hide_secrets(message, secret_texts(self._env, settings)),
        )
        append_entry(self._folder, entry)
