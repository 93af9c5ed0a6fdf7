"""From four places to one `Settings`: flags > environment > `.env` > `config.toml` > defaults."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from spy32.settings.checks import check
from spy32.settings.keys import KEYS, SECTIONS
from spy32.settings.layers import (
    DotenvText,
    Given,
    Source,
    TomlText,
    of_dotenv,
    of_environment,
    of_flags,
    of_toml,
)
from spy32.settings.model import Profile, Settings

__all__ = ["DotenvText", "Resolved", "Source", "TomlText", "resolve"]

_DEFAULT = Source(kind="default", where="default")
_UNSET_SECRET = Source(kind="default", where="default", secret=True)
_UNTOUCHED: Mapping[str, Source] = {
    **{name: _UNSET_SECRET if key.is_secret else _DEFAULT for name, key in KEYS.items()},
    "profile.default.underlying": _DEFAULT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """Settings, where each value came from, and the files that hold a secret (also one that is outdone)."""

    settings: Settings
    sources: Mapping[str, Source]
    secret_files: tuple[str, ...] = ()


def resolve(
    flags: Mapping[str, str], env: Mapping[str, str], dotenv: DotenvText | None, toml: TomlText | None
) -> Resolved:
    """The checked settings; `BadSettings` names the key, where it stood and what it takes."""
    places: list[Iterable[Given]] = [of_flags(flags), of_environment(env)]
    places += [of_dotenv(dotenv)] if dotenv is not None else []
    places += [of_toml(toml)] if toml is not None else []
    layers = [tuple(place) for place in places]
    given = [entry for layer in reversed(layers) for entry in layer]
    sources = {**_UNTOUCHED, **{entry.key.name: entry.source for entry in given}}
    settings = _built(_values(given))
    check(settings, sources)
    return Resolved(settings=settings, sources=MappingProxyType(sources), secret_files=_files(given, dotenv, toml))


def _values(given: Iterable[Given]) -> dict[str, Any]:
    """Key -> the strongest value. A table of days adds to and replaces single days, the others stay as they were."""
    values: dict[str, Any] = {}
    for entry in given:
        name = entry.key.name
        if entry.key.shape == "table":
            values[name] = {**values.get(name, entry.key.default), **entry.value}
        else:
            values[name] = entry.value
    return values


def _built(values: Mapping[str, Any]) -> Settings:
    grouped: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        section, _, field_name = name.rpartition(".")
        grouped.setdefault(section, {})[field_name] = value
    top = grouped.pop("", {})
    profiles = {"default": Profile()}
    for section, fields in grouped.items():
        if section in SECTIONS:
            top[section] = SECTIONS[section](**fields)
        else:
            name = section.removeprefix("profile.")
            profiles[name] = Profile(name=name, **fields)
    return replace(Settings(), **top, profiles=profiles)


def _files(given: Iterable[Given], dotenv: DotenvText | None, toml: TomlText | None) -> tuple[str, ...]:
    kinds = {entry.source.kind for entry in given if entry.source.secret}
    files = (("dotenv", dotenv), ("config", toml))
    return tuple(file.path for kind, file in files if file is not None and kind in kinds)
