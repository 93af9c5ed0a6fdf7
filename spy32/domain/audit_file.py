"""A portable part of the history that can be verified without the database, and what a verification found."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from spy32.domain.value import value


@value
class AuditFile:
    """The record of a run, a trade (that of its run) or a period: rows as the database holds them, and the events that
    prove them. A period has every row that one of its events speaks of."""

    selection: str
    """`R31`, `T31`, `since 2026-11-02`, or `all`."""
    made_at: datetime
    program: str
    """The version of spy32 that wrote the file."""
    mode: str
    rows: Mapping[str, tuple[Mapping[str, Any], ...]]
    """Table -> its rows without empty columns; bytes are `{"base64": ...}`, nearly all of them zlib streams of text."""
    events: tuple[Mapping[str, Any], ...]
    """Every event of the history from the first that the rows need to the newest, as the database holds it."""
    head: str
    """The hash of the newest event."""
    digest: str
    """SHA-256 of all other keys but schema and version, as JSON with sorted keys and without spaces. It shows damage:
    who edits the file can compute it anew."""


@value
class AuditFileReport:
    """What an exported file holds, and what is wrong with it."""

    file: str
    selection: str
    """`R31`, `T31`, `since 2026-11-02`, or `all`."""
    made_at: datetime
    program: str
    mode: str
    rows: int
    first_event: int
    last_event: int
    head: str
    """The hash of its newest event."""
    faults: tuple[str, ...] = ()
    """What was changed, taken out or put in; empty when nothing was."""
