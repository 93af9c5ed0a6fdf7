"""52 Mondays on the synthetic market: every trade ends, the ladder never jams, the cash is that of the results.

`python -m proofs.year [first Monday] [weeks]`
"""

import sys
import tempfile
import time
from datetime import date
from pathlib import Path

from tests.support.synthetic_year import SyntheticYear, YearReport

FIRST = date(2022, 1, 3)
"""A year with falls, calm and a VIX between 19 and 37: every exit occurs."""
WEEKS = 52


def prove(folder: Path, first: date = FIRST, weeks: int = WEEKS) -> YearReport:
    """Trade the weeks in a new home in this folder; what does not hold is in the report's faults."""
    year = SyntheticYear(folder, first)
    with year.store:
        report = year.run(weeks)
        report.faults += [f"T{trade.id} is still {trade.state}" for trade in report.trades if trade.result is None]
        broken = year.store.audit.verify().broken
        report.faults += [*([broken] if broken is not None else []), *year.store.integrity.check()]
    return report


def main(first: date = FIRST, weeks: int = WEEKS) -> bool:
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        report = prove(Path(folder), first, weeks)
    exits = ", ".join(f"{reason} {count}" for reason, count in report.exits.most_common())
    runs = ", ".join(f"{name} {count}" for name, count in report.runs.most_common())
    print(
        f"synthetic year from {first}, {weeks} weeks: {report.starts} starts of manage, {len(report.trades)} trades "
        f"({exits}), at most {report.most_open} open, result ${report.result:,.2f}, runs: {runs}; "
        f"{len(report.faults)} faults in {(time.monotonic() - began) / 60:.1f} minutes"
    )
    for fault in report.faults[:20]:
        print(f"  {fault}")
    return not report.faults


if __name__ == "__main__":
    words = sys.argv[1:]
    is_good = main(date.fromisoformat(words[0]) if words else FIRST, int(words[1]) if len(words) > 1 else WEEKS)
    sys.exit(0 if is_good else 1)
