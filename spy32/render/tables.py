"""A page on a terminal: framed tables that give way by rank when it is narrow, and never cut a number."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.text import Text

from spy32.render.page import Column, Grid, Item, Page, Pairs, Part, Picture, Prose, Tone

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

STYLES = {
    "good": "green", "bad": "bold red", "warn": "yellow", "strong": "bold", "dim": "dim",
    "banner": "black on yellow", "alarm": "bold white on red",
}  # fmt: skip
CHOSEN_MARK = "▶ "
CELL_OVERHEAD = 3  # a column costs its width, two blanks and one line of the frame
GAP = 2  # without a frame, two blanks
NAME = 12  # the label of a figure without a frame, with its gap
PICTURE = (22, 72)  # least and most columns of a small payoff
ROWS = 6
MIN_TEXT_WIDTH = 24  # the least room for words


class RichBuilder:
    """Turns a page's parts into what rich can print, in colour or without."""

    def __init__(self, console: "Console") -> None:
        self.console = console
        self.colour = console.color_system is not None and not console.no_color
        self.width = max(20, console.width)
        self.ascii = not console.encoding.startswith("utf")

    def style(self, tone: Tone) -> str:
        return STYLES.get(tone, "") if self.colour else ""

    def text(self, words: str, tone: Tone = "") -> Text:
        """Plain text: what comes from outside is shown and never read as markup."""
        return Text(words, style=self.style(tone), overflow="fold")

    def wrap(self, text: str, width: int) -> list[str]:
        """Lines of at most `width` cells, broken at blanks; a longer word is broken where it must."""
        return [line.plain.rstrip() for line in Text(text).wrap(self.console, width, overflow="fold")]


def draw_page(console: "Console", page: Page) -> str:
    """The page as this terminal shows it, with colour codes only when it wants colour."""
    builder = RichBuilder(console)
    with console.capture() as capture:
        for renderable in _page_renderables(builder, page):
            console.print(renderable, soft_wrap=False)
    return capture.get()


def _page_renderables(builder: RichBuilder, page: Page) -> "Iterator[RenderableType]":
    if page.banner[0]:
        yield from _banner(builder, *page.banner, tone="alarm" if page.alarm else "banner")
    if page.heading:
        yield builder.text(page.heading, page.tone or "strong")
    for badge in page.badges:
        yield builder.text(f"! {badge}", "warn")
    for part in page.parts:
        yield from _part_renderables(builder, part)
    for line in page.following:
        yield builder.text(f"next: {line}", "strong")


def _part_renderables(builder: RichBuilder, part: Part) -> "Iterator[RenderableType]":
    match part:
        case Pairs():
            yield from _pairs_lines(builder, part)
        case Grid():
            yield from _grid_renderables(builder, part)
        case Prose():
            yield from _prose_lines(builder, part)
        case Picture():
            yield from _picture_lines(builder, part)


def _picture_lines(builder: RichBuilder, part: Picture) -> Iterator[Text]:
    drawn = part.draw(builder.width, builder.ascii) if builder.width >= part.min_columns else []
    if drawn or part.lines:
        yield builder.text(part.title, "strong")
        yield from map(builder.text, drawn or part.lines)


def _banner(builder: RichBuilder, left: str, right: str, *, tone: Tone) -> Iterator[Text]:
    width = builder.width - 2
    gap = width - cell_len(left) - cell_len(right)
    whole = f"{left} · {right}" if right else left
    for line in [f"{left}{' ' * gap}{right}"] if gap > 0 else builder.wrap(whole, width):
        yield builder.text(f" {line:<{width + 1}}", tone)


def _pairs_lines(builder: RichBuilder, pairs: Pairs) -> list[Text]:
    lines = _item_lines(builder, pairs.items)
    title = [builder.text(pairs.title, "strong")] if pairs.title and lines else []
    if pairs.payoff is None or not lines:
        return [*title, *lines]
    from spy32.render.payoff import build_payoff, payoff_chart

    # The lines that stand beside the picture decide where it begins; the longer ones come after them.
    left = max(line.cell_len for line in lines[:ROWS]) + GAP
    beside = builder.width - left >= PICTURE[0] and len(lines) >= ROWS
    width = min(PICTURE[1], builder.width - left if beside else builder.width)
    drawn = payoff_chart(build_payoff(*pairs.payoff), width=width, rows=ROWS, plain=builder.ascii)
    if not beside:
        return [*title, *lines, *(builder.text(row, "dim") for row in drawn if pairs.below)]
    for line, row in zip(lines, drawn, strict=False):
        line.pad_right(left - line.cell_len)
        line.append(row, style=builder.style("dim"))
    return [*title, *lines]


def _item_lines(builder: RichBuilder, items: Iterable[Item]) -> list[Text]:
    """Label and value; a value goes on under itself, so that no foreign line can stand at the edge as one of ours."""
    lines: list[Text] = []
    items = [item for item in items if item[1]]
    indent = max([NAME, *(cell_len(label) + GAP for label, _, _ in items)])
    for label, value, tone in items:
        for number, row in enumerate(builder.wrap(value, max(builder.width - indent, 1))):
            line = Text(overflow="fold").append(f"{label if number == 0 else '':<{indent}}", builder.style("dim"))
            lines.append(line.append(row, builder.style(tone)))
    return lines


def _prose_lines(builder: RichBuilder, part: Prose) -> Iterator[Text]:
    if not part.title:
        yield builder.text(part.text, part.tone)
        return
    yield builder.text(part.title, "strong")
    # It stands in from the edge, as in plain lines: foreign words cannot pass for a line of ours.
    for row in builder.wrap(part.text, builder.width - 2):
        yield builder.text(f"  {row}", part.tone)


def _grid_renderables(builder: RichBuilder, grid: Grid) -> "Iterator[RenderableType]":
    if not grid.rows:
        yield builder.text(grid.title, "strong")
        yield builder.text("none")
        return
    rows = grid.rows if grid.marked is None else _marked_rows(grid)
    needs = [_min_width(column, [row[at] for row in rows]) for at, column in enumerate(grid.columns)]
    layout = fit_columns(grid.columns, needs, builder.width, continues=grid.continues, framed=grid.framed)
    if not layout:
        yield builder.text(grid.title, "strong")
        for row in rows:
            yield from _item_lines(
                builder, ((head.name, cell, "") for head, cell in zip(grid.columns, row, strict=True))
            )
        return
    for number, columns in enumerate(layout):
        title = grid.title if number == 0 else f"{grid.title}, continued"
        if title:  # a line of its own: rich would fold it to the width of the table
            yield builder.text(title, "strong")
        if grid.framed:
            yield _columns_table(builder, grid, rows, columns, needs)
        else:
            yield from _column_lines(builder, grid, rows, columns)
    kept = {at for columns in layout for at in columns}
    omitted = [column.name for at, column in enumerate(grid.columns) if at not in kept]
    if omitted and grid.names_omitted:
        yield builder.text(f"left out at this width: {', '.join(omitted)}; --json has all", "dim")


def _marked_rows(grid: Grid) -> tuple[tuple[str, ...], ...]:
    width = max(cell_len(text) for text in (grid.columns[0].name, *(row[0] for row in grid.rows)))
    marks = (CHOSEN_MARK if number == grid.marked else "  " for number in range(len(grid.rows)))
    return tuple((f"{mark}{row[0]:>{width}}", *row[1:]) for mark, row in zip(marks, grid.rows, strict=True))


def _min_width(column: Column, cells: list[str]) -> int:
    """The least width at which nothing of the column is cut: its longest cell, or for words its longest token."""
    widest = max(cell_len(text) for text in (column.name, *cells))
    if not column.flexible:
        return widest
    return min(widest, MIN_TEXT_WIDTH)


def fit_columns(
    columns: tuple[Column, ...], needs: list[int], width: int, *, continues: bool, framed: bool = True
) -> list[list[int]]:
    """Which columns stand in which table of at most `width` cells; nothing when not even the lasting ones fit, or when
    it `continues` and one finds no room in a table of its own beside them."""
    if not framed:  # the same sum with a narrower gap and no outer line
        width, needs = width + 1 + GAP, [need + GAP - CELL_OVERHEAD for need in needs]
    lasting = [at for at, column in enumerate(columns) if column.rank == 0]
    if _table_width(needs, lasting) > width:
        return []
    others = [at for at, column in enumerate(columns) if column.rank]
    tables = [lasting]
    for at in others if continues else sorted(others, key=lambda at: columns[at].rank):
        if _table_width(needs, [*tables[-1], at]) <= width:
            tables[-1] = [*tables[-1], at]
        elif not continues:
            break
        elif tables[-1] == lasting or _table_width(needs, [*lasting, at]) > width:
            return []
        else:
            tables.append([*lasting, at])
    return [sorted(table) for table in tables]


def _table_width(needs: list[int], columns: list[int]) -> int:
    return 1 + sum(needs[at] + CELL_OVERHEAD for at in columns)


def _columns_table(
    builder: RichBuilder, grid: Grid, rows: Sequence[tuple[str, ...]], columns: list[int], needs: list[int]
) -> "Table":
    from rich import box
    from rich.table import Table  # a page without a list does not pay for it

    table = Table(box=box.ROUNDED, header_style=builder.style("strong"), border_style=builder.style("dim"))
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


def _column_lines(
    builder: RichBuilder, grid: Grid, rows: Sequence[tuple[str, ...]], columns: list[int]
) -> Iterator[Text]:
    """Columns without a frame, a line each: rich's tables take longer to load and draw than the rest of a screen."""
    cells = [tuple(column.name for column in grid.columns), *rows]
    for number, row in enumerate(cells, start=-1):
        tone = "dim" if number < 0 else "strong" if number == grid.marked else ""
        texts = [builder.text(row[at], tone) for at in columns]
        for at, text in zip(columns, texts, strict=True):
            text.align("right" if grid.columns[at].right else "left", max(cell_len(line[at]) for line in cells))
        yield Text(" " * GAP).join(texts)
