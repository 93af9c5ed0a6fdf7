"""Orders: begun once per approval, replaced one at a time, and changed by compare-and-set."""

import sqlite3
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from spy32.domain.orders import BrokerOrder, Fill, Order, OrderKind, OrderTicket
from spy32.domain.proposals import ExitPlan, ProposalKind
from spy32.domain.spreads import Mode
from spy32.errors import Refused
from spy32.lifecycle import (
    IN_FLIGHT,
    NEVER_AT_BROKER,
    ORDER_TRANSITIONS,
    PROPOSAL_TRANSITIONS,
    EndedBy,
    OrderState,
    ProposalState,
    TradeState,
    advance,
)
from spy32.records.base import Records, WriteTransaction
from spy32.records.encoding import columns_of, decode_body, decode_row, e4_to_dollars, format_day_start, row_decoder
from spy32.records.home import HomeLocation
from spy32.records.notices import add_attention
from spy32.records.proposals import Proposals


class Orders(Records):
    """Every order that we sent or adopted."""

    # Reading

    def get(self, order_id: int) -> Order:
        return decode_order(self._core.get_row("broker_order", order_id))

    def select_by_proposal(self, proposal_id: int) -> tuple[Order, ...]:
        """Return all orders of a proposal, oldest first."""
        return self._select("proposal_id = ?", proposal_id)

    def select(self, *states: OrderState) -> tuple[Order, ...]:
        """Return all orders in these states, oldest first."""
        return self._select("state in (select value from json_each(?))", states)

    def select_filled(self, since: date) -> tuple[Order, ...]:
        """Return the orders whose fills are all of this New York day or later, oldest first."""
        filled = "select order_id from fill group by order_id having min(at) >= ?"
        return self._select(f"id in ({filled})", format_day_start(since))

    def _select(self, condition: str, value: object) -> tuple[Order, ...]:
        return self._core.select(decode_order, f"select * from broker_order where {condition} order by id", value)

    def find(self, *, broker_id: str = "", reference: str = "") -> Order | None:
        """Return our newest order with this broker id or this reference; None if there is none."""
        query = "select * from broker_order where broker_id = ? or reference = ? order by id desc limit 1"
        return self._core.find(decode_order, query, broker_id, reference)

    def fills(self, order_id: int) -> tuple[Fill, ...]:
        """Return the fills of an order, oldest first."""
        return self._core.select(decode_fill, "select * from fill where order_id = ? order by id", order_id)

    def fees(self, order_id: int) -> tuple[Decimal, bool]:
        """Return all fees of an order so far, dollars, and whether they are final."""
        row = self._core.get_row("broker_order", order_id)
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
            HomeLocation(self._core).require_unmoved()
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
        trade_id = self._core.get_row("proposal", proposal_id)["trade_id"]
        if trade_id is None:
            return
        state = self._core.get_row("trade", trade_id)["state"]
        if state == TradeState.OPEN:
            change.update("trade", trade_id, state=TradeState.CLOSING, changed_at=change.at)
        elif state != TradeState.CLOSING:
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
            self.require_state(order_id, was)
            change.update("broker_order", order_id, state=now, changed_at=change.at, **columns)
        return self.get(order_id)

    def require_state(self, order_id: int, state: OrderState) -> None:
        """Raise `Refused` unless the order has this state; call it inside the changing transaction."""
        row = self._core.get_row("broker_order", order_id)
        if row["state"] != state:
            raise Refused(f"order {row['reference']} is already {row['state']} since {row['changed_at']}")

    # Checks of `begin`, inside its transaction

    def _check_first_order(self, order: OrderTicket, at: datetime) -> sqlite3.Row:
        """Return the proposal's row if it is approved now by the approval that the ticket names."""
        row = Proposals(self._core).require_state(order.proposal_id, ProposalState.APPROVED)
        approval = Proposals(self._core).latest_approval(order.proposal_id)
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
        row = Proposals(self._core).require_state(order.proposal_id, ProposalState.SENT)
        old = self._core.get_row("broker_order", old_id)
        if (old["proposal_id"], old["approval_id"]) != (order.proposal_id, order.approval_id):
            raise Refused(f"order {order.reference} cannot replace {old['reference']}, which is of another approval")
        is_over = old["state"] == OrderState.CANCELLED and not self.fills(old_id)
        if old["state"] != OrderState.WORKING and not is_over:
            raise Refused(f"order {old['reference']} cannot be replaced: it is {old['state']}")
        return row

    def _check_profit_target(self, order: OrderTicket) -> sqlite3.Row:
        """Return the opening's row if it is done, its exit plan has a target at this price, and its trade is open.

        The approval may have ended: it covered the target, whenever the trade opens.
        """
        row = Proposals(self._core).require_state(order.proposal_id, ProposalState.DONE)
        proposal = Proposals(self._core).get(order.proposal_id)
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
        trade = """select coalesce(proposal.trade_id, trade.id) from proposal
            left join trade on trade.proposal_id = proposal.id where proposal.id = ?3"""
        live_order = self._core.row(
            f"""select reference, state from broker_order
                where state in (select value from json_each(?1)) and id is not ?2 and (
                    proposal_id = ?3
                    or proposal_id in (select id from proposal where trade_id = ({trade}))
                    or proposal_id in (select proposal_id from trade where id = ({trade})))""",
            IN_FLIGHT,
            order.replaces,
            order.proposal_id,
        )
        if live_order is not None:
            raise Refused(f"order {live_order['reference']} is {live_order['state']}: nothing new before it is settled")

    def _check_quantity(self, order: OrderTicket, proposal: sqlite3.Row) -> None:
        """Raise `Refused` if filled and ordered quantity exceed what was approved or what the trade holds."""
        allowed = proposal["quantity"] - self._core.total(
            "select sum(filled) from broker_order where proposal_id = ? and kind = ?", order.proposal_id, order.kind
        )
        held = self._core.row(
            "select quantity - closed_quantity from trade where id = ? or (proposal_id = ? and ? = 'target')",
            proposal["trade_id"],
            order.proposal_id,
            order.kind,
        )
        if held is not None:
            allowed = min(allowed, held[0])
        if not order.quantity <= allowed:
            raise Refused(f"order {order.reference} is for {order.quantity}, only {allowed} may still be sent")


def order_columns(order: OrderTicket) -> dict[str, object]:
    """Return the columns of an order that is about to be sent."""
    from spy32.sessions import market_date

    return columns_of(order) | {"state": OrderState.SUBMITTING, "market_day": market_date(order.created_at)}


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


def decode_order(row: sqlite3.Row) -> Order:
    """Return the order of a row of `broker_order`."""
    return decode_row(Order, row, "order", is_adopted=row["adopted_at"])


decode_fill = row_decoder(Fill, "fill")


class OrderAlert(NamedTuple):
    """Kind and message of the attention item of a found order."""

    kind: str
    message: str


class FoundOrders(Records):
    """Adopts found orders. The broker's list of our orders wins over the state of a row."""

    # Reading

    def absent_entries(self, day: date) -> tuple[Order, ...]:
        """Return the `absent` entries of a New York day that no person has confirmed."""
        query = """select * from broker_order where kind = 'entry' and state = 'absent' and settled_by is null
            and market_day = ? order by id"""
        return self._core.select(decode_order, query, day)

    def absent_exits(self, day: date, trade_id: int) -> tuple[Order, ...]:
        """Return the `absent` closes of a trade of a New York day that no person has confirmed.

        Without replacements: one that arrives after the order before it has ended has no effect.
        """
        query = """select sent.* from broker_order sent join proposal on proposal.id = sent.proposal_id
            where sent.kind = 'exit' and sent.state = 'absent' and sent.settled_by is null and sent.replaces is null
            and sent.market_day = ? and proposal.trade_id = ? order by sent.id"""
        return self._core.select(decode_order, query, day, trade_id)

    # Writing

    def adopt(self, order: OrderTicket, broker_order: BrokerOrder, alert: OrderAlert, *, at: datetime) -> Order:
        """Store the order as working until it is read at the broker, and raise an attention item; return it.

        A ticket is added. An order that our book has as never placed becomes `working`. Of any other order only the
        proposal becomes `sent`, since the broker shows more filled of it than our book has.
        """
        subject = f"O{order.id}" if isinstance(order, Order) else ""
        with self._core.write_transaction(at, "order found", subject) as change:
            columns: dict[str, object] = {
                "state": OrderState.WORKING,
                "broker_id": broker_order.broker_id,
                "broker_status": broker_order.status,
            }
            if not isinstance(order, Order):
                new_columns = {**order_columns(order), **columns, "adopted_at": change.at}
                number = change.insert("broker_order", **new_columns, changed_at=change.at)
                change.subject = f"O{number}"
            else:
                number = order.id
                self._reopen_order(change, order, columns)
            if order.kind is not OrderKind.TARGET:
                self._mark_proposal_sent(change, order.proposal_id)
            add_attention(change, f"P{order.proposal_id}", *alert)
        return Orders(self._core).get(number)

    def _reopen_order(self, change: WriteTransaction, order: Order, columns: dict[str, object]) -> None:
        Orders(self._core).require_state(order.id, order.state)
        if order.state in NEVER_AT_BROKER:
            advance(ORDER_TRANSITIONS, order.state, OrderState.WORKING)
            fresh = {**columns, "adopted_at": change.at, "reason": "", "ended_by": None}
            change.update("broker_order", order.id, **fresh, changed_at=change.at)

    def _mark_proposal_sent(self, change: WriteTransaction, proposal_id: int) -> None:
        """Mark a proposal as `sent`, since an order of it is or was at the broker: nothing else may be sent for it."""
        proposals = Proposals(self._core)
        state = proposals.get(proposal_id).state
        if state not in (ProposalState.SENT, ProposalState.DONE):
            advance(PROPOSAL_TRANSITIONS, state, ProposalState.SENT)
            proposals.lapse_waiting_close(change, proposal_id)
            change.update(
                "proposal", proposal_id, state=ProposalState.SENT, changed_at=change.at, reason="its order was found"
            )

    def confirm_absences(self, proposal_id: int, by: str, at: datetime) -> None:
        """Record that a person looked at the broker and the proposal's absent orders are not alive there."""
        with self._core.write_transaction(at, f"absence confirmed by {by}", f"P{proposal_id}") as change:
            rows = self._core.rows(
                "select id from broker_order where proposal_id = ? and state = 'absent' and settled_by is null",
                proposal_id,
            )
            for row in rows:
                change.update("broker_order", row["id"], settled_by=by, ended_by=EndedBy.PERSON)
