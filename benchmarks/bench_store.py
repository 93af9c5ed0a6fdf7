"""The store: a committed step against a bare fdatasync of the same bytes, and history of 10^6 runs against ten.

`python -m benchmarks.bench_store [RUNS]`. Both parts measure in turn within one process, so that only the ratio and the
difference count, not the disk.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from spy32.domain.runs import Step, StepState, Trigger
from spy32.domain.spreads import Mode
from spy32.store import Store

NOW = datetime(2025, 10, 6, 14, 0, tzinfo=UTC)
MOST_RATIO = 3.0
MOST_MS = 5.0

# The rows go in by hand: what is measured is reading, and 10^6 honest commits would take many minutes.
FILL = """
with recursive number (n) as (values (2) union all select n + 1 from number where n < ?)
insert into run (id, started_by, mode, profile, slot, late, started_at, ended_at, outcome, cause, reasons)
select n, 'cron', 'paper', 'default', date('2000-01-03', '+' || (n * 7) || ' days'), 0,
    strftime('%Y-%m-%dT%H:%M:%S+00:00', 946684800 + n * 600, 'unixepoch'), null,
    case n % 10 when 0 then 'failed' else 'no_trade' end, 'condition', '["VIX 41 is above 40"]'
from number
"""


def clocked(act: Callable[[], object]) -> float:
    """Milliseconds of one call."""
    begun = time.perf_counter()
    act()
    return (time.perf_counter() - begun) * 1000


def opened(path: Path) -> Store:
    store = Store.open(path, mode=Mode.PAPER, account="PAPER", at=NOW)
    store.runs.begin(trigger=Trigger.MANUAL, mode=Mode.PAPER, profile="default", at=NOW)
    return store


def saving(folder: Path, rounds: int = 300) -> float:
    """Median over pairs of: one step committed, over the same bytes appended to a file and brought to the disk."""
    wal = folder / "step.db-wal"
    step = Step(name="collect", state=StepState.OK, ms=420, detail="cboe: 1206 quotes of 3 expirations, 12 s old")
    with opened(folder / "step.db") as store, (folder / "bare").open("wb", buffering=0) as bare:
        # A log that is written over from its start does not grow, and would make our side look too good.
        store.core.db.execute("pragma wal_autocheckpoint = 0")
        size = wal.stat().st_size
        store.runs.end_step(1, step, NOW)
        data = os.urandom(wal.stat().st_size - size)

        def plain() -> None:
            bare.write(data)
            os.fdatasync(bare.fileno())

        pairs = [(clocked(lambda: store.runs.end_step(1, step, NOW)), clocked(plain)) for _ in range(rounds)]
    ratio = statistics.median(ours / theirs for ours, theirs in pairs)
    ours, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(
        f"a step committed: {ours:.2f} ms, fdatasync of the same {len(data)} bytes: {theirs:.2f} ms, ratio {ratio:.2f}"
    )
    return ratio


def looking_back(folder: Path, runs: int, rounds: int = 100) -> float:
    """Milliseconds that the newest 20 of so many runs take longer than of ten; the slowest of the three questions."""
    with ExitStack() as stack:
        few, many = (stack.enter_context(opened(folder / f"{count}.db")) for count in ("few", "many"))
        few.core.db.execute(FILL, (10,))
        many.core.db.execute(FILL, (runs,))
        first = datetime(2000, 1, 1, tzinfo=UTC)
        questions: dict[str, Callable[[Store], object]] = {
            "newest 20": lambda store: store.history.summaries(limit=20),
            "newest 20 since a day": lambda store: store.history.summaries(limit=20, since=first),
            "newest 20 failures": lambda store: store.history.failures(20),
        }
        return max(_difference(name, ask, few, many, runs, rounds) for name, ask in questions.items())


def _difference(name: str, ask: Callable[[Store], object], few: Store, many: Store, runs: int, rounds: int) -> float:
    pairs = [(clocked(lambda: ask(few)), clocked(lambda: ask(many))) for _ in range(rounds)]
    of_few, of_many = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(f"{name} of {runs} runs: {of_many:.2f} ms, of ten: {of_few:.2f} ms")
    return float(of_many - of_few)


def main(runs: int = 1_000_000) -> bool:
    """Whether both goals were met."""
    with tempfile.TemporaryDirectory(prefix="spy32-bench-") as name:
        folder = Path(name)
        ratio, more = saving(folder), looking_back(folder, runs)
    print(f"goals: ratio {ratio:.2f} <= {MOST_RATIO}, {more:.2f} ms <= {MOST_MS} ms more")
    return ratio <= MOST_RATIO and more <= MOST_MS


if __name__ == "__main__":
    sys.exit(0 if main(*(int(word) for word in sys.argv[1:2])) else 1)
