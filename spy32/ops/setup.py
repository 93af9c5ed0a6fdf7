"""Since when a home is set up: the schedule counts from then, whether or not a run has made a database yet."""

import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from spy32.domain.spreads import Mode
from spy32.settings import Locations


def record_setup(locations: Locations, mode: Mode, at: datetime, *, is_pretended: bool) -> None:
    """Mark a home without a database as set up for `mode`, once.

    Its settings files may be older than the first command, and then it counts from them, unless the clock is a
    pretended one. A home that cannot be written is not marked: the run itself will say so.
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
    """What the marker says, or the age of the settings files while no mode has a database; None when nothing does."""
    with suppress(OSError, ValueError):
        return datetime.fromisoformat(_marker_path(locations, mode).read_text(encoding="utf-8").strip())
    if any(locations.database(each).exists() for each in Mode):
        return None
    changed = [_file_changed_at(path) for path in (locations.config, locations.dotenv)]
    return min((at for at in changed if at is not None), default=None)


def _marker_path(locations: Locations, mode: Mode) -> Path:
    return locations.state / f"set-up-{mode}"


def _file_changed_at(path: Path) -> datetime | None:
    """When the file came to this place: unlike its time of writing, a copy does not bring that along."""
    try:
        return datetime.fromtimestamp(path.stat().st_ctime, UTC)
    except OSError:
        return None
