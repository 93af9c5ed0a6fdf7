"""Market conditions of an entry: volatility, ex-dates, the session."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spy32.domain.findings import Finding
from spy32.domain.market import Dividend
from spy32.rules import conditions
from spy32.settings import Settings
from tests.support import builders

SETTINGS = Settings()
PUT, CALL = builders.candidate(), builders.candidate("695", "700")
"""Opened on 2025-10-06, expiring on 2025-11-07, with the planned exit on 2025-10-17."""


def weighed(candidate: Any = PUT, now: datetime = builders.NOW, **seen: Any) -> tuple[tuple[Finding, ...], bool]:
    return conditions.check_conditions(builders.snapshot(**seen), candidate, SETTINGS, now)


def vix(value: float | None, vix3m: float | None = 100.0) -> dict[str, Any]:
    return {"volatility": {"vix": builders.datum(value), "vix3m": builders.datum(vix3m)}}


def dividend(day: date) -> Dividend:
    return Dividend(ex_date=day, amount=Decimal("1.85"))


def test_a_calm_market_has_nothing_to_say_about_a_put_spread() -> None:
    assert weighed() == ((), False)


def test_every_rule_that_speaks_is_listed() -> None:
    found, _ = weighed(CALL, datetime(2025, 10, 6, 21, 0, tzinfo=UTC), **vix(45, 40), dividends=None)
    assert {finding.rule for finding in found} == conditions.RULES


# Volatility


@pytest.mark.parametrize(
    ("level", "said", "blocks", "halve"),
    [
        (24.99, 0, False, False),
        (25.0, 1, False, False),
        (29.99, 1, False, False),
        (30.0, 1, False, True),
        (39.99, 1, False, True),
        (40.0, 1, True, True),
        (80.0, 1, True, True),
    ],
)
def test_vix_warns_then_halves_then_stops(level: float, said: int, blocks: bool, halve: bool) -> None:
    found, halved = weighed(**vix(level))
    assert (len(found), any(finding.blocks for finding in found), halved) == (said, blocks, halve)


@given(st.floats(0.01, 200))
def test_a_higher_vix_is_never_treated_more_kindly(level: float) -> None:
    found, halved = weighed(**vix(level, 1000.0))
    more, more_halved = weighed(**vix(level + 1, 1000.0))
    assert any(finding.blocks for finding in more) >= any(finding.blocks for finding in found)
    assert more_halved >= halved


@pytest.mark.parametrize(("near", "halve"), [(20.0, False), (20.01, True)])
def test_a_vix_above_the_three_month_one_halves(near: float, halve: bool) -> None:
    found, halved = weighed(**vix(near, 20.0))
    assert halved is halve
    assert [finding.rule for finding in found] == (["vix_term"] if halve else [])
    assert not any(finding.blocks for finding in found)


@pytest.mark.parametrize("missing", [{}, {"volatility": {"vix": builders.datum(None)}}])
@pytest.mark.parametrize("recorded", [True, False])
def test_a_missing_vix_is_noted_and_halves_a_market_of_today(missing: dict[str, Any], recorded: bool) -> None:
    found, halved = weighed(**(missing or {"volatility": {}}), is_recorded=recorded)
    assert [(finding.rule, finding.blocks, finding.figure) for finding in found] == [("vix", False, "missing")]
    assert halved is not recorded


def test_a_missing_three_month_vix_is_noted_and_the_level_still_counts() -> None:
    found, halved = weighed(**vix(31, None))
    assert [finding.rule for finding in found] == ["vix", "vix_term"]
    assert halved


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan")])
def test_a_vix_that_cannot_be_one_is_missing(value: float) -> None:
    found, _ = weighed(**vix(value))
    assert [finding.figure for finding in found] == ["missing"]


# Ex-dates

FAR = dividend(date(2025, 12, 19))


@pytest.mark.parametrize(
    ("day", "blocked"),
    [
        (date(2025, 10, 6), False),  # today's ex-date is behind us: its night has passed
        (date(2025, 10, 7), True),
        (date(2025, 10, 17), True),  # held over the night before the planned exit
        (date(2025, 10, 18), False),
    ],
)
def test_no_short_call_is_held_into_an_ex_date(day: date, blocked: bool) -> None:
    found, _ = weighed(CALL, dividends=(dividend(day), FAR))
    assert [finding.rule for finding in found if finding.blocks] == (["ex_dividend"] if blocked else [])


def test_a_short_put_does_not_mind_an_ex_date() -> None:
    assert weighed(PUT, dividends=(dividend(date(2025, 10, 10)),)) == ((), False)
    assert weighed(PUT, dividends=None) == ((), False)


def test_without_a_time_exit_the_call_is_held_to_the_last_exit() -> None:
    soon = builders.candidate("695", "700")
    now = datetime(2025, 11, 4, 15, 0, tzinfo=UTC)  # three days to expiration: out on Thursday 2025-11-06
    for day, blocked in ((date(2025, 11, 6), True), (date(2025, 11, 7), False)):
        found, _ = weighed(soon, now, dividends=(dividend(day), FAR))
        assert any(finding.blocks for finding in found) is blocked


@pytest.mark.parametrize(
    "known", [None, (), (dividend(date(2025, 9, 19)),)], ids=["no source", "an empty table", "a table that ended"]
)
def test_ex_dates_that_are_not_known_are_a_note_for_calls(known: Any) -> None:
    found, _ = weighed(CALL, dividends=known)
    assert [(finding.rule, finding.blocks) for finding in found] == [("ex_dividend", False)]


def test_a_table_that_reaches_beyond_the_exit_needs_no_note() -> None:
    assert weighed(CALL, dividends=(FAR,)) == ((), False)


# The session


def at(hour: int, minute: int, day: int = 6, month: int = 10) -> datetime:
    """UTC; New York is four hours behind in October, five from 2 November on."""
    return datetime(2025, month, day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "blocked"),
    [
        (at(13, 29), ["session"]),
        (at(13, 30), []),
        (at(19, 45), []),
        (at(19, 46), ["late_entry"]),
        (at(20, 0), ["session", "late_entry"]),
        (at(15, 0, day=4), ["session"]),
    ],
)
def test_entries_are_for_the_session_and_not_its_last_minutes(now: datetime, blocked: list[str]) -> None:
    found, _ = weighed(now=now)
    assert [finding.rule for finding in found if finding.blocks] == blocked


def test_an_early_close_brings_the_last_entry_forward() -> None:
    # The day after Thanksgiving closes at 13:00: the last entry is at 12:45.
    made = replace(builders.snapshot(), target=date(2025, 12, 26))
    for now, blocked in ((at(17, 45, 28, 11), []), (at(17, 46, 28, 11), ["late_entry"])):
        found, _ = conditions.check_conditions(made, PUT, SETTINGS, now)
        assert [finding.rule for finding in found if finding.blocks] == blocked


@pytest.mark.parametrize(("now", "blocked"), [(at(20, 15), []), (at(20, 16), ["session"]), (at(13, 29), ["session"])])
def test_a_recorded_market_has_the_option_session_and_no_last_entry(now: datetime, blocked: list[str]) -> None:
    found, _ = weighed(now=now, is_recorded=True)
    assert [finding.rule for finding in found if finding.blocks] == blocked


def test_a_holiday_is_named() -> None:
    found, _ = weighed(now=at(15, 0, day=27, month=11))
    assert "Thanksgiving" in found[0].message
