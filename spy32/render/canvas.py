"""Curves and signs in character cells, for the payoff and the pictures of a market."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

# A braille cell holds 2 x 4 dots; the bit of each dot by column and row (Unicode 17, section 21.1).
BRAILLE_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
BRAILLE_BASE = 0x2800

Points = Sequence[tuple[float, float]]


class ChartFrame(NamedTuple):
    """Maps values to columns and rows of cells, both monotone. With `parts` the columns or rows are that many times as
    dense.
    """

    low: float
    high: float
    bottom: float
    top: float
    columns: int
    rows: int

    def column(self, x: float, parts: int = 1) -> int:
        count = self.columns * parts
        return min(count - 1, max(0, int((x - self.low) / (self.high - self.low) * count)))

    def row(self, y: float, parts: int = 1) -> int:
        count = self.rows * parts
        return min(count - 1, max(0, int((self.top - y) / (self.top - self.bottom) * count)))

    def row_value(self, row: int) -> float:
        """The value in the middle of a row."""
        return self.top - (self.top - self.bottom) * (2 * row + 1) / (2 * self.rows)

    def column_value(self, place: int, parts: int = 1) -> float:
        """The value in the middle of a column, or of a part of it."""
        return self.low + (self.high - self.low) * (2 * place + 1) / (2 * self.columns * parts)


class Canvas:
    """Cells that curves and signs are put into; a sign hides the curve under it."""

    def __init__(self, frame: ChartFrame, *, plain: bool) -> None:
        self.frame, self.plain = frame, plain
        self.dots_a_cell = (1, 1) if plain else (2, 4)
        self.dots = [[0] * frame.columns for _ in range(frame.rows)]
        self.levels: set[int] = set()
        self.signs = [[" "] * frame.columns for _ in range(frame.rows)]

    def draw_curve(self, points: Points) -> None:
        """Draw straight from point to point, without a gap; x ascends."""
        last: int | None = None
        for place, row in self._places(points, *self.dots_a_cell):
            # Every dot between two neighbours keeps a steep flank connected.
            for dot in range(min(row, row if last is None else last), max(row, row if last is None else last) + 1):
                self._draw_dot(place, dot)
            last = row

    def draw_dotted(self, points: Points) -> None:
        """Draw every second column only, to tell it from a curve."""
        for place, row in islice(self._places(points, *self.dots_a_cell), 0, None, 2):
            self._draw_dot(place, row, ".")

    def _places(self, points: Points, wide: int, high: int) -> Iterator[tuple[int, int]]:
        """Column and row of a curve, each cell divided so many times."""
        frame = self.frame
        for place in range(frame.column(points[0][0], wide), frame.column(points[-1][0], wide) + 1):
            yield place, frame.row(_interpolate(points, frame.column_value(place, wide)), high)

    def _draw_dot(self, place: int, row: int, sign: str = "*") -> None:
        if self.plain:
            self.signs[row][place] = sign
        else:
            self.dots[row // 4][place // 2] |= BRAILLE_DOTS[place % 2][row % 4]

    def put_sign(self, x: float, y: float, sign: str) -> None:
        self.signs[self.frame.row(y)][self.frame.column(x)] = sign

    def draw_trail(self, points: Points, sign: str) -> None:
        """The sign along a curve, in every third column that is free of other signs."""
        for place, row in islice(self._places(points, 1, 1), 0, None, 3):
            if self.signs[row][place] in " *":
                self.signs[row][place] = sign

    def draw_level(self, y: float) -> int:
        """Dashes across the free cells of a row, which is returned."""
        self.levels.add(self.frame.row(y))
        return self.frame.row(y)

    def labelled_lines(self, labels: Mapping[int, str], gutter: int) -> list[str]:
        """The rows behind their labels, which end at the gutter."""
        bar = "|" if self.plain else "│"
        return [f"{labels.get(row, ''):>{gutter}}{bar}{self._row_text(row)}".rstrip() for row in range(self.frame.rows)]

    def _row_text(self, row: int) -> str:
        free = " " if row not in self.levels else "-" if self.plain else "┄"
        cells = zip(self.signs[row], self.dots[row], strict=True)
        return "".join(sign if sign != " " else chr(BRAILLE_BASE + dots) if dots else free for sign, dots in cells)


def _interpolate(points: Points, x: float) -> float:
    """Linear between the points, flat beyond them."""
    next_place = bisect_right(points, x, key=lambda point: point[0])
    if next_place == 0 or next_place == len(points):
        return points[0][1] if next_place == 0 else points[-1][1]
    (left, below), (right, above) = points[next_place - 1], points[next_place]
    return below + (above - below) * (x - left) / (right - left)
