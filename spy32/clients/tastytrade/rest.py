"""tastytrade's REST conventions: a token on every request, `data` envelopes, pages, and errors in their own words.

Reads are repeated within their time; `send` makes one request and is what a write has to use.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import tenacity

from spy32.clients.http import (
    FIRST_WAIT,
    LONGEST_WAIT,
    MAX_ATTEMPTS,
    TRANSIENT_STATUSES,
    HttpClient,
    HttpFailure,
    HttpResponse,
    parse_strict_json,
)
from spy32.clients.tastytrade.oauth_session import EXPIRY_MARGIN, OAuthSession, is_html
from spy32.clients.tastytrade.one_shot import OneShotSession, WithdrawableBody
from spy32.domain.value import value
from spy32.errors import NotPermitted, ServiceGone, Spy32Error, Unavailable, Unusable
from spy32.settings.knob import Secret

API_VERSION = "20261012"
"""Of the API, a date. Without one the service takes the oldest order API that it still has."""
MAX_PAGES = 100

Params = Mapping[str, str | list[str]]


@value
class ErrorDetails:
    """The service's error in its own words, cleaned. Branch on status and codes, never on words."""

    status: int
    code: str
    message: str
    entries: tuple[tuple[str, str], ...] = ()
    """(code or domain, message or reason) of each inner error."""

    @property
    def words(self) -> str:
        """`message (code); inner message (inner code); ...`, as far as there is any."""
        pairs = ((self.code, self.message), *self.entries)
        return "; ".join(f"{text} ({code})" if code and text else text or code for code, text in pairs if code or text)


class _RetryableRequest(Exception):
    """A try that may be repeated; never leaves this module."""

    def __init__(self, error: Spy32Error, wait: float | None = None) -> None:
        super().__init__(error.message)
        self.error = error
        """What it is when it is not repeated."""
        self.wait = wait


class RestClient:
    """The service behind one log-in. `version` goes into Accept-Version; the sandbox takes none, so "" sends none."""

    def __init__(self, http: HttpClient, session: OAuthSession, *, version: str = API_VERSION) -> None:
        self.http = http
        self.session = session
        self.listener: Callable[[HttpResponse], None] | None = None
        """Gets every answer as it came, for what its headers say."""
        self._version = version

    def get(self, path: str, params: Params | None = None, *, seconds: float, name: str = "") -> Any:
        """What is under `data` at `path`, within `seconds`. The document is kept as `name`, or by its path.

        `Unavailable` when it could not be had in time, `NotPermitted` on 401 and 403, `Gone` on 404, 406 and 410,
        `Unusable` when the request was refused otherwise or what came is no envelope.
        """
        return self._get_document(path, params, seconds, name)["data"]

    def get_optional(self, path: str, *, seconds: float) -> Any | None:
        """As `get`; None where the service itself, and not a gateway before it, says that there is no such thing."""
        document = self._get_document(path, None, seconds, "", is_optional=True)
        if document and document["data"] is None:
            raise Unusable(f"tastytrade: the data for {path} is empty")
        return document["data"] if document else None

    def items(self, path: str, params: Params | None = None, *, seconds: float, name: str = "") -> list[Any]:
        """The list under `data.items`, of all pages where there are several."""
        deadline = self.http.monotonic() + seconds
        found: list[Any] = []
        for page in range(MAX_PAGES):
            page_params = {**(params or {}), **({"page-offset": str(page)} if page else {})}
            remaining = deadline - self.http.monotonic()
            document = self._get_document(path, page_params, remaining, f"{name}-{page + 1}" if name and page else name)
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
        """One request over a connection of its own, and whatever answers it. Never repeated, whatever comes.

        Its token lives for `spare` more seconds. What has not left when this returns or raises never does; a `Failure`
        says for sure whether it had.
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

    def ask(self, path: str, data: bytes, *, seconds: float, spare: float = EXPIRY_MARGIN) -> HttpResponse:
        """One POST that changes nothing, and whatever answers it; only a token that is refused is renewed once."""
        return self._send_with_token("POST", path, self.http.monotonic() + seconds, data=data, spare=spare)

    def refusal(self, answer: HttpResponse) -> ErrorDetails:
        """What the service said; no words where it sent a page, nothing, or something of no known form."""
        error = None if is_html(answer) else _parse_error(answer.body)
        safe = self.session.redact
        if error is None:
            return ErrorDetails(status=answer.status, code="", message="")
        inner = error.get("errors")
        entries = tuple(
            (safe(_first_text(entry, "code", "domain")), safe(_first_text(entry, "message", "reason")))
            for entry in (inner if isinstance(inner, list) else ())
            if isinstance(entry, dict)
        )
        code, message = safe(_first_text(error, "code")), safe(_first_text(error, "message"))
        return ErrorDetails(status=answer.status, code=code, message=message, entries=entries)

    def error(self, path: str, answer: HttpResponse) -> Spy32Error:
        """The error that an answer without success is."""
        status, message = answer.status, self.session.redact(self.refusal(answer).words)
        summary = f"tastytrade: HTTP {status} for {path}" + (f": {message}" if message else "")
        if status == 401 and is_html(answer):
            return NotPermitted(f"{summary} with a page: the service refuses the User-Agent")
        if status == 406:
            return ServiceGone(
                f"{summary}; it no longer knows Accept-Version {self._version or '(none sent)'}, update spy32"
            )
        kinds: dict[int, type[Spy32Error]] = {401: NotPermitted, 403: NotPermitted, 404: ServiceGone, 410: ServiceGone}
        return kinds.get(status, Unavailable if status in TRANSIENT_STATUSES else Unusable)(summary)

    def _get_document(
        self, path: str, params: Params | None, seconds: float, name: str, *, is_optional: bool = False
    ) -> dict[str, Any]:
        """The envelope; empty for what the service says it does not have, where that `is_optional`."""
        deadline = self.http.monotonic() + seconds
        jitter = tenacity.wait_random_exponential(multiplier=FIRST_WAIT, max=LONGEST_WAIT)
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_RetryableRequest),
            wait=lambda state: _requested_wait(state) or jitter(state),
            stop=lambda state: (
                state.attempt_number >= MAX_ATTEMPTS or self.http.monotonic() + state.upcoming_sleep >= deadline
            ),
            sleep=self.http.sleep,
            reraise=True,
        )
        try:
            name = name or path.strip("/").replace("/", "-")
            return retrying(self._try_get, path, params, deadline, name, is_optional=is_optional)
        except _RetryableRequest as last:
            raise last.error from None

    def _try_get(
        self, path: str, params: Params | None, deadline: float, name: str, *, is_optional: bool
    ) -> dict[str, Any]:
        try:
            answer = self._send_with_token("GET", path, deadline, params=params)
        except HttpFailure as failure:
            raise _RetryableRequest(Unavailable(failure.words)) from None
        if is_optional and answer.status == 404 and self.refusal(answer).words:
            return {}
        if not 200 <= answer.status < 300:
            error = self.error(path, answer)
            if isinstance(error, Unavailable):
                raise _RetryableRequest(error, answer.retry_after(self.http.clock))
            raise error
        body = self.session.redact_body(answer.body)
        try:
            document = parse_strict_json(body)
        except ValueError as trouble:
            raise _RetryableRequest(Unusable(f"tastytrade sent no document for {path}: {trouble}")) from None
        if not isinstance(document, dict) or "data" not in document:
            raise Unusable(f"tastytrade: the answer for {path} has no field data")
        if self.http.keep is not None:
            self.http.keep(name, body)
        return document

    def _send_with_token(
        self,
        method: str,
        path: str,
        deadline: float,
        *,
        params: Params | None = None,
        data: bytes | None = None,
        spare: float = EXPIRY_MARGIN,
    ) -> HttpResponse:
        """The answer to a question; a token that is refused is renewed once. A page is not about the token."""
        token = self.session.get_token(self._remaining_seconds(path, deadline), spare=spare)
        answer = self._send_once(method, path, token, deadline, params=params, data=data)
        if answer.status != 401 or is_html(answer):
            return answer
        self.session.discard_token(token)
        token = self.session.get_token(self._remaining_seconds(path, deadline), spare=spare)
        answer = self._send_once(method, path, token, deadline, params=params, data=data)
        if answer.status == 401 and not is_html(answer):
            raise self.session.reject_credentials(
                f"{self.error(path, answer).message}; a new token was refused as well"
            )
        return answer

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
        if self._version:
            headers["Accept-Version"] = self._version
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


def _parse_error(body: bytes) -> dict[str, Any] | None:
    try:
        document = parse_strict_json(body)
    except ValueError:
        return None
    error = document.get("error") if isinstance(document, dict) else None
    if isinstance(error, str):
        return {"code": error, "message": document.get("error_description")}
    return error if isinstance(error, dict) else None


def _first_text(fields: Mapping[str, Any], *names: str) -> str:
    """The first of these that is there; a code may be a number."""
    for name in names:
        found = fields.get(name)
        if isinstance(found, str | int) and not isinstance(found, bool):
            return str(found)
    return ""


def _requested_wait(state: tenacity.RetryCallState) -> float | None:
    error = state.outcome.exception() if state.outcome is not None else None
    return error.wait if isinstance(error, _RetryableRequest) else None
