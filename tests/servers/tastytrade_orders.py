"""A stateful stand-in for tastytrade's order desk: accounts, orders with their whole life, fills, history, faults.

A subprocess reaches it with `server.environment("live")` or `("sandbox")` on top of its own variables, while
`running()` lasts; by hand these are

    SPY32_MODE=live|sandbox  SPY32_TASTYTRADE_URL=server.url  SPY32_CLOCK=server.at
    TASTYTRADE_CLIENT_SECRET=...  TASTYTRADE_REFRESH_TOKEN=...  TASTYTRADE_ACCOUNT=5WX01234

In process, a test sets what happens before the request that it is about:

    server.policy.step = "read"                  one state at each read; "manual" waits for server.advance()
    server.policy.fills_at = Decimal("1.05")     a credit at or below it fills at once; None goes by the mid; 0 never
    server.policy.fill_size = 1                  one spread of each order fills, the rest works on
    server.policy.late_fills = 2                 "Filled", with fills missing in the next two reads
    server.fill(order_id, 1)                     by hand: one spread, or legs={symbol: contracts}
    server.race(1)                               the next cancel or replace: one spread fills before it is confirmed
    server.reject_next("Session offline")        the next order is rejected once it is routed
    server.fault_submit("reset", after=True)     the order is taken, the answer is lost; also replace, cancel, dry run
    server.edits["order"] = lambda row: {...}    changes what is under `data`, or a row of it: accounts,
                                                 balances, positions, trading-status, position-limit,
                                                 session, order, submit, dry-run, transactions
    server.arrive(server.submits[0])             a request whose answer was lost before it was taken is taken now
    server.meeting = Barrier(2)                  two new orders wait for each other before the first one is taken
    server.by_hand_place(...), by_hand_cancel(order_id), by_hand_replace(order_id, credit)
    server.assign(symbol), server.exercise(symbol), server.expire(day, spot), server.expire_orders(), server.reset()
    server.trade_shares(-200, "664.10"), server.pay_dividend("1.95"), server.lifecycle.fee = Decimal(5)
    server.date_ahead = 300                      the Date header is five minutes ahead of `at`

It never de-duplicates: `orders_with(reference)` has every order that exists, `submits` every write request that came in
(dry runs are in `dry_runs`), whatever was then done to it.
"""

import json
import re
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from threading import Barrier, BrokenBarrierError, RLock, local
from typing import Any

from tests.servers.tastytrade import CLIENT_SECRET, REFRESH_TOKEN, TastytradeServer
from tests.servers.tastytrade_book import Book, Policy
from tests.servers.tastytrade_checks import new_order
from tests.servers.tastytrade_desk import OrderDesk
from tests.servers.tastytrade_faults import LATE_READS, Kind, Plan, pretended
from tests.servers.tastytrade_lifecycle import Lifecycle
from tests.servers.tastytrade_rows import state_of
from tests.servers.tastytrade_state import CENT, BrokerAccount, LegState, Row, Ticket, text
from tests.servers.web import Fault, Handler, Reply, Request

ACCOUNT = "5WX01234"
START = Decimal(100_000)
MEETING_SECONDS = 10.0
AT = datetime(2026, 11, 23, 15, 0, 1, 328000, tzinfo=UTC)
WRITES = {
    r"POST /accounts/[^/]+/orders": "submit",
    r"POST /accounts/[^/]+/orders(?:/\d+)?/dry-run": "dry-run",
    r"PUT /accounts/[^/]+/orders/\d+": "replace",
    r"PATCH /accounts/[^/]+/orders/\d+": "replace",
    r"DELETE /accounts/[^/]+/orders/\d+": "cancel",
}


@dataclass(frozen=True)
class Write:
    """A request that would change something, as it came in."""

    kind: str
    """`submit`, `replace`, `cancel` or `dry-run`."""
    path: str
    raw: bytes

    @property
    def body(self) -> Row:
        """Empty where none was sent."""
        return json.loads(self.raw) if self.raw else {}

    @property
    def reference(self) -> str | None:
        return self.body.get("external-identifier")


class TastytradeBrokerServer(TastytradeServer):
    """Thread-safe: everything that reads or changes the book holds `gate`."""

    def __init__(self, at: datetime = AT) -> None:
        super().__init__(at)
        self.gate = RLock()
        self.book = Book(lambda: self.at, self.mid)
        self.book.is_open = lambda: self.session_state == "Open"
        self.lifecycle = Lifecycle(self.book)
        self.marks: dict[str, Decimal] = {}
        """Mids that are not those of the quotes, by symbol."""
        self.knows_every_symbol = False
        """Takes any SPY option, not only those of the chain."""
        self.state: str | None = None
        """Of the session; None goes by `at`."""
        self.date_ahead = 0.0
        self.dry_run_form = "422"
        """How a dry run says no: `422`, or with 201 `errors` or `warnings`."""
        self.edits: dict[str, Callable[[Any], Any]] = {}
        self.submits: list[Write] = []
        self.dry_runs: list[Write] = []
        self._plans: dict[str, deque[Plan]] = defaultdict(deque)
        self._planned: dict[int, Plan] = {}
        self._here = local()
        self.meeting: Barrier | None = None
        """New orders wait here for each other before the first of them is taken."""
        self.add_account(ACCOUNT)
        self._desk = OrderDesk(self).routes()

    # Settings of a test.

    @property
    def policy(self) -> Policy:
        return self.book.policy

    @property
    def session_state(self) -> str:
        return self.state if self.state is not None else state_of(self.at)

    def environment(self, mode: str = "live", account: str = ACCOUNT) -> dict[str, str]:
        """Variables that point a subprocess here."""
        return {
            "SPY32_MODE": mode,
            "SPY32_TASTYTRADE_URL": self.url,
            "SPY32_CLOCK": f"{self.at:%Y-%m-%dT%H:%M:%SZ}",
            "TASTYTRADE_CLIENT_SECRET": CLIENT_SECRET,
            "TASTYTRADE_REFRESH_TOKEN": REFRESH_TOKEN,
            "TASTYTRADE_ACCOUNT": account,
        }

    def add_account(self, number: str, **facts: Any) -> BrokerAccount:
        with self.gate:
            self.book.accounts[number] = BrokerAccount(**{"number": number, "cash": START, **facts})
            return self.book.accounts[number]

    def account(self, number: str = ACCOUNT) -> BrokerAccount:
        return self.book.accounts[number]

    def fault_submit(self, kind: Kind, *, after: bool = False, times: int = 1, hidden: int = 0) -> None:
        """The next orders that are sent; `hidden` reads will not show what was taken (`late` alone: 3)."""
        self._plan("submit", kind, after, times, hidden)

    def fault_replace(self, kind: Kind, *, after: bool = False, times: int = 1, hidden: int = 0) -> None:
        self._plan("replace", kind, after, times, hidden)

    def fault_cancel(self, kind: Kind, *, after: bool = False, times: int = 1) -> None:
        self._plan("cancel", kind, after, times, 0)

    def fault_dry_run(self, kind: Kind, *, times: int = 1) -> None:
        self._plan("dry-run", kind, False, times, 0)

    def race(self, spreads: int | None = None) -> None:
        """The next cancel or replace: so many spreads (None: all) fill before the exchange confirms it."""
        with self.gate:
            self.book.races.append(10**6 if spreads is None else spreads)

    def reject_next(self, reason: str = "Session offline", *, at: str = "Routed") -> None:
        """The next order that is taken is rejected when it comes to that status."""
        with self.gate:
            self.book.rejections.append((at, reason))

    # What goes on at the exchange, and what the person does elsewhere.

    def advance(self, order_id: int | None = None, states: int = 1) -> None:
        with self.gate:
            self.book.advance(None if order_id is None else self.book.orders[order_id], states)

    def settle(self) -> None:
        with self.gate:
            self.book.settle()

    def fill(
        self,
        order_id: int,
        spreads: int | None = None,
        *,
        legs: Mapping[str, int] | None = None,
        price: Decimal | None = None,
    ) -> None:
        """Spreads of an order, or so many contracts of each of `legs`; `price` is the credit of a spread."""
        with self.gate:
            self.book.fill(self.book.orders[order_id], spreads, legs=legs, price=price)

    def reject(self, order_id: int, reason: str) -> None:
        with self.gate:
            self.book.reject(self.book.orders[order_id], reason)

    def expire_orders(self) -> None:
        """Day orders end, as at the close."""
        with self.gate:
            self.book.expire_orders()

    def assign(self, symbol: str, quantity: int | None = None, account: str = ACCOUNT) -> None:
        """Early assignment of short contracts (default: all of them); shares change hands at the strike."""
        with self.gate:
            owner = self.account(account)
            self.lifecycle.remove(owner, symbol, quantity or abs(owner.holdings[symbol].quantity), "Assignment")

    def exercise(self, symbol: str, quantity: int | None = None, account: str = ACCOUNT) -> None:
        """The person exercises long contracts (default: all of them)."""
        with self.gate:
            owner = self.account(account)
            self.lifecycle.remove(owner, symbol, quantity or owner.holdings[symbol].quantity, "Exercise")

    def trade_shares(self, quantity: int, price: str, ticker: str = "SPY", account: str = ACCOUNT) -> None:
        """The person sells (negative) or buys shares."""
        with self.gate:
            self.lifecycle.trade_shares(self.account(account), ticker, quantity, Decimal(price))

    def pay_dividend(self, amount: str, ticker: str = "SPY", account: str = ACCOUNT) -> None:
        """Dollars a share held; short shares owe it."""
        with self.gate:
            self.lifecycle.pay_dividend(self.account(account), ticker, Decimal(amount))

    def expire(self, day: date, spot: Decimal | float | None = None) -> None:
        with self.gate:
            self.lifecycle.expire(day, Decimal(str(self.spot if spot is None else spot)))

    def finish_fees(self) -> None:
        """Fees of the history stop being estimates, as overnight."""
        with self.gate:
            for owner in self.book.accounts.values():
                for row in owner.transactions:
                    row["is-estimated-fee"] = False

    def by_hand_place(
        self,
        legs: Mapping[str, tuple[str, int]],
        credit: Decimal | None,
        *,
        force: str = "Day",
        account: str = ACCOUNT,
        reference: str | None = None,
    ) -> Ticket:
        """An order from the broker's own app: {symbol: (action, contracts)}."""
        with self.gate:
            body: Row = {
                "time-in-force": force,
                "order-type": "Market" if credit is None else "Limit",
                "source": "WEB",
                "external-identifier": reference,
                "legs": [
                    {"action": action, "symbol": symbol, "quantity": many, "instrument-type": "Equity Option"}
                    for symbol, (action, many) in legs.items()
                ],
            }
            if credit is not None:
                body |= {"price": text(abs(credit)), "price-effect": "Credit" if credit > 0 else "Debit"}
            ticket = self.book.take(new_order(self.book, account, body))
            self.move()
            return ticket

    def arrive(self, write: Write, account: str = ACCOUNT) -> Ticket:
        """A request that was long on its way, and that nobody waits for any more, is taken."""
        with self.gate:
            ticket = self.book.take(new_order(self.book, account, write.body))
            self.move()
            return ticket

    def by_hand_cancel(self, order_id: int) -> None:
        with self.gate:
            self.book.cancel(self.book.orders[order_id])
            self.move()

    def by_hand_replace(self, order_id: int, credit: Decimal) -> Ticket:
        with self.gate:
            old = self.book.orders[order_id]
            legs = [LegState(leg.action, leg.symbol, leg.remaining) for leg in old.legs]
            new = Ticket(
                id=0,
                account=old.account,
                kind="Limit",
                force=old.force,
                legs=legs,
                credit=credit,
                at=self.at,
                source="WEB",
            )
            self.book.replace(old, new)
            self.move()
            return new

    def by_hand_hold(self, symbol: str, quantity: int, price: Decimal = CENT, account: str = ACCOUNT) -> None:
        """A position that no order explains; negative is short. Cash stays."""
        with self.gate:
            self.account(account).take(symbol, quantity, price, self.at)

    def move(self) -> None:
        """Where orders go on by themselves, they do."""
        if self.policy.step == "instant":
            self.book.settle()

    def reset(self) -> None:
        """As the sandbox every 24 hours: orders, positions, history and balances go, accounts and grants stay."""
        with self.gate:
            self.book.orders.clear()
            for owner in self.book.accounts.values():
                owner.holdings.clear()
                owner.transactions.clear()
                owner.cash = START

    # What a test counts.

    @property
    def orders(self) -> list[Ticket]:
        """Every order there is, oldest first."""
        with self.gate:
            return list(self.book.orders.values())

    def order(self, order_id: int) -> Ticket:
        return self.book.orders[order_id]

    def orders_with(self, reference: str) -> list[Ticket]:
        return [ticket for ticket in self.orders if ticket.reference == reference]

    def sent(self, kind: str) -> list[Write]:
        """Write requests of a kind: `submit`, `replace`, `cancel`."""
        return [write for write in self.submits if write.kind == kind]

    # How it answers.

    def routes(self) -> dict[str, Callable[..., Reply]]:
        return {**self._desk, **super().routes()}

    def answer(self, request: Request) -> Reply:
        plan = self._planned.pop(id(request), None)
        self._here.hidden = 0 if plan is None else plan.hidden
        if plan is not None and not plan.is_after and plan.kind != "token":
            return pretended(json.loads(request.body) if request.body else {})
        if self.meeting is not None and re.fullmatch(
            r"POST /accounts/[^/]+/orders", f"{request.method} {request.path}"
        ):
            with suppress(BrokenBarrierError):
                self.meeting.wait(MEETING_SECONDS)
        return super().answer(request)

    @property
    def hidden(self) -> int:
        """Reads that will not show what the request of this thread places."""
        return self._here.hidden

    def fault_for(self, request: Request) -> Fault | None:
        fault = super().fault_for(request)
        what = f"{request.method} {request.path}"
        kind = next((kind for shape, kind in WRITES.items() if re.fullmatch(shape, what)), None)
        if kind is not None:
            (self.dry_runs if kind == "dry-run" else self.submits).append(Write(kind, request.path, request.body))
            if self._plans[kind]:
                plan = self._planned[id(request)] = self._plans[kind].popleft()
                fault = plan.fault
                if plan.kind == "token" and not plan.is_after:
                    self.tokens.clear()
        return self._dated(fault)

    def _dated(self, fault: Fault | None) -> Fault:
        """With the Date header of this service's own clock."""

        def act(handler: Handler, reply: Reply) -> None:
            moment = self.at + timedelta(seconds=self.date_ahead)
            handler.date_time_string = lambda timestamp=None: format_datetime(moment, usegmt=True)
            if fault is None:
                handler.say(reply)
            else:
                fault(handler, reply)

        return act

    def _plan(self, what: str, kind: Kind, after: bool, times: int, hidden: int) -> None:
        if kind == "late":
            after, hidden = True, hidden or LATE_READS
        with self.lock:
            self._plans[what].extend([Plan(kind, after, hidden)] * times)

    # The market, as the matching engine sees it.

    def knows(self, symbol: str) -> bool:
        return self.knows_every_symbol or symbol in self._fetch_quotes

    def mid(self, symbol: str) -> Decimal | None:
        """Of the quotes as `edit` leaves them; None where a side is missing."""
        if symbol in self.marks:
            return self.marks[symbol]
        row = self._row("equity-option" if len(symbol) > 6 else "equity", symbol)
        rows = self.edit([row]) if row is not None else []
        if not rows or "bid" not in rows[0] or "ask" not in rows[0]:
            return None
        return (Decimal(rows[0]["bid"]) + Decimal(rows[0]["ask"])) / 2
