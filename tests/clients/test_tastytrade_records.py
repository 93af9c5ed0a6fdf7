"""tastytrade's documents of an account as our nouns: balances, flags, positions, history; and dirt in every place."""

import json
import string
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spy32.clients.tastytrade import accounts, orders
from spy32.clients.tastytrade.wire import (
    parse_id,
    parse_label,
    parse_rows,
    parse_signed_amount,
    parse_text,
    require_amount,
    require_own_account,
)
from spy32.domain.spreads import Position
from spy32.domain.transactions import TransactionKind
from spy32.errors import Spy32Error
from spy32.lifecycle import OrderState
from tests.support.tastytrade_broker import (
    ALL_CLEAR,
    LONG,
    NUMBER,
    SHORT,
    Row,
    balance,
    clean,
    dry_row,
    line,
    order_row,
    position,
    refused,
)

INVENTED = ("Dead", "Canceled", "FILLED", "Filled ", "?")

# The account.


def test_balances_come_as_an_object_or_as_a_list_by_currency() -> None:
    expected = (Decimal("50000.0"), Decimal("49000.25"))
    assert accounts.parse_balances(balance(), NUMBER) == expected
    euros = balance(currency="EUR", net_liquidating_value="1.0")
    assert accounts.parse_balances({"items": [euros, balance()]}, NUMBER) == expected
    assert accounts.parse_balances(balance(net_liquidating_value="-12.5"), NUMBER)[0] == Decimal("-12.5")


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {},
        {"items": []},
        {"items": {}},
        {"items": [balance(), balance()]},
        {"items": [balance(currency="EUR")]},
        balance(currency="EUR"),
        balance(account_number="5WX09999"),
        balance(net_liquidating_value=None),
        balance(net_liquidating_value="NaN"),
        balance(derivative_buying_power="Infinity"),
        balance(derivative_buying_power="1e40"),
        balance(derivative_buying_power=""),
    ],
)
def test_balances_that_are_none_are_refused(data: Any) -> None:
    refused(lambda: accounts.parse_balances(data, NUMBER))


MARGIN = {"margin-or-cash": "Margin", "is-closed": False}


def test_each_flag_restricts_by_its_own_word() -> None:
    assert accounts.restrictions(ALL_CLEAR, MARGIN) == ()
    for key, meaning in accounts.RESTRICTION_FLAGS.items():
        assert accounts.restrictions({**ALL_CLEAR, key: True}, MARGIN) == (meaning,)
    every = accounts.restrictions(
        dict.fromkeys(accounts.RESTRICTION_FLAGS, True), {"margin-or-cash": "Cash", "is-closed": True}
    )
    assert every == (*accounts.RESTRICTION_FLAGS.values(), "cash account")
    assert accounts.restrictions(ALL_CLEAR, {**MARGIN, "is-closed": True}) == ("closed",)


def test_what_the_broker_does_not_say_is_a_restriction() -> None:
    for key, meaning in accounts.RESTRICTION_FLAGS.items():
        told = accounts.restrictions({**ALL_CLEAR, key: None}, MARGIN)
        assert told == ((f"{accounts.NOT_STATED} {meaning}",) if key in accounts.REQUIRED_FLAGS else ())
    assert len(accounts.restrictions({}, MARGIN)) == len(accounts.REQUIRED_FLAGS)
    assert accounts.restrictions(ALL_CLEAR, {}) == (f"{accounts.NOT_STATED} a cash account",)
    refused(lambda: accounts.restrictions({**ALL_CLEAR, "is-frozen": "false"}, {}), "is-frozen")
    refused(lambda: accounts.restrictions(ALL_CLEAR, {"is-closed": 1}), "is-closed")


@pytest.mark.parametrize(
    ("level", "permits"),
    [
        ("Covered And Cash Secured", False), ("none", False), (" No Options", False),
        ("No Restrictions", True), ("something new", True), ("", None), (" ", None),
    ],
)  # fmt: skip
def test_a_level_that_is_not_known_is_left_to_the_dry_run(level: str, permits: bool | None) -> None:
    assert accounts.permits_spreads(level) is permits


def test_the_options_level_is_the_brokers_word() -> None:
    level = "Covered And Cash Secured"
    assert parse_text({"options-level": level}, "options-level", clean) == level
    assert parse_text({"options-level": None}, "options-level", clean) == ""
    assert parse_text({}, "options-level", clean) == ""


def test_positions_are_signed_by_their_direction() -> None:
    listed = [
        position(),
        position(symbol=LONG, quantity="2.0", quantity_direction="Long", average_open_price=None),
        position(quantity=0, quantity_direction="Zero"),
        position(instrument_type="Equity", symbol="SPY", quantity="100.5", quantity_direction="Long"),
        position(instrument_type="Cryptocurrency", symbol="BTC/USD", quantity="0.01", quantity_direction="Long"),
    ]
    assert accounts.parse_positions(listed, NUMBER) == (
        Position(symbol=SHORT, quantity=-1, average_price=Decimal("2.64")),
        Position(symbol=LONG, quantity=2),
        Position(symbol="SPY", quantity=100, average_price=Decimal("2.64")),
    )


@pytest.mark.parametrize(
    "row",
    [
        7,
        position(account_number="5WX09999"),
        position(symbol=""),
        position(symbol=None),
        position(quantity=None),
        position(quantity=-1),
        position(quantity="1.5"),
        position(quantity_direction=None),
        position(quantity_direction="short"),
        position(quantity_direction="Zero"),
        position(average_open_price="x"),
    ],
)
def test_a_position_that_cannot_be_is_refused(row: Any) -> None:
    refused(lambda: accounts.parse_positions([row], NUMBER))


def test_accounts_are_read_wrapped_and_bare_and_show_their_ending_only() -> None:
    listed = accounts.parse_accounts(
        [{"account": {"account-number": NUMBER}}, {"account-number": "5WX05678", "is-closed": True}]
    )
    assert [(each.number, each.is_closed) for each in listed] == [(NUMBER, False), ("5WX05678", True)]
    assert repr(listed[0]) == "AccountRef(…1234)"
    for bad in (
        7,
        {},
        {"account": 7},
        {"account-number": "1234"},
        {"account-number": "../../x"},
        {"account-number": 5},
    ):
        refused(lambda bad=bad: accounts.parse_accounts([bad]))


# The history.


def past(**over: Any) -> Any:
    return accounts.parse_transaction(line(**over), NUMBER, clean)


def test_a_trade_in_the_history_is_read_whole() -> None:
    seen = past()
    assert (seen.id, seen.kind, seen.symbol, seen.action) == ("1735820", TransactionKind.TRADE, SHORT, "Sell to Open")
    assert (seen.quantity, seen.price, seen.order_id) == (1, Decimal("2.64"), "480001")
    assert (seen.net_value, seen.fees, seen.is_final) == (Decimal("262.87"), Decimal("1.13"), False)
    assert seen.at == datetime(2026, 11, 23, 15, 2, 12, 440000, tzinfo=UTC)
    assert past(is_estimated_fee=False).is_final
    assert past(is_estimated_fee=None).is_final


def test_what_was_paid_is_negative_and_a_charge_of_another_name_is_no_secret() -> None:
    seen = past(value_effect="Debit", net_value="265.5", net_value_effect="Debit")
    assert (seen.net_value, seen.fees) == (Decimal("-265.5"), Decimal("1.5"))
    assert past(value=None, value_effect=None).fees == Decimal("1.13")
    assert past(net_value=None, net_value_effect=None).net_value == Decimal("262.87")
    bare = past(value=None, net_value=None)
    assert (bare.net_value, bare.fees) == (Decimal("-1.13"), Decimal("1.13"))


@pytest.mark.parametrize(
    ("kind", "sub", "expected"),
    [
        ("Receive Deliver", "Assignment", TransactionKind.ASSIGNMENT),
        ("Receive Deliver", "Cash Settled Assignment", TransactionKind.ASSIGNMENT),
        ("Receive Deliver", "Exercise", TransactionKind.EXERCISE),
        ("Receive Deliver", "Cash Settled Exercise", TransactionKind.EXERCISE),
        ("Receive Deliver", "Expiration", TransactionKind.EXPIRATION),
        ("Receive Deliver", "Buy to Open", TransactionKind.OTHER),
        ("Receive Deliver", None, TransactionKind.OTHER),
        ("Money Movement", "Assignment", TransactionKind.OTHER),
        (None, None, TransactionKind.OTHER),
        ("Trade", "Assignment", TransactionKind.TRADE),
    ],
)
def test_what_left_without_an_order_is_told_apart(kind: str | None, sub: str | None, expected: TransactionKind) -> None:
    seen = past(
        transaction_type=kind, transaction_sub_type=sub, action=None, price=None, order_id=None, executed_at=None
    )
    assert seen.kind is expected
    assert (seen.action, seen.price, seen.order_id) == (None, None, None)
    assert seen.at == datetime(2026, 11, 23, 15, 2, 12, 600000, tzinfo=UTC)


@pytest.mark.parametrize(
    "over",
    [
        {"id": None},
        {"account_number": "5WX09999"},
        {"net_value_effect": None},
        {"value": "-264.0"},
        {"quantity": "-1.0"},
        {"price": "cheap"},
        {"executed_at": "soon"},
        {"executed_at": None, "created_at": None},
        {"symbol": 7},
        {"commission": "x"},
    ],
)
def test_a_line_that_cannot_be_is_refused(over: Row) -> None:
    refused(lambda: past(**over))


# Dirt of every kind.


def test_the_readers_themselves() -> None:
    assert require_amount({"a": "3.0"}, "a") == 3
    assert parse_signed_amount({"a": "0.0"}, "a") == 0
    assert parse_signed_amount({"a": None}, "a") is None
    assert parse_id({"a": 0.0}, "a") is None
    assert parse_label({"a": "SPY   x"}, "a") == "SPY   x"
    assert parse_text({"a": 7}, "a", clean) == ""
    assert parse_rows({}, "a") == []


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.sampled_from(INVENTED),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(string.ascii_lowercase, max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)


@st.composite
def spoilt(draw: st.DrawFn, whole_row: Row) -> Any:
    """A good document in which one to three places hold anything."""
    row = json.loads(json.dumps(whole_row))
    for _ in range(draw(st.integers(1, 3))):
        at: Any = row
        while True:
            key = draw(st.sampled_from(sorted(at))) if isinstance(at, dict) else draw(st.integers(0, len(at) - 1))
            if isinstance(at[key], dict | list) and at[key] and draw(st.booleans()):
                at = at[key]
                continue
            at[key] = draw(ANY)
            break
    return row


READERS: list[tuple[str, Row, Callable[[Any], object]]] = [
    ("order", order_row(), lambda row: orders.parse_order(row, NUMBER, clean)),
    (
        "dry run",
        dry_row(warnings=[{"code": "x", "message": "y"}]),
        lambda row: orders.parse_dry_run(row, NUMBER, clean),
    ),
    ("dry run accepted", dry_row(), lambda row: orders.parse_dry_run(row, NUMBER, clean)),
    ("balances", {"items": [balance()]}, lambda row: accounts.parse_balances(row, NUMBER)),
    ("position", position(), lambda row: accounts.parse_positions([row], NUMBER)),
    ("line", line(), lambda row: accounts.parse_transaction(row, NUMBER, clean)),
    (
        "account",
        {"account": {"account-number": NUMBER, "is-closed": False}},
        lambda row: accounts.parse_accounts([row]),
    ),
    ("status", ALL_CLEAR, lambda row: accounts.restrictions(require_own_account(row, "the status", NUMBER), {})),
]


@pytest.mark.slow
@pytest.mark.parametrize(("good", "reader"), [row[1:] for row in READERS], ids=[row[0] for row in READERS])
def test_dirt_is_read_or_refused_and_never_breaks_the_reader(good: Row, reader: Callable[[Any], object]) -> None:
    @given(spoilt(good) | ANY)
    def check(row: Any) -> None:
        try:
            reader(row)
        except Spy32Error as error:
            assert "\n" not in error.message and error.message.isprintable()

    reader(good)
    check()


@given(spoilt(order_row()))
def test_no_dirt_makes_an_order_end(row: Any) -> None:
    try:
        seen = orders.parse_order(row, NUMBER, clean)
    except Spy32Error:
        return
    assert (seen.state is OrderState.FILLED) == (seen.status == "Filled")
    assert seen.limit.is_finite()
    assert all(one.price > 0 and one.quantity > 0 and one.price.is_finite() for one in seen.fills)
