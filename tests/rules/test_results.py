"""What trades earned, against tables computed by hand, to the cent."""

import re
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spy32.domain.marks import Mark
from spy32.domain.orders import Trade
from spy32.domain.proposals import ExitReason
from spy32.domain.results import CashFlow, CashFlowKind, TradeResult
from spy32.lifecycle import TradeState
from spy32.rules.results import realized_profit, result_totals, split_by_day, trade_result, unrealized_change
from tests.support import builders as b
from tests.support import run_views
from tests.support.paths import ROOT

D = Decimal
OPENING, CLOSING, SETTLEMENT = CashFlowKind
OPENED = b.later(minutes=7)


def opening(spreads: int = 2, credit: str = "0.58", mid: str | None = "0.585", fees: str = "4.52") -> CashFlow:
    amount = D(credit) * 100 * spreads
    return CashFlow(
        kind=OPENING, at=OPENED, amount=amount, fees=D(fees), spreads=spreads, mid=D(mid) if mid is not None else None
    )


def closing(debit: str, spreads: int = 2, *, days: int = 3, mid: str | None = None, fees: str = "0.52") -> CashFlow:
    """A close at a debit; `mid` is a debit, too."""
    return CashFlow(
        kind=CLOSING,
        at=b.later(days=days),
        amount=-D(debit) * 100 * spreads,
        fees=D(fees),
        spreads=spreads,
        mid=-D(mid) if mid is not None else None,
    )


def settlement(amount: str, fees: str = "0", *, days: int = 32, spreads: int = 0) -> CashFlow:
    return CashFlow(kind=SETTLEMENT, at=b.later(days=days), amount=D(amount), fees=D(fees), spreads=spreads)


def ended(result: str, *, days: int = 3, state: TradeState = TradeState.CLOSED, **over: Any) -> Trade:
    base = {"closed_quantity": 2, "result": D(result), "closed_at": b.later(days=days), "state": state}
    return run_views.trade(**{**base, **over})


def computed(trade: Trade, *flows: CashFlow, mark: Mark | None = None) -> TradeResult:
    return trade_result(trade, flows, mark)


def mark(unrealized: str, quantity: int = 2, **over: Any) -> Mark:
    return b.mark(5, unrealized=D(unrealized), quantity=quantity, **over)


# One trade. By its fills the maximum profit is (58 - 2.26) x 2 = 111.48, the maximum loss
# (500 - 58 + 2.26) x 2 = 888.52.

TABLE = {
    # 116.00 - 58.00 - 4.52 - 0.52; the mid was 0.29, so nothing was lost to the market when closing
    "target": (
        ended("52.96"),
        (opening(), closing("0.29", mid="0.29")),
        {"realized_profit": "52.96",
         "premium": "116.00", "closing_cost": "58.00", "fees": "5.04", "opening_slippage": "1.00",
         "closing_slippage": "0.00", "days_held": 3, "credit_kept": 58 / 116, "of_max_profit": 52.96 / 111.48,
         "of_max_loss": None},
    ),
    # 116.00 - 348.00 - 4.52 - 0.52; 1.72 was the mid, so 2 cents a share on 200 shares
    "stop": (
        ended("-237.04"),
        (opening(), closing("1.74", mid="1.72")),
        {"realized_profit": "-237.04",
         "closing_cost": "348.00", "closing_slippage": "4.00", "credit_kept": 1 - 348 / 116,
         "of_max_profit": None, "of_max_loss": 237.04 / 888.52},
    ),
    # nothing to pay, nothing to close
    "expired": (
        ended("111.48", days=32, state=TradeState.EXPIRED),
        (opening(), settlement("0", spreads=2)),
        {"realized_profit": "111.48",
         "closing_cost": "0", "closing_slippage": None, "days_held": 32, "credit_kept": 1.0,
         "of_max_profit": 1.0},
    ),
    # both legs in the money: 116.00 - 1,000.00 - 4.52 - 10.00, two legs at $5 whatever the quantity
    "maximum loss": (
        ended("-898.52", days=32),
        (opening(), settlement("-1000.00", "10.00", spreads=2)),
        {"realized_profit": "-898.52",
         "settlement_fees": "10.00", "fees": "14.52", "credit_kept": 1 - 1000 / 116,
         "of_max_loss": 898.52 / 888.52},
    ),
    # assigned at 640, 200 shares sold at 638.50 a session later: 116.00 - 300.00 - 4.52 - 5.00
    "assigned and sold": (
        ended("-193.52", days=35),
        (opening(), settlement("-128000.00", "5.00"), settlement("127700.00", days=35)),
        {"realized_profit": "-193.52", "closing_cost": "300.00", "settlement_fees": "5.00", "days_held": 35,
         "of_max_loss": 193.52 / 888.52},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLE)
def test_an_ended_trade_equals_the_table(name: str) -> None:
    trade, flows, expected = TABLE[name]
    found = computed(trade, *flows)
    for field, figure in expected.items():
        wanted = D(figure) if isinstance(figure, str) else figure
        value = getattr(found, field)
        assert value == (pytest.approx(wanted) if isinstance(wanted, float) else wanted), field
    assert (found.open_cash, found.unrealized, found.marked_at) == (0, None, None)


def test_a_part_that_is_closed_has_its_share_and_the_rest_is_open() -> None:
    trade = run_views.trade(closed_quantity=1, state=TradeState.CLOSING)
    found = computed(trade, opening(), closing("0.30", 1, fees="0.26"), mark=mark("40.00"))
    # (116.00 - 4.52) / 2 - 30.00 - 0.26
    assert (found.realized_profit, found.open_cash) == (D("25.48"), D("55.74"))
    assert found.unrealized == D("20.00")
    assert found.credit_kept == pytest.approx(28 / 58)
    assert found.of_max_profit == pytest.approx(25.48 / 55.74)
    assert (found.days_held, found.exit_reason) == (None, None)


def test_shares_of_the_maximum_are_of_what_was_filled_not_of_the_approved_limit() -> None:
    # Opened at 0.55, where 0.58 was approved: at most (55 - 2.26) x 2 = 105.48 is kept or (500 - 55 + 2.26) x 2 lost.
    filled = {"credit": D("0.55"), "max_loss": D("894.52")}
    target = computed(ended("46.96", **filled), opening(credit="0.55"), closing("0.29"))
    assert target.of_max_profit == pytest.approx(46.96 / 105.48)
    stop = computed(ended("-237.04", **filled), opening(credit="0.55"), closing("1.71"))
    assert stop.of_max_loss == pytest.approx(237.04 / 894.52)


def test_an_open_trade_has_earned_nothing_yet() -> None:
    found = computed(run_views.trade(), opening(), mark=mark("12.34"))
    assert (found.realizations, found.realized_profit, found.open_cash) == ((), 0, D("111.48"))
    assert (found.unrealized, found.marked_at) == (D("12.34"), b.later(900))
    assert (found.credit_kept, found.of_max_profit, found.of_max_loss) == (None, None, None)


def test_an_assigned_trade_stays_as_last_marked_until_its_shares_are_sold() -> None:
    trade = run_views.trade(state=TradeState.ASSIGNED, closed_quantity=2)
    found = computed(trade, opening(), settlement("-128000.00", "5.00"), mark=mark("-200.00"))
    assert (found.realized_profit, found.unrealized) == (0, D("-200.00"))
    assert (found.credit_kept, found.of_max_loss) == (None, None)
    assert found.open_cash == D("-127893.52")


def test_a_resting_target_and_a_close_by_hand_have_no_slippage() -> None:
    assert computed(ended("52.96"), opening(mid=None), closing("0.29")).opening_slippage is None
    assert computed(ended("52.96"), opening(), closing("0.29")).closing_slippage is None


def test_a_better_fill_than_the_mid_is_a_negative_slippage() -> None:
    found = computed(ended("1"), opening(mid="0.57"), closing("0.29", mid="0.31"))
    assert (found.opening_slippage, found.closing_slippage) == (D("-2.00"), D("-4.00"))


def test_thirds_are_rounded_to_the_cent_and_the_rest_comes_last() -> None:
    trade = ended("153.50", quantity=3, closed_quantity=3)
    flows = [opening(3, "0.555", None, "10.00"), *(closing("0.01", 1, days=day, fees="0") for day in (1, 2, 3))]
    # (166.50 - 10.00) / 3 = 52.1666... - 1.00 each
    parts = [part.amount for part in computed(trade, *flows).realizations]
    assert parts == [D("51.17"), D("51.17"), D("51.17"), D("-0.01")]


def test_fees_that_become_known_later_count_on_the_day_of_the_end() -> None:
    found = computed(ended("52.00"), opening(fees="5.48"), closing("0.29"))
    assert [(part.at, part.amount) for part in found.realizations] == [(b.later(days=3), D("52.00"))]
    manual = computed(ended("60.00"), opening())
    assert [(part.at, part.amount) for part in manual.realizations] == [(b.later(days=3), D("60.00"))]


@given(
    st.integers(1, 10),
    st.lists(st.tuples(st.integers(1, 4), st.decimals("0.01", "5", places=2), st.decimals(0, 9, places=4)), max_size=5),
)
def test_realised_and_open_cash_are_always_all_the_cash(quantity: int, closes: list[tuple[int, D, D]]) -> None:
    flows = [opening(quantity), *(closing(str(debit), n, fees=str(fees)) for n, debit, fees in closes)]
    found = computed(run_views.trade(quantity=quantity, closed_quantity=sum(n for n, _, _ in closes)), *flows)
    assert found.realized_profit + found.open_cash == sum(flow.amount - flow.fees for flow in flows)


def test_an_order_that_fills_over_days_is_a_flow_a_day() -> None:
    legs = tuple(replace(leg, action=leg.action.closing) for leg in b.spread().legs)
    short, long = b.fills(legs, 3, ("2.00", "1.70"), at=b.later(900))
    days = [
        (replace(short, quantity=1), replace(long, quantity=2)),
        tuple(replace(fill, quantity=count, at=b.later(days=2)) for fill, count in ((short, 2), (long, 1))),
    ]
    found = list(split_by_day(CLOSING, (*days[0], *days[1]), legs, fees=D("0.77"), mid=None))
    # 2 x 170 - 200, then 170 - 2 x 200; three contracts of six each bear 0.385 of the fees
    assert [(flow.at, flow.amount, flow.fees, flow.spreads) for flow in found] == [
        (b.later(900), D(140), D("0.38"), 1),
        (b.later(days=2), D(-230), D("0.39"), 2),
    ]


# Totals. The builders' day is Monday, 2025-10-06.


def realized(amount: str, days: float, **over: Any) -> TradeResult:
    return computed(ended(amount, days=int(days), **over), opening())


def test_week_and_month_begin_at_midnight_in_new_york() -> None:
    results = [realized(str(10**power), days) for power, days in enumerate((0, -1, -3, -7, 2))]
    found = result_totals(results, date(2025, 10, 8), earlier=D("0.50"))
    # 0: Monday; -1: Sunday 5; -3: Friday 3; -7: September 29; 2: Wednesday 8
    assert (found.week, found.month, found.total) == (D(10001), D(10111), D("11111.50"))
    assert (found.week_start, found.month_start) == (date(2025, 10, 6), date(2025, 10, 1))
    assert realized_profit(results, date(2025, 10, 6), date(2025, 10, 7)) == 1


def test_open_trades_are_summed_up_by_their_marks_and_missing_ones_are_named() -> None:
    open_results = [
        computed(run_views.trade(), opening(), mark=mark("12.00")),
        computed(run_views.trade(id=6), opening(), mark=mark("-50.00")),
        computed(run_views.trade(id=7), opening()),
    ]
    found = result_totals([*open_results, realized("9.00", 1)], date(2025, 10, 8))
    assert (found.unrealized, found.unmarked, found.total) == (D("-38.00"), (7,), D("9.00"))


# The weekly loss.

MONDAY = date(2025, 10, 6)


def test_the_change_of_a_mark_counts_for_what_is_still_held() -> None:
    held = run_views.trade(closed_quantity=1)
    found = computed(held, opening(), closing("0.30", 1), mark=mark("-30.00", 1))
    assert unrealized_change(held, found, mark("-40.00", 2), MONDAY) == D("-10.00")
    assert unrealized_change(held, found, None, MONDAY) == D("-30.00")


@pytest.mark.parametrize(
    ("opened", "unrealized", "change"),
    [(0, "900.00", 900), (-7, "900.00", 0), (-7, "-900.00", -900), (0, "-900.00", -900)],
)
def test_without_a_mark_of_last_week_an_older_gain_is_none_of_this_week(
    opened: int, unrealized: str, change: int
) -> None:
    held = run_views.trade(opened_at=b.later(days=opened))
    found = computed(held, opening(), mark=mark(unrealized))
    assert unrealized_change(held, found, None, MONDAY) == change


def test_without_a_mark_nothing_has_changed() -> None:
    trade = run_views.trade()
    assert unrealized_change(trade, computed(trade, opening()), mark("5.00"), MONDAY) == 0
    over = ended("52.96")
    assert unrealized_change(over, computed(over, opening(), mark=mark("5.00")), None, MONDAY) == 0


# The worked example of the documents.


def test_the_worked_example_is_computed() -> None:
    trade = ended("46.96", days=11, exit_reason=ExitReason.TIME)
    target, time_exit = closing("0.29", 1, days=6, fees="0.26"), closing("0.35", 1, days=11, mid="0.34", fees="0.26")
    found = computed(trade, opening(), target, time_exit)
    text = (ROOT / "docs" / "results.md").read_text()
    table = dict(re.findall(r"^\| ([a-z][^|]+?) \| [^|]+ \| (-?[0-9.]+ ?%?) \|$", text, re.MULTILINE))
    assert table == {
        "premium": f"{found.premium:.2f}",
        "closing cost": f"{found.closing_cost:.2f}",
        "fees": f"{found.fees:.2f}",
        "realised by the target": f"{found.realizations[0].amount:.2f}",
        "realised by the time exit": f"{found.realizations[1].amount:.2f}",
        "result": f"{found.realized_profit:.2f}",
        "slippage to open": f"{found.opening_slippage:.2f}",
        "slippage to close": f"{found.closing_slippage:.2f}",
        "credit kept": f"{(found.credit_kept or 0) * 100:.1f} %",
        "of the maximum profit": f"{(found.of_max_profit or 0) * 100:.1f} %",
        "days held": f"{found.days_held}",
    }
    assert found == replace(found, exit_reason=ExitReason.TIME)
