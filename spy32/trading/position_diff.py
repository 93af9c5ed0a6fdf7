"""Compare our book with the broker's: contracts, manual orders, and what explains each difference."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from spy32.domain.option_class import underlying_for_root
from spy32.domain.orders import BrokerOrder, Order, Trade, TransactionKind
from spy32.domain.value import value
from spy32.errors import Spy32Error
from spy32.lifecycle import FINAL, TradeState
from spy32.sessions import market_date, new_york_time
from spy32.trading import order_adoption, transactions
from spy32.trading.context import TradingContext
from spy32.trading.history_diff import HistoryDiff, compare_history
from spy32.trading.order_book import load_order_book
from spy32.trading.order_chains import build_order_chains
from spy32.trading.transactions import MissingContracts, UnmatchedTransactions

OPEN_STATES = (TradeState.OPEN, TradeState.CLOSING)
_EARLIEST = datetime.min.replace(tzinfo=UTC)
LOOK_BACK_DAYS = 7
"""Days of transactions that are searched at least for a contract that is not ours."""


@value
class PositionDiff:
    """One contract: what our book holds and what the broker shows. Negative is short."""

    symbol: str
    ours: int
    """Contracts that our book holds."""
    broker: int
    """Contracts that the broker shows."""
    why: str = ""
    """The explanation of the difference; empty when there is none."""

    @property
    def agrees(self) -> bool:
        return self.ours == self.broker


@value
class ForeignOrder:
    """An order at the broker that our book does not account for. It is only shown."""

    order: BrokerOrder
    ours: Order | None
    """Our order with its reference, which our book has as never placed."""
    proposal_id: int | None = None
    """The proposal whose approval gave its reference; `reconcile` adopts it."""
    has_spy32_reference: bool = False
    """It has a reference of spy32 for an approval that this book does not have."""

    @property
    def whose(self) -> str:
        """`ours`, `another book`, or `not ours`."""
        return "ours" if self.proposal_id is not None else "another book" if self.has_spy32_reference else "not ours"


@value
class AccountDiff:
    """Our book and the broker's view of one account, and what could not be read of the latter."""

    holdings: tuple[PositionDiff, ...]
    foreign_orders: tuple[ForeignOrder, ...] = ()
    targets: tuple[tuple[Trade, Order], ...] = ()
    """Profit targets that may still fill."""
    without_target: tuple[Trade, ...] = ()
    """Trades whose exit plan has a resting profit target, and that have none."""
    gone: tuple[MissingContracts, ...] = ()
    history: tuple[HistoryDiff, ...] = ()
    """Where our fills, cash and fees differ from the broker's transactions."""
    troubles: tuple[Spy32Error, ...] = ()

    @property
    def differs(self) -> bool:
        return not all(holding.agrees for holding in self.holdings)


def compare_positions(context: TradingContext) -> tuple[PositionDiff, ...]:
    """Return our open trades and the broker's positions, contract by contract."""
    book: dict[str, int] = {}
    for trade in context.store.trades.select(*OPEN_STATES):
        for leg in trade.legs:
            book[leg.symbol] = book.get(leg.symbol, 0) - leg.action.sign * leg.quantity * trade.remaining
    broker = {position.symbol: position.quantity for position in context.account.positions() if position.quantity}
    return tuple(
        PositionDiff(symbol=symbol, ours=book.get(symbol, 0), broker=broker.get(symbol, 0))
        for symbol in sorted(book.keys() | broker.keys())
        if book.get(symbol) or symbol in broker
    )


def compare_with_broker(context: TradingContext) -> AccountDiff:
    """Compare both views and explain every difference from orders and transactions. Changes nothing.

    Raises when the broker's positions cannot be read. Unreadable orders and transactions are `troubles` of the result.
    """
    diffs = compare_positions(context)
    errors: list[Spy32Error] = []
    foreign: tuple[ForeignOrder, ...] = ()
    missing_contracts: tuple[MissingContracts, ...] = ()
    try:
        foreign = find_foreign_orders(context)
    except Spy32Error as error:
        errors.append(error)
    unmatched = UnmatchedTransactions([])
    if not all(diff.agrees for diff in diffs):
        try:
            unmatched = transactions.load_unmatched(context, history_start(context))
            open_trades = context.store.trades.select(*OPEN_STATES)
            missing_contracts = transactions.find_missing_contracts(
                open_trades, missing_counts(diffs), UnmatchedTransactions(list(unmatched.transactions))
            )
        except Spy32Error as error:
            errors.append(error)
    targets, without_target = _find_targets(context)
    return AccountDiff(
        holdings=tuple(_explain_diff(diff, context, foreign, missing_contracts, unmatched) for diff in diffs),
        foreign_orders=foreign,
        targets=targets,
        without_target=without_target,
        gone=missing_contracts,
        troubles=tuple(errors),
    )


def add_history(context: TradingContext, view: AccountDiff) -> AccountDiff:
    """Return the view with where our fills, cash and fees differ from the broker's transactions, line by line.

    A history that cannot be read is reported and not raised: what is held does not depend on it.
    """
    try:
        return replace(view, history=compare_history(context, history_start(context)))
    except Spy32Error as error:
        context.report(f"our book was not compared with the broker's history: {error.message}")
        return view


def find_foreign_orders(context: TradingContext) -> tuple[ForeignOrder, ...]:
    """Return today's orders that our book lacks and that are alive, have fills, or cannot be read."""
    results: list[ForeignOrder] = []
    for chain in build_order_chains(context.orders.todays_orders()):
        claim = order_adoption.find_claim(context, chain)
        if claim is None and not order_adoption.is_foreign(context, chain):
            continue
        our_order = claim.order if claim is not None and isinstance(claim.order, Order) else None
        results += [
            ForeignOrder(
                order=broker_order,
                ours=our_order,
                proposal_id=claim.proposal_id if claim is not None else None,
                has_spy32_reference=order_adoption.has_spy32_reference(chain),
            )
            for broker_order in chain.orders
            if broker_order.state not in FINAL or broker_order.fills or broker_order.is_unread
        ]
    return tuple(results)


def _find_targets(context: TradingContext) -> tuple[tuple[tuple[Trade, Order], ...], tuple[Trade, ...]]:
    targets, without_target = [], []
    for trade in context.store.trades.select(*OPEN_STATES):
        order = load_order_book(context, trade.proposal_id).live_target
        if order is not None:
            targets.append((trade, order))
        elif trade.state is TradeState.OPEN and context.store.proposals.get(trade.proposal_id).exit.rests_target:
            without_target.append(trade)
    return tuple(targets), tuple(without_target)


def history_start(context: TradingContext) -> date:
    """Return the first day whose transactions may explain a difference."""
    days = [market_date(trade.opened_at) for trade in context.store.trades.select(*OPEN_STATES, TradeState.ASSIGNED)]
    return min([*days, market_date(context.clock()) - timedelta(days=LOOK_BACK_DAYS)])


def missing_counts(diffs: tuple[PositionDiff, ...]) -> dict[str, int]:
    """Return the number of contracts by symbol that our book holds and the broker does not show; positive."""
    return {
        diff.symbol: max(abs(diff.ours) - (abs(diff.broker) if diff.ours * diff.broker > 0 else 0), 0)
        for diff in diffs
        if diff.ours
    }


def _explain_diff(
    diff: PositionDiff,
    context: TradingContext,
    foreign_orders: tuple[ForeignOrder, ...],
    missing_contracts: tuple[MissingContracts, ...],
    unmatched: UnmatchedTransactions,
) -> PositionDiff:
    """Return the difference with its explanation from orders and transactions; never a guess."""
    if diff.agrees:
        return diff
    reasons = [
        f"T{contracts.trade.id}: {reason}"
        for contracts in missing_contracts
        for symbol, reason in contracts.reasons
        if symbol == diff.symbol
    ]
    reasons += [
        f"assigned: T{trade.id}"
        for trade in context.store.trades.select(TradeState.ASSIGNED)
        if _belongs_to_trade(trade, diff)
    ]
    reasons += [
        _order_reason(foreign_order)
        for foreign_order in foreign_orders
        if diff.symbol in {leg.symbol for leg in foreign_order.order.legs}
    ]
    if not reasons:
        reasons += [
            f"traded by hand {new_york_time(transaction.at):%Y-%m-%d}"
            for transaction in unmatched.matching(diff.symbol, _EARLIEST)
            if transaction.kind is TransactionKind.TRADE
        ]
    explanation = "; ".join(dict.fromkeys(reasons)) or "nothing in the broker's orders and transactions explains it"
    return replace(diff, why=explanation)


def _belongs_to_trade(trade: Trade, diff: PositionDiff) -> bool:
    """Return whether the symbol is a contract of an assigned trade, or the shares that came of it."""
    return diff.symbol in {leg.symbol for leg in trade.legs} | {underlying_for_root(leg.root) for leg in trade.legs}


def _order_reason(foreign_order: ForeignOrder) -> str:
    return f"order {foreign_order.order.broker_id}, {foreign_order.whose}, {foreign_order.order.status}"
