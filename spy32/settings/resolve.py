"""From four places to one `Settings`: flags > environment > `.env` > `config.toml` > defaults."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from spy32.domain.value import value
from spy32.settings.checks import check
from spy32.settings.keys import KEYS, SECTIONS
from spy32.settings.layers import (
    SettingsFile,
    SetValue,
    Source,
    read_dotenv,
    read_environment,
    read_flags,
    read_toml,
)
from spy32.settings.model import Profile, Settings

__all__ = ["Resolved", "SettingsFile", "Source", "resolve"]

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
    layers = [(*read_flags(flags),), (*read_environment(env),)]
    layers += [] if dotenv is None else [(*read_dotenv(dotenv),)]
    layers += [] if toml is None else [(*read_toml(toml),)]
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
