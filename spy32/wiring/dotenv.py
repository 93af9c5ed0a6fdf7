"""Writes secrets to the `.env` file."""

from collections.abc import Mapping
from pathlib import Path

from spy32.settings.keys import ENVIRONMENT
from spy32.settings.resolve import assigned_name
from spy32.wiring.process import read_text, write_file


def save_secrets(path: Path, values: Mapping[str, str]) -> None:
    """Set these names in the file at `path`, mode 0600; every other line stays as it is. `CannotCreate` if it cannot.

    A line that sets the same key under its other name goes, since it might win over the new one.
    """
    write_file(path, set_dotenv_values(read_text(path) or "", values))


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
