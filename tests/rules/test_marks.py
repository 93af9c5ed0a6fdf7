"""Marks: prices, results, distances and greeks against hand-computed figures, and what a mark is flagged for."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from math import inf, nan, sqrt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spy32.domain.codec import canonical_json, decode
from spy32.domain.marks import Mark, MarkFlag
from spy32.domain.spreads import Mode
from spy32.rules.marks import closing_result, mark_trade
from spy32.rules.pricing import leg_greeks
from spy32.settings import Settings
from tests.support import builders
from tests.support.builders import later
from tests.support.trades import Sides, call_trade, quotes, trade

D = Decimal
SETTINGS = Settings()
SHORT, LONG = (4.81, 4.85), (4.24, 4.28)
"""The builders' quotes: to close costs 4.85 - 4.24 = 0.61, at the mids 4.83 - 4.26 = 0.57."""


def marked(short: Sides = SHORT, long: Sides = LONG, **over: Any) -> Mark:
    of = over.pop("of", trade())
    now = over.pop("now", builders.NOW)
    is_recorded = over.pop("is_recorded", False)
    return mark_trade(of, quotes(short, long, legs=of.legs, **over), SETTINGS, now, is_recorded=is_recorded)


# Figures.


def test_a_mark_is_what_a_hand_computes() -> None:
    """Two spreads sold at 0.58 with fees of 4.52. At 0.57: (0.58 - 0.57) x 200 - 4.52 - 2 x 0.26 to close = -3.04.
    The most they can earn is 0.58 x 200 - 4.52 = 111.48. The spot is 670, the short put 640."""
    found = marked()
    assert (found.mid, found.natural, found.unrealized) == (D("0.57"), D("0.61"), D("-3.04"))
    assert found.of_max_profit == pytest.approx(-3.04 / 111.48)
    assert (found.quantity, found.dte, found.spot, found.source) == (2, 32, 670.0, "cboe")
    assert found.distance_percent == pytest.approx(30 / 670 * 100)
    assert (found.at, found.as_of, found.trade_id) == (builders.NOW, builders.NOW, 1)
    assert (found.flags, found.is_usable, found.two_sided) == ((), True, True)
    assert [(leg.bid, leg.ask) for leg in found.legs] == [SHORT, LONG]
    assert [leg.symbol for leg in found.legs] == [leg.symbol for leg in trade().legs]


@pytest.mark.parametrize(
    ("over", "unrealized", "of_max"),
    [
        ({}, "-3.04", -3.04 / 111.48),
        ({"quantity": 1, "fees": D("2.26")}, "-1.52", -1.52 / 55.74),
        ({"closed_quantity": 1}, "-1.52", -1.52 / 55.74),  # half of the fees so far belongs to what is left
        ({"fees": D("0")}, "1.48", 1.48 / 116),
        ({"credit": D("0.02")}, "-115.04", None),  # it can earn nothing
        ({"credit": D("0.03"), "quantity": 1, "fees": D("2.26")}, "-56.52", -56.52 / 0.74),
        ({"closed_quantity": 2}, "0", None),
    ],
)
def test_the_unrealized_result_is_of_what_is_held_after_fees_and_costs(
    over: dict[str, Any], unrealized: str, of_max: float | None
) -> None:
    found = marked(of=trade(**over))
    assert found.unrealized == D(unrealized)
    assert found.of_max_profit == (pytest.approx(of_max) if of_max is not None else None)


def test_the_greeks_are_of_the_whole_position_from_our_side() -> None:
    """Short 200 shares' worth of the upper put, long as many of the lower one."""
    short, long = (leg_greeks(leg, quotes(SHORT, LONG), 0.04, builders.NOW) for leg in trade().legs)
    found = marked().greeks
    assert short is not None
    assert long is not None
    assert found is not None
    for name in ("delta", "gamma", "theta", "vega"):
        assert getattr(found, name) == pytest.approx(200 * (getattr(long.greeks, name) - getattr(short.greeks, name)))
    assert found.delta > 0
    assert found.theta > 0
    assert [leg.delta for leg in marked().legs] == [short.greeks.delta, long.greeks.delta]
    assert [leg.iv for leg in marked().legs] == [short.iv, long.iv]
    half = marked(of=trade(closed_quantity=1)).greeks
    assert half is not None
    assert half.delta == pytest.approx(found.delta / 2)


def test_without_the_volatility_of_a_leg_there_are_no_greeks_of_the_position() -> None:
    found = marked(long=(0.0, 0.0))
    assert found.greeks is None
    assert found.legs[0].delta is not None
    assert (found.legs[1].iv, found.legs[1].delta) == (None, None)


@pytest.mark.parametrize(("spot", "percent"), [(670.0, 30 / 670), (640.0, 0.0), (632.0, -8 / 632)])
def test_the_distance_is_that_of_the_short_put_and_negative_in_the_money(spot: float, percent: float) -> None:
    assert marked(spot=spot).distance_percent == pytest.approx(percent * 100)


def test_the_distance_of_a_call_is_the_other_way_round() -> None:
    found = marked((3.0, 3.1), (2.0, 2.1), of=call_trade())
    assert found.distance_percent == pytest.approx(25 / 670 * 100)


def test_the_nearest_short_strike_counts() -> None:
    both = trade(legs=(*trade().legs, *call_trade().legs))
    given = quotes(SHORT, LONG)
    calls = quotes((3.0, 3.1), (2.0, 2.1), legs=call_trade().legs)
    given = replace(given, quotes={**given.quotes, **calls.quotes})
    assert mark_trade(both, given, SETTINGS, builders.NOW).distance_percent == pytest.approx(25 / 670 * 100)
    assert both.width == 5


def test_expected_moves_are_at_the_volatility_of_the_short_leg() -> None:
    found = marked()
    years = (datetime.fromisoformat("2025-11-07T21:00:00+00:00") - builders.NOW) / timedelta(days=365)
    iv = found.legs[0].iv
    assert iv is not None
    assert found.distance_moves == pytest.approx(30 / (670 * iv * sqrt(years)))
    assert marked(long=(0.0, 0.0)).distance_moves == pytest.approx(found.distance_moves)
    assert marked(short=(0.0, 0.0)).distance_moves is None


def test_after_the_close_of_the_last_day_there_are_no_moves_and_no_greeks() -> None:
    over = later(days=40)
    found = marked(now=over, as_of=over)
    assert (found.dte, found.distance_moves, found.greeks) == (-8, None, None)


# Flags.


@pytest.mark.parametrize(
    ("short", "long", "flags"),
    [
        (SHORT, LONG, ()),
        ((0.01, 0.02), (0.0, 0.01), ()),  # worth almost nothing, and two-sided
        ((None, 4.85), LONG, (MarkFlag.ONE_SIDED,)),
        (SHORT, (4.24, None), (MarkFlag.ONE_SIDED,)),
        (SHORT, (None, None), (MarkFlag.ONE_SIDED,)),
        ((0.0, 0.0), LONG, (MarkFlag.ONE_SIDED,)),
        ((-0.01, 4.85), LONG, (MarkFlag.ONE_SIDED,)),
        ((nan, 4.85), LONG, (MarkFlag.ONE_SIDED,)),
        ((4.81, inf), LONG, (MarkFlag.ONE_SIDED,)),
        ((4.85, 4.81), LONG, (MarkFlag.CROSSED,)),
        (SHORT, (4.28, 4.24), (MarkFlag.CROSSED,)),
        ((4.85, 4.85), LONG, ()),  # locked is not crossed
        ((4.85, 4.81), (4.24, None), (MarkFlag.ONE_SIDED, MarkFlag.CROSSED)),
        ((9.00, 9.10), (4.00, 4.10), ()),  # 4.90 to 5.10: a deep spread, and 5 is possible
        ((9.00, 9.10), (3.96, 4.04), ()),  # 4.96 to 5.14, the mid of 5.05 beyond the width
        ((9.11, 9.21), (4.00, 4.10), (MarkFlag.IMPOSSIBLE,)),  # 5.01 at the least
        ((0.01, 0.02), (0.02, 0.03), ()),  # -0.02 to 0.00
        ((0.01, 0.02), (0.03, 0.04), (MarkFlag.IMPOSSIBLE,)),  # -0.01 at the most
    ],
)
def test_a_mark_is_flagged_for_quotes_that_cannot_decide(
    short: Sides, long: Sides, flags: tuple[MarkFlag, ...]
) -> None:
    found = marked(short, long)
    assert found.flags == flags
    assert found.is_usable is not bool(flags)
    assert found.two_sided is (MarkFlag.ONE_SIDED not in flags)
    has_mid = MarkFlag.ONE_SIDED not in flags and MarkFlag.CROSSED not in flags
    assert (found.mid is not None, found.natural is not None, found.unrealized is not None) == (has_mid,) * 3


def test_a_leg_without_any_quote_is_one_sided() -> None:
    given = quotes(SHORT, LONG)
    short = trade().legs[0].symbol
    found = mark_trade(trade(), replace(given, quotes={short: given.quotes[short]}), SETTINGS, builders.NOW)
    assert found.flags == (MarkFlag.ONE_SIDED,)
    assert (found.legs[1].bid, found.legs[1].ask, found.legs[1].iv) == (None, None, None)
    assert (found.mid, found.unrealized, found.of_max_profit) == (None, None, None)
    assert found.distance_moves is not None


@pytest.mark.parametrize("spot", [0.0, -1.0, nan, inf])
def test_a_spot_that_is_no_price_is_impossible_and_gives_no_distance(spot: float) -> None:
    found = marked(spot=spot)
    assert found.flags == (MarkFlag.IMPOSSIBLE,)
    assert (found.distance_percent, found.distance_moves, found.greeks) == (None, None, None)


@pytest.mark.parametrize(
    ("mode", "age", "is_stale"),
    [
        (Mode.PAPER, 0, False),
        (Mode.PAPER, 1200, False),  # free sources are a quarter of an hour behind
        (Mode.PAPER, 1201, True),
        (Mode.PAPER, -120, False),
        (Mode.PAPER, -121, True),
        (Mode.SANDBOX, 1200, False),
        (Mode.LIVE, 10, False),
        (Mode.LIVE, 11, True),
    ],
)
def test_old_quotes_are_stale_and_so_are_those_of_the_future(mode: Mode, age: int, is_stale: bool) -> None:
    found = marked(of=trade(mode=mode), as_of=later(-age))
    assert (MarkFlag.STALE in found.flags) is is_stale
    assert found.mid == D("0.57")
    assert not marked(of=trade(mode=mode), as_of=later(-age), is_recorded=True).flags


# Kept as they are.


@pytest.mark.parametrize("spot", [670.0, 0.0, -1.0])
@pytest.mark.parametrize("short", [SHORT, (nan, inf), (None, None), (4.85, 4.81), (0.0, 0.0)])
def test_every_mark_can_be_stored_and_read_again(short: Sides, spot: float) -> None:
    found = marked(short, spot=spot)
    assert decode(Mark, json.loads(canonical_json(found))) == found


# Results.


@pytest.mark.parametrize(
    ("debit", "quantity", "result"),
    [("0.29", 2, "52.96"), ("0.29", 1, "26.48"), ("5.00", 2, "-889.04"), ("0.00", 2, "110.96"), ("0.585", 1, "-3.02")],
)
def test_the_result_of_a_close_is_after_its_share_of_the_fees_and_its_own_costs(
    debit: str, quantity: int, result: str
) -> None:
    """At 0.29: 0.29 x 200 - 4.52 - 0.52 = 52.96."""
    assert closing_result(trade(), D(debit), quantity, SETTINGS) == D(result)


def test_what_closing_a_part_cost_is_no_cost_of_what_remains() -> None:
    """At a mid of 0.57: 0.58 x 100 - 57 - 4.52 / 2 - 0.26 = -1.52."""
    half = trade(fees=D("6.78"), opening_fees=D("4.52"), closed_quantity=1)
    found = marked(of=half)
    assert (found.mid, found.unrealized) == (D("0.57"), D("-1.52"))
    assert found.of_max_profit == pytest.approx(-1.52 / 55.74)


PRICES = st.decimals(min_value=0, max_value=5, places=2)


@given(st.integers(1, 10), st.data(), PRICES, PRICES, st.decimals(min_value=0, max_value=50, places=2))
def test_unrealized_and_realized_parts_add_up(
    quantity: int, data: st.DataObject, credit: Decimal, debit: Decimal, fees: Decimal
) -> None:
    """What is closed and what is left, each after its share, is the whole but for the rounding of two cents."""
    closed = data.draw(st.integers(1, quantity))
    whole = trade(quantity=quantity, credit=credit, fees=fees)
    parts = closing_result(whole, debit, closed, SETTINGS)
    if closed < quantity:
        parts += closing_result(whole, debit, quantity - closed, SETTINGS)
    assert abs(parts - closing_result(whole, debit, quantity, SETTINGS)) <= D("0.02")


@given(PRICES, PRICES)
def test_a_dearer_close_earns_less_by_exactly_the_difference(debit: Decimal, more: Decimal) -> None:
    cheap, dear = (closing_result(trade(), price, 2, SETTINGS) for price in (debit, debit + more))
    assert cheap - dear == more * 200


@given(st.floats(0.05, 4.9), st.floats(0, 0.2), st.floats(0.05, 4.9), st.floats(0, 0.2))
def test_the_mid_is_never_above_the_natural(short: float, wide: float, long: float, wider: float) -> None:
    found = marked((round(short, 2), round(short + wide, 2)), (round(long, 2), round(long + wider, 2)))
    assert found.mid is not None
    assert found.natural is not None
    assert found.mid <= found.natural
