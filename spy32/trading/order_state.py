"""Apply what the broker shows to our orders, and bring an order and its proposal to their final states."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

from spy32.domain.orders import BrokerOrder, Order, OrderKind, spreads_filled
from spy32.domain.proposals import Proposal, ProposalKind
from spy32.domain.spreads import Mode
from spy32.errors import BrokerRefused, Refused, Spy32Error, Unavailable, Unresolved
from spy32.lifecycle import FINAL, IN_FLIGHT, OPEN_TRADES, ORDER_TRANSITIONS, EndedBy, OrderState, ProposalState
from spy32.records.fill_prices import ATTENTION_PRICE
from spy32.rules import plan
from spy32.trading import order_lookup
from spy32.trading.context import TradingContext
from spy32.trading.order_book import OrderBook, is_uneven_fill, load_order_book, load_order_legs, uneven_fill_text
from spy32.trading.order_lookup import READ_ERRORS

ABSENCE_READS = 3
"""A new order may appear late in the broker's lists, so an order is absent only after this many reads ..."""
ABSENCE_SECONDS = 60.0
"""... over at least so many seconds of waiting. A clock is not used: it jumps when the machine sleeps."""
CANCEL_WAITS = (1.0, 2.0, 3.0, 5.0, 8.0, 13.0)
"""Pauses in seconds between reads of an order that should end; they grow."""
FILL_WAITS = (1.0, 2.0, 3.0, 5.0)
"""Pauses in seconds between reads while fills are not listed yet."""
OVERFILL = "beyond approval"
"""Kind of the attention item."""

# Requests and their answers.


def send_order(context: TradingContext, order: Order, request: Callable[[], BrokerOrder]) -> Order:
    """Make the one request for an order that is stored as `submitting`; return it as accepted or refused.

    An unknown outcome is settled by reading.
    """
    halt_reason = context.halt_reason()
    if halt_reason is not None:
        # The last check before the request; nothing was sent.
        refused_by, words = EndedBy.HALT, f"halted: {halt_reason}"
    else:
        try:
            broker_order = request()
        except BrokerRefused as refusal:
            refused_by, words = EndedBy.BROKER, refusal.message
        except Refused as late:
            refused_by, words = EndedBy.TOO_LATE, f"too late: {late.message}"
        except Unavailable as error:
            # The request did not leave this machine, so the order counts as refused and a person may approve again.
            refused_by, words = EndedBy.NOT_SENT, f"not sent: {error.message}"
        except Unresolved as doubt:
            order = _change_state(context, order, OrderState.UNKNOWN, reason=doubt.message)
            return resolve_unknown(context, order)
        else:
            return apply_broker_order(context, order, broker_order)
    return context.store.orders.refuse(order.id, was=order.state, by=refused_by, reason=words, at=context.clock())


def apply_broker_order(context: TradingContext, order: Order, broker_order: BrokerOrder) -> Order:
    """Store what the broker shows of the order and return it. Fills come first, so a crash in between is recovered.

    `Unresolved` when the broker's view contradicts the order; the order stays in flight, with the reason.
    """
    _record_fills(context, context.store.orders.get(order.id), broker_order)
    order = context.store.orders.get(order.id)
    if order.state in FINAL:
        return order
    if broker_order.is_replaced_by_hand and not (
        order.is_replaced_by_hand and broker_order.broker_id == order.broker_id
    ):
        context.report(f"{order.reference}: {broker_order.reason}; its price is not worked any more")
    legs = load_order_legs(context, order)
    state = broker_order.state
    if order_lookup.has_unlisted_fills(broker_order, legs):
        state = OrderState.WORKING
        words = (
            f"filled at the broker, which lists {spreads_filled(broker_order.fills, legs)} of "
            f"{broker_order.quantity} so far"
        )
        broker_order = replace(broker_order, is_unclear=True, reason=words)
    elif state in FINAL and is_uneven_fill(fills := context.store.orders.fills(order.id), legs):
        unevenness = uneven_fill_text(fills, legs)
        broker_order = replace(broker_order, reason=unevenness)
        context.report(f"LOOK AT THIS: {order.reference} is {broker_order.status} with an {unevenness}")
    if order.matches(broker_order, state):
        return order
    if state not in ORDER_TRANSITIONS[order.state] and state is not order.state:
        if OrderState.UNKNOWN not in ORDER_TRANSITIONS[order.state]:
            raise _flag_contradiction(
                context, order, broker_order, f"the broker calls it {broker_order.status} ({state})"
            )
        order = _change_state(context, order, OrderState.UNKNOWN, broker_order=broker_order)
    return _change_state(context, order, state, broker_order=broker_order)


def _record_fills(context: TradingContext, order: Order, broker_order: BrokerOrder) -> None:
    if not broker_order.fills:
        return
    proposal = context.store.proposals.get(order.proposal_id)
    try:
        context.store.trades.record_fills(
            order.id,
            broker_order.fills,
            fees=broker_order.fees,
            at=context.clock(),
            assumption=context.orders.assumption,
            exits=lambda credit: plan.reprice_exits(
                proposal.exit, plan.proposal_spread(proposal), credit, context.settings
            ),
        )
    except Refused as refusal:
        raise _flag_contradiction(context, order, broker_order, refusal.message) from refusal


def unreviewed_error(context: TradingContext, subject: str, *kinds: str) -> Unresolved | None:
    """Return the error to raise while an attention item of these kinds is open for the subject; None otherwise."""
    for item in context.store.attention.open_items():
        if item.subject == subject and item.kind in kinds:
            return Unresolved(
                f"LOOK AT THIS: {item.message}; compare with the broker, then `spy32 status --ack {subject}`"
            )
    return None


def unreviewed_price_error(context: TradingContext, proposal_id: int) -> Unresolved | None:
    """Return the error to raise while a fill beyond the approved price is not acknowledged; None otherwise."""
    trade = context.store.trades.find_by_proposal(proposal_id)
    return unreviewed_error(context, f"T{trade.id}", ATTENTION_PRICE) if trade is not None else None


def _flag_contradiction(
    context: TradingContext, order: Order, broker_order: BrokerOrder, contradiction: str
) -> Unresolved:
    """Mark the order as unclear since the broker's view contradicts it; return the error. Nothing else is stored."""
    message = f"what the broker shows of order {order.reference} cannot be recorded: {contradiction}"
    state = OrderState.WORKING if order.state in (OrderState.SUBMITTING, OrderState.UNKNOWN) else order.state
    if not (order.is_unclear and order.matches(broker_order, state)):
        _change_state(context, order, state, broker_order=replace(broker_order, is_unclear=True, reason=message))
    return Unresolved(f"{message}; compare with the broker's own view and `spy32 positions`")


def _change_state(
    context: TradingContext,
    order: Order,
    state: OrderState,
    *,
    broker_order: BrokerOrder | None = None,
    reason: str = "",
) -> Order:
    return context.store.orders.move(
        order.id, was=order.state, now=state, at=context.clock(), broker=broker_order, reason=reason
    )


# Reading.


def refresh_order(context: TradingContext, order: Order) -> Order:
    """Read the order at the broker, store what it shows and return it. An unknown id is looked up by reference."""
    assert order.broker_id is not None
    try:
        broker_order = order_lookup.load_broker_order(context, order)
        legs = load_order_legs(context, order)
        for wait in FILL_WAITS:
            is_uneven = broker_order.state in FINAL and is_uneven_fill(broker_order.fills, legs)
            if not is_uneven and not order_lookup.has_unlisted_fills(broker_order, legs):
                break
            context.sleep(wait)
            broker_order = order_lookup.load_broker_order(context, order)
    except BrokerRefused:
        return resolve_unknown(context, order)
    return apply_broker_order(context, order, broker_order)


def try_refresh_order(context: TradingContext, order: Order) -> Order:
    """`refresh_order`, or the stored order when the broker cannot be read: one failed read must not end a command."""
    try:
        return refresh_order(context, order)
    except READ_ERRORS as error:
        context.report(f"{order.reference}: the broker cannot be read ({error.message})")
        return context.store.orders.get(order.id)


def wait_until_final(context: TradingContext, order: Order) -> Order:
    """Refresh the order with growing pauses until it is final. Returns it as last read if it does not end."""
    for wait in CANCEL_WAITS:
        order = try_refresh_order(context, order)
        if order.state in FINAL:
            return order
        context.sleep(wait)
    return try_refresh_order(context, order)


def resolve_unknown(context: TradingContext, order: Order) -> Order:
    """Settle an `unknown` order by reading at the broker: apply it when found, `absent` after enough reads without it.

    `Unresolved` when the broker cannot be read, since a failed read proves no absence, and when orders or positions
    there suggest that the order was accepted after all.
    """
    reads = failures = 0
    while True:
        try:
            broker_order = order_lookup.find_order(context, order)
        except READ_ERRORS as error:
            failures += 1
            if failures == ABSENCE_READS:
                raise _unreadable_error(order, error) from error
        else:
            if broker_order is not None:
                return apply_broker_order(context, order, broker_order)
            reads += 1
            if reads == ABSENCE_READS:
                break
        context.sleep(ABSENCE_SECONDS / (ABSENCE_READS - 1))
    return _mark_absent(context, order)


def _unreadable_error(order: Order, error: Spy32Error) -> Unresolved:
    return Unresolved(
        f"order {order.reference} may or may not exist and the broker cannot be read ({error.message}); "
        "run `spy32 reconcile` when it answers again"
    )


def _mark_absent(context: TradingContext, order: Order) -> Order:
    """Mark an order that is in no list as `absent`; `Unresolved` if there are traces of it."""
    original = context.store.orders.get(order.replaces) if order.replaces is not None else None
    try:
        if original is not None and original.state is OrderState.WORKING:
            # Record the fills of the old order first, so they do not count as traces of the new one.
            refresh_order(context, original)
        traces = tuple(order_lookup.find_traces(context, order))
    except READ_ERRORS as error:
        raise _unreadable_error(order, error) from error
    if traces:
        raise Unresolved(
            f"order {order.reference} is in no list at the broker, and still: {'; '.join(traces)}; look at the "
            "account there, since it may have filled; nothing is sent before it is settled"
        )
    _check_absence_delay(context, order, original)
    return _change_state(context, order, OrderState.ABSENT, reason=f"not at the broker in {ABSENCE_READS} reads")


def _check_absence_delay(context: TradingContext, order: Order, original: Order | None) -> None:
    """Raise `Unresolved` while a live entry or close may still arrive: `absent_minutes` exceeds the broker's time-outs.

    A replacement of an order that still works need not wait: it has no effect once that order has ended.
    """
    is_edit = original is not None and original.state not in FINAL
    if order.mode is not Mode.LIVE or order.kind is OrderKind.TARGET or is_edit:
        return
    earliest = order.created_at + timedelta(minutes=context.settings.execution.absent_minutes)
    if not context.clock() >= earliest:
        raise Unresolved(
            f"order {order.reference} is not at the broker, and may still be on its way until {earliest:%H:%M} UTC "
            "(execution.absent_minutes); then `spy32 reconcile` settles it; nothing is sent before"
        )


def cancel_order(context: TradingContext, order: Order) -> Order:
    """Request a cancel and return the order once the broker confirms its end, which may be a fill."""
    assert order.broker_id is not None
    for wait in CANCEL_WAITS:
        # A refusal usually means that it has just filled, and a lost answer proves nothing: the next read decides.
        # The request is repeated when it may be lost, since a second cancel of one id does no harm.
        with suppress(*READ_ERRORS):
            context.orders.cancel(order.broker_id)
        order = try_refresh_order(context, order)
        if order.state in FINAL or order.is_cancelling or order.broker_id is None:
            break
        context.sleep(wait)
    order = wait_until_final(context, order)
    if order.state in FINAL:
        return order
    reason = f": {order.reason}" if order.reason else ""
    raise Unresolved(f"order {order.reference} was asked to be cancelled and is still {order.broker_status}{reason}")


def cancel_working_orders(
    context: TradingContext, proposal_id: int, *, spares_target: bool = False
) -> list[Spy32Error]:
    """Cancel and confirm every working order of the proposal; return what could not be confirmed.

    The target goes as well, unless it is spared: that of another home belongs to a trade that is open.
    """
    errors: list[Spy32Error] = []
    for order in context.store.orders.select_by_proposal(proposal_id):
        is_spared = spares_target and order.kind is OrderKind.TARGET
        if order.state is OrderState.WORKING and not is_spared:
            try:
                cancel_order(context, order)
            except Spy32Error as error:
                errors.append(error)
    return errors


# The proposal.


def conclude_proposal(context: TradingContext, proposal_id: int, *, reason: str = "") -> int:
    """Finish the proposal once all its orders are final; return the number of spreads filled.

    `Unresolved` when the legs filled unevenly: the proposal stays `sent` until a person has settled it, so it counts
    as exposure and nothing new is sent for it.
    """
    book = load_order_book(context, proposal_id)
    if book.proposal.state is not ProposalState.SENT or book.live_orders:
        return book.filled_quantity
    if book.is_uneven:
        raise Unresolved(
            f"P{proposal_id} has an {uneven_fill_text(book.fills, book.proposal.legs)}; "
            "the rest is a position without its other side, which only a person can settle at the broker; "
            "nothing more is sent for it"
        )
    reason = report_overfill(context, book) or reason
    state = ProposalState.DONE if book.filled_quantity > 0 else ProposalState.PROPOSED
    context.store.proposals.finish(proposal_id, now=state, at=context.clock(), reason=reason)
    _queue_notice(context, book.proposal, reason, is_filled=state is ProposalState.DONE)
    return book.filled_quantity


def _queue_notice(context: TradingContext, proposal: Proposal, reason: str, *, is_filled: bool) -> None:
    """Queue the notice of a filled opening, of an order without a fill, or of a close that left spreads open.

    The end of a trade tells of a whole close.
    """
    from spy32.rules import trade_notices

    trades = context.store.trades
    trade = trades.get(proposal.trade_id) if proposal.trade_id is not None else trades.find_by_proposal(proposal.id)
    if not is_filled:
        text = trade_notices.not_filled_notice(proposal, reason)
    elif proposal.kind is ProposalKind.OPEN and trade is not None:
        text = trade_notices.filled_notice(trade, proposal, trade.exits or proposal.exit)
    elif trade is not None and trade.state in OPEN_TRADES:
        text = trade_notices.part_closed_notice(trade, proposal)
    else:
        return
    context.store.notices.add(text, context.clock(), run_id=proposal.run_id)


def report_overfill(context: TradingContext, book: OrderBook) -> str:
    """Raise an attention item when more was filled than approved; return its message, or an empty text."""
    proposal = book.proposal
    if book.filled_quantity <= proposal.quantity:
        return ""
    message = (
        f"{book.filled_quantity} spreads were filled and {proposal.quantity} approved: look at the broker's own view"
    )
    context.report(f"LOOK AT THIS: P{proposal.id}: {message}")
    context.store.attention.raise_item(f"P{proposal.id}", OVERFILL, message, context.clock())
    return message


def settle_order(context: TradingContext, order: Order) -> Order:
    """Settle one order in flight that no process works; return it as read at the broker."""
    if order.state is OrderState.SUBMITTING:
        words = "the process that sent it ended before the answer"
        order = _change_state(context, order, OrderState.UNKNOWN, reason=words)
    if order.state is OrderState.UNKNOWN:
        return resolve_unknown(context, order)
    return refresh_order(context, order) if order.state is OrderState.WORKING else order


def recover_orders(context: TradingContext, proposal_id: int) -> list[Spy32Error]:
    """Settle all orders of the proposal that a dead process left in flight; return what could not be settled.

    The newest is first: a replacement must claim its broker order before the replaced one is read. The caller holds
    the proposal's lock.
    """
    errors: list[Spy32Error] = []
    for order in reversed(load_order_book(context, proposal_id).orders):
        before = context.store.orders.get(order.id)
        if before.state not in IN_FLIGHT:
            continue
        try:
            after = settle_order(context, before)
            context.report(f"order {order.reference}: {before.state} before, {after.state} now")
        except Spy32Error as error:
            errors.append(error)
    if not errors:
        try:
            conclude_proposal(context, proposal_id, reason="settled by reading at the broker")
        except Unresolved as error:
            errors.append(error)
    return errors
