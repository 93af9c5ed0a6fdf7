"""The base of every stand-in: a threaded HTTP server on loopback that counts requests and misbehaves on demand."""

import gzip
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.support.timeouts import NEVER


@dataclass(frozen=True)
class Request:
    """What came in."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    lists: Mapping[str, list[str]] = field(default_factory=dict)
    """Every value of each key of the query, where `query` has the last."""

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """What goes out. `body` may be bytes, text, or anything that JSON can say."""

    body: Any = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    is_gzipped: bool = False

    def encoded(self) -> bytes:
        if isinstance(self.body, bytes):
            raw = self.body
        elif isinstance(self.body, str):
            raw = self.body.encode()
        else:
            raw = json.dumps(self.body).encode()
        return gzip.compress(raw) if self.is_gzipped else raw


Fault = Callable[["Handler", Reply], None]
"""Does something else with the good reply: writes to the socket itself, or closes it."""


def hang(handler: "Handler", reply: Reply) -> None:
    """Never answers; ends when the server does, or the client goes away."""
    handler.server.stopping.wait(NEVER)


def drip(handler: "Handler", reply: Reply) -> None:
    """Sends the good answer a byte at a time, one every 0.2 s."""
    handler.head(reply, len(reply.encoded()))
    for place in range(len(reply.encoded())):
        if handler.server.stopping.wait(0.2):
            return
        handler.wfile.write(reply.encoded()[place : place + 1])
        handler.wfile.flush()


def drip_head(handler: "Handler", reply: Reply) -> None:
    """Sends one header after the other, one every 0.2 s, and never comes to the body."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    while not handler.server.stopping.wait(0.2):
        handler.wfile.write(b"X-Wait: a\r\n")
        handler.wfile.flush()


def reset(handler: "Handler", reply: Reply) -> None:
    """Drops the connection with RST, without a word."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    handler.close_connection = True


def cut(handler: "Handler", reply: Reply) -> None:
    """Announces the whole answer and sends the first half."""
    body = reply.encoded()
    handler.head(reply, len(body))
    handler.wfile.write(body[: len(body) // 2])
    handler.wfile.flush()
    reset(handler, reply)


def bad_gzip(handler: "Handler", reply: Reply) -> None:
    """Says gzip and sends garbage."""
    handler.say(Reply(body=b"\x1f\x8b" + b"garbage" * 20, headers={"Content-Encoding": "gzip"}))


def html(handler: "Handler", reply: Reply) -> None:
    """A page where JSON was asked for, with status 200."""
    handler.say(Reply(body="<!doctype html><title>Will be right back</title>", headers={"Content-Type": "text/html"}))


def status(code: int, body: Any = "", headers: Mapping[str, str] | None = None) -> Fault:
    """Answers with this status instead."""

    def fault(handler: "Handler", reply: Reply) -> None:
        handler.say(Reply(status=code, body=body, headers=headers or {}))

    return fault


def late(seconds: float) -> Fault:
    """The good answer, after a while."""

    def fault(handler: "Handler", reply: Reply) -> None:
        if not handler.server.stopping.wait(seconds):
            handler.say(reply)

    return fault


def changed(change: Callable[[Reply], Reply]) -> Fault:
    """The answer that `change` makes of the good one."""

    def fault(handler: "Handler", reply: Reply) -> None:
        handler.say(change(reply))

    return fault


class Handler(BaseHTTPRequestHandler):
    server: "_Loop"
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def head(self, reply: Reply, length: int) -> None:
        self.send_response(reply.status)
        headers = {"Content-Type": "application/json", **reply.headers}
        if reply.is_gzipped:
            headers["Content-Encoding"] = "gzip"
        for name, text in {**headers, "Content-Length": str(length)}.items():
            self.send_header(name, text)
        self.end_headers()

    def say(self, reply: Reply) -> None:
        body = reply.encoded()
        self.head(reply, len(body))
        self.wfile.write(body)

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        parts = urlsplit(self.path)
        values_of = parse_qs(parts.query, keep_blank_values=True)
        request = Request(
            method=self.command,
            path=parts.path,
            query={name: values[-1] for name, values in values_of.items()},
            lists=values_of,
            headers={name.lower(): text for name, text in self.headers.items()},
            body=self.rfile.read(length),
        )
        stand_in = self.server.stand_in
        with stand_in.lock:
            stand_in.requests.append(request)
            fault = stand_in.fault_for(request)
        reply = stand_in.answer(request)
        if fault is None:
            self.say(reply)
        else:
            fault(self, reply)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = _serve  # noqa: N815 - names of the library

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: a test's output is its own."""


class _Loop(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    stand_in: "StandIn"
    stopping: threading.Event

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no news."""


class StandIn:
    """One service. A subclass says in `answer` what a healthy one would; `faults` breaks it by path.

    `faults` maps a piece of the path to a list of faults: each request whose path holds it takes the first one off the
    list; `always` maps a piece to one fault that stays.
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.faults: dict[str, list[Fault | None]] = {}
        self.always: dict[str, Fault] = {}
        self.lock = threading.Lock()
        self.url = ""

    def answer(self, request: Request) -> Reply:
        raise NotImplementedError

    def fault_for(self, request: Request) -> Fault | None:
        for piece, queue in self.faults.items():
            if piece in request.path and queue:
                return queue.pop(0)
        return next((fault for piece, fault in self.always.items() if piece in request.path), None)

    def paths(self) -> list[str]:
        with self.lock:
            return [request.path for request in self.requests]

    @contextmanager
    def running(self) -> Iterator["StandIn"]:
        """Serves on a free port of 127.0.0.1 until the block ends; `url` is its address."""
        loop = _Loop(("127.0.0.1", 0), Handler)
        loop.stand_in, loop.stopping = self, threading.Event()
        self.url = f"http://127.0.0.1:{loop.server_address[1]}"
        thread = threading.Thread(target=loop.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            loop.stopping.set()
            loop.shutdown()
            loop.server_close()
            thread.join(5)


def elapsed(act: Callable[[], object]) -> float:
    """Seconds that `act` takes, whatever comes of it."""
    begun = time.monotonic()
    try:
        act()
    except Exception:  # noqa: BLE001 - only the time matters
        return time.monotonic() - begun
    return time.monotonic() - begun
