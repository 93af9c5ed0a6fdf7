"""Pictures as SVG text: scales, axes and marks. Colours and fonts are classes of the page's style sheet.

The same values give the same bytes; a whole line chart of 260 points is about 3 kB.
"""

from collections.abc import Sequence
from html import escape
from math import ceil, floor, log10
from typing import NamedTuple

WIDTH, HEIGHT = 640, 240
LEFT, RIGHT, TOP, BOTTOM = 64, 12, 12, 28
"""Margins: the labels of the vertical axis stand in the left one."""
MAX_TICKS = 5


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
    margin = (high - low) / 20 or abs(high) / 20 or 1.0
    return (low if with_zero and low == 0 else low - margin), (high if with_zero and high == 0 else high + margin)


def ticks(low: float, high: float, most: int = MAX_TICKS) -> list[float]:
    """Round values inside the range: 1, 2 or 5 times a power of ten apart."""
    raw = (high - low) / most
    power = 10.0 ** floor(log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * (1 - 1e-9))
    return [round(number * step, 10) + 0.0 for number in range(ceil(low / step - 1e-9), floor(high / step + 1e-9) + 1)]


class Plot:
    """One picture. Elements are drawn in the order of the calls."""

    def __init__(self, x: tuple[float, float], y: tuple[float, float]) -> None:
        self.x = Scale(*x, LEFT, WIDTH - RIGHT)
        self.y = Scale(*y, HEIGHT - BOTTOM, TOP)
        self.parts: list[str] = []

    def draw_y_axis(self, labels: Sequence[tuple[float, str]]) -> None:
        for value, label in labels:
            at = self.y.place(value)
            kind = "zero" if value == 0 else "grid"
            self.parts.append(f'<line class="{kind}" x1="{LEFT}" y1="{at:.1f}" x2="{WIDTH - RIGHT}" y2="{at:.1f}"/>')
            self.draw_text(LEFT - 6, at + 4, label, "end")

    def draw_x_axis(self, labels: Sequence[tuple[float, str]]) -> None:
        for value, label in labels:
            at = min(max(self.x.place(value), LEFT + 14), WIDTH - RIGHT - 14)
            self.draw_text(at, HEIGHT - 8, label, "middle")

    def draw_text(self, x: float, y: float, text: str, anchor: str) -> None:
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>')

    def draw_line(self, points: Sequence[tuple[float, float]], kind: str) -> None:
        self.parts.append(f'<polyline class="{kind}" points="{self._pixels(points)}"/>')

    def draw_area(self, points: Sequence[tuple[float, float]], kind: str) -> None:
        self.parts.append(f'<polygon class="{kind}" points="{self._pixels(points)}"/>')

    def draw_dot(self, x: float, y: float, kind: str, label: str) -> None:
        at = f'cx="{self.x.place(x):.1f}" cy="{self.y.place(y):.1f}"'
        self.parts.append(f'<circle class="{kind}" {at} r="3"><title>{escape(label)}</title></circle>')

    def draw_bar(self, left: float, right: float, value: float, kind: str, label: str, *, base: float = 0.0) -> None:
        """A bar from `base` to `value` between two places of the horizontal axis."""
        x1, x2 = self.x.place(left), self.x.place(right)
        y1, y2 = sorted((self.y.place(value), self.y.place(base)))
        shape = f'x="{x1:.1f}" y="{y1:.1f}" width="{x2 - x1:.1f}" height="{max(y2 - y1, 1):.1f}"'
        self.parts.append(f'<rect class="{kind}" {shape}><title>{escape(label)}</title></rect>')

    def _pixels(self, points: Sequence[tuple[float, float]]) -> str:
        return " ".join(f"{self.x.place(x):.1f},{self.y.place(y):.1f}" for x, y in points)

    def svg(self, name: str, title: str, description: str) -> str:
        """The picture, with its title and a description for who does not see it."""
        head = (
            f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="{name}-title {name}-desc">'
            f'<title id="{name}-title">{escape(title)}</title><desc id="{name}-desc">{escape(description)}</desc>'
        )
        return f"{head}{''.join(self.parts)}</svg>"
