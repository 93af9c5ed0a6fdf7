"""52 Mondays on the synthetic market: every trade ends, the ladder never jams, the cash is that of the results.

Scheduled starts every 15 minutes of every session. The closes of most trades are sent by the approved plan; for some
nobody approves one, so that they run into expiration and settlement.

`python -m proofs.year [first Monday] [weeks]`
"""

import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random

from spy32.domain.orders import Trade
from spy32.domain.proposals import Proposal
from spy32.domain.runs import Outcome, Run
from spy32.domain.spreads import MULTIPLIER, ExitAuthority
from spy32.errors import Spy32Error
from spy32.lifecycle import HELD_TRADES, TradeState
from spy32.sessions import Session
from spy32.settings import Settings
from spy32.trading.managed_trade import ManagedTrade
from spy32.wiring.synthetic import SyntheticApp, SyntheticYear

FIRST = date(2022, 1, 3)
"""A year with falls, calm and a VIX between 19 and 37: every exit occurs."""
WEEKS = 52
STEP = timedelta(minutes=15)
UNATTENDED_SHARE = 0.3
"""Of the openings: their closes are approved by nobody."""


@dataclass
class YearReport:
    """What came of the Mondays."""

    runs: Counter[str] = field(default_factory=Counter)
    """Outcomes and causes."""
    exits: Counter[str] = field(default_factory=Counter)
    starts: int = 0
    most_open: int = 0
    faults: list[str] = field(default_factory=list)
    trades: tuple[Trade, ...] = ()

    @property
    def result(self) -> Decimal:
        return sum((trade.result or Decimal(0) for trade in self.trades), Decimal(0))


class UnattendedApp(SyntheticApp):
    """An app in which somebody now and then is not there to approve closes."""

    authority = ExitAuthority.PLAN

    @property
    def settings(self) -> Settings:
        settings = super().settings
        return replace(settings, exit=replace(settings.exit, authorise=self.authority))


class CheckedYear(SyntheticYear):
    """A year that counts what comes, and checks the cash at every start."""

    app: UnattendedApp

    def __init__(self, app: UnattendedApp, *, seed: int = 1) -> None:
        super().__init__(app, quarter_hours)
        self.report = YearReport()
        self._random = Random(seed)

    def start_programs(self, *, is_opening: bool) -> None:
        self.report.starts += 1
        super().start_programs(is_opening=is_opening)
        self._check_cash()

    def analyze(self) -> Run | None:
        run = super().analyze()
        if run is not None:
            self.report.runs[f"{run.outcome}{f' {run.cause}' if run.cause else ''}"] += 1
            if run.outcome is Outcome.FAILED:
                self.report.faults.append(f"{self._now()} R{run.id} failed: {'; '.join(run.reasons)}")
        return run

    def report_unopened(self, proposal: Proposal, error: Spy32Error) -> None:
        self.report.runs[f"not opened: {type(error).__name__}"] += 1

    def manage(self) -> tuple[ManagedTrade, ...]:
        found = super().manage()
        for managed in found:
            if managed.error is not None:
                self.report.runs[f"manage: {type(managed.error).__name__}"] += 1
        # Who approves the closes of the next opening.
        is_unattended = self._random.random() < UNATTENDED_SHARE
        self.app.authority = ExitAuthority.ASK if is_unattended else ExitAuthority.PLAN
        return found

    def _now(self) -> str:
        return f"{self.app.clock():%Y-%m-%d %H:%M}"

    def _check_cash(self) -> None:
        """The paper broker's cash and that of our book are the opening cash and what every trade has brought so far."""
        store = self.app.store()
        trades = store.trades.select()
        self.report.most_open = max(self.report.most_open, sum(trade.state in HELD_TRADES for trade in trades))
        ended = sum((trade.result for trade in trades if trade.result is not None), Decimal(0))
        running = sum((_cash_so_far(trade) for trade in trades if trade.result is None), Decimal(0))
        expected = self.app.settings.paper.account + ended + running
        has_shares = any(trade.state is TradeState.ASSIGNED for trade in trades)
        if store.paper.cash() != expected and not has_shares:
            self.report.faults.append(f"{self._now()} cash {store.paper.cash()}, not {expected}")


def quarter_hours(hours: Session) -> Iterator[datetime]:
    """Every 15 minutes from the open to the close of the options."""
    at = hours.open
    while at <= hours.option_close:
        yield at
        at += STEP


def _cash_so_far(trade: Trade) -> Decimal:
    paid = (trade.debit or Decimal(0)) * trade.closed_quantity
    return (trade.credit * trade.quantity - paid) * MULTIPLIER - trade.fees


def prove(folder: Path, first: date = FIRST, weeks: int = WEEKS) -> YearReport:
    """Trade the weeks in a new home in this folder; what does not hold is in the report's faults."""
    app = UnattendedApp(folder, first)
    year = CheckedYear(app)
    try:
        year.run(weeks)
        report, store = year.report, app.store()
        report.trades = store.trades.select()
        report.exits = Counter(str(trade.exit_reason or trade.state) for trade in report.trades)
        report.faults += [f"T{trade.id} is still {trade.state}" for trade in report.trades if trade.result is None]
        broken = store.audit.verify().broken
        report.faults += [*([broken] if broken is not None else []), *store.integrity.check()]
    finally:
        app.close()
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
