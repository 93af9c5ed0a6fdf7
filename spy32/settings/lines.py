"""On which line of its file a key stands, so that a message can point at it. The parsers themselves do not say."""

import re
from collections.abc import Mapping

_PART = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
_PATH = rf"{_PART}(?:\s*\.\s*{_PART})*"
_TABLE = re.compile(rf"\s*\[\[?\s*({_PATH})\s*\]")
_ENTRY = re.compile(rf"\s*({_PATH})\s*=(.*)")
_PARTS = re.compile(_PART)
_ASSIGNMENT = re.compile(r"\s*(?:export\s+)?'?([A-Za-z_][A-Za-z0-9_]*)")


def toml_lines(text: str) -> Mapping[str, int]:
    """Dotted path -> line of its first mention, tables included. A good guess where texts span lines."""
    found: dict[str, int] = {}
    table = ""
    closing: str | None = None
    for number, line in enumerate(text.split("\n"), 1):
        if closing is not None:
            closing = None if closing in line else closing
        elif header := _TABLE.match(line):
            table = _dotted(header[1])
            _note(found, table, number)
        elif entry := _ENTRY.match(line):
            name = _dotted(entry[1])
            _note(found, f"{table}.{name}" if table else name, number)
            closing = next((mark for mark in ('"""', "'''") if entry[2].count(mark) == 1), None)
    return found


def _note(found: dict[str, int], path: str, number: int) -> None:
    """The path and the tables that it implies."""
    while path:
        found.setdefault(path, number)
        path = path.rpartition(".")[0]


def _dotted(path: str) -> str:
    return ".".join(part.strip("\"'") for part in _PARTS.findall(path))


def line_of(path: str, found: Mapping[str, int]) -> int | None:
    """The line of `path`, or of the closest table or entry around it."""
    while path and path not in found:
        path = path.rpartition(".")[0]
    return found.get(path)


def assigned(line: str) -> str | None:
    """The name that a line of a `.env` sets, if it sets one."""
    match = _ASSIGNMENT.match(line)
    return match[1] if match is not None and "=" in line else None


def dotenv_lines(text: str) -> Mapping[str, int]:
    """Name -> line of its last assignment, which is the one that counts."""
    found: dict[str, int] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if match := _ASSIGNMENT.match(line):
            found[match[1]] = number
    return found
