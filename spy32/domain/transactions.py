"""Transactions of the broker and of the paper account, and what of a trade is taken from them."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from spy32.domain.market import OCC_LENGTH, Right
from spy32.domain.option_class import settles_in_cash, underlying_for_root
from spy32.domain.proposals import ExitReason
from spy32.domain.spreads import MULTIPLIER, Action
from spy32.domain.units import Dollars, Price
from spy32.domain.value import value
from spy32.lifecycle import TradeState


class TransactionKind(StrEnum):
    """The kind of a transaction. `other` covers dividends, fees and transfers."""

    TRADE = "trade"
    ASSIGNMENT = "assignment"
    EXERCISE = "exercise"
    EXPIRATION = "expiration"
    OTHER = "other"


DELIVERIES = (TransactionKind.ASSIGNMENT, TransactionKind.EXERCISE)


@value
class Transaction:
    """One line of the account's transaction history. Amounts are dollars; a payment is negative."""

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
    """Commission and fees, dollars, positive."""
    is_final: bool = True
    """False while the broker marks the fees as estimated."""
    order_id: str | None = None
    description: str = ""

    @property
    def is_option(self) -> bool:
        """Whether it is about contracts; otherwise about shares, or money alone."""
        return len(self.symbol) == OCC_LENGTH

    @property
    def gross(self) -> Decimal:
        """Cash flow before fees, dollars; a payment is negative."""
        return self.net_value + self.fees

    @property
    def settles_in_cash(self) -> bool:
        """Whether an assignment or exercise was settled in cash: it moves money itself, and delivers no shares."""
        return self.is_option and self.kind in DELIVERIES and (self.gross != 0 or settles_in_cash(self.ticker))

    @property
    def ticker(self) -> str:
        """The underlying of contracts; the symbol of shares."""
        return underlying_for_root(self.symbol[:6]) if self.is_option else self.symbol

    @property
    def signed_quantity(self) -> Decimal:
        """Quantity that came into the account, positive; what left it is negative. Where the broker tells no action,
        the cash decides."""
        comes_in = self.action.sign < 0 if self.action is not None else self.gross < 0
        return self.quantity if comes_in else -self.quantity

    @property
    def delivered_shares(self) -> Decimal:
        """Shares that this assignment or exercise brings into the account; negative when it takes them out."""
        if not self.is_option or self.kind not in DELIVERIES or self.settles_in_cash:
            return Decimal(0)
        is_call, is_short = self.symbol[12] == Right.CALL, self.kind is TransactionKind.ASSIGNMENT
        return self.quantity * MULTIPLIER * (-1 if is_call == is_short else 1)


@value
class PaperEvent:
    """What the paper broker did without an order: one line of its transaction history. Amounts are dollars."""

    at: datetime
    kind: TransactionKind
    """`other` for shares that an assignment or exercise delivers, `trade` for their sale or purchase afterwards."""
    symbol: str
    quantity: int
    """Change of the position, contracts or shares: positive when a short one becomes smaller."""
    price: Price
    """Dollars per share: the strike, the price of the shares, or 0 for a contract that is removed without cash."""
    cash: Dollars
    """Before fees; a payment is negative."""
    fees: Dollars
    description: str

    @property
    def action(self) -> Action | None:
        """The action of a line about shares. None for a contract, of which tastytrade tells none either."""
        if self.kind is TransactionKind.OTHER:
            return Action.BUY_TO_OPEN if self.quantity > 0 else Action.SELL_TO_OPEN
        if self.kind is TransactionKind.TRADE:
            return Action.BUY_TO_CLOSE if self.quantity > 0 else Action.SELL_TO_CLOSE
        return None

    def as_transaction(self, number: int) -> Transaction:
        """The line of the account's history; `number` is its number among the events, from 1."""
        return Transaction(
            id=f"paper-event-{number}",
            kind=self.kind,
            at=self.at,
            symbol=self.symbol,
            action=self.action,
            quantity=Decimal(abs(self.quantity)),
            price=self.price,
            net_value=self.cash - self.fees,
            fees=self.fees,
            description=self.description,
        )


@value
class Disposal:
    """What became of shares or contracts that an assignment left of a trade, from the broker's transactions.

    `transactions` holds the parts of the broker's lines that concern the trade.
    """

    trade_id: int
    transactions: tuple[Transaction, ...]

    @property
    def fees(self) -> Decimal:
        """Commission and fees, dollars, positive."""
        return sum((line.fees for line in self.transactions), Decimal(0))

    @property
    def gross(self) -> Decimal:
        """Cash flow before fees, dollars; a payment is negative."""
        return sum((line.gross for line in self.transactions), Decimal(0))


@value
class Adoption(Disposal):
    """A change of a trade that is taken from the broker's transactions.

    `state` is the trade's state when no spread remains. An adoption as `assigned` takes the whole trade out of the open
    ones, also when only a part of it was assigned: the rest is what it still holds.
    """

    state: TradeState
    spreads: int
    reason: str

    @property
    def exit_reason(self) -> ExitReason:
        """How the trade ended."""
        if self.state is TradeState.EXPIRED:
            return ExitReason.EXPIRED
        if self.state is not TradeState.ASSIGNED and not self.is_lifecycle:
            return ExitReason.BY_HAND
        return (
            ExitReason.CASH_SETTLED if any(line.settles_in_cash for line in self.transactions) else ExitReason.ASSIGNED
        )

    @property
    def is_lifecycle(self) -> bool:
        """Whether no line is a trade: it expired, was assigned, exercised or settled in cash by itself."""
        return all(line.kind is not TransactionKind.TRADE for line in self.transactions)
