"""Tells of a database that cannot be opened or written, past the outbox that is in it: at most once a New York day."""

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from spy32.domain.notices import EventClass
from spy32.domain.spreads import Mode
from spy32.domain.value import value
from spy32.errors import ExitCode
from spy32.ops.outbox import Target, direct_notice, send_all
from spy32.ports import Monotonic
from spy32.rules.notices import store_trouble_notices
from spy32.sessions import market_date


@value
class TroubleMarker:
    """An empty file whose name holds the day. Making it decides between processes, and works on a full disk."""

    folder: Path
    mode: Mode
    day: datetime

    @property
    def path(self) -> Path:
        return self.folder / f"store-trouble-{self.mode}-{market_date(self.day)}"

    def claim(self) -> bool:
        """Return whether nobody has told of it today. Raises `OSError` where no file can be made."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            os.close(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            return False
        for earlier in self.folder.glob(f"store-trouble-{self.mode}-*"):
            if earlier != self.path:
                earlier.unlink(missing_ok=True)
        return True


def send_store_trouble(
    message: str, targets: Sequence[Target], marker: TroubleMarker, monotonic: Monotonic
) -> dict[str, str | None]:
    """Tell every address that wants trouble, and the monitor, and return by label why one failed, or None.

    Nobody who took it hears of it again that day; when nobody did, the next start tries again. Without a marker, as on
    a disk that is read-only, only the monitor is told: it takes the same word again and again.
    """
    texts = store_trouble_notices(marker.mode, message, ExitCode.STORE_TROUBLE)
    notices = [direct_notice(text, marker.day) for text in texts]
    try:
        is_claimed = marker.claim()
        due = notices if is_claimed else []
    except OSError:
        is_claimed, due = False, [notice for notice in notices if notice.event_class is EventClass.PING]
    jobs = [
        (target, wanted)
        for target in targets
        if (wanted := [notice for notice in due if target.address.wants(notice.event_class)])
    ]
    failures = send_all(jobs, monotonic, lambda _label, _notice: None)
    found = {target.label: failures.get(target.label) for target, _ in jobs}
    if is_claimed and None not in found.values():
        marker.path.unlink(missing_ok=True)
    return found
