"""What fills paid, in ten-thousandths of a dollar per share, and whether that is beyond the approved price."""

import sqlite3
from collections.abc import Callable, Sequence
from decimal import ROUND_FLOOR, Decimal

from spy32.domain.market import Right
from spy32.domain.orders import Fill, OrderKind, Trade, spreads_filled
from spy32.domain.proposals import ExitPlan, ProposalKind
from spy32.domain.spreads import Leg
from spy32.records.base import WriteTransaction
from spy32.records.encoding import E4, E4_UNIT, dollars_to_e4, e4_to_dollars, nearest_e4
from spy32.records.notices import add_attention
from spy32.records.orders import Orders
from spy32.records.proposals import Proposals

ATTENTION_PRICE = "price"
"""The kind of the attention item."""

ExitsByCredit = Callable[[Decimal], ExitPlan]
"""Returns the exit plan of an opening for the credit of its fills, dollars per share."""


def premium_e4(fills: Sequence[Fill], legs: Sequence[Leg], spreads: int) -> int:
    """Return the credit per share summed over `spreads`, in ten-thousandths; a debit is negative.

    Exact when the legs are filled evenly. If one leg is ahead, its average price counts, rounded to our disadvantage.
    """
    total = Decimal(0)
    for leg in legs:
        leg_fills = [fill for fill in fills if fill.symbol == leg.symbol]
        count = sum(fill.quantity for fill in leg_fills)
        value = sum((fill.price * fill.quantity for fill in leg_fills), Decimal(0))
        total += leg.action.sign * value * leg.quantity * spreads / count
    return int((total * E4).to_integral_value(rounding=ROUND_FLOOR))


def max_settlement_cost_e4(legs: Sequence[Leg]) -> int:
    """Return the most that the legs can cost at expiration, per share, in ten-thousandths.

    Their value is piecewise linear in the underlying, so with defined risk its minimum is at zero or at a strike.
    """
    return -dollars_to_e4(min(_settlement_value(legs, price) for price in (Decimal(0), *(leg.strike for leg in legs))))


def _settlement_value(legs: Sequence[Leg], price: Decimal) -> Decimal:
    value = Decimal(0)
    for leg in legs:
        intrinsic = price - leg.strike if leg.right is Right.CALL else leg.strike - price
        value -= leg.action.sign * leg.quantity * max(intrinsic, Decimal(0))
    return value


def check_fill_price(
    change: WriteTransaction, order: sqlite3.Row, legs: Sequence[Leg], trade: Trade, exits: ExitsByCredit | None
) -> None:
    """Raise an attention item when an order filled below its floor or above its ceiling; the fills stay as they are.

    All entries, or all closings, of a proposal count together, a profit target alone. An opening's exit plan is
    then repriced for the credit of its fills, since the approved target might be a loss.
    """
    orders, proposal = Orders(change.core), Proposals(change.core).get(order["proposal_id"])
    is_target = order["kind"] == OrderKind.TARGET
    together = [orders.get(order["id"])] if is_target else orders.select_by_proposal(proposal.id)
    fills = [
        fill for each in together if (each.kind is OrderKind.TARGET) is is_target for fill in orders.fills(each.id)
    ]
    bound = e4_to_dollars(order["limit_e4"]) if is_target else proposal.floor_price
    net = _net_price(fills, legs)
    # A broker reports the average price of a leg to four decimals.
    if net is None or not net < bound - E4_UNIT * len(legs):
        return
    if proposal.kind is not ProposalKind.OPEN:
        message = f"T{trade.id} was closed at {-net} a share, above the approved ceiling of {-bound}"
    elif is_target:
        message = f"the profit target of T{trade.id} was filled at {-net} a share, above its limit of {-bound}"
    else:
        losses = f"it may lose ${trade.max_loss:,.2f}, and ${proposal.max_loss:,.2f} was approved"
        message = f"T{trade.id} was opened at {net} a share, below the approved floor of {bound}: {losses}"
        if exits is not None:
            plan = exits(net)
            change.update("trade", trade.id, exits=plan)
            message += f"; by the real credit its profit target is {plan.profit_target} and its stop {plan.stop}"
    # More may have been filled since the item was raised.
    add_attention(change, f"T{trade.id}", ATTENTION_PRICE, message, renews=True)


def _net_price(fills: Sequence[Fill], legs: Sequence[Leg]) -> Decimal | None:
    """Return the average credit per share of whole spreads, a debit negative; None while the legs are uneven."""
    spreads = spreads_filled(tuple(fills), tuple(legs))
    if spreads == 0 or sum(fill.quantity for fill in fills) != spreads * sum(leg.quantity for leg in legs):
        return None
    paid = sum((fill.action.sign * fill.quantity * fill.price for fill in fills), Decimal(0))
    return e4_to_dollars(nearest_e4(paid / spreads))
