"""The paper account moves on by itself: what has expired is settled, and assigned shares are sold or bought back."""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from spy32.domain.market import DailyBar
from spy32.domain.orders import PaperEvent
from spy32.errors import Unavailable, Unusable
from spy32.ports import DailyBarLookup, PaperLedger
from spy32.rules.settlement import (
    BAR_DELAY,
    ExpiredPositions,
    closing_event,
    depends_on_price,
    has_expired_leg,
    is_final,
    opening_price,
    select_assigned_shares,
    select_expired,
    settlement_events,
    settlement_price,
)
from spy32.sessions import new_york_time, session

READ_ONLY_NOTE = "the database was opened for reading"
NO_PRICE_NOTE = "the daily bar lacks the price"


class StandIn(NamedTuple):
    """A price that stands in for the official one, and what it is."""

    price: Decimal
    source: str


StandInLookup = Callable[[str, date], StandIn | None]
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

    Each session is one transaction. Returns why anything stays as it is. What is held on a recorded market, whose clock
    stands still, is settled by that clock only, and all else by the real one.
    """
    prices = _Prices(find_bar, now)
    if not ledger.is_read_only:
        _expire_orders(ledger, now, is_recorded=is_recorded)
    # The count is read before the positions: of two processes the later one then stores nothing.
    known = len(ledger.events())
    notes = []
    for expired in select_expired(ledger.lots(is_recorded=is_recorded), now):
        settled = _settle_expired(expired, prices, find_stand_in) if not ledger.is_read_only else READ_ONLY_NOTE
        if isinstance(settled, str):
            notes.append(f"{expired.root} options of {expired.day} are not settled: {settled}")
        elif ledger.record_events(settled, now, known=known, is_recorded=is_recorded):
            known += len(settled)
    return (*notes, *_close_shares(ledger, prices, is_recorded=is_recorded))


def _expire_orders(ledger: PaperLedger, now: datetime, *, is_recorded: bool) -> None:
    for order in ledger.working_orders(is_recorded=is_recorded):
        if has_expired_leg(order.legs, now):
            ledger.update_status(order.broker_id, was=order.status, status="Expired")


def _close_shares(ledger: PaperLedger, prices: "_Prices", *, is_recorded: bool) -> tuple[str, ...]:
    """Sell or buy back assigned shares whose next session is over; return why any are held."""
    notes = []
    known = len(ledger.events())
    for shares in select_assigned_shares(ledger.events(is_recorded=is_recorded)):
        price = (
            prices.find(shares.ticker, shares.closing_day, opening_price) if not ledger.is_read_only else READ_ONLY_NOTE
        )
        if isinstance(price, str):
            notes.append(f"{shares.quantity:+} {shares.ticker}, assigned {shares.delivered}: {price}")
        elif ledger.record_events((closing_event(shares, price),), prices.now, known=known, is_recorded=is_recorded):
            known += 1
    return tuple(notes)


def _settle_expired(
    expired: ExpiredPositions, prices: "_Prices", find_stand_in: StandInLookup
) -> Sequence[PaperEvent] | str:
    """Return the events of the settlement, or why it has to wait."""
    terms = expired.terms
    if terms is None:
        return "how contracts of this root are settled is not known"
    found = prices.find(terms.underlying, expired.day, lambda bar: settlement_price(terms, bar))
    if isinstance(found, Decimal):
        return settlement_events(expired, found)
    stand_in = find_stand_in(terms.underlying, expired.day)
    if stand_in is None or depends_on_price(expired, stand_in.price):
        return found
    return settlement_events(expired, stand_in.price, source=stand_in.source)


class _Prices:
    """Prices of sessions that are over, of their daily bars."""

    def __init__(self, find_bar: DailyBarLookup, now: datetime) -> None:
        self._find_bar = find_bar
        self.now = now

    def find(self, ticker: str, day: date, price_of: Callable[[DailyBar], Decimal | None]) -> Decimal | str:
        """Return the price that `price_of` reads from the bar of a session that is over, or why there is none."""
        bar = self._find_final_bar(ticker, day)
        if isinstance(bar, str):
            return bar
        price = price_of(bar)
        return price if price is not None else NO_PRICE_NOTE

    def _find_final_bar(self, ticker: str, day: date) -> DailyBar | str:
        if not is_final(day, self.now):
            hours = session(day)
            assert hours is not None
            return f"the prices of {day} are final at {new_york_time(hours.close + BAR_DELAY):%H:%M} New York"
        try:
            bar = self._find_bar(ticker, day)
        except (Unavailable, Unusable) as error:
            return f"no daily bar of {ticker} on {day}: {error.message}"
        return bar if bar is not None else f"no source has the daily bar of {ticker} on {day}"
