"""The parts of a change of value: against a plain loop, and what must hold whatever moves."""

import math
from itertools import pairwise
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spy32.options.attribution import ChangeParts, LegColumns, MarketStates, change_parts
from spy32.options.european import build_contracts, greeks
from tests.support.builders import DIVIDEND_YIELD, RATE

STRIKES = (640.0, 635.0, 695.0, 700.0)
RIGHTS = (False, False, True, True)
WEIGHTS = (-1.0, 1.0, -1.0, 1.0)
DAY = 1 / 365
State = tuple[float, float, tuple[float, ...]]
"""Years, spot, and the vol of each leg."""

STATES = st.lists(
    st.tuples(st.floats(0.03, 0.12), st.floats(630.0, 705.0), st.tuples(*[st.floats(0.15, 0.6)] * 4)),
    min_size=2,
    max_size=6,
).map(lambda states: sorted(states, reverse=True))
"""Every leg has enough time value to tell its vol."""


def black(state: State, leg: int, vol: float) -> float:
    """Black-Scholes with continuous yield (Hull, section 17.3)."""
    years, spot, _ = state
    strike, cdf = STRIKES[leg], NormalDist().cdf
    total = vol * math.sqrt(years)
    d1 = (math.log(spot / strike) + (RATE - DIVIDEND_YIELD) * years) / total + total / 2
    sign = 1 if RIGHTS[leg] else -1
    asset = spot * math.exp(-DIVIDEND_YIELD * years) * cdf(sign * d1)
    return sign * (asset - strike * math.exp(-RATE * years) * cdf(sign * (d1 - total)))


def worth(years: float, spot: float, vols: list[float]) -> float:
    return sum(WEIGHTS[leg] * black((years, spot, ()), leg, vol) for leg, vol in enumerate(vols))


def plain_parts(before: State, after: State) -> tuple[float, ...]:
    """One interval, one leg after the other."""
    (years, spot, vols), (end, moved, last) = (before[0], before[1], list(before[2])), after
    bump = 1e-4
    vegas = [
        (black((end, moved, ()), leg, vol + bump) - black((end, moved, ()), leg, vol - bump)) / (2 * bump)
        for leg, vol in enumerate(vols)
    ]
    shift = sum(vega * (new - old) for vega, new, old in zip(vegas, last, vols, strict=True)) / sum(vegas)
    shifted = [max(vol + shift, 1e-9) for vol in vols]
    steps = [
        worth(years, spot, vols),
        worth(end, spot, vols),
        worth(end, moved, vols),
        worth(end, moved, shifted),
        worth(end, moved, list(last)),
    ]
    return tuple(later - earlier for earlier, later in pairwise(steps))


def market(states: list[State], count: int = 4) -> MarketStates:
    """The quotes of the first so many legs at each state."""
    return MarketStates(
        years=np.array([state[0] for state in states]),
        spot=np.array([state[1] for state in states]),
        mids=np.array([[black(state, leg, state[2][leg]) for leg in range(count)] for state in states]),
    )


def parts_of(states: MarketStates) -> ChangeParts:
    """The parts of the intervals between successive states."""
    size = states.mids.shape[1]
    legs = LegColumns(is_call=np.array(RIGHTS[:size]), strike=np.array(STRIKES[:size]), weight=np.array(WEIGHTS[:size]))
    return change_parts(legs, states, rate=RATE, dividend_yield=DIVIDEND_YIELD)


def rows(parts: ChangeParts) -> np.ndarray:
    """Shape (n, 4): time, spot, vol, smile."""
    return np.column_stack([parts.time, parts.spot, parts.vol, parts.smile])


@given(states=STATES)
def test_the_parts_are_those_of_a_plain_loop_and_sum_to_the_change_of_value(states: list[State]) -> None:
    given_market = market(states)
    found = rows(parts_of(given_market))
    for row, (before, after) in zip(found, pairwise(states), strict=True):
        np.testing.assert_allclose(row, plain_parts(before, after), atol=1e-5)
    values = given_market.mids @ np.array(WEIGHTS)
    np.testing.assert_allclose(found.sum(axis=1), np.diff(values), atol=1e-8)


@given(years=st.floats(0.03, 0.12), spot=st.floats(630.0, 705.0), vol=st.floats(0.15, 0.5))
def test_where_only_time_passes_all_is_time(years: float, spot: float, vol: float) -> None:
    vols = (vol, vol + 0.01, vol - 0.01, vol)
    found = rows(parts_of(market([(years, spot, vols), (years - DAY, spot, vols)])))
    np.testing.assert_allclose(found[0, 1:], 0.0, atol=1e-8)
    assert abs(found[0, 0]) > 1e-6


@given(spot=st.floats(630.0, 710.0), move=st.floats(-0.5, 0.5), vol=st.floats(0.12, 0.4))
def test_a_small_move_of_the_spot_earns_what_delta_and_gamma_say(spot: float, move: float, vol: float) -> None:
    years, vols = 30 * DAY, (vol,) * 4
    found = parts_of(market([(years, spot, vols), (years, spot + move, vols)]))
    growth = math.exp((RATE - DIVIDEND_YIELD) * years)
    contracts = build_contracts(
        is_call=RIGHTS, strike=STRIKES, forward=spot * growth, years=years, discount=math.exp(-RATE * years)
    )
    greek = greeks(contracts, vols, spot)
    wanted = float(WEIGHTS @ (greek.delta * move + 0.5 * greek.gamma * move * move))
    assert found.spot[0] == pytest.approx(wanted, abs=2e-4 * abs(move) ** 3 + 1e-9)
    np.testing.assert_allclose(rows(found)[0, [0, 2, 3]], 0.0, atol=1e-8)


def test_a_parallel_shift_is_vol_and_a_twist_around_it_is_smile() -> None:
    flat, up = (0.2, 0.2, 0.2, 0.2), (0.23, 0.23, 0.23, 0.23)
    shifted = rows(parts_of(market([(0.08, 670.0, flat), (0.08, 670.0, up)])))[0]
    assert shifted[2] < -0.01
    np.testing.assert_allclose(shifted[[0, 1, 3]], 0.0, atol=1e-8)
    twisted = rows(parts_of(market([(0.08, 670.0, flat), (0.08, 670.0, (0.21, 0.25, 0.19, 0.18))])))[0]
    assert abs(twisted[3]) > 10 * abs(twisted[2])


def test_at_expiration_the_spread_is_worth_its_payoff() -> None:
    start = market([(0.01, 641.0, (0.2, 0.21))], 2)
    states = MarketStates(
        years=np.array([0.01, 0.0]), spot=np.array([641.0, 637.5]), mids=np.vstack([start.mids, [[np.nan, np.nan]]])
    )
    parts = parts_of(states)
    value = float(start.mids[0] @ WEIGHTS[:2])
    # Unmoved it would have ended worthless; 2.50 in the money it costs that much.
    assert parts.time[0] == pytest.approx(-value)
    assert parts.spot[0] == pytest.approx(-2.5)
    assert (parts.vol[0], parts.smile[0]) == (0.0, 0.0)


def test_what_is_known_at_one_end_only_did_not_change() -> None:
    states = market([(0.08, 670.0, (0.2, 0.21)), (0.07, 665.0, (0.22, 0.24))], 2)
    whole = parts_of(states)
    states.mids[1, 0] = np.nan
    one = parts_of(states)
    assert (one.time[0], one.spot[0]) == pytest.approx((whole.time[0], whole.spot[0]))
    states.mids[1] = np.nan
    none = parts_of(states)
    assert (none.vol[0], none.smile[0]) == (0.0, 0.0)
    states.spot[1] = np.nan
    only_time = rows(parts_of(states))[0]
    assert only_time == pytest.approx([whole.time[0], 0.0, 0.0, 0.0])


def test_without_a_vol_at_either_end_there_are_no_parts() -> None:
    states = market([(0.08, 670.0, (0.2, 0.21)), (0.07, 665.0, (0.22, 0.24)), (0.06, 660.0, (0.22, 0.24))], 2)
    states.mids[:2, 1] = 0.0
    found = rows(parts_of(states))
    assert not found[0].any()
    assert found[1, :2].all()
