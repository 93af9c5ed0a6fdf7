"""Work the price of a live order along its price plan: never beyond the floor, never past the deadline.

After an entry is placed and before each step, today's orders are read again: another copy of this home may have sent an
order for the same approval.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from spy32.domain.orders import BrokerOrder, Order, OrderKind, limit_text
from spy32.domain.proposals import CLOCK_TOLERANCE, Proposal
from spy32.domain.spreads import Mode
from spy32.errors import Refused, Spy32Error, Unresolved
from spy32.lifecycle import FINAL, NEVER_AT_BROKER, EndedBy, OrderState
from spy32.trading import order_adoption, order_state
from spy32.trading.context import TradingContext
from spy32.trading.order_book import OrderBook, load_order_book, load_order_legs
from spy32.trading.order_lookup import READ_ERRORS, OrderChain, arrival_key, build_order_chains


class DuplicateCancelled(Unresolved):
    """Our order was the younger of two and was cancelled. The older one, which another home works, was left alone."""


def check_duplicates_with_retry(context: TradingContext, order: Order) -> Order:
    """`check_duplicates`, repeated with pauses while today's orders cannot be read; then the order as stored."""
    for wait in order_state.FILL_WAITS:
        checked = try_check_duplicates(context, order)
        if checked is not None:
            return checked
        context.sleep(wait)
    return context.store.orders.get(order.id)


def try_check_duplicates(context: TradingContext, order: Order) -> Order | None:
    """`check_duplicates`; None, which is reported, while today's orders cannot be read."""
    try:
        return check_duplicates(context, order)
    except Unresolved:
        raise
    except READ_ERRORS as error:
        context.report(f"{order.reference}: the price stays, since today's orders cannot be read ({error.message})")
        return None


def check_duplicates(context: TradingContext, order: Order) -> Order:
    """Return the order once today's orders show no other one for its approval.

    A second order with the approval's reference is adopted, and the younger of the two is cancelled and confirmed. An
    order with the same legs that is not in our book is left alone; ours is cancelled if it is the younger. Raises
    `DuplicateCancelled` when ours was cancelled, `Unresolved` when that cannot be confirmed.
    """
    if not context.orders.is_shared or order.kind is not OrderKind.ENTRY or order.state in NEVER_AT_BROKER:
        return order
    was_working = order.state not in FINAL
    chains = build_order_chains(context.orders.todays_orders())
    order_adoption.adopt_orders(context, chains, locked_proposal_id=order.proposal_id)
    _cancel_if_younger(context, order, chains)
    order = context.store.orders.get(order.id)
    unreviewed = order_adoption.find_unreviewed_error(context, order.proposal_id)
    if was_working and order.state is OrderState.CANCELLED and not order.filled and unreviewed is not None:
        # What cannot be concluded now the next command concludes; the duplicate is what a person must hear of.
        with suppress(Spy32Error):
            order_state.conclude_proposal(context, order.proposal_id, reason="the younger of two orders was cancelled")
        raise DuplicateCancelled(unreviewed.message)
    return order


def _cancel_if_younger(context: TradingContext, order: Order, chains: tuple[OrderChain, ...]) -> None:
    """Report orders with the same legs that are not in our book, and cancel ours when one of them is older.

    Those are meant that are alive, or were filled after ours was created.
    """
    own = (chain.arrival for chain in chains if order.broker_id in chain.ids)
    arrival, legs = next(own, arrival_key(str(order.broker_id))), load_order_legs(context, order)
    for rival in chains:
        placed_at, broker_order = rival.first_order.placed_at, rival.last_order
        is_recent = placed_at is None or placed_at >= order.created_at - CLOCK_TOLERANCE
        is_rival = (rival.is_alive or (is_recent and rival.may_have_filled)) and broker_order.has_sides_of(legs)
        if not is_rival or not order_adoption.is_foreign(context, rival):
            continue
        message = (
            f"order {broker_order.broker_id} at the broker ({broker_order.status}) has the same legs and is not "
            "in this book"
        )
        context.report(f"LOOK AT THIS: {message}")
        subject = f"P{order.proposal_id}"
        context.store.attention.raise_item(subject, order_adoption.SECOND_ORDER, message, context.clock())
        order = context.store.orders.get(order.id)
        if rival.arrival < arrival and order.state is OrderState.WORKING:
            order_state.cancel_order(context, order)


# The walk.

POLL_SECONDS = 5.0


def walk_price(context: TradingContext, proposal: Proposal, order: Order) -> Order:
    """Work the price and return the last order, final: filled, or cancelled at the deadline or a halt and confirmed."""
    deadline = OrderBook(context, proposal).deadline(order.approval_id)
    try:
        order = _PriceWalk(context, proposal, deadline, proposal.plan.deadline_seconds).run(order)
    except DuplicateCancelled:
        raise
    except Spy32Error as error:
        # Leave nothing alive that we know of, even when an outcome is unknown or the store cannot be written.
        context.report(f"{order.reference}: {error.message}; what works of it is asked to be cancelled")
        with suppress(Spy32Error):
            order_state.cancel_working_orders(context, order.proposal_id, spares_target=True)
        raise
    errors = order_state.cancel_working_orders(context, order.proposal_id, spares_target=True)
    if errors:
        raise errors[0]
    return context.store.orders.get(order.id)


def cancel_and_conclude(context: TradingContext, proposal_id: int) -> None:
    """Cancel every working order after an interruption, confirm it, and report what was filled.

    `Unresolved` when an order may still be alive. After a second interruption `reconcile` settles what is stored.
    """
    context.report("stopping: asking the broker to cancel what works")
    for error in order_state.recover_orders(context, proposal_id):
        context.report(error.message)
    errors = order_state.cancel_working_orders(context, proposal_id, spares_target=True)
    if errors:
        raise errors[0]
    load_order_book(context, proposal_id).stop_if_live()
    filled = order_state.conclude_proposal(context, proposal_id, reason="stopped by the person")
    state = context.store.proposals.get(proposal_id).state
    context.report(f"P{proposal_id}: {filled} filled, nothing works any more, the proposal is {state}")


@dataclass(slots=True)
class _PriceWalk:
    """The way along a price plan, and the time that is left: until the deadline by the clock, but never more than the
    seconds not yet waited, in case the clock is set back."""

    context: TradingContext
    proposal: Proposal
    deadline: datetime
    seconds: float

    @property
    def remaining_seconds(self) -> float:
        return max(min((self.deadline - self.context.clock()).total_seconds(), self.seconds), 0)

    @property
    def is_over(self) -> bool:
        """Whether the deadline has passed or a halt is set, after which no price is changed."""
        return self.remaining_seconds <= 0 or self.context.halt_reason() is not None

    def run(self, order: Order) -> Order:
        """Step the price to the floor, resting at each; at the floor or after a partial fill, rest until the
        deadline."""
        for price in [price for price in self.proposal.plan.prices if price < order.limit]:
            order = self._watch(order, self.proposal.plan.step_seconds, price)
            if order.state in FINAL or self.is_over:
                return order
            checked = try_check_duplicates(self.context, order)
            if checked is None:
                continue
            order = checked
            if order.state in FINAL:
                return order
            if _can_reprice(self.context, order):
                order = self._reprice(order, price)
                if order.state is not OrderState.WORKING:
                    return order
        return self._watch(order, self.remaining_seconds, None)

    def _watch(self, order: Order, seconds: float, next_price: Decimal | None) -> Order:
        """Poll the order for `seconds`, until it is final, or until the plan is over."""
        step_end = self.context.clock() + timedelta(seconds=seconds)
        while True:
            order = order_state.try_refresh_order(self.context, order)
            left = (step_end - self.context.clock()).total_seconds()
            seconds_left = max(min(left, seconds, self.remaining_seconds), 0)
            self.context.show_progress(_progress_parts(order, seconds_left, self.remaining_seconds, next_price))
            if order.state in FINAL or seconds_left <= 0 or self.is_over:
                return order
            pause = min(POLL_SECONDS, seconds_left)
            self.context.sleep(pause)
            self.seconds -= pause
            seconds -= pause

    def _reprice(self, order: Order, price: Decimal) -> Order:
        """Replace the order at the next price and return the order that works now.

        The replacement is stored before the request, under the next running number. If it fails, the old order is
        returned as the broker shows it. If the broker refuses to replace a working order, that is cancelled first.
        """
        context = self.context
        replacement = self._submit_successor(
            order, price, lambda body: context.orders.replace(str(order.broker_id), body)
        )
        if replacement is None:
            return order
        if replacement.state in FINAL and replacement.state is not OrderState.FILLED:
            current = order_state.try_refresh_order(context, order)
            if replacement.ended_by is EndedBy.BROKER and current.state is OrderState.WORKING:
                return self._cancel_and_resubmit(current, price)
            return current
        order_state.wait_until_final(context, order)
        if context.store.orders.fills(order.id) and replacement.state not in FINAL:
            # The old order filled during the replacement: cancel the new one, or more than approved is sold.
            return order_state.cancel_order(context, replacement)
        return replacement

    def _cancel_and_resubmit(self, order: Order, price: Decimal) -> Order:
        """Cancel the order, confirm that nothing filled, and submit a new one at the next price."""
        if not _can_reprice(self.context, order) or self.is_over:
            return order
        self.context.report(f"{order.reference}: the broker does not replace it; it is cancelled first")
        order = order_state.cancel_order(self.context, order)
        is_filled = bool(load_order_book(self.context, order.proposal_id).fills)
        if order.state is not OrderState.CANCELLED or is_filled or self.is_over:
            return order
        placed = self._submit_successor(order, price, self.context.orders.submit)
        return check_duplicates_with_retry(self.context, placed) if placed is not None else order

    def _submit_successor(self, order: Order, price: Decimal, request: Callable[[str], BrokerOrder]) -> Order | None:
        """Store the successor of `order`, make its one request, and settle it if the answer was lost.

        Returns None, and reports why, when it may not be sent.
        """
        context = self.context
        try:
            ticket = OrderBook(context, self.proposal).next_ticket(order, price)
            committed = context.store.orders.begin(ticket, at=context.clock())
        except Refused as refusal:
            context.report(f"{order.reference}: no next price is sent: {refusal.message}")
            return None
        successor = order_state.send_order(context, committed, lambda: request(committed.body))
        context.report(f"{successor.reference}: {successor.state} at {limit_text(successor.limit)}")
        return successor


def _can_reprice(context: TradingContext, order: Order) -> bool:
    """Return whether nothing is filled, not even one leg, and the order is unedited and the only one alive."""
    is_ours = not (order.is_adopted or order.is_replaced_by_hand or order.is_unclear)
    book = load_order_book(context, order.proposal_id)
    if not is_ours or book.fills:
        return False
    others = [other for other in book.working_orders if other.id != order.id]
    refreshed = [order_state.try_refresh_order(context, other) for other in others]
    return all(other.state in FINAL for other in refreshed) and not load_order_book(context, order.proposal_id).fills


def _progress_parts(
    order: Order, seconds_left: float, deadline_seconds: float, next_price: Decimal | None
) -> tuple[str, ...]:
    """Return how the order stands: first its reference, last what a narrow terminal can do without."""
    is_paper = order.mode is Mode.PAPER
    return (
        order.reference,
        f"PAPER · {order.state}" if is_paper else order.broker_status or f"{order.state}",
        limit_text(order.limit),
        f"{order.filled} of {order.quantity} filled",
        f"next {abs(next_price)} in {_format_duration(seconds_left)}" if next_price is not None else "last price",
        f"ends in {_format_duration(deadline_seconds)}",
    )


def _format_duration(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"
