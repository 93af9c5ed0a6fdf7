"""Accounts of a log-in, and what one of them holds and may do."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from spy32.clients.tastytrade.market import Fields, amount, fields_of, flag_if_any
from spy32.clients.tastytrade.wire import Clean, label, money, of_account, words, wrong
from spy32.domain.trading import Position
from spy32.errors import Unusable

FLAGS = {
    "is-closed": "closed",
    "is-frozen": "frozen",
    "is-closing-only": "closing only",
    "is-risk-reducing-only": "risk reducing only",
    "is-in-margin-call": "margin call",
}
"""Flags of the trading status, and what each of them means in words."""
NEEDED = frozenset({"is-frozen", "is-closing-only", "is-in-margin-call"})
"""Flags that must be told before anything is opened."""
UNTOLD = "the broker does not say whether it is"
DIRECTIONS = {"Long": 1, "Short": -1, "Zero": 0}

_NUMBER = re.compile(r"[A-Za-z0-9]{5,32}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One account of the log-in."""

    number: str
    is_closed: bool

    def __repr__(self) -> str:
        return f"Held({self.ending})"

    @property
    def ending(self) -> str:
        """The only form that is ever shown."""
        return "…" + self.number[-4:]


def accounts_of(items: Sequence[Any]) -> tuple[Held, ...]:
    """Every account that is listed, the closed ones too."""
    found = []
    for item in items:
        fields = unwrapped(item)
        number = fields.get("account-number")
        # It becomes part of addresses, and its last four characters must not be all of it.
        if not isinstance(number, str) or not _NUMBER.fullmatch(number):
            raise wrong("account-number", "the number of an account")
        found.append(Held(number=number, is_closed=flag_if_any(fields, "is-closed") is True))
    return tuple(found)


def unwrapped(item: Any) -> Fields:
    """The account itself, which lists wrap and a single answer does not."""
    fields = fields_of(item, "accounts")
    return fields_of(fields["account"], "accounts") if "account" in fields else fields


def balances_of(data: Any, number: str) -> tuple[Decimal, Decimal]:
    """Net liquidating value and derivative buying power in dollars, from one object or a list by currency."""
    fields = fields_of(data, "balances")
    if "items" in fields:
        listed = fields["items"] if isinstance(fields["items"], list) else []
        dollars = [row for row in listed if isinstance(row, dict) and row.get("currency") == "USD"]
        if len(dollars) != 1:
            raise Unusable(f"tastytrade: balances has {len(dollars)} entries in USD, not one")
        fields = dollars[0]
    fields = of_account(fields, "balances", number)
    if fields.get("currency", "USD") != "USD":
        raise wrong("currency", "USD")
    return money(fields, "net-liquidating-value"), money(fields, "derivative-buying-power")


def options_level(status: Fields, clean: Clean) -> str:
    """In the broker's words; empty when it is not told."""
    return words(status, "options-level", clean)


def restrictions(status: Fields, account: Fields) -> tuple[str, ...]:
    """Why nothing may be opened, in words.

    What the broker does not say is a restriction too: no value means refuse.
    """
    return tuple(dict.fromkeys(_restrictions(status, account)))


def _restrictions(status: Fields, account: Fields) -> Iterator[str]:
    for key, meaning in FLAGS.items():
        flag = flag_if_any(status, key)
        if flag:
            yield meaning
        elif flag is None and key in NEEDED:
            yield f"{UNTOLD} {meaning}"
    if flag_if_any(account, "is-closed"):
        yield FLAGS["is-closed"]
    kind = account.get("margin-or-cash")
    if kind not in ("Margin", "Cash"):
        yield f"{UNTOLD} a cash account"
    elif kind == "Cash":
        yield "cash account"


def positions_of(items: Sequence[Any], number: str) -> tuple[Position, ...]:
    """What is held, short negative. Rows of what was closed today are left out.

    A fraction of a share is left out as well: whole shares are what an assignment moves. A fraction of an option is
    nothing that exists.
    """
    found: list[Position] = []
    for item in items:
        fields = of_account(item, "a position", number)
        symbol, quantity = label(fields, "symbol"), money(fields, "quantity")
        sign = DIRECTIONS.get(str(fields.get("quantity-direction")))
        if not symbol or quantity < 0 or sign is None or (sign == 0 and quantity != 0):
            raise wrong("quantity of a position", "a holding with its direction")
        if fields.get("instrument-type") == "Equity Option" and quantity % 1:
            raise wrong("quantity", "a whole number of options")
        if int(quantity):
            price = amount(fields, "average-open-price")
            found.append(Position(symbol=symbol, quantity=sign * int(quantity), average_price=price))
    return tuple(found)
