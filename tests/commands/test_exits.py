"""`exits`: every rule of the plan, how far away it is, what is due; nothing is written."""

from dataclasses import replace
from pathlib import Path

import pytest

from spy32.domain.spreads import Mode
from spy32.errors import Unavailable
from spy32.render.manage_pages import exits_page
from spy32.render.output import format_page
from spy32.trading.manage import judge_trade
from tests.support import builders
from tests.support.open_trades import entered, live_desk
from tests.support.recorded_trades import LAST, LATER, document, run


def test_every_rule_says_when_it_fires_and_how_far_away_that_is(trade_home: Path) -> None:
    run(trade_home, "manage", "--market", LATER)
    text = run(trade_home, "exits", "T1")
    assert text.startswith("T1 2 SPY 30 May 525/520 put spread @ 0.70 cr · 23 DTE: nothing is due\n")
    for line in (
        "exit Last exit: the last exit is on 2025-05-29 · 22 days away",
        "exit Ex-dividend: no short call is held into an ex-date tonight",
        "exit Stop: at 2.16 or more · mid 0.46 below 2.16 · 1.70 away",
        "exit Profit target: at 0.36 or less · mid 0.46 above 0.36, 34.3% of the credit kept · 0.10 away",
        "exit Time exit: the time exit is on 2025-05-09 · 2 days away",
        "Approval: a person approves each close",
        "Watched: by `spy32 manage`, nothing rests with the broker",
    ):
        assert f"{line}\n" in text


def test_what_is_due_stands_in_the_title_with_the_close(trade_home: Path) -> None:
    run(trade_home, "manage", "--market", LAST)
    text = run(trade_home, "exits", "T1")
    assert "14 DTE: profit target is due\n" in text
    assert "exit Time exit: DUE · the time exit was to be on 2025-05-09\n" in text
    assert "Close: P2 waits for approval: " in text and text.endswith("next: spy32 approve P2\n")


def test_the_document_has_each_rule(trade_home: Path) -> None:
    run(trade_home, "manage", "--market", LATER)
    found = document(trade_home, "exits", "T1")
    assert (found["trade_id"], found["due"], found["reason"], found["mark"]["mid"]) == ("T1", False, None, "0.46")
    rules = {each["reason"]: each for each in found["exits"]}
    assert list(rules) == ["last_exit", "ex_dividend", "stop", "target", "time"]
    assert (rules["stop"]["price"], rules["stop"]["away"], rules["time"]["days"]) == ("2.16", "1.70", 2)


def test_looking_writes_nothing(trade_home: Path) -> None:
    before = (trade_home / "paper.db").read_bytes()
    run(trade_home, "exits", "T1")
    assert (trade_home / "paper.db").read_bytes() == before


def test_a_trade_that_is_over_has_no_exits_to_judge(trade_home: Path) -> None:
    run(trade_home, "manage", "--market", LAST)
    run(trade_home, "approve", "--yes")
    run(trade_home, "execute", "P2")
    text = run(trade_home, "exits", "T1")
    assert "it is closed, so no exit is judged\n" in text
    # What it earned, not what closing at the last mark would have.
    assert text.endswith("\nEnded: profit target, closed for 0.02 db, result +$130.96 after fees\n")
    assert "Mark:" not in text and "$132.96" not in text
    assert document(trade_home, "exits", "T1")["exits"] == []


@pytest.mark.parametrize("typed", ["T9", "P1"])
def test_a_trade_that_is_not_there_ends_2(trade_home: Path, typed: str) -> None:
    run(trade_home, "exits", typed, code=2)


@pytest.mark.parametrize(
    ("hours", "trouble", "note"),
    [(12, None, "the market is closed, so there is no mark"), (0, Unavailable("no answer"), "no answer")],
    ids=["closed", "out of reach"],
)
def test_without_a_market_it_says_so_and_goes_by_the_newest_mark(
    tmp_path: Path, hours: int, trouble: Exception | None, note: str
) -> None:
    desk = live_desk(tmp_path, Mode.PAPER)
    trade = entered(desk, rests=False)
    found = judge_trade(desk.trading_context, trade.id)
    assert found.mark is not None and desk.store.marks.select(trade.id) == ()
    desk.market.trouble, desk.clock.at = trouble, builders.later(hours=hours, minutes=7)
    blind = judge_trade(desk.trading_context, trade.id)
    text = format_page(exits_page(blind, replace(found.mark, at=builders.later(minutes=7))))
    assert note in text.partition("\n")[2].partition("\n")[0]
    assert "Marked: not now; the last mark is of Mon 2025-10-06 10:07 New York\nMark: 0.5" in text
    assert "exit Stop: at 1.74 or more · there is no mark to judge by · 1." in text
    assert "Mark: not marked yet\n" in format_page(exits_page(blind, None))
    desk.store.close()
