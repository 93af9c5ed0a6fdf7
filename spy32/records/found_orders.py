"""Orders of ours that were found at the broker and that our book lacked."""

from datetime import date, datetime
from typing import NamedTuple

from spy32.domain.orders import BrokerOrder, Order, OrderKind, OrderTicket
from spy32.errors import Refused
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
from spy32.records.base import Database, WriteTransaction
from spy32.records.orders import Orders, order_columns, order_from_row
from spy32.records.proposals import Proposals

STATES_WITHOUT_ORDER = (ProposalState.PROPOSED, ProposalState.APPROVED, ProposalState.DECLINED, ProposalState.LAPSED)
"""A proposal in one of these states has no order in our book."""


class OrderAlert(NamedTuple):
    """Kind and message of the attention item of a found order."""

    kind: str
    message: str


class FoundOrders:
    """Adopts found orders. The broker's list of our orders wins over the state of a row."""

    def __init__(self, core: Database, proposals: Proposals, orders: Orders) -> None:
        self._core = core
        self._proposals = proposals
        self._orders = orders

    # Reading

    def absent_entries(self, day: date) -> tuple[Order, ...]:
        """Return the `absent` entries of a New York day that no person has confirmed."""
        rows = self._core.rows(
            """select * from broker_order where kind = ? and state = ? and settled_by is null
                and market_day = ? order by id""",
            OrderKind.ENTRY,
            OrderState.ABSENT,
            day.isoformat(),
        )
        return tuple(order_from_row(row) for row in rows)

    def absent_exits(self, day: date, trade_id: int) -> tuple[Order, ...]:
        """Return the `absent` closes of a trade of a New York day that no person has confirmed.

        Without replacements: one that arrives after the order before it has ended has no effect.
        """
        rows = self._core.rows(
            """select sent.* from broker_order sent join proposal on proposal.id = sent.proposal_id
                where sent.kind = ? and sent.state = ? and sent.settled_by is null and sent.replaces is null
                and sent.market_day = ? and proposal.trade_id = ? order by sent.id""",
            OrderKind.EXIT,
            OrderState.ABSENT,
            day.isoformat(),
            trade_id,
        )
        return tuple(order_from_row(row) for row in rows)

    # Writing

    def adopt(self, order: OrderTicket, broker_order: BrokerOrder, alert: OrderAlert, *, at: datetime) -> Order:
        """Store the order as working until it is read at the broker, and raise an attention item; return it.

        A ticket is added. An order that our book has as never placed becomes `working`. Of any other order only the
        proposal becomes `sent`, since the broker shows more filled of it than our book has.
        """
        with self._core.write_transaction(
            at, "order found", f"O{order.id}" if isinstance(order, Order) else ""
        ) as change:
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
            add_attention(self._core, change, f"P{order.proposal_id}", *alert)
        return self._orders.get(number)

    def _reopen_order(self, change: WriteTransaction, order: Order, columns: dict[str, object]) -> None:
        row = self._orders.get_row(order.id)
        if row["state"] != order.state:
            raise Refused(f"order {row['reference']} is already {row['state']} since {row['changed_at']}")
        if order.state in NEVER_AT_BROKER:
            advance(ORDER_TRANSITIONS, order.state, OrderState.WORKING)
            fresh = {**columns, "adopted_at": change.at, "reason": "", "ended_by": None}
            change.update("broker_order", order.id, **fresh, changed_at=change.at)

    def _mark_proposal_sent(self, change: WriteTransaction, proposal_id: int) -> None:
        """Mark a proposal as `sent`, since an order of it is or was at the broker: nothing else may be sent for it."""
        state = ProposalState(self._proposals.get_row(proposal_id)["state"])
        if state in STATES_WITHOUT_ORDER:
            advance(PROPOSAL_TRANSITIONS, state, ProposalState.SENT)
            self._proposals.lapse_waiting_close(change, proposal_id)
            change.update(
                "proposal", proposal_id, state=ProposalState.SENT, changed_at=change.at, reason="its order was found"
            )

    def confirm_absences(self, proposal_id: int, by: str, at: datetime) -> None:
        """Record that a person looked at the broker and the proposal's absent orders are not alive there."""
        with self._core.write_transaction(at, f"absence confirmed by {by}", f"P{proposal_id}") as change:
            rows = self._core.rows(
                "select id from broker_order where proposal_id = ? and state = ? and settled_by is null",
                proposal_id,
                OrderState.ABSENT,
            )
            for row in rows:
                change.update("broker_order", row["id"], settled_by=by, ended_by=EndedBy.PERSON)
