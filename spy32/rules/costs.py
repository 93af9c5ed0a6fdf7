"""What trading costs: dollars a contract (one spread), rounded up to the cent."""

from decimal import ROUND_CEILING, Decimal

from spy32.domain.trading import CENT
from spy32.settings.model import Costs

LEGS = 2


def to_open(quantity: int, costs: Costs, legs: int = LEGS) -> Decimal:
    """Commission, clearing and regulatory fees to open one of `quantity` contracts."""
    return _each(quantity, costs.commission, costs, legs)


def to_close(quantity: int, costs: Costs, legs: int = LEGS) -> Decimal:
    """The same to close one of `quantity` contracts by an order; expiring worthless costs nothing."""
    return _each(quantity, costs.commission_close, costs, legs)


def round_trip(quantity: int, costs: Costs, legs: int = LEGS) -> Decimal:
    """To open and to close one of `quantity` contracts."""
    return to_open(quantity, costs, legs) + to_close(quantity, costs, legs)


def _each(quantity: int, commission: Decimal, costs: Costs, legs: int) -> Decimal:
    if quantity < 1:
        raise ValueError(f"{quantity} contracts have no cost a contract")
    # The cap is of the whole leg of an order, so a contract of a large order carries less.
    capped = min(commission * quantity, costs.commission_cap) / quantity
    return (legs * (capped + costs.clearing + costs.regulatory)).quantize(CENT, ROUND_CEILING)
