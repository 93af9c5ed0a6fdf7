"""kill -9 of a live `execute` right before and right after every commit, against a broker that never de-duplicates.

`python -m proofs.live_kill [ROUNDS]`. The order is taken, replaced once, filled, and its profit target left at the
broker. After the kill comes what a person would type: reconcile, execute, and where nothing was sent after all the word
that nothing is alive, and a new approval. Counts orders beyond approvals, orders at the broker that our book does not
know, and rows without a final state. Goal: 0, 0, 0.
"""

import sqlite3
import sys
import tempfile
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from proofs.children import KILLED, spy32
from proofs.live_desk import Facts, LiveDesk, Template, broker, look, template, undisturbed

TARGET_RESTS = ("target", "working")
SOON_ABSENT = {"SPY32_EXECUTION_ABSENT_MINUTES": "1"}
"""Nothing is long on its way here."""


@dataclass
class Tally:
    points: int = 0
    rounds: int = 0
    killed: int = 0
    orders: int = 0
    """That exist at the broker after all rounds, targets aside."""
    approvals: int = 0
    beyond: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    """Whatever else is not as it should be: the trade, the positions, the chain, the last exit code."""

    @property
    def faults(self) -> list[str]:
        return [*self.beyond, *self.lost, *self.unfinished, *self.broken]

    def __str__(self) -> str:
        return (
            f"{self.points} points, {self.rounds} rounds, {self.killed} killed: orders beyond approvals"
            f" {len(self.beyond)}, lost orders {len(self.lost)}, rows without a final state {len(self.unfinished)},"
            f" otherwise wrong {len(self.broken)} ({self.orders} entries for {self.approvals} approvals)"
        )


@dataclass(frozen=True)
class Book:
    """What our database says at the end."""

    approvals: int
    quantity: int
    orders: tuple[tuple[str, str, str, str | None], ...]
    """Reference, kind, state and the broker's id of each."""
    open_runs: int
    state: str
    trades: tuple[int, ...]
    """Contracts of each trade."""


def prove(rounds: int, points: range | None = None) -> Tally:
    """So many rounds before and as many after every commit; `points` picks some of the commits, from 1."""
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="spy32-live-kill-") as folder:
        made = template(Path(folder))
        with broker() as live:
            # The first price does not fill and the second does, so that a replacement is killed as well.
            fills_at = made.prices[1]
            with made.copy(live, fills_at=fills_at, env=SOON_ABSENT) as desk:
                commits = undisturbed(desk.execute(), desk.words_to_execute)
                _judge(desk, live.ask(look), "undisturbed", tally)
            for point in points or range(1, commits + 1):
                tally.points += 1
                for turn in range(rounds * 2):
                    is_before = turn % 2 == 0
                    with made.copy(live, fills_at=fills_at, env=SOON_ABSENT) as desk:
                        code, _ = desk.execute(die_at=point, die_before=is_before)
                        tally.rounds += 1
                        tally.killed += code == KILLED
                        _recover(made, desk)
                        where = f"commit {point} of {commits}, {'before' if is_before else 'after'}"
                        _judge(desk, live.ask(look), where, tally)
    return tally


def _recover(made: Template, desk: LiveDesk) -> None:
    """What a person would type after a crash; the last reconcile finds nothing to do."""
    desk.run("reconcile")
    desk.execute()
    if _book(desk.home).state == "proposed":
        desk.run("reconcile", "--settle", "P1", "--yes")
        desk.run(*made.words_to_approve)
        desk.execute()
    desk.run("reconcile")


def _book(home: Path) -> Book:
    with closing(sqlite3.connect(home / "live.db")) as db:

        def one(sql: str) -> Any:
            return db.execute(sql).fetchone()[0]

        return Book(
            approvals=one("select count(*) from approval"),
            quantity=one("select quantity from proposal"),
            orders=tuple(db.execute("select reference, kind, state, broker_id from broker_order")),
            open_runs=one("select count(*) from run where outcome is null"),
            state=one("select state from proposal"),
            trades=tuple(row[0] for row in db.execute("select quantity from trade")),
        )


def _judge(desk: LiveDesk, there: Facts, where: str, tally: Tally) -> None:
    book = _book(desk.home)
    tally.orders += len(_roots(there))
    tally.approvals += book.approvals
    for found, said in (
        (tally.beyond, _beyond(book, there)),
        (tally.lost, _lost(book, there)),
        (tally.unfinished, _unfinished(book, there)),
        (tally.broken, _broken(book, there, desk)),
    ):
        found += [f"{where}: {line}" for line in said]


def _roots(there: Facts) -> list[Any]:
    """Opening orders that took no other one's place."""
    return [order for order in there.entries if order.replaces is None]


def _beyond(book: Book, there: Facts) -> list[str]:
    """More opening orders than approvals, more contracts than approved, a reference twice, two targets."""
    roots, filled = len(_roots(there)), sum(order.filled for order in there.entries)
    references = [order.reference for order in there.orders]
    targets = [order for order in there.orders if order.is_target and not order.is_over]
    said = []
    if roots > book.approvals:
        said.append(f"{roots} orders for {book.approvals} approvals")
    if filled > book.quantity:
        said.append(f"{filled} filled, {book.quantity} approved")
    if len(set(references)) < len(references) or len(targets) > 1:
        said.append(f"an order stands twice: {', '.join(references)}")
    return said


def _lost(book: Book, there: Facts) -> list[str]:
    known = {number for _, _, _, number in book.orders}
    return [
        f"order {order.id} ({order.reference}) is not in our book" for order in there.orders if order.id not in known
    ]


def _unfinished(book: Book, there: Facts) -> list[str]:
    """Rows in flight, but for a target that rests at the broker; a run or a proposal without an end."""
    alive = {order.id for order in there.orders if not order.is_over}
    said = []
    for reference, kind, state, number in book.orders:
        rests = (kind, state) == TARGET_RESTS and number in alive
        if state in ("submitting", "working", "unknown") and not rests:
            said.append(f"{reference} is {state}")
    if book.open_runs or book.state == "sent":
        said.append(f"{book.open_runs} runs without an outcome, the proposal is {book.state}")
    return said


def _broken(book: Book, there: Facts, desk: LiveDesk) -> list[str]:
    filled = sum(order.filled for order in there.entries)
    said = []
    if book.trades != (filled,) or filled != book.quantity or book.state != "done":
        said.append(f"trades {book.trades}, filled {filled} of {book.quantity}, {book.state} ({desk.codes})")
    if sorted(abs(count) for count in there.held.values()) != [filled, filled]:
        said.append(f"positions {dict(there.held)}")
    # One that was cut off before it left is absent: it is told and not left a second time, since it could still arrive.
    is_absent = any((kind, state) == ("target", "absent") for _, kind, state, _ in book.orders)
    if not is_absent and not [order for order in there.orders if order.is_target and not order.is_over]:
        said.append(f"no target rests at the broker ({desk.codes})")
    if desk.codes[-1][1]:
        said.append(f"the last command ended with {desk.codes[-1][1]} ({desk.codes})")
    if spy32(("--mode", "live", "audit", "verify"), home=desk.home)[0]:
        said.append("the chain is broken")
    return said


def main(rounds: int = 20) -> bool:
    tally = prove(rounds)
    print(f"kill -9, live execute: {tally}")
    for line in tally.faults[:20]:
        print(f"    {line}")
    return not tally.faults and tally.killed == tally.rounds > 0


if __name__ == "__main__":
    sys.exit(0 if main(*(int(word) for word in sys.argv[1:])) else 1)
