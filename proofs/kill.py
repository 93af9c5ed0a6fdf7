"""kill -9 right before and right after every commit of analyze, approve and execute; then the ordinary next commands.

Counts lost rows (a run or an order without a final state, a broken chain) and orders beyond approvals. Goal: 0, 0.
"""

import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from proofs.children import KILLED, spy32, start, wait

ANALYZE = ("analyze", "--market", "recorded", "--analyst", "rules")
APPROVE = ("approve", "--yes")
EXECUTE = ("execute",)
CYCLE = (ANALYZE, APPROVE, EXECUTE)


@dataclass
class Tally:
    rounds: int = 0
    killed: int = 0
    lost: list[str] = field(default_factory=list)
    beyond: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.rounds} rounds, {self.killed} killed, lost {len(self.lost)}, beyond approvals {len(self.beyond)}"


def prove(rounds: int, commands: Sequence[Sequence[str]] = CYCLE) -> dict[str, Tally]:
    """Figures by command: `rounds` rounds at every commit point, half of them killed before it and half after."""
    figures = {}
    with tempfile.TemporaryDirectory(prefix="spy32-kill-") as folder:
        template = Path(folder) / "template"
        template.mkdir()
        for number, command in enumerate(CYCLE):
            if command in commands:
                figures[command[0]] = _every_point(command, CYCLE[max(number - 1, 0) :], template, rounds)
            _must(spy32(command, home=template)[0], command)
    return figures


def _every_point(command: Sequence[str], rest: Sequence[Sequence[str]], template: Path, rounds: int) -> Tally:
    tally = Tally()
    trial = template.parent / "trial"
    shutil.copytree(template, trial)
    code, commits = spy32(command, home=trial)
    shutil.rmtree(trial)
    _must(code, command)
    for point in range(1, commits + 1):
        for turn in range(rounds):
            shutil.copytree(template, trial)
            code, _ = spy32(command, home=trial, die_at=point, die_before=turn % 2 == 0)
            tally.killed += code == KILLED
            tally.rounds += 1
            side = "before" if turn % 2 == 0 else "after"
            where = f"{command[0]} at commit {point} of {commits}, {side}"
            _recover(rest, trial)
            _judge(trial / "paper.db", where, tally)
            shutil.rmtree(trial)
    return tally


def _recover(rest: Sequence[Sequence[str]], home: Path) -> None:
    """What a person would type after a crash: reconcile, then the cycle from the step before.

    An order that is absent at the broker needs a new approval.
    """
    spy32(("reconcile",), home=home)
    for command in rest:
        spy32(command, home=home)
    spy32(("reconcile",), home=home)


def _judge(path: Path, where: str, tally: Tally) -> None:
    db = sqlite3.connect(path)
    unfinished = db.execute("select count(*) from run where outcome is null").fetchone()[0]
    open_orders = db.execute(
        "select count(*) from broker_order where state in ('submitting', 'working', 'unknown')"
    ).fetchone()[0]
    filled = db.execute("select count(*) from trade").fetchone()[0]
    approvals = db.execute("select count(*) from approval").fetchone()[0]
    roots = db.execute("select count(*) from paper_order where replaces is null").fetchone()[0]
    per_approval = db.execute(
        "select coalesce(max(n), 0) from"
        " (select count(*) n from broker_order where replaces is null group by approval_id)"
    ).fetchone()[0]
    db.close()
    if unfinished or open_orders:
        tally.lost.append(f"{where}: {unfinished} runs and {open_orders} orders without a final state")
    if filled != 1:
        tally.lost.append(f"{where}: {filled} trades at the end instead of 1")
    if spy32(("audit", "verify"), home=path.parent)[0]:
        tally.lost.append(f"{where}: the chain is broken")
    if roots > approvals or per_approval > 1:
        tally.beyond.append(f"{where}: {roots} orders for {approvals} approvals")


def concurrent(count: int) -> tuple[int, dict[int, int]]:
    """Submits at the paper broker when `count` processes execute one proposal at once, and their exit codes."""
    with tempfile.TemporaryDirectory(prefix="spy32-crowd-") as folder:
        home = Path(folder)
        for command in (ANALYZE, APPROVE):
            _must(spy32(command, home=home)[0], command)
        crowd = [start(("execute", "P1"), home=home) for _ in range(count)]
        codes: dict[int, int] = {}
        for child in crowd:
            code, _ = wait(child)
            codes[code] = codes.get(code, 0) + 1
        db = sqlite3.connect(home / "paper.db")
        submits = db.execute("select count(*) from paper_order where replaces is null").fetchone()[0]
        db.close()
    return submits, dict(sorted(codes.items()))


def _must(code: int, command: Sequence[str]) -> None:
    if code:
        sys.exit(f"the undisturbed `spy32 {' '.join(command)}` ended with {code}")


def main(rounds: int = 20, crowd: int = 200) -> bool:
    good = True
    for command, tally in prove(rounds).items():
        print(f"kill -9, {command}: {tally}")
        for line in (*tally.lost, *tally.beyond)[:10]:
            print(f"    {line}")
        good = good and not tally.lost and not tally.beyond
    submits, codes = concurrent(crowd)
    print(f"{crowd} concurrent execute: {submits} submits, exit codes {codes}")
    return good and submits == 1


if __name__ == "__main__":
    sys.exit(0 if main(*(int(word) for word in sys.argv[1:])) else 1)
