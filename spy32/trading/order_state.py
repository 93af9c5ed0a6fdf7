"""What a broker's answer means for our rows: the one place where an order and its proposal come to rest."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from spy32.domain.orders import BrokerOrder, Order, OrderKind, spreads_filled
from spy32.domain.proposals import ExitPlan
from spy32.domain.spreads import Mode
from spy32.errors import BrokerRefused, Refused, Spy32Error, Unavailable, Unresolved
from spy32.lifecycle import FINAL, IN_FLIGHT, ORDER_TRANSITIONS, EndedBy, OrderState, ProposalState
from spy32.rules import plan
from spy32.store import ATTENTION_PRICE
from spy32.trading import order_lookup
from spy32.trading.context import TradingContext
from spy32.trading.order_book import OrderBook, load_order_book, order_legs, uneven_fill_message
from spy32.trading.order_lookup import READ_ERRORS

ABSENCE_READS = 3
"""A fresh order may be late in a broker's lists, so absence needs this many reads ..."""
ABSENCE_SECONDS = 60.0
"""... over at least this long, waited out and not read off a clock, which jumps when the machine slept."""
CANCEL_WAITS = (1.0, 2.0, 3.0, 5.0, 8.0, 13.0)
"""Growing pauses, seconds, while an order that should end is watched."""
FILL_WAITS = (1.0, 2.0, 3.0, 5.0)
"""The same for fills that are not listed yet."""
OVERFILL = "beyond approval"
"""Kind of the item for a person."""

# Requests and their answers.


def send_order(context: TradingContext, order: Order, request: Callable[[], BrokerOrder]) -> Order:
    """One request for an order that is committed as `submitting`, and its outcome: taken, refused or unknown."""
    halt_reason = context.halt_reason()
    if halt_reason is not None:
        # Asked last of all before the request leaves; nothing was sent.
        return _refused(context, order, EndedBy.HALT, f"halted: {halt_reason}")
    try:
        broker_order = request()
    except BrokerRefused as refusal:
        return _refused(context, order, EndedBy.BROKER, refusal.message)
    except Refused as late:
        return _refused(context, order, EndedBy.TOO_LATE, f"too late: {late.message}")
    except Unavailable as error:
        # Nothing left this machine: as good as a refusal, and a person may approve again.
        return _refused(context, order, EndedBy.NOT_SENT, f"not sent: {error.message}")
    except Unresolved as doubt:
        return _change_state(context, order, OrderState.UNKNOWN, reason=doubt.message)
    return apply_broker_order(context, order, broker_order)


def _refused(context: TradingContext, order: Order, by: EndedBy, words: str) -> Order:
    return context.store.orders.refuse(order.id, was=order.state, by=by, reason=words, at=context.clock())


def apply_broker_order(context: TradingContext, order: Order, broker_order: BrokerOrder) -> Order:
    """Our row after the broker's view of the order: fills first, so that a crash in between is read again.

    `Unresolved` when the view cannot be of this order; the row stays in flight then, and says why.
    """
    order = context.store.orders.get(order.id)
    _record_fills(context, order, broker_order)
    if order.state in FINAL:
        return context.store.orders.get(order.id)
    if broker_order.is_replaced_by_hand and not (
        order.is_replaced_by_hand and broker_order.broker_id == order.broker_id
    ):
        context.report(f"{order.reference}: {broker_order.reason}; its price is not worked any more")
    legs = order_legs(context.store.proposals.get(order.proposal_id), order.kind)
    state = broker_order.state
    if order_lookup.has_unlisted_fills(broker_order, legs):
        state = OrderState.WORKING
        words = (
            f"filled at the broker, which lists {spreads_filled(broker_order.fills, legs)} of "
            f"{broker_order.quantity} so far"
        )
        broker_order = replace(broker_order, is_unclear=True, reason=words)
    elif state in FINAL and (unevenness := uneven_fill_message(context.store.orders.fills(order.id), legs)):
        broker_order = replace(broker_order, reason=unevenness)
        context.report(f"LOOK AT THIS: {order.reference} is {broker_order.status} with an {unevenness}")
    if order.matches(broker_order, state):
        return context.store.orders.get(order.id)
    if state not in ORDER_TRANSITIONS[order.state] and state is not order.state:
        if OrderState.UNKNOWN not in ORDER_TRANSITIONS[order.state]:
            raise _flag_contradiction(
                context, order, broker_order, f"the broker calls it {broker_order.status} ({state})"
            )
        order = _change_state(context, order, OrderState.UNKNOWN, broker_order=broker_order)
    return _change_state(context, context.store.orders.get(order.id), state, broker_order=broker_order)


def _record_fills(context: TradingContext, order: Order, broker_order: BrokerOrder) -> None:
    if not broker_order.fills:
        return
    assumption = context.orders.assumption
    proposal = context.store.proposals.get(order.proposal_id)

    def exits_at_credit(credit: Decimal) -> ExitPlan:
        return plan.reprice_exits(proposal.exit, plan.proposal_spread(proposal), credit, context.settings)

    try:
        context.store.trades.record_fills(
            order.id,
            broker_order.fills,
            fees=broker_order.fees,
            at=context.clock(),
            assumption=assumption,
            exits=exits_at_credit,
        )
    except Refused as refusal:
        raise _flag_contradiction(context, order, broker_order, refusal.message) from refusal


def unreviewed_price_error(context: TradingContext, proposal_id: int) -> Unresolved | None:
    """What to end with while nobody has looked at a price of this proposal's trade that was never approved."""
    trade = context.store.trades.find_by_proposal(proposal_id)
    for item in context.store.attention.open_items():
        if trade is not None and (item.subject, item.kind) == (f"T{trade.id}", ATTENTION_PRICE):
            return Unresolved(
                f"LOOK AT THIS: {item.message}; compare with the broker, then `spy32 status --ack {item.subject}`"
            )
    return None


def _flag_contradiction(
    context: TradingContext, order: Order, broker_order: BrokerOrder, contradiction: str
) -> Unresolved:
    """What the broker shows contradicts what was sent: nothing of it is recorded, and nothing else is sent."""
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
    """The order as the broker shows it now; one whose id the broker does not know is looked for by its reference."""
    assert order.broker_id is not None
    try:
        broker_order = order_lookup.load_broker_order(context, order)
        for wait in FILL_WAITS:
            if not _is_incomplete(context, order, broker_order):
                break
            context.sleep(wait)
            broker_order = order_lookup.load_broker_order(context, order)
    except BrokerRefused:
        return resolve_unknown(context, order)
    return apply_broker_order(context, order, broker_order)


def _is_incomplete(context: TradingContext, order: Order, broker_order: BrokerOrder) -> bool:
    """It has ended and not every fill is listed, or not of every leg."""
    legs = order_legs(context.store.proposals.get(order.proposal_id), order.kind)
    return order_lookup.has_unlisted_fills(broker_order, legs) or (
        broker_order.state in FINAL and bool(uneven_fill_message(broker_order.fills, legs))
    )


def try_refresh_order(context: TradingContext, order: Order) -> Order:
    """The order as it is, or as it was last seen while the broker cannot be read: one failed read ends nothing."""
    try:
        return refresh_order(context, order)
    except READ_ERRORS as error:
        context.report(f"{order.reference}: the broker cannot be read ({error.message})")
        return context.store.orders.get(order.id)


def wait_until_final(context: TradingContext, order: Order, waits: tuple[float, ...] = CANCEL_WAITS) -> Order:
    """The order once it is final, read with growing pauses; as last seen when it will not end."""
    for wait in waits:
        order = try_refresh_order(context, order)
        if order.state in FINAL:
            return order
        context.sleep(wait)
    return try_refresh_order(context, order)


def resolve_unknown(context: TradingContext, order: Order) -> Order:
    """An `unknown` order settled by reading at the broker: adopted when found, `absent` after enough reads without it.

    `Unresolved` when the broker could not be read, since a failed read is not an absence, and when something there
    looks as if the order had been taken after all.
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
    """In no list: `absent`, unless its legs are there all the same."""
    original = context.store.orders.get(order.replaces) if order.replaces is not None else None
    try:
        if original is not None and original.state is OrderState.WORKING:
            # What the old order filled is no trace of the new one.
            refresh_order(context, original)
        traces = order_lookup.find_traces(context, order)
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
    """`Unresolved` while a live entry may still be on its way: longer than the broker's own time-outs may take.

    A late edit of an order that is gone comes to nothing at the broker, so a replacement need not wait.
    """
    is_edit = original is not None and original.state not in FINAL
    if order.mode is not Mode.LIVE or order.kind is not OrderKind.ENTRY or is_edit:
        return
    earliest = order.created_at + timedelta(minutes=context.settings.execution.absent_minutes)
    if not context.clock() >= earliest:
        raise Unresolved(
            f"order {order.reference} is not at the broker, and may still be on its way until {earliest:%H:%M} UTC "
            "(execution.absent_minutes); then `spy32 reconcile` settles it; nothing is sent before"
        )


def mark_unknown(context: TradingContext, order: Order) -> Order:
    """A `submitting` row of a process that died: from here on it is a question."""
    return _change_state(context, order, OrderState.UNKNOWN, reason="the process that sent it ended before the answer")


def cancel_order(context: TradingContext, order: Order) -> Order:
    """The order after the broker was asked to cancel it and confirmed how it ended; a fill may still have won."""
    assert order.broker_id is not None
    for wait in CANCEL_WAITS:
        # A refusal usually means that it has just filled, a lost answer means nothing: the broker's own view decides.
        # A request that got lost on its way is made again, since a second cancel of one id cannot do harm.
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


def try_cancel_working(context: TradingContext, proposal_id: int) -> None:
    """Ask to cancel everything of the proposal that works, each one whatever becomes of the others."""
    for order in context.store.orders.select_by_proposal(proposal_id):
        if order.state is OrderState.WORKING:
            try:
                cancel_order(context, order)
            except Spy32Error as error:
                context.report(error.message)


# The proposal.


def conclude_proposal(context: TradingContext, proposal_id: int, *, reason: str = "") -> int:
    """Bring the proposal to rest once all its orders have; the number of spreads that were filled.

    `Unresolved` when the legs filled unevenly: the proposal then stays `sent`, so that it counts as exposure and
    nothing new is sent for it, until a person has settled it.
    """
    book = load_order_book(context, proposal_id)
    if book.proposal.state is not ProposalState.SENT or book.live_orders:
        return book.filled
    if book.uneven_fill:
        raise Unresolved(
            f"P{proposal_id} has an {book.uneven_fill}; the rest is a position without its other side, which only "
            "a person can settle at the broker; nothing more is sent for it"
        )
    reason = report_overfill(context, book) or reason
    state = ProposalState.DONE if book.filled > 0 else ProposalState.PROPOSED
    context.store.proposals.finish(proposal_id, now=state, at=context.clock(), reason=reason)
    return book.filled


def report_overfill(context: TradingContext, book: OrderBook) -> str:
    """An item for a person when more was filled than approved, and its words; empty when all is well."""
    proposal = book.proposal
    if book.filled <= proposal.quantity:
        return ""
    message = f"{book.filled} spreads were filled and {proposal.quantity} approved: look at the broker's own view"
    context.report(f"LOOK AT THIS: P{proposal.id}: {message}")
    context.store.attention.raise_item(f"P{proposal.id}", OVERFILL, message, context.clock())
    return message


def settle_order(context: TradingContext, order: Order) -> Order:
    """One order found in flight while nobody works it: settled by reading, or still working."""
    if order.state is OrderState.SUBMITTING:
        order = mark_unknown(context, order)
    if order.state is OrderState.UNKNOWN:
        order = resolve_unknown(context, order)
    elif order.state is OrderState.WORKING:
        order = refresh_order(context, order)
    return order


def recover_orders(context: TradingContext, proposal_id: int) -> list[Spy32Error]:
    """Everything of this proposal that a dead process left in flight, settled; call it with the proposal's lock held.

    The newest comes first: a replacement must have claimed its order before the one that it replaced is read.
    Returns what could not be settled.
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
