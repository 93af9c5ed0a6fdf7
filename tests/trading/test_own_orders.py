"""One approval, one order: what bears its name at the broker is its order, whatever the book says of it."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from spy32.domain.orders import BrokerOrder, DryRun, OrderKind, invert_legs
from spy32.domain.spreads import Mode
from spy32.errors import NotFilled, NotPermitted, Refused, Unavailable, Unresolved
from spy32.lifecycle import FINAL, EndedBy, OrderState, ProposalState, TradeState
from spy32.trading.execute import execute, preview_execution
from spy32.trading.position_diff import compare_with_broker
from spy32.trading.reconcile import cancel_proposal, reconcile, settle_by_person
from tests.support import builders
from tests.support.copied_homes import copied, just_before_the_order, live_desk, restored
from tests.support.fakes import TIMED_OUT
from tests.support.trading import TradingDesk

O, P = OrderState, ProposalState  # noqa: E741
D = Decimal


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[TradingDesk]:
    made = live_desk(tmp_path / "home")
    yield made
    made.store.close()


def adopted_copy(desk: TradingDesk, folder: Path) -> TradingDesk:
    """A copy of which a person said that it is the one to send."""
    made = copied(desk, folder)
    made.store.location.claim(made.clock(), "anna")
    return made


def rows(desk: TradingDesk, proposal: int = 1) -> list[tuple[str | None, OrderState, int]]:
    return [(row.broker_id, row.state, row.filled) for row in desk.store.orders.select_by_proposal(proposal)]


def kinds(desk: TradingDesk) -> list[str]:
    return [item.kind for item in desk.store.attention.open_items()]


def submits(desk: TradingDesk) -> int:
    return desk.orders.requests.count("submit")


def filled(desk: TradingDesk) -> int:
    """Spreads filled at the broker, whoever sent them."""
    return sum(order.quantity for order in desk.orders.book.values() if order.state is O.FILLED)


def approve_again(desk: TradingDesk, proposal: int) -> None:
    made = desk.store.proposals.get(proposal)
    at = desk.clock()
    desk.store.proposals.approve(builders.approval(made, at=at, until=at + timedelta(minutes=60)))


# Where a home lives.


def test_a_copied_home_sends_nothing_before_it_is_adopted(desk: TradingDesk, tmp_path: Path) -> None:
    proposal = desk.approved()
    copy = copied(desk, tmp_path / "copy")
    with pytest.raises(NotPermitted, match=r"this home was at .*home/live.db and is now at .*`spy32 db adopt`"):
        execute(copy.trading_context, proposal)
    assert (copy.state(proposal), submits(copy)) == (P.APPROVED, 0)
    copy.store.location.claim(copy.clock(), "anna")
    copy.orders.fills_at = D(9)
    assert execute(copy.trading_context, proposal).state is P.DONE


def test_a_home_on_another_machine_is_another_place_and_one_without_a_name_goes_by_its_path(desk: TradingDesk) -> None:
    assert desk.store.location.former_place() is None
    with desk.store.core.write_transaction(desk.clock(), "test") as change:
        change.update("stamp", 1, machine="another")
    assert desk.store.location.former_place() == f"{desk.store.core.path} on another machine"
    with desk.store.core.write_transaction(desk.clock(), "test") as change:
        change.update("stamp", 1, machine="")
    assert desk.store.location.former_place() is None


def test_adopting_gives_the_home_a_new_id(desk: TradingDesk, tmp_path: Path) -> None:
    copy = adopted_copy(desk, tmp_path / "copy")
    assert copy.store.location.home_id() and copy.store.location.home_id() != desk.store.location.home_id()
    assert copy.store.audit.verify().broken is None


def test_a_database_of_an_older_version_learns_its_place_when_it_is_first_written_to(desk: TradingDesk) -> None:
    with desk.store.core.write_transaction(desk.clock(), "test") as change:
        change.update("stamp", 1, home_id=None, machine=None, place=None)
    assert desk.store.location.former_place() is None
    desk.store.close()
    desk.store = type(desk.store).open(desk.store.core.path, mode=Mode.LIVE, account=builders.ACCOUNT, at=desk.clock())
    assert desk.store.location.home_id()


# Two copies that both may send.


def test_of_two_homes_that_send_at_once_the_younger_order_is_cancelled_and_both_end_with_11(
    desk: TradingDesk, tmp_path: Path
) -> None:
    proposal = desk.approved()
    other = adopted_copy(desk, tmp_path / "copy")
    just_before_the_order(desk, lambda: execute(desk.trading_context, proposal, wait=False))
    with pytest.raises(Unresolved, match="beside another one; look at both there"):
        execute(other.trading_context, proposal)
    assert rows(other) == [("480002", O.CANCELLED, 0), ("480001", O.WORKING, 0)]
    assert desk.orders.book["480001"].state is O.WORKING
    desk.orders.fills_at = D(9)
    with pytest.raises(Unresolved, match="480002"):
        execute(desk.trading_context, proposal)
    assert (desk.state(proposal), filled(desk)) == (P.DONE, 2)
    assert kinds(desk) == kinds(other) == ["second order"]
    # The home whose order was cancelled takes the trade of the other one into its book as well.
    assert reconcile(lambda number: other.trading_context).worst_error is None
    trade = other.store.trades.find_by_proposal(proposal)
    assert trade is not None and trade.quantity == 2
    assert submits(desk) == 2


def test_the_older_order_is_cancelled_too_when_the_younger_has_filled_meanwhile(
    desk: TradingDesk, tmp_path: Path
) -> None:
    proposal = desk.approved()
    other = adopted_copy(desk, tmp_path / "copy")
    just_before_the_order(desk, lambda: execute(desk.trading_context, proposal, wait=False))
    desk.orders.fills_at = None
    take = desk.orders.cancel

    def fills_first(broker_id: str) -> object:
        if broker_id == "480002":
            desk.orders.fill(broker_id)
        return take(broker_id)

    desk.orders.cancel = fills_first  # type: ignore[assignment,method-assign]
    with pytest.raises(Unresolved, match="480001"):
        execute(other.trading_context, proposal)
    assert rows(other) == [("480002", O.FILLED, 2), ("480001", O.CANCELLED, 0)]
    assert filled(desk) == 2


def test_what_two_homes_filled_at_once_is_on_record_and_said(desk: TradingDesk, tmp_path: Path) -> None:
    proposal = desk.approved()
    other = adopted_copy(desk, tmp_path / "copy")
    desk.orders.fills_at = D(9)
    just_before_the_order(desk, lambda: execute(desk.trading_context, proposal, wait=False))
    with pytest.raises(Unresolved, match="4 spreads of P1 were filled and 2 approved"):
        execute(other.trading_context, proposal)
    trade = other.store.trades.find_by_proposal(proposal)
    assert trade is not None and trade.quantity == 4
    assert sorted(kinds(other)) == ["beyond approval", "second order"]
    with pytest.raises(Unresolved, match="status --ack P1"):
        execute(other.trading_context, proposal)
    assert other.store.attention.acknowledge("P1", "anna", other.clock()) == 2
    assert execute(other.trading_context, proposal).state is P.DONE


def test_a_second_order_is_seen_before_the_first_price_step_too(desk: TradingDesk, tmp_path: Path) -> None:
    """A fresh order may be late in the lists."""
    proposal = desk.approved()
    other = adopted_copy(desk, tmp_path / "copy")
    just_before_the_order(desk, lambda: execute(desk.trading_context, proposal, wait=False))
    with suppress(Unresolved):
        execute(other.trading_context, proposal)
    with pytest.raises(Unresolved, match="480002"):
        execute(desk.trading_context, proposal)
    assert desk.store.orders.select_by_proposal(proposal)[0].state in FINAL
    assert filled(desk) == 0


def test_no_price_is_changed_while_today_s_orders_cannot_be_read(desk: TradingDesk) -> None:
    proposal = desk.approved()
    execute(desk.trading_context, proposal, wait=False)

    listing = desk.orders.todays_orders

    def down() -> tuple[BrokerOrder, ...]:
        if "cancel" in desk.orders.requests:
            return listing()
        raise Unavailable("the list is down")

    desk.orders.todays_orders = down  # type: ignore[method-assign]
    with pytest.raises(NotFilled):
        execute(desk.trading_context, proposal)
    assert desk.orders.requests == ["submit", "cancel"]
    assert any("the price stays" in line for line in desk.said)


def test_an_older_order_with_our_legs_that_is_not_in_our_book_makes_ours_give_way(
    desk: TradingDesk, tmp_path: Path
) -> None:
    """Two homes that were never copies of each other ran on the same Monday."""
    proposal = desk.approved()
    stranger = live_desk(tmp_path / "other", beside=desk)
    desk.clock.at += timedelta(seconds=5)
    theirs = stranger.proposed()
    stranger.store.proposals.approve(builders.approval(theirs, by="bert"))
    just_before_the_order(desk, lambda: execute(stranger.trading_context, 1, wait=False))
    with pytest.raises(Unresolved, match=r"480001 at the broker .* has the same legs and is not in this book"):
        execute(desk.trading_context, proposal)
    assert rows(desk) == [("480002", O.CANCELLED, 0)]
    assert desk.state(proposal) is P.PROPOSED
    assert kinds(desk) == ["second order"]
    stranger.orders.fills_at = D(9)
    assert execute(stranger.trading_context, 1).state is P.DONE
    stranger.store.close()


def test_an_order_that_came_in_while_ours_was_rehearsed_is_not_sent_over(desk: TradingDesk, tmp_path: Path) -> None:
    proposal = desk.approved()
    other = adopted_copy(desk, tmp_path / "copy")
    rehearsed = desk.orders.dry_run

    def meanwhile(body: str) -> DryRun:
        desk.orders.dry_run = rehearsed  # type: ignore[method-assign]
        desk.orders.fills_at = D(9)
        execute(desk.trading_context, proposal)
        return rehearsed(body)

    desk.orders.dry_run = meanwhile  # type: ignore[method-assign]
    with pytest.raises(Refused, match=r"480001 .* the next `spy32 execute` adopts it"):
        execute(other.trading_context, proposal)
    assert execute(other.trading_context, proposal).state is P.DONE
    assert (submits(desk), filled(desk)) == (1, 2)


# A book that has forgotten what was sent.


@pytest.mark.parametrize("how", ["execute", "reconcile"])
def test_after_a_restore_a_filled_order_is_adopted_with_its_trade_and_nothing_is_sent(
    desk: TradingDesk, tmp_path: Path, how: str
) -> None:
    proposal = desk.approved()
    backup = desk.store.backup.create(tmp_path / "before.db")
    desk.orders.fills_at = desk.store.proposals.get(proposal).plan.prices[1]
    execute(desk.trading_context, proposal)
    back = restored(desk, backup)
    assert back.state(proposal) is P.APPROVED
    if how == "execute":
        assert execute(back.trading_context, proposal).state is P.DONE
    else:
        found = reconcile(lambda number: back.trading_context)
        assert (found.worst_error, found.view.foreign_orders) == (None, ())
        assert [(before.state, after.state, after.filled) for before, after in found.orders] == [
            (O.UNKNOWN, O.FILLED, 2)
        ]
    trade = back.store.trades.find_by_proposal(proposal)
    assert trade is not None and (trade.quantity, trade.state) == (2, TradeState.OPEN)
    assert (back.state(proposal), submits(back), kinds(back)) == (P.DONE, 1, ["found order"])
    assert back.store.risk.exposure(
        run_id=1, today=builders.TODAY, week_start=builders.TODAY
    ).submits_of_run == 1, "the limits know of it"  # fmt: skip
    assert reconcile(lambda number: back.trading_context).orders == ()
    desk.store = back.store


def test_after_a_restore_an_order_that_ended_unfilled_ends_the_approval_with_13(
    desk: TradingDesk, tmp_path: Path
) -> None:
    proposal = desk.approved()
    backup = desk.store.backup.create(tmp_path / "before.db")
    with pytest.raises(NotFilled):
        execute(desk.trading_context, proposal)
    sent = len(desk.orders.requests)
    back = restored(desk, backup)
    with pytest.raises(NotFilled, match="cancelled"):
        execute(back.trading_context, proposal)
    assert (back.state(proposal), len(back.orders.requests)) == (P.PROPOSED, sent)
    desk.store = back.store


def test_after_a_restore_an_order_that_works_is_watched_to_its_deadline_and_never_priced(
    desk: TradingDesk, tmp_path: Path
) -> None:
    proposal = desk.approved()
    backup = desk.store.backup.create(tmp_path / "before.db")
    began = desk.clock()
    execute(desk.trading_context, proposal, wait=False)
    back = restored(desk, backup)
    with pytest.raises(NotFilled, match="cancelled"):
        execute(back.trading_context, proposal)
    assert back.orders.requests == ["submit", "cancel"]
    deadline = back.store.proposals.get(proposal).plan.deadline_seconds
    assert deadline <= (back.clock() - began).total_seconds() <= deadline + 60
    desk.store = back.store


def test_a_rehearsal_after_a_restore_reads_only(desk: TradingDesk, tmp_path: Path) -> None:
    proposal = desk.approved()
    backup = desk.store.backup.create(tmp_path / "before.db")
    execute(desk.trading_context, proposal, wait=False)
    back = restored(desk, backup)
    found = preview_execution(back.trading_context, proposal)
    assert any("480001" in finding.message for finding in found.findings if finding.blocks)
    assert back.state(proposal) is P.APPROVED
    desk.store = back.store


def test_a_resting_target_that_the_book_has_forgotten_is_adopted_after_its_entry(
    desk: TradingDesk, tmp_path: Path
) -> None:
    proposal = desk.approved(exit=builders.exit_plan(rests_target=True))
    backup = desk.store.backup.create(tmp_path / "before.db")
    execute(desk.trading_context, proposal, wait=False)
    desk.orders.fill("480001")
    execute(desk.trading_context, proposal)
    back = restored(desk, backup)
    assert reconcile(lambda number: back.trading_context).worst_error is None
    kinds_and_states = [(row.kind, row.state) for row in back.store.orders.select_by_proposal(proposal)]
    assert kinds_and_states == [(OrderKind.ENTRY, O.FILLED), (OrderKind.TARGET, O.WORKING)]
    desk.store = back.store


def test_after_a_restore_to_the_working_entry_the_forgotten_target_is_adopted_and_no_second_one_is_left(
    desk: TradingDesk, tmp_path: Path
) -> None:
    proposal = desk.approved(exit=builders.exit_plan(rests_target=True))
    execute(desk.trading_context, proposal, wait=False)
    backup = desk.store.backup.create(tmp_path / "before.db")
    desk.orders.fill("480001")
    execute(desk.trading_context, proposal)
    back = restored(desk, backup)
    assert execute(back.trading_context, proposal).state is P.DONE
    assert rows(back) == [("480001", O.FILLED, 2), ("480002", O.WORKING, 0)]
    assert (list(back.orders.book), kinds(back)) == (["480001", "480002"], ["found order"])
    desk.store = back.store


def test_no_target_is_left_while_it_is_not_known_what_rests_at_the_broker(desk: TradingDesk) -> None:
    proposal = desk.approved(exit=builders.exit_plan(rests_target=True))
    execute(desk.trading_context, proposal, wait=False)
    desk.orders.fill("480001")
    listing = desk.orders.search

    def fail(_since: date) -> tuple[BrokerOrder, ...]:
        raise Unavailable("the fake broker does not answer")

    desk.orders.search = fail  # type: ignore[method-assign]
    assert execute(desk.trading_context, proposal).state is P.DONE
    assert (submits(desk), rows(desk)) == (1, [("480001", O.FILLED, 2)])
    assert any("no target is left for T1" in line and "`spy32 execute P1`" in line for line in desk.said)
    desk.orders.search = listing  # type: ignore[method-assign]
    execute(desk.trading_context, proposal)
    assert rows(desk)[-1] == ("480002", O.WORKING, 0)


def test_a_target_that_the_broker_lists_and_does_not_spell_out_holds_back_another_one(desk: TradingDesk) -> None:
    proposal = desk.approved(exit=builders.exit_plan(rests_target=True))
    execute(desk.trading_context, proposal, wait=False)
    desk.orders.fill("480001")
    entry = desk.orders.book["480001"]
    name = f"{entry.reference.rpartition('-')[0]}-t1"
    desk.orders.book["480002"] = BrokerOrder(
        broker_id="480002", reference=name, status="Live", state=O.WORKING, unread="a leg cannot be read"
    )
    execute(desk.trading_context, proposal)
    assert (submits(desk), rows(desk)) == (1, [("480001", O.FILLED, 2)])
    assert any("order 480002 at the broker could not be adopted" in line for line in desk.said)


def test_an_order_of_ours_that_the_broker_does_not_spell_out_has_an_unknown_outcome(desk: TradingDesk) -> None:
    proposal = desk.approved()
    execute(desk.trading_context, proposal, wait=False)
    ours = desk.orders.book["480001"]
    desk.orders.fill("480001")
    desk.orders.book["480002"] = replace(ours, broker_id="480002", unread="a leg cannot be read")
    found = reconcile(lambda _: desk.trading_context)
    assert isinstance(found.worst_error, Unresolved)
    assert "order 480002 is" in found.worst_error.message


def test_the_target_of_another_home_outlives_the_end_of_our_own_order(desk: TradingDesk) -> None:
    """Its trade is open, and a target that was cancelled is never left again."""
    proposal = desk.approved(exit=builders.exit_plan(rests_target=True))
    execute(desk.trading_context, proposal, wait=False)
    ours = desk.orders.book["480001"]

    def fill_elsewhere() -> None:
        desk.orders.book["480002"] = replace(ours, broker_id="480002", placed_at=desk.clock())
        desk.orders.fill("480002")
        desk.orders.fill("480001", 1)
        target = {"reference": f"{ours.reference.rpartition('-')[0]}-t1", "legs": invert_legs(ours.legs)}
        desk.orders.book["480003"] = replace(ours, broker_id="480003", limit=D("-0.28"), **target)

    def sleep(seconds: float) -> None:
        desk.clock.sleep(seconds)
        if len(desk.orders.book) == 1:
            fill_elsewhere()

    with pytest.raises(Unresolved, match="3 spreads of P1 were filled and 2 approved"):
        execute(replace(desk.trading_context, sleep=sleep), proposal)
    assert rows(desk) == [("480001", O.CANCELLED, 1), ("480002", O.FILLED, 2), ("480003", O.WORKING, 0)]


def test_an_order_of_an_approval_that_the_book_does_not_have_is_told_once_and_never_called_not_ours(
    desk: TradingDesk, tmp_path: Path
) -> None:
    backup = desk.store.backup.create(tmp_path / "before.db")
    proposal = desk.approved()
    desk.orders.fills_at = D(9)
    execute(desk.trading_context, proposal)
    back = restored(desk, backup)
    found = reconcile(lambda number: back.trading_context)
    assert [other.whose for other in found.view.foreign_orders] == ["another book"]
    assert [(item.subject, item.kind) for item in back.store.attention.open_items()] == [
        ("480001", "order of another book")
    ]
    assert back.store.attention.acknowledge("480001", "anna", back.clock()) == 1
    reconcile(lambda number: back.trading_context)
    assert back.store.attention.open_items() == ()
    desk.store = back.store


def test_positions_says_whose_an_order_is_and_changes_nothing(desk: TradingDesk, tmp_path: Path) -> None:
    proposal = desk.approved()
    backup = desk.store.backup.create(tmp_path / "before.db")
    execute(desk.trading_context, proposal, wait=False)
    back = restored(desk, backup)
    head = back.store.audit.head()
    (other,) = compare_with_broker(back.trading_context).foreign_orders
    assert (other.whose, other.proposal_id, back.store.audit.head()) == ("ours", proposal, head)
    desk.store = back.store


def test_an_order_of_another_proposal_that_the_book_has_forgotten_counts_against_the_limits(
    desk: TradingDesk, tmp_path: Path
) -> None:
    first, second = desk.approved(), desk.approved(profile="other", legs=builders.spread("630", "625").legs)
    backup = desk.store.backup.create(tmp_path / "before.db")
    execute(desk.trading_context, first, wait=False)
    back = restored(desk, backup)
    with suppress(Refused, NotFilled):
        execute(back.trading_context, second, wait=False)
    assert back.state(first) is P.SENT
    assert rows(back, first) == [("480001", O.WORKING, 0)]
    desk.store = back.store


# An order that arrives late.


def arrives(desk: TradingDesk, body: str) -> str:
    """The request that was long on its way is taken by the broker."""
    desk.orders.faults.clear()
    return desk.orders.submit(body).broker_id


def lost(desk: TradingDesk) -> tuple[int, str]:
    """A proposal whose order is on its way, its answer lost; and the exact body of it."""
    proposal = desk.approved()
    desk.orders.faults.append(("before", TIMED_OUT))
    with pytest.raises(Unresolved, match="may still be on its way until 14:16 UTC"):
        execute(desk.trading_context, proposal)
    assert desk.order_states(proposal) == [O.UNKNOWN]
    return proposal, desk.last_order(proposal).body


def absent(desk: TradingDesk) -> tuple[int, str]:
    """The same when ten minutes have gone by."""
    proposal, body = lost(desk)
    desk.clock.at += timedelta(minutes=10)
    assert reconcile(lambda number: desk.trading_context).worst_error is None
    assert desk.order_states(proposal) == [O.ABSENT]
    assert desk.state(proposal) is P.PROPOSED
    return proposal, body


def test_a_live_entry_is_not_absent_before_its_minutes_are_over(desk: TradingDesk) -> None:
    proposal, body = lost(desk)
    with pytest.raises(Unresolved, match="on its way"):
        execute(desk.trading_context, proposal)
    arrives(desk, body)
    desk.orders.fill("480001")
    assert execute(desk.trading_context, proposal).state is P.DONE
    assert submits(desk) == 2, "the one that was lost, and its arrival"


def test_the_minutes_are_a_setting(desk: TradingDesk) -> None:
    desk.settings = replace(desk.settings, execution=replace(desk.settings.execution, absent_minutes=1))
    proposal = desk.approved()
    desk.orders.faults.append(("before", TIMED_OUT))
    with pytest.raises(NotFilled, match="not at the broker"):
        execute(desk.trading_context, proposal)
    assert desk.order_states(proposal) == [O.ABSENT]


def test_after_an_absent_entry_nothing_is_sent_that_day_without_a_person_s_word(desk: TradingDesk) -> None:
    proposal, _ = absent(desk)
    approve_again(desk, proposal)
    with pytest.raises(Refused, match="`spy32 reconcile --settle P1` says that nothing of it is alive"):
        execute(desk.trading_context, proposal)
    settle_by_person(desk.trading_context, proposal, "anna")
    assert desk.last_order(proposal).ended_by is EndedBy.PERSON
    desk.orders.fills_at = D(9)
    assert execute(desk.trading_context, proposal).state is P.DONE


def test_a_late_arrival_is_adopted_recorded_and_told_until_a_person_has_looked(desk: TradingDesk) -> None:
    proposal, body = absent(desk)
    desk.orders.fills_at = D(9)
    arrives(desk, body)
    found = reconcile(lambda number: desk.trading_context)
    assert isinstance(found.worst_error, Unresolved)
    assert "arrived late" in found.worst_error.message
    assert [(before.state, after.state, after.filled) for before, after in found.orders] == [(O.ABSENT, O.FILLED, 2)]
    trade = desk.store.trades.find_by_proposal(proposal)
    assert trade is not None and trade.quantity == 2
    assert (desk.state(proposal), kinds(desk)) == (P.DONE, ["late order"])
    assert reconcile(lambda number: desk.trading_context).worst_error is None
    with pytest.raises(Unresolved, match="status --ack P1"):
        execute(desk.trading_context, proposal)


def test_a_late_arrival_stops_the_second_order_of_the_day(desk: TradingDesk) -> None:
    proposal, body = absent(desk)
    approve_again(desk, proposal)
    settle_by_person(desk.trading_context, proposal, "anna")
    arrives(desk, body)
    with pytest.raises(Unresolved, match="arrived late"):
        execute(desk.trading_context, proposal)
    assert rows(desk) == [("480001", O.WORKING, 0)]
    assert desk.last_order(proposal).ended_by is None
    assert cancel_proposal(desk.trading_context, proposal) == 0
    assert desk.state(proposal) is P.PROPOSED


def test_a_late_arrival_beside_a_second_order_is_the_younger_and_is_cancelled(desk: TradingDesk) -> None:
    proposal, body = absent(desk)
    settle_by_person(desk.trading_context, proposal, "anna")
    approve_again(desk, proposal)
    execute(desk.trading_context, proposal, wait=False)
    arrives(desk, body)
    found = reconcile(lambda number: desk.trading_context)
    assert isinstance(found.worst_error, Unresolved)
    assert rows(desk) == [("480002", O.CANCELLED, 0), ("480001", O.WORKING, 0)]
    assert desk.orders.book["480001"].state is O.WORKING


def test_a_late_arrival_that_fills_beside_a_second_order_counts_as_exposure(desk: TradingDesk) -> None:
    proposal, body = absent(desk)
    settle_by_person(desk.trading_context, proposal, "anna")
    approve_again(desk, proposal)
    desk.orders.fills_at = D(9)
    execute(desk.trading_context, proposal)
    once = desk.store.risk.exposure(run_id=1, today=builders.TODAY, week_start=builders.TODAY).open_risk
    arrives(desk, body)
    found = reconcile(lambda number: desk.trading_context)
    assert isinstance(found.worst_error, Unresolved)
    trade = desk.store.trades.find_by_proposal(proposal)
    assert trade is not None and trade.quantity == 4
    assert sorted(kinds(desk)) == ["beyond approval", "late order"]
    assert desk.store.risk.exposure(run_id=1, today=builders.TODAY, week_start=builders.TODAY).open_risk == 2 * once


def test_a_late_order_that_works_beside_a_filled_one_is_cancelled(desk: TradingDesk) -> None:
    proposal, body = absent(desk)
    settle_by_person(desk.trading_context, proposal, "anna")
    approve_again(desk, proposal)
    desk.orders.fills_at = D(9)
    execute(desk.trading_context, proposal)
    desk.orders.fills_at = None
    arrives(desk, body)
    reconcile(lambda number: desk.trading_context)
    assert desk.orders.book["480002"].state is O.CANCELLED
    assert rows(desk) == [("480002", O.CANCELLED, 0), ("480001", O.FILLED, 2)]


def test_a_fill_that_the_broker_shows_after_the_order_had_ended_is_recorded(desk: TradingDesk) -> None:
    proposal = desk.approved()
    execute(desk.trading_context, proposal, wait=False)
    cancel_proposal(desk.trading_context, proposal)
    assert desk.state(proposal) is P.PROPOSED
    desk.orders.fill("480001", quantity=1)
    found = reconcile(lambda number: desk.trading_context)
    assert isinstance(found.worst_error, Unresolved)
    trade = desk.store.trades.find_by_proposal(proposal)
    assert trade is not None and trade.quantity == 1
    assert (desk.state(proposal), kinds(desk)) == (P.DONE, ["late order"])
