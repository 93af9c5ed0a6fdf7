"""The paper account moves on by itself: what has expired is settled, and assigned shares are sold or bought back."""

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from spy32.domain.market import DailyBar
from spy32.domain.orders import BrokerOrder, PaperEvent
from spy32.errors import Unavailable, Unusable
from spy32.ports import DailyBarLookup, PaperLedger
from spy32.rules.settlement import (
    ExpiredPositions,
    closing_event,
    opening_price,
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


class SettlementPrice(NamedTuple):
    """A price that settles, and what it is when it is not the official one."""

    price: Decimal
    source: str = ""


StandInLookup = Callable[[str, date], SettlementPrice | None]
"""Returns the price that stands in for a session without a daily bar; None where none may."""


def settle_account(
    ledger: PaperLedger,
    find_bar: DailyBarLookup,
    now: datetime,
    *,
    is_recorded: bool,
    find_stand_in: StandInLookup = lambda _ticker, _day: None,
) -> tuple[str, ...]:
    """End orders on expired contracts, settle what has expired, and close what an assignment left.

    Each session is one transaction. Returns why anything stays as it is. Contracts of a recorded market, whose clock
    stands still, are settled by that clock only, and all others by the real one.
    """
    prices = _Prices(find_bar, find_stand_in, now)
    recorded = ledger.recorded_symbols()
    if not ledger.is_read_only:
        _expire_orders(ledger, now, lambda symbol: (symbol in recorded) is is_recorded)
    # The count is read before the positions: of two processes the later one then stores nothing.
    known = len(ledger.events())
    positions = [position for position in ledger.positions() if (position.symbol in recorded) is is_recorded]
    notes = []
    for expired in select_expired(positions, now):
        settled = _settle_expired(expired, prices) if not ledger.is_read_only else READ_ONLY_NOTE
        if isinstance(settled, str):
            notes.append(f"{expired.root} options of {expired.day} are not settled: {settled}")
        elif ledger.record_events(settled, now, known=known):
            known += len(settled)
    return (*notes, *_close_shares(ledger, prices))


def has_expired_contract(order: BrokerOrder, now: datetime) -> bool:
    """Return whether a contract of the order has stopped trading."""
    return any(trading_end(leg.root.strip(), leg.expiration) <= now for leg in order.legs)


def _expire_orders(ledger: PaperLedger, now: datetime, is_own: Callable[[str], bool]) -> None:
    for order in ledger.working_orders():
        if has_expired_contract(order, now) and all(is_own(leg.symbol) for leg in order.legs):
            ledger.update_status(order.broker_id, was=order.status, status="Expired")


def _close_shares(ledger: PaperLedger, prices: "_Prices") -> tuple[str, ...]:
    """Sell or buy back assigned shares whose next session is over; return why any are held."""
    notes, events = [], ledger.events()
    known = len(events)
    for shares in select_assigned_shares(events):
        price = (
            prices.find(shares.ticker, shares.closing_day, opening_price) if not ledger.is_read_only else READ_ONLY_NOTE
        )
        if isinstance(price, str):
            notes.append(f"{shares.quantity:+} {shares.ticker}, assigned {shares.delivered}: {price}")
        elif ledger.record_events((closing_event(shares, price.price, source=price.source),), prices.now, known=known):
            known += 1
    return tuple(notes)


def _settle_expired(expired: ExpiredPositions, prices: "_Prices") -> Sequence[PaperEvent] | str:
    """Return the events of the settlement, or why it has to wait."""
    terms = expired.terms
    if terms is None:
        return "how contracts of this root are settled is not known"
    found = prices.find(terms.underlying, expired.day, lambda bar: settlement_price(terms, bar))
    return found if isinstance(found, str) else settlement_events(expired, found.price, source=found.source)


class _Prices:
    """Prices of sessions that are over: of their daily bars, or what stands in for them."""

    def __init__(self, find_bar: DailyBarLookup, find_stand_in: StandInLookup, now: datetime) -> None:
        self._find_bar = find_bar
        self._find_stand_in = find_stand_in
        self.now = now

    def find(self, ticker: str, day: date, price_of: Callable[[DailyBar], Decimal | None]) -> SettlementPrice | str:
        """Return the price that `price_of` reads from the bar of a session that is over, or why there is none."""
        bar = self._find_final_bar(ticker, day)
        if isinstance(bar, str):
            return self._find_stand_in(ticker, day) or bar
        price = price_of(bar)
        return SettlementPrice(price) if price is not None else NO_PRICE_NOTE

    def _find_final_bar(self, ticker: str, day: date) -> DailyBar | str:
        hours = session(day)
        assert hours is not None
        if self.now < hours.close + BAR_DELAY:
            return f"the prices of {day} are final at {new_york_time(hours.close + BAR_DELAY):%H:%M} New York"
        try:
            bar = self._find_bar(ticker, day)
        except (Unavailable, Unusable) as error:
            return f"no daily bar of {ticker} on {day}: {error.message}"
        return bar if bar is not None else f"no source has the daily bar of {ticker} on {day}"
