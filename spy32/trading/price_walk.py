"""Work the price of a live order along its price plan: never beyond the floor, never past the deadline."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from spy32.domain.orders import BrokerOrder, Order, limit_text
from spy32.domain.proposals import Proposal
from spy32.domain.spreads import Mode
from spy32.errors import Refused, Spy32Error, Unresolved
from spy32.lifecycle import FINAL, EndedBy, OrderState
from spy32.trading import order_state
from spy32.trading.context import TradingContext
from spy32.trading.duplicate_orders import DuplicateCancelled, check_duplicates, check_duplicates_with_retry
from spy32.trading.order_book import OrderBook, load_order_book
from spy32.trading.order_lookup import READ_ERRORS

POLL_SECONDS = 5.0


@dataclass(slots=True)
class Timer:
    """The time that a price plan has left: until its deadline by the clock, but never more than the seconds not yet
    waited, in case the clock is set back."""

    trading_context: TradingContext
    deadline: datetime
    seconds: float

    @property
    def remaining_seconds(self) -> float:
        return max(min((self.deadline - self.trading_context.clock()).total_seconds(), self.seconds), 0)

    @property
    def is_over(self) -> bool:
        """Whether the deadline has passed or a halt is set, after which no price is changed."""
        return self.remaining_seconds <= 0 or self.trading_context.halt_reason() is not None

    def pause(self, seconds: float) -> None:
        self.trading_context.sleep(seconds)
        self.seconds -= seconds


def walk_price(context: TradingContext, proposal: Proposal, order: Order) -> Order:
    """Work the price and return the last order, final: filled, or cancelled at the deadline or a halt and confirmed."""
    deadline = OrderBook(context, proposal).deadline(order.approval_id)
    timer = Timer(context, deadline, proposal.plan.deadline_seconds)
    try:
        order = _walk_down(context, proposal, order, timer)
    except DuplicateCancelled:
        raise
    except Spy32Error as error:
        # Leave nothing alive that we know of, even when an outcome is unknown or the store cannot be written.
        context.report(f"{order.reference}: {error.message}; what works of it is asked to be cancelled")
        with suppress(Spy32Error):
            cancel_working_orders(context, order.proposal_id)
        raise
    cancel_working_orders(context, order.proposal_id)
    return context.store.orders.get(order.id)


def cancel_working_orders(context: TradingContext, proposal_id: int) -> None:
    """Cancel every working order and confirm it; the first failure is raised after all were requested."""
    errors: list[Unresolved] = []
    for order in load_order_book(context, proposal_id).working_orders:
        try:
            order_state.cancel_order(context, order)
        except Unresolved as error:
            errors.append(error)
    if errors:
        raise errors[0]


def cancel_and_conclude(context: TradingContext, proposal_id: int) -> None:
    """Cancel every working order after an interruption, confirm it, and report what was filled.

    `Unresolved` when an order may still be alive. After a second interruption `reconcile` settles what is stored.
    """
    context.report("stopping: asking the broker to cancel what works")
    for error in order_state.recover_orders(context, proposal_id):
        context.report(error.message)
    cancel_working_orders(context, proposal_id)
    live_orders = load_order_book(context, proposal_id).live_orders
    if live_orders:
        raise Unresolved(f"order {live_orders[-1].reference} is {live_orders[-1].state}; run `spy32 reconcile`")
    filled = order_state.conclude_proposal(context, proposal_id, reason="stopped by the person")
    state = context.store.proposals.get(proposal_id).state
    context.report(f"P{proposal_id}: {filled} filled, nothing works any more, the proposal is {state}")


def _walk_down(context: TradingContext, proposal: Proposal, order: Order, timer: Timer) -> Order:
    """Step the price to the floor, resting at each; at the floor or after a partial fill, rest until the deadline."""
    for price in [price for price in proposal.plan.prices if price < order.limit]:
        order = _watch_order(context, order, timer, proposal.plan.step_seconds, price)
        if order.state in FINAL or timer.is_over:
            return order
        order, is_alone = _check_is_alone(context, order)
        if order.state in FINAL:
            return order
        if is_alone and _can_reprice(context, order):
            order = _reprice(context, proposal, order, price, timer)
            if order.state is not OrderState.WORKING:
                return order
    return _watch_order(context, order, timer, timer.remaining_seconds, None)


def _check_is_alone(context: TradingContext, order: Order) -> tuple[Order, bool]:
    """Check for duplicates; return the order and whether today's orders could be read. If not, do not reprice."""
    try:
        return check_duplicates(context, order), True
    except Unresolved:
        raise
    except READ_ERRORS as error:
        context.report(f"{order.reference}: the price stays, since today's orders cannot be read ({error.message})")
        return order, False


def _can_reprice(context: TradingContext, order: Order) -> bool:
    """Return whether nothing is filled, not even one leg, and the order is unedited and the only one alive."""
    is_ours = not (order.is_adopted or order.is_replaced_by_hand or order.is_unclear)
    book = load_order_book(context, order.proposal_id)
    if not is_ours or book.fills:
        return False
    others = [other for other in book.working_orders if other.id != order.id]
    refreshed = [order_state.try_refresh_order(context, other) for other in others]
    return all(other.state in FINAL for other in refreshed) and not load_order_book(context, order.proposal_id).fills


def _watch_order(
    context: TradingContext, order: Order, timer: Timer, seconds: float, next_price: Decimal | None
) -> Order:
    """Poll the order for `seconds`, until it is final, or until the plan is over."""
    step_end = context.clock() + timedelta(seconds=seconds)
    while True:
        order = order_state.try_refresh_order(context, order)
        seconds_left = max(min((step_end - context.clock()).total_seconds(), seconds, timer.remaining_seconds), 0)
        context.show_progress(_progress_parts(order, seconds_left, timer.remaining_seconds, next_price))
        if order.state in FINAL or seconds_left <= 0 or timer.is_over:
            return order
        pause = min(POLL_SECONDS, seconds_left)
        timer.pause(pause)
        seconds -= pause


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


def _reprice(context: TradingContext, proposal: Proposal, order: Order, price: Decimal, timer: Timer) -> Order:
    """Replace the order at the next price and return the order that works now.

    The replacement is stored before the request, under the next running number. If it fails, the old order is returned
    as the broker shows it. If the broker refuses to replace a working order, that is cancelled first.
    """
    replacement = _submit_successor(
        context, proposal, order, price, lambda body: context.orders.replace(str(order.broker_id), body)
    )
    if replacement is None:
        return order
    if replacement.state in FINAL and replacement.state is not OrderState.FILLED:
        order = order_state.try_refresh_order(context, order)
        if replacement.ended_by is EndedBy.BROKER and order.state is OrderState.WORKING:
            return _cancel_and_resubmit(context, proposal, order, price, timer)
        return order
    order = order_state.wait_until_final(context, order)
    if context.store.orders.fills(order.id) and replacement.state not in FINAL:
        # The old order filled during the replacement: cancel the new one, or more than approved is sold.
        return order_state.cancel_order(context, replacement)
    return replacement


def _cancel_and_resubmit(
    context: TradingContext, proposal: Proposal, order: Order, price: Decimal, timer: Timer
) -> Order:
    """Cancel the order, confirm that nothing filled, and submit a new one at the next price."""
    if not _can_reprice(context, order) or timer.is_over:
        return order
    context.report(f"{order.reference}: the broker does not replace it; it is cancelled first")
    order = order_state.cancel_order(context, order)
    if order.state is not OrderState.CANCELLED or load_order_book(context, order.proposal_id).fills or timer.is_over:
        return order
    placed = _submit_successor(context, proposal, order, price, context.orders.submit)
    return check_duplicates_with_retry(context, placed) if placed is not None else order


def _submit_successor(
    context: TradingContext, proposal: Proposal, order: Order, price: Decimal, request: Callable[[str], BrokerOrder]
) -> Order | None:
    """Store the successor of `order`, make its one request, and settle it if the answer was lost.

    Returns None, and reports why, when it may not be sent.
    """
    try:
        ticket = OrderBook(context, proposal).next_ticket(order, price, context.clock())
        committed = context.store.orders.begin(ticket, at=context.clock())
    except Refused as refusal:
        context.report(f"{order.reference}: no next price is sent: {refusal.message}")
        return None
    successor = order_state.send_order(context, committed, lambda: request(committed.body))
    if successor.state is OrderState.UNKNOWN:
        successor = order_state.resolve_unknown(context, successor)
    context.report(f"{successor.reference}: {successor.state} at {limit_text(successor.limit)}")
    return successor
