"""A knob (a field with its meaning and bounds) and a secret that never shows itself."""

from collections.abc import Mapping
from dataclasses import field
from typing import Any


class Secret:
    """A value that never shows itself: repr, str, format and pickles are stars. `reveal` is the only way in."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "****"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format("****", spec)

    def __reduce__(self) -> tuple[type, tuple[str]]:
        return (Secret, ("****",))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


def knob(
    default: Any, doc: str, low: Any = None, high: Any = None, *, choices: tuple[str, ...] = (), form: str = ""
) -> Any:
    """A field with its meaning and bounds, both inclusive. Bounds and choices of a list or table hold for each entry.

    `form` is a kind of text of `keys.KINDS`.
    """
    metadata = {"doc": doc, "low": low, "high": high, "choices": choices, "form": form}
    if isinstance(default, Mapping):
        return field(default_factory=lambda: dict(default), metadata=metadata)
    return field(default=default, metadata=metadata)
