"""Reads answers: single keys on a terminal, whole lines elsewhere. A resized window discards what was typed."""

import os
import re
import signal
import stat
import sys
from collections.abc import Callable
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any, Self, TypeVar

from spy32.errors import StoreError, TerminationSignal

Answer = TypeVar("Answer")

MAX_LINE = 4096
"""A longer line is no answer to any of our questions."""
ESCAPE_SECONDS = 0.1
"""How long the rest of a key's sequence may take; over a slow ssh it comes in pieces."""
DIGIT_SECONDS = 1.5
"""How long a second digit of a number may take. Chosen: slower than anyone types a number, faster than one reads a
screen and picks the next row.
"""

SEQUENCE = re.compile(rb"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|O.)")
NAMED = {
    b"\x1b[A": "up", b"\x1bOA": "up", b"\x1b[B": "down", b"\x1bOB": "down", b"\x1b[5~": "back", b"\x1b[6~": "on",
    b"\r": "enter", b"\n": "enter", b"\x7f": "erase", b"\x08": "erase", b"\x15": "clear", b" ": "space",
}  # fmt: skip
PASTE, PASTED = b"\x1b[200~", b"\x1b[201~"
CTRL_D = b"\x04"

ENTER_SCREEN = "\x1b[?1049h\x1b[?25l\x1b[?2004h"
"""The alternate screen, no cursor, and marks around pasted text, which is not keystrokes."""
LEAVE_SCREEN = "\x1b[?2004l\x1b[?25h\x1b[?1049l"


class WindowResized(Exception):
    """The window was resized since the last question."""


class InputClosed(Exception):
    """Nobody answers any more: Ctrl-D, the end of what was piped, or the terminal is gone."""


def can_be_asked() -> bool:
    """Whether standard input is a terminal or holds words: a pipe or a file, and not the null device."""
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except (OSError, ValueError):
        return False
    return sys.stdin.isatty() or not stat.S_ISCHR(mode)


def forget_typed_ahead() -> None:
    """Drop what was typed at the terminal before a question; nothing where standard input is none."""
    import termios

    with suppress(OSError, ValueError, termios.error):
        termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)


class TerminalInput:
    """Reads lines while it is entered, and watches the size all the time, also while nobody is asked."""

    def __init__(self) -> None:
        self._is_reading = False
        self._has_changed = False
        self._previous_handler: object = None

    def __enter__(self) -> Self:
        self._previous_handler = signal.signal(signal.SIGWINCH, self._handle_resize)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._is_reading = False
        signal.signal(signal.SIGWINCH, self._previous_handler)  # type: ignore[arg-type]  # what signal() itself gave

    def read_line(self) -> str:
        """One whole line. A line that the end of input cuts off was not finished, so it is no answer."""
        raw = self._await_input(lambda: sys.stdin.buffer.readline(MAX_LINE))
        if not raw.endswith(b"\n"):
            raise InputClosed
        return raw.decode(errors="replace")

    def _await_input(self, read: Callable[[], Answer]) -> Answer:
        self._is_reading = True
        try:
            if self._has_changed:
                raise self._resize_error()
            return read()
        except OSError:
            raise InputClosed from None
        finally:
            self._is_reading = False

    def _handle_resize(self, _number: int, _frame: FrameType | None) -> None:
        self._has_changed = True
        if self._is_reading:
            raise self._resize_error()

    def _resize_error(self) -> WindowResized:
        """Discard what was typed so far, since it answered a screen that is gone; returns the error to raise."""
        self._is_reading = self._has_changed = False
        self.forget_typed()
        return WindowResized()

    def forget_typed(self) -> None:
        """Drop what was typed ahead."""
        forget_typed_ahead()


class Keyboard(TerminalInput):
    """Single keys, without Enter and without echo, on a screen of its own; the terminal is as before afterwards."""

    def __init__(self, write: Callable[[str], None]) -> None:
        super().__init__()
        self._write = write
        self._typed = b""
        self._modes: list[Any] = []

    def __enter__(self) -> Self:
        import termios
        import tty

        fd = sys.stdin.fileno()
        self._modes = termios.tcgetattr(fd)
        super().__enter__()
        try:
            tty.setcbreak(fd, termios.TCSADRAIN)
            modes = termios.tcgetattr(fd)
            # Ctrl-Z would leave a half-given answer on a screen that the shell then writes over.
            modes[6][termios.VSUSP] = b"\x00"
            termios.tcsetattr(fd, termios.TCSADRAIN, modes)
            self._write(ENTER_SCREEN)
        except BaseException:
            self._restore()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        super().__exit__(kind, error, at)
        self._restore()

    def _restore(self) -> None:
        import termios

        # The terminal may be what is gone.
        with suppress(OSError, termios.error):
            termios.tcsetattr(sys.stdin.fileno(), termios.TCSADRAIN, self._modes)
        with suppress(OSError, StoreError):
            self._write(LEAVE_SCREEN)

    def key(self) -> str:
        """The next key: its character, or a name such as `up`, `enter` or `esc`; empty for one that means nothing."""
        if not self._typed:
            self._more()
        if self._typed.startswith(b"\x1b"):
            return self._escape()
        if self._typed.startswith(CTRL_D):
            raise InputClosed
        size = next((size for size in (4, 3, 2) if self._typed[0] >= (0xF0, 0xE0, 0xC0)[4 - size]), 1)
        taken, self._typed = self._typed[:size], self._typed[size:]
        text = taken.decode(errors="replace")
        return NAMED.get(taken, text if text.isprintable() else "")

    def has_key(self, seconds: float) -> bool:
        """Whether a key comes within so many seconds."""
        import select

        return bool(self._typed or self._await_input(lambda: select.select([sys.stdin.fileno()], [], [], seconds)[0]))

    def forget_typed(self) -> None:
        self._typed = b""
        super().forget_typed()

    def _more(self) -> None:
        try:
            raw = self._await_input(lambda: os.read(sys.stdin.fileno(), MAX_LINE))
        except InputClosed:
            raw = b""
        if not raw:
            # Without a line's end to wait for, only a closed window ends the input; its signal may come later.
            raise TerminationSignal(signal.SIGHUP)
        self._typed += raw

    def _escape(self) -> str:
        """A named key, the Esc key itself, or nothing: a key that we do not know, or what was pasted."""
        found = SEQUENCE.match(self._typed)
        while found is None and self._is_more_coming():
            self._more()
            found = SEQUENCE.match(self._typed)
        if found is None:
            self._typed = self._typed[1:]
            return "esc"
        if found[0] == PASTE:
            while PASTED not in self._typed:
                self._more()
            self._typed = self._typed.partition(PASTED)[2]
            return ""
        self._typed = self._typed[found.end() :]
        return NAMED.get(found[0], "")

    def _is_more_coming(self) -> bool:
        import select

        if len(self._typed) > 1 and self._typed[1:2] not in (b"[", b"O"):
            return False
        return bool(select.select([sys.stdin.fileno()], [], [], ESCAPE_SECONDS)[0])
