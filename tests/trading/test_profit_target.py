"""The resting profit target: left once, as every order is sent, followed for weeks, cancelled before anything else."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from spy32.domain.orders import OrderKind, Trade
from spy32.domain.spreads import Mode
from spy32.errors import BrokerRefused, NotPermitted, Refused, Unavailable, Unresolved
from spy32.lifecycle import OrderState, ProposalState, TradeState
from spy32.trading.order_book import load_order_book
from spy32.trading.profit_target import NO_TARGET, cancel_target, place_target, refresh_targets
from spy32.trading.reconcile import cancel_proposal, reconcile
from tests.support import builders
from tests.support.fakes import TIMED_OUT
from tests.support.open_trades import D, entered, held, live_desk, number
from tests.support.stores import move_trade, profit_targets
from tests.support.trading import TradingDesk


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[TradingDesk]:
    made = live_desk(tmp_path, Mode.PAPER)
    yield made
    made.store.close()


@pytest.fixture
def trade(desk: TradingDesk) -> Trade:
    return entered(desk)


def last(desk: TradingDesk, trade: Trade) -> str:
    """The target's id at the broker."""
    return str(profit_targets(desk.store, trade.proposal_id)[-1].broker_id)


# Leaving it.


def test_the_target_is_a_closing_order_that_is_good_till_cancelled_at_the_approved_price(
    desk: TradingDesk, trade: Trade
) -> None:
    target = place_target(desk.trading_context, trade.proposal_id)
    assert target is not None
    assert (target.kind, target.state, target.quantity, target.limit) == (
        OrderKind.TARGET, OrderState.WORKING, 2, D("-0.29"),
    )  # fmt: skip
    assert target.reference == "spy32-P1-A1-abcdef-t1"
    body = json.loads(target.body)
    assert (body["time-in-force"], body["price"], body["price-effect"]) == ("GTC", "0.29", "Debit")
    assert body["advanced-instructions"] == {"strict-position-effect-validation": True}
    assert [leg["action"] for leg in body["legs"]] == ["Buy to Close", "Sell to Close"]
    assert body["external-identifier"] == target.reference
    assert desk.store.trades.get(number(trade)).state is TradeState.OPEN
    assert desk.state(trade.proposal_id) is ProposalState.DONE
    assert (
        desk.store.orders.get(number(target)).approval_id
        == desk.store.orders.select_by_proposal(trade.proposal_id)[0].approval_id
    )
    assert desk.store.audit.verify().broken is None


def test_of_a_part_filled_opening_the_target_is_for_that_part(desk: TradingDesk) -> None:
    trade = entered(desk, filled=1)
    target = place_target(desk.trading_context, trade.proposal_id)
    assert target is not None
    assert target.quantity == 1


def test_no_target_is_left_that_was_not_approved(desk: TradingDesk) -> None:
    trade = entered(desk, rests=False)
    assert place_target(desk.trading_context, trade.proposal_id) is None
    assert desk.orders.requests == ["submit"]


def test_no_target_is_left_for_a_trade_that_is_over(desk: TradingDesk, trade: Trade) -> None:
    move_trade(desk.store, number(trade), now=TradeState.CLOSED, at=desk.clock())
    assert place_target(desk.trading_context, trade.proposal_id) is None
    assert desk.said == []


def test_no_target_is_left_of_what_is_not_done_or_is_a_closing(desk: TradingDesk, trade: Trade) -> None:
    made = desk.store.proposals.add(
        builders.close_proposal(number(trade), exit=builders.exit_plan(rests_target=True)), body="{}", at=desk.clock()
    )
    waiting = desk.proposed(exit=builders.exit_plan(rests_target=True))
    assert place_target(desk.trading_context, made.id) is None
    assert place_target(desk.trading_context, waiting.id) is None
    assert desk.orders.requests == ["submit"]


def test_a_target_is_left_once(desk: TradingDesk, trade: Trade) -> None:
    first = place_target(desk.trading_context, trade.proposal_id)
    again = place_target(desk.trading_context, trade.proposal_id)
    assert first == again
    assert desk.orders.requests == ["submit", "submit"]


def test_a_target_that_the_broker_refuses_is_on_record_and_told_and_may_be_left_later(
    desk: TradingDesk, trade: Trade
) -> None:
    desk.orders.faults = [("before", BrokerRefused("no_closing_today"))]
    target = place_target(desk.trading_context, trade.proposal_id)
    assert target is not None
    assert (target.state, target.reason) == (OrderState.REFUSED, "no_closing_today")
    assert "no_closing_today" in desk.said[-1]
    later = place_target(desk.trading_context, trade.proposal_id)
    assert later is not None
    assert (later.state, later.reference) == (OrderState.WORKING, "spy32-P1-A1-abcdef-t2")


def test_a_target_that_was_not_found_is_not_left_again_and_a_person_is_told_once(
    desk: TradingDesk, trade: Trade
) -> None:
    desk.orders.faults = [("before", TIMED_OUT)]
    target = place_target(desk.trading_context, trade.proposal_id)
    assert target is not None
    assert target.state is OrderState.UNKNOWN
    desk.clock.sleep(3600)
    held(desk, short=-2, long=2)
    assert refresh_targets(desk.trading_context, trade.proposal_id) == []
    later = place_target(desk.trading_context, trade.proposal_id)
    assert later is not None
    assert (later.state, later.reference) == (OrderState.ABSENT, "spy32-P1-A1-abcdef-t1")
    (item,) = desk.store.attention.open_items()
    assert (item.subject, item.kind) == (f"T{number(trade)}", NO_TARGET)
    desk.store.attention.acknowledge(item.subject, "anna", desk.clock())
    assert place_target(desk.trading_context, trade.proposal_id) == later
    assert desk.store.attention.open_items() == ()
    assert desk.orders.requests == ["submit", "submit"]


def test_a_target_whose_answer_is_lost_is_found_by_reading_and_sent_once(desk: TradingDesk, trade: Trade) -> None:
    desk.orders.faults = [("after", TIMED_OUT)]
    target = place_target(desk.trading_context, trade.proposal_id)
    assert target is not None
    assert target.state is OrderState.WORKING
    assert desk.orders.requests == ["submit", "submit"]


def test_a_target_that_cannot_be_settled_stays_unknown_until_it_is_read(desk: TradingDesk, trade: Trade) -> None:
    desk.orders.goes_silent_after = len(desk.orders.book) + 1
    target = place_target(desk.trading_context, trade.proposal_id)
    assert target is not None
    assert target.state is OrderState.UNKNOWN
    assert "cannot be read" in desk.said[-2]
    assert isinstance(refresh_targets(desk.trading_context, trade.proposal_id)[0], Unresolved)
    desk.orders.unreadable = False
    assert refresh_targets(desk.trading_context, trade.proposal_id) == []
    assert [order.state for order in profit_targets(desk.store, trade.proposal_id)] == [OrderState.WORKING]
    assert desk.orders.requests == ["submit", "submit"]


def test_a_target_that_may_not_be_sent_is_told_and_left_to_reading(desk: TradingDesk, trade: Trade) -> None:
    desk.orders.faults = [("before", NotPermitted("the token is not good for trading"))]
    target = place_target(desk.trading_context, trade.proposal_id)
    assert target is not None
    assert target.state is OrderState.SUBMITTING
    assert any("not good for trading" in line for line in desk.said)


def test_a_halt_leaves_no_target(desk: TradingDesk, trade: Trade) -> None:
    desk.halt = "enough"
    target = place_target(desk.trading_context, trade.proposal_id)
    assert target is not None
    assert (target.state, target.broker_id) == (OrderState.REFUSED, None)
    assert desk.orders.requests == ["submit"]


def test_no_target_is_left_beside_a_closing_that_lives(desk: TradingDesk, trade: Trade) -> None:
    made = desk.store.proposals.add(builders.close_proposal(number(trade)), body="{}", at=desk.clock())
    yes = desk.store.proposals.approve(builders.approval(made, at=desk.clock()))
    desk.store.orders.begin(builders.order(made, yes), at=desk.clock())
    assert place_target(desk.trading_context, trade.proposal_id) is None
    assert desk.orders.requests == ["submit"]


# Following it.


def test_a_target_that_works_for_weeks_is_never_absent(desk: TradingDesk, trade: Trade) -> None:
    place_target(desk.trading_context, trade.proposal_id)
    said = list(desk.said)
    for _ in range(4):
        desk.clock.sleep(7 * 86_400)
        assert refresh_targets(desk.trading_context, trade.proposal_id) == []
        assert [order.state for order in profit_targets(desk.store, trade.proposal_id)] == [OrderState.WORKING]
    assert desk.said == said


def test_a_target_that_cannot_be_read_is_a_trouble_and_still_works(desk: TradingDesk, trade: Trade) -> None:
    place_target(desk.trading_context, trade.proposal_id)
    desk.orders.unreadable = True
    assert isinstance(refresh_targets(desk.trading_context, trade.proposal_id)[0], Unavailable | Unresolved)
    assert [order.state for order in profit_targets(desk.store, trade.proposal_id)] == [OrderState.WORKING]


def test_a_target_that_was_cancelled_by_hand_is_told_and_not_left_again(desk: TradingDesk, trade: Trade) -> None:
    place_target(desk.trading_context, trade.proposal_id)
    desk.orders.cancel(last(desk, trade))
    found = reconcile(lambda _: desk.trading_context)
    assert (found.orders[0][1].state, found.errors) == (OrderState.CANCELLED, ())
    assert "spy32-P1-A1-abcdef-t1: cancelled, 0 of 2 filled; T1 is open without a target" in desk.said
    assert [each.id for each in found.view.without_target] == [trade.id]
    after = place_target(desk.trading_context, trade.proposal_id)
    assert after is not None
    assert after.state is OrderState.CANCELLED
    assert "not left again" in desk.said[-1]


def test_a_target_that_fills_closes_the_trade(desk: TradingDesk, trade: Trade) -> None:
    place_target(desk.trading_context, trade.proposal_id)
    desk.orders.fill(last(desk, trade))
    assert refresh_targets(desk.trading_context, trade.proposal_id) == []
    ended = desk.store.trades.get(number(trade))
    assert (ended.state, ended.debit, ended.closed_quantity) == (TradeState.CLOSED, D("0.29"), 2)
    assert ended.fees == D("2.26") * 4
    assert ended.result == (D("0.58") - D("0.29")) * 200 - D("2.26") * 4
    assert ended.max_loss == (5 - D("0.58")) * 200 + D("4.52")
    assert "2 of 2 filled; T1 is closed" in desk.said[-1]
    assert "without a target" not in desk.said[-1]
    assert desk.store.audit.verify().broken is None


def test_a_part_of_a_target_closes_a_part_and_a_cancel_leaves_the_rest_open(desk: TradingDesk, trade: Trade) -> None:
    place_target(desk.trading_context, trade.proposal_id)
    desk.orders.fill(last(desk, trade), 1)
    refresh_targets(desk.trading_context, trade.proposal_id)
    half = desk.store.trades.get(number(trade))
    assert (half.state, half.remaining, half.result) == (TradeState.OPEN, 1, None)
    order = cancel_target(desk.trading_context, number(trade))
    assert order is not None
    assert (order.state, order.filled) == (OrderState.CANCELLED, 1)
    assert desk.store.trades.get(number(trade)).state is TradeState.OPEN


# Cancelling it.


def test_where_no_target_is_alive_there_is_nothing_to_cancel(desk: TradingDesk, trade: Trade) -> None:
    assert cancel_target(desk.trading_context, number(trade)) is None
    assert refresh_targets(desk.trading_context, trade.proposal_id) == []


def test_a_target_is_cancelled_and_confirmed(desk: TradingDesk, trade: Trade) -> None:
    place_target(desk.trading_context, trade.proposal_id)
    order = cancel_target(desk.trading_context, number(trade))
    assert order is not None
    assert order.state is OrderState.CANCELLED
    assert load_order_book(desk.trading_context, trade.proposal_id).live_target is None
    assert desk.orders.book[str(order.broker_id)].state is OrderState.CANCELLED


def test_a_fill_that_wins_over_the_cancel_closes_the_trade(desk: TradingDesk, trade: Trade) -> None:
    place_target(desk.trading_context, trade.proposal_id)
    desk.orders.fill(last(desk, trade))
    order = cancel_target(desk.trading_context, number(trade))
    assert order is not None
    assert order.state is OrderState.FILLED
    assert desk.store.trades.get(number(trade)).state is TradeState.CLOSED
    assert "cancel" not in desk.orders.requests


def test_a_target_that_cannot_be_seen_to_end_lets_nothing_else_be_sent(desk: TradingDesk, trade: Trade) -> None:
    place_target(desk.trading_context, trade.proposal_id)
    desk.orders.unreadable = True
    with pytest.raises((Unavailable, Unresolved)):
        cancel_target(desk.trading_context, number(trade))
    assert load_order_book(desk.trading_context, trade.proposal_id).live_target is not None


def test_cancel_of_a_done_opening_cancels_its_target_and_leaves_the_trade_open(desk: TradingDesk, trade: Trade) -> None:
    place_target(desk.trading_context, trade.proposal_id)
    assert cancel_proposal(desk.trading_context, trade.proposal_id) == 2
    assert [order.state for order in profit_targets(desk.store, trade.proposal_id)] == [OrderState.CANCELLED]
    assert desk.store.trades.get(number(trade)).state is TradeState.OPEN
    with pytest.raises(Refused, match="nothing of"):
        cancel_proposal(desk.trading_context, trade.proposal_id)
