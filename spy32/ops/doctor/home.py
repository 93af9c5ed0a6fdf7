"""Checks of the database and of what it says: backups, place, halt and pause, runs, orders, trades; and of notices."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from spy32.domain.notices import EVENT_CLASSES, EventClass
from spy32.domain.runs import Outcome
from spy32.domain.spreads import Mode
from spy32.errors import StoreError, Unavailable
from spy32.lifecycle import OrderState, TradeState
from spy32.ops.doctor.base import UPGRADE, Diagnosis, DoctorContext, failure, skip, success, warning
from spy32.ops.switches import PAUSED
from spy32.records.base import backup_folder
from spy32.records.maintenance import last_good_backup
from spy32.rules.schedule import RUN_LOCK
from spy32.sessions import last_trading_day, market_date, sessions_between
from spy32.settings.notifiers import PING_LABEL

BACKUP_DAYS = 35
"""Days after which a backup is old: five weekly runs."""
NEW_HOME_DAYS = 7
"""A home this young has one run at most, and needs no backup yet."""
NEWEST = 100
"""Notices that are searched for the last ping: more than those of a month."""
SOON_SESSIONS = 2
"""Sessions before the last trading day from which a trade is told."""


def check_database(context: DoctorContext) -> Diagnosis:
    home = context.home
    if home.error is not None:
        if isinstance(home.error, StoreError):
            return failure(home.error.message, _restore_command(home.path))
        return failure(home.error.message, UPGRADE)
    return skip(f"{home.path} comes with the first run") if home.store is None else success(f"{home.path} opens")


def check_integrity(context: DoctorContext) -> Diagnosis:
    fault = context.home.fault
    if fault is not None:
        return failure(fault, _restore_command(context.home.path))
    if context.home.store is None:
        return skip("there is no database to look into")
    return success("the pages and the newest events are as they were written; `spy32 db check` looks at all")


def _restore_command(path: Path) -> str:
    """With the newest backup that can be restored; opens backups until one is found."""
    backup = last_good_backup(path)
    return f"spy32 db restore {backup if backup is not None else 'FILE'}"


def check_backup(context: DoctorContext) -> Diagnosis:
    store, path = context.store, context.home.path
    files = backup_folder(path).glob(f"{path.stem}-*.db")
    made = max((datetime.fromtimestamp(file.stat().st_mtime, UTC) for file in files), default=None)
    if made is None:
        if context.now - store.location.created_at() < timedelta(days=NEW_HOME_DAYS):
            return success("no backup yet of a home that is new")
        return warning("there is no backup", "spy32 db backup")
    text = f"the newest backup is of {made:%Y-%m-%d}"
    return warning(text, "spy32 db backup") if context.now - made > timedelta(days=BACKUP_DAYS) else success(text)


def check_place(context: DoctorContext) -> Diagnosis:
    former = context.store.location.former_place()
    if former is None:
        return success("the home is where it was")
    text = f"this home was at {former}"
    return failure(f"{text}; no live order is sent", "spy32 db adopt") if context.mode is Mode.LIVE else success(text)


def check_halt(context: DoctorContext) -> Diagnosis:
    if context.halted is not None:
        return warning(f"halted: {context.halted}; nothing is sent", "spy32 resume")
    return success("not halted")


def check_pause(context: DoctorContext) -> Diagnosis:
    paused = context.store.flags.get(PAUSED)
    if paused is not None:
        return warning(f"paused since {paused[1]:%Y-%m-%d}: scheduled runs are skipped", "spy32 resume")
    return success("not paused")


def check_runs(context: DoctorContext) -> Diagnosis:
    """The newest run has an end, and a good one."""
    run = context.store.runs.latest()
    if run is None:
        return skip("there is no run yet")
    is_dead = run.outcome is None and context.locks.is_free(RUN_LOCK)
    if is_dead or run.outcome is Outcome.INTERRUPTED:
        return warning(f"R{run.id} was interrupted; the next start goes on", "spy32 analyze")
    if run.outcome is Outcome.FAILED:
        return warning(f"R{run.id} failed", f"spy32 show R{run.id}")
    return success(f"R{run.id} is {run.outcome or 'at work'}")


def check_orders(context: DoctorContext) -> Diagnosis:
    """No order of ours is without a known outcome."""
    lost = [
        order
        for order in context.store.orders.select(OrderState.UNKNOWN, OrderState.SUBMITTING)
        if context.locks.is_free(f"proposal-{order.proposal_id}")
    ]
    if lost:
        names = ", ".join(f"{order.reference} ({order.state})" for order in lost)
        return failure(f"the outcome of {names} is not known", "spy32 reconcile")
    return success("the outcome of every order is known")


def check_trades(context: DoctorContext) -> Diagnosis:
    """No trade is over, assigned, or about to end; one on a recorded market has a clock of its own."""
    store = context.store
    today = market_date(context.now)
    assigned = store.trades.select(TradeState.ASSIGNED)
    left = [
        trade
        for trade in store.trades.select(TradeState.OPEN, TradeState.CLOSING)
        if not store.proposals.get(trade.proposal_id).is_recorded
    ]
    over = [trade for trade in left if last_trading_day(trade.expiration) < today]
    if over or assigned:
        texts = [f"T{trade.id} is still open and its expiration is over" for trade in over]
        texts += [f"T{trade.id} was assigned" for trade in assigned]
        return failure("; ".join(texts), f"spy32 manage T{[*over, *assigned][0].id}")
    soon = [trade for trade in left if sessions_between(today, last_trading_day(trade.expiration)) <= SOON_SESSIONS]
    if soon:
        listed = ", ".join(f"T{trade.id} on {trade.expiration}" for trade in soon)
        return warning(f"within {SOON_SESSIONS} sessions expires {listed}", f"spy32 exits T{soon[0].id}")
    return success(f"none of {len(left)} open trades on a live market expires within {SOON_SESSIONS} sessions")


# Notices.


def check_addresses(context: DoctorContext) -> Diagnosis:
    """Every address can be used; none is asked."""
    addresses = context.notifiers
    if not addresses:
        return skip("no address is set in notify.addresses")
    for label, error in addresses.items():
        if isinstance(error, Unavailable):
            return failure(error.message, "python -m pip install 'spy32[notify]'")
        if error is not None:
            return failure(error.message, f"spy32 notify test {label}")
    return success(f"accepted: {', '.join(addresses)}")


def check_ping(context: DoctorContext) -> Diagnosis:
    """The monitor answered the last ping."""
    if not context.settings.ping.is_set:
        return skip("no monitor is set in [ping]")
    store = context.store
    newest = store.notices.select_newest(NEWEST)
    last = next((notice for notice in newest if EVENT_CLASSES.get(notice.kind) is EventClass.PING), None)
    if last is None:
        return skip("no slot has ended since the monitor was set")
    if PING_LABEL not in store.notices.labels_served(last.id):
        return warning(f"the monitor has not taken the ping of {last.created_at:%Y-%m-%d}", "spy32 notify test --ping")
    return success(f"the monitor took the ping of {last.created_at:%Y-%m-%d}")


def check_outbox(context: DoctorContext) -> Diagnosis:
    store = context.store
    has_address = bool(context.settings.notify.addresses) or context.settings.ping.is_set
    lost = store.notices.find_given_up(context.now, tried_only=not has_address)
    if lost is not None:
        return warning(f"N{lost.id} was given up: {lost.error or 'no command tried to send it'}", "spy32 notify list")
    pending = store.notices.select_pending(context.now)
    unsent = [notice for notice in pending if notice.error]
    if unsent:
        return warning(f"{len(unsent)} notices could not be sent yet", "spy32 notify flush")
    return success(f"{len(pending)} notices wait in the outbox" if pending else "the outbox is empty")
