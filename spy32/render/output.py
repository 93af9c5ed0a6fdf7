"""How text reaches stdout: whole, as this terminal can show it, and in silence when the reader has gone."""

from typing import TYPE_CHECKING

from spy32.console import PlainConsole, write_output
from spy32.render.formatting import ascii_only

if TYPE_CHECKING:
    from rich.console import Console

    from spy32.render.page import Page


def is_full_terminal(console: "Console | PlainConsole") -> bool:
    """Whether tables and pictures are wanted: a terminal that can place text. Otherwise plain lines."""
    return console.is_terminal and not console.is_dumb_terminal


def is_ascii_console(console: "Console | PlainConsole") -> bool:
    return not console.encoding.startswith("utf")


def write_text(console: "Console | PlainConsole", text: str) -> None:
    """Write `text` as it is, only its symbols made plainer where the encoding has none of them."""
    if is_ascii_console(console):
        text = ascii_only(text)
    write_output(console.file, text)


def print_page(console: "Console | PlainConsole", page: "Page") -> None:
    """A page as tables on a terminal, and as `key: value` lines for a file, a pipe or cron's mail."""
    if is_full_terminal(console):
        from spy32.render.tables import draw_page

        assert not isinstance(console, PlainConsole)
        write_text(console, draw_page(console, page))
    else:
        from spy32.render.plain_lines import format_page

        write_text(console, format_page(page))
