"""Underlyings that are not SPY, from their analysis to their end, on synthetic chains and a local broker."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.support.program import one_line, spy32
from tests.support.recorded_trades import document, run
from tests.support.underlyings import AFTER, FIRST, SECOND, UNDERLYINGS, Underlying

pytestmark = pytest.mark.slow

D = Decimal
ANALYZE = ("analyze", "--analyst", "rules", "--profile", "other", "--market")
each = pytest.mark.parametrize("underlying", UNDERLYINGS, ids=str)


def open_trade(underlying: Underlying, home: Path) -> dict[str, Any]:
    """The document of a trade on paper that was analyzed, approved and executed."""
    underlying.write_config(home)
    run(home, *ANALYZE, underlying.write_chain(home, FIRST))
    run(home, "approve", "--yes")
    run(home, "execute")
    return document(home, "show", "T1")


@each
def test_it_is_opened_on_its_own_root_ticks_and_costs(underlying: Underlying, tmp_path: Path) -> None:
    found = open_trade(underlying, tmp_path)
    proposal, trade = found["proposal"], found["trade"]
    assert (proposal["underlying"], proposal["state"], trade["state"]) == (underlying.ticker, "done", "open")
    assert {leg["symbol"][:6].rstrip() for leg in proposal["legs"]} == {underlying.root}
    plan, exits = proposal["plan"], proposal["exit"]
    assert plan["tick"] == underlying.tick
    prices = (*plan["prices"], exits["profit_target"], exits["stop"], trade["credit"])
    assert all(underlying.is_on_tick(price) for price in prices), prices
    costs = D(underlying.costs)
    if underlying.ticker == "XSP" and trade["quantity"] < 10:
        costs = D("2.26")
    assert D(trade["fees"]) == costs * trade["quantity"]


@each
def test_the_time_exit_closes_it(underlying: Underlying, tmp_path: Path) -> None:
    open_trade(underlying, tmp_path)
    run(tmp_path, "manage", "--market", underlying.write_chain(tmp_path, SECOND))
    run(tmp_path, "approve", "P2", "--yes")
    run(tmp_path, "execute", "P2")
    found = document(tmp_path, "show", "T1")
    assert (found["trade"]["state"], found["trade"]["exit_reason"]) == ("closed", "time")
    assert all(underlying.is_on_tick(price) for price in document(tmp_path, "show", "P2")["proposal"]["plan"]["prices"])


@each
@pytest.mark.parametrize("share", [1.01, 0.70], ids=["worthless", "whole loss"])
def test_expiration_settles_it(underlying: Underlying, share: float, tmp_path: Path) -> None:
    trade = open_trade(underlying, tmp_path)["trade"]
    run(tmp_path, "manage", "--market", underlying.write_chain(tmp_path, AFTER, share=share))
    ended = document(tmp_path, "show", "T1")["trade"]
    reason = "expired" if share > 1 else "cash_settled" if underlying.settles_in_cash else "assigned"
    assert (ended["state"], ended["exit_reason"]) == ("expired" if share > 1 else "closed", reason)
    strikes = [D(leg["strike"]) for leg in trade["legs"]]
    loss = D(0) if share > 1 else abs(strikes[0] - strikes[1]) * 100 * trade["quantity"] + 10
    assert D(ended["result"]) == D(trade["credit"]) * 100 * trade["quantity"] - D(trade["fees"]) - loss


@pytest.mark.parametrize("ticker", ["VIX", "DJX", "OEX", "LEN.B"])
def test_what_cannot_be_traded_is_refused_when_the_profile_is_read(ticker: str, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(f'[profile.other]\nunderlying = "{ticker}"\n')
    for words in (("analyze", "--profile", "other"), ("status",)):
        one_line(spy32(tmp_path, *words), 78, f"price steps of {ticker} options are not known", "SPX, XSP, NDX, RUT")
    assert not (tmp_path / "paper.db").exists()
