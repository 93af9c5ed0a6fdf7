"""What the broker's own history says: the fees for good, and what became of contracts that are gone."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal

from spy32.desk.bench import Bench
from spy32.domain.acting import Adoption, Trade, Transaction, TransactionKind
from spy32.domain.market import underlying_of
from spy32.domain.trading import MULTIPLIER, Leg, Mode
from spy32.errors import Spy32Error
from spy32.lifecycle import TradeState
from spy32.sessions import market_date, new_york

ENDINGS = (TransactionKind.ASSIGNMENT, TransactionKind.EXERCISE, TransactionKind.EXPIRATION)
"""What takes a contract out of an account without an order."""

# Fees.


@dataclass(frozen=True, slots=True, kw_only=True)
class Fees:
    """The fees of one order by the broker's transactions, dollars."""

    order_id: int
    reference: str
    amount: Decimal
    is_complete: bool
    """Every fill that we know of has its line."""
    is_final: bool
    """No line calls its fees an estimate."""
    lines: tuple[str, ...]
    """Ids of the transactions."""
    estimate: Decimal
    """What our book has."""


def fees_of(bench: Bench, trade: Trade) -> tuple[Fees, ...]:
    """Fees of each order of the trade that are not final in our book, read from the broker's transactions."""
    owing = bench.store.owing(_id(trade))
    if not owing:
        return ()
    lines = bench.account.transactions(market_date(trade.opened_at))
    found = []
    for order, estimate in owing:
        own = tuple(line for line in lines if _is_of(line, order.broker_id))
        assert order.id is not None
        counted = sum((abs(line.quantity) for line in own), Decimal(0))
        found.append(
            Fees(
                order_id=order.id,
                reference=order.reference,
                amount=sum((line.fees for line in own), Decimal(0)),
                is_complete=counted == sum(fill.quantity for fill in bench.store.fills(order.id)),
                is_final=all(line.is_final for line in own),
                lines=tuple(line.id for line in own),
                estimate=estimate,
            )
        )
    return tuple(found)


def settle_fees(bench: Bench, proposal_id: int) -> Trade | None:
    """The trade of a proposal with the broker's own fees where they are final; told where they are not yet.

    Never fatal: what was filled is filled, whatever can or cannot be read of it. Our book's own fees are an estimate
    until then. On paper the fees are the paper broker's and stay what they are.
    """
    trade = bench.store.trade_of_proposal(proposal_id)
    if trade is None or trade.mode is Mode.PAPER:
        return trade
    try:
        for fees in fees_of(bench, trade):
            _settle(bench, fees)
    except Spy32Error as trouble:
        bench.tell(f"fees of T{trade.id} stay an estimate: {trouble.message}")
    return bench.store.trade(_id(trade))


def _settle(bench: Bench, fees: Fees) -> None:
    if fees.is_complete and fees.is_final:
        bench.store.settle_fees(fees.order_id, fees.amount, is_final=True, at=bench.clock(), transactions=fees.lines)
        bench.tell(f"fees of {fees.reference}: ${fees.amount:,.2f}, final")
        return
    estimate = fees.estimate
    if fees.is_complete and not estimate:
        # Without a figure of our own the broker's estimate is the better one.
        bench.store.settle_fees(fees.order_id, fees.amount, is_final=False, at=bench.clock(), transactions=fees.lines)
        estimate = fees.amount
    why = "the broker calls its own an estimate" if fees.is_complete else "the broker has not booked every fill yet"
    bench.tell(f"fees of {fees.reference}: ${estimate:,.2f} is an estimate, since {why}")


def _is_of(line: Transaction, broker_id: str | None) -> bool:
    return line.kind is TransactionKind.TRADE and broker_id is not None and line.order_id == broker_id


# What is gone.


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """Contracts of a trade that the broker no longer shows, and what its transactions say of them."""

    trade: Trade
    missing: tuple[tuple[str, int], ...]
    """Symbol and number of contracts."""
    reasons: tuple[tuple[str, str], ...]
    """Symbol and what the transactions say of it."""
    adoption: Adoption | None
    """What would be taken into our book if a person asks; None when the transactions do not explain enough."""

    @property
    def words(self) -> str:
        return f"T{self.trade.id}: " + "; ".join(words for _, words in self.reasons)


@dataclass(slots=True)
class Pool:
    """Transactions that no trade of ours accounts for, used up trade by trade. Quantities are positive."""

    lines: list[Transaction]

    def of(self, symbol: str, since: datetime) -> Iterator[Transaction]:
        return (line for line in self.lines if line.symbol == symbol and line.at >= since and line.quantity > 0)

    def take(self, line: Transaction, quantity: Decimal) -> Transaction:
        """So much of a line; the rest stays for others."""
        part = _share(line, quantity)
        left = replace(
            line,
            quantity=line.quantity - quantity,
            net_value=line.net_value - part.net_value,
            fees=line.fees - part.fees,
        )
        self.lines[self.lines.index(line)] = left
        return part


def _share(line: Transaction, quantity: Decimal) -> Transaction:
    def part(amount: Decimal) -> Decimal:
        return amount if quantity == line.quantity else (amount * quantity / line.quantity).quantize(Decimal("0.0001"))

    return replace(line, quantity=quantity, net_value=part(line.net_value), fees=part(line.fees))


def unaccounted(bench: Bench, since: date) -> Pool:
    """The broker's transactions since a day, less our own orders' and what was adopted before. Oldest first."""
    used: dict[tuple[str, str], Decimal] = {}
    for adoption in bench.store.adoptions():
        for line in adoption.transactions:
            used[line.id, line.symbol] = used.get((line.id, line.symbol), Decimal(0)) + line.quantity
    left = []
    for line in sorted(bench.account.transactions(since), key=lambda each: (each.at, each.id)):
        if line.order_id is not None and bench.store.known_order(line.order_id) is not None:
            continue
        whole = replace(line, quantity=abs(line.quantity))
        rest = whole.quantity - used.get((line.id, line.symbol), Decimal(0))
        if rest > 0:
            left.append(_share(whole, rest))
    return Pool(left)


def gone(trades: Sequence[Trade], shortfall: dict[str, int], pool: Pool) -> tuple[Gone, ...]:
    """Each trade with contracts that are missing at the broker, explained from the transactions; the oldest first.

    `shortfall` holds the missing contracts by symbol, positive, and is used up.
    """
    found = []
    for trade in trades:
        missing = {}
        for leg in trade.legs:
            count = min(shortfall.get(leg.symbol, 0), leg.quantity * trade.remaining)
            if count:
                missing[leg.symbol] = count
                shortfall[leg.symbol] -= count
        if missing:
            found.append(_explained(trade, missing, pool))
    return tuple(found)


def _explained(trade: Trade, missing: dict[str, int], pool: Pool) -> Gone:
    seen = {leg.symbol: tuple(_closings(leg, trade, pool)) for leg in trade.legs if leg.symbol in missing}
    counts = {
        leg.symbol: min(_count(seen.get(leg.symbol, ())), missing.get(leg.symbol, 0)) // leg.quantity
        for leg in trade.legs
    }
    reasons = tuple((symbol, _told(symbol, count, seen[symbol])) for symbol, count in missing.items())
    adoption = _adoption(trade, counts, pool, "; ".join(words for _, words in reasons))
    return Gone(trade=trade, missing=tuple(missing.items()), reasons=reasons, adoption=adoption)


def _closings(leg: Leg, trade: Trade, pool: Pool) -> Iterator[Transaction]:
    """What may have taken this leg out of the account."""
    for line in pool.of(leg.symbol, trade.opened_at):
        by_hand = line.kind is TransactionKind.TRADE and line.action == leg.action.closing.value
        if by_hand or line.kind in ENDINGS:
            yield line


def _count(lines: Sequence[Transaction]) -> int:
    return int(sum((line.quantity for line in lines), Decimal(0)))


def _told(symbol: str, missing: int, lines: Sequence[Transaction]) -> str:
    if not lines:
        return f"{missing} x {symbol} gone, and the broker's transactions do not say why"
    names = {TransactionKind.TRADE: "closed by hand"}
    parts = [
        f"{names.get(line.kind, line.kind.value)} {new_york(line.at):%Y-%m-%d}"
        + (f" at {line.price}" if line.kind is TransactionKind.TRADE and line.price is not None else "")
        for line in lines
    ]
    return f"{missing} x {symbol} gone: {', '.join(dict.fromkeys(parts))}"


def _adoption(trade: Trade, counts: dict[str, int], pool: Pool, told: str) -> Adoption | None:
    """Whole spreads that are gone and explained; a trade whose short legs were all assigned is assigned as a whole."""
    short = [leg for leg in trade.legs if leg.action.sign > 0]
    spreads = min(counts.values())
    is_assigned = any(line.kind is TransactionKind.ASSIGNMENT for leg in short for line in _closings(leg, trade, pool))
    if is_assigned:
        # Its long leg may still be held: what was a spread is shares and a leg from here on.
        if min(counts[leg.symbol] for leg in short) < trade.remaining:
            return None
        lines = _taken(trade, {symbol: min(count, trade.remaining) for symbol, count in counts.items()}, pool)
        shares = _shares(trade, lines, pool)
        has_rest = spreads < trade.remaining or not shares or sum(_signed(line) for line in shares) != 0
        state = TradeState.ASSIGNED if has_rest else TradeState.CLOSED
        return _adopted(trade, state, trade.remaining, (*lines, *shares), told)
    if spreads == 0:
        return None
    lines = _taken(trade, dict.fromkeys(counts, spreads), pool)
    has_expired = all(line.kind is TransactionKind.EXPIRATION for line in lines)
    if has_expired and spreads < trade.remaining:
        return None
    state = TradeState.EXPIRED if has_expired else TradeState.CLOSED
    return _adopted(trade, state, spreads, lines, told)


def _adopted(trade: Trade, state: TradeState, spreads: int, lines: tuple[Transaction, ...], told: str) -> Adoption:
    return Adoption(trade_id=_id(trade), state=state, spreads=spreads, transactions=lines, reason=told)


def _taken(trade: Trade, spreads: dict[str, int], pool: Pool) -> tuple[Transaction, ...]:
    """The parts of the transactions that are about so many spreads' worth of each leg."""
    taken = []
    for leg in trade.legs:
        left = Decimal(spreads[leg.symbol] * leg.quantity)
        for line in tuple(_closings(leg, trade, pool)):
            if left > 0:
                taken.append(pool.take(line, min(left, line.quantity)))
                left -= taken[-1].quantity
    return tuple(taken)


def _shares(trade: Trade, lines: Sequence[Transaction], pool: Pool) -> tuple[Transaction, ...]:
    """The shares that assignment and exercise of these contracts moved, on the same days."""
    ticker = underlying_of(trade.legs[0].root.strip())
    turned = [line for line in lines if line.kind in (TransactionKind.ASSIGNMENT, TransactionKind.EXERCISE)]
    left = sum((line.quantity for line in turned), Decimal(0)) * MULTIPLIER
    days = {market_date(line.at) for line in turned}
    found = []
    for line in tuple(pool.of(ticker, trade.opened_at)):
        if line.kind is not TransactionKind.TRADE and market_date(line.at) in days and left > 0:
            found.append(pool.take(line, min(left, line.quantity)))
            left -= found[-1].quantity
    return tuple(found)


def _signed(line: Transaction) -> Decimal:
    return line.quantity if line.action.startswith("Buy") else -line.quantity


def _id(trade: Trade) -> int:
    assert trade.id is not None
    return trade.id
