"""The whole report of stores in every state."""

import gzip
import shutil
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from spy32.domain.answer_role import AnswerRole
from spy32.domain.proposals import Decision
from spy32.domain.report import Report
from spy32.review.report import build_report
from spy32.schema import NO_DELETE
from spy32.sessions import sessions_between
from spy32.store import Store
from tests.support import builders, stores
from tests.support.builders import later
from tests.support.outcomes import close
from tests.support.report_stores import RESULTS, lived_weeks

D = Decimal


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with stores.opened(tmp_path / "paper.db", account="", opening_cash=D(100_000)) as found:
        yield found


def report(store: Store, **over: date) -> Report:
    return build_report(store, later(days=600), **over)


def test_a_year_of_weeks(store: Store) -> None:
    lived_weeks(store, 52)
    found = report(store)
    results = [trade.result for trade in found.trades if trade.result is not None]
    assert len(results) == len(found.trades) == found.runs == 52
    assert sum(results) == found.totals.total == found.equity[-1].realized
    assert found.money is not None
    assert found.money.result == sum(results)
    assert found.win_rate is not None
    assert found.win_rate.mean == sum(result > 0 for result in results) / 52
    assert found.win_rate.low is not None
    assert found.best is not None and found.worst is not None
    assert results[found.best - 1] == max(results)
    assert results[found.worst - 1] == min(results)
    assert (found.win_streak, found.loss_streak) == (4, 1)
    held = sum(sessions_between(trade.opened, trade.closed) for trade in found.trades if trade.closed is not None)
    assert 280 < held < 52 * 6
    assert found.per_session == (sum(results) / held).quantize(D("0.01"))
    assert found.selection is not None and found.selection.count == 52
    assert found.exit_less_holding is not None and found.exit_less_holding.count == 52
    assert [each.source for each in found.reliability] == ["market", "history", "grok comprehensive"]
    assert [each.name for each in found.models] == ["grok-4.3 comprehensive"]
    assert (found.deletions, found.notes) == ((), ())


def test_before_the_first_run(store: Store) -> None:
    found = report(store)
    assert (found.runs, found.trades, found.equity, found.reliability, found.models) == (0, (), (), (), ())
    assert (found.win_rate, found.stated_profit, found.best, found.selection, found.sharpe) == (None,) * 5
    assert set(map(len, found.groups.values())) == {0}


def test_one_trade_says_too_few(store: Store) -> None:
    lived_weeks(store, 1)
    found = report(store)
    assert found.win_rate is not None
    assert (found.win_rate.hits, found.win_rate.count, found.win_rate.mean, found.win_rate.low) == (1, 1, None, None)
    assert (found.per_session, found.sharpe, found.best, found.worst) == (None, None, 1, 1)
    (group,) = found.groups["exit"]
    assert (group.name, group.count, group.mean, group.share) == ("target", 1, None, None)
    assert all(each.points == () and each.came_true.low is None for each in found.reliability)


def test_an_open_trade_is_on_the_ladder_and_in_the_path(store: Store) -> None:
    _, trade = stores.filled(store)
    store.marks.add(builders.mark(trade.id, at=later(hours=2), unrealized=D("-31.50")))
    found = build_report(store, later(days=1))
    assert [(step.trades, step.contracts, step.max_loss) for step in found.ladder] == [(1, 2, trade.max_loss)]
    (point,) = found.equity
    assert (point.unrealized, point.drawdown, point.total) == (D("-31.50"),) * 3
    assert found.open_max_loss == trade.max_loss
    assert (found.trades[0].unrealized, found.win_rate, found.money) == (D("-31.50"), None, None)


def test_a_result_in_parts_counts_on_each_day(store: Store) -> None:
    _, trade = stores.filled(store)
    _, order = stores.closing(store, trade)
    for number, day in enumerate((8, 9)):
        bought = builders.fills(
            trade.closing_legs, quantity=1, prices=("0.80", "0.52"), prefix=f"X{number}", at=later(days=day)
        )
        store.trades.record_fills(order.id, bought, fees=D("4.52"), at=later(days=day))
    found = report(store)
    parts = [(each.at.date(), each.amount) for each in store.results.get(trade.id).realizations]
    assert len(parts) == 2
    assert [(point.day, point.realized) for point in found.equity] == [
        (parts[0][0], parts[0][1]), (parts[1][0], parts[0][1] + parts[1][1]),
    ]  # fmt: skip


def test_only_abstentions(store: Store) -> None:
    for _ in range(12):
        run = stores.begun(store)
        out = builders.recommendation(decision=Decision.ABSTAIN, probability=None)
        store.decisions.save_answer(run.id, out, role=AnswerRole.CHOSEN, at=later(1))
    found = report(store)
    (model,) = found.models
    assert (model.asked, model.abstained, model.traded) == (12, 12, 0)
    assert (found.selection, found.win_rate, found.reliability) == (None, None, ())


def test_a_store_of_the_first_release_has_no_outcomes(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    with gzip.open(stores.V1) as packed, path.open("wb") as target:
        shutil.copyfileobj(packed, target)
    with stores.opened(path, account=None) as old:
        found = report(old)
        candidates = old.core.row("select count(*) from candidate")
    assert candidates is not None
    assert found.outcomes == {"known": 0, "open": 0, "missing": candidates[0]}
    assert found.notes[0].startswith(f"{candidates[0]} candidates have no outcome yet")
    assert found.deletions == ()


def test_since_leaves_out_older_trades_everywhere(store: Store) -> None:
    lived_weeks(store, 10)
    found = report(store, since=date(2025, 11, 3))
    assert [trade.id for trade in found.trades] == [5, 6, 7, 8, 9, 10]
    assert found.runs == 6
    assert found.equity[0].day >= date(2025, 11, 3)
    assert found.equity[-1].realized == sum(RESULTS[number % 5] for number in range(4, 10))


def test_a_deleted_losing_trade_is_on_the_report(store: Store) -> None:
    lived_weeks(store, 12)
    loser = next(trade.id for trade in store.trades.select() if trade.result is not None and trade.result < 0)
    for table in NO_DELETE:
        store.core.db.execute(f"drop trigger if exists {table}_no_delete")
    store.core.db.execute("pragma foreign_keys = off")
    store.core.db.execute("delete from trade where id = ?", (loser,))
    found = report(store)
    assert found.deletions == (f"row {loser} of trade was deleted by hand",)
    assert loser not in [trade.id for trade in found.trades]
    assert store.audit.verify().broken == found.deletions[0]


def test_an_edited_result_and_a_removed_event_are_on_the_report(store: Store) -> None:
    lived_weeks(store, 12)
    store.core.db.execute("update trade set result_e4 = 990000 where id = 3")
    assert report(store).deletions == ("row 3 of trade was changed by hand",)
    for name in ("event_no_delete", "event_no_update"):
        store.core.db.execute(f"drop trigger if exists {name}")
    store.core.db.execute("pragma foreign_keys = off")
    last = store.core.row("select max(id) from event")
    assert last is not None
    store.core.db.execute("delete from event where id = ?", (last[0] - 1,))
    found = report(store).deletions
    assert f"event {last[0]} is missing or out of place" in found
    assert [each for each in found if " of trade " in each] == [
        "row 3 of trade was changed by hand", "row 11 of trade was put in by hand",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("edit", "fault"),
    [
        ("update outcome set expiry_e4 = expiry_e4 + 3000000 where id = 9", "row 9 of outcome was changed by hand"),
        ("delete from experiment where id = 1", "row 1 of experiment was deleted by hand"),
        ("update daily_close set body = replace(body, '671', '691')", "row 1 of daily_close was changed by hand"),
        ("update mark set body = replace(body, '6.96', '9.96') where id = 2", "row 2 of mark was changed by hand"),
        ("update fill set price_e4 = price_e4 + 100 where id = 1", "row 1 of fill was changed by hand"),
        ("update run set started_at = '2020-01-06T15:00:00+00:00' where id = 1", "row 1 of run was changed by hand"),
        (
            "update candidate set body = replace(body, '0.', '1.') where id = 2",
            "row 2 of candidate was changed by hand",
        ),
        ("update answer set decision = 'abstain' where id = 1", "row 1 of answer was changed by hand"),
        ("update attempt set cost_ticks = 0 where id = 1", "row 1 of attempt was changed by hand"),
        (
            'update approval set body = replace(body, \'"mid":"\', \'"mid":"1\') where id = 1',
            "row 1 of approval was changed by hand",
        ),
        (
            "update snapshot set line = replace(line, '16.5', '17.5') where id = 1",
            "row 1 of snapshot was changed by hand",
        ),
    ],
)
def test_whatever_is_edited_is_on_the_report(store: Store, edit: str, fault: str) -> None:
    store.experiments.register(builders.experiment_terms(), builders.NOW)
    store.outcomes.closes.save([close()], builders.NOW)
    lived_weeks(store, 3)
    for (name,) in store.core.rows("select name from sqlite_schema where type = 'trigger'"):
        store.core.db.execute(f"drop trigger {name}")
    assert report(store).deletions == ()
    assert store.core.db.execute(edit).rowcount == 1
    assert report(store).deletions == (fault,) == (store.audit.verify().broken,)


def test_a_store_too_large_to_compare_says_what_was_not(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    lived_weeks(store, 3)
    monkeypatch.setattr("spy32.review.report.AUDITED_ROWS", 40)
    store.core.db.execute("update outcome set expiry_e4 = 0 where id = 9")
    found = report(store)
    assert found.deletions == ("row 9 of outcome was changed by hand",)
    (note,) = found.notes
    assert note.startswith("too many rows to compare with the history here, as `audit verify` does: proposal, mark, ")
    assert note.endswith(", candidate, snapshot")


def test_at_thirty_trades_nothing_is_claimed(store: Store) -> None:
    """Every sentence that the report makes is a figure with its interval: no field holds a verdict, and of thirty weeks
    there are counts and sums alone."""
    lived_weeks(store, 30)
    found = report(store)
    assert found.experiments == ()
    assert (found.sharpe, found.per_session) == (None, None)
    figures = (
        found.win_rate,
        found.exit_less_holding,
        found.selection,
        *(each.came_true for each in found.reliability),
    )
    assert [(each.mean, each.low, each.high) for each in figures if each is not None] == [(None,) * 3] * 6
    assert all((group.mean, group.share) == (None, None) for groups in found.groups.values() for group in groups)


def test_what_leaving_early_brought_is_a_share_of_the_maximum_loss(store: Store) -> None:
    lived_weeks(store, 52)
    found = report(store)
    held = [
        float((trade.result - trade.holding) / trade.max_loss)
        for trade in found.trades
        if trade.result is not None and trade.holding is not None
    ]
    assert found.exit_less_holding is not None and found.exit_less_holding.mean is not None
    assert found.exit_less_holding.mean == pytest.approx(sum(held) / 52)
    assert found.exit_less_holding.low is not None and found.exit_less_holding.high is not None
    assert found.exit_less_holding.low < found.exit_less_holding.mean < found.exit_less_holding.high
