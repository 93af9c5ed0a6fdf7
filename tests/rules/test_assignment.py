"""What an assigned trade holds, what it risks, and the ticket that ends it."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from spy32.domain.market import Dividend
from spy32.domain.orders import Trade
from spy32.domain.spreads import Action, Mode, Position
from spy32.domain.transactions import Adoption, Disposal, Transaction, TransactionKind
from spy32.lifecycle import TradeState
from spy32.rules.assignment import AssignedPosition, assigned_position, assignment_notes, undelivered_shares, worst_loss
from tests.support import builders
from tests.support.open_trades import D, line

ASSIGNMENT, EXERCISE, OVER, OTHER = (
    TransactionKind.ASSIGNMENT,
    TransactionKind.EXERCISE,
    TransactionKind.EXPIRATION,
    TransactionKind.OTHER,
)
PUTS = builders.spread().legs
CALLS = builders.spread("700", "710").legs
TODAY = date(2025, 10, 20)


def trade(legs: Any = PUTS, quantity: int = 2) -> Trade:
    return Trade(
        id=1, proposal_id=1, run_id=1, mode=Mode.LIVE, state=TradeState.ASSIGNED, legs=legs, quantity=quantity,
        credit=D("0.58"), fees=D("4.52"), opening_fees=D("4.52"), max_loss=D("888.52"), opened_at=builders.NOW,
        closed_quantity=quantity,
    )  # fmt: skip


def shares(number: int, count: int, strike: str) -> Transaction:
    """The shares of a delivery: bought when positive."""
    action = Action.BUY_TO_OPEN if count > 0 else Action.SELL_TO_OPEN
    cash = -D(strike) * count
    return line(number, "SPY", OTHER, quantity=D(abs(count)), action=action, price=D(strike), net_value=cash)


def position(*lines: Transaction, legs: Any = PUTS, later: tuple[Transaction, ...] = ()) -> AssignedPosition:
    held = trade(legs)
    adoption = Adoption(trade_id=1, state=TradeState.ASSIGNED, spreads=2, transactions=lines, reason="")
    return assigned_position(held, (adoption,), (Disposal(trade_id=1, transactions=later),))


ASSIGNED_PUTS = (line(1, PUTS[0].symbol, ASSIGNMENT), shares(2, 200, "640"))
ASSIGNED_CALLS = (line(1, CALLS[0].symbol, ASSIGNMENT), shares(2, -200, "700"))


def test_shares_and_the_long_leg_are_held_and_the_long_put_bounds_the_loss() -> None:
    found = position(*ASSIGNED_PUTS)
    assert found.positions == (Position(symbol=PUTS[1].symbol, quantity=2), Position(symbol="SPY", quantity=200))
    assert not found.is_over
    assert worst_loss(found) == 1000 - 116 + D("4.52") == trade().max_loss


def test_without_the_long_leg_the_shares_may_lose_all_that_was_paid() -> None:
    found = position(*ASSIGNED_PUTS, line(3, PUTS[1].symbol, OVER))
    assert worst_loss(found) == 128_000 - 116 + D("4.52")
    assert "tonight no option bounds the loss: at most $127,888.52, with the shares at zero" in assignment_notes(
        found, TODAY
    )


def test_short_shares_without_a_call_are_without_bound() -> None:
    found = position(*ASSIGNED_CALLS, line(3, CALLS[1].symbol, OVER), legs=CALLS)
    assert worst_loss(found) is None
    assert "tonight nothing bounds the loss of 200 SPY shares short" in assignment_notes(found, TODAY)


def test_a_trade_is_over_when_neither_shares_nor_contracts_nor_deliveries_are_left() -> None:
    sold = line(4, "SPY", TransactionKind.TRADE, quantity=D(200), action=Action.SELL_TO_CLOSE, net_value=D(127_000))
    assert not position(*ASSIGNED_PUTS, later=(sold,)).is_over
    assert position(*ASSIGNED_PUTS, later=(sold, line(5, PUTS[1].symbol, OVER))).is_over


def test_deliveries_of_both_sides_that_are_not_on_record_do_not_cancel_out() -> None:
    both = (line(1, PUTS[0].symbol, ASSIGNMENT), line(2, PUTS[1].symbol, EXERCISE))
    assert undelivered_shares(both) == (200, 200)
    found = position(*both)
    assert (found.shares_held, found.is_over) == (0, False)
    complete = (*both, shares(3, 200, "640"), shares(4, -200, "635"))
    assert undelivered_shares(complete) == (0, 0)
    assert position(*complete).is_over


def test_shares_on_their_way_count_at_the_strike() -> None:
    found = position(ASSIGNED_PUTS[0])
    assert (found.shares, found.incoming, found.shares_held) == (0, 200, 200)
    assert worst_loss(found) == worst_loss(position(*ASSIGNED_PUTS))
    assert "not all of them in the broker's history yet" in assignment_notes(found, TODAY)[0]


def test_what_our_orders_and_a_person_closed_before_counts_in_the_loss() -> None:
    part = trade(quantity=3)
    hand = Adoption(
        trade_id=1, state=TradeState.CLOSED, spreads=1, reason="",
        transactions=(line(9, PUTS[0].symbol, TransactionKind.TRADE, quantity=D(1), net_value=D(-30)),),
    )  # fmt: skip
    rest = Adoption(trade_id=1, state=TradeState.ASSIGNED, spreads=2, transactions=ASSIGNED_PUTS, reason="")
    assert worst_loss(assigned_position(part, (hand, rest))) == 1000 - 174 + 30 + D("4.52")
    by_order = replace(part, debit=D("0.10"), closed_quantity=3)
    assert assigned_position(by_order, (rest,)).cash == 174 - 30 - 128_000


# The notes.


def test_the_ticket_of_an_assigned_put_is_one_covered_stock_order() -> None:
    held, risk, ticket = assignment_notes(position(*ASSIGNED_PUTS), TODAY)
    assert held == f"T1 was assigned and holds +200 SPY shares, long 2 x {PUTS[1].symbol}"
    assert risk == "tonight the long 2 x 635 puts still bound the loss: at most $888.52 in all"
    assert ticket == (
        f"ticket, not sent: Sell to Close 200 SPY + Sell to Close 2 {PUTS[1].symbol} "
        "(one covered-stock order, both together)"
    )


def test_the_ticket_of_an_assigned_call_buys_shares_and_names_the_day_and_the_dividend() -> None:
    dividends = [
        Dividend(ex_date=date(2025, 12, 19), amount=Decimal("1.99")),
        Dividend(ex_date=date(2025, 9, 19), amount=Decimal("1.83")),
    ]
    found = position(*ASSIGNED_CALLS, legs=CALLS)
    notes = assignment_notes(found, TODAY, dividends)
    assert notes[2:4] == (
        "cash and IRA accounts must close short stock the same day",
        "short over the ex-date 2025-12-19 owes its dividend: $398.00",
    )
    assert f"Buy to Close 200 SPY + Sell to Close 2 {CALLS[1].symbol}" in notes[4]
    assert "owes the dividend" in assignment_notes(found, TODAY)[3]


def test_the_rest_of_a_part_is_a_ticket_of_its_own() -> None:
    part = (line(1, PUTS[0].symbol, ASSIGNMENT, quantity=D(1)), shares(2, 100, "640"))
    notes = assignment_notes(position(*part), TODAY)
    assert notes[-2:] == (
        f"ticket, not sent: Sell to Close 100 SPY + Sell to Close 1 {PUTS[1].symbol} "
        "(one covered-stock order, both together)",
        f"then not sent: Buy to Close 1 {PUTS[0].symbol} + Sell to Close 1 {PUTS[1].symbol} (one order)",
    )


def test_a_leg_alone_and_shares_alone_have_plain_tickets() -> None:
    sold = line(4, "SPY", TransactionKind.TRADE, quantity=D(200), action=Action.SELL_TO_CLOSE, net_value=D(127_000))
    assert assignment_notes(position(*ASSIGNED_PUTS, later=(sold,)), TODAY)[-1] == (
        f"ticket, not sent: Sell to Close 2 {PUTS[1].symbol} (one order)"
    )
    alone = position(*ASSIGNED_PUTS, line(3, PUTS[1].symbol, OVER))
    assert assignment_notes(alone, TODAY)[-1] == "ticket, not sent: Sell to Close 200 SPY (one order)"


@pytest.mark.parametrize(
    ("symbol", "kind", "delivered"),
    [
        (PUTS[0].symbol, ASSIGNMENT, 200),
        (PUTS[0].symbol, EXERCISE, -200),
        (CALLS[0].symbol, ASSIGNMENT, -200),
        (CALLS[0].symbol, EXERCISE, 200),
        (PUTS[0].symbol, OVER, 0),
        ("SPY", ASSIGNMENT, 0),
        ("XSP   251107P00640000", ASSIGNMENT, 0),
    ],
)
def test_an_assignment_or_exercise_moves_shares_by_side_and_right(
    symbol: str, kind: TransactionKind, delivered: int
) -> None:
    assert line(1, symbol, kind).delivered_shares == delivered
