"""The shipped table of how often the market's probabilities came true is read as it is written."""

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from spy32 import track_record
from spy32.domain.market import Right
from spy32.domain.outlook import TrackRecord
from spy32.domain.spreads import Strategy
from spy32.track_record import find_track_record, read_track_record
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
        TrackRecord(
            right=Right.PUT,
            delta=0.2,
            stated=0.854,
            came_true=0.888,
            difference=0.034,
            low=0.007,
            high=0.056,
            until="2026-06",
        ),
        TrackRecord(
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
    assert read_track_record(path) == (put, call)


@pytest.mark.parametrize(("good", "bad"), [("right,", "side,"), ("0.034", "nothing"), (",2026-05", "")])
def test_a_table_of_another_shape_is_an_error(tmp_path: Path, good: str, bad: str) -> None:
    path = tmp_path / "table.csv"
    path.write_text(TEXT.replace(good, bad))
    with pytest.raises((ValueError, KeyError)):
        read_track_record(path)


def test_the_shipped_table_has_both_sides() -> None:
    assert {row.right for row in read_track_record()} == set(Right)


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
    made = tuple(replace(row, until="2025-06") for row in outlooks.track_record())
    monkeypatch.setattr(track_record, "read_track_record", lambda: made)
    assert find_track_record(**{**QUOTED, "today": date(2025, 6, 30)}) == ()
    assert len(find_track_record(**QUOTED)) == 2
