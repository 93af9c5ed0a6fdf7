"""How things stand: what ran, what is next, what waits for a person, and what has gone wrong."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_CEILING, Decimal
from typing import TYPE_CHECKING

from spy32.domain.acting import Order, OrderKind
from spy32.domain.deciding import Proposal, spread_in_words
from spy32.domain.running import HistoryRow, Outcome, Run
from spy32.domain.trading import Mode
from spy32.lifecycle import IN_FLIGHT, OrderState, ProposalState, TradeState
from spy32.ops.overdue import RECENT, find_overdue
from spy32.ops.schedule import FINISHED, LATE_AFTER, MISSED
from spy32.ports import Locks
from spy32.sessions import NEW_YORK, WEEKDAYS, Slot, last_slot, market_date, next_slot, obstacle
from spy32.settings.model import Settings

if TYPE_CHECKING:
    from spy32.store import Store

RUN_LOCK = "analyze"
FAILURES = 3

Paused = tuple[str, datetime]
"""The reason and since when."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What the look is told of the world outside the store."""

    settings: Settings
    locks: Locks
    home: str
    database: str
    halted: str | None
    """The reason in the halt file."""
    set_up_at: datetime | None
    """When the home was set up, if anything but its database says so."""
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """One thing that only a person can settle. `until` is None when it has no end of its own."""

    id: str
    message: str
    command: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTrade:
    """A trade that is held, with the days that its plan sets."""

    id: str
    state: TradeState
    words: str
    """`2 SPY 30 Sep 621/616 put spread`."""
    credit: Decimal
    """Credit per share."""
    max_loss: Decimal
    """Dollars for the whole quantity."""
    dte: int
    """Calendar days from today, New York, to the expiration; negative once it has passed."""
    next_exit: date
    """The day on which its plan takes it off: the time exit, or the last exit once that has passed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    scene: Scene
    is_new: bool
    """There is no database yet."""
    next_slot: Slot
    last_run: Run | None = None
    running: Run | None = None
    """A run at work: without an outcome, and its lock held by a living process."""
    paused: Paused | None = None
    waiting: tuple[Waiting, ...] = ()
    trades: tuple[OpenTrade, ...] = ()
    failures: tuple[HistoryRow, ...] = ()
    unsent_notices: int = 0
    attention: tuple[str, ...] = ()
    """Every reason for which a person must look; `status --check` ends 20 when there is one."""


def look(scene: Scene, store: "Store | None") -> Status:
    """The status of a home; `store` is None when there is none yet, which may have missed its first slot already."""
    upcoming = next_slot(scene.now, scene.settings.schedule, scene.settings.environment)
    stopped = (f"halted: {scene.halted}; `spy32 resume` lifts it",) if scene.halted is not None else ()
    if store is None:
        return Status(scene=scene, is_new=True, next_slot=upcoming, attention=(*stopped, *_first_slot(scene)))
    waiting = (
        *_proposals(scene, store),
        *_orders(scene, store),
        *_assigned(store),
        *_overdue(scene, store),
        *_moved(scene, store),
        *_unacknowledged(store),
    )
    last = store.latest_run()
    return Status(
        scene=scene,
        is_new=False,
        next_slot=upcoming,
        last_run=last,
        running=last if last is not None and _is_at_work(scene, last) else None,
        paused=store.flag("paused"),
        waiting=waiting,
        trades=tuple(_open_trades(scene, store)),
        failures=store.failures(FAILURES),
        unsent_notices=len(store.pending_notices()),
        attention=(
            *stopped,
            *store.damage(),
            *_slot_troubles(scene, store),
            *(one.message for one in waiting),
        ),
    )


def _is_at_work(scene: Scene, run: Run) -> bool:
    return run.outcome is None and not scene.locks.is_free(RUN_LOCK)


# The slot.


def _first_slot(scene: Scene) -> Iterator[str]:
    """What is wrong with the newest slot of a home that no run has made a database for."""
    slot = last_slot(scene.now, scene.settings.schedule, scene.settings.environment)
    trouble = _unused(scene, slot, scene.set_up_at, is_held=not scene.settings.enable_automation)
    if trouble is not None:
        yield f"{_named(slot)} {trouble}"


def _slot_troubles(scene: Scene, store: "Store") -> Iterator[str]:
    """What is wrong with the newest slot of each profile that the schedule has served."""
    slot = last_slot(scene.now, scene.settings.schedule, scene.settings.environment)
    rows = store.history(limit=RECENT)
    for profile in _profiles(rows, store):
        # A run on a recorded market speaks for the slot only where nothing was started on a live one.
        runs = store.runs_of_slot(profile, slot.day) or store.runs_of_slot(profile, slot.day, is_recorded=True)
        trouble = _slot_trouble(scene, store, slot, runs)
        if trouble is not None and not _made_good(store, rows, slot, profile):
            also = f" (profile {profile})" if profile != "default" else ""
            yield f"{_named(slot)}{also} {trouble}"


def _profiles(rows: tuple[HistoryRow, ...], store: "Store") -> tuple[str, ...]:
    served = {row.profile for row in rows if store.run(row.id).slot is not None}
    return tuple(sorted(served)) or ("default",)


def _slot_trouble(scene: Scene, store: "Store", slot: Slot, runs: tuple[Run, ...]) -> str | None:
    newest = runs[-1] if runs else None
    if newest is not None and _is_at_work(scene, newest):
        return None
    finished = next((run for run in reversed(runs) if run.outcome in FINISHED), None)
    if finished is not None:
        return _of_finished(finished, scene.now)
    if newest is not None:
        return _of_unfinished(newest)
    made, held = store.created_at(), store.flag("paused") is not None or not scene.settings.enable_automation
    return _unused(scene, slot, min(made, scene.set_up_at or made), is_held=held)


def _unused(scene: Scene, slot: Slot, since: datetime | None, *, is_held: bool) -> str | None:
    """Nothing was started; None before the home was set up, on a closed day, or while runs are held on purpose."""
    if since is None or slot.opens < since or is_held or obstacle(slot) is not None:
        return None
    if scene.now - slot.opens <= LATE_AFTER:
        return None
    return "has not started yet" if slot.holds(scene.now) else "is missing: nothing was started in its window"


def _of_finished(run: Run, now: datetime) -> str | None:
    """A late run is news on its day only; a missed one stays until the next slot."""
    if run.outcome is Outcome.SKIPPED:
        return f"was missed (R{run.id})" if run.cause == MISSED else None
    if run.late and market_date(run.started_at) == market_date(now):
        return f"came late: R{run.id} started at {run.started_at.astimezone(NEW_YORK):%H:%M} New York"
    return None


def _of_unfinished(run: Run) -> str:
    if run.outcome is Outcome.FAILED:
        why = f" ({run.cause})" if run.cause else ""
        reason = f": {run.reasons[0]}" if run.reasons else ""
        return f"failed{why} in R{run.id}{reason}"
    return f"was interrupted in R{run.id}"


def _made_good(store: "Store", rows: tuple[HistoryRow, ...], slot: Slot, profile: str) -> bool:
    """A later run by hand, on a live market, has done what the slot did not."""
    later = (row for row in rows if row.profile == profile and row.started_at >= slot.closes)
    decided = (row for row in later if row.outcome in (Outcome.PROPOSED, Outcome.NO_TRADE))
    return any(not store.run(row.id).is_recorded for row in decided)


def _named(slot: Slot) -> str:
    return f"{WEEKDAYS[slot.day.weekday()]}'s run of {slot.day}"


# What waits.


def _proposals(scene: Scene, store: "Store") -> Iterator[Waiting]:
    for made in store.proposals(ProposalState.PROPOSED, ProposalState.APPROVED):
        if made.is_recorded or scene.now < made.lapses_at:
            yield _proposed(made) if made.state is ProposalState.PROPOSED else _approved(scene, store, made)


def _proposed(made: Proposal) -> Waiting:
    return Waiting(
        id=f"P{made.id}",
        message=f"P{made.id} waits for review: {_terms(made)}{_until(made)}",
        command=f"spy32 approve P{made.id}",
        until=None if made.is_recorded else made.lapses_at,
    )


def _terms(made: Proposal) -> str:
    """The trade and what it may lose, rounded up to the dollar."""
    return f"{made.in_words}, max loss ${made.max_loss.to_integral_value(ROUND_CEILING):,}"


def _until(made: Proposal) -> str:
    return "" if made.is_recorded else f", until {made.lapses_at.astimezone(NEW_YORK):%H:%M} New York"


def _approved(scene: Scene, store: "Store", made: Proposal) -> Waiting:
    assert made.id is not None
    yes = store.approval_of(made.id)
    if yes is None or (scene.now >= yes.until and not made.is_recorded):
        message, command = f"the approval of P{made.id} is over: {_terms(made)}", f"spy32 approve P{made.id}"
    else:
        message = f"P{made.id} is approved and not sent: {_terms(made)}"
        command = f"spy32 execute P{made.id}"
    return Waiting(id=f"P{made.id}", message=message, command=command, until=yes.until if yes is not None else None)


def _orders(scene: Scene, store: "Store") -> Iterator[Waiting]:
    for order in store.orders_in(OrderState.UNKNOWN, OrderState.SUBMITTING, OrderState.WORKING):
        message = _order_trouble(scene, order)
        if message is not None:
            yield Waiting(id=f"P{order.proposal_id}", message=message, command="spy32 reconcile")
    for made in store.proposals(ProposalState.SENT):
        assert made.id is not None
        orders = [order for order in store.orders(made.id) if order.kind is not OrderKind.TARGET]
        if orders and not any(order.state in IN_FLIGHT for order in orders):
            # Legs filled unevenly, or fills that contradict the order: only a person at the broker can mend it.
            why = orders[-1].reason or f"its last order is {orders[-1].state}"
            yield Waiting(id=f"P{made.id}", message=f"P{made.id} is not at rest: {why}", command="spy32 reconcile")


def _order_trouble(scene: Scene, order: Order) -> str | None:
    """None while a living process works the order, and for a profit target that rests at the broker as it should."""
    which = f"order {order.reference} of P{order.proposal_id}"
    if order.state is OrderState.UNKNOWN:
        return f"the outcome of {which} is unknown"
    if order.kind is OrderKind.TARGET and order.state is OrderState.WORKING:
        return None
    if not scene.locks.is_free(f"proposal-{order.proposal_id}"):
        return None
    if order.state is OrderState.SUBMITTING:
        return f"{which} was cut off while it was sent"
    return f"{which} works at the broker and no process follows it" + (f" ({order.reason})" if order.reason else "")


def _assigned(store: "Store") -> Iterator[Waiting]:
    for trade in store.trades(TradeState.ASSIGNED):
        yield Waiting(id=f"T{trade.id}", message=f"T{trade.id} was assigned", command=f"spy32 show T{trade.id}")


def _overdue(scene: Scene, store: "Store") -> Iterator[Waiting]:
    for one in find_overdue(store, scene.now):
        yield Waiting(id=one.subject, message=one.message, command=f"spy32 show {one.subject}")


def _moved(scene: Scene, store: "Store") -> Iterator[Waiting]:
    """A live home that was copied or moved sends nothing before a person has said that it is the only one."""
    former = store.former_place() if scene.settings.mode is Mode.LIVE else None
    if former is not None:
        message = f"this home was at {former}; live orders are not sent from here until it is adopted"
        yield Waiting(id="home", message=message, command="spy32 db adopt")


def _unacknowledged(store: "Store") -> Iterator[Waiting]:
    for item in store.open_attention():
        yield Waiting(id=item.subject, message=item.message, command=f"spy32 status --ack {item.subject}")


def _open_trades(scene: Scene, store: "Store") -> Iterator[OpenTrade]:
    today = market_date(scene.now)
    for trade in store.trades(TradeState.OPEN, TradeState.CLOSING):
        made = store.proposal(trade.proposal_id)
        exits = trade.exits or made.exit
        leave = exits.time_exit if exits.time_exit is not None and today <= exits.time_exit else exits.last_exit
        yield OpenTrade(
            id=f"T{trade.id}",
            state=trade.state,
            words=f"{trade.remaining} {spread_in_words(made.underlying, trade.legs)}",
            credit=trade.credit,
            max_loss=trade.max_loss,
            dte=(made.expiration - today).days,
            next_exit=leave,
        )
