"""The settings in words: a commented `config.toml`, the rows of `config show`, and the tables of the reference."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from spy32.settings.keys import KEYS, PROFILE_KEYS, SECTIONS, VENDOR, Key, allowed, profile_key
from spy32.settings.model import Secret, Settings
from spy32.settings.resolve import Resolved, Source

TITLES: Mapping[str, str] = {
    "xai": "The xAI service, whose Grok chooses from the menu",
    "tastytrade": "The broker",
    "cboe": "Delayed quotes of the Cboe",
    "yahoo": "Yahoo Finance",
    "market": "Which sources are asked, in order; the next one is asked when one fails",
    "analyst": "Who chooses from the menu, and how often it is asked",
    "schedule": "When the scheduled run takes place",
    "choice": "Which spreads reach the menu",
    "execution": "How an order is priced and worked",
    "costs": "What trading costs; a broker's dry run outdoes it",
    "limits": "How much may be lost or opened",
    "conditions": "Market conditions that warn, halve or forbid",
    "exit": "When a trade is left",
    "drift": "How far the market may move between approval and execution",
    "paper": "The paper account",
    "dte": "Days to expiration",
}
"""TOML table -> what it is about."""

_SECRETS_HINT = "Without a default. A file that holds it must be readable by you alone; .env beside this file does too."


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of `config show`: the value is safe to show; None where nothing is set."""

    key: str
    value: str | None
    source: Source

    @property
    def shown(self) -> str:
        return "not set" if self.value is None else self.value or "empty"

    @property
    def origin(self) -> str:
        """The source as a person reads it: its kind, and its place where that says more."""
        return self.source.kind if self.source.kind == "default" else f"{self.source.kind}, {self.source.where}"


def rows(resolved: Resolved) -> tuple[Row, ...]:
    """Every key and every profile's own keys, secrets and account masked."""
    found = [*KEYS.values(), *_profile_keys(resolved.sources)]
    return tuple(
        Row(key=key.name, value=masked(key, _value(resolved.settings, key)), source=resolved.sources[key.name])
        for key in found
    )


def masked(key: Key, value: Any) -> str | None:
    """The value as text; stars for a secret, stars and the last four signs for an account number; None for none."""
    if isinstance(value, Secret):
        return "****"
    if key.form == "account" and value:
        return f"****{value[-4:]}" if len(value) > 4 else "****"
    return None if value is None else text_of(value)


def text_of(value: Any) -> str:
    """A value as a variable would hold it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, tuple):
        return ", ".join(text_of(entry) for entry in value)
    if isinstance(value, Mapping):
        return ", ".join(f"{day}: {text_of(entry)}" for day, entry in sorted(value.items()))
    return str(value)


def toml_of(value: Any) -> str:
    """A value as TOML writes it."""
    if isinstance(value, str):
        return json.dumps(str(value), ensure_ascii=False)
    if isinstance(value, tuple):
        return "[" + ", ".join(toml_of(entry) for entry in value) + "]"
    return text_of(value)


def _profile_keys(sources: Mapping[str, Source]) -> Iterator[Key]:
    for name in sources:
        if name.startswith("profile."):
            _, profile, field_name = name.split(".")
            yield profile_key(profile, field_name)


def _value(settings: Settings, key: Key) -> Any:
    if key.section.startswith("profile."):
        return getattr(settings.profiles[key.section.removeprefix("profile.")], key.field)
    return getattr(getattr(settings, key.section) if key.section else settings, key.field)


# config.toml


def config_text() -> str:
    """A `config.toml` in which every key is explained and its default stands behind a `#`: it changes nothing."""
    blocks = [_HEAD, *(_block(key) for key in KEYS.values() if not key.section)]
    for section in SECTIONS:
        keys = [key for key in KEYS.values() if key.section == section]
        plain = [_block(key) for key in keys if key.shape != "table"]
        blocks += [f"\n# {TITLES[section]}.\n[{section}]\n", *plain]
        blocks += [_table_block(key) for key in keys if key.shape == "table"]
    return "\n".join([*blocks, _profile_block()])


_HEAD = """\
# Settings of spy32. Flags > environment > .env > this file > defaults.
#
# A key begins right behind its `#`: take the sign away to set it. What stands there is the default.
# The name in the environment is SPY32_, the section, and the key: [xai] url is SPY32_XAI_URL.
# `spy32 config show` prints every value and where it came from.
"""


def _block(key: Key) -> str:
    lines = [f"# {key.doc}.", f"# Takes {allowed(key)}."]
    if key.is_secret:
        lines += [f"# {_SECRETS_HINT}", f"# {key.field} = ..."]
    elif key.default is None:
        lines += ["# Without a default.", f"# {key.field} = ..."]
    else:
        lines.append(f"#{key.field} = {toml_of(key.default)}")
    return "\n".join(lines) + "\n"


def _table_block(key: Key) -> str:
    head = [f"# {key.doc}.", "# A day that is not set here keeps its default.", f"# Takes {allowed(key)}."]
    return "\n".join([*head, f"[{key.name}]\n"]) + "".join(
        f"#{day} = {toml_of(value)}\n" for day, value in key.default.items()
    )


def _profile_block() -> str:
    lines = [
        "",
        "# A profile is a named variation, used by `spy32 analyze --profile NAME`. What it leaves out is global.",
        "# Limits can only be tightened. Write as many tables as you need:",
        "# [profile.NAME]",
    ]
    for key in PROFILE_KEYS.values():
        lines.append(f"# {key.field}: {key.doc}. Takes {allowed(key)}.")
    return "\n".join(lines) + "\n"


# The reference


def reference() -> str:
    """The generated part of docs/settings.md: one table a section."""
    parts = [_markdown("General", "", [key for key in KEYS.values() if not key.section])]
    for section in SECTIONS:
        keys = [key for key in KEYS.values() if key.section == section]
        parts.append(_markdown(f"`[{section}]`", f"{TITLES[section]}.", keys))
    intro = "A named variation for `--profile NAME`. What is left out takes the global value; limits only tighten."
    parts.append(_markdown("`[profile.NAME]`", intro, list(PROFILE_KEYS.values()), has_env=False))
    return "\n".join(parts)


def _markdown(title: str, intro: str, keys: list[Key], *, has_env: bool = True) -> str:
    lines = [f"### {title}", "", *([intro, ""] if intro else [])]
    lines += ["| key | meaning | takes | default |" + (" environment |" if has_env else "")]
    lines += ["| --- | --- | --- | --- |" + (" --- |" if has_env else "")]
    for key in keys:
        default = "none" if key.default in (None, "") else f"`{text_of(key.default)}`"
        cells = [f"`{key.field}`", key.doc, allowed(key), default]
        if has_env:
            cells.append(", ".join(f"`{name}`" for name in (key.env, *_vendors(key))))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _vendors(key: Key) -> Iterator[str]:
    return (variable for variable, name in VENDOR.items() if name == key.name)
