"""A stand-in for xAI: `POST /v1/responses` with its checks, prices and envelopes, and the health checks.

    with XaiServer(key="xai-test-key").running() as server:
        environment = {"SPY32_XAI_URL": f"{server.url}/v1", "XAI_API_KEY": "xai-test-key"}

Without more it answers every question with what the question's own JSON Schema allows: the smallest id of the enum of
`candidate_id`, evidence about it, and probability 0.78. What a test may set:

* `choose`: ids in the order of the enum -> an id, or None to abstain; `probability`, `words` (of every prose field);
* `script`: one entry per question, taken in turn; a text is the answer's text, a dict a whole response body, a `Reply`
  goes out as it is, a callable gets the request's JSON and gives any of these; None is the default answer;
* `faults`: as every stand-in, by a piece of the path: `server.faults["/responses"] = [status(503), None, hang]`;
* `answers_as`: the model that the answers name; `fingerprint`; `bills`: False leaves the cost out of the usage.

`server.asked` holds the JSON of every question. Shapes: recorded traffic of 2026-08, and the public description.
"""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tests.servers.web import Reply, Request, StandIn

KEY = "xai-test-key-for-the-stand-in"
PRICES = {"grok-4.7": (20_000, 5_000, 60_000), "grok-4.6": (20_000, 5_000, 60_000), "grok-4.3": (12_500, 2_000, 25_000)}
"""Ticks a token: fresh input, cached input, output."""
EFFORTS = {
    "grok-4.7": ("low", "medium", "high"),
    "grok-4.6": ("low", "medium", "high", "xhigh"),
    "grok-4.3": ("none", "low", "medium", "high"),
}
ALIASES = {"grok-4.3-latest": "grok-4.3", "grok-latest": "grok-4.3", "grok-4.7-latest": "grok-4.7"}
REFUSED_WORDS = frozenset({"minContains", "maxContains"})
PREAMBLE = 190
REASONING = 1_702
PROSE = "The stand-in says what the test wants to hear."
KNOWN_FIELDS = frozenset(
    {
        "model", "input", "instructions", "text", "reasoning", "max_output_tokens", "temperature", "top_p", "store",
        "include", "prompt_cache_key", "stream", "user", "metadata", "tools", "tool_choice", "service_tier",
    }
)  # fmt: skip

Entry = str | dict[str, Any] | Reply | None
Scripted = Entry | Callable[[dict[str, Any]], Entry]


# Bodies and envelopes.


def coded(status: int, code: str, message: str) -> Reply:
    """The envelope that /v1/responses gave on the wire."""
    return Reply(status=status, body={"code": code, "error": message})


def nested(status: int, message: str, param: str | None = None) -> Reply:
    """The envelope of the OpenAI kind."""
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": "invalid_value"}
    return Reply(status=status, body={"error": error})


def bare(status: int, message: str) -> Reply:
    return Reply(status=status, body={"error": message})


def wrong_key(fragment: str = "xa***gA") -> Reply:
    """A wrong key is a 400 here, not a 401."""
    words = f"Incorrect API key provided: {fragment}. You can obtain an API key from https://console.x.ai."
    return coded(400, "invalid-argument", words)


def no_credits(status: int = 403) -> Reply:
    words = "Your team has either used all available credits or reached its monthly spending limit."
    return coded(status, "permission-denied", words)


def rate_limited(wait: str | None = None) -> Reply:
    words = "Too many tokens for team 4f0c and model grok-4.7: Tokens per Minute (actual/limit): 65605/16000"
    headers = {} if wait is None else {"Retry-After": wait}
    return Reply(status=429, body={"code": "resource-exhausted", "error": words}, headers=headers)


def usage(sent: int, cached: int, got: int, *, model: str = "grok-4.7", reasoning: int = 0, bills: bool = True) -> Any:
    """The usage of an answer, with the cost that the price list gives."""
    fresh, again, out = PRICES.get(model, PRICES["grok-4.7"])
    counts: dict[str, Any] = {
        "input_tokens": sent,
        "input_tokens_details": {"cached_tokens": cached},
        "output_tokens": got,
        "output_tokens_details": {"reasoning_tokens": reasoning},
        "total_tokens": sent + got,
        "num_sources_used": 0,
        "num_server_side_tools_used": 0,
    }
    double = 2 if sent >= 200_000 else 1
    cost = double * ((sent - cached) * fresh + cached * again + got * out)
    return counts | ({"cost_in_usd_ticks": cost} if bills else {})


def good_body(text: str, *, model: str = "grok-4.7", **over: Any) -> dict[str, Any]:
    """A completed response: the reasoning item first, then the message."""
    body = {
        "id": "7b0c1f0a-0000-9000-8000-00000000abcd",
        "object": "response",
        "status": "completed",
        "created_at": 1795446005,
        "completed_at": 1795446031,
        "model": model,
        "output": [reasoning_item(), message(text)],
        "usage": usage(5_321, 2_048, 1_980, model=model, reasoning=REASONING),
        "incomplete_details": None,
        "error": None,
        "reasoning": {"effort": "high", "summary": "detailed"},
        "temperature": 0.7,
        "top_p": 0.95,
        "metadata": {"system_fingerprint": "fp_0123456789"},
        "store": False,
        "tools": [],
        "service_tier": "default",
    }
    return body | over


def reasoning_item() -> dict[str, Any]:
    summary = [{"type": "summary_text", "text": "Weighing the candidates…\n"}]
    return {"type": "reasoning", "id": "rs_7b0c", "status": "completed", "summary": summary}


def message(*texts: str, status: str = "completed") -> dict[str, Any]:
    parts = [{"type": "output_text", "text": text, "logprobs": [], "annotations": []} for text in texts]
    return {"type": "message", "id": "msg_7b0c", "role": "assistant", "status": status, "content": parts}


def refusal_body(words: str = "I cannot help with trading decisions.") -> dict[str, Any]:
    said = message() | {"content": [{"type": "refusal", "refusal": words}]}
    return good_body("", output=[reasoning_item(), said])


def incomplete_body(text: str = "{}", reason: str = "max_output_tokens") -> dict[str, Any]:
    """A cut answer; its text may even parse."""
    output = [reasoning_item(), message(text, status="incomplete")]
    return good_body(text, status="incomplete", incomplete_details={"reason": reason}, output=output)


class XaiServer(StandIn):
    """See the top of this module."""

    def __init__(self, key: str = KEY) -> None:
        super().__init__()
        self.key = key
        self.choose: Callable[[list[str]], str | None] = min
        self.probability = 0.78
        self.words = PROSE
        self.script: list[Scripted] = []
        self.answers_as: str | None = None
        self.fingerprint = "fp_0123456789"
        self.bills = True
        self.asked: list[dict[str, Any]] = []
        self._round = threading.Lock()

    @contextmanager
    def running(self) -> Iterator["XaiServer"]:
        with super().running():
            yield self

    @property
    def questions(self) -> int:
        return sum(path.endswith("/responses") for path in self.paths())

    def answer(self, request: Request) -> Reply:
        told = request.headers.get("authorization", "")
        if not told.startswith("Bearer "):
            return coded(401, "unauthenticated:no-credentials", "No credentials were provided.")
        if told != f"Bearer {self.key}":
            return wrong_key()
        path = request.path.removeprefix("/v1")
        if path == "/responses":
            return self._respond(request) if request.method == "POST" else Reply(status=405)
        return _health(path) if request.method == "GET" else Reply(status=405)

    def _respond(self, request: Request) -> Reply:
        if "json" not in request.headers.get("content-type", ""):
            return Reply(status=415, body="Expected request with `Content-Type: application/json`")
        try:
            asked = request.json
        except ValueError:
            return Reply(status=422, body="Failed to parse the request body as JSON")
        with self._round:
            self.asked.append(asked)
            entry = self.script.pop(0) if self.script else None
        refused = _refused(asked)
        if refused is not None:
            return refused
        found = entry(asked) if callable(entry) else entry
        if isinstance(found, Reply):
            return found
        body = found if isinstance(found, dict) else self._body(asked, found)
        return Reply(body=body, headers={"x-request-id": f"req-{len(self.asked)}", "x-zero-data-retention": "false"})

    def _body(self, asked: dict[str, Any], text: str | None) -> dict[str, Any]:
        model = ALIASES.get(asked["model"], asked["model"])
        said = text if text is not None else json.dumps(self.valid_answer(asked))
        sent = len(json.dumps(asked)) // 4 + PREAMBLE
        has_effort = asked.get("reasoning", {}).get("effort") != "none"
        reasoning = REASONING if has_effort else 0
        counts = usage(sent, 0, reasoning + len(said) // 4 + 1, model=model, reasoning=reasoning, bills=self.bills)
        metadata = {"system_fingerprint": self.fingerprint}
        return good_body(said, model=self.answers_as or model, usage=counts, metadata=metadata)

    def valid_answer(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """The answer that `choose` wants, with every field that the schema of the question asks for."""
        schema = asked["text"]["format"]["schema"]
        lists = {name: _enum(part, schema) for name, part in schema["properties"].items()}
        ids = [one for one in lists.get("candidate_id", []) if one is not None]
        chosen = self.choose(ids) if ids else None
        answer = {name: self._field(name, part, lists[name], chosen) for name, part in schema["properties"].items()}
        return answer | {"decision": "abstain" if chosen is None else "trade", "candidate_id": chosen}

    def _field(self, name: str, schema: Mapping[str, Any], listed: list[Any], chosen: str | None) -> Any:
        """A value for one property, whose enum, or that of its entries, is `listed`."""
        if "const" in schema:
            return schema["const"]
        by_name = {
            "abstain_reason": "no_edge" if chosen is None else None,
            "market_bias": "neutral",
            "p_max_profit": None if chosen is None else self.probability,
        }
        if name in by_name:
            return by_name[name]
        if schema.get("type") == "array":
            about = [path for path in listed if chosen is not None and path.startswith(f"menu.{chosen}.")] or listed
            return about[: max(schema.get("minItems", 0), 0 if name == "data_problems" else 1)]
        if listed:
            return listed[0]
        return {"integer": 1, "number": 0.5, "boolean": False, "object": {}}.get(str(schema.get("type")), self.words)


def _enum(schema: Mapping[str, Any], root: Mapping[str, Any]) -> list[Any]:
    """The values that a schema lists, or its entries, the parts of its `anyOf`, or what it refers to."""
    parts = [*schema.get("anyOf", []), *([schema["items"]] if "items" in schema else [])]
    if "$ref" in schema:
        parts.append(_referred(schema["$ref"], root))
    return [*schema.get("enum", []), *(value for part in parts for value in _enum(part, root))]


def _referred(reference: str, root: Any) -> Any:
    """The subschema that a `#/…` reference means; KeyError when there is none."""
    for step in reference.removeprefix("#/").split("/"):
        root = root[step]
    return root


# What the service refuses.


def _refused(asked: Any) -> Reply | None:
    """The envelope for a request that the service would not take."""
    missing = next((name for name in ("model", "input") if name not in asked), None)
    if missing is not None:
        words = f"Failed to deserialize the JSON body into the target type: missing field `{missing}`"
        return Reply(status=422, body=words, headers={"Content-Type": "text/plain"})
    model = ALIASES.get(asked["model"], asked["model"])
    if model not in PRICES and not model.startswith("grok-4.20"):
        words = f"The model {model} does not exist or your team does not have access to it."
        return coded(404, "not-found", words)
    strange = sorted(asked.keys() - KNOWN_FIELDS)
    if strange:
        return coded(400, "invalid-argument", f"Argument not supported on this model: {strange[0]}")
    return _wrong_effort(asked, model) or _wrong_input(asked) or _wrong_schema(asked)


def _wrong_effort(asked: Mapping[str, Any], model: str) -> Reply | None:
    effort = asked.get("reasoning", {}).get("effort")
    if effort is None:
        return None
    if model.startswith("grok-4.20"):
        return coded(400, "invalid-argument", f"Model {model} does not support parameter reasoningEffort.")
    if effort not in EFFORTS[model]:
        words = f"This model does not support 'reasoning_effort' value '{effort}'"
        return coded(400, "invalid-argument", words)
    return None


def _wrong_input(asked: Mapping[str, Any]) -> Reply | None:
    said = asked["input"] if isinstance(asked["input"], list) else [{"role": "user", "content": asked["input"]}]
    if not said or any(not part.get("content") for part in said):
        return coded(400, "invalid-argument", "Each message must have at least one content element.")
    if any(part.get("role") not in ("system", "developer", "user", "assistant") for part in said):
        return nested(400, "Invalid value: role", "input")
    if asked.get("store") is not False:
        return coded(400, "invalid-argument", "Zero data retention teams must set store to false.")
    if not 1 <= asked.get("max_output_tokens", 128_000) <= 128_000:
        return nested(400, "Invalid value: max_output_tokens must be between 1 and 128000", "max_output_tokens")
    return None


def _wrong_schema(asked: Mapping[str, Any]) -> Reply | None:
    form = asked.get("text", {}).get("format", {"type": "text"})
    if form["type"] != "json_schema":
        return None
    trouble = _schema_trouble(form["schema"], form["schema"])
    return None if trouble is None else coded(400, "invalid-argument", f"Invalid JSON schema: {trouble}")


def _schema_trouble(schema: Any, root: Mapping[str, Any]) -> str | None:
    """The first construct that the service refuses: section Structured Outputs of its documents."""
    if isinstance(schema, list):
        return next((trouble for part in schema if (trouble := _schema_trouble(part, root))), None)
    if not isinstance(schema, dict):
        return None
    inner = schema.get("properties", {})
    found = [f"empty {word}" for word in ("enum", "anyOf") if schema.get(word) == []]
    found += [f"unsupported keyword {word}" for word in sorted(REFUSED_WORDS & schema.keys())]
    found += ["items must not be an array"] if isinstance(schema.get("items"), list) else []
    found += ["a property must be an object"] if any(isinstance(part, bool) for part in inner.values()) else []
    found += [f"{schema['$ref']} refers to nothing"] if not _is_referring_well(schema, root) else []
    if found:
        return found[0]
    others = [part for word, part in schema.items() if word not in ("properties", "enum", "const", "required")]
    return _schema_trouble([*inner.values(), *others], root)


def _is_referring_well(schema: Mapping[str, Any], root: Mapping[str, Any]) -> bool:
    try:
        return "$ref" not in schema or bool(_referred(schema["$ref"], root))
    except KeyError:
        return False


def _health(path: str) -> Reply:
    """The requests that cost nothing."""
    if path == "/api-key":
        flags = dict.fromkeys(("team_blocked", "api_key_blocked", "api_key_disabled"), False)
        ids = dict.fromkeys(("user_id", "modified_by", "team_id"), "4f0c0f4e-0000-4000-8000-000000000001")
        acls = ["api-key:model:*", "api-key:endpoint:*"]
        said = {"redacted_api_key": "xai-...9f3c", "name": "spy32 weekly", "acls": acls, "api_key_id": "4f0c"}
        return Reply(body=said | ids | flags | {"create_time": "2026-01-03T15:20:11.120000Z"})
    models = [{"id": name, "created": 1789948800, "object": "model", "owned_by": "xai"} for name in PRICES]
    if path == "/models":
        return Reply(body={"object": "list", "data": models})
    if path == "/language-models":
        return Reply(body={"models": [_language_model(model) for model in models]})
    found = [model for model in models if path == f"/models/{model['id']}"]
    return Reply(body=found[0]) if found else coded(404, "not-found", "The requested resource was not found.")


def _language_model(model: Mapping[str, Any]) -> dict[str, Any]:
    names = ("prompt_text_token_price", "cached_prompt_text_token_price", "completion_text_token_price")
    aliases = [alias for alias, name in ALIASES.items() if name == model["id"]]
    prices = dict(zip(names, PRICES[model["id"]], strict=True))
    return {**model, "fingerprint": "fp_0123456789", "version": "1.0", **prices, "aliases": aliases}
