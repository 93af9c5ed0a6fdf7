"""Results as the store computes them, and that all cash is accounted for at every step."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from spy32.domain.marks import MarkFlag
from spy32.domain.orders import Order, OrderKind, Trade
from spy32.domain.proposals import ExitReason, Proposal
from spy32.domain.results import CashFlowKind
from spy32.domain.spreads import Action
from spy32.domain.transactions import Adoption, Disposal, Transaction, TransactionKind
from spy32.lifecycle import OrderState, ProposalState, TradeState
from spy32.store import Store
from tests.support import builders
from tests.support.builders import fills, later
from tests.support.open_trades import LONG, SHORT, line
from tests.support.stores import closing, filled, move_trade, opened, sent, working

D = Decimal
CASH = D(100_000)
BACK = tuple(replace(leg, action=leg.action.closing) for leg in builders.spread().legs)
OVER = TransactionKind.EXPIRATION


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with opened(tmp_path / "paper.db", opening_cash=CASH) as found:
        yield found


def bought_back(store: Store, trade: Trade, quantity: int = 2, price: str = "1.70", **over: object) -> Trade:
    """A close that fills so many spreads at 2.00 less `price`."""
    _, order = closing(store, trade, **over)
    own = fills(BACK, quantity, ("2.00", price), at=later(minutes=20))
    found = store.trades.record_fills(order.id, own, fees=D("0.26") * quantity, at=later(minutes=20))
    assert found is not None
    return found


def test_a_close_has_the_mid_of_its_own_approval(store: Store) -> None:
    _, trade = filled(store)
    made = store.proposals.add(
        builders.close_proposal(trade.id, run_id=trade.run_id, reason=ExitReason.TIME), body="{}", at=later(600)
    )
    yes = store.proposals.approve(builders.approval(made, at=later(660), mid=D("-0.28"), natural=D("-0.34")))
    order = working(store, store.orders.begin(builders.order(made, yes), at=later(720)))
    store.trades.record_fills(order.id, fills(BACK, 2, ("2.00", "1.70")), fees=D("0.52"), at=later(minutes=20))
    found = store.results.get(trade.id)
    mid = builders.candidate().mid
    assert (found.opening_slippage, found.closing_slippage) == ((mid - D("0.58")) * 200, D("4.00"))
    assert (found.premium, found.closing_cost, found.fees) == (D("116.00"), D("60.00"), D("5.04"))
    assert (found.realized_profit, found.open_cash, found.exit_reason) == (D("50.96"), 0, ExitReason.TIME)
    assert found.realized_profit == store.trades.get(trade.id).result


def test_a_resting_target_has_no_mid(store: Store) -> None:
    made, trade = filled(store, exit=builders.exit_plan(rests_target=True))
    yes = store.proposals.latest_approval(made.id)
    ticket = builders.order(made, yes, kind=OrderKind.TARGET, limit=D("-0.29"), reference="spy32-P1-A1-t1", body="{}")
    order = working(store, store.orders.begin(ticket, at=later(800)))
    store.trades.record_fills(order.id, fills(BACK, 2, ("2.00", "1.71")), fees=D("0.52"), at=later(900))
    flows = store.results.cash_flows(store.trades.get(trade.id))
    assert [(flow.kind, flow.spreads, flow.amount) for flow in flows] == [
        (CashFlowKind.OPENING, 2, D("116.00")),
        (CashFlowKind.CLOSING, 2, D("-58.00")),
    ]
    assert flows[1].mid is None
    assert store.results.get(trade.id).closing_slippage is None


def adopted(store: Store, trade: Trade, state: TradeState, *lines: Transaction, spreads: int = 2) -> Trade:
    adoption = Adoption(trade_id=trade.id, state=state, spreads=spreads, transactions=lines, reason="history")
    return store.adoptions.adopt(adoption, was=trade.state, held=trade.remaining, at=later(days=32))


def test_an_adopted_expiration_is_a_settlement_and_keeps_the_credit(store: Store) -> None:
    _, trade = filled(store)
    adopted(store, trade, TradeState.EXPIRED, line(1, SHORT, OVER), line(2, LONG, OVER))
    found = store.results.get(trade.id)
    assert (found.realized_profit, found.credit_kept, found.settlement_fees, found.days_held) == (
        D("111.48"),
        1.0,
        0,
        32,
    )


def test_a_settlement_in_cash_and_a_close_by_hand_are_told_apart(store: Store) -> None:
    _, settled = filled(store)
    lines = (line(1, SHORT, TransactionKind.ASSIGNMENT, fees=D(5), net_value=D(-1005)), line(2, LONG, OVER))
    adopted(store, settled, TradeState.CLOSED, *lines)
    found = store.results.get(settled.id)
    assert (found.settlement_fees, found.closing_fees, found.realized_profit) == (D(5), 0, D("-893.52"))
    _, closed = filled(store)
    adopted(store, closed, TradeState.CLOSED, line(3, SHORT, TransactionKind.TRADE, fees=D(5), net_value=D(-65)))
    found = store.results.get(closed.id)
    assert (found.settlement_fees, found.closing_fees, found.realized_profit) == (0, D(5), D("46.48"))


def test_what_became_of_shares_is_part_of_the_settlement(store: Store) -> None:
    _, trade = filled(store)
    assigned = (
        line(1, SHORT, TransactionKind.ASSIGNMENT, fees=D(5), net_value=D(-5)),
        line(2, "SPY", TransactionKind.OTHER, quantity=D(200), net_value=D(-128_000)),
    )
    adopted(store, trade, TradeState.ASSIGNED, *assigned)
    sale = line(3, "SPY", TransactionKind.TRADE, at=later(days=35), quantity=D(200), net_value=D("127699.87"))
    sale = replace(sale, fees=D("0.13"))
    store.adoptions.dispose(Disposal(trade_id=trade.id, transactions=(sale,)), known=0, at=later(days=36))
    flows = store.results.cash_flows(store.trades.get(trade.id))
    assert [(flow.kind, flow.amount, flow.fees) for flow in flows[1:]] == [
        (CashFlowKind.SETTLEMENT, D(-128_000), D(5)),
        (CashFlowKind.SETTLEMENT, D(127_700), D("0.13")),
    ]
    assert flows[-1].at == sale.at
    assert store.results.adopted_lines(date(2025, 11, 8)) == ((trade.id, sale),)
    assert [found.id for _, found in store.results.adopted_lines(builders.TODAY)] == ["1", "2", "3"]
    assert store.results.get(trade.id).realized_profit == 0


def test_unrealised_is_by_the_newest_mark_that_may_decide(store: Store) -> None:
    _, trade = filled(store)
    assert store.results.get(trade.id).unrealized is None
    for minutes, unrealized, flags in ((15, "-5.00", ()), (30, "7.00", ()), (45, "99.00", (MarkFlag.STALE,))):
        at = later(minutes=minutes)
        store.marks.add(builders.mark(trade.id, at=at, unrealized=D(unrealized), flags=flags))
    store.marks.add(builders.mark(trade.id, at=later(hours=1), mid=None, unrealized=None))
    found = store.results.get(trade.id)
    assert (found.unrealized, found.marked_at) == (D("7.00"), later(minutes=30))
    first = store.marks.latest_usable(trade.id, before=date(2025, 10, 7))
    assert first is not None and first.unrealized == D("7.00")
    assert store.marks.latest_usable(trade.id, before=builders.TODAY) is None


def test_totals_read_recent_trades_and_add_up_the_earlier_ones(store: Store) -> None:
    for result, days in (("-500.00", 0), ("120.00", -4), ("33.00", -40), ("-7.00", -400)):
        _, trade = filled(store)
        at = later(days=days)
        move_trade(store, trade.id, now=TradeState.CLOSED, at=at, result=D(result))
    filled(store)
    found = store.results.totals(builders.TODAY)
    assert (found.week, found.month, found.total) == (D(-500), D(-380), D(-354))
    assert (found.unrealized, found.unmarked) == (0, (5,))
    assert [trade.id for trade in store.results.select_recent(date(2025, 10, 1))] == [1, 2, 5]


# Every step.


class Accounting(RuleBasedStateMachine):
    """Openings that fill in parts, closes in parts by order and by hand, targets, expirations and late fees.

    Each fill is also a fill of the paper broker, whose cash must be the opening cash, all results, and what the spreads
    still held brought.
    """

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory(prefix="spy32-results-")
        self.store = opened(Path(self.folder.name) / "paper.db", opening_cash=CASH)
        self.count = 0
        self.entries: dict[int, tuple[Proposal, Order, int]] = {}
        """Openings that still work: proposal, order, and spreads filled so far."""

    @initialize()
    def begin(self) -> None:
        self.open(3)

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()

    def paper(self, order: Order, cash: D, fees: D) -> None:
        """The same fill at the paper broker."""
        self.count += 1
        seen = builders.broker_order(order, reference=f"{self.count}", broker_id=f"p{self.count}")
        self.store.paper.place(seen, later(self.count))
        assert self.store.paper.fill(seen.broker_id, fills(at=later(minutes=9)), cash, fees)

    def fill(self, order: Order, was: int, now: int, *, price: D, fees: D, closes: bool) -> Trade | None:
        """Fill an order up to `now` spreads, the newest at `price` (credit a share, a debit is negative)."""
        legs, base = (BACK, D("2.00")) if closes else (builders.spread().legs, D("4.25"))
        prices = (f"{base}", f"{base + price}") if closes else (f"{base + price}", f"{base}")
        known = self.store.orders.fills(order.id)
        new = fills(legs, now - was, prices, prefix=f"{order.id}-{now}-", at=later(minutes=20))
        before = self.store.orders.fees(order.id)[0]
        self.paper(order, price * 100 * (now - was), fees)
        return self.store.trades.record_fills(order.id, known + new, fees=before + fees, at=later(minutes=20))

    @rule(quantity=st.integers(1, 4))
    def open(self, quantity: int) -> None:
        made, _, order = sent(self.store, quantity=quantity)
        self.entries[made.id] = (made, order, 0)

    @precondition(lambda self: self.entries)
    @rule(data=st.data(), cents=st.integers(55, 80), fees=st.decimals("0.01", "9", places=2))
    def fill_entry(self, data: st.DataObject, cents: int, fees: D) -> None:
        made, order, was = data.draw(st.sampled_from(list(self.entries.values())))
        now = data.draw(st.integers(was + 1, made.quantity))
        self.fill(order, was, now, price=D(cents) / 100, fees=fees, closes=False)
        self.entries[made.id] = (made, order, now)
        if now == made.quantity:
            self.end_entry(made.id)

    def end_entry(self, proposal_id: int) -> None:
        _, order, was = self.entries.pop(proposal_id)
        state = OrderState.FILLED if was else OrderState.CANCELLED
        self.store.orders.move(order.id, was=OrderState.WORKING, now=state, at=later(minutes=21))
        self.store.proposals.finish(
            proposal_id, now=ProposalState.DONE if was else ProposalState.PROPOSED, at=later(minutes=21)
        )

    def held(self) -> list[Trade]:
        trades = self.store.trades.select(TradeState.OPEN, TradeState.CLOSING)
        return [trade for trade in trades if trade.proposal_id not in self.entries]

    @precondition(lambda self: self.held())
    @rule(data=st.data(), cents=st.integers(1, 500), fees=st.decimals("0.01", "3", places=2))
    def close(self, data: st.DataObject, cents: int, fees: D) -> None:
        trade = data.draw(st.sampled_from(self.held()))
        made = self.store.proposals.add(
            builders.close_proposal(trade.id, run_id=trade.run_id, quantity=trade.remaining), body="{}", at=later(600)
        )
        yes = self.store.proposals.approve(builders.approval(made, at=later(660)))
        order = working(self.store, self.store.orders.begin(builders.order(made, yes), at=later(720)))
        now = data.draw(st.integers(1, trade.remaining))
        self.fill(order, 0, now, price=-D(cents) / 100, fees=fees, closes=True)
        self.store.orders.move(order.id, was=OrderState.WORKING, now=OrderState.CANCELLED, at=later(minutes=22))
        self.store.proposals.finish(made.id, now=ProposalState.DONE, at=later(minutes=22))

    @precondition(lambda self: self.held())
    @rule(data=st.data(), by_hand=st.booleans(), fees=st.decimals(0, "5", places=2))
    def adopt(self, data: st.DataObject, by_hand: bool, fees: D) -> None:
        trade = data.draw(st.sampled_from(self.held()))
        count = data.draw(st.integers(1, trade.remaining)) if by_hand else trade.remaining
        kind = TransactionKind.TRADE if by_hand else OVER
        cash = D(-31) * count if by_hand else D(0)
        lines = (
            line(1, SHORT, kind, quantity=D(count), net_value=cash - fees, fees=fees, action=Action.BUY_TO_CLOSE),
            line(2, LONG, kind, quantity=D(count), action=Action.SELL_TO_CLOSE),
        )
        adopted(self.store, trade, TradeState.CLOSED if by_hand else TradeState.EXPIRED, *lines, spreads=count)
        self.paper(self.store.orders.select_by_proposal(trade.proposal_id)[0], cash, fees)

    @precondition(lambda self: self.store.trades.select())
    @rule(data=st.data(), fees=st.decimals(0, "9", places=2))
    def settle_fees(self, data: st.DataObject, fees: D) -> None:
        trade = data.draw(st.sampled_from(self.store.trades.select()))
        waiting = self.store.adoptions.orders_with_estimated_fees(trade.id)
        if waiting and trade.proposal_id not in self.entries:
            order, before = waiting[0]
            self.store.adoptions.settle_fees(order.id, fees, is_final=True, at=later(days=40))
            self.paper(order, D(0), fees - before)

    @invariant()
    def all_cash_is_accounted_for(self) -> None:
        results = [self.store.results.compute(trade) for trade in self.store.trades.select()]
        realized = sum((result.realized_profit for result in results), D(0))
        still_open = sum((result.open_cash for result in results), D(0))
        assert self.store.paper.cash() == CASH + realized + still_open
        assert self.store.results.booked_cash() == realized + still_open
        assert self.store.results.totals(builders.TODAY).total == realized
        for trade, result in zip(self.store.trades.select(), results, strict=True):
            if trade.state in (TradeState.CLOSED, TradeState.EXPIRED):
                assert (result.open_cash, result.realized_profit) == (0, trade.result)
            share = (result.premium - result.opening_fees) * trade.remaining / trade.quantity
            # Each part was rounded to the cent.
            assert abs(result.open_cash - share) <= D("0.005") * len(result.realizations)


TestAccounting = Accounting.TestCase
TestAccounting.settings = settings(
    max_examples=15, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
)
