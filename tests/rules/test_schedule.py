"""What a start of `analyze` decides: by the clock, the switches and the runs that the slot has."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeGuard

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spy32.domain.runs import Outcome, Run, Trigger
from spy32.rules.schedule import (
    LATE_AFTER,
    NoAction,
    ScheduleDecision,
    ScheduleInput,
    SkipSlot,
    StartRun,
    manual_decision,
    scheduled_decision,
    unscheduled_start,
)
from spy32.sessions import NEW_YORK, last_slot, slot_of_day
from spy32.settings.model import Environment, Schedule
from tests.support import builders as b

RULES, PRODUCTION, DEVELOPMENT = Schedule(), Environment.PRODUCTION, Environment.DEVELOPMENT
MONDAY, HOLIDAY = date(2026, 11, 23), date(2026, 9, 7)


def ny(text: str) -> datetime:
    """An instant from New York's wall clock."""
    return datetime.fromisoformat(text).replace(tzinfo=NEW_YORK).astimezone(UTC)


LAST_YEAR = ny("2025-11-23T12:00")
OPENING, INSIDE, AFTER = ny("2026-11-23T10:00"), ny("2026-11-23T11:00"), ny("2026-11-23T16:30")
TUESDAY, NEXT_OPENING = ny("2026-11-24T09:00"), ny("2026-11-30T10:00")


def case(now: datetime, **over: Any) -> ScheduleInput:
    base: dict[str, Any] = {
        "now": now,
        "schedule": RULES,
        "environment": PRODUCTION,
        "created_at": LAST_YEAR,
    }
    return ScheduleInput(**{**base, **over})


def ran(*outcomes: Outcome | None, slot: date = MONDAY) -> tuple[Run, ...]:
    """The runs of a slot that cron started, oldest first, numbered from 1."""
    numbered = enumerate(outcomes, start=1)
    return tuple(b.run(id=number, outcome=outcome, slot=slot, trigger=Trigger.CRON) for number, outcome in numbered)


PROPOSED, NO_TRADE, SKIPPED = Outcome.PROPOSED, Outcome.NO_TRADE, Outcome.SKIPPED
FAILED, INTERRUPTED = Outcome.FAILED, Outcome.INTERRUPTED


def is_taken(decision: ScheduleDecision) -> TypeGuard[NoAction]:
    """Whether the slot has its run, or has used up its tries."""
    return isinstance(decision, NoAction) and decision.run_id is not None


# Inside the window.


def test_the_opening_starts_the_run_of_the_slot() -> None:
    decision = scheduled_decision(case(OPENING), ())
    assert decision == StartRun(slot=slot_of_day(MONDAY, RULES, PRODUCTION), late=False, trigger=Trigger.CRON)


def test_a_start_in_the_grace_is_late_after_five_minutes() -> None:
    assert timedelta(minutes=5) == LATE_AFTER
    for minutes, late in ((5, False), (6, True), (179, True)):
        decision = scheduled_decision(case(OPENING + timedelta(minutes=minutes)), ())
        assert isinstance(decision, StartRun)
        assert decision.late is late


@pytest.mark.parametrize("outcome", [PROPOSED, NO_TRADE, SKIPPED])
def test_a_slot_with_a_finished_run_takes_no_other(outcome: Outcome) -> None:
    decision = scheduled_decision(case(INSIDE), ran(FAILED, outcome))
    assert is_taken(decision)
    assert decision.run_id == 2
    assert f"R2 ({outcome})" in decision.message


@pytest.mark.parametrize("outcome", [FAILED, INTERRUPTED])
def test_a_run_without_a_result_is_repeated_up_to_three_tries(outcome: Outcome) -> None:
    assert isinstance(scheduled_decision(case(INSIDE), ran(outcome)), StartRun)
    assert isinstance(scheduled_decision(case(INSIDE), ran(outcome, outcome)), StartRun)
    fourth = scheduled_decision(case(INSIDE), ran(outcome, outcome, outcome))
    assert is_taken(fourth)
    assert "3 tries" in fourth.message
    assert fourth.run_id == 3


def test_the_number_of_tries_is_a_setting() -> None:
    once = replace(RULES, attempts=1)
    assert is_taken(scheduled_decision(case(INSIDE, schedule=once), ran(FAILED)))


def test_a_holiday_is_skipped_at_once_and_says_what_comes_next() -> None:
    decision = scheduled_decision(case(ny("2026-09-07T10:00")), ())
    assert isinstance(decision, SkipSlot)
    assert (decision.cause, decision.slot) == ("holiday", slot_of_day(HOLIDAY, RULES, PRODUCTION))
    assert "Labor Day" in decision.message
    assert "the next session is Tuesday 2026-09-08" in decision.message
    assert "the next slot is Monday 2026-09-14 10:00 New York" in decision.message


def test_a_monday_holiday_runs_on_tuesday_when_that_is_set() -> None:
    moved = replace(RULES, on_holiday="next_session")
    assert scheduled_decision(case(ny("2026-09-07T10:00"), schedule=moved), ran(NO_TRADE, slot=date(2026, 8, 31))) == (
        NoAction()
    )
    tuesday = slot_of_day(date(2026, 9, 8), moved, PRODUCTION)
    decision = scheduled_decision(case(ny("2026-09-08T10:00"), schedule=moved), ())
    assert decision == StartRun(slot=tuesday, late=False, trigger=Trigger.CRON)
    missed = scheduled_decision(case(ny("2026-09-08T13:00"), schedule=moved), ())
    assert isinstance(missed, SkipSlot)
    assert (missed.cause, missed.slot) == ("missed", tuesday)
    by_hand = manual_decision(case(ny("2026-09-07T11:00"), schedule=moved), ())
    assert isinstance(by_hand, SkipSlot)
    assert (by_hand.cause, by_hand.slot) == ("holiday", None)
    assert "the next slot is Tuesday 2026-09-08 10:00 New York" in by_hand.message


def test_a_slot_that_moves_to_a_half_day_and_opens_after_its_close_is_skipped() -> None:
    thursday = replace(RULES, weekday="thursday", time="14:00", on_holiday="next_session")
    decision = scheduled_decision(case(ny("2026-11-27T14:00"), schedule=thursday), ())
    assert isinstance(decision, SkipSlot)
    assert (decision.cause, decision.slot and decision.slot.day) == ("closed", date(2026, 11, 27))


def test_a_second_start_on_a_holiday_writes_nothing() -> None:
    assert is_taken(scheduled_decision(case(ny("2026-09-07T10:15")), ran(SKIPPED, slot=HOLIDAY)))


@pytest.mark.parametrize(
    ("over", "words"),
    [
        (
            {"paused": ("holiday in Rome", ny("2026-11-20T12:00"))},
            "paused since 2026-11-20 17:00 UTC (holiday in Rome)",
        ),
        ({"paused": ("", ny("2026-11-23T10:30"))}, "paused since 2026-11-23 15:30 UTC;"),
        ({"enable_automation": False}, "ENABLE_AUTOMATION is false"),
    ],
)
def test_a_held_home_runs_nothing_and_writes_nothing_yet(over: dict[str, Any], words: str) -> None:
    decision = scheduled_decision(case(INSIDE, **over), ())
    assert isinstance(decision, NoAction)
    assert words in decision.message


def test_a_pause_lifted_inside_the_window_still_gets_its_run() -> None:
    paused = ("", ny("2026-11-22T12:00"))
    assert isinstance(scheduled_decision(case(OPENING, paused=paused), ()), NoAction)
    assert isinstance(scheduled_decision(case(INSIDE), ()), StartRun)


def test_a_holiday_is_a_holiday_in_a_held_home_too() -> None:
    decision = scheduled_decision(case(ny("2026-09-07T10:00"), enable_automation=False), ())
    assert isinstance(decision, SkipSlot)
    assert decision.cause == "holiday"


def test_the_first_start_of_a_home_runs_inside_the_window() -> None:
    for created in (None, INSIDE):
        assert isinstance(scheduled_decision(case(INSIDE, created_at=created), ()), StartRun)


# Outside the window.


@pytest.mark.parametrize("now", [ny("2026-11-23T09:59:59"), ny("2026-11-23T13:00"), TUESDAY, ny("2026-11-28T12:00")])
def test_outside_the_window_a_settled_slot_is_silence(now: datetime) -> None:
    assert scheduled_decision(case(now), ran(NO_TRADE)) == NoAction()


@pytest.mark.parametrize("now", [ny("2026-11-23T13:00"), AFTER, TUESDAY, ny("2026-11-30T09:59")])
def test_a_slot_without_a_run_is_missed(now: datetime) -> None:
    decision = scheduled_decision(case(now), ())
    assert isinstance(decision, SkipSlot)
    assert (decision.cause, decision.slot) == ("missed", slot_of_day(MONDAY, RULES, PRODUCTION))
    assert "the slot of Monday 2026-11-23 10:00 New York was missed" in decision.message
    assert "the next slot is Monday 2026-11-30 10:00 New York" in decision.message


def test_a_slot_whose_tries_all_failed_is_missed_and_says_so() -> None:
    decision = scheduled_decision(case(AFTER), ran(FAILED, INTERRUPTED))
    assert isinstance(decision, SkipSlot)
    assert decision.cause == "missed"
    assert "none of its 2 tries finished" in decision.message


def test_a_missed_slot_is_over() -> None:
    assert scheduled_decision(case(TUESDAY), ran(FAILED, SKIPPED)) == NoAction()


def test_a_held_slot_gets_its_row_after_the_grace() -> None:
    for held in ({"paused": ("on leave", ny("2026-11-20T12:00"))}, {"enable_automation": False}):
        decision = scheduled_decision(case(AFTER, **held), ())
        assert isinstance(decision, SkipSlot)
        assert decision.cause == "paused"


def test_a_pause_that_began_after_the_grace_does_not_excuse_the_slot() -> None:
    decision = scheduled_decision(case(TUESDAY, paused=("", AFTER)), ())
    assert isinstance(decision, SkipSlot)
    assert decision.cause == "missed"


def test_a_holiday_slot_that_nobody_started_in_gets_its_row_later() -> None:
    decision = scheduled_decision(case(ny("2026-09-08T08:00")), ())
    assert isinstance(decision, SkipSlot)
    assert decision.cause == "holiday"


def test_a_home_has_missed_nothing_that_opened_before_it_was_made() -> None:
    for created in (None, OPENING + timedelta(seconds=1), AFTER):
        assert scheduled_decision(case(TUESDAY, created_at=created), ()) == NoAction()
    assert isinstance(scheduled_decision(case(TUESDAY, created_at=OPENING), ()), SkipSlot)


def test_a_slot_in_which_the_home_was_made_by_a_run_that_failed_is_missed() -> None:
    created = OPENING + timedelta(seconds=3)
    assert isinstance(scheduled_decision(case(TUESDAY, created_at=created), ran(FAILED)), SkipSlot)


def test_the_due_slot_is_the_open_one_or_the_last_one() -> None:
    assert (
        last_slot(OPENING, RULES, PRODUCTION).day == last_slot(ny("2026-11-30T09:59"), RULES, PRODUCTION).day == MONDAY
    )
    assert last_slot(NEXT_OPENING, RULES, PRODUCTION).day == date(2026, 11, 30)


def test_development_runs_daily_at_two() -> None:
    decision = scheduled_decision(case(ny("2026-11-24T14:00"), environment=DEVELOPMENT), ())
    assert isinstance(decision, StartRun)
    assert decision.slot is not None and decision.slot.day == date(2026, 11, 24)
    thanksgiving = scheduled_decision(case(ny("2026-11-26T14:00"), environment=DEVELOPMENT), ())
    assert isinstance(thanksgiving, SkipSlot)
    assert "the next slot is Monday 2026-11-30 14:00 New York" in thanksgiving.message


def test_a_start_after_the_close_of_a_half_day_makes_no_run_that_would_fail() -> None:
    at_noon = replace(RULES, development_time="12:00")
    for clock, kind in (("12:59", StartRun), ("13:00", SkipSlot), ("14:30", SkipSlot)):
        decision = scheduled_decision(case(ny(f"2026-11-27T{clock}"), schedule=at_noon, environment=DEVELOPMENT), ())
        assert isinstance(decision, kind)
    assert isinstance(decision, SkipSlot)
    assert "nothing was started by 13:00 New York" in decision.message


def test_a_slot_that_opens_after_an_early_close_is_skipped() -> None:
    black_friday = case(ny("2026-11-27T14:00"), environment=DEVELOPMENT)
    for decision in (scheduled_decision(black_friday, ()), manual_decision(black_friday, ())):
        assert isinstance(decision, SkipSlot)
        assert (decision.cause, decision.slot and decision.slot.day) == ("closed", date(2026, 11, 27))
        assert "opens after the early close at 13:00 New York" in decision.message
    later = scheduled_decision(case(ny("2026-11-27T18:00"), environment=DEVELOPMENT), ())
    assert isinstance(later, SkipSlot) and later.cause == "closed"


# By hand.


def test_by_hand_on_another_market_never_touches_the_slot() -> None:
    start = StartRun(slot=None, late=False, trigger=Trigger.MANUAL)
    assert manual_decision(case(INSIDE), (), is_slots_market=False) == start
    assert manual_decision(case(INSIDE), ran(FAILED, FAILED, FAILED), is_slots_market=False) == start
    assert manual_decision(case(INSIDE), ran(NO_TRADE), is_slots_market=False) == start


def test_by_hand_inside_the_window_uses_the_slot_up() -> None:
    decision = manual_decision(case(INSIDE), ())
    assert decision == StartRun(slot=slot_of_day(MONDAY, RULES, PRODUCTION), late=True, trigger=Trigger.MANUAL)


def test_by_hand_inside_the_window_is_as_safe_as_cron() -> None:
    assert is_taken(manual_decision(case(INSIDE), ran(NO_TRADE)))
    assert isinstance(manual_decision(case(INSIDE), ran(FAILED, FAILED)), StartRun)
    assert is_taken(manual_decision(case(INSIDE), ran(FAILED, FAILED, FAILED)))


def test_what_a_person_tried_by_hand_costs_the_schedule_none_of_its_tries() -> None:
    by_hand = tuple(replace(run, trigger=Trigger.MANUAL) for run in ran(FAILED, INTERRUPTED, FAILED))
    assert isinstance(scheduled_decision(case(INSIDE), by_hand), StartRun)
    assert isinstance(scheduled_decision(case(INSIDE), (*by_hand, *ran(FAILED, FAILED))), StartRun)
    assert is_taken(scheduled_decision(case(INSIDE), (*by_hand, *ran(FAILED, FAILED, FAILED))))
    assert is_taken(manual_decision(case(INSIDE), by_hand))


def test_a_rehearsal_starts_at_any_time_and_takes_no_slot() -> None:
    assert unscheduled_start(case(INSIDE), ran(NO_TRADE)) == StartRun(slot=None, late=False, trigger=Trigger.MANUAL)
    forced = StartRun(slot=None, late=False, trigger=Trigger.FORCED, forced_from=1)
    assert unscheduled_start(case(INSIDE), ran(NO_TRADE), force=True) == forced
    assert manual_decision(case(INSIDE), ran(NO_TRADE), force=True, is_slots_market=False) == forced


def test_a_weekly_slot_before_an_early_close_is_a_slot() -> None:
    friday = replace(RULES, weekday="friday")
    assert isinstance(scheduled_decision(case(ny("2026-11-27T10:00"), schedule=friday), ()), StartRun)


def test_a_pause_does_not_hold_a_person() -> None:
    held = case(INSIDE, paused=("", OPENING), enable_automation=False)
    assert isinstance(manual_decision(held, ()), StartRun)


def test_by_hand_outside_the_window_is_a_new_run_without_a_slot() -> None:
    for runs in ((), ran(NO_TRADE)):
        assert manual_decision(case(AFTER), runs) == StartRun(slot=None, late=False, trigger=Trigger.MANUAL)


def test_by_hand_on_a_closed_day_is_skipped() -> None:
    weekend = manual_decision(case(ny("2026-11-28T11:00")), ())
    assert isinstance(weekend, SkipSlot)
    assert (weekend.slot, weekend.cause) == (None, "closed")
    assert "closed on Saturday 2026-11-28;" in weekend.message
    holiday = manual_decision(case(ny("2026-09-07T11:00")), ())
    assert isinstance(holiday, SkipSlot)
    assert holiday.slot == slot_of_day(HOLIDAY, RULES, PRODUCTION)


def test_by_hand_on_a_holiday_evening_leaves_the_slot_alone() -> None:
    decision = manual_decision(case(ny("2026-09-07T18:00")), ())
    assert isinstance(decision, SkipSlot)
    assert decision.slot is None


def test_force_makes_a_new_run_linked_to_the_finished_one() -> None:
    decision = manual_decision(case(INSIDE), ran(FAILED, NO_TRADE, FAILED), force=True)
    assert decision == StartRun(
        slot=slot_of_day(MONDAY, RULES, PRODUCTION), late=True, trigger=Trigger.FORCED, forced_from=2
    )


def test_force_passes_the_last_try_and_the_closed_day() -> None:
    fourth = manual_decision(case(INSIDE), ran(FAILED, FAILED, FAILED), force=True)
    assert isinstance(fourth, StartRun)
    assert fourth.forced_from is None
    closed = manual_decision(case(ny("2026-09-07T11:00")), ran(SKIPPED, slot=HOLIDAY), force=True)
    assert isinstance(closed, StartRun)
    assert closed.forced_from == 1


def test_force_outside_the_window_takes_no_slot_and_links_to_what_it_is_given() -> None:
    decision = manual_decision(case(AFTER), ran(PROPOSED), force=True)
    assert decision == StartRun(slot=None, late=False, trigger=Trigger.FORCED, forced_from=1)


# Whatever happens.

outcomes = st.lists(st.sampled_from([PROPOSED, NO_TRADE, SKIPPED, FAILED, INTERRUPTED]), max_size=5)
moments = st.timedeltas(timedelta(0), timedelta(days=370)).map(lambda span: ny("2026-01-01T00:00") + span)


@given(moments, outcomes, st.booleans(), st.sampled_from([PRODUCTION, DEVELOPMENT]))
def test_a_slot_never_gets_a_second_finished_run(
    now: datetime, past: list[Outcome], enabled: bool, environment: Environment
) -> None:
    runs = ran(*past, slot=last_slot(now, RULES, environment).day)
    situation = case(now, enable_automation=enabled, environment=environment)
    scheduled, by_hand = scheduled_decision(situation, runs), manual_decision(situation, runs)
    if any(run.outcome in (PROPOSED, NO_TRADE, SKIPPED) for run in runs):
        assert isinstance(scheduled, NoAction)
        assert not (isinstance(by_hand, StartRun | SkipSlot) and by_hand.slot is not None)
    if isinstance(scheduled, StartRun):
        assert scheduled.slot is not None and scheduled.slot.contains(now)
        assert enabled
        assert sum(run.outcome in (FAILED, INTERRUPTED) for run in runs) < RULES.attempts


@given(st.lists(st.tuples(st.integers(0, 7 * 96 - 1), st.sampled_from([NO_TRADE, FAILED])), max_size=25))
def test_any_week_of_starts_leaves_at_most_one_finished_run_and_settles_the_slot(
    starts: list[tuple[int, Outcome]],
) -> None:
    """Starts at any quarter hours of a week that end any way, and one start after it."""
    created = ny("2026-11-22T12:00")
    runs: tuple[Run, ...] = ()
    for quarter, outcome in [*sorted(starts, key=lambda pair: pair[0]), (7 * 96, NO_TRADE)]:
        now = ny("2026-11-23T09:00") + timedelta(minutes=15) * quarter
        slot = last_slot(now, RULES, PRODUCTION)
        if slot.day != MONDAY:
            continue
        decision = scheduled_decision(case(now, created_at=created), runs)
        if isinstance(decision, StartRun):
            runs = (*runs, b.run(id=len(runs) + 1, slot=MONDAY, outcome=outcome, trigger=Trigger.CRON))
        elif isinstance(decision, SkipSlot):
            runs = (*runs, b.run(id=len(runs) + 1, slot=MONDAY, outcome=SKIPPED))
    last = scheduled_decision(case(ny("2026-11-30T09:59"), created_at=created), runs)
    if isinstance(last, SkipSlot):
        runs = (*runs, b.run(id=len(runs) + 1, slot=MONDAY, outcome=SKIPPED))
    assert sum(run.outcome in (NO_TRADE, SKIPPED) for run in runs) == 1
    assert sum(run.outcome is FAILED for run in runs) <= RULES.attempts
