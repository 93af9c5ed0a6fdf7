"""From four places to one `Settings`, each value with its source.

Flags > environment > `.env` > `config.toml` > defaults.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from spy32.domain.value import value
from spy32.errors import BadSettings
from spy32.settings.checks import check
from spy32.settings.keys import (
    ENVIRONMENT,
    HOME,
    KEYS,
    PREFIX,
    PROFILE_KEYS,
    SECTIONS,
    VENDOR,
    InvalidValue,
    SettingKey,
    Source,
    convert_toml,
    describe_allowed,
    nearest_name,
    parse_setting,
    profile_key,
)
from spy32.settings.model import Profile, Settings

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
class SetValue:
    """One value that somebody set."""

    key: SettingKey
    value: Any
    source: Source


Place = Callable[[str], str]
"""Name or dotted path -> where it stands, for a message."""


def _read_flags(flags: Mapping[str, str]) -> Iterator[SetValue]:
    for name, text in flags.items():
        where = FLAGS.get(name, f"--{name}")
        if name not in KEYS or KEYS[name].is_secret:
            raise BadSettings(f"{_plain(where)}: no flag sets this")
        yield _parse_value(KEYS[name], text, "flag", where)


def _read_environment(env: Mapping[str, str]) -> Iterator[SetValue]:
    _check_names((name for name in env if name != HOME), lambda _: "environment")
    yield from _variables(env, "environment", lambda name: name)


def _read_dotenv(dotenv: SettingsFile) -> Iterator[SetValue]:
    lines = dotenv_lines(dotenv.text)

    def place(name: str) -> str:
        return f"{dotenv.path}:{lines[name]}" if name in lines else dotenv.path

    names = (*dotenv.values, *lines)
    if HOME in names:
        raise BadSettings(f"{place(HOME)}: {HOME} says where this file is, so it can only stand in the environment")
    _check_names(names, place)
    for name in names:
        if name in ENVIRONMENT and dotenv.values.get(name) is None:
            raise BadSettings(f"{place(name)}: {name} must be followed by = and its value on one line")
    yield from _variables({name: text or "" for name, text in dotenv.values.items()}, "dotenv", place)


def _variables(values: Mapping[str, str], kind: str, place: Place) -> Iterator[SetValue]:
    """The known ones, vendors' first, so that an SPY32_ name outdoes them."""
    return (
        _parse_value(KEYS[key], values[name], kind, place(name)) for name, key in ENVIRONMENT.items() if name in values
    )


def _check_names(names: Iterable[str], place: Place) -> None:
    """`BadSettings` for a name that is ours and that no key has."""
    for name in names:
        if not name.startswith(PREFIX) or name in ENVIRONMENT:
            continue
        hint = "profiles are set in config.toml, under [profile.NAME]"
        if not name.startswith("SPY32_PROFILE_"):
            known = nearest_name(name, [*(other for other in ENVIRONMENT if other not in VENDOR), HOME])
            hint = f"the nearest known one is {known}"
        raise BadSettings(f"{place(name)}: unknown name {_plain(name)}; {hint}")


def _parse_value(key: SettingKey, raw: Any, kind: str, where: str) -> SetValue:
    """Raises outside the handler: an exception's context must not carry the value either."""
    try:
        found = convert_toml(key, raw) if kind == "config" else parse_setting(key, raw)
    except InvalidValue as wrong:
        hint = f" ({wrong})" if str(wrong) else ""
    else:
        return SetValue(key=key, value=found, source=Source(kind=kind, where=where))
    excerpt = ""
    if not (key.is_private or isinstance(raw, list | Mapping)):
        text = str(raw)
        excerpt = f" is {text if len(text) <= 40 else f'{text[:40]}...'!r}, but"
    raise BadSettings(f"{where}: {key.name}{excerpt} takes {describe_allowed(key)}{hint}")


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


def _read_toml(toml: SettingsFile) -> Iterator[SetValue]:
    text = toml.text.removeprefix("\ufeff")
    lines = toml_lines(text)

    def place(path: str) -> str:
        """The line of `path`, or of the closest table or entry around it."""
        while path and path not in lines:
            path = path.rpartition(".")[0]
        return f"{toml.path}:{lines[path]}" if path else toml.path

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


def _find_key(section: str, name: str, raw: object, place: Place) -> SettingKey:
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


# The lines of a file, for messages: the parsers do not report them.

_PART = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
_PATH = rf"{_PART}(?:\s*\.\s*{_PART})*"
_TABLE_OR_ENTRY = rf"\s*(?:\[\[?\s*({_PATH})\s*\]|({_PATH})\s*=(.*))"
_ASSIGNMENT = r"\s*(?:export\s+)?'?([A-Za-z_][A-Za-z0-9_]*)"


def toml_lines(text: str) -> Mapping[str, int]:
    """Dotted path -> line of its first mention, tables included. A good guess where texts span lines."""
    found: dict[str, int] = {}
    table = closing = ""
    for number, line in enumerate(text.split("\n"), 1):
        if closing:
            closing = "" if closing in line else closing
        elif match := re.match(_TABLE_OR_ENTRY, line):
            header, entry, rest = match.groups()
            path = ".".join(part.strip("\"'") for part in re.findall(_PART, header or entry))
            if header:
                table = path
            else:
                path = f"{table}.{path}" if table else path
                closing = next((mark for mark in ('"""', "'''") if rest.count(mark) == 1), "")
            while path:  # with the tables that it implies
                found.setdefault(path, number)
                path = path.rpartition(".")[0]
    return found


def assigned_name(line: str) -> str | None:
    """The name that a line of a `.env` sets, if it sets one."""
    match = re.match(_ASSIGNMENT, line)
    return match[1] if match is not None and "=" in line else None


def dotenv_lines(text: str) -> Mapping[str, int]:
    """Name -> line of its last assignment, which is the one that counts."""
    found = ((re.match(_ASSIGNMENT, line), number) for number, line in enumerate(text.split("\n"), 1))
    return {match[1]: number for match, number in found if match}


# All places together.

_DEFAULT = Source(kind="default", where="default")
_UNTOUCHED: Mapping[str, Source] = dict.fromkeys([*KEYS, "profile.default.underlying"], _DEFAULT)


@value
class Resolved:
    """Settings, where each value came from, and the files that hold a secret (also one that is outdone)."""

    settings: Settings
    sources: Mapping[str, Source]
    secret_files: tuple[str, ...] = ()


def resolve(
    flags: Mapping[str, str], env: Mapping[str, str], dotenv: SettingsFile | None, toml: SettingsFile | None
) -> Resolved:
    """The checked settings; `BadSettings` names the key, where it stood and what it takes."""
    layers = [(*_read_flags(flags),), (*_read_environment(env),)]
    layers += [] if dotenv is None else [(*_read_dotenv(dotenv),)]
    layers += [] if toml is None else [(*_read_toml(toml),)]
    given = [entry for layer in reversed(layers) for entry in layer]
    sources = {**_UNTOUCHED, **{entry.key.name: entry.source for entry in given}}
    settings = _settings(given)
    check(settings, sources)
    kinds = {entry.source.kind for entry in given if entry.key.is_secret}
    files = (("dotenv", dotenv), ("config", toml))
    secret_files = tuple(file.path for kind, file in files if file is not None and kind in kinds)
    return Resolved(settings=settings, sources=MappingProxyType(sources), secret_files=secret_files)


def _settings(given: Iterable[SetValue]) -> Settings:
    """Settings from the values given, of which the last wins. In a table by days only the days that are set change."""
    sections: dict[str, dict[str, Any]] = {"": {}}
    for entry in given:
        key, fields = entry.key, sections.setdefault(entry.key.section, {})
        is_table = key.shape == "table"
        fields[key.field] = {**fields.get(key.field, key.default), **entry.value} if is_table else entry.value
    top = sections.pop("")
    profiles = {"default": Profile()}
    for section, fields in sections.items():
        if section in SECTIONS:
            top[section] = SECTIONS[section](**fields)
        else:
            name = section.removeprefix("profile.")
            profiles[name] = Profile(name=name, **fields)
    return replace(Settings(), **top, profiles=profiles)
