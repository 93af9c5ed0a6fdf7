"""Queues the notices of what nobody's command has just done: time that runs out, orders that stay unknown, the week.

The outbox itself remembers what was said: a notice of the same kind about the same thing is not repeated, an unknown
order only after an hour.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from spy32.domain.notices import NoticeKind, NoticeText
from spy32.lifecycle import OPEN_TRADES, OrderState, ProposalState
from spy32.ops.last_account import last_known_account
from spy32.rules import notices, trade_notices
from spy32.sessions import market_date, previous_session, week_start
from spy32.settings import Settings

if TYPE_CHECKING:
    from spy32.store import Store

REVIEW_WINDOW = timedelta(minutes=60)
"""A proposal that nobody has decided on is told of again so long before it lapses: four starts of cron, and time to
come to a keyboard."""
APPROVAL_WINDOW = timedelta(minutes=20)
"""An approval of an hour that is not used is told of so long before its end, which one start a quarter of an hour
meets."""
UNKNOWN_INTERVAL = timedelta(hours=1)
"""An unknown order is told of again after so long."""
WEEK = timedelta(weeks=1)
WEEK_INTERVAL = timedelta(days=3)
"""The summary of a week is sent within so long after its last session, and not later."""
WEEK_RUNS = 50
"""Runs that a summary names at most: a week of daily ones with every try, and some by hand."""


def queue_reminders(store: "Store", settings: Settings, now: datetime) -> tuple[NoticeText, ...]:
    """Queue what is due now, and return it."""
    due = (*_lapsing(store, now), *_unknown_orders(store), *_week_loss(store, settings, now), *_week(store, now))
    again = {NoticeKind.UNKNOWN_ORDER: UNKNOWN_INTERVAL}
    return tuple(text for text in due if store.notices.add_reminder(text, now, repeat_after=again.get(text.kind)))


def _lapsing(store: "Store", now: datetime) -> Iterator[NoticeText]:
    """Proposals and approvals that are about to end; a recorded market has no end of its own."""
    for proposal in store.proposals.select(ProposalState.PROPOSED, ProposalState.APPROVED):
        is_approved = proposal.state is ProposalState.APPROVED
        approval = store.proposals.latest_approval(proposal.id) if is_approved else None
        until = approval.until if approval is not None else proposal.lapses_at
        window = APPROVAL_WINDOW if is_approved else REVIEW_WINDOW
        if not proposal.is_recorded and now < until <= now + window:
            yield trade_notices.lapsing_notice(proposal, until, is_approved=is_approved)


def _unknown_orders(store: "Store") -> Iterator[NoticeText]:
    for order in store.orders.select(OrderState.UNKNOWN):
        yield trade_notices.unknown_order_notice(order)


def _week_loss(store: "Store", settings: Settings, now: datetime) -> Iterator[NoticeText]:
    """The loss of this week, once it has reached its limit by the account as it was last seen."""
    today = market_date(now)
    loss = store.risk.exposure(run_id=None, today=today, week_start=week_start(today)).week_loss
    known = last_known_account(store) if loss > 0 else None
    if known is not None and not loss < (limit := settings.limits.week_loss * known[0].net_liquidation):
        yield notices.week_loss_notice(settings.mode, week_start(today), loss, limit)


def _week(store: "Store", now: datetime) -> Iterator[NoticeText]:
    """The summary of the newest week whose last session is over, of a home that was there by then."""
    monday = week_start(market_date(now))
    if now < previous_session(monday + WEEK).option_close:
        monday -= WEEK
    last = previous_session(monday + WEEK)
    if now - last.option_close > WEEK_INTERVAL or store.location.created_at() > last.option_close:
        return
    trades = store.trades.select()
    runs = (run for run in store.history.summaries(limit=WEEK_RUNS, since=monday) if run.started_at < last.option_close)

    def is_in_week(at: datetime | None) -> bool:
        return at is not None and monday <= market_date(at) <= last.day

    open_now = [trade for trade in trades if trade.state in OPEN_TRADES]
    yield notices.week_notice(
        store.core.mode,
        notices.Week(
            monday=monday,
            runs=tuple(sorted(runs, key=lambda run: run.id)),
            opened=sum(is_in_week(trade.opened_at) for trade in trades),
            ended=[trade for trade in trades if is_in_week(trade.closed_at)],
            open_trades=len(open_now),
            open_risk=sum((trade.max_loss for trade in open_now), Decimal(0)),
            head=store.audit.head(),
        ),
    )
