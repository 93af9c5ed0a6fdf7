"""kill -9 while the store is written, while it is made and while it is migrated: nothing acknowledged is ever lost.

`python -m proofs.store_kill [ROUNDS] [SEED]`. The writer acknowledges each commit through a pipe after it has returned;
after the kill every acknowledged run must be there, at most the one in flight besides, and every check must pass.
"""

import os
import random
import signal
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

from spy32.domain.runs import Step, StepState, Trigger
from spy32.domain.spreads import Mode
from spy32.errors import Spy32Error
from spy32.records import maintenance
from spy32.records.connection import open_read_write
from spy32.schema import MIGRATIONS, VERSION, migrate, schema_version
from spy32.store import Store

NOW = datetime(2025, 10, 6, 14, 0, tzinfo=UTC)
STEP = Step(name="collect", state=StepState.OK, ms=1, detail="x" * 400)
ACK = 8
"""Bytes of one acknowledgement: the id of the run, so that one write is atomic on the pipe."""


def opened(path: Path) -> Store:
    return Store.open(path, mode=Mode.PAPER, account="PAPER", at=NOW)


def write_for_ever(path: Path, tell: Callable[[int], None]) -> None:
    """Runs with a step each; each run is told only after its commit has returned."""
    with opened(path) as store:
        while True:
            run = store.runs.begin(trigger=Trigger.MANUAL, mode=Mode.PAPER, profile="default", at=NOW)
            tell(run.id)
            store.runs.end_step(run.id, STEP, NOW)


def slow_table(db: sqlite3.Connection) -> None:
    """A migration that takes long enough to be hit."""
    db.execute("create table later (id integer primary key, text text not null) strict")
    for number in range(4000):
        db.execute("insert into later values (?, ?)", (number, "x" * 200))


def migrate_once(path: Path, tell: Callable[[int], None]) -> None:
    with opened(path) as store:
        tell(1)
        maintenance.upgrade(store.core, NOW, (*MIGRATIONS, slow_table))


def killed(act: Callable[[Path, Callable[[int], None]], None], path: Path, after: float) -> int:
    """Run `act` in a child, kill it after so many seconds, and give the last id that it told (0: none)."""
    receive, send = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(receive)
        try:
            act(path, lambda number: _told(send, number))
        finally:
            os._exit(0)
    os.close(send)
    time.sleep(after)
    with suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with os.fdopen(receive, "rb") as pipe:
        told = pipe.read()
    return int.from_bytes(told[-ACK:], "big")


def _told(pipe: int, number: int) -> None:
    os.write(pipe, number.to_bytes(ACK, "big"))


def writing(folder: Path, rounds: int, rng: random.Random) -> tuple[int, list[str]]:
    """Acknowledged commits, and what went wrong."""
    total, wrong = 0, []
    for number in range(rounds):
        path = folder / f"{number // 10}" / "paper.db"  # ten kills on each store, so that it is also reopened
        with Store.open(path, mode=Mode.PAPER, account="PAPER", at=NOW) as store:
            before = _newest(store)
        told = killed(write_for_ever, path, rng.uniform(0.005, 0.12)) or before
        with opened(path) as store:
            newest, problems = _newest(store), store.integrity.check()
        if problems or not told <= newest <= told + 1:
            wrong.append(f"round {number}: {told} acknowledged, {newest} stored, problems {problems}")
        total += told - before
    return total, wrong


def making(folder: Path, rounds: int, rng: random.Random) -> list[str]:
    """What went wrong when a first start was killed at any moment and then tried again."""
    wrong = []
    for number in range(rounds):
        path = folder / f"new-{number}" / "paper.db"
        killed(write_for_ever, path, rng.uniform(0.0, 0.012))
        try:
            with opened(path) as store:
                problems = store.integrity.check()
        except Spy32Error as trouble:
            problems = (trouble.message,)
        if problems:
            wrong.append(f"making {number}: {problems}")
    return wrong


def migrating(folder: Path, rounds: int, rng: random.Random) -> list[str]:
    """What went wrong when a migration was killed: it must have happened wholly or not at all, and then succeed."""
    wrong = []
    for number in range(rounds):
        path = folder / f"old-{number}" / "paper.db"
        with opened(path):
            pass
        killed(migrate_once, path, rng.uniform(0.002, 0.05))
        found = _after_migration(path)
        if found:
            wrong.append(f"migrating {number}: {found}")
    return wrong


def _after_migration(path: Path) -> str:
    newer = (*MIGRATIONS, slow_table)
    with closing(open_read_write(path, len(newer))) as db:
        has_table = db.execute("select count(*) from sqlite_master where name = 'later'").fetchone()[0] == 1
        if has_table != (schema_version(db) == VERSION + 1):
            return f"version {schema_version(db)} with the table: {has_table}"
        migrate(db, newer)
        rows = db.execute("select count(*) from later").fetchone()[0]
        problems = maintenance.integrity_faults(db)
    return "" if rows == 4000 and not problems else f"{rows} rows, {problems}"


def _newest(store: Store) -> int:
    run = store.runs.latest()
    return run.id if run is not None else 0


def main(rounds: int = 60, seed: int = 32) -> bool:
    """Whether nothing was lost in so many rounds of each kind."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="spy32-kill-") as name:
        total, wrong = writing(Path(name), rounds, rng)
        wrong += making(Path(name), rounds, rng)
        wrong += migrating(Path(name), rounds, rng)
    print(
        f"store: {rounds} kills each while writing, making, migrating: {total} commits acknowledged, {len(wrong)} wrong"
    )
    for line in wrong:
        print(f"  {line}")
    return not wrong and (total > 0 or rounds == 0)


if __name__ == "__main__":
    sys.exit(0 if main(*(int(word) for word in sys.argv[1:3])) else 1)
