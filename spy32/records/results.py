"""What trades earned, computed from their orders, fills, adopted transactions and marks; nothing is stored twice."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

from spy32.domain.orders import OrderKind, Trade
from spy32.domain.results import CashFlow, CashFlowKind, ResultTotals, TradeResult
from spy32.domain.transactions import Disposal, Transaction, TransactionKind
from spy32.lifecycle import HELD_TRADES, TradeState
from spy32.records.adoptions import Adoptions
from spy32.records.base import Records
from spy32.records.encoding import e4_to_dollars
from spy32.records.marks import Marks
from spy32.records.orders import Orders
from spy32.records.proposals import Proposals
from spy32.records.trades import Trades, decode_trade
from spy32.rules.results import result_totals, split_by_day, trade_result
from spy32.sessions import market_date, week_start


class Results(Records):
    """Results of trades."""

    def get(self, trade_id: int) -> TradeResult:
        """Return what a trade earned so far."""
        with self._core.read_transaction():
            return self.compute(Trades(self._core).get(trade_id))

    def compute(self, trade: Trade) -> TradeResult:
        """Return what a trade earned so far, without reading the trade again."""
        mark = Marks(self._core).latest_usable(trade.id) if trade.state in HELD_TRADES else None
        return trade_result(trade, self.cash_flows(trade), mark)

    def cash_flows(self, trade: Trade) -> tuple[CashFlow, ...]:
        """Return what each order and each entry of the broker's history moved, in order of time."""
        flows = [*self._order_flows(trade), *self._adopted_flows(trade)]
        return tuple(sorted(flows, key=lambda flow: flow.at))

    def adopted_lines(self, since: date) -> tuple[tuple[int, Transaction], ...]:
        """Return each line of the broker's history that our book took over, of this New York day or later, by trade."""
        adoptions = Adoptions(self._core)
        parts = (*adoptions.select(), *adoptions.disposals())
        return tuple(
            (part.trade_id, line) for part in parts for line in part.transactions if market_date(line.at) >= since
        )

    def select_recent(self, first: date) -> tuple[Trade, ...]:
        """Return the trades that ended on this New York day or later, or have not ended; oldest first."""
        query = "select * from trade where closed_day >= ? or state in (select value from json_each(?)) order by id"
        return self._core.select(decode_trade, query, first, HELD_TRADES)

    def totals(self, today: date) -> ResultTotals:
        """Return what all trades earned, as of a New York day."""
        first = min(week_start(today), today.replace(day=1))
        with self._core.read_transaction():
            results = [self.compute(trade) for trade in self.select_recent(first)]
            earlier = self._core.total("select sum(result_e4) from trade where closed_day < ?", first)
            return result_totals(results, today, earlier=e4_to_dollars(earlier))

    def opening_cash(self) -> Decimal:
        """Return the cash that the paper account began with, dollars; 0 in other modes."""
        return e4_to_dollars(self._core.total("select sum(amount_e4) from cash where kind = 'opening'"))

    def booked_cash(self) -> Decimal:
        """Return all cash that trades brought or cost by our book, dollars."""
        return e4_to_dollars(self._core.total("select sum(amount_e4) from cash where book = 'account'"))

    def _order_flows(self, trade: Trade) -> Iterator[CashFlow]:
        rows = self._core.rows(
            """select * from broker_order where exists (select 1 from fill where order_id = broker_order.id)
                and (proposal_id = ? or proposal_id in (select id from proposal where trade_id = ? and kind = 'close'))
                order by id""",
            trade.proposal_id,
            trade.id,
        )
        for row in rows:
            # A resting target has the approval of the opening, which was at another time and for another price.
            is_target = row["kind"] == OrderKind.TARGET
            approval = Proposals(self._core).find_approval(row["approval_id"]) if not is_target else None
            yield from split_by_day(
                CashFlowKind.OPENING if row["kind"] == OrderKind.ENTRY else CashFlowKind.CLOSING,
                Orders(self._core).fills(row["id"]),
                Trades(self._core).order_legs(row),
                fees=e4_to_dollars(row["fees_e4"]),
                mid=approval.mid if approval is not None else None,
            )

    def _adopted_flows(self, trade: Trade) -> Iterator[CashFlow]:
        adoptions = Adoptions(self._core)
        for adoption in adoptions.select(trade.id):
            by_hand = all(line.kind is TransactionKind.TRADE for line in adoption.transactions)
            kind = CashFlowKind.CLOSING if by_hand else CashFlowKind.SETTLEMENT
            yield _cash_flow(adoption, kind, adoption.spreads if adoption.state is not TradeState.ASSIGNED else 0)
        for disposal in adoptions.disposals(trade.id):
            yield _cash_flow(disposal, CashFlowKind.SETTLEMENT, 0)


def _cash_flow(part: Disposal, kind: CashFlowKind, spreads: int) -> CashFlow:
    last = max(line.at for line in part.transactions)
    return CashFlow(kind=kind, at=last, amount=part.gross, fees=part.fees, spreads=spreads)
