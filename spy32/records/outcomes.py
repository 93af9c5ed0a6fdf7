"""What came of the candidates of each menu, the closes that tell it, and the experiments that compare choices by it."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal

from spy32.domain.experiments import Experiment, ExperimentTerms
from spy32.domain.outcomes import CandidateOutcome, DailyClose, MenuChoice, PlanOutcome
from spy32.domain.proposals import Decision
from spy32.domain.value import value
from spy32.errors import Refused
from spy32.records.base import Records, WriteTransaction
from spy32.records.encoding import (
    E4_UNIT,
    as_column,
    columns_of,
    decode_body,
    decode_row,
    format_day_start,
    parse_instant,
    row_decoder,
)
from spy32.records.home import Flags
from spy32.records.proposals import HIDDEN_ANSWERS

FLAGS = {False: "outcomes", True: "outcomes_recorded"}
"""Flags that hold the last session by which every outcome was computed, of recorded and of other markets."""
_OPEN_RUNS = """select menu.run_id as id, json_extract(line, '$.underlying') as ticker,
    json_extract(line, '$.as_of') as as_of, json_extract(line, '$.is_recorded') as is_recorded,
    json_extract(line, '$.expiration') as expiration,
    not exists (select 1 from outcome where run_id = menu.run_id) as is_new
    from menu join snapshot on snapshot.run_id = menu.run_id join run on run.id = menu.run_id
    where run.started_at >= ? and exists (select 1 from candidate where run_id = menu.run_id) and menu.run_id in (
        select run_id from outcome where known = 0
        union all select run_id from menu where run_id not in (select run_id from outcome))
    order by menu.run_id"""
_TRADED = """select trade.id, json_extract(proposal.body, '$.candidate_id') as candidate_id
    from trade join proposal on proposal.id = trade.proposal_id
    where proposal.run_id = ? and candidate_id is not null"""
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


class DailyCloses(Records):
    """Closes of underlyings, final ones only. A row changes once, when its VIX becomes known."""

    def select(self, ticker: str, first: date, last: date) -> tuple[DailyClose, ...]:
        """Return the closes of these days, both included, oldest first."""
        query = "select * from daily_close where ticker = ? and day between ? and ? order by day"
        return self._core.select(_daily_close, query, ticker, first, last)

    def save(self, closes: Sequence[DailyClose], at: datetime) -> None:
        """Store closes that are new, and the VIX of those that lacked it; what is known stays."""
        with self._core.write_transaction(at, "closes kept") as change:
            for close in closes:
                query = "select * from daily_close where ticker = ? and day = ?"
                row = self._core.row(query, close.ticker, close.day)
                if row is None:
                    change.insert("daily_close", ticker=close.ticker, day=close.day, body=close)
                elif close.vix is not None and _daily_close(row).vix is None:
                    change.update("daily_close", row["id"], body=close)


class Outcomes(Records):
    """Outcomes by run and candidate. What is final never changes."""

    @property
    def closes(self) -> DailyCloses:
        return DailyCloses(self._core)

    # Reading

    def select(self, run_id: int) -> tuple[CandidateOutcome, ...]:
        """Return the outcomes of a run's candidates, in the order of the menu; empty before the first refresh."""
        return self._core.select(_outcome, "select * from outcome where run_id = ? order by id", run_id)

    def open_runs(self, since: date | None = None) -> tuple[OpenRun, ...]:
        """Return the runs whose outcomes are not all final, oldest first."""
        return self._core.select(
            row_decoder(OpenRun, "run"), _OPEN_RUNS, format_day_start(since) if since is not None else ""
        )

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
        flag = Flags(self._core).get(FLAGS[run.is_recorded])
        return flag is None or flag[0] < last.isoformat()

    def mark_computed(self, last: date, at: datetime, *, is_recorded: bool) -> None:
        """Keep that every outcome was computed by this session."""
        flag = Flags(self._core).get(FLAGS[is_recorded])
        if flag is None or flag[0] != last.isoformat():
            Flags(self._core).record(FLAGS[is_recorded], last.isoformat(), at)

    def recorded_time(self) -> datetime | None:
        """Return how far recorded markets have come: the newest time of their quotes and trades; None without one."""
        row = self._core.row(_RECORDED_TIME)
        return parse_instant(row["at"]) if row is not None and row["at"] is not None else None

    def trades(self, run_id: int) -> Mapping[str, int]:
        """Return candidate id -> trade id of what was really traded of a run."""
        return {row["candidate_id"]: row["id"] for row in self._core.rows(_TRADED, run_id)}

    # Writing

    def save(self, outcomes: Sequence[CandidateOutcome], at: datetime) -> bool:
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


def _columns(outcome: CandidateOutcome) -> dict[str, object]:
    """Return the columns as they are stored, money to the nearest ten-thousandth."""
    plan = outcome.plan
    columns = columns_of(outcome, "run_id", "candidate_id", "plan", "is_final", "is_worthless") | {
        "known": outcome.is_final,
        "plan_day": plan.day if plan is not None else None,
        "plan_reason": plan.reason if plan is not None else None,
        "plan_e4": plan.result if plan is not None else None,
        "plan_modelled": plan.is_modelled if plan is not None else None,
        "worthless": outcome.is_worthless,
    }
    return {
        name: as_column(item.quantize(E4_UNIT) if isinstance(item, Decimal) else item) for name, item in columns.items()
    }


def _outcome(row: sqlite3.Row) -> CandidateOutcome:
    plan = None
    if row["plan_day"] is not None:
        columns = {"day": row["plan_day"], "reason": row["plan_reason"], "result": row["plan_e4"]}
        plan = decode_row(PlanOutcome, row, "outcome", **columns, is_modelled=row["plan_modelled"])
    return decode_row(CandidateOutcome, row, "outcome", plan=plan, is_final=row["known"])


def _daily_close(row: sqlite3.Row) -> DailyClose:
    return decode_body(DailyClose, row["body"], f"the close of {row['ticker']} on {row['day']}")


_CHOICES = f"""select run.id as run_id, run.started_at, answer.analyst, answer.decision,
    json_extract(answer.body, '$.prompt') as prompt, json_extract(answer.body, '$.candidate_id') as candidate_id,
    json_extract(answer.body, '$.probability') as stated, json_array_length(answer.body, '$.vetoes') as vetoes
    from answer join run on run.id = answer.run_id
    where run.profile = ? and run.started_at >= ? and answer.role in ('chosen', 'shadow')
        and answer.id not in ({HIDDEN_ANSWERS}) order by answer.id"""


class Experiments(Records):
    """Registered comparisons. None is deleted; one ends when something of its terms changes."""

    def register(self, terms: ExperimentTerms, at: datetime) -> Experiment:
        """Store the terms and return the experiment; `Refused` while one of the same pair runs."""
        with self._core.write_transaction(at, "experiment registered") as change:
            running = (each for each in self.select() if each.is_running(at))
            same = next((each for each in running if _pair(each.terms) == _pair(terms)), None)
            if same is not None:
                raise Refused(
                    f"{same.name} compares {same.terms.champion} and {same.terms.challenger} since {same.at:%Y-%m-%d}"
                )
            number = _insert(change, terms)
        return self.get(number)

    def renew(self, experiment: Experiment, terms: ExperimentTerms, at: datetime) -> Experiment:
        """End an experiment and register another in its place, in one transaction; return the new one.

        Outcomes of the runs of the ended one still count for it.
        """
        with self._core.write_transaction(at, "experiment renewed") as change:
            change.update("experiment", experiment.id, ended_at=change.at)
            number = _insert(change, terms)
        return self.get(number)

    def get(self, experiment_id: int) -> Experiment:
        return next(each for each in self.select() if each.id == experiment_id)

    def select(self) -> tuple[Experiment, ...]:
        """Return every experiment, oldest first."""
        return self._core.select(_experiment, "select * from experiment order by id")

    def choices(self, profile: str, since: datetime) -> tuple[MenuChoice, ...]:
        """Return what each analyst chose in the runs of a profile since then, in the order of their
        answers. An answer that failed or was vetoed trades nothing. The hidden ones are left out."""
        return self._core.select(_choice, _CHOICES, profile, since)


def _insert(change: WriteTransaction, terms: ExperimentTerms) -> int:
    number = change.insert("experiment", at=change.at, body=terms)
    change.subject = f"E{number}"
    return number


def _pair(terms: ExperimentTerms) -> tuple[frozenset[str], str, str]:
    return frozenset((terms.champion, terms.challenger)), terms.metric, terms.profile


def _experiment(row: sqlite3.Row) -> Experiment:
    return decode_row(Experiment, row, "experiment", terms=row["body"])


def _choice(row: sqlite3.Row) -> MenuChoice:
    is_traded = row["decision"] == Decision.TRADE and not row["vetoes"]
    return decode_row(
        MenuChoice,
        row,
        "answer",
        at=row["started_at"],
        chooser=" ".join(part for part in (row["analyst"], row["prompt"]) if part),
        candidate_id=row["candidate_id"] if is_traded else None,
    )
