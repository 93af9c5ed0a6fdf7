"""What came of the candidates of each menu, and the closes of the underlying that tell it."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import cache

from spy32.domain.codec import canonical_json
from spy32.domain.outcomes import DailyClose, Outcome, PlanOutcome
from spy32.domain.proposals import ExitReason
from spy32.domain.spreads import Strategy
from spy32.domain.value import value
from spy32.records.base import Database
from spy32.records.encoding import (
    decode_body,
    e4_to_dollars,
    format_day_start,
    nearest_e4,
    parse_instant,
    parse_optional_instant,
    row_decoder,
)
from spy32.records.flags import Flags

FLAGS = {False: "outcomes", True: "outcomes_recorded"}
"""Flags that hold the last session by which every outcome was computed, of recorded and of other markets."""
_COLUMNS = """outcome.run_id, outcome.candidate_id, outcome.strategy, outcome.expiration, outcome.max_loss_e4,
    outcome.settlement_e4, outcome.expiry_e4, outcome.plan_day, outcome.plan_reason, outcome.plan_e4,
    outcome.plan_modelled, outcome.pending, outcome.known, outcome.worthless, outcome.worthless_market,
    outcome.worthless_history"""
_OUTCOMES = f"select {_COLUMNS} from outcome"
_OF_RUNS = "run_id in (select id from run where started_at >= ?)"
_OPEN_RUNS = """select menu.run_id, json_extract(line, '$.underlying') as ticker,
    json_extract(line, '$.as_of') as as_of, json_extract(line, '$.is_recorded') as is_recorded,
    json_extract(line, '$.expiration') as expiration,
    not exists (select 1 from outcome where run_id = menu.run_id) as is_new
    from menu join snapshot on snapshot.run_id = menu.run_id join run on run.id = menu.run_id
    where run.started_at >= ? and exists (select 1 from candidate where run_id = menu.run_id) and menu.run_id in (
        select run_id from outcome where known = 0
        union all select run_id from menu where run_id not in (select run_id from outcome))
    order by menu.run_id"""
_TRADED = """select json_extract(proposal.body, '$.candidate_id') as picked, trade.id as trade_id
    from trade join proposal on proposal.id = trade.proposal_id
    where proposal.run_id = ? and picked is not null order by trade.id"""
_RECORDED_TIME = """select max(at) as at from (
    select max(json_extract(line, '$.as_of')) as at from snapshot where json_extract(line, '$.is_recorded')
    union all select max(mark.at) from mark join trade on trade.id = mark.trade_id
        join run on run.id = trade.run_id where run.recorded = 1
    union all select max(closed_at) from trade join run on run.id = trade.run_id where run.recorded = 1)"""


@value
class OpenRun:
    """A run with a menu of which not everything is known."""

    id: int
    ticker: str
    as_of: datetime
    is_recorded: bool
    expiration: date
    is_new: bool
    """It has no outcomes yet."""


class DailyCloses:
    """Closes of underlyings, final ones only. A row changes once, when its VIX becomes known."""

    def __init__(self, core: Database) -> None:
        self._core = core

    def select(self, ticker: str, first: date, last: date) -> tuple[DailyClose, ...]:
        """Return the closes of these days, both included, oldest first."""
        rows = self._core.rows(
            "select body from daily_close where ticker = ? and day between ? and ? order by day",
            ticker,
            first.isoformat(),
            last.isoformat(),
        )
        return tuple(decode_body(DailyClose, row["body"], f"a close of {ticker}") for row in rows)

    def save(self, closes: Sequence[DailyClose], at: datetime) -> None:
        """Store closes that are new, and the VIX of those that lacked it; what is known stays."""
        with self._core.write_transaction(at, "closes kept") as change:
            for close in closes:
                day = close.day.isoformat()
                row = self._core.row("select id, body from daily_close where ticker = ? and day = ?", close.ticker, day)
                if row is None:
                    change.insert("daily_close", ticker=close.ticker, day=day, body=canonical_json(close))
                elif close.vix is not None and decode_body(DailyClose, row["body"], f"the close of {day}").vix is None:
                    change.update("daily_close", row["id"], body=canonical_json(close))


class Outcomes:
    """Outcomes by run and candidate. What is final never changes."""

    def __init__(self, core: Database, flags: Flags) -> None:
        self._core = core
        self._flags = flags
        self.closes = DailyCloses(core)

    # Reading

    def select(self, run_id: int) -> tuple[Outcome, ...]:
        """Return the outcomes of a run's candidates, in the order of the menu; empty before the first refresh."""
        return select_outcomes(self._core, run_id)

    def open_runs(self, since: date | None = None) -> tuple[OpenRun, ...]:
        """Return the runs whose outcomes are not all final, oldest first."""
        return tuple(map(_open_run, self._core.rows(_OPEN_RUNS, _start(since))))

    def due_runs(self, now: datetime) -> tuple[tuple[OpenRun, date], ...]:
        """Return the open runs that are new, or that a session has closed for since they were computed, each with its
        last session that has closed. A recorded run has the time of the recorded markets, not `now`."""
        runs = self.open_runs()
        return tuple(
            (run, last) for run, last in self.pair_with_last_session(runs, now) if run.is_new or self._is_due(run, last)
        )

    def pair_with_last_session(self, runs: Sequence[OpenRun], now: datetime) -> Iterator[tuple[OpenRun, date]]:
        """Yield each run with its last session that has closed."""
        kinds = {run.is_recorded for run in runs}
        last = {is_recorded: self.last_session(now, is_recorded=is_recorded) for is_recorded in kinds}
        return ((run, last[run.is_recorded]) for run in runs)

    def last_session(self, now: datetime, *, is_recorded: bool) -> date:
        """Return the last session whose closes are final; of recorded markets, whose closes ship and are never late, by
        their own time and at once."""
        from spy32.rules.settlement import BAR_DELAY, last_final_session  # the calendar is not loaded without runs

        recorded = self.recorded_time() if is_recorded else None
        return last_final_session(recorded + BAR_DELAY if recorded is not None else now)

    def _is_due(self, run: OpenRun, last: date) -> bool:
        flag = self._flags.get(FLAGS[run.is_recorded])
        return flag is None or flag[0] < last.isoformat()

    def mark_computed(self, last: date, at: datetime, *, is_recorded: bool) -> None:
        """Keep that every outcome was computed by this session."""
        flag = self._flags.get(FLAGS[is_recorded])
        if flag is None or flag[0] != last.isoformat():
            self._flags.set(FLAGS[is_recorded], last.isoformat(), at)

    def recorded_time(self) -> datetime | None:
        """Return how far recorded markets have come: the newest time of their quotes and trades; None without one."""
        row = self._core.row(_RECORDED_TIME)
        return parse_optional_instant(row["at"]) if row is not None else None

    def trades(self, run_id: int) -> Mapping[str, int]:
        """Return candidate id -> trade id of what was really traded of a run."""
        return {row["picked"]: row["trade_id"] for row in self._core.rows(_TRADED, run_id)}

    # Writing

    def save(self, outcomes: Sequence[Outcome], at: datetime) -> bool:
        """Store the outcomes of one run; return whether anything changed. A final one stays as it is."""
        if not outcomes:
            return False
        run_id = outcomes[0].run_id
        with self._core.write_transaction(at, "outcomes kept", f"R{run_id}") as change:
            rows = self._core.rows("select * from outcome where run_id = ?", run_id)
            stored = {row["candidate_id"]: row for row in rows}
            has_changed = False
            for outcome in outcomes:
                columns, row = _columns(outcome), stored.get(outcome.candidate_id)
                if row is None:
                    change.insert("outcome", run_id=run_id, candidate_id=outcome.candidate_id, **columns)
                elif not row["known"] and any(row[name] != item for name, item in columns.items()):
                    change.update("outcome", row["id"], **columns)
                else:
                    continue
                has_changed = True
        return has_changed


def select_outcomes(core: Database, run_id: int) -> tuple[Outcome, ...]:
    """Return the outcomes of a run's candidates, in the order of the menu."""
    return tuple(map(_outcome, core.rows(f"{_OUTCOMES} where run_id = ? order by id", run_id)))


def _start(since: date | None) -> str:
    return format_day_start(since) if since is not None else ""


def _columns(outcome: Outcome) -> dict[str, object]:
    plan = outcome.plan
    return {
        "known": int(outcome.is_final),
        "strategy": outcome.strategy,
        "expiration": outcome.expiration.isoformat(),
        "max_loss_e4": nearest_e4(outcome.max_loss),
        "settlement_e4": nearest_e4(outcome.settlement) if outcome.settlement is not None else None,
        "expiry_e4": nearest_e4(outcome.expiry) if outcome.expiry is not None else None,
        "plan_day": plan.day.isoformat() if plan is not None else None,
        "plan_reason": plan.reason if plan is not None else None,
        "plan_e4": nearest_e4(plan.result) if plan is not None else None,
        "plan_modelled": int(plan.is_modelled) if plan is not None else None,
        "pending": outcome.pending,
        "worthless": int(outcome.is_worthless) if outcome.is_worthless is not None else None,
        "worthless_market": outcome.worthless_market,
        "worthless_history": outcome.worthless_history,
    }


@row_decoder("outcome")
def _outcome(row: sqlite3.Row) -> Outcome:
    """By position: ten thousand menus are read at once."""
    run_id, candidate_id, strategy, expiration, max_loss, settlement, expiry, *rest = row[-16:]
    *plan, pending, known, worthless, market, history = rest
    day, reason, result, is_modelled = plan
    return Outcome(
        run_id=run_id,
        candidate_id=candidate_id,
        strategy=_STRATEGIES[strategy],
        expiration=_day(expiration),
        max_loss=_dollars(max_loss),
        settlement=_dollars(settlement) if settlement is not None else None,
        expiry=_dollars(expiry) if expiry is not None else None,
        plan=PlanOutcome(
            day=_day(day),
            reason=_REASONS[reason] if reason is not None else None,
            result=_dollars(result),
            is_modelled=bool(is_modelled),
        )
        if day is not None
        else None,
        pending=pending,
        is_final=bool(known),
        is_worthless=bool(worthless) if worthless is not None else None,
        worthless_market=market,
        worthless_history=history,
    )


_STRATEGIES = {member.value: member for member in Strategy}
_REASONS = {member.value: member for member in ExitReason}
_day = cache(date.fromisoformat)


@cache
def _dollars(amount: int) -> Decimal:
    return e4_to_dollars(amount)


@row_decoder("run")
def _open_run(row: sqlite3.Row) -> OpenRun:
    return OpenRun(
        id=row["run_id"],
        ticker=row["ticker"],
        as_of=parse_instant(row["as_of"]),
        is_recorded=bool(row["is_recorded"]),
        expiration=date.fromisoformat(row["expiration"]),
        is_new=bool(row["is_new"]),
    )
