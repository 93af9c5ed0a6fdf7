"""Fills and what they open, close, earn and risk; the paper broker's book; flags."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spy32.domain.exposure import Exposure
from spy32.domain.market import Right
from spy32.domain.orders import Fill
from spy32.domain.spreads import Action, Mode, Position
from spy32.domain.transactions import Adoption, TransactionKind
from spy32.errors import BadUsage, BrokerRefused, Refused, Unusable
from spy32.lifecycle import OrderState, ProposalState, TradeState
from spy32.records.encoding import dollars_to_e4, e4_to_dollars
from spy32.records.fill_prices import max_settlement_cost_e4, premium_e4
from spy32.store import Store
from tests.support import builders
from tests.support.builders import NOW, TODAY, broker_order, fills, later
from tests.support.open_trades import line
from tests.support.stores import FEES, approved, closing, filled, move_trade, opened, proposed, sent

D = Decimal
MONDAY = TODAY
BACK = ("2.00", "1.70")
"""Bought back for 0.30 a share."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with opened(tmp_path / "paper.db", opening_cash=D(100_000)) as found:
        yield found


def number(noun: object) -> int:
    found = noun.id  # type: ignore[attr-defined]
    assert isinstance(found, int)
    return found


def cash_of(store: Store, book: str = "account") -> Decimal:
    return e4_to_dollars(
        store.core.db.execute("select sum(amount_e4) from cash where book = ?", (book,)).fetchone()[0] or 0
    )


def back(trade_legs: object = None, **over: object) -> tuple[Fill, ...]:
    legs = tuple(replace(leg, action=leg.action.closing) for leg in builders.spread().legs)
    return fills(legs, prices=BACK, at=later(minutes=20), **over)  # type: ignore[arg-type]


# Money.


@given(st.decimals(min_value="-900000000000", max_value="900000000000", places=4))
def test_money_goes_in_and_comes_out_the_same(amount: Decimal) -> None:
    assert e4_to_dollars(dollars_to_e4(amount)) == amount


def test_money_shows_cents_unless_it_has_more() -> None:
    assert [str(e4_to_dollars(value)) for value in (5800, 5750, 5755, -5800, 0, 1)] == [
        "0.58",
        "0.575",
        "0.5755",
        "-0.58",
        "0.00",
        "0.0001",
    ]


@pytest.mark.parametrize("amount", ["0.00001", "NaN", "Infinity", "1e30"])
def test_money_that_cannot_be_kept_exactly_is_refused(amount: str) -> None:
    with pytest.raises(Unusable):
        dollars_to_e4(D(amount))


def test_a_float_is_never_money() -> None:
    with pytest.raises(TypeError):
        dollars_to_e4(0.58)  # type: ignore[arg-type]


# Opening.


def test_the_first_fill_opens_a_trade_from_what_was_really_paid(store: Store) -> None:
    made, _, order = sent(store)
    trade = store.trades.record_fills(
        number(order), fills(prices=("4.85", "4.25")), fees=FEES, at=later(420), assumption="mid"
    )
    assert trade is not None
    assert (trade.state, trade.quantity, trade.credit, trade.fees) == (TradeState.OPEN, 2, D("0.60"), FEES)
    assert trade.max_loss == (5 - D("0.60")) * 100 * 2 + FEES
    assert trade.legs == builders.spread().legs
    assert (trade.assumption, trade.opened_at, trade.closed_at, trade.result) == ("mid", later(420), None, None)
    assert trade == store.trades.get(1) == store.trades.find_by_proposal(number(made))
    assert store.orders.get(number(order)).filled == 2
    assert cash_of(store) == D("0.60") * 200 - FEES


def test_telling_the_same_fills_again_changes_nothing(store: Store) -> None:
    _, _, order = sent(store)
    first = store.trades.record_fills(number(order), fills(), fees=FEES, at=later(420))
    head = store.audit.head()
    assert store.trades.record_fills(number(order), fills() * 2, fees=FEES, at=later(430)) == first
    assert store.audit.head() == head
    assert store.orders.fills(number(order)) == fills()


def test_a_trade_grows_with_more_fills(store: Store) -> None:
    _, _, order = sent(store)
    first = fills(quantity=1, prices=("4.83", "4.25"))
    second = fills(quantity=1, prices=("4.80", "4.25"), prefix="G")
    one = store.trades.record_fills(number(order), first, fees=D("2.26"), at=later(420))
    two = store.trades.record_fills(number(order), first + second, fees=FEES, at=later(430))
    assert one is not None
    assert two is not None
    assert (one.id, one.quantity, one.credit) == (two.id, 1, D("0.58"))
    assert (two.quantity, two.credit, two.fees) == (2, D("0.565"), FEES)
    assert (one.opening_fees, two.opening_fees) == (D("2.26"), FEES)
    assert two.max_loss == 2 * 500 - D("113.00") + FEES
    assert cash_of(store) == D("113.00") - FEES


def test_fees_may_be_told_later(store: Store) -> None:
    _, _, order = sent(store)
    store.trades.record_fills(number(order), fills(), fees=D(0), at=later(420))
    trade = store.trades.record_fills(number(order), fills(), fees=FEES, at=later(430))
    assert trade is not None
    assert trade.fees == FEES
    assert cash_of(store) == D("116.00") - FEES


def test_fees_are_kept_to_the_nearest_ten_thousandth(store: Store) -> None:
    _, _, order = sent(store)
    trade = store.trades.record_fills(number(order), fills(), fees=D(10) / 3, at=later(420))
    assert trade is not None
    assert trade.fees == D("3.3333")


def test_one_leg_alone_opens_nothing_yet(store: Store) -> None:
    made, _, order = sent(store)
    assert store.trades.record_fills(number(order), fills()[:1], fees=D(0), at=later(420)) is None
    assert store.trades.find_by_proposal(number(made)) is None
    assert store.orders.get(number(order)).filled == 0
    assert cash_of(store) == D("966.00")
    trade = store.trades.record_fills(number(order), fills(), fees=FEES, at=later(421))
    assert trade is not None
    assert (trade.quantity, trade.credit) == (2, D("0.58"))


def test_a_leg_that_is_ahead_counts_at_its_average_price(store: Store) -> None:
    _, _, order = sent(store)
    short, long = fills()
    trade = store.trades.record_fills(number(order), (short, replace(long, quantity=1)), fees=D(0), at=later(420))
    assert trade is not None
    assert (trade.quantity, trade.credit, trade.max_loss) == (1, D("0.58"), D("442.00"))


@pytest.mark.parametrize(("is_opening", "expected"), [(True, "0.5766"), (False, "-0.5767")])
def test_an_average_of_a_leg_that_is_ahead_is_rounded_to_our_disadvantage(is_opening: bool, expected: str) -> None:
    legs = builders.spread().legs
    if not is_opening:
        legs = tuple(replace(leg, action=leg.action.closing) for leg in legs)
    short = fills(legs, quantity=2)[:1] + fills(legs, quantity=1, prices=("4.82", "0"), prefix="G")[:1]
    long = fills(legs, quantity=1)[1:]
    assert e4_to_dollars(premium_e4([*short, *long], legs, 1)) == D(expected)


def test_an_average_that_is_not_exact_is_rounded_only_where_it_is_shown(store: Store) -> None:
    _, _, order = sent(store, quantity=3)
    parts = fills(quantity=2) + fills(quantity=1, prices=("4.82", "4.25"), prefix="G")
    trade = store.trades.record_fills(number(order), parts, fees=D(0), at=later(420))
    assert trade is not None
    assert trade.credit == D("0.5767")
    assert trade.max_loss == 3 * 500 - D("173.00")


@pytest.mark.parametrize(
    "parts",
    [
        fills(quantity=3),
        fills(quantity=2) + fills(quantity=1, prefix="G"),
        fills(quantity=2)[:1] + fills(quantity=1, prefix="G")[:1],
    ],
)
def test_more_than_was_ordered_is_refused(store: Store, parts: tuple[Fill, ...]) -> None:
    _, _, order = sent(store)
    with pytest.raises(Refused, match="2 were ordered"):
        store.trades.record_fills(number(order), parts, fees=FEES, at=later(420))
    assert store.orders.fills(number(order)) == ()
    assert store.trades.select() == ()
    assert cash_of(store) == 0


def test_a_fill_of_another_contract_or_the_other_way_round_is_refused(store: Store) -> None:
    _, _, order = sent(store)
    for wrong in (
        replace(fills()[0], symbol=builders.leg("630").symbol),
        replace(fills()[0], action=Action.BUY_TO_OPEN),
    ):
        with pytest.raises(Refused, match="0 were ordered"):
            store.trades.record_fills(number(order), (wrong,), fees=FEES, at=later(420))


def test_a_known_fill_with_other_figures_is_refused(store: Store) -> None:
    _, _, order = sent(store)
    store.trades.record_fills(number(order), fills(), fees=FEES, at=later(420))
    for change in ({"price": D("4.84")}, {"quantity": 1}):
        other = (replace(fills()[0], **change), fills()[1])
        with pytest.raises(Refused, match="other figures"):
            store.trades.record_fills(number(order), other, fees=FEES, at=later(430))


def test_legs_that_share_a_fill_id_are_two_fills(store: Store) -> None:
    _, _, order = sent(store)
    shared = tuple(replace(fill, fill_id="X") for fill in fills())
    trade = store.trades.record_fills(number(order), shared, fees=FEES, at=later(420))
    assert trade is not None
    assert trade.credit == D("0.58")


def test_fills_of_an_unknown_order_are_2(store: Store) -> None:
    with pytest.raises(BadUsage, match="O99"):
        store.trades.record_fills(99, fills(), fees=FEES, at=NOW)


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 900), st.integers(1, 900)), min_size=1, max_size=4))
def test_even_fills_add_up_exactly(parts: list[tuple[int, int, int]]) -> None:
    legs, expected = builders.spread().legs, D(0)
    done: list[Fill] = []
    for place, (count, short, long) in enumerate(parts):
        prices = (str(D(short) / 100), str(D(long) / 100))
        done += fills(quantity=count, prices=prices, prefix=f"F{place}-")
        expected += (D(short) - D(long)) / 100 * count
    total = sum(count for count, _, _ in parts)
    assert e4_to_dollars(premium_e4(done, legs, total)) == expected


@pytest.mark.parametrize(("short", "long", "width"), [("640", "635", 5), ("695", "700", 5), ("640", "630", 10)])
def test_the_worst_of_a_vertical_is_its_width(short: str, long: str, width: int) -> None:
    assert max_settlement_cost_e4(builders.spread(short, long).legs) == dollars_to_e4(D(width))


def test_the_worst_of_a_condor_is_its_wider_wing() -> None:
    legs = builders.spread("640", "635").legs + builders.spread("695", "703").legs
    assert max_settlement_cost_e4(legs) == dollars_to_e4(D(8))
    assert {leg.right for leg in legs} == {Right.PUT, Right.CALL}


# Closing.


def test_the_last_fill_of_a_closing_closes_the_trade_with_its_result(store: Store) -> None:
    _, trade = filled(store)
    made, order = closing(store, trade)
    assert store.trades.get(trade.id).state is TradeState.CLOSING
    ended = store.trades.record_fills(number(order), back(), fees=D("0.52"), at=later(minutes=20))
    assert ended is not None
    assert (ended.fees, ended.opening_fees) == (FEES + D("0.52"), FEES)
    assert (ended.state, ended.closed_at, ended.debit) == (TradeState.CLOSED, later(minutes=20), D("0.30"))
    assert ended.result == (D("0.58") - D("0.30")) * 200 - FEES - D("0.52")
    assert ended.fees == FEES + D("0.52")
    assert (ended.closed_quantity, ended.remaining) == (2, 0)
    assert store.trades.find_by_proposal(number(made)) == ended
    assert cash_of(store) == ended.result


def test_a_target_that_fills_closes_a_trade_that_was_still_open(store: Store) -> None:
    _, trade = filled(store)
    _, order = closing(store, trade)
    ended = store.trades.record_fills(number(order), back(), fees=D(0), at=later(minutes=20))
    assert ended is not None
    assert ended.state is TradeState.CLOSED


def test_a_part_bought_back_leaves_the_rest(store: Store) -> None:
    _, trade = filled(store)
    made, order = closing(store, trade)
    part = store.trades.record_fills(number(order), back(quantity=1), fees=D("0.26"), at=later(minutes=20))
    assert part is not None
    assert (part.state, part.closed_quantity, part.remaining, part.debit) == (TradeState.CLOSING, 1, 1, D("0.30"))
    assert part.result is None
    store.orders.move(number(order), was=OrderState.WORKING, now=OrderState.CANCELLED, at=later(minutes=21))
    store.proposals.finish(number(made), now=ProposalState.DONE, at=later(minutes=21))
    assert store.trades.get(trade.id).state is TradeState.OPEN
    with pytest.raises(Refused, match="only 1"):
        closing(store, trade)
    refused = store.proposals.find_live_close(trade.id)
    assert refused is not None
    store.proposals.lapse(refused.id, was=ProposalState.APPROVED, at=later(minutes=22), reason="too many contracts")
    _, rest = closing(store, trade, quantity=1)
    ended = store.trades.record_fills(number(rest), back(quantity=1, prefix="Z"), fees=D("0.26"), at=later(minutes=30))
    assert ended is not None
    assert ended.state is TradeState.CLOSED
    assert ended.result == D("56.00") - FEES - D("0.52")


def test_one_leg_bought_back_closes_nothing(store: Store) -> None:
    _, trade = filled(store)
    _, order = closing(store, trade)
    part = store.trades.record_fills(number(order), back()[:1], fees=D(0), at=later(minutes=20))
    assert part is not None
    assert (part.closed_quantity, part.debit, part.state) == (0, None, TradeState.CLOSING)


def test_fills_that_arrive_after_a_trade_was_ended_by_hand_are_kept(store: Store) -> None:
    _, trade = filled(store)
    _, order = closing(store, trade)
    move_trade(store, number(trade), now=TradeState.CLOSED, at=later(minutes=15), result=D("1.00"))
    after = store.trades.record_fills(number(order), back(), fees=D(0), at=later(minutes=20))
    assert after is not None
    assert (after.state, after.closed_at) == (TradeState.CLOSED, later(minutes=15))
    assert after.result == D("56.00") - FEES


def test_trades_are_listed_by_state(store: Store) -> None:
    _, first = filled(store)
    _, second = filled(store)
    move_trade(store, number(second), now=TradeState.EXPIRED, at=NOW)
    assert store.trades.select(TradeState.OPEN, TradeState.CLOSING) == (first,)
    assert [trade.id for trade in store.trades.select()] == [first.id, second.id]


def test_marks_are_kept_in_order(store: Store) -> None:
    _, trade = filled(store)
    marks = tuple(
        builders.mark(number(trade), at=later(minutes=30 + 5 * i), spot=668.0 - i, mid=D("0.575")) for i in range(2)
    )
    for mark in marks:
        store.marks.add(mark)
    assert store.marks.select(number(trade)) == marks
    assert store.marks.latest(number(trade)) == marks[-1]
    with pytest.raises(BadUsage):
        store.marks.add(replace(marks[0], trade_id=99))


# Exposure.


def exposure(store: Store, **over: object) -> Exposure:
    base: dict[str, object] = {"run_id": 1, "today": TODAY, "week_start": MONDAY}
    return store.risk.exposure(**{**base, **over})  # type: ignore[arg-type]


def test_nothing_is_exposed_in_a_new_store(store: Store) -> None:
    assert exposure(store, run_id=None) == Exposure()


def test_what_is_only_proposed_risks_nothing(store: Store) -> None:
    proposed(store)
    assert exposure(store) == Exposure()


def test_what_is_approved_is_exposed_before_it_is_sent(store: Store) -> None:
    made, _ = approved(store)
    assert exposure(store) == Exposure(open_risk=made.max_loss)
    assert exposure(store, but=made.id) == Exposure()


def test_what_is_sent_counts_as_a_submit_and_holds_its_contracts(store: Store) -> None:
    made, _, _ = sent(store)
    symbols = frozenset(leg.symbol for leg in made.legs)
    assert exposure(store) == Exposure(
        open_risk=made.max_loss, open_trades=1, submits_today=1, submits_of_run=1, open_symbols=symbols
    )
    assert exposure(store, run_id=2).submits_of_run == 0
    assert exposure(store, but=made.id).open_trades == 0


def test_of_a_part_filled_order_the_fills_and_the_rest_are_exposed(store: Store) -> None:
    made, _, order = sent(store)
    trade = store.trades.record_fills(number(order), fills(quantity=1), fees=D("2.26"), at=later(420))
    assert trade is not None
    assert exposure(store).open_risk == trade.max_loss + made.max_loss / 2
    assert exposure(store).open_trades == 1
    store.orders.move(number(order), was=OrderState.WORKING, now=OrderState.CANCELLED, at=later(430))
    store.proposals.finish(number(made), now=ProposalState.DONE, at=later(440))
    assert exposure(store).open_risk == trade.max_loss
    assert exposure(store).open_trades == 1


def test_a_replacement_is_not_a_new_submit(store: Store) -> None:
    made, yes, old = sent(store)
    store.orders.begin(builders.order(made, yes, reference="second", replaces=old.id), at=later(400))
    assert exposure(store).submits_today == 1


@pytest.mark.parametrize("state", [OrderState.REFUSED, OrderState.ABSENT])
def test_an_order_that_never_was_at_the_broker_is_no_submit(store: Store, state: OrderState) -> None:
    made, yes = approved(store)
    order = store.orders.begin(builders.order(made, yes), at=later(360))
    if state is OrderState.ABSENT:
        store.orders.move(number(order), was=OrderState.SUBMITTING, now=OrderState.UNKNOWN, at=later(370))
        order = store.orders.get(number(order))
    store.orders.move(number(order), was=order.state, now=state, at=later(380))
    assert exposure(store).submits_today == exposure(store).submits_of_run == 0


def test_a_closing_is_no_opening_submit(store: Store) -> None:
    _, trade = filled(store)
    closing(store, trade)
    found = exposure(store)
    assert (found.submits_today, found.open_trades, found.open_risk) == (1, 1, trade.max_loss)


def test_a_day_ends_at_midnight_in_new_york(store: Store) -> None:
    made, yes = approved(store)
    late = datetime(2025, 10, 7, 3, 59, tzinfo=UTC)
    store.orders.begin(builders.order(made, yes, created_at=late), at=later(360))
    assert exposure(store).submits_today == 1
    assert exposure(store, today=date(2025, 10, 7)).submits_today == 0


def test_a_part_bought_back_no_longer_counts(store: Store) -> None:
    _, trade = filled(store)
    _, order = closing(store, trade)
    store.trades.record_fills(number(order), back(quantity=1), fees=D(0), at=later(minutes=20))
    assert exposure(store).open_risk == trade.max_loss / 2


def ended(store: Store, result: str, at: datetime) -> None:
    _, trade = filled(store)
    move_trade(store, number(trade), now=TradeState.CLOSED, at=at, result=D(result))


def test_losses_of_the_week_add_up_and_gains_count_against_them(store: Store) -> None:
    ended(store, "-500.00", later(hours=1))
    ended(store, "120.00", later(hours=2))
    ended(store, "-1000.00", later(days=-3))
    assert exposure(store).week_loss == D("380.00")
    assert exposure(store).open_trades == 0
    ended(store, "1000.00", later(hours=3))
    assert exposure(store).week_loss == 0


def test_an_assigned_trade_counts_as_open_with_what_it_may_lose(store: Store) -> None:
    _, trade = filled(store)
    shares = line(2, "SPY", TransactionKind.OTHER, quantity=D(200), net_value=D(-128_000))
    lines = (line(1, trade.legs[0].symbol, TransactionKind.ASSIGNMENT), shares)
    adoption = Adoption(trade_id=trade.id, state=TradeState.ASSIGNED, spreads=2, transactions=lines, reason="")
    store.adoptions.adopt(adoption, was=TradeState.OPEN, held=2, at=later(days=3))
    found = exposure(store)
    assert (found.open_trades, found.assigned_trades, found.open_risk) == (1, 1, trade.max_loss)
    long_leg = Position(symbol=trade.legs[1].symbol, quantity=2, average_price=D(2))
    held = builders.account(mode=Mode.LIVE, positions=(long_leg, Position(symbol="SPY", quantity=200)))
    assert exposure(store, account=held) == found


def test_an_assigned_trade_of_which_nothing_is_on_record_counts_with_its_maximum_loss(store: Store) -> None:
    _, trade = filled(store)
    move_trade(store, trade.id, now=TradeState.ASSIGNED, at=later(hours=1))
    assert exposure(store).open_risk == trade.max_loss


def test_positions_of_the_account_beyond_our_book_count_in_live_mode_only(store: Store) -> None:
    _, trade = filled(store)
    ours = [Position(symbol=leg.symbol, quantity=-2 * leg.action.sign, average_price=D(2)) for leg in trade.legs]
    other = builders.spread("650", "645").legs
    theirs = [Position(symbol=leg.symbol, quantity=-leg.action.sign, average_price=D(2)) for leg in other]
    short_call = Position(symbol="SPY   251107C00700000", quantity=-1, average_price=D(1))
    account = builders.account(mode=Mode.LIVE, positions=(*ours, *theirs))
    found = exposure(store, account=account)
    assert (found.open_trades, found.foreign_trades, found.open_risk) == (2, 1, trade.max_loss + 500)
    assert exposure(store, account=replace(account, mode=Mode.SANDBOX)) == found
    assert exposure(store, account=replace(account, mode=Mode.PAPER)) == exposure(store)
    naked = exposure(store, account=replace(account, positions=(*ours, short_call)))
    assert naked.unmeasured == (f"-1 x {short_call.symbol}",)


# The paper broker's book.


def put(store: Store, reference: str = "A", **over: object):  # type: ignore[no-untyped-def]
    made, yes = approved(store)
    order = builders.order(made, yes, reference=reference)
    return store.paper.place(broker_order(order, broker_id="", **over), NOW, replacing=None)


def test_the_paper_account_begins_with_its_cash(store: Store) -> None:
    assert store.paper.cash() == D(100_000)
    assert store.paper.positions() == ()
    assert store.paper.orders() == ()


def test_a_paper_order_gets_an_id_and_comes_back(store: Store) -> None:
    order = put(store)
    assert order.broker_id
    assert (order.state, order.status, order.placed_at) == (OrderState.WORKING, "Live", NOW)
    assert order.legs == builders.spread().legs
    assert store.paper.orders() == (order,)


def test_a_paper_reference_is_placed_once(store: Store) -> None:
    put(store)
    with pytest.raises(BrokerRefused, match="duplicate_reference"):
        put(store)


def test_a_paper_order_fills_once_and_moves_the_cash(store: Store) -> None:
    order = put(store)
    assert store.paper.fill(order.broker_id, fills(), D("116.00"), FEES)
    assert not store.paper.fill(order.broker_id, fills(), D("116.00"), FEES)
    (found,) = store.paper.orders()
    assert (found.state, found.fills, found.fees) == (OrderState.FILLED, fills(), FEES)
    assert store.paper.cash() == D("100116.00") - FEES
    assert store.paper.positions() == (
        Position(symbol=builders.leg("635").symbol, quantity=2, average_price=D("4.25")),
        Position(symbol=builders.leg("640").symbol, quantity=-2, average_price=D("4.83")),
    )
    assert cash_of(store) == 0


def test_a_fill_without_fees_moves_no_fees(store: Store) -> None:
    order = put(store)
    assert store.paper.fill(order.broker_id, fills(), D("116.00"), D(0))
    assert store.paper.cash() == D("100116.00")


def test_paper_positions_average_and_close(store: Store) -> None:
    first, second, third, fourth = (put(store, reference) for reference in "ABCD")
    store.paper.fill(first.broker_id, fills(), D("116.00"), D(0))
    store.paper.fill(second.broker_id, fills(quantity=1, prices=("4.53", "4.25")), D("28.00"), D(0))
    assert store.paper.positions()[1] == Position(
        symbol=builders.leg("640").symbol, quantity=-3, average_price=D("4.73")
    )
    store.paper.fill(third.broker_id, back(quantity=1), D("-30.00"), D(0))
    assert [position.quantity for position in store.paper.positions()] == [2, -2]
    assert store.paper.positions()[1].average_price == D("4.73")
    store.paper.fill(fourth.broker_id, back(quantity=2), D("-60.00"), D(0))
    assert store.paper.positions() == ()


def test_paper_positions_that_go_through_zero_open_anew(store: Store) -> None:
    first, second = put(store, "A"), put(store, "B")
    store.paper.fill(first.broker_id, fills(quantity=1), D("58.00"), D(0))
    store.paper.fill(second.broker_id, back(quantity=3), D("-90.00"), D(0))
    assert [(p.quantity, p.average_price) for p in store.paper.positions()] == [(-2, D("1.70")), (2, D("2.00"))]


def test_a_paper_status_moves_by_compare_and_set(store: Store) -> None:
    order = put(store)
    assert store.paper.update_status(order.broker_id, was="Live", status="Cancelled")
    assert not store.paper.update_status(order.broker_id, was="Live", status="Expired")
    assert store.paper.orders()[0].state is OrderState.CANCELLED
    assert not store.paper.fill(order.broker_id, fills(), D("116.00"), FEES)
    assert store.paper.cash() == D(100_000)


def test_a_word_that_is_not_known_is_not_final(store: Store) -> None:
    order = put(store)
    store.paper.update_status(order.broker_id, was="Live", status="Contingent")
    assert store.paper.orders()[0].state is OrderState.WORKING


def test_a_paper_order_takes_the_place_of_another(store: Store) -> None:
    old = put(store, "A")
    new = store.paper.place(replace(old, broker_id="", reference="B"), later(30), replacing=old.broker_id)
    seen = store.paper.orders()
    assert (seen[0].state, seen[0].replaced_by, seen[1].replaces) == (
        OrderState.REPLACED,
        new.broker_id,
        old.broker_id,
    )
    with pytest.raises(BrokerRefused, match="is Replaced"):
        store.paper.place(replace(old, broker_id="", reference="C"), later(60), replacing=old.broker_id)
    assert len(store.paper.orders()) == 2


def test_an_unknown_paper_order_is_2(store: Store) -> None:
    with pytest.raises(BadUsage, match="no order 99"):
        store.paper.update_status("99", was="Live", status="Cancelled")


# Flags.


def test_a_flag_is_set_changed_and_taken_down(store: Store) -> None:
    assert store.flags.get("paused") is None
    store.flags.record("paused", "holiday", NOW)
    store.flags.record("paused", "ill", later(5))
    assert store.flags.get("paused") == ("ill", later(5))
    store.flags.clear("paused", later(6))
    head = store.audit.head()
    store.flags.clear("paused", later(7))
    store.flags.clear("other", later(7))
    assert store.flags.get("paused") is None
    assert store.audit.head() == head
