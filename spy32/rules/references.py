"""What our orders are called at the broker (its `external-identifier`), and what such a name says."""

import re
from hashlib import sha256
from typing import NamedTuple

from spy32.domain.proposals import Approval


def draft_reference(run_id: int) -> str:
    """The reference of a body that is only shown and checked; it is never sent."""
    return f"spy32-R{run_id}-draft"


def reference_stem(approval: Approval) -> str:
    """What the names of all orders of an approval begin with: proposal, approval, and a mark.

    The numbers start again in every new database; the mark keeps two databases of one account apart. A copied or
    restored database has the same approvals, and so finds its orders by name.
    """
    mark = sha256(f"{approval.at.isoformat()} {approval.by} {approval.hash}".encode()).hexdigest()[:6]
    return f"spy32-P{approval.proposal_id}-A{approval.id}-{mark}"


def order_reference(approval: Approval, *, attempt: int) -> str:
    """Our name of an order of this approval at the broker: its stem and a running number."""
    return f"{reference_stem(approval)}-{attempt}"


def next_reference(reference: str) -> str:
    """The reference of the order that replaces this one."""
    stem, _, number = reference.rpartition("-")
    return f"{stem}-{int(number) + 1}"


class ParsedReference(NamedTuple):
    """The parts of a reference."""

    stem: str
    approval_id: int
    is_target: bool


_REFERENCE = re.compile(r"(spy32-P\d{1,12}-A(\d{1,12})-[0-9a-f]{6})-(t?)\d{1,9}", re.ASCII)


def parse_reference(reference: str) -> ParsedReference | None:
    """The parts of a reference that spy32 gave in whatever database; None for any other name."""
    match = _REFERENCE.fullmatch(reference)
    return ParsedReference(match[1], int(match[2]), is_target=bool(match[3])) if match is not None else None
