"""One write on a connection of its own, which leaves while somebody waits for its answer, or never.

A request runs on a thread that is left behind when its time is over or the person interrupts. While that thread still
looks for a way to the service, the order would go out later, after it was looked for and found absent. So the body can
be withdrawn, and whether it ever left is known for sure.
"""

import threading
from typing import Any

import requests


class WithdrawableBody:
    """The bytes of one request, handed to the connection once. Without bytes there is nothing to hold back."""

    def __init__(self, data: bytes | None) -> None:
        self._data = data or b""
        self._lock = threading.Lock()
        self._is_withdrawn = False
        self._has_left = not self._data

    def read(self, size: int = -1) -> bytes:
        """All of it at the first call; called by the connection, after the head of the request."""
        with self._lock:
            if self._is_withdrawn and not self._has_left:
                raise OSError("nobody waits for the answer any more")
            self._has_left = True
            data, self._data = self._data, b""
            return data

    def withdraw(self) -> bool:
        """Prevent the body from leaving. True when it had not left."""
        with self._lock:
            self._is_withdrawn = True
            return not self._has_left


class OneShotSession(requests.Session):
    """Connections of its own for one request: one that was kept open may be dead without our knowing."""

    def __init__(self, body: WithdrawableBody) -> None:
        super().__init__()
        self._body = body

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        """With its length from the bytes, and the bytes themselves only when they are read."""
        prepared: Any = super().prepare_request(request)
        if prepared.body is not None:
            prepared.body = self._body
        ready: requests.PreparedRequest = prepared
        return ready
