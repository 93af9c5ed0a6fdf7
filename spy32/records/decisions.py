"""The input and the decision of a run: snapshot, menu, answers and risk decision."""

import json
import sqlite3
from datetime import datetime
from typing import TYPE_CHECKING, Any

from spy32.domain.answer_role import AnswerRole
from spy32.domain.codec import canonical_json, encode
from spy32.domain.market import MarketSnapshot, QualityReport
from spy32.domain.proposals import Recommendation, RiskDecision
from spy32.domain.run_view import MarketSummary
from spy32.domain.spreads import Candidate, Menu, RejectedSpread
from spy32.domain.value import value
from spy32.errors import BadUsage
from spy32.records.base import Database
from spy32.records.encoding import (
    DECODE_ERRORS,
    compress_text,
    decode_body,
    decode_items,
    decompress_text,
    json_body,
    parse_instant,
    row_decoder,
    storable_text,
    unreadable_error,
)
from spy32.records.proposals import UNDECIDED_RUNS
from spy32.records.runs import Runs

if TYPE_CHECKING:
    from spy32.domain.briefing import Briefing
    from spy32.settings.deciding import DecisionSettings


@value
class RawAnswer:
    """One answer with its exact request and response."""

    role: AnswerRole
    at: datetime
    recommendation: Recommendation
    request: str
    response: str


class Decisions:
    """Snapshot, settings, menu, answers and risk decision of each run."""

    def __init__(self, core: Database, runs: Runs) -> None:
        self._core = core
        self._runs = runs

    # Reading

    def has_snapshot(self, run_id: int) -> bool:
        self._runs.get_row(run_id)
        return self._core.row("select 1 from snapshot where run_id = ?", run_id) is not None

    def snapshot(self, run_id: int) -> MarketSnapshot:
        """Return the market snapshot of a run; `BadUsage` if it ended before it had one."""
        text = decompress_text(self._snapshot_column(run_id, "data"), f"the snapshot of R{run_id}")
        return decode_body(MarketSnapshot, text, f"the snapshot of R{run_id}")

    def quality(self, run_id: int) -> QualityReport:
        return decode_body(QualityReport, self._snapshot_column(run_id, "quality"), f"the quality report of R{run_id}")

    def settings(self, run_id: int) -> "DecisionSettings":
        """Return the settings of the run."""
        from spy32.settings.deciding import DecisionSettings

        return decode_body(DecisionSettings, self._snapshot_column(run_id, "deciding"), f"the settings of R{run_id}")

    def rate(self, run_id: int) -> float | None:
        """Return the short rate of the run's settings, a fraction a year; None if none are stored."""
        row = self._core.row(
            "select json_extract(deciding, '$.market.rate') as rate from snapshot where run_id = ?", run_id
        )
        return row["rate"] if row is not None else None

    def briefing(self, run_id: int) -> "Briefing | None":
        """Return the figures that the analyst was given; None if none are stored."""
        self._runs.get_row(run_id)
        row = self._core.row("select briefing from snapshot where run_id = ?", run_id)
        return parse_briefing(row["briefing"], run_id) if row is not None else None

    def _snapshot_column(self, run_id: int, column: str) -> Any:  # bytes or text, by column
        self._runs.get_row(run_id)
        row = self._core.row(f"select {column} as seen from snapshot where run_id = ?", run_id)
        if row is None or row["seen"] is None:
            raise BadUsage(f"R{run_id} ended before anything was kept of what it saw")
        return row["seen"]

    def menu(self, run_id: int, *, rejected: bool = True) -> Menu | None:
        """Return the menu of the run; with its dropped spreads if `rejected`."""
        dropped = "dropped" if rejected else "null"
        with self._core.read_transaction():
            self._runs.get_row(run_id)
            row = self._core.row(f"select body, {dropped} as dropped from menu where run_id = ?", run_id)
            if row is None:
                return None
            rows = self._core.rows("select body from candidate where run_id = ? order by position", run_id)
        where = f"the menu of R{run_id}"
        rejected_spreads: tuple[RejectedSpread, ...] = ()
        if rejected:
            rejected_spreads = decode_items(RejectedSpread, decompress_text(row["dropped"], where), where)
        menu = decode_body(Menu, row["body"], where, candidates=[], dropped=[])
        candidates = tuple(decode_body(Candidate, each["body"], where) for each in rows)
        return Menu(candidates=candidates, dropped=rejected_spreads, seed=menu.seed, notes=menu.notes)

    def candidate(self, run_id: int, candidate_id: str | None) -> Candidate | None:
        """Return one candidate of the run's menu without reading the others; None when it has no such one."""
        row = self._core.row("select body from candidate where run_id = ? and candidate_id = ?", run_id, candidate_id)
        return decode_body(Candidate, row["body"], f"the menu of R{run_id}") if row is not None else None

    def market(self, run_id: int) -> MarketSummary | None:
        """Return the market of the run in one line; None if it ended before it had one."""
        row = self._core.row("select line from snapshot where run_id = ?", run_id)
        return decode_body(MarketSummary, row["line"], f"the market of R{run_id}") if row is not None else None

    def answers(self, run_id: int) -> tuple[tuple[AnswerRole, Recommendation], ...]:
        """Return every answer with its role, oldest first."""
        self._runs.get_row(run_id)
        rows = self._core.rows("select role, body from answer where run_id = ? order by id", run_id)
        where = f"an answer of R{run_id}"
        return tuple((AnswerRole(row["role"]), decode_body(Recommendation, row["body"], where)) for row in rows)

    def answers_of_prompts(self, versions: tuple[str, ...]) -> tuple[tuple[int, Recommendation], ...]:
        """Return every answer to these prompt versions with its run, oldest first; without those of runs whose
        proposal nobody has decided on yet."""
        marks = ", ".join("?" * len(versions))
        rows = self._core.rows(
            f"""select run_id, body from answer where json_extract(body, '$.prompt') in ({marks})
                and run_id not in ({UNDECIDED_RUNS}) order by id""",
            *versions,
        )
        return tuple(
            (row["run_id"], decode_body(Recommendation, row["body"], f"an answer of R{row['run_id']}")) for row in rows
        )

    def recommendation(self, run_id: int) -> Recommendation | None:
        """The run's choice: the newest answer of role `chosen`."""
        row = self._core.row(
            "select body from answer where run_id = ? and role = 'chosen' order by id desc limit 1", run_id
        )
        return decode_body(Recommendation, row["body"], f"an answer of R{run_id}") if row is not None else None

    def raw_answers(self, run_id: int) -> tuple[RawAnswer, ...]:
        """Return every answer with its request and response, oldest first."""
        self._runs.get_row(run_id)
        rows = self._core.rows("select * from answer where run_id = ? order by id", run_id)
        return tuple(_raw_answer(row) for row in rows)

    def ruling(self, run_id: int) -> RiskDecision | None:
        text = self._runs.get_row(run_id)["ruling"]
        return decode_body(RiskDecision, text, f"the ruling of R{run_id}") if text is not None else None

    # Writing

    def save_snapshot(  # noqa: PLR0913 - everything that is kept of what was seen
        self,
        run_id: int,
        snapshot: MarketSnapshot,
        quality: QualityReport,
        line: MarketSummary,
        at: datetime,
        *,
        deciding: "DecisionSettings | None" = None,
        briefing: "Briefing | None" = None,
    ) -> None:
        """Store the snapshot, compressed, with its summary, its quality report and the settings.

        `briefing` holds the figures for the analyst; they keep their order.
        """
        data = compress_text(canonical_json(snapshot))
        with self._runs.run_transaction(run_id, at, "snapshot kept") as change:
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
        """Store the candidates as rows and the dropped spreads as one compressed list."""
        with self._runs.run_transaction(run_id, at, "menu kept") as change:
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
        role: AnswerRole,
        at: datetime,
        request: str = "",
        response: str = "",
    ) -> None:
        """Store one answer with its exact request and response. The newest with role `chosen` is the run's choice."""
        with self._runs.run_transaction(run_id, at, f"answer kept as {role}", even_ended=True) as change:
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
        """Store the risk decision. One on a person's other choice replaces it; the history has both."""
        with self._runs.run_transaction(run_id, at, "ruling kept", even_ended=True) as change:
            change.update("run", run_id, ruling=canonical_json(ruling))


def briefing_text(briefing: "Briefing") -> str:
    """Return canonical JSON with the figures as a list of pairs, since sorted keys would lose their order."""
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


@row_decoder("answer")
def _raw_answer(row: sqlite3.Row) -> RawAnswer:
    return RawAnswer(
        role=AnswerRole(row["role"]),
        at=parse_instant(row["at"]),
        recommendation=decode_body(Recommendation, row["body"], f"answer {row['id']}"),
        request=row["request"],
        response=row["response"],
    )
