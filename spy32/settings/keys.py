"""The known keys, read once from `model`: dotted names, types, names in the environment, and what each one takes."""

import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from spy32.domain.value import value
from spy32.settings.model import Profile, Secret, Settings
from spy32.settings.services import CHAIN

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

_TYPES: Mapping[type, str] = {
    int: "number",
    float: "number",
    Decimal: "number",
    bool: "switch",
    datetime: "instant",
    Secret: "secret",
}
_ADDRESS = "an address with https, or with http on a loopback host, without user or password"
_SIGNS = "[!#-&(-_a-~]"
"""Letters, digits and signs of ASCII without blanks, quotes and backticks."""
_CLASSES = "(trade|trouble|weekly|always)"
KINDS: Mapping[str, tuple[str, str]] = {
    "switch": ("true or false", ""),
    "instant": ("an instant with its offset from UTC, such as 2025-10-06T14:00:00Z", ""),
    "address": (_ADDRESS, ""),
    "host": (f"{_ADDRESS}; or nothing", ""),
    "text": ("text", ""),
    "secret": ("one line of letters, digits and signs, without blanks or quotes", f"{_SIGNS}+"),
    "notifier": (
        "LABEL=ADDRESS, or LABEL/CLASSES=ADDRESS with trade, trouble, weekly joined by +",
        rf"[a-z0-9][a-z0-9_-]{{0,31}}(/{_CLASSES}(\+{_CLASSES})*)?=[a-z][a-z0-9+.-]*://{_SIGNS}+",
    ),
    "ping": (
        "an address with https, or with http on a loopback host",
        rf"(https://|http://(127(\.[0-9]{{1,3}}){{3}}|localhost|\[::1\])(?=[:/])){_SIGNS}+",
    ),
    "time": ("a time of day, HH:MM, from 00:00 to 23:59", "([01][0-9]|2[0-3]):[0-5][0-9]"),
    "account": ("an account number (letters, digits and dashes), or nothing", "([A-Za-z0-9][A-Za-z0-9-]{2,31})?"),
    "word": ("a name without blanks", "[!-~]{1,100}"),
    "prompt": ("a prompt version, or nothing", "[!-~]{0,100}"),
    "ticker": ("a ticker in capital letters", r"[A-Z]{1,5}(\.[A-Z])?"),
    "source": (
        f"a source of market data ({', '.join(CHAIN)}, …), or recorded:FILE",
        r"[a-z][a-z0-9_]*|recorded:[^\x00-\x1f\x7f]+",
    ),
}
"""Kind of an entry -> what it takes, in words and as a pattern. A number says its bounds, a choice its words."""


class InvalidValue(Exception):
    """A value that its key does not take. The text adds a hint to `describe_allowed` and holds no part of the value."""


@value
class Key:
    """One knob. `type` is what one entry is; `shape` says whether the value is one entry, a list or a table of them."""

    section: str
    field: str
    type: type
    shape: str
    default: Any
    doc: str
    low: Any
    high: Any
    choices: tuple[str, ...]
    form: str

    @property
    def name(self) -> str:
        return f"{self.section}.{self.field}" if self.section else self.field

    @property
    def env(self) -> str:
        return PREFIX + self.name.replace(".", "_").upper()

    @property
    def kind(self) -> str:
        """Of one entry: `choice`, `number`, or one of `KINDS`."""
        return "choice" if self.choices else self.form or _TYPES.get(self.type) or "text"

    @property
    def is_secret(self) -> bool:
        return self.type is Secret

    @property
    def may_be_empty(self) -> bool:
        """A list may have no entry: no source, no related ticker, nothing said about a model; a chain it must have."""
        return (self.form in ("source", "ticker") and self.name != "market.chain") or self.default == ()

    @property
    def is_private(self) -> bool:
        """A wrong value of this key is never repeated in a message: it may be, or may hold, a secret."""
        return self.is_secret or self.kind in ("account", "address", "host")


def _section_keys(section: str, owner: type) -> tuple[Key, ...]:
    return tuple(_key(section, part) for part in fields(owner) if "doc" in part.metadata)


def _key(section: str, part: "Field[Any]") -> Key:
    kind: Any = part.type
    if isinstance(kind, types.UnionType):
        kind = typing.get_args(kind)[0]
    shape = {tuple: "list", Mapping: "table"}.get(typing.get_origin(kind) or kind, "one")
    if shape != "one":
        kind = typing.get_args(kind)[1 if shape == "table" else 0]
    default = part.default if part.default_factory is MISSING else part.default_factory()
    knob = dict(part.metadata)
    if issubclass(kind, StrEnum):
        knob["choices"] = tuple(str(member) for member in kind)
    return Key(section=section, field=part.name, type=kind, shape=shape, default=default, **knob)


SECTIONS: Mapping[str, type] = {
    part.name: part.type for part in fields(Settings) if isinstance(part.type, type) and is_dataclass(part.type)
}
"""TOML table -> its dataclass."""

KEYS: Mapping[str, Key] = {
    key.name: key for section, owner in {"": Settings, **SECTIONS}.items() for key in _section_keys(section, owner)
}
"""Dotted name -> key; the profiles' keys are apart."""

ENVIRONMENT: Mapping[str, str] = {**VENDOR, **{key.env: name for name, key in KEYS.items()}}
"""Every name that is read from the environment or `.env` -> the key that it sets; an SPY32_ name outdoes a vendor's."""

_GLOBAL = {key.field: key for key in KEYS.values() if key.section in ("choice", "limits")} | {
    "dte": KEYS["dte.default"]
}
PROFILE_KEYS: Mapping[str, Key] = {key.field: key for key in _section_keys("profile", Profile)} | {
    part.name: replace(_GLOBAL[part.name], section="profile", field=part.name, default=None)
    for part in fields(Profile)
    if part.name in _GLOBAL
}
"""Field of a profile -> its key: meaning and bounds of the global one, without a default."""


def profile_key(profile: str, field: str) -> Key:
    """The key of `field` in `[profile.NAME]`, under its full name."""
    return replace(PROFILE_KEYS[field], section=f"profile.{profile}")


def nearest_name(word: str, known: Iterable[str]) -> str:
    """The known word most like `word`."""
    from difflib import SequenceMatcher

    plain = word.lower()
    return max(known, key=lambda other: SequenceMatcher(None, plain, other.lower()).ratio())


def describe_allowed(key: Key) -> str:
    """What the key takes, in words that fit behind "takes"."""
    if key.kind == "choice":
        entry = "one of " + ", ".join(key.choices)
    elif key.kind == "number":
        low, high = (format(Decimal(str(edge)), "f") for edge in (key.low, key.high))
        entry = f"{'a whole number' if key.type is int else 'a number'} from {low} to {high}"
    else:
        entry = KINDS[key.kind][0]
    if key.shape == "table":
        return f"a table from days to expiration (0 to 60) to entries, each {entry}"
    return f"a list, each entry {entry}" if key.shape == "list" else entry
