"""Early exercise: the call on the eve of an ex-date, and the note about a put."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from math import exp

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spy32.domain.market import Dividend, LegQuotes
from spy32.domain.spreads import Leg
from spy32.rules.exercise import (
    ExerciseCheck,
    check_call_exercise,
    exercise_values,
    is_american_call,
    next_ex_date,
    parity_leg,
    put_exercise_note,
)
from tests.support import builders
from tests.support.trades import CALL, PUT, Sides, with_quote

D = Decimal
EX_DATE = date(2025, 12, 19)
"""The third Friday of December, SPY's ex-date."""
EVE = datetime(2025, 12, 18, 19, 0, tzinfo=UTC)
"""Thursday, 14:00 in New York."""
DIVIDEND = Dividend(ex_date=EX_DATE, amount=D("1.95"))
CALL_660 = builders.leg("660", right=CALL, expiration=EX_DATE)


def checked(
    put: Sides | None,
    *,
    leg: Leg = CALL_660,
    spot: float = 670.0,
    now: datetime = EVE,
    dividend: Dividend = DIVIDEND,
    rate: float = 0.04,
) -> ExerciseCheck | None:
    quotes = LegQuotes(spot=spot, as_of=now, source="cboe", quotes={})
    if put is not None:
        quotes = with_quote(quotes, parity_leg(leg), put)
    return check_call_exercise(leg, quotes, dividend, rate, now)


@pytest.mark.parametrize(
    ("put", "pays"),
    [
        ((0.01, 0.02), True),  # the dividend is worth far more than the put
        ((1.70, 1.86), True),  # 1.86 + 0.08 of carry = 1.94, below 1.95
        ((1.70, 1.88), False),  # 1.96
        ((0.02, 4.00), False),  # the ask decides, not the mid
        ((2.00, 2.10), False),
    ],
)
def test_exercise_pays_when_the_put_and_the_carry_cost_less_than_the_dividend(put: Sides, pays: bool) -> None:
    """Carry of 660 at 4 % from Thursday 14:00 to Friday 16:00, 26 hours: 660 x (1 - e^(-0.04 x 26 / 8760)) = 0.08."""
    found = checked(put)
    assert found is not None
    assert (found.is_worthwhile, found.eve) == (pays, date(2025, 12, 18))


def test_the_figures_are_told() -> None:
    """Kept past the ex-date, with the put at its mid of 1.78: 670 - 1.95 - 660 + 0.08 + 1.78 = 9.91."""
    found = checked((1.70, 1.86))
    assert found is not None
    assert found.message == (
        "ex-date 2025-12-19: put 1.86 + carry 0.08 = 1.94 is below the dividend 1.95: exercise of the 660 call pays; "
        "worth 10.00 exercised, 9.91 kept at best, 9.91 held to expiration (vol 33.2%)"
    )
    other = checked((1.82, 1.88), dividend=replace(DIVIDEND, is_expected=True))
    assert other is not None
    assert other.message == (
        "ex-date 2025-12-19: put 1.88 + carry 0.08 = 1.96 is not below the dividend 1.95 (expected): exercise of the "
        "660 call does not pay; worth 10.00 exercised, 9.98 kept at best, 9.98 held to expiration (vol 33.8%)"
    )


@pytest.mark.parametrize(("put", "pays"), [((0.05, 0.06), True), ((0.99, 1.00), False)])
def test_with_a_second_dividend_before_expiration_the_engine_decides(put: Sides, pays: bool) -> None:
    """Put and carry to March cost more than one dividend, 0.06 + 1.95; kept until the second, they cost less."""
    leg = builders.leg("600", right=CALL, expiration=date(2026, 3, 27))
    later = Dividend(ex_date=date(2026, 3, 20), amount=D("1.95"))
    quotes = with_quote(LegQuotes(spot=670.0, as_of=EVE, source="cboe", quotes={}), parity_leg(leg), put)
    alone, both = (
        check_call_exercise(leg, quotes, DIVIDEND, 0.012, EVE, dividends=dividends)
        for dividends in ((DIVIDEND,), (DIVIDEND, later))
    )
    values = exercise_values(leg, quotes, (DIVIDEND, later), 0.012, EVE)
    assert alone is not None and both is not None and values is not None
    assert (alone.is_worthwhile, both.is_worthwhile) == (False, pays)
    assert (values.exercised > values.kept) is pays
    assert values.exercised == 70.0
    assert values.kept > values.held
    assert ("so not yet" in both.message) is not pays


def test_calls_with_less_time_value_than_the_dividend_may_rightly_stay_unexercised() -> None:
    """SPY 447 calls before the ex-date of 2021-09-17: time value 0.41, dividend 1.33, the put near 2. They were not
    exercised (r/options, 2021-09-17)."""
    leg = builders.leg("447", right=CALL, expiration=date(2021, 9, 24))
    found = checked(
        (1.95, 2.00), leg=leg, spot=447.59, now=datetime(2021, 9, 16, 19, 45, tzinfo=UTC), rate=0.0005,
        dividend=Dividend(ex_date=date(2021, 9, 17), amount=D("1.33")),
    )  # fmt: skip
    assert found is not None
    assert not found.is_worthwhile


@pytest.mark.parametrize(("spot", "is_in"), [(660.01, True), (660.0, False), (600.0, False), (float("nan"), False)])
def test_out_of_the_money_nobody_exercises(spot: float, is_in: bool) -> None:
    found = checked((0.01, 0.02), spot=spot)
    assert found is not None
    assert found.is_worthwhile is is_in
    if not is_in:
        assert found.message == f"ex-date 2025-12-19: the 660 call is out of the money at {spot:.2f}"
        assert found.eve == date(2025, 12, 18)


@pytest.mark.parametrize("put", [None, (0.01, None), (0.05, 0.02), (None, 0.02)])
def test_in_the_money_without_a_quote_of_the_put_it_cannot_be_ruled_out(put: Sides | None) -> None:
    found = checked(put)
    assert found is not None
    assert found.is_worthwhile
    assert found.message == "ex-date 2025-12-19: the 660 call is in the money and its put has no two-sided quote"


@pytest.mark.parametrize(
    ("now", "is_eve"),
    [
        (datetime(2025, 12, 17, 19, 0, tzinfo=UTC), False),
        (datetime(2025, 12, 18, 14, 30, tzinfo=UTC), True),
        (datetime(2025, 12, 19, 4, 30, tzinfo=UTC), True),  # still Thursday evening in New York
        (datetime(2025, 12, 19, 15, 0, tzinfo=UTC), False),  # the ex-date itself: too late to earn it
    ],
)
def test_only_the_eve_of_the_ex_date_counts(now: datetime, is_eve: bool) -> None:
    assert (checked((0.01, 0.02), now=now) is not None) is is_eve


@pytest.mark.parametrize(
    ("ex_date", "eve"),
    [
        (date(2025, 12, 22), date(2025, 12, 19)),  # a Monday: Friday is the eve
        (date(2025, 12, 26), date(2025, 12, 24)),  # after Christmas: the half day
        (date(2024, 4, 1), date(2024, 3, 28)),  # after Good Friday and the weekend: Thursday
    ],
)
def test_the_eve_is_the_last_session_before(ex_date: date, eve: date) -> None:
    leg = builders.leg("660", right=CALL, expiration=date(2026, 1, 16))
    now = datetime(eve.year, eve.month, eve.day, 15, 0, tzinfo=UTC)
    found = checked((0.01, 0.02), leg=leg, now=now, dividend=replace(DIVIDEND, ex_date=ex_date))
    assert found is not None
    assert found.eve == eve


def test_a_put_is_no_matter_of_dividends() -> None:
    assert checked((0.01, 0.02), leg=builders.leg("660", right=PUT, expiration=EX_DATE)) is None


@given(st.integers(1, 400), st.integers(1, 400), st.integers(0, 400))
def test_a_larger_dividend_never_makes_exercise_pay_less_and_a_dearer_put_never_more(
    ask: int, paid: int, more: int
) -> None:
    def pays(ask: int, paid: int) -> bool:
        found = checked((0.01, ask / 100), dividend=replace(DIVIDEND, amount=D(paid) / 100))
        assert found is not None
        return found.is_worthwhile

    assert pays(ask, paid + more) >= pays(ask, paid)
    assert pays(ask + more, paid) <= pays(ask, paid)


# Which dividend.


@pytest.mark.parametrize(
    ("days", "found"),
    [
        ((), None),
        ((date(2025, 12, 19),), date(2025, 12, 19)),
        ((date(2025, 12, 20),), None),  # after the expiration
        ((date(2025, 12, 1),), None),  # today is its ex-date
        ((date(2025, 12, 2),), date(2025, 12, 2)),
        ((date(2025, 12, 15), date(2025, 12, 5), date(2025, 9, 19)), date(2025, 12, 5)),
    ],
)
def test_the_next_ex_date_is_after_today_and_not_after_the_expiration(
    days: tuple[date, ...], found: date | None
) -> None:
    dividends = [Dividend(ex_date=day, amount=D(1)) for day in days]
    chosen = next_ex_date(dividends, EX_DATE, date(2025, 12, 1))
    assert (chosen.ex_date if chosen is not None else None) == found


def test_unknown_dividends_are_none() -> None:
    assert next_ex_date(None, EX_DATE, date(2025, 12, 1)) is None


# The other right.


def test_the_parity_leg_is_the_other_right_at_the_same_strike() -> None:
    assert parity_leg(CALL_660) == replace(CALL_660, right=PUT)
    assert parity_leg(parity_leg(CALL_660)) == CALL_660
    assert (is_american_call(CALL_660), is_american_call(parity_leg(CALL_660))) == (True, False)


# Puts.

TEN_DAYS = builders.later(days=22, hours=6)
"""Ten calendar days before the close of the expiration of the builders."""
PUT_640 = builders.leg("640")


def note(call: Sides | None, *, leg: Leg = PUT_640, spot: float = 600.0, rate: float = 0.04) -> str | None:
    quotes = LegQuotes(spot=spot, as_of=TEN_DAYS, source="cboe", quotes={})
    if call is not None:
        quotes = with_quote(quotes, parity_leg(leg), call)
    return put_exercise_note(leg, quotes, rate, TEN_DAYS)


def test_a_put_of_640_earns_seventy_cents_of_interest_in_ten_days_at_four_per_cent() -> None:
    assert 640 * (1 - exp(-0.04 * 10 / 365)) == pytest.approx(0.70, abs=0.005)
    assert note((0.60, 0.70)) == (
        "early exercise of the 640 put pays its holder: interest 0.70 until expiration against a call of 0.65"
    )


@pytest.mark.parametrize(
    ("call", "is_told"),
    [((0.68, 0.71), True), ((0.70, 0.74), False), ((0.0, 0.05), True), (None, False), ((0.70, None), False)],
)
def test_the_note_comes_when_the_interest_exceeds_the_call(call: Sides | None, is_told: bool) -> None:
    """The mid of the call decides: 0.695 and 0.72 against 0.7010."""
    assert (note(call) is not None) is is_told


def test_with_known_dividends_the_note_tells_what_exercise_and_waiting_are_worth() -> None:
    """A day of waiting costs 0.07 of interest; at expiration the put is 640 - 0.70 - 600 and the call."""
    quotes = with_quote(
        LegQuotes(spot=600.0, as_of=TEN_DAYS, source="cboe", quotes={}), parity_leg(PUT_640), (0.0, 0.05)
    )
    told = put_exercise_note(PUT_640, quotes, 0.04, TEN_DAYS, ())
    assert told == (
        "early exercise of the 640 put pays its holder: interest 0.70 until expiration against a call of 0.02; worth "
        "40.00 exercised, 39.93 kept at best, 39.32 held to expiration (vol 14.9%)"
    )
    paid = Dividend(ex_date=TEN_DAYS.date() + timedelta(days=1), amount=D("0.60"))
    waiting = put_exercise_note(PUT_640, quotes, 0.04, TEN_DAYS, (paid,))
    assert waiting is not None
    assert "and dividends of 0.60; worth 40.00 exercised" in waiting
    assert waiting.endswith(", so not yet")
    assert put_exercise_note(PUT_640, quotes, 0.04, TEN_DAYS, (replace(paid, amount=D("0.70")),)) is None


@pytest.mark.parametrize(("spot", "is_told"), [(639.99, True), (640.0, False), (670.0, False), (float("nan"), False)])
def test_out_of_the_money_there_is_no_note(spot: float, is_told: bool) -> None:
    assert (note((0.0, 0.05), spot=spot) is not None) is is_told


def test_there_is_no_note_of_a_call_and_none_without_interest() -> None:
    assert note((0.0, 0.05), leg=builders.leg("560", right=CALL)) is None
    assert note((0.0, 0.05), rate=0.0) is None
    assert note((0.0, 0.05), leg=builders.leg("700", right=CALL), spot=600.0) is None


@pytest.mark.parametrize(
    ("root", "is_early"), [("SPY", True), ("QQQ", True), ("XSP", False), ("SPXW", False), ("VIX", False)]
)
def test_a_european_option_is_not_exercised_early(root: str, is_early: bool) -> None:
    call = replace(CALL_660, root=root.ljust(6))
    assert is_american_call(call) is is_early
    assert (checked((0.01, 0.02), leg=call) is not None) is is_early
    put = replace(builders.leg("900", right=PUT, expiration=EX_DATE), root=root.ljust(6))
    quotes = with_quote(LegQuotes(spot=600.0, as_of=EVE, source="cboe", quotes={}), parity_leg(put), (0.0, 0.02))
    assert (put_exercise_note(put, quotes, 0.04, EVE) is not None) is is_early
