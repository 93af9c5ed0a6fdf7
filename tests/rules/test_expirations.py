"""The listed expirations, and which one a run takes."""

from collections.abc import Sequence
from datetime import date, timedelta

from spy32.rules.expirations import ExpirationRow, expiration_rows
from tests.support import builders as b


def listed(today: date, *days: int) -> list[date]:
    return [today + timedelta(days=count) for count in days]


def chosen(rows: Sequence[ExpirationRow]) -> ExpirationRow:
    return next(row for row in rows if row.is_chosen)


def test_monday_and_32_is_christmas() -> None:
    today = date(2026, 11, 23)
    rows = expiration_rows(listed(today, 4, 30, 31, 38), today, 32, 3)
    taken = chosen(rows)
    assert (taken.day, taken.dte, taken.distance) == (date(2026, 12, 24), 31, -1)
    assert taken.note == "the nearest; Fri 2026-12-25 is closed: Christmas Day; early close, 13:00"
    assert [row.is_near for row in rows] == [False, True, True, False]
    assert rows[0].note == "early close, 13:00"


def test_on_the_day_itself_nothing_needs_explaining() -> None:
    rows = expiration_rows(listed(b.TODAY, -3, 25, 32, 39), b.TODAY, 32, 3)
    assert [row.dte for row in rows] == [25, 32, 39]
    assert chosen(rows).note == "the nearest"
    assert chosen(rows).distance == 0


def test_the_ends_of_the_tolerance_are_within_it() -> None:
    rows = expiration_rows(listed(b.TODAY, 28, 29, 32, 35, 36), b.TODAY, 32, 3)
    assert [row.is_near for row in rows] == [False, True, True, True, False]


def test_of_two_as_near_the_earlier_is_taken_and_that_is_said() -> None:
    rows = expiration_rows(listed(b.TODAY, 29, 31), b.TODAY, 30, 3)
    assert chosen(rows).dte == 29
    assert chosen(rows).note == "as near as 2025-11-06, and earlier; Wed 2025-11-05 is not listed"
