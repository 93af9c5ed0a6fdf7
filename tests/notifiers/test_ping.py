"""Which address of a monitor is called, with which `rid` and body."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from spy32.domain.notices import NoticeKind
from spy32.errors import Unavailable
from spy32.notifiers.ping import PingNotifier
from spy32.settings.knob import Secret
from spy32.settings.services import Ping
from spy32.wiring.notifiers import build_client
from tests.servers.push import PushServer
from tests.servers.web import html, reset, status
from tests.support.sample_notices import SAMPLES, stored

OK = stored(SAMPLES["ping"])
FAIL = replace(OK, kind=NoticeKind.PING_FAIL, body="skipped missed, code 0, R31")


@pytest.fixture
def server() -> Iterator[PushServer]:
    made = PushServer()
    with made.running():
        yield made


def notifier(**addresses: str) -> PingNotifier:
    return PingNotifier(Ping(**{name: Secret(url) for name, url in addresses.items()}), build_client)


def calls(server: PushServer) -> list[str]:
    return [request.path for request in server.requests]


def test_a_base_address_has_an_end_for_each_event(server: PushServer) -> None:
    monitor = notifier(url=f"{server.ping}/?create=1")
    monitor.start("rid-1")
    monitor.send(OK)
    monitor.send(FAIL)
    assert monitor.log("hello")
    assert calls(server) == ["/ping/5f0c/start", "/ping/5f0c", "/ping/5f0c/fail", "/ping/5f0c/log"]
    assert [request.query.get("rid") for request in server.requests] == ["rid-1", OK.about, OK.about, None]
    assert {request.query["create"] for request in server.requests} == {"1"}
    assert [request.body for request in server.requests] == [b"", OK.body.encode(), FAIL.body.encode(), b"hello"]
    assert {request.method for request in server.requests} == {"POST"}


def test_an_address_of_its_own_wins_and_is_called_as_it_is(server: PushServer) -> None:
    monitor = notifier(url=server.ping, ok=f"{server.url}/push/abc?status=up&msg=OK")
    monitor.send(OK)
    monitor.send(FAIL)
    assert calls(server) == ["/push/abc", "/ping/5f0c/fail"]
    assert server.requests[0].query == {"status": "up", "msg": "OK", "rid": OK.about}


def test_an_event_without_an_address_calls_nobody(server: PushServer) -> None:
    monitor = notifier(ok=server.ping)
    monitor.start("rid-1")
    monitor.send(FAIL)
    assert not monitor.log("hello") and calls(server) == []


@pytest.mark.parametrize("fault", [status(404), status(409), status(500), reset], ids=["404", "409", "500", "reset"])
def test_a_ping_that_is_not_taken_is_sent_again_later(server: PushServer, fault: object) -> None:
    server.always["/ping"] = fault  # type: ignore[assignment]
    with pytest.raises(Unavailable):
        notifier(url=server.ping).send(OK)


def test_any_answer_of_success_will_do(server: PushServer) -> None:
    server.always["/ping"] = html
    notifier(url=server.ping).send(OK)
