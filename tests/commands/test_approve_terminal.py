"""`approve` on a real terminal: one screen, single keys; nothing but a yes to the last question approves."""

import json
import os
import pty
import re
import shutil
import signal
import sqlite3
import termios
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.cells import cell_len

from spy32.commands.terminal_input import LEAVE_SCREEN, Keyboard
from tests.support.terminal import CTRL_C, CTRL_D, DOWN, ESC, UP, Terminal, plain

pytestmark = pytest.mark.slow

KEYS = "[Esc]"
QUESTION = "[y/N]"
PROMPT = "[l]eave: "


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with one proposal of the shipped chain."""
    home = tmp_path_factory.mktemp("template") / "home"
    home.mkdir()
    ran = plain(home, "analyze", "--market", "recorded", "--analyst", "rules")
    assert ran.returncode == 0, ran.stderr
    return home


@pytest.fixture
def home(template: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(template, tmp_path / "home"))


def document(home: Path) -> dict[str, Any]:
    found = plain(home, "show", "--json")
    assert found.returncode == 0, found.stderr
    return json.loads(found.stdout)


def proposal(home: Path) -> dict[str, Any]:
    made: dict[str, Any] = document(home)["proposal"]
    return made


def rows(home: Path) -> list[dict[str, Any]]:
    """The menu by row number: puts first, by strike and width."""
    menu: list[dict[str, Any]] = document(home)["menu"]
    return sorted(
        menu, key=lambda each: (each["strategy"][:1] != "p", float(each["legs"][0]["strike"]), float(each["width"]))
    )


def strikes(entry: dict[str, Any]) -> str:
    return "/".join(leg["strike"] for leg in entry["legs"])


def row_of(home: Path, entry_id: str) -> int:
    return next(number for number, each in enumerate(rows(home), 1) if each["id"] == entry_id)


def asked(home: Path, *words: str, waits_for: str = KEYS, **more: Any) -> Terminal:
    """A terminal on which the first screen stands."""
    terminal = Terminal(home, "approve", *words, **more)
    terminal.wait_for(waits_for)
    return terminal


# The first screen.


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_the_first_screen_fits_and_holds_each_figure(home: Path, columns: int) -> None:
    made, seen = proposal(home), document(home)
    with asked(home, columns=columns, rows=24 if columns >= 80 else 32) as terminal:
        screen = terminal.frame
    assert len(screen) <= (24 if columns >= 80 else 32)
    assert max(cell_len(line) for line in screen) <= columns
    assert not any("more lines" in line for line in screen)
    told = re.findall(r"[^\s│;()·,]+", "\n".join(screen))
    entry = next(each for each in seen["menu"] if each["id"] == made["candidate_id"])
    figures = [made["limit_price"], made["floor_price"], f"${made['max_loss']}", f"${made['max_profit']}"]
    figures += [*made["breakevens"], made["exit"]["profit_target"], made["exit"]["stop"], strikes(made)]
    planned = entry["p_profit"]["plan"]
    figures += [f"{entry['pop']['market'] if planned is None else planned:.0%}", f"-{entry['short_delta']:.2f}"]
    figures += [seen["market"]["spot"], f"{seen['market']['vix']:.2f}", f"±{seen['market']['expected_move']}"]
    figures += ["32", "11.2%", "12.0%", "0.90%", "-3.8%", "1.09", "6.5%"]
    assert [figure for figure in figures if figure not in told] == []
    assert "room $5,000.00" in " ".join(" ".join(screen).split())
    assert "PAPER, no real money" in screen[0]
    assert "RECORDED MARKET" in " ".join(screen[:2])


def test_a_lower_window_shows_less_at_once_and_scrolls(home: Path) -> None:
    with asked(home, rows=14) as terminal:
        assert len(terminal.frame) == 14
        assert "more lines: space" in terminal.frame[-2]
        terminal.ask(b" ", "-- end --")
        assert any(line.startswith("Exit") for line in terminal.frame)
        assert terminal.frame[-1].startswith("↑↓")


def test_the_last_question_is_on_the_lowest_window(home: Path) -> None:
    with asked(home, columns=60, rows=4) as terminal:
        terminal.ask(b"a", QUESTION)
        asks = " ".join(" ".join(terminal.frame).split())
        assert "Approve: SELL 2 SPY" in asks
        assert "max loss $894.52" in asks


def test_without_colour_nothing_is_coloured(home: Path) -> None:
    with asked(home, NO_COLOR="1") as terminal:
        assert not re.search(r"\x1b\[[0-9;]*m", terminal.checked)
    with asked(home, TERM="xterm-256color") as terminal:
        assert re.search(r"\x1b\[[0-9;]*m", terminal.checked)


def test_numpy_is_not_imported_before_the_first_screen(home: Path) -> None:
    with asked(home, options=("-X", "importtime")) as terminal:
        imported = {line.rpartition("|")[2].strip() for line in terminal.checked.split("\n") if "import time:" in line}
    assert "spy32.commands.dialogue" in imported
    heavy = {"numpy", "pandas", "yfinance", "pydantic", "requests"}
    assert {name.partition(".")[0] for name in imported} & heavy == set()
    # Each takes more of the start than drawing the screen without it.
    assert imported & {"_hashlib", "rich.table"} == set()


@pytest.mark.parametrize(("columns", "rows"), [(60, 24), (60, 30), (72, 20)])
def test_the_exit_is_on_the_first_screen_where_that_scrolls(home: Path, columns: int, rows: int) -> None:
    with asked(home, columns=columns, rows=rows) as terminal:
        assert any(line.startswith("Exit") for line in terminal.frame)
        assert len(terminal.frame) == rows


# Looking.


def test_numbers_and_arrows_select_and_every_figure_follows(home: Path) -> None:
    listed = rows(home)
    first = row_of(home, proposal(home)["candidate_id"])
    with asked(home) as terminal:
        for keys, number in (
            (DOWN, first + 1), (UP, first), (b"7", 7), (b"1", 1), (b"2", 12), (b"m", 12), (DOWN, 13), (ESC, 13),
        ):  # fmt: skip
            terminal.ask(keys, f"{strikes(listed[number - 1])} {'put' if number <= 8 else 'call'} spread @")
            terminal.settle(0.3)
            (marked,) = [line for line in terminal.frame if "▶" in line]
            assert re.search(rf"▶ +{number}\b.* {strikes(listed[number - 1])} ", marked)
    assert proposal(home)["candidate_id"] == listed[first - 1]["id"]


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("m", "Candidates, expiration 2025-09-30"),
        ("w", "Recommendation"),
        ("r", "The book, at worst"),
        ("x", "Exit plan"),
    ],
)
def test_everything_else_is_one_key_away_and_esc_comes_back(home: Path, key: str, told: str) -> None:
    with asked(home) as terminal:
        terminal.ask(key, told)
        terminal.settle(0.3)
        assert len(terminal.frame) <= 24
        terminal.ask(ESC, "Since run")
        terminal.type(ESC)
        assert terminal.code() == 0
        assert "nothing was approved" in terminal.checked


def looked_around(home: Path, terminal: Terminal) -> None:
    """Press every key that looks, and draft a change of each kind."""
    call = next(number for number, each in enumerate(rows(home), 1) if each["strategy"] == "call_credit_spread")
    for keys in (b"m", b"w", b"r", b"x", ESC, DOWN, UP, b"1", str(call).encode()):
        terminal.type(keys)
        terminal.settle(0.25)
    terminal.ask(b"q", "How many contracts")
    terminal.ask(b"1\r", "SELL 1 SPY")
    terminal.ask(b"f", "Which floor")
    terminal.ask(b"9\x15\x1b[A\r", "nothing was changed")


LEAVING: dict[str, tuple[Callable[[Terminal], None], int]] = {
    # Esc says no to a question in between, so it takes a second one.
    "Esc": (lambda terminal: (terminal.type(ESC), terminal.settle(0.4), terminal.type(ESC))[0], 0),
    "l": (lambda terminal: (terminal.type(b"l"), terminal.settle(0.4), terminal.type(b"l"))[0], 0),
    "Ctrl-D": (lambda terminal: terminal.type(CTRL_D), 0),
    "Ctrl-C": (lambda terminal: terminal.type(CTRL_C), 130),
    "hang-up": (lambda terminal: terminal.hang_up(), 129),
    "SIGTERM": (lambda terminal: terminal.process.send_signal(signal.SIGTERM), 143),
}


def read(home: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(home / "paper.db")) as db:
        return db.execute(sql).fetchall()


def kept(home: Path) -> list[list[tuple[Any, ...]]]:
    """All that the store holds but that somebody looked."""
    tables = ("proposal", "approval", "run", "broker_order", "attention", "event where kind != 'viewed'")
    return [read(home, f"select * from {table}") for table in tables]


@pytest.mark.parametrize("way", LEAVING)
@pytest.mark.parametrize("keys", [b"", b"a"], ids=["at the screen", "at the question"])
def test_leaving_whatever_way_leaves_every_row_and_the_terminal_as_they_were(home: Path, way: str, keys: bytes) -> None:
    before, (leave, code) = kept(home), LEAVING[way]
    with asked(home) as terminal:
        looked_around(home, terminal)
        if keys:
            terminal.ask(keys, QUESTION)
        leave(terminal)
        assert terminal.code() == code
        if way != "hang-up":
            assert terminal.modes == terminal.before
            assert LEAVE_SCREEN in terminal.checked
        if code == 0:
            assert "nothing was approved; your draft is dropped (call " in terminal.checked
    assert kept(home) == before
    assert list(home.rglob("bug-*")) == []


def test_an_exception_gives_the_terminal_back(monkeypatch: pytest.MonkeyPatch) -> None:
    master, slave = pty.openpty()
    monkeypatch.setattr("sys.stdin", SimpleNamespace(fileno=lambda: slave))
    before, written = termios.tcgetattr(slave), []
    with pytest.raises(ZeroDivisionError), Keyboard(written.append):
        assert termios.tcgetattr(slave) != before
        raise ZeroDivisionError
    assert termios.tcgetattr(slave) == before
    assert written[-1] == LEAVE_SCREEN
    os.close(master)
    os.close(slave)


# Deciding.


@pytest.mark.parametrize("keys", [b"y", b"\r", b"ay", b"\x1b[200~ay\x1b[201~", b"Y\n", b"!", "é".encode(), b"\x1b[15~"])
def test_what_is_no_answer_approves_nothing(home: Path, keys: bytes) -> None:
    with asked(home) as terminal:
        terminal.type(keys)
        terminal.settle(0.8)
        assert terminal.process.poll() is None
    assert proposal(home)["state"] == "proposed"


@pytest.mark.parametrize("no", [b"n", b"\r", ESC, b"a", b" ", b"\x1b[200~y\x1b[201~"])
def test_the_last_question_is_no_by_default(home: Path, no: bytes) -> None:
    with asked(home) as terminal:
        terminal.ask(b"a", QUESTION)
        terminal.ask(no, "not approved")
    assert proposal(home)["state"] == "proposed"


def test_a_yes_approves_and_names_the_next_command(home: Path) -> None:
    made = proposal(home)
    with asked(home) as terminal:
        terminal.ask(b"a", QUESTION)
        asks = " ".join(" ".join(terminal.frame).split())
        for words in (f"{strikes(made)} put spread", made["expiration"], "0.56 cr down to 0.55", "max loss $894.52"):
            assert words in asks
        terminal.type(b"y")
        assert terminal.code() == 0
        assert "approved by anna" in terminal.checked
        assert "next: spy32 execute P1" in terminal.checked
        assert terminal.modes == terminal.before
    after = proposal(home)
    assert (after["state"], after["approval"]["by"], after["approval"]["hash"]) == ("approved", "anna", made["hash"])
    assert plain(home, "execute").returncode == 0


def test_a_candidate_quantity_and_floor_are_approved_as_they_stand_on_the_screen(home: Path) -> None:
    before, listed = proposal(home), rows(home)
    number = row_of(home, next(each["id"] for each in listed if each["strategy"] == "call_credit_spread"))
    with asked(home) as terminal:
        terminal.type(str(number))
        terminal.ask(b"q", "How many contracts")
        terminal.ask(b"22\x7f\x7f1\r", "SELL 1 SPY")
        low = re.search(r"Which floor \((\S+) to", terminal.ask(b"f", "Which floor ("))
        assert low is not None
        terminal.ask(f"{low[1]}\r", f"(floor {low[1]})")
        assert "P1 draft" in "\n".join(terminal.frame)
        assert proposal(home) == before
        terminal.ask(b"a", QUESTION)
        terminal.type(b"y")
        assert terminal.code() == 0
    after = proposal(home)
    assert (after["candidate_id"], after["chosen_by"], after["state"]) == (
        listed[number - 1]["id"],
        "person",
        "approved",
    )
    assert (after["quantity"], after["floor_price"]) == (1, low[1])
    assert after["approval"]["hash"] == after["hash"] != before["hash"]


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        (b"q99\r", "too many"),
        (b"q0\r", "1 is the least"),
        (b"qtwo\r", "not a number of contracts"),
        (b"f9\r", "not done"),
        (b"fnan\r", "not a price"),
        (b"f0.01\r", "not done"),
        (b"0", "no row of the menu"),
    ],
)
def test_a_change_outside_the_limits_is_refused_and_the_screen_stays(home: Path, keys: bytes, told: str) -> None:
    made = proposal(home)
    with asked(home) as terminal:
        terminal.ask(keys, told)
        terminal.type(ESC)
        assert terminal.code() == 0
    assert proposal(home)["hash"] == made["hash"]


def test_declining_keeps_the_note(home: Path) -> None:
    with asked(home) as terminal:
        terminal.ask(b"d", "Decline P1 for good? [y/N]")
        terminal.ask(b"y", "A note on why")
        terminal.type("earnings week, jk\r")
        assert terminal.code() == 0
    assert proposal(home)["state"] == "declined"
    again = plain(home, "approve", "P1", "--yes")
    assert again.returncode == 10
    assert "declined by anna: earnings week, jk" in again.stderr


def test_the_first_screen_of_a_proposal_is_on_record_once(home: Path) -> None:
    plain(home, "show")
    assert read(home, "select * from viewing") == []
    for name in ("anna", "bert"):
        with asked(home, LOGNAME=name) as terminal:
            terminal.type(ESC)
            assert terminal.code() == 0
    assert read(home, "select proposal_id, viewed_by from viewing") == [(1, "anna")]


# The window's size.


def test_a_new_size_draws_the_screen_again_and_approves_nothing(home: Path) -> None:
    with asked(home, columns=120) as terminal:
        for columns in (60, 200, 80):
            here = len(terminal.checked)
            terminal.resize(columns, 30)
            terminal.wait_for(KEYS, after=here)
            terminal.settle(0.3)
            assert max(cell_len(line) for line in terminal.frame) <= columns
            assert any("Max loss" in line for line in terminal.frame)
        terminal.type(ESC)
        assert terminal.code() == 0
    assert proposal(home)["state"] == "proposed"


def test_a_new_size_takes_a_half_given_yes_back(home: Path) -> None:
    with asked(home) as terminal:
        terminal.ask(b"a", QUESTION)
        here = len(terminal.checked)
        terminal.resize(100)
        terminal.wait_for(KEYS, after=here)
        terminal.type(b"y")
        terminal.settle(0.5)
        terminal.type(ESC)
        assert terminal.code() == 0
        assert "nothing was approved" in terminal.checked
    assert proposal(home)["state"] == "proposed"


def test_many_new_sizes_in_a_row_end_in_one_screen_that_still_works(home: Path) -> None:
    with asked(home) as terminal:
        for columns in (61, 90, 120, 75, 60, 100, 80):
            terminal.resize(columns)
        # A size that comes late would take back what is typed, as it should.
        terminal.settle()
        terminal.ask(b"q", "How many")
        terminal.ask(b"1\r", "SELL 1 SPY")
        terminal.type(ESC)
        assert terminal.code() == 0
    assert proposal(home)["state"] == "proposed"


# Two windows.


def test_of_two_windows_one_wins_and_the_other_is_told_who(home: Path) -> None:
    with asked(home, LOGNAME="anna") as first, asked(home, LOGNAME="bert") as second:
        first.ask(b"a", QUESTION)
        second.ask(b"a", QUESTION)
        second.type(b"y")
        assert second.code() == 0
        first.type(b"y")
        assert first.code() == 10
        assert "approved by bert" in first.checked
    assert proposal(home)["approval"]["by"] == "bert"


def test_a_draft_of_what_another_window_approved_ends_with_one_line_that_says_who(home: Path) -> None:
    before = proposal(home)
    with asked(home, LOGNAME="anna") as first, asked(home, LOGNAME="bert") as second:
        first.ask(b"q", "How many")
        first.ask(b"1\r", "SELL 1 SPY")
        here = len(first.checked)
        second.ask(b"f", "Which floor")
        second.ask(b"0.54\r", "(floor 0.54)")
        second.ask(b"a", QUESTION)
        second.type(b"y")
        assert second.code() == 0
        first.ask(b"a", QUESTION)
        first.type(b"y")
        assert first.code() == 10
        (line,) = [line for line in first.checked[here:].split("\n") if "P1 was approved by bert" in line]
        assert f"; your draft is dropped (put {strikes(before)}, 1 contract, floor {before['floor_price']})" in line
    after = proposal(home)
    assert (after["quantity"], after["floor_price"], after["approval"]["by"]) == (2, "0.54", "bert")


# Abstentions and JSON.


def abstention(home: Path) -> str:
    """A run of which the analyst took nothing; the id of the first row of its menu."""
    (home / "config.toml").write_text('[choice]\nstrategies = ["call_credit_spread"]\n')
    ran = plain(home, "analyze", "--market", "recorded", "--analyst", "rules")
    assert "abstained" in ran.stdout + ran.stderr
    assert plain(home, "approve", "--yes").returncode == 2
    return str(rows(home)[0]["id"])


def test_an_abstention_is_overridden_in_the_terminal(tmp_path: Path) -> None:
    other = abstention(tmp_path)
    with asked(tmp_path, "R1") as terminal:
        assert "[a]pprove" not in terminal.checked
        terminal.ask(b"1", "[a]pprove")
        terminal.ask(b"a", QUESTION)
        terminal.type(b"y")
        assert terminal.code() == 0
    made = proposal(tmp_path)
    assert (made["state"], made["chosen_by"], made["candidate_id"]) == ("approved", "person", other)


@pytest.mark.parametrize("way", LEAVING)
def test_leaving_makes_no_proposal_over_an_abstention(tmp_path: Path, way: str) -> None:
    abstention(tmp_path)
    before = kept(tmp_path)
    with asked(tmp_path, "R1") as terminal:
        terminal.ask(b"1", "R1 draft")
        LEAVING[way][0](terminal)
        assert terminal.code() == LEAVING[way][1]
    assert kept(tmp_path) == before


def test_with_json_the_screen_is_on_stderr_and_one_document_on_stdout(home: Path) -> None:
    with asked(home, "--json") as terminal:
        terminal.ask(b"a", QUESTION)
        terminal.type(b"y")
        assert terminal.code() == 0
        assert '"schema": "spy32.approval"' in terminal.checked.rpartition(LEAVE_SCREEN)[2]


# Words with Enter: a dumb terminal, a pipe.


def test_a_dumb_terminal_gets_plain_lines_and_takes_words(home: Path) -> None:
    with asked(home, TERM="dumb", waits_for=PROMPT) as terminal:
        assert "\x1b" not in terminal.checked
        assert "Max loss: $894.52" in terminal.checked
        terminal.ask("w\n", "analyst reason: ")
        terminal.ask("esc\n", "Since run: ")
        terminal.ask("a\n", f"{QUESTION}: ")
        terminal.ask("n\n", "not approved")
        terminal.type("leave\n")
        assert terminal.code() == 0
    assert proposal(home)["state"] == "proposed"


def test_words_are_taken_from_a_pipe_and_answered_in_plain_lines(home: Path) -> None:
    listed = rows(home)
    told = plain(home, "approve", typed="7\nq 1\na\ny\n")
    assert told.returncode == 0, told.stderr
    assert "\x1b" not in told.stdout
    assert f"SELL 1 SPY 30 Sep {strikes(listed[6])} put spread @" in told.stdout
    assert "next: spy32 execute P1" in told.stdout
    made = proposal(home)
    assert (made["state"], made["candidate_id"], made["quantity"]) == ("approved", listed[6]["id"], 1)


@pytest.mark.parametrize(
    "typed", ["a\n", "a\ny", "a\nn\n", "7\n", "y\n", "l\n", "\n", "approve!\n", "l\n" + "a" * 5000]
)
def test_a_pipe_that_ends_before_a_yes_approves_nothing(home: Path, typed: str) -> None:
    before = kept(home)
    told = plain(home, "approve", typed=typed)
    assert (told.returncode, "nothing was approved" in told.stdout) == (0, True)
    assert kept(home) == before


def test_an_empty_pipe_and_no_terminal_at_all_are_usage_errors(home: Path) -> None:
    for typed in ("", None, "a" * 5000 + "\n"):
        told = plain(home, "approve", typed=typed)
        assert told.returncode == 2
        assert "no terminal to ask on; --yes approves" in told.stderr


def test_a_candidate_of_another_size_says_so(home: Path) -> None:
    """The limits leave another number of contracts of each spread; it never changes in silence."""
    quantity = proposal(home)["quantity"]
    with asked(home) as terminal:
        text = terminal.ask(b"1", "contracts now")
        assert f"{quantity} before: what the limits leave for this spread" in text + "\n".join(terminal.frame)
        terminal.type(ESC)
