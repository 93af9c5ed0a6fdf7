"""The lives of a proposal, an order and a trade, as tables of data.

`advance` is the only judge of a move: the store asks it before its compare-and-set,
and a test walks every pair of states.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from spy32.errors import Refused


class ProposalState(StrEnum):
    PROPOSED = "proposed"
    APPROVED = "approved"
    SENT = "sent"
    DONE = "done"
    DECLINED = "declined"
    LAPSED = "lapsed"


class OrderState(StrEnum):
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
    OPEN = "open"
    CLOSING = "closing"
    CLOSED = "closed"
    EXPIRED = "expired"
    ASSIGNED = "assigned"


P, O, T = ProposalState, OrderState, TradeState  # noqa: E741 - the tables below read better in columns

PROPOSAL_TRANSITIONS: Mapping[ProposalState, frozenset[ProposalState]] = {
    # `approved` becomes `sent` when its order is committed. The others do so only when an order of theirs, which our
    # book does not have as alive, is found at the broker.
    P.PROPOSED: frozenset({P.APPROVED, P.DECLINED, P.LAPSED, P.SENT}),
    P.APPROVED: frozenset({P.SENT, P.PROPOSED, P.DECLINED}),
    P.SENT: frozenset({P.DONE, P.PROPOSED}),
    P.DONE: frozenset(),
    P.DECLINED: frozenset({P.SENT}),
    P.LAPSED: frozenset({P.SENT}),
}

_SETTLED = frozenset({O.WORKING, O.FILLED, O.REFUSED, O.REJECTED, O.CANCELLED, O.EXPIRED})

ORDER_TRANSITIONS: Mapping[OrderState, frozenset[OrderState]] = {
    O.SUBMITTING: _SETTLED | {O.UNKNOWN},
    O.UNKNOWN: _SETTLED | {O.REPLACED, O.ABSENT},
    O.WORKING: frozenset({O.FILLED, O.CANCELLED, O.REJECTED, O.EXPIRED, O.REPLACED, O.ABSENT}),
    O.FILLED: frozenset(),
    # What never was at the broker, as far as we knew, and is found there all the same.
    O.REFUSED: frozenset({O.WORKING}),
    O.REJECTED: frozenset(),
    O.CANCELLED: frozenset(),
    O.EXPIRED: frozenset(),
    O.REPLACED: frozenset(),
    O.ABSENT: frozenset({O.WORKING}),
}

TRADE_TRANSITIONS: Mapping[TradeState, frozenset[TradeState]] = {
    T.OPEN: frozenset({T.CLOSING, T.EXPIRED, T.ASSIGNED, T.CLOSED}),
    T.CLOSING: frozenset({T.CLOSED, T.EXPIRED, T.ASSIGNED, T.OPEN}),
    T.ASSIGNED: frozenset({T.CLOSED}),
    T.CLOSED: frozenset(),
    T.EXPIRED: frozenset(),
}

# An order in one of these may still fill, so nothing new may be sent for its approval.
IN_FLIGHT = frozenset({O.SUBMITTING, O.WORKING, O.UNKNOWN})
FINAL = frozenset(O) - IN_FLIGHT
NEVER_AT_BROKER = frozenset({O.REFUSED, O.ABSENT})
"""An order that ended so is not at the broker, as far as our book knows."""

State = TypeVar("State", ProposalState, OrderState, TradeState)


def advance(table: Mapping[State, frozenset[State]], was: State, now: State) -> State:
    """`now`, if the table allows the move; `Refused` otherwise."""
    if now not in table[was]:
        raise Refused(f"a {type(was).__name__.removesuffix('State').lower()} cannot go from {was} to {now}")
    return now
