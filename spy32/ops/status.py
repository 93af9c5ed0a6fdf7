"""The status of a home: last run, next slot, results, what waits for a person, and what has gone wrong."""

from collections.abc import Iterator, Mapping
from dataclasses import field
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, Decimal
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from spy32.domain.orders import Order, OrderKind
from spy32.domain.proposals import Proposal, ProposalKind
from spy32.domain.results import ResultTotals
from spy32.domain.runs import Cause, Outcome, Run, RunSummary
from spy32.domain.spreads import Mode
from spy32.domain.units import Dollars, Usd
from spy32.domain.value import value
from spy32.errors import StoreError
from spy32.lifecycle import IN_FLIGHT, OrderState, ProposalState, TradeState
from spy32.ops.logs import LogEntry, LogFilter, load_entries
from spy32.ops.open_trades import OpenTrade, load_open_trades
from spy32.ops.overdue import RECENT_RUNS, UNDELIVERED, find_overdue
from spy32.ports import Locks
from spy32.rules.schedule import FINISHED_OUTCOMES, LATE_AFTER, RUN_LOCK
from spy32.sessions import NEW_YORK, WEEKDAYS, Slot, last_slot, market_date, next_slot, slot_obstacle
from spy32.settings.model import Settings

if TYPE_CHECKING:
    from spy32.store import Store

MAX_FAILURES = 3
"""Failed runs that are listed, so that `status` fits one screen."""
MAX_LOG_ENTRIES = 3
"""Newest entries of the log that are shown where there is room."""
MISSED_SPAN = timedelta(days=35)
"""How long a missed slot is listed: five weekly slots, about as long as the trade that it would have made."""


class PauseFlag(NamedTuple):
    """Scheduled runs are held."""

    reason: str
    since: datetime


@value
class StatusContext:
    """The inputs of the status from outside the store."""

    settings: Settings
    locks: Locks
    home: str
    database: str
    halted: str | None
    """The reason in the halt file; None when not halted."""
    set_up_at: datetime | None
    """When the home was set up, according to `ops.setup`; None when only the database knows."""
    now: datetime
    databases: Mapping[Mode, Path] = field(default_factory=dict)
    """The databases of all modes, since model costs are those of the home."""
    logs: Path | None = None
    """The folder of the log; None where none is kept."""


@value
class ModelSpending:
    """What answers of models cost in a New York month, in all modes of the home."""

    month: str
    """`2025-10`."""
    spent: Usd
    """US dollars; a request without a bill counts with its estimate."""
    budget: Dollars
    """US dollars, `xai.month_budget`."""

    @property
    def is_used_up(self) -> bool:
        return Decimal(self.spent).scaleb(-10) >= self.budget


@value
class PendingItem:
    """One thing that only a person can settle, and the command for it. `until` is None without a deadline."""

    id: str
    message: str
    command: str
    until: datetime | None = None


@value
class Status:
    """Everything that `spy32 status` shows."""

    context: StatusContext
    is_new: bool
    """True while there is no database."""
    is_synthetic: bool = False
    """Whether everything in it was made by `demo --year`."""
    next_slot: Slot
    last_run: Run | None = None
    running: Run | None = None
    """The run in progress: it has no outcome and a process holds its lock."""
    paused: PauseFlag | None = None
    waiting: tuple[PendingItem, ...] = ()
    trades: tuple[OpenTrade, ...] = ()
    failures: tuple[RunSummary, ...] = ()
    missed: tuple[RunSummary, ...] = ()
    """Slots of the last five weeks that were missed, newest first."""
    unsent_notices: int = 0
    unknown_orders: tuple[str, ...] = ()
    """References of the orders whose outcome is unknown; with one `status --check` ends 11."""
    results: ResultTotals | None = None
    """What all trades earned; None before the first."""
    model_spending: ModelSpending | None = None
    """None while there is no database, and when the sum cannot be read, which is an alarm."""
    recent_log: tuple[LogEntry, ...] = ()
    """The newest entries, oldest first."""
    alarms: tuple[str, ...] = ()
    """What a person must look at beside what waits."""

    @property
    def attention(self) -> tuple[str, ...]:
        """Every reason for which a person must look; `status --check` ends 20 when there is one."""
        return (*self.alarms, *(item.message for item in self.waiting))


def load_status(context: StatusContext, store: "Store | None") -> Status:
    """Return the status of a home. `store` is None without a database; even then a first slot may have been missed."""
    upcoming = next_slot(context.now, context.settings.schedule, context.settings.environment)
    halt_message = (f"halted: {context.halted}; `spy32 resume` lifts it",) if context.halted is not None else ()
    if store is None:
        alarms = (*halt_message, *_slot_problems(context, None))
        return Status(context=context, is_new=True, next_slot=upcoming, alarms=alarms)
    waiting = (
        *_pending_proposals(context, store),
        *_pending_orders(context, store),
        *_other_items(context, store),
    )
    last_run = store.runs.latest()
    spending, spending_problem = _model_spending(context, store)
    return Status(
        context=context,
        is_new=False,
        is_synthetic=store.flags.is_synthetic,
        next_slot=upcoming,
        last_run=last_run,
        running=last_run if last_run is not None and _is_running(context, last_run) else None,
        paused=PauseFlag(*flag) if (flag := store.flags.get("paused")) is not None else None,
        waiting=waiting,
        trades=tuple(load_open_trades(store, context.now)),
        failures=store.history.failures(MAX_FAILURES),
        missed=store.history.select_missed(context.now - MISSED_SPAN),
        unsent_notices=len(store.notices.select_pending(context.now)),
        unknown_orders=tuple(order.reference for order in store.orders.select(OrderState.UNKNOWN)),
        results=store.results.totals(market_date(context.now)) if store.trades.has_any() else None,
        model_spending=spending,
        recent_log=_recent_log(context),
        alarms=(*halt_message, *_damage_message(store), *spending_problem, *_slot_problems(context, store)),
    )


def _model_spending(context: StatusContext, store: "Store") -> tuple[ModelSpending | None, tuple[str, ...]]:
    """Return the model costs of this month, or why they cannot be read: then no model is asked either."""
    from spy32.records.model_calls import SpendingJournal, month_start

    start = month_start(context.now)
    try:
        spent = SpendingJournal(store.core, store.model_calls, context.databases).ticks_since(start)
    except StoreError as error:
        return None, (error.message,)
    month = f"{market_date(start):%Y-%m}"
    return ModelSpending(month=month, spent=spent, budget=context.settings.xai.month_budget), ()


def _recent_log(context: StatusContext) -> tuple[LogEntry, ...]:
    """Return the newest entries; of a log that cannot be read none, since `spy32 logs` says why."""
    if context.logs is None:
        return ()
    try:
        return load_entries(context.logs, LogFilter(), MAX_LOG_ENTRIES)
    except OSError:
        return ()


def _damage_message(store: "Store") -> tuple[str, ...]:
    """What a short look finds wrong first, with the way back."""
    from spy32.records.maintenance import damage_with_remedy

    fault = store.integrity.first_fault()
    return (damage_with_remedy(store.core.path, fault).message,) if fault is not None else ()


def _is_running(context: StatusContext, run: Run) -> bool:
    return run.outcome is None and not context.locks.is_free(RUN_LOCK)


# The slot.


def _slot_problems(context: StatusContext, store: "Store | None") -> Iterator[str]:
    """Yield what is wrong with the newest slot of each profile that has scheduled runs."""
    slot = last_slot(context.now, context.settings.schedule, context.settings.environment)
    rows = store.history.summaries(limit=RECENT_RUNS) if store is not None else ()
    for profile in _profiles(rows, store):
        problem = _slot_problem(context, store, slot, profile)
        if problem is not None and not _has_later_run(store, rows, slot, profile):
            suffix = f" (profile {profile})" if profile != "default" else ""
            yield f"{WEEKDAYS[slot.day.weekday()]}'s run of {slot.day}{suffix} {problem}"


def _profiles(rows: tuple[RunSummary, ...], store: "Store | None") -> tuple[str, ...]:
    profiles = {row.profile for row in rows if store is not None and store.runs.get(row.id).slot is not None}
    return tuple(sorted(profiles)) or ("default",)


def _slot_problem(context: StatusContext, store: "Store | None", slot: Slot, profile: str) -> str | None:
    """Return what is wrong with the slot of a profile: its run ended badly, or nothing was started in time.

    Nothing is wrong before the home was set up, on a closed day, and while runs are paused.
    """
    is_held, since = not context.settings.enable_automation, context.set_up_at
    if store is not None:
        # A run on a recorded market counts for the slot only when there is none on a live market.
        for is_recorded in (False, True):
            for day in (slot.day, *slot.moved_from):
                runs = store.runs.select_by_slot(profile, day, is_recorded=is_recorded)
                if runs:
                    return _run_problem(context, runs)
        created_at = store.location.created_at()
        is_held, since = is_held or store.flags.get("paused") is not None, min(created_at, since or created_at)
    if since is None or slot.opens < since or is_held or slot_obstacle(slot) is not None:
        return None
    if context.now - slot.opens <= LATE_AFTER:
        return None
    return "has not started yet" if slot.contains(context.now) else "is missing: nothing was started in its window"


def _run_problem(context: StatusContext, runs: tuple[Run, ...]) -> str | None:
    """Return the problem of a slot's runs. A late run is a problem on its day, a missed one until the next slot."""
    newest = runs[-1]
    if _is_running(context, newest):
        return None
    run = next((run for run in reversed(runs) if run.outcome in FINISHED_OUTCOMES), newest)
    if run.outcome is Outcome.FAILED:
        cause = f" ({run.cause})" if run.cause else ""
        reason = f": {run.reasons[0]}" if run.reasons else ""
        return f"failed{cause} in R{run.id}{reason}"
    if run.outcome not in FINISHED_OUTCOMES:
        return f"was interrupted in R{run.id}"
    if run.outcome is Outcome.SKIPPED:
        return f"was missed (R{run.id})" if run.cause == Cause.MISSED else None
    if run.late and market_date(run.started_at) == market_date(context.now):
        return f"came late: R{run.id} started at {run.started_at.astimezone(NEW_YORK):%H:%M} New York"
    return None


def _has_later_run(store: "Store | None", rows: tuple[RunSummary, ...], slot: Slot, profile: str) -> bool:
    """Return whether a later manual run on a live market has made up for the slot."""
    later = (row for row in rows if row.profile == profile and row.started_at >= slot.closes)
    decided = (row for row in later if row.outcome in (Outcome.PROPOSED, Outcome.NO_TRADE))
    return store is not None and any(not store.runs.get(row.id).is_recorded for row in decided)


# What waits.


def _pending_proposals(context: StatusContext, store: "Store") -> Iterator[PendingItem]:
    for proposal in store.proposals.select(ProposalState.PROPOSED, ProposalState.APPROVED):
        if not proposal.is_recorded and context.now >= proposal.lapses_at:
            continue
        name, terms, command = f"P{proposal.id}", _terms(proposal), "approve"
        until = None if proposal.is_recorded else proposal.lapses_at
        approval = store.proposals.latest_approval(proposal.id)
        if proposal.state is ProposalState.PROPOSED or approval is None:
            deadline = "" if until is None else f", until {until.astimezone(NEW_YORK):%H:%M} New York"
            message = f"{name} waits for review: {terms}{deadline}"
        elif context.now >= approval.until and not proposal.is_recorded:
            until, message = approval.until, f"the approval of {name} is over: {terms}"
        else:
            until, message, command = approval.until, f"{name} is approved and not sent: {terms}", "execute"
        yield PendingItem(id=name, message=message, command=f"spy32 {command} {name}", until=until)


def _terms(proposal: Proposal) -> str:
    """Return the trade and its maximum loss, rounded up to the dollar; of a close its ceiling and its reason."""
    if proposal.kind is ProposalKind.CLOSE:
        reason = f" ({proposal.reason.words})" if proposal.reason is not None else ""
        return f"{proposal.trade_text}, {abs(proposal.floor_price)} at most, to close T{proposal.trade_id}{reason}"
    return f"{proposal.trade_text}, max loss ${proposal.max_loss.to_integral_value(ROUND_CEILING):,}"


def _pending_orders(context: StatusContext, store: "Store") -> Iterator[PendingItem]:
    for order in store.orders.select(OrderState.UNKNOWN, OrderState.SUBMITTING, OrderState.WORKING):
        message = _order_problem(context, order)
        if message is not None:
            yield PendingItem(id=f"P{order.proposal_id}", message=message, command="spy32 reconcile")
    for proposal in store.proposals.select(ProposalState.SENT):
        orders = [order for order in store.orders.select_by_proposal(proposal.id) if order.kind is not OrderKind.TARGET]
        if orders and not any(order.state in IN_FLIGHT for order in orders):
            # The legs are filled unevenly, or the fills contradict the order. Only a person can fix that at the broker.
            reason = orders[-1].reason or f"its last order is {orders[-1].state}"
            yield PendingItem(
                id=f"P{proposal.id}",
                message=f"P{proposal.id} has an order that needs a person: {reason}",
                command="spy32 reconcile",
            )


def _order_problem(context: StatusContext, order: Order) -> str | None:
    """Return what is wrong with an order; None while a process works it, and for a resting profit target (GTC)."""
    name = f"order {order.reference} of P{order.proposal_id}"
    if order.state is OrderState.UNKNOWN:
        return f"the outcome of {name} is unknown"
    if order.kind is OrderKind.TARGET and order.state is OrderState.WORKING:
        return None
    if not context.locks.is_free(f"proposal-{order.proposal_id}"):
        return None
    if order.state is OrderState.SUBMITTING:
        return f"{name} was interrupted while it was being sent"
    reason = f" ({order.reason})" if order.reason else ""
    return f"{name} is working at the broker and no process is following it{reason}"


def _other_items(context: StatusContext, store: "Store") -> Iterator[PendingItem]:
    """Yield assigned and overdue trades, a live home that was copied or moved, and what nobody has acknowledged."""
    for trade in store.trades.select(TradeState.ASSIGNED):
        from spy32.rules.assignment import assignment_notes

        position = store.adoptions.position(trade.id)
        notes = assignment_notes(position, market_date(context.now)) if position.ticker else ()
        message = "; ".join(notes) or f"T{trade.id} was assigned"
        yield PendingItem(id=f"T{trade.id}", message=message, command=f"spy32 show T{trade.id}")
    has_address = bool(context.settings.notify.addresses) or context.settings.ping.is_set
    for item in find_overdue(store, context.now, has_address=has_address):
        command = f"spy32 status --ack {item.subject}" if item.kind == UNDELIVERED else f"spy32 show {item.subject}"
        yield PendingItem(id=item.subject, message=item.message, command=command)
    former = store.location.former_place() if context.settings.mode is Mode.LIVE else None
    if former is not None:
        message = f"this home was at {former}; live orders are not sent from here until it is adopted"
        yield PendingItem(id="home", message=message, command="spy32 db adopt")
    for raised in store.attention.open_items():
        yield PendingItem(id=raised.subject, message=raised.message, command=f"spy32 status --ack {raised.subject}")
