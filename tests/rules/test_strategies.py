"""Iron condors and debit spreads: menu, prices, plans and orders, against sums made leg by leg."""

import json
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spy32.domain.codec import decode, encode
from spy32.domain.market import Right
from spy32.domain.orders import OrderKind
from spy32.domain.spreads import Action, Candidate, Leg, Spread, Strategy, max_width, price_effect, value_bounds
from spy32.errors import Refused
from spy32.options.density import implied_density
from spy32.options.spreads import breakevens, max_loss
from spy32.render.payoff import build_payoff, trade_breakevens
from spy32.rules import closing, plan, pricing
from spy32.rules.sizing import one_sigma_loss
from spy32.trading.approve import _candidate_at_floor
from tests.support import builders, trades
from tests.support.shipped_menu import SETTINGS, smile_of
from tests.support.strategies import OTHERS, chosen, menu_of, settings_for, terms_of

D = Decimal
PRICES = [D(price) for price in range(520, 781)]
"""Prices of the underlying, a dollar apart: every strike is among them, and the ends are beyond all strikes."""


def owed(legs: tuple[Leg, ...], price: Decimal) -> Decimal:
    """What the legs cost at expiration, dollars per share, counted leg by leg."""
    gaps = ((leg, price - leg.strike if leg.right is Right.CALL else leg.strike - price) for leg in legs)
    return sum((leg.action.sign * max(gap, D(0)) for leg, gap in gaps), D(0))


def entries() -> list[Candidate]:
    return [
        entry for kind in OTHERS for is_real in (False, True) for entry in menu_of(kind, is_real=is_real).candidates
    ]


def all_verticals(strategy: Strategy, right: Right, near: int, width: int) -> tuple[Leg, ...]:
    """The two legs of a vertical whose strike nearer to the money is `near`."""
    far = near - width if right is Right.PUT else near + width
    sold, bought = (far, near) if strategy.is_debit else (near, far)
    return (
        builders.leg(str(sold), Action.SELL_TO_OPEN, right),
        builders.leg(str(bought), Action.BUY_TO_OPEN, right),
    )


@st.composite
def spreads(draw: st.DrawFn) -> Spread:
    """Any of the five strategies, with strikes among `PRICES`."""
    strategy = draw(st.sampled_from(list(Strategy)))
    rights = {
        Strategy.IRON_CONDOR: (Right.PUT, Right.CALL),
        Strategy.PUT_CREDIT: (Right.PUT,),
        Strategy.PUT_DEBIT: (Right.PUT,),
    }.get(strategy, (Right.CALL,))
    legs: tuple[Leg, ...] = ()
    for right in rights:
        near = draw(st.integers(560, 640) if right is Right.PUT else st.integers(660, 740))
        legs += all_verticals(strategy, right, near, draw(st.integers(1, 30)))
    return Spread(underlying="SPY", strategy=strategy, legs=legs)


# The menu.


@pytest.mark.parametrize("strategy", OTHERS)
def test_both_chains_have_some_and_ten_at_the_most(strategy: Strategy) -> None:
    for is_real in (False, True):
        menu = menu_of(strategy, is_real=is_real)
        assert 0 < len(menu.candidates) <= SETTINGS.choice.per_side == 10
        assert {entry.spread.strategy for entry in menu.candidates} == {strategy}
        assert len({entry.spread for entry in menu.candidates}) == len(menu.candidates)
        assert len({entry.id for entry in menu.candidates}) == len(menu.candidates)


def test_a_condor_is_a_put_and_a_call_side_of_like_delta_and_width() -> None:
    for is_real in (False, True):
        for entry in menu_of(Strategy.IRON_CONDOR, is_real=is_real).candidates:
            sold_put, bought_put, sold_call, bought_call = entry.spread.legs
            assert bought_put.strike < sold_put.strike < sold_call.strike < bought_call.strike
            assert [leg.action.sign for leg in entry.spread.legs] == [1, -1, 1, -1]
            assert abs(abs(entry.short.delta) - abs(entry.calls[0].delta)) < 0.03
            widths = sold_put.strike - bought_put.strike, bought_call.strike - sold_call.strike
            assert abs(widths[0] - widths[1]) <= 1
            assert entry.spread.width == max(widths)


@pytest.mark.parametrize("strategy", [Strategy.PUT_DEBIT, Strategy.CALL_DEBIT])
def test_a_debit_spread_buys_the_nearer_leg_first_and_sells_the_farther_one(strategy: Strategy) -> None:
    for entry in menu_of(strategy).candidates:
        bought, sold = entry.spread.legs
        assert (bought.action, sold.action) == (Action.BUY_TO_OPEN, Action.SELL_TO_OPEN)
        assert (sold.strike < bought.strike) is (strategy is Strategy.PUT_DEBIT)
        assert abs(entry.long.delta) > abs(entry.short.delta)


def test_every_candidate_keeps_the_rules_of_its_kind() -> None:
    choice = SETTINGS.choice
    for entry in entries():
        width = entry.spread.width
        assert all(choice.delta_low <= abs(view.delta) <= choice.delta_high for view in (entry.short, *entry.calls[:1]))
        assert entry.natural <= entry.floor <= entry.mid <= entry.start
        if entry.spread.strategy.is_debit:
            assert 0 < -entry.floor <= choice.debit_to_width * width
            assert entry.costs_round_trip <= choice.costs_to_credit * (width + entry.floor) * 100
        else:
            assert choice.credit_to_width * width <= entry.floor < width
            assert entry.costs_round_trip <= choice.costs_to_credit * entry.floor * 100
        assert entry.costs == D("1.13") * len(entry.spread.legs)


def test_its_prices_are_the_sums_of_its_quotes() -> None:
    for entry in entries():
        views, natural, mid = entry.views, D(0), D(0)
        for leg in entry.spread.legs:
            bid, ask = (D(str(price)) for price in (views[leg.symbol].quote.bid, views[leg.symbol].quote.ask))
            natural += bid if leg.action.sign > 0 else -ask
            mid += leg.action.sign * (bid + ask) / 2
        assert (entry.natural, entry.mid) == (natural, mid)


def test_its_loss_and_breakevens_are_those_of_every_price() -> None:
    for entry in entries():
        legs, worst = entry.spread.legs, max(owed(entry.spread.legs, price) for price in PRICES)
        assert entry.max_loss == (worst - entry.floor) * 100 + entry.costs
        profits = [entry.mid - owed(legs, price) for price in PRICES]
        crossed = [
            (low, high)
            for (low, high), (before, after) in zip(pairwise(PRICES), pairwise(profits), strict=True)
            if (before > 0) is not (after > 0)
        ]
        assert len(crossed) == len(entry.breakevens) == (2 if entry.calls else 1)
        assert all(low <= point <= high for point, (low, high) in zip(entry.breakevens, crossed, strict=True))


def test_its_probabilities_are_integrals_of_the_density() -> None:
    density = implied_density(smile_of(builders.chain().select_expirations(builders.EXPIRATION)))
    for strategy in OTHERS:
        for entry in menu_of(strategy).candidates:
            sold = entry.spread.shorts
            profit, untouched = (
                np.vectorize(lambda price, legs=legs, credit=credit: float(owed(legs, D(str(price))) < credit))
                for legs, credit in ((entry.spread.legs, entry.mid), (sold, D("0.0001")))
            )
            assert entry.pop_market == pytest.approx(float(density.mass @ profit(density.prices)), abs=0.005)
            assert entry.worthless_market == pytest.approx(float(density.mass @ untouched(density.prices)), abs=0.005)


def test_a_spread_that_misses_a_rule_says_which_with_the_strikes_of_its_calls() -> None:
    dropped = menu_of(Strategy.IRON_CONDOR, is_real=True).dropped
    assert dropped
    assert all(" with calls " in spread.figure for spread in dropped)


def test_a_dear_debit_is_refused_and_a_cheap_one_is_not() -> None:
    def rules(floor: str) -> list[str]:
        return [each.rule for each in pricing.check_premium(D(floor), D(5), D("2.52"), SETTINGS.choice)]

    assert rules("-2.50") == []
    assert rules("-2.51") == ["debit_to_width"]
    assert rules("-4.90") == ["debit_to_width", "costs_to_profit"]


def test_a_stored_candidate_of_an_earlier_run_has_no_calls() -> None:
    stored = encode(builders.candidate())
    del stored["calls"]
    assert decode(Candidate, stored) == builders.candidate()
    assert decode(Candidate, encode(chosen(Strategy.IRON_CONDOR))) == chosen(Strategy.IRON_CONDOR)


# What any of the five is worth.


@settings(deadline=None)
@given(spreads())
def test_the_bounds_of_the_value_are_those_of_every_price(spread: Spread) -> None:
    worths = [-owed(spread.legs, price) for price in PRICES]
    assert value_bounds(spread.legs) == (min(worths), max(worths))
    assert max_width(spread.legs) == spread.width == max(worths) - min(worths)
    assert price_effect(spread.legs) == (-1 if spread.strategy.is_debit else 1)


@settings(deadline=None)
@given(spreads(), st.integers(5, 95))
def test_loss_profit_and_payoff_of_a_proposal_are_those_of_every_price(spread: Spread, share: int) -> None:
    price = (spread.width * share / 100).quantize(D("0.01"))
    credit = -price if spread.strategy.is_debit else price
    costs = pricing.opening_costs(1, SETTINGS.costs, "SPY", len(spread.legs))
    walk = builders.price_plan(start=credit, limit=credit)
    made = plan.complete_proposal(
        builders.proposal_terms(strategy=spread.strategy, legs=spread.legs, quantity=1, plan=walk), SETTINGS
    )
    results = [(credit - owed(spread.legs, each)) * 100 - costs for each in PRICES]
    assert made.max_loss == max_loss(spread, credit, costs) == -min(results)
    assert made.max_profit == max(results)
    assert made.opening_costs == costs
    payoff = build_payoff(made, None)
    assert (payoff.best, payoff.worst) == (max(results), min(results))
    assert all(payoff.profit(each) == result for each, result in zip(PRICES, results, strict=True))
    assert len([mark for mark in payoff.marks if mark.sign in "SL"]) == len(spread.legs)
    trade = trades.trade(legs=spread.legs, credit=credit)
    assert trade_breakevens(trade) == breakevens(spread, credit)


def test_the_daily_loss_of_a_condor_takes_the_more_volatile_side() -> None:
    entry = chosen(Strategy.IRON_CONDOR)
    step = builders.SPOT * max(entry.short.iv, entry.calls[0].iv) / 252**0.5
    expected = (abs(entry.greeks.delta) * step + abs(entry.greeks.gamma) * step * step / 2) * 100
    assert float(one_sigma_loss(entry, builders.SPOT)) == pytest.approx(expected, abs=0.011)


# Plans and orders.


@pytest.mark.parametrize("strategy", OTHERS)
def test_the_walk_goes_from_the_mid_to_the_worst_price_tick_by_tick(strategy: Strategy) -> None:
    entry, made = chosen(strategy), terms_of(strategy)
    prices = made.plan.prices
    assert (prices[0], prices[-1]) == (entry.start, entry.floor)
    assert all(before - after == D("0.01") for before, after in pairwise(prices))
    assert (prices[0] < 0) is strategy.is_debit


@pytest.mark.parametrize("strategy", OTHERS)
def test_the_target_keeps_half_of_the_largest_profit(strategy: Strategy) -> None:
    made, exits = terms_of(strategy), terms_of(strategy).exit
    start, best = made.limit_price, -min(owed(made.legs, price) for price in PRICES)
    earned = start - exits.profit_target
    assert 0 <= earned - (start + best) / 2 < D("0.01")
    assert (exits.stop == 0) is strategy.is_debit
    assert ("no stop" in exits.note) is strategy.is_debit


@pytest.mark.parametrize("strategy", OTHERS)
def test_the_order_has_every_leg_and_the_effect_of_its_price(strategy: Strategy) -> None:
    made = terms_of(strategy)
    body = json.loads(plan.order_body(made.legs, 2, made.limit_price, "spy32-1", kind=OrderKind.ENTRY))
    assert body["price"] == f"{abs(made.limit_price):.2f}"
    assert body["price-effect"] == ("Debit" if strategy.is_debit else "Credit")
    assert [leg["symbol"] for leg in body["legs"]] == [leg.symbol for leg in made.legs]
    assert {leg["quantity"] for leg in body["legs"]} == {2}
    with pytest.raises(ValueError, match="premium cannot have the limit"):
        plan.order_body(made.legs, 2, -made.limit_price, "spy32-1", kind=OrderKind.ENTRY)
    with pytest.raises(ValueError, match="beyond the width"):
        too_much = (made.limit_price / abs(made.limit_price)) * (max_width(made.legs) + 1)
        plan.order_body(made.legs, 2, too_much, "spy32-1", kind=OrderKind.ENTRY)


@pytest.mark.parametrize("strategy", OTHERS)
def test_a_worse_floor_loses_more_and_one_beyond_the_start_is_refused(strategy: Strategy) -> None:
    made, own, tick = terms_of(strategy), settings_for(strategy), D("0.01")
    changed = plan.change_floor(made, made.floor_price - tick, own)
    assert changed.max_loss == made.max_loss + 2
    assert _candidate_at_floor(chosen(strategy), changed.floor_price).max_loss * 2 == changed.max_loss
    for floor in (made.limit_price + tick, -made.limit_price if strategy.is_debit else D(0)):
        with pytest.raises(Refused):
            plan.change_floor(made, floor, own)


@pytest.mark.parametrize("strategy", [Strategy.PUT_DEBIT, Strategy.CALL_DEBIT])
def test_a_debit_spread_is_closed_for_a_credit_that_walks_down(strategy: Strategy) -> None:
    opening = builders.proposal(strategy=strategy, legs=terms_of(strategy).legs, exit=terms_of(strategy).exit)
    trade = trades.trade(legs=opening.legs, credit=D("-1.20"), quantity=2)
    mark = builders.mark(trade.id, mid=D("-3.105"), natural=D("-3.00"))

    def close(**over: Decimal) -> plan.ProposalTerms:
        return closing.closing_proposal(opening, trade, closing.ExitReason.PERSON, mark, SETTINGS, **over)

    made = close()
    assert (made.plan.start, made.plan.limit) == (D("3.11"), D("2.98"))
    assert close(price=D("2.50")).plan.limit == D("2.50")
    assert not closing.is_outdated(made, made, D("-3.00"))
    assert closing.is_outdated(made, made, D("-3.20"))
    dead = builders.mark(trade.id, mid=D("-0.005"), natural=D("0.01"))
    least = closing.closing_proposal(opening, trade, closing.ExitReason.PERSON, dead, SETTINGS)
    assert (least.plan.start, least.plan.limit) == (D("0.01"), D("0.01"))
