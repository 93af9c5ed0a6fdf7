"""Options that go by another root than their ticker (SPX: SPXW): looked at, refused before anything is sent."""

from dataclasses import replace
from pathlib import Path

import pytest

from spy32.lifecycle import OrderState
from tests.contract.test_broker import FAR, body, paper
from tests.support import builders
from tests.support.paths import DATA
from tests.support.program import one_line, spy32

pytestmark = pytest.mark.slow

CHAIN = DATA / "chains" / "made_SPXW.csv.gz"
ANALYZE = ("analyze", "--analyst", "rules", "--profile", "spx")
SETTINGS = '[paper]\naccount = 5000000\n[profile.spx]\nunderlying = "SPX"\n'


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "config.toml").write_text(SETTINGS)
    return tmp_path


@pytest.mark.parametrize("more", [(), ("--market", "cboe"), ("--scheduled",), ("--prompt-only",)], ids=" ".join)
def test_a_profile_of_another_root_is_refused_when_it_is_read(home: Path, more: tuple[str, ...]) -> None:
    one_line(spy32(home, *ANALYZE, *more), 78, "profile.spx.underlying is SPX", "root SPXW")
    assert not (home / "paper.db").exists()


def test_on_a_recorded_chain_it_may_be_looked_at_and_is_refused_before_it_is_sent(home: Path) -> None:
    assert spy32(home, *ANALYZE, "--market", f"recorded:{CHAIN}").returncode == 0
    assert spy32(home, "approve", "--yes").returncode == 0
    for words in (("execute",), ("execute", "--dry-run")):
        done = spy32(home, *words)
        assert done.returncode == 10
        assert "options of SPX have the root SPXW" in done.stderr
    assert '"state": "approved"' in spy32(home, "show", "P1", "--json").stdout


def test_a_jammed_order_of_0_3_0_is_listed_as_cancelled_and_reserves_nothing() -> None:
    broker = paper()
    placed = broker._ledger.place(_of_spxw(), builders.NOW)
    assert placed.state is OrderState.WORKING
    seen = (broker.order(placed.broker_id), *broker.todays_orders(), *broker.search(builders.TODAY))
    assert {order.state for order in seen} == {OrderState.CANCELLED}
    assert {order.reason for order in seen} == {"contracts of another root"}
    assert broker.facts().buying_power == 100_000


def _of_spxw():  # type: ignore[no-untyped-def]
    from spy32.brokers.paper import parse_order_body

    order = parse_order_body(body(FAR))
    return replace(
        order,
        body=order.body.replace("SPY   ", "SPXW  "),
        legs=tuple(replace(leg, root="SPXW") for leg in order.legs),
    )
