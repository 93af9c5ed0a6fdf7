"""Marks in words and as a chart: nothing cut on any terminal, flags said aloud, no chart without a span of time."""

import re
from dataclasses import replace
from decimal import Decimal

import pytest
from rich.cells import cell_len

from spy32.console import PlainConsole
from spy32.domain.marks import MarkFlag
from spy32.domain.proposals import ExitReason
from spy32.domain.spreads import ExitAuthority
from spy32.lifecycle import ProposalState, TradeState
from spy32.ops.open_trades import OpenTrade
from spy32.render import output
from spy32.render.figures import plan_items
from spy32.render.marks import (
    flag_words,
    held_words,
    mark_lines,
    marks_chart,
    open_trade_items,
    price_words,
    result_words,
    standing_words,
    strike_words,
)
from spy32.render.page import Page, Pairs
from spy32.render.pages import trade_page
from tests.support import builders as b
from tests.support import run_views
from tests.support.reader import screen, shown

D = Decimal
MARKS = tuple(
    b.mark(
        1,
        at=b.later(days=day),
        mid=D(mid),
        natural=D(mid) + D("0.05"),
        unrealized=D(f"{(D('0.58') - D(mid)) * 200 - 5:.2f}"),
        of_max_profit=float((D("0.58") - D(mid)) / D("0.58")),
        distance_percent=4.5,
        distance_moves=0.93,
    )
    for day, mid in enumerate(("0.60", "0.72", "0.55", "0.41", "0.335", "0.30", "0.28", "0.2"))
)
MARK = MARKS[-1]
TRADE = run_views.trade()
CHART = {"target": D("0.29"), "stop": D("1.74")}


def test_a_mark_in_words() -> None:
    assert price_words(MARK) == "0.20 mid, 0.25 natural · spot 671.00"
    assert result_words(MARK, TRADE) == "+$71.00 = 65.5% of max profit"
    assert strike_words(MARK) == "strike 4.5% away, 0.93 exp. moves"
    assert flag_words(MARK) == ""


def test_a_loss_is_a_share_of_the_most_that_what_was_held_can_lose() -> None:
    lost = replace(MARK, unrealized=D("-444.26"), of_max_profit=-4.12)
    assert result_words(replace(lost, quantity=TRADE.quantity), TRADE) == "-$444.26 = 50.0% of max loss"
    assert result_words(replace(lost, quantity=1), TRADE) == "-$444.26 = 100.0% of max loss"
    assert result_words(replace(lost, quantity=0), replace(TRADE, max_loss=D(0))) == "-$444.26"


def test_a_mark_without_a_mid_or_with_a_passed_strike_says_so() -> None:
    blind = replace(MARK, mid=None, natural=None, unrealized=None, of_max_profit=None, flags=(MarkFlag.ONE_SIDED,))
    assert (price_words(blind), result_words(blind, TRADE)) == ("no mid, no natural · spot 671.00", "no mid")
    assert flag_words(replace(blind, flags=(MarkFlag.ONE_SIDED, MarkFlag.STALE))) == "ONE-SIDED, STALE: decides nothing"
    passed = replace(MARK, distance_percent=-1.25, distance_moves=-0.31)
    assert strike_words(passed) == "strike in the money by 1.2%, 0.31 exp. moves"
    assert strike_words(replace(MARK, distance_percent=None)) == "strike n/a"


def test_the_plain_lines_keep_the_first_and_the_newest_marks_and_count_the_others() -> None:
    lines = mark_lines(MARKS, TRADE)
    assert len(lines) == 7
    assert lines[0].startswith("Mon 2025-10-06 10:00 New York: 0.60 mid, 0.65 natural")
    assert lines[1] == "(2 more marks)"
    assert lines[-1].startswith("Mon 2025-10-13 10:00 New York: 0.20 mid")
    assert mark_lines(MARKS[:3], TRADE)[2].startswith("Wed 2025-10-08")


@pytest.mark.parametrize("width", [60, 80, 200])
@pytest.mark.parametrize("plain", [False, True])
def test_the_chart_fits_and_names_the_last_mid_and_the_target(width: int, plain: bool) -> None:
    drawn = marks_chart(MARKS, **CHART, width=width, plain=plain)
    assert len(drawn) == 8
    assert max(map(cell_len, drawn)) <= width
    text = "\n".join(drawn)
    assert "mid 0.20" in text and "target 0.29" in text and "Mon 6 Oct 10:00" in drawn[-1]
    assert "stop" not in text
    assert not plain or text.isascii()


def test_the_stop_is_drawn_once_it_is_near() -> None:
    near = (*MARKS, b.mark(1, at=b.later(days=9), mid=D("1.20")))
    assert "stop 1.74" in "\n".join(marks_chart(near, **CHART, width=80))


def test_marks_of_one_instant_or_none_that_count_make_no_chart() -> None:
    assert marks_chart((MARK, MARK), **CHART, width=80) == []
    flagged = tuple(replace(mark, flags=(MarkFlag.CROSSED,)) for mark in MARKS)
    assert marks_chart(flagged, **CHART, width=80) == []


def numbers(text: str) -> set[str]:
    return set(re.findall(r"[+-]?\$?\d[\d,]*(?:\.\d+)?%?", text))


@pytest.mark.parametrize("width", [60, 80, 200])
@pytest.mark.parametrize("state", [TradeState.OPEN, TradeState.CLOSED])
def test_the_life_of_a_trade_fits_forty_lines_and_cuts_no_number(width: int, state: TradeState) -> None:
    trade = replace(run_views.trade(), state=state)
    if state is TradeState.CLOSED:
        ended = {
            "closed_at": b.later(days=9),
            "debit": D("0.20"),
            "result": D("70.96"),
            "exit_reason": ExitReason.TARGET,
        }
        trade = replace(trade, **ended)
    closes = tuple(
        replace(b.close_proposal(1, reason=reason), id=number, state=made)
        for number, reason, made in (
            (2, ExitReason.TIME, ProposalState.LAPSED),
            (3, ExitReason.STOP, ProposalState.DECLINED),
            (4, ExitReason.TARGET, ProposalState.PROPOSED),
        )
    )
    view = replace(run_views.filled(), trade=trade, marks=MARKS, closes=closes)
    page = trade_page(view, trade, now=b.later(days=9))
    console, plain = screen(width), PlainConsole(screen().file)
    output.print_page(console, page)
    drawn = shown(console).splitlines()
    assert len(drawn) <= 40
    assert max(map(cell_len, drawn)) <= width
    output.print_page(plain, page)
    told = shown(plain)
    marked = told[told.index("\nmark ") :]
    assert numbers(told.removesuffix(marked)) <= numbers(" ".join("\n".join(drawn).split()))
    assert ("Closed: " in told) == (state is TradeState.CLOSED)
    assert ("next: spy32 approve P4\n" in told) == (state is TradeState.OPEN)


# An open trade in two lines.


def open_trade(**over: object) -> OpenTrade:
    base = {
        "trade": run_views.trade(),
        "words": "2 SPY 7 Nov 640/635 put spread",
        "dte": 25,
        "next_exit": b.exit_plan().time_exit,
        "next_reason": ExitReason.TIME,
        "today": b.TODAY,
        "mark": MARK,
    }
    return OpenTrade(**{**base, **over})  # type: ignore[arg-type]


def test_an_open_trade_says_what_is_held_how_it_stands_and_what_comes_next() -> None:
    assert held_words(open_trade()) == "2 SPY 7 Nov 640/635 put spread @ 0.58 cr · 25 DTE"
    assert standing_words(open_trade()) == (
        "+$71.00 = 65.5% of max profit (Mon 13 Oct 10:00)", "strike 4.5% away, 0.93 exp. moves", "time exit on 17 Oct",
    )  # fmt: skip
    assert standing_words(open_trade(mark=None))[0] == "not marked yet"
    assert held_words(open_trade(dte=-3)).endswith(" · EXPIRED, not settled")


def test_what_is_due_and_the_close_that_there_is_come_first() -> None:
    late = open_trade(next_exit=b.TODAY, next_reason=ExitReason.LAST_EXIT)
    assert standing_words(late)[-1] == "last exit due today, 6 Oct"
    close = b.close_proposal(1, id=4, reason=ExitReason.EX_DIVIDEND, state=ProposalState.APPROVED)
    assert standing_words(open_trade(close=close))[-1] == "close P4 is approved, not sent (ex-dividend)"
    flagged = open_trade(mark=replace(MARK, flags=(MarkFlag.STALE,)))
    assert "STALE: decides nothing" in standing_words(flagged)
    assert next(iter(reversed([*open_trade_items(flagged)])))[2] == "warn"


@pytest.mark.parametrize("width", [60, 80, 200])
def test_open_trades_cut_no_number_on_any_width(width: int) -> None:
    items = tuple(open_trade_items(open_trade()))
    console = screen(width)
    output.print_page(console, Page(parts=(Pairs(items=items),)))
    drawn = shown(console)
    assert max(map(cell_len, drawn.splitlines())) <= width
    assert numbers(" ".join(value for _, value, _ in items)) <= numbers(" ".join(drawn.split()))


# The opening says when its approval covers the closes.


def test_an_opening_whose_plan_closes_says_that_the_approval_covers_it() -> None:
    planned = b.exit_plan(authority=ExitAuthority.PLAN)
    assert [item[0] for item in plan_items(b.proposal(exit=planned))] == ["Exit", "Covers"]
    assert [item[0] for item in plan_items(b.proposal())] == ["Exit"]


def test_a_loss_beyond_the_maximum_one_says_that_closing_costs_too() -> None:
    lost = replace(MARK, unrealized=-TRADE.max_loss - D("5.04"), quantity=TRADE.quantity)
    assert result_words(lost, TRADE).endswith(" = max loss and costs to close")
