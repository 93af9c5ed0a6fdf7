"""How every document is printed, and that of an error.

Money and prices are strings, instants RFC 3339 in UTC, ids as people type them; what is not there is null. The schemas
in `spy32/data/schemas` follow from the parts: `make schemas`.
"""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from spy32.domain.value import value
from spy32.render.encoder import Document, Part, encode_document

if TYPE_CHECKING:
    from spy32.console import AnyConsole


def emit(console: "AnyConsole", document: Mapping[str, Any]) -> None:
    """Print one document: one line for a program, indented for a person. ASCII, so that no terminal can be misled."""
    from spy32.render.output import write_text

    indent = 2 if console.is_terminal else None
    write_text(console, json.dumps(document, indent=indent, allow_nan=False) + "\n")


def print_document(console: "AnyConsole", part: Part, noun: Any) -> None:
    """Print the document that `part` makes of `noun`."""
    emit(console, encode_document(part, noun))


@value
class Ending:
    """Why a command ended otherwise than well."""

    code: int
    """The exit code."""
    message: str


ERROR = Part(Ending, called="spy32.error")


def error_document(code: int, message: str) -> Document:
    return encode_document(ERROR, Ending(code=code, message=message))
