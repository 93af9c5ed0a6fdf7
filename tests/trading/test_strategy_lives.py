"""Iron condors and debit spreads from the approval to every end, on paper and at the local broker, to the cent."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from spy32.domain.market import Right
from spy32.domain.orders import Trade
from spy32.domain.proposals import ExitReason
from spy32.domain.spreads import Strategy
from spy32.lifecycle import TradeState
from spy32.render.manage_pages import exit_items
from spy32.rules.dry_run_check import check_dry_run
from spy32.trading import order_state
from spy32.trading.execute import execute
from spy32.trading.manage import manage
from spy32.trading.order_book import load_order_book
from spy32.trading.reconcile import reconcile, settle_ended
from tests.support import builders
from tests.support.broker_desk import AFTER_EXPIRATION, BrokerDesk, broker_desk
from tests.support.strategies import OTHERS, PaperLife, approved, chosen, paper_life, terms_of

D = Decimal
OVERNIGHT = date(2025, 11, 10)
"""The session after the expiration."""
BEYOND_PUTS, MIDDLE, BEYOND_CALLS = 560.0, float(builders.SPOT), 760.0


@pytest.fixture
def life(tmp_path: Path) -> Iterator[PaperLife]:
    with paper_life(tmp_path) as made:
        yield made


@pytest.fixture
def at_broker(tmp_path: Path) -> Iterator[BrokerDesk]:
    with broker_desk(tmp_path) as made:
        yield made


def managed(life: PaperLife) -> Trade:
    (state,) = manage(lambda _: life.desk.trading_context)
    assert state.error is None
    return life.desk.store.trades.get(state.trade.id)


def owed(trade: Trade, at: float) -> Decimal:
    """What the legs cost at expiration, dollars, counted leg by leg."""
    total = D(0)
    for leg in trade.legs:
        gap = D(str(at)) - leg.strike if leg.right is Right.CALL else leg.strike - D(str(at))
        total += leg.action.sign * max(gap, D(0)) * 100 * trade.quantity
    return total


def books_agree(life: PaperLife, trade: Trade) -> None:
    assert trade.result == life.cash("account") == life.cash("paper")
    assert life.desk.account.positions() == ()
    assert life.desk.store.audit.verify().broken is None


@pytest.mark.parametrize("strategy", OTHERS)
def test_one_order_opens_it_within_the_plan(life: PaperLife, strategy: Strategy) -> None:
    trade, entry = life.open(strategy), chosen(strategy)
    assert (trade.state, trade.quantity, trade.legs) == (TradeState.OPEN, 2, entry.spread.legs)
    assert entry.floor <= trade.credit <= entry.start
    most = max(owed(trade, at) for at in (BEYOND_PUTS, MIDDLE, BEYOND_CALLS))
    assert trade.max_loss == most - trade.credit * 200 + trade.fees
    assert trade.fees == len(trade.legs) * 2 * D("1.13")
    sent_orders = life.desk.store.orders.select_by_proposal(trade.proposal_id)
    execute(life.desk.trading_context, trade.proposal_id)
    assert life.desk.store.orders.select_by_proposal(trade.proposal_id) == sent_orders


@pytest.mark.parametrize("strategy", OTHERS)
def test_the_profit_target_closes_it(life: PaperLife, strategy: Strategy) -> None:
    trade = life.open(strategy)
    target = terms_of(strategy).exit.profit_target
    # An iron condor has to become cheap, a debit spread dear.
    sold, bought = ("0.20", "0.10") if strategy is Strategy.IRON_CONDOR else ("0.50", "4.50")
    life.quote_mids(*((leg, sold if leg.action.sign > 0 else bought) for leg in trade.legs))
    life.desk.clock.at = builders.later(days=2)
    closed = managed(life)
    assert (closed.state, closed.exit_reason) == (TradeState.CLOSED, ExitReason.TARGET)
    assert closed.debit is not None
    assert closed.debit <= target
    assert closed.result == (closed.credit - closed.debit) * 200 - closed.fees
    assert closed.result > 0
    books_agree(life, closed)


@pytest.mark.parametrize("strategy", OTHERS)
def test_the_time_exit_closes_it_at_a_loss_too(life: PaperLife, strategy: Strategy) -> None:
    trade = life.open(strategy)
    sold, bought = ("1.60", "0.50") if strategy is Strategy.IRON_CONDOR else ("0.30", "0.70")
    life.quote_mids(*((leg, sold if leg.action.sign > 0 else bought) for leg in trade.legs))
    life.desk.clock.at = builders.later(days=3)
    assert managed(life).state is TradeState.OPEN
    life.desk.clock.at = builders.later(days=11)
    closed = managed(life)
    assert (closed.state, closed.exit_reason) == (TradeState.CLOSED, ExitReason.TIME)
    assert closed.debit is not None
    assert closed.result == (closed.credit - closed.debit) * 200 - closed.fees
    assert closed.result < 0
    books_agree(life, closed)


def test_the_stop_of_a_debit_spread_never_fires(life: PaperLife) -> None:
    trade = life.open(Strategy.CALL_DEBIT)
    life.quote_mids(*((leg, "0.02") for leg in trade.legs))
    for minutes in (30, 45, 60):
        life.desk.clock.at = builders.later(minutes=minutes)
        (state,) = manage(lambda _: life.desk.trading_context)
        (stop,) = (check for check in state.checks if check.reason is ExitReason.STOP)
        assert not stop.is_due
        assert "no stop" in stop.message
        assert stop.price is None
        words = next(text for label, text, _ in exit_items(state, state.mark) if label == "Stop")
        assert words == "a debit spread has no stop, since no more than its debit can be lost"
    assert managed(life).state is TradeState.OPEN


@pytest.mark.parametrize("strategy", OTHERS)
@pytest.mark.parametrize("close", [BEYOND_PUTS, MIDDLE, BEYOND_CALLS])
def test_the_official_close_settles_it(life: PaperLife, strategy: Strategy, close: float) -> None:
    trade = life.open(strategy)
    life.end(builders.EXPIRATION, close=close)
    life.desk.clock.at = AFTER_EXPIRATION
    (ended,) = settle_ended(life.desk.trading_context).trades
    # Both legs of one side are in the money, or none is.
    in_the_money = sum(owed(replace(trade, legs=(leg,)), close) != 0 for leg in trade.legs)
    assert in_the_money in (0, 2)
    assert ended.state is (TradeState.CLOSED if in_the_money else TradeState.EXPIRED)
    assert ended.fees == trade.fees + 5 * in_the_money
    assert ended.result == trade.credit * 200 - owed(trade, close) - ended.fees
    books_agree(life, ended)


@pytest.mark.parametrize(
    ("strategy", "right"),
    [
        (Strategy.IRON_CONDOR, Right.PUT),
        (Strategy.IRON_CONDOR, Right.CALL),
        (Strategy.PUT_DEBIT, Right.PUT),
        (Strategy.CALL_DEBIT, Right.CALL),
    ],
)
def test_between_the_strikes_one_leg_brings_shares_that_are_sold_at_the_next_open(
    life: PaperLife, strategy: Strategy, right: Right
) -> None:
    trade = life.open(strategy)
    side = [leg.strike for leg in trade.legs if leg.right is right]
    close = float(sum(side, D(0)) / 2)
    life.end(builders.EXPIRATION, close=close)
    life.desk.clock.at = AFTER_EXPIRATION
    (assigned,) = settle_ended(life.desk.trading_context).trades
    assert assigned.state is TradeState.ASSIGNED
    shares = life.desk.store.adoptions.position(trade.id).shares
    # A short put and a long call bring shares in, a long put and a short call take them out.
    is_long = (right is Right.PUT) is not strategy.is_debit
    assert shares == (200 if is_long else -200)
    life.end(OVERNIGHT, close=close, open_=close + 1)
    life.desk.clock.at = builders.later(days=35, hours=8)
    (closed,) = settle_ended(life.desk.trading_context).trades
    assert closed.state is TradeState.CLOSED
    assert closed.result == trade.credit * 200 - owed(trade, close) + shares - trade.fees - 5
    books_agree(life, closed)


# At the broker.


def sent(found: BrokerDesk, strategy: Strategy) -> Trade:
    """The trade of an order that the local broker accepts in a dry run as we mean it, and fills at its first limit."""
    desk, number = found.desk, approved(found.desk, strategy)
    found.server.at = desk.clock.at
    proposal, yes = desk.store.proposals.get(number), desk.store.proposals.latest_approval(number)
    assert yes is not None
    ticket = load_order_book(desk.trading_context, number).first_ticket(yes)
    dry_run = desk.orders.dry_run(ticket.body)
    assert dry_run.accepted
    assert check_dry_run(proposal, dry_run, desk.settings) == ()
    order = desk.store.orders.begin(ticket, at=desk.clock())
    order = order_state.send_order(desk.trading_context, order, lambda: desk.orders.submit(order.body))
    desk.orders.fill(str(order.broker_id), None)
    order_state.refresh_order(desk.trading_context, order)
    order_state.conclude_proposal(desk.trading_context, number)
    trade = desk.store.trades.find_by_proposal(number)
    assert trade is not None
    return trade


@pytest.mark.parametrize("strategy", OTHERS)
def test_the_broker_understands_the_one_order(at_broker: BrokerDesk, strategy: Strategy) -> None:
    trade, entry = sent(at_broker, strategy), chosen(strategy)
    (order,) = at_broker.desk.store.orders.select_by_proposal(trade.proposal_id)
    body = json.loads(order.body)
    assert body["price-effect"] == ("Debit" if strategy.is_debit else "Credit")
    assert body["price"] == f"{abs(entry.start):.2f}"
    assert [(leg["action"], leg["symbol"]) for leg in body["legs"]] == [
        (leg.action.value, leg.symbol) for leg in entry.spread.legs
    ]
    assert trade.credit == entry.start
    assert at_broker.server.account().held == {leg.symbol: -leg.action.sign * 2 for leg in entry.spread.legs}
    assert not reconcile(at_broker.context_for).view.differs


@pytest.mark.parametrize("strategy", OTHERS)
@pytest.mark.parametrize("close", [BEYOND_PUTS, MIDDLE, BEYOND_CALLS])
def test_the_broker_s_expiration_is_settled_to_the_cent(
    at_broker: BrokerDesk, strategy: Strategy, close: float
) -> None:
    trade = sent(at_broker, strategy)
    at_broker.go(AFTER_EXPIRATION)
    at_broker.server.expire(builders.EXPIRATION, close)
    settle_ended(at_broker.context_for(None))
    at_broker.server.finish_fees()
    reconcile(at_broker.context_for)
    ended = at_broker.trade()
    assert ended.state in (TradeState.EXPIRED, TradeState.CLOSED)
    assert ended.result == at_broker.cash == at_broker.broker_cash
    assert ended.result == trade.credit * 200 - owed(trade, close) - ended.fees
    assert at_broker.server.account().held == {}
