"""What came of each candidate of a menu."""

from spy32.domain.outcomes import Outcome
from spy32.records.base import Database
from spy32.records.encoding import decode_body


class Outcomes:
    """Outcomes of the candidates of each run."""

    def __init__(self, core: Database) -> None:
        self._core = core

    def select(self, run_id: int) -> tuple[Outcome, ...]:
        """Return the outcomes of a run's candidates; empty before the first is computed."""
        rows = self._core.rows("select body from outcome where run_id = ? order by id", run_id)
        return tuple(decode_body(Outcome, row["body"], f"an outcome of R{run_id}") for row in rows)
