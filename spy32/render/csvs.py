"""Lists as CSV for spreadsheets. Text that would start a formula is disarmed; numbers stay numbers."""

import csv
from collections.abc import Iterable, Mapping
from io import StringIO
from typing import Any

from spy32.render.document_parts import Document
from spy32.render.words import flat

# OWASP, "CSV Injection": these characters make a spreadsheet read a cell as a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r")

HISTORY = ("id", "started_at", "outcome", "cause", "profile", "proposal_id", "trade_id", "headline")
REJECTED = ("strategy", "short_strike", "long_strike", "rule", "figure", "limit")
CANDIDATES = (
    "id", "chosen", "strategy", "expiration", "short_strike", "long_strike", "natural", "mid", "floor", "max_loss",
    "breakeven", "short_delta", "pop_market", "pop_history", "ev_market_expiry", "ev_market_plan", "ev_history_expiry",
    "ev_history_plan", "costs",
)  # fmt: skip
NUMBERS = frozenset(CANDIDATES[4:]) - {"breakeven"} | {"short_strike", "long_strike"}


def history_csv(document: Document) -> str:
    return _written(HISTORY, document["runs"])


def rejected_csv(document: Document) -> str:
    return _written(REJECTED, document["rejected"]["spreads"] if document["rejected"] else ())


def candidates_csv(document: Document, chosen: str | None) -> str:
    return _written(CANDIDATES, (_candidate(entry, chosen) for entry in document["menu"]))


def _candidate(entry: Document, chosen: str | None) -> Document:
    short, long = (next(leg for leg in entry["legs"] if leg["action"].startswith(word)) for word in ("Sell", "Buy"))
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


def _written(columns: tuple[str, ...], rows: Iterable[Mapping[str, Any]]) -> str:
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(name, row[name]) for name in columns])
    return text.getvalue()


def _cell(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name in NUMBERS:
        return str(value)
    words = str(value)
    # Looked at before and after cleaning: a stripped character must not uncover a formula.
    safe = flat(words)
    return f"'{safe}" if safe.startswith(FORMULA) or words.startswith(FORMULA) else safe
