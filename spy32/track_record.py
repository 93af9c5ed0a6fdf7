"""Reads the shipped table of how often the market's probabilities of profit came true (`data/calibration.csv`).

`make calibration` computes it. A line is one right and short delta; other columns than those read here are allowed.
"""

from datetime import date
from functools import cache
from pathlib import Path

from spy32.domain.market import Right
from spy32.domain.outlook import TrackRecord
from spy32.domain.spreads import Strategy

TABLE = Path(__file__).parent / "data" / "calibration.csv"
UNDERLYINGS = frozenset({"SPY", "SPX", "XSP"})
"""The table is of SPY; SPX and XSP are the index that it holds."""
DAYS = range(25, 41)
"""The table is of 32 calendar days; a week to each side is taken as alike."""
RATED = {Strategy.PUT_CREDIT: Right.PUT, Strategy.CALL_CREDIT: Right.CALL}
"""The strategies that the table is of."""


def find_track_record(underlying: str, strategy: Strategy, *, days: int, today: date) -> tuple[TrackRecord, ...]:
    """Return the rows for such a spread by delta; empty where the table says nothing of it.

    `days` are calendar days to expiration. A run within the table's own history gets none: its rows know outcomes that
    nobody knew on that day.
    """
    table, right = read_track_record(), RATED.get(strategy)
    until = max((row.until for row in table), default="")
    if underlying not in UNDERLYINGS or days not in DAYS or not today.isoformat()[: len(until)] > until:
        return ()
    return tuple(sorted((row for row in table if row.right is right), key=lambda row: row.delta))


@cache
def read_track_record(path: Path = TABLE) -> tuple[TrackRecord, ...]:
    """The table. ValueError or KeyError for one of another shape."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    head, *cells = (line.split(",") for line in lines)
    rows = (dict(zip(head, row, strict=True)) for row in cells)
    return tuple(
        TrackRecord(
            right=Right(row["right"][0].upper()),
            stated=float(row["stated_market"]),
            history_difference=float(row["history_difference"]) if row.get("history_difference") else None,
            until=row["until"],
            **{name: float(row[name]) for name in ("delta", "came_true", "difference", "low", "high")},
        )
        for row in rows
    )
