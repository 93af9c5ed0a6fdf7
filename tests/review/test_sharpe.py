"""The probabilistic Sharpe ratio against the paper's example, and the minimum track record."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spy32.review.sharpe import needed_trades, probabilistic_ratio, sharpe_ratio


def test_the_probability_of_the_papers_example() -> None:
    """Bailey and Lopez de Prado (2012), section "PSR": 24 months at an annual 1.59, skew -2.448, kurtosis 10.164, give
    0.913 against a ratio of zero, and 0.982 as if they were normal."""
    ratio = 0.458
    assert probabilistic_ratio(ratio, 24, -2.448, 10.164) == pytest.approx(0.913, abs=0.002)
    assert probabilistic_ratio(ratio, 24, 0.0, 3.0) == pytest.approx(0.982, abs=0.002)


def test_the_shortest_record_is_where_the_probability_reaches_95_per_cent() -> None:
    for ratio, skew, kurtosis in ((0.067, -2.8, 9.4), (0.3, 0.0, 3.0), (1.0, 1.0, 5.0)):
        needed = needed_trades(ratio, skew, kurtosis)
        assert probabilistic_ratio(ratio, needed, skew, kurtosis) >= 0.95 - 1e-9
        assert probabilistic_ratio(ratio, needed - 1, skew, kurtosis) < 0.95


def test_a_spread_of_a_week_needs_some_fourteen_years() -> None:
    """Model-priced put spreads of 1993 to 2026, 0.067 a trade: 727 by the unrounded figures."""
    assert needed_trades(0.067, -2.8, 9.4) == pytest.approx(727, rel=0.01)


@given(st.lists(st.floats(-1, 0.3), min_size=31, max_size=60))
def test_what_is_shown_is_a_probability_and_a_loss_has_no_record_length(results: list[float]) -> None:
    found = sharpe_ratio(np.array(results))
    if found is not None:
        assert 0 <= found.probabilistic <= 1
        assert (found.needed is not None) == (found.ratio > 0)


def test_few_trades_and_equal_trades_have_no_ratio() -> None:
    assert sharpe_ratio(np.arange(30.0)) is None
    assert sharpe_ratio(np.full(31, 0.1)) is None
