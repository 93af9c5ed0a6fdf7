"""The documents of trading: positions, reconciliation and a rehearsal."""

from collections.abc import Mapping, Sequence
from typing import Annotated

from spy32.domain.marks import Mark
from spy32.domain.orders import DryRun, Order, Trade
from spy32.domain.results import ResultTotals
from spy32.domain.spreads import Account, Leg
from spy32.domain.units import JsonText, Price, ProposalId, TradeId
from spy32.domain.value import value
from spy32.lifecycle import OrderState
from spy32.render.document_parts import TradeView
from spy32.render.encoder import Document, Key, Part, encode_document
from spy32.render.formatting import join_lines
from spy32.trading.execute import ExecutionPreview
from spy32.trading.position_diff import AccountDiff, ForeignOrder, HistoryDiff, PositionDiff
from spy32.trading.reconcile import ReconcileResult
from spy32.trading.transactions import MissingContracts


@value
class Positions:
    """Our view beside the broker's."""

    account: Account
    view: AccountDiff
    trades: tuple[TradeView, ...]
    totals: ResultTotals
    """What the trades earned."""


@value
class SettledOrder:
    """An order that was in flight, before and now."""

    was: OrderState
    """As our book had it; `unknown` of an order that it did not have and that was adopted."""
    order: Order


@value
class Reconciliation:
    """What reconcile settled and where the views differ."""

    orders: tuple[SettledOrder, ...]
    troubles: tuple[str, ...]
    view: AccountDiff
    adopted: tuple[Trade, ...]


@value
class LiveTarget:
    """A profit target that may still fill."""

    trade: Trade
    order: Order


@value
class ContractCount:
    """So many of one contract."""

    symbol: str
    quantity: int


# Parts of both views.

Part(
    PositionDiff,
    "symbol ours broker difference agrees why",
    difference=Key(int, lambda item: item.broker - item.ours, "The broker's less ours."),
    why=Key(
        str | None, lambda item: join_lines(item.why) or None, "What explains a difference; null when there is none."
    ),
)
Part(
    LiveTarget,
    "trade_id reference state debit quantity filled",
    inner="order",
    trade_id=Key(TradeId, "trade.id"),
    debit=Key(Price, lambda target: -target.order.limit),
)
ORDERED = Part(Leg, "action symbol quantity", called="OrderedLeg")
Part(
    ForeignOrder,
    "broker_id reference status quantity limit unread legs whose our_state",
    inner="order",
    reference=Key(str | None, lambda other: other.order.reference or None),
    our_state=Key(
        OrderState | None, "ours.state", "Of our own order with this reference, when our book has it as never placed."
    ),
    quantity=Key(int | None, lambda other: None if other.order.is_unread else other.order.quantity),
    limit=Key(Price | None, lambda other: None if other.order.is_unread else other.order.limit),
    unread=Key(
        str | None,
        lambda other: join_lines(other.order.unread) if other.order.unread is not None else None,
        "Why its terms cannot be read; quantity and limit are null then.",
    ),
    legs=Key(tuple[Annotated[Leg, ORDERED], ...], lambda other: other.order.whole_legs),
)
Part(ContractCount)
Part(
    MissingContracts,
    "trade_id missing why would_be=adoption.state spreads",
    trade_id=Key(TradeId, "trade.id"),
    missing=Key(
        tuple[ContractCount, ...],
        lambda gone: [ContractCount(symbol=symbol, quantity=count) for symbol, count in gone.missing],
    ),
    why=Key(str, lambda gone: join_lines(gone.explanation)),
    spreads=Key(int, lambda gone: 0 if gone.adoption is None else gone.adoption.spreads),
)
Part(HistoryDiff)
BOTH: Mapping[str, Key] = {
    "agrees": Key(bool, lambda both: not both.view.differs),
    "targets": Key(
        tuple[LiveTarget, ...],
        lambda both: [LiveTarget(trade=trade, order=order) for trade, order in both.view.targets],
    ),
    "without_target": Key(
        tuple[TradeId, ...],
        lambda both: [trade.id for trade in both.view.without_target],
        "Open trades whose exit plan leaves a target with the broker, and that have none.",
    ),
    "foreign_orders": Key(
        tuple[ForeignOrder, ...], "view.foreign_orders", "Orders at the broker that our book does not account for."
    ),
    "gone": Key(tuple[MissingContracts, ...], "view.gone", "Trades with contracts that the broker no longer shows."),
    "history": Key(
        tuple[HistoryDiff, ...], "view.history", "Where our fills, cash and fees differ from the broker's transactions."
    ),
}
HELD = Part(
    TradeView,
    "id state quantity remaining credit fees fees_final max_loss opened_at mark",
    called="HeldTrade",
    inner="trade",
    id=Key(TradeId, "trade.id"),
)
POSITIONS = Part(
    Positions,
    """mode account net_liquidation buying_power positions=view.holdings trades agrees targets without_target
    foreign_orders gone troubles totals history""",
    called="spy32.positions",
    inner="account",
    account=Key(str, "account.masked_number"),
    trades=Key(tuple[Annotated[TradeView, HELD], ...]),
    troubles=Key(
        tuple[str, ...],
        lambda both: [error.message for error in both.view.errors],
        "What of the broker's view could not be read.",
    ),
    **BOTH,
)
Part(SettledOrder, "reference was now=order.state filled", inner="order")
ENDED = Part(Trade, "id state", called="AdoptedTrade", id=Key(TradeId))
RECONCILED = Part(
    Reconciliation,
    "orders troubles holdings agrees targets without_target foreign_orders gone adopted history",
    called="spy32.reconciled",
    inner="view",
    adopted=Key(tuple[Annotated[Trade, ENDED], ...]),
    **BOTH,
)


def positions_document(
    view: AccountDiff, trades: Sequence[Trade], account: Account, totals: ResultTotals, marks: Mapping[int, Mark | None]
) -> Document:
    """`marks` has the newest mark of a trade by its id."""
    held = tuple(TradeView(trade=trade, mark=marks.get(trade.id)) for trade in trades)
    return encode_document(POSITIONS, Positions(account=account, view=view, trades=held, totals=totals))


def reconciled_document(found: ReconcileResult, adopted: Sequence[Trade] = ()) -> Document:
    settled = Reconciliation(
        orders=tuple(SettledOrder(was=was.state, order=now) for was, now in found.orders),
        troubles=tuple(error.message for error in found.errors),
        view=found.view,
        adopted=(*found.settled.trades, *adopted),
    )
    return encode_document(RECONCILED, settled)


# One proposal.

UNDERSTOOD = Part(Leg, "root expiration strike right action quantity", called="UnderstoodLeg")
Part(
    DryRun,
    "accepted errors warnings fees buying_power_change margin limit quantity legs",
    legs=Key(tuple[Annotated[Leg, UNDERSTOOD], ...]),
)
REHEARSAL = Part(
    ExecutionPreview,
    "proposal_id hash order_body findings dry_run",
    called="spy32.rehearsal",
    inner="proposal",
    proposal_id=Key(ProposalId, "proposal.id"),
    order_body=Key(JsonText, "body"),
)
