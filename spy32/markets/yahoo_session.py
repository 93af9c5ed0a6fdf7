"""yfinance behind one door: one question at a time, within its time, quiet, and loud about its silences.

yfinance itself is not changed. It takes a session of ours, and the session sees every request: it bounds the time,
replaces the address when one is set, checks each document before yfinance reads it, and remembers what was refused.
Yahoo is asked by one thread at a time, because cookie, crumb and cache are shared by the whole process.
"""

import importlib
import logging
import math
import os
import pickle
import re
import sqlite3
import threading
import warnings
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from curl_cffi import CurlOpt
from curl_cffi.requests import Response, Session
from curl_cffi.requests.exceptions import ConnectionError as NoConnection
from curl_cffi.requests.exceptions import Timeout

from spy32.clients.http import MAX_BODY_BYTES, parse_strict_json
from spy32.errors import Spy32Error, Unavailable, Unusable
from spy32.markets.yahoo_documents import CHECKS, YahooDocument, parse_request

T = TypeVar("T")

MAX_REQUEST_SECONDS = 6.0
"""Seconds for one request. A document takes up to four, and three dead hosts must end within the budget."""
REQUEST_SHARE = 0.95
"""Of the budget, for requests; the rest is for reading what came."""
RATE_LIMIT_PAUSE = 120.0
"""Seconds without a question after Yahoo said that there were too many."""
CRUMB_PATH = "/v1/test/getcrumb"
CRUMB_PATTERN = re.compile(r"[^\s<>{}\"]{4,64}")
COOKIE_HOST = "fc.yahoo.com"
CONSENT_HOSTS = ("guce.yahoo.com", "consent.yahoo.com")
YFINANCE_ERRORS: tuple[type[Exception], ...] = (
    LookupError, TypeError, ValueError, AttributeError, OSError, ArithmeticError, RuntimeError, EOFError,
    pickle.PickleError,
)  # fmt: skip
"""What comes out of yfinance when a service misbehaves, besides its own exceptions and those of its cache."""

_YAHOO_LOCK = threading.Lock()


class YahooSession(Session[Response]):
    """What yfinance sends its requests with. `until` is the monotonic second after which it sends none."""

    def __init__(self, *, address: str, monotonic: Callable[[], float], keep: Callable[[str, bytes], None]) -> None:
        super().__init__(impersonate="chrome", curl_options={CurlOpt.MAXFILESIZE_LARGE: MAX_BODY_BYTES})
        self.until = math.inf
        self.sent = 0
        self.path = ""
        """Of the last request, without its query: a crumb is nobody's business."""
        self.status: int | None = None
        """Of the last document, until `begin`."""
        self.asked = ""
        """The path of the last document."""
        self.crumb_trouble = ""
        self.is_limited = False
        self.calendars: dict[str, Any] = {}
        """The calendar of each symbol as Yahoo sent it; yfinance reads its dates on the machine's own clock."""
        self._address = address.rstrip("/")
        self._monotonic = monotonic
        self._keep = keep
        self._refused: set[str] = set()
        self._cookie_page: Response | None = None

    def begin(self) -> None:
        """Forgets the refusals of the question before."""
        self._refused.clear()
        self.status = None

    def request(self, method: Any, url: str, *args: Any, **kw: Any) -> Response:
        """One request within the time that is left; `Unavailable` or `Unusable` where yfinance would be silent."""
        parts = urlsplit(url)
        host, self.path = parts.hostname or "", unquote(parts.path)
        document = parse_request(parts.path, parts.query, kw.get("params"))
        is_known = document is not None or host in (COOKIE_HOST, *CONSENT_HOSTS) or self.path == CRUMB_PATH
        if not (is_known and host.endswith(".yahoo.com")):
            raise Unusable(f"yahoo: {host}{self.path} is no address that spy32 asks")
        if host == COOKIE_HOST and self._cookie_page is not None and len(self.cookies.jar):
            return self._cookie_page  # asked again before every document when it could not be stored
        remaining = self.until - self._monotonic()
        if remaining <= 0:
            raise Unavailable(f"yahoo: no time was left for {self.path}")
        given = kw.get("timeout")
        kw["timeout"] = min(
            given if isinstance(given, int | float) else MAX_REQUEST_SECONDS, MAX_REQUEST_SECONDS, remaining
        )
        if self._address:
            url = self._address + parts.path + (f"?{parts.query}" if parts.query else "")
            kw["allow_redirects"] = False  # a redirect would lead away from the address
        self.sent += 1
        answer = super().request(method, url, *args, **kw)
        if host == COOKIE_HOST:
            self._cookie_page = answer
        elif self.path == CRUMB_PATH:
            self._check_crumb(answer)
        elif document is not None and not _is_consent_page(answer):
            self._check_document(document, answer)
        return answer

    def _check_crumb(self, answer: Response) -> None:
        is_good = answer.status_code == 200 and CRUMB_PATTERN.fullmatch(answer.text.strip()) is not None
        self.crumb_trouble = "" if is_good else f", after HTTP {answer.status_code} for {CRUMB_PATH}"
        self.is_limited |= answer.status_code == 429

    def _check_document(self, document: YahooDocument, answer: Response) -> None:
        """A good document is checked and kept. A second refusal is final: yfinance would answer it with nothing."""
        self.status, self.asked = answer.status_code, document.path
        if self.status == 200:
            try:
                parsed = parse_strict_json(answer.content)
            except ValueError as error:
                raise Unavailable(f"yahoo sent no document for {document.path}: {error}") from None
            CHECKS[document.kind](parsed, document)
            if document.kind == "quoteSummary":
                self.calendars[document.symbol] = parsed["quoteSummary"]["result"][0]["calendarEvents"]
            self._keep(document.name, answer.content)
            return
        if self.status == 404:
            raise Unusable(f"yahoo does not know {document.symbol} (HTTP 404 for {document.path})")
        if document.name in self._refused or self.status < 400:
            raise self.refusal()
        self._refused.add(document.name)

    def refusal(self) -> Unavailable:
        """What to say of a document that was refused."""
        self.is_limited |= self.status == 429
        return Unavailable(f"yahoo: HTTP {self.status} for {self.asked}{self.crumb_trouble}")


class YahooClient:
    """The way to Yahoo. `within` bounds a whole question by the clock on the wall, `read` asks yfinance for one thing.

    After HTTP 429 nothing is sent for two minutes: more questions make such a wave longer.
    """

    def __init__(
        self,
        *,
        address: str,
        cache: Path,
        monotonic: Callable[[], float],
        seconds: float,
        keep: Callable[[str, bytes], None] | None = None,
    ) -> None:
        self._address, self._cache, self._monotonic, self._seconds = address, cache, monotonic, seconds
        self._keep = keep
        self._documents: list[tuple[str, bytes]] = []
        self._session: YahooSession | None = None
        self._tickers: dict[str, Any] = {}
        self._until = math.inf
        self._closed_until = -math.inf
        self.sent = 0
        """Requests so far, cookies and crumbs among them."""

    def run_bounded(self, work: Callable[[], T]) -> T:
        """What `work` gives, done on a thread that is left behind when the time is over (`Unavailable`)."""
        self._check_pause()
        _load_yfinance()
        found: list[T | BaseException] = []
        deadline = self._monotonic() + self._seconds * REQUEST_SHARE

        def act() -> None:
            try:
                found.append(self._run_exclusive(work, deadline))
            except BaseException as error:  # noqa: BLE001 - carried to the thread that asked
                found.append(error)

        worker = threading.Thread(target=act, daemon=True, name="yahoo")
        worker.start()
        worker.join(max(self._seconds, 0))
        self._deliver_documents()
        if not found:
            raise Unavailable(f"yahoo gave no whole answer within {self._seconds:g} s")
        result = found[0]
        if isinstance(result, BaseException):
            raise result
        return result

    def call_ticker(self, symbol: str, call: Callable[[Any], T]) -> T:
        """What `call` gets from the ticker of `symbol`; only within `within`. A failure leaves no state behind."""
        self._check_pause()
        try:
            return self._try_ticker(symbol, call)
        except _LocalCacheError:
            self._clear_cache()
        try:
            return self._try_ticker(symbol, call)
        except _LocalCacheError:
            raise Unavailable(f"yahoo: the cache of yfinance in {self._cache} cannot be used") from None

    def session(self, symbol: str) -> YahooSession:
        """The session that the last answers came through."""
        return self._get_session_and_ticker(symbol)[0]

    def reset(self) -> None:
        """Drops cookie, crumb and tickers. What is asked next begins anew."""
        self._tickers.clear()
        if self._session is not None:
            self._session.close()
        self._session = None
        data = importlib.import_module("yfinance.data")
        data.SingletonMeta._instances.pop(data.YfData, None)

    def _try_ticker(self, symbol: str, call: Callable[[Any], T]) -> T:
        session, ticker = self._get_session_and_ticker(symbol)
        session.begin()
        sent_before = session.sent
        try:
            found = call(ticker)
            if session.status is not None and session.status != 200:
                raise session.refusal()
        except Spy32Error:
            self._handle_failure(session)
            raise
        except _caught_errors() as error:
            self._handle_failure(session)
            # Nothing was sent, so it is not Yahoo that failed: a cookie or a zone that yfinance had stored.
            if isinstance(error, _cache_errors()) or session.sent == sent_before:
                raise _LocalCacheError from None
            raise _translate_error(error, session) from None
        finally:
            self.sent += session.sent - sent_before
        if session.crumb_trouble:
            self.reset()  # yfinance would go on with what it took for a crumb
        return found

    def _get_session_and_ticker(self, symbol: str) -> tuple[YahooSession, Any]:
        """The session and the ticker; yfinance's state of the process is dropped when it is another's."""
        yf = _load_yfinance()
        data = importlib.import_module("yfinance.data")
        singleton = data.SingletonMeta._instances.get(data.YfData)
        if self._session is None or singleton is None or singleton._session is not self._session:
            self.reset()
            self._prepare_cache()
            self._session = YahooSession(
                address=self._address,
                monotonic=self._monotonic,
                keep=lambda name, body: self._documents.append((name, body)),
            )
        self._session.until = self._until
        if symbol not in self._tickers:
            self._tickers[symbol] = yf.Ticker(symbol, session=self._session)
        return self._session, self._tickers[symbol]

    def _handle_failure(self, session: YahooSession) -> None:
        if session.is_limited:
            self._closed_until = self._monotonic() + RATE_LIMIT_PAUSE
        self.reset()

    def _check_pause(self) -> None:
        if self._monotonic() < self._closed_until:
            raise Unavailable("yahoo said HTTP 429, too many requests; it is not asked again for two minutes")

    def _run_exclusive(self, work: Callable[[], T], deadline: float) -> T:
        if not _YAHOO_LOCK.acquire(timeout=max(deadline - self._monotonic(), 0)):
            raise Unavailable("yahoo: an earlier question is still open")
        try:
            self._until = deadline
            return work()
        finally:
            _close_caches()
            _YAHOO_LOCK.release()

    def _deliver_documents(self) -> None:
        """Documents go out on the thread that asked: a store belongs to the thread that opened it."""
        documents, self._documents = self._documents, []
        if self._keep is not None:
            for name, body in documents:
                self._keep(name, body)

    def _prepare_cache(self) -> None:
        """Has yfinance keep its zones and cookies in our own folder; without one it works too, with more requests."""
        with suppress(OSError):
            self._cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        _close_caches()
        if not all(_is_writable_database(file) for file in self._cache.glob("*.db")):
            self._clear_cache()
        _load_yfinance().set_tz_cache_location(str(self._cache))
        cache = importlib.import_module("yfinance.cache")
        cache._TzCacheManager._tz_cache = None  # else the files of the folder before stay open
        cache._CookieCacheManager._Cookie_cache = None

    def _clear_cache(self) -> None:
        """Deletes what yfinance stored; where that cannot be done it stores nothing any more."""
        _close_caches()
        try:
            for file in self._cache.glob("*.db*"):
                file.unlink()
        except OSError:
            self._cache = Path(os.devnull) / "none"


class _LocalCacheError(Exception):
    """yfinance failed before it asked Yahoo."""


def _load_yfinance() -> Any:
    """yfinance, quiet: cron mails every line. Its warnings are about its own future with pandas."""
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
    return yf


def _cache_errors() -> tuple[type[Exception], ...]:
    return (importlib.import_module("peewee").PeeweeException,)


def _caught_errors() -> tuple[type[Exception], ...]:
    return (*YFINANCE_ERRORS, importlib.import_module("yfinance.exceptions").YFException, *_cache_errors())


def _close_caches() -> None:
    """Each thread has its own connections to the cache, and ends with its question."""
    cache = importlib.import_module("yfinance.cache")
    for manager in (cache._TzDBManager, cache._CookieDBManager, cache._ISINDBManager):
        manager.close_db()


def _is_consent_page(answer: Response) -> bool:
    """Whether Yahoo led the request to its consent page, which yfinance fills in."""
    return (urlsplit(answer.url).hostname or "").endswith("consent.yahoo.com")


def _is_writable_database(file: Path) -> bool:
    """Whether a file of the cache can be written. yfinance itself would wait five seconds for one that is locked."""
    try:
        with closing(sqlite3.connect(file, timeout=0.2)) as database:
            database.execute("begin immediate")
            database.execute("select count(*) from sqlite_master")
            database.rollback()
    except sqlite3.Error:
        return False
    return True


def _translate_error(error: Exception, session: YahooSession) -> Spy32Error:
    """Our words for what came out of yfinance; its own may hold an address with a crumb."""
    path = session.path
    if session.status is not None and session.status >= 400:
        return session.refusal()
    if isinstance(error, Timeout):
        return Unavailable(f"yahoo gave no answer in time for {path}")
    if isinstance(error, NoConnection):
        return Unavailable(f"yahoo cannot be reached, or ended the connection, for {path}")
    if isinstance(error, OSError):
        return Unavailable(f"yahoo sent no whole answer for {path}")
    if type(error).__name__ == "YFRateLimitError":
        session.is_limited = True
        return Unavailable(f"yahoo: too many requests for {path}")
    field = error.args[0] if isinstance(error, KeyError) and error.args else ""
    where = f" at the field {field!r}" if isinstance(field, str) and field.isidentifier() else ""
    return Unusable(f"yahoo: yfinance cannot read the document for {path}{where} ({type(error).__name__})")
