"""Our book against the broker's history, order by order and line by line."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from spy32.brokers.paper import PaperBroker
from spy32.domain.market import DailyBar
from spy32.domain.orders import Order
from spy32.domain.spreads import Mode
from spy32.domain.transactions import Transaction, TransactionKind
from spy32.errors import Unavailable
from spy32.lifecycle import TradeState
from spy32.store import Store
from spy32.trading import order_state
from spy32.trading.context import TradingContext
from spy32.trading.position_diff import HistoryDiff, compare_history, compare_with_broker
from spy32.trading.reconcile import adopt_trades, reconcile, settle_ended
from tests.support import builders
from tests.support.fakes import FakeMarket, ManualClock
from tests.support.open_trades import LONG, SHORT, bought_back, entered, held, live_desk
from tests.support.trading import TradingDesk, trading_desk

D = Decimal
SINCE = date(2025, 9, 29)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[TradingDesk]:
    made = live_desk(tmp_path)
    yield made
    made.store.close()


@pytest.fixture
def order(desk: TradingDesk) -> Order:
    """The filled opening of two spreads for 2.58 less 2.00, with fees of 4.52."""
    trade = entered(desk)
    (found,) = desk.store.orders.select_by_proposal(trade.proposal_id)
    return found


def lines(desk: TradingDesk, order: Order, **over: Any) -> None:
    """The broker's history: a line a leg, as our book has them; `over` changes the first."""
    found = []
    for number, fill in enumerate(desk.store.orders.fills(order.id)):
        base: dict[str, Any] = {
            "id": str(number), "kind": TransactionKind.TRADE, "at": fill.at, "symbol": fill.symbol,
            "action": fill.action, "quantity": D(fill.quantity), "price": fill.price, "fees": D("2.26"),
            "net_value": fill.price * fill.action.sign * fill.quantity * 100 - D("2.26"), "order_id": order.broker_id,
        }  # fmt: skip
        found.append(Transaction(**{**base, **(over if number == 0 else {})}))
    desk.account.history = tuple(found)


def compared(desk: TradingDesk) -> list[str]:
    return [found.text for found in compare_history(desk.trading_context, SINCE)]


def test_a_book_that_agrees_has_no_difference(desk: TradingDesk, order: Order) -> None:
    lines(desk, order)
    assert compared(desk) == []
    desk.store.adoptions.settle_fees(order.id, D("4.52"), is_final=True, at=desk.clock())
    assert compared(desk) == []


def test_contracts_cash_and_fees_that_differ_are_named(desk: TradingDesk, order: Order) -> None:
    desk.store.adoptions.settle_fees(order.id, D("4.52"), is_final=True, at=desk.clock())
    lines(desk, order, quantity=D(1), net_value=D("480.00"), fees=D("3.00"))
    assert compared(desk) == [
        f"{order.reference}, contracts of {SHORT}: ours -2, the broker's -1",
        f"{order.reference}, cash: ours 116.00, the broker's 83.00",
        f"{order.reference}, fees: ours 4.52, the broker's 5.26",
    ]


def test_a_contract_that_only_the_broker_has_in_our_order_is_named(desk: TradingDesk, order: Order) -> None:
    lines(desk, order)
    extra = replace(desk.account.history[0], id="9", symbol="SPY   251107P00600000", net_value=D(0), fees=D(0))
    desk.account.history += (extra,)
    assert compared(desk) == [f"{order.reference}, contracts of {extra.symbol}: ours 0, the broker's -2"]


@pytest.mark.parametrize("is_final", [False, True])
def test_fees_are_compared_once_both_sides_are_final(desk: TradingDesk, order: Order, is_final: bool) -> None:
    lines(desk, order, fees=D("9.00"), net_value=D("507.00"), is_final=is_final)
    assert compared(desk) == []
    desk.store.adoptions.settle_fees(order.id, D("4.52"), is_final=True, at=desk.clock())
    assert len(compared(desk)) == is_final


def test_an_order_without_lines_is_a_difference_from_the_next_day_on(desk: TradingDesk, order: Order) -> None:
    assert compared(desk) == []
    desk.clock.at = builders.later(days=1)
    assert len(compared(desk)) == 3


def test_an_adopted_line_that_has_gone_or_changed_is_named(desk: TradingDesk, order: Order) -> None:
    held(desk)
    lines(desk, order)
    bought_back(desk)
    adopt_trades(desk.trading_context, compare_with_broker(desk.trading_context).adoptable)
    assert compared(desk) == []
    first, second = desk.account.history[2:]
    desk.account.history = (*desk.account.history[:2], replace(first, net_value=D("-999.00")))
    assert compared(desk) == [
        f"T1, line {first.id}: ours {first.net_value:f}, the broker's -999.00",
        f"T1, line {second.id}: ours {second.net_value:f}, the broker's 0",
    ]


def test_a_line_that_was_taken_over_in_part_is_no_difference(desk: TradingDesk, order: Order) -> None:
    held(desk, short=-1, long=1)
    lines(desk, order)
    bought_back(desk)
    (trade,) = adopt_trades(desk.trading_context, compare_with_broker(desk.trading_context).adoptable)
    assert trade.remaining == 1
    assert compared(desk) == []


def test_nothing_of_ours_in_the_time_asks_for_no_history(desk: TradingDesk, order: Order) -> None:
    desk.account.transactions = None  # type: ignore[assignment, method-assign]
    assert compare_history(desk.trading_context, date(2025, 10, 7)) == ()


def test_a_history_that_cannot_be_read_is_told_and_stops_nothing(desk: TradingDesk, order: Order) -> None:
    def down(since: date) -> tuple[()]:
        raise Unavailable("the history is down")

    held(desk, short=-2, long=2)
    desk.account.transactions = down  # type: ignore[method-assign]
    view = compare_with_broker(desk.trading_context)
    assert (view.history, view.errors) == ((), ())
    assert desk.said[-1] == "our book was not compared with the broker's history: the history is down"
    assert reconcile(lambda _: desk.trading_context).worst_error is None


def test_reconcile_names_the_differences(desk: TradingDesk, order: Order) -> None:
    held(desk, short=-2, long=2)
    desk.clock.at = builders.later(days=1)
    found = reconcile(lambda _: desk.trading_context).view
    assert found.history[0] == HistoryDiff(
        subject=order.reference, figure=f"contracts of {SHORT}", ours=D(-2), broker=D(0)
    )
    assert not found.differs


# On paper.


def paper_context(desk: TradingDesk) -> TradingContext:
    broker = PaperBroker(
        ledger=desk.store.paper,
        market=desk.market,
        find_bar=lambda *_: None,
        clock=desk.clock,
        settings=desk.settings,
        number=builders.ACCOUNT,
    )
    return replace(desk.trading_context, orders=broker, account=broker)


@pytest.fixture
def paper(tmp_path: Path) -> Iterator[tuple[TradingContext, Store]]:
    """A paper account whose broker filled one order of ours."""
    desk = trading_desk(tmp_path)
    number = desk.approved()
    context = paper_context(desk)
    made, yes = desk.store.proposals.get(number), desk.store.proposals.latest_approval(number)
    ticket = builders.order(made, yes, reference="spy32-P1-A1-abcdef-1", limit=D("0.50"))
    order = desk.store.orders.begin(ticket, at=desk.clock())
    assert isinstance(desk.market, FakeMarket)
    order_state.send_order(context, order, lambda: context.orders.submit(order.body))
    assert desk.store.trades.find_by_proposal(number) is not None
    yield context, desk.store
    desk.store.close()


def test_on_paper_the_two_books_agree(paper: tuple[TradingContext, Store]) -> None:
    context, store = paper
    assert context.store.core.mode is Mode.PAPER
    assert compare_history(context, SINCE) == ()
    result = store.results.get(1)
    assert store.paper.cash() == store.results.opening_cash() + result.open_cash


def test_on_paper_cash_that_differs_is_named(paper: tuple[TradingContext, Store]) -> None:
    context, store = paper
    store.core.db.execute("insert into cash (book, kind, amount_e4, at) values ('paper', 'fees', -12300, 'x')")
    (found,) = compare_history(context, SINCE)
    assert (found.subject, found.figure, found.ours - found.broker) == ("paper account", "cash", D("1.23"))


def test_on_paper_a_fill_that_only_the_broker_has_is_named(paper: tuple[TradingContext, Store]) -> None:
    context, store = paper
    fills = store.core.db.execute("select fills from paper_order").fetchone()[0]
    store.core.db.execute("update paper_order set fills = ?", (fills.replace('"quantity":2', '"quantity":3'),))
    figures = [found.figure for found in compare_history(context, SINCE)]
    assert figures == [f"contracts of {SHORT}", f"contracts of {LONG}", "cash"]


def test_on_paper_what_was_settled_is_compared_line_by_line(paper: tuple[TradingContext, Store]) -> None:
    """The spread expires far out of the money; one of its lines is another one later."""
    context, store = paper
    bar = DailyBar(day=builders.EXPIRATION, close=700.0)
    account = PaperBroker(
        ledger=store.paper, market=context.market, find_bar=lambda *_: bar, clock=context.clock,
        settings=context.settings, number=builders.ACCOUNT,
    )  # fmt: skip
    context = replace(context, orders=account, account=account)
    assert isinstance(context.clock, ManualClock)
    context.clock.at = builders.later(days=33)
    (trade,) = settle_ended(context).trades
    assert trade.state is TradeState.EXPIRED
    assert compare_history(context, SINCE) == ()
    told = account.transactions(SINCE)
    changed = tuple(replace(line, net_value=D("1.23")) if line.id == "paper-event-1" else line for line in told)
    account.transactions = lambda since: changed  # type: ignore[method-assign]
    (found,) = compare_history(context, SINCE)
    assert found.text == "T1, line paper-event-1: ours 0.00, the broker's 1.23"
