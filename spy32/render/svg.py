"""Pictures as SVG text: scales, axes and marks. Colours and fonts are classes of the page's style sheet.

The same values give the same bytes; a whole line chart of 260 points is about 3 kB.
"""

from collections.abc import Callable, Iterable, Sequence
from html import escape
from math import ceil, floor, log10
from typing import Literal, NamedTuple

WIDTH, HEIGHT = 480, 220
"""A picture is about 440 pixels wide on a desk and 358 on a telephone: its text stays legible on both."""
LEFT, RIGHT, TOP, BOTTOM = 80, 16, 12, 28
"""Margins: the labels of the vertical axis stand in the left one."""
ROW_LEFT, ROW_RIGHT, ROW_HEIGHT = 120, 96, 28
"""Of a picture of rows: the names stand in the left margin, the values in the right one."""
HALF_LABEL = 30
"""Half the width of `2026-01` in the largest text."""
MAX_TICKS = 5
MAX_POINTS = 400
"""Of a line: about one a pixel."""


class Scale(NamedTuple):
    """Maps values to pixels, linearly."""

    low: float
    high: float
    start: float
    end: float

    def place(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def nice_range(values: Sequence[float], *, with_zero: bool = False) -> tuple[float, float]:
    """The range of the values, never empty; about a twentieth wider at both ends."""
    seen = [*values, *([0.0] if with_zero else [])] or [0.0]
    low, high = min(seen), max(seen)
    largest = max(abs(high), abs(low))
    if high - low <= largest * 1e-9:
        margin = largest / 20 or 1.0
        return low - margin, high + margin
    margin = (high - low) / 20
    return (low if with_zero and low == 0 else low - margin), (high if with_zero and high == 0 else high + margin)


def ticks(low: float, high: float, most: int = MAX_TICKS) -> list[float]:
    """Round values inside the range: 1, 2 or 5 times a power of ten apart."""
    raw = (high - low) / most
    power = 10.0 ** floor(log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * (1 - 1e-9))
    return [round(number * step, 10) + 0.0 for number in range(ceil(low / step - 1e-9), floor(high / step + 1e-9) + 1)]


def outline(values: Sequence[float]) -> list[tuple[float, float]]:
    """The values by place. Of more than `MAX_POINTS` the lowest and the highest of each stretch stay, so that a picture
    shows every extreme.
    """
    size = ceil(2 * len(values) / MAX_POINTS) if len(values) > MAX_POINTS else 1
    kept = {0, len(values) - 1} if values else set()
    for start in range(0, len(values), size):
        stretch = range(start, min(start + size, len(values)))
        kept |= {min(stretch, key=values.__getitem__), max(stretch, key=values.__getitem__)}
    return [(place, values[place]) for place in sorted(kept)]


class Plot:
    """One picture. Elements are drawn in the order of the calls."""

    def __init__(self, x: tuple[float, float], y: tuple[float, float], *, rows: int = 0) -> None:
        """Of so many rows with a horizontal bar each, or, without rows, of two axes."""
        self.height = HEIGHT if not rows else TOP + rows * ROW_HEIGHT + BOTTOM
        self.left, self.right = (ROW_LEFT, WIDTH - ROW_RIGHT) if rows else (LEFT, WIDTH - RIGHT)
        self.x = Scale(*x, self.left, self.right)
        self.y = Scale(*y, self.height - BOTTOM, TOP)
        self.parts: list[str] = []

    def draw_y_axis(self, label: Callable[[float], str], values: Iterable[float] | None = None) -> None:
        """These values, or round ones, with their labels, and a line through the picture at each."""
        for value in ticks(self.y.low, self.y.high) if values is None else values:
            at = self.y.place(value)
            self._draw_axis_line(value, f'x1="{self.left}" y1="{at:.1f}" x2="{self.right}" y2="{at:.1f}"')
            self.draw_text(self.left - 6, at + 4, label(value), "end")

    def draw_x_axis(self, label: Callable[[float], str], values: Iterable[float], *, with_lines: bool = False) -> None:
        for value in values:
            at = self.x.place(value)
            if with_lines:
                self._draw_axis_line(value, f'x1="{at:.1f}" y1="{TOP}" x2="{at:.1f}" y2="{self.height - BOTTOM}"')
            self.draw_text(min(at, WIDTH - HALF_LABEL), self.height - 8, label(value), "middle")

    def _draw_axis_line(self, value: float, ends: str) -> None:
        self.parts.append(f'<line class="{"zero" if value == 0 else "grid"}" {ends}/>')

    def draw_text(self, x: float, y: float, text: str, anchor: str, kind: str = "") -> None:
        """A label of a scale, or, with a kind, a figure or a remark."""
        mark = f' class="{kind}"' if kind else ""
        self.parts.append(f'<text{mark} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>')

    def draw(self, shape: Literal["polyline", "polygon"], points: Sequence[tuple[float, float]], kind: str) -> None:
        pixels = " ".join(f"{self.x.place(x):.1f},{self.y.place(y):.1f}" for x, y in points)
        self.parts.append(f'<{shape} class="{kind}" points="{pixels}"/>')

    def draw_dot(self, x: float, y: float, kind: str, label: str = "") -> None:
        at = f'cx="{self.x.place(x):.1f}" cy="{self.y.place(y):.1f}"'
        title = f"<title>{escape(label)}</title>" if label else ""
        self.parts.append(f'<circle class="{kind}" {at} r="3">{title}</circle>')

    def draw_row(self, row: int, name: str, base: float, value: float, kind: str, text: str) -> None:
        """A row's name, its bar from `base` to `value`, and its figure."""
        top = TOP + row * ROW_HEIGHT
        x1, x2 = sorted((self.x.place(base), self.x.place(value)))
        shape = f'x="{x1:.1f}" y="{top + 4.0:.1f}" width="{max(x2 - x1, 1):.1f}" height="{ROW_HEIGHT - 8.0:.1f}"'
        self.parts.append(f'<rect class="{kind}" {shape}><title>{escape(f"{name}: {text}")}</title></rect>')
        middle = top + ROW_HEIGHT / 2 + 5
        self.draw_text(self.left - 8, middle, name, "end", "name")
        self.draw_text(WIDTH - 4, middle, text, "end", "value")

    def svg(self, name: str, title: str, description: str) -> str:
        """The picture, with its title and a description for who does not see it."""
        head = (
            f'<svg viewBox="0 0 {WIDTH} {self.height}" role="img" aria-labelledby="{name}-title {name}-desc">'
            f'<title id="{name}-title">{escape(title)}</title><desc id="{name}-desc">{escape(description)}</desc>'
        )
        return f"{head}{''.join(self.parts)}</svg>"
