"""tastytrade's account documents as our nouns: orders in every state, fills, dry runs, positions, history, and dirt."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from spy32.clients.tastytrade import orders
from spy32.domain.orders import spreads_filled
from spy32.domain.spreads import Action
from spy32.lifecycle import FINAL, OrderState
from tests.support.tastytrade_broker import (
    LONG,
    NUMBER,
    SHORT,
    Row,
    clean,
    dry_row,
    fill,
    leg,
    order_row,
    refused,
)


def read(**over: Any) -> Any:
    return orders.parse_order(order_row(**over), NUMBER, clean)


# An order.


def test_a_filled_vertical_is_read_whole() -> None:
    seen = read()
    assert (seen.broker_id, seen.reference, seen.status) == ("480001", "spy32-P1-A1-abcdef-1", "Filled")
    assert seen.state is OrderState.FILLED
    assert (seen.limit, seen.quantity, seen.fees, seen.body, seen.reason) == (Decimal("1.05"), 1, None, "", "")
    assert [(one.symbol, one.action, one.quantity) for one in seen.legs] == [
        (SHORT, Action.SELL_TO_OPEN, 1),
        (LONG, Action.BUY_TO_OPEN, 1),
    ]
    assert [(one.fill_id, one.symbol, one.price, one.quantity) for one in seen.fills] == [
        ("3_OPT850090305", SHORT, Decimal("2.64"), 1),
        ("3_OPT850090306", LONG, Decimal("1.59"), 1),
    ]
    assert seen.placed_at == datetime(2026, 11, 23, 15, 2, 10, 114000, tzinfo=UTC)
    assert seen.fills[0].at == datetime(2026, 11, 23, 15, 2, 12, 440000, tzinfo=UTC)
    assert spreads_filled(seen.fills, seen.legs) == 1
    assert (seen.replaces, seen.replaced_by) == (None, None)


WORKING = (
    "Received", "Routed", "In Flight", "Contingent", "Live", "Cancel Requested", "Replace Requested",
)  # fmt: skip
INVENTED = ("Dead", "Remove Pending", "Canceled", "FILLED", "filled", "Filled ", "Partially Filled", "\u0424illed", "?")
FINALS = {
    "Filled": OrderState.FILLED,
    "Cancelled": OrderState.CANCELLED,
    "Expired": OrderState.EXPIRED,
    "Removed": OrderState.CANCELLED,
    "Partially Removed": OrderState.CANCELLED,
    "Rejected": OrderState.REJECTED,
}


@pytest.mark.parametrize(("status", "state"), FINALS.items())
def test_only_these_states_end_an_order(status: str, state: OrderState) -> None:
    seen = read(status=status, reject_reason="Session\noffline")
    assert (seen.status, seen.state, seen.reason) == (status, state, "Session offline")


@pytest.mark.parametrize("status", WORKING)
def test_a_state_on_the_way_is_working_and_kept_as_it_is(status: str) -> None:
    assert (read(status=status).status, read(status=status).state) == (status, OrderState.WORKING)
    assert read(status=status).is_cancelling is (status == "Cancel Requested")


@pytest.mark.parametrize("status", [*INVENTED[:5], *INVENTED[6:]])
def test_a_state_that_nobody_knows_is_shown_and_ends_nothing(status: str) -> None:
    seen = read(status=status)
    assert seen.status == status
    assert seen.state is OrderState.WORKING
    assert seen.state not in FINAL


def test_a_long_or_dirty_state_is_shortened_and_ends_nothing() -> None:
    seen = read(status="\x1b[31m" + "x" * 500)
    assert len(seen.status) == 60
    assert seen.status.isprintable()
    assert seen.state is OrderState.WORKING


@pytest.mark.parametrize("status", [None, "", 7, ["Filled"], {"a": 1}])
def test_an_order_without_a_state_is_no_order(status: Any) -> None:
    refused(lambda: orders.parse_order({**order_row(), "status": status}, NUMBER, clean), "status")


def test_a_replaced_order_names_its_successor_and_the_successor_names_it() -> None:
    seen = read(status="Cancelled", replacing_order_id=480002)
    assert (seen.state, seen.replaced_by) == (OrderState.REPLACED, "480002")
    after = read(id=480002, status="Contingent", replaces_order_id="480001")
    assert (after.state, after.replaces) == (OrderState.WORKING, "480001")


@pytest.mark.parametrize("status", [*WORKING, "Filled", "Expired", "Rejected", "Removed", "Partially Removed"])
def test_a_successor_alone_does_not_make_an_order_replaced(status: str) -> None:
    seen = read(status=status, replacing_order_id="480002")
    assert seen.state is not OrderState.REPLACED
    assert seen.replaced_by == "480002"


@pytest.mark.parametrize("nothing", ["", 0, "0"])
def test_an_empty_id_of_a_successor_is_none(nothing: Any) -> None:
    assert read(status="Cancelled", replacing_order_id=nothing).state is OrderState.CANCELLED


def test_a_debit_is_negative_and_a_number_may_be_a_number() -> None:
    assert read(price="0.52", price_effect="Debit").limit == Decimal("-0.52")
    assert read(price=0.52, price_effect="Debit").limit == Decimal("-0.52")
    assert read(price=3, size="1").limit == 3
    assert read(price=None, price_effect=None, order_type="Market").limit == 0


@pytest.mark.parametrize(
    ("over", "words_of_it"),
    [
        ({"price": "-1.05"}, "price"),
        ({"price_effect": None}, "price"),
        ({"price_effect": "None"}, "price"),
        ({"price_effect": "credit"}, "price"),
        ({"price_effect": ["Credit"]}, "price"),
        ({"price": "1,05"}, "price"),
        ({"price": True}, "price"),
        ({"price": "1e99"}, "price"),
        ({"price": [1]}, "price"),
        ({"id": None}, "id of an order"),
        ({"id": 0}, "id of an order"),
        ({"id": -5}, "id"),
        ({"id": True}, "id"),
        ({"id": "48/0001"}, "id"),
        ({"id": 1.5}, "id"),
        ({"id": "9" * 65}, "id"),
        ({"account_number": "5WX09999"}, "another account"),
        ({"account_number": 5}, "another account"),
        ({"size": "1.5"}, "size"),
        ({"size": -1}, "size"),
        ({"size": 2}, "size of an order"),
        ({"legs": {}}, "legs"),
        ({"legs": ["x"]}, "legs"),
        ({"received_at": "yesterday"}, "received-at"),
        ({"received_at": "2026-11-23T15:02:10"}, "received-at"),
        ({"received_at": 1795446132480}, "received-at"),
        ({"replaces_order_id": {}}, "replaces-order-id"),
    ],
)
def test_an_order_that_contradicts_itself_is_refused_by_the_name_of_the_field(over: Row, words_of_it: str) -> None:
    refused(lambda: read(**over), words_of_it)


@pytest.mark.parametrize(
    ("change", "words_of_it"),
    [
        ({"symbol": "SPY261224P00640000"}, "symbol of a leg"),
        ({"symbol": "SPY   261324P00640000"}, "symbol of a leg"),
        ({"symbol": "SPY   261224P00000000"}, "symbol of a leg"),
        ({"symbol": None}, "symbol"),
        ({"symbol": 7}, "symbol"),
        ({"action": "Sell"}, "action"),
        ({"action": ["Sell to Open"]}, "action"),
        ({"quantity": 0}, "quantity"),
        ({"quantity": None}, "quantity"),
        ({"quantity": "0.5"}, "quantity"),
        ({"fills": {}}, "fills"),
        ({"fills": [7]}, "fills"),
        ({"fills": [{**fill("a", "2.64"), "fill-id": None}]}, "fill-id"),
        ({"fills": [{**fill("a", "2.64"), "fill-id": 7}]}, "fill-id"),
        ({"fills": [fill("a\n", "2.64")]}, "fill-id"),
        ({"fills": [fill("a", "0.0")]}, "fill-price"),
        ({"fills": [fill("a", "-2.64")]}, "fill-price"),
        ({"fills": [fill("a", "NaN")]}, "fill-price"),
        ({"fills": [fill("a", "2.64", quantity=0)]}, "quantity"),
        ({"fills": [{**fill("a", "2.64"), "filled-at": ""}]}, "filled-at"),
    ],
)
def test_a_leg_or_a_fill_that_cannot_be_is_refused(change: Row, words_of_it: str) -> None:
    legs = order_row()["legs"]
    refused(lambda: read(legs=[{**legs[0], **change}, legs[1]]), words_of_it)


def test_fills_of_a_cancelled_order_and_partial_ones_of_a_live_one_are_kept() -> None:
    part = [leg(SHORT, "Sell to Open", 3, [fill("a", "2.64", 2)]), leg(LONG, "Buy to Open", 3, [fill("b", "1.59", 1)])]
    for status, state in (("Live", OrderState.WORKING), ("Cancelled", OrderState.CANCELLED)):
        seen = read(status=status, size=3, legs=part)
        assert seen.state is state
        assert [one.quantity for one in seen.fills] == [2, 1]
        assert spreads_filled(seen.fills, seen.legs) == 1


def test_legs_are_those_of_one_spread_also_when_the_size_is_not_told() -> None:
    ratio = [leg(SHORT, "Sell to Close", 4), leg(LONG, "Buy to Close", 2)]
    for size in (2, "2", "2.0", None, 0):
        seen = read(size=size, legs=ratio, status="Live")
        assert seen.quantity == 2
        assert [(one.action, one.quantity) for one in seen.legs] == [
            (Action.SELL_TO_CLOSE, 2),
            (Action.BUY_TO_CLOSE, 1),
        ]


def test_an_order_by_hand_for_other_things_does_not_hide_the_rest() -> None:
    shares = {"action": "Sell", "instrument-type": "Equity", "symbol": "SPY", "quantity": "0.5", "fills": [{"x": 1}]}
    seen = read(legs=[shares], size="0.5", price=None, price_effect=None, status="Live")
    assert (seen.legs, seen.fills, seen.quantity, seen.limit) == ((), (), 0, 0)
    both = read(legs=[shares, leg(SHORT, "Sell to Open")], size=1, status="Live")
    assert [one.symbol for one in both.legs] == [SHORT]
    assert read(legs=None).legs == ()


def test_an_option_leg_without_its_type_is_known_by_its_symbol() -> None:
    bare = {key: value for key, value in leg(SHORT, "Sell to Open").items() if key != "instrument-type"}
    assert [one.symbol for one in read(legs=[bare]).legs] == [SHORT]
    assert read(legs=[{**bare, "symbol": "SPY"}]).legs == ()


@pytest.mark.parametrize("reference", [None, 7, "", "a\nb", "\u0430bc", "x" * 101, ["spy32-P1-A1-1"]])
def test_a_reference_that_none_of_ours_can_be_is_left_out(reference: Any) -> None:
    assert orders.parse_order({**order_row(), "external-identifier": reference}, NUMBER, clean).reference == ""


def test_a_reference_is_never_trimmed_into_ours() -> None:
    assert read(external_identifier=" spy32-P1-A1-abcdef-1 ").reference == " spy32-P1-A1-abcdef-1 "


def test_unknown_keys_are_ignored_and_the_order_may_be_wrapped() -> None:
    row = order_row(order_rule=[{"x": 1}], complex_order_tag="OTO::order")
    assert orders.parse_order(orders.unwrap_order({"order": row, "warnings": []}), NUMBER, clean).broker_id == "480001"
    assert orders.parse_order(orders.unwrap_order(row), NUMBER, clean).broker_id == "480001"
    assert orders.unwrap_order([1]) == [1]


def test_an_edit_has_price_and_reference_and_no_legs() -> None:
    body = {
        "time-in-force": "GTC",
        "order-type": "Limit",
        "price": "1.04",
        "price-effect": "Credit",
        "source": "spy32",
        "external-identifier": "spy32-P1-A1-abcdef-2",
        "legs": [{"symbol": SHORT}],
        "advanced-instructions": {"strict-position-effect-validation": True},
    }
    sent = json.loads(orders.build_edit(json.dumps(body)))
    assert sent == {key: body[key] for key in orders.EDITABLE_FIELDS}
    assert json.loads(orders.build_edit('{"price": "1.0"}')) == {"price": "1.0"}


# The dry run.


def dry(**over: Any) -> Any:
    return orders.parse_dry_run(dry_row(**over), NUMBER, clean)


def test_a_dry_run_says_what_the_broker_understood() -> None:
    answer = dry()
    assert answer.accepted
    assert (answer.errors, answer.warnings) == ((), ())
    assert (answer.fees, answer.buying_power_change, answer.margin) == (
        Decimal("2.25"),
        Decimal("397.25"),
        Decimal("500.0"),
    )
    assert (answer.limit, answer.quantity) == (Decimal("1.05"), 1)
    assert [(one.symbol, one.action) for one in answer.legs] == [
        (SHORT, Action.SELL_TO_OPEN),
        (LONG, Action.BUY_TO_OPEN),
    ]


def test_what_a_closing_frees_is_negative_and_what_is_not_told_is_none() -> None:
    power = {
        "change-in-margin-requirement": "500.0",
        "change-in-margin-requirement-effect": "Credit",
        "change-in-buying-power": "0.0",
        "change-in-buying-power-effect": "None",
    }
    order = {**dry_row()["order"], "price-effect": "Debit"}
    answer = dry(buying_power_effect=power, fee_calculation=None, order=order)
    assert (answer.margin, answer.buying_power_change, answer.fees) == (Decimal(-500), 0, None)
    assert answer.limit == Decimal("-1.05")
    silent = dry(buying_power_effect={"impact": "1.0"})
    assert (silent.margin, silent.buying_power_change) == (None, None)


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        ([{"code": "margin_check_failed", "message": "Too little."}], "Too little. (margin_check_failed)"),
        ([{"domain": "price-effect", "reason": "is missing"}], "is missing (price-effect)"),
        ([{"code": "odd"}], "odd"),
        ([{"message": "only words"}], "only words"),
        (["text"], "one of its errors cannot be read"),
        ([None], "one of its errors cannot be read"),
        ([{}], "one of its errors cannot be read"),
    ],
)
def test_an_error_in_a_good_answer_is_a_refusal_in_every_form(errors: Any, expected: str) -> None:
    answer = dry(errors=errors)
    assert not answer.accepted
    assert answer.errors == (expected,)
    assert not dry(errors=errors, order=None, buying_power_effect=None).accepted


def test_a_benign_warning_is_told_and_any_other_counts_as_a_refusal() -> None:
    queued = {"code": "tif.next_valid_session", "message": "Your order will begin working during next valid session."}
    answer = dry(warnings=[queued])
    assert answer.accepted
    assert answer.warnings == (f"{queued['message']} (tif.next_valid_session)",)
    bad = {"code": "closing_with_no_position", "message": "Would open."}
    for odd in (bad, {"message": queued["message"]}, {"code": "tif.next_valid_session.not"}, "text", {}):
        answer = dry(warnings=[queued, odd])
        assert not answer.accepted
        assert len(answer.errors) == 1 and answer.errors[0].startswith("warned: ")
        assert len(answer.warnings) == 2


def test_an_order_that_would_be_rejected_is_refused() -> None:
    order = {**dry_row()["order"], "status": "Rejected", "reject-reason": "Session offline"}
    assert dry(order=order).errors == ("Session offline",)
    assert dry(order={**order, "reject-reason": None}).errors == ("it would be rejected",)


@pytest.mark.parametrize(
    "over",
    [
        {"order": None},
        {"order": []},
        {"buying_power_effect": None},
        {"buying_power_effect": "397.25"},
        {"fee_calculation": [1]},
        {"errors": {}},
        {"warnings": "none"},
        {"order": order_row(account_number="5WX09999")},
        {"buying_power_effect": {"change-in-buying-power": "397.25"}},
        {"buying_power_effect": {"change-in-buying-power": "much", "change-in-buying-power-effect": "Debit"}},
    ],
)
def test_an_empty_or_strange_dry_run_is_no_approval(over: Row) -> None:
    refused(lambda: dry(**over))


@pytest.mark.parametrize("data", [None, [], "ok", {}, {"order": {}}])
def test_no_document_is_no_approval(data: Any) -> None:
    refused(lambda: orders.parse_dry_run(data, NUMBER, clean))
