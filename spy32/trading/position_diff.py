"""Compare our book with the broker's: contracts, manual orders, what explains each difference, and the history."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from spy32.domain.option_class import underlying_for_root
from spy32.domain.orders import BrokerOrder, Fill, Order, Trade
from spy32.domain.spreads import CENT, MULTIPLIER, Mode
from spy32.domain.transactions import Transaction, TransactionKind
from spy32.domain.value import value
from spy32.errors import Spy32Error
from spy32.lifecycle import FINAL, HELD_TRADES, OPEN_TRADES, TradeState
from spy32.sessions import market_date, new_york_time
from spy32.trading import order_adoption, transactions
from spy32.trading.context import TradingContext
from spy32.trading.order_book import load_order_book
from spy32.trading.order_lookup import book_positions, build_order_chains
from spy32.trading.transactions import MissingContracts, UnmatchedTransactions

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
    errors: tuple[Spy32Error, ...] = ()

    @property
    def differs(self) -> bool:
        return not all(holding.agrees for holding in self.holdings)

    @property
    def adoptable(self) -> tuple[MissingContracts, ...]:
        """The missing contracts that the broker's history explains and a person may adopt."""
        return tuple(contracts for contracts in self.gone if contracts.adoption is not None)


def compare_positions(context: TradingContext) -> tuple[PositionDiff, ...]:
    """Return our open trades and the broker's positions, contract by contract."""
    book = book_positions(context)
    broker = Counter({position.symbol: position.quantity for position in context.account.positions()})
    return tuple(
        PositionDiff(symbol=symbol, ours=book[symbol], broker=broker[symbol])
        for symbol in sorted(book.keys() | broker.keys())
        if book[symbol] or broker[symbol]
    )


def compare_with_broker(context: TradingContext) -> AccountDiff:
    """Compare both views and explain every difference from orders and transactions. Changes nothing.

    Raises when the broker's positions cannot be read. Unreadable orders and transactions are `errors` of the result;
    a history that cannot be compared line by line is only reported.
    """
    diffs = compare_positions(context)
    since, open_trades = history_start(context), context.store.trades.select(*OPEN_TRADES)
    errors: list[Spy32Error] = []
    foreign: tuple[ForeignOrder, ...] = ()
    gone: tuple[MissingContracts, ...] = ()
    history: tuple[HistoryDiff, ...] = ()
    try:
        foreign = tuple(find_foreign_orders(context))
    except Spy32Error as error:
        errors.append(error)
    unmatched = UnmatchedTransactions([])
    if not all(diff.agrees for diff in diffs):
        try:
            unmatched = transactions.load_unmatched(context, since)
            left = UnmatchedTransactions(list(unmatched.transactions))
            gone = transactions.find_missing_contracts(open_trades, missing_counts(diffs), left)
        except Spy32Error as error:
            errors.append(error)
    try:
        history = compare_history(context, since)
    except Spy32Error as error:  # what is held does not depend on it
        context.report(f"our book was not compared with the broker's history: {error.message}")
    books = {trade: load_order_book(context, trade.proposal_id) for trade in open_trades}
    return AccountDiff(
        holdings=tuple(_explain_diff(diff, context, foreign, gone, unmatched) for diff in diffs),
        foreign_orders=foreign,
        targets=tuple((trade, book.live_target) for trade, book in books.items() if book.live_target is not None),
        without_target=tuple(
            trade
            for trade, book in books.items()
            if trade.state is TradeState.OPEN and book.proposal.exit.rests_target and book.live_target is None
        ),
        gone=gone,
        history=history,
        errors=tuple(errors),
    )


def find_foreign_orders(context: TradingContext) -> Iterator[ForeignOrder]:
    """Yield today's orders that our book lacks and that are alive, have fills, or cannot be read."""
    for chain in build_order_chains(context.orders.todays_orders()):
        claim = order_adoption.find_claim(context, chain)
        if claim is None and not order_adoption.is_foreign(context, chain):
            continue
        our_order = claim.order if claim is not None and isinstance(claim.order, Order) else None
        for broker_order in chain.orders:
            if broker_order.state not in FINAL or broker_order.fills or broker_order.is_unread:
                yield ForeignOrder(
                    order=broker_order,
                    ours=our_order,
                    proposal_id=claim.proposal_id if claim is not None else None,
                    has_spy32_reference=order_adoption.has_spy32_reference(chain),
                )


def history_start(context: TradingContext) -> date:
    """Return the first day whose transactions may explain a difference."""
    days = [market_date(trade.opened_at) for trade in context.store.trades.select(*HELD_TRADES)]
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
    # An assigned trade accounts for its contracts and for the shares that came of them.
    reasons += [
        f"assigned: T{trade.id}"
        for trade in context.store.trades.select(TradeState.ASSIGNED)
        if any(diff.symbol in (leg.symbol, underlying_for_root(leg.root)) for leg in trade.legs)
    ]
    reasons += [
        f"order {foreign_order.order.broker_id}, {foreign_order.whose}, {foreign_order.order.status}"
        for foreign_order in foreign_orders
        if any(diff.symbol == leg.symbol for leg in foreign_order.order.legs)
    ]
    if not reasons:
        reasons = [
            f"traded by hand {new_york_time(transaction.at):%Y-%m-%d}"
            for transaction in unmatched.matching(diff.symbol, _EARLIEST)
            if transaction.kind is TransactionKind.TRADE
        ]
    explanation = "; ".join(dict.fromkeys(reasons)) or "nothing in the broker's orders and transactions explains it"
    return replace(diff, why=explanation)


# The history, line by line.


def compare_history(context: TradingContext, since: date) -> tuple[HistoryDiff, ...]:
    """Return where our book since a New York day differs from the broker's transactions. Changes nothing.

    An order of today without any line is not booked there yet; fees are compared once both sides are final.
    """
    return tuple(_differences(context, since))


def _differences(context: TradingContext, since: date) -> Iterator[HistoryDiff]:
    orders = {order: context.store.orders.fills(order.id) for order in context.store.orders.select_filled(since)}
    adopted = context.store.results.adopted_lines(since)
    is_paper = context.store.core.mode is Mode.PAPER
    lines = context.account.transactions(since) if orders or adopted or is_paper else ()
    for order, fills in orders.items():
        own = [line for line in lines if line.kind is TransactionKind.TRADE and line.order_id == order.broker_id]
        is_today = market_date(max(fill.at for fill in fills)) >= market_date(context.clock())
        if own or not is_today:
            yield from _compare_order(context, order, fills, own)
    yield from _compare_adopted(adopted, lines)
    if is_paper:
        # The paper broker's cash is the opening cash and all that our trades brought.
        ours = context.store.results.opening_cash() + context.store.results.booked_cash()
        yield from _compare("paper account", "cash", ours, context.store.paper.cash())


def _compare(subject: str, figure: str, ours: Decimal, broker: Decimal) -> Iterator[HistoryDiff]:
    """Yield the figure if the two are not the same to the cent."""
    if not abs(ours - broker) < CENT:
        yield HistoryDiff(subject=subject, figure=figure, ours=ours, broker=broker)


def _compare_order(
    context: TradingContext, order: Order, fills: Sequence[Fill], lines: Sequence[Transaction]
) -> Iterator[HistoryDiff]:
    """Yield each contract, the cash and the final fees that differ."""
    for symbol in dict.fromkeys((*(fill.symbol for fill in fills), *(line.symbol for line in lines))):
        ours = sum(-fill.action.sign * fill.quantity for fill in fills if fill.symbol == symbol)
        broker = sum((line.signed_quantity for line in lines if line.symbol == symbol), Decimal(0))
        yield from _compare(order.reference, f"contracts of {symbol}", Decimal(ours), broker)
    cash = sum((fill.price * fill.action.sign * fill.quantity for fill in fills), Decimal(0)) * MULTIPLIER
    yield from _compare(order.reference, "cash", cash, sum((line.gross for line in lines), Decimal(0)))
    booked, is_final = context.store.orders.fees(order.id)
    if lines and (is_final or order.mode is Mode.PAPER) and all(line.is_final for line in lines):
        yield from _compare(order.reference, "fees", booked, sum((line.fees for line in lines), Decimal(0)))


def _compare_adopted(adopted: Sequence[tuple[int, Transaction]], lines: Sequence[Transaction]) -> Iterator[HistoryDiff]:
    """Yield each line that our book took over and that the broker shows no more, or with another amount."""
    shown = {(line.id, line.symbol): line for line in lines}
    for trade_id, line in adopted:
        found = shown.get((line.id, line.symbol))
        # Of a line with another quantity our book took over a part; the rest is of another trade, or not ours.
        if found is None:
            yield HistoryDiff(subject=f"T{trade_id}", figure=f"line {line.id}", ours=line.net_value, broker=Decimal(0))
        elif abs(found.quantity) == line.quantity:
            yield from _compare(f"T{trade_id}", f"line {line.id}", line.net_value, found.net_value)
