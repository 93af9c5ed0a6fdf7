"""What every analyst must do, whatever thinks behind it: the port `Analyst`."""

from typing import Any

import pytest

from spy32.analysts.rules import RulesAnalyst
from spy32.analysts.trend import TrendAnalyst
from spy32.domain.market import MarketSnapshot
from spy32.domain.proposals import Decision, Recommendation
from spy32.domain.spreads import Menu
from spy32.ports import Analyst
from spy32.settings import Settings
from tests.support import builders


def resolves(path: str, snapshot: MarketSnapshot, menu: Menu) -> bool:
    """Whether a cited path leads to a value: a figure of the briefing, `menu.ID.field...`, or into the snapshot."""
    figure = builders.briefing(figures=TRENDING).figures.get(path)
    if figure is not None:
        return figure.value is not None
    first, *rest = path.split(".")
    place: Any = menu.find(rest.pop(0)) if first == "menu" and rest else getattr(snapshot, first, None)
    for name in rest:
        place = place.get(name) if isinstance(place, dict) else getattr(place, name, None)
    return place is not None


TRENDING = {
    path: builders.datum(value)
    for path, value in {
        "market.spot": 670.0,
        "market.sma_50": 650.0,
        "market.momentum_20d": 12.0,
        "market.vix_over_vix3m": 0.86,
        "market.iv_rank": 0.4,
        "market.vix": 16.5,
    }.items()
}
"""A market that every analyst can judge."""


class AnalystContract:
    """Subclassed once an analyst; `make` gives one that can answer, offline."""

    def make(self) -> Analyst:
        raise NotImplementedError

    def answer(self, menu: Menu) -> Recommendation:
        return self.make().choose(builders.snapshot(), menu, builders.briefing(figures=TRENDING))

    def test_it_has_a_name_and_signs_with_it(self) -> None:
        assert self.make().name
        assert self.answer(builders.menu()).analyst == self.make().name

    def test_it_points_at_an_entry_of_the_menu_or_at_none(self) -> None:
        menu = builders.menu()
        answer = self.answer(menu)
        if answer.decision is Decision.TRADE:
            assert menu.find(answer.candidate_id) is not None
        else:
            assert answer.candidate_id is None

    def test_it_gives_its_reason_in_words(self) -> None:
        assert self.answer(builders.menu()).reason.strip()

    def test_what_it_cites_can_be_looked_up(self) -> None:
        menu, snapshot = builders.menu(), builders.snapshot()
        for path in self.answer(menu).evidence:
            assert resolves(path, snapshot, menu), path

    def test_a_probability_that_it_states_is_one(self) -> None:
        stated = self.answer(builders.menu()).probability
        assert stated is None or 0 <= stated <= 1

    def test_it_takes_nothing_from_an_empty_menu(self) -> None:
        assert self.answer(builders.menu(candidates=())).decision is not Decision.TRADE


class TestRulesAnalyst(AnalystContract):
    def make(self) -> Analyst:
        return RulesAnalyst(Settings())


class TestTrendAnalyst(AnalystContract):
    def make(self) -> Analyst:
        return TrendAnalyst(Settings())

    def test_it_trades_where_the_trend_is_clear(self) -> None:
        assert self.answer(builders.menu()).decision is Decision.TRADE


@pytest.mark.parametrize("path", ["menu.XXXX.short_delta", "menu", "volatility.vix99", "weather"])
def test_a_path_that_leads_nowhere_is_seen(path: str) -> None:
    assert not resolves(path, builders.snapshot(), builders.menu())
