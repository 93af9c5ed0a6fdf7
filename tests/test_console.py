"""The progress line: whole on a wide terminal, and on a narrow one without what matters least."""

import sys
from pathlib import Path

import pytest

from spy32.console import fit_line, terminal_columns

PARTS = (
    "spy32-P2-A2-c108b0-12", "PAPER · working", "0.02 db", "0 of 2 filled", "next 0.03 in 0:30", "ends in 10:00",
)  # fmt: skip


@pytest.mark.parametrize(("columns", "first", "last"), [(120, 0, 6), (79, 1, 6), (59, 1, 5), (45, 1, 4)])
def test_the_reference_goes_first_and_then_the_last_parts(columns: int, first: int, last: int) -> None:
    line = fit_line(PARTS, columns)
    assert line == ", ".join(PARTS[first:last])
    assert len(line) <= columns


def test_no_line_is_wider_than_its_terminal() -> None:
    assert fit_line(("word" * 9,), 20) == "word" * 5


def test_a_file_has_the_columns_of_an_old_terminal(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w") as file:
        assert terminal_columns(file) == 80
    assert terminal_columns(sys.stdin) >= 1
