"""Orders on the wire: what the broker shows of one, what its dry run says, and what a replacement may change.

A price is positive there and `price-effect` says Credit or Debit; inside a credit is positive. A status that is not
known is carried as it is and is not final: only the listed ones end an order.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from math import gcd
from typing import Any

from spy32.clients.tastytrade.market import Fields, parse_amount, parse_count, parse_timestamp, require_fields
from spy32.clients.tastytrade.oauth_session import error_line, parse_error
from spy32.clients.tastytrade.wire import (
    Sanitiser,
    field_error,
    parse_action,
    parse_id,
    parse_label,
    parse_rows,
    parse_signed_amount,
    parse_text,
    require_own_account,
)
from spy32.domain.orders import BrokerOrder, DryRun, Fill
from spy32.domain.sanitize import MOST
from spy32.domain.spreads import Action, Leg
from spy32.errors import Unusable
from spy32.lifecycle import OrderState

STATES_BY_STATUS: Mapping[str, OrderState] = {
    "Filled": OrderState.FILLED,
    "Cancelled": OrderState.CANCELLED,
    "Rejected": OrderState.REJECTED,
    "Expired": OrderState.EXPIRED,
    "Removed": OrderState.CANCELLED,
    "Partially Removed": OrderState.CANCELLED,
}
"""The statuses that end an order. All others work: Received, Routed, In Flight, Contingent, Live, Cancel Requested,
Replace Requested, and any that is not known."""
CANCELLING = frozenset({"Cancel Requested"})
"""The broker has taken our request to cancel; a fill may still win."""
BENIGN_WARNINGS = frozenset({"tif.next_valid_session"})
"""Warnings of a dry run that do not stand for a refusal: the market is closed, and whether to send then is our rule.

Any other warning counts as one. Some of them mean `would be rejected`, no list says which, and words are not to be
judged by.
"""
EDITABLE_FIELDS = ("time-in-force", "order-type", "price", "price-effect", "source", "external-identifier")
"""What an edit may say. Legs and size stay those of the order that it replaces."""

_OCC_SYMBOL = re.compile(r"[A-Z0-9./ ]{6}\d{6}[CP]\d{8}", re.ASCII)


def unwrap_order(data: Any) -> Any:
    """The order in an answer, which wraps a new one and does not wrap a replacement."""
    return data["order"] if isinstance(data, dict) and isinstance(data.get("order"), dict) else data


def parse_order(item: Any, number: str, clean: Sanitiser) -> BrokerOrder:
    """One order as the broker shows it. Fees are not told here, they come with the transactions.

    Of an order that a person placed with other things than options, legs and fills are those of its options only, and
    an order without a price has the limit 0.
    """
    fields = require_own_account(item, "an order", number)
    head = _parse_header(fields, clean)
    limit, quantity, legs = _parse_terms(fields)
    return replace(
        head,
        limit=limit or Decimal(0),
        quantity=quantity or 0,
        fills=tuple(_parse_fills(fields)),
        legs=legs,
        unlisted_quantity=sum(
            _unlisted_quantity(row, is_filled=head.status == "Filled") for row in _option_rows(fields)
        ),
    )


def parse_listed_order(item: Any, number: str, clean: Sanitiser) -> BrokerOrder:
    """One order of a list, where one that cannot be read must not hide all others: `unread` says why then.

    It has its legs, each with all its contracts, when those can be read. `Unusable` without an id and a status.
    """
    try:
        return parse_order(item, number, clean)
    except Unusable as error:
        fields = require_own_account(item, "an order", number)
        legs: tuple[Leg, ...] = ()
        with suppress(Unusable):
            legs = tuple(_parse_leg(row, _parse_quantity(row)) for row in _option_rows(fields))
        return replace(_parse_header(fields, clean), legs=legs, unread=error.message)


def _parse_header(fields: Fields, clean: Sanitiser) -> BrokerOrder:
    """Id, reference and status of an order, without its terms."""
    found, status = parse_id(fields, "id"), parse_text(fields, "status", clean)
    if found is None:
        raise field_error("id of an order", "an id")
    if not status:
        raise field_error("status of an order", "a text")
    reference = ""  # to be compared letter by letter; one that none of ours can be is left out
    with suppress(Unusable):
        reference = parse_label(fields, "external-identifier")
    replaced_by = parse_id(fields, "replacing-order-id")
    state = STATES_BY_STATUS.get(status, OrderState.WORKING)
    is_replaced = status == "Cancelled" and replaced_by is not None
    return BrokerOrder(
        broker_id=found,
        reference=reference,
        status=status,
        state=OrderState.REPLACED if is_replaced else state,
        reason=parse_text(fields, "reject-reason", clean, MOST),
        is_cancelling=status in CANCELLING,
        replaced_by=replaced_by,
        replaces=parse_id(fields, "replaces-order-id"),
        placed_at=parse_timestamp(fields, "received-at") if fields.get("received-at") else None,
    )


def _unlisted_quantity(row: Fields, *, is_filled: bool) -> int:
    """Contracts of a leg that are filled by what is left of it, and are not among its fills."""
    remaining = parse_count(row, "remaining-quantity")
    filled = _parse_quantity(row) if is_filled else _parse_quantity(row) - remaining if remaining is not None else 0
    return max(0, filled - sum(_parse_quantity(each) for each in parse_rows(row, "fills")))


def _parse_terms(fields: Fields) -> tuple[Decimal | None, int | None, tuple[Leg, ...]]:
    """Limit, number of spreads, and the legs of one spread."""
    options = _option_rows(fields)
    if not options:
        return None, None, ()
    counts = [_parse_quantity(row) for row in options]
    # The size is the number of spreads; where it is not told, it is what divides all legs.
    size = parse_count(fields, "size") or gcd(*counts)
    if any(each % size for each in counts):
        raise field_error("size of an order", "a part of its legs")
    legs = tuple(_parse_leg(row, each // size) for row, each in zip(options, counts, strict=True))
    return parse_signed_amount(fields, "price"), size, legs


def _option_rows(fields: Fields) -> list[Fields]:
    """The legs that are options; where no type is told, the symbol tells."""
    return [
        row
        for row in parse_rows(fields, "legs")
        if row.get("instrument-type") == "Equity Option"
        or (row.get("instrument-type") is None and _OCC_SYMBOL.fullmatch(str(row.get("symbol"))))
    ]


def _parse_leg(row: Fields, quantity: int) -> Leg:
    symbol = parse_label(row, "symbol")
    try:
        leg = Leg.parse_symbol(symbol, _require_action(row), quantity)
    except ValueError:
        raise field_error("symbol of a leg", "an option") from None
    if leg.symbol != symbol:
        raise field_error("symbol of a leg", "the 21 characters of an option")
    return leg


def _require_action(row: Fields) -> Action:
    found = parse_action(row)
    if found is None:
        raise field_error("action of a leg", "one of an option")
    return found


def _parse_quantity(row: Fields) -> int:
    found = parse_count(row, "quantity")
    if not found:
        raise field_error("quantity of a leg", "a positive whole number")
    return found


def _parse_fills(fields: Fields) -> Iterator[Fill]:
    for row in _option_rows(fields):
        for each in parse_rows(row, "fills"):
            name, price = parse_label(each, "fill-id"), parse_amount(each, "fill-price")
            if not name:
                raise field_error("fill-id", "a text")
            if price is None or price <= 0:
                raise field_error("fill-price", "a positive amount")
            yield Fill(
                fill_id=name,
                symbol=parse_label(row, "symbol"),
                action=_require_action(row),
                quantity=_parse_quantity(each),
                price=price,
                at=parse_timestamp(each, "filled-at"),
            )


# The dry run.


def parse_dry_run(data: Any, number: str, clean: Sanitiser) -> DryRun:
    """What the broker would do. `Unusable` for an answer without an order and its buying power: it approves nothing."""
    fields = require_fields(data, "the dry run")
    errors = [error_line(code, message) for code, message in _parse_entries(fields, "errors", clean)]
    warnings = []
    for code, message in _parse_entries(fields, "warnings", clean):
        warnings.append(error_line(code, message))
        if code not in BENIGN_WARNINGS:
            errors.append(f"warned: {error_line(code, message)}")
    order, power = fields.get("order"), fields.get("buying-power-effect")
    if isinstance(order, dict) and order.get("status") == "Rejected":
        errors.append(parse_text(order, "reject-reason", clean, MOST) or "it would be rejected")
    if errors:
        return DryRun(accepted=False, errors=tuple(errors), warnings=tuple(warnings))
    limit, quantity, legs = _parse_terms(require_own_account(order, "the order of a dry run", number))
    used, margin = (
        parse_signed_amount(require_fields(power, "buying-power-effect"), f"change-in-{what}")
        for what in ("buying-power", "margin-requirement")
    )
    fees = parse_signed_amount(require_fields(fields.get("fee-calculation") or {}, "fee-calculation"), "total-fees")
    return DryRun(
        accepted=True,
        warnings=tuple(warnings),
        fees=_debit_amount(fees),
        buying_power_change=_debit_amount(used),
        margin=_debit_amount(margin),
        limit=limit,
        quantity=quantity,
        legs=legs,
    )


def _debit_amount(found: Decimal | None) -> Decimal | None:
    """The amount of a debit as a positive number."""
    return -found if found else found


def _parse_entries(fields: Fields, key: str, clean: Sanitiser) -> Iterator[tuple[str, str]]:
    """(code or domain, message or reason) of each entry; one of another form is told as unreadable."""
    found = fields.get(key)
    if found is None:
        return
    if not isinstance(found, list):
        raise field_error(key, "a list")
    for entry in found:
        code, message = parse_error(entry if isinstance(entry, dict) else {}, clean)
        yield code, message if code or message else f"one of its {key} cannot be read"


# A replacement.


def build_edit(body: str) -> str:
    """The part of an order's body that an edit of a living order may send."""
    order = json.loads(body)
    return json.dumps({key: order[key] for key in EDITABLE_FIELDS if key in order})
