"""Contracts along scenarios against a textbook formula, and the ends of trades against a loop."""

import math
from statistics import NormalDist

import numpy as np
import pytest

from spy32.domain.market import Right
from spy32.options.history import Horizon, Scenarios
from spy32.options.plan_paths import (
    PlanTerms,
    SmileShape,
    closing_debits,
    forward_paths,
    log_spot_paths,
    mark_contracts,
    simulate_plan,
)
from tests.support import builders

YEARS = 32 / 365
SPOT, FORWARD, DISCOUNT = 670.0, 671.5, math.exp(-0.04 * YEARS)
HORIZON = Horizon(years=YEARS, left=np.array([25, 10, 0]) / 365, share=None)
MOVES = np.array([[0.01, -0.02, 0.03], [-0.05, -0.08, -0.12]])
RATIOS = np.array([[1.0, 1.2, 0.9], [1.5, 1.9, 2.0]])
SCENARIOS = Scenarios(starts=np.array([0, 1]), close=MOVES, high=MOVES + 0.01, low=MOVES - 0.01, vix=RATIOS)


def vol_at(strikes: np.ndarray) -> np.ndarray:
    """A skewed smile with a bottom above the money."""
    moneyness = np.log(strikes / FORWARD)
    return 0.15 - 0.6 * moneyness + 2.0 * moneyness**2


SHAPE = SmileShape.tabulate(vol_at, forward=FORWARD, discount=DISCOUNT, years=YEARS)


def black(right: Right, forward: float, strike: float, total: float) -> float:
    """Black (1976), undiscounted."""
    if total <= 0:
        return max(forward - strike, 0.0) if right is Right.CALL else max(strike - forward, 0.0)
    d1 = math.log(forward / strike) / total + total / 2
    cdf = NormalDist().cdf
    call = forward * cdf(d1) - strike * cdf(d1 - total)
    return call if right is Right.CALL else call - forward + strike


def test_the_shape_is_the_smile_in_deviations() -> None:
    strikes = np.linspace(560, 760, 101)
    places = np.log(strikes / FORWARD) / (0.15 * math.sqrt(YEARS))
    np.testing.assert_allclose(SHAPE.ratio(places) * SHAPE.atm, vol_at(strikes), atol=1e-4)
    assert SHAPE.ratio(np.array([50.0]))[0] == pytest.approx(SHAPE.ratios[-1], abs=1e-5)


def test_the_forward_grows_by_total_returns_less_interest_and_meets_the_spot() -> None:
    forward = forward_paths(MOVES, HORIZON, SHAPE)
    for row in range(2):
        for session, left in enumerate(HORIZON.left):
            elapsed = YEARS - left
            wanted = FORWARD * math.exp(MOVES[row, session] - 0.04 * elapsed)
            assert forward[row, session] == pytest.approx(wanted)
    spots = np.exp(log_spot_paths(MOVES, HORIZON, SHAPE, SPOT))
    np.testing.assert_allclose(spots[:, -1], forward[:, -1])
    np.testing.assert_allclose(spots[:, 0], forward[:, 0] * (SPOT / FORWARD) ** (25 / 32))


@pytest.mark.parametrize("right", [Right.PUT, Right.CALL])
def test_a_contract_is_worth_what_black_says_on_the_moved_smile(right: Right) -> None:
    strike, own = 640.0, 0.19
    found = mark_contracts({(right, strike): own}, SCENARIOS, HORIZON, SHAPE)[right, strike]
    forward = forward_paths(MOVES, HORIZON, SHAPE)
    now = math.log(strike / FORWARD) / (SHAPE.atm * math.sqrt(YEARS))
    for row in range(2):
        for session, left in enumerate(HORIZON.left):
            deviation = SHAPE.atm * RATIOS[row, session] * math.sqrt(left)
            if deviation > 0:
                place = math.log(strike / forward[row, session]) / deviation
                ratio = SHAPE.ratio(np.array([place, now]))
                deviation *= ratio[0] * own / (ratio[1] * SHAPE.atm)
            value = math.exp(-0.04 * left) * black(right, forward[row, session], strike, deviation)
            assert found[session, row] == pytest.approx(value, abs=1e-9)


def test_where_nothing_has_moved_the_mark_is_the_mid_of_today() -> None:
    """Each contract keeps its own vol, so the first mark has no jump from the smoothing."""
    still = Horizon(years=YEARS, left=np.array([YEARS]), share=None)
    at_rest = Scenarios(starts=np.array([0]), close=np.zeros((1, 1)), high=np.zeros((1, 1)), low=np.zeros((1, 1)),
                        vix=np.ones((1, 1)))  # fmt: skip
    contracts = {(Right.PUT, 640.0): 0.201, (Right.PUT, 635.0): 0.209}
    marks = mark_contracts(contracts, at_rest, still, SHAPE)
    short, long = (
        DISCOUNT * black(Right.PUT, FORWARD, strike, vol * math.sqrt(YEARS)) for (_, strike), vol in contracts.items()
    )
    assert closing_debits(builders.spread(), marks)[0, 0] == pytest.approx(short - long, abs=1e-9)


def test_at_expiration_a_spread_costs_its_payoff() -> None:
    contracts = {(Right.PUT, 640.0): 0.2, (Right.PUT, 635.0): 0.2}
    debits = closing_debits(builders.spread(), mark_contracts(contracts, SCENARIOS, HORIZON, SHAPE))
    assert debits[-1].tolist() == pytest.approx([0.0, 5.0])


def terms(stop: float | None = 1.8) -> PlanTerms:
    return PlanTerms(credit=0.6, target=0.3, stop=stop, ceiling=5.0, slippage=0.02, costs=2.52)


def test_a_trade_is_left_at_the_first_mark_that_is_due() -> None:
    debits = np.array([[0.7, 0.29, 1.7, 0.7], [1.8, 0.1, 0.3, 0.8], [0.2, 0.1, 0.1, 4.99]])
    found = simulate_plan(debits, terms())
    assert found.session.tolist() == [1, 0, 1, 2]
    assert found.mark.tolist() == [1.8, 0.29, 0.3, 4.99]
    assert found.profit[0] == pytest.approx((0.6 - 1.82) * 100 - 2.52)
    assert found.profit[3] == pytest.approx((0.6 - 5.0) * 100 - 2.52), "a closing never costs more than the width"
    assert simulate_plan(debits, terms(stop=None)).session.tolist() == [2, 0, 1, 2]
