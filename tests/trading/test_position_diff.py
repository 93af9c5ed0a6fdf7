"""Our view beside the broker's: holdings, orders placed by hand, targets, and the reasons of each difference."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from spy32.domain.orders import OrderKind, Trade
from spy32.domain.spreads import Mode, Position
from spy32.domain.transactions import TransactionKind
from spy32.errors import Refused, Unavailable, Unresolved
from spy32.lifecycle import OrderState, TradeState
from spy32.rules import plan
from spy32.trading.position_diff import compare_with_broker
from spy32.trading.profit_target import place_target
from spy32.trading.reconcile import adopt_trades, reconcile
from tests.support import builders
from tests.support.open_trades import LONG, SHORT, D, bought_back, entered, held, late_target, line, live_desk, number
from tests.support.stores import move_trade
from tests.support.trading import TradingDesk

OTHER = "SPY   251107C00700000"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[TradingDesk]:
    made = live_desk(tmp_path)
    yield made
    made.store.close()


@pytest.fixture
def trade(desk: TradingDesk) -> Trade:
    made = entered(desk)
    held(desk, short=-2, long=2)
    return made


def by_hand(desk: TradingDesk, reference: str = "") -> str:
    """An order that the person placed in the broker's app."""
    body = plan.order_body(builders.spread().legs, 1, D("0.60"), reference or "x", kind=OrderKind.ENTRY)
    placed = desk.orders.submit(body)
    desk.orders.book[placed.broker_id] = replace(placed, reference=reference)
    return placed.broker_id


def test_both_views_of_an_untouched_account_agree(desk: TradingDesk, trade: Trade) -> None:
    found = compare_with_broker(desk.trading_context)
    assert [(each.symbol, each.ours, each.broker, each.why) for each in found.holdings] == [
        (LONG, 2, 2, ""),
        (SHORT, -2, -2, ""),
    ]
    assert (found.differs, found.foreign_orders, found.gone, found.errors) == (
        False,
        (),
        (),
        (),
    )


def test_what_was_closed_in_part_is_ours_no_more(desk: TradingDesk, trade: Trade) -> None:
    held(desk, short=-1, long=1)
    bought_back(desk, 1)
    adopt_trades(desk.trading_context, compare_with_broker(desk.trading_context).adoptable)
    assert not compare_with_broker(desk.trading_context).differs


def test_an_order_placed_by_hand_is_listed_and_explains_its_contracts(desk: TradingDesk, trade: Trade) -> None:
    broker_id = by_hand(desk)
    desk.orders.fill(broker_id)
    held(desk, short=-3, long=3)
    found = compare_with_broker(desk.trading_context)
    assert [(each.order.broker_id, each.ours) for each in found.foreign_orders] == [(broker_id, None)]
    assert {each.why for each in found.holdings} == {f"order {broker_id}, not ours, Filled"}


def test_an_order_by_hand_that_ended_without_a_fill_is_no_matter(desk: TradingDesk, trade: Trade) -> None:
    desk.orders.cancel(by_hand(desk))
    assert compare_with_broker(desk.trading_context).foreign_orders == ()


def test_an_order_that_our_book_has_as_absent_and_the_broker_shows_is_told(desk: TradingDesk) -> None:
    target = late_target(desk, entered(desk))
    (found,) = compare_with_broker(desk.trading_context).foreign_orders
    assert found.ours is not None
    assert (found.ours.reference, found.ours.state) == (target.reference, OrderState.ABSENT)


def test_a_contract_that_is_only_the_broker_s_is_no_difference_of_ours(desk: TradingDesk, trade: Trade) -> None:
    positions = (*desk.account.account.positions, Position(symbol=OTHER, quantity=1))
    desk.account.account = replace(desk.account.account, positions=positions)
    found = compare_with_broker(desk.trading_context)
    assert found.differs
    assert all(each.agrees or not each.ours for each in found.holdings)
    (foreign,) = [each for each in found.holdings if not each.ours]
    assert foreign.why == "nothing in the broker's orders and transactions explains it"
    desk.account.history = (
        line(5, OTHER, TransactionKind.TRADE, at=builders.NOW),
        line(6, OTHER, TransactionKind.OTHER, at=builders.NOW),
    )
    (foreign,) = [each for each in compare_with_broker(desk.trading_context).holdings if not each.ours]
    assert foreign.why == "traded by hand 2025-10-06"


def test_shares_and_a_leg_that_an_assignment_left_are_explained_by_it(desk: TradingDesk, trade: Trade) -> None:
    held(desk, long=2, SPY=200)
    desk.account.history = (line(1, SHORT, TransactionKind.ASSIGNMENT),)
    (after,) = adopt_trades(desk.trading_context, compare_with_broker(desk.trading_context).adoptable)
    assert after.state is TradeState.ASSIGNED
    found = compare_with_broker(desk.trading_context)
    assert {each.symbol: each.why for each in found.holdings} == {LONG: "assigned: T1", "SPY": "assigned: T1"}
    assert found.gone == ()
    assert all(each.agrees or not each.ours for each in found.holdings)


def test_a_target_that_works_is_shown_and_one_that_is_missing_too(desk: TradingDesk, trade: Trade) -> None:
    found = compare_with_broker(desk.trading_context)
    assert (found.targets, found.without_target) == ((), (trade,))
    target = place_target(desk.trading_context, trade.proposal_id)
    found = compare_with_broker(desk.trading_context)
    assert (found.targets, found.without_target) == (((trade, target),), ())


def test_a_trade_whose_plan_leaves_no_target_or_that_is_closing_misses_none(desk: TradingDesk) -> None:
    entered(desk, rests=False)
    other = entered(desk)
    move_trade(desk.store, number(other), now=TradeState.CLOSING, at=desk.clock())
    assert compare_with_broker(desk.trading_context).without_target == ()


def test_what_cannot_be_read_is_a_trouble_of_the_view(desk: TradingDesk, trade: Trade) -> None:
    def down(since: date) -> tuple[()]:
        raise Unavailable("the history is down")

    desk.orders.unreadable, desk.account.transactions = True, down  # type: ignore[method-assign]
    held(desk)
    found = compare_with_broker(desk.trading_context)
    assert [trouble.message for trouble in found.errors] == ["the fake broker does not answer", "the history is down"]
    assert (found.gone, found.foreign_orders, found.differs) == ((), (), True)


def test_history_is_read_back_to_the_oldest_open_trade_and_a_week_at_least(desk: TradingDesk) -> None:
    asked = []

    def since(day: date) -> tuple[()]:
        asked.append(day)
        return ()

    desk.account.transactions = since  # type: ignore[method-assign]
    held(desk, SPY=100)
    compare_with_broker(desk.trading_context)
    entered(desk)
    desk.clock.at = builders.later(days=30)
    compare_with_broker(desk.trading_context)
    assert list(dict.fromkeys(asked)) == [date(2025, 9, 29), date(2025, 10, 6)]


# Taking over.


def test_nothing_is_changed_unless_asked(desk: TradingDesk, trade: Trade) -> None:
    held(desk)
    bought_back(desk)
    head = desk.store.audit.head()
    found = reconcile(lambda _: desk.trading_context)
    assert [gone.trade.id for gone in found.view.adoptable] == [trade.id]
    assert desk.store.trades.get(number(trade)) == trade
    assert desk.store.audit.head() == head


def test_what_is_taken_over_ends_the_trade_and_both_views_agree(desk: TradingDesk, trade: Trade) -> None:
    held(desk)
    bought_back(desk)
    (after,) = adopt_trades(desk.trading_context, compare_with_broker(desk.trading_context).adoptable)
    assert (after.state, after.result) == (TradeState.CLOSED, D("56.00") - D("4.52") - D("0.52"))
    found = compare_with_broker(desk.trading_context)
    assert (found.holdings, found.gone) == ((), ())
    assert desk.said[-1] == "T1: open before, closed now"


def test_what_changed_since_it_was_shown_is_not_taken_over(desk: TradingDesk, trade: Trade) -> None:
    held(desk)
    bought_back(desk)
    chosen = compare_with_broker(desk.trading_context).adoptable
    move_trade(desk.store, number(trade), now=TradeState.CLOSING, at=desk.clock())
    with pytest.raises(Refused, match="look at it again"):
        adopt_trades(desk.trading_context, chosen)
    assert "proposal-1" not in desk.locks.held


def test_a_trade_that_another_process_works_is_not_taken_over(desk: TradingDesk, trade: Trade) -> None:
    held(desk)
    bought_back(desk)
    chosen = compare_with_broker(desk.trading_context).adoptable
    desk.locks.busy.add("proposal-1")
    with pytest.raises(Unavailable):
        adopt_trades(desk.trading_context, chosen)


# Reconcile as a whole.


def test_reconcile_settles_the_fees_of_what_is_filled(desk: TradingDesk, trade: Trade) -> None:
    order = desk.store.orders.get(1)
    own = {"order_id": order.broker_id, "fees": D("2.30")}
    desk.account.history = (
        line(1, SHORT, TransactionKind.TRADE, **own),
        line(2, LONG, TransactionKind.TRADE, **own),
    )
    reconcile(lambda _: desk.trading_context)
    after = desk.store.trades.get(number(trade))
    assert (after.fees, after.fees_final) == (D("4.60"), True)


def test_reconcile_on_paper_reads_the_history_of_the_paper_account(tmp_path: Path) -> None:
    paper = live_desk(tmp_path, Mode.PAPER)
    entered(paper)
    held(paper, short=-2, long=2)
    asked: list[date] = []
    paper.account.transactions = lambda since: (asked.append(since), ())[1]  # type: ignore[method-assign, func-returns-value]
    assert reconcile(lambda _: paper.trading_context).worst_error is None
    assert asked
    paper.store.close()


def test_reconcile_without_the_broker_s_positions_has_no_view_and_says_so(desk: TradingDesk, trade: Trade) -> None:
    def down() -> tuple[Position, ...]:
        raise Unavailable("the account is down")

    desk.account.positions = down  # type: ignore[method-assign]
    found = reconcile(lambda _: desk.trading_context)
    assert (found.view.holdings, found.view.differs) == ((), False)
    assert [trouble.message for trouble in found.errors] == ["the account is down"]
    assert found.worst_error is found.errors[0]


def test_an_unknown_order_is_the_worst_of_all_troubles(desk: TradingDesk, trade: Trade) -> None:
    desk.orders.goes_silent_after = len(desk.orders.book) + 1
    place_target(desk.trading_context, trade.proposal_id)
    found = reconcile(lambda _: desk.trading_context)
    assert len(found.errors) == 2
    assert isinstance(found.worst_error, Unresolved)


def test_an_assigned_trade_is_looked_back_to(desk: TradingDesk, trade: Trade) -> None:
    held(desk, long=2, SPY=200)
    desk.account.history = (line(1, SHORT, TransactionKind.ASSIGNMENT),)
    adopt_trades(desk.trading_context, compare_with_broker(desk.trading_context).adoptable)
    desk.clock.at = builders.later(days=60)
    asked = []

    def since(day: date) -> tuple[()]:
        asked.append(day)
        return ()

    desk.account.transactions = since  # type: ignore[method-assign]
    compare_with_broker(desk.trading_context)
    assert set(asked) == {builders.TODAY}
