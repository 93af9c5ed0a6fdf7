"""The profit at expiration as a picture of characters. Piecewise linear, so no arrays are needed."""

from collections.abc import Sequence
from decimal import Decimal
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from spy32.domain.market import Right
from spy32.domain.orders import Trade
from spy32.domain.proposals import ProposalTerms
from spy32.domain.run_view import MarketSummary
from spy32.domain.spreads import MULTIPLIER, Leg, max_width, price_effect
from spy32.render.formatting import ascii_only, format_gain, format_price, format_strike

if TYPE_CHECKING:
    from spy32.render.canvas import ChartFrame

SIDE_MARGIN = Decimal("0.06")
"""Room left of the first mark and right of the last, of the span of all marks."""

TICKS = "()^"
"""Marks that stand on the axis as they are: one expected move either way, the spot. For others a line stands there."""


class AxisMark(NamedTuple):
    """A price worth seeing on the axis: a short or long strike, a breakeven, the spot, one expected move away."""

    sign: str
    """`S`, `L`, `B`, `^`, `(` or `)`."""
    at: Decimal


class Payoff(NamedTuple):
    """What a position is worth at expiration, dollars for the whole quantity, after the costs to open."""

    legs: tuple[Leg, ...]
    quantity: int
    credit: Decimal
    """Per share; a debit is negative."""
    floor: Decimal
    """Per share, the lowest credit. A loss is shown at it, as max loss is; a profit at `credit`, as max profit is."""
    costs: Decimal
    """To open, dollars for the whole quantity."""
    marks: tuple[AxisMark, ...]
    """Ascending."""

    def profit(self, at: Decimal) -> Decimal:
        """Profit when the underlying ends at `at`."""
        owed = sum((leg.action.sign * leg.quantity * _intrinsic(leg, at) for leg in self.legs), Decimal(0))
        at_credit, at_floor = (
            (price - owed) * MULTIPLIER * self.quantity - self.costs for price in (self.credit, self.floor)
        )
        return at_credit if at_credit >= 0 else at_floor

    @property
    def span(self) -> tuple[Decimal, Decimal]:
        """The prices that the picture shows: every mark and some room."""
        low, high = self.marks[0].at, self.marks[-1].at
        margin = max((high - low) * SIDE_MARGIN, Decimal(1))
        return low - margin, high + margin

    @property
    def corners(self) -> tuple[Decimal, ...]:
        """The prices at which the piecewise linear profit bends, and both ends of the picture, ascending."""
        return tuple(sorted({*(leg.strike for leg in self.legs), *self.span}))

    @property
    def best(self) -> Decimal:
        """With every short leg covered, the extremes lie at a strike or flat beyond the outer ones."""
        return max(self.profit(at) for at in self.corners)

    @property
    def worst(self) -> Decimal:
        return min(self.profit(at) for at in self.corners)


def _intrinsic(leg: Leg, at: Decimal) -> Decimal:
    return max(at - leg.strike if leg.right is Right.CALL else leg.strike - at, Decimal(0))


def build_payoff(noun: ProposalTerms | Trade, market: MarketSummary | None) -> Payoff:
    """The payoff of a proposal, or of a trade at the credit received or the debit paid."""
    if isinstance(noun, Trade):
        prices, costs, breakevens = (noun.credit, noun.credit), noun.fees, trade_breakevens(noun)
    else:
        prices, costs, breakevens = (noun.limit_price, noun.floor_price), noun.opening_costs, noun.breakevens
    marks = [AxisMark("S" if leg.action.sign > 0 else "L", leg.strike) for leg in noun.legs]
    marks += [AxisMark("B", point) for point in breakevens]
    if market is not None:
        spot = Decimal(str(market.spot))
        marks.append(AxisMark("^", spot))
        if market.expected_move is not None:
            move = Decimal(str(market.expected_move))
            marks += [AxisMark("(", spot - move), AxisMark(")", spot + move)]
    return Payoff(noun.legs, noun.quantity, *prices, costs, tuple(sorted(marks, key=attrgetter("at"))))


def trade_breakevens(trade: Trade) -> tuple[Decimal, ...]:
    """The prices at expiration at which a credit is given back, or a debit earned: its distance from the short strikes
    of a credit spread, from the long one of a debit spread. A side that is narrower than the credit has none."""
    sign, distance = price_effect(trade.legs), abs(trade.credit)
    points = [
        leg.strike - distance if leg.right.value == "P" else leg.strike + distance
        for leg in trade.legs
        if leg.action.sign == sign and distance < max_width([each for each in trade.legs if each.right is leg.right])
    ]
    return tuple(sorted(points))


# Drawing.


def payoff_chart(payoff: Payoff, *, width: int, rows: int, plain: bool = False) -> list[str]:
    """The picture in `rows` lines: the curve, and under it the axis with strikes, spot and expected move."""
    from spy32.render.canvas import Canvas  # plain lines draw nothing

    gutter = max(len(format_gain(payoff.best)), len(format_gain(payoff.worst)))
    frame = fit_frame(payoff, columns=width - gutter - 2, rows=rows - 2)
    canvas = Canvas(frame, plain=plain)
    canvas.draw_curve([(float(at), float(payoff.profit(at))) for at in payoff.corners])
    canvas.draw_level(0)
    named = {frame.row(float(amount)): f"{format_gain(amount)} " for amount in (payoff.best, payoff.worst)}
    lines = canvas.labelled_lines(named, gutter + 1)
    lines += [" " * (gutter + 2) + text for text in _labelled_axis(payoff.marks, frame)]
    return [ascii_only(line) for line in lines] if plain else lines


def _labelled_axis(marks: Sequence[AxisMark], frame: "ChartFrame") -> list[str]:
    """A tick at each mark, and below it the prices that find room: the short strike and the spot come first."""
    ticks, labels = [" "] * frame.columns, [" "] * frame.columns
    for mark in marks:
        ticks[frame.column(float(mark.at))] = mark.sign if mark.sign in TICKS else "|"
    for sign in "S^L":
        for mark in (mark for mark in marks if mark.sign == sign):
            text = format_strike(mark.at) if sign in "SL" else format_price(mark.at)
            start = min(max(0, frame.column(float(mark.at)) - len(text) // 2), frame.columns - len(text))
            if all(cell == " " for cell in labels[max(0, start - 1) : start + len(text) + 1]):
                labels[start : start + len(text)] = text
    return ["".join(ticks).rstrip(), "".join(labels).rstrip()]


def fit_frame(payoff: Payoff, *, columns: int, rows: int) -> "ChartFrame":
    """A frame that holds every mark, and the curve with a little air above and below."""
    from spy32.render.canvas import ChartFrame

    low, high = payoff.span
    margin = (payoff.best - payoff.worst) / 20 or Decimal(1)
    top, bottom = max(payoff.best, Decimal(0)) + margin, min(payoff.worst, Decimal(0)) - margin
    return ChartFrame(float(low), float(high), float(bottom), float(top), columns, rows)
