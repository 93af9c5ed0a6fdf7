"""One service over HTTP: what is sent, what each answer means, how long it may take, and that no secret gets out."""

import gzip
import json
import socket
import threading
import time
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
import urllib3
from hypothesis import given
from hypothesis import strategies as st

from spy32 import __version__
from spy32.clients import retry
from spy32.clients.http import HttpClient, HttpFailure, HttpResponse, error_kind, parse_strict_json
from spy32.errors import NotPermitted, ServiceGone, Spy32Error, Unavailable, Unusable
from tests.servers.web import (
    Fault,
    Handler,
    Reply,
    Request,
    StandIn,
    bad_gzip,
    changed,
    cut,
    drip,
    drip_head,
    hang,
    html,
    late,
    reset,
    status,
)
from tests.support.timeouts import NEVER, SOON

NOW = datetime(2025, 8, 25, 14, 0, tzinfo=UTC)
SECRET = "xai-PLANTED-SECRET-7f3a"
"""Stands in every place where a secret may be sent."""


class Echo(StandIn):
    """Says what it was asked."""

    def answer(self, request: Request) -> Reply:
        return Reply(body={"path": request.path, "query": dict(request.query), "method": request.method})


@pytest.fixture
def server() -> Iterator[Echo]:
    with Echo().running() as running:
        assert isinstance(running, Echo)
        yield running


class Slept(list[float]):
    """A sleep that takes no time and remembers."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


def http_to(url: str, **more: Any) -> HttpClient:
    parts = {"sleep": Slept(), "clock": lambda: NOW, "monotonic": time.monotonic, **more}
    return HttpClient(service="echo", base=url, **parts)


def failure(http: HttpClient, path: str = "/x", *, seconds: float = 5, **more: Any) -> HttpFailure:
    with pytest.raises(HttpFailure) as told:
        http.send_request("GET", path, seconds=seconds, **more)
    assert told.value.__cause__ is None
    assert told.value.words == str(told.value)
    return told.value


# What is sent, what comes back.


def test_a_document_is_asked_for_under_our_name(server: Echo) -> None:
    assert http_to(server.url).json("/a/b", seconds=5) == {"path": "/a/b", "query": {}, "method": "GET"}
    assert server.requests[0].headers["user-agent"] == f"spy32/{__version__}"


def test_an_exchange_sends_parameters_and_headers(server: Echo) -> None:
    more: Any = {"params": {"q": "1", "many": ["2", "3"]}, "headers": {"X-Own": "own"}}
    answer = http_to(server.url).send_request("GET", "/a", seconds=5, **more)
    assert parse_strict_json(answer.body) == {"path": "/a", "query": {"q": "1", "many": "3"}, "method": "GET"}
    assert server.requests[0].headers["x-own"] == "own"


def test_an_exchange_gives_every_status_headers_in_lower_case_and_the_whole_body(server: Echo) -> None:
    server.faults["/x"] = [status(503, "later", {"X-Request-Id": "r1"})]
    answer = http_to(server.url).send_request("POST", "/x", seconds=5, data=b"body", headers={"A": "b"})
    assert (answer.status, answer.text, answer.headers["x-request-id"]) == (503, "later", "r1")
    assert (server.requests[0].method, server.requests[0].body) == ("POST", b"body")


def test_a_compressed_answer_is_unpacked(server: Echo) -> None:
    packed = Reply(body=gzip.compress(b'{"a": 1}'), headers={"Content-Encoding": "gzip"})
    server.always["/x"] = changed(lambda _: packed)
    assert http_to(server.url).json("/x", seconds=5) == {"a": 1}


def test_text_is_text_and_a_page_is_none(server: Echo) -> None:
    server.faults["/x"] = [changed(lambda _: Reply(body="DATE,CLOSE\n"))]
    assert http_to(server.url).text("/x", seconds=5) == "DATE,CLOSE\n"
    server.always["/x"] = html
    with pytest.raises(Unusable, match="echo sent no document for /x: it is a page"):
        http_to(server.url).text("/x", seconds=5)
    server.always["/x"] = changed(lambda _: Reply(body=b"\xff\xfe"))
    with pytest.raises(Unusable, match="utf-8"):
        http_to(server.url).text("/x", seconds=5)


def test_every_good_document_is_kept_once_and_no_other(server: Echo) -> None:
    kept: list[tuple[str, bytes]] = []
    http = http_to(server.url, keep=lambda name, body: kept.append((name, body)))
    server.faults["/x"] = [html, status(503)]
    with pytest.raises(Unavailable):
        http.json("/deep/path/x.json", seconds=5)
    http.json("/deep/path/x.json", seconds=5)
    http.json("/x.json", seconds=5)
    assert [name for name, _ in kept] == ["path/x.json", "x.json"]
    assert parse_strict_json(kept[0][1])["path"] == "/deep/path/x.json"


def test_a_redirect_is_not_followed(server: Echo) -> None:
    server.always["/x"] = status(302, headers={"Location": f"{server.url}/elsewhere"})
    with pytest.raises(Unusable, match="HTTP 302 for /x"):
        http_to(server.url).json("/x", seconds=5)
    assert server.paths() == ["/x"]


def test_a_line_of_netrc_replaces_no_header(server: Echo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "netrc").write_text("default login someone password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    http_to(server.url).send_request("GET", "/x", seconds=5, headers={"Authorization": f"Bearer {SECRET}"})
    http_to(server.url).send_request("GET", "/y", seconds=5)
    assert server.requests[0].headers["authorization"] == f"Bearer {SECRET}"
    assert "authorization" not in server.requests[1].headers


# What each status means, and what is tried again.


@pytest.mark.parametrize(
    ("code", "kind", "requests_made"),
    [(401, NotPermitted, 1), (403, NotPermitted, 1), (404, ServiceGone, 1), (410, ServiceGone, 1), (400, Unusable, 1),
     (301, Unusable, 1), (422, Unusable, 1), (501, Unusable, 1), (408, Unavailable, 2), (425, Unavailable, 2),
     (429, Unavailable, 2), (500, Unavailable, 2), (502, Unavailable, 2), (503, Unavailable, 2),
     (504, Unavailable, 2), (520, Unavailable, 2), (527, Unavailable, 2)],
)  # fmt: skip
def test_a_status_says_what_to_do_next(server: Echo, code: int, kind: type[Spy32Error], requests_made: int) -> None:
    server.always["/x"] = status(code, f"words with {SECRET}")
    with pytest.raises(kind) as told:
        http_to(server.url).json("/x", seconds=5)
    assert told.value.message == f"echo: HTTP {code} for /x"
    assert len(server.requests) == requests_made


@pytest.mark.parametrize("code", [200, 201, 299])
def test_good_statuses_are_read(server: Echo, code: int) -> None:
    server.always["/x"] = status(code, "[]")
    assert http_to(server.url).json("/x", seconds=5) == []


@pytest.mark.parametrize("fault", [status(503), reset, cut, bad_gzip, html])
def test_what_passes_is_read_again(server: Echo, fault: Fault) -> None:
    server.faults["/x"] = [fault]
    waited = Slept()
    assert http_to(server.url, sleep=waited).json("/x", seconds=5)["path"] == "/x"
    assert len(server.requests) == 2
    assert len(waited) == 1
    assert 0 <= waited[0] <= retry.LONGEST_WAIT


@pytest.mark.parametrize(("said", "slept"), [("7", [7.0]), ("Mon, 25 Aug 2025 14:00:09 GMT", [9.0])])
def test_a_wait_that_is_asked_for_is_kept(server: Echo, said: str, slept: list[float]) -> None:
    server.faults["/x"] = [status(429, headers={"Retry-After": said})]
    waited = Slept()
    http_to(server.url, sleep=waited).json("/x", seconds=30)
    assert waited == slept


def test_a_wait_beyond_the_time_left_is_the_end(server: Echo) -> None:
    server.always["/x"] = status(429, headers={"Retry-After": "30"})
    waited = Slept()
    with pytest.raises(Unavailable, match="429"):
        http_to(server.url, sleep=waited).json("/x", seconds=30)
    assert waited == []
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("0", 0.0), (" 120 ", 120.0), ("9" * 400, 999_999_999.0), ("Mon, 25 Aug 2025 13:00:00 GMT", 0.0),
     ("Mon, 25 Aug 2025 14:01:00 +0000", 60.0), ("", None), ("soon", None), ("-5", None), ("1.5", None),
     ("Mon, 25 Aug 2025 14:01:00 -0000", None), ("²", None), ("٣", None), ("Mon, 99 Aug 2025 14:01:00 GMT", None)],
)  # fmt: skip
def test_retry_after_is_read_in_both_forms(said: str, seconds: float | None) -> None:
    answer = HttpResponse(status=429, headers={"retry-after": said}, body=b"")
    assert answer.retry_after(lambda: NOW) == seconds


def test_without_retry_after_there_is_none() -> None:
    assert HttpResponse(status=429, headers={}, body=b"\xff").retry_after(lambda: NOW) is None
    assert HttpResponse(status=429, headers={}, body=b"\xff").text == "�"


# Failures.


@pytest.mark.parametrize(("fault", "kind"), [(reset, "dropped"), (cut, "dropped"), (bad_gzip, "damaged")])
def test_half_an_answer_is_a_failure_after_something_was_sent(server: Echo, fault: Fault, kind: str) -> None:
    server.always["/x"] = fault
    found = failure(http_to(server.url))
    assert (found.kind, found.was_sent) == (kind, True)
    assert "echo" in found.words
    assert len(server.requests) == 1, "an exchange is never repeated"


@pytest.mark.slow
@pytest.mark.parametrize("fault", [hang, drip, drip_head, late(NEVER)])
def test_an_exchange_ends_when_its_time_is_over(server: Echo, fault: Fault) -> None:
    server.always["/x"] = fault
    begun = time.monotonic()
    found = failure(http_to(server.url), seconds=0.4)
    assert time.monotonic() - begun < SOON
    assert (found.kind, found.was_sent) == ("timeout", True)


@pytest.mark.slow
def test_all_tries_together_take_the_time_of_one(server: Echo) -> None:
    server.always["/x"] = hang
    begun = time.monotonic()
    with pytest.raises(Unavailable, match="within 0 s"):
        http_to(server.url).json("/x", seconds=0.3)
    assert time.monotonic() - begun < SOON
    assert len(server.requests) == 1


@pytest.mark.parametrize("seconds", [0, -1.0])
def test_without_time_nothing_is_sent(server: Echo, seconds: float) -> None:
    found = failure(http_to(server.url), seconds=seconds)
    assert (found.kind, found.was_sent) == ("timeout", False)
    with pytest.raises(Unavailable, match="no time is left"):
        http_to(server.url).json("/x", seconds=seconds)
    assert server.requests == []


def test_nobody_there_and_no_such_name_are_unreachable_and_nothing_was_sent() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    found = failure(http_to(f"http://127.0.0.1:{port}/v1"))
    assert (found.kind, found.was_sent) == ("unreachable", False)
    assert found.words == f"echo cannot be reached at 127.0.0.1:{port}"
    found = failure(http_to("http://nowhere.invalid"))
    assert (found.kind, found.was_sent) == ("unreachable", False)


@pytest.mark.parametrize(
    "body",
    [b'{"a": "' + b"x" * 5000 + b'"}', gzip.compress(b"x" * 10_000_000)],
    ids=["plain", "unpacked"],
)
def test_an_answer_that_is_too_large_is_cut_off(server: Echo, body: bytes) -> None:
    packed = {"Content-Encoding": "gzip"} if body[:2] == b"\x1f\x8b" else {}
    server.always["/x"] = changed(lambda _: Reply(body=body, headers=packed))
    found = failure(http_to(server.url), cap=4000)
    assert (found.kind, found.was_sent) == ("too_large", True)
    assert http_to(server.url).send_request("GET", "/y", seconds=5, cap=4000).status == 200


@pytest.mark.slow
def test_an_answer_that_stops_in_the_middle_is_a_timeout(server: Echo, monkeypatch: pytest.MonkeyPatch) -> None:
    """`requests` may see the silence before our own clock does, and calls it a broken connection."""

    def half(handler: Handler, reply: Reply) -> None:
        handler.head(reply, 10_000)
        handler.wfile.write(b"{" * 100)
        handler.server.stopping.wait(NEVER)

    server.always["/x"] = half
    http = http_to(server.url)
    request = requests.Request("GET", f"{server.url}/x")
    with pytest.raises(HttpFailure) as told:
        http._perform_request(request, 0.3, 1000)
    assert (told.value.kind, told.value.was_sent) == ("timeout", True)


@pytest.mark.parametrize(
    ("raised", "kind", "was_sent"),
    [
        (requests.exceptions.ConnectTimeout(SECRET), "unreachable", False),
        (requests.exceptions.ReadTimeout(SECRET), "timeout", True),
        (requests.exceptions.SSLError(urllib3.exceptions.SSLError(SECRET)), "dropped", True),
        (requests.exceptions.ConnectionError(), "dropped", True),
        (requests.exceptions.ConnectionError(SECRET), "dropped", True),
        (requests.exceptions.ProxyError(SECRET), "dropped", True),
        (requests.exceptions.TooManyRedirects(SECRET), "dropped", True),
        (urllib3.exceptions.ProtocolError(SECRET), "dropped", True),
        (OSError(SECRET), "dropped", True),
        (UnicodeEncodeError("latin-1", SECRET, 0, 1, SECRET), "unreachable", False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_whatever_the_library_raises_is_a_failure_without_its_words(
    monkeypatch: pytest.MonkeyPatch, raised: Exception, kind: str, was_sent: bool
) -> None:
    def send(*_: object, **__: object) -> None:
        raise raised

    monkeypatch.setattr(requests.Session, "send", send)
    found = failure(http_to("http://127.0.0.1:9"))
    assert (found.kind, found.was_sent) == (kind, was_sent)
    assert SECRET not in found.words


def test_a_bug_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def send(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(requests.Session, "send", send)
    with pytest.raises(ZeroDivisionError):
        http_to("http://127.0.0.1:9").send_request("GET", "/x", seconds=5)


@pytest.mark.parametrize(
    ("base", "headers"),
    [
        ("no-scheme", {}), ("ftp://127.0.0.1", {}), ("http://", {}), ("http://[::1", {}),
        ("http://127.0.0.1:9", {"A": f"{SECRET}\nX: y"}), ("http://127.0.0.1:9", {f"{SECRET}\n": "a"}),
    ],
)  # fmt: skip
def test_a_request_that_cannot_be_written_was_not_sent(base: str, headers: dict[str, str]) -> None:
    found = failure(http_to(base), headers=headers)
    assert (found.kind, found.was_sent) == ("unreachable", False)
    assert SECRET not in found.words


def test_a_header_beyond_latin_1_was_not_sent(server: Echo) -> None:
    found = failure(http_to(server.url), headers={"Authorization": f"Bearer {SECRET}…"})
    assert (found.kind, found.was_sent) == ("unreachable", False)
    assert server.requests == []


# Secrets.


@pytest.mark.slow
@pytest.mark.parametrize(
    "fault",
    [hang, drip, drip_head, reset, cut, bad_gzip, html, *[status(code) for code in (302, 400, 401, 403, 404, 429, 500)],
     changed(lambda _: Reply(body="{"))],
)  # fmt: skip
def test_a_secret_in_a_header_or_a_parameter_never_shows(
    server: Echo, fault: Fault, capfd: pytest.CaptureFixture[str]
) -> None:
    server.always["/x"] = fault
    http = http_to(server.url)
    more: Any = {"params": {"token": SECRET}, "headers": {"Authorization": f"Bearer {SECRET}"}}

    def ask(until: float) -> HttpResponse:
        return http.send_request("GET", "/x", seconds=until - time.monotonic(), **more)

    def error(answer: HttpResponse) -> Spy32Error | None:
        return None if answer.status == 200 else error_kind(answer.status)("/x")

    with pytest.raises(Spy32Error) as told:
        http.read_answer("/x", ask, error, lambda answer: parse_strict_json(answer.body), seconds=0.3)
    assert server.requests[0].query["token"] == SECRET
    assert SECRET not in "".join(traceback.format_exception(told.value))
    assert SECRET not in repr(told.value.args)
    shown = capfd.readouterr()
    assert SECRET not in shown.out + shown.err


def test_an_address_with_a_password_is_told_without_it() -> None:
    found = failure(http_to(f"http://user:{SECRET}@127.0.0.1:9"))
    assert found.words == "echo cannot be reached at 127.0.0.1:9"


# JSON.


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not JSON"), ("{", "not JSON"), ("{} {}", "not JSON"), ("{'a': 1}", "not JSON"), ("[1,]", "not JSON"),
        ('{"a": 1, "a": 2}', "the key 'a' stands twice"), ('[{"b": {"c": 1, "d": 2, "c": 1}}]', "'c' stands twice"),
        ("[NaN]", "NaN is not a number"), ("-Infinity", "-Infinity is not a number"), ("1e999", "too large"),
        ("-1e999", "too large"), ("[" * 100_000, "nested too deep"), ("1" * 5000, "digits"),
    ],
)  # fmt: skip
def test_json_that_is_not_exactly_one_value_is_refused(text: str, words: str) -> None:
    for body in (text, text.encode()):
        with pytest.raises(ValueError, match=words):
            parse_strict_json(body)


def test_json_that_is_not_text_is_refused() -> None:
    with pytest.raises(ValueError, match="utf-8"):
        parse_strict_json(b'{"a": "\xff"}')


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON)
def test_every_json_value_is_read_back(value: Any) -> None:
    assert parse_strict_json(json.dumps(value)) == value
    assert parse_strict_json(json.dumps(value, ensure_ascii=False).encode()) == value


# Side by side.


def test_exchanges_side_by_side_do_not_mix(server: Echo) -> None:
    http = http_to(server.url)
    found: dict[int, str] = {}

    def ask(number: int) -> None:
        found[number] = http.json(f"/{number}", seconds=5)["path"]

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: f"/{number}" for number in range(16)}
