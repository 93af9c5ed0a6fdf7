"""The access token of tastytrade: made from the refresh token, held in memory only, renewed before its end.

Too many failed log-ins get the address blocked for about eight hours. So a refusal is final for this process, trouble
of the service is not asked about again within a minute, and threads that need a token at once share one log-in.
"""

import json
import os
import re
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from spy32.clients.http import TRANSIENT_STATUSES, HttpClient, HttpFailure, HttpResponse, parse_strict_json
from spy32.domain.sanitize import cap_text, one_line
from spy32.errors import NotPermitted, Spy32Error, Unavailable, Unusable
from spy32.settings.knob import Secret

TOKEN_PATH = "/oauth/token"  # noqa: S105 - a path, no password
EXPIRY_MARGIN = 60.0
"""Seconds before its end from which a token is no longer used."""
MAX_TOKEN_SECONDS = 86_400
RETRY_PAUSE_SECONDS = 60.0
"""Seconds for which a token service in trouble is left alone."""
MAX_MESSAGE_LENGTH = 300
TOKEN_PATTERN = re.compile(r"[!-~]{1,16384}", re.ASCII)
REDACTED = "****"
RETRY_DELAY = timedelta(seconds=60)
BLOCK_DURATION = timedelta(hours=8)
MAX_REFUSALS = 2


class LoginRefusals:
    """Refused log-ins, remembered beyond the process in a file that holds a digest of the credentials, nothing else.

    A refusal may pass (seen on the sandbox near the open), so one more try is made, a minute later at the earliest. A
    second refusal stands until the credentials are others, or until a block would be over.
    """

    def __init__(self, path: Path, clock: Callable[[], datetime], *secrets: Secret) -> None:
        self._path = path
        self._clock = clock
        self._key = sha256("\n".join(secret.reveal() for secret in secrets).encode()).hexdigest()[:32]

    def blocking_error(self) -> Spy32Error | None:
        """Why nothing is asked now: `Unavailable` until the one more try, `NotPermitted` after it."""
        count, at, words = self._load()
        age = self._clock() - at if at is not None else BLOCK_DURATION
        if count == 0 or not timedelta(0) <= age < BLOCK_DURATION:
            return None
        if count >= MAX_REFUSALS:
            return NotPermitted(f"{words} (said at {at:%H:%M} UTC; not asked again with the same credentials)")
        if age < RETRY_DELAY:
            return Unavailable(f"{words} (one more try may be made {RETRY_DELAY.seconds} s later)")
        return None

    def add(self, words: str) -> None:
        """Record one more refusal."""
        count, _, _ = self._load()
        record = {"key": self._key, "count": count + 1, "at": self._clock().isoformat(), "words": words}
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = self._path.with_suffix(".new")
        fresh.write_text(json.dumps(record))
        os.replace(fresh, self._path)

    def clear(self) -> None:
        """Forget the refusals after a log-in that worked."""
        self._path.unlink(missing_ok=True)

    def _load(self) -> tuple[int, datetime | None, str]:
        """Count, instant and words of what was said to these very credentials; a damaged file says nothing."""
        with suppress(OSError, ValueError, KeyError, TypeError):
            record = json.loads(self._path.read_text())
            if record["key"] == self._key:
                return int(record["count"]), datetime.fromisoformat(record["at"]), str(record["words"])
        return 0, None, ""


@dataclass(eq=False, repr=False)
class OAuthSession:
    """One log-in. `warn` gets a line that a person must see."""

    http: HttpClient
    client_secret: Secret
    refresh_token: Secret
    clock: Callable[[], datetime]
    warn: Callable[[str], None]
    refusals: LoginRefusals | None = None

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._hidden = [self.client_secret, self.refresh_token]
        """Every secret to be masked, former tokens too."""
        self._masks: dict[str, str] = {}
        self._token: Secret | None = None
        self._life = 0.0
        self._ends = (0.0, self.clock())
        self._last_error: tuple[Spy32Error, float | None] | None = None
        """The last error, and the monotonic second until which it stands; None is for good."""

    def get_token(self, seconds: float, *, spare: float = EXPIRY_MARGIN) -> Secret:
        """A token that lives for `spare` more seconds, or for half its life where that is less.

        `NotPermitted` when the credentials are refused, `Unavailable` when no token could be had within `seconds`,
        `Unusable` when the answer is none of the documented ones.
        """
        begun = self.http.monotonic()
        if not self._lock.acquire(timeout=max(seconds, 0.0)):
            raise Unavailable(f"tastytrade: no log-in within {seconds:.0f} s")
        try:
            if self._token is None or not self._is_token_fresh(spare):
                self._renew(seconds - (self.http.monotonic() - begun))
            assert self._token is not None
            return self._token
        finally:
            self._lock.release()

    def discard_token(self, token: Secret) -> None:
        """Forget a token that the service refused, unless another thread has renewed it already."""
        with self._lock:
            if self._token == token:
                self._token = None

    def reject_credentials(self, words: str) -> NotPermitted:
        """Prevents every further log-in, since even a new token was refused; returns the error to raise."""
        with self._lock:
            self._token = None
            error = NotPermitted(words)
            self._remember_error(error)
            return error

    def add_mask(self, text: str, replacement: str) -> None:
        """From now on `replacement` stands for `text`, such as the account number, in messages of the service."""
        self._masks[text] = replacement

    def redact(self, text: str) -> str:
        """A message of the service on one line, without secrets and control characters, at most 300 characters."""
        # A sign that is taken out may have split a secret, so both are looked through.
        return cap_text(self._redact_secrets(one_line(self._redact_secrets(text))), MAX_MESSAGE_LENGTH)

    def error_lines(self, answer: HttpResponse) -> tuple[str, ...]:
        """The service's error and its inner ones, `message (code)` each; empty when it is not the service that spoke.

        Branch on the status, never on these words.
        """
        error = {} if is_html(answer) else _error_of(answer.body)
        inner = error.get("errors")
        entries = [error, *(entry for entry in (inner if isinstance(inner, list) else ()) if isinstance(entry, dict))]
        pairs = [parse_error(entry, self.redact) for entry in entries]
        return tuple(error_line(code, text) for code, text in pairs if code or text)

    def redact_body(self, body: bytes) -> bytes:
        """A document without our secrets, in case the service sent one back."""
        for hidden in tuple(self._hidden):
            body = body.replace(hidden.reveal().encode(), REDACTED.encode())
        return body

    def _is_token_fresh(self, spare: float) -> bool:
        """By both clocks: the monotonic one may stand still while the machine sleeps, the wall's may be set back."""
        monotonic_end, wall_end = self._ends
        early = min(spare, self._life / 2)
        by_wall = (wall_end - self.clock()).total_seconds()
        return self.http.monotonic() < monotonic_end - early and by_wall > early

    def _renew(self, seconds: float) -> None:
        if self._last_error is not None:
            error, deadline = self._last_error
            if deadline is None or self.http.monotonic() < deadline:
                raise type(error)(error.message)
        if seconds <= 0:
            raise Unavailable("tastytrade: no time is left for the log-in")
        blocking_error = self.refusals.blocking_error() if self.refusals is not None else None
        if blocking_error is not None:
            raise blocking_error
        monotonic, wall = self.http.monotonic(), self.clock()
        try:
            token, life = self._parse_token(self._request_token(seconds))
        except Spy32Error as error:
            self._remember_error(error)
            raise
        self._token, self._life, self._last_error = token, life, None
        self._ends = (monotonic + life, wall + timedelta(seconds=life))
        if self.refusals is not None:
            self.refusals.clear()

    def _request_token(self, seconds: float) -> Any:
        """The document that answers the refresh token. Asked once: nothing here is repeated."""
        body = {
            "grant_type": "refresh_token",
            "refresh_token": self.refresh_token.reveal(),
            "client_secret": self.client_secret.reveal(),
        }
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        try:
            answer = self.http.send_request(
                "POST", TOKEN_PATH, seconds=seconds, headers=headers, data=json.dumps(body).encode()
            )
        except HttpFailure as failure:
            raise Unavailable(f"tastytrade log-in: {failure.words}") from None
        if not 200 <= answer.status < 300:
            raise self._classify_refusal(answer)
        try:
            return parse_strict_json(answer.body)
        except ValueError as error:
            raise Unusable(f"tastytrade log-in: the answer is no document: {error}") from None

    def _classify_refusal(self, answer: HttpResponse) -> Spy32Error:
        words = f"tastytrade log-in: HTTP {answer.status}"
        if is_html(answer) and answer.status == 401:
            return NotPermitted(f"{words} with a page: the service refuses the User-Agent")
        message = "; ".join(self.error_lines(answer))
        words += f": {message}" if message else ""
        if answer.status in TRANSIENT_STATUSES:
            return Unavailable(words)
        if 400 <= answer.status < 500:
            if self.refusals is not None:
                self.refusals.add(words)
            hint = "check TASTYTRADE_CLIENT_SECRET and TASTYTRADE_REFRESH_TOKEN; it is not tried again"
            return NotPermitted(f"{words}; {hint}")
        return Unusable(words)

    def _parse_token(self, document: Any) -> tuple[Secret, float]:
        """The access token and the seconds it lives."""
        fields = document if isinstance(document, dict) else {}
        token, life = fields.get("access_token"), fields.get("expires_in")
        for name in ("access_token", "id_token", "refresh_token"):
            if isinstance(fields.get(name), str) and fields[name]:
                self._hidden.append(Secret(fields[name]))
        # It goes into a header, where a line end would start another one.
        if not isinstance(token, str) or not TOKEN_PATTERN.fullmatch(token):
            raise Unusable("tastytrade log-in: access_token is missing or no token")
        if isinstance(life, bool) or not isinstance(life, int | float) or not 1 <= life <= MAX_TOKEN_SECONDS:
            raise Unusable("tastytrade log-in: expires_in is missing or no number of seconds")
        rotated = fields.get("refresh_token")
        if rotated is not None and rotated != self.refresh_token.reveal():
            self.warn("tastytrade sent another refresh token: the stored one may be dead; make a new grant")
        return Secret(token), float(life)

    def _remember_error(self, error: Spy32Error) -> None:
        """Keep the error as the answer to requests for a token, a refusal for good, others a minute."""
        is_refusal = isinstance(error, NotPermitted)
        self._last_error = (error, None if is_refusal else self.http.monotonic() + RETRY_PAUSE_SECONDS)

    def _redact_secrets(self, text: str) -> str:
        for hidden in tuple(self._hidden):
            text = text.replace(hidden.reveal(), REDACTED)
        for masked, replacement in tuple(self._masks.items()):
            text = text.replace(masked, replacement)
        return text


def error_line(code: str, text: str) -> str:
    return f"{text} ({code})" if code and text else text or code


def is_html(answer: HttpResponse) -> bool:
    """HTML, as the gateway sends it in place of an answer of the service."""
    return "html" in answer.headers.get("content-type", "").lower() or answer.body.lstrip()[:1] == b"<"


def _error_of(body: bytes) -> dict[str, Any]:
    """The error object of the service; RFC 6749 has a text and a description instead. Empty where there is none."""
    try:
        document = parse_strict_json(body)
    except ValueError:
        return {}
    error = document.get("error") if isinstance(document, dict) else None
    if isinstance(error, str):
        return {"code": error, "message": document.get("error_description")}
    return error if isinstance(error, dict) else {}


def parse_error(entry: Mapping[str, Any], clean: Callable[[str], str]) -> tuple[str, str]:
    """Code or domain, and message or reason, of one error of the service; a code may be a number."""

    def first_text(*keys: str) -> str:
        found = (entry.get(key) for key in keys)
        return next((str(item) for item in found if item and isinstance(item, str | int) and item is not True), "")

    return clean(first_text("code", "domain")), clean(first_text("message", "reason"))
