"""Orders of ours that were found at the broker and that our book lacked."""

from datetime import date, datetime
from typing import NamedTuple

from spy32.domain.orders import BrokerOrder, Order, OrderKind, OrderTicket
from spy32.lifecycle import (
    NEVER_AT_BROKER,
    ORDER_TRANSITIONS,
    PROPOSAL_TRANSITIONS,
    EndedBy,
    OrderState,
    ProposalState,
    advance,
)
from spy32.records.attention import add_attention
from spy32.records.base import Records, WriteTransaction
from spy32.records.orders import Orders, decode_order, order_columns
from spy32.records.proposals import Proposals


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
