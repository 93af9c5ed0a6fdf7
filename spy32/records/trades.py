"""Fills, the trades that they open and close, and their cash."""

import sqlite3
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from spy32.domain.orders import Fill, OrderKind, Trade, invert_legs, spreads_filled
from spy32.domain.proposals import ExitReason, Proposal, ProposalKind
from spy32.domain.spreads import MULTIPLIER, Leg
from spy32.domain.value import value
from spy32.errors import Refused
from spy32.lifecycle import OPEN_TRADES, TRADE_TRANSITIONS, TradeState, advance
from spy32.records.base import Records, WriteTransaction
from spy32.records.encoding import (
    E4_UNIT,
    columns_of,
    decode_body,
    decode_row,
    dollars_to_e4,
    e4_to_dollars,
    nearest_e4,
)
from spy32.records.fill_prices import ExitsByCredit, check_fill_price, max_settlement_cost_e4, premium_e4
from spy32.records.notices import add_end_notice
from spy32.records.orders import Orders, decode_fill
from spy32.records.proposals import Proposals

LONGEST_CLOSURE = timedelta(days=7)
"""Options dated on a closed day stop trading in the session before it; no closure since 1990 was longer (six days,
September 2001)."""
_ENTRIES = "proposal_id = ? and kind <> 'target'"
_CLOSINGS = """proposal_id = ? and kind = 'target'
    or proposal_id in (select id from proposal where trade_id = ? and kind = 'close')"""
"""SQL condition: profit targets of the opening, and every order of a closing."""
_ALL_ORDERS = "proposal_id = ? or proposal_id in (select id from proposal where trade_id = ?)"
_FEES = "select sum(fees_e4) from broker_order where {}"
_ARE_FEES_FINAL = f"""select min(coalesce(fees_final, 0)) from broker_order
    where ({_ALL_ORDERS}) and exists (select 1 from fill where order_id = broker_order.id)"""


@value
class _TradeBody:
    """Fields of a trade that have no column."""

    legs: tuple[Leg, ...]
    assumption: str


class Trades(Records):
    """Trades with their fills."""

    # Reading

    def get(self, trade_id: int) -> Trade:
        return decode_trade(self._core.get_row("trade", trade_id))

    def select(self, *states: TradeState) -> tuple[Trade, ...]:
        """Return the trades in these states, or all, oldest first."""
        query = "select * from trade where state in (select value from json_each(?)) order by id"
        return self._core.select(decode_trade, query, states or tuple(TradeState))

    def has_any(self) -> bool:
        return self._core.has("select 1 from trade")

    def select_expired(self, now: datetime) -> tuple[Trade, ...]:
        """Return the trades in our book as open whose options have stopped trading, oldest first."""
        latest = now.date() + LONGEST_CLOSURE
        open_trades = self.select(*OPEN_TRADES)
        if not any(trade.expiration <= latest for trade in open_trades):
            # The calendar is not even loaded.
            return ()
        from spy32.rules.settlement import trading_end

        return tuple(trade for trade in open_trades if now >= trading_end(trade.legs[0].root, trade.expiration))

    def find_by_proposal(self, proposal_id: int) -> Trade | None:
        """Return the trade that an opening opened or a closing closes; None if there is none."""
        query = "select * from trade where proposal_id = ?1 or id = (select trade_id from proposal where id = ?1)"
        return self._core.find(decode_trade, query, proposal_id)

    # Writing

    def record_fills(
        self,
        order_id: int,
        fills: Sequence[Fill],
        *,
        fees: Decimal | None,
        at: datetime,
        assumption: str = "",
        exits: ExitsByCredit | None = None,
    ) -> Trade | None:
        """Store all fills of an order so far with all its `fees` so far, dollars; return its trade.

        Known fills change nothing, so this may be repeated. The first whole spread of an entry opens the trade and
        further ones enlarge it; the last spread of a closing or profit target closes it. None while no whole spread is
        filled. Fees of None or 0 count as unknown; final fees stay until more is filled. A price beyond the approved
        one raises an attention item, and `exits` then makes the exit plan for the real credit.
        """
        with self._core.write_transaction(at, "filled", f"O{order_id}") as change:
            order = self._core.get_row("broker_order", order_id)
            new_fills = self._new_fills(order, fills)
            has_fees = fees is not None and fees != 0 and (new_fills or not order["fees_final"])
            fee_difference = nearest_e4(fees) - order["fees_e4"] if fees is not None and has_fees else 0
            if new_fills or fee_difference:
                self._insert_fills(change, order, new_fills, fee_difference)
                self.update(change, order, assumption)
            trade = self.find_by_proposal(order["proposal_id"])
            if new_fills and trade is not None:
                check_fill_price(change, order, self.order_legs(order), trade, exits)
        return self.find_by_proposal(order["proposal_id"])

    # Parts of record_fills, inside its transaction

    def _new_fills(self, order: sqlite3.Row, fills: Sequence[Fill]) -> list[Fill]:
        """Return the fills that are not stored yet; `Refused` if a stored one differs now."""
        known = {(fill.fill_id, fill.symbol): fill for fill in Orders(self._core).fills(order["id"])}
        new_fills: dict[tuple[str, str], Fill] = {}
        for fill in fills:
            key = (fill.fill_id, fill.symbol)
            earlier = known.get(key) or new_fills.get(key)
            if earlier is None:
                new_fills[key] = fill
            elif (earlier.action, earlier.quantity, earlier.price) != (fill.action, fill.quantity, fill.price):
                raise Refused(f"fill {fill.fill_id} of order {order['reference']} is on record with other figures")
        return list(new_fills.values())

    def _insert_fills(
        self, change: WriteTransaction, order: sqlite3.Row, new_fills: Sequence[Fill], fee_difference: int
    ) -> None:
        """Insert the fills and their cash, and update the order."""
        legs = self.order_legs(order)
        for fill in new_fills:
            change.insert("fill", order_id=order["id"], **columns_of(fill))
        all_fills = Orders(self._core).fills(order["id"])
        _check_fill_quantities(order, legs, all_fills)
        filled = spreads_filled(all_fills, legs)
        is_final = None if new_fills else order["fees_final"]
        change.update(
            "broker_order", order["id"], filled=filled, fees_e4=order["fees_e4"] + fee_difference, fees_final=is_final
        )
        premium = sum(dollars_to_e4(fill.price) * fill.action.sign * fill.quantity * MULTIPLIER for fill in new_fills)
        change.insert_cash("account", {"premium": premium, "fees": -fee_difference}, order_id=order["id"])

    def order_legs(self, order: sqlite3.Row) -> tuple[Leg, ...]:
        """Return the legs as the order trades them: a profit target closes what its proposal opens."""
        legs = Proposals(self._core).get(order["proposal_id"]).legs
        return invert_legs(legs) if order["kind"] == OrderKind.TARGET else legs

    def update(self, change: WriteTransaction, order: sqlite3.Row, assumption: str = "") -> None:
        """Update and return the trade of an order after its fills or fees changed."""
        proposal = Proposals(self._core).get(order["proposal_id"])
        if proposal.kind is ProposalKind.OPEN and order["kind"] != OrderKind.TARGET:
            self._open_trade(change, proposal, assumption)
        trade = self.find_by_proposal(order["proposal_id"])
        if trade is not None:
            reason = ExitReason.TARGET if order["kind"] == OrderKind.TARGET else proposal.reason
            self.update_totals(change, trade.id, exit_reason=reason)

    def _open_trade(self, change: WriteTransaction, proposal: Proposal, assumption: str) -> None:
        """Open the trade of an opening proposal, or enlarge it to all its fills."""
        fills = self._fills_where(_ENTRIES, proposal.id)
        quantity = spreads_filled(fills, proposal.legs)
        if quantity == 0:
            return
        premium = premium_e4(fills, proposal.legs, quantity)
        fees = self._core.total(_FEES.format(_ENTRIES), proposal.id)
        columns = {
            "quantity": quantity,
            "premium_e4": premium,
            "fees_e4": fees,
            "max_loss_e4": _max_loss_e4(proposal.legs, quantity, premium) + fees,
            "changed_at": change.at,
        }
        row = self._core.row("select id from trade where proposal_id = ?", proposal.id)
        if row is not None:
            change.update("trade", row["id"], **columns)
            return
        change.insert(
            "trade",
            proposal_id=proposal.id,
            run_id=proposal.run_id,
            mode=proposal.mode,
            state=TradeState.OPEN,
            opened_at=min(fill.at for fill in fills),
            body=_TradeBody(legs=proposal.legs, assumption=assumption),
            **columns,
        )

    def update_totals(
        self,
        change: WriteTransaction,
        trade_id: int,
        *,
        ends: TradeState = TradeState.CLOSED,
        ended_at: datetime | None = None,
        reason: str = "",
        exit_reason: ExitReason | None = None,
    ) -> None:
        """Update closed quantity, fees and result of a trade, from our orders and adopted transactions.

        The last spread ends it as `ends`. An assigned trade has no result until `ended_at` says when the last of its
        shares and contracts went.
        """
        row = self._core.get_row("trade", trade_id)
        closing = invert_legs(decode_trade(row).legs)
        fills = self._fills_where(_CLOSINGS, row["proposal_id"], trade_id)
        closed_by_orders = spreads_filled(fills, closing)
        paid_e4 = -premium_e4(fills, closing, closed_by_orders) if closed_by_orders else 0
        adopted = self._adopted_totals(trade_id)
        fees = self._core.total(_FEES.format(_ALL_ORDERS), row["proposal_id"], trade_id) + adopted["fees"]
        closed = closed_by_orders + adopted["spreads"]
        is_over = closed >= row["quantity"]
        columns: dict[str, object] = {}
        if is_over and row["state"] in OPEN_TRADES:
            columns = {"state": ends, "reason": reason, "exit_reason": exit_reason}
            if ends is not TradeState.ASSIGNED:
                columns |= _closing_columns(ended_at or max(fill.at for fill in fills))
        elif row["state"] == TradeState.ASSIGNED and ended_at is not None:
            advance(TRADE_TRANSITIONS, TradeState.ASSIGNED, ends)
            columns = {"state": ends, **_closing_columns(ended_at)}
        are_final = self._core.total(_ARE_FEES_FINAL, row["proposal_id"], trade_id)
        # Before, its shares are paid for and not sold.
        is_counted = not adopted["assigned"] or (
            adopted["disposed"] and columns.get("state", row["state"]) == TradeState.CLOSED
        )
        columns |= {
            "closed_quantity": closed,
            "paid_e4": paid_e4 - round(adopted["gross"] / MULTIPLIER) if is_counted else paid_e4,
            "fees_e4": fees,
            "fees_final": 1 if are_final else None,
            "changed_at": change.at,
        }
        if (is_over or row["state"] == TradeState.EXPIRED) and is_counted:
            columns["result_e4"] = (row["premium_e4"] - paid_e4) * MULTIPLIER + adopted["gross"] - fees
        change.update("trade", trade_id, **columns)
        if "state" in columns:
            underlying = Proposals(self._core).get(row["proposal_id"]).underlying
            add_end_notice(change, self.get(trade_id), underlying)

    def _adopted_totals(self, trade_id: int) -> sqlite3.Row:
        """Return spreads, cash and fees of what was adopted and disposed of, and whether a part was assigned."""
        row = self._core.row(
            """select coalesce(sum(spreads), 0) as spreads, coalesce(sum(gross_e4), 0) as gross,
                coalesce(sum(fees_e4), 0) as fees, coalesce(max(state = 'assigned'), 0) as assigned,
                coalesce(max(state is null), 0) as disposed
                from (select spreads, gross_e4, fees_e4, state from adoption where trade_id = ?1
                    union all select 0, gross_e4, fees_e4, null from disposal where trade_id = ?1)""",
            trade_id,
        )
        assert row is not None
        return row

    def _fills_where(self, orders: str, *values: object) -> tuple[Fill, ...]:
        query = f"select * from fill where order_id in (select id from broker_order where {orders}) order by id"
        return self._core.select(decode_fill, query, *values)


def _check_fill_quantities(order: sqlite3.Row, legs: tuple[Leg, ...], fills: Sequence[Fill]) -> None:
    """Raise `Refused` for a fill of another contract, of the other side, or beyond the order's quantity."""
    filled: dict[str, int] = {}
    allowed = {(leg.symbol, leg.action): leg.quantity * order["quantity"] for leg in legs}
    for fill in fills:
        filled[fill.symbol] = filled.get(fill.symbol, 0) + fill.quantity
        ordered = allowed.get((fill.symbol, fill.action), 0)
        if filled[fill.symbol] > ordered:
            raise Refused(
                f"order {order['reference']} cannot have {filled[fill.symbol]} x {fill.action} {fill.symbol} filled: "
                f"{ordered} were ordered; compare with the broker's own view"
            )


def _max_loss_e4(legs: Sequence[Leg], quantity: int, premium: int) -> int:
    """Return the maximum loss before the fees of the opening, in ten-thousandths of a dollar."""
    return (max_settlement_cost_e4(legs) * quantity - premium) * MULTIPLIER


def _closing_columns(at: datetime) -> dict[str, object]:
    from spy32.sessions import market_date

    return {"closed_at": at, "closed_day": market_date(at)}


def decode_trade(row: sqlite3.Row) -> Trade:
    quantity, closed, premium = row["quantity"], row["closed_quantity"], row["premium_e4"]
    body = decode_body(_TradeBody, row["body"], f"T{row['id']}")
    return decode_row(
        Trade,
        row,
        "trade",
        legs=body.legs,
        assumption=body.assumption,
        credit=_average_per_share(premium, quantity),
        debit=_average_per_share(row["paid_e4"], closed) if closed else None,
        opening_fees=row["max_loss_e4"] - _max_loss_e4(body.legs, quantity, premium),
    )


def _average_per_share(total: int, count: int) -> Decimal:
    """Return the average per share to a ten-thousandth; in whole cents if that is exact."""
    return e4_to_dollars(total // count) if total % count == 0 else (e4_to_dollars(total) / count).quantize(E4_UNIT)
