"""Read the broker's transactions: final fees, and what became of contracts that are gone."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal

from spy32.domain.orders import Adoption, Disposal, Trade, Transaction, TransactionKind
from spy32.domain.spreads import Leg, Mode
from spy32.domain.value import value
from spy32.errors import Spy32Error
from spy32.lifecycle import TradeState
from spy32.rules.assignment import AssignedPosition, assigned_position, undelivered_shares
from spy32.sessions import market_date, new_york_time
from spy32.trading.context import TradingContext

CLOSING_KINDS = (TransactionKind.ASSIGNMENT, TransactionKind.EXERCISE, TransactionKind.EXPIRATION)
"""Transactions that remove a contract without an order."""

# Fees.


@value
class OrderFees:
    """Fees of one order from the broker's transactions, dollars."""

    order_id: int
    reference: str
    amount: Decimal
    is_complete: bool
    """Every fill in our book has its transaction."""
    is_final: bool
    """No transaction marks its fees as estimated."""
    transaction_ids: tuple[str, ...]
    """Ids of the transactions."""
    estimate: Decimal
    """Fees in our book."""


def load_order_fees(context: TradingContext, trade: Trade) -> tuple[OrderFees, ...]:
    """Return the broker's fees of each order of the trade whose fees are not final in our book."""
    unsettled = context.store.adoptions.orders_with_estimated_fees(trade.id)
    if not unsettled:
        return ()
    transactions = context.account.transactions(market_date(trade.opened_at))
    order_fees = []
    for order, estimate in unsettled:
        own_transactions = tuple(
            transaction for transaction in transactions if _belongs_to_order(transaction, order.broker_id)
        )
        contracts = sum((abs(transaction.quantity) for transaction in own_transactions), Decimal(0))
        order_fees.append(
            OrderFees(
                order_id=order.id,
                reference=order.reference,
                amount=sum((transaction.fees for transaction in own_transactions), Decimal(0)),
                is_complete=contracts == sum(fill.quantity for fill in context.store.orders.fills(order.id)),
                is_final=all(transaction.is_final for transaction in own_transactions),
                transaction_ids=tuple(transaction.id for transaction in own_transactions),
                estimate=estimate,
            )
        )
    return tuple(order_fees)


def settle_fees(context: TradingContext, proposal_id: int) -> Trade | None:
    """Record the broker's final fees and return the trade; fees that are not final yet are reported.

    Errors are reported and not raised, since the fills are recorded whatever can be read of their fees. In paper mode
    the fees are the paper broker's and do not change.
    """
    trade = context.store.trades.find_by_proposal(proposal_id)
    if trade is None or trade.mode is Mode.PAPER:
        return trade
    try:
        for fees in load_order_fees(context, trade):
            _record_fees(context, fees)
    except Spy32Error as error:
        context.report(f"fees of T{trade.id} stay an estimate: {error.message}")
    return context.store.trades.get(trade.id)


def _record_fees(context: TradingContext, fees: OrderFees) -> None:
    if fees.is_complete and fees.is_final:
        context.store.adoptions.settle_fees(
            fees.order_id, fees.amount, is_final=True, at=context.clock(), transactions=fees.transaction_ids
        )
        context.report(f"fees of {fees.reference}: ${fees.amount:,.2f}, final")
        return
    estimate = fees.estimate
    if fees.is_complete and not estimate:
        # The broker's estimate is better than no fees in our book.
        context.store.adoptions.settle_fees(
            fees.order_id, fees.amount, is_final=False, at=context.clock(), transactions=fees.transaction_ids
        )
        estimate = fees.amount
    reason = "the broker calls its own an estimate" if fees.is_complete else "the broker has not booked every fill yet"
    context.report(f"fees of {fees.reference}: ${estimate:,.2f} is an estimate, since {reason}")


def _belongs_to_order(transaction: Transaction, broker_id: str | None) -> bool:
    return transaction.kind is TransactionKind.TRADE and broker_id is not None and transaction.order_id == broker_id


# Missing contracts.


@value
class MissingContracts:
    """Contracts of a trade that the broker no longer shows, and the transactions about them."""

    trade: Trade
    missing: tuple[tuple[str, int], ...]
    """Symbol and number of contracts."""
    reasons: tuple[tuple[str, str], ...]
    """Symbol and explanation."""
    adoption: Adoption | None
    """The change of our book if a person asks for it; None when the transactions do not explain enough."""

    @property
    def explanation(self) -> str:
        return f"T{self.trade.id}: " + "; ".join(words for _, words in self.reasons)

    @property
    def is_self_explained(self) -> bool:
        """Whether expirations, assignments, exercises, settlements and their shares explain the whole difference.

        Then nobody traded, and no person has to be asked.
        """
        if self.adoption is None or not self.adoption.is_lifecycle:
            return False
        explained = Counter[str]()
        for line in self.adoption.transactions:
            explained[line.symbol] += int(line.quantity)
        is_delivered = undelivered_shares(self.adoption.transactions) == (0, 0)
        return is_delivered and all(explained[symbol] == count for symbol, count in self.missing)


@dataclass(slots=True)
class UnmatchedTransactions:
    """Transactions that no trade of ours accounts for yet. `take` uses them up. Quantities are positive."""

    transactions: list[Transaction]

    def matching(self, symbol: str, since: datetime) -> Iterator[Transaction]:
        return (
            transaction
            for transaction in self.transactions
            if transaction.symbol == symbol and transaction.at >= since and transaction.quantity > 0
        )

    def take(self, transaction: Transaction, quantity: Decimal) -> Transaction:
        """Return the part of a transaction for `quantity`; the rest stays for other trades."""
        part = _partial_transaction(transaction, quantity)
        remainder = replace(
            transaction,
            quantity=transaction.quantity - quantity,
            net_value=transaction.net_value - part.net_value,
            fees=transaction.fees - part.fees,
        )
        self.transactions[self.transactions.index(transaction)] = remainder
        return part


def _partial_transaction(transaction: Transaction, quantity: Decimal) -> Transaction:
    def prorate(amount: Decimal) -> Decimal:
        return (
            amount
            if quantity == transaction.quantity
            else (amount * quantity / transaction.quantity).quantize(Decimal("0.0001"))
        )

    return replace(
        transaction, quantity=quantity, net_value=prorate(transaction.net_value), fees=prorate(transaction.fees)
    )


def load_unmatched(context: TradingContext, since: date) -> UnmatchedTransactions:
    """Return the transactions since a day without those of our orders and those on record, oldest first."""
    adopted = Counter[tuple[str, str]]()
    records = context.store.adoptions
    for part in (*records.select(), *records.disposals()):
        for transaction in part.transactions:
            adopted[transaction.id, transaction.symbol] += int(transaction.quantity)
    unmatched = []
    for transaction in sorted(
        context.account.transactions(since), key=lambda transaction: (transaction.at, transaction.id)
    ):
        if transaction.order_id is not None and context.store.orders.find(broker_id=transaction.order_id) is not None:
            continue
        unsigned = replace(transaction, quantity=abs(transaction.quantity))
        remaining = unsigned.quantity - adopted[transaction.id, transaction.symbol]
        if remaining > 0:
            unmatched.append(_partial_transaction(unsigned, remaining))
    return UnmatchedTransactions(unmatched)


def find_missing_contracts(
    trades: Sequence[Trade], shortfall: dict[str, int], unmatched: UnmatchedTransactions
) -> tuple[MissingContracts, ...]:
    """Return each trade with missing contracts, explained from the transactions, oldest first.

    `shortfall` holds the missing contracts by symbol, positive, and is used up.
    """
    results = []
    for trade in trades:
        missing = {}
        for leg in trade.legs:
            count = min(shortfall.get(leg.symbol, 0), leg.quantity * trade.remaining)
            if count:
                missing[leg.symbol] = count
                shortfall[leg.symbol] -= count
        if missing:
            results.append(_explain_missing(trade, missing, unmatched))
    return tuple(results)


def _explain_missing(trade: Trade, missing: dict[str, int], unmatched: UnmatchedTransactions) -> MissingContracts:
    closings = {
        leg.symbol: tuple(_closing_transactions(leg, trade, unmatched)) for leg in trade.legs if leg.symbol in missing
    }
    counts = {
        leg.symbol: min(_contract_count(closings.get(leg.symbol, ())), missing.get(leg.symbol, 0)) for leg in trade.legs
    }
    reasons = tuple((symbol, _describe_closing(symbol, count, closings[symbol])) for symbol, count in missing.items())
    adoption = _decide_adoption(trade, counts, unmatched, "; ".join(reason for _, reason in reasons))
    return MissingContracts(trade=trade, missing=tuple(missing.items()), reasons=reasons, adoption=adoption)


def _closing_transactions(leg: Leg, trade: Trade, unmatched: UnmatchedTransactions) -> Iterator[Transaction]:
    """Return the transactions that may have removed this leg from the account."""
    for transaction in unmatched.matching(leg.symbol, trade.opened_at):
        is_manual = transaction.kind is TransactionKind.TRADE and transaction.action is leg.action.closing
        if is_manual or transaction.kind in CLOSING_KINDS:
            yield transaction


def _contract_count(transactions: Sequence[Transaction]) -> int:
    return int(sum((transaction.quantity for transaction in transactions), Decimal(0)))


def _describe_closing(symbol: str, missing: int, transactions: Sequence[Transaction]) -> str:
    if not transactions:
        return f"{missing} x {symbol} gone, and the broker's transactions do not say why"
    names = {TransactionKind.TRADE: "closed by hand"}
    parts = [
        f"{names.get(transaction.kind, transaction.kind.value)} {new_york_time(transaction.at):%Y-%m-%d}"
        + (
            f" at {transaction.price}"
            if transaction.kind is TransactionKind.TRADE and transaction.price is not None
            else ""
        )
        for transaction in transactions
    ]
    return f"{missing} x {symbol} gone: {', '.join(dict.fromkeys(parts))}"


def _decide_adoption(
    trade: Trade, counts: dict[str, int], unmatched: UnmatchedTransactions, reason: str
) -> Adoption | None:
    """Return the adoption of what is gone and explained, `counts` contracts by symbol; None if there is none.

    Where shares were delivered and anything is left, the trade is assigned as a whole. Otherwise whole spreads are
    adopted.
    """
    spreads = min(counts[leg.symbol] // leg.quantity for leg in trade.legs)
    delivered = any(
        transaction.delivered_shares
        for leg in trade.legs
        if counts[leg.symbol]
        for transaction in _closing_transactions(leg, trade, unmatched)
    )
    if delivered:
        return _decide_assignment(trade, counts, unmatched, reason)
    if spreads == 0:
        return None
    taken = {leg.symbol: spreads * leg.quantity for leg in trade.legs}
    transactions = _take_contracts(trade, taken, unmatched)
    has_expired = all(transaction.kind is TransactionKind.EXPIRATION for transaction in transactions)
    if has_expired and spreads < trade.remaining:
        return None
    state = TradeState.EXPIRED if has_expired else TradeState.CLOSED
    return Adoption(trade_id=trade.id, state=state, spreads=spreads, transactions=transactions, reason=reason)


def _decide_assignment(
    trade: Trade, counts: dict[str, int], unmatched: UnmatchedTransactions, reason: str
) -> Adoption | None:
    """Return the adoption of a trade of which shares were delivered: it ends where nothing of it is left.

    A part is not adopted before its shares are on record.
    """
    transactions = _take_contracts(trade, counts, unmatched)
    transactions += _take_deliveries(trade, transactions, unmatched)
    adoption = Adoption(
        trade_id=trade.id,
        state=TradeState.ASSIGNED,
        spreads=trade.remaining,
        transactions=transactions,
        reason=reason,
    )
    position = assigned_position(trade, (adoption,))
    if position.is_over:
        return replace(adoption, state=TradeState.CLOSED)
    is_part = any(leg.action.sign > 0 for leg, _ in position.legs)
    return None if is_part and (position.incoming or position.outgoing) else adoption


def _take_contracts(
    trade: Trade, counts: Mapping[str, int], unmatched: UnmatchedTransactions
) -> tuple[Transaction, ...]:
    """Take the transactions that removed so many contracts by symbol, oldest first."""
    parts = []
    for leg in trade.legs:
        remaining = Decimal(counts.get(leg.symbol, 0))
        for transaction in tuple(_closing_transactions(leg, trade, unmatched)):
            if remaining > 0:
                parts.append(unmatched.take(transaction, min(remaining, transaction.quantity)))
                remaining -= parts[-1].quantity
    return tuple(parts)


def _take_deliveries(
    trade: Trade,
    transactions: Sequence[Transaction],
    unmatched: UnmatchedTransactions,
    most: Mapping[bool, Decimal] | None = None,
) -> tuple[Transaction, ...]:
    """Take the share transactions of these assignments and exercises: same day, same side, at the strike if told.

    `most` bounds the shares that come in (True) and go out (False), where a part of them is on record.
    """
    shares: list[Transaction] = []
    for delivery in transactions:
        comes_in = delivery.delivered_shares > 0
        remaining = abs(delivery.delivered_shares)
        if most is not None:
            taken = sum((line.quantity for line in shares if (line.signed_quantity > 0) is comes_in), Decimal(0))
            remaining = min(remaining, most[comes_in] - taken)
        strike = next((leg.strike for leg in trade.legs if leg.symbol == delivery.symbol), None)
        for line in tuple(unmatched.matching(delivery.ticker, trade.opened_at)):
            is_delivery = (
                line.kind is not TransactionKind.TRADE
                and market_date(line.at) == market_date(delivery.at)
                and line.signed_quantity * delivery.delivered_shares > 0
                and line.price in (None, strike)
            )
            if is_delivery and remaining > 0:
                shares.append(unmatched.take(line, min(remaining, line.quantity)))
                remaining -= shares[-1].quantity
    return tuple(shares)


# Assigned trades.


def find_disposal(position: AssignedPosition, unmatched: UnmatchedTransactions) -> Disposal | None:
    """Return what became of an assigned trade's shares and contracts since: expired, exercised, sold, in part or whole.

    Sales and purchases of shares count up to what the trade holds, oldest first. None without any.
    """
    trade = position.trade
    taken = _take_contracts(trade, {leg.symbol: count for leg, count in position.legs}, unmatched)
    missing = {True: Decimal(position.incoming), False: Decimal(position.outgoing)}
    deliveries = _take_deliveries(trade, position.awaited, unmatched, missing)
    deliveries += _take_deliveries(trade, taken, unmatched)
    shares = position.shares + sum((line.signed_quantity for line in deliveries), Decimal(0))
    sales = []
    for line in tuple(unmatched.matching(position.ticker, position.since)):
        if line.kind is TransactionKind.TRADE and line.signed_quantity * shares < 0:
            sales.append(unmatched.take(line, min(abs(shares), line.quantity)))
            shares += sales[-1].signed_quantity
    lines = (*taken, *deliveries, *sales)
    return Disposal(trade_id=trade.id, transactions=lines) if lines else None
