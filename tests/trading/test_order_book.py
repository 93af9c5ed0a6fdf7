"""The order book of a proposal, and the one place that builds orders."""

from dataclasses import fields, replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from spy32.brokers.paper import parse_order_body
from spy32.domain.codec import digest
from spy32.domain.orders import Order, OrderKind, OrderTicket
from spy32.errors import Refused
from spy32.lifecycle import OrderState
from spy32.rules import references
from spy32.trading.execute import execute
from spy32.trading.order_book import OrderBook, load_order_book
from tests.support import builders
from tests.support.resting_targets import opened
from tests.support.trading import TradingDesk, trading_desk

CENT = Decimal("0.01")


@pytest.fixture
def desk(tmp_path: Path) -> TradingDesk:
    return trading_desk(tmp_path)


def working(desk: TradingDesk) -> tuple[OrderBook, Order]:
    """The book of a proposal whose first order works at the broker, and that order."""
    proposal = desk.approved()
    execute(desk.trading_context, proposal, wait=False)
    book = load_order_book(desk.trading_context, proposal)
    (order,) = book.working_orders
    return book, order


def test_the_first_ticket_is_the_approved_order_and_has_no_id_before_it_is_begun(desk: TradingDesk) -> None:
    proposal = desk.approved()
    approval = desk.store.proposals.latest_approval(proposal)
    assert approval is not None
    book = load_order_book(desk.trading_context, proposal)
    assert (book.orders, book.fills, book.filled_quantity, book.remaining()) == ((), (), 0, 2)
    ticket = book.first_ticket(approval)
    assert (ticket.kind, ticket.limit, ticket.quantity) == (OrderKind.ENTRY, book.proposal.limit_price, 2)
    assert (ticket.reference, ticket.approval_id) == (references.order_reference(approval, attempt=1), approval.id)
    assert (ticket.body_hash, parse_order_body(ticket.body).limit) == (digest(ticket.body), ticket.limit)
    assert "id" not in {field.name for field in fields(ticket)}
    order = desk.store.orders.begin(ticket, at=desk.clock())
    assert (order.id, order.state) == (1, OrderState.SUBMITTING)
    assert all(getattr(order, field.name) == getattr(ticket, field.name) for field in fields(OrderTicket))


def test_the_next_ticket_replaces_the_order_under_the_next_number(desk: TradingDesk) -> None:
    book, order = working(desk)
    ticket = book.next_ticket(order, order.limit - CENT)
    assert (ticket.replaces, ticket.limit, ticket.quantity) == (order.id, order.limit - CENT, 2)
    assert ticket.reference == references.next_reference(order.reference)
    assert parse_order_body(ticket.body).limit == ticket.limit
    assert (ticket.kind, ticket.approval_id) == (order.kind, order.approval_id)


def test_no_next_ticket_is_for_more_than_may_still_be_sent(desk: TradingDesk) -> None:
    book, order = working(desk)
    with pytest.raises(Refused, match="would be for 3, only 2"):
        book.next_ticket(replace(order, quantity=3), order.limit - CENT)


def test_a_ticket_has_the_terms_that_were_checked_whatever_the_row_says_by_then(desk: TradingDesk) -> None:
    book, order = working(desk)
    other = desk.proposed(legs=builders.spread("630", "625").legs)
    desk.store.core.db.execute(
        "update proposal set body = (select body from proposal where id = ?) where id = ?", (other.id, book.proposal.id)
    )
    again = OrderBook(desk.trading_context, book.proposal)
    symbols = {leg.symbol for leg in parse_order_body(again.next_ticket(order, order.limit - CENT).body).legs}
    assert symbols == {leg.symbol for leg in book.proposal.legs}


def test_the_target_ticket_closes_what_the_trade_holds_at_the_approved_price(desk: TradingDesk) -> None:
    trade = desk.store.trades.get(opened(desk))
    book = load_order_book(desk.trading_context, trade.proposal_id)
    (target,) = book.targets
    assert (book.live_target, book.live_orders) == (target, ())
    ticket = book.target_ticket(trade)
    assert (ticket.kind, ticket.quantity, ticket.limit) == (OrderKind.TARGET, trade.remaining, target.limit)
    assert (target.reference[-3:], ticket.reference[-3:]) == ("-t1", "-t2")
    assert all(leg.action.opens is False for leg in parse_order_body(ticket.body).legs)


def test_the_deadline_counts_from_the_first_order_of_the_approval(desk: TradingDesk) -> None:
    book, order = working(desk)
    assert book.deadline(order.approval_id) == order.created_at + timedelta(seconds=book.proposal.plan.deadline_seconds)


def test_a_book_is_what_was_read_and_a_new_one_shows_what_happened_since(desk: TradingDesk) -> None:
    book, order = working(desk)
    desk.orders.fill(str(order.broker_id), 1)
    execute(desk.trading_context, book.proposal.id)
    later = load_order_book(desk.trading_context, book.proposal.id)
    assert (book.filled_quantity, book.remaining(), book.remaining(excluding=order.id)) == (0, 0, 2)
    assert (later.filled_quantity, later.live_orders, later.remaining(), later.is_uneven) == (1, (), 1, False)
