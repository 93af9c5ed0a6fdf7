"""kill -9 of a live `manage` that closes a trade by its plan, right before and right after every commit.

`python -m proofs.manage_kill [ROUNDS]`. A filled trade with a profit target at the broker has come to its last exit:
the start marks it, proposes the close, approves it by the plan, cancels the target, sends the close, replaces it once
and is filled. After the kill come the next starts, as cron makes them. Counts closing orders beyond approvals,
contracts closed beyond those held, and rows or orders that are lost. Goal: 0, 0, 0.
"""

import sqlite3
import sys
import tempfile
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from proofs import children
from proofs.children import KILLED, spy32
from proofs.live_desk import Facts, LiveDesk, Seen, Template, broker, look, template, undisturbed
from tests.servers.tastytrade_orders import TastytradeBrokerServer

BY_PLAN = {"SPY32_EXIT_AUTHORISE": "plan", "SPY32_EXIT_AUTHORISE_LIVE": "true", "SPY32_EXECUTION_ABSENT_MINUTES": "1"}
TO_LAST_EXIT = timedelta(days=31)
"""From the Monday of the opening to the eve of its expiration, both at ten in New York."""
STARTS = 4
"""Later starts, a quarter of an hour apart. A lost request is known to be absent after one, and the next closes."""
QUARTER = timedelta(minutes=15)


@dataclass
class Tally:
    points: int = 0
    rounds: int = 0
    killed: int = 0
    beyond: list[str] = field(default_factory=list)
    """Closing orders beyond approvals, or a reference twice."""
    over: list[str] = field(default_factory=list)
    """Contracts closed beyond those held."""
    lost: list[str] = field(default_factory=list)
    """Orders that our book does not know, rows without an end, a trade that is not closed, a broken chain."""

    @property
    def faults(self) -> list[str]:
        return [*self.beyond, *self.over, *self.lost]

    def __str__(self) -> str:
        return (
            f"{self.points} points, {self.rounds} rounds, {self.killed} killed: closes beyond approvals"
            f" {len(self.beyond)}, contracts closed beyond held {len(self.over)}, lost {len(self.lost)}"
        )


@dataclass(frozen=True)
class Book:
    """What our database says at the end."""

    approvals: int
    """Of closes."""
    in_flight: int
    known: frozenset[str]
    """Ids of the broker."""
    trades: tuple[tuple[str, int, int], ...]
    """State, contracts and contracts closed."""
    live_closes: int
    marks: int


def prove(rounds: int, every: int = 1) -> Tally:
    """So many rounds before and as many after every commit, or every second or third one."""
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="spy32-manage-kill-") as folder:
        made = template(Path(folder), more=BY_PLAN)
        with broker() as live:
            with _due(made, live) as desk:
                commits = undisturbed(_manage(desk), ("manage",))
                _judge(desk, live.ask(look), "undisturbed", tally)
            for point in range(1, commits + 1, every):
                tally.points += 1
                for turn in range(rounds * 2):
                    is_before = turn % 2 == 0
                    with _due(made, live) as desk:
                        code, _ = _manage(desk, die_at=point, die_before=is_before)
                        tally.rounds += 1
                        tally.killed += code == KILLED
                        for _ in range(STARTS):
                            _manage(desk)
                        where = f"commit {point} of {commits}, {'before' if is_before else 'after'}"
                        _judge(desk, live.ask(look), where, tally)
    return tally


class _due:  # noqa: N801 - reads as a verb of the copy
    """A copy of the template whose order has filled and whose last exit has come."""

    def __init__(self, made: Template, live: Any) -> None:
        self._made, self._live = made, live
        self._copy = made.copy(live, fills_at=made.prices[0], env=BY_PLAN)

    def __enter__(self) -> LiveDesk:
        desk = self._copy.__enter__()
        self._live.ask(fill_closes_at, self._made.prices[0])
        undisturbed(desk.execute(), desk.words_to_execute)
        desk.wait(TO_LAST_EXIT)
        return desk

    def __exit__(self, *ended: Any) -> None:
        self._copy.__exit__(*ended)


def fill_closes_at(server: TastytradeBrokerServer, debit: Decimal) -> None:
    """In the broker: a close fills when it may pay so much; the first limit is a little less."""
    server.policy.debit_fills_at = debit


def manage_home(home: Path) -> int:
    """In a child: one start of `manage`, and the worst code of its trades."""
    from spy32.trading.manage import manage
    from spy32.wiring import App

    app = App.create(home=str(home), mode="live", verbosity=0)
    store = app.store()
    found = manage(lambda number: app.trading_context(store, store.proposals.get(number) if number else None))
    app.close()
    return max((trade.error.code for trade in found if trade.error is not None), default=0)


def _manage(desk: LiveDesk, die_at: int | None = None, *, die_before: bool = False) -> tuple[int, int]:
    """Exit code and commits of one start; the next one is a quarter of an hour later."""
    ended = children.wait(
        children.start((), home=desk.home, die_at=die_at, die_before=die_before, before=desk.before(), act=manage_home)
    )
    desk.codes.append(("manage", ended[0]))
    desk.wait(QUARTER)
    return ended


def _book(home: Path) -> Book:
    with closing(sqlite3.connect(home / "live.db")) as db:

        def one(sql: str) -> Any:
            return db.execute(sql).fetchone()[0]

        of_closes = "proposal_id in (select id from proposal where kind = 'close')"
        return Book(
            approvals=one(f"select count(*) from approval where {of_closes}"),
            in_flight=one("select count(*) from broker_order where state in ('submitting', 'working', 'unknown')"),
            known=frozenset(row[0] for row in db.execute("select broker_id from broker_order") if row[0]),
            trades=tuple(db.execute("select state, quantity, closed_quantity from trade")),
            live_closes=one(
                "select count(*) from proposal where kind = 'close' and state in ('proposed', 'approved', 'sent')"
            ),
            marks=one("select count(*) from mark"),
        )


def _judge(desk: LiveDesk, there: Facts, where: str, tally: Tally) -> None:
    book = _book(desk.home)
    closes = [order for order in there.orders if "-P1-" not in order.reference]
    for found, said in (
        (tally.beyond, _beyond(book, there, closes)),
        (tally.over, _over(book, there, closes)),
        (tally.lost, _lost(book, there, desk)),
    ):
        found += [f"{where}: {line}" for line in said]


def _beyond(book: Book, there: Facts, closes: list[Seen]) -> list[str]:
    roots = sum(order.replaces is None for order in closes)
    references = [order.reference for order in there.orders]
    said = [f"{roots} closing orders for {book.approvals} approvals"] if roots > book.approvals else []
    if len(set(references)) < len(references):
        said.append(f"an order stands twice: {', '.join(references)}")
    return said


def _over(book: Book, there: Facts, closes: list[Seen]) -> list[str]:
    targets = [order for order in there.orders if order.is_target]
    closed, held = sum(order.filled for order in (*closes, *targets)), sum(trade[1] for trade in book.trades)
    return (
        [f"{closed} closed of {held}; positions {dict(there.held)}"]
        if closed > held or any(there.held.values())
        else []
    )


def _lost(book: Book, there: Facts, desk: LiveDesk) -> list[str]:
    said = [f"order {order.id} ({order.reference}) is not in our book" for order in there.orders if order.id not in book.known]  # fmt: skip # noqa: E501
    if [(state, quantity == closed) for state, quantity, closed in book.trades] != [("closed", True)]:
        said.append(f"trades {book.trades} ({desk.codes})")
    if book.in_flight or book.live_closes or not book.marks:
        said.append(f"{book.in_flight} orders in flight, {book.live_closes} closes, {book.marks} marks ({desk.codes})")
    alive = [order.reference for order in there.orders if not order.is_over]
    if alive:
        said.append(f"alive at the broker: {', '.join(alive)}")
    if desk.codes[-1][1]:
        said.append(f"the last start ended with {desk.codes[-1][1]} ({desk.codes})")
    if spy32(("--mode", "live", "audit", "verify"), home=desk.home)[0]:
        said.append("the chain is broken")
    return said


def main(rounds: int = 20) -> bool:
    tally = prove(rounds)
    print(f"kill -9, live manage: {tally}")
    for line in tally.faults[:20]:
        print(f"    {line}")
    return not tally.faults and tally.killed == tally.rounds > 0


if __name__ == "__main__":
    sys.exit(0 if main(*(int(word) for word in sys.argv[1:])) else 1)
