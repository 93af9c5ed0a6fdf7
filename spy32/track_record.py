"""Reads the shipped table of how often the market's probabilities of profit came true (`data/calibration.csv`).

`make calibration` computes it. A line is one right and short delta; other columns than those read here are allowed.
"""

from datetime import date
from functools import cache
from pathlib import Path

from spy32.domain.market import Right
from spy32.domain.outlook import Reliability, TrackRecord
from spy32.domain.spreads import Strategy

TABLE = Path(__file__).parent / "data" / "calibration.csv"
UNDERLYINGS = frozenset({"SPY", "SPX", "XSP"})
"""The table is of SPY; SPX and XSP are the index that it holds."""
DAYS = range(25, 41)
"""The table is of 32 calendar days; a week to each side is taken as alike."""
RATED = {Strategy.PUT_CREDIT: Right.PUT, Strategy.CALL_CREDIT: Right.CALL}
"""The strategies that the table is of."""


def find_track_record(underlying: str, strategy: Strategy, *, days: int, today: date) -> tuple[Reliability, ...]:
    """Return the rows for such a spread by delta; empty where the table says nothing of it.

    `days` are calendar days to expiration. A run within the table's own history gets none: its rows know outcomes that
    nobody knew on that day.
    """
    record, right = read_track_record(), RATED.get(strategy)
    if record is None or right is None or underlying not in UNDERLYINGS or days not in DAYS:
        return ()
    is_later = today.isoformat()[: len(record.until)] > record.until
    return record.side(right) if is_later else ()


def nearest_row(rows: tuple[Reliability, ...], delta: float) -> Reliability | None:
    """Return the row nearest an absolute short delta; None of no rows."""
    return min(rows, key=lambda row: abs(row.delta - delta), default=None)


@cache
def read_track_record(path: Path = TABLE) -> TrackRecord | None:
    """The table; None when this copy of the program ships none. ValueError or KeyError for a table of another shape."""
    if not path.exists():
        return None
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    head, *cells = (line.split(",") for line in lines)
    rows = [dict(zip(head, row, strict=True)) for row in cells]
    return TrackRecord(
        rows=tuple(
            Reliability(
                right=Right(row["right"][0].upper()),
                delta=float(row["delta"]),
                stated=float(row["stated_market"]),
                came_true=float(row["came_true"]),
                difference=float(row["difference"]),
                low=float(row["low"]),
                high=float(row["high"]),
                history_difference=float(row["history_difference"]) if row.get("history_difference") else None,
                until=row["until"],
            )
            for row in rows
        ),
        until=max((row["until"] for row in rows), default=""),
    )
