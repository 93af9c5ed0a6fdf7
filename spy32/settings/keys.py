"""The known keys, read once from the dataclasses of `model`: their dotted names, types and names in the environment."""

import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from spy32.settings.model import Profile, Secret, Settings

PREFIX = "SPY32_"
HOME = "SPY32_HOME"

VENDOR: Mapping[str, str] = {
    "XAI_API_KEY": "xai.api_key",
    "TASTYTRADE_CLIENT_SECRET": "tastytrade.client_secret",
    "TASTYTRADE_REFRESH_TOKEN": "tastytrade.refresh_token",
    "TASTYTRADE_ACCOUNT": "tastytrade.account",
    "ENABLE_AUTOMATION": "enable_automation",
}
"""Names that the services themselves use, or that the first spy32 used."""


class Wrong(Exception):
    """A value does not do. Its text adds to what the key takes, and never holds any part of the value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One knob. `type` is what one entry is; `shape` says whether the value is one entry, a list or a table of them."""

    name: str
    type: type
    shape: str
    default: Any
    doc: str
    low: Any
    high: Any
    choices: tuple[str, ...]
    form: str

    @property
    def section(self) -> str:
        return self.name.rpartition(".")[0]

    @property
    def field(self) -> str:
        return self.name.rpartition(".")[2]

    @property
    def env(self) -> str:
        return PREFIX + self.name.replace(".", "_").upper()

    @property
    def is_secret(self) -> bool:
        return self.type is Secret

    @property
    def may_be_empty(self) -> bool:
        """A list may have no entry: no source, no related ticker, nothing said about a model; a chain it must have."""
        return (self.form in ("source", "ticker") and self.name != "market.chain") or not self.default

    @property
    def is_private(self) -> bool:
        """A wrong value of this key is never repeated in a message: it may be, or may hold, a secret."""
        return self.is_secret or self.form in ("account", "address", "host")


def _shape(annotation: Any) -> tuple[str, type]:
    """("one" | "list" | "table", type of an entry) of a field's annotation."""
    if isinstance(annotation, types.UnionType):
        annotation = next(part for part in typing.get_args(annotation) if part is not types.NoneType)
    origin = typing.get_origin(annotation)
    if origin is tuple:
        return "list", typing.get_args(annotation)[0]
    if origin is Mapping:
        return "table", typing.get_args(annotation)[1]
    return "one", annotation


def _key(section: str, part: "Field[Any]") -> Key:
    shape, kind = _shape(part.type)
    default = part.default_factory() if part.default_factory is not MISSING else part.default
    choices = part.metadata["choices"]
    if issubclass(kind, StrEnum):
        choices = tuple(member.value for member in kind)
    return Key(
        name=f"{section}.{part.name}" if section else part.name,
        type=kind,
        shape=shape,
        default=default,
        doc=part.metadata["doc"],
        low=part.metadata["low"],
        high=part.metadata["high"],
        choices=choices,
        form=part.metadata["form"],
    )


def _keys(section: str, owner: type) -> dict[str, Key]:
    found = (_key(section, part) for part in fields(owner) if "doc" in part.metadata)
    return {key.name: key for key in found}


SECTIONS: Mapping[str, type] = {
    part.name: part.type for part in fields(Settings) if isinstance(part.type, type) and is_dataclass(part.type)
}
"""TOML table -> its dataclass."""

KEYS: Mapping[str, Key] = {
    **_keys("", Settings),
    **{name: key for section, owner in SECTIONS.items() for name, key in _keys(section, owner).items()},
}
"""Dotted name -> key; the profiles' keys are apart."""

PROFILE_KEYS: Mapping[str, Key] = {key.field: key for key in _keys("profile", Profile).values()}

ENVIRONMENT: Mapping[str, str] = {**VENDOR, **{key.env: name for name, key in KEYS.items()}}
"""Every name that is read from the environment or `.env` -> the key that it sets; an SPY32_ name outdoes a vendor's."""


def profile_key(profile: str, field: str) -> Key:
    """The key of `field` in `[profile.NAME]`, under its full name."""
    from dataclasses import replace

    return replace(PROFILE_KEYS[field], name=f"profile.{profile}.{field}")


def nearest(word: str, known: typing.Iterable[str]) -> str:
    """The known word most like `word`."""
    from difflib import SequenceMatcher

    plain = word.lower()
    return max(known, key=lambda other: SequenceMatcher(None, plain, other.lower()).ratio())


def number_type(kind: type) -> bool:
    return kind in (int, float, Decimal)


def allowed(key: Key) -> str:
    """What the key takes, in words that fit behind "takes"."""
    if key.shape == "list":
        return f"a list, each entry {_entry(key)}"
    if key.shape == "table":
        return f"a table from days to expiration (0 to 60) to entries, each {_entry(key)}"
    return _entry(key)


_FORMS = {
    "time": "a time of day, HH:MM, from 00:00 to 23:59",
    "address": "an address with https, or with http on a loopback host, without user or password",
    "host": "an address with https, or with http on a loopback host, without user or password; or nothing",
    "account": "an account number (letters, digits and dashes), or nothing",
    "word": "a name without blanks",
    "ticker": "a ticker in capital letters",
    "source": "a source of market data (tastytrade, cboe, yahoo, …), or recorded:FILE",
}


def _entry(key: Key) -> str:
    if key.choices:
        return "one of " + ", ".join(key.choices)
    if number_type(key.type):
        return ("a whole number" if key.type is int else "a number") + _range(key)
    if key.type is bool:
        return "true or false"
    if key.type is datetime:
        return "an instant with its offset from UTC, such as 2025-10-06T14:00:00Z"
    if key.is_secret:
        return "one line of letters, digits and signs, without blanks or quotes"
    return _FORMS.get(key.form, "text")


def _range(key: Key) -> str:
    low, high = (None if edge is None else format(Decimal(str(edge)), "f") for edge in (key.low, key.high))
    if low is not None and high is not None:
        return f" from {low} to {high}"
    return f" of at least {low}" if low is not None else f" of at most {high}" if high is not None else ""
