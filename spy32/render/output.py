"""Writes text to stdout: complete, as this terminal can show it, and silently when the reader has gone."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, TypeGuard

from spy32.console import AnyConsole, write_output
from spy32.render.formatting import ascii_only
from spy32.render.page import Grid, Page, Pairs, Part, Picture, Prose

if TYPE_CHECKING:
    from rich.console import Console


def is_full_terminal(console: "AnyConsole") -> "TypeGuard[Console]":
    """Whether tables and pictures are wanted: a terminal that can place text. Otherwise plain lines."""
    return console.is_terminal and not console.is_dumb_terminal


def write_text(console: "AnyConsole", text: str) -> None:
    """Write `text` as it is, only its symbols made plainer where the encoding has none of them."""
    if not console.encoding.startswith("utf"):
        text = ascii_only(text)
    write_output(console.file, text)


def print_lines(console: "AnyConsole", lines: Iterable[str]) -> None:
    """Lines that the terminal may wrap but nothing cuts."""
    write_text(console, "".join(f"{line}\n" for line in lines))


def print_wrapped(console: "AnyConsole", lines: Iterable[str]) -> None:
    """Lines that a terminal shows folded at blanks, what is folded further in; elsewhere they are as they are."""
    if is_full_terminal(console):
        from textwrap import fill

        width = max(console.width, 20)
        indents = ((line, " " * (len(line) - len(line.lstrip()) + 4)) for line in lines)
        lines = [fill(line, width, subsequent_indent=more, break_on_hyphens=False) for line, more in indents]
    print_lines(console, lines)


def print_page(console: "AnyConsole", page: Page) -> None:
    """A page as tables on a terminal, and as `key: value` lines for a file, a pipe or cron's mail."""
    if is_full_terminal(console):
        from spy32.render.tables import draw_page

        write_text(console, draw_page(console, page))
    else:
        write_text(console, format_page(page))


def print_fitting_page(console: "Console", pages: Iterator[Page]) -> None:
    """The first of `pages` that leaves a line of this terminal for the shell's prompt, else the last of them."""
    write_text(console, "".join(f"{line}\n" for line in _fitting_body(console, pages, console.size.height - 1)))


def _fitting_body(console: "Console", pages: Iterator[Page], height: int) -> list[str]:
    from spy32.render.tables import draw_page

    body: list[str] = []
    for page in pages:
        body = draw_page(console, page).splitlines()
        if len(body) <= height:
            break
    return body


def frame(console: "Console", pages: Iterator[Page], *, message: str, foot: str, offset: int) -> tuple[str, int]:
    """The first of `pages` that fits this terminal above `message` and `foot`, and the offset that it is drawn from.

    Of one that does not fit, the part from `offset` on. Each line is cleared before it is written: clearing after it
    would take the last cell of a full one.
    """
    from spy32.render.tables import draw_page

    rows = console.size.height
    said = (Prose(message, "warn"),) if message else ()
    below = draw_page(console, Page(parts=(*said, Prose(foot, "strong")))).splitlines()
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


# Plain lines.


def format_page(page: Page) -> str:
    """The whole page for files, pipes and cron's mail: `key: value`, one row a line, nothing wrapped or cut."""
    lines = [f"note: {part}" for part in page.banner if part]
    lines += [page.heading] if page.heading else []
    lines += [f"note: {badge}" for badge in page.badges]
    for part in page.parts:
        lines += _part_lines(part)
    lines += [f"next: {line}" for line in page.following]
    return "".join(f"{line}\n" for line in lines)


def _part_lines(part: Part) -> list[str]:
    match part:
        case Pairs():
            return [_pair_lines(part.name, label, value) for label, value, _ in part.items if value]
        case Grid():
            return [_format_row(part, number, row) for number, row in enumerate(part.rows)] or [f"{part.name}: none"]
        case Prose():
            return _prose_lines(part)
        case Picture():
            return [f"{part.name} {line}" for line in part.lines]


def _pair_lines(name: str, label: str, value: str) -> str:
    key = f"{name} {label}" if name else label
    return f"{key}: {value}" if "\n" not in value else "\n".join([f"{key}:", *_indent_lines(value)])


def _format_row(grid: Grid, number: int, row: tuple[str, ...]) -> str:
    cells = [f"{column.name} {cell}" for column, cell in zip(grid.columns[1:], row[1:], strict=True) if cell]
    mark = " (selected)" if number == grid.marked else ""
    return f"{grid.name} {row[0]}{mark}: {'; '.join(cells)}"


def _prose_lines(part: Prose) -> list[str]:
    if part.title and "\n" not in part.text:
        return [f"{part.title}: {part.text}"]
    return [f"{part.title}:", *_indent_lines(part.text)] if part.title else part.text.splitlines()


def _indent_lines(text: str) -> list[str]:
    """Foreign lines stand in from the edge, so that none can pass for a key of ours."""
    return [f"  {line}" for line in text.splitlines()]
