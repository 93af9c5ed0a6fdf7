"""A backup is restored, and lock files are removed, while a live `execute` works its order: no trade is lost.

`python -m proofs.restores [ROUNDS] [SEED]`. The order rests at the broker. Meanwhile somebody runs `db restore
--force`, removes lock files in one of several ways, restores again and starts a second `execute`; then the order fills.
Counts fills at the broker that are in no trade of ours, and orders beyond the one that was approved. Goal: 0, 0.
"""

import os
import random
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from proofs import children
from proofs.live_desk import LiveDesk, broker, look, template
from tests.servers.tastytrade_orders import TastytradeBrokerServer

NEVER, ANY_CREDIT = Decimal(0), Decimal(50)
"""Prices of `fills_at`: a credit at or below it fills."""
PATIENCE = 60.0
"""Seconds within which an order must have been sent, on a machine that does much else."""
BUSY = 75


def leave(home: Path) -> None:
    """Everything stays."""


def remove_files(home: Path) -> None:
    for path in (home / "locks").iterdir():
        path.unlink()


def remove_folder(home: Path) -> None:
    shutil.rmtree(home / "locks")


def replace_by_copy(home: Path) -> None:
    (home / "locks").rename(home / "old-locks")
    shutil.copytree(home / "old-locks", home / "locks")


REMOVALS: tuple[Callable[[Path], None], ...] = (leave, remove_files, remove_folder, replace_by_copy)


@dataclass
class Tally:
    rounds: int = 0
    refused: int = 0
    """Restores and second starts that ended 75."""
    lost: list[str] = field(default_factory=list)
    beyond: list[str] = field(default_factory=list)
    odd: list[str] = field(default_factory=list)

    @property
    def faults(self) -> list[str]:
        return [*self.lost, *self.beyond, *self.odd]


def set_fill(server: TastytradeBrokerServer, price: Decimal) -> None:
    server.policy.fills_at = price


def prove(rounds: int, seed: int = 32) -> Tally:
    rng, tally = random.Random(seed), Tally()
    with tempfile.TemporaryDirectory(prefix="spy32-restores-") as folder:
        made = template(Path(folder))
        with broker() as live:
            for number in range(rounds):
                with made.copy(live, fills_at=NEVER) as desk:
                    _round(desk, REMOVALS[number % len(REMOVALS)], rng, tally)
    return tally


def _round(desk: LiveDesk, remove: Callable[[Path], None], rng: random.Random, tally: Tally) -> None:
    backup = desk.home / "approved.db"
    assert _spy32(desk, "db", "backup", str(backup)) == 0
    working = _start(desk, *desk.words_to_execute)
    _await_order(desk)
    time.sleep(rng.uniform(0, 0.5))
    restore = ("db", "restore", "--force", str(backup))
    codes = [_spy32(desk, *restore)]
    remove(desk.home)
    codes += [_spy32(desk, *restore), _spy32(desk, *desk.words_to_execute)]
    desk.broker.ask(set_fill, ANY_CREDIT)
    ended, _ = children.wait(working)
    tally.rounds += 1
    tally.refused += codes.count(BUSY)
    where = f"round {tally.rounds}, {remove.__name__}"
    there = desk.broker.ask(look)
    filled, booked = sum(order.filled for order in there.entries), _booked(desk.home)
    if filled != booked:
        tally.lost.append(f"{where}: {filled} filled at the broker, {booked} in our trades")
    if len(there.posts) - sum(post.is_target for post in there.posts) != 1:
        tally.beyond.append(f"{where}: {len(there.posts)} orders were sent")
    if ended != 0 or codes != [BUSY] * 3 or filled == 0:
        tally.odd.append(f"{where}: execute ended {ended}, the others {codes}, {filled} filled")


def _spy32(desk: LiveDesk, *words: str) -> int:
    return children.wait(_start(desk, *words))[0]


def _start(desk: LiveDesk, *words: str) -> tuple[int, int]:
    """A child whose waiting takes real time, a second a step."""
    around = desk.around() | {"SPY32_EXECUTION_STEP_SECONDS": "1"}

    def before() -> None:
        os.environ.clear()
        os.environ.update(around)

    live = () if "--live" in words else ("--mode", "live")
    return children.start((*live, *words), home=desk.home, before=before)


def _await_order(desk: LiveDesk) -> None:
    until = time.monotonic() + PATIENCE
    while not desk.broker.ask(look).entries:
        assert time.monotonic() < until, "no order was sent"
        time.sleep(0.05)


def _booked(home: Path) -> int:
    with closing(sqlite3.connect(home / "live.db")) as db:
        return int(db.execute("select coalesce(sum(quantity), 0) from trade").fetchone()[0])


def main(rounds: int = 50, seed: int = 32) -> bool:
    tally = prove(rounds, seed)
    print(
        f"restores under a living execute: {tally.rounds} rounds, {tally.refused} of {tally.rounds * 3} starts refused,"
        f" trades lost {len(tally.lost)}, orders beyond approvals {len(tally.beyond)}, otherwise wrong {len(tally.odd)}"
    )
    for line in tally.faults[:20]:
        print(f"    {line}")
    return not tally.faults and tally.rounds == rounds


if __name__ == "__main__":
    sys.exit(0 if main(*(int(word) for word in sys.argv[1:3])) else 1)
