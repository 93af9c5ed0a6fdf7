"""What becomes of an order: settled by reading, followed to what replaced it, and never rounded or guessed."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from spy32.domain.orders import BrokerOrder, Fill, Order, OrderTicket
from spy32.domain.spreads import Position
from spy32.errors import BrokerRefused, NotFilled, NotPermitted, Refused, Unavailable, Unresolved, Unusable
from spy32.lifecycle import EndedBy, OrderState, ProposalState, TradeState
from spy32.trading import order_state, reconcile
from spy32.trading.execute import execute
from spy32.trading.order_book import load_order_book
from tests.support import builders
from tests.support.fakes import TIMED_OUT
from tests.support.trading import TradingDesk

O, P = OrderState, ProposalState  # noqa: E741
D = Decimal


def submits(desk: TradingDesk) -> int:
    return desk.orders.requests.count("submit")


def working(desk: TradingDesk) -> tuple[int, str]:
    """A proposal with one order at the broker, and the broker's id of it."""
    proposal = desk.approved()
    execute(desk.trading_context, proposal, wait=False)
    return proposal, str(desk.last_order(proposal).broker_id)


def lost(desk: TradingDesk) -> int:
    """A proposal whose order never arrived, or did and is in no list, with the answer lost."""
    proposal = desk.approved()
    desk.orders.faults.append(("before", TIMED_OUT))
    return proposal


def after_a_lost_answer(desk: TradingDesk, meanwhile: Callable[[], object]) -> None:
    """The next order arrives, its answer is lost, and this happens at the broker before anyone reads."""
    desk.orders.faults.append(("after", TIMED_OUT))
    take = desk.orders.submit

    def submit(body: str) -> BrokerOrder:
        try:
            return take(body)
        finally:
            meanwhile()

    desk.orders.submit = submit  # type: ignore[method-assign]


def fills(desk: TradingDesk, broker_id: str, *counts: int) -> tuple[Fill, ...]:
    """Fills of the order's legs, so many of each."""
    order = desk.orders.book[broker_id]
    return tuple(
        Fill(
            fill_id=f"{broker_id}-{leg.symbol}-{count}",
            symbol=leg.symbol,
            action=leg.action,
            quantity=count,
            price=D("4.81") if leg.action.sign > 0 else D("4.24"),
            at=desk.clock(),
        )
        for leg, count in zip(order.legs, counts, strict=True)
        if count
    )


def ended(desk: TradingDesk, broker_id: str, state: OrderState, status: str, *counts: int) -> None:
    desk.orders.shows(broker_id, state=state, status=status, fills=fills(desk, broker_id, *counts))


# An outcome that is not known.


def test_absence_is_three_reads_a_minute_apart_however_far_the_clock_jumps(desk: TradingDesk) -> None:
    proposal = lost(desk)

    def asleep(seconds: float) -> None:
        desk.clock.sleep(seconds)
        desk.clock.at += timedelta(hours=7)

    with pytest.raises(NotFilled, match="not at the broker"):
        execute(replace(desk.trading_context, sleep=asleep), proposal)
    assert desk.clock.waits == [order_state.ABSENCE_SECONDS / 2] * (order_state.ABSENCE_READS - 1)


def test_an_order_that_shows_up_in_the_last_read_after_a_sleep_of_hours_is_adopted(desk: TradingDesk) -> None:
    proposal = desk.approved()
    desk.orders.faults.append(("after", TIMED_OUT))
    desk.orders.hidden_reads = 2
    desk.orders.fills_at = D(9)

    def asleep(seconds: float) -> None:
        desk.clock.sleep(seconds)
        desk.clock.at += timedelta(hours=9)

    assert execute(replace(desk.trading_context, sleep=asleep), proposal).state is P.DONE
    assert submits(desk) == 1


@pytest.mark.parametrize("trouble", [Unavailable("down"), Unusable("half"), BrokerRefused("not permitted"), TIMED_OUT])
def test_a_failed_read_is_no_absence(desk: TradingDesk, trouble: Exception) -> None:
    proposal = lost(desk)
    listing, count = desk.orders.todays_orders, 0

    def second_fails() -> tuple[BrokerOrder, ...]:
        nonlocal count
        count += "submit" in desk.orders.requests
        # Each read without it looks into the search as well.
        if count == 3:
            raise trouble
        return listing()

    desk.orders.todays_orders = second_fails  # type: ignore[method-assign]
    with pytest.raises(NotFilled):
        execute(desk.trading_context, proposal)
    assert desk.clock.waits == [order_state.ABSENCE_SECONDS / 2] * order_state.ABSENCE_READS


@pytest.mark.parametrize("held", [-2, -1])
def test_positions_beyond_our_book_keep_it_unknown(desk: TradingDesk, held: int) -> None:
    proposal = lost(desk)
    short = builders.spread().short
    positions = (Position(symbol=short.symbol, quantity=held),)
    desk.account.positions = lambda: positions  # type: ignore[method-assign]
    with pytest.raises(Unresolved, match=f"the broker holds {held} of {short.symbol}, our book 0"):
        execute(desk.trading_context, proposal)
    assert desk.order_states(proposal) == [O.UNKNOWN]
    with pytest.raises(Unresolved, match="in no list"):
        execute(desk.trading_context, proposal)
    assert submits(desk) == 1


def test_positions_on_the_other_side_are_no_trace(desk: TradingDesk) -> None:
    proposal = lost(desk)
    positions = (Position(symbol=builders.spread().short.symbol, quantity=2),)
    desk.account.positions = lambda: positions  # type: ignore[method-assign]
    with pytest.raises(NotFilled):
        execute(desk.trading_context, proposal)


def test_positions_that_cannot_be_read_keep_it_unknown(desk: TradingDesk) -> None:
    proposal = lost(desk)

    def down() -> tuple[Position, ...]:
        raise Unavailable("down")

    desk.account.positions = down  # type: ignore[method-assign]
    with pytest.raises(Unresolved, match="cannot be read"):
        execute(desk.trading_context, proposal)
    assert desk.order_states(proposal) == [O.UNKNOWN]


def nameless(desk: TradingDesk, **over: Any) -> None:
    """From the request on, the broker lists an order like ours without our reference."""
    take = desk.orders.submit

    def submit(body: str) -> BrokerOrder:
        desk.orders.faults.clear()
        made = take(body)
        desk.orders.shows(made.broker_id, reference="", **over)
        raise TIMED_OUT

    desk.orders.submit = submit  # type: ignore[method-assign]


@pytest.mark.parametrize(
    ("over", "absent"),
    [
        ({}, False),
        ({"placed_at": None}, False),
        ({"placed_at": builders.later(minutes=5)}, False),
        ({"placed_at": builders.later(minutes=3)}, True),
        ({"state": O.CANCELLED, "status": "Cancelled"}, True),
        ({"legs": builders.spread("630", "625").legs}, True),
        ({"unread": "odd size"}, False),
        ({"unread": "odd legs", "legs": ()}, False),
        ({"unread": "odd size", "legs": builders.spread("630", "625").legs}, True),
        ({"unread": "odd legs", "legs": (), "state": O.CANCELLED, "status": "Cancelled"}, False),
    ],
)
def test_an_order_like_ours_without_our_reference_keeps_it_unknown(
    desk: TradingDesk, over: dict[str, Any], absent: bool
) -> None:
    proposal = desk.approved()
    nameless(desk, **over)
    with pytest.raises(NotFilled if absent else Unresolved):
        execute(desk.trading_context, proposal)
    assert desk.order_states(proposal) == [O.ABSENT if absent else O.UNKNOWN]


def test_of_two_orders_with_our_reference_the_older_lives_and_the_younger_is_cancelled(desk: TradingDesk) -> None:
    """Which of them is ours cannot be known after a lost answer, and does not matter: both are of this approval."""
    proposal = desk.approved()
    after_a_lost_answer(
        desk,
        lambda: desk.orders.book.update({"480002": replace(next(iter(desk.orders.book.values())), broker_id="480002")}),
    )
    with pytest.raises(Unresolved, match=r"480002 .* beside another one; look at both there"):
        execute(desk.trading_context, proposal, wait=False)
    assert [(row.broker_id, row.state) for row in desk.store.orders.select_by_proposal(proposal)] == [
        ("480001", O.WORKING), ("480002", O.CANCELLED),
    ]  # fmt: skip
    assert [item.kind for item in desk.store.attention.open_items()] == ["second order"]


def test_an_order_with_our_reference_that_cannot_be_read_is_neither_taken_nor_absent(desk: TradingDesk) -> None:
    proposal = desk.approved()
    after_a_lost_answer(desk, lambda: desk.orders.shows("480001", unread="size of an order", legs=(), quantity=0))
    with pytest.raises(Unresolved, match=r"480001 looks like spy32-.* cannot be read: size of an order"):
        execute(desk.trading_context, proposal)
    assert desk.order_states(proposal) == [O.UNKNOWN]
    assert submits(desk) == 1


# Replaced in the broker's app.


@pytest.mark.parametrize("reference", ["", "spy32-kept", None])
def test_an_order_replaced_by_hand_is_followed_to_its_successor(desk: TradingDesk, reference: str | None) -> None:
    proposal, first = working(desk)
    named = desk.orders.book[first].reference if reference is None else reference
    second = desk.orders.replaced_by_hand(first, D("0.61"), named)
    third = desk.orders.replaced_by_hand(second, D("0.60"), named)
    assert execute(desk.trading_context, proposal, wait=False).state is P.SENT
    order = desk.last_order(proposal)
    assert (order.state, order.broker_id) == (O.WORKING, third)
    assert "replaced at the broker" in order.reason
    desk.orders.fill(third)
    assert execute(desk.trading_context, proposal).state is P.DONE
    trade = desk.store.trades.find_by_proposal(proposal)
    assert trade is not None and trade.quantity == 2
    assert submits(desk) == 1 and "replace" not in desk.orders.requests


def test_what_was_filled_before_the_hand_came_counts_once(desk: TradingDesk) -> None:
    proposal, first = working(desk)
    desk.orders.fill(first, 1)
    second = desk.orders.replaced_by_hand(first, D("0.55"))
    desk.orders.shows(second, quantity=1)
    desk.orders.fill(second)
    assert execute(desk.trading_context, proposal).state is P.DONE
    trade = desk.store.trades.find_by_proposal(proposal)
    assert trade is not None and (trade.quantity, trade.fees) == (2, D("4.52"))


def test_an_order_replaced_by_hand_is_priced_no_more_and_cancelled_at_the_deadline(desk: TradingDesk) -> None:
    proposal, first = working(desk)
    second = desk.orders.replaced_by_hand(first, D("0.61"))
    with pytest.raises(NotFilled):
        execute(desk.trading_context, proposal)
    assert desk.orders.requests == ["submit", "cancel"]
    assert desk.orders.book[second].state is O.CANCELLED
    assert desk.order_states(proposal) == [O.CANCELLED]


def test_a_successor_whose_link_comes_late_is_found_by_its_own_word(desk: TradingDesk) -> None:
    proposal, first = working(desk)
    second = desk.orders.replaced_by_hand(first, D("0.61"))
    desk.orders.shows(first, replaced_by=None)
    execute(desk.trading_context, proposal, wait=False)
    assert desk.last_order(proposal).broker_id == second


@pytest.mark.parametrize("what", ["hidden", "loop", "unnamed"])
def test_a_successor_that_cannot_be_followed_ends_nothing(desk: TradingDesk, what: str) -> None:
    proposal, first = working(desk)
    if what == "hidden":
        desk.orders.shows(first, state=O.CANCELLED, status="Cancelled", replaced_by="999")
        read = desk.orders.order

        def order(broker_id: str) -> BrokerOrder:
            if broker_id == "999":
                raise BrokerRefused("record_not_found")
            return read(broker_id)

        desk.orders.order = order  # type: ignore[method-assign]
    elif what == "loop":
        second = desk.orders.replaced_by_hand(first, D("0.61"))
        desk.orders.shows(second, state=O.CANCELLED, replaced_by=first)
    else:
        desk.orders.shows(first, state=O.REPLACED, status="Replaced")
    with pytest.raises(Unresolved):
        execute(desk.trading_context, proposal)
    assert desk.order_states(proposal) == [O.WORKING]
    assert submits(desk) == 1


def test_both_alive_for_a_moment_is_one_order_that_works(desk: TradingDesk) -> None:
    proposal, first = working(desk)
    second = desk.orders.replaced_by_hand(first, D("0.61"))
    desk.orders.shows(first, state=O.WORKING, status="Replace Requested")
    desk.orders.shows(second, status="Contingent")
    execute(desk.trading_context, proposal, wait=False)
    assert desk.order_states(proposal) == [O.WORKING]
    desk.orders.fill(first)
    desk.orders.shows(second, state=O.REJECTED, status="Rejected")
    assert execute(desk.trading_context, proposal).state is P.DONE
    assert desk.order_states(proposal) == [O.FILLED]


def test_an_order_cancelled_by_hand_comes_to_rest(desk: TradingDesk) -> None:
    proposal, first = working(desk)
    desk.orders.cancel(first)
    with pytest.raises(NotFilled, match="cancelled"):
        execute(desk.trading_context, proposal)
    assert desk.state(proposal) is P.PROPOSED
    with pytest.raises(Refused, match="not approved"):
        execute(desk.trading_context, proposal)


# Our own replacements, after a crash.


def replacement_of(old: Order, **over: Any) -> OrderTicket:
    """The next order of the same approval, in the place of `old`."""
    same = {field.name: getattr(old, field.name) for field in fields(OrderTicket)}
    return OrderTicket(**{**same, "reference": old.reference[:-1] + "2", "replaces": old.id, **over})


def half_replaced(desk: TradingDesk, **shown: Any) -> tuple[int, str]:
    """A proposal whose process died after it had asked for a replacement; the broker's id of the replacement."""
    proposal, first = working(desk)
    old = desk.last_order(proposal)
    wanted = replacement_of(old)
    desk.store.orders.begin(wanted, at=desk.clock())
    body = wanted.body.replace(old.reference, wanted.reference)
    second = desk.orders.replace(first, body).broker_id
    desk.orders.shows(second, **shown)
    return proposal, second


@pytest.mark.parametrize("reference", ["kept", "dropped", "carried over"])
def test_a_replacement_is_claimed_by_its_own_row_whatever_became_of_its_reference(
    desk: TradingDesk, reference: str
) -> None:
    proposal, second = half_replaced(desk)
    if reference != "kept":
        first = desk.store.orders.select_by_proposal(proposal)[0].reference
        desk.orders.shows(second, reference="" if reference == "dropped" else first)
    desk.orders.fill(second)
    assert execute(desk.trading_context, proposal).state is P.DONE
    assert desk.order_states(proposal) == [O.REPLACED, O.FILLED]
    trade = desk.store.trades.find_by_proposal(proposal)
    assert trade is not None and trade.quantity == 2


def test_the_old_order_leaves_what_replaced_it_to_the_row_that_asked_for_it(desk: TradingDesk) -> None:
    proposal, second = half_replaced(desk)
    desk.orders.shows(second, reference="")
    old = desk.store.orders.select_by_proposal(proposal)[0]
    after = order_state.refresh_order(desk.trading_context, old)
    assert (after.state, after.broker_id) == (O.REPLACED, old.broker_id)


def test_a_replacement_that_never_arrived_is_absent_though_the_old_order_filled_meanwhile(desk: TradingDesk) -> None:
    proposal, first = working(desk)
    old = desk.last_order(proposal)
    wanted = replacement_of(old)
    desk.store.orders.begin(wanted, at=desk.clock())
    desk.orders.fill(first)
    held = (Position(symbol=builders.spread().short.symbol, quantity=-2),)
    desk.account.positions = lambda: held  # type: ignore[method-assign]
    assert execute(desk.trading_context, proposal).state is P.DONE
    assert desk.order_states(proposal) == [O.FILLED, O.ABSENT]


# Fills.


def test_filled_is_believed_once_every_fill_is_listed(desk: TradingDesk) -> None:
    proposal, first = working(desk)
    ended(desk, first, O.FILLED, "Filled", 1, 1)

    def listed_later(seconds: float) -> None:
        desk.clock.sleep(seconds)
        if len(desk.clock.waits) == 3:
            desk.orders.fill(first)

    ended(desk, first, O.FILLED, "Filled", 0, 0)
    assert execute(replace(desk.trading_context, sleep=listed_later), proposal).state is P.DONE
    trade = desk.store.trades.find_by_proposal(proposal)
    assert trade is not None and trade.quantity == 2


def test_fills_that_are_never_listed_are_not_made_up(desk: TradingDesk) -> None:
    proposal, first = working(desk)
    ended(desk, first, O.FILLED, "Filled", 0, 0)
    with pytest.raises(Unresolved, match="lists 0 of 2"):
        execute(desk.trading_context, proposal)
    assert desk.order_states(proposal) == [O.WORKING]
    assert "replace" not in desk.orders.requests and submits(desk) == 1
    desk.orders.fill(first)
    assert execute(desk.trading_context, proposal).state is P.DONE


@pytest.mark.parametrize(("counts", "whole"), [((2, 1), 1), ((1, 0), 0), ((0, 2), 0)])
def test_an_uneven_fill_is_loud_and_is_never_rounded_away(
    desk: TradingDesk, counts: tuple[int, int], whole: int
) -> None:
    proposal, first = working(desk)
    ended(desk, first, O.CANCELLED, "Cancelled", *counts)
    for _ in range(2):
        with pytest.raises(Unresolved, match="uneven fill"):
            execute(desk.trading_context, proposal)
    order = desk.last_order(proposal)
    assert (order.state, order.filled) == (O.CANCELLED, whole)
    assert "uneven fill" in order.reason
    assert any("LOOK AT THIS" in line for line in desk.said)
    assert desk.state(proposal) is P.SENT
    assert submits(desk) == 1
    exposure = desk.store.risk.exposure(run_id=None, today=builders.TODAY, week_start=builders.TODAY)
    made = desk.store.proposals.get(proposal)
    assert exposure.open_risk >= made.max_loss * (2 - whole) / 2
    assert {leg.symbol for leg in made.legs} <= exposure.open_symbols


@pytest.mark.parametrize("what", ["more", "other", "other way round"])
def test_fills_that_contradict_the_order_are_said_and_not_recorded(desk: TradingDesk, what: str) -> None:
    proposal, first = working(desk)
    ended(desk, first, O.FILLED, "Filled", 3 if what == "more" else 2, 2)
    seen = desk.orders.book[first]
    if what == "other":
        desk.orders.shows(
            first, fills=(*seen.fills, replace(seen.fills[0], fill_id="x", symbol="SPY   251107P00600000"))
        )
    if what == "other way round":
        wrong = tuple(replace(fill, action=fill.action.closing) for fill in seen.fills)
        desk.orders.shows(first, fills=wrong)
    for _ in range(2):
        with pytest.raises(Unresolved, match="cannot be recorded"):
            execute(desk.trading_context, proposal)
    order = desk.last_order(proposal)
    assert order.state is O.WORKING and "cannot be recorded" in order.reason
    assert desk.store.orders.fills(order.id) == ()
    assert desk.store.trades.find_by_proposal(proposal) is None
    assert desk.orders.requests == ["submit"]


def test_an_answer_with_contradictory_fills_keeps_the_id_and_stays_in_flight(desk: TradingDesk) -> None:
    proposal = desk.approved()
    take = desk.orders.submit

    def odd(body: str) -> BrokerOrder:
        made = take(body)
        ended(desk, made.broker_id, O.FILLED, "Filled", 3, 3)
        return desk.orders.book[made.broker_id]

    desk.orders.submit = odd  # type: ignore[method-assign]
    with pytest.raises(Unresolved, match="cannot be recorded"):
        execute(desk.trading_context, proposal)
    order = desk.last_order(proposal)
    assert (order.state, order.broker_id) == (O.WORKING, "480001")


@pytest.mark.parametrize("state", [O.REFUSED, O.UNKNOWN])
def test_a_state_that_the_order_cannot_have_is_said(desk: TradingDesk, state: OrderState) -> None:
    proposal, first = working(desk)
    desk.orders.shows(first, state=state, status="Strange")
    with pytest.raises(Unresolved, match="the broker calls it Strange"):
        execute(desk.trading_context, proposal)
    assert desk.order_states(proposal) == [O.WORKING]


def test_an_order_that_was_replaced_before_its_answer_came_is_followed(desk: TradingDesk) -> None:
    proposal = desk.approved()
    after_a_lost_answer(desk, lambda: desk.orders.replaced_by_hand("480001", D("0.60")))
    execute(desk.trading_context, proposal, wait=False)
    assert desk.last_order(proposal).broker_id == "480002"


def test_an_answer_that_says_replaced_is_recorded_as_that(desk: TradingDesk) -> None:
    proposal = desk.approved()
    made, yes = desk.store.proposals.get(proposal), desk.store.proposals.latest_approval(proposal)
    order = desk.store.orders.begin(builders.order(made, yes), at=desk.clock())
    seen = replace(desk.orders.submit(order.body), state=O.REPLACED, status="Replaced")
    assert order_state.apply_broker_order(desk.trading_context, order, seen).state is O.REPLACED
    assert (
        order_state.apply_broker_order(desk.trading_context, order, replace(seen, status="Other")).state is O.REPLACED
    )


# More than was approved.


def test_room_counts_the_fullest_leg_and_what_is_alive(desk: TradingDesk) -> None:
    proposal, first = working(desk)
    order = desk.last_order(proposal)
    assert load_order_book(desk.trading_context, proposal).remaining() == 0
    assert load_order_book(desk.trading_context, proposal).remaining(excluding=order.id) == 2
    desk.orders.shows(first, fills=fills(desk, first, 1, 0))
    order_state.refresh_order(desk.trading_context, order)
    assert load_order_book(desk.trading_context, proposal).remaining(excluding=order.id) == 1


def test_more_filled_than_approved_is_recorded_and_loud(desk: TradingDesk) -> None:
    proposal, second = half_replaced(desk)
    desk.orders.shows("480001", fills=fills(desk, "480001", 1, 1), fees=D("2.26"))
    desk.orders.fill(second)
    with pytest.raises(Unresolved, match="3 spreads of P1 were filled and 2 approved"):
        settled(desk, proposal)
    trade = desk.store.trades.find_by_proposal(proposal)
    assert trade is not None and (trade.state, trade.quantity) == (TradeState.OPEN, 3)
    assert any("LOOK AT THIS: P1: 3 spreads were filled and 2 approved" in line for line in desk.said)


def settled(desk: TradingDesk, proposal: int) -> None:
    from spy32.trading.execute import _conclude

    for order in reversed(desk.store.orders.select_by_proposal(proposal)):
        order_state.settle_order(desk.trading_context, order)
    _conclude(desk.trading_context, proposal, desk.last_order(proposal))


# What a review found.


def test_a_part_that_filled_and_is_listed_late_is_not_sold_again(desk: TradingDesk) -> None:
    """Cancelled with one of two filled, the fills not listed yet: what is left of the legs tells."""
    proposal, first = working(desk)
    seen = desk.orders.book[first]
    desk.orders.book[first] = replace(seen, state=O.CANCELLED, status="Cancelled", unlisted_quantity=2)
    with pytest.raises(Unresolved):
        execute(desk.trading_context, proposal)
    assert desk.state(proposal) is P.SENT
    assert desk.orders.requests.count("submit") == 1


def test_a_filled_order_without_its_legs_is_not_at_rest(desk: TradingDesk) -> None:
    proposal, first = working(desk)
    seen = desk.orders.book[first]
    desk.orders.book[first] = replace(seen, state=O.FILLED, status="Filled", legs=(), quantity=0, fills=())
    with pytest.raises(Unresolved):
        execute(desk.trading_context, proposal)
    assert desk.state(proposal) is P.SENT


def test_a_cancel_that_got_lost_is_asked_for_again(desk: TradingDesk) -> None:
    proposal, _ = working(desk)
    cancel, lost = desk.orders.cancel, [2]

    def losing(broker_id: str) -> BrokerOrder:
        if lost[0]:
            lost[0] -= 1
            raise Unavailable("nothing was sent")
        return cancel(broker_id)

    desk.orders.cancel = losing  # type: ignore[method-assign]
    reconcile.cancel_proposal(desk.trading_context, proposal)
    assert desk.order_states(proposal) == [O.CANCELLED]


def test_a_request_that_never_left_may_be_tried_later(desk: TradingDesk) -> None:
    proposal = desk.approved()
    desk.orders.faults.append(("before", Unavailable("tastytrade cannot be reached")))
    with pytest.raises(Unavailable, match="not sent"):
        execute(desk.trading_context, proposal)
    assert desk.state(proposal) is P.PROPOSED


# What only a person can settle.


def test_a_person_may_say_that_an_unknown_order_is_not_there(desk: TradingDesk) -> None:
    """An order by hand with the same legs keeps ours unknown for ever; whoever looked there knows better."""
    proposal = desk.approved()

    def lost(body: str) -> BrokerOrder:
        desk.orders.unreadable = True
        raise Unresolved("timed out")

    desk.orders.submit = lost  # type: ignore[method-assign]
    with pytest.raises(Unresolved):
        execute(desk.trading_context, proposal)
    said = reconcile.settle_by_person(desk.trading_context, proposal, "anna")
    assert said.state is P.PROPOSED
    assert desk.order_states(proposal) == [O.ABSENT]
    assert "anna looked at the broker" in desk.last_order(proposal).reason


def test_no_word_settles_an_order_that_works(desk: TradingDesk) -> None:
    proposal, _ = working(desk)
    with pytest.raises(Refused, match="spy32 cancel"):
        reconcile.settle_by_person(desk.trading_context, proposal, "anna")
    assert desk.state(proposal) is P.SENT


def test_an_uneven_fill_is_settled_by_a_persons_word_and_stays_done(desk: TradingDesk) -> None:
    proposal, first = working(desk)
    seen = desk.orders.book[first]
    leg = desk.store.proposals.get(proposal).legs[0]
    odd = Fill(fill_id="1", symbol=leg.symbol, action=leg.action, quantity=1, price=Decimal(3), at=desk.clock())
    desk.orders.book[first] = replace(seen, state=O.CANCELLED, status="Cancelled", fills=(odd,))
    with pytest.raises(Unresolved, match="uneven"):
        execute(desk.trading_context, proposal)
    assert reconcile.settle_by_person(desk.trading_context, proposal, "anna").state is P.DONE


# What is in columns, whatever the words are.


@pytest.mark.parametrize(
    ("trouble", "by", "ends"),
    [
        (BrokerRefused("not sent: margin_check_failed"), EndedBy.BROKER, BrokerRefused),
        (BrokerRefused("halted: trading in it"), EndedBy.BROKER, BrokerRefused),
        (BrokerRefused("too late: the session is over"), EndedBy.BROKER, BrokerRefused),
        (Unavailable("refused by a proxy"), EndedBy.NOT_SENT, Unavailable),
        (Refused("the quotes are old"), EndedBy.TOO_LATE, Refused),
    ],
)
def test_who_ended_an_order_hangs_on_no_word_of_it(
    desk: TradingDesk, trouble: Exception, by: EndedBy, ends: type[Exception]
) -> None:
    proposal = desk.approved()
    desk.orders.faults.append(("before", trouble))
    with pytest.raises(ends) as caught:
        execute(desk.trading_context, proposal)
    assert str(caught.value).count("not sent") <= 1
    assert (desk.last_order(proposal).state, desk.last_order(proposal).ended_by) == (O.REFUSED, by)


def test_a_halt_that_was_lifted_since_is_no_refusal_of_the_broker(desk: TradingDesk) -> None:
    """The halt comes with the commit, and is lifted before the command has ended."""
    proposal, begin = desk.approved(), desk.store.orders.begin

    def halted(order: Order, *, at: datetime) -> Order:
        desk.halt = "strange fills"
        return begin(order, at=at)

    finish = desk.store.proposals.finish

    def lifted(proposal_id: int, **what: Any) -> None:
        desk.halt = None
        finish(proposal_id, **what)

    desk.store.orders.begin, desk.store.proposals.finish = halted, lifted  # type: ignore[method-assign]
    with pytest.raises(NotPermitted, match="halted: strange fills; P1 is proposed again"):
        execute(desk.trading_context, proposal)
    assert desk.last_order(proposal).ended_by is EndedBy.HALT
    assert submits(desk) == 0


def test_an_order_that_a_person_edited_stays_so_when_the_broker_s_word_changes(desk: TradingDesk) -> None:
    """After the broker has let go of the link its own order looks like any other, and is still priced by nobody."""
    proposal, first = working(desk)
    second = desk.orders.replaced_by_hand(first, D("0.61"))
    execute(desk.trading_context, proposal, wait=False)
    desk.orders.shows(second, replaces=None, status="Contingent")
    with pytest.raises(NotFilled):
        execute(desk.trading_context, proposal)
    assert desk.orders.requests == ["submit", "cancel"]
    order = desk.last_order(proposal)
    assert (order.state, order.is_replaced_by_hand) == (O.CANCELLED, True)


def test_words_beside_a_working_order_do_not_keep_its_price_from_being_worked(desk: TradingDesk) -> None:
    proposal, first = working(desk)
    desk.orders.shows(first, status="Routed", reason="a remark of the exchange")
    with pytest.raises(NotFilled):
        execute(desk.trading_context, proposal)
    assert desk.orders.requests[:2] == ["submit", "replace"]


def test_an_order_whose_fills_are_not_listed_is_not_priced(desk: TradingDesk) -> None:
    proposal, first = working(desk)
    desk.orders.shows(first, state=O.FILLED, status="Filled")
    execute(desk.trading_context, proposal, wait=False)
    order = desk.last_order(proposal)
    assert (order.state, order.is_unclear, order.is_replaced_by_hand) == (O.WORKING, True, False)
    with pytest.raises((NotFilled, Unresolved)):
        execute(desk.trading_context, proposal)
    assert "replace" not in desk.orders.requests
    desk.orders.fill(first)
    assert execute(desk.trading_context, proposal).state is P.DONE
    assert not desk.last_order(proposal).is_unclear


def test_a_cancel_is_asked_again_while_the_broker_has_not_taken_it_whatever_its_word(desk: TradingDesk) -> None:
    proposal, first = working(desk)
    asked = []

    def cancel(broker_id: str) -> BrokerOrder:
        asked.append(broker_id)
        desk.orders.shows(
            first, status="Cancel Rejected" if len(asked) < 3 else "Leaving", is_cancelling=len(asked) == 3
        )
        return desk.orders.book[first]

    desk.orders.cancel = cancel  # type: ignore[method-assign]
    with pytest.raises(Unresolved, match="still Leaving"):
        order_state.cancel_order(desk.trading_context, desk.last_order(proposal))
    assert len(asked) == 3
    assert desk.last_order(proposal).is_cancelling


def test_a_cancel_that_an_older_row_only_has_in_words_is_seen_at_the_next_read(desk: TradingDesk) -> None:
    proposal, first = working(desk)
    desk.orders.shows(first, status="Cancel Requested")
    assert not order_state.refresh_order(desk.trading_context, desk.last_order(proposal)).is_cancelling
    desk.orders.shows(first, is_cancelling=True)
    assert order_state.refresh_order(desk.trading_context, desk.last_order(proposal)).is_cancelling


# What the state machine found.


def test_a_broker_that_carries_the_first_name_on_loses_no_replacement(desk: TradingDesk) -> None:
    """The answer to the second replacement is lost, and the order there bears the name of the first one."""
    proposal = desk.approved(plan=builders.price_plan(start=Decimal("0.60"), limit=Decimal("0.55")))
    take, requests = desk.orders._add_root, [0]

    def carried_on(word: str, body: str, old: str | None) -> BrokerOrder:
        made = take(word, body, old)
        if old is not None:
            desk.orders.shows(made.broker_id, reference=desk.orders.book[old].reference)
        requests[0] += 1
        if requests[0] == 3:
            raise TIMED_OUT
        return desk.orders.book[made.broker_id]

    desk.orders._add_root = carried_on  # type: ignore[method-assign, assignment]
    with pytest.raises(NotFilled):
        execute(desk.trading_context, proposal)
    assert O.ABSENT not in desk.order_states(proposal)
    assert not [order for order in desk.orders.book.values() if order.state is O.WORKING]


def test_an_order_that_a_person_put_in_the_place_of_ours_is_not_priced_by_us(desk: TradingDesk) -> None:
    """The process died before its replacement left, and a person replaced the order at another price."""
    proposal, first = working(desk)
    old = desk.last_order(proposal)
    wanted = replacement_of(old, limit=old.limit - Decimal("0.01"))
    desk.store.orders.begin(wanted, at=desk.clock())
    desk.orders.replaced_by_hand(first, old.limit + Decimal("0.10"))
    desk.orders.requests.clear()
    with pytest.raises(NotFilled):
        execute(desk.trading_context, proposal)
    assert "replace" not in desk.orders.requests


def test_an_order_replaced_by_hand_under_a_name_carried_on_is_followed(desk: TradingDesk) -> None:
    """The broker shows the first reference on every order of the line, a person's replacement too."""
    proposal, first = working(desk)
    old = desk.last_order(proposal)
    wanted = replacement_of(old)
    made = desk.store.orders.begin(wanted, at=desk.clock())
    second = desk.orders.replace(first, made.body)
    desk.orders.shows(second.broker_id, reference=old.reference)
    order_state.recover_orders(desk.trading_context, proposal)
    by_hand = desk.orders.replaced_by_hand(second.broker_id, old.limit)
    number = by_hand if isinstance(by_hand, str) else by_hand.broker_id
    desk.orders.shows(number, reference=old.reference)
    order_state.recover_orders(desk.trading_context, proposal)
    assert desk.state(proposal) is P.SENT
    assert desk.last_order(proposal).broker_id == number


def test_a_fill_of_an_order_is_counted_once_when_its_replacement_was_replaced_by_hand(desk: TradingDesk) -> None:
    """The row of the replacement moves on to the person's order, and the old one must not follow it there."""
    proposal, first = working(desk)
    old = desk.last_order(proposal)
    wanted = replacement_of(old)
    made = desk.store.orders.begin(wanted, at=desk.clock())
    second = desk.orders.replace(first, made.body)
    leg = desk.store.proposals.get(proposal).legs[0]
    odd = Fill(fill_id="F1", symbol=leg.symbol, action=leg.action, quantity=1, price=Decimal(3), at=desk.clock())
    desk.orders.shows(second.broker_id, fills=(odd,))
    desk.orders.replaced_by_hand(second.broker_id, old.limit)
    for _ in range(3):
        with suppress(Unresolved):
            order_state.recover_orders(desk.trading_context, proposal)
    rows = desk.store.orders.select_by_proposal(proposal)
    counted = [fill.fill_id for row in rows for fill in desk.store.orders.fills(row.id)]
    assert counted == ["F1"]
