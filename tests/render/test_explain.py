"""`show` explains a decision: the words and their checks, what was cited, the others, the figures, the cost."""

import json
import re
from dataclasses import fields, replace
from typing import Any

import pytest

from spy32 import track_record
from spy32.domain.answer_role import AnswerRole
from spy32.domain.model_calls import ModelCall
from spy32.domain.proposals import Citation, Decision, NumberCheck, Recommendation
from spy32.domain.run_view import DocumentSummary, RunView
from spy32.domain.runs import Outcome, RunSummary
from spy32.domain.spreads import Strategy
from spy32.render import menu_pages
from spy32.render.explain_choice import entry_conditions_part, setup_part
from spy32.render.formatting import format_ticks
from spy32.render.market_pages import format_value
from spy32.render.raw_page import raw_page
from spy32.render.raw_texts import RawTexts
from spy32.render.run_documents import run_document
from tests.support import builders as b
from tests.support import run_views, stores, strategies
from tests.support.run_pages import HOSTILE, PLAIN, page, rendered
from tests.support.schemas import check

WIDTHS = (PLAIN, 60, 80, 200)


@pytest.fixture(autouse=True)
def _no_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shipped table changes with every new year of outcomes."""
    monkeypatch.setattr(track_record, "read_track_record", tuple)


def plain(view: RunView) -> str:
    return rendered(page(view), PLAIN)


def joined(text: str) -> str:
    """A drawn page without its frames and folds, so that a folded sentence can be looked for."""
    return " ".join(re.sub("[╭╮╰╯─┬┴├┤┼⠀-⣿┄]", " ", text).replace("│", " ").split())


# The words and their checks.


@pytest.mark.parametrize(
    "line",
    [
        "analyst decision: chose put 640/635 (grok, grok-4.3-0401, v1-comprehensive)",
        "analyst stated chance: 80.0% that it expires worthless",
        "analyst market's chance: 78.2% by the option prices; 80% for any profit",
        "analyst market bias: bullish",
        "analyst analysis:\n  The short strike stands below the 20-day low.\n  The trend is up.",
        "analyst bull case: Breadth is fine.",
        "analyst bear case: A gap below 640 would hurt.",
        "analyst would change it: VIX above 25.",
        "analyst doubts the data: market.low_180d",
        "analyst number check: 4 numbers of the words found in what was sent, 2 not",
        "analyst not in the data: ✗ 181.30, ✗ 42 %",
        "analyst look at: 2 of its numbers match nothing that was sent",
        "analyst votes: put 640/635 3, abstain 1, failed 1 (of 5 samples)",
        "analyst model: asked grok-4.3, answered by grok-4.3-0401: another name",
        "analyst prompt: v1-comprehensive",
        "analyst cost: $0.02 (241500000 ticks)",
        "cited market.rsi_14: value 61.37; unit points; note 12 min, daily bars, n=260",
        "cited put 640/635 short delta: value 0.192",
        "request chosen: v1-comprehensive: 2 attempts, 17.2 s",
        "request tokens: 6100 in (1000 cached), 900 out (600 reasoning)",
        "request cost: less than $0.01 (50000000 ticks)",
    ],
)
def test_the_page_of_a_choice_says(line: str) -> None:
    assert f"{line}\n" in plain(run_views.asked())


@pytest.mark.parametrize("width", WIDTHS)
def test_every_cited_field_has_value_unit_and_note_at_any_width(width: int) -> None:
    text = joined(rendered(page(run_views.asked()), width))
    for said in ("market.rsi_14", "61.37", "points", "12 min, daily", "put 640/635 short delta", "0.192"):
        assert said in text
    assert "left out" not in text.partition("Fields that")[2].partition("Checks")[0]


@pytest.mark.parametrize("width", WIDTHS)
def test_what_others_would_have_taken_stands_beside_it(width: int) -> None:
    text = joined(rendered(page(run_views.asked()), width))
    for said in ("fixed rule", "another", "put 635/630", "0.475", "$457.26", "trend rule", "the same"):
        assert said in text
    assert "grok v1-simplified" in text


def test_unmatched_numbers_are_red_where_there_is_colour_and_marked_where_there_is_none() -> None:
    coloured = rendered(page(run_views.asked()), 100, colour=True)
    line = next(line for line in coloured.splitlines() if "181.30" in line)
    assert re.search(r"\x1b\[1;31m✗ 181\.30, ✗ 42 %", line)
    assert "✗ 181.30, ✗ 42 %" in rendered(page(run_views.asked()), 100)


def test_a_check_that_found_everything_lists_nothing() -> None:
    text = plain(run_views.asked(recommendation=run_views.word(numbers=NumberCheck(matched=1))))
    assert "analyst number check: 1 number of the words found in what was sent, 0 not\n" in text
    assert "not in the data" not in text


def test_the_same_model_under_its_own_name_is_no_news() -> None:
    text = plain(run_views.asked(recommendation=run_views.word(model="grok-4.3")))
    assert "analyst model: asked grok-4.3, answered by grok-4.3\n" in text


def test_an_answer_of_a_run_without_a_density_was_judged_by_the_delta() -> None:
    menu = b.menu(candidates=(b.candidate(outlook=None),))
    assert "analyst market's chance: 79.5% by the short delta; 79% for any profit\n" in plain(
        run_views.asked(menu=menu)
    )


def test_a_rule_has_no_empty_lines_and_states_no_chance_of_its_own() -> None:
    rule = b.recommendation(
        analyst="rules", model=None, prompt=None, probability=0.79, analysis="", evidence=("menu.P6405.mid",),
        cost_ticks=0,
    )  # fmt: skip
    said = [line for line in plain(run_views.proposed(recommendation=rule)).splitlines() if line.startswith("analyst ")]
    assert [line.split(":")[0] for line in said] == [
        "analyst decision", "analyst reason", "analyst evidence",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("ticks", "told"),
    [
        (0, "$0.00"),
        (1, "less than $0.01"),
        (99_999_999, "less than $0.01"),
        (100_000_000, "$0.01"),
        (149_999_999, "$0.01"),
        (150_000_000, "$0.02"),
        (123_450_000_000, "$12.35"),
    ],
)
def test_ticks_are_dollars_to_the_nearest_cent(ticks: int, told: str) -> None:
    assert format_ticks(ticks) == f"{told} ({ticks} ticks)"


# Abstained, vetoed, failed.

WAYS = ("abstained", "vetoed", "failed")


@pytest.mark.parametrize("width", WIDTHS)
def test_abstained_vetoed_and_failed_are_told_apart_on_the_page(width: int) -> None:
    said = {name: joined(rendered(page(run_views.GROK[f"grok {name}"]), width)) for name in WAYS}
    marks = {
        "abstained": ("Abstained: the analyst", "abstained (grok"),
        "vetoed": ("Vetoed: the analyst", "which spy32 vetoes"),
        "failed": ("Failed at the analyst", "failed to answer"),
    }
    for name, text in said.items():
        for other, words in marks.items():
            assert all(word in text for word in words) == (name == other), (name, other)


def test_a_veto_names_its_reason_and_a_failure_its_check() -> None:
    assert "analyst vetoed: it states a probability of 0.99" in plain(run_views.GROK["grok vetoed"])
    assert "analyst failed at: fence\n" in plain(run_views.GROK["grok failed"])
    assert "next: spy32 show R1 --raw (what was asked" in plain(run_views.GROK["grok failed"])


def test_a_failure_is_not_compared_with_an_abstention() -> None:
    text = plain(run_views.GROK["grok failed"])
    assert "beside grok v1-simplified: would take nothing; reason no edge\n" in text
    assert "beside grok v1-simplified: would take nothing; it is the same; " in plain(run_views.GROK["grok abstained"])
    failed = b.recommendation(decision=Decision.FAILED, reason="timeout")
    assert "beside grok comprehensive: would take no answer; reason timeout\n" in plain(
        run_views.asked(shadows=(failed,))
    )


@pytest.mark.parametrize("width", WIDTHS)
def test_abstained_vetoed_and_failed_are_told_apart_in_the_history(width: int) -> None:
    told = ((Outcome.NO_TRADE, "abstained"), (Outcome.NO_TRADE, "vetoed"), (Outcome.FAILED, "analyst_failed"))
    rows = [
        RunSummary(
            id=number, started_at=b.NOW, outcome=outcome, cause=cause, profile="default", proposal_id=None,
            trade_id=None,
        )
        for number, (outcome, cause) in enumerate(told, 1)
    ]  # fmt: skip
    text = rendered(menu_pages.history_page(rows), width)
    lines = {number: next(line for line in text.splitlines() if f"R{number}" in line) for number in (1, 2, 3)}
    assert [word in lines[at] for at, word in ((1, "abstained"), (2, "vetoed"), (3, "analyst failed"))] == [True] * 3
    assert "no trade" not in lines[3]


# The fields of the former system, the numeric ones ours.

OLD = {
    "strategy_type": "put 640/635",
    "confidence": "80.0%",
    "market_bias": "bullish",
    "support_level": "low 20 d 651.25",
    "support_band": "Bollinger low 648.90",
    "resistance_level": "high 20 d 672.10",
    "resistance_band": "Bollinger high 675.40",
    "volatility_factor": "ATM IV 15.43%",
    "volatility_rank": "IV rank (VIX) 32.00%",
    "time_decay_impact": "+$2.00 a day",
    "price_momentum": "RSI 14 61.4",
    "volume_pattern": "volume / 20 d 1.240",
    "credit_received": "0.575",
    "expiration": "2025-11-07",
    "max_profit": "$55.24",
    "max_loss": "$447.26",
    "probability_of_profit": "options 80% · history 86% · without its rise 82%",
    "reward_risk_ratio": "12.4%",
    "delta": "+2.5 shares",
    "expected_profit": "+$8, 90% sure -$1 to +$17 · without its rise +$1",
    "costs": "-$4.21: interest -$0.20, slippage -$1.75, commissions -$2.00, fees -$0.26",
    "entry_price_range": "credit 0.58 first, never below 0.55",
    "volatility_condition": "from 40 no entry",
    "volume_requirement": "open interest of the short leg at least 100",
    "momentum_condition": "no condition",
    "drift": "underlying within 0.75%, credit not down more than 15%, short delta at most 0.33",
    "no_entry_after": "15:45 New York",
    "reasoning": "The short strike stands below the 20-day low.",
}


@pytest.mark.parametrize("width", WIDTHS)
def test_every_field_of_the_former_system_is_on_the_page(width: int) -> None:
    text = joined(rendered(page(run_views.GROK["grok vetoed"]), width))
    assert [name for name, said in OLD.items() if said not in text] == []


OF_A_PROPOSAL = {
    "credit_received": "0.58 cr", "max_profit": "$111.48", "max_loss": "$894.52", "strategy_type": "640/635 put spread",
    "reward_risk_ratio": "12.5% return on risk", "delta": "+5.1 shares", "time_decay_impact": "theta +$4.00",
}  # fmt: skip


def test_a_proposal_has_them_all_with_its_own_quantity() -> None:
    text = joined(plain(run_views.asked()))
    assert [name for name, said in {**OLD, **OF_A_PROPOSAL}.items() if said not in text] == []
    assert "setup max loss" not in text


def test_the_setup_is_of_what_is_proposed_whoever_chose_it() -> None:
    other = b.menu().candidates[1]
    made = run_views.proposal(candidate_id=other.id, chosen_by="person")
    text = plain(run_views.asked(proposal=made))
    assert f"Greeks: short -{other.short_delta:.2f} · " in text
    assert f"entry price: credit {other.start} first, never below {other.floor}\n" in text
    failed = run_views.asked(recommendation=run_views.GROK["grok failed"].recommendation)
    assert f"entry price: credit {b.candidate().start} first" in plain(failed)


def test_return_on_risk_is_that_of_the_mid_less_costs_over_the_loss() -> None:
    entry = b.candidate()
    share = (entry.mid * 100 - entry.costs) / entry.max_loss
    assert f"setup return on risk: {share:.1%}\n" in plain(run_views.GROK["grok vetoed"])


def test_a_missing_figure_says_why_and_an_unknown_event_is_no_absence() -> None:
    text = plain(run_views.asked())
    assert "low 180 d missing: 90 closes, 180 are needed" in text
    assert "figure not known: jobs unknown after 2025-10-31\n" in text
    assert "figure events: FOMC 2025-10-29 up to the expiration\n" in text


def test_a_question_that_was_asked_before_is_told() -> None:
    again = run_views.asked(attempts_summary=(run_views.tally(asked_before=(3, 12)),))
    assert "the same question, to the letter, in R3, R12: a re-run" in " ".join(plain(again).split())
    assert "asked before" not in plain(run_views.asked())


def test_a_run_from_before_has_no_section_of_figures_and_no_conditions_that_are_not_on_record() -> None:
    text = plain(run_views.asked(briefing=None, decided_by=None, attempts_summary=()))
    assert not re.search(r"^(figure|request) ", text, re.MULTILINE)
    assert [line for line in text.splitlines() if line.startswith("entry ")] == [
        "entry price: credit 0.58 first, never below 0.55"
    ]


@pytest.mark.parametrize("kept", [{}, {"drift": {"underlying": "no"}}, {"execution": {"no_entry_after": 3}}])
def test_settings_of_another_shape_leave_lines_out_and_break_nothing(kept: dict[str, dict[str, object]]) -> None:
    assert "entry drift" not in plain(run_views.asked(decided_by=kept))


@pytest.mark.parametrize(
    ("value", "unit", "told"),
    [
        (671.456, "dollars", "671.46"),
        (0.1543, "fraction", "15.43%"),
        (-0.004, "fraction a year", "-0.40%"),
        (-0.0004, "fraction", "-0.04%"),
        (16.5, "percent points", "16.50"),
        (0.9, "ratio", "0.900"),
        (3.0, "contracts", "3.00 contracts"),
    ],
)
def test_a_figure_is_written_by_its_unit(value: float, unit: str, told: str) -> None:
    assert format_value(b.datum(value, unit=unit)) == told


# Foreign text.


def hostile() -> RunView:
    """Every word that comes from a model or a feed tries to move the cursor and to forge a line."""
    base = run_views.word(vetoes=(HOSTILE,), failure=HOSTILE)
    words = {one.name: HOSTILE for one in fields(Recommendation) if isinstance(getattr(base, one.name), str)}
    del words["decision"], words["candidate_id"]
    evil = replace(
        base,
        **words,
        evidence=(HOSTILE,),
        data_problems=(HOSTILE,),
        marks=(HOSTILE,),
        vetoes=(HOSTILE,),
        cited=(Citation(path=HOSTILE, value=HOSTILE, unit=HOSTILE, note=HOSTILE),),
        numbers=NumberCheck(matched=0, unmatched=(HOSTILE,)),
        votes={HOSTILE: 1},
    )
    datum = b.datum(1.0, unit=HOSTILE)
    briefing = replace(
        run_views.briefing(),
        figures={"market.rsi_14": datum, f"related.{HOSTILE}": datum, "market.vix": b.datum(None, missing=HOSTILE)},
        unknown_events={HOSTILE: HOSTILE},
        flags=(HOSTILE,),
    )
    tally = run_views.tally(role=AnswerRole.CHOSEN, prompt=HOSTILE, asked=(HOSTILE,), answered=(HOSTILE,))
    decided_by: Any = {"execution": {"no_entry_after": HOSTILE}}
    return run_views.asked(
        recommendation=evil,
        shadows=(evil, replace(evil, candidate_id=None, decision=Decision.ABSTAIN)),
        briefing=briefing,
        attempts_summary=(tally,),
        decided_by=decided_by,
    )


def hostile_raw() -> RawTexts:
    asking = stores.asking(
        role=AnswerRole.CHOSEN, prompt=HOSTILE, prompt_hash=HOSTILE, input_hash=HOSTILE, model=HOSTILE, effort=HOSTILE,
        request=HOSTILE,
    )  # fmt: skip
    heard = stores.heard(
        outcome=HOSTILE, detail=HOSTILE, response=HOSTILE, model=HOSTILE, fingerprint=HOSTILE, request_id=HOSTILE
    )
    line = DocumentSummary(source=HOSTILE, name=HOSTILE, at=b.NOW, size=3)
    return RawTexts(attempts=(ModelCall(id=1, at=b.NOW, attempt=asking, heard=heard),), documents=(line,))


@pytest.mark.parametrize("width", (PLAIN, 60, 200))
def test_no_word_of_a_model_or_a_feed_moves_the_cursor_or_forges_a_line(width: int) -> None:
    for shown in (page(hostile()), raw_page(hostile(), hostile_raw())):
        text = rendered(shown, width)
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)
        assert [line for line in text.splitlines() if line.startswith("proposal id: P99")] == []


def test_the_document_carries_foreign_text_as_it_is_and_in_ascii() -> None:
    document = run_document(hostile(), raw=hostile_raw())
    check(document)
    assert document["recommendation"]["bull_case"] == HOSTILE
    assert json.dumps(document).isascii()


# The document.


def test_the_document_of_a_choice_has_what_the_page_has() -> None:
    document = run_document(run_views.asked())
    check(document)
    word = document["recommendation"]
    assert (word["probability"], word["market_bias"], word["cost_usd"]) == (0.8, "bullish", "0.0241500000")
    assert word["cited"][0] == {
        "path": "market.rsi_14", "value": "61.37", "unit": "points", "note": "12 min, daily bars, n=260",
    }  # fmt: skip
    assert word["numbers"] == {"matched": 4, "unmatched": ["181.30", "42 %"]}
    assert word["votes"] == {"P6405": 3, "abstain": 1, "failed": 1}
    assert word["tokens"] == {"input": 6100, "cached": 1000, "output": 900, "reasoning": 600}
    assert [shadow["attempts"] for shadow in document["shadows"]] == [None, None, 2]
    assert document["figures"][0]["path"] == "market.spot"
    assert document["figures"][-1]["path"] == "related.QQQ"


def test_the_document_tells_veto_failure_and_abstention_apart() -> None:
    words = {name: run_document(run_views.GROK[f"grok {name}"])["recommendation"] for name in WAYS}
    assert [words[name]["decision"] for name in words] == ["abstain", "trade", "failed"]
    assert [bool(words[name]["vetoes"]) for name in words] == [False, True, False]
    assert [words[name]["failure"] for name in words] == ["", "", "fence"]


def test_a_document_from_before_has_the_same_keys() -> None:
    assert run_document(run_views.proposed()).keys() == run_document(run_views.asked(), raw=RawTexts()).keys()
    assert run_document(run_views.proposed())["figures"] == []


@pytest.mark.parametrize("strategy", [Strategy.PUT_DEBIT, Strategy.CALL_DEBIT])
def test_a_debit_spread_has_a_debit_and_a_ceiling(strategy: Strategy) -> None:
    entry = strategies.chosen(strategy)
    told = {label: text for label, text, _ in (*setup_part(entry).items, *entry_conditions_part(entry, {}).items)}
    debit, ceiling = f"{-entry.start:.2f}", f"{-entry.floor:.2f}"
    assert (told["debit"], told["ceiling"]) == (f"{debit} db", f"{ceiling} db")
    assert told["price"] == f"debit {debit} first, never above {ceiling}"
    assert not {"credit", "floor"} & told.keys()
    assert not any(text.startswith("-0.") for label, text in told.items() if label in ("mid", "natural"))
