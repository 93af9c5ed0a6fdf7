"""Now and waiting."""

import time
from datetime import UTC, datetime, timedelta


class Clockwork:
    """Now and waiting: by the wall, from an instant that runs on, or from one that only waiting moves."""

    def __init__(self, start: datetime | None = None, *, frozen: bool = False) -> None:
        self._start = start
        self._frozen = frozen
        self._waited = timedelta()
        self._began = time.monotonic()

    def now(self) -> datetime:
        if self._start is None:
            return datetime.now(UTC)
        running = timedelta(seconds=0 if self._frozen else time.monotonic() - self._began)
        return self._start + self._waited + running

    def sleep(self, seconds: float) -> None:
        if self._frozen:
            self._waited += timedelta(seconds=seconds)
        else:
            time.sleep(seconds)
