"""One raw value, from text or from TOML, to the typed and checked value of its key."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from spy32.settings.keys import KINDS, InvalidValue, Key
from spy32.settings.model import Secret

_NUMBER = r"[+-]?([0-9]{1,25}(\.[0-9]{0,25})?|\.[0-9]{1,25})([eE][+-]?[0-9]{1,2})?"
"""Python's own readers also take NaN, infinity, underlines, digits of other scripts and endless exponents."""
_SWITCHES = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
_MOST_DAYS = 60


def parse_setting(key: Key, text: str) -> Any:
    """The value of a variable, a `.env` line or a flag: lists are comma separated, tables are `32:5.0,40:5.5`."""
    if key.shape == "one":
        return convert_toml(key, _plain(key, text))
    parts = [part.strip() for part in text.split(",")] if text.strip() else []
    if key.shape == "list":
        return convert_toml(key, [_plain(key, part) for part in parts])
    if not parts:
        raise InvalidValue("at least one entry, such as 32:5.0")
    pairs = [part.partition(":") for part in parts]
    return _table(key, [(day.strip(), _plain(key, entry.strip())) for day, _, entry in pairs])


def _plain(key: Key, text: str) -> object:
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


def convert_toml(key: Key, raw: object) -> Any:
    """The value of a TOML entry, floats read as Decimal."""
    if key.shape == "one":
        return _entry(key, raw)
    if key.shape == "table":
        if not isinstance(raw, Mapping):
            raise InvalidValue("as a table")
        return _table(key, list(raw.items()))
    if not isinstance(raw, list):
        raise InvalidValue("in square brackets")
    entries = tuple(_entry(key, entry) for entry in raw)
    if not entries and not key.may_be_empty:
        raise InvalidValue("at least one")
    if len(set(entries)) != len(entries):
        raise InvalidValue("each once")
    return entries


def _table(key: Key, pairs: list[tuple[str, object]]) -> dict[int, Any]:
    if not all(re.fullmatch("[0-9]{1,2}", day) and int(day) <= _MOST_DAYS for day, _ in pairs):
        raise InvalidValue("the days are whole numbers")
    table = {int(day): _entry(key, entry) for day, entry in pairs}
    if len(table) != len(pairs):
        raise InvalidValue("each day once")
    return table


def _entry(key: Key, raw: Any) -> Any:
    """The typed entry within bounds, choices and form of its key."""
    if key.kind in _READERS:
        return _READERS[key.kind](key, raw)
    if not isinstance(raw, str):
        raise InvalidValue("in quotes")
    if key.kind == "text":
        if not (raw.isprintable() and raw.strip()):
            raise InvalidValue("on one line, not empty")
    elif key.kind in ("address", "host"):
        from spy32.settings.addresses import parse_address

        return parse_address(raw, may_be_empty=key.kind == "host")
    elif re.fullmatch(KINDS[key.kind][1], raw) is None:
        dressed = "it holds a blank, a quote, a line end or a letter outside ASCII"
        hint = dressed if raw.strip() else "it is empty; remove it or fill it in"
        raise InvalidValue(hint if key.kind == "secret" else "")
    return Secret(raw) if key.is_secret else raw


def _choice(key: Key, raw: Any) -> Any:
    if not isinstance(raw, str):
        raise InvalidValue("in quotes")
    if raw in key.choices:
        return key.type(raw)
    raise InvalidValue("")


def _number(key: Key, raw: Any) -> Any:
    if isinstance(raw, bool) or not isinstance(raw, int if key.type is int else (int, Decimal)):
        raise InvalidValue("without quotes" if isinstance(raw, str) else "")
    if re.fullmatch(_NUMBER, str(raw)) is not None:
        number = key.type(raw)
        # Written as acceptance, so that no value that fails to compare can pass.
        if key.low <= number <= key.high:
            return number
    raise InvalidValue("")


def _switch(_: Key, raw: Any) -> bool:
    if isinstance(raw, bool):
        return raw
    raise InvalidValue("without quotes")


def _instant(_: Key, raw: Any) -> datetime:
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


_READERS = {"choice": _choice, "number": _number, "switch": _switch, "instant": _instant}
