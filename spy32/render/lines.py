"""A page as plain lines for files, pipes and cron's mail: `key: value`, one row a line, nothing wrapped or cut."""

from spy32.render.page import Grid, Page, Pairs, Part, Picture, Prose


def write(page: Page) -> str:
    """The whole page, ending with a line end."""
    lines = [page.heading] if page.heading else []
    lines += [f"note: {badge}" for badge in page.badges]
    for part in page.parts:
        lines += _part(part)
    lines += [f"next: {line}" for line in page.following]
    return "".join(f"{line}\n" for line in lines)


def _part(part: Part) -> list[str]:
    match part:
        case Pairs():
            return [_pair(part.name, label, value) for label, value, _ in part.items]
        case Grid():
            return [_row(part, number, row) for number, row in enumerate(part.rows)] or [f"{part.name}: none"]
        case Prose():
            return _prose(part)
        case Picture():
            # The picture is for the eye; its figures stand in the proposal's lines.
            return []


def _pair(name: str, label: str, value: str) -> str:
    key = f"{name} {label}" if name else label
    return f"{key}: {value}" if "\n" not in value else "\n".join([f"{key}:", *_indented(value)])


def _row(grid: Grid, number: int, row: tuple[str, ...]) -> str:
    cells = [f"{column.name} {cell}" for column, cell in zip(grid.columns[1:], row[1:], strict=True) if cell]
    mark = " (chosen)" if number == grid.marked else ""
    return f"{grid.name} {row[0]}{mark}: {'; '.join(cells)}"


def _prose(part: Prose) -> list[str]:
    if part.title and "\n" not in part.text:
        return [f"{part.title}: {part.text}"]
    return [f"{part.title}:", *_indented(part.text)] if part.title else part.text.splitlines()


def _indented(text: str) -> list[str]:
    """Foreign lines stand in from the edge, so that none can pass for a key of ours."""
    return [f"  {line}" for line in text.splitlines()]
