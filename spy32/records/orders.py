"""Orders: begun once per approval, replaced one at a time, and changed by compare-and-set."""

import sqlite3
from datetime import date, datetime
from decimal import Decimal

from spy32.domain.orders import BrokerOrder, Fill, Order, OrderKind, OrderTicket
from spy32.domain.proposals import ExitPlan, ProposalKind
from spy32.domain.spreads import Action, Mode
from spy32.errors import BadUsage, Refused
from spy32.lifecycle import IN_FLIGHT, ORDER_TRANSITIONS, EndedBy, OrderState, ProposalState, TradeState, advance
from spy32.records.base import Database, WriteTransaction
from spy32.records.encoding import (
    decode_body,
    dollars_to_e4,
    e4_to_dollars,
    format_day_start,
    format_instant,
    parse_instant,
    row_decoder,
)
from spy32.records.home_location import HomeLocation
from spy32.records.proposals import Proposals


class Orders:
    """Every order that we sent or adopted."""

    def __init__(self, core: Database, proposals: Proposals, location: HomeLocation) -> None:
        self._core = core
        self._proposals = proposals
        self._location = location

    # Reading

    def get_row(self, order_id: int) -> sqlite3.Row:
        row = self._core.row("select * from broker_order where id = ?", order_id)
        if row is None:
            raise BadUsage(f"there is no order O{order_id}; `spy32 show` lists those of a run")
        return row

    def get(self, order_id: int) -> Order:
        return order_from_row(self.get_row(order_id))

    def select_by_proposal(self, proposal_id: int) -> tuple[Order, ...]:
        """Return all orders of a proposal, oldest first."""
        rows = self._core.rows("select * from broker_order where proposal_id = ? order by id", proposal_id)
        return tuple(order_from_row(row) for row in rows)

    def select(self, *states: OrderState) -> tuple[Order, ...]:
        """Return all orders in these states, oldest first."""
        marks = ", ".join("?" * len(states))
        return tuple(
            order_from_row(row)
            for row in self._core.rows(f"select * from broker_order where state in ({marks}) order by id", *states)
        )

    def find(self, broker_id: str, reference: str = "") -> Order | None:
        """Return our order with this broker id or this reference; None if there is none."""
        row = self._core.row("select * from broker_order where broker_id = ? or reference = ?", broker_id, reference)
        return order_from_row(row) if row is not None else None

    def find_by_reference(self, reference: str) -> Order | None:
        """Return our order with this reference; None if there is none."""
        row = self._core.row("select * from broker_order where reference = ?", reference) if reference else None
        return order_from_row(row) if row is not None else None

    def find_by_broker_id(self, broker_id: str) -> Order | None:
        """Return our newest order with this broker id; None if there is none."""
        row = self._core.row("select * from broker_order where broker_id = ? order by id desc limit 1", broker_id)
        return order_from_row(row) if row is not None else None

    def fills(self, order_id: int) -> tuple[Fill, ...]:
        """Return the fills of an order, oldest first."""
        return tuple(
            fill_from_row(row) for row in self._core.rows("select * from fill where order_id = ? order by id", order_id)
        )

    def select_filled(self, since: date) -> tuple[Order, ...]:
        """Return the orders whose fills are all of this New York day or later, oldest first."""
        rows = self._core.rows(
            """select * from broker_order where id in (select order_id from fill group by order_id having min(at) >= ?)
                order by id""",
            format_day_start(since),
        )
        return tuple(order_from_row(row) for row in rows)

    def fees(self, order_id: int) -> tuple[Decimal, bool]:
        """Return all fees of an order so far, dollars, and whether they are final."""
        row = self.get_row(order_id)
        return e4_to_dollars(row["fees_e4"]), row["fees_final"] is not None

    # Writing

    def begin(self, order: OrderTicket, *, at: datetime) -> Order:
        """Store a ticket as a `submitting` order before it is sent. Only this gives the right to send, and only once.

        The first order of an approval changes its proposal from `approved` to `sent`; a later one names the order that
        it replaces. A profit target uses the approval of a filled opening, whose proposal stays `done`. `Refused` when
        another order of the proposal, or another order that closes its trade, may still fill; `NotPermitted` in a live
        home that was copied or moved.
        """
        self._core.require_mode(order.mode)
        if order.mode is Mode.LIVE:
            self._location.require_unmoved()
        with self._core.write_transaction(at, "order submitting") as change:
            replaced_id = order.replaces
            if order.kind is OrderKind.TARGET:
                row = self._check_profit_target(order)
            else:
                row = (
                    self._check_first_order(order, at)
                    if replaced_id is None
                    else self._check_replacement(order, replaced_id)
                )
            self._require_no_live_order(order)
            self._check_quantity(order, row)
            number = change.insert("broker_order", **order_columns(order), changed_at=change.at)
            change.subject = f"O{number}"
            if replaced_id is None and order.kind is not OrderKind.TARGET:
                change.update("proposal", order.proposal_id, state=ProposalState.SENT, changed_at=change.at, reason="")
                self._begin_closing(change, order.proposal_id)
        return self.get(number)

    def _begin_closing(self, change: WriteTransaction, proposal_id: int) -> None:
        """Set the trade that the proposal closes, if any, to `closing`; `Refused` when it has ended."""
        trade_id = self._proposals.get_row(proposal_id)["trade_id"]
        if trade_id is None:
            return
        row = self._core.row("select state from trade where id = ?", trade_id)
        state = TradeState(row["state"]) if row is not None else None
        if state is TradeState.OPEN:
            change.update("trade", trade_id, state=TradeState.CLOSING, changed_at=change.at)
        elif state is not TradeState.CLOSING:
            raise Refused(f"T{trade_id} is {state}; there is nothing to close")

    def move(
        self,
        order_id: int,
        *,
        was: OrderState,
        now: OrderState,
        at: datetime,
        broker: BrokerOrder | None = None,
        reason: str = "",
    ) -> Order:
        """Change an order's state and what the broker shows of it, and return it. The state may stay the same.

        `is_replaced_by_hand` is never cleared: the broker may stop showing the link.
        """
        if was is not now or broker is None:
            advance(ORDER_TRANSITIONS, was, now)
        columns = _seen_columns(broker) if broker is not None else {}
        if reason or broker is None:
            columns["reason"] = reason
        if now is OrderState.REFUSED:
            columns["ended_by"] = EndedBy.BROKER
        return self._move(order_id, was, now, at, columns)

    def refuse(self, order_id: int, *, was: OrderState, by: EndedBy, reason: str, at: datetime) -> Order:
        """Change an order to `refused`, with who refused it, and return it."""
        advance(ORDER_TRANSITIONS, was, OrderState.REFUSED)
        return self._move(order_id, was, OrderState.REFUSED, at, {"reason": reason, "ended_by": by})

    def _move(self, order_id: int, was: OrderState, now: OrderState, at: datetime, columns: dict[str, object]) -> Order:
        with self._core.write_transaction(at, f"order {now}", f"O{order_id}") as change:
            row = self.get_row(order_id)
            if row["state"] != was:
                raise Refused(f"order {row['reference']} is already {row['state']} since {row['changed_at']}")
            change.update("broker_order", order_id, state=now, changed_at=change.at, **columns)
        return self.get(order_id)

    # Checks of `begin`, inside its transaction

    def _check_first_order(self, order: OrderTicket, at: datetime) -> sqlite3.Row:
        """Return the proposal's row if it is approved now by the approval that the ticket names."""
        row = self._proposals.require_state(order.proposal_id, ProposalState.APPROVED)
        approval = self._proposals.latest_approval(order.proposal_id)
        if approval is None or approval.id != order.approval_id or approval.hash != row["hash"]:
            raise Refused(f"order {order.reference} does not belong to the approval of P{order.proposal_id} that holds")
        if not approval.is_valid(at):
            raise Refused(f"the approval of P{order.proposal_id} {approval.invalidity_text(at)}; approve it again")
        return row

    def _check_replacement(self, order: OrderTicket, old_id: int) -> sqlite3.Row:
        """Return the proposal's row if it is sent and the old order works for the same approval.

        The old order may also be cancelled with nothing filled: that is how a price is changed when the broker refuses
        a replacement.
        """
        row = self._proposals.require_state(order.proposal_id, ProposalState.SENT)
        old = self.get_row(old_id)
        if (old["proposal_id"], old["approval_id"]) != (order.proposal_id, order.approval_id):
            raise Refused(f"order {order.reference} cannot replace {old['reference']}, which is of another approval")
        is_over = (
            old["state"] == OrderState.CANCELLED
            and self._core.row("select 1 from fill where order_id = ?", old_id) is None
        )
        if old["state"] != OrderState.WORKING and not is_over:
            raise Refused(f"order {old['reference']} cannot be replaced: it is {old['state']}")
        return row

    def _check_profit_target(self, order: OrderTicket) -> sqlite3.Row:
        """Return the opening's row if it is done, its exit plan has a target at this price, and its trade is open.

        The approval may have ended: it covered the target, whenever the trade opens.
        """
        row = self._proposals.require_state(order.proposal_id, ProposalState.DONE)
        proposal = self._proposals.get(order.proposal_id)
        trade = self._core.row("select id, state, exits from trade where proposal_id = ?", proposal.id)
        exits = proposal.exit
        if trade is not None and trade["exits"] is not None:
            exits = decode_body(ExitPlan, trade["exits"], f"the exits of T{trade['id']}")
        if proposal.kind is not ProposalKind.OPEN or not exits.rests_target or order.limit != -exits.profit_target:
            raise Refused(f"order {order.reference} is not the profit target that was approved with P{proposal.id}")
        approval = self._core.row(
            "select hash from approval where id = ? and proposal_id = ?", order.approval_id, proposal.id
        )
        if order.replaces is not None or approval is None or approval["hash"] != row["hash"]:
            raise Refused(f"order {order.reference} does not belong to the approval of P{proposal.id}")
        if trade is None or trade["state"] != TradeState.OPEN:
            trade_text = f"T{trade['id']} is {trade['state']}" if trade is not None else "it opened no trade"
            raise Refused(f"order {order.reference} has no open trade to close: {trade_text}")
        return row

    def _require_no_live_order(self, order: OrderTicket) -> None:
        """Raise `Refused` if another order of the proposal, or one that closes its trade, may still fill."""
        marks = ", ".join("?" * len(IN_FLIGHT))
        trade = """select coalesce(proposal.trade_id, trade.id) from proposal
            left join trade on trade.proposal_id = proposal.id where proposal.id = ?"""
        live_order = self._core.row(
            f"""select reference, state from broker_order
                where state in ({marks}) and id is not ? and (
                    proposal_id = ?
                    or proposal_id in (select id from proposal where trade_id = ({trade}))
                    or proposal_id in (select proposal_id from trade where id = ({trade})))""",
            *IN_FLIGHT,
            order.replaces,
            order.proposal_id,
            order.proposal_id,
            order.proposal_id,
        )
        if live_order is not None:
            raise Refused(f"order {live_order['reference']} is {live_order['state']}: nothing new before it is settled")

    def _check_quantity(self, order: OrderTicket, proposal: sqlite3.Row) -> None:
        """Raise `Refused` if filled and ordered quantity exceed what was approved or what the trade holds."""
        filled = self._core.row(
            "select sum(filled) from broker_order where proposal_id = ? and kind = ?", order.proposal_id, order.kind
        )
        allowed = proposal["quantity"] - (filled[0] or 0 if filled is not None else 0)
        trade_row = self._core.row(
            "select quantity - closed_quantity from trade where id = ? or (proposal_id = ? and ? = 'target')",
            proposal["trade_id"],
            order.proposal_id,
            order.kind,
        )
        if trade_row is not None:
            allowed = min(allowed, trade_row[0])
        if not order.quantity <= allowed:
            raise Refused(f"order {order.reference} is for {order.quantity}, only {allowed} may still be sent")


def order_columns(order: OrderTicket) -> dict[str, object]:
    """Return the columns of an order that is about to be sent."""
    from spy32.sessions import market_date

    return {
        "proposal_id": order.proposal_id,
        "approval_id": order.approval_id,
        "reference": order.reference,
        "kind": order.kind,
        "mode": order.mode,
        "account": order.account,
        "body": order.body,
        "body_hash": order.body_hash,
        "limit_e4": dollars_to_e4(order.limit),
        "quantity": order.quantity,
        "state": OrderState.SUBMITTING,
        "created_at": format_instant(order.created_at),
        "market_day": market_date(order.created_at).isoformat(),
        "replaces": order.replaces,
    }


def _seen_columns(seen: BrokerOrder) -> dict[str, object]:
    """Return the columns that store what the broker shows of an order."""
    columns: dict[str, object] = {
        "broker_id": seen.broker_id,
        "broker_status": seen.status,
        "reason": seen.reason,
        "unclear": 1 if seen.is_unclear else None,
        "cancelling": 1 if seen.is_cancelling else None,
    }
    return columns | ({"replaced_by_hand": 1} if seen.is_replaced_by_hand else {})


@row_decoder("order")
def order_from_row(row: sqlite3.Row) -> Order:
    """Return the order of a row of `broker_order`."""
    return Order(
        id=row["id"],
        proposal_id=row["proposal_id"],
        approval_id=row["approval_id"],
        reference=row["reference"],
        kind=OrderKind(row["kind"]),
        mode=Mode(row["mode"]),
        account=row["account"],
        body=row["body"],
        body_hash=row["body_hash"],
        limit=e4_to_dollars(row["limit_e4"]),
        quantity=row["quantity"],
        state=OrderState(row["state"]),
        created_at=parse_instant(row["created_at"]),
        broker_id=row["broker_id"],
        broker_status=row["broker_status"],
        replaces=row["replaces"],
        filled=row["filled"],
        reason=row["reason"],
        is_adopted=row["adopted_at"] is not None,
        ended_by=EndedBy(row["ended_by"]) if row["ended_by"] is not None else None,
        is_replaced_by_hand=row["replaced_by_hand"] is not None,
        is_unclear=row["unclear"] is not None,
        is_cancelling=row["cancelling"] is not None,
    )


@row_decoder("fill")
def fill_from_row(row: sqlite3.Row) -> Fill:
    return Fill(
        fill_id=row["fill_id"],
        symbol=row["symbol"],
        action=Action(row["action"]),
        quantity=row["quantity"],
        price=e4_to_dollars(row["price_e4"]),
        at=parse_instant(row["at"]),
    )
