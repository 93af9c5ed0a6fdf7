"""What becomes of options at their expiration."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spy32.domain.market import DailyBar, Right, occ_symbol, parse_occ_symbol
from spy32.domain.option_class import class_of_root
from spy32.domain.spreads import Action, Position
from spy32.domain.transactions import PaperEvent, TransactionKind
from spy32.rules.settlement import (
    EXERCISE_FEE,
    AssignedShares,
    ExpiredPositions,
    closing_event,
    exact_price,
    intrinsic_value,
    select_assigned_shares,
    select_expired,
    settlement_events,
    settlement_price,
    trading_end,
)
from spy32.sessions import session

D = Decimal
FRIDAY = date(2025, 12, 19)
MONDAY = date(2025, 12, 22)
GOOD_FRIDAY = date(2026, 4, 3)
BAR = DailyBar(day=FRIDAY, close=637.12, open=641.5)
ASSIGNED, EXERCISED = TransactionKind.ASSIGNMENT, TransactionKind.EXERCISE
EXPIRED, SHARES, TRADE = TransactionKind.EXPIRATION, TransactionKind.OTHER, TransactionKind.TRADE


def symbol(strike: str, right: Right = Right.PUT, root: str = "SPY", day: date = FRIDAY) -> str:
    return occ_symbol(root, day, right, D(strike))


def held(*legs: tuple[str, int], right: Right = Right.PUT, root: str = "SPY") -> ExpiredPositions:
    positions = tuple(Position(symbol=symbol(strike, right, root), quantity=count) for strike, count in legs)
    return ExpiredPositions(root=root, day=FRIDAY, positions=positions)


def lines(events: tuple[PaperEvent, ...]) -> list[tuple[TransactionKind, str, int, Decimal, Decimal]]:
    return [(event.kind, event.symbol, event.quantity, event.cash, event.fees) for event in events]


def total(events: tuple[PaperEvent, ...]) -> Decimal:
    return sum((event.cash - event.fees for event in events), D(0))


# Style by root.


@pytest.mark.parametrize(
    ("root", "underlying", "in_cash", "at_open"),
    [
        ("SPY", "SPY", False, False),
        ("QQQ", "QQQ", False, False),
        ("SPX", "SPX", True, True),
        ("SPXW", "SPX", True, False),
        ("XSP", "XSP", True, False),
        ("NDX", "NDX", True, True),
        ("NDXP", "NDX", True, False),
        ("RUT", "RUT", True, True),
        ("RUTW", "RUT", True, False),
    ],
)
def test_each_root_has_its_settlement(root: str, underlying: str, in_cash: bool, at_open: bool) -> None:
    terms = class_of_root(root)
    assert terms is not None
    assert (terms.underlying, terms.settles_in_cash, terms.settles_at_open) == (underlying, in_cash, at_open)


@pytest.mark.parametrize("root", ["VIX", "DJX", "SPY7", "AAPL1"])
def test_the_settlement_of_another_index_and_of_adjusted_contracts_is_not_known(root: str) -> None:
    assert class_of_root(root) is None
    with pytest.raises(ValueError, match=f"the settlement of {root} options on 2025-12-19 is not known"):
        settlement_events(held(("100", 1), root=root), D(90))


@pytest.mark.parametrize(
    ("root", "expiration", "ends"),
    [
        ("SPY", FRIDAY, datetime(2025, 12, 19, 21, 15, tzinfo=UTC)),
        ("SPXW", FRIDAY, datetime(2025, 12, 19, 21, 15, tzinfo=UTC)),
        ("SPX", FRIDAY, datetime(2025, 12, 18, 21, 15, tzinfo=UTC)),
        ("SPY", date(2025, 11, 28), datetime(2025, 11, 28, 18, 15, tzinfo=UTC)),
        ("SPY", GOOD_FRIDAY, datetime(2026, 4, 2, 20, 15, tzinfo=UTC)),
        # April 2019: the third Friday was Good Friday.
        ("SPX", date(2019, 4, 19), datetime(2019, 4, 17, 20, 15, tzinfo=UTC)),
    ],
)
def test_contracts_stop_trading_with_their_last_session(root: str, expiration: date, ends: datetime) -> None:
    assert trading_end(root, expiration) == ends


def test_only_contracts_that_have_stopped_trading_are_selected_the_oldest_first() -> None:
    near = Position(symbol=symbol("640"), quantity=-1)
    wing = Position(symbol=symbol("635"), quantity=1)
    index = Position(symbol=symbol("6400", root="SPX", day=MONDAY), quantity=-1)
    far = Position(symbol=symbol("640", day=MONDAY), quantity=-1)
    shares = Position(symbol="SPY", quantity=100)
    held_now = (far, shares, near, index, wing)
    assert select_expired(held_now, datetime(2025, 12, 19, 21, 14, tzinfo=UTC)) == ()
    after = datetime(2025, 12, 19, 21, 15, tzinfo=UTC)
    assert [(group.root, group.day, group.positions) for group in select_expired(held_now, after)] == [
        ("SPY", FRIDAY, (near, wing)),
        ("SPX", MONDAY, (index,)),
    ]


def test_a_date_on_a_closed_day_is_settled_with_the_session_before() -> None:
    printed = (symbol("640", day=GOOD_FRIDAY), symbol("640", day=date(2026, 4, 2)))
    positions = [Position(symbol=each, quantity=-1) for each in printed]
    (group,) = select_expired(positions, datetime(2026, 4, 2, 20, 15, tzinfo=UTC))
    assert (group.day, len(group.positions)) == (date(2026, 4, 2), 2)


# The price.


def test_the_close_decides_and_for_am_roots_the_opening() -> None:
    for root, price in (("SPY", "637.12"), ("SPXW", "637.12"), ("SPX", "641.50"), ("RUT", "641.50")):
        terms = class_of_root(root)
        assert terms is not None
        assert settlement_price(terms, BAR) == D(price)


def test_a_bar_without_the_price_settles_nothing() -> None:
    terms = class_of_root("SPX")
    assert terms is not None
    assert settlement_price(terms, DailyBar(day=FRIDAY, close=637.12)) is None


@pytest.mark.parametrize("number", [None, 0.0, -1.0, float("nan"), float("inf")])
def test_what_is_no_price_is_none(number: float | None) -> None:
    assert exact_price(number) is None


def test_a_price_of_a_feed_is_rounded_to_the_cent() -> None:
    assert exact_price(637.1199951171875) == D("637.12")
    assert exact_price(637.005) == D("637.01")


# What happens to a put spread, 640 short and 635 long, two contracts.

SPREAD = (("640", -2), ("635", 2))


@pytest.mark.parametrize("price", ["640.00", "700", "640.01"])
def test_out_of_the_money_everything_expires_without_cash(price: str) -> None:
    assert lines(settlement_events(held(*SPREAD), D(price))) == [
        (EXPIRED, symbol("640"), 2, D(0), D(0)),
        (EXPIRED, symbol("635"), -2, D(0), D(0)),
    ]


@pytest.mark.parametrize("price", ["639.99", "637.12", "635.00"])
def test_between_the_strikes_the_short_puts_bring_a_hundred_shares_a_contract(price: str) -> None:
    assert lines(settlement_events(held(*SPREAD), D(price))) == [
        (ASSIGNED, symbol("640"), 2, D(0), D(0)),
        (SHARES, "SPY", 200, D(-128_000), D(5)),
        (EXPIRED, symbol("635"), -2, D(0), D(0)),
    ]


@pytest.mark.parametrize("price", ["634.99", "500", "0.01"])
def test_all_in_the_money_costs_the_width_and_five_dollars_a_leg_whatever_the_quantity(price: str) -> None:
    events = settlement_events(held(*SPREAD), D(price))
    assert lines(events) == [
        (ASSIGNED, symbol("640"), 2, D(0), D(0)),
        (SHARES, "SPY", 200, D(-128_000), D(5)),
        (EXERCISED, symbol("635"), -2, D(0), D(0)),
        (SHARES, "SPY", -200, D(127_000), D(5)),
    ]
    assert total(events) == -5 * 100 * 2 - 10
    assert select_assigned_shares(events) == ()


def test_short_calls_deliver_shares_and_long_ones_receive_them() -> None:
    between = settlement_events(held(("640", -1), ("645", 1), right=Right.CALL), D("642"))
    assert [(event.kind, event.quantity, event.cash) for event in between] == [
        (ASSIGNED, 1, 0),
        (SHARES, -100, 64_000),
        (EXPIRED, -1, 0),
    ]
    assert total(settlement_events(held(("640", -1), ("645", 1), right=Right.CALL), D("645.01"))) == -510


def test_an_index_settles_in_cash_by_its_intrinsic_value_with_the_fee_of_each_leg() -> None:
    expired = held(("6400", -2), ("6350", 2), root="SPXW")
    between = settlement_events(expired, D("6380.25"))
    assert lines(between) == [
        (ASSIGNED, symbol("6400", root="SPXW"), 2, D("-3950.00"), D(5)),
        (EXPIRED, symbol("6350", root="SPXW"), -2, D(0), D(0)),
    ]
    assert between[0].price == 6400
    assert total(settlement_events(expired, D("6000"))) == -50 * 100 * 2 - 10
    assert select_assigned_shares(between) == ()


def test_the_moment_is_the_option_close_and_for_am_roots_the_opening() -> None:
    hours = session(FRIDAY)
    assert hours is not None
    assert {event.at for event in settlement_events(held(*SPREAD), D(600))} == {hours.option_close}
    (event, _) = settlement_events(held(*SPREAD, root="SPX"), D(700))
    assert event.at == hours.open
    assert event.description == "expiration at 700, the opening of 2025-12-19"


def test_a_line_of_the_history_is_as_tastytrade_writes_it() -> None:
    removal, delivery, *_ = settlement_events(held(*SPREAD), D("637.12"))
    told = removal.as_transaction(1)
    assert (told.id, told.kind, told.action, told.quantity, told.net_value) == ("paper-event-1", ASSIGNED, None, 2, 0)
    assert told.description == "assignment at 637.12, the close of 2025-12-19"
    told = delivery.as_transaction(2)
    assert (told.symbol, told.action, told.quantity, told.price) == ("SPY", Action.BUY_TO_OPEN, 200, 640)
    assert (told.net_value, told.fees) == (-128_005, 5)
    (given_away,) = (
        event for event in settlement_events(held(("640", 1)), D(600)) if event.kind is TransactionKind.OTHER
    )
    assert given_away.as_transaction(3).action is Action.SELL_TO_OPEN


# The shares.


def test_assigned_shares_wait_for_the_open_of_the_next_session() -> None:
    events = settlement_events(held(*SPREAD), D("637.12"))
    (shares,) = select_assigned_shares(events)
    assert shares == AssignedShares(ticker="SPY", quantity=200, delivered=FRIDAY)
    assert shares.closing_day == MONDAY
    sale = closing_event(shares, D("636.50"))
    assert (sale.kind, sale.symbol, sale.quantity, sale.cash, sale.fees) == (TRADE, "SPY", -200, D(127_300), 0)
    assert sale.at == datetime(2025, 12, 22, 14, 30, tzinfo=UTC)
    assert sale.action is Action.SELL_TO_CLOSE
    assert "paper rule" in sale.description
    assert select_assigned_shares((*events, sale)) == ()


def test_short_shares_are_bought_back() -> None:
    events = settlement_events(held(("640", -1), right=Right.CALL), D(645))
    (shares,) = select_assigned_shares(events)
    bought = closing_event(shares, D(650))
    assert (bought.quantity, bought.cash, bought.action) == (100, -65_000, Action.BUY_TO_CLOSE)
    assert select_assigned_shares((*events, bought)) == ()


def test_the_shares_of_puts_and_of_calls_are_closed_apart() -> None:
    puts = settlement_events(held(("640", -1)), D(638))
    calls = settlement_events(held(("630", -1), right=Right.CALL), D(638))
    found = select_assigned_shares((*puts, *calls))
    assert [shares.quantity for shares in found] == [-100, 100]
    first = closing_event(found[0], D(639))
    assert select_assigned_shares((*puts, *calls, first)) == (found[1],)


def test_a_part_that_was_sold_already_is_not_sold_again() -> None:
    events = settlement_events(held(("640", -2)), D(638))
    (shares,) = select_assigned_shares(events)
    half = closing_event(AssignedShares(ticker="SPY", quantity=100, delivered=FRIDAY), D(639))
    assert select_assigned_shares((*events, half)) == (
        AssignedShares(ticker="SPY", quantity=shares.quantity - 100, delivered=FRIDAY),
    )


# Properties.

STRIKES = st.integers(2, 2000).map(lambda half: D(half) / 2)
PRICES = st.integers(1, 100_000).map(lambda cents: D(cents) / 100)


@given(STRIKES, STRIKES, st.integers(1, 50), st.sampled_from(Right), st.sampled_from(["SPY", "XSP"]), PRICES)
def test_a_spread_loses_its_width_and_two_fees_at_the_worst(
    short: Decimal, long: Decimal, quantity: int, right: Right, root: str, price: Decimal
) -> None:
    if short == long or (short > long) is not (right is Right.PUT):
        return
    expired = held((str(short), -quantity), (str(long), quantity), right=right, root=root)
    events = settlement_events(expired, price)
    shares = sum(event.quantity for event in events if event.kind is SHARES)
    result = total(events) + shares * price
    assert result >= -abs(short - long) * 100 * quantity - 2 * EXERCISE_FEE
    assert result <= 0


@given(st.dictionaries(STRIKES, st.integers(-20, 20).filter(bool), min_size=1), st.sampled_from(Right), PRICES)
def test_cash_and_shares_are_worth_what_the_contracts_were_less_fees(
    book: dict[Decimal, int], right: Right, price: Decimal
) -> None:
    """No money appears or vanishes at the settlement price, however the contracts are settled."""
    worth = sum(
        (
            intrinsic_value(parse_occ_symbol(symbol(str(strike), right)), price) * count
            for strike, count in book.items()
        ),
        D(0),
    )
    legs = tuple((str(strike), count) for strike, count in book.items())
    for root in ("SPY", "XSP"):
        events = settlement_events(held(*legs, right=right, root=root), price)
        shares = sum(event.quantity for event in events if event.kind is SHARES)
        fees = sum((event.fees for event in events), D(0))
        assert total(events) + shares * price == worth * 100 - fees
        exercised = sum(event.kind in (ASSIGNED, EXERCISED) for event in events)
        assert fees == exercised * EXERCISE_FEE
        removed = {event.symbol: event.quantity for event in events if event.kind is not SHARES}
        assert removed == {symbol(strike, right, root): -count for strike, count in legs}


@given(st.integers(1, 50), PRICES, PRICES)
def test_selling_the_shares_leaves_none_and_takes_the_price(quantity: int, price: Decimal, opening: Decimal) -> None:
    events = settlement_events(held(("640", -quantity)), price)
    for shares in select_assigned_shares(events):
        events = (*events, closing_event(shares, opening))
    assert sum(event.quantity for event in events if event.symbol == "SPY") == 0
    assert select_assigned_shares(events) == ()
