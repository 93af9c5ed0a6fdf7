"""Closes that the approval of the opening covers: sent without a person, within the plan, and nothing else."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from spy32.domain.proposals import ExitReason, Proposal
from spy32.domain.spreads import Action, ExitAuthority, Mode
from spy32.errors import NotFilled, NotPermitted, Refused, StoreError, Unavailable, Unresolved
from spy32.lifecycle import OrderState, ProposalState, TradeState
from spy32.rules import plan
from spy32.trading import manage as module
from spy32.trading import order_state
from spy32.trading.approve import decline
from spy32.trading.context import proposal_lock_name
from spy32.trading.execute import execute
from spy32.trading.manage import is_covered, plan_name, propose_close
from spy32.trading.reconcile import reconcile, settle_by_person
from tests.support import builders
from tests.support.fakes import TIMED_OUT
from tests.support.managed import ManagedDesk, managed_desk, opened, planned_desk
from tests.support.open_trades import held
from tests.support.simulated_broker import Crash

D = Decimal
LAST = {"last_exit": builders.TODAY}
P = ProposalState
FILLS = D("-0.60")
"""The broker fills a close when it may pay so much; the walk goes from 0.57 to 0.63."""


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[ManagedDesk]:
    made = planned_desk(tmp_path)
    yield made
    made.store.close()


def sent(desk: ManagedDesk) -> int:
    """Requests for orders after that of the opening."""
    return sum(request in ("submit", "replace") for request in desk.orders.requests) - 1


# What is gone at the broker.


@pytest.mark.parametrize("mode", [Mode.SANDBOX, Mode.LIVE])
@pytest.mark.parametrize("holds", [{"short": -2}, {"short": -1, "long": 1}, {}])
def test_nothing_is_sent_for_a_trade_whose_contracts_are_gone_by_hand(
    tmp_path: Path, mode: Mode, holds: dict[str, int]
) -> None:
    desk = planned_desk(tmp_path, mode)
    opened(desk, **LAST)
    desk.orders.fills_at = FILLS
    desk.holds(**holds)
    for _ in range(2):
        found = desk.start()
        assert (found.trade.state, found.proposal, found.is_news) == (TradeState.OPEN, None, True)
        assert any("gone" in warning for warning in found.warnings)
        assert found.due is not None
    assert (desk.closes(), sent(desk)) == ([], 0)
    desk.store.close()


def test_a_close_that_a_person_approved_is_not_sent_when_a_leg_is_gone(desk: ManagedDesk) -> None:
    opened(desk, rests_target=True)
    close = propose_close(desk.trading_context, 1).proposal
    assert close is not None
    desk.approve_close(close, "0.57")
    desk.holds(short=-2)
    before = len(desk.orders.book)
    with pytest.raises(Refused, match="the account holds 0 of 635 P of 2025-11-07, and the close needs 2"):
        execute(desk.trading_context, close.id)
    assert len(desk.orders.book) == before


# Sent without a person.


@pytest.mark.parametrize("mode", [Mode.PAPER, Mode.SANDBOX, Mode.LIVE])
def test_a_due_close_is_approved_by_the_plan_and_sent(tmp_path: Path, mode: Mode) -> None:
    desk = planned_desk(tmp_path, mode)
    opened(desk, **LAST)
    desk.orders.fills_at = FILLS
    found = desk.start()
    assert found.error is None
    assert (found.trade.state, found.trade.exit_reason, found.trade.debit) == (
        TradeState.CLOSED, ExitReason.LAST_EXIT, D("0.60"),
    )  # fmt: skip
    assert found.proposal is not None
    assert found.proposal.state is P.DONE
    approval = desk.store.proposals.latest_approval(found.proposal.id)
    assert approval is not None
    assert (approval.by, approval.hash, approval.note) == (
        plan_name(1),
        found.proposal.hash,
        "the last exit is on 2025-10-06",
    )
    assert (approval.mid, approval.natural, approval.spot) == (D("-0.57"), D("-0.61"), 670.0)
    assert approval.short_delta > 0
    assert approval.until - approval.at == timedelta(minutes=60)
    assert desk.store.audit.verify().broken is None
    desk.store.close()


@pytest.mark.parametrize(
    ("exits", "mid", "reason"),
    [
        ({"time_exit": builders.TODAY}, "0.57", ExitReason.TIME),
        ({}, "0.25", ExitReason.TARGET),
        ({"stop": D("0.50")}, "0.57", ExitReason.STOP),
    ],
)
def test_every_exit_of_the_plan_is_covered(
    desk: ManagedDesk, exits: dict[str, Any], mid: str, reason: ExitReason
) -> None:
    opened(desk, **exits)
    desk.quoted.close_costs(mid)
    desk.orders.fills_at = D("9")
    desk.start()
    assert desk.trade().exit_reason is reason or desk.start().trade.exit_reason is reason
    assert desk.trade().state is TradeState.CLOSED
    assert sent(desk) == 1


def test_no_order_pays_more_than_the_ceiling_and_none_opens(desk: ManagedDesk) -> None:
    opened(desk, **LAST)
    found = desk.start()
    assert isinstance(found.error, NotFilled)
    orders = [order for order in desk.orders.book.values() if order.broker_id != "480001"]
    assert [-order.limit for order in orders] == [D(cents) / 100 for cents in range(57, 64)]
    assert {leg.action for order in orders for leg in order.legs} == {Action.BUY_TO_CLOSE, Action.SELL_TO_CLOSE}
    assert {order.quantity for order in orders} == {2}
    assert {order.state for order in orders} == {OrderState.REPLACED, OrderState.CANCELLED}


def test_a_close_at_the_target_never_pays_more_than_the_target(desk: ManagedDesk) -> None:
    opened(desk)
    desk.quoted.close_costs("0.28")
    assert isinstance(desk.start().error, NotFilled)
    assert [-order.limit for order in list(desk.orders.book.values())[1:]] == [D("0.28"), D("0.29")]


def test_a_close_that_does_not_fill_is_proposed_approved_and_sent_again_with_the_next_start(
    desk: ManagedDesk,
) -> None:
    opened(desk, **LAST)
    first = desk.start()
    assert isinstance(first.error, NotFilled)
    assert first.proposal is not None
    assert (first.proposal.state, first.trade.state) == (P.PROPOSED, TradeState.OPEN)
    desk.orders.fills_at = FILLS
    second = desk.start()
    assert (second.error, second.trade.state) == (None, TradeState.CLOSED)
    assert [close.state for close in desk.closes()] == [P.DONE]


@pytest.mark.parametrize("mid", ["0.90", "0.40"])
def test_the_next_try_is_at_the_market_of_then(desk: ManagedDesk, mid: str) -> None:
    """Also when the market has come back: nobody pays 0.57 for what costs 0.44."""
    opened(desk, **LAST)
    desk.start()
    desk.quoted.close_costs(mid)
    desk.orders.fills_at = -D(mid)
    found = desk.start()
    assert found.error is None
    assert found.trade.debit == D(mid)
    assert [close.state for close in desk.closes()] == [P.LAPSED, P.DONE]


@pytest.mark.parametrize(("mid", "half"), [("0.025", "0.01"), ("0.045", "0.01"), ("0.005", "0.01"), ("0.00", "0.01")])
def test_a_spread_that_is_worth_next_to_nothing_can_be_closed(desk: ManagedDesk, mid: str, half: str) -> None:
    """A mid of 0.025 is rounded to 0.02, a fifth away from it."""
    opened(desk, profit_target=D("0.01"), **LAST)
    desk.quoted.close_costs(mid, half=half)
    desk.orders.fills_at = D("9")
    found = desk.start()
    assert (found.error, found.warnings) == (None, ())
    assert found.trade.state is TradeState.CLOSED


def test_a_partial_fill_leaves_the_rest_for_the_next_start(desk: ManagedDesk) -> None:
    opened(desk, **LAST)
    submit = desk.orders.submit

    def filling(body: str) -> Any:
        made = submit(body)
        desk.orders.fill(made.broker_id, 1)
        return desk.orders.book[made.broker_id]

    desk.orders.submit = filling  # type: ignore[method-assign]
    found = desk.start()
    assert (found.error, found.trade.state, found.trade.remaining) == (None, TradeState.OPEN, 1)
    desk.orders.submit = submit  # type: ignore[method-assign]
    desk.orders.fills_at = D("9")
    found = desk.start()
    assert (found.trade.state, found.trade.closed_quantity) == (TradeState.CLOSED, 2)
    assert [close.quantity for close in desk.closes()] == [2, 1]


def test_a_resting_target_is_cancelled_first_and_what_it_filled_is_not_bought_again(desk: ManagedDesk) -> None:
    opened(desk, rests_target=True, **LAST)
    desk.orders.fill("480002", 1)
    desk.orders.requests.clear()
    desk.orders.fills_at = D("9")
    found = desk.start()
    assert (found.error, found.trade.state, found.trade.closed_quantity) == (None, TradeState.CLOSED, 2)
    assert desk.orders.requests == ["cancel", "submit"]
    assert desk.orders.book["480003"].quantity == 1


def test_a_target_that_fills_while_it_is_cancelled_leaves_nothing_to_close(desk: ManagedDesk) -> None:
    opened(desk, rests_target=True, **LAST)
    cancel = desk.orders.cancel

    def filled_first(broker_id: str) -> Any:
        desk.orders.fill(broker_id)
        return cancel(broker_id)

    desk.orders.cancel = filled_first  # type: ignore[method-assign]
    found = desk.start()
    assert isinstance(found.error, Refused)
    assert found.proposal is not None
    assert (found.trade.state, found.trade.exit_reason) == (TradeState.CLOSED, ExitReason.TARGET)
    assert found.proposal.state is P.LAPSED
    assert sent(desk) == 1  # the target
    assert desk.manage() == ()


# What the plan does not cover.


def test_asking_sends_nothing(tmp_path: Path) -> None:
    desk = managed_desk(tmp_path)
    opened(desk, **LAST)
    found = desk.start()
    assert found.proposal is not None
    assert (found.proposal.state, found.error, sent(desk)) == (P.PROPOSED, None, 0)
    desk.store.close()


@pytest.mark.parametrize(
    "now",
    [
        {"authorise": ExitAuthority.ASK},  # the person has changed their mind
        {"authorise": ExitAuthority.PLAN, "authorise_live": False},
    ],
)
def test_the_settings_of_now_must_allow_it_too(tmp_path: Path, now: dict[str, Any]) -> None:
    desk = planned_desk(tmp_path, Mode.LIVE)
    opened(desk, **LAST)
    desk.settings = replace(desk.settings, exit=replace(desk.settings.exit, **now))
    found = desk.start()
    assert found.proposal is not None
    assert (found.proposal.state, found.error, sent(desk)) == (P.PROPOSED, None, 0)
    desk.store.close()


@pytest.mark.parametrize("mode", [Mode.PAPER, Mode.SANDBOX])
def test_outside_live_mode_the_second_setting_is_not_needed(tmp_path: Path, mode: Mode) -> None:
    desk = managed_desk(tmp_path, mode, authorise=ExitAuthority.PLAN)
    opened(desk, **LAST)
    desk.orders.fills_at = FILLS
    assert desk.start().trade.state is TradeState.CLOSED
    desk.store.close()


def test_a_plan_that_was_approved_to_ask_is_asked_whatever_the_settings_say_now(desk: ManagedDesk) -> None:
    opened(desk, authority=ExitAuthority.ASK, **LAST)
    found = desk.start()
    assert found.proposal is not None
    assert (found.proposal.state, sent(desk)) == (P.PROPOSED, 0)


def test_a_plan_of_a_trade_below_its_floor_cannot_cover_more_than_the_approved_one(desk: ManagedDesk) -> None:
    opened(desk, authority=ExitAuthority.ASK, **LAST)
    trade = replace(desk.trade(), exits=builders.exit_plan(authority=ExitAuthority.PLAN, **LAST))
    close = desk.start().proposal
    assert close is not None
    assert not is_covered(desk.trading_context, desk.store.proposals.get(1), replace(close, exit=trade.exits), D(5))


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("update approval set body = replace(body, (select hash from proposal where id = 1), 'abc')", "another hash"),
        ("update proposal set body = replace(body, '1.74', '1.75') where id = 1", "edited"),
        ("delete from approval", "no approval"),
    ],
)
def test_an_opening_that_was_edited_or_approved_otherwise_covers_nothing(desk: ManagedDesk, sql: str, why: str) -> None:
    opened(desk, **LAST)
    for kind in ("update", "delete"):
        for table in ("approval", "proposal"):
            desk.store.core.db.execute(f"drop trigger if exists {table}_no_{kind}")
    triggers = desk.store.core.rows("select name from sqlite_master where type = 'trigger'")
    for row in triggers:
        desk.store.core.db.execute(f'drop trigger "{row["name"]}"')
    desk.store.core.db.execute("pragma foreign_keys = off")
    assert desk.store.core.db.execute(sql).rowcount == 1, why
    found = desk.start()
    assert found.proposal is not None
    assert (found.proposal.state, sent(desk)) == (P.PROPOSED, 0)


def covered(desk: ManagedDesk, close: Proposal, **over: Any) -> bool:
    return is_covered(desk.trading_context, desk.store.proposals.get(1), replace(close, **over), D(5))


def test_a_close_of_a_person_an_opening_and_a_ceiling_beyond_the_width_are_not_covered(desk: ManagedDesk) -> None:
    opened(desk, **LAST)
    desk.halt = "no sending here"
    close = desk.start().proposal
    assert close is not None
    assert covered(desk, close)
    assert not covered(desk, close, reason=ExitReason.PERSON)
    assert not covered(desk, close, reason=None)
    assert not covered(desk, close, trade_id=None)
    assert covered(desk, close, plan=replace(close.plan, limit=D("-5.00")))
    assert not covered(desk, close, plan=replace(close.plan, limit=D("-5.01")))


def test_a_close_of_a_person_waits_for_its_person(desk: ManagedDesk) -> None:
    opened(desk, time_exit=builders.TODAY)
    own = propose_close(desk.trading_context, 1).proposal
    found = desk.start()
    assert own is not None
    assert found.proposal == own
    assert sent(desk) == 0


@pytest.mark.parametrize(
    ("exits", "words"),
    [({"last_exit": builders.TODAY}, "last exit"), ({"stop": D("0.90")}, "stop")],
)
def test_a_draft_of_a_person_does_not_hold_up_what_limits_a_loss(
    desk: ManagedDesk, exits: dict[str, Any], words: str
) -> None:
    opened(desk, **exits)
    own = propose_close(desk.trading_context, 1, D("0.10")).proposal
    assert own is not None
    desk.quoted.close_costs("1.50")
    desk.orders.fills_at = D("9")
    if words == "stop":
        assert desk.start().proposal == own
    found = desk.start()
    assert (found.trade.state, found.is_news, sent(desk)) == (TradeState.CLOSED, True, 1)
    assert found.warnings[-1].startswith(f"P{own.id}, a person's draft, gave way: ")
    row = desk.store.core.get_row("proposal", own.id)
    assert row["state"] == P.LAPSED
    assert row["reason"].lower() == f"it gives way to a close by the plan: {words}"


def test_a_draft_of_a_person_that_was_approved_is_left_alone(desk: ManagedDesk) -> None:
    opened(desk, **LAST)
    own = propose_close(desk.trading_context, 1, D("0.70")).proposal
    assert own is not None
    desk.approve_close(own, "0.57")
    found = desk.start()
    assert found.proposal is not None
    assert (found.proposal.id, found.proposal.state, sent(desk)) == (own.id, P.APPROVED, 0)


def test_a_close_that_a_person_approved_is_sent_by_the_person(desk: ManagedDesk) -> None:
    opened(desk, **LAST)
    desk.halt = "wait"
    close = desk.start().proposal
    assert close is not None
    desk.halt = None
    desk.approve_close(close, "0.57")
    found = desk.start()
    assert found.proposal is not None
    assert (found.proposal.state, found.error, sent(desk)) == (P.APPROVED, None, 0)
    execute(desk.trading_context, close.id, wait=False)
    found = desk.start(minutes=1)
    assert found.proposal is not None
    assert (found.proposal.state, found.error, sent(desk)) == (P.SENT, None, 1)


def test_a_person_s_decline_is_respected_for_the_day_also_of_an_urgent_close(desk: ManagedDesk) -> None:
    opened(desk, **LAST)
    desk.halt = "wait"
    close = desk.start().proposal
    assert close is not None
    decline(desk.trading_context, close.id, by="anna")
    desk.halt = None
    found = desk.start()
    assert found.proposal is not None
    assert (found.proposal.id, found.proposal.state) == (close.id + 1, P.PROPOSED)
    assert sent(desk) == 0
    desk.clock.at = datetime(2025, 10, 7, 14, 0, tzinfo=UTC)
    desk.orders.fills_at = FILLS
    assert desk.manage()[0].trade.state is TradeState.CLOSED


# Halt and pause.


def test_a_halt_stops_sending_and_not_marking(desk: ManagedDesk) -> None:
    opened(desk, **LAST)
    desk.halt = "a storm"
    found = desk.start()
    assert isinstance(found.error, NotPermitted)
    assert found.error.message == "halted: a storm; `spy32 resume` lifts it"
    assert found.mark is not None
    assert len(desk.store.marks.select(1)) == 1
    assert found.proposal is not None
    assert (found.proposal.state, sent(desk)) == (P.PROPOSED, 0)
    assert desk.store.proposals.latest_approval(found.proposal.id) is None
    desk.halt, desk.orders.fills_at = None, FILLS
    assert desk.start().trade.state is TradeState.CLOSED


@pytest.mark.parametrize("way", ["flag", "setting"])
def test_a_pause_stops_sending_and_not_marking(desk: ManagedDesk, way: str) -> None:
    opened(desk, **LAST)
    plain = desk.settings
    if way == "flag":
        desk.store.flags.record("paused", "holiday", desk.clock())
    else:
        desk.settings = replace(desk.settings, enable_automation=False)
    found = desk.start()
    assert found.proposal is not None
    assert found.error is None
    assert found.warnings == (f"paused: P{found.proposal.id} waits for a person, or until `spy32 resume`",)
    assert found.mark is not None
    assert (found.proposal.state, sent(desk)) == (P.PROPOSED, 0)
    desk.store.flags.clear("paused", desk.clock())
    desk.settings, desk.orders.fills_at = plain, FILLS
    assert desk.start().trade.state is TradeState.CLOSED


# Refused and broken.


def test_quotes_that_are_too_wide_or_late_send_nothing_and_the_next_start_tries_again(desk: ManagedDesk) -> None:
    opened(desk, **LAST)
    execute_quotes = desk.quoted.quotes
    calls: list[int] = []

    def once(*args: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            raise Unavailable("cboe does not answer")
        return execute_quotes(*args)

    desk.quoted.quotes = once  # type: ignore[method-assign]
    found = desk.start()
    assert isinstance(found.error, Unavailable)
    assert found.proposal is not None
    assert (found.proposal.state, sent(desk)) == (P.APPROVED, 0)
    desk.orders.fills_at = FILLS
    found = desk.start()
    assert (found.error, found.trade.state) == (None, TradeState.CLOSED)


def test_after_sixteen_hours_new_york_nothing_is_sent_any_more(desk: ManagedDesk) -> None:
    opened(desk, **LAST)
    desk.clock.at = datetime(2025, 10, 6, 20, 5, tzinfo=UTC)
    (found,) = desk.manage()
    assert isinstance(found.error, Refused)
    assert "outside the session" in found.error.message
    assert found.mark is not None
    assert sent(desk) == 0


def test_an_unknown_outcome_is_settled_by_reading_and_not_sent_again(desk: ManagedDesk) -> None:
    opened(desk, **LAST)
    desk.orders.faults = [("after", TIMED_OUT)]
    desk.orders.fills_at = D("9")
    found = desk.start()
    assert (found.error, found.trade.state, sent(desk)) == (None, TradeState.CLOSED, 1)


def test_a_lost_live_close_is_not_sent_again_without_a_person_s_word(tmp_path: Path) -> None:
    desk = planned_desk(tmp_path, Mode.LIVE)
    opened(desk, **LAST)
    desk.orders.fills_at = D("9")
    desk.orders.faults = [("before", TIMED_OUT)]
    found = desk.start()
    assert isinstance(found.error, Unresolved)
    assert "may still be on its way" in found.error.message
    assert (found.trade.state, sent(desk)) == (TradeState.CLOSING, 1)
    for _ in range(2):
        found = desk.start()
        assert found.proposal is not None
        assert (found.trade.state, found.proposal.state) == (TradeState.OPEN, P.PROPOSED)
        assert (found.is_news, found.error, sent(desk)) == (True, None, 1)
        assert f"`spy32 reconcile --settle P{found.proposal.id}` says" in found.warnings[-1]
    desk.approve_close(found.proposal, "0.57")
    with pytest.raises(Refused, match="could still arrive"):
        execute(desk.trading_context, found.proposal.id)
    settle_by_person(desk.trading_context, found.proposal.id, "anna")
    assert execute(desk.trading_context, found.proposal.id).state is P.DONE
    desk.store.close()


def test_a_lost_close_of_one_trade_stops_no_close_of_another_and_a_lost_step_none(tmp_path: Path) -> None:
    desk = planned_desk(tmp_path, Mode.LIVE)
    opened(desk, **LAST)
    other = opened(desk, legs=builders.spread("630", "625").legs, **LAST)
    desk.orders.faults = [("before", TIMED_OUT)]
    desk.manage(1)
    desk.clock.at += timedelta(minutes=15)
    desk.orders.fills_at = D("9")
    assert desk.manage(1)[0].trade.state is TradeState.OPEN
    assert desk.manage(other.id)[0].trade.state is TradeState.CLOSED
    (lost,) = desk.store.found_orders.absent_exits(builders.TODAY, 1)
    assert desk.store.found_orders.absent_exits(builders.TODAY, other.id) == ()
    desk.store.core.db.execute("update broker_order set replaces = 1 where id = ?", (lost.id,))
    assert desk.store.found_orders.absent_exits(builders.TODAY, 1) == ()
    desk.store.close()


def test_while_the_outcome_cannot_be_read_the_trade_is_closing_and_nothing_more_is_sent(desk: ManagedDesk) -> None:
    opened(desk, **LAST)
    desk.orders.goes_silent_after = 2
    found = desk.start()
    assert isinstance(found.error, Unresolved | Unavailable)
    assert found.trade.state is TradeState.CLOSING
    again = desk.start()
    assert again.mark is not None
    assert isinstance(again.error, Unresolved | Unavailable)
    assert sent(desk) == 1
    desk.orders.unreadable = False
    desk.orders.fill("480002")
    assert desk.start().trade.state is TradeState.CLOSED
    assert sent(desk) == 1


def test_a_damaged_store_stops_that_trade_in_live_mode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = planned_desk(tmp_path, Mode.LIVE)
    opened(desk, **LAST)

    def damaged(*args: Any) -> None:
        raise StoreError("the chain is broken")

    monkeypatch.setattr(desk.store.audit, "verify_order_basis", damaged)
    found = desk.start()
    assert isinstance(found.error, StoreError)
    assert sent(desk) == 0
    desk.store.close()


# Starts that die.


def crash_before_sending(desk: ManagedDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*args: Any) -> None:
        raise Crash

    with monkeypatch.context() as patched, pytest.raises(Crash):
        patched.setattr(module, "execute", die)
        desk.start()


def test_a_close_that_a_dead_start_approved_is_sent_by_the_next_one(
    desk: ManagedDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(desk, **LAST)
    crash_before_sending(desk, monkeypatch)
    (close,) = desk.closes()
    assert (close.state, sent(desk)) == (P.APPROVED, 0)
    desk.orders.fills_at = FILLS
    found = desk.start()
    assert (found.error, found.trade.state) == (None, TradeState.CLOSED)
    assert len(desk.store.core.rows("select id from approval")) == 2


def test_an_approval_of_a_dead_start_that_has_ended_is_given_again(
    desk: ManagedDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(desk, **LAST)
    crash_before_sending(desk, monkeypatch)
    desk.orders.fills_at = FILLS
    assert desk.start(minutes=61).trade.state is TradeState.CLOSED
    assert len(desk.store.core.rows("select id from approval")) == 3


def test_an_order_that_a_dead_start_left_working_is_worked_to_its_end(desk: ManagedDesk) -> None:
    opened(desk, **LAST)
    sleep = desk.clock.sleep

    def die(seconds: float) -> None:
        raise Crash

    desk.clock.sleep = die  # type: ignore[method-assign]
    with pytest.raises(Crash):
        desk.start()
    desk.clock.sleep = sleep  # type: ignore[method-assign]
    (close,) = desk.closes()
    assert (close.state, sent(desk)) == (P.SENT, 1)
    desk.quoted.close_costs("0.40")
    found = desk.start()  # past the deadline: cancelled and confirmed
    assert isinstance(found.error, NotFilled)
    assert desk.state(close.id) is P.PROPOSED
    assert desk.orders.book["480002"].state is OrderState.CANCELLED
    desk.orders.fills_at = D("9")
    assert desk.start().trade.state is TradeState.CLOSED


def test_a_close_that_filled_as_its_start_died_is_concluded(desk: ManagedDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its trade is closed by then, so nothing else would look at it."""
    opened(desk, **LAST)
    desk.orders.fills_at = D("9")

    conclude = order_state.conclude_proposal

    def die(context: Any, proposal_id: int, **more: Any) -> int:
        if desk.state(proposal_id) is P.SENT:
            raise Crash
        return conclude(context, proposal_id, **more)

    with monkeypatch.context() as patched, pytest.raises(Crash):
        patched.setattr(order_state, "conclude_proposal", die)
        desk.start()
    (close,) = desk.closes()
    assert (close.state, desk.trade().state) == (P.SENT, TradeState.CLOSED)
    found = desk.start()
    assert (found.trade.state, found.error, desk.state(close.id)) == (TradeState.CLOSED, None, P.DONE)
    assert desk.manage() == ()


def test_the_order_of_a_lapsed_close_that_is_found_later_comes_first(desk: ManagedDesk) -> None:
    """It was lost on its way and called absent; another close had taken its place by the time it arrived."""
    opened(desk, **LAST)
    held(desk, short=-2, long=2)
    desk.orders.faults = [("before", TIMED_OUT)]
    found = desk.start()
    assert isinstance(found.error, NotFilled)
    (lost,) = desk.store.orders.select(OrderState.ABSENT)
    desk.halt = "wait"
    desk.quoted.close_costs("0.90")
    desk.start()
    assert [close.state for close in desk.closes()] == [P.LAPSED, P.PROPOSED]
    desk.orders.submit(lost.body)
    reconcile(desk.context_for)
    assert [close.state for close in desk.closes()] == [P.SENT, P.LAPSED]
    waiting = desk.closes()[1]
    assert desk.store.core.get_row("proposal", waiting.id)["reason"] == "an order of P2 was found at the broker"
    desk.orders.fill("480002")
    desk.halt = None
    assert desk.start().trade.state is TradeState.CLOSED
    assert desk.state(2) is P.DONE


def test_an_order_of_the_plan_that_a_person_works_is_left_to_them(desk: ManagedDesk) -> None:
    opened(desk, **LAST)
    desk.orders.goes_silent_after = 2
    desk.start()
    desk.orders.unreadable = False
    (close,) = desk.closes()
    desk.locks.busy = {proposal_lock_name(close.id)}
    found = desk.start(minutes=1)
    assert found.proposal is not None
    assert found.proposal.state is P.SENT
    assert isinstance(found.error, Unavailable)
    assert sent(desk) == 1


def test_who_may_send_is_in_the_hash_that_a_person_approved(desk: ManagedDesk) -> None:
    opened(desk)
    made = desk.store.proposals.get(1)
    asked = replace(made, exit=replace(made.exit, authority=ExitAuthority.ASK))
    assert plan.proposal_digest(asked) != made.hash == plan.proposal_digest(made)
