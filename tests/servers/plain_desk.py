"""A client of the order desk without a mind of its own, and the bodies that it sends."""

from typing import Any

import requests

from tests.servers.tastytrade import CLIENT_SECRET, REFRESH_TOKEN
from tests.servers.tastytrade_orders import ACCOUNT, TastytradeBrokerServer

SHORT, LONG = "SPY   261221P00630000", "SPY   261221P00625000"
OTHER = "SPY   261221P00620000"
ORDERS = f"/accounts/{ACCOUNT}/orders"
LIVE = f"{ORDERS}/live"
Row = dict[str, Any]


class DeskClient:
    """A client without a mind of its own."""

    def __init__(self, server: TastytradeBrokerServer) -> None:
        self.server = server
        self.version = "20261012"
        self.log_in()

    def log_in(self) -> None:
        body = {"grant_type": "refresh_token", "refresh_token": REFRESH_TOKEN, "client_secret": CLIENT_SECRET}
        got = requests.post(f"{self.server.url}/oauth/token", json=body, headers={"User-Agent": "a/1"}, timeout=5)
        self.token = got.json()["access_token"]

    def call(
        self, method: str, path: str, body: Row | None = None, timeout: float = 5, **query: Any
    ) -> requests.Response:
        headers = {"User-Agent": "a/1", "Authorization": f"Bearer {self.token}"}
        if self.version:
            headers["Accept-Version"] = self.version
        asked = {key.replace("_", "-"): value for key, value in query.items()}
        url = self.server.url + path
        return requests.request(method, url, json=body, params=asked, headers=headers, timeout=timeout)

    def data(self, path: str, **query: Any) -> Any:
        got = self.call("GET", path, **query)
        assert got.status_code == 200, got.text
        return got.json()["data"]

    def items(self, path: str, **query: Any) -> list[Row]:
        return self.data(path, **query)["items"]

    def place(self, body: Row | None = None) -> Row:
        got = self.call("POST", ORDERS, body or order())
        assert got.status_code == 201, got.text
        return got.json()["data"]["order"]

    def status(self, order_id: int) -> str:
        return self.data(f"{ORDERS}/{order_id}")["status"]

    def refused(self, body: Row, path: str = ORDERS) -> tuple[int, str, set[str]]:
        """(status, code, inner codes or domains)."""
        got = self.call("POST", path, body)
        error = got.json()["error"]
        inner = {entry.get("code") or entry["domain"] for entry in error.get("errors", [])}
        return got.status_code, error["code"], inner


def leg(action: str, symbol: str, quantity: int = 1) -> Row:
    return {"action": action, "instrument-type": "Equity Option", "symbol": symbol, "quantity": quantity}


def order(price: str = "1.05", quantity: int = 1, **over: Any) -> Row:
    body: Row = {
        "time-in-force": "Day",
        "order-type": "Limit",
        "price": price,
        "price-effect": "Credit",
        "source": "spy32",
        "external-identifier": "spy32-P1-A1-1",
        "legs": [leg("Sell to Open", SHORT, quantity), leg("Buy to Open", LONG, quantity)],
    }
    return {name: value for name, value in (body | over).items() if value is not None}


def closing(price: str = "0.50", quantity: int = 1, *, strict: bool = True, **over: Any) -> Row:
    legs = [leg("Buy to Close", SHORT, quantity), leg("Sell to Close", LONG, quantity)]
    terms = {"advanced-instructions": {"strict-position-effect-validation": strict}}
    return order(price, legs=legs, **{"price-effect": "Debit", "external-identifier": "spy32-P1-A1-t1"} | terms | over)


def filled(server: TastytradeBrokerServer, desk: DeskClient, quantity: int = 1, price: str = "1.05") -> int:
    """The id of an order that filled whole."""
    order_id = desk.place(order(price, quantity))["id"]
    server.fill(order_id)
    return order_id
