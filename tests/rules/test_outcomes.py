"""What a candidate came to: the paper broker's fill, settlement by payoff and fees, the plan by simulated paths."""

from dataclasses import replace
from datetime import date
from decimal import ROUND_CEILING, Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spy32.domain.outcomes import DailyClose
from spy32.domain.proposals import ExitReason, PricePlan
from spy32.domain.spreads import Candidate
from spy32.markets.bundled_history import total_returns
from spy32.options.history import Scenarios, build_scenarios, count_windows
from spy32.options.plan_paths import closing_debits, simulate_plan
from spy32.options.spreads import exact_payoff
from spy32.rules.endings import MarketModel, SimulatedTrade, plan_terms
from spy32.rules.exits import STOP_INTERVAL
from spy32.rules.outcomes import (
    MODELLED,
    expiry_result,
    find_split,
    modelled_marks,
    opening_fill,
    plan_outcome,
    settlement_price,
)
from spy32.rules.outlook import build_market_model
from spy32.rules.plan import price_plan
from spy32.rules.pricing import paper_fill
from spy32.settings import Settings
from tests.support import builders, outcomes
from tests.support.shipped_menu import smile_of

D = Decimal
SETTINGS = Settings()
VIX = 16.5
CANDIDATES = (
    builders.candidate(), builders.candidate("650", "640"), builders.candidate("695", "700"),
    builders.candidate("680", "682"),
)  # fmt: skip
cents = st.integers(60_000, 74_000).map(lambda number: D(number) / 100)


# Fills.


@given(
    mid=st.integers(10, 900).map(lambda number: D(number) / 200),
    half=st.integers(1, 200).map(lambda number: D(number) / 200),
    share=st.sampled_from([D(0), D("0.25"), D(1)]),
)
def test_the_paper_fill_is_the_first_limit_that_gives_up_enough(mid: Decimal, half: Decimal, share: Decimal) -> None:
    natural = mid - half
    candidate = builders.candidate(natural=natural, mid=mid, start=mid, floor=natural)
    plan = replace(price_plan(candidate, SETTINGS), start=mid.quantize(D("0.01")) + D("0.01"), limit=natural)
    found = paper_fill(plan, natural, mid, share)
    enough = [limit for limit in plan.prices if mid - limit >= share * half / 2]
    assert found == max(enough)


def test_a_walk_that_ends_above_the_fill_counts_with_its_floor() -> None:
    tight = builders.candidate(natural=D("0.56"), mid=D("0.57"), start=D("0.57"), floor=D("0.57"))
    plan = PricePlan(start=D("0.57"), limit=D("0.57"), tick=D("0.01"), step_seconds=30, deadline_seconds=600)
    assert paper_fill(plan, tight.natural, tight.mid, D("0.25")) is None
    assert opening_fill(tight, SETTINGS) == D("0.57")


# Settlement.


@given(candidate=st.sampled_from(CANDIDATES), price=cents)
def test_held_to_expiration_it_is_the_payoff_less_costs_and_five_dollars_a_leg_in_the_money(
    candidate: Candidate, price: Decimal
) -> None:
    exercised = sum(
        (leg.strike - price if leg.right.value == "P" else price - leg.strike) >= D("0.01")
        for leg in candidate.spread.legs
    )
    fill = opening_fill(candidate, SETTINGS)
    expected = (fill + exact_payoff(candidate.spread, price)) * 100 - candidate.costs - 5 * exercised
    assert expiry_result(candidate, fill, price) == expected


def test_a_close_or_an_opening_settles_by_the_root() -> None:
    close = outcomes.close(open=D("668.00"))
    assert settlement_price(builders.spread(), close) == D("671.61")

    def of_root(root: str) -> Decimal | None:
        legs = tuple(replace(leg, root=root) for leg in builders.spread().legs)
        return settlement_price(replace(builders.spread(), legs=legs), close)

    assert (of_root("SPXW"), of_root("SPX"), of_root("SPY1")) == (D("671.61"), D("668.00"), None)


def test_a_price_of_another_scale_is_found() -> None:
    closes = [
        outcomes.close("2025-10-06", "671"),
        outcomes.close("2025-10-07", "600"),
        outcomes.close("2025-10-08", "300"),
    ]
    assert find_split(670.0, closes) == date(2025, 10, 8)
    assert find_split(670.0, closes[:2]) is None
    assert find_split(67.0, closes) == date(2025, 10, 6)


# The plan.


def market() -> tuple[MarketModel, Scenarios]:
    """Monday 10:00 with 32 days to expiration, and some windows of every decade."""
    snapshot = builders.snapshot()
    history = total_returns("SPY", snapshot.as_of)
    assert history is not None
    model = build_market_model(snapshot, smile_of(snapshot.chain))
    starts = np.arange(0, count_windows(history, model.horizon), 397)
    return model, build_scenarios(history, model.horizon, vix=VIX, starts=starts)


def closes_of(model: MarketModel, scenarios: Scenarios, row: int) -> list[DailyClose]:
    """The path of one scenario as closes."""
    spots = np.exp(model.log_spots(scenarios.close[row : row + 1]))[0]
    return [
        outcomes.close(f"{at:%Y-%m-%d}", f"{spot:.6f}", vix=float(ratio) * VIX)
        for at, spot, ratio in zip(model.closes, spots, scenarios.vix[row], strict=True)
    ]


def test_marks_and_exits_on_closes_are_those_of_the_simulated_plan() -> None:
    """With a fill at the mid, the first session that ends the simulated plan ends this one."""
    model, scenarios = market()
    settings = replace(SETTINGS, paper=replace(SETTINGS.paper, fill_share=D(0)))
    values = model.marks([each.spread for each in CANDIDATES], scenarios)
    seen = set()
    for row in range(len(scenarios.starts)):
        marks = modelled_marks(CANDIDATES, model, closes_of(model, scenarios, row), VIX)
        for candidate, found in zip(CANDIDATES, marks, strict=True):
            debits = closing_debits(candidate.spread, values)
            assert [float(mark.mid or 0) for mark in found[1::2]] == pytest.approx(
                np.maximum(debits[:, row], 0.0).tolist(), abs=0.002
            )
            plan = plan_outcome(candidate, builders.NOW, found, settings)
            assert plan is not None and plan.is_modelled
            terms, last_day = plan_terms(candidate, SimulatedTrade.open(candidate, settings), settings, builders.TODAY)
            count = sum(at.date() < last_day for at in model.closes) + 1
            at = simulate_plan(debits[:count], terms).session[row]
            assert plan.day == model.closes[at].date()
            mark = found[2 * at + 1]
            assert mark.mid is not None
            paid = min(max(mark.mid.quantize(D("0.01"), ROUND_CEILING), D("0.01")), candidate.spread.width)
            assert plan.result == (opening_fill(candidate, settings) - paid) * 100 - candidate.costs_round_trip
            seen.add(plan.reason)
    assert seen == {ExitReason.TARGET, ExitReason.STOP, ExitReason.TIME}


def test_a_modelled_mark_is_as_wide_as_the_menu_was_and_is_read_twice() -> None:
    model, scenarios = market()
    closes = closes_of(model, scenarios, 0)
    for candidate, marks in zip(CANDIDATES, modelled_marks(CANDIDATES, model, closes, VIX), strict=True):
        widths = {(mark.natural or D(0)) - (mark.mid or D(0)) for mark in marks}
        assert widths == {candidate.mid - candidate.natural}
        assert [mark.at for mark in marks[1::2]] == [*model.closes]
        assert {later.at - first.at for first, later in zip(marks[::2], marks[1::2], strict=True)} == {STOP_INTERVAL}


def test_without_closes_nothing_is_known() -> None:
    model, _ = market()
    assert modelled_marks(CANDIDATES, model, [], VIX) == [()] * 4
    assert plan_outcome(CANDIDATES[0], builders.NOW, (), SETTINGS) is None


def test_a_mark_that_cannot_price_a_close_closes_nothing_and_a_later_one_does() -> None:
    model, scenarios = market()
    (marks,) = modelled_marks(CANDIDATES[:1], model, closes_of(model, scenarios, 0), VIX)
    found = plan_outcome(CANDIDATES[0], builders.NOW, marks, SETTINGS)
    assert found is not None
    blind = [replace(mark, mid=None, natural=None) if mark.at.date() <= found.day else mark for mark in marks]
    later = plan_outcome(CANDIDATES[0], builders.NOW, blind, SETTINGS)
    assert later is not None and later.day > found.day
    assert {mark.source for mark in marks} == {MODELLED}
