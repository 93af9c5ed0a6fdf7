"""The weekly run against local Cboe, Yahoo and xAI servers: healthy, and with each of them broken in turn."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import spy32
from tests.servers import web
from tests.servers.cboe import edited
from tests.servers.xai import KEY
from tests.support.live_monday import MONDAY, LiveMonday, live_monday

pytestmark = pytest.mark.slow

CBOE_ONLY = {
    "SPY32_MARKET_CHAIN": "cboe",
    "SPY32_MARKET_HISTORY": "cboe",
    "SPY32_MARKET_VIX": "cboe",
    "SPY32_MARKET_DIVIDENDS": "table",
}
"""A run that needs no Yahoo, for what is not about sources."""
RULES = ("--analyst", "rules")


@pytest.fixture
def monday(tmp_path: Path) -> Iterator[LiveMonday]:
    with live_monday(tmp_path / "home") as made:
        yield made


# Healthy.


def test_a_monday_with_every_source_healthy_ends_proposed_and_replays_without_them(monday: LiveMonday) -> None:
    code, run = monday.analyze()
    assert code == 0, run
    assert run["run"]["outcome"] == "proposed", run["run"]
    assert run["market"]["source"] == "cboe"
    assert run["recommendation"]["analyst"] == "grok"
    assert run["recommendation"]["decision"] == "trade"
    gates = monday.quality()
    assert {name: gates[name]["verdict"] for name in ("second_spot", "second_forward", "second_quotes")} == {
        "second_spot": "pass",
        "second_forward": "pass",
        "second_quotes": "pass",
    }
    assert len(gates) >= 20
    assert max(Counter(monday.cboe.paths()).values()) == 1
    assert len(monday.cboe.requests) <= 10
    assert len(monday.yahoo.requests) <= 14
    assert monday.xai.paths() == ["/v1/responses"]
    raw = json.loads(monday.spy32("show", "--raw", "--json").stdout)
    assert {document["source"] for document in raw["documents"]} == {"cboe", "yahoo"}
    gone = monday.spy32("replay", "R1", SPY32_CBOE_URL="http://127.0.0.1:9", SPY32_YAHOO_URL="http://127.0.0.1:9")
    assert gone.returncode == 0, gone.stderr
    assert "no difference" in gone.stdout
    assert "chosen answer to v2-comprehensive" in gone.stdout


def test_a_replay_hears_every_kind_of_answer_again(monday: LiveMonday) -> None:
    monday.xai.script = ["not JSON", None, web.Reply(status=503), "{}", "{}"]
    env = {**CBOE_ONLY, "SPY32_ANALYST_SHADOW_PROMPT": "true"}
    assert monday.analyze(**env)[0] == 0
    monday.analyze("--force", **env)
    attempts = json.loads(monday.spy32("show", "R1", "--raw", "--json").stdout)["attempts"]
    assert [each["checked"] and each["checked"]["check"] for each in attempts][:2] == ["not_json", None]
    assert attempts[1]["checked"]["decision"] == "trade"
    assert attempts[2]["checked"] is None
    for run in ("R1", "R2"):
        again = monday.spy32("replay", run)
        assert again.returncode == 0, again.stderr
        assert "shadow answer to v2-simplified" in again.stdout


def test_the_proposal_of_a_live_run_is_approved_and_filled_on_paper_at_fresh_quotes(monday: LiveMonday) -> None:
    assert monday.analyze(*RULES, **CBOE_ONLY)[0] == 0
    assert monday.spy32("approve", "--yes", **CBOE_ONLY).returncode == 0
    before = len(monday.cboe.requests)
    done = monday.spy32("execute", SPY32_EXECUTION_STEP_SECONDS="1", **CBOE_ONLY)
    assert done.returncode == 0, done.stderr
    assert "filled" in done.stdout
    assert len(monday.cboe.requests) > before


def test_nothing_is_said_on_stderr_under_cron_when_all_is_well(monday: LiveMonday) -> None:
    assert monday.spy32("status").returncode in (0, 2)
    monday.analyze(*RULES, **CBOE_ONLY)
    with live_monday(monday.home.parent / "other") as other:
        done = other.spy32("analyze", "--scheduled", "-q", *RULES)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_another_underlying_runs_by_its_profile(tmp_path: Path) -> None:
    with live_monday(tmp_path / "home", tickers=("SPY", "QQQ")) as monday:
        monday.home.mkdir()
        (monday.home / "config.toml").write_text('[profile.qqq]\nunderlying = "QQQ"\n')
        _, run = monday.analyze("--profile", "qqq", *RULES, **CBOE_ONLY)
        assert run["market"]["underlying"] == "QQQ"
        assert run["run"]["outcome"] in ("proposed", "no_trade"), run["run"]
        assert monday.quality()["atm_vix"]["verdict"] == "skipped"
        assert monday.quality()["ex_dividend"]["verdict"] == "warn"


# Sources broken in turn: outcome, exit code, and who is traded on instead.

BROKEN = {
    "limited": web.status(429, "Too Many Requests", {"Retry-After": "1"}),
    "503": web.status(503, "<html>busy</html>"),
    "a page": web.html,
    "cut": web.cut,
    "reset": web.reset,
    "garbage": web.bad_gzip,
    "hanging": web.hang,
    "dripping": web.drip,
}


@pytest.mark.parametrize("fault", BROKEN.values(), ids=BROKEN)
def test_without_cboe_yahoo_is_traded_on_and_the_run_is_marked(monday: LiveMonday, fault: web.Fault) -> None:
    monday.cboe.always["/options/"] = fault
    code, run = monday.analyze(*RULES, SPY32_MARKET_SOURCE_SECONDS="4")
    assert (code, run["run"]["outcome"]) == (0, "proposed"), run["run"]
    assert run["market"]["source"] == "yahoo"
    assert monday.quality()["second_spot"]["verdict"] == "warn"
    assert next(step for step in run["run"]["steps"] if step["name"] == "collect")["state"] == "degraded"


def test_without_yahoo_cboe_is_traded_on_and_its_bars_are_taken(monday: LiveMonday) -> None:
    monday.yahoo.always["/"] = web.status(429, "Too Many Requests\r\n")
    code, run = monday.analyze(*RULES)
    assert (code, run["run"]["outcome"]) == (0, "proposed"), run["run"]
    assert run["market"]["source"] == "cboe"
    assert monday.quality()["history"]["verdict"] == "pass"
    assert monday.quality()["second_spot"]["verdict"] == "warn"


def test_with_both_dead_the_run_fails_and_may_be_tried_again(monday: LiveMonday) -> None:
    code, run = monday.analyze(*RULES, SPY32_CBOE_URL="http://127.0.0.1:9", SPY32_YAHOO_URL="http://127.0.0.1:9")
    assert (code, run["run"]["outcome"], run["run"]["cause"]) == (75, "failed", "data")
    assert "cboe" in run["run"]["reasons"][0].lower() and "yahoo" in run["run"]["reasons"][0].lower()


def test_a_source_whose_spot_lies_is_turned_away_by_its_own_options(monday: LiveMonday) -> None:
    monday.cboe.lie = 0.03
    code, run = monday.analyze(*RULES)
    assert (code, run["market"]["source"]) == (0, "yahoo"), run["run"]


def test_sources_that_contradict_each_other_stop_the_run_before_anybody_is_asked(monday: LiveMonday) -> None:
    monday.yahoo.shift = 0.03
    code, run = monday.analyze()
    assert (code, run["run"]["outcome"]) == (65, "failed"), run["run"]
    assert "second_spot" in run["run"]["reasons"][0]
    assert monday.xai.requests == []


def test_stale_chains_stop_the_run(monday: LiveMonday) -> None:
    monday.cboe.at -= timedelta(hours=3)
    monday.yahoo.at -= timedelta(hours=3)
    code, run = monday.analyze(*RULES)
    assert (code, run["run"]["outcome"]) == (65, "failed"), run["run"]
    assert "quote_age" in run["run"]["reasons"][0]


def test_a_stale_first_source_is_passed_over(monday: LiveMonday) -> None:
    monday.cboe.at -= timedelta(hours=3)
    code, run = monday.analyze(*RULES)
    assert (code, run["market"]["source"]) == (0, "yahoo"), run["run"]


def test_a_vix_that_cboe_lacks_comes_from_yahoo(monday: LiveMonday) -> None:
    monday.cboe.always["quotes/_VIX.json"] = web.status(503)
    code, _ = monday.analyze(*RULES)
    assert code == 0
    vix = monday.figure("market.vix")
    assert vix["value"] is not None
    assert "yahoo" in vix["source"].lower()


def test_a_vix_of_another_day_is_missing_and_halves_the_size(monday: LiveMonday) -> None:
    def of_last_week(found: dict[str, object]) -> None:
        data = found["data"]
        assert isinstance(data, dict)
        data["last_trade_time"] = "2025-08-19T16:14:59"

    monday.cboe.always["quotes/_VIX"] = edited(of_last_week)
    code, run = monday.analyze(*RULES, **CBOE_ONLY)
    assert code == 0, run
    vix = monday.figure("market.vix")
    assert vix["value"] is None
    assert "not of 2025-08-25" in vix["missing"]


def test_a_companys_earnings_reach_the_run(tmp_path: Path) -> None:
    with live_monday(tmp_path / "home", tickers=("SPY", "AAPL")) as monday:
        monday.home.mkdir()
        (monday.home / "config.toml").write_text('[profile.apple]\nunderlying = "AAPL"\n')
        monday.yahoo.calendars["AAPL"] = [int((MONDAY + timedelta(days=16)).timestamp())]
        shown = json.loads(monday.spy32("market", "--profile", "apple", "--market", "cboe", "--json").stdout)
        assert [event["day"] for event in shown["events"] if event["kind"] == "earnings"] == ["2025-09-10"]


def test_no_source_that_can_be_asked_is_a_matter_of_settings(monday: LiveMonday) -> None:
    env = {"SPY32_MARKET_CHAIN": "tastytrade"}
    for words in (("expirations",), ("market",), ("analyze", *RULES)):
        done = monday.spy32(*words, **env)
        assert done.returncode == 78, done.stderr
        assert "market.chain" in done.stderr


def test_what_a_source_sent_is_kept_when_the_run_could_not_use_it(monday: LiveMonday) -> None:
    monday.cboe.always["/options/"] = edited(lambda found: found.update(symbol="QQQ"))
    code, _ = monday.analyze(*RULES, **CBOE_ONLY)
    assert code == 65
    raw = json.loads(monday.spy32("show", "--raw", "--json").stdout)
    assert {document["source"] for document in raw["documents"]} == {"cboe"}


def test_a_source_that_was_asked_for_by_name_and_is_dead_may_be_tried_again(monday: LiveMonday) -> None:
    code, run = monday.analyze("--market", "yahoo", *RULES, SPY32_YAHOO_URL="http://127.0.0.1:9")
    assert code == 75
    assert "yahoo" in run["run"]["reasons"][0].lower()


# The model.


def test_the_model_is_not_asked_when_nothing_could_be_traded(monday: LiveMonday) -> None:
    low = {f"SPY32_CONDITIONS_VIX_{word}": level for word, level in (("WARN", "3"), ("HALVE", "4"), ("NONE", "5"))}
    assert asked(monday, **low) == (0, "no_trade", "condition")
    assert monday.xai.requests == []
    shadows = json.loads(monday.spy32("show", "--json").stdout)["shadows"]
    assert {shadow["analyst"] for shadow in shadows} == {"rules", "trend"}


def test_a_stand_in_for_a_failed_model_is_said_and_replays(monday: LiveMonday) -> None:
    monday.xai.script = ["x", "y"]
    done = monday.spy32("analyze", **CBOE_ONLY, SPY32_ANALYST_ON_FAILURE="rules")
    assert done.returncode == 0
    assert "gave no answer that can be used" in done.stderr
    again = monday.spy32("replay", "R1", "--json")
    assert again.returncode == 0, again.stderr
    assert {"checks", "size", "proposal", "order"} <= set(json.loads(again.stdout)["checked"])


def asked(monday: LiveMonday, *words: str, **env: str) -> tuple[int, str, str | None]:
    """Exit code, outcome and cause of a run that asks the model, on Cboe alone."""
    code, run = monday.analyze(*words, **CBOE_ONLY, **env)
    return code, run["run"]["outcome"], run["run"]["cause"]


def test_an_abstention_a_veto_and_a_failure_are_three_endings(monday: LiveMonday) -> None:
    monday.xai.choose = lambda ids: None
    assert asked(monday) == (0, "no_trade", "abstained")
    monday.xai.choose, monday.xai.probability = (lambda ids: ids[0]), 0.05
    assert asked(monday, "--force") == (0, "no_trade", "vetoed")
    monday.xai.script = ["```json\n{}\n```", "sell everything"]
    assert asked(monday, "--force") == (65, "failed", "analyst_failed")
    history = monday.spy32("show", "--history").stdout
    assert all(word in history for word in ("abstained", "vetoed", "analyst failed"))


@pytest.mark.parametrize(
    ("fault", "code", "requests"),
    [
        (web.status(429, {"error": "Too many requests per second"}), 75, 2),
        (web.status(503, "<html>"), 75, 2),
        (web.status(403, {"code": "x", "error": "used all available credits"}), 69, 1),
        (web.status(404, {"code": "x", "error": "The model grok-4.7 does not exist"}), 69, 1),
        (web.html, 65, 2),
        (web.reset, 75, 2),
    ],
    ids=["limited", "busy", "no credits", "no model", "a page", "reset"],
)
def test_a_model_that_fails_ends_the_run_with_its_code(
    monday: LiveMonday, fault: web.Fault, code: int, requests: int
) -> None:
    monday.xai.always["/responses"] = fault
    assert asked(monday) == (code, "failed", "analyst_failed")
    assert len(monday.xai.requests) == requests


def test_a_wrong_key_is_said_without_the_key(monday: LiveMonday) -> None:
    wrong = "xai-planted-wrong-key-123456"
    code, run = monday.analyze(**CBOE_ONLY, XAI_API_KEY=wrong)
    assert code == 77
    assert wrong not in json.dumps(run)


def test_settings_that_cannot_work_end_before_anything_is_fetched(monday: LiveMonday) -> None:
    assert asked(monday, XAI_API_KEY="") == (78, "failed", "settings")
    assert asked(monday, "--force", SPY32_XAI_EFFORT="xhigh") == (78, "failed", "settings")
    assert monday.cboe.requests == [] and monday.xai.requests == []


def test_a_budget_that_is_spent_stops_the_request(monday: LiveMonday) -> None:
    assert asked(monday, SPY32_XAI_RUN_BUDGET="0.01") == (10, "failed", "analyst_failed")
    assert monday.xai.requests == []


def test_the_rule_may_stand_in_for_the_model_when_that_is_set(monday: LiveMonday) -> None:
    monday.xai.always["/responses"] = web.status(503)
    assert asked(monday, SPY32_ANALYST_ON_FAILURE="rules") == (0, "proposed", None)


def test_the_shadows_of_a_run_are_on_record_and_change_nothing(monday: LiveMonday) -> None:
    code, run = monday.analyze(**CBOE_ONLY, SPY32_ANALYST_SHADOW_PROMPT="true")
    assert code == 0, run
    rules = {("rules", None), ("trend", None)}
    assert shadows_of(run) == rules
    assert len(monday.xai.requests) == 2
    assert monday.spy32("approve", "--decline").returncode == 0
    decided = json.loads(monday.spy32("show", "--json").stdout)
    assert shadows_of(decided) == rules | {("grok", "v2-simplified")}


def test_the_challenger_is_asked_after_the_run(monday: LiveMonday) -> None:
    code, run = monday.analyze(**CBOE_ONLY, SPY32_ANALYST_CHALLENGER="v1-comprehensive")
    assert (code, run["run"]["outcome"]) == (0, "proposed")
    assert len(monday.xai.requests) == 2
    assert monday.spy32("approve", "--decline").returncode == 0
    compared = monday.spy32("prompts", "compare", "v2-comprehensive", "v1-comprehensive", "--run", "R1")
    assert compared.returncode == 0, compared.stderr
    assert "1 run answered with both" in compared.stdout


def shadows_of(run: dict[str, Any]) -> set[tuple[str, str | None]]:
    return {(shadow["analyst"], shadow.get("prompt")) for shadow in run["shadows"]}


def test_the_prompt_can_be_seen_without_a_run_and_without_a_request(monday: LiveMonday) -> None:
    shown = monday.spy32("analyze", "--prompt-only", "--json", **CBOE_ONLY)
    assert shown.returncode == 0, shown.stderr
    document = json.loads(shown.stdout)
    schema = json.loads((Path(spy32.__file__).parent / "data" / "schemas" / "spy32.prompt.json").read_text())
    jsonschema.validate(document, schema)
    body = json.loads(document["body"])
    assert monday.xai.requests == []
    assert not (monday.home / "paper.db").exists()
    monday.analyze(**CBOE_ONLY)
    sent = monday.xai.asked[0]
    assert sent.keys() == body.keys()
    assert {key: sent[key] for key in sent if key not in ("input", "text")} == {
        key: body[key] for key in body if key not in ("input", "text")
    }
    assert sent["input"][0] == body["input"][0]


def test_another_prompt_is_asked_only_after_the_price_and_a_yes(monday: LiveMonday) -> None:
    monday.analyze(**CBOE_ONLY)
    refused = monday.spy32("replay", "R1", "--prompt", "v2-simplified", **CBOE_ONLY)
    assert refused.returncode == 2
    assert "$" in refused.stderr and "--yes" in refused.stderr
    assert len(monday.xai.requests) == 1
    again = monday.spy32("replay", "R1", "--prompt", "v2-simplified", "--yes", **CBOE_ONLY)
    assert again.returncode == 0, again.stderr
    assert "again with v2-simplified" in again.stdout
    assert len(monday.xai.requests) == 2
    assert monday.spy32("replay", "R1", "--prompt", "nope", "--yes", **CBOE_ONLY).returncode == 2
    monday.xai.always["/responses"] = web.status(403, {"code": "x", "error": "used all available credits"})
    failed = monday.spy32("replay", "R1", "--prompt", "v2-simplified", "--yes", **CBOE_ONLY)
    assert failed.returncode == 69
    assert "nothing to compare" in failed.stdout and "ANOTHER" not in failed.stdout
    _, run = monday.spy32("show", "R1", "--json"), json.loads(monday.spy32("show", "R1", "--json").stdout)
    assert run["recommendation"]["prompt"] == "v2-comprehensive"
    assert monday.spy32("replay", "R1", **CBOE_ONLY).returncode == 0


def test_no_secret_is_in_anything_that_is_written(monday: LiveMonday) -> None:
    planted = {KEY, "planted-client-secret-1", "planted-refresh-token-2"}
    env = {**CBOE_ONLY, "TASTYTRADE_CLIENT_SECRET": "planted-client-secret-1"}
    env["TASTYTRADE_REFRESH_TOKEN"] = "planted-refresh-token-2"
    said = []
    for fault in (None, web.status(400, {"code": "x", "error": f"Incorrect API key provided: {KEY}"}), web.reset):
        monday.xai.always = {} if fault is None else {"/responses": fault}
        for words in (
            ("analyze", "--force", "-v"),
            ("show",),
            ("show", "--raw"),
            ("config", "show"),
            ("show", "--json"),
        ):
            done = monday.spy32(*words, **env)
            said.append(done.stdout + done.stderr)
    written = [path.read_bytes() for path in monday.home.rglob("*") if path.is_file()]
    for secret in planted:
        assert not any(secret in text for text in said)
        assert not any(secret.encode() in data for data in written)
