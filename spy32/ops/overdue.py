"""What needs a person according to our book and the calendar: overdue trades, and refusals that repeat."""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from spy32.domain.runs import Cause, Outcome, Run
from spy32.domain.value import value
from spy32.lifecycle import TradeState
from spy32.ops.open_trades import trade_time
from spy32.sessions import market_date, previous_session, session

if TYPE_CHECKING:
    from spy32.store import Store

REPEATS = 3
"""Consecutive refusals by the same rule that are reported. One or two may be chance; after three weeks the setting
behind the rule needs a look."""
RECENT_RUNS = 20
"""Number of newest runs that are searched for profiles in use."""
UNDELIVERED = "undelivered"
"""Kind of the item of a notice that was given up."""
REPEATABLE_CAUSES = frozenset({Cause.ABSTAINED, Cause.CONDITION})
"""Causes that may repeat without a report: the analyst or the market conditions declined, which is normal."""


@value
class OverdueItem:
    """One item to look at. Once acknowledged, an item of the same subject and kind is not reported again."""

    subject: str
    kind: str
    message: str


def find_overdue(store: "Store", now: datetime, *, has_address: bool = True) -> tuple[OverdueItem, ...]:
    """Return every overdue item that nobody has acknowledged; without an address no notice that was never tried."""
    profiles = {row.profile for row in store.history.summaries(limit=RECENT_RUNS)}
    refused = (items for profile in sorted(profiles) for items in _repeated_refusals(store, profile))
    items = (*_late_trades(store, now), *refused, *_undelivered_notice(store, now, has_address=has_address))
    return tuple(item for item in items if not store.attention.was_raised(item.subject, item.kind))


def acknowledge(store: "Store", subject: str, by: str, now: datetime) -> int:
    """Acknowledge a subject's open items, including those that the calendar reports now. Returns their number."""
    for item in find_overdue(store, now):
        if item.subject == subject:
            store.attention.raise_item(item.subject, item.kind, item.message, now)
    return store.attention.acknowledge(subject, by, now)


def _undelivered_notice(store: "Store", now: datetime, *, has_address: bool) -> Iterator[OverdueItem]:
    """Yield the newest notice that was given up: one line, however many there are."""
    notice = store.notices.find_given_up(now, tried_only=not has_address)
    if notice is not None:
        why = f"not taken by {notice.error}" if notice.error else "no command tried to send it"
        message = f"N{notice.id} was given up after a day: {notice.subject}; {why}"
        yield OverdueItem(subject=f"N{notice.id}", kind=UNDELIVERED, message=message)


def _late_trades(store: "Store", now: datetime) -> Iterator[OverdueItem]:
    """Yield one item per trade that should be closed by its exit plan, for the latest date that has passed."""
    for trade in store.trades.select(TradeState.OPEN, TradeState.CLOSING):
        at = trade_time(store, trade, now)
        today = market_date(at)
        plan = trade.exits or store.proposals.get(trade.proposal_id).exit
        expiration = trade.legs[0].expiration
        # Options of a closed day stopped trading with the session before.
        if at >= (session(expiration) or previous_session(expiration)).option_close:
            kind, fact = "expired", f"expired on {expiration}"
        elif today >= plan.last_exit:
            kind, fact = "last_exit", f"was to be out by {plan.last_exit}, the last exit of its plan"
        elif plan.time_exit is not None and today >= plan.time_exit:
            kind, fact = "time_exit", f"was to be out by {plan.time_exit}, the time exit of its plan"
        else:
            continue
        subject = f"T{trade.id}"
        yield OverdueItem(subject=subject, kind=kind, message=f"{subject} is still open and {fact}")


def _repeated_refusals(store: "Store", profile: str) -> Iterator[OverdueItem]:
    """Yield the newest run when the last `REPEATS` runs made no trade by the same rule. Live and recorded runs count
    separately."""
    for is_recorded in (False, True):
        runs = store.runs.select_decided(profile, REPEATS, is_recorded=is_recorded)
        if len(runs) == REPEATS and all(run.outcome is Outcome.NO_TRADE for run in runs):
            shared = frozenset.intersection(*(_refusal_rules(store, run) for run in runs))
            if shared:
                newest = runs[0]
                rules, reason = ", ".join(sorted(shared)), next(iter(newest.reasons), "no reason given")
                message = f"the last {REPEATS} runs to R{newest.id} made no trade for one reason, {rules}: {reason}"
                yield OverdueItem(subject=f"R{newest.id}", kind="repeated", message=message)


def _refusal_rules(store: "Store", run: Run) -> frozenset[str]:
    """Return the rules that refused, or else the run's cause; empty when the cause may repeat."""
    if run.cause is None or run.cause in REPEATABLE_CAUSES:
        return frozenset()
    ruling = store.decisions.ruling(run.id)
    rules = {finding.rule for finding in ruling.findings if finding.blocks} if ruling is not None else set[str]()
    return frozenset(rules or {run.cause})
