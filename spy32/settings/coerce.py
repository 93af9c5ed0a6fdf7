"""One raw value, from text or from TOML, to the typed and checked value of its key."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from spy32.settings.keys import Key, Wrong, number_type
from spy32.settings.model import Secret

_WHOLE = re.compile(r"[+-]?[0-9]{1,20}")
_NUMBER = re.compile(r"[+-]?([0-9]{1,25}(\.[0-9]{0,25})?|\.[0-9]{1,25})([eE][+-]?[0-9]{1,2})?")
_DAYS = re.compile(r"[0-9]{1,2}")
_MOST_DAYS = 60
_YES, _NO = ("true", "1", "yes", "on"), ("false", "0", "no", "off")
_FORMS = {
    "time": re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]"),
    "account": re.compile(r"([A-Za-z0-9][A-Za-z0-9-]{2,31})?"),
    "word": re.compile(r"[!-~]{1,100}"),
    "ticker": re.compile(r"[A-Z]{1,5}(\.[A-Z])?"),
    "source": re.compile(r"[a-z][a-z0-9_]*|recorded:[^\x00-\x1f\x7f]+"),
}


def from_text(key: Key, text: str) -> Any:
    """The value of a variable, a `.env` line or a flag: lists are comma separated, tables are `32:5.0,40:5.5`."""
    if key.shape == "one":
        return _checked(key, _entry_of_text(key, text))
    parts = [part.strip() for part in text.split(",")] if text.strip() else []
    if key.shape == "list":
        return _list(key, [_entry_of_text(key, part) for part in parts])
    if not parts:
        raise Wrong("at least one entry, such as 32:5.0")
    pairs = [part.partition(":") for part in parts]
    return _table(key, [(day.strip(), _entry_of_text(key, value.strip())) for day, _, value in pairs])


def from_toml(key: Key, raw: object) -> Any:
    """The value of a TOML entry, floats read as Decimal."""
    if key.shape == "one":
        return _checked(key, _entry_of_toml(key, raw))
    if key.shape == "list":
        if not isinstance(raw, list):
            raise Wrong("in square brackets")
        return _list(key, [_entry_of_toml(key, part) for part in raw])
    if not isinstance(raw, Mapping):
        raise Wrong("as a table")
    return _table(key, [(str(day), _entry_of_toml(key, value)) for day, value in raw.items()])


def _list(key: Key, entries: list[Any]) -> tuple[Any, ...]:
    if not entries and not key.may_be_empty:
        raise Wrong("at least one")
    checked = tuple(_checked(key, entry) for entry in entries)
    if len(set(checked)) != len(checked):
        raise Wrong("each once")
    return checked


def _table(key: Key, entries: list[tuple[str, Any]]) -> dict[int, Any]:
    if any(_DAYS.fullmatch(day) is None or int(day) > _MOST_DAYS for day, _ in entries):
        raise Wrong("the days are whole numbers")
    table = {int(day): _checked(key, value) for day, value in entries}
    if len(table) != len(entries):
        raise Wrong("each day once")
    return table


def _entry_of_text(key: Key, text: str) -> Any:
    """The untyped text as the type of the key; bounds come later."""
    if key.type is bool:
        word = text.strip().lower()
        if word not in _YES + _NO:
            raise Wrong("or yes and no, on and off, 1 and 0")
        return word in _YES
    if number_type(key.type):
        return _number(key, text.strip())
    if key.type is datetime:
        return _instant(text.strip())
    return text


def _entry_of_toml(key: Key, raw: object) -> Any:
    if key.type is datetime:
        return _instant(raw)
    if key.type is bool:
        if not isinstance(raw, bool):
            raise Wrong("without quotes")
        return raw
    if number_type(key.type):
        is_number = isinstance(raw, int if key.type is int else (int, Decimal)) and not isinstance(raw, bool)
        if not is_number:
            raise Wrong("without quotes")
        return _number(key, str(raw))
    if not isinstance(raw, str):
        raise Wrong("in quotes")
    return raw


def _number(key: Key, text: str) -> Any:
    if (_WHOLE if key.type is int else _NUMBER).fullmatch(text) is None:
        raise Wrong("")
    return key.type(text)


def _instant(raw: object) -> datetime:
    """Aware, UTC, of this century."""
    if isinstance(raw, str):
        try:
            raw = datetime.fromisoformat(raw)
        except ValueError:
            raw = None
    if not isinstance(raw, datetime) or raw.tzinfo is None:
        raise Wrong("RFC 3339")
    if not 2000 <= raw.year < 2100:
        raise Wrong("of the years 2000 to 2099")
    return raw.astimezone(UTC)


def _checked(key: Key, value: Any) -> Any:
    """The value within bounds, choices and form of its key."""
    if key.is_secret:
        return _secret(value)
    if number_type(key.type):
        return _bounded(key, value)
    if key.choices:
        return _chosen(key, value)
    if key.form in ("address", "host"):
        from spy32.settings.addresses import checked_address

        return checked_address(value, may_be_empty=key.form == "host")
    if key.form in _FORMS and _FORMS[key.form].fullmatch(value) is None:
        raise Wrong("")
    if key.type is str and not key.form and not (value.isprintable() and value.strip()):
        raise Wrong("on one line, not empty")
    return value


def _bounded(key: Key, value: Any) -> Any:
    # Written as acceptance, so that no value that fails to compare can pass.
    if (key.low is None or value >= key.low) and (key.high is None or value <= key.high):
        return value
    raise Wrong("")


def _chosen(key: Key, value: str) -> Any:
    if value in key.choices:
        return key.type(value) if issubclass(key.type, StrEnum) else value
    raise Wrong("")


def _secret(value: str) -> Secret:
    if not value.strip():
        raise Wrong("it is empty; remove it or fill it in")
    if any(not "!" <= sign <= "~" or sign in "\"'`" for sign in value):
        raise Wrong("it holds a blank, a quote, a line end or a letter outside ASCII")
    return Secret(value)
