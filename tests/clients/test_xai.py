"""The xAI client against a stand-in on loopback: every status, envelope and dressed answer comes to one word."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import pytest

from spy32.analysts.grok import build_request
from spy32.analysts.rendered_prompt import RenderedPrompt
from spy32.clients.http import HttpClient
from spy32.clients.xai import OUTCOME_CODES, XaiClient
from spy32.clients.xai_models import estimate_ticks, max_ticks
from spy32.domain.model_calls import ModelResponse
from spy32.errors import NotPermitted, Spy32Error, Unavailable, Unusable
from spy32.settings.knob import Secret
from spy32.settings.services import Xai
from tests.servers import web
from tests.servers import xai as wire
from tests.servers.xai import XaiServer
from tests.support.timeouts import SOON

KEY = "xai-test-MARKERkey7f3a9c2e51d0gA"
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["decision", "candidate_id"],
    "properties": {
        "decision": {"type": "string", "enum": ["trade", "abstain"]},
        "candidate_id": {"type": ["string", "null"], "enum": ["K7Q2", "M4TX", None]},
    },
}


@pytest.fixture
def server() -> Iterator[XaiServer]:
    with XaiServer(KEY).running() as running:
        yield running


def client(server: XaiServer, key: str = KEY) -> XaiClient:
    http = HttpClient(
        service="xAI",
        base=f"{server.url}/v1",
        clock=lambda: datetime(2026, 11, 23, 15, 0, tzinfo=UTC),
        sleep=lambda _: None,
        monotonic=time.monotonic,
    )
    return XaiClient(http, Secret(key))


def body(*, user: str = "AS_OF 2026-11-23T10:00:05-05:00", schema: Mapping[str, Any] = SCHEMA, **over: Any) -> str:
    prompt = RenderedPrompt(
        version="v1-simplified",
        prompt_hash="p" * 64,
        input_hash="i" * 64,
        as_of="2026-11-23T10:00:05-05:00",
        system="You choose at most one spread.",
        user=user,
        schema=schema,
        fields={},
        ids=("K7Q2", "M4TX"),
        tokens=300,
    )
    return build_request(prompt, Xai(**{"model": "grok-4.7", "effort": "high", "max_output_tokens": 8_000, **over}))


def asked(server: XaiServer, *entries: wire.Scripted, seconds: float = 5, **over: Any) -> ModelResponse:
    """What a question comes to when the service answers with this."""
    server.script += entries
    return client(server).ask_model(body(**over), seconds).response


def words_of(heard: ModelResponse) -> str:
    """Every text that a Heard holds."""
    return "\n".join(str(getattr(heard, field.name)) for field in fields(heard)) + repr(heard)


# The request.


def test_a_request_says_everything_that_the_service_must_know_and_keeps_nothing_there(server: XaiServer) -> None:
    assert asked(server).outcome == "answered"
    (said,) = server.asked
    assert said["store"] is False
    assert said["reasoning"] == {"effort": "high"}
    assert said["max_output_tokens"] == 8_000
    assert said["text"]["format"] == {
        "type": "json_schema", "name": "spy32_v1_simplified", "strict": True, "schema": SCHEMA,
    }  # fmt: skip
    assert [part["role"] for part in said["input"]] == ["system", "user"]
    assert said.keys() == {"model", "input", "text", "max_output_tokens", "prompt_cache_key", "store", "reasoning"}
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/v1/responses")
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["user-agent"].startswith("spy32/")


def test_the_bytes_sent_are_those_of_the_body_and_do_not_hold_the_key(server: XaiServer) -> None:
    sent = body(user="a strike of 640 — and a lone \ud800")
    client(server).ask_model(sent, 5)
    assert server.requests[0].body == sent.encode()
    assert KEY not in sent


def test_an_effort_left_to_the_model_is_not_sent(server: XaiServer) -> None:
    assert asked(server, effort="model").outcome == "answered"
    assert "reasoning" not in server.asked[0]


def test_the_schema_keeps_its_order_since_fields_are_written_in_it() -> None:
    schema = {
        "type": "object",
        "properties": {name: {"type": "string"} for name in ("evidence", "analysis", "decision")},
    }
    sent = json.loads(body(schema=schema))["text"]["format"]["schema"]["properties"]
    assert list(sent) == ["evidence", "analysis", "decision"]


@pytest.mark.parametrize("key", ["", "xai-a b", "xai-a\nb", "xai-ключ", "xai-a\x7f"])
def test_a_key_that_no_header_can_carry_is_refused_before_anything_is_sent(server: XaiServer, key: str) -> None:
    heard = client(server, key).ask_model(body(), 5).response
    assert (heard.outcome, OUTCOME_CODES[heard.outcome][0]) == ("key", 77)
    assert server.requests == []
    assert not key or key not in words_of(heard)


# A good answer.


def test_a_good_answer_carries_text_tokens_bill_and_names(server: XaiServer) -> None:
    heard = asked(server, '{"decision":"abstain","candidate_id":null}')
    assert heard.text == '{"decision":"abstain","candidate_id":null}'
    assert (heard.outcome, heard.status, heard.detail, heard.is_estimate) == ("answered", 200, "", False)
    assert (heard.model, heard.fingerprint, heard.request_id) == ("grok-4.7", "fp_0123456789", "req-1")
    assert heard.reasoning_tokens == wire.REASONING < heard.output_tokens
    assert json.loads(heard.response)["status"] == "completed"
    assert heard.cost_ticks == heard.input_tokens * 20_000 + heard.output_tokens * 60_000
    assert heard.ms >= 0


def test_the_answer_is_joined_over_messages_and_parts_wherever_they_stand(server: XaiServer) -> None:
    output = [
        wire.reasoning_item(),
        wire.message('{"a"', ": 1"),
        {"type": "web_search_call", "status": "completed"},
        wire.message("}"),
    ]
    assert asked(server, wire.good_body("", output=output)).text == '{"a": 1}'


def test_a_top_level_output_text_is_not_read(server: XaiServer) -> None:
    assert asked(server, wire.good_body("", output=[], output_text="{}")).outcome == "empty"


def test_another_models_name_is_kept(server: XaiServer) -> None:
    server.answers_as = "grok-4.3"
    assert asked(server).model == "grok-4.3"


# What the service did not finish, or would not.


@pytest.mark.parametrize(
    ("entry", "outcome", "hint"),
    [
        (wire.incomplete_body('{"decision":"trade"}'), "cut", "xai.max_output_tokens"),
        (wire.incomplete_body(reason="max_prompt_tokens"), "cut", "max_prompt_tokens"),
        (wire.incomplete_body(reason="max_time_limit"), "cut", "max_time_limit"),
        (wire.incomplete_body(reason="content_filter"), "filtered", "content_filter"),
        (wire.good_body("{}", status="incomplete"), "cut", "no reason"),
        (wire.good_body("{}", incomplete_details={"reason": "max_time_limit"}), "cut", "max_time_limit"),
        (wire.good_body("{}", output=[wire.message("{}", status="incomplete")]), "cut", "message"),
        (wire.refusal_body("I will not."), "refused", "I will not."),
        (wire.good_body("", output=[wire.message("{}"), *wire.refusal_body()["output"]]), "refused", "trading"),
        (wire.good_body(""), "empty", "no words"),
        (wire.good_body(" \n "), "empty", "no words"),
        (wire.good_body("", output=None), "empty", "no words"),
        (wire.good_body("", output=[None, 7, {"type": "message", "content": "{}"}]), "empty", "no words"),
        (wire.good_body("", output=[wire.reasoning_item()]), "empty", "no words"),
        (wire.good_body("{}", status="failed"), "failed", "failed"),
        (wire.good_body("{}", status="cancelled"), "failed", "cancelled"),
        (wire.good_body("{}", status="in_progress"), "failed", "in_progress"),
        (wire.good_body("{}", status=None), "failed", "None"),
        (wire.good_body("{}", error={"message": "the model fell over"}), "failed", "the model fell over"),
        (wire.coded(200, "internal", "something broke"), "failed", "something broke"),
        (wire.no_credits(200), "billing", "credits"),
    ],
)  # fmt: skip
def test_an_answer_that_is_not_whole_has_its_word_and_no_text(
    server: XaiServer, entry: wire.Scripted, outcome: str, hint: str
) -> None:
    heard = asked(server, entry)
    assert (heard.outcome, heard.text, heard.status) == (outcome, None, 200)
    assert hint in heard.detail
    assert heard.response


@pytest.mark.parametrize(
    "raw",
    [b"", b"not json", b"[1]", b'{"status": "completed"} {}', b'{"a": NaN}', b'{"a": 1, "a": 2}', b'{"a": 1e400}',
     b"[" * 200_000, b"\xff\xfe\x00", b'{"a": ' + b"9" * 5_000 + b"}", b"```json\n{}\n```"],
)  # fmt: skip
def test_a_body_that_is_no_strict_json_object_is_damaged(server: XaiServer, raw: bytes) -> None:
    heard = asked(server, wire.Reply(body=raw))
    assert (heard.outcome, heard.text) == ("damaged", None)
    assert OUTCOME_CODES["damaged"] == (65, True)


def test_a_lone_surrogate_can_be_stored(server: XaiServer) -> None:
    raw = json.dumps(wire.good_body("a \ud800 b")).encode()
    assert asked(server, wire.Reply(body=raw)).text == "a ? b"


# Statuses, as the table of the service's errors has them.

STATUSES = [
    (wire.wrong_key(), "key", 77, False),
    (wire.coded(400, "invalid-argument", "Argument not supported: presencePenalty"), "bad_request", 78, False),
    (wire.nested(400, "Invalid value", "temperature"), "bad_request", 78, False),
    (wire.bare(400, "speed must be between 0.7 and 1.5"), "bad_request", 78, False),
    (wire.coded(400, "invalid-argument", "Model not found: grok-9"), "not_found", 69, False),
    (wire.coded(401, "unauthenticated:no-credentials", "No credentials"), "key", 77, False),
    (wire.Reply(status=402, body="pay first"), "billing", 69, False),
    (wire.no_credits(403), "billing", 69, False),
    (wire.coded(403, "permission-denied", "The key is blocked"), "forbidden", 77, False),
    (wire.coded(404, "not-found", "The model grok-4.7 does not exist"), "not_found", 69, False),
    (wire.Reply(status=405), "malformed", 69, False),
    (wire.coded(410, "gone", "Live search is deprecated"), "malformed", 69, False),
    (wire.Reply(status=413, body="too large"), "bad_request", 78, False),
    (wire.Reply(status=415, body="media type"), "malformed", 69, False),
    (wire.Reply(status=422, body="missing field `model`"), "malformed", 69, False),
    (wire.no_credits(429), "billing", 69, False),
    (wire.rate_limited(), "rate_limit", 75, True),
    (wire.coded(429, "x", "Too many requests per second; buy credits to raise the rate limit"), "rate_limit", 75, True),
    (wire.Reply(status=307, headers={"Location": "/v1/elsewhere"}), "redirect", 69, False),
    *((wire.Reply(status=code, body="<html>Bad gateway</html>"), "server", 75, True)
      for code in (408, 425, 500, 502, 503, 504, 520, 524)),
]  # fmt: skip


@pytest.mark.parametrize(("reply", "outcome", "code", "may_repeat"), STATUSES)
def test_each_status_comes_to_its_word_exit_code_and_whether_to_ask_again(
    server: XaiServer, reply: web.Reply, outcome: str, code: int, may_repeat: bool
) -> None:
    heard = asked(server, reply)
    assert (heard.outcome, heard.status) == (outcome, reply.status)
    assert OUTCOME_CODES[outcome] == (code, may_repeat)
    assert str(reply.status) in heard.detail
    assert "\n" not in heard.detail
    assert server.questions == 1


def test_a_redirect_is_not_followed_with_the_key(server: XaiServer) -> None:
    with web_catcher() as other:
        asked(server, wire.Reply(status=302, headers={"Location": f"{other.url}/v1/responses"}))
        assert other.requests == []


def web_catcher() -> Any:
    class Catcher(web.StandIn):
        def answer(self, request: web.Request) -> web.Reply:
            return web.Reply()

    return Catcher().running()


@pytest.mark.parametrize(
    "reply",
    [
        wire.coded(400, "x", "Model grok-4.20-0309-reasoning does not support parameter reasoningEffort."),
        wire.nested(400, "out of range", "max_output_tokens"),
        wire.coded(400, "x", "Invalid JSON schema: empty enum"),
    ],
)
def test_a_refused_request_names_the_settings_to_look_at(server: XaiServer, reply: web.Reply) -> None:
    hint = "check xai.effort, xai.max_output_tokens and analyst.prompt"
    assert asked(server, reply).detail.startswith(f"xAI refuses the request: {hint} (HTTP 400): ")


def test_the_parameter_of_an_error_stands_behind_its_message(server: XaiServer) -> None:
    assert asked(server, wire.nested(400, "Invalid value", "temperature")).detail.endswith(
        ": Invalid value (temperature)"
    )


def test_the_stand_in_refuses_an_effort_as_the_service_does(server: XaiServer) -> None:
    heard = asked(server, model="grok-4.20-0309-reasoning")
    assert (heard.outcome, heard.status) == ("bad_request", 400)
    assert "xai.effort" in heard.detail


@pytest.mark.parametrize(
    "part",
    [{"enum": []}, {"anyOf": []}, True, {"type": "array", "items": [{}]}, {"minContains": 1}, {"$ref": "#/$defs/none"}],
)
def test_the_stand_in_refuses_schemas_as_the_service_does(server: XaiServer, part: Any) -> None:
    heard = asked(
        server, schema={"type": "object", "properties": {"deep": {"type": "object", "properties": {"x": part}}}}
    )
    assert (heard.outcome, heard.status) == ("bad_request", 400)
    assert "analyst.prompt" in heard.detail


def test_an_unknown_model_is_named(server: XaiServer) -> None:
    heard = asked(server, model="grok-9")
    assert heard.outcome == "not_found"
    assert "grok-9" in heard.detail


@pytest.mark.parametrize("said", ["7", "2.5", "Mon, 23 Nov 2026 15:00:12 GMT", None, "soon", "-3"])
def test_the_wait_that_the_service_asks_for_is_handed_on(server: XaiServer, said: str | None) -> None:
    server.script.append(wire.rate_limited(said))
    wait = client(server).ask_model(body(), 5).wait
    assert wait == {"7": 7, "Mon, 23 Nov 2026 15:00:12 GMT": 12}.get(str(said))


# Transport, within its time.


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "outcome"),
    [(web.hang, "timeout"), (web.drip, "timeout"), (web.drip_head, "timeout"), (web.reset, "dropped"),
     (web.cut, "dropped"), (web.bad_gzip, "damaged"), (web.html, "damaged")],
)  # fmt: skip
def test_trouble_on_the_way_has_its_word_and_ends_in_time(server: XaiServer, fault: web.Fault, outcome: str) -> None:
    server.faults["/responses"] = [fault]
    begun = time.monotonic()
    heard = asked(server, seconds=0.4)
    assert time.monotonic() - begun < SOON
    assert heard.outcome == outcome
    assert heard.text is None
    assert heard.is_estimate
    assert heard.cost_ticks >= estimate_ticks("grok-4.7", len(body()) // 3, 0)


def test_a_service_that_is_not_there_costs_nothing(server: XaiServer) -> None:
    gone = client(server)
    gone._http.base = "http://127.0.0.1:1/v1"
    heard = gone.ask_model(body(), 2).response
    assert (heard.outcome, heard.cost_ticks, heard.is_estimate) == ("unreachable", 0, False)


def test_an_endless_answer_is_cut_off(server: XaiServer) -> None:
    heard = asked(server, wire.Reply(body=b'{"a": "' + b"x" * 3_000_000 + b'"}'))
    assert heard.outcome == "too_large"
    assert len(heard.response) <= 2 * 1024 * 1024


# Money.


def test_the_estimate_covers_what_the_service_bills_for_the_longest_answer(server: XaiServer) -> None:
    heard = asked(server)
    assert heard.cost_ticks <= max_ticks(body())
    assert max_ticks(body()) >= estimate_ticks("grok-4.7", heard.input_tokens, 8_000)


@pytest.mark.parametrize(
    ("usage", "cost", "is_estimate"),
    [
        (wire.usage(204, 128, 80, model="grok-4.3"), 3_206_000, False),
        (wire.usage(204, 128, 80, model="grok-4.3") | {"cost_in_usd_ticks": 194_500_000}, 194_500_000, False),
        (wire.usage(204, 128, 80, model="grok-4.3") | {"cost_in_usd_ticks": 0}, 0, False),
        (wire.usage(204, 128, 80, bills=False), 3_206_000, True),
        (wire.usage(204, 128, 80) | {"cost_in_usd_ticks": True}, 3_206_000, True),
        (wire.usage(204, 128, 80) | {"cost_in_usd_ticks": -5}, 3_206_000, True),
        (wire.usage(204, 128, 80) | {"cost_in_usd_ticks": "12"}, 3_206_000, True),
        (wire.usage(204, 128, 80) | {"cost_in_usd_ticks": 10**30}, 3_206_000, True),
    ],
)
def test_the_bill_is_the_services_own_or_marked_as_ours(
    server: XaiServer, usage: Any, cost: int, is_estimate: bool
) -> None:
    heard = asked(server, wire.good_body("{}", model="grok-4.3", usage=usage), model="grok-4.3")
    assert (heard.cost_ticks, heard.is_estimate) == (cost, is_estimate)
    assert (heard.input_tokens, heard.cached_tokens, heard.output_tokens) == (204, 128, 80)


@pytest.mark.parametrize("usage", [None, [], "much", {}, {"input_tokens": "9", "output_tokens": -1}])
def test_an_answer_without_counts_costs_the_most_that_it_can(server: XaiServer, usage: Any) -> None:
    heard = asked(server, wire.good_body("{}", usage=usage))
    assert (heard.cost_ticks, heard.is_estimate) == (max_ticks(body()), True)


def test_a_refused_request_counts_with_its_input(server: XaiServer) -> None:
    heard = asked(server, wire.Reply(status=503))
    assert heard.is_estimate
    assert 0 < heard.cost_ticks < max_ticks(body()) / 10


def test_a_gateway_that_gave_up_counts_with_the_whole_answer(server: XaiServer) -> None:
    assert asked(server, wire.Reply(status=504)).cost_ticks == max_ticks(body())


# Secrets.

LEAKS: list[Callable[[], web.Reply]] = [
    lambda: wire.wrong_key(KEY),
    lambda: wire.wrong_key("xa***gA"),
    lambda: wire.wrong_key("xai-...d0gA"),
    lambda: wire.wrong_key(KEY[9:22]),
    lambda: wire.nested(400, f"bad header Bearer {KEY}", KEY),
    lambda: wire.bare(403, f"key {KEY} is blocked\x1b[31m\u202e"),
    lambda: wire.Reply(status=500, body=f"<html>Authorization: Bearer {KEY}</html>"),
    lambda: wire.Reply(status=429, body="x" * 235 + KEY),
    lambda: wire.Reply(status=200, body=wire.good_body(f"my key is {KEY}", model=KEY)),
    lambda: wire.Reply(status=200, body=wire.refusal_body(f"no, {KEY}")),
    lambda: wire.Reply(status=200, body=f"{KEY} is not json"),
    lambda: wire.Reply(status=200, body={"error": {"message": KEY}}),
    lambda: wire.Reply(status=200, body=wire.good_body("{}", status=KEY)),
    lambda: wire.Reply(status=200, body=wire.incomplete_body(reason=f"because {KEY}")),
    lambda: wire.Reply(status=302, headers={"Location": f"https://elsewhere/?key={KEY}"}),
    lambda: wire.Reply(status=400, body="{}", headers={"x-request-id": KEY}),
]


@pytest.mark.parametrize("leak", LEAKS)
def test_the_key_and_its_pieces_appear_in_no_word(server: XaiServer, leak: Callable[[], web.Reply]) -> None:
    said = words_of(asked(server, leak()))
    for piece in (KEY, KEY[9:22], "xa***gA", "d0gA"):
        assert piece not in said
    assert "\x1b" not in asked(server, leak()).detail


@pytest.mark.parametrize(
    "message", ["\x1b[2J\x07wiped", "a\nb\r\nc", "x" * 5_000, "\u202egnp.exe", "a\u200bb", "\ud83d"]
)
def test_a_message_is_one_short_line_that_a_terminal_only_shows(server: XaiServer, message: str) -> None:
    detail = asked(server, wire.coded(400, "invalid-argument", message)).detail
    assert len(detail) < 400
    assert detail.isprintable()


def test_nothing_is_shown_of_the_key_by_the_client_itself(server: XaiServer) -> None:
    assert KEY not in repr(client(server).__dict__)


# The models on offer.


def test_models_are_listed_with_their_aliases_and_nothing_is_asked(server: XaiServer) -> None:
    assert {"grok-4.7", "grok-4.3", "grok-latest"} <= client(server).list_models(5)
    assert server.asked == []


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (web.status(400, wire.wrong_key(f"{KEY[:6]}***").body), NotPermitted),
        (web.status(401), NotPermitted),
        (web.status(403, {"error": "no"}), NotPermitted),
        (web.status(503), Unavailable),
        (web.reset, Unavailable),
        (web.hang, Unavailable),
        (web.html, Unusable),
        (web.status(200, {"models": []}), Unusable),
        (web.status(200, [1]), Unusable),
        (web.status(302), Unusable),
    ],
)
def test_a_list_that_cannot_be_had_is_an_error_without_the_key(
    server: XaiServer, fault: web.Fault, error: type[Spy32Error]
) -> None:
    server.always["/language-models"] = fault
    with pytest.raises(error) as caught:
        client(server).list_models(0.5)
    assert KEY[:6] not in caught.value.message


def test_a_wrong_key_may_not_list(server: XaiServer) -> None:
    with pytest.raises(NotPermitted) as caught:
        client(server, key="xai-other-key-0123456789").list_models(5)
    assert "other" not in caught.value.message
