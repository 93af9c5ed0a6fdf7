"""A market as pictures of characters: the smile, the term structure, and the price with its expected move.

Each is a list of lines of at most the given width, or nothing when there is too little to draw. With `plain` they are
ASCII. They show what the figures say; nothing is computed for them alone but the places.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from itertools import chain, pairwise
from math import sqrt
from typing import TYPE_CHECKING, NamedTuple

from spy32.domain.market import DailyBar, Metric, Right
from spy32.render.canvas import Canvas, ChartFrame, Points
from spy32.render.formatting import ascii_only, format_known, format_percent, format_strike
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
VIX_INDICES = ((9, "VIX9D", "vix9d", 1), (30, "VIX", "vix", 1), (93, "VIX3M", "vix3m", 1))
"""Days, name, key of the figure, and what makes per cent of it."""


def fit_frame(curves: Iterable[Points], columns: int) -> ChartFrame:
    """A frame that holds all curves, with a little air above and below."""
    xs, ys = zip(*chain.from_iterable(curves), strict=True)
    low, high, bottom, top = min(xs), max(xs), min(ys), max(ys)
    margin = (top - bottom) / 20 or abs(top) / 20 or 1.0
    return ChartFrame(low, high if high > low else low + 1.0, bottom - margin, top + margin, columns, CHART_HEIGHT)


def _ascending(points: Points) -> Points:
    """The points without all but the last of those at one place."""
    return [point for point, after in pairwise([*points, (float("inf"), 0.0)]) if point[0] < after[0]]


# The pictures.


def smile_chart(smile: "Smile | None", spot: float | None, width: int, plain: bool = False) -> list[str]:
    """Vols over strikes with the spot and the strikes at the usual deltas."""
    if smile is None or spot is None:
        return []
    columns = (smile.is_otm, smile.strike, smile.iv, smile.delta, smile.is_call)
    rows = sorted(
        (at, iv, abs(delta), Right.CALL if is_call else Right.PUT)
        for used, at, iv, delta, is_call in zip(*(column.tolist() for column in columns), strict=True)
        if used and abs(delta) >= MIN_DELTA
    )
    points = _ascending([(at, iv) for at, iv, _, _ in rows])
    if len(points) < 3:
        return []
    width = _chart_width(width)
    canvas = Canvas(fit_frame([points], width - 10), plain=plain)
    canvas.draw_curve(points)
    marks, items = [("^", spot)], [f"^ spot {spot:.2f}"]
    for sign, delta in MARKED_DELTAS:
        near = {name: _nearest_strike(rows, right, delta) for name, right in (("put", Right.PUT), ("call", Right.CALL))}
        marks += [(sign, at) for at in near.values() if at is not None]
        strikes = (f"{name} {format_known(_strike_words, at, 'none')}" for name, at in near.items())
        items.append(f"{sign} delta {delta:.2f}: {', '.join(strikes)}")
    return [*_frame_lines(canvas, format_percent, 8, marks), *legend(items, width, plain=plain)]


def _strike_words(at: float) -> str:
    return format_strike(Decimal(str(at)))


def _nearest_strike(rows: Sequence[tuple[float, float, float, Right]], right: Right, delta: float) -> float | None:
    ranked = min(((abs(each - delta), at) for at, _, each, side in rows if side is right), default=None)
    return ranked[1] if ranked is not None and ranked[0] <= MAX_DELTA_GAP else None


def term_structure_chart(figures: Mapping[str, Metric], dte: int, width: int, plain: bool = False) -> list[str]:
    """The VIX family as bars from zero by horizon, and the target expiration's own vol among them."""
    horizons = sorted((*VIX_INDICES, (dte, "ATM IV", "atm_iv", 100)))
    found = [(days, name, figures.get(f"market.{key}"), factor) for days, name, key, factor in horizons]
    rows = [(f"{name:<6} {days:>3} days", figure.value, factor) for days, name, figure, factor in found if figure]
    known = [value * factor for _, value, factor in rows if value is not None]
    if not known:
        return []
    whole = _chart_width(width)
    lines = []
    for head, value, factor in rows:
        if value is None:
            lines.append(f"{head}  missing")
        else:
            level = value * factor
            bar = ("#" if plain else "━") * max(1, round(level / max(known) * (whole - 22)))
            lines.append(f"{head}  {level:>6.2f} {bar}"[:whole])
    return lines


class ExpectedMoveCone(NamedTuple):
    """From today to the expiration, with the expected move in dollars if it is known."""

    today: date
    target: date
    move: float | None


def price_chart(
    bars: Sequence[DailyBar], spot: float | None, cone: ExpectedMoveCone, width: int, plain: bool = False
) -> list[str]:
    """Closes of the last sessions with their averages, and one standard deviation from today to the expiration."""
    if len(bars) < 2 or spot is None:
        return []
    width, (today, target, move) = _chart_width(width), cone
    closes, days = [bar.close for bar in bars], [float(bar.day.toordinal()) for bar in bars]
    window, now = range(max(0, len(bars) - MAX_SESSIONS), len(bars)), float(today.toordinal())
    line = _ascending([*((days[at], closes[at]) for at in window), (now, spot)])
    averages = {span: _average_points(days, closes, span, window) for span in (20, 50)}
    trails = {span: points for span, points in averages.items() if points}
    edges = [] if move is None or target <= today else [_cone_edge(spot, sign * move, cone) for sign in (-1, 1)]
    canvas = Canvas(fit_frame([line, *trails.values(), *edges], width - 11), plain=plain)
    canvas.draw_curve(line)
    for edge in edges:
        canvas.draw_dotted(edge)
    for span, points in trails.items():
        canvas.draw_trail(points, str(span)[0])
    canvas.put_sign(now, spot, "o")
    marks = [("^", now), *(("E", edge[-1][0]) for edge in edges[:1])]
    items = [f"{bars[window[0]].day} to {target if edges else today}", "line: close", f"o spot {spot:.2f}", "^ today"]
    items += [f"{str(span)[0]} SMA {span} {points[-1][1]:.2f}" for span, points in trails.items()]
    if edges and move is not None:
        items.append(f"dots: ±1σ to E {target}, {spot - move:.2f} to {spot + move:.2f}")
    return [*_frame_lines(canvas, "{:.2f}".format, 9, marks), *legend(items, width, plain=plain)]


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


def _frame_lines(
    canvas: Canvas, form: Callable[[float], str], gutter: int, marks: Sequence[tuple[str, float]]
) -> list[str]:
    """The cells with three values at their left, and the marks under them, in further rows where two share a column."""
    frame = canvas.frame
    labels = {row: form(frame.row_value(row)) for row in (0, CHART_HEIGHT // 2, CHART_HEIGHT - 1)}
    rows: list[list[str]] = []
    for sign, x in marks:
        place = frame.column(x)
        row = next((row for row in rows if row[place] == " "), None)
        if row is None:
            row = [" "] * frame.columns
            rows.append(row)
        row[place] = sign
    lines = canvas.labelled_lines(labels, gutter)
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
