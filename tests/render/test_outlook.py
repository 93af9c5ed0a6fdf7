"""Probabilities and expected values in words: each with its law, its horizon and what it has been worth."""

from dataclasses import replace
from decimal import Decimal

import pytest

from spy32 import track_record
from spy32.domain.outlook import TrackRecord, TradingCost
from spy32.domain.spreads import Candidate
from spy32.render import outlook
from spy32.render.glossary import MEANINGS, glossary_page
from tests.support import builders as b
from tests.support import outlooks
from tests.support.run_pages import PLAIN, rendered


@pytest.fixture
def record(monkeypatch: pytest.MonkeyPatch) -> tuple[TrackRecord, ...]:
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
            "Backtest 1998-2025, synthetic prices: such puts won 3.4 points more (0.9 to 5.8) than the market's odds, "
            "2.0 points fewer than history's",
        ),
        # A negative difference of -6.6 with an interval from -9.1 to -4.2.
        (
            CALL,
            "Backtest 1998-2025, synthetic prices: such calls won 6.6 points fewer (4.2 to 9.1) than the market's "
            "odds, 2.0 points fewer than history's",
        ),
    ],
)
def test_a_market_number_has_its_record_beside_it(entry: Candidate, told: str) -> None:
    assert outlook.record_words(entry) == told
    short = outlook.market_odds_words(entry)
    assert short.startswith("80% win if held · backtest: ")
    assert len(short) <= 68  # beside a label, on 80 columns


@pytest.mark.usefixtures("record")
def test_a_menu_has_the_range_of_both_sides() -> None:
    assert "calls" not in outlook.side_record_words(BOTH[:1])
    assert outlook.side_record_words(BOTH) == (
        "Backtest 1998-2025, synthetic prices: against the market's odds puts won 3.3 to 3.4 points more, calls won "
        "6.6 points fewer."
    )


def test_a_side_that_went_both_ways_has_signs(record: tuple[TrackRecord, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, call = record
    mixed = (replace(first, difference=-0.004), second, call)
    monkeypatch.setattr(track_record, "read_track_record", lambda: mixed)
    assert "puts won -0.4 to +3.4 points," in outlook.side_record_words(BOTH)


def test_without_a_record_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(track_record, "read_track_record", tuple)
    assert outlook.record_words(b.candidate()) == outlook.side_record_words(BOTH) == ""
    assert outlook.market_odds_words(b.candidate()) == "80% win if held, by option prices"


@pytest.mark.usefixtures("record")
def test_every_number_is_explained_with_its_value_on_a_line_of_its_own() -> None:
    text = rendered(glossary_page(b.candidate()), PLAIN)
    lines = dict(
        line.removeprefix("number ").split(": ", 1) for line in text.splitlines() if line.startswith("number ")
    )
    assert lines.keys() == outlook.NUMBERS.keys()
    for label, (words, meaning) in outlook.NUMBERS.items():
        assert lines[label] == f"{words(outlooks.outlook())}: {meaning}"
    sources = [line.split(":")[0] for line in text.splitlines() if line.startswith("source ")]
    assert sources == [f"source {label}" for label in (*MEANINGS, "backtest")]


def test_what_is_negative_by_construction_is_said_to_be() -> None:
    negative = {label for label, (_, meaning) in outlook.NUMBERS.items() if "by construction" in meaning}
    assert negative == {"worst 5% exits", "worst 5% held"}


@pytest.mark.parametrize("entry", [None, b.candidate(outlook=None)])
def test_a_run_without_outlooks_has_the_meanings_alone(entry: Candidate | None) -> None:
    text = rendered(glossary_page(entry), PLAIN)
    assert "\nnumber P(max loss): the largest loss at expiration\n" in text


def test_the_score_is_told_and_said_to_decide_nothing() -> None:
    words, meaning = outlook.NUMBERS["score"]
    assert words(outlooks.outlook()) == "-0.003"
    assert words(outlooks.without_history()) == ""
    assert "it decides nothing" in meaning


@pytest.mark.parametrize(
    ("mean", "half", "said"),
    [
        (-32.0, 10.0, "loses by history"),
        (-32.0, 32.1, "could be 0"),
        (8.0, 8.1, "could be 0"),
        (8.0, 7.0, "gains by history"),
    ],
)
@pytest.mark.parametrize("quantity", [1, 10])
def test_an_average_has_its_verdict_and_fits_beside_a_label(mean: float, half: float, said: str, quantity: int) -> None:
    found = outlooks.forecast(0.68)
    words = outlook.worth_words(replace(found, ev=outlooks.estimate(mean, half)), quantity)
    assert words.startswith("68% win · average ")
    assert words.endswith(f": {said}")
    assert len(words) <= 68


def test_a_debit_pays_for_its_days() -> None:
    assert outlook.premium_words(outlooks.outlook(premium_per_day=-1.796875)) == "pays $1.80"


def test_the_parts_of_a_cost_sum_to_its_total_as_they_are_shown() -> None:
    cost = TradingCost(interest=-0.094, slippage=-0.744, commissions=Decimal("-2.00"), fees=Decimal("-0.26"))
    found = outlook.cost_words(outlooks.outlook(cost=cost))
    assert found == "-$3.10: interest -$0.09, slippage -$0.75, commissions -$2.00, fees -$0.26"


def test_a_number_that_an_underlying_does_not_have_is_not_explained() -> None:
    text = rendered(glossary_page(b.candidate(outlook=outlooks.without_history())), PLAIN)
    assert "\nnumber EV with exits" not in text
    assert "\nnumber score" not in text
    assert "\nnumber cost of trading: -$4.21:" in text
