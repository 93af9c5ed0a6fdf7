"""Answers to orders that never arrive as they should: the order exists once or not at all, and reading settles which.

`python -m proofs.lost_answers [ROUNDS]`: so many rounds of each kind, once for the order itself and once for the
replacement at its next price. The desk runs in this process on the real client over HTTP; waiting moves its clock.
Goal: doubled 0, all settled by reading.
"""

import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from spy32.brokers.tastytrade import TastytradeBroker
from spy32.domain.orders import BrokerOrder
from spy32.domain.spreads import Mode
from spy32.errors import NotFilled, Spy32Error
from spy32.lifecycle import FINAL, OrderState, ProposalState
from spy32.settings import Settings
from spy32.store import Store
from spy32.trading import execute
from spy32.trading.context import TradingContext
from tests.servers.tastytrade import Rig
from tests.servers.tastytrade_faults import Kind
from tests.servers.tastytrade_orders import TastytradeBrokerServer
from tests.support import approvals, builders
from tests.support.fakes import FakeLocks, FakeMarket
from tests.support.live_home import NUMBER

PATIENCE = 0.3
"""Seconds after which an answer that does not come is given up."""
SECONDS = 20.0
"""Longest time for anything else."""
PER_SERVER = 20
"""Rounds after which a new server begins: the end of the old one ends every answer that still drips."""
BOTH = (True, False)


@dataclass(frozen=True)
class Loss:
    """How an answer is lost; the rounds take one of `kinds` and of `after` (the order was taken) after the other."""

    kinds: tuple[Kind, ...]
    after: tuple[bool, ...] = (True,)
    hidden: int = 0
    """Reads that do not show the order yet."""


LOSSES: Mapping[str, Loss] = {
    "taken, then silence": Loss(("hang",)),
    "taken, then reset": Loss(("reset", "close")),
    "5xx": Loss(("500", "502", "503"), BOTH),
    "reset before it was taken": Loss(("reset",), (False,)),
    "cut short": Loss(("cut", "truncated")),
    "a byte at a time": Loss(("drip",)),
    "429": Loss(("429",), BOTH),
    "success without an id": Loss(("no_id",), BOTH),
    "taken, then reset, late in the lists": Loss(("reset",), hidden=3),
}
ENDLESS = ("hang", "drip")
WRITES = ("submit", "replace")


@dataclass
class Tally:
    rounds: int = 0
    taken: int = 0
    """Of which the broker had taken the order all the same."""
    doubled: list[str] = field(default_factory=list)
    unsettled: list[str] = field(default_factory=list)
    """Not brought to rest by reading, or at rest as something else than the broker has."""

    def __str__(self) -> str:
        return f"{self.rounds} rounds, {self.taken} taken, doubled {len(self.doubled)}, unsettled {len(self.unsettled)}"


class Impatient(TastytradeBroker):
    """Gives up a write after `seconds`, and a read late."""

    def __init__(self, rig: Rig, seconds: float) -> None:
        self._writing = TastytradeBroker(lambda: (rig.rest, NUMBER), mode=Mode.LIVE, clock=rig.clock, seconds=seconds)
        super().__init__(lambda: (rig.rest, NUMBER), mode=Mode.LIVE, clock=rig.clock, seconds=SECONDS)

    def submit(self, body: str) -> BrokerOrder:
        return self._writing.submit(body)

    def replace(self, broker_id: str, body: str) -> BrokerOrder:
        return self._writing.replace(broker_id, body)


@contextmanager
def desk(folder: Path, server: TastytradeBrokerServer, seconds: float) -> Iterator[TradingContext]:
    """A live desk with one approved proposal, P1, at an empty broker."""
    server.reset()
    server.submits.clear()
    server.requests.clear()
    rig = Rig(server)
    # Nothing is long on its way here, so that what is not found is absent at once.
    settings = replace(Settings(mode=Mode.LIVE), execution=replace(Settings().execution, absent_minutes=1))
    broker = Impatient(rig, seconds)
    with Store.open(folder / "live.db", mode=Mode.LIVE, account=NUMBER, at=builders.NOW) as store:
        made = approvals.proposed(store, builders.account(mode=Mode.LIVE, number=NUMBER))
        store.proposals.approve(builders.approval(made))
        yield TradingContext(
            store=store,
            market=FakeMarket(chain_now=replace(builders.chain(), as_of=rig.begun)),
            orders=broker,
            account=broker,
            locks=FakeLocks(),
            settings=settings,
            clock=rig.clock,
            sleep=rig.sleep,
            halt_reason=lambda: None,
            report=lambda line: None,
            show_progress=lambda line: None,
            dividends=lambda ticker: None,
        )


def prove(rounds: int, names: tuple[str, ...] = tuple(LOSSES), patience: float = PATIENCE) -> dict[str, Tally]:
    """Figures by kind of loss."""
    figures = {name: Tally() for name in names}
    for name, tally in figures.items():
        seconds = patience if LOSSES[name].kinds[0] in ENDLESS else SECONDS
        for first in range(0, rounds, PER_SERVER):
            server = TastytradeBrokerServer(builders.later(minutes=6))
            server.knows_every_symbol = True
            with server.running():
                for turn in range(first, min(first + PER_SERVER, rounds)):
                    _both(server, LOSSES[name], turn, tally, seconds)
    return figures


def _both(server: TastytradeBrokerServer, loss: Loss, turn: int, tally: Tally, seconds: float) -> None:
    for write in WRITES:
        with tempfile.TemporaryDirectory(prefix="spy32-lost-") as folder, desk(Path(folder), server, seconds) as bench:
            _round(bench, server, write, loss, turn, tally)


def _round(
    bench: TradingContext, server: TastytradeBrokerServer, write: str, loss: Loss, turn: int, tally: Tally
) -> None:
    kind, is_taken = loss.kinds[turn % len(loss.kinds)], loss.after[turn // len(loss.kinds) % len(loss.after)]
    plan = bench.store.proposals.get(1).plan
    # The first price fills only where the order itself is what gets lost.
    server.policy.fills_at = plan.start if write == "submit" else plan.prices[1]
    fault = server.fault_submit if write == "submit" else server.fault_replace
    fault(kind, after=is_taken, hidden=loss.hidden)
    trouble: Spy32Error | None = None
    try:
        execute.execute(bench, 1)
    except Spy32Error as error:
        trouble = error
    tally.rounds += 1
    tally.taken += is_taken
    where = f"{write}, {kind} {'after' if is_taken else 'before'} it was taken, round {turn}"
    tally.doubled += [f"{where}: {said}" for said in _doubled(bench, server)]
    tally.unsettled += [f"{where}: {said}" for said in _unsettled(bench, server, write, trouble, is_taken=is_taken)]


def _doubled(bench: TradingContext, server: TastytradeBrokerServer) -> Iterator[str]:
    """More than one order for the approval, a request repeated, or more filled than approved."""
    roots = [order for order in server.orders if order.replaces is None]
    posts = [write.reference for write in server.submits if write.kind in ("submit", "replace")]
    filled = sum(order.spreads for order in server.orders)
    if len(server.sent("submit")) != 1 or len(roots) > 1 or len(set(posts)) < len(posts):
        yield f"{len(server.sent('submit'))} submits, {len(roots)} orders, {len(posts)} requests of {len(set(posts))}"
    if filled > bench.store.proposals.get(1).quantity:
        yield f"{filled} spreads are filled"


def _unsettled(
    bench: TradingContext, server: TastytradeBrokerServer, write: str, trouble: Spy32Error | None, *, is_taken: bool
) -> Iterator[str]:
    """Each way in which our rows are not at rest, or not as the broker has them."""
    there = {str(order.id): order for order in server.orders}
    rows = bench.store.orders.select_by_proposal(1)
    for row in rows:
        if row.state not in FINAL:
            yield f"{row.reference} is {row.state} ({row.reason})"
        theirs = there.pop(row.broker_id or "", None)
        if (theirs.spreads if theirs is not None else 0) != row.filled:
            yield f"{row.reference} has {row.filled} filled, the broker {theirs.spreads if theirs is not None else 0}"
    if there:
        yield f"orders {', '.join(there)} are not in our book"
    expected = OrderState.FILLED if is_taken else OrderState.ABSENT
    lost = rows[0 if write == "submit" else 1] if len(rows) >= WRITES.index(write) + 1 else None
    if lost is None or lost.state is not expected:
        yield f"the order is {lost.state if lost is not None else 'not there'}, not {expected}"
    state = bench.store.proposals.get(1).state
    is_open = any(order.spreads for order in server.orders)
    if state is not (ProposalState.DONE if is_open else ProposalState.PROPOSED):
        yield f"the proposal is {state}"
    if not (trouble is None if is_open else isinstance(trouble, NotFilled)):
        yield f"it ended with {trouble!r}"


def main(rounds: int = 200) -> bool:
    figures = prove(rounds)
    for name, tally in figures.items():
        print(f"lost answers, {name}: {tally}")
        for line in (*tally.doubled, *tally.unsettled)[:10]:
            print(f"    {line}")
    total = sum(tally.rounds for tally in figures.values())
    doubled = sum(len(tally.doubled) for tally in figures.values())
    unsettled = sum(len(tally.unsettled) for tally in figures.values())
    print(f"lost answers: {total} rounds, doubled {doubled}, unsettled {unsettled}")
    return total > 0 and not doubled and not unsettled


if __name__ == "__main__":
    sys.exit(0 if main(*(int(word) for word in sys.argv[1:])) else 1)
