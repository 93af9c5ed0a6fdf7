"""The terminal's window as a place where questions stand: a whole line at a time, taken back when the size changes."""

import signal
import sys
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Self

MAX_LINE = 4096
"""A longer line is no answer to any of our questions."""


class WindowResized(Exception):
    """The window has had another size since the last line was asked for."""


class InputClosed(Exception):
    """Nobody answers any more: Ctrl-D, or the terminal is gone."""


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
        signal.signal(signal.SIGWINCH, self._previous_handler)  # type: ignore[arg-type]

    def read_line(self) -> str:
        """One whole line. A line that the end of input cuts off was not finished, so it is no answer."""
        self._is_reading = True
        try:
            if self._has_changed:
                raise self._resize_error()
            raw = sys.stdin.buffer.readline(MAX_LINE)
        except OSError:
            raise InputClosed from None
        finally:
            self._is_reading = False
        if not raw.endswith(b"\n"):
            raise InputClosed
        return raw.decode(errors="replace")

    def _handle_resize(self, _number: int, _frame: FrameType | None) -> None:
        self._has_changed = True
        if self._is_reading:
            raise self._resize_error()

    def _resize_error(self) -> WindowResized:
        """What was typed so far answered a screen that is gone, so it goes too."""
        self._is_reading = self._has_changed = False
        _flush_input()
        return WindowResized()


def _flush_input() -> None:
    import termios

    with suppress(OSError, termios.error):
        termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)
