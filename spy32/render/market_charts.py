"""A market as pictures of characters: the smile, the term structure, and the price with its expected move.

Each is a list of lines of at most the given width, or nothing when there is too little to draw. With `plain` they are
ASCII. They show what the figures say; nothing is computed for them alone but the places.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from itertools import pairwise
from math import sqrt
from typing import TYPE_CHECKING, NamedTuple

from spy32.domain.market import DailyBar, Metric, Right
from spy32.render.canvas import Canvas, ChartFrame
from spy32.render.formatting import ascii_only, format_percent, format_strike
from spy32.rules.indicators import mean

if TYPE_CHECKING:
    from spy32.options.surface import Smile

NARROW, WIDE = 60, 200
CHART_HEIGHT = 12
MAX_SESSIONS = 60
"""Sessions of the price picture."""
CONE_STEPS = 24
"""Of each edge of the cone."""
MARKED_DELTAS = (("1", 0.16), ("2", 0.20), ("3", 0.30))
MIN_DELTA = 0.02
MAX_DELTA_GAP = 0.04
"""Largest distance in delta at which a strike is marked for it."""
VIX_INDICES = (("vix9d", "VIX9D", 9), ("vix", "VIX", 30), ("vix3m", "VIX3M", 93))


def fit_frame(xs: Iterable[float], ys: Iterable[float], columns: int) -> ChartFrame:
    """A frame that holds all of them, with a little air above and below."""
    x_values, y_values = list(xs), list(ys)
    low, high, bottom, top = min(x_values), max(x_values), min(y_values), max(y_values)
    margin = (top - bottom) / 20 or abs(top) / 20 or 1.0
    return ChartFrame(low, high if high > low else low + 1.0, bottom - margin, top + margin, columns, CHART_HEIGHT)


# The pictures.


def smile_chart(smile: "Smile", spot: float, *, width: int, plain: bool = False) -> list[str]:
    """Vols over strikes with the spot and the strikes at the usual deltas."""
    columns = (smile.is_otm, smile.strike, smile.iv, smile.delta, smile.is_call)
    rows = sorted(
        (at, iv, abs(delta), Right.CALL if is_call else Right.PUT)
        for used, at, iv, delta, is_call in zip(*(column.tolist() for column in columns), strict=True)
        if used and abs(delta) >= MIN_DELTA
    )
    points = [(at, iv) for at, iv, _, _ in rows]
    points = [point for point, after in pairwise([*points, (float("inf"), 0.0)]) if point[0] < after[0]]
    if len(points) < 3:
        return []
    width = _chart_width(width)
    frame = fit_frame((at for at, _ in points), (iv for _, iv in points), width - 10)
    canvas = Canvas(frame, plain=plain)
    canvas.draw_curve(points)
    near = {(sign, right): _nearest_strike(rows, right, delta) for sign, delta in MARKED_DELTAS for right in Right}
    marks = [("^", spot), *((sign, at) for (sign, _), at in near.items() if at is not None)]
    items = [f"^ spot {spot:.2f}"]
    for sign, delta in MARKED_DELTAS:
        sides = [(name, near[sign, right]) for name, right in (("put", Right.PUT), ("call", Right.CALL))]
        strikes_text = ", ".join(f"{name} {_format_strike(at)}" for name, at in sides)
        items.append(f"{sign} delta {delta:.2f}: {strikes_text}")
    labels = {row: format_percent(_row_value(frame, row)) for row in (0, CHART_HEIGHT // 2, CHART_HEIGHT - 1)}
    return [*_frame_lines(canvas, labels, 8, marks), *legend(items, width, plain=plain)]


def _nearest_strike(rows: Sequence[tuple[float, float, float, Right]], right: Right, delta: float) -> float | None:
    ranked = min(((abs(each - delta), at) for at, _, each, side in rows if side is right), default=None)
    return ranked[1] if ranked is not None and ranked[0] <= MAX_DELTA_GAP else None


def term_structure_chart(
    levels: Mapping[str, Metric], atm_iv: Metric | None, dte: int, *, width: int, plain: bool = False
) -> list[str]:
    """The VIX family as bars from zero by horizon, and the target expiration's own vol among them."""
    rows = [(days, name, levels[key].value) for key, name, days in VIX_INDICES if key in levels]
    if atm_iv is not None:
        rows.append((dte, "ATM IV", None if atm_iv.value is None else atm_iv.value * 100))
    known = [value for _, _, value in rows if value is not None]
    if not known:
        return []
    bar_width = _chart_width(width) - 22
    lines = []
    for days, name, value in sorted(rows, key=lambda row: row[0]):
        head = f"{name:<6} {days:>3} days"
        if value is None:
            lines.append(f"{head}  missing")
        else:
            bar = ("#" if plain else "━") * max(1, round(value / max(known) * bar_width))
            lines.append(f"{head}  {value:>6.2f} {bar}"[: _chart_width(width)])
    return lines


class ExpectedMoveCone(NamedTuple):
    """From today to the expiration, with the expected move in dollars if it is known."""

    today: date
    target: date
    move: float | None


def price_chart(
    bars: Sequence[DailyBar], spot: float, cone: ExpectedMoveCone, *, width: int, plain: bool = False
) -> list[str]:
    """Closes of the last sessions with their averages, and one standard deviation from today to the expiration."""
    if len(bars) < 2:
        return []
    width, (today, target, move) = _chart_width(width), cone
    closes = [bar.close for bar in bars]
    days = [float(bar.day.toordinal()) for bar in bars]
    window = range(max(0, len(bars) - MAX_SESSIONS), len(bars))
    line = [*((days[at], closes[at]) for at in window), (float(today.toordinal()), spot)]
    line = [point for point, after in pairwise([*line, (float("inf"), 0.0)]) if point[0] < after[0]]
    trails = {span: _average_points(days, closes, span, window) for span in (20, 50)}
    edges = [] if move is None or target <= today else [_cone_edge(spot, sign * move, cone) for sign in (-1, 1)]
    all_points = [*line, *(point for points in (*trails.values(), *edges) for point in points)]
    frame = fit_frame((x for x, _ in all_points), (y for _, y in all_points), width - 11)
    canvas = Canvas(frame, plain=plain)
    canvas.draw_curve(line)
    for edge in edges:
        canvas.draw_dotted(edge)
    for span, points in trails.items():
        if points:
            canvas.draw_trail(points, str(span)[0])
    canvas.put_sign(today.toordinal(), spot, "o")
    labels = {row: f"{_row_value(frame, row):.2f}" for row in (0, CHART_HEIGHT // 2, CHART_HEIGHT - 1)}
    marks = [("^", float(today.toordinal())), *((("E", float(target.toordinal())),) if edges else ())]
    items = [f"{bars[window[0]].day} to {target if edges else today}", "line: close", f"o spot {spot:.2f}", "^ today"]
    items += [f"{str(span)[0]} SMA {span} {points[-1][1]:.2f}" for span, points in trails.items() if points]
    if edges and move is not None:
        items.append(f"dots: ±1σ to E {target}, {spot - move:.2f} to {spot + move:.2f}")
    return [*_frame_lines(canvas, labels, 9, marks), *legend(items, width, plain=plain)]


def _average_points(
    days: Sequence[float], closes: Sequence[float], span: int, window: range
) -> list[tuple[float, float]]:
    return [(days[at], mean(closes[at + 1 - span : at + 1])) for at in window if at + 1 >= span]


def _cone_edge(spot: float, move: float, cone: ExpectedMoveCone) -> list[tuple[float, float]]:
    """A standard deviation grows with the root of time."""
    first, length = cone.today.toordinal(), (cone.target - cone.today).days
    return [
        (first + length * step / CONE_STEPS, spot + move * sqrt(step / CONE_STEPS)) for step in range(CONE_STEPS + 1)
    ]


# What they share.


def _chart_width(width: int) -> int:
    return min(WIDE, max(NARROW, width)) - 1


def _row_value(frame: ChartFrame, row: int) -> float:
    return frame.top - (frame.top - frame.bottom) * (2 * row + 1) / (2 * frame.rows)


def _format_strike(at: float | None) -> str:
    return "none" if at is None else format_strike(Decimal(str(at)))


def _frame_lines(
    canvas: Canvas, labels: Mapping[int, str], gutter: int, marks: Sequence[tuple[str, float]]
) -> list[str]:
    """The cells with values at their left, and the marks under them, in further rows where two share a column."""
    bar = "|" if canvas.plain else "│"
    lines = [f"{labels.get(row, ''):>{gutter}}{bar}{text}".rstrip() for row, text in enumerate(canvas.lines())]
    rows: list[list[str]] = []
    for sign, x in marks:
        place = canvas.frame.column(x)
        row = next((row for row in rows if row[place] == " "), None)
        if row is None:
            row = [" "] * canvas.frame.columns
            rows.append(row)
        row[place] = sign
    return lines + [(" " * (gutter + 1) + "".join(row)).rstrip() for row in rows]


def legend(items: Sequence[str], width: int, *, plain: bool) -> list[str]:
    """As many on a line as fit."""
    lines = [""]
    for item in items:
        text = ascii_only(item) if plain else item
        joined = f"{lines[-1]}   {text}" if lines[-1] else text
        if len(joined) <= width:
            lines[-1] = joined
        else:
            lines.append(text)
    return lines
