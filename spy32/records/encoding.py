"""Conversion between domain values and columns: money, instants, JSON bodies, compressed text."""

import json
import zlib
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from decimal import ROUND_CEILING, Decimal
from typing import TYPE_CHECKING, Any, TypeVar

from spy32.domain.codec import canonical_json, decode, encode
from spy32.errors import StoreDamaged, Unusable

if TYPE_CHECKING:
    import sqlite3

T = TypeVar("T")

DECODE_ERRORS = (ValueError, TypeError, LookupError, ArithmeticError, AttributeError, RecursionError)
"""Errors that a damaged text, date, enumeration or JSON body may raise."""

E4 = 10_000
E4_UNIT = Decimal("0.0001")
MAX_INTEGER = 2**63 - 1
"""SQLite stores integers in 64 bits."""


def dollars_to_e4(amount: Decimal) -> int:
    """Return dollars as ten-thousandths; `Unusable` if that is not exact, `TypeError` for a float."""
    if not isinstance(amount, Decimal):
        raise TypeError(f"money is Decimal, not {type(amount).__name__}")
    scaled = amount * E4
    if not scaled.is_finite() or scaled != scaled.to_integral_value() or abs(scaled) > MAX_INTEGER:
        raise Unusable(f"{amount} dollars is not a whole number of ten-thousandths")
    return int(scaled)


def nearest_e4(amount: Decimal) -> int:
    """Return dollars rounded to the nearest ten-thousandth: for fees, which may be a share of a capped commission."""
    return dollars_to_e4(amount.quantize(E4_UNIT))


def ceiling_e4(amount: Decimal) -> int:
    """Return dollars rounded up to a ten-thousandth: for a maximum loss, which is never understated."""
    return dollars_to_e4(amount.quantize(E4_UNIT, rounding=ROUND_CEILING))


def e4_to_dollars(amount: int) -> Decimal:
    """Return dollars from ten-thousandths, with two decimals or as many as needed."""
    if amount % 100 == 0:
        return Decimal(amount // 100).scaleb(-2)
    places = 3 if amount % 10 == 0 else 4
    return Decimal(amount // 10 ** (4 - places)).scaleb(-places)


def format_instant(at: datetime) -> str:
    """Return RFC 3339 in UTC, which sorts by time. `ValueError` for a naive datetime."""
    if at.tzinfo is None:
        raise ValueError("a naive datetime cannot be stored")
    return at.astimezone(UTC).isoformat()


def format_day_start(day: date) -> str:
    """Return the instant at which a New York day begins, or the instant itself if it is one, as columns hold it."""
    if isinstance(day, datetime):
        return format_instant(day)
    from spy32.sessions import NEW_YORK

    return format_instant(datetime.combine(day, time(), NEW_YORK))


def parse_instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def parse_optional_instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def parse_optional_date(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


def json_body(value: Any, *without: str) -> str:
    """Return the canonical JSON of a value without the fields that have their own columns."""
    fields = encode(value)
    return canonical_json({name: item for name, item in fields.items() if name not in without})


def decode_body(kind: type[T], text: str, where: str, **columns: Any) -> T:
    """Return the value of a JSON body and its columns; `StoreDamaged` names the row that cannot be read."""
    try:
        return decode(kind, {**json.loads(text), **columns})
    except DECODE_ERRORS as error:
        raise unreadable_error(where, error) from error


def decode_items(kind: type[T], text: str, where: str, **renamed: Mapping[str, str | None]) -> tuple[T, ...]:
    """Return the values of a JSON list; `renamed` maps older values of a field to newer ones."""
    try:
        items = json.loads(text)
        for name, newer in renamed.items():
            items = [{**item, name: newer.get(item[name], item[name])} for item in items]
        return tuple(decode(kind, item) for item in items)
    except DECODE_ERRORS as error:
        raise unreadable_error(where, error) from error


def row_decoder(noun: str) -> "Callable[[Callable[[sqlite3.Row], T]], Callable[[sqlite3.Row], T]]":
    """Decorate a function that decodes a row, so that undecodable columns raise `StoreDamaged` with the row."""

    def decorate(make: "Callable[[sqlite3.Row], T]") -> "Callable[[sqlite3.Row], T]":
        def decode_row(row: "sqlite3.Row") -> T:
            try:
                return make(row)
            except DECODE_ERRORS as error:
                number = f" {row['id']}" if "id" in row.keys() else ""  # noqa: SIM118 - `in row` looks at its values
                raise unreadable_error(f"{noun}{number}", error) from error

        return decode_row

    return decorate


def unreadable_error(where: str, error: Exception) -> StoreDamaged:
    return StoreDamaged(f"{where} cannot be read ({error})")


def compress_text(text: str) -> bytes:
    """Compress text without loss, even a lone surrogate, which UTF-8 refuses and services do send."""
    return compress_bytes(text.encode("utf-8", "surrogatepass"))


def decompress_text(data: bytes, where: str) -> str:
    try:
        return decompress_bytes(data, where).decode("utf-8", "surrogatepass")
    except UnicodeDecodeError as error:
        raise unreadable_error(where, error) from error


def compress_bytes(data: bytes) -> bytes:
    return zlib.compress(data, 6)


def decompress_bytes(data: bytes, where: str) -> bytes:
    try:
        return zlib.decompress(data)
    except zlib.error as error:
        raise unreadable_error(where, error) from error


MAX_COUNT = 10**15
"""More than any bill or count (in ticks 100,000 dollars); a thousand of them still add up in 64 bits."""


def storable_text(text: str) -> str:
    """Return foreign text that a column can hold: a lone surrogate becomes a question mark."""
    return text.encode("utf-8", "replace").decode()


def optional_storable_text(text: str | None) -> str | None:
    return None if text is None else storable_text(text)


def clamp_count(number: int) -> int:
    """Return a foreign count clamped to 0 and `MAX_COUNT`, so that no answer can lower or overflow a sum."""
    return max(0, min(number, MAX_COUNT))
