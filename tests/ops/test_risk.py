"""The risk of a home: what is held, what is pending, and what waits to join."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from spy32.ops.last_account import last_known_account
from spy32.ops.risk import RiskReport, load_risk
from spy32.rules.book_risk import LimitName
from spy32.settings import Settings
from spy32.store import Store
from tests.support import books, builders, stores

D = Decimal


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with stores.opened(tmp_path / "paper.db") as opened:
        yield opened


def load(store: Store) -> RiskReport:
    return load_risk(store, builders.account(), Settings(), builders.later(hours=1))


def test_a_ladder_is_five_rungs(store: Store) -> None:
    trades = books.ladder(store)
    found = load(store)
    assert [rung.expiration for rung in found.book.rungs] == list(books.FRIDAYS)
    assert found.book.max_loss == sum(trade.max_loss for trade in trades)
    assert (found.not_held, found.new_trade, found.book.unmarked) == (0, None, ())
    assert found.oldest_mark == builders.later(900)


def test_right_after_a_fill_the_vols_are_those_of_the_opening(store: Store) -> None:
    run = stores.whole_run(store)
    stores.filled(store, run_id=run.id)
    book = load(store).book
    view = builders.candidate()
    assert book.unmarked == () and book.positions[0].market is not None
    assert book.positions[0].market.vols == (view.short.iv, view.long.iv)
    gap = book.shocks[1].result
    assert gap is not None and gap < 0


def test_without_a_menu_nothing_is_known(store: Store) -> None:
    stores.filled(store)
    book = load(store).book
    assert (book.unmarked, book.greeks, book.shocks[0].result) == (("T1",), None, None)


def test_what_is_approved_counts_before_it_is_held(store: Store) -> None:
    books.rung(store, books.FRIDAYS[0])
    _, approved = stores.approved(store, quantity=2), builders.proposal_terms(quantity=2).max_loss
    found = load(store)
    assert found.not_held == approved
    assert len(found.book.positions) == 1


def test_the_opening_that_waits_is_added_to_the_book(store: Store) -> None:
    books.rung(store, books.FRIDAYS[0])
    run = stores.whole_run(store)
    made = stores.proposed(store, run_id=run.id, quantity=2)
    found = load(store)
    new = found.new_trade
    assert new is not None
    assert (new.id, new.words) == (f"P{made.id}", made.trade_text)
    assert new.book.max_loss == found.book.max_loss + made.max_loss
    then, now = new.book, found.book
    assert then.greeks is not None and now.greeks is not None and then.greeks.delta > now.greeks.delta
    gaps = then.shocks[1].result, now.shocks[1].result
    assert gaps[0] is not None and gaps[1] is not None and gaps[0] < gaps[1]
    used = [
        next(use.used for use in each.limits if use.name is LimitName.OPEN_TRADES) for each in (found.book, new.book)
    ]
    assert used == [1, 2]


def test_a_close_or_an_opening_that_is_over_joins_nothing(store: Store) -> None:
    trade = books.rung(store, books.FRIDAYS[0])
    store.proposals.add(builders.close_proposal(trade.id, run_id=trade.run_id), body="{}", at=builders.NOW)
    stores.proposed(store, lapses_at=builders.later(minutes=30))
    assert load(store).new_trade is None


def test_a_trade_without_a_mark_is_said(store: Store) -> None:
    books.rung(store, books.FRIDAYS[0], iv=None)
    found = load(store)
    assert (found.book.unmarked, found.oldest_mark) == (("T1",), None)


def test_the_last_account_is_that_of_the_newest_run_that_has_one(store: Store) -> None:
    assert last_known_account(store) is None
    for number, net in enumerate(("100", "200")):
        run = stores.begun(store, at=builders.later(number))
        ruling = builders.ruling(account=builders.account(net_liquidation=D(net)), at=builders.later(number))
        store.decisions.save_ruling(run.id, ruling, builders.NOW)
    stores.begun(store, at=builders.later(9))
    known = last_known_account(store)
    assert known is not None
    assert (known[0].net_liquidation, known[1]) == (D(200), builders.later(1))


def test_sent_today_are_the_orders_of_the_market_day_that_the_limit_counts(store: Store) -> None:
    # An order on a recorded market is of the day of its quotes, for the counter as for the limit.
    stores.filled(store, market="recorded:demo")
    for days, sent in ((0, 1), (1, 0)):
        now = builders.later(hours=1, days=days)
        book = load_risk(store, builders.account(), Settings(), now).book
        assert next(use.used for use in book.limits if use.name is LimitName.SUBMITS_TODAY) == sent
