"""Judges the exits of an open trade by its approved plan: what is due now, why, and at what price.

Everything here is pure: the marks, the day and the dividend are given. A mark that is one-sided, stale, crossed or
impossible decides nothing; the exits that go by the calendar alone need none.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal

from spy32.domain.marks import Mark
from spy32.domain.orders import Trade
from spy32.domain.proposals import ExitPlan, ExitReason
from spy32.domain.value import value
from spy32.rules.exercise import ExerciseCheck, is_american_call
from spy32.sessions import market_date

STOP_INTERVAL = timedelta(minutes=5)
"""The two readings of a stop are at least this far apart, so that one wide quote at the open does not close a trade."""

NO_EX_DATE = "no short call is held into an ex-date tonight"


@value
class ExitCheck:
    """One rule of the exit plan, judged now."""

    reason: ExitReason
    is_due: bool
    message: str
    """Why it is due, or what it waits for."""
    price: Decimal | None = None
    """The debit at which it fires, dollars per share; None where the calendar decides."""
    day: date | None = None
    """The day on which it fires; None where the price decides."""
    is_unknown: bool = False
    """It could not be judged although it may be due."""


@value
class ExitInput:
    """What the exits of one trade are judged by."""

    trade: Trade
    plan: ExitPlan
    marks: Sequence[Mark]
    """All marks of the trade, oldest first, the one of now last."""
    now: datetime
    exercise: ExerciseCheck | None = None
    """Of the short call on the eve of an ex-date, or with unknown ex-dates; None when tonight is no such eve."""
    has_resting_target: bool = False
    """An order at the profit target works at the broker, so nothing else buys back for that reason."""

    @property
    def today(self) -> date:
        return market_date(self.now)

    @property
    def mark(self) -> Mark | None:
        """The newest mark if it may decide."""
        return self.marks[-1] if self.marks and self.marks[-1].is_usable else None


def check_exits(given: ExitInput) -> tuple[ExitCheck, ...]:
    """Return every rule of the plan as it stands now, most urgent first."""
    return (
        _check_day(given, ExitReason.LAST_EXIT, "last exit", given.plan.last_exit),
        _check_ex_dividend(given),
        _check_stop(given),
        _check_target(given),
        _check_day(given, ExitReason.TIME, "time exit", given.plan.time_exit),
    )


def due_exit(checks: Sequence[ExitCheck]) -> ExitCheck | None:
    """Return the most urgent exit that is due; None when none is."""
    return next((check for check in checks if check.is_due), None)


def _check_day(given: ExitInput, reason: ExitReason, name: str, day: date | None) -> ExitCheck:
    """Judge an exit that goes by the calendar."""
    if day is None:
        return ExitCheck(reason=reason, is_due=False, message=f"no {name} before the last exit")
    message = f"the {name} {'was to be' if given.today > day else 'is'} on {day}"
    return ExitCheck(reason=reason, is_due=given.today >= day, message=message, day=day)


def _check_ex_dividend(given: ExitInput) -> ExitCheck:
    check = given.exercise
    if check is None:
        has_call = any(is_american_call(leg) for leg in given.trade.legs)
        is_unknown = has_call and not given.marks
        message = "there are no quotes to judge early exercise by" if is_unknown else NO_EX_DATE
        return ExitCheck(reason=ExitReason.EX_DIVIDEND, is_due=False, message=message)
    is_due, message = check.is_worthwhile is True, check.message
    is_unusable = check.is_worthwhile is False and given.mark is None
    if is_unusable:
        # Quotes that decide nothing rule nothing out either.
        message = f"NOT JUDGED on the eve of an ex-date: {_no_mark_text(given)}; early assignment possible"
    is_unknown = is_unusable or check.is_worthwhile is None
    return ExitCheck(
        reason=ExitReason.EX_DIVIDEND, is_due=is_due, message=message, day=check.eve, is_unknown=is_unknown
    )


def _check_stop(given: ExitInput) -> ExitCheck:
    stop, mark, highest = given.plan.stop, given.mark, given.trade.closing_bounds[1]
    first = None
    if highest == 0:
        message = "a debit spread has no stop, since no more than its debit can be lost"
        return ExitCheck(reason=ExitReason.STOP, is_due=False, message=message)
    if stop >= highest:
        message = f"the stop at {stop} is out of reach, since closing costs at most the width {highest}"
    elif mark is None or mark.mid is None:
        message = _no_mark_text(given)
    elif mark.mid < stop:
        message = f"mid {mark.mid} below {stop}"
    elif (first := _first_reading(given.marks, mark, stop)) is None:
        message = f"mid {mark.mid} reached {stop}; a second reading {STOP_INTERVAL.seconds // 60} minutes later decides"
    else:
        message = f"mid {mark.mid} at or above {stop}, as at {first.at:%Y-%m-%d %H:%M} UTC ({first.mid})"
    return ExitCheck(reason=ExitReason.STOP, is_due=first is not None, message=message, price=stop)


def _first_reading(marks: Sequence[Mark], mark: Mark, stop: Decimal) -> Mark | None:
    """Return a reading of this session at or above the stop that is old enough, with no usable one below it since; None
    without one."""
    for earlier in reversed(marks[:-1]):
        if not earlier.is_usable or earlier.mid is None:
            continue
        if earlier.mid < stop or market_date(earlier.at) != market_date(mark.at):
            return None
        # The times of the quotes count, since two starts may read the same ones.
        if mark.as_of - earlier.as_of >= STOP_INTERVAL and mark.at - earlier.at >= STOP_INTERVAL:
            return earlier
    return None


def _check_target(given: ExitInput) -> ExitCheck:
    target, mark, trade, is_due = given.plan.profit_target, given.mark, given.trade, False
    if given.has_resting_target:
        message = f"an order at {target} rests with the broker"
    elif mark is None or mark.mid is None:
        message = _no_mark_text(given)
    else:
        is_due = mark.mid <= target
        kept = (trade.credit - mark.mid) / trade.max_profit if trade.max_profit > 0 else Decimal(0)
        what = "of the credit kept" if trade.closing_bounds[1] > 0 else "of the largest profit"
        message = f"mid {mark.mid} {'at or below' if is_due else 'above'} {target}, {kept:.1%} {what}"
        if target < 0:
            message = f"mid {-mark.mid} credit {'at or above' if is_due else 'below'} {-target}, {kept:.1%} {what}"
    return ExitCheck(reason=ExitReason.TARGET, is_due=is_due, message=message, price=target)


def _no_mark_text(given: ExitInput) -> str:
    if not given.marks:
        return "there is no mark to judge by"
    flags = ", ".join(flag.replace("_", "-") for flag in given.marks[-1].flags) or "without a mid"
    return f"the mark is {flags}, so no price decides"
