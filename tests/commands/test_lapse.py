"""A session that is over: what waited lapses at the start of the next command, and a lost week is not silent."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from spy32.domain.market import Right
from spy32.domain.spreads import Mode
from spy32.lifecycle import ProposalState
from tests.support import approvals, builders
from tests.support.live_home import LiveHome, live_home
from tests.support.trading import TradingDesk

pytestmark = pytest.mark.slow

P = ProposalState
CLOSE = builders.proposal().lapses_at
AFTER = CLOSE + timedelta(seconds=1)
WORDS = "sell 2 SPY 7 Nov 640/635 put spread for 0.58"
ITEM = f"P1 lapsed and nobody had looked at it: {WORDS}; the week's trade is lost"


def items(desk: TradingDesk) -> list[tuple[str, str, str]]:
    return [(item.subject, item.kind, item.message) for item in desk.store.attention.open_items()]


def test_what_nobody_looked_at_lapses_after_its_session_and_says_that_the_week_is_lost(desk: TradingDesk) -> None:
    desk.proposed()
    desk.store.proposals.lapse_overdue(CLOSE)
    assert (desk.state(1), items(desk)) == (P.PROPOSED, [])
    desk.store.proposals.lapse_overdue(AFTER)
    assert desk.state(1) is P.LAPSED
    assert "its session is over" in desk.store.proposals.status_text(1)
    assert items(desk) == [("P1", "lapsed", ITEM)]
    desk.store.proposals.lapse_overdue(AFTER)
    assert len(items(desk)) == 1
    assert desk.store.audit.verify().broken is None


def test_what_a_person_had_on_the_screen_lapses_without_a_word(desk: TradingDesk) -> None:
    desk.proposed()
    desk.store.proposals.record_viewing(1, "anna", builders.NOW)
    desk.store.proposals.lapse_overdue(AFTER)
    assert (desk.state(1), items(desk)) == (P.LAPSED, [])


def test_what_was_approved_and_never_sent_lapses_when_its_approval_is_over(desk: TradingDesk) -> None:
    made = desk.proposed()
    given = CLOSE - timedelta(minutes=10)
    desk.store.proposals.approve(replace(builders.approval(made), at=given, until=given + timedelta(hours=1)))
    desk.store.proposals.lapse_overdue(AFTER)
    assert desk.state(1) is P.APPROVED
    desk.store.proposals.lapse_overdue(given + timedelta(minutes=61))
    assert (desk.state(1), items(desk)) == (P.LAPSED, [])


def test_what_another_process_moves_is_left_to_it(desk: TradingDesk) -> None:
    made = desk.proposed()
    desk.store.proposals.select_overdue = lambda at: (made,)  # type: ignore[method-assign]
    desk.store.proposals.move(1, was=P.PROPOSED, now=P.DECLINED, at=AFTER, reason="no")
    desk.store.proposals.lapse_overdue(AFTER)
    assert (desk.state(1), items(desk)) == (P.DECLINED, [])


def test_a_recorded_market_never_lapses(desk: TradingDesk) -> None:
    desk.proposed(market="recorded:cboe")
    desk.store.proposals.lapse_overdue(AFTER)
    assert desk.state(1) is P.PROPOSED


@pytest.mark.parametrize(("at", "lost"), [(builders.later(minutes=30), False), (AFTER, True)])
def test_a_newer_run_of_the_session_takes_its_place_and_one_of_a_later_week_does_not(
    desk: TradingDesk, at: object, lost: bool
) -> None:
    made = desk.proposed()
    desk.store.proposals.add(made, body="{}", at=at)  # type: ignore[arg-type]
    assert (desk.state(1), desk.state(2)) == (P.LAPSED, P.PROPOSED)
    assert items(desk) == ([("P1", "lapsed", ITEM)] if lost else [])


def test_a_trade_in_words() -> None:
    put = builders.proposal()
    assert builders.close_proposal(1).trade_text == "buy back 2 SPY 7 Nov 640/635 put spread for 0.30"
    call = tuple(replace(leg, right=Right.CALL) for leg in put.legs)
    assert put.trade_text == WORDS
    assert replace(put, legs=call, quantity=1).trade_text == "sell 1 SPY 7 Nov 640/635 call spread for 0.58"
    assert replace(put, legs=(*put.legs, *call)).trade_text.endswith("640/635/640/635 iron condor for 0.58")


# Every command.


@pytest.fixture
def home(tmp_path: Path) -> Iterator[LiveHome]:
    with live_home(tmp_path) as (found, _):
        with found.store(Mode.PAPER, "PAPER0001") as store:
            approvals.proposed(store, builders.account(mode=Mode.PAPER, number="PAPER0001"))
        yield found


LATER = {"SPY32_CLOCK": f"{AFTER:%Y-%m-%dT%H:%M:%SZ}"}


def states(home: LiveHome) -> tuple[ProposalState, int]:
    with home.store(Mode.PAPER, "PAPER0001") as store:
        return store.proposals.get(1).state, len(store.attention.open_items())


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (
            ("execute", "P1"),
            10,
            "P1 is not approved: lapsed since 16:00: its session is over; a new run",
        ),
        (("approve", "P1", "--yes"), 10, "P1 waits for no decision: it is lapsed since 16:00: its session is over"),
        (("cancel", "P1"), 10, "nothing of P1 is working"),
        (("show",), 0, ""),
        (("status",), 0, ""),
        (("status", "--check"), 20, ITEM),
        (("reconcile",), 0, ""),
        (("positions",), 0, ""),
        (("pause",), 0, ""),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_the_first_command_after_the_session_finds_it_lapsed(
    home: LiveHome, words: tuple[str, ...], code: int, said: str
) -> None:
    done = home.spy32(*words, mode="paper", **LATER)
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr
    assert states(home) == (P.LAPSED, 1)


def test_show_says_lapsed(home: LiveHome) -> None:
    shown = json.loads(home.spy32("show", "--json", mode="paper", **LATER).stdout)
    assert shown["proposal"]["state"] == "lapsed"


@pytest.mark.parametrize("words", [("audit", "verify"), ("db", "check")])
def test_a_look_at_the_database_itself_writes_nothing(home: LiveHome, words: tuple[str, ...]) -> None:
    assert home.spy32(*words, mode="paper", **LATER).returncode == 0
    assert states(home) == (P.PROPOSED, 0)


def test_where_nothing_can_be_written_it_is_said(home: LiveHome) -> None:
    # Whoever may write must be able to lock; no user, not even root, can where a file has the folder's name.
    (home.home / "locks").write_text("")
    done = home.spy32("show", mode="paper", **LATER)
    assert (done.returncode, "its session is over" in done.stdout) == (0, True)
    assert "P1 lapsed with its session, which cannot be written down: " in done.stderr
    assert states(home) == (P.PROPOSED, 0)
