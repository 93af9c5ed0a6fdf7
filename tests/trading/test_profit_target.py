"""The resting profit target: left once, as every order is sent, followed for weeks, cancelled before anything else."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from spy32.domain.orders import OrderKind, Trade
from spy32.domain.spreads import Mode
from spy32.errors import BrokerRefused, NotPermitted, Refused, Unavailable, Unresolved
from spy32.lifecycle import OrderState, ProposalState, TradeState
from spy32.trading.profit_target import NO_TARGET, cancel_target, live_target, place_target, refresh_targets
from spy32.trading.reconcile import cancel_proposal, reconcile
from tests.support import builders
from tests.support.fakes import TIMED_OUT
from tests.support.open_trades import D, desk, entered, held, number
from tests.support.trading import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = desk(tmp_path, Mode.PAPER)
    yield made
    made.store.close()


@pytest.fixture
def trade(world: World) -> Trade:
    return entered(world)


def last(world: World, trade: Trade) -> str:
    """The target's id at the broker."""
    return str(world.store.orders.profit_targets(trade.proposal_id)[-1].broker_id)


# Leaving it.


def test_the_target_is_a_closing_order_that_is_good_till_cancelled_at_the_approved_price(
    world: World, trade: Trade
) -> None:
    target = place_target(world.trading_context, trade.proposal_id)
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
    assert world.store.trades.get(number(trade)).state is TradeState.OPEN
    assert world.state(trade.proposal_id) is ProposalState.DONE
    assert (
        world.store.orders.get(number(target)).approval_id
        == world.store.orders.select_by_proposal(trade.proposal_id)[0].approval_id
    )
    assert world.store.audit.verify().broken is None


def test_of_a_part_filled_opening_the_target_is_for_that_part(world: World) -> None:
    trade = entered(world, filled=1)
    target = place_target(world.trading_context, trade.proposal_id)
    assert target is not None
    assert target.quantity == 1


def test_no_target_is_left_that_was_not_approved(world: World) -> None:
    trade = entered(world, rests=False)
    assert place_target(world.trading_context, trade.proposal_id) is None
    assert world.orders.requests == ["submit"]


def test_no_target_is_left_for_a_trade_that_is_over(world: World, trade: Trade) -> None:
    world.store.trades.move(number(trade), was=TradeState.OPEN, now=TradeState.CLOSED, at=world.clock())
    assert place_target(world.trading_context, trade.proposal_id) is None
    assert world.said == []


def test_no_target_is_left_of_what_is_not_done_or_is_a_closing(world: World, trade: Trade) -> None:
    made = world.store.proposals.add(
        builders.close_proposal(number(trade), exit=builders.exit_plan(rests_target=True)), body="{}", at=world.clock()
    )
    waiting = world.proposed(exit=builders.exit_plan(rests_target=True))
    assert made.id is not None
    assert waiting.id is not None
    assert place_target(world.trading_context, made.id) is None
    assert place_target(world.trading_context, waiting.id) is None
    assert world.orders.requests == ["submit"]


def test_a_target_is_left_once(world: World, trade: Trade) -> None:
    first = place_target(world.trading_context, trade.proposal_id)
    again = place_target(world.trading_context, trade.proposal_id)
    assert first == again
    assert world.orders.requests == ["submit", "submit"]


def test_a_target_that_the_broker_refuses_is_on_record_and_told_and_may_be_left_later(
    world: World, trade: Trade
) -> None:
    world.orders.faults = [("before", BrokerRefused("no_closing_today"))]
    target = place_target(world.trading_context, trade.proposal_id)
    assert target is not None
    assert (target.state, target.reason) == (OrderState.REFUSED, "no_closing_today")
    assert "no_closing_today" in world.said[-1]
    later = place_target(world.trading_context, trade.proposal_id)
    assert later is not None
    assert (later.state, later.reference) == (OrderState.WORKING, "spy32-P1-A1-abcdef-t2")


def test_a_target_that_was_not_found_is_not_left_again_and_a_person_is_told_once(world: World, trade: Trade) -> None:
    world.orders.faults = [("before", TIMED_OUT)]
    target = place_target(world.trading_context, trade.proposal_id)
    assert target is not None
    assert target.state is OrderState.UNKNOWN
    world.clock.sleep(3600)
    held(world, short=-2, long=2)
    assert refresh_targets(world.trading_context, trade.proposal_id) == []
    later = place_target(world.trading_context, trade.proposal_id)
    assert later is not None
    assert (later.state, later.reference) == (OrderState.ABSENT, "spy32-P1-A1-abcdef-t1")
    (item,) = world.store.attention.open_items()
    assert (item.subject, item.kind) == (f"T{number(trade)}", NO_TARGET)
    world.store.attention.acknowledge(item.subject, "anna", world.clock())
    assert place_target(world.trading_context, trade.proposal_id) == later
    assert world.store.attention.open_items() == ()
    assert world.orders.requests == ["submit", "submit"]


def test_a_target_whose_answer_is_lost_is_found_by_reading_and_sent_once(world: World, trade: Trade) -> None:
    world.orders.faults = [("after", TIMED_OUT)]
    target = place_target(world.trading_context, trade.proposal_id)
    assert target is not None
    assert target.state is OrderState.WORKING
    assert world.orders.requests == ["submit", "submit"]


def test_a_target_that_cannot_be_settled_stays_unknown_until_it_is_read(world: World, trade: Trade) -> None:
    world.orders.faults, world.orders.unreadable = [("after", TIMED_OUT)], True
    target = place_target(world.trading_context, trade.proposal_id)
    assert target is not None
    assert target.state is OrderState.UNKNOWN
    assert "cannot be read" in world.said[-2]
    assert isinstance(refresh_targets(world.trading_context, trade.proposal_id)[0], Unresolved)
    world.orders.unreadable = False
    assert refresh_targets(world.trading_context, trade.proposal_id) == []
    assert [order.state for order in world.store.orders.profit_targets(trade.proposal_id)] == [OrderState.WORKING]
    assert world.orders.requests == ["submit", "submit"]


def test_a_target_that_may_not_be_sent_is_told_and_left_to_reading(world: World, trade: Trade) -> None:
    world.orders.faults = [("before", NotPermitted("the token is not good for trading"))]
    target = place_target(world.trading_context, trade.proposal_id)
    assert target is not None
    assert target.state is OrderState.SUBMITTING
    assert any("not good for trading" in line for line in world.said)


def test_a_halt_leaves_no_target(world: World, trade: Trade) -> None:
    world.halt = "enough"
    target = place_target(world.trading_context, trade.proposal_id)
    assert target is not None
    assert (target.state, target.broker_id) == (OrderState.REFUSED, None)
    assert world.orders.requests == ["submit"]


def test_no_target_is_left_beside_a_closing_that_lives(world: World, trade: Trade) -> None:
    made = world.store.proposals.add(builders.close_proposal(number(trade)), body="{}", at=world.clock())
    yes = world.store.proposals.approve(builders.approval(made, at=world.clock()))
    world.store.orders.begin(builders.order(made, yes), at=world.clock())
    assert place_target(world.trading_context, trade.proposal_id) is None
    assert "nothing new before it is settled" in world.said[-1]


# Following it.


def test_a_target_that_works_for_weeks_is_never_absent(world: World, trade: Trade) -> None:
    place_target(world.trading_context, trade.proposal_id)
    said = list(world.said)
    for _ in range(4):
        world.clock.sleep(7 * 86_400)
        assert refresh_targets(world.trading_context, trade.proposal_id) == []
        assert [order.state for order in world.store.orders.profit_targets(trade.proposal_id)] == [OrderState.WORKING]
    assert world.said == said


def test_a_target_that_cannot_be_read_is_a_trouble_and_still_works(world: World, trade: Trade) -> None:
    place_target(world.trading_context, trade.proposal_id)
    world.orders.unreadable = True
    assert isinstance(refresh_targets(world.trading_context, trade.proposal_id)[0], Unavailable | Unresolved)
    assert [order.state for order in world.store.orders.profit_targets(trade.proposal_id)] == [OrderState.WORKING]


def test_a_target_that_was_cancelled_by_hand_is_told_and_not_left_again(world: World, trade: Trade) -> None:
    place_target(world.trading_context, trade.proposal_id)
    world.orders.cancel(last(world, trade))
    found = reconcile(lambda _: world.trading_context)
    assert (found.orders[0][1].state, found.troubles) == (OrderState.CANCELLED, ())
    assert "spy32-P1-A1-abcdef-t1: cancelled, 0 of 2 filled; T1 is open without a target" in world.said
    assert [each.id for each in found.view.without_target] == [trade.id]
    after = place_target(world.trading_context, trade.proposal_id)
    assert after is not None
    assert after.state is OrderState.CANCELLED
    assert "not left again" in world.said[-1]


def test_a_target_that_fills_closes_the_trade(world: World, trade: Trade) -> None:
    place_target(world.trading_context, trade.proposal_id)
    world.orders.fill(last(world, trade))
    assert refresh_targets(world.trading_context, trade.proposal_id) == []
    ended = world.store.trades.get(number(trade))
    assert (ended.state, ended.debit, ended.closed_quantity) == (TradeState.CLOSED, D("0.29"), 2)
    assert ended.fees == D("2.26") * 4
    assert ended.result == (D("0.58") - D("0.29")) * 200 - D("2.26") * 4
    assert ended.max_loss == (5 - D("0.58")) * 200 + D("4.52")
    assert "2 of 2 filled; T1 is closed" in world.said[-1]
    assert "without a target" not in world.said[-1]
    assert world.store.audit.verify().broken is None


def test_a_part_of_a_target_closes_a_part_and_a_cancel_leaves_the_rest_open(world: World, trade: Trade) -> None:
    place_target(world.trading_context, trade.proposal_id)
    world.orders.fill(last(world, trade), 1)
    refresh_targets(world.trading_context, trade.proposal_id)
    half = world.store.trades.get(number(trade))
    assert (half.state, half.remaining, half.result) == (TradeState.OPEN, 1, None)
    order = cancel_target(world.trading_context, number(trade))
    assert order is not None
    assert (order.state, order.filled) == (OrderState.CANCELLED, 1)
    assert world.store.trades.get(number(trade)).state is TradeState.OPEN


# Cancelling it.


def test_where_no_target_is_alive_there_is_nothing_to_cancel(world: World, trade: Trade) -> None:
    assert cancel_target(world.trading_context, number(trade)) is None
    assert refresh_targets(world.trading_context, trade.proposal_id) == []


def test_a_target_is_cancelled_and_confirmed(world: World, trade: Trade) -> None:
    place_target(world.trading_context, trade.proposal_id)
    order = cancel_target(world.trading_context, number(trade))
    assert order is not None
    assert order.state is OrderState.CANCELLED
    assert live_target(world.trading_context, trade.proposal_id) is None
    assert world.orders.book[str(order.broker_id)].state is OrderState.CANCELLED


def test_a_fill_that_wins_over_the_cancel_closes_the_trade(world: World, trade: Trade) -> None:
    place_target(world.trading_context, trade.proposal_id)
    world.orders.fill(last(world, trade))
    order = cancel_target(world.trading_context, number(trade))
    assert order is not None
    assert order.state is OrderState.FILLED
    assert world.store.trades.get(number(trade)).state is TradeState.CLOSED
    assert "cancel" not in world.orders.requests


def test_a_target_that_cannot_be_seen_to_end_lets_nothing_else_be_sent(world: World, trade: Trade) -> None:
    place_target(world.trading_context, trade.proposal_id)
    world.orders.unreadable = True
    with pytest.raises((Unavailable, Unresolved)):
        cancel_target(world.trading_context, number(trade))
    assert live_target(world.trading_context, trade.proposal_id) is not None


def test_cancel_of_a_done_opening_cancels_its_target_and_leaves_the_trade_open(world: World, trade: Trade) -> None:
    place_target(world.trading_context, trade.proposal_id)
    assert cancel_proposal(world.trading_context, trade.proposal_id) == 2
    assert [order.state for order in world.store.orders.profit_targets(trade.proposal_id)] == [OrderState.CANCELLED]
    assert world.store.trades.get(number(trade)).state is TradeState.OPEN
    with pytest.raises(Refused, match="nothing of"):
        cancel_proposal(world.trading_context, trade.proposal_id)
