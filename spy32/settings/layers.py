"""The four places where a value may stand (flags, environment, `.env`, `config.toml`), each read into `SetValue`s."""

import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from spy32.domain.value import value
from spy32.errors import BadSettings
from spy32.settings.coerce import convert_toml, parse_setting
from spy32.settings.keys import (
    ENVIRONMENT,
    HOME,
    KEYS,
    PREFIX,
    PROFILE_KEYS,
    SECTIONS,
    VENDOR,
    InvalidValue,
    Key,
    describe_allowed,
    nearest_name,
    profile_key,
)
from spy32.settings.lines import dotenv_lines, line_of, toml_lines

FLAGS: Mapping[str, str] = {
    "mode": "--mode",
    "market.chain": "--market",
    "analyst.name": "--analyst",
    "dte.default": "--dte",
}
"""Keys that a flag sets -> the flag, for messages."""


@value
class SettingsFile:
    """The text of a `config.toml` or `.env`, and where it was read. It may hold a secret, so it stays hidden."""

    text: str
    path: str
    values: Mapping[str, str | None] = MappingProxyType({})
    """What python-dotenv made of a `.env`."""

    def __repr__(self) -> str:
        return f"SettingsFile({self.path})"


@value
class Source:
    """Where a value came from."""

    kind: str
    """flag, environment, dotenv, config or default."""
    where: str
    """`--mode`, `SPY32_XAI_URL`, `/home/a/.config/spy32/config.toml:12`, or `default`."""


@value
class SetValue:
    """One value that somebody set."""

    key: Key
    value: Any
    source: Source


Place = Callable[[str], str]
"""Name or dotted path -> where it stands, for a message."""


def read_flags(flags: Mapping[str, str]) -> Iterator[SetValue]:
    for name, text in flags.items():
        where = FLAGS.get(name, f"--{name}")
        if name not in KEYS or KEYS[name].is_secret:
            raise BadSettings(f"{_plain(where)}: no flag sets this")
        yield _parse_value(KEYS[name], text, "flag", where)


def read_environment(env: Mapping[str, str]) -> Iterator[SetValue]:
    for name in env:
        if name != HOME:
            _check_variable(name, "environment")
    yield from _variables(env, "environment", lambda name: name)


def read_dotenv(dotenv: SettingsFile) -> Iterator[SetValue]:
    lines = dotenv_lines(dotenv.text)

    def place(name: str) -> str:
        return f"{dotenv.path}:{lines[name]}" if name in lines else dotenv.path

    for name in (*dotenv.values, *lines):
        if name == HOME:
            raise BadSettings(f"{place(name)}: {HOME} says where this file is, so it can only stand in the environment")
        _check_variable(name, place(name))
        if name in ENVIRONMENT and dotenv.values.get(name) is None:
            raise BadSettings(f"{place(name)}: {name} must be followed by = and its value on one line")
    yield from _variables({name: text or "" for name, text in dotenv.values.items()}, "dotenv", place)


def _variables(values: Mapping[str, str], kind: str, place: Place) -> Iterator[SetValue]:
    """The known ones, vendors' first, so that an SPY32_ name outdoes them."""
    return (
        _parse_value(KEYS[ENVIRONMENT[name]], values[name], kind, place(name)) for name in ENVIRONMENT if name in values
    )


def _check_variable(name: str, where: str) -> None:
    """`BadSettings` for a name that is ours and that no key has."""
    if not name.startswith(PREFIX) or name in ENVIRONMENT:
        return
    if name.startswith("SPY32_PROFILE_"):
        hint = "profiles are set in config.toml, under [profile.NAME]"
    else:
        known = [*(other for other in ENVIRONMENT if other not in VENDOR), HOME]
        hint = f"the nearest known one is {nearest_name(name, known)}"
    raise BadSettings(f"{where}: unknown name {_plain(name)}; {hint}")


def _parse_value(key: Key, raw: Any, kind: str, where: str) -> SetValue:
    """Raises outside the handler: an exception's context must not carry the value either."""
    try:
        found = convert_toml(key, raw) if kind == "config" else parse_setting(key, raw)
    except InvalidValue as wrong:
        problem = str(wrong)
    else:
        return SetValue(key=key, value=found, source=Source(kind=kind, where=where))
    hint = f" ({problem})" if problem else ""
    raise BadSettings(f"{where}: {key.name}{_excerpt(key, raw)} takes {describe_allowed(key)}{hint}")


def _excerpt(key: Key, raw: object) -> str:
    if key.is_private or isinstance(raw, (list, Mapping)):
        return ""
    text = str(raw)
    cut = text if len(text) <= 40 else f"{text[:40]}..."
    return f" is {cut!r}, but"


def _plain(name: str) -> str:
    """A name that somebody typed, safe to print on one line."""
    return name if name.isprintable() else ascii(name)


# TOML

_SAFE_WORDS = (
    "Invalid (value|statement)|Expected '=' after a key in a key/value pair|Cannot (overwrite a value|declare)"
    "|Expected (']' at the end of a table declaration|newline or end of document after a statement)"
    "|Unterminated string|Unclosed (array|inline table)|Illegal character"
)
"""What tomllib says without repeating the text, which may hold a secret. Nothing else of it is passed on."""
_AT = r"\(at line (\d+), column (\d+)\)$"


def read_toml(toml: SettingsFile) -> Iterator[SetValue]:
    text = toml.text.removeprefix("\ufeff")
    lines = toml_lines(text)

    def place(path: str) -> str:
        line = line_of(path, lines)
        return toml.path if line is None else f"{toml.path}:{line}"

    for section, name, raw in _entries(_parse_toml(text, toml.path), place):
        key = _find_key(section, name, raw, place)
        # An empty table changes nothing, so it is no source of anything.
        if raw != {} or key.shape != "table":
            yield _parse_value(key, raw, "config", place(key.name))


def _parse_toml(text: str, path: str) -> dict[str, Any]:
    import tomllib

    column = ""
    try:
        return tomllib.loads(text, parse_float=Decimal)
    except RecursionError:
        problem = "nested too deeply"
    except (ValueError, ArithmeticError) as error:
        message = str(error)
        safe = re.match(_SAFE_WORDS, message)
        problem = safe[0][:1].lower() + safe[0][1:] if safe else "not valid"
        if at := re.search(_AT, message):
            path, column = f"{path}:{at[1]}", f" at column {at[2]}"
        elif message.endswith("(at end of document)"):
            path = f"{path}:{len(text.splitlines()) or 1}"
    raise BadSettings(f"{path}: this is not TOML: {problem}{column}")


def _entries(table: Mapping[str, Any], place: Place, section: str = "") -> Iterator[tuple[str, str, object]]:
    """Section (empty for none), name and raw value of each entry."""
    for name, raw in table.items():
        path = f"{section}.{name}" if section else name
        if section != "profile" and (section or name not in (*SECTIONS, "profile")):
            yield section, name, raw
        elif section and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}", name) is None:
            hint = "up to 32 letters, digits, dashes and underlines, and begins with a letter or digit"
            raise BadSettings(f"{place(path)}: {_plain(name)!r} cannot name a profile; a name has {hint}")
        elif isinstance(raw, Mapping):
            yield from _entries(raw, place, path)
        else:
            raise BadSettings(f"{place(path)}: {path} is a table: write [{path}] and its keys below it")


def _find_key(section: str, name: str, raw: object, place: Place) -> Key:
    """The key of that name; `BadSettings` with the nearest known one when there is none."""
    path = f"{section}.{name}" if section else name
    in_profile = section.startswith("profile.")
    if not in_profile and path in KEYS:
        return KEYS[path]
    if in_profile and name in PROFILE_KEYS:
        return profile_key(section.removeprefix("profile."), name)
    kind = "key" if section or not isinstance(raw, Mapping) else "section"
    # The same key of another section is meant, if there is one.
    same = [key.name for key in KEYS.values() if section and key.section and key.field == name]
    if same:
        hint = same[0]
    elif section:
        siblings = PROFILE_KEYS if in_profile else [key.field for key in KEYS.values() if key.section == section]
        hint = f"{section}.{nearest_name(name, siblings)}"
    else:
        hint = nearest_name(name, [*SECTIONS, "profile"] if kind == "section" else [*KEYS, *VENDOR])
    raise BadSettings(
        f"{place(path)}: unknown {kind} {_plain(path)}; the nearest known one is {VENDOR.get(hint, hint)}"
    )
