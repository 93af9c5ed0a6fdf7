"""Compare our fills, cash and fees with the broker's transactions, order by order and line by line."""

from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal

from spy32.domain.orders import Fill, Order, Transaction, TransactionKind
from spy32.domain.spreads import CENT, MULTIPLIER, Mode
from spy32.domain.value import value
from spy32.sessions import market_date
from spy32.trading.context import TradingContext


@value
class HistoryDiff:
    """One figure of which our book and the broker's history do not agree."""

    subject: str
    """An order's reference, a trade as `T31`, or `paper account`."""
    figure: str
    """`contracts of` a symbol, `cash`, `fees`, or `line` and its id."""
    ours: Decimal
    broker: Decimal

    @property
    def text(self) -> str:
        return f"{self.subject}, {self.figure}: ours {self.ours:f}, the broker's {self.broker:f}"


def compare_history(context: TradingContext, since: date) -> tuple[HistoryDiff, ...]:
    """Return where our book since a New York day differs from the broker's transactions. Changes nothing.

    An order of today without any line is not booked there yet; fees are compared once both sides are final.
    """
    orders = [
        (order, fills)
        for order in context.store.orders.select_filled(since)
        if (fills := context.store.orders.fills(order.id))
    ]
    adopted = context.store.results.adopted_lines(since)
    is_paper = context.store.core.mode is Mode.PAPER
    if not orders and not adopted and not is_paper:
        return ()
    lines = context.account.transactions(since)
    differences: list[HistoryDiff] = []
    for order, fills in orders:
        own = [line for line in lines if line.kind is TransactionKind.TRADE and line.order_id == order.broker_id]
        is_today = market_date(max(fill.at for fill in fills)) >= market_date(context.clock())
        if own or not is_today:
            differences += _compare_order(context, order, fills, own)
    differences += _compare_adopted(adopted, lines)
    if is_paper:
        differences += _compare_paper_cash(context)
    return tuple(differences)


def _compare_order(
    context: TradingContext, order: Order, fills: Sequence[Fill], lines: Sequence[Transaction]
) -> Iterator[HistoryDiff]:
    """Yield each contract, the cash and the final fees that differ."""
    for symbol in dict.fromkeys((*(fill.symbol for fill in fills), *(line.symbol for line in lines))):
        ours = sum(-fill.action.sign * fill.quantity for fill in fills if fill.symbol == symbol)
        theirs = sum((_signed_quantity(line) for line in lines if line.symbol == symbol), Decimal(0))
        if ours != theirs:
            yield HistoryDiff(
                subject=order.reference, figure=f"contracts of {symbol}", ours=Decimal(ours), broker=theirs
            )
    cash = sum((fill.price * fill.action.sign * fill.quantity for fill in fills), Decimal(0)) * MULTIPLIER
    gross = sum((line.net_value + line.fees for line in lines), Decimal(0))
    if not _agree(cash, gross):
        yield HistoryDiff(subject=order.reference, figure="cash", ours=cash, broker=gross)
    fees = sum((line.fees for line in lines), Decimal(0))
    booked, is_final = context.store.orders.fees(order.id)
    is_final = is_final or order.mode is Mode.PAPER
    if lines and is_final and all(line.is_final for line in lines) and not _agree(booked, fees):
        yield HistoryDiff(subject=order.reference, figure="fees", ours=booked, broker=fees)


def _compare_adopted(adopted: Sequence[tuple[int, Transaction]], lines: Sequence[Transaction]) -> Iterator[HistoryDiff]:
    """Yield each line that our book took over and that the broker shows no more, or with another amount."""
    shown = {(line.id, line.symbol): line for line in lines}
    for trade_id, line in adopted:
        found = shown.get((line.id, line.symbol))
        if found is not None and abs(found.quantity) != line.quantity:
            # Our book took over a part of it; the rest is of another trade, or not ours.
            continue
        broker = found.net_value if found is not None else Decimal(0)
        if found is None or not _agree(line.net_value, broker):
            yield HistoryDiff(subject=f"T{trade_id}", figure=f"line {line.id}", ours=line.net_value, broker=broker)


def _compare_paper_cash(context: TradingContext) -> Iterator[HistoryDiff]:
    """Yield the cash of the paper broker where it is not the opening cash and all that our trades brought."""
    ours = context.store.results.opening_cash() + context.store.results.booked_cash()
    theirs = context.store.paper.cash()
    if not _agree(ours, theirs):
        yield HistoryDiff(subject="paper account", figure="cash", ours=ours, broker=theirs)


def _signed_quantity(line: Transaction) -> Decimal:
    """Contracts bought, negative when sold; the broker writes quantities without a sign."""
    return abs(line.quantity) * (-line.action.sign if line.action is not None else 1)


def _agree(ours: Decimal, theirs: Decimal) -> bool:
    """Whether two amounts are the same to the cent."""
    return abs(ours - theirs) < CENT
