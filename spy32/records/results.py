"""What trades earned, computed from their orders, fills, adopted transactions and marks; nothing is stored twice."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

from spy32.domain.orders import OrderKind, Trade, Transaction, TransactionKind
from spy32.domain.results import CashFlow, CashFlowKind, ResultTotals, TradeResult
from spy32.lifecycle import TradeState
from spy32.records.adoptions import Adoptions
from spy32.records.base import Database
from spy32.records.encoding import e4_to_dollars
from spy32.records.marks import Marks
from spy32.records.orders import Orders
from spy32.records.proposals import Proposals
from spy32.records.trades import Trades
from spy32.rules.results import result_totals, split_by_day, trade_result
from spy32.sessions import market_date, week_start

NOT_ENDED = (TradeState.OPEN, TradeState.CLOSING, TradeState.ASSIGNED)


class Results:
    """Results of trades."""

    def __init__(
        self, core: Database, proposals: Proposals, orders: Orders, trades: Trades, adoptions: Adoptions, marks: Marks
    ) -> None:
        self._core = core
        self._proposals = proposals
        self._orders = orders
        self._trades = trades
        self._adoptions = adoptions
        self._marks = marks

    def get(self, trade_id: int) -> TradeResult:
        """Return what a trade earned so far."""
        with self._core.read_transaction():
            return self.compute(self._trades.get(trade_id))

    def compute(self, trade: Trade) -> TradeResult:
        """Return the same of a trade that is read already."""
        mark = self._marks.latest_usable(trade.id) if trade.state in NOT_ENDED else None
        return trade_result(trade, self.cash_flows(trade), mark)

    def cash_flows(self, trade: Trade) -> tuple[CashFlow, ...]:
        """Return what each order and each entry of the broker's history moved, in order of time."""
        flows = [*self._order_flows(trade), *self._adoption_flows(trade), *self._disposal_flows(trade)]
        return tuple(sorted(flows, key=lambda flow: flow.at))

    def adopted_lines(self, since: date) -> tuple[tuple[int, Transaction], ...]:
        """Return each line of the broker's history that our book took over, of this New York day or later, by trade."""
        parts = (*self._adoptions.select(), *self._adoptions.disposals())
        lines = ((part.trade_id, line) for part in parts for line in part.transactions)
        return tuple((trade_id, line) for trade_id, line in lines if market_date(line.at) >= since)

    def select_recent(self, first: date) -> tuple[Trade, ...]:
        """Return the trades that ended on this New York day or later, or have not ended; oldest first."""
        marks = ", ".join("?" * len(NOT_ENDED))
        rows = self._core.rows(
            f"select id from trade where closed_day >= ? or state in ({marks}) order by id",
            first.isoformat(),
            *NOT_ENDED,
        )
        return tuple(self._trades.get(row["id"]) for row in rows)

    def totals(self, today: date) -> ResultTotals:
        """Return what all trades earned, as of a New York day."""
        first = min(week_start(today), today.replace(day=1))
        with self._core.read_transaction():
            results = [self.compute(trade) for trade in self.select_recent(first)]
            row = self._core.row("select sum(result_e4) from trade where closed_day < ?", first.isoformat())
            return result_totals(results, today, earlier=e4_to_dollars(row[0] or 0 if row is not None else 0))

    def opening_cash(self) -> Decimal:
        """Return the cash that the paper account began with, dollars; 0 in other modes."""
        return self._cash("kind = 'opening'")

    def booked_cash(self) -> Decimal:
        """Return all cash that trades brought or cost by our book, dollars."""
        return self._cash("book = 'account'")

    def _cash(self, condition: str) -> Decimal:
        row = self._core.row(f"select sum(amount_e4) from cash where {condition}")
        return e4_to_dollars(row[0] or 0 if row is not None else 0)

    def _order_flows(self, trade: Trade) -> Iterator[CashFlow]:
        rows = self._core.rows(
            """select id, fees_e4 from broker_order where exists (select 1 from fill where order_id = broker_order.id)
                and (proposal_id = ? or proposal_id in (select id from proposal where trade_id = ? and kind = 'close'))
                order by id""",
            trade.proposal_id,
            trade.id,
        )
        for row in rows:
            order = self._orders.get(row["id"])
            # A resting target has the approval of the opening, which was at another time and for another price.
            decided_by = order.approval_id if order.kind is not OrderKind.TARGET else None
            approval = self._proposals.find_approval(decided_by) if decided_by is not None else None
            yield from split_by_day(
                CashFlowKind.OPENING if order.kind is OrderKind.ENTRY else CashFlowKind.CLOSING,
                self._orders.fills(order.id),
                self._trades.order_legs(self._orders.get_row(order.id)),
                fees=e4_to_dollars(row["fees_e4"]),
                mid=approval.mid if approval is not None else None,
            )

    def _adoption_flows(self, trade: Trade) -> Iterator[CashFlow]:
        for adoption in self._adoptions.select(trade.id):
            by_hand = all(line.kind is TransactionKind.TRADE for line in adoption.transactions)
            yield CashFlow(
                kind=CashFlowKind.CLOSING if by_hand else CashFlowKind.SETTLEMENT,
                at=max(line.at for line in adoption.transactions),
                amount=adoption.gross,
                fees=adoption.fees,
                spreads=adoption.spreads if adoption.state is not TradeState.ASSIGNED else 0,
            )

    def _disposal_flows(self, trade: Trade) -> Iterator[CashFlow]:
        for disposal in self._adoptions.disposals(trade.id):
            yield CashFlow(
                kind=CashFlowKind.SETTLEMENT,
                at=max(line.at for line in disposal.transactions),
                amount=disposal.gross,
                fees=disposal.fees,
            )
