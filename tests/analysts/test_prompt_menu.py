"""Rows of the menu that are no credit verticals: an iron condor names both sides, and a debit is negative."""

import json

import pytest

from spy32.analysts.answer import parse_answer
from spy32.domain.market import Right
from spy32.domain.proposals import Recommendation
from spy32.domain.spreads import Candidate, Strategy
from spy32.options.density import Density, implied_density
from spy32.settings.services import AnalystKnobs
from tests.support import builders
from tests.support.prompt_inputs import FULL, SHORT, answer, rendered
from tests.support.shipped_menu import checked, whole_menu
from tests.support.strategies import chosen


def row(version: str, strategy: Strategy) -> dict[str, str]:
    """The cells of what the fixed rule takes, by column."""
    entry = chosen(strategy)
    made, start = rendered(version, of=builders.menu(candidates=(entry,), dropped=())), f"menu.{entry.id}."
    return {path.removeprefix(start): field.text for path, field in made.fields.items() if path.startswith(start)}


@pytest.mark.parametrize("version", [FULL, SHORT, "v1-comprehensive"])
def test_a_condor_names_the_strikes_of_both_sides(version: str) -> None:
    cells, legs = row(version, Strategy.IRON_CONDOR), chosen(Strategy.IRON_CONDOR).spread.legs
    strikes = [f"{leg.strike:f}" for leg in legs]
    assert cells["type"] == "iron condor"
    assert cells["short"] == f"{strikes[0]}p/{strikes[2]}c"
    assert cells["long"] == f"{strikes[1]}p/{strikes[3]}c"


def test_a_condor_has_two_breakevens_and_its_nearer_short_strike_counts() -> None:
    cells, entry = row(FULL, Strategy.IRON_CONDOR), chosen(Strategy.IRON_CONDOR)
    low, high = entry.breakevens
    assert cells["breakeven"] == f"{low:.2f}p/{high:.2f}c"
    nearest = min(
        builders.SPOT - float(entry.spread.legs[0].strike), float(entry.spread.legs[2].strike) - builders.SPOT
    )
    assert float(cells["distance"]) == pytest.approx(nearest / builders.SPOT, abs=1e-4)


@pytest.mark.parametrize("strategy", [Strategy.PUT_DEBIT, Strategy.CALL_DEBIT])
def test_a_debit_spread_has_negative_prices_and_its_largest_profit(strategy: Strategy) -> None:
    cells, entry = row(FULL, strategy), chosen(strategy)
    bought, sold = entry.spread.legs
    assert cells["type"] == ("put debit" if strategy is Strategy.PUT_DEBIT else "call debit")
    assert (cells["long"], cells["short"]) == (f"{bought.strike:f}", f"{sold.strike:f}")
    assert float(cells["mid"]) == pytest.approx(float(entry.mid), abs=0.006)
    assert float(cells["bid"]) <= float(cells["mid"]) <= float(cells["ask"]) < 0
    most = float(entry.spread.width + entry.mid) * 100 - float(entry.costs)
    assert float(cells["max_profit"]) == pytest.approx(most, abs=0.01)


@pytest.mark.parametrize("version", [FULL, SHORT])
@pytest.mark.parametrize("strategy", Strategy)
def test_an_answer_that_repeats_the_market_s_probability_is_not_vetoed(version: str, strategy: Strategy) -> None:
    """The event is the largest profit at expiration, whatever the strategy; the cell, the words and the check agree."""
    menu, density = whole_menu(strategy), implied_density(checked().smile)
    made = rendered(version, of=menu)
    for name in made.ids:
        entry = menu.find(name)
        assert entry is not None
        stated = made.fields[f"menu.{name}.p_max_profit_market"].value
        assert stated == pytest.approx(_best_by_density(entry, density), abs=2e-3)
        said = {**answer(made), "candidate_id": name, "p_max_profit": stated}
        found = parse_answer(json.dumps(said), made, menu, AnalystKnobs())
        assert isinstance(found, Recommendation)
        assert (found.marks, found.vetoes) == ((), ())


def _best_by_density(entry: Candidate, density: Density) -> float:
    """Above the short strike of a put or a call debit, below that of a call or a put debit, as the prompt has it."""
    low, high = 0.0, 1e9
    for leg in entry.spread.shorts:
        if (leg.right is Right.PUT) != entry.spread.strategy.is_debit:
            low = float(leg.strike)
        else:
            high = float(leg.strike)
    return density.probability_below(high) - density.probability_below(low)


@pytest.mark.parametrize("version", [FULL, SHORT])
def test_the_words_are_true_of_every_strategy(version: str) -> None:
    words = rendered(version).system
    assert "the underlying is then above the short strike of a put or a call debit" in words
    assert "Debit spreads have no stop" in words
    assert "that of a debit spread, which pays, is negative" in words
    assert "Every spread is a vertical" not in words
    assert "expires worthless" not in words
