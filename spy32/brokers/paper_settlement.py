"""The paper account moves on by itself: what has expired is settled, and assigned shares are sold or bought back."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from spy32.domain.market import DailyBar
from spy32.domain.orders import PaperEvent
from spy32.errors import Unavailable, Unusable
from spy32.ports import DailyBarLookup, PaperLedger
from spy32.rules.settlement import (
    ExpiredPositions,
    closing_event,
    exact_price,
    select_assigned_shares,
    select_expired,
    settlement_events,
    settlement_price,
)
from spy32.sessions import new_york_time, session

BAR_DELAY = timedelta(minutes=30)
"""A daily bar counts so long after the close of its session. Closing auctions print within minutes of 16:00, and a feed
may be a quarter of an hour late."""


def settle_account(ledger: PaperLedger, find_bar: DailyBarLookup, now: datetime) -> tuple[str, ...]:
    """Settle what has expired and close what an assignment left, each session in one transaction.

    Returns why anything stays as it is. What another process settles meanwhile is left to it.
    """
    if ledger.is_read_only:
        return ()
    # The count is read before the positions: of two processes the later one then stores nothing.
    known = len(ledger.events())
    notes = []
    for expired in select_expired(ledger.positions(), now):
        settled = _settle_expired(expired, find_bar, now)
        if isinstance(settled, str):
            notes.append(settled)
        elif ledger.record_events(settled, now, known=known):
            known += len(settled)
        else:
            return tuple(notes)
    events = ledger.events()
    known = len(events)
    for shares in select_assigned_shares(events):
        bar = _find_final_bar(find_bar, shares.ticker, shares.closing_day, now)
        price = bar if isinstance(bar, str) else exact_price(bar.open)
        if price is None or isinstance(price, str):
            reason = price or f"the daily bar of {shares.closing_day} has no opening price"
            notes.append(f"{shares.quantity:+} {shares.ticker} of {shares.delivered}: {reason}")
        elif ledger.record_events((closing_event(shares, price),), now, known=known):
            known += 1
    return tuple(notes)


def _settle_expired(expired: ExpiredPositions, find_bar: DailyBarLookup, now: datetime) -> Sequence[PaperEvent] | str:
    """Return the events of the settlement, or why it has to wait."""
    name = f"{expired.root} options of {expired.day}"
    if expired.terms is None:
        return f"{name}: how they are settled is not known"
    bar = _find_final_bar(find_bar, expired.terms.underlying, expired.day, now)
    if isinstance(bar, str):
        return f"{name}: {bar}"
    price = settlement_price(expired.terms, bar)
    if price is None:
        return f"{name}: the daily bar of {expired.day} has no price that settles them"
    return settlement_events(expired, price)


def _find_final_bar(find_bar: DailyBarLookup, ticker: str, day: date, now: datetime) -> DailyBar | str:
    """Return the bar of a session that is over, or why there is none."""
    hours = session(day)
    assert hours is not None
    if now < hours.close + BAR_DELAY:
        return f"the prices of {day} are final at {new_york_time(hours.close + BAR_DELAY):%H:%M} New York"
    try:
        bar = find_bar(ticker, day)
    except (Unavailable, Unusable) as error:
        return f"no daily bar of {ticker} on {day}: {error.message}"
    return bar if bar is not None else f"no source has the daily bar of {ticker} on {day}"
