"""One approval, one order: copied homes, restored backups, and orders that arrive late, in live mode.

`python -m proofs.one_order [ROUNDS]`: so many rounds of each. Commands are processes of the real program against a
local broker that never de-duplicates. Counts contracts filled beyond what was approved, and everything else that is not
as it should be: orders that live on, books that differ from the broker, and exit codes. Goal: 0.
"""

import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from threading import Barrier

from proofs.crowd import start_at_once
from proofs.live_desk import Broker, Facts, LiveDesk, Seen, Template, broker, look, template
from tests.servers.tastytrade_orders import TastytradeBrokerServer
from tests.support.live_home import LiveHome

ABSENT_AFTER = timedelta(minutes=11)
"""More than the default of `execution.absent_minutes`."""


@dataclass
class Tally:
    rounds: int = 0
    filled: int = 0
    beyond: int = 0
    """Contracts."""
    build_error: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.rounds} rounds, {self.filled} filled, {self.beyond} beyond approvals, {len(self.build_error)} wrong"
        )


@dataclass
class Round:
    """One round: a home with an approved proposal at an empty broker."""

    proposal: Template
    desk: LiveDesk
    live: Broker
    build_error: list[str] = field(default_factory=list)

    def expect(self, what: str, found: object, wanted: object) -> None:
        if found != wanted:
            self.build_error.append(f"{what}: {found}, not {wanted} ({self.desk.codes})")

    def run(self, code: int, *words: str) -> None:
        self.expect(" ".join(words[:2]), self.desk.run(*words)[0], code)

    def execute(self, code: int, *words: str) -> None:
        self.run(code, *self.desk.words_to_execute, *words)

    def approve(self) -> None:
        self.run(0, *self.proposal.words_to_approve)

    def says_nothing_is_alive(self) -> None:
        """A person has looked at the broker."""
        self.run(0, "reconcile", "--settle", "P1", "--yes")

    @property
    def facts(self) -> Facts:
        facts: Facts = self.live.ask(look)
        return facts

    @property
    def entries(self) -> list[Seen]:
        """Every opening order that spy32 sent; what a person traded by hand bears no name."""
        return [order for order in self.facts.entries if order.reference]

    @property
    def filled(self) -> int:
        return sum(order.filled for order in self.entries)

    def expect_filled(self, wanted: int, *homes: Path) -> None:
        """So many contracts at the broker and in the trade of each of these books, and nothing alive."""
        self.expect("filled at the broker", self.filled, wanted)
        self.expect("alive at the broker", [order.id for order in self.entries if not order.is_over], [])
        for home in homes or (self.desk.home,):
            self.expect(f"the trade in {home.name}", trades(home), [wanted] if wanted else [])

    def expect_posts(self, count: int) -> None:
        self.expect("requests for a new order", sum(not post.is_target for post in self.facts.posts), count)

    @contextmanager
    def copy(self, *, adopted: bool) -> Iterator[LiveDesk]:
        """The home a second time, in another folder."""
        other = self.desk.home.with_name("copy")
        shutil.copytree(self.desk.home, other)
        if adopted:
            LiveHome(home=other, url=self.live.url).adopt()
        try:
            yield replace(self.desk, home=other, codes=[])
        finally:
            shutil.rmtree(other)


def trades(home: Path) -> list[int]:
    with closing(sqlite3.connect(home / "live.db")) as db:
        return [row[0] for row in db.execute("select quantity from trade")]


def contracts(home: Path) -> int:
    with closing(sqlite3.connect(home / "live.db")) as db:
        return int(db.execute("select quantity from proposal").fetchone()[0])


# What is done in the process of the broker.


def meet(server: TastytradeBrokerServer, count: int) -> None:
    """The next new orders wait for each other, so that neither home can see the other's before it sends."""
    server.meeting = Barrier(count) if count else None


def fills(server: TastytradeBrokerServer, at: str | None) -> None:
    """From now on credit orders fill at or below this price; "0" is never."""
    server.policy.fills_at = Decimal(at) if at is not None else None


def lose_next(server: TastytradeBrokerServer) -> None:
    """The next order gets lost on its way, as far as anybody can tell."""
    server.fault_submit("reset", after=False)


def arrive(server: TastytradeBrokerServer) -> None:
    """The first order arrives after all."""
    server.arrive(server.sent("submit")[0])


def fill_all(server: TastytradeBrokerServer) -> None:
    for ticket in server.orders:
        if not ticket.is_terminal:
            server.fill(ticket.id)


def close_by_hand(server: TastytradeBrokerServer) -> None:
    """Everything that is held is closed in the broker's own app."""
    held = server.account().held
    legs = {
        symbol: ("Buy to Close" if count < 0 else "Sell to Close", abs(count))
        for symbol, count in sorted(held.items(), key=lambda pair: pair[1])
    }
    ticket = server.by_hand_place(legs, None)
    if not ticket.is_terminal:
        server.fill(ticket.id)


# Copies: two homes with one approval, both executed at once, or one after the other.


def refused_copy(it: Round) -> None:
    """A copy sends nothing before a person has adopted it, whatever it would have filled."""
    with it.copy(adopted=False) as other:
        codes = sorted(start_at_once([it.desk, other]))
        it.expect("exit codes", codes, [0, 77])
    it.expect_posts(1)
    it.expect_filled(contracts(it.desk.home))


def two_that_meet(it: Round) -> None:
    """Both orders leave before either home can see the other's; the younger is cancelled, and both say so."""
    it.live.ask(fills, str(it.proposal.prices[1]))
    with it.copy(adopted=True) as other:
        it.live.ask(meet, 2)
        codes = start_at_once([it.desk, other])
        it.live.ask(meet, 0)
        it.expect("exit codes", codes, [11, 11])
        it.expect_posts(2)
        for desk in (it.desk, other):
            desk.run("reconcile")
        it.expect_filled(contracts(it.desk.home), it.desk.home, other.home)


def one_after_the_other(it: Round) -> None:
    """The second finds the first one's order, adopts it with its trade, and sends nothing."""
    with it.copy(adopted=True) as other:
        it.execute(0)
        it.expect("the copy", other.execute()[0], 0)
        it.expect_posts(1)
        it.expect_filled(contracts(it.desk.home), it.desk.home, other.home)


def two_at_once(it: Round) -> None:
    """As it comes: one sees the other in time, or the younger order is cancelled."""
    it.live.ask(fills, str(it.proposal.prices[1]))
    with it.copy(adopted=True) as other:
        codes = start_at_once([it.desk, other])
        # 10: the other one's order came in between the search for orders of ours and the last checks.
        it.expect("exit codes out of the ordinary", sorted(set(codes) - {0, 10, 11, 13}), [])
        for desk in (it.desk, other):
            desk.run("reconcile")
        it.expect_filled(contracts(it.desk.home), it.desk.home, other.home)


# Restores: the book forgets what was sent.


def _sent_and_forgotten(it: Round, code: int, *words: str) -> None:
    backup = it.desk.home.parent / "backup.db"
    backup.unlink(missing_ok=True)
    it.run(0, "db", "backup", str(backup))
    it.execute(code, *words)
    if not code and not words:
        it.live.ask(close_by_hand)
    it.run(0, "db", "restore", "--force", str(backup))


def filled_and_executed_again(it: Round) -> None:
    """Filled, closed by hand, restored: the order is adopted with its trade, and nothing is sent."""
    _sent_and_forgotten(it, 0)
    it.execute(0)
    it.expect_posts(1)
    it.expect_filled(contracts(it.desk.home))


def filled_and_reconciled(it: Round) -> None:
    """`reconcile` adopts it as well; the trade that was closed by hand can then be taken over."""
    _sent_and_forgotten(it, 0)
    it.run(0, "reconcile")
    it.run(0, "cancel", "P1")  # the target, which would close what is closed
    it.run(0, "reconcile", "--adopt", "--yes")
    it.execute(0)
    it.expect_posts(1)
    it.expect_filled(contracts(it.desk.home))


def unfilled_and_executed_again(it: Round) -> None:
    """Not filled at the floor, restored: that is how this approval ended."""
    it.live.ask(fills, "0")
    _sent_and_forgotten(it, 13)
    it.execute(13)
    it.expect_posts(1)
    it.expect_filled(0)


def working_and_executed_again(it: Round) -> None:
    """Still working: it is watched, and its fill is the trade of this approval."""
    it.live.ask(fills, "0")
    _sent_and_forgotten(it, 0, "--no-wait")
    it.live.ask(fill_all)
    it.execute(0)
    it.expect_posts(1)
    it.expect_filled(contracts(it.desk.home))


# Late arrivals.


def before_it_is_absent(it: Round) -> None:
    """The order was never called absent, and is found when it is there."""
    it.live.ask(lose_next)
    it.execute(11)
    it.live.ask(arrive)
    it.run(0, "reconcile")
    it.execute(0)
    it.expect_posts(1)
    it.expect_filled(contracts(it.desk.home))


def after_it_was_absent(it: Round) -> None:
    """Absent, approved again: without a person's word nothing more is sent that day. Then it arrives and fills."""
    it.live.ask(lose_next)
    it.execute(11)
    it.desk.wait(ABSENT_AFTER)
    it.run(0, "reconcile")
    it.approve()
    it.execute(10)
    it.live.ask(arrive)
    it.execute(11)
    it.run(0, "reconcile")
    it.run(20, "status", "--check")
    it.expect_posts(1)
    it.expect_filled(contracts(it.desk.home))


def nothing_is_alive(it: Round) -> None:
    """The answer of the first order is lost, it is called absent, and a person says that nothing is alive."""
    it.live.ask(fills, "0")
    it.live.ask(lose_next)
    it.execute(11)
    it.desk.wait(ABSENT_AFTER)
    it.run(0, "reconcile")
    it.says_nothing_is_alive()
    it.approve()


def beside_a_second_order(it: Round) -> None:
    """A person said that nothing is alive, and a second order works when the first arrives: that one is cancelled."""
    nothing_is_alive(it)
    it.execute(0, "--no-wait")
    it.live.ask(arrive)
    it.run(11, "reconcile")
    it.live.ask(fill_all)
    it.run(0, "reconcile")
    it.run(20, "status", "--check")
    it.expect_posts(2)
    it.expect_filled(contracts(it.desk.home))


def before_the_second_order(it: Round) -> None:
    """A person said that nothing is alive, and the first arrives before the second is sent, which then is not."""
    nothing_is_alive(it)
    it.live.ask(arrive)
    it.execute(11)
    it.live.ask(fill_all)
    it.run(0, "reconcile")
    it.expect_posts(1)
    it.expect_filled(contracts(it.desk.home))


KINDS: dict[str, tuple[Callable[[Round], None], ...]] = {
    "copies": (refused_copy, two_that_meet, one_after_the_other, two_at_once),
    "restores": (
        filled_and_executed_again,
        filled_and_reconciled,
        unfilled_and_executed_again,
        working_and_executed_again,
    ),
    "late arrivals": (before_it_is_absent, after_it_was_absent, beside_a_second_order, before_the_second_order),
}


def prove(rounds: int, kinds: Sequence[str] = tuple(KINDS)) -> dict[str, Tally]:
    """So many rounds of each kind; they take its ways one after the other."""
    figures = {kind: Tally() for kind in kinds}
    with tempfile.TemporaryDirectory(prefix="spy32-one-order-") as folder:
        made = template(Path(folder))
        with broker() as live:
            for kind, tally in figures.items():
                for number in range(rounds):
                    act = KINDS[kind][number % len(KINDS[kind])]
                    with made.copy(live, fills_at=made.prices[0]) as desk:
                        _judge(act, Round(made, desk, live), number, tally)
    return figures


def _judge(act: Callable[[Round], None], it: Round, number: int, tally: Tally) -> None:
    act(it)
    tally.rounds += 1
    tally.filled += it.filled
    tally.beyond += max(it.filled - contracts(it.desk.home), 0)
    tally.build_error += [f"round {number}, {act.__name__}: {line}" for line in it.build_error]


def main(rounds: int = 50) -> bool:
    figures = prove(rounds)
    for kind, tally in figures.items():
        print(f"one approval, one order, {kind}: {tally}")
        for line in tally.build_error[:10]:
            print(f"    {line}")
    return all(tally.rounds == rounds and not tally.beyond and not tally.build_error for tally in figures.values())


if __name__ == "__main__":
    sys.exit(0 if main(*(int(word) for word in sys.argv[1:])) else 1)
