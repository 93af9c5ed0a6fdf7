"""The paper account moves on by itself: what has expired is settled, and assigned shares are sold or bought back."""

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal

from spy32.domain.market import DailyBar
from spy32.domain.orders import BrokerOrder, PaperEvent
from spy32.errors import Unavailable, Unusable
from spy32.ports import DailyBarLookup, PaperLedger
from spy32.rules.settlement import (
    AssignedShares,
    ExpiredPositions,
    closing_event,
    exact_price,
    select_assigned_shares,
    select_expired,
    settlement_events,
    settlement_price,
    trading_end,
)
from spy32.sessions import new_york_time, session

BAR_DELAY = timedelta(minutes=30)
"""A daily bar counts so long after the close of its session. Closing auctions print within minutes of 16:00, and a feed
may be a quarter of an hour late."""
READ_ONLY_NOTE = "the database was opened for reading"
NO_PRICE_NOTE = "the daily bar lacks the price"


def settle_account(
    ledger: PaperLedger, find_bar: DailyBarLookup, now: datetime, *, is_recorded: bool
) -> tuple[str, ...]:
    """End orders on expired contracts, settle what has expired, and close what an assignment left.

    Each session is one transaction. Returns why anything stays as it is. Contracts of a recorded market, whose clock
    stands still, are settled by that clock only, and all others by the real one.
    """
    recorded = ledger.recorded_symbols()
    if not ledger.is_read_only:
        _expire_orders(ledger, now, lambda symbol: (symbol in recorded) is is_recorded)
    # The count is read before the positions: of two processes the later one then stores nothing.
    known = len(ledger.events())
    positions = [position for position in ledger.positions() if (position.symbol in recorded) is is_recorded]
    notes = []
    for expired in select_expired(positions, now):
        settled = _settle_expired(expired, find_bar, now) if not ledger.is_read_only else READ_ONLY_NOTE
        if isinstance(settled, str):
            notes.append(f"{expired.root} options of {expired.day} are not settled: {settled}")
        elif ledger.record_events(settled, now, known=known):
            known += len(settled)
    return (*notes, *_close_shares(ledger, find_bar, now))


def has_expired_contract(order: BrokerOrder, now: datetime) -> bool:
    """Return whether a contract of the order has stopped trading."""
    return any(trading_end(leg.root.strip(), leg.expiration) <= now for leg in order.legs)


def _expire_orders(ledger: PaperLedger, now: datetime, is_own: Callable[[str], bool]) -> None:
    for order in ledger.working_orders():
        if has_expired_contract(order, now) and all(is_own(leg.symbol) for leg in order.legs):
            ledger.update_status(order.broker_id, was=order.status, status="Expired")


def _close_shares(ledger: PaperLedger, find_bar: DailyBarLookup, now: datetime) -> tuple[str, ...]:
    """Sell or buy back assigned shares whose next session is over; return why any are held."""
    notes, events = [], ledger.events()
    known = len(events)
    for shares in select_assigned_shares(events):
        price = _find_opening(shares, find_bar, now) if not ledger.is_read_only else READ_ONLY_NOTE
        if isinstance(price, str):
            notes.append(f"{shares.quantity:+} {shares.ticker}, assigned {shares.delivered}: {price}")
        elif ledger.record_events((closing_event(shares, price),), now, known=known):
            known += 1
    return tuple(notes)


def _settle_expired(expired: ExpiredPositions, find_bar: DailyBarLookup, now: datetime) -> Sequence[PaperEvent] | str:
    """Return the events of the settlement, or why it has to wait."""
    if expired.terms is None:
        return "how contracts of this root are settled is not known"
    bar = _find_final_bar(find_bar, expired.terms.underlying, expired.day, now)
    if isinstance(bar, str):
        return bar
    price = settlement_price(expired.terms, bar)
    return settlement_events(expired, price) if price is not None else NO_PRICE_NOTE


def _find_opening(shares: AssignedShares, find_bar: DailyBarLookup, now: datetime) -> Decimal | str:
    """Return the opening price at which assigned shares are closed, or why it has to wait."""
    bar = _find_final_bar(find_bar, shares.ticker, shares.closing_day, now)
    return bar if isinstance(bar, str) else exact_price(bar.open) or NO_PRICE_NOTE


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
