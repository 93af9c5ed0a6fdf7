"""Fills, the trades that they open and close, the cash that they move, and what all that risks."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from spy32.domain.acting import Fill, Mark, Trade, spreads_filled
from spy32.domain.codec import canonical
from spy32.domain.trading import MULTIPLIER, Leg, Mode
from spy32.errors import Refused, Usage
from spy32.lifecycle import TRADE, TradeState, advance
from spy32.records.base import Change
from spy32.records.figures import premium_e4, worst_e4
from spy32.records.orders import Orders, fill_of
from spy32.records.values import (
    TINY,
    from_e4,
    instant,
    maybe_when,
    nearest_e4,
    revive,
    to_e4,
    when,
)

HELD = (TradeState.OPEN, TradeState.CLOSING)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Body:
    """Of a trade, what has no column."""

    legs: tuple[Leg, ...]
    assumption: str


class Trades(Orders):
    """What was bought and sold."""

    # Reading

    def trade_row(self, trade_id: int) -> sqlite3.Row:
        row = self.row("select * from trade where id = ?", trade_id)
        if row is None:
            raise Usage(f"there is no trade T{trade_id}; `spy32 positions` lists them")
        return row

    def trade(self, trade_id: int) -> Trade:
        return _trade(self.trade_row(trade_id))

    def trades(self, *states: TradeState) -> tuple[Trade, ...]:
        """Trades in these states, or all, oldest first."""
        if not states:
            return tuple(_trade(row) for row in self.rows("select * from trade order by id"))
        marks = ", ".join("?" * len(states))
        return tuple(
            _trade(row) for row in self.rows(f"select * from trade where state in ({marks}) order by id", *states)
        )

    def trade_of_proposal(self, proposal_id: int) -> Trade | None:
        """The trade that an opening opened, or that a closing closes."""
        proposal = self.proposal_row(proposal_id)
        if proposal["trade_id"] is not None:
            return self.trade(proposal["trade_id"])
        row = self.row("select * from trade where proposal_id = ?", proposal_id)
        return _trade(row) if row is not None else None

    def marks(self, trade_id: int) -> tuple[Mark, ...]:
        """What leaving a trade would have cost, oldest first."""
        found = self.rows("select body from mark where trade_id = ? order by id", trade_id)
        return tuple(revive(Mark, row["body"], f"a mark of T{trade_id}") for row in found)

    # Writing

    def record_fills(
        self, order_id: int, fills: Sequence[Fill], *, fees: Decimal, at: datetime, assumption: str = ""
    ) -> Trade | None:
        """Everything that a broker shows as filled of an order so far, with all its `fees` so far, dollars.

        May be told again and again: a fill that is known changes nothing. The first whole spread of an entry opens its
        trade, more let it grow; the last one of a closing closes it. None while no whole spread is filled.
        """
        with self.changing(at, "filled", f"O{order_id}") as change:
            order = self.order_row(order_id)
            proposal = self.proposal(order["proposal_id"])
            fresh = self._fresh(order, fills)
            owed = nearest_e4(fees) - order["fees_e4"]
            if fresh or owed:
                self._keep(change, order, proposal.legs, fresh, owed)
                if proposal.kind == "open":
                    self._opened(change, order["proposal_id"], assumption)
                else:
                    assert proposal.trade_id is not None
                    self._closed(change, proposal.trade_id)
        return self.trade_of_proposal(order["proposal_id"])

    def move_trade(
        self,
        trade_id: int,
        *,
        was: TradeState,
        now: TradeState,
        at: datetime,
        reason: str = "",
        result: Decimal | None = None,
    ) -> Trade:
        """The trade in its new state. An expired one keeps its premium; `result` is for one ended by hand."""
        advance(TRADE, was, now)
        with self.changing(at, f"trade {now}", f"T{trade_id}") as change:
            row = self.trade_row(trade_id)
            if row["state"] != was:
                raise Refused(f"T{trade_id} is already {row['state']} since {row['changed_at']}")
            ended = _ending(at) if now in (TradeState.CLOSED, TradeState.EXPIRED) else {}
            if now is TradeState.EXPIRED:
                ended["result_e4"] = _result(row["premium_e4"], row["paid_e4"], row["fees_e4"])
            if result is not None:
                ended["result_e4"] = to_e4(result)
            change.update("trade", trade_id, state=now, changed_at=change.at, reason=reason, **ended)
        return self.trade(trade_id)

    def add_mark(self, mark: Mark) -> None:
        with self.changing(mark.at, "marked", f"T{mark.trade_id}") as change:
            self.trade_row(mark.trade_id)
            change.insert("mark", trade_id=mark.trade_id, at=change.at, body=canonical(mark))

    # Parts of record_fills, inside its transaction

    def _fresh(self, order: sqlite3.Row, fills: Sequence[Fill]) -> list[Fill]:
        """The fills that are not known yet; a known one that says something else now is refused."""
        found = self.rows("select * from fill where order_id = ?", order["id"])
        known = {(row["fill_id"], row["symbol"]): fill_of(row) for row in found}
        fresh: dict[tuple[str, str], Fill] = {}
        for fill in fills:
            key = (fill.fill_id, fill.symbol)
            earlier = known.get(key) or fresh.get(key)
            if earlier is None:
                fresh[key] = fill
            elif (earlier.action, earlier.quantity, earlier.price) != (fill.action, fill.quantity, fill.price):
                raise Refused(f"fill {fill.fill_id} of order {order['reference']} is on record with other figures")
        return list(fresh.values())

    def _keep(
        self, change: Change, order: sqlite3.Row, legs: tuple[Leg, ...], fresh: Sequence[Fill], owed: int
    ) -> None:
        """Rows of the fills, of the order, and of the cash."""
        for fill in fresh:
            change.insert(
                "fill",
                order_id=order["id"],
                fill_id=fill.fill_id,
                symbol=fill.symbol,
                action=fill.action,
                quantity=fill.quantity,
                price_e4=to_e4(fill.price),
                at=instant(fill.at),
            )
        done = self.fills(order["id"])
        _no_more_than_ordered(order, legs, done)
        filled = spreads_filled(done, legs)
        change.update("broker_order", order["id"], filled=filled, fees_e4=order["fees_e4"] + owed)
        premium = sum(to_e4(fill.price) * fill.action.sign * fill.quantity * MULTIPLIER for fill in fresh)
        for kind, amount in (("premium", premium), ("fees", -owed)):
            if amount:
                change.insert("cash", book="account", kind=kind, amount_e4=amount, at=change.at, order_id=order["id"])

    def _opened(self, change: Change, proposal_id: int, assumption: str) -> None:
        """Open the trade of an opening proposal, or let it grow to all its fills."""
        proposal = self.proposal(proposal_id)
        fills = self._fills_of("select id from broker_order where proposal_id = ?", proposal_id)
        quantity = spreads_filled(fills, proposal.legs)
        if quantity == 0:
            return
        premium = premium_e4(fills, proposal.legs, quantity)
        fees = self._fees_of("proposal_id = ?", proposal_id)
        columns = {
            "quantity": quantity,
            "premium_e4": premium,
            "fees_e4": fees,
            "max_loss_e4": worst_e4(proposal.legs) * MULTIPLIER * quantity - premium * MULTIPLIER + fees,
            "changed_at": change.at,
        }
        row = self.row("select id from trade where proposal_id = ?", proposal_id)
        if row is not None:
            change.update("trade", row["id"], **columns)
            return
        change.insert(
            "trade",
            proposal_id=proposal_id,
            run_id=proposal.run_id,
            mode=proposal.mode,
            state=TradeState.OPEN,
            opened_at=instant(min(fill.at for fill in fills)),
            body=canonical(_Body(legs=proposal.legs, assumption=assumption)),
            **columns,
        )

    def _closed(self, change: Change, trade_id: int) -> None:
        """Take what was bought back off a trade; the last spread ends it."""
        row = self.trade_row(trade_id)
        ours = "select id from proposal where trade_id = ? and kind = 'close'"
        fills = self._fills_of(f"select id from broker_order where proposal_id in ({ours})", trade_id)
        closing = tuple(replace(leg, action=leg.action.closing) for leg in _trade(row).legs)
        quantity = spreads_filled(fills, closing)
        fees = self._fees_of("proposal_id = ?", row["proposal_id"]) + self._fees_of(
            f"proposal_id in ({ours})", trade_id
        )
        paid = -premium_e4(fills, closing, quantity) if quantity else 0
        columns = {"closed_quantity": quantity, "paid_e4": paid, "fees_e4": fees, "changed_at": change.at}
        if quantity >= row["quantity"]:
            columns["result_e4"] = _result(row["premium_e4"], paid, fees)
            if row["state"] in HELD:
                columns |= {"state": TradeState.CLOSED, **_ending(max(fill.at for fill in fills))}
        change.update("trade", trade_id, **columns)

    def _fills_of(self, orders: str, *values: object) -> tuple[Fill, ...]:
        found = self.rows(f"select * from fill where order_id in ({orders}) order by id", *values)
        return tuple(fill_of(row) for row in found)

    def _fees_of(self, orders: str, *values: object) -> int:
        row = self.row(f"select sum(fees_e4) from broker_order where {orders}", *values)
        return row[0] or 0 if row is not None else 0


def _no_more_than_ordered(order: sqlite3.Row, legs: tuple[Leg, ...], fills: Sequence[Fill]) -> None:
    """Nothing is recorded of a fill of another contract, the other way round, or beyond the order's quantity."""
    done: dict[str, int] = {}
    allowed = {(leg.symbol, leg.action): leg.quantity * order["quantity"] for leg in legs}
    for fill in fills:
        done[fill.symbol] = done.get(fill.symbol, 0) + fill.quantity
        most = allowed.get((fill.symbol, fill.action), 0)
        if done[fill.symbol] > most:
            raise Refused(
                f"order {order['reference']} cannot have {done[fill.symbol]} x {fill.action} {fill.symbol} filled: "
                f"{most} were ordered; compare with the broker's own view"
            )


def _result(premium: int, paid: int, fees: int) -> int:
    """Dollars won or lost, in ten-thousandths."""
    return (premium - paid) * MULTIPLIER - fees


def _ending(at: datetime) -> dict[str, object]:
    from spy32.sessions import market_date

    return {"closed_at": instant(at), "closed_day": market_date(at).isoformat()}


def _trade(row: sqlite3.Row) -> Trade:
    body = revive(_Body, row["body"], f"T{row['id']}")
    closed = row["closed_quantity"]
    return Trade(
        id=row["id"],
        proposal_id=row["proposal_id"],
        run_id=row["run_id"],
        mode=Mode(row["mode"]),
        state=TradeState(row["state"]),
        legs=body.legs,
        quantity=row["quantity"],
        credit=_each(row["premium_e4"], row["quantity"]),
        fees=from_e4(row["fees_e4"]),
        max_loss=from_e4(row["max_loss_e4"]),
        opened_at=when(row["opened_at"]),
        closed_at=maybe_when(row["closed_at"]),
        debit=_each(row["paid_e4"], closed) if closed else None,
        result=from_e4(row["result_e4"]) if row["result_e4"] is not None else None,
        assumption=body.assumption,
        closed_quantity=closed,
    )


def _each(total: int, count: int) -> Decimal:
    """The average per share, to a ten-thousandth; whole cents when it is exact."""
    return from_e4(total // count) if total % count == 0 else (from_e4(total) / count).quantize(TINY)
