"""`manage`: marks, due exits, closes, and what is sent by an approved plan."""

from decimal import Decimal
from pathlib import Path

import pytest

from spy32.domain.spreads import Mode
from spy32.trading.context import TradingContext
from spy32.trading.manage import ManagedTrade, manage
from tests.support.open_trades import entered, live_desk
from tests.support.trading import TradingDesk

D = Decimal


@pytest.fixture
def desk(tmp_path: Path) -> TradingDesk:
    return live_desk(tmp_path, Mode.PAPER)


def run(desk: TradingDesk) -> ManagedTrade:
    def context_for(_: int | None) -> TradingContext:
        return desk.trading_context

    (found,) = manage(context_for)
    return found


def test_a_trade_is_marked_and_nothing_is_due(desk: TradingDesk) -> None:
    trade = entered(desk, rests=False)
    found = run(desk)
    assert found.error is None
    assert found.mark is not None and found.mark.is_usable
    assert found.due is None and found.proposal is None
    assert desk.store.trades.marks(trade.id) == (found.mark,)
