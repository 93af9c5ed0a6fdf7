"""Detects fills beyond the approved price. They are recorded as they are and raise an attention item."""

import sqlite3
from collections.abc import Callable, Sequence
from decimal import Decimal

from spy32.domain.codec import canonical_json
from spy32.domain.orders import Fill, OrderKind, Trade, spreads_filled
from spy32.domain.proposals import ExitPlan, ProposalKind
from spy32.domain.spreads import Leg
from spy32.records.attention import add_attention
from spy32.records.base import Database, WriteTransaction
from spy32.records.encoding import E4_UNIT, e4_to_dollars, nearest_e4
from spy32.records.orders import Orders
from spy32.records.proposals import Proposals

ATTENTION_PRICE = "price"
"""The kind of the attention item."""

ExitsByCredit = Callable[[Decimal], ExitPlan]
"""Returns the exit plan of an opening for the credit of its fills, dollars per share."""


def net_fill_price(fills: Sequence[Fill], legs: Sequence[Leg]) -> Decimal | None:
    """Return the average credit per share of whole spreads, a debit negative; None while the legs are uneven."""
    spreads = spreads_filled(tuple(fills), tuple(legs))
    if spreads == 0 or sum(fill.quantity for fill in fills) != spreads * sum(leg.quantity for leg in legs):
        return None
    paid = sum((fill.action.sign * fill.quantity * fill.price for fill in fills), Decimal(0))
    return e4_to_dollars(nearest_e4(paid / spreads))


class FillPriceCheck:
    """Compares fills with the approved price, inside the transaction that records them."""

    def __init__(self, core: Database, proposals: Proposals, orders: Orders) -> None:
        self._core = core
        self._proposals = proposals
        self._orders = orders

    def run(
        self,
        change: WriteTransaction,
        order: sqlite3.Row,
        legs: Sequence[Leg],
        trade: Trade,
        exits: ExitsByCredit | None,
    ) -> None:
        """Raise an attention item when an order filled below its floor or above its ceiling.

        All entries, or all closings, of a proposal count together, a profit target alone. An opening's exit plan is
        then repriced for the credit of its fills, since the approved target might be a loss.
        """
        proposal = self._proposals.get(order["proposal_id"])
        is_target = order["kind"] == OrderKind.TARGET
        orders = [self._orders.get(order["id"])] if is_target else self._orders.select_by_proposal(order["proposal_id"])
        order_ids = [other.id for other in orders if (other.kind is OrderKind.TARGET) is is_target]
        bound = e4_to_dollars(order["limit_e4"]) if is_target else proposal.floor_price
        net = net_fill_price([fill for number in order_ids for fill in self._orders.fills(number)], legs)
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
                change.update("trade", trade.id, exits=canonical_json(plan))
                message += f"; by the real credit its profit target is {plan.profit_target} and its stop {plan.stop}"
        self._raise_attention(change, f"T{trade.id}", message)

    def _raise_attention(self, change: WriteTransaction, subject: str, message: str) -> None:
        """Raise or update the item: more may have been filled since it was raised."""
        open_item = self._core.row(
            "select id from attention where subject = ? and kind = ? and acknowledged_at is null",
            subject,
            ATTENTION_PRICE,
        )
        if open_item is None:
            add_attention(self._core, change, subject, ATTENTION_PRICE, message)
        else:
            change.update("attention", open_item["id"], message=message)
