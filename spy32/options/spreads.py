"""Payoff of a spread at expiration: exact in Decimal for people and orders, as numpy columns for expectations.

Only the column functions import numpy, because `show` and `approve` use only the exact ones and must start fast.
"""

from decimal import Decimal
from typing import TYPE_CHECKING

from spy32.domain.market import Right
from spy32.domain.spreads import MULTIPLIER, Leg, Spread
from spy32.errors import Refused

if TYPE_CHECKING:
    from spy32.options.normal import Floats

ZERO = Decimal(0)


def payoff(spread: Spread, prices: "Floats") -> "Floats":
    """Return the payoff of the legs at each price of the underlying, dollars per share, shape of `prices`.

    A negative payoff is owed.
    """
    import numpy as np

    at = np.asarray(prices, dtype=np.float64)
    total = np.zeros_like(at)
    for leg in spread.legs:
        gap = at - float(leg.strike) if leg.right is Right.CALL else float(leg.strike) - at
        total -= leg.action.sign * leg.quantity * np.maximum(gap, 0.0)
    return total


def exact_payoff(spread: Spread, price: Decimal) -> Decimal:
    """Return the payoff of the legs at one price of the underlying, dollars per share; a negative payoff is owed."""
    return sum((_signed_quantity(leg) * max(_signed_intrinsic(leg, price), ZERO) for leg in spread.legs), ZERO)


def breakevens(spread: Spread, credit: Decimal) -> tuple[Decimal, ...]:
    """Return the prices of the underlying where profit turns to loss or back, lowest first, before costs."""
    corners = _kinks(spread)
    # So far above the strikes that the profit keeps its sign from there on.
    far = corners[-1] + abs(credit + exact_payoff(spread, corners[-1])) + 1
    points = [(corner, credit + exact_payoff(spread, corner)) for corner in (*corners, far)]
    crossings = []
    last, last_value, flat = *points[0], None
    for price, value in points:
        if value == 0:
            flat = price if flat is None else flat
            continue
        if last_value * value < 0:
            crossing = last - last_value * (price - last) / (value - last_value)
            crossings.append(crossing if flat is None else flat)
        last, last_value, flat = price, value, None
    return tuple(crossings)


def max_loss(spread: Spread, credit: Decimal, costs: Decimal) -> Decimal:
    """Return the maximum loss, dollars per contract including `costs`; negative when no price loses.

    Raises `Refused` when the loss is unbounded.
    """
    if sum(_signed_quantity(leg) for leg in spread.legs if leg.right is Right.CALL) < 0:
        raise Refused("the loss of this spread has no bound: its short calls are not covered by long ones")
    worst = min(exact_payoff(spread, corner) for corner in _kinks(spread))
    return -(worst + credit) * MULTIPLIER + costs


def _signed_quantity(leg: Leg) -> int:
    return -leg.action.sign * leg.quantity


def _signed_intrinsic(leg: Leg, price: Decimal) -> Decimal:
    return price - leg.strike if leg.right is Right.CALL else leg.strike - price


def _kinks(spread: Spread) -> list[Decimal]:
    """Zero and the strikes. The payoff is linear between them."""
    return [ZERO, *sorted({leg.strike for leg in spread.legs})]
