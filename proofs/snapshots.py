"""Every chain file of a folder through the recorded market and its gates: `python -m proofs.snapshots FOLDER [...]`.

Prints, for each file, the expiration, what came of it, the gates that stop or warn, and what was dropped. Nothing may
end in anything but a verdict or one clear refusal.
"""

import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from spy32.domain.market import MarketSnapshot, QualityReport, Verdict
from spy32.errors import Spy32Error
from spy32.markets.recorded import RecordedMarket
from spy32.quality import checks
from spy32.sessions import market_date, nearest_expiration
from spy32.settings.model import Choice, Dte

YEAR = timedelta(days=366)


def snapshot_of(
    market: RecordedMarket, *, aim: int = Dte().default, tolerance: int = Choice().dte_tolerance
) -> MarketSnapshot | str:
    """What `collect` would see on this market, or why there is no expiration to look at."""
    today = market_date(market.as_of)
    listed = market.expirations(market.underlying)
    target = nearest_expiration(listed, today, aim, tolerance)
    if target is None:
        ahead = sorted(((day - today).days for day in listed), key=lambda days: abs(days - aim))
        return f"no expiration within {tolerance} days of {aim}: nearest {ahead[0] if ahead else 'none'}"
    place = listed.index(target)
    chain = market.chain(market.underlying, listed[max(place - 1, 0) : place + 2])
    return MarketSnapshot(
        underlying=market.underlying,
        as_of=chain.as_of,
        source=market.name,
        is_recorded=True,
        chain=chain,
        target=target,
        dte=(target - today).days,
        history=market.history(market.underlying, today - YEAR),
        volatility=market.volatility(),
        volatility_history=market.volatility_history(today - YEAR),
        rate=market.rate(),
        dividends=market.dividends(market.underlying),
    )


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
