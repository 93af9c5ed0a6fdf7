"""xAI's `POST /responses`: one question, one answer or the one word for why there is none.

Built on docs.x.ai and on recorded traffic. Nothing that the service does raises here; nothing that it says leaves
without the key, and what looks like one, taken out.
"""

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from spy32.clients.http import Answer, Failure, Http, strict_json
from spy32.clients.xai_models import (
    LEFT_TO_MODEL,
    MODELS,
    Asked,
    bill,
    check_effort,
    dollars,
    estimate_ticks,
    most_ticks,
)
from spy32.domain.asking import Heard
from spy32.settings.knob import Secret

__all__ = [
    "MODELS", "VERDICTS", "Told", "Xai", "check_effort", "dollars", "estimate_ticks", "most_ticks", "request_body",
]  # fmt: skip

PATH = "/responses"
CAP = 2 * 1024 * 1024
"""Bytes of an answer; a real one has some thirty thousand."""
WORDS = 240
"""Characters of a foreign message that a line of ours may hold."""

VERDICTS: Mapping[str, tuple[int, bool]] = MappingProxyType(
    {
        "answered": (0, False),
        # The service is there, its answer is of no use.
        "cut": (65, True),
        "filtered": (65, True),
        "refused": (65, True),
        "empty": (65, True),
        "damaged": (65, True),
        "too_large": (65, False),
        # It may go better later.
        "failed": (75, True),
        "server": (75, True),
        "rate_limit": (75, True),
        "timeout": (75, True),
        "unreachable": (75, True),
        "dropped": (75, True),
        # It will not, until a person does something.
        "billing": (69, False),
        "not_found": (69, False),
        "redirect": (69, False),
        "malformed": (69, False),
        "key": (77, False),
        "forbidden": (77, False),
        "bad_request": (78, False),
    }
)
"""Outcome -> the exit code of a run that ends with it, and whether one more request may be made."""

_BILLING = re.compile(r"credits|spending.?limit", re.IGNORECASE)
_RATE = re.compile(r"per (second|minute|hour|day)|rate.?limit|too many", re.IGNORECASE)
_WRONG_KEY = re.compile(
    r"(incorrect|invalid|wrong|missing|no) api.?key|api.?key.{0,30}(invalid|incorrect)", re.IGNORECASE
)
_NO_MODEL = re.compile(r"model\b.{0,80}(not found|not exist|no longer)|model not found", re.IGNORECASE)
_PARAMETERS = (
    (re.compile(r"reasoning[._ ]?effort|\beffort\b", re.IGNORECASE), "reasoning.effort", "xai.effort"),
    (re.compile(r"max_?\w*_?tokens", re.IGNORECASE), "max_output_tokens", "xai.max_output_tokens"),
    (
        re.compile(r"text\.format|response_?format|json.?schema|\bschema\b", re.IGNORECASE),
        "text.format",
        "analyst.prompt",
    ),
    (re.compile(r"prompt_?cache_?key", re.IGNORECASE), "prompt_cache_key", ""),
    (re.compile(r"\bstore\b", re.IGNORECASE), "store", ""),
)
"""How a message may spell a parameter that we send, its name on the wire, and the setting behind it."""
_NAMED = re.compile(r"support\w*[^:]{0,40}:\s*['\"`]?(\w[\w.]{1,40})|parameter:?\s*['\"`]?([a-z]+(?:[A-Z_.]\w{0,40})+)")
_KEY_LIKE = re.compile(r"xai-[\w.*…-]{4,}", re.IGNORECASE)
_MASKED = re.compile(r"[\w-]{0,16}\*{2,}[\w-]{0,16}")
_TOKEN = re.compile(r"[\w-]{6,}")


def request_body(  # noqa: PLR0913 - the parts of a request
    *,
    model: str,
    effort: str,
    system: str,
    user: str,
    schema: Mapping[str, Any],
    schema_name: str,
    max_output_tokens: int,
    cache_key: str,
    more: Sequence[tuple[str, str]] = (),
) -> str:
    """The JSON of one request, ASCII only. `more` are (role, words) after the user's; `model` as effort sends none."""
    said = [("system", system), ("user", user), *more]
    body: dict[str, Any] = {
        "model": model,
        "input": [{"role": role, "content": words} for role, words in said],
        "text": {"format": {"type": "json_schema", "name": schema_name, "strict": True, "schema": schema}},
        "max_output_tokens": max_output_tokens,
        "prompt_cache_key": cache_key,
        # The service would keep prompt and answer for 30 days.
        "store": False,
    }
    if effort != LEFT_TO_MODEL:
        body["reasoning"] = {"effort": effort}
    return json.dumps(body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What came of a request, and how many seconds the service asks to wait before the next."""

    heard: Heard
    wait: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """The verdict on an answer. `document` is its JSON object, if it is one."""

    outcome: str
    detail: str = ""
    text: str | None = None
    document: Mapping[str, Any] | None = None


class Xai:
    """The service behind `http`, whose base ends in `/v1`. The key is revealed only while a request is made."""

    def __init__(self, http: Http, key: Secret) -> None:
        self._http = http
        self._key = key

    def ask(self, body: str, seconds: float) -> Heard:
        """What the service makes of `body` within `seconds`: one request, never repeated. Never raises for it."""
        return self.tell(body, seconds).heard

    def tell(self, body: str, seconds: float) -> Told:
        """As `ask`, with the wait that the service asks for."""
        asked, begun = Asked.of(body), self._http.monotonic()
        key = self._key.reveal()
        if not key or any(not "!" <= sign <= "~" for sign in key):
            # It would be refused on the way out, with words that hold it.
            return Told(heard=Heard(outcome="key", detail="XAI_API_KEY is empty, or holds a sign that no key has"))
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        try:
            answer = self._http.exchange(
                "POST", PATH, seconds=seconds, headers=headers, data=body.encode("ascii"), cap=CAP
            )
        except Failure as failure:
            return Told(heard=self._unheard(asked, failure, self._since(begun)))
        return Told(heard=self._heard(asked, answer, self._since(begun)), wait=answer.retry_after(self._http.clock))

    def _since(self, begun: float) -> int:
        return round((self._http.monotonic() - begun) * 1000)

    def _unheard(self, asked: Asked, failure: Failure, ms: int) -> Heard:
        """No whole answer: what was sent may be billed all the same."""
        return Heard(
            outcome=failure.kind,
            detail=self._line(failure.words),
            ms=ms,
            cost_ticks=asked.most_ticks if failure.was_sent else 0,
            is_estimate=failure.was_sent,
        )

    def _heard(self, asked: Asked, answer: Answer, ms: int) -> Heard:
        found = self._judged(asked, answer)
        said = found.document or {}
        metadata = said.get("metadata")
        fingerprint = metadata.get("system_fingerprint") if isinstance(metadata, dict) else None
        key = self._key.reveal()
        response = answer.text
        return Heard(
            outcome=found.outcome,
            detail=found.detail,
            status=answer.status,
            response=_without(key, response) if found.outcome == "answered" else _redacted(key, response),
            text=None if found.text is None else _without(key, found.text),
            model=self._name(said.get("model")),
            fingerprint=self._name(fingerprint),
            request_id=self._name(answer.headers.get("x-request-id")),
            ms=ms,
            **bill(asked, answer.status, said),
        )

    def _name(self, said: Any) -> str | None:
        """A name or number of the service's, on one short line."""
        return (self._line(said)[:100] or None) if isinstance(said, str) else None

    def _line(self, words: str) -> str:
        """A foreign message on one line, without controls, without the key or a piece of it, cut to fit."""
        line = _redacted(self._key.reveal(), _plain(words[: 20 * WORDS]))
        return line if len(line) <= WORDS else line[: WORDS - 1] + "…"

    # The order of checks: status, JSON object, error, completeness, refusal, text.

    def _judged(self, asked: Asked, answer: Answer) -> _Found:
        if not 200 <= answer.status < 300:
            return self._refusal(asked, answer)
        try:
            said = strict_json(answer.body)
        except ValueError as trouble:
            return _Found(outcome="damaged", detail=self._line(f"xAI's answer cannot be read: {trouble}"))
        if not isinstance(said, dict):
            return _Found(outcome="damaged", detail="xAI's answer is no JSON object")
        if said.get("error") is not None:
            message, _ = self._message(answer)
            outcome = _by_words(message) or "failed"
            return _Found(outcome=outcome, detail=f"xAI answers with an error: {message}", document=said)
        return self._completeness(said) or self._answer(said)

    def _completeness(self, said: dict[str, Any]) -> _Found | None:
        """None when the service says that it finished: a cut text is never used, even if it happens to parse."""
        status, details = said.get("status"), said.get("incomplete_details")
        if status == "incomplete" or details is not None:
            reason = details.get("reason") if isinstance(details, dict) else None
            why = self._line(str(reason or "no reason given"))
            if "filter" in why:
                return _Found(outcome="filtered", detail=f"xAI held the answer back ({why})", document=said)
            hint = "; xai.max_output_tokens allows more" if reason == "max_output_tokens" else ""
            return _Found(outcome="cut", detail=f"the answer was cut short ({why}){hint}", document=said)
        if status != "completed":
            state = self._line(str(status))
            return _Found(outcome="failed", detail=f"xAI did not complete the answer (status {state})", document=said)
        return None

    def _answer(self, said: dict[str, Any]) -> _Found:
        """The words of all messages, joined; a reasoning item usually stands before them."""
        messages = [item for item in _dicts(said.get("output")) if item.get("type") == "message"]
        parts = [part for message in messages for part in _dicts(message.get("content"))]
        refusals = [str(part.get("refusal")) for part in parts if part.get("type") == "refusal"]
        if refusals:
            detail = f"the model refused to answer: {self._line(' '.join(refusals))}"
            return _Found(outcome="refused", detail=detail, document=said)
        if any(message.get("status") not in (None, "completed") for message in messages):
            return _Found(outcome="cut", detail="the answer's message was not completed", document=said)
        texts = [part.get("text") for part in parts if part.get("type") == "output_text"]
        text = "".join(piece for piece in texts if isinstance(piece, str))
        if not text.strip():
            return _Found(outcome="empty", detail="xAI's answer holds no words", document=said)
        # A lone surrogate, which JSON can spell and no file can hold, becomes a question mark.
        return _Found(outcome="answered", text=text.encode("utf-8", "replace").decode(), document=said)

    # Answers with a status that is none of success: by status first, then by words, never by the code alone.

    def _refusal(self, asked: Asked, answer: Answer) -> _Found:
        status = answer.status
        message, parameter = self._message(answer)
        outcome = _by_status(status, message)
        said = f"(HTTP {status}): {message}" if message else f"(HTTP {status})"
        detail = {
            "billing": f"xAI says that credits or the spending limit are used up {said}",
            "key": f"xAI does not accept the key: fix XAI_API_KEY {said}",
            "forbidden": f"xAI does not permit this key or team to ask {said}",
            "not_found": f"xAI does not serve the model {asked.model}, or not at this address {said}",
            "rate_limit": f"xAI limits the rate of requests {said}",
            "server": f"xAI is in trouble {said}",
            "redirect": f"xAI sends us elsewhere (HTTP {status}), which is not followed: check xai.url",
            "malformed": f"xAI does not take this request; a newer version of spy32 may have to ask otherwise {said}",
            "bad_request": f"{_bad_request(message, parameter)} {said}",
        }[outcome]
        return _Found(outcome=outcome, detail=detail)

    def _message(self, answer: Answer) -> tuple[str, str]:
        """The words of an error and the parameter that it names, from any of the envelopes, a page or plain text."""
        text, parameter = answer.text, ""
        try:
            said = strict_json(answer.body)
        except ValueError:
            is_page = text.lstrip()[:1] == "<"
            return ("an HTML page" if is_page else self._line(text)), ""
        error = said.get("error") if isinstance(said, dict) else said
        if isinstance(error, dict):
            parameter = error.get("param") or ""
            error = error.get("message") or error.get("code")
        if error is None and isinstance(said, dict):
            error = said.get("message") or said.get("detail") or said.get("code")
        words = error if isinstance(error, str) else "" if error is None else json.dumps(error)
        return self._line(words), self._line(parameter) if isinstance(parameter, str) else ""


def _by_words(message: str) -> str | None:
    if _WRONG_KEY.search(message):
        return "key"
    # A rate limit may well advise to buy credits.
    return "billing" if _BILLING.search(message) and not _RATE.search(message) else None


def _by_status(status: int, message: str) -> str:
    """The outcome of a status that is none of success. A wrong key is a 400 here, and no credits may be a 429."""
    words = _by_words(message)
    if status < 400:
        return "redirect"
    if status in (408, 425) or status >= 500:
        return "server"
    if status in (400, 401, 403) and words == "key":
        return "key"
    if status == 402 or (status in (400, 403, 429) and words == "billing"):
        return "billing"
    if status == 404 or (status == 400 and _NO_MODEL.search(message)):
        return "not_found"
    plain = {401: "key", 403: "forbidden", 429: "rate_limit", 451: "forbidden", 400: "bad_request", 413: "bad_request"}
    # 405, 410, 415, 422 and the rest: the service has changed, and only a change of the program can follow it.
    return plain.get(status, "malformed")


def _bad_request(message: str, parameter: str) -> str:
    """Which parameter the service refuses, and the setting behind it."""
    for spelling, name, setting in _PARAMETERS:
        if spelling.search(parameter or message):
            see = f", see {setting}" if setting else ""
            return f"xAI refuses the parameter {name}{see}"
    named = _NAMED.search(message)
    name = parameter or (named.group(1) or named.group(2) if named else "")
    return f"xAI refuses the parameter {name}" if name else "xAI refuses the request"


def _dicts(said: Any) -> list[dict[str, Any]]:
    return [item for item in said if isinstance(item, dict)] if isinstance(said, list) else []


def _plain(words: str) -> str:
    """One line without controls, direction marks, zero-width signs and surrogates."""
    return " ".join("".join(" " if unicodedata.category(sign)[0] == "C" else sign for sign in words).split())


def _without(key: str, text: str) -> str:
    """The text without the key, and without anything that looks like one of xAI's."""
    return _KEY_LIKE.sub("[key]", text.replace(key, "[key]"))


def _redacted(key: str, text: str) -> str:
    """As `_without`, and without masked keys (`xa***gA`) and pieces of the key of six signs and more."""
    masked = _MASKED.sub("[key]", _without(key, text))
    return _TOKEN.sub(lambda found: "[key]" if found.group() in key else found.group(), masked)
