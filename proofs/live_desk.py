"""A live desk that can be killed: the broker in a process of its own, and a home with one proposal to copy and spoil.

Commands run in forked children (`children`), so that hundreds of rounds are affordable. Their clock stands still but
for their own waiting; the next command begins a little later, and so does the broker.
"""

import json
import multiprocessing
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from proofs import children
from tests.servers.tastytrade_orders import TastytradeBrokerServer
from tests.support.forked import freeze_clock, import_everything
from tests.support.live_home import NUMBER, LiveHome
from tests.support.live_monday import MONDAY, live_monday

BETWEEN = timedelta(seconds=70)
"""From one command to the next: more than the reads take after which an order is called absent."""
SETTINGS = {
    "SPY32_MARKET_CHAIN": "",
    "SPY32_EXIT_REST_TARGET": "true",
    "SPY32_LIMITS_SUBMITS_PER_RUN": "2",
}


def is_target(reference: str) -> bool:
    return reference.rpartition("-")[2].startswith("t")


@dataclass(frozen=True)
class Seen:
    """An order that exists at the broker."""

    id: str
    reference: str
    replaces: str | None
    size: int
    filled: int
    is_over: bool

    @property
    def is_target(self) -> bool:
        return is_target(self.reference)


@dataclass(frozen=True)
class Post:
    """A request for a new order that came in, whatever became of it."""

    reference: str

    @property
    def is_target(self) -> bool:
        return is_target(self.reference)


@dataclass(frozen=True)
class Facts:
    """What the broker has: every order, oldest first, the positions, and each POST of an order that came in."""

    orders: tuple[Seen, ...]
    held: Mapping[str, int]
    posts: tuple[Post, ...]

    @property
    def entries(self) -> list[Seen]:
        return [order for order in self.orders if not order.is_target]


# What is done in the process of the broker; each gets the server.


def begin(server: TastytradeBrokerServer, at: datetime, fills_at: Decimal | None = None) -> None:
    """An empty account at an instant; credit orders fill at or below `fills_at`."""
    server.reset()
    server.submits.clear()
    server.dry_runs.clear()
    server.requests.clear()
    server.policy.fills_at = fills_at
    move(server, at)


def move(server: TastytradeBrokerServer, at: datetime) -> None:
    """It is later, and the quotes are of then."""
    server.at = at
    server.shares = {**server.shares, "updated-at": server.stamp}


def look(server: TastytradeBrokerServer) -> Facts:
    orders = tuple(
        Seen(
            id=str(ticket.id),
            reference=ticket.reference or "",
            replaces=str(ticket.replaces) if ticket.replaces is not None else None,
            size=ticket.size,
            filled=ticket.spreads,
            is_over=ticket.is_terminal,
        )
        for ticket in server.orders
    )
    posts = tuple(Post(write.reference or "") for write in server.sent("submit"))
    return Facts(orders=orders, held=server.account().held, posts=posts)


def _serve(pipe: Connection) -> None:
    server = TastytradeBrokerServer(MONDAY)
    with server.running():
        pipe.send(server.url)
        while (asked := pipe.recv()) is not None:
            act, words = asked
            pipe.send(act(server, *words))


class Broker:
    """The server in its process: `ask(look)` runs `look(server)` there."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self.url: str = pipe.recv()

    def ask(self, act: Callable[..., Any], *words: Any) -> Any:
        self._pipe.send((act, words))
        return self._pipe.recv()


@contextmanager
def broker() -> Iterator[Broker]:
    """Not a thread: what forks must have none."""
    start = multiprocessing.get_context("spawn")
    ours, theirs = start.Pipe()
    process = start.Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    theirs.close()
    try:
        yield Broker(ours)
    finally:
        ours.send(None)
        process.join(10)


@dataclass
class LiveDesk:
    """A copy of the template, and a command after another in it."""

    home: Path
    broker: Broker
    confirm: str
    now: datetime = MONDAY
    env: Mapping[str, str] = field(default_factory=dict)
    codes: list[tuple[str, int]] = field(default_factory=list)

    def run(self, *words: str, die_at: int | None = None, die_before: bool = False) -> tuple[int, int]:
        """Exit code and commits of one command, after which some time goes by."""
        ended = children.wait(self.start(*words, die_at=die_at, die_before=die_before))
        self.codes.append((words[0], ended[0]))
        self.wait(BETWEEN)
        return ended

    def start(
        self,
        *words: str,
        die_at: int | None = None,
        die_before: bool = False,
        first: Callable[[], None] | None = None,
    ) -> tuple[int, int]:
        """A child under way; `first` is called in it before anything else."""
        return children.start(words, home=self.home, die_at=die_at, die_before=die_before, before=self.before(first))

    def before(self, first: Callable[[], None] | None = None) -> Callable[[], None]:
        """What a child does before the program starts."""
        around = self.around()

        def act() -> None:
            if first is not None:
                first()
            _as_live(around)

        return act

    def execute(self, **how: Any) -> tuple[int, int]:
        return self.run(*self.words_to_execute, **how)

    @property
    def words_to_execute(self) -> tuple[str, ...]:
        return ("execute", "P1", "--live", "--confirm", self.confirm)

    def around(self) -> dict[str, str]:
        clock = f"{self.now:%Y-%m-%dT%H:%M:%SZ}"
        env = SETTINGS | {"SPY32_CLOCK": clock} | dict(self.env)
        return LiveHome(home=self.home, url=self.broker.url, env=env).around("live")

    def wait(self, time: timedelta) -> None:
        """Nothing is done for a while."""
        self.now += time
        self.broker.ask(move, self.now)


def _as_live(around: Mapping[str, str]) -> None:
    """In the child, before the program starts: its environment, and a clock that only waiting moves."""
    os.environ.clear()
    os.environ.update(around)
    freeze_clock()


@dataclass(frozen=True)
class Template:
    """A home with one live proposal, approved or not."""

    home: Path
    confirm: str
    hash: str
    prices: tuple[Decimal, ...]
    """The plan of the order, first to last."""

    @property
    def words_to_approve(self) -> tuple[str, ...]:
        return ("approve", "P1", "--yes", "--confirm", self.hash[:8])

    @contextmanager
    def copy(
        self, live: Broker, *, fills_at: Decimal | None = None, env: Mapping[str, str] | None = None
    ) -> Iterator[LiveDesk]:
        """A home of its own at an empty broker; gone afterwards."""
        trial = self.home.parent / "trial"
        shutil.copytree(self.home, trial)
        LiveHome(home=trial, url=live.url).adopt()
        live.ask(begin, MONDAY, fills_at)
        try:
            yield LiveDesk(home=trial, broker=live, confirm=self.confirm, env=env or {})
        finally:
            shutil.rmtree(trial)


def template(folder: Path, *, approved: bool = True, more: Mapping[str, str] | None = None) -> Template:
    """Made by the real program in processes of its own; market and broker of the making are gone afterwards.

    `more` is settings besides `SETTINGS`.
    """
    server = TastytradeBrokerServer(MONDAY)
    with live_monday(folder / "home") as monday, server.running():
        env = SETTINGS | {"SPY32_CBOE_URL": monday.cboe.url, "SPY32_YAHOO_URL": monday.yahoo.url}
        env |= {"SPY32_CLOCK": f"{MONDAY:%Y-%m-%dT%H:%M:%SZ}", **(more or {})}
        monday.home.mkdir(parents=True)
        home = LiveHome(home=monday.home, url=server.url, env=env)
        made = _document(home, "analyze")["proposal"]
        found = Template(
            home=home.home,
            confirm=f"{NUMBER[-4:]}:SPY:{made['quantity']}",
            hash=made["hash"],
            prices=tuple(Decimal(price) for price in made["plan"]["prices"]),
        )
        if approved:
            _document(home, *found.words_to_approve)
    import_everything()
    return found


def _document(home: LiveHome, *words: str) -> dict[str, Any]:
    done = home.spy32(*words, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def undisturbed(done: tuple[int, int], words: Sequence[str]) -> int:
    """The commits of a command that nothing disturbed."""
    code, commits = done
    assert code == 0, f"the undisturbed `spy32 {' '.join(words)}` ended with {code}"
    return commits
