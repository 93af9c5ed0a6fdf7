"""Conversion between domain values and columns: money, instants, JSON bodies, compressed text."""

import json
import zlib
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, time
from decimal import ROUND_CEILING, Decimal
from functools import cache, partial
from typing import TYPE_CHECKING, Any, TypeVar, cast

from spy32.domain.codec import canonical_json, decode, encode, field_types, plain_type
from spy32.errors import StoreDamaged, Unusable

if TYPE_CHECKING:
    import sqlite3

T = TypeVar("T")

DECODE_ERRORS = (
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    RecursionError,
    zlib.error,
)
"""Errors that damaged text, dates, enumerations, JSON or compressed bodies may raise."""

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


def storable_text(text: str) -> str:
    """Return foreign text that a column can hold: a lone surrogate becomes a question mark."""
    return text.encode("utf-8", "replace").decode()


def as_column(item: Any) -> Any:
    """Return a value as a column holds it: a Decimal is money, and what SQLite has no type for is canonical JSON."""
    if isinstance(item, str):
        return storable_text(item)
    if item is None or isinstance(item, int | float | bytes):
        return item
    if isinstance(item, Decimal):
        return dollars_to_e4(item)
    if isinstance(item, datetime):
        return format_instant(item)
    return item.isoformat() if isinstance(item, date) else storable_text(canonical_json(item))


def columns_of(value: Any, *without: str) -> dict[str, object]:
    """Return the fields of a value as columns of their names; those that are money end in `_e4`."""
    return {
        f"{name}_e4" if plain_type(hint)[0] is Decimal else name: getattr(value, name)
        for name, hint in field_types(cast(Hashable, type(value))).items()
        if name not in without
    }


def json_body(value: Any, *without: str) -> str:
    """Return the canonical JSON of a value without the fields that have their own columns."""
    fields = encode(value)
    return canonical_json({name: item for name, item in fields.items() if name not in without})


@contextmanager
def reading(where: str) -> Iterator[None]:
    """Decode something stored; what is damaged leaves as `StoreDamaged`, which names it."""
    try:
        yield
    except DECODE_ERRORS as error:
        raise StoreDamaged(f"{where} cannot be read ({error})") from error


def decode_body(kind: type[T], text: str, where: str, **columns: Any) -> T:
    """Return the value of a JSON body and its columns; `StoreDamaged` names the row that cannot be read."""
    with reading(where):
        return decode(kind, {**json.loads(text), **columns})


def decode_items(kind: type[T], text: str, where: str, **renamed: Mapping[str, str | None]) -> tuple[T, ...]:
    """Return the values of a JSON list; `renamed` maps older values of a field to newer ones."""
    with reading(where):
        items = json.loads(text)
        for name, newer in renamed.items():
            items = [{**item, name: newer.get(item[name], item[name])} for item in items]
        return tuple(decode(kind, item) for item in items)


def decode_row(kind: type[T], row: "sqlite3.Row", noun: str, /, **columns: object) -> T:
    """Return the value of a row whose columns bear the names of its fields: money ends in `_e4`, a claim lacks `is_`.

    `columns` adds those of other names, as stored or decoded. A field without a column has its default. `StoreDamaged`
    names a row that cannot be read.
    """
    stored = {**dict(row), **columns}
    values = {}
    with reading(f"{noun} {stored['id']}" if "id" in stored else noun):
        for name, column_names, read in _field_readers(cast(Hashable, kind)):
            column = next((each for each in column_names if each in stored), None)
            if column is not None:
                values[name] = read(stored[column])
        return kind(**values)


def row_decoder(kind: type[T], noun: str) -> "Callable[[sqlite3.Row], T]":
    """Return `decode_row` of a kind."""
    return lambda row: decode_row(kind, row, noun)


@cache
def _field_readers(kind: Any) -> tuple[tuple[str, tuple[str, ...], Callable[[Any], Any]], ...]:
    """Return each field of a kind with the names that its column may have, and what reads it."""
    return tuple(
        (name, (name, f"{name}_e4", name.removeprefix("is_")), _column_reader(hint))
        for name, hint in field_types(kind).items()
    )


def _column_reader(hint: Any) -> Callable[[Any], Any]:
    kind, is_optional = plain_type(hint)
    read: Callable[[Any], Any]
    if kind is bool:
        read = bool
    elif kind is Decimal:
        read = _as_dollars
    elif isinstance(kind, type) and issubclass(kind, int | float | str | bytes | date):
        read = partial(decode, kind)
    else:
        read = partial(_decode_json, kind)
    return (lambda stored: None if stored is None else read(stored)) if is_optional else read


def _as_dollars(stored: Any) -> Any:
    return e4_to_dollars(stored) if isinstance(stored, int) else stored


def _decode_json(kind: Any, stored: Any) -> Any:
    return decode(kind, json.loads(stored)) if isinstance(stored, str) else stored


def compress_text(text: str) -> bytes:
    """Compress text without loss, even a lone surrogate, which UTF-8 refuses and services do send."""
    return compress_bytes(text.encode("utf-8", "surrogatepass"))


def decompress_text(data: bytes, where: str) -> str:
    with reading(where):
        return decompress_bytes(data, where).decode("utf-8", "surrogatepass")


def compress_bytes(data: bytes) -> bytes:
    return zlib.compress(data, 6)


def decompress_bytes(data: bytes, where: str) -> bytes:
    with reading(where):
        return zlib.decompress(data)


MAX_COUNT = 10**15
"""More than any bill or count (in ticks 100,000 dollars); a thousand of them still add up in 64 bits."""


def clamp_count(number: int) -> int:
    """Return a foreign count clamped to 0 and `MAX_COUNT`, so that no answer can lower or overflow a sum."""
    return max(0, min(number, MAX_COUNT))
