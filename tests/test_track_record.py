"""The shipped table of how often the market's probabilities came true is read as it is written."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from spy32 import track_record
from spy32.domain.market import Right
from spy32.domain.outlook import Reliability, TrackRecord
from spy32.domain.spreads import Strategy
from spy32.track_record import TABLE, find_track_record, nearest_row, read_track_record
from tests.support import outlooks

TEXT = """# a comment
right,delta,base,stated_market,came_true,difference,low,high,until
P,0.20,0.872,0.854,0.888,0.034,0.007,0.056,2026-06
call,0.20,0.754,0.795,0.729,-0.066,-0.101,-0.029,2026-05
"""


def test_a_table_is_read_by_its_columns_whatever_else_it_has(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text(TEXT)
    put, call = (
        Reliability(
            right=Right.PUT,
            delta=0.2,
            stated=0.854,
            came_true=0.888,
            difference=0.034,
            low=0.007,
            high=0.056,
            until="2026-06",
        ),
        Reliability(
            right=Right.CALL,
            delta=0.2,
            stated=0.795,
            came_true=0.729,
            difference=-0.066,
            low=-0.101,
            high=-0.029,
            until="2026-05",
        ),
    )
    assert read_track_record(path) == TrackRecord(rows=(put, call), until="2026-06")


def test_a_program_without_the_table_has_no_record(tmp_path: Path) -> None:
    assert read_track_record(tmp_path / "none.csv") is None


@pytest.mark.parametrize(("good", "bad"), [("right,", "side,"), ("0.034", "nothing"), (",2026-05", "")])
def test_a_table_of_another_shape_is_an_error(tmp_path: Path, good: str, bad: str) -> None:
    path = tmp_path / "table.csv"
    path.write_text(TEXT.replace(good, bad))
    with pytest.raises((ValueError, KeyError)):
        read_track_record(path)


@pytest.mark.skipif(not TABLE.exists(), reason="this copy ships no table")
def test_the_shipped_table_has_both_sides() -> None:
    record = read_track_record()
    assert record is not None
    assert record.side(Right.PUT)
    assert record.side(Right.CALL)


# What it may be quoted for.

QUOTED: dict[str, Any] = {
    "underlying": "SPY", "strategy": Strategy.PUT_CREDIT, "days": 32, "today": date(2025, 7, 1),
}  # fmt: skip


@pytest.mark.parametrize(
    ("over", "count"),
    [
        ({}, 2), ({"strategy": Strategy.CALL_CREDIT}, 1), ({"underlying": "SPX"}, 2), ({"underlying": "XSP"}, 2),
        ({"days": 25}, 2), ({"days": 40}, 2), ({"days": 24}, 0), ({"days": 41}, 0), ({"underlying": "QQQ"}, 0),
        *(({"strategy": other}, 0) for other in (Strategy.IRON_CONDOR, Strategy.PUT_DEBIT, Strategy.CALL_DEBIT)),
        ({"today": date(2025, 6, 30)}, 0),  # the outcomes of that day and before were not all known
    ],
)  # fmt: skip
def test_the_record_speaks_of_spreads_like_its_own_and_of_no_day_that_it_knows(
    over: dict[str, Any], count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(track_record, "read_track_record", outlooks.track_record)
    assert len(find_track_record(**{**QUOTED, **over})) == count


def test_a_record_that_names_a_month_holds_that_whole_month(monkeypatch: pytest.MonkeyPatch) -> None:
    made = outlooks.track_record()
    monkeypatch.setattr(track_record, "read_track_record", lambda: TrackRecord(rows=made.rows, until="2025-06"))
    assert find_track_record(**{**QUOTED, "today": date(2025, 6, 30)}) == ()
    assert len(find_track_record(**QUOTED)) == 2


def test_the_row_nearest_the_delta_speaks() -> None:
    near = nearest_row(outlooks.track_record().rows, 0.17)
    assert near is not None
    assert near.delta == 0.16
    assert nearest_row((), 0.2) is None
