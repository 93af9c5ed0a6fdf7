"""Encodes domain values as plain JSON, decodes them by their type hints, and hashes them and the rows of the history.

A Decimal becomes text, a datetime RFC 3339, a date ISO 8601, an enum its value. NaN and infinity raise ValueError.
"""

import dataclasses
import importlib
import json
import math
import sys
import types
import typing
from collections.abc import Callable, Hashable, Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Any, TypeVar, cast

T = TypeVar("T")
_PLAIN = frozenset({str, int, bool, types.NoneType})


def encode(value: Any) -> Any:
    """Return `value` built from JSON types only.

    Raises ValueError for NaN or infinity, TypeError for a type without a JSON form.
    """
    return _encoder(cast(Hashable, type(value)))(value)


@cache
def _encoder(kind: Any) -> Callable[[Any], Any]:  # noqa: PLR0911 - one return a kind reads best
    if issubclass(kind, Enum):
        return lambda value: value.value
    if issubclass(kind, bool | int | str | types.NoneType):
        return _keep
    if issubclass(kind, float):
        return _encode_float
    if issubclass(kind, Decimal):
        return lambda value: format(value, "f")
    if issubclass(kind, datetime | date):
        return lambda value: value.isoformat()
    if dataclasses.is_dataclass(kind):
        names = tuple(field_types(cast(Hashable, kind)))
        # A chain has a thousand quotes, so what JSON holds as it is costs no call.
        return lambda value: {
            name: item if type(item := getattr(value, name)) in _PLAIN else encode(item) for name in names
        }
    if issubclass(kind, Mapping):
        return lambda value: {str(key): encode(item) for key, item in value.items()}
    if issubclass(kind, tuple | list):
        return lambda value: [encode(item) for item in value]
    if issubclass(kind, frozenset | set):
        return lambda value: [encode(item) for item in sorted(value)]
    raise TypeError(f"{kind.__name__} has no plain form")


def _encode_float(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError("a NaN or infinite number cannot be stored")
    return value


def _keep(data: Any) -> Any:
    """Return what JSON holds as it is."""
    return data


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
"""`json.dumps` would make one for each text."""


def canonical_json(value: Any) -> str:
    """Return the text that is hashed: keys sorted, no spaces, non-ASCII kept. Stored hashes depend on this form."""
    return _CANONICAL.encode(encode(value))


OWN_SHA256 = "_sha2" if sys.version_info >= (3, 12) else "_sha256"
"""Python's own code: `hashlib` loads OpenSSL first, 2 ms of every start. `random` does the same."""


@cache
def _load_sha256() -> Any:
    try:
        return importlib.import_module(OWN_SHA256).sha256
    except ImportError:  # a Python that was built without its own
        return importlib.import_module("hashlib").sha256


def sha256_hex(data: bytes) -> str:
    """Return the hash as 64 hexadecimal digits."""
    digits: str = _load_sha256()(data).hexdigest()
    return digits


def digest(value: Any) -> str:
    """Return the SHA-256 of the canonical JSON, as 64 hexadecimal digits."""
    return sha256_hex(canonical_json(value).encode())


def decode(kind: type[T], data: Any) -> T:
    """Build a `kind` from its JSON form. Raises ValueError, TypeError or KeyError when the data does not fit."""
    return cast(T, _decoder(cast(Hashable, kind))(data))


@cache
def field_types(kind: Any) -> dict[str, Any]:
    """Return the type hint of each field of a value."""
    types_by_name: dict[str, Any] = {field.name: field.type for field in dataclasses.fields(kind)}
    if any(isinstance(each, str) for each in types_by_name.values()):
        # Only names in quotes need this, which takes longer than all decoding of a start.
        hints = typing.get_type_hints(kind)
        return {name: hints[name] for name in types_by_name}
    return types_by_name


def plain_type(hint: Any) -> tuple[Any, bool]:
    """Return a type hint without its unit and without None, and whether it allows None."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return plain_type(args[0])
    if origin in (types.UnionType, typing.Union):
        return plain_type(next(arg for arg in args if arg is not type(None)))[0], True
    return hint, False


@cache
def _decoder(hint: Any) -> Any:  # noqa: PLR0911 - one return a kind reads best
    kind, is_optional = plain_type(hint)
    if is_optional:
        inner = _decoder(kind)
        return _keep if inner is _keep else lambda data: None if data is None else inner(data)
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple:
        if len(args) == 2 and args[1] is Ellipsis:
            inner = _decoder(args[0])
            return lambda data: tuple([inner(item) for item in data])
        parsers = [_decoder(arg) for arg in args]
        return lambda data: tuple(parser(item) for parser, item in zip(parsers, data, strict=True))
    if origin is frozenset:
        inner = _decoder(args[0])
        return lambda data: frozenset(inner(item) for item in data)
    if origin is not None and issubclass(origin, Mapping):
        outer, inner = _decoder(args[0]), _decoder(args[1])
        return lambda data: {outer(key): inner(item) for key, item in data.items()}
    if dataclasses.is_dataclass(kind):
        return _dataclass_decoder(kind)
    if kind is datetime or kind is date:
        return kind.fromisoformat
    if kind in (str, bool, Any):
        return _keep
    if isinstance(kind, type) and issubclass(kind, Enum):
        return {member.value: member for member in kind}.__getitem__
    return kind


def _dataclass_decoder(kind: Any) -> Callable[[Any], Any]:
    parsers = {name: _decoder(hint) for name, hint in field_types(kind).items()}
    # A chain has a thousand quotes, so what needs no decoding is not called for each of them.
    parsed = [(name, parser) for name, parser in parsers.items() if parser is not _keep]

    def decode_fields(data: Any) -> Any:
        given = dict(data)
        for name, parser in parsed:
            if name in given:
                given[name] = parser(given[name])
        return kind(**given)

    return decode_fields


# The hashes of the history.

_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"))
"""`json.dumps` would make one for each row."""


def row_digest(columns: Mapping[str, object]) -> str:
    """SHA-256 of what a row holds. Empty columns are left out: a migration may add one and keep history whole."""
    kept = {
        name: {"sha256": sha256_hex(value)} if isinstance(value, bytes) else value
        for name, value in columns.items()
        if value is not None
    }
    return sha256_hex(_ENCODER.encode(kept).encode())


GENESIS = "0" * 64
"""What stands before the first event."""


def event_hash(previous: str, fields: Mapping[str, object]) -> str:
    """The link of an event: SHA-256 over the link before it and everything that the event says."""
    # A damaged text may hold what UTF-8 alone refuses; of a whole one this is plain UTF-8.
    return sha256_hex((previous + canonical_json(dict(fields))).encode("utf-8", "surrogatepass"))
