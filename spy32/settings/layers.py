"""The four places where a value may stand (flags, environment, `.env`, `config.toml`), each read into `Given`s."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from spy32.errors import BadSettings
from spy32.settings.coerce import from_text, from_toml
from spy32.settings.keys import (
    ENVIRONMENT,
    HOME,
    KEYS,
    PREFIX,
    PROFILE_KEYS,
    SECTIONS,
    VENDOR,
    Key,
    Wrong,
    allowed,
    nearest,
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


@dataclass(frozen=True, slots=True, kw_only=True)
class TomlText:
    """The text of a `config.toml`, and where it was read."""

    text: str = field(repr=False)
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DotenvText:
    """What python-dotenv made of a `.env`, its text (for line numbers), and where it was read."""

    values: Mapping[str, str | None] = field(repr=False)
    text: str = field(repr=False)
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a value came from. `secret` says that it must not be shown."""

    kind: str
    """flag, environment, dotenv, config or default."""
    where: str
    """`--mode`, `SPY32_XAI_URL`, `/home/a/.config/spy32/config.toml:12`, or `default`."""
    secret: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """One value that somebody set."""

    key: Key
    value: Any
    source: Source


def of_flags(flags: Mapping[str, str]) -> Iterator[Given]:
    for name, text in flags.items():
        where = FLAGS.get(name, f"--{name}")
        if name not in KEYS or KEYS[name].is_secret:
            raise BadSettings(f"{_plain(where)}: no flag sets this")
        yield _given(KEYS[name], text, Source(kind="flag", where=where), from_text)


def of_environment(env: Mapping[str, str]) -> Iterator[Given]:
    for name in env:
        if name.startswith(PREFIX) and name not in ENVIRONMENT and name != HOME:
            raise _unknown_variable(name, "environment")
    for name in _by_rank(env):
        key = KEYS[ENVIRONMENT[name]]
        yield _given(key, env[name], Source(kind="environment", where=name, secret=key.is_secret), from_text)


def of_dotenv(dotenv: DotenvText) -> Iterator[Given]:
    lines = dotenv_lines(dotenv.text)

    def place(name: str) -> str:
        return f"{dotenv.path}:{lines[name]}" if name in lines else dotenv.path

    for name in (*dotenv.values, *lines):
        if name == HOME:
            raise BadSettings(f"{place(name)}: {HOME} says where this file is, so it can only stand in the environment")
        if name.startswith(PREFIX) and name not in ENVIRONMENT:
            raise _unknown_variable(name, place(name))
        if name in ENVIRONMENT and dotenv.values.get(name) is None:
            raise BadSettings(f"{place(name)}: {name} must be followed by = and its value on one line")
    for name in _by_rank(dotenv.values):
        key = KEYS[ENVIRONMENT[name]]
        text = dotenv.values[name] or ""
        yield _given(key, text, Source(kind="dotenv", where=place(name), secret=key.is_secret), from_text)


def of_toml(toml: TomlText) -> Iterator[Given]:
    text = toml.text.removeprefix("\ufeff")
    lines = toml_lines(text)

    def place(path: str) -> str:
        line = line_of(path, lines)
        return toml.path if line is None else f"{toml.path}:{line}"

    for path, key, raw in _entries(_parsed(text, toml.path), place):
        yield _given(key, raw, Source(kind="config", where=place(path), secret=key.is_secret), from_toml)


def _by_rank(names: Iterable[str]) -> list[str]:
    """The known names among `names`, vendors' first, so that an SPY32_ name outdoes them."""
    given = set(names)
    return [name for name in ENVIRONMENT if name in given]


def _given(key: Key, raw: Any, source: Source, read: Any) -> Given:
    """Raises outside the handler: an exception's context must not carry the value either."""
    problem = None
    try:
        value = read(key, raw)
    except Wrong as wrong:
        problem = str(wrong)
    if problem is not None:
        hint = f" ({problem})" if problem else ""
        raise BadSettings(f"{source.where}: {key.name}{_shown(key, raw)} takes {allowed(key)}{hint}")
    return Given(key=key, value=value, source=source)


def _shown(key: Key, raw: object) -> str:
    if key.is_private or isinstance(raw, (list, Mapping)):
        return ""
    text = str(raw)
    cut = text if len(text) <= 40 else f"{text[:40]}..."
    return f" is {cut!r}, but"


def _plain(name: str) -> str:
    """A name that somebody typed, safe to print on one line."""
    return name if name.isprintable() else ascii(name)


def _unknown_variable(name: str, where: str) -> BadSettings:
    if name.startswith("SPY32_PROFILE_"):
        hint = "profiles are set in config.toml, under [profile.NAME]"
    else:
        hint = f"the nearest known one is {nearest(name, [*(n for n in ENVIRONMENT if n not in VENDOR), HOME])}"
    return BadSettings(f"{where}: unknown name {_plain(name)}; {hint}")


# TOML


_REASONS = (
    "Invalid value",
    "Invalid statement",
    "Expected '=' after a key in a key/value pair",
    "Expected ']' at the end of a table declaration",
    "Expected newline or end of document after a statement",
    "Cannot overwrite a value",
    "Unterminated string",
    "Unclosed array",
    "Unclosed inline table",
    "Cannot declare",
    "Illegal character",
)
_AT = re.compile(r"\(at line (\d+), column (\d+)\)$")


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise ValueError("a number out of range") from None


def _parsed(text: str, path: str) -> dict[str, Any]:
    """The document. tomllib's words are passed on only as far as they cannot repeat the text: it may hold a secret."""
    import tomllib

    problem, column = "", ""
    try:
        return tomllib.loads(text, parse_float=_decimal)
    except RecursionError:
        problem = "nested too deeply"
    except ValueError as error:
        message = str(error)
        problem = next((reason for reason in _REASONS if message.startswith(reason)), "not valid")
        if at := _AT.search(message):
            path, column = f"{path}:{at[1]}", f" at column {at[2]}"
        elif message.endswith("(at end of document)"):
            path = f"{path}:{len(text.splitlines()) or 1}"
    raise BadSettings(f"{path}: this is not TOML: {problem[:1].lower()}{problem[1:]}{column}")


def _entries(document: Mapping[str, Any], place: Any) -> Iterator[tuple[str, Key, object]]:
    """(path, key, raw value) of each entry; BadSettings for what is not known."""
    for name, raw in document.items():
        if name == "profile":
            yield from _profiles(_table(name, raw, place), place)
        elif name in SECTIONS:
            for field_name, value in _table(name, raw, place).items():
                path = f"{name}.{field_name}"
                if path not in KEYS:
                    raise _unknown_entry(path, [key.field for key in KEYS.values() if key.section == name], place)
                # An empty table changes nothing, so it is no source of anything.
                if value != {} or KEYS[path].shape != "table":
                    yield path, KEYS[path], value
        elif name in KEYS:
            yield name, KEYS[name], raw
        else:
            word = "section" if isinstance(raw, Mapping) else "key"
            known = [*SECTIONS, "profile"] if word == "section" else [*KEYS, *VENDOR]
            other = nearest(name, known)
            raise BadSettings(
                f"{place(name)}: unknown {word} {_plain(name)}; the nearest known one is {VENDOR.get(other, other)}"
            )


def _profiles(tables: Mapping[str, Any], place: Any) -> Iterator[tuple[str, Key, object]]:
    for name, raw in tables.items():
        path = f"profile.{name}"
        if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}", name) is None:
            hint = "up to 32 letters, digits, dashes and underlines, and begins with a letter or digit"
            raise BadSettings(f"{place(path)}: {_plain(name)!r} cannot name a profile; a name has {hint}")
        for field_name, value in _table(path, raw, place).items():
            if field_name not in PROFILE_KEYS:
                raise _unknown_entry(f"{path}.{field_name}", PROFILE_KEYS, place)
            yield f"{path}.{field_name}", profile_key(name, field_name), value


def _table(path: str, raw: object, place: Any) -> Mapping[str, Any]:
    if isinstance(raw, Mapping):
        return raw
    raise BadSettings(f"{place(path)}: {path} is a table: write [{path}] and its keys below it")


def _unknown_entry(path: str, siblings: Iterable[str], place: Any) -> BadSettings:
    """Names the same key of another section when there is one, else the nearest of this section."""
    section, _, name = path.rpartition(".")
    elsewhere = [key.name for key in KEYS.values() if key.field == name and key.section]
    hint = elsewhere[0] if elsewhere else f"{section}.{nearest(name, siblings)}"
    return BadSettings(f"{place(path)}: unknown key {_plain(path)}; the nearest known one is {hint}")
