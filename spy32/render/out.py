"""How text reaches stdout: whole, as this terminal can show it, and in silence when the reader has gone."""

from typing import TYPE_CHECKING

from spy32.console import Plain, deliver
from spy32.render.words import ascii_only

if TYPE_CHECKING:
    from rich.console import Console

    from spy32.render.page import Page


def is_screen(console: "Console | Plain") -> bool:
    """Whether tables and pictures are wanted: a terminal that can place text. Otherwise plain lines."""
    return console.is_terminal and not console.is_dumb_terminal


def is_ascii(console: "Console | Plain") -> bool:
    return not console.encoding.startswith("utf")


def put(console: "Console | Plain", text: str) -> None:
    """Write `text` as it is, only its symbols made plainer where the encoding has none of them."""
    if is_ascii(console):
        text = ascii_only(text)
    deliver(console.file, text)


def show(console: "Console | Plain", page: "Page") -> None:
    """A page as tables on a terminal, and as `key: value` lines for a file, a pipe or cron's mail."""
    if is_screen(console):
        from spy32.render.tables import draw

        assert not isinstance(console, Plain)
        put(console, draw(console, page))
    else:
        from spy32.render.lines import write

        put(console, write(page))
