"""xAI's `POST /responses`: one question, one answer or the one word for why there is none.

Built on docs.x.ai and on recorded traffic. Nothing that the service does raises here; nothing that it says leaves
without the key, and what looks like one, taken out.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from spy32.clients.http import HttpClient, HttpFailure, HttpResponse, parse_strict_json
from spy32.clients.xai_models import CostEstimate, billed_usage, nested_value
from spy32.domain.model_calls import ANSWERED, ModelResponse
from spy32.domain.sanitize import cap_text, one_line
from spy32.domain.value import value
from spy32.errors import ExitCode, NotPermitted, Unavailable, Unusable
from spy32.settings.knob import Secret

RESPONSES_PATH = "/responses"
MODELS_PATH = "/language-models"
"""Costs nothing, and names the aliases too, which `/models` leaves out."""
MAX_BODY_BYTES = 2 * 1024 * 1024
"""Bytes of an answer; a real one has some thirty thousand."""
MAX_MESSAGE_LENGTH = 240
"""Characters of a foreign message that a line of ours may hold."""

_OUTCOMES: Mapping[ExitCode, tuple[str, ...]] = {
    ExitCode.OK: (ANSWERED,),
    # The service is there, its answer is of no use.
    ExitCode.UNUSABLE: ("cut", "filtered", "refused", "empty", "damaged", "too_large"),
    # It may go better later.
    ExitCode.UNAVAILABLE: ("failed", "server", "rate_limit", "timeout", "unreachable", "dropped"),
    # It will not, until a person does something.
    ExitCode.GONE: ("billing", "not_found", "redirect", "malformed"),
    ExitCode.NOT_PERMITTED: ("key", "forbidden"),
    ExitCode.BAD_SETTINGS: ("bad_request",),
}
OUTCOME_CODES: Mapping[str, tuple[ExitCode, bool]] = {
    outcome: (code, code in (ExitCode.UNUSABLE, ExitCode.UNAVAILABLE) and outcome != "too_large")
    for code, outcomes in _OUTCOMES.items()
    for outcome in outcomes
}
"""Outcome -> the exit code of a run that ends with it, and whether one more request may be made."""

_BILLING = re.compile(r"credits|spending.?limit", re.IGNORECASE)
_RATE = re.compile(r"per (second|minute|hour|day)|rate.?limit|too many", re.IGNORECASE)
_WRONG_KEY = re.compile(
    r"(incorrect|invalid|wrong|missing|no) api.?key|api.?key.{0,30}(invalid|incorrect)", re.IGNORECASE
)
_UNKNOWN_MODEL = re.compile(r"model\b.{0,80}(not found|not exist|no longer)|model not found", re.IGNORECASE)
_STATUS_WORDS: Mapping[str, str] = {
    "billing": "xAI says that credits or the spending limit are used up",
    "key": "xAI does not accept the key: fix XAI_API_KEY",
    "forbidden": "xAI does not permit this key or team to ask",
    "not_found": "xAI does not serve the model of xai.model, or not at this address",
    "rate_limit": "xAI limits the rate of requests",
    "server": "xAI is in trouble",
    "redirect": "xAI sends us elsewhere, which is not followed: check xai.url",
    "malformed": "xAI does not take this request; a newer version of spy32 may have to ask otherwise",
    "bad_request": "xAI refuses the request: check xai.effort, xai.max_output_tokens and analyst.prompt",
}
"""What a person is told of a status that is none of success, by its outcome."""
_KEY_LIKE = re.compile(r"xai-[\w.*…-]{4,}", re.IGNORECASE)
_MASKED_KEY = re.compile(r"[\w-]{0,16}\*{2,}[\w-]{0,16}")
_KEY_FRAGMENT = re.compile(r"[\w-]{6,}")


@value
class ModelReply:
    """The outcome of a request, and how many seconds the service asks to wait before the next."""

    response: ModelResponse
    wait: float | None = None


class _NoAnswer(Exception):
    """Raised where an answer turns out to be none, with the outcome and a line for a person."""


class XaiClient:
    """The service behind `http`, whose base ends in `/v1`. The key is revealed only while a request is made."""

    def __init__(self, http: HttpClient, key: Secret) -> None:
        self._http = http
        self._key = key

    def ask_model(self, body: str, seconds: float) -> ModelReply:
        """The reply to `body` within `seconds`: one request, never repeated. A failure of the service is a reply as
        well.
        """
        estimate, begun = CostEstimate.parse_request(body), self._http.monotonic()
        key = self._key.reveal()
        if not key or any(not "!" <= sign <= "~" for sign in key):
            # It would be refused on the way out, with words that hold it.
            return ModelReply(
                response=ModelResponse(outcome="key", detail="XAI_API_KEY is empty, or holds a sign that no key has")
            )
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        try:
            answer = self._http.send_request(
                "POST", RESPONSES_PATH, seconds=seconds, headers=headers, data=body.encode("ascii"), cap=MAX_BODY_BYTES
            )
        except HttpFailure as failure:
            # The request may be billed all the same.
            response = ModelResponse(
                outcome=failure.kind,
                detail=self._safe_line(failure.words),
                ms=self._elapsed_ms(begun),
                cost_ticks=estimate.max_ticks if failure.was_sent else 0,
                is_estimate=failure.was_sent,
            )
            return ModelReply(response=response)
        return ModelReply(
            response=self._build_response(estimate, answer, self._elapsed_ms(begun)),
            wait=answer.retry_after(self._http.clock),
        )

    def list_models(self, seconds: float) -> frozenset[str]:
        """The names and aliases of the models on offer. Costs nothing.

        `NotPermitted` when the key is refused, `Unavailable` without an answer, `Unusable` when it is no such list.
        """
        headers = {"Authorization": f"Bearer {self._key.reveal()}"}
        try:
            answer = self._http.send_request("GET", MODELS_PATH, seconds=seconds, headers=headers)
        except HttpFailure as failure:
            raise Unavailable(self._safe_line(failure.words)) from None
        try:
            self._check_status(answer)
            document = self._parse_document(answer)
        except _NoAnswer as failed:
            outcome, detail = failed.args
            code, _ = OUTCOME_CODES[outcome]
            if code is ExitCode.NOT_PERMITTED:
                raise NotPermitted(detail) from None
            raise (Unavailable if code is ExitCode.UNAVAILABLE else Unusable)(detail) from None
        models = _dict_items(document.get("models"))
        if not models:
            raise Unusable("xAI lists no models")
        return frozenset(name for model in models for name in _texts([model.get("id"), *_texts(model.get("aliases"))]))

    def _elapsed_ms(self, begun: float) -> int:
        return round((self._http.monotonic() - begun) * 1000)

    def _build_response(self, estimate: CostEstimate, answer: HttpResponse, ms: int) -> ModelResponse:
        outcome, detail, text, document = ANSWERED, "", None, dict[str, Any]()
        key, response = self._key.reveal(), answer.text
        # The order of checks: status, JSON object, error, completeness, refusal, text.
        try:
            self._check_status(answer)
            document = self._parse_document(answer)
            text = _remove_key(key, self._parse_text(answer, document))
        except _NoAnswer as failed:
            outcome, detail = failed.args
        return ModelResponse(
            outcome=outcome,
            detail=detail,
            status=answer.status,
            response=_redact_key(key, response) if text is None else _remove_key(key, response),
            text=text,
            model=self._short_name(document.get("model")),
            fingerprint=self._short_name(nested_value(document, "metadata", "system_fingerprint")),
            request_id=self._short_name(answer.headers.get("x-request-id")),
            ms=ms,
            **billed_usage(estimate, answer.status, document),
        )

    def _short_name(self, value: Any) -> str | None:
        """A name or number of the service's, on one short line."""
        return (self._safe_line(value)[:100] or None) if isinstance(value, str) else None

    def _safe_line(self, words: str) -> str:
        """A foreign message on one line, without controls, without the key or a piece of it, cut to fit."""
        return cap_text(_redact_key(self._key.reveal(), one_line(words[: 20 * MAX_MESSAGE_LENGTH])), MAX_MESSAGE_LENGTH)

    def _check_status(self, answer: HttpResponse) -> None:
        """By status first, then by words, never by the code alone."""
        if 200 <= answer.status < 300:
            return
        message = self._error_message(answer)
        outcome = _classify_status(answer.status, message)
        detail = f"{_STATUS_WORDS[outcome]} (HTTP {answer.status})"
        raise _NoAnswer(outcome, f"{detail}: {message}" if message else detail)

    def _parse_document(self, answer: HttpResponse) -> dict[str, Any]:
        try:
            document = parse_strict_json(answer.body)
        except ValueError as error:
            raise _NoAnswer("damaged", self._safe_line(f"xAI's answer cannot be read: {error}")) from None
        if not isinstance(document, dict):
            raise _NoAnswer("damaged", "xAI's answer is no JSON object")
        return document

    def _parse_text(self, answer: HttpResponse, document: dict[str, Any]) -> str:
        """The words of all messages, joined, when the service says that it finished: a cut text is never used, even if
        it happens to parse. A reasoning item usually stands before them."""
        if document.get("error") is not None:
            message = self._error_message(answer)
            raise _NoAnswer(_classify_message(message) or "failed", f"xAI answers with an error: {message}")
        status, reason = document.get("status"), nested_value(document, "incomplete_details", "reason")
        if status == "incomplete" or document.get("incomplete_details") is not None:
            why = self._safe_line(str(reason or "no reason given"))
            if "filter" in why:
                raise _NoAnswer("filtered", f"xAI held the answer back ({why})")
            hint = "; xai.max_output_tokens allows more" if reason == "max_output_tokens" else ""
            raise _NoAnswer("cut", f"the answer was cut short ({why}){hint}")
        if status != "completed":
            raise _NoAnswer("failed", f"xAI did not complete the answer (status {self._safe_line(str(status))})")
        messages = [item for item in _dict_items(document.get("output")) if item.get("type") == "message"]
        parts = [part for message in messages for part in _dict_items(message.get("content"))]
        refusals = [str(part.get("refusal")) for part in parts if part.get("type") == "refusal"]
        if refusals:
            raise _NoAnswer("refused", f"the model refused to answer: {self._safe_line(' '.join(refusals))}")
        if any(message.get("status") not in (None, "completed") for message in messages):
            raise _NoAnswer("cut", "the answer's message was not completed")
        text = "".join(_texts([part.get("text") for part in parts if part.get("type") == "output_text"]))
        if not text.strip():
            raise _NoAnswer("empty", "xAI's answer holds no words")
        # A lone surrogate, which JSON can spell and no file can hold, becomes a question mark.
        return text.encode("utf-8", "replace").decode()

    def _error_message(self, answer: HttpResponse) -> str:
        """The message of an error with the parameter that it names, from any of the envelopes, a page or plain text."""
        try:
            document = parse_strict_json(answer.body)
        except ValueError:
            return "an HTML page" if answer.text.lstrip()[:1] == "<" else self._safe_line(answer.text)
        error, parameter = document.get("error") if isinstance(document, dict) else document, None
        if isinstance(error, dict):
            parameter = error.get("param")
            error = error.get("message") or error.get("code")
        if error is None and isinstance(document, dict):
            error = document.get("message") or document.get("detail") or document.get("code")
        words = error if isinstance(error, str) else "" if error is None else json.dumps(error)
        return self._safe_line(f"{words} ({parameter})" if isinstance(parameter, str) and parameter else words)


def _classify_message(message: str) -> str | None:
    if _WRONG_KEY.search(message):
        return "key"
    # A rate limit may well advise to buy credits.
    return "billing" if _BILLING.search(message) and not _RATE.search(message) else None


def _classify_status(status: int, message: str) -> str:
    """The outcome of a status that is none of success. A wrong key is a 400 here, and no credits may be a 429."""
    words = _classify_message(message)
    if status < 400:
        return "redirect"
    if status in (408, 425) or status >= 500:
        return "server"
    if status in (400, 401, 403) and words == "key":
        return "key"
    if status == 402 or (status in (400, 403, 429) and words == "billing"):
        return "billing"
    if status == 404 or (status == 400 and _UNKNOWN_MODEL.search(message)):
        return "not_found"
    plain = {401: "key", 403: "forbidden", 429: "rate_limit", 451: "forbidden", 400: "bad_request", 413: "bad_request"}
    # 405, 410, 415, 422 and the rest: the service has changed, and only a change of the program can follow it.
    return plain.get(status, "malformed")


def _dict_items(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _texts(value: Any) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _remove_key(key: str, text: str) -> str:
    """The text without the key, and without anything that looks like one of xAI's."""
    return _KEY_LIKE.sub("[key]", text.replace(key, "[key]"))


def _redact_key(key: str, text: str) -> str:
    """As `_remove_key`, and without masked keys (`xa***gA`) and pieces of the key of six signs and more."""
    masked = _MASKED_KEY.sub("[key]", _remove_key(key, text))
    return _KEY_FRAGMENT.sub(lambda found: "[key]" if found.group() in key else found.group(), masked)
