"""A home in which somebody works: nothing is restored over it, and a removed lock file lets nobody in."""

from pathlib import Path

import pytest

from tests.support.locks import locks_in
from tests.support.program import ANALYZE, one_line, spy32
from tests.support.terminal import Terminal

pytestmark = pytest.mark.slow

HELD = ("analyze", "submits", "proposal-1", "proposal-77")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """One run with a proposal, and a backup of it."""
    found = tmp_path / "home"
    assert spy32(found, *ANALYZE).returncode == 0
    assert spy32(found, "db", "backup", str(found / "good.db")).returncode == 0
    return found


@pytest.mark.parametrize("name", HELD)
def test_nothing_is_restored_while_any_lock_of_the_home_is_held(home: Path, name: str) -> None:
    before = (home / "paper.db").read_bytes()
    with locks_in(home).hold(name):
        done = spy32(home, "db", "restore", "--force", str(home / "good.db"))
    one_line(done, 75, name, "pid")
    assert (home / "paper.db").read_bytes() == before
    assert not list(home.glob("*.damaged-*"))
    assert spy32(home, "db", "restore", "--force", str(home / "good.db")).returncode == 0


def test_nothing_is_restored_while_a_program_has_the_store_open(home: Path) -> None:
    with locks_in(home).enter_home():
        one_line(spy32(home, "db", "restore", "--force", str(home / "good.db")), 75, "at work in")


def test_nothing_is_written_while_a_restore_is_at_work(home: Path) -> None:
    with locks_in(home).hold_all():
        for words in (ANALYZE, ("approve", "--yes"), ("execute",), ("pause",), ("reconcile",)):
            one_line(spy32(home, *words), 75, "for itself")
        assert spy32(home, "show").returncode == 0
        assert spy32(home, "status").returncode == 0


def test_a_dialogue_of_approve_that_is_open_stops_a_restore(home: Path) -> None:
    """It holds no lock, but what is approved in it would go into the database that was moved aside."""
    with Terminal(home, "approve") as terminal:
        terminal.wait_for("[Esc]")
        one_line(spy32(home, "db", "restore", "--force", str(home / "good.db")), 75, "at work in")
