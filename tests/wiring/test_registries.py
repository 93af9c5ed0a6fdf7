"""Every name that a person may type is in a registry, and any other one is refused or a defect."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from spy32.cli import app as spy32_app
from spy32.domain.market import Dividend
from spy32.domain.spreads import Mode
from spy32.errors import BadSettings, Unavailable
from spy32.markets.base import BaseMarket
from spy32.pipeline.context import RULE_ANALYSTS
from spy32.settings import Settings
from spy32.settings.knob import Secret
from spy32.settings.services import ANALYSTS as NAMED_ANALYSTS
from spy32.wiring import ANALYSTS, BROKERS, App
from spy32.wiring.analysts import RULES
from spy32.wiring.markets import MARKETS, chain_source_names


@pytest.fixture
def app(tmp_path: Path) -> App:
    return App.create(home=str(tmp_path), mode="paper", verbosity=0)


def test_the_settings_name_what_is_registered() -> None:
    assert {*ANALYSTS} == {*NAMED_ANALYSTS}
    assert {*BROKERS} == {*Mode}
    assert {*RULES} == RULE_ANALYSTS
    market = Settings().market
    assert {*market.chain, *market.history, *market.vix, *market.dividends} <= {*MARKETS}


@pytest.mark.parametrize("command", ["analyze", "market", "expirations"])
def test_the_help_names_every_source_that_has_a_chain(command: str) -> None:
    text = " ".join(CliRunner().invoke(spy32_app, [command, "--help"]).output.split())
    assert f"Source of the chain: {', '.join(chain_source_names())} or recorded:FILE." in text


def test_the_help_names_every_analyst() -> None:
    text = " ".join(CliRunner().invoke(spy32_app, ["analyze", "--help"]).output.split())
    assert f"Who chooses: {' or '.join(ANALYSTS)}." in text


@pytest.mark.parametrize("name", ["nasdaq", "", "Cboe", "recorded"])
def test_no_other_source_is_built_for_an_unknown_name(app: App, name: str) -> None:
    with pytest.raises(LookupError):
        app.market_registry.get_market(name)


@pytest.mark.parametrize("name", sorted(MARKETS.keys() - {"tastytrade"}))
def test_a_source_answers_to_its_name(app: App, name: str) -> None:
    assert app.market_registry.get_market(name).name == name
    assert app.market_registry.get_market(name) is app.market_registry.get_market(name)


@pytest.mark.parametrize(
    ("line", "known"),
    [
        ('chain = ["nasdaq"]', "tastytrade, cboe, yahoo, recorded, recorded:FILE; 'nasdaq' is none of them"),
        ('vix = ["cboe", "table"]', "tastytrade, cboe, yahoo, recorded, recorded:FILE; 'table' is none of them"),
        ('dividends = ["tabel"]', "tastytrade, cboe, yahoo, recorded, table, recorded:FILE; 'tabel' is none of them"),
    ],
)
def test_an_unknown_source_in_the_settings_is_refused_with_its_place_and_the_known_ones(
    tmp_path: Path, line: str, known: str
) -> None:
    (tmp_path / "config.toml").write_text(f"[market]\n{line}\n")
    result = CliRunner().invoke(spy32_app, ["--home", str(tmp_path), "config", "show"])
    assert result.exit_code == 78
    assert f"{tmp_path / 'config.toml'}:2: market." in result.output
    assert known in result.output


@pytest.mark.parametrize("name", sorted(RULES))
def test_a_rule_answers_to_its_name(app: App, name: str) -> None:
    assert app.rule(name, Settings()).name == name


def test_no_other_analyst_stands_in_for_an_unknown_one(app: App) -> None:
    with pytest.raises(LookupError, match="'grok'"):
        app.rule("grok", Settings())
    with pytest.raises(LookupError, match="'claude'"):
        app.analyst("claude", Settings(), app.store(), 1, 0, 0.0)
    app.close()


# Ex-dates for `manage`.


def test_ex_dates_come_from_the_sources_of_the_settings_in_their_order(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPY32_CLOCK", "2026-11-30T15:00:00Z")
    registry = App.create(home=str(app.locations.home), mode="paper", verbosity=0).market_registry
    asked: list[str] = []

    class Source(BaseMarket):
        def __init__(self, name: str, answer: "tuple[Dividend, ...] | Exception | None") -> None:
            self.name, self.answer = name, answer

        def dividends(self, underlying: str) -> tuple[Dividend, ...] | None:
            asked.append(f"{self.name} {underlying}")
            if isinstance(self.answer, Exception):
                raise self.answer
            return self.answer

    coming = Dividend(ex_date=date(2026, 12, 18), amount=Decimal("1.99"))
    sources = (Source("a", Unavailable("no answer")), Source("b", None), Source("c", (coming,)))
    monkeypatch.setattr(registry, "_get_markets", lambda kind, names: sources)
    assert registry.find_dividends(None, "SPY") == (coming,)
    assert asked == ["a SPY", "b SPY", "c SPY"]
    monkeypatch.setattr(registry, "_get_markets", lambda kind, names: sources[:2])
    assert registry.find_dividends(None, "SPY") is None
    recorded = Source("recorded", (coming,))
    recorded.is_recorded = True
    assert registry.find_dividends(recorded, "SPY") == (coming,)
    assert asked[-1] == "recorded SPY"


def test_an_effort_that_the_model_lacks_is_refused_before_anything_is_asked(app: App) -> None:
    xai = replace(Settings().xai, api_key=Secret("xai-planted"), model="grok-4.7", effort="none")
    with pytest.raises(BadSettings, match=r"xai\.effort"):
        app.analyst("grok", replace(Settings(), xai=xai), app.store(), 1, 0, 0.0)
    app.close()
