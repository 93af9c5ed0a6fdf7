"""Rows as nouns: runs with their steps and what they saw, asked and judged."""

import json
import sqlite3
from dataclasses import replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from spy32.domain.codec import canonical_json, encode
from spy32.domain.market import MarketSnapshot, QualityReport
from spy32.domain.proposals import Recommendation, RiskDecision
from spy32.domain.runs import Outcome, Run, Step, StepState, Trigger
from spy32.domain.spreads import Candidate, Menu, Mode, RejectedSpread
from spy32.domain.value import value
from spy32.errors import BadUsage
from spy32.records.base import Database
from spy32.records.encoding import (
    DECODE_ERRORS,
    decode_body,
    decode_items,
    decompress_text,
    parse_instant,
    parse_optional_date,
    parse_optional_instant,
    row_decoder,
    storable_text,
    unreadable_error,
)

if TYPE_CHECKING:
    from spy32.domain.briefing import Briefing
    from spy32.settings.deciding import Deciding


@value
class RawAnswer:
    """One answer with what was sent and what came back, to the letter."""

    role: str
    at: datetime
    recommendation: Recommendation
    request: str
    response: str


class RunReader(Database):
    """What is known of runs."""

    def created_at(self) -> datetime:
        """When this database was made."""
        row = self.row("select id, created_at from stamp")
        assert row is not None
        return _creation_time(row)

    def run_row(self, run_id: int) -> sqlite3.Row:
        row = self.row("select * from run where id = ?", run_id)
        if row is None:
            raise BadUsage(f"there is no run R{run_id}; `spy32 show --history` lists them")
        return row

    def run(self, run_id: int) -> Run:
        """The run with its steps."""
        with self.read_transaction():
            row = self.run_row(run_id)
            steps = self.rows("select id, name, state, ms, detail from step where run_id = ? order by id", run_id)
        return replace(_run(row), steps=tuple(_step(step) for step in steps))

    def latest_run(self) -> Run | None:
        row = self.row("select id from run order by id desc limit 1")
        return self.run(row["id"]) if row is not None else None

    def runs_of_slot(self, profile: str, slot: date, *, is_recorded: bool = False) -> tuple[Run, ...]:
        """Every run that used a slot up or tried to, oldest first.

        One on a recorded market counts only for a start on a recorded market; a live one counts for both.
        """
        rows = self.rows("select id from run where profile = ? and slot = ? order by id", profile, slot.isoformat())
        runs = (self.run(row["id"]) for row in rows)
        return tuple(run for run in runs if is_recorded or not run.is_recorded)

    def decided_runs(self, profile: str, count: int, *, is_recorded: bool) -> tuple[Run, ...]:
        """The newest runs that came to a decision, newest first; on recorded markets, or on live ones."""
        rows = self.rows(
            """select id from run where profile = ? and outcome in ('proposed', 'no_trade')
            and ifnull(recorded, 0) = ? order by id desc limit ?""",
            profile,
            int(is_recorded),
            count,
        )
        return tuple(self.run(row["id"]) for row in rows)

    def has_snapshot(self, run_id: int) -> bool:
        self.run_row(run_id)
        return self.row("select 1 from snapshot where run_id = ?", run_id) is not None

    def snapshot(self, run_id: int) -> MarketSnapshot:
        """Everything that the run saw; `Usage` when it ended before it saw anything."""
        text = decompress_text(self._snapshot_column(run_id, "data"), f"the snapshot of R{run_id}")
        return decode_body(MarketSnapshot, text, f"the snapshot of R{run_id}")

    def quality(self, run_id: int) -> QualityReport:
        return decode_body(QualityReport, self._snapshot_column(run_id, "quality"), f"the quality report of R{run_id}")

    def deciding(self, run_id: int) -> "Deciding":
        """The settings that the run decided by."""
        from spy32.settings.deciding import Deciding

        return decode_body(Deciding, self._snapshot_column(run_id, "deciding"), f"the settings of R{run_id}")

    def briefing(self, run_id: int) -> "Briefing | None":
        """The figures that were put before the analyst; None when the run kept none."""
        self.run_row(run_id)
        row = self.row("select briefing from snapshot where run_id = ?", run_id)
        return parse_briefing(row["briefing"], run_id) if row is not None else None

    def _snapshot_column(self, run_id: int, column: str) -> Any:  # bytes or text, by column
        self.run_row(run_id)
        row = self.row(f"select {column} as seen from snapshot where run_id = ?", run_id)
        if row is None or row["seen"] is None:
            raise BadUsage(f"R{run_id} ended before anything was kept of what it saw")
        return row["seen"]

    def menu(self, run_id: int, *, rejected: bool = True) -> Menu | None:
        """The menu of the run, without its dropped spreads unless `rejected`."""
        dropped = "dropped" if rejected else "null"
        with self.read_transaction():
            self.run_row(run_id)
            row = self.row(f"select body, {dropped} as dropped from menu where run_id = ?", run_id)
            if row is None:
                return None
            rows = self.rows("select body from candidate where run_id = ? order by position", run_id)
        where = f"the menu of R{run_id}"
        rejected_spreads: tuple[RejectedSpread, ...] = ()
        if rejected:
            rejected_spreads = decode_items(RejectedSpread, decompress_text(row["dropped"], where), where)
        menu = decode_body(Menu, row["body"], where, candidates=[], dropped=[])
        candidates = tuple(decode_body(Candidate, each["body"], where) for each in rows)
        return Menu(candidates=candidates, dropped=rejected_spreads, seed=menu.seed, notes=menu.notes)

    def answers(self, run_id: int) -> tuple[tuple[str, Recommendation], ...]:
        """Every answer with its role, oldest first."""
        self.run_row(run_id)
        rows = self.rows("select role, body from answer where run_id = ? order by id", run_id)
        return tuple((row["role"], decode_body(Recommendation, row["body"], f"an answer of R{run_id}")) for row in rows)

    def raw_answers(self, run_id: int) -> tuple[RawAnswer, ...]:
        """Every answer with its request and response, oldest first."""
        self.run_row(run_id)
        rows = self.rows("select * from answer where run_id = ? order by id", run_id)
        return tuple(_raw_answer(row) for row in rows)

    def ruling(self, run_id: int) -> RiskDecision | None:
        text = self.run_row(run_id)["ruling"]
        return decode_body(RiskDecision, text, f"the ruling of R{run_id}") if text is not None else None


def briefing_text(briefing: "Briefing") -> str:
    """Canonical JSON, with the figures as a list of pairs, since sorted keys would lose their order."""
    fields = encode(briefing)
    return storable_text(canonical_json({**fields, "figures": list(fields["figures"].items())}))


def parse_briefing(text: str | None, run_id: int) -> "Briefing | None":
    if text is None:
        return None
    from spy32.domain.briefing import Briefing

    where = f"the briefing of R{run_id}"
    try:
        figures = dict(json.loads(text)["figures"])
    except DECODE_ERRORS as error:
        raise unreadable_error(where, error) from error
    return decode_body(Briefing, text, where, figures=figures)


def parse_outcome(text: str | None) -> Outcome | None:
    return Outcome(text) if text is not None else None


@row_decoder("stamp")
def _creation_time(row: sqlite3.Row) -> datetime:
    return parse_instant(row["created_at"])


@row_decoder("run")
def _run(row: sqlite3.Row) -> Run:
    """Without its steps."""
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


@row_decoder("answer")
def _raw_answer(row: sqlite3.Row) -> RawAnswer:
    return RawAnswer(
        role=row["role"],
        at=parse_instant(row["at"]),
        recommendation=decode_body(Recommendation, row["body"], f"answer {row['id']}"),
        request=row["request"],
        response=row["response"],
    )


@row_decoder("step")
def _step(row: sqlite3.Row) -> Step:
    return Step(name=row["name"], state=StepState(row["state"]), ms=row["ms"], detail=row["detail"])
