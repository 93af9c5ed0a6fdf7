"""The shipped table of how often the market's probabilities came true is read as it is written."""

from pathlib import Path

import pytest

from spy32.domain.market import Right
from spy32.domain.outlook import Reliability, TrackRecord
from spy32.track_record import TABLE, read_track_record

TEXT = """# a comment
right,delta,base,stated_market,came_true,difference,low,high,until
P,0.20,0.872,0.854,0.888,0.034,0.007,0.056,2026-06
call,0.20,0.754,0.795,0.729,-0.066,-0.101,-0.029,2026-05
"""


def test_a_table_is_read_by_its_columns_whatever_else_it_has(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text(TEXT)
    put, call = (
        Reliability(right=Right.PUT, delta=0.2, stated=0.854, came_true=0.888, difference=0.034, low=0.007, high=0.056),
        Reliability(
            right=Right.CALL, delta=0.2, stated=0.795, came_true=0.729, difference=-0.066, low=-0.101, high=-0.029
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
