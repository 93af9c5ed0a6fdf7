"""tastytrade's REST conventions: a token on every request, `data` envelopes, pages, and errors in their own words.

Reads are repeated within their time; `send` makes one request and is what a write has to use.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import requests

from spy32.clients.http import HttpClient, HttpFailure, HttpResponse, error_kind, parse_strict_json
from spy32.clients.tastytrade.oauth_session import EXPIRY_MARGIN, OAuthSession, is_html
from spy32.errors import NotPermitted, ServiceGone, Spy32Error, Unavailable, Unusable
from spy32.settings.knob import Secret

API_VERSION = "20261012"
"""Of the API, a date. Without one the service takes the oldest order API that it still has."""
MAX_PAGES = 100

Params = Mapping[str, str | list[str]]


class WithdrawableBody:
    """The bytes of one request, handed to the connection once. Without bytes there is nothing to hold back.

    A request runs on a thread that is left behind when its time is over or the person interrupts. While that thread
    still looks for a way to the service, the order would go out later, after it was looked for and found absent. So the
    body can be withdrawn, and whether it ever left is known for sure.
    """

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


@dataclass(eq=False)
class RestClient:
    """The service behind one log-in. `version` goes into Accept-Version; the sandbox takes none, so "" sends none."""

    http: HttpClient
    session: OAuthSession
    version: str = API_VERSION
    listener: Callable[[HttpResponse], None] | None = None
    """Gets every answer as it came, for what its headers say."""

    def get(self, path: str, params: Params | None = None, *, seconds: float, name: str = "") -> Any:
        """The content of `data` at `path`, within `seconds`. The document is kept as `name`, or by its path.

        `Unavailable` when there was no answer in time, `NotPermitted` on 401 and 403, `ServiceGone` on 404, 406 and
        410, `Unusable` for any other refusal and for an answer that is no envelope.
        """
        return self._get_document(path, params, seconds, name)["data"]

    def get_optional(self, path: str, *, seconds: float) -> Any | None:
        """As `get`; None where the service itself, and not a gateway before it, says that there is no such thing."""
        document = self._get_document(path, None, seconds, "", is_optional=True)
        if document and document["data"] is None:
            raise Unusable(f"tastytrade: the data for {path} is empty")
        return document["data"] if document else None

    def items(self, path: str, params: Params | None = None, *, seconds: float) -> list[Any]:
        """The list under `data.items`, of all pages where there are several."""
        deadline = self.http.monotonic() + seconds
        found: list[Any] = []
        for page in range(MAX_PAGES):
            page_params = {**(params or {}), **({"page-offset": str(page)} if page else {})}
            document = self._get_document(path, page_params, deadline - self.http.monotonic(), "")
            data = document["data"]
            if not isinstance(data, dict) or not isinstance(data.get("items"), list):
                raise Unusable(f"tastytrade: data.items of {path} is no list")
            found += data["items"]
            if page + 1 >= _page_count(path, document.get("pagination"), page):
                return found
        raise Unusable(f"tastytrade: {path} has more than {MAX_PAGES} pages")

    def send(
        self, method: str, path: str, *, seconds: float, data: bytes | None = None, spare: float = EXPIRY_MARGIN
    ) -> HttpResponse:
        """One request over a connection of its own, and whatever answers it. Never repeated.

        Its token lives for `spare` more seconds. A request that has not left when this returns or raises never does; an
        `HttpFailure` says for certain whether it had.
        """
        deadline = self.http.monotonic() + seconds
        token = self.session.get_token(seconds, spare=spare)
        body = WithdrawableBody(data)
        with OneShotSession(body) as connections:
            try:
                return self._send_once(
                    method, path, token, deadline, data=data, http=replace(self.http, _session=connections)
                )
            except HttpFailure as failure:
                was_sent = not body.withdraw() and failure.was_sent
                raise HttpFailure(failure.kind, failure.words, was_sent=was_sent) from None
            finally:
                body.withdraw()

    def error(self, path: str, answer: HttpResponse) -> Spy32Error:
        """The error of an answer that is not a success."""
        status, message = answer.status, self.session.redact("; ".join(self.session.error_lines(answer)))
        summary = f"tastytrade: HTTP {status} for {path}" + (f": {message}" if message else "")
        if status == 401 and is_html(answer):
            return NotPermitted(f"{summary} with a page: the service refuses the User-Agent")
        if status == 406:
            return ServiceGone(
                f"{summary}; it no longer knows Accept-Version {self.version or '(none sent)'}, update spy32"
            )
        return error_kind(status)(summary)

    def _get_document(
        self, path: str, params: Params | None, seconds: float, name: str, *, is_optional: bool = False
    ) -> dict[str, Any]:
        """The envelope; empty for what the service says it does not have, where that `is_optional`."""

        def is_absent(answer: HttpResponse) -> bool:
            return is_optional and answer.status == 404 and bool(self.session.error_lines(answer))

        def error(answer: HttpResponse) -> Spy32Error | None:
            return None if is_absent(answer) or 200 <= answer.status < 300 else self.error(path, answer)

        def parse(answer: HttpResponse) -> dict[str, Any]:
            if is_absent(answer):
                return {}
            body = self.session.redact_body(answer.body)
            document = parse_strict_json(body)
            if not isinstance(document, dict) or "data" not in document:
                raise Unusable(f"tastytrade: the answer for {path} has no field data")
            if self.http.keep is not None:
                self.http.keep(name or path.strip("/").replace("/", "-"), body)
            return document

        def ask(until: float) -> HttpResponse:
            return self.ask("GET", path, until, params=params)

        document: dict[str, Any] = self.http.read_answer(path, ask, error, parse, seconds=seconds)
        return document

    def ask(
        self,
        method: str,
        path: str,
        deadline: float,
        *,
        params: Params | None = None,
        data: bytes | None = None,
        spare: float = EXPIRY_MARGIN,
    ) -> HttpResponse:
        """Whatever answers a request that changes nothing, until a monotonic second; only a token that is refused is
        renewed once. A page is not about the token."""
        for _ in range(2):
            token = self.session.get_token(self._remaining_seconds(path, deadline), spare=spare)
            answer = self._send_once(method, path, token, deadline, params=params, data=data)
            if answer.status != 401 or is_html(answer):
                return answer
            self.session.discard_token(token)
        raise self.session.reject_credentials(f"{self.error(path, answer).message}; a new token was refused as well")

    def _send_once(  # noqa: PLR0913 - the parts of a request
        self,
        method: str,
        path: str,
        token: Secret,
        deadline: float,
        *,
        params: Params | None = None,
        data: bytes | None = None,
        http: HttpClient | None = None,
    ) -> HttpResponse:
        headers = {
            "Authorization": f"Bearer {token.reveal()}",
            "Accept": "application/json",
            "Content-Type": "application/json",
        }
        if self.version:
            headers["Accept-Version"] = self.version
        remaining = self._remaining_seconds(path, deadline)
        answer = (http or self.http).send_request(
            method, path, seconds=remaining, params=params, headers=headers, data=data
        )
        if self.listener is not None:
            self.listener(answer)
        return answer

    def _remaining_seconds(self, path: str, deadline: float) -> float:
        """Seconds until then; `Unavailable` when there are none."""
        remaining = deadline - self.http.monotonic()
        if remaining <= 0:
            raise Unavailable(f"tastytrade: no time is left for {path}")
        return remaining


def _page_count(path: str, pagination: Any, page: int) -> int:
    """How many pages there are; 1 for a list without pages."""
    if pagination is None:
        return 1
    fields = pagination if isinstance(pagination, dict) else {}
    total, offset = fields.get("total-pages"), fields.get("page-offset")
    if not isinstance(total, int) or not isinstance(offset, int):
        raise Unusable(f"tastytrade: pagination of {path} has no total-pages or page-offset")
    if offset != page:
        raise Unusable(f"tastytrade: asked for page {page} of {path}, page {offset} came")
    return total
