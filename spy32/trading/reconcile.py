"""Settle what is in flight and what ended without an order of ours: expiration, assignment, exercise, cash settlement.

One function for every command: the broker's own history decides, on paper as in live mode, where the paper broker makes
it from the official closes. What that history explains wholly is adopted without asking, with every line on record.
What a person did at the broker stays for `reconcile --adopt`.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field

from spy32.domain.orders import Order, Trade
from spy32.domain.proposals import Proposal
from spy32.domain.spreads import Mode
from spy32.domain.value import value
from spy32.errors import Refused, Spy32Error, Unavailable
from spy32.lifecycle import IN_FLIGHT, OPEN_TRADES, OrderState, ProposalState, TradeState
from spy32.trading import order_adoption, order_state
from spy32.trading.context import ContextFor, TradingContext
from spy32.trading.order_book import load_order_book
from spy32.trading.position_diff import (
    AccountDiff,
    compare_positions,
    compare_with_broker,
    history_start,
    missing_counts,
)
from spy32.trading.profit_target import settle_proposal
from spy32.trading.transactions import (
    MissingContracts,
    UnmatchedTransactions,
    find_disposal,
    find_missing_contracts,
    load_unmatched,
    settle_fees,
)

SETTLE_LOCK = "settle"
"""One process at a time decides which trade a line of the history belongs to."""
DIFFERENCE = "difference"
"""Kind of the attention item for contracts that are gone at the broker and that only a person can explain."""
LOCK_SECONDS = 20.0
"""Settling reads positions and history once: seconds."""


@value
class SettledTrades:
    """The trades that have just changed, and what was noticed, by trade."""

    trades: tuple[Trade, ...] = ()
    warnings: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    for_person: Mapping[int, str] = field(default_factory=dict)
    """Of the warnings, contracts that are gone and that only a person can take over or explain, by trade."""


def settle_ended(context: TradingContext, *, reads_positions: bool = False) -> SettledTrades:
    """Settle what has ended and return it.

    The broker is asked only when the last session of an open trade is over or a trade is assigned; with
    `reads_positions` also whether any other trade was assigned early. What cannot be read is a warning of its trade.
    """
    trades, proposals = context.store.trades, context.store.proposals
    # What is held on a recorded market expires by such a market's clock only.
    is_recorded = context.market is not None and context.market.is_recorded
    expired = tuple(
        trade
        for trade in trades.select_expired(context.clock())
        if is_recorded or not proposals.get(trade.proposal_id).is_recorded
    )
    checked = trades.select(*OPEN_TRADES) if reads_positions else expired
    assigned = trades.select(TradeState.ASSIGNED)
    if not checked and not assigned:
        return SettledTrades()
    try:
        with context.locks.hold(SETTLE_LOCK, wait_seconds=LOCK_SECONDS):
            return _settle(context, {trade.id for trade in expired}, checked, assigned)
    except Spy32Error as error:
        warnings = {
            trade.id: (f"T{trade.id} was not compared with the broker's positions: {error.message}",)
            for trade in checked
        }
        for trade in (*expired, *assigned):
            warnings[trade.id] = (f"T{trade.id} {_due_text(trade)} is not settled yet: {error.message}",)
        return SettledTrades(warnings=warnings)


def _due_text(trade: Trade) -> str:
    return "was assigned and" if trade.state is TradeState.ASSIGNED else f"expired on {trade.expiration} and"


def _settle(
    context: TradingContext, expired_ids: set[int], checked: Sequence[Trade], assigned: Sequence[Trade]
) -> SettledTrades:
    """Settle trades that may have ended. The caller holds `SETTLE_LOCK`."""
    trades = context.store.trades
    changed: dict[int, Trade] = {}
    warnings: dict[int, list[str]] = defaultdict(list)
    for_person: dict[int, str] = {}
    shortfall = missing_counts(compare_positions(context))
    suspects = [trade for trade in checked if any(shortfall.get(leg.symbol) for leg in trade.legs)]
    for trade in suspects:
        # An order may still close it, or has closed it: a target may fill at any time.
        warnings[trade.id] += settle_orders(context, trade)
        after = trades.get(trade.id)
        changed |= {after.id: after} if after.state not in OPEN_TRADES else {}
    without_orders = {trade.id for trade in suspects if not warnings[trade.id]}
    if suspects:
        shortfall = missing_counts(compare_positions(context))
    if assigned or any(shortfall.values()):
        unmatched = load_unmatched(context, history_start(context))
        changed |= {after.id: after for after in _dispose(context, assigned, unmatched)}
        for contracts in find_missing_contracts(trades.select(*OPEN_TRADES), shortfall, unmatched):
            trade = contracts.trade
            if trade.id in without_orders and contracts.is_self_explained:
                (changed[trade.id],) = adopt_trades(context, [contracts])
            elif trade.id in without_orders:
                is_adoptable = contracts.adoption is not None
                remedy = "`spy32 reconcile --adopt` takes it over" if is_adoptable else "nothing is settled"
                message = f"{contracts.explanation}: {remedy}"
                warnings[trade.id].append(message)
                if is_adoptable or trade.id not in expired_ids:
                    for_person[trade.id] = message
    for trade in trades.select(*OPEN_TRADES):
        if trade.id in expired_ids and trade.id not in changed and not warnings[trade.id]:
            reasons = "; ".join(context.account.unsettled_notes()) or "the broker still shows its contracts"
            warnings[trade.id].append(f"T{trade.id} {_due_text(trade)} is not settled yet: {reasons}")
    return SettledTrades(
        trades=tuple(changed.values()),
        warnings={number: tuple(messages) for number, messages in warnings.items() if messages},
        for_person=for_person,
    )


def _dispose(context: TradingContext, assigned: Sequence[Trade], unmatched: UnmatchedTransactions) -> Iterator[Trade]:
    """Record what became of the shares and contracts of assigned trades; yield those that have changed."""
    adoptions = context.store.adoptions
    for trade in assigned:
        known = len(adoptions.disposals(trade.id))
        disposal = find_disposal(adoptions.position(trade.id), unmatched)
        if disposal is not None:
            after = adoptions.dispose(disposal, known=known, at=context.clock())
            context.report(f"T{trade.id}: {trade.state} before, {after.state} now")
            yield after


def raise_differences(context: TradingContext, ended: SettledTrades) -> None:
    """Raise an attention item for contracts that are gone and that only a person can explain; another one when it was
    acknowledged and something else is gone since."""
    for number, message in ended.for_person.items():
        context.store.attention.raise_change(f"T{number}", DIFFERENCE, message, context.clock())


def settle_orders(context: TradingContext, trade: Trade) -> list[str]:
    """Read the resting target and the orders of a close that no process works; return what could not be settled."""
    close = context.store.proposals.find_live_close(trade.id)
    messages: list[str] = []
    for proposal_id in [trade.proposal_id, *([close.id] if close is not None else [])]:
        try:
            with context.hold_proposal(proposal_id):
                errors = settle_proposal(context, proposal_id)
        except Unavailable as busy:
            errors = [busy]
        messages += [error.message for error in errors]
    return messages


def adopt_trades(context: TradingContext, chosen: Iterable[MissingContracts]) -> tuple[Trade, ...]:
    """Adopt what the broker's transactions say of these trades and return them.

    `Refused` for a trade that has changed since it was shown, or that an order of ours may still close.
    """
    trades = []
    for contracts in chosen:
        assert contracts.adoption is not None
        with context.hold_proposal(contracts.trade.proposal_id):
            trade = context.store.adoptions.adopt(
                contracts.adoption, was=contracts.trade.state, held=contracts.trade.remaining, at=context.clock()
            )
            # The close that waits for a trade that has ended, or whose quantity has changed, is not for it any more.
            close = context.store.proposals.find_live_close(trade.id)
            if close is not None and close.state is not ProposalState.SENT:
                left = f"{trade.remaining} of {trade.quantity} spreads"
                reason = f"T{trade.id} is {trade.state if trade.state not in OPEN_TRADES else left}"
                context.store.proposals.lapse(close.id, was=close.state, at=context.clock(), reason=reason)
        context.report(f"T{trade.id}: {contracts.trade.state} before, {trade.state} now")
        trades.append(trade)
    return tuple(trades)


# What a person asks for.


@value
class ReconcileResult:
    """Each order in flight before and after, what could not be settled, and both views of the account."""

    orders: tuple[tuple[Order, Order], ...]
    errors: tuple[Spy32Error, ...]
    view: AccountDiff
    settled: SettledTrades = SettledTrades()
    """Trades that ended by themselves."""

    @property
    def worst_error(self) -> Spy32Error | None:
        """The error that the command ends with: an unknown order outcome before others; None when all is settled,
        even if positions differ."""
        return min(self.errors, key=lambda error: error.code, default=None)


def reconcile(context_for: ContextFor) -> ReconcileResult:
    """Settle every order in flight by reading at the broker, proposal by proposal; never sends an order.

    Orders of ours that our book lacks are adopted with their trades; one beyond its approval is cancelled. Trades that
    expired or were assigned are settled.
    """
    base = context_for(None)
    before = base.store.orders.select(*IN_FLIGHT)
    errors: list[Spy32Error] = []
    # The process of a `sent` proposal without live orders died before it wrote the last row.
    sent_ids = [proposal.id for proposal in base.store.proposals.select(ProposalState.SENT)]
    for proposal_id in dict.fromkeys((*(order.proposal_id for order in before), *sent_ids)):
        context = context_for(proposal_id)
        try:
            with context.hold_proposal(proposal_id):
                errors += settle_proposal(context, proposal_id)
                price_error = order_state.unreviewed_price_error(context, proposal_id)
                errors += [price_error] if price_error is not None else []
        except Unavailable as busy:
            errors.append(busy)
    adopted = order_adoption.adopt_missing(base)
    settled = settle_ended(base, reads_positions=True)
    for trade in base.store.adoptions.trades_with_estimated_fees():
        if trade.mode is not Mode.PAPER:
            settle_fees(context_for(trade.proposal_id), trade.proposal_id)
    after = tuple((order, base.store.orders.get(order.id)) for order in before)
    try:
        view = compare_with_broker(base)
    except Spy32Error as error:
        view = AccountDiff(holdings=(), errors=(error,))
    unique_errors = {error.message: error for error in (*errors, *adopted.errors, *view.errors)}
    return ReconcileResult(
        orders=(*after, *adopted.orders), errors=tuple(unique_errors.values()), view=view, settled=settled
    )


def cancel_proposal(context: TradingContext, proposal_id: int) -> int:
    """Cancel the working orders of a proposal and confirm it; return the number of spreads filled.

    For a filled opening that is its resting profit target: the trade stays open without one.
    """
    with context.hold_proposal(proposal_id):
        errors = settle_proposal(context, proposal_id)
        orders = context.store.orders.select_by_proposal(proposal_id)
        if not errors and not any(order.state is OrderState.WORKING for order in orders):
            raise Refused(f"nothing of P{proposal_id} is working at the broker")
        # What is known to work is cancelled, although something else cannot be settled yet.
        errors += order_state.cancel_working_orders(context, proposal_id)
        for error in errors[1:]:
            context.report(error.message)
        if errors:
            raise errors[0]
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
    with context.hold_proposal(proposal_id):
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
