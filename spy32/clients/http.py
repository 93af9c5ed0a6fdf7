"""One service over HTTP: bounded in time and size, no redirect followed, no secret and no foreign exception let out.

`requests` bounds the wait between two bytes, not the whole: a server that drips holds a process for ever. Each exchange
therefore runs on a thread of its own, which is left behind when the wall-clock limit is reached.
"""

import json
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import requests
import tenacity
import urllib3

from spy32 import __version__
from spy32.domain.value import value
from spy32.errors import NotPermitted, ServiceGone, Spy32Error, Unavailable, Unusable

CONNECT_SECONDS = 10.0
MAX_BODY_BYTES = 32 * 1024 * 1024
"""Bytes after decompression; the largest document we read, a whole option chain, has some eight million."""
MAX_ATTEMPTS = 2
FIRST_WAIT, LONGEST_WAIT = 0.5, 8.0
TRANSIENT_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504, *range(520, 528)})
"""Statuses that may be gone at the next try."""


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
        """False only when nothing can have reached the service."""


@value
class HttpResponse:
    """What came back, whatever its status."""

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


class _RetryableRead(Exception):
    """A try that may be repeated; never leaves this module."""

    def __init__(self, words: str, *, wait: float | None = None, kind: type[Spy32Error] = Unavailable) -> None:
        super().__init__(words)
        self.wait = wait
        self.kind = kind
        """What it is when it is not repeated."""


@dataclass(slots=True, kw_only=True)
class HttpClient:
    """A service at `base`. `keep(name, body)` gets every good document that was read, named by the end of its path."""

    service: str
    base: str
    clock: Callable[[], datetime]
    sleep: Callable[[float], None]
    monotonic: Callable[[], float]
    keep: Callable[[str, bytes], None] | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Sent with every request; not shown, since one may authorise."""
    _session: requests.Session = field(default_factory=requests.Session)

    def json(
        self,
        path: str,
        *,
        seconds: float,
        params: Mapping[str, str | list[str]] | None = None,
        headers: Mapping[str, str] | None = None,
        tries: int = MAX_ATTEMPTS,
    ) -> Any:
        """The JSON document at `path`, within `seconds` over all tries.

        `Unavailable` when it could not be had in time, `NotPermitted` on 401 and 403, `Gone` on 404 and 410,
        `Unusable` when what came is no document of ours.
        """
        return self._fetch(path, parse_strict_json, seconds=seconds, params=params, headers=headers, tries=tries)

    def text(self, path: str, *, seconds: float, tries: int = MAX_ATTEMPTS) -> str:
        """The text at `path`, as `json` has it; a page where none was asked for is no text."""
        found: str = self._fetch(path, _parse_plain_text, seconds=seconds, params=None, headers=None, tries=tries)
        return found

    def _fetch(
        self,
        path: str,
        parse: Callable[[bytes], Any],
        *,
        seconds: float,
        params: Mapping[str, str | list[str]] | None,
        headers: Mapping[str, str] | None,
        tries: int,
    ) -> Any:
        deadline = self.monotonic() + seconds

        def attempt() -> Any:
            left = deadline - self.monotonic()
            try:
                answer = self.send_request("GET", path, seconds=left, params=params, headers=headers)
            except HttpFailure as failure:
                raise _RetryableRead(failure.words) from None
            self._check_status(path, answer)
            try:
                parsed = parse(answer.body)
            except ValueError as error:
                words = f"{self.service} sent no document for {path}: {error}"
                raise _RetryableRead(words, kind=Unusable) from None
            if self.keep is not None:
                # One piece is not enough: quotes, bars and options of SPY are all called SPY.json.
                self.keep("/".join(path.split("/")[-2:]).lstrip("/"), answer.body)
            return parsed

        jitter = tenacity.wait_random_exponential(multiplier=FIRST_WAIT, max=LONGEST_WAIT)
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_RetryableRead),
            wait=lambda state: _requested_wait(state) or jitter(state),
            stop=lambda state: state.attempt_number >= tries or self.monotonic() + state.upcoming_sleep >= deadline,
            sleep=self.sleep,
            reraise=True,
        )
        try:
            return retrying(attempt)
        except _RetryableRead as last:
            raise last.kind(str(last)) from None

    def _check_status(self, path: str, answer: HttpResponse) -> None:
        """Nothing for a good status; the error that the others are."""
        status, summary = answer.status, f"{self.service}: HTTP {answer.status} for {path}"
        if 200 <= status < 300:
            return
        if status in TRANSIENT_STATUSES:
            raise _RetryableRead(summary, wait=answer.retry_after(self.clock))
        if status in (401, 403):
            raise NotPermitted(summary)
        if status in (404, 410):
            raise ServiceGone(summary)
        raise Unusable(summary)

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
        """One request and its whole answer; `Failure` when there is none within `seconds`. Never repeated."""
        if seconds <= 0:
            raise HttpFailure("timeout", f"{self.service} was not asked: no time is left", was_sent=False)
        found: list[HttpResponse | HttpFailure | BaseException] = []
        request = requests.Request(
            method,
            self.base + path,
            params=params,
            data=data,
            headers={**self.headers, **(headers or {})},
            auth=_keep_headers,
        )

        def act() -> None:
            try:
                found.append(self._perform_request(request, seconds, cap))
            except BaseException as error:  # noqa: BLE001 - carried to the thread that asked
                found.append(error)

        worker = threading.Thread(target=act, daemon=True, name=f"{self.service} {method}")
        worker.start()
        worker.join(seconds)
        if not found:
            raise HttpFailure("timeout", f"{self.service} gave no whole answer within {seconds:.0f} s", was_sent=True)
        result = found[0]
        if isinstance(result, BaseException):
            raise result
        return result

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


def _requested_wait(state: tenacity.RetryCallState) -> float | None:
    error = state.outcome.exception() if state.outcome is not None else None
    return error.wait if isinstance(error, _RetryableRead) else None


def _parse_plain_text(body: bytes) -> str:
    text = body.decode("utf-8")
    if text.lstrip()[:1] == "<":
        raise ValueError("it is a page")
    return text


def parse_strict_json(body: bytes | str) -> Any:
    """The one JSON value in `body`; ValueError for anything else, also for what `json` would let pass.

    Keys that stand twice, NaN, Infinity, numbers too large for a float, nesting too deep and text after the value.
    """
    try:
        return json.loads(
            body, object_pairs_hook=_reject_duplicate_keys, parse_constant=_reject_constant, parse_float=_parse_finite
        )
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not JSON ({error.msg} at {error.pos})") from None


def _reject_duplicate_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        double = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {double[:40]!r} stands twice")
    return found


def _reject_constant(constant: str) -> Any:
    raise ValueError(f"{constant} is not a number")


def _parse_finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError("a number is too large")
    return number
