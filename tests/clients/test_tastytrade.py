"""The tastytrade client: the token's life, envelopes and errors, what is repeated and what never is, hidden secrets."""

import threading
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from spy32.clients.http import HttpFailure
from spy32.clients.tastytrade.oauth_session import MAX_MESSAGE_LENGTH
from spy32.errors import NotPermitted, ServiceGone, Spy32Error, Unavailable, Unusable
from tests.servers import web
from tests.servers.tastytrade import (
    CLIENT_SECRET,
    PAGE,
    REFRESH_TOKEN,
    TOKEN,
    Reply,
    Request,
    Rig,
    TastytradeServer,
    refusal,
)
from tests.support.timeouts import SOON

PATH = "/market-metrics"
ASKED = {"symbols": "SPY"}
SECRETS = (CLIENT_SECRET, REFRESH_TOKEN, TOKEN)


@pytest.fixture
def server() -> Iterator[TastytradeServer]:
    with TastytradeServer().running() as running:
        yield running


@pytest.fixture
def rig(server: TastytradeServer) -> Rig:
    return Rig(server)


def read(rig: Rig, seconds: float = 5) -> Any:
    return rig.rest.get(PATH, ASKED, seconds=seconds)


def failed(act: Callable[[], object]) -> Spy32Error:
    """The error of `act`, in which no secret stands, wherever a traceback would show it."""
    with pytest.raises(Spy32Error) as caught:
        act()
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value.args)
    assert not [secret for secret in SECRETS if secret in shown]
    assert "\n" not in caught.value.message
    return caught.value


def replaced(reply: Reply) -> web.Fault:
    return web.changed(lambda _: reply)


# The token.


def test_one_log_in_serves_many_reads(server: TastytradeServer, rig: Rig) -> None:
    for _ in range(3):
        assert read(rig)["items"][0]["symbol"] == "SPY"
    assert server.log_ins == 1
    asked = server.requests[0]
    assert (asked.method, asked.path) == ("POST", "/oauth/token")
    assert asked.json == {
        "grant_type": "refresh_token",
        "refresh_token": REFRESH_TOKEN,
        "client_secret": CLIENT_SECRET,
    }
    assert asked.headers["content-type"] == "application/json"
    assert "authorization" not in asked.headers
    assert {request.headers["authorization"] for request in server.requests[1:]} == {f"Bearer {TOKEN}.1"}


@pytest.mark.parametrize("clocks", [("wall_moved",), ("monotonic_moved",), ("wall_moved", "monotonic_moved")])
def test_a_token_is_renewed_a_minute_before_its_end_by_either_clock(
    server: TastytradeServer, rig: Rig, clocks: tuple[str, ...]
) -> None:
    read(rig)
    for moved, log_ins in ((830.0, 1), (845.0, 2)):
        for clock in clocks:
            setattr(rig, clock, moved)
        read(rig)
        assert server.log_ins == log_ins
    assert server.calls(PATH) == 3


def test_who_needs_more_time_gets_a_newer_token(server: TastytradeServer, rig: Rig) -> None:
    first = rig.session.get_token(5)
    rig.move(790)
    assert rig.session.get_token(5) == first
    assert rig.session.get_token(5, spare=120) != first
    assert server.log_ins == 2


def test_a_token_of_a_short_life_is_used_for_half_of_it(server: TastytradeServer, rig: Rig) -> None:
    server.token_seconds = 30
    for _ in range(3):
        read(rig)
    assert server.log_ins == 1
    rig.move(16)
    read(rig)
    assert server.log_ins == 2


def test_a_token_that_is_over_is_renewed_once_and_the_read_repeated(server: TastytradeServer, rig: Rig) -> None:
    read(rig)
    server.expire_tokens()
    assert read(rig)["items"][0]["symbol"] == "SPY"
    assert server.log_ins == 2
    assert server.calls(PATH) == 3


def test_a_new_token_that_is_refused_ends_it_for_good(server: TastytradeServer, rig: Rig) -> None:
    server.always[PATH] = replaced(refusal(401, "token_invalid", f"no good: Bearer {TOKEN}.2"))
    error = failed(lambda: read(rig))
    assert isinstance(error, NotPermitted)
    assert "token_invalid" in error.message
    assert "a new token was refused as well" in error.message
    asked = len(server.requests)
    assert (server.log_ins, server.calls(PATH)) == (2, 2)
    assert isinstance(failed(lambda: read(rig)), NotPermitted)
    assert len(server.requests) == asked


@pytest.mark.parametrize(
    ("secret", "refresh", "code"),
    [("planted-wrong-secret", REFRESH_TOKEN, "invalid_client"), (CLIENT_SECRET, "planted-wrong", "invalid_grant")],
)
def test_wrong_credentials_are_tried_once_and_never_again(
    server: TastytradeServer, secret: str, refresh: str, code: str
) -> None:
    rig = Rig(server, secret=secret, refresh=refresh)
    for _ in range(3):
        error = failed(lambda: read(rig))
        assert isinstance(error, NotPermitted)
        assert code in error.message
        assert "TASTYTRADE_CLIENT_SECRET and TASTYTRADE_REFRESH_TOKEN" in error.message
        assert "planted" not in error.message
        rig.move(10_000)
    assert server.paths() == ["/oauth/token"]


def test_an_echo_of_the_credentials_is_not_passed_on(server: TastytradeServer, rig: Rig) -> None:
    words = f"grant {REFRESH_TOKEN} of client {CLIENT_SECRET[:5]}\x07{CLIENT_SECRET[5:]} is revoked"
    body = {"error": "invalid_grant", "error_description": words}
    server.always["/oauth/token"] = replaced(Reply(status=400, body=body))
    error = failed(lambda: read(rig))
    assert "grant **** of client **** is revoked (invalid_grant)" in error.message


TROUBLE: list[tuple[str, web.Fault, type[Spy32Error], str]] = [
    ("500", replaced(refusal(500, "internal", "support id 77")), Unavailable, "HTTP 500: support id 77 (internal)"),
    ("502", replaced(Reply(status=502, body=PAGE, headers={"Content-Type": "text/html"})), Unavailable, "HTTP 502"),
    ("429", web.status(429), Unavailable, "HTTP 429"),
    ("302", web.status(302, headers={"Location": "http://127.0.0.1:9/"}), Unusable, "HTTP 302"),
    ("reset", web.reset, Unavailable, "ended the connection"),
    ("cut", web.cut, Unavailable, "ended the connection"),
    ("gzip", web.bad_gzip, Unavailable, "damaged"),
    ("hang", web.hang, Unavailable, "within"),
    ("page", web.html, Unusable, "no document"),
    ("list", replaced(Reply(body=[])), Unusable, "access_token"),
    ("no token", replaced(Reply(body={"expires_in": 900})), Unusable, "access_token"),
    ("line end", replaced(Reply(body={"access_token": "a\r\nX: y", "expires_in": 900})), Unusable, "access_token"),
    ("no life", replaced(Reply(body={"access_token": TOKEN})), Unusable, "expires_in"),
    ("true", replaced(Reply(body={"access_token": TOKEN, "expires_in": True})), Unusable, "expires_in"),
    ("text", replaced(Reply(body={"access_token": TOKEN, "expires_in": "900"})), Unusable, "expires_in"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("fault", "kind", "words"), [row[1:] for row in TROUBLE], ids=[row[0] for row in TROUBLE])
def test_a_token_service_in_trouble_is_left_alone_for_a_minute(
    server: TastytradeServer, rig: Rig, fault: web.Fault, kind: type[Spy32Error], words: str
) -> None:
    server.faults["/oauth/token"] = [fault]
    for _ in range(3):
        error = failed(lambda: read(rig, seconds=0.4))
        assert type(error) is kind
        assert words in error.message
    assert server.paths() == ["/oauth/token"]
    rig.move(61)
    assert read(rig)["items"]
    assert server.calls("/oauth/token") == 2


def test_a_refused_user_agent_is_named_and_not_taken_for_a_token(server: TastytradeServer, rig: Rig) -> None:
    page = Reply(status=401, body=PAGE.format("401 Authorization Required"), headers={"Content-Type": "text/html"})
    server.faults[PATH] = [replaced(page)]
    error = failed(lambda: read(rig))
    assert isinstance(error, NotPermitted)
    assert "User-Agent" in error.message
    assert server.log_ins == 1
    server.always["/oauth/token"] = replaced(page)
    error = failed(lambda: read(Rig(server)))
    assert isinstance(error, NotPermitted)
    assert "User-Agent" in error.message


def test_a_new_refresh_token_is_told_loudly_and_stays_hidden(server: TastytradeServer, rig: Rig) -> None:
    body = {"access_token": TOKEN, "expires_in": 900, "refresh_token": "planted-rotated", "id_token": "planted-id"}
    server.faults["/oauth/token"] = [replaced(Reply(body=body))]
    assert rig.session.get_token(5).reveal() == TOKEN
    assert len(rig.warned) == 1
    assert "planted" not in rig.warned[0]
    assert rig.session.redact("planted-rotated and planted-id") == "**** and ****"


def test_threads_share_one_log_in_and_one_renewal(server: TastytradeServer, rig: Rig) -> None:
    def all_at_once() -> list[object]:
        found: list[object] = []
        start = threading.Barrier(16)

        def act() -> None:
            start.wait(SOON)
            try:
                found.append(read(rig))
            except Spy32Error as error:
                found.append(error)

        threads = [threading.Thread(target=act) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        return found

    server.faults["/oauth/token"] = [web.late(0.1)]
    assert [type(each) for each in all_at_once()] == [dict] * 16
    assert server.log_ins == 1
    server.expire_tokens()
    assert [type(each) for each in all_at_once()] == [dict] * 16
    assert server.log_ins == 2


@pytest.mark.slow
def test_a_thread_waits_for_another_ones_log_in_only_as_long_as_it_may(server: TastytradeServer, rig: Rig) -> None:
    server.faults["/oauth/token"] = [web.late(0.6)]
    first = threading.Thread(target=lambda: read(rig))
    first.start()
    while not server.requests:
        pass
    seconds = web.elapsed(lambda: failed(lambda: read(rig, seconds=0.1)))
    assert seconds < 0.4
    first.join(5)
    assert server.log_ins == 1


def test_a_late_drop_does_not_take_the_token_of_another_thread(rig: Rig) -> None:
    old = rig.session.get_token(5)
    rig.session.discard_token(old)
    new = rig.session.get_token(5)
    rig.session.discard_token(old)
    assert rig.session.get_token(5) == new


# Reads.


def test_each_read_says_who_asks_and_which_version_it_speaks(server: TastytradeServer, rig: Rig) -> None:
    read(rig)
    headers = server.requests[-1].headers
    assert headers["user-agent"].startswith("spy32/")
    assert headers["accept"] == "application/json"
    assert headers["accept-version"] == "20261012"
    read(Rig(server, version=""))
    assert "accept-version" not in server.requests[-1].headers


def test_an_unknown_version_is_named(server: TastytradeServer) -> None:
    error = failed(lambda: read(Rig(server, version="20991231")))
    assert isinstance(error, ServiceGone)
    assert "The requested version is not supported. (406)" in error.message
    assert "Accept-Version 20991231" in error.message


PREFLIGHT = [{"code": "cant_buy_for_credit", "message": "You cannot buy for a credit."}]
VALIDATION = [{"domain": "price-effect", "reason": "is missing"}, "not an object"]
ERRORS: list[tuple[int, Any, type[Spy32Error], str]] = [
    (
        400,
        {"error": {"code": "bad_request", "message": "m"}},
        Unusable,
        "HTTP 400 for /market-metrics: m (bad_request)",
    ),
    (403, {"error": {"code": "not_permitted", "message": "no access"}}, NotPermitted, "no access (not_permitted)"),
    (404, {"error": {"code": "not_found", "message": "none"}}, ServiceGone, "none (not_found)"),
    (406, {"error": {"code": 406, "message": "not supported"}}, ServiceGone, "not supported (406); it no longer knows"),
    (410, "", ServiceGone, "HTTP 410"),
    (
        422,
        {"error": {"code": "preflight_check_failure", "message": "failed", "errors": PREFLIGHT}},
        Unusable,
        "failed (preflight_check_failure); You cannot buy for a credit. (cant_buy_for_credit)",
    ),
    (
        422,
        {"error": {"code": "validation_error", "message": "failed", "errors": VALIDATION}},
        Unusable,
        "failed (validation_error); is missing (price-effect)",
    ),
    (400, {"error": "invalid_request", "error_description": "odd"}, Unusable, "odd (invalid_request)"),
    (400, {"error": {"errors": {}}}, Unusable, "HTTP 400 for /market-metrics"),
    (400, {"error": {"code": None, "message": ["x"]}}, Unusable, "HTTP 400 for /market-metrics"),
    (400, [1], Unusable, "HTTP 400 for /market-metrics"),
    (400, "{", Unusable, "HTTP 400 for /market-metrics"),
    (418, PAGE, Unusable, "HTTP 418 for /market-metrics"),
    (301, "", Unusable, "HTTP 301 for /market-metrics"),
]


@pytest.mark.parametrize(("status", "body", "kind", "words"), ERRORS)
def test_an_error_is_read_in_every_form_and_not_repeated(
    server: TastytradeServer, rig: Rig, status: int, body: Any, kind: type[Spy32Error], words: str
) -> None:
    server.always[PATH] = web.status(status, body)
    error = failed(lambda: read(rig))
    assert type(error) is kind
    assert words in error.message
    assert "<" not in error.message
    assert server.calls(PATH) == 1
    assert rig.kept == []


def test_the_services_words_are_cleaned_shortened_and_without_secrets(server: TastytradeServer, rig: Rig) -> None:
    message = f"\x1b[31mred\x1b[0m\u202e\n{TOKEN}.1 and {CLIENT_SECRET}\r" + "y" * 500
    server.always[PATH] = replaced(refusal(422, "odd", message, [{"code": "x\x00y", "message": REFRESH_TOKEN * 9}]))
    error = failed(lambda: read(rig))
    assert "[31mred[0m **** and **** yyy" in error.message
    assert error.message.isprintable()
    assert len(error.message) < MAX_MESSAGE_LENGTH + 60


@pytest.mark.parametrize(
    "fault",
    [web.reset, web.cut, web.bad_gzip, web.html, web.status(503), web.status(429), web.status(502, PAGE)],
    ids=["reset", "cut", "gzip", "page", "503", "429", "502"],
)
def test_a_read_that_failed_is_tried_once_more(server: TastytradeServer, rig: Rig, fault: web.Fault) -> None:
    server.faults[PATH] = [fault]
    assert read(rig)["items"][0]["symbol"] == "SPY"
    assert server.calls(PATH) == 2
    server.always[PATH] = fault
    error = failed(lambda: read(rig))
    assert isinstance(error, Unusable if fault is web.html else Unavailable)
    assert server.calls(PATH) == 4
    assert server.log_ins == 1


def test_the_wait_that_the_service_asks_for_is_kept_when_there_is_time(server: TastytradeServer, rig: Rig) -> None:
    server.faults[PATH] = [web.status(429, headers={"Retry-After": "3"})]
    assert read(rig)["items"]
    assert rig.slept == [3.0]
    server.faults[PATH] = [web.status(429, headers={"Retry-After": "30"})]
    assert isinstance(failed(lambda: read(rig)), Unavailable)
    assert rig.slept == [3.0]


@pytest.mark.slow
@pytest.mark.parametrize("fault", [web.hang, web.drip, web.drip_head], ids=["hang", "drip", "drip_head"])
def test_a_read_ends_in_its_time(server: TastytradeServer, rig: Rig, fault: web.Fault) -> None:
    server.always[PATH] = fault
    assert web.elapsed(lambda: failed(lambda: read(rig, seconds=0.5))) < 1.5


def test_no_request_leaves_when_no_time_is_left(server: TastytradeServer, rig: Rig) -> None:
    assert isinstance(failed(lambda: read(rig, seconds=0)), Unavailable)
    rig.session.get_token(5)
    assert "no time is left for /market-metrics" in failed(lambda: read(rig, seconds=-1)).message
    assert server.paths() == ["/oauth/token"]


@pytest.mark.parametrize("body", [{}, {"items": []}, [], "1", {"error": {"code": "x", "message": "y"}}])
def test_what_has_no_data_is_no_answer(server: TastytradeServer, rig: Rig, body: Any) -> None:
    server.always[PATH] = replaced(Reply(body=body))
    error = failed(lambda: read(rig))
    assert isinstance(error, Unusable)
    assert "data" in error.message


def test_a_document_is_kept_without_the_token_that_the_service_sent_back(server: TastytradeServer, rig: Rig) -> None:
    server.always[PATH] = replaced(Reply(body={"data": {"items": []}, "you": f"{TOKEN}.1 {CLIENT_SECRET}"}))
    rig.rest.get(PATH, seconds=5)
    rig.rest.get(PATH, seconds=5, name="metrics-SPY")
    assert [name for name, _ in rig.kept] == ["market-metrics", "metrics-SPY"]
    for _, body in rig.kept:
        assert not [secret for secret in SECRETS if secret.encode() in body]
        assert b"****" in body


def test_nothing_shows_a_secret(rig: Rig) -> None:
    token = rig.session.get_token(5)
    shown = " ".join(map(repr, (rig.session, rig.rest, rig.http, token, vars(rig.session), vars(rig.rest))))
    assert not [secret for secret in SECRETS if secret in shown]


# Lists of several pages.


class Pages(TastytradeServer):
    """Five orders, two a page."""

    per_page = 2

    def routes(self) -> dict[str, Callable[..., Reply]]:
        return {**super().routes(), r"GET /orders": self._orders}

    def _orders(self, request: Request) -> Reply:
        offset = int(request.query.get("page-offset", "0"))
        rows = [{"id": number} for number in range(5)][offset * 2 : offset * 2 + 2]
        return Reply(
            body={"data": {"items": rows}, "pagination": {"page-offset": offset, "total-pages": 3, "total-items": 5}}
        )


def test_a_list_is_read_to_its_last_page() -> None:
    with Pages().running() as server:
        rig = Rig(server)
        found = rig.rest.items("/orders", {"sort": "Desc"}, seconds=5)
        assert [row["id"] for row in found] == [0, 1, 2, 3, 4]
        asked = [request.query for request in server.requests if request.path == "/orders"]
        assert [query.get("page-offset") for query in asked] == [None, "1", "2"]
        assert {query["sort"] for query in asked} == {"Desc"}


@pytest.mark.parametrize(
    ("pagination", "words"),
    [
        ({"page-offset": 1, "total-pages": 3}, "page 1 came"),
        ({"page-offset": "0", "total-pages": 3}, "page-offset"),
        ({"page-offset": 0}, "total-pages"),
        ([], "total-pages"),
    ],
)
def test_pages_that_make_no_sense_are_refused(pagination: Any, words: str) -> None:
    with Pages().running() as server:
        body = {"data": {"items": []}, "pagination": pagination}
        server.always["/orders"] = replaced(Reply(body=body))
        error = failed(lambda: Rig(server).rest.items("/orders", seconds=5))
        assert isinstance(error, Unusable)
        assert words in error.message


def test_pages_without_end_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spy32.clients.tastytrade.rest.MAX_PAGES", 4)

    class Endless(Pages):
        def _orders(self, request: Request) -> Reply:
            offset = int(request.query.get("page-offset", "0"))
            return Reply(body={"data": {"items": []}, "pagination": {"page-offset": offset, "total-pages": offset + 2}})

    with Endless().running() as server:
        assert isinstance(failed(lambda: Rig(server).rest.items("/orders", seconds=20)), Unusable)
        assert server.calls("/orders") == 4


def test_a_list_that_is_none_is_refused(server: TastytradeServer, rig: Rig) -> None:
    for data in ({}, {"items": {}}, []):
        server.faults[PATH] = [replaced(Reply(body={"data": data}))]
        error = failed(lambda: rig.rest.items(PATH, seconds=5))
        assert isinstance(error, Unusable)
        assert "items" in error.message
    assert rig.rest.items(PATH, ASKED, seconds=5)[0]["symbol"] == "SPY"


# One request and no more: the ground of a write.


@pytest.mark.parametrize("status", [200, 401, 422, 429, 503])
def test_what_is_sent_is_sent_once_and_its_answer_handed_over(server: TastytradeServer, rig: Rig, status: int) -> None:
    server.always["/accounts"] = web.status(status, {"error": {"code": "odd", "message": f"{TOKEN}.1"}})
    answer = rig.rest.send("POST", "/accounts/5WX01234/orders", seconds=5, data=b'{"a": 1}')
    assert answer.status == status
    assert rig.rest.session.error_lines(answer) == ("**** (odd)",)
    assert server.calls("/accounts") == 1
    assert server.log_ins == 1
    assert server.requests[-1].body == b'{"a": 1}'


@pytest.mark.slow
@pytest.mark.parametrize("fault", [web.reset, web.cut, web.hang], ids=["reset", "cut", "hang"])
def test_a_lost_answer_is_told_and_not_repeated(server: TastytradeServer, rig: Rig, fault: web.Fault) -> None:
    server.always["/accounts"] = fault
    with pytest.raises(HttpFailure) as caught:
        rig.rest.send("POST", "/accounts/5WX01234/orders", seconds=0.5, data=b"{}")
    assert caught.value.was_sent
    assert server.calls("/accounts") == 1
