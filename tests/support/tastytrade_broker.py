"""The tastytrade broker on a server that says what a test wants it to say, and the documents that it may say."""

import traceback
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from spy32.brokers.tastytrade import TastytradeBroker
from spy32.clients.tastytrade import accounts
from spy32.domain.orders import OrderKind
from spy32.domain.spreads import Mode
from spy32.errors import Spy32Error, Unusable
from spy32.rules import plan
from tests.servers import web
from tests.servers.tastytrade import (
    CLIENT_SECRET,
    REFRESH_TOKEN,
    TOKEN,
    Reply,
    Request,
    Rig,
    TastytradeServer,
    refusal,
)
from tests.support import builders

Row = dict[str, Any]

NUMBER = "5WX01234"
SHORT, LONG = "SPY   261224P00640000", "SPY   261224P00635000"


def fill(name: str, price: str, quantity: int = 1) -> Row:
    return {
        "fill-id": name,
        "ext-group-fill-id": "2263911504",
        "quantity": quantity,
        "fill-price": price,
        "filled-at": "2026-11-23T15:02:12.440+00:00",
        "destination-venue": "CITADEL_OPTIONS_A",
    }


def leg(symbol: str, action: str, quantity: int = 1, fills: list[Row] | None = None) -> Row:
    return {
        "action": action,
        "instrument-type": "Equity Option",
        "symbol": symbol,
        "quantity": quantity,
        "remaining-quantity": quantity - sum(each["quantity"] for each in fills or []),
        "fills": fills or [],
    }


def order_row(**over: Any) -> Row:
    """The filled vertical of the vendor's own example; keys in Python's spelling, None removes one."""
    row: Row = {
        "id": 480001,
        "account-number": NUMBER,
        "cancellable": False,
        "external-identifier": "spy32-P1-A1-abcdef-1",
        "order-type": "Limit",
        "price": "1.05",
        "price-effect": "Credit",
        "size": 1,
        "status": "Filled",
        "time-in-force": "Day",
        "received-at": "2026-11-23T15:02:10.114+00:00",
        "underlying-symbol": "SPY",
        "updated-at": 1795446132480,
        "legs": [
            leg(SHORT, "Sell to Open", fills=[fill("3_OPT850090305", "2.64")]),
            leg(LONG, "Buy to Open", fills=[fill("3_OPT850090306", "1.59")]),
        ],
    }
    row |= {key.replace("_", "-"): value for key, value in over.items()}
    return {key: value for key, value in row.items() if value is not None}


def clean(text: str) -> str:
    return " ".join("".join(letter for letter in text if letter.isprintable() or letter == "\n").split())


def dry_row(**over: Any) -> Row:
    order = order_row(id=None, status="Received", updated_at=0)
    row: Row = {
        "order": order,
        "warnings": [],
        "notes": [],
        "buying-power-effect": {
            "change-in-margin-requirement": "500.0",
            "change-in-margin-requirement-effect": "Debit",
            "change-in-buying-power": "397.25",
            "change-in-buying-power-effect": "Debit",
            "impact": "397.25",
        },
        "fee-calculation": {"commission": "2.0", "total-fees": "2.25", "total-fees-effect": "Debit"},
    }
    return {**row, **{key.replace("_", "-"): value for key, value in over.items()}}


def balance(**over: Any) -> Row:
    row = {
        "account-number": NUMBER,
        "currency": "USD",
        "net-liquidating-value": "50000.0",
        "derivative-buying-power": "49000.25",
        "equity-buying-power": "100000.0",
    }
    return {**row, **{key.replace("_", "-"): value for key, value in over.items()}}


ALL_CLEAR = dict.fromkeys(accounts.RESTRICTION_FLAGS, False)


def position(**over: Any) -> Row:
    row = {
        "account-number": NUMBER,
        "instrument-type": "Equity Option",
        "symbol": SHORT,
        "quantity": 1,
        "quantity-direction": "Short",
        "average-open-price": "2.64",
    }
    return {**row, **{key.replace("_", "-"): value for key, value in over.items()}}


def line(**over: Any) -> Row:
    row: Row = {
        "id": 1735820,
        "account-number": NUMBER,
        "transaction-type": "Trade",
        "transaction-sub-type": "Sell to Open",
        "action": "Sell to Open",
        "symbol": SHORT,
        "quantity": "1.0",
        "price": "2.64",
        "value": "264.0",
        "value-effect": "Credit",
        "commission": "1.0",
        "commission-effect": "Debit",
        "clearing-fees": "0.1",
        "clearing-fees-effect": "Debit",
        "regulatory-fees": "0.03",
        "regulatory-fees-effect": "Debit",
        "proprietary-index-option-fees": "0.0",
        "proprietary-index-option-fees-effect": "None",
        "net-value": "262.87",
        "net-value-effect": "Credit",
        "is-estimated-fee": True,
        "order-id": 480001,
        "description": "Sold 1 SPY 12/24/26 Put 640.00 @ 2.64",
        "executed-at": "2026-11-23T15:02:12.440Z",
        "created-at": "2026-11-23T15:02:12.600Z",
    }
    row |= {key.replace("_", "-"): value for key, value in over.items()}
    return {key: value for key, value in row.items() if value is not None}


REFERENCE = "spy32-P1-A1-abcdef-1"
SECRETS = (CLIENT_SECRET, REFRESH_TOKEN, TOKEN, NUMBER)
HOME = f"/accounts/{NUMBER}"
ORDERS = f"{HOME}/orders"
ONE = f"{ORDERS}/480001"


def body(reference: str = REFERENCE) -> str:
    spread = builders.spread(expiration=date(2026, 12, 24))
    return plan.order_body(spread.legs, 1, Decimal("1.05"), reference, kind=OrderKind.ENTRY)


class Scripted(TastytradeServer):
    """Answers each call by what `said` holds for it; what it holds for none is not there."""

    def __init__(self) -> None:
        super().__init__()
        self.said: dict[str, Reply] = {}

    def says(self, call: str, data: Any, status: int = 200) -> None:
        self.said[call] = Reply(status=status, body={"data": data, "context": "/"})

    def routes(self) -> dict[str, Callable[..., Reply]]:
        return {r"(\w+ .*)": self._scripted}

    def _scripted(self, request: Request, call: str) -> Reply:
        return self.said.get(call, refusal(404, "not_found", f"No {call}"))

    def sent(self, method: str = "POST") -> list[Request]:
        return [each for each in self.requests if each.method == method and each.path != "/oauth/token"]


def made(rig: Rig, seconds: float = 5) -> TastytradeBroker:
    return TastytradeBroker(lambda: (rig.rest, NUMBER), mode=Mode.SANDBOX, clock=rig.clock, seconds=seconds)


def failed(act: Callable[[], object]) -> Spy32Error:
    """The error of `act`, in which neither a secret nor the account stands, wherever a traceback would show it."""
    with pytest.raises(Spy32Error) as caught:
        act()
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value.args)
    assert not [secret for secret in SECRETS if secret in shown]
    assert caught.value.message.isprintable()
    return caught.value


def replaced(reply: Reply) -> web.Fault:
    return web.changed(lambda _: reply)


INNER = [
    {"code": "margin_check_failed", "message": "Too little."},
    {"domain": "price-effect", "reason": "is missing"},
]


def refused(act: Callable[[], object], *pieces: str) -> None:
    with pytest.raises(Unusable) as caught:
        act()
    assert not [piece for piece in pieces if piece not in caught.value.message], caught.value.message
    assert NUMBER not in caught.value.message
