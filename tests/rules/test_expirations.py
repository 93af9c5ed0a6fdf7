"""The listed expirations, and which one a run takes."""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from itertools import permutations

import pytest

from spy32.rules.tradability import ExpirationRow, Tradability, list_expirations, most_tradable
from tests.support import builders as b


def listed(today: date, *days: int) -> list[date]:
    return [today + timedelta(days=count) for count in days]


def expiration_rows(
    days: Iterable[date], today: date, target_dte: int, tolerance: int, judged: Sequence[Tradability] = ()
) -> tuple[ExpirationRow, ...]:
    return list_expirations(
        days,
        underlying="SPY",
        source="cboe",
        today=today,
        target_dte=target_dte,
        tolerance=tolerance,
        judged=judged,
    ).expirations


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


def judged(dte: int, quoted: int, *, interest: int = 500, stopped_by: str = "") -> Tradability:
    return Tradability(
        day=b.TODAY + timedelta(days=dte), dte=dte, distance=abs(dte - 32), quoted=quoted, wanted=24,
        open_interest=interest, stopped_by=stopped_by,
    )  # fmt: skip


def test_the_one_that_can_be_traded_best_is_taken_and_each_says_its_score() -> None:
    rows = expiration_rows(listed(b.TODAY, 25, 31, 32, 35), b.TODAY, 32, 3, [judged(32, 9), judged(35, 24)])
    assert chosen(rows).dte == 35
    assert [row.note for row in rows] == [
        "",
        "not looked at, since it could not be better",
        "the nearest; 9 of 24 spreads well quoted",
        "can be traded best; 24 of 24 spreads well quoted, less 3 for 3 days off: 21",
    ]


def test_where_every_one_is_stopped_the_nearest_is_named_with_its_gate() -> None:
    rows = expiration_rows(listed(b.TODAY, 32), b.TODAY, 32, 3, [judged(32, 0, stopped_by="gate coverage: 3 strikes")])
    assert chosen(rows).note == "the nearest; gate coverage: 3 strikes"


@pytest.mark.parametrize(
    ("found", "best"),
    [
        ([judged(32, 20), judged(35, 22)], 32),  # three days off cost three spreads
        ([judged(32, 20), judged(35, 24)], 35),
        ([judged(32, 24, stopped_by="gate parity"), judged(29, 1)], 29),
        ([judged(32, 10, interest=100), judged(31, 11, interest=900)], 31),  # equal scores: open interest
        ([judged(31, 10), judged(33, 10)], 31),  # then the earlier
        ([judged(32, 0, stopped_by="gate parity")], None),
        ([], None),
    ],
)
def test_the_best_is_by_score_then_open_interest_then_distance(found: list[Tradability], best: int | None) -> None:
    for order in permutations(found):
        taken = most_tradable(order)
        assert (taken.dte if taken is not None else None) == best
