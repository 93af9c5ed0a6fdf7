"""A database that cannot be used: told once a New York day, also where no marker can be made."""

import time
from datetime import timedelta
from pathlib import Path

from spy32.domain.notices import EventClass
from spy32.domain.spreads import Mode
from spy32.errors import Unavailable
from spy32.ops.outbox import StoreErrorMarker, send_store_error
from tests.support.builders import NOW
from tests.support.fake_notifier import FakeNotifier


def tell(folder: Path, *notifiers: FakeNotifier, hours: float = 0) -> dict[str, str | None]:
    marker = StoreErrorMarker(folder=folder, mode=Mode.PAPER, day=NOW + timedelta(hours=hours))
    return send_store_error("the disk is full", [each.target() for each in notifiers], marker, time.monotonic)


def test_it_is_told_once_a_day_to_whoever_wants_trouble(tmp_path: Path) -> None:
    mail, trades = FakeNotifier("mail"), FakeNotifier("trades", classes=(EventClass.TRADE,))
    monitor = FakeNotifier("ping", classes=(EventClass.PING,))
    found = [tell(tmp_path / "state", mail, trades, monitor, hours=hours) for hours in (0, 0.25, 24, 24.25)]
    assert found == [{"mail": None, "ping": None}, {}] * 2
    assert mail.got == ["[PAPER] the database cannot be used"] * 2 and trades.got == []
    assert monitor.got == ["ping: store, code 74"] * 2
    assert len(list((tmp_path / "state").iterdir())) == 1


def test_when_nobody_took_it_the_next_start_tries_again(tmp_path: Path) -> None:
    mail = FakeNotifier("mail", trouble=Unavailable("status 500"))
    assert tell(tmp_path, mail) == {"mail": "status 500"}
    mail.trouble = None
    assert tell(tmp_path, mail) == {"mail": None}
    assert tell(tmp_path, mail) == {}


def test_where_no_marker_can_be_made_only_the_monitor_is_told(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file in the place of the folder")
    mail, monitor = FakeNotifier("mail"), FakeNotifier("ping", classes=(EventClass.PING,))
    assert [tell(tmp_path / "state", mail, monitor) for _ in range(2)] == [{"ping": None}] * 2
    assert mail.got == []
