"""All use of yfinance: one question at a time, within a deadline, without output, and with an error where it is silent.

yfinance itself is not changed. It takes a session of ours, which bounds the time, replaces the address when one is set
and remembers what Yahoo refused. Yahoo is asked by one thread at a time, because the whole process shares one cookie
and one crumb. yfinance keeps nothing on disk: its files cost more faults than the requests that they save.
"""

import importlib
import logging
import math
import os
import re
import threading
import warnings
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

from curl_cffi import CurlOpt
from curl_cffi.requests import Response, Session

from spy32.clients.deadline import DeadlineExceeded, call_within
from spy32.clients.http import MAX_BODY_BYTES, parse_strict_json
from spy32.errors import Spy32Error, Unavailable, Unusable

T = TypeVar("T")

MAX_REQUEST_SECONDS = 6.0
"""Seconds for one request. A document takes up to four, and three dead hosts must end within the budget."""
REQUEST_SHARE = 0.95
"""Of the budget, for requests; the rest is for reading what came."""
RATE_LIMIT_PAUSE = 120.0
"""Seconds without a question after Yahoo said that there were too many."""
DOCUMENT = re.compile(r"/v\d+/finance/(options|chart|quoteSummary)/([^/]+)")
CRUMB_PATH = "/v1/test/getcrumb"
CRUMB_PATTERN = re.compile(r"[^\s<>{}\"]{4,64}")
COOKIE_HOST = "fc.yahoo.com"
HOSTS = (COOKIE_HOST, "guce.yahoo.com", "consent.yahoo.com")
"""Where yfinance gets its cookie and gives its consent."""
YFINANCE_ERRORS = (LookupError, TypeError, ValueError, AttributeError, OSError, ArithmeticError, RuntimeError)
"""Exceptions of yfinance when a service misbehaves, besides its own."""

_YAHOO_LOCK = threading.Lock()


class YahooSession(Session[Response]):
    """What yfinance sends its requests with. `until` is the monotonic second after which it sends none."""

    def __init__(self, address: str, monotonic: Callable[[], float], keep: Callable[[str, bytes], None] | None) -> None:
        super().__init__(impersonate="chrome", curl_options={CurlOpt.MAXFILESIZE_LARGE: MAX_BODY_BYTES})
        self.until = math.inf
        self.path = ""
        """Of the last request, without its query: a crumb is nobody's business."""
        self.refusal: Unavailable | None = None
        """Of the last document, until `begin`."""
        self.bad_crumb_status: int | None = None
        """The HTTP status with which Yahoo sent something else than a crumb; None after a good one."""
        self.is_limited = False
        self.calendars: dict[str, Any] = {}
        """The answer for each symbol's calendar; yfinance reads its dates on the machine's own clock."""
        self._address = address.rstrip("/")
        self._monotonic = monotonic
        self._keep = keep
        self._refused: set[str] = set()
        self._cookie_page: Response | None = None

    def begin(self) -> None:
        """Forgets the refusals of the question before."""
        self._refused.clear()
        self.refusal = None

    def request(self, method: Any, url: str, *args: Any, **kw: Any) -> Response:
        """One request within the time that is left; `Unavailable` or `Unusable` where yfinance would be silent."""
        parts = urlsplit(url)
        host, self.path = parts.hostname or "", unquote(parts.path)
        document = DOCUMENT.fullmatch(self.path)
        is_known = document is not None or host in HOSTS or self.path == CRUMB_PATH
        if not (is_known and host.endswith(".yahoo.com")):
            raise Unusable(f"yahoo: {host}{self.path} is no address that spy32 asks")
        if host == COOKIE_HOST and self._cookie_page is not None:
            return self._cookie_page  # yfinance asks for it before every document when it stores none
        remaining = self.until - self._monotonic()
        if remaining <= 0:
            raise Unavailable(f"yahoo: no time was left for {self.path}")
        kw["timeout"] = min(kw.get("timeout") or MAX_REQUEST_SECONDS, MAX_REQUEST_SECONDS, remaining)
        if self._address:
            url = self._address + parts.path + (f"?{parts.query}" if parts.query else "")
            kw["allow_redirects"] = False  # a redirect would lead away from the address
        answer = super().request(method, url, *args, **kw)
        if host == COOKIE_HOST and len(self.cookies.jar):
            self._cookie_page = answer
        elif self.path == CRUMB_PATH:
            self._check_crumb(answer)
        elif document is not None and not (urlsplit(answer.url).hostname or "").endswith("consent.yahoo.com"):
            asked = dict(parse_qsl(parts.query)) | (kw.get("params") or {})
            when = [str(asked[name]) for name in ("date", "range", "period1") if name in asked]
            name = "_".join([*document.groups(), *when]).replace("^", "")
            self._check_document(answer, document[1], document[2], name)
        return answer

    def _check_crumb(self, answer: Response) -> None:
        is_good = answer.status_code == 200 and CRUMB_PATTERN.fullmatch(answer.text.strip()) is not None
        self.bad_crumb_status = None if is_good else answer.status_code
        self.is_limited |= answer.status_code == 429

    def _check_document(self, answer: Response, kind: str, symbol: str, name: str) -> None:
        """A good document is kept. A second refusal is final: yfinance would answer it with nothing."""
        status, self.refusal = answer.status_code, None
        if status == 200:
            try:
                parsed = parse_strict_json(answer.content)
            except ValueError as reason:
                raise Unavailable(f"yahoo sent no document for {self.path}: {reason}") from None
            if kind == "quoteSummary":
                self.calendars[symbol] = parsed
            if self._keep is not None:
                self._keep(f"{name}.json", answer.content)
            return
        if status == 404:
            raise Unusable(f"yahoo does not know {symbol} (HTTP 404 for {self.path})")
        crumb = "" if self.bad_crumb_status is None else f", after HTTP {self.bad_crumb_status} for {CRUMB_PATH}"
        self.refusal = Unavailable(f"yahoo: HTTP {status} for {self.path}{crumb}")
        self.is_limited |= status == 429
        if name in self._refused or status < 400:
            raise self.refusal
        self._refused.add(name)


class YahooClient:
    """Access to Yahoo. `run_bounded` limits a whole question in wall-clock time, `call_ticker` asks yfinance for one
    thing.

    After HTTP 429 nothing is sent for two minutes: more questions make such a wave longer.
    """

    def __init__(
        self,
        *,
        address: str,
        monotonic: Callable[[], float],
        seconds: float,
        keep: Callable[[str, bytes], None] | None = None,
    ) -> None:
        self._address, self._monotonic, self._seconds, self._keep = address, monotonic, seconds, keep
        self._session: YahooSession | None = None
        self._tickers: dict[str, Any] = {}
        self._until = math.inf
        self._closed_until = -math.inf

    def run_bounded(self, work: Callable[[], T]) -> T:
        """The result of `work`, run on a thread that is abandoned at the deadline (`Unavailable`)."""
        self._check_pause()
        _load_yfinance()
        deadline = self._monotonic() + self._seconds * REQUEST_SHARE

        def run() -> T:
            if not _YAHOO_LOCK.acquire(timeout=max(deadline - self._monotonic(), 0)):
                raise Unavailable("yahoo: an earlier question is still open")
            try:
                self._until = deadline
                return work()
            finally:
                _YAHOO_LOCK.release()

        try:
            return call_within(self._seconds, run, name="yahoo")
        except DeadlineExceeded:
            raise Unavailable(f"yahoo gave no whole answer within {self._seconds:g} s") from None

    def call_ticker(self, symbol: str, call: Callable[[Any], T]) -> T:
        """The result of `call` on the ticker of `symbol`; only inside `run_bounded`. Failing leaves no state behind."""
        self._check_pause()
        session, ticker = self._get_session_and_ticker(symbol)
        session.begin()
        try:
            found = call(ticker)
            if session.refusal is not None:
                raise session.refusal
        except Spy32Error:
            self._fail(session)
            raise
        except (*YFINANCE_ERRORS, importlib.import_module("yfinance.exceptions").YFException) as error:
            self._fail(session)
            raise _translate_error(error, session) from None
        if session.bad_crumb_status is not None:
            self.reset()  # yfinance would go on with what it took for a crumb
        return found

    def calendar(self, symbol: str) -> Any:
        """Yahoo's calendar document of a company."""
        self.call_ticker(symbol, lambda ticker: ticker.calendar)
        return self._get_session_and_ticker(symbol)[0].calendars[symbol]

    def reset(self) -> None:
        """Drops cookie, crumb and tickers. What is asked next begins anew."""
        self._tickers.clear()
        if self._session is not None:
            self._session.close()
        self._session = None
        data = importlib.import_module("yfinance.data")
        data.SingletonMeta._instances.pop(data.YfData, None)

    def _get_session_and_ticker(self, symbol: str) -> tuple[YahooSession, Any]:
        """The session and the ticker; yfinance's state of the process is dropped when it is another's."""
        yf = _load_yfinance()
        data = importlib.import_module("yfinance.data")
        singleton = data.SingletonMeta._instances.get(data.YfData)
        if self._session is None or singleton is None or singleton._session is not self._session:
            self.reset()
            self._session = YahooSession(self._address, self._monotonic, self._keep)
        self._session.until = self._until
        if symbol not in self._tickers:
            self._tickers[symbol] = yf.Ticker(symbol, session=self._session)
        return self._session, self._tickers[symbol]

    def _fail(self, session: YahooSession) -> None:
        if session.is_limited:
            self._closed_until = self._monotonic() + RATE_LIMIT_PAUSE
        self.reset()

    def _check_pause(self) -> None:
        if self._monotonic() < self._closed_until:
            raise Unavailable("yahoo said HTTP 429, too many requests; it is not asked again for two minutes")


def _load_yfinance() -> Any:
    """yfinance, quiet and without files: cron mails every line, most of them about its own future with pandas."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yf = importlib.import_module("yfinance")
    # Each time: whoever restores the filters (a test does) takes ours away.
    warnings.filterwarnings("ignore", module="yfinance")
    logger = logging.getLogger("yfinance")
    logger.propagate = False
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    yf.config.debug.hide_exceptions = False
    yf.set_tz_cache_location(f"{os.devnull}/none")  # no folder can be made there, so it works without one
    return yf


def _translate_error(error: Exception, session: YahooSession) -> Spy32Error:
    """Our exception for one of yfinance, without its text, which may hold an address with a crumb."""
    path = session.path
    if session.refusal is not None:
        return session.refusal
    if isinstance(error, OSError):
        return Unavailable(f"yahoo cannot be reached, or gave no whole answer in time, for {path}")
    if type(error).__name__ == "YFRateLimitError":
        session.is_limited = True
        return Unavailable(f"yahoo: too many requests for {path}")
    field = error.args[0] if isinstance(error, KeyError) and error.args else ""
    where = f" at the field {field!r}" if isinstance(field, str) and field.isidentifier() else ""
    return Unusable(f"yahoo: yfinance cannot read the document for {path}{where} ({type(error).__name__})")
