"""The one encoder of JSON documents: which attributes of a noun a document shows, and how each type is written.

A `Part` lists the keys that are shown of a noun; their types are those of the noun's attributes. A document is a part
whose name is that of its schema. How a type is written and its JSON Schema are one `Shape`, so that the two agree.
"""

import json
import math
import types
import typing
from collections.abc import Callable, Hashable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from functools import cache, cached_property
from typing import Any, NamedTuple, cast

from spy32.domain.units import Unit
from spy32.render.formatting import format_cents, format_price, format_strike, ticks_as_usd
from spy32.render.page import read_path

Document = dict[str, Any]

VERSION = 1


class Shape(NamedTuple):
    """How values of one type are written, and the JSON Schema of that."""

    write: Callable[[Any], Any]
    schema: Mapping[str, Any]


class Key(NamedTuple):
    """A key that is not simply the attribute of its name: of another type, of another attribute, or computed."""

    type: Any
    source: "str | Callable[[Any], Any] | None" = None
    """A path of attributes, or what computes the value; None for the attribute of the key's own name."""
    description: str = ""


class Part:
    """What documents show of a noun: `keys` in their order, as `key` or `key=path.of.attributes`."""

    by_noun: typing.ClassVar[dict[type, "Part"]] = {}
    """The parts that stand for their noun wherever it appears."""

    def __init__(self, noun: type, keys: str = "", /, *, called: str = "", inner: str = "", **special: Key) -> None:
        """All fields of the noun without `keys`. What the noun does not have is an attribute of its `inner` one. A part
        that is `called` something is a document, or another view of its noun for `Annotated[Noun, part]`.
        """
        self.noun, self.name, self.inner = noun, called or noun.__name__, inner
        self._listed, self._special = keys, special
        if not called:
            self.by_noun[noun] = self

    @cached_property
    def keys(self) -> Mapping[str, Key]:
        """Looked up when the part is used: a start makes many parts and writes few."""
        listed = [entry.partition("=") for entry in (self._listed or " ".join(hints(self.noun))).split()]
        unlisted = self._special.keys() - {key for key, _, _ in listed}
        if unlisted:
            raise TypeError(f"{self.name} lists no {', '.join(sorted(unlisted))}")
        return {key: self._special.get(key) or Key(None, path or self._path(key)) for key, _, path in listed}

    def _path(self, key: str) -> str:
        is_own = not self.inner or key in hints(self.noun) or hasattr(self.noun, key)
        return key if is_own else f"{self.inner}.{key}"

    def shape(self) -> Shape:
        return Shape(self.write, {"$ref": f"#/$defs/{self.name}"})

    def write(self, value: Any) -> Document:
        return {
            name: shape.write(key.source(value) if callable(key.source) else read_path(value, key.source or name))
            for (name, shape), key in zip(self.fields.items(), self.keys.values(), strict=True)
        }

    @cached_property
    def fields(self) -> Mapping[str, Shape]:
        return {name: shape_of(self.type_of(name)) for name in self.keys}

    def type_of(self, name: str) -> Any:
        key = self.keys[name]
        return attribute_type(self.noun, str(key.source)) if key.type is None else key.type


def encode_document(part: Part, noun: Any) -> Document:
    """The document named as its part. TypeError where a value is not of its type, ValueError for NaN and infinity."""
    return {"schema": part.name, "version": VERSION, **part.write(noun)}


@cache
def hints(kind: Any) -> Mapping[str, Any]:
    """Name -> type of the fields of a class, units and all."""
    found = typing.get_type_hints(kind, include_extras=True)
    return {name: hint for name, hint in found.items() if typing.get_origin(hint) is not typing.ClassVar}


def attribute_type(noun: Any, path: str) -> Any:
    """The declared type of an attribute, or of an attribute of one; optional when anything on the way is."""
    is_optional = False
    for name in path.split("."):
        alternatives = _alternatives(noun)
        is_optional = is_optional or type(None) in alternatives
        kind = next(each for each in alternatives if each is not type(None))
        found = getattr(kind, name, None)
        if isinstance(found, property):
            noun = typing.get_type_hints(found.fget, include_extras=True)["return"]
        elif name in hints(kind):
            noun = hints(kind)[name]
        else:
            raise AttributeError(f"{kind.__name__} has no attribute {name}")
    return noun | None if is_optional else noun


def _alternatives(hint: Any) -> tuple[Any, ...]:
    is_union = typing.get_origin(hint) in (types.UnionType, typing.Union)
    return typing.get_args(hint) if is_union else (hint,)


# Types.


def shape_of(hint: Any) -> Shape:
    """The shape of a type; TypeError for one that documents do not write."""
    return _shape(cast(Hashable, hint))


@cache
def _shape(hint: Any) -> Shape:  # noqa: PLR0911 - one return a kind reads best
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if len(_alternatives(hint)) > 1:
        return _nullable(hint)
    if origin is typing.Annotated:
        marks = [mark for mark in arguments[1:] if isinstance(mark, Unit | Part)]
        mark = marks[0] if marks else None
        return UNITS[mark] if isinstance(mark, Unit) else mark.shape() if mark else _shape(arguments[0])
    if origin is not None and issubclass(origin, Mapping):
        inner = _shape(arguments[1])
        return Shape(
            lambda found: {str(key): inner.write(item) for key, item in found.items()},
            {"type": "object", "additionalProperties": inner.schema},
        )
    if origin is not None and issubclass(origin, Sequence):
        inner = _shape(arguments[0])
        return Shape(lambda found: [inner.write(item) for item in found], {"type": "array", "items": inner.schema})
    if hint in Part.by_noun:
        return Part.by_noun[hint].shape()
    if isinstance(hint, type) and issubclass(hint, Enum):
        # The list of words is open: a program must bear one that it does not know.
        return Shape(_typed_writer(hint, lambda found: found.value), {"type": "string", "examples": [*hint]})
    if hint not in SCALARS:
        raise TypeError(f"{hint} has no form in documents")
    return SCALARS[hint]


def _nullable(hint: Any) -> Shape:
    """Null beside one other type; beside a part, an `anyOf`."""
    (kind,) = (kind for kind in _alternatives(hint) if kind is not type(None))
    inner = _shape(kind)
    kinds = inner.schema.get("type")
    schema = (
        {"anyOf": [inner.schema, {"type": "null"}]}
        if "$ref" in inner.schema
        else {**inner.schema, **({"type": [kinds, "null"]} if kinds else {})}
    )
    return Shape(lambda found: None if found is None else inner.write(found), schema)


def _typed_writer(kind: Any, write: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """`write` for values of this type only; TypeError otherwise, since a null where none is promised is a defect."""

    def write_typed(found: Any) -> Any:
        if not isinstance(found, kind):
            raise TypeError(f"{type(found).__name__} where a document promises {kind}")
        return write(found)

    return write_typed


def _number(found: float) -> float:
    if not math.isfinite(found):
        raise ValueError("a NaN or infinite number is not JSON")
    return found


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _amount(write: Callable[[Decimal], str]) -> Callable[[Any], str]:
    """For exact amounts, and for quoted floats by their shortest digits."""
    return _typed_writer(Decimal | float, lambda found: write(Decimal(str(found))))


def _text(pattern: str, write: Callable[[Any], str], **more: str) -> Shape:
    return Shape(write, {"type": "string", "pattern": pattern, **more})


EXACT = "^-?[0-9]+(\\.[0-9]+)?$"
DAY = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
INSTANT = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z$"


def _parse_json_or_text(text: str) -> Any:
    """The text itself where it is not JSON, null where it is empty."""
    try:
        return json.loads(text) if text else None
    except ValueError:
        return text


UNITS: Mapping[Unit, Shape] = {
    Unit.PRICE: _text("^-?[0-9]+\\.[0-9]{2,4}$", _amount(format_price), description="Dollars per share."),
    Unit.DOLLARS: _text("^-?[0-9]+\\.[0-9]{2}$", _amount(format_cents), description="Dollars."),
    Unit.POINTS: _text(EXACT, _amount(format_strike)),
    Unit.JSON: Shape(_typed_writer(str, _parse_json_or_text), {}),
    Unit.TICKS: _text(EXACT, _typed_writer(int, ticks_as_usd), description="US dollars, exact."),
    **{
        unit: _text(f"^{unit}[0-9]+$", _typed_writer(int, f"{unit}{{}}".format))
        for unit in (Unit.RUN, Unit.PROPOSAL, Unit.ORDER, Unit.TRADE)
    },
}
SCALARS: Mapping[Any, Shape] = {
    Any: Shape(lambda found: found, {}),
    str: Shape(_typed_writer(str, str), {"type": "string"}),
    bool: Shape(_typed_writer(bool, bool), {"type": "boolean"}),
    int: Shape(_typed_writer(int, int), {"type": "integer"}),
    float: Shape(_typed_writer(float | int, _number), {"type": "number"}),
    Decimal: _text(EXACT, _amount("{:f}".format)),
    datetime: _text(INSTANT, _typed_writer(datetime, _instant), format="date-time"),
    date: _text(DAY, _typed_writer(date, date.isoformat), format="date"),
}
