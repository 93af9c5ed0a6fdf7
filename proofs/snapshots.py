"""Every chain file of a folder through the recorded market and its gates: `python -m proofs.snapshots FOLDER [...]`.

Prints, for each file, the expiration, what came of it, the gates that stop or warn, and what was dropped. Nothing may
end in anything but a verdict or one clear refusal.
"""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

from spy32.domain.market import QualityReport, Verdict
from spy32.errors import Spy32Error
from spy32.markets.recorded import RecordedMarket
from spy32.quality import checks
from spy32.settings.model import Choice
from tests.support.snapshots import snapshot_of


def told(report: QualityReport, verdict: Verdict) -> str:
    return ", ".join(gate.name for gate in report.gates if gate.verdict is verdict) or "-"


def judged(path: Path) -> Iterator[str]:
    """The lines on one file."""
    began = time.perf_counter()
    try:
        snapshot = snapshot_of(RecordedMarket.load(path))
    except Spy32Error as trouble:
        yield f"{path.name:<52} refused {trouble.code}: {trouble.message}"
        return
    if isinstance(snapshot, str):
        yield f"{path.name:<52} refused 65: {snapshot}"
        return
    chain, report = checks.check_chain(snapshot, snapshot.as_of, Choice())
    spent = (time.perf_counter() - began) * 1000
    outcome = "stop" if report.stopped_by is not None else "warn" if report.is_degraded else "pass"
    dropped = " ".join(f"{name} {count}" for name, count in report.dropped.items()) or "none"
    yield (
        f"{path.name:<52} {outcome}  {snapshot.target} ({snapshot.dte}) {len(chain.quotes)} quotes, {spent:.0f} ms"
        f" | stop: {told(report, Verdict.STOP)} | warn: {told(report, Verdict.WARN)} | dropped: {dropped}"
    )
    for gate in report.gates:
        if gate.verdict in (Verdict.STOP, Verdict.WARN):
            yield f"    {gate.verdict:<5}{gate.name}: {gate.figure}; allowed {gate.limit}" + (
                f" ({gate.note})" if gate.note else ""
            )


def main(folders: list[str]) -> bool:
    files = [path for folder in folders for path in sorted(Path(folder).glob("*.csv*")) if path.name != "manifest.csv"]
    for path in files:
        for line in judged(path):
            print(line)
    return bool(files)


if __name__ == "__main__":
    sys.exit(0 if main(sys.argv[1:]) else 2)
