"""Outcomes beside trades that were really made on paper: the same cents, through crash and calm."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from spy32.domain.orders import Trade
from spy32.domain.outcomes import CandidateOutcome
from spy32.domain.proposals import ExitReason
from spy32.lifecycle import TradeState
from spy32.sessions import Session, market_date
from spy32.store import Store
from spy32.wiring.synthetic import SyntheticApp, SyntheticYear

pytestmark = pytest.mark.slow

CRASH = date(2020, 1, 27)


def lived(folder: Path, weeks: int, *, authorise: str, contracts: int = 1) -> Store:
    """Mondays from four weeks before the crash of 2020 on, each trade brought to its end."""
    sections = {
        "exit": f'authorise = "{authorise}"',
        "limits": f"contracts = {contracts}",
        "execution": "step_seconds = 1",
    }
    (folder / "config.toml").write_text("".join(f"[{name}]\n{line}\n" for name, line in sections.items()))
    app = SyntheticApp(folder, CRASH)
    SyntheticYear(app, every_two_hours).run(weeks)
    app.compute_outcomes()
    return app.store()


def every_two_hours(hours: Session) -> Iterator[datetime]:
    at = hours.open
    while at <= hours.option_close:
        yield at
        at += timedelta(hours=2)


def paired(store: Store) -> list[tuple[Trade, CandidateOutcome]]:
    """Each trade with the outcome of its candidate."""
    found = []
    for trade in store.trades.select():
        candidate_id = store.proposals.get(trade.proposal_id).candidate_id
        found += [(trade, each) for each in store.outcomes.select(trade.run_id) if each.candidate_id == candidate_id]
    return found


def test_a_trade_that_nobody_closes_comes_to_the_cents_of_its_candidate(tmp_path: Path) -> None:
    store = lived(tmp_path, 5, authorise="ask")
    pairs = paired(store)
    assert [trade.exit_reason for trade, _ in pairs] == [ExitReason.ASSIGNED] * 4
    for trade, outcome in pairs:
        assert trade.state is TradeState.CLOSED and trade.closed_at is not None
        assert outcome.expiry == store.results.get(trade.id).realized_profit
        assert outcome.settlement is not None and outcome.settlement < trade.legs[1].strike


def test_a_trade_that_the_plan_closes_comes_to_the_cents_of_its_candidate(tmp_path: Path) -> None:
    store = lived(tmp_path, 5, authorise="plan", contracts=3)
    pairs = paired(store)
    assert {trade.exit_reason for trade, _ in pairs} == {ExitReason.TARGET, ExitReason.STOP}
    for trade, outcome in pairs:
        assert outcome.plan is not None and trade.closed_at is not None
        assert (outcome.plan.day, outcome.plan.reason) == (market_date(trade.closed_at), trade.exit_reason)
        assert outcome.plan.result * trade.quantity == store.results.get(trade.id).realized_profit
        assert not outcome.plan.is_modelled
