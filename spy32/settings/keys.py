"""The known keys, read once from `model`: names, types, what each one takes, and its value read from text or TOML."""

import re
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass, replace
from datetime import UTC, datetime
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
class Source:
    """Where a value came from."""

    kind: str
    """flag, environment, dotenv, config or default."""
    where: str
    """`--mode`, `SPY32_XAI_URL`, `/home/a/.config/spy32/config.toml:12`, or `default`."""


@value
class SettingKey:
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


def _section_keys(section: str, owner: type) -> tuple[SettingKey, ...]:
    return tuple(_key(section, part) for part in fields(owner) if "doc" in part.metadata)


def _key(section: str, part: "Field[Any]") -> SettingKey:
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
    return SettingKey(section=section, field=part.name, type=kind, shape=shape, default=default, **knob)


SECTIONS: Mapping[str, type] = {
    part.name: part.type for part in fields(Settings) if isinstance(part.type, type) and is_dataclass(part.type)
}
"""TOML table -> its dataclass."""

KEYS: Mapping[str, SettingKey] = {
    key.name: key for section, owner in {"": Settings, **SECTIONS}.items() for key in _section_keys(section, owner)
}
"""Dotted name -> key; the profiles' keys are apart."""

ENVIRONMENT: Mapping[str, str] = {**VENDOR, **{key.env: name for name, key in KEYS.items()}}
"""Every name that is read from the environment or `.env` -> the key that it sets; an SPY32_ name outdoes a vendor's."""

_GLOBAL = {key.field: key for key in KEYS.values() if key.section in ("choice", "limits")} | {
    "dte": KEYS["dte.default"]
}
PROFILE_KEYS: Mapping[str, SettingKey] = {key.field: key for key in _section_keys("profile", Profile)} | {
    part.name: replace(_GLOBAL[part.name], section="profile", field=part.name, default=None)
    for part in fields(Profile)
    if part.name in _GLOBAL
}
"""Field of a profile -> its key: meaning and bounds of the global one, without a default."""


def profile_key(profile: str, field: str) -> SettingKey:
    """The key of `field` in `[profile.NAME]`, under its full name."""
    return replace(PROFILE_KEYS[field], section=f"profile.{profile}")


def nearest_name(word: str, known: Iterable[str]) -> str:
    """The known word most like `word`."""
    from difflib import SequenceMatcher

    plain = word.lower()
    return max(known, key=lambda other: SequenceMatcher(None, plain, other.lower()).ratio())


def describe_allowed(key: SettingKey) -> str:
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


# From text or TOML to the typed and checked value of a key.

_NUMBER = r"[+-]?([0-9]{1,25}(\.[0-9]{0,25})?|\.[0-9]{1,25})([eE][+-]?[0-9]{1,2})?"
"""Python's own readers also take NaN, infinity, underlines, digits of other scripts and endless exponents."""
_SWITCHES = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
_MOST_DAYS = 60


def parse_setting(key: SettingKey, text: str) -> Any:
    """The value of a variable, a `.env` line or a flag: lists are comma separated, tables are `32:5.0,40:5.5`."""
    if key.shape == "one":
        return convert_toml(key, _plain(key, text))
    parts = [part.strip() for part in text.split(",")] if text.strip() else []
    if key.shape == "list":
        return convert_toml(key, [_plain(key, part) for part in parts])
    pairs = (part.partition(":") for part in parts)
    table = {day.strip(): _plain(key, entry.strip()) for day, _, entry in pairs}
    if not table or len(table) != len(parts):
        raise InvalidValue("at least one entry, such as 32:5.0, and each day once")
    return convert_toml(key, table)


def _plain(key: SettingKey, text: str) -> object:
    """The text of one entry as TOML would have read it."""
    word = text.strip()
    if key.kind == "switch":
        if word.lower() not in _SWITCHES:
            raise InvalidValue("or yes and no, on and off, 1 and 0")
        return _SWITCHES[word.lower()]
    if key.kind == "number":
        if re.fullmatch(_NUMBER, word) is None:
            raise InvalidValue("")
        return int(word) if word.lstrip("+-").isdigit() else Decimal(word)
    return word if key.kind == "instant" else text


def convert_toml(key: SettingKey, raw: object) -> Any:
    """The value of a TOML entry, floats read as Decimal."""
    if key.shape == "one":
        return _entry(key, raw)
    if key.shape == "table":
        if not isinstance(raw, Mapping):
            raise InvalidValue("as a table")
        if not all(re.fullmatch("[0-9]{1,2}", day) and int(day) <= _MOST_DAYS for day in raw):
            raise InvalidValue("the days are whole numbers")
        table = {int(day): _entry(key, entry) for day, entry in raw.items()}
        if len(table) != len(raw):
            raise InvalidValue("each day once")
        return table
    if not isinstance(raw, list):
        raise InvalidValue("in square brackets")
    entries = tuple(_entry(key, entry) for entry in raw)
    if not entries and not key.may_be_empty:
        raise InvalidValue("at least one")
    if len(set(entries)) != len(entries):
        raise InvalidValue("each once")
    return entries


def _entry(key: SettingKey, raw: Any) -> Any:
    """The typed entry within bounds, choices and form of its key."""
    if key.kind == "number":
        return _number(key, raw)
    if key.kind == "instant":
        return _instant(raw)
    if key.kind == "switch":
        if not isinstance(raw, bool):
            raise InvalidValue("without quotes")
    elif not isinstance(raw, str):
        raise InvalidValue("in quotes")
    elif key.kind == "choice":
        if raw not in key.choices:
            raise InvalidValue("")
    elif key.kind == "text":
        if not (raw.isprintable() and raw.strip()):
            raise InvalidValue("on one line, not empty")
    elif key.kind in ("address", "host"):
        return _parse_address(raw, may_be_empty=key.kind == "host")
    elif re.fullmatch(KINDS[key.kind][1], raw) is None:
        dressed = "it holds a blank, a quote, a line end or a letter outside ASCII"
        hint = dressed if raw.strip() else "it is empty; remove it or fill it in"
        raise InvalidValue(hint if key.kind == "secret" else "")
    return key.type(raw)


def _number(key: SettingKey, raw: Any) -> Any:
    if isinstance(raw, bool) or not isinstance(raw, int if key.type is int else (int, Decimal)):
        raise InvalidValue("without quotes" if isinstance(raw, str) else "")
    if re.fullmatch(_NUMBER, str(raw)) is not None:
        number = key.type(raw)
        # Written as acceptance, so that no value that fails to compare can pass.
        if key.low <= number <= key.high:
            return number
    raise InvalidValue("")


def _instant(raw: object) -> datetime:
    """Aware, UTC, of this century: no time around it overflows."""
    if isinstance(raw, str):
        try:
            raw = datetime.fromisoformat(raw)
        except ValueError:
            raise InvalidValue("RFC 3339") from None
    if not isinstance(raw, datetime) or raw.tzinfo is None:
        raise InvalidValue("RFC 3339")
    if not 2000 <= raw.year < 2100:
        raise InvalidValue("of the years 2000 to 2099")
    return raw.astimezone(UTC)


def _parse_address(text: str, *, may_be_empty: bool) -> str:
    """The address without a trailing slash; `InvalidValue` unless it is https, or http on a loopback host."""
    from urllib.parse import urlsplit

    if not text and may_be_empty:
        return text
    if not text or any(not "!" <= sign <= "~" or sign in "\\\"'`<>" for sign in text):
        raise InvalidValue("it is empty, or holds a blank or a sign that no address has")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise InvalidValue("it is not an address") from None
    if "@" in parts.netloc:
        raise InvalidValue("it holds a user or a password")
    if not host or port == 0 or parts.query or parts.fragment or parts.netloc.endswith(":"):
        raise InvalidValue("a host, perhaps a port and a path, nothing else")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback_host(host)):
        raise InvalidValue("")
    return text.rstrip("/")


def is_loopback_host(host: str) -> bool:
    """127.0.0.0/8, ::1 or localhost, spelled in full."""
    from ipaddress import IPv4Address, ip_address

    if host == "localhost":
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return address.is_loopback if isinstance(address, IPv4Address) else str(address) == "::1"
