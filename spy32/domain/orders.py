"""What was done: orders, fills, trades."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from spy32.domain.proposals import ExitPlan
from spy32.domain.spreads import Action, Leg, Mode
from spy32.domain.value import value
from spy32.lifecycle import EndedBy, OrderState, TradeState


class OrderKind(StrEnum):
    ENTRY = "entry"
    EXIT = "exit"
    TARGET = "target"


@value
class Order:
    """Our record of one request to a broker. `body` is the exact text that was or would be sent."""

    id: int | None
    proposal_id: int
    approval_id: int | None
    reference: str
    kind: OrderKind
    mode: Mode
    account: str
    body: str
    body_hash: str
    limit: Decimal
    """Credit per share; a debit is negative."""
    quantity: int
    state: OrderState
    created_at: datetime
    broker_id: str | None = None
    broker_status: str = ""
    replaces: int | None = None
    """Our id of the order that this one replaces."""
    filled: int = 0
    reason: str = ""
    is_adopted: bool = False
    """Found at the broker when our book did not have it there: it is followed, and its price is not worked."""
    ended_by: EndedBy | None = None
    """Set when it is refused, or when a person says of an absent one that it is not alive."""
    is_replaced_by_hand: bool = False
    """A person edited it at the broker: it is followed, and its price is not worked."""
    is_unclear: bool = False
    """What the broker shows of it is incomplete or contradicts what was sent: its price is not worked."""
    is_cancelling: bool = False
    """The broker has taken a request to cancel it and has not ended it yet."""

    def matches(self, seen: "BrokerOrder", state: OrderState) -> bool:
        """True when this row already holds what the broker shows, read as `state`; the broker's word is only kept."""
        return (self.state, self.broker_id, self.broker_status) == (state, seen.broker_id, seen.status) and (
            self.is_cancelling is seen.is_cancelling
        )


@value
class Fill:
    """One execution of one leg. `price` is positive, dollars per share."""

    fill_id: str
    symbol: str
    action: Action
    quantity: int
    price: Decimal
    at: datetime


@value
class BrokerOrder:
    """An order as a broker shows it. `status` is the broker's own word; `state` what it means to us."""

    broker_id: str
    reference: str
    status: str
    state: OrderState
    limit: Decimal
    quantity: int
    fills: tuple[Fill, ...] = ()
    reason: str = ""
    is_replaced_by_hand: bool = False
    """It took the place of our order without a request of ours."""
    is_cancelling: bool = False
    """A request to cancel it was taken, and it may still fill."""
    is_unclear: bool = False
    """What is shown of it is incomplete or contradicts what was sent."""
    replaced_by: str | None = None
    replaces: str | None = None
    legs: tuple[Leg, ...] = ()
    fees: Decimal | None = None
    body: str = ""
    placed_at: datetime | None = None
    unlisted_quantity: int = 0
    """Contracts that the broker counts as filled, by what is left of each leg, and does not list yet."""
    unread: str = ""
    """Why the terms of an order in a list cannot be read: then limit, size and fills are not known, and neither are its
    legs unless they are there."""


def spreads_filled(fills: tuple[Fill, ...], legs: tuple[Leg, ...]) -> int:
    """Whole spreads that the fills make up: the least filled leg counts."""
    filled_by_symbol = {leg.symbol: 0 for leg in legs}
    for fill in fills:
        filled_by_symbol[fill.symbol] = filled_by_symbol.get(fill.symbol, 0) + fill.quantity
    return min(filled_by_symbol[leg.symbol] // leg.quantity for leg in legs) if legs else 0


@value
class DryRun:
    """A broker's answer to an order that is not sent. `errors` non-empty means refused."""

    accepted: bool
    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    fees: Decimal | None = None
    buying_power_change: Decimal | None = None
    """Positive when buying power is used up, dollars."""
    margin: Decimal | None = None
    """Change in the margin requirement, dollars, positive when more is required."""
    limit: Decimal | None = None
    """As the broker understood it: credit per share, a debit is negative."""
    quantity: int | None = None
    legs: tuple[Leg, ...] = ()
    """As the broker understood them, for one spread."""


class TransactionKind(StrEnum):
    TRADE = "trade"
    ASSIGNMENT = "assignment"
    EXERCISE = "exercise"
    EXPIRATION = "expiration"
    OTHER = "other"


@value
class Transaction:
    """One line of the account's history. Dollars; what was paid is negative."""

    id: str
    kind: TransactionKind
    at: datetime
    symbol: str = ""
    """21-character OCC form, or the ticker of shares, or empty."""
    action: Action | None = None
    """None where the broker tells none."""
    quantity: Decimal = Decimal(0)
    price: Decimal | None = None
    net_value: Decimal = Decimal(0)
    fees: Decimal = Decimal(0)
    """Commission and fees, positive."""
    is_final: bool = True
    """False while the broker calls its fees an estimate."""
    order_id: str | None = None
    description: str = ""


@value
class Trade:
    """A position opened by fills. Credits and debits per share, fees and results in dollars for the whole quantity."""

    id: int
    proposal_id: int
    run_id: int
    mode: Mode
    state: TradeState
    legs: tuple[Leg, ...]
    quantity: int
    credit: Decimal
    fees: Decimal
    max_loss: Decimal
    opened_at: datetime
    closed_at: datetime | None = None
    debit: Decimal | None = None
    result: Decimal | None = None
    assumption: str = ""
    """How a paper fill was made, in words."""
    closed_quantity: int = 0
    """Spreads of it that were bought back already."""
    fees_final: bool = False
    """False while the fees are an estimate; only the broker's own history makes them final."""
    exits: ExitPlan | None = None
    """What took the place of the approved exit plan, since it was opened below its floor."""

    @property
    def remaining(self) -> int:
        """Spreads that are still held while the trade is open or closing."""
        return self.quantity - self.closed_quantity


@value
class Adoption:
    """What the broker's history says became of spreads of a trade, taken into our book because a person asked.

    `transactions` are the parts of the broker's lines that are about these spreads. `state` is that of the trade once
    no spread of it is left.
    """

    trade_id: int
    state: TradeState
    spreads: int
    transactions: tuple[Transaction, ...]
    reason: str

    @property
    def fees(self) -> Decimal:
        return sum((line.fees for line in self.transactions), Decimal(0))

    @property
    def gross(self) -> Decimal:
        """Cash before fees, dollars; what was paid is negative."""
        return sum((line.net_value + line.fees for line in self.transactions), Decimal(0))


@value
class Mark:
    """What it would cost to leave a trade at one moment: debits per share, positive."""

    trade_id: int
    at: datetime
    spot: float
    mid: Decimal
    natural: Decimal
    """Buy at the ask, sell at the bid."""
