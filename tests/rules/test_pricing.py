"""What trading costs a contract."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spy32.rules import pricing
from spy32.settings import Settings

COSTS = Settings().costs


def test_one_spread_opens_for_two_commissions_clearings_and_regulatory_fees() -> None:
    assert pricing.opening_costs(1, COSTS, "SPY") == Decimal("2.26")


def test_closing_takes_no_commission() -> None:
    assert pricing.closing_costs(1, COSTS, "SPY") == Decimal("0.26")
    assert pricing.round_trip_costs(1, COSTS, "SPY") == Decimal("2.52")


def test_ten_contracts_are_just_under_the_cap_of_a_leg() -> None:
    assert pricing.opening_costs(10, COSTS, "SPY") == Decimal("2.26")


def test_beyond_ten_contracts_the_cap_of_ten_dollars_a_leg_is_shared() -> None:
    assert pricing.opening_costs(20, COSTS, "SPY") == Decimal("1.26")


def test_a_cent_that_is_not_whole_is_rounded_up() -> None:
    # Twice 10 / 11 is 1.8181..., and 0.26 comes on top.
    assert pricing.opening_costs(11, COSTS, "SPY") == Decimal("2.08")


@given(st.integers(1, 100))
def test_the_whole_order_costs_what_the_schedule_says_to_a_cent_a_contract(quantity: int) -> None:
    exact = 2 * (min(Decimal(quantity), Decimal(10)) + Decimal("0.13") * quantity)
    assert exact <= pricing.opening_costs(quantity, COSTS, "SPY") * quantity < exact + quantity * Decimal("0.01")


@pytest.mark.parametrize("quantity", [0, -1])
def test_no_contracts_have_no_cost_a_contract(quantity: int) -> None:
    with pytest.raises(ValueError, match="no cost"):
        pricing.opening_costs(quantity, COSTS, "SPY")


def test_four_legs_cost_twice_as_much_as_two() -> None:
    dear = replace(COSTS, commission=Decimal("0.50"))
    assert pricing.opening_costs(3, dear, "SPY", legs=4) == 2 * pricing.opening_costs(3, dear, "SPY")
