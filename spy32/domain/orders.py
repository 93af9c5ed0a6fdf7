"""Orders, fills, transactions and trades."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from spy32.domain.proposals import ExitPlan
from spy32.domain.spreads import Action, Leg, Mode
from spy32.domain.value import value
from spy32.lifecycle import OrderState, TradeState


class OrderKind(StrEnum):
    """Opening order, closing order, or resting profit-target order (GTC)."""

    ENTRY = "entry"
    EXIT = "exit"
    TARGET = "target"


@value
class Order:
    """Our record of one order. `body` is the exact JSON that is sent to the broker."""

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
    """Limit price, dollars per share: a credit is positive, a debit negative."""
    quantity: int
    state: OrderState
    created_at: datetime
    broker_id: str | None = None
    broker_status: str = ""
    replaces: int | None = None
    """Our id of the order that this one replaces (FIX OrigClOrdID)."""
    filled: int = 0
    reason: str = ""
    is_adopted: bool = False
    """Found at the broker while our book had it as not there. Its state is tracked; its price is not changed."""


@value
class Fill:
    """One execution of one leg. `price` is positive, dollars per share; `quantity` is contracts."""

    fill_id: str
    symbol: str
    action: Action
    quantity: int
    price: Decimal
    at: datetime


@value
class BrokerOrder:
    """An order as the broker reports it. `status` is the broker's text; `state` is its translation into our states."""

    broker_id: str
    reference: str
    status: str
    state: OrderState
    limit: Decimal
    quantity: int
    fills: tuple[Fill, ...] = ()
    reason: str = ""
    replaced_by: str | None = None
    replaces: str | None = None
    legs: tuple[Leg, ...] = ()
    fees: Decimal | None = None
    body: str = ""
    placed_at: datetime | None = None
    unlisted_quantity: int = 0
    """Contracts that are filled by the legs' remaining quantities but not yet listed as fills."""
    unread: str = ""
    """Why the order's terms cannot be parsed. When set, limit, quantity and fills are unknown, and the legs too if
    `legs` is empty."""


def spreads_filled(fills: tuple[Fill, ...], legs: tuple[Leg, ...]) -> int:
    """Return the number of complete spreads in the fills. The least filled leg decides."""
    filled_by_symbol = {leg.symbol: 0 for leg in legs}
    for fill in fills:
        filled_by_symbol[fill.symbol] = filled_by_symbol.get(fill.symbol, 0) + fill.quantity
    return min(filled_by_symbol[leg.symbol] // leg.quantity for leg in legs) if legs else 0


@value
class DryRun:
    """The broker's answer to a dry run. An order with `errors` is refused."""

    accepted: bool
    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    fees: Decimal | None = None
    buying_power_change: Decimal | None = None
    """Buying power effect, dollars: positive when buying power is used."""
    margin: Decimal | None = None
    """Change in the margin requirement, dollars: positive when more is required."""
    limit: Decimal | None = None
    """The limit as the broker understood it, dollars per share; a debit is negative."""
    quantity: int | None = None
    legs: tuple[Leg, ...] = ()
    """The legs as the broker understood them, for one spread."""


class TransactionKind(StrEnum):
    """The kind of a transaction. `other` covers dividends, fees and transfers."""

    TRADE = "trade"
    ASSIGNMENT = "assignment"
    EXERCISE = "exercise"
    EXPIRATION = "expiration"
    OTHER = "other"


@value
class Transaction:
    """One line of the account's transaction history. Amounts are dollars; a payment is negative."""

    id: str
    kind: TransactionKind
    at: datetime
    symbol: str = ""
    """OCC symbol (21 characters), the ticker for shares, or empty."""
    action: str = ""
    """The broker's action text, such as `Sell to Open`; empty when there is none."""
    quantity: Decimal = Decimal(0)
    price: Decimal | None = None
    net_value: Decimal = Decimal(0)
    fees: Decimal = Decimal(0)
    """Commission and fees, dollars, positive."""
    is_final: bool = True
    """False while the broker marks the fees as estimated."""
    order_id: str | None = None
    description: str = ""


@value
class Trade:
    """A position opened by fills. Credits and debits are dollars per share; fees, loss and result are dollars for the
    whole quantity."""

    id: int | None
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
    """The fill assumption of the paper broker; empty for a real fill."""
    closed_quantity: int = 0
    """Spreads already closed."""
    fees_final: bool = False
    """False while the fees are an estimate. Only the broker's transactions make them final."""
    exits: ExitPlan | None = None
    """Replaces the approved exit plan when the trade was opened below its floor; otherwise None."""

    @property
    def remaining(self) -> int:
        """Remaining quantity: spreads still held while the trade is open or closing."""
        return self.quantity - self.closed_quantity


@value
class Adoption:
    """A change of a trade that is taken from the broker's transactions because a person asked for it.

    `transactions` holds the parts of the broker's lines that concern these spreads. `state` is the trade's state when
    no spread remains.
    """

    trade_id: int
    state: TradeState
    spreads: int
    transactions: tuple[Transaction, ...]
    reason: str

    @property
    def fees(self) -> Decimal:
        """Commission and fees, dollars, positive."""
        return sum((line.fees for line in self.transactions), Decimal(0))

    @property
    def gross(self) -> Decimal:
        """Cash flow before fees, dollars; a payment is negative."""
        return sum((line.net_value + line.fees for line in self.transactions), Decimal(0))


@value
class Mark:
    """The cost of closing a trade at one time: debits, dollars per share, positive."""

    trade_id: int
    at: datetime
    spot: float
    mid: Decimal
    natural: Decimal
    """Natural debit: bought legs at the ask, sold legs at the bid."""
