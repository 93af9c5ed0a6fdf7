"""A profile that names an iron condor or a debit spread, through the program on recorded markets."""

from decimal import Decimal
from pathlib import Path

import pytest

from tests.support.recorded_trades import LAST, NEXT, OPENED, document, run

pytestmark = pytest.mark.slow

D = Decimal
CONFIG = """\
[exit]
profit_target = 0.50

[profile.condors]
strategies = ["iron_condor"]
[profile.falls]
strategies = ["put_debit_spread"]
[profile.rises]
strategies = ["call_debit_spread"]
[profile.all]
strategies = ["put_credit_spread", "call_credit_spread", "iron_condor", "put_debit_spread", "call_debit_spread"]
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(CONFIG)
    path.chmod(0o600)
    return tmp_path


def opened(home: Path, profile: str) -> str:
    """What `analyze`, `approve` and `execute` of such a profile say."""
    said = run(home, "analyze", "--market", OPENED, "--analyst", "rules", "--profile", profile)
    said += run(home, "approve", "--yes")
    return said + run(home, "execute")


@pytest.mark.parametrize(
    ("profile", "strategy", "sentence", "held"),
    [
        ("condors", "iron_condor", "SELL 2 SPY 30 May 525/520/583/588 iron condor @ 1.73 cr (floor 1.62)", "SOLD 2"),
        pytest.param(
            "falls",
            "put_debit_spread",
            "BUY 4 SPY 30 May 530/525 put spread @ 0.83 db (ceiling 0.89)",
            "BOUGHT 4",
            marks=pytest.mark.slow,
        ),
        ("rises", "call_debit_spread", "BUY 3 SPY 30 May 578/583 call spread @ 1.41 db (ceiling 1.47)", "BOUGHT 3"),
    ],
)
def test_its_trade_is_opened_shown_and_replayed(
    home: Path, profile: str, strategy: str, sentence: str, held: str
) -> None:
    assert sentence in opened(home, profile)
    assert held in run(home, "show", "T1")
    made = document(home, "show", "R1")
    assert made["proposal"]["strategy"] == strategy
    assert {entry["strategy"] for entry in made["menu"]} == {strategy}
    assert made["proposal"]["limit_price"].startswith("-") is strategy.endswith("debit_spread")
    assert "no difference from the record" in run(home, "replay", "R1")
    for words in (
        ("show", "R1", "--full"),
        ("show", "R1", "--explain"),
        ("show", "R1", "--candidates"),
        ("show", "R1", "--rejected"),
        ("show", "R1", "--candidates", "--csv"),
    ):
        assert run(home, *words)
    for words in (("show", "T1"), ("positions",), ("risk",), ("status",), ("exits", "T1")):
        document(home, *words)


def test_a_condor_is_held_and_then_closed_by_its_time_exit(home: Path) -> None:
    opened(home, "condors")
    assert "T1 mark: 1.98 mid, 2.05 natural" in run(home, "manage", "--market", NEXT)
    waiting = run(home, "manage", "--market", LAST)
    assert "BUY TO CLOSE 2 SPY 30 May 525/520/583/588 iron condor @ 3.82 db (ceiling 3.92)" in waiting
    closed = run(home, "approve", "P2", "--yes") + run(home, "execute", "P2")
    assert "T1 closed: 2 of 2 x SPY closed for" in closed
    trade = document(home, "show", "T1")["trade"]
    credit, debit, fees, result = (D(trade[name]) for name in ("credit", "debit", "fees", "result"))
    assert result == (credit - debit) * 200 - fees
    assert (trade["exit_reason"], len(trade["legs"])) == ("time", 4)


def test_a_debit_spread_is_sold_at_its_profit_target(home: Path) -> None:
    opened(home, "rises")
    assert "3 SPY 30 May 578/583 call spread @ 1.43 db" in run(home, "manage", "--market", NEXT)
    waiting = run(home, "manage", "--market", LAST)
    assert "profit target: mid 4.16 credit at or above 3.21, 76.5% of the largest profit" in waiting
    assert "SELL TO CLOSE 3 SPY 30 May 578/583 call spread @ 4.16 cr (floor 4.05)" in waiting
    said = run(home, "approve", "P2", "--yes") + run(home, "execute", "P2")
    assert "of the credit kept" not in said
    trade = document(home, "show", "T1")["trade"]
    credit, debit, fees, result = (D(trade[name]) for name in ("credit", "debit", "fees", "result"))
    assert debit < credit < 0 < result == (credit - debit) * 300 - fees


def test_a_menu_of_all_five_keeps_ten_of_each_and_the_rule_takes_a_put(home: Path) -> None:
    run(home, "analyze", "--market", OPENED, "--analyst", "rules", "--profile", "all")
    made = document(home, "show", "R1")
    kinds = [entry["strategy"] for entry in made["menu"]]
    assert set(kinds) == {kind.strip('"') for kind in CONFIG.rpartition("[")[2].strip("]\n").split(", ")}
    assert max(kinds.count(kind) for kind in set(kinds)) <= 10
    assert made["proposal"]["strategy"] == "put_credit_spread"
