"""Writes secrets to the `.env` file: atomically, and readable by its owner only from the first byte on."""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from spy32.errors import CannotCreate
from spy32.settings.keys import ENVIRONMENT
from spy32.settings.lines import assigned_name
from spy32.wiring.process import read_text


def save_secrets(path: Path, values: Mapping[str, str]) -> None:
    """Set these names in the file at `path`, mode 0600; every other line stays as it is. `CannotCreate` if it cannot.

    A line that sets the same key under its other name goes, since it might win over the new one.
    """
    text = set_dotenv_values(read_text(path) or "", values)
    target = path.resolve()  # a link stays a link
    temporary = target.with_name(f"{target.name}.{os.getpid()}.new")
    try:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(target)
        except OSError:
            with suppress(OSError):
                temporary.unlink()
            raise
    except OSError as error:
        raise CannotCreate(f"{path} cannot be written: {error.strerror}") from None


def set_dotenv_values(text: str, values: Mapping[str, str]) -> str:
    """The text of a `.env` with these names set; a new line takes the place of the first one that set the same key."""
    keys = {ENVIRONMENT[name]: name for name in values}
    remaining = dict(values)
    lines = []
    for line in text.splitlines():
        key = ENVIRONMENT.get(assigned_name(line) or "")
        if key not in keys:
            lines.append(line)
        elif (name := keys[key]) in remaining:
            lines.append(f"{name}={remaining.pop(name)}")
    lines += [f"{name}={value}" for name, value in remaining.items()]
    return "".join(f"{line}\n" for line in lines)
