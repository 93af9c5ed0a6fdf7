"""JSON documents: the promised keys, the shipped schemas, and how they reach stdout."""

import json
import os
from dataclasses import replace
from decimal import Decimal
from io import StringIO
from typing import Any

import jsonschema
import pytest

from spy32.console import PlainConsole
from spy32.domain.answer_role import AnswerRole
from spy32.domain.proposals import ExitReason
from spy32.domain.runs import Outcome, RunSummary
from spy32.domain.spreads import ExpectedValue
from spy32.render.documents import emit, error_document
from spy32.render.encoder import encode_document
from spy32.render.raw_texts import RawTexts, StoredAnswer
from spy32.render.run_documents import HISTORY, History, run_document
from tests.support import builders as b
from tests.support import outlooks, run_views
from tests.support.reader import screen, shown
from tests.support.schemas import check, schema


@pytest.mark.parametrize("name", ["spy32.run", "spy32.history", "spy32.status", "spy32.error"])
def test_every_shipped_schema_is_one(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(schema(name))


@pytest.mark.parametrize("stage", run_views.EVERY)
def test_the_document_of_every_stage_fits_its_schema(stage: str) -> None:
    check(run_document(run_views.EVERY[stage]))


def test_a_document_with_answers_and_rejected_spreads_fits_its_schema() -> None:
    answers = (StoredAnswer(role=AnswerRole.CHOSEN, analyst="grok", request="asked", response="said"),)
    document = run_document(run_views.proposed(), raw=RawTexts(answers=answers), rejected=True)
    check(document)
    assert document["rejected"]["counts"] == {"credit_to_width": 2}
    assert document["answers"][0]["response"] == "said"


def test_a_document_of_another_shape_does_not_fit() -> None:
    document = run_document(run_views.proposed())
    document["proposal"]["max_loss"] = 894.52
    with pytest.raises(jsonschema.ValidationError):
        check(document)


def test_nothing_is_missing_in_a_run_that_saw_nothing() -> None:
    assert run_document(run_views.EVERY["skipped"]).keys() == run_document(run_views.filled()).keys()


PROMISED = {
    ("run",): "id outcome cause reasons forced_from steps",
    ("run", "steps", 0): "name state ms",
    ("market",): "underlying spot as_of source expiration dte",
    ("menu", 0): "id strategy expiration legs natural mid floor max_loss breakevens pop ev costs",
    ("menu", 0, "pop"): "market history",
    ("menu", 0, "ev"): "market_expiry market_plan history_expiry history_plan",
    ("recommendation",): "analyst model prompt decision candidate_id",
    (
        "proposal",
    ): "id kind state strategy quantity limit_price floor_price max_loss max_profit breakevens hash legs orders",
    ("proposal", "legs", 0): "action symbol option_type strike expiration quantity",
    ("proposal", "orders", 0): "reference kind state broker_id filled",
    ("trade",): "id state quantity",
}


@pytest.mark.parametrize("path", PROMISED, ids=str)
def test_the_promised_keys_are_there(path: tuple[str | int, ...]) -> None:
    part: Any = run_document(run_views.filled())
    for step in path:
        part = part[step]
    assert set(PROMISED[path].split()) <= part.keys()


def test_figures_are_those_of_the_proposal() -> None:
    made = run_document(run_views.proposed())["proposal"]
    assert (made["id"], made["limit_price"], made["floor_price"]) == ("P31", "0.58", "0.55")
    # ((5 - 0.55) x 100 + 2.26) x 2 and (0.58 x 100 - 2.26) x 2
    assert (made["max_loss"], made["max_profit"], made["breakevens"]) == ("894.52", "111.48", ["639.42"])
    assert (made["order_body"]["price"], made["legs"][0]["strike"]) == ("0.58", "640")


def test_legs_count_one_spread_on_a_menu_and_the_whole_order_in_a_proposal() -> None:
    document = run_document(run_views.proposed())
    assert [leg["quantity"] for leg in document["menu"][0]["legs"]] == [1, 1]
    assert [leg["quantity"] for leg in document["proposal"]["legs"]] == [2, 2]


def test_mathematics_that_is_not_there_is_null() -> None:
    menu = b.menu(candidates=(b.candidate(ev=ExpectedValue(), pop_history=None, outlook=None),))
    entry = run_document(run_views.proposed(menu=menu))["menu"][0]
    laws = ("market", "history", "history_without_drift", "plan", "plan_without_drift", "plan_market")
    for key in ("p_worthless", "p_profit", "p_max_profit", "p_max_loss", "p_touch", "p_stopped"):
        assert entry[key] == dict.fromkeys(laws)
    assert set(entry["ev_history"].values()) == set(entry["shortfall"].values()) == {None}
    assert {entry[key] for key in ("cost_of_trading", "premium_per_day", "return_on_risk", "score")} == {None}
    assert entry["ev"] == dict.fromkeys(("market_expiry", "market_plan", "history_expiry", "history_plan"))
    assert entry["pop"]["history"] is None


def test_each_number_of_an_outlook_stands_under_its_law_and_horizon() -> None:
    entry = run_document(run_views.proposed())["menu"][0]
    assert entry["p_profit"] == {
        "market": 0.802, "history": 0.864, "history_without_drift": 0.821, "plan": 0.853, "plan_without_drift": 0.812,
        "plan_market": 0.774,
    }  # fmt: skip
    assert (entry["p_touch"]["market"], entry["p_touch"]["history"]) == (None, 0.41)
    held = ("market", "history", "history_without_drift")
    for key in ("p_worthless", "p_max_loss"):
        assert {law for law, found in entry[key].items() if found is not None} == set(held)
    assert (entry["p_stopped"]["history"], entry["p_stopped"]["plan"]) == (None, 0.05)
    assert (entry["average_win"], entry["average_loss"]) == ("24.25", "-88.50")
    assert entry["ev_history"]["plan"] == {"mean": "7.70", "low": "-1.30", "high": "16.70"}
    assert entry["ev_history"]["expiry_without_drift"]["mean"] == "2.20"
    assert entry["shortfall"]["plan"] == {"mean": "-301.50", "low": "-341.75", "high": "-261.25"}
    assert entry["cost_of_trading"] == {
        "interest": "-0.20", "slippage": "-1.75", "commissions": "-2.00", "fees": "-0.26", "total": "-4.21",
    }  # fmt: skip
    assert (entry["premium_per_day"], entry["score"], entry["history_until"]) == ("1.80", -0.0029, "2025-10-03")


def test_the_keys_of_before_carry_the_history_and_no_judgement_of_the_market() -> None:
    entry = run_document(run_views.proposed())["menu"][0]
    assert entry["pop"] == {"market": 0.802, "history": 0.864}
    assert entry["ev"] == {"market_expiry": None, "market_plan": None, "history_expiry": "9.30", "history_plan": "7.70"}


def test_without_history_its_keys_are_null_and_say_why() -> None:
    menu = b.menu(candidates=(b.candidate(outlook=outlooks.without_history()),))
    entry = run_document(run_views.proposed(menu=menu))["menu"][0]
    assert (entry["p_profit"]["market"], entry["p_profit"]["history"], entry["p_profit"]["plan"]) == (0.802, None, None)
    assert (entry["score"], entry["history_missing"]) == (None, outlooks.NO_HISTORY)
    assert entry["cost_of_trading"]["total"] == "-4.21"


def test_the_account_number_is_never_whole() -> None:
    text = json.dumps(run_document(run_views.filled()), ensure_ascii=False)
    assert "5WX01234" not in text
    assert "…1234" in text


def test_instants_are_utc() -> None:
    assert run_document(run_views.proposed())["run"]["started_at"] == "2025-10-06T14:00:00Z"


def test_the_history_fits_its_schema() -> None:
    rows = [
        RunSummary(
            id=2, started_at=b.NOW, outcome=None, cause=None, profile="default", proposal_id=None, trade_id=None
        ),
        RunSummary(
            id=1, started_at=b.NOW, outcome=Outcome.PROPOSED, cause=None, profile="x", proposal_id=3, trade_id=4
        ),
    ]
    document = encode_document(HISTORY, History(runs=tuple(rows)))
    check(document)
    assert [row["id"] for row in document["runs"]] == ["R2", "R1"]
    assert (document["runs"][1]["proposal_id"], document["runs"][1]["trade_id"]) == ("P3", "T4")


def test_the_history_has_result_and_exit_reason() -> None:
    row = RunSummary(
        id=1, started_at=b.NOW, outcome=Outcome.PROPOSED, cause=None, profile="x", proposal_id=3, trade_id=4,
        result=Decimal("52.96"), exit_reason=ExitReason.TARGET,
    )  # fmt: skip
    document = encode_document(HISTORY, History(runs=(row,)))
    check(document)
    assert (document["runs"][0]["result"], document["runs"][0]["exit_reason"]) == ("52.96", "target")


def test_a_trade_that_ended_says_why_and_how_long_it_was_held() -> None:
    ended = replace(run_views.closed().trade or run_views.trade(), exit_reason=ExitReason.TIME)
    trade = run_document(replace(run_views.closed(), trade=ended))["trade"]
    assert {key: trade[key] for key in ("credit", "debit", "fees", "result", "exit_reason", "days_held")} == {
        "credit": "0.58", "debit": "0.30", "fees": "4.52", "result": "-5.04", "exit_reason": "time", "days_held": 3,
    }  # fmt: skip
    assert (trade["opened_at"], trade["closed_at"]) == ("2025-10-06T14:07:00Z", "2025-10-09T14:00:00Z")
    still_open = run_document(run_views.filled())["trade"]
    assert (still_open["result"], still_open["exit_reason"], still_open["days_held"]) == (None, None, None)


def test_an_error_fits_its_schema() -> None:
    check(error_document(75, "try later"))


def test_a_document_is_one_line_for_a_program_and_indented_for_a_person() -> None:
    plain, terminal = PlainConsole(StringIO()), screen()
    document = error_document(2, "no")
    emit(plain, document)
    emit(terminal, document)
    assert shown(plain).count("\n") == 1
    assert shown(terminal).count("\n") > 3
    assert json.loads(shown(plain)) == json.loads(shown(terminal)) == document


def test_a_document_can_not_mislead_a_terminal() -> None:
    out = screen()
    emit(out, error_document(65, "\x1b[31mred\u202eder\x9b"))
    assert all(char == "\n" or " " <= char <= "~" for char in shown(out))
    assert json.loads(shown(out))["message"] == "\x1b[31mred\u202eder\x9b"


def test_a_reader_that_has_gone_ends_a_document_in_silence() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe:
        emit(PlainConsole(pipe), run_document(run_views.filled()))
        emit(PlainConsole(pipe), run_document(run_views.filled()))
