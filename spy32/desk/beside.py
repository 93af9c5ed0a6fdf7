"""Our view beside the broker's: contracts, orders placed by hand, and what explains each difference."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from spy32.desk import history, own_orders, target
from spy32.desk.bench import Bench
from spy32.desk.history import Gone, Pool
from spy32.desk.lines import lines_of
from spy32.domain.acting import BrokerOrder, Order, Trade, TransactionKind
from spy32.domain.market import underlying_of
from spy32.errors import Spy32Error
from spy32.lifecycle import FINAL, TradeState
from spy32.sessions import market_date, new_york

HELD = (TradeState.OPEN, TradeState.CLOSING)
_EVER = datetime.min.replace(tzinfo=UTC)
LOOK_BACK_DAYS = 7
"""How far back a contract that is not ours is looked for at least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """One contract: what our book holds and what the broker shows. Negative is short."""

    symbol: str
    ours: int
    broker: int
    why: str = ""
    """What explains the difference, in words; empty when they agree."""

    @property
    def agrees(self) -> bool:
        return self.ours == self.broker

    @property
    def is_foreign(self) -> bool:
        """Only the broker knows it: ours holds none of it."""
        return self.ours == 0 and self.broker != 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """An order at the broker that our book does not account for. To look at it touches nothing."""

    order: BrokerOrder
    ours: Order | None
    """Our row, when it bears our reference although our book has it as never placed."""
    proposal_id: int | None = None
    """The proposal whose approval it bears the name of: it is ours, and `reconcile` adopts it."""
    is_named: bool = False
    """It bears a name that spy32 gives, of an approval that this book does not have."""

    @property
    def whose(self) -> str:
        """`ours`, `another book`, or `not ours`."""
        return "ours" if self.proposal_id is not None else "another book" if self.is_named else "not ours"


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """Both views of one account, and what could not be read of the broker's."""

    holdings: tuple[Holding, ...]
    foreign: tuple[Foreign, ...] = ()
    targets: tuple[tuple[Trade, Order], ...] = ()
    """Profit targets that may still fill."""
    bare: tuple[Trade, ...] = ()
    """Trades whose exit plan leaves a target with the broker, and that have none."""
    gone: tuple[Gone, ...] = ()
    troubles: tuple[Spy32Error, ...] = ()

    @property
    def differs(self) -> bool:
        return not all(holding.agrees for holding in self.holdings)

    @property
    def ours_differ(self) -> bool:
        """Something that our book holds is otherwise at the broker; foreign things alone are no difference of ours."""
        return not all(holding.agrees or holding.is_foreign for holding in self.holdings)


def holdings(bench: Bench) -> tuple[Holding, ...]:
    """Our open trades beside the broker's positions, contract by contract."""
    ours: dict[str, int] = {}
    for trade in bench.store.trades(*HELD):
        for leg in trade.legs:
            ours[leg.symbol] = ours.get(leg.symbol, 0) - leg.action.sign * leg.quantity * trade.remaining
    broker = {position.symbol: position.quantity for position in bench.account.positions() if position.quantity}
    return tuple(
        Holding(symbol=symbol, ours=ours.get(symbol, 0), broker=broker.get(symbol, 0))
        for symbol in sorted(ours.keys() | broker.keys())
        if ours.get(symbol) or symbol in broker
    )


def beside(bench: Bench) -> Beside:
    """Both views, with every difference explained as far as orders and transactions go. Changes nothing.

    Without the broker's positions there is no view: that failure is the caller's. Orders and transactions that cannot
    be read are troubles of the view.
    """
    found = holdings(bench)
    troubles: list[Spy32Error] = []
    foreign: tuple[Foreign, ...] = ()
    missing: tuple[Gone, ...] = ()
    try:
        foreign = foreign_orders(bench)
    except Spy32Error as trouble:
        troubles.append(trouble)
    pool = Pool([])
    if not all(each.agrees for each in found):
        try:
            pool = history.unaccounted(bench, _since(bench))
            held = bench.store.trades(*HELD)
            missing = history.gone(held, _shortfall(found), Pool(list(pool.lines)))
        except Spy32Error as trouble:
            troubles.append(trouble)
    resting, bare = _targets(bench)
    return Beside(
        holdings=tuple(_explained(each, bench, foreign, missing, pool) for each in found),
        foreign=foreign,
        targets=resting,
        bare=bare,
        gone=missing,
        troubles=tuple(troubles),
    )


def foreign_orders(bench: Bench) -> tuple[Foreign, ...]:
    """Today's orders at the broker that our book lacks, and that work, have filled something, or cannot be read."""
    found: list[Foreign] = []
    for line in lines_of(bench.orders.todays_orders()):
        claim = own_orders.claim_of(bench, line)
        if claim is None and not own_orders.is_not_ours(bench, line):
            continue
        ours = claim.order if claim is not None and claim.order.id is not None else None
        found += [
            Foreign(
                order=seen,
                ours=ours,
                proposal_id=claim.proposal_id if claim is not None else None,
                is_named=own_orders.is_named(line),
            )
            for seen in line.orders
            if seen.state not in FINAL or seen.fills or seen.unread
        ]
    return tuple(found)


def _targets(bench: Bench) -> tuple[tuple[tuple[Trade, Order], ...], tuple[Trade, ...]]:
    resting, bare = [], []
    for trade in bench.store.trades(*HELD):
        alive = target.living(bench, trade.proposal_id)
        if alive is not None:
            resting.append((trade, alive))
        elif trade.state is TradeState.OPEN and bench.store.proposal(trade.proposal_id).exit.rests_target:
            bare.append(trade)
    return tuple(resting), tuple(bare)


def _since(bench: Bench) -> date:
    """The first day whose transactions may explain a difference."""
    days = [market_date(trade.opened_at) for trade in bench.store.trades(*HELD, TradeState.ASSIGNED)]
    return min([*days, market_date(bench.clock()) - timedelta(days=LOOK_BACK_DAYS)])


def _shortfall(found: tuple[Holding, ...]) -> dict[str, int]:
    """Contracts of ours that the broker does not show, positive."""
    return {
        each.symbol: max(abs(each.ours) - (abs(each.broker) if each.ours * each.broker > 0 else 0), 0)
        for each in found
        if each.ours
    }


def _explained(
    each: Holding, bench: Bench, foreign: tuple[Foreign, ...], missing: tuple[Gone, ...], pool: Pool
) -> Holding:
    """The holding with what explains its difference: never a guess, only what orders and transactions say."""
    if each.agrees:
        return each
    told = [f"T{gone.trade.id}: {words}" for gone in missing for symbol, words in gone.reasons if symbol == each.symbol]
    told += [f"assigned: T{trade.id}" for trade in bench.store.trades(TradeState.ASSIGNED) if _is_about(trade, each)]
    told += [_by_order(other) for other in foreign if each.symbol in {leg.symbol for leg in other.order.legs}]
    if not told:
        told += [
            f"traded by hand {new_york(line.at):%Y-%m-%d}"
            for line in pool.of(each.symbol, _EVER)
            if line.kind is TransactionKind.TRADE
        ]
    why = "; ".join(dict.fromkeys(told)) or "nothing in the broker's orders and transactions explains it"
    return replace(each, why=why)


def _is_about(trade: Trade, each: Holding) -> bool:
    """A contract of an assigned trade, or the shares that came of it."""
    return each.symbol in {leg.symbol for leg in trade.legs} | {underlying_of(leg.root.strip()) for leg in trade.legs}


def _by_order(other: Foreign) -> str:
    return f"order {other.order.broker_id}, {other.whose}, {other.order.status}"
