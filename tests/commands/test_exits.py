"""`exits`: every rule of the plan, how far away it is, what is due; nothing is written."""

from pathlib import Path

import pytest

from tests.support.recorded_trades import LAST, LATER, document, run


def test_every_rule_says_when_it_fires_and_how_far_away_that_is(trade_home: Path) -> None:
    run(trade_home, "manage", "--market", LATER)
    text = run(trade_home, "exits", "T1")
    assert text.startswith("T1 2 SPY 30 May 525/520 put spread @ 0.70 cr · 23 DTE: nothing is due\n")
    for line in (
        "exit Last exit: the last exit is on 2025-05-29 · 22 days away",
        "exit Ex-dividend: no short call is held into an ex-date tonight",
        "exit Stop: at 2.16 or more · mid 0.46 below 2.16 · 1.70 away",
        "exit Profit target: at 0.36 or less · mid 0.46 above 0.36, 34.29% of the credit kept · 0.10 away",
        "exit Time exit: the time exit is on 2025-05-09 · 2 days away",
        "Approval: a person approves each close",
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
    assert "it is closed, so no exit is judged" in run(trade_home, "exits", "T1")
    assert document(trade_home, "exits", "T1")["exits"] == []


@pytest.mark.parametrize("typed", ["T9", "P1"])
def test_a_trade_that_is_not_there_ends_2(trade_home: Path, typed: str) -> None:
    run(trade_home, "exits", typed, code=2)
