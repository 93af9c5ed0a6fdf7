"""The tastytrade broker against a stateful stand-in: the contract of every broker, and lives of whole orders."""

from collections.abc import Iterator
from decimal import Decimal

import pytest

from spy32.brokers.tastytrade import TastytradeBroker, choose_account
from spy32.domain.orders import spreads_filled
from spy32.domain.transactions import TransactionKind
from spy32.errors import BrokerRefused, Unresolved
from spy32.lifecycle import FINAL, OrderState
from tests.contract.test_broker import FAR, BrokerContract, BrokerPorts
from tests.contract.test_broker import body as contract_body
from tests.servers.tastytrade import Rig
from tests.servers.tastytrade_faults import LOST, Kind
from tests.servers.tastytrade_orders import TastytradeBrokerServer
from tests.support import builders
from tests.support.tastytrade_broker import NUMBER, made


@pytest.fixture(scope="module")
def book() -> Iterator[TastytradeBrokerServer]:
    with TastytradeBrokerServer(at=builders.NOW).running() as running:
        assert isinstance(running, TastytradeBrokerServer)
        running.knows_every_symbol = True
        running.policy.fills_at = Decimal(0)
        yield running


@pytest.fixture
def desk(book: TastytradeBrokerServer) -> TastytradeBroker:
    book.reset()
    book.submits.clear()
    return made(Rig(book))


class TestTastytradeBroker(BrokerContract):
    @pytest.fixture(autouse=True)
    def _require_expirations(self, desk: TastytradeBroker) -> None:
        self.desk = desk

    def make(self) -> BrokerPorts:
        return BrokerPorts(orders=self.desk, account=self.desk)

    def test_a_cancelled_order_is_final_and_cannot_be_cancelled_again(self) -> None:
        """An order that was routed is only asked for: the exchange has to confirm."""
        taken = self.desk.submit(contract_body(FAR))
        assert self.desk.cancel(taken.broker_id).status == "Cancel Requested"
        assert self.desk.order(taken.broker_id).state is OrderState.CANCELLED
        with pytest.raises(BrokerRefused, match="cannot_update_order"):
            self.desk.cancel(taken.broker_id)


def test_an_order_that_was_not_routed_yet_is_cancelled_at_once(
    book: TastytradeBrokerServer, desk: TastytradeBroker
) -> None:
    book.state = "Closed"
    try:
        taken = desk.submit(contract_body(FAR))
        assert taken.status == "Received"
        assert desk.cancel(taken.broker_id).state is OrderState.CANCELLED
    finally:
        book.state = None


def test_fills_positions_and_fees_are_those_of_the_broker(book: TastytradeBrokerServer, desk: TastytradeBroker) -> None:
    taken = desk.submit(contract_body(FAR))
    book.fill(int(taken.broker_id), 1)
    part = desk.order(taken.broker_id)
    assert (part.state, spreads_filled(part.fills, part.legs)) == (OrderState.WORKING, 1)
    book.fill(int(taken.broker_id), 1)
    whole = desk.order(taken.broker_id)
    assert (whole.state, spreads_filled(whole.fills, whole.legs)) == (OrderState.FILLED, 2)
    assert sum(one.action.sign * one.price * one.quantity for one in whole.fills) == FAR * 2
    held = {one.symbol: one.quantity for one in desk.positions()}
    assert held == {leg.symbol: -leg.action.sign * 2 for leg in whole.legs}
    lines = desk.transactions(builders.TODAY)
    assert {seen.kind for seen in lines} == {TransactionKind.TRADE}
    assert {seen.order_id for seen in lines} == {taken.broker_id}
    rates = book.book.rates
    fees = sum(sum(rates.fees(leg.action.value, 2).values()) for leg in whole.legs)
    assert sum(seen.fees for seen in lines) == fees
    assert sum(seen.net_value for seen in lines) == FAR * 200 - fees


def test_the_brokers_arithmetic_is_ours(desk: TastytradeBroker) -> None:
    answer = desk.dry_run(contract_body(FAR))
    assert answer.accepted
    assert (answer.limit, answer.quantity, answer.legs) == (FAR, 2, builders.spread().legs)
    assert answer.fees is not None
    assert answer.margin == 1000
    assert answer.buying_power_change == 1000 - FAR * 200 + answer.fees


@pytest.mark.parametrize("form", ["422", "errors", "warnings"])
def test_a_dry_run_says_no_in_three_forms(book: TastytradeBrokerServer, desk: TastytradeBroker, form: str) -> None:
    book.dry_run_form = form
    cash, book.account().cash = book.account().cash, Decimal(100)
    try:
        answer = desk.dry_run(contract_body(FAR))
        assert not answer.accepted
        assert "margin_check_failed" in " ".join(answer.errors)
        with pytest.raises(BrokerRefused, match="margin_check_failed"):
            desk.submit(contract_body(FAR))
        assert desk.todays_orders() == ()
    finally:
        book.dry_run_form, book.account().cash = "422", cash


@pytest.mark.slow
@pytest.mark.parametrize("kind", LOST)
def test_a_taken_order_whose_answer_was_lost_is_found_by_its_reference(
    book: TastytradeBrokerServer, desk: TastytradeBroker, kind: Kind
) -> None:
    book.fault_submit(kind, after=True)
    with pytest.raises(Unresolved):
        made(Rig(book), seconds=0.5).submit(contract_body(FAR))
    assert len(book.sent("submit")) == 1
    for listed in (desk.todays_orders(), desk.search(builders.TODAY)):
        assert [seen.reference for seen in listed] == ["spy32-P1-A1-1"]


def test_a_token_that_is_over_refuses_an_order_once(book: TastytradeBrokerServer, desk: TastytradeBroker) -> None:
    desk.positions()
    book.fault_submit("token")
    with pytest.raises(BrokerRefused, match="HTTP 401"):
        desk.submit(contract_body(FAR))
    assert len(book.sent("submit")) == 1
    assert desk.todays_orders() == ()


def test_a_fill_ends_an_edit_and_the_old_order_shows_it(book: TastytradeBrokerServer, desk: TastytradeBroker) -> None:
    old = desk.submit(contract_body(FAR))
    book.race(1)
    new = desk.replace(old.broker_id, contract_body(FAR - Decimal("0.01"), "spy32-P1-A1-2"))
    assert new.reference == "spy32-P1-A1-2"
    assert desk.order(new.broker_id).state in FINAL
    seen = desk.order(old.broker_id)
    assert spreads_filled(seen.fills, seen.legs) == 1


def test_orders_by_hand_are_seen_and_do_not_get_in_the_way(
    book: TastytradeBrokerServer, desk: TastytradeBroker
) -> None:
    legs = builders.spread().legs
    by_hand = book.by_hand_place({legs[0].symbol: ("Sell to Open", 3), legs[1].symbol: ("Buy to Open", 3)}, None)
    replaced_one = desk.submit(contract_body(FAR))
    after = book.by_hand_replace(int(replaced_one.broker_id), FAR - Decimal("0.10"))
    seen = {order.broker_id: order for order in desk.todays_orders()}
    assert set(seen) == {str(by_hand.id), replaced_one.broker_id, str(after.id)}
    assert (seen[str(by_hand.id)].limit, seen[str(by_hand.id)].quantity) == (0, 3)
    assert seen[replaced_one.broker_id].replaced_by == str(after.id)
    assert seen[str(after.id)].replaces == replaced_one.broker_id


def test_an_assignment_is_in_the_history_with_its_shares(book: TastytradeBrokerServer, desk: TastytradeBroker) -> None:
    taken = desk.submit(contract_body(FAR))
    book.fill(int(taken.broker_id))
    short = builders.spread().legs[0]
    book.assign(short.symbol, 1)
    lines = {(seen.kind, seen.symbol): seen for seen in desk.transactions(builders.TODAY)}
    assert lines[TransactionKind.ASSIGNMENT, short.symbol].quantity == 1
    shares = lines[TransactionKind.OTHER, "SPY"]
    assert (shares.quantity, shares.net_value) == (100, -100 * short.strike)
    assert {held.symbol: held.quantity for held in desk.positions()}["SPY"] == 100


def test_the_clocks_of_both_are_compared(book: TastytradeBrokerServer) -> None:
    broker = made(Rig(book))
    book.date_ahead = 300
    try:
        broker.positions()
        ahead = broker.clock_ahead()
        assert ahead is not None and abs(ahead - 300) <= 1
    finally:
        book.date_ahead = 0


def test_account_facts_follow_the_book(book: TastytradeBrokerServer, desk: TastytradeBroker) -> None:
    book.account().is_closing_only, book.account().kind = True, "Cash"
    book.account().is_frozen = None
    try:
        facts = desk.facts()
        assert facts.restrictions == ("the broker does not say whether it is frozen", "closing only", "cash account")
        assert facts.net_liquidation == 100_000
        assert choose_account(Rig(book).rest, "", 5) == NUMBER
    finally:
        book.account().is_closing_only, book.account().kind, book.account().is_frozen = False, "Margin", False
