"""`execute`: what a person approved is sent once, worked along its plan, and comes to rest whatever happens."""

from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import pytest

from spy32.domain.market import Chain
from spy32.errors import BrokerRefused, NotFilled, NotPermitted, Refused, Unavailable, Unresolved
from spy32.lifecycle import OrderState, ProposalState, TradeState
from spy32.trading.execute import execute, preview_execution
from tests.support import builders
from tests.support.fakes import TIMED_OUT
from tests.support.trading import TradingDesk

O, P = OrderState, ProposalState  # noqa: E741


def submits(desk: TradingDesk) -> int:
    return desk.orders.requests.count("submit")


def test_an_approved_proposal_is_filled_at_once_when_the_broker_takes_the_first_price(desk: TradingDesk) -> None:
    proposal = desk.approved()
    desk.orders.fills_at = Decimal("9")
    done = execute(desk.trading_context, proposal)
    assert done.state is P.DONE
    assert desk.order_states(proposal) == [O.FILLED]
    trade = desk.store.trades.find_by_proposal(proposal)
    assert trade is not None and trade.state is TradeState.OPEN
    assert (trade.quantity, trade.credit) == (done.quantity, done.limit_price)


def test_the_price_is_worked_down_one_tick_a_step_and_never_below_the_floor(desk: TradingDesk) -> None:
    proposal = desk.approved()
    plan = desk.store.proposals.get(proposal).plan
    with pytest.raises(NotFilled):
        execute(desk.trading_context, proposal)
    limits = [order.limit for order in desk.store.orders.select_by_proposal(proposal)]
    assert limits == list(plan.prices)
    assert min(limits) == plan.limit
    assert submits(desk) == 1


def test_steps_are_as_far_apart_as_the_plan_says_and_the_deadline_ends_it(desk: TradingDesk) -> None:
    proposal = desk.approved()
    began = desk.clock()
    with pytest.raises(NotFilled):
        execute(desk.trading_context, proposal)
    plan = desk.store.proposals.get(proposal).plan
    orders = desk.store.orders.select_by_proposal(proposal)
    gaps = {(later.created_at - earlier.created_at).total_seconds() for earlier, later in pairwise(orders)}
    assert gaps == {plan.step_seconds}
    assert plan.deadline_seconds <= (desk.clock() - began).total_seconds() <= plan.deadline_seconds + 60
    assert orders[-1].state is O.CANCELLED
    assert desk.state(proposal) is P.PROPOSED


def test_a_fill_on_the_way_down_stops_at_its_price(desk: TradingDesk) -> None:
    proposal = desk.approved()
    second = desk.store.proposals.get(proposal).plan.prices[1]
    desk.orders.fills_at = second
    done = execute(desk.trading_context, proposal)
    assert done.state is P.DONE
    assert desk.order_states(proposal) == [O.REPLACED, O.FILLED]
    trade = desk.store.trades.find_by_proposal(proposal)
    assert trade is not None and trade.credit == second


def test_after_a_partial_fill_the_price_rests_until_the_deadline_and_what_is_filled_is_the_trade(
    desk: TradingDesk,
) -> None:
    proposal = desk.approved()
    sleep = desk.clock.sleep

    def fill_one(seconds: float) -> None:
        sleep(seconds)
        if len(desk.clock.waits) == 1:
            desk.orders.fill(next(iter(desk.orders.book)), quantity=1)

    bench = replace(desk.trading_context, sleep=fill_one)
    done = execute(bench, proposal)
    assert done.state is P.DONE
    assert desk.order_states(proposal) == [O.CANCELLED]
    trade = desk.store.trades.find_by_proposal(proposal)
    assert trade is not None and trade.quantity == 1


def test_a_second_execute_of_a_done_proposal_sends_nothing_and_is_content(desk: TradingDesk) -> None:
    proposal = desk.approved()
    desk.orders.fills_at = Decimal("9")
    execute(desk.trading_context, proposal)
    assert execute(desk.trading_context, proposal).state is P.DONE
    assert submits(desk) == 1


@pytest.mark.parametrize("trouble", ["before", "after"])
def test_a_lost_answer_is_settled_by_reading_and_never_sent_twice(desk: TradingDesk, trouble: str) -> None:
    proposal = desk.approved()
    desk.orders.faults.append((trouble, TIMED_OUT))
    desk.orders.fills_at = Decimal("9")
    if trouble == "after":
        assert execute(desk.trading_context, proposal).state is P.DONE
    else:
        with pytest.raises(NotFilled, match="not at the broker"):
            execute(desk.trading_context, proposal)
        assert desk.order_states(proposal) == [O.ABSENT]
        assert desk.state(proposal) is P.PROPOSED
    assert submits(desk) == 1


def test_absence_needs_three_reads_over_a_minute(desk: TradingDesk) -> None:
    proposal = desk.approved()
    desk.orders.faults.append(("after", TIMED_OUT))
    desk.orders.hidden_reads = 2
    desk.orders.fills_at = Decimal("9")
    began = desk.clock()
    assert execute(desk.trading_context, proposal).state is P.DONE
    assert (desk.clock() - began).total_seconds() >= 30


def test_a_broker_that_cannot_be_read_leaves_the_order_unknown_and_sends_nothing_more(desk: TradingDesk) -> None:
    proposal = desk.approved()
    desk.orders.goes_silent_after = 1
    with pytest.raises(Unresolved):
        execute(desk.trading_context, proposal)
    assert desk.order_states(proposal) == [O.UNKNOWN]
    with pytest.raises(Unresolved):
        execute(desk.trading_context, proposal)
    assert submits(desk) == 1
    desk.orders.unreadable, desk.orders.goes_silent_after = False, None
    desk.orders.fill(next(iter(desk.orders.book)))
    assert execute(desk.trading_context, proposal).state is P.DONE
    assert submits(desk) == 1


def test_a_row_left_submitting_by_a_dead_process_is_adopted(desk: TradingDesk) -> None:
    proposal = desk.approved()
    made, yes = desk.store.proposals.get(proposal), desk.store.proposals.latest_approval(proposal)
    committed = desk.store.orders.begin(builders.order(made, yes), at=desk.clock())
    desk.orders.submit(committed.body)
    desk.orders.fill(next(iter(desk.orders.book)))
    assert execute(desk.trading_context, proposal).state is P.DONE
    assert submits(desk) == 1


def test_a_refused_order_goes_back_to_the_person_with_the_broker_s_words(desk: TradingDesk) -> None:
    proposal = desk.approved()
    desk.orders.faults.append(("before", BrokerRefused("margin_check_failed: too little")))
    with pytest.raises(BrokerRefused, match="margin_check_failed"):
        execute(desk.trading_context, proposal)
    assert desk.order_states(proposal) == [O.REFUSED]
    assert desk.state(proposal) is P.PROPOSED


def test_a_refused_dry_run_sends_nothing(desk: TradingDesk) -> None:
    proposal = desk.approved()
    desk.orders.reject_credentials = "cant_buy_for_credit"
    with pytest.raises(BrokerRefused, match="cant_buy_for_credit"):
        execute(desk.trading_context, proposal)
    assert desk.orders.requests == []
    assert desk.state(proposal) is P.PROPOSED


def test_the_halt_file_stops_the_send_and_keeps_the_approval(desk: TradingDesk) -> None:
    proposal = desk.approved()
    desk.halt = "rain"
    with pytest.raises(NotPermitted, match="rain"):
        execute(desk.trading_context, proposal)
    assert desk.orders.requests == []
    assert desk.state(proposal) is P.APPROVED


def test_a_halt_in_the_middle_cancels_and_reprices_no_more(desk: TradingDesk) -> None:
    proposal = desk.approved()
    sleep = desk.clock.sleep

    def halt(seconds: float) -> None:
        sleep(seconds)
        desk.halt = "stop it"

    bench = replace(desk.trading_context, sleep=halt)
    with pytest.raises(NotPermitted, match="stop it"):
        execute(bench, proposal)
    assert desk.orders.requests == ["submit", "cancel"]
    assert desk.state(proposal) is P.PROPOSED


def test_an_approval_that_is_over_goes_back_to_proposed(desk: TradingDesk) -> None:
    proposal = desk.approved()
    desk.clock.at = builders.later(minutes=66)
    with pytest.raises(Refused, match="ended"):
        execute(desk.trading_context, proposal)
    assert desk.state(proposal) is P.PROPOSED
    assert desk.orders.requests == []


def test_a_proposal_that_nobody_approved_is_refused(desk: TradingDesk) -> None:
    made = desk.proposed()
    with pytest.raises(Refused, match="not approved"):
        execute(desk.trading_context, made.id)


def moved(chain: Chain, spot: float) -> Chain:
    return replace(chain, spot=spot)


def test_an_underlying_that_has_drifted_sends_nothing_and_asks_for_a_new_approval(desk: TradingDesk) -> None:
    proposal = desk.approved()
    chain = desk.market.snapshot.chain
    desk.market.chain_now = replace(chain, spot=chain.spot * 1.02, as_of=desk.clock())
    with pytest.raises(Refused, match="underlying"):
        execute(desk.trading_context, proposal)
    assert desk.state(proposal) is P.PROPOSED
    assert desk.orders.requests == []


def test_another_process_at_work_is_told_to_wait(desk: TradingDesk) -> None:
    proposal = desk.approved()
    desk.locks.busy.add(f"proposal-{proposal}")
    with pytest.raises(Unavailable):
        execute(desk.trading_context, proposal)
    assert desk.orders.requests == []


def test_ctrl_c_while_the_price_is_worked_cancels_and_tells(desk: TradingDesk) -> None:
    proposal = desk.approved()

    def interrupt(seconds: float) -> None:
        if not desk.clock.waits:
            desk.clock.sleep(seconds)
            raise KeyboardInterrupt
        desk.clock.sleep(seconds)

    bench = replace(desk.trading_context, sleep=interrupt)
    with pytest.raises(KeyboardInterrupt):
        execute(bench, proposal)
    assert desk.order_states(proposal) == [O.CANCELLED]
    assert desk.state(proposal) is P.PROPOSED
    assert any("nothing works any more" in line for line in desk.said)


def test_no_wait_leaves_the_order_working_and_the_next_execute_goes_on_with_it(desk: TradingDesk) -> None:
    proposal = desk.approved()
    assert execute(desk.trading_context, proposal, wait=False).state is P.SENT
    assert desk.order_states(proposal) == [O.WORKING]
    desk.orders.fill(next(iter(desk.orders.book)))
    assert execute(desk.trading_context, proposal).state is P.DONE
    assert submits(desk) == 1


def test_a_fill_that_wins_against_the_cancel_is_the_trade(desk: TradingDesk) -> None:
    proposal = desk.approved()
    cancel = desk.orders.cancel

    def fill_first(broker_id: str) -> object:
        desk.orders.fill(broker_id)
        return cancel(broker_id)

    desk.orders.cancel = fill_first  # type: ignore[method-assign, assignment]
    assert execute(desk.trading_context, proposal).state is P.DONE
    assert desk.last_order(proposal).state is O.FILLED


def test_a_fill_during_a_replacement_stops_repricing(desk: TradingDesk) -> None:
    proposal = desk.approved()
    replace_order = desk.orders.replace

    def fill_first(broker_id: str, body: str) -> object:
        desk.orders.fill(broker_id)
        return replace_order(broker_id, body)

    desk.orders.replace = fill_first  # type: ignore[method-assign, assignment]
    assert execute(desk.trading_context, proposal).state is P.DONE
    assert desk.order_states(proposal) == [O.FILLED, O.REFUSED]
    trade = desk.store.trades.find_by_proposal(proposal)
    assert trade is not None and trade.quantity == desk.store.proposals.get(proposal).quantity


def test_a_replacement_whose_answer_is_lost_is_followed_by_its_reference(desk: TradingDesk) -> None:
    proposal = desk.approved()
    desk.orders.faults += [("", None), ("after", TIMED_OUT)]  # type: ignore[list-item]
    desk.orders.fills_at = desk.store.proposals.get(proposal).plan.prices[1]
    assert execute(desk.trading_context, proposal).state is P.DONE
    assert desk.order_states(proposal) == [O.REPLACED, O.FILLED]


def test_a_replacement_that_never_arrived_leaves_the_old_order_working(desk: TradingDesk) -> None:
    proposal = desk.approved()
    desk.orders.faults += [("", None), ("before", TIMED_OUT)]  # type: ignore[list-item]
    with pytest.raises(NotFilled):
        execute(desk.trading_context, proposal)
    states = desk.order_states(proposal)
    assert states[1] is O.ABSENT
    assert O.WORKING not in states and O.UNKNOWN not in states


def test_a_rehearsal_shows_the_exact_body_and_writes_nothing(desk: TradingDesk) -> None:
    proposal = desk.approved()
    before = desk.store.audit.verify().events
    shown = preview_execution(desk.trading_context, proposal)
    desk.orders.fills_at = Decimal("9")
    assert desk.store.audit.verify().events == before
    execute(desk.trading_context, proposal)
    assert desk.store.orders.select_by_proposal(proposal)[0].body == shown.body


def test_a_rehearsal_of_an_approval_that_is_over_says_so_and_moves_nothing(desk: TradingDesk) -> None:
    proposal = desk.approved()
    desk.clock.at = builders.later(minutes=66)
    with pytest.raises(Refused, match="ended"):
        preview_execution(desk.trading_context, proposal)
    assert desk.state(proposal) is P.APPROVED


def test_a_refused_order_does_not_use_up_the_submit_of_the_run(desk: TradingDesk) -> None:
    proposal = desk.approved()
    desk.orders.faults.append(("before", BrokerRefused("try again")))
    with pytest.raises(BrokerRefused):
        execute(desk.trading_context, proposal)
    again = desk.store.proposals.get(proposal)
    desk.store.proposals.approve(builders.approval(again, at=desk.clock(), until=builders.later(minutes=90)))
    desk.orders.fills_at = Decimal("9")
    assert execute(desk.trading_context, proposal).state is P.DONE


def test_a_second_order_of_one_run_is_refused_by_the_limits(desk: TradingDesk) -> None:
    proposal = desk.approved()
    with pytest.raises(NotFilled):
        execute(desk.trading_context, proposal)
    again = desk.store.proposals.get(proposal)
    desk.store.proposals.approve(builders.approval(again, at=desk.clock(), until=builders.later(minutes=90)))
    with pytest.raises(Refused, match="opening orders of this run"):
        execute(desk.trading_context, proposal)
    assert submits(desk) == 1


def test_a_halt_that_comes_after_the_commit_still_stops_the_request(desk: TradingDesk) -> None:
    proposal = desk.approved()
    asked: list[None] = []

    def halted() -> str | None:
        asked.append(None)
        return "too late" if len(asked) > 1 else None

    with pytest.raises(NotPermitted, match="too late"):
        execute(replace(desk.trading_context, halt_reason=halted), proposal)
    assert desk.orders.requests == []
    assert desk.order_states(proposal) == [O.REFUSED]


def test_one_failed_read_while_the_price_is_worked_ends_nothing(desk: TradingDesk) -> None:
    proposal = desk.approved()
    sleep = desk.clock.sleep

    def outage(seconds: float) -> None:
        sleep(seconds)
        desk.orders.unreadable = len(desk.clock.waits) in (2, 3)

    with pytest.raises(NotFilled):
        execute(replace(desk.trading_context, sleep=outage), proposal)
    assert any("cannot be read" in line for line in desk.said)
    assert O.WORKING not in desk.order_states(proposal)


def test_a_cancel_whose_answer_is_lost_is_settled_by_reading(desk: TradingDesk) -> None:
    proposal = desk.approved()
    cancel = desk.orders.cancel

    def lost(broker_id: str) -> object:
        cancel(broker_id)
        raise TIMED_OUT

    desk.orders.cancel = lost  # type: ignore[method-assign, assignment]
    with pytest.raises(NotFilled):
        execute(desk.trading_context, proposal)
    assert desk.last_order(proposal).state is O.CANCELLED


def test_a_replacement_that_is_rejected_leaves_the_old_order_which_is_cancelled_in_the_end(desk: TradingDesk) -> None:
    proposal = desk.approved()
    take = desk.orders.replace

    def rejected(broker_id: str, body: str) -> object:
        before = desk.orders.book[broker_id]
        made = take(broker_id, body)
        desk.orders.book[broker_id] = before
        desk.orders.book[made.broker_id] = replace(made, status="Rejected", state=O.REJECTED, reason="no")
        return desk.orders.book[made.broker_id]

    desk.orders.replace = rejected  # type: ignore[method-assign, assignment]
    with pytest.raises(NotFilled):
        execute(desk.trading_context, proposal)
    states = desk.order_states(proposal)
    assert states[0] is O.CANCELLED
    assert set(states[1:]) == {O.REJECTED}
    assert desk.state(proposal) is P.PROPOSED


def test_what_the_old_order_filled_while_it_was_replaced_is_not_sold_again(desk: TradingDesk) -> None:
    proposal = desk.approved()
    take = desk.orders.replace

    def partly(broker_id: str, body: str) -> object:
        desk.orders.fill(broker_id, quantity=1)
        return take(broker_id, body)

    desk.orders.replace = partly  # type: ignore[method-assign, assignment]
    assert execute(desk.trading_context, proposal).state is P.DONE
    assert desk.order_states(proposal) == [O.REPLACED, O.CANCELLED]
    trade = desk.store.trades.find_by_proposal(proposal)
    assert trade is not None and trade.quantity == 1


def test_an_order_that_the_broker_does_not_know_any_more_is_absent_after_the_reads(desk: TradingDesk) -> None:
    proposal = desk.approved()
    execute(desk.trading_context, proposal, wait=False)
    desk.orders.book.clear()

    def unknown(broker_id: str) -> object:
        raise BrokerRefused("record_not_found")

    desk.orders.order = unknown  # type: ignore[method-assign, assignment]
    with pytest.raises(NotFilled, match="not at the broker"):
        execute(desk.trading_context, proposal)
    assert desk.order_states(proposal) == [O.ABSENT]
    assert desk.state(proposal) is P.PROPOSED


def test_limits_are_judged_under_one_lock_for_all_proposals(desk: TradingDesk) -> None:
    proposal = desk.approved()
    desk.locks.busy.add("submits")
    with pytest.raises(Unavailable):
        execute(desk.trading_context, proposal)
    assert desk.orders.requests == []
