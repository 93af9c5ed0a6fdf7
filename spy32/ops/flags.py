"""Hold and release: a pause of scheduled runs is a flag in the store, a halt of every submit is a file in the home."""

import os
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from spy32.errors import CannotCreate, StoreTrouble
from spy32.store import Store

PAUSED = "paused"


def pause(store: Store, reason: str, at: datetime) -> str:
    """Hold scheduled runs until `resume`; what is said of it."""
    store.set_flag(PAUSED, reason, at)
    return f"paused{f' ({reason})' if reason else ''}: scheduled runs are skipped until `spy32 resume`"


def halt(path: Path, reason: str, at: datetime) -> str:
    """Stop every submit in every mode; needs no store, so that it works when nothing else does."""
    text = f"{reason or 'no reason given'}, since {at:%Y-%m-%d %H:%M} UTC\n"
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    except OSError as trouble:
        with suppress(OSError):
            draft.unlink()
        raise CannotCreate(f"{path} cannot be made: {trouble.strerror}; nothing is halted") from None
    return f"halted: no order is sent while {path} is there; `spy32 resume` removes it"


def lift_halt(path: Path) -> bool:
    """Whether there was a halt to lift."""
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    except OSError as trouble:
        raise StoreTrouble(f"{path} cannot be removed: {trouble.strerror}; still halted") from None
    return True


def lift_pause(store: Store, at: datetime) -> bool:
    """Whether there was a pause to lift."""
    if store.flag(PAUSED) is None:
        return False
    store.clear_flag(PAUSED, at)
    return True
