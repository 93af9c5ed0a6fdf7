"""A page as plain lines for files, pipes and cron's mail: `key: value`, one row a line, nothing wrapped or cut."""

from spy32.render.page import Grid, MarkHistory, Page, Pairs, Part, Prose


def format_page(page: Page) -> str:
    """The whole page, ending with a line end."""
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
        case MarkHistory():
            from spy32.render.marks import mark_lines

            return [f"mark {line}" for line in mark_lines(part.marks, part.trade)]


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
