"""`risk`: lines, document, and the account when the broker does not answer."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from spy32.cli import app
from spy32.domain.spreads import Mode
from spy32.errors import ExitCode
from spy32.store import Store
from spy32.wiring import PAPER_ACCOUNT
from tests.support import books, builders, stores
from tests.support.schemas import check

ENV = {"SPY32_CLOCK": "2025-10-06T15:00:00Z"}


def spy32(home: Path, *words: str, **env: str) -> Any:
    return CliRunner().invoke(app, ["--home", str(home), *words], env=ENV | env)


def paper_home(home: Path) -> Store:
    return stores.opened(home / "paper.db", account=PAPER_ACCOUNT, opening_cash=Decimal(100_000))


def test_the_book_of_a_home(tmp_path: Path) -> None:
    with paper_home(tmp_path) as store:
        books.ladder(store)
    shown = spy32(tmp_path, "risk")
    assert (shown.exit_code, shown.stdout.splitlines()[2][:13]) == (0, "5 trades open")
    document = json.loads(spy32(tmp_path, "risk", "--json").stdout)
    check(document)
    assert document["account_note"] == ""


def test_without_a_database_there_is_no_book(tmp_path: Path) -> None:
    assert spy32(tmp_path, "risk").exit_code == ExitCode.USAGE


def test_looking_changes_nothing(tmp_path: Path) -> None:
    with paper_home(tmp_path) as store:
        books.ladder(store)
    before = (tmp_path / "paper.db").read_bytes()
    assert spy32(tmp_path, "risk").exit_code == 0
    assert (tmp_path / "paper.db").read_bytes() == before


def test_a_silent_broker_leaves_the_account_of_the_newest_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    account = builders.account(mode=Mode.SANDBOX)
    with Store.open(tmp_path / "sandbox.db", mode=Mode.SANDBOX, account=account.number, at=builders.NOW) as store:
        run = stores.begun(store, mode=Mode.SANDBOX)
        asked = [spy32(tmp_path, "--mode", "sandbox", "risk", "--json")]
        store.decisions.save_ruling(run.id, builders.ruling(account=account, at=builders.NOW), builders.NOW)
        asked.append(spy32(tmp_path, "--mode", "sandbox", "risk", "--json"))
    assert [each.exit_code for each in asked] == [ExitCode.BAD_SETTINGS, 0]
    document = json.loads(asked[1].stdout)
    assert "2025-10-06 14:00 UTC" in document["account_note"]
    assert document["account"]["net_liquidation"] == "100000.00"
