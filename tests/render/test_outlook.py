"""Probabilities and expected values in words: each with its law, its horizon and what it has been worth."""

from dataclasses import replace
from decimal import Decimal

import pytest

from spy32 import track_record
from spy32.domain.outlook import TrackRecord, TradingCost
from spy32.domain.spreads import Candidate
from spy32.render import outlook
from spy32.render.glossary import glossary_page
from tests.support import builders as b
from tests.support import outlooks
from tests.support.run_pages import PLAIN, rendered


@pytest.fixture
def record(monkeypatch: pytest.MonkeyPatch) -> TrackRecord:
    made = outlooks.track_record()
    monkeypatch.setattr(track_record, "read_track_record", lambda: made)
    return made


CALL = b.candidate("695", "700")
BOTH = (b.candidate(), b.candidate("640", "635"), CALL)


@pytest.mark.usefixtures("record")
@pytest.mark.parametrize(
    ("entry", "told"),
    [
        (
            b.candidate(),
            "puts like this came true 3.4 points more often than stated (95%: 0.9 to 5.8), up to 2025-06-30",
        ),
        # A negative difference of -6.6 with an interval from -9.1 to -4.2.
        (CALL, "calls like this came true 6.6 points less often than stated (95%: 4.2 to 9.1), up to 2025-06-30"),
    ],
)
def test_a_market_number_has_its_record_beside_it(entry: Candidate, told: str) -> None:
    assert outlook.record_words(entry) == told
    short = outlook.market_odds_words(entry)
    assert short.startswith("79.0% market; ")
    assert len(short) <= 68  # beside a label, on 80 columns


@pytest.mark.usefixtures("record")
def test_a_menu_has_the_range_of_both_sides() -> None:
    assert outlook.side_record_words(BOTH[:1]).startswith("Against the market's probability puts came true 3.3 to 3.4")
    assert "calls" not in outlook.side_record_words(BOTH[:1])
    assert outlook.side_record_words(BOTH) == (
        "Against the market's probability puts came true 3.3 to 3.4 points more often, calls came true 6.6 points less "
        "often (outcomes up to 2025-06-30)."
    )


def test_a_side_that_went_both_ways_has_signs(record: TrackRecord, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, call = record.rows
    mixed = replace(record, rows=(replace(first, difference=-0.004), second, call))
    monkeypatch.setattr(track_record, "read_track_record", lambda: mixed)
    assert "puts came true -0.4 to +3.4 points off," in outlook.side_record_words(BOTH)


def test_without_a_record_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(track_record, "read_track_record", lambda: None)
    assert outlook.record_words(b.candidate()) == outlook.side_record_words(BOTH) == ""
    assert outlook.market_odds_words(b.candidate()) == "79.0% market, at expiration, by option prices"


@pytest.mark.usefixtures("record")
def test_every_number_is_explained_with_its_value_on_a_line_of_its_own() -> None:
    text = rendered(glossary_page(b.candidate()), PLAIN)
    lines = dict(
        line.removeprefix("number ").split(": ", 1) for line in text.splitlines() if line.startswith("number ")
    )
    assert lines.keys() == outlook.NUMBERS.keys()
    for label, (words, meaning) in outlook.NUMBERS.items():
        assert lines[label] == f"{words(outlooks.outlook())}: {meaning}"
    laws = [line for line in text.splitlines() if line.startswith("law ")]
    assert [line.split(":")[0] for line in laws] == [
        "law market",
        "law history",
        "law no drift",
        "law plan",
        "law record",
    ]


def test_what_is_negative_by_construction_is_said_to_be() -> None:
    negative = {label for label, (_, meaning) in outlook.NUMBERS.items() if "by construction" in meaning}
    assert negative == {"cost of trading", "shortfall", "shortfall plan"}


@pytest.mark.parametrize("entry", [None, b.candidate(outlook=None)])
def test_a_run_without_outlooks_has_the_meanings_alone(entry: Candidate | None) -> None:
    text = rendered(glossary_page(entry), PLAIN)
    assert "\nnumber P(max loss): the underlying ends at or beyond a long strike\n" in text


def test_the_score_is_told_and_said_to_decide_nothing() -> None:
    words, meaning = outlook.NUMBERS["score"]
    assert words(outlooks.outlook()) == "-0.003"
    assert words(outlooks.without_history()) == ""
    assert "it decides nothing" in meaning


def test_the_parts_of_a_cost_sum_to_its_total_as_they_are_shown() -> None:
    cost = TradingCost(interest=-0.094, slippage=-0.744, commissions=Decimal("-2.00"), fees=Decimal("-0.26"))
    found = outlook.cost_words(outlooks.outlook(cost=cost))
    assert found == "-$3.10: interest -$0.09, slippage -$0.75, commissions -$2.00, fees -$0.26"


def test_a_number_that_an_underlying_does_not_have_is_not_explained() -> None:
    text = rendered(glossary_page(b.candidate(outlook=outlooks.without_history())), PLAIN)
    assert "\nnumber EV plan" not in text
    assert "\nnumber score" not in text
    assert "\nnumber cost of trading: -$4.21:" in text
