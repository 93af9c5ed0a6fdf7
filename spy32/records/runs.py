"""Runs: begun once, written step by step, and ended once."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime

from spy32.domain.runs import Cause, Outcome, Run, Step, Trigger
from spy32.domain.spreads import Mode
from spy32.errors import ExitCode, Refused
from spy32.records.base import Database, Records, WriteTransaction
from spy32.records.encoding import columns_of, decode_row, row_decoder


class Runs(Records):
    """Runs with their steps. Each method that writes is one transaction."""

    # Reading

    def get(self, run_id: int) -> Run:
        """Return the run with its steps."""
        with self._core.read_transaction():
            return self._decode_run(self._core.get_row("run", run_id))

    def latest(self) -> Run | None:
        return self._core.find(self._decode_run, "select * from run order by id desc limit 1")

    def select_by_slot(self, profile: str, slot: date, *, is_recorded: bool = False) -> tuple[Run, ...]:
        """Return every run of a slot, oldest first.

        A run on a recorded market counts only for a start on a recorded market; a live one counts for both.
        """
        query = "select * from run where profile = ? and slot = ? and (? or recorded is null) order by id"
        return self._core.select(self._decode_run, query, profile, slot, is_recorded)

    def select_decided(self, profile: str, count: int, *, is_recorded: bool) -> tuple[Run, ...]:
        """Return the newest runs with a decision, newest first, on recorded or on live markets."""
        query = """select * from run where profile = ? and outcome in ('proposed', 'no_trade')
            and ifnull(recorded, 0) = ? order by id desc limit ?"""
        return self._core.select(self._decode_run, query, profile, is_recorded, count)

    def _decode_run(self, row: sqlite3.Row) -> Run:
        steps = self._core.select(_step, "select * from step where run_id = ? order by id", row["id"])
        return decode_row(Run, row, "run", trigger=row["started_by"], steps=steps)

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
        skipped: tuple[Cause, Sequence[str]] | None = None,
    ) -> Run:
        """Begin a run and return it. It has no outcome yet, unless `skipped` has the cause and the reasons for which
        its slot was not used: then it ends at once."""
        self._core.require_mode(mode)
        with self._core.write_transaction(at, "run begun" if skipped is None else "run skipped") as change:
            if forced_from is not None:
                self._core.get_row("run", forced_from)
            number = change.insert(
                "run",
                started_by=trigger,
                mode=mode,
                profile=profile,
                slot=slot,
                late=late,
                forced_from=forced_from,
                recorded=1 if is_recorded else None,
                started_at=change.at,
            )
            change.subject = f"R{number}"
            if skipped is not None:
                _end_run(change, number, Outcome.SKIPPED, *skipped)
        return self.get(number)

    def start_step(self, run_id: int, name: str, at: datetime) -> None:
        with run_transaction(self._core, run_id, at, f"{name} begun") as change:
            change.update("run", run_id, step_running=name)

    def end_step(self, run_id: int, step: Step, at: datetime) -> None:
        with run_transaction(self._core, run_id, at, f"{step.name} {step.state}") as change:
            change.insert("step", run_id=run_id, **columns_of(step), ended_at=change.at)
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
        with run_transaction(self._core, run_id, at, f"run {outcome}") as change:
            _end_run(change, run_id, outcome, cause, reasons, exit_code)
        return self.get(run_id)

    def interrupt_unfinished(self, at: datetime) -> tuple[int, ...]:
        """Mark every unfinished run as interrupted. The caller holds the lock of the runs."""
        with self._core.write_transaction(at, "run interrupted") as change:
            rows = self._core.rows("select id, step_running from run where outcome is null order by id")
            for row in rows:
                during = f" during {row['step_running']}" if row["step_running"] is not None else ""
                reason = f"the program ended{during} without a word"
                _end_run(change, row["id"], Outcome.INTERRUPTED, None, (reason,))
            change.subject = ",".join(f"R{row['id']}" for row in rows)
        return tuple(row["id"] for row in rows)


@contextmanager
def run_transaction(
    core: Database, run_id: int, at: datetime, kind: str, *, even_ended: bool = False
) -> Iterator[WriteTransaction]:
    """Open a transaction on an existing run, which must not have ended unless `even_ended`."""
    with core.write_transaction(at, kind, f"R{run_id}") as change:
        row = core.get_row("run", run_id)
        if row["outcome"] is not None and not even_ended:
            raise Refused(f"R{run_id} has ended already: {row['outcome']} at {row['ended_at']}")
        yield change


def _end_run(
    change: WriteTransaction,
    run_id: int,
    outcome: Outcome,
    cause: Cause | None,
    reasons: Sequence[str],
    exit_code: int = ExitCode.OK,
) -> None:
    change.update(
        "run",
        run_id,
        outcome=outcome,
        cause=cause,
        reasons=tuple(reasons),
        exit_code=exit_code,
        ended_at=change.at,
        step_running=None,
    )


_step = row_decoder(Step, "step")
