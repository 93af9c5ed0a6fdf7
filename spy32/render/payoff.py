"""The profit at expiration as a picture of characters. Piecewise linear, so no arrays are needed."""

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from spy32.domain.proposals import Proposal
from spy32.domain.run_view import MarketSummary
from spy32.domain.spreads import MULTIPLIER, Candidate, Leg
from spy32.render.formatting import ascii_only, format_count, format_credit, format_gain, format_price, format_strike

MIN_WIDTH, MAX_WIDTH = 60, 200
CHART_HEIGHT = 10
SIDE_MARGIN = Decimal("0.06")
"""Room left of the first mark and right of the last, of the span of all marks."""

# A braille cell holds 2 x 4 dots; the bit of each dot by column and row (Unicode 17, section 21.1).
BRAILLE_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
BRAILLE_BASE = 0x2800


class AxisMark(NamedTuple):
    """A price worth seeing on the axis. `sign` is one character, explained in the legend."""

    sign: str
    name: str
    at: Decimal


class Payoff(NamedTuple):
    """What a position is worth at expiration, dollars for the whole quantity, after the costs to open."""

    legs: tuple[Leg, ...]
    quantity: int
    credit: Decimal
    """Per share; a debit is negative."""
    costs: Decimal
    """To open, dollars for the whole quantity."""
    marks: tuple[AxisMark, ...]

    def profit(self, at: Decimal) -> Decimal:
        """Profit when the underlying ends at `at`."""
        owed = sum((leg.action.sign * leg.quantity * _intrinsic(leg, at) for leg in self.legs), Decimal(0))
        return (self.credit - owed) * MULTIPLIER * self.quantity - self.costs

    @property
    def span(self) -> tuple[Decimal, Decimal]:
        """The prices that the picture shows: every mark and some room."""
        prices = [mark.at for mark in self.marks]
        low, high = min(prices), max(prices)
        margin = max((high - low) * SIDE_MARGIN, Decimal(1))
        return low - margin, high + margin

    @property
    def best(self) -> Decimal:
        return max(self.profit(at) for at in self._extreme_prices())

    @property
    def worst(self) -> Decimal:
        return min(self.profit(at) for at in self._extreme_prices())

    def _extreme_prices(self) -> tuple[Decimal, ...]:
        """With every short leg covered, the extremes lie at a strike or flat beyond the outer ones."""
        return (*(leg.strike for leg in self.legs), *self.span)


def _intrinsic(leg: Leg, at: Decimal) -> Decimal:
    itm_amount = at - leg.strike if leg.right.value == "C" else leg.strike - at
    return max(itm_amount, Decimal(0))


def proposal_payoff(proposal: Proposal, market: MarketSummary | None) -> Payoff:
    """The picture of a proposal at its limit price. `max_profit` already holds the costs."""
    gross = proposal.limit_price * MULTIPLIER * proposal.quantity
    return Payoff(
        legs=proposal.legs,
        quantity=proposal.quantity,
        credit=proposal.limit_price,
        costs=gross - proposal.max_profit,
        marks=_axis_marks(proposal.legs, proposal.breakevens, market),
    )


def candidate_payoff(entry: Candidate, market: MarketSummary | None) -> Payoff:
    """The picture of one contract of a candidate at its mid price."""
    return Payoff(
        legs=entry.spread.legs,
        quantity=1,
        credit=entry.mid,
        costs=entry.costs,
        marks=_axis_marks(entry.spread.legs, entry.breakevens, market),
    )


def _axis_marks(
    legs: Sequence[Leg], breakevens: Sequence[Decimal], market: MarketSummary | None
) -> tuple[AxisMark, ...]:
    marks = [AxisMark(sign="S" if leg.action.sign > 0 else "L", name=_leg_name(leg), at=leg.strike) for leg in legs]
    marks += [AxisMark(sign="B", name="breakeven", at=point) for point in breakevens]
    if market is not None:
        spot = Decimal(str(market.spot))
        marks.append(AxisMark(sign="^", name="spot", at=spot))
        if market.expected_move is not None:
            move = Decimal(str(market.expected_move))
            marks.append(AxisMark(sign="(", name="-1σ", at=spot - move))
            marks.append(AxisMark(sign=")", name="+1σ", at=spot + move))
    return tuple(sorted(marks, key=lambda mark: mark.at))


def _leg_name(leg: Leg) -> str:
    side = "short" if leg.action.sign > 0 else "long"
    return f"{side} {'call' if leg.right.value == 'C' else 'put'}"


# Drawing.


class PayoffFrame(NamedTuple):
    """Maps prices to columns and dollars to rows of a field of cells, both monotone."""

    low: Decimal
    high: Decimal
    bottom: Decimal
    top: Decimal
    columns: int
    rows: int

    def column(self, at: Decimal) -> int:
        """The column of a price; equal prices share one, and a higher price is never further left."""
        return min(self.columns - 1, max(0, int((at - self.low) / (self.high - self.low) * self.columns)))

    def row(self, value: Decimal, parts: int = 1) -> int:
        """The row of an amount, from the top; with `parts` the finer row that many times as dense."""
        rows = self.rows * parts
        return min(rows - 1, max(0, int((self.top - value) / (self.top - self.bottom) * rows)))

    def price(self, place: int, parts: int = 1) -> Decimal:
        """The price in the middle of a column, or of a part of it."""
        return self.low + (self.high - self.low) * (2 * place + 1) / (2 * self.columns * parts)


def payoff_chart(payoff: Payoff, *, width: int, plain: bool = False) -> list[str]:
    """The picture as lines of at most `width` characters: the curve, the axis with its marks, and their legend."""
    width = min(MAX_WIDTH, max(MIN_WIDTH, width)) - 1
    labels = [format_gain(payoff.best), format_gain(payoff.worst), "$0"]
    gutter = max(len(label) for label in labels)
    frame = fit_frame(payoff, columns=width - gutter - 2)
    curve = _ascii_curve(payoff, frame) if plain else _braille_curve(payoff, frame)
    named = {
        frame.row(Decimal(0)): "$0",
        frame.row(payoff.best): format_gain(payoff.best),
        frame.row(payoff.worst): format_gain(payoff.worst),
    }
    bar = "|" if plain else "│"
    lines = [f"{named.get(row, ''):>{gutter}} {bar}{text}".rstrip() for row, text in enumerate(curve)]
    lines += [" " * (gutter + 2) + text for text in axis_rows(payoff.marks, frame)]
    return [*lines, *_payoff_legend(payoff, width, plain=plain)]


def fit_frame(payoff: Payoff, *, columns: int, rows: int = CHART_HEIGHT) -> PayoffFrame:
    """A frame that holds every mark, and the curve with a little air above and below."""
    low, high = payoff.span
    margin = (payoff.best - payoff.worst) / 20 or Decimal(1)
    top, bottom = max(payoff.best, Decimal(0)) + margin, min(payoff.worst, Decimal(0)) - margin
    return PayoffFrame(low=low, high=high, bottom=bottom, top=top, columns=columns, rows=rows)


def axis_rows(marks: Sequence[AxisMark], frame: PayoffFrame) -> list[str]:
    """The rows under the curve, the position's marks above the market's; a further row where two share a column."""
    own = [mark for mark in marks if mark.sign in "SLB"]
    return [*_place_marks(own, frame), *_place_marks([mark for mark in marks if mark not in own], frame)]


def _place_marks(marks: Sequence[AxisMark], frame: PayoffFrame) -> list[str]:
    rows: list[list[str]] = []
    for mark in marks:
        at = frame.column(mark.at)
        row = next((row for row in rows if row[at] == " "), None)
        if row is None:
            row = [" "] * frame.columns
            rows.append(row)
        row[at] = mark.sign
    return ["".join(row).rstrip() for row in rows]


def _braille_curve(payoff: Payoff, frame: PayoffFrame) -> list[str]:
    cells = [[0] * frame.columns for _ in range(frame.rows)]
    last = frame.row(payoff.profit(frame.price(0, 2)), 4)
    for place in range(frame.columns * 2):
        row = frame.row(payoff.profit(frame.price(place, 2)), 4)
        # Every dot between two neighbours keeps a steep flank connected.
        for dot in range(min(last, row), max(last, row) + 1):
            cells[dot // 4][place // 2] |= BRAILLE_DOTS[place % 2][dot % 4]
        last = row
    zero = frame.row(Decimal(0))
    return [
        "".join(chr(BRAILLE_BASE + cell) if cell else "┄" if number == zero else " " for cell in row)
        for number, row in enumerate(cells)
    ]


def _ascii_curve(payoff: Payoff, frame: PayoffFrame) -> list[str]:
    zero = frame.row(Decimal(0))
    cells = [["-" if row == zero else " "] * frame.columns for row in range(frame.rows)]
    last = frame.row(payoff.profit(frame.price(0)))
    for place in range(frame.columns):
        row = frame.row(payoff.profit(frame.price(place)))
        for at in range(min(last, row), max(last, row) + 1):
            cells[at][place] = "*"
        last = row
    return ["".join(row) for row in cells]


def _payoff_legend(payoff: Payoff, width: int, *, plain: bool) -> list[str]:
    """Every mark with its value, as many on a line as fit."""
    items = [f"{mark.sign} {mark.name} {_mark_value(mark)}" for mark in payoff.marks]
    items.append(
        f"{format_count(payoff.quantity, 'contract')} at {format_credit(payoff.credit)}, at expiration, after costs:"
    )
    items.append(f"best {format_gain(payoff.best)}")
    items.append(f"worst {format_gain(payoff.worst)}")
    return wrap_legend(items, width, plain=plain)


def wrap_legend(items: Sequence[str], width: int, *, plain: bool) -> list[str]:
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


def _mark_value(mark: AxisMark) -> str:
    return format_strike(mark.at) if mark.sign in "SL" else format_price(mark.at)
