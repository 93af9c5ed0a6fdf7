"""Ways in which a request that writes can go wrong, placed before or after the order is taken.

`after` means that the service did what was asked and only its answer is broken.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from tests.servers import web
from tests.servers.web import Fault, Handler, Reply

Kind = Literal[
    "reset", "close", "hang", "500", "502", "503", "429", "cut", "truncated", "invalid", "no_id", "empty", "drip",
    "late", "token",
]  # fmt: skip
LOST: tuple[Kind, ...] = (
    "reset", "close", "hang", "500", "502", "503", "429", "cut", "truncated", "invalid", "no_id", "empty", "drip",
)  # fmt: skip
"""From these answers nobody can tell whether the order was taken."""

GATEWAY = (
    "<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1></center></body></html>"
)
LATE_READS = 3
TOKEN_OVER = Reply(
    status=401, body={"error": {"code": "token_invalid", "message": "This token is invalid or has expired"}}
)


@dataclass(frozen=True)
class Plan:
    """What happens to one request."""

    kind: Kind
    is_after: bool
    hidden: int = 0
    """Reads that will not show the order, if one is taken."""

    @property
    def fault(self) -> Fault | None:
        return FAULTS[self.kind]


def close(handler: Handler, reply: Reply) -> None:
    """Ends the connection in good order, without a word."""
    handler.close_connection = True


def _error(status: int, code: str, message: str) -> Fault:
    return web.status(status, {"error": {"code": code, "message": message}})


def _truncated(reply: Reply) -> Reply:
    """A whole answer by its length, with half a document in it."""
    body = reply.encoded()
    return replace(reply, body=body[: len(body) // 2])


def _without_id(reply: Reply) -> Reply:
    document = json.loads(reply.encoded())
    data = document.get("data", {})
    for row in (data, data.get("order", {})):
        row.pop("id", None)
    return replace(reply, status=200, body=document)


def _changed(change: Callable[[Reply], Reply]) -> Fault:
    return web.changed(change)


FAULTS: dict[str, Fault | None] = {
    "reset": web.reset,
    "close": close,
    "hang": web.hang,
    "500": _error(500, "internal_server_error", "An internal error occurred. Support identifier: 1a2b3c4d"),
    "502": web.status(502, GATEWAY, {"Content-Type": "text/html"}),
    "503": _error(503, "service_unavailable", "Service unavailable"),
    "429": _error(429, "too_many_requests", "Too many requests"),
    "cut": web.cut,
    "truncated": _changed(_truncated),
    "invalid": _changed(lambda reply: replace(reply, body='{"data": {"order": {"id": 480001, "status": NaN,}}')),
    "no_id": _changed(_without_id),
    "empty": _changed(lambda reply: replace(reply, status=201, body=b"")),
    "drip": web.drip,
    "late": None,
    "token": _changed(lambda reply: TOKEN_OVER),
}


def pretended(body: Any) -> Reply:
    """What a service that has taken nothing would say, for the faults that break an answer."""
    order = {**body, "status": "Received"} if isinstance(body, dict) else {}
    return Reply(status=201, body={"data": {"order": order, "warnings": []}})
