"""Requests to a model: stored before they are sent, answered once, and counted against the budgets."""

import sqlite3
from datetime import datetime
from typing import TYPE_CHECKING

from spy32.domain.answer_role import AnswerRole
from spy32.domain.codec import canonical_json
from spy32.errors import BadUsage, Refused
from spy32.records.base import Database
from spy32.records.encoding import (
    clamp_count,
    compress_text,
    decode_body,
    decompress_text,
    format_instant,
    optional_storable_text,
    parse_instant,
    row_decoder,
    storable_text,
)
from spy32.records.runs import Runs

if TYPE_CHECKING:
    from spy32.domain.model_calls import ModelCall, ModelRequest, ModelResponse, ResponseCheck, UsageSummary

SPENT_TICKS = "select sum(case when ended_at is null then estimate_ticks else cost_ticks end) from attempt"
ATTEMPTS_AND_VERDICTS = """select attempt.*, parser, decision, candidate_id, body
    from attempt left join verdict on verdict.attempt_id = attempt.id"""
USAGE_BY_ROLE = """select role, prompt, count(*) as attempts, count(*) - count(ended_at) as unanswered,
    total(ms) as ms, total(input_tokens) as input_tokens, total(cached_tokens) as cached_tokens,
    total(output_tokens) as output_tokens, total(reasoning_tokens) as reasoning_tokens,
    sum(case when ended_at is null then estimate_ticks else cost_ticks end) as cost_ticks,
    max(coalesce(is_estimate, 1)) as is_estimate,
    json_group_array(distinct model) as asked,
    json_group_array(distinct model_answered) filter (where model_answered is not null) as answered,
    (select json_group_array(distinct earlier.run_id) from attempt as earlier join attempt as mine
        on mine.prompt_hash = earlier.prompt_hash and mine.input_hash = earlier.input_hash
        where mine.run_id = attempt.run_id and mine.role = attempt.role and mine.prompt = attempt.prompt
        and earlier.run_id < mine.run_id
        and julianday(mine.begun_at) - julianday(earlier.begun_at) <= 7) as asked_before
    from attempt where run_id = ? group by role, prompt order by min(id)"""


class ModelCalls:
    """The log of model requests; an analyst uses it through `ports.ModelRequestLog`."""

    def __init__(self, core: Database, runs: Runs) -> None:
        self._core = core
        self._runs = runs

    # Reading

    def select_by_run(self, run_id: int) -> "tuple[ModelCall, ...]":
        """Return every request of a run with the bodies exactly as sent and received, oldest first."""
        self._runs.get_row(run_id)
        return tuple(
            _model_call(row)
            for row in self._core.rows(f"{ATTEMPTS_AND_VERDICTS} where run_id = ? order by attempt.id", run_id)
        )

    def usage_summaries(self, run_id: int) -> "tuple[UsageSummary, ...]":
        """Return requests, tokens and cost by role and prompt, in the order first asked; no body is read."""
        return tuple(_usage_summary(row) for row in self._core.rows(USAGE_BY_ROLE, run_id))

    def ticks_since(self, since: datetime) -> int:
        """Return the ticks (10^10 a dollar) of all requests since then; one without a bill counts with its estimate."""
        return self._sum_ticks(f"{SPENT_TICKS} where begun_at >= ?", format_instant(since))

    def run_ticks(self, run_id: int) -> int:
        """Return the ticks of the run's own requests, without later `ask again`s; estimates count until billed."""
        return self._sum_ticks(f"{SPENT_TICKS} where run_id = ? and role <> 'again'", run_id)

    def _sum_ticks(self, sql: str, value: object) -> int:
        row = self._core.row(sql, value)
        return row[0] or 0 if row is not None else 0

    # Writing

    def begin(self, run_id: int, attempt: "ModelRequest", at: datetime) -> int:
        """Store a request before it is sent. The run may have ended: it can be asked about again."""
        with self._runs.run_transaction(run_id, at, f"{attempt.role} asks", even_ended=True) as change:
            return change.insert(
                "attempt",
                run_id=run_id,
                role=attempt.role,
                sample=attempt.sample,
                attempt=attempt.attempt,
                prompt=storable_text(attempt.prompt),
                prompt_hash=attempt.prompt_hash,
                input_hash=attempt.input_hash,
                model=storable_text(attempt.model),
                effort=storable_text(attempt.effort),
                estimate_ticks=clamp_count(attempt.estimate_ticks),
                begun_at=change.at,
                request=compress_text(attempt.request),
            )

    def end(self, attempt_id: int, response: "ModelResponse", at: datetime) -> None:
        """Store the response to a request, once; `Refused` if it already has one."""
        with self._core.write_transaction(at, f"attempt {storable_text(response.outcome)}") as change:
            row = self._core.row("select run_id, ended_at, outcome from attempt where id = ?", attempt_id)
            if row is None:
                raise BadUsage(f"there is no attempt {attempt_id} to answer")
            if row["ended_at"] is not None:
                raise Refused(f"attempt {attempt_id} ended already: {row['outcome']} at {row['ended_at']}")
            change.subject = f"R{row['run_id']}"
            change.update(
                "attempt",
                attempt_id,
                ended_at=change.at,
                outcome=storable_text(response.outcome),
                detail=storable_text(response.detail),
                status=response.status,
                model_answered=optional_storable_text(response.model),
                fingerprint=optional_storable_text(response.fingerprint),
                request_id=optional_storable_text(response.request_id),
                ms=clamp_count(response.ms),
                input_tokens=clamp_count(response.input_tokens),
                cached_tokens=clamp_count(response.cached_tokens),
                output_tokens=clamp_count(response.output_tokens),
                reasoning_tokens=clamp_count(response.reasoning_tokens),
                cost_ticks=clamp_count(response.cost_ticks),
                is_estimate=response.is_estimate,
                response=compress_text(response.response),
                words=compress_text(response.text) if response.text is not None else None,
            )

    def record_check(self, attempt_id: int, check: "ResponseCheck", at: datetime) -> None:
        """Store the result of checking a response, once; `Refused` if there is one already."""
        with self._core.write_transaction(at, f"answer checked: {storable_text(check.check) or 'passed'}") as change:
            row = self._core.row(f"{ATTEMPTS_AND_VERDICTS} where attempt.id = ?", attempt_id)
            if row is None or row["ended_at"] is None:
                raise BadUsage(f"there is no answer of attempt {attempt_id} to check")
            if row["parser"] is not None:
                raise Refused(f"the answer of attempt {attempt_id} was checked already: {row['decision']}")
            change.subject = f"R{row['run_id']}"
            change.insert(
                "verdict",
                attempt_id=attempt_id,
                at=change.at,
                parser=check.parser,
                decision=storable_text(check.decision),
                candidate_id=optional_storable_text(check.candidate_id),
                body=canonical_json(
                    {
                        "check": storable_text(check.check),
                        "words": storable_text(check.words),
                        "marks": [storable_text(mark) for mark in check.marks],
                        "vetoes": [storable_text(veto) for veto in check.vetoes],
                    }
                ),
            )


@row_decoder("attempt")
def _model_call(row: sqlite3.Row) -> "ModelCall":
    from spy32.domain.model_calls import ModelCall, ModelRequest

    where = f"attempt {row['id']} of R{row['run_id']}"
    attempt = ModelRequest(
        role=AnswerRole(row["role"]),
        sample=row["sample"],
        attempt=row["attempt"],
        prompt=row["prompt"],
        prompt_hash=row["prompt_hash"],
        input_hash=row["input_hash"],
        model=row["model"],
        effort=row["effort"],
        request=decompress_text(row["request"], where),
        estimate_ticks=row["estimate_ticks"],
    )
    return ModelCall(
        id=row["id"],
        at=parse_instant(row["begun_at"]),
        attempt=attempt,
        heard=_model_response(row, where) if row["ended_at"] is not None else None,
        checked=_response_check(row, where) if row["parser"] is not None else None,
    )


def _response_check(row: sqlite3.Row, where: str) -> "ResponseCheck":
    from spy32.domain.model_calls import ResponseCheck

    columns = {name: row[name] for name in ("parser", "decision", "candidate_id")}
    return decode_body(ResponseCheck, row["body"], where, **columns)


def _model_response(row: sqlite3.Row, where: str) -> "ModelResponse":
    from spy32.domain.model_calls import ModelResponse

    return ModelResponse(
        outcome=row["outcome"],
        detail=row["detail"],
        status=row["status"],
        response=decompress_text(row["response"], where),
        text=decompress_text(row["words"], where) if row["words"] is not None else None,
        model=row["model_answered"],
        fingerprint=row["fingerprint"],
        request_id=row["request_id"],
        ms=row["ms"],
        input_tokens=row["input_tokens"],
        cached_tokens=row["cached_tokens"],
        output_tokens=row["output_tokens"],
        reasoning_tokens=row["reasoning_tokens"],
        cost_ticks=row["cost_ticks"],
        is_estimate=bool(row["is_estimate"]),
    )


@row_decoder("the attempts of a run")
def _usage_summary(row: sqlite3.Row) -> "UsageSummary":
    import json

    from spy32.domain.model_calls import UsageSummary

    return UsageSummary(
        role=AnswerRole(row["role"]),
        prompt=row["prompt"],
        attempts=row["attempts"],
        unanswered=row["unanswered"],
        ms=int(row["ms"]),
        input_tokens=int(row["input_tokens"]),
        cached_tokens=int(row["cached_tokens"]),
        output_tokens=int(row["output_tokens"]),
        reasoning_tokens=int(row["reasoning_tokens"]),
        cost_ticks=row["cost_ticks"],
        is_estimate=bool(row["is_estimate"]),
        asked=tuple(json.loads(row["asked"])),
        answered=tuple(json.loads(row["answered"])),
        asked_before=tuple(sorted(json.loads(row["asked_before"]))),
    )
