"""Settle orders in flight, cancel working ones, and adopt what the broker's history says when a person asks."""

from collections.abc import Callable

from spy32.domain.orders import Order
from spy32.domain.proposals import Proposal
from spy32.domain.spreads import Mode
from spy32.domain.value import value
from spy32.errors import Refused, Spy32Error, Unavailable, Unresolved
from spy32.lifecycle import IN_FLIGHT, OrderState, ProposalState
from spy32.trading import order_adoption, order_state, profit_target
from spy32.trading.context import TradingContext, proposal_lock_name
from spy32.trading.order_book import load_order_book
from spy32.trading.position_diff import AccountDiff, PositionDiff, add_history, compare_positions, compare_with_broker
from spy32.trading.settle import SettledTrades, adopt_trades, settle_ended
from spy32.trading.transactions import MissingContracts, settle_fees

__all__ = [
    "PositionDiff",
    "ReconcileResult",
    "adopt_trades",
    "adoptable_contracts",
    "cancel_proposal",
    "compare_positions",
    "reconcile",
]


@value
class ReconcileResult:
    """Each order in flight before and after, what could not be settled, and both views of the account."""

    orders: tuple[tuple[Order, Order], ...]
    troubles: tuple[Spy32Error, ...]
    view: AccountDiff
    settled: SettledTrades = SettledTrades()
    """Trades that ended by themselves."""

    @property
    def holdings(self) -> tuple[PositionDiff, ...]:
        return self.view.holdings

    @property
    def differs(self) -> bool:
        return self.view.differs

    @property
    def worst_error(self) -> Spy32Error | None:
        """The error that the command ends with: an unknown order outcome before others; None when all is settled,
        even if positions differ."""
        return min(self.troubles, key=lambda error: error.code, default=None)


def reconcile(context_for: Callable[[int | None], TradingContext]) -> ReconcileResult:
    """Settle every order in flight by reading at the broker, proposal by proposal; never sends an order.

    Orders of ours that our book lacks are adopted with their trades; one beyond its approval is cancelled. Trades that
    expired or were assigned are settled.
    `context_for` makes the context of a proposal, since a recorded one keeps its own market and clock.
    """
    base_context = context_for(None)
    before = base_context.store.orders.select(*IN_FLIGHT)
    errors: list[Spy32Error] = []
    # The process of a `sent` proposal without live orders died before it wrote the last row.
    sent_ids = [proposal.id for proposal in base_context.store.proposals.select(ProposalState.SENT)]
    for proposal_id in dict.fromkeys((*(order.proposal_id for order in before), *sent_ids)):
        context = context_for(proposal_id)
        try:
            with context.locks.hold(proposal_lock_name(proposal_id)):
                errors += _settle_proposal(context, proposal_id)
                price_error = order_state.unreviewed_price_error(context, proposal_id)
                errors += [price_error] if price_error is not None else []
        except Unavailable as busy:
            errors.append(busy)
    adopted = order_adoption.adopt_missing(context_for(None))
    settled = settle_ended(context_for, reads_positions=True)
    for trade in base_context.store.adoptions.trades_with_estimated_fees():
        if trade.mode is not Mode.PAPER:
            settle_fees(context_for(trade.proposal_id), trade.proposal_id)
    base_context = context_for(None)
    after = tuple((order, base_context.store.orders.get(order.id)) for order in before)
    try:
        view = add_history(base_context, compare_with_broker(base_context))
    except Spy32Error as error:
        view = AccountDiff(holdings=(), troubles=(error,))
    unique_errors = {error.message: error for error in (*errors, *adopted.errors, *view.troubles)}
    return ReconcileResult(
        orders=(*after, *adopted.orders), troubles=tuple(unique_errors.values()), view=view, settled=settled
    )


def _settle_proposal(context: TradingContext, proposal_id: int) -> list[Spy32Error]:
    """Settle the orders of a proposal, then its target; return the errors."""
    return [*order_state.recover_orders(context, proposal_id), *profit_target.refresh_targets(context, proposal_id)]


def adoptable_contracts(diff: AccountDiff) -> tuple[MissingContracts, ...]:
    """Return the missing contracts that the broker's history explains and a person may adopt."""
    return tuple(contracts for contracts in diff.gone if contracts.adoption is not None)


def cancel_proposal(context: TradingContext, proposal_id: int) -> int:
    """Cancel the working orders of a proposal and confirm it; return the number of spreads filled.

    For a filled opening that is its resting profit target: the trade stays open without one.
    """
    context.store.proposals.get(proposal_id)
    with context.locks.hold(proposal_lock_name(proposal_id)):
        errors = _settle_proposal(context, proposal_id)
        if errors:
            # Cancel what is known to work, although something else cannot be settled yet.
            order_state.try_cancel_working(context, proposal_id)
            raise errors[0]
        working = [
            order for order in context.store.orders.select_by_proposal(proposal_id) if order.state is OrderState.WORKING
        ]
        if not working:
            raise Refused(f"nothing of P{proposal_id} is working at the broker")
        order_state.try_cancel_working(context, proposal_id)
        orders = [context.store.orders.get(order.id) for order in working]
        for order in orders:
            if order.state is OrderState.WORKING:
                raise Unresolved(
                    f"order {order.reference} was asked to be cancelled and is still {order.broker_status}"
                )
        filled = order_state.conclude_proposal(context, proposal_id, reason="cancelled by the person")
        price_error = order_state.unreviewed_price_error(context, proposal_id)
        if price_error is not None:
            raise price_error
        return filled


def settle_by_person(context: TradingContext, proposal_id: int, by: str) -> Proposal:
    """Finish the proposal because a person has looked at the broker and says that none of its orders is alive.

    For what reading cannot settle: an unlisted order beside legs that were traded manually, or legs that filled
    unevenly and were evened out manually. `Refused` while an order is known to work; `cancel` is for that.
    """
    proposal = context.store.proposals.get(proposal_id)
    with context.locks.hold(proposal_lock_name(proposal_id)):
        for error in order_state.recover_orders(context, proposal_id):
            context.report(error.message)
        statement = f"{by} looked at the broker and said so"
        for order in context.store.orders.select_by_proposal(proposal_id):
            if order.state is OrderState.UNKNOWN:
                context.store.orders.move(
                    order.id,
                    was=order.state,
                    now=OrderState.ABSENT,
                    at=context.clock(),
                    reason=f"absent: {statement}",
                )
            elif order.state in IN_FLIGHT:
                raise Refused(f"order {order.reference} is {order.state}; `spy32 cancel P{proposal_id}` first")
        context.store.found_orders.confirm_absences(proposal_id, by, context.clock())
        proposal = context.store.proposals.get(proposal_id)
        if proposal.state is ProposalState.SENT:
            state = ProposalState.DONE if load_order_book(context, proposal_id).fills else ProposalState.PROPOSED
            context.store.proposals.finish(proposal_id, now=state, at=context.clock(), reason=f"settled: {statement}")
        return context.store.proposals.get(proposal_id)
