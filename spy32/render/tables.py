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
CHOSEN_MARK = "▶ "
CELL_OVERHEAD = 3  # a column costs its width, two blanks and one line of the frame
MIN_TEXT_WIDTH = 24  # the least room for words
MAX_LABEL_WIDTH = 20  # the widest label of ours
PAIR_OVERHEAD = 2 * CELL_OVERHEAD + 1  # what two columns cost beside their words


class RichBuilder:
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

    def add_title(self, title: str, table: Table) -> "list[RenderableType]":
        """The title is a line of its own: rich would fold it to the width of the table."""
        return [self.text(title, "strong"), table] if title else [table]

    def table(self, *, header: bool) -> Table:
        return Table(
            box=box.ROUNDED,
            show_header=header,
            header_style=self.style("strong"),
            border_style=self.style("dim"),
        )


def draw_page(console: "Console", page: Page) -> str:
    """The page as this terminal shows it, with colour codes only when it wants colour."""
    builder = RichBuilder(console)
    with console.capture() as capture:
        for renderable in _page_parts(builder, page):
            console.print(renderable, soft_wrap=False)
    return capture.get()


def _page_parts(builder: RichBuilder, page: Page) -> "list[RenderableType]":
    renderables: list[RenderableType] = []
    if page.heading:
        renderables.append(builder.text(page.heading, page.tone or "strong"))
    renderables += [builder.text(f"! {badge}", "warn") for badge in page.badges]
    for part in page.parts:
        renderables += _part_renderables(builder, part)
    renderables += [builder.text(f"next: {line}", "strong") for line in page.following]
    return renderables


def _part_renderables(builder: RichBuilder, part: Part) -> "list[RenderableType]":
    match part:
        case Pairs():
            return builder.add_title(part.title, _pairs_table(builder, part.items)) if part.items else []
        case Grid():
            return _grid_renderables(builder, part)
        case Prose():
            return _prose_renderables(builder, part)
        case Picture():
            from spy32.render.payoff import MIN_WIDTH, payoff_chart, proposal_payoff

            if builder.width < MIN_WIDTH:  # folded, it would say nothing; its figures stand in the tables
                return []
            payoff = proposal_payoff(part.made, part.market)
            return [builder.text(line) for line in payoff_chart(payoff, width=builder.width, plain=builder.ascii)]


def _prose_renderables(builder: RichBuilder, part: Prose) -> "list[RenderableType]":
    text = builder.text(part.text, part.tone)
    if not part.title:
        return [text]
    # It stands in from the edge, as in plain lines: foreign words cannot pass for a line of ours.
    return [builder.text(part.title, "strong"), Padding(text, (0, 0, 0, 2), expand=False)]


def _pairs_table(builder: RichBuilder, items: tuple[tuple[str, str, Tone], ...]) -> Table:
    # Widths that are known here need not be measured: rich would render every cell once more to find them.
    labels = min(max(cell_len(label) for label, _, _ in items), MAX_LABEL_WIDTH + CELL_OVERHEAD)
    values = min(
        max(cell_len(line) for _, value, _ in items for line in value.split("\n")),
        builder.width - labels - PAIR_OVERHEAD,
    )
    table = builder.table(header=False)
    table.add_column(style=builder.style("dim"), no_wrap=True, width=labels)
    table.add_column(overflow="fold", width=max(values, 1))
    for label, value, tone in items:
        table.add_row(label, builder.text(value, tone))
    return table


def _grid_renderables(builder: RichBuilder, grid: Grid) -> "list[RenderableType]":
    if not grid.rows:
        return [builder.text(grid.title, "strong"), builder.text("none")]
    rows = [_mark_row(grid, number, row) for number, row in enumerate(grid.rows)]
    needs = [_min_width(column, [row[at] for row in rows]) for at, column in enumerate(grid.columns)]
    layout = fit_columns(grid.columns, needs, builder.width, continues=grid.continues)
    if not layout:
        return _stacked_tables(builder, grid, rows)
    renderables: list[RenderableType] = []
    for number, columns in enumerate(layout):
        title = grid.title if number == 0 else f"{grid.title}, continued"
        renderables += builder.add_title(title, _columns_table(builder, grid, rows, columns, needs))
    kept = {at for columns in layout for at in columns}
    omitted = [column.name for at, column in enumerate(grid.columns) if at not in kept]
    if omitted:
        renderables.append(builder.text(f"left out at this width: {', '.join(omitted)}; --json has all", "dim"))
    return renderables


def _mark_row(grid: Grid, number: int, row: tuple[str, ...]) -> tuple[str, ...]:
    if grid.marked is None:
        return row
    return (f"{CHOSEN_MARK if number == grid.marked else '  '}{row[0]}", *row[1:])


def _min_width(column: Column, cells: list[str]) -> int:
    """The least width at which nothing of the column is cut: its longest cell, or for words its longest token."""
    widest = max(cell_len(text) for text in (column.name, *cells))
    if not column.flexible:
        return widest
    return min(widest, MIN_TEXT_WIDTH)


def fit_columns(columns: tuple[Column, ...], needs: list[int], width: int, *, continues: bool) -> list[list[int]]:
    """Which columns stand in which table of at most `room` cells; nothing when not even the lasting ones fit."""
    lasting = [at for at, column in enumerate(columns) if column.rank == 0]
    if _table_width(needs, lasting) > width:
        return []
    if continues:
        return _split_columns(columns, needs, width, lasting)
    kept = lasting
    for at in sorted((at for at, column in enumerate(columns) if column.rank), key=lambda at: (columns[at].rank, at)):
        if _table_width(needs, [*kept, at]) > width:
            break
        kept = [*kept, at]
    return [sorted(kept)]


def _split_columns(columns: tuple[Column, ...], needs: list[int], width: int, lasting: list[int]) -> list[list[int]]:
    """All columns in order; each further table begins with the lasting ones again."""
    tables, open_table = [], list(lasting)
    for at, column in enumerate(columns):
        if column.rank == 0:
            continue
        if _table_width(needs, [*open_table, at]) > width:
            if open_table == lasting or _table_width(needs, [*lasting, at]) > width:
                return []
            tables.append(open_table)
            open_table = list(lasting)
        open_table.append(at)
    return [*tables, open_table]


def _table_width(needs: list[int], columns: list[int]) -> int:
    return 1 + sum(needs[at] + CELL_OVERHEAD for at in columns)


def _columns_table(
    builder: RichBuilder, grid: Grid, rows: list[tuple[str, ...]], columns: list[int], needs: list[int]
) -> Table:
    table = builder.table(header=True)
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
        table.add_row(*(builder.text(row[at], tone) for at in columns))
    return table


def _stacked_tables(builder: RichBuilder, grid: Grid, rows: list[tuple[str, ...]]) -> "list[RenderableType]":
    """Too narrow for columns: one small table a row, label beside value."""
    renderables: list[RenderableType] = [builder.text(grid.title, "strong")]
    for row in rows:
        renderables.append(
            _pairs_table(
                builder, tuple((column.name, cell, "") for column, cell in zip(grid.columns, row, strict=True))
            )
        )
    return renderables
