"""Between nouns and columns: money, instants, JSON bodies, and the digest of a row."""

import json
import zlib
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import ROUND_CEILING, Decimal
from typing import TYPE_CHECKING, Any, TypeVar

from spy32.domain.codec import canonical, parse, plain
from spy32.errors import Damage, Unusable

if TYPE_CHECKING:
    import sqlite3

T = TypeVar("T")

UNREADABLE = (ValueError, TypeError, LookupError, ArithmeticError, AttributeError, RecursionError)
"""What a text, a date, an enumeration or a JSON body may raise when it is not as it was written."""

E4 = 10_000
TINY = Decimal("0.0001")
LARGEST = 2**63 - 1
"""SQLite keeps whole numbers in 64 bits."""


def to_e4(amount: Decimal) -> int:
    """Dollars as ten-thousandths; `Unusable` when that is not exact. A float is refused by type."""
    if not isinstance(amount, Decimal):
        raise TypeError(f"money is Decimal, not {type(amount).__name__}")
    scaled = amount * E4
    if not scaled.is_finite() or scaled != scaled.to_integral_value() or abs(scaled) > LARGEST:
        raise Unusable(f"{amount} dollars is not a whole number of ten-thousandths")
    return int(scaled)


def nearest_e4(amount: Decimal) -> int:
    """For fees, which may be a share of a capped commission: rounded to the nearest ten-thousandth."""
    return to_e4(amount.quantize(TINY))


def ceiling_e4(amount: Decimal) -> int:
    """For a maximum loss, which is never understated: rounded up to a ten-thousandth."""
    return to_e4(amount.quantize(TINY, rounding=ROUND_CEILING))


def from_e4(amount: int) -> Decimal:
    """Ten-thousandths as dollars, with two decimals, or more where they are needed."""
    places = next((places for places, step in ((2, 100), (3, 10)) if amount % step == 0), 4)
    return Decimal(amount // 10 ** (4 - places)).scaleb(-places)


def instant(at: datetime) -> str:
    """RFC 3339 in UTC; such texts sort as the instants do."""
    if at.tzinfo is None:
        raise ValueError("a naive datetime cannot be stored")
    return at.astimezone(UTC).isoformat()


def when(text: str) -> datetime:
    return datetime.fromisoformat(text)


def maybe_when(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def maybe_day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


def body_of(value: Any, *without: str) -> str:
    """Canonical JSON of a noun, less the fields that have columns of their own."""
    fields = plain(value)
    return canonical({name: item for name, item in fields.items() if name not in without})


def revive(kind: type[T], text: str, where: str, **columns: Any) -> T:
    """The noun of a body and the columns that complete it; `StoreTrouble` names the row that cannot be read."""
    try:
        return parse(kind, {**json.loads(text), **columns})
    except UNREADABLE as trouble:
        raise unreadable(where, trouble) from trouble


def revive_items(kind: type[T], text: str, where: str) -> tuple[T, ...]:
    """The nouns of a JSON list."""
    try:
        return tuple(parse(kind, item) for item in json.loads(text))
    except UNREADABLE as trouble:
        raise unreadable(where, trouble) from trouble


def reads_row(noun: str) -> "Callable[[Callable[[sqlite3.Row], T]], Callable[[sqlite3.Row], T]]":
    """Of a function that makes a value of a row: columns that cannot be read are damage, and the row is named."""

    def of(make: "Callable[[sqlite3.Row], T]") -> "Callable[[sqlite3.Row], T]":
        def read(row: "sqlite3.Row") -> T:
            try:
                return make(row)
            except UNREADABLE as trouble:
                number = f" {row['id']}" if "id" in row.keys() else ""  # noqa: SIM118 - `in row` looks at its values
                raise unreadable(f"{noun}{number}", trouble) from trouble

        return read

    return of


def unreadable(where: str, trouble: Exception) -> Damage:
    return Damage(f"{where} cannot be read ({trouble})")


def packed(text: str) -> bytes:
    """Compressed, to the letter: what a service sent may hold half a surrogate pair, which UTF-8 alone refuses."""
    return packed_bytes(text.encode("utf-8", "surrogatepass"))


def unpacked(data: bytes, where: str) -> str:
    try:
        return unpacked_bytes(data, where).decode("utf-8", "surrogatepass")
    except UnicodeDecodeError as trouble:
        raise unreadable(where, trouble) from trouble


def packed_bytes(data: bytes) -> bytes:
    return zlib.compress(data, 6)


def unpacked_bytes(data: bytes, where: str) -> bytes:
    try:
        return zlib.decompress(data)
    except zlib.error as trouble:
        raise unreadable(where, trouble) from trouble


MOST = 10**15
"""More than any bill or count can be (ticks: 100,000 dollars), and a thousand of them still add up in SQLite."""


def storable(text: str) -> str:
    """Foreign words as a column can hold them: half a surrogate pair becomes a question mark."""
    return text.encode("utf-8", "replace").decode()


def maybe_storable(text: str | None) -> str | None:
    return None if text is None else storable(text)


def counted(number: int) -> int:
    """A foreign count within 0 and `MOST`, so that no answer can lower a sum or break one."""
    return max(0, min(number, MOST))


def row_digest(columns: Mapping[str, object]) -> str:
    """SHA-256 of what a row holds. Empty columns are left out: a migration may add one and keep history whole."""
    kept = {
        name: {"sha256": _sha256(value)} if isinstance(value, bytes) else value
        for name, value in columns.items()
        if value is not None
    }
    return _sha256(json.dumps(kept, sort_keys=True, separators=(",", ":")).encode())


GENESIS = "0" * 64
"""What stands before the first event."""


def event_hash(previous: str, fields: Mapping[str, object]) -> str:
    """The link of an event: SHA-256 over the link before it and everything that the event says."""
    # A damaged text may hold what UTF-8 alone refuses; of a whole one this is plain UTF-8.
    return _sha256((previous + canonical(dict(fields))).encode("utf-8", "surrogatepass"))


def _sha256(data: bytes) -> str:
    import hashlib  # on use: reading needs none

    return hashlib.sha256(data).hexdigest()
