"""JSON documents: one object a command, its schemas in `spy32/data/schemas`.

Money and prices are strings, instants RFC 3339 in UTC, ids as people type them; what is not there is null.
"""

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from spy32.render.document_answers import (
    answer_part,
    attempt_part,
    figures_part,
    raw_document_part,
    recommendation_part,
)
from spy32.render.document_parts import (
    Document,
    candidate_part,
    day,
    instant,
    market_part,
    name,
    proposal_part,
    quality_part,
    rejected_part,
    ruling_part,
    trade_part,
)

if TYPE_CHECKING:
    from rich.console import Console

    from spy32.console import PlainConsole
    from spy32.domain.model_calls import UsageSummary
    from spy32.domain.proposals import Recommendation
    from spy32.domain.run_view import RunView
    from spy32.domain.runs import Run, RunSummary
    from spy32.render.raw_texts import RawTexts

__all__ = [
    "VERSION",
    "emit",
    "error_document",
    "history_document",
    "history_part",
    "instant",
    "run_document",
    "run_part",
]

VERSION = 1


def emit(console: "Console | PlainConsole", document: Mapping[str, Any]) -> None:
    """Print one document: one line for a program, indented for a person. ASCII, so that no terminal can be misled."""
    from spy32.render.output import write_text

    indent = 2 if console.is_terminal else None
    write_text(console, json.dumps(document, indent=indent, allow_nan=False) + "\n")


def run_document(view: "RunView", *, raw: "RawTexts | None" = None, rejected: bool = False) -> Document:
    """Everything that came of one run. `raw` and `rejected` fill the keys that are null otherwise."""
    chosen = view.recommendation
    return {
        "schema": "spy32.run",
        "version": VERSION,
        "run": run_part(view.run),
        "market": None if view.market is None else market_part(view.market),
        "quality": None if view.quality is None else quality_part(view.quality),
        "menu": [] if view.menu is None else [candidate_part(entry) for entry in view.menu.candidates],
        "menu_notes": [] if view.menu is None else list(view.menu.notes),
        "rejected": rejected_part(view.menu) if rejected and view.menu is not None else None,
        "recommendation": None if chosen is None else recommendation_part(chosen, _tally(view, "chosen", chosen)),
        "shadows": [recommendation_part(shadow, _tally(view, "shadow", shadow)) for shadow in view.shadows],
        "ruling": None if view.ruling is None else ruling_part(view.ruling),
        "proposal": None if view.proposal is None else proposal_part(view, view.proposal),
        "trade": None if view.trade is None else trade_part(view.trade),
        "figures": [] if view.briefing is None else figures_part(view.briefing),
        "answers": None if raw is None else [answer_part(answer) for answer in raw.answers],
        "attempts": None if raw is None else [attempt_part(asked) for asked in raw.attempts],
        "documents": None if raw is None else [raw_document_part(line) for line in raw.documents],
    }


def _tally(view: "RunView", role: str, word: "Recommendation") -> "UsageSummary | None":
    """What asking for this answer came to: that of its role and prompt."""
    found = (tally for tally in view.attempts_summary if (tally.role, tally.prompt) == (role, word.prompt))
    return next(found, None)


def history_document(rows: Iterable["RunSummary"]) -> Document:
    """Runs, newest first."""
    return {"schema": "spy32.history", "version": VERSION, "runs": [history_part(row) for row in rows]}


def error_document(code: int, message: str) -> Document:
    return {"schema": "spy32.error", "version": VERSION, "code": code, "message": message}


def run_part(run: "Run") -> Document:
    return {
        "id": name("R", run.id),
        "trigger": run.trigger.value,
        "mode": run.mode.value,
        "profile": run.profile,
        "slot": day(run.slot),
        "late": run.late,
        "started_at": instant(run.started_at),
        "ended_at": instant(run.ended_at),
        "outcome": None if run.outcome is None else run.outcome.value,
        "cause": run.cause,
        "reasons": list(run.reasons),
        "exit_code": run.exit_code,
        "forced_from": name("R", run.forced_from),
        "steps": [
            {"name": step.name, "state": step.state.value, "ms": step.ms, "detail": step.detail} for step in run.steps
        ],
        "step_running": run.step_running,
    }


def history_part(row: "RunSummary") -> Document:
    return {
        "id": name("R", row.id),
        "started_at": instant(row.started_at),
        "outcome": None if row.outcome is None else row.outcome.value,
        "cause": row.cause,
        "profile": row.profile,
        "proposal_id": name("P", row.proposal_id),
        "trade_id": name("T", row.trade_id),
        "headline": row.headline,
    }
