"""Open trades as `status` and `positions` list them: what is held, the newest mark, and what comes next."""

from collections.abc import Iterator
from datetime import date, datetime
from typing import TYPE_CHECKING

from spy32.domain.marks import Mark
from spy32.domain.orders import Trade
from spy32.domain.proposals import ExitReason, Proposal, spread_description
from spy32.domain.value import value
from spy32.lifecycle import TradeState
from spy32.sessions import market_date

if TYPE_CHECKING:
    from spy32.store import Store


@value
class OpenTrade:
    """An open trade, with its newest mark and the next exit of its plan."""

    trade: Trade
    words: str
    """`2 SPY 30 Sep 621/616 put spread`."""
    dte: int
    """Calendar days from today, New York, to the expiration; negative once it has passed."""
    next_exit: date
    """The next planned exit day: the time exit, or the last exit once the time exit has passed."""
    next_reason: ExitReason
    today: date
    mark: Mark | None = None
    """The newest; null before the first."""
    close: Proposal | None = None
    """The close that waits, is approved or is sent."""

    @property
    def id(self) -> str:
        return f"T{self.trade.id}"


def trade_time(store: "Store", trade: Trade, now: datetime) -> datetime:
    """Return the time that a trade lives by: `now`, or on a recorded market that of its newest mark or its opening."""
    if not store.proposals.get(trade.proposal_id).is_recorded:
        return now
    mark = store.marks.latest(trade.id)
    return trade.opened_at if mark is None else mark.at


def load_open_trades(store: "Store", now: datetime) -> Iterator[OpenTrade]:
    """Yield every trade that is open or closing, oldest first."""
    for trade in store.trades.select(TradeState.OPEN, TradeState.CLOSING):
        proposal = store.proposals.get(trade.proposal_id)
        plan = trade.exits or proposal.exit
        today = market_date(trade_time(store, trade, now))
        reason, day = plan.planned_exit(today)
        yield OpenTrade(
            trade=trade,
            words=f"{trade.remaining} {spread_description(proposal.underlying, trade.legs)}",
            dte=(proposal.expiration - today).days,
            next_exit=day,
            next_reason=reason,
            today=today,
            mark=store.marks.latest(trade.id),
            close=store.proposals.find_live_close(trade.id),
        )
