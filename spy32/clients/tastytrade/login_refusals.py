"""Refused log-ins, remembered beyond the process: several in a short time block the address for hours.

A refusal may pass (seen on the sandbox near the open), so one more try is made, a minute later at the earliest. A
second refusal stands until the credentials are others, or until a block would be over.
"""

import json
import os
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

from spy32.errors import NotPermitted, Spy32Error, Unavailable
from spy32.settings.knob import Secret

RETRY_DELAY = timedelta(seconds=60)
BLOCK_DURATION = timedelta(hours=8)
MAX_REFUSALS = 2


class LoginRefusals:
    """Refusals of these credentials, in a file that holds a digest of them and nothing else of theirs."""

    def __init__(self, path: Path, clock: Callable[[], datetime], *secrets: Secret) -> None:
        self._path = path
        self._clock = clock
        self._key = sha256("\n".join(secret.reveal() for secret in secrets).encode()).hexdigest()[:32]

    def blocking_error(self) -> Spy32Error | None:
        """Why nothing is asked now: `Unavailable` until the one more try, `NotPermitted` after it."""
        count, at, words = self._load()
        age = self._clock() - at if at is not None else BLOCK_DURATION
        if count == 0 or not timedelta(0) <= age < BLOCK_DURATION:
            return None
        if count >= MAX_REFUSALS:
            return NotPermitted(f"{words} (said at {at:%H:%M} UTC; not asked again with the same credentials)")
        if age < RETRY_DELAY:
            return Unavailable(f"{words} (one more try may be made {RETRY_DELAY.seconds} s later)")
        return None

    def add(self, words: str) -> None:
        """Record one more refusal."""
        count, _, _ = self._load()
        record = {"key": self._key, "count": count + 1, "at": self._clock().isoformat(), "words": words}
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = self._path.with_suffix(".new")
        fresh.write_text(json.dumps(record))
        os.replace(fresh, self._path)

    def clear(self) -> None:
        """Forget the refusals after a log-in that worked."""
        self._path.unlink(missing_ok=True)

    def _load(self) -> tuple[int, datetime | None, str]:
        """Count, instant and words of what was said to these very credentials; a damaged file says nothing."""
        with suppress(OSError, ValueError, KeyError, TypeError):
            record = json.loads(self._path.read_text())
            if record["key"] == self._key:
                return int(record["count"]), datetime.fromisoformat(record["at"]), str(record["words"])
        return 0, None, ""
