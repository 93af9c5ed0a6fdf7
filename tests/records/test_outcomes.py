"""Outcomes on record: what is final stays, what is chosen finds its outcome, and what is due is found cheaply."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from spy32.store import Store
from tests.support import builders, outcomes, stores
from tests.support.builders import NOW, later
from tests.support.stores import opened

D = Decimal
FRIDAY = datetime.fromisoformat("2025-10-10T21:00:00+00:00")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A run that proposed, with its menu and its answers."""
    with opened(tmp_path / "paper.db", account="", opening_cash=D(100_000)) as found:
        stores.whole_run(found)
        yield found


def test_an_outcome_comes_back_as_it_was(store: Store) -> None:
    waiting = outcomes.outcome(
        candidate_id="P63505", settlement=None, expiry=None, plan=None, pending="it expires", is_final=False
    )
    assert store.outcomes.save([outcomes.outcome(), waiting], NOW)
    assert store.outcomes.select(1) == (outcomes.outcome(), waiting)
    assert [*store.history.view(1).outcomes] == [outcomes.outcome().candidate_id, "P63505"]


def test_what_is_final_never_changes_and_what_is_the_same_writes_nothing(store: Store) -> None:
    store.outcomes.save([outcomes.outcome()], NOW)
    before = store.audit.head()
    assert not store.outcomes.save([outcomes.outcome(expiry=D("-448.26"))], later(1))
    assert store.outcomes.select(1) == (outcomes.outcome(),)
    assert store.audit.head() == before


def test_an_edited_outcome_shows_in_the_audit(store: Store) -> None:
    store.outcomes.save([outcomes.outcome(expiry=D("-448.26"))], NOW)
    store.core.db.execute("update outcome set expiry_e4 = 517400")
    assert store.audit.verify().broken == "row 1 of outcome was changed by hand"


def test_a_close_stays_and_gets_its_vix_once(store: Store) -> None:
    closes = store.outcomes.closes
    closes.save([outcomes.close(), outcomes.close("2025-10-07", "669.12", vix=17.2)], NOW)
    closes.save([outcomes.close(vix=16.4), outcomes.close("2025-10-07", "1.00", vix=99.0)], later(1))
    monday, tuesday = closes.select("SPY", date(2025, 10, 6), date(2025, 10, 7))
    assert (monday.vix, tuesday.close, tuesday.vix) == (16.4, D("669.12"), 17.2)
    assert closes.select("QQQ", date(2025, 10, 6), date(2025, 10, 7)) == ()


def test_what_was_traded_is_known_by_its_candidate(tmp_path: Path) -> None:
    with opened(tmp_path / "traded.db", account="", opening_cash=D(100_000)) as store:
        stores.filled(store)
        assert store.outcomes.trades(1) == {builders.proposal().candidate_id: 1}


def test_a_run_is_due_when_it_is_new_and_when_a_session_has_closed_since(store: Store) -> None:
    outcome = outcomes.outcome(is_final=False)
    assert [(run.id, run.is_new, last) for run, last in store.outcomes.due_runs(FRIDAY)] == [
        (1, True, date(2025, 10, 10))
    ]
    store.outcomes.save([outcome], FRIDAY)
    store.outcomes.mark_computed(date(2025, 10, 10), FRIDAY, is_recorded=False)
    assert store.outcomes.due_runs(FRIDAY) == ()
    saturday, monday = (datetime.fromisoformat(f"2025-10-{day}T20:45:00+00:00") for day in ("11", "13"))
    assert store.outcomes.due_runs(saturday) == ()
    assert [last for _, last in store.outcomes.due_runs(monday)] == [date(2025, 10, 13)]
    store.outcomes.save([replace(outcome, is_final=True)], monday)
    assert store.outcomes.due_runs(monday) == () == store.outcomes.open_runs()


def test_a_recorded_run_has_the_time_of_recorded_markets(tmp_path: Path) -> None:
    with opened(tmp_path / "recorded.db", account="", opening_cash=D(100_000)) as store:
        desk = outcomes.OutcomeDesk(store, FRIDAY)
        desk.decide(is_recorded=True)
        assert store.outcomes.recorded_time() == NOW
        assert [last for _, last in store.outcomes.due_runs(FRIDAY)] == [date(2025, 10, 3)]
        desk.decide(is_recorded=True, as_of=datetime.fromisoformat("2025-10-08T20:00:00+00:00"))
        # The closes of recorded markets ship, so that none is late.
        assert [last for _, last in store.outcomes.due_runs(FRIDAY)] == [date(2025, 10, 8)] * 2


def test_a_run_without_candidates_has_no_outcomes(store: Store) -> None:
    run = stores.begun(store, slot=None)
    store.decisions.save_snapshot(run.id, builders.snapshot(), builders.quality(), builders.market_line(), NOW)
    store.decisions.save_menu(run.id, builders.menu(candidates=()), NOW)
    assert [run.id for run in store.outcomes.open_runs()] == [1]
    assert store.outcomes.save([], NOW) is False
