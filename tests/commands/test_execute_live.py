"""Live, on purpose: every refusal before an order with real money, through the real program, with code and words."""

import json
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from spy32.domain.spreads import Mode
from spy32.lifecycle import ProposalState
from tests.servers.web import StandIn
from tests.support import builders
from tests.support.live_home import NUMBER, SECRETS, LiveHome, leaks, live_home
from tests.support.terminal import CTRL_C, CTRL_D, Terminal

pytestmark = pytest.mark.slow


@pytest.fixture
def place(tmp_path: Path) -> Iterator[tuple[LiveHome, StandIn]]:
    with live_home(tmp_path) as found:
        yield found


@pytest.fixture
def home(place: tuple[LiveHome, StandIn]) -> LiveHome:
    return place[0]


@pytest.fixture
def server(place: tuple[LiveHome, StandIn]) -> StandIn:
    return place[1]


def refused(
    home: LiveHome, server: StandIn, code: int, words: str, *typed: str, mode: str = "live", **more: str
) -> str:
    """`execute` ended with this code and these words, and asked nobody anything."""
    done = home.spy32(*typed, mode=mode, **more)
    assert (done.returncode, words in done.stderr) == (code, True), done.stderr
    assert server.requests == []
    assert leaks(home, *SECRETS) == []
    return done.stderr


def test_the_words_that_go_with_another_mode_are_refused(home: LiveHome, server: StandIn) -> None:
    for mode in ("paper", "sandbox"):
        refused(home, server, 2, f"--live does not go with mode {mode}", "execute", "--live", mode=mode)
        refused(home, server, 2, "--confirm does not go", "execute", "--confirm", "1234:SPY:1", mode=mode)


def test_live_mode_without_live_is_refused_before_the_database_is_opened(home: LiveHome, server: StandIn) -> None:
    refused(home, server, 2, "needs --live as well", "execute")
    assert not (home.home / "live.db").exists()


def test_live_mode_without_a_terminal_needs_the_confirmation_in_words(home: LiveHome, server: StandIn) -> None:
    home.approved()
    refused(home, server, 2, "needs --confirm LAST4:TICKER:CONTRACTS", "execute", "P1", "--live")
    piped = home.spy32("execute", "P1", "--live", stdin="1234 SPY\n")
    assert (piped.returncode, server.requests) == (2, [])


@pytest.mark.parametrize(
    "wrong",
    [
        "1234:SPY:99",
        "4321:SPY:{n}",
        "1234:QQQ:{n}",
        "1234:spy:{n}",
        "1234 SPY {n}",
        "",
        " 1234:SPY:{n}",
        "{all}:SPY:{n}",
    ],
)
def test_a_confirmation_that_is_not_exact_is_refused(home: LiveHome, server: StandIn, wrong: str) -> None:
    made = home.approved()
    typed = wrong.format(n=made.quantity, all=NUMBER)
    refused(home, server, 2, "nothing was sent", "execute", "P1", "--live", "--confirm", typed)
    with home.store() as store:
        assert store.proposals.get(1).state is ProposalState.APPROVED
        assert store.orders.select_by_proposal(1) == ()


def exact(home: LiveHome) -> str:
    with home.store() as store:
        return f"1234:SPY:{store.proposals.get(1).quantity}"


def test_a_halt_stops_a_confirmed_execute(home: LiveHome, server: StandIn) -> None:
    home.approved()
    (home.home / "halt").write_text("audit\n")
    refused(home, server, 77, "halted: audit", "execute", "P1", "--live", "--confirm", exact(home))


def test_live_mode_without_credentials_asks_nobody(home: LiveHome, server: StandIn) -> None:
    home.approved()
    typed = ("execute", "P1", "--live", "--confirm", exact(home))
    refused(home, server, 78, "tastytrade.client_secret is not set", *typed, TASTYTRADE_CLIENT_SECRET="")
    refused(home, server, 78, "tastytrade.refresh_token is not set", *typed, TASTYTRADE_REFRESH_TOKEN="")


def test_a_paper_approval_is_not_known_in_live_mode(home: LiveHome, server: StandIn) -> None:
    made = home.approved(Mode.PAPER, number="PAPER0001")
    confirm = f"{made.account[-4:]}:SPY:{made.quantity}"
    refused(home, server, 2, "nothing here yet", "execute", "P1", "--live", "--confirm", confirm)


def test_a_paper_database_under_the_name_of_the_live_one_is_refused(home: LiveHome, server: StandIn) -> None:
    made = home.approved(Mode.PAPER, number="PAPER0001")
    shutil.copy(home.home / "paper.db", home.home / "live.db")
    confirm = f"{made.account[-4:]}:SPY:{made.quantity}"
    refused(home, server, 78, "is of mode paper, not live", "execute", "P1", "--live", "--confirm", confirm)


def test_a_paper_approval_in_a_database_whose_stamp_was_forged_is_refused(home: LiveHome, server: StandIn) -> None:
    made = home.approved(Mode.PAPER, number="PAPER0001")
    shutil.copy(home.home / "paper.db", home.home / "live.db")
    with sqlite3.connect(home.home / "live.db") as db:
        db.execute("update stamp set mode = 'live', account = ?", (NUMBER,))
    db.close()
    confirm = f"1234:SPY:{made.quantity}"
    refused(home, server, 10, "was made in mode paper", "execute", "P1", "--live", "--confirm", confirm)


def test_the_database_of_another_account_is_refused(home: LiveHome, server: StandIn) -> None:
    home.approved()
    typed = ("execute", "P1", "--live", "--confirm", exact(home))
    said = refused(home, server, 78, "is of the account …1234, not …9999", *typed, TASTYTRADE_ACCOUNT="5WX09999")
    assert NUMBER not in said


def test_a_proposal_that_nobody_approved_is_refused(home: LiveHome, server: StandIn) -> None:
    made = home.approved()
    with home.store() as store:
        store.proposals.move(
            1, was=ProposalState.APPROVED, now=ProposalState.DECLINED, at=builders.NOW, reason="declined by anna"
        )
    confirm = f"1234:SPY:{made.quantity}"
    refused(home, server, 10, "not approved", "execute", "P1", "--live", "--confirm", confirm)


def test_approve_yes_needs_the_digits_in_live_mode(home: LiveHome, server: StandIn) -> None:
    home.approved()
    refused(home, server, 2, "--yes needs --confirm with the first 8 digits", "approve", "P1", "--yes")


def test_a_recorded_market_never_goes_with_real_money(home: LiveHome, server: StandIn) -> None:
    for mode in ("live", "sandbox"):
        done = home.spy32("analyze", "--market", "recorded", "--json", mode=mode)
        run = json.loads(done.stdout)["run"]
        assert (done.returncode, run["outcome"], run["cause"]) == (78, "failed", "settings")
        assert "mode paper only" in run["reasons"][0]
        assert server.requests == []


# On a terminal.


def asked(home: LiveHome, *words: str) -> Terminal:
    around = home.around("live")
    return Terminal(home.home, "execute", "P1", "--live", *words, **around)


NO = [
    "\n",
    "y\n",
    "yes\n",
    "1234\n",
    "SPY\n",
    "1234 spy\n",
    "1234:SPY\n",
    "4321 SPY\n",
    CTRL_D,
    b"1234 SPY" + CTRL_D * 2,
]


@pytest.mark.parametrize("answer", NO)
def test_on_a_terminal_anything_but_the_ending_and_the_ticker_is_no(
    home: LiveHome, server: StandIn, answer: str | bytes
) -> None:
    made = home.approved()
    with asked(home) as terminal:
        told = terminal.wait_for("anything else to leave: ")
        for figure in ("LIVE: real money", "…1234", made.hash[:8], f"{made.limit_price}", f"{made.max_loss:,.2f}"):
            assert figure in told
        terminal.type(answer)
        assert terminal.code() == 2
        assert "nothing was sent" in terminal.checked
    assert server.requests == []


def test_what_was_typed_before_the_question_is_no_answer_to_it(home: LiveHome, server: StandIn) -> None:
    home.approved()
    with asked(home) as terminal:
        terminal.type("1234 SPY\n")
        terminal.wait_for("anything else to leave: ")
        terminal.settle(0.5)
        assert terminal.process.poll() is None
        terminal.type("\n")
        assert terminal.code() == 2
    assert server.requests == []


def test_ctrl_c_at_the_question_sends_nothing(home: LiveHome, server: StandIn) -> None:
    home.approved()
    with asked(home) as terminal:
        terminal.wait_for("anything else to leave: ")
        terminal.type(CTRL_C)
        assert terminal.code() == 130
    assert server.requests == []


def test_the_ending_and_the_ticker_go_on_to_the_broker(home: LiveHome, server: StandIn) -> None:
    home.approved()
    with asked(home) as terminal:
        terminal.wait_for("anything else to leave: ")
        terminal.type("1234 SPY\n")
        assert terminal.code() == 75  # this server only breaks
    assert server.requests != []


def test_nobody_is_asked_when_the_confirmation_was_given_in_words(home: LiveHome) -> None:
    home.approved()
    with asked(home, "--confirm", exact(home)) as terminal:
        terminal.code()
        assert "anything else" not in terminal.checked
