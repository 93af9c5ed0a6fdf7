"""What the stand-in refuses, and what it does with a request whose answer is lost."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
import requests

from spy32.clients.http import HttpFailure
from tests.servers.plain_desk import LIVE, LONG, ORDERS, SHORT, DeskClient, Row, closing, filled, leg, order
from tests.servers.tastytrade import Rig
from tests.servers.tastytrade_faults import FAULTS, LOST
from tests.servers.tastytrade_orders import ACCOUNT, AT, TastytradeBrokerServer
from tests.support.timeouts import SOON

pytestmark = pytest.mark.slow

# Refusals.


@pytest.mark.parametrize(
    "body, domain",
    [
        (order(**{"price-effect": None}), "price-effect"),
        (order(**{"price-effect": "credit"}), "price-effect"),
        (order(price=None), "price"),
        (order("-1.05"), "price"),
        (order("1.055"), "price"),
        (order("NaN"), "price"),
        (order(**{"order-type": None}), "order-type"),
        (order(**{"time-in-force": "Daily"}), "time-in-force"),
        (order(**{"time-in-force": "GTD"}), "gtc-date"),
        (order(**{"order-type": "Market"}), "price"),
        (order(**{"ext-client-order-id": "1"}), "ext-client-order-id"),
        (order(legs=[]), "legs"),
        (order(legs=[leg("Sell to Open", SHORT), leg("Buy to Open", SHORT)]), "legs"),
        (order(legs=[leg("Buy to Open", LONG, 0)]), "legs[0].quantity"),
        (order(legs=[leg("Sell", LONG)]), "legs[0].action"),
        (order(legs=[leg("Buy to Open", LONG.replace(" ", ""))]), "legs[0].symbol"),
    ],
)
def test_a_malformed_order_is_refused_with_domain_and_reason(
    server: TastytradeBrokerServer, desk: DeskClient, body: Row, domain: str
) -> None:
    status, code, inner = desk.refused(body)
    assert (status, code) == (400, "validation_error")
    assert domain in inner
    assert server.orders == []
    assert len(server.submits) == 1


def test_what_is_no_json_is_refused(server: TastytradeBrokerServer, desk: DeskClient) -> None:
    headers = {"User-Agent": "a/1", "Authorization": f"Bearer {desk.token}"}
    got = requests.post(server.url + ORDERS, data=b"{", headers=headers, timeout=5)
    assert (got.status_code, got.json()["error"]["code"]) == (400, "invalid_request_body")


@pytest.mark.parametrize("path", [ORDERS, f"{ORDERS}/dry-run"])
@pytest.mark.parametrize(
    "body, code",
    [
        (order("1.05", quantity=300), "margin_check_failed"),
        (order(legs=[leg("Buy to Open", LONG)]), "cant_buy_for_credit"),
        (closing(), "closing_with_no_position"),
        (order(quantity=501), "order_size_limit_exceeded"),
        (order(legs=[leg("Buy to Open", "SPY   261221P00630010")]), "instrument_not_found"),
        (
            order(**{"order-type": "Market", "price": None, "price-effect": None, "time-in-force": "GTC"}),
            "gtc_market_orders_not_supported",
        ),
    ],
)
def test_what_the_account_may_not_have_is_refused_by_its_code(
    server: TastytradeBrokerServer, desk: DeskClient, path: str, body: Row, code: str
) -> None:
    status, outer, inner = desk.refused(body, path)
    assert (status, outer) == (422, "preflight_check_failure")
    assert code in inner
    assert server.orders == []


@pytest.mark.parametrize(
    "facts",
    [
        {"is_frozen": True},
        {"is_closing_only": True},
        {"is_risk_reducing_only": True},
        {"is_in_margin_call": True},
        {"kind": "Cash"},
        {"is_closed": True},
        {"options_level": "Covered And Cash Secured"},
    ],
)
def test_a_restricted_account_opens_no_spread(server: TastytradeBrokerServer, desk: DeskClient, facts: Row) -> None:
    server.add_account(ACCOUNT, **facts)
    assert desk.refused(order())[:2] == (422, "preflight_check_failure")


def test_opening_at_the_market_is_refused_while_closed(server: TastytradeBrokerServer, desk: DeskClient) -> None:
    server.state = "Closed"
    body = order(price=None, legs=[leg("Buy to Open", LONG)], **{"order-type": "Market", "price-effect": None})
    assert desk.refused(body)[2] == {"tif_no_after_hours_opening_market_orders"}


def test_a_working_order_on_the_other_side_of_a_symbol_is_in_the_way(
    server: TastytradeBrokerServer, desk: DeskClient
) -> None:
    filled(server, desk)
    desk.place(closing(price="0.01", **{"time-in-force": "GTC"}))
    assert desk.refused(order())[2] == {"illegal_buy_and_sell_on_same_symbol"}
    assert desk.refused(closing(price="0.02"))[2] == {"cannot_close_against_more_than_existing_position"}


def test_a_close_without_a_position_opens_one_unless_strict(server: TastytradeBrokerServer, desk: DeskClient) -> None:
    got = desk.call("POST", f"{ORDERS}/dry-run", closing(strict=False)).json()["data"]
    assert {entry["code"] for entry in got["warnings"]} == {"closing_with_no_position"}
    assert [part["action"] for part in got["order"]["legs"]] == ["Buy to Open", "Sell to Open"]


def test_more_than_the_position_cannot_be_closed(server: TastytradeBrokerServer, desk: DeskClient) -> None:
    filled(server, desk)
    assert desk.refused(closing(quantity=2))[2] == {"cannot_close_against_more_than_existing_position"}


@pytest.mark.parametrize("form, key", [("errors", "errors"), ("warnings", "warnings")])
def test_a_dry_run_can_say_no_with_201(server: TastytradeBrokerServer, desk: DeskClient, form: str, key: str) -> None:
    server.dry_run_form = form
    got = desk.call("POST", f"{ORDERS}/dry-run", order(quantity=300))
    assert got.status_code == 201
    assert got.json()["data"][key][0]["code"] == "margin_check_failed"


def test_closing_gives_the_margin_back(server: TastytradeBrokerServer, desk: DeskClient) -> None:
    filled(server, desk)
    got = desk.call("POST", f"{ORDERS}/dry-run", closing("0.50")).json()["data"]["buying-power-effect"]
    assert (got["change-in-margin-requirement"], got["change-in-margin-requirement-effect"]) == ("500.0", "Credit")
    assert (got["change-in-buying-power"], got["effect"]) == ("449.75", "Credit")
    server.fill(desk.place(closing("0.50"))["id"])
    assert desk.items(f"/accounts/{ACCOUNT}/positions") == []
    assert server.account().cash == Decimal(100_000) + 105 - Decimal("2.25") - 50 - Decimal("0.25")


# Never de-duplicated; every request counts.


def test_one_reference_sent_twice_makes_two_orders(server: TastytradeBrokerServer, desk: DeskClient) -> None:
    first, second = desk.place()["id"], desk.place()["id"]
    assert [ticket.id for ticket in server.orders_with("spy32-P1-A1-1")] == [first, second]
    assert [write.reference for write in server.sent("submit")] == ["spy32-P1-A1-1"] * 2


@pytest.mark.parametrize("is_after", [False, True])
@pytest.mark.parametrize("kind", [kind for kind in LOST if kind != "drip"])
def test_a_lost_answer_comes_before_or_after_the_order(
    server: TastytradeBrokerServer, desk: DeskClient, kind: Any, is_after: bool
) -> None:
    server.fault_submit(kind, after=is_after)
    order_id = None
    try:
        got = desk.call("POST", ORDERS, order(), timeout=0.3)
        order_id = got.json()["data"]["order"]["id"] if got.status_code in (200, 201) else None
    except (requests.RequestException, ValueError, KeyError):
        pass
    assert order_id is None
    assert len(server.orders_with("spy32-P1-A1-1")) == is_after
    assert len(server.sent("submit")) == 1
    assert len(desk.items(LIVE)) == is_after
    assert desk.place()["status"] == "Routed"


@pytest.mark.parametrize("is_after", [False, True])
def test_a_dripping_answer_outlasts_any_limit(server: TastytradeBrokerServer, is_after: bool) -> None:
    server.fault_submit("drip", after=is_after)
    with pytest.raises(HttpFailure) as caught:
        Rig(server).rest.send("POST", ORDERS, seconds=0.6, data=json.dumps(order()).encode())
    assert caught.value.kind == "timeout"
    assert len(server.orders) == is_after


@pytest.mark.parametrize("is_after", [False, True])
def test_cancel_and_replace_can_be_lost_too(server: TastytradeBrokerServer, desk: DeskClient, is_after: bool) -> None:
    order_id = desk.place()["id"]
    server.fault_replace("500", after=is_after)
    assert desk.call("PATCH", f"{ORDERS}/{order_id}", {"price": "1.04"}).status_code == 500
    assert len(server.orders) == 1 + is_after
    working = server.orders[-1].id
    server.fault_cancel("502", after=is_after)
    got = desk.call("DELETE", f"{ORDERS}/{working}")
    assert (got.status_code, got.headers["Content-Type"]) == (502, "text/html")
    assert desk.status(working) == ("Cancelled" if is_after else "Live")
    server.fault_dry_run("503")
    assert desk.call("POST", f"{ORDERS}/dry-run", order()).status_code == 503
    assert [write.kind for write in server.submits] == ["submit", "replace", "cancel"]


def test_a_token_can_be_over_in_the_middle(server: TastytradeBrokerServer, desk: DeskClient) -> None:
    server.fault_submit("token")
    got = desk.call("POST", ORDERS, order())
    assert (got.status_code, got.json()["error"]["code"]) == (401, "token_invalid")
    assert server.orders == []
    desk.log_in()
    assert desk.place()["status"] == "Routed"


def test_a_new_order_can_be_late_in_every_read(server: TastytradeBrokerServer, desk: DeskClient) -> None:
    server.fault_submit("late", hidden=3)
    order_id = desk.place()["id"]
    assert desk.call("GET", f"{ORDERS}/{order_id}").status_code == 404
    assert desk.items(LIVE) == []
    assert desk.items(ORDERS, start_date="2026-11-23") == []
    assert desk.status(order_id) == "Live"


def test_a_lost_answer_can_be_late_in_the_lists(server: TastytradeBrokerServer, desk: DeskClient) -> None:
    server.fault_submit("500", after=True, hidden=1)
    assert desk.call("POST", ORDERS, order()).status_code == 500
    assert [len(desk.items(LIVE)) for _ in range(2)] == [0, 1]


def test_every_fault_has_a_name() -> None:
    assert {*LOST, "late", "token"} == set(FAULTS)


def test_the_date_header_is_the_clock_of_the_server(server: TastytradeBrokerServer, desk: DeskClient) -> None:
    server.date_ahead = 300
    said = parsedate_to_datetime(desk.call("GET", LIVE).headers["Date"])
    assert said == (AT + timedelta(seconds=300)).replace(microsecond=0)
    server.fault_submit("500")
    said = parsedate_to_datetime(desk.call("POST", ORDERS, order()).headers["Date"])
    assert said == (AT + timedelta(seconds=300)).replace(microsecond=0)


def test_orders_sent_at_once_are_all_taken(server: TastytradeBrokerServer, desk: DeskClient) -> None:
    many = 200
    server.account().cash = Decimal(10_000_000)
    begun = time.monotonic()
    with ThreadPoolExecutor(20) as pool:
        ids = list(pool.map(lambda _: desk.place()["id"], range(many)))
    assert len(set(ids)) == len(server.orders) == len(server.submits) == many
    assert time.monotonic() - begun < SOON


def test_an_order_is_filled_once_however_many_read_it(server: TastytradeBrokerServer, desk: DeskClient) -> None:
    server.policy.step = "read"
    server.policy.fills_at = Decimal(2)
    order_id = desk.place()["id"]
    threads = [threading.Thread(target=desk.status, args=(order_id,)) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert server.order(order_id).spreads == 1
    assert len(server.account().transactions) == 2
