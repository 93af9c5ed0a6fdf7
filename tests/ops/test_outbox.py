"""Sending what waits: each notice once to each address that wants it, in bounded time, whatever an address does."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from spy32.domain.notices import EventClass, NoticeKind
from spy32.domain.spreads import Mode
from spy32.errors import BadSettings, Unavailable
from spy32.ops import outbox as module
from spy32.ops.outbox import OUTBOX_LOCK, Outbox, try_targets
from spy32.store import Store
from tests.support.builders import NOW, later, notice_text
from tests.support.fake_notifier import FakeNotifier
from tests.support.fakes import FakeLocks, ManualClock
from tests.support.stores import opened


@dataclass
class Desk:
    store: Store
    clock: ManualClock = field(default_factory=ManualClock)
    locks: FakeLocks = field(default_factory=FakeLocks)

    def outbox(self, *notifiers: FakeNotifier, make_page: Callable[[], str] | None = None) -> Outbox:
        return Outbox(
            notices=self.store.notices,
            targets=[each.target() for each in notifiers],
            locks=self.locks,
            clock=self.clock,
            monotonic=time.monotonic,
            make_page=make_page,
        )

    def queue(self, *subjects: str, kind: NoticeKind = NoticeKind.NO_TRADE) -> list[int]:
        return [self.store.notices.add(notice_text(subject, kind=kind), NOW) for subject in subjects]

    def waiting(self) -> list[str]:
        return [notice.subject for notice in self.store.notices.select_pending(self.clock())]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with opened(tmp_path / "paper.db") as store:
        yield Desk(store)


def test_what_waits_is_sent_once_and_in_order(desk: Desk) -> None:
    mail = FakeNotifier()
    desk.queue("first", "second")
    deliveries = desk.outbox(mail).flush()
    assert mail.got == ["first", "second"] and desk.waiting() == []
    assert [(delivery.label, delivery.error) for delivery in deliveries] == [("mail", None)] * 2
    assert desk.outbox(mail).flush() == () and len(mail.got) == 2


def test_the_weekly_summary_and_no_other_notice_takes_the_page_along(desk: Desk) -> None:
    made: list[str] = []

    def make_page() -> str:
        made.append("<p>page</p>")
        return made[-1]

    mail = FakeNotifier()
    desk.queue("no trade")
    desk.outbox(mail, make_page=make_page).flush()
    assert made == []
    desk.queue("week", kind=NoticeKind.WEEK)
    desk.outbox(mail, make_page=make_page).flush()
    assert [(notice.subject, notice.page) for notice in mail.notices] == [("no trade", ""), ("week", "<p>page</p>")]
    assert desk.store.notices.select_newest(1)[0].page == ""


@pytest.mark.parametrize(
    ("trouble", "reason"), [(Unavailable("no close"), "no close."), (KeyError("x"), "a defect (KeyError).")]
)
def test_a_page_that_cannot_be_made_loses_no_notice(desk: Desk, trouble: Exception, reason: str) -> None:
    def make_page() -> str:
        raise trouble

    mail = FakeNotifier()
    desk.queue("week", kind=NoticeKind.WEEK)
    desk.outbox(mail, make_page=make_page).flush()
    assert desk.waiting() == [] and mail.notices[0].page == ""
    assert mail.notices[0].body.endswith(f"The report's page could not be made: {reason}")


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        ((EventClass.TRADE,), ["proposed"]),
        ((EventClass.TROUBLE,), ["failed"]),
        ((EventClass.WEEKLY,), ["no_trade"]),
        ((EventClass.TRADE, EventClass.TROUBLE), ["proposed", "failed"]),
        ((EventClass.ALWAYS,), ["proposed", "failed", "no_trade"]),
        ((EventClass.PING,), ["ping_ok"]),
    ],
)
def test_an_address_gets_the_classes_of_events_that_it_asks_for(
    desk: Desk, classes: tuple[EventClass, ...], expected: list[str]
) -> None:
    for kind in (NoticeKind.PROPOSED, NoticeKind.FAILED, NoticeKind.NO_TRADE, NoticeKind.PING_OK):
        desk.queue(kind.value, kind=kind)
    phone = FakeNotifier(classes=classes)
    desk.outbox(phone).flush()
    assert phone.got == expected


def test_what_one_address_refused_goes_to_that_one_only_with_the_next_command(desk: Desk) -> None:
    mail, phone = FakeNotifier("mail"), FakeNotifier("phone", trouble=Unavailable("status 429"))
    (number,) = desk.queue("first")
    desk.outbox(mail, phone).flush()
    assert desk.waiting() == ["first"] and desk.store.notices.get(number).error == "phone: status 429"
    phone.trouble = None
    desk.outbox(mail, phone).flush()
    assert (mail.got, phone.got, desk.waiting()) == (["first"], ["first"], [])
    assert desk.store.notices.get(number).tries == 2


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda phone: setattr(phone, "trouble", Unavailable("refused")), "refused"),
        (lambda phone: setattr(phone, "trouble", KeyError("secret")), "the notifier stumbled (KeyError)"),
        (lambda phone: setattr(phone, "unusable", BadSettings("wrong address")), "wrong address"),
    ],
    ids=["refuses", "stumbles", "wrong address"],
)
def test_an_address_that_fails_is_left_alone_and_takes_nothing_from_the_others(
    desk: Desk, change: Callable[[FakeNotifier], None], reason: str
) -> None:
    mail, phone = FakeNotifier("mail"), FakeNotifier("phone")
    change(phone)
    numbers = desk.queue("first", "second")
    desk.outbox(phone, mail).flush()
    assert mail.got == ["first", "second"] and desk.waiting() == ["first", "second"]
    assert {desk.store.notices.get(number).error for number in numbers} == {f"phone: {reason}"}


def test_an_address_that_hangs_holds_nobody_longer_than_its_time(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ADDRESS_SECONDS", 0.2)
    release = threading.Event()
    mail, slow = FakeNotifier("mail"), FakeNotifier("slow", holds=release)
    (number,) = desk.queue("first")
    began = time.monotonic()
    desk.outbox(slow, mail).flush()
    release.set()
    assert time.monotonic() - began < 5
    assert mail.got == ["first"] and "slow: no answer" in desk.store.notices.get(number).error


def test_five_addresses_that_hang_take_no_longer_than_one(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ADDRESS_SECONDS", 0.5)
    release = threading.Event()
    desk.queue("first")
    began = time.monotonic()
    desk.outbox(*(FakeNotifier(f"slow{number}", holds=release) for number in range(20))).flush()
    release.set()
    assert time.monotonic() - began < 5


def test_while_another_process_sends_nothing_is_sent(desk: Desk) -> None:
    mail = FakeNotifier()
    desk.queue("first")
    desk.locks.busy.add(OUTBOX_LOCK)
    assert desk.outbox(mail).flush() == () and mail.got == [] and desk.waiting() == ["first"]


def test_after_a_day_nothing_is_sent_any_more(desk: Desk) -> None:
    mail = FakeNotifier(trouble=Unavailable("dead"))
    desk.queue("first")
    desk.outbox(mail).flush()
    mail.trouble, desk.clock.at = None, later(hours=25)
    assert desk.outbox(mail).flush() == () and mail.got == []


def test_what_no_address_wants_is_put_away(desk: Desk) -> None:
    phone = FakeNotifier(classes=(EventClass.TROUBLE,))
    (number,) = desk.queue("nothing this week")
    assert desk.outbox(phone).flush() == () and phone.got == [] and desk.waiting() == []
    assert desk.store.notices.labels_served(number) == frozenset()


def test_without_an_address_everything_stays_as_it_is(desk: Desk) -> None:
    desk.queue("first")
    assert desk.outbox().flush() == () and desk.waiting() == ["first"] and desk.locks.held == []


def test_a_test_goes_past_the_outbox_and_says_how_each_address_took_it() -> None:
    mail, phone = FakeNotifier("mail"), FakeNotifier("phone", trouble=Unavailable("status 403"))
    results = try_targets([mail.target(), phone.target()], Mode.LIVE, NOW, time.monotonic)
    assert [(result.label, result.error) for result in results] == [("mail", None), ("phone", "status 403")]
    assert mail.got == ["[LIVE] spy32 can reach mail"]
