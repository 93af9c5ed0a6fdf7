"""Adopt orders at the broker that carry the reference of one of our approvals, whatever our book says of them.

A restored backup has lost them, a copied home never had them, and a slow request may arrive after its order was called
absent. An adopted order is followed: its fills are recorded, and no other order is sent beside it.
"""

from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import NamedTuple

from spy32.domain.codec import digest
from spy32.domain.orders import Order, OrderKind, OrderTicket
from spy32.domain.proposals import Approval, ProposalKind
from spy32.errors import Refused, Spy32Error, Unavailable, Unresolved
from spy32.lifecycle import IN_FLIGHT, NEVER_AT_BROKER, OrderState
from spy32.records.orders import OrderAlert
from spy32.rules.references import parse_reference, reference_stem
from spy32.sessions import market_date
from spy32.trading import order_state
from spy32.trading.context import TradingContext
from spy32.trading.order_book import load_order_book
from spy32.trading.order_lookup import READ_ERRORS, OrderChain, arrival_key, build_order_chains

SECOND_ORDER, LATE_ORDER, FOUND_ORDER, OTHER_BOOK_ORDER = (
    "second order",
    "late order",
    "found order",
    "order of another book",
)
BLOCKING_KINDS = frozenset({SECOND_ORDER, LATE_ORDER, order_state.OVERFILL})
"""Kinds of attention item that block a proposal: nothing is sent for it until a person acknowledges them."""

LOOK_BACK_DAYS = 7
"""Days of orders at the broker that are searched at least for one that our book lacks."""


class OrderClaim(NamedTuple):
    """A chain of ours that our book lacks, or of which it lacks a fill, and the order that it becomes in our book."""

    chain: OrderChain
    order: OrderTicket
    attention: OrderAlert

    @property
    def proposal_id(self) -> int:
        return self.order.proposal_id


@dataclass(slots=True)
class AdoptionResult:
    """Each adopted order before and after, and the errors of those that could not be settled."""

    orders: list[tuple[Order, Order]] = field(default_factory=list)
    errors: list[Spy32Error] = field(default_factory=list)


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
    if orders:
        is_late = all(order.state in NEVER_AT_BROKER for order in orders)
        return _late_claim(chain, orders[-1]) if is_late else _missing_fill_claim(context, chain, orders)
    for broker_order in chain.orders:
        order = context.store.orders.find(reference=broker_order.reference)
        if order is not None and order.state in IN_FLIGHT and order.broker_id is None:
            return None
        if order is not None and order.state in NEVER_AT_BROKER:
            return _late_claim(chain, order)
        approval = _find_approval(context, broker_order.reference, order)
        if approval is not None:
            return _new_order_claim(context, chain, broker_order.reference, approval, order)
    return None


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
        f"{order.state}: it arrived late and was adopted; look at it there"
    )
    return OrderClaim(chain, order, OrderAlert(LATE_ORDER, message))


def _missing_fill_claim(context: TradingContext, chain: OrderChain, orders: list[Order]) -> OrderClaim | None:
    """Return the claim on a fill that none of these final orders has in our book; None if there is none."""
    known_fills = {fill.fill_id for order in orders for fill in context.store.orders.fills(order.id)}
    for broker_order in chain.orders:
        if any(fill.fill_id not in known_fills for fill in broker_order.fills):
            order = next((order for order in orders if order.broker_id == broker_order.broker_id), orders[-1])
            message = (
                f"the broker shows more filled of order {broker_order.broker_id} ({order.reference}) than this book "
                "had: it was recorded; look at it there"
            )
            return OrderClaim(chain, order, OrderAlert(LATE_ORDER, message))
    return None


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
    proposal = context.store.proposals.get(approval.proposal_id)
    parsed = parse_reference(reference)
    kind = OrderKind.ENTRY if proposal.kind is ProposalKind.OPEN else OrderKind.EXIT
    if stored is not None:
        kind = stored.kind
    elif parsed is not None and parsed.is_target:
        kind = OrderKind.TARGET
    order = OrderTicket(
        proposal_id=proposal.id,
        approval_id=approval.id,
        reference=reference if stored is None else f"{reference}/{chain.first_order.broker_id}",
        kind=kind,
        mode=proposal.mode,
        account=proposal.account,
        body="",  # this book did not send it
        body_hash=digest(""),
        limit=chain.last_order.limit,
        quantity=max(broker_order.quantity for broker_order in chain.orders),
        created_at=chain.first_order.placed_at or context.clock(),
    )
    others = [other for other in context.store.orders.select_by_proposal(proposal.id) if other.kind is kind]
    name = f"the name of the approval of P{proposal.id} ({reference})"
    message = f"order {chain.last_order.broker_id} at the broker bears {name}"
    if stored is not None or any(other.state in IN_FLIGHT or other.filled for other in others):
        alert = OrderAlert(SECOND_ORDER, f"{message} beside another one; look at both there")
    else:
        reason = "this book had not sent it (a copy of this home did, or a state of it that a restore has undone)"
        alert = OrderAlert(FOUND_ORDER, f"{message}, and {reason}; it was adopted")
    return OrderClaim(chain, order, alert)


# Adoption.


def adopt_orders(
    context: TradingContext, chains: tuple[OrderChain, ...], *, locked_proposal_id: int | None = None
) -> AdoptionResult:
    """Adopt every order of ours among these chains that our book lacks.

    `locked_proposal_id` is a proposal whose lock the caller holds. When more of a proposal is filled and alive than was
    approved, its youngest working order is cancelled.
    """
    result = AdoptionResult()
    for proposal_id in dict.fromkeys(claim.proposal_id for claim in find_claims(context, chains)):
        try:
            with nullcontext() if proposal_id == locked_proposal_id else context.hold_proposal(proposal_id):
                _adopt_for_proposal(context, chains, proposal_id, result)
        except Unavailable as busy:
            result.errors.append(busy)
    return result


def _adopt_for_proposal(
    context: TradingContext, chains: tuple[OrderChain, ...], proposal_id: int, result: AdoptionResult
) -> None:
    """Adopt the chains of one proposal: its orders first, then its target, which needs the trade that they open."""
    for is_target in (False, True):
        adopted = []
        for claim in find_claims(context, chains):
            if claim.proposal_id == proposal_id and (claim.order.kind is OrderKind.TARGET) is is_target:
                try:
                    adopted.append(_adopt_order(context, claim))
                except Spy32Error as error:
                    result.errors.append(error)
        if adopted and not is_target:
            try:
                cancel_excess(context, proposal_id, chains)
                order_state.conclude_proposal(context, proposal_id, reason="settled by reading at the broker")
                order_state.report_overfill(context, load_order_book(context, proposal_id))
            except Spy32Error as error:
                result.errors.append(error)
        result.orders += adopted
    unreviewed = find_unreviewed_error(context, proposal_id)
    if unreviewed is not None:
        result.errors.append(unreviewed)


def _adopt_order(context: TradingContext, claim: OrderClaim) -> tuple[Order, Order]:
    unreadable = next((broker_order for broker_order in claim.chain.orders if broker_order.is_unread), None)
    if unreadable is not None:
        raise Unresolved(
            f"order {unreadable.broker_id} is {claim.order.reference} and cannot be read: {unreadable.unread}; look at "
            "it there"
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


def load_chains(context: TradingContext, proposal_id: int) -> tuple[OrderChain, ...]:
    """Return the chains at the broker since the newest approval of a proposal; none of a broker that is our own."""
    approval = context.store.proposals.latest_approval(proposal_id)
    if not context.orders.is_shared or approval is None:
        return ()
    return build_order_chains((*context.orders.search(market_date(approval.at)), *context.orders.todays_orders()))


def adopt_before_sending(context: TradingContext, proposal_id: int) -> bool:
    """Return whether an order of this proposal was at the broker already. Orders of other proposals are adopted too, so
    that every limit counts them. The caller holds the proposal's lock."""
    adopted = adopt_orders(context, load_chains(context, proposal_id), locked_proposal_id=proposal_id)
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
    legs = context.store.proposals.get(proposal_id).legs
    for chain in _raise_other_book_orders(context, (chain for chain in chains if chain.last_order.has_sides_of(legs))):
        error = order_state.unreviewed_error(context, _subject(chain), OTHER_BOOK_ORDER)
        if error is not None:
            raise Unresolved(f"P{proposal_id} was not sent: {error.message}")


def adopt_missing(context: TradingContext) -> AdoptionResult:
    """Adopt every order of ours that our book lacks, from the last week or since the last write before a restore in it.

    An order of an approval that this book does not have raises one attention item.
    """
    if not context.orders.is_shared:
        return AdoptionResult()
    since = market_date(context.clock()) - timedelta(days=LOOK_BACK_DAYS)
    restore = context.store.audit.last_write_before_restore()
    if restore is not None and market_date(restore[1]) >= since:
        since = min(since, market_date(restore[0]))
    try:
        chains = build_order_chains((*context.orders.search(since), *context.orders.todays_orders()))
    except READ_ERRORS as error:
        return AdoptionResult(errors=[error])
    adopted = adopt_orders(context, chains)
    _raise_other_book_orders(context, chains)
    return adopted


def _raise_other_book_orders(context: TradingContext, chains: Iterable[OrderChain]) -> list[OrderChain]:
    """Return the chains that spy32 sent for an approval that this book lacks; each raises one attention item."""
    found = [
        chain for chain in chains if has_spy32_reference(chain) and chain.may_have_filled and is_foreign(context, chain)
    ]
    for chain in found:
        message = (
            f"order {chain.last_order.broker_id} ({chain.first_order.reference}, {chain.last_order.status}) was sent "
            "by spy32 for an approval that this book does not have: by another home, or after the backup that was "
            "restored"
        )
        if not context.store.attention.was_raised(_subject(chain), OTHER_BOOK_ORDER):
            context.store.attention.raise_item(_subject(chain), OTHER_BOOK_ORDER, message, context.clock())
    return found


def _subject(chain: OrderChain) -> str:
    """Of the attention item about a chain that is not in our book."""
    return chain.first_order.broker_id.upper()


def stop_if_unreviewed(context: TradingContext, proposal_id: int) -> None:
    """Raise `Unresolved` while a blocking attention item of this proposal is open."""
    error = find_unreviewed_error(context, proposal_id)
    if error is not None:
        raise error


def find_unreviewed_error(context: TradingContext, proposal_id: int) -> Unresolved | None:
    """Return the error to raise while a blocking attention item of this proposal is open; None otherwise."""
    return order_state.unreviewed_error(context, f"P{proposal_id}", *BLOCKING_KINDS)
