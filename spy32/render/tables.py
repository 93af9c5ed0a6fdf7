"""A page on a terminal: framed tables that give way by rank when it is narrow, and never cut a number."""

from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.text import Text

from spy32.render.page import Column, Grid, MarkHistory, Page, Pairs, Part, Prose, Tone

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
        self.colour = console.color_system is not None and not console.no_color
        self.width = max(20, console.width)
        self.ascii = not console.encoding.startswith("utf")

    def style(self, tone: Tone) -> str:
        return STYLES.get(tone, "") if self.colour else ""

    def text(self, words: str, tone: Tone = "") -> Text:
        """Plain text: what comes from outside is shown and never read as markup."""
        return Text(words, style=self.style(tone), overflow="fold")

    def table(self) -> "Table":
        from rich import box
        from rich.table import Table  # a page without a list does not pay for it

        return Table(box=box.ROUNDED, header_style=self.style("strong"), border_style=self.style("dim"))


def draw_page(console: "Console", page: Page) -> str:
    """The page as this terminal shows it, with colour codes only when it wants colour."""
    builder = RichBuilder(console)
    with console.capture() as capture:
        for renderable in _page_parts(builder, page):
            console.print(renderable, soft_wrap=False)
    return capture.get()


def _page_parts(builder: RichBuilder, page: Page) -> "list[RenderableType]":
    renderables: list[RenderableType] = []
    if page.banner[0]:
        renderables += _banner(builder, *page.banner, tone="alarm" if page.alarm else "banner")
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
            return _pairs_table(builder, part) if any(value for _, value, _ in part.items) else []
        case Grid():
            return _grid_renderables(builder, part)
        case Prose():
            return _prose_renderables(builder, part)
        case MarkHistory():
            return _mark_renderables(builder, part)


def _mark_renderables(builder: RichBuilder, part: MarkHistory) -> "list[RenderableType]":
    from spy32.render.marks import mark_lines, marks_chart

    drawn = marks_chart(part.marks, target=part.target, stop=part.stop, width=builder.width, plain=builder.ascii)
    return [
        builder.text(part.title, "strong"),
        *(builder.text(line) for line in drawn or mark_lines(part.marks, part.trade)),
    ]


def _banner(pen: RichBuilder, left: str, right: str, *, tone: Tone) -> "list[RenderableType]":
    gap = pen.width - cell_len(left) - cell_len(right) - 2
    if gap < 1:
        lines = wrap_text(f"{left} · {right}" if right else left, pen.width - 2)
        return [pen.text(f" {line:<{pen.width - 1}}", tone) for line in lines]
    return [pen.text(f" {left}{' ' * gap}{right} ", tone)]


def _pairs_table(builder: RichBuilder, pairs: Pairs) -> "list[RenderableType]":
    lines = _pair_lines(builder, pairs.items)
    title: list[RenderableType] = [builder.text(pairs.title, "strong")] if pairs.title else []
    if pairs.payoff is None:
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
        line.append(" " * (left - line.cell_len))
        line.append(row, style=builder.style("dim"))
    return [*title, *lines]


def _pair_lines(pen: RichBuilder, items: tuple[tuple[str, str, Tone], ...]) -> list[Text]:
    """Label and value; a value goes on under itself, so that no foreign line can stand at the edge as one of ours."""
    lines: list[Text] = []
    items = tuple(item for item in items if item[1])
    indent = max(NAME, max((cell_len(label) for label, _, _ in items), default=0) + GAP)
    for label, value, tone in items:
        for number, row in enumerate(wrap_text(value, max(pen.width - indent, 1))):
            line = Text(overflow="fold")
            line.append(f"{label if number == 0 else '':<{indent}}", style=pen.style("dim"))
            lines.append(line.append(row, style=pen.style(tone)))
    return lines


def wrap_text(text: str, width: int) -> list[str]:
    """Lines of at most `width` cells, broken at blanks; a longer word is broken where it must."""
    lines = []
    for part in text.split("\n"):
        line, tokens = "", part.split(" ")[::-1]
        while tokens:
            token = tokens.pop()
            joined = f"{line} {token}" if line else token
            if cell_len(joined) <= width:
                line = joined
            elif line:
                lines.append(line)
                line = ""
                tokens.append(token)
            else:
                # At two cells a character at most, this many always fit.
                head = width if token.isascii() else max(width // 2, 1)
                lines.append(token[:head])
                tokens.append(token[head:])
        lines.append(line)
    return lines


def _prose_renderables(builder: RichBuilder, part: Prose) -> "list[RenderableType]":
    text = builder.text(part.text, part.tone)
    if not part.title:
        return [text]
    from rich.padding import Padding

    # It stands in from the edge, as in plain lines: foreign words cannot pass for a line of ours.
    return [builder.text(part.title, "strong"), Padding(text, (0, 0, 0, 2), expand=False)]


def _grid_renderables(builder: RichBuilder, grid: Grid) -> "list[RenderableType]":
    if not grid.rows:
        return [builder.text(grid.title, "strong"), builder.text("none")]
    rows = [_mark_row(grid, number, row) for number, row in enumerate(grid.rows)]
    needs = [_min_width(column, [row[at] for row in rows]) for at, column in enumerate(grid.columns)]
    layout = fit_columns(grid.columns, needs, builder.width, continues=grid.continues, framed=grid.framed)
    if not layout:
        return _stacked_tables(builder, grid, rows)
    renderables: list[RenderableType] = []
    for number, columns in enumerate(layout):
        title = grid.title if number == 0 else f"{grid.title}, continued"
        # The title is a line of its own: rich would fold it to the width of the table.
        renderables += [builder.text(title, "strong")] if title else []
        if grid.framed:
            renderables.append(_columns_table(builder, grid, rows, columns, needs))
        else:
            renderables += _column_lines(builder, grid, rows, columns)
    kept = {at for columns in layout for at in columns}
    omitted = [column.name for at, column in enumerate(grid.columns) if at not in kept]
    if omitted and grid.names_omitted:
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


def fit_columns(
    columns: tuple[Column, ...], needs: list[int], width: int, *, continues: bool, framed: bool = True
) -> list[list[int]]:
    """Which columns stand in which table of at most `room` cells; nothing when not even the lasting ones fit."""
    if not framed:  # the same sum with a narrower gap and no outer line
        width, needs = width + 1 + GAP, [need + GAP - CELL_OVERHEAD for need in needs]
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
) -> "Table":
    table = builder.table()
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
    builder: RichBuilder, grid: Grid, rows: list[tuple[str, ...]], columns: list[int]
) -> "list[RenderableType]":
    """Columns without a frame, a line each: rich's tables take longer to load and draw than the rest of a screen."""
    cells = [tuple(column.name for column in grid.columns), *rows]
    widths = [max(cell_len(row[at]) for row in cells) for at in columns]
    lines: list[RenderableType] = []
    for number, row in enumerate(cells, start=-1):
        padded = [
            f"{' ' * (width - cell_len(row[at]))}{row[at]}" if grid.columns[at].right
            else f"{row[at]}{' ' * (width - cell_len(row[at]))}"
            for at, width in zip(columns, widths, strict=True)
        ]  # fmt: skip
        tone = "dim" if number < 0 else "strong" if number == grid.marked else ""
        lines.append(builder.text((" " * GAP).join(padded), tone))
    return lines


def _stacked_tables(builder: RichBuilder, grid: Grid, rows: list[tuple[str, ...]]) -> "list[RenderableType]":
    """Too narrow for columns: one block a row, label beside value."""
    renderables: list[RenderableType] = [builder.text(grid.title, "strong")]
    for row in rows:
        renderables += _pair_lines(
            builder, tuple((column.name, cell, "") for column, cell in zip(grid.columns, row, strict=True))
        )
    return renderables
