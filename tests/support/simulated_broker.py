"""A broker in memory that does to an order whatever a broker, a network or a person at another screen may do to it."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import count

from spy32.brokers.paper import parse_order_body
from spy32.domain.orders import BrokerOrder, DryRun, Fill
from spy32.domain.spreads import Account, Leg, Position
from spy32.domain.transactions import Transaction, TransactionKind
from spy32.errors import BrokerRefused, Unavailable, Unresolved
from spy32.lifecycle import OrderState
from spy32.records.base import WriteTransaction
from spy32.store import Store
from tests.support import builders
from tests.support.fakes import FakeOrders, ManualClock

LIVE, CONTINGENT, CANCELLING, REPLACING = "Live", "Contingent", "Cancel Requested", "Replace Requested"
FILLED, CANCELLED, REJECTED = "Filled", "Cancelled", "Rejected"
MAY_FILL = frozenset({LIVE, CANCELLING, REPLACING})
OVER = {FILLED: OrderState.FILLED, CANCELLED: OrderState.CANCELLED, REJECTED: OrderState.REJECTED}
FEES = Decimal("1.13")
"""Dollars a contract."""


class Crash(BaseException):
    """The process is gone: nothing may catch it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What becomes of one writing request."""

    kind: str = "taken"
    """taken, refused, unsent, lost before, lost after."""
    race: int = 0
    """Contracts of each leg that fill while it is on its way; -1: one contract of the first leg only."""
    hidden: float = 0
    """Seconds until it is in the lists."""
    slow: bool = False
    """A cancel or a replacement is confirmed only when time passes."""


@dataclass
class Ticket:
    """An order at the broker."""

    id: str
    reference: str
    body: str
    legs: tuple[Leg, ...]
    quantity: int
    limit: Decimal
    placed_at: datetime
    status: str = LIVE
    fills: list[Fill] = field(default_factory=list)
    replaces: str | None = None
    replaced_by: str | None = None
    pending: str | None = None
    at_request: int = 0
    shown_from: datetime = builders.NOW
    listed_fills_from: datetime = builders.NOW
    """A whole fill may be known before its executions are listed."""

    @property
    def root(self) -> str:
        """The name in the bytes that it came of, ours or by hand."""
        return parse_order_body(self.body).reference

    def steps_done(self, leg: Leg) -> int:
        return sum(fill.quantity for fill in self.fills if fill.symbol == leg.symbol)

    @property
    def left(self) -> int:
        """Whole spreads that no leg has begun."""
        return self.quantity - max(self.steps_done(leg) for leg in self.legs)

    @property
    def is_over(self) -> bool:
        return self.status in OVER


@dataclass
class Broker:
    """The broker of the machine. `reach` is told of each side of a request; `sent` of each body."""

    clock: ManualClock
    reach: Callable[[str], None] = lambda word: None
    sent: Callable[[str, str], None] = lambda word, body: None
    book: dict[str, Ticket] = field(default_factory=dict)
    answers: list[Answer] = field(default_factory=list)
    unreadable_until: datetime = builders.NOW
    naming: str = "new"
    """The name that a replacement bears: the new one, that of the old order, or none."""
    ids: Iterator[int] = field(default_factory=lambda: count(480001))
    removals: list[Transaction] = field(default_factory=list)
    """Its history when everything has expired out of the money."""
    is_shared: bool = True
    assumption: str = ""

    # The port.

    def dry_run(self, body: str) -> DryRun:
        self._read()
        return FakeOrders().dry_run(body)

    def submit(self, body: str) -> BrokerOrder:
        answer = self._asked("submit", body)
        ticket = self._placed(body)
        return self._answered("submit", ticket, answer)

    def replace(self, broker_id: str, body: str) -> BrokerOrder:
        answer = self._asked("replace", body)
        old = self.book[broker_id]
        if old.status != LIVE:
            raise BrokerRefused("cannot_update_order")
        new = self._placed(body)
        new.reference = {"new": new.reference, "old": old.reference, "none": ""}[self.naming]
        new.status, new.replaces, new.quantity = CONTINGENT, old.id, max(old.left, 1)
        old.status, old.pending, old.at_request = REPLACING, new.id, len(old.fills)
        self._raced(old, answer)
        return self._answered("replace", new, answer, settle=old)

    def cancel(self, broker_id: str) -> BrokerOrder:
        answer = self._asked("cancel", "")
        ticket = self.book[broker_id]
        if ticket.status not in (LIVE, CANCELLING):
            raise BrokerRefused("cannot_update_order")
        ticket.status = CANCELLING
        self._raced(ticket, answer)
        return self._answered("cancel", ticket, answer, settle=ticket)

    def order(self, broker_id: str) -> BrokerOrder:
        self._read()
        if broker_id not in self.book:
            raise BrokerRefused("record_not_found")
        return self._view(self.book[broker_id])

    def todays_orders(self) -> tuple[BrokerOrder, ...]:
        self._read()
        return tuple(self._view(ticket) for ticket in self.book.values() if ticket.shown_from <= self.clock())

    def search(self, since: date) -> tuple[BrokerOrder, ...]:
        return self.todays_orders()

    def facts(self) -> Account:
        return builders.account(positions=self.positions())

    def positions(self) -> tuple[Position, ...]:
        self._read()
        held = {} if self.removals else self.held(self.book.values())
        return tuple(Position(symbol=symbol, quantity=number) for symbol, number in held.items() if number)

    def transactions(self, since: date) -> tuple[Transaction, ...]:
        self._read()
        return tuple(self.removals)

    def unsettled_notes(self) -> tuple[str, ...]:
        return ()

    def clock_ahead(self) -> float | None:
        return 0.0

    # What happens to orders.

    def fill(self, ticket: Ticket, spreads: int, *, legs: int = 2) -> None:
        """So many spreads of what is left, or of the first leg only; a whole fill ends it and what waits for it."""
        for leg in ticket.legs[:legs]:
            number = min(spreads, ticket.quantity - ticket.steps_done(leg))
            if number > 0:
                price = Decimal("2.00") + (ticket.limit if leg.action.sign > 0 else 0)
                ticket.fills.append(
                    Fill(
                        fill_id=f"F{next(self.ids)}",
                        symbol=leg.symbol,
                        action=leg.action,
                        quantity=number,
                        price=price if price > 0 else Decimal("0.01"),
                        at=self.clock(),
                    )
                )
        if all(ticket.steps_done(leg) == ticket.quantity for leg in ticket.legs):
            ticket.status = FILLED
            self._abort(ticket)

    def reject(self, ticket: Ticket) -> None:
        ticket.status = REJECTED
        self._abort(ticket)

    def by_hand_cancel(self, ticket: Ticket) -> None:
        ticket.status = CANCELLED

    def by_hand_replace(self, ticket: Ticket, cents: int, *, keeps_name: bool) -> None:
        """A person puts another price in its place in the broker's app, for what is left of it."""
        new = self._placed(ticket.body)
        new.replaces, new.quantity, new.limit = ticket.id, ticket.left, ticket.limit + Decimal(cents) / 100
        new.reference = ticket.reference if keeps_name else ""
        ticket.status, ticket.replaced_by = CANCELLED, new.id

    def by_hand_place(self, body: str) -> None:
        self._placed(body).reference = ""

    def expire(self) -> None:
        """The contracts have stopped trading: what works ends, and what is held is removed, worthless."""
        for ticket in self.book.values():
            if not ticket.is_over:
                ticket.status = CANCELLED
        self.removals = [
            Transaction(
                id=f"E{number}",
                kind=TransactionKind.EXPIRATION,
                at=self.clock(),
                symbol=symbol,
                quantity=Decimal(abs(count)),
                price=Decimal(0),
                net_value=Decimal(0),
                fees=Decimal(0),
            )
            for number, (symbol, count) in enumerate(self.held(self.book.values()).items())
            if count
        ]

    def tick(self) -> None:
        """Time has passed: what was asked for is confirmed."""
        for ticket in list(self.book.values()):
            self._remember_error(ticket)

    @staticmethod
    def held(tickets: "object") -> dict[str, int]:
        """Contracts by symbol, negative when short."""
        found: dict[str, int] = {}
        for ticket in tickets:  # type: ignore[attr-defined]
            for fill in ticket.fills:
                found[fill.symbol] = found.get(fill.symbol, 0) - fill.action.sign * fill.quantity
        return found

    # Parts.

    def _read(self) -> None:
        self.reach("read")
        if self.clock() < self.unreadable_until:
            raise Unavailable("the broker does not answer")

    def _asked(self, word: str, body: str) -> Answer:
        answer = self.answers.pop(0) if self.answers else Answer()
        self.reach(f"before {word}")
        if answer.kind == "unsent":
            raise Unavailable("no connection")
        if body:
            self.sent(word, body)
        if answer.kind == "refused":
            raise BrokerRefused("the broker says no")
        if answer.kind == "lost before":
            raise Unresolved("no answer")
        return answer

    def _answered(self, word: str, ticket: Ticket, answer: Answer, settle: Ticket | None = None) -> BrokerOrder:
        ticket.shown_from = max(ticket.shown_from, self.clock() + timedelta(seconds=answer.hidden))
        if settle is None:
            self._raced(ticket, answer)
        elif not answer.slow:
            self._remember_error(settle)
        self.reach(f"after {word}")
        if answer.kind == "lost after":
            raise Unresolved("no answer")
        return self._view(ticket)

    def _placed(self, body: str) -> Ticket:
        seen = parse_order_body(body)
        ticket = Ticket(
            id=str(next(self.ids)),
            reference=seen.reference,
            body=body,
            legs=seen.legs,
            quantity=seen.quantity,
            limit=seen.limit,
            placed_at=self.clock(),
        )
        self.book[ticket.id] = ticket
        return ticket

    def _raced(self, ticket: Ticket, answer: Answer) -> None:
        if answer.race:
            self.fill(ticket, abs(answer.race), legs=1 if answer.race < 0 else 2)

    def _remember_error(self, ticket: Ticket) -> None:
        if ticket.status == CANCELLING:
            ticket.status = CANCELLED
        elif ticket.status == REPLACING and len(ticket.fills) > ticket.at_request:
            self._abort(ticket)
            ticket.status = LIVE
        elif ticket.status == REPLACING:
            ticket.status, ticket.replaced_by = CANCELLED, ticket.pending
            self.book[ticket.pending or ""].status = LIVE
            ticket.pending = None

    def _abort(self, ticket: Ticket) -> None:
        """What was to take its place comes to nothing."""
        if ticket.pending is not None:
            self.book[ticket.pending].status = REJECTED
            ticket.pending = None

    def _view(self, ticket: Ticket) -> BrokerOrder:
        is_replaced = ticket.status == CANCELLED and ticket.replaced_by is not None
        fills = tuple(ticket.fills) if ticket.listed_fills_from <= self.clock() else ()
        return BrokerOrder(
            broker_id=ticket.id,
            reference=ticket.reference,
            status=ticket.status,
            state=OrderState.REPLACED if is_replaced else OVER.get(ticket.status, OrderState.WORKING),
            limit=ticket.limit,
            quantity=ticket.quantity,
            fills=fills,
            is_cancelling=ticket.status == CANCELLING,
            replaced_by=ticket.replaced_by,
            replaces=ticket.replaces,
            legs=ticket.legs,
            fees=FEES * sum(fill.quantity for fill in fills),
            body=ticket.body,
            placed_at=ticket.placed_at,
        )


def watched(store: Store, reach: Callable[[str], None]) -> Store:
    """The store, telling of each side of every commit. Crashes here are of the process, so nothing waits for a disk."""
    store.core.db.execute("pragma synchronous = off")
    original: Callable[..., AbstractContextManager[WriteTransaction]] = store.core.write_transaction

    @contextmanager
    def changing(at: datetime, kind: str, subject: str = "") -> Iterator[WriteTransaction]:
        with original(at, kind, subject) as change:
            yield change
            reach(f"before commit: {kind}")
        reach(f"after commit: {kind}")

    store.core.write_transaction = changing  # type: ignore[method-assign]
    return store


def body_by_hand(legs: tuple[Leg, ...], limit: Decimal) -> str:
    """An order for one spread that a person places."""
    made = builders.proposal(legs=legs, quantity=1)
    return builders.order_body(replace(made, quantity=1), limit, "by-hand")
