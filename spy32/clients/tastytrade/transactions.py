"""The account's history, one line a leg and fill; what came and went without an order is `Receive Deliver`."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from spy32.clients.tastytrade.market import Fields, amount, instant
from spy32.clients.tastytrade.wire import Clean, identifier, label, of_account, signed, words, wrong
from spy32.domain.acting import Transaction, TransactionKind
from spy32.domain.plain_text import MOST

TYPES = ("Trade", "Receive Deliver")
"""The types that are asked for; money that moves by itself is none of ours."""
SUB_TYPES: Mapping[str, TransactionKind] = {
    "Assignment": TransactionKind.ASSIGNMENT,
    "Cash Settled Assignment": TransactionKind.ASSIGNMENT,
    "Exercise": TransactionKind.EXERCISE,
    "Cash Settled Exercise": TransactionKind.EXERCISE,
    "Expiration": TransactionKind.EXPIRATION,
}
CHARGES = ("commission", "clearing-fees", "regulatory-fees", "proprietary-index-option-fees", "other-charge")


def transaction_of(item: Any, number: str, clean: Clean) -> Transaction:
    """One line. Its fees are what lies between value and net value, so that no charge of another name is missed."""
    fields = of_account(item, "a transaction", number)
    found = identifier(fields, "id")
    if found is None:
        raise wrong("id of a transaction", "an id")
    value, net = signed(fields, "value"), signed(fields, "net-value")
    charges = -sum((signed(fields, key) or Decimal(0) for key in CHARGES), Decimal(0))
    if net is None:
        net = (value or Decimal(0)) - charges
    return Transaction(
        id=found,
        kind=_kind(fields),
        at=instant(fields, "executed-at" if fields.get("executed-at") else "created-at"),
        symbol=label(fields, "symbol"),
        action=label(fields, "action"),
        quantity=_positive(fields, "quantity") or Decimal(0),
        price=_positive(fields, "price"),
        net_value=net,
        fees=charges if value is None else value - net,
        is_final=fields.get("is-estimated-fee") is not True,
        order_id=identifier(fields, "order-id"),
        description=words(fields, "description", clean, MOST),
    )


def _kind(fields: Fields) -> TransactionKind:
    kind = label(fields, "transaction-type")
    if kind == "Trade":
        return TransactionKind.TRADE
    if kind == "Receive Deliver":
        return SUB_TYPES.get(label(fields, "transaction-sub-type"), TransactionKind.OTHER)
    return TransactionKind.OTHER


def _positive(fields: Fields, key: str) -> Decimal | None:
    found = amount(fields, key)
    if found is not None and found < 0:
        raise wrong(key, "an amount without a sign")
    return found
