"""Rows of the menu that are no credit verticals: an iron condor names both sides, and a debit is negative."""

import pytest

from spy32.domain.spreads import Strategy
from tests.support import builders
from tests.support.prompt_inputs import FULL, SHORT, rendered
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
