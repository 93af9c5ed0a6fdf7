"""The states of a proposal, an order and a trade, with their allowed transitions as tables of data.

Only `advance` decides whether a transition is allowed. The store calls it before its compare-and-set, and a test
checks every pair of states.
"""

from collections.abc import Mapping, Set
from enum import StrEnum
from typing import TypeVar

from spy32.errors import Refused


class ProposalState(StrEnum):
    """The state of a proposal, as stored and in JSON."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    SENT = "sent"
    DONE = "done"
    DECLINED = "declined"
    LAPSED = "lapsed"


class OrderState(StrEnum):
    """The state of an order in our book (compare FIX OrdStatus, tag 39).

    `submitting` is stored before the request is sent. `refused`: the broker did not accept the request. `rejected`:
    the order was accepted and then rejected after routing. `unknown`: the outcome must be read at the broker.
    `absent`: the broker does not list the order.
    """

    SUBMITTING = "submitting"
    WORKING = "working"
    FILLED = "filled"
    REFUSED = "refused"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REPLACED = "replaced"
    UNKNOWN = "unknown"
    ABSENT = "absent"


class EndedBy(StrEnum):
    """Who ended an order that the broker did not end: its state alone does not say why it is not there."""

    BROKER = "broker"
    """Refused by the broker itself."""
    HALT = "halt"
    """A halt was set when it was about to be sent."""
    TOO_LATE = "too_late"
    """The last checks refused it, since too much time had passed since it was committed."""
    NOT_SENT = "not_sent"
    """The request never left this machine."""
    PERSON = "person"
    """A person looked at the broker and said that it is not there."""


class TradeState(StrEnum):
    """The state of a trade, as stored and in JSON."""

    OPEN = "open"
    CLOSING = "closing"
    CLOSED = "closed"
    EXPIRED = "expired"
    ASSIGNED = "assigned"


P, O, T = ProposalState, OrderState, TradeState  # noqa: E741 - the tables below read better in columns

PROPOSAL_TRANSITIONS: Mapping[ProposalState, Set[ProposalState]] = {
    # `approved` becomes `sent` when its order is committed. The other states become `sent` only when one of their
    # orders is found at the broker although our book does not have it in flight.
    P.PROPOSED: {P.APPROVED, P.DECLINED, P.LAPSED, P.SENT},
    P.APPROVED: {P.SENT, P.PROPOSED, P.DECLINED},
    P.SENT: {P.DONE, P.PROPOSED},
    P.DONE: frozenset(),
    P.DECLINED: {P.SENT},
    P.LAPSED: {P.SENT},
}

_SETTLED = {O.WORKING, O.FILLED, O.REFUSED, O.REJECTED, O.CANCELLED, O.EXPIRED}

ORDER_TRANSITIONS: Mapping[OrderState, Set[OrderState]] = {
    O.SUBMITTING: _SETTLED | {O.UNKNOWN},
    O.UNKNOWN: _SETTLED | {O.REPLACED, O.ABSENT},
    O.WORKING: {O.FILLED, O.CANCELLED, O.REJECTED, O.EXPIRED, O.REPLACED, O.ABSENT},
    O.FILLED: frozenset(),
    # The order was recorded as never at the broker and is found there after all.
    O.REFUSED: {O.WORKING},
    O.REJECTED: frozenset(),
    O.CANCELLED: frozenset(),
    O.EXPIRED: frozenset(),
    O.REPLACED: frozenset(),
    O.ABSENT: {O.WORKING},
}

TRADE_TRANSITIONS: Mapping[TradeState, Set[TradeState]] = {
    T.OPEN: {T.CLOSING, T.EXPIRED, T.ASSIGNED, T.CLOSED},
    T.CLOSING: {T.CLOSED, T.EXPIRED, T.ASSIGNED, T.OPEN},
    T.ASSIGNED: {T.CLOSED},
    T.CLOSED: frozenset(),
    T.EXPIRED: frozenset(),
}

IN_FLIGHT = frozenset({O.SUBMITTING, O.WORKING, O.UNKNOWN})
"""An order in one of these states may still fill, so no other order is sent for its approval."""
FINAL = frozenset(O) - IN_FLIGHT
NEVER_AT_BROKER = frozenset({O.REFUSED, O.ABSENT})
"""Final states of an order that, as far as our book knows, is not at the broker."""
OPEN_TRADES = (T.OPEN, T.CLOSING)
"""Spreads are held."""
HELD_TRADES = (*OPEN_TRADES, T.ASSIGNED)
"""Something is held: spreads, or what an assignment left."""
ENDED_TRADES = (T.CLOSED, T.EXPIRED)
"""Nothing is held, and the result is final but for the fees."""

State = TypeVar("State", ProposalState, OrderState, TradeState)


def advance(table: Mapping[State, Set[State]], was: State, now: State) -> State:
    """Return `now` if the table allows the transition from `was`; raise `Refused` otherwise."""
    if now not in table[was]:
        raise Refused(f"a {type(was).__name__.removesuffix('State').lower()} cannot go from {was} to {now}")
    return now
