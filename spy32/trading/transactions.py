"""Read the broker's transactions: final fees, and what became of contracts that are gone."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal

from spy32.domain.orders import Order, Trade
from spy32.domain.spreads import Leg, Mode
from spy32.domain.transactions import DELIVERIES, Adoption, Disposal, Transaction, TransactionKind
from spy32.domain.value import value
from spy32.errors import Spy32Error
from spy32.lifecycle import TradeState
from spy32.rules.assignment import AssignedPosition, assigned_position, undelivered_shares
from spy32.sessions import market_date, new_york_time
from spy32.trading.context import TradingContext

CLOSING_KINDS = (*DELIVERIES, TransactionKind.EXPIRATION)
"""Transactions that remove a contract without an order."""

# Fees.


def settle_fees(context: TradingContext, proposal_id: int) -> Trade | None:
    """Record the broker's final fees and return the trade; fees that are not final yet are reported.

    Errors are reported and not raised, since the fills are recorded whatever can be read of their fees. In paper mode
    the fees are the paper broker's and do not change.
    """
    trade = context.store.trades.find_by_proposal(proposal_id)
    if trade is None or trade.mode is Mode.PAPER:
        return trade
    try:
        unsettled = context.store.adoptions.orders_with_estimated_fees(trade.id)
        lines = context.account.transactions(market_date(trade.opened_at)) if unsettled else ()
        for order, estimate in unsettled:
            trades = [line for line in lines if line.kind is TransactionKind.TRADE and line.order_id is not None]
            own = [line for line in trades if line.order_id == order.broker_id]
            _settle_order_fees(context, order, estimate, own)
    except Spy32Error as error:
        context.report(f"fees of T{trade.id} stay an estimate: {error.message}")
    return context.store.trades.get(trade.id)


def _settle_order_fees(context: TradingContext, order: Order, estimate: Decimal, lines: Sequence[Transaction]) -> None:
    """Record what the transactions of an order say of its fees; `estimate` is what our book has, dollars."""
    amount = sum((line.fees for line in lines), Decimal(0))
    filled = sum(fill.quantity for fill in context.store.orders.fills(order.id))
    is_complete = sum(abs(line.quantity) for line in lines) == filled
    is_final = is_complete and all(line.is_final for line in lines)
    if is_complete and (is_final or not estimate):
        # The broker's estimate is better than no fees in our book.
        ids = tuple(line.id for line in lines)
        context.store.adoptions.settle_fees(order.id, amount, is_final=is_final, at=context.clock(), transactions=ids)
        estimate = amount
    reason = "the broker calls its own an estimate" if is_complete else "the broker has not booked every fill yet"
    end = ", final" if is_final else f" is an estimate, since {reason}"
    context.report(f"fees of {order.reference}: ${estimate:,.2f}{end}")


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

    def take(self, lines: Iterable[Transaction], quantity: Decimal) -> tuple[Transaction, ...]:
        """Return the parts of these lines that make up the quantity, oldest first; the rest stays for other trades."""
        parts = []
        for line in tuple(lines):
            if quantity > 0:
                part = _partial_transaction(line, min(quantity, line.quantity))
                self.transactions[self.transactions.index(line)] = replace(
                    line,
                    quantity=line.quantity - part.quantity,
                    net_value=line.net_value - part.net_value,
                    fees=line.fees - part.fees,
                )
                quantity -= part.quantity
                parts.append(part)
        return tuple(parts)


def _partial_transaction(transaction: Transaction, quantity: Decimal) -> Transaction:
    if quantity == transaction.quantity:
        return transaction
    net_value, fees = (
        (amount * quantity / transaction.quantity).quantize(Decimal("0.0001"))
        for amount in (transaction.net_value, transaction.fees)
    )
    return replace(transaction, quantity=quantity, net_value=net_value, fees=fees)


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
        missing, explained, reasons = Counter[str](), Counter[str](), {}
        for leg in trade.legs:
            count = min(shortfall.get(leg.symbol, 0), leg.quantity * trade.remaining)
            if count:
                shortfall[leg.symbol] -= count
                lines = tuple(_closing_transactions(leg, trade, unmatched))
                missing[leg.symbol] = count
                explained[leg.symbol] = min(int(sum(line.quantity for line in lines)), count)
                reasons[leg.symbol] = _describe_closing(leg.symbol, count, lines)
        if missing:
            adoption = _decide_adoption(trade, explained, unmatched, "; ".join(reasons.values()))
            found = MissingContracts(
                trade=trade, missing=tuple(missing.items()), reasons=tuple(reasons.items()), adoption=adoption
            )
            results.append(found)
    return tuple(results)


def _closing_transactions(leg: Leg, trade: Trade, unmatched: UnmatchedTransactions) -> Iterator[Transaction]:
    """Return the transactions that may have removed this leg from the account."""
    for transaction in unmatched.matching(leg.symbol, trade.opened_at):
        is_manual = transaction.kind is TransactionKind.TRADE and transaction.action is leg.action.closing
        if is_manual or transaction.kind in CLOSING_KINDS:
            yield transaction


def _describe_closing(symbol: str, missing: int, lines: Sequence[Transaction]) -> str:
    if not lines:
        return f"{missing} x {symbol} gone, and the broker's transactions do not say why"
    parts = []
    for line in lines:
        is_trade = line.kind is TransactionKind.TRADE
        price = f" at {line.price}" if is_trade and line.price is not None else ""
        name = "closed by hand" if is_trade else line.kind.value
        parts.append(f"{name} {new_york_time(line.at):%Y-%m-%d}{price}")
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
    return tuple(
        part
        for leg in trade.legs
        for part in unmatched.take(_closing_transactions(leg, trade, unmatched), Decimal(counts.get(leg.symbol, 0)))
    )


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
        lines = (
            line
            for line in unmatched.matching(delivery.ticker, trade.opened_at)
            if line.kind is not TransactionKind.TRADE
            and market_date(line.at) == market_date(delivery.at)
            and line.signed_quantity * delivery.delivered_shares > 0
            and line.price in (None, strike)
        )
        shares += unmatched.take(lines, remaining)
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
    sales = unmatched.take(
        (
            line
            for line in unmatched.matching(position.ticker, position.since)
            if line.kind is TransactionKind.TRADE and line.signed_quantity * shares < 0
        ),
        abs(shares),
    )
    lines = (*taken, *deliveries, *sales)
    return Disposal(trade_id=trade.id, transactions=lines) if lines else None
