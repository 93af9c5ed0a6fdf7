"""Writing a run as it goes: its start, each step as it ends, what was seen, asked and judged, and its end."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from typing import TYPE_CHECKING

from spy32.domain.codec import canonical_json
from spy32.domain.market import MarketSnapshot, QualityReport
from spy32.domain.proposals import Recommendation, RiskDecision
from spy32.domain.run_view import MarketSummary
from spy32.domain.runs import Outcome, Run, Step, Trigger
from spy32.domain.spreads import Menu, Mode
from spy32.errors import ExitCode, Refused
from spy32.records.base import WriteTransaction
from spy32.records.encoding import compress_text, json_body, storable_text
from spy32.records.run_reader import RunReader, briefing_text

if TYPE_CHECKING:
    from spy32.domain.briefing import Briefing
    from spy32.settings.deciding import Deciding


class Runs(RunReader):
    """Each method is one transaction."""

    def begin_run(  # noqa: PLR0913 - the facts of a start
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
        """A new run, without an outcome yet."""
        self.require_mode(mode)
        with self.write_transaction(at, "run begun") as change:
            if forced_from is not None:
                self.run(forced_from)
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
        return self.run(number)

    def start_step(self, run_id: int, name: str, at: datetime) -> None:
        with self._run_transaction(run_id, at, f"{name} begun") as change:
            change.update("run", run_id, step_running=name)

    def end_step(self, run_id: int, step: Step, at: datetime) -> None:
        with self._run_transaction(run_id, at, f"{step.name} {step.state}") as change:
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

    def save_snapshot(  # noqa: PLR0913 - everything that is kept of what was seen
        self,
        run_id: int,
        snapshot: MarketSnapshot,
        quality: QualityReport,
        line: MarketSummary,
        at: datetime,
        *,
        deciding: "Deciding | None" = None,
        briefing: "Briefing | None" = None,
    ) -> None:
        """Everything that the run saw, compressed, with its line, its quality report and the settings that decide.

        `briefing` is what was computed of it for the analyst; its figures keep their order.
        """
        data = compress_text(canonical_json(snapshot))
        with self._run_transaction(run_id, at, "snapshot kept") as change:
            change.insert(
                "snapshot",
                run_id=run_id,
                at=change.at,
                line=canonical_json(line),
                quality=canonical_json(quality),
                deciding=canonical_json(deciding) if deciding is not None else None,
                data=data,
                briefing=briefing_text(briefing) if briefing is not None else None,
            )

    def save_menu(self, run_id: int, menu: Menu, at: datetime) -> None:
        """The candidates as rows, the dropped spreads as one compressed list."""
        with self._run_transaction(run_id, at, "menu kept") as change:
            change.insert(
                "menu",
                run_id=run_id,
                at=change.at,
                body=json_body(menu, "candidates", "dropped"),
                dropped=compress_text(canonical_json(menu.dropped)),
            )
            for position, candidate in enumerate(menu.candidates):
                change.insert(
                    "candidate",
                    run_id=run_id,
                    position=position,
                    candidate_id=candidate.id,
                    body=canonical_json(candidate),
                )

    def save_answer(
        self,
        run_id: int,
        recommendation: Recommendation,
        *,
        role: str,
        at: datetime,
        request: str = "",
        response: str = "",
    ) -> None:
        """One answer with its words exactly as sent and received. The newest of role `chosen` is the run's choice."""
        with self._run_transaction(run_id, at, f"answer kept as {role}", even_ended=True) as change:
            change.insert(
                "answer",
                run_id=run_id,
                role=role,
                at=change.at,
                analyst=recommendation.analyst,
                decision=recommendation.decision,
                cost_ticks=recommendation.cost_ticks,
                body=storable_text(canonical_json(recommendation)),
                request=request,
                response=response,
            )

    def save_ruling(self, run_id: int, ruling: RiskDecision, at: datetime) -> None:
        """The vet step's word; a person's other choice replaces it, and the history knows both."""
        with self._run_transaction(run_id, at, "ruling kept", even_ended=True) as change:
            change.update("run", run_id, ruling=canonical_json(ruling))

    def finish_run(
        self,
        run_id: int,
        *,
        outcome: Outcome,
        at: datetime,
        cause: str | None = None,
        reasons: Sequence[str] = (),
        exit_code: int = ExitCode.OK,
    ) -> Run:
        """The run with its outcome, which is set once."""
        with self._run_transaction(run_id, at, f"run {outcome}") as change:
            _end_run(change, run_id, outcome, cause, reasons, exit_code)
        return self.run(run_id)

    def skip_run(  # noqa: PLR0913 - the facts of a start and its end
        self,
        *,
        trigger: Trigger,
        mode: Mode,
        profile: str,
        at: datetime,
        slot: date | None,
        cause: str,
        reasons: Sequence[str],
        is_recorded: bool = False,
    ) -> Run:
        """The row of a slot that was not used, begun and ended at once."""
        self.require_mode(mode)
        with self.write_transaction(at, "run skipped") as change:
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
        return self.run(number)

    def interrupt_runs(self, at: datetime) -> tuple[int, ...]:
        """Mark every run that never came to an end; call it only with the lock of the runs held."""
        with self.write_transaction(at, "run interrupted") as change:
            rows = self.rows("select id, step_running from run where outcome is null order by id")
            for row in rows:
                during = f" during {row['step_running']}" if row["step_running"] is not None else ""
                _end_run(
                    change, row["id"], Outcome.INTERRUPTED, None, (f"the program ended{during} without a word",), 0
                )
            change.subject = ",".join(f"R{row['id']}" for row in rows)
        return tuple(row["id"] for row in rows)

    @contextmanager
    def _run_transaction(
        self, run_id: int, at: datetime, kind: str, *, even_ended: bool = False
    ) -> Iterator[WriteTransaction]:
        """A change of a run that is there and, but for `even_ended`, has not ended."""
        with self.write_transaction(at, kind, f"R{run_id}") as change:
            row = self.run_row(run_id)
            if row["outcome"] is not None and not even_ended:
                raise Refused(f"R{run_id} has ended already: {row['outcome']} at {row['ended_at']}")
            yield change


def _end_run(
    change: WriteTransaction, run_id: int, outcome: Outcome, cause: str | None, reasons: Sequence[str], exit_code: int
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
