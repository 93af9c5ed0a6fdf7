"""`approve` in a real terminal: Ctrl-C, Ctrl-D, a closed window and a new size approve nothing, at any width."""

import json
import re
import shutil
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from tests.support.terminal import CTRL_C, CTRL_D, Terminal, plain

pytestmark = pytest.mark.slow

PROMPT = "[l]eave (Enter): "
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


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


def asked(home: Path, *words: str, columns: int = 80, **more: Any) -> Terminal:
    """A terminal in which the question stands."""
    terminal = Terminal(home, "approve", *words, columns=columns, **more)
    terminal.wait_for(PROMPT)
    return terminal


def lines_of(text: str) -> list[str]:
    return ESCAPES.sub("", text).split("\n")


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_the_first_screen_fits_and_cuts_no_figure(home: Path, columns: int) -> None:
    made = proposal(home)
    with asked(home, columns=columns) as terminal:
        lines = lines_of(terminal.checked)
    screen = lines[: next(at for at, line in enumerate(lines) if "[a]pprove" in line)]
    assert max(cell_len(line) for line in screen) <= columns
    told = re.findall(r"[^\s│─,;()]+", "\n".join(screen))
    figures = [made["limit_price"], made["floor_price"], f"${made['max_loss']}", f"${made['max_profit']}"]
    figures += [f"${made['assignment_value']}", *made["breakevens"], made["hash"][:8], made["expiration"]]
    figures += [made["exit"]["profit_target"], made["exit"]["stop"], *(leg["strike"] for leg in made["legs"])]
    for entry in document(home)["menu"]:
        figures += [entry["id"], entry["mid"], f"${entry['max_loss']}"]
    assert [figure for figure in figures if figure not in told] == []
    assert "PAPER" in screen[2] or "PAPER" in screen[1]
    assert "RECORDED MARKET" in "\n".join(screen[:5])


@pytest.mark.parametrize("answer", ["\n", "l\n", "leave\n", "  \n"])
def test_leaving_approves_nothing(home: Path, answer: str) -> None:
    with asked(home) as terminal:
        terminal.type(answer)
        assert terminal.code() == 0
        assert "nothing was approved" in terminal.checked
    assert proposal(home)["state"] == "proposed"


@pytest.mark.parametrize("answer", ["yes\n", "y\n", "approve!\n", "ja\n", "a" * 5000 + "\n", "\x1b[A\n", "\udcff\n"])
def test_what_is_no_answer_approves_nothing(home: Path, answer: str) -> None:
    with asked(home) as terminal:
        terminal.ask(answer.encode(errors="surrogateescape"), "none of the answers")
    assert proposal(home)["state"] == "proposed"


@pytest.mark.parametrize("typed", [b"", b"a", b"a\n", b"a\ny"])
def test_ctrl_d_approves_nothing(home: Path, typed: bytes) -> None:
    with asked(home) as terminal:
        if typed:
            terminal.ask(typed, "? [y/N]: " if b"\n" in typed else "a")
        # With something typed, the first Ctrl-D only hands that on; the second ends the input.
        terminal.type(CTRL_D + CTRL_D)
        assert terminal.code() == 0
        assert "nothing was approved" in terminal.checked
    assert proposal(home)["state"] == "proposed"


@pytest.mark.parametrize("typed", [b"", b"a", b"a\n", b"a\ny"])
def test_ctrl_c_approves_nothing_and_ends_130(home: Path, typed: bytes) -> None:
    with asked(home) as terminal:
        if typed:
            terminal.ask(typed, "? [y/N]: " if b"\n" in typed else "a")
        terminal.type(CTRL_C)
        assert terminal.code() == 130
        assert terminal.modes == terminal.before
    assert proposal(home)["state"] == "proposed"


@pytest.mark.parametrize("typed", [b"", b"a\n", b"a\ny"])
def test_a_closed_window_approves_nothing(home: Path, typed: bytes) -> None:
    with asked(home) as terminal:
        if typed:
            terminal.ask(typed, "? [y/N]: ")
        terminal.hang_up()
        assert terminal.code() != 0
    assert proposal(home)["state"] == "proposed"


def test_a_closed_window_leaves_no_report_of_a_defect(home: Path) -> None:
    with asked(home) as terminal:
        terminal.hang_up()
        assert terminal.code() == 129
    assert list(home.rglob("bug-*")) == []


def test_a_new_size_draws_the_screen_again_and_approves_nothing(home: Path) -> None:
    with asked(home, columns=120) as terminal:
        here = len(terminal.checked)
        terminal.resize(60)
        again = lines_of(terminal.wait_for(PROMPT, after=here))
        # The first line may hold the end of the old question, in the old width.
        screen = again[1 : next(at for at, line in enumerate(again) if "[a]pprove" in line)]
        assert any("In short" in line for line in screen)
        assert max(cell_len(line) for line in screen) <= 60
        terminal.type("\n")
        assert terminal.code() == 0
    assert proposal(home)["state"] == "proposed"


@pytest.mark.parametrize("typed", ["a\n", "a\ny"])
def test_a_new_size_takes_a_half_given_yes_back(home: Path, typed: str) -> None:
    with asked(home) as terminal:
        terminal.ask(typed, "? [y/N]: ")
        here = len(terminal.checked)
        terminal.resize(100)
        terminal.wait_for(PROMPT, after=here)
        terminal.type("\n")
        assert terminal.code() == 0
        assert "nothing was approved" in terminal.checked
    assert proposal(home)["state"] == "proposed"


def test_many_new_sizes_in_a_row_end_in_one_question_that_still_works(home: Path) -> None:
    with asked(home) as terminal:
        for columns in (61, 90, 120, 75, 60, 100, 80):
            terminal.resize(columns)
        # A size that comes late would take back what is typed, as it should.
        terminal.settle()
        terminal.ask("q 1\n", "1 contract for")
        terminal.type("\n")
        assert terminal.code() == 0
    assert proposal(home)["state"] == "proposed"


@pytest.mark.parametrize("no", ["\n", "n\n", "approve\n", "Y N\n"])
def test_the_second_question_is_no_by_default(home: Path, no: str) -> None:
    with asked(home) as terminal:
        terminal.ask("a\n", "? [y/N]: ")
        terminal.ask(no, "not approved")
    assert proposal(home)["state"] == "proposed"


def test_a_typed_yes_approves_and_names_the_next_command(home: Path) -> None:
    made = proposal(home)
    with asked(home) as terminal:
        terminal.ask("a\n", f"approve P1, hash {made['hash'][:8]}? [y/N]: ")
        terminal.type("y\n")
        assert terminal.code() == 0
        assert "approved by anna" in terminal.checked
        assert "next: spy32 execute P1" in terminal.checked
        assert terminal.modes == terminal.before
    after = proposal(home)
    assert (after["state"], after["approval"]["by"], after["approval"]["hash"]) == ("approved", "anna", made["hash"])
    assert plain(home, "execute").returncode == 0


def test_changes_are_drawn_again_with_a_new_hash(home: Path) -> None:
    before = proposal(home)
    other = next(each for each in document(home)["menu"] if each["strategy"] == "call_credit_spread")
    with asked(home) as terminal:
        seen = [terminal.ask(answer, PROMPT) for answer in ("q 1\n", "f 0.54\n", f"c {other['id']}\n")]
        hashes = [re.findall(r"hash +│ ([0-9a-f]{8})", ESCAPES.sub("", screen))[-1] for screen in seen]
        assert len({before["hash"][:8], *hashes}) == 4
        assert all("DRAFT: P1 as changed here" in screen for screen in seen)
        assert "floor 0.54" in seen[1]
        assert "a person: " in seen[2]
        assert proposal(home) == before
        terminal.ask("a\n", f"approve P1 as changed here, hash {hashes[-1]}? [y/N]: ")
        terminal.type("y\n")
        assert terminal.code() == 0
    after = proposal(home)
    assert (after["candidate_id"], after["chosen_by"], after["state"]) == (other["id"], "person", "approved")
    assert after["approval"]["hash"] == after["hash"]
    assert after["hash"][:8] == hashes[-1]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("q 99\n", "too many"),
        ("q 0\n", "1 is the least"),
        ("q two\n", "not a number of contracts"),
        ("f 9\n", "not done"),
        ("f nan\n", "not a price"),
        ("f 0.01\n", "not done"),
        ("c NOPE\n", "not on this menu"),
    ],
)
def test_a_change_outside_the_limits_is_refused_and_the_question_stays(home: Path, answer: str, told: str) -> None:
    made = proposal(home)
    with asked(home) as terminal:
        assert PROMPT in terminal.ask(answer, told) or terminal.wait_for(PROMPT)
        terminal.type("\n")
        assert terminal.code() == 0
    assert proposal(home)["hash"] == made["hash"]


LEAVING: dict[str, tuple[Callable[[Terminal], None], int]] = {
    # Enter says no to a question in between, so it takes a second one.
    "Enter": (lambda terminal: terminal.type("\n\n"), 0),
    "Ctrl-D": (lambda terminal: terminal.type(CTRL_D), 0),
    "Ctrl-C": (lambda terminal: terminal.type(CTRL_C), 130),
    "hang-up": (lambda terminal: terminal.hang_up(), 129),
    "SIGTERM": (lambda terminal: terminal.process.send_signal(signal.SIGTERM), 143),
}


def rows(home: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(home / "paper.db")) as db:
        return db.execute(sql).fetchall()


def kept(home: Path) -> list[list[tuple[Any, ...]]]:
    """All that the store holds but that somebody looked."""
    tables = ("proposal", "approval", "run", "broker_order", "attention", "event where kind != 'viewed'")
    return [rows(home, f"select * from {table}") for table in tables]


@pytest.mark.parametrize("way", LEAVING)
@pytest.mark.parametrize("asks", ["", "a\n"])
def test_leaving_drops_every_change_whatever_way(home: Path, way: str, asks: str) -> None:
    before, leave = kept(home), LEAVING[way]
    other = next(each for each in document(home)["menu"] if each["strategy"] == "call_credit_spread")
    with asked(home) as terminal:
        for answer in ("q 1\n", "f 0.54\n", f"c {other['id']}\n", "q 1\n"):
            terminal.ask(answer, PROMPT)
        if asks:
            terminal.ask(asks, "? [y/N]: ")
        leave[0](terminal)
        assert terminal.code() == leave[1]
        if leave[1] == 0:
            assert "nothing was approved; your draft is dropped (" in terminal.checked
    assert kept(home) == before
    made = proposal(home)
    assert plain(home, "approve", "P1", "--yes", "--confirm", made["hash"][:8]).returncode == 0
    assert {**proposal(home), "state": "", "approval": None, "orders": []} == {**made, "state": "", "orders": []}


@pytest.mark.parametrize("way", LEAVING)
def test_leaving_makes_no_proposal_over_an_abstention(tmp_path: Path, way: str) -> None:
    other = abstention(tmp_path)
    before = kept(tmp_path)
    with asked(tmp_path, "R1") as terminal:
        terminal.ask(f"c {other}\n", PROMPT)
        assert "DRAFT: the choice for R1" in terminal.checked
        LEAVING[way][0](terminal)
        assert terminal.code() == LEAVING[way][1]
    assert kept(tmp_path) == before


def test_the_first_screen_of_a_proposal_is_on_record_once(home: Path) -> None:
    plain(home, "show")
    assert rows(home, "select * from viewing") == []
    for name in ("anna", "bert"):
        with asked(home, LOGNAME=name) as terminal:
            terminal.type("\n")
            assert terminal.code() == 0
    assert rows(home, "select proposal_id, viewed_by from viewing") == [(1, "anna")]


def test_declining_keeps_the_note(home: Path) -> None:
    with asked(home) as terminal:
        terminal.ask("d\n", "for good? [y/N]: ")
        terminal.ask("y\n", "a note on why")
        terminal.type("earnings week\n")
        assert terminal.code() == 0
    assert proposal(home)["state"] == "declined"
    again = plain(home, "approve", "P1", "--yes")
    assert again.returncode == 10
    assert "declined by anna: earnings week" in again.stderr


def test_of_two_windows_one_wins_and_the_other_is_told_who(home: Path) -> None:
    with asked(home, LOGNAME="anna") as first, asked(home, LOGNAME="bert") as second:
        first.ask("a\n", "? [y/N]: ")
        second.ask("a\n", "? [y/N]: ")
        second.type("y\n")
        assert second.code() == 0
        first.type("y\n")
        assert first.code() == 10
        assert "approved by bert" in first.checked
    assert proposal(home)["approval"]["by"] == "bert"


def test_a_draft_of_what_another_window_approved_ends_with_one_line_that_says_who(home: Path) -> None:
    before = proposal(home)
    with asked(home, LOGNAME="anna") as first, asked(home, LOGNAME="bert") as second:
        first.ask("q 1\n", PROMPT)
        here = len(first.checked)
        second.ask("f 0.54\n", PROMPT)
        second.ask("a\n", "? [y/N]: ")
        second.type("y\n")
        assert second.code() == 0
        first.ask("a\n", "? [y/N]: ")
        first.type("y\n")
        assert first.code() == 10
        (line,) = [line for line in lines_of(first.checked[here:]) if "P1 was approved by bert" in line]
        assert f"; your draft is dropped ({before['candidate_id']}, 1 contract, floor {before['floor_price']})" in line
    after = proposal(home)
    assert (after["quantity"], after["floor_price"], after["approval"]["by"]) == (2, "0.54", "bert")


def test_numpy_is_not_imported_before_the_first_screen(home: Path) -> None:
    with asked(home, options=("-X", "importtime")) as terminal:
        imported = {line.rpartition("|")[2].strip() for line in terminal.checked.split("\n") if "import time:" in line}
    assert "spy32.commands.dialogue" in imported
    heavy = {"numpy", "pandas", "yfinance", "pydantic", "requests"}
    assert {name.partition(".")[0] for name in imported} & heavy == set()


def abstention(home: Path) -> str:
    """A run of which the analyst took nothing; the id of an entry of its menu."""
    (home / "config.toml").write_text('[choice]\nstrategies = ["call_credit_spread"]\n')
    ran = plain(home, "analyze", "--market", "recorded", "--analyst", "rules")
    assert "abstained" in ran.stdout + ran.stderr
    assert plain(home, "approve", "--yes").returncode == 2
    return str(document(home)["menu"][0]["id"])


def test_an_abstention_is_overridden_in_the_terminal(tmp_path: Path) -> None:
    other = abstention(tmp_path)
    with asked(tmp_path, "R1") as terminal:
        assert "[a]pprove" not in terminal.checked
        terminal.ask(f"c {other}\n", "[a]pprove")
        terminal.ask("a\n", "? [y/N]: ")
        terminal.type("y\n")
        assert terminal.code() == 0
    made = proposal(tmp_path)
    assert (made["state"], made["chosen_by"], made["candidate_id"]) == ("approved", "person", other)


def test_with_json_the_screen_is_on_stderr_and_one_document_on_stdout(home: Path) -> None:
    with asked(home, "--json") as terminal:
        terminal.ask("a\n", "? [y/N]: ")
        terminal.type("y\n")
        assert terminal.code() == 0
        assert '"schema": "spy32.approval"' in terminal.checked
