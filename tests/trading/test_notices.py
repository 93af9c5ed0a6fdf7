"""Which notices an order, a fill and an exit leave in the outbox."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from spy32.domain.notices import Notice, NoticeKind
from spy32.domain.proposals import ExitReason
from spy32.errors import NotFilled
from spy32.trading.execute import execute
from tests.support.builders import TODAY
from tests.support.managed import ManagedDesk, managed_desk, opened, planned_desk
from tests.support.trading import TradingDesk

D = Decimal


@pytest.fixture
def managed(tmp_path: Path) -> Iterator[ManagedDesk]:
    made = managed_desk(tmp_path / "managed")
    yield made
    made.store.close()


def notices(desk: TradingDesk) -> list[Notice]:
    return list(reversed(desk.store.notices.select_newest(99)))


def kinds(desk: TradingDesk) -> list[NoticeKind]:
    return [notice.kind for notice in notices(desk)]


def test_a_fill_is_told_with_its_price_and_what_follows_from_it(desk: TradingDesk) -> None:
    number = desk.approved()
    execute(desk.trading_context, number, wait=False)
    assert notices(desk) == []
    desk.orders.fill("480001")
    execute(desk.trading_context, number)
    (notice,) = notices(desk)
    assert (notice.kind, notice.about) == (NoticeKind.FILLED, "T1")
    for words in ("sold 2 of 2", "at 0.58", "max loss", "out by 2025-11-06"):
        assert words in notice.short, words
    execute(desk.trading_context, number)
    assert len(notices(desk)) == 1


def test_an_order_without_a_fill_is_told_with_what_to_type(desk: TradingDesk) -> None:
    number = desk.approved()
    with pytest.raises(NotFilled):
        execute(desk.trading_context, number)
    (notice,) = notices(desk)
    assert notice.kind is NoticeKind.NOT_FILLED and f"spy32 approve P{number}" in notice.short


def test_an_exit_that_is_due_is_told_once_for_each_reason(managed: ManagedDesk) -> None:
    trade = opened(managed, profit_target=D("0.60"))
    managed.start()
    notice = notices(managed)[-1]
    assert notice.kind is NoticeKind.EXIT_DUE and notice.subject.startswith(
        f"[PAPER] T{trade.id} is due to close (target)"
    )
    close = managed.closes()[-1]
    assert f"spy32 approve P{close.id}" in notice.short
    managed.start()
    assert kinds(managed) == [NoticeKind.FILLED, NoticeKind.EXIT_DUE]


def test_a_close_that_fills_in_part_tells_of_the_rest(managed: ManagedDesk) -> None:
    opened(managed, quantity=2, last_exit=TODAY)
    close = managed.start().proposal
    assert close is not None
    managed.approve_close(close, "0.57")
    execute(managed.trading_context, close.id, wait=False)
    managed.orders.fill("480002", 1)
    managed.clock.at += timedelta(minutes=11)
    execute(managed.trading_context, close.id)
    notice = notices(managed)[-1]
    assert notice.kind is NoticeKind.NOT_FILLED and notice.about == f"P{close.id}"
    assert "T1: 1 of 2 closed at 0.57, 1 still open: spy32 close T1" in notice.short


def test_an_exit_that_the_plan_sends_asks_nobody(tmp_path: Path) -> None:
    managed = planned_desk(tmp_path / "planned")
    opened(managed, profit_target=D("0.60"))
    managed.start()
    assert [close.reason for close in managed.closes()] == [ExitReason.TARGET]
    assert NoticeKind.EXIT_DUE not in kinds(managed)
    managed.store.close()
