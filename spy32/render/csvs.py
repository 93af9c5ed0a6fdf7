"""Lists as CSV for spreadsheets. Text that would start a formula is disarmed; numbers stay numbers."""

import csv
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from io import StringIO
from typing import Any

from spy32.domain.report import GroupResult
from spy32.domain.spreads import Candidate, Menu
from spy32.domain.units import Points
from spy32.domain.value import value
from spy32.render import report_documents  # noqa: F401 - the part of a trade
from spy32.render.document_parts import published_candidate
from spy32.render.encoder import Key, Part
from spy32.render.formatting import format_price, single_line

# OWASP, "CSV Injection": these characters make a spreadsheet read a cell as a formula.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?", re.ASCII)


FORECASTS = {"market": "expiry.market", "history": "expiry.history", "plan": "plan.history"}
HELD = ("market", "history")
EVENTS: Mapping[str, Iterable[str]] = {
    "worthless": HELD, "profit": FORECASTS, "max_profit": FORECASTS, "max_loss": HELD, "touch": FORECASTS,
    "stopped": ("plan",),
}  # fmt: skip
"""The forecasts that tell of an event: nothing is held to expiration under the plan."""


@value
class MenuRow:
    candidate: Candidate
    is_chosen: bool


def _call_strike(row: MenuRow, place: int) -> Decimal | None:
    calls = row.candidate.calls
    return calls[place].quote.strike if calls else None


CANDIDATE = Part(
    MenuRow,
    """id chosen strategy=candidate.spread.strategy expiration=candidate.spread.expiration
    short_strike=candidate.spread.short.strike long_strike=candidate.spread.long.strike natural mid floor max_loss
    breakeven short_delta pop_market pop_history ev_market_expiry=candidate.ev.market_expiry
    ev_market_plan=candidate.ev.market_plan ev_history_expiry=candidate.ev.history_expiry
    ev_history_plan=candidate.ev.history_plan costs"""
    + "".join(
        f" p_{name}_{column}=candidate.outlook.{FORECASTS[column]}.probabilities.{name}"
        for name, columns in EVENTS.items()
        for column in columns
    )
    + """
    ev_plan_low=candidate.outlook.chosen_plan.ev.low ev_plan_high=candidate.outlook.chosen_plan.ev.high
    shortfall_plan=candidate.outlook.chosen_plan.shortfall.mean cost_of_trading=candidate.outlook.cost.total
    premium_per_day=candidate.outlook.premium_per_day return_on_risk=candidate.outlook.return_on_risk
    score=candidate.outlook.score start ev_plan_without_drift=candidate.outlook.plan.no_drift.ev.mean
    average_win_plan=candidate.outlook.chosen_plan.average_win
    average_loss_plan=candidate.outlook.chosen_plan.average_loss call_short_strike call_long_strike""",
    called="MenuRow",
    inner="candidate",
    chosen=Key(str, lambda row: "yes" if row.is_chosen else "no"),
    call_short_strike=Key(Points | None, lambda row: _call_strike(row, 0), "Of an iron condor, whose others are puts."),
    call_long_strike=Key(Points | None, lambda row: _call_strike(row, 1), "Of an iron condor."),
    breakeven=Key(str, lambda row: " ".join(format_price(point) for point in row.candidate.breakevens)),
)


GROUP = Part(
    GroupResult,
    "name count wins result mean share=share.mean share_low=share.low share_high=share.high",
    called="GroupRow",
)
TABLES = {MenuRow: CANDIDATE, GroupResult: GROUP}


def candidates_csv(menu: Menu | None, chosen: str | None) -> str:
    entries = () if menu is None else menu.candidates
    rows = (MenuRow(candidate=published_candidate(entry), is_chosen=entry.id == chosen) for entry in entries)
    return csv_table(MenuRow, rows)


def csv_table(noun: type, rows: Iterable[Any]) -> str:
    """A row a noun, under the keys of its part."""
    part, text = TABLES.get(noun) or Part.by_noun[noun], StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(part.keys)
    writer.writerows([_format_cell(found) for found in part.write(row).values()] for row in rows)
    return text.getvalue()


def _format_cell(found: Any) -> str:
    text = "" if found is None else str(found)
    if isinstance(found, int | float) or NUMBER.fullmatch(text):
        return text
    # Looked at before and after cleaning: a stripped character must not uncover a formula.
    safe = single_line(text)
    return f"'{safe}" if safe.startswith(FORMULA_STARTS) or text.startswith(FORMULA_STARTS) else safe
