"""Strict readers of the account's documents: money as Decimal, signs from effects, ids as text, foreign words cleaned.

Keys that are not known are ignored. What must be there and is not, or is of another kind, is `Unusable` by its name;
what stands there instead is not repeated, since it may be anything.
"""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from spy32.clients.tastytrade.market import Fields, parse_amount, require_fields
from spy32.domain.sanitize import cap_text
from spy32.domain.spreads import Action
from spy32.errors import Unusable

Sanitiser = Callable[[str], str]
"""Makes words of the service fit to be shown: on one line, without secrets and the number of the account."""

MAX_TEXT_LENGTH = 60
EFFECT_SIGNS: Mapping[str, int] = {"Credit": 1, "Debit": -1}
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_LABEL = re.compile(r"[ -~]{1,100}", re.ASCII)


def require_amount(fields: Fields, key: str) -> Decimal:
    """An amount that must be there, with its own sign."""
    found = parse_amount(fields, key)
    if found is None:
        raise field_error(key, "an amount")
    return found


def parse_signed_amount(fields: Fields, key: str) -> Decimal | None:
    """The amount under `key` with the sign of `key-effect`: what is received is positive. None when there is none.

    The number itself never has a sign, and only zero may do without an effect.
    """
    found = parse_amount(fields, key)
    if found is None:
        return None
    sign = EFFECT_SIGNS.get(str(fields.get(f"{key}-effect")))
    if found < 0 or (found != 0 and sign is None):
        raise field_error(key, "an amount with the effect Credit or Debit")
    return found * sign if sign is not None and found else Decimal(0)


def parse_id(fields: Fields, key: str) -> str | None:
    """An id, a whole number or a word, as text; None for null, nothing and zero, which name nothing."""
    found = fields.get(key)
    if found is None or found in ("", "0") or (found == 0 and not isinstance(found, bool)):
        return None
    is_id = isinstance(found, str) or (isinstance(found, int) and not isinstance(found, bool) and found > 0)
    if not is_id or not _ID.fullmatch(str(found)):
        raise field_error(key, "an id")
    return str(found)


def parse_label(fields: Fields, key: str) -> str:
    """A short text that is compared and never changed, such as a symbol; empty when there is none."""
    found = fields.get(key)
    if found is None or found == "":
        return ""
    if not isinstance(found, str) or not _LABEL.fullmatch(found):
        raise field_error(key, "a short plain text")
    return found


def parse_action(fields: Fields) -> Action | None:
    """None where the service tells no action of an option."""
    found = parse_label(fields, "action")
    return Action(found) if found in tuple(Action) else None


def parse_text(fields: Fields, key: str, clean: Sanitiser, most: int = MAX_TEXT_LENGTH) -> str:
    """A text to be shown, cleaned; empty when there is none, or something else stands there."""
    found = fields.get(key)
    return cap_text(clean(found), most) if isinstance(found, str) else ""


def parse_rows(fields: Fields, key: str) -> list[Fields]:
    """A list of objects; null and nothing are an empty one."""
    found = fields.get(key)
    if found is None:
        return []
    if not isinstance(found, list):
        raise field_error(key, "a list")
    return [require_fields(each, key) for each in found]


def require_own_account(item: Any, subject: str, number: str) -> Fields:
    """The object, which is not of another account."""
    fields = require_fields(item, subject)
    if fields.get("account-number", number) != number:
        raise Unusable(f"tastytrade: {subject} is of another account")
    return fields


def field_error(key: str, wanted: str) -> Unusable:
    return Unusable(f"tastytrade: {key} is not {wanted}")
