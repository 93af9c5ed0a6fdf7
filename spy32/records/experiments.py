"""Experiments: registered in the hash chain before their first outcome, and the choices that they compare."""

import sqlite3
from datetime import datetime

from spy32.domain.experiments import Experiment, ExperimentTerms
from spy32.domain.outcomes import MenuChoice
from spy32.domain.proposals import Decision
from spy32.errors import Refused
from spy32.records.base import Records, WriteTransaction
from spy32.records.encoding import decode_row
from spy32.records.proposals import HIDDEN_ANSWERS

_CHOICES = f"""select run.id as run_id, run.started_at, answer.analyst, answer.decision,
    json_extract(answer.body, '$.prompt') as prompt, json_extract(answer.body, '$.candidate_id') as candidate_id,
    json_extract(answer.body, '$.probability') as stated, json_array_length(answer.body, '$.vetoes') as vetoes
    from answer join run on run.id = answer.run_id
    where run.profile = ? and run.started_at >= ? and answer.role in ('chosen', 'shadow')
        and answer.id not in ({HIDDEN_ANSWERS}) order by answer.id"""


class Experiments(Records):
    """Registered comparisons. None is deleted; one ends when something of its terms changes."""

    def register(self, terms: ExperimentTerms, at: datetime) -> Experiment:
        """Store the terms and return the experiment; `Refused` while one of the same pair runs."""
        with self._core.write_transaction(at, "experiment registered") as change:
            running = (each for each in self.select() if each.is_running(at))
            same = next((each for each in running if _pair(each.terms) == _pair(terms)), None)
            if same is not None:
                raise Refused(
                    f"{same.name} compares {same.terms.champion} and {same.terms.challenger} since {same.at:%Y-%m-%d}"
                )
            number = _insert(change, terms)
        return self.get(number)

    def renew(self, experiment: Experiment, terms: ExperimentTerms, at: datetime) -> Experiment:
        """End an experiment and register another in its place, in one transaction; return the new one.

        Outcomes of the runs of the ended one still count for it.
        """
        with self._core.write_transaction(at, "experiment renewed") as change:
            change.update("experiment", experiment.id, ended_at=change.at)
            number = _insert(change, terms)
        return self.get(number)

    def get(self, experiment_id: int) -> Experiment:
        return next(each for each in self.select() if each.id == experiment_id)

    def select(self) -> tuple[Experiment, ...]:
        """Return every experiment, oldest first."""
        return self._core.select(_experiment, "select * from experiment order by id")

    def choices(self, profile: str, since: datetime) -> tuple[MenuChoice, ...]:
        """Return what each analyst chose in the runs of a profile since then, in the order of their
        answers. An answer that failed or was vetoed trades nothing. The hidden ones are left out."""
        return self._core.select(_choice, _CHOICES, profile, since)


def _insert(change: WriteTransaction, terms: ExperimentTerms) -> int:
    number = change.insert("experiment", at=change.at, body=terms)
    change.subject = f"E{number}"
    return number


def _pair(terms: ExperimentTerms) -> tuple[frozenset[str], str, str]:
    return frozenset((terms.champion, terms.challenger)), terms.metric, terms.profile


def _experiment(row: sqlite3.Row) -> Experiment:
    return decode_row(Experiment, row, "experiment", terms=row["body"])


def _choice(row: sqlite3.Row) -> MenuChoice:
    is_traded = row["decision"] == Decision.TRADE and not row["vetoes"]
    return decode_row(
        MenuChoice,
        row,
        "answer",
        at=row["started_at"],
        chooser=" ".join(part for part in (row["analyst"], row["prompt"]) if part),
        candidate_id=row["candidate_id"] if is_traded else None,
    )
