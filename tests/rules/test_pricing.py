"""What trading costs a contract."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spy32.domain.spreads import CENT
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


def test_index_options_pay_their_exchange_and_have_no_cap_of_the_commission() -> None:
    assert pricing.opening_costs(1, COSTS, "SPXW") == Decimal("3.56")
    assert pricing.closing_costs(1, COSTS, "SPXW") == Decimal("1.56")
    assert pricing.opening_costs(20, COSTS, "SPXW") == Decimal("3.56")
    assert pricing.opening_costs(1, replace(COSTS, exchange=Decimal("0.10")), "SPXW") == Decimal("2.46")
    assert pricing.opening_costs(1, replace(COSTS, exchange=Decimal("0.10")), "SPY") == Decimal("2.26")


def test_the_fee_of_xsp_begins_with_ten_contracts() -> None:
    assert pricing.opening_costs(9, COSTS, "XSP") == Decimal("2.26")
    assert pricing.opening_costs(10, COSTS, "XSP") == Decimal("2.40")


@pytest.mark.parametrize(
    ("root", "own", "step"),
    [
        ("SPY", "0.01", "0.01"),
        ("SPY", "0.05", "0.05"),
        ("SPXW", "0.01", "0.05"),
        ("SPXW", "0.02", "0.05"),
        ("SPXW", "0.10", "0.10"),
        ("XSP", "0.01", "0.01"),
        ("BRKB", "0.01", "0.01"),
        ("SPY7", "0.01", "0.01"),
    ],
)
def test_the_price_step_is_the_set_one_where_the_class_takes_it(root: str, own: str, step: str) -> None:
    execution = replace(Settings().execution, tick=Decimal(own))
    assert pricing.spread_tick(root, execution) == Decimal(step)


@pytest.mark.parametrize(("spot", "allowed"), [(18.0, "0.05"), (600.0, "0.10"), (6400.0, "1.07")])
def test_a_leg_of_a_cheap_share_may_be_a_nickel_wide(spot: float, allowed: str) -> None:
    choice = Settings().choice
    assert pricing.max_leg_width(Decimal("0.10"), spot, choice).quantize(CENT) == Decimal(allowed)
    strict = replace(choice, leg_width=Decimal("0.02"))
    assert pricing.max_leg_width(Decimal("0.10"), 18.0, strict) == Decimal("0.02")


def test_the_collar_leaves_room_for_a_mid_that_is_rounded_up_to_the_step() -> None:
    drift, mid = Settings().drift, Decimal("0.26")
    assert list(pricing.check_price_collar(Decimal("0.30"), Decimal("0.20"), mid, Decimal("0.05"), drift)) == []
    assert list(pricing.check_price_collar(Decimal("0.30"), Decimal("0.20"), mid, Decimal("0.01"), drift)) != []
