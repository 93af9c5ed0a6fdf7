"""Runs: begun once, written step by step, and ended once."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime

from spy32.domain.codec import canonical_json
from spy32.domain.runs import Cause, Outcome, Run, Step, StepState, Trigger
from spy32.domain.spreads import Mode
from spy32.errors import BadUsage, ExitCode, Refused
from spy32.records.base import Database, WriteTransaction
from spy32.records.encoding import (
    parse_instant,
    parse_optional_date,
    parse_optional_instant,
    row_decoder,
    storable_text,
)


class Runs:
    """Runs with their steps. Each method that writes is one transaction."""

    def __init__(self, core: Database) -> None:
        self._core = core

    # Reading

    def get_row(self, run_id: int) -> sqlite3.Row:
        row = self._core.row("select * from run where id = ?", run_id)
        if row is None:
            raise BadUsage(f"there is no run R{run_id}; `spy32 show --history` lists them")
        return row

    def get(self, run_id: int) -> Run:
        """Return the run with its steps."""
        with self._core.read_transaction():
            row = self.get_row(run_id)
            steps = self._core.rows("select id, name, state, ms, detail from step where run_id = ? order by id", run_id)
        return replace(_run(row), steps=tuple(_step(step) for step in steps))

    def latest(self) -> Run | None:
        row = self._core.row("select id from run order by id desc limit 1")
        return self.get(row["id"]) if row is not None else None

    def select_by_slot(self, profile: str, slot: date, *, is_recorded: bool = False) -> tuple[Run, ...]:
        """Return every run of a slot, oldest first.

        A run on a recorded market counts only for a start on a recorded market; a live one counts for both.
        """
        rows = self._core.rows(
            "select id from run where profile = ? and slot = ? order by id", profile, slot.isoformat()
        )
        runs = (self.get(row["id"]) for row in rows)
        return tuple(run for run in runs if is_recorded or not run.is_recorded)

    def select_decided(self, profile: str, count: int, *, is_recorded: bool) -> tuple[Run, ...]:
        """Return the newest runs with a decision, newest first, on recorded or on live markets."""
        rows = self._core.rows(
            """select id from run where profile = ? and outcome in ('proposed', 'no_trade')
            and ifnull(recorded, 0) = ? order by id desc limit ?""",
            profile,
            int(is_recorded),
            count,
        )
        return tuple(self.get(row["id"]) for row in rows)

    # Writing

    def begin(  # noqa: PLR0913 - the facts of a start
        self,
        *,
        trigger: Trigger,
        mode: Mode,
        profile: str,
        at: datetime,
        slot: date | None = None,
        late: bool = False,
        forced_from: int | None = None,
        is_recorded: bool = False,
    ) -> Run:
        """Begin a run and return it; it has no outcome yet."""
        self._core.require_mode(mode)
        with self._core.write_transaction(at, "run begun") as change:
            if forced_from is not None:
                self.get(forced_from)
            number = change.insert(
                "run",
                started_by=trigger,
                mode=mode,
                profile=profile,
                slot=slot.isoformat() if slot is not None else None,
                late=late,
                forced_from=forced_from,
                recorded=int(is_recorded) or None,
                started_at=change.at,
            )
            change.subject = f"R{number}"
        return self.get(number)

    def start_step(self, run_id: int, name: str, at: datetime) -> None:
        with self.run_transaction(run_id, at, f"{name} begun") as change:
            change.update("run", run_id, step_running=name)

    def end_step(self, run_id: int, step: Step, at: datetime) -> None:
        with self.run_transaction(run_id, at, f"{step.name} {step.state}") as change:
            change.insert(
                "step",
                run_id=run_id,
                name=step.name,
                state=step.state,
                ms=step.ms,
                detail=storable_text(step.detail),
                ended_at=change.at,
            )
            change.update("run", run_id, step_running=None)

    def finish(
        self,
        run_id: int,
        *,
        outcome: Outcome,
        at: datetime,
        cause: Cause | None = None,
        reasons: Sequence[str] = (),
        exit_code: int = ExitCode.OK,
    ) -> Run:
        """Set the outcome of a run, once, and return it."""
        with self.run_transaction(run_id, at, f"run {outcome}") as change:
            _end_run(change, run_id, outcome, cause, reasons, exit_code)
        return self.get(run_id)

    def skip(  # noqa: PLR0913 - the facts of a start and its end
        self,
        *,
        trigger: Trigger,
        mode: Mode,
        profile: str,
        at: datetime,
        slot: date | None,
        cause: Cause,
        reasons: Sequence[str],
        is_recorded: bool = False,
    ) -> Run:
        """Store and return the run of a slot that was not used, begun and ended at once."""
        self._core.require_mode(mode)
        with self._core.write_transaction(at, "run skipped") as change:
            number = change.insert(
                "run",
                started_by=trigger,
                mode=mode,
                profile=profile,
                slot=slot.isoformat() if slot is not None else None,
                late=False,
                recorded=int(is_recorded) or None,
                started_at=change.at,
            )
            change.subject = f"R{number}"
            _end_run(change, number, Outcome.SKIPPED, cause, reasons, 0)
        return self.get(number)

    def interrupt_unfinished(self, at: datetime) -> tuple[int, ...]:
        """Mark every unfinished run as interrupted. The caller holds the lock of the runs."""
        with self._core.write_transaction(at, "run interrupted") as change:
            rows = self._core.rows("select id, step_running from run where outcome is null order by id")
            for row in rows:
                during = f" during {row['step_running']}" if row["step_running"] is not None else ""
                _end_run(
                    change, row["id"], Outcome.INTERRUPTED, None, (f"the program ended{during} without a word",), 0
                )
            change.subject = ",".join(f"R{row['id']}" for row in rows)
        return tuple(row["id"] for row in rows)

    @contextmanager
    def run_transaction(
        self, run_id: int, at: datetime, kind: str, *, even_ended: bool = False
    ) -> Iterator[WriteTransaction]:
        """Open a transaction on an existing run, which must not have ended unless `even_ended`."""
        with self._core.write_transaction(at, kind, f"R{run_id}") as change:
            row = self.get_row(run_id)
            if row["outcome"] is not None and not even_ended:
                raise Refused(f"R{run_id} has ended already: {row['outcome']} at {row['ended_at']}")
            yield change


def _end_run(
    change: WriteTransaction, run_id: int, outcome: Outcome, cause: Cause | None, reasons: Sequence[str], exit_code: int
) -> None:
    change.update(
        "run",
        run_id,
        outcome=outcome,
        cause=cause,
        reasons=storable_text(canonical_json(tuple(reasons))),
        exit_code=exit_code,
        ended_at=change.at,
        step_running=None,
    )


def parse_outcome(text: str | None) -> Outcome | None:
    return Outcome(text) if text is not None else None


@row_decoder("run")
def _run(row: sqlite3.Row) -> Run:
    """Return the run without its steps."""
    return Run(
        id=row["id"],
        trigger=Trigger(row["started_by"]),
        mode=Mode(row["mode"]),
        profile=row["profile"],
        started_at=parse_instant(row["started_at"]),
        slot=parse_optional_date(row["slot"]),
        ended_at=parse_optional_instant(row["ended_at"]),
        outcome=parse_outcome(row["outcome"]),
        cause=row["cause"],
        reasons=tuple(json.loads(row["reasons"])),
        forced_from=row["forced_from"],
        late=bool(row["late"]),
        is_recorded=bool(row["recorded"]),
        exit_code=row["exit_code"],
        steps=(),
        step_running=row["step_running"],
    )


@row_decoder("step")
def _step(row: sqlite3.Row) -> Step:
    return Step(name=row["name"], state=StepState(row["state"]), ms=row["ms"], detail=row["detail"])
