"""tastytrade's REST conventions: a token on every request, `data` envelopes, pages, and errors in their own words.

Reads are repeated within their time; `send` makes one request and is what a write has to use.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import tenacity

from spy32.clients.http import FIRST_WAIT, LONGEST_WAIT, PASSING, TRIES, Answer, Failure, Http, strict_json
from spy32.clients.tastytrade.once import Body, Once
from spy32.clients.tastytrade.session import EARLY, Session, is_page
from spy32.errors import Gone, NotPermitted, Spy32Error, Unavailable, Unusable
from spy32.settings.knob import Secret

VERSION = "20261012"
"""Of the API, a date. Without one the service takes the oldest order API that it still has."""
MOST_PAGES = 100

Params = Mapping[str, str | list[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
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


class _Again(Exception):
    """A try that may be repeated; never leaves this module."""

    def __init__(self, error: Spy32Error, wait: float | None = None) -> None:
        super().__init__(error.message)
        self.error = error
        """What it is when it is not repeated."""
        self.wait = wait


class Rest:
    """The service behind one log-in. `version` goes into Accept-Version; the sandbox takes none, so "" sends none."""

    def __init__(self, http: Http, session: Session, *, version: str = VERSION) -> None:
        self.http = http
        self.session = session
        self.listener: Callable[[Answer], None] | None = None
        """Gets every answer as it came, for what its headers say."""
        self._version = version

    def get(self, path: str, params: Params | None = None, *, seconds: float, name: str = "") -> Any:
        """What is under `data` at `path`, within `seconds`. The document is kept as `name`, or by its path.

        `Unavailable` when it could not be had in time, `NotPermitted` on 401 and 403, `Gone` on 404, 406 and 410,
        `Unusable` when the request was refused otherwise or what came is no envelope.
        """
        return self._document(path, params, seconds, name)["data"]

    def get_if_any(self, path: str, *, seconds: float) -> Any | None:
        """As `get`; None where the service itself, and not a gateway before it, says that there is no such thing."""
        document = self._document(path, None, seconds, "", is_optional=True)
        if document and document["data"] is None:
            raise Unusable(f"tastytrade: the data for {path} is empty")
        return document["data"] if document else None

    def items(self, path: str, params: Params | None = None, *, seconds: float, name: str = "") -> list[Any]:
        """The list under `data.items`, of all pages where there are several."""
        until = self.http.monotonic() + seconds
        found: list[Any] = []
        for page in range(MOST_PAGES):
            asked = {**(params or {}), **({"page-offset": str(page)} if page else {})}
            left = until - self.http.monotonic()
            document = self._document(path, asked, left, f"{name}-{page + 1}" if name and page else name)
            data = document["data"]
            if not isinstance(data, dict) or not isinstance(data.get("items"), list):
                raise Unusable(f"tastytrade: data.items of {path} is no list")
            found += data["items"]
            if page + 1 >= _pages(path, document.get("pagination"), page):
                return found
        raise Unusable(f"tastytrade: {path} has more than {MOST_PAGES} pages")

    def send(
        self, method: str, path: str, *, seconds: float, data: bytes | None = None, spare: float = EARLY
    ) -> Answer:
        """One request over a connection of its own, and whatever answers it. Never repeated, whatever comes.

        Its token lives for `spare` more seconds. What has not left when this returns or raises never does; a `Failure`
        says for sure whether it had.
        """
        until = self.http.monotonic() + seconds
        token = self.session.bearer(seconds, spare=spare)
        body = Body(data)
        with Once(body) as connections:
            try:
                return self._exchange(
                    method, path, token, until, data=data, http=replace(self.http, _session=connections)
                )
            except Failure as failure:
                was_sent = not body.withdraw() and failure.was_sent
                raise Failure(failure.kind, failure.words, was_sent=was_sent) from None
            finally:
                body.withdraw()

    def ask(self, path: str, data: bytes, *, seconds: float, spare: float = EARLY) -> Answer:
        """One POST that changes nothing, and whatever answers it; only a token that is refused is renewed once."""
        return self._permitted("POST", path, self.http.monotonic() + seconds, data=data, spare=spare)

    def refusal(self, answer: Answer) -> Refusal:
        """What the service said; no words where it sent a page, nothing, or something of no known form."""
        error = None if is_page(answer) else _error_of(answer.body)
        safe = self.session.safe
        if error is None:
            return Refusal(status=answer.status, code="", message="")
        inner = error.get("errors")
        entries = tuple(
            (safe(_text(entry, "code", "domain")), safe(_text(entry, "message", "reason")))
            for entry in (inner if isinstance(inner, list) else ())
            if isinstance(entry, dict)
        )
        code, message = safe(_text(error, "code")), safe(_text(error, "message"))
        return Refusal(status=answer.status, code=code, message=message, entries=entries)

    def error(self, path: str, answer: Answer) -> Spy32Error:
        """The error that an answer without success is."""
        status, said = answer.status, self.session.safe(self.refusal(answer).words)
        what = f"tastytrade: HTTP {status} for {path}" + (f": {said}" if said else "")
        if status == 401 and is_page(answer):
            return NotPermitted(f"{what} with a page: the service refuses the User-Agent")
        if status == 406:
            return Gone(f"{what}; it no longer knows Accept-Version {self._version or '(none sent)'}, update spy32")
        kinds: dict[int, type[Spy32Error]] = {401: NotPermitted, 403: NotPermitted, 404: Gone, 410: Gone}
        return kinds.get(status, Unavailable if status in PASSING else Unusable)(what)

    def _document(
        self, path: str, params: Params | None, seconds: float, name: str, *, is_optional: bool = False
    ) -> dict[str, Any]:
        """The envelope; empty for what the service says it does not have, where that `is_optional`."""
        until = self.http.monotonic() + seconds
        jitter = tenacity.wait_random_exponential(multiplier=FIRST_WAIT, max=LONGEST_WAIT)
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_Again),
            wait=lambda state: _asked_wait(state) or jitter(state),
            stop=lambda state: state.attempt_number >= TRIES or self.http.monotonic() + state.upcoming_sleep >= until,
            sleep=self.http.sleep,
            reraise=True,
        )
        try:
            name = name or path.strip("/").replace("/", "-")
            return retrying(self._once, path, params, until, name, is_optional=is_optional)
        except _Again as last:
            raise last.error from None

    def _once(self, path: str, params: Params | None, until: float, name: str, *, is_optional: bool) -> dict[str, Any]:
        try:
            answer = self._permitted("GET", path, until, params=params)
        except Failure as failure:
            raise _Again(Unavailable(failure.words)) from None
        if is_optional and answer.status == 404 and self.refusal(answer).words:
            return {}
        if not 200 <= answer.status < 300:
            error = self.error(path, answer)
            if isinstance(error, Unavailable):
                raise _Again(error, answer.retry_after(self.http.clock))
            raise error
        body = self.session.safe_body(answer.body)
        try:
            document = strict_json(body)
        except ValueError as trouble:
            raise _Again(Unusable(f"tastytrade sent no document for {path}: {trouble}")) from None
        if not isinstance(document, dict) or "data" not in document:
            raise Unusable(f"tastytrade: the answer for {path} has no field data")
        if self.http.keep is not None:
            self.http.keep(name, body)
        return document

    def _permitted(
        self,
        method: str,
        path: str,
        until: float,
        *,
        params: Params | None = None,
        data: bytes | None = None,
        spare: float = EARLY,
    ) -> Answer:
        """The answer to a question; a token that is refused is renewed once. A page is not about the token."""
        token = self.session.bearer(self._left(path, until), spare=spare)
        answer = self._exchange(method, path, token, until, params=params, data=data)
        if answer.status != 401 or is_page(answer):
            return answer
        self.session.drop(token)
        token = self.session.bearer(self._left(path, until), spare=spare)
        answer = self._exchange(method, path, token, until, params=params, data=data)
        if answer.status == 401 and not is_page(answer):
            raise self.session.refuse(f"{self.error(path, answer).message}; a new token was refused as well")
        return answer

    def _exchange(  # noqa: PLR0913 - the parts of a request
        self,
        method: str,
        path: str,
        token: Secret,
        until: float,
        *,
        params: Params | None = None,
        data: bytes | None = None,
        http: Http | None = None,
    ) -> Answer:
        headers = {
            "Authorization": f"Bearer {token.reveal()}",
            "Accept": "application/json",
            "Content-Type": "application/json",
        }
        if self._version:
            headers["Accept-Version"] = self._version
        left = self._left(path, until)
        answer = (http or self.http).exchange(method, path, seconds=left, params=params, headers=headers, data=data)
        if self.listener is not None:
            self.listener(answer)
        return answer

    def _left(self, path: str, until: float) -> float:
        """Seconds until then; `Unavailable` when there are none."""
        left = until - self.http.monotonic()
        if left <= 0:
            raise Unavailable(f"tastytrade: no time is left for {path}")
        return left


def _pages(path: str, pagination: Any, page: int) -> int:
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


def _error_of(body: bytes) -> dict[str, Any] | None:
    try:
        document = strict_json(body)
    except ValueError:
        return None
    error = document.get("error") if isinstance(document, dict) else None
    if isinstance(error, str):
        return {"code": error, "message": document.get("error_description")}
    return error if isinstance(error, dict) else None


def _text(fields: Mapping[str, Any], *names: str) -> str:
    """The first of these that is there; a code may be a number."""
    for name in names:
        found = fields.get(name)
        if isinstance(found, str | int) and not isinstance(found, bool):
            return str(found)
    return ""


def _asked_wait(state: tenacity.RetryCallState) -> float | None:
    trouble = state.outcome.exception() if state.outcome is not None else None
    return trouble.wait if isinstance(trouble, _Again) else None
