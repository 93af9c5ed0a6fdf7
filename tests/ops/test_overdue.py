"""What must not stay silent: trades past their exits, refusals that repeat, the first Monday of a home."""

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from spy32.domain.findings import Finding
from spy32.domain.runs import Outcome, Trigger
from spy32.domain.spreads import Mode
from spy32.lifecycle import TradeState
from spy32.ops.overdue import acknowledge
from spy32.ops.setup import load_setup_time, record_setup
from spy32.sessions import NEW_YORK
from spy32.settings.paths import locations
from spy32.store import Store
from tests.support import builders as b
from tests.support import stores
from tests.support.live_monday import LiveMonday, live_monday
from tests.support.reader import ReadingApp, ask, code
from tests.support.schemas import check
from tests.support.stores import move_trade


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with stores.opened(tmp_path / "paper.db", at=b.later(days=-3)) as opened:
        yield opened


def told(store: Store, now: datetime, letter: str = "T") -> list[str]:
    """The attention items about trades, or about runs; the check ends 20 for them."""
    desk = ReadingApp(store.core.path.parent, now=now)
    document = json.loads(ask(desk, "status", "--json"))
    check(document)
    found = [one for one in document["attention"] if one.startswith(letter) or f" {letter}" in one.split(" made ")[0]]
    if found:
        assert code(ReadingApp(store.core.path.parent, now=now), "status", "--check") == 20
    return found


def new_york(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=NEW_YORK).astimezone(UTC)


# Trades: the plan of the builders has its time exit on Fri 17 Oct, its last exit on Thu 6 Nov, and ends on Fri 7 Nov.

TIME_EXIT = "T1 is still open and was to be out by 2025-10-17, the time exit of its plan"
LAST_EXIT = "T1 is still open and was to be out by 2025-11-06, the last exit of its plan"
EXPIRED = "T1 is still open and expired on 2025-11-07"


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2025-10-16T23:59", []),
        ("2025-10-17T00:00", [TIME_EXIT]),
        ("2025-11-05T23:59", [TIME_EXIT]),
        ("2025-11-06T00:00", [LAST_EXIT]),
        ("2025-11-07T16:14", [LAST_EXIT]),
        ("2025-11-07T16:15", [EXPIRED]),
        ("2026-11-07T12:00", [EXPIRED]),
    ],
)
def test_a_trade_past_a_date_of_its_plan_needs_a_person(store: Store, now: str, expected: list[str]) -> None:
    stores.filled(store)
    assert told(store, new_york(now)) == expected


def test_a_trade_on_a_recorded_market_lives_by_its_own_time(store: Store) -> None:
    _, trade = stores.filled(store, market="recorded")
    later = new_york("2026-11-07T12:00")
    assert told(store, later) == []
    store.marks.add(b.mark(trade.id, at=new_york("2025-10-20T12:00")))
    assert told(store, later) == [TIME_EXIT]


def test_a_plan_without_a_time_exit_begins_with_its_last_exit(store: Store) -> None:
    stores.filled(store, exit=b.exit_plan(time_exit=None))
    assert told(store, new_york("2025-11-05T12:00")) == []
    assert told(store, new_york("2025-11-06T12:00")) == [LAST_EXIT]


@pytest.mark.parametrize("state", [TradeState.CLOSED, TradeState.EXPIRED])
def test_a_trade_that_is_over_is_past_nothing(store: Store, state: TradeState) -> None:
    _, trade = stores.filled(store)
    move_trade(store, trade.id, now=state, at=b.later(hours=1))
    assert told(store, new_york("2026-01-05T12:00")) == []


def test_an_exit_that_a_person_has_looked_at_is_told_again_only_when_the_next_one_passes(store: Store) -> None:
    stores.filled(store)
    looked = new_york("2025-10-20T12:00")
    assert acknowledge(store, "T1", "anna", looked) == 1
    assert told(store, looked) == told(store, new_york("2025-11-05T12:00")) == []
    assert told(store, new_york("2025-11-06T12:00")) == [LAST_EXIT]
    assert acknowledge(store, "T1", "anna", new_york("2025-11-06T12:00")) == 1
    assert told(store, new_york("2025-11-08T12:00")) == [EXPIRED]
    assert acknowledge(store, "T2", "anna", looked) == 0


# Runs without a trade.


def refused(store: Store, day: int, *rules: str, cause: str = "limits", recorded: bool = False) -> int:
    """A run that these rules refused, so many days after the first."""
    at = b.later(days=day)
    begun = store.runs.begin(
        trigger=Trigger.CRON, mode=Mode.PAPER, profile="default", at=at, slot=at.date(), is_recorded=recorded
    )
    if rules:
        findings = tuple(Finding(rule=rule, message=f"{rule} says no", figure="6", limit="5") for rule in rules)
        store.decisions.save_ruling(begun.id, b.ruling(findings=findings), at)
    store.runs.finish(
        begun.id, outcome=Outcome.NO_TRADE, cause=cause, reasons=tuple(f"{rule} says no" for rule in rules), at=at
    )
    return begun.id


def proposed(store: Store, day: int, outcome: Outcome = Outcome.PROPOSED) -> None:
    begun = stores.begun(store, at=b.later(days=day))
    store.runs.finish(begun.id, outcome=outcome, at=b.later(days=day))


REPEATED = "the last 3 runs to R3 made no trade for one reason, open_trades: open_trades says no"


def test_the_third_refusal_in_a_row_by_the_same_limit_needs_a_person(store: Store) -> None:
    for day in (0, 7, 14):
        assert told(store, b.later(days=day), "R") == []
        refused(store, day, "open_trades", *(("buying_power",) if day == 7 else ()))
    assert told(store, b.later(days=14, hours=1), "R") == [REPEATED]


def test_other_limits_a_proposal_and_failed_runs_between_them_are_told_apart(store: Store) -> None:
    refused(store, 0, "open_trades")
    refused(store, 1, "buying_power")
    refused(store, 2, "open_trades")
    assert told(store, b.later(days=2, hours=1), "R") == []
    proposed(store, 3, Outcome.FAILED)
    refused(store, 4, "open_trades")
    refused(store, 5, "open_trades")
    assert len(told(store, b.later(days=5, hours=1), "R")) == 1
    proposed(store, 6)
    assert told(store, b.later(days=6, hours=1), "R") == []


@pytest.mark.parametrize(
    ("cause", "needs_a_person"),
    [("empty_menu", True), ("account", True), ("broker", True), ("abstained", False), ("condition", False)],
)
def test_a_cause_that_no_rule_names_counts_unless_it_may_repeat(store: Store, cause: str, needs_a_person: bool) -> None:
    for day in (0, 7, 14):
        refused(store, day, cause=cause)
    assert bool(told(store, b.later(days=14, hours=1), "R")) is needs_a_person


def test_runs_on_recorded_markets_are_a_row_of_their_own(store: Store) -> None:
    for day in (0, 7, 14):
        refused(store, day, "open_trades")
        refused(store, day, "size", recorded=True)
    found = told(store, b.later(days=14, hours=1), "R")
    assert [one.rpartition(": ")[2] for one in found] == ["open_trades says no", "size says no"]


def test_a_row_of_refusals_that_a_person_has_looked_at_is_told_again_after_the_next_one(store: Store) -> None:
    for day in (0, 7, 14):
        refused(store, day, "open_trades")
    assert acknowledge(store, "R3", "anna", b.later(days=15)) == 1
    assert told(store, b.later(days=16), "R") == []
    refused(store, 21, "open_trades")
    assert "to R4" in told(store, b.later(days=22), "R")[0]


# The first Monday of a home.


@pytest.fixture
def monday(tmp_path: Path) -> Iterator[LiveMonday]:
    """A home that is not there yet."""
    with live_monday(tmp_path / "home") as made:
        yield made


FRIDAY, TUESDAY = "2025-08-22T18:00:00Z", "2025-08-26T12:00:00Z"
MISSING = "Monday's run of 2025-08-25 is missing: nothing was started in its window"


@pytest.mark.slow
@pytest.mark.parametrize("first", [("config", "init"), ("analyze", "--scheduled", "-q")], ids=" ".join)
def test_a_home_without_a_run_has_missed_the_first_monday_after_its_set_up(
    monday: LiveMonday, first: tuple[str, ...]
) -> None:
    assert monday.spy32(*first, SPY32_CLOCK=FRIDAY).returncode == 0
    assert monday.spy32("status", "--check", SPY32_CLOCK="2025-08-25T14:04:00Z").returncode == 0
    checked = monday.spy32("status", "--check", SPY32_CLOCK=TUESDAY)
    assert (checked.returncode, checked.stderr) == (20, f"spy32: {MISSING}\n")
    late = monday.spy32("analyze", "--scheduled", "-q", SPY32_CLOCK=TUESDAY)
    assert (late.returncode, "was missed: nothing was started" in late.stderr) == (0, True)
    (run,) = json.loads(monday.spy32("show", "--history", "--json").stdout)["runs"]
    assert (run["outcome"], run["cause"]) == ("skipped", "missed")


def test_a_home_set_up_after_the_slot_has_missed_nothing(monday: LiveMonday) -> None:
    monday.spy32("config", "init", SPY32_CLOCK="2025-08-25T14:01:00Z")
    assert monday.spy32("status", "--check", SPY32_CLOCK=TUESDAY).returncode == 0
    done = monday.spy32("analyze", "--scheduled", SPY32_CLOCK=TUESDAY)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not (monday.home / "paper.db").exists()


def test_a_mode_counts_from_its_own_set_up(tmp_path: Path) -> None:
    places = locations({}, str(tmp_path))
    record_setup(places, Mode.PAPER, b.NOW, is_pretended=True)
    record_setup(places, Mode.PAPER, b.later(days=30), is_pretended=True)
    assert (load_setup_time(places, Mode.PAPER), load_setup_time(places, Mode.SANDBOX)) == (b.NOW, None)


def test_settings_written_by_hand_set_a_home_up_until_a_database_speaks(tmp_path: Path) -> None:
    places = locations({}, str(tmp_path))
    assert load_setup_time(places, Mode.PAPER) is None
    places.config.write_text("")
    written = datetime.fromtimestamp(places.config.stat().st_ctime, UTC)
    os.utime(places.config, (0, 0))  # as a copy that brings its times along
    assert load_setup_time(places, Mode.PAPER) is not None
    found = load_setup_time(places, Mode.PAPER)
    assert found is not None and abs(found - written) < timedelta(minutes=1)
    record_setup(places, Mode.PAPER, written + timedelta(days=9), is_pretended=False)
    assert load_setup_time(places, Mode.PAPER) == found
    stores.opened(places.database(Mode.LIVE), mode=Mode.LIVE, account="5WX").close()
    assert load_setup_time(places, Mode.SANDBOX) is None


@pytest.mark.slow
def test_looking_sets_no_home_up(monday: LiveMonday) -> None:
    for words in (("status",), ("status", "--check"), ("show",), ("schedule", "show"), ("config", "show")):
        monday.spy32(*words)
    assert not monday.home.exists()
