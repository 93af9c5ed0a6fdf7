"""Outcomes beside trades that were really made on paper: the same cents, through crash and calm."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from spy32.domain.market import DailyBar
from spy32.domain.orders import Trade
from spy32.domain.outcomes import Outcome
from spy32.domain.proposals import ExitReason
from spy32.lifecycle import TradeState
from spy32.markets import bundled_history
from spy32.review.outcomes import CloseSources, OutcomeContext, refresh_outcomes
from spy32.sessions import market_date
from spy32.wiring.outcomes import find_smile
from tests.support import synthetic_year
from tests.support.synthetic_year import SyntheticYear

CRASH = date(2020, 1, 27)


def lived(folder: Path, weeks: int, *, unattended: float, contracts: int = 1) -> SyntheticYear:
    """Mondays from four weeks before the crash of 2020 on, each trade brought to its end."""
    year = SyntheticYear(folder, CRASH, unattended_share=unattended)
    year.settings = replace(year.settings, limits=replace(year.settings.limits, contracts=contracts))
    year.settings = replace(year.settings, execution=replace(year.settings.execution, step_seconds=1))
    year.run(weeks)
    refresh_outcomes(context_of(year))
    return year


def context_of(year: SyntheticYear) -> OutcomeContext:
    def find_bar(ticker: str, day: date) -> DailyBar | None:
        return next((bar for bar in year.market.history(ticker, day) if bar.day == day), None)

    sources = CloseSources(
        name="shipped history",
        find_bar=find_bar,
        vix_closes=lambda since: dict(bundled_history.volatility_history(year.clock(), since)),
    )
    return OutcomeContext(store=year.store, clock=year.clock, sources=lambda _: sources, find_smile=find_smile)


def paired(year: SyntheticYear) -> list[tuple[Trade, Outcome]]:
    """Each trade with the outcome of its candidate."""
    found = []
    for trade in year.store.trades.select():
        candidate_id = year.store.proposals.get(trade.proposal_id).candidate_id
        found += [
            (trade, each) for each in year.store.outcomes.select(trade.run_id) if each.candidate_id == candidate_id
        ]
    return found


@pytest.fixture(autouse=True)
def few_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four starts of `manage` a session instead of 27."""
    monkeypatch.setattr(synthetic_year, "STEP", timedelta(minutes=120))


def test_a_trade_that_nobody_closes_comes_to_the_cents_of_its_candidate(tmp_path: Path) -> None:
    year = lived(tmp_path, 5, unattended=1.0)
    pairs = paired(year)
    assert [trade.exit_reason for trade, _ in pairs] == [ExitReason.ASSIGNED] * 4
    for trade, outcome in pairs:
        assert trade.state is TradeState.CLOSED and trade.closed_at is not None
        assert outcome.expiry == year.store.results.get(trade.id).realized
        assert outcome.settlement is not None and outcome.settlement < trade.legs[1].strike


def test_a_trade_that_the_plan_closes_comes_to_the_cents_of_its_candidate(tmp_path: Path) -> None:
    year = lived(tmp_path, 5, unattended=0.0, contracts=3)
    pairs = paired(year)
    assert {trade.exit_reason for trade, _ in pairs} == {ExitReason.TARGET, ExitReason.STOP}
    for trade, outcome in pairs:
        assert outcome.plan is not None and trade.closed_at is not None
        assert (outcome.plan.day, outcome.plan.reason) == (market_date(trade.closed_at), trade.exit_reason)
        assert outcome.plan.result * trade.quantity == year.store.results.get(trade.id).realized
        assert not outcome.plan.is_modelled
