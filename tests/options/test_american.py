"""American prices against published tables, QuantLib and properties."""

import csv
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spy32.options.american import AmericanContract, price_american
from tests.support.paths import DATA
from tests.support.quantlib import HALF_A_CENT, american_differences, european_differences

SPY = AmericanContract(is_call=False, spot=600.0, strike=600.0, years=32 / 365, rate=0.04)


def rows_of(name: str) -> list[dict[str, str]]:
    with (DATA / "golden" / f"{name}.csv").open() as file:
        return list(csv.DictReader(file))


def delta_of(contract: AmericanContract, vol: float) -> float:
    """By a bump of the spot to both sides."""
    bump = contract.spot * 1e-4
    up, down = (price_american(replace(contract, spot=contract.spot + step), vol).price for step in (bump, -bump))
    return (up - down) / (2 * bump)


def contract_of(row: dict[str, str]) -> AmericanContract:
    return AmericanContract(
        is_call=row["option_type"] == "C",
        spot=float(row["spot"]),
        strike=float(row["strike"]),
        years=float(row.get("exact_t_years") or row.get("t_years") or int(row["days"]) / 365),
        rate=float(row["r"]),
        dividend_yield=float(row.get("q", 0)),
    )


# Published numbers.


@pytest.mark.slow
def test_prices_premiums_and_deltas_are_those_of_quantlibs_integral_equation() -> None:
    for row in rows_of("american_quantlib_grid")[::2]:
        found = price_american(contract_of(row), float(row["vol"]))
        assert found.price == pytest.approx(float(row["american"]), abs=HALF_A_CENT / 2), row
        assert found.price - found.european == pytest.approx(
            float(row["early_exercise_premium"]), abs=HALF_A_CENT / 2
        ), row
        assert delta_of(contract_of(row), float(row["vol"])) == pytest.approx(float(row["delta_fd"]), abs=2e-3), row


def test_prices_with_a_cash_dividend_are_those_of_quantlibs_finite_differences() -> None:
    for row in rows_of("american_discrete_dividend_quantlib"):
        paid = (int(row["dividend_in_days"]) / 365, float(row["dividend"]))
        found = price_american(replace(contract_of(row), dividends=(paid,)), float(row["vol"]))
        assert found.european == pytest.approx(float(row["european_escrowed_model"]), abs=1e-3), row
        assert found.price == pytest.approx(float(row["american_escrowed_model"]), abs=HALF_A_CENT), row


@pytest.mark.parametrize("name", ["american_ju", "american_baw_haug", "american_bjerksund_stensland"])
def test_prices_are_the_converged_ones_of_the_tables_of_ju_and_haug(name: str) -> None:
    for row in rows_of(name):
        found = price_american(contract_of(row), float(row["vol"]))
        assert found.price == pytest.approx(float(row["exact_american"]), abs=1e-3), row


def test_negative_rates_with_two_exercise_boundaries() -> None:
    for row in rows_of("american_aqfed"):
        found = price_american(contract_of(row), float(row["vol"]))
        assert found.price == pytest.approx(float(row["value"]), abs=HALF_A_CENT), row


def test_the_example_of_andersen_lake_and_offengenden() -> None:
    (row,) = rows_of("american_alo_paper_premium")
    found = price_american(contract_of(row), float(row["vol"]))
    assert found.price - found.european == pytest.approx(float(row["premium"]), abs=1e-4)


def test_edge_cases_are_priced_or_refused() -> None:
    """A yield of 1,000 % a year is not priced to the cent: its holder exercises within the first day."""
    refused = 0
    for row in rows_of("american_qdplus_edge_cases"):
        contract, vol = contract_of(row), float(row["vol"])
        if min(contract.spot, contract.strike, vol) <= 0.0:
            refused += 1
            with pytest.raises(ValueError, match="must be positive"):
                price_american(contract, vol)
        elif contract.dividend_yield < 10.0:
            wanted = float(row["value_high_precision"])
            assert price_american(contract, vol).price == pytest.approx(wanted, abs=HALF_A_CENT, rel=1e-4), row
    assert refused == 7


# The second implementation.


@pytest.mark.slow
def test_random_contracts_are_within_half_a_cent_of_quantlib() -> None:
    """`make proofs` takes ten thousand and a thousand."""
    assert np.abs(european_differences(300, 5)).max() < 1e-9
    assert np.abs(american_differences(40, 5, pays_dividends=False)).max() < HALF_A_CENT
    assert np.abs(american_differences(12, 5, pays_dividends=True)).max() < HALF_A_CENT


# Properties.

CONTRACTS = st.builds(
    AmericanContract,
    is_call=st.booleans(),
    spot=st.just(600.0),
    strike=st.floats(450, 750),
    years=st.floats(1 / 365, 0.7),
    rate=st.floats(0.0, 0.08),
    dividends=st.lists(st.tuples(st.floats(0.001, 0.8), st.floats(0.1, 4.0)), max_size=2).map(tuple),
)
VOLS = st.floats(0.05, 0.8)


@settings(max_examples=40, deadline=None)
@given(CONTRACTS, VOLS)
def test_it_is_worth_no_less_than_the_european_option_and_than_exercise(contract: AmericanContract, vol: float) -> None:
    found = price_american(contract, vol)
    assert found.price >= max(found.european, contract.intrinsic)
    bound = contract.spot if contract.is_call else contract.strike
    assert found.price <= bound
    sign = 1.0 if contract.is_call else -1.0
    assert -1e-3 <= sign * delta_of(contract, vol) <= 1.0 + 5e-3


@settings(max_examples=20, deadline=None)
@given(CONTRACTS, VOLS)
def test_without_dividends_and_negative_rates_a_call_is_european(contract: AmericanContract, vol: float) -> None:
    found = price_american(replace(contract, is_call=True, dividends=()), vol)
    assert found.price - found.european == pytest.approx(0.0, abs=1e-6)


@settings(max_examples=20, deadline=None)
@given(CONTRACTS, VOLS)
def test_more_vol_is_worth_more_and_a_dividend_lowers_calls_and_raises_puts(
    contract: AmericanContract, vol: float
) -> None:
    base = price_american(contract, vol).price
    assert price_american(contract, vol + 0.02).price >= base - 1e-3
    paid = replace(contract, dividends=(*contract.dividends, (0.5 * contract.years, 1.0)))
    gain = price_american(paid, vol).price - base
    assert gain <= 2e-3 if contract.is_call else gain >= -2e-3


@settings(max_examples=20, deadline=None)
@given(CONTRACTS, VOLS)
def test_a_later_first_exercise_is_worth_less_down_to_the_european_price(
    contract: AmericanContract, vol: float
) -> None:
    prices = [
        price_american(replace(contract, first_exercise=share * contract.years), vol).price for share in (0.0, 0.4, 1.0)
    ]
    assert prices[0] >= prices[1] - 2e-3
    assert prices[1] >= prices[2] - 1e-6
    assert prices[2] == pytest.approx(price_american(contract, vol).european, abs=1e-6)


def test_a_deep_put_is_exercised_now_and_a_call_on_the_eve_of_an_ex_date_too() -> None:
    put = replace(SPY, strike=700.0)
    assert price_american(put, 0.12).price == put.intrinsic
    assert price_american(replace(put, first_exercise=1 / 365), 0.12).price == pytest.approx(
        put.intrinsic - 700 * (1 - np.exp(-0.04 / 365)), abs=1e-6
    )
    call = replace(SPY, is_call=True, strike=560.0, dividends=((1 / 365, 1.9),))
    kept = price_american(replace(call, first_exercise=2 / 365), 0.1)
    assert price_american(call, 0.1).price > kept.price
    assert kept.price == pytest.approx(kept.european, abs=1e-6)


@pytest.mark.parametrize(("strike", "is_call"), [(540.0, True), (660.0, False)])
def test_at_an_ex_date_a_call_is_exercised_before_the_dividend_and_a_put_after_it(strike: float, is_call: bool) -> None:
    """Exercise from the ex-date on keeps the whole premium of a call, and all of a put that waits for the dividend."""
    paid = (20 / 365, 4.0)
    contract = replace(SPY, is_call=is_call, strike=strike, dividends=(paid,))
    whole = price_american(contract, 0.1)
    assert whole.price - whole.european > 0.1
    late = price_american(replace(contract, first_exercise=paid[0]), 0.1)
    assert late.price == pytest.approx(whole.price, abs=HALF_A_CENT)


# Implied vol.


@pytest.mark.parametrize("field", ["spot", "strike", "years"])
@pytest.mark.parametrize("number", [0.0, -1.0, float("nan")])
def test_impossible_terms_are_refused(field: str, number: float) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        price_american(replace(SPY, **{field: number}), 0.2)


def test_dividends_above_the_spot_are_refused() -> None:
    with pytest.raises(ValueError, match="less the dividends"):
        price_american(replace(SPY, dividends=((0.01, 700.0),)), 0.2)


@pytest.mark.parametrize("is_call", [True, False])
@pytest.mark.parametrize("vol", [1.0, 3.0, 6.0])
@pytest.mark.parametrize("years", [1.0, 5.0, 10.0])
def test_no_price_leaves_the_bounds_that_need_no_model(is_call: bool, vol: float, years: float) -> None:
    contract = AmericanContract(
        is_call=is_call, spot=100.0, strike=90.0, years=years, rate=0.05, dividends=((0.5, 2.0), (0.9, 2.0))
    )
    found = price_american(contract, vol)
    assert max(contract.intrinsic, found.european) - 1e-9 <= found.price <= (100.0 if is_call else 90.0)
