"""The outbox: what waits, what each address has taken, and when a notice is too old."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from spy32.domain.notices import NOTICE_LIFE, NoticeKind
from spy32.domain.spreads import Mode
from spy32.errors import BadUsage
from spy32.store import Store
from tests.support.builders import NOW, fills, later, notice_text
from tests.support.stores import FEES, begun, closing, filled, opened

ACCOUNT = "5WX01234"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with opened(tmp_path / "paper.db") as found:
        yield found


def test_a_notice_waits_until_it_is_sent(store: Store) -> None:
    run = begun(store)
    first = store.notices.add(notice_text(), NOW, run_id=run.id)
    second = store.notices.add(notice_text("other"), NOW + timedelta(seconds=1))
    store.notices.record_failure(first, "mail: no answer", later(5))
    waiting = store.notices.select_pending(later(6))
    assert [notice.id for notice in waiting] == [first, second]
    notice = waiting[0]
    assert (notice.subject, notice.short, notice.body) == ("subject", "subject in short", "body")
    assert (notice.tries, notice.error, notice.run_id) == (1, "mail: no answer", run.id)
    store.notices.mark_sent(first, later(6))
    assert [notice.id for notice in store.notices.select_pending(later(6))] == [second]
    assert [notice.id for notice in store.notices.select_newest(9)] == [second, first]
    with pytest.raises(BadUsage):
        store.notices.mark_sent(99, NOW)


def test_an_address_takes_a_notice_once(store: Store) -> None:
    number = store.notices.add(notice_text(), NOW)
    for label in ("mail", "phone", "mail"):
        store.notices.record_delivery(number, label, later(5))
    assert store.notices.labels_served(number) == {"mail", "phone"}
    assert store.audit.verify().broken is None


def test_after_a_day_a_notice_is_given_up_whether_it_was_tried_or_not(store: Store) -> None:
    tried = store.notices.add(notice_text(), NOW)
    store.notices.record_failure(tried, "mail: no answer", NOW)
    untried = store.notices.add(notice_text("never tried"), NOW)
    last, after = NOW + NOTICE_LIFE, NOW + NOTICE_LIFE + timedelta(seconds=1)
    assert len(store.notices.select_pending(last)) == 2 and store.notices.find_given_up(last) is None
    assert store.notices.select_pending(after) == ()
    newest, newest_tried = store.notices.find_given_up(after), store.notices.find_given_up(after, tried_only=True)
    assert newest is not None and newest.id == untried and newest.is_given_up(after)
    assert newest_tried is not None and newest_tried.id == tried


def test_a_notice_is_as_old_as_the_process_says_and_not_its_market(store: Store) -> None:
    store.core.process_clock = lambda: later(days=90)
    number = store.notices.add(notice_text(), NOW)
    assert store.notices.get(number).created_at == later(days=90)


def test_a_notice_names_no_account_whoever_named_it(tmp_path: Path) -> None:
    words = f"the broker says: {ACCOUNT} is restricted"
    with opened(tmp_path / "live.db", mode=Mode.LIVE, account=ACCOUNT) as store:
        number = store.notices.add(notice_text(words, short=words, body=words), NOW)
        notice = store.notices.get(number)
    assert ACCOUNT not in f"{notice}" and "**** is restricted" in notice.body


def test_the_newest_of_a_kind_about_something_is_found(store: Store) -> None:
    store.notices.add(notice_text(kind=NoticeKind.LAPSING, about="P1"), NOW)
    newest = store.notices.add(notice_text(kind=NoticeKind.LAPSING, about="P1"), NOW)
    store.notices.add(notice_text(kind=NoticeKind.PROPOSED, about="P1"), NOW)
    found = store.notices.find_latest(NoticeKind.LAPSING, "P1")
    assert found is not None and found.id == newest
    assert store.notices.find_latest(NoticeKind.LAPSING, "P2") is None


def test_the_end_of_a_trade_is_committed_with_its_notice(store: Store) -> None:
    _, trade = filled(store)
    _, order = closing(store, trade)
    assert store.notices.select_pending(NOW) == ()
    bought = fills(trade.closing_legs, prices=("4.40", "4.10"), prefix="X")
    store.trades.record_fills(order.id, bought, fees=FEES, at=later(minutes=20))
    (notice,) = store.notices.select_pending(NOW)
    assert (notice.kind, notice.about, notice.run_id) == (NoticeKind.CLOSED, f"T{trade.id}", trade.run_id)
    assert "+$47 after fees" in notice.short
    store.trades.record_fills(order.id, bought, fees=FEES, at=later(minutes=21))
    assert len(store.notices.select_pending(NOW)) == 1
