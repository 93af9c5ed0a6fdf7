"""Trades of the report, their groups, and the account's path."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spy32.domain.orders import Trade
from spy32.domain.proposals import ExitReason
from spy32.lifecycle import TradeState
from spy32.records.report import TradeOrigin
from spy32.review.trade_results import TradeRow, equity, longest_streaks, money, trade_groups, trade_row
from tests.support import trades
from tests.support.builders import later

D = Decimal
MONDAY = date(2025, 10, 6)


def origin(**over: Any) -> TradeOrigin:
    base: dict[str, Any] = {
        "profile": "default", "strategy": "put_credit_spread", "analyst": "grok", "prompt": "v2", "vix": 16.5,
        "dte": 32, "short_delta": 0.21, "stated": 0.85, "settlement": None,
    }  # fmt: skip
    return TradeOrigin(**{**base, **over})


def ended(result: str = "50.00", **over: Any) -> Trade:
    base: dict[str, Any] = {
        "state": TradeState.CLOSED, "result": D(result), "closed_at": later(days=8), "debit": D("0.30"),
        "closed_quantity": 2, "exit_reason": ExitReason.TARGET,
    }  # fmt: skip
    return trades.trade(**{**base, **over})


def row(trade: Trade, **over: Any) -> TradeRow:
    return trade_row(trade, origin(**over), D("7.50"), D("3.00"))


def test_an_open_trade_has_its_mark_and_an_ended_one_its_result() -> None:
    held, over = row(trades.trade()).shown, row(ended()).shown
    assert (held.result, held.unrealized, held.days_held, held.credit_kept) == (None, D("7.50"), None, None)
    assert (over.result, over.unrealized, over.days_held, over.slippage) == (D("50.00"), None, 8, D("3.00"))
    assert over.credit_kept == pytest.approx(float(1 - D("0.30") / over.credit))


def test_what_holding_would_have_brought_is_the_premium_less_fees_and_what_settles() -> None:
    """The spread is 640/635: worthless at 650, two dollars a share in the money at 638 with one assignment, and the
    whole width below both strikes with an assignment and an exercise."""
    trade = ended()
    kept = trade.credit * 200 - trade.opening_fees
    for price, lost in (("650", "0"), ("640", "0"), ("638", "405"), ("630", "1010")):
        assert row(trade, settlement=D(price)).shown.holding == kept - D(lost)
    assert row(trade).shown.holding is None


def test_groups_name_what_is_alike_and_say_too_few() -> None:
    rows = [row(ended(exit_reason=ExitReason.STOP, result="-300.00"), vix=None, short_delta=None, prompt=None)]
    rows += [row(ended(id=number, opened_at=later(days=7 * number))) for number in range(31)]
    found = trade_groups(rows, 5)
    target, stop = found["exit"]
    assert (target.name, target.count, target.wins, target.mean) == ("target", 31, 31, D("50.00"))
    assert target.share is None, "a target wins always"
    (_, side) = found["vix"][::-1]
    assert side.share is not None and (side.share.mean, side.share.high) == (1.0, 1.0)
    assert side.share.low is not None and side.share.low < 0.9
    assert (stop.name, stop.count, stop.wins, stop.result) == ("stop", 1, 0, D("-300.00"))
    assert (stop.mean, stop.share) == (None, None)
    assert [group.name for group in found["vix"]] == ["15 to 20", "not known"]
    assert [group.name for group in found["delta"]] == ["0.20 to 0.25", "not known"]
    assert [group.name for group in found["prompt"]] == ["v2", "none"]
    assert [group.name for group in found["weekday"]] == ["Monday"]
    assert all(sum(group.count for group in groups) == 32 for groups in found.values())


@pytest.mark.parametrize(
    ("name", "value", "group"),
    [("vix", 14.9, "below 15"), ("vix", 15.0, "15 to 20"), ("vix", 80.0, "30 and more"), ("dte", 14, "below 15"),
     ("dte", 43, "43 and more"), ("short_delta", 0.25, "0.25 to 0.30"), ("short_delta", 0.1, "0.10 to 0.15"),
     ("short_delta", 0.15, "0.15 to 0.20"), ("strategy", "iron_condor", "condor")],
)  # fmt: skip
def test_a_bound_belongs_to_the_group_above_it(name: str, value: object, group: str) -> None:
    by = {"short_delta": "delta", "strategy": "side"}.get(name, name)
    assert [each.name for each in trade_groups([row(ended(), **{name: value})], 5)[by]] == [group]


def test_bands_go_from_low_to_high_and_other_groups_by_their_size() -> None:
    vix = (31.0, 12.0, 22.0, 23.0, 16.0, None)
    rows = [row(ended(id=number), vix=level, dte=9 + 10 * number) for number, level in enumerate(vix, start=1)]
    found = trade_groups([*rows, row(ended(id=9), analyst="rules", dte=44)], 5)
    assert [group.name for group in found["vix"]] == ["below 15", "15 to 20", "20 to 30", "30 and more", "not known"]
    assert [group.name for group in found["dte"]] == ["15 to 29", "29 to 43", "43 and more"]
    assert [group.name for group in found["analyst"]] == ["grok", "rules"]


def test_streaks() -> None:
    assert longest_streaks([D(1), D(1), D(-1), D(0), D(-2), D(5)]) == (2, 3)
    assert longest_streaks([]) == (0, 0)


def test_premium_less_closing_less_fees_is_the_result() -> None:
    found = money([ended("50.00"), ended("-300.00")])
    assert found is not None
    assert found.premium - found.closing_cost - found.fees == found.result == D("-250.00")
    assert money([]) is None


# The account's path.


def test_the_path_has_open_losses_that_closings_hide() -> None:
    marks = [(1, MONDAY, D(-400)), (1, MONDAY + timedelta(days=1), D(20)), (2, MONDAY + timedelta(days=1), D(-10))]
    found = equity({MONDAY + timedelta(days=2): D(30)}, marks, {1: MONDAY + timedelta(days=2)})
    assert [(point.realized, point.unrealized, point.drawdown) for point in found] == [
        (0, -400, -400), (0, 10, 0), (30, -10, 0),
    ]  # fmt: skip


def test_a_mark_after_the_end_counts_nothing() -> None:
    found = equity({MONDAY: D(30)}, [(1, MONDAY + timedelta(days=1), D(99))], {1: MONDAY})
    assert [point.unrealized for point in found] == [0, 0]
    assert equity({}, [], {}) == ()


@given(st.lists(st.integers(-500, 100), min_size=1, max_size=30))
def test_the_last_point_has_every_result_and_no_drawdown_is_positive(results: list[int]) -> None:
    realized = {MONDAY + timedelta(days=place): D(amount) for place, amount in enumerate(results)}
    found = equity(realized, [], {})
    assert found[-1].realized == sum(results)
    assert all(point.drawdown <= 0 for point in found)
    highest = max(0, *(int(point.realized) for point in found))
    assert found[-1].drawdown == found[-1].realized - highest
