"""Changes of our book from the broker's transactions: final fees, and trades that ended without an order of ours."""

import sqlite3
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from spy32.domain.codec import encode
from spy32.domain.orders import Order, Trade
from spy32.domain.transactions import Adoption, Disposal, Transaction
from spy32.errors import Refused
from spy32.lifecycle import IN_FLIGHT, OPEN_TRADES, TRADE_TRANSITIONS, TradeState, advance
from spy32.records.base import Records, WriteTransaction
from spy32.records.encoding import decode_items, decode_row, e4_to_dollars, nearest_e4
from spy32.records.orders import decode_order
from spy32.records.trades import Trades
from spy32.rules.assignment import AssignedPosition, assigned_position

OTHER_ACTIONS: Mapping[str, str | None] = {"": None, "Buy": None, "Sell": None}


class Adoptions(Records):
    """Final fees and adopted trades; written only from the broker's transactions."""

    # Reading

    def orders_with_estimated_fees(self, trade_id: int) -> tuple[tuple[Order, Decimal], ...]:
        """Return the filled orders of a trade whose fees are estimated, each with the estimate, dollars."""
        query = """select broker_order.* from broker_order join trade on trade.id = ?
            where broker_order.fees_final is null
            and exists (select 1 from fill where order_id = broker_order.id)
            and (broker_order.proposal_id = trade.proposal_id
                or broker_order.proposal_id in (select id from proposal where trade_id = trade.id))
            order by broker_order.id"""
        return self._core.select(lambda row: (decode_order(row), e4_to_dollars(row["fees_e4"])), query, trade_id)

    def trades_with_estimated_fees(self) -> tuple[Trade, ...]:
        """Return the trades with estimated fees, oldest first."""
        rows = self._core.rows("select id from trade where fees_final is null order by id")
        return tuple(Trades(self._core).get(row["id"]) for row in rows if self.orders_with_estimated_fees(row["id"]))

    def select(self, trade_id: int | None = None) -> tuple[Adoption, ...]:
        """Return the adoptions of one trade, or of all, oldest first."""
        return self._core.select(
            _adoption, "select * from adoption where ?1 is null or trade_id = ?1 order by id", trade_id
        )

    def disposals(self, trade_id: int | None = None) -> tuple[Disposal, ...]:
        """Return what was disposed of after the assignment of one trade, or of all, oldest first."""
        return self._core.select(
            _disposal, "select * from disposal where ?1 is null or trade_id = ?1 order by id", trade_id
        )

    def position(self, trade_id: int) -> AssignedPosition:
        """Return what an assigned trade still holds."""
        trade = Trades(self._core).get(trade_id)
        return assigned_position(trade, self.select(trade_id), self.disposals(trade_id))

    # Writing

    def settle_fees(
        self, order_id: int, fees: Decimal, *, is_final: bool, at: datetime, transactions: tuple[str, ...] = ()
    ) -> Trade | None:
        """Set all fees of an order, dollars; final fees do not change any more.

        Cash changes by the difference; the trade's fees, maximum loss and result are recomputed.
        """
        with self._core.write_transaction(at, "fees final" if is_final else "fees estimated", f"O{order_id}") as change:
            order = self._core.get_row("broker_order", order_id)
            difference = nearest_e4(fees) - order["fees_e4"]
            if not order["fees_final"] and (difference or is_final):
                change.details |= {"was": encode(e4_to_dollars(order["fees_e4"])), "now": encode(fees)}
                change.details["transactions"] = list(transactions)
                change.update("broker_order", order_id, fees_e4=nearest_e4(fees), fees_final=1 if is_final else None)
                change.insert_cash("account", {"fees": -difference}, order_id=order_id)
                Trades(self._core).update(change, order)
        return Trades(self._core).find_by_proposal(order["proposal_id"])

    def adopt(self, adoption: Adoption, *, was: TradeState, held: int, at: datetime) -> Trade:
        """Remove the spreads that are gone at the broker and return the trade, which ends with its last spread.

        Compare-and-set on state and spreads held. `Refused` while an order of ours may still close the trade.
        """
        number = adoption.trade_id
        with self._core.write_transaction(at, f"adopted as {adoption.state}", f"T{number}") as change:
            self._check_adoption(adoption, was, held)
            change.details |= {"reason": adoption.reason, "spreads": adoption.spreads}
            change.insert(
                "adoption",
                trade_id=number,
                at=change.at,
                state=adoption.state,
                spreads=adoption.spreads,
                gross_e4=nearest_e4(adoption.gross),
                fees_e4=nearest_e4(adoption.fees),
                reason=adoption.reason,
                body=adoption.transactions,
            )
            _move_cash(change, adoption)
            last = max(line.at for line in adoption.transactions)
            Trades(self._core).update_totals(
                change,
                number,
                ends=adoption.state,
                ended_at=last,
                reason=adoption.reason,
                exit_reason=adoption.exit_reason,
            )
        return Trades(self._core).get(number)

    def dispose(self, disposal: Disposal, *, known: int, at: datetime) -> Trade:
        """Record what became of an assigned trade's shares and contracts, and return the trade.

        It closes with its result once nothing of it is left. Compare-and-set on the number of disposals `known`.
        """
        number = disposal.trade_id
        with self._core.write_transaction(at, "disposed of", f"T{number}") as change:
            trade = Trades(self._core).get(number)
            if trade.state is not TradeState.ASSIGNED or len(self.disposals(number)) != known:
                raise Refused(f"T{number} is {trade.state}, and more of it was disposed of; look at it again")
            change.insert(
                "disposal",
                trade_id=number,
                at=change.at,
                gross_e4=nearest_e4(disposal.gross),
                fees_e4=nearest_e4(disposal.fees),
                body=disposal.transactions,
            )
            _move_cash(change, disposal)
            is_over = self.position(number).is_over
            last = max(line.at for line in disposal.transactions)
            Trades(self._core).update_totals(change, number, ended_at=last if is_over else None)
        return Trades(self._core).get(number)

    def _check_adoption(self, adoption: Adoption, was: TradeState, held: int) -> None:
        trade = Trades(self._core).get(adoption.trade_id)
        if (trade.state, trade.remaining) != (was, held) or was not in OPEN_TRADES:
            raise Refused(f"T{trade.id} is {trade.state} with {trade.remaining} held by now; look at it again")
        if not 0 < adoption.spreads <= held or not adoption.transactions:
            raise Refused(f"{adoption.spreads} of {held} spreads of T{trade.id} cannot be adopted")
        if adoption.spreads < held and adoption.state is not TradeState.CLOSED:
            raise Refused(f"a part of T{trade.id} cannot be {adoption.state}")
        advance(TRADE_TRANSITIONS, was, adoption.state)
        live_order = self._core.row(
            """select reference, state from broker_order where state in (select value from json_each(?))
                and proposal_id in (select id from proposal where id = ? or trade_id = ?)""",
            IN_FLIGHT,
            trade.proposal_id,
            trade.id,
        )
        if live_order is not None:
            raise Refused(f"order {live_order['reference']} is {live_order['state']} and may still close T{trade.id}")


def _move_cash(change: WriteTransaction, part: Disposal) -> None:
    for line in part.transactions:
        kind = "premium" if line.is_option else "shares"
        amounts = {kind: nearest_e4(line.gross), "fees": -nearest_e4(line.fees)}
        change.insert_cash("account", amounts, trade_id=part.trade_id)


def _adoption(row: sqlite3.Row) -> Adoption:
    # Until layout 4 the action was stored as text, empty if there was none.
    lines = decode_items(Transaction, row["body"], f"adoption {row['id']}", action=OTHER_ACTIONS)
    return decode_row(Adoption, row, "adoption", transactions=lines)


def _disposal(row: sqlite3.Row) -> Disposal:
    return decode_row(Disposal, row, "disposal", transactions=row["body"])
