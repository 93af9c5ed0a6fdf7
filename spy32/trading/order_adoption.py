"""Adopt orders at the broker that carry the reference of one of our approvals, whatever our book says of them.

A restored backup has lost them, a copied home never had them, and a slow request may arrive after its order was called
absent. An adopted order is followed: its fills are recorded, and no other order is sent beside it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import NamedTuple

from spy32.domain.codec import digest
from spy32.domain.orders import Order, OrderKind, OrderTicket
from spy32.domain.proposals import Approval, ProposalKind
from spy32.domain.value import value
from spy32.errors import Refused, Spy32Error, Unavailable, Unresolved, Unusable
from spy32.lifecycle import IN_FLIGHT, NEVER_AT_BROKER, OrderState
from spy32.records.found_orders import OrderAlert
from spy32.rules.references import parse_reference, reference_stem
from spy32.sessions import market_date
from spy32.trading import order_state
from spy32.trading.context import TradingContext, proposal_lock_name
from spy32.trading.order_book import load_order_book
from spy32.trading.order_chains import OrderChain, arrival_key, build_order_chains
from spy32.trading.order_lookup import READ_ERRORS

SECOND_ORDER, LATE_ORDER, FOUND_ORDER, OTHER_BOOK_ORDER = (
    "second order",
    "late order",
    "found order",
    "order of another book",
)
BLOCKING_KINDS = frozenset({SECOND_ORDER, LATE_ORDER, order_state.OVERFILL})
"""Kinds of attention item that block a proposal: nothing is sent for it until a person acknowledges them."""

LOOK_BACK_DAYS = 7


class OrderClaim(NamedTuple):
    """A chain of ours that our book lacks, or of which it lacks a fill, and the order that it becomes in our book."""

    chain: OrderChain
    order: OrderTicket
    attention: OrderAlert

    @property
    def proposal_id(self) -> int:
        return self.order.proposal_id


@value
class AdoptionResult:
    """Each adopted order before and after, and the errors of those that could not be settled."""

    orders: tuple[tuple[Order, Order], ...] = ()
    errors: tuple[Spy32Error, ...] = ()


# Ownership.


def find_claims(context: TradingContext, chains: Iterable[OrderChain]) -> Iterator[OrderClaim]:
    """Yield a claim for each chain of ours that our book lacks, or of which it lacks a fill."""
    for chain in chains:
        claim = find_claim(context, chain)
        if claim is not None:
            yield claim


def find_claim(context: TradingContext, chain: OrderChain) -> OrderClaim | None:
    """Return the claim on a chain; None if our book has it, if recovery will find it, or if it is not ours."""
    orders = stored_orders(context, chain)
    if any(order.state in IN_FLIGHT for order in orders):
        return None
    if orders and all(order.state in NEVER_AT_BROKER for order in orders):
        return _late_claim(chain, orders[-1])
    if orders:
        return _missing_fill_claim(context, chain, orders)
    return next((claim for claim in _claims_by_reference(context, chain) if claim is not None), None)


def stored_orders(context: TradingContext, chain: OrderChain) -> list[Order]:
    """Return our orders with the broker ids of a chain."""
    orders = (context.store.orders.find(broker_id=broker_id) for broker_id in sorted(chain.ids, key=arrival_key))
    return [order for order in orders if order is not None]


def is_foreign(context: TradingContext, chain: OrderChain) -> bool:
    """Return whether no order of ours is or will be this chain, and none of our approvals gave its reference."""
    is_stored = stored_orders(context, chain) or any(
        context.store.orders.find(reference=broker_order.reference) for broker_order in chain.orders
    )
    return not is_stored and find_claim(context, chain) is None


def has_spy32_reference(chain: OrderChain) -> bool:
    """Return whether a reference of the chain has the form that spy32 gives, from any database."""
    return any(parse_reference(broker_order.reference) is not None for broker_order in chain.orders)


def _late_claim(chain: OrderChain, order: Order) -> OrderClaim:
    message = (
        f"order {chain.last_order.broker_id} ({order.reference}) is at the broker, and this book had it as "
        f"{order.state}"
    )
    return OrderClaim(
        chain, order, OrderAlert(LATE_ORDER, f"{message}: it arrived late and was adopted; look at it there")
    )


def _missing_fill_claim(context: TradingContext, chain: OrderChain, orders: list[Order]) -> OrderClaim | None:
    """Return the claim on a fill that none of these final orders has in our book; None if there is none."""
    known_fills = {fill.fill_id for order in orders for fill in context.store.orders.fills(order.id)}
    for broker_order in chain.orders:
        if any(fill.fill_id not in known_fills for fill in broker_order.fills):
            order = next((order for order in orders if order.broker_id == broker_order.broker_id), orders[-1])
            message = (
                f"the broker shows more filled of order {broker_order.broker_id} ({order.reference}) than this book had"
            )
            return OrderClaim(chain, order, OrderAlert(LATE_ORDER, f"{message}: it was recorded; look at it there"))
    return None


def _claims_by_reference(context: TradingContext, chain: OrderChain) -> Iterator[OrderClaim | None]:
    """Yield the claims that the references of a chain give, oldest first; None if an order in flight will find it."""
    for broker_order in chain.orders:
        order = context.store.orders.find(reference=broker_order.reference)
        if order is not None and order.state in IN_FLIGHT and order.broker_id is None:
            yield None
            return
        if order is not None and order.state in NEVER_AT_BROKER:
            yield _late_claim(chain, order)
        approval = _find_approval(context, broker_order.reference, order)
        if approval is not None:
            yield _new_order_claim(context, chain, broker_order.reference, approval, order)


def _find_approval(context: TradingContext, reference: str, order: Order | None) -> Approval | None:
    """Return the approval of our order, else the one whose own hash is in the reference; None if there is none."""
    if order is not None:
        return context.store.proposals.find_approval(order.approval_id)
    name = parse_reference(reference)
    approval = context.store.proposals.find_approval(name.approval_id) if name is not None else None
    return approval if approval is not None and name is not None and reference_stem(approval) == name.stem else None


def _new_order_claim(
    context: TradingContext, chain: OrderChain, reference: str, approval: Approval, stored: Order | None
) -> OrderClaim:
    """Return the claim on a chain that our book has no order for."""
    kind = stored.kind if stored is not None else _order_kind(context, approval, reference)
    others = [other for other in context.store.orders.select_by_proposal(approval.proposal_id) if (other.kind is kind)]
    is_second = stored is not None or any(other.state in IN_FLIGHT or other.filled for other in others)
    order = _build_order(
        context, chain, approval, reference if stored is None else f"{reference}/{chain.first_order.broker_id}", kind
    )
    message = (
        f"order {chain.last_order.broker_id} at the broker bears the name of the approval of P{approval.proposal_id}"
    )
    if is_second:
        return OrderClaim(
            chain, order, OrderAlert(SECOND_ORDER, f"{message} ({reference}) beside another one; look at both there")
        )
    reason = "this book had not sent it (a copy of this home did, or a state of it that a restore has undone)"
    return OrderClaim(chain, order, OrderAlert(FOUND_ORDER, f"{message} ({reference}), and {reason}; it was adopted"))


def _order_kind(context: TradingContext, approval: Approval, reference: str) -> OrderKind:
    name = parse_reference(reference)
    if name is not None and name.is_target:
        return OrderKind.TARGET
    proposal = context.store.proposals.get(approval.proposal_id)
    return OrderKind.ENTRY if proposal.kind is ProposalKind.OPEN else OrderKind.EXIT


def _build_order(
    context: TradingContext, chain: OrderChain, approval: Approval, reference: str, kind: OrderKind
) -> OrderTicket:
    """Return the ticket of the order to add. Its body is empty, since this book did not send it."""
    proposal = context.store.proposals.get(approval.proposal_id)
    return OrderTicket(
        proposal_id=approval.proposal_id,
        approval_id=approval.id,
        reference=reference,
        kind=kind,
        mode=proposal.mode,
        account=proposal.account,
        body="",
        body_hash=digest(""),
        limit=chain.last_order.limit,
        quantity=max(broker_order.quantity for broker_order in chain.orders),
        created_at=chain.first_order.placed_at or context.clock(),
    )


# Adoption.


def adopt_orders(
    context: TradingContext, chains: tuple[OrderChain, ...], *, locked_proposal_id: int | None = None
) -> AdoptionResult:
    """Adopt every order of ours among these chains that our book lacks.

    `locked_proposal_id` is a proposal whose lock the caller holds. When more of a proposal is filled and alive than was
    approved, its youngest working order is cancelled.
    """
    orders: list[tuple[Order, Order]] = []
    errors: list[Spy32Error] = []
    for proposal_id in dict.fromkeys(claim.proposal_id for claim in find_claims(context, chains)):
        try:
            if proposal_id == locked_proposal_id:
                adopted = _adopt_for_proposal(context, chains, proposal_id)
            else:
                with context.locks.hold(proposal_lock_name(proposal_id)):
                    adopted = _adopt_for_proposal(context, chains, proposal_id)
        except Unavailable as busy:
            errors.append(busy)
        else:
            orders += adopted.orders
            errors += adopted.errors
    return AdoptionResult(orders=tuple(orders), errors=tuple(errors))


def _adopt_for_proposal(context: TradingContext, chains: tuple[OrderChain, ...], proposal_id: int) -> AdoptionResult:
    """Adopt the chains of one proposal: its orders first, then its target, which needs the trade that they open."""
    orders: list[tuple[Order, Order]] = []
    errors: list[Spy32Error] = []
    for is_target in (False, True):
        for claim in find_claims(context, chains):
            if claim.proposal_id == proposal_id and (claim.order.kind is OrderKind.TARGET) is is_target:
                try:
                    orders.append(_adopt_order(context, claim))
                except Spy32Error as error:
                    errors.append(error)
                if claim.attention.kind in BLOCKING_KINDS:
                    errors.append(_unreviewed_error(proposal_id, claim.attention.message))
        if orders and not is_target:
            try:
                cancel_excess(context, proposal_id, chains)
                order_state.conclude_proposal(context, proposal_id, reason="settled by reading at the broker")
                order_state.report_overfill(context, load_order_book(context, proposal_id))
            except Spy32Error as error:
                errors.append(error)
    return AdoptionResult(orders=tuple(orders), errors=tuple(errors))


def _adopt_order(context: TradingContext, claim: OrderClaim) -> tuple[Order, Order]:
    unreadable = next((broker_order for broker_order in claim.chain.orders if broker_order.is_unread), None)
    if unreadable is not None:
        raise Unusable(
            f"order {unreadable.broker_id} is {claim.order.reference} and cannot be read: {unreadable.unread}"
        )
    order = context.store.found_orders.adopt(claim.order, claim.chain.last_order, claim.attention, at=context.clock())
    context.report(f"LOOK AT THIS: {claim.attention.message}")
    before = claim.order if isinstance(claim.order, Order) else replace(order, state=OrderState.UNKNOWN)
    return before, order_state.refresh_order(context, order)


def cancel_excess(context: TradingContext, proposal_id: int, chains: Iterable[OrderChain]) -> None:
    """Cancel the youngest working order until no more is filled and alive than was approved.

    By the broker's numbers two homes agree on which order to keep. `Unresolved` when an end cannot be confirmed.
    """
    arrivals = {broker_id: chain.arrival for chain in chains for broker_id in chain.ids}
    while (book := load_order_book(context, proposal_id)).remaining() < 0:
        working = [order for order in book.working_orders if order.broker_id is not None]
        if not working or any(order.state is not OrderState.WORKING for order in book.live_orders):
            return
        youngest = max(working, key=lambda order: arrivals.get(str(order.broker_id), arrival_key(str(order.broker_id))))
        context.report(f"{youngest.reference}: order {youngest.broker_id} is beyond what was approved; it is cancelled")
        order_state.cancel_order(context, youngest)


# Use by `execute` and `reconcile`.


def load_order_chains(context: TradingContext, since: date) -> tuple[OrderChain, ...]:
    """Return the chains of all orders since a day, from today's list and the search."""
    broker_orders = {broker_order.broker_id: broker_order for broker_order in context.orders.search(since)}
    return build_order_chains(
        (
            broker_orders | {broker_order.broker_id: broker_order for broker_order in context.orders.todays_orders()}
        ).values()
    )


def adopt_before_sending(context: TradingContext, proposal_id: int) -> bool:
    """Return whether an order of this proposal was at the broker already. Orders of other proposals are adopted too, so
    that every limit counts them. The caller holds the proposal's lock."""
    approval = context.store.proposals.latest_approval(proposal_id)
    if not context.orders.is_shared or approval is None:
        return False
    adopted = adopt_orders(
        context, load_order_chains(context, market_date(approval.at)), locked_proposal_id=proposal_id
    )
    return any(before.proposal_id == proposal_id for before, _ in adopted.orders)


def stop_if_already_sent(context: TradingContext, proposal_id: int) -> None:
    """Raise `Refused` if an order of this proposal reached the broker after `adopt_before_sending`.

    `Unresolved` if spy32 sent the same legs today for an approval that this book does not have, until a person has
    acknowledged that.
    """
    if not context.orders.is_shared:
        return
    chains = build_order_chains(context.orders.todays_orders())
    for claim in find_claims(context, chains):
        if claim.proposal_id == proposal_id:
            raise Refused(f"P{proposal_id} was not sent: {claim.attention.message}; the next `spy32 execute` adopts it")
    legs = {(leg.symbol, leg.action) for leg in context.store.proposals.get(proposal_id).legs}
    for chain in chains:
        may_have_filled = chain.is_alive or any(broker_order.fills for broker_order in chain.orders)
        has_same_legs = {(leg.symbol, leg.action) for leg in chain.last_order.legs} == legs
        if may_have_filled and has_same_legs and has_spy32_reference(chain) and is_foreign(context, chain):
            _raise_other_book_order(context, chain)
            _stop_if_other_book_order(context, chain.first_order.broker_id.upper(), proposal_id)


def _stop_if_other_book_order(context: TradingContext, subject: str, proposal_id: int) -> None:
    for item in context.store.attention.open_items():
        if (item.subject, item.kind) == (subject, OTHER_BOOK_ORDER):
            hint = f"`spy32 status --ack {subject}` says that you have looked"
            raise Unresolved(f"P{proposal_id} was not sent: {item.message}; {hint}")


def adopt_missing(context: TradingContext) -> AdoptionResult:
    """Adopt every order of ours that our book lacks, from the last week or since a restored backup was made.

    An order of an approval that this book does not have raises one attention item.
    """
    if not context.orders.is_shared:
        return AdoptionResult()
    try:
        chains = load_order_chains(context, _search_start(context))
    except READ_ERRORS as error:
        return AdoptionResult(errors=(error,))
    adopted = adopt_orders(context, chains)
    for chain in chains:
        if (
            has_spy32_reference(chain)
            and (chain.is_alive or any(broker_order.fills for broker_order in chain.orders))
            and is_foreign(context, chain)
        ):
            _raise_other_book_order(context, chain)
    return adopted


def _search_start(context: TradingContext) -> date:
    """Return the first day to search: a week ago, or the last write before a restore of the last week."""
    earliest = market_date(context.clock()) - timedelta(days=LOOK_BACK_DAYS)
    restore = context.store.audit.last_write_before_restore()
    return (
        min(earliest, market_date(restore[0]))
        if restore is not None and market_date(restore[1]) >= earliest
        else earliest
    )


def _raise_other_book_order(context: TradingContext, chain: OrderChain) -> None:
    subject = chain.first_order.broker_id.upper()
    message = (
        f"order {chain.last_order.broker_id} ({chain.first_order.reference}, {chain.last_order.status}) was "
        "sent by spy32 for an approval "
        "that this book does not have: by another home, or after the backup that was restored"
    )
    if not context.store.attention.was_raised(subject, OTHER_BOOK_ORDER):
        context.store.attention.raise_item(subject, OTHER_BOOK_ORDER, message, context.clock())


def stop_if_unreviewed(context: TradingContext, proposal_id: int) -> None:
    """Raise `Unresolved` while a blocking attention item of this proposal is open."""
    error = find_unreviewed_error(context, proposal_id)
    if error is not None:
        raise error


def find_unreviewed_error(context: TradingContext, proposal_id: int) -> Unresolved | None:
    """Return the error to raise while a blocking attention item of this proposal is open; None otherwise."""
    for item in context.store.attention.open_items():
        if item.subject == f"P{proposal_id}" and item.kind in BLOCKING_KINDS:
            return _unreviewed_error(proposal_id, item.message)
    return None


def _unreviewed_error(proposal_id: int, message: str) -> Unresolved:
    return Unresolved(f"P{proposal_id}: {message}; then `spy32 status --ack P{proposal_id}`")
