"""The time at which a home was set up. The schedule counts slots from then, even before a run creates the database."""

import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from spy32.domain.spreads import Mode
from spy32.settings import Locations


def record_setup(locations: Locations, mode: Mode, at: datetime, *, is_pretended: bool) -> None:
    """Mark a home without a database as set up for `mode`, once.

    If its settings files are older than the first command, their time counts, unless the clock is a simulated one
    (`is_pretended`). A home that cannot be written is not marked; the run itself reports that error.
    """
    marker = _marker_path(locations, mode)
    if marker.exists() or locations.database(mode).exists():
        return
    settings_time = None if is_pretended else load_setup_time(locations, mode)
    since = at if settings_time is None else min(settings_time, at)
    with suppress(OSError):
        marker.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(marker, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(f"{since.astimezone(UTC).isoformat()}\n")


def load_setup_time(locations: Locations, mode: Mode) -> datetime | None:
    """Return the setup time: from the marker, or from the settings files while no mode has a database; else None."""
    with suppress(OSError, ValueError):
        return datetime.fromisoformat(_marker_path(locations, mode).read_text(encoding="utf-8").strip())
    if any(locations.database(each).exists() for each in Mode):
        return None
    changed = []
    for path in (locations.config, locations.dotenv):
        with suppress(OSError):
            # Unlike the modification time, a copy does not take it along.
            changed.append(datetime.fromtimestamp(path.stat().st_ctime, UTC))
    return min(changed, default=None)


def _marker_path(locations: Locations, mode: Mode) -> Path:
    return locations.state / f"set-up-{mode}"
