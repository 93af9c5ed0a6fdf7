"""The paper broker's buying power beside working orders, and how long an order lives."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from spy32.brokers.paper import PaperBroker
from spy32.domain.orders import OrderKind
from spy32.domain.transactions import TransactionKind
from spy32.errors import BrokerRefused, Unavailable
from spy32.lifecycle import OrderState
from spy32.rules import plan
from spy32.settings import Settings
from tests.contract.test_broker import FAR, NEAR, body, paper
from tests.support import builders
from tests.support.fakes import FakeLedger, FakeMarket, ManualClock

D = Decimal
LAST = datetime(2025, 11, 7, 21, 15, tzinfo=UTC)
"""A quarter of an hour after the close of the day on which the spread of the builders expires."""


def use(broker: PaperBroker, quantity: int = 2) -> Decimal:
    found = broker.dry_run(body(FAR, "only-asked", quantity)).buying_power_change
    assert found is not None
    return found


def target(limit: str = "-0.05", legs: tuple[object, ...] = ()) -> str:
    closing = tuple(replace(leg, action=leg.action.closing) for leg in builders.spread().legs)
    return plan.order_body(legs or closing, 2, D(limit), "spy32-P1-A1-t1", kind=OrderKind.TARGET)  # type: ignore[arg-type]


def holding(**over: object) -> PaperBroker:
    """A paper account that holds two spreads."""
    broker = paper(**over)
    assert broker.submit(body(NEAR)).state is OrderState.FILLED
    return broker


def test_a_working_order_reserves_the_buying_power_that_it_would_use() -> None:
    broker = paper()
    needs = use(broker)
    assert needs == (5 - FAR) * 200 + D("4.52")
    broker.submit(body(FAR))
    facts = broker.facts()
    assert (facts.buying_power, facts.net_liquidation) == (100_000 - needs, 100_000)


def test_two_orders_cannot_rest_on_the_same_buying_power() -> None:
    broker = paper(ledger=FakeLedger(balance=D(600)))
    broker.submit(body(FAR))
    assert not broker.dry_run(body(FAR, "second")).accepted
    with pytest.raises(BrokerRefused, match=r"margin_check_failed: needs 404\.52 of buying power, 195\.48 is free"):
        broker.submit(body(FAR, "second"))


def test_what_ends_frees_what_it_reserved() -> None:
    clock = ManualClock()
    broker = paper(clock=clock)
    first = broker.submit(body(FAR))
    broker.cancel(first.broker_id)
    assert broker.facts().buying_power == 100_000
    broker.submit(body(FAR, "second"))
    clock.sleep(86_400)
    assert broker.facts().buying_power == 100_000


def test_a_replacement_reserves_in_the_place_of_the_old_order() -> None:
    broker = paper()
    first = broker.submit(body(FAR))
    broker.replace(first.broker_id, body(FAR - D("0.10"), "second"))
    assert broker.facts().buying_power == 100_000 - use(broker) - 20


def test_a_closing_order_reserves_nothing_and_is_taken_without_buying_power() -> None:
    ledger = FakeLedger()
    broker = holding(ledger=ledger)
    before = broker.facts().buying_power
    broker.submit(target())
    assert broker.facts().buying_power == before
    ledger.balance = D(900)
    assert broker.facts().buying_power < 0
    assert broker.dry_run(target().replace("t1", "t2")).accepted


def test_a_resting_target_lives_until_its_contracts_trade_no_more() -> None:
    clock = ManualClock()
    broker = holding(clock=clock)
    resting = broker.submit(target())
    for at in (builders.later(days=20), LAST.replace(minute=14)):
        clock.at = at
        assert broker.order(resting.broker_id).state is OrderState.WORKING
    clock.at = LAST
    assert broker.order(resting.broker_id).state is OrderState.EXPIRED


def test_an_expiration_on_a_closed_day_ends_with_its_last_trading_day() -> None:
    clock = ManualClock()
    broker = paper(clock=clock, settings=Settings())
    saturday = datetime(2025, 11, 8).date()
    legs = tuple(replace(leg, action=leg.action.closing, expiration=saturday) for leg in builders.spread().legs)
    order = broker.ledger.place(broker_order(legs), clock())
    clock.at = LAST.replace(minute=14)
    assert broker.order(order.broker_id).state is OrderState.WORKING
    clock.at = LAST
    assert broker.order(order.broker_id).state is OrderState.EXPIRED


def broker_order(legs: tuple[object, ...]):  # type: ignore[no-untyped-def]
    from spy32.brokers.paper import parse_order_body

    return parse_order_body(target(legs=legs))


def test_a_target_fills_when_the_market_comes_to_it_and_frees_the_margin() -> None:
    broker = holding()
    filled = broker.submit(target("-4.00"))
    assert filled.state is OrderState.FILLED
    assert broker.positions() == ()
    facts = broker.facts()
    assert facts.buying_power == facts.net_liquidation


def recorded(days: int, **over: object) -> PaperBroker:
    """A paper account of a recorded market without bars, so many days after the expiration of what it holds."""
    ledger = FakeLedger()
    market = FakeMarket(is_recorded=True)
    clock = ManualClock()
    holding(ledger=ledger, market=market, clock=clock)
    clock.at = LAST + timedelta(days=days)
    for name, value in over.items():
        setattr(market, name, value)
    return paper(ledger=ledger, market=market, clock=clock)


def test_recorded_quotes_of_the_next_session_settle_an_expiration_without_a_bar_as_an_assumption() -> None:
    account = recorded(3)
    assert (account.positions(), account.unsettled_notes()) == ((), ())
    lines = [line for line in account.transactions(builders.EXPIRATION) if line.kind is TransactionKind.EXPIRATION]
    assert len(lines) == 2
    assert "assumed: the spot of cboe on 2025-11-10, which has no bar of 2025-11-07" in lines[0].description


@pytest.mark.parametrize(
    ("days", "over"),
    [(0, {}), (4, {}), (3, {"is_recorded": False}), (3, {"trouble": Unavailable("the market is down")})],
    ids=["same day", "a session later", "not recorded", "no quotes"],
)
def test_no_other_spot_stands_in_for_a_close(days: int, over: dict[str, object]) -> None:
    assert len(recorded(days, **over).positions()) == 2


@pytest.mark.parametrize(
    ("spot", "removed"),
    [(653.07, 2), (653.05, 0), (637.5, 0), (622.56, 0), (622.54, 2)],
    ids=["out", "strike within 2 %", "between", "long strike within 2 %", "all in the money"],
)
def test_a_spot_stands_in_only_where_no_price_near_it_settles_otherwise(spot: float, removed: int) -> None:
    """Strikes 640 and 635: 653.06 is 640 / 0.98, 622.55 is 635 / 1.02."""
    account = recorded(3, chain_now=replace(builders.chain(), spot=spot))
    assert len(account.positions()) == 2 - removed
    if not removed:
        assert account.unsettled_notes() == (
            "SPY options of 2025-11-07 are not settled: no source has the daily bar of SPY on 2025-11-07",
        )
