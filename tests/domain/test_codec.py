"""The canonical form of what is stored: hashes of existing stores depend on every byte of it."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum

import pytest

from spy32.domain.codec import canonical_json, decode, digest, encode
from spy32.domain.market import MarketSnapshot
from spy32.domain.units import Price
from spy32.domain.value import value
from tests.support import builders as b


class Side(StrEnum):
    PUT = "P"


@value
class Part:
    side: Side
    price: Price
    size: float | None = None


@value
class Whole:
    parts: tuple[Part, ...]
    pair: tuple[int, str]
    at: datetime
    day: date
    marks: frozenset[str]
    by_side: Mapping[Side, float]
    note: "str | None" = None
    is_open: bool = True


WHOLE = Whole(
    parts=(Part(side=Side.PUT, price=Decimal("0.560"), size=2.0), Part(side=Side.PUT, price=Decimal("1E+2"))),
    pair=(3, "é"),
    at=datetime(2025, 8, 29, 20, 15, tzinfo=UTC),
    day=date(2025, 9, 30),
    marks=frozenset({"b", "a"}),
    by_side={Side.PUT: 1e-7},
)
TEXT = (
    '{"at":"2025-08-29T20:15:00+00:00","by_side":{"P":1e-07},"day":"2025-09-30","is_open":true,"marks":["a","b"],'
    '"note":null,"pair":[3,"é"],"parts":[{"price":"0.560","side":"P","size":2.0},'
    '{"price":"100","side":"P","size":null}]}'
)


def test_the_canonical_form_is_known_to_the_byte() -> None:
    assert canonical_json(WHOLE) == TEXT
    assert digest(WHOLE) == "3bfc473c411cfb44a91c277ce36847f3fd8adb24ac4c3e9c9939e2dd204dd9ce"


def test_what_is_decoded_is_what_was_encoded() -> None:
    decoded = decode(Whole, encode(WHOLE))
    assert decoded == WHOLE
    assert (type(decoded.parts[0].price), type(decoded.parts[0].side)) == (Decimal, Side)


def test_a_whole_snapshot_keeps_every_byte() -> None:
    snapshot = b.snapshot()
    assert decode(MarketSnapshot, encode(snapshot)) == snapshot
    assert canonical_json(decode(MarketSnapshot, encode(snapshot))) == canonical_json(snapshot)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_no_number_becomes_null(number: float) -> None:
    with pytest.raises(ValueError, match="NaN or infinite"):
        encode(Part(side=Side.PUT, price=Decimal(1), size=number))
    with pytest.raises(ValueError, match="NaN or infinite"):
        encode({"a": [number]})


@pytest.mark.parametrize("changed", [{"side": "X"}, {"weight": 1}, {"size": "much"}, {"price": None}])
def test_what_does_not_fit_is_refused(changed: dict[str, object]) -> None:
    with pytest.raises((ValueError, TypeError, KeyError)):
        decode(Part, {"side": "P", "price": "1", "size": 2.0, **changed})


def test_a_type_without_a_form_is_refused() -> None:
    with pytest.raises(TypeError, match="object has no plain form"):
        encode(object())
