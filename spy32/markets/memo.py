"""A cache of answers that stay valid for a while."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from spy32.errors import Unavailable

T = TypeVar("T")


class Memo(Generic[T]):
    """Recent answers by name; threads that ask for the same share one request. `now` counts seconds."""

    def __init__(self, source: str, now: Callable[[], float]) -> None:
        self._source = source
        self._now = now
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[float, T]] = {}

    def get(self, name: str, ask: Callable[[], T], *, oldest: float, seconds: float) -> T:
        """The answer, asked for anew when it is `oldest` seconds old; `Unavailable` after waiting `seconds`."""
        if not self._lock.acquire(timeout=max(seconds, 0.0)):
            raise Unavailable(f"{self._source} was busy with another question for {seconds:.0f} s")
        try:
            kept = self._kept.get(name)
            if kept is None or not 0 <= self._now() - kept[0] < oldest:
                kept = self._kept[name] = (self._now(), ask())
            return kept[1]
        finally:
            self._lock.release()
