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
from spy32.errors import Gone, NotPermitted, Spy32Error, Unavailable, Unusable

CONNECT_SECONDS = 10.0
CAP = 32 * 1024 * 1024
"""Bytes after decompression; the largest document we read, a whole option chain, has some eight million."""
TRIES = 2
FIRST_WAIT, LONGEST_WAIT = 0.5, 8.0
PASSING = frozenset({408, 425, 429, 500, 502, 503, 504, *range(520, 528)})
"""Statuses that may be gone at the next try."""


_MALFORMED = (
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidHeader,
    UnicodeError,
)


class Failure(Exception):
    """No whole answer came. `kind` is `unreachable`, `timeout`, `dropped`, `damaged` or `too_large`."""

    def __init__(self, kind: str, words: str, *, was_sent: bool) -> None:
        super().__init__(words)
        self.kind = kind
        self.words = words
        self.was_sent = was_sent
        """False only when nothing can have reached the service."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
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
        said = self.headers.get("retry-after", "").strip()
        if said.isascii() and said.isdigit():
            return float(said[:9])
        with suppress(ValueError, TypeError):
            return max(0.0, (parsedate_to_datetime(said) - clock()).total_seconds())
        return None


class _Again(Exception):
    """A try that may be repeated; never leaves this module."""

    def __init__(self, words: str, *, wait: float | None = None, kind: type[Spy32Error] = Unavailable) -> None:
        super().__init__(words)
        self.wait = wait
        self.kind = kind
        """What it is when it is not repeated."""


@dataclass(slots=True, kw_only=True)
class Http:
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
        tries: int = TRIES,
    ) -> Any:
        """The JSON document at `path`, within `seconds` over all tries.

        `Unavailable` when it could not be had in time, `NotPermitted` on 401 and 403, `Gone` on 404 and 410,
        `Unusable` when what came is no document of ours.
        """
        return self._read(path, strict_json, seconds=seconds, params=params, headers=headers, tries=tries)

    def text(self, path: str, *, seconds: float, tries: int = TRIES) -> str:
        """The text at `path`, as `json` has it; a page where none was asked for is no text."""
        found: str = self._read(path, _plain_text, seconds=seconds, params=None, headers=None, tries=tries)
        return found

    def _read(
        self,
        path: str,
        parse: Callable[[bytes], Any],
        *,
        seconds: float,
        params: Mapping[str, str | list[str]] | None,
        headers: Mapping[str, str] | None,
        tries: int,
    ) -> Any:
        until = self.monotonic() + seconds

        def once() -> Any:
            left = until - self.monotonic()
            try:
                answer = self.exchange("GET", path, seconds=left, params=params, headers=headers)
            except Failure as failure:
                raise _Again(failure.words) from None
            self._judge(path, answer)
            try:
                parsed = parse(answer.body)
            except ValueError as trouble:
                words = f"{self.service} sent no document for {path}: {trouble}"
                raise _Again(words, kind=Unusable) from None
            if self.keep is not None:
                # One piece is not enough: quotes, bars and options of SPY are all called SPY.json.
                self.keep("/".join(path.split("/")[-2:]).lstrip("/"), answer.body)
            return parsed

        jitter = tenacity.wait_random_exponential(multiplier=FIRST_WAIT, max=LONGEST_WAIT)
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_Again),
            wait=lambda state: _asked_wait(state) or jitter(state),
            stop=lambda state: state.attempt_number >= tries or self.monotonic() + state.upcoming_sleep >= until,
            sleep=self.sleep,
            reraise=True,
        )
        try:
            return retrying(once)
        except _Again as last:
            raise last.kind(str(last)) from None

    def _judge(self, path: str, answer: Answer) -> None:
        """Nothing for a good status; the error that the others are."""
        status, what = answer.status, f"{self.service}: HTTP {answer.status} for {path}"
        if 200 <= status < 300:
            return
        if status in PASSING:
            raise _Again(what, wait=answer.retry_after(self.clock))
        if status in (401, 403):
            raise NotPermitted(what)
        if status in (404, 410):
            raise Gone(what)
        raise Unusable(what)

    def exchange(  # noqa: PLR0913 - the parts of a request
        self,
        method: str,
        path: str,
        *,
        seconds: float,
        params: Mapping[str, str | list[str]] | None = None,
        headers: Mapping[str, str] | None = None,
        data: bytes | None = None,
        cap: int = CAP,
    ) -> Answer:
        """One request and its whole answer; `Failure` when there is none within `seconds`. Never repeated."""
        if seconds <= 0:
            raise Failure("timeout", f"{self.service} was not asked: no time is left", was_sent=False)
        found: list[Answer | Failure | BaseException] = []
        request = requests.Request(
            method,
            self.base + path,
            params=params,
            data=data,
            headers={**self.headers, **(headers or {})},
            auth=_as_given,
        )

        def act() -> None:
            try:
                found.append(self._exchanged(request, seconds, cap))
            except BaseException as trouble:  # noqa: BLE001 - carried to the thread that asked
                found.append(trouble)

        worker = threading.Thread(target=act, daemon=True, name=f"{self.service} {method}")
        worker.start()
        worker.join(seconds)
        if not found:
            raise Failure("timeout", f"{self.service} gave no whole answer within {seconds:.0f} s", was_sent=True)
        result = found[0]
        if isinstance(result, BaseException):
            raise result
        return result

    def _exchanged(self, request: requests.Request, seconds: float, cap: int) -> Answer:
        name = self.service
        try:
            prepared = self._session.prepare_request(request)
            prepared.headers["User-Agent"] = f"spy32/{__version__}"
            around = self._session.merge_environment_settings(prepared.url or "", {}, True, None, None)
            with self._session.send(
                prepared,
                timeout=(min(CONNECT_SECONDS, seconds), seconds),
                allow_redirects=False,
                **around,
            ) as response:
                body = bytearray()
                for piece in response.iter_content(65536):
                    body += piece
                    if len(body) > cap:
                        raise Failure("too_large", f"{name} sent more than {cap} bytes", was_sent=True)
                headers = {key.lower(): text for key, text in response.headers.items()}
                return Answer(status=response.status_code, headers=headers, body=bytes(body))
        # The words of these exceptions hold whole addresses and headers, so they are not passed on.
        except _MALFORMED:
            raise Failure(
                "unreachable", f"{name} cannot be asked: the address or a header is malformed", was_sent=False
            ) from None
        except requests.exceptions.ConnectTimeout:
            raise Failure("unreachable", f"{name} does not answer at {_host(self.base)}", was_sent=False) from None
        except requests.exceptions.Timeout:
            raise Failure("timeout", f"{name} gave no answer within {seconds:.0f} s", was_sent=True) from None
        except requests.exceptions.ContentDecodingError:
            raise Failure("damaged", f"{name} sent a compressed answer that is damaged", was_sent=True) from None
        except requests.exceptions.ConnectionError as trouble:
            raise _connection_failure(name, self.base, trouble) from None
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError):
            raise Failure("dropped", f"{name} ended the connection before a whole answer", was_sent=True) from None


def _connection_failure(service: str, base: str, trouble: Exception) -> Failure:
    """Whether the connection was ever made decides whether anything can have been sent."""
    cause: Any = trouble.args[0] if trouble.args else None
    reason = getattr(cause, "reason", cause)
    if isinstance(reason, urllib3.exceptions.NewConnectionError):
        return Failure("unreachable", f"{service} cannot be reached at {_host(base)}", was_sent=False)
    if isinstance(reason, urllib3.exceptions.ReadTimeoutError):
        return Failure("timeout", f"{service} stopped in the middle of an answer", was_sent=True)
    if isinstance(reason, urllib3.exceptions.SSLError):
        return Failure("dropped", f"{service} has no safe connection at {_host(base)}: TLS failed", was_sent=True)
    return Failure("dropped", f"{service} ended the connection before a whole answer", was_sent=True)


def _as_given(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Leaves the headers alone; without it a line of ~/.netrc would replace the one that authorises."""
    return request


def _host(base: str) -> str:
    return base.split("://", 1)[-1].split("/", 1)[0].rsplit("@", 1)[-1]


def _asked_wait(state: tenacity.RetryCallState) -> float | None:
    trouble = state.outcome.exception() if state.outcome is not None else None
    return trouble.wait if isinstance(trouble, _Again) else None


def _plain_text(body: bytes) -> str:
    text = body.decode("utf-8")
    if text.lstrip()[:1] == "<":
        raise ValueError("it is a page")
    return text


def strict_json(body: bytes | str) -> Any:
    """The one JSON value in `body`; ValueError for anything else, also for what `json` would let pass.

    Keys that stand twice, NaN, Infinity, numbers too large for a float, nesting too deep and text after the value.
    """
    try:
        return json.loads(body, object_pairs_hook=_once, parse_constant=_no_constant, parse_float=_finite)
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    except json.JSONDecodeError as trouble:
        raise ValueError(f"it is not JSON ({trouble.msg} at {trouble.pos})") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        double = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {double[:40]!r} stands twice")
    return found


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is not a number")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError("a number is too large")
    return number
