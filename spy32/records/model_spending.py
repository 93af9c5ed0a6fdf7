"""Model costs of a home by month, over all modes, independent of its databases.

Each line of `model-spending.txt` beside the databases is a month, a mode and ticks (10^10 a dollar): the most that a
request may cost before it is sent, and the difference to its bill afterwards. So restoring or losing a database lowers
no sum. If the databases hold more than the file, the databases count.
"""

import fcntl
import os
import re
from collections.abc import Mapping
from contextlib import closing
from datetime import datetime, time
from pathlib import Path
from typing import TYPE_CHECKING

from spy32.domain.spreads import Mode
from spy32.errors import CannotCreate, Spy32Error, StoreError
from spy32.records.base import Database
from spy32.records.connection import open_read_only
from spy32.records.encoding import clamp_count, format_instant
from spy32.records.errors import store_errors
from spy32.records.model_calls import SPENT_TICKS, ModelCalls

if TYPE_CHECKING:
    from spy32.domain.model_calls import ModelRequest, ModelResponse, ResponseCheck

SPENDING_FILE = "model-spending.txt"
LINE_PATTERN = re.compile(r"(\d{4}-\d{2}) [a-z]+ (-?\d{1,18})", re.ASCII)


class SpendingJournal:
    """A `ports.ModelRequestLog`: requests go into the store of this mode, and the month is summed for the home."""

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
