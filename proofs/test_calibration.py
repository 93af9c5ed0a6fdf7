"""The committed calibration is that of the code, and what it says of a Monday uses nothing from after it."""

from datetime import date
from decimal import Decimal

import numpy as np
import pytest

from proofs import calibration
from proofs.walk_forward import (
    DELTAS,
    DTE,
    START,
    YEARS,
    Mondays,
    Spread,
    SyntheticSmile,
    build_history,
    build_mondays,
    driftless_weights,
    read_history,
    walk_forward,
)
from spy32.domain.market import OptionQuote, Right
from spy32.markets import bundled_history
from spy32.options.density import implied_density
from spy32.options.surface import build_smile

pytestmark = pytest.mark.slow

DECEMBER = date(2009, 12, 31).toordinal()


def monday() -> Mondays:
    """One Monday: spot 600, VIX 18, rate 4 %, no dividend."""
    one = np.ones(1)
    discount = np.exp(-0.04 * YEARS * one)
    return Mondays(
        row=np.zeros(1, dtype=int), spot=600 * one, vix=0.18 * one, forward=600 / discount, discount=discount,
        settlement=600 * one,
    )  # fmt: skip


def test_the_table_that_the_screens_quote_is_that_of_the_code() -> None:
    assert calibration.TABLE.read_text() == "\n".join(calibration.table_lines()) + "\n"


def test_the_page_and_its_picture_are_those_of_the_code_and_every_target_is_met() -> None:
    assert {path.name: path.read_text() == text for path, text in calibration.outputs().items()} == {
        "calibration.md": True, "calibration.svg": True, "calibration.csv": True,
    }  # fmt: skip
    targets = calibration.targets()
    assert len(targets) == 36
    assert [what for what, _, is_met in targets if not is_met] == []


def test_the_future_changes_nothing_that_was_stated_or_came_true_before() -> None:
    history = read_history()
    rng = np.random.default_rng(4)
    is_later = history.day > DECEMBER
    close, vix = (np.where(is_later, rng.uniform(0.7, 1.4, len(is_later)), 1.0) for _ in range(2))
    changed = build_history(history.day, history.close * close, history.vix * vix)
    entries = build_mondays(history)
    days = history.day[entries.row]
    days = days[days >= date(1998, 1, 1).toordinal()]
    stated, settled = days <= DECEMBER, days <= DECEMBER - DTE
    assert stated.sum() > settled.sum() > 500
    for cell, other in zip(walk_forward(history), walk_forward(changed), strict=True):
        for law, column in cell.stated.items():
            np.testing.assert_array_equal(column[stated], other.stated[law][stated], law)
        np.testing.assert_array_equal(cell.outcomes[settled], other.outcomes[settled])
        assert (cell.outcomes[~stated] != other.outcomes[~stated]).any()


def test_the_history_of_one_monday_is_that_of_a_count_by_hand() -> None:
    """2010-03-15: windows of 23 sessions that ended before, each scaled by the VIX of the day over that of its start.
    SPY went ex on 2010-03-19."""
    history, monday = read_history(), date(2010, 3, 15)
    row = history.day.tolist().index(monday.toordinal())
    paid = {each.ex_date.toordinal(): float(each.amount) for each in bundled_history.dividends(START)}
    entries = build_mondays(history)
    at = entries.row.tolist().index(row)
    limit = float(Spread(SyntheticSmile(entries, 1.0), Right.CALL, 0.20).breakeven[at])
    held = history.close[row] - 0.48 * entries.discount[at]
    wins = []
    for start in range(row - 23):
        total = 1.0
        for each in range(start + 1, start + 24):
            total *= (history.close[each] + paid.get(int(history.day[each]), 0.0)) / history.close[each - 1]
        wins.append(held * total ** (history.vix[row] / history.vix[start]) < limit)
    cell = walk_forward(history)[6]
    shown = at - sum(history.day[entries.row] < date(1998, 1, 1).toordinal())
    assert (cell.right, cell.delta) == (Right.CALL, 0.20)
    assert cell.stated["history"][shown] == pytest.approx(sum(wins) / len(wins), abs=1e-12)


def test_weights_without_drift_make_the_mean_price_the_forward_and_keep_the_order() -> None:
    growth = np.sort(np.exp(np.random.default_rng(2).normal(0.02, 0.06, 500)))
    weights = driftless_weights(growth)
    assert weights.sum() == pytest.approx(1)
    assert weights @ growth == pytest.approx(1, abs=1e-11)
    assert (np.diff(weights) < 0).all()


@pytest.mark.parametrize("right", [Right.PUT, Right.CALL])
@pytest.mark.parametrize("delta", DELTAS)
def test_the_market_law_is_that_of_the_programs_own_density_on_quotes_of_the_same_smile(
    right: Right, delta: float
) -> None:
    smile = SyntheticSmile(monday(), 1.0)
    strikes = np.arange(500.0, 661.0)
    expiration = date(2026, 1, 9)
    quotes = [quote(smile, each, strike, expiration) for each in Right for strike in strikes]
    rate = float(-np.log(smile.mondays.discount[0]) / YEARS)
    found = build_smile(quotes, spot=600.0, years=YEARS, rate=rate, expiration=expiration)
    spread = Spread(smile, right, delta)
    below = implied_density(found).probability_below(float(spread.breakeven[0]))
    own = below if right is Right.CALL else 1 - below
    assert spread.market()[0] == pytest.approx(own, abs=0.003)
    at = found.rows[right, Decimal(round(float(smile.strike(right, delta)[0])))]
    assert abs(found.delta[at]) == pytest.approx(delta, abs=0.01)


def quote(smile: SyntheticSmile, right: Right, strike: float, expiration: date) -> OptionQuote:
    """A contract at the smile's fair price, a cent to each side."""
    spread = Spread(smile, right, DELTAS[0])
    fair = float(spread._smile.price(spread.right, np.array([strike]))[0])
    return OptionQuote(
        root="SPY", expiration=expiration, strike=Decimal(round(strike)), right=right, bid=fair - 0.01, ask=fair + 0.01
    )


def test_the_spline_goes_through_its_nodes_and_its_slope_is_that_of_the_vol() -> None:
    smile = SyntheticSmile(monday(), 1.0)
    assert smile.vol_and_slope(smile.strike(Right.PUT, 0.20))[0] / 0.18 == pytest.approx(1.083)
    assert smile.vol_and_slope(smile.strike(Right.CALL, 0.10))[0] / 0.18 == pytest.approx(0.673)
    assert smile.vol_and_slope(smile.mondays.forward)[0] / 0.18 == pytest.approx(0.844)
    for strike in (480.0, 560.0, 600.0, 640.0, 700.0):
        (low,), (high,) = (smile.vol_and_slope(np.array([strike + step]))[0] for step in (-0.01, 0.01))
        assert smile.vol_and_slope(np.array([strike]))[1] == pytest.approx((high - low) / 0.02, abs=1e-7)
