"""Accounts of a log-in: what one of them holds and may do, and its history, one line a leg and fill."""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from spy32.clients.tastytrade.market import (
    Fields,
    parse_amount,
    parse_optional_flag,
    parse_timestamp,
    read_ticker,
    require_fields,
)
from spy32.clients.tastytrade.wire import (
    Sanitiser,
    field_error,
    parse_action,
    parse_id,
    parse_label,
    parse_signed_amount,
    parse_text,
    require_amount,
    require_own_account,
)
from spy32.domain.sanitize import MOST
from spy32.domain.spreads import Position
from spy32.domain.transactions import Transaction, TransactionKind
from spy32.domain.value import value
from spy32.errors import Unusable

RESTRICTION_FLAGS = {
    "is-closed": "closed",
    "is-frozen": "frozen",
    "is-closing-only": "closing only",
    "is-risk-reducing-only": "risk reducing only",
    "is-in-margin-call": "margin call",
}
"""Flags of the trading status, and what each of them means in words."""
REQUIRED_FLAGS = frozenset({"is-frozen", "is-closing-only", "is-in-margin-call"})
"""Flags that the broker must state before anything is opened."""
NOT_STATED = "the broker does not say whether it is"
DIRECTION_SIGNS = {"Long": 1, "Short": -1, "Zero": 0}

_ACCOUNT_NUMBER = re.compile(r"[A-Za-z0-9]{5,32}", re.ASCII)


@value
class AccountRef:
    """One account of the log-in."""

    number: str
    is_closed: bool

    def __repr__(self) -> str:
        """Its ending is the only form that is ever shown."""
        return f"AccountRef(…{self.number[-4:]})"


NO_SPREADS = frozenset({"covered and cash secured", "covered", "none", "no options"})
"""Options levels that carry no credit spread."""


def parse_accounts(items: Sequence[Any]) -> tuple[AccountRef, ...]:
    """Every account that is listed, the closed ones too."""
    found = []
    for item in items:
        fields = unwrap_account(item)
        number = fields.get("account-number")
        # It becomes part of addresses, and its last four characters must not be all of it.
        if not isinstance(number, str) or not _ACCOUNT_NUMBER.fullmatch(number):
            raise field_error("account-number", "the number of an account")
        found.append(AccountRef(number=number, is_closed=parse_optional_flag(fields, "is-closed") is True))
    return tuple(found)


def unwrap_account(item: Any) -> Fields:
    """The account itself, which lists wrap and a single answer does not."""
    fields = require_fields(item, "accounts")
    return require_fields(fields["account"], "accounts") if "account" in fields else fields


def parse_balances(data: Any, number: str) -> tuple[Decimal, Decimal]:
    """Net liquidating value and derivative buying power in dollars, from one object or a list by currency."""
    fields = require_fields(data, "balances")
    if "items" in fields:
        listed = fields["items"] if isinstance(fields["items"], list) else []
        dollars = [row for row in listed if isinstance(row, dict) and row.get("currency") == "USD"]
        if len(dollars) != 1:
            raise Unusable(f"tastytrade: balances has {len(dollars)} entries in USD, not one")
        fields = dollars[0]
    fields = require_own_account(fields, "balances", number)
    if fields.get("currency", "USD") != "USD":
        raise field_error("currency", "USD")
    return require_amount(fields, "net-liquidating-value"), require_amount(fields, "derivative-buying-power")


def permits_spreads(level: str) -> bool | None:
    """Whether an options level permits credit spreads; None without one.

    An unknown level is not refused, since the broker's dry run decides.
    """
    plain = level.strip().lower()
    return plain not in NO_SPREADS if plain else None


def restrictions(status: Fields, account: Fields) -> tuple[str, ...]:
    """Why nothing may be opened, in words. A flag that the broker does not state is a restriction too."""
    flags = {key: parse_optional_flag(status, key) for key in RESTRICTION_FLAGS}
    flags["is-closed"] = flags["is-closed"] or parse_optional_flag(account, "is-closed")
    found = []
    for key, flag in flags.items():
        if flag:
            found.append(RESTRICTION_FLAGS[key])
        elif flag is None and key in REQUIRED_FLAGS:
            found.append(f"{NOT_STATED} {RESTRICTION_FLAGS[key]}")
    kind = account.get("margin-or-cash")
    if kind != "Margin":
        found.append("cash account" if kind == "Cash" else f"{NOT_STATED} a cash account")
    return tuple(found)


def parse_positions(items: Sequence[Any], number: str) -> tuple[Position, ...]:
    """What is held, short negative. Rows of what was closed today are left out.

    A fraction of a share is left out as well: whole shares are what an assignment moves. A fraction of an option is
    nothing that exists.
    """
    found: list[Position] = []
    for item in items:
        fields = require_own_account(item, "a position", number)
        symbol, quantity = read_ticker(parse_label(fields, "symbol")), require_amount(fields, "quantity")
        sign = DIRECTION_SIGNS.get(str(fields.get("quantity-direction")))
        if not symbol or quantity < 0 or sign is None or (sign == 0 and quantity != 0):
            raise field_error("quantity of a position", "a holding with its direction")
        if fields.get("instrument-type") == "Equity Option" and quantity % 1:
            raise field_error("quantity", "a whole number of options")
        if int(quantity):
            price = parse_amount(fields, "average-open-price")
            found.append(Position(symbol=symbol, quantity=sign * int(quantity), average_price=price))
    return tuple(found)


# The history. What came and went without an order is `Receive Deliver`.

TYPES = ("Trade", "Receive Deliver")
"""The types that are requested; money movements do not concern trades."""
SUB_TYPES: Mapping[str, TransactionKind] = {
    "Assignment": TransactionKind.ASSIGNMENT,
    "Cash Settled Assignment": TransactionKind.ASSIGNMENT,
    "Exercise": TransactionKind.EXERCISE,
    "Cash Settled Exercise": TransactionKind.EXERCISE,
    "Expiration": TransactionKind.EXPIRATION,
}
CHARGES = ("commission", "clearing-fees", "regulatory-fees", "proprietary-index-option-fees", "other-charge")


def parse_transaction(item: Any, number: str, clean: Sanitiser) -> Transaction:
    """One line. Its fees are what lies between value and net value, so that no charge of another name is missed."""
    fields = require_own_account(item, "a transaction", number)
    found = parse_id(fields, "id")
    if found is None:
        raise field_error("id of a transaction", "an id")
    value, net = parse_signed_amount(fields, "value"), parse_signed_amount(fields, "net-value")
    charges = -sum((parse_signed_amount(fields, key) or Decimal(0) for key in CHARGES), Decimal(0))
    if net is None:
        net = (value or Decimal(0)) - charges
    return Transaction(
        id=found,
        kind=_parse_kind(fields),
        at=parse_timestamp(fields, "executed-at" if fields.get("executed-at") else "created-at"),
        symbol=read_ticker(parse_label(fields, "symbol")),
        action=parse_action(fields),
        quantity=_parse_unsigned(fields, "quantity") or Decimal(0),
        price=_parse_unsigned(fields, "price"),
        net_value=net,
        fees=charges if value is None else value - net,
        is_final=fields.get("is-estimated-fee") is not True,
        order_id=parse_id(fields, "order-id"),
        description=parse_text(fields, "description", clean, MOST),
    )


def _parse_kind(fields: Fields) -> TransactionKind:
    kind = parse_label(fields, "transaction-type")
    if kind == "Trade":
        return TransactionKind.TRADE
    sub_type = parse_label(fields, "transaction-sub-type") if kind == "Receive Deliver" else ""
    return SUB_TYPES.get(sub_type, TransactionKind.OTHER)


def _parse_unsigned(fields: Fields, key: str) -> Decimal | None:
    found = parse_amount(fields, key)
    if found is not None and found < 0:
        raise field_error(key, "an amount without a sign")
    return found
