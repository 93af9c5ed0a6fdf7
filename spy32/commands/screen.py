"""How a dialogue is shown and answered: a screen with single keys on a terminal, pages and typed words elsewhere."""

import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING

from spy32.commands.terminal_input import DIGIT_SECONDS, Keyboard, TerminalInput, WindowResized
from spy32.console import PlainConsole
from spy32.errors import StoreError, TerminationSignal
from spy32.render import output
from spy32.render.formatting import single_line
from spy32.render.page import Page

if TYPE_CHECKING:
    from rich.console import Console

Pages = Callable[[], Iterator[Page]]
"""The same screen at decreasing heights; the first that fits is shown."""


class WordScreen:
    """Pages one below the other, each answer a line with Enter: for pipes, dumb terminals, and the demo.

    Its methods are those of `KeyScreen` that a dialogue needs.
    """

    def __init__(
        self,
        console: "Console | PlainConsole",
        read: Callable[[], str],
        *,
        echoes: bool = False,
        forget: Callable[[], None] = lambda: None,
    ) -> None:
        """`forget` drops what was typed ahead, before a question that decides."""
        self._console, self._read, self._echoes, self._forget = console, read, echoes, forget
        self._drawn: object = None
        self._prompt = ""
        self.answers = 0

    def draw(self, pages: Pages, choices: Mapping[str, str], text: str, *, scrolls: bool, rows: int = 0) -> None:
        if text:
            self.say(text)
        # The compact page is complete as well: nothing is cut off here.
        *_, page = islice(pages(), 2)
        if page != self._drawn:
            output.print_page(self._console, page)
            self._drawn = page
        words = [label for key, label in choices.items() if label and key not in ("up", "esc")]
        leave = "back [l]" if choices.get("esc", "").endswith("back") else "[l]eave"
        self._prompt = f"{' '.join(words)} {leave}: "

    def answer(self) -> tuple[str, str]:
        word, _, rest = self._line(self._prompt).partition(" ")
        return word.lower() or "l", rest.strip()

    def ask(self, question: str, *, forgets: bool = False) -> str:
        if forgets:
            self._forget()
        return self._line(f"{question}: ")

    def confirm(self, question: str) -> bool:
        self._forget()
        return self._line(f"{question} [y/N]: ").lower() in ("y", "yes")

    def say(self, words: str) -> None:
        # The terminal may be what is gone.
        with suppress(OSError):
            output.write_text(self._console, f"{words}\n")

    def _line(self, prompt: str) -> str:
        output.write_text(self._console, prompt)
        line = ""
        try:
            line = self._read().strip()
        except WindowResized:
            self._drawn = None
            raise
        finally:
            # What is piped in does not stand behind the question by itself.
            if self._echoes:
                output.write_text(self._console, f"{single_line(line)}\n")
        self.answers += 1
        return line


class KeyScreen:
    """One screen that is drawn again at every key; a page that is longer scrolls."""

    def __init__(self, console: "Console", keyboard: Keyboard) -> None:
        self._console, self._keyboard = console, keyboard
        self._pages: Pages = lambda: iter(())
        self._choices: Mapping[str, str] = {}
        self._message = ""
        self._scrolls = False
        self._offset = 0
        self._rows = 0
        self._digits = ""
        """The number typed so far, while a further digit may continue it."""

    def draw(self, pages: Pages, choices: Mapping[str, str], text: str, *, scrolls: bool, rows: int = 0) -> None:
        """Show a page, what may be answered (key -> label), and how the last answer went.

        `rows` is the highest number that may be answered.
        """
        self._pages, self._choices, self._message, self._scrolls = pages, choices, text, scrolls
        self._offset, self._rows = 0, rows
        self._frame(self._keys(), text)

    def update(self, pages: Pages, choices: Mapping[str, str], text: str) -> None:
        """Show the newer content of a page that is on the screen, from the line on to which it was scrolled."""
        self._pages, self._choices, self._message = pages, choices, text
        self._frame(self._keys(), text)

    def answer(self) -> tuple[str, str]:
        """The next answer, a key or a word, and what was typed after it."""
        while True:
            key = self._next_key()
            if key is not None:
                return key, ""

    def answer_within(self, seconds: float) -> str | None:
        """The key of an answer; None when none came in time, or only one that scrolls."""
        return self._next_key() if self._keyboard.has_key(seconds) else None

    def _next_key(self) -> str | None:
        """The next key or the number it belongs to; None for one that scrolled."""
        if self._digits and not self._keyboard.has_key(DIGIT_SECONDS):
            self._digits = ""
            self._frame(self._keys(), self._message)
        key = self._keyboard.key()
        if key.isascii() and key.isdigit():
            return self._continue_number(key)
        self._digits = ""
        key = {"k": "up", "j": "down"}.get(key, key)
        step = {"space": 10, "on": 10, "back": -10}.get(key, 0)
        if self._scrolls:
            step = {"up": -1, "down": 1}.get(key, step)
        if not step:
            return key
        self._offset = max(0, self._offset + step)
        self._frame(self._keys())
        return None

    def _continue_number(self, digit: str) -> str:
        """The row number: a digit continues the one shown as `row 1_` where there is such a row, else begins one."""
        joined = f"{self._digits}{digit}"
        number = joined if int(joined) <= self._rows else digit
        self._digits = number if 0 < int(number) * 10 <= self._rows else ""
        return number

    def ask(self, question: str, *, forgets: bool = False) -> str:
        """Ask for a line of text; empty for none. With `forgets`, nothing that was typed before counts."""
        typed = ""
        while True:
            self._frame(f"{question}: {typed}_", forgets=forgets)
            forgets = False
            match self._keyboard.key():
                case "enter":
                    return typed.strip()
                case "esc":
                    return ""
                case "erase":
                    typed = typed[:-1]
                case "clear":
                    typed = ""
                case key:
                    typed += " " if key == "space" else key if len(key) == 1 else ""

    def confirm(self, question: str) -> bool:
        """Whether the answer is a yes; no by default, and nothing that was typed before the question counts."""
        self._frame(f"{question} [y/N]", forgets=True)
        return self._keyboard.key() in ("y", "Y")

    def say(self, words: str) -> None:
        """Show what is going on while the person waits."""
        self._frame(words)

    def _keys(self) -> str:
        pending = {"rows": f"row {self._digits}_"} if self._digits else {}
        return " ".join(label for label in {**self._choices, **pending}.values() if label)

    def _frame(self, foot: str, message: str = "", *, forgets: bool = False) -> None:
        text, self._offset = output.frame(self._console, self._pages(), message=message, foot=foot, offset=self._offset)
        if forgets:
            # A key that was pressed before this question was there is no answer to it.
            self._keyboard.forget_typed()
        try:
            output.write_text(self._console, text)
        except StoreError:
            raise TerminationSignal(signal.SIGHUP) from None  # the window was closed while it was drawn


Screen = KeyScreen | WordScreen
"""Shows pages to a person and reads the answers."""


def build_input(console: "Console | PlainConsole") -> TerminalInput:
    """Single keys where a person sits at a terminal that can place text; whole lines anywhere else."""
    if output.is_full_terminal(console) and console.file.isatty() and sys.stdin.isatty():
        return Keyboard(lambda text: output.write_text(console, text))
    return TerminalInput()


def screen_of(console: "Console | PlainConsole", window: TerminalInput) -> Screen:
    if isinstance(window, Keyboard):
        assert not isinstance(console, PlainConsole)
        return KeyScreen(console, window)
    return WordScreen(console, window.read_line, echoes=not sys.stdin.isatty(), forget=window.forget_typed)
