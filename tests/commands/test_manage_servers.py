"""`manage` on a market that answers now: local Cboe, cron in its session, and what it says when nothing answers."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.live_monday import LiveMonday, live_monday

pytestmark = pytest.mark.slow

CBOE_ONLY = {
    "SPY32_MARKET_CHAIN": "cboe",
    "SPY32_MARKET_HISTORY": "cboe",
    "SPY32_MARKET_VIX": "cboe",
    "SPY32_MARKET_DIVIDENDS": "table",
}


@pytest.fixture
def monday(tmp_path: Path) -> Iterator[LiveMonday]:
    """A home with a trade that was opened on fresh quotes."""
    with live_monday(tmp_path / "home") as made:
        assert made.analyze("--analyst", "rules", **CBOE_ONLY)[0] == 0
        assert made.spy32("approve", "--yes", **CBOE_ONLY).returncode == 0
        assert made.spy32("execute", SPY32_EXECUTION_STEP_SECONDS="1", **CBOE_ONLY).returncode == 0
        yield made


def test_a_trade_is_marked_at_fresh_quotes_and_cron_hears_nothing(monday: LiveMonday) -> None:
    done = monday.spy32("manage", "--scheduled", "-q", **CBOE_ONLY)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    found = json.loads(monday.spy32("manage", "--json", **CBOE_ONLY).stdout)
    (trade,) = found["trades"]
    assert trade["mark"]["two_sided"] is True and trade["warnings"] == [] and trade["due"] is False
    shown = monday.spy32("show", "T1").stdout
    assert shown.count("\nmark ") == 2
    assert monday.spy32("manage", "--market", "recorded", **CBOE_ONLY).returncode == 2


def test_a_source_that_does_not_answer_is_said_and_nothing_is_marked(monday: LiveMonday) -> None:
    done = monday.spy32("manage", **{**CBOE_ONLY, "SPY32_CBOE_URL": "http://127.0.0.1:9"})
    assert done.returncode == 0
    assert "T1 note: T1 was not marked: " in done.stdout
    assert "\nmark " not in monday.spy32("show", "T1").stdout
