"""A crowd of live `execute` of one approval, and two terminals that approve one proposal at the same moment.

`python -m proofs.crowd [EXECUTES] [ROUNDS]`. Every execute is a process of its own; all are started first and then let
go at once. Goal: one order request at the broker; one approval a round, and one winner.
"""

import os
import resource
import sqlite3
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from proofs.children import wait
from proofs.live_desk import Facts, LiveDesk, Template, broker, look, template

CODES = frozenset({0, 75})
"""How an execute of a crowd may end: it sent, or found it done; or another one was at work."""
LOSER = frozenset({10, 75})


@dataclass
class Crowd:
    count: int
    posts: int
    orders: int
    """Entries at the broker, whatever became of them."""
    trades: int
    codes: dict[int, int]

    @property
    def is_good(self) -> bool:
        return (self.posts, self.orders, self.trades) == (1, 1, 1) and self.codes.get(0, 0) >= 1 and not self.odd

    @property
    def odd(self) -> set[int]:
        return set(self.codes) - CODES

    def __str__(self) -> str:
        return (
            f"{self.count} concurrent live execute: {self.posts} POSTs, {self.orders} orders, {self.trades} trades,"
            f" exit codes {self.codes}"
        )


@dataclass
class Duels:
    rounds: int = 0
    approvals: Counter[int] = field(default_factory=Counter)
    """Rounds by the number of approvals on record."""
    winners: Counter[int] = field(default_factory=Counter)
    """Rounds by the number of terminals that were told yes."""
    build_error: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"two terminals approve one live proposal: {self.rounds} rounds, winners {dict(self.winners)},"
            f" approvals {dict(self.approvals)}, {len(self.build_error)} wrong"
        )


def at_once(desk: LiveDesk, words: Sequence[str], count: int) -> list[int]:
    """Exit codes of `count` processes that run the same command from the same moment on."""
    return _released_at_once([(desk, words)] * count)


def start_at_once(desks: Sequence[LiveDesk]) -> list[int]:
    """Exit codes of one `execute` in each home, all from the same moment on."""
    return _released_at_once([(desk, desk.words_to_execute) for desk in desks])


def _released_at_once(commands: Sequence[tuple[LiveDesk, Sequence[str]]]) -> list[int]:
    _allow_files(len(commands))
    hold, release = os.pipe()

    def held() -> None:
        os.close(release)
        os.read(hold, 1)  # ends when the last one that could write is gone

    crowd = [desk.start(*words, first=held) for desk, words in commands]
    os.close(release)
    os.close(hold)
    return [wait(child)[0] for child in crowd]


def _allow_files(count: int) -> None:
    """Each child reports through a pipe of its own."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + 200
    if soft < wanted:
        resource.setrlimit(
            resource.RLIMIT_NOFILE, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard)
        )


def executes(count: int) -> Crowd:
    """One approval, many who send it."""
    with tempfile.TemporaryDirectory(prefix="spy32-crowd-") as folder:
        made = template(Path(folder))
        with broker() as live, made.copy(live, fills_at=made.prices[0]) as desk:
            codes = Counter(at_once(desk, desk.words_to_execute, count))
            there: Facts = live.ask(look)
            return Crowd(
                count=count,
                posts=sum(not word.is_target for word in there.posts),
                orders=len(there.entries),
                trades=_count(desk, "trade"),
                codes=dict(sorted(codes.items())),
            )


def duels(rounds: int) -> Duels:
    """Two terminals approve; then both send."""
    found = Duels()
    with tempfile.TemporaryDirectory(prefix="spy32-duel-") as folder:
        made = template(Path(folder), approved=False)
        with broker() as live:
            for number in range(rounds):
                with made.copy(live, fills_at=made.prices[0]) as desk:
                    _duel(made, desk, number, found)
    return found


def _duel(made: Template, desk: LiveDesk, number: int, found: Duels) -> None:
    codes = at_once(desk, made.words_to_approve, 2)
    approvals = _count(desk, "approval")
    found.rounds += 1
    found.winners[codes.count(0)] += 1
    found.approvals[approvals] += 1
    sent = at_once(desk, desk.words_to_execute, 2)
    posts = sum(not word.is_target for word in desk.broker.ask(look).posts)
    if (codes.count(0), approvals, posts) != (1, 1, 1) or not set(codes) - {0} <= LOSER or not set(sent) <= CODES:
        found.build_error.append(
            f"round {number}: approve {codes}, {approvals} approvals, execute {sent}, {posts} POSTs"
        )


def _count(desk: LiveDesk, table: str) -> int:
    with closing(sqlite3.connect(desk.home / "live.db")) as db:
        return int(db.execute(f"select count(*) from {table}").fetchone()[0])


def main(count: int = 1000, rounds: int = 50) -> bool:
    crowd = executes(count)
    print(crowd)
    fought = duels(rounds)
    print(fought)
    for line in fought.build_error[:10]:
        print(f"    {line}")
    return crowd.is_good and fought.rounds == rounds and not fought.build_error


if __name__ == "__main__":
    sys.exit(0 if main(*(int(word) for word in sys.argv[1:])) else 1)
