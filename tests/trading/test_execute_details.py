"""What small changes of `execute`, `reconcile` and `lifecycle` break and no other test says (`proofs.mutants`)."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from spy32.domain.orders import BrokerOrder
from spy32.errors import BadUsage, BrokerRefused, NotFilled, Refused, Unavailable, Unresolved
from spy32.lifecycle import (
    FINAL,
    IN_FLIGHT,
    ORDER_TRANSITIONS,
    PROPOSAL_TRANSITIONS,
    TRADE_TRANSITIONS,
    OrderState,
    ProposalState,
    TradeState,
    advance,
)
from spy32.trading import transactions
from spy32.trading.execute import execute, preview_execution
from spy32.trading.order_book import load_order_book
from spy32.trading.reconcile import cancel_proposal
from tests.support import builders
from tests.support.fakes import TIMED_OUT
from tests.support.resting_targets import closing, opened
from tests.support.trading import TradingDesk

D, O, P, T = Decimal, OrderState, ProposalState, TradeState  # noqa: E741


def two_working(desk: TradingDesk) -> int:
    """A first order whose replacement lives beside it, as while a broker has not confirmed it yet."""
    proposal = desk.approved()
    execute(desk.trading_context, proposal, wait=False)
    (old,) = desk.store.orders.select_by_proposal(proposal)
    reference = old.reference.removesuffix("1") + "2"
    limit = desk.store.proposals.get(proposal).plan.prices[1]
    made = desk.store.proposals.get(proposal)
    row = builders.order(
        made, desk.store.proposals.latest_approval(proposal), reference=reference, limit=limit, replaces=old.id,
        created_at=desk.clock(), approval_id=old.approval_id,
    )  # fmt: skip
    committed = desk.store.orders.begin(row, at=desk.clock())
    placed = desk.orders.replace(str(old.broker_id), committed.body)
    desk.store.orders.move(committed.id, was=O.SUBMITTING, now=O.WORKING, at=desk.clock(), broker=placed)
    desk.orders.shows(str(old.broker_id), state=O.WORKING, status="Replace Requested")
    return proposal


# The tables.


def test_the_moves_of_a_proposal_are_these_and_no_others() -> None:
    moves = {(was.value, now.value) for was, then in PROPOSAL_TRANSITIONS.items() for now in then}
    assert moves == {
        ("proposed", "approved"), ("proposed", "declined"), ("proposed", "lapsed"),
        ("approved", "sent"), ("approved", "proposed"), ("approved", "declined"),
        ("sent", "done"), ("sent", "proposed"),
        # Only with an order that was found at the broker.
        ("proposed", "sent"), ("declined", "sent"), ("lapsed", "sent"),
    }  # fmt: skip
    assert set(PROPOSAL_TRANSITIONS) == set(P)


def test_an_order_never_leaves_a_final_state_and_unknown_never_becomes_submitting() -> None:
    ends = {"filled", "refused", "rejected", "cancelled", "expired"}
    assert {now.value for now in ORDER_TRANSITIONS[O.SUBMITTING]} == ends | {"working", "unknown"}
    assert {now.value for now in ORDER_TRANSITIONS[O.UNKNOWN]} == ends | {"working", "replaced", "absent"}
    assert {now.value for now in ORDER_TRANSITIONS[O.WORKING]} == ends - {"refused"} | {"replaced", "absent"}
    assert ORDER_TRANSITIONS[O.ABSENT] == ORDER_TRANSITIONS[O.REFUSED] == {O.WORKING}, (
        "found at the broker all the same"
    )
    assert not any(ORDER_TRANSITIONS[state] for state in FINAL - {O.ABSENT, O.REFUSED})
    assert {state.value for state in FINAL} == ends | {"replaced", "absent"}
    assert set(O) == FINAL | IN_FLIGHT == set(ORDER_TRANSITIONS)
    assert not FINAL & IN_FLIGHT


def test_the_moves_of_a_trade_are_these_and_no_others() -> None:
    moves = {(was.value, now.value) for was, then in TRADE_TRANSITIONS.items() for now in then}
    ends = ("closed", "expired", "assigned")
    assert moves == {
        *(("open", end) for end in (*ends, "closing")),
        *(("closing", end) for end in (*ends, "open")),
        ("assigned", "closed"),
    }
    assert set(TRADE_TRANSITIONS) == set(T)


def test_a_move_that_the_table_allows_gives_the_new_state() -> None:
    assert advance(ORDER_TRANSITIONS, O.SUBMITTING, O.WORKING) is O.WORKING
    with pytest.raises(Refused, match="order cannot go from filled to working"):
        advance(ORDER_TRANSITIONS, O.FILLED, O.WORKING)


# `execute`.


@pytest.mark.parametrize("command", [execute, cancel_proposal])
def test_what_is_not_there_is_said_before_any_lock_is_asked_for(desk: TradingDesk, command: object) -> None:
    desk.locks.busy.add("proposal-99")
    with pytest.raises(BadUsage, match="P99"):
        command(desk.trading_context, 99)  # type: ignore[operator]


def test_an_approval_holds_to_its_last_instant(desk: TradingDesk) -> None:
    proposal = desk.approved()
    yes = desk.store.proposals.latest_approval(proposal)
    assert yes is not None
    desk.clock.at = yes.until
    desk.market.chain_now = builders.chain(as_of=yes.until)
    desk.orders.fills_at = D(9)
    assert preview_execution(desk.trading_context, proposal).dry_run.accepted
    assert execute(desk.trading_context, proposal).state is P.DONE


def test_one_instant_later_it_does_not(desk: TradingDesk) -> None:
    proposal = desk.approved()
    yes = desk.store.proposals.latest_approval(proposal)
    assert yes is not None
    desk.clock.at = yes.until + timedelta(microseconds=1)
    with pytest.raises(Refused, match="ended"):
        preview_execution(desk.trading_context, proposal)
    with pytest.raises(Refused, match="ended"):
        execute(desk.trading_context, proposal)


def test_the_story_names_the_commit_and_what_came_of_it(desk: TradingDesk) -> None:
    proposal = desk.approved()
    desk.orders.fills_at = D(9)
    execute(desk.trading_context, proposal)
    reference = desk.last_order(proposal).reference
    assert desk.said[:2] == [f"{reference}: submitting at 0.58 cr", f"{reference}: filled at 0.58 cr"]
    desk.said.clear()
    execute(desk.trading_context, proposal)
    assert f"P{proposal} is done already; nothing was sent" in desk.said


def test_of_several_reasons_the_first_is_kept_with_the_approval_that_is_taken_back(desk: TradingDesk) -> None:
    proposal = desk.approved()
    desk.market.chain_now = builders.chain(spot=builders.SPOT * 1.02, as_of=desk.clock())
    desk.account.ahead = 500.0
    with pytest.raises(Refused) as caught:
        execute(desk.trading_context, proposal)
    row = desk.store.core.row("select reason from proposal where id = ?", proposal)
    assert row is not None
    assert row["reason"] == f"drifted: {caught.value.reasons[0]}"  # type: ignore[attr-defined]
    assert caught.value.reasons[0] != caught.value.reasons[-1]  # type: ignore[attr-defined]


def one_working(desk: TradingDesk) -> int:
    proposal = desk.approved()
    execute(desk.trading_context, proposal, wait=False)
    return proposal


@pytest.mark.parametrize("begun", [one_working, two_working])
def test_what_is_still_alive_at_the_end_is_no_result(
    desk: TradingDesk, monkeypatch: pytest.MonkeyPatch, begun: Callable[[TradingDesk], int]
) -> None:
    proposal = begun(desk)
    monkeypatch.setattr("spy32.trading.execute.walk_price", lambda bench, made, order: order)
    newest = desk.last_order(proposal).reference
    with pytest.raises(Unresolved, match=f"order {newest} is working; run `spy32 reconcile`"):
        execute(desk.trading_context, proposal)


def test_the_newest_of_two_working_orders_is_the_one_that_is_worked(
    desk: TradingDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    proposal = two_working(desk)
    worked: list[str] = []
    monkeypatch.setattr(
        "spy32.trading.execute.walk_price", lambda bench, made, order: worked.append(order.reference) or order
    )
    with pytest.raises(Unresolved):
        execute(desk.trading_context, proposal)
    assert worked == [desk.last_order(proposal).reference]


@pytest.mark.parametrize("command", [execute, cancel_proposal])
def test_of_several_troubles_the_newest_order_s_is_said(desk: TradingDesk, command: object) -> None:
    proposal = two_working(desk)
    newest = desk.last_order(proposal)
    known = desk.orders.order

    def order(broker_id: str) -> BrokerOrder:
        if broker_id == newest.broker_id:
            raise TIMED_OUT
        raise Unavailable(f"{known(broker_id).broker_id} does not answer")

    desk.orders.order = order  # type: ignore[method-assign]
    with pytest.raises(Unresolved, match="no answer"):
        command(desk.trading_context, proposal)  # type: ignore[operator]


def test_how_it_ended_while_nobody_watched_is_said_of_the_newest_order(desk: TradingDesk) -> None:
    proposal = two_working(desk)
    old, newest = desk.store.orders.select_by_proposal(proposal)
    desk.orders.shows(str(old.broker_id), state=O.REPLACED, status="Replaced")
    desk.orders.cancel(str(newest.broker_id))
    with pytest.raises(NotFilled, match=f"not filled at {newest.limit} cr and cancelled"):
        execute(desk.trading_context, proposal)


def test_the_deadline_is_that_of_the_approval_that_holds(desk: TradingDesk) -> None:
    desk.settings = replace(desk.settings, limits=replace(desk.settings.limits, submits_per_run=5, submits_per_day=5))
    proposal = desk.approved()
    with pytest.raises(NotFilled):
        execute(desk.trading_context, proposal)
    again = desk.store.proposals.get(proposal)
    desk.store.proposals.approve(builders.approval(again, at=desk.clock(), until=desk.clock() + timedelta(minutes=30)))
    execute(desk.trading_context, proposal, wait=False)
    desk.orders.requests.clear()
    desk.orders.unreadable = True
    with pytest.raises(Unavailable):
        execute(desk.trading_context, proposal)
    assert desk.orders.requests == []
    desk.clock.at += timedelta(seconds=again.plan.deadline_seconds)
    with pytest.raises((Unavailable, Unresolved)):
        execute(desk.trading_context, proposal)
    assert set(desk.orders.requests) == {"cancel"}


def test_another_approval_is_named_by_the_beginning_of_its_hash(desk: TradingDesk) -> None:
    proposal = desk.approved()
    yes = desk.store.proposals.latest_approval(proposal)
    assert yes is not None
    desk.store.proposals.latest_approval = lambda number: replace(yes, hash="0123456789" * 6 + "abcd")  # type: ignore[method-assign]
    with pytest.raises(Refused, match=r"\(hash 01234567\)"):
        execute(desk.trading_context, proposal)


# Locks, and the target.


def test_cancel_waits_for_nobody_who_works_the_proposal(desk: TradingDesk) -> None:
    proposal = desk.approved()
    execute(desk.trading_context, proposal, wait=False)
    desk.locks.busy.add(f"proposal-{proposal}")
    with pytest.raises(Unavailable):
        cancel_proposal(desk.trading_context, proposal)
    assert "cancel" not in desk.orders.requests


def test_the_target_is_not_cancelled_under_a_process_that_works_its_opening(desk: TradingDesk) -> None:
    trade = opened(desk)
    proposal = closing(desk, trade)
    desk.orders.requests.clear()
    desk.locks.busy.add(f"proposal-{desk.store.trades.get(trade).proposal_id}")
    with pytest.raises(Unavailable):
        execute(desk.trading_context, proposal)
    assert desk.orders.requests == []


def test_a_target_that_the_broker_shows_without_our_name_is_no_duplicate_of_its_closing(desk: TradingDesk) -> None:
    trade = opened(desk)
    resting = load_order_book(desk.trading_context, desk.store.trades.get(trade).proposal_id).live_target
    assert resting is not None
    desk.orders.shows(str(resting.broker_id), reference="")
    proposal = closing(desk, trade)
    desk.orders.fills_at = D("-0.5")
    assert execute(desk.trading_context, proposal).state is P.DONE


def test_an_order_rejected_after_routing_is_the_brokers_no(desk: TradingDesk) -> None:
    proposal = desk.approved()
    execute(desk.trading_context, proposal, wait=False)
    (order,) = desk.store.orders.select_by_proposal(proposal)
    assert order.broker_id is not None
    desk.orders.shows(order.broker_id, state=OrderState.REJECTED, status="Rejected", reason="Session offline")
    with pytest.raises(BrokerRefused, match="Session offline"):
        execute(desk.trading_context, proposal)


def test_the_fees_of_a_fill_are_asked_for_as_soon_as_it_is_there(
    desk: TradingDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(transactions, "settle_fees", lambda bench, number: asked.append(number))
    proposal = desk.approved()
    desk.orders.fills_at = Decimal("9.99")
    execute(desk.trading_context, proposal)
    assert asked == [proposal]


def test_a_cancel_that_the_broker_never_carries_out_stays_a_question(desk: TradingDesk) -> None:
    proposal = desk.approved()
    execute(desk.trading_context, proposal, wait=False)

    def deaf(broker_id: str) -> BrokerOrder:
        return desk.orders.book[broker_id]

    desk.orders.cancel = deaf  # type: ignore[method-assign]
    with pytest.raises(Unresolved, match="asked to be cancelled and is still"):
        cancel_proposal(desk.trading_context, proposal)
    assert desk.state(proposal) is ProposalState.SENT
