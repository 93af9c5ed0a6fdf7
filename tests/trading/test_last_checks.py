"""What `execute` asks last of all before the one request: each refusal sends nothing and has its exit code."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from spy32.domain.orders import Order
from spy32.domain.spreads import Position
from spy32.errors import BrokerRefused, NotFilled, NotPermitted, Refused, Unavailable
from spy32.lifecycle import OrderState, ProposalState
from spy32.trading.execute import execute, preview_execution
from spy32.trading.order_book import OrderBook, load_order_book
from tests.support import builders
from tests.support.fakes import TIMED_OUT
from tests.support.resting_targets import closing, opened
from tests.support.stores import profit_targets
from tests.support.trading import TradingDesk

P = ProposalState
D = Decimal


def refused(desk: TradingDesk, words: str, kind: type[Exception] = Refused) -> None:
    """Nothing leaves, the row of no order is made, and the rehearsal sees the same."""
    proposal = desk.approved()
    shown = preview_execution(desk.trading_context, proposal)
    with pytest.raises(kind, match=words) as caught:
        execute(desk.trading_context, proposal)
    assert desk.orders.requests == []
    assert desk.store.orders.select_by_proposal(proposal) == ()
    if kind is Refused:
        assert caught.value.code == 10  # type: ignore[attr-defined]
        assert any(finding.blocks for finding in shown.findings)
        assert desk.state(proposal) is P.APPROVED


@pytest.mark.parametrize(
    ("echo", "words"),
    [
        ({"limit": D("-0.58")}, "a debit of 0.58, it should be a credit of 0.58"),
        ({"limit": None}, "does not report the limit"),
        ({"quantity": 1}, "reads the quantity as 1, it should be 2"),
        ({"legs": ()}, "does not report the legs"),
        ({"margin": D(500)}, "margin at the broker: 500.00, ours 1,000.00"),
        ({"buying_power_change": D(2000)}, "use of buying power"),
        ({"fees": D(40)}, "fees at the broker: 40.00, ours 4.52"),
    ],
)
def test_a_broker_that_understood_another_trade_is_sent_none(
    desk: TradingDesk, echo: dict[str, Any], words: str
) -> None:
    desk.orders.echo = echo
    refused(desk, words)


def test_clocks_apart_are_refused(desk: TradingDesk) -> None:
    desk.account.ahead = -121.0
    refused(desk, "ahead of ours by -121 s")


def test_a_restricted_account_opens_nothing(desk: TradingDesk) -> None:
    desk.account.account = builders.account(restrictions=("margin call",))
    refused(desk, "margin call")


def test_an_order_by_hand_on_one_of_the_legs_is_a_duplicate(desk: TradingDesk) -> None:
    from tests.contract.test_broker import body

    by_hand = desk.orders.submit(body(D("0.70"), "by-hand"))
    desk.orders.shows(by_hand.broker_id, legs=builders.spread("635", "630").legs, reference="")
    desk.orders.requests.clear()
    refused(desk, f"635 P of 2025-11-07 is in order {by_hand.broker_id} at the broker")


def test_an_order_by_hand_that_cannot_be_read_may_have_our_legs(desk: TradingDesk) -> None:
    from tests.contract.test_broker import body

    by_hand = desk.orders.submit(body(D("0.70"), "by-hand"))
    desk.orders.shows(by_hand.broker_id, legs=(), reference="", unread="its legs are not a list")
    desk.orders.requests.clear()
    refused(desk, f"order {by_hand.broker_id} at the broker .* may have the same legs: its legs are not a list")


def test_an_order_by_hand_that_cannot_be_read_and_shows_other_legs_is_no_duplicate(desk: TradingDesk) -> None:
    from tests.contract.test_broker import body

    by_hand = desk.orders.submit(body(D("0.70"), "by-hand"))
    other = builders.spread("600", "595").legs
    desk.orders.shows(by_hand.broker_id, legs=other, reference="", unread="size of an order")
    assert execute(desk.trading_context, desk.approved(), wait=False).state is P.SENT


def test_a_position_by_hand_on_one_of_the_legs_is_a_duplicate(desk: TradingDesk) -> None:
    held = (Position(symbol=builders.spread().long.symbol, quantity=1),)
    desk.account.account = builders.account(positions=held)
    refused(desk, "is held or on order already")


def test_today_s_orders_that_cannot_be_read_stop_it(desk: TradingDesk) -> None:
    proposal = desk.approved()
    desk.orders.unreadable = True
    with pytest.raises(Unavailable):
        execute(desk.trading_context, proposal)
    assert desk.orders.requests == []
    assert desk.state(proposal) is P.APPROVED


def test_a_dry_run_that_is_refused_without_a_word_is_a_refusal(desk: TradingDesk) -> None:
    desk.orders.echo = {"accepted": False}
    refused(desk, "without a reason", BrokerRefused)


def test_a_warning_of_the_broker_is_told_and_another_trade_is_not_sent(desk: TradingDesk) -> None:
    desk.orders.echo = {"warnings": ("closing_with_no_position: it opens",)}
    refused(desk, "closing_with_no_position")
    assert "the broker warns: closing_with_no_position: it opens" in desk.said


def test_more_than_may_still_be_sent_is_refused(desk: TradingDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OrderBook, "remaining", lambda book, excluding=None: 1)
    proposal = desk.approved()
    with pytest.raises(Refused, match="only 1 of 2"):
        execute(desk.trading_context, proposal)
    assert desk.orders.requests == []


def test_the_halt_is_asked_after_the_dry_run_and_after_the_commit(desk: TradingDesk) -> None:
    proposal = desk.approved()
    asked: list[str] = []
    rehearsed = desk.orders.dry_run

    def dry(body: str) -> object:
        asked.append("dry run")
        return rehearsed(body)

    def halted() -> None:
        asked.append("halt")

    desk.orders.dry_run = dry  # type: ignore[method-assign, assignment]
    desk.orders.fills_at = D(9)
    execute(replace(desk.trading_context, halt_reason=halted), proposal)
    assert asked[:3] == ["dry run", "halt", "halt"]


@pytest.mark.parametrize("lost", [True, False])
def test_what_is_not_exactly_what_was_approved_is_not_sent(desk: TradingDesk, lost: bool) -> None:
    proposal = desk.approved()
    yes = desk.store.proposals.latest_approval(proposal)
    assert yes is not None
    given = None if lost else replace(yes, hash="0" * 64)
    desk.store.proposals.latest_approval = lambda proposal_id: given  # type: ignore[method-assign]
    with pytest.raises(Refused, match="no approval on record" if lost else "is not what was approved"):
        execute(desk.trading_context, proposal)
    assert desk.orders.requests == []


# The target.


@pytest.mark.parametrize("rests", [True, False])
def test_a_filled_opening_leaves_its_target_when_the_plan_says_so(desk: TradingDesk, rests: bool) -> None:
    proposal = desk.approved(exit=builders.exit_plan(rests_target=rests))
    desk.orders.fills_at = D("0.60")
    assert execute(desk.trading_context, proposal).state is P.DONE
    assert len(profit_targets(desk.store, proposal)) == (1 if rests else 0)
    assert execute(desk.trading_context, proposal).state is P.DONE
    assert desk.orders.requests.count("submit") == (2 if rests else 1)


def test_an_opening_that_filled_while_nobody_watched_leaves_its_target_at_the_next_start(desk: TradingDesk) -> None:
    proposal = desk.approved(exit=builders.exit_plan(rests_target=True))
    execute(desk.trading_context, proposal, wait=False)
    desk.orders.fill("480001")
    assert execute(desk.trading_context, proposal).state is P.DONE
    assert [order.state for order in profit_targets(desk.store, proposal)] == [OrderState.WORKING]


def test_the_target_is_cancelled_and_confirmed_before_a_closing_is_sent(desk: TradingDesk) -> None:
    trade = opened(desk)
    resting = load_order_book(desk.trading_context, desk.store.trades.get(trade).proposal_id).live_target
    assert isinstance(resting, Order)
    proposal = closing(desk, trade)
    desk.orders.requests.clear()
    desk.orders.fills_at = D("-0.5")
    assert execute(desk.trading_context, proposal).state is P.DONE
    assert desk.orders.requests == ["cancel", "submit"]
    assert desk.orders.book[str(resting.broker_id)].state is OrderState.CANCELLED


def test_a_target_whose_answer_was_lost_does_not_stand_in_the_way_of_a_closing(desk: TradingDesk) -> None:
    proposal = desk.approved(exit=builders.exit_plan(rests_target=True))
    execute(desk.trading_context, proposal, wait=False)
    desk.orders.fill("480001")
    desk.orders.goes_silent_after = 2
    assert execute(desk.trading_context, proposal).state is P.DONE
    desk.orders.goes_silent_after, desk.orders.unreadable = None, False
    assert [order.state for order in profit_targets(desk.store, proposal)] == [OrderState.UNKNOWN]
    trade = desk.store.trades.find_by_proposal(proposal)
    assert trade is not None
    close = closing(desk, trade.id)
    desk.orders.requests.clear()
    desk.orders.fills_at = D("-0.5")
    assert execute(desk.trading_context, close).state is P.DONE
    assert desk.orders.requests == ["cancel", "submit"]


def test_what_is_closed_already_is_no_trace_of_a_lost_closing(desk: TradingDesk) -> None:
    proposal = desk.approved()
    desk.orders.fills_at = D(9)
    execute(desk.trading_context, proposal)
    desk.orders.fills_at = None
    first = closing(desk, 1)
    execute(desk.trading_context, first, wait=False)
    desk.orders.fill("480002", 1)
    desk.orders.cancel("480002")
    assert execute(desk.trading_context, first).state is P.DONE
    second = closing(desk, 1, quantity=1)
    short, long = builders.spread().legs
    held = (Position(symbol=short.symbol, quantity=-1), Position(symbol=long.symbol, quantity=1))
    desk.account.positions = lambda: held  # type: ignore[method-assign]
    desk.orders.faults.append(("before", TIMED_OUT))
    with pytest.raises(NotFilled, match="not at the broker"):
        execute(desk.trading_context, second)


def test_a_halt_keeps_the_target_where_it_is(desk: TradingDesk) -> None:
    trade = opened(desk)
    proposal = closing(desk, trade)
    desk.orders.requests.clear()
    desk.halt = "rain"
    with pytest.raises(NotPermitted):
        execute(desk.trading_context, proposal)
    assert desk.orders.requests == []


def test_a_closing_that_is_refused_leaves_the_target(desk: TradingDesk) -> None:
    trade = opened(desk)
    proposal = closing(desk, trade)
    desk.orders.requests.clear()
    desk.account.ahead = 500.0
    with pytest.raises(Refused):
        execute(desk.trading_context, proposal)
    assert desk.orders.requests == []
