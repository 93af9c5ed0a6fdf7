"""`status`: what it sees, when a person must look, and when it keeps quiet."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from spy32.commands.status import print_brief
from spy32.domain.runs import Outcome, Trigger
from spy32.domain.spreads import Mode
from spy32.errors import AttentionRequired, StoreError
from spy32.lifecycle import OrderState, ProposalState, TradeState
from spy32.ops.logs import LogEntry, append_entry
from spy32.settings import Settings
from spy32.settings.knob import Secret
from spy32.settings.model import Schedule
from spy32.settings.services import Notify
from spy32.store import Store
from tests.support import builders as b
from tests.support import stores
from tests.support.reader import ReadingApp, ask, code
from tests.support.schemas import check
from tests.support.stores import move_trade

MONDAY = date(2025, 10, 6)
OPENS = b.NOW
CLOSES = b.later(hours=3)
BEFORE = b.later(days=-3)
TERMS = "sell 2 SPY 7 Nov 640/635 put spread for 0.58, max loss $895"
HOLIDAY = datetime(2025, 9, 1, 14, 0, tzinfo=UTC)
"""Labor Day, a Monday, 10:00 New York."""


@pytest.fixture
def store(tmp_path: Path) -> Any:
    """A home that was made on the Friday before."""
    with stores.opened(tmp_path / "paper.db", at=BEFORE) as opened:
        yield opened


def run(store: Store, outcome: Outcome | None, cause: str | None = None, **over: Any) -> int:
    """A run of Monday's slot."""
    base: dict[str, Any] = {
        "trigger": Trigger.CRON,
        "mode": Mode.PAPER,
        "profile": "default",
        "at": OPENS,
        "slot": MONDAY,
    }
    reasons = over.pop("reasons", ())
    begun = store.runs.begin(**{**base, **over})
    if outcome is not None:
        store.runs.finish(begun.id, outcome=outcome, cause=cause, reasons=reasons, at=begun.started_at)
    return begun.id


def desk(store: Store, **over: Any) -> ReadingApp:
    return ReadingApp(store.core.path.parent, **{"now": b.later(hours=4), **over})


def reasons(store: Store, **over: Any) -> list[str]:
    """What a monitor is told; code and document agree."""
    document = json.loads(_document(store, **over))
    found: list[str] = document["attention"]
    expected = 11 if document["unknown_orders"] else 20 if found else 0
    assert code(desk(store, **over), "status", "--check") == expected
    assert code(desk(store, **over), "status", "--check", "--json") == expected
    return found


def _document(store: Store, **over: Any) -> str:
    return ask(desk(store, **over), "status", "--json")


# When all is well.


def test_a_home_without_a_database_has_missed_nothing(tmp_path: Path) -> None:
    asked = ReadingApp(tmp_path)
    assert "last run: none yet" in ask(asked, "status")
    assert code(ReadingApp(tmp_path), "status", "--check") == 0
    check(json.loads(ask(ReadingApp(tmp_path), "status", "--json")))


def test_a_check_says_nothing_when_all_is_well(store: Store) -> None:
    run(store, Outcome.NO_TRADE, "abstained")
    assert ask(desk(store), "status", "--check") == ""


@pytest.mark.parametrize(
    ("outcome", "cause"),
    [
        (Outcome.NO_TRADE, "abstained"),
        (Outcome.NO_TRADE, "limits"),
        (Outcome.SKIPPED, "holiday"),
        (Outcome.SKIPPED, "closed"),
        (Outcome.SKIPPED, "paused"),
    ],
)
def test_a_finished_slot_needs_nobody(store: Store, outcome: Outcome, cause: str) -> None:
    run(store, outcome, cause)
    assert reasons(store) == []


def test_a_slot_before_the_home_was_made_is_none_of_its_business(tmp_path: Path) -> None:
    with stores.opened(tmp_path / "paper.db", at=b.later(minutes=1)) as store:
        assert reasons(store) == []


def test_an_exchange_holiday_needs_no_run(tmp_path: Path) -> None:
    with stores.opened(tmp_path / "paper.db", at=HOLIDAY - timedelta(days=3)) as store:
        assert reasons(store, now=HOLIDAY + timedelta(hours=6)) == []


def test_a_holiday_stands_for_the_slot_that_moves_since_a_later_setting(tmp_path: Path) -> None:
    with stores.opened(tmp_path / "paper.db", at=HOLIDAY - timedelta(days=3)) as store:
        tuesday = HOLIDAY + timedelta(days=1, hours=6)
        moved = Settings(schedule=Schedule(on_holiday="next_session"))
        assert "is missing" in reasons(store, now=tuesday, settings=moved)[0]
        run(store, Outcome.SKIPPED, "holiday", at=HOLIDAY, slot=HOLIDAY.date())
        assert reasons(store, now=tuesday, settings=moved) == []


def test_a_pause_needs_nobody_and_is_shown(store: Store) -> None:
    store.flags.record("paused", "away until \x1b[31mTuesday", b.later(days=-1))
    assert reasons(store) == []
    assert "paused: since Sun 2025-10-05 10:00 New York" in ask(desk(store), "status")
    assert "away until [31mTuesday" in ask(desk(store), "status")


def test_switched_off_automation_needs_nobody_and_is_shown(store: Store) -> None:
    asked = desk(store)
    asked.settings = replace(asked.settings, enable_automation=False)
    assert "automation: off" in ask(asked, "status")
    again = desk(store)
    again.settings = asked.settings
    assert code(again, "status", "--check") == 0


# The slot.


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [
        (4, []),
        (6, ["Monday's run of 2025-10-06 has not started yet"]),
        (179, ["Monday's run of 2025-10-06 has not started yet"]),
        (180, ["Monday's run of 2025-10-06 is missing: nothing was started in its window"]),
    ],
)
def test_a_slot_without_a_run_is_missing_once_it_is_late(store: Store, minutes: int, expected: list[str]) -> None:
    assert reasons(store, now=OPENS + timedelta(minutes=minutes)) == expected


def test_a_missed_slot_stays_until_the_next_one(store: Store) -> None:
    run(store, Outcome.SKIPPED, "missed", at=CLOSES)
    assert reasons(store, now=b.later(days=6)) == ["Monday's run of 2025-10-06 was missed (R1)"]


def test_a_failed_slot_says_why(store: Store) -> None:
    run(store, Outcome.FAILED, "data", reasons=("no quotes",))
    assert reasons(store) == ["Monday's run of 2025-10-06 failed (data) in R1: no quotes"]


def test_an_interrupted_slot_is_told(store: Store) -> None:
    run(store, Outcome.INTERRUPTED)
    assert reasons(store) == ["Monday's run of 2025-10-06 was interrupted in R1"]


def test_a_run_cut_off_without_a_word_is_told(store: Store) -> None:
    run(store, None)
    assert reasons(store) == ["Monday's run of 2025-10-06 was interrupted in R1"]


def test_a_second_try_that_finished_makes_good(store: Store) -> None:
    run(store, Outcome.FAILED, "data")
    run(store, Outcome.NO_TRADE, "abstained")
    assert reasons(store) == []


def test_a_later_run_by_hand_makes_a_failed_slot_good(store: Store) -> None:
    run(store, Outcome.FAILED, "data")
    run(store, Outcome.NO_TRADE, "abstained", slot=None, trigger=Trigger.MANUAL, at=b.later(hours=3, minutes=30))
    assert reasons(store) == []


def test_a_late_run_is_news_on_its_day(store: Store) -> None:
    run(store, Outcome.NO_TRADE, "abstained", late=True, at=b.later(minutes=45))
    assert reasons(store) == ["Monday's run of 2025-10-06 came late: R1 started at 10:45 New York"]
    assert "abstained), late, " in ask(desk(store), "status")
    assert reasons(store, now=b.later(days=1)) == []


def test_the_slot_of_another_profile_is_looked_at_once_it_was_served(store: Store) -> None:
    run(store, Outcome.NO_TRADE, "abstained", profile="spy45", slot=date(2025, 9, 29), at=b.later(days=-7))
    assert reasons(store)[0].startswith("Monday's run of 2025-10-06 (profile spy45) is missing")


def test_a_run_at_work_is_shown_and_needs_nobody(store: Store) -> None:
    number = run(store, None)
    store.runs.start_step(number, "consult", OPENS)
    over = {"held": ("analyze",), "now": b.later(minutes=3)}
    assert reasons(store, **over) == []
    assert "at work: R1, step consult, for 3 min" in ask(desk(store, **over), "status")
    assert json.loads(_document(store, **over))["running"]["step_running"] == "consult"


# What waits.


def test_an_unreviewed_proposal_waits_until_its_session_ends(store: Store) -> None:
    made = stores.proposed(store, run_id=run(store, Outcome.PROPOSED))
    assert reasons(store) == [f"P1 waits for review: {TERMS}, until 16:00 New York"]
    text = ask(desk(store), "status")
    waiting = f"waiting P1: P1 waits for review: {TERMS}, until 16:00 New York · Mon 2025-10-06 16:00 New York"
    assert waiting in text
    assert "2 h 00 min left\n" in text
    assert "next: spy32 approve P1\n" in text
    assert reasons(store, now=made.lapses_at) == []


def test_a_proposal_of_a_recorded_market_waits_without_an_end(store: Store) -> None:
    stores.proposed(store, run_id=run(store, Outcome.PROPOSED), market="recorded")
    assert reasons(store, now=b.later(days=2)) == [f"P1 waits for review: {TERMS}"]
    assert f"waiting P1: P1 waits for review: {TERMS}\n" in ask(desk(store), "status")


def test_an_approval_waits_for_its_order_until_it_is_over(store: Store) -> None:
    stores.approved(store, run_id=run(store, Outcome.PROPOSED))
    assert reasons(store, now=b.later(minutes=20)) == [f"P1 is approved and not sent: {TERMS}"]
    assert "next: spy32 execute P1\n" in ask(desk(store, now=b.later(minutes=20)), "status")
    assert reasons(store, now=b.later(minutes=65)) == [f"the approval of P1 is over: {TERMS}"]


def test_an_unknown_order_always_needs_a_person(store: Store) -> None:
    made, yes = stores.approved(store, run_id=run(store, Outcome.PROPOSED))
    order = store.orders.begin(b.order(made, yes), at=b.later(minutes=6))
    store.orders.move(order.id, was=OrderState.SUBMITTING, now=OrderState.UNKNOWN, at=b.later(minutes=7))
    found = reasons(store, held=("proposal-1",))
    assert found == [f"the outcome of order {order.reference} of P1 is unknown"]
    assert code(desk(store), "status", "--check") == 11
    assert "next: spy32 reconcile\n" in ask(desk(store), "status")


def test_an_order_being_sent_needs_nobody_while_its_process_lives(store: Store) -> None:
    made, yes = stores.approved(store, run_id=run(store, Outcome.PROPOSED))
    store.orders.begin(b.order(made, yes), at=b.later(minutes=6))
    assert reasons(store, held=("proposal-1",)) == []
    assert reasons(store) == ["order spy32-P1-1-1 of P1 was interrupted while it was being sent"]


def test_a_working_order_that_nobody_follows_is_told(store: Store) -> None:
    stores.sent(store, run_id=run(store, Outcome.PROPOSED))
    assert reasons(store, held=("proposal-1",)) == []
    assert reasons(store) == ["order spy32-P1-1-1 of P1 is working at the broker and no process is following it"]


def test_a_sent_proposal_whose_orders_have_ended_is_told_with_the_reason(store: Store) -> None:
    made, _, order = stores.sent(store, run_id=run(store, Outcome.PROPOSED))
    why = "uneven fill: one leg has 2, the other 1"
    store.orders.move(order.id, was=OrderState.WORKING, now=OrderState.CANCELLED, at=b.later(minutes=9), reason=why)
    assert reasons(store) == [f"P{made.id} has an order that needs a person: {why}"]
    assert "next: spy32 reconcile\n" in ask(desk(store), "status")


def test_a_filled_trade_needs_nobody_and_an_assigned_one_does(store: Store) -> None:
    _, trade = stores.filled(store, run_id=run(store, Outcome.PROPOSED))
    assert reasons(store) == []
    move_trade(store, trade.id, now=TradeState.ASSIGNED, at=b.later(hours=1))
    assert reasons(store) == ["T1 was assigned"]


def test_a_declined_proposal_needs_nobody(store: Store) -> None:
    made = stores.proposed(store, run_id=run(store, Outcome.PROPOSED))
    store.proposals.move(made.id, was=ProposalState.PROPOSED, now=ProposalState.DECLINED, at=b.later(minutes=3))
    assert reasons(store) == []


# Switches and damage.


def test_a_halt_needs_a_person_even_in_an_empty_home(store: Store, tmp_path: Path) -> None:
    run(store, Outcome.NO_TRADE, "abstained")
    for asked in (desk(store), ReadingApp(tmp_path / "empty")):
        asked.stop = "strange fills"
        with pytest.raises(AttentionRequired, match="halted: strange fills; `spy32 resume` lifts it"):
            ask(asked, "status", "--check")
        assert "halted: strange fills (nothing is sent in any mode)\n" in ask(asked, "status")


def test_every_reason_is_in_the_message_of_a_check(store: Store) -> None:
    stores.proposed(store, run_id=run(store, Outcome.PROPOSED, late=True, at=b.later(minutes=45)))
    with pytest.raises(AttentionRequired) as caught:
        ask(desk(store), "status", "--check")
    assert "came late" in caught.value.message
    assert "P1 waits for review" in caught.value.message
    assert "\n" not in caught.value.message


def test_a_damaged_store_is_trouble_for_a_reader_and_attention_for_a_monitor(store: Store) -> None:
    store.close()
    store.core.path.write_bytes(b"")
    with pytest.raises(StoreError):
        ask(desk(store), "status")
    with pytest.raises(AttentionRequired):
        ask(desk(store), "status", "--check")


# What it shows.


def test_it_shows_mode_home_last_run_and_next_slot(store: Store) -> None:
    run(store, Outcome.NO_TRADE, "abstained")
    text = ask(desk(store), "status")
    for line in (
        "nothing needs a person\n",
        "note: PAPER: simulated orders, no real money\n",
        "mode: paper, production\n",
        f"home: {store.core.path.parent}\n",
        "last run: R1 no trade (abstained), 4 h 00 min ago: Mon 2025-10-06 10:00 New York",
        "next slot: Mon 2025-10-13 10:00 New York",
    ):
        assert line in text


def test_the_next_slot_passes_over_a_holiday(tmp_path: Path) -> None:
    with stores.opened(tmp_path / "paper.db", at=HOLIDAY - timedelta(days=3)) as store:
        assert "next slot: Mon 2025-09-08 10:00 New York" in ask(desk(store, now=HOLIDAY - timedelta(days=2)), "status")


def test_recent_failures_are_listed(store: Store) -> None:
    run(store, Outcome.FAILED, "data", reasons=("no quotes",))
    run(store, Outcome.NO_TRADE, "abstained")
    text = ask(desk(store), "status")
    assert "failure R1: Mon 2025-10-06 10:00 New York failed (data): no quotes\n" in text


@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_a_terminal_of_any_width_shows_all_of_it(store: Store, width: int) -> None:
    stores.proposed(store, run_id=run(store, Outcome.PROPOSED))
    text = ask(desk(store, width=width), "status")
    assert max(map(len, text.splitlines())) <= width
    assert "spy32 approve P1" in text
    assert "…" not in text


Prepare = Callable[[Store], Any]


@pytest.mark.parametrize(
    "prepare",
    [
        lambda store: run(store, Outcome.FAILED, "data"),
        lambda store: stores.filled(store, run_id=run(store, Outcome.PROPOSED)),
        lambda store: stores.sent(store, run_id=run(store, Outcome.PROPOSED)),
        lambda store: store.flags.record("paused", "", b.NOW),
        lambda store: store.notices.add(b.notice_text(), b.NOW),
    ],
    ids=["failed", "filled", "working", "paused", "notice"],
)
def test_the_document_fits_its_schema(store: Store, prepare: Prepare) -> None:
    prepare(store)
    check(json.loads(_document(store)))


def test_what_must_be_looked_at_stays_until_it_is_acknowledged(store: Store) -> None:
    run(store, Outcome.NO_TRADE)
    store.attention.raise_item("T1", "below_floor", "T1 was filled below its floor", OPENS)
    assert reasons(store) == ["T1 was filled below its floor"]
    assert "spy32 status --ack T1" in ask(desk(store), "status")
    store.attention.acknowledge("T1", "anna", b.later(hours=3))
    assert reasons(store) == []


def test_open_trades_are_listed_in_words_with_the_day_on_which_they_are_taken_off(store: Store) -> None:
    made, trade = stores.filled(store, run_id=run(store, Outcome.PROPOSED))
    text = ask(desk(store), "status")
    assert "2 SPY 7 Nov 640/635 put spread" in text
    (one,) = json.loads(_document(store))["open_trades"]
    leave = made.exit.time_exit or made.exit.last_exit
    assert (one["id"], one["credit"], one["dte"]) == ("T1", str(trade.credit), 32)
    assert one["next_exit"] == str(leave)
    assert reasons(store) == []


# The dashboard.


def test_a_run_at_work_says_how_far_it_is(store: Store) -> None:
    number = run(store, None)
    store.runs.start_step(number, "authenticate", OPENS)
    store.runs.end_step(number, b.step("authenticate"), OPENS)
    store.runs.start_step(number, "collect", OPENS)
    text = ask(desk(store, held=("analyze",), now=b.later(minutes=3)), "status")
    assert "at work: R1, step collect, for 3 min, 1 of 7 steps done\n" in text


def test_the_next_slot_is_counted_down(store: Store) -> None:
    text = ask(desk(store, now=b.later(days=6, hours=22)), "status")
    assert "next slot: Mon 2025-10-13 10:00 New York" in text
    assert ", in 2 h 00 min\n" in text


def test_missed_slots_of_five_weeks_are_counted(store: Store) -> None:
    for weeks in (6, 2, 1):
        day = MONDAY - timedelta(weeks=weeks)
        run(store, Outcome.SKIPPED, "missed", slot=day, at=b.later(days=-7 * weeks, hours=3))
    run(store, Outcome.NO_TRADE, "abstained")
    assert "missed: 2 slots in five weeks, the last by R3 on 29 Sep\n" in ask(desk(store), "status")
    assert [row["id"] for row in json.loads(_document(store))["missed"]] == ["R3", "R2"]


def test_unknown_orders_are_named(store: Store) -> None:
    made, yes = stores.approved(store, run_id=run(store, Outcome.PROPOSED))
    order = store.orders.begin(b.order(made, yes), at=b.later(minutes=6))
    store.orders.move(order.id, was=OrderState.SUBMITTING, now=OrderState.UNKNOWN, at=b.later(minutes=7))
    assert f"unknown: {order.reference}\n" in ask(desk(store), "status")
    assert json.loads(_document(store))["unknown_orders"] == [order.reference]


def test_results_are_shown_from_the_first_trade_on(store: Store) -> None:
    assert json.loads(_document(store))["results"] is None
    _, trade = stores.filled(store, run_id=run(store, Outcome.PROPOSED))
    assert "results: +$0.00 unrealised (without T1) · realised +$0.00 this week" in ask(desk(store), "status")
    store.marks.add(b.mark(trade.id, unrealized=Decimal("7.48")))
    assert "results: +$7.48 unrealised · realised +$0.00 this week, +$0.00 this month\n" in ask(desk(store), "status")
    assert json.loads(_document(store))["results"]["unrealized"] == "7.48"


def test_the_model_costs_of_the_month_stand_beside_their_budget(store: Store) -> None:
    stores.asked(store, run(store, Outcome.NO_TRADE, "abstained"), stores.heard(cost_ticks=12_345_678_901))
    assert "model: $1.23 of $10.00 in 2025-10\n" in ask(desk(store), "status")
    spending = json.loads(_document(store))["model_spending"]
    assert spending == {"month": "2025-10", "spent": "1.2345678901", "budget": "10.00", "used_up": False}
    assert "model: $0.00 of $10.00 in 2025-11\n" in ask(desk(store, now=b.later(days=30)), "status")


def test_model_costs_that_cannot_be_read_need_a_person(store: Store) -> None:
    run(store, Outcome.NO_TRADE, "abstained")
    store.core.path.with_name("model-spending.txt").write_text("a good deal\n")
    (reason,) = reasons(store)
    assert reason.startswith("line 1 of ") and "is not a month" in reason
    assert json.loads(_document(store))["model_spending"] is None


@pytest.mark.parametrize("trades", [0, 1, 5])
def test_a_busy_desk_fits_80_columns_and_24_rows_with_the_prompt(store: Store, trades: int) -> None:
    for _ in range(trades):
        stores.filled(store, run_id=run(store, Outcome.PROPOSED, at=b.later(days=-2)))
    for _ in range(3):
        run(store, Outcome.FAILED, "data", reasons=("no quotes of the leg 640 for an hour, neither here nor there",))
    stores.proposed(store, run_id=run(store, Outcome.PROPOSED, at=b.later(minutes=45), late=True))
    store.flags.record("paused", "away", b.NOW)
    store.notices.add(b.notice_text(), b.NOW)
    lines = ask(desk(store, width=80), "status").splitlines()
    path = str(store.core.path.parent)
    rows = [line for line in lines if not line.startswith(" ") or line.strip() not in path]
    assert len(rows) <= 23  # the folder of a test is longer than a home
    assert max(map(len, lines)) <= 80
    assert sum(line.startswith("T") and "put spread" in line for line in lines) == trades
    assert lines[-1] == f"next: spy32 approve P{trades + 1}"


def log_entry(message: str, minutes: int) -> LogEntry:
    return LogEntry(
        ts=b.later(minutes=minutes), level="info", event="ended", mode="paper", command="analyze", pid=1, run=1,
        step=None, ms=149, code=0, message=message,
    )  # fmt: skip


def test_the_newest_entries_of_the_log_are_shown_while_the_height_allows(store: Store) -> None:
    run(store, Outcome.NO_TRADE, "abstained")
    folder = desk(store).locations.logs
    for number in range(5):
        append_entry(folder, log_entry(f"entry {number}", number))
    shown = ask(desk(store, width=80), "status")
    assert [number for number in range(5) if f"entry {number}" in shown] == [2, 3, 4]
    assert "entry 4" in ask(desk(store), "status")
    for _ in range(5):
        stores.filled(store, run_id=run(store, Outcome.PROPOSED, at=b.later(days=-2)))
    for _ in range(3):
        run(store, Outcome.FAILED, "data", reasons=("no quotes of the leg 640 for an hour, neither here nor there",))
    store.flags.record("paused", "away", b.NOW)
    console = (app := desk(store, width=80)).out
    assert isinstance(console, Console)
    console.height = 24
    lines = ask(app, "status").splitlines()
    assert len(lines) <= 23 and sum(line.startswith("T") and "put spread" in line for line in lines) == 5


@pytest.mark.parametrize("has_address", [True, False])
def test_a_notice_that_no_command_tried_to_send_is_told_of_where_there_is_an_address(
    store: Store, has_address: bool
) -> None:
    run(store, Outcome.NO_TRADE, "abstained")
    store.notices.add(b.notice_text(), b.NOW)
    app = desk(store, now=b.later(days=2))
    if has_address:
        app.settings = replace(app.settings, notify=Notify(addresses=(Secret("phone=ntfy://desk.example/topic"),)))
    text = ask(app, "status")
    assert ("N1 was given up after a day" in text) is has_address
    assert ("next: spy32 status --ack N1" in text) is has_address


# A bare call.


@pytest.mark.parametrize(
    ("prepare", "expected"),
    [
        (lambda _: None, ["show", "--help"]),
        (stores.proposed, ["approve P1", "show", "--help"]),
        (lambda store: store.flags.record("paused", "", b.NOW), ["resume", "show", "--help"]),
        (stores.filled, ["positions", "show", "--help"]),
    ],
    ids=["quiet", "proposed", "paused", "trade"],
)
def test_a_bare_call_names_the_commands_that_make_sense_now(
    store: Store, prepare: Prepare, expected: list[str]
) -> None:
    run(store, Outcome.NO_TRADE, "abstained")
    prepare(store)
    asked: Any = desk(store)
    print_brief(asked)
    asked.close()
    following = [line.removeprefix("next: spy32 ") for line in asked.said.splitlines() if line.startswith("next: ")]
    assert [line.partition(" (")[0] for line in following] == expected
