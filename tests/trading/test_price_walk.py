"""Working the price at a broker that refuses, fills, hangs and is replaced under our hands."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from spy32.domain.orders import BrokerOrder, Order
from spy32.domain.spreads import Mode
from spy32.errors import BrokerRefused, NotFilled, NotPermitted, Unavailable, Unresolved
from spy32.lifecycle import OrderState, ProposalState
from spy32.records.orders import Orders
from spy32.trading.execute import execute
from spy32.trading.order_book import OrderBook
from spy32.trading.price_walk import _progress_parts
from tests.support import builders
from tests.support.fakes import TIMED_OUT
from tests.support.trading import TradingDesk

O, P = OrderState, ProposalState  # noqa: E741
D = Decimal


def then(desk: TradingDesk, does: Callable[[], object], wait: int = 1) -> Callable[[float], None]:
    """A sleep that does something after so many waits."""

    def sleep(seconds: float) -> None:
        desk.clock.sleep(seconds)
        if len(desk.clock.waits) == wait:
            does()

    return sleep


def alive(desk: TradingDesk) -> int:
    return sum(order.state not in (O.CANCELLED, O.REPLACED, O.FILLED) for order in desk.orders.book.values())


def filled(desk: TradingDesk) -> int:
    return sum(sum(fill.quantity for fill in order.fills) for order in desk.orders.book.values()) // 2


# Where a replacement is refused while the old order works.


def test_where_it_is_not_replaced_each_order_is_cancelled_and_confirmed_before_the_next(desk: TradingDesk) -> None:
    proposal = desk.approved()
    desk.orders.no_replace = True
    take, most = desk.orders.submit, 0

    def submit(body: str) -> BrokerOrder:
        nonlocal most
        made = take(body)
        most = max(most, alive(desk))
        return made

    desk.orders.submit = submit  # type: ignore[method-assign]
    with pytest.raises(NotFilled):
        execute(desk.trading_context, proposal)
    plan = desk.store.proposals.get(proposal).plan
    orders = desk.store.orders.select_by_proposal(proposal)
    sent = [order for order in orders if order.state is O.CANCELLED]
    assert [order.limit for order in sent] == list(plan.prices)
    assert [int(order.reference.rpartition("-")[2]) for order in orders] == list(range(1, len(orders) + 1))
    assert most == 1
    assert desk.orders.requests[:4] == ["submit", "replace", "cancel", "submit"]


def test_a_fill_that_wins_against_that_cancel_is_not_sold_again(desk: TradingDesk) -> None:
    proposal = desk.approved()
    desk.orders.no_replace = True
    cancel = desk.orders.cancel

    def fills_first(broker_id: str) -> BrokerOrder:
        desk.orders.fill(broker_id, 1)
        return cancel(broker_id)

    desk.orders.cancel = fills_first  # type: ignore[method-assign]
    assert execute(desk.trading_context, proposal).state is P.DONE
    assert desk.orders.requests == ["submit", "replace", "cancel"]
    assert not any("no next price" in line for line in desk.said)
    assert filled(desk) == 1


def test_a_cancel_that_is_not_confirmed_sends_nothing_new(desk: TradingDesk) -> None:
    proposal = desk.approved()
    desk.orders.no_replace = True

    def never(broker_id: str) -> BrokerOrder:
        desk.orders.requests.append("cancel")
        desk.orders.shows(broker_id, status="Cancel Requested", is_cancelling=True)
        return desk.orders.book[broker_id]

    desk.orders.cancel = never  # type: ignore[method-assign]
    with pytest.raises(Unresolved, match="still Cancel Requested"):
        execute(desk.trading_context, proposal)
    assert desk.orders.requests.count("submit") == 1
    assert desk.order_states(proposal)[0] is O.WORKING


def test_a_lost_answer_of_the_new_order_is_settled_by_reading(desk: TradingDesk) -> None:
    proposal = desk.approved()
    desk.orders.no_replace = True
    desk.orders.faults += [("", None), ("after", TIMED_OUT)]  # type: ignore[list-item]
    desk.orders.fills_at = desk.store.proposals.get(proposal).plan.prices[1]
    assert execute(desk.trading_context, proposal).state is P.DONE
    assert desk.order_states(proposal) == [O.CANCELLED, O.REFUSED, O.FILLED]
    assert filled(desk) == 2


def test_a_halt_that_comes_with_the_refusal_sends_nothing_new(desk: TradingDesk) -> None:
    proposal = desk.approved()

    def refuses(broker_id: str, body: str) -> BrokerOrder:
        desk.orders.requests.append("replace")
        desk.halt = "rain"
        raise BrokerRefused("cannot_update_order")

    desk.orders.replace = refuses  # type: ignore[method-assign]
    with pytest.raises(NotPermitted, match="rain"):
        execute(desk.trading_context, proposal)
    assert desk.orders.requests == ["submit", "replace", "cancel"]
    assert alive(desk) == 0


def test_a_store_that_allows_no_new_order_leaves_it_at_the_cancel(
    desk: TradingDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    from spy32.errors import Refused

    def no(self: Orders, order: Order, old_id: int) -> object:
        if self.get(old_id).state is not O.WORKING:
            raise Refused("it is cancelled")
        return desk.store.proposals.require_state(order.proposal_id, P.SENT)

    monkeypatch.setattr(Orders, "_check_replacement", no)
    proposal = desk.approved()
    desk.orders.no_replace = True
    with pytest.raises(NotFilled):
        execute(desk.trading_context, proposal)
    assert desk.orders.requests == ["submit", "replace", "cancel"]
    assert any("no next price is sent" in line for line in desk.said)


def test_a_replacement_that_could_not_leave_this_machine_is_tried_again_at_the_next_price(desk: TradingDesk) -> None:
    proposal = desk.approved()
    desk.orders.faults += [("", None), ("before", Unavailable("no route"))]  # type: ignore[list-item]
    with pytest.raises(NotFilled):
        execute(desk.trading_context, proposal)
    states = desk.order_states(proposal)
    assert states[1] is O.REFUSED
    assert desk.orders.requests.count("submit") == 1
    assert desk.orders.requests[-1] == "cancel" and desk.orders.requests.count("cancel") == 1


def test_a_step_in_which_more_would_be_alive_than_approved_is_not_sent(
    desk: TradingDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    proposal = desk.approved()
    monkeypatch.setattr(OrderBook, "remaining", lambda book, excluding=None: 2 if excluding is None else 1)
    with pytest.raises(NotFilled):
        execute(desk.trading_context, proposal)
    assert desk.orders.requests == ["submit", "cancel"]
    assert any("only 1 may still be sent" in line for line in desk.said)


# Replacements that do not end the old order.


def keep_replaced_orders_working(desk: TradingDesk) -> None:
    take = desk.orders.replace

    def lingering(broker_id: str, body: str) -> BrokerOrder:
        made = take(broker_id, body)
        desk.orders.shows(broker_id, state=O.WORKING, status="Replace Requested")
        return made

    desk.orders.replace = lingering  # type: ignore[method-assign]


def test_while_the_old_order_will_not_end_nothing_is_priced_and_both_are_cancelled(desk: TradingDesk) -> None:
    proposal = desk.approved()
    keep_replaced_orders_working(desk)
    with pytest.raises(NotFilled):
        execute(desk.trading_context, proposal)
    assert desk.orders.requests.count("replace") == 1
    assert not any("no next price" in line for line in desk.said)
    assert alive(desk) == 0
    assert desk.order_states(proposal) == [O.CANCELLED, O.CANCELLED]


def test_an_old_order_that_ends_late_lets_the_price_go_on(desk: TradingDesk) -> None:
    proposal = desk.approved(plan=builders.price_plan(start=D("0.60"), limit=D("0.55")))
    take = desk.orders.replace
    first: list[str] = []

    def lingering(broker_id: str, body: str) -> BrokerOrder:
        made = take(broker_id, body)
        if not first:
            first.append(broker_id)
            desk.orders.shows(broker_id, state=O.WORKING, status="Replace Requested")
        return made

    desk.orders.replace = lingering  # type: ignore[method-assign]

    def ends() -> None:
        desk.orders.shows(first[0], state=O.REPLACED, status="Replaced")

    with pytest.raises(NotFilled):
        execute(replace(desk.trading_context, sleep=then(desk, ends, wait=14)), proposal)
    assert desk.orders.requests.count("replace") > 1
    assert alive(desk) == 0


def test_what_replaced_an_order_that_had_filled_in_part_is_cancelled_at_once(desk: TradingDesk) -> None:
    proposal = desk.approved()
    take = desk.orders.replace

    def partly(broker_id: str, body: str) -> BrokerOrder:
        desk.orders.fill(broker_id, 1)
        return take(broker_id, body)

    desk.orders.replace = partly  # type: ignore[method-assign]
    assert execute(desk.trading_context, proposal).state is P.DONE
    assert sum(desk.clock.waits) == desk.store.proposals.get(proposal).plan.step_seconds
    assert filled(desk) == 1


def test_one_leg_that_filled_stops_the_price(desk: TradingDesk) -> None:
    proposal = desk.approved()

    def one_leg() -> None:
        desk.orders.fill("480001", 1)
        desk.orders.shows("480001", fills=desk.orders.book["480001"].fills[:1])

    with pytest.raises(Unresolved, match="uneven fill"):
        execute(replace(desk.trading_context, sleep=then(desk, one_leg)), proposal)
    assert desk.orders.requests == ["submit", "cancel"]


def test_a_replacement_whose_outcome_cannot_be_read_leaves_nothing_alive_that_is_known(desk: TradingDesk) -> None:
    proposal = desk.approved()
    asked = desk.orders.replace

    def lost(broker_id: str, body: str) -> BrokerOrder:
        desk.orders.todays_orders = down  # type: ignore[method-assign]
        desk.orders.requests.append("replace")
        raise TIMED_OUT

    def down() -> tuple[BrokerOrder, ...]:
        raise Unavailable("down")

    desk.orders.replace = lost  # type: ignore[method-assign]
    with pytest.raises(Unresolved, match="cannot be read"):
        execute(desk.trading_context, proposal)
    assert asked is not desk.orders.replace
    assert desk.orders.requests == ["submit", "replace", "cancel"]
    assert desk.orders.book["480001"].state is O.CANCELLED


# Time.


def test_a_machine_that_slept_past_the_deadline_cancels_at_once(desk: TradingDesk) -> None:
    proposal = desk.approved()

    def asleep() -> None:
        desk.clock.at += timedelta(hours=8)

    with pytest.raises(NotFilled):
        execute(replace(desk.trading_context, sleep=then(desk, asleep)), proposal)
    assert desk.orders.requests == ["submit", "cancel"]


def test_a_clock_that_is_set_back_does_not_lengthen_the_plan(desk: TradingDesk) -> None:
    proposal = desk.approved()

    def back() -> None:
        desk.clock.at -= timedelta(hours=1)

    with pytest.raises(NotFilled):
        execute(replace(desk.trading_context, sleep=then(desk, back, wait=2)), proposal)
    assert sum(desk.clock.waits) <= desk.store.proposals.get(proposal).plan.deadline_seconds + 60


def test_reads_that_hang_do_not_lengthen_the_plan(desk: TradingDesk) -> None:
    proposal = desk.approved()
    read, plan = desk.orders.order, desk.store.proposals.get(proposal).plan
    began = desk.clock()

    def slow(broker_id: str) -> BrokerOrder:
        desk.clock.at += timedelta(seconds=90)
        return read(broker_id)

    desk.orders.order = slow  # type: ignore[method-assign]
    with pytest.raises(NotFilled):
        execute(desk.trading_context, proposal)
    cancelled = desk.orders.requests.index("cancel")
    assert cancelled == len(desk.orders.requests) - 1
    last = desk.store.orders.select_by_proposal(proposal)[-1].created_at
    assert (last - began).total_seconds() <= plan.deadline_seconds


# Told.


def test_the_line_says_state_price_fills_and_the_time_to_the_step_and_to_the_end(desk: TradingDesk) -> None:
    proposal = desk.approved()
    lines: list[tuple[str, ...]] = []
    with pytest.raises(NotFilled):
        execute(replace(desk.trading_context, show_progress=lines.append), proposal)
    plan = desk.store.proposals.get(proposal).plan
    first = desk.store.orders.select_by_proposal(proposal)[0]
    assert lines[0] == (
        first.reference, "PAPER · working", f"{plan.start} cr", "0 of 2 filled", f"next {plan.prices[1]} in 0:30",
        "ends in 10:00",
    )  # fmt: skip
    assert lines[1][-2].endswith("in 0:25") and lines[1][-1] == "ends in 9:55"
    assert any(line[-2] == "last price" for line in lines)


def test_the_line_of_a_close_has_no_negative_price() -> None:
    order = builders.stored_order(
        builders.close_proposal(7), None, limit=D("-0.02"), state=O.WORKING, broker_status="Live", approval_id=1
    )
    parts = _progress_parts(order, 30, 600, D("-0.03"))
    assert parts[1:] == ("PAPER · working", "0.02 db", "0 of 2 filled", "next 0.03 in 0:30", "ends in 10:00")
    assert _progress_parts(replace(order, mode=Mode.LIVE), 30, 600, None)[1] == "Live"


def test_the_line_counts_what_is_filled(desk: TradingDesk) -> None:
    proposal = desk.approved()
    lines: list[tuple[str, ...]] = []
    sleep = then(desk, lambda: desk.orders.fill("480001", 1))
    execute(replace(desk.trading_context, show_progress=lines.append, sleep=sleep), proposal)
    assert any("1 of 2 filled" in line for line in lines)


# Interrupted.


def interrupts(desk: TradingDesk, *waits: int) -> Callable[[float], None]:
    def sleep(seconds: float) -> None:
        desk.clock.sleep(seconds)
        if len(desk.clock.waits) in waits:
            raise KeyboardInterrupt

    return sleep


def test_a_second_interruption_leaves_what_is_committed_for_reconcile(desk: TradingDesk) -> None:
    proposal = desk.approved()

    def requested(broker_id: str) -> BrokerOrder:
        desk.orders.requests.append("cancel")
        return desk.orders.book[broker_id]

    desk.orders.cancel = requested  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        execute(replace(desk.trading_context, sleep=interrupts(desk, 1, 2)), proposal)
    assert desk.order_states(proposal) == [O.WORKING]
    assert desk.state(proposal) is P.SENT
    desk.orders.shows("480001", state=O.CANCELLED, status="Cancelled")
    with pytest.raises(NotFilled, match="cancelled"):
        execute(desk.trading_context, proposal)
    assert desk.orders.requests.count("submit") == 1


def test_an_interruption_in_the_middle_of_the_request_is_settled_by_reading_and_cancelled(desk: TradingDesk) -> None:
    proposal = desk.approved()
    take = desk.orders.submit

    def interrupted(body: str) -> BrokerOrder:
        take(body)
        raise KeyboardInterrupt

    desk.orders.submit = interrupted  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        execute(desk.trading_context, proposal)
    assert desk.orders.requests == ["submit", "cancel"]
    assert desk.order_states(proposal) == [O.CANCELLED]


def test_an_interruption_that_leaves_a_question_ends_as_one(desk: TradingDesk) -> None:
    proposal = desk.approved()

    def interrupted(body: str) -> BrokerOrder:
        desk.orders.unreadable = True
        raise KeyboardInterrupt

    desk.orders.submit = interrupted  # type: ignore[method-assign]
    with pytest.raises(Unresolved, match="run `spy32 reconcile`"):
        execute(desk.trading_context, proposal)
    assert desk.order_states(proposal) == [O.UNKNOWN]
    assert any("may or may not exist" in line for line in desk.said)


def test_an_interruption_before_anything_was_sent_just_ends(desk: TradingDesk) -> None:
    proposal = desk.approved()

    def interrupted(body: str) -> object:
        raise KeyboardInterrupt

    desk.orders.dry_run = interrupted  # type: ignore[method-assign, assignment]
    with pytest.raises(KeyboardInterrupt):
        execute(desk.trading_context, proposal)
    assert desk.state(proposal) is P.APPROVED
    assert desk.said == []


def test_every_order_is_asked_to_cancel_before_the_one_that_would_not_end_is_said(desk: TradingDesk) -> None:
    proposal = desk.approved()
    keep_replaced_orders_working(desk)
    cancel = desk.orders.cancel

    def stubborn(broker_id: str) -> BrokerOrder:
        if broker_id == "480001":
            desk.orders.requests.append("cancel")
            raise BrokerRefused("cannot_update_order")
        return cancel(broker_id)

    desk.orders.cancel = stubborn  # type: ignore[method-assign]
    with pytest.raises(Unresolved, match="still Replace Requested"):
        execute(desk.trading_context, proposal)
    assert desk.orders.requests.count("cancel") > 2, "a cancel that shows no effect is asked for again"
    assert desk.orders.book["480002"].state is O.CANCELLED
