"""Totals of fills, in ten-thousandths of a dollar per share."""

from collections.abc import Sequence
from decimal import ROUND_FLOOR, Decimal

from spy32.domain.market import Right
from spy32.domain.orders import Fill
from spy32.domain.spreads import Leg
from spy32.records.encoding import E4, dollars_to_e4


def premium_e4(fills: Sequence[Fill], legs: Sequence[Leg], spreads: int) -> int:
    """Return the credit per share summed over `spreads`, in ten-thousandths; a debit is negative.

    Exact when the legs are filled evenly. If one leg is ahead, its average price counts, rounded to our disadvantage.
    """
    total = Decimal(0)
    for leg in legs:
        leg_fills = [fill for fill in fills if fill.symbol == leg.symbol]
        count = sum(fill.quantity for fill in leg_fills)
        value = sum((fill.price * fill.quantity for fill in leg_fills), Decimal(0))
        total += leg.action.sign * value * leg.quantity * spreads / count
    return int((total * E4).to_integral_value(rounding=ROUND_FLOOR))


def max_settlement_cost_e4(legs: Sequence[Leg]) -> int:
    """Return the most that the legs can cost at expiration, per share, in ten-thousandths.

    Their value is piecewise linear in the underlying, so with defined risk its minimum is at zero or at a strike.
    """
    return -dollars_to_e4(min(_settlement_value(legs, price) for price in (Decimal(0), *(leg.strike for leg in legs))))


def _settlement_value(legs: Sequence[Leg], price: Decimal) -> Decimal:
    value = Decimal(0)
    for leg in legs:
        intrinsic = price - leg.strike if leg.right is Right.CALL else leg.strike - price
        value -= leg.action.sign * leg.quantity * max(intrinsic, Decimal(0))
    return value
