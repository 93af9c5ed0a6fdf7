"""The number check: what is written, what was sent, and how often chance would pass."""

import time
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spy32.analysts.number_check import ParsedDate, ParsedNumber, ParsedTime, check_numbers, parse_tokens
from spy32.analysts.rendered_prompt import PromptField, RenderedPrompt
from tests.support import good_answers
from tests.support.good_answers import good, rendered
from tests.support.timeouts import SOON


def written(text: str) -> list[tuple[Any, ...]]:
    """Each as a tuple of what counts."""
    found: list[tuple[Any, ...]] = []
    for one in parse_tokens(text):
        if isinstance(one, ParsedNumber):
            found.append((round(one.value, 9), round(one.half, 9), one.unit))
        else:
            found.append((one.year, one.month, one.day) if isinstance(one, ParsedDate) else (one.time,))
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("spot 670", [(670, 0.5, "")]),
        ("closed at 640.", [(640, 0.5, "")]),
        ("1,234.50 and 12,345", [(1234.5, 0.005, ""), (12345, 0.5, "")]),
        ("$1,234 or $ 0.58 or .58", [(1234, 0.5, "dollars"), (0.58, 0.005, "dollars"), (0.58, 0.005, "")]),
        ("-3.2% or −3.2 percent", [(3.2, 0.05, "share"), (3.2, 0.05, "share")]),
        ("15.2x, 2 times, 1.1×", [(15.2, 0.05, "times"), (2, 0.5, "times"), (1.1, 0.05, "times")]),
        ("610-615", [(610, 0.5, ""), (615, 0.5, "")]),
        ("616/621", [(616, 0.5, ""), (621, 0.5, "")]),
        ("20-25%", [(20, 0.5, "share"), (25, 0.5, "share")]),
        ("$1.10 to 1.20", [(1.1, 0.005, "dollars"), (1.2, 0.005, "dollars")]),
        ("5%-10%", [(5, 0.5, "share"), (10, 0.5, "share")]),
        ("20 and 25%", [(20, 0.5, ""), (25, 0.5, "share")]),
        ("640x635", [(640, 0.5, ""), (635, 0.5, "")]),
        ("32 days, 32 DTE, 20-day, 20d", [(32, 0.5, "days"), (32, 0.5, "days"), (20, 0.5, "days"), (20, 0.5, "days")]),
        ("3 weeks", [(21, 3.5, "days")]),
        ("50 bps", [(50, 0.5, "bps")]),
        ("35 cents", [(0.35, 0.005, "dollars")]),
        ("25-delta, 0.20 delta, 20Δ", [(25, 0.5, "delta"), (0.2, 0.005, "delta"), (20, 0.5, "delta")]),
        ("5 points, 5pts", [(5, 0.5, "points"), (5, 0.5, "points")]),
        ("5 dollars", [(5, 0.5, "dollars")]),
        ("1.2M, 3k, $4 billion", [(1.2e6, 5e4, ""), (3000, 500, ""), (4e9, 5e8, "dollars")]),
        ("1e5", [(1, 0.5, "power")]),
        ("the 34th percentile", [(34, 0.5, "share")]),
        ("RSI14 and SMA 50", [(14, 0.5, ""), (50, 0.5, "")]),
        ("the 2nd or 21st time, two or three", []),
        ("1. first\n2) second\n(3) third", []),
        ("S&P 500, Nasdaq-100, Russell 2000, VIX9D, VIX3M", []),
        ("٦١٠ or ６１０", [(610, 0.5, ""), (610, 0.5, "")]),
        ("2026-12-18", [(2026, 12, 18)]),
        ("2026-12-18T10:00:00-05:00", [(2026, 12, 18), ("10:00",)]),
        ("December 18, Dec 18, Dec. 18th", [(None, 12, 18)] * 3),
        ("Dec 18, 2026 and 18 December 2026", [(2026, 12, 18)] * 2),
        ("the 18th of Dec", [(None, 12, 18)]),
        ("Dec 9-10", [(None, 12, 9), (None, 12, 10)]),
        ("December 2026", [(2026, 12, None)]),
        ("May 5, but it may 30", [(None, 5, 5), (30, 0.5, "")]),
        ("14:00, 2pm, 2:30 p.m. and 12am", [("14:00",), ("14:00",), ("14:30",), ("00:00",)]),
        ("9:30", [("09:30",)]),
        ("SPY251107P00640000", [(2025, 11, 7), (640, 0.0005, "")]),
        ("no digits", []),
    ],
)
def test_what_is_written_is_read(text: str, expected: list[tuple[Any, ...]]) -> None:
    assert written(text) == expected


def unmatched(*words: str, **over: Any) -> tuple[str, ...]:
    base: dict[str, Any] = {"rendered": rendered(), "chosen": "K7Q2", "cited": tuple(good()["evidence"]), "stated": 0.8}
    return check_numbers(words, **{**base, **over}).unmatched


@pytest.mark.parametrize(
    "text",
    [
        "spot 670, 670.0 or $670.00",
        "VIX 16.5, at 16.5%; VIX3M 19.1",
        "VIX9D over VIX is 0.92, or 0.921, in backwardation",
        "implied 16.0% or 0.1602, realised 9.2%",
        "up 2.8% in 20 days, 1.2 percent in 5 days, 43 bps on the day",
        "the 50-day average, SMA 50, RSI 14 at 64",
        "IV rank 23 or 23% or 0.23, the 23rd percentile",
        "the 640/635 spread; 700-705 calls; 640,635",
        "a delta of 0.205, 0.20 or -0.21, a 20-delta or 21-delta put",
        "25-delta skew of 4.6 points",
        "expiration 2025-11-07, November 7, Nov 7, 2025, in 32 days",
        "FOMC on October 29 at 14:00 or 2pm, 23 days off; CPI on Oct 15 at 8:30 a.m., 9 days off",
        "bars of 2025-10-03 and Oct 2",
        "the open at 9:30, the close at 16:00 or 4 pm, options until 16:15",
        "out at 21 days, at half or 50% of the credit, at 2x the credit",
        "in 2025 and October 2025",
        "5,000 contracts of open interest",
        "my probability of 80%, so 20% against",
        "two or 3 reasons, 12 rows, 5 wide",
    ],
)
def test_what_was_sent_is_matched(text: str) -> None:
    assert unmatched(text) == ()


@pytest.mark.parametrize(
    "text",
    [
        "31.87 points from spot to the 640 strike",
        "halfway between 640 and 670.22 is 655.11",
        "implied over realised: 1.74x",
    ],
)
def test_a_number_computed_from_two_that_were_sent_is_not_matched(text: str) -> None:
    found = unmatched(text, cited=("market.spot", "market.expected_move", "market.atm_iv", "market.rv_20d"))
    assert found and found[-1] in text


def test_a_candidates_own_dollars_match_a_share_and_a_contract() -> None:
    fields = rendered().fields
    credit, loss = fields["menu.K7Q2.mid"], fields["menu.K7Q2.max_loss"]
    assert credit.value is not None
    assert loss.value is not None
    assert unmatched(f"${credit.text} a share, ${100 * credit.value:.0f} a contract; max loss ${loss.value:.0f}") == ()


@pytest.mark.parametrize(
    "text",
    [
        "181.30", "$618.30", "support at 612", "$9,417", "61.7%", "$4.31 billion", "7.77x", "91 days", "2025-12-19",
        "Dec 19", "November 8", "October 2026", "11:45", "3:20pm", "1e5", "3e2", "1e999", "9" * 400,
        "SPY251219P00640000", "17 bps", "0.4444", "88.8 points",
    ],
)  # fmt: skip
def test_what_was_not_sent_is_listed_as_written(text: str) -> None:
    found = unmatched(f"It stands at {text} now")
    assert found
    assert all(one in text for one in found)


def test_the_listing_keeps_order_and_repeats() -> None:
    assert unmatched("618.30 then 670 then 604.75", "again 618.30") == ("618.30", "604.75", "618.30")


def test_matched_and_unmatched_are_counted() -> None:
    found = check_numbers(("spot 670.00, then 618.30, 2 reasons",), rendered())
    assert (found.matched, found.unmatched) == (1, ("618.30",))


def test_more_digits_than_bear_it_out_are_too_many() -> None:
    assert unmatched("648.13") == ()
    assert unmatched("648.1") == ()
    assert unmatched("648.14") == ("648.14",)
    assert unmatched("648.2") == ("648.2",)


def test_ids_and_paths_are_names() -> None:
    assert unmatched("K7Q2, market.rv_252d and sma_20 (menu.H8PE.short_delta) beat T9RC") == ()
    assert unmatched("H46Z") == ("46",)


def test_other_candidates_figures_must_be_quoted_or_the_candidate_named() -> None:
    # 0.1748 was sent as a fraction; as a rounded per cent it takes a candidate that is meant.
    field = PromptField(path="menu.T9RC.short_iv", text="0.7314", value=0.7314, unit="fraction a year")
    sent = replace(rendered(), fields={**rendered().fields, field.path: field})
    assert unmatched("73.1%", rendered=sent) == ("73.1%",)
    assert unmatched("T9RC has 73.1%", rendered=sent) == ()
    assert unmatched("73.1%", rendered=sent, cited=("menu.T9RC.short_iv",)) == ()


def test_a_number_printed_in_the_instructions_may_be_quoted_and_not_computed_with() -> None:
    sent = replace(rendered(), system="Skip it under 17.77 dollars.")
    assert unmatched("17.77", rendered=sent) == ()
    assert unmatched("17.8", rendered=sent) == ("17.8",)


def test_a_percent_in_the_prompt_is_no_price() -> None:
    sent = replace(rendered(), user="Leave at 77.7% of it.")
    assert unmatched("77.7%", rendered=sent) == ()
    assert unmatched("$77.7", rendered=sent) == ("$77.7",)


def bare(**fields: PromptField) -> RenderedPrompt:
    return replace(rendered(), fields={sent.path: sent for sent in fields.values()}, user="", system="", as_of="")


@pytest.mark.parametrize(
    ("unit", "value", "good_words", "bad_words"),
    [
        ("USD", 45.67, "$45.67, 45.67, 45.67 points, $4,567", "45.67%"),
        ("USD a contract", 456.7, "$456.70, 456.7, $4.567", "456.7 points"),
        ("fraction", 0.4567, "45.67%, 0.4567, 45.67, 45.67 points, 4567 bps", "$0.4567"),
        ("percent", 45.67, "45.67%, 0.4567, 45.67", "$45.67"),
        ("contracts", 4567, "4,567 contracts, 4567", "4567 days"),
        ("calendar days", 45, "45 days, 45", "45%"),
        ("ratio", 0.4567, "0.4567, 45.67%, 0.4567x, 54.33%", "$0.4567"),
        ("", 0.456, "0.456 delta, 45.6 delta, 0.456", "45.6 days"),
        ("probability", 0.4567, "45.67%, 54.33%", "45.67x"),
    ],
)
def test_a_unit_says_how_a_value_may_be_written(unit: str, value: float, good_words: str, bad_words: str) -> None:
    # No digits in the text, so that only the value can match.
    sent = bare(one=PromptField(path="market.one", text="shown", value=value, unit=unit))
    assert check_numbers((good_words,), sent).unmatched == ()
    assert check_numbers((bad_words,), sent).unmatched == (bad_words,)


def test_a_text_without_a_value_may_be_quoted_in_any_unit() -> None:
    sent = bare(one=PromptField(path="portfolio.first", text="SPY put 655/645"))
    assert check_numbers(("the 655/645 held",), sent).unmatched == ()


def test_a_value_that_is_no_number_matches_nothing() -> None:
    for value in (float("nan"), float("inf")):
        sent = bare(one=PromptField(path="market.spot", text="shown", value=value, unit="USD"))
        found = check_numbers(("nothing at 45.67 or 1e400 or " + "9" * 400,), sent)
        assert len(found.unmatched) == 3


def test_a_day_that_no_calendar_has_is_only_compared() -> None:
    sent = replace(rendered(), user="2025-13-45 or 2025-02-30")
    assert unmatched("2025-02-30", rendered=sent) == ()
    assert unmatched("2025-02-31", rendered=sent) == ("2025-02-31",)


def test_a_day_without_a_year_in_the_prompt_is_a_day_that_was_sent() -> None:
    sent = replace(rendered(), user="Holiday on Nov 27.")
    assert unmatched("November 27, 2025-11-27", rendered=sent) == ()


def test_the_answers_own_probability_is_its_own() -> None:
    assert unmatched("I give it 0.7777", stated=0.7777) == ()
    assert unmatched("I give it 0.7777", stated=None) == ("0.7777",)


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(), max_size=80) | st.text("0123456789.,-/$%x:;TZDec JanMay()kM\n", max_size=80))
def test_any_text_can_be_read(text: str) -> None:
    found = check_numbers((text,), bare())
    assert found.matched >= 0
    assert all(0 < len(one) <= 40 for one in found.unmatched)
    assert all(isinstance(one, ParsedNumber | ParsedDate | ParsedTime) for one in parse_tokens(text))


@pytest.mark.parametrize(
    "text", ["1" * 1500, "1 " * 750, "9,999" * 300, "\n" * 1500, "Dec " * 375, "1-" * 750, "$" * 1500]
)
def test_no_text_of_the_length_that_is_allowed_takes_long(text: str) -> None:
    began = time.perf_counter()
    check_numbers((text, text[:600], text[:600], text[:300]), good_answers.rendered(), chosen="K7Q2")
    assert time.perf_counter() - began < SOON
