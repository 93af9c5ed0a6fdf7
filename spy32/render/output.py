"""Writes text to stdout: complete, as this terminal can show it, and silently when the reader has gone."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from spy32.console import AnyConsole, PlainConsole, write_output
from spy32.render.formatting import ascii_only

if TYPE_CHECKING:
    from rich.console import Console

    from spy32.render.page import Page


def is_full_terminal(console: "AnyConsole") -> bool:
    """Whether tables and pictures are wanted: a terminal that can place text. Otherwise plain lines."""
    return console.is_terminal and not console.is_dumb_terminal


def is_ascii_console(console: "AnyConsole") -> bool:
    return not console.encoding.startswith("utf")


def write_text(console: "AnyConsole", text: str) -> None:
    """Write `text` as it is, only its symbols made plainer where the encoding has none of them."""
    if is_ascii_console(console):
        text = ascii_only(text)
    write_output(console.file, text)


def print_lines(console: "AnyConsole", lines: Iterable[str]) -> None:
    """Lines that the terminal may wrap but nothing cuts."""
    write_text(console, "".join(f"{line}\n" for line in lines))


def print_wrapped(console: "AnyConsole", lines: Iterable[str]) -> None:
    """Lines that a terminal shows folded at blanks, what is folded further in; elsewhere they are as they are."""
    if not is_full_terminal(console):
        print_lines(console, lines)
        return
    from spy32.render.tables import wrap_text

    for line in lines:
        indent = " " * (len(line) - len(line.lstrip()))
        first, *rest = wrap_text(line.lstrip(), max(console.width - len(indent) - 4, 20))
        print_lines(console, [f"{indent}{first}", *(f"{indent}    {more}" for more in rest)])


def print_page(console: "AnyConsole", page: "Page") -> None:
    """A page as tables on a terminal, and as `key: value` lines for a file, a pipe or cron's mail."""
    if is_full_terminal(console):
        from spy32.render.tables import draw_page

        assert not isinstance(console, PlainConsole)
        write_text(console, draw_page(console, page))
    else:
        from spy32.render.plain_lines import format_page

        write_text(console, format_page(page))


def print_fitting_page(console: "Console", pages: Iterator["Page"]) -> None:
    """The first of `pages` that leaves a line of this terminal for the shell's prompt, else the last of them."""
    write_text(console, "".join(f"{line}\n" for line in _fitting_body(console, pages, console.size.height - 1)))


def _fitting_body(console: "Console", pages: Iterator["Page"], height: int) -> list[str]:
    from spy32.render.tables import draw_page

    body: list[str] = []
    for page in pages:
        body = draw_page(console, page).splitlines()
        if len(body) <= height:
            break
    return body


def frame(console: "Console", pages: Iterator["Page"], *, message: str, foot: str, offset: int) -> tuple[str, int]:
    """The first of `pages` that fits this terminal above `message` and `foot`, and the offset that it is drawn from.

    Of one that does not fit, the part from `offset` on. Each line is cleared before it is written: clearing after it
    would take the last cell of a full one.
    """
    from spy32.render.page import Page, Prose
    from spy32.render.tables import draw_page

    rows = console.size.height
    message_part = (Prose(title="", text=message, tone="warn"),) if message else ()
    below = draw_page(console, Page(parts=(*message_part, Prose(title="", text=foot, tone="strong")))).splitlines()
    height = max(rows - len(below), 1)
    body = _fitting_body(console, pages, height)
    offset = max(0, min(offset, len(body) - height + 1)) if len(body) > height else 0
    shown = body[offset : offset + height]
    if len(body) > height:
        left = len(body) - offset - height + 1
        shown = [*body[offset : offset + height - 1], f"-- {left} more lines: space --" if left > 1 else "-- end --"]
    lines = [*shown, *[""] * (height - len(shown)), *below]
    text = "\n".join(f"\x1b[2K{line}" for line in lines[-rows:])
    return f"\x1b[H{text}\x1b[J", offset
