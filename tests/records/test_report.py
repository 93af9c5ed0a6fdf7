"""What the report reads, against the same figures computed one trade at a time."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from spy32.domain.marks import MarkFlag
from spy32.domain.orders import OrderKind
from spy32.domain.proposals import ExitReason
from spy32.records.report import MenuCounts, ReportRows
from spy32.store import Store
from tests.support import builders, report_stores, stores
from tests.support.builders import EXPIRATION, NOW, later
from tests.support.report_stores import lived_weeks

D = Decimal


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with stores.opened(tmp_path / "paper.db", account="", opening_cash=D(100_000)) as found:
        yield found


def close_at_target(store: Store) -> None:
    """A trade whose resting target filled; it has the approval of the opening."""
    made, trade = stores.filled(store, exit=builders.exit_plan(rests_target=True))
    yes = store.proposals.latest_approval(made.id)
    ticket = builders.order(made, yes, kind=OrderKind.TARGET, reference="target", limit=D("-0.29"))
    order = store.orders.begin(ticket, at=later(minutes=9))
    bought = builders.fills(trade.closing_legs, prices=("0.80", "0.52"), prefix="X", at=later(days=3))
    store.trades.record_fills(order.id, bought, fees=D("4.52"), at=later(days=3))


def test_slippages_are_those_of_the_results(store: Store) -> None:
    """Trades in every stage: open, closed, closed by a resting target that was decided at no mid."""
    lived_weeks(store, 3)
    stores.filled(store)
    close_at_target(store)
    found = ReportRows(store.core, None).slippages()
    for trade in store.trades.select():
        result = store.results.get(trade.id)
        wanted = (result.opening_slippage or D(0)) + (result.closing_slippage or D(0))
        assert found[trade.id] == wanted
    assert len(found) == 5
    assert store.trades.get(5).exit_reason is ExitReason.TARGET


def test_the_origin_of_a_trade_is_its_run(store: Store) -> None:
    lived_weeks(store, 2)
    found = ReportRows(store.core, None).origins()
    candidate, line = builders.candidate(), builders.market_line()
    assert list(found) == [1, 2]
    first = found[1]
    assert (first.analyst, first.prompt, first.profile) == ("grok", "comprehensive", "default")
    assert (first.vix, first.dte, first.short_delta) == (line.vix, line.dte, candidate.short_delta)
    assert candidate.outlook is not None and candidate.outlook.chosen_plan is not None
    assert first.stated == candidate.outlook.chosen_plan.probabilities.profit
    assert first.settlement == D(660)


def test_a_trade_without_a_menu_has_an_origin_too(store: Store) -> None:
    stores.filled(store, chosen_by="person")
    (found,) = ReportRows(store.core, None).origins().values()
    assert (found.analyst, found.prompt, found.vix, found.short_delta, found.settlement) == (
        "person", None, None, None, None,
    )  # fmt: skip


def test_the_last_usable_mark_of_each_day_counts(store: Store) -> None:
    _, trade = stores.filled(store)
    for hours, amount, flags in (
        (1, "5.00", ()), (2, "-8.00", ()), (3, "99.00", (MarkFlag.STALE,)), (24, "12.50", ()), (25, None, ()),
    ):  # fmt: skip
        mark = builders.mark(trade.id, at=later(hours=hours), unrealized=D(amount) if amount else None, flags=flags)
        store.marks.add(mark)
    assert ReportRows(store.core, None).daily_marks() == [(1, date(2025, 10, 6), D("-8.00"))]


def test_what_closes_in_parts_is_known(store: Store) -> None:
    _, whole = stores.filled(store)
    _, parts = stores.filled(store)
    for trade, days in ((whole, (8, 8)), (parts, (8, 9))):
        _, order = stores.closing(store, trade)
        for number, day in enumerate(days):
            bought = builders.fills(
                trade.closing_legs, quantity=1, prices=("0.80", "0.52"), prefix=f"X{number}", at=later(days=day)
            )
            store.trades.record_fills(order.id, bought, fees=D("4.52"), at=later(days=day))
    assert ReportRows(store.core, None).partly_closed() == {parts.id}


def test_candidates_are_counted_by_what_is_known(store: Store) -> None:
    lived_weeks(store, 2)
    stores.whole_run(store)
    store.core.db.execute("update outcome set expiry_e4 = null where id <= 3")
    (menus,) = ReportRows(store.core, None).menus()
    assert menus == MenuCounts(EXPIRATION, is_recorded=False, candidates=12, known=5, computed=8)


def test_since_leaves_older_runs_out(store: Store) -> None:
    lived_weeks(store, 4)
    for since, count in ((None, 4), (date(2025, 10, 20), 2), (date(2025, 10, 21), 1), (date(2026, 1, 1), 0)):
        rows = ReportRows(store.core, since)
        known = sum(menu.known for menu in rows.menus())
        assert {
            sum(rows.run_outcomes().values()), len(rows.origins()), len(rows.picks()),
            len(rows.stated_probabilities()) // 4,
            known // 4,
            len(rows.answers()) // 2, len(rows.requests()),
        } == {count}  # fmt: skip


def test_runs_are_counted_by_their_ending_and_the_account_is_that_of_the_first_run(store: Store) -> None:
    lived_weeks(store, 3)
    assert ReportRows(store.core, None).account() is None
    ruling = '{"account":{"net_liquidation":"100000.00"}}'
    with store.core.write_transaction(NOW, "a test"):
        store.core.db.execute("update run set ruling = ? where id = 2", (ruling,))
        store.core.db.execute("update run set outcome = 'skipped', cause = 'holiday' where id = 3")
    rows = ReportRows(store.core, None)
    assert rows.account() == D(100_000)
    assert [*rows.run_outcomes().items()] == [("proposed", 2), ("holiday", 1)]


def test_a_pick_is_compared_with_a_menu_that_is_wholly_known(store: Store) -> None:
    lived_weeks(store, 2)
    first, second = ReportRows(store.core, None).picks()
    shares = [float(each.expiry / each.max_loss) for each in store.outcomes.select(1) if each.expiry is not None]
    assert first.result == pytest.approx(shares[0])
    assert first.menu_mean == pytest.approx(sum(shares) / 4)
    store.core.db.execute("update outcome set expiry_e4 = null where id = 3")
    assert ReportRows(store.core, None).picks() == [second]


def test_a_store_without_anything(store: Store) -> None:
    rows = ReportRows(store.core, None)
    assert rows.menus() == []
    assert not any((rows.origins(), rows.slippages(), rows.daily_marks(), rows.answers(), rows.requests()))


def test_what_other_prompts_chose_is_left_out_until_a_person_has_decided(store: Store) -> None:
    run = report_stores.decided_run(store)
    for role, prompt in (("chosen", "comprehensive"), ("shadow", "other")):
        stores.asked(store, run.id, role=role, prompt=prompt)
    store.decisions.save_answer(run.id, builders.recommendation(prompt="other"), role="shadow", at=NOW)
    rows = ReportRows(store.core, None)
    made = stores.proposed(store, run_id=run.id)
    assert [answer.prompt for answer in rows.answers()] == ["comprehensive", None]
    assert [request.prompt for request in rows.requests()] == ["comprehensive"]
    stores.approved(store, made)
    assert (len(rows.answers()), len(rows.requests())) == (3, 2)
