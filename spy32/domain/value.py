"""`value`: a frozen dataclass decorator that takes a tenth of the standard one's time to create a class.

`show` and `status` create about eighty classes at every start. The standard decorator compiles six methods for each
(measured with Python 3.11 to 3.13: 0.35 ms a class, 28 ms a start). Here five methods are shared; the fields are read
when they are first needed, and `__init__` is compiled once that pays, since most classes get only a few instances in a
start. `dataclasses.fields`, `replace` and `is_dataclass` work on the result.
"""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, FrozenInstanceError, field, fields
from inspect import get_annotations
from typing import Any, TypeVar, dataclass_transform

T = TypeVar("T")

INSTANCES_BEFORE_COMPILING = 8
"""Compiling `__init__` takes as long as making so many instances without it (0.1 ms, measured)."""
_FIELD = vars(dataclasses)["_FIELD"]
"""By what the standard library tells a field from a class variable."""
_set = object.__setattr__


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(field,))
def value(cls: type[T]) -> type[T]:
    """Return the class as an immutable dataclass with slots and keyword-only fields; it calls `__post_init__`."""
    types = get_annotations(cls)
    content = {name: item for name, item in vars(cls).items() if name not in ("__dict__", "__weakref__")}
    defaults = {name: content.pop(name) for name in types if name in content}
    # A class with its own `__eq__` has None for `__hash__`.
    content |= {name: shared for name, shared in _SHARED_METHODS.items() if content.get(name) is None}
    content |= {"__slots__": tuple(types), "__dataclass_fields__": _Fields(types, defaults)}
    # Slots can only be given to a new class.
    metaclass: Any = type(cls)
    built = metaclass(cls.__name__, cls.__bases__, content)
    built.__qualname__ = cls.__qualname__
    built.__init__ = _first_init(built)
    result: type[T] = built
    return result


class _Fields:
    """Stands for the fields of a class until they are first asked for."""

    def __init__(self, types: Mapping[str, Any], defaults: Mapping[str, Any]) -> None:
        self._types, self._defaults = types, defaults

    def __get__(self, _instance: object, owner: Any) -> dict[str, Field[Any]]:
        found: dict[str, Field[Any]] = {}
        for base in reversed(owner.__mro__[1:]):
            found |= getattr(base, "__dataclass_fields__", {})
        for name, kind in self._types.items():
            default = self._defaults.get(name, MISSING)
            made: Any = default if isinstance(default, Field) else field(default=default)
            made.name, made.type, made.kw_only, made._field_type = name, kind, True, _FIELD
            found[name] = made
        owner.__dataclass_fields__ = found
        return found


def _first_init(cls: Any) -> Callable[..., None]:
    """`__init__` of the first instances, field by field. The compiled one follows, and it words any error."""
    count = 0

    def init(self: Any, **given: Any) -> None:
        nonlocal count
        count += 1
        arguments = {item.name: item for item in fields(cls) if item.init}
        is_complete = given.keys() <= arguments.keys() and all(
            name in given or item.default is not MISSING or item.default_factory is not MISSING
            for name, item in arguments.items()
        )
        if count > INSTANCES_BEFORE_COMPILING or not is_complete:
            cls.__init__ = _build_init(fields(cls), checks=hasattr(cls, "__post_init__"))
            cls.__init__(self, **given)
            return
        for name, item in arguments.items():
            default = item.default if item.default_factory is MISSING or name in given else item.default_factory()
            _set(self, name, given.get(name, default))
        if hasattr(cls, "__post_init__"):
            self.__post_init__()

    return init


def _build_init(class_fields: tuple[Field[Any], ...], *, checks: bool) -> Callable[..., None]:
    """`__init__` with these keyword arguments. Its own names begin with `__`, so no field hides them."""
    scope: dict[str, Any] = {"__set": _set, "__MISSING": MISSING}
    arguments, body = [], []
    for each_field in class_fields:
        if not each_field.init:
            continue
        default, assigned = f"__default_{each_field.name}", each_field.name
        if each_field.default is not MISSING:
            scope[default] = each_field.default
            arguments.append(f"{each_field.name}={default}")
        elif each_field.default_factory is not MISSING:
            scope[default] = each_field.default_factory
            arguments.append(f"{each_field.name}=__MISSING")
            assigned = f"{default}() if {each_field.name} is __MISSING else {each_field.name}"
        else:
            arguments.append(each_field.name)
        body.append(f"__set(self, {each_field.name!r}, {assigned})")
    body += ["self.__post_init__()"] if checks else []
    lines = "\n    ".join(body or ["pass"])
    exec(f"def __init__(self, *, {', '.join(arguments)}):\n    {lines}", scope)  # noqa: S102 - as dataclasses does
    initialiser: Callable[..., None] = scope["__init__"]
    return initialiser


def _field_values(self: Any) -> tuple[Any, ...]:
    return tuple(getattr(self, name) for name in self.__dataclass_fields__)


def _eq(self: Any, other: object) -> bool:
    return _field_values(self) == _field_values(other) if other.__class__ is self.__class__ else NotImplemented


def _repr(self: Any) -> str:
    shown = ", ".join(f"{item.name}={getattr(self, item.name)!r}" for item in fields(self) if item.repr)
    return f"{type(self).__qualname__}({shown})"


def _raise_frozen(self: Any, name: str, *_: object) -> None:
    raise FrozenInstanceError(f"cannot change field {name!r}")


_SHARED_METHODS: dict[str, Callable[..., Any]] = {
    "__eq__": _eq,
    "__hash__": lambda self: hash(_field_values(self)),
    "__repr__": _repr,
    "__setattr__": _raise_frozen,
    "__delattr__": _raise_frozen,
}
