"""The Protocols through which use cases reach the outside world. `tests/support/fakes.py` has a fake of each."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import date, datetime
from decimal import Decimal
from typing import Protocol

from spy32.domain.briefing import Briefing
from spy32.domain.events import ScheduledEvent
from spy32.domain.market import Chain, DailyBar, Dividend, LegQuotes, MarketSnapshot, Metric
from spy32.domain.model_calls import ModelRequest, ModelResponse, ResponseCheck
from spy32.domain.notices import Notice
from spy32.domain.orders import BrokerOrder, DryRun, Fill
from spy32.domain.proposals import Recommendation
from spy32.domain.spreads import Account, Leg, Menu, Position
from spy32.domain.transactions import PaperEvent, Transaction

Clock = Callable[[], datetime]
"""The present instant, aware, UTC."""
DailyBarLookup = Callable[[str, date], DailyBar | None]
"""Returns the daily bar of a ticker's session, None while no source has it. Raises `Unavailable` or `Unusable`."""
Monotonic = Callable[[], float]
"""Seconds that only go forward, for durations and deadlines."""
Sleep = Callable[[float], None]
"""Waits a number of seconds; on a recorded market it advances the clock instead."""


class Market(Protocol):
    """A source of market data.

    A datum that the source does not offer is None or empty. A failure raises `Unavailable` (try another source, or try
    later) or `Unusable` (the response cannot be used).
    """

    @property
    def name(self) -> str:
        """The name of the source in settings and records."""

    @property
    def is_recorded(self) -> bool:
        """Whether it serves a market of the past."""

    def expirations(self, underlying: str) -> tuple[date, ...]:
        """Return the listed expirations, in any order."""

    def chain(self, underlying: str, expirations: Sequence[date]) -> Chain:
        """Return the quotes of these expirations."""

    def quotes(self, underlying: str, legs: Sequence[Leg]) -> LegQuotes:
        """Return fresh quotes of the legs, with the spot of the same time."""

    def history(self, underlying: str, since: date) -> tuple[DailyBar, ...]:
        """Return the daily bars since that day, oldest first."""

    def volatility(self) -> dict[str, Metric]:
        """Return `vix`, `vix9d` and `vix3m`, percent."""

    def volatility_history(self, since: date) -> tuple[tuple[date, float], ...]:
        """Return the VIX closes since that day, percent, oldest first."""

    def rate(self) -> Metric:
        """Return the continuous interest rate, a fraction a year."""

    def dividends(self, underlying: str) -> tuple[Dividend, ...] | None:
        """Return past and coming ex-dates with dollars per share; None when not offered."""

    def moves(self, tickers: Sequence[str]) -> dict[str, Metric]:
        """Return today's return of each ticker, a fraction; empty when not offered."""

    def metrics(self, underlying: str) -> dict[str, Metric]:
        """Return metrics that the source computes, such as `iv_rank` (0 to 1); empty when not offered."""

    def earnings(self, underlying: str) -> tuple[ScheduledEvent, ...] | None:
        """Return the coming earnings dates; () for a fund or index, None when not offered."""


class Analyst(Protocol):
    """Chooses a candidate from a menu, or abstains.

    A failure is a `Recommendation` with decision `failed`, or an exception of `spy32.errors`.
    """

    @property
    def name(self) -> str:
        """The name of the analyst in settings and records."""

    def choose(self, snapshot: MarketSnapshot, menu: Menu, briefing: Briefing) -> Recommendation:
        """Return the choice of one candidate of the menu, an abstention or a failure."""


class ModelRequestLog(Protocol):
    """Stores each model request before it is sent, and its response afterwards. Costs are ticks, 10^10 a dollar."""

    def begin(self, run_id: int, attempt: ModelRequest, at: datetime) -> int:
        """Store the request before it is sent; return its id."""

    def end(self, attempt_id: int, response: ModelResponse, at: datetime) -> None:
        """Store the response."""

    def record_check(self, attempt_id: int, checked: ResponseCheck, at: datetime) -> None:
        """Store the result of the checks."""

    def ticks_since(self, since: datetime) -> int:
        """Return the ticks spent since then; a request without a reported cost counts with its estimate."""

    def run_ticks(self, run_id: int) -> int:
        """Return the ticks spent by one run."""


class OrderGateway(Protocol):
    """A broker's order interface.

    `submit` and `replace` are never retried; a `cancel` without effect may be. They raise `BrokerRefused` when the
    broker did not accept the order, `Unavailable` when nothing was sent, and `Unresolved` when the outcome is unknown.
    """

    @property
    def is_shared(self) -> bool:
        """Whether others (a person, another copy of this home) may place orders in this account."""

    @property
    def assumption(self) -> str:
        """How it makes fills, in words that are kept with each trade; empty where the market makes them."""
        ...

    def dry_run(self, body: str) -> DryRun: ...
    def submit(self, body: str) -> BrokerOrder: ...
    def order(self, broker_id: str) -> BrokerOrder: ...
    def todays_orders(self) -> tuple[BrokerOrder, ...]: ...
    def search(self, since: date) -> tuple[BrokerOrder, ...]: ...
    def replace(self, broker_id: str, body: str) -> BrokerOrder: ...
    def cancel(self, broker_id: str) -> BrokerOrder: ...


class AccountGateway(Protocol):
    """A broker's view of the account."""

    def facts(self) -> Account:
        """Return the account with its positions."""

    def positions(self) -> tuple[Position, ...]:
        """Return the open positions."""

    def transactions(self, since: date) -> tuple[Transaction, ...]:
        """Return the transactions since that day."""

    def unsettled_notes(self) -> tuple[str, ...]:
        """Return why contracts that have expired, or shares that they left, are still held; empty when none are.

        Only the paper broker settles by itself and can tell; of a real account this is always empty.
        """

    def clock_ahead(self) -> float | None:
        """Return how far the broker's clock is ahead of ours, seconds, by its last response; None without a clock."""


class PaperLedger(Protocol):
    """The paper broker's storage. Each call is one transaction."""

    @property
    def is_read_only(self) -> bool:
        """Whether nothing can be written."""

    def orders(self) -> tuple[BrokerOrder, ...]:
        """Return all paper orders."""

    def find_order(self, broker_id: str) -> BrokerOrder | None:
        """Return the paper order of this id; None without one."""

    def working_orders(self, *, is_recorded: bool | None = None) -> tuple[BrokerOrder, ...]:
        """Return the paper orders that have not ended; only those of recorded, or of other, markets when told."""

    def place(
        self, order: BrokerOrder, at: datetime, *, replacing: str | None = None, is_recorded: bool = False
    ) -> BrokerOrder:
        """Store a new paper order, which may replace another one, and whether its market is a recorded one."""

    def lots(self, *, is_recorded: bool) -> tuple[Position, ...]:
        """Return what is held by orders on recorded, or on other, markets, without prices."""

    def update_status(self, broker_id: str, *, was: str, status: str) -> bool:
        """Change a status if it is `was`; return whether it was."""

    def fill(self, broker_id: str, fills: tuple[Fill, ...], cash: Decimal, fees: Decimal) -> bool:
        """Store fills, cash and fees (dollars); return whether the order was open."""

    def events(self, *, is_recorded: bool | None = None) -> tuple[PaperEvent, ...]:
        """Return what the broker did without an order, in the order of its records; by the clock of recorded, or of
        other, markets when told."""

    def record_events(
        self, events: Sequence[PaperEvent], at: datetime, *, known: int, is_recorded: bool = False
    ) -> bool:
        """Store events with their cash and fees; return False, and store nothing, unless `known` events are stored."""

    def cash(self) -> Decimal:
        """Return the cash of the paper account, dollars."""

    def positions(self) -> tuple[Position, ...]:
        """Return the open paper positions: contracts, and shares at the price at which they were delivered."""


class Notifier(Protocol):
    """Sends notices to one address.

    What it raises tells nothing secret of the address. It may be left behind on a thread when its time is over.
    """

    def send(self, notice: Notice) -> None:
        """Send one notice; `Unavailable` when the service does not take it."""


class Locks(Protocol):
    """Kernel locks of a home; the kernel releases them when their process ends.

    `hold` raises `Unavailable` with the holder's process id and start time.
    """

    def hold(self, name: str, *, wait_seconds: float = 0) -> AbstractContextManager[None]:
        """Hold the lock while the block runs; wait for it at most that long."""

    def is_free(self, name: str) -> bool:
        """Return whether no process holds the lock."""
