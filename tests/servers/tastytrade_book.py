"""The life of the local broker's orders: routing, fills, cancel, replace, rejection, expiration, assignment.

`Policy` says what the market and the exchange do next; a test sets it. Every order that is taken goes on until nothing
is left to happen (`instant`), one state at each read of it (`read`), or when `Book.advance` is called (`manual`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import count
from typing import Literal

from spy32.sessions import market_date
from tests.servers.tastytrade_state import (
    CANCEL_REQUESTED,
    CANCELLED,
    CENT,
    CONTINGENT,
    EXPIRED,
    FILLED,
    IN_FLIGHT,
    LIVE,
    RECEIVED,
    REJECTED,
    REPLACE_REQUESTED,
    ROUTED,
    SHARES,
    ZERO,
    BrokerAccount,
    Fill,
    LegState,
    Rates,
    Row,
    Ticket,
    impact,
    is_option,
    leg_prices,
    margin,
    sign,
    signed,
    text,
    zulu,
)


@dataclass(slots=True)
class Policy:
    step: Literal["instant", "read", "manual"] = "instant"
    fills_at: Decimal | None = None
    """A credit order fills at or below this credit; None: at or below the mid of the quotes; 0: never."""
    debit_fills_at: Decimal | None = None
    """A debit order fills at or above this debit (a positive number); None: at or above the mid."""
    fill_size: int | None = None
    """The most spreads of an order that fill by themselves; None: all."""
    late_fills: int = 0
    """So many reads of a filled order list the fills of its first leg only."""
    improvement: Decimal = ZERO
    """Dollars a share that a fill is better than its limit."""
    hidden_reads: int = 0
    """So many reads do not show a new order yet."""
    aborted_as: str = REJECTED
    """What becomes of a replacement whose original filled first."""
    replaces_whole: bool = False
    """A replacement asks for the whole size again although part of the original was filled."""
    carries_reference: bool = False
    """A replacement sent without external-identifier keeps that of the original."""


class Book:
    """Accounts and orders. Callers hold the server's lock."""

    def __init__(self, now: Callable[[], datetime], mid: Callable[[str], Decimal | None]) -> None:
        self.now = now
        self.mid = mid
        self.policy = Policy()
        self.rates = Rates()
        self.accounts: dict[str, BrokerAccount] = {}
        self.orders: dict[int, Ticket] = {}
        self.is_open: Callable[[], bool] = lambda: True
        self.venue = "CITADEL_OPTIONS_A"
        self.rejections: list[tuple[str, str]] = []
        self.races: list[int | None] = []
        self._orders = count(480001)
        self._executions = count(90305)
        self._groups = count(2263911504)
        self._transactions = count(1735820)

    # What an account can do.

    def power(self, account: BrokerAccount, without: Ticket | None = None) -> Decimal:
        """Buying power for options, with what working orders have reserved taken off."""
        free = account.cash - margin(account.held)
        for ticket in self.of(account.number):
            if not ticket.is_terminal and ticket.status != CONTINGENT and ticket is not without:
                free -= max(ZERO, impact(account, ticket.legs, self.worth(ticket), self.rates, ZERO).change)
        return free

    def worth(self, ticket: Ticket) -> Decimal:
        """Dollars that come in when what remains fills at the limit; of a market order, at the mid."""
        credit = ticket.credit if ticket.credit is not None else self.mid_credit(ticket) or ZERO
        return credit * SHARES * (ticket.size - ticket.spreads)

    def mid_credit(self, ticket: Ticket) -> Decimal | None:
        """Credit of one spread at the mid; None where a quote is missing."""
        total = ZERO
        for leg in ticket.legs:
            mid = self.mid(leg.symbol)
            if mid is None:
                return None
            total += sign(leg.action) * mid * (leg.quantity // ticket.size)
        return total

    def of(self, number: str) -> list[Ticket]:
        return [ticket for ticket in self.orders.values() if ticket.account == number]

    # Orders come in.

    def take(self, ticket: Ticket, *, hidden: int = 0) -> Ticket:
        ticket.id = next(self._orders)
        ticket.hidden = max(hidden, self.policy.hidden_reads)
        ticket.updated_at = ticket.at
        if self.rejections:
            ticket.rejects = self.rejections.pop(0)
        self.orders[ticket.id] = ticket
        if ticket.status == RECEIVED:
            self.step(ticket)
        return ticket

    def cancel(self, ticket: Ticket) -> None:
        if ticket.status in (RECEIVED, CONTINGENT):
            self.end(ticket, CANCELLED)
            return
        ticket.race = self.races.pop(0) if self.races else None
        self._move(ticket, CANCEL_REQUESTED)

    def replace(self, old: Ticket, new: Ticket, *, hidden: int = 0) -> Ticket:
        """`new` waits for the end of `old`."""
        was_routed = old.status != RECEIVED
        new.status, new.replaces = CONTINGENT, old.id
        self.take(new, hidden=hidden)
        old.pending, old.filled_at_request = new.id, old.contracts
        old.race = self.races.pop(0) if self.races else None
        self._move(old, REPLACE_REQUESTED)
        if not was_routed:
            self.step(old)
        return new

    # Orders go on.

    def advance(self, ticket: Ticket | None = None, states: int = 1) -> None:
        """So many states further, one order or all."""
        for _ in range(states):
            for each in [ticket] if ticket is not None else list(self.orders.values()):
                self.step(each)

    def settle(self) -> None:
        """Until nothing moves any more."""
        while any(self.step(ticket) for ticket in list(self.orders.values()) if not ticket.is_terminal):
            pass

    def checked(self, ticket: Ticket) -> None:
        """A read asks for this order."""
        if self.policy.step == "read":
            waits_for = self.orders.get(ticket.replaces or 0) if ticket.status == CONTINGENT else None
            self.step(waits_for or ticket)

    def step(self, ticket: Ticket) -> bool:
        """One state further; False when nothing is to happen."""
        if ticket.rejects is not None and ticket.status == ticket.rejects[0]:
            ticket.reason = ticket.rejects[1]
            self.end(ticket, REJECTED)
            return True
        if ticket.status == RECEIVED and self.is_open():
            self._move(ticket, ROUTED)
        elif ticket.status == ROUTED:
            self._move(ticket, IN_FLIGHT)
            ticket.in_flight_at = self.now()
        elif ticket.status == IN_FLIGHT:
            self._move(ticket, LIVE)
            ticket.live_at = self.now()
        elif ticket.status == LIVE:
            return self._match(ticket)
        elif ticket.status == CANCEL_REQUESTED:
            self._end_cancel(ticket)
        elif ticket.status == REPLACE_REQUESTED:
            self._end_replace(ticket)
        else:
            return False
        return True

    def fill(
        self,
        ticket: Ticket,
        spreads: int | None = None,
        *,
        legs: Mapping[str, int] | None = None,
        price: Decimal | None = None,
    ) -> None:
        """`spreads` of what is left (default all), or so many contracts of each of `legs`, at `price` a spread."""
        left = ticket.size - ticket.spreads
        many = left if spreads is None else min(spreads, left)
        amounts = (
            legs
            if legs is not None
            else {leg.symbol: min(leg.remaining, many * leg.quantity // ticket.size) for leg in ticket.legs}
        )
        mids = {leg.symbol: mid for leg in ticket.legs if (mid := self.mid(leg.symbol)) is not None}
        credit = price if price is not None else ticket.credit
        if credit is None:
            credit = self.mid_credit(ticket) or CENT
        elif price is None:
            credit += self.policy.improvement
        prices = leg_prices(ticket, credit, mids)
        group = f"{next(self._groups)}"
        for leg in ticket.legs:
            if amounts.get(leg.symbol, 0) > 0:
                self._execute(ticket, leg, amounts[leg.symbol], prices[leg.symbol], group)
        ticket.updated_at = self.now()
        if all(leg.remaining == 0 for leg in ticket.legs):
            ticket.late = self.policy.late_fills
            self.end(ticket, FILLED)
            self._abort(ticket)

    def expire_orders(self) -> None:
        """The session is over: what is good for the day ends, with the fills that it has."""
        for ticket in self.orders.values():
            if not ticket.is_terminal and ticket.force == "Day":
                self.end(ticket, EXPIRED)

    def reject(self, ticket: Ticket, reason: str) -> None:
        ticket.reason = reason
        self.end(ticket, REJECTED)

    def _match(self, ticket: Ticket) -> bool:
        most = ticket.size if self.policy.fill_size is None else min(self.policy.fill_size, ticket.size)
        many = most - ticket.spreads
        if many > 0 and self._meets(ticket):
            self.fill(ticket, many)
            return True
        if ticket.force == "IOC":
            self.end(ticket, CANCELLED)
            return True
        return False

    def _meets(self, ticket: Ticket) -> bool:
        if ticket.credit is None:
            return True
        own = self.policy.fills_at if ticket.credit > 0 else self.policy.debit_fills_at
        if own is not None:
            return ticket.credit <= own if ticket.credit > 0 else -ticket.credit >= own
        mid = self.mid_credit(ticket)
        return mid is not None and ticket.credit <= mid

    def _end_cancel(self, ticket: Ticket) -> None:
        if ticket.race:
            self.fill(ticket, ticket.race)
            ticket.race = None
        if not ticket.is_terminal:
            self.end(ticket, CANCELLED)

    def _end_replace(self, old: Ticket) -> None:
        if old.race:
            self.fill(old, old.race)
            old.race = None
        if old.is_terminal:
            return
        if old.contracts > old.filled_at_request:
            self._abort(old)
            self._move(old, LIVE)
            return
        new = self.orders[old.pending or 0]
        old.replacing, old.pending = new.id, None
        self.end(old, CANCELLED)
        if new.status == CONTINGENT:
            self._move(new, RECEIVED)
            self.step(new)

    def _abort(self, old: Ticket) -> None:
        """The original filled first: its replacement comes to nothing."""
        new = self.orders.get(old.pending or 0)
        old.pending = None
        if new is not None and not new.is_terminal:
            new.reason = "Original order was filled"
            self.end(new, self.policy.aborted_as)

    def _move(self, ticket: Ticket, status: str) -> None:
        ticket.status, ticket.updated_at = status, self.now()

    def end(self, ticket: Ticket, status: str) -> None:
        self._move(ticket, status)
        ticket.terminal_at = self.now()
        if status == CANCELLED:
            ticket.cancelled_at = self.now()

    # What fills and expirations leave in the account.

    def _execute(self, ticket: Ticket, leg: LegState, quantity: int, price: Decimal, group: str) -> None:
        number = next(self._executions)
        fill = Fill(f"3_OPT8500{number}", f"{number}", group, quantity, price, self.now(), self.venue)
        leg.fills.append(fill)
        account = self.accounts[ticket.account]
        cash = sign(leg.action) * price * SHARES * quantity
        fees = self.rates.fees(leg.action, quantity, leg.symbol)
        account.take(leg.symbol, -sign(leg.action) * quantity, price, self.now())
        word = "Sold" if sign(leg.action) > 0 else "Bought"
        row = self.record(account, "Trade", leg.action, leg.symbol, quantity, price=price, cash=cash, fees=fees)
        row["description"] = f"{word} {quantity} {leg.symbol} @ {text(price)}"
        row["leg-count"] = len(ticket.legs)
        row |= {"order-id": ticket.id, "ext-group-fill-id": group, "action": leg.action, "is-estimated-fee": True}
        row |= {"exec-id": f"{number}", "destination-venue": self.venue}

    def record(
        self,
        account: BrokerAccount,
        kind: str,
        sub_kind: str,
        symbol: str,
        quantity: int,
        *,
        price: Decimal | None = None,
        cash: Decimal = ZERO,
        fees: Mapping[str, Decimal] | None = None,
    ) -> Row:
        """One line of the account's history; its cash is booked."""
        paid = dict(fees or {})
        net = cash - sum(paid.values(), ZERO)
        account.cash += net
        row: Row = {
            "id": next(self._transactions),
            "account-number": account.number,
            "transaction-type": kind,
            "transaction-sub-type": sub_kind,
            "symbol": symbol,
            "underlying-symbol": symbol[:6].rstrip(),
            "instrument-type": "Equity Option" if is_option(symbol) else "Equity",
            "quantity": text(Decimal(quantity)),
            **({} if price is None else {"price": text(price)}),
            **signed("value", cash),
            **signed("net-value", net),
            "is-estimated-fee": False,
            "currency": "USD",
            "description": f"{sub_kind} of {quantity} {symbol}",
            "executed-at": zulu(self.now()),
            "transaction-date": f"{market_date(self.now())}",
            "created-at": zulu(self.now()),
        }
        for name, amount in paid.items():
            row |= signed(name, -amount)
        account.transactions.append(row)
        return row
