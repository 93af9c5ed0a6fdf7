"""The terminal's window as a place where questions stand: a whole line at a time, taken back when the size changes."""

import signal
import sys
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Self

LONGEST = 4096
"""A longer line is no answer to any of our questions."""


class Resized(Exception):
    """The window has had another size since the last line was asked for."""


class Ended(Exception):
    """Nobody answers any more: Ctrl-D, or the terminal is gone."""


class Window:
    """Reads lines while it is entered, and watches the size all the time, also while nobody is asked."""

    def __init__(self) -> None:
        self._is_reading = False
        self._has_changed = False
        self._before: object = None

    def __enter__(self) -> Self:
        self._before = signal.signal(signal.SIGWINCH, self._resized)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._is_reading = False
        signal.signal(signal.SIGWINCH, self._before)  # type: ignore[arg-type]

    def line(self) -> str:
        """One whole line. A line that the end of input cuts off was not finished, so it is no answer."""
        self._is_reading = True
        try:
            if self._has_changed:
                raise self._taken_back()
            raw = sys.stdin.buffer.readline(LONGEST)
        except OSError:
            raise Ended from None
        finally:
            self._is_reading = False
        if not raw.endswith(b"\n"):
            raise Ended
        return raw.decode(errors="replace")

    def _resized(self, _number: int, _frame: FrameType | None) -> None:
        self._has_changed = True
        if self._is_reading:
            raise self._taken_back()

    def _taken_back(self) -> Resized:
        """What was typed so far answered a screen that is gone, so it goes too."""
        self._is_reading = self._has_changed = False
        _forget_typed()
        return Resized()


def _forget_typed() -> None:
    import termios

    with suppress(OSError, termios.error):
        termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)
