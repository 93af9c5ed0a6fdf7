"""What every broker must do, whatever is behind it: the ports `OrderGateway` and `AccountGateway`."""

from dataclasses import dataclass
from decimal import Decimal

import pytest

from spy32.brokers.paper import PaperBroker
from spy32.domain.orders import OrderKind, spreads_filled
from spy32.errors import BrokerRefused
from spy32.lifecycle import FINAL, OrderState
from spy32.ports import AccountGateway, OrderGateway
from spy32.rules import plan
from spy32.settings import Settings
from tests.support import builders
from tests.support.fakes import FakeLedger, FakeMarket, FakeOrders, ManualClock

FAR = Decimal("3.00")
"""A credit that no market of the builders pays for the default spread."""
NEAR = Decimal("0.05")


def body(limit: Decimal, reference: str = "spy32-P1-A1-1", quantity: int = 2) -> str:
    return plan.order_body(builders.spread().legs, quantity, limit, reference, kind=OrderKind.ENTRY)


@dataclass
class BrokerPorts:
    orders: OrderGateway
    account: AccountGateway | None = None


class BrokerContract:
    """Subclassed once a broker; `make` gives one with an empty book and a market that stands still."""

    def make(self) -> BrokerPorts:
        raise NotImplementedError

    def test_a_taken_order_has_an_id_and_our_reference_and_is_found_by_both(self) -> None:
        orders = self.make().orders
        taken = orders.submit(body(FAR))
        assert taken.broker_id
        assert taken.state is OrderState.WORKING
        assert orders.order(taken.broker_id).reference == "spy32-P1-A1-1"
        assert [order.broker_id for order in orders.todays_orders()] == [taken.broker_id]
        assert [order.broker_id for order in orders.search(builders.TODAY)] == [taken.broker_id]

    def test_a_dry_run_leaves_no_order_behind(self) -> None:
        orders = self.make().orders
        assert orders.dry_run(body(FAR)).accepted
        assert orders.todays_orders() == ()

    def test_a_cancelled_order_is_final_and_cannot_be_cancelled_again(self) -> None:
        orders = self.make().orders
        taken = orders.submit(body(FAR))
        assert orders.cancel(taken.broker_id).state is OrderState.CANCELLED
        with pytest.raises(BrokerRefused):
            orders.cancel(taken.broker_id)

    def test_a_replacement_gets_its_own_id_and_ends_the_old_order(self) -> None:
        orders = self.make().orders
        old = orders.submit(body(FAR))
        new = orders.replace(old.broker_id, body(FAR - Decimal("0.01"), "spy32-P1-A1-2"))
        assert new.broker_id != old.broker_id
        assert new.limit == FAR - Decimal("0.01")
        assert orders.order(old.broker_id).state is OrderState.REPLACED
        with pytest.raises(BrokerRefused):
            orders.replace(old.broker_id, body(FAR, "spy32-P1-A1-3"))

    def test_what_was_sent_comes_back_legs_size_and_sign(self) -> None:
        orders = self.make().orders
        taken = orders.submit(body(FAR))
        assert taken.legs == builders.spread().legs
        assert (taken.quantity, taken.limit) == (2, FAR)


class TestPaperBroker(BrokerContract):
    def make(self) -> BrokerPorts:
        broker = paper()
        return BrokerPorts(orders=broker, account=broker)


class TestFakeOrders(BrokerContract):
    def make(self) -> BrokerPorts:
        return BrokerPorts(orders=FakeOrders())


def paper(**over: object) -> PaperBroker:
    parts: dict[str, object] = {
        "ledger": FakeLedger(),
        "market": FakeMarket(),
        "find_bar": lambda ticker, day: None,
        "clock": ManualClock(),
        "settings": Settings(),
        "number": builders.ACCOUNT,
        **over,
    }
    return PaperBroker(**parts)  # type: ignore[arg-type]


def test_a_paper_order_fills_whole_at_its_own_limit_and_never_better() -> None:
    ledger = FakeLedger()
    filled = paper(ledger=ledger).submit(body(NEAR))
    assert filled.state is OrderState.FILLED
    assert spreads_filled(filled.fills, filled.legs) == 2
    net = sum(fill.action.sign * fill.price * fill.quantity for fill in filled.fills) / 2
    assert net == NEAR
    assert filled.fees is not None
    assert ledger.balance == 100_000 + NEAR * 200 - filled.fees


@pytest.mark.parametrize("share", ["0", "0.25", "1"])
def test_a_paper_order_fills_exactly_from_the_stated_share_on(share: str) -> None:
    from dataclasses import replace

    settings = Settings()
    settings = replace(settings, paper=replace(settings.paper, fill_share=Decimal(share)))
    candidate = builders.candidate()
    edge = candidate.mid - Decimal(share) * (candidate.mid - candidate.natural) / 2
    fills = edge.quantize(Decimal("0.01"), "ROUND_FLOOR")
    assert paper(settings=settings).submit(body(fills)).state is OrderState.FILLED
    assert paper(settings=settings).submit(body(fills + Decimal("0.01"))).state is OrderState.WORKING


def test_a_resting_paper_order_fills_when_the_market_comes_to_it() -> None:
    market = FakeMarket()
    broker = paper(market=market)
    resting = broker.submit(body(Decimal("1.20")))
    assert resting.state is OrderState.WORKING
    from dataclasses import replace

    dearer = tuple(
        replace(quote, bid=(quote.bid or 0) * 3, ask=(quote.ask or 0) * 3) for quote in market.snapshot.chain.quotes
    )
    market.chain_now = replace(market.snapshot.chain, quotes=dearer)
    assert broker.order(resting.broker_id).state is OrderState.FILLED


def test_a_paper_day_order_is_expired_on_another_day() -> None:
    clock = ManualClock()
    broker = paper(clock=clock)
    resting = broker.submit(body(FAR))
    clock.sleep(20 * 3600)
    assert broker.order(resting.broker_id).state is OrderState.EXPIRED


def test_a_reference_that_was_used_before_is_refused_on_paper() -> None:
    broker = paper()
    broker.submit(body(FAR))
    with pytest.raises(BrokerRefused, match="duplicate_reference"):
        broker.submit(body(FAR))


def test_an_order_beyond_the_buying_power_is_refused_with_both_figures() -> None:
    broker = paper(ledger=FakeLedger(balance=Decimal(500)))
    answer = broker.dry_run(body(NEAR))
    assert not answer.accepted
    assert "margin_check_failed" in answer.errors[0] and "500.00 is free" in answer.errors[0]
    with pytest.raises(BrokerRefused, match="margin_check_failed"):
        broker.submit(body(NEAR))


def test_buying_power_falls_by_margin_less_credit_plus_fees() -> None:
    broker = paper()
    before = broker.facts().buying_power
    use = broker.dry_run(body(NEAR)).buying_power_change
    filled = broker.submit(body(NEAR))
    assert use == 500 * 2 - NEAR * 200 + (filled.fees or 0)
    assert broker.facts().buying_power == before - use


def test_opening_a_spread_costs_net_liquidation_its_fees_only() -> None:
    broker = paper()
    filled = broker.submit(body(NEAR))
    assert broker.facts().net_liquidation == 100_000 - (filled.fees or 0)


def test_without_a_market_nothing_fills_and_a_cancel_still_works() -> None:
    broker = paper(market=None)
    resting = broker.submit(body(NEAR))
    assert resting.state is OrderState.WORKING
    assert broker.cancel(resting.broker_id).state in FINAL


def test_an_unknown_order_is_said_to_be_unknown() -> None:
    with pytest.raises(BrokerRefused, match="knows no order 77"):
        paper().order("77")
