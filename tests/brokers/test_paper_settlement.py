"""The paper account moves on by itself: expirations, assignments, exercises, and what became of the shares."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from spy32.brokers.paper import PaperBroker, parse_order_body
from spy32.domain.market import DailyBar
from spy32.domain.orders import BrokerOrder, Fill, OrderKind
from spy32.domain.spreads import MULTIPLIER, Leg, Mode, Position
from spy32.domain.transactions import TransactionKind
from spy32.errors import Spy32Error, Unavailable
from spy32.lifecycle import OrderState
from spy32.ports import DailyBarLookup
from spy32.rules import plan
from spy32.sessions import new_york_instant, next_session, session
from spy32.store import Store
from tests.contract.test_broker import paper
from tests.support import builders
from tests.support.fakes import FakeMarket, ManualClock
from tests.support.stores import opened

D = Decimal
NOW = builders.NOW
CASH = D(100_000)
FRIDAY = builders.EXPIRATION
SHORT, LONG = "SPY   251107P00640000", "SPY   251107P00635000"
CREDIT, FEES = D("1.05"), D("4.52")
ASSIGNED, EXERCISED = TransactionKind.ASSIGNMENT, TransactionKind.EXERCISE
EXPIRED, SHARES, TRADE = TransactionKind.EXPIRATION, TransactionKind.OTHER, TransactionKind.TRADE


class Bars:
    """Daily bars that a test sets; it counts what is asked."""

    def __init__(self, *bars: DailyBar) -> None:
        self.days = {bar.day: bar for bar in bars}
        self.asked: list[tuple[str, date]] = []
        self.error: Spy32Error | None = None

    def __call__(self, ticker: str, day: date) -> DailyBar | None:
        self.asked.append((ticker, day))
        if self.error is not None:
            raise self.error
        return self.days.get(day)


def bar(day: date = FRIDAY, close: float = 637.12, opening: float | None = 641.5) -> DailyBar:
    return DailyBar(day=day, close=close, open=opening)


def final(day: date) -> datetime:
    """The first instant at which the bar of a session counts."""
    hours = session(day)
    assert hours is not None
    return hours.close + timedelta(minutes=30)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with opened(tmp_path / "paper.db", opening_cash=CASH) as made:
        yield made


def hold(
    store: Store,
    *,
    short: str = "640",
    long: str = "635",
    expiration: date = FRIDAY,
    quantity: int = 2,
    fees: Decimal = FEES,
) -> BrokerOrder:
    """A spread that was sold at `CREDIT`."""
    return sell(store, builders.spread(short, long, expiration).legs, quantity, fees)


def sell(store: Store, legs: tuple[Leg, ...], quantity: int, fees: Decimal = FEES) -> BrokerOrder:
    reference = f"spy32-{len(store.paper.orders()) + 1}"
    body = plan.order_body(legs, quantity, CREDIT, reference, kind=OrderKind.ENTRY)
    order = store.paper.place(parse_order_body(body), at=NOW)
    fills = tuple(
        Fill(
            fill_id=f"{order.broker_id}-{number}",
            symbol=leg.symbol,
            action=leg.action,
            quantity=leg.quantity * quantity,
            price=price,
            at=NOW,
        )
        for number, (leg, price) in enumerate(zip(legs, (CREDIT + 1, D(1)), strict=True), 1)
    )
    store.paper.fill(order.broker_id, fills, CREDIT * MULTIPLIER * quantity, fees)
    return order


def broker(store: Store, find_bar: DailyBarLookup, at: datetime, **over: object) -> PaperBroker:
    return paper(ledger=store.paper, find_bar=find_bar, clock=ManualClock(at), **over)


def held(account: PaperBroker) -> dict[str, int]:
    return {position.symbol: position.quantity for position in account.positions()}


def kinds(account: PaperBroker) -> list[tuple[TransactionKind, str, Decimal, Decimal]]:
    return [(line.kind, line.symbol, line.quantity, line.net_value) for line in account.transactions(FRIDAY)]


def check_books(store: Store, account: PaperBroker) -> None:
    """Cash and positions follow from the history, line by line, and the record is whole."""
    lines = account.transactions(builders.TODAY)
    assert len({line.id for line in lines}) == len(lines)
    assert store.paper.cash() == CASH + sum((line.net_value for line in lines), D(0))
    counts: dict[str, Decimal] = {}
    for line in lines:
        before = counts.get(line.symbol, D(0))
        if line.action is not None:
            counts[line.symbol] = before - line.action.sign * line.quantity
        else:  # a contract leaves the account
            counts[line.symbol] = before + line.quantity * (1 if before < 0 else -1)
    assert {symbol: count for symbol, count in counts.items() if count} == held(account)
    assert store.audit.verify().broken is None
    assert store.integrity.check() == ()


# The three ends.


def test_out_of_the_money_the_contracts_are_gone_and_the_credit_stays(store: Store) -> None:
    hold(store)
    account = broker(store, Bars(bar(close=640.0)), final(FRIDAY))
    assert held(account) == {}
    assert kinds(account) == [(EXPIRED, LONG, 2, 0), (EXPIRED, SHORT, 2, 0)]
    assert store.paper.cash() == CASH + 210 - FEES
    assert account.unsettled_notes() == ()
    facts = account.facts()
    assert facts.net_liquidation == facts.buying_power == store.paper.cash()
    check_books(store, account)


def test_all_in_the_money_costs_the_maximum_loss_and_five_dollars_a_leg(store: Store) -> None:
    hold(store)
    account = broker(store, Bars(bar(close=600.0)), final(FRIDAY))
    assert held(account) == {}
    assert kinds(account) == [
        (EXERCISED, LONG, 2, 0),
        (SHARES, "SPY", 200, 126_995),
        (ASSIGNED, SHORT, 2, 0),
        (SHARES, "SPY", 200, -128_005),
    ]
    assert store.paper.cash() == CASH - (5 - CREDIT) * 200 - FEES - 10
    assert account.unsettled_notes() == ()
    check_books(store, account)


def test_between_the_strikes_shares_are_held_over_the_weekend_at_cost_and_sold_at_the_next_open(store: Store) -> None:
    hold(store)
    monday = next_session(FRIDAY).day
    bars = Bars(bar(close=637.12))
    account = broker(store, bars, final(FRIDAY))
    before = CASH + 210 - FEES - 5
    assert account.positions() == (Position(symbol="SPY", quantity=200, average_price=D(640)),)
    facts = account.facts()
    assert (facts.net_liquidation, facts.buying_power) == (before, before - 128_000)
    assert account.unsettled_notes() == (
        "+200 SPY, assigned 2025-11-07: the prices of 2025-11-10 are final at 16:30 New York",
    )
    check_books(store, account)

    bars.days[monday] = bar(monday, close=650.0, opening=636.5)
    early = broker(store, bars, final(monday) - timedelta(seconds=1))
    assert held(early) == {"SPY": 200}
    account = broker(store, bars, final(monday))
    assert held(account) == {}
    assert kinds(account)[-1] == (TRADE, "SPY", 200, 127_300)
    assert store.paper.cash() == before - 700
    assert account.unsettled_notes() == ()
    check_books(store, account)


def test_a_short_call_leaves_short_shares_which_need_margin_and_are_bought_back(store: Store) -> None:
    hold(store, short="640", long="645", quantity=1)
    monday = next_session(FRIDAY).day
    bars = Bars(bar(close=642.0), bar(monday, opening=644.0))
    account = broker(store, bars, final(FRIDAY))
    cash = CASH + 105 - FEES - 5
    assert account.positions() == (Position(symbol="SPY", quantity=-100, average_price=D(640)),)
    facts = account.facts()
    assert (facts.net_liquidation, facts.buying_power) == (cash, cash + 64_000 - D("1.5") * 64_000)
    check_books(store, account)
    account = broker(store, bars, final(monday))
    assert held(account) == {}
    assert store.paper.cash() == cash - 400
    check_books(store, account)


# The session that decides.


def test_a_good_friday_expiration_is_settled_by_the_close_of_thursday(store: Store) -> None:
    thursday, printed = date(2026, 4, 2), date(2026, 4, 3)
    hold(store, expiration=printed)
    bars = Bars(bar(thursday, close=700.0))
    assert len(held(broker(store, bars, final(thursday) - timedelta(seconds=1)))) == 2
    account = broker(store, bars, final(thursday))
    assert held(account) == {}
    assert bars.asked == [("SPY", thursday)]
    assert {line.at for line in account.transactions(thursday)} == {new_york_instant(thursday, time(16, 15))}
    check_books(store, account)


def test_an_early_close_is_settled_in_the_early_afternoon(store: Store) -> None:
    day = date(2025, 11, 28)
    hold(store, expiration=day)
    at = new_york_instant(day, time(13, 30))
    bars = Bars(bar(day, close=700.0))
    assert len(held(broker(store, bars, at - timedelta(seconds=1)))) == 2
    assert held(broker(store, bars, at)) == {}


def test_nothing_is_settled_from_a_price_of_after_hours(store: Store) -> None:
    """The session closed above the strike; the next day's bar, far below, counts for nothing."""
    hold(store)
    bars = Bars(bar(close=640.01), bar(next_session(FRIDAY).day, close=600.0))
    account = broker(store, bars, final(FRIDAY) + timedelta(days=4))
    assert [line[0] for line in kinds(account)] == [EXPIRED, EXPIRED]


# What is missing.


def test_without_a_daily_bar_it_stays_open_and_says_so(store: Store) -> None:
    hold(store)
    bars = Bars()
    account = broker(store, bars, final(FRIDAY))
    assert len(held(account)) == 2
    assert account.unsettled_notes() == (
        "SPY options of 2025-11-07 are not settled: no source has the daily bar of SPY on 2025-11-07",
    )
    bars.days[FRIDAY] = bar(close=700.0)
    assert account.unsettled_notes() == ()
    assert held(account) == {}


def test_a_source_that_fails_is_named(store: Store) -> None:
    hold(store)
    bars = Bars()
    bars.error = Unavailable("yahoo cannot be reached")
    (note,) = broker(store, bars, final(FRIDAY)).unsettled_notes()
    assert note.endswith("no daily bar of SPY on 2025-11-07: yahoo cannot be reached")


@pytest.mark.parametrize("close", [0.0, float("nan")])
def test_a_bar_whose_close_is_no_price_settles_nothing(store: Store, close: float) -> None:
    hold(store)
    account = broker(store, Bars(bar(close=close)), final(FRIDAY))
    assert len(held(account)) == 2
    assert account.unsettled_notes() == ("SPY options of 2025-11-07 are not settled: the daily bar lacks the price",)


def test_a_missing_opening_keeps_the_shares(store: Store) -> None:
    hold(store)
    monday = next_session(FRIDAY).day
    account = broker(store, Bars(bar(close=637.0), bar(monday, opening=None)), final(monday))
    assert held(account) == {"SPY": 200}
    assert account.unsettled_notes() == ("+200 SPY, assigned 2025-11-07: the daily bar lacks the price",)


def test_before_the_bar_counts_no_source_is_asked(store: Store) -> None:
    hold(store)
    bars = Bars(bar())
    account = broker(store, bars, final(FRIDAY) - timedelta(seconds=1))
    assert account.unsettled_notes() == (
        "SPY options of 2025-11-07 are not settled: the prices of 2025-11-07 are final at 16:30 New York",
    )
    assert bars.asked == []


def test_an_index_whose_settlement_is_not_known_stays_open(store: Store) -> None:
    legs = tuple(replace(leg, root="VIX") for leg in builders.spread().legs)
    sell(store, legs, 1)
    (note,) = broker(store, Bars(bar()), final(FRIDAY)).unsettled_notes()
    assert note == "VIX options of 2025-11-07 are not settled: how contracts of this root are settled is not known"


def test_one_expiration_without_its_bar_holds_up_no_other(store: Store) -> None:
    week = date(2025, 11, 14)
    hold(store)
    hold(store, expiration=week)
    account = broker(store, Bars(bar(week, close=700.0)), final(week))
    assert set(held(account)) == {SHORT, LONG}


def test_one_read_settles_every_expiration_that_is_due(store: Store) -> None:
    week = date(2025, 11, 14)
    hold(store)
    hold(store, expiration=week)
    account = broker(store, Bars(bar(close=700.0), bar(week, close=700.0)), final(week))
    assert account.facts().positions == ()
    assert len(store.paper.events()) == 4


# Again and again.


def test_many_reads_settle_once(store: Store) -> None:
    hold(store)
    monday = next_session(FRIDAY).day
    bars = Bars(bar(close=637.0), bar(monday, opening=636.0))
    account = broker(store, bars, final(monday))
    for _ in range(3):
        account.positions()
        account.facts()
        account.transactions(FRIDAY)
    assert len(store.paper.events()) == 4
    assert bars.asked == [("SPY", FRIDAY), ("SPY", monday)]
    check_books(store, account)


def test_a_restart_finds_what_was_settled(tmp_path: Path) -> None:
    path = tmp_path / "paper.db"
    with opened(path, opening_cash=CASH) as first:
        hold(first)
        before = broker(first, Bars(bar(close=637.0)), final(FRIDAY)).transactions(builders.TODAY)
    with opened(path) as second:
        account = broker(second, Bars(), final(FRIDAY))
        assert account.transactions(builders.TODAY) == before
        assert held(account) == {"SPY": 200}
        check_books(second, account)


def test_of_two_processes_one_settles(tmp_path: Path) -> None:
    path = tmp_path / "paper.db"
    with opened(path, opening_cash=CASH) as first, opened(path) as second:
        hold(first)
        other = broker(second, Bars(bar(close=637.0)), final(FRIDAY))

        def settle_meanwhile(ticker: str, day: date) -> DailyBar:
            other.positions()
            return bar(close=600.0)

        account = broker(first, settle_meanwhile, final(FRIDAY))
        assert held(account) == {"SPY": 200}
        assert len(first.paper.events()) == 3
        check_books(first, account)


def test_a_book_opened_for_reading_is_only_read(tmp_path: Path) -> None:
    path = tmp_path / "paper.db"
    with opened(path, opening_cash=CASH) as first:
        hold(first)
    reader = Store.open(path, mode=Mode.PAPER, account=None, at=NOW, read_only=True)
    with closing(reader):
        account = broker(reader, Bars(bar()), final(FRIDAY))
        assert len(held(account)) == 2
        assert account.unsettled_notes() == (
            "SPY options of 2025-11-07 are not settled: the database was opened for reading",
        )


# Orders and recorded markets.


def rest(store: Store, *, is_recorded: bool = False) -> str:
    """A profit target that rests on the default spread; returns its id."""
    legs = tuple(replace(leg, action=leg.action.closing) for leg in builders.spread().legs)
    target = parse_order_body(plan.order_body(legs, 2, D("-0.05"), "target", kind=OrderKind.TARGET))
    return store.paper.place(target, NOW, is_recorded=is_recorded).broker_id


def state(store: Store, broker_id: str) -> OrderState:
    return next(order.state for order in store.paper.orders() if order.broker_id == broker_id)


def test_a_resting_order_ends_when_its_contracts_stop_trading(store: Store) -> None:
    hold(store)
    resting = rest(store)
    option_close = final(FRIDAY) - timedelta(minutes=15)
    broker(store, Bars(), option_close - timedelta(seconds=1)).positions()
    assert state(store, resting) is OrderState.WORKING
    broker(store, Bars(), option_close).positions()
    assert state(store, resting) is OrderState.EXPIRED


def test_a_resting_order_of_a_recorded_market_lives_by_its_clock(store: Store) -> None:
    resting = rest(store, is_recorded=True)
    broker(store, Bars(), final(FRIDAY), market=None).positions()
    assert state(store, resting) is OrderState.WORKING
    broker(store, Bars(), final(FRIDAY), market=FakeMarket(is_recorded=True)).positions()
    assert state(store, resting) is OrderState.EXPIRED


def test_contracts_of_a_recorded_market_are_not_settled_by_the_real_clock(store: Store) -> None:
    market = FakeMarket(is_recorded=True)
    account = paper(ledger=store.paper, market=market)
    body = plan.order_body(builders.spread().legs, 2, D("0.05"), "A", kind=OrderKind.ENTRY)
    assert account.submit(body).state is OrderState.FILLED
    hold(store, short="630", long="625")
    bars = Bars(bar(close=700.0))
    assert set(held(broker(store, bars, final(FRIDAY), market=None))) == {SHORT, LONG}
    assert held(broker(store, bars, final(FRIDAY), market=market)) == {}


def test_a_contract_that_was_once_traded_on_a_recorded_market_is_settled_by_the_real_clock_too(store: Store) -> None:
    market = FakeMarket(is_recorded=True)
    body = plan.order_body(builders.spread().legs, 3, D("0.05"), "A", kind=OrderKind.ENTRY)
    assert paper(ledger=store.paper, market=market).submit(body).state is OrderState.FILLED
    hold(store)
    bars = Bars(bar(close=700.0))
    assert held(broker(store, bars, final(FRIDAY), market=None)) == {SHORT: -3, LONG: 3}
    assert held(broker(store, bars, final(FRIDAY), market=market)) == {}


def test_shares_of_a_recorded_market_are_not_sold_at_a_price_of_the_real_clock(store: Store) -> None:
    market, monday = FakeMarket(is_recorded=True), next_session(FRIDAY).day
    body = plan.order_body(builders.spread().legs, 2, D("0.05"), "A", kind=OrderKind.ENTRY)
    assert paper(ledger=store.paper, market=market).submit(body).state is OrderState.FILLED
    assert held(broker(store, Bars(bar()), final(FRIDAY), market=market)) == {"SPY": 200}
    real = broker(store, Bars(bar(monday, opening=700.0)), final(monday), market=None)
    assert held(real) == {"SPY": 200}
    assert real.unsettled_notes() == ()
    account = broker(store, Bars(bar(monday, opening=638.0)), final(monday), market=market)
    assert held(account) == {}
    assert kinds(account)[-1] == (TRADE, "SPY", 200, 127_600)


# The history.


def test_each_fill_is_a_line_with_its_part_of_the_fees(store: Store) -> None:
    order = hold(store)
    sold, bought = broker(store, Bars(), NOW).transactions(builders.TODAY)
    assert (sold.kind, sold.symbol, sold.quantity, sold.price, sold.order_id) == (
        TRADE,
        SHORT,
        2,
        D("2.05"),
        order.broker_id,
    )
    assert (sold.net_value, sold.fees) == (D("410") - D("2.26"), D("2.26"))
    assert (bought.symbol, bought.net_value, bought.is_final) == (LONG, D("-200") - D("2.26"), True)


def test_fees_that_do_not_divide_leave_their_rest_with_the_first_fill(store: Store) -> None:
    hold(store, fees=D("4.53"))
    assert [line.fees for line in broker(store, Bars(), NOW).transactions(builders.TODAY)] == [D("2.26"), D("2.27")]


def test_the_history_begins_with_the_day_that_is_asked_for(store: Store) -> None:
    hold(store)
    account = broker(store, Bars(bar(close=700.0)), final(FRIDAY))
    assert [line.kind for line in account.transactions(builders.TODAY)] == [TRADE, TRADE, EXPIRED, EXPIRED]
    assert [line.kind for line in account.transactions(FRIDAY)] == [EXPIRED, EXPIRED]
    assert account.transactions(FRIDAY + timedelta(days=1)) == ()


@given(
    st.lists(
        st.tuples(st.integers(620, 660), st.integers(2, 10), st.booleans(), st.integers(1, 9)), min_size=1, max_size=6
    ),
    st.integers(61_500, 66_500),
    st.integers(60_000, 68_000),
)
@hypothesis_settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_cash_and_positions_agree_with_the_history_whatever_is_held(
    tmp_path_factory: pytest.TempPathFactory, spreads: list[tuple[int, int, bool, int]], close: int, opening: int
) -> None:
    monday = next_session(FRIDAY).day
    with opened(tmp_path_factory.mktemp("held") / "paper.db", opening_cash=CASH) as store:
        for strike, width, is_put, quantity in spreads:
            hold(store, short=str(strike), long=str(strike - width if is_put else strike + width), quantity=quantity)
        bars = Bars(bar(close=close / 100), bar(monday, opening=opening / 100))
        for day in (FRIDAY, monday):
            account = broker(store, bars, final(day))
            check_books(store, account)
        assert held(account) == {}
        assert account.unsettled_notes() == ()
