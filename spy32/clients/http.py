"""One service over HTTP: bounded in time and size, no redirect followed, no secret and no foreign exception let out.

`requests` bounds the wait between two bytes, not the whole, so each exchange has a limit on the wall clock as well.
"""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any

import requests
import urllib3

from spy32 import __version__
from spy32.clients.deadline import DeadlineExceeded, call_within
from spy32.clients.retry import Retry, retry_read
from spy32.domain.value import value
from spy32.errors import NotPermitted, ServiceGone, Spy32Error, Unavailable, Unusable

CONNECT_SECONDS = 10.0
MAX_BODY_BYTES = 32 * 1024 * 1024
"""Bytes after decompression; the largest document we read, a whole option chain, has some eight million."""
TRANSIENT_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504, *range(520, 528)})
"""Statuses after which a read is repeated."""


_MALFORMED_REQUEST_ERRORS = (
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidHeader,
    UnicodeError,
)


class HttpFailure(Exception):
    """No whole answer came. `kind` is `unreachable`, `timeout`, `dropped`, `damaged` or `too_large`."""

    def __init__(self, kind: str, words: str, *, was_sent: bool) -> None:
        super().__init__(words)
        self.kind = kind
        self.words = words
        self.was_sent = was_sent
        """Whether the request may have reached the service; False only when it certainly did not."""


@value
class HttpResponse:
    """The response, whatever its status."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    def retry_after(self, clock: Callable[[], datetime]) -> float | None:
        """Seconds that the service asks to wait, from its header in seconds or as a date."""
        header = self.headers.get("retry-after", "").strip()
        if header.isascii() and header.isdigit():
            return float(header[:9])
        with suppress(ValueError, TypeError):
            return max(0.0, (parsedate_to_datetime(header) - clock()).total_seconds())
        return None


@dataclass(slots=True, kw_only=True)
class HttpClient:
    """A service at `base`. `keep(name, body)` gets every good document that was read, named by the end of its path."""

    service: str
    base: str
    clock: Callable[[], datetime]
    sleep: Callable[[float], None]
    monotonic: Callable[[], float]
    keep: Callable[[str, bytes], None] | None = None
    _session: requests.Session = field(default_factory=requests.Session)

    def json(self, path: str, *, seconds: float) -> Any:
        """The JSON document at `path`, within `seconds` over all tries.

        `Unavailable` when it could not be had in time, `NotPermitted` on 401 and 403, `ServiceGone` on 404 and 410,
        `Unusable` when what came is no document of ours.
        """
        return self._get(path, parse_strict_json, seconds)

    def text(self, path: str, *, seconds: float) -> str:
        """The text at `path`, as `json` has it; a page where none was asked for is no text."""
        found: str = self._get(path, _parse_plain_text, seconds)
        return found

    def _get(self, path: str, parse: Callable[[bytes], Any], seconds: float) -> Any:
        def error(answer: HttpResponse) -> Spy32Error | None:
            is_good = 200 <= answer.status < 300
            return None if is_good else error_kind(answer.status)(f"{self.service}: HTTP {answer.status} for {path}")

        def parse_and_keep(answer: HttpResponse) -> Any:
            found = parse(answer.body)
            if self.keep is not None:
                # One piece is not enough: quotes, bars and options of SPY are all called SPY.json.
                self.keep("/".join(path.split("/")[-2:]).lstrip("/"), answer.body)
            return found

        return self.read_answer(
            path,
            lambda until: self.send_request("GET", path, seconds=until - self.monotonic()),
            error,
            parse_and_keep,
            seconds=seconds,
        )

    def read_answer(
        self,
        path: str,
        ask: Callable[[float], HttpResponse],
        error: Callable[[HttpResponse], Spy32Error | None],
        parse: Callable[[HttpResponse], Any],
        *,
        seconds: float,
    ) -> Any:
        """The result of `parse` on the answer of `ask`, which gets a monotonic deadline; repeated within `seconds`.

        Repeated are: no answer, an answer whose `error` is `Unavailable`, and a document for which `parse` raises
        ValueError.
        """
        until = self.monotonic() + seconds

        def attempt() -> Any:
            try:
                answer = ask(until)
            except HttpFailure as failure:
                return Retry(outcome=Unavailable(failure.words))
            refused = error(answer)
            if refused is not None:
                wait = answer.retry_after(self.clock)
                return Retry(outcome=refused, wait=wait) if isinstance(refused, Unavailable) else refused
            try:
                return parse(answer)
            except ValueError as reason:
                return Retry(outcome=Unusable(f"{self.service} sent no document for {path}: {reason}"))

        found = retry_read(attempt, until=until, monotonic=self.monotonic, sleep=self.sleep)
        if isinstance(found, Spy32Error):
            raise found
        return found

    def send_request(  # noqa: PLR0913 - the parts of a request
        self,
        method: str,
        path: str,
        *,
        seconds: float,
        params: Mapping[str, str | list[str]] | None = None,
        headers: Mapping[str, str] | None = None,
        data: bytes | None = None,
        cap: int = MAX_BODY_BYTES,
    ) -> HttpResponse:
        """One request and its whole answer; `HttpFailure` when there is none within `seconds`. Never repeated."""
        if seconds <= 0:
            raise HttpFailure("timeout", f"{self.service} was not asked: no time is left", was_sent=False)
        request = requests.Request(
            method,
            self.base + path,
            params=params,
            data=data,
            headers=headers,
            auth=_keep_headers,
        )

        try:
            return call_within(
                seconds, lambda: self._perform_request(request, seconds, cap), name=f"{self.service} {method}"
            )
        except DeadlineExceeded:
            words = f"{self.service} gave no whole answer within {seconds:.0f} s"
            raise HttpFailure("timeout", words, was_sent=True) from None

    def _perform_request(self, request: requests.Request, seconds: float, cap: int) -> HttpResponse:
        name = self.service
        try:
            prepared = self._session.prepare_request(request)
            prepared.headers["User-Agent"] = f"spy32/{__version__}"
            environment = self._session.merge_environment_settings(prepared.url or "", {}, True, None, None)
            with self._session.send(
                prepared,
                timeout=(min(CONNECT_SECONDS, seconds), seconds),
                allow_redirects=False,
                **environment,
            ) as response:
                body = bytearray()
                for piece in response.iter_content(65536):
                    body += piece
                    if len(body) > cap:
                        raise HttpFailure("too_large", f"{name} sent more than {cap} bytes", was_sent=True)
                headers = {key.lower(): text for key, text in response.headers.items()}
                return HttpResponse(status=response.status_code, headers=headers, body=bytes(body))
        # The words of these exceptions hold whole addresses and headers, so they are not passed on.
        except _MALFORMED_REQUEST_ERRORS:
            raise HttpFailure(
                "unreachable", f"{name} cannot be asked: the address or a header is malformed", was_sent=False
            ) from None
        except requests.exceptions.ConnectTimeout:
            raise HttpFailure("unreachable", f"{name} does not answer at {_host(self.base)}", was_sent=False) from None
        except requests.exceptions.Timeout:
            raise HttpFailure("timeout", f"{name} gave no answer within {seconds:.0f} s", was_sent=True) from None
        except requests.exceptions.ContentDecodingError:
            raise HttpFailure("damaged", f"{name} sent a compressed answer that is damaged", was_sent=True) from None
        except requests.exceptions.ConnectionError as error:
            raise _classify_connection_error(name, self.base, error) from None
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError):
            raise HttpFailure("dropped", f"{name} ended the connection before a whole answer", was_sent=True) from None


def error_kind(status: int) -> type[Spy32Error]:
    """The error class of a status that is not a success."""
    kinds: dict[int, type[Spy32Error]] = {401: NotPermitted, 403: NotPermitted, 404: ServiceGone, 410: ServiceGone}
    return kinds.get(status, Unavailable if status in TRANSIENT_STATUSES else Unusable)


def _classify_connection_error(service: str, base: str, error: Exception) -> HttpFailure:
    """Whether the connection was ever made decides whether anything can have been sent."""
    cause: Any = error.args[0] if error.args else None
    reason = getattr(cause, "reason", cause)
    if isinstance(reason, urllib3.exceptions.NewConnectionError):
        return HttpFailure("unreachable", f"{service} cannot be reached at {_host(base)}", was_sent=False)
    if isinstance(reason, urllib3.exceptions.ReadTimeoutError):
        return HttpFailure("timeout", f"{service} stopped in the middle of an answer", was_sent=True)
    if isinstance(reason, urllib3.exceptions.SSLError):
        return HttpFailure("dropped", f"{service} has no safe connection at {_host(base)}: TLS failed", was_sent=True)
    return HttpFailure("dropped", f"{service} ended the connection before a whole answer", was_sent=True)


def _keep_headers(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Leaves the headers alone; without it a line of ~/.netrc would replace the one that authorises."""
    return request


def _host(base: str) -> str:
    return base.split("://", 1)[-1].split("/", 1)[0].rsplit("@", 1)[-1]


def _parse_plain_text(body: bytes) -> str:
    text = body.decode("utf-8")
    if text.lstrip()[:1] == "<":
        raise ValueError("it is a page")
    return text


class JsonFault(StrEnum):
    """Why a text is not one JSON value."""

    NOT_JSON = "not_json"
    DUPLICATE_KEY = "duplicate_key"
    NESTED = "nested"
    NUMBER = "number"
    MORE = "more"


class NotJson(ValueError):
    """`end` is where the value ended after which more comes."""

    def __init__(self, words: str, fault: JsonFault = JsonFault.NOT_JSON, end: int = 0) -> None:
        super().__init__(words)
        self.fault = fault
        self.end = end


def parse_strict_json(body: bytes | str) -> Any:
    """The one JSON value in `body`; `NotJson` for anything else, also for what `json` would let pass, and ValueError
    for bytes that are no text.

    Keys that stand twice, NaN, Infinity, numbers too large for a float, nesting too deep and text after the value.
    """
    try:
        return json.loads(
            body, object_pairs_hook=_reject_duplicate_keys, parse_constant=_reject_constant, parse_float=_parse_finite
        )
    except RecursionError:
        raise NotJson("it is nested too deep", JsonFault.NESTED) from None
    except json.JSONDecodeError as error:
        fault = JsonFault.MORE if error.msg == "Extra data" else JsonFault.NOT_JSON
        raise NotJson(f"it is not JSON ({error.msg} at {error.pos})", fault, error.pos) from None
    except (NotJson, UnicodeDecodeError):
        raise
    except ValueError:
        # Python reads no whole number of more than 4300 digits.
        raise NotJson("a number has thousands of digits", JsonFault.NUMBER) from None


def _reject_duplicate_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        double = next(name for name in names if names.count(name) > 1)
        raise NotJson(f"the key {double[:40]!r} stands twice", JsonFault.DUPLICATE_KEY)
    return found


def _reject_constant(constant: str) -> Any:
    raise NotJson(f"{constant} is not a number", JsonFault.NUMBER)


def _parse_finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise NotJson("a number is too large", JsonFault.NUMBER)
    return number
