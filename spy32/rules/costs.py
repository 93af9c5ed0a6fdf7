"""Trading costs: dollars per contract (one spread), rounded up to the cent."""

from decimal import ROUND_CEILING, Decimal

from spy32.domain.spreads import CENT
from spy32.settings.model import Costs

LEGS_PER_SPREAD = 2


def opening_costs(quantity: int, costs: Costs, legs: int = LEGS_PER_SPREAD) -> Decimal:
    """Return commission, clearing and regulatory fees to open, dollars per contract of an order of `quantity`.

    Raises ValueError for a quantity below 1.
    """
    return _costs_per_contract(quantity, costs.commission, costs, legs)


def closing_costs(quantity: int, costs: Costs, legs: int = LEGS_PER_SPREAD) -> Decimal:
    """Return the same to close by an order. Expiring worthless costs nothing."""
    return _costs_per_contract(quantity, costs.commission_close, costs, legs)


def round_trip_costs(quantity: int, costs: Costs, legs: int = LEGS_PER_SPREAD) -> Decimal:
    """Return the costs to open and to close by an order, dollars per contract."""
    return opening_costs(quantity, costs, legs) + closing_costs(quantity, costs, legs)


def _costs_per_contract(quantity: int, commission: Decimal, costs: Costs, legs: int) -> Decimal:
    if quantity < 1:
        raise ValueError(f"{quantity} contracts have no cost a contract")
    # The commission cap applies to a whole leg of an order, so a contract of a large order costs less.
    capped = min(commission * quantity, costs.commission_cap) / quantity
    return (legs * (capped + costs.clearing + costs.regulatory)).quantize(CENT, ROUND_CEILING)
