"""Closes that `manage` proposes and a person approves: one at a time, made anew when outdated, kept when decided."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from spy32.domain.market import Dividend
from spy32.domain.orders import OrderKind
from spy32.domain.proposals import ExitReason
from spy32.errors import BrokerRefused, NotFilled, Refused, Unavailable, Unresolved
from spy32.lifecycle import OrderState, ProposalState, TradeState
from spy32.rules import plan
from spy32.rules.exercise import parity_leg
from spy32.trading.approve import decline
from spy32.trading.context import proposal_lock_name
from spy32.trading.execute import execute
from spy32.trading.manage import MANAGE_LOCK, propose_close
from tests.support import builders
from tests.support.fakes import TIMED_OUT
from tests.support.managed import CALLS, ManagedDesk, managed_desk, opened
from tests.support.stores import move_trade

D = Decimal
LAST = {"last_exit": builders.TODAY}
P = ProposalState


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[ManagedDesk]:
    made = managed_desk(tmp_path)
    yield made
    made.store.close()


# One close at a time.


def test_a_due_exit_makes_one_close_however_often_it_starts(desk: ManagedDesk) -> None:
    trade = opened(desk, **LAST)
    first = desk.start()
    again = desk.start()
    assert first.proposal is not None
    assert first.proposal == again.proposal
    assert desk.closes() == [first.proposal]
    assert (first.proposal.kind, first.proposal.state, first.proposal.trade_id) == ("close", P.PROPOSED, trade.id)
    assert (first.proposal.reason, first.proposal.quantity) == (ExitReason.LAST_EXIT, 2)
    assert (first.proposal.limit_price, first.proposal.floor_price) == (D("-0.57"), D("-0.63"))
    assert first.proposal.hash == plan.proposal_digest(first.proposal)
    assert (first.error, first.warnings) == (None, ())
    assert desk.orders.requests == ["submit"]
    assert desk.trade().state is TradeState.OPEN


def test_the_stored_order_of_a_close_is_the_one_that_would_be_sent(desk: ManagedDesk) -> None:
    opened(desk, **LAST)
    close = desk.start().proposal
    assert close is not None
    row = desk.store.core.row("select order_body from proposal where id = ?", close.id)
    assert row is not None
    expected = plan.order_body(close.legs, 2, D("-0.57"), "spy32-R1-draft", kind=OrderKind.EXIT)
    assert row["order_body"].replace("spy32-R1-draft", "") == expected.replace("spy32-R1-draft", "")
    assert '"price": "0.57", "price-effect": "Debit"' in row["order_body"]
    assert row["order_body"].count("to Close") == 2


@pytest.mark.parametrize(
    ("exits", "mid", "reason"),
    [
        ({"last_exit": builders.TODAY}, "0.57", ExitReason.LAST_EXIT),
        ({"time_exit": builders.TODAY}, "0.57", ExitReason.TIME),
        ({}, "0.25", ExitReason.TARGET),
        ({"stop": D("0.50")}, "0.57", ExitReason.STOP),
    ],
)
def test_each_exit_has_its_reason_on_the_close(
    desk: ManagedDesk, exits: dict[str, Any], mid: str, reason: ExitReason
) -> None:
    opened(desk, **exits)
    desk.quoted.close_costs(mid)
    desk.start()
    found = desk.start()
    assert found.proposal is not None
    assert found.proposal.reason is reason


def test_a_close_whose_reason_has_gone_waits_on_for_a_person(desk: ManagedDesk) -> None:
    opened(desk)
    desk.quoted.close_costs("0.28")
    made = desk.start().proposal
    desk.quoted.close_costs("0.40")
    found = desk.start()
    assert found.due is None
    assert found.proposal == made
    assert len(desk.closes()) == 1


def test_a_more_urgent_reason_takes_the_place_of_a_close_that_waits(desk: ManagedDesk) -> None:
    opened(desk, time_exit=builders.TODAY, stop=D("0.80"))
    first = desk.start().proposal
    assert first is not None
    assert first.reason is ExitReason.TIME
    desk.quoted.close_costs("0.90")
    desk.start()
    second = desk.start().proposal
    assert second is not None
    assert second.reason is ExitReason.STOP
    assert [close.state for close in desk.closes()].count(P.PROPOSED) == 1
    row = desk.store.core.get_row("proposal", first.id)
    assert (row["state"], row["reason"]) == (P.LAPSED, "another close of T1 takes its place")
    with pytest.raises(Refused, match="another close of T1 takes its place; `spy32 close T1` proposes a new one"):
        execute(desk.trading_context, first.id)


@pytest.mark.parametrize(
    ("mid", "prices"),
    [
        ("0.63", None),  # the ceiling of 0.63 reaches it
        ("0.64", ("0.64", "0.70")),  # it would not fill any more
        ("0.53", None),  # 0.57 is the natural price now
        ("0.52", ("0.52", "0.58")),  # 0.57 is more than is asked
    ],
)
def test_a_close_whose_prices_the_market_has_left_is_made_anew(
    desk: ManagedDesk, mid: str, prices: tuple[str, str] | None
) -> None:
    opened(desk, **LAST)
    first = desk.start().proposal
    desk.quoted.close_costs(mid)
    second = desk.start().proposal
    assert first is not None
    assert second is not None
    if prices is None:
        assert second == first
        return
    assert (-second.limit_price, -second.floor_price) == tuple(D(price) for price in prices)
    assert desk.state(first.id) is P.LAPSED


def test_a_close_of_yesterday_lapses_and_is_proposed_again(desk: ManagedDesk) -> None:
    opened(desk, **LAST)
    first = desk.start().proposal
    desk.clock.at = datetime(2025, 10, 7, 14, 0, tzinfo=UTC)
    (found,) = desk.manage()
    assert first is not None
    assert found.proposal is not None
    assert desk.state(first.id) is P.LAPSED
    assert found.proposal.lapses_at == datetime(2025, 10, 7, 20, 15, tzinfo=UTC)


def test_without_a_session_nothing_is_proposed(desk: ManagedDesk) -> None:
    opened(desk, **LAST)
    desk.clock.at = datetime(2025, 10, 11, 15, 0, tzinfo=UTC)
    (found,) = desk.manage()
    assert found.proposal is None
    assert desk.closes() == []
    assert found.warnings[-1] == ("the last exit was to be on 2025-10-06, and there are no quotes to price a close by")


def test_a_deep_spread_with_wide_quotes_is_closed_at_the_width(desk: ManagedDesk) -> None:
    """Its mid is a little beyond the width, which no person can trade at."""
    opened(desk, **LAST)
    desk.quoted.close_costs("5.03", half="0.05")
    close = desk.start().proposal
    assert close is not None
    assert (close.limit_price, close.floor_price) == (D("-5.00"), D("-5.00"))


# What a person decides.


def test_a_close_of_a_person_is_kept(desk: ManagedDesk) -> None:
    opened(desk, time_exit=builders.TODAY)
    own = propose_close(desk.trading_context, 1, D("0.50")).proposal
    found = desk.start()
    assert own is not None
    assert (own.reason, own.floor_price, own.limit_price) == (ExitReason.PERSON, D("-0.50"), D("-0.50"))
    assert found.proposal == own
    desk.quoted.close_costs("0.90")
    assert desk.start().proposal == own
    desk.quoted.close_costs("0.20")
    found = desk.start()
    assert (found.proposal, found.warnings) == (own, ())


def test_a_draft_of_a_person_stays_when_the_close_by_the_plan_was_declined_today(desk: ManagedDesk) -> None:
    opened(desk, **LAST)
    close = desk.start().proposal
    assert close is not None
    decline(desk.trading_context, close.id, by="anna")
    own = propose_close(desk.trading_context, 1, D("0.50")).proposal
    found = desk.start()
    assert (found.proposal, found.due is not None) == (own, True)


@pytest.mark.parametrize("decided", ["approved", "sent"])
def test_a_close_that_is_approved_or_sent_is_left_alone(desk: ManagedDesk, decided: str) -> None:
    opened(desk, time_exit=builders.TODAY, stop=D("0.80"))
    close = desk.start().proposal
    assert close is not None
    desk.approve_close(close, "0.57")
    if decided == "sent":
        execute(desk.trading_context, close.id, wait=False)
    before = list(desk.orders.requests)
    desk.quoted.close_costs("0.90")
    desk.start(minutes=4)
    found = desk.start(minutes=5)
    assert found.due is not None
    assert found.due.reason is ExitReason.STOP
    assert found.proposal is not None
    assert (found.proposal.id, found.proposal.state) == (close.id, P(decided))
    assert len(desk.closes()) == 1
    assert desk.orders.requests == before


def test_a_sent_close_that_no_process_works_is_told_and_ends_with_its_deadline(desk: ManagedDesk) -> None:
    opened(desk, **LAST)
    close = propose_close(desk.trading_context, 1, D("0.60")).proposal
    assert close is not None
    desk.approve_close(close, "0.57")
    execute(desk.trading_context, close.id, wait=False)
    desk.quoted.close_costs("1.50")
    found = desk.start(minutes=9)
    assert found.proposal is not None
    assert (found.proposal.state, found.is_news, found.error) == (P.SENT, True, None)
    assert found.warnings == (f"P{close.id}, whose process has ended, works without steps",)
    found = desk.start(minutes=1)
    assert found.proposal is not None
    assert (found.proposal.state, found.trade.state, found.is_news) == (P.PROPOSED, TradeState.OPEN, True)
    assert found.warnings == (
        f"P{close.id}, whose process has ended, is past its deadline: what worked of it is cancelled",
    )
    assert desk.orders.book["480002"].state is OrderState.CANCELLED
    found = desk.start()
    assert found.proposal is not None
    assert (found.proposal.reason, found.proposal.id) == (ExitReason.LAST_EXIT, close.id + 1)


def test_a_sent_close_that_a_process_works_is_left_to_it_past_its_deadline(desk: ManagedDesk) -> None:
    opened(desk, **LAST)
    close = propose_close(desk.trading_context, 1).proposal
    assert close is not None
    desk.approve_close(close, "0.57")
    execute(desk.trading_context, close.id, wait=False)
    desk.locks.busy = {proposal_lock_name(close.id)}
    found = desk.start(minutes=11)
    assert found.warnings == (f"{proposal_lock_name(close.id)} is held by process 4242",)
    assert (desk.state(close.id), desk.orders.book["480002"].state) == (P.SENT, OrderState.WORKING)


def test_a_sent_close_ends_with_its_deadline_when_contracts_are_gone_too(desk: ManagedDesk) -> None:
    opened(desk, **LAST)
    close = propose_close(desk.trading_context, 1).proposal
    assert close is not None
    desk.approve_close(close, "0.57")
    execute(desk.trading_context, close.id, wait=False)
    desk.holds(short=-2)
    found = desk.start(minutes=11)
    assert (found.is_news, desk.orders.book["480002"].state) == (True, OrderState.CANCELLED)


def test_a_close_whose_approval_has_ended_waits_again_and_may_be_replaced(desk: ManagedDesk) -> None:
    opened(desk, **LAST)
    close = desk.start().proposal
    assert close is not None
    desk.approve_close(close, "0.57")
    found = desk.start(minutes=60)
    assert found.proposal is not None
    assert (found.proposal.id, found.proposal.state) == (close.id, P.APPROVED)
    found = desk.start(minutes=1)
    assert found.proposal is not None
    assert (found.proposal.id, found.proposal.state) == (close.id, P.PROPOSED)
    assert desk.store.core.get_row("proposal", close.id)["reason"] == "the approval ended at 15:21 UTC"


def test_an_approval_that_comes_while_a_close_is_made_anew_is_kept(desk: ManagedDesk) -> None:
    opened(desk, **LAST)
    close = desk.start().proposal
    assert close is not None
    desk.quoted.close_costs("0.90")
    lapse = desk.store.proposals.lapse

    def late(*args: Any, **more: Any) -> None:
        desk.approve_close(close, "0.57")
        lapse(*args, **more)

    desk.store.proposals.lapse = late  # type: ignore[method-assign]
    found = desk.start()
    assert desk.state(close.id) is P.APPROVED
    assert len(desk.closes()) == 1
    assert found.warnings == (f"the last exit is on 2025-10-06, and P{close.id} is already approved by anna at 10:36",)


@pytest.mark.parametrize(
    ("exits", "mid", "reason", "is_proposed_again"),
    [
        ({"time_exit": builders.TODAY}, "0.57", ExitReason.TIME, False),
        ({}, "0.25", ExitReason.TARGET, False),
        ({"last_exit": builders.TODAY}, "0.57", ExitReason.LAST_EXIT, True),
    ],
)
def test_what_was_declined_today_is_proposed_again_with_the_next_session_unless_it_is_urgent(
    desk: ManagedDesk, exits: dict[str, Any], mid: str, reason: ExitReason, is_proposed_again: bool
) -> None:
    opened(desk, **exits)
    desk.quoted.close_costs(mid)
    close = desk.start().proposal
    assert close is not None
    decline(desk.trading_context, close.id, by="anna")
    found = desk.start()
    assert found.due is not None
    assert found.due.reason is reason
    assert (found.proposal is not None) is is_proposed_again
    assert found.warnings == (
        ()
        if is_proposed_again
        else (f"{found.due.message}: a person declined this close today; it is proposed again with the next session",)
    )
    assert found.error is None
    desk.clock.at = datetime(2025, 10, 7, 14, 0, tzinfo=UTC)
    assert desk.manage()[0].proposal is not None


def test_a_declined_close_before_an_ex_date_is_proposed_again(desk: ManagedDesk) -> None:
    opened(desk, legs=CALLS, time_exit=None)
    desk.clock.at = datetime(2025, 10, 16, 15, 0, tzinfo=UTC)
    desk.quoted.spot, desk.quoted.sides[parity_leg(CALLS[0]).symbol] = 697.0, (0.01, 0.02)
    desk.dividends = (Dividend(ex_date=date(2025, 10, 17), amount=D("1.95")),)
    close = desk.start().proposal
    assert close is not None
    decline(desk.trading_context, close.id, by="anna")
    found = desk.start()
    assert found.proposal is not None
    assert (found.proposal.id, found.proposal.reason) == (close.id + 1, ExitReason.EX_DIVIDEND)


def test_declining_one_reason_does_not_decline_another(desk: ManagedDesk) -> None:
    opened(desk, time_exit=builders.TODAY)
    close = desk.start().proposal
    assert close is not None
    decline(desk.trading_context, close.id, by="anna")
    desk.quoted.close_costs("0.25")
    found = desk.start()
    assert found.proposal is not None
    assert found.proposal.reason is ExitReason.TARGET


# A close by hand.


def test_a_person_s_close_takes_the_place_of_the_one_that_waits(desk: ManagedDesk) -> None:
    opened(desk, **LAST)
    waiting = desk.start().proposal
    found = propose_close(desk.trading_context, 1)
    assert waiting is not None
    assert found.proposal is not None
    assert desk.state(waiting.id) is P.LAPSED
    assert (found.proposal.reason, found.proposal.state) == (ExitReason.PERSON, P.PROPOSED)
    assert (found.proposal.limit_price, found.proposal.floor_price) == (D("-0.57"), D("-0.63"))
    again = propose_close(desk.trading_context, 1, D("0.70"))
    assert again.proposal is not None
    assert (desk.state(found.proposal.id), again.proposal.floor_price) == (P.LAPSED, D("-0.70"))
    assert len(desk.store.marks.select(1)) == 3  # each of them saw the market


def test_a_person_s_close_waits_for_nothing_else(desk: ManagedDesk) -> None:
    opened(desk, **LAST)
    close = desk.start().proposal
    assert close is not None
    desk.approve_close(close, "0.57")
    with pytest.raises(Refused, match=f"P{close.id}, which closes T1, is approved by anna"):
        propose_close(desk.trading_context, 1)
    execute(desk.trading_context, close.id, wait=False)
    with pytest.raises(Refused, match=f"P{close.id}, which closes T1, is sent since"):
        propose_close(desk.trading_context, 1)
    desk.locks.busy = {MANAGE_LOCK}
    with pytest.raises(Unavailable, match="manage is held"):
        propose_close(desk.trading_context, 1)


def test_there_must_be_something_to_close_and_a_market_to_price_it(desk: ManagedDesk) -> None:
    opened(desk)
    desk.market.trouble = Unavailable("cboe does not answer")
    with pytest.raises(Unavailable) as error:
        propose_close(desk.trading_context, 1)
    assert error.value.message == "T1 was not marked: cboe does not answer"
    desk.market.trouble = None
    with pytest.raises(Refused, match=r"a price of 5\.01 is not"):
        propose_close(desk.trading_context, 1, D("5.01"))
    move_trade(desk.store, 1, now=TradeState.EXPIRED, at=desk.clock())
    with pytest.raises(Refused) as refusal:
        propose_close(desk.trading_context, 1)
    assert refusal.value.message == "T1 is expired; there is nothing to close"
    assert desk.closes() == []


# Until the close is filled.


def test_a_trade_is_managed_until_its_close_is_filled(desk: ManagedDesk) -> None:
    opened(desk, **LAST)
    close = desk.start().proposal
    assert close is not None
    desk.approve_close(close, "0.57")
    execute(desk.trading_context, close.id, wait=False)
    assert desk.trade().state is TradeState.CLOSING
    found = desk.start(minutes=1)
    assert found.trade.state is TradeState.CLOSING
    assert found.mark is not None
    desk.orders.fill("480002")
    found = desk.start(minutes=1)
    assert (found.trade.state, found.trade.exit_reason) == (TradeState.CLOSED, ExitReason.LAST_EXIT)
    assert (desk.state(close.id), found.mark) == (P.DONE, None)
    assert desk.manage() == ()


def test_a_close_that_does_not_fill_waits_again_and_is_made_anew_where_the_market_is(desk: ManagedDesk) -> None:
    opened(desk, **LAST)
    close = desk.start().proposal
    assert close is not None
    desk.approve_close(close, "0.57")
    with pytest.raises(NotFilled):
        execute(desk.trading_context, close.id)
    assert (desk.state(close.id), desk.trade().state) == (P.PROPOSED, TradeState.OPEN)
    found = desk.start()
    assert found.proposal is not None
    assert found.proposal.id == close.id
    desk.quoted.close_costs("0.80")
    found = desk.start()
    assert found.proposal is not None
    assert (found.proposal.state, found.proposal.limit_price) == (P.PROPOSED, D("-0.80"))


def test_a_partial_close_leaves_the_rest_open_and_managed(desk: ManagedDesk) -> None:
    opened(desk, quantity=2, **LAST)
    close = desk.start().proposal
    assert close is not None
    desk.approve_close(close, "0.57")
    execute(desk.trading_context, close.id, wait=False)
    desk.orders.fill("480002", 1)
    desk.clock.at += timedelta(minutes=11)
    execute(desk.trading_context, close.id)
    trade = desk.trade()
    assert (trade.state, trade.remaining, trade.exit_reason) == (TradeState.OPEN, 1, None)
    found = desk.start(minutes=1)
    assert found.mark is not None
    assert found.proposal is not None
    assert (found.mark.quantity, found.proposal.quantity, found.proposal.id) == (1, 1, close.id + 1)
    desk.approve_close(found.proposal, "0.57")
    execute(desk.trading_context, found.proposal.id, wait=False)
    desk.orders.fill("480003")
    execute(desk.trading_context, found.proposal.id)
    assert desk.trade().state is TradeState.CLOSED
    assert desk.trade().closed_quantity == 2


# A resting target in the way.


def approved_close(desk: ManagedDesk, **exits: Any) -> int:
    """A close, due by time, approved while the target rests with the broker as order 480002."""
    opened(desk, rests_target=True, time_exit=builders.TODAY, **exits)
    close = desk.start().proposal
    assert close is not None
    desk.approve_close(close, "0.57")
    return close.id


def test_a_resting_target_is_cancelled_and_confirmed_before_the_close(desk: ManagedDesk) -> None:
    close = approved_close(desk)
    desk.orders.requests.clear()
    execute(desk.trading_context, close, wait=False)
    assert desk.orders.requests == ["cancel", "submit"]
    assert desk.orders.book["480002"].state is OrderState.CANCELLED
    assert desk.orders.book["480003"].quantity == 2


def test_what_the_target_filled_meanwhile_is_not_bought_again(desk: ManagedDesk) -> None:
    close = approved_close(desk)
    desk.orders.fill("480002", 1)
    execute(desk.trading_context, close, wait=False)
    assert desk.orders.book["480003"].quantity == 1
    desk.orders.fill("480003")
    execute(desk.trading_context, close)
    trade = desk.trade()
    assert (trade.state, trade.closed_quantity, trade.exit_reason) == (TradeState.CLOSED, 2, ExitReason.TIME)


def test_a_target_that_filled_wholly_ends_the_trade_and_the_close_lapses_with_the_reason(desk: ManagedDesk) -> None:
    close = approved_close(desk)
    desk.orders.fill("480002")
    with pytest.raises(Refused, match="T1 holds nothing any more"):
        execute(desk.trading_context, close)
    row = desk.store.core.get_row("proposal", close)
    assert (row["state"], row["reason"]) == (P.LAPSED, "T1 holds nothing any more")
    assert (desk.trade().state, desk.trade().exit_reason) == (TradeState.CLOSED, ExitReason.TARGET)
    assert desk.orders.requests.count("submit") == 2


@pytest.mark.parametrize("error", [BrokerRefused("cannot_update_order"), TIMED_OUT])
def test_while_the_end_of_the_target_is_unknown_nothing_else_is_sent(desk: ManagedDesk, error: Exception) -> None:
    close = approved_close(desk)

    def cancel(broker_id: str) -> Any:
        raise error

    desk.orders.cancel = cancel  # type: ignore[method-assign]
    with pytest.raises(Unresolved):
        execute(desk.trading_context, close)
    assert desk.orders.requests.count("submit") == 2
    assert (desk.state(close), desk.trade().state) == (P.APPROVED, TradeState.OPEN)


def test_after_its_target_was_cancelled_the_trade_has_a_target_by_marks(desk: ManagedDesk) -> None:
    close = approved_close(desk)
    with pytest.raises(NotFilled):
        execute(desk.trading_context, close)
    desk.quoted.close_costs("0.20")
    found = desk.start()
    assert found.due is not None
    assert found.due.reason is ExitReason.TARGET
    assert found.proposal is not None
    assert found.proposal.floor_price == D("-0.26")


# Trades that end otherwise.


@pytest.mark.parametrize("state", ["proposed", "approved"])
def test_a_close_of_a_trade_that_its_target_ended_lapses(desk: ManagedDesk, state: str) -> None:
    close = approved_close(desk)
    if state == "proposed":
        desk.store.proposals.move(close, was=P.APPROVED, now=P.PROPOSED, at=desk.clock())
    desk.orders.fill("480002")
    found = desk.start(minutes=1)
    assert found.proposal is not None
    assert (found.trade.state, found.proposal.state) == (TradeState.CLOSED, P.LAPSED)
    assert desk.store.core.get_row("proposal", close)["reason"] == "T1 is closed"
    assert desk.manage() == ()


@pytest.mark.parametrize("ends", [TradeState.CLOSED, TradeState.EXPIRED, TradeState.ASSIGNED])
def test_a_close_of_a_trade_that_ended_in_another_command_lapses(desk: ManagedDesk, ends: TradeState) -> None:
    opened(desk, **LAST)
    close = desk.start().proposal
    assert close is not None
    move_trade(desk.store, 1, now=ends, at=desk.clock())
    found = desk.start()
    assert (found.trade.state, found.error) == (ends, None)
    assert desk.state(close.id) is P.LAPSED
    assert desk.store.core.get_row("proposal", close.id)["reason"] == f"T1 is {ends}"


def test_a_sent_close_of_a_trade_that_has_ended_is_for_its_order_to_end(desk: ManagedDesk) -> None:
    opened(desk, **LAST)
    close = desk.start().proposal
    assert close is not None
    desk.approve_close(close, "0.57")
    execute(desk.trading_context, close.id, wait=False)
    move_trade(desk.store, 1, now=TradeState.EXPIRED, at=desk.clock())
    (found,) = desk.manage()
    assert found.proposal is not None
    assert found.proposal.state is P.SENT
    assert found.error is None
    desk.orders.cancel("480002")
    (found,) = desk.manage()
    assert found.proposal is not None
    assert found.proposal.state is P.LAPSED
    assert desk.manage() == ()


def test_of_a_trade_made_below_its_floor_the_new_plan_decides(desk: ManagedDesk) -> None:
    opened(desk)
    own = builders.exit_plan(profit_target=D("0.60"))
    desk.store.core.db.execute("pragma ignore_check_constraints = on")
    trade = replace(desk.trade(), exits=own)
    desk.store.trades.get = lambda trade_id: trade  # type: ignore[method-assign]
    found = desk.start()
    assert found.exits == own
    assert found.due is not None
    assert found.due.price == D("0.60")


def test_a_close_on_the_day_of_the_time_exit_is_due_from_the_open(desk: ManagedDesk) -> None:
    opened(desk)
    desk.clock.at = datetime(2025, 10, 17, 13, 30, tzinfo=UTC)
    (found,) = desk.manage()
    assert found.due is not None
    assert (found.due.reason, found.due.day) == (ExitReason.TIME, date(2025, 10, 17))
    assert found.proposal is not None
