"""`manage`: marks and closes on recorded chains, what cron is told, documents and exit codes."""

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from spy32.cli import AnsweringCommand
from spy32.commands import manage as command
from spy32.console import PlainConsole
from spy32.domain.proposals import ExitReason, Proposal
from spy32.domain.spreads import Mode
from spy32.errors import NotFilled, Refused, Spy32Error, Unavailable, Unresolved
from spy32.lifecycle import TradeState
from spy32.render.encoder import encode_document
from spy32.render.manage_documents import MANAGED, Management
from spy32.store import Store
from spy32.trading.context import TradingContext
from spy32.trading.manage import MANAGE_LOCK
from spy32.wiring import Clockwork
from tests.support import builders
from tests.support.open_trades import entered, held, live_desk
from tests.support.reader import shown
from tests.support.recorded_trades import LAST, LATER, NEXT, OPENED, document, open_trade, run
from tests.support.schemas import check
from tests.support.stores import move_trade
from tests.support.terminal import Terminal
from tests.support.trading import TradingDesk

pytestmark = pytest.mark.slow

D = Decimal
KEYS = [
    "id", "state", "remaining", "mark", "unrealized", "of_max_profit", "dte", "due", "reason", "proposal_id",
    "warnings",
]  # fmt: skip

# On recorded chains.


def test_an_opening_that_filled_says_who_watches_its_exits_and_what_to_type(trade_home: Path) -> None:
    text = run(trade_home, "execute", "P1")
    assert "  exits: target 0.36 · stop 2.16 · close 9 May · you approve; last exit 2025-05-29\n" in text
    assert "  watched by `spy32 manage`, nothing rests with the broker\n" in text
    assert text.endswith("next: spy32 manage; spy32 show T1; spy32 positions\n")
    shown_exits = run(trade_home, "show", "T1", "--full")
    assert "Exit: target 0.36 (+$67) · stop 2.16 (-$293) · close 9 May · you approve\n" in shown_exits
    assert "exit stop: 2.16 debit or more proposes a close\n" in shown_exits


def test_a_trade_is_marked_on_its_own_market_and_then_on_later_ones(trade_home: Path) -> None:
    assert "T1 now: -$9.04 = 1.0% of max loss · strike 5.3% away, 0.72 exp. moves\n" in run(trade_home, "manage")
    assert "T1 mark: 0.47 mid, 0.50 natural · spot 565.615 · as of Fri 2 May 10:30\n" in run(
        trade_home, "manage", "--market", NEXT
    )
    assert "T1: open: 2 SPY 30 May 525/520 put spread @ 0.70 cr · 23 DTE\n" in run(
        trade_home, "manage", "T1", "--market", LATER
    )


def test_everything_about_a_trade_says_where_its_result_came_from(trade_home: Path) -> None:
    for market in (NEXT, LATER):
        run(trade_home, "manage", "--market", market)
    rows = [line for line in run(trade_home, "show", "T1", "--full").split("\n") if line.startswith("attribution ")]
    assert [row.partition(": ")[0] for row in rows] == [
        "attribution 30 Apr to 2 May",
        "attribution 2 May to 7 May",
        "attribution in all",
    ]
    assert "; fees -8.52; total +41.48" in rows[0]
    # The mark's profit of +$42.96, before the fees of closing.
    assert rows[-1].endswith("; total +43.48")


def test_a_file_without_the_expiration_of_the_trade_says_so(trade_home: Path, tmp_path: Path) -> None:
    lines = gzip.decompress(Path(LATER.removeprefix("recorded:")).read_bytes()).decode().splitlines()
    other = tmp_path / "other.csv.gz"
    other.write_bytes(gzip.compress("\n".join(line for line in lines if ",2025-05-30," not in line).encode()))
    text = run(trade_home, "manage", "--market", f"recorded:{other}")
    assert "T1 note: T1 was not marked: 30 May is not in other.csv.gz\n" in text
    assert "one-sided" not in text and "T1 mark" not in text


def test_a_mark_that_is_there_is_not_stored_again(trade_home: Path) -> None:
    for _ in range(3):
        run(trade_home, "manage", "--market", NEXT)
        run(trade_home, "manage")
    assert run(trade_home, "show", "T1").count("\nmark ") == 1


def test_the_close_that_is_due_is_proposed_once_approved_sent_and_settled(trade_home: Path) -> None:
    text = run(trade_home, "manage", "--market", LAST)
    assert "T1 due: profit target: mid 0.01 at or below 0.36, 98.6% of the credit kept\n" in text
    assert (
        "T1 close: P2 waits for approval: BUY TO CLOSE 2 SPY 30 May 525/520 put spread @ 0.01 db (ceiling 0.04)\n"
        in text
    )
    assert text.endswith("T1 next: spy32 approve P2\n")
    assert run(trade_home, "manage", "--market", LAST) == text
    approved = run(trade_home, "approve", "P2", "--yes")
    assert "; result of T1 +$132.96 at 0.01, +$126.96 at the ceiling 0.04, after fees\n" in approved
    assert "T1 close: P2 is approved, not sent" in run(trade_home, "manage")
    sent = run(trade_home, "execute", "P2")
    assert "T1 closed: 2 of 2 x SPY closed for 0.02 db\n" in sent
    assert "  result +$130.96 after fees of $5.04, 97.1% of the credit kept\n" in sent
    assert run(trade_home, "manage") == "no open trades\n"
    assert "T1 ended: profit target, closed for 0.02 db, result +$130.96 after fees\n" in run(
        trade_home, "manage", "T1"
    )


def test_a_plan_that_covers_its_closes_is_carried_out_but_a_close_by_hand_waits(
    trade_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPY32_EXIT_AUTHORISE", "plan")
    run(trade_home, "manage", "--market", LAST)
    assert document(trade_home, "show", "P2")["proposal"]["state"] == "proposed"  # the opening was approved before
    planned = tmp_path / "planned"
    open_trade(planned)
    run(planned, "close", "T1")
    assert document(planned, "show", "P2")["proposal"]["state"] == "proposed"
    run(planned, "approve", "P2", "--decline")
    text = run(planned, "manage", "--market", LAST)
    assert "T1 close: P3 is done: BUY TO CLOSE 2 SPY 30 May 525/520 put spread @ 0.01 db (ceiling 0.04)\n" in text
    assert text.endswith("T1 ended: profit target, closed for 0.02 db, result +$130.96 after fees\n")
    assert document(planned, "show", "P3")["proposal"]["approval"]["by"] == "the plan of P1"


def test_a_halt_holds_the_closes_of_a_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPY32_EXIT_AUTHORISE", "plan")
    home = tmp_path / "home"
    open_trade(home)
    run(home, "halt")
    text = run(home, "manage", "--market", LAST, code=77)
    assert "T1 NOT DONE: halted" in text and "T1 close: P2 waits for approval" in text


def test_a_lapsed_close_is_judged_again_by_manage(trade_home: Path) -> None:
    run(trade_home, "manage", "--market", LAST)
    run(trade_home, "approve", "P2", "--decline")
    assert "next: spy32 manage T1 (judges its exits again)\n" in run(trade_home, "show", "P2")
    text = run(trade_home, "manage", "--market", LAST)
    assert "a person declined this close today; it is proposed again with the next session" in text
    assert text.endswith("T1 next: spy32 close T1 (by hand)\n")


def test_the_document_has_the_keys_that_scripts_rely_on(trade_home: Path) -> None:
    found = document(trade_home, "manage", "--market", LAST)
    (trade,) = found["trades"]
    assert list(trade) == KEYS
    assert trade["mark"] == {
        "at": "2025-05-16T20:15:00Z", "spot": "594.20", "mid": "0.01", "natural": "0.02", "two_sided": True,
    }  # fmt: skip
    assert (trade["due"], trade["reason"], trade["proposal_id"]) == (True, "target", "P2")
    assert (trade["unrealized"], trade["dte"], trade["warnings"]) == ("132.96", 14, [])
    shown_close = document(trade_home, "show", "P2")
    assert (shown_close["proposal"]["reason"], shown_close["proposal"]["trade_id"]) == ("target", "T1")
    assert shown_close["trade"]["mark"]["mid"] == "0.01" and shown_close["trade"]["exit_reason"] is None


def test_positions_and_status_show_the_mark_and_the_close(trade_home: Path) -> None:
    assert "  not marked yet\n" in run(trade_home, "positions")
    run(trade_home, "manage", "--market", LAST)
    held = run(trade_home, "positions")
    assert "  +$132.96 = 98.1% of max profit (Fri 16 May 16:15)\n  strike 11.6% away, 2.11 exp. moves\n" in held
    assert "  close P2 waits for approval (profit target)\n" in held
    text = run(trade_home, "status")
    assert "buy back 2 SPY 30 May 525/520 put spread for 0.01, 0.04 at most, to close T1 (profit target)" in text
    assert "trade T1 now: +$132.96 = 98.1% of max profit" in text
    (listed,) = document(trade_home, "status")["open_trades"]
    assert (listed["mark"]["unrealized"], listed["proposal_id"], listed["reason"]) == ("132.96", "P2", "target")
    (position,) = document(trade_home, "positions")["trades"]
    assert position["mark"]["mid"] == "0.01"


def test_an_older_chain_than_the_last_mark_judges_nothing(trade_home: Path) -> None:
    run(trade_home, "manage", "--market", LATER)
    text = run(trade_home, "manage", "--market", NEXT, code=10)
    assert "was marked at 2025-05-07 20:15 UTC" in text
    assert run(trade_home, "show", "T1").count("\nmark ") == 1


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("T7",), 2, "there is no trade T7"),
        (("P1",), 2, "is not the id of a trade"),
        (("--market", "cboe"), 2, "only recorded:FILE"),
        (("--market", OPENED, "--scheduled"), 2, "not with --scheduled"),
        (("--market", "recorded:nowhere.csv"), 65, "nowhere.csv"),
        (("--market", OPENED.replace("SPY_2025-04-30", "SPX_2020-03-20")), 2, "holds SPX"),
    ],
)
def test_a_bad_request_says_so(trade_home: Path, words: tuple[str, ...], code: int, message: str) -> None:
    assert message in run(trade_home, "manage", *words, code=code)


def test_a_home_without_a_database_has_nothing_to_manage(tmp_path: Path) -> None:
    assert "nothing here yet" in run(tmp_path / "home", "manage", code=2)


# Under cron.


@pytest.mark.parametrize(
    "at",
    [
        "2026-11-26T17:00:00Z",
        "2026-11-28T17:00:00Z",
        "2026-11-30T14:29:00Z",
        "2026-11-30T21:16:00Z",
        "2026-11-27T18:16:00Z",
    ],
    ids=["holiday", "weekend", "before the open", "after the close", "after an early close"],
)
def test_a_scheduled_start_while_no_options_trade_is_silent(
    trade_home: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    monkeypatch.setenv("SPY32_CLOCK", at)
    before = (trade_home / "paper.db").read_bytes()
    assert run(trade_home, "manage", "--scheduled") == ""
    assert (trade_home / "paper.db").read_bytes() == before


def test_a_scheduled_start_without_a_database_makes_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPY32_CLOCK", "2026-11-30T17:00:00Z")
    assert run(tmp_path / "home", "manage", "--scheduled") == ""
    assert not (tmp_path / "home").exists()


program = typer.Typer()
program.command(cls=AnsweringCommand)(command.manage)


@dataclass
class FakeApp:
    """The little of an App that `manage` uses, over a desk whose market is not a recorded one."""

    desk: TradingDesk
    has_store: bool = True
    wants_json: bool = False
    warned: list[str] = field(default_factory=list)
    sends: int = 0
    """How often the notices were sent."""
    out: PlainConsole = field(default_factory=lambda: PlainConsole(StringIO()))

    def clock(self) -> datetime:
        return self.desk.clock()

    @property
    def process_clock(self) -> Clockwork:
        return Clockwork(self.desk.clock())

    def check_store_exists(self) -> None:
        assert self.has_store

    def store(self) -> Store:
        return self.desk.store

    def warn(self, line: str) -> None:
        self.warned.append(line)

    def send_notices(self) -> None:
        self.sends += 1

    def trading_context(self, _store: Store, _proposal: Proposal | None, *, later: None) -> TradingContext:
        assert later is None
        return self.desk.trading_context


@pytest.fixture
def paper(tmp_path: Path) -> Iterator[TradingDesk]:
    """A desk with T1 open, opened at 0.58 with a target of 0.29."""
    desk = live_desk(tmp_path, Mode.PAPER)
    entered(desk, rests=False)
    held(desk, short=-2, long=2)
    yield desk
    desk.store.close()


def told(desk: TradingDesk, *words: str, code: int = 0) -> tuple[str, list[str]]:
    """What is written on stdout and on stderr by a start that ends with `code`."""
    app = FakeApp(desk)
    result = CliRunner().invoke(program, list(words), obj=app)
    error = result.exception
    if error is not None and not isinstance(error, Spy32Error | SystemExit):
        raise error
    assert (error.code if isinstance(error, Spy32Error) else result.exit_code) == code
    return shown(app.out), app.warned


def make_due(desk: TradingDesk) -> None:
    """Let the day of the time exit come, in its session."""
    desk.clock.at = builders.later(days=11)
    desk.market.chain_now = replace(desk.market.snapshot.chain, as_of=desk.clock.at)


def test_cron_is_told_of_a_close_once_and_by_hand_it_is_told_always(paper: TradingDesk) -> None:
    assert told(paper, "--scheduled") == ("", [])
    make_due(paper)
    text, warned = told(paper, "--scheduled")
    assert "T1 due: time exit: the time exit is on 2025-10-17\n" in text and "T1 next: spy32 approve P2\n" in text
    assert warned == []
    assert told(paper, "--scheduled") == ("", [])
    assert "T1 next: spy32 approve P2\n" in told(paper)[0]


@pytest.mark.parametrize(("after", "sends"), [({"minutes": 30}, 1), ({"hours": 8}, 0)], ids=["open", "closed"])
def test_notices_are_sent_after_a_start_that_looked_and_by_no_idle_one(
    paper: TradingDesk, after: dict[str, float], sends: int
) -> None:
    paper.clock.at = builders.later(**after)
    app = FakeApp(paper)
    CliRunner().invoke(program, ["--scheduled"], obj=app)
    assert app.sends == sends


def test_cron_is_told_that_a_trade_has_ended_and_once_only(paper: TradingDesk) -> None:
    def end(desk: TradingDesk) -> None:
        move_trade(desk.store, 1, now=TradeState.ASSIGNED, at=desk.clock())

    make_due(paper)
    told(paper, "--scheduled")
    end(paper)
    assert told(paper, "--scheduled") == ("", [])


def test_cron_is_told_each_time_of_an_urgent_close_that_cannot_be_priced_or_is_late(paper: TradingDesk) -> None:
    paper.clock.at = builders.later(days=31, hours=1)  # the clocks went back
    paper.market.trouble = Unavailable("cboe did not answer")
    for _ in range(2):
        text, _ = told(paper, "--scheduled")
        assert "T1 due: last exit: the last exit is on 2025-11-06\n" in text
        assert "the last exit is on 2025-11-06, and there are no quotes to price a close by\n" in text
    paper.market.trouble = None
    paper.market.chain_now = replace(paper.market.snapshot.chain, as_of=paper.clock.at)
    assert "T1 next: spy32 approve P2\n" in told(paper, "--scheduled")[0]
    assert told(paper, "--scheduled") == ("", [])
    paper.clock.at = builders.later(days=32, hours=1)
    for _ in range(2):
        assert "T1 due: last exit: the last exit was to be on 2025-11-06\n" in told(paper, "--scheduled")[0]


def test_another_start_that_holds_the_lock_is_silent_under_cron_and_75_by_hand(paper: TradingDesk) -> None:
    paper.locks.busy.add(MANAGE_LOCK)
    assert told(paper, "--scheduled") == ("", [])
    told(paper, code=75)


def test_no_quotes_are_said_by_hand_and_nothing_is_due_by_price(paper: TradingDesk) -> None:
    paper.market.trouble = Unavailable("cboe did not answer")
    text, warned = told(paper)
    assert "T1 note: T1 was not marked: cboe did not answer\n" in text and warned == []
    assert told(paper, "--scheduled") == ("", [])


def test_while_the_market_is_closed_a_start_by_hand_says_so(paper: TradingDesk) -> None:
    paper.clock.at = builders.later(hours=12)
    assert "T1 note: the market is closed, so there is no mark\n" in told(paper)[0]


def test_the_worst_error_of_a_trade_is_the_exit_code(paper: TradingDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    from spy32.trading import manage as trading

    (good,) = trading.manage(lambda _: paper.trading_context)
    bad = [replace(good, error=error) for error in (Refused("refused"), Unresolved("unknown"), NotFilled("not filled"))]
    monkeypatch.setattr(trading, "manage", lambda *_: (good, *bad))
    text, warned = told(paper, "--scheduled", code=11)
    assert text.count("NOT DONE") == 3
    assert warned == ["T1: refused", "T1: unknown", "T1: not filled"]
    shown_document = json.loads(told(paper, "--json", code=11)[0])
    check(shown_document)
    assert [each["warnings"] for each in shown_document["trades"]] == [[], ["refused"], ["unknown"], ["not filled"]]


def test_a_trade_without_a_mark_fits_the_schema(paper: TradingDesk) -> None:
    from spy32.trading.manage import judge_trade

    paper.clock.at += timedelta(hours=12)
    found: dict[str, Any] = encode_document(MANAGED, Management(trades=(judge_trade(paper.trading_context, 1),)))
    check(found)
    (trade,) = found["trades"]
    assert (trade["mark"], trade["unrealized"], trade["due"], trade["reason"]) == (None, None, False, None)
    assert ExitReason.LAST_EXIT.words == "last exit"


def test_a_narrow_terminal_breaks_no_word_of_the_positions(trade_home: Path) -> None:
    run(trade_home, "manage", "--market", LATER)
    words = " ".join(run(trade_home, "positions").split())
    assert "net liquidation $99,995.48 (open trades at cost, not at the marks), buying power" in words
    with Terminal(trade_home, "positions", columns=60, rows=50) as terminal:
        assert terminal.code() == 0
        assert words == " ".join(" ".join(terminal.frame).split())
