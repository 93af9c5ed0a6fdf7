"""Requests to a model: written down before they leave, answered once, and counted against the budgets."""

import sqlite3
from datetime import datetime
from typing import TYPE_CHECKING

from spy32.domain.codec import canonical
from spy32.errors import Refused, Usage
from spy32.records.runs import Runs
from spy32.records.values import counted, instant, maybe_storable, packed, reads_row, revive, storable, unpacked, when

if TYPE_CHECKING:
    from spy32.domain.asking import Asked, Attempt, Checked, Heard, Tally

SPENT = "select sum(case when ended_at is null then estimate_ticks else cost_ticks end) from attempt"
ATTEMPTS_AND_VERDICTS = """select attempt.*, parser, decision, candidate_id, body
    from attempt left join verdict on verdict.attempt_id = attempt.id"""
TALLY = """select role, prompt, count(*) as attempts, count(*) - count(ended_at) as unanswered,
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


class Asking(Runs):
    """The journal of attempts; `ports.Journal` is what an analyst sees of it."""

    # Reading

    def attempts(self, run_id: int) -> "tuple[Asked, ...]":
        """Every attempt with the bodies exactly as sent and received, oldest first."""
        self.run_row(run_id)
        return tuple(
            _asked(row) for row in self.rows(f"{ATTEMPTS_AND_VERDICTS} where run_id = ? order by attempt.id", run_id)
        )

    def tallies(self, run_id: int) -> "tuple[Tally, ...]":
        """Attempts, tokens and cost by role and prompt, in the order first asked; no body is read."""
        return tuple(_tally(row) for row in self.rows(TALLY, run_id))

    def spent_since(self, since: datetime) -> int:
        """Ticks of every attempt begun since then; one without a bill counts with its estimate."""
        return self._spent(f"{SPENT} where begun_at >= ?", instant(since))

    def spent_of_run(self, run_id: int) -> int:
        """Ticks of the run's own attempts; one without a bill counts with its estimate, asking again later does not."""
        return self._spent(f"{SPENT} where run_id = ? and role <> 'again'", run_id)

    def _spent(self, sql: str, value: object) -> int:
        row = self.row(sql, value)
        return row[0] or 0 if row is not None else 0

    # Writing

    def begin_attempt(self, run_id: int, attempt: "Attempt", at: datetime) -> int:
        """Commit what is about to be asked, before it leaves. A run that has ended may be asked about again."""
        with self._on_run(run_id, at, f"{attempt.role} asks", even_ended=True) as change:
            return change.insert(
                "attempt",
                run_id=run_id,
                role=attempt.role,
                sample=attempt.sample,
                attempt=attempt.attempt,
                prompt=storable(attempt.prompt),
                prompt_hash=attempt.prompt_hash,
                input_hash=attempt.input_hash,
                model=storable(attempt.model),
                effort=storable(attempt.effort),
                estimate_ticks=counted(attempt.estimate_ticks),
                begun_at=change.at,
                request=packed(attempt.request),
            )

    def end_attempt(self, attempt_id: int, heard: "Heard", at: datetime) -> None:
        """What came of an attempt, once; `Refused` when it has been answered before."""
        with self.changing(at, f"attempt {storable(heard.outcome)}") as change:
            row = self.row("select run_id, ended_at, outcome from attempt where id = ?", attempt_id)
            if row is None:
                raise Usage(f"there is no attempt {attempt_id} to answer")
            if row["ended_at"] is not None:
                raise Refused(f"attempt {attempt_id} ended already: {row['outcome']} at {row['ended_at']}")
            change.subject = f"R{row['run_id']}"
            change.update(
                "attempt",
                attempt_id,
                ended_at=change.at,
                outcome=storable(heard.outcome),
                detail=storable(heard.detail),
                status=heard.status,
                model_answered=maybe_storable(heard.model),
                fingerprint=maybe_storable(heard.fingerprint),
                request_id=maybe_storable(heard.request_id),
                ms=counted(heard.ms),
                input_tokens=counted(heard.input_tokens),
                cached_tokens=counted(heard.cached_tokens),
                output_tokens=counted(heard.output_tokens),
                reasoning_tokens=counted(heard.reasoning_tokens),
                cost_ticks=counted(heard.cost_ticks),
                is_estimate=heard.is_estimate,
                response=packed(heard.response),
                words=packed(heard.text) if heard.text is not None else None,
            )

    def check_attempt(self, attempt_id: int, checked: "Checked", at: datetime) -> None:
        """What the checks made of an attempt's words, once; `Refused` when that is on record already."""
        with self.changing(at, f"answer checked: {storable(checked.check) or 'passed'}") as change:
            row = self.row(f"{ATTEMPTS_AND_VERDICTS} where attempt.id = ?", attempt_id)
            if row is None or row["ended_at"] is None:
                raise Usage(f"there is no answer of attempt {attempt_id} to check")
            if row["parser"] is not None:
                raise Refused(f"the answer of attempt {attempt_id} was checked already: {row['decision']}")
            change.subject = f"R{row['run_id']}"
            change.insert(
                "verdict",
                attempt_id=attempt_id,
                at=change.at,
                parser=checked.parser,
                decision=storable(checked.decision),
                candidate_id=maybe_storable(checked.candidate_id),
                body=canonical(
                    {
                        "check": storable(checked.check),
                        "words": storable(checked.words),
                        "marks": [storable(mark) for mark in checked.marks],
                        "vetoes": [storable(veto) for veto in checked.vetoes],
                    }
                ),
            )


@reads_row("attempt")
def _asked(row: sqlite3.Row) -> "Asked":
    from spy32.domain.asking import Asked, Attempt

    where = f"attempt {row['id']} of R{row['run_id']}"
    attempt = Attempt(
        role=row["role"],
        sample=row["sample"],
        attempt=row["attempt"],
        prompt=row["prompt"],
        prompt_hash=row["prompt_hash"],
        input_hash=row["input_hash"],
        model=row["model"],
        effort=row["effort"],
        request=unpacked(row["request"], where),
        estimate_ticks=row["estimate_ticks"],
    )
    return Asked(
        id=row["id"],
        at=when(row["begun_at"]),
        attempt=attempt,
        heard=_heard(row, where) if row["ended_at"] is not None else None,
        checked=_checked(row, where) if row["parser"] is not None else None,
    )


def _checked(row: sqlite3.Row, where: str) -> "Checked":
    from spy32.domain.asking import Checked

    columns = {name: row[name] for name in ("parser", "decision", "candidate_id")}
    return revive(Checked, row["body"], where, **columns)


def _heard(row: sqlite3.Row, where: str) -> "Heard":
    from spy32.domain.asking import Heard

    return Heard(
        outcome=row["outcome"],
        detail=row["detail"],
        status=row["status"],
        response=unpacked(row["response"], where),
        text=unpacked(row["words"], where) if row["words"] is not None else None,
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


@reads_row("the attempts of a run")
def _tally(row: sqlite3.Row) -> "Tally":
    import json

    from spy32.domain.asking import Tally

    return Tally(
        role=row["role"],
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
