"""Writes of the tastytrade broker: one request, what its answer means, and what never leaves later."""

import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from spy32.brokers.tastytrade import MAX_MESSAGE_LENGTH, TastytradeBroker
from spy32.clients.http import HttpClient
from spy32.clients.tastytrade.rest import OneShotSession, WithdrawableBody
from spy32.errors import (
    BrokerRefused,
    Unavailable,
    Unresolved,
)
from spy32.lifecycle import OrderState
from tests.servers import web
from tests.servers.tastytrade import TOKEN, Reply, Rig, page, refusal
from tests.support.tastytrade_broker import (
    INNER,
    NUMBER,
    ONE,
    ORDERS,
    Scripted,
    body,
    dry_row,
    failed,
    made,
    order_row,
    replaced,
)

pytestmark = pytest.mark.slow

# Submitting.


def test_an_order_is_sent_once_exactly_as_it_was_committed(server: Scripted, broker: TastytradeBroker) -> None:
    server.says(f"POST {ORDERS}", {"order": order_row(status="Routed"), "warnings": []}, 201)
    seen = broker.submit(body())
    assert (seen.broker_id, seen.state, seen.status) == ("480001", OrderState.WORKING, "Routed")
    (sent,) = server.sent()
    assert sent.body == body().encode()
    assert sent.headers["content-length"] == str(len(body().encode()))
    assert sent.headers["content-type"] == "application/json"
    assert "transfer-encoding" not in sent.headers


def test_an_order_that_is_rejected_at_once_is_final(server: Scripted, broker: TastytradeBroker) -> None:
    server.says(f"POST {ORDERS}", {"order": order_row(status="Rejected", reject_reason="Session offline")}, 201)
    seen = broker.submit(body())
    assert (seen.state, seen.reason) == (OrderState.REJECTED, "Session offline")


WRITES: dict[str, tuple[str, Callable[[TastytradeBroker], object]]] = {
    "submit": (ORDERS, lambda broker: broker.submit(body())),
    "replace": (ONE, lambda broker: broker.replace("480001", body())),
    "cancel": (ONE, lambda broker: broker.cancel("480001")),
}
EVERY_WRITE = pytest.mark.parametrize(("path", "act"), WRITES.values(), ids=WRITES)


@EVERY_WRITE
@pytest.mark.parametrize("status", [400, 401, 403, 404, 406, 422])
def test_a_refusal_of_the_service_is_definite_and_whole(
    server: Scripted, broker: TastytradeBroker, path: str, act: Callable[[TastytradeBroker], object], status: int
) -> None:
    server.always[path] = replaced(refusal(status, "preflight_check_failure", f"\x1b[1mNo {NUMBER}\n{TOKEN}.1", INNER))
    error = failed(lambda: act(broker))
    assert type(error) is BrokerRefused
    assert f"HTTP {status}" in error.message
    assert "No …1234 **** (preflight_check_failure)" in error.message
    assert "Too little. (margin_check_failed); is missing (price-effect)" in error.message
    assert server.calls(path) == 1
    assert server.log_ins == 1


def test_a_refusal_of_many_words_is_capped(server: Scripted, broker: TastytradeBroker) -> None:
    inner = [{"code": f"code_{number}", "message": "x" * 300} for number in range(50)]
    server.always[ORDERS] = replaced(refusal(422, "preflight_check_failure", "no", inner))
    assert len(failed(lambda: broker.submit(body())).message) <= MAX_MESSAGE_LENGTH


ODD_BODIES: list[Any] = ["", "{", "[]", "null", '{"error": {}}', '{"error": 7}', '{"data": {}}', "<html>no</html>"]


@EVERY_WRITE
@pytest.mark.parametrize("status", [400, 401, 403, 404, 406, 422])
@pytest.mark.parametrize("odd", ODD_BODIES)
def test_a_refusal_that_is_not_the_services_own_proves_nothing(
    server: Scripted,
    broker: TastytradeBroker,
    path: str,
    act: Callable[[TastytradeBroker], object],
    status: int,
    odd: str,
) -> None:
    server.always[path] = web.status(status, odd)
    error = failed(lambda: act(broker))
    assert type(error) is Unresolved
    assert f"HTTP {status}" in error.message
    assert server.calls(path) == 1


@EVERY_WRITE
@pytest.mark.parametrize("status", [301, 302, 304, 402, 405, 408, 409, 418, 425, 429, 500, 502, 503, 504, 520])
def test_what_may_be_a_taken_order_is_unresolved_and_not_repeated(
    server: Scripted, broker: TastytradeBroker, path: str, act: Callable[[TastytradeBroker], object], status: int
) -> None:
    server.always[path] = replaced(Reply(status=status, body={"error": {"code": "x", "message": f"for {NUMBER}"}}))
    error = failed(lambda: act(broker))
    assert type(error) is Unresolved
    assert server.calls(path) == 1
    server.always[path] = replaced(page(status, f"{status} {NUMBER}"))
    assert type(failed(lambda: act(broker))) is Unresolved
    assert server.calls(path) == 2


@EVERY_WRITE
@pytest.mark.parametrize(
    "fault",
    [web.hang, web.drip_head, web.reset, web.cut, web.bad_gzip, web.html],
    ids=["hang", "drip", "reset", "cut", "gzip", "page"],
)
def test_a_lost_answer_is_unresolved_and_not_repeated(
    server: Scripted, rig: Rig, path: str, act: Callable[[TastytradeBroker], object], fault: web.Fault
) -> None:
    server.says(f"POST {path}", {"order": order_row(status="Routed")}, 201)
    server.always[path] = fault
    assert type(failed(lambda: act(made(rig, seconds=0.6)))) is Unresolved
    assert server.calls(path) == 1


GOOD_BUT_ODD: list[Any] = [
    "", "{", "[]", "7", '{"data": null}', '{"data": []}', '{"data": {"order": {}}}', '{"data": {"order": null}}',
    {"data": {"order": order_row(id=None)}}, {"data": {"order": order_row(id=0)}},
    {"data": {"order": order_row(id=[])}}, {"data": {"order": {"id": 480001}}},
    {"data": {"order": order_row(account_number="5WX09999")}},
    {"data": {"errors": INNER, "order": None}}, {"error": {"code": "x", "message": "y"}},
    '{"data": {"id": 1, "id": 2}}', '{"data": {"id": NaN}}',
]  # fmt: skip


@EVERY_WRITE
@pytest.mark.parametrize("status", [200, 201, 204])
@pytest.mark.parametrize("odd", GOOD_BUT_ODD, ids=range(len(GOOD_BUT_ODD)))
def test_success_without_an_order_is_unresolved(
    server: Scripted,
    broker: TastytradeBroker,
    path: str,
    act: Callable[[TastytradeBroker], object],
    status: int,
    odd: Any,
) -> None:
    server.always[path] = web.status(status, b"" if status == 204 else odd)
    assert type(failed(lambda: act(broker))) is Unresolved
    assert server.calls(path) == 1


def test_an_answer_about_another_order_is_unresolved(server: Scripted, broker: TastytradeBroker) -> None:
    server.says(f"POST {ORDERS}", {"order": order_row(external_identifier="other")}, 201)
    assert type(failed(lambda: broker.submit(body()))) is Unresolved
    server.says(f"POST {ORDERS}", {"order": order_row(external_identifier=None)}, 201)
    assert broker.submit(body()).reference == ""
    for other in (order_row(), order_row(id=480002, replaces_order_id=480009)):
        server.says(f"PATCH {ONE}", other)
        assert type(failed(lambda: broker.replace("480001", body()))) is Unresolved
    server.says(f"DELETE {ONE}", order_row(id=480002))
    assert type(failed(lambda: broker.cancel("480001"))) is Unresolved


def closed_port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


@EVERY_WRITE
def test_nothing_was_sent_where_nobody_listens(
    server: Scripted, rig: Rig, path: str, act: Callable[[TastytradeBroker], object]
) -> None:
    rig.rest.session.get_token(5)
    for base in (closed_port(), "http://no-such-host.invalid", "http://[bad"):
        rig.http.base = base
        error = failed(lambda: act(made(rig)))
        assert type(error) is Unavailable
        assert "nothing was sent" in error.message
    assert server.calls(path) == 0


@EVERY_WRITE
@pytest.mark.parametrize("status", [400, 401, 503])
def test_nothing_was_sent_without_a_token(
    server: Scripted, broker: TastytradeBroker, path: str, act: Callable[[TastytradeBroker], object], status: int
) -> None:
    server.always["/oauth/token"] = web.status(status, {"error": "invalid_grant", "error_description": "revoked"})
    error = failed(lambda: act(broker))
    assert type(error) is Unavailable
    assert "nothing was sent" in error.message
    assert server.calls(path) == 0


def test_an_order_leaves_with_a_token_that_has_two_minutes_left(server: Scripted, rig: Rig) -> None:
    broker = made(rig)
    server.says(f"POST {ORDERS}", {"order": order_row()}, 201)
    server.says(f"POST {ORDERS}/dry-run", dry_row(), 201)
    broker.submit(body())
    for moved, log_ins in ((770, 1), (15, 2)):
        rig.move(moved)
        broker.submit(body())
        assert server.log_ins == log_ins
    rig.move(700)
    broker.dry_run(body())
    rig.move(60)
    broker.submit(body())
    assert server.log_ins == 3


def test_every_write_has_a_connection_of_its_own(
    server: Scripted, broker: TastytradeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[OneShotSession] = []
    send = OneShotSession.send

    def noted(self: OneShotSession, *given: Any, **named: Any) -> Any:
        used.append(self)
        return send(self, *given, **named)

    monkeypatch.setattr(OneShotSession, "send", noted)
    server.says(f"POST {ORDERS}", {"order": order_row()}, 201)
    for _ in range(3):
        broker.submit(body())
    assert len({id(each) for each in used}) == 3
    assert len(server.sent()) == 3


# What has not left when nobody waits any more.


def test_an_order_that_still_looks_for_its_way_never_leaves_later(
    server: Scripted, rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow name server: the answer comes after the order was given up, and must not send it then."""
    server.says(f"POST {ORDERS}", {"order": order_row()}, 201)
    rig.rest.session.get_token(5)
    before = set(threading.enumerate())
    real = socket.getaddrinfo

    def slow(*given: Any, **named: Any) -> Any:
        time.sleep(0.7)
        return real(*given, **named)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    error = failed(lambda: made(rig, seconds=0.3).submit(body()))
    assert type(error) is Unavailable
    assert "nothing was sent" in error.message
    for thread in set(threading.enumerate()) - before:
        thread.join(3)
    assert [each.body for each in server.sent() if each.body] == []


def test_an_interrupted_order_does_not_leave_later(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    bodies: list[WithdrawableBody] = []
    start = OneShotSession.__init__

    def noted(self: OneShotSession, body: WithdrawableBody) -> None:
        bodies.append(body)
        start(self, body)

    def interrupted(self: HttpClient, *given: Any, **named: Any) -> Any:
        raise KeyboardInterrupt

    rig.session.get_token(5)
    monkeypatch.setattr(OneShotSession, "__init__", noted)
    monkeypatch.setattr(HttpClient, "send_request", interrupted)
    with pytest.raises(KeyboardInterrupt):
        made(rig).submit(body())
    with pytest.raises(OSError, match="nobody waits"):
        bodies[0].read()


def test_a_body_is_handed_over_once_or_never() -> None:
    whole = WithdrawableBody(b"abc")
    assert (whole.read(1), whole.read(1)) == (b"abc", b"")
    assert not whole.withdraw()
    assert whole.read() == b""
    held = WithdrawableBody(b"abc")
    assert held.withdraw()
    with pytest.raises(OSError, match="nobody waits"):
        held.read()
    assert not WithdrawableBody(None).withdraw()


# Replacing and cancelling.


def test_a_replacement_is_an_edit_without_legs_and_with_our_next_reference(
    server: Scripted, broker: TastytradeBroker
) -> None:
    after = order_row(id=480002, status="Contingent", replaces_order_id=480001, price="1.04")
    server.says(f"PATCH {ONE}", after)
    seen = broker.replace("480001", body("spy32-P1-A1-abcdef-2"))
    assert (seen.broker_id, seen.replaces, seen.state) == ("480002", "480001", OrderState.WORKING)
    (sent,) = server.sent("PATCH")
    assert sent.json == {
        "time-in-force": "Day",
        "order-type": "Limit",
        "price": "1.05",
        "price-effect": "Credit",
        "source": "spy32",
        "external-identifier": "spy32-P1-A1-abcdef-2",
    }


def test_a_cancelled_order_may_still_be_on_its_way(server: Scripted, broker: TastytradeBroker) -> None:
    server.says(f"DELETE {ONE}", order_row(status="Cancel Requested"))
    assert broker.cancel("480001").state is OrderState.WORKING
    server.says(f"DELETE {ONE}", {"order": order_row(status="Cancelled")})
    assert broker.cancel("480001").state is OrderState.CANCELLED
    assert [each.body for each in server.sent("DELETE")] == [b"", b""]
