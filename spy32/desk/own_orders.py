"""Orders at the broker that bear the name of an approval of ours are ours, whatever our book says of them.

A restored backup has forgotten them, a copied home never knew them, and a request that was long on its way arrives when
it was called absent. Such an order is adopted: its row lives, its fills are recorded, and nothing is sent over it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import NamedTuple

from spy32.desk import settle
from spy32.desk.bench import Bench, lock_of
from spy32.desk.finding import UNREADABLE
from spy32.desk.lines import Line, age_of, lines_of
from spy32.domain.acting import Order, OrderKind
from spy32.domain.codec import digest
from spy32.domain.deciding import Approval
from spy32.errors import Refused, Spy32Error, Unavailable, Unresolved, Unusable
from spy32.lifecycle import IN_FLIGHT, NEVER_THERE, OrderState
from spy32.records.found_orders import Found
from spy32.rules.references import name_of, stem_of
from spy32.sessions import market_date

SECOND, LATE, FOUND, STRANGER = "second order", "late order", "found order", "order of another book"
UNSEEN = frozenset({SECOND, LATE, settle.BEYOND})
"""Kinds of attention after which nothing more is sent for a proposal before a person has looked."""

LOOK_BACK_DAYS = 7


class Claim(NamedTuple):
    """A line of ours that our book does not have as the broker does, and the row that it is to be."""

    line: Line
    order: Order
    found: Found

    @property
    def proposal_id(self) -> int:
        return self.order.proposal_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopted:
    """What reading found: each order before and after, and what could not be settled."""

    orders: tuple[tuple[Order, Order], ...] = ()
    troubles: tuple[Spy32Error, ...] = ()


# Whose it is.


def claims_of(bench: Bench, lines: Iterable[Line]) -> Iterator[Claim]:
    """The lines that are ours and that our book lacks, or of which it lacks a fill."""
    for line in lines:
        claim = claim_of(bench, line)
        if claim is not None:
            yield claim


def claim_of(bench: Bench, line: Line) -> Claim | None:
    """None for a line that our book has, that a recovery will find, or that is not ours."""
    rows = rows_of(bench, line)
    if any(row.state in IN_FLIGHT for row in rows):
        return None
    if rows and all(row.state in NEVER_THERE for row in rows):
        return _late(line, rows[-1])
    if rows:
        return _underfilled(bench, line, rows)
    return next((claim for claim in _by_name(bench, line) if claim is not None), None)


def rows_of(bench: Bench, line: Line) -> list[Order]:
    """Our rows of the orders of a line, by the broker's ids."""
    found = (bench.store.order_by_broker_id(number) for number in sorted(line.ids, key=age_of))
    return [row for row in found if row is not None]


def is_not_ours(bench: Bench, line: Line) -> bool:
    """No row of ours is or will be this line, and no approval of ours gave it a name."""
    has_row = rows_of(bench, line) or any(bench.store.order_by_reference(seen.reference) for seen in line.orders)
    return not has_row and claim_of(bench, line) is None


def is_named(line: Line) -> bool:
    """It bears a name that spy32 gives, in whatever book."""
    return any(name_of(seen.reference) is not None for seen in line.orders)


def _late(line: Line, row: Order) -> Claim:
    words = f"order {line.last.broker_id} ({row.reference}) is at the broker, and this book had it as {row.state}"
    return Claim(line, row, Found(LATE, f"{words}: it arrived late and was adopted; look at it there"))


def _underfilled(bench: Bench, line: Line, rows: list[Order]) -> Claim | None:
    """Every row is final, and the broker shows a fill that none of them has."""
    known = {fill.fill_id for row in rows if row.id is not None for fill in bench.store.fills(row.id)}
    for seen in line.orders:
        if any(fill.fill_id not in known for fill in seen.fills):
            row = next((row for row in rows if row.broker_id == seen.broker_id), rows[-1])
            words = f"the broker shows more filled of order {seen.broker_id} ({row.reference}) than this book had"
            return Claim(line, row, Found(LATE, f"{words}: it was recorded; look at it there"))
    return None


def _by_name(bench: Bench, line: Line) -> Iterator[Claim | None]:
    """What the names of a line make of it, the oldest first; None where a row in flight is going to find it."""
    for seen in line.orders:
        row = bench.store.order_by_reference(seen.reference)
        if row is not None and row.state in IN_FLIGHT and row.broker_id is None:
            yield None
            return
        if row is not None and row.state in NEVER_THERE:
            yield _late(line, row)
        approval_id = row.approval_id if row is not None else _approval_id(bench, seen.reference)
        if approval_id is not None:
            yield _unknown(bench, line, seen.reference, approval_id, row)


def _approval_id(bench: Bench, reference: str) -> int | None:
    """Our approval that this name was given for; the mark in it must be that of the approval itself."""
    name = name_of(reference)
    approval = bench.store.approval(name.approval_id) if name is not None else None
    return approval.id if approval is not None and name is not None and stem_of(approval) == name.stem else None


def _unknown(bench: Bench, line: Line, reference: str, approval_id: int, row: Order | None) -> Claim:
    """A line for which our book has no row yet."""
    approval = bench.store.approval(approval_id)
    assert approval is not None
    kind = row.kind if row is not None else _kind(bench, approval, reference)
    others = [each for each in bench.store.orders(approval.proposal_id) if (each.kind is kind)]
    is_second = row is not None or any(each.state in IN_FLIGHT or each.filled for each in others)
    order = _row_of(bench, line, approval, reference if row is None else f"{reference}/{line.root.broker_id}", kind)
    words = f"order {line.last.broker_id} at the broker bears the name of the approval of P{approval.proposal_id}"
    if is_second:
        return Claim(line, order, Found(SECOND, f"{words} ({reference}) beside another one; look at both there"))
    why = "this book had not sent it (a copy of this home did, or a state of it that a restore has undone)"
    return Claim(line, order, Found(FOUND, f"{words} ({reference}), and {why}; it was adopted"))


def _kind(bench: Bench, approval: Approval, reference: str) -> OrderKind:
    name = name_of(reference)
    if name is not None and name.is_target:
        return OrderKind.TARGET
    return OrderKind.ENTRY if bench.store.proposal(approval.proposal_id).kind == "open" else OrderKind.EXIT


def _row_of(bench: Bench, line: Line, approval: Approval, reference: str, kind: OrderKind) -> Order:
    """The row to be; its body is not known, since this book did not send it."""
    proposal = bench.store.proposal(approval.proposal_id)
    return Order(
        id=None,
        proposal_id=approval.proposal_id,
        approval_id=approval.id,
        reference=reference,
        kind=kind,
        mode=proposal.mode,
        account=proposal.account,
        body="",
        body_hash=digest(""),
        limit=line.last.limit,
        quantity=max(seen.quantity for seen in line.orders),
        state=OrderState.UNKNOWN,
        created_at=line.root.placed_at or bench.clock(),
    )


# Taking it into our book.


def adopt_listed(bench: Bench, lines: tuple[Line, ...], *, held: int | None = None) -> Adopted:
    """Every order of ours among these lines that our book lacks, adopted; `held` is a proposal whose lock we have.

    Where one approval has more filled and alive than it covers, the youngest that works is cancelled.
    """
    orders: list[tuple[Order, Order]] = []
    troubles: list[Spy32Error] = []
    for proposal_id in dict.fromkeys(claim.proposal_id for claim in claims_of(bench, lines)):
        try:
            if proposal_id == held:
                found = _adopt_for(bench, lines, proposal_id)
            else:
                with bench.locks.hold(lock_of(proposal_id)):
                    found = _adopt_for(bench, lines, proposal_id)
        except Unavailable as busy:
            troubles.append(busy)
        else:
            orders += found.orders
            troubles += found.troubles
    return Adopted(orders=tuple(orders), troubles=tuple(troubles))


def _adopt_for(bench: Bench, lines: tuple[Line, ...], proposal_id: int) -> Adopted:
    """The lines of one proposal, its own orders before its target, which needs the trade that they open."""
    orders: list[tuple[Order, Order]] = []
    troubles: list[Spy32Error] = []
    for is_target in (False, True):
        for claim in claims_of(bench, lines):
            if claim.proposal_id == proposal_id and (claim.order.kind is OrderKind.TARGET) is is_target:
                try:
                    orders.append(_adopt(bench, claim))
                except Spy32Error as trouble:
                    troubles.append(trouble)
                if claim.found.kind in UNSEEN:
                    troubles.append(Unresolved(unseen_words(proposal_id, claim.found.message)))
        if orders and not is_target:
            try:
                cancel_excess(bench, proposal_id, lines)
                settle.conclude(bench, proposal_id, reason="settled by reading at the broker")
                settle.tell_beyond(bench, proposal_id)
            except Spy32Error as trouble:
                troubles.append(trouble)
    return Adopted(orders=tuple(orders), troubles=tuple(troubles))


def _adopt(bench: Bench, claim: Claim) -> tuple[Order, Order]:
    unread = next((seen for seen in claim.line.orders if seen.unread), None)
    if unread is not None:
        raise Unusable(f"order {unread.broker_id} is {claim.order.reference} and cannot be read: {unread.unread}")
    row = bench.store.adopt_order(claim.order, claim.line.last, claim.found, at=bench.clock())
    bench.tell(f"LOOK AT THIS: {claim.found.message}")
    return replace(claim.order, id=row.id), settle.reread(bench, row)


def cancel_excess(bench: Bench, proposal_id: int, lines: Iterable[Line]) -> None:
    """Cancel the youngest order that works, until what is filled and alive is no more than was approved.

    Two homes that see the same two orders agree on which of them lives. `Unresolved` when an end cannot be confirmed.
    """
    ages = {number: line.age for line in lines for number in line.ids}
    while settle.room(bench, proposal_id) < 0:
        rows = settle.mine(bench, proposal_id)
        working = [row for row in rows if row.state is OrderState.WORKING and row.broker_id is not None]
        if not working or any(row.state in (OrderState.SUBMITTING, OrderState.UNKNOWN) for row in rows):
            return
        youngest = max(working, key=lambda row: ages.get(str(row.broker_id), age_of(str(row.broker_id))))
        bench.tell(f"{youngest.reference}: order {youngest.broker_id} is beyond what was approved; it is cancelled")
        settle.cancelled(bench, youngest)


# Before something is sent, and in `reconcile`.


def read_since(bench: Bench, since: date) -> tuple[Line, ...]:
    """Lines of all orders since a day, as today's list and the search show them."""
    found = {seen.broker_id: seen for seen in bench.orders.search(since)}
    return lines_of((found | {seen.broker_id: seen for seen in bench.orders.todays_orders()}).values())


def adopt_before_sending(bench: Bench, proposal_id: int) -> bool:
    """Whether an order of this proposal was at the broker already. Other proposals' orders are adopted with it, so
    that every limit counts them. Call it with the proposal's lock held."""
    approval = bench.store.approval_of(proposal_id)
    if not bench.orders.is_shared or approval is None:
        return False
    found = adopt_listed(bench, read_since(bench, market_date(approval.at)), held=proposal_id)
    return any(before.proposal_id == proposal_id for before, _ in found.orders)


def stop_if_taken(bench: Bench, proposal_id: int) -> None:
    """`Refused` when an order of this proposal has come to the broker since it was searched for.

    `Unresolved` when spy32 has sent the same legs today for an approval that this book does not have, until a person
    has looked at that.
    """
    if not bench.orders.is_shared:
        return
    lines = lines_of(bench.orders.todays_orders())
    for claim in claims_of(bench, lines):
        if claim.proposal_id == proposal_id:
            raise Refused(f"P{proposal_id} was not sent: {claim.found.message}; the next `spy32 execute` adopts it")
    legs = {(leg.symbol, leg.action) for leg in bench.store.proposal(proposal_id).legs}
    for line in lines:
        counts = line.is_alive or any(seen.fills for seen in line.orders)
        has_our_legs = {(leg.symbol, leg.action) for leg in line.last.legs} == legs
        if counts and has_our_legs and is_named(line) and is_not_ours(bench, line):
            _tell_of_stranger(bench, line)
            _stop_if_open(bench, line.root.broker_id.upper(), proposal_id)


def _stop_if_open(bench: Bench, subject: str, proposal_id: int) -> None:
    for item in bench.store.open_attention():
        if (item.subject, item.kind) == (subject, STRANGER):
            seen = f"`spy32 status --ack {subject}` says that you have looked"
            raise Unresolved(f"P{proposal_id} was not sent: {item.message}; {seen}")


def adopt_missing(bench: Bench) -> Adopted:
    """Every order of ours at the broker that our book lacks, since a week ago or since a restored backup was made.

    One of an approval that this book does not have is told once, as an item for a person.
    """
    if not bench.orders.is_shared:
        return Adopted()
    try:
        lines = read_since(bench, _since(bench))
    except UNREADABLE as trouble:
        return Adopted(troubles=(trouble,))
    found = adopt_listed(bench, lines)
    for line in lines:
        if is_named(line) and (line.is_alive or any(seen.fills for seen in line.orders)) and is_not_ours(bench, line):
            _tell_of_stranger(bench, line)
    return found


def _since(bench: Bench) -> date:
    """A restored book is looked through from its last write on, as long as the restore is news."""
    first = market_date(bench.clock()) - timedelta(days=LOOK_BACK_DAYS)
    restore = bench.store.last_write_before_restore()
    return min(first, market_date(restore[0])) if restore is not None and market_date(restore[1]) >= first else first


def _tell_of_stranger(bench: Bench, line: Line) -> None:
    subject = line.root.broker_id.upper()
    message = (
        f"order {line.last.broker_id} ({line.root.reference}, {line.last.status}) was sent by spy32 for an approval "
        "that this book does not have: by another home, or after the backup that was restored"
    )
    if not bench.store.was_raised(subject, STRANGER):
        bench.store.raise_attention(subject, STRANGER, message, bench.clock())


def stop_if_unseen(bench: Bench, proposal_id: int) -> None:
    """`Unresolved` while a person has not looked at a second or a late order of this proposal."""
    for item in bench.store.open_attention():
        if item.subject == f"P{proposal_id}" and item.kind in UNSEEN:
            raise Unresolved(unseen_words(proposal_id, item.message))


def unseen_words(proposal_id: int, message: str) -> str:
    return f"P{proposal_id}: {message}; then `spy32 status --ack P{proposal_id}`"
