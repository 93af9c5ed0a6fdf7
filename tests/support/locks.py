"""Kernel locks of a home, with a clock that only waiting moves."""

from datetime import UTC, datetime
from pathlib import Path

from spy32.ops.locks import FileLocks

NOW = datetime(2026, 11, 23, 15, tzinfo=UTC)


class Patience:
    """A monotonic clock that only waiting moves."""

    def __init__(self) -> None:
        self.waited = 0.0

    def sleep(self, seconds: float) -> None:
        self.waited += seconds

    def monotonic(self) -> float:
        return self.waited


def locks_in(home: Path, patience: Patience | None = None) -> FileLocks:
    waiting = patience or Patience()
    return FileLocks(home / "locks", home=home, clock=lambda: NOW, sleep=waiting.sleep, monotonic=waiting.monotonic)
