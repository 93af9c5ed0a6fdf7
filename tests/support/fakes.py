"""One fake per port, written by hand: each does what the port says, and fails on demand."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from spy32.brokers.paper import parse_order_body
from spy32.domain.briefing import Briefing
from spy32.domain.events import ScheduledEvent
from spy32.domain.market import Chain, DailyBar, Dividend, LegQuotes, MarketSnapshot, Metric
from spy32.domain.orders import BrokerOrder, DryRun, Fill
from spy32.domain.proposals import Decision, Recommendation
from spy32.domain.spreads import Account, Action, Leg, Menu, Position
from spy32.domain.transactions import PaperEvent, Transaction
from spy32.errors import BrokerRefused, LockHeld, Unavailable, Unresolved
from spy32.lifecycle import FINAL, OrderState
from spy32.records.paper_account import FINAL_STATES
from tests.support import builders


@dataclass
class ManualClock:
    """Time that moves only when a test, or a wait, moves it."""

    at: datetime = builders.NOW
    waits: list[float] = field(default_factory=list)

    def __call__(self) -> datetime:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.at += timedelta(seconds=seconds)


@dataclass(eq=False)
class FakeMarket:
    """Serves one snapshot; `chain_now` can be exchanged to let the market move."""

    snapshot: MarketSnapshot = field(default_factory=builders.snapshot)
    chain_now: Chain | None = None
    trouble: Exception | None = None
    name: str = "cboe"
    is_recorded: bool = False

    def _serve(self) -> Chain:
        if self.trouble is not None:
            raise self.trouble
        return self.chain_now or self.snapshot.chain

    def expirations(self, underlying: str) -> tuple[date, ...]:
        return self._serve().expirations

    def chain(self, underlying: str, expirations: Sequence[date]) -> Chain:
        return self._serve().select_expirations(*expirations)

    def quotes(self, underlying: str, legs: Sequence[Leg]) -> LegQuotes:
        chain = self._serve()
        wanted = {leg.symbol for leg in legs}
        found = {quote.symbol: quote for quote in chain.quotes if quote.symbol in wanted}
        return LegQuotes(spot=chain.spot, as_of=chain.as_of, source=self.name, quotes=found)

    def history(self, underlying: str, since: date) -> tuple[DailyBar, ...]:
        return tuple(bar for bar in self.snapshot.history if bar.day >= since)

    def volatility(self) -> dict[str, Metric]:
        return dict(self.snapshot.volatility)

    def volatility_history(self, since: date) -> tuple[tuple[date, float], ...]:
        return tuple(pair for pair in self.snapshot.volatility_history if pair[0] >= since)

    def rate(self) -> Metric:
        return self.snapshot.rate

    def dividends(self, underlying: str) -> tuple[Dividend, ...] | None:
        return self.snapshot.dividends

    def moves(self, tickers: Sequence[str]) -> dict[str, Metric]:
        return {ticker: self.snapshot.moves[ticker] for ticker in tickers if ticker in self.snapshot.moves}

    def metrics(self, underlying: str) -> dict[str, Metric]:
        return dict(self.snapshot.metrics)

    def earnings(self, underlying: str) -> tuple[ScheduledEvent, ...] | None:
        return None


@dataclass
class FakeAnalyst:
    """Chooses by a function of the menu; abstains without one."""

    pick: Callable[[Menu], str | None] = lambda menu: menu.candidates[0].id
    name: str = "fake"

    def choose(self, snapshot: MarketSnapshot, menu: Menu, briefing: Briefing) -> Recommendation:
        chosen = self.pick(menu)
        decision = Decision.ABSTAIN if chosen is None else Decision.TRADE
        return Recommendation(analyst=self.name, decision=decision, candidate_id=chosen, reason="as the test says")


@dataclass
class FakeOrders:
    """A broker with no market: orders rest until a test fills them. `faults` holds what the next requests run into.

    A fault is `(before | after, exception)`: raised before the order was taken, or after.
    """

    clock: Callable[[], datetime] = lambda: builders.NOW
    book: dict[str, BrokerOrder] = field(default_factory=dict)
    faults: list[tuple[str, Exception]] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    reject_credentials: str | None = None
    fills_at: Decimal | None = None
    """Fill a whole order as soon as its limit is at or below this."""
    hidden_reads: int = 0
    """How many listings do not show the newest order yet."""
    unreadable: bool = False
    echo: dict[str, Any] = field(default_factory=dict)
    """What the dry run says otherwise than was sent."""
    goes_silent_after: int | None = None
    """After so many orders an answer is lost, and nothing can be read any more."""
    slips: Decimal = Decimal(0)
    """By how much a share the next fills are worse than the limit."""
    is_shared: bool = True
    assumption: str = ""
    no_replace: bool = False
    """Replacements are refused, though the order works."""

    def dry_run(self, body: str) -> DryRun:
        errors = (self.reject_credentials,) if self.reject_credentials is not None else ()
        order = parse_order_body(body)
        opens = order.legs[0].action in (Action.SELL_TO_OPEN, Action.BUY_TO_OPEN)
        fees = (Decimal("2.26") if opens else Decimal("0.26")) * order.quantity
        strikes = [leg.strike for leg in order.legs]
        margin = (max(strikes) - min(strikes)) * 100 * order.quantity * (1 if opens else -1)
        answer = DryRun(
            accepted=not errors,
            errors=errors,
            fees=fees,
            buying_power_change=margin - order.limit * 100 * order.quantity + fees,
            margin=margin,
            limit=order.limit,
            quantity=order.quantity,
            legs=order.legs,
        )
        return replace(answer, **self.echo)

    def submit(self, body: str) -> BrokerOrder:
        return self._add_root("submit", body, None)

    def replace(self, broker_id: str, body: str) -> BrokerOrder:
        if self.no_replace or self.book[broker_id].state in FINAL:
            self.requests.append("replace")
            raise BrokerRefused("cannot_update_order")
        return self._add_root("replace", body, broker_id)

    def _add_root(self, word: str, body: str, replacing: str | None) -> BrokerOrder:
        self.requests.append(word)
        when, trouble = self.faults.pop(0) if self.faults else ("", None)
        if when == "before" and trouble is not None:
            raise trouble
        broker_id = str(480001 + len(self.book))
        order = replace(parse_order_body(body), broker_id=broker_id, status="Live", state=OrderState.WORKING)
        self.book[broker_id] = replace(order, placed_at=self.clock(), replaces=replacing)
        if replacing is not None:
            gone = replace(self.book[replacing], status="Replaced", state=OrderState.REPLACED, replaced_by=broker_id)
            self.book[replacing] = gone
        if self.fills_at is not None and order.limit <= self.fills_at:
            self.fill(broker_id)
        if len(self.book) == self.goes_silent_after:
            self.unreadable = True
            raise TIMED_OUT
        if trouble is not None:
            raise trouble
        return self.book[broker_id]

    def order(self, broker_id: str) -> BrokerOrder:
        if self.unreadable:
            raise Unavailable("the fake broker does not answer")
        return self.book[broker_id]

    def todays_orders(self) -> tuple[BrokerOrder, ...]:
        if self.unreadable:
            raise Unavailable("the fake broker does not answer")
        listed = tuple(self.book.values())
        if self.hidden_reads > 0 and listed:
            self.hidden_reads -= 1
            return listed[:-1]
        return listed

    def search(self, since: date) -> tuple[BrokerOrder, ...]:
        return self.todays_orders() if self.hidden_reads <= 0 else tuple(self.book.values())[:-1]

    def cancel(self, broker_id: str) -> BrokerOrder:
        self.requests.append("cancel")
        order = self.book[broker_id]
        if order.state in FINAL:
            raise BrokerRefused("cannot_update_order")
        self.book[broker_id] = replace(order, status="Cancelled", state=OrderState.CANCELLED)
        return self.book[broker_id]

    def replaced_by_hand(self, broker_id: str, limit: Decimal, reference: str = "") -> str:
        """The id of the order that a person put in its place in the broker's app."""
        old, number = self.book[broker_id], str(480001 + len(self.book))
        self.book[number] = replace(
            old, broker_id=number, reference=reference, limit=limit, replaces=broker_id, fills=(), fees=None
        )
        self.book[broker_id] = replace(old, status="Cancelled", state=OrderState.CANCELLED, replaced_by=number)
        return number

    def shows(self, broker_id: str, **what: Any) -> None:
        """From now on the order looks otherwise in some respect."""
        self.book[broker_id] = replace(self.book[broker_id], **what)

    def fill(self, broker_id: str, quantity: int | None = None) -> None:
        """Fill so many spreads of an order, all of them by default."""
        order = self.book[broker_id]
        spreads = order.quantity if quantity is None else quantity
        done = tuple(
            Fill(
                fill_id=f"{broker_id}-{leg.symbol}-{spreads}",
                symbol=leg.symbol,
                action=leg.action,
                quantity=leg.quantity * spreads,
                price=Decimal("2.00") + (order.limit - self.slips if leg.action.sign > 0 else 0),
                at=self.clock(),
            )
            for leg in order.legs
        )
        whole = spreads == order.quantity
        self.book[broker_id] = replace(
            order,
            fills=done,
            fees=Decimal("2.26") * spreads,
            status="Filled" if whole else order.status,
            state=OrderState.FILLED if whole else order.state,
        )


@dataclass
class FakeAccount:
    """An account of fixed facts."""

    account: Account = field(default_factory=builders.account)
    history: tuple[Transaction, ...] = ()
    ahead: float | None = 0.0
    waiting: tuple[str, ...] = ()

    def facts(self) -> Account:
        return self.account

    def positions(self) -> tuple[Position, ...]:
        return self.account.positions

    def transactions(self, since: date) -> tuple[Transaction, ...]:
        return self.history

    def unsettled_notes(self) -> tuple[str, ...]:
        return self.waiting

    def clock_ahead(self) -> float | None:
        return self.ahead


@dataclass
class FakeLedger:
    """The paper broker's book in memory."""

    balance: Decimal = Decimal(100_000)
    book: dict[str, BrokerOrder] = field(default_factory=dict)
    held: dict[str, Position] = field(default_factory=dict)
    happened: list[PaperEvent] = field(default_factory=list)
    is_read_only: bool = False
    recorded: set[str] = field(default_factory=set)
    """Orders of recorded markets, by id."""
    counts: Counter[tuple[str, bool]] = field(default_factory=Counter)
    """What is held by symbol, and whether on a recorded market."""
    recorded_events: list[PaperEvent] = field(default_factory=list)

    def lots(self, *, is_recorded: bool) -> tuple[Position, ...]:
        items = [(symbol, count) for (symbol, recorded), count in self.counts.items() if recorded is is_recorded]
        return tuple(Position(symbol=symbol, quantity=count) for symbol, count in items if count)

    def orders(self) -> tuple[BrokerOrder, ...]:
        return tuple(self.book.values())

    def find_order(self, broker_id: str) -> BrokerOrder | None:
        return next((order for order in self.orders() if order.broker_id == broker_id), None)

    def working_orders(self, *, is_recorded: bool | None = None) -> tuple[BrokerOrder, ...]:
        working = (order for order in self.book.values() if order.state not in FINAL)
        return tuple(order for order in working if is_recorded in (None, order.broker_id in self.recorded))

    def place(
        self, order: BrokerOrder, at: datetime, *, replacing: str | None = None, is_recorded: bool = False
    ) -> BrokerOrder:
        placed = replace(order, broker_id=str(len(self.book) + 1), placed_at=at, replaces=replacing)
        self.book[placed.broker_id] = placed
        if is_recorded:
            self.recorded.add(placed.broker_id)
        if replacing is not None:
            self.update_status(replacing, was="Live", status="Replaced")
        return placed

    def update_status(self, broker_id: str, *, was: str, status: str) -> bool:
        order = self.book[broker_id]
        if order.status != was:
            return False
        self.book[broker_id] = replace(order, status=status, state=FINAL_STATES[status])
        return True

    def fill(self, broker_id: str, fills: tuple[Fill, ...], cash: Decimal, fees: Decimal) -> bool:
        if not self.update_status(broker_id, was="Live", status="Filled"):
            return False
        self.book[broker_id] = replace(self.book[broker_id], fills=fills, fees=fees)
        self.balance += cash - fees
        for fill in fills:
            self._change_position(
                fill.symbol, -fill.action.sign * fill.quantity, fill.price, broker_id in self.recorded
            )
        return True

    def _change_position(self, symbol: str, change: int, price: Decimal, is_recorded: bool) -> None:
        self.counts[symbol, is_recorded] += change
        was = self.held.get(symbol)
        count = (was.quantity if was is not None else 0) + change
        self.held[symbol] = Position(symbol=symbol, quantity=count, average_price=price)

    def events(self, *, is_recorded: bool | None = None) -> tuple[PaperEvent, ...]:
        return tuple(each for each in self.happened if is_recorded in (None, each in self.recorded_events))

    def record_events(
        self, events: Sequence[PaperEvent], at: datetime, *, known: int, is_recorded: bool = False
    ) -> bool:
        if known != len(self.happened):
            return False
        self.happened += events
        self.recorded_events += events if is_recorded else ()
        for event in events:
            self.balance += event.cash - event.fees
            self._change_position(event.symbol, event.quantity, event.price, is_recorded)
        return True

    def cash(self) -> Decimal:
        return self.balance

    def positions(self) -> tuple[Position, ...]:
        return tuple(position for position in self.held.values() if position.quantity)


@dataclass
class FakeNotifier:
    """Keeps what was sent; fails when told to."""

    sent: list[tuple[str, str]] = field(default_factory=list)
    is_down: bool = False
    name: str = "fake"

    def send(self, subject: str, body: str) -> None:
        if self.is_down:
            raise Unavailable("the fake notifier is down")
        self.sent.append((subject, body))


@dataclass
class FakeLocks:
    """Locks of one process; `busy` names those that somebody else holds."""

    busy: set[str] = field(default_factory=set)
    held: list[str] = field(default_factory=list)

    @contextmanager
    def hold(self, name: str, *, wait_seconds: float = 0) -> Iterator[None]:
        if name in self.busy or name in self.held:
            raise LockHeld(f"{name} is held by process 4242")
        self.held.append(name)
        try:
            yield
        finally:
            self.held.remove(name)

    def is_free(self, name: str) -> bool:
        return name not in self.busy and name not in self.held


TIMED_OUT = Unresolved("no answer from the broker within 30 s")
