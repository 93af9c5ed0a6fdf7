"""Settle what is in flight, cancel what works, and hold our view beside the broker's."""

from collections.abc import Callable
from dataclasses import dataclass

from spy32.desk import settle
from spy32.desk.bench import Bench, lock_of
from spy32.domain.acting import Order
from spy32.errors import Refused, Spy32Error, Unavailable
from spy32.lifecycle import IN_FLIGHT, OrderState, ProposalState, TradeState


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """One contract: what our book holds and what the broker shows. Negative is short."""

    symbol: str
    ours: int
    broker: int

    @property
    def agrees(self) -> bool:
        return self.ours == self.broker


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciled:
    """What was in flight and how each order stands now, and what could not be settled."""

    orders: tuple[tuple[Order, Order], ...]
    troubles: tuple[Spy32Error, ...]
    holdings: tuple[Holding, ...]

    @property
    def differs(self) -> bool:
        return not all(holding.agrees for holding in self.holdings)


def reconcile(bench_of: Callable[[int | None], Bench]) -> Reconciled:
    """Every order in flight settled by reading at the broker, proposal by proposal; never sends anything.

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
                troubles += settle.recover(bench, proposal_id)
        except Unavailable as busy:
            troubles.append(busy)
    after = tuple((order, plain.store.order(_id(order))) for order in before)
    return Reconciled(orders=after, troubles=tuple(troubles), holdings=holdings(plain))


def holdings(bench: Bench) -> tuple[Holding, ...]:
    """Our open trades beside the broker's positions, contract by contract."""
    ours: dict[str, int] = {}
    for trade in bench.store.trades(TradeState.OPEN, TradeState.CLOSING):
        for leg in trade.legs:
            ours[leg.symbol] = ours.get(leg.symbol, 0) - leg.action.sign * leg.quantity * trade.quantity
    broker = {position.symbol: position.quantity for position in bench.account.positions() if position.quantity}
    return tuple(
        Holding(symbol=symbol, ours=ours.get(symbol, 0), broker=broker.get(symbol, 0))
        for symbol in sorted(ours.keys() | broker.keys())
    )


def cancel(bench: Bench, proposal_id: int) -> int:
    """Cancel what of this proposal still works, and confirm it; the number of spreads that were filled all the same."""
    bench.store.proposal(proposal_id)
    with bench.locks.hold(lock_of(proposal_id)):
        troubles = settle.recover(bench, proposal_id)
        if troubles:
            raise troubles[0]
        working = [order for order in bench.store.orders(proposal_id) if order.state is OrderState.WORKING]
        if not working:
            raise Refused(f"nothing of P{proposal_id} is working at the broker")
        for order in working:
            settle.cancelled(bench, order)
        return settle.conclude(bench, proposal_id, reason="cancelled by the person")


def _id(order: Order) -> int:
    assert order.id is not None
    return order.id
