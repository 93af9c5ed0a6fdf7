"""OCC symbols are read as they are written."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spy32.domain.market import Right, occ_symbol, parse_occ_symbol
from spy32.domain.spreads import Action, Leg


@given(
    st.from_regex("[A-Z]{1,5}[0-9]?", fullmatch=True),
    st.dates(date(2000, 1, 1), date(2099, 12, 31)),
    st.sampled_from(Right),
    st.integers(1, 99_999_999),
)
def test_a_symbol_comes_back_as_it_was_written(root: str, day: date, right: Right, thousandths: int) -> None:
    strike = Decimal(thousandths) / 1000
    symbol = occ_symbol(root, day, right, strike)
    assert parse_occ_symbol(symbol) == parse_occ_symbol(symbol.replace(" ", "")) == (root, day, right, strike)
    assert Leg.parse_symbol(symbol, Action.SELL_TO_OPEN).symbol == symbol


def test_a_strike_has_one_form() -> None:
    assert [str(parse_occ_symbol(f"SPY250926P{digits}")[3]) for digits in ("00640000", "00647500")] == ["640", "647.5"]


@pytest.mark.parametrize(
    "symbol",
    ["", "SPY", "SPY   250926X00640000", "SPY   250931P00640000", "SPY   250926P00000000", "SPY   250926P640000",
     "spy   250926P00640000", "SPY   ٢50926P00640000"],
)  # fmt: skip
def test_anything_else_is_no_symbol(symbol: str) -> None:
    with pytest.raises(ValueError):
        parse_occ_symbol(symbol)
