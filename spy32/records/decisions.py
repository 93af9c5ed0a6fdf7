"""The input and the decision of a run: snapshot, raw documents, menu, answers and risk decision."""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from spy32.domain.answer_role import AnswerRole
from spy32.domain.codec import canonical_json, encode
from spy32.domain.findings import RiskDecision
from spy32.domain.market import MarketSnapshot, QualityReport, RawDocument
from spy32.domain.proposals import Recommendation
from spy32.domain.run_view import DocumentSummary, MarketSummary
from spy32.domain.spreads import Candidate, Menu, RejectedSpread
from spy32.domain.value import value
from spy32.errors import BadUsage
from spy32.records.base import Records
from spy32.records.encoding import (
    columns_of,
    compress_bytes,
    compress_text,
    decode_body,
    decode_items,
    decode_row,
    decompress_bytes,
    decompress_text,
    json_body,
    reading,
    row_decoder,
)
from spy32.records.proposals import UNDECIDED_RUNS
from spy32.records.runs import run_transaction

if TYPE_CHECKING:
    from spy32.domain.briefing import Briefing
    from spy32.settings.profiles import DecisionSettings


@value
class RawAnswer:
    """One answer with its exact request and response."""

    role: AnswerRole
    at: datetime
    recommendation: Recommendation
    request: str
    response: str


class Decisions(Records):
    """Snapshot, settings, menu, answers and risk decision of each run."""

    # Reading

    def has_snapshot(self, run_id: int) -> bool:
        return self._find_seen(run_id, "id") is not None

    def snapshot(self, run_id: int) -> MarketSnapshot:
        """Return the market snapshot of a run; `BadUsage` if it ended before it had one."""
        text = decompress_text(self._get_seen(run_id, "data"), f"the snapshot of R{run_id}")
        return decode_body(MarketSnapshot, text, f"the snapshot of R{run_id}")

    def quality(self, run_id: int) -> QualityReport:
        return decode_body(QualityReport, self._get_seen(run_id, "quality"), f"the quality report of R{run_id}")

    def settings(self, run_id: int) -> "DecisionSettings":
        """Return the settings of the run."""
        from spy32.settings.profiles import DecisionSettings

        return decode_body(DecisionSettings, self._get_seen(run_id, "deciding"), f"the settings of R{run_id}")

    def stored_settings(self, run_id: int) -> Mapping[str, Mapping[str, object]] | None:
        """Return the settings as stored JSON: building their classes would take longer than the rest of a view."""
        text = self._find_seen(run_id, "deciding")
        with reading(f"the settings of R{run_id}"):
            stored: Mapping[str, Mapping[str, object]] | None = json.loads(text) if text is not None else None
            return stored

    def rate(self, run_id: int) -> float | None:
        """Return the short rate of the run's settings, a fraction a year; None if none are stored."""
        rate: float | None = self._find_seen(run_id, "json_extract(deciding, '$.market.rate')")
        return rate

    def briefing(self, run_id: int) -> "Briefing | None":
        """Return the figures that the analyst was given; None if none are stored."""
        text = self._find_seen(run_id, "briefing")
        if text is None:
            return None
        from spy32.domain.briefing import Briefing

        where = f"the briefing of R{run_id}"
        with reading(where):
            return decode_body(Briefing, text, where, figures=dict(json.loads(text)["figures"]))

    def market(self, run_id: int) -> MarketSummary | None:
        """Return the market of the run in one line; None if it ended before it had one."""
        line = self._find_seen(run_id, "line")
        return decode_body(MarketSummary, line, f"the market of R{run_id}") if line is not None else None

    def _find_seen(self, run_id: int, column: str) -> Any:  # bytes or text, by column
        """Return a column of what the run saw; None if it is empty or the run ended before."""
        self._core.get_row("run", run_id)
        row = self._core.row(f"select {column} as seen from snapshot where run_id = ?", run_id)
        return row["seen"] if row is not None else None

    def _get_seen(self, run_id: int, column: str) -> Any:  # bytes or text, by column
        seen = self._find_seen(run_id, column)
        if seen is None:
            raise BadUsage(f"R{run_id} ended before anything was kept of what it saw")
        return seen

    def menu(self, run_id: int, *, rejected: bool = True) -> Menu | None:
        """Return the menu of the run; with its dropped spreads if `rejected`."""
        dropped = "dropped" if rejected else "null"
        with self._core.read_transaction():
            self._core.get_row("run", run_id)
            row = self._core.row(f"select body, {dropped} as dropped from menu where run_id = ?", run_id)
            if row is None:
                return None
            rows = self._core.rows("select body from candidate where run_id = ? order by position", run_id)
        where = f"the menu of R{run_id}"
        menu = decode_body(Menu, row["body"], where, candidates=[], dropped=[])
        return replace(
            menu,
            candidates=tuple(decode_body(Candidate, each["body"], where) for each in rows),
            dropped=decode_items(RejectedSpread, decompress_text(row["dropped"], where), where) if rejected else (),
        )

    def candidate(self, run_id: int, candidate_id: str | None) -> Candidate | None:
        """Return one candidate of the run's menu without reading the others; None when it has no such one."""
        row = self._core.row("select body from candidate where run_id = ? and candidate_id = ?", run_id, candidate_id)
        return decode_body(Candidate, row["body"], f"the menu of R{run_id}") if row is not None else None

    def answers(self, run_id: int) -> tuple[tuple[AnswerRole, Recommendation], ...]:
        """Return every answer with its role, oldest first."""
        return tuple((answer.role, answer.recommendation) for answer in self.raw_answers(run_id))

    def answers_of_prompts(self, versions: tuple[str, ...]) -> tuple[tuple[int, Recommendation], ...]:
        """Return every answer to these prompt versions with its run, oldest first; without those of runs whose
        proposal nobody has decided on yet."""
        query = f"""select * from answer where json_extract(body, '$.prompt') in (select value from json_each(?))
            and run_id not in ({UNDECIDED_RUNS}) order by id"""
        return self._core.select(lambda row: (row["run_id"], _raw_answer(row).recommendation), query, versions)

    def recommendation(self, run_id: int) -> Recommendation | None:
        """The run's choice: the newest answer of role `chosen`."""
        chosen = [answer for role, answer in self.answers(run_id) if role is AnswerRole.CHOSEN]
        return chosen[-1] if chosen else None

    def raw_answers(self, run_id: int) -> tuple[RawAnswer, ...]:
        """Return every answer with its request and response, oldest first."""
        self._core.get_row("run", run_id)
        return self._core.select(_raw_answer, "select * from answer where run_id = ? order by id", run_id)

    def ruling(self, run_id: int) -> RiskDecision | None:
        text = self._core.get_row("run", run_id)["ruling"]
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
        with run_transaction(self._core, run_id, at, "snapshot kept") as change:
            change.insert(
                "snapshot",
                run_id=run_id,
                at=change.at,
                line=line,
                quality=quality,
                deciding=deciding,
                data=data,
                briefing=_briefing_text(briefing) if briefing is not None else None,
            )

    def save_menu(self, run_id: int, menu: Menu, at: datetime) -> None:
        """Store the candidates as rows and the dropped spreads as one compressed list."""
        with run_transaction(self._core, run_id, at, "menu kept") as change:
            change.insert(
                "menu",
                run_id=run_id,
                at=change.at,
                body=json_body(menu, "candidates", "dropped"),
                dropped=compress_text(canonical_json(menu.dropped)),
            )
            for position, candidate in enumerate(menu.candidates):
                columns = {"position": position, "candidate_id": candidate.id, "body": candidate}
                change.insert("candidate", run_id=run_id, **columns)

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
        with run_transaction(self._core, run_id, at, f"answer kept as {role}", even_ended=True) as change:
            change.insert(
                "answer",
                run_id=run_id,
                role=role,
                at=change.at,
                analyst=recommendation.analyst,
                decision=recommendation.decision,
                cost_ticks=recommendation.cost_ticks,
                body=recommendation,
                request=request,
                response=response,
            )

    def save_ruling(self, run_id: int, ruling: RiskDecision, at: datetime) -> None:
        """Store the risk decision. One on a person's other choice replaces it; the history has both."""
        with run_transaction(self._core, run_id, at, "ruling kept", even_ended=True) as change:
            change.update("run", run_id, ruling=ruling)


def _briefing_text(briefing: "Briefing") -> str:
    """Return canonical JSON with the figures as a list of pairs, since sorted keys would lose their order."""
    fields = encode(briefing)
    return canonical_json({**fields, "figures": list(fields["figures"].items())})


def _raw_answer(row: sqlite3.Row) -> RawAnswer:
    return decode_row(RawAnswer, row, "answer", recommendation=row["body"])


class Documents(Records):
    """The raw documents of runs."""

    def save(self, run_id: int, documents: Sequence[RawDocument], at: datetime) -> None:
        """Store the documents of a run; without any nothing is written."""
        bodies = [compress_bytes(document.body) for document in documents]
        with run_transaction(self._core, run_id, at, "documents kept") as change:
            for document, body in zip(documents, bodies, strict=True):
                columns = columns_of(document, "body")
                change.insert("document", run_id=run_id, size=len(document.body), body=body, **columns)

    def select_by_run(self, run_id: int) -> tuple[RawDocument, ...]:
        """Return every document of the run with its body, in the order stored."""
        self._core.get_row("run", run_id)
        return self._core.select(_document, "select * from document where run_id = ? order by id", run_id)

    def summaries(self, run_id: int) -> tuple[DocumentSummary, ...]:
        """Return the documents without their bodies; nothing is decompressed."""
        self._core.get_row("run", run_id)
        query = "select id, source, name, at, size from document where run_id = ? order by id"
        return self._core.select(row_decoder(DocumentSummary, "document"), query, run_id)


def _document(row: sqlite3.Row) -> RawDocument:
    body = decompress_bytes(row["body"], f"document {row['id']} of R{row['run_id']}")
    return decode_row(RawDocument, row, "document", body=body)
