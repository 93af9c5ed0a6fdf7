"""The account's history, one line a leg and fill; what came and went without an order is `Receive Deliver`."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from spy32.clients.tastytrade.market import Fields, parse_amount, parse_timestamp, read_ticker
from spy32.clients.tastytrade.wire import (
    Sanitiser,
    field_error,
    parse_id,
    parse_label,
    parse_signed_amount,
    parse_text,
    require_own_account,
)
from spy32.domain.orders import Transaction, TransactionKind
from spy32.domain.sanitize import MOST
from spy32.domain.spreads import Action

TYPES = ("Trade", "Receive Deliver")
"""The types that are requested; money movements do not concern trades."""
SUB_TYPES: Mapping[str, TransactionKind] = {
    "Assignment": TransactionKind.ASSIGNMENT,
    "Cash Settled Assignment": TransactionKind.ASSIGNMENT,
    "Exercise": TransactionKind.EXERCISE,
    "Cash Settled Exercise": TransactionKind.EXERCISE,
    "Expiration": TransactionKind.EXPIRATION,
}
ACTIONS = {action.value: action for action in Action}
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
        action=ACTIONS.get(parse_label(fields, "action")),
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
    if kind == "Receive Deliver":
        return SUB_TYPES.get(parse_label(fields, "transaction-sub-type"), TransactionKind.OTHER)
    return TransactionKind.OTHER


def _parse_unsigned(fields: Fields, key: str) -> Decimal | None:
    found = parse_amount(fields, key)
    if found is not None and found < 0:
        raise field_error(key, "an amount without a sign")
    return found
