"""A page on a terminal: framed tables that give way by rank when it is narrow, and never cut a number."""

from typing import TYPE_CHECKING

from rich import box
from rich.cells import cell_len
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from spy32.render.page import Column, Grid, Page, Pairs, Part, Picture, Prose, Tone

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

STYLES = {"good": "green", "bad": "bold red", "warn": "yellow", "strong": "bold", "dim": "dim"}
MARK = "▶ "
CELL = 3  # a column costs its width, two blanks and one line of the frame
FLEXIBLE = 24  # the least room for words
LABEL = 20  # the widest label of ours
FRAME = 2 * CELL + 1  # what two columns cost beside their words


class Pen:
    """Turns a page's parts into what rich can print, in colour or without."""

    def __init__(self, console: "Console") -> None:
        self.colour = console.color_system is not None and not console.no_color
        self.width = max(20, console.width)
        self.ascii = not console.encoding.startswith("utf")

    def style(self, tone: Tone) -> str:
        return STYLES.get(tone, "") if self.colour else ""

    def text(self, words: str, tone: Tone = "") -> Text:
        """Never markup: what comes from outside is only ever shown."""
        return Text(words, style=self.style(tone), overflow="fold")

    def titled(self, title: str, table: Table) -> "list[RenderableType]":
        """The title is a line of its own: rich would fold it to the width of the table."""
        return [self.text(title, "strong"), table] if title else [table]

    def table(self, *, header: bool) -> Table:
        return Table(
            box=box.ROUNDED,
            show_header=header,
            header_style=self.style("strong"),
            border_style=self.style("dim"),
        )


def draw(console: "Console", page: Page) -> str:
    """The page as this terminal shows it, with colour codes only when it wants colour."""
    pen = Pen(console)
    with console.capture() as capture:
        for shown in _page(pen, page):
            console.print(shown, soft_wrap=False)
    return capture.get()


def _page(pen: Pen, page: Page) -> "list[RenderableType]":
    shown: list[RenderableType] = []
    if page.heading:
        shown.append(pen.text(page.heading, page.tone or "strong"))
    shown += [pen.text(f"! {badge}", "warn") for badge in page.badges]
    for part in page.parts:
        shown += _part(pen, part)
    shown += [pen.text(f"next: {line}", "strong") for line in page.following]
    return shown


def _part(pen: Pen, part: Part) -> "list[RenderableType]":
    match part:
        case Pairs():
            return pen.titled(part.title, _pairs(pen, part.items)) if part.items else []
        case Grid():
            return _grid(pen, part)
        case Prose():
            return _prose(pen, part)
        case Picture():
            from spy32.render.payoff import NARROW, of_proposal, picture

            if pen.width < NARROW:  # folded, it would say nothing; its figures stand in the tables
                return []
            payoff = of_proposal(part.made, part.market)
            return [pen.text(line) for line in picture(payoff, width=pen.width, plain=pen.ascii)]


def _prose(pen: Pen, part: Prose) -> "list[RenderableType]":
    text = pen.text(part.text, part.tone)
    if not part.title:
        return [text]
    # It stands in from the edge, as in plain lines: foreign words cannot pass for a line of ours.
    return [pen.text(part.title, "strong"), Padding(text, (0, 0, 0, 2), expand=False)]


def _pairs(pen: Pen, items: tuple[tuple[str, str, Tone], ...]) -> Table:
    # Widths that are known here need not be measured: rich would render every cell once more to find them.
    labels = min(max(cell_len(label) for label, _, _ in items), LABEL + CELL)
    values = min(max(cell_len(line) for _, value, _ in items for line in value.split("\n")), pen.width - labels - FRAME)
    table = pen.table(header=False)
    table.add_column(style=pen.style("dim"), no_wrap=True, width=labels)
    table.add_column(overflow="fold", width=max(values, 1))
    for label, value, tone in items:
        table.add_row(label, pen.text(value, tone))
    return table


def _grid(pen: Pen, grid: Grid) -> "list[RenderableType]":
    if not grid.rows:
        return [pen.text(grid.title, "strong"), pen.text("none")]
    rows = [_marked(grid, number, row) for number, row in enumerate(grid.rows)]
    needs = [_need(column, [row[at] for row in rows]) for at, column in enumerate(grid.columns)]
    layout = fit(grid.columns, needs, pen.width, continues=grid.continues)
    if not layout:
        return _stacked(pen, grid, rows)
    shown: list[RenderableType] = []
    for number, columns in enumerate(layout):
        title = grid.title if number == 0 else f"{grid.title}, continued"
        shown += pen.titled(title, _columns(pen, grid, rows, columns, needs))
    kept = {at for columns in layout for at in columns}
    left = [column.name for at, column in enumerate(grid.columns) if at not in kept]
    if left:
        shown.append(pen.text(f"left out at this width: {', '.join(left)}; --json has all", "dim"))
    return shown


def _marked(grid: Grid, number: int, row: tuple[str, ...]) -> tuple[str, ...]:
    if grid.marked is None:
        return row
    return (f"{MARK if number == grid.marked else '  '}{row[0]}", *row[1:])


def _need(column: Column, cells: list[str]) -> int:
    """The least width at which nothing of the column is cut: its longest cell, or for words its longest token."""
    widest = max(cell_len(text) for text in (column.name, *cells))
    if not column.flexible:
        return widest
    return min(widest, FLEXIBLE)


def fit(columns: tuple[Column, ...], needs: list[int], room: int, *, continues: bool) -> list[list[int]]:
    """Which columns stand in which table of at most `room` cells; nothing when not even the lasting ones fit."""
    lasting = [at for at, column in enumerate(columns) if column.rank == 0]
    if _room(needs, lasting) > room:
        return []
    if continues:
        return _continued(columns, needs, room, lasting)
    kept = lasting
    for at in sorted((at for at, column in enumerate(columns) if column.rank), key=lambda at: (columns[at].rank, at)):
        if _room(needs, [*kept, at]) > room:
            break
        kept = [*kept, at]
    return [sorted(kept)]


def _continued(columns: tuple[Column, ...], needs: list[int], room: int, lasting: list[int]) -> list[list[int]]:
    """All columns in order; each further table begins with the lasting ones again."""
    tables, open_table = [], list(lasting)
    for at, column in enumerate(columns):
        if column.rank == 0:
            continue
        if _room(needs, [*open_table, at]) > room:
            if open_table == lasting or _room(needs, [*lasting, at]) > room:
                return []
            tables.append(open_table)
            open_table = list(lasting)
        open_table.append(at)
    return [*tables, open_table]


def _room(needs: list[int], columns: list[int]) -> int:
    return 1 + sum(needs[at] + CELL for at in columns)


def _columns(pen: Pen, grid: Grid, rows: list[tuple[str, ...]], columns: list[int], needs: list[int]) -> Table:
    table = pen.table(header=True)
    for at in columns:
        column = grid.columns[at]
        table.add_column(
            column.name,
            justify="right" if column.right else "left",
            no_wrap=not column.flexible,
            overflow="fold",
            width=None if column.flexible else needs[at],
        )
    for number, row in enumerate(rows):
        tone = "strong" if number == grid.marked else ""
        table.add_row(*(pen.text(row[at], tone) for at in columns))
    return table


def _stacked(pen: Pen, grid: Grid, rows: list[tuple[str, ...]]) -> "list[RenderableType]":
    """Too narrow for columns: one small table a row, label beside value."""
    shown: list[RenderableType] = [pen.text(grid.title, "strong")]
    for row in rows:
        shown.append(
            _pairs(pen, tuple((column.name, cell, "") for column, cell in zip(grid.columns, row, strict=True)))
        )
    return shown
