"""`status --watch` on a real terminal, and what a bare `spy32` shows there."""

import json
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from spy32.commands.terminal_input import LEAVE_SCREEN
from spy32.domain.runs import Outcome, Trigger
from spy32.domain.spreads import Mode
from spy32.store import Store
from tests.support import builders as b
from tests.support import stores
from tests.support.terminal import CTRL_C, CTRL_D, ESC, HOME, Terminal, plain
from tests.support.timeouts import PATIENCE
from tests.support.tmux import TMUX, Tmux

pytestmark = pytest.mark.slow

KEYS = "[q]uit"
CLOCK = "2025-10-06T18:00:00Z"
"""Four hours after the Monday's slot, 14:00 New York."""
MARKED = {"unrealized": Decimal("7.48"), "of_max_profit": 0.067, "distance_percent": 4.4, "distance_moves": 1.3}
needs_tmux = pytest.mark.skipif(TMUX is None, reason="tmux is not installed")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with two open trades that are marked, a proposal that waits, a failed run and an unknown order."""
    home = tmp_path_factory.mktemp("template") / "home"
    home.mkdir()
    account = "PAPER0001"
    with Store.open(home / "paper.db", mode=Mode.PAPER, account=account, at=b.later(days=-8)) as store:
        for _ in range(2):
            made = store.runs.begin(trigger=Trigger.CRON, mode=Mode.PAPER, profile="default", at=b.later(days=-7))
            store.runs.finish(made.id, outcome=Outcome.PROPOSED, cause=None, reasons=(), at=b.later(days=-7))
            _, trade = stores.filled(store, run_id=made.id)
            store.marks.add(b.mark(trade.id, **MARKED))
        begun = {"trigger": Trigger.CRON, "mode": Mode.PAPER, "profile": "default", "slot": b.TODAY}
        failed = store.runs.begin(**begun, at=b.NOW)
        store.runs.finish(failed.id, outcome=Outcome.FAILED, cause="data", reasons=("no quotes",), at=b.NOW)
        second = store.runs.begin(**begun, at=b.later(minutes=15))
        stores.proposed(store, run_id=second.id)
        store.runs.finish(second.id, outcome=Outcome.PROPOSED, cause=None, reasons=(), at=b.later(minutes=16))
    return home


@pytest.fixture
def home(template: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(template, tmp_path / "home"))


@pytest.fixture
def watch(home: Path) -> Iterator[Terminal]:
    with Terminal(home, "status", "--watch", SPY32_CLOCK=CLOCK) as terminal:
        terminal.wait_for(KEYS)
        yield terminal


def paused(home: Path) -> str | None:
    flag = json.loads(plain(home, "status", "--json", SPY32_CLOCK=CLOCK).stdout)["paused"]
    return flag["reason"] if flag is not None else None


def wait_for_frame(terminal: Terminal, text: str) -> str:
    """The screen as it was drawn last, once `text` is on it."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        terminal.settle(0.2)
        if text in (frame := "\n".join(terminal.frame)):
            return frame
    raise AssertionError(f"{text!r} is not on the screen:\n" + "\n".join(terminal.frame))


def wait_for_refresh(terminal: Terminal) -> None:
    """Until the screen was drawn again by itself."""
    here = len(terminal.checked)
    terminal.wait_for(HOME, after=here)
    terminal.settle(0.2)


# The screen.


@needs_tmux
@pytest.mark.parametrize("columns", [60, 80, 200])
def test_the_watch_is_one_screen_of_any_width(home: Path, columns: int) -> None:
    with Tmux(home, "status", "--watch", columns=columns, SPY32_CLOCK=CLOCK) as terminal:
        screen = terminal.wait_for(KEYS)
        text = " ".join(" ".join(screen).split())
        assert len(screen) == 24 and max(map(len, screen)) <= columns
        assert screen[0] == "1 thing to look at"
        assert screen[-1] == "[p]ause [s]how [q]uit"
        assert "more lines" not in text, text
        for words in (
            "next slot Mon 2025-10-13 10:00 New York",
            "in 6 days",
            "until 16:00 New York",
            "2 h 00 min left",
        ):
            assert words in text
        for words in ("+$14.96 unrealised", "T1 2 SPY 7 Nov 640/635 put spread @ 0.58 cr", "+$7.48 = 6.7% of max"):
            assert words in text
        assert "next: spy32 approve P3" in screen
        terminal.press("q")
        terminal.wait_for("ended with 0")


@needs_tmux
@pytest.mark.parametrize("columns", [60, 80, 200])
def test_status_is_one_screen_of_any_width(home: Path, columns: int) -> None:
    rows = 30 if columns >= 80 else 40  # lines fold on a narrow one
    with Tmux(home, "status", columns=columns, rows=rows, SPY32_CLOCK=CLOCK) as terminal:
        screen = terminal.wait_for("ended with 0")
        text = " ".join(" ".join(screen).split())
        assert max(map(len, screen)) <= columns
        for words in ("1 thing to look at", "PAPER", "R4 proposed", "T1", "T2", "$10.00 in 2025-10", "approve P3"):
            assert words in text
        assert "+$14.96 unrealised · realised +$0.00 this week, +$0.00 this month" in text


def test_it_is_read_again_by_itself(home: Path, watch: Terminal) -> None:
    assert plain(home, "pause", "--reason", "away", SPY32_CLOCK=CLOCK).returncode == 0
    assert "[r]esume" in wait_for_frame(watch, ": away")


def test_a_resized_window_is_drawn_anew(watch: Terminal) -> None:
    watch.resize(200)
    frame = wait_for_frame(watch, "max loss $895, until 16:00 New York · Mon 2025-10-06 16:00 New York")
    assert frame.count(KEYS) == 1


def test_it_changes_nothing_and_asks_nobody(home: Path) -> None:
    """The session of the proposal is over, which any other command would write down."""
    evening = "2025-10-06T22:00:00Z"
    with Terminal(home, "status", "--watch", SPY32_CLOCK=evening) as terminal:
        terminal.wait_for(KEYS)
        wait_for_refresh(terminal)
        terminal.type("q")
        assert terminal.code() == 0
    with closing(sqlite3.connect(home / "paper.db")) as db:
        assert db.execute("select state from proposal where id = 3").fetchone() == ("proposed",)


def test_a_database_that_cannot_be_read_is_told_and_read_again(home: Path, watch: Terminal) -> None:
    database = home / "paper.db"
    database.rename(home / "away.db")
    wait_for_frame(watch, "the file is gone")
    (home / "away.db").rename(database)
    assert KEYS in wait_for_frame(watch, "1 thing to look at")


# Keys.


def test_keys_pause_and_resume(home: Path, watch: Terminal) -> None:
    watch.ask("p", "[r]esume")
    assert paused(home) == "by anna in the watch"
    watch.ask("r", "[y/N]")
    watch.ask("n", "nothing was lifted")
    assert paused(home) is not None
    watch.ask("r", "[y/N]")
    watch.ask("y", "lifted the pause")
    assert paused(home) is None
    watch.type("x")
    watch.type("q")
    assert watch.code() == 0


def test_resume_lifts_a_halt_too(home: Path, watch: Terminal) -> None:
    (home / "halt").write_text("strange fills\n")
    wait_for_frame(watch, "strange fills")
    watch.ask("r", "[y/N]")
    watch.ask("y", "lifted the halt")
    assert not (home / "halt").exists()


def test_s_shows_the_latest_run_and_any_size_of_it_scrolls(watch: Terminal) -> None:
    watch.resize(80, 12)
    wait_for_frame(watch, "more lines")
    watch.ask("s", "[Esc] back")
    assert "R4: proposed" in wait_for_frame(watch, "more lines")
    watch.type(" ")
    scrolled = wait_for_frame(watch, "-- end --")
    wait_for_refresh(watch)
    assert "\n".join(watch.frame) == scrolled
    watch.ask(ESC, KEYS)
    watch.type("q")
    assert watch.code() == 0


def test_two_watches_see_each_other(home: Path, watch: Terminal) -> None:
    with Terminal(home, "status", "--watch", SPY32_CLOCK=CLOCK) as other:
        other.wait_for(KEYS)
        watch.ask("p", "paused")
        wait_for_frame(other, "[r]esume")
        other.ask("r", "[y/N]")
        other.ask("y", "lifted the pause")
        wait_for_frame(watch, "[p]ause")
        for terminal in (watch, other):
            terminal.type("q")
            assert terminal.code() == 0


def test_a_watch_holds_up_no_restore(home: Path, watch: Terminal) -> None:
    backup = plain(home, "db", "backup", SPY32_CLOCK=CLOCK)
    assert backup.returncode == 0, backup.stderr
    copy = next((home / "backups").glob("*"))
    assert plain(home, "db", "restore", str(copy), "--force", SPY32_CLOCK=CLOCK).returncode == 0
    assert KEYS in wait_for_frame(watch, "1 thing to look at")


@pytest.mark.parametrize(("keys", "code"), [("q", 0), (ESC, 0), (CTRL_D, 0), (CTRL_C, 130)])
def test_leaving_gives_the_terminal_back(watch: Terminal, keys: str | bytes, code: int) -> None:
    watch.type(keys)
    assert watch.code() == code
    assert watch.modes == watch.before
    assert LEAVE_SCREEN in watch.checked


# Where there is no screen.


@pytest.mark.parametrize("words", [(), ("--check",), ("--json",), ("--ack", "P1")])
def test_without_a_terminal_it_refuses(home: Path, words: tuple[str, ...]) -> None:
    done = plain(home, "status", "--watch", *words, SPY32_CLOCK=CLOCK)
    assert done.returncode == 2
    assert "--watch" in done.stderr


def test_a_terminal_that_places_no_text_is_refused(home: Path) -> None:
    with Terminal(home, "status", "--watch", TERM="dumb", SPY32_CLOCK=CLOCK) as terminal:
        assert terminal.code() == 2
        assert "--watch needs a terminal that can place text" in terminal.checked


# A bare `spy32`.


def test_a_bare_call_on_a_terminal_is_a_short_status(home: Path) -> None:
    with Terminal(home, SPY32_CLOCK=CLOCK) as terminal:
        assert terminal.code() == 0
    for words in ("1 thing to look at", "R4 proposed", "in 6 days", "2 open trades", "next: spy32 approve P3"):
        assert words in terminal.checked
    assert terminal.checked.count("next: ") == 3
    assert "Usage:" not in terminal.checked


def test_global_options_alone_are_a_bare_call_too(home: Path, tmp_path: Path) -> None:
    with Terminal(tmp_path, "--home", str(home), SPY32_CLOCK=CLOCK) as terminal:
        assert terminal.code() == 0
    assert "R4 proposed" in terminal.checked


def test_a_bare_call_without_a_home_says_how_to_begin(tmp_path: Path) -> None:
    with Terminal(tmp_path) as terminal:
        assert terminal.code() == 0
    for words in ("none yet", "spy32 demo", "spy32 config init", "spy32 analyze"):
        assert words in terminal.checked
    assert not (tmp_path / "paper.db").exists()


@pytest.mark.parametrize("words", [("--help",), ("-h",)])
def test_the_help_is_asked_for_on_a_terminal(tmp_path: Path, words: tuple[str, ...]) -> None:
    with Terminal(tmp_path, *words) as terminal:
        assert terminal.code() == 0
    assert "Usage:" in terminal.checked and "reconcile" in terminal.checked


def test_a_bare_call_into_a_pipe_prints_the_help(home: Path) -> None:
    done = plain(home)
    assert done.returncode == 2
    assert "Usage:" in done.stdout
