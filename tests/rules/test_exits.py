"""Exits by the approved plan: urgency, the stop's two readings, the calendar, and marks that decide nothing."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spy32.domain.marks import Mark, MarkFlag
from spy32.domain.proposals import ExitReason
from spy32.rules import plan
from spy32.rules.exercise import ExerciseCheck
from spy32.rules.exits import ExitCheck, check_exits, due_exit
from spy32.sessions import new_york_instant, session
from spy32.settings import Settings
from tests.support import builders
from tests.support.builders import later
from tests.support.trades import call_trade, exit_input, mark, trade

D = Decimal
LAST, EX, STOP, TARGET, TIME = (
    ExitReason.LAST_EXIT, ExitReason.EX_DIVIDEND, ExitReason.STOP, ExitReason.TARGET, ExitReason.TIME,
)  # fmt: skip
EX_TONIGHT = ExerciseCheck(eve=builders.TODAY, is_worthwhile=True, message="exercise pays")


def check(reason: ExitReason, *marks: Mark, **over: Any) -> ExitCheck:
    return next(found for found in check_exits(exit_input(*marks, **over)) if found.reason is reason)


def due(*marks: Mark, **over: Any) -> ExitReason | None:
    found = due_exit(check_exits(exit_input(*marks, **over)))
    return found.reason if found is not None else None


def readings(*mids: str | None, minutes: float = 15) -> tuple[Mark, ...]:
    """Marks so far apart, the first of now."""
    return tuple(mark(mid, later(minutes=minutes * number)) for number, mid in enumerate(mids))


# Urgency.

ALL_AT_ONCE: dict[ExitReason, dict[str, Any]] = {
    LAST: {"last_exit": builders.TODAY},
    EX: {"exercise": EX_TONIGHT},
    STOP: {"stop": D("0.40")},
    TARGET: {"profit_target": D("0.60")},
    TIME: {"time_exit": builders.TODAY},
}


@pytest.mark.parametrize("first", range(5))
def test_of_several_due_exits_the_most_urgent_is_taken(first: int) -> None:
    """Last exit, ex-dividend, stop, target, time."""
    urgent_first = list(ALL_AT_ONCE)
    plan_of_both = {name: item for reason in urgent_first[first:] for name, item in ALL_AT_ONCE[reason].items()}
    assert due(*readings("0.50", "0.50"), **plan_of_both) is urgent_first[first]


def test_every_rule_is_told_most_urgent_first() -> None:
    assert [each.reason for each in check_exits(exit_input(mark()))] == list(ALL_AT_ONCE)


def test_nothing_is_due_in_the_middle_of_the_plan() -> None:
    assert due(*readings("0.50", "0.51")) is None
    assert due_exit(()) is None


# The calendar.


@pytest.mark.parametrize(
    ("expiration", "opened", "eve"),
    [
        (date(2025, 11, 7), date(2025, 10, 6), date(2025, 11, 6)),  # a Friday: Thursday
        (date(2025, 11, 10), date(2025, 10, 6), date(2025, 11, 7)),  # a Monday: the Friday before
        (date(2024, 3, 29), date(2024, 2, 26), date(2024, 3, 27)),  # Good Friday: trades to Thursday, left on Wednesday
        (date(2025, 11, 28), date(2025, 10, 27), date(2025, 11, 26)),  # the half day after Thanksgiving
        (date(2025, 12, 26), date(2025, 11, 24), date(2025, 12, 24)),  # left on the half day of Christmas Eve
    ],
)
def test_the_last_exit_is_due_from_the_session_before_the_last_trading_day(
    expiration: date, opened: date, eve: date
) -> None:
    assert plan.last_exit("SPY", expiration, opened) == eve
    before = session(eve - timedelta(days=1)) or session(eve - timedelta(days=3))
    for day, is_due in ((before.day if before else opened, False), (eve, True), (expiration, True)):
        now = new_york_instant(day, datetime.strptime("09:31", "%H:%M").time())
        found = check(LAST, now=now, last_exit=eve)
        assert (found.is_due, found.day) == (is_due, eve)


@pytest.mark.parametrize(
    ("now", "message"),
    [(later(), "the last exit is on 2025-10-06"), (later(days=1), "the last exit was to be on 2025-10-06")],
)
def test_the_last_exit_says_whether_it_is_late(now: datetime, message: str) -> None:
    assert check(LAST, now=now, last_exit=builders.TODAY).message == message


@pytest.mark.parametrize(
    ("days", "is_due", "message"),
    [
        (-1, False, "the time exit is on 2025-10-06"),
        (0, True, "the time exit is on 2025-10-06"),
        (1, True, "the time exit was to be on 2025-10-06"),
    ],
)
def test_the_time_exit_is_due_from_its_day_on(days: int, is_due: bool, message: str) -> None:
    found = check(TIME, now=later(days=days), time_exit=builders.TODAY)
    assert (found.is_due, found.message, found.day) == (is_due, message, builders.TODAY)


def test_the_day_is_that_of_new_york() -> None:
    """At 01:00 in London it is still the day before in New York."""
    assert not check(TIME, now=datetime.fromisoformat("2025-10-07T00:30:00+00:00"), time_exit=date(2025, 10, 7)).is_due


def test_a_plan_without_a_time_exit_has_none() -> None:
    found = check(TIME, mark(), time_exit=None)
    assert (found.is_due, found.day, found.message) == (False, None, "no time exit before the last exit")


def test_the_calendar_needs_no_mark() -> None:
    assert due(now=later(), last_exit=builders.TODAY) is LAST
    assert due(now=later(), time_exit=builders.TODAY) is TIME


# The ex-date.


@pytest.mark.parametrize("pays", [True, False])
def test_a_short_call_is_closed_on_the_eve_of_an_ex_date_when_exercise_pays(pays: bool) -> None:
    checked = ExerciseCheck(eve=builders.TODAY, is_worthwhile=pays, message="the figures")
    found = check(EX, mark(), exercise=checked)
    assert (found.is_due, found.message, found.day) == (pays, "the figures", builders.TODAY)


def test_without_an_ex_date_it_says_so_and_without_quotes_that_it_cannot_tell() -> None:
    assert check(EX, mark(), of=call_trade()).message == "no short call is held into an ex-date tonight"
    assert check(EX, of=call_trade()).message == "there are no quotes to judge early exercise by"
    assert check(EX).message == "no short call is held into an ex-date tonight"
    assert not check(EX).is_due
    assert check(EX).day is None


def test_what_cannot_be_ruled_out_before_an_ex_date_is_unknown() -> None:
    out = ExerciseCheck(eve=builders.TODAY, is_worthwhile=False, message="out of the money")
    unknown = replace(out, is_worthwhile=None, eve=None, message="ex-dates unknown")
    stale = mark(flags=(MarkFlag.STALE,))
    assert not check(EX, mark(), exercise=out).is_unknown
    found = check(EX, stale, exercise=out)
    assert (found.is_due, found.is_unknown, found.day) == (False, True, builders.TODAY)
    assert found.message.startswith("NOT JUDGED on the eve of an ex-date: the mark is stale")
    found = check(EX, mark(), exercise=unknown)
    assert (found.is_due, found.is_unknown, found.day, found.message) == (False, True, None, "ex-dates unknown")
    assert check(EX, stale, exercise=EX_TONIGHT).is_due


# The stop.


def test_both_readings_of_the_stop_are_of_one_session() -> None:
    overnight = (mark("1.80", later(days=-1)), mark("1.80", later()))
    assert not check(STOP, *overnight).is_due
    assert check(STOP, *overnight, mark("1.80", later(minutes=5))).is_due


@pytest.mark.parametrize(
    ("mids", "minutes", "is_due"),
    [
        (("1.80",), 15, False),  # one reading
        (("1.80", "1.80"), 15, True),
        (("1.80", "1.80"), 5, True),  # exactly five minutes
        (("1.80", "1.80"), 4.99, False),  # too soon
        (("1.80", "1.80", "1.80"), 3, True),  # the first and the third are far enough apart
        (("1.74", "1.74"), 15, True),  # at the stop
        (("1.73", "1.74"), 15, False),  # the first was below
        (("1.74", "1.73"), 15, False),  # the second is below
        (("1.80", "1.73", "1.80"), 15, False),  # one reading below resets it
        (("1.80", "1.73", "1.80", "1.80"), 15, True),
        ((None, "1.80"), 15, False),  # no mid is no reading
        (("1.80", None, "1.80"), 15, True),  # and takes none back
        (("1.80", "1.80", None), 15, False),  # now it cannot be told
    ],
)
def test_the_stop_needs_two_readings_five_minutes_apart(
    mids: tuple[str | None, ...], minutes: float, is_due: bool
) -> None:
    found = check(STOP, *readings(*mids, minutes=minutes))
    assert (found.is_due, found.price) == (is_due, D("1.74"))


def test_two_starts_that_read_the_same_quotes_are_one_reading() -> None:
    first, second = mark("1.80", later()), mark("1.80", later(minutes=15), as_of=later(minutes=1))
    assert not check(STOP, first, second).is_due
    assert not check(STOP, mark("1.80", later(), as_of=later(minutes=-30)), mark("1.80", later(minutes=1))).is_due


def test_the_stop_says_what_it_waits_for_and_what_it_saw() -> None:
    below, once, twice = readings("0.50", "1.80", "1.90")
    assert check(STOP, below).message == "mid 0.50 below 1.74"
    assert check(STOP, below, once).message == "mid 1.80 reached 1.74; a second reading 5 minutes later decides"
    assert check(STOP, once, twice).message == "mid 1.90 at or above 1.74, as at 2025-10-06 14:15 UTC (1.80)"


@pytest.mark.parametrize(("stop", "is_reachable"), [("4.99", True), ("5.00", False), ("7.20", False)])
def test_a_stop_at_the_width_or_beyond_is_out_of_reach(stop: str, is_reachable: bool) -> None:
    found = check(STOP, *readings("5.00", "5.00"), stop=D(stop))
    assert found.is_due is is_reachable
    if not is_reachable:
        assert found.message == f"the stop at {stop} is out of reach, since closing costs at most the width 5"
        assert found.price == D(stop)


# The target.


@pytest.mark.parametrize(
    ("mid", "is_due", "message"),
    [
        ("0.30", False, "mid 0.30 above 0.29, 48.3% of the credit kept"),
        ("0.29", True, "mid 0.29 at or below 0.29, 50.0% of the credit kept"),
        ("0.00", True, "mid 0.00 at or below 0.29, 100.0% of the credit kept"),
        ("0.80", False, "mid 0.80 above 0.29, -37.9% of the credit kept"),
    ],
)
def test_the_target_is_due_at_its_price(mid: str, is_due: bool, message: str) -> None:
    found = check(TARGET, mark(mid))
    assert (found.is_due, found.message, found.price) == (is_due, message, D("0.29"))


def test_a_target_that_rests_with_the_broker_makes_no_other_order() -> None:
    found = check(TARGET, mark("0.10"), has_resting_target=True)
    assert (found.is_due, found.price) == (False, D("0.29"))
    assert found.message == "an order at 0.29 rests with the broker"
    assert check(TARGET, mark("0.10")).is_due


@pytest.mark.parametrize("credit", ["0", "-0.10"])
def test_a_trade_without_a_credit_kept_nothing_of_it(credit: str) -> None:
    assert check(TARGET, mark("0.10"), of=trade(credit=D(credit))).message.endswith(", 0.0% of the credit kept")


def test_a_credit_of_a_cent_can_be_kept() -> None:
    assert check(TARGET, mark("0.00"), of=trade(credit=D("0.01"))).message.endswith(", 100.0% of the credit kept")


# Marks that decide nothing.


@pytest.mark.parametrize("flag", list(MarkFlag))
def test_a_flagged_mark_decides_nothing(flag: MarkFlag) -> None:
    dear = (mark("1.80", later()), mark("1.80", later(minutes=15), flags=(flag,)))
    cheap = mark("0.10", flags=(flag,))
    assert due(*dear) is None
    assert due(cheap) is None
    text = f"the mark is {flag.replace('_', '-')}, so no price decides"
    assert check(STOP, *dear).message == check(TARGET, cheap).message == text
    assert (check(STOP, *dear).price, check(TARGET, cheap).price) == (D("1.74"), D("0.29"))


@pytest.mark.parametrize("flag", list(MarkFlag))
def test_a_flagged_mark_is_no_reading_of_the_stop(flag: MarkFlag) -> None:
    dear = [mark("1.80", later(minutes=15 * number)) for number in range(3)]
    below = mark("0.50", later(minutes=15), flags=(flag,))
    assert not check(STOP, mark("1.80", later(), flags=(flag,)), dear[1]).is_due
    assert check(STOP, dear[0], below, dear[2]).is_due


def test_several_flags_are_named_and_so_is_the_lack_of_a_mark_and_of_a_mid() -> None:
    both = mark("0.10", flags=(MarkFlag.ONE_SIDED, MarkFlag.STALE))
    assert check(TARGET, both).message == "the mark is one-sided, stale, so no price decides"
    assert check(TARGET).message == check(STOP).message == "there is no mark to judge by"
    assert check(TARGET, mark(None)).message == "the mark is without a mid, so no price decides"


# Properties.

MIDS = st.decimals(min_value=0, max_value=5, places=2)
GAPS = st.integers(1, 40)
READINGS = st.lists(st.tuples(MIDS, GAPS, st.sampled_from([(), (), (), (MarkFlag.STALE,)])), min_size=1, max_size=8)


def _marks(drawn: list[tuple[Decimal, int, tuple[MarkFlag, ...]]]) -> list[Mark]:
    made, minutes = [], 0
    for mid, gap, flags in drawn:
        minutes += gap
        made.append(mark(str(mid), later(minutes=minutes), flags=flags))
    return made


@given(READINGS, MIDS)
def test_a_more_adverse_mid_never_makes_the_stop_less_due(
    drawn: list[tuple[Decimal, int, tuple[MarkFlag, ...]]], more: Decimal
) -> None:
    marks = _marks(drawn)
    if not check(STOP, *marks).is_due:
        return
    for number, seen in enumerate(marks):
        assert seen.mid is not None
        worse = mark(str(min(seen.mid + more, D(5))), seen.at, flags=seen.flags)
        assert check(STOP, *marks[:number], worse, *marks[number + 1 :]).is_due


@given(READINGS)
def test_the_stop_agrees_with_a_plain_reading_of_its_rule(
    drawn: list[tuple[Decimal, int, tuple[MarkFlag, ...]]],
) -> None:
    """Second implementation: the usable readings at the end of the list that are all at the stop span five minutes."""
    marks = _marks(drawn)
    span: list[Mark] = []
    for seen in marks:
        if seen.flags:
            continue
        span = [*span, seen] if seen.mid is not None and seen.mid >= D("1.74") else []
    expected = bool(span) and not marks[-1].flags and (span[-1].at - span[0].at) >= timedelta(minutes=5)
    assert check(STOP, *marks).is_due is expected


@given(MIDS, MIDS)
def test_a_lower_mid_never_makes_the_target_less_due(mid: Decimal, lower: Decimal) -> None:
    if check(TARGET, mark(str(mid))).is_due:
        assert check(TARGET, mark(str(min(mid, lower)))).is_due


@given(st.integers(-40, 40), READINGS)
def test_only_the_calendar_decides_on_its_day_and_only_prices_before_it(
    days: int, drawn: list[tuple[Decimal, int, tuple[MarkFlag, ...]]]
) -> None:
    """With the plan of the settings, whose exits are in order of days."""
    chosen = plan.exit_plan(builders.candidate(), builders.TODAY, Settings())
    now = later(days=days)
    of_plan = {"time_exit": chosen.time_exit, "last_exit": chosen.last_exit}
    found = {each.reason: each.is_due for each in check_exits(exit_input(*_marks(drawn), now=now, **of_plan))}
    assert chosen.time_exit is not None
    assert found[LAST] == (now.date() >= chosen.last_exit)
    assert found[TIME] == (now.date() >= chosen.time_exit)
    assert found[LAST] <= found[TIME]
