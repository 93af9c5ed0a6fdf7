"""The report at 52, 260 and 10,000 runs, each with its menu, answers, orders, trade, mark and outcomes.

`python -m benchmarks.bench_report [RUNS ...]`. Seconds of CPU, since a loaded machine only adds waiting.
"""

import sys
import tempfile
import time
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from spy32.render.report_html import html_page
from spy32.review.report import build_report
from tests.support import stores
from tests.support.report_stores import lived_weeks

SIZES = (52, 260, 10_000)
PER_WEEK = 10
"""Of the largest: ten thousand runs are twenty years of ten a week."""
MOST_SECONDS = 3.0
NOW = datetime(2050, 1, 3, 15, tzinfo=UTC)


def seconds(folder: Path, runs: int) -> float:
    """Seconds of CPU of building the report of so many runs and making its page."""
    with stores.opened(folder / f"{runs}.db", account="", opening_cash=Decimal(100_000)) as store:
        lived_weeks(store, runs, per_week=PER_WEEK if runs > SIZES[1] else 1)
        begun = time.process_time()
        report = build_report(store, NOW)
        built = time.process_time() - begun
        page = html_page(report)
        both = time.process_time() - begun
    print(f"report of {runs} runs: {built:.2f} s built, {both:.2f} s with its page of {len(page) // 1000} kB")
    return both


def main(*sizes: int) -> bool:
    """Whether the goal was met."""
    with tempfile.TemporaryDirectory(prefix="spy32-bench-") as name:
        slowest = max([seconds(Path(name), runs) for runs in sizes or SIZES])
    print(f"goal: {slowest:.2f} s <= {MOST_SECONDS} s")
    return slowest <= MOST_SECONDS


if __name__ == "__main__":
    sys.exit(0 if main(*(int(word) for word in sys.argv[1:])) else 1)
