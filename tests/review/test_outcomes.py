"""The refresh: what is open and why, what becomes known, and what never changes any more."""

import gzip
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from spy32.domain.market import Metric
from spy32.domain.marks import MarkFlag
from spy32.domain.outcomes import CandidateOutcome
from spy32.domain.proposals import ExitReason
from spy32.options.spreads import exact_payoff
from spy32.review.outcomes import NO_PLAN, OutcomeRefresh, refresh_outcomes
from spy32.sessions import session
from tests.support import builders, stores
from tests.support.outcomes import OutcomeDesk
from tests.support.stores import V1, opened

D = Decimal
SETTLED = D("670.97")
"""SPY's official close on 7 November 2025."""


def at(day: str, time: str = "21:45") -> datetime:
    return datetime.fromisoformat(f"{day}T{time}:00+00:00")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[OutcomeDesk]:
    """A home with one menu of Monday, 6 October 2025, expiring on 7 November, and the real closes after it."""
    with opened(tmp_path / "paper.db", account="", opening_cash=D(100_000)) as store:
        found = OutcomeDesk(store, builders.NOW)
        found.decide()
        yield found


def refreshed(desk: OutcomeDesk, day: str, time: str = "21:45") -> OutcomeRefresh:
    desk.now = at(day, time)
    return refresh_outcomes(desk.context())


def kept(desk: OutcomeDesk) -> tuple[CandidateOutcome, ...]:
    return desk.store.outcomes.select(1)


def reasons(found: OutcomeRefresh) -> list[str]:
    return [each.reason for each in found.pending]


def test_a_new_run_is_open_and_says_until_when(desk: OutcomeDesk) -> None:
    found = refreshed(desk, "2025-10-06", "15:00")
    assert (found.changed, reasons(found)) == ((1,), ["it expires on 2025-11-07"])
    assert {outcome.expiry for outcome in kept(desk)} == {outcome.plan for outcome in kept(desk)} == {None}
    assert desk.closes.asked == []


def test_plans_end_on_the_way_and_everything_is_known_at_expiration(desk: OutcomeDesk) -> None:
    menu = builders.menu().candidates
    refreshed(desk, "2025-10-06", "15:00")
    found = refreshed(desk, "2025-11-06")
    plans = [outcome.plan for outcome in kept(desk)]
    assert found.errors == () and all(plan is not None and plan.is_modelled for plan in plans)
    assert all(plan is not None and plan.day <= date(2025, 10, 17) for plan in plans)  # the time exit
    assert refreshed(desk, "2025-11-07").pending == ()
    for outcome, candidate in zip(kept(desk), menu, strict=True):
        assert (outcome.settlement, outcome.is_final, outcome.pending) == (SETTLED, True, None)
        payoff, fill = exact_payoff(candidate.spread, SETTLED), candidate.start - D("0.01")
        assert outcome.expiry is not None
        assert abs(outcome.expiry - ((fill + payoff) * 100 - candidate.costs)) <= 2
    assert [outcome.plan for outcome in kept(desk)] == plans
    assert desk.store.audit.verify().broken is None


def test_looking_every_day_and_looking_once_find_the_same(desk: OutcomeDesk, tmp_path: Path) -> None:
    day = date(2025, 10, 6)
    while day <= date(2025, 11, 7):
        if session(day) is not None:
            refreshed(desk, f"{day}")
        day = day.fromordinal(day.toordinal() + 1)
    with opened(tmp_path / "other.db", account="", opening_cash=D(100_000)) as store:
        other = OutcomeDesk(store, builders.NOW)
        other.decide()
        refreshed(other, "2026-01-05")
        assert kept(other) == kept(desk)
        # It was computed from the closes on record, each of which was asked for once.
        assert len(other.closes.asked) == len(set(desk.closes.asked)) == len(desk.closes.asked) == 25


def test_what_is_known_is_not_computed_again(desk: OutcomeDesk) -> None:
    refreshed(desk, "2025-11-07")
    known, head = kept(desk), desk.store.audit.head()
    desk.closes.scaled = {date(2025, 10, 6): 0.5}
    assert refresh_outcomes(desk.context(), is_forced=True) == OutcomeRefresh(changed=(), pending=(), errors=())
    assert (kept(desk), desk.store.audit.head()) == (known, head)


def test_nothing_is_asked_while_no_session_has_closed_since(desk: OutcomeDesk) -> None:
    refreshed(desk, "2025-10-10")
    desk.closes.asked.clear()
    assert refreshed(desk, "2025-10-12") == OutcomeRefresh(changed=(), pending=(), errors=())
    assert desk.closes.asked == []


def test_a_late_close_leaves_it_open_and_is_asked_for_again(desk: OutcomeDesk) -> None:
    desk.closes.missing = {date(2025, 11, 7)}
    assert reasons(refreshed(desk, "2025-11-07")) == ["no source has the close of SPY on 2025-11-07"]
    assert not any(outcome.is_final for outcome in kept(desk))
    desk.closes.missing.clear()
    assert refreshed(desk, "2025-11-07", "22:00").pending == ()
    assert all(outcome.is_final for outcome in kept(desk))


def test_a_source_that_is_away_is_named(desk: OutcomeDesk) -> None:
    desk.closes.is_away = True
    assert reasons(refreshed(desk, "2025-10-06")) == [
        "no source has the close of SPY on 2025-10-06 (cboe does not answer)"
    ]


def test_a_gap_stops_the_plans_and_not_the_settlement(desk: OutcomeDesk) -> None:
    desk.closes.missing = {date(2025, 10, 7)}
    found = refreshed(desk, "2025-11-07")
    assert reasons(found) == ["no source has the close of SPY on 2025-10-07"]
    assert {outcome.settlement for outcome in kept(desk)} == {SETTLED}
    desk.closes.missing.clear()
    assert refresh_outcomes(desk.context(), is_forced=True).pending == ()


def test_a_vix_that_comes_later_is_added_to_its_close(desk: OutcomeDesk) -> None:
    desk.closes.without_vix = {date(2025, 10, 6)}
    assert reasons(refreshed(desk, "2025-10-06")) == ["no source has the close of the VIX on 2025-10-06"]
    desk.closes.without_vix.clear()
    refreshed(desk, "2025-10-06", "22:00")
    (close,) = desk.store.outcomes.closes.select("SPY", date(2025, 10, 6), date(2025, 10, 6))
    assert close.vix is not None and desk.closes.asked == [date(2025, 10, 6)]


def test_a_split_is_not_settled_by_a_price_of_another_scale(desk: OutcomeDesk) -> None:
    desk.closes.scaled = {date(2025, 10, 9): 0.5}
    reason = "the close of 2025-10-09 is of another scale than the price before it: a split, or a wrong bar"
    assert reasons(refreshed(desk, "2025-11-07")) == [reason]
    assert {outcome.expiry for outcome in kept(desk)} == {None}


def test_a_run_without_vix_has_no_plans_and_is_final_when_it_is_settled(tmp_path: Path) -> None:
    with opened(tmp_path / "blind.db", account="", opening_cash=D(100_000)) as store:
        desk = OutcomeDesk(store, builders.NOW)
        missing = Metric(value=None, unit="percent", source="cboe", missing="not served")
        desk.decide(volatility={"vix": missing}, volatility_history=())
        refreshed(desk, "2025-11-07")
        assert {(outcome.plan, outcome.pending, outcome.is_final) for outcome in kept(desk)} == {(None, NO_PLAN, True)}


def test_an_expiration_on_a_closed_day_is_settled_in_the_session_before(tmp_path: Path) -> None:
    """Good Friday: the options of 3 April 2026 trade until Thursday."""
    with opened(tmp_path / "friday.db", account="", opening_cash=D(100_000)) as store:
        desk = OutcomeDesk(store, builders.NOW)
        run = stores.begun(store, slot=None)
        line = replace(builders.market_line(), expiration=date(2026, 4, 3))
        legs = [replace(leg, expiration=date(2026, 4, 3)) for leg in builders.spread().legs]
        spread = replace(builders.spread(), legs=tuple(legs))
        candidate = replace(builders.candidate(), spread=spread)
        snapshot = builders.snapshot(as_of=at("2026-03-30", "14:00"))
        line = replace(line, as_of=snapshot.as_of)
        store.decisions.save_snapshot(run.id, snapshot, builders.quality(), line, builders.NOW)
        store.decisions.save_menu(run.id, builders.menu(candidates=(candidate,)), builders.NOW)
        refreshed(desk, "2026-04-02")
        (outcome,) = kept(desk)
        (close,) = store.outcomes.closes.select("SPY", date(2026, 4, 2), date(2026, 4, 3))
        assert (close.day, outcome.settlement) == (date(2026, 4, 2), close.close)


def test_a_run_that_cannot_be_read_stops_no_other(desk: OutcomeDesk) -> None:
    desk.decide()
    desk.store.core.db.execute("drop trigger snapshot_no_update")
    desk.store.core.db.execute("update snapshot set data = x'00' where run_id = 1")
    found = refreshed(desk, "2025-10-06")
    assert [each.run_id for each in found.errors] == [1]
    assert found.changed == (2,)


def test_a_real_trade_that_is_open_has_no_end_by_closes(desk: OutcomeDesk) -> None:
    """Nobody but `manage` says when it is over."""
    candidate = builders.menu().candidates[0]
    made = stores.proposed(desk.store, run_id=1, candidate_id=candidate.id)
    stores.filled(desk.store, made=made)
    refreshed(desk, "2025-10-20")
    real, *shadows = kept(desk)
    assert real.plan is None and all(outcome.plan is not None for outcome in shadows)
    refreshed(desk, "2025-11-07")
    assert kept(desk)[0].plan is not None


def test_a_store_of_the_first_version_is_filled_by_the_first_refresh(tmp_path: Path) -> None:
    path = tmp_path / "paper.db"
    path.write_bytes(gzip.decompress(V1.read_bytes()))
    with opened(path) as store:
        desk = OutcomeDesk(store, at("2026-01-05"))
        assert refresh_outcomes(desk.context()).changed == (1,)
        assert {outcome.settlement for outcome in kept(desk)} == {SETTLED}
        assert {outcome.is_final for outcome in kept(desk)} == {True}
        assert {plan.reason for outcome in kept(desk) if (plan := outcome.plan)} <= {*ExitReason}
        assert store.audit.verify().broken is None


def test_a_traded_candidate_is_judged_by_its_marks_and_by_closes_only_after_them(desk: OutcomeDesk) -> None:
    """Until the last mark nobody saw the closes."""
    candidate = builders.menu().candidates[0]
    made = stores.proposed(desk.store, run_id=1, candidate_id=candidate.id)
    stores.filled(desk.store, made=made)
    seen = at("2025-10-20", "15:00")
    desk.store.marks.add(builders.mark(1, at=seen, mid=None, natural=None, flags=(MarkFlag.ONE_SIDED,)))
    refreshed(desk, "2025-11-07")
    (real, *shadows) = (outcome.plan for outcome in kept(desk))
    assert {plan.day for plan in shadows if plan is not None} == {date(2025, 10, 17)}
    assert real is not None and (real.day, real.reason) == (date(2025, 10, 21), ExitReason.TIME)
