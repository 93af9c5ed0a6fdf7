"""What is told although no command has just done it: time that runs out, unknown orders, the loss and the week."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from spy32.domain.notices import NoticeKind
from spy32.lifecycle import OrderState, TradeState
from spy32.ops.reminders import queue_reminders
from spy32.settings import Settings
from spy32.store import Store
from tests.support import builders
from tests.support.builders import NOW, later
from tests.support.stores import approved, begun, filled, move_trade, opened, proposed, whole_run

CLOSE = datetime(2025, 10, 6, 20, 0, tzinfo=UTC)
"""Until when the proposals of the builders wait."""
FRIDAY = datetime(2025, 10, 10, 20, 15, tzinfo=UTC)
"""The end of option trading of their week."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with opened(tmp_path / "paper.db") as found:
        yield found


def queued(store: Store, now: datetime) -> list[NoticeKind]:
    return [text.kind for text in queue_reminders(store, Settings(), now)]


def test_a_proposal_that_nobody_decides_on_is_told_of_once_in_its_last_hour(store: Store) -> None:
    proposed(store)
    assert queued(store, CLOSE - timedelta(minutes=61)) == []
    assert queued(store, CLOSE - timedelta(minutes=59)) == [NoticeKind.LAPSING]
    assert queued(store, CLOSE - timedelta(minutes=44)) == []
    assert queued(store, CLOSE) == []


def test_what_has_lapsed_already_is_not_told_of(store: Store) -> None:
    proposed(store)
    assert queued(store, CLOSE + timedelta(minutes=1)) == []


def test_a_recorded_proposal_has_no_last_hour(store: Store) -> None:
    proposed(store, market="recorded")
    assert queued(store, CLOSE - timedelta(minutes=30)) == []


def test_an_approval_is_told_of_before_it_ends_also_when_its_proposal_was(store: Store) -> None:
    made = proposed(store, lapses_at=later(minutes=90))
    assert queued(store, later(minutes=40)) == [NoticeKind.LAPSING]
    _, approval = approved(store, made)
    assert queued(store, approval.until - timedelta(minutes=21)) == []
    assert queued(store, approval.until - timedelta(minutes=19)) == [NoticeKind.LAPSING]
    assert queued(store, approval.until - timedelta(minutes=4)) == []
    assert queued(store, approval.until) == []


def test_an_unknown_order_is_told_of_every_hour_until_it_is_settled(store: Store) -> None:
    made, approval = approved(store)
    order = store.orders.begin(builders.order(made, approval), at=later(minutes=6))
    assert queued(store, later(minutes=7)) == []
    store.orders.move(order.id, was=OrderState.SUBMITTING, now=OrderState.UNKNOWN, at=later(minutes=8))
    assert queued(store, later(minutes=9)) == [NoticeKind.UNKNOWN_ORDER]
    assert queued(store, later(minutes=60)) == []
    assert queued(store, later(minutes=69)) == [NoticeKind.UNKNOWN_ORDER]
    store.orders.move(order.id, was=OrderState.UNKNOWN, now=OrderState.CANCELLED, at=later(minutes=70))
    assert queued(store, later(minutes=140)) == []


def test_the_loss_of_a_week_is_told_of_once_it_has_reached_its_limit(store: Store) -> None:
    run = whole_run(store)
    account = builders.account(net_liquidation=Decimal(10_000))
    store.decisions.save_ruling(run.id, replace(builders.ruling(), account=account), NOW)
    _, trade = filled(store)
    move_trade(store, trade.id, now=TradeState.CLOSED, at=later(hours=2), result=Decimal("-299.00"))
    assert queued(store, later(hours=3)) == []
    _, other = filled(store, profile="other")
    move_trade(store, other.id, now=TradeState.CLOSED, at=later(hours=3), result=Decimal("-1.00"))
    assert queued(store, later(hours=3)) == [NoticeKind.LIMIT]
    assert queued(store, later(hours=4)) == []


def test_the_week_is_summed_up_once_after_its_last_session(store: Store) -> None:
    run = begun(store)
    filled(store)
    assert queued(store, FRIDAY - timedelta(minutes=1)) == []
    (text,) = queue_reminders(store, Settings(), FRIDAY)
    assert (text.kind, text.about) == (NoticeKind.WEEK, "week 2025-10-06")
    assert f"R{run.id} running" in text.body and "1 opened, 0 ended, 1 open" in text.short
    assert queued(store, FRIDAY + timedelta(hours=1)) == []


@pytest.mark.parametrize(
    ("after", "is_told"), [(timedelta(days=2, hours=23), True), (timedelta(days=3, hours=1), False)]
)
def test_a_summary_that_is_too_late_is_left_out(store: Store, after: timedelta, is_told: bool) -> None:
    assert (queued(store, FRIDAY + after) == [NoticeKind.WEEK]) is is_told


def test_a_home_that_began_after_the_week_sums_up_nothing(tmp_path: Path) -> None:
    saturday = FRIDAY + timedelta(hours=12)
    with opened(tmp_path / "new.db", at=saturday) as store:
        assert queued(store, saturday + timedelta(hours=1)) == []


def test_what_another_process_has_just_told_is_not_told_again(store: Store) -> None:
    proposed(store)
    now = CLOSE - timedelta(minutes=30)
    with opened(store.core.path) as other:
        assert queued(other, now) == [NoticeKind.LAPSING]
    assert queued(store, now) == []
    assert len(store.notices.select_pending(now)) == 1
