"""`outcomes refresh`, what `manage` does of it by itself, and what `show` says of an old run."""

import sqlite3
from pathlib import Path

import pytest

from spy32.errors import Unavailable
from tests.support.recorded_trades import LAST, document, run

AFTERWARDS = LAST.replace("SPY_2025-05-16", "SPY_2025-09-25")
"""A recorded market after the expiration of the trade."""


def picked(home: Path) -> dict[str, object]:
    """What came of the candidate that was traded."""
    shown = document(home, "show", "R1")
    (found,) = (entry["outcome"] for entry in shown["menu"] if entry["id"] == shown["proposal"]["candidate_id"])
    return dict(found)


def test_a_trade_that_expires_has_the_cents_of_its_candidate(trade_home: Path) -> None:
    run(trade_home, "manage", "--market", AFTERWARDS)
    trade, outcome = document(trade_home, "show", "T1")["trade"], picked(trade_home)
    assert (trade["state"], trade["quantity"], trade["result"]) == ("expired", 2, "135.48")
    assert (outcome["expiry"], outcome["settlement"], outcome["final"]) == ("67.74", "589.39", True)


def test_a_trade_that_its_plan_closes_has_the_cents_of_its_candidate(trade_home: Path) -> None:
    run(trade_home, "manage", "--market", LAST)
    run(trade_home, "approve", "P2", "--yes")
    run(trade_home, "execute", "P2")
    run(trade_home, "outcomes", "refresh")
    assert document(trade_home, "show", "T1")["trade"]["result"] == "130.96"
    assert picked(trade_home)["plan"] == {
        "day": "2025-05-16", "reason": "target", "result": "65.48", "modelled": False,
    }  # fmt: skip


def test_an_old_run_says_what_became_of_each_candidate(trade_home: Path) -> None:
    assert "Came to" not in run(trade_home, "show", "R1")
    run(trade_home, "manage", "--market", LAST)
    assert "came to open;" in run(trade_home, "show", "R1", "--candidates")
    run(trade_home, "manage", "--market", AFTERWARDS)
    line = next(line for line in run(trade_home, "show", "R1").splitlines() if line.startswith("Came to: "))
    assert line.startswith("Came to: +$67.74 a contract held, ") and line.endswith("; menu's mean -$100.11 of 20")
    table = run(trade_home, "show", "R1", "--candidates")
    assert table.count("; came to ") == 20 and "spread call 575/580; price 1.67 cr;" in table
    assert "came to -$348.26" in table
    assert "result +$135.48; exit expired" in run(trade_home, "show", "--history")


def test_the_refresh_says_what_is_new_and_what_is_open(trade_home: Path) -> None:
    assert run(trade_home, "outcomes", "refresh") == "new: 1 run: R1\nR1: open: it expires on 2025-05-30\n"
    assert document(trade_home, "outcomes", "refresh") == {
        "schema": "spy32.outcomes", "version": 1, "changed": [],
        "pending": [{"run_id": "R1", "reason": "it expires on 2025-05-30"}], "errors": [],
    }  # fmt: skip
    assert run(trade_home, "outcomes", "refresh", "--since", "2025-05-01") == "new: 0 runs\n"


def test_a_home_without_a_database_has_no_outcomes(tmp_path: Path) -> None:
    assert "nothing here yet" in run(tmp_path / "home", "outcomes", "refresh", code=2)
    assert "is not a date" in run(tmp_path / "home", "outcomes", "refresh", "--since", "May", code=2)


def test_managing_ends_well_when_outcomes_cannot_be_computed(trade_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise Unavailable("the closes are away")

    monkeypatch.setattr("spy32.review.outcomes.refresh_outcomes", fail)
    assert "T1: open" in run(trade_home, "manage", "--market", LAST)
    log = "".join(path.read_text() for path in trade_home.rglob("*.jsonl"))
    assert "outcomes were not computed: the closes are away" in log


def test_a_run_that_cannot_be_read_is_named_and_stops_no_managing(trade_home: Path) -> None:
    with sqlite3.connect(trade_home / "paper.db") as db:
        db.execute("drop trigger snapshot_no_update")
        db.execute("update snapshot set data = x'00'")
    assert "R1: the snapshot of R1 cannot be read" in run(trade_home, "outcomes", "refresh", code=74)
    run(trade_home, "manage", "--market", LAST)
    log = "".join(path.read_text() for path in trade_home.rglob("*.jsonl"))
    assert "the outcomes of R1 were not computed: the snapshot of R1 cannot be read" in log
