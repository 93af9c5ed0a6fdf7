"""The facts of each option class, and the tickers and roots that belong together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spy32.domain.option_class import (
    INDEX_CLASSES,
    INDEX_TICKERS,
    SHARE_CLASSES,
    class_of_root,
    option_roots,
    settles_in_cash,
    underlying_for_root,
)


@pytest.mark.parametrize(
    ("ticker", "roots"),
    [
        ("SPY", ("SPY",)),
        ("SPX", ("SPXW", "SPX")),
        ("XSP", ("XSP",)),
        ("NDX", ("NDXP", "NDX")),
        ("RUT", ("RUTW", "RUT")),
        ("BRK.B", ("BRKB",)),
        ("VIX", ()),
        ("OEX", ()),
        ("LEN.B", ()),
    ],
)
def test_the_roots_of_an_underlying_begin_with_the_one_that_settles_at_the_close(
    ticker: str, roots: tuple[str, ...]
) -> None:
    assert option_roots(ticker) == roots
    assert [underlying_for_root(root) for root in roots] == [ticker] * len(roots)


TICKERS = st.from_regex(r"[A-Z]{1,5}", fullmatch=True)


@given(TICKERS.filter(lambda ticker: ticker not in INDEX_TICKERS | {*INDEX_CLASSES, *SHARE_CLASSES}))
def test_shares_and_funds_have_one_root_which_leads_back_to_them(ticker: str) -> None:
    (root,) = option_roots(ticker)
    found = class_of_root(root.ljust(6))
    assert found is not None
    assert (found.settles_in_cash, found.exchange_fee, str(found.spread_tick)) == (False, 0, "0.01")
    assert option_roots(found.underlying) == (root,)


@pytest.mark.parametrize(("root", "in_cash"), [("SPXW  ", True), ("RUTW", True), ("VIX", True), ("BRKB", False)])
def test_index_options_settle_in_cash_whether_they_can_be_traded_or_not(root: str, in_cash: bool) -> None:
    assert settles_in_cash(root) is in_cash


@pytest.mark.parametrize("root", ["SPY7", "BRKB1", "VIX", "DJX"])
def test_adjusted_contracts_and_other_indexes_have_no_class(root: str) -> None:
    assert class_of_root(root) is None
    assert underlying_for_root(root) == root
