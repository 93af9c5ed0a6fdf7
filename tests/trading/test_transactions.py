"""Fees from the broker's transactions, and what they say of contracts that are gone."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from spy32.domain.orders import Trade
from spy32.domain.spreads import Action, Mode
from spy32.domain.transactions import Adoption, Transaction, TransactionKind
from spy32.errors import Unavailable
from spy32.lifecycle import TradeState
from spy32.rules.assignment import assigned_position
from spy32.trading import transactions
from spy32.trading.position_diff import compare_with_broker
from spy32.trading.transactions import MissingContracts, settle_fees
from tests.support import builders
from tests.support.open_trades import EXPIRED, LONG, SHORT, D, bought_back, entered, held, line, live_desk, number
from tests.support.trading import TradingDesk

ASSIGNED, EXERCISED, OVER = TransactionKind.ASSIGNMENT, TransactionKind.EXERCISE, TransactionKind.EXPIRATION


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[TradingDesk]:
    made = live_desk(tmp_path)
    yield made
    made.store.close()


@pytest.fixture
def trade(desk: TradingDesk) -> Trade:
    return entered(desk)


def booked(desk: TradingDesk, trade: Trade, fees: str = "2.30", **over: object) -> None:
    """The two lines of the opening in the broker's history."""
    order = desk.store.orders.select_by_proposal(trade.proposal_id)[0]
    base = {"order_id": order.broker_id, "fees": D(fees), "at": builders.later(minutes=7), **over}
    desk.account.history += (
        line(1, SHORT, TransactionKind.TRADE, action=Action.SELL_TO_OPEN, **base),
        line(2, LONG, TransactionKind.TRADE, action=Action.BUY_TO_OPEN, **base),
    )


# Fees.


def test_fees_are_those_of_the_lines_of_our_own_orders(desk: TradingDesk, trade: Trade) -> None:
    booked(desk, trade)
    booked(desk, trade, "9.00", order_id="900001")
    desk.account.history += (line(3, SHORT, OVER, fees=D(5), order_id=desk.store.orders.get(1).broker_id),)
    assert trade.fees == D("4.52")
    after = settle_fees(desk.trading_context, trade.proposal_id)
    assert after is not None and (after.fees, after.fees_final) == (D("4.60"), True)


def test_final_fees_take_the_place_of_the_estimate(desk: TradingDesk, trade: Trade) -> None:
    booked(desk, trade)
    after = settle_fees(desk.trading_context, trade.proposal_id)
    assert after is not None
    assert (after.fees, after.fees_final) == (D("4.60"), True)
    assert desk.said[-1].endswith("$4.60, final")
    assert desk.store.adoptions.orders_with_estimated_fees(after.id) == ()


def test_an_estimate_of_the_broker_leaves_ours_and_says_so(desk: TradingDesk, trade: Trade) -> None:
    booked(desk, trade, is_final=False)
    after = settle_fees(desk.trading_context, trade.proposal_id)
    assert after == trade
    assert desk.said[-1].endswith("$4.52 is an estimate, since the broker calls its own an estimate")


def test_without_an_estimate_of_ours_the_broker_s_is_taken_and_still_called_one(desk: TradingDesk) -> None:
    trade = unfeed(desk)
    booked(desk, trade, is_final=False)
    after = settle_fees(desk.trading_context, trade.proposal_id)
    assert after is not None
    assert (after.fees, after.fees_final) == (D("4.60"), False)
    assert "$4.60 is an estimate" in desk.said[-1]


def unfeed(desk: TradingDesk) -> Trade:
    """A trade of a broker that shows no fees on its orders."""
    plain = desk.orders.fill

    def fill(broker_id: str, quantity: int | None = None) -> None:
        plain(broker_id, quantity)
        desk.orders.book[broker_id] = replace(desk.orders.book[broker_id], fees=None)

    desk.orders.fill = fill  # type: ignore[method-assign]
    return entered(desk)


def test_a_fill_that_is_not_booked_yet_leaves_the_estimate(desk: TradingDesk, trade: Trade) -> None:
    booked(desk, trade)
    desk.account.history = desk.account.history[:1]
    after = settle_fees(desk.trading_context, trade.proposal_id)
    assert after == trade
    assert desk.said[-1].endswith("since the broker has not booked every fill yet")


def test_a_history_that_cannot_be_read_is_told_and_ends_nothing(desk: TradingDesk, trade: Trade) -> None:
    def down(since: date) -> tuple[Transaction, ...]:
        raise Unavailable("the history is down")

    desk.account.transactions = down  # type: ignore[method-assign]
    assert settle_fees(desk.trading_context, trade.proposal_id) == trade
    assert desk.said[-1] == "fees of T1 stay an estimate: the history is down"


def test_the_history_is_asked_from_the_day_of_the_opening_on(desk: TradingDesk, trade: Trade) -> None:
    asked = []

    def since(day: date) -> tuple[Transaction, ...]:
        asked.append(day)
        return ()

    desk.account.transactions = since  # type: ignore[method-assign]
    settle_fees(desk.trading_context, trade.proposal_id)
    assert asked == [builders.TODAY]


def test_on_paper_and_without_a_trade_there_is_nothing_to_settle(tmp_path: Path, desk: TradingDesk) -> None:
    paper = live_desk(tmp_path, Mode.PAPER)
    trade = entered(paper)
    booked(paper, trade)
    assert settle_fees(paper.trading_context, trade.proposal_id) == trade
    waiting = paper.proposed()
    assert settle_fees(paper.trading_context, waiting.id) is None
    paper.store.close()


# What is gone.


def gone(desk: TradingDesk) -> tuple[MissingContracts, ...]:
    return compare_with_broker(desk.trading_context).gone


def only(desk: TradingDesk) -> MissingContracts:
    (found,) = gone(desk)
    return found


def test_where_all_is_there_nothing_is_gone(desk: TradingDesk, trade: Trade) -> None:
    held(desk, short=-2, long=2)
    assert gone(desk) == ()


def test_an_expiration_of_both_legs_expires_the_trade(desk: TradingDesk, trade: Trade) -> None:
    desk.account.history = (line(1, SHORT, OVER), line(2, LONG, OVER))
    found = only(desk)
    assert found.missing == ((SHORT, 2), (LONG, 2))
    assert found.adoption is not None
    assert (found.adoption.state, found.adoption.spreads, found.adoption.gross) == (TradeState.EXPIRED, 2, 0)
    assert f"2 x {SHORT} gone: expiration 2025-11-07" in found.explanation


def test_both_legs_closed_by_hand_close_the_trade(desk: TradingDesk, trade: Trade) -> None:
    bought_back(desk)
    found = only(desk)
    assert found.adoption is not None
    assert (found.adoption.state, found.adoption.spreads) == (TradeState.CLOSED, 2)
    assert (found.adoption.gross, found.adoption.fees) == (D("-60.00"), D("0.52"))
    assert "closed by hand 2025-10-09 at 2.30" in found.explanation


def test_a_part_closed_by_hand_is_a_part(desk: TradingDesk, trade: Trade) -> None:
    held(desk, short=-1, long=1)
    bought_back(desk, 1)
    found = only(desk)
    assert found.missing == ((SHORT, 1), (LONG, 1))
    assert found.adoption is not None
    assert (found.adoption.spreads, found.adoption.gross) == (1, D("-30.00"))


def test_of_a_line_about_more_contracts_only_our_share_is_taken(desk: TradingDesk, trade: Trade) -> None:
    bought_back(desk, 3)
    found = only(desk)
    assert found.adoption is not None
    assert (found.adoption.spreads, found.adoption.gross, found.adoption.fees) == (2, D("-60.00"), D("0.52"))


def test_lines_are_used_up_oldest_first_and_only_as_far_as_needed(desk: TradingDesk, trade: Trade) -> None:
    bought_back(desk, 1)
    first = desk.account.history
    desk.account.history += tuple(replace(each, id=f"2{each.id}", at=builders.later(days=4)) for each in first * 2)
    found = only(desk)
    assert found.adoption is not None
    assert [each.id for each in found.adoption.transactions] == ["11", "211", "12", "212"]


def test_one_leg_closed_by_hand_explains_nothing_whole(desk: TradingDesk, trade: Trade) -> None:
    held(desk, long=2)
    bought_back(desk)
    found = only(desk)
    assert found.missing == ((SHORT, 2),)
    assert found.adoption is None
    assert "closed by hand" in found.explanation


def test_contracts_that_are_gone_without_a_line_are_not_explained(desk: TradingDesk, trade: Trade) -> None:
    found = only(desk)
    assert found.adoption is None
    assert "do not say why" in found.explanation


@pytest.mark.parametrize(
    "over",
    [
        {"at": builders.later(-86_400)},
        {"action": Action.SELL_TO_OPEN},
        {"kind": TransactionKind.OTHER},
        {"symbol": "SPY   251107P00600000"},
        {"quantity": D(0)},
    ],
)
def test_a_line_that_closes_nothing_of_ours_explains_nothing(
    desk: TradingDesk, trade: Trade, over: dict[str, object]
) -> None:
    bought_back(desk)
    desk.account.history = tuple(replace(each, **over) for each in desk.account.history)
    assert only(desk).adoption is None


def test_a_line_of_an_order_of_ours_explains_nothing(desk: TradingDesk, trade: Trade) -> None:
    bought_back(desk)
    ours = desk.store.orders.get(1).broker_id
    desk.account.history = tuple(replace(each, order_id=ours) for each in desk.account.history)
    assert only(desk).adoption is None


def test_a_part_of_a_trade_never_expires(desk: TradingDesk, trade: Trade) -> None:
    desk.account.history = (line(1, SHORT, OVER, quantity=D(1)), line(2, LONG, OVER))
    assert only(desk).adoption is None


def test_an_assignment_of_every_short_contract_assigns_the_trade_whatever_became_of_the_long_leg(
    desk: TradingDesk, trade: Trade
) -> None:
    held(desk, long=2, SPY=200)
    shares = line(2, "SPY", ASSIGNED, quantity=D(200), action=Action.BUY_TO_OPEN, net_value=D(-133_000))
    desk.account.history = (line(1, SHORT, ASSIGNED), shares)
    found = only(desk)
    assert found.adoption is not None
    assert (found.adoption.state, found.adoption.spreads) == (TradeState.ASSIGNED, 2)
    assert [each.symbol for each in found.adoption.transactions] == [SHORT, "SPY"]
    assert found.adoption.gross == D(-133_000)


def test_an_assignment_of_a_part_is_only_shown(desk: TradingDesk, trade: Trade) -> None:
    held(desk, short=-1, long=2, SPY=100)
    desk.account.history = (line(1, SHORT, ASSIGNED, quantity=D(1)),)
    found = only(desk)
    assert found.adoption is None
    assert "assignment" in found.explanation


def test_an_assignment_with_an_exercise_of_as_many_leaves_no_shares_and_closes_the_trade(
    desk: TradingDesk, trade: Trade
) -> None:
    desk.account.history = (
        line(1, SHORT, ASSIGNED),
        line(2, LONG, EXERCISED),
        line(3, "SPY", ASSIGNED, quantity=D(200), action=Action.BUY_TO_OPEN, net_value=D(-133_000)),
        line(4, "SPY", EXERCISED, quantity=D(200), action=Action.SELL_TO_CLOSE, net_value=D(132_000)),
    )
    found = only(desk)
    assert found.adoption is not None
    assert (found.adoption.state, found.adoption.gross) == (TradeState.CLOSED, D(-1_000))


def test_an_assignment_without_its_shares_on_record_is_an_assignment(desk: TradingDesk, trade: Trade) -> None:
    desk.account.history = (line(1, SHORT, ASSIGNED), line(2, LONG, OVER))
    found = only(desk)
    assert found.adoption is not None
    assert found.adoption.state is TradeState.ASSIGNED


def test_shares_of_another_day_a_trade_of_shares_and_more_than_ours_are_left_out(
    desk: TradingDesk, trade: Trade
) -> None:
    buys = {"quantity": D(400), "action": Action.BUY_TO_OPEN, "net_value": D(-266_000)}
    desk.account.history = (
        line(1, SHORT, ASSIGNED),
        line(2, LONG, OVER),
        line(3, "SPY", TransactionKind.TRADE, **buys),
        line(4, "SPY", ASSIGNED, **buys, at=builders.later(days=20)),
        line(5, "SPY", TransactionKind.OTHER, **buys),
        line(6, "SPY", ASSIGNED, **buys),
    )
    found = only(desk)
    assert found.adoption is not None
    assert [(each.id, each.quantity) for each in found.adoption.transactions] == [("1", 2), ("2", 2), ("5", 200)]
    assert found.adoption.gross == D(-133_000)


def test_two_trades_of_one_contract_share_what_is_gone_the_oldest_first(desk: TradingDesk, trade: Trade) -> None:
    other = entered(desk)
    held(desk, short=-2, long=2)
    bought_back(desk)
    found = only(desk)
    assert found.trade.id == trade.id
    held(desk)
    first, second = gone(desk)
    assert (first.trade.id, second.trade.id) == (trade.id, other.id)
    assert first.missing == second.missing == ((SHORT, 2), (LONG, 2))
    assert first.adoption is not None
    assert second.adoption is None


def test_one_line_about_the_contracts_of_two_trades_is_shared_to_the_cent(desk: TradingDesk, trade: Trade) -> None:
    entered(desk)
    bought_back(desk, 4)
    first, second = gone(desk)
    assert first.adoption is not None
    assert second.adoption is not None
    assert (first.adoption.gross, first.adoption.fees) == (D("-60.00"), D("0.52"))
    assert (second.adoption.gross, second.adoption.fees) == (D("-60.00"), D("0.52"))


def test_what_was_adopted_explains_nothing_else(desk: TradingDesk, trade: Trade) -> None:
    other = entered(desk)
    bought_back(desk)
    first = gone(desk)[0]
    assert first.adoption is not None
    desk.store.adoptions.adopt(first.adoption, was=TradeState.OPEN, held=2, at=EXPIRED)
    assert number(only(desk).trade) == number(other)
    assert only(desk).adoption is None
    assert transactions.load_unmatched(desk.trading_context, builders.TODAY).transactions == []


def test_a_position_the_other_way_round_is_gone_as_a_whole(desk: TradingDesk, trade: Trade) -> None:
    held(desk, short=3, long=2)
    assert only(desk).missing == ((SHORT, 2),)


# Assigned trades.


def assigned_lines(trade: Trade, count: int = 2) -> tuple[Transaction, Transaction]:
    """Short puts that were assigned, and their shares."""
    strike = trade.legs[0].strike
    shares = {"quantity": D(100 * count), "action": Action.BUY_TO_OPEN, "price": strike}
    return (
        line(1, SHORT, ASSIGNED, quantity=D(count)),
        line(2, "SPY", TransactionKind.OTHER, **shares, net_value=-strike * 100 * count),
    )


def test_an_assignment_of_a_part_with_its_shares_explains_itself(desk: TradingDesk, trade: Trade) -> None:
    held(desk, short=-1, long=2, SPY=100)
    desk.account.history = assigned_lines(trade, 1)
    found = only(desk)
    assert found.adoption is not None
    assert (found.adoption.state, found.adoption.spreads, found.is_self_explained) == (TradeState.ASSIGNED, 2, True)


def test_more_that_is_gone_than_was_assigned_is_not_explained(desk: TradingDesk, trade: Trade) -> None:
    held(desk, long=2, SPY=100)
    desk.account.history = assigned_lines(trade, 1)
    assert not only(desk).is_self_explained


def test_shares_at_another_strike_belong_to_another_assignment(desk: TradingDesk, trade: Trade) -> None:
    held(desk, long=2, SPY=200)
    contracts, shares = assigned_lines(trade)
    other = replace(shares, id="3", price=D(650), net_value=D(-130_000))
    desk.account.history = (contracts, other)
    assert not only(desk).is_self_explained
    desk.account.history = (contracts, other, replace(shares, id="4"))
    found = only(desk)
    assert found.adoption is not None and found.is_self_explained
    assert [each.id for each in found.adoption.transactions] == ["1", "4"]


def test_shares_on_the_other_side_are_not_those_of_an_assigned_put(desk: TradingDesk, trade: Trade) -> None:
    held(desk, long=2, SPY=200)
    contracts, shares = assigned_lines(trade)
    desk.account.history = (contracts, replace(shares, action=Action.SELL_TO_OPEN))
    assert not only(desk).is_self_explained


def test_short_shares_are_bought_back_and_what_is_sold_meanwhile_is_not_theirs(trade: Trade) -> None:
    calls = replace(trade, legs=builders.spread("700", "710").legs, state=TradeState.ASSIGNED)
    short, long_call = (leg.symbol for leg in calls.legs)
    sold = {"quantity": D(200), "action": Action.SELL_TO_OPEN, "price": D(700), "net_value": D(140_000)}
    lines = (line(1, short, ASSIGNED), line(2, "SPY", TransactionKind.OTHER, **sold))
    adoption = Adoption(trade_id=1, state=TradeState.ASSIGNED, spreads=2, transactions=lines, reason="")
    position = assigned_position(calls, (adoption,))
    assert position.shares == -200
    more = replace(lines[1], id="3", kind=TransactionKind.TRADE)
    bought = replace(more, id="4", action=Action.BUY_TO_CLOSE, quantity=D(250), net_value=D(-175_000))
    history = transactions.UnmatchedTransactions([more, bought, line(5, long_call, OVER)])
    disposal = transactions.find_disposal(position, history)
    assert disposal is not None
    assert [(each.id, each.quantity) for each in disposal.transactions] == [("5", 2), ("4", 200)]
    assert assigned_position(calls, (adoption,), (disposal,)).is_over
    assert transactions.find_disposal(position, transactions.UnmatchedTransactions([more])) is None


def test_shares_that_come_later_than_a_person_s_adoption_complete_it(trade: Trade) -> None:
    contracts, shares = assigned_lines(trade)
    adoption = Adoption(
        trade_id=1, state=TradeState.ASSIGNED, spreads=2, transactions=(contracts, line(3, LONG, OVER)), reason=""
    )
    held_now = replace(trade, state=TradeState.ASSIGNED)
    position = assigned_position(held_now, (adoption,))
    assert (position.shares, position.incoming, position.is_over) == (0, 200, False)
    disposal = transactions.find_disposal(position, transactions.UnmatchedTransactions([shares]))
    assert disposal is not None
    after = assigned_position(held_now, (adoption,), (disposal,))
    assert (after.shares, after.incoming) == (200, 0)


def test_of_a_delivery_that_is_partly_on_record_only_the_rest_is_taken(trade: Trade) -> None:
    contracts, shares = assigned_lines(trade)
    half = replace(shares, quantity=D(100), net_value=D(-64_000))
    adoption = Adoption(trade_id=1, state=TradeState.ASSIGNED, spreads=2, transactions=(contracts, half), reason="")
    position = assigned_position(trade, (adoption,))
    disposal = transactions.find_disposal(position, transactions.UnmatchedTransactions([replace(shares, id="9")]))
    assert disposal is not None
    assert [(each.id, each.quantity) for each in disposal.transactions] == [("9", 100)]
