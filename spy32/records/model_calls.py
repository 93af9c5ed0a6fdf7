"""Requests to a model: stored before they are sent, answered once, and counted against the budgets."""

import sqlite3
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from spy32.errors import BadUsage, Refused
from spy32.records.base import Records
from spy32.records.encoding import (
    clamp_count,
    columns_of,
    compress_text,
    decode_body,
    decode_row,
    decompress_text,
    json_body,
)
from spy32.records.runs import run_transaction

if TYPE_CHECKING:
    from spy32.domain.model_calls import ModelCall, ModelRequest, ModelResponse, ResponseCheck, UsageSummary

COUNTS = ("ms", "input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens", "cost_ticks")
"""What a service counts in a response."""
CHECK_COLUMNS = ("parser", "decision", "candidate_id")
"""Fields of a check that are columns and not part of its JSON body."""
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


class ModelCalls(Records):
    """The log of model requests; an analyst uses it through `ports.ModelRequestLog`."""

    # Reading

    def select_by_run(self, run_id: int) -> "tuple[ModelCall, ...]":
        """Return every request of a run with the bodies exactly as sent and received, oldest first."""
        self._core.get_row("run", run_id)
        return self._core.select(_model_call, f"{ATTEMPTS_AND_VERDICTS} where run_id = ? order by attempt.id", run_id)

    def usage_summaries(self, run_id: int) -> "tuple[UsageSummary, ...]":
        """Return requests, tokens and cost by role and prompt, in the order first asked; no body is read."""
        return self._core.select(_usage_summary, USAGE_BY_ROLE, run_id)

    def ticks_since(self, since: datetime) -> int:
        """Return the ticks (10^10 a dollar) of all requests since then; one without a bill counts with its estimate."""
        return self._core.total(f"{SPENT_TICKS} where begun_at >= ?", since)

    def run_ticks(self, run_id: int) -> int:
        """Return the ticks of the run's own requests, without later `ask again`s; estimates count until billed."""
        return self._core.total(f"{SPENT_TICKS} where run_id = ? and role <> 'again'", run_id)

    # Writing

    def begin(self, run_id: int, attempt: "ModelRequest", at: datetime) -> int:
        """Store a request before it is sent. The run may have ended: it can be asked about again."""
        columns = columns_of(attempt) | {
            "estimate_ticks": clamp_count(attempt.estimate_ticks),
            "request": compress_text(attempt.request),
        }
        with run_transaction(self._core, run_id, at, f"{attempt.role} asks", even_ended=True) as change:
            return change.insert("attempt", run_id=run_id, begun_at=change.at, **columns)

    def end(self, attempt_id: int, response: "ModelResponse", at: datetime) -> None:
        """Store the response to a request, once; `Refused` if it already has one."""
        columns = columns_of(response, "model", "text") | {
            "model_answered": response.model,
            "response": compress_text(response.response),
            "words": compress_text(response.text) if response.text is not None else None,
        }
        columns |= {name: clamp_count(getattr(response, name)) for name in COUNTS}
        with self._core.write_transaction(at, f"attempt {response.outcome}") as change:
            row = self._core.row("select run_id, ended_at, outcome from attempt where id = ?", attempt_id)
            if row is None:
                raise BadUsage(f"there is no attempt {attempt_id} to answer")
            if row["ended_at"] is not None:
                raise Refused(f"attempt {attempt_id} ended already: {row['outcome']} at {row['ended_at']}")
            change.subject = f"R{row['run_id']}"
            change.update("attempt", attempt_id, ended_at=change.at, **columns)

    def record_check(self, attempt_id: int, check: "ResponseCheck", at: datetime) -> None:
        """Store the result of checking a response, once; `Refused` if there is one already."""
        with self._core.write_transaction(at, f"answer checked: {check.check or 'passed'}") as change:
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
                body=json_body(check, *CHECK_COLUMNS),
                **{name: getattr(check, name) for name in CHECK_COLUMNS},
            )


def _model_call(row: sqlite3.Row) -> "ModelCall":
    from spy32.domain.model_calls import ModelCall, ModelRequest, ModelResponse, ResponseCheck

    where = f"attempt {row['id']} of R{row['run_id']}"
    request = decode_row(ModelRequest, row, "attempt", request=decompress_text(row["request"], where))
    response, check = None, None
    if row["ended_at"] is not None:
        response = decode_row(
            ModelResponse,
            row,
            "attempt",
            response=decompress_text(row["response"], where),
            text=decompress_text(row["words"], where) if row["words"] is not None else None,
            model=row["model_answered"],
        )
    if row["parser"] is not None:
        check = decode_body(ResponseCheck, row["body"], where, **{name: row[name] for name in CHECK_COLUMNS})
    return decode_row(ModelCall, row, "attempt", at=row["begun_at"], attempt=request, heard=response, checked=check)


def _usage_summary(row: sqlite3.Row) -> "UsageSummary":
    from spy32.domain.model_calls import UsageSummary

    summary = decode_row(UsageSummary, row, "the attempts of a run")
    return replace(summary, asked_before=tuple(sorted(summary.asked_before)))
