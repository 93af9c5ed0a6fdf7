"""What the book and the calendar alone say that a person must look at: overdue trades, refusals that repeat."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from spy32.domain.runs import Outcome, Run
from spy32.lifecycle import TradeState
from spy32.sessions import market_date, previous_session, session

if TYPE_CHECKING:
    from datetime import date

    from spy32.store import Store

REPEATS = 3
"""One refusal is a week's luck and two may be; a limit that refuses a third week in a row is a setting to look at."""
RECENT_RUNS = 20
"""Runs that are looked at for the profiles that are in use."""
REPEATABLE_CAUSES = frozenset({"abstained", "condition"})
"""Causes that may repeat for as long as they like: the analyst or the market said no, as they should."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OverdueItem:
    """One thing to look at; with the same subject and kind it is not told again once it was acknowledged."""

    subject: str
    kind: str
    message: str


def find_overdue(store: "Store", now: datetime) -> tuple[OverdueItem, ...]:
    """Everything that is due and that nobody has acknowledged."""
    profiles = {row.profile for row in store.history.summaries(limit=RECENT_RUNS)}
    refused = (items for profile in sorted(profiles) for items in _repeated_refusals(store, profile))
    items = (*_late_trades(store, now), *refused)
    return tuple(item for item in items if not store.attention.was_raised(item.subject, item.kind))


def acknowledge(store: "Store", subject: str, by: str, now: datetime) -> int:
    """Close what stands open of a subject, and what the calendar says of it now; how many there were."""
    for item in find_overdue(store, now):
        if item.subject == subject:
            store.attention.raise_item(item.subject, item.kind, item.message, now)
    return store.attention.acknowledge(subject, by, now)


def _late_trades(store: "Store", now: datetime) -> Iterator[OverdueItem]:
    """Each trade that should be over by the dates of its plan; the last date that has passed speaks for it."""
    today = market_date(now)
    for trade in store.trades.select(TradeState.OPEN, TradeState.CLOSING):
        plan = trade.exits or store.proposals.get(trade.proposal_id).exit
        expiration = trade.legs[0].expiration
        if now >= _trading_end(expiration):
            yield _late_trade_item(trade.id, "expired", f"expired on {expiration}")
        elif today >= plan.last_exit:
            yield _late_trade_item(
                trade.id, "last_exit", f"was to be out by {plan.last_exit}, the last exit of its plan"
            )
        elif plan.time_exit is not None and today >= plan.time_exit:
            yield _late_trade_item(
                trade.id, "time_exit", f"was to be out by {plan.time_exit}, the time exit of its plan"
            )


def _late_trade_item(trade_id: int | None, kind: str, message: str) -> OverdueItem:
    return OverdueItem(subject=f"T{trade_id}", kind=kind, message=f"T{trade_id} is still open and {message}")


def _trading_end(expiration: "date") -> datetime:
    """When options of that date stop trading; one on a closed day ends with the session before."""
    return (session(expiration) or previous_session(expiration)).option_close


def _repeated_refusals(store: "Store", profile: str) -> Iterator[OverdueItem]:
    """The newest run, when it and those before it made no trade for the same reason; live and recorded ones apart."""
    for is_recorded in (False, True):
        runs = store.runs.select_decided(profile, REPEATS, is_recorded=is_recorded)
        if len(runs) == REPEATS and all(run.outcome is Outcome.NO_TRADE for run in runs):
            shared = frozenset.intersection(*(_refusal_rules(store, run) for run in runs))
            if shared:
                newest = runs[0]
                message = f"the last {REPEATS} runs to R{newest.id} made no trade for one reason"
                explanation = (
                    f"{message}, {', '.join(sorted(shared))}: {newest.reasons[0] if newest.reasons else 'no words'}"
                )
                yield OverdueItem(subject=f"R{newest.id}", kind="repeated", message=explanation)


def _refusal_rules(store: "Store", run: Run) -> frozenset[str]:
    """The rules that refused, or the cause where no ruling names them; empty when it may repeat."""
    if run.cause is None or run.cause in REPEATABLE_CAUSES:
        return frozenset()
    ruling = store.decisions.ruling(run.id)
    rules = frozenset(finding.rule for finding in ruling.findings if finding.blocks) if ruling is not None else ()
    return frozenset(rules) or frozenset({run.cause})
