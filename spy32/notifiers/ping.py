"""Pings a monitor in the shape of healthchecks.io: /start when a run begins, /fail when a slot is lost.

A body has at most state, code and id of a run. `rid` pairs a start with its end (healthchecks.io/docs/http_api).
"""

from collections.abc import Callable
from urllib.parse import urlencode, urlsplit

from spy32.clients.http import HttpClient, HttpFailure
from spy32.domain.notices import Notice, NoticeKind
from spy32.errors import Unavailable
from spy32.settings.knob import Secret
from spy32.settings.services import Ping

SECONDS = 5.0
"""For one ping, connection and answer together."""


class PingNotifier:
    """The addresses of one monitor. `client` makes the HTTP client of a host."""

    def __init__(self, settings: Ping, client: Callable[[str], HttpClient]) -> None:
        self._settings = settings
        self._client = client

    def send(self, notice: Notice) -> None:
        """Ping that the slot has its run, or that it is lost."""
        is_lost = notice.kind is NoticeKind.PING_FAIL
        event, own = ("fail", self._settings.fail) if is_lost else ("", self._settings.ok)
        self._ping(event, own, rid=notice.about, body=notice.body)

    def start(self, rid: str) -> None:
        """Ping that a run has begun."""
        self._ping("start", self._settings.start, rid=rid, body="")

    def log(self, body: str) -> bool:
        """Send a line that changes no state, to a base address only; whether there is one."""
        if self._settings.url is None:
            return False
        self._ping("log", None, rid="", body=body)
        return True

    def _ping(self, event: str, own: Secret | None, *, rid: str, body: str) -> None:
        """Post to the event's own address, else to the base; nothing when neither is set."""
        address = own or self._settings.url
        if address is None:
            return
        parts = urlsplit(address.reveal())
        path = parts.path if own is not None else f"{parts.path.rstrip('/')}{'/' if event else ''}{event}"
        query = "&".join(text for text in (parts.query, urlencode({"rid": rid}) if rid else "") if text)
        client = self._client(f"{parts.scheme}://{parts.netloc}")
        try:
            answer = client.send_request(
                "POST", f"{path}?{query}" if query else path, seconds=SECONDS, data=body.encode()
            )
        except HttpFailure as failure:
            raise Unavailable(failure.words) from None
        if not 200 <= answer.status < 300:
            raise Unavailable(f"the monitor answered with status {answer.status}")
