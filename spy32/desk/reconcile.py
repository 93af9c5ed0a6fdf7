"""Settle what is in flight, cancel what works, and take over what the broker's history says when a person asks."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from spy32.desk import own_orders, settle, target
from spy32.desk.bench import Bench, lock_of
from spy32.desk.beside import Beside, Holding, beside, holdings
from spy32.desk.history import Gone, settle_fees
from spy32.domain.acting import Order, Trade
from spy32.domain.deciding import Proposal
from spy32.domain.trading import Mode
from spy32.errors import Refused, Spy32Error, Unavailable, Unresolved
from spy32.lifecycle import IN_FLIGHT, OrderState, ProposalState

__all__ = ["Holding", "Reconciled", "adopt", "adoptable", "cancel", "holdings", "reconcile"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciled:
    """What was in flight and how each order stands now, what could not be settled, and both views of the account."""

    orders: tuple[tuple[Order, Order], ...]
    troubles: tuple[Spy32Error, ...]
    view: Beside

    @property
    def holdings(self) -> tuple[Holding, ...]:
        return self.view.holdings

    @property
    def differs(self) -> bool:
        return self.view.differs

    @property
    def worst(self) -> Spy32Error | None:
        """What the command ends with: an order whose outcome is unknown before anything else, and None when all is
        settled, whatever differs."""
        return min(self.troubles, key=lambda trouble: trouble.code, default=None)


def reconcile(bench_of: Callable[[int | None], Bench]) -> Reconciled:
    """Every order in flight settled by reading at the broker, proposal by proposal; never sends anything.

    Orders of ours that the broker shows and our book lacks are adopted, with their trades; one that is beyond what its
    approval covers is cancelled.

    `bench_of` makes the bench of a proposal, since a recorded one keeps its own market and clock.
    """
    plain = bench_of(None)
    before = plain.store.orders_in(*IN_FLIGHT)
    troubles: list[Spy32Error] = []
    # A proposal left as sent with all its orders at rest belongs to a process that died before the last row.
    sent = [proposal.id for proposal in plain.store.proposals(ProposalState.SENT) if proposal.id is not None]
    for proposal_id in dict.fromkeys((*(order.proposal_id for order in before), *sent)):
        bench = bench_of(proposal_id)
        try:
            with bench.locks.hold(lock_of(proposal_id)):
                troubles += _settled(bench, proposal_id)
                price = settle.price_trouble(bench, proposal_id)
                troubles += [price] if price is not None else []
        except Unavailable as busy:
            troubles.append(busy)
    found = own_orders.adopt_missing(bench_of(None))
    for trade in plain.store.trades_owing():
        if trade.mode is not Mode.PAPER:
            settle_fees(bench_of(trade.proposal_id), trade.proposal_id)
    plain = bench_of(None)
    after = tuple((order, plain.store.order(_id(order))) for order in before)
    try:
        view = beside(plain)
    except Spy32Error as trouble:
        view = Beside(holdings=(), troubles=(trouble,))
    told = {trouble.message: trouble for trouble in (*troubles, *found.troubles, *view.troubles)}
    return Reconciled(orders=(*after, *found.orders), troubles=tuple(told.values()), view=view)


def _settled(bench: Bench, proposal_id: int) -> list[Spy32Error]:
    """The orders of a proposal, then its target; what could not be settled."""
    return [*settle.recover(bench, proposal_id), *target.follow(bench, proposal_id)]


def adoptable(view: Beside) -> tuple[Gone, ...]:
    """What a person may ask to take over: contracts that are gone for a reason that the broker's history has."""
    return tuple(gone for gone in view.gone if gone.adoption is not None)


def adopt(bench: Bench, chosen: Iterable[Gone]) -> tuple[Trade, ...]:
    """The trades after what the broker's transactions say of them was taken into our book.

    `Refused` for one that has changed since it was shown, or that an order of ours may still close.
    """
    done = []
    for gone in chosen:
        assert gone.adoption is not None
        with bench.locks.hold(lock_of(gone.trade.proposal_id)):
            trade = bench.store.adopt(gone.adoption, was=gone.trade.state, held=gone.trade.remaining, at=bench.clock())
        bench.tell(f"T{trade.id}: {gone.trade.state} before, {trade.state} now")
        done.append(trade)
    return tuple(done)


def cancel(bench: Bench, proposal_id: int) -> int:
    """Cancel what of this proposal still works, and confirm it; the number of spreads that were filled all the same.

    Of an opening that is done this is its resting profit target: the trade stays open, without one.
    """
    bench.store.proposal(proposal_id)
    with bench.locks.hold(lock_of(proposal_id)):
        troubles = _settled(bench, proposal_id)
        if troubles:
            # What is known to work is cancelled, whatever else cannot be settled yet.
            settle.stop_working(bench, proposal_id)
            raise troubles[0]
        working = [order for order in bench.store.orders(proposal_id) if order.state is OrderState.WORKING]
        if not working:
            raise Refused(f"nothing of P{proposal_id} is working at the broker")
        settle.stop_working(bench, proposal_id)
        alive = [bench.store.order(_id(order)) for order in working]
        for order in alive:
            if order.state is OrderState.WORKING:
                raise Unresolved(
                    f"order {order.reference} was asked to be cancelled and is still {order.broker_status}"
                )
        filled = settle.conclude(bench, proposal_id, reason="cancelled by the person")
        price = settle.price_trouble(bench, proposal_id)
        if price is not None:
            raise price
        return filled


def settle_by_word(bench: Bench, proposal_id: int, by: str) -> Proposal:
    """The proposal at rest because a person, who has looked at the broker, says that nothing of it is alive there.

    For what reading cannot settle: an order in no list beside legs that were traded by hand, or legs that filled
    unevenly and were evened out by hand. `Refused` while an order of it is known to work, which is for `cancel`.
    """
    proposal = bench.store.proposal(proposal_id)
    with bench.locks.hold(lock_of(proposal_id)):
        for trouble in settle.recover(bench, proposal_id):
            bench.tell(trouble.message)
        word = f"{by} looked at the broker and said so"
        for order in bench.store.orders(proposal_id):
            if order.state is OrderState.UNKNOWN:
                bench.store.move_order(
                    _id(order), was=order.state, now=OrderState.ABSENT, at=bench.clock(), reason=f"absent: {word}"
                )
            elif order.state in IN_FLIGHT:
                raise Refused(f"order {order.reference} is {order.state}; `spy32 cancel P{proposal_id}` first")
        bench.store.settle_absences(proposal_id, by, bench.clock())
        proposal = bench.store.proposal(proposal_id)
        if proposal.state is ProposalState.SENT:
            now = ProposalState.DONE if settle.fills_of(bench, proposal_id) else ProposalState.PROPOSED
            bench.store.finish_proposal(proposal_id, now=now, at=bench.clock(), reason=f"settled: {word}")
        return bench.store.proposal(proposal_id)


def _id(order: Order) -> int:
    assert order.id is not None
    return order.id
