"""`close`: a person's own close, its price, its next command, and its screen in `approve`."""

from pathlib import Path

import pytest

from spy32.commands.confirmation import confirmation_lines
from tests.support import builders
from tests.support.recorded_trades import LAST, LATER, document, run
from tests.support.terminal import plain

pytestmark = pytest.mark.slow


def test_a_close_by_hand_is_proposed_with_its_next_command(trade_home: Path) -> None:
    run(trade_home, "manage", "--market", LATER)
    text = run(trade_home, "close", "T1")
    assert "P2 waits for approval: BUY TO CLOSE 2 SPY 30 May 525/520 put spread @ 0.46 db (ceiling 0.52)\n" in text
    assert text.endswith("T1 next: spy32 approve P2\n")


def test_an_own_ceiling_is_taken_and_replaces_the_close_that_waits(trade_home: Path) -> None:
    run(trade_home, "close", "t1")
    made = document(trade_home, "close", "T1", "--at", "0.80")
    assert (made["schema"], made["proposal"]["id"], made["proposal"]["reason"]) == ("spy32.approval", "P3", "person")
    assert (made["proposal"]["trade_id"], made["proposal"]["floor_price"]) == ("T1", "-0.80")
    assert document(trade_home, "show", "P2")["proposal"]["state"] == "lapsed"
    assert made["approval"] is None


def test_a_close_is_approved_by_its_hash_and_fills(trade_home: Path) -> None:
    run(trade_home, "manage", "--market", LATER)
    proposal = document(trade_home, "close", "T1")["proposal"]
    run(trade_home, "approve", "P2", "--yes", "--confirm", proposal["hash"][:8])
    assert "asked for by a person" in run(trade_home, "show", "T1")
    assert document(trade_home, "execute", "P2")["trade"]["exit_reason"] == "person"
    assert "T1 closed: 2 opened 0.70 cr, closed 0.47 db, result +$40.96 after fees\n" in run(trade_home, "show")
    text = run(trade_home, "show", "T1")
    assert "Closed: Wed 2025-05-07 16:15 New York for 0.47 db (asked for by a person)\n" in text
    assert "nothing to close" in run(trade_home, "close", "T1", code=10)


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("T9",), 2, "there is no trade T9"),
        (("R1",), 2, "is not the id of a trade"),
        (("T1", "--at", "dear"), 2, "is not a price"),
        (("T1", "--at", "5.01"), 10, "the width 5"),
        (("T1", "--at", "0"), 10, "a price of 0"),
        (("T1", "--at", "0.333"), 10, "multiple of 0.01"),
    ],
)
def test_a_bad_close_proposes_nothing(trade_home: Path, words: tuple[str, ...], code: int, message: str) -> None:
    assert message in run(trade_home, "close", *words, code=code)
    assert "there is no proposal P2" in run(trade_home, "show", "P2", code=2)


def test_the_screen_of_a_close_has_what_decides(trade_home: Path) -> None:
    run(trade_home, "manage", "--market", LATER)
    run(trade_home, "close", "T1")
    text = plain(trade_home, "approve", "P2", typed="w\nx\nl\nl\n").stdout
    assert text.startswith("note: PAPER, no real money · acct …0001 · RECORDED MARKET 2025-05-07 16:15\n")
    for line in (
        "BUY TO CLOSE 2 SPY 30 May 525/520 put spread @ 0.46 db (ceiling 0.52) · 23 DTE",
        "Reason: asked for by a person",
        "Result: +$42.96 at 0.46, +$30.96 at the ceiling 0.52, after fees",
        "BP effect: $864.52 released",
        "Due: nothing is, by the plan",
        "Mark: 0.46 mid, 0.50 natural · spot 561.15",
        "Now: +$42.96 = 31.7% of max profit · strike 6.4% away, 0.98 exp. moves",
        "Leg: Buy to Close 2 x 525 put · bid 2.70, ask 2.74 · delta -0.14",
        "Quotes: Wed 2025-05-07 16:15 New York, from recorded:SPY_2025-05-07.csv.gz",
        "exit Stop: at 2.16 or more · mid 0.46 below 2.16 · 1.70 away",
        "[w]hy e[x]its [a]pprove [d]ecline [l]eave: w",
    ):
        assert line in text, f"{line}\n{text}"


def test_the_question_and_the_answer_have_both_results_after_fees(trade_home: Path) -> None:
    run(trade_home, "manage", "--market", LATER)
    run(trade_home, "close", "T1")
    results = "result of T1 +$42.96 at 0.46, +$30.96 at the ceiling 0.52, after fees"
    assert results in plain(trade_home, "approve", "P2", typed="a\nn\nl\n").stdout
    assert results in run(trade_home, "approve", "P2", "--yes")


def test_a_close_is_shown_at_its_own_time_and_market_not_those_of_the_opening(trade_home: Path) -> None:
    run(trade_home, "manage", "--market", LATER)
    run(trade_home, "close", "T1")
    run(trade_home, "manage", "--market", LAST)  # a later mark changes nothing of it
    text = run(trade_home, "show", "P2")
    for line in (
        "note: PAPER, no real money · RECORDED MARKET 2025-05-07 16:15 · SIMULATED FILLS",
        "P2 closes T1 of R1: proposed, Wed 2025-05-07 16:15 New York",
        "BUY TO CLOSE 2 SPY 30 May 525/520 put spread @ 0.46 db (ceiling 0.52) · 23 DTE",
        "Market: SPY 561.15 · strike 6.4% away, 0.98 exp. moves",
        "Result: +$42.96 at 0.46, +$30.96 at the ceiling 0.52, after fees",
    ):
        assert f"{line}\n" in text, f"{line}\n{text}"
    assert not {"Choice:", "Why:", "Data:", "Fixed rule:"} & set(text.split())


def test_a_close_that_was_superseded_names_the_one_in_its_place(trade_home: Path) -> None:
    run(trade_home, "manage", "--market", LATER)
    run(trade_home, "close", "T1")
    assert "T1 note: P3 takes the place of P2\n" in run(trade_home, "close", "T1")
    assert "next: spy32 approve P3 (in its place)\n" in run(trade_home, "show", "P2")
    assert "`spy32 approve P3` decides about the close in its place" in run(
        trade_home, "approve", "P2", "--yes", code=10
    )
    run(trade_home, "approve", "P3", "--decline")
    assert "in its place" not in run(trade_home, "approve", "P2", "--yes", code=10)


def test_the_confirmation_of_a_live_close_says_what_it_closes_and_what_it_leaves() -> None:
    close = builders.close_proposal(7, max_profit=builders.Decimal("51.48"))
    assert confirmation_lines(close)[-1] == (
        "to close T7, from 0.30 up to 0.34 a share; result +$51.48 at 0.30, +$43.48 at the ceiling 0.34, after fees"
    )
