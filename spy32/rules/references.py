"""The references of our orders at the broker (its `external-identifier`; FIX ClOrdID, tag 11)."""

import re
from typing import NamedTuple

from spy32.domain.codec import sha256_hex
from spy32.domain.proposals import Approval


def draft_reference(run_id: int) -> str:
    """Return the reference of an order body that is displayed and dry-run but never sent."""
    return f"spy32-R{run_id}-draft"


def reference_stem(approval: Approval) -> str:
    """Return the common prefix of the references of an approval's orders: proposal id, approval id, and a hash.

    Ids start at 1 in every new database, so the hash tells two databases of one account apart. A copied or restored
    database has the same approvals, so it finds its orders by reference.
    """
    mark = sha256_hex(f"{approval.at.isoformat()} {approval.by} {approval.hash}".encode())[:6]
    return f"spy32-P{approval.proposal_id}-A{approval.id}-{mark}"


def order_reference(approval: Approval, *, attempt: int) -> str:
    """Return the reference of an order: the stem and a running number."""
    return f"{reference_stem(approval)}-{attempt}"


def next_reference(reference: str) -> str:
    """Return the reference of the order that replaces this one."""
    stem, _, number = reference.rpartition("-")
    return f"{stem}-{int(number) + 1}"


class ParsedReference(NamedTuple):
    """The parts of a reference."""

    stem: str
    approval_id: int
    is_target: bool


_REFERENCE = re.compile(r"(spy32-P\d{1,12}-A(\d{1,12})-[0-9a-f]{6})-(t?)\d{1,9}", re.ASCII)


def parse_reference(reference: str) -> ParsedReference | None:
    """Return the parts of a reference of spy32, from any database; None for any other text."""
    match = _REFERENCE.fullmatch(reference)
    return ParsedReference(match[1], int(match[2]), is_target=bool(match[3])) if match is not None else None
