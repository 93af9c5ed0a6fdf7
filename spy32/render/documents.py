"""JSON documents of runs, and how every document is printed.

Money and prices are strings, instants RFC 3339 in UTC, ids as people type them; what is not there is null. The schemas
in `spy32/data/schemas` follow from the parts: `make schemas`.
"""

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from spy32.domain.value import value
from spy32.render.encoder import Document, Part, to_document

if TYPE_CHECKING:
    from spy32.console import AnyConsole
    from spy32.domain.proposals import Proposal
    from spy32.domain.run_view import RunView
    from spy32.domain.runs import RunSummary
    from spy32.render.raw_texts import RawTexts


def emit(console: "AnyConsole", document: Mapping[str, Any]) -> None:
    """Print one document: one line for a program, indented for a person. ASCII, so that no terminal can be misled."""
    from spy32.render.output import write_text

    indent = 2 if console.is_terminal else None
    write_text(console, json.dumps(document, indent=indent, allow_nan=False) + "\n")


def print_document(console: "AnyConsole", part: Part, noun: Any) -> None:
    """Print the document that `part` makes of `noun`."""
    emit(console, to_document(part, noun))


@value
class Ending:
    """Why a command ended otherwise than well."""

    code: int
    """The exit code."""
    message: str


ERROR = Part(Ending, called="spy32.error")


def error_document(code: int, message: str) -> Document:
    return to_document(ERROR, Ending(code=code, message=message))


def run_document(view: "RunView", *, raw: "RawTexts | None" = None, rejected: bool = False) -> Document:
    """Everything that came of one run. `raw` and `rejected` fill the keys that are null otherwise."""
    from spy32.render.run_documents import RUN, whole_run

    return to_document(RUN, whole_run(view, raw=raw, rejected=rejected))


def history_document(rows: Iterable["RunSummary"]) -> Document:
    """Runs, newest first."""
    from spy32.render.run_documents import HISTORY, History

    return to_document(HISTORY, History(runs=tuple(rows)))


def approval_document(view: "RunView", proposal: "Proposal") -> Document:
    """The proposal as it stands, and its newest approval; null when nobody approved it."""
    from spy32.render.document_parts import proposal_view
    from spy32.render.run_documents import APPROVAL, ApprovalDecision

    return to_document(APPROVAL, ApprovalDecision(proposal=proposal_view(view, proposal), approval=view.approval))
