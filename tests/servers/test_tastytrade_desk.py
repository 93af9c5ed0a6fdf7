"""The stand-in for tastytrade's order desk by plain requests: accounts, sums, lists, sessions, what is done by hand."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
import requests

from tests.servers.plain_desk import LIVE, LONG, ORDERS, OTHER, SHORT, DeskClient, closing, filled, order
from tests.servers.tastytrade_orders import ACCOUNT, AT, TastytradeBrokerServer
from tests.servers.tastytrade_state import LegState, Rates, Ticket, leg_prices, margin

pytestmark = pytest.mark.slow

# Accounts.


def test_accounts_are_wrapped_and_closed_ones_are_listed_too(server: TastytradeBrokerServer, desk: DeskClient) -> None:
    server.add_account("5WX09999", is_closed=True)
    server.add_account("5WX08888", kind="Cash", cash=Decimal(2500))
    items = desk.items("/customers/me/accounts")
    assert [item["account"]["account-number"] for item in items] == [ACCOUNT, "5WX09999", "5WX08888"]
    assert [item["account"]["is-closed"] for item in items] == [False, True, False]
    assert items[2]["account"]["margin-or-cash"] == "Cash"
    assert {item["authority-level"] for item in items} == {"owner"}


@pytest.mark.parametrize("path", ["balances/USD", "positions", "trading-status", "position-limit", "orders/live"])
def test_an_account_of_somebody_else_is_not_permitted(desk: DeskClient, path: str) -> None:
    got = desk.call("GET", f"/accounts/5WX00000/{path}")
    assert (got.status_code, got.json()["error"]["code"]) == (403, "not_permitted")


def test_a_fresh_account_has_its_cash_as_buying_power(desk: DeskClient) -> None:
    row = desk.data(f"/accounts/{ACCOUNT}/balances/USD")
    assert (row["cash-balance"], row["derivative-buying-power"]) == ("100000.0", "100000.0")
    assert (row["net-liquidating-value"], row["used-derivative-buying-power"]) == ("100000.0", "0.0")
    assert all(isinstance(value, str) for value in row.values())
    assert desk.items(f"/accounts/{ACCOUNT}/balances") == [row]


def test_a_status_that_is_not_known_is_absent(server: TastytradeBrokerServer, desk: DeskClient) -> None:
    server.account().is_frozen = None
    server.account().is_closing_only = True
    row = desk.data(f"/accounts/{ACCOUNT}/trading-status")
    assert "is-frozen" not in row
    assert row["is-closing-only"] is True
    assert row["options-level"] == "No Restrictions"
    assert desk.data(f"/accounts/{ACCOUNT}/position-limit")["equity-option-order-size"] == 500


# The dry run and its arithmetic, by the published sample.


def test_a_dry_run_has_the_sums_of_the_published_sample(server: TastytradeBrokerServer, desk: DeskClient) -> None:
    server.account().cash = Decimal(50_000)
    got = desk.call("POST", f"{ORDERS}/dry-run", order("1.05"))
    assert got.status_code == 201
    data = got.json()["data"]
    assert data["buying-power-effect"] == {
        "change-in-margin-requirement": "500.0",
        "change-in-margin-requirement-effect": "Debit",
        "change-in-buying-power": "397.25",
        "change-in-buying-power-effect": "Debit",
        "current-buying-power": "50000.0",
        "current-buying-power-effect": "Credit",
        "new-buying-power": "49602.75",
        "new-buying-power-effect": "Credit",
        "isolated-order-margin-requirement": "500.0",
        "isolated-order-margin-requirement-effect": "Debit",
        "is-spread": True,
        "impact": "397.25",
        "effect": "Debit",
    }
    assert data["fee-calculation"] == {
        "commission": "2.0",
        "commission-effect": "Debit",
        "clearing-fees": "0.2",
        "clearing-fees-effect": "Debit",
        "regulatory-fees": "0.05",
        "regulatory-fees-effect": "Debit",
        "proprietary-index-option-fees": "0.0",
        "proprietary-index-option-fees-effect": "None",
        "total-fees": "2.25",
        "total-fees-effect": "Debit",
    }
    echoed = data["order"]
    assert "id" not in echoed
    assert (echoed["status"], echoed["updated-at"], echoed["size"]) == ("Received", 0, 1)
    assert [row["remaining-quantity"] for row in echoed["legs"]] == [1, 1]
    assert (server.orders, server.submits, len(server.dry_runs)) == ([], [], 1)


def test_the_account_after_a_fill_is_what_the_dry_run_said(server: TastytradeBrokerServer, desk: DeskClient) -> None:
    server.account().cash = Decimal(50_000)
    filled(server, desk)
    row = desk.data(f"/accounts/{ACCOUNT}/balances/USD")
    assert (row["cash-balance"], row["derivative-buying-power"]) == ("50102.75", "49602.75")
    assert row["maintenance-requirement"] == "500.0"


def test_a_working_order_reserves_its_buying_power(desk: DeskClient) -> None:
    order_id = desk.place(order("1.00", quantity=2))["id"]
    path = f"/accounts/{ACCOUNT}/balances/USD"
    assert desk.data(path)["derivative-buying-power"] == "99195.5"
    desk.call("DELETE", f"{ORDERS}/{order_id}")
    assert desk.data(path)["derivative-buying-power"] == "100000.0"


@pytest.mark.parametrize(
    "held, worst",
    [
        ({"SPY   261221P00630000": -1, "SPY   261221P00625000": 1}, 500),
        ({"SPY   261221C00660000": -3, "SPY   261221C00667000": 3}, 2100),
        # An iron condor loses on one side only.
        (
            {
                "SPY   261221P00630000": -1,
                "SPY   261221P00625000": 1,
                "SPY   261221C00660000": -1,
                "SPY   261221C00667000": 1,
            },
            700,
        ),
        ({"SPY   261221P00630000": 1, "SPY   261221P00625000": -1}, 0),
        ({"SPY   261221P00630000": -1}, 63_000),
        # A call has no ceiling; twice its strike is as far as this goes.
        ({"SPY   261221C00660000": -1}, 66_000),
        # Other expirations do not cover.
        ({"SPY   261221P00630000": -1, "SPY   261214P00625000": 1}, 63_000),
    ],
)
def test_margin_is_the_most_that_can_be_lost_at_expiration(held: dict[str, int], worst: int) -> None:
    assert margin(held) == worst


@pytest.mark.parametrize("credit", ["-4.20", "-0.52", "-0.01", "0.01", "1.05", "2.64", "4.99", "9.00"])
@pytest.mark.parametrize("actions", [("Sell to Open", "Buy to Open"), ("Buy to Close", "Sell to Close")])
def test_leg_prices_make_up_the_credit_and_are_positive(credit: str, actions: tuple[str, str]) -> None:
    legs = [LegState(actions[0], SHORT, 2), LegState(actions[1], LONG, 2)]
    ticket = Ticket(id=1, account="", kind="Limit", force="Day", legs=legs, credit=Decimal(credit), at=AT)
    prices = leg_prices(ticket, Decimal(credit), {SHORT: Decimal("2.645"), LONG: Decimal("1.59")})
    signs = [1 if action.startswith("Sell") else -1 for action in actions]
    assert signs[0] * prices[SHORT] + signs[1] * prices[LONG] == Decimal(credit)
    assert min(prices.values()) > 0
    assert all(price == price.quantize(Decimal("0.01")) for price in prices.values())


def test_closing_pays_no_commission() -> None:
    assert sum(Rates().fees("Buy to Close", 2).values()) == Decimal("0.24")


# By hand, in the broker's own app.


def test_what_is_done_by_hand_is_seen(server: TastytradeBrokerServer, desk: DeskClient) -> None:
    placed = server.by_hand_place({SHORT: ("Sell to Open", 1), LONG: ("Buy to Open", 1)}, Decimal("1.10"))
    row = desk.data(f"{ORDERS}/{placed.id}")
    assert (row["status"], row["source"], "external-identifier" in row) == ("Live", "WEB", False)
    new = server.by_hand_replace(placed.id, Decimal("1.08"))
    assert (desk.status(placed.id), desk.status(new.id)) == ("Cancelled", "Live")
    server.by_hand_cancel(new.id)
    assert desk.status(new.id) == "Cancelled"
    server.by_hand_hold(OTHER, -2)
    held = desk.items(f"/accounts/{ACCOUNT}/positions")
    assert [(row["symbol"], row["quantity"], row["quantity-direction"]) for row in held] == [(OTHER, 2, "Short")]
    assert server.submits == []


def test_any_answer_can_be_changed(server: TastytradeBrokerServer, desk: DeskClient) -> None:
    server.edits["order"] = lambda row: {**row, "status": "Remove Pending"}
    assert desk.status(desk.place()["id"]) == "Remove Pending"
    server.edits["dry-run"] = lambda data: {**data, "buying-power-effect": None}
    got = desk.call("POST", f"{ORDERS}/dry-run", order())
    assert got.json()["data"]["buying-power-effect"] is None


# Lists.


def test_history_is_paged_and_asks_for_a_start(server: TastytradeBrokerServer, desk: DeskClient) -> None:
    ids = [desk.place()["id"] for _ in range(12)]
    assert desk.call("GET", ORDERS).status_code == 400
    first = desk.call("GET", ORDERS, start_date="2026-11-23").json()
    assert [row["id"] for row in first["data"]["items"]] == ids[:1:-1]
    assert first["context"] == ORDERS
    assert first["pagination"] == {
        "per-page": 10,
        "page-offset": 0,
        "item-offset": 0,
        "total-items": 12,
        "total-pages": 2,
        "current-item-count": 10,
        "previous-link": None,
        "next-link": None,
        "paging-link-template": None,
    }
    second = desk.items(ORDERS, start_date="2026-11-23", page_offset="1")
    assert [row["id"] for row in second] == ids[1::-1]
    desk.version = "20251101"
    assert len(desk.items(ORDERS, per_page=50, sort="Asc", **{"status[]": ["Live", "Filled"]})) == 12
    assert desk.items(ORDERS, **{"status[]": "Filled"}) == []


def test_todays_orders_have_every_status_and_no_pages(server: TastytradeBrokerServer, desk: DeskClient) -> None:
    filled(server, desk)
    gone = desk.place()["id"]
    desk.call("DELETE", f"{ORDERS}/{gone}")
    got = desk.call("GET", LIVE).json()
    assert "pagination" not in got
    assert [row["status"] for row in got["data"]["items"]] == ["Cancelled", "Filled"]
    server.at += timedelta(days=1)
    assert desk.items(LIVE) == []
    assert len(desk.items(ORDERS, start_date="2026-11-23")) == 2


def test_history_has_one_line_per_leg_and_fill(server: TastytradeBrokerServer, desk: DeskClient) -> None:
    order_id = filled(server, desk)
    path = f"/accounts/{ACCOUNT}/transactions"
    bought, sold = desk.items(path, start_date="2026-11-23", **{"types[]": "Trade"})
    assert (sold["order-id"], sold["transaction-sub-type"], sold["symbol"]) == (order_id, "Sell to Open", SHORT)
    assert (sold["quantity"], sold["value-effect"], bought["value-effect"]) == ("1.0", "Credit", "Debit")
    assert (sold["commission"], sold["clearing-fees"], sold["regulatory-fees"]) == ("1.0", "0.1", "0.03")
    assert Decimal(sold["net-value"]) == Decimal(sold["value"]) - Decimal("1.13")
    assert sold["executed-at"] == "2026-11-23T15:00:01.328Z"
    assert sold["is-estimated-fee"] is True
    server.finish_fees()
    assert {row["is-estimated-fee"] for row in desk.items(path)} == {False}
    paged = desk.call("GET", path, per_page=1, page_offset=1, sort="Asc").json()
    assert [row["symbol"] for row in paged["data"]["items"]] == [LONG]
    assert paged["pagination"]["total-pages"] == 2
    assert desk.items(path, start_date="2026-11-24") == []


def test_an_assignment_leaves_its_lines_and_the_shares(server: TastytradeBrokerServer, desk: DeskClient) -> None:
    filled(server, desk, quantity=2)
    cash = server.account().cash
    server.assign(SHORT, 1)
    shares, option = desk.items(f"/accounts/{ACCOUNT}/transactions", **{"types[]": "Receive Deliver"})
    assert (option["transaction-sub-type"], option["symbol"], option["quantity"]) == ("Assignment", SHORT, "1.0")
    assert (shares["symbol"], shares["quantity"], shares["action"]) == ("SPY", "100.0", "Buy to Open")
    assert server.account().held == {SHORT: -1, LONG: 2, "SPY": 100}
    assert server.account().cash == cash - 63_000


def test_what_is_far_out_of_the_money_expires_and_leaves_no_trade(
    server: TastytradeBrokerServer, desk: DeskClient
) -> None:
    filled(server, desk)
    target = desk.place(closing(price="0.01", **{"time-in-force": "GTC"}))["id"]
    server.expire(date(2026, 12, 21), 650)
    rows = desk.items(f"/accounts/{ACCOUNT}/transactions", **{"types[]": "Receive Deliver"})
    assert {(row["transaction-sub-type"], row["value"]) for row in rows} == {("Expiration", "0.0")}
    assert desk.items(f"/accounts/{ACCOUNT}/positions") == []
    assert desk.status(target) == "Cancelled"


def test_through_both_strikes_the_spread_costs_its_width(server: TastytradeBrokerServer, desk: DeskClient) -> None:
    filled(server, desk)
    cash = server.account().cash
    server.expire(date(2026, 12, 21), 600)
    assert server.account().held == {}
    assert server.account().cash == cash - 500


# Sessions and the sandbox.


@pytest.mark.parametrize(
    "at, state, coming",
    [
        (datetime(2026, 11, 23, 15, tzinfo=UTC), "Open", "2026-11-24"),
        (datetime(2026, 11, 23, 14, tzinfo=UTC), "Pre-market", "2026-11-24"),
        (datetime(2026, 11, 23, 22, tzinfo=UTC), "Extended", "2026-11-24"),
        (datetime(2026, 11, 23, 9, tzinfo=UTC), "Closed", "2026-11-23"),
        (datetime(2026, 11, 26, 15, tzinfo=UTC), "Closed", "2026-11-27"),
    ],
)
def test_the_session_follows_the_calendar(at: datetime, state: str, coming: str) -> None:
    with TastytradeBrokerServer(at=at).running() as server:
        row = DeskClient(server).data("/market-time/equities/sessions/current")
    assert (row["state"], row["next-session"]["session-date"]) == (state, coming)
    assert ("open-at" in row) == (state != "Closed")


def test_the_sandbox_has_no_market_data_and_is_reset(server: TastytradeBrokerServer, desk: DeskClient) -> None:
    server.is_sandbox = True
    desk.version = ""
    filled(server, desk)
    got = desk.call("GET", "/market-data/by-type", equity="SPY")
    assert (got.status_code, got.headers["Content-Type"]) == (502, "text/html")
    server.reset()
    assert desk.items(LIVE) == desk.items(f"/accounts/{ACCOUNT}/positions") == []
    assert desk.data(f"/accounts/{ACCOUNT}/balances/USD")["cash-balance"] == "100000.0"
    desk.version = "20261012"
    assert desk.call("GET", LIVE).status_code == 406


def test_a_bad_user_agent_gets_a_page_and_an_unknown_path_an_error(
    server: TastytradeBrokerServer, desk: DeskClient
) -> None:
    got = requests.get(server.url + LIVE, headers={"User-Agent": "spy32"}, timeout=5)
    assert (got.status_code, got.headers["Content-Type"]) == (401, "text/html")
    assert desk.call("GET", "/nothing").status_code == 404
    assert desk.call("GET", f"{ORDERS}/1").status_code == 404


def test_a_subprocess_is_pointed_here_by_its_environment(server: TastytradeBrokerServer) -> None:
    variables = server.environment("sandbox")
    assert variables["SPY32_TASTYTRADE_URL"] == server.url
    assert variables["SPY32_CLOCK"] == "2026-11-23T15:00:01Z"
    assert {"SPY32_MODE", "TASTYTRADE_CLIENT_SECRET", "TASTYTRADE_REFRESH_TOKEN", "TASTYTRADE_ACCOUNT"} < set(variables)
