"""Marks as people read them: in words, and as a chart of a trade's life."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal

from spy32.domain.market import Right
from spy32.domain.marks import LegMark, Mark
from spy32.domain.orders import Trade
from spy32.domain.spreads import Leg
from spy32.render.formatting import (
    ascii_only,
    format_debit,
    format_float_price,
    format_gain,
    format_percent,
    format_strike,
    new_york_words,
)
from spy32.render.page import Item, pair
from spy32.sessions import NEW_YORK

UNMARKED = "not marked yet"
CHART_ROWS = 7
MOST_COLUMNS = 72
MARKS_LISTED = 6
"""Marks in plain lines: the first and the newest ones."""


def price_words(mark: Mark) -> str:
    """`0.33 mid, 0.36 natural · SPY 594.20`, without the underlying's name."""
    mid = format_debit(mark.mid) if mark.mid is not None else "no"
    natural = format_debit(mark.natural) if mark.natural is not None else "no"
    return f"{mid} mid, {natural} natural · spot {format_float_price(mark.spot)}"


def result_words(mark: Mark, trade: Trade) -> str:
    """`+$70.48 = 52.0% of max profit` or `-$91.20 = 10.2% of max loss`: what closing at the mid would earn; of what
    cannot be told, that."""
    if mark.unrealized is None:
        return "no mid"
    share, most = mark.of_max_profit, "max profit"
    if mark.unrealized < 0:
        # A mark may have been made when more was held.
        max_loss = trade.max_loss * (mark.quantity or trade.remaining) / trade.quantity
        share, most = float(-mark.unrealized / max_loss) if max_loss > 0 else None, "max loss"
        if share is not None and share > 1:
            return f"{format_gain(mark.unrealized)} = max loss and costs to close"
    return format_gain(mark.unrealized) + (f" = {format_percent(share)} of {most}" if share is not None else "")


def strike_words(mark: Mark) -> str:
    """`strike 6.3% away, 1.40 exp. moves`: of the nearest short strike; `in the money by` when it is passed."""
    if mark.distance_percent is None:
        return "strike n/a"
    is_out = mark.distance_percent >= 0
    moves = f", {abs(mark.distance_moves):.2f} exp. moves" if mark.distance_moves is not None else ""
    share = format_percent(abs(mark.distance_percent) / 100)
    return f"strike {share} away{moves}" if is_out else f"strike in the money by {share}{moves}"


def flag_words(mark: Mark) -> str:
    """`ONE-SIDED, STALE: decides nothing`; empty when the mark may decide."""
    flags = ", ".join(flag.value.replace("_", "-").upper() for flag in mark.flags)
    return f"{flags}: decides nothing" if flags else ""


def greek_words(mark: Mark) -> str:
    if mark.greeks is None:
        return "n/a"
    greeks = mark.greeks
    return (
        f"delta {greeks.delta:+.1f} shares · theta {format_gain(greeks.theta)} a day · vega {format_gain(greeks.vega)}"
    )


def mark_items(mark: Mark, trade: Trade, legs: Sequence[Leg]) -> Iterator[Item]:
    """The mark of a trade, and each leg as its order would trade it, with its quote."""
    yield pair("Mark", price_words(mark))
    yield pair("Now", f"{result_words(mark, trade)} · {strike_words(mark)}")
    if mark.flags:
        yield pair("Flags", flag_words(mark), "warn")
    quotes = {quote.symbol: quote for quote in mark.legs}
    for leg in legs:
        quote = quotes.get(leg.symbol)
        kind = "put" if leg.right is Right.PUT else "call"
        words = f"{leg.action.value} {leg.quantity * mark.quantity} x {format_strike(leg.strike)} {kind}"
        yield pair("Leg", f"{words} · {_quote_words(quote)}" if quote is not None else words)


def _quote_words(quote: LegMark) -> str:
    bid = format_float_price(quote.bid) if quote.bid is not None else "none"
    ask = format_float_price(quote.ask) if quote.ask is not None else "none"
    delta = f" · delta {quote.delta:+.2f}" if quote.delta is not None else ""
    return f"bid {bid}, ask {ask}{delta}"


def short_time(at: datetime) -> str:
    """`Fri 16 May 16:15`, New York."""
    there = at.astimezone(NEW_YORK)
    return f"{there:%a} {there.day} {there:%b %H:%M}"


# A trade's life.


def mark_lines(marks: Sequence[Mark], trade: Trade) -> list[str]:
    """The first mark and the newest ones, a line each; what is left out is counted."""
    listed = marks if len(marks) <= MARKS_LISTED else (marks[0], *marks[1 - MARKS_LISTED :])
    lines = []
    for place, mark in enumerate(listed):
        if place == 1 and len(listed) < len(marks):
            lines.append(f"({len(marks) - len(listed)} more marks)")
        flags = f" · {flag_words(mark)}" if mark.flags else ""
        lines.append(f"{new_york_words(mark.at)}: {price_words(mark)} · {result_words(mark, trade)}{flags}")
    return lines


def marks_chart(marks: Sequence[Mark], *, target: Decimal, stop: Decimal, width: int, plain: bool = False) -> list[str]:
    """The debit to close over time, with the lines of target and stop.

    Marks of one instant only make no chart; flagged ones are left out, and so is a stop far above everything else.
    """
    from spy32.render.canvas import Canvas, ChartFrame  # plain lines need neither

    usable = [mark for mark in marks if mark.is_usable]
    points = [(mark.at.timestamp(), float(mark.mid)) for mark in usable if mark.mid is not None]
    if not points or points[0][0] >= points[-1][0]:
        return []
    mids = [mid for _, mid in points]
    levels = {"target": float(target), "stop": float(stop)}
    top = max(*mids, levels["target"])
    if target < 0 or levels["stop"] > 2 * top:  # a debit spread has no stop
        del levels["stop"]
    top, bottom = max(top, *levels.values()), min(*mids, *levels.values())
    names = {amount: f"{name} {amount:.2f}" for name, amount in levels.items()}
    gutter = max(*(len(name) for name in names.values()), len("mid 00.00"))
    columns = min(MOST_COLUMNS, width) - gutter - 2
    air = (top - bottom) / 20 or 0.01
    frame = ChartFrame(points[0][0], points[-1][0], bottom - air, top + air, columns, CHART_ROWS)
    canvas = Canvas(frame, plain=plain)
    canvas.draw_curve(points)
    lines = canvas.lines()
    labels: dict[int, str] = {}
    for amount, name in names.items():
        row = frame.row(amount)
        lines[row] = lines[row].replace(" ", "-" if plain else "┄")
        labels[row] = name
    # Where a level has its row, the newest mid is named on the nearest free one.
    at = frame.row(mids[-1])
    free = min((row for row in range(CHART_ROWS) if row not in labels), key=lambda row: abs(row - at))
    labels[free] = f"mid {mids[-1]:.2f}"
    bar = "|" if plain else "│"
    drawn = [f"{labels.get(row, ''):>{gutter}} {bar}{text}".rstrip() for row, text in enumerate(lines)]
    first, last = short_time(usable[0].at), short_time(usable[-1].at)
    drawn.append(f"{' ' * (gutter + 2)}{first}{last:>{max(columns - len(first), len(last) + 1)}}")
    return [ascii_only(line) for line in drawn] if plain else drawn
