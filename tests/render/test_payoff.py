"""The payoff picture: its curve, its marks in the right columns, at every width and in ASCII."""

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spy32.domain.proposals import Proposal
from spy32.render import payoff as p
from tests.support import builders as b
from tests.support import run_views

STRIKES = st.integers(500, 800)
WIDTHS = st.integers(2, 10)
TERMINALS = st.integers(60, 200)


def made(short: int, width: int, *, put: bool) -> Proposal:
    spread = b.spread(str(short), str(short - width if put else short + width))
    limit = Decimal("0.58")
    breakeven = short - limit if put else short + limit
    return b.proposal(id=1, legs=spread.legs, strategy=spread.strategy, breakevens=(breakeven,))


def mark(payoff: p.Payoff, sign: str) -> p.AxisMark:
    return next(mark for mark in payoff.marks if mark.sign == sign)


@given(short=STRIKES, width=WIDTHS, put=st.booleans(), terminal=TERMINALS, move=st.floats(5, 80))
def test_the_breakeven_stands_between_the_strikes_and_every_mark_in_order(
    short: int, width: int, put: bool, terminal: int, move: float
) -> None:
    payoff = p.build_payoff(made(short, width, put=put), b.market_line(expected_move=move))
    frame = p.fit_frame(payoff, columns=terminal - 12, rows=10)
    columns = {sign: frame.column(float(mark(payoff, sign).at)) for sign in "SLB^()"}
    low, high = sorted((columns["S"], columns["L"]))
    assert low <= columns["B"] <= high
    assert columns["("] < columns["^"] < columns[")"]
    ordered = [frame.column(float(mark.at)) for mark in payoff.marks]
    assert ordered == sorted(ordered)
    assert 0 <= ordered[0] <= ordered[-1] < frame.columns


@given(short=STRIKES, width=WIDTHS, put=st.booleans(), terminal=TERMINALS)
def test_each_mark_has_a_tick_in_the_column_of_its_price(short: int, width: int, put: bool, terminal: int) -> None:
    payoff = p.build_payoff(made(short, width, put=put), b.market_line())
    lines = p.payoff_chart(payoff, width=terminal, rows=8)
    gutter = max(len(line.partition("│")[0]) for line in lines if "│" in line) + 1
    frame = p.fit_frame(payoff, columns=terminal - gutter, rows=6)
    ticks = lines[-2][gutter:]
    for wanted in payoff.marks:
        at = frame.column(float(wanted.at))
        # Two prices of one column share a tick.
        shared = {
            other.sign if other.sign in p.TICKS else "|"
            for other in payoff.marks
            if frame.column(float(other.at)) == at
        }
        assert ticks[at] in shared, wanted


@given(short=STRIKES, width=WIDTHS, put=st.booleans(), terminal=st.integers(22, 200), plain=st.booleans())
def test_a_picture_fits_its_room_and_names_strike_and_extremes(
    short: int, width: int, put: bool, terminal: int, plain: bool
) -> None:
    payoff = p.build_payoff(made(short, width, put=put), b.market_line())
    lines = p.payoff_chart(payoff, width=terminal, rows=6, plain=plain)
    assert len(lines) == 6
    assert max(len(line) for line in lines) <= terminal
    assert f"{short}" in lines[-1]
    assert "+$" in lines[0]
    assert any("-$" in line for line in lines)
    if plain:
        assert all(line.isascii() for line in lines)


def test_the_curve_is_the_profit_of_the_spread() -> None:
    payoff = p.build_payoff(run_views.proposal(), None)
    # Two contracts of 640/635 sold at 0.58, at the floor of 0.55 where they lose; 4.52 dollars to open.
    assert payoff.profit(Decimal(700)) == Decimal("111.48")
    assert payoff.profit(Decimal(640)) == Decimal("111.48")
    assert payoff.profit(Decimal(635)) == Decimal("-894.52")
    assert payoff.profit(Decimal(500)) == Decimal("-894.52")
    assert payoff.profit(Decimal("637.5")) == Decimal("-394.52")
    assert (payoff.best, payoff.worst) == (run_views.proposal().max_profit, -run_views.proposal().max_loss)


def test_a_call_spread_loses_above() -> None:
    payoff = p.build_payoff(made(695, 5, put=False), b.market_line())
    assert payoff.profit(Decimal(600)) > 0 > payoff.profit(Decimal(720))


@given(short=STRIKES, width=WIDTHS, put=st.booleans(), at=st.integers(4000, 9000))
def test_the_curve_never_leaves_its_best_and_worst(short: int, width: int, put: bool, at: int) -> None:
    payoff = p.build_payoff(made(short, width, put=put), None)
    assert payoff.worst <= payoff.profit(Decimal(at) / 10) <= payoff.best


@pytest.mark.parametrize(("legs", "point"), [(("640", "635"), "639.42"), (("695", "700"), "695.58")])
def test_a_trade_gives_its_credit_back_at_the_breakeven(legs: tuple[str, str], point: str) -> None:
    trade = run_views.trade(legs=b.spread(*legs).legs)
    assert p.trade_breakevens(trade) == (Decimal(point),)
    payoff = p.build_payoff(trade, None)
    assert payoff.profit(Decimal(point)) == -trade.fees
    assert mark(payoff, "B").at == Decimal(point)


def rows_with_curve(lines: list[str], column: int) -> list[int]:
    return [
        number
        for number, line in enumerate(lines[:-2])
        if column < len(line) and (0x2800 < ord(line[column]) <= 0x28FF or line[column] == "*")
    ]


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("width", [40, 80, 100, 200])
def test_the_curve_is_unbroken_and_falls_from_right_to_left(width: int, plain: bool) -> None:
    lines = p.payoff_chart(p.build_payoff(run_views.proposal(), b.market_line()), width=width, rows=12, plain=plain)
    start = lines[0].index("|" if plain else "│") + 1
    columns = [rows_with_curve(lines, at) for at in range(start, max(map(len, lines[:-2])))]
    assert all(columns)
    assert (columns[-1], columns[0]) == ([0], [9])
    for left, right in pairwise(columns):
        assert min(left) <= max(right) + 1
        assert min(right) <= min(left)


def test_a_picture_without_a_market_shows_the_position_alone() -> None:
    lines = p.payoff_chart(p.build_payoff(run_views.proposal(), None), width=80, rows=6)
    assert "^" not in lines[-2]
    assert "640" in lines[-1]
