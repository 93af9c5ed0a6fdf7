"""The paper account moves on by itself: what has expired is settled, and assigned shares are sold or bought back."""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from spy32.domain.market import DailyBar
from spy32.domain.transactions import PaperEvent
from spy32.domain.value import value
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


class StandIn(NamedTuple):
    """A price that stands in for the official one, and what it is."""

    price: Decimal
    source: str


StandInLookup = Callable[[str, date], StandIn | None]
"""Returns the price that stands in for a session without a daily bar; None where none may."""


@value
class PaperSettlement:
    """What moves the paper account on at one instant. Each session is one transaction.

    What is held on a recorded market, whose clock stands still, is settled by that clock only, and all else by the real
    one.
    """

    ledger: PaperLedger
    find_bar: DailyBarLookup
    find_stand_in: StandInLookup
    now: datetime
    is_recorded: bool

    def settle(self) -> tuple[str, ...]:
        """End orders on expired contracts, settle what has expired, and close what an assignment left.

        Returns why anything stays as it is.
        """
        if not self.ledger.is_read_only:
            for order in self.ledger.working_orders(is_recorded=self.is_recorded):
                if has_expired_leg(order.legs, self.now):
                    self.ledger.update_status(order.broker_id, was=order.status, status="Expired")
        # The count is read before the positions: of two processes the later one then stores nothing.
        known = len(self.ledger.events())
        notes = []
        for expired in select_expired(self.ledger.lots(is_recorded=self.is_recorded), self.now):
            settled = self._settle_expired(expired)
            if isinstance(settled, str):
                notes.append(f"{expired.root} options of {expired.day} are not settled: {settled}")
            elif self._record(settled, known):
                known += len(settled)
        known = len(self.ledger.events())
        for shares in select_assigned_shares(self.ledger.events(is_recorded=self.is_recorded)):
            price = self._find_price(shares.ticker, shares.closing_day, opening_price)
            if isinstance(price, str):
                notes.append(f"{shares.quantity:+} {shares.ticker}, assigned {shares.delivered}: {price}")
            elif self._record((closing_event(shares, price),), known):
                known += 1
        return tuple(notes)

    def _record(self, events: Sequence[PaperEvent], known: int) -> bool:
        return self.ledger.record_events(events, self.now, known=known, is_recorded=self.is_recorded)

    def _settle_expired(self, expired: ExpiredPositions) -> Sequence[PaperEvent] | str:
        """Return the events of the settlement, or why it has to wait."""
        terms = expired.terms
        if terms is None:
            return "how contracts of this root are settled is not known"
        found = self._find_price(terms.underlying, expired.day, lambda bar: settlement_price(terms, bar))
        if isinstance(found, Decimal):
            return settlement_events(expired, found)
        stand_in = self.find_stand_in(terms.underlying, expired.day)
        if self.ledger.is_read_only or stand_in is None or depends_on_price(expired, stand_in.price):
            return found
        return settlement_events(expired, stand_in.price, source=stand_in.source)

    def _find_price(self, ticker: str, day: date, price_of: Callable[[DailyBar], Decimal | None]) -> Decimal | str:
        """Return the price that `price_of` reads from the bar of a session that is over, or why there is none."""
        if self.ledger.is_read_only:
            return "the database was opened for reading"
        if not is_final(day, self.now):
            hours = session(day)
            assert hours is not None
            return f"the prices of {day} are final at {new_york_time(hours.close + BAR_DELAY):%H:%M} New York"
        try:
            bar = self.find_bar(ticker, day)
        except (Unavailable, Unusable) as error:
            return f"no daily bar of {ticker} on {day}: {error.message}"
        if bar is None:
            return f"no source has the daily bar of {ticker} on {day}"
        price = price_of(bar)
        return price if price is not None else "the daily bar lacks the price"
