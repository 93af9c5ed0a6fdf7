"""Orders, fills and trades."""

from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from spy32.domain.proposals import ExitPlan, ExitReason
from spy32.domain.spreads import Action, Leg, Mode, max_width, value_bounds, whole_order
from spy32.domain.units import Dollars, JsonText, OrderId, Price, ProposalId, RunId, TradeId
from spy32.domain.value import value
from spy32.lifecycle import EndedBy, OrderState, TradeState


class OrderKind(StrEnum):
    """Opening order, closing order, or resting profit-target order (GTC)."""

    ENTRY = "entry"
    EXIT = "exit"
    TARGET = "target"


def limit_text(limit: Decimal) -> str:
    """`0.58 cr` or `0.30 db`: a limit as people read it, since a debit is negative only in our sums."""
    return f"{abs(limit)} {'db' if limit < 0 else 'cr'}"


def bound_text(limit: Decimal) -> str:
    """`floor 0.55` of a credit or `ceiling 0.60` of a debit: the last price of a plan as people read it."""
    return f"{'ceiling' if limit < 0 else 'floor'} {abs(limit)}"


@value
class OrderTicket:
    """An order as it will be sent, not yet stored. `Orders.begin` stores it as an `Order`, which has an id."""

    proposal_id: ProposalId
    approval_id: int
    reference: str
    """Our identifier, which the broker gives back."""
    kind: OrderKind
    mode: Mode
    account: str
    body: JsonText
    """Exactly what was or would be sent."""
    body_hash: str
    limit: Price
    """Credit per share; a debit is negative."""
    quantity: int
    created_at: datetime
    replaces: OrderId | None = None
    """Our id of the order that this one replaces."""


@value
class Order(OrderTicket):
    """Our record of one order, with its id in the store."""

    id: OrderId
    state: OrderState
    broker_id: str | None = None
    broker_status: str = ""
    """The broker's own word."""
    filled: int = 0
    """Whole spreads."""
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
    """One execution of one leg. `price` is positive, dollars per share; `quantity` is contracts."""

    fill_id: str
    symbol: str
    action: Action
    quantity: int
    price: Price
    """Positive, dollars per share."""
    at: datetime


@value
class BrokerOrder:
    """An order as the broker reports it. `status` is the broker's text; `state` is its translation into our states."""

    broker_id: str
    reference: str
    status: str
    state: OrderState
    limit: Price = Decimal(0)
    quantity: int = 0
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
    fees: Dollars | None = None
    body: str = ""
    placed_at: datetime | None = None
    unlisted_quantity: int = 0
    """Contracts that are filled by the legs' remaining quantities but not yet listed as fills."""
    unread: str | None = None
    """Why the order's terms cannot be parsed, for people; None when they could be."""

    @property
    def is_unread(self) -> bool:
        """Whether limit, quantity and fills are unknown; the legs are too if `legs` is empty."""
        return self.unread is not None

    @property
    def whole_legs(self) -> tuple[Leg, ...]:
        """The legs with the contracts of all spreads; of an order that cannot be parsed, as they are."""
        return whole_order(self.legs, 1 if self.is_unread else self.quantity)

    def has_sides_of(self, legs: tuple[Leg, ...]) -> bool:
        """Whether it trades the contracts of these legs in the same directions, in any quantity."""
        return {(leg.symbol, leg.action) for leg in self.legs} == {(leg.symbol, leg.action) for leg in legs}


def spreads_filled(fills: tuple[Fill, ...], legs: tuple[Leg, ...]) -> int:
    """Return the number of complete spreads in the fills. The least filled leg decides."""
    filled_by_symbol = {leg.symbol: 0 for leg in legs}
    for fill in fills:
        filled_by_symbol[fill.symbol] = filled_by_symbol.get(fill.symbol, 0) + fill.quantity
    return min(filled_by_symbol[leg.symbol] // leg.quantity for leg in legs) if legs else 0


def invert_legs(legs: tuple[Leg, ...]) -> tuple[Leg, ...]:
    """Return the legs that close what these open."""
    return tuple(replace(leg, action=leg.action.closing) for leg in legs)


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
    """Change in the margin requirement, dollars, positive when more is required."""
    limit: Price | None = None
    """As the broker understood it: credit per share, a debit is negative."""
    quantity: int | None = None
    legs: tuple[Leg, ...] = ()
    """The legs as the broker understood them, for one spread."""


@value
class Trade:
    """A position opened by fills. Credits and debits are dollars per share; fees, loss and result are dollars for the
    whole quantity."""

    id: TradeId
    proposal_id: ProposalId
    run_id: RunId
    mode: Mode
    state: TradeState
    legs: tuple[Leg, ...]
    quantity: int
    credit: Price
    """Per share, average of the fills; a debit is negative."""
    fees: Dollars
    """So far, dollars: of the opening, of what is closed, and of assignments."""
    opening_fees: Dollars
    """Of the opening alone, whole quantity, dollars."""
    max_loss: Dollars
    """Whole quantity, dollars."""
    opened_at: datetime
    closed_at: datetime | None = None
    debit: Price | None = None
    """Per share, to close; negative when closing received a credit."""
    result: Dollars | None = None
    """After fees, dollars; None while open."""
    assumption: str = ""
    """The fill assumption of the paper broker; empty for a real fill."""
    closed_quantity: int = 0
    """Spreads already closed."""
    fees_final: bool = False
    """False while the fees are an estimate. Only the broker's transactions make them final."""
    exits: ExitPlan | None = None
    """Replaces the approved exit plan when the trade was opened below its floor; otherwise None."""
    exit_reason: ExitReason | None = None
    """Why the last spread was closed, or how the trade ended; None while it is open."""

    @property
    def expiration(self) -> date:
        return self.legs[0].expiration

    @property
    def width(self) -> Decimal:
        """Points between the strikes of the widest vertical."""
        return max_width(self.legs)

    @property
    def closing_bounds(self) -> tuple[Decimal, Decimal]:
        """The least and the most that closing can cost, dollars per share: 0 to the width for a credit spread, -width
        to 0 for a debit spread, whose closing receives a credit."""
        low, high = value_bounds(self.legs)
        return Decimal(0) - high, Decimal(0) - low

    @property
    def max_profit(self) -> Decimal:
        """The most that it can earn per share before costs: the credit, or the width less the debit."""
        return self.credit + value_bounds(self.legs)[1]

    @property
    def closing_legs(self) -> tuple[Leg, ...]:
        """The legs of an order that closes the trade."""
        return invert_legs(self.legs)

    @property
    def remaining(self) -> int:
        """Remaining quantity: spreads still held while the trade is open or closing."""
        return self.quantity - self.closed_quantity
