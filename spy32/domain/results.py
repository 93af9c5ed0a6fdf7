"""What trades earned: the cash flows of a trade, its result, and the totals of all trades."""

from datetime import date, datetime
from enum import StrEnum

from spy32.domain.proposals import ExitReason
from spy32.domain.units import Dollars, Price, TradeId, sum_amounts
from spy32.domain.value import value
from spy32.lifecycle import TradeState


class CashFlowKind(StrEnum):
    """What moved the cash."""

    OPENING = "opening"
    """An opening order."""
    CLOSING = "closing"
    """A closing order of ours, a resting target, or a close by hand at the broker."""
    SETTLEMENT = "settlement"
    """Expiration, assignment, exercise or cash settlement, and the sale of delivered shares."""


@value
class CashFlow:
    """What one order, or one entry of the broker's history, brought or cost a trade, dollars for all its spreads."""

    kind: CashFlowKind
    at: datetime
    amount: Dollars
    """Before fees; a payment is negative."""
    fees: Dollars
    """Commissions, exchange, clearing and regulatory fees, and those of exercise and assignment; positive."""
    spreads: int = 0
    """Whole spreads that it opened or closed; 0 while shares of them are held."""
    mid: Price | None = None
    """Mid of the spread when a person or the plan approved the order, credit per share; a debit is negative. None
    where nothing was decided at a mid: a resting target, a close by hand, a settlement."""


@value
class Realization:
    """The part of a result that became final at one time."""

    at: datetime
    amount: Dollars


@value
class TradeResult:
    """What a trade earned so far. Amounts are dollars after fees unless a field says otherwise."""

    trade_id: TradeId
    state: TradeState
    exit_reason: ExitReason | None
    """None while it is open."""
    premium: Dollars
    """Received to open, before fees; negative when it was paid."""
    closing_cost: Dollars
    """Paid to close or settle what is closed, before fees; negative when it was received."""
    opening_fees: Dollars
    closing_fees: Dollars
    settlement_fees: Dollars
    """Of exercise and assignment, and of selling the shares."""
    opening_slippage: Dollars | None
    """Dollars lost against the mid at the approval, negative when the fill was better; None without such a mid."""
    closing_slippage: Dollars | None
    """The same of all closes that were approved at a mid."""
    realizations: tuple[Realization, ...]
    """The realised result by the time when each part became final, oldest first."""
    open_cash: Dollars
    """What the spreads still held brought so far, after fees: with the realised result it is all the trade's cash."""
    unrealized: Dollars | None
    """Of the spreads still held, by the newest usable mark; None without one, and when the trade has ended."""
    marked_at: datetime | None
    days_held: int | None
    """Calendar days in New York from the first fill to the end; None while it is open."""
    credit_kept: float | None
    """Share of the credit of the closed spreads that was kept, before fees; None before any is closed."""
    of_max_profit: float | None
    """Realised profit as a share of the maximum profit by what was filled; None for a loss."""
    of_max_loss: float | None
    """Realised loss as a share of the maximum loss by what was filled; None for a profit."""

    @property
    def realized_profit(self) -> Dollars:
        return sum_amounts(part.amount for part in self.realizations)

    @property
    def fees(self) -> Dollars:
        """All fees so far, dollars."""
        return self.opening_fees + self.closing_fees + self.settlement_fees


@value
class ResultTotals:
    """What all trades of the account earned, dollars after fees."""

    unrealized: Dollars
    """Of the open trades, by their newest usable marks."""
    unmarked: tuple[TradeId, ...]
    """Open trades without a usable mark, which `unrealized` leaves out."""
    week: Dollars
    """Realised since Monday, New York time."""
    month: Dollars
    """Realised since the first of the month."""
    total: Dollars
    """Realised since the first trade."""
    week_start: date
    month_start: date
