"""The access token of tastytrade: made from the refresh token, held in memory only, renewed before its end.

Too many failed log-ins get the address blocked for about eight hours. So a refusal is final for this process, trouble
of the service is not asked about again within a minute, and threads that need a token at once share one log-in.
"""

import json
import threading
import unicodedata
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar

from spy32.clients.http import PASSING, Answer, Failure, Http, strict_json
from spy32.clients.tastytrade.refusals import Refusals
from spy32.errors import NotPermitted, Spy32Error, Unavailable, Unusable
from spy32.settings.knob import Secret

E = TypeVar("E", bound=Spy32Error)

PATH = "/oauth/token"
EARLY = 60.0
"""Seconds before its end from which a token is no longer used."""
LONGEST_LIFE = 86_400
PAUSE = 60.0
"""Seconds for which a token service in trouble is left alone."""
LONGEST_WORDS = 300
LONGEST_TOKEN = 16_384
HIDDEN = "****"


class Session:
    """One log-in. `warn` gets a line that a person must see."""

    def __init__(
        self,
        http: Http,
        client_secret: Secret,
        refresh_token: Secret,
        clock: Callable[[], datetime],
        warn: Callable[[str], None] | None = None,
        refusals: Refusals | None = None,
    ) -> None:
        self._http = http
        self._client_secret = client_secret
        self._refresh_token = refresh_token
        self._clock = clock
        self._warn = warn
        self._refusals = refusals
        self._lock = threading.Lock()
        self._hidden = [client_secret, refresh_token]
        """Everything that must not be seen, former tokens too."""
        self._masks: dict[str, str] = {}
        self._token: Secret | None = None
        self._life = 0.0
        self._ends: tuple[float, datetime] = (0.0, clock())
        self._trouble: tuple[Spy32Error, float | None] | None = None
        """Why there is no token, and the monotonic second until which that stands; None is for good."""

    def bearer(self, seconds: float, *, spare: float = EARLY) -> Secret:
        """A token that lives for `spare` more seconds, or for half its life where that is less.

        `NotPermitted` when the credentials are refused, `Unavailable` when no token could be had within `seconds`,
        `Unusable` when the answer is none of the documented ones.
        """
        begun = self._http.monotonic()
        if not self._lock.acquire(timeout=max(seconds, 0.0)):
            raise Unavailable(f"tastytrade: no log-in within {seconds:.0f} s")
        try:
            if self._token is None or not self._lives(spare):
                self._renew(seconds - (self._http.monotonic() - begun))
            assert self._token is not None
            return self._token
        finally:
            self._lock.release()

    def drop(self, token: Secret) -> None:
        """Forget a token that the service refused, unless another thread has renewed it already."""
        with self._lock:
            if self._token == token:
                self._token = None

    def refuse(self, words: str) -> NotPermitted:
        """Never log in again: even a new token was refused. The error to raise."""
        with self._lock:
            self._token = None
            return self._settle(NotPermitted(words))

    def mask(self, text: str, shown: str) -> None:
        """From now on words of the service show `shown` for `text`, such as the number of the account."""
        self._masks[text] = shown

    def safe(self, text: str) -> str:
        """Words of the service on one line: no secret, no control character, at most 300 characters."""
        # A sign that is taken out may have split a secret, so both are looked through.
        shown = self._without_secrets(" ".join(_plain(self._without_secrets(text)).split()))
        return shown if len(shown) <= LONGEST_WORDS else shown[: LONGEST_WORDS - 1] + "…"

    def safe_body(self, body: bytes) -> bytes:
        """A document without our secrets, in case the service sent one back."""
        for hidden in tuple(self._hidden):
            body = body.replace(hidden.reveal().encode(), HIDDEN.encode())
        return body

    def _lives(self, spare: float) -> bool:
        """By both clocks: the monotonic one may stand still while the machine sleeps, the wall's may be set back."""
        monotonic_end, wall_end = self._ends
        early = min(spare, self._life / 2)
        by_wall = (wall_end - self._clock()).total_seconds()
        return self._http.monotonic() < monotonic_end - early and by_wall > early

    def _renew(self, seconds: float) -> None:
        if self._trouble is not None:
            error, until = self._trouble
            if until is None or self._http.monotonic() < until:
                raise type(error)(error.message)
        if seconds <= 0:
            raise Unavailable("tastytrade: no time is left for the log-in")
        standing = self._refusals.standing() if self._refusals is not None else None
        if standing is not None:
            raise standing
        monotonic, wall = self._http.monotonic(), self._clock()
        token, life = self._token_of(self._asked(seconds))
        self._token, self._life, self._trouble = token, life, None
        self._ends = (monotonic + life, wall + timedelta(seconds=life))
        if self._refusals is not None:
            self._refusals.clear()

    def _asked(self, seconds: float) -> Any:
        """The document that answers the refresh token. Asked once: nothing here is repeated."""
        body = {
            "grant_type": "refresh_token",
            "refresh_token": self._refresh_token.reveal(),
            "client_secret": self._client_secret.reveal(),
        }
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        try:
            answer = self._http.exchange("POST", PATH, seconds=seconds, headers=headers, data=json.dumps(body).encode())
        except Failure as failure:
            raise self._settle(Unavailable(f"tastytrade log-in: {failure.words}"), PAUSE) from None
        if not 200 <= answer.status < 300:
            raise self._judged(answer)
        try:
            return strict_json(answer.body)
        except ValueError as trouble:
            raise self._settle(Unusable(f"tastytrade log-in: the answer is no document: {trouble}"), PAUSE) from None

    def _judged(self, answer: Answer) -> Spy32Error:
        words = f"tastytrade log-in: HTTP {answer.status}"
        if is_page(answer) and answer.status == 401:
            return self._settle(NotPermitted(f"{words} with a page: the service refuses the User-Agent"))
        said = self.safe(_said(answer))
        words += f": {said}" if said else ""
        if answer.status in PASSING:
            return self._settle(Unavailable(words), PAUSE)
        if 400 <= answer.status < 500:
            if self._refusals is not None:
                self._refusals.add(words)
            hint = "check TASTYTRADE_CLIENT_SECRET and TASTYTRADE_REFRESH_TOKEN; it is not tried again"
            return self._settle(NotPermitted(f"{words}; {hint}"))
        return self._settle(Unusable(words), PAUSE)

    def _token_of(self, document: Any) -> tuple[Secret, float]:
        """The access token and the seconds it lives."""
        fields = document if isinstance(document, dict) else {}
        token, life = fields.get("access_token"), fields.get("expires_in")
        for name in ("access_token", "id_token", "refresh_token"):
            if isinstance(fields.get(name), str) and fields[name]:
                self._hidden.append(Secret(fields[name]))
        # It goes into a header, where a line end would start another one.
        if not isinstance(token, str) or not 0 < len(token) <= LONGEST_TOKEN or not _is_word(token):
            raise self._settle(Unusable("tastytrade log-in: access_token is missing or no token"), PAUSE)
        if isinstance(life, bool) or not isinstance(life, int | float) or not 1 <= life <= LONGEST_LIFE:
            raise self._settle(Unusable("tastytrade log-in: expires_in is missing or no number of seconds"), PAUSE)
        rotated = fields.get("refresh_token")
        if rotated is not None and rotated != self._refresh_token.reveal() and self._warn is not None:
            self._warn("tastytrade sent another refresh token: the stored one may be dead; make a new grant")
        return Secret(token), float(life)

    def _settle(self, error: E, pause: float | None = None) -> E:
        """The error, kept as the answer to whoever asks within `pause` seconds, or for good."""
        self._trouble = (error, None if pause is None else self._http.monotonic() + pause)
        return error

    def _without_secrets(self, text: str) -> str:
        for hidden in tuple(self._hidden):
            text = text.replace(hidden.reveal(), HIDDEN)
        for masked, shown in tuple(self._masks.items()):
            text = text.replace(masked, shown)
        return text


def is_page(answer: Answer) -> bool:
    """HTML, as the gateway sends it in place of an answer of the service."""
    return "html" in answer.headers.get("content-type", "").lower() or answer.body.lstrip()[:1] == b"<"


def _said(answer: Answer) -> str:
    """The words of RFC 6749, where `error` is a text, or of the service's own envelope, where it is an object."""
    try:
        document = strict_json(answer.body)
    except ValueError:
        return ""
    error = document.get("error") if isinstance(document, dict) else None
    if isinstance(error, dict):
        parts = [error.get("code"), error.get("message")]
    else:
        parts = [error, document.get("error_description")] if error is not None else []
    return ": ".join(part for part in parts if isinstance(part, str) and part)


def _plain(text: str) -> str:
    """Without what a terminal would act on; a line end or a tab is a space."""
    return "".join(sign if unicodedata.category(sign)[0] != "C" else " " if sign in "\t\n\r" else "" for sign in text)


def _is_word(text: str) -> bool:
    return all("!" <= sign <= "~" for sign in text)
