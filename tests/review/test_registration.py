"""What is laid down for an experiment, and that a change of it begins another."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from spy32.domain.experiments import ExperimentTerms, PairMetric
from spy32.errors import BadUsage
from spy32.review.registration import build_terms, renew_changed
from spy32.settings import Settings
from spy32.store import Store
from spy32.wiring.analysts import chooser_fingerprint, shadow_versions
from tests.support.builders import NOW, later
from tests.support.stores import opened

FULL, SHORT = "v2-comprehensive", "v2-simplified"
SETTINGS = Settings()


def terms(
    champion: str = "rules",
    challenger: str = f"grok {FULL}",
    metric: PairMetric = PairMetric.EXPIRY,
    settings: Settings = SETTINGS,
) -> ExperimentTerms:
    return build_terms(
        champion,
        challenger,
        metric,
        weeks=52,
        profile="default",
        settings=settings,
        fingerprint=lambda chooser: chooser_fingerprint(chooser, settings),
    )


def aimed_at(dte: int) -> Settings:
    return replace(SETTINGS, dte=replace(SETTINGS.dte, default=dte))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with opened(tmp_path / "paper.db") as found:
        yield found


@pytest.mark.parametrize(
    ("dte", "metric", "streams"),
    [
        (32, PairMetric.EXPIRY, 5), (32, PairMetric.PLAN, 2), (28, PairMetric.EXPIRY, 4), (14, PairMetric.PLAN, 1),
        (7, PairMetric.EXPIRY, 1), (0, PairMetric.EXPIRY, 1), (0, PairMetric.PLAN, 1), (40, PairMetric.PLAN, 3),
    ],
)  # fmt: skip
def test_there_are_as_many_streams_as_a_trade_lasts_weeks(dte: int, metric: PairMetric, streams: int) -> None:
    assert terms(metric=metric, settings=aimed_at(dte)).streams == streams


def test_the_fingerprints_name_model_prompt_checks_and_rule() -> None:
    found = terms(champion="no_trade").fingerprints
    assert list(found) == [f"grok {FULL}"]
    assert found[f"grok {FULL}"].startswith(f"{SETTINGS.xai.model} at effort high, prompt ")
    assert terms().fingerprints["rules"] == "delta 0.2, width 5"


@pytest.mark.parametrize(
    ("over", "message"),
    [
        ({"champion": "trend", "challenger": "trend"}, "cannot be compared with itself"),
        ({"challenger": "no_trade"}, "can be the champion only"),
        ({"champion": "market"}, "with --metric score"),
        ({"metric": PairMetric.SCORE}, "scored against market or history"),
        (
            {"champion": "market", "challenger": "trend", "metric": PairMetric.SCORE},
            "states no probability of its own",
        ),
        ({"challenger": "grok v9"}, "nobody is called 'grok v9'; known are rules, trend, 'grok v1-comprehensive'"),
        ({"champion": "oracle"}, "nobody is called 'oracle'"),
    ],
)
def test_what_cannot_be_compared_is_refused(over: dict[str, object], message: str) -> None:
    with pytest.raises(BadUsage, match=message):
        terms(**over)


def renewed(store: Store, settings: Settings, profile: str = "default") -> list[tuple[str, str]]:
    def fingerprint(chooser: str) -> str:
        return chooser_fingerprint(chooser, settings)

    return [(old.name, new.name) for old, new in renew_changed(store, profile, settings, fingerprint, later(60))]


@pytest.mark.parametrize(
    "changed",
    [
        replace(SETTINGS, xai=replace(SETTINGS.xai, model="grok-5")),
        replace(SETTINGS, xai=replace(SETTINGS.xai, effort="low")),
        replace(SETTINGS, choice=replace(SETTINGS.choice, rule_delta=0.16)),
        aimed_at(14),
    ],
)
def test_a_change_of_model_rule_or_horizon_of_the_trades_ends_it_and_begins_another(
    store: Store, changed: Settings
) -> None:
    store.experiments.register(terms(), NOW)
    assert renewed(store, SETTINGS) == []
    assert renewed(store, changed, profile="other") == []
    assert renewed(store, changed) == [("E1", "E2")]
    assert renewed(store, changed) == []
    old, new = store.experiments.select()
    assert (old.ended_at, new.at) == (later(60), later(60))
    assert new.terms == terms(settings=changed)


def test_a_change_of_the_checks_begins_another(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.experiments.register(terms(), NOW)
    monkeypatch.setattr("spy32.analysts.grok.PARSER_VERSION", 99)
    assert renewed(store, SETTINGS) == [("E1", "E2")]


def test_one_whose_weeks_are_over_is_left_alone(store: Store) -> None:
    store.experiments.register(replace(terms(), weeks=0), NOW)
    assert renewed(store, aimed_at(14)) == []


@pytest.mark.parametrize(
    ("challenger", "shadow_prompt", "asked"),
    [("", False, ()), (SHORT, False, (SHORT,)), ("", True, (SHORT,)), (SHORT, True, (SHORT,)),
     ("v1-comprehensive", True, ("v1-comprehensive", SHORT)), (FULL, False, ())],
)  # fmt: skip
def test_the_challenger_and_the_other_variant_are_asked_once_each(
    challenger: str, shadow_prompt: bool, asked: tuple[str, ...]
) -> None:
    knobs = replace(SETTINGS.analyst, challenger=challenger, shadow_prompt=shadow_prompt)
    assert shadow_versions(replace(SETTINGS, analyst=knobs)) == asked
