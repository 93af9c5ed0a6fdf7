"""The weekly loss of our book: what was realised, and what the marks of open trades say."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from spy32.domain.exposure import Exposure
from spy32.domain.marks import MarkFlag
from spy32.domain.orders import Trade
from spy32.lifecycle import TradeState
from spy32.rules import limits
from spy32.settings import Settings
from spy32.store import Store
from tests.support import builders
from tests.support.builders import fills, later
from tests.support.stores import closing, filled, move_trade, opened

D = Decimal
MONDAY = builders.TODAY
NEXT_MONDAY = date(2025, 10, 13)
BACK = tuple(replace(leg, action=leg.action.closing) for leg in builders.spread().legs)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with opened(tmp_path / "paper.db", opening_cash=D(100_000)) as found:
        yield found


def marked(store: Store, trade: Trade, unrealized: str, *, days: float, **over: object) -> None:
    made = builders.mark(trade.id, at=later(days=days), unrealized=D(unrealized), **over)
    store.marks.add(made)


def exposure(store: Store, week_start: date = NEXT_MONDAY, today: date = date(2025, 10, 15)) -> Exposure:
    return store.risk.exposure(run_id=None, today=today, week_start=week_start)


def test_of_a_trade_opened_this_week_the_whole_mark_counts(store: Store) -> None:
    _, trade = filled(store)
    marked(store, trade, "-150.00", days=1)
    found = exposure(store, MONDAY, date(2025, 10, 8))
    assert (found.week_loss, found.week_unrealized) == (D("150.00"), D("-150.00"))


def test_of_an_older_trade_the_change_since_the_last_usable_mark_before_monday_counts(store: Store) -> None:
    _, trade = filled(store)
    marked(store, trade, "-20.00", days=1)
    marked(store, trade, "-50.00", days=4)
    marked(store, trade, "-900.00", days=6, flags=(MarkFlag.STALE,))
    assert exposure(store) == replace(exposure(store), week_loss=D(0), week_unrealized=D(0))
    marked(store, trade, "-170.00", days=8)
    marked(store, trade, "-999.00", days=9, flags=(MarkFlag.ONE_SIDED,))
    found = exposure(store)
    assert (found.week_loss, found.week_unrealized) == (D("120.00"), D("-120.00"))


def test_the_night_to_monday_in_new_york_parts_the_weeks(store: Store) -> None:
    _, trade = filled(store)
    # Monday 10:00 and 13 hours 59 minutes less six days: Sunday 23:59, and a minute later
    store.marks.add(builders.mark(trade.id, at=later(days=7, minutes=-601), unrealized=D(-50)))
    store.marks.add(builders.mark(trade.id, at=later(days=7, minutes=-600), unrealized=D(-60)))
    assert exposure(store).week_unrealized == D(-10)


def test_a_gain_of_open_trades_counts_against_what_was_realised(store: Store) -> None:
    _, lost = filled(store)
    move_trade(store, lost.id, now=TradeState.CLOSED, at=later(days=8), result=D("-500.00"))
    _, held = filled(store)
    marked(store, held, "0.00", days=4)
    marked(store, held, "120.00", days=8)
    found = exposure(store)
    assert (found.week_loss, found.week_unrealized) == (D("380.00"), D("120.00"))
    marked(store, held, "900.00", days=9)
    assert exposure(store).week_loss == 0


def test_a_part_closed_this_week_is_realised_and_the_rest_is_marked(store: Store) -> None:
    _, trade = filled(store)
    marked(store, trade, "-40.00", days=4)
    _, order = closing(store, trade)
    at = later(days=8)
    store.trades.record_fills(order.id, fills(BACK, 1, ("3.00", "2.00"), at=at), fees=D("0.26"), at=at)
    # realised (116.00 - 4.52) / 2 - 100.00 - 0.26; of the mark of -40.00 half is still held
    assert (exposure(store).week_loss, exposure(store).week_unrealized) == (D("44.52"), 0)
    marked(store, trade, "-50.00", days=9, quantity=1)
    assert (exposure(store).week_loss, exposure(store).week_unrealized) == (D("74.52"), D("-30.00"))


def test_what_was_closed_in_part_before_the_week_does_not_count_in_it(store: Store) -> None:
    _, trade = filled(store)
    _, order = closing(store, trade)
    store.trades.record_fills(order.id, fills(BACK, 1, ("3.00", "2.00")), fees=D("0.26"), at=later(900))
    rest = fills(BACK, 1, ("2.00", "1.00"), prefix="G", at=later(days=8))
    known = store.orders.fills(order.id)
    store.trades.record_fills(order.id, known + rest, fees=D("0.52"), at=later(days=8))
    assert store.trades.get(trade.id).result == D("-89.04")
    assert exposure(store).week_loss == D("44.52")


def test_a_loss_that_is_only_marked_blocks_an_entry_and_both_parts_are_named(store: Store) -> None:
    _, lost = filled(store)
    move_trade(store, lost.id, now=TradeState.CLOSED, at=later(days=8), result=D("-1000.00"))
    _, held = filled(store)
    marked(store, held, "-1999.99", days=8)
    account = builders.account(net_liquidation=D(100_000))

    def findings() -> list[str]:
        # Only the rule of the week: the held legs are those of the candidate.
        alone = replace(exposure(store), open_symbols=frozenset())
        return [
            finding.message
            for finding in limits.check_entry(builders.candidate(), account, alone, Settings())
            if finding.rule == "week_loss"
        ]

    assert findings() == []
    marked(store, held, "-2100.00", days=8.5)
    assert findings() == [
        "this week lost 3,100.00 (1,000.00 realised, 2,100.00 by the marks of open trades); from 3,000.00 (3.0% of the "
        "account) on nothing is opened"
    ]
