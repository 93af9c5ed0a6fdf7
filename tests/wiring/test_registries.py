"""Every name that a person may type is in a registry, and any other one is a defect."""

from pathlib import Path

import pytest

from spy32.domain.spreads import Mode
from spy32.errors import Spy32Error
from spy32.settings import Settings
from spy32.settings.services import ANALYSTS as NAMED_ANALYSTS
from spy32.settings.services import SOURCES
from spy32.wiring import ANALYSTS, BROKERS, App
from spy32.wiring.analysts import RULES
from spy32.wiring.markets import MARKETS, RECORDED
from spy32.wiring.registry import find_registered


@pytest.fixture
def app(tmp_path: Path) -> App:
    return App.create(home=str(tmp_path), mode="paper", verbosity=0)


def test_the_settings_name_what_is_registered() -> None:
    assert {*MARKETS} == {*SOURCES, "table"} - {RECORDED}
    assert {*ANALYSTS} == {*NAMED_ANALYSTS}
    assert {*BROKERS} == {*Mode}


@pytest.mark.parametrize("name", ["nasdaq", "", "Cboe", "recorded"])
def test_no_other_source_is_built_for_an_unknown_name(app: App, name: str) -> None:
    with pytest.raises(LookupError, match=r"no market source is called .*; there are tastytrade, cboe, yahoo, table"):
        app.market_registry.get_market(name)


@pytest.mark.parametrize("name", sorted(MARKETS.keys() - {"tastytrade"}))
def test_a_source_answers_to_its_name(app: App, name: str) -> None:
    assert app.market_registry.get_market(name).name == name
    assert app.market_registry.get_market(name) is app.market_registry.get_market(name)


@pytest.mark.parametrize("name", sorted(RULES))
def test_a_rule_answers_to_its_name(app: App, name: str) -> None:
    assert app.rule(name, Settings()).name == name


def test_no_other_analyst_stands_in_for_an_unknown_one(app: App) -> None:
    with pytest.raises(LookupError, match="no rule is called 'grok'"):
        app.rule("grok", Settings())
    with pytest.raises(LookupError, match="no analyst is called 'claude'"):
        app.analyst("claude", Settings(), app.store(), 1, 0, 0.0)
    app.close()


def test_an_unknown_name_is_a_defect_and_not_a_wrong_word() -> None:
    with pytest.raises(LookupError) as caught:
        find_registered({"a": 1}, "b", "thing")
    assert not isinstance(caught.value, Spy32Error)
