"""The orders of one proposal as our store has them at one moment, and the tickets of new ones."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from spy32.domain.codec import digest
from spy32.domain.orders import Fill, Order, OrderKind, OrderTicket, Trade, invert_legs, spreads_filled
from spy32.domain.proposals import Approval, Proposal, ProposalKind
from spy32.domain.spreads import Leg
from spy32.errors import Refused, Unresolved
from spy32.lifecycle import IN_FLIGHT, OrderState
from spy32.rules import plan, references
from spy32.trading.context import TradingContext


class OrderBook:
    """The orders and fills of a proposal, read once. Load a new book after anything that may have changed a row.

    `proposal` stays as the caller read it, so an order is built from exactly the terms that were checked.
    """

    def __init__(self, context: TradingContext, proposal: Proposal) -> None:
        rows = context.store.orders.select_by_proposal(proposal.id)
        self._clock = context.clock
        self.proposal = proposal
        self.orders = tuple(order for order in rows if order.kind is not OrderKind.TARGET)
        """The orders that open or close the proposal, oldest first."""
        self.targets = tuple(order for order in rows if order.kind is OrderKind.TARGET)
        """Its profit targets, oldest first; a target has a life of its own."""
        self.fills: tuple[Fill, ...] = tuple(
            fill for order in self.orders for fill in context.store.orders.fills(order.id)
        )
        """Everything filled of `orders`, whatever state an order ended in."""

    @property
    def live_orders(self) -> tuple[Order, ...]:
        """The orders that may still fill, without the target."""
        return tuple(order for order in self.orders if order.state in IN_FLIGHT)

    def stop_if_live(self) -> None:
        """Raise `Unresolved` while an order may still fill."""
        if self.live_orders:
            newest = self.live_orders[-1]
            raise Unresolved(f"order {newest.reference} is {newest.state}; run `spy32 reconcile`")

    @property
    def working_orders(self) -> tuple[Order, ...]:
        return tuple(order for order in self.orders if order.state is OrderState.WORKING)

    @property
    def live_target(self) -> Order | None:
        """The target that may still fill; there is at most one."""
        return next((order for order in self.targets if order.state in IN_FLIGHT), None)

    @property
    def filled_quantity(self) -> int:
        """Whole spreads filled over all orders of the proposal."""
        return spreads_filled(self.fills, self.proposal.legs)

    @property
    def is_uneven(self) -> bool:
        """Whether what is filled does not make whole spreads."""
        return is_uneven_fill(self.fills, self.proposal.legs)

    def remaining(self, *, excluding: int | None = None) -> int:
        """Spreads that may still be sent: approved, less filled (by the fullest leg), less alive.

        `excluding` is the id of the order that is about to be replaced.
        """
        filled = max(-(-_filled_contracts(self.fills, leg) // leg.quantity) for leg in self.proposal.legs)
        alive = sum(order.quantity - order.filled for order in self.live_orders if order.id != excluding)
        return self.proposal.quantity - filled - alive

    def deadline(self, approval_id: int) -> datetime:
        """When the price plan of an approval ends, counted from its first order."""
        first_order = next(order for order in self.orders if order.approval_id == approval_id)
        return first_order.created_at + timedelta(seconds=self.proposal.plan.deadline_seconds)

    # New orders. A ticket is not stored yet: `store.orders.begin` checks and stores it.

    def first_ticket(self, approval: Approval, *, held: int | None = None) -> OrderTicket:
        """The order that opens or closes by this approval, at its first limit.

        A close is for no more than the spreads still `held`, which a profit target may have reduced since.
        """
        kind = OrderKind.ENTRY if self.proposal.kind is ProposalKind.OPEN else OrderKind.EXIT
        quantity = self.proposal.quantity if held is None else min(self.proposal.quantity, held)
        reference = references.order_reference(approval, attempt=1)
        return self._ticket(approval.id, reference, kind, self.proposal.limit_price, quantity)

    def next_ticket(self, order: Order, price: Decimal) -> OrderTicket:
        """The order that replaces `order` at another price; `Refused` when it would be more than was approved."""
        # The number follows the newest order, because a replacement that never arrived has used its own.
        newest = [other for other in self.orders if not other.is_adopted][-1]
        reference, remaining = references.next_reference(newest.reference), self.remaining(excluding=order.id)
        if not order.quantity <= remaining:
            raise Refused(f"order {reference} would be for {order.quantity}, only {remaining} may still be sent")
        ticket = self._ticket(order.approval_id, reference, order.kind, price, order.quantity)
        return replace(ticket, replaces=order.id)

    def target_ticket(self, trade: Trade) -> OrderTicket:
        """The resting order at the approved target for what the trade holds; it belongs to the entry's approval."""
        entry = self.orders[-1]
        stem, _, _ = entry.reference.rpartition("-")
        limit = -(trade.exits or self.proposal.exit).profit_target
        reference = f"{stem}-t{len(self.targets) + 1}"
        return self._ticket(entry.approval_id, reference, OrderKind.TARGET, limit, trade.remaining)

    def _ticket(self, approval_id: int, reference: str, kind: OrderKind, limit: Decimal, quantity: int) -> OrderTicket:
        proposal = self.proposal
        body = plan.order_body(order_legs(proposal, kind), quantity, limit, reference, kind=kind)
        return OrderTicket(
            proposal_id=proposal.id,
            approval_id=approval_id,
            reference=reference,
            kind=kind,
            mode=proposal.mode,
            account=proposal.account,
            body=body,
            body_hash=digest(body),
            limit=limit,
            quantity=quantity,
            created_at=self._clock(),
        )


def load_order_book(context: TradingContext, proposal_id: int) -> OrderBook:
    """The book of a proposal, with the proposal itself read now."""
    return OrderBook(context, context.store.proposals.get(proposal_id))


def order_legs(proposal: Proposal, kind: OrderKind) -> tuple[Leg, ...]:
    """The legs as an order of this kind trades them: a profit target closes what its proposal opens."""
    return invert_legs(proposal.legs) if kind is OrderKind.TARGET else proposal.legs


def load_order_legs(context: TradingContext, order: Order) -> tuple[Leg, ...]:
    """The legs as this order of ours trades them."""
    return order_legs(context.store.proposals.get(order.proposal_id), order.kind)


def is_uneven_fill(fills: tuple[Fill, ...], legs: tuple[Leg, ...]) -> bool:
    """Whether the fills do not make whole spreads."""
    spreads = spreads_filled(fills, legs)
    return any(_filled_contracts(fills, leg) != spreads * leg.quantity for leg in legs)


def uneven_fill_text(fills: tuple[Fill, ...], legs: tuple[Leg, ...]) -> str:
    """The filled contracts of each leg, and how many whole spreads they make."""
    parts = ", ".join(f"{_filled_contracts(fills, leg)} x {leg.action} {leg.symbol}" for leg in legs)
    return f"uneven fill: {parts}; {spreads_filled(fills, legs)} whole spreads of it"


def _filled_contracts(fills: tuple[Fill, ...], leg: Leg) -> int:
    return sum(fill.quantity for fill in fills if fill.symbol == leg.symbol)
