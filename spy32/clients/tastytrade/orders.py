"""Orders on the wire: what the broker shows of one, what its dry run says, and what a replacement may change.

A price is positive there and `price-effect` says Credit or Debit; inside a credit is positive. A status that is not
known is carried as it is and is not final: only the listed ones end an order.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from math import gcd
from typing import Any

from spy32.clients.tastytrade.market import Fields, amount, fields_of, instant
from spy32.clients.tastytrade.wire import Clean, identifier, label, of_account, rows, signed, whole, words, wrong
from spy32.domain.acting import BrokerOrder, DryRun, Fill
from spy32.domain.market import Right
from spy32.domain.plain_text import MOST
from spy32.domain.trading import Action, Leg
from spy32.errors import Unusable
from spy32.lifecycle import OrderState

STATES: Mapping[str, OrderState] = {
    "Filled": OrderState.FILLED,
    "Cancelled": OrderState.CANCELLED,
    "Rejected": OrderState.REJECTED,
    "Expired": OrderState.EXPIRED,
    "Removed": OrderState.CANCELLED,
    "Partially Removed": OrderState.CANCELLED,
    **dict.fromkeys(
        (
            "Received",
            "Routed",
            "In Flight",
            "Contingent",
            "Live",
            "Cancel Requested",
            "Replace Requested",
        ),
        OrderState.WORKING,
    ),
}
BENIGN = frozenset({"tif.next_valid_session"})
"""Warnings of a dry run that do not stand for a refusal: the market is closed, and whether to send then is our rule.

Any other warning counts as one. Some of them mean `would be rejected`, no list says which, and words are not to be
judged by.
"""
CHANGEABLE = ("time-in-force", "order-type", "price", "price-effect", "source", "external-identifier")
"""What an edit may say. Legs and size stay those of the order that it replaces."""

_OCC = re.compile(r"[A-Z0-9./ ]{6}\d{6}[CP]\d{8}", re.ASCII)
_ACTIONS = {action.value: action for action in Action}


def placed(data: Any) -> Any:
    """The order in an answer, which wraps a new one and does not wrap a replacement."""
    return data["order"] if isinstance(data, dict) and isinstance(data.get("order"), dict) else data


def order_of(item: Any, number: str, clean: Clean) -> BrokerOrder:
    """One order as the broker shows it. Fees are not told here, they come with the transactions.

    Of an order that a person placed with other things than options, legs and fills are those of its options only, and
    an order without a price has the limit 0.
    """
    fields = of_account(item, "an order", number)
    head = _head(fields, clean)
    limit, quantity, legs = _terms(fields)
    return replace(
        head,
        limit=limit or Decimal(0),
        quantity=quantity or 0,
        fills=tuple(_fills(fields)),
        legs=legs,
        unlisted=sum(_unlisted(row, is_filled=head.status == "Filled") for row in _options(fields)),
    )


def listed_of(item: Any, number: str, clean: Clean) -> BrokerOrder:
    """One order of a list, where one that cannot be read must not hide all others: `unread` says why then.

    It has its legs, each with all its contracts, when those can be read. `Unusable` without an id and a status.
    """
    try:
        return order_of(item, number, clean)
    except Unusable as trouble:
        fields = of_account(item, "an order", number)
        return replace(_head(fields, clean), legs=_bare_legs(fields), unread=trouble.message)


def _head(fields: Fields, clean: Clean) -> BrokerOrder:
    """What an order is called and how it stands, without its terms."""
    found, status = identifier(fields, "id"), words(fields, "status", clean)
    if found is None:
        raise wrong("id of an order", "an id")
    if not status:
        raise wrong("status of an order", "a text")
    replaced_by = identifier(fields, "replacing-order-id")
    state = STATES.get(status, OrderState.WORKING)
    is_replaced = status == "Cancelled" and replaced_by is not None
    return BrokerOrder(
        broker_id=found,
        reference=_reference(fields),
        status=status,
        state=OrderState.REPLACED if is_replaced else state,
        limit=Decimal(0),
        quantity=0,
        reason=words(fields, "reject-reason", clean, MOST),
        replaced_by=replaced_by,
        replaces=identifier(fields, "replaces-order-id"),
        placed_at=instant(fields, "received-at") if fields.get("received-at") else None,
    )


def _bare_legs(fields: Fields) -> tuple[Leg, ...]:
    """The option legs of an order whose size is not known; none when one of them cannot be read."""
    try:
        return tuple(_leg(row, _count(row)) for row in _options(fields))
    except Unusable:
        return ()


def _unlisted(row: Fields, *, is_filled: bool) -> int:
    """Contracts of a leg that are filled by what is left of it, and are not among its fills."""
    left = whole(row, "remaining-quantity")
    filled = _count(row) if is_filled else _count(row) - left if left is not None else 0
    return max(0, filled - sum(_count(each) for each in rows(row, "fills")))


def _reference(fields: Fields) -> str:
    """Our name of the order, to be compared letter by letter; one that none of ours can be is left out."""
    try:
        return label(fields, "external-identifier")
    except Unusable:
        return ""


def _terms(fields: Fields) -> tuple[Decimal | None, int | None, tuple[Leg, ...]]:
    """Limit, number of spreads, and the legs of one spread."""
    options = _options(fields)
    if not options:
        return None, None, ()
    counts = [_count(row) for row in options]
    # The size is the number of spreads; where it is not told, it is what divides all legs.
    size = whole(fields, "size") or gcd(*counts)
    if any(count % size for count in counts):
        raise wrong("size of an order", "a part of its legs")
    legs = tuple(_leg(row, count // size) for row, count in zip(options, counts, strict=True))
    return signed(fields, "price"), size, legs


def _options(fields: Fields) -> list[Fields]:
    return [row for row in rows(fields, "legs") if _is_option(row)]


def _is_option(row: Fields) -> bool:
    kind = row.get("instrument-type")
    return kind == "Equity Option" if kind is not None else bool(_OCC.fullmatch(str(row.get("symbol"))))


def _leg(row: Fields, quantity: int) -> Leg:
    symbol = label(row, "symbol")
    try:
        if not _OCC.fullmatch(symbol):
            raise ValueError("not the 21 characters of an option")
        return Leg(
            root=symbol[:6].rstrip(),
            expiration=date(2000 + int(symbol[6:8]), int(symbol[8:10]), int(symbol[10:12])),
            right=Right(symbol[12]),
            strike=Decimal(symbol[13:]) / 1000,
            action=_action(row),
            quantity=quantity,
        )
    except ValueError:
        raise wrong("symbol of a leg", "an option") from None


def _action(row: Fields) -> Action:
    found = _ACTIONS.get(str(row.get("action")))
    if found is None:
        raise wrong("action of a leg", "one of an option")
    return found


def _count(row: Fields) -> int:
    found = whole(row, "quantity")
    if not found:
        raise wrong("quantity of a leg", "a positive whole number")
    return found


def _fills(fields: Fields) -> Iterator[Fill]:
    for row in _options(fields):
        for each in rows(row, "fills"):
            name, price = label(each, "fill-id"), amount(each, "fill-price")
            if not name:
                raise wrong("fill-id", "a text")
            if price is None or price <= 0:
                raise wrong("fill-price", "a positive amount")
            yield Fill(
                fill_id=name,
                symbol=label(row, "symbol"),
                action=_action(row),
                quantity=_count(each),
                price=price,
                at=instant(each, "filled-at"),
            )


# The dry run.


def dry_run_of(data: Any, number: str, clean: Clean) -> DryRun:
    """What the broker would do. `Unusable` for an answer without an order and its buying power: it approves nothing."""
    fields = fields_of(data, "the dry run")
    errors = list(_told(fields, "errors", clean))
    warnings = []
    for code, said in _entries(fields, "warnings", clean):
        warnings.append(_line(code, said))
        if code not in BENIGN:
            errors.append(f"warned: {_line(code, said)}")
    order, power = fields.get("order"), fields.get("buying-power-effect")
    if isinstance(order, dict) and order.get("status") == "Rejected":
        errors.append(words(order, "reject-reason", clean, MOST) or "it would be rejected")
    if errors:
        return DryRun(accepted=False, errors=tuple(errors), warnings=tuple(warnings))
    limit, quantity, legs = _terms(of_account(order, "the order of a dry run", number))
    used, margin = (
        signed(fields_of(power, "buying-power-effect"), f"change-in-{what}")
        for what in ("buying-power", "margin-requirement")
    )
    fees = signed(fields_of(fields.get("fee-calculation") or {}, "fee-calculation"), "total-fees")
    return DryRun(
        accepted=True,
        warnings=tuple(warnings),
        fees=_paid(fees),
        buying_power_change=_paid(used),
        margin=_paid(margin),
        limit=limit,
        quantity=quantity,
        legs=legs,
    )


def _paid(found: Decimal | None) -> Decimal | None:
    """What a debit takes is positive here."""
    return -found if found else found


def _told(fields: Fields, key: str, clean: Clean) -> Iterator[str]:
    return (_line(code, said) for code, said in _entries(fields, key, clean))


def _entries(fields: Fields, key: str, clean: Clean) -> Iterator[tuple[str, str]]:
    """(code or domain, message or reason) of each entry; one of another form is told as unreadable."""
    found = fields.get(key)
    if found is None:
        return
    if not isinstance(found, list):
        raise wrong(key, "a list")
    for entry in found:
        row = entry if isinstance(entry, dict) else {}
        code, said = _first(row, ("code", "domain"), clean), _first(row, ("message", "reason"), clean)
        yield code, said if code or said else f"one of its {key} cannot be read"


def _first(row: Fields, keys: Sequence[str], clean: Clean) -> str:
    return next((shown for key in keys if (shown := words(row, key, clean, MOST))), "")


def _line(code: str, said: str) -> str:
    return f"{said} ({code})" if code and said else said or code


# A replacement.


def edit_of(body: str) -> str:
    """The part of an order's body that an edit of a living order may send."""
    sent = json.loads(body)
    return json.dumps({key: sent[key] for key in CHANGEABLE if key in sent})
