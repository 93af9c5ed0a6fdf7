"""Requests to a model: stored before they are sent, answered once, and counted against the budgets."""

import fcntl
import os
import re
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from datetime import datetime, time
from pathlib import Path
from typing import TYPE_CHECKING

from spy32.domain.spreads import Mode
from spy32.errors import BadUsage, CannotCreate, Refused, Spy32Error, StoreError
from spy32.records.base import Database, Records, store_errors
from spy32.records.connection import open_read_only
from spy32.records.encoding import (
    clamp_count,
    columns_of,
    compress_text,
    decode_body,
    decode_row,
    decompress_text,
    format_instant,
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


SPENDING_FILE = "model-spending.txt"
LINE_PATTERN = re.compile(r"(\d{4}-\d{2}) [a-z]+ (-?\d{1,18})", re.ASCII)


class SpendingJournal:
    """A `ports.ModelRequestLog`: requests go into the store of this mode, and the month is summed for the home.

    Each line of `model-spending.txt` beside the databases is a month, a mode and ticks (10^10 a dollar): the most that
    a request may cost before it is sent, and the difference to its bill afterwards. So restoring or losing a database
    lowers no sum. If the databases hold more than the file, the databases count.
    """

    def __init__(self, core: Database, model_calls: ModelCalls, databases: Mapping[Mode, Path]) -> None:
        self._mode = core.mode
        self._model_calls = model_calls
        self._others = [path for mode, path in databases.items() if mode is not core.mode]
        self._path = core.path.with_name(SPENDING_FILE)
        self._asked: dict[int, tuple[str, int]] = {}
        """Month and estimate of each request without a bill."""

    def begin(self, run_id: int, attempt: "ModelRequest", at: datetime) -> int:
        """Add the estimate to the file, then store the request."""
        month, estimate = _month_key(at), clamp_count(attempt.estimate_ticks)
        self._add_ticks(month, estimate, known=self._database_ticks(month_start(at)))
        number = self._model_calls.begin(run_id, attempt, at)
        self._asked[number] = (month, estimate)
        return number

    def end(self, attempt_id: int, response: "ModelResponse", at: datetime) -> None:
        self._model_calls.end(attempt_id, response, at)
        month, estimate = self._asked.pop(attempt_id)
        self._add_ticks(month, clamp_count(response.cost_ticks) - estimate)

    def record_check(self, attempt_id: int, check: "ResponseCheck", at: datetime) -> None:
        self._model_calls.record_check(attempt_id, check, at)

    def ticks_since(self, since: datetime) -> int:
        """Return the ticks of the month that begins then, over all modes."""
        return max(self._file_ticks(_month_key(since)), self._database_ticks(since))

    def run_ticks(self, run_id: int) -> int:
        return self._model_calls.run_ticks(run_id)

    def _database_ticks(self, since: datetime) -> int:
        return self._model_calls.ticks_since(since) + sum(_database_spending(path, since) for path in self._others)

    def _file_ticks(self, month: str) -> int:
        try:
            return _month_total(self._path.read_text(encoding="utf-8", errors="replace"), month, self._path)
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise StoreError(f"{self._path} cannot be read ({error.strerror}); nothing is asked before") from None

    def _add_ticks(self, month: str, ticks: int, *, known: int = 0) -> None:
        """Add to the file, with what the databases have `known` beyond it."""
        try:
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            with os.fdopen(handle, "r+b", buffering=0) as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                total = _month_total(file.read().decode(errors="replace"), month, self._path)
                # A line that a power cut left half written stays a line of its own.
                file.write(f"\n{month} {self._mode} {ticks + max(known - total, 0)}\n".encode())
                os.fsync(file.fileno())
        except OSError as error:
            raise CannotCreate(f"{self._path} cannot be written ({error.strerror}); nothing is asked before") from None


def _month_total(text: str, month: str, path: Path) -> int:
    """Return the ticks of a month; `StoreError` names a line that is no amount, since its amount is unknown."""
    total = 0
    for number, line in enumerate(text.splitlines(), 1):
        if not line:
            continue
        match = LINE_PATTERN.fullmatch(line)
        if match is None:
            raise StoreError(f"line {number} of {path} is not a month, a mode and an amount; mend or remove that line")
        total += int(match[2]) if match[1] == month else 0
    return total


def _database_spending(path: Path, since: datetime) -> int:
    """Return the ticks in another mode's database; if it is missing or unreadable, only the file counts."""
    if not path.exists():
        return 0
    try:
        with closing(open_read_only(path)) as db, store_errors(path):
            return int(db.execute(f"{SPENT_TICKS} where begun_at >= ?", (format_instant(since),)).fetchone()[0] or 0)
    except Spy32Error:
        return 0


def month_start(at: datetime) -> datetime:
    """Return when the New York month of an instant began."""
    from spy32.sessions import market_date, new_york_instant

    return new_york_instant(market_date(at).replace(day=1), time(0))


def _month_key(at: datetime) -> str:
    from spy32.sessions import market_date

    return f"{market_date(at):%Y-%m}"
