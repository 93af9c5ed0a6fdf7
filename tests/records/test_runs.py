"""A run as it goes, what it kept, and looking back at many."""

import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from operator import attrgetter
from pathlib import Path

import pytest

from spy32.domain.answer_role import AnswerRole
from spy32.domain.proposals import Decision
from spy32.domain.runs import Outcome, Run, StepState, Trigger
from spy32.domain.spreads import Mode
from spy32.errors import BadSettings, BadUsage, Refused, StoreError
from spy32.records import run_views
from spy32.settings import Settings
from spy32.settings.profiles import decision_settings
from spy32.store import Store
from tests.support import builders
from tests.support.builders import NOW, TODAY, later
from tests.support.stores import begun, closing, filled, opened, proposed, sent, whole_run


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with opened(tmp_path / "paper.db") as found:
        yield found


def finish(store: Store, run: Run, outcome: Outcome = Outcome.NO_TRADE, **over: object) -> Run:
    return store.runs.finish(run.id, outcome=outcome, at=later(5), **over)  # type: ignore[arg-type]


# Writing.


def test_a_run_is_a_row_before_its_first_step(store: Store) -> None:
    run = begun(store, slot=TODAY, late=True, trigger=Trigger.CRON)
    assert run == builders.run(slot=TODAY, late=True, trigger=Trigger.CRON)
    assert store.runs.get(run.id) == store.runs.latest() == run


def test_instants_are_kept_as_utc(store: Store) -> None:
    from zoneinfo import ZoneInfo

    run = begun(store, at=NOW.astimezone(ZoneInfo("Asia/Kolkata")))
    assert run.started_at == NOW
    assert run.started_at.utcoffset() == timedelta(0)


def test_the_running_step_is_known_until_it_ends(store: Store) -> None:
    run = begun(store)
    store.runs.start_step(run.id, "collect", NOW)
    assert store.runs.get(run.id).step_running == "collect"
    store.runs.end_step(run.id, builders.step(state=StepState.DEGRADED, detail="one source late"), later(1))
    assert store.runs.get(run.id).step_running is None
    assert store.runs.get(run.id).steps == (builders.step(state=StepState.DEGRADED, detail="one source late"),)


def test_a_run_ends_once(store: Store) -> None:
    run = begun(store)
    ended = finish(store, run, Outcome.FAILED, cause="data", reasons=("no chain", "no history"), exit_code=65)
    assert (ended.outcome, ended.cause, ended.reasons, ended.exit_code) == (
        Outcome.FAILED,
        "data",
        ("no chain", "no history"),
        65,
    )
    assert ended.ended_at == later(5)
    with pytest.raises(Refused, match=r"R1 has ended already: failed at 2025-10-06T14:00:05"):
        finish(store, run)
    with pytest.raises(Refused):
        store.runs.start_step(run.id, "screen", NOW)
    assert store.runs.get(run.id) == ended


def test_a_forced_run_names_the_one_that_it_repeats(store: Store) -> None:
    first = begun(store)
    assert begun(store, trigger=Trigger.FORCED, forced_from=first.id).forced_from == first.id
    with pytest.raises(BadUsage, match="R99"):
        begun(store, forced_from=99)


def test_a_skipped_slot_is_one_finished_row(store: Store) -> None:
    run = store.runs.begin(
        trigger=Trigger.CRON,
        mode=Mode.PAPER,
        profile="default",
        at=NOW,
        slot=TODAY,
        skipped=("holiday", ("Labor Day",)),
    )
    assert (run.outcome, run.cause, run.reasons, run.slot) == (Outcome.SKIPPED, "holiday", ("Labor Day",), TODAY)
    assert (
        store.runs.begin(
            trigger=Trigger.CRON, mode=Mode.PAPER, profile="default", at=NOW, slot=None, skipped=("paused", ())
        ).slot
        is None
    )


def test_a_run_of_another_mode_is_refused(store: Store) -> None:
    with pytest.raises(BadSettings, match="mode live"):
        begun(store, mode=Mode.LIVE)
    assert store.runs.latest() is None


def test_unfinished_runs_are_interrupted_and_finished_ones_left_alone(store: Store) -> None:
    done = finish(store, begun(store))
    during = begun(store)
    store.runs.start_step(during.id, "consult", NOW)
    between = begun(store)
    assert store.runs.interrupt_unfinished(later(60)) == (during.id, between.id)
    assert store.runs.get(during.id).outcome is store.runs.get(between.id).outcome is Outcome.INTERRUPTED
    assert "consult" in store.runs.get(during.id).reasons[0]
    assert store.runs.get(done.id) == done
    head = store.audit.head()
    assert store.runs.interrupt_unfinished(later(61)) == ()
    assert store.audit.head() == head


# What a run kept.


def test_everything_that_a_run_kept_comes_back_equal(store: Store) -> None:
    run = whole_run(store)
    assert store.decisions.snapshot(run.id) == builders.snapshot()
    assert store.decisions.quality(run.id) == builders.quality()
    assert store.decisions.menu(run.id) == builders.menu()
    assert store.decisions.answers(run.id) == (
        ("chosen", builders.recommendation()),
        ("shadow", builders.recommendation(analyst="rules", model=None)),
    )
    assert store.decisions.ruling(run.id) == builders.ruling()


def test_the_settings_that_decided_come_back_equal(store: Store) -> None:
    run, kept = begun(store), decision_settings(Settings(), "default")
    store.decisions.save_snapshot(
        run.id,
        snapshot=builders.snapshot(),
        quality=builders.quality(),
        line=builders.market_line(),
        at=NOW,
        deciding=kept,
    )
    assert store.decisions.settings(run.id) == kept


def test_words_are_kept_to_the_letter(store: Store) -> None:
    run = begun(store)
    asked, said = 'line\nwith "quotes" and é ✓', "```json\n{}\n``` \t"
    store.decisions.save_answer(
        run.id, builders.recommendation(), role=AnswerRole.AGAIN, at=NOW, request=asked, response=said
    )
    (words,) = store.decisions.raw_answers(run.id)
    assert (words.request, words.response, words.role, words.at) == (asked, said, AnswerRole.AGAIN, NOW)
    assert words.recommendation == builders.recommendation()


def test_a_run_that_saw_nothing_says_so(store: Store) -> None:
    run = begun(store)
    assert not store.decisions.has_snapshot(run.id)
    assert store.decisions.menu(run.id) is None
    assert store.decisions.ruling(run.id) is None
    assert store.decisions.answers(run.id) == ()
    for read in (store.decisions.snapshot, store.decisions.quality, store.decisions.settings):
        with pytest.raises(BadUsage, match="R1 ended before"):
            read(run.id)


@pytest.mark.parametrize(
    "read",
    [
        "runs.get", "history.view", "decisions.has_snapshot", "decisions.snapshot", "decisions.quality",
        "decisions.menu", "decisions.answers", "decisions.raw_answers", "decisions.ruling",
    ],
)  # fmt: skip
def test_an_unknown_run_is_2_with_a_hint(store: Store, read: str) -> None:
    with pytest.raises(BadUsage, match=r"there is no run R99; `spy32 show --history` lists them"):
        attrgetter(read)(store)(99)


def test_a_snapshot_is_kept_once(store: Store) -> None:
    run = whole_run(store)
    with pytest.raises(Refused, match="UNIQUE"):
        store.decisions.save_snapshot(run.id, builders.snapshot(), builders.quality(), builders.market_line(), NOW)


def test_a_person_may_choose_after_the_run_has_ended(store: Store) -> None:
    run = whole_run(store)
    finish(store, run)
    other = builders.recommendation(analyst="person", candidate_id=builders.menu().candidates[1].id)
    store.decisions.save_answer(run.id, other, role=AnswerRole.CHOSEN, at=later(60))
    store.decisions.save_ruling(run.id, builders.ruling(quantity=1), later(60))
    view = store.history.view(run.id)
    assert view.recommendation == other
    assert view.ruling == builders.ruling(quantity=1)


@pytest.mark.parametrize(
    ("table", "column", "value", "read"),
    [
        ("run", "ruling", '{"quantity": "many"}', lambda store: store.decisions.ruling(1)),
        ("snapshot", "data", b"not compressed", lambda store: store.decisions.snapshot(1)),
        ("snapshot", "line", "{}", lambda store: store.history.view(1)),
        ("menu", "dropped", b"\x78\x9c", lambda store: store.decisions.menu(1)),
        ("menu", "dropped", zlib.compress(b'[{"rule": 1}]'), lambda store: store.decisions.menu(1)),
        ("candidate", "body", "[", lambda store: store.decisions.menu(1)),
    ],
)
def test_a_row_that_was_spoilt_by_hand_is_74(
    store: Store, table: str, column: str, value: object, read: Callable[[Store], object]
) -> None:
    whole_run(store)
    store.core.db.execute(f"drop trigger if exists {table}_no_update")
    store.core.db.execute(f"update {table} set {column} = ?", (value,))
    with pytest.raises(StoreError, match="cannot be read"):
        read(store)


# Looking back.


def test_the_view_of_a_run_holds_all_that_came_of_it(store: Store) -> None:
    run = whole_run(store)
    made, yes, order = sent(store, proposed(store, run_id=run.id))
    trade = store.trades.record_fills(order.id, builders.fills(), fees=Decimal("4.52"), at=later(420))
    view = store.history.view(run.id)
    assert view.market == builders.market_line()
    assert view.quality == builders.quality()
    assert view.menu is not None
    assert view.menu.candidates == builders.menu().candidates
    assert view.menu.dropped == ()
    assert view.recommendation == builders.recommendation()
    assert view.shadows == (builders.recommendation(analyst="rules", model=None),)
    assert view.ruling == builders.ruling()
    assert view.proposal == store.proposals.get(made.id)
    assert view.approval == yes
    assert [seen.id for seen in view.orders] == [order.id]
    assert view.fills == builders.fills()
    assert view.trade == trade is not None
    assert store.history.view(run.id, rejected=True).menu == builders.menu()


def test_the_view_never_opens_the_compressed_chain(store: Store) -> None:
    run = whole_run(store)
    store.core.db.execute("drop trigger snapshot_no_update")
    store.core.db.execute("update snapshot set data = x'00'")
    assert store.history.view(run.id).market == builders.market_line()


def test_the_view_of_a_run_that_just_began_is_empty(store: Store) -> None:
    view = store.history.view(begun(store).id)
    assert (view.market, view.menu, view.recommendation, view.proposal, view.trade) == (None,) * 5


def test_history_is_newest_first_even_when_times_repeat(store: Store) -> None:
    for _ in range(25):
        begun(store)
    assert [row.id for row in store.history.summaries()] == list(range(25, 5, -1))
    assert [row.id for row in store.history.summaries(limit=2)] == [25, 24]


def test_history_tells_what_came_of_each_run(store: Store) -> None:
    finish(store, begun(store), Outcome.NO_TRADE, cause="limits", reasons=("too much at risk", "and more"))
    made, trade = filled(store)
    closing(store, trade)
    begun(store)
    running, traded, refused = store.history.summaries()
    assert (refused.outcome, refused.cause, refused.headline) == (Outcome.NO_TRADE, "limits", "too much at risk")
    assert (traded.proposal_id, traded.trade_id) == (made.id, trade.id)
    assert traded.headline == "SPY 640/635 put credit spread 0.58 x2 done"
    assert (running.outcome, running.proposal_id, running.headline) == (None, None, "")


def test_history_since_a_day_begins_at_midnight_in_new_york(store: Store) -> None:
    for at in (datetime(2025, 10, 6, 3, 59, tzinfo=UTC), datetime(2025, 10, 6, 4, 0, tzinfo=UTC), NOW):
        begun(store, at=at)
    assert [row.id for row in store.history.summaries(since=date(2025, 10, 6))] == [3, 2]
    assert [row.id for row in store.history.summaries(since=NOW)] == [3]
    assert [row.id for row in store.history.summaries(since=date(2025, 10, 6), limit=1)] == [3]
    assert store.history.summaries(since=date(2025, 10, 7)) == ()


def test_failures_are_the_failed_and_the_interrupted(store: Store) -> None:
    for outcome in (Outcome.FAILED, Outcome.NO_TRADE, Outcome.SKIPPED, Outcome.INTERRUPTED, Outcome.PROPOSED):
        finish(store, begun(store), outcome)
    assert [row.id for row in store.history.failures(10)] == [4, 1]
    assert [row.id for row in store.history.failures(1)] == [4]


def test_runs_of_a_slot_are_found_oldest_first(store: Store) -> None:
    first, second = begun(store, slot=TODAY), begun(store, slot=TODAY)
    begun(store, slot=TODAY, profile="other")
    begun(store, slot=TODAY + timedelta(days=7))
    begun(store)
    assert store.runs.select_by_slot("default", TODAY) == (first, second)


def test_there_is_no_latest_run_in_a_new_store(store: Store) -> None:
    assert store.runs.latest() is None
    assert store.history.summaries() == ()


@pytest.mark.parametrize(
    ("sql", "values"),
    [
        (run_views.NEWEST_RUNS, (20,)),
        (run_views.RUNS_SINCE, ("2025", 20)),
        (run_views.FAILED_RUNS, (20,)),
        ("select id from run order by id desc limit 1", ()),
        ("select id from run where profile = ? and slot = ? order by id", ("default", "2025-10-06")),
        ("select id, step_running from run where outcome is null order by id", ()),
        ("select line, quality from snapshot where run_id = ?", (1,)),
        ("select * from notice where sent_at is null and created_at >= ? order by id", ("2025",)),
        ("select * from notice where about = ? and kind = ? order by id desc limit 1", ("P1", "proposed")),
        ("select label from delivery where notice_id = ?", (1,)),
        ("select * from broker_order where state in (?, ?) order by id", ("submitting", "unknown")),
        ("select * from trade where state in (?, ?) order by id", ("open", "closing")),
        ("select sum(result_e4) from trade where closed_day between ? and ?", ("2025", "2026")),
        ("select hash from event order by id desc limit 1", ()),
    ],
)
def test_no_query_of_every_day_reads_a_whole_table(store: Store, sql: str, values: tuple[object, ...]) -> None:
    plan = [row["detail"] for row in store.core.db.execute(f"explain query plan {sql}", values)]
    newest_first = {"SCAN run", "SCAN event"} if "limit" in sql else set()  # in the order of ids, stopped by the limit
    scans = [
        step for step in plan if step.startswith("SCAN") and step not in newest_first and "USING INDEX" not in step
    ]
    assert scans == []
    sorted_by = [step for step in plan if "TEMP B-TREE" in step]
    assert not sorted_by or "in (" in sql


def test_an_abstention_is_kept_as_one(store: Store) -> None:
    run = begun(store)
    store.decisions.save_answer(
        run.id, builders.recommendation(decision=Decision.ABSTAIN), role=AnswerRole.CHOSEN, at=NOW
    )
    view = store.history.view(run.id)
    assert view.recommendation is not None
    assert view.recommendation.candidate_id is None
