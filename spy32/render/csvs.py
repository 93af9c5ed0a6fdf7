"""Lists as CSV for spreadsheets. Text that would start a formula is disarmed; numbers stay numbers."""

import csv
from collections.abc import Iterable, Mapping
from io import StringIO
from typing import Any

from spy32.domain.spreads import Action
from spy32.render.document_parts import Document
from spy32.render.formatting import single_line

# OWASP, "CSV Injection": these characters make a spreadsheet read a cell as a formula.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")

HISTORY_COLUMNS = ("id", "started_at", "outcome", "cause", "profile", "proposal_id", "trade_id", "headline")
REJECTED_COLUMNS = ("strategy", "short_strike", "long_strike", "rule", "figure", "limit")
CANDIDATE_COLUMNS = (
    "id", "chosen", "strategy", "expiration", "short_strike", "long_strike", "natural", "mid", "floor", "max_loss",
    "breakeven", "short_delta", "pop_market", "pop_history", "ev_market_expiry", "ev_market_plan", "ev_history_expiry",
    "ev_history_plan", "costs",
)  # fmt: skip
NUMBER_COLUMNS = frozenset(CANDIDATE_COLUMNS[4:]) - {"breakeven"} | {"short_strike", "long_strike"}


def history_csv(document: Document) -> str:
    return _write_rows(HISTORY_COLUMNS, document["runs"])


def rejected_csv(document: Document) -> str:
    return _write_rows(REJECTED_COLUMNS, document["rejected"]["spreads"] if document["rejected"] else ())


def candidates_csv(document: Document, chosen: str | None) -> str:
    return _write_rows(CANDIDATE_COLUMNS, (_candidate_row(entry, chosen) for entry in document["menu"]))


def _candidate_row(entry: Document, chosen: str | None) -> Document:
    short, long = (next(leg for leg in entry["legs"] if Action(leg["action"]).sign == sign) for sign in (1, -1))
    return {
        **entry,
        "chosen": "yes" if entry["id"] == chosen else "no",
        "short_strike": short["strike"],
        "long_strike": long["strike"],
        "breakeven": " ".join(entry["breakevens"]),
        "pop_market": entry["pop"]["market"],
        "pop_history": entry["pop"]["history"],
        **{f"ev_{name}": value for name, value in entry["ev"].items()},
    }


def _write_rows(columns: tuple[str, ...], rows: Iterable[Mapping[str, Any]]) -> str:
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_format_cell(name, row[name]) for name in columns])
    return text.getvalue()


def _format_cell(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name in NUMBER_COLUMNS:
        return str(value)
    words = str(value)
    # Looked at before and after cleaning: a stripped character must not uncover a formula.
    safe = single_line(words)
    return f"'{safe}" if safe.startswith(FORMULA_STARTS) or words.startswith(FORMULA_STARTS) else safe
