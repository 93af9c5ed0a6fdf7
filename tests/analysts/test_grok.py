"""Grok as an analyst: what it asks, what it writes down, what it may spend, and what comes of every kind of answer."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, cast

import pytest

from spy32.analysts.grok import PARSER_VERSION
from spy32.clients.xai_models import TICKS_PER_DOLLAR, max_ticks
from spy32.domain.model_calls import ModelRequest
from spy32.domain.proposals import Decision
from spy32.errors import StoreError
from spy32.ports import Analyst
from tests.servers import web
from tests.servers import xai as wire
from tests.servers.xai import XaiServer
from tests.support import builders
from tests.support.grok import BRIEFING, IDS, KEY, MENU, FakeJournal, GrokDesk, answer, render
from tests.support.timeouts import SOON


@pytest.fixture
def desk() -> Iterator[GrokDesk]:
    with XaiServer(KEY).running() as server:
        yield GrokDesk(server)


# One answer.


def test_it_is_an_analyst(desk: GrokDesk) -> None:
    analyst: Analyst = desk.analyst()
    assert analyst.name == "grok"


def test_a_choice_comes_back_with_its_model_prompt_and_bill(desk: GrokDesk) -> None:
    desk.server.choose = lambda ids: IDS[2]
    found = desk.choose()
    assert (found.decision, found.candidate_id, found.probability) == (Decision.TRADE, IDS[2], 0.78)
    assert (found.analyst, found.model, found.model_asked, found.prompt) == (
        "grok", "grok-4.7", "grok-4.7", "v1-simplified",
    )  # fmt: skip
    assert found.cost_ticks == desk.heard[0].cost_ticks > 0
    assert (found.votes, found.marks, found.failure, found.exit_code) == ({}, (), "", 0)


def test_an_abstention_is_no_failure(desk: GrokDesk) -> None:
    desk.server.choose = lambda ids: None
    found = desk.choose()
    assert (found.decision, found.candidate_id, found.exit_code) == (Decision.ABSTAIN, None, 0)


def test_an_empty_menu_is_never_asked_about(desk: GrokDesk) -> None:
    found = desk.choose(menu=replace(MENU, candidates=()))
    assert found.decision is Decision.ABSTAIN
    assert (desk.server.requests, desk.journal.rows) == ([], [])


def test_what_is_asked_is_what_was_rendered_and_written_down(desk: GrokDesk) -> None:
    desk.choose()
    attempt: ModelRequest = desk.journal.rows[0][0]
    assert desk.server.requests[0].body.decode() == attempt.request
    assert render(MENU, BRIEFING, 101).user in attempt.request
    assert (attempt.role, attempt.prompt, attempt.model, attempt.effort) == (
        "chosen", "v1-simplified", "grok-4.7", "high",
    )  # fmt: skip
    assert attempt.estimate_ticks == max_ticks(attempt.request)
    assert attempt.input_hash == render(MENU, BRIEFING, 101).input_hash


def test_the_request_is_in_the_journal_before_it_leaves(desk: GrokDesk) -> None:
    rows: list[list[Any]] = []

    def look(asked: dict[str, Any]) -> None:
        rows.append([heard for _, heard in desk.journal.rows])

    desk.server.script.append(look)
    desk.choose()
    assert rows == [[None]]
    assert desk.heard[0].outcome == "answered"


def test_nothing_is_asked_when_it_cannot_be_written_down(desk: GrokDesk) -> None:
    desk.journal.trouble = StoreError("the disk is full")
    with pytest.raises(StoreError):
        desk.choose()
    assert desk.server.questions == 0


def test_an_interrupt_leaves_the_row_open_and_counted_with_its_estimate(desk: GrokDesk) -> None:
    class Interrupted:
        def ask_model(self, body: str, seconds: float) -> Any:
            raise KeyboardInterrupt

    desk.client = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        desk.choose()
    assert desk.heard == [None]
    assert desk.journal.run_ticks(31) == desk.journal.rows[0][0].estimate_ticks > 0


# Failures, their codes, and whether they are asked again.

FAULTS: list[tuple[wire.Scripted, str, int, int]] = [
    (wire.wrong_key(), "key", 77, 1),
    (wire.coded(400, "x", "Model grok-4.7 does not support parameter reasoningEffort."), "bad_request", 78, 1),
    (wire.coded(403, "x", "blocked"), "forbidden", 77, 1),
    (wire.no_credits(403), "billing", 69, 1),
    (wire.no_credits(429), "billing", 69, 1),
    (wire.coded(404, "x", "The model does not exist"), "not_found", 69, 1),
    (wire.Reply(status=422, body="missing field"), "malformed", 69, 1),
    (wire.Reply(status=302), "redirect", 69, 1),
    (wire.rate_limited(), "rate_limit", 75, 2),
    (wire.Reply(status=503, body="<html>"), "server", 75, 2),
    (wire.coded(200, "internal", "broke"), "failed", 75, 2),
    (wire.good_body(""), "empty", 65, 2),
    (wire.incomplete_body(answer(IDS[0])), "cut", 65, 2),
    (wire.refusal_body(), "refused", 65, 2),
    (wire.Reply(body="<html>"), "damaged", 65, 2),
    ("```json\n{}\n```", "not_json", 65, 2),
    ("I would sell the put spread.", "not_json", 65, 2),
    (answer("ZZZZ"), "off_menu", 65, 1),
]


@pytest.mark.parametrize(("entry", "word", "code", "requests"), FAULTS)
def test_a_failure_that_stays_has_its_word_code_and_number_of_requests(
    desk: GrokDesk, entry: wire.Scripted, word: str, code: int, requests: int
) -> None:
    desk.server.script += [entry] * 3
    found = desk.choose()
    assert (found.decision, found.candidate_id, found.failure, found.exit_code) == (Decision.FAILED, None, word, code)
    assert desk.server.questions == requests
    assert desk.attempts == [(1, attempt + 1) for attempt in range(requests)]
    assert found.reason
    assert "\n" not in found.reason
    assert found.cost_ticks == sum(heard.cost_ticks for heard in desk.heard)


@pytest.mark.parametrize("entry", [row[0] for row in FAULTS if row[3] == 2])
def test_a_failure_that_passes_is_asked_once_more(desk: GrokDesk, entry: wire.Scripted) -> None:
    desk.server.script.append(entry)
    found = desk.choose()
    assert found.decision is Decision.TRADE
    assert desk.attempts == [(1, 1), (1, 2)]
    assert found.cost_ticks == sum(heard.cost_ticks for heard in desk.heard)


def test_one_attempt_is_one_request(desk: GrokDesk) -> None:
    desk.server.script += ["no json", wire.Reply(status=503)]
    assert desk.choose({"attempts": 1}).failure == "not_json"
    assert desk.choose({"attempts": 1}).failure == "server"
    assert desk.server.questions == 2


def test_a_named_parameter_is_in_the_reason(desk: GrokDesk) -> None:
    desk.server.script.append(wire.nested(400, "Invalid value", "reasoning.effort"))
    assert "reasoning.effort" in desk.choose().reason


@pytest.mark.slow
@pytest.mark.parametrize("fault", [web.hang, web.drip, web.drip_head])
def test_a_silent_service_ends_at_the_deadline(desk: GrokDesk, fault: web.Fault) -> None:
    desk.server.always["/responses"] = fault
    begun = time.monotonic()
    found = desk.choose({"deadline_seconds": 1})
    assert time.monotonic() - begun < SOON
    assert (found.failure, found.exit_code, len(desk.heard)) == ("timeout", 75, 1)
    assert found.cost_ticks >= desk.journal.rows[0][0].estimate_ticks


@pytest.mark.parametrize("fault", [web.reset, web.cut])
def test_a_lost_connection_is_tried_once_more(desk: GrokDesk, fault: web.Fault) -> None:
    desk.server.faults["/responses"] = [fault]
    assert desk.choose().decision is Decision.TRADE
    assert [heard.outcome for heard in desk.heard] == ["dropped", "answered"]


def test_the_service_says_how_long_to_wait(desk: GrokDesk) -> None:
    desk.server.script.append(wire.rate_limited("17"))
    assert desk.choose().decision is Decision.TRADE
    assert 17 <= desk.clock.waits[0] <= 20


def test_without_a_word_from_the_service_the_wait_is_short(desk: GrokDesk) -> None:
    desk.server.script.append(wire.Reply(status=503))
    desk.choose()
    assert 0 <= desk.clock.waits[0] <= 2


def test_a_wait_beyond_the_deadline_is_not_begun(desk: GrokDesk) -> None:
    desk.server.script.append(wire.rate_limited("3600"))
    found = desk.choose()
    assert (found.failure, found.exit_code, desk.clock.waits, desk.server.questions) == ("rate_limit", 75, [], 1)


# The one repair.


def test_a_repair_repeats_the_question_with_the_bad_answer_and_what_was_wrong(desk: GrokDesk) -> None:
    desk.server.script.append("here you go: {" + "x" * 9_000)
    assert desk.choose().decision is Decision.TRADE
    first, second = desk.server.asked
    assert second["input"][:2] == first["input"]
    assert [part["role"] for part in second["input"][2:]] == ["assistant", "user"]
    assert second["input"][2]["content"].startswith("here you go: {xxx")
    assert len(second["input"][2]["content"]) < 4_100
    assert "the text is not one JSON object" in second["input"][3]["content"]
    assert {key: part for key, part in second.items() if key != "input"} == {
        key: part for key, part in first.items() if key != "input"
    }
    assert desk.clock.waits == [0]


def test_what_the_checks_made_of_each_answer_is_on_record_once(desk: GrokDesk) -> None:
    desk.server.script += ["here you go", None]
    found = desk.choose()
    bad, good = (made for (made,) in desk.journal.checked.values())
    assert (bad.parser, bad.decision, bad.check) == (PARSER_VERSION, "failed", "not_json")
    assert "one JSON object" in bad.words
    assert (good.decision, good.candidate_id, good.check, good.words) == ("trade", found.candidate_id, "", "")
    assert (good.marks, good.vetoes) == (found.marks, found.vetoes)


def test_a_request_without_an_answer_has_nothing_to_check(desk: GrokDesk) -> None:
    desk.server.script += [wire.Reply(status=503), wire.Reply(status=503)]
    assert desk.choose().decision is Decision.FAILED
    assert desk.journal.checked == {}


def test_another_models_answer_is_on_record_as_such(desk: GrokDesk) -> None:
    desk.server.answers_as = "grok-4.3"
    desk.choose({"strict_model": True})
    ((made,),) = desk.journal.checked.values()
    assert (made.decision, made.check) == ("failed", "other_model")


def test_a_repair_after_a_lost_request_is_not_granted(desk: GrokDesk) -> None:
    desk.server.script += [wire.Reply(status=503), "no json"]
    found = desk.choose()
    assert (found.failure, desk.server.questions) == ("not_json", 2)


# Budgets.


def dollars(amount: str) -> int:
    return int(Decimal(amount) * TICKS_PER_DOLLAR)


@pytest.mark.parametrize(
    ("journal", "words"),
    [(FakeJournal(spent_of_this_run=dollars("0.99")), ("this run has spent $0.9900 of $1.00", "xai.run_budget")),
     (FakeJournal(spent_before=dollars("9.99")), ("has spent $9.9900 of $10.00", "xai.month_budget"))],
)  # fmt: skip
def test_over_a_budget_nothing_is_asked(desk: GrokDesk, journal: FakeJournal, words: tuple[str, ...]) -> None:
    desk.journal = journal
    found = desk.choose()
    assert (found.decision, found.failure, found.exit_code) == (Decision.FAILED, "budget", 10)
    assert all(word in found.reason for word in words)
    assert (desk.server.requests, journal.rows) == ([], [])


def test_a_budget_may_be_used_up_to_the_tick(desk: GrokDesk) -> None:
    desk.choose()
    estimate = desk.journal.rows[0][0].estimate_ticks
    for spare, word in ((estimate, ""), (estimate - 1, "budget")):
        desk.journal = FakeJournal(spent_of_this_run=dollars("1") - spare)
        assert desk.choose().failure == word


def test_the_second_request_is_held_against_the_budget_too(desk: GrokDesk) -> None:
    desk.server.script.append("no json")
    desk.choose()
    first: ModelRequest = desk.journal.rows[0][0]
    desk.journal = FakeJournal(spent_of_this_run=dollars("1") - first.estimate_ticks)
    desk.server.script.append("no json")
    assert desk.choose().failure == "budget"
    assert desk.attempts == [(1, 1)]


@pytest.mark.parametrize(
    ("now", "start"),
    [("2026-11-23T15:00:00", "2026-11-01T04:00:00"), ("2026-12-01T04:59:59", "2026-11-01T04:00:00"),
     ("2026-12-01T05:00:00", "2026-12-01T05:00:00")],
)  # fmt: skip
def test_a_month_begins_at_midnight_in_new_york(desk: GrokDesk, now: str, start: str) -> None:
    desk.clock.at = datetime.fromisoformat(now).replace(tzinfo=UTC)
    desk.choose()
    assert desk.journal.since == [datetime.fromisoformat(start).replace(tzinfo=UTC)]


# Another model, and no bill.


def test_another_models_answer_is_marked(desk: GrokDesk) -> None:
    desk.server.answers_as = "grok-4.3"
    found = desk.choose()
    assert (found.decision, found.model, found.model_asked) == (Decision.TRADE, "grok-4.3", "grok-4.7")
    assert found.marks == ("grok-4.7 was asked, grok-4.3 answered",)


def test_another_models_answer_is_refused_when_strict(desk: GrokDesk) -> None:
    desk.server.answers_as = "grok-4.3"
    found = desk.choose({"strict_model": True})
    assert (found.failure, found.exit_code, found.model) == ("other_model", 69, "grok-4.3")
    assert "grok-4.3" in found.reason
    assert desk.server.questions == 1


def test_the_same_model_passes_when_strict(desk: GrokDesk) -> None:
    assert desk.choose({"strict_model": True}).decision is Decision.TRADE


def test_an_estimated_cost_is_marked(desk: GrokDesk) -> None:
    desk.server.bills = False
    found = desk.choose()
    assert "our own estimate" in found.marks[0]
    assert found.cost_ticks == desk.heard[0].input_tokens * 20_000 + desk.heard[0].output_tokens * 60_000


# Several answers.


def test_every_sample_has_its_own_order_of_the_menu(desk: GrokDesk) -> None:
    desk.server.script += [answer(IDS[0], 0.7), answer(IDS[0], 0.9), answer(IDS[0], 0.8)]
    found = desk.choose(samples=3)
    orders = [asked["input"][1]["content"] for asked in desk.server.asked]
    assert orders == [render(MENU, BRIEFING, 100 + number).user for number in (1, 2, 3)]
    assert desk.attempts == [(1, 1), (2, 1), (3, 1)]
    assert (found.candidate_id, found.probability, found.votes) == (IDS[0], 0.8, {IDS[0]: 3})
    assert found.cost_ticks == sum(heard.cost_ticks for heard in desk.heard)


def test_a_failed_sample_counts_against_the_quorum_and_is_not_replaced(desk: GrokDesk) -> None:
    bad = answer("ZZZZ")
    desk.server.script += [answer(IDS[0]), bad, answer(IDS[0]), bad, answer(IDS[0])]
    found = desk.choose(samples=5)
    assert (found.candidate_id, found.votes) == (IDS[0], {IDS[0]: 3, "failed": 2})
    assert found.marks == (f"the samples were split: {IDS[0]} 3, failed 2",)
    desk.server.script += [answer(IDS[0]), bad, bad, bad, answer(IDS[0])]
    found = desk.choose(samples=5)
    assert (found.decision, found.failure, found.exit_code) == (Decision.FAILED, "off_menu", 65)
    assert "3 of 5" in found.reason


def test_samples_that_contradict_are_an_abstention(desk: GrokDesk) -> None:
    desk.server.script += [answer(IDS[0]), answer(IDS[2]), answer(IDS[0]), answer(IDS[2]), answer(None)]
    found = desk.choose(samples=5)
    assert (found.decision, found.exit_code) == (Decision.ABSTAIN, 0)
    assert found.reason.startswith("conflicting_evidence: 5 samples gave")
    assert found.votes == {IDS[0]: 2, IDS[2]: 2, "abstain": 1}


def test_what_no_sample_can_mend_is_asked_once(desk: GrokDesk) -> None:
    desk.server.key = "another key"
    found = desk.choose(samples=5)
    assert (found.failure, found.exit_code, found.votes) == ("key", 77, {"failed": 5})
    assert desk.server.questions == 0 + len(desk.journal.rows) == 1


def test_nothing_is_asked_once_the_time_of_the_run_is_over(desk: GrokDesk) -> None:
    desk.until = desk.monotonic()
    found = desk.choose({"deadline_seconds": 60})
    assert (found.decision, found.failure, found.exit_code) == (Decision.FAILED, "timeout", 75)
    assert "those of the run, were used up" in found.reason
    assert desk.server.questions == 0


@pytest.mark.slow
def test_the_samples_share_one_deadline(desk: GrokDesk) -> None:
    desk.server.faults["/responses"] = [None, web.hang]
    begun = time.monotonic()
    found = desk.choose({"deadline_seconds": 1}, samples=5)
    assert time.monotonic() - begun < SOON
    assert (found.exit_code, found.votes) == (75, {"failed": 4, min(IDS): 1})
    assert desk.attempts == [(1, 1), (2, 1)]


def test_the_samples_stop_at_the_budget(desk: GrokDesk) -> None:
    desk.journal.spent_of_this_run = dollars("1") - 4 * max_ticks(_body_of(desk)) // 3
    found = desk.choose(samples=5)
    assert (found.exit_code, found.failure) == (10, "budget")
    assert 1 <= len(desk.journal.rows) < 5


def _body_of(desk: GrokDesk) -> str:
    desk.choose()
    body: str = desk.journal.rows.pop()[0].request
    return body


def test_versions_of_a_model_that_differ_are_marked(desk: GrokDesk) -> None:
    def other(asked: dict[str, Any]) -> dict[str, Any]:
        return wire.good_body(answer(IDS[0]), metadata={"system_fingerprint": "fp_other"})

    desk.server.script += [answer(IDS[0]), other]
    found = desk.choose(samples=2)
    assert found.marks == ("different versions of the model answered: fp_0123456789, fp_other",)


# Secrets.


@pytest.mark.parametrize("fault", [*(row[0] for row in FAULTS), wire.wrong_key(KEY), wire.bare(400, f"bad {KEY}"),
                                   wire.good_body(f"{{}} {KEY}", model=KEY), wire.refusal_body(KEY)])  # fmt: skip
def test_the_key_is_in_no_row_no_recommendation_and_no_line(desk: GrokDesk, fault: wire.Scripted) -> None:
    desk.server.script += [fault, fault]
    found = desk.choose()
    everything = f"{found!r}{desk.journal.rows!r}{desk.told!r}{vars(desk.analyst())!r}"
    assert KEY not in everything
    assert KEY[4:20] not in everything
    assert desk.told


def test_the_story_names_model_cost_and_what_went_wrong(desk: GrokDesk) -> None:
    desk.server.script.append(wire.Reply(status=503))
    desk.choose()
    assert desk.told[0].startswith("grok-4.7: at most $")
    assert "HTTP 503" in desk.told[1]
    assert desk.told[2].startswith("grok-4.7, attempt 2: at most $")
    assert "answered after" in desk.told[3]


def test_a_mistake_in_the_judge_is_not_hidden(desk: GrokDesk) -> None:
    analyst = desk.analyst()
    analyst.judge = cast("Callable[..., Any]", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        analyst.choose(builders.snapshot(), MENU, BRIEFING)
    assert desk.heard[0].outcome == "answered"
