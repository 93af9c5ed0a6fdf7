"""Where results came from: to the cent, from the fill to the end, on made-up marks and on a stored trade."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from itertools import pairwise
from math import nan
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spy32.domain.marks import LegMark, Mark, MarkFlag
from spy32.domain.orders import Trade
from spy32.domain.outcomes import DailyClose
from spy32.domain.report import Attribution, AttributionParts
from spy32.domain.results import CashFlow, CashFlowKind
from spy32.domain.spreads import Menu
from spy32.domain.transactions import Adoption, TransactionKind
from spy32.lifecycle import TradeState
from spy32.review.attribution import (
    MarketPoint,
    attributions,
    split_trade,
)
from spy32.store import Store
from tests.support import builders
from tests.support.builders import later
from tests.support.open_trades import LONG, SHORT, line
from tests.support.stores import filled, opened
from tests.support.trades import trade

D = Decimal
OPENING = CashFlow(
    kind=CashFlowKind.OPENING, at=later(minutes=7), amount=D("116.00"), fees=D("4.52"), spreads=2, mid=D("0.60")
)
CLOSING = CashFlow(
    kind=CashFlowKind.CLOSING, at=later(days=3), amount=D("-70.00"), fees=D("0.52"), spreads=2, mid=D("-0.34")
)
SETTLEMENT = CashFlow(kind=CashFlowKind.SETTLEMENT, at=later(days=32, hours=7), amount=D(0), fees=D(0), spreads=2)
QUOTED = MarketPoint(at=builders.NOW, spot=670.0, mids=(3.00, 2.40))


def mark(days: float, short: float, long: float, spot: float = 670.0, **over: Any) -> Mark:
    """A mark so many days after the opening, each leg quoted 0.02 to both sides."""
    legs = tuple(
        LegMark(symbol=symbol, bid=mid - 0.02, ask=mid + 0.02, iv=None, delta=None)
        for symbol, mid in ((SHORT, short), (LONG, long))
    )
    at = later(days=days, hours=5)
    return builders.mark(1, **{"at": at, "legs": legs, "spot": spot, "mid": D(str(round(short - long, 4))), **over})


def ended(result: str, at: datetime, **over: Any) -> Trade:
    return trade(state=TradeState.CLOSED, closed_at=at, closed_quantity=2, result=D(result), **over)


def split(of: Trade, flows: list[CashFlow], *marks: Mark, **over: Any) -> tuple[Attribution, ...]:
    given_ = {"opening": QUOTED, "rate": builders.RATE, "closes": {}, **over}
    return split_trade(of, flows, marks, **given_)


def check_sums(rows: tuple[Attribution, ...]) -> None:
    for row in rows:
        parts = row.parts
        amounts = (parts.time, parts.spot, parts.vol, parts.smile, parts.rest, parts.fees)
        assert sum(amounts) == parts.total
        assert all(amount == amount.quantize(D("0.01")) for amount in amounts)


def test_an_open_trade_is_split_from_its_fill_to_its_newest_mark() -> None:
    rows = split(trade(), [OPENING], mark(0, 3.10, 2.48), mark(1, 2.50, 2.00, 673.0), mark(3, 2.0, 1.6, 676.0))
    days = [date(2025, 10, 6), date(2025, 10, 6), date(2025, 10, 7), date(2025, 10, 9)]
    assert [(row.start, row.end) for row in rows] == list(pairwise(days))
    # 0.60 at the approval, sold at 0.58: 4.00 of slippage, 4.52 of fees.
    assert [row.parts.fees for row in rows] == [D("-8.52"), D(0), D(0)]
    assert [row.parts.total for row in rows] == [D("-12.52"), D("24.00"), D("20.00")]
    assert rows[1].parts.time > 0 and rows[1].parts.spot > 0 and rows[1].parts.rest == 0
    check_sums(rows)


PRICES = st.tuples(st.floats(1.5, 12.0), st.floats(0.1, 4.9), st.floats(600.0, 720.0))


@given(prices=st.lists(PRICES, max_size=8), result=st.integers(-100_000, 20_000))
def test_the_parts_sum_to_the_result_to_the_cent_whatever_happens(
    prices: list[tuple[float, float, float]], result: int
) -> None:
    marks = [mark(day, round(long + width, 2), round(long, 2), spot) for day, (long, width, spot) in enumerate(prices)]
    end = later(days=20)
    flows = [OPENING, replace(CLOSING, at=end, amount=D(result).scaleb(-2) - D("110.96"))]
    rows = split(ended(str(D(result).scaleb(-2)), end), flows, *marks)
    check_sums(rows)
    assert len(rows) == len(prices) + 1
    assert sum(row.parts.total for row in rows) == D(result).scaleb(-2)
    assert [row.start for row in rows[1:]] == [row.end for row in rows[:-1]]
    total = AttributionParts.add_up([row.parts for row in rows])
    assert total.total == D(result).scaleb(-2)
    assert all(amount == sum(row.parts.amounts[name] for row in rows) for name, amount in total.amounts.items())


def test_a_mark_that_is_dated_before_the_fill_is_no_mark_of_the_trade() -> None:
    later_marks = (mark(0, 3.10, 2.48), mark(1, 2.50, 2.00, 673.0))
    assert split(trade(), [OPENING], mark(-0.25, 3.0, 2.4), *later_marks) == split(trade(), [OPENING], *later_marks)


def test_a_close_ends_at_the_mark_of_its_day() -> None:
    rows = split(ended("40.96", CLOSING.at), [OPENING, CLOSING], mark(1, 2.5, 2.0), mark(2.79, 2.1, 1.76, 675.0))
    last = rows[-1]
    assert (last.start, last.end) == (date(2025, 10, 7), date(2025, 10, 9))
    # Bought back at 0.35 where 0.34 was the mid: 2.00 of slippage, 0.52 of fees.
    assert (last.parts.fees, last.parts.total, last.parts.rest) == (D("-2.52"), D("29.48"), D(0))
    assert last.parts.spot > 0


def test_a_close_without_a_mark_on_its_day_leaves_what_is_not_known_to_the_rest() -> None:
    (_, last) = split(ended("40.96", CLOSING.at), [OPENING, CLOSING], mark(1, 2.5, 2.0))
    assert (last.parts.spot, last.parts.vol, last.parts.smile) == (0, 0, 0)
    assert last.parts.time > 0 and last.parts.rest == last.parts.total - last.parts.fees - last.parts.time


def test_a_settlement_is_at_the_official_close() -> None:
    settled = ended("-488.52", SETTLEMENT.at)
    flows = [OPENING, replace(SETTLEMENT, amount=D("-600.00"))]
    near = mark(30, 4.0, 2.2, 641.0)
    (_, last) = split(settled, flows, near, closes={builders.EXPIRATION: 637.0})
    # From a mid of 1.80 to worthless at 641, then 3.00 in the money.
    assert (last.parts.time, last.parts.spot, last.parts.rest) == (D("360.00"), D("-600.00"), D(0))
    (_, blind) = split(settled, flows, near)
    assert (blind.parts.time, blind.parts.spot, blind.parts.rest) == (D("360.00"), D(0), D("-600.00"))
    (_, by_mark) = split(settled, flows, near, mark(32, 3.0, 0.01, 637.0))
    assert by_mark.parts.spot == D("-600.00")


def test_a_broker_may_date_an_expiration_on_the_next_day() -> None:
    late = later(days=33)
    settled = ended("111.48", late)
    (_, last) = split(
        settled, [OPENING, replace(SETTLEMENT, at=late)], mark(31, 0.5, 0.3, 650.0), mark(32, 0.01, 0.01, 648.0)
    )
    assert (last.start, last.end) == (date(2025, 11, 6), date(2025, 11, 8))
    assert last.parts.total == last.parts.time + last.parts.rest


def test_a_close_in_two_parts_counts_what_was_held() -> None:
    half = replace(CLOSING, at=later(days=1), amount=D("-50.00"), spreads=1, mid=None, fees=D("0.26"))
    rest = replace(CLOSING, at=later(days=3), amount=D("-35.00"), spreads=1, mid=None, fees=D("0.26"))
    rows = split(ended("25.96", rest.at), [OPENING, half, rest], mark(1, 2.5, 2.0), mark(2, 2.2, 1.8))
    assert [row.parts.total for row in rows] == [D("11.22"), D("10.00"), D("4.74")]
    one = split(trade(quantity=1), [replace(OPENING, spreads=1)], mark(1, 2.5, 2.0), mark(2, 2.2, 1.8))
    assert (rows[1].parts.time, rows[1].parts.vol) == (one[1].parts.time, one[1].parts.vol)
    check_sums(rows)


def test_an_opening_without_quotes_and_a_trade_without_marks() -> None:
    unknown = MarketPoint(at=OPENING.at)
    assert split(trade(), [OPENING]) == ()
    (row,) = split(ended("40.96", CLOSING.at), [OPENING, CLOSING], opening=unknown)
    assert (row.parts.time, row.parts.spot, row.parts.vol, row.parts.smile, row.parts.total) == (0, 0, 0, 0, D("40.96"))
    assert row.parts.fees == D("-11.04") and row.parts.rest == D("52.00")
    (first,) = split(trade(), [OPENING], mark(1, 2.5, 2.0), opening=replace(unknown, spot=nan))
    assert first.parts.time > 0 and first.parts.spot == 0
    check_sums((row, first))


# From a store.


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with opened(tmp_path / "paper.db", opening_cash=D(100_000)) as found:
        yield found


def add_marks(store: Store, of: Trade) -> None:
    """Two sessions, several marks each; the last of a session may not be usable."""
    for made in (
        mark(0.01, 3.3, 2.6),
        mark(0.02, 3.1, 2.5),
        mark(0.03, 9.0, 1.0, flags=(MarkFlag.STALE,)),
        mark(1, 2.6, 2.1, 672.0),
        mark(1.01, 2.5, 2.0, 673.0),
        mark(1.02, 2.5, 2.0, mid=None),
    ):
        store.marks.add(replace(made, trade_id=of.id))


def test_the_last_usable_mark_of_each_session_is_read(store: Store) -> None:
    _, made = filled(store)
    add_marks(store, made)
    assert [found.spot for found in store.marks.select_sessions(made.id)] == [670.0, 673.0]
    first, second = attributions(store, made)
    assert (first.trade_id, first.parts.total, second.parts.total) == (made.id, D("-8.52"), D("20.00"))


def test_trades_read_together_have_the_rows_that_they_have_alone(store: Store) -> None:
    made = [filled(store)[1] for _ in range(2)]
    for each in made:
        add_marks(store, each)
    assert attributions(store, *made) == (*attributions(store, made[0]), *attributions(store, made[1]))
    assert attributions(store) == ()


def test_the_opening_is_at_the_quotes_of_its_run_and_the_end_at_the_official_close(store: Store) -> None:
    _, made = filled(store)
    candidate, menu_line = builders.candidate(), builders.market_line()
    store.decisions.save_snapshot(made.run_id, builders.snapshot(), builders.quality(), menu_line, later())
    proposal = store.proposals.get(made.proposal_id)
    chosen = replace(candidate, id=str(proposal.candidate_id))
    store.decisions.save_menu(made.run_id, Menu(candidates=(chosen,)), later())
    lines = (line(1, SHORT, TransactionKind.EXPIRATION), line(2, LONG, TransactionKind.EXPIRATION))
    adoption = Adoption(trade_id=made.id, state=TradeState.EXPIRED, spreads=2, transactions=lines, reason="history")
    over = store.adoptions.adopt(adoption, was=made.state, held=2, at=later(days=32))
    close = DailyClose(ticker="SPY", day=builders.EXPIRATION, close=D("652.00"), source="test")
    (row,) = attributions(store, over, closes=[close])
    assert (row.start, row.end, row.parts.total) == (builders.TODAY, builders.EXPIRATION, over.result)
    assert row.parts.time == pytest.approx(candidate.mid * 200, abs=D("0.01"))
    assert (row.parts.spot, row.parts.vol, row.parts.smile) == (0, 0, 0)
