"""What a person starts by hand on a Monday leaves the schedule its slot: the real program against local servers."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.servers import web
from tests.support.live_monday import LiveMonday, live_monday

pytestmark = pytest.mark.slow

RULES = ("--analyst", "rules")
SCHEDULED = ("analyze", "--scheduled", *RULES)
"""What cron starts."""


@pytest.fixture
def monday(tmp_path: Path) -> Iterator[LiveMonday]:
    with live_monday(tmp_path / "home") as made:
        yield made


def runs(monday: LiveMonday) -> list[dict[str, Any]]:
    """The runs of the home, oldest first."""
    found: list[dict[str, Any]] = json.loads(monday.spy32("show", "--history", "--json").stdout)["runs"]
    return found[::-1]


def outcomes(monday: LiveMonday) -> list[str]:
    return [run["outcome"] for run in runs(monday)]


def test_mistyped_starts_leave_the_schedule_its_tries(monday: LiveMonday) -> None:
    for _ in range(3):
        assert monday.spy32("analyze", "--market", "recorded:/nowhere.csv", *RULES).returncode == 65
    assert monday.spy32(*SCHEDULED).returncode == 0
    assert outcomes(monday) == ["failed", "failed", "failed", "proposed"]


def test_starts_by_hand_that_fail_leave_the_schedule_its_tries(monday: LiveMonday) -> None:
    monday.cboe.always["/options/"] = web.status(503, "busy")
    monday.yahoo.always["/options/"] = web.status(503, "busy")
    for _ in range(3):
        assert monday.spy32("analyze", *RULES, SPY32_MARKET_SOURCE_SECONDS="2").returncode in (65, 75)
    monday.cboe.always.clear()
    monday.yahoo.always.clear()
    assert monday.spy32(*SCHEDULED).returncode == 0
    assert outcomes(monday) == ["failed", "failed", "failed", "proposed"]


@pytest.mark.parametrize(
    "words", [("--market", "recorded"), ("--scheduled", "--market", "recorded"), ("--market", "yahoo")], ids=" ".join
)
def test_a_run_on_another_market_is_not_the_run_of_the_slot(monday: LiveMonday, words: tuple[str, ...]) -> None:
    assert monday.spy32("analyze", *words, *RULES).returncode == 0
    assert monday.spy32(*SCHEDULED).returncode == 0
    assert outcomes(monday) == ["proposed", "proposed"]
    again = monday.spy32(*SCHEDULED)
    assert "R2 (proposed)" in again.stderr


def test_the_source_that_is_asked_first_is_the_market_of_the_slot(monday: LiveMonday) -> None:
    """Without a log-in at tastytrade that is Cboe, named or not; the analyst makes no difference."""
    assert monday.spy32("analyze", "--market", "cboe", *RULES).returncode == 0
    assert "R1 (proposed)" in monday.spy32(*SCHEDULED).stderr
    assert "R1 (proposed)" in monday.spy32("analyze").stderr
    assert outcomes(monday) == ["proposed"]


def test_a_proposal_on_a_recorded_market_lapses_none_of_the_live_one(monday: LiveMonday) -> None:
    monday.spy32(*SCHEDULED)
    monday.spy32("analyze", "--market", "recorded", *RULES)
    monday.spy32("analyze", "--market", "recorded", *RULES)
    states = [json.loads(monday.spy32("show", f"P{n}", "--json").stdout)["proposal"]["state"] for n in (1, 2, 3)]
    assert states == ["proposed", "lapsed", "proposed"]


def test_a_rehearsal_makes_no_missed_slot_good(monday: LiveMonday) -> None:
    """Its quotes are of Friday, after the Monday on which nothing was started."""
    for word in ("pause", "resume"):
        assert monday.spy32(word, SPY32_CLOCK="2025-08-25T13:00:00Z").returncode == 0
    monday.spy32("analyze", "--market", "recorded", *RULES)
    checked = monday.spy32("status", "--check", SPY32_CLOCK="2025-08-29T21:00:00Z")
    assert checked.returncode == 20
    assert "Monday's run of 2025-08-25 is missing" in checked.stderr
