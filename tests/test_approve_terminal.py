"""`approve` in a real terminal: Ctrl-C, Ctrl-D, a closed window and a new size approve nothing, at any width."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from tests.terminal import CTRL_C, CTRL_D, Terminal, plain

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
        lines = lines_of(terminal.seen)
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
        assert "nothing was approved" in terminal.seen
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
        assert "nothing was approved" in terminal.seen
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
        here = len(terminal.seen)
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
        here = len(terminal.seen)
        terminal.resize(100)
        terminal.wait_for(PROMPT, after=here)
        terminal.type("\n")
        assert terminal.code() == 0
        assert "nothing was approved" in terminal.seen
    assert proposal(home)["state"] == "proposed"


def test_many_new_sizes_in_a_row_end_in_one_question_that_still_works(home: Path) -> None:
    with asked(home) as terminal:
        for columns in (61, 90, 120, 75, 60, 100, 80):
            terminal.resize(columns)
        # A size that comes late would take back what is typed, as it should.
        terminal.settle()
        terminal.ask("q 1\n", "1 contract for")
        assert proposal(home)["quantity"] == 1
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
        assert "approved by anna" in terminal.seen
        assert "next: spy32 execute P1" in terminal.seen
        assert terminal.modes == terminal.before
    after = proposal(home)
    assert (after["state"], after["approval"]["by"], after["approval"]["hash"]) == ("approved", "anna", made["hash"])
    assert plain(home, "execute").returncode == 0


def test_changes_are_drawn_again_with_a_new_hash(home: Path) -> None:
    before = proposal(home)
    with asked(home) as terminal:
        terminal.ask("q 1\n", PROMPT)
        smaller = proposal(home)
        assert (smaller["quantity"], smaller["state"]) == (1, "proposed")
        assert f"hash          │ {smaller['hash'][:8]}" in ESCAPES.sub("", terminal.seen)
        terminal.ask("f 0.54\n", PROMPT)
        lower = proposal(home)
        assert lower["floor_price"] == "0.54"
        other = next(each for each in document(home)["menu"] if each["strategy"] == "call_credit_spread")
        terminal.ask(f"c {other['id']}\n", "a person: ")
        chosen = proposal(home)
        assert (chosen["candidate_id"], chosen["chosen_by"]) == (other["id"], "person")
        assert len({each["hash"] for each in (before, smaller, lower, chosen)}) == 4
        terminal.type("\n")
        assert terminal.code() == 0


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
        assert "approved by bert" in first.seen
    assert proposal(home)["approval"]["by"] == "bert"


def test_a_change_in_another_window_is_shown_before_anything_is_approved(home: Path) -> None:
    with asked(home) as first:
        with asked(home) as second:
            second.ask("q 1\n", PROMPT)
            second.type("\n")
            assert second.code() == 0
        first.ask("a\n", "? [y/N]: ")
        again = first.ask("y\n", PROMPT)
        assert "was changed since it was shown" in again
        assert proposal(home)["hash"][:8] in again
        first.type("\n")
        assert first.code() == 0
    assert proposal(home)["state"] == "proposed"


def test_numpy_is_not_imported_before_the_first_screen(home: Path) -> None:
    with asked(home, options=("-X", "importtime")) as terminal:
        imported = {line.rpartition("|")[2].strip() for line in terminal.seen.split("\n") if "import time:" in line}
    assert "spy32.commands.dialogue" in imported
    heavy = {"numpy", "pandas", "yfinance", "pydantic", "requests"}
    assert {name.partition(".")[0] for name in imported} & heavy == set()


def test_an_abstention_is_overridden_in_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[choice]\nstrategies = ["call_credit_spread"]\n')
    ran = plain(tmp_path, "analyze", "--market", "recorded", "--analyst", "rules")
    assert "abstained" in ran.stdout + ran.stderr
    assert plain(tmp_path, "approve", "--yes").returncode == 2
    other = document(tmp_path)["menu"][0]["id"]
    with asked(tmp_path, "R1") as terminal:
        assert "[a]pprove" not in terminal.seen
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
        assert '"schema": "spy32.approval"' in terminal.seen
