"""Broker behaviours x crashes x commands, in any order: what must hold after every step and once all is quiet.

The machine runs in process on a real store; `proofs.machine` runs it.
"""

import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from spy32.brokers.paper import parse_order_body
from spy32.domain.market import Chain, LegQuotes, OptionQuote, Right
from spy32.domain.orders import Order, OrderKind, Trade, spreads_filled
from spy32.domain.proposals import ExitReason, Proposal, ProposalKind
from spy32.domain.spreads import MULTIPLIER, Candidate, ExitAuthority, Leg, Mode
from spy32.errors import Spy32Error
from spy32.lifecycle import FINAL, IN_FLIGHT, OrderState, ProposalState, TradeState
from spy32.rules import plan
from spy32.rules.pricing import natural_and_mid
from spy32.settings import Settings
from spy32.store import Store
from spy32.trading.context import TradingContext
from spy32.trading.execute import execute
from spy32.trading.manage import manage, plan_name, propose_close
from spy32.trading.reconcile import ReconcileResult, cancel_proposal, reconcile, settle_ended
from tests.support import builders
from tests.support.fakes import FakeLocks, FakeMarket, ManualClock
from tests.support.simulated_broker import LIVE, MAY_FILL, Answer, Broker, Crash, Ticket, body_by_hand, watched

D, O, P = Decimal, OrderState, ProposalState  # noqa: E741
STRIKES = (("640", "635"), ("630", "625"), ("620", "615"), ("610", "605"))
NEVER = (O.REFUSED, O.ABSENT)
ROOMY = replace(
    Settings(),
    limits=replace(
        Settings().limits, max_loss=D("0.02"), open_risk=D(1), buying_power=D(1), submits_per_run=10, submits_per_day=20
    ),
    exit=replace(Settings().exit, authorise=ExitAuthority.PLAN),
    execution=replace(Settings().execution, step_seconds=10, deadline_seconds=45),
)
"""So that it is not our own limits that keep orders from being sent; each plan says who approves its closes."""
exit_plans = st.fixed_dictionaries(
    {
        "authority": st.sampled_from([ExitAuthority.PLAN, ExitAuthority.PLAN, ExitAuthority.ASK]),
        "last_exit": st.sampled_from([builders.TODAY, builders.exit_plan().last_exit]),
        "profit_target": st.sampled_from([D("0.29"), D("0.29"), D("0.70")]),
    }
)
"""Half of the trades are to be closed today, and others at the next mark."""

answers = st.builds(
    Answer,
    kind=st.sampled_from(["taken"] * 6 + ["refused", "unsent", "lost before", "lost after", "lost after"]),
    race=st.sampled_from([0] * 10 + [1, 1, 3, 3, -1]),
    hidden=st.sampled_from([0.0, 0.0, 10.0, 35.0, 55.0]),
    slow=st.booleans(),
)
events = st.tuples(
    st.sampled_from(
        ["nothing"] * 12
        + ["fill all", "fill one", "hand replace", "late fills"] * 2
        + ["uneven", "reject", "hand cancel", "silence", "halt"]
    ),
    st.integers(0, 9),
)
deaths = st.sampled_from(
    [None] * 40
    + [
        (place, death)
        for place in [*range(1, 14)] * 2 + [*range(14, 41)]
        for death in (Crash, Crash, KeyboardInterrupt)
    ]
)
"""At which place a process dies. An `execute` that fills soon reaches 13, a long price walk forty."""
seen: Counter[str] = Counter()
"""How often each thing happened, over all examples of this process."""


class SteadyMarket(FakeMarket):
    """Quotes that are always of now. What is sold at first costs so many cents more than at the opening."""

    clock: ManualClock
    cents: int = 0

    def _serve(self) -> Chain:
        return replace(super()._serve(), as_of=self.clock())

    def quotes(self, underlying: str, legs: Sequence[Leg]) -> LegQuotes:
        seen_now = super().quotes(underlying, legs)
        moved = {symbol: self._move(quote) for symbol, quote in seen_now.quotes.items()}
        return replace(seen_now, quotes=moved)

    def _move(self, quote: OptionQuote) -> OptionQuote:
        """The short puts of `STRIKES` are at multiples of ten."""
        if quote.right is Right.CALL or quote.strike % 10 or quote.bid is None or quote.ask is None:
            return quote
        bid, ask = (round(side + self.cents / 100, 2) for side in (quote.bid, quote.ask))
        return replace(quote, bid=bid, ask=ask)


class OrderMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="spy32-machine-"))
        self.clock = ManualClock()
        self.market = SteadyMarket()
        self.market.clock = self.clock
        self.broker = Broker(clock=self.clock, reach=self.reached, sent=self.noted)
        self.path = self.folder / "paper.db"
        made = Store.open(
            self.path, mode=Mode.PAPER, account=builders.ACCOUNT, at=builders.NOW, opening_cash=D(100_000)
        )
        self.store = watched(made, self.reached)
        self.locks = FakeLocks()
        self.halt: str | None = None
        self.dies: tuple[int, type[BaseException]] | None = None
        self.ahead: list[tuple[str, int]] = []
        self.said: list[str] = []
        self.build_error: list[str] = []
        self.bodies: Counter[str] = Counter()
        self.by_hand: set[str] = set()
        self.ended_with: tuple[Trade, ...] = ()
        """Trades that are held at the end."""

    def teardown(self) -> None:
        try:
            if not self.build_error:
                self.quiet()
            self.ended_with = self.held()
            if not self.build_error:
                self.expires()
        finally:
            self.store.close()
            shutil.rmtree(self.folder)

    # The broker, the clock, and what happens while a command waits.

    @property
    def trading_context(self) -> TradingContext:
        return TradingContext(
            store=self.store,
            market=self.market,
            orders=self.broker,
            account=self.broker,
            locks=self.locks,
            settings=ROOMY,
            clock=self.clock,
            sleep=self.slept,
            halt_reason=lambda: self.halt,
            report=self.said.append,
            show_progress=lambda line: None,
            dividends=lambda ticker: None,
        )

    def reached(self, word: str) -> None:
        """A place where a process may die. Reads change nothing: to die there is to die after what was before."""
        if self.dies is None or word == "read":
            return
        left, kind = self.dies
        self.dies = (left - 1, kind) if left > 1 else None
        if left == 1:
            seen[f"{kind.__name__} {word.split(':', maxsplit=1)[0]}"] += 1
            raise kind(word)

    def noted(self, word: str, body: str) -> None:
        """A request arrives: its row must be committed by then, as `submitting`, with these bytes, and for once."""
        reference = parse_order_body(body).reference
        self.bodies[reference] += 1
        row = self.store.orders.find(reference=reference)
        if row is None or row.state is not O.SUBMITTING or row.body != body:
            self.build_error.append(f"{word} of {reference} left without its row: {row}")
        if self.bodies[reference] > 1:
            self.build_error.append(f"{reference} was sent {self.bodies[reference]} times")

    def slept(self, seconds: float) -> None:
        self.clock.sleep(seconds)
        self.broker.tick()
        self.reached("sleep")
        if self.ahead:
            self.happens(*self.ahead.pop(0))

    def happens(self, what: str, which: int) -> None:
        alive = [ticket for ticket in self.broker.book.values() if ticket.status in MAY_FILL]
        seen[what] += 1
        if what == "silence":
            self.broker.unreadable_until = self.clock() + timedelta(seconds=15 * which)
        elif what == "halt":
            self.halt = "a storm"
        if not alive:
            return
        ticket = alive[which % len(alive)]
        if what in ("fill all", "late fills"):
            self.broker.fill(ticket, ticket.quantity)
            if what == "late fills":
                ticket.listed_fills_from = self.clock() + timedelta(seconds=8 * which)
        elif what in ("fill one", "uneven"):
            self.broker.fill(ticket, 1, legs=1 if what == "uneven" else 2)
        elif ticket.status == LIVE and what == "reject" and not ticket.fills:
            self.broker.reject(ticket)
        elif ticket.status == LIVE and what == "hand cancel":
            self.broker.by_hand_cancel(ticket)
        elif ticket.status == LIVE and what == "hand replace" and ticket.left:
            self.broker.by_hand_replace(ticket, which - 5, keeps_name=which % 2 == 0)

    def command(self, name: str, act: Callable[[], Any], dies: tuple[int, type[BaseException]] | None = None) -> Any:
        """What a command gives; it may end with a clear error, or its process may die."""
        self.dies = dies
        seen[f"{name}: started"] += 1
        try:
            return act()
        except Spy32Error as end:
            seen[f"{name}: {type(end).__name__}"] += 1
        except KeyboardInterrupt:
            seen[f"{name}: interrupted"] += 1
        except Crash:
            seen[f"{name}: died"] += 1
            self.reborn()
        finally:
            self.dies, self.ahead, self.halt = None, [], None
        return None

    def reborn(self) -> None:
        """The next process: its own connection, and no lock of the dead one."""
        self.store.close()
        fresh = Store.open(self.path, mode=Mode.PAPER, account=builders.ACCOUNT, at=self.clock())
        self.store = watched(fresh, self.reached)
        self.locks = FakeLocks()

    # Reading both sides.

    def proposals(self, *states: ProposalState) -> list[Proposal]:
        return list(self.store.proposals.select(*(states or tuple(P))))

    def rows(self) -> list[Order]:
        return [row for made in self.proposals() for row in self.store.orders.select_by_proposal(made.id)]

    def lines(self) -> list[tuple[Order, Ticket]]:
        """Every order at the broker that came of one of ours, a person's replacements with it, and our row.

        What replaced an order while a replacement of ours was lost may be either's: the row that claims it has it.
        """
        book = self.broker.book.values()
        pairs = [
            (self.store.orders.find(broker_id=ticket.id) or self.store.orders.find(reference=ticket.root), ticket)
            for ticket in book
        ]
        return [(row, ticket) for row, ticket in pairs if row is not None]

    def check_invariants(self, *args: Any, **more: Any) -> None:
        seen["steps"] += 1
        super().check_invariants(*args, **more)

    # Rules.

    @initialize(
        quantity=st.integers(1, 3),
        rests=st.booleans(),
        naming=st.sampled_from(["new", "old", "none"]),
        exits=exit_plans,
        is_filled=st.booleans(),
    )
    def begins(self, quantity: int, rests: bool, naming: str, exits: dict[str, Any], is_filled: bool) -> None:
        """One opening, and in half of the examples its trade."""
        self.broker.naming = naming
        self.opening(quantity, rests, exits)
        if is_filled:
            self.executes(which=0, wait=True, dies=None, replies=[], ahead=[("fill all", 0)])

    @rule(quantity=st.integers(1, 3), rests=st.booleans(), exits=exit_plans)
    @precondition(lambda self: self.openings() < len(STRIKES))
    def opening(self, quantity: int, rests: bool, exits: dict[str, Any]) -> None:
        chosen = builders.candidate(*STRIKES[self.openings()])
        limit = chosen.start - D("0.03")
        steps = builders.price_plan(start=chosen.start, limit=limit, step_seconds=10, deadline_seconds=45)
        self.add(
            legs=chosen.spread.legs, quantity=quantity, plan=steps,
            exit=builders.exit_plan(rests_target=rests, **exits),
            max_loss=(D(500) - steps.limit * 100 + builders.COSTS_OPEN) * quantity,
        )  # fmt: skip

    @rule(which=st.integers(0, 3))
    @precondition(lambda self: self.held())
    def closing(self, which: int) -> None:
        """A person asks for a close; it takes the place of one that waits."""
        trades = self.held()
        trade = trades[which % len(trades)]
        self.command("close", lambda: propose_close(self.trading_context, trade.id))

    def held(self) -> tuple[Trade, ...]:
        return self.store.trades.select(TradeState.OPEN, TradeState.CLOSING)

    @rule(dies=deaths, replies=st.lists(answers, max_size=4), ahead=st.lists(events, max_size=8))
    @precondition(lambda self: self.held())
    def manages(
        self, dies: tuple[int, type[BaseException]] | None, replies: list[Answer], ahead: list[tuple[str, int]]
    ) -> None:
        self.broker.answers, self.ahead = replies, ahead
        for found in self.command("manage", lambda: manage(lambda number: self.trading_context), dies) or ():
            seen[f"managed: {type(found.error).__name__ if found.error is not None else found.trade.state}"] += 1

    @rule(which=st.integers(0, 3))
    @precondition(lambda self: self.held())
    def moves_the_market(self, which: int) -> None:
        """Closing costs so many cents more than it did at the opening."""
        self.market.cents = (0, 0, 25, -20)[which]

    def openings(self) -> int:
        return sum(made.kind is ProposalKind.OPEN for made in self.proposals())

    def add(self, **over: Any) -> None:
        run = self.store.runs.begin(trigger=builders.run().trigger, mode=Mode.PAPER, profile="default", at=self.clock())
        made = builders.proposal_terms(run_id=run.id, **over)
        self.store.proposals.add(replace(made, hash=plan.proposal_digest(made)), body="{}", at=self.clock())

    def candidate_of(self, short: Decimal) -> Candidate:
        return builders.candidate(*next(pair for pair in STRIKES if D(pair[0]) == short))

    @rule(which=st.integers(0, 3))
    @precondition(lambda self: self.proposals(P.PROPOSED))
    def approve(self, which: int) -> None:
        waiting = self.proposals(P.PROPOSED)
        self.yes_to(waiting[which % len(waiting)])

    def yes_to(self, made: Proposal) -> None:
        """Anna approves it at the quotes of now, for half an hour."""
        quotes = self.market.quotes("SPY", made.legs)
        prices = natural_and_mid(made.legs, quotes.quotes)
        assert prices is not None
        delta = self.candidate_of(made.legs[0].strike).short_delta
        times = {"at": self.clock(), "until": self.clock() + timedelta(minutes=30)}
        yes = builders.approval(made, natural=prices[0], mid=prices[1], short_delta=delta, **times)
        self.store.proposals.approve(yes)

    @rule(
        which=st.integers(0, 3), wait=st.booleans(), dies=deaths, replies=st.lists(answers, max_size=5),
        ahead=st.lists(events, max_size=8),
    )  # fmt: skip
    @precondition(lambda self: self.proposals(P.PROPOSED, P.APPROVED, P.SENT))
    def executes(
        self,
        which: int,
        wait: bool,
        dies: tuple[int, type[BaseException]] | None,
        replies: list[Answer],
        ahead: list[tuple[str, int]],
    ) -> None:
        ready = self.proposals(P.PROPOSED, P.APPROVED, P.SENT)
        number = ready[which % len(ready)].id
        if self.store.proposals.get(number).state is P.PROPOSED:
            self.yes_to(self.store.proposals.get(number))
        self.broker.answers, self.ahead = replies, ahead

        done = self.command("execute", lambda: execute(self.trading_context, number, wait=wait), dies)
        seen["executes: returned"] += done is not None

    @rule(which=st.integers(0, 6), replies=st.lists(answers, max_size=2))
    @precondition(lambda self: self.proposals(P.DONE))
    def executes_again(self, which: int, replies: list[Answer]) -> None:
        done = self.proposals(P.DONE)
        self.broker.answers = replies
        self.command("execute again", lambda: execute(self.trading_context, done[which % len(done)].id))

    @rule(which=st.integers(0, 6), dies=deaths, replies=st.lists(answers, max_size=2))
    @precondition(lambda self: self.store.orders.select(*IN_FLIGHT))
    def cancels(self, which: int, dies: tuple[int, type[BaseException]] | None, replies: list[Answer]) -> None:
        flying = self.store.orders.select(*IN_FLIGHT)
        self.broker.answers = replies
        self.command(
            "cancel", lambda: cancel_proposal(self.trading_context, flying[which % len(flying)].proposal_id), dies
        )

    @rule(dies=deaths, ahead=st.lists(events, max_size=3))
    def reconciles(self, dies: tuple[int, type[BaseException]] | None, ahead: list[tuple[str, int]]) -> None:
        self.ahead = ahead
        self.command("reconcile", lambda: reconcile(lambda number: self.trading_context), dies)

    @rule(event=events)
    def broker_acts(self, event: tuple[str, int]) -> None:
        self.happens(*event)

    @rule(seconds=st.sampled_from([1, 20, 70, 600]))
    def time_passes(self, seconds: int) -> None:
        self.clock.sleep(seconds)
        self.broker.tick()

    @rule(fills=st.booleans())
    @precondition(lambda self: self.openings() and not self.by_hand)
    def somebody_places(self, fills: bool) -> None:
        chosen = builders.candidate(*STRIKES[self.openings() - 1])
        self.broker.by_hand_place(body_by_hand(chosen.spread.legs, chosen.start))
        ticket = list(self.broker.book.values())[-1]
        self.by_hand.add(ticket.id)
        if fills:
            self.broker.fill(ticket, 1)

    @rule()
    @precondition(lambda self: self.store.orders.select(*IN_FLIGHT))
    def all_is_quiet(self) -> None:
        self.quiet()

    # What must hold.

    @invariant()
    def nothing_is_wrong_with_a_request(self) -> None:
        assert not self.build_error, self.build_error

    @invariant()
    def one_order_alive_for_an_approval(self) -> None:
        alive = [row for row, ticket in self.lines() if ticket.status in MAY_FILL]
        counted = Counter((row.approval_id, row.kind is OrderKind.TARGET) for row in alive)
        assert all(number <= 1 for number in counted.values()), counted

    @invariant()
    def no_more_filled_than_approved(self) -> None:
        for made in self.proposals():
            fills = [
                fill for row, ticket in self.lines() for fill in ticket.fills
                if row.proposal_id == made.id and row.kind is not OrderKind.TARGET
            ]  # fmt: skip
            for leg in made.legs:
                done = sum(fill.quantity for fill in fills if fill.symbol == leg.symbol)
                assert done <= made.quantity * leg.quantity, f"P{made.id}: {done} of {made.quantity}"

    @invariant()
    def nothing_is_closed_beyond_what_is_held(self) -> None:
        """Neither filled nor, with what is alive, possible: of one trade one order at a time may close."""
        for trade in self.store.trades.select():
            closing = [(row, ticket) for row, ticket in self.lines() if self.closes_trade(row, trade)]
            alive = [ticket for _, ticket in closing if ticket.status in MAY_FILL]
            assert len(alive) <= 1, f"T{trade.id} may be closed by {alive}"
            for leg in trade.legs:
                opened = self.filled(leg.symbol, lambda row, of=trade: row.proposal_id == of.proposal_id and row.kind is OrderKind.ENTRY)  # fmt: skip # noqa: E501
                closed = self.filled(leg.symbol, lambda row, of=trade: self.closes_trade(row, of))
                possible = sum(ticket.quantity - ticket.steps_done(leg) for ticket in alive)
                assert closed + possible <= opened, f"T{trade.id}: {closed} + {possible} of {opened} {leg.symbol}"

    def filled(self, symbol: str, is_of: Callable[[Order], bool]) -> int:
        """Contracts filled at the broker in these orders of ours."""
        fills = [fill for row, ticket in self.lines() if is_of(row) for fill in ticket.fills]
        return sum(fill.quantity for fill in fills if fill.symbol == symbol)

    def closes_trade(self, row: Order, trade: Trade) -> bool:
        """Whether it is the trade's profit target, or an order of one of its closes."""
        if row.proposal_id == trade.proposal_id:
            return row.kind is OrderKind.TARGET
        return self.store.proposals.get(row.proposal_id).trade_id == trade.id

    @invariant()
    def one_close_waits_for_a_trade_and_a_closing_trade_has_a_sent_one(self) -> None:
        for trade in self.store.trades.select():
            closes = self.store.proposals.select_closes(trade.id)
            states = Counter(close.state for close in closes)
            assert states[P.PROPOSED] + states[P.APPROVED] + states[P.SENT] <= 1, states
            assert trade.state is not TradeState.CLOSING or states[P.SENT] == 1, f"T{trade.id} is closing by {states}"

    @invariant()
    def the_plan_sends_what_it_covers(self) -> None:
        for close in self.proposals():
            approval = self.store.proposals.latest_approval(close.id)
            trade = self.store.trades.get(close.trade_id) if close.trade_id is not None else None
            if approval is not None and trade is not None and approval.by == plan_name(trade.proposal_id):
                opening = self.store.proposals.get(trade.proposal_id)
                assert opening.exit.authority is ExitAuthority.PLAN
                assert close.reason is not ExitReason.PERSON
                assert -close.floor_price <= trade.width
                assert close.reason is not ExitReason.TARGET or -close.floor_price <= opening.exit.profit_target

    @invariant()
    def nothing_below_the_floor(self) -> None:
        for row in self.rows():
            made = self.store.proposals.get(row.proposal_id)
            least = -made.exit.profit_target if row.kind is OrderKind.TARGET else made.plan.limit
            assert row.limit >= least
            assert parse_order_body(row.body).limit == row.limit

    @invariant()
    def every_row_is_final_or_in_flight(self) -> None:
        for row in self.rows():
            assert (row.state in FINAL) != (row.state in IN_FLIGHT)
            made = self.store.proposals.get(row.proposal_id)
            if row.state in IN_FLIGHT and row.kind is not OrderKind.TARGET:
                assert made.state is P.SENT, f"{row.reference} is {row.state} and P{made.id} {made.state}"

    @invariant()
    def no_order_of_ours_is_lost(self) -> None:
        for row, ticket in self.lines():
            if ticket.status in MAY_FILL or ticket.fills:
                assert row.state not in NEVER, f"{row.reference} is {row.state}, and at the broker {ticket.status}"
                assert row.state not in FINAL or ticket.status not in MAY_FILL, f"{row.reference} is {row.state}, alive"

    def quiet(self) -> ReconcileResult:
        """Everything is confirmed and can be read; after one `reconcile` both books agree, or it says why not."""
        self.broker.answers, self.ahead, self.dies = [], [], None
        self.clock.sleep(180)
        self.broker.tick()
        found = reconcile(lambda number: self.trading_context)
        told = "; ".join(trouble.message for trouble in found.errors)
        seen["quiet: told" if told else "quiet: settled"] += 1
        by_row = {row.reference: [t for r, t in self.lines() if r.id == row.id] for row in self.rows()}
        for row in self.rows():
            tickets = by_row[row.reference]
            is_alive = any(ticket.status in MAY_FILL for ticket in tickets)
            if row.state in IN_FLIGHT and not is_alive:
                assert row.reference in told, f"{row.reference} is {row.state}, at the broker {tickets}; told: {told}"
            mine = {fill.fill_id for fill in self.store.orders.fills(row.id)}
            theirs = {fill.fill_id for ticket in tickets for fill in ticket.fills}
            assert mine == theirs or row.reference in told, f"{row.reference}: {mine} and {theirs}; told: {told}"
        for made in self.proposals(P.SENT):
            flying = any(row.state in IN_FLIGHT for row in self.store.orders.select_by_proposal(made.id))
            assert flying or f"P{made.id}" in told, f"P{made.id} is sent and nothing of it is in flight"
        if not told:
            self.cash_is_equal()
        self.positions_are_equal(found, told)
        assert not self.store.integrity.check()
        return found

    def expires(self) -> None:
        """The contracts expire out of the money: each trade ends by itself, no cash moves, and nothing waits for it.

        Where one leg of an order filled further than the other, a person is told instead. The first process may die.
        """
        held = self.held()
        self.clock.at = datetime(2025, 11, 7, 21, 45, tzinfo=UTC)
        self.broker.expire()
        for dies in ((len(self.bodies) % 4 + 1, Crash), None):
            settled = self.command("settle", lambda: settle_ended(self.trading_context), dies)
        assert settled is not None
        # A process that died in between left the close of an ended trade to the end of its session.
        self.store.proposals.lapse_overdue(self.clock())
        told = [*settled.warnings.values(), *settled.for_person.values()]
        book = self.broker.book.values()
        is_uneven = any(len({ticket.steps_done(leg) for leg in ticket.legs}) > 1 for ticket in book)
        seen["expired: told" if told else "expired: settled"] += 1
        assert not told or is_uneven, told
        assert told or not self.held(), f"{self.held()} are held, and nothing is told"
        for before in held:
            trade = self.store.trades.get(before.id)
            seen[f"expired: {trade.state}"] += 1
            if trade.state is TradeState.EXPIRED:
                closes = self.store.proposals.select_closes(trade.id)
                assert not any(close.state in (P.PROPOSED, P.APPROVED) for close in closes)
            assert told or self.store.results.get(trade.id).realized_profit == trade.result
        if not told:
            self.cash_is_equal()
        assert not self.store.integrity.check()

    def cash_is_equal(self) -> None:
        booked = self.store.core.row("select coalesce(sum(amount_e4), 0) from cash where kind in ('premium', 'fees')")
        assert booked is not None
        fills = [fill for _, ticket in self.lines() for fill in ticket.fills]
        premium = sum((fill.action.sign * fill.price * fill.quantity * MULTIPLIER for fill in fills), D(0))
        fees = sum((D("1.13") * fill.quantity for fill in fills), D(0))
        assert D(booked[0]) / 10_000 == premium - fees

    def positions_are_equal(self, found: ReconcileResult, told: str) -> None:
        """What the view shows of the broker is all that is there; ours is the whole spreads of our own orders."""
        there = {symbol: number for symbol, number in Broker.held(self.broker.book.values()).items() if number}
        assert {each.symbol: each.broker for each in found.view.holdings if each.broker} == there
        expected: dict[str, int] = {}
        for trade in self.store.trades.select():
            closes = {made.id for made in self.proposals() if made.trade_id == trade.id}
            opening = [
                fill for row, ticket in self.lines() for fill in ticket.fills
                if row.proposal_id == trade.proposal_id and row.kind is not OrderKind.TARGET
            ]  # fmt: skip
            closing = [
                fill for row, ticket in self.lines() for fill in ticket.fills
                if row.proposal_id in closes or (row.proposal_id, row.kind) == (trade.proposal_id, OrderKind.TARGET)
            ]  # fmt: skip
            bought = tuple(replace(leg, action=leg.action.closing) for leg in trade.legs)
            left = spreads_filled(tuple(opening), trade.legs) - spreads_filled(tuple(closing), bought)
            assert left >= 0, f"T{trade.id} was closed beyond what was opened"
            for leg in trade.legs:
                expected[leg.symbol] = expected.get(leg.symbol, 0) - leg.action.sign * leg.quantity * left
        ours = {each.symbol: each.ours for each in found.view.holdings if each.ours}
        assert told or ours == {symbol: number for symbol, number in expected.items() if number}


def run_crash(place: int) -> Counter[str]:
    """One opening whose first `execute` dies at a given place, counted from 1, and a second one that goes on.

    Every invariant is checked after each, and both books are compared at the end.
    """
    seen.clear()
    machine = OrderMachine()
    try:
        machine.begins(quantity=2, rests=True, naming="new", exits={}, is_filled=False)
        for dies in ((place, Crash), None):
            machine.executes(which=0, wait=True, dies=dies, replies=[], ahead=[("nothing", 0), ("fill all", 0)])
            for invariant in machine.invariants:
                invariant.function(machine)
    finally:
        machine.teardown()
    return Counter(seen)


def run_manage_crash(place: int) -> Counter[str]:
    """One trade whose last exit has come: the `manage` that closes it by its plan dies at a given place, and later ones
    go on. Every invariant is checked after each, and both books are compared at the end. Places are counted from 1.
    """
    seen.clear()
    machine = OrderMachine()
    by_plan = {"authority": ExitAuthority.PLAN, "last_exit": builders.TODAY}
    try:
        machine.begins(quantity=2, rests=True, naming="new", exits=by_plan, is_filled=True)
        for dies in ((place, Crash), None, None, None):
            if machine.held() or machine.proposals(P.SENT):
                machine.manages(dies=dies, replies=[], ahead=[("nothing", 0), ("nothing", 0), ("fill all", 0)])
            machine.time_passes(600)
            for invariant in machine.invariants:
                invariant.function(machine)
    finally:
        machine.teardown()
    seen["trades held"] = len(machine.ended_with)
    return Counter(seen)


def run_machine(examples: int, steps: int, number: int | None = None) -> Counter[str]:
    """The machine over so many examples of so many steps; raises with the steps that broke an invariant.

    Without a number the examples are the same at every start, and what breaks is made as short as can be.
    """
    seen.clear()
    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        derandomize=number is None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink] if number is None else [Phase.generate],
    )
    run_state_machine_as_test(OrderMachine if number is None else seed(number)(OrderMachine), settings=chosen)
    return Counter(seen)
