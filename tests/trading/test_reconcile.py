"""`reconcile`, `cancel` and `positions`: what is in flight is settled by reading, and differences are shown."""

from dataclasses import replace
from decimal import Decimal

import pytest

from spy32.domain.spreads import Position
from spy32.errors import Refused, Unavailable, Unresolved
from spy32.lifecycle import OrderState, ProposalState
from spy32.trading.execute import execute
from spy32.trading.position_diff import PositionDiff, compare_positions
from spy32.trading.reconcile import cancel_proposal, reconcile
from tests.support import builders
from tests.support.trading import TradingDesk


def filled(desk: TradingDesk) -> int:
    proposal = desk.approved()
    desk.orders.fills_at = Decimal("9")
    execute(desk.trading_context, proposal)
    return proposal


def test_nothing_in_flight_is_nothing_to_do(desk: TradingDesk) -> None:
    found = reconcile(lambda number: desk.trading_context)
    assert (found.orders, found.errors, found.view.holdings, found.view.differs) == ((), (), (), False)


def test_a_row_of_a_dead_process_is_settled_and_its_proposal_comes_to_rest(desk: TradingDesk) -> None:
    proposal = desk.approved()
    made, yes = desk.store.proposals.get(proposal), desk.store.proposals.latest_approval(proposal)
    committed = desk.store.orders.begin(builders.order(made, yes), at=desk.clock())
    desk.orders.submit(committed.body)
    desk.orders.fill(next(iter(desk.orders.book)))
    found = reconcile(lambda number: desk.trading_context)
    ((before, after),) = found.orders
    assert (before.state, after.state) == (OrderState.SUBMITTING, OrderState.FILLED)
    assert desk.state(proposal) is ProposalState.DONE
    assert desk.orders.requests == ["submit"]


def test_a_proposal_whose_process_died_before_its_last_row_comes_to_rest(desk: TradingDesk) -> None:
    proposal = desk.approved()
    execute(desk.trading_context, proposal, wait=False)
    order = desk.last_order(proposal)
    desk.orders.cancel(str(order.broker_id))
    desk.store.orders.move(order.id, was=OrderState.WORKING, now=OrderState.CANCELLED, at=desk.clock())
    assert desk.state(proposal) is ProposalState.SENT
    reconcile(lambda number: desk.trading_context)
    assert desk.state(proposal) is ProposalState.PROPOSED


def test_a_broker_that_cannot_be_read_is_a_trouble_and_changes_no_row(desk: TradingDesk) -> None:
    proposal = desk.approved()
    execute(desk.trading_context, proposal, wait=False)
    desk.orders.unreadable = True
    found = reconcile(lambda number: desk.trading_context)
    assert isinstance(found.errors[0], Unavailable | Unresolved)
    assert desk.order_states(proposal) == [OrderState.WORKING]


def test_a_proposal_that_another_process_works_is_left_alone(desk: TradingDesk) -> None:
    proposal = desk.approved()
    execute(desk.trading_context, proposal, wait=False)
    desk.locks.busy.add(f"proposal-{proposal}")
    found = reconcile(lambda number: desk.trading_context)
    assert isinstance(found.errors[0], Unavailable)


def test_our_positions_and_the_broker_s_stand_side_by_side(desk: TradingDesk) -> None:
    filled(desk)
    short, long = builders.spread().legs
    held = (Position(symbol=short.symbol, quantity=-2), Position(symbol="SPY   251107C00700000", quantity=1))
    desk.account.account = replace(desk.account.account, positions=held)
    found = {each.symbol: each for each in compare_positions(desk.trading_context)}
    assert found[short.symbol] == PositionDiff(symbol=short.symbol, ours=-2, broker=-2)
    assert found[short.symbol].agrees
    assert found[long.symbol] == PositionDiff(symbol=long.symbol, ours=2, broker=0)
    assert not found["SPY   251107C00700000"].agrees


def test_cancel_stops_what_works_and_gives_the_proposal_back(desk: TradingDesk) -> None:
    proposal = desk.approved()
    execute(desk.trading_context, proposal, wait=False)
    assert cancel_proposal(desk.trading_context, proposal) == 0
    assert desk.order_states(proposal) == [OrderState.CANCELLED]
    assert desk.state(proposal) is ProposalState.PROPOSED


def test_cancel_of_what_does_not_work_is_refused(desk: TradingDesk) -> None:
    proposal = filled(desk)
    with pytest.raises(Refused, match="nothing of"):
        cancel_proposal(desk.trading_context, proposal)


def test_cancel_tells_what_could_not_be_settled(desk: TradingDesk) -> None:
    proposal = desk.approved()
    execute(desk.trading_context, proposal, wait=False)
    desk.orders.unreadable = True
    with pytest.raises(Unavailable):
        cancel_proposal(desk.trading_context, proposal)
