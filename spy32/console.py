"""What stands in for rich's Console where there is no terminal: importing rich costs a cron job more than its work."""

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any, TextIO, TypeAlias

from spy32.errors import StoreError

if TYPE_CHECKING:
    from rich.console import Console


def open_closed_streams() -> None:
    """Standard streams that the caller closed become /dev/null; else a database or a socket would get their numbers."""
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        try:
            os.fstat(number)
        except OSError:
            with suppress(OSError):
                # The kernel gives the lowest free number, which is this one.
                os.open(os.devnull, os.O_RDWR)
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", errors="backslashreplace", closefd=False))


def discard_output(stream: IO[str]) -> None:
    """What follows goes nowhere, since nobody reads it: Python's own flush at its end would change the exit code."""
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError):
        return
    null_descriptor = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null_descriptor, descriptor)
    os.close(null_descriptor)


def terminal_columns(stream: IO[str]) -> int:
    """Columns of the terminal behind a stream; 80 where nothing tells them."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


def fit_line(parts: Sequence[str], columns: int) -> str:
    """The parts on one line of at most so many characters: first the first part is left out, then the last ones."""
    kept = list(parts)
    while len(kept) > 1 and len(", ".join(kept)) > columns:
        del kept[0 if len(kept) == len(parts) else -1]
    return ", ".join(kept)[:columns]


def write_output(stream: IO[str], text: str) -> None:
    """Write `text` at once. A reader such as `head` that has enough is no trouble; `StoreError` on a full disk."""
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        discard_output(stream)
    except OSError as error:
        discard_output(stream)
        raise StoreError(f"the answer cannot be written: {error.strerror}") from error


class PlainConsole:
    """Writes lines as they are: nothing wraps, cuts or colours them."""

    is_terminal = False
    is_dumb_terminal = False
    no_color = True
    color_system = None
    width = 80

    def __init__(self, file: TextIO) -> None:
        self.file = file

    @property
    def encoding(self) -> str:
        return (self.file.encoding or "utf-8").lower()

    def print(self, *parts: object, **_looks: Any) -> None:
        """The words on one line; styles and the like are for terminals."""
        write_output(self.file, " ".join(str(part) for part in parts) + "\n")


AnyConsole: TypeAlias = "Console | PlainConsole"
"""Where commands write: rich's console on a terminal, plain lines elsewhere."""
