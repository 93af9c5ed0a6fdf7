"""A synthetic year in the program's own wiring: what it trades, when, and that it is always the same."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from spy32.domain.runs import Outcome
from spy32.domain.spreads import ExitAuthority
from spy32.errors import NotFilled
from spy32.lifecycle import TradeState
from spy32.sessions import market_date
from spy32.store import Store
from spy32.wiring import synthetic
from spy32.wiring.demo_year import SETTINGS, start_times
from spy32.wiring.synthetic import SyntheticApp, SyntheticYear

pytestmark = pytest.mark.slow

FIRST = date(2022, 8, 15)


def played(home: Path, weeks: int = 2) -> SyntheticApp:
    home.mkdir(exist_ok=True)
    (home / "config.toml").write_text(SETTINGS)
    app = SyntheticApp(home, FIRST)
    SyntheticYear(app, start_times).run(weeks)
    return app


@pytest.fixture(scope="module")
def first_week(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """The record of a week that was played, to be looked at."""
    with played(tmp_path_factory.mktemp("week"), weeks=1).store() as store:
        yield store


def test_each_monday_is_traded_by_the_fixed_rule_and_every_trade_ends_by_its_plan(tmp_path: Path) -> None:
    app = played(tmp_path)
    with app.store() as store:
        assert app.settings.exit.authorise is ExitAuthority.PLAN
        runs = [store.runs.get(number) for number in (1, 2)]
        assert [market_date(run.started_at) for run in runs] == [FIRST, FIRST + timedelta(weeks=1)]
        assert all(run.outcome is Outcome.PROPOSED for run in runs)
        trades = store.trades.select()
        assert [trade.state for trade in trades] == [TradeState.CLOSED] * 2
        assert market_date(app.clock()) < FIRST + timedelta(weeks=2) + synthetic.LONGEST_LIFE
        assert {(role, answer.analyst) for role, answer in store.decisions.answers(1)} == {
            ("chosen", "rules"),
            ("shadow", "rules"),
            ("shadow", "trend"),
        }
        assert store.audit.verify().broken is None
        assert store.integrity.check() == ()


def test_its_menus_have_probabilities_by_history_which_need_the_vix_of_the_session(first_week: Store) -> None:
    menu = first_week.decisions.menu(1)
    assert menu is not None and menu.candidates
    outlooks = [candidate.outlook for candidate in menu.candidates]
    assert all(outlook is not None and outlook.expiry.history is not None for outlook in outlooks)


def test_the_same_weeks_come_out_the_same(first_week: Store, tmp_path: Path) -> None:
    found = []
    with played(tmp_path / "again", weeks=1).store() as again:
        for store in (first_week, again):
            menu = store.decisions.menu(1)
            found.append((menu, [(trade.credit, trade.result, trade.closed_at) for trade in store.trades.select()]))
    assert found[0] == found[1]


def test_what_is_not_filled_is_in_the_log_and_the_year_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse_fill(*_: object) -> None:
        raise NotFilled("nobody sold")

    monkeypatch.setattr(synthetic, "execute", refuse_fill)
    with played(tmp_path, weeks=1).store() as store:
        assert store.trades.select() == ()
    log = "".join(path.read_text() for path in (tmp_path / "logs").iterdir())
    assert "P1 was not opened: nobody sold" in log


def test_only_a_session_can_be_the_first_day(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="2022-08-14 is no session"):
        SyntheticApp(tmp_path, date(2022, 8, 14)).clock()


def test_the_clock_never_goes_back(tmp_path: Path) -> None:
    app = SyntheticApp(tmp_path, FIRST)
    before = app.clock()
    app.move_clock(before - timedelta(hours=1))
    assert app.clock() == before
    app.move_clock(before + timedelta(hours=1))
    assert app.clock() == before + timedelta(hours=1)
