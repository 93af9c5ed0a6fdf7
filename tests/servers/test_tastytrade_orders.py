"""The stand-in's orders by plain requests: their life, cancel and replace, with fills in between."""

from datetime import timedelta
from decimal import Decimal

import pytest

from tests.servers.plain_desk import LIVE, LONG, ORDERS, OTHER, SHORT, DeskClient, filled, leg, order
from tests.servers.tastytrade_orders import ACCOUNT, TastytradeBrokerServer

pytestmark = pytest.mark.slow

# The life of an order.


def test_an_order_is_answered_as_routed_and_found_everywhere(server: TastytradeBrokerServer, desk: DeskClient) -> None:
    placed = desk.place()
    assert (placed["status"], placed["external-identifier"]) == ("Routed", "spy32-P1-A1-1")
    assert isinstance(placed["id"], int)
    assert (placed["price"], placed["price-effect"]) == ("1.05", "Credit")
    assert placed["received-at"] == "2026-11-23T15:00:01.328+00:00"
    assert placed["updated-at"] == 1795446001328
    read = desk.data(f"{ORDERS}/{placed['id']}")
    assert (read["status"], read["cancellable"], read["editable"]) == ("Live", True, True)
    assert [row["id"] for row in desk.items(LIVE)] == [placed["id"]]
    assert [row["id"] for row in desk.items(ORDERS, start_date="2026-11-23")] == [placed["id"]]
    assert desk.items(ORDERS, start_date="2026-11-24") == []


def test_each_read_shows_the_next_state(server: TastytradeBrokerServer, desk: DeskClient) -> None:
    server.policy.step = "read"
    server.policy.fills_at = None
    order_id = desk.place(order("0.05"))["id"]
    assert [desk.status(order_id) for _ in range(4)] == ["In Flight", "Live", "Filled", "Filled"]


def test_by_hand_nothing_moves_until_it_is_told_to(server: TastytradeBrokerServer, desk: DeskClient) -> None:
    server.policy.step = "manual"
    order_id = desk.place()["id"]
    assert [desk.status(order_id) for _ in range(3)] == ["Routed"] * 3
    server.advance(order_id, 2)
    assert desk.status(order_id) == "Live"


@pytest.mark.parametrize("fills_at, price, status", [("1.05", "1.05", "Filled"), ("1.04", "1.05", "Live")])
def test_a_credit_order_fills_at_or_below_the_set_credit(
    server: TastytradeBrokerServer, desk: DeskClient, fills_at: str, price: str, status: str
) -> None:
    server.policy.fills_at = Decimal(fills_at)
    assert desk.status(desk.place(order(price))["id"]) == status


def test_without_a_rule_the_mid_of_the_quotes_decides(server: TastytradeBrokerServer, desk: DeskClient) -> None:
    server.policy.fills_at = None
    server.marks = {SHORT: Decimal("3.00"), LONG: Decimal("2.00")}
    assert desk.status(desk.place(order("1.01"))["id"]) == "Live"
    assert desk.status(desk.place(order("1.00"))["id"]) == "Filled"
    server.marks = {}
    quoted = server.mid(SHORT)
    assert quoted is not None
    rows = desk.items("/market-data/by-type", equity_option=SHORT)
    assert quoted == (Decimal(rows[0]["bid"]) + Decimal(rows[0]["ask"])) / 2


def test_a_credit_spread_sent_as_a_debit_fills_at_once_at_a_terrible_price(
    server: TastytradeBrokerServer, desk: DeskClient
) -> None:
    server.policy.debit_fills_at = None
    order_id = desk.place(order("1.05", **{"price-effect": "Debit"}))["id"]
    assert desk.status(order_id) == "Filled"
    assert server.account().cash == Decimal(100_000) - 105 - Decimal("2.25")


def test_fills_are_listed_by_leg_and_make_the_positions(server: TastytradeBrokerServer, desk: DeskClient) -> None:
    order_id = filled(server, desk, quantity=2)
    row = desk.data(f"{ORDERS}/{order_id}")
    assert (row["status"], row["size"], row["cancellable"]) == ("Filled", 2, False)
    assert [part["remaining-quantity"] for part in row["legs"]] == [0, 0]
    short, long = (part["fills"][0] for part in row["legs"])
    assert Decimal(short["fill-price"]) - Decimal(long["fill-price"]) == Decimal("1.05")
    assert short["ext-group-fill-id"] == long["ext-group-fill-id"]
    assert short["fill-id"] != long["fill-id"]
    held = desk.items(f"/accounts/{ACCOUNT}/positions", include_marks="true", **{"underlying-symbol[]": "SPY"})
    assert {(at["symbol"], at["quantity"], at["quantity-direction"]) for at in held} == {
        (SHORT, 2, "Short"),
        (LONG, 2, "Long"),
    }
    assert {"mark", "mark-price"} <= set(held[0])
    assert desk.items(f"/accounts/{ACCOUNT}/positions", **{"underlying-symbol[]": "QQQ"}) == []


def test_a_partial_fill_has_no_status_of_its_own(server: TastytradeBrokerServer, desk: DeskClient) -> None:
    server.policy.fills_at, server.policy.fill_size = Decimal("1.05"), 1
    order_id = desk.place(order(quantity=3))["id"]
    row = desk.data(f"{ORDERS}/{order_id}")
    assert row["status"] == "Live"
    assert [part["remaining-quantity"] for part in row["legs"]] == [2, 2]
    desk.call("DELETE", f"{ORDERS}/{order_id}")
    row = desk.data(f"{ORDERS}/{order_id}")
    assert (row["status"], [len(part["fills"]) for part in row["legs"]]) == ("Cancelled", [1, 1])
    assert row["terminal-at"] and row["cancelled-at"]


def test_legs_may_fill_unevenly(server: TastytradeBrokerServer, desk: DeskClient) -> None:
    order_id = desk.place(order(quantity=2))["id"]
    server.fill(order_id, legs={SHORT: 2, LONG: 1})
    row = desk.data(f"{ORDERS}/{order_id}")
    assert (row["status"], [part["remaining-quantity"] for part in row["legs"]]) == ("Live", [0, 1])
    server.fill(order_id, legs={LONG: 1})
    assert desk.status(order_id) == "Filled"


def test_filled_may_be_said_before_every_fill_is_listed(server: TastytradeBrokerServer, desk: DeskClient) -> None:
    server.policy.late_fills = 2
    order_id = filled(server, desk)
    seen = [desk.data(f"{ORDERS}/{order_id}") for _ in range(3)]
    assert [row["status"] for row in seen] == ["Filled"] * 3
    assert [[len(part["fills"]) for part in row["legs"]] for row in seen] == [[1, 0], [1, 0], [1, 1]]


@pytest.mark.parametrize("at, first", [("Received", "Rejected"), ("Routed", "Routed"), ("Live", "Routed")])
def test_an_order_may_be_rejected_at_once_or_later(
    server: TastytradeBrokerServer, desk: DeskClient, at: str, first: str
) -> None:
    server.reject_next("Session offline", at=at)
    placed = desk.place()
    assert placed["status"] == first
    row = desk.data(f"{ORDERS}/{placed['id']}")
    assert (row["status"], row["reject-reason"]) == ("Rejected", "Session offline")
    assert desk.status(desk.place()["id"]) == "Live"


def test_while_the_market_is_closed_an_order_waits(server: TastytradeBrokerServer, desk: DeskClient) -> None:
    server.state = "Closed"
    got = desk.call("POST", ORDERS, order()).json()["data"]
    assert got["warnings"][0]["code"] == "tif.next_valid_session"
    order_id = got["order"]["id"]
    assert desk.status(order_id) == "Received"
    server.state = "Open"
    assert desk.status(order_id) == "Live"


def test_an_unrouted_order_is_cancelled_in_one_step(server: TastytradeBrokerServer, desk: DeskClient) -> None:
    server.state = "Closed"
    order_id = desk.place()["id"]
    got = desk.call("DELETE", f"{ORDERS}/{order_id}")
    assert (got.status_code, got.json()["data"]["status"]) == (200, "Cancelled")


def test_at_the_close_orders_for_the_day_expire_with_their_fills(
    server: TastytradeBrokerServer, desk: DeskClient
) -> None:
    day, rest = desk.place(order(quantity=2))["id"], desk.place(order(**{"time-in-force": "GTC"}))["id"]
    server.fill(day, 1)
    server.expire_orders()
    assert (desk.status(day), desk.status(rest)) == ("Expired", "Live")
    assert server.order(day).spreads == 1
    server.at += timedelta(days=1)
    assert [row["id"] for row in desk.items(LIVE)] == [rest]


# Cancel and replace.


def test_a_cancel_is_asked_for_and_then_confirmed(server: TastytradeBrokerServer, desk: DeskClient) -> None:
    order_id = desk.place()["id"]
    got = desk.call("DELETE", f"{ORDERS}/{order_id}")
    assert (got.status_code, got.json()["data"]["status"]) == (200, "Cancel Requested")
    assert desk.status(order_id) == "Cancelled"
    again = desk.call("DELETE", f"{ORDERS}/{order_id}")
    assert (again.status_code, again.json()["error"]["code"]) == (422, "cannot_update_order")


@pytest.mark.parametrize("spreads, status, done", [(None, "Filled", 2), (1, "Cancelled", 1)])
def test_a_fill_may_win_against_a_cancel(
    server: TastytradeBrokerServer, desk: DeskClient, spreads: int | None, status: str, done: int
) -> None:
    order_id = desk.place(order(quantity=2))["id"]
    server.race(spreads)
    assert desk.call("DELETE", f"{ORDERS}/{order_id}").json()["data"]["status"] == "Cancel Requested"
    assert desk.status(order_id) == status
    assert server.order(order_id).spreads == done


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_a_replacement_is_a_new_order_and_ends_the_old_one(
    server: TastytradeBrokerServer, desk: DeskClient, method: str
) -> None:
    server.policy.step = "manual"
    old = desk.place()["id"]
    server.advance(states=3)
    body = (
        order("1.04", legs=None, **{"external-identifier": "spy32-P1-A1-2"}) if method == "PUT" else {"price": "1.04"}
    )
    got = desk.call(method, f"{ORDERS}/{old}", body)
    new = got.json()["data"]
    assert (got.status_code, new["status"], new["replaces-order-id"], new["price"]) == (200, "Contingent", old, "1.04")
    assert [part["symbol"] for part in new["legs"]] == [SHORT, LONG]
    assert new.get("external-identifier") == ("spy32-P1-A1-2" if method == "PUT" else None)
    assert desk.status(old) == "Replace Requested"
    assert desk.call("PUT", f"{ORDERS}/{old}", order("1.03", legs=None)).status_code == 422
    server.advance(old)
    row = desk.data(f"{ORDERS}/{old}")
    assert (row["status"], row["edited"], row["replacing-order-id"]) == ("Cancelled", True, new["id"])
    assert desk.status(new["id"]) == "Routed"
    server.settle()
    assert desk.status(new["id"]) == "Live"
    assert desk.call("PATCH", f"{ORDERS}/{old}", {"price": "1.02"}).json()["error"]["code"] == "cannot_update_order"


@pytest.mark.parametrize("spreads, status", [(None, "Filled"), (1, "Live")])
def test_a_fill_of_the_original_aborts_its_replacement(
    server: TastytradeBrokerServer, desk: DeskClient, spreads: int | None, status: str
) -> None:
    old = desk.place(order(quantity=2))["id"]
    server.race(spreads)
    new = desk.call("PATCH", f"{ORDERS}/{old}", {"price": "1.04"}).json()["data"]
    assert new["status"] == "Contingent"
    assert (desk.status(old), desk.status(new["id"])) == (status, "Rejected")
    assert server.order(new["id"]).spreads == 0
    assert "replacing-order-id" not in desk.data(f"{ORDERS}/{old}")


@pytest.mark.parametrize("is_whole, size", [(False, 2), (True, 3)])
def test_a_replacement_after_a_fill_has_what_is_left_unless_told_otherwise(
    server: TastytradeBrokerServer, desk: DeskClient, is_whole: bool, size: int
) -> None:
    server.policy.replaces_whole = is_whole
    old = desk.place(order(quantity=3))["id"]
    server.fill(old, 1)
    new = desk.call("PATCH", f"{ORDERS}/{old}", {"price": "1.04"}).json()["data"]
    assert desk.data(f"{ORDERS}/{new['id']}")["size"] == size


def test_a_replacement_needs_no_buying_power_beside_the_original(
    server: TastytradeBrokerServer, desk: DeskClient
) -> None:
    server.account().cash = Decimal(400)
    old = desk.place()["id"]
    assert desk.refused(order())[2] == {"margin_check_failed"}
    assert desk.call("PATCH", f"{ORDERS}/{old}", {"price": "1.04"}).status_code == 200


def test_a_replacement_can_be_tried_first_and_changes_no_legs(server: TastytradeBrokerServer, desk: DeskClient) -> None:
    old = desk.place()["id"]
    got = desk.call("POST", f"{ORDERS}/{old}/dry-run", {"price": "1.04"})
    assert (got.status_code, got.json()["data"]["order"]["price"]) == (201, "1.04")
    changed = order("1.04", legs=[leg("Sell to Open", SHORT), leg("Buy to Open", OTHER)])
    assert desk.call("PUT", f"{ORDERS}/{old}", changed).status_code == 400
    assert len(server.orders) == 1
