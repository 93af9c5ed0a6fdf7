"""The settings in words: the rows of `config show`, and a commented `config.toml`."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from spy32.domain.value import value
from spy32.settings.keys import (
    ENVIRONMENT,
    KEYS,
    PROFILE_KEYS,
    SECTIONS,
    SettingKey,
    Source,
    describe_allowed,
    profile_key,
)
from spy32.settings.model import Secret, Settings
from spy32.settings.notifiers import notify_addresses
from spy32.settings.resolve import Resolved

LABEL = re.compile(r"[^:=]*=(?=[^:]+://)")
"""What stands before an address of `notify.addresses`."""
TOKEN_LENGTH = 8
"""Characters from which a part of an address may be a token; shorter ones are words such as `api` and chat numbers."""


@value
class Row:
    """One line of `config show`: the value is safe to show; None where nothing is set."""

    key: str
    value: str | None
    source: Source

    @property
    def display(self) -> str:
        return "not set" if self.value is None else self.value or "empty"

    @property
    def origin(self) -> str:
        """The source as a person reads it: its kind, and its place where that says more."""
        return self.source.kind if self.source.kind == "default" else f"{self.source.kind}, {self.source.where}"


def rows(resolved: Resolved) -> tuple[Row, ...]:
    """Every key and every profile's own keys, secrets and account masked."""
    settings = resolved.settings
    found = [(key, getattr(settings, key.section) if key.section else settings) for key in KEYS.values()]
    for name in resolved.sources:
        if name not in KEYS:
            _, profile, field = name.split(".")
            found.append((profile_key(profile, field), settings.profiles[profile]))
    return tuple(
        Row(key=key.name, value=masked_text(key, getattr(owner, key.field)), source=resolved.sources[key.name])
        for key, owner in found
    )


def masked_text(key: SettingKey, value: Any) -> str | None:
    """The value as text; stars for a secret, stars and the last four signs for an account number; None for none."""
    if key.form == "notifier":
        return ", ".join(f"{address.label} ****" for address in notify_addresses(value))
    if isinstance(value, Secret):
        return "****"
    if key.form == "account" and value:
        return f"****{value[-4:]}" if len(value) > 4 else "****"
    return None if value is None else text_of(value)


def secret_texts(env: Mapping[str, str], settings: Settings | None) -> frozenset[str]:
    """Every secret and account number of the environment and of `settings`: what no log may hold.

    An address is in it whole, without its label, and in its secret parts.
    """
    names = [name for name, key in ENVIRONMENT.items() if KEYS[key].is_secret or KEYS[key].form == "account"]
    account = settings.tastytrade.account if settings is not None else ""
    texts = (*(env[name] for name in names if name in env), *_find_secrets(settings), account)
    return frozenset((*texts, *(part for text in texts for part in _address_parts(text))))


def _address_parts(text: str) -> Iterator[str]:
    """The addresses in a text without their labels; of each the password, and what is long enough to be a token.

    The name of a host is none, since a log may say which one cannot be reached. Some services have a token there.
    """
    from urllib.parse import unquote

    for entry in text.split(","):
        address = LABEL.sub("", entry.strip())
        _, mark, rest = address.partition("://")
        if not mark:
            continue
        yield address
        place = re.split("[/?#]", rest, maxsplit=1)[0]
        user, _, host = place.rpartition("@")
        name, _, port = host.partition(":")
        password = user.partition(":")[2]
        words = (user, "" if "." in name or name == "localhost" else name, rest[len(place) :])
        tokens = (token for word in words for token in re.split("[/:?&=#@;]", word) if len(token) >= TOKEN_LENGTH)
        for part in (password, "" if port.isdecimal() else port, *tokens):
            yield from (part, unquote(part))


def _find_secrets(value: Any) -> Iterator[str]:
    """The secrets in a value, whatever it is made of."""
    if isinstance(value, Secret):
        yield value.reveal()
    elif isinstance(value, tuple):
        for entry in value:
            yield from _find_secrets(entry)
    elif is_dataclass(value):
        for part in fields(value):
            yield from _find_secrets(getattr(value, part.name))


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


def title(section: str) -> str:
    """What a TOML table is about: the first line of its docstring."""
    return (SECTIONS[section].__doc__ or section).partition("\n")[0]


def config_text() -> str:
    """A `config.toml` in which every key is explained and its default stands behind a `#`: it changes nothing."""
    blocks = [_HEAD, *(_block(key) for key in KEYS.values() if not key.section)]
    for section in SECTIONS:
        # Tables of days last: what follows the head of a table belongs to it.
        keys = sorted((key for key in KEYS.values() if key.section == section), key=lambda key: key.shape == "table")
        blocks += [f"\n# {title(section)}\n[{section}]\n", *map(_block, keys)]
    fields = (f"# {key.field}: {key.doc}.\n#   Takes {describe_allowed(key)}.\n" for key in PROFILE_KEYS.values())
    return "\n".join(blocks) + _PROFILE_HEAD + "".join(fields)


_HEAD = """\
# Settings of spy32. Flags > environment > .env > this file > defaults.
#
# A key begins right behind its `#`: take the sign away to set it. What stands there is the default.
# The name in the environment is SPY32_, the section, and the key: [xai] url is SPY32_XAI_URL.
# `spy32 config show` prints every value and where it came from.
"""
_PROFILE_HEAD = """\

# A profile is a named variation, used by `spy32 analyze --profile NAME`. What it leaves out is global.
# Limits can only be tightened. Write as many tables as you need:
# [profile.NAME]
"""


def _block(key: SettingKey) -> str:
    lines = [f"# {key.doc}.", f"# Takes {describe_allowed(key)}."]
    if key.is_secret:
        without = "Without a default. " if key.default is None else ""
        lines += [f"# {without}A file that holds it must be readable by you alone; .env beside this file does too."]
    if key.shape == "table":
        lines += ["# A day that is not set here keeps its default.", f"[{key.name}]"]
        lines += [f"#{day} = {toml_of(entry)}" for day, entry in key.default.items()]
    elif key.default is not None:
        lines += [f"#{key.field} = {toml_of(key.default)}"]
    else:
        lines += [*([] if key.is_secret else ["# Without a default."]), f"# {key.field} = ..."]
    return "\n".join(lines) + "\n"
