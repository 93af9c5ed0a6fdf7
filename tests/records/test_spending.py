"""The month's budget for the model: one for all modes of a home, and no change of a database gives it back."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from spy32.domain.spreads import Mode
from spy32.errors import CannotCreate, StoreError
from spy32.records import maintenance
from spy32.records.model_calls import SPENDING_FILE, SpendingJournal
from spy32.sessions import new_york_instant
from spy32.store import Store
from tests.support.builders import NOW, later
from tests.support.live_monday import LiveMonday, live_monday
from tests.support.stores import asking, begun, heard, opened

MONTH = datetime(2025, 10, 1, 4, tzinfo=UTC)
MOST, BILL = 300_000_000, 241_500_000


@pytest.fixture
def paper(tmp_path: Path) -> Iterator[Store]:
    with opened(tmp_path / "paper.db") as store:
        yield store


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Store]:
    with opened(tmp_path / "sandbox.db", mode=Mode.SANDBOX, account="5WX01234") as store:
        yield store


def journal(store: Store) -> SpendingJournal:
    return SpendingJournal(
        store.core, store.model_calls, {mode: store.core.path.with_name(f"{mode}.db") for mode in Mode}
    )


def asked(store: Store, *, is_answered: bool = True, at: datetime = NOW) -> None:
    run = begun(store, mode=store.core.mode)
    book = journal(store)
    number = book.begin(run.id, asking(), at)
    if is_answered:
        book.end(number, heard(), later(9))


def test_an_answer_counts_with_its_bill_and_a_request_without_one_with_the_most_it_may_cost(paper: Store) -> None:
    asked(paper)
    assert journal(paper).ticks_since(MONTH) == BILL == paper.model_calls.ticks_since(MONTH)
    asked(paper, is_answered=False)
    assert journal(paper).ticks_since(MONTH) == BILL + MOST


def test_what_another_mode_has_spent_counts(paper: Store, sandbox: Store) -> None:
    asked(paper)
    assert sandbox.model_calls.ticks_since(MONTH) == 0
    assert journal(sandbox).ticks_since(MONTH) == BILL
    asked(sandbox)
    assert journal(paper).ticks_since(MONTH) == 2 * BILL


def test_a_restored_or_lost_database_gives_nothing_back(paper: Store, tmp_path: Path) -> None:
    asked(paper)
    early = paper.backup.create(tmp_path / "early.db")
    for _ in range(3):
        asked(paper)
    paper.close()
    maintenance.restore(early, paper.core.path, mode=Mode.PAPER, at=NOW)
    with opened(paper.core.path) as store:
        assert store.model_calls.ticks_since(MONTH) == BILL
        assert journal(store).ticks_since(MONTH) == 4 * BILL
        asked(store)
        assert journal(store).ticks_since(MONTH) == 5 * BILL


def test_a_home_that_asked_before_there_was_a_file_goes_on_from_what_its_databases_know(
    paper: Store, sandbox: Store
) -> None:
    run = begun(paper)
    paper.model_calls.end(paper.model_calls.begin(run.id, asking(), NOW), heard(), later(9))
    assert journal(sandbox).ticks_since(MONTH) == BILL
    asked(sandbox)
    (paper.core.path.parent / "paper.db").rename(paper.core.path.parent / "away")
    assert journal(sandbox).ticks_since(MONTH) == 2 * BILL


def test_a_removed_file_loses_nothing_that_the_databases_know(paper: Store, sandbox: Store) -> None:
    asked(paper)
    asked(sandbox)
    paper.core.path.with_name(SPENDING_FILE).unlink()
    assert journal(paper).ticks_since(MONTH) == 2 * BILL


def test_a_damaged_database_of_another_mode_counts_with_what_the_file_has(paper: Store, sandbox: Store) -> None:
    asked(sandbox)
    sandbox.close()
    sandbox.core.path.write_bytes(b"\0" * 5000)
    assert journal(paper).ticks_since(MONTH) == BILL


def test_each_month_of_new_york_counts_for_itself(paper: Store) -> None:
    asked(paper, at=datetime(2025, 10, 1, 3, 59, tzinfo=UTC))
    assert journal(paper).ticks_since(MONTH) == 0
    assert journal(paper).ticks_since(datetime(2025, 9, 1, 4, tzinfo=UTC)) > 0
    assert new_york_instant(MONTH.date(), MONTH.time().replace(hour=0)) == MONTH


@pytest.mark.parametrize("line", ["2025-10 paper 3000000", "2025-10 pap", "much", "2025-10 paper 1e9", "\x00\x00"])
def test_a_line_that_is_no_amount_asks_nothing_and_is_named(paper: Store, line: str) -> None:
    path = paper.core.path.with_name(SPENDING_FILE)
    path.write_text(f"\n2025-10 paper 5\n{line}\n")
    if line == "2025-10 paper 3000000":
        assert journal(paper).ticks_since(MONTH) == 3_000_005
        return
    for ask in (lambda: journal(paper).ticks_since(MONTH), lambda: asked(paper)):
        with pytest.raises(StoreError, match=f"line 3 of {path}") as refused:
            ask()
        assert refused.value.code == 74
    assert paper.model_calls.select_by_run(1) == ()


def test_a_half_written_line_does_not_swallow_the_next_one(paper: Store) -> None:
    path = paper.core.path.with_name(SPENDING_FILE)
    path.write_text("\n2025-10 paper 5\n\n2025-1")
    with pytest.raises(StoreError, match="line 4"):
        asked(paper)
    path.write_text("\n2025-10 paper 5\n\n2025-10 paper 7")
    asked(paper)
    assert journal(paper).ticks_since(MONTH) == 12 + BILL


def test_nothing_is_asked_when_the_file_cannot_be_written(paper: Store) -> None:
    paper.core.path.with_name(SPENDING_FILE).mkdir()
    with pytest.raises((StoreError, CannotCreate)):
        asked(paper)
    assert paper.model_calls.select_by_run(1) == ()


@pytest.mark.slow
def test_the_real_program_refuses_a_question_that_another_mode_or_an_older_database_would_allow(
    tmp_path: Path,
) -> None:
    with live_monday(tmp_path / "home", with_broker=True) as monday:
        first = _analyze(monday)
        assert first["recommendation"]["decision"] != "failed"
        spent = _spent(monday)
        assert spent > 0
        tight = {"SPY32_XAI_MONTH_BUDGET": f"{spent / 10**10:.4f}"}
        assert monday.spy32("db", "backup", "--json").returncode == 0
        for name in ("paper.db", "paper.db.stamp", "backups"):
            (monday.home / name).rename(monday.home / f"{name}.away")
        again = _analyze(monday, **tight)
        assert again["recommendation"]["decision"] == "failed"
        assert "xai.month_budget" in str(again)
        assert len(monday.xai.requests) == 1


def _analyze(monday: LiveMonday, **env: str) -> dict[str, Any]:
    return monday.analyze("--market", "cboe", "--force", **env)[1]


def _spent(monday: LiveMonday) -> int:
    lines = (monday.home / SPENDING_FILE).read_text().split("\n")
    return sum(int(line.split()[2]) for line in lines if line)
