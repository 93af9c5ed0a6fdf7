"""Endings against scalar loops: expiration by payoff, the exit plan by `rules/exits.py` on made-up marks."""

import math
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from statistics import NormalDist

import numpy as np
import pytest

from spy32.domain.market import MarketSnapshot, Right
from spy32.domain.marks import Mark
from spy32.domain.proposals import ExitPlan, ExitReason
from spy32.domain.spreads import Action, Candidate, Leg, Spread, Strategy
from spy32.markets.bundled_history import total_returns
from spy32.options.history import DailyHistory, Scenarios, build_scenarios, count_windows
from spy32.options.spreads import exact_payoff
from spy32.rules.endings import (
    MarketModel,
    SimulatedTrade,
    density_probabilities,
    expiry_endings,
    plan_endings,
    plan_terms,
)
from spy32.rules.exits import ExitInput, check_exits, due_exit
from spy32.rules.outlook import build_market_model
from spy32.rules.plan import exit_plan
from spy32.settings import Settings
from tests.support import builders
from tests.support.shipped_menu import smile_of
from tests.support.trades import trade

SETTINGS = Settings()
VIX = 16.5
EVERY = 131
"""Windows between two that the loops look at: 60 of them, of every decade."""


@cache
def market() -> tuple[MarketSnapshot, MarketModel, DailyHistory]:
    """Monday 10:00 with 32 days to expiration: a session is under way."""
    snapshot = builders.snapshot()
    history = total_returns("SPY", snapshot.as_of)
    assert history is not None
    return snapshot, build_market_model(snapshot, smile_of(snapshot.chain)), history


@cache
def scenarios() -> Scenarios:
    _, model, history = market()
    windows = count_windows(history, model.horizon)
    return build_scenarios(history, model.horizon, vix=VIX, starts=np.arange(0, windows, EVERY))


def leg(strike: str, action: Action, right: Right) -> Leg:
    return builders.leg(strike, action, right)


SELL, BUY = Action.SELL_TO_OPEN, Action.BUY_TO_OPEN
CONDOR = Spread(
    underlying="SPY",
    strategy=Strategy.IRON_CONDOR,
    legs=(leg("640", SELL, Right.PUT), leg("635", BUY, Right.PUT), leg("695", SELL, Right.CALL),
          leg("705", BUY, Right.CALL)),
)  # fmt: skip
DEBIT = Spread(
    underlying="SPY",
    strategy=Strategy.PUT_DEBIT,
    legs=(leg("665", BUY, Right.PUT), leg("655", SELL, Right.PUT)),
)


def candidate(spread: Spread | None = None, mid: str = "1.10") -> Candidate:
    """The default put spread; another one at a made-up price."""
    base = builders.candidate()
    if spread is None:
        return base
    price = Decimal(mid)
    return replace(base, spread=spread, mid=price, natural=price - Decimal("0.08"), start=price)


# To expiration.


@pytest.mark.parametrize(
    "held", [candidate(), builders.candidate("695", "700"), candidate(CONDOR, "2.440"), candidate(DEBIT, "-3.20")],
    ids=["put", "call", "condor", "debit"],
)  # fmt: skip
def test_ends_at_expiration_are_those_of_a_direct_loop(held: Candidate) -> None:
    _, model, _ = market()
    found = expiry_endings([SimulatedTrade.open(held, SETTINGS)], scenarios(), model)
    finals = np.exp(model.log_spots(scenarios().close))[:, -1]
    lows, highs = (np.exp(model.log_spots(moves)) for moves in (scenarios().low, scenarios().high))
    sold = float(held.mid) - 0.25 * float(held.mid - held.natural)
    strikes = [leg.strike for leg in held.spread.legs]
    ends = [exact_payoff(held.spread, price) for price in (Decimal(0), *strikes, Decimal(5000))]
    for row, final in enumerate(finals):
        worth = float(exact_payoff(held.spread, Decimal(final)))
        profit = (worth + sold) * 100 - float(held.costs)
        shorts = [leg for leg in held.spread.legs if leg.action is SELL]
        assert found.profits[0, row] == pytest.approx(profit, abs=1e-9)
        assert found.events["profit"][0, row] == (profit > 0)
        assert found.events["worthless"][0, row] == all(
            final > leg.strike if leg.right is Right.PUT else final < leg.strike for leg in held.spread.legs
        )
        assert found.events["max_profit"][0, row] == (abs(worth - float(max(ends))) < 1e-9)
        assert found.events["max_loss"][0, row] == (abs(worth - float(min(ends))) < 1e-9)
        assert found.events["touch"][0, row] == any(
            lows[row].min() <= leg.strike if leg.right is Right.PUT else highs[row].max() >= leg.strike
            for leg in shorts
        )


@pytest.mark.parametrize("held", [candidate(), candidate(CONDOR, "2.440"), candidate(DEBIT, "-3.20")])
def test_the_density_s_probabilities_are_sums_of_its_mass(held: Candidate) -> None:
    _, model, _ = market()
    simulated = SimulatedTrade.open(held, SETTINGS)
    found = density_probabilities(simulated, model.density)
    prices, mass = model.density.prices, model.density.mass
    net = float(simulated.fill) - float(held.costs) / 100
    worth = np.array([float(exact_payoff(held.spread, Decimal(price))) for price in prices])
    cell = float(mass.max())
    assert found.profit == pytest.approx(mass[worth + net > 0].sum(), abs=2 * cell)
    assert found.max_loss == pytest.approx(mass[worth < worth.min() + 1e-9].sum(), abs=2 * cell)
    assert found.max_profit == pytest.approx(mass[worth > worth.max() - 1e-9].sum(), abs=2 * cell)
    assert found.worthless == pytest.approx(mass[abs(worth) < 1e-9].sum(), abs=2 * cell)


# Under the exit plan, by the rules that `manage` follows.


def black(right: Right, forward: float, strike: float, total: float) -> float:
    """Black (1976), undiscounted."""
    d1 = math.log(forward / strike) / total + total / 2
    cdf = NormalDist().cdf
    call = forward * cdf(d1) - strike * cdf(d1 - total)
    return call if right is Right.CALL else call - forward + strike


def shape_ratio(model: MarketModel, deviations: float) -> float:
    """Linear between the nodes of the shape, which reach 8 deviations to each side."""
    place = (deviations + 8) * 32
    low = min(max(math.floor(place), 0), len(model.shape.ratios) - 2)
    share = min(max(place - low, 0.0), 1.0)
    return float(model.shape.ratios[low] * (1 - share) + model.shape.ratios[low + 1] * share)


def debit_at(held: Candidate, model: MarketModel, row: int, session: int) -> float:
    """What closing costs at the mid, from the session's move and VIX alone."""
    years, left = model.horizon.years, float(model.horizon.left[session])
    rate = -math.log(model.shape.discount) / years
    forward = model.shape.forward * math.exp(float(scenarios().close[row, session]) - rate * (years - left))
    atm, total = model.shape.atm, 0.0
    for part in held.spread.legs:
        strike = float(part.strike)
        own = float(model.smile.quote_iv[model.smile.rows[part.right, part.strike]])
        now = shape_ratio(model, math.log(strike / model.shape.forward) / (atm * math.sqrt(years)))
        deviation = atm * float(scenarios().vix[row, session]) * math.sqrt(left)
        spread_vol = deviation * shape_ratio(model, math.log(strike / forward) / deviation) * own / (now * atm)
        sign = 1 if part.action is SELL else -1
        total += sign * math.exp(-rate * left) * black(part.right, forward, strike, spread_vol)
    return total


def readings(debit: float, close: datetime) -> list[Mark]:
    """One mark read twice, as a stop asks for: the scenarios have one mark a session."""
    times = [close - timedelta(minutes=minutes) for minutes in (10, 5)]
    return [builders.mark(1, at=at, mid=Decimal(debit), natural=Decimal(debit)) for at in times]


def live_through(held: Candidate, plan: ExitPlan, model: MarketModel, row: int) -> tuple[int, float, ExitReason]:
    """Session, debit and reason of the first exit that `rules/exits.py` calls due."""
    simulated = SimulatedTrade.open(held, SETTINGS)
    opened = trade(legs=held.spread.legs, credit=simulated.fill)
    marks: list[Mark] = []
    for session, close in enumerate(model.closes):
        debit = debit_at(held, model, row, session)
        marks += readings(debit, close)
        found = due_exit(check_exits(ExitInput(trade=opened, plan=plan, marks=marks, now=marks[-1].at)))
        if found is not None:
            return session, debit, found.reason
    raise AssertionError("the last exit is always due")


PLANS = {
    "as set": SETTINGS,
    "a near stop": replace(SETTINGS, exit=replace(SETTINGS.exit, stop_multiple=Decimal("1.3"))),
    "to the eve": replace(SETTINGS, exit=replace(SETTINGS.exit, time_exit_dte=0, profit_target=Decimal("0.80"))),
}


@pytest.mark.parametrize("settings", PLANS.values(), ids=PLANS)
@pytest.mark.parametrize(
    "held",
    [candidate(), builders.candidate("695", "700"), candidate(CONDOR, "2.440"), candidate(DEBIT, "-3.20")],
    ids=["put", "call", "condor", "debit"],
)
def test_a_simulated_plan_is_what_the_exits_of_manage_do_on_the_same_marks(held: Candidate, settings: Settings) -> None:
    _, model, _ = market()
    plan = exit_plan(held, builders.TODAY, settings)
    found = plan_endings([held], scenarios(), model, settings, builders.TODAY)
    slippage = 0.25 * float(held.mid - held.natural)
    lows, highs = (np.exp(model.log_spots(moves)) for moves in (scenarios().low, scenarios().high))
    reasons: set[ExitReason] = set()
    most = float(trade(legs=held.spread.legs).closing_bounds[1])
    shorts = [leg for leg in held.spread.legs if leg.action is SELL]
    for row in range(len(scenarios().starts)):
        session, debit, reason = live_through(held, plan, model, row)
        reasons.add(reason)
        paid = min(debit + slippage, most)
        profit = (float(held.mid) - slippage - paid) * 100 - float(held.costs_round_trip)
        assert found.profits[0, row] == pytest.approx(profit, abs=1e-9)
        assert found.events["profit"][0, row] == (profit > 0)
        assert found.events["max_profit"][0, row] == (debit <= plan.profit_target)
        assert found.events["stopped"][0, row] == (
            held.mid > 0 and plan.stop < held.spread.width and debit >= plan.stop
        )
        low, high = lows[row, : session + 1].min(), highs[row, : session + 1].max()
        assert found.events["touch"][0, row] == any(
            low <= leg.strike if leg.right is Right.PUT else high >= leg.strike for leg in shorts
        )
    assert ExitReason.TARGET in reasons
    assert reasons & {ExitReason.TIME, ExitReason.LAST_EXIT}
    assert ExitReason.STOP in reasons or settings is not PLANS["a near stop"] or held.mid < 0


def test_a_stop_that_is_out_of_reach_never_closes() -> None:
    """As `rules/exits.py` says of a stop at the width or above; without it a trade would be left at the width."""
    held, far = candidate(), replace(SETTINGS, exit=replace(SETTINGS.exit, stop_multiple=Decimal(20)))
    terms, _ = plan_terms(held, SimulatedTrade.open(held, far), far, builders.TODAY)
    assert exit_plan(held, builders.TODAY, far).stop >= held.spread.width
    assert terms.stop is None


def test_the_exits_of_four_legs_stay_within_the_payoff() -> None:
    _, model, _ = market()
    held = candidate(CONDOR, "2.440")
    found = plan_endings([held], scenarios(), model, SETTINGS, builders.TODAY)
    assert (found.profits >= -(10 - float(held.mid)) * 100 - 20).all()
    assert (found.profits <= float(held.mid) * 100).all()
    assert found.events["touch"].any()
