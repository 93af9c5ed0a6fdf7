"""`experiments` and `experiments register` as a person and a script see them."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from spy32.cli import app
from tests.support.builders import NOW, experiment_terms
from tests.support.schemas import check as fits_schema
from tests.support.stores import opened

pytestmark = pytest.mark.slow

ENV = {"SPY32_MARKET_CHAIN": "recorded", "SPY32_ANALYST_NAME": "rules", "COLUMNS": "80"}


def spy32(home: Path, *words: str, **env: str) -> Any:
    return CliRunner().invoke(app, ["--home", str(home), *words], env=ENV | env)


def said(home: Path, *words: str, **env: str) -> str:
    result = spy32(home, *words, **env)
    assert result.exit_code == 0, result.output
    return result.stdout


def document(home: Path, *words: str) -> list[dict[str, Any]]:
    found = json.loads(said(home, *words, "--json"))
    fits_schema(found)
    return found["experiments"]


def test_nothing_is_registered_at_first(tmp_path: Path) -> None:
    assert spy32(tmp_path, "experiments").exit_code == 2
    said(tmp_path, "analyze")
    assert said(tmp_path, "experiments") == "no experiment is registered\nnext: spy32 experiments register\n"
    assert document(tmp_path, "experiments") == []


def test_registered_it_says_its_state_in_words(tmp_path: Path) -> None:
    result = spy32(tmp_path, "experiments", "register", "--champion", "no_trade", "--challenger", "rules")
    lines = result.stdout.splitlines()
    assert lines[:5] == [
        "1 experiment running, 0 ended",
        "E1 compares: rules against no_trade",
        "E1 state: collecting: 0 outcomes of about 444 needed to see 0.3 standard deviations",
        "E1 judged by: result at expiration, of the maximum loss; 5 interleaved series",
        "E1 pairs: 0 known, 0 open",
    ]
    assert spy32(tmp_path, "audit", "verify").exit_code == 0


def test_a_run_after_it_counts_and_one_before_does_not(tmp_path: Path) -> None:
    """The recorded market has the clock of its quotes."""
    said(tmp_path, "analyze")
    said(tmp_path, "experiments", "register")
    assert "E1 pairs: 0 known, 0 open" in said(tmp_path, "experiments")
    early = tmp_path / "early"
    said(early, "experiments", "register", SPY32_CLOCK="2025-08-28T14:00:00Z")
    said(early, "analyze")
    assert "E1 pairs: 0 known, 1 open; the same choice in" in said(early, "experiments")


@pytest.mark.parametrize(
    ("env", "pair"),
    [
        ({}, ("rules", "trend")),
        ({"SPY32_ANALYST_NAME": "grok"}, ("rules", "grok v2-comprehensive")),
        (
            {"SPY32_ANALYST_NAME": "grok", "SPY32_ANALYST_CHALLENGER": "v1-comprehensive"},
            ("grok v2-comprehensive", "grok v1-comprehensive"),
        ),
    ],
)
def test_without_words_the_settings_name_the_pair(tmp_path: Path, env: dict[str, str], pair: tuple[str, str]) -> None:
    result = spy32(tmp_path, "experiments", "register", **env)
    assert result.exit_code == 0, result.output
    assert f"E1 compares: {pair[1]} against {pair[0]}" in result.stdout
    assert "is not asked by these settings" not in result.stderr


def test_a_prompt_that_nobody_asks_is_said(tmp_path: Path) -> None:
    result = spy32(tmp_path, "experiments", "register", "--challenger", "grok v1-simplified")
    assert "grok v1-simplified is not asked by these settings" in result.stderr


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--champion", "oracle"), 2),
        (("--metric", "sharpe"), 2),
        (("--weeks", "3"), 2),
        (("--profile", "none"), 78),
        (("--champion", "rules", "--challenger", "rules"), 2),
    ],
)
def test_what_cannot_be_registered_writes_nothing(tmp_path: Path, words: tuple[str, ...], code: int) -> None:
    result = spy32(tmp_path, "experiments", "register", *words)
    assert result.exit_code == code, result.output
    assert not (tmp_path / "paper.db").exists()


def test_a_second_one_of_the_pair_is_refused(tmp_path: Path) -> None:
    said(tmp_path, "experiments", "register")
    result = spy32(tmp_path, "experiments", "register")
    assert result.exit_code == 10
    assert "E1 compares rules and trend since" in result.stderr
    assert len(document(tmp_path, "experiments")) == 1


def test_the_next_run_begins_one_anew_whose_rule_has_changed_and_says_so(tmp_path: Path) -> None:
    said(tmp_path, "experiments", "register")
    result = spy32(tmp_path, "analyze", SPY32_CHOICE_RULE_DELTA="0.16")
    assert result.exit_code == 0, result.output
    assert "E1 has ended, since something of its terms changed; E2 goes on in its place" in result.stderr
    first, second = document(tmp_path, "experiments")
    assert first["state"]["ended"] == second["state"]["registered"]
    assert second["terms"]["fingerprints"]["rules"] == "delta 0.16, width 5"
    shown = said(tmp_path, "experiments")
    assert shown.startswith("1 experiment running, 1 ended\n")
    assert "E1 trend against rules: ended undecided, 0 outcomes" in shown


def test_a_prompt_that_is_gone_does_not_stop_a_run(tmp_path: Path) -> None:
    said(tmp_path, "analyze")
    with opened(tmp_path / "paper.db", account=None) as store:
        store.experiments.register(experiment_terms(), NOW.replace(year=2030))
    result = spy32(tmp_path, "analyze", "--force")
    assert result.exit_code == 0, result.output
    assert "experiments go on unchanged: nobody is called 'grok comprehensive'" in result.stderr
