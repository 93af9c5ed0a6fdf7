"""What a start of `analyze` makes of a slot: a run, a row that says why there is none, or nothing."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from spy32.domain.notices import EventClass, NoticeKind
from spy32.domain.runs import Outcome, Run, Trigger
from spy32.domain.spreads import Mode
from spy32.errors import BadSettings, ExitCode, Spy32Error, Unavailable
from spy32.pipeline.context import RunContext
from spy32.pipeline.sources import Sources
from spy32.pipeline.start import MAX_MISSED_SLOTS, StartContext, StartRequest, StartResult, start_run
from spy32.rules.schedule import RUN_LOCK
from spy32.settings.knob import Secret
from spy32.settings.services import Ping
from spy32.store import Store
from tests.support import builders
from tests.support.fakes import FakeLocks, FakeMarket
from tests.support.pipeline_run import Monday

SETTING_UP = builders.NOW - timedelta(days=1)
"""The Sunday before the Monday of the fakes, whose slot opens at `builders.NOW`."""
WEEK = timedelta(weeks=1)


@dataclass
class Home:
    """A home on which a start works; everything but its store is fake."""

    monday: Monday
    locks: FakeLocks = field(default_factory=FakeLocks)
    has_database: bool = True
    is_recorded: bool = False
    is_open: bool = False
    problem: Spy32Error | None = None
    """Why there are no sources."""
    warnings: list[str] = field(default_factory=list)
    started: list[str] = field(default_factory=list)
    """The `rid` of each start that was pinged."""

    def start(self, **request: bool) -> StartResult:
        context = StartContext(
            open_store=self._open_store,
            has_database=self.has_database,
            locks=self.locks,
            settings=self.monday.settings,
            set_up_at=lambda: SETTING_UP,
            clock=self.monday.clock,
            settle_ended=lambda store, sources: None,
            load_sources=self._load_sources,
            is_recorded=self.is_recorded,
            build_run_context=self._build_run_context,
            warn=self.warnings.append,
            ping_start=self.started.append,
        )
        return start_run(StartRequest(**request), context)

    def start_scheduled(self, at: datetime) -> StartResult:
        self.monday.clock.at = at
        return self.start(is_scheduled=True)

    def runs(self) -> list[Run]:
        """Every run of the store, oldest first."""
        latest = self.monday.store.runs.latest()
        return [self.monday.store.runs.get(number) for number in range(1, (latest.id if latest else 0) + 1)]

    def _open_store(self) -> Store:
        self.is_open = True
        return self.monday.store

    def _load_sources(self) -> Sources:
        if self.problem is not None:
            raise self.problem
        market = self.monday.market
        return Sources(chain=(market,), checks=(market,), history=(market,), vix=(market,), rate=(market,))

    def _build_run_context(self, store: Store, sources: Sources, run: Run) -> RunContext:
        return self.monday.run_context(run)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    store = Store.open(tmp_path / "paper.db", mode=Mode.PAPER, account=builders.ACCOUNT, at=SETTING_UP)
    yield Home(Monday(store=store))
    store.close()


def test_cron_gets_the_run_of_the_slot_and_a_later_start_is_told_of_it(home: Home) -> None:
    first = home.start(is_scheduled=True)
    assert first.run is not None and first.is_new and first.message is None
    assert (first.run.outcome, first.run.trigger) == (Outcome.PROPOSED, Trigger.CRON)
    assert first.run.slot == builders.TODAY
    again = home.start_scheduled(builders.NOW + timedelta(minutes=15))
    assert again.run == first.run and not again.is_new
    assert again.message is not None and "is already there: R1 (proposed)" in again.message
    assert home.warnings == [] and len(home.runs()) == 1


def test_outside_the_window_a_scheduled_start_does_and_says_nothing(home: Home) -> None:
    assert home.start_scheduled(builders.NOW - timedelta(minutes=15)) == StartResult()
    assert home.runs() == []


def test_a_new_home_with_nothing_due_is_not_even_opened(home: Home) -> None:
    home.has_database = False
    home.locks.busy.add(RUN_LOCK)
    assert home.start_scheduled(builders.NOW - timedelta(minutes=15)) == StartResult()
    assert not home.is_open


@pytest.mark.parametrize("after", [timedelta(0), timedelta(hours=8)], ids=["inside", "missed"])
def test_a_new_home_is_opened_for_a_slot_that_it_has_to_account_for(home: Home, after: timedelta) -> None:
    home.has_database = False
    result = home.start_scheduled(builders.NOW + after)
    assert home.is_open and result.run is not None and result.is_new


def test_each_slot_since_the_setting_up_gets_a_row_oldest_first(home: Home) -> None:
    result = home.start_scheduled(builders.NOW + 3 * WEEK)
    assert result.run is not None and result.run.slot == builders.TODAY + 3 * WEEK
    assert result.run.steps
    assert [(run.outcome, run.cause, run.slot) for run in home.runs()[:3]] == [
        (Outcome.SKIPPED, "missed", builders.TODAY + week * WEEK) for week in range(3)
    ]
    assert [run.reasons[0] for run in home.runs()[:3]] == home.warnings
    assert {run.trigger for run in home.runs()} == {Trigger.CRON}


def test_a_holiday_that_has_its_row_is_not_told_again_once_slots_move(home: Home) -> None:
    tuesday = datetime(2026, 1, 20, 20, tzinfo=UTC)
    home.start_scheduled(tuesday - timedelta(days=1))
    rows = home.runs()
    assert (rows[-1].cause, rows[-1].slot) == ("holiday", tuesday.date() - timedelta(days=1))
    schedule = replace(home.monday.settings.schedule, on_holiday="next_session")
    home.monday.settings = replace(home.monday.settings, schedule=schedule)
    assert home.start_scheduled(tuesday) == StartResult()
    assert home.runs() == rows


@pytest.mark.parametrize("problem", [None, Unavailable("the source is down")], ids=["finished", "failed"])
def test_the_slots_up_to_one_with_a_run_are_accounted_for_already(home: Home, problem: Spy32Error | None) -> None:
    home.problem = problem
    home.start_scheduled(builders.NOW)
    home.problem = None
    home.start_scheduled(builders.NOW + 2 * WEEK)
    assert [run.slot for run in home.runs()] == [builders.TODAY + week * WEEK for week in range(3)]
    assert home.runs()[1].outcome is Outcome.SKIPPED


def test_one_start_accounts_for_so_many_slots_and_no_more(home: Home) -> None:
    home.start_scheduled(builders.NOW + (MAX_MISSED_SLOTS + 5) * WEEK)
    assert len(home.runs()) == MAX_MISSED_SLOTS + 1


def test_a_slot_that_has_passed_gets_its_row_and_its_warning_once(home: Home) -> None:
    late = builders.NOW + timedelta(hours=8)
    missed = home.start_scheduled(late)
    assert missed.run is not None and missed.is_new
    assert (missed.run.outcome, missed.run.cause) == (Outcome.SKIPPED, "missed")
    assert home.warnings == [missed.run.reasons[0]]
    assert home.start_scheduled(late) == StartResult()


def test_a_start_by_hand_leaves_older_slots_alone(home: Home) -> None:
    home.monday.clock.at = builders.NOW + 3 * WEEK
    home.start()
    assert [run.trigger for run in home.runs()] == [Trigger.MANUAL]


def test_a_start_by_hand_on_a_closed_day_is_skipped_without_a_slot(home: Home) -> None:
    home.monday.clock.at = datetime(2025, 10, 11, 15, tzinfo=UTC)
    result = home.start()
    assert result.run is not None and (result.run.outcome, result.run.cause) == (Outcome.SKIPPED, "closed")
    assert result.run.slot is None and home.warnings == list(result.run.reasons)


def test_a_recorded_market_is_tried_on_a_closed_day_too(home: Home) -> None:
    home.is_recorded, home.monday.market = True, FakeMarket(is_recorded=True)
    home.monday.clock.at = datetime(2025, 10, 11, 15, tzinfo=UTC)
    result = home.start()
    assert result.run is not None and result.run.outcome is not Outcome.SKIPPED
    assert result.run.slot is None and result.run.is_recorded


def test_force_makes_a_new_run_that_is_linked_to_the_finished_one(home: Home) -> None:
    home.start(is_scheduled=True)
    result = home.start(is_forced=True)
    assert result.run is not None and result.is_new
    assert (result.run.id, result.run.trigger, result.run.forced_from) == (2, Trigger.FORCED, 1)


def test_force_repeats_a_run_that_has_no_slot_as_well(home: Home) -> None:
    home.is_recorded, home.monday.market = True, FakeMarket(is_recorded=True)
    home.start()
    result = home.start(is_forced=True)
    assert result.run is not None and (result.run.slot, result.run.forced_from) == (None, 1)


@pytest.mark.parametrize("is_scheduled", [True, False], ids=["cron", "by hand"])
@pytest.mark.parametrize(
    ("problem", "cause", "code"),
    [
        (BadSettings("no token"), "settings", ExitCode.BAD_SETTINGS),
        (Unavailable("the source is down"), "data", ExitCode.UNAVAILABLE),
    ],
    ids=["settings", "data"],
)
def test_sources_that_cannot_be_had_leave_a_failed_run(
    home: Home, problem: Spy32Error, cause: str, code: ExitCode, is_scheduled: bool
) -> None:
    home.problem = problem
    result = home.start(is_scheduled=is_scheduled)
    assert result.run is not None and result.is_new
    assert (result.run.outcome, result.run.cause, result.run.exit_code) == (Outcome.FAILED, cause, code)
    assert result.run.reasons == (problem.message,)


def test_an_unfinished_run_is_closed_before_the_next_one_starts(home: Home) -> None:
    home.monday.run_context()
    home.start(is_scheduled=True)
    assert [run.outcome for run in home.runs()] == [Outcome.INTERRUPTED, Outcome.PROPOSED]


def test_two_starts_at_once_make_one_run(home: Home) -> None:
    home.locks.busy.add(RUN_LOCK)
    with pytest.raises(Unavailable, match="analyze is held"):
        home.start(is_scheduled=True)
    assert not home.is_open and home.runs() == []


def told(home: Home) -> list[tuple[NoticeKind, int | None]]:
    """Kind and run of every notice, oldest first."""
    return [(notice.kind, notice.run_id) for notice in reversed(home.monday.store.notices.select_newest(99))]


@pytest.mark.parametrize("weeks", [1, 2, 45])
def test_the_slots_of_a_long_downtime_are_told_of_in_one_notice_and_one_ping(home: Home, weeks: int) -> None:
    home.monday.settings = replace(home.monday.settings, ping=Ping(url=Secret("https://monitor.example/5f0c")))
    home.start_scheduled(builders.NOW + weeks * WEEK)
    lost = [(kind, run) for kind, run in told(home) if run is not None and run <= weeks]
    assert lost == [(NoticeKind.MISSED, weeks), (NoticeKind.PING_FAIL, weeks)]
    missed = sum(run.cause == "missed" for run in home.runs())
    subject = home.monday.store.notices.get(1).subject
    assert subject.endswith("the weekly run was missed" if missed == 1 else f"{missed} weekly runs were missed")


def test_the_present_slot_is_among_those_that_were_missed(home: Home) -> None:
    home.start_scheduled(builders.NOW + 2 * WEEK + timedelta(hours=8))
    assert told(home) == [(NoticeKind.MISSED, 3)]


def test_a_run_that_found_no_market_and_one_that_was_cut_off_are_told_of(home: Home) -> None:
    home.problem = Unavailable("the source is down")
    home.start()
    home.monday.store.runs.begin(trigger=Trigger.CRON, mode=Mode.PAPER, profile="default", at=builders.NOW)
    home.problem = None
    home.start()
    assert told(home) == [(NoticeKind.FAILED, 1), (NoticeKind.FAILED, 2), (NoticeKind.PROPOSED, 3)]


def test_a_holiday_tells_nobody(home: Home) -> None:
    home.start_scheduled(datetime(2025, 9, 1, 14, 30, tzinfo=UTC))
    assert told(home) == []


@pytest.mark.parametrize(
    ("at", "problem", "expected"),
    [
        (builders.NOW, None, ["start", NoticeKind.PING_OK]),
        (builders.NOW, Unavailable("the source is down"), ["start"]),
        (builders.NOW + timedelta(hours=8), None, [NoticeKind.PING_FAIL]),
        (builders.NOW - timedelta(minutes=15), None, []),
    ],
    ids=["finished", "failed, may be repeated", "lost", "nothing to do"],
)
def test_only_a_slot_that_begins_is_finished_or_lost_is_pinged(
    home: Home, at: datetime, problem: Spy32Error | None, expected: list[str]
) -> None:
    home.monday.settings = replace(home.monday.settings, ping=Ping(url=Secret("https://monitor.example/5f0c")))
    home.problem = problem
    home.start_scheduled(at)
    pings = [notice for notice in home.monday.store.notices.select_newest(99) if notice.event_class is EventClass.PING]
    assert ["start"] * len(home.started) + [notice.kind for notice in pings] == expected
    if home.started and pings:
        assert home.started == [pings[0].about]


def test_a_run_that_fails_on_its_way_pings_no_end(home: Home) -> None:
    home.monday.settings = replace(home.monday.settings, ping=Ping(url=Secret("https://monitor.example/5f0c")))
    home.monday.market.trouble = Unavailable("the source is down")
    home.start_scheduled(builders.NOW)
    assert len(home.started) == 1 and told(home) == [(NoticeKind.FAILED, 1)]


def test_a_start_by_hand_outside_the_slot_pings_nobody(home: Home) -> None:
    home.monday.settings = replace(home.monday.settings, ping=Ping(url=Secret("https://monitor.example/5f0c")))
    home.monday.clock.at = builders.NOW + timedelta(hours=5)
    home.start()
    assert home.started == [] and NoticeKind.PING_OK not in [kind for kind, _ in told(home)]
