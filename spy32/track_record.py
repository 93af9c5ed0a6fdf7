"""Reads the shipped table of how often the market's probabilities of profit came true (`data/calibration.csv`).

`make calibration` computes it. A line is one right and short delta; other columns than those read here are allowed.
"""

from functools import cache
from pathlib import Path

from spy32.domain.market import Right
from spy32.domain.outlook import Reliability, TrackRecord

TABLE = Path(__file__).parent / "data" / "calibration.csv"


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
            )
            for row in rows
        ),
        until=max((row["until"] for row in rows), default=""),
    )
