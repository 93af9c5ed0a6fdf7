"""The line of a file on which a key stands, for messages: the parsers do not report it."""

import re
from collections.abc import Mapping

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


def line_of(path: str, found: Mapping[str, int]) -> int | None:
    """The line of `path`, or of the closest table or entry around it."""
    while path and path not in found:
        path = path.rpartition(".")[0]
    return found.get(path)


def assigned_name(line: str) -> str | None:
    """The name that a line of a `.env` sets, if it sets one."""
    match = re.match(_ASSIGNMENT, line)
    return match[1] if match is not None and "=" in line else None


def dotenv_lines(text: str) -> Mapping[str, int]:
    """Name -> line of its last assignment, which is the one that counts."""
    found = ((re.match(_ASSIGNMENT, line), number) for number, line in enumerate(text.split("\n"), 1))
    return {match[1]: number for match, number in found if match}
